
/*
 * Copyright (C) rs-gateway contributors
 *
 * The zone of shared memory: its making, its survival of a reload, and the
 * slots in it.  A slot belongs to the process whose pid it has; one whose
 * process is gone is free for the next.
 */


#include "ngx_http_rs.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_ZONE_LINE  64        /* bytes of a cache line */

#define ngx_http_rs_zone_slot(sh, i)                                         \
    (ngx_http_rs_slot_t *) ((sh)->slots + (i) * NGX_HTTP_RS_ZONE_STRIDE)

#define NGX_HTTP_RS_ZONE_STRIDE                                              \
    ngx_align(sizeof(ngx_http_rs_slot_t), NGX_HTTP_RS_ZONE_LINE)


typedef struct {
    u_char                     *slots;
    ngx_http_rs_limits_t        limits;
    ngx_http_rs_tallies_t       tallies;
    ngx_http_rs_zone_node_t     node;
} ngx_http_rs_zone_sh_t;


static ngx_int_t ngx_http_rs_zone_init(ngx_shm_zone_t *zone, void *data);
static void ngx_http_rs_zone_clear(ngx_http_rs_zone_sh_t *sh,
    ngx_uint_t index);
static ngx_uint_t ngx_http_rs_zone_gone(ngx_atomic_uint_t pid);


ngx_shm_zone_t *
ngx_http_rs_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_http_rs_signal_module);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = ngx_http_rs_zone_init;

    return zone;
}


/* the same size and the same module: what the last cycle had is kept */

static ngx_int_t
ngx_http_rs_zone_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                  size;
    u_char                 *p;
    ngx_slab_pool_t        *pool;
    ngx_http_rs_zone_sh_t  *sh;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    sh = ngx_slab_calloc(pool, sizeof(ngx_http_rs_zone_sh_t));
    p = ngx_slab_calloc(pool, NGX_HTTP_RS_ZONE_SLOTS
                              * NGX_HTTP_RS_ZONE_STRIDE);

    if (sh == NULL || p == NULL) {
        return NGX_ERROR;
    }

    sh->slots = p;

    /* of 16 parts of the zone five are rates, two bans, one numbers */

    size = NGX_HTTP_RS_LIMIT_WAYS * sizeof(ngx_http_rs_limit_place_t);

    sh->limits.nsets = zone->shm.size * 5 / 16 / size;
    sh->limits.places = ngx_slab_calloc(pool, sh->limits.nsets * size);

    size = NGX_HTTP_RS_LIMIT_WAYS * sizeof(ngx_http_rs_ban_place_t);

    sh->limits.nbans = zone->shm.size / 8 / size;
    sh->limits.bans = ngx_slab_calloc(pool, sh->limits.nbans * size);

    size = NGX_HTTP_RS_LIMIT_WAYS * sizeof(ngx_http_rs_tally_place_t);

    sh->tallies.nsets = zone->shm.size / 16 / size;
    sh->tallies.places = ngx_slab_calloc(pool, sh->tallies.nsets * size);

    if (sh->limits.places == NULL || sh->limits.bans == NULL
        || sh->tallies.places == NULL
        || RAND_bytes(sh->limits.seed, NGX_HTTP_RS_LIMIT_SEED) != 1)
    {
        return NGX_ERROR;
    }

    pool->data = sh;
    zone->data = sh;

    return NGX_OK;
}


ngx_http_rs_slot_t *
ngx_http_rs_zone_enter(ngx_shm_zone_t *zone, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_atomic_uint_t       pid;
    ngx_http_rs_slot_t     *slot;
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;

    for (i = 0; i < NGX_HTTP_RS_ZONE_SLOTS; i++) {
        slot = ngx_http_rs_zone_slot(sh, i);

        pid = slot->pid;

        if (pid && !ngx_http_rs_zone_gone(pid)) {
            continue;
        }

        if (ngx_atomic_cmp_set(&slot->pid, pid, ngx_pid)) {
            ngx_memzero((void *) slot->gauges, sizeof(slot->gauges));
            ngx_http_rs_zone_clear(sh, i);
            return slot;
        }
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "rs zone has no free slot, %d processes count already: "
                  "this worker does not", NGX_HTTP_RS_ZONE_SLOTS);

    return NULL;
}


