
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 4.2: what a server checks in an opening handshake.
 */


#ifndef _RS_WS_HANDSHAKE_H_INCLUDED_
#define _RS_WS_HANDSHAKE_H_INCLUDED_


#include "rs_str.h"


#define RS_WS_ACCEPT_LEN  28

typedef enum {
    RS_WS_CRED_NONE = 0,
    RS_WS_CRED_TICKET,
    RS_WS_CRED_RESUME,
    RS_WS_CRED_MANY            /* more than one entry */
} rs_ws_cred_e;

/* zero before the first header line */

typedef struct {
    unsigned      rs_v1;       /* "rs.v1" was offered */
    rs_ws_cred_e  cred;
    rs_str_t      value;       /* after "rs.ticket." or "rs.resume." */
} rs_ws_protocols_t;


/* 4.2.1, 5: base64 of 16 bytes; RS_E_BAD_HANDSHAKE */
rs_err_e rs_ws_key_check(rs_str_t key);
/* 4.2.2, 5.4: Sec-WebSocket-Accept, RS_WS_ACCEPT_LEN bytes, no NUL */
void rs_ws_accept(rs_str_t key, char *out);

/*
 * One Sec-WebSocket-Protocol line (RFC 9110 list of tokens), may be called
 * for several; RS_E_BAD_HANDSHAKE for what is no token.
 */
rs_err_e rs_ws_protocols(rs_str_t line, rs_ws_protocols_t *p);

/* token without case in a comma separated list (Connection, Upgrade) */
int rs_ws_list_has(rs_str_t list, const char *token);

/* scheme://host[:port] and nothing else; RS_E_INVALID_VALUE */
rs_err_e rs_ws_origin_check(rs_str_t origin);
/*
 * RFC 6454: the same scheme, host and port; letters of scheme and host
 * without case, a scheme's default port may be left out.
 */
int rs_ws_origin_match(rs_str_t a, rs_str_t b);


#endif /* _RS_WS_HANDSHAKE_H_INCLUDED_ */
