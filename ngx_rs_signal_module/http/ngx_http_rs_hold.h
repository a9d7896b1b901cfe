
/*
 * Copyright (C) rs-gateway contributors
 *
 * A worker takes connections some milliseconds before its links to Redis
 * stand.  What comes then, after a start or a reload, is held for that moment
 * instead of being told 503.
 */


#ifndef _NGX_HTTP_RS_HOLD_H_INCLUDED_
#define _NGX_HTTP_RS_HOLD_H_INCLUDED_


/* postconfiguration: adds the handler to the PREACCESS phase */
ngx_int_t ngx_http_rs_hold_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RS_HOLD_H_INCLUDED_ */
