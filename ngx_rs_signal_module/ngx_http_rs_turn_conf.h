
/*
 * Copyright (C) rs-gateway contributors
 *
 * The directives of STUN and TURN servers.
 */


#ifndef _NGX_HTTP_RS_TURN_CONF_H_INCLUDED_
#define _NGX_HTTP_RS_TURN_CONF_H_INCLUDED_


/* setters of nginx's commands */
char *ngx_http_rs_stun_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_turn_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_turn_secret_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_turn_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_turn_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* of turn_secret, turn_key and turn_realm; what a gateway needs is there */
char *ngx_http_rs_turn_merge(ngx_conf_t *cf, ngx_http_rs_loc_conf_t *prev,
    ngx_http_rs_loc_conf_t *conf);


#endif /* _NGX_HTTP_RS_TURN_CONF_H_INCLUDED_ */
