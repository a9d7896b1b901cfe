
/*
 * Copyright (C) rs-gateway contributors
 *
 * A table of sets with eight places each.  A place is of one tenant and one
 * worker, and only that worker changes its number; the sum is that of the
 * places of all that live.  So nobody has to give back what a dead one had:
 * its places count no more, and who takes over its slot clears them
 * (ngx_http_rs_zone_enter).
 *
 * A place's key has the hash of the tenant and the number of the slot in one
 * word, so it is taken and given back by one store.
 */


#include "ngx_http_rs.h"


static ngx_atomic_uint_t ngx_http_rs_tally_key(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant);
static ngx_http_rs_tally_place_t *ngx_http_rs_tally_set(
    ngx_http_rs_tallies_t *tallies, ngx_atomic_uint_t key);
static ngx_http_rs_tally_place_t *ngx_http_rs_tally_take(
    ngx_http_rs_tallies_t *tallies, ngx_atomic_uint_t key);
static ngx_uint_t ngx_http_rs_tally_sum(ngx_http_rs_main_conf_t *rmcf,
    ngx_atomic_uint_t key);


ngx_int_t
ngx_http_rs_tally_enter(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    ngx_uint_t max, ngx_http_rs_tally_place_t **place)
{
    ngx_atomic_uint_t           key;
    ngx_http_rs_tally_place_t  *pl;

    *place = NULL;

    if (max == 0) {
        return NGX_OK;
    }

    if (rmcf->slot == NULL) {
        return NGX_BUSY;
    }

    key = ngx_http_rs_tally_key(rmcf, tenant);

    pl = ngx_http_rs_tally_take(ngx_http_rs_zone_tallies(rmcf->zone),
                          key | ngx_http_rs_zone_index(rmcf->zone,
                                                       rmcf->slot));
    if (pl == NULL) {
        return NGX_BUSY;
    }

    /* counted first: of two at once both may go, but never both stay */

    pl->count++;
    ngx_memory_barrier();

    if (ngx_http_rs_tally_sum(rmcf, key) > max) {
        ngx_http_rs_tally_leave(pl);
        return NGX_BUSY;
    }

    *place = pl;

    return NGX_OK;
}


void
ngx_http_rs_tally_leave(ngx_http_rs_tally_place_t *place)
{
    if (--place->count == 0) {
        ngx_memory_barrier();
        place->key = 0;
    }
}


ngx_uint_t
ngx_http_rs_tally_full(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    ngx_uint_t max)
{
    return max && ngx_http_rs_tally_sum(rmcf,
                              ngx_http_rs_tally_key(rmcf, tenant)) >= max;
}


/* without the slot's number: its lowest bits are 0 */

static ngx_atomic_uint_t
ngx_http_rs_tally_key(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant)
{
    ngx_atomic_uint_t  key;

    key = ngx_http_rs_limit_hash(ngx_http_rs_zone_limits(rmcf->zone), 'n',
                                 tenant->data, tenant->len)
          & ~(ngx_atomic_uint_t) (NGX_HTTP_RS_ZONE_SLOTS - 1);

    return key ? key : NGX_HTTP_RS_ZONE_SLOTS;
}


/* the workers of a tenant have sets beside each other */

static ngx_http_rs_tally_place_t *
ngx_http_rs_tally_set(ngx_http_rs_tallies_t *tallies, ngx_atomic_uint_t key)
{
    ngx_uint_t  n;

    n = (key / NGX_HTTP_RS_ZONE_SLOTS + key % NGX_HTTP_RS_ZONE_SLOTS)
        % tallies->nsets;

    return &tallies->places[n * NGX_HTTP_RS_LIMIT_WAYS];
}


/* that of the key, or else one that is free */

static ngx_http_rs_tally_place_t *
ngx_http_rs_tally_take(ngx_http_rs_tallies_t *tallies, ngx_atomic_uint_t key)
{
    ngx_uint_t                  i;
    ngx_http_rs_tally_place_t  *set;

    set = ngx_http_rs_tally_set(tallies, key);

    for (i = 0; i < NGX_HTTP_RS_LIMIT_WAYS; i++) {
        if (set[i].key == key) {
            return &set[i];
        }
    }

    for (i = 0; i < NGX_HTTP_RS_LIMIT_WAYS; i++) {
        if (set[i].key == 0 && ngx_atomic_cmp_set(&set[i].key, 0, key)) {
            return &set[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_rs_tally_sum(ngx_http_rs_main_conf_t *rmcf, ngx_atomic_uint_t key)
{
    ngx_uint_t                  i, slot, sum;
    ngx_http_rs_tallies_t      *tallies;
    ngx_http_rs_tally_place_t  *set;

    tallies = ngx_http_rs_zone_tallies(rmcf->zone);
    sum = 0;

    for (slot = 0; slot < NGX_HTTP_RS_ZONE_SLOTS; slot++) {
        set = ngx_http_rs_tally_set(tallies, key | slot);

        for (i = 0; i < NGX_HTTP_RS_LIMIT_WAYS; i++) {

            if (set[i].key == (key | slot)
                && ngx_http_rs_zone_lives(rmcf->zone, slot))
            {
                sum += set[i].count;
            }
        }
    }

    return sum;
}
