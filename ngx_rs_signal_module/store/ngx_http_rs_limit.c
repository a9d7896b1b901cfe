
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rates in shared memory, without a lock.
 *
 * A table of sets with eight places each; a place is the hash of a name and
 * the state of its rate (rs_rate: one number, the moment when all tokens are
 * back).  Names are hashed with a secret of the zone, so nobody can choose
 * who shares a set with him.  When a set is full, the place whose tokens are
 * back first goes: that of the name seen longest ago, or nearly so, and
 * usually one that has all of them and is as good as new.
 *
 * Two workers may take one place for two names at once; then one of these
 * begins with the tokens of the other.  Nothing worse can come of a race.
 */


#include "ngx_http_rs.h"

#include <ngx_md5.h>


#define NGX_HTTP_RS_LIMIT_TRIES  16      /* of a compare-and-swap */

#define NGX_HTTP_RS_LIMIT_RATE   1000000


static ngx_int_t ngx_http_rs_limit(ngx_http_rs_main_conf_t *rmcf,
    rs_rate_t *rate, u_char kind, u_char *name, size_t len, rs_rate_e what,
    time_t *wait);
static size_t ngx_http_rs_limit_name(struct sockaddr *sa, u_char **name);
static ngx_http_rs_limit_place_t *ngx_http_rs_limit_find(
    ngx_http_rs_limits_t *limits, ngx_atomic_uint_t hash);


ngx_int_t
ngx_http_rs_limit_address(ngx_http_rs_main_conf_t *rmcf, struct sockaddr *sa,
    rs_rate_e what, time_t *wait)
{
    size_t   len;
    u_char  *name;

    len = ngx_http_rs_limit_name(sa, &name);

    return len ? ngx_http_rs_limit(rmcf, &rmcf->address_rate, 'a', name, len,
                                   what, wait)
               : NGX_OK;
}


ngx_int_t
ngx_http_rs_limit_check(ngx_http_rs_main_conf_t *rmcf, struct sockaddr *sa,
    time_t *wait)
{
    size_t   len;
    u_char  *name;

    len = ngx_http_rs_limit_name(sa, &name);

    return len ? ngx_http_rs_limit(rmcf, &rmcf->check_rate, 'c', name, len,
                                   RS_RATE_TAKE, wait)
               : NGX_OK;
}


/* what stands for an address; 0: nothing does */

static size_t
ngx_http_rs_limit_name(struct sockaddr *sa, u_char **name)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        *name = sin6->sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            *name += 12;
            return 4;
        }

        return 8;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        *name = (u_char *) &sin->sin_addr;
        return 4;

    default:
        return 0;
    }
}


ngx_int_t
ngx_http_rs_limit_tenant(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    rs_rate_e what, time_t *wait)
{
    ngx_int_t  rc;

    rc = ngx_http_rs_limit(rmcf, &rmcf->tenant_rate, 't', tenant->data,
                           tenant->len, what, wait);

    if (rc != NGX_OK && what != RS_RATE_CHARGE) {
        ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_LIMIT_TENANT);
    }

    return rc;
}


static ngx_int_t
ngx_http_rs_limit(ngx_http_rs_main_conf_t *rmcf, rs_rate_t *rate,
    u_char kind, u_char *name, size_t len, rs_rate_e what, time_t *wait)
{
    int                         there;
    uint64_t                    now, next, us;
    ngx_uint_t                  i;
    ngx_atomic_uint_t           state;
    ngx_http_rs_limits_t       *limits;
    ngx_http_rs_limit_place_t  *place;

    if (rate->burst == 0) {
        return NGX_OK;
    }

    limits = ngx_http_rs_zone_limits(rmcf->zone);
    now = (uint64_t) ngx_current_msec * 1000;

    place = ngx_http_rs_limit_find(limits,
                                   ngx_http_rs_limit_hash(limits, kind, name,
                                                          len));

    i = 0;

    do {
        state = place->state;
        there = rs_rate(rate, what, state, now, &next, &us);

        if ((!there && what == RS_RATE_TAKE) || what == RS_RATE_LOOK) {
            break;
        }

    } while (!ngx_atomic_cmp_set(&place->state, state, next)
             && ++i < NGX_HTTP_RS_LIMIT_TRIES);

    if (there) {
        return NGX_OK;
    }

    if (wait) {
        *wait = (us + 999999) / 1000000;
    }

    return NGX_BUSY;
}


ngx_atomic_uint_t
ngx_http_rs_limit_pipes(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant)
{
    return ngx_http_rs_limit_hash(ngx_http_rs_zone_limits(rmcf->zone), 'p',
                                  tenant->data, tenant->len);
}


