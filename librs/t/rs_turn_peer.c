
/*
 * Copyright (C) rs-gateway contributors
 *
 * Peer policy, held against a model of what coturn does with its lists: read
 * as its manual and its behaviour say, by versions before and after 4.16.
 */


#include "tap.h"
#include "rs_turn_peer.h"

#include <arpa/inet.h>


#define SAMPLES_MAX  200000
#define NOBODY       "0.0.0.1"


typedef struct {
    rs_ip_t   first;
    rs_ip_t   last;
} model_range_t;


typedef struct {
    unsigned        n;
    model_range_t   range[RS_TURN_PEER_LINES_MAX + 1];
} model_list_t;


static rs_turn_peer_conf_t  conf;
static rs_turn_peer_t       peer;
static model_list_t         allowed, denied;
static rs_ip_t              samples[SAMPLES_MAX];
static unsigned             nsamples;
static rs_ip_set_t          set;


/* ---- coturn: how it reads an entry and compares it with a peer */


static int
model_any(const rs_ip_t *ip)
{
    unsigned  i;

    for (i = 0; i < ip->len; i++) {
        if (ip->b[i]) {
            return 0;
        }
    }

    return 1;
}


static int
model_le(const rs_ip_t *a, const rs_ip_t *b, int bytewise)
{
    unsigned  i;

    if (a->len != b->len) {
        return a->len < b->len;
    }

    if (a->len == RS_IP_V4 || !bytewise) {
        return memcmp(a->b, b->b, a->len) <= 0;
    }

    for (i = 0; i < RS_IP_V6; i++) {
        if (a->b[i] > b->b[i]) {
            return 0;
        }
    }

    return 1;
}


/* since 4.16: IPv4 written in IPv6 is IPv4 to an IPv4 range */

static int
model_embedded(const rs_ip_t *ip, rs_ip_t *v4)
{
    unsigned              at;

    static const uint8_t  zero[12], mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    }, nat64[12] = { 0, 0x64, 0xff, 0x9b };

    if (ip->len != RS_IP_V6) {
        return 0;
    }

    if (memcmp(ip->b, mapped, 12) == 0 || memcmp(ip->b, nat64, 12) == 0) {
        at = 12;

    } else if (ip->b[0] == 0x20 && ip->b[1] == 2) {
        at = 2;

    } else if (memcmp(ip->b, zero, 12) == 0
               && (ip->b[12] || ip->b[13] || ip->b[14] || ip->b[15] > 1))
    {
        at = 12;

    } else {
        return 0;
    }

    memset(v4, 0, sizeof(rs_ip_t));
    v4->len = RS_IP_V4;
    memcpy(v4->b, ip->b + at, 4);

    return 1;
}


static int
model_in(const model_list_t *list, const rs_ip_t *ip, int old)
{
    rs_ip_t              v4;
    unsigned             i;
    const rs_ip_t       *p;
    const model_range_t *r;

    for (i = 0; i < list->n; i++) {
        r = &list->range[i];
        p = ip;

        if (!old && r->first.len == RS_IP_V4 && model_embedded(ip, &v4)) {
            p = &v4;
        }

        if ((model_any(&r->first) || model_le(&r->first, p, old))
            && (model_any(&r->last) || model_le(p, &r->last, old)))
        {
            return 1;
        }
    }

    return 0;
}


static int
model_denies(const rs_ip_t *ip, int old)
{
    rs_ip_t         v4;
    const rs_ip_t  *p;

    p = !old && model_embedded(ip, &v4) ? &v4 : ip;

    if (p->len == RS_IP_V4
        ? p->b[0] == 0 || p->b[0] == 127 || p->b[0] > 223
        : p->b[0] == 0xff || model_any(p)
          || (p->b[15] == 1 && memcmp(p->b, (uint8_t [15]) { 0 }, 15) == 0))
    {
        return 1;
    }

    if (!old
        && (p->len == RS_IP_V4 ? p->b[0] == 169 && p->b[1] == 254
            : (p->b[0] == 0xfe && p->b[1] >= 0x80)
              || (p->b[0] & 0xfe) == 0xfc))
    {
        return 1;
    }

    if (model_in(&allowed, ip, old)) {
        return 0;
    }

    return model_in(&denied, ip, old);
}


