
/*
 * Copyright (C) rs-gateway contributors
 *
 * Reading replies: bounded, without types that surprise.  What is out of
 * range or of another type reads as nothing.
 */


#include "ngx_rs_redis_adapter.h"


#define NGX_RS_REPLY_INFO_MAX  64        /* bytes of a value that are of use */


static void ngx_rs_reply_measure(ngx_rs_reply_t *reply, size_t *nodes,
    size_t *text);
static ngx_rs_reply_t *ngx_rs_reply_build(ngx_rs_reply_t *reply,
    u_char **nodes, u_char **text);


ngx_uint_t
ngx_rs_reply_count(ngx_rs_reply_t *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        return 0;
    }

    return reply->elements;
}


ngx_rs_reply_t *
ngx_rs_reply_at(ngx_rs_reply_t *reply, ngx_uint_t i)
{
    if (i >= ngx_rs_reply_count(reply)) {
        return NULL;
    }

    return reply->element[i];
}


ngx_str_t
ngx_rs_reply_str(ngx_rs_reply_t *reply, ngx_uint_t i)
{
    ngx_str_t        value;
    ngx_rs_reply_t  *element;

    element = ngx_rs_reply_at(reply, i);

    if (element == NULL
        || (element->type != REDIS_REPLY_STRING
            && element->type != REDIS_REPLY_STATUS))
    {
        ngx_str_set(&value, "");
        return value;
    }

    value.data = (u_char *) element->str;
    value.len = element->len;

    return value;
}


int64_t
ngx_rs_reply_int(ngx_rs_reply_t *reply, ngx_uint_t i)
{
    off_t            n;
    ngx_str_t        text;
    ngx_rs_reply_t  *element;

    element = ngx_rs_reply_at(reply, i);

    if (element && element->type == REDIS_REPLY_INTEGER) {
        return element->integer;
    }

    text = ngx_rs_reply_str(reply, i);

    n = ngx_atoof(text.data, text.len);

    return n == NGX_ERROR ? 0 : n;
}


int64_t
ngx_rs_reply_number(ngx_rs_reply_t *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        return -1;
    }

    return ngx_max(reply->integer, -1);
}


ngx_uint_t
ngx_rs_reply_error(ngx_rs_reply_t *reply, ngx_str_t *text)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    text->data = (u_char *) reply->str;
    text->len = reply->len;

    return 1;
}


ngx_str_t
ngx_rs_reply_field(ngx_rs_reply_t *obj, const char *field)
{
    size_t      len;
    ngx_str_t   name;
    ngx_uint_t  i, n;

    len = ngx_strlen(field);
    n = ngx_rs_reply_count(obj);

    for (i = 0; i + 1 < n; i += 2) {
        name = ngx_rs_reply_str(obj, i);

        if (name.len == len && ngx_memcmp(name.data, field, len) == 0) {
            return ngx_rs_reply_str(obj, i + 1);
        }
    }

    ngx_str_set(&name, "");

    return name;
}


ngx_str_t
ngx_rs_reply_info(ngx_rs_reply_t *reply, const char *begins)
{
    u_char     *p, *end, *last;
    size_t      len;
    ngx_str_t   value;

    ngx_str_set(&value, "");

    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        return value;
    }

    p = (u_char *) reply->str;
    last = p + reply->len;
    len = ngx_strlen(begins);

    while (p < last) {

        end = ngx_strlchr(p, last, LF);
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) >= len && ngx_memcmp(p, begins, len) == 0) {
            value.data = p + len;
            value.len = end - value.data;

            if (value.len && value.data[value.len - 1] == CR) {
                value.len--;
            }

            value.len = ngx_min(value.len, NGX_RS_REPLY_INFO_MAX);
            break;
        }

        p = end + 1;
    }

    return value;
}


/* the reader bounds the depth of a reply, and so that of these */

ngx_rs_reply_t *
ngx_rs_reply_copy(ngx_rs_reply_t *reply, ngx_log_t *log)
{
    size_t   size, len;
    u_char  *nodes, *text;

    size = 0;
    len = 0;

    ngx_rs_reply_measure(reply, &size, &len);

    nodes = ngx_alloc(size + len, log);
    if (nodes == NULL) {
        return NULL;
    }

    text = nodes + size;

    return ngx_rs_reply_build(reply, &nodes, &text);
}


static void
ngx_rs_reply_measure(ngx_rs_reply_t *reply, size_t *nodes, size_t *text)
{
    ngx_uint_t  i, n;

    n = ngx_rs_reply_count(reply);

    *nodes += sizeof(ngx_rs_reply_t) + n * sizeof(ngx_rs_reply_t *);

    if (reply->str) {
        *text += reply->len + 1;
    }

    for (i = 0; i < n; i++) {
        ngx_rs_reply_measure(reply->element[i], nodes, text);
    }
}


static ngx_rs_reply_t *
ngx_rs_reply_build(ngx_rs_reply_t *reply, u_char **nodes, u_char **text)
{
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *copy;

    n = ngx_rs_reply_count(reply);

    copy = (ngx_rs_reply_t *) *nodes;
    *nodes += sizeof(ngx_rs_reply_t);

    *copy = *reply;
    copy->element = NULL;

    if (n) {
        copy->element = (ngx_rs_reply_t **) *nodes;
        *nodes += n * sizeof(ngx_rs_reply_t *);
    }

    if (reply->str) {
        copy->str = (char *) *text;
        *text = ngx_cpymem(*text, reply->str, reply->len);
        *(*text)++ = '\0';
    }

    for (i = 0; i < n; i++) {
        copy->element[i] = ngx_rs_reply_build(reply->element[i], nodes, text);
    }

    return copy;
}
