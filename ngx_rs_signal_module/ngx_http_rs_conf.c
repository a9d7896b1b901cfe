
/*
 * Copyright (C) rs-gateway contributors
 *
 * Directives that need more than one of nginx's own setters, and checks of
 * their values.
 */


#include "ngx_http_rs.h"
#include "ngx_http_rs_conf.h"
#include "rs_webhook.h"
#include "rs_ws_handshake.h"


#define NGX_HTTP_RS_REPLICAS_MAX     16
#define NGX_HTTP_RS_PORTS_MAX        10000


char *
ngx_http_rs_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_msec_t   ms;

    if (rmcf->redis.wait_replicas != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        n = 0;

    } else {
        n = ngx_atoi(value[1].data, value[1].len);

        if (n < 1 || n > NGX_HTTP_RS_REPLICAS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of replicas \"%V\": off, or "
                               "1 to 16", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    rmcf->redis.wait_replicas = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(&value[2], 0);

    if (ms == (ngx_msec_t) NGX_ERROR || ms == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    rmcf->redis.wait_timeout = ms;

    return NGX_CONF_OK;
}


char *
ngx_http_rs_tunnel_ports(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    u_char     *p, *end;
    ngx_int_t   first, last;
    ngx_str_t  *value;

    if (rmcf->tunnel_port) {
        return "is duplicate";
    }

    value = cf->args->elts;
    end = value[1].data + value[1].len;

    first = NGX_ERROR;
    last = NGX_ERROR;

    p = ngx_strlchr(value[1].data, end, '-');

    if (p) {
        first = ngx_atoi(value[1].data, p - value[1].data);
        last = ngx_atoi(p + 1, end - p - 1);
    }

    if (first < 1 || last < first || last > 65535
        || last - first >= NGX_HTTP_RS_PORTS_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid ports \"%V\": first-last, 10000 at most",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    rmcf->tunnel_port = first;
    rmcf->tunnel_port_last = last;

    return NGX_CONF_OK;
}


char *
ngx_http_rs_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    if (rmcf->node.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (rs_addr_node_check(ngx_http_rs_slice(&value[1])) != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"rs_node\" value \"%V\": "
                           "1 to 32 of a-z, 0-9 and \"-\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    rmcf->node = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_rs_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (rmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);

    if (size < NGX_HTTP_RS_ZONE_SIZE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\": at least 1m",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    rmcf->zone = ngx_http_rs_zone_add(cf, &value[1], size);

    return rmcf->zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_rs_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    rs_str_t   *origin;
    ngx_str_t  *value;
    ngx_uint_t  i;

    if (rlcf->origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rlcf->origins = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                     sizeof(rs_str_t));
    if (rlcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && value[1].len == 3
        && ngx_strncmp(value[1].data, "any", 3) == 0)
    {
        rlcf->origin_any = 1;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (rs_ws_origin_check(ngx_http_rs_slice(&value[i])) != RS_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\": "
                               "scheme://host[:port] and nothing after it",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(rlcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = ngx_http_rs_slice(&value[i]);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_agent_host(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_str_t   *value, *host;
    ngx_uint_t   i;

    if (rlcf->agent_hosts != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rlcf->agent_hosts = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                         sizeof(ngx_str_t));
    if (rlcf->agent_hosts == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '/'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid host \"%V\": a name without "
                               "scheme, port or path", &value[i]);
            return NGX_CONF_ERROR;
        }

        host = ngx_array_push(rlcf->agent_hosts);
        if (host == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_strlow(value[i].data, value[i].data, value[i].len);
        *host = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_ipc_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    if (rmcf->ipc_dir.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rmcf->ipc_dir = value[1];

    if (ngx_conf_full_name(cf->cycle, &rmcf->ipc_dir, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (rmcf->ipc_dir.len > NGX_HTTP_RS_IPC_DIR_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"rs_ipc_dir\" value \"%V\": its name "
                           "must not be longer than %d bytes",
                           &rmcf->ipc_dir, NGX_HTTP_RS_IPC_DIR_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the rate, and behind it in the configuration the burst */

char *
ngx_http_rs_message_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t  *rate;

    rate = (ngx_uint_t *) (p + cmd->offset);

    if (rate[0] != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);
    if (n < 1 || n > 1000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\": 1 to 1000000 messages "
                           "per second", &value[1]);
        return NGX_CONF_ERROR;
    }

    rate[0] = n;
    rate[1] = 2 * n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "burst=", 6) == 0) {
        n = ngx_atoi(value[2].data + 6, value[2].len - 6);

    } else {
        n = NGX_ERROR;
    }

    if (n < 1 || n > 1000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    rate[1] = n;

    return NGX_CONF_OK;
}


char *
ngx_http_rs_webhook_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (rlcf->webhook_key.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_rs_redis_conf_secret(cf, &value[1], &rlcf->webhook_key);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (rlcf->webhook_key.len < RS_WEBHOOK_KEY_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key in \"%V\" has less than %d characters; "
                           "make one with \"openssl rand -hex 32\"",
                           &value[1], RS_WEBHOOK_KEY_MIN);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_check_positive(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *value = data;

    return *value ? NGX_CONF_OK : "must not be 0";
}


char *
ngx_http_rs_check_positive_sec(ngx_conf_t *cf, void *post, void *data)
{
    time_t *value = data;

    return *value ? NGX_CONF_OK : "must not be 0";
}


char *
ngx_http_rs_check_positive_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t *value = data;

    return *value ? NGX_CONF_OK : "must not be 0";
}