/* what the last one of this slot had counted; nobody else touches it */

static void
ngx_http_rs_zone_clear(ngx_http_rs_zone_sh_t *sh, ngx_uint_t index)
{
    ngx_uint_t                  i;
    ngx_http_rs_tally_place_t  *place;

    for (i = 0; i < sh->tallies.nsets * NGX_HTTP_RS_LIMIT_WAYS; i++) {
        place = &sh->tallies.places[i];

        if (place->key && place->key % NGX_HTTP_RS_ZONE_SLOTS == index) {
            place->count = 0;
            ngx_memory_barrier();
            place->key = 0;
        }
    }
}


void
ngx_http_rs_zone_leave(ngx_http_rs_slot_t *slot)
{
    ngx_memory_barrier();

    slot->pid = 0;
}


/* EPERM: it is there, but another user's */

static ngx_uint_t
ngx_http_rs_zone_gone(ngx_atomic_uint_t pid)
{
    return (ngx_pid_t) pid != ngx_pid
           && kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


ngx_http_rs_zone_node_t *
ngx_http_rs_zone_node(ngx_shm_zone_t *zone)
{
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;

    return &sh->node;
}


ngx_http_rs_limits_t *
ngx_http_rs_zone_limits(ngx_shm_zone_t *zone)
{
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;

    return &sh->limits;
}


ngx_http_rs_tallies_t *
ngx_http_rs_zone_tallies(ngx_shm_zone_t *zone)
{
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;

    return &sh->tallies;
}


ngx_uint_t
ngx_http_rs_zone_index(ngx_shm_zone_t *zone, ngx_http_rs_slot_t *slot)
{
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;

    return ((u_char *) slot - sh->slots) / NGX_HTTP_RS_ZONE_STRIDE;
}


ngx_uint_t
ngx_http_rs_zone_lives(ngx_shm_zone_t *zone, ngx_uint_t index)
{
    ngx_atomic_uint_t       pid;
    ngx_http_rs_slot_t     *slot;
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;
    slot = ngx_http_rs_zone_slot(sh, index);
    pid = slot->pid;

    return pid && !ngx_http_rs_zone_gone(pid);
}


void
ngx_http_rs_zone_sum(ngx_shm_zone_t *zone, ngx_http_rs_sums_t *sums)
{
    ngx_uint_t              i, n;
    ngx_msec_t              age;
    ngx_atomic_uint_t       pid;
    ngx_http_rs_slot_t     *slot;
    ngx_http_rs_zone_sh_t  *sh;

    sh = zone->data;

    ngx_memzero(sums, sizeof(ngx_http_rs_sums_t));

    for (i = 0; i < NGX_HTTP_RS_ZONE_SLOTS; i++) {
        slot = ngx_http_rs_zone_slot(sh, i);

        for (n = 0; n < NGX_HTTP_RS_STAT_N; n++) {
            sums->counters[n] += slot->counters[n];
        }

        pid = slot->pid;

        if (pid == 0 || ngx_http_rs_zone_gone(pid)) {
            continue;
        }

        sums->workers++;

        for (n = 0; n < NGX_HTTP_RS_GAUGE_N; n++) {
            sums->gauges[n] += (ngx_atomic_int_t) slot->gauges[n];
        }

        if (slot->gauges[NGX_HTTP_RS_GAUGE_LEASE]) {
            age = ngx_current_msec - slot->gauges[NGX_HTTP_RS_GAUGE_LEASE];

            /* the clock of the other process may be ahead by one round */

            if ((ngx_msec_int_t) age > (ngx_msec_int_t) sums->lease_age) {
                sums->lease_age = age;
            }
        }
    }
}
