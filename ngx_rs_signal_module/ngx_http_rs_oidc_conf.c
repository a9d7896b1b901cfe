
/*
 * Copyright (C) rs-gateway contributors
 *
 * The directives of OpenID Connect, and what they need of each other.  Keys
 * in a file are read at configuration time: a reload reads them again.
 */


#include "ngx_http_rs.h"
#include "ngx_http_rs_oidc_conf.h"
#include "rs_utf8.h"


#define NGX_HTTP_RS_OIDC_ROLES     256     /* rs_oidc_role lines */
#define NGX_HTTP_RS_OIDC_SKEW_MAX  300     /* s */


static ngx_int_t ngx_http_rs_oidc_parameter(ngx_conf_t *cf, ngx_str_t *arg,
    const ngx_str_t *name, ngx_str_t *value);
static char *ngx_http_rs_oidc_issuer(ngx_conf_t *cf, ngx_str_t *issuer);
static char *ngx_http_rs_oidc_scope(ngx_conf_t *cf, ngx_str_t *scope);
static char *ngx_http_rs_oidc_keys(ngx_conf_t *cf,
    ngx_http_rs_oidc_conf_t *conf);


ngx_conf_enum_t  ngx_http_rs_oidc_nonces[] = {
    { ngx_string("optional"), 0 },
    { ngx_string("required"), 1 },
    { ngx_null_string, 0 }
};


void
ngx_http_rs_oidc_create(ngx_http_rs_oidc_conf_t *conf)
{
    conf->roles = NGX_CONF_UNSET_PTR;
    conf->algs = NGX_CONF_UNSET_UINT;
    conf->skew = NGX_CONF_UNSET;
    conf->max_age = NGX_CONF_UNSET;
    conf->nonce = NGX_CONF_UNSET_UINT;
}


/* rs_oidc issuer= client_id= [audience=] [scope=] */

