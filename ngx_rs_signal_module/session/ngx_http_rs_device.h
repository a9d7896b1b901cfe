
/*
 * Copyright (C) rs-gateway contributors
 *
 * Control channels of devices on this worker: challenge, hello, presence,
 * invite, accept, reject, consent, revoke.
 */


#ifndef _NGX_HTTP_RS_DEVICE_H_INCLUDED_
#define _NGX_HTTP_RS_DEVICE_H_INCLUDED_


typedef struct ngx_http_rs_devices_s  ngx_http_rs_devices_t;


ngx_http_rs_devices_t *ngx_http_rs_devices_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/*
 * The socket of r is upgraded: sends the challenge; *rcp: it, if it is there.
 * nonce: what the device brought for the fleet to sign, or empty
 */
ngx_int_t ngx_http_rs_device_start(ngx_http_request_t *r, rs_str_t nonce,
    ngx_http_rs_conn_t **rcp);

/* inv, rvk, fen addressed to a device's socket */
void ngx_http_rs_device_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env);

/* the store was away: every device is announced again */
void ngx_http_rs_device_announce(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_DEVICE_H_INCLUDED_ */
