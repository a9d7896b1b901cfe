
/*
 * Copyright (C) rs-gateway contributors
 *
 * Egress of rendered browsers: the rules, and what is the internet.
 */


#include "rs_egress.h"
#include "rs_turn_peer.h"

#include <string.h>


#define RS_EGRESS_ANY_PORT  ":1-65535"


static rs_err_e rs_egress_one(rs_egress_t *egress, rs_str_t key,
    rs_str_t value, const char **cure);
static rs_err_e rs_egress_rule(rs_egress_rule_t *rules, unsigned *n,
    rs_str_t value, const char **cure);
static rs_err_e rs_egress_port(rs_egress_t *egress, rs_str_t value,
    const char **cure);
static int rs_egress_has_port(const rs_egress_t *egress, unsigned port);
static int rs_egress_on_port(const rs_egress_t *egress,
    const rs_egress_rule_t *r, unsigned port);
static int rs_egress_named(const rs_egress_rule_t *r,
    const rs_target_t *target);
static int rs_egress_holds(const rs_egress_rule_t *r, const rs_ip_t *ip);
static int rs_egress_single(const rs_egress_rule_t *r);
static int rs_egress_loopback(const rs_ip_t *ip);
static int rs_egress_is_denied(const rs_egress_t *egress,
    const rs_target_t *target, const rs_ip_t *ip);


/* what pages are served at: no mail, no remote shells */

static const rs_egress_ports_t  rs_egress_ports[] = {
    { 80, 80 }, { 443, 443 }, { 1024, 65535 }
};


static const char  rs_egress_form[] = "write HOST[:PORT[-PORT]] with HOST a "
    "name, *.suffix, an address or ADDRESS/BITS with no bit set after BITS; "
    "IPv6 in brackets, with its bits in there";


void
rs_egress_init(rs_egress_t *egress)
{
    egress->listed = 0;
    egress->nports = 0;
    egress->nallow = 0;
    egress->ndeny = 0;
}


rs_err_e
rs_egress_add(rs_egress_t *egress, rs_str_t key, rs_str_t value,
    const char **cure)
{
    size_t    i, n;
    rs_err_e  rc;

    *cure = NULL;

    if (rs_str_eq(key, RS_STR("mode"))) {
        *cure = "write public or listed";
        egress->listed = rs_str_eq(value, RS_STR("listed"));

        return egress->listed || rs_str_eq(value, RS_STR("public"))
               ? RS_OK : RS_E_INVALID_VALUE;
    }

    if (!rs_str_eq(key, RS_STR("allow")) && !rs_str_eq(key, RS_STR("deny"))
        && !rs_str_eq(key, RS_STR("ports")))
    {
        return RS_E_UNKNOWN_FIELD;
    }

    for (i = 0; i < value.len; i += n + 1) {

        for (n = 0; i + n < value.len; n++) {
            if (memchr(" \t,", value.data[i + n], 3) != NULL) {
                break;
            }
        }

        if (n == 0) {
            continue;
        }

        rc = rs_egress_one(egress, key, (rs_str_t) { value.data + i, n },
                           cure);
        if (rc != RS_OK) {
            return rc;
        }
    }

    return RS_OK;
}


static rs_err_e
rs_egress_one(rs_egress_t *egress, rs_str_t key, rs_str_t value,
    const char **cure)
{
    if (rs_str_eq(key, RS_STR("ports"))) {
        return rs_egress_port(egress, value, cure);
    }

    if (rs_str_eq(key, RS_STR("allow"))) {
        return rs_egress_rule(egress->allow, &egress->nallow, value, cure);
    }

    return rs_egress_rule(egress->deny, &egress->ndeny, value, cure);
}


static rs_err_e
rs_egress_rule(rs_egress_rule_t *rules, unsigned *n, rs_str_t value,
    const char **cure)
{
    rs_buf_t           b;
    rs_str_t           text, head, tail;
    rs_egress_rule_t  *r;

    if (*n == RS_EGRESS_RULES_MAX) {
        *cure = "there is room for 128 rules: use fewer, of whole networks "
                "and *.suffix";
        return RS_E_LIMIT_REACHED;
    }

    *cure = rs_egress_form;
    r = &rules[*n];

    /* does it say ports?  In brackets there are other colons */

    text = value;
    (void) rs_str_split(value, ']', &head, &text);

    if (text.len == 0 && head.len == value.len) {
        text = value;
    }

    r->ports = rs_str_split(text, ':', &head, &tail);

    rs_buf_init(&b, r->text, sizeof(r->text));
    rs_buf_str(&b, value);
    rs_buf_cstr(&b, r->ports ? "" : RS_EGRESS_ANY_PORT);

    if (b.overflow || rs_target_rule_parse(rs_buf_get(&b), &r->rule) != RS_OK
        || r->rule.udp)
    {
        return RS_E_INVALID_VALUE;
    }

    (*n)++;

    return RS_OK;
}


static rs_err_e
rs_egress_port(rs_egress_t *egress, rs_str_t value, const char **cure)
{
    int                 range;
    uint64_t            first, last;
    rs_str_t            head, tail;
    rs_egress_ports_t  *ports;

    if (egress->nports == RS_EGRESS_PORTS_MAX) {
        *cure = "there is room for 16 ranges of ports";
        return RS_E_LIMIT_REACHED;
    }

    *cure = "write PORT or PORT-PORT, of 1 to 65535";
    range = rs_str_split(value, '-', &head, &tail);

    if (!rs_u64_parse(head, 65535, &first) || first == 0) {
        return RS_E_INVALID_VALUE;
    }

    last = first;

    if (range && (!rs_u64_parse(tail, 65535, &last) || last < first)) {
        return RS_E_INVALID_VALUE;
    }

    ports = &egress->ports[egress->nports++];
    ports->first = (unsigned) first;
    ports->last = (unsigned) last;

    return RS_OK;
}