static int
model_addr(rs_str_t s, rs_ip_t *ip)
{
    char  text[80];

    memset(ip, 0, sizeof(rs_ip_t));
    (void) snprintf(text, sizeof(text), "%.*s", (int) s.len, s.data);

    if (inet_pton(AF_INET, text, ip->b) == 1) {
        ip->len = RS_IP_V4;
        return 1;
    }

    ip->len = RS_IP_V6;

    return inet_pton(AF_INET6, text, ip->b) == 1;
}


/* what is no address would be looked up in DNS, or ignored */

static void
model_line(void *data, rs_str_t text)
{
    rs_str_t        first, last;
    model_list_t   *list = data;
    model_range_t  *r;

    r = &list->range[list->n++];

    if (!rs_str_split(text, '-', &first, &last)) {
        last = first;
    }

    if (!model_addr(first, &r->first) || !model_addr(last, &r->last)
        || r->first.len != r->last.len || model_any(&r->first)
        || model_any(&r->last))
    {
        ok(0, "\"%.*s\" is no entry", (int) text.len, text.data);
    }
}


/* ---- addresses to ask for */


static void
sample(const rs_ip_t *ip)
{
    unsigned       i, at;
    rs_ip_t        form, near;

    static const char *const  forms[] = {
        "::", "::ffff:0:0", "64:ff9b::", "64:ff9b:1::", "2001::", "2002::"
    };

    for (i = 0; i < 3; i++) {
        near = *ip;

        if ((i == 1 && !rs_ip_inc(&near)) || (i == 2 && !rs_ip_dec(&near))
            || nsamples == SAMPLES_MAX)
        {
            continue;
        }

        samples[nsamples++] = near;
    }

    if (ip->len == RS_IP_V6) {
        return;
    }

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        (void) rs_ip_parse(rs_str(forms[i]), &form);
        at = i == 5 ? 2 : 12;
        memcpy(form.b + at, ip->b, 4);
        sample(&form);
    }
}


static void
sample_range(const char *text)
{
    unsigned       i;
    rs_ip_t        ip;
    rs_ip_range_t  r;

    (void) rs_ip_range_parse(rs_str(text), &r);
    sample(&r.first);
    sample(&r.last);

    /* where only some bytes are at their bounds */

    for (i = 0; i < r.first.len; i++) {
        ip = r.first;
        ip.b[i] = r.last.b[i];
        sample(&ip);
        ip = r.last;
        ip.b[i] = r.first.b[i];
        sample(&ip);
        ip.b[i] = (uint8_t) ((r.first.b[i] + r.last.b[i]) / 2);
        sample(&ip);
    }
}


static const char *const  special[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "169.254.169.254", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255",
    "168.63.129.16", "100.100.100.200",
    "::/128", "::1", "::/96", "::ffff:0:0/96", "64:ff9b::/96",
    "64:ff9b:1::/48", "100::/64", "2001::/23", "2001::/32", "2001:db8::/32",
    "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8"
};


static const char *const  internet[] = {
    "1.1.1.1", "8.8.8.8", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::",
    "2606:4700::1111", "2a00:1450:4001::1", "2001:db7::1", "2001:db9::1",
    "2003::1", "3ffe::1"
};


static void
sample_all(void)
{
    size_t    i, j;
    rs_ip_t   ip;
    uint32_t  seed;

    nsamples = 0;
    seed = 4711;

    for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        sample_range(special[i]);
    }

    for (i = 0; i < sizeof(internet) / sizeof(internet[0]); i++) {
        sample_range(internet[i]);
    }

    for (i = 0; i < 30000; i++) {
        memset(&ip, 0, sizeof(rs_ip_t));
        ip.len = i % 4 ? RS_IP_V6 : RS_IP_V4;

        for (j = 0; j < ip.len; j++) {
            seed = seed * 1664525 + 1013904223;
            ip.b[j] = seed >> 30 ? (uint8_t) (seed >> 16) : 0;
        }

        samples[nsamples++] = ip;
    }
}


/* ---- tests */


static void
line(const char *key, const char *value)
{
    rs_err_e     rc;
    const char  *cure;

    rc = rs_turn_peer_conf_add(&conf, rs_str(key), rs_str(value), &cure);

    if (rc != RS_OK) {
        ok(0, "%s = %s: %s", key, value, cure ? cure : "");
    }
}


