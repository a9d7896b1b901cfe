
/*
 * Copyright (C) rs-gateway contributors
 *
 * The audit: read by pages, and cut from its old end once it was exported.
 */


#include "ngx_http_rs_api_internal.h"


static ngx_int_t ngx_http_rs_api_audit_read(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_audit_line(ngx_rs_reply_t *line);
static ngx_str_t ngx_http_rs_api_audit_field(ngx_rs_reply_t *line,
    const char *name);
static json_t *ngx_http_rs_api_audit_text(ngx_rs_reply_t *line,
    const char *name);
static ngx_int_t ngx_http_rs_api_audit_trimmed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


/* GET /audit */

ngx_int_t
ngx_http_rs_api_audit_list(ngx_http_rs_api_t *api)
{
    uint64_t                n;
    rs_pos_t                pos;
    rs_str_t                order;
    ngx_int_t               rc;
    ngx_str_t              *cursor;
    ngx_uint_t              newest;
    ngx_http_rs_api_op_t   *aop;
    ngx_http_rs_api_arg_t   args[3];

    n = 0;
    ngx_memzero(args, sizeof(args));
    ngx_str_set(&args[0].name, "limit");
    ngx_str_set(&args[1].name, "cursor");
    ngx_str_set(&args[2].name, "order");

    rc = ngx_http_rs_api_read_args(api, args, 3);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_limit(api, &args[0].value, &n);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    cursor = &args[1].value;
    order = ngx_http_rs_slice(&args[2].value);
    newest = rs_str_eq(order, RS_STR("newest"));

    if (order.len && !newest && !rs_str_eq(order, RS_STR("oldest"))) {
        return ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                    "\"order\" must be oldest or newest",
                                    NULL);
    }

    if (cursor->len
        && rs_pos_parse(ngx_http_rs_slice(cursor), &pos) != RS_OK)
    {
        return ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                    "\"cursor\" must be a next_cursor or the "
                                    "id of a line", NULL);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_audit_read, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_audit_list(aop->op,
                                                 &api->caller, cursor, n,
                                                 newest));
}


static ngx_int_t
ngx_http_rs_api_audit_read(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    json_t          *items;
    ngx_uint_t       i;
    ngx_rs_reply_t  *lines;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    items = json_array();

    api->json = json_pack("{s:o, s:o}", "items", items, "next_cursor",
                          ngx_http_rs_api_text(ngx_rs_reply_str(reply, 1)));
    if (api->json == NULL) {
        return NGX_ERROR;
    }

    lines = ngx_rs_reply_at(reply, 2);

    for (i = 0; i < ngx_rs_reply_count(lines); i++) {

        if (json_array_append_new(items,
                                  ngx_http_rs_api_audit_line(
                                                ngx_rs_reply_at(lines, i)))
            != 0)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK, api->json);
}


/* position, field, value, ...; NULL: no memory */

static json_t *
ngx_http_rs_api_audit_line(ngx_rs_reply_t *line)
{
    return json_pack("{s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, "
                     "s:o, s:o}",
                     "id", ngx_http_rs_api_text(ngx_rs_reply_str(line, 0)),
                     "at", ngx_http_rs_api_number(
                                    ngx_http_rs_api_audit_field(line, "at")),
                     "actor",
                     "kind", ngx_http_rs_api_audit_text(line, "actor"),
                     "id", ngx_http_rs_api_audit_text(line, "actor_id"),
                     "name", ngx_http_rs_api_audit_text(line, "actor_name"),
                     "verb", ngx_http_rs_api_audit_text(line, "verb"),
                     "object", ngx_http_rs_api_audit_text(line, "object"),
                     "outcome", ngx_http_rs_api_audit_text(line, "outcome"),
                     "reason", ngx_http_rs_api_audit_text(line, "reason"),
                     "address", ngx_http_rs_api_audit_text(line, "addr"),
                     "request_id", ngx_http_rs_api_audit_text(line, "rid"),
                     "detail", ngx_http_rs_api_audit_text(line, "detail"));
}


static ngx_str_t
ngx_http_rs_api_audit_field(ngx_rs_reply_t *line, const char *name)
{
    ngx_str_t   s;
    ngx_uint_t  i;

    for (i = 1; i + 1 < ngx_rs_reply_count(line); i += 2) {
        s = ngx_rs_reply_str(line, i);

        if (rs_str_eq(ngx_http_rs_slice(&s), rs_str(name))) {
            return ngx_rs_reply_str(line, i + 1);
        }
    }

    ngx_str_null(&s);

    return s;
}


/* a text may be cut within a character: that one goes */

static json_t *
ngx_http_rs_api_audit_text(ngx_rs_reply_t *line, const char *name)
{
    json_t    *json;
    ngx_str_t  s;

    s = ngx_http_rs_api_audit_field(line, name);
    json = ngx_http_rs_api_text(s);

    while (json == NULL && s.len > 1) {
        s.len--;
        json = ngx_http_rs_api_text(s);
    }

    return json ? json : json_null();
}


/* DELETE /audit?through= */

ngx_int_t
ngx_http_rs_api_audit_trim(ngx_http_rs_api_t *api)
{
    rs_pos_t                pos;
    ngx_int_t               rc;
    ngx_http_rs_api_op_t   *aop;
    ngx_http_rs_api_arg_t   arg;

    ngx_str_set(&arg.name, "through");
    ngx_str_null(&arg.value);

    rc = ngx_http_rs_api_read_args(api, &arg, 1);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (rs_pos_parse(ngx_http_rs_slice(&arg.value), &pos) != RS_OK) {
        return ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                    "\"through\" must be the id of the last "
                                    "line to go", NULL);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_audit_trimmed, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_audit_trim(aop->op,
                                                 &api->caller, &arg.value));
}


static ngx_int_t
ngx_http_rs_api_audit_trimmed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_str_t  what;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    what = ngx_rs_reply_str(reply, 1);

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  json_pack("{s:I, s:b}", "removed",
                                            (json_int_t) ngx_rs_reply_int(
                                                                reply, 2),
                                            "more",
                                            rs_str_eq(ngx_http_rs_slice(&what),
                                                      RS_STR("more"))));
}
