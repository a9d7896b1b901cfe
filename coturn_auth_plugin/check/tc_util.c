
/*
 * Copyright (C) rs-gateway contributors
 *
 * Errors and addresses as text.
 */


#include "tc.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>


void
tc_error_set(tc_error_t *e, const char *step, unsigned code, rs_str_t text)
{
    size_t  i;

    if (e->step != NULL) {
        return;
    }

    e->step = step;
    e->code = code;

    for (i = 0; i < text.len && i < sizeof(e->text) - 1; i++) {
        e->text[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f
                     ? (char) text.data[i] : '?';
    }

    e->text[i] = '\0';
}


void
tc_error_text(tc_error_t *e, const char *step, const char *fmt, ...)
{
    char     text[TC_TEXT_MAX];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    tc_error_set(e, step, 0, rs_str(text));
}


const char *
tc_addr_text(char *dst, const rs_stun_addr_t *a)
{
    char  ip[INET6_ADDRSTRLEN];
    int   v4;

    v4 = a->family == RS_STUN_FAMILY_IPV4;

    if (inet_ntop(v4 ? AF_INET : AF_INET6, a->ip, ip, sizeof(ip)) == NULL) {
        ip[0] = '\0';
    }

    (void) snprintf(dst, TC_ADDR_TEXT, v4 ? "%s:%u" : "[%s]:%u", ip,
                    (unsigned) a->port);
    return dst;
}


int
tc_addr_parse(rs_stun_addr_t *a, const char *text)
{
    memset(a, 0, sizeof(rs_stun_addr_t));

    if (inet_pton(AF_INET, text, a->ip) == 1) {
        a->family = RS_STUN_FAMILY_IPV4;
        return 1;
    }

    if (inet_pton(AF_INET6, text, a->ip) == 1) {
        a->family = RS_STUN_FAMILY_IPV6;
        return 1;
    }

    return 0;
}


/* port and all */

int
tc_addr_eq(const rs_stun_addr_t *a, const rs_stun_addr_t *b)
{
    return a->family == b->family
           && a->port == b->port
           && memcmp(a->ip, b->ip,
                     a->family == RS_STUN_FAMILY_IPV4 ? 4 : 16) == 0;
}


void
tc_addr_of(rs_stun_addr_t *a, const struct sockaddr_storage *ss)
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    memset(a, 0, sizeof(rs_stun_addr_t));

    if (ss->ss_family == AF_INET) {
        sin = (const struct sockaddr_in *) ss;
        a->family = RS_STUN_FAMILY_IPV4;
        a->port = ntohs(sin->sin_port);
        memcpy(a->ip, &sin->sin_addr, 4);

    } else if (ss->ss_family == AF_INET6) {
        sin6 = (const struct sockaddr_in6 *) ss;
        a->family = RS_STUN_FAMILY_IPV6;
        a->port = ntohs(sin6->sin6_port);
        memcpy(a->ip, &sin6->sin6_addr, 16);
    }
}


const char *
tc_transport_name(tc_transport_e transport)
{
    static const char *const  names[] = { "udp", "tcp", "tls" };

    return names[transport];
}