char *
ngx_http_rs_oidc_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_int_t                 rc;
    ngx_str_t                *arg;
    ngx_uint_t                i, k;
    ngx_http_rs_oidc_conf_t  *oidc;

    static const struct {
        ngx_str_t   name;
        size_t      offset;
    } args[] = {
        { ngx_string("issuer="), offsetof(ngx_http_rs_oidc_conf_t, issuer) },
        { ngx_string("client_id="),
          offsetof(ngx_http_rs_oidc_conf_t, client_id) },
        { ngx_string("audience="),
          offsetof(ngx_http_rs_oidc_conf_t, audience) },
        { ngx_string("scope="), offsetof(ngx_http_rs_oidc_conf_t, scope) },
        { ngx_null_string, 0 }
    };

    oidc = &rlcf->oidc;

    if (oidc->issuer.len) {
        return "is duplicate";
    }

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rc = NGX_DECLINED;

        for (k = 0; args[k].name.len && rc == NGX_DECLINED; k++) {
            rc = ngx_http_rs_oidc_parameter(cf, &arg[i], &args[k].name,
                                            (ngx_str_t *) ((char *) oidc
                                                       + args[k].offset));
        }

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": issuer=, "
                               "client_id=, audience= or scope=", &arg[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (oidc->issuer.len == 0 || oidc->client_id.len == 0) {
        return "needs \"issuer=\" and \"client_id=\"";
    }

    if (oidc->audience.len == 0) {
        oidc->audience = oidc->client_id;
    }

    if (ngx_http_rs_oidc_issuer(cf, &oidc->issuer) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_rs_oidc_scope(cf, &oidc->scope);
}


/* NGX_OK; NGX_ERROR, logged; NGX_DECLINED: arg is another one */

static ngx_int_t
ngx_http_rs_oidc_parameter(ngx_conf_t *cf, ngx_str_t *arg,
    const ngx_str_t *name, ngx_str_t *value)
{
    if (arg->len < name->len
        || ngx_strncmp(arg->data, name->data, name->len) != 0)
    {
        return NGX_DECLINED;
    }

    if (value->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate parameter \"%V\"", arg);
        return NGX_ERROR;
    }

    value->data = arg->data + name->len;
    value->len = arg->len - name->len;

    if (value->len == 0 || value->len > NGX_HTTP_RS_OIDC_TEXT_MAX
        || !rs_utf8_printable(ngx_http_rs_slice(value)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": 1 to %d bytes without "
                           "control characters", arg,
                           NGX_HTTP_RS_OIDC_TEXT_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* OpenID Connect Discovery, 3: https, no query, no fragment */

static char *
ngx_http_rs_oidc_issuer(ngx_conf_t *cf, ngx_str_t *issuer)
{
    static ngx_str_t  https = ngx_string("https://");

    if (issuer->len > https.len
        && ngx_strncmp(issuer->data, https.data, https.len) == 0
        && ngx_strlchr(issuer->data, issuer->data + issuer->len, '?') == NULL
        && ngx_strlchr(issuer->data, issuer->data + issuer->len, '#') == NULL)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid issuer \"%V\": the \"issuer\" of its "
                       "/.well-known/openid-configuration, to the letter, "
                       "which begins with https:// and has no \"?\" or "
                       "\"#\"", issuer);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_rs_oidc_scope(ngx_conf_t *cf, ngx_str_t *scope)
{
    rs_str_t  word, rest;

    if (scope->len == 0) {
        ngx_str_set(scope, "openid");
        return NGX_CONF_OK;
    }

    rest = ngx_http_rs_slice(scope);

    while (rest.len) {
        (void) rs_str_split(rest, ' ', &word, &rest);

        if (rs_str_eq(word, RS_STR("openid"))) {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid scope \"%V\": \"openid\" must be in it, as "
                       "in \"scope=openid profile\"", scope);

    return NGX_CONF_ERROR;
}


char *
ngx_http_rs_oidc_algorithms(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_str_t     *arg;
    ngx_uint_t     i;
    rs_jws_alg_e   alg;

    if (rlcf->oidc.algs != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    rlcf->oidc.algs = 0;
    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (!rs_jws_alg_parse(ngx_http_rs_slice(&arg[i]), &alg)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid algorithm \"%V\": one of RS256, "
                               "RS384, RS512, PS256, PS384, PS512, ES256, "
                               "ES384, ES512, EdDSA", &arg[i]);
            return NGX_CONF_ERROR;
        }

        rlcf->oidc.algs |= RS_JWS_MASK(alg);
    }

    return NGX_CONF_OK;
}


/* a name, or a JSON pointer */

char *
ngx_http_rs_oidc_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *arg, *claim;

    claim = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (claim->data) {
        return "is duplicate";
    }

    arg = cf->args->elts;

    if (arg[1].len == 0 || arg[1].len > 255) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid claim \"%V\": a name of 1 to 255 bytes, "
                           "or a JSON pointer as \"/realm_access/roles\"",
                           &arg[1]);
        return NGX_CONF_ERROR;
    }

    *claim = arg[1];

    return NGX_CONF_OK;
}


/* rs_oidc_role role group [tenant=] */

