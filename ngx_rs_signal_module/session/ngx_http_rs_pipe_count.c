
/*
 * Copyright (C) rs-gateway contributors
 *
 * "rs_max_pipes": pipes of a tenant at this node.
 *
 * A pipe counts once at each node that has a leg of it: where its first leg
 * is, with the worker that has that; and where the second one is, if that is
 * another node.  So it counts from its first leg on, and the leg for which
 * there is no room is the one that is closed.
 */


#include "session/ngx_http_rs_pipe_internal.h"


ngx_int_t
ngx_http_rs_pipe_enter(ngx_http_rs_pipe_t *p)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = p->pipes->rmcf;

    if (ngx_http_rs_tally_enter(rmcf, &p->tenant, rmcf->max_pipes, &p->place)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, p->pipes->log, 0,
                      "rs pipe %V is refused: \"rs_max_pipes\" of %V",
                      &p->id, &p->tenant);

        ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_PIPE_FULL);
        ngx_http_rs_relay_cut(&p->relay, RS_E_OVERLOADED);

        return NGX_BUSY;
    }

    p->counted = 1;
    ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_PIPES, 1);

    return NGX_OK;
}


void
ngx_http_rs_pipe_leave(ngx_http_rs_pipe_t *p)
{
    if (!p->counted) {
        return;
    }

    p->counted = 0;
    ngx_http_rs_gauge(p->pipes->rmcf, NGX_HTTP_RS_GAUGE_PIPES, -1);

    if (p->place) {
        ngx_http_rs_tally_leave(p->place);
        p->place = NULL;
    }
}


ngx_uint_t
ngx_http_rs_pipe_full(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant)
{
    if (!ngx_http_rs_tally_full(rmcf, tenant, rmcf->max_pipes)) {
        return 0;
    }

    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_PIPE_FULL);

    return 1;
}
