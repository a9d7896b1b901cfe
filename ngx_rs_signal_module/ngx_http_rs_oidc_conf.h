
/*
 * Copyright (C) rs-gateway contributors
 *
 * The directives of OpenID Connect.
 */


#ifndef _NGX_HTTP_RS_OIDC_CONF_H_INCLUDED_
#define _NGX_HTTP_RS_OIDC_CONF_H_INCLUDED_


/* setters of nginx's commands */
char *ngx_http_rs_oidc_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_rs_oidc_algorithms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_oidc_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_rs_oidc_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_rs_oidc_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

extern ngx_conf_enum_t  ngx_http_rs_oidc_nonces[];

void ngx_http_rs_oidc_create(ngx_http_rs_oidc_conf_t *conf);
/* gateway: 1 if this location is one, whose keys are then read */
char *ngx_http_rs_oidc_merge(ngx_conf_t *cf, ngx_http_rs_oidc_conf_t *prev,
    ngx_http_rs_oidc_conf_t *conf, ngx_uint_t gateway);


#endif /* _NGX_HTTP_RS_OIDC_CONF_H_INCLUDED_ */
