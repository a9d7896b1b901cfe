
/*
 * Copyright (C) rs-gateway contributors
 *
 * Peer policy of TURN.
 */


#include "rs_turn_peer.h"

#include <string.h>


/* stands for "nobody" in a list: coturn refuses 0.0.0.0/8 before the lists */
#define RS_TURN_PEER_NOBODY  "0.0.0.1"


static rs_err_e rs_turn_peer_one(rs_turn_peer_conf_t *conf, rs_ip_set_t *set,
    rs_str_t value, const char **cure);
static rs_err_e rs_turn_peer_many(rs_turn_peer_conf_t *conf,
    rs_ip_set_t *set, rs_str_t value, const char **cure);
static rs_err_e rs_turn_peer_external(rs_turn_peer_conf_t *conf,
    rs_str_t value, const char **cure);
static int rs_turn_peer_in(const rs_ip_range_t *range,
    const char *const *texts);
static int rs_turn_peer_meets(const rs_ip_range_t *range,
    const char *const *texts);
static void rs_turn_peer_add(rs_ip_set_t *set, const char *const *texts);
static void rs_turn_peer_sub(rs_ip_set_t *set, const char *const *texts);
static void rs_turn_peer_relays(const rs_turn_peer_conf_t *conf,
    rs_ip_set_t *set);
static unsigned rs_turn_peer_low(const rs_ip_range_t *range, unsigned at,
    rs_ip_range_t *out);
static unsigned rs_turn_peer_high(const rs_ip_range_t *range, unsigned at,
    rs_ip_range_t *out);


/*
 * Never a peer on the internet: the special-purpose registries of IANA, the
 * ranges of IPv6 that are not assigned, every way to write IPv4 in IPv6, and
 * two metadata services of clouds.
 */

static const char *const  rs_turn_peer_special[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "100.100.100.200", "168.63.129.16",
    "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48",
    "3fff::/20", "4000::/2", "8000::/1",
    NULL
};


/* no rule may allow anything of these, not even one address */

static const char *const  rs_turn_peer_never[] = {
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",
    "240.0.0.0/4", "::/8", "2001::/32", "2002::/16", "fe80::/10",
    "fec0::/10", "ff00::/8",
    NULL
};


/* taken out of what a rule allows: the metadata services of clouds */

static const char *const  rs_turn_peer_metadata[] = {
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
    "fd20:ce::254",
    NULL
};


static const char *const  rs_turn_peer_loopback[] = {
    "127.0.0.0/8", "::1",
    NULL
};


/* coturn refuses these whatever its lists say */

static const char *const  rs_turn_peer_refused[] = {
    "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8",
    NULL
};


static const char *const  rs_turn_peer_private[] = {
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16",
    "fc00::/7",
    NULL
};


/* a rule that is as large as one of these is a mistake */

static const char *const  rs_turn_peer_class[] = {
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16",
    "fc00::/8", "fd00::/8",
    NULL
};


static const char *const  rs_turn_peer_everything[] = {
    "0.0.0.0/0", "::/0",
    NULL
};


static const char  rs_turn_peer_form[] = "write one address, ADDRESS/BITS "
    "with no bit set after BITS, or FIRST-LAST; decimal IPv4 of four "
    "numbers, or IPv6; no names";


void
rs_turn_peer_conf_init(rs_turn_peer_conf_t *conf)
{
    conf->peers = RS_TURN_PEERS_CLOSED;
    conf->rules = 0;
    conf->nmap = 0;

    rs_ip_set_init(&conf->own);
    rs_ip_set_init(&conf->listen);
    rs_ip_set_init(&conf->relay);
    rs_ip_set_init(&conf->allow);
    rs_ip_set_init(&conf->deny);
    rs_ip_set_init(&conf->lan);
}


