
/*
 * Copyright (C) rs-gateway contributors
 *
 * The directive "rs_redis": the URL of a server or of Sentinels, and its
 * parameters; names, where no resolver will look them up later.
 */


#include "ngx_rs_redis_adapter.h"


#define NGX_RS_REDIS_PORT          6379
#define NGX_RS_REDIS_SENTINEL_PORT 26379
#define NGX_RS_REDIS_SENTINELS     16
#define NGX_RS_REDIS_DB_MAX        65535
#define NGX_RS_REDIS_SECRET_MAX    4096


/* what stands before "://" */

typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   sentinel;
    ngx_uint_t                   tls;
} ngx_rs_redis_scheme_t;


/* a parameter: where its value goes, and whether it is a file with it */

typedef struct {
    ngx_str_t                    name;         /* with "=" */
    size_t                       offset;
    ngx_uint_t                   secret;
} ngx_rs_redis_param_t;


static const ngx_rs_redis_scheme_t *ngx_rs_redis_conf_scheme(ngx_str_t *url);
static char *ngx_rs_redis_conf_url(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_str_t *url);
static char *ngx_rs_redis_conf_path(ngx_rs_redis_conf_t *conf,
    const ngx_rs_redis_scheme_t *scheme, ngx_str_t *path);
static char *ngx_rs_redis_conf_server(ngx_conf_t *cf,
    ngx_rs_redis_conf_t *conf, ngx_str_t *text, in_port_t port);
static char *ngx_rs_redis_conf_param(ngx_conf_t *cf,
    ngx_rs_redis_conf_t *conf, ngx_str_t *value);
static char *ngx_rs_redis_conf_check(ngx_rs_redis_conf_t *conf,
    ngx_uint_t tls);


static const ngx_rs_redis_scheme_t  ngx_rs_redis_schemes[] = {
    { ngx_string("redis://"), 0, 0 },
    { ngx_string("rediss://"), 0, 1 },
    { ngx_string("sentinel://"), 1, 0 },
    { ngx_string("sentinel+tls://"), 1, 1 },
    { ngx_null_string, 0, 0 }
};


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

    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    i, tls;
    ngx_rs_redis_conf_t          *rc;
    const ngx_rs_redis_scheme_t  *scheme;

    rc = (ngx_rs_redis_conf_t *) (p + cmd->offset);

    if (rc->text.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_rs_redis_conf_url(cf, rc, &value[1]);

    if (rv != NGX_CONF_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"rs_redis\" value \"%V\": %s",
                           &value[1], rv);
        return NGX_CONF_ERROR;
    }

    rc->text = value[1];

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_rs_redis_conf_param(cf, rc, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    scheme = ngx_rs_redis_conf_scheme(&value[1]);
    tls = scheme ? scheme->tls : 0;

    rv = ngx_rs_redis_conf_check(rc, tls);

    if (rv != NGX_CONF_OK || !tls) {
        return rv;
    }

    return ngx_rs_redis_tls_init(cf, rc);
}


/* NGX_CONF_OK or what is wrong */

static char *
ngx_rs_redis_conf_url(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_str_t *url)
{
    char                         *rv;
    u_char                       *p, *end, *last;
    ngx_str_t                     text, path;
    const ngx_rs_redis_scheme_t  *scheme;

    if (ngx_array_init(&conf->servers, cf->pool, 1,
                       sizeof(ngx_rs_redis_server_t))
        != NGX_OK)
    {
        return "no memory";
    }

    if (url->len > 5 && ngx_strncmp(url->data, "unix:", 5) == 0) {
        return ngx_rs_redis_conf_server(cf, conf, url, 0);
    }

    scheme = ngx_rs_redis_conf_scheme(url);

    if (scheme == NULL) {
        return "must be redis://host[:port][/db], "
               "sentinel://host[:port][,...]/name[/db], the same with "
               "rediss:// or sentinel+tls://, or unix:/path";
    }

    p = url->data + scheme->name.len;
    last = url->data + url->len;

    if (ngx_strlchr(p, last, '@')) {
        return "no password belongs into the URL: give \"user=\" and "
               "\"password_file=\"";
    }

    end = ngx_strlchr(p, last, '/');

    if (end == NULL) {
        end = last;
    }

    path.data = end;
    path.len = last - end;

    rv = ngx_rs_redis_conf_path(conf, scheme, &path);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    do {
        text.data = p;
        p = scheme->sentinel ? ngx_strlchr(p, end, ',') : NULL;
        text.len = (p ? p : end) - text.data;

        rv = ngx_rs_redis_conf_server(cf, conf, &text,
                                      scheme->sentinel
                                      ? NGX_RS_REDIS_SENTINEL_PORT
                                      : NGX_RS_REDIS_PORT);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

    } while (p++);

    return NGX_CONF_OK;
}


