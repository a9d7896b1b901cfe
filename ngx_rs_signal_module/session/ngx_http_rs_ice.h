
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers of a location with credentials of one participant, as JSON.
 */


#ifndef _NGX_HTTP_RS_ICE_H_INCLUDED_
#define _NGX_HTTP_RS_ICE_H_INCLUDED_


/* what an ICE answer depends on, kept with a socket or a REST call */

typedef struct {
    ngx_http_rs_loc_conf_t     *rlcf;
    ngx_str_t                   region;        /* rs_turn_region evaluated */
    ngx_str_t                   tenant;
    ngx_str_t                   session_id;
    ngx_str_t                   participant_id;
    ngx_uint_t                  relay_only;

    /* of the store's clock: all gateways must find the same */

    time_t                      ahead;         /* of this host's clock */
    time_t                      until;         /* end of the session */
    time_t                      ttl;           /* 0: a member of a session,
                                                  who asks again and again;
                                                  else until, in so long */
    time_t                      expiry;        /* told to him last */
} ngx_http_rs_ice_t;


/*
 * {iceServers, iceTransportPolicy, ttl_s}, from pool.  A member keeps his user
 * name for a quarter of rs_turn_ttl, whatever worker he asks, and gets no
 * older one later: a TURN server may hold him to the newest it has seen.
 */
ngx_int_t ngx_http_rs_ice_json(ngx_pool_t *pool, ngx_http_rs_ice_t *ice,
    ngx_str_t *json);

/* username, password and URIs for GET /turn; uris: array of ngx_str_t */
ngx_int_t ngx_http_rs_ice_credential(ngx_pool_t *pool,
    ngx_http_rs_ice_t *ice, ngx_str_t *username, ngx_str_t *password,
    ngx_array_t **uris);

/* evaluates rs_turn_region for r; empty when there is none */
ngx_int_t ngx_http_rs_ice_region(ngx_http_request_t *r, ngx_str_t *region);


#endif /* _NGX_HTTP_RS_ICE_H_INCLUDED_ */