static int
rs_egress_has_port(const rs_egress_t *egress, unsigned port)
{
    size_t                    i, n;
    const rs_egress_ports_t  *ports;

    ports = egress->ports;
    n = egress->nports;

    if (n == 0) {
        ports = rs_egress_ports;
        n = sizeof(rs_egress_ports) / sizeof(rs_egress_ports[0]);
    }

    for (i = 0; i < n; i++) {
        if (port >= ports[i].first && port <= ports[i].last) {
            return 1;
        }
    }

    return 0;
}


/* egress: whose ports it is for if it says none; NULL: all */

static int
rs_egress_on_port(const rs_egress_t *egress, const rs_egress_rule_t *r,
    unsigned port)
{
    if (!r->ports && egress != NULL) {
        return rs_egress_has_port(egress, port);
    }

    return port >= r->rule.first && port <= r->rule.last;
}


static int
rs_egress_named(const rs_egress_rule_t *r, const rs_target_t *target)
{
    return r->rule.name.len != 0 && target->name.len != 0
           && rs_target_hopeful(&r->rule, 1, target);
}


static int
rs_egress_holds(const rs_egress_rule_t *r, const rs_ip_t *ip)
{
    return r->rule.name.len == 0 && r->rule.range.first.len == ip->len
           && rs_ip_cmp(&r->rule.range.first, ip) <= 0
           && rs_ip_cmp(ip, &r->rule.range.last) <= 0;
}


static int
rs_egress_single(const rs_egress_rule_t *r)
{
    return rs_ip_cmp(&r->rule.range.first, &r->rule.range.last) == 0;
}


static int
rs_egress_loopback(const rs_ip_t *ip)
{
    static const uint8_t  one[RS_IP_V6] = { [RS_IP_V6 - 1] = 1 };

    return (ip->len == RS_IP_V4) ? ip->b[0] == 127
                                 : memcmp(ip->b, one, RS_IP_V6) == 0;
}


/* ip: NULL: nobody has looked the name up yet */

static int
rs_egress_is_denied(const rs_egress_t *egress, const rs_target_t *target,
    const rs_ip_t *ip)
{
    unsigned                 i;
    const rs_egress_rule_t  *r;

    for (i = 0; i < egress->ndeny; i++) {
        r = &egress->deny[i];

        if (rs_egress_on_port(NULL, r, target->port)
            && (rs_egress_named(r, target)
                || (ip != NULL && rs_egress_holds(r, ip))))
        {
            return 1;
        }
    }

    return 0;
}


rs_egress_e
rs_egress_hopeful(const rs_egress_t *egress, const rs_target_t *target)
{
    unsigned                 i;
    const rs_egress_rule_t  *r;

    if (target->name.len == 0) {
        return rs_egress_check(egress, target, &target->ip, 0);
    }

    if (rs_egress_is_denied(egress, target, NULL)) {
        return RS_EGRESS_DENIED;
    }

    for (i = 0; i < egress->nallow; i++) {
        r = &egress->allow[i];

        if (rs_egress_on_port(egress, r, target->port)
            && (r->rule.name.len == 0 || rs_egress_named(r, target)))
        {
            return RS_EGRESS_ALLOWED;
        }
    }

    if (egress->listed) {
        return RS_EGRESS_UNLISTED;
    }

    return rs_egress_has_port(egress, target->port) ? RS_EGRESS_ALLOWED
                                                    : RS_EGRESS_PORT;
}


rs_egress_e
rs_egress_check(const rs_egress_t *egress, const rs_target_t *target,
    const rs_ip_t *found, int own)
{
    rs_ip_t                  ip;
    unsigned                 i;
    const rs_egress_rule_t  *r;

    rs_target_unwrap(found, &ip);
    own = own || rs_egress_loopback(&ip);

    if (rs_egress_is_denied(egress, target, &ip)) {
        return RS_EGRESS_DENIED;
    }

    if (rs_target_check(NULL, 0, target, found, own) == RS_TARGET_NEVER) {
        return RS_EGRESS_NEVER;
    }

    for (i = 0; i < egress->nallow; i++) {
        r = &egress->allow[i];

        /* neither a network nor a name opens this machine */

        if (rs_egress_on_port(egress, r, target->port)
            && (rs_egress_holds(r, &ip)
                ? (!own || rs_egress_single(r))
                : (!own && rs_egress_named(r, target))))
        {
            return RS_EGRESS_ALLOWED;
        }
    }

    if (own) {
        return RS_EGRESS_SELF;
    }

    if (!rs_turn_peer_public(&ip)) {
        return RS_EGRESS_PRIVATE;
    }

    if (egress->listed) {
        return RS_EGRESS_UNLISTED;
    }

    return rs_egress_has_port(egress, target->port) ? RS_EGRESS_ALLOWED
                                                    : RS_EGRESS_PORT;
}


const char *
rs_egress_code(rs_egress_e verdict)
{
    static const char *const  codes[] = {
        "allowed", "denied", "unlisted", "port", "private", "self", "never",
        "invalid"
    };

    return codes[verdict];
}


const char *
rs_egress_why(rs_egress_e verdict)
{
    static const char *const  why[] = {
        "is allowed",
        "is denied by [egress] deny of render.conf",
        "is not listed in [egress] allow of render.conf",
        "has a port that is not in [egress] ports of render.conf",
        "is not of the internet, nor in [egress] allow of render.conf",
        "is the rendering machine itself",
        "is never allowed, whatever render.conf says",
        "is neither a name nor an address"
    };

    return why[verdict];
}
