
/*
 * Copyright (C) rs-gateway contributors
 *
 * Messages: see rl_msg.h.
 */


#include <string.h>

#include "rl_msg.h"


#define RL_MSG_MAX             (2 * 1024 * 1024)
#define RL_MSG_PAD             64


static int rl_msg_fast(rl_msg_t *m, rs_str_t s);
static int rl_msg_literal(rs_str_t *s, const char *text);
static int rl_msg_number(rs_str_t *s, uint64_t *v);
static int rl_msg_until(rs_str_t *s, uint8_t end, rs_str_t *v);
static uint64_t rl_json_u64(const json_t *obj, const char *name);


static const struct {
    const char     *name;
    rl_msg_e        type;
} rl_msg_types[] = {
    { "welcome", RL_MSG_WELCOME },
    { "signal", RL_MSG_SIGNAL },
    { "ack", RL_MSG_ACK },
    { "left", RL_MSG_LEFT },
    { "ended", RL_MSG_ENDED },
    { "resync", RL_MSG_RESYNC },
    { "ping", RL_MSG_PING },
    { "error", RL_MSG_ERROR },
    { "goaway", RL_MSG_GOAWAY },
    { "challenge", RL_MSG_CHALLENGE },
    { "invite", RL_MSG_INVITE },
    { NULL, RL_MSG_OTHER }
};


static int
rl_msg_literal(rs_str_t *s, const char *text)
{
    size_t  len;

    len = strlen(text);

    if (s->len < len || memcmp(s->data, text, len) != 0) {
        return 0;
    }

    s->data += len;
    s->len -= len;

    return 1;
}


static int
rl_msg_until(rs_str_t *s, uint8_t end, rs_str_t *v)
{
    const uint8_t  *p;

    p = s->len ? memchr(s->data, end, s->len) : NULL;

    if (p == NULL) {
        return 0;
    }

    v->data = s->data;
    v->len = (size_t) (p - s->data);
    s->data = p + 1;
    s->len -= v->len + 1;

    return memchr(v->data, '\\', v->len) == NULL;
}


static int
rl_msg_number(rs_str_t *s, uint64_t *v)
{
    rs_str_t  digits;

    digits.data = s->data;
    digits.len = 0;

    while (digits.len < s->len && digits.len < 20
           && s->data[digits.len] >= '0' && s->data[digits.len] <= '9')
    {
        digits.len++;
    }

    s->data += digits.len;
    s->len -= digits.len;

    return rs_u64_parse(digits, UINT64_MAX, v);
}


/* 1: it was one of the two, as they are written */

static int
rl_msg_fast(rl_msg_t *m, rs_str_t s)
{
    rs_str_t  from, pad;

    if (rl_msg_literal(&s, "{\"type\":\"ack\",\"id\":")) {
        m->type = RL_MSG_ACK;

        return rl_msg_number(&s, &m->id) && rl_msg_literal(&s, "}")
               && s.len == 0;
    }

    m->type = RL_MSG_SIGNAL;

    return rl_msg_literal(&s, "{\"type\":\"signal\",\"from\":\"")
           && rl_msg_until(&s, '"', &from)
           && rl_msg_literal(&s, ",\"id\":")
           && rl_msg_number(&s, &m->id)
           && rl_msg_literal(&s, ",\"position\":\"")
           && rl_msg_until(&s, '"', &m->position)
           && rl_msg_literal(&s, ",\"data\":{\"run\":\"")
           && rl_msg_until(&s, '"', &m->run)
           && rl_msg_literal(&s, ",\"stream\":")
           && rl_msg_number(&s, &m->stream)
           && rl_msg_literal(&s, ",\"n\":")
           && rl_msg_number(&s, &m->n)
           && rl_msg_literal(&s, ",\"at\":")
           && rl_msg_number(&s, &m->at)
           && rl_msg_literal(&s, ",\"pad\":\"")
           && rl_msg_until(&s, '"', &pad)
           && rl_msg_literal(&s, "}}") && s.len == 0;
}


rs_str_t
rl_json_str(const json_t *obj, const char *name)
{
    rs_str_t       s;
    const json_t  *v;

    v = json_object_get(obj, name);

    if (!json_is_string(v)) {
        return rs_str(NULL);
    }

    s.data = (const uint8_t *) json_string_value(v);
    s.len = json_string_length(v);

    return s;
}


static uint64_t
rl_json_u64(const json_t *obj, const char *name)
{
    json_int_t  v;

    v = json_integer_value(json_object_get(obj, name));

    return v > 0 ? (uint64_t) v : 0;
}


rs_err_e
rl_msg_parse(rl_msg_t *m, rs_str_t text)
{
    unsigned          i;
    rs_err_e          rc;
    rs_str_t          type;
    const json_t     *data;
    rs_json_error_t   err;

    memset(m, 0, sizeof(rl_msg_t));

    if (rl_msg_fast(m, text)) {
        return RS_OK;
    }

    memset(m, 0, sizeof(rl_msg_t));
    rc = rs_json_load(text.data, text.len, RL_MSG_MAX, &m->json, &err);

    if (rc != RS_OK) {
        return rc;
    }

    type = rl_json_str(m->json, "type");

    for (i = 0; rl_msg_types[i].name; i++) {
        if (rs_str_eq(type, rs_str(rl_msg_types[i].name))) {
            m->type = rl_msg_types[i].type;
            break;
        }
    }

    m->id = rl_json_u64(m->json, "id");
    m->position = rl_json_str(m->json, "position");
    m->word = rl_json_str(m->json, m->type == RL_MSG_ERROR ? "code"
                                                          : "reason");
    m->after_ms = rl_json_u64(m->json, "after_ms");
    m->jitter_ms = rl_json_u64(m->json, "jitter_ms");

    if (m->type == RL_MSG_SIGNAL) {
        data = json_object_get(m->json, "data");
        m->run = rl_json_str(data, "run");
        m->stream = rl_json_u64(data, "stream");
        m->n = rl_json_u64(data, "n");
        m->at = rl_json_u64(data, "at");
    }

    return RS_OK;
}


void
rl_msg_free(rl_msg_t *m)
{
    json_decref(m->json);
    m->json = NULL;
}


void
rl_msg_signal(rs_buf_t *b, uint64_t id, const char *run, uint64_t stream,
    uint64_t at, size_t size)
{
    size_t             start, used;
    static const char  pad[RL_MSG_PAD + 1] =
        "0123456789abcdefghijklmnopqrstuv0123456789abcdefghijklmnopqrstuv";

    rs_buf_cstr(b, "{\"type\":\"signal\",\"id\":");
    rs_buf_u64(b, id);
    rs_buf_cstr(b, ",\"data\":");

    start = b->len;

    rs_buf_cstr(b, "{\"run\":\"");
    rs_buf_cstr(b, run);
    rs_buf_cstr(b, "\",\"stream\":");
    rs_buf_u64(b, stream);
    rs_buf_cstr(b, ",\"n\":");
    rs_buf_u64(b, id);
    rs_buf_cstr(b, ",\"at\":");
    rs_buf_u64(b, at);
    rs_buf_cstr(b, ",\"pad\":\"");

    for (used = b->len - start + 2; used < size && !b->overflow;
         used = b->len - start + 2)
    {
        rs_buf_put(b, pad, size - used < RL_MSG_PAD ? size - used
                                                    : RL_MSG_PAD);
    }

    rs_buf_cstr(b, "\"}}");
}
