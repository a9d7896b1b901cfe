
/*
 * Copyright (C) rs-gateway contributors
 *
 * How much of a leg may be read: its share of "rs_pipe_rate" of its tenant.
 */


#ifndef _NGX_HTTP_RS_PACE_H_INCLUDED_
#define _NGX_HTTP_RS_PACE_H_INCLUDED_


/* of a leg */

typedef struct {
    ngx_event_t                 timer;     /* until the place is there */
    ngx_atomic_uint_t           key;       /* of the tenant; 0: not asked */
    size_t                      booked;    /* bytes of that place */
    size_t                      credit;    /* bytes that may be read */
} ngx_http_rs_pace_t;


/* handler: of the timer, which calls pace_wake() */
void ngx_http_rs_pace_init(ngx_http_rs_pace_t *pace,
    ngx_event_handler_pt handler, void *data, ngx_log_t *log);

/* of room bytes, so many as may be read now; 0: the timer comes */
size_t ngx_http_rs_pace(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_pace_t *pace, ngx_str_t *tenant, size_t room);
/* n of them were */
void ngx_http_rs_pace_spend(ngx_http_rs_pace_t *pace, size_t n);

void ngx_http_rs_pace_wake(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_pace_t *pace);
/* it waits no more; idempotent */
void ngx_http_rs_pace_stop(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_pace_t *pace);


#endif /* _NGX_HTTP_RS_PACE_H_INCLUDED_ */
