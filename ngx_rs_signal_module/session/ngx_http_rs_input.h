
/*
 * Copyright (C) rs-gateway contributors
 *
 * `input`: from a controller to the host, worker to worker, never logged.
 */


#ifndef _NGX_HTTP_RS_INPUT_H_INCLUDED_
#define _NGX_HTTP_RS_INPUT_H_INCLUDED_


/* what a participant may send */

typedef struct {
    rs_bucket_t                 rate;
    rs_bucket_t                 over;          /* what is dropped above it */
    time_t                      told;          /* that it is dropped */
    ngx_str_t                   host;          /* participant id */
    unsigned                    controller:1;
    unsigned                    view_only:1;   /* the session is */
    unsigned                    unrecorded:1;  /* it waits for its recorder */
} ngx_http_rs_input_t;


/* vol, gon: from whichever carrier */
void ngx_http_rs_input_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env);


#endif /* _NGX_HTTP_RS_INPUT_H_INCLUDED_ */
