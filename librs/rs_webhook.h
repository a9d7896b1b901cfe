
/*
 * Copyright (C) rs-gateway contributors
 *
 * Webhooks: the types of events they may ask for, where they may be, and the
 * secret that signs what is sent (Standard Webhooks):
 *
 *     "whsec_" base64(HMAC-SHA256(key, "rs-webhook" NUL tenant NUL id NUL n))
 *
 * The key is a file of the gateways and of rs-eventd, n counts the secrets
 * that this webhook has had.  So no store keeps a secret.
 */


#ifndef _RS_WEBHOOK_H_INCLUDED_
#define _RS_WEBHOOK_H_INCLUDED_


#include "rs_id.h"


#define RS_WEBHOOK_SECRET_LEN  50      /* no NUL */
#define RS_WEBHOOK_KEY_MIN     32      /* characters */
#define RS_WEBHOOK_URL_MAX     1024
#define RS_WEBHOOK_TYPES_MAX   512     /* all of them, blanks between */


/* names, NULL after the last one */
extern const char *const  rs_event_types[];


/* RS_OK, RS_E_INVALID_VALUE (a short key) or RS_E_INTERNAL (OpenSSL failed) */
rs_err_e rs_webhook_secret(char *dst, rs_str_t key, rs_str_t tenant,
    rs_str_t id, uint64_t n);

/*
 * RS_OK or RS_E_INVALID_VALUE: http:// or https://, a host, no user, no
 * fragment, only what RFC 3986 allows.  Whether it may be called is the
 * daemon's to say, when it knows the address.
 */
rs_err_e rs_webhook_url_check(rs_str_t url);

/* the index of a type; -1: there is none of that name */
int rs_event_type(rs_str_t name);


#endif /* _RS_WEBHOOK_H_INCLUDED_ */
