
/*
 * Copyright (C) rs-gateway contributors
 *
 * SOCKS 5, the server's side.
 */


#include "rs_socks.h"

#include <string.h>


#define RS_SOCKS_VERSION     5

#define RS_SOCKS_NO_AUTH     0x00
#define RS_SOCKS_NO_METHOD   0xff

/* RFC 1928, 5 */

#define RS_SOCKS_IPV4        1
#define RS_SOCKS_NAME        3
#define RS_SOCKS_IPV6        4


static size_t rs_socks_address(rs_str_t s, rs_socks_request_t *request);


/* RFC 1928, 3 */

rs_err_e
rs_socks_greeting(rs_str_t s, size_t *used, int *none)
{
    size_t  n;

    if (s.len >= 1 && s.data[0] != RS_SOCKS_VERSION) {
        return RS_E_INVALID_VALUE;
    }

    if (s.len < 2) {
        return RS_AGAIN;
    }

    n = s.data[1];

    if (s.len < 2 + n) {
        return RS_AGAIN;
    }

    *none = n != 0 && memchr(s.data + 2, RS_SOCKS_NO_AUTH, n) != NULL;
    *used = 2 + n;

    return RS_OK;
}


/* RFC 1928, 4 */

rs_err_e
rs_socks_request(rs_str_t s, size_t *used, rs_socks_request_t *request)
{
    size_t  n;

    memset(request, 0, sizeof(*request));

    if ((s.len >= 1 && s.data[0] != RS_SOCKS_VERSION)
        || (s.len >= 3 && s.data[2] != 0))
    {
        return RS_E_INVALID_VALUE;
    }

    /* with one byte of the address, which is the length of a name */

    if (s.len < 5) {
        return RS_AGAIN;
    }

    request->command = s.data[1];
    n = rs_socks_address(s, request);

    if (n == 0) {
        *used = s.len;
        return RS_OK;
    }

    if (s.len < n + 2) {
        return RS_AGAIN;
    }

    if (request->len == 0) {
        return RS_E_INVALID_VALUE;
    }

    request->known = 1;
    request->port = (unsigned) s.data[n] << 8 | s.data[n + 1];
    *used = n + 2;

    return RS_OK;
}


/* bytes before the port, whether they are there or not; 0: none of these */

static size_t
rs_socks_address(rs_str_t s, rs_socks_request_t *request)
{
    size_t   n;
    rs_ip_t  ip;

    memset(&ip, 0, sizeof(ip));

    switch (s.data[3]) {

    case RS_SOCKS_IPV4:
        ip.len = RS_IP_V4;
        break;

    case RS_SOCKS_IPV6:
        ip.len = RS_IP_V6;
        break;

    case RS_SOCKS_NAME:
        n = s.data[4];

        if (s.len >= 5 + n) {
            request->len = n;
            memcpy(request->host, s.data + 5, n);
        }

        return 5 + n;

    default:
        return 0;
    }

    if (s.len >= 4u + ip.len) {
        memcpy(ip.b, s.data + 4, ip.len);
        request->len = rs_ip_format(&ip, request->host);
    }

    return 4u + ip.len;
}


void
rs_socks_method(uint8_t dst[RS_SOCKS_METHOD_LEN], int none)
{
    dst[0] = RS_SOCKS_VERSION;
    dst[1] = none ? RS_SOCKS_NO_AUTH : RS_SOCKS_NO_METHOD;
}


/* RFC 1928, 6 */

void
rs_socks_reply(uint8_t dst[RS_SOCKS_REPLY_LEN], rs_socks_reply_e reply)
{
    memset(dst, 0, RS_SOCKS_REPLY_LEN);

    dst[0] = RS_SOCKS_VERSION;
    dst[1] = (uint8_t) reply;
    dst[3] = RS_SOCKS_IPV4;
}
