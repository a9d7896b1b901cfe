
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers as JSON (RTCConfiguration of the WebRTC specification), and the
 * URLs they are made of (RFC 7064, 7065).
 */


#ifndef _RS_ICE_H_INCLUDED_
#define _RS_ICE_H_INCLUDED_


#include "rs_str.h"
#include "rs_turn_cred.h"


typedef struct {
    rs_str_t         region;
    const rs_str_t  *urls;
    size_t           n;
} rs_ice_turn_t;


typedef struct {
    const rs_str_t       *stun;
    size_t                nstun;
    const rs_ice_turn_t  *turn;
    size_t                nturn;
    rs_str_t              region;      /* the caller's; its servers first */
    rs_str_t              username;
    rs_str_t              password;
    unsigned              relay_only;
    uint64_t              ttl_s;
} rs_ice_t;


/* stun: or stuns: host [ :port ]; RS_E_INVALID_VALUE */
rs_err_e rs_ice_check_stun_url(rs_str_t url);
/* turn: or turns: host [ :port ] [ ?transport=udp|tcp ]; not turns over udp */
rs_err_e rs_ice_check_turn_url(rs_str_t url);

/*
 * {"iceServers":[…],"iceTransportPolicy":"all"|"relay","ttl_s":N}.  One entry
 * for STUN, one for each TURN region: the caller's own first, then in order.
 */
void rs_ice_json(rs_buf_t *b, const rs_ice_t *ice);

/* bytes that are enough for rs_ice_json */
size_t rs_ice_json_size(const rs_ice_t *ice);

/* the order rs_ice_json uses: index of the i-th TURN entry */
size_t rs_ice_turn_order(const rs_ice_t *ice, size_t i);


#endif /* _RS_ICE_H_INCLUDED_ */
