
/*
 * Copyright (C) rs-gateway contributors
 *
 * WebSocket messages of clients; what the gateway says is in rs_msg_write.c.
 * A type is one line of rs_msg_types: its name, the
 * channels it may come on, the table of its fields.  What a field becomes in
 * rs_msg_t is the business of one small function per type; jansson's objects
 * do not leave this file.
 */


#include "rs_msg.h"
#include "rs_devkey.h"
#include "rs_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RS_MSG_GROWTH      4096   /* bytes a message may gain by re-dumping */
#define RS_MSG_RTT_MAX     3600000

#define RS_MSG_BOTH        (RS_CHANNEL_SIGNAL|RS_CHANNEL_AGENT)


/* what the tables fill; the typed struct is made of it */

typedef struct {
    json_t         *type;
    int64_t         id;
    rs_str_t        to;
    json_t         *data;
    json_t         *path;
    rs_str_t        tenant;
    rs_str_t        device_id;
    rs_str_t        signature;
    rs_str_t        proof;
    rs_str_t        public_key;
    json_t         *agent;
    json_t         *displays;
    rs_str_t        session_id;
    rs_str_t        participant_id;
    rs_str_t        tunnel_id;
    rs_str_t        pipe_id;
    rs_str_t        with;
    rs_str_t        name;
    unsigned        op;
    unsigned        refuse;
    unsigned        reject;
    unsigned        consent;
    unsigned        control;
    int64_t         capacity;
    int64_t         used;
    int64_t         queued;
    int64_t         queue;
    int64_t         position;
    rs_str_t        reason;
    rs_str_t        comment;
    unsigned        recording;
    unsigned        recorded;
    rs_str_t        recording_id;
    int64_t         duration_ms;
    int64_t         bytes;
    rs_str_t        sha256;
    int64_t         gaps;
    int64_t         expires_at;
} rs_msg_fields_t;


typedef struct {
    const char             *name;
    rs_msg_type_e           type;
    unsigned                channels;
    const rs_json_field_t  *fields;
    size_t                  n;
    rs_err_e              (*take)(rs_msg_t *msg, rs_msg_fields_t *f,
                                size_t len);
} rs_msg_spec_t;


/* of the path, all of it is only checked */

typedef struct {
    unsigned        word;
    int64_t         rtt_ms;
    rs_str_t        region;
} rs_msg_path_t;


static const rs_msg_spec_t *rs_msg_spec(rs_msg_t *msg, rs_channel_e channel,
    rs_err_e *rc);
static void rs_msg_answer_id(rs_msg_t *msg);
static rs_err_e rs_msg_dump(rs_msg_t *msg, unsigned i, const json_t *value,
    size_t max, rs_err_e rc, const char *pointer, rs_str_t *text);