ngx_int_t
ngx_http_rs_limit_bytes(ngx_http_rs_main_conf_t *rmcf, ngx_atomic_uint_t key,
    size_t n, uint64_t *wait_us)
{
    int                         there;
    uint64_t                    now, next;
    ngx_uint_t                  i;
    ngx_atomic_uint_t           state;
    ngx_http_rs_limit_place_t  *place;

    now = (uint64_t) ngx_current_msec * 1000;
    place = ngx_http_rs_limit_find(ngx_http_rs_zone_limits(rmcf->zone), key);
    i = 0;

    do {
        state = place->state;
        there = rs_pace(&rmcf->pipe_rate, state, now, n, &next, wait_us);

        if (!there) {
            return NGX_BUSY;
        }

    } while (!ngx_atomic_cmp_set(&place->state, state, next)
             && ++i < NGX_HTTP_RS_LIMIT_TRIES);

    return NGX_OK;
}


ngx_atomic_uint_t
ngx_http_rs_limit_hash(ngx_http_rs_limits_t *limits, u_char kind,
    u_char *name, size_t len)
{
    u_char     digest[16];
    uint64_t   hash;
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, limits->seed, sizeof(limits->seed));
    ngx_md5_update(&md5, &kind, 1);
    ngx_md5_update(&md5, name, len);
    ngx_md5_final(digest, &md5);

    ngx_memcpy(&hash, digest, sizeof(hash));

    return hash ? (ngx_atomic_uint_t) hash : 1;
}


static ngx_http_rs_limit_place_t *
ngx_http_rs_limit_find(ngx_http_rs_limits_t *limits, ngx_atomic_uint_t hash)
{
    ngx_uint_t                  i;
    ngx_atomic_uint_t           was, state;
    ngx_http_rs_limit_place_t  *set, *place;

    set = &limits->places[(hash % limits->nsets) * NGX_HTTP_RS_LIMIT_WAYS];
    place = set;

    for (i = 0; i < NGX_HTTP_RS_LIMIT_WAYS; i++) {

        if (set[i].hash == hash) {
            return &set[i];
        }

        if (set[i].state < place->state) {
            place = &set[i];
        }
    }

    was = place->hash;
    state = place->state;

    if (ngx_atomic_cmp_set(&place->hash, was, hash)) {
        (void) ngx_atomic_cmp_set(&place->state, state, 0);
    }

    return place;
}


char *
ngx_http_rs_limit_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   n, scale;
    ngx_str_t  *value;
    rs_rate_t  *rate;

    p = conf;
    rate = (rs_rate_t *) (p + cmd->offset);

    if (rate->interval_us) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        rate->interval_us = 1;
        return NGX_CONF_OK;
    }

    len = value[1].len;
    scale = 0;

    if (len > 3 && ngx_strncmp(value[1].data + len - 3, "r/s", 3) == 0) {
        scale = 1;

    } else if (len > 3 && ngx_strncmp(value[1].data + len - 3, "r/m", 3) == 0) {
        scale = 60;
    }

    n = scale ? ngx_atoi(value[1].data, len - 3) : NGX_ERROR;

    if (n < 1 || n > NGX_HTTP_RS_LIMIT_RATE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\": 1 to 1000000, and \"r/s\" "
                           "or \"r/m\", as \"10r/s\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    rate->interval_us = (uint64_t) scale * 1000000 / n;
    rate->burst = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    n = NGX_ERROR;

    if (ngx_strncmp(value[2].data, "burst=", 6) == 0) {
        n = ngx_atoi(value[2].data + 6, value[2].len - 6);
    }

    if (n < 1 || n > NGX_HTTP_RS_LIMIT_RATE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": burst=1 to 1000000",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    rate->burst = n;

    return NGX_CONF_OK;
}


char *
ngx_http_rs_limit_pipe_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    off_t       n;
    ngx_str_t  *value, s;

    if (rmcf->pipe_rate.burst) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rmcf->pipe_rate.burst = 1;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    n = ngx_parse_offset(&value[1]);

    if (n < RS_PACE_RATE_MIN || n > (off_t) RS_PACE_RATE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\": bytes a second, 16k to 4g",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    rmcf->pipe_rate.rate = n;
    rmcf->pipe_rate.burst = n / 4;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    n = NGX_ERROR;

    if (ngx_strncmp(value[2].data, "burst=", 6) == 0) {
        s.data = value[2].data + 6;
        s.len = value[2].len - 6;
        n = ngx_parse_offset(&s);
    }

    if (n < 1 || n > (off_t) RS_PACE_BURST_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": burst=1 to 64g",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    rmcf->pipe_rate.burst = n;

    return NGX_CONF_OK;
}
