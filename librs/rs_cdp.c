
/*
 * Copyright (C) rs-gateway contributors
 *
 * Pure.  A browser says more than is asked of it, and deeper than the
 * gateway's own messages are: depth is jansson's bound, size is this one's.
 */


#include "rs_cdp.h"

#include <string.h>


static int rs_cdp_string(const json_t *obj, const char *name, rs_str_t *s);


void
rs_cdp_buf_init(rs_cdp_buf_t *b, void *data, size_t size)
{
    memset(b, 0, sizeof(*b));
    b->data = data;
    b->size = size;
}


size_t
rs_cdp_buf_room(rs_cdp_buf_t *b, uint8_t **at)
{
    if (b->taken != 0) {
        memmove(b->data, b->data + b->taken, b->len - b->taken);
        b->len -= b->taken;
        b->seen -= b->taken;
        b->taken = 0;
    }

    if (b->len == b->size) {
        b->over = 1;
        b->len = 0;
        b->seen = 0;
    }

    *at = b->data + b->len;

    return b->size - b->len;
}


void
rs_cdp_buf_add(rs_cdp_buf_t *b, size_t n)
{
    b->len += n;
}


int
rs_cdp_buf_next(rs_cdp_buf_t *b, rs_str_t *message)
{
    uint8_t  *nul;

    if (b->seen < b->taken) {
        b->seen = b->taken;
    }

    if (b->over) {
        nul = (b->taken < b->len)
              ? memchr(b->data + b->taken, 0, b->len - b->taken) : NULL;

        if (nul == NULL) {
            b->len = b->taken;
            b->seen = b->taken;
            return 0;
        }

        b->over = 0;
        b->taken = (size_t) (nul - b->data) + 1;
        b->seen = b->taken;
    }

    nul = (b->seen < b->len)
          ? memchr(b->data + b->seen, 0, b->len - b->seen) : NULL;

    if (nul == NULL) {
        b->seen = b->len;
        return 0;
    }

    message->data = b->data + b->taken;
    message->len = (size_t) (nul - message->data);
    b->taken += message->len + 1;
    b->seen = b->taken;

    return 1;
}


rs_err_e
rs_cdp_read(rs_str_t text, rs_cdp_msg_t *msg)
{
    json_t        *id, *error;
    json_error_t   e;

    memset(msg, 0, sizeof(*msg));

    if (text.len > RS_CDP_MESSAGE_MAX) {
        return RS_E_INVALID_JSON;
    }

    /* a page's string may have a NUL, and then it is nothing for us */

    msg->root = json_loadb((const char *) text.data, text.len,
                           JSON_REJECT_DUPLICATES, &e);

    if (msg->root == NULL) {
        return RS_E_INVALID_JSON;
    }

    id = json_object_get(msg->root, "id");
    error = json_object_get(msg->root, "error");

    if (!json_is_object(msg->root)
        || !rs_cdp_string(msg->root, "method", &msg->method)
        || !rs_cdp_string(msg->root, "sessionId", &msg->session)
        || (id != NULL && (!json_is_integer(id) || json_integer_value(id) < 1))
        || (id != NULL) == (msg->method.len != 0)
        || (error != NULL && (!json_is_object(error) || id == NULL)))
    {
        json_decref(msg->root);
        msg->root = NULL;
        return RS_E_INVALID_VALUE;
    }

    msg->failed = (error != NULL);

    if (error != NULL) {
        (void) rs_cdp_string(error, "message", &msg->error);
    }

    if (id != NULL) {
        msg->id = (uint64_t) json_integer_value(id);
        msg->value = json_object_get(msg->root, "result");

    } else {
        msg->value = json_object_get(msg->root, "params");
    }

    if (msg->value != NULL && !json_is_object(msg->value)) {
        msg->value = NULL;
    }

    return RS_OK;
}


/* 1: absent, or a string of a length; then *s */

static int
rs_cdp_string(const json_t *obj, const char *name, rs_str_t *s)
{
    json_t  *value;

    value = json_object_get(obj, name);

    if (value == NULL) {
        return 1;
    }

    if (!json_is_string(value) || json_string_length(value) == 0
        || json_string_length(value) > RS_CDP_NAME_MAX)
    {
        return 0;
    }

    s->data = (const uint8_t *) json_string_value(value);
    s->len = json_string_length(value);

    return 1;
}