static rs_err_e rs_msg_take_signal(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_input(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_state(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_hello(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_rotate(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_session(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_control(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_tunnel(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_load(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_recording(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_check_sha256(rs_str_t s);
static rs_err_e rs_msg_take_pipe(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_check_name(rs_str_t s);
static rs_err_e rs_msg_take_bye(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_take_nothing(rs_msg_t *msg, rs_msg_fields_t *f,
    size_t len);
static rs_err_e rs_msg_check_signature(rs_str_t s);


#define RS_MSG_FIELD(member)  offsetof(rs_msg_fields_t, member)
#define RS_MSG_N(fields)      (sizeof(fields) / sizeof((fields)[0]))

/* `type` has chosen the table already */
#define RS_MSG_TYPE                                                          \
    { .name = "type", .type = RS_JSON_ANY, .offset = RS_MSG_FIELD(type) }

#define RS_MSG_SESSION                                                       \
    { .name = "session_id", .type = RS_JSON_STRING,                          \
      .flags = RS_JSON_REQUIRED, .min = RS_ID_LEN, .max = RS_ID_LEN,         \
      .offset = RS_MSG_FIELD(session_id), .check = rs_id_check_session,      \
      .what = "a session's id" }


#define RS_MSG_SIGNED(field, member)                                         \
    { .name = field, .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,      \
      .min = 1, .max = 128, .offset = RS_MSG_FIELD(member),                  \
      .check = rs_msg_check_signature,                                       \
      .what = "base64url of 64 bytes, unpadded" }


#define RS_MSG_PLACES(field, low)                                            \
    { .name = #field, .type = RS_JSON_INT, .flags = RS_JSON_REQUIRED,        \
      .min = low, .max = RS_MSG_PLACES_MAX, .offset = RS_MSG_FIELD(field) }


static const char *const  rs_msg_rejects[] = {
    [RS_REJECT_CONSENT_DENIED] = "consent_denied",
    [RS_REJECT_CONSENT_TIMEOUT] = "consent_timeout",
    [RS_REJECT_POLICY] = "policy",
    [RS_REJECT_BUSY] = "busy",
    [RS_REJECT_NO_DISPLAY] = "no_display",
    [RS_REJECT_FAILED] = "failed",
    NULL
};

static const char *const  rs_msg_consents[] = {
    [RS_CONSENT_WAITING] = "waiting",
    [RS_CONSENT_GIVEN] = "given",
    [RS_CONSENT_DENIED] = "denied",
    [RS_CONSENT_TIMEOUT] = "timeout",
    NULL
};

static const char *const  rs_msg_refuses[] = {
    [RS_REFUSE_TARGET_REFUSED] = "target_refused",
    [RS_REFUSE_TARGET_UNREACHABLE] = "target_unreachable",
    [RS_REFUSE_POLICY] = "policy",
    [RS_REFUSE_BUSY] = "busy",
    NULL
};

static const char *const  rs_msg_tunnel_ops[] = { "refused", NULL };

static const char *const  rs_msg_recordings[] = {
    [RS_RECORDING_BEGIN] = "begin",
    [RS_RECORDING_FAILED] = "failed",
    [RS_RECORDING_END] = "end",
    [RS_RECORDING_GONE] = "gone",
    NULL
};

static const char *const  rs_msg_recorded[] = {
    [RS_RECORDED_ENDED] = "ended",
    [RS_RECORDED_LOST] = "lost",
    [RS_RECORDED_DISK_FULL] = "disk_full",
    [RS_RECORDED_ERROR] = "error",
    [RS_RECORDED_RECOVERED] = "recovered",
    [RS_RECORDED_HOST_REFUSED] = "host_refused",
    [RS_RECORDED_NO_MEDIA] = "no_media",
    NULL
};

/* what goes with an op, as bits of the fields below, besides type and op */

#define RS_MSG_HAS(bit)    ((uint32_t) 1 << (bit))

static const struct {
    uint32_t        must;
    uint32_t        may;
    unsigned        reasons;          /* bits of rs_recorded_e */
} rs_msg_recording_has[] = {
    [RS_RECORDING_BEGIN] = {
        RS_MSG_HAS(2) | RS_MSG_HAS(3), 0, 0
    },
    [RS_RECORDING_FAILED] = {
        RS_MSG_HAS(2) | RS_MSG_HAS(4), RS_MSG_HAS(5),
        1u << RS_RECORDED_DISK_FULL | 1u << RS_RECORDED_ERROR
        | 1u << RS_RECORDED_HOST_REFUSED | 1u << RS_RECORDED_NO_MEDIA
    },
    [RS_RECORDING_END] = {
        RS_MSG_HAS(2) | RS_MSG_HAS(3) | RS_MSG_HAS(4) | RS_MSG_HAS(6)
        | RS_MSG_HAS(7) | RS_MSG_HAS(8) | RS_MSG_HAS(9),
        RS_MSG_HAS(5) | RS_MSG_HAS(10),
        1u << RS_RECORDED_ENDED | 1u << RS_RECORDED_LOST
        | 1u << RS_RECORDED_DISK_FULL | 1u << RS_RECORDED_ERROR
        | 1u << RS_RECORDED_RECOVERED
    },
    [RS_RECORDING_GONE] = {
        RS_MSG_HAS(3), 0, 0
    }
};

static const char *const  rs_msg_controls[] = {
    [RS_CONTROL_REQUEST] = "request",
    [RS_CONTROL_RELEASE] = "release",
    [RS_CONTROL_GRANT] = "grant",
    [RS_CONTROL_TAKE] = "take",
    [RS_CONTROL_LOCK] = "lock",
    [RS_CONTROL_UNLOCK] = "unlock",
    NULL
};

static const char *const  rs_msg_kinds[] = {
    "direct", "relay", "pipe", NULL
};
static const char *const  rs_msg_protocols[] = { "udp", "tcp", "tls", NULL };
static const char *const  rs_msg_candidates[] = {
    "host", "srflx", "prflx", "relay", NULL
};


static const rs_json_field_t  rs_msg_path_fields[] = {
    { .name = "kind", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = offsetof(rs_msg_path_t, word), .names = rs_msg_kinds },
    { .name = "protocol", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = offsetof(rs_msg_path_t, word), .names = rs_msg_protocols },
    { .name = "local", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = offsetof(rs_msg_path_t, word), .names = rs_msg_candidates },
    { .name = "remote", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = offsetof(rs_msg_path_t, word), .names = rs_msg_candidates },
    { .name = "rtt_ms", .type = RS_JSON_INT, .flags = RS_JSON_REQUIRED,
      .min = 0, .max = RS_MSG_RTT_MAX,
      .offset = offsetof(rs_msg_path_t, rtt_ms) },
    { .name = "region", .type = RS_JSON_STRING, .min = 1,
      .max = RS_REGION_MAX, .offset = offsetof(rs_msg_path_t, region),
      .check = rs_region_check,
      .what = "a region: letters, digits, '.', '_' and '-'" }
};


/* through the gateway: there are no candidates, and no relay */

static const rs_json_field_t  rs_msg_piped_fields[] = {
    { .name = "kind", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = offsetof(rs_msg_path_t, word), .names = rs_msg_kinds },
    { .name = "protocol", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = offsetof(rs_msg_path_t, word), .names = rs_msg_protocols },
    { .name = "rtt_ms", .type = RS_JSON_INT, .flags = RS_JSON_REQUIRED,
      .min = 0, .max = RS_MSG_RTT_MAX,
      .offset = offsetof(rs_msg_path_t, rtt_ms) }
};


static const rs_json_field_t  rs_msg_signal_fields[] = {
    RS_MSG_TYPE,
    { .name = "to", .type = RS_JSON_STRING, .min = RS_ID_LEN,
      .max = RS_ID_LEN, .offset = RS_MSG_FIELD(to),
      .check = rs_id_check_participant, .what = "a participant's id" },
    { .name = "id", .type = RS_JSON_INT, .flags = RS_JSON_REQUIRED,
      .min = 1, .max = RS_MSG_ID_MAX, .offset = RS_MSG_FIELD(id) },
    { .name = "data", .type = RS_JSON_ANY, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(data) }
};


static const rs_json_field_t  rs_msg_input_fields[] = {
    RS_MSG_TYPE,
    { .name = "to", .type = RS_JSON_STRING, .min = RS_ID_LEN,
      .max = RS_ID_LEN, .offset = RS_MSG_FIELD(to),
      .check = rs_id_check_participant, .what = "a participant's id" },
    { .name = "data", .type = RS_JSON_ANY, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(data) }
};


static const rs_json_field_t  rs_msg_state_fields[] = {
    RS_MSG_TYPE,
    { .name = "path", .type = RS_JSON_OBJECT, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(path) }
};


static const rs_json_field_t  rs_msg_control_fields[] = {
    RS_MSG_TYPE,
    { .name = "op", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(control), .names = rs_msg_controls },
    { .name = "to", .type = RS_JSON_STRING, .min = RS_ID_LEN,
      .max = RS_ID_LEN, .offset = RS_MSG_FIELD(to),
      .check = rs_id_check_participant, .what = "a participant's id" }
};


static const rs_json_field_t  rs_msg_hello_fields[] = {
    RS_MSG_TYPE,
    { .name = "tenant", .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,
      .min = 1, .max = RS_TENANT_MAX, .offset = RS_MSG_FIELD(tenant),
      .check = rs_tenant_check, .what = "a tenant: 1 to 32 of [a-z0-9-]" },
    { .name = "device_id", .type = RS_JSON_STRING,
      .flags = RS_JSON_REQUIRED, .min = RS_ID_LEN, .max = RS_ID_LEN,
      .offset = RS_MSG_FIELD(device_id), .check = rs_id_check_device,
      .what = "a device's id" },
    RS_MSG_SIGNED("signature", signature),
    { .name = "agent", .type = RS_JSON_OBJECT, .flags = RS_JSON_PLAIN,
      .max = RS_MSG_INFO_MAX, .offset = RS_MSG_FIELD(agent) },
    { .name = "displays", .type = RS_JSON_ARRAY, .flags = RS_JSON_PLAIN,
      .min = 0, .max = 64,
      .offset = RS_MSG_FIELD(displays) }
};


static const rs_json_field_t  rs_msg_accept_fields[] = {
    RS_MSG_TYPE,
    RS_MSG_SESSION
};


static const rs_json_field_t  rs_msg_reject_fields[] = {
    RS_MSG_TYPE,
    RS_MSG_SESSION,
    { .name = "reason", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(reject), .names = rs_msg_rejects },
    { .name = "detail", .type = RS_JSON_STRING, .min = 0,
      .max = RS_MSG_REASON_MAX, .offset = RS_MSG_FIELD(comment) }
};


static const rs_json_field_t  rs_msg_rotate_fields[] = {
    RS_MSG_TYPE,
    { .name = "public_key", .type = RS_JSON_STRING,
      .flags = RS_JSON_REQUIRED, .min = RS_DEVKEY_TEXT_LEN,
      .max = RS_DEVKEY_TEXT_LEN, .offset = RS_MSG_FIELD(public_key),
      .check = rs_devkey_check,
      .what = "an Ed25519 public key, base64url of 32 bytes" },
    RS_MSG_SIGNED("signature", signature),
    RS_MSG_SIGNED("proof", proof)
};


static const rs_json_field_t  rs_msg_consent_fields[] = {
    RS_MSG_TYPE,
    RS_MSG_SESSION,
    { .name = "participant_id", .type = RS_JSON_STRING,
      .flags = RS_JSON_REQUIRED, .min = RS_ID_LEN, .max = RS_ID_LEN,
      .offset = RS_MSG_FIELD(participant_id),
      .check = rs_id_check_participant, .what = "a participant's id" },
    { .name = "state", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(consent), .names = rs_msg_consents }
};


static const rs_json_field_t  rs_msg_tunnel_fields[] = {
    RS_MSG_TYPE,
    { .name = "op", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(op), .names = rs_msg_tunnel_ops },
    { .name = "tunnel_id", .type = RS_JSON_STRING,
      .flags = RS_JSON_REQUIRED, .min = RS_ID_LEN, .max = RS_ID_LEN,
      .offset = RS_MSG_FIELD(tunnel_id), .check = rs_id_check_tunnel,
      .what = "a tunnel's id" },
    { .name = "pipe_id", .type = RS_JSON_STRING,
      .flags = RS_JSON_REQUIRED, .min = RS_ID_LEN, .max = RS_ID_LEN,
      .offset = RS_MSG_FIELD(pipe_id), .check = rs_id_check_pipe,
      .what = "a pipe's id" },
    { .name = "reason", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(refuse), .names = rs_msg_refuses },
    { .name = "detail", .type = RS_JSON_STRING, .min = 0,
      .max = RS_MSG_REASON_MAX, .offset = RS_MSG_FIELD(comment) }
};


static const rs_json_field_t  rs_msg_load_fields[] = {
    RS_MSG_TYPE,
    RS_MSG_PLACES(capacity, 0),
    RS_MSG_PLACES(used, 0),
    RS_MSG_PLACES(queued, 0),
    RS_MSG_PLACES(queue, 0)
};


static const rs_json_field_t  rs_msg_queued_fields[] = {
    RS_MSG_TYPE,
    RS_MSG_SESSION,
    RS_MSG_PLACES(position, 1)
};


/* which of them an op has: rs_msg_recording_has, by their places here */

static const rs_json_field_t  rs_msg_recording_fields[] = {
    RS_MSG_TYPE,
    { .name = "op", .type = RS_JSON_ENUM, .flags = RS_JSON_REQUIRED,
      .offset = RS_MSG_FIELD(recording), .names = rs_msg_recordings },
    { .name = "session_id", .type = RS_JSON_STRING, .min = RS_ID_LEN,
      .max = RS_ID_LEN, .offset = RS_MSG_FIELD(session_id),
      .check = rs_id_check_session, .what = "a session's id" },
    { .name = "recording_id", .type = RS_JSON_STRING, .min = RS_ID_LEN,
      .max = RS_ID_LEN, .offset = RS_MSG_FIELD(recording_id),
      .check = rs_id_check_recording, .what = "a recording's id" },
    { .name = "reason", .type = RS_JSON_ENUM,
      .offset = RS_MSG_FIELD(recorded), .names = rs_msg_recorded },
    { .name = "detail", .type = RS_JSON_STRING, .min = 0,
      .max = RS_MSG_REASON_MAX, .offset = RS_MSG_FIELD(comment) },
    { .name = "duration_ms", .type = RS_JSON_INT, .min = 0,
      .max = RS_MSG_ID_MAX - 1, .offset = RS_MSG_FIELD(duration_ms) },
    { .name = "bytes", .type = RS_JSON_INT, .min = 0,
      .max = RS_MSG_ID_MAX - 1, .offset = RS_MSG_FIELD(bytes) },
    { .name = "sha256", .type = RS_JSON_STRING, .min = RS_ID_HASH_LEN,
      .max = RS_ID_HASH_LEN, .offset = RS_MSG_FIELD(sha256),
      .check = rs_msg_check_sha256, .what = "64 hexadecimal digits" },
    { .name = "gaps", .type = RS_JSON_INT, .min = 0,
      .max = RS_MSG_ID_MAX - 1, .offset = RS_MSG_FIELD(gaps) },
    { .name = "expires_at", .type = RS_JSON_INT, .min = 1,
      .max = RS_MSG_ID_MAX - 1, .offset = RS_MSG_FIELD(expires_at) }
};


static const rs_json_field_t  rs_msg_pipe_fields[] = {
    RS_MSG_TYPE,
    { .name = "with", .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,
      .min = RS_ID_LEN, .max = RS_ID_LEN, .offset = RS_MSG_FIELD(with),
      .check = rs_id_check_participant, .what = "a participant's id" },
    { .name = "name", .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,
      .min = RS_ID_BARE_LEN, .max = RS_ID_BARE_LEN,
      .offset = RS_MSG_FIELD(name), .check = rs_msg_check_name,
      .what = "26 characters of base32" },
    { .name = "id", .type = RS_JSON_INT, .flags = RS_JSON_REQUIRED,
      .min = 1, .max = RS_MSG_ID_MAX, .offset = RS_MSG_FIELD(id) }
};


static const rs_json_field_t  rs_msg_bye_fields[] = {
    RS_MSG_TYPE,
    { .name = "reason", .type = RS_JSON_STRING, .min = 0,
      .max = RS_MSG_REASON_MAX, .offset = RS_MSG_FIELD(reason) }
};


static const rs_json_field_t  rs_msg_no_fields[] = {
    RS_MSG_TYPE
};


static const rs_msg_spec_t  rs_msg_types[] = {
    { "signal", RS_MSG_SIGNAL, RS_CHANNEL_SIGNAL, rs_msg_signal_fields,
      RS_MSG_N(rs_msg_signal_fields), rs_msg_take_signal },
    { "input", RS_MSG_INPUT, RS_CHANNEL_SIGNAL, rs_msg_input_fields,
      RS_MSG_N(rs_msg_input_fields), rs_msg_take_input },
    { "state", RS_MSG_STATE, RS_CHANNEL_SIGNAL, rs_msg_state_fields,
      RS_MSG_N(rs_msg_state_fields), rs_msg_take_state },
    { "ice", RS_MSG_ICE, RS_CHANNEL_SIGNAL, rs_msg_no_fields,
      RS_MSG_N(rs_msg_no_fields), rs_msg_take_nothing },
    { "control", RS_MSG_CONTROL, RS_CHANNEL_SIGNAL, rs_msg_control_fields,
      RS_MSG_N(rs_msg_control_fields), rs_msg_take_control },
    { "pipe", RS_MSG_PIPE, RS_CHANNEL_SIGNAL, rs_msg_pipe_fields,
      RS_MSG_N(rs_msg_pipe_fields), rs_msg_take_pipe },
    { "hello", RS_MSG_HELLO, RS_CHANNEL_AGENT, rs_msg_hello_fields,
      RS_MSG_N(rs_msg_hello_fields), rs_msg_take_hello },
    { "accept", RS_MSG_ACCEPT, RS_CHANNEL_AGENT, rs_msg_accept_fields,
      RS_MSG_N(rs_msg_accept_fields), rs_msg_take_session },
    { "reject", RS_MSG_REJECT, RS_CHANNEL_AGENT, rs_msg_reject_fields,
      RS_MSG_N(rs_msg_reject_fields), rs_msg_take_session },
    { "rotate", RS_MSG_ROTATE, RS_CHANNEL_AGENT, rs_msg_rotate_fields,
      RS_MSG_N(rs_msg_rotate_fields), rs_msg_take_rotate },
    { "consent", RS_MSG_CONSENT, RS_CHANNEL_AGENT, rs_msg_consent_fields,
      RS_MSG_N(rs_msg_consent_fields), rs_msg_take_session },
    { "tunnel", RS_MSG_TUNNEL, RS_CHANNEL_AGENT, rs_msg_tunnel_fields,
      RS_MSG_N(rs_msg_tunnel_fields), rs_msg_take_tunnel },
    { "load", RS_MSG_LOAD, RS_CHANNEL_AGENT, rs_msg_load_fields,
      RS_MSG_N(rs_msg_load_fields), rs_msg_take_load },
    { "queued", RS_MSG_QUEUED, RS_CHANNEL_AGENT, rs_msg_queued_fields,
      RS_MSG_N(rs_msg_queued_fields), rs_msg_take_session },
    { "recording", RS_MSG_RECORDING, RS_CHANNEL_AGENT,
      rs_msg_recording_fields, RS_MSG_N(rs_msg_recording_fields),
      rs_msg_take_recording },
    { "bye", RS_MSG_BYE, RS_MSG_BOTH, rs_msg_bye_fields,
      RS_MSG_N(rs_msg_bye_fields), rs_msg_take_bye },
    { "ping", RS_MSG_PING, RS_MSG_BOTH, rs_msg_no_fields,
      RS_MSG_N(rs_msg_no_fields), rs_msg_take_nothing },
    { "pong", RS_MSG_PONG, RS_MSG_BOTH, rs_msg_no_fields,
      RS_MSG_N(rs_msg_no_fields), rs_msg_take_nothing }
};


const char *
rs_reject_name(rs_reject_e reject)
{
    return ((unsigned) reject < RS_MSG_N(rs_msg_rejects) - 1)
           ? rs_msg_rejects[reject] : "policy";
}


const char *
rs_recording_name(rs_recording_e op)
{
    return ((unsigned) op < RS_MSG_N(rs_msg_recordings) - 1)
           ? rs_msg_recordings[op] : "end";
}


const char *
rs_recorded_name(rs_recorded_e reason)
{
    return ((unsigned) reason < RS_MSG_N(rs_msg_recorded) - 1)
           ? rs_msg_recorded[reason] : "error";
}


rs_err_e
rs_refuse_err(rs_refuse_e refuse)
{
    switch (refuse) {

    case RS_REFUSE_TARGET_REFUSED:
        return RS_E_TARGET_REFUSED;

    case RS_REFUSE_TARGET_UNREACHABLE:
        return RS_E_TARGET_UNREACHABLE;

    case RS_REFUSE_BUSY:
        return RS_E_OVERLOADED;

    default:
        return RS_E_FORBIDDEN;
    }
}


rs_err_e
rs_msg_parse(rs_msg_t *msg, rs_channel_e channel, const void *data, size_t len)
{
    rs_err_e              rc;
    rs_msg_fields_t       fields;
    const rs_msg_spec_t  *spec;

    memset(msg, 0, sizeof(rs_msg_t));
    memset(&fields, 0, sizeof(rs_msg_fields_t));

    rc = rs_json_load(data, len, RS_MSG_SIZE_MAX, &msg->json, &msg->error);

    if (rc != RS_OK) {
        return (rc == RS_E_BODY_TOO_LARGE) ? RS_E_WS_TOO_BIG : rc;
    }

    spec = rs_msg_spec(msg, channel, &rc);

    if (spec != NULL) {
        rc = rs_json_read(msg->json, spec->fields, spec->n, &fields, "",
                          NULL, NULL, &msg->error);

        if (rc == RS_OK) {
            msg->type = spec->type;
            rc = spec->take(msg, &fields, len);
        }

        if (rc != RS_OK
            && (spec->type == RS_MSG_SIGNAL || spec->type == RS_MSG_PIPE))
        {
            rs_msg_answer_id(msg);
        }
    }

    if (rc != RS_OK) {
        rs_msg_free(msg);
    }

    return rc;
}


void
rs_msg_free(rs_msg_t *msg)
{
    free(msg->dump[0]);
    free(msg->dump[1]);
    json_decref(msg->json);

    msg->dump[0] = NULL;
    msg->dump[1] = NULL;
    msg->json = NULL;
    msg->type = RS_MSG_NONE;
}


static const rs_msg_spec_t *
rs_msg_spec(rs_msg_t *msg, rs_channel_e channel, rs_err_e *rc)
{
    size_t               i;
    json_t              *value;
    rs_str_t             name;
    const rs_msg_spec_t  *spec;

    value = json_object_get(msg->json, "type");

    if (!json_is_string(value)) {
        *rc = rs_json_fail(&msg->error, RS_E_INVALID_VALUE, "/type",
                           "type is required and must be a string");
        return NULL;
    }

    name.data = (const uint8_t *) json_string_value(value);
    name.len = json_string_length(value);

    for (i = 0; i < RS_MSG_N(rs_msg_types); i++) {
        spec = &rs_msg_types[i];

        if ((spec->channels & (unsigned) channel)
            && rs_str_eq(name, rs_str(spec->name)))
        {
            return spec;
        }
    }

    name = rs_utf8_cut(name, 64);

    *rc = rs_json_fail(&msg->error, RS_E_UNKNOWN_TYPE, "/type",
                       "messages of type \"%.*s\" are not known on this "
                       "channel", (int) name.len, (const char *) name.data);

    return NULL;
}


/* of one that is refused, so that its sender knows which one it was */

static void
rs_msg_answer_id(rs_msg_t *msg)
{
    json_t   *value;
    int64_t   id;

    value = json_object_get(msg->json, "id");
    id = json_is_integer(value) ? json_integer_value(value) : 0;

    if (id >= 1 && id <= RS_MSG_ID_MAX) {
        msg->id = (uint64_t) id;
    }
}


/* rc: what it is when the text is longer than max */

static rs_err_e
rs_msg_dump(rs_msg_t *msg, unsigned i, const json_t *value, size_t max,
    rs_err_e rc, const char *pointer, rs_str_t *text)
{
    size_t  len;

    msg->dump[i] = rs_json_dump(value, max, &len);

    if (msg->dump[i] == NULL && len == 0) {
        return rs_json_fail(&msg->error, RS_E_INTERNAL, NULL,
                            "there is no memory for the message");
    }

    if (msg->dump[i] == NULL) {
        return rs_json_fail(&msg->error, rc, pointer,
                            "%s is of more than %zu bytes as compact JSON",
                            pointer + 1, max);
    }

    text->data = (uint8_t *) msg->dump[i];
    text->len = len;

    return RS_OK;
}


static rs_err_e
rs_msg_take_signal(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    msg->to = f->to;
    msg->id = (uint64_t) f->id;

    return rs_msg_dump(msg, 0, f->data, len + RS_MSG_GROWTH, RS_E_WS_TOO_BIG,
                       "/data", &msg->data);
}


static rs_err_e
rs_msg_take_input(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->to = f->to;

    return rs_msg_dump(msg, 0, f->data, RS_MSG_INPUT_MAX, RS_E_INVALID_VALUE,
                       "/data", &msg->data);
}


static rs_err_e
rs_msg_take_state(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    rs_err_e       rc;
    const char    *kind;
    rs_msg_path_t  path;

    kind = json_string_value(json_object_get(f->path, "kind"));

    if (kind != NULL && strcmp(kind, "pipe") == 0) {
        rc = rs_json_read(f->path, rs_msg_piped_fields,
                          RS_MSG_N(rs_msg_piped_fields), &path, "/path", NULL,
                          NULL, &msg->error);

    } else {
        rc = rs_json_read(f->path, rs_msg_path_fields,
                          RS_MSG_N(rs_msg_path_fields), &path, "/path", NULL,
                          NULL, &msg->error);
    }

    if (rc != RS_OK) {
        return rc;
    }

    return rs_msg_dump(msg, 0, f->path, len, RS_E_WS_TOO_BIG, "/path",
                       &msg->path);
}


static rs_err_e
rs_msg_check_signature(rs_str_t s)
{
    size_t   len;
    uint8_t  raw[RS_MSG_SIGNATURE_LEN];

    return (rs_base64url_decode(raw, sizeof(raw), s, &len)
            && len == sizeof(raw)) ? RS_OK : RS_E_INVALID_VALUE;
}


static rs_err_e
rs_msg_take_hello(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    rs_err_e  rc;

    (void) len;

    msg->tenant = f->tenant;
    msg->device_id = f->device_id;

    /* its form was checked by the table */
    (void) rs_base64url_decode(msg->signature, sizeof(msg->signature),
                               f->signature, &len);

    rc = RS_OK;

    if (f->agent != NULL) {
        rc = rs_msg_dump(msg, 0, f->agent, RS_MSG_INFO_MAX,
                         RS_E_INVALID_VALUE, "/agent", &msg->agent);
    }

    if (rc == RS_OK && f->displays != NULL) {
        rc = rs_msg_dump(msg, 1, f->displays, RS_MSG_INFO_MAX,
                         RS_E_INVALID_VALUE, "/displays", &msg->displays);
    }

    return rc;
}


static rs_err_e
rs_msg_take_rotate(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    msg->public_key = f->public_key;

    /* their form was checked by the table */
    (void) rs_base64url_decode(msg->signature, sizeof(msg->signature),
                               f->signature, &len);
    (void) rs_base64url_decode(msg->proof, sizeof(msg->proof), f->proof,
                               &len);

    return RS_OK;
}


/* accept, reject, consent and queued; the tables of all but the first set
   more */

static rs_err_e
rs_msg_take_session(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->session_id = f->session_id;

    if (msg->type == RS_MSG_REJECT) {
        msg->reject = (rs_reject_e) f->reject;
        msg->reason = rs_str(rs_reject_name(msg->reject));
        msg->comment = f->comment;

    } else if (msg->type == RS_MSG_CONSENT) {
        msg->participant_id = f->participant_id;
        msg->consent = (rs_consent_e) f->consent;
        msg->reason = rs_str(rs_msg_consents[f->consent]);

    } else if (msg->type == RS_MSG_QUEUED) {
        msg->place = (unsigned) f->position;
    }

    return RS_OK;
}


static rs_err_e
rs_msg_take_load(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->load.capacity = (unsigned) f->capacity;
    msg->load.used = (unsigned) f->used;
    msg->load.queued = (unsigned) f->queued;
    msg->load.queue = (unsigned) f->queue;

    return RS_OK;
}


static rs_err_e
rs_msg_take_control(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->control = (rs_control_e) f->control;
    msg->reason = rs_str(rs_msg_controls[f->control]);
    msg->to = f->to;

    if ((msg->control == RS_CONTROL_GRANT) != (f->to.len != 0)) {
        return rs_json_fail(&msg->error, RS_E_INVALID_VALUE, "/to",
                            "to is wanted with \"grant\", and with nothing "
                            "else");
    }

    return RS_OK;
}


static rs_err_e
rs_msg_take_tunnel(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->tunnel_id = f->tunnel_id;
    msg->pipe_id = f->pipe_id;
    msg->refuse = (rs_refuse_e) f->refuse;
    msg->reason = rs_str(rs_msg_refuses[f->refuse]);
    msg->comment = f->comment;

    return RS_OK;
}


static rs_err_e
rs_msg_check_sha256(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < '0' || s.data[i] > '9')
            && (s.data[i] < 'a' || s.data[i] > 'f'))
        {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


/* each op has fields of its own: none is missing, none is of another */

static rs_err_e
rs_msg_take_recording(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    char             pointer[32];
    size_t           i;
    uint32_t         must, may;
    const char      *name;
    rs_recording_e   op;

    (void) len;

    op = (rs_recording_e) f->recording;
    must = rs_msg_recording_has[op].must;
    may = rs_msg_recording_has[op].may | must;

    for (i = 2; i < RS_MSG_N(rs_msg_recording_fields); i++) {
        name = rs_msg_recording_fields[i].name;
        (void) snprintf(pointer, sizeof(pointer), "/%s", name);

        if (json_object_get(msg->json, name) == NULL) {

            if (must & RS_MSG_HAS(i)) {
                return rs_json_fail(&msg->error, RS_E_INVALID_VALUE, pointer,
                                    "%s is wanted with \"%s\"", name,
                                    rs_msg_recordings[op]);
            }

        } else if (!(may & RS_MSG_HAS(i))) {
            return rs_json_fail(&msg->error, RS_E_UNKNOWN_FIELD, pointer,
                                "\"%s\" has no %s", rs_msg_recordings[op],
                                name);
        }
    }

    if ((must & RS_MSG_HAS(4))
        && !(rs_msg_recording_has[op].reasons & (1u << f->recorded)))
    {
        return rs_json_fail(&msg->error, RS_E_INVALID_VALUE, "/reason",
                            "\"%s\" is no reason of \"%s\"",
                            rs_msg_recorded[f->recorded],
                            rs_msg_recordings[op]);
    }

    msg->session_id = f->session_id;
    msg->comment = f->comment;
    msg->recording.op = op;
    msg->recording.reason = (rs_recorded_e) f->recorded;
    msg->recording.id = f->recording_id;
    msg->recording.duration_ms = (uint64_t) f->duration_ms;
    msg->recording.bytes = (uint64_t) f->bytes;
    msg->recording.sha256 = f->sha256;
    msg->recording.gaps = (uint64_t) f->gaps;
    msg->recording.expires_at = (uint64_t) f->expires_at;

    if (must & RS_MSG_HAS(4)) {
        msg->reason = rs_str(rs_msg_recorded[f->recorded]);
    }

    return RS_OK;
}


/* the name is the pipe's id without what all ids of pipes begin with */

static rs_err_e
rs_msg_take_pipe(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->id = (uint64_t) f->id;
    msg->to = f->with;

    memcpy(msg->name, RS_ID_PIPE, RS_ID_PREFIX_LEN);
    memcpy(msg->name + RS_ID_PREFIX_LEN, f->name.data, RS_ID_BARE_LEN);

    msg->pipe_id = (rs_str_t) { (uint8_t *) msg->name, RS_ID_LEN };

    return RS_OK;
}


static rs_err_e
rs_msg_check_name(rs_str_t s)
{
    char  id[RS_ID_LEN];

    if (s.len != RS_ID_BARE_LEN) {
        return RS_E_INVALID_VALUE;
    }

    memcpy(id, RS_ID_PIPE, RS_ID_PREFIX_LEN);
    memcpy(id + RS_ID_PREFIX_LEN, s.data, RS_ID_BARE_LEN);

    return rs_id_check_pipe((rs_str_t) { (uint8_t *) id, RS_ID_LEN });
}


static rs_err_e
rs_msg_take_bye(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) len;

    msg->reason = f->reason;

    return RS_OK;
}


static rs_err_e
rs_msg_take_nothing(rs_msg_t *msg, rs_msg_fields_t *f, size_t len)
{
    (void) msg;
    (void) f;
    (void) len;

    return RS_OK;
}
