
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 4.2: the values of a client's handshake; and the Origin (RFC
 * 6454) of the page that opens it.
 */


#ifndef _RS_WS_HANDSHAKE_H_INCLUDED_
#define _RS_WS_HANDSHAKE_H_INCLUDED_


#include "rs_err.h"


#define RS_WS_KEY_LEN          24      /* base64 of 16 bytes */
#define RS_WS_ACCEPT_LEN       28      /* base64 of a SHA-1 */


/* 1: the comma separated list (RFC 9110, 5.6.1) has token, any case */
int rs_ws_has_token(rs_str_t list, rs_str_t token);

/* 4.2.1, item 5: base64 of exactly 16 bytes.  RS_OK or RS_E_BAD_HANDSHAKE */
rs_err_e rs_ws_key_check(rs_str_t key);
/* 4.2.1, item 6: "13".  RS_OK or RS_E_UPGRADE_REQUIRED */
rs_err_e rs_ws_version_check(rs_str_t version);

/*
 * 4.2.2, item 5.4; dst: RS_WS_ACCEPT_LEN, no NUL.  RS_OK or RS_E_INTERNAL
 * (OpenSSL has no memory).
 */
rs_err_e rs_ws_accept(rs_str_t key, char *dst);


typedef enum {
    RS_WS_CRED_NONE = 0,
    RS_WS_CRED_TICKET,
    RS_WS_CRED_RESUME
} rs_ws_cred_e;


/* which leg of a pipe: "rs.side.client", "rs.side.host" */

typedef enum {
    RS_WS_SIDE_NONE = 0,
    RS_WS_SIDE_CLIENT,
    RS_WS_SIDE_HOST
} rs_ws_side_e;


/* set all to zero, then feed each Sec-WebSocket-Protocol value in order */

typedef struct {
    int             rs_v1;            /* 1: "rs.v1" was offered */
    rs_ws_cred_e    kind;
    rs_str_t        credential;       /* after "rs.ticket." or "rs.resume." */
    rs_str_t        nonce;            /* after "rs.nonce.", of a device */
    rs_ws_side_e    side;             /* "rs.side.", of a leg of a pipe */
    unsigned        n;                /* entries seen */
} rs_ws_protocols_t;


/* "client", "host", else RS_WS_SIDE_NONE; and back */
rs_ws_side_e rs_ws_side(rs_str_t name);
const char *rs_ws_side_name(rs_ws_side_e side);


#define RS_WS_PROTOCOLS_MAX    16

/*
 * 11.3.4.  One header value; entries that are not ours are ignored.
 * RS_E_BAD_HANDSHAKE: an entry is no token, "rs.v1", a credential, a nonce or
 * a side comes twice or the side is none, more than RS_WS_PROTOCOLS_MAX
 * entries.  The caller checks rs_v1 at the end.  credential and nonce point
 * into value.
 */
rs_err_e rs_ws_protocols(rs_str_t value, rs_ws_protocols_t *p);


/*
 * scheme://host[:port] and nothing after it, as a browser sends it; host may
 * be a name, IPv4, or IPv6 in brackets.  RS_OK or RS_E_INVALID_VALUE.  Any
 * scheme with a host is allowed (browser extensions); "null" is not.
 */
rs_err_e rs_ws_origin_check(rs_str_t origin);

/*
 * 1: origin is well formed and equals one of list, scheme and host in any
 * case, a default port (http 80, https 443) as good as none.  "null" matches
 * nothing.
 */
int rs_ws_origin_match(rs_str_t origin, const rs_str_t *list, size_t n);

/* 1: origin is that of a request made to scheme and authority (its Host) */
int rs_ws_origin_same(rs_str_t origin, rs_str_t scheme, rs_str_t authority);


#endif /* _RS_WS_HANDSHAKE_H_INCLUDED_ */