rs_err_e
rs_turn_peer_conf_add(rs_turn_peer_conf_t *conf, rs_str_t key,
    rs_str_t value, const char **cure)
{
    unsigned                           i;

    static const char *const           names[] = { "closed", "open", "lan" };

    *cure = NULL;

    if (rs_str_eq(key, RS_STR("peers"))) {
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (rs_str_eq(value, rs_str(names[i]))) {
                conf->peers = (rs_turn_peers_e) i;
                return RS_OK;
            }
        }

        *cure = "write closed, open or lan";

        return RS_E_INVALID_VALUE;
    }

    if (rs_str_eq(key, RS_STR("relay"))) {
        return rs_turn_peer_one(conf, &conf->relay, value, cure);
    }

    if (rs_str_eq(key, RS_STR("relay_ip"))) {
        return rs_turn_peer_one(conf, &conf->own, value, cure);
    }

    if (rs_str_eq(key, RS_STR("listening_ip"))) {
        return rs_turn_peer_one(conf, &conf->listen, value, cure);
    }

    if (rs_str_eq(key, RS_STR("external_ip"))) {
        return rs_turn_peer_external(conf, value, cure);
    }

    if (rs_str_eq(key, RS_STR("allow"))) {
        return rs_turn_peer_many(conf, &conf->allow, value, cure);
    }

    if (rs_str_eq(key, RS_STR("lan"))) {
        return rs_turn_peer_many(conf, &conf->lan, value, cure);
    }

    if (rs_str_eq(key, RS_STR("deny"))) {
        return rs_turn_peer_many(conf, &conf->deny, value, cure);
    }

    return RS_E_UNKNOWN_FIELD;
}


/* an address that packets can be sent to */

static rs_err_e
rs_turn_peer_one(rs_turn_peer_conf_t *conf, rs_ip_set_t *set,
    rs_str_t value, const char **cure)
{
    rs_ip_range_t  range;

    if (rs_ip_parse(value, &range.first) != RS_OK) {
        *cure = "write one address: decimal IPv4 of four numbers, or IPv6; "
                "no names, ranges or ports";
        return RS_E_INVALID_VALUE;
    }

    range.last = range.first;

    if (rs_turn_peer_meets(&range, rs_turn_peer_never)
        && !rs_turn_peer_in(&range, rs_turn_peer_loopback))
    {
        *cure = "write the address of an interface: not 0.0.0.0, multicast, "
                "link-local, or IPv4 written in IPv6";
        return RS_E_INVALID_VALUE;
    }

    if (++conf->rules > RS_TURN_PEER_RULES_MAX) {
        *cure = "there are more than 256 rules: join ranges";
        return RS_E_LIMIT_REACHED;
    }

    rs_ip_set_add(set, &range);

    return RS_OK;
}


static rs_err_e
rs_turn_peer_many(rs_turn_peer_conf_t *conf, rs_ip_set_t *set,
    rs_str_t value, const char **cure)
{
    rs_ip_set_t         one;
    rs_ip_range_t       range;
    const char *const  *class;

    if (rs_ip_range_parse(value, &range) != RS_OK) {
        *cure = rs_turn_peer_form;
        return RS_E_INVALID_VALUE;
    }

    if (set != &conf->deny && rs_turn_peer_meets(&range, rs_turn_peer_never))
    {
        *cure = "leave out loopback, link-local, multicast, and IPv4 written "
                "in IPv6 (write the IPv4 range itself)";
        return RS_E_INVALID_VALUE;
    }

    if (set == &conf->lan && !rs_turn_peer_in(&range, rs_turn_peer_private)) {
        *cure = "lan takes parts of 10.0.0.0/8, 100.64.0.0/10, "
                "172.16.0.0/12, 192.168.0.0/16 and fc00::/7; write allow for "
                "others";
        return RS_E_INVALID_VALUE;
    }

    if (set != &conf->deny) {
        one.n = 1;
        one.overflow = 0;
        one.range[0] = range;

        for (class = rs_turn_peer_class; *class != NULL; class++) {
            (void) rs_ip_range_parse(rs_str(*class), &range);

            if (rs_ip_set_has(&one, &range.first)
                && rs_ip_set_has(&one, &range.last))
            {
                *cure = "a whole private class is never allowed: write the "
                        "networks that are really there";
                return RS_E_INVALID_VALUE;
            }
        }

        range = one.range[0];
    }

    if (++conf->rules > RS_TURN_PEER_RULES_MAX) {
        *cure = "there are more than 256 rules: join ranges";
        return RS_E_LIMIT_REACHED;
    }

    rs_ip_set_add(set, &range);

    return RS_OK;
}


