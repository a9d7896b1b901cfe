
/*
 * Copyright (C) rs-gateway contributors
 *
 * A TURN client with one allocation.
 */


#ifndef _TC_TURN_H_INCLUDED_
#define _TC_TURN_H_INCLUDED_


#include "tc_io.h"


#define TC_TURN_PEERS_MAX   4         /* in one CreatePermission */


typedef struct tc_turn_s  tc_turn_t;

/* e NULL: success.  Called once, unless the client is freed before. */
typedef void (*tc_turn_done_pt)(void *data, const tc_error_t *e);


/*
 * None is called before tc_turn_open() has returned or after tc_turn_free();
 * failed() is the last one: no connection, no allocation, or it was lost.
 */

typedef struct {
    void (*allocated)(void *ctx);
    void (*data)(void *ctx, unsigned channel, rs_str_t data);
    void (*failed)(void *ctx, const tc_error_t *e);
} tc_turn_ops_t;


/*
 * Connects and allocates; from then on the allocation is refreshed.  NULL:
 * *e says why.  cred stays the caller's, and stays.
 */
tc_turn_t *tc_turn_open(tc_env_t *env, const tc_server_t *server,
    const tc_cred_t *cred, unsigned relay_family, const tc_turn_ops_t *ops,
    void *ctx, tc_error_t *e);

/* leaves the allocation to the server if it was not released */
void tc_turn_free(tc_turn_t *t);

/* requests; 1, or 0: no memory, done is not called */
int tc_turn_permit(tc_turn_t *t, const rs_stun_addr_t *peers, unsigned n,
    tc_turn_done_pt done, void *data);
int tc_turn_bind(tc_turn_t *t, unsigned channel, const rs_stun_addr_t *peer,
    tc_turn_done_pt done, void *data);
int tc_turn_release(tc_turn_t *t, tc_turn_done_pt done, void *data);

/* 1: on its way; 0: there is no room for it */
int tc_turn_send(tc_turn_t *t, unsigned channel, rs_str_t data);

/* after allocated() */
const rs_stun_addr_t *tc_turn_relayed(const tc_turn_t *t);
const rs_stun_addr_t *tc_turn_mapped(const tc_turn_t *t);

uint64_t tc_turn_connect_us(const tc_turn_t *t);    /* 0: not yet */
uint64_t tc_turn_allocate_us(const tc_turn_t *t);   /* connect included */
rs_str_t tc_turn_realm(const tc_turn_t *t);         /* empty: not told */
const tc_cert_t *tc_turn_cert(const tc_turn_t *t);


#endif /* _TC_TURN_H_INCLUDED_ */
