
/*
 * Copyright (C) rs-gateway contributors
 *
 * What REST handlers are given besides the path: body, query string, If-Match,
 * Idempotency-Key, quotas of the configuration; and the random values they
 * make objects of.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_utf8.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_API_IDEM_MAX  255
#define NGX_HTTP_RS_API_ARG_MAX   1024    /* bytes of a value, escaped */

#define NGX_HTTP_RS_API_QUOTA_MAX  1000000000


static ngx_int_t ngx_http_rs_api_read_arg(ngx_http_rs_api_t *api,
    ngx_str_t *pair, ngx_http_rs_api_arg_t *args, ngx_uint_t n);
static ngx_int_t ngx_http_rs_api_unescape(ngx_http_rs_api_t *api,
    ngx_str_t *text, ngx_str_t *value);
static ngx_int_t ngx_http_rs_api_bad_verb(ngx_http_rs_api_t *api,
    const char *pointer, size_t i);
static ngx_int_t ngx_http_rs_api_hash(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *hash);


ngx_int_t
ngx_http_rs_api_read_body(ngx_http_rs_api_t *api,
    const rs_json_field_t *fields, ngx_uint_t n, void *target,
    uint32_t *present, uint32_t *null_)
{
    rs_err_e  rc;

    if (api->body == NULL) {
        return NGX_OK;
    }

    rc = rs_json_read(api->body, fields, n, target, "", present, null_,
                      &api->err);

    if (rc != RS_OK) {
        ngx_http_rs_api_invalid(api, rc);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_read_object(ngx_http_rs_api_t *api, json_t *json,
    const rs_json_field_t *fields, ngx_uint_t n, void *target,
    const char *base)
{
    return ngx_http_rs_api_read_present(api, json, fields, n, target, base,
                                        NULL);
}


ngx_int_t
ngx_http_rs_api_read_present(ngx_http_rs_api_t *api, json_t *json,
    const rs_json_field_t *fields, ngx_uint_t n, void *target,
    const char *base, uint32_t *present)
{
    rs_err_e  rc;

    if (!json_is_object(json)) {
        rc = rs_json_fail(&api->err, RS_E_INVALID_VALUE, base,
                          "must be an object");

    } else {
        rc = rs_json_read(json, fields, n, target, base, present, NULL,
                          &api->err);
    }

    if (rc != RS_OK) {
        ngx_http_rs_api_invalid(api, rc);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_check_ttl(ngx_http_rs_api_t *api, const char *pointer,
    int64_t ttl, time_t max)
{
    rs_err_e  rc;

    if (ttl <= (int64_t) max) {
        return NGX_OK;
    }

    rc = rs_json_fail(&api->err, RS_E_INVALID_VALUE, pointer,
                      "must be 1 to %lld", (long long) max);
    ngx_http_rs_api_invalid(api, rc);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rs_api_read_tags(ngx_http_rs_api_t *api, json_t *tags,
    ngx_str_t *text)
{
    char         pointer[RS_JSON_POINTER_MAX];
    size_t       i, j, chars;
    json_t      *tag;
    rs_str_t     s;
    const char  *wrong;

    json_array_foreach(tags, i, tag) {

        wrong = NULL;

        s.data = (u_char *) json_string_value(tag);
        s.len = json_string_length(tag);

        if (s.data == NULL || !rs_utf8_printable(s)) {
            wrong = "must be a string without control characters";

        } else {
            chars = rs_utf8_count(s);

            if (chars == 0 || chars > NGX_HTTP_RS_API_TAG_MAX) {
                wrong = "must be 1 to 64 characters long";
            }
        }

        for (j = 0; j < i && wrong == NULL; j++) {
            if (json_equal(tag, json_array_get(tags, j))) {
                wrong = "is there twice";
            }
        }

        if (wrong) {
            ngx_sprintf((u_char *) pointer, "/tags/%uz%Z", i);
            ngx_http_rs_api_invalid(api,
                                    rs_json_fail(&api->err,
                                                 RS_E_INVALID_VALUE, pointer,
                                                 "%s", wrong));
            return NGX_DECLINED;
        }
    }

    return ngx_http_rs_api_dump(api->request->pool, tags, 0, text);
}


ngx_int_t
ngx_http_rs_api_read_verbs(ngx_http_rs_api_t *api, json_t *verbs,
    const char *pointer, uint32_t allowed, ngx_str_t *text)
{
    size_t      i;
    json_t     *item;
    uint32_t    set;
    rs_buf_t    b;
    rs_str_t    s;
    rs_verb_e   verb;
    ngx_uint_t  all;

    all = 0;
    set = 0;

    json_array_foreach(verbs, i, item) {

        s.data = (u_char *) json_string_value(item);
        s.len = json_string_length(item);

        if (s.data && allowed == RS_VERBS_ALL && !all
            && rs_str_eq(s, RS_STR("*")))
        {
            all = 1;
            continue;
        }

        if (s.data == NULL || !rs_verb_by_name(s, &verb)
            || !(RS_VERB_BIT(verb) & allowed & ~set))
        {
            return ngx_http_rs_api_bad_verb(api, pointer, i);
        }

        set |= RS_VERB_BIT(verb);
    }

    text->data = ngx_pnalloc(api->request->pool, RS_VERBS_TEXT_MAX);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    rs_buf_init(&b, text->data, RS_VERBS_TEXT_MAX);

    if (all) {
        rs_buf_char(&b, '*');

    } else {
        rs_verbs_write(&b, set, ' ');
    }

    text->len = b.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_bad_verb(ngx_http_rs_api_t *api, const char *pointer,
    size_t i)
{
    char  place[RS_JSON_POINTER_MAX];

    ngx_sprintf((u_char *) place, "%s/%uz%Z", pointer, i);

    ngx_http_rs_api_invalid(api,
                            rs_json_fail(&api->err, RS_E_INVALID_VALUE, place,
                                         "must be a verb that can be given "
                                         "here, once"));
    return NGX_DECLINED;
}


/*
 * The record is found by what was called, by whom, under which key; that it
 * is the same call is told by the body, whatever the order of its fields.
 */

ngx_int_t
ngx_http_rs_api_read_idem(ngx_http_rs_api_t *api)
{
    u_char              *p;
    ngx_str_t           *key, *who, text;
    ngx_uint_t           i;
    ngx_http_request_t  *r;

    r = api->request;

    key = ngx_http_rs_header_in(r, "idempotency-key",
                                sizeof("idempotency-key") - 1);
    if (key == NULL) {
        return NGX_OK;
    }

    for (i = 0; i < key->len; i++) {
        if (key->data[i] <= ' ' || key->data[i] >= 0x7f) {
            break;
        }
    }

    if (key->len == 0 || key->len > NGX_HTTP_RS_API_IDEM_MAX || i < key->len)
    {
        ngx_http_rs_api_fail(api, RS_E_BAD_REQUEST,
                             "Idempotency-Key must be 1 to 255 visible "
                             "ASCII characters", NULL);
        return NGX_DECLINED;
    }

    who = api->caller.user_id.len ? &api->caller.user_id
                                  : &api->caller.key_hash;

    text.len = r->method_name.len + 1 + api->path.len + 1 + who->len + 1
               + key->len;

    p = ngx_pnalloc(r->pool, text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;
    ngx_sprintf(p, "%V %V %V %V", &r->method_name, &api->path, who, key);

    if (ngx_http_rs_api_hash(r->pool, &text, &api->idem) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&text, "{}");

    if (api->body
        && ngx_http_rs_api_dump(r->pool, api->body, JSON_SORT_KEYS, &text)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_hash(r->pool, &text, &api->body_hash);
}


static ngx_int_t
ngx_http_rs_api_hash(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *hash)
{
    hash->len = RS_ID_HASH_LEN;
    hash->data = ngx_pnalloc(pool, RS_ID_HASH_LEN);

    if (hash->data == NULL
        || rs_hash_hex(ngx_http_rs_slice(text), (char *) hash->data) != RS_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_read_args(ngx_http_rs_api_t *api, ngx_http_rs_api_arg_t *args,
    ngx_uint_t n)
{
    ngx_int_t  rc;
    rs_str_t   pair, rest;
    ngx_str_t  text;

    rest = ngx_http_rs_slice(&api->request->args);

    while (rest.len) {

        rs_str_split(rest, '&', &pair, &rest);

        if (pair.len == 0) {
            continue;
        }

        text = ngx_http_rs_str(pair);

        rc = ngx_http_rs_api_read_arg(api, &text, args, n);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_read_arg(ngx_http_rs_api_t *api, ngx_str_t *pair,
    ngx_http_rs_api_arg_t *args, ngx_uint_t n)
{
    rs_str_t    name, value;
    ngx_str_t   text;
    ngx_uint_t  i;

    rs_str_split(ngx_http_rs_slice(pair), '=', &name, &value);

    for (i = 0; i < n; i++) {
        if (args[i].name.len
            && rs_str_eq(name, ngx_http_rs_slice(&args[i].name)))
        {
            break;
        }
    }

    if (i == n) {
        ngx_http_rs_api_fail(api, RS_E_UNKNOWN_FIELD,
                             "the query has a parameter this call does not "
                             "know", NULL);
        return NGX_DECLINED;
    }

    if (args[i].value.len) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "the query has a parameter twice", NULL);
        return NGX_DECLINED;
    }

    text = ngx_http_rs_str(value);

    return ngx_http_rs_api_unescape(api, &text, &args[i].value);
}


static ngx_int_t
ngx_http_rs_api_unescape(ngx_http_rs_api_t *api, ngx_str_t *text,
    ngx_str_t *value)
{
    u_char      *src, *dst;
    ngx_uint_t   i;

    if (text->len && text->len <= NGX_HTTP_RS_API_ARG_MAX) {

        src = ngx_pstrdup(api->request->pool, text);
        value->data = ngx_pnalloc(api->request->pool, text->len);

        if (src == NULL || value->data == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < text->len; i++) {
            if (src[i] == '+') {
                src[i] = ' ';
            }
        }

        dst = value->data;
        ngx_unescape_uri(&dst, &src, text->len, 0);
        value->len = dst - value->data;

        if (value->len && rs_utf8_printable(ngx_http_rs_slice(value))) {
            return NGX_OK;
        }
    }

    ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                         "a parameter of the query is empty, too long or "
                         "not printable UTF-8", NULL);
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rs_api_new_id(ngx_pool_t *pool, const char *prefix, ngx_str_t *id)
{
    u_char  bytes[RS_ID_RANDOM_LEN];

    id->len = RS_ID_LEN;
    id->data = ngx_pnalloc(pool, RS_ID_LEN);

    if (id->data == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    rs_id_format((char *) id->data, prefix, bytes);

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_new_secret(char *secret)
{
    u_char  bytes[RS_ID_SECRET_RANDOM_LEN];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    rs_secret_format(secret, bytes);
    ngx_explicit_memzero(bytes, sizeof(bytes));

    return NGX_OK;
}


/*
 * If-Match is compared strongly (RFC 9110, 13.1.1): what is not an ETag of
 * ours matches nothing.
 */

ngx_int_t
ngx_http_rs_api_version(ngx_http_rs_api_t *api, ngx_uint_t required,
    ngx_str_t *version)
{
    rs_str_t    s;
    uint64_t    n;
    ngx_str_t  *match;

    match = ngx_http_rs_header_in(api->request, "if-match",
                                  sizeof("if-match") - 1);

    if (match == NULL) {

        ngx_str_null(version);

        if (!required) {
            return NGX_OK;
        }

        ngx_http_rs_api_fail(api, RS_E_PRECONDITION_REQUIRED,
                             "send the object's ETag in If-Match", NULL);
        return NGX_DECLINED;
    }

    s = ngx_http_rs_slice(match);

    if (s.len > 2 && s.data[0] == '"' && s.data[s.len - 1] == '"') {
        s.data++;
        s.len -= 2;

        if (rs_u64_parse(s, 1ULL << 53, &n)) {
            *version = ngx_http_rs_str(s);
            return NGX_OK;
        }
    }

    ngx_http_rs_api_fail(api, RS_E_PRECONDITION_FAILED, NULL, NULL);

    return NGX_DECLINED;
}


/* "" and 0 are none */

ngx_int_t
ngx_http_rs_api_quota(ngx_http_rs_api_t *api, ngx_http_complex_value_t *cv,
    ngx_uint_t *n)
{
    uint64_t   value;
    ngx_str_t  text;

    *n = 0;

    if (cv == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(api->request, cv, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text.len == 0) {
        return NGX_OK;
    }

    if (!rs_u64_parse(ngx_http_rs_slice(&text), NGX_HTTP_RS_API_QUOTA_MAX,
                      &value))
    {
        ngx_log_error(NGX_LOG_ERR, api->request->connection->log, 0,
                      "rs api: the quota \"%V\" is \"%V\" here, it must be "
                      "a number up to %d, 0 for none", &cv->value, &text,
                      NGX_HTTP_RS_API_QUOTA_MAX);
        return NGX_ERROR;
    }

    *n = value;

    return NGX_OK;
}
