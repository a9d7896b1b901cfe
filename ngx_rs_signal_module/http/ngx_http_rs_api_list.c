
/*
 * Copyright (C) rs-gateway contributors
 *
 * Lists: one call for a page of ids, then one for each object, all under way
 * at once.  Filters are applied here, so a page may hold fewer objects than
 * its limit; whoever follows next_cursor sees each object once.
 */


#include "ngx_http_rs_api_internal.h"


#define NGX_HTTP_RS_API_LIST_MAX      200
#define NGX_HTTP_RS_API_LIST_DEFAULT  50
#define NGX_HTTP_RS_API_CURSOR_MAX    64


typedef struct {
    const ngx_http_rs_api_list_t  *list;
    ngx_str_t                      values[NGX_HTTP_RS_API_FILTERS];
    json_t                        *items;      /* of api->json */
} ngx_http_rs_api_page_t;


typedef struct {
    ngx_http_rs_api_page_t        *page;
    size_t                         i;          /* its place in items */
} ngx_http_rs_api_item_t;


static ngx_int_t ngx_http_rs_api_list_ids(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_list_get(ngx_http_rs_api_t *api,
    ngx_http_rs_api_page_t *page, ngx_str_t *id, size_t i);
static ngx_int_t ngx_http_rs_api_list_item(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_list_done(ngx_http_rs_api_t *api,
    ngx_http_rs_api_page_t *page);


ngx_int_t
ngx_http_rs_api_list(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_list_t *list)
{
    uint64_t                 n;
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_http_rs_api_op_t    *aop;
    ngx_http_rs_api_arg_t    args[2 + NGX_HTTP_RS_API_FILTERS];
    ngx_http_rs_api_page_t  *page;

    n = 0;
    ngx_memzero(args, sizeof(args));

    ngx_str_set(&args[0].name, "limit");
    ngx_str_set(&args[1].name, "cursor");

    for (i = 0; i < NGX_HTTP_RS_API_FILTERS; i++) {
        args[2 + i].name = list->filters[i];
    }

    rc = ngx_http_rs_api_read_args(api, args, 2 + NGX_HTTP_RS_API_FILTERS);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_limit(api, &args[0].value, &n);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_cursor(api, &args[1].value);
    }

    page = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_page_t));
    if (page == NULL) {
        return NGX_ERROR;
    }

    page->list = list;

    for (i = 0; i < NGX_HTTP_RS_API_FILTERS; i++) {
        page->values[i] = args[2 + i].value;
    }

    if (rc == NGX_OK && list->check) {
        rc = list->check(api, page->values);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_list_ids, page);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_list(aop->op, &api->caller,
                                                       list->index,
                                                       &args[1].value, n));
}


ngx_int_t
ngx_http_rs_api_limit(ngx_http_rs_api_t *api, ngx_str_t *limit, uint64_t *n)
{
    *n = NGX_HTTP_RS_API_LIST_DEFAULT;

    if (limit->len == 0
        || (rs_u64_parse(ngx_http_rs_slice(limit), NGX_HTTP_RS_API_LIST_MAX,
                         n)
            && *n != 0))
    {
        return NGX_OK;
    }

    ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                         "\"limit\" must be 1 to 200", NULL);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rs_api_cursor(ngx_http_rs_api_t *api, ngx_str_t *cursor)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < cursor->len; i++) {
        ch = cursor->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')
            && ch != '_' && ch != '.' && ch != '-')
        {
            break;
        }
    }

    if (i < cursor->len || cursor->len > NGX_HTTP_RS_API_CURSOR_MAX) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "\"cursor\" must be a next_cursor of this list",
                             NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_list_ids(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_page_t *page = data;

    size_t           i, n;
    ngx_int_t        rc;
    ngx_str_t        id;
    ngx_rs_reply_t  *ids;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code,
                                    (code == RS_E_INVALID_VALUE)
                                    ? "\"cursor\" must be a next_cursor of "
                                      "this list"
                                    : NULL, NULL);
    }

    ids = ngx_rs_reply_at(reply, 2);
    n = ngx_rs_reply_count(ids);

    page->items = json_array();

    api->json = json_pack("{s:o, s:o}", "items", page->items, "next_cursor",
                          ngx_http_rs_api_text(ngx_rs_reply_str(reply, 1)));
    if (api->json == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_DONE;

    for (i = 0; i < n && rc == NGX_DONE; i++) {

        if (json_array_append_new(page->items, json_null()) != 0) {
            return NGX_ERROR;
        }

        id = ngx_rs_reply_str(ids, i);
        rc = ngx_http_rs_api_list_get(api, page, &id, i);
    }

    if (n == 0) {
        return ngx_http_rs_api_list_done(api, page);
    }

    return rc;
}


static ngx_int_t
ngx_http_rs_api_list_get(ngx_http_rs_api_t *api, ngx_http_rs_api_page_t *page,
    ngx_str_t *id, size_t i)
{
    ngx_http_rs_api_op_t    *aop;
    ngx_http_rs_api_item_t  *item;

    item = ngx_palloc(api->request->pool, sizeof(ngx_http_rs_api_item_t));
    if (item == NULL) {
        return NGX_ERROR;
    }

    item->page = page;
    item->i = i;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_list_item, item);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    api->caller.list = 1;

    return ngx_http_rs_api_wait(aop,
                                page->list->get(aop->op, &api->caller, id));
}


static ngx_int_t
ngx_http_rs_api_list_item(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_item_t *item = data;

    ngx_http_rs_api_page_t  *page;

    page = item->page;

    /* an object that went away since the page was read is left out */

    if (code != RS_OK && code != RS_E_NOT_FOUND) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    if (code == RS_OK
        && (page->list->pass == NULL
            || page->list->pass(api, reply, page->values))
        && json_array_set_new(page->items, item->i,
                              page->list->make(api, reply))
           != 0)
    {
        return NGX_ERROR;
    }

    if (!ngx_queue_empty(&api->ops)) {
        return NGX_DONE;
    }

    return ngx_http_rs_api_list_done(api, page);
}


static ngx_int_t
ngx_http_rs_api_list_done(ngx_http_rs_api_t *api,
    ngx_http_rs_api_page_t *page)
{
    size_t  i;

    for (i = json_array_size(page->items); i > 0; i--) {
        if (json_is_null(json_array_get(page->items, i - 1))) {
            json_array_remove(page->items, i - 1);
        }
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK, api->json);
}
