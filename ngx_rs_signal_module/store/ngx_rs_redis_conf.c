
/*
 * Copyright (C) rs-gateway contributors
 *
 * The directive "rs_redis": the URL of a server or of Sentinels, and its
 * parameters; names, where no resolver will look them up later.
 */


#include "ngx_rs_redis_adapter.h"
#include "rs_redis_url.h"


#define NGX_RS_REDIS_SECRET_MAX    4096


/* a parameter: where its value goes, and whether it is a file with it */

typedef struct {
    ngx_str_t                    name;         /* with "=" */
    size_t                       offset;
    ngx_uint_t                   secret;
} ngx_rs_redis_param_t;


static const char *ngx_rs_redis_conf_url(ngx_conf_t *cf,
    ngx_rs_redis_conf_t *conf, ngx_str_t *text, ngx_uint_t *tls);
static const char *ngx_rs_redis_conf_server(ngx_conf_t *cf,
    ngx_rs_redis_conf_t *conf, const rs_redis_server_t *parsed);
static char *ngx_rs_redis_conf_param(ngx_conf_t *cf,
    ngx_rs_redis_conf_t *conf, ngx_str_t *value);
static char *ngx_rs_redis_conf_check(ngx_rs_redis_conf_t *conf,
    ngx_uint_t tls);


static const ngx_rs_redis_param_t  ngx_rs_redis_params[] = {
    { ngx_string("user="), offsetof(ngx_rs_redis_conf_t, user), 0 },
    { ngx_string("password_file="),
      offsetof(ngx_rs_redis_conf_t, password), 1 },
    { ngx_string("sentinel_user="),
      offsetof(ngx_rs_redis_conf_t, sentinel_user), 0 },
    { ngx_string("sentinel_password_file="),
      offsetof(ngx_rs_redis_conf_t, sentinel_password), 1 },
    { ngx_string("ca_file="), offsetof(ngx_rs_redis_conf_t, ca_file), 0 },
    { ngx_string("server_name="),
      offsetof(ngx_rs_redis_conf_t, server_name), 0 },
    { ngx_string("certificate="),
      offsetof(ngx_rs_redis_conf_t, certificate), 0 },
    { ngx_string("certificate_key="),
      offsetof(ngx_rs_redis_conf_t, certificate_key), 0 },
    { ngx_null_string, 0, 0 }
};


char *
ngx_rs_redis_conf_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    char                 *rv;
    ngx_str_t            *value;
    ngx_uint_t            i, tls;
    const char           *wrong;
    ngx_rs_redis_conf_t  *rc;

    rc = (ngx_rs_redis_conf_t *) (p + cmd->offset);

    if (rc->text.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    wrong = ngx_rs_redis_conf_url(cf, rc, &value[1], &tls);

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"rs_redis\" value \"%V\": %s",
                           &value[1], wrong);
        return NGX_CONF_ERROR;
    }

    rc->text = value[1];

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_rs_redis_conf_param(cf, rc, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_rs_redis_conf_check(rc, tls);

    if (rv != NGX_CONF_OK || !tls) {
        return rv;
    }

    return ngx_rs_redis_tls_init(cf, rc);
}


/* NULL, or what is wrong */

static const char *
ngx_rs_redis_conf_url(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_str_t *text, ngx_uint_t *tls)
{
    size_t           i;
    const char      *wrong;
    rs_redis_url_t   url;

    wrong = rs_redis_url_parse((rs_str_t) { text->data, text->len }, &url);

    if (wrong) {
        return wrong;
    }

    if (ngx_array_init(&conf->servers, cf->pool, url.n,
                       sizeof(ngx_rs_redis_server_t))
        != NGX_OK)
    {
        return "no memory";
    }

    for (i = 0; i < url.n; i++) {
        wrong = ngx_rs_redis_conf_server(cf, conf, &url.servers[i]);

        if (wrong) {
            return wrong;
        }
    }

    conf->db = url.db;
    *tls = url.tls;

    if (url.sentinel) {
        conf->master.data = (u_char *) url.master.data;
        conf->master.len = url.master.len;
        conf->wait_default = 1;      /* a replica may be promoted */
    }

    return NULL;
}