static const ngx_rs_redis_scheme_t *
ngx_rs_redis_conf_scheme(ngx_str_t *url)
{
    const ngx_rs_redis_scheme_t  *scheme;

    for (scheme = ngx_rs_redis_schemes; scheme->name.len; scheme++) {

        if (url->len > scheme->name.len
            && ngx_memcmp(url->data, scheme->name.data, scheme->name.len)
               == 0)
        {
            return scheme;
        }
    }

    return NULL;
}


/* "", "/", "/db"; of Sentinel "/name", "/name/", "/name/db" */

static char *
ngx_rs_redis_conf_path(ngx_rs_redis_conf_t *conf,
    const ngx_rs_redis_scheme_t *scheme, ngx_str_t *path)
{
    u_char     *p, *last;
    ngx_int_t   db;

    p = path->data;
    last = p + path->len;

    if (scheme->sentinel) {
        p++;                         /* the slash, if there is one */

        conf->master.data = p;
        conf->wait_default = 1;      /* a replica may be promoted */

        while (p < last && *p != '/') {
            p++;
        }

        if (p >= last && path->len < 2) {
            return "after the Sentinels comes \"/\" and the name they have "
                   "for the primary";
        }

        conf->master.len = p - conf->master.data;

        if (conf->master.len == 0) {
            return "the name of the primary is empty";
        }
    }

    if (last - p < 2) {
        conf->db = 0;
        return NGX_CONF_OK;
    }

    db = ngx_atoi(p + 1, last - p - 1);

    if (db == NGX_ERROR || db > NGX_RS_REDIS_DB_MAX) {
        return "the database after \"/\" must be a number";
    }

    conf->db = db;

    return NGX_CONF_OK;
}


static char *
ngx_rs_redis_conf_server(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_str_t *text, in_port_t port)
{
    ngx_url_t               u;
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_rs_redis_server_t  *server;

    if (conf->servers.nelts == NGX_RS_REDIS_SENTINELS) {
        return "more than 16 Sentinels";
    }

    server = ngx_array_push(&conf->servers);
    addr = ngx_pcalloc(cf->pool, sizeof(ngx_addr_t));

    if (server == NULL || addr == NULL) {
        return "no memory";
    }

    ngx_memzero(server, sizeof(ngx_rs_redis_server_t));
    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *text;
    u.default_port = port;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "no memory";
    }

    server->text = *text;
    server->host = u.host;
    server->port = u.port;

    if (u.family == AF_UNIX) {
        server->addrs = u.addrs;
        server->naddrs = u.naddrs;
        return NGX_CONF_OK;
    }

    /* "[::1]" as others write it */

    if (server->host.len > 2 && server->host.data[0] == '[') {
        server->host.data++;
        server->host.len -= 2;
    }

    rc = ngx_parse_addr(cf->pool, addr, server->host.data, server->host.len);

    if (rc == NGX_ERROR) {
        return "no memory";
    }

    if (rc == NGX_OK) {
        ngx_inet_set_port(addr->sockaddr, u.port);
        server->addrs = addr;
        server->naddrs = 1;
    }

    return NGX_CONF_OK;
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