static rs_err_e
rs_turn_peer_external(rs_turn_peer_conf_t *conf, rs_str_t value,
    const char **cure)
{
    rs_str_t             outer, inner;
    rs_turn_peer_map_t  *map;

    map = &conf->map[conf->nmap];

    if (conf->nmap == RS_TURN_PEER_MAP_MAX) {
        *cure = "there are more than 8";
        return RS_E_LIMIT_REACHED;
    }

    if (!rs_str_split(value, '/', &outer, &inner)
        || rs_ip_parse(outer, &map->outer) != RS_OK
        || rs_ip_parse(inner, &map->inner) != RS_OK
        || map->outer.len != map->inner.len)
    {
        *cure = "write OUTER/INNER: the address others see, and the relay_ip "
                "it leads to";
        return RS_E_INVALID_VALUE;
    }

    if (rs_turn_peer_one(conf, &conf->own, inner, cure) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    conf->nmap++;

    return RS_OK;
}


/* 1: all of range is within one of texts */

static int
rs_turn_peer_in(const rs_ip_range_t *range, const char *const *texts)
{
    rs_ip_range_t  r;

    for ( ; *texts != NULL; texts++) {
        (void) rs_ip_range_parse(rs_str(*texts), &r);

        if (r.first.len == range->first.len
            && rs_ip_cmp(&r.first, &range->first) <= 0
            && rs_ip_cmp(&r.last, &range->last) >= 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
rs_turn_peer_meets(const rs_ip_range_t *range, const char *const *texts)
{
    rs_ip_range_t  r;

    for ( ; *texts != NULL; texts++) {
        (void) rs_ip_range_parse(rs_str(*texts), &r);

        if (rs_ip_cmp(&r.first, &range->last) <= 0
            && rs_ip_cmp(&r.last, &range->first) >= 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
rs_turn_peer_add(rs_ip_set_t *set, const char *const *texts)
{
    rs_ip_range_t  r;

    for ( ; *texts != NULL; texts++) {
        (void) rs_ip_range_parse(rs_str(*texts), &r);
        rs_ip_set_add(set, &r);
    }
}


static void
rs_turn_peer_sub(rs_ip_set_t *set, const char *const *texts)
{
    rs_ip_range_t  r;

    for ( ; *texts != NULL; texts++) {
        (void) rs_ip_range_parse(rs_str(*texts), &r);
        rs_ip_set_sub(set, &r);
    }
}


/* relay addresses as coturn compares them: own ones in their inner form */

static void
rs_turn_peer_relays(const rs_turn_peer_conf_t *conf, rs_ip_set_t *set)
{
    unsigned       i;
    rs_ip_range_t  r;

    rs_ip_set_init(set);
    rs_ip_set_add_set(set, &conf->relay);

    for (i = 0; i < conf->nmap; i++) {
        r.first = conf->map[i].outer;
        r.last = r.first;
        rs_ip_set_sub(set, &r);
    }

    rs_ip_set_add_set(set, &conf->own);
}


rs_err_e
rs_turn_peer_build(const rs_turn_peer_conf_t *conf, rs_turn_peer_t *peer,
    const char **cure)
{
    unsigned      i, n;
    rs_ip_set_t   relays;

    *cure = NULL;

    if (conf->peers != RS_TURN_PEERS_LAN && conf->lan.n) {
        *cure = "lan is of use with peers = lan only";
        return RS_E_INVALID_VALUE;
    }

    rs_ip_set_init(&peer->allowed);
    rs_ip_set_add_set(&peer->allowed, &conf->allow);
    rs_ip_set_add_set(&peer->allowed, &conf->lan);
    rs_ip_set_sub_set(&peer->allowed, &conf->deny);
    rs_ip_set_sub_set(&peer->allowed, &conf->listen);
    rs_turn_peer_sub(&peer->allowed, rs_turn_peer_metadata);

    /* named one by one, so a rule for a whole network does not hit them */

    rs_turn_peer_relays(conf, &relays);
    rs_ip_set_add_set(&peer->allowed, &relays);

    rs_turn_peer_floor(conf, &peer->denied);

    for (n = 0, i = 0; i < peer->denied.n || i < peer->allowed.n; i++) {
        rs_ip_range_t  out[RS_TURN_PEER_PIECES_MAX];

        n += i < peer->denied.n
             ? rs_turn_peer_split(&peer->denied.range[i], out) : 0;
        n += i < peer->allowed.n
             ? rs_turn_peer_split(&peer->allowed.range[i], out) : 0;
    }

    if (peer->allowed.overflow || peer->denied.overflow
        || n > RS_TURN_PEER_LINES_MAX)
    {
        *cure = "coturn would get more than 8192 ranges: use fewer rules, of "
                "whole networks";
        return RS_E_LIMIT_REACHED;
    }

    return RS_OK;
}


void
rs_turn_peer_floor(const rs_turn_peer_conf_t *conf, rs_ip_set_t *denied)
{
    unsigned  i;

    rs_ip_set_init(denied);

    if (conf->peers == RS_TURN_PEERS_CLOSED) {
        rs_turn_peer_add(denied, rs_turn_peer_everything);
        return;
    }

    rs_turn_peer_add(denied, rs_turn_peer_special);

    for (i = 0; i < conf->deny.n; i++) {
        rs_ip_set_add(denied, &conf->deny.range[i]);
        rs_turn_peer_forms(denied, &conf->deny.range[i]);
    }

    for (i = 0; i < conf->listen.n; i++) {
        rs_ip_set_add(denied, &conf->listen.range[i]);
        rs_turn_peer_forms(denied, &conf->listen.range[i]);
    }

    denied->overflow |= conf->deny.overflow | conf->listen.overflow;
}


int
rs_turn_peer_denies(const rs_turn_peer_t *peer, const rs_ip_t *ip)
{
    rs_ip_range_t  r;

    r.first = *ip;
    r.last = *ip;

    if (rs_turn_peer_in(&r, rs_turn_peer_refused)
        && !rs_turn_peer_in(&r, rs_turn_peer_loopback))
    {
        return 1;
    }

    if (rs_ip_set_has(&peer->allowed, ip)) {
        return 0;
    }

    return rs_turn_peer_in(&r, rs_turn_peer_loopback)
           || rs_ip_set_has(&peer->denied, ip);
}


int
rs_turn_peer_public(const rs_ip_t *ip)
{
    rs_ip_range_t  r;

    r.first = *ip;
    r.last = *ip;

    return !rs_turn_peer_in(&r, rs_turn_peer_special);
}


void
rs_turn_peer_forms(rs_ip_set_t *set, const rs_ip_range_t *range)
{
    unsigned                   i, at;
    rs_ip_range_t              r;

    /* IPv4-mapped, IPv4-compatible, NAT64, 6to4 */

    static const char *const   prefix[] = {
        "::ffff:0:0", "::", "64:ff9b::", "2002::"
    };

    /* NAT64 of a site's own choice, and Teredo: it may be anywhere there */

    static const char *const   whole[] = {
        "64:ff9b:1::/48", "2001::/32", NULL
    };

    if (range->first.len != RS_IP_V4) {
        return;
    }

    for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
        (void) rs_ip_parse(rs_str(prefix[i]), &r.first);
        r.last = r.first;

        at = i == 3 ? 2 : 12;
        memcpy(r.first.b + at, range->first.b, 4);
        memcpy(r.last.b + at, range->last.b, 4);
        memset(r.last.b + at + 4, 0xff, RS_IP_V6 - at - 4);

        rs_ip_set_add(set, &r);
    }

    rs_turn_peer_add(set, whole);
}


/*
 * Pieces are made so that the bytes before one of them are equal in first
 * and last, and the bytes after it are all 00 in first and all ff in last.
 * Such a piece is the same set whether compared as a number or byte by byte.
 */

unsigned
rs_turn_peer_split(const rs_ip_range_t *range,
    rs_ip_range_t out[RS_TURN_PEER_PIECES_MAX])
{
    int            low, high;
    unsigned       i, at, n, len;
    rs_ip_range_t  r;

    r = *range;
    len = r.first.len;

    for (i = 0; i < len && r.first.b[i] == 0; i++) { }

    if (i == len) {
        (void) rs_ip_inc(&r.first);

        if (rs_ip_cmp(&r.first, &r.last) > 0) {
            return 0;
        }
    }

    if (len == RS_IP_V4) {
        out[0] = r;
        return 1;
    }

    for (at = 0; at < len - 1 && r.first.b[at] == r.last.b[at]; at++) { }

    low = 1;
    high = 1;

    for (i = at + 1; i < len; i++) {
        low &= r.first.b[i] == 0;
        high &= r.last.b[i] == 0xff;
    }

    n = low ? 0 : rs_turn_peer_low(&r, at, out);

    if (r.first.b[at] + !low <= r.last.b[at] - !high) {
        out[n] = r;
        out[n].first.b[at] = (uint8_t) (r.first.b[at] + !low);
        out[n].last.b[at] = (uint8_t) (r.last.b[at] - !high);
        memset(out[n].first.b + at + 1, 0, len - at - 1);
        memset(out[n].last.b + at + 1, 0xff, len - at - 1);
        n++;
    }

    return n + (high ? 0 : rs_turn_peer_high(&r, at, out + n));
}


/* from first up to the end of the addresses that share its byte `at` */

static unsigned
rs_turn_peer_low(const rs_ip_range_t *range, unsigned at, rs_ip_range_t *out)
{
    unsigned       i, n, end;

    n = 0;
    end = range->first.len;

    /* the last byte that is not 00: what follows is whole already */

    while (range->first.b[end - 1] == 0) {
        end--;
    }

    for (i = end - 1; i > at; i--) {
        if (i < end - 1 && range->first.b[i] == 0xff) {
            continue;
        }

        out[n].first = range->first;
        out[n].last = range->first;
        out[n].first.b[i] = (uint8_t) (out[n].first.b[i] + (i < end - 1));
        out[n].last.b[i] = 0xff;
        memset(out[n].first.b + i + 1, 0, range->first.len - i - 1);
        memset(out[n].last.b + i + 1, 0xff, range->first.len - i - 1);
        n++;
    }

    return n;
}


/* from the first address that shares byte `at` of last up to last */

static unsigned
rs_turn_peer_high(const rs_ip_range_t *range, unsigned at,
    rs_ip_range_t *out)
{
    unsigned  i, n, end;

    n = 0;
    end = range->last.len;

    while (range->last.b[end - 1] == 0xff) {
        end--;
    }

    for (i = at + 1; i < end; i++) {
        if (i < end - 1 && range->last.b[i] == 0) {
            continue;
        }

        out[n].first = range->last;
        out[n].last = range->last;
        out[n].first.b[i] = 0;
        out[n].last.b[i] = (uint8_t) (out[n].last.b[i] - (i < end - 1));
        memset(out[n].first.b + i + 1, 0, range->last.len - i - 1);
        memset(out[n].last.b + i + 1, 0xff, range->last.len - i - 1);
        n++;
    }

    return n;
}


void
rs_turn_peer_lines(const rs_ip_set_t *set,
    void (*line)(void *data, rs_str_t text), void *data)
{
    char           text[RS_IP_RANGE_TEXT_MAX];
    unsigned       i, j, n, total;
    rs_ip_range_t  out[RS_TURN_PEER_PIECES_MAX];

    total = 0;

    for (i = 0; i < set->n; i++) {
        n = rs_turn_peer_split(&set->range[i], out);

        for (j = 0; j < n; j++) {
            line(data, (rs_str_t) { (uint8_t *) text,
                                    rs_ip_range_format(&out[j], text) });
        }

        total += n;
    }

    if (total == 0) {
        line(data, RS_STR(RS_TURN_PEER_NOBODY));
    }
}
