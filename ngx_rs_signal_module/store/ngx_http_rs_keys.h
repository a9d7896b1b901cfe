
/*
 * Copyright (C) rs-gateway contributors
 *
 * Public keys of issuers, shared by the workers of a node: the bytes of the
 * last good set, a generation that tells workers to read them again, and who
 * may fetch a newer one and when.  Only what may be lost is here.
 */


#ifndef _NGX_HTTP_RS_KEYS_H_INCLUDED_
#define _NGX_HTTP_RS_KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_RS_KEYS_N          8          /* sets */
#define NGX_HTTP_RS_KEYS_ID         32         /* bytes that name a set */
#define NGX_HTTP_RS_KEYS_MAX        65536      /* bytes of a set */

#define NGX_HTTP_RS_KEYS_KEPT       86400000   /* ms: the last good one */
#define NGX_HTTP_RS_KEYS_FETCH      10000      /* ms: a fetch, at most */
#define NGX_HTTP_RS_KEYS_RETRY      5000       /* ms, when there are none */
#define NGX_HTTP_RS_KEYS_INTERVAL   60000      /* ms, else */
#define NGX_HTTP_RS_KEYS_REFUNDS    3          /* an interval */


typedef enum {
    NGX_HTTP_RS_KEYS_NONE = 0,                 /* there are no keys */
    NGX_HTTP_RS_KEYS_UNKNOWN,                  /* not the one of a token */
    NGX_HTTP_RS_KEYS_OLD                       /* they may have changed */
} ngx_http_rs_keys_why_e;


/* which set, for whoever asks */

typedef struct {
    ngx_shm_zone_t             *zone;
    u_char                      id[NGX_HTTP_RS_KEYS_ID];
} ngx_http_rs_keys_t;


/* a right to fetch, and what gives it back */

typedef struct {
    ngx_uint_t                  ticket;
    ngx_msec_t                  tried;         /* before it was given */
    ngx_msec_t                  unknown;
} ngx_http_rs_keys_right_t;


/* NULL: an error that was logged */
ngx_shm_zone_t *ngx_http_rs_keys_zone(ngx_conf_t *cf);

/* 0: no set yet, or it is too old to be used */
ngx_uint_t ngx_http_rs_keys_generation(ngx_http_rs_keys_t *keys);
/* 1: a newer one should be fetched */
ngx_uint_t ngx_http_rs_keys_old(ngx_http_rs_keys_t *keys);
/* 1: some process fetches */
ngx_uint_t ngx_http_rs_keys_busy(ngx_http_rs_keys_t *keys);

/* dst: NGX_HTTP_RS_KEYS_MAX bytes; the length, and the generation of it */
size_t ngx_http_rs_keys_read(ngx_http_rs_keys_t *keys, u_char *dst,
    ngx_uint_t *generation);

/*
 * NGX_OK: fetch, and say how it ended by one of the three below; NGX_BUSY:
 * another process does; NGX_DECLINED: not so soon after the last time;
 * NGX_ERROR: no room in the zone.
 */
ngx_int_t ngx_http_rs_keys_begin(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_why_e why, ngx_http_rs_keys_right_t *right);
/* a new set, fresh for so many ms; NGX_OK, or NGX_ERROR: no room */
ngx_int_t ngx_http_rs_keys_good(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_right_t *right, u_char *data, size_t len,
    ngx_msec_t fresh);
void ngx_http_rs_keys_failed(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_right_t *right);
/* it came to nothing, through no fault of the issuer: it does not count */
void ngx_http_rs_keys_refund(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_right_t *right);


#endif /* _NGX_HTTP_RS_KEYS_H_INCLUDED_ */
