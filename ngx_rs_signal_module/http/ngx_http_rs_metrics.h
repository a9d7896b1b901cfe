
/*
 * Copyright (C) rs-gateway contributors
 *
 * The counters of this node for Prometheus: a location with rs_metrics.
 */


#ifndef _NGX_HTTP_RS_METRICS_H_INCLUDED_
#define _NGX_HTTP_RS_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* the directive rs_metrics */
char *ngx_http_rs_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_RS_METRICS_H_INCLUDED_ */
