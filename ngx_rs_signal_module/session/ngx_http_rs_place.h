
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rendered sessions that need another renderer, and kept ones that need
 * another recorder.
 */


#ifndef _NGX_HTTP_RS_PLACE_H_INCLUDED_
#define _NGX_HTTP_RS_PLACE_H_INCLUDED_


/*
 * The session goes from this renderer, which is lost or will not have it, to
 * another one, if its host has not joined.  If it cannot: with an end it ends
 * for that reason, else it stays, and the renderer is asked again when it is
 * back.  detail: of the end; what the renderer said, "busy" or "failed".
 * Strings are copied; nobody is told.
 */
void ngx_http_rs_place_again(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *device_id,
    const char *end, const char *detail);

/*
 * All that a service had, by the reply of rs_device_offline: another recorder
 * is asked into what this one had not joined.
 */
void ngx_http_rs_place_all(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    ngx_rs_reply_t *reply);


#endif /* _NGX_HTTP_RS_PLACE_H_INCLUDED_ */
