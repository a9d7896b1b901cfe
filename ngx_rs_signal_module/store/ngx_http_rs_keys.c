
/*
 * Copyright (C) rs-gateway contributors
 *
 * The zone of issuers' keys.  Everything is done under its one lock, shortly:
 * at most 64 KiB are copied, and only when a generation is new.
 *
 * Times are of the machine's monotonic clock, which all processes share; 0 is
 * never.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_keys.h"


#define NGX_HTTP_RS_KEYS_NAME  "rs_jwks"
/* sets, their table, and the slab's own pages */
#define NGX_HTTP_RS_KEYS_SIZE                                                \
    ((NGX_HTTP_RS_KEYS_N + 2) * NGX_HTTP_RS_KEYS_MAX)


typedef struct {
    u_char                      id[NGX_HTTP_RS_KEYS_ID];
    ngx_uint_t                  generation;    /* 0: nothing yet */
    u_char                     *data;          /* NULL: no set */
    size_t                      len;

    ngx_msec_t                  good;          /* when data came */
    ngx_msec_t                  fresh;         /* ms from then on */
    ngx_msec_t                  tried;         /* the last fetch began */
    ngx_msec_t                  unknown;       /* one for an unknown key */
    ngx_msec_t                  busy;          /* until then; 0: nobody */
    ngx_uint_t                  ticket;        /* of who fetches */
    ngx_msec_t                  refunded;      /* since then ... */
    ngx_uint_t                  refunds;       /* ... so many */
} ngx_http_rs_keys_set_t;


typedef struct {
    ngx_http_rs_keys_set_t      sets[NGX_HTTP_RS_KEYS_N];
    ngx_uint_t                  generation;    /* of all; never reused */
} ngx_http_rs_keys_sh_t;


static ngx_int_t ngx_http_rs_keys_init(ngx_shm_zone_t *zone, void *data);
static ngx_http_rs_keys_set_t *ngx_http_rs_keys_lock(
    ngx_http_rs_keys_t *keys);
static void ngx_http_rs_keys_unlock(ngx_http_rs_keys_t *keys);
static ngx_uint_t ngx_http_rs_keys_within(ngx_msec_t at, ngx_msec_t time);
static ngx_uint_t ngx_http_rs_keys_fetching(ngx_http_rs_keys_set_t *set);


/* the others' clocks may be a little behind or ahead */

#define ngx_http_rs_keys_now()  (ngx_current_msec ? ngx_current_msec : 1)


ngx_shm_zone_t *
ngx_http_rs_keys_zone(ngx_conf_t *cf)
{
    ngx_str_t        name = ngx_string(NGX_HTTP_RS_KEYS_NAME);
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, &name, NGX_HTTP_RS_KEYS_SIZE,
                                 &ngx_http_rs_signal_module);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = ngx_http_rs_keys_init;

    return zone;
}


static ngx_int_t
ngx_http_rs_keys_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_rs_keys_sh_t));
    }

    zone->data = pool->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


/*
 * Locks, whatever it returns; NULL: no room.  Not more than NGX_HTTP_RS_KEYS_N
 * are configured: others are of an earlier configuration, and the one that
 * was fetched longest ago makes room.
 */

static ngx_http_rs_keys_set_t *
ngx_http_rs_keys_lock(ngx_http_rs_keys_t *keys)
{
    u_char                  *data;
    ngx_uint_t               i;
    ngx_slab_pool_t         *pool;
    ngx_http_rs_keys_sh_t   *sh;
    ngx_http_rs_keys_set_t  *set, *last;

    sh = keys->zone->data;
    last = &sh->sets[0];

    pool = (ngx_slab_pool_t *) keys->zone->shm.addr;
    ngx_shmtx_lock(&pool->mutex);

    for (i = 0; i < NGX_HTTP_RS_KEYS_N; i++) {
        set = &sh->sets[i];

        if (set->data
            && ngx_memcmp(set->id, keys->id, NGX_HTTP_RS_KEYS_ID) == 0)
        {
            return set;
        }

        if (last->data
            && (set->data == NULL
                || (ngx_msec_int_t) (set->tried - last->tried) < 0))
        {
            last = set;
        }
    }

    data = last->data;

    if (data == NULL) {
        data = ngx_slab_alloc_locked(pool, NGX_HTTP_RS_KEYS_MAX);
    }

    if (data == NULL) {
        return NULL;
    }

    ngx_memzero(last, sizeof(ngx_http_rs_keys_set_t));
    ngx_memcpy(last->id, keys->id, NGX_HTTP_RS_KEYS_ID);
    last->data = data;

    return last;
}


static void
ngx_http_rs_keys_unlock(ngx_http_rs_keys_t *keys)
{
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) keys->zone->shm.addr;
    ngx_shmtx_unlock(&pool->mutex);
}


static ngx_uint_t
ngx_http_rs_keys_within(ngx_msec_t at, ngx_msec_t time)
{
    return at
           && (ngx_msec_int_t) (ngx_http_rs_keys_now() - at)
              < (ngx_msec_int_t) time;
}


static ngx_uint_t
ngx_http_rs_keys_fetching(ngx_http_rs_keys_set_t *set)
{
    return set->busy
           && (ngx_msec_int_t) (set->busy - ngx_http_rs_keys_now()) > 0;
}


