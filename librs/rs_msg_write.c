
/*
 * Copyright (C) rs-gateway contributors
 *
 * WebSocket messages of the gateway, written without allocation.
 */


#include "rs_msg.h"


static void rs_msg_write_position(rs_buf_t *b, const rs_pos_t *position);
static void rs_msg_write_field(rs_buf_t *b, const char *name,
    rs_str_t value);


void
rs_msg_write_ping(rs_buf_t *b)
{
    rs_buf_cstr(b, "{\"type\":\"ping\"}");
}


void
rs_msg_write_pong(rs_buf_t *b)
{
    rs_buf_cstr(b, "{\"type\":\"pong\"}");
}


void
rs_msg_write_ack(rs_buf_t *b, uint64_t id)
{
    rs_buf_cstr(b, "{\"type\":\"ack\",\"id\":");
    rs_buf_u64(b, id);
    rs_buf_char(b, '}');
}


void
rs_msg_write_error(rs_buf_t *b, rs_err_e rc, rs_str_t text, uint64_t id)
{
    rs_buf_cstr(b, "{\"type\":\"error\",\"code\":\"");
    rs_buf_cstr(b, rs_err_code(rc));
    rs_buf_cstr(b, "\",\"message\":");
    rs_buf_json(b, text.len ? text : rs_str(rs_err_title(rc)));

    if (id) {
        rs_buf_cstr(b, ",\"id\":");
        rs_buf_u64(b, id);
    }

    rs_buf_char(b, '}');
}


void
rs_msg_write_goaway(rs_buf_t *b, uint64_t after_ms, uint64_t jitter_ms)
{
    rs_buf_cstr(b, "{\"type\":\"goaway\",\"after_ms\":");
    rs_buf_u64(b, after_ms);
    rs_buf_cstr(b, ",\"jitter_ms\":");
    rs_buf_u64(b, jitter_ms);
    rs_buf_char(b, '}');
}


/* ,"position":"1-2" */

static void
rs_msg_write_position(rs_buf_t *b, const rs_pos_t *position)
{
    char    text[RS_POS_MAX];
    size_t  len;

    len = rs_pos_format(position, text, sizeof(text));

    rs_buf_cstr(b, "\"position\":\"");
    rs_buf_put(b, text, len);
    rs_buf_char(b, '"');
}


void
rs_msg_write_resync(rs_buf_t *b, const rs_pos_t *position)
{
    rs_buf_cstr(b, "{\"type\":\"resync\",");
    rs_msg_write_position(b, position);
    rs_buf_char(b, '}');
}


void
rs_msg_write_ended(rs_buf_t *b, rs_str_t reason, const rs_pos_t *position)
{
    rs_buf_cstr(b, "{\"type\":\"ended\",\"reason\":");
    rs_buf_json(b, reason);
    rs_buf_char(b, ',');
    rs_msg_write_position(b, position);
    rs_buf_char(b, '}');
}


void
rs_msg_write_challenge(rs_buf_t *b, unsigned api_version,
    const uint8_t nonce[32], rs_str_t host, rs_str_t identity)
{
    char    text[RS_BASE64URL_LEN(32)];
    size_t  len;

    len = rs_base64url_encode(text, nonce, 32);

    rs_buf_cstr(b, "{\"type\":\"challenge\",\"api_version\":");
    rs_buf_u64(b, api_version);
    rs_buf_cstr(b, ",\"nonce\":\"");
    rs_buf_put(b, text, len);
    rs_buf_cstr(b, "\",\"host\":");
    rs_buf_json(b, host);

    if (identity.len) {
        rs_buf_cstr(b, ",\"identity\":");
        rs_buf_str(b, identity);
    }

    rs_buf_char(b, '}');
}


void
rs_msg_write_rotated(rs_buf_t *b, rs_str_t public_key)
{
    rs_buf_cstr(b, "{\"type\":\"rotated\",\"public_key\":");
    rs_buf_json(b, public_key);
    rs_buf_char(b, '}');
}


void
rs_msg_write_revoke(rs_buf_t *b, rs_str_t session_id, rs_str_t reason)
{
    rs_buf_cstr(b, "{\"type\":\"revoke\",\"session_id\":");
    rs_buf_json(b, session_id);
    rs_buf_cstr(b, ",\"reason\":");
    rs_buf_json(b, reason);
    rs_buf_char(b, '}');
}


/* ,"name":"value", null when that is empty */

static void
rs_msg_write_field(rs_buf_t *b, const char *name, rs_str_t value)
{
    rs_buf_cstr(b, ",\"");
    rs_buf_cstr(b, name);
    rs_buf_cstr(b, "\":");

    if (value.len) {
        rs_buf_json(b, value);

    } else {
        rs_buf_cstr(b, "null");
    }
}


