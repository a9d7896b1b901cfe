
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers of a location with credentials of one participant.
 */


#include "ngx_http_rs.h"


static ngx_int_t ngx_http_rs_ice_fill(ngx_pool_t *pool,
    ngx_http_rs_ice_t *ice, rs_ice_t *out);
static void ngx_http_rs_ice_expiry(ngx_http_rs_ice_t *ice, rs_ice_t *out);


ngx_int_t
ngx_http_rs_ice_region(ngx_http_request_t *r, ngx_str_t *region)
{
    ngx_http_rs_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    if (rlcf->turn_region == NULL) {
        ngx_str_null(region);
        return NGX_OK;
    }

    return ngx_http_complex_value(r, rlcf->turn_region, region);
}


ngx_int_t
ngx_http_rs_ice_json(ngx_pool_t *pool, ngx_http_rs_ice_t *ice,
    ngx_str_t *json)
{
    size_t    size;
    rs_buf_t  b;
    rs_ice_t  out;

    if (ngx_http_rs_ice_fill(pool, ice, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    size = rs_ice_size(&out);

    json->data = ngx_pnalloc(pool, size);
    if (json->data == NULL) {
        return NGX_ERROR;
    }

    rs_buf_init(&b, json->data, size);

    if (rs_ice_write(&b, &out) != RS_OK || b.overflow) {
        return NGX_ERROR;
    }

    json->len = b.len;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_ice_credential(ngx_pool_t *pool, ngx_http_rs_ice_t *ice,
    ngx_str_t *username, ngx_str_t *password, ngx_array_t **uris)
{
    size_t                i, j;
    rs_ice_t              out;
    ngx_str_t            *uri;
    const rs_ice_turn_t  *turn;

    if (ngx_http_rs_ice_fill(pool, ice, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    username->data = ngx_pnalloc(pool, RS_TURN_USERNAME_MAX);
    password->data = ngx_pnalloc(pool, RS_TURN_PASSWORD_LEN);
    *uris = ngx_array_create(pool, 4, sizeof(ngx_str_t));

    if (username->data == NULL || password->data == NULL || *uris == NULL) {
        return NGX_ERROR;
    }

    password->len = RS_TURN_PASSWORD_LEN;

    if (rs_ice_credential(&out, (char *) username->data, &username->len,
                          (char *) password->data)
        != RS_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < out.nturn; i++) {
        turn = &out.turn[rs_ice_order(&out, i)];

        for (j = 0; j < turn->n; j++) {

            uri = ngx_array_push(*uris);
            if (uri == NULL) {
                return NGX_ERROR;
            }

            /* of the configuration, which outlives every request */

            uri->data = (u_char *) turn->urls[j].data;
            uri->len = turn->urls[j].len;
        }
    }

    return NGX_OK;
}


/* out points into ice, pool and the configuration */

static ngx_int_t
ngx_http_rs_ice_fill(ngx_pool_t *pool, ngx_http_rs_ice_t *ice, rs_ice_t *out)
{
    ngx_uint_t                  i;
    rs_ice_turn_t              *turn;
    ngx_http_rs_loc_conf_t     *rlcf;
    ngx_http_rs_turn_server_t  *ts;

    rlcf = ice->rlcf;

    ngx_memzero(out, sizeof(rs_ice_t));

    out->region = ngx_http_rs_slice(&ice->region);
    out->relay_only = ice->relay_only;
    out->ttl_s = ice->ttl;
    out->user.expires_at = ice->until;

    if (ice->ttl == 0) {
        ngx_http_rs_ice_expiry(ice, out);
    }

    if (rlcf->stun) {
        out->stun = rlcf->stun->elts;
        out->nstun = rlcf->stun->nelts;
    }

    if (rlcf->turn == NULL) {
        return NGX_OK;
    }

    turn = ngx_palloc(pool, rlcf->turn->nelts * sizeof(rs_ice_turn_t));
    if (turn == NULL) {
        return NGX_ERROR;
    }

    ts = rlcf->turn->elts;

    for (i = 0; i < rlcf->turn->nelts; i++) {
        turn[i].region = ngx_http_rs_slice(&ts[i].region);
        turn[i].urls = ts[i].urls.elts;
        turn[i].n = ts[i].urls.nelts;
    }

    out->turn = turn;
    out->nturn = rlcf->turn->nelts;

    out->secret = ngx_http_rs_slice(&rlcf->turn_secret);
    out->key = rlcf->turn_key;
    out->realm = ngx_http_rs_slice(&rlcf->turn_realm);
    out->user.tenant = ngx_http_rs_slice(&ice->tenant);
    out->user.session_id = ngx_http_rs_slice(&ice->session_id);
    out->user.participant_id = ngx_http_rs_slice(&ice->participant_id);

    return NGX_OK;
}


static void
ngx_http_rs_ice_expiry(ngx_http_rs_ice_t *ice, rs_ice_t *out)
{
    time_t  now, expiry;

    now = ngx_time() + ice->ahead;
    expiry = rs_turn_expiry(now, ice->rlcf->turn_ttl, ice->until);

    /* the clock may have gone back */

    ice->expiry = ngx_max(expiry, ice->expiry);

    out->user.expires_at = ice->expiry;
    out->ttl_s = ngx_max(ice->expiry - now, 1);
}
