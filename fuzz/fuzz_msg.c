
/*
 * Copyright (C) rs-gateway contributors
 *
 * Messages on both channels.  An error has a sentence that can be sent; what
 * is opaque is JSON, bounded, and the same when it is read again; and built
 * into a message it stays one.
 */


#include "fuzz.h"
#include "rs_devkey.h"
#include "rs_msg.h"
#include "rs_utf8.h"


static void
same_json(rs_str_t text)
{
    size_t   len;
    char    *again;
    json_t  *v;

    v = json_loadb((const char *) text.data, text.len,
                   JSON_REJECT_DUPLICATES|JSON_DECODE_ANY, NULL);
    CHECK(v != NULL);

    again = rs_json_dump(v, text.len, &len);
    CHECK(again != NULL && len == text.len
          && memcmp(again, text.data, len) == 0);

    free(again);
    json_decref(v);
}


static void
signal_of(const rs_msg_t *m)
{
    char      id[20], *room;
    json_t   *v;
    size_t    size;
    rs_buf_t  b, digits;
    rs_pos_t  p;

    p = (rs_pos_t) { 1, m->id };
    rs_buf_init(&digits, id, sizeof(id));
    rs_buf_u64(&digits, m->id);

    size = m->data.len + RS_MSG_WRITE_MAX;
    room = malloc(size);
    rs_buf_init(&b, room, size);
    rs_msg_write_signal(&b, RS_STR("par_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
                        rs_buf_get(&digits), &p, m->data);
    CHECK(!b.overflow);

    v = json_loadb(room, b.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(v != NULL && json_object_size(v) == 5);

    json_decref(v);
    free(room);
}


static void
input_of(const rs_msg_t *m)
{
    char      *room;
    json_t    *v;
    rs_buf_t   b;

    room = malloc(m->data.len + RS_MSG_WRITE_MAX);
    rs_buf_init(&b, room, m->data.len + RS_MSG_WRITE_MAX);
    rs_msg_write_input(&b, RS_STR("par_aaaaaaaaaaaaaaaaaaaaaaaaaa"), m->data);
    CHECK(!b.overflow);

    v = json_loadb(room, b.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(v != NULL && json_object_size(v) == 3);

    json_decref(v);
    free(room);
}


static void
error_of(const rs_msg_t *m, rs_err_e rc)
{
    char      room[RS_MSG_WRITE_MAX + 6 * RS_JSON_TEXT_MAX];
    json_t   *v;
    rs_buf_t  b;

    CHECK(m->error.text[0] != '\0');
    CHECK(rs_utf8_printable(rs_str(m->error.text)));
    CHECK(rs_utf8_printable(rs_str(m->error.pointer)));

    rs_buf_init(&b, room, sizeof(room));
    rs_msg_write_error(&b, rc, rs_str(m->error.text), m->id);
    CHECK(!b.overflow);

    v = json_loadb(room, b.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(v != NULL);
    json_decref(v);
}


static void
one(rs_channel_e channel, const uint8_t *data, size_t size)
{
    rs_msg_t  m;
    rs_err_e  rc;

    rc = rs_msg_parse(&m, channel, data, size);

    if (rc != RS_OK) {
        CHECK(m.type == RS_MSG_NONE && m.json == NULL);
        error_of(&m, rc);
        return;
    }

    switch (m.type) {

    case RS_MSG_SIGNAL:
        CHECK(m.id >= 1 && m.id <= (uint64_t) RS_MSG_ID_MAX);
        CHECK(m.data.len <= size + 4096);
        CHECK(m.to.len == 0 || rs_id_check_participant(m.to) == RS_OK);
        same_json(m.data);
        signal_of(&m);
        break;

    case RS_MSG_INPUT:
        CHECK(m.data.len <= RS_MSG_INPUT_MAX && m.id == 0);
        CHECK(m.to.len == 0 || rs_id_check_participant(m.to) == RS_OK);
        same_json(m.data);
        input_of(&m);
        break;

    case RS_MSG_STATE:
        CHECK(m.path.len <= size);
        same_json(m.path);
        break;

    case RS_MSG_HELLO:
        CHECK(rs_tenant_check(m.tenant) == RS_OK);
        CHECK(rs_id_check_device(m.device_id) == RS_OK);
        CHECK(m.agent.len <= RS_MSG_INFO_MAX);
        CHECK(m.displays.len <= RS_MSG_INFO_MAX);
        break;

    case RS_MSG_ROTATE:
        CHECK(rs_devkey_check(m.public_key) == RS_OK);
        break;

    case RS_MSG_ACCEPT:
    case RS_MSG_CONSENT:
    case RS_MSG_REJECT:
    case RS_MSG_QUEUED:
        CHECK(m.place <= RS_MSG_PLACES_MAX);
        CHECK(rs_id_check_session(m.session_id) == RS_OK);
        CHECK(rs_utf8_printable(m.comment));
        break;

    case RS_MSG_LOAD:
        CHECK(m.load.capacity <= RS_MSG_PLACES_MAX);
        CHECK(m.load.used <= RS_MSG_PLACES_MAX);
        CHECK(m.load.queued <= RS_MSG_PLACES_MAX);
        CHECK(m.load.queue <= RS_MSG_PLACES_MAX);
        break;

    case RS_MSG_TUNNEL:
        CHECK(rs_id_check_tunnel(m.tunnel_id) == RS_OK);
        CHECK(rs_id_check_pipe(m.pipe_id) == RS_OK);
        CHECK(rs_utf8_printable(m.comment));
        break;

    case RS_MSG_RECORDING:
        CHECK(m.session_id.len == 0
              || rs_id_check_session(m.session_id) == RS_OK);
        CHECK(m.recording.id.len == 0
              || rs_id_check_recording(m.recording.id) == RS_OK);
        CHECK(m.session_id.len || m.recording.id.len);
        CHECK(m.recording.sha256.len == 0
              || m.recording.sha256.len == RS_ID_HASH_LEN);
        CHECK(m.recording.bytes <= (uint64_t) RS_MSG_ID_MAX);
        CHECK(rs_utf8_printable(m.comment));
        break;

    case RS_MSG_PIPE:
        CHECK(m.id >= 1 && m.id <= (uint64_t) RS_MSG_ID_MAX);
        CHECK(rs_id_check_participant(m.to) == RS_OK);
        CHECK(rs_id_check_pipe(m.pipe_id) == RS_OK);
        break;

    default:
        CHECK(rs_utf8_printable(m.reason));
        break;
    }

    rs_msg_free(&m);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* jansson's hash is not to depend on the run */
    json_object_seed(1);

    one(RS_CHANNEL_SIGNAL, data, size);
    one(RS_CHANNEL_AGENT, data, size);

    return 0;
}
