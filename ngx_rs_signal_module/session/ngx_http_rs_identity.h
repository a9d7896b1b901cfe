
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fleet's identity: read at configuration time, proven in challenges.
 */


#ifndef _NGX_HTTP_RS_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_RS_IDENTITY_H_INCLUDED_


#include "rs_identity.h"


/* room for `identity` of a challenge */
#define NGX_HTTP_RS_IDENTITY_MAX                                             \
    (RS_IDENTITY_JSON_MAX * (RS_IDENTITY_STATEMENTS_MAX + 1))


typedef struct {
    ngx_str_t                   file;          /* empty: there is none */
    ngx_str_t                   statements;

    rs_identity_offer_t        *offer;         /* NULL: as above; without a
                                                  signature */
    ngx_str_t                   key;           /* public, base64url */
    u_char                      seed[RS_ED25519_KEY_LEN];
} ngx_http_rs_identity_t;


/* reads both files; what is wrong with them is logged */
char *ngx_http_rs_identity_init(ngx_conf_t *cf, ngx_http_rs_identity_t *id);

/*
 * Appends `identity` as it answers the device's nonce.  NGX_OK; NGX_ERROR:
 * OpenSSL or the room
 */
ngx_int_t ngx_http_rs_identity_prove(ngx_http_rs_identity_t *id, rs_buf_t *b,
    rs_str_t host, rs_str_t device_nonce, const u_char *nonce);


#endif /* _NGX_HTTP_RS_IDENTITY_H_INCLUDED_ */