static void
build(void)
{
    unsigned     i;
    const char  *cure;

    is_rc(rs_turn_peer_build(&conf, &peer, &cure), RS_OK, "a policy");

    allowed.n = 0;
    denied.n = 0;
    rs_turn_peer_lines(&peer.allowed, model_line, &allowed);
    rs_turn_peer_lines(&peer.denied, model_line, &denied);
    ok(allowed.n && denied.n, "no list is empty: %u, %u", allowed.n,
       denied.n);

    for (i = 0; i < peer.allowed.n; i++) {
        sample(&peer.allowed.range[i].first);
        sample(&peer.allowed.range[i].last);
    }

    for (i = 0; i < peer.denied.n; i++) {
        sample(&peer.denied.range[i].first);
        sample(&peer.denied.range[i].last);
    }
}


/*
 * Old and new coturn and we ourselves agree about every sample; but newer
 * ones refuse more, and take IPv4 in IPv6 of an allowed address for it.
 */

static void
agree(const char *what)
{
    char      text[RS_IP_TEXT_MAX];
    int       mine, old, new;
    rs_ip_t   v4;
    unsigned  i, wrong;

    wrong = 0;

    for (i = 0; i < nsamples; i++) {
        mine = rs_turn_peer_denies(&peer, &samples[i]);
        old = model_denies(&samples[i], 1);
        new = model_denies(&samples[i], 0);

        if (mine == old
            && (old == new || (new && !old)
                || (model_embedded(&samples[i], &v4)
                    && !rs_turn_peer_denies(&peer, &v4))))
        {
            continue;
        }

        if (++wrong < 10) {
            printf("#   %.*s: we %d, 4.6.1 %d, 4.16 %d\n",
                   (int) rs_ip_format(&samples[i], text), text, mine, old,
                   new);
        }
    }

    ok(wrong == 0, "%s: %u addresses, %u wrong", what, nsamples, wrong);
}


static int
denies(const char *text)
{
    rs_ip_t  ip;

    (void) rs_ip_parse(rs_str(text), &ip);

    return rs_turn_peer_denies(&peer, &ip) && model_denies(&ip, 1)
           && model_denies(&ip, 0);
}


static void
closed(void)
{
    unsigned  i, n;

    sample_all();
    rs_turn_peer_conf_init(&conf);
    build();
    agree("closed, nobody");

    for (n = 0, i = 0; i < nsamples; i++) {
        n += !model_denies(&samples[i], 1) || !model_denies(&samples[i], 0);
    }

    is_int(n, 0, "every address there is is denied");
    is_int(denied.n, 17, "by 17 entries");

    line("relay", "192.0.2.11");
    line("relay", "198.51.100.7");
    line("relay", "2001:db8::7");
    line("external_ip", "198.51.100.7/10.0.0.7");
    line("allow", "203.0.113.0/24");
    line("deny", "203.0.113.128/25");
    line("listening_ip", "203.0.113.5");
    build();
    agree("closed, a fleet");

    ok(!denies("192.0.2.11"), "the relay next door is allowed");
    ok(denies("192.0.2.10"), "what is beside it is not");
    ok(!denies("2001:db8::7"), "nor one of IPv6");
    ok(denies("2001:db8::8"), "nor what is beside that");
    ok(!denies("10.0.0.7"), "ours, as coturn sees it");
    ok(denies("198.51.100.7"), "not as others do");
    ok(!denies("203.0.113.127"), "what is allowed");
    ok(denies("203.0.113.128"), "but denied after all");
    ok(denies("203.0.113.5"), "this server itself");
    ok(rs_ip_set_has(&peer.allowed, &conf.map[0].inner), "in the list");
}


