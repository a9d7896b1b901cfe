
/*
 * Copyright (C) rs-gateway contributors
 *
 * The directives of STUN and TURN servers, and what they need of each other.
 * A secret is read at configuration time: a reload reads it again.
 */


#include "ngx_http_rs.h"
#include "ngx_http_rs_turn_conf.h"

#include <openssl/crypto.h>


static char *ngx_http_rs_turn_urls(ngx_conf_t *cf, ngx_array_t *urls,
    ngx_uint_t from, ngx_uint_t turn);
static ngx_int_t ngx_http_rs_turn_read(ngx_conf_t *cf, ngx_str_t *name,
    rs_str_t *text);


/* appends the checked URLs value[from..] to urls */

static char *
ngx_http_rs_turn_urls(ngx_conf_t *cf, ngx_array_t *urls, ngx_uint_t from,
    ngx_uint_t turn)
{
    rs_str_t   *url;
    rs_err_e    rc;
    ngx_str_t  *value;
    ngx_uint_t  i;

    value = cf->args->elts;

    for (i = from; i < cf->args->nelts; i++) {

        rc = turn ? rs_ice_check_turn_url(ngx_http_rs_slice(&value[i]))
                  : rs_ice_check_stun_url(ngx_http_rs_slice(&value[i]));

        if (rc != RS_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URL \"%V\": %s", &value[i],
                               turn ? "turn:host[:port][?transport=udp|tcp] "
                                      "or turns:host[:port][?transport=tcp]"
                                    : "stun:host[:port]");
            return NGX_CONF_ERROR;
        }

        url = ngx_array_push(urls);
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }

        *url = ngx_http_rs_slice(&value[i]);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_stun_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    if (rlcf->stun == NGX_CONF_UNSET_PTR) {
        rlcf->stun = ngx_array_create(cf->pool, 4, sizeof(rs_str_t));
        if (rlcf->stun == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_rs_turn_urls(cf, rlcf->stun, 1, 0);
}


char *
ngx_http_rs_turn_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_str_t                  *value;
    ngx_http_rs_turn_server_t  *ts;

    value = cf->args->elts;

    if (rs_region_check(ngx_http_rs_slice(&value[1])) != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid region \"%V\": it is 1 to %d letters, "
                           "digits, \".\", \"_\" and \"-\"", &value[1],
                           RS_REGION_MAX);
        return NGX_CONF_ERROR;
    }

    if (rlcf->turn == NGX_CONF_UNSET_PTR) {
        rlcf->turn = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_http_rs_turn_server_t));
        if (rlcf->turn == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ts = ngx_array_push(rlcf->turn);
    if (ts == NULL) {
        return NGX_CONF_ERROR;
    }

    ts->region = value[1];

    if (ngx_array_init(&ts->urls, cf->pool, 2, sizeof(rs_str_t)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_rs_turn_urls(cf, &ts->urls, 2, 1);
}


char *
ngx_http_rs_turn_secret_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (rlcf->turn_secret.data) {
        return "is duplicate";
    }

    if (rlcf->turn_key) {
        return "excludes \"rs_turn_key_file\": keep the one whose secret the "
               "TURN servers have";
    }

    value = cf->args->elts;

    rv = ngx_rs_redis_conf_secret(cf, &value[1], &rlcf->turn_secret);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (rs_turn_secret_check(ngx_http_rs_slice(&rlcf->turn_secret)) != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the TURN secret in \"%V\" is too short or a "
                           "well-known example; make one with "
                           "\"openssl rand -hex 32\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_turn_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    char                 secret[RS_TURN_DERIVED_LEN];
    rs_err_e             rc;
    rs_str_t             text;
    ngx_str_t           *value;
    rs_turn_key_error_t  e;

    if (rlcf->turn_key) {
        return "is duplicate";
    }

    if (rlcf->turn_secret.data) {
        return "excludes \"rs_turn_secret_file\": keep the one whose secret "
               "the TURN servers have";
    }

    value = cf->args->elts;

    rlcf->turn_key = ngx_palloc(cf->pool, sizeof(rs_turn_key_t));

    if (rlcf->turn_key == NULL
        || ngx_http_rs_turn_read(cf, &value[1], &text) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = rs_turn_key_parse(rlcf->turn_key, text, &e);
    OPENSSL_cleanse((void *) text.data, text.len);

    if (rc != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid TURN key file \"%V\", line %ui: %s",
                           &value[1], (ngx_uint_t) e.line, e.text);
        return NGX_CONF_ERROR;
    }

    rc = rs_turn_key_secret(secret, rlcf->turn_key, RS_STR("realm"),
                            ngx_time() / RS_TURN_EPOCH);
    OPENSSL_cleanse(secret, sizeof(secret));

    if (rc != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the TURN key file \"%V\" has no key for today: "
                           "its first line starts later, put the key before "
                           "it back", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* one byte more than may be in it is read, so that too long is seen */

static ngx_int_t
ngx_http_rs_turn_read(ngx_conf_t *cf, ngx_str_t *name, rs_str_t *text)
{
    u_char     *p;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   file;

    file = *name;

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, RS_TURN_KEY_FILE_MAX + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &file);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, p, RS_TURN_KEY_FILE_MAX + 1);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &file);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &file);
    }

    if (n == -1) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = n;

    return NGX_OK;
}


char *
ngx_http_rs_turn_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->turn_realm.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (rs_turn_realm_check(ngx_http_rs_slice(&value[1])) != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"rs_turn_realm\" value \"%V\": "
                           "1 to 127 of a-z, A-Z, 0-9, \".\", \"_\" and \"-\", "
                           "the same as \"realm\" of the TURN servers",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    rlcf->turn_realm = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_rs_turn_merge(ngx_conf_t *cf, ngx_http_rs_loc_conf_t *prev,
    ngx_http_rs_loc_conf_t *conf)
{
    ngx_conf_merge_str_value(conf->turn_realm, prev->turn_realm, "");

    /* one of them replaces the other of the level above */

    if (conf->turn_secret.data == NULL && conf->turn_key == NULL) {
        conf->turn_secret = prev->turn_secret;
        conf->turn_key = prev->turn_key;
    }

    if (!conf->gateway || conf->turn == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->turn_secret.len == 0 && conf->turn_key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_turn_server\" needs \"rs_turn_secret_file\", "
                           "the static-auth-secret of coturn, or "
                           "\"rs_turn_key_file\", the key_file of "
                           "rs-turn-authd");
        return NGX_CONF_ERROR;
    }

    if (conf->turn_key && conf->turn_realm.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_turn_key_file\" needs \"rs_turn_realm\", "
                           "the realm of the TURN servers");
        return NGX_CONF_ERROR;
    }

    /* TURN servers have the secrets of yesterday, today and tomorrow */

    if (conf->turn_key && conf->turn_ttl > RS_TURN_EPOCH) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_turn_ttl\" must not be above 1d with "
                           "\"rs_turn_key_file\", whose secrets are by day");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