char *
ngx_http_rs_oidc_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    rs_role_e                 role;
    ngx_str_t                *arg, tenant;
    ngx_http_rs_oidc_role_t  *r;

    static const ngx_str_t  name = ngx_string("tenant=");

    arg = cf->args->elts;
    ngx_str_null(&tenant);

    if (!rs_role_by_name(ngx_http_rs_slice(&arg[1]), &role)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid role \"%V\": observer, technician, admin "
                           "or auditor", &arg[1]);
        return NGX_CONF_ERROR;
    }

    if (arg[2].len == 0 || arg[2].len > NGX_HTTP_RS_OIDC_TEXT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid group \"%V\": 1 to %d bytes, as the "
                           "issuer names it; \"*\" is everybody", &arg[2],
                           NGX_HTTP_RS_OIDC_TEXT_MAX);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 4
        && (ngx_http_rs_oidc_parameter(cf, &arg[3], &name, &tenant) != NGX_OK
            || rs_tenant_check(ngx_http_rs_slice(&tenant)) != RS_OK))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": tenant= and 1 to 32 of "
                           "a-z, 0-9 and \"-\"", &arg[3]);
        return NGX_CONF_ERROR;
    }

    if (rlcf->oidc.roles == NGX_CONF_UNSET_PTR) {
        rlcf->oidc.roles = ngx_array_create(cf->pool, 8,
                                            sizeof(ngx_http_rs_oidc_role_t));
        if (rlcf->oidc.roles == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (rlcf->oidc.roles->nelts == NGX_HTTP_RS_OIDC_ROLES) {
        return "comes more than 256 times here: have the issuer put users "
               "into fewer groups";
    }

    r = ngx_array_push(rlcf->oidc.roles);
    if (r == NULL) {
        return NGX_CONF_ERROR;
    }

    r->role = role;
    r->group = arg[2];
    r->tenant = tenant;

    return NGX_CONF_OK;
}


/* rs_jwks_file, rs_jwks_request */

char *
ngx_http_rs_oidc_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_str_t                *arg, *value;
    ngx_http_rs_oidc_conf_t  *oidc;

    oidc = &rlcf->oidc;
    arg = cf->args->elts;
    value = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (value->data) {
        return "is duplicate";
    }

    *value = arg[1];

    if (oidc->jwks_file.data && oidc->jwks_uri.data) {
        return "excludes the other one: keys are of \"rs_jwks_file\" or of "
               "\"rs_jwks_request\"";
    }

    if (value == &oidc->jwks_uri
        && (arg[1].len < 2 || arg[1].len > NGX_HTTP_RS_OIDC_TEXT_MAX
            || arg[1].data[0] != '/'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\": that of an internal location "
                           "of this server, as \"/_rs_jwks\", that proxies "
                           "the issuer's \"jwks_uri\"", &arg[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_oidc_merge(ngx_conf_t *cf, ngx_http_rs_oidc_conf_t *prev,
    ngx_http_rs_oidc_conf_t *conf, ngx_uint_t gateway)
{
    if (conf->issuer.data == NULL) {
        conf->issuer = prev->issuer;
        conf->client_id = prev->client_id;
        conf->audience = prev->audience;
        conf->scope = prev->scope;
    }

    if (conf->jwks_file.data == NULL && conf->jwks_uri.data == NULL) {
        conf->jwks_file = prev->jwks_file;
        conf->jwks_uri = prev->jwks_uri;
    }

    ngx_conf_merge_uint_value(conf->algs, prev->algs, RS_JWS_DEFAULT_ALGS);
    ngx_conf_merge_str_value(conf->tenant_claim, prev->tenant_claim, "");
    ngx_conf_merge_str_value(conf->user_claim, prev->user_claim, "sub");
    ngx_conf_merge_str_value(conf->name_claim, prev->name_claim, "name");
    ngx_conf_merge_str_value(conf->groups_claim, prev->groups_claim,
                             "groups");
    ngx_conf_merge_ptr_value(conf->roles, prev->roles, NULL);
    ngx_conf_merge_sec_value(conf->skew, prev->skew, 60);
    ngx_conf_merge_sec_value(conf->max_age, prev->max_age, 86400);
    ngx_conf_merge_uint_value(conf->nonce, prev->nonce, 1);

    if (conf->skew > NGX_HTTP_RS_OIDC_SKEW_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_oidc_skew\" must not be above 5m: have the "
                           "clocks set by NTP");
        return NGX_CONF_ERROR;
    }

    if (!gateway || conf->issuer.len == 0) {
        return NGX_CONF_OK;
    }

    return ngx_http_rs_oidc_keys(cf, conf);
}


static char *
ngx_http_rs_oidc_keys(ngx_conf_t *cf, ngx_http_rs_oidc_conf_t *conf)
{
    ngx_http_rs_main_conf_t  *rmcf;

    if (conf->jwks_file.len == 0 && conf->jwks_uri.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_oidc\" of issuer \"%V\" needs its keys: "
                           "\"rs_jwks_request\" or \"rs_jwks_file\"",
                           &conf->issuer);
        return NGX_CONF_ERROR;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rs_signal_module);

    conf->jwks = conf->jwks_file.len
                 ? ngx_http_rs_jwks_file(cf, &conf->jwks_file)
                 : ngx_http_rs_jwks_request(cf, rmcf, &conf->issuer,
                                            &conf->jwks_uri);

    return conf->jwks ? NGX_CONF_OK : NGX_CONF_ERROR;
}
