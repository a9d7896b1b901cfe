
/*
 * Copyright (C) rs-gateway contributors
 *
 * host[:port].
 */


#include "rs_host.h"


#define RS_HOST_NAME_MAX   253
#define RS_HOST_LABEL_MAX  63


static int rs_host_ipv4(rs_str_t s);
static int rs_host_ipv6(rs_str_t s);
static int rs_host_group(rs_str_t s);
static int rs_host_name(rs_str_t s);


static int
rs_host_ipv4(rs_str_t s)
{
    unsigned  i;
    uint64_t  v;
    rs_str_t  part;

    for (i = 0; i < 4; i++) {
        if (rs_str_split(s, '.', &part, &s) != (i < 3)
            || !rs_u64_parse(part, 255, &v))
        {
            return 0;
        }
    }

    return 1;
}


/* one to four hex digits */

static int
rs_host_group(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < s.len; i++) {
        c = (uint8_t) (s.data[i] | 0x20);

        if ((s.data[i] < '0' || s.data[i] > '9') && (c < 'a' || c > 'f')) {
            return 0;
        }
    }

    return s.len >= 1 && s.len <= 4;
}


/* RFC 4291, 2.2; an empty group is the "::", which may stand once */

static int
rs_host_ipv6(rs_str_t s)
{
    int       more;
    unsigned  n, gaps;
    rs_str_t  part;

    n = 0;
    gaps = 0;

    if (s.len < 2) {
        return 0;
    }

    if (s.data[0] == ':') {
        if (s.data[1] != ':') {
            return 0;
        }

        s.data += 1;
        s.len -= 1;
    }

    do {
        more = rs_str_split(s, ':', &part, &s);

        if (part.len == 0) {

            if (++gaps > 1) {
                return 0;
            }

            /* "::" at the end: nothing follows its second colon */

            if (more && s.len == 0) {
                break;
            }

            if (!more) {
                return 0;
            }

        } else if (!more && rs_host_ipv4(part)) {
            n += 2;

        } else if (rs_host_group(part)) {
            n++;

        } else {
            return 0;
        }

    } while (more && n <= 8);

    return gaps ? n < 8 : n == 8;
}


static int
rs_host_name(rs_str_t s)
{
    int       more, numeric;
    size_t    i;
    uint8_t   c;
    rs_str_t  label, rest;

    if (s.len == 0 || s.len > RS_HOST_NAME_MAX) {
        return 0;
    }

    rest = s;

    do {
        more = rs_str_split(rest, '.', &label, &rest);
        numeric = 1;

        if (label.len == 0 || label.len > RS_HOST_LABEL_MAX
            || label.data[0] == '-' || label.data[label.len - 1] == '-')
        {
            return 0;
        }

        for (i = 0; i < label.len; i++) {
            c = label.data[i];

            if (c >= '0' && c <= '9') {
                continue;
            }

            numeric = 0;

            if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
                && c != '-' && c != '_')
            {
                return 0;
            }
        }

    } while (more);

    /* what ends in a number is an IPv4 address or nothing */

    return !numeric || rs_host_ipv4(s);
}


rs_err_e
rs_host_parse(rs_str_t s, rs_host_t *h)
{
    int       colon;
    uint64_t  port;
    rs_str_t  inside, after, rest;

    h->host = s;
    h->port = 0;

    if (s.len && s.data[0] == '[') {
        inside.data = s.data + 1;
        inside.len = s.len - 1;

        if (!rs_str_split(inside, ']', &inside, &after)
            || !rs_host_ipv6(inside)
            || (after.len && after.data[0] != ':'))
        {
            return RS_E_INVALID_VALUE;
        }

        h->host.len = inside.len + 2;
        colon = after.len != 0;
        rest.data = after.data + colon;
        rest.len = after.len - (size_t) colon;

    } else {
        colon = rs_str_split(s, ':', &h->host, &rest);

        if (!rs_host_name(h->host)) {
            return RS_E_INVALID_VALUE;
        }
    }

    if (!colon) {
        return RS_OK;
    }

    if (!rs_u64_parse(rest, 65535, &port) || port == 0) {
        return RS_E_INVALID_VALUE;
    }

    h->port = (unsigned) port;

    return RS_OK;
}
