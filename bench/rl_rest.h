
/*
 * Copyright (C) rs-gateway contributors
 *
 * REST calls over a few connections kept alive.  What is asked for waits in
 * line; a call that met a broken connection, 429 or 503 is made again, after
 * Retry-After and with jitter, with the same Idempotency-Key.
 */


#ifndef _RL_REST_H_INCLUDED_
#define _RL_REST_H_INCLUDED_


#include <jansson.h>

#include "rl_conn.h"


#define RL_REST_CONNS          16
#define RL_REST_TRIES          20
#define RL_REST_BODY_MAX       (1024 * 1024)
#define RL_REST_TIMEOUT        (10 * RL_SEC)


typedef struct rl_rest_s  rl_rest_t;

/*
 * Runs once for each call.  status 0: no answer after all tries, why says
 * what the last one met.  body: of the answer, NULL if none or no JSON;
 * borrowed.
 */
typedef void (*rl_rest_pt)(void *data, unsigned status, const json_t *body,
    const char *why);


/* key: the API key, kept by the caller; NULL: no memory */
rl_rest_t *rl_rest_create(rl_net_t *net, const char *key, unsigned conns);
/* no handler runs any more */
void rl_rest_destroy(rl_rest_t *rest);

/*
 * body is taken over (json_decref()) and may be NULL.  0, or -1: no memory,
 * the handler does not run.
 */
int rl_rest_call(rl_rest_t *rest, const char *method, const char *path,
    json_t *body, rl_rest_pt handler, void *data);

/* calls not answered yet; calls that were made again */
size_t rl_rest_pending(const rl_rest_t *rest);
uint64_t rl_rest_retries(const rl_rest_t *rest);
/* what a call that is made again met last; "" none */
const char *rl_rest_trouble(const rl_rest_t *rest);


#endif /* _RL_REST_H_INCLUDED_ */