void
rs_msg_write_open(rs_buf_t *b, const rs_msg_open_t *open)
{
    rs_buf_cstr(b, "{\"type\":\"tunnel\",\"op\":\"open\"");
    rs_msg_write_field(b, "tunnel_id", open->tunnel_id);
    rs_msg_write_field(b, "pipe_id", open->pipe_id);
    rs_msg_write_field(b, "ticket", open->ticket);

    if (open->command.len) {
        rs_buf_cstr(b, ",\"target\":");
        rs_buf_str(b, open->command);

    } else if (open->target.shell) {
        rs_msg_write_field(b, "target", RS_STR(RS_ENDPOINT_SHELL));

    } else {
        rs_buf_cstr(b, ",\"target\":{\"host\":");
        rs_buf_json(b, open->target.host);
        rs_buf_cstr(b, ",\"port\":");
        rs_buf_u64(b, open->target.port);
        rs_buf_char(b, '}');
    }

    rs_msg_write_field(b, "protocol", open->protocol);
    rs_buf_cstr(b, ",\"requester\":{\"kind\":");
    rs_buf_json(b, open->kind);
    rs_msg_write_field(b, "id", open->id);
    rs_msg_write_field(b, "name", open->name);
    rs_buf_char(b, '}');
    rs_msg_write_field(b, "label", open->label);
    rs_buf_cstr(b, ",\"expires_at\":");
    rs_buf_u64(b, open->expires_at);
    rs_buf_char(b, '}');
}


void
rs_msg_write_recording(rs_buf_t *b, const char *op, rs_str_t session_id,
    rs_str_t recording_id, const char *to)
{
    rs_buf_cstr(b, "{\"type\":\"recording\"");
    rs_msg_write_field(b, "op", rs_str(op));

    if (session_id.len) {
        rs_msg_write_field(b, "session_id", session_id);
    }

    if (recording_id.len) {
        rs_msg_write_field(b, "recording_id", recording_id);
    }

    if (to) {
        rs_msg_write_field(b, "to", rs_str(to));
    }

    rs_buf_char(b, '}');
}


void
rs_msg_write_cut(rs_buf_t *b, rs_str_t pipe_id, rs_str_t reason)
{
    rs_buf_cstr(b, "{\"type\":\"tunnel\",\"op\":\"cut\"");
    rs_msg_write_field(b, "pipe_id", pipe_id);
    rs_msg_write_field(b, "reason", reason);
    rs_buf_char(b, '}');
}


void
rs_msg_write_pipe(rs_buf_t *b, uint64_t id, rs_str_t pipe_id, rs_str_t side,
    rs_str_t ticket)
{
    rs_buf_cstr(b, "{\"type\":\"pipe\",\"id\":");
    rs_buf_u64(b, id);
    rs_msg_write_field(b, "pipe_id", pipe_id);
    rs_msg_write_field(b, "side", side);
    rs_msg_write_field(b, "ticket", ticket);
    rs_buf_char(b, '}');
}


void
rs_msg_write_signal(rs_buf_t *b, rs_str_t from, rs_str_t id,
    const rs_pos_t *position, rs_str_t data)
{
    rs_buf_cstr(b, "{\"type\":\"signal\",\"from\":");
    rs_buf_json(b, from);
    rs_buf_cstr(b, ",\"id\":");
    rs_buf_str(b, id);
    rs_buf_char(b, ',');
    rs_msg_write_position(b, position);
    rs_buf_cstr(b, ",\"data\":");
    rs_buf_str(b, data);
    rs_buf_char(b, '}');
}


void
rs_msg_write_input(rs_buf_t *b, rs_str_t from, rs_str_t data)
{
    rs_buf_cstr(b, "{\"type\":\"input\",\"from\":");
    rs_buf_json(b, from);
    rs_buf_cstr(b, ",\"data\":");
    rs_buf_str(b, data);
    rs_buf_char(b, '}');
}


rs_err_e
rs_msg_write_event(rs_buf_t *b, rs_str_t body, const rs_pos_t *position)
{
    if (body.len < 2 || body.data[0] != '{' || body.data[body.len - 1] != '}')
    {
        return RS_E_INVALID_VALUE;
    }

    rs_buf_put(b, body.data, body.len - 1);

    if (body.len > 2) {
        rs_buf_char(b, ',');
    }

    rs_msg_write_position(b, position);
    rs_buf_char(b, '}');

    return RS_OK;
}