static void
open_and_lan(void)
{
    size_t         i;
    unsigned       n;
    rs_ip_range_t  r;

    sample_all();
    rs_turn_peer_conf_init(&conf);
    line("peers", "open");
    build();
    agree("open");
    is_int(peer.allowed.n, 0, "nothing is allowed by name");
    is_int(allowed.n, 1, "which is an entry of one that is nobody");

    for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        (void) rs_ip_range_parse(rs_str(special[i]), &r);

        for (n = 0; n < nsamples; n++) {
            if (rs_ip_cmp(&r.first, &samples[n]) <= 0
                && rs_ip_cmp(&samples[n], &r.last) <= 0
                && (!model_denies(&samples[n], 1)
                    || !model_denies(&samples[n], 0)
                    || !rs_turn_peer_denies(&peer, &samples[n])))
            {
                break;
            }
        }

        ok(n == nsamples, "nothing of %s", special[i]);
    }

    for (i = 0; i < sizeof(internet) / sizeof(internet[0]); i++) {
        ok(!denies(internet[i]), "but %s", internet[i]);
    }

    line("deny", "8.8.8.0/24");
    line("deny", "2606:4700::/32");
    line("relay", "10.9.9.9");
    line("listening_ip", "11.0.0.7");
    build();
    agree("open, rules");
    ok(denies("8.8.8.8") && denies("2606:4700::1111"), "denied");
    ok(denies("2002:808:808::1") && denies("64:ff9b::808:808"),
       "in every form");
    ok(denies("11.0.0.7"), "this server itself");
    ok(!denies("10.9.9.9"), "a relay inside");

    line("peers", "lan");
    line("lan", "10.1.0.0/16");
    line("lan", "10.9.9.0/24");
    line("lan", "100.100.0.0/16");
    line("lan", "fd12:3456::/32");
    line("deny", "10.1.2.0/24");
    line("deny", "10.9.9.0/24");
    build();
    agree("lan");
    ok(!denies("10.1.1.1"), "the network listed");
    ok(denies("10.1.2.1"), "without what is denied");
    ok(denies("10.2.0.1"), "not the one beside it");
    ok(!denies("10.9.9.9") && denies("10.9.9.8"),
       "a relay stays, whatever network is denied");
    ok(!denies("100.100.1.1") && denies("100.100.100.200"),
       "and no metadata service is let in");
    ok(!denies("1.1.1.1"), "the internet too");
}


static void
refused(void)
{
    size_t       i;
    const char  *cure;

    static const char  *bad[][2] = {
        { "peers", "all" }, { "peers", "" }, { "relay", "10.0.0.0/24" },
        { "relay", "relay.example.net" }, { "relay", "0.0.0.0" },
        { "relay", "224.0.0.1" }, { "relay", "::" }, { "relay", "fe80::1" },
        { "relay", "::ffff:192.0.2.1" }, { "relay", "2002::1" },
        { "relay", "169.254.169.254" }, { "relay", "010.0.0.1" },
        { "relay_ip", "1.2.3" }, { "listening_ip", "*" },
        { "external_ip", "192.0.2.1" }, { "external_ip", "192.0.2.1/::1" },
        { "external_ip", "192.0.2.1/0.0.0.0" }, { "external_ip", "a/b" },
        { "allow", "0.0.0.0/0" }, { "allow", "::/0" }, { "allow", "::1" },
        { "allow", "127.0.0.1" }, { "allow", "10.0.0.0/8" },
        { "allow", "172.0.0.0/8" }, { "allow", "192.168.0.0/16" },
        { "allow", "fd00::/8" }, { "allow", "169.254.169.254" },
        { "allow", "ff02::1" }, { "allow", "64:ff9b::/96" },
        { "allow", "2001::1" }, { "allow", "10.0.0.1/8" },
        { "lan", "100.64.0.0/10" }, { "lan", "172.16.0.0/12" },
        { "lan", "8.8.8.0/24" }, { "lan", "0.0.0.0/0" },
        { "lan", "10.255.0.0-11.0.0.1" }, { "lan", "fc00::/7" },
        { "deny", "" }, { "deny", "evil.example.net" }, { "deny", "10.1" },
        { "deny", "::1%lo" }
    };

    rs_turn_peer_conf_init(&conf);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_turn_peer_conf_add(&conf, rs_str(bad[i][0]), rs_str(bad[i][1]),
                                 &cure) == RS_E_INVALID_VALUE
           && cure != NULL, "%s = %s", bad[i][0], bad[i][1]);
    }

    is_int(conf.rules + conf.nmap, 0, "nothing came of these");
    is_rc(rs_turn_peer_conf_add(&conf, RS_STR("realm"), RS_STR("x"), &cure),
          RS_E_UNKNOWN_FIELD, "another key");

    line("lan", "10.0.0.0/24");
    is_rc(rs_turn_peer_build(&conf, &peer, &cure), RS_E_INVALID_VALUE,
          "lan without peers = lan");

    for (i = 0; conf.rules < RS_TURN_PEER_RULES_MAX; i++) {
        line("deny", "8.0.0.0/32");
    }

    is_rc(rs_turn_peer_conf_add(&conf, RS_STR("deny"), RS_STR("8.0.0.1"),
                                &cure), RS_E_LIMIT_REACHED,
          "one rule too many");
}


