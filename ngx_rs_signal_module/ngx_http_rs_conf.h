
/*
 * Copyright (C) rs-gateway contributors
 *
 * Directives that need more than one of nginx's own setters.
 */


#ifndef _NGX_HTTP_RS_CONF_H_INCLUDED_
#define _NGX_HTTP_RS_CONF_H_INCLUDED_


/* setters of nginx's commands */
char *ngx_http_rs_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_node(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_agent_host(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_ipc_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_message_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_tunnel_ports(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_webhook_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* checks after a setter: the value is not 0 */
char *ngx_http_rs_check_positive(ngx_conf_t *cf, void *post,
    void *data);
char *ngx_http_rs_check_positive_sec(ngx_conf_t *cf, void *post,
    void *data);
char *ngx_http_rs_check_positive_size(ngx_conf_t *cf, void *post,
    void *data);


#endif /* _NGX_HTTP_RS_CONF_H_INCLUDED_ */