ngx_uint_t
ngx_http_rs_keys_generation(ngx_http_rs_keys_t *keys)
{
    ngx_uint_t               generation;
    ngx_http_rs_keys_set_t  *set;

    set = ngx_http_rs_keys_lock(keys);

    generation = set && ngx_http_rs_keys_within(set->good,
                                                NGX_HTTP_RS_KEYS_KEPT)
                 ? set->generation : 0;

    ngx_http_rs_keys_unlock(keys);

    return generation;
}


ngx_uint_t
ngx_http_rs_keys_old(ngx_http_rs_keys_t *keys)
{
    ngx_uint_t               old;
    ngx_http_rs_keys_set_t  *set;

    set = ngx_http_rs_keys_lock(keys);

    old = set && !ngx_http_rs_keys_within(set->good, set->fresh);

    ngx_http_rs_keys_unlock(keys);

    return old;
}


ngx_uint_t
ngx_http_rs_keys_busy(ngx_http_rs_keys_t *keys)
{
    ngx_uint_t               busy;
    ngx_http_rs_keys_set_t  *set;

    set = ngx_http_rs_keys_lock(keys);

    busy = set && ngx_http_rs_keys_fetching(set);

    ngx_http_rs_keys_unlock(keys);

    return busy;
}


size_t
ngx_http_rs_keys_read(ngx_http_rs_keys_t *keys, u_char *dst,
    ngx_uint_t *generation)
{
    size_t                   len;
    ngx_http_rs_keys_set_t  *set;

    len = 0;
    *generation = 0;

    set = ngx_http_rs_keys_lock(keys);

    if (set) {
        len = set->len;
        *generation = set->generation;
        ngx_memcpy(dst, set->data, len);
    }

    ngx_http_rs_keys_unlock(keys);

    return len;
}


ngx_int_t
ngx_http_rs_keys_begin(ngx_http_rs_keys_t *keys, ngx_http_rs_keys_why_e why,
    ngx_http_rs_keys_right_t *right)
{
    ngx_int_t                rc;
    ngx_http_rs_keys_set_t  *set;

    set = ngx_http_rs_keys_lock(keys);

    if (set == NULL) {
        rc = NGX_ERROR;

    } else if (ngx_http_rs_keys_fetching(set)) {
        rc = NGX_BUSY;

    } else if (why == NGX_HTTP_RS_KEYS_UNKNOWN
               ? ngx_http_rs_keys_within(set->unknown,
                                         NGX_HTTP_RS_KEYS_INTERVAL)
               : ngx_http_rs_keys_within(set->tried,
                                         why == NGX_HTTP_RS_KEYS_NONE
                                         ? NGX_HTTP_RS_KEYS_RETRY
                                         : NGX_HTTP_RS_KEYS_INTERVAL))
    {
        rc = NGX_DECLINED;

    } else {
        rc = NGX_OK;

        right->ticket = ++set->ticket;
        right->tried = set->tried;
        right->unknown = set->unknown;

        set->tried = ngx_http_rs_keys_now();
        set->busy = set->tried + NGX_HTTP_RS_KEYS_FETCH;

        if (why == NGX_HTTP_RS_KEYS_UNKNOWN) {
            set->unknown = set->tried;
        }
    }

    ngx_http_rs_keys_unlock(keys);

    return rc;
}


ngx_int_t
ngx_http_rs_keys_good(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_right_t *right, u_char *data, size_t len,
    ngx_msec_t fresh)
{
    ngx_http_rs_keys_sh_t   *sh;
    ngx_http_rs_keys_set_t  *set;

    sh = keys->zone->data;
    set = ngx_http_rs_keys_lock(keys);

    if (set == NULL || len > NGX_HTTP_RS_KEYS_MAX) {
        ngx_http_rs_keys_unlock(keys);
        return NGX_ERROR;
    }

    /* the same bytes need not be read again */

    if (set->generation == 0 || set->len != len
        || ngx_memcmp(set->data, data, len) != 0)
    {
        ngx_memcpy(set->data, data, len);
        set->len = len;
        set->generation = ++sh->generation;
    }

    set->good = ngx_http_rs_keys_now();
    set->fresh = fresh;

    if (set->ticket == right->ticket) {
        set->busy = 0;
    }

    ngx_http_rs_keys_unlock(keys);

    return NGX_OK;
}


void
ngx_http_rs_keys_failed(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_right_t *right)
{
    ngx_http_rs_keys_set_t  *set;

    set = ngx_http_rs_keys_lock(keys);

    if (set && set->ticket == right->ticket) {
        set->busy = 0;
    }

    ngx_http_rs_keys_unlock(keys);
}


/* so many an interval: who asks and leaves must not fetch as he likes */

void
ngx_http_rs_keys_refund(ngx_http_rs_keys_t *keys,
    ngx_http_rs_keys_right_t *right)
{
    ngx_http_rs_keys_set_t  *set;

    set = ngx_http_rs_keys_lock(keys);

    if (set == NULL || set->ticket != right->ticket) {
        ngx_http_rs_keys_unlock(keys);
        return;
    }

    set->busy = 0;

    if (!ngx_http_rs_keys_within(set->refunded, NGX_HTTP_RS_KEYS_INTERVAL)) {
        set->refunded = ngx_http_rs_keys_now();
        set->refunds = 0;
    }

    if (set->refunds < NGX_HTTP_RS_KEYS_REFUNDS) {
        set->refunds++;
        set->tried = right->tried;
        set->unknown = right->unknown;
    }

    ngx_http_rs_keys_unlock(keys);
}
