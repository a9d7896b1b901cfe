
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rules of targets, and what no rule opens.
 */


#include "rs_target.h"

#include <string.h>


#define RS_TARGET_LABEL_MAX  63


typedef struct {
    uint8_t          len;
    uint8_t          bits;
    uint8_t          b[RS_IP_V6];
} rs_target_net_t;


static int rs_target_name(rs_str_t s);
static int rs_target_ports(rs_str_t s, rs_target_rule_t *rule);
static int rs_target_split(rs_str_t s, rs_str_t *host, rs_str_t *ports);
static int rs_target_named(const rs_target_rule_t *rule, rs_str_t name);
static int rs_target_within(const rs_ip_t *ip, const rs_target_net_t *net);
static int rs_target_any(const rs_ip_t *ip, const rs_target_net_t *nets,
    size_t n);


#define NET4(a, b, c, d, bits)  { RS_IP_V4, bits, { a, b, c, d } }
#define NET6(bits, ...)         { RS_IP_V6, bits, { __VA_ARGS__ } }


/*
 * "This" network, link-local with the metadata of clouds, theirs elsewhere,
 * protocol assignments, multicast, reserved and broadcast.  Of IPv6, too; and
 * what has an IPv4 address in it of which nobody says who unwraps it:
 * IPv4-compatible, local NAT64 (RFC 8215), Teredo, 6to4.
 */

static const rs_target_net_t  rs_target_never[] = {
    NET4(0, 0, 0, 0, 8),
    NET4(100, 100, 100, 200, 32),
    NET4(168, 63, 129, 16, 32),
    NET4(169, 254, 0, 0, 16),
    NET4(192, 0, 0, 0, 24),
    NET4(224, 0, 0, 0, 4),
    NET4(240, 0, 0, 0, 4),
    NET6(128, 0),
    NET6(10, 0xfe, 0x80),
    NET6(8, 0xff),
    NET6(128, 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
    NET6(128, 0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
    NET6(128, 0xfd, 0, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xfe, 0xa9, 0xfe),
    NET6(48, 0, 0x64, 0xff, 0x9b, 0, 1),
    NET6(32, 0x20, 0x01, 0, 0),
    NET6(16, 0x20, 0x02)
};

static const rs_target_net_t  rs_target_compatible = NET6(96, 0);

static const rs_target_net_t  rs_target_loopback[] = {
    NET4(127, 0, 0, 0, 8),
    NET6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
};

/* RFC 4291, 2.5.5.2; RFC 6052, 2.1: the last four bytes are the address */

static const rs_target_net_t  rs_target_wrapped[] = {
    NET6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    NET6(96, 0, 0x64, 0xff, 0x9b)
};

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


/*
 * Letters, digits, hyphens and underscores between dots.  The last label is
 * no number, for inet_aton() takes 127.1 and 0x7f.1.
 */

static int
rs_target_name(rs_str_t s)
{
    size_t   i, label, digits;
    uint8_t  c;

    if (s.len == 0 || s.len > RS_TARGET_NAME_MAX) {
        return 0;
    }

    label = 0;
    digits = 0;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == '.') {
            if (i == label) {
                return 0;
            }

            label = i + 1;
            digits = 0;
            continue;
        }

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a'
                                            || (c | 0x20) > 'z')
                   && c != '-' && c != '_')
        {
            return 0;
        }

        if (i - label == RS_TARGET_LABEL_MAX) {
            return 0;
        }

        digits += (c >= '0' && c <= '9');
    }

    if (label == s.len || digits == s.len - label) {
        return 0;
    }

    return s.data[label] != '0' || (s.data[label + 1] | 0x20) != 'x';
}


static int
rs_target_ports(rs_str_t s, rs_target_rule_t *rule)
{
    int        range;
    uint64_t   first, last;
    rs_str_t   head, tail, protocol;

    rule->udp = 0;

    if (rs_str_split(s, '/', &s, &protocol)) {
        if (rs_str_eq(protocol, RS_STR("udp"))) {
            rule->udp = 1;

        } else if (!rs_str_eq(protocol, RS_STR("tcp"))) {
            return 0;
        }
    }

    range = rs_str_split(s, '-', &head, &tail);

    if (!rs_u64_parse(head, 65535, &first) || first == 0) {
        return 0;
    }

    last = first;

    if (range && (!rs_u64_parse(tail, 65535, &last) || last < first)) {
        return 0;
    }

    rule->first = (unsigned) first;
    rule->last = (unsigned) last;

    return 1;
}


/* HOST:PORTS, [HOST]:PORTS */

static int
rs_target_split(rs_str_t s, rs_str_t *host, rs_str_t *ports)
{
    rs_str_t  rest;

    if (s.len == 0 || s.data[0] != '[') {
        return rs_str_split(s, ':', host, ports);
    }

    s.data++;
    s.len--;

    if (!rs_str_split(s, ']', host, &rest) || rest.len == 0
        || rest.data[0] != ':')
    {
        return 0;
    }

    ports->data = rest.data + 1;
    ports->len = rest.len - 1;

    return 1;
}


