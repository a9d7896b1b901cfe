
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers as an RTCConfiguration's JSON, and the syntax of STUN and TURN
 * URLs (RFC 7064, RFC 7065).
 */


#ifndef _RS_ICE_H_INCLUDED_
#define _RS_ICE_H_INCLUDED_


#include "rs_turn_key.h"


#define RS_ICE_URL_MAX         512


/*
 * RS_OK or RS_E_INVALID_VALUE.  stun:host[:port] or stuns:host[:port];
 * turn:host[:port][?transport=udp|tcp], turns:host[:port][?transport=tcp].
 * Lower case scheme, host is a name, IPv4 or [IPv6], port 1 to 65535.
 */
rs_err_e rs_ice_check_stun_url(rs_str_t url);
rs_err_e rs_ice_check_turn_url(rs_str_t url);


typedef struct {
    rs_str_t         region;
    const rs_str_t  *urls;
    size_t           n;
} rs_ice_turn_t;


typedef struct {
    const rs_str_t       *stun;       /* in the order of the configuration */
    size_t                nstun;
    const rs_ice_turn_t  *turn;
    size_t                nturn;

    rs_str_t              region;     /* the caller's; empty: none */
    int                   relay_only;

    /* without secret and key no TURN server is given */

    rs_str_t              secret;
    const rs_turn_key_t  *key;        /* instead of secret; or NULL */
    rs_str_t              realm;      /* with key */
    rs_turn_user_t        user;       /* expires_at = now + ttl */
    uint64_t              ttl_s;
} rs_ice_t;


/*
 * Appends {"iceServers":[...],"iceTransportPolicy":"all"|"relay","ttl_s":n}:
 * STUN first, then the TURN entries of the caller's region, then the others,
 * each group in the order of the configuration and with its region; without a
 * secret or without URLs an entry is left out.  Check b->overflow.
 * As rs_ice_credential().
 */
rs_err_e rs_ice_write(rs_buf_t *b, const rs_ice_t *ice);

/*
 * The credential; username: RS_TURN_USERNAME_MAX, password:
 * RS_TURN_PASSWORD_LEN, no NUL.  *len is the length of the name, 0 without
 * secret and key.  RS_OK; RS_E_INVALID_VALUE: a part of user is not well
 * formed; RS_E_NOT_FOUND: no key is for that day; RS_E_INTERNAL: OpenSSL
 * failed.
 */
rs_err_e rs_ice_credential(const rs_ice_t *ice, char *username, size_t *len,
    char *password);

/* a size that is enough for rs_ice_write(), in bytes */
size_t rs_ice_size(const rs_ice_t *ice);

/*
 * Index into ice->turn of the i-th entry in the order above, for those who
 * write another form (GET /turn); i < nturn.
 */
size_t rs_ice_order(const rs_ice_t *ice, size_t i);


#endif /* _RS_ICE_H_INCLUDED_ */
