
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rendered sessions in REST: what their pages are held to, in requests and in
 * policies; and which renderer they are given to.
 *
 * The store is asked who is free, and then to make the session at the first of
 * those that are live: it says no when that one was taken meanwhile, and the
 * next one is tried.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_utf8.h"
#include "rs_weburl.h"


#define NGX_HTTP_RS_API_SELECTOR_MAX  256      /* characters */


static ngx_int_t ngx_http_rs_api_page_list(ngx_http_rs_api_t *api,
    json_t *list, const char *base, const char *(*wrong)(rs_str_t s),
    ngx_str_t *text);
static const char *ngx_http_rs_api_page_rule(rs_str_t s);
static const char *ngx_http_rs_api_page_selector(rs_str_t s);


const char *const  ngx_http_rs_api_downloads[] = { "both", "none", NULL };


rs_err_e
ngx_http_rs_api_page_url(rs_str_t s)
{
    rs_weburl_t  url;

    return rs_weburl_parse(s, &url);
}


ngx_int_t
ngx_http_rs_api_page_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_page_body_t *body, const char *base,
    ngx_http_rs_store_page_t *page)
{
    char       place[sizeof("/policy/urls")];
    ngx_int_t  rc;

    ngx_memzero(page, sizeof(ngx_http_rs_store_page_t));

    page->no_submit = body->no_submit;

    if (body->downloads) {
        page->downloads = ngx_http_rs_str(rs_str(
                                ngx_http_rs_api_downloads[body->downloads]));
    }

    ngx_sprintf((u_char *) place, "%s/urls%Z", base);
    rc = ngx_http_rs_api_page_list(api, body->urls, place,
                                   ngx_http_rs_api_page_rule, &page->urls);

    if (rc == NGX_OK) {
        ngx_sprintf((u_char *) place, "%s/mask%Z", base);
        rc = ngx_http_rs_api_page_list(api, body->mask, place,
                                       ngx_http_rs_api_page_selector,
                                       &page->mask);
    }

    return rc;
}


/* text: as JSON; of a list of nothing it is empty */

static ngx_int_t
ngx_http_rs_api_page_list(ngx_http_rs_api_t *api, json_t *list,
    const char *base, const char *(*wrong)(rs_str_t s), ngx_str_t *text)
{
    char         pointer[RS_JSON_POINTER_MAX];
    size_t       i;
    json_t      *item;
    rs_str_t     s;
    const char  *what;

    json_array_foreach(list, i, item) {

        s.data = (u_char *) json_string_value(item);
        s.len = json_string_length(item);

        what = (s.data == NULL || !rs_utf8_printable(s))
               ? "must be a string without control characters" : wrong(s);

        if (what) {
            ngx_sprintf((u_char *) pointer, "%s/%uz%Z", base, i);
            ngx_http_rs_api_invalid(api,
                                    rs_json_fail(&api->err,
                                                 RS_E_INVALID_VALUE, pointer,
                                                 "%s", what));
            return NGX_DECLINED;
        }
    }

    return json_array_size(list)
           ? ngx_http_rs_api_dump(api->request->pool, list, 0, text) : NGX_OK;
}


static const char *
ngx_http_rs_api_page_rule(rs_str_t s)
{
    rs_weburl_rule_t  rule;

    return (rs_weburl_rule_parse(s, &rule) == RS_OK) ? NULL
           : "must be like \"https://*.example.com/*\": a scheme (http, "
             "https or *), a host (a name, *.name or *), a path which may "
             "end with *; at most 512 bytes";
}


/* it becomes a part of a style sheet: what could end a rule there is none */

static const char *
ngx_http_rs_api_page_selector(rs_str_t s)
{
    size_t  i, chars;

    chars = rs_utf8_count(s);

    if (chars == 0 || chars > NGX_HTTP_RS_API_SELECTOR_MAX) {
        return "must be a CSS selector of 1 to 256 characters";
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '{' || s.data[i] == '}' || s.data[i] == '<') {
            return "must be a CSS selector, which has no \"{\", \"}\" and "
                   "\"<\"";
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_rs_api_web(ngx_http_rs_api_t *api, ngx_http_rs_store_page_t *page,
    json_t *host, ngx_array_t *participants, ngx_str_t *text)
{
    json_t                           *web, *guests;
    ngx_int_t                         rc;
    ngx_str_t                         s;
    ngx_uint_t                        i, any;
    ngx_http_rs_store_participant_t  *p;

    any = 0;
    web = json_object();
    guests = json_array();
    p = participants->elts;

    for (i = 0; i < participants->nelts; i++) {
        any |= p[i].guest;
        (void) json_array_append_new(guests, json_boolean(p[i].guest));
    }

    if (any) {
        (void) json_object_set(web, "guests", guests);
    }

    json_decref(guests);

    if (host) {
        if (ngx_http_rs_api_dump(api->request->pool, host, 0, &s) != NGX_OK) {
            json_decref(web);
            return NGX_ERROR;
        }

        (void) json_object_set_new(web, "host", ngx_http_rs_api_text(s));
        (void) json_object_set_new(web, "no_submit",
                                   json_boolean(page->no_submit));
    }

    if (host && page->urls.len) {
        (void) json_object_set_new(web, "urls",
                                   ngx_http_rs_api_stored(page->urls));
    }

    if (host && page->mask.len) {
        (void) json_object_set_new(web, "mask",
                                   ngx_http_rs_api_stored(page->mask));
    }

    if (host && page->downloads.len) {
        (void) json_object_set_new(web, "downloads",
                                   ngx_http_rs_api_text(page->downloads));
    }

    ngx_str_null(text);

    rc = json_object_size(web)
         ? ngx_http_rs_api_dump(api->request->pool, web, 0, text) : NGX_OK;

    json_decref(web);

    return rc;
}


ngx_int_t
ngx_http_rs_api_places(ngx_http_rs_api_t *api, ngx_http_rs_api_places_t *pl,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    u_char          *p;
    ngx_str_t        id, owner;
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *list;

    pl->n = 0;
    pl->next = 0;
    pl->why = (code == RS_OK) ? RS_E_DEVICE_OFFLINE : code;

    if (code != RS_OK) {
        return NGX_OK;
    }

    list = ngx_rs_reply_at(reply, 1);
    n = ngx_rs_reply_count(list);

    for (i = 0; i + 1 < n && pl->n < NGX_HTTP_RS_API_PLACES; i += 2) {

        id = ngx_rs_reply_str(list, i);
        owner = ngx_rs_reply_str(list, i + 1);

        if (!ngx_http_rs_presence_live(api->rmcf->presence, &owner)) {
            continue;
        }

        p = ngx_pstrdup(api->request->pool, &id);
        if (p == NULL) {
            return NGX_ERROR;
        }

        pl->id[pl->n].data = p;
        pl->id[pl->n].len = id.len;
        pl->n++;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_rs_api_places_next(ngx_http_rs_api_places_t *pl, ngx_str_t *id)
{
    if (pl->next == pl->n) {
        ngx_str_null(id);
        return 0;
    }

    *id = pl->id[pl->next++];

    return 1;
}


ngx_int_t
ngx_http_rs_api_places_fail(ngx_http_rs_api_t *api, rs_err_e code)
{
    return ngx_http_rs_api_fail(api, code,
                                code == RS_E_DEVICE_OFFLINE
                                ? "no renderer of this tenant is here; start "
                                  "one, or see what ails it"
                                : "all renderers of this tenant are busy, "
                                  "and nobody more may wait for one",
                                "/host/type");
}