rs_err_e
rs_target_rule_parse(rs_str_t s, rs_target_rule_t *rule)
{
    int       v6;
    rs_str_t  host, ports;

    memset(rule, 0, sizeof(*rule));

    if (!rs_target_split(s, &host, &ports) || !rs_target_ports(ports, rule))
    {
        return RS_E_INVALID_VALUE;
    }

    v6 = s.data[0] == '[';

    /* a range with "-" is one of addresses elsewhere; here it is for ports */

    if (memchr(host.data, '-', host.len) == NULL
        && rs_ip_range_parse(host, &rule->range) == RS_OK)
    {
        return v6 == (rule->range.first.len == RS_IP_V6)
               ? RS_OK : RS_E_INVALID_VALUE;
    }

    if (v6) {
        return RS_E_INVALID_VALUE;
    }

    if (rs_str_starts(host, RS_STR("*."))) {
        rule->below = 1;
        host.data += 2;
        host.len -= 2;
    }

    rule->name = host;

    return rs_target_name(host) ? RS_OK : RS_E_INVALID_VALUE;
}


rs_err_e
rs_target_parse(rs_str_t host, unsigned port, unsigned udp,
    rs_target_t *target)
{
    int  v6;

    memset(target, 0, sizeof(*target));

    if (port == 0 || port > 65535) {
        return RS_E_INVALID_VALUE;
    }

    target->port = port;
    target->udp = (udp != 0);
    v6 = host.len > 2 && host.data[0] == '['
         && host.data[host.len - 1] == ']';

    if (v6) {
        host.data++;
        host.len -= 2;
    }

    if (rs_ip_parse(host, &target->ip) == RS_OK) {
        return (v6 && target->ip.len != RS_IP_V6) ? RS_E_INVALID_VALUE
                                                  : RS_OK;
    }

    /* of a fully qualified name the last dot says nothing more */

    if (host.len && host.data[host.len - 1] == '.') {
        host.len--;
    }

    target->name = host;

    return (!v6 && rs_target_name(host)) ? RS_OK : RS_E_INVALID_VALUE;
}


static int
rs_target_named(const rs_target_rule_t *rule, rs_str_t name)
{
    rs_str_t  end;

    if (rule->name.len == 0) {
        return 0;
    }

    if (!rule->below) {
        return rs_str_eq_ci(rule->name, name);
    }

    if (name.len < rule->name.len + 2) {
        return 0;
    }

    end.data = name.data + (name.len - rule->name.len);
    end.len = rule->name.len;

    return end.data[-1] == '.' && rs_str_eq_ci(rule->name, end);
}


static int
rs_target_within(const rs_ip_t *ip, const rs_target_net_t *net)
{
    unsigned  whole, rest;

    whole = net->bits / 8;
    rest = net->bits % 8;

    return ip->len == net->len && memcmp(ip->b, net->b, whole) == 0
           && (rest == 0
               || (ip->b[whole] ^ net->b[whole]) >> (8 - rest) == 0);
}


static int
rs_target_any(const rs_ip_t *ip, const rs_target_net_t *nets, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rs_target_within(ip, &nets[i])) {
            return 1;
        }
    }

    return 0;
}


void
rs_target_unwrap(const rs_ip_t *ip, rs_ip_t *inner)
{
    *inner = *ip;

    if (rs_target_any(ip, rs_target_wrapped, COUNT(rs_target_wrapped))) {
        memset(inner, 0, sizeof(*inner));
        inner->len = RS_IP_V4;
        memcpy(inner->b, ip->b + RS_IP_V6 - RS_IP_V4, RS_IP_V4);
    }
}


int
rs_target_hopeful(const rs_target_rule_t *rules, size_t n,
    const rs_target_t *target)
{
    size_t  i;

    if (target->name.len == 0) {
        return rs_target_check(rules, n, target, &target->ip, 0)
               == RS_TARGET_ALLOWED;
    }

    for (i = 0; i < n; i++) {
        if (rules[i].udp == target->udp && target->port >= rules[i].first
            && target->port <= rules[i].last
            && (rules[i].name.len == 0
                || rs_target_named(&rules[i], target->name)))
        {
            return 1;
        }
    }

    return 0;
}


rs_target_e
rs_target_check(const rs_target_rule_t *rules, size_t n,
    const rs_target_t *target, const rs_ip_t *found, int own)
{
    size_t                   i;
    rs_ip_t                  ip;
    rs_target_e              verdict;
    const rs_target_rule_t  *rule;

    rs_target_unwrap(found, &ip);
    own = own || rs_target_any(&ip, rs_target_loopback,
                               COUNT(rs_target_loopback));

    if (target->port == 0
        || rs_target_any(&ip, rs_target_never, COUNT(rs_target_never))
        || (!own && rs_target_within(&ip, &rs_target_compatible)))
    {
        return RS_TARGET_NEVER;
    }

    verdict = RS_TARGET_UNLISTED;

    for (i = 0; i < n; i++) {
        rule = &rules[i];

        if (rule->udp != target->udp || target->port < rule->first
            || target->port > rule->last)
        {
            continue;
        }

        if (rule->name.len == 0) {
            if (rule->range.first.len == ip.len
                && rs_ip_cmp(&rule->range.first, &ip) <= 0
                && rs_ip_cmp(&ip, &rule->range.last) <= 0)
            {
                return RS_TARGET_ALLOWED;
            }

        } else if (target->name.len != 0
                   && rs_target_named(rule, target->name))
        {
            if (!own) {
                return RS_TARGET_ALLOWED;
            }

            verdict = RS_TARGET_SELF;
        }
    }

    return verdict;
}


const char *
rs_target_why(rs_target_e verdict)
{
    static const char *const  why[] = {
        "is allowed",
        "is not listed in [tunnels] allow of agent.conf",
        "is never allowed, whatever agent.conf says",
        "is this device itself, which a name cannot open: list its address"
    };

    return why[verdict];
}