/* as many and as unaligned rules as may be */

static void
largest(void)
{
    char         text[80];
    unsigned     i;
    const char  *cure;

    sample_all();
    rs_turn_peer_conf_init(&conf);
    line("peers", "open");

    for (i = 0; i < RS_TURN_PEER_RULES_MAX; i++) {
        (void) snprintf(text, sizeof(text),
                        "2a00:%x:1:1:1:1:1:1-2a00:%x:fe:fe:fe:fe:fe:fefe",
                        2 * i, 2 * i + 1);
        line("deny", text);
    }

    build();
    agree("256 ranges of IPv6");

    rs_turn_peer_conf_init(&conf);
    line("peers", "open");

    for (i = 0; i < RS_TURN_PEER_RULES_MAX; i++) {
        (void) snprintf(text, sizeof(text), "8.%u.1.1-8.%u.254.254", i, i);
        line("deny", text);
    }

    is_rc(rs_turn_peer_build(&conf, &peer, &cure), RS_OK, "of IPv4");
}


static void
pieces(void)
{
    unsigned       i, j, n, bad, most;
    uint32_t       seed;
    rs_ip_range_t  r, out[RS_TURN_PEER_PIECES_MAX];

    seed = 99;
    bad = 0;
    most = 0;

    for (i = 0; i < 200000; i++) {
        memset(&r, 0, sizeof(r));
        r.first.len = RS_IP_V6;
        r.last.len = RS_IP_V6;

        for (j = 0; j < RS_IP_V6; j++) {
            seed = seed * 1664525 + 1013904223;
            r.first.b[j] = (uint8_t []) { 0, 0, 1, 0x7f, 0xfe, 0xff, 0xff,
                           (uint8_t) (seed >> 8) }[seed >> 29];
            seed = seed * 1664525 + 1013904223;
            r.last.b[j] = seed >> 31 ? r.first.b[j]
                          : (uint8_t []) { 0, 1, 0xff,
                                (uint8_t) (seed >> 8) }[seed >> 29];
        }

        if (rs_ip_cmp(&r.first, &r.last) > 0) {
            continue;
        }

        n = rs_turn_peer_split(&r, out);
        most = n > most ? n : most;

        /* in order, with no gap between, from end to end, and each of them
         * one that bytes and numbers agree about */

        bad += n == 0 || n > RS_TURN_PEER_PIECES_MAX
               || rs_ip_cmp(&out[0].first, &r.first) < 0
               || rs_ip_cmp(&out[n - 1].last, &r.last) > 0;

        rs_ip_set_init(&set);

        for (j = 0; j < n; j++) {
            rs_ip_set_add(&set, &out[j]);
        }

        bad += set.n != 1 || rs_ip_cmp(&set.range[0].last, &r.last) != 0
               || (rs_ip_cmp(&set.range[0].first, &r.first) != 0
                   && !model_any(&r.first));

        for (j = 0; j < n; j++) {
            unsigned  k;

            for (k = 0; k < RS_IP_V6 - 1
                        && out[j].first.b[k] == out[j].last.b[k]; k++) { }

            bad += out[j].first.b[k] > out[j].last.b[k];

            for (k++; k < RS_IP_V6; k++) {
                bad += out[j].first.b[k] != 0 || out[j].last.b[k] != 0xff;
            }
        }
    }

    is_int(bad, 0, "200,000 ranges in pieces");
    ok(most > 20 && most <= RS_TURN_PEER_PIECES_MAX, "at most %u", most);
}


int
main(void)
{
    closed();
    open_and_lan();
    refused();
    largest();
    pieces();

    return tap_done();
}