static const char *
ngx_rs_redis_conf_server(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    const rs_redis_server_t *parsed)
{
    ngx_url_t               u;
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_rs_redis_server_t  *server;

    server = ngx_array_push(&conf->servers);
    addr = ngx_pcalloc(cf->pool, sizeof(ngx_addr_t));

    if (server == NULL || addr == NULL) {
        return "no memory";
    }

    ngx_memzero(server, sizeof(ngx_rs_redis_server_t));

    server->text.data = (u_char *) parsed->text.data;
    server->text.len = parsed->text.len;
    server->host.data = (u_char *) parsed->host.data;
    server->host.len = parsed->host.len;
    server->port = (in_port_t) parsed->port;

    if (server->port == 0) {
        ngx_memzero(&u, sizeof(ngx_url_t));

        u.url = server->text;
        u.no_resolve = 1;

        if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
            return u.err ? u.err : "no memory";
        }

        server->addrs = u.addrs;
        server->naddrs = u.naddrs;

        return NULL;
    }

    rc = ngx_parse_addr(cf->pool, addr, server->host.data, server->host.len);

    if (rc == NGX_ERROR) {
        return "no memory";
    }

    if (rc == NGX_OK) {
        ngx_inet_set_port(addr->sockaddr, server->port);
        server->addrs = addr;
        server->naddrs = 1;
    }

    return NULL;
}


static char *
ngx_rs_redis_conf_param(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_str_t *value)
{
    ngx_str_t                   *slot, text;
    const ngx_rs_redis_param_t  *param;

    for (param = ngx_rs_redis_params; param->name.len; param++) {

        if (value->len <= param->name.len
            || ngx_memcmp(value->data, param->name.data, param->name.len)
               != 0)
        {
            continue;
        }

        slot = (ngx_str_t *) ((u_char *) conf + param->offset);

        if (slot->data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", value);
            return NGX_CONF_ERROR;
        }

        text.data = value->data + param->name.len;
        text.len = value->len - param->name.len;

        if (param->secret) {
            return ngx_rs_redis_conf_secret(cf, &text, slot);
        }

        *slot = text;

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);

    return NGX_CONF_ERROR;
}


/* do the parameters fit together? */

static char *
ngx_rs_redis_conf_check(ngx_rs_redis_conf_t *conf, ngx_uint_t tls)
{
    if (conf->user.len && conf->password.len == 0) {
        return "with \"user=\" needs \"password_file=\"";
    }

    if (conf->sentinel_user.len && conf->sentinel_password.len == 0) {
        return "with \"sentinel_user=\" needs \"sentinel_password_file=\"";
    }

    if (conf->sentinel_password.len && conf->master.len == 0) {
        return "has \"sentinel_password_file=\", but no \"sentinel://\"";
    }

    if (!tls && (conf->ca_file.len || conf->server_name.len
                 || conf->certificate.len || conf->certificate_key.len))
    {
        return "has parameters of TLS, but neither \"rediss://\" nor "
               "\"sentinel+tls://\"";
    }

    if (!conf->certificate.len != !conf->certificate_key.len) {
        return "needs \"certificate=\" and \"certificate_key=\" together";
    }

    return NGX_CONF_OK;
}


char *
ngx_rs_redis_conf_init(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_resolver_t *resolver)
{
    ngx_url_t               u;
    ngx_uint_t              i;
    ngx_rs_redis_server_t  *servers;

    /* nginx puts one without servers where none is configured */

    if (resolver && resolver->connections.nelts == 0) {
        resolver = NULL;
    }

    conf->resolver = resolver;
    servers = conf->servers.elts;

    for (i = 0; i < conf->servers.nelts; i++) {

        if (servers[i].addrs || resolver) {
            continue;
        }

        ngx_memzero(&u, sizeof(ngx_url_t));

        u.url = servers[i].text;
        u.default_port = servers[i].port;

        /* only the host and the port: the path of redis:// is cut off */

        if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"rs_redis\" value \"%V\": %s in "
                               "\"%V\"; a \"resolver\" would look it up when "
                               "it is needed", &conf->text,
                               u.err ? u.err : "no address",
                               &servers[i].text);
            return NGX_CONF_ERROR;
        }

        servers[i].addrs = u.addrs;
        servers[i].naddrs = u.naddrs;
    }

    return NGX_CONF_OK;
}


char *
ngx_rs_redis_conf_secret(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *secret)
{
    u_char     *p, *last;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   file;

    file = *name;

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, NGX_RS_REDIS_SECRET_MAX);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &file);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, p, NGX_RS_REDIS_SECRET_MAX);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &file);
    }

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &file);
        return NGX_CONF_ERROR;
    }

    last = p + n;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == '\n' || last[-1] == '\r'
                        || last[-1] == ' ' || last[-1] == '\t'))
    {
        last--;
    }

    if (p == last || n == NGX_RS_REDIS_SECRET_MAX
        || ngx_strlchr(p, last, '\n') != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the file \"%V\" must hold one line with "
                           "the secret", &file);
        return NGX_CONF_ERROR;
    }

    secret->data = p;
    secret->len = last - p;

    return NGX_CONF_OK;
}
