
/*
 * Copyright (C) rs-gateway contributors
 */


#include "rs_recording.h"
#include "rs_devkey.h"
#include "rs_ed25519.h"
#include "rs_id.h"

#include <stdio.h>
#include <string.h>


#define RS_RECORDING_SIG          ",\"sig\":\""
#define RS_RECORDING_SIG_LEN      (sizeof(RS_RECORDING_SIG) - 1)
#define RS_RECORDING_SIG_TEXT     RS_BASE64URL_LEN(RS_RECORDING_SIGNATURE_LEN)
#define RS_RECORDING_EVENTS_NAME  "events."


typedef struct {
    rs_recording_line_t    line;
    int64_t                v;
    rs_str_t               kind;
    unsigned               state;
    rs_str_t               prev;
    rs_str_t               sha256;
    rs_str_t               manifest;
    rs_str_t               public_key;
    rs_str_t               sig;
} rs_recording_fields_t;


typedef struct {
    rs_str_t               kind;
    const rs_json_field_t *fields;
    size_t                 n;
} rs_recording_form_t;


static rs_err_e rs_recording_check_hash(rs_str_t s);
static rs_err_e rs_recording_check_id(rs_str_t s);
static rs_err_e rs_recording_check_file(rs_str_t s);
static rs_err_e rs_recording_check_key(rs_str_t s);
static rs_err_e rs_recording_check_sig(rs_str_t s);
static const rs_recording_form_t *rs_recording_form(const json_t *obj,
    rs_json_error_t *err, rs_err_e *rc);
static rs_err_e rs_recording_take(rs_recording_fields_t *f, const void *data,
    size_t len, rs_json_error_t *err);


const char *const  rs_recording_why[] = { "lost", "path", "silent", NULL };

static const char *const  rs_recording_states[] = {
    "kept", "incomplete", NULL
};


#define RS_RECORDING_AT(member)                                              \
    offsetof(rs_recording_fields_t, member)

#define RS_RECORDING_INT(name, flags, min, member)                           \
    { name, RS_JSON_INT, flags, min, RS_RECORDING_TIME_MAX,                  \
      RS_RECORDING_AT(member), NULL, NULL, NULL }

#define RS_RECORDING_TEXT(name, flags, max, member, check, what)             \
    { name, RS_JSON_STRING, flags, 1, max, RS_RECORDING_AT(member), NULL,    \
      check, what }

#define RS_RECORDING_HASH(name, member)                                      \
    RS_RECORDING_TEXT(name, RS_JSON_REQUIRED, 64, member,                    \
                      rs_recording_check_hash,                               \
                      "64 hexadecimal digits in lower case")

/* of every kind */

#define RS_RECORDING_COMMON                                                  \
    { "v", RS_JSON_INT, RS_JSON_REQUIRED, 1, 1, RS_RECORDING_AT(v), NULL,    \
      NULL, NULL },                                                          \
    RS_RECORDING_TEXT("kind", RS_JSON_REQUIRED, 16, kind, NULL, NULL),       \
    RS_RECORDING_INT("n", RS_JSON_REQUIRED, 0, line.n),                      \
    RS_RECORDING_INT("t_ms", RS_JSON_REQUIRED, 0, line.t_ms),                \
    RS_RECORDING_HASH("prev", prev),                                         \
    RS_RECORDING_TEXT("sig", RS_JSON_REQUIRED, RS_RECORDING_SIG_TEXT, sig,   \
                      rs_recording_check_sig,                                \
                      "a signature of 64 bytes as base64url")

#define RS_RECORDING_OF_FILE                                                 \
    RS_RECORDING_TEXT("file", RS_JSON_REQUIRED, RS_RECORDING_EVENTS_LEN,     \
                      line.file, rs_recording_check_file,                    \
                      "a name as \"000001.cms\"")


static const rs_json_field_t  rs_recording_begin[] = {
    RS_RECORDING_COMMON,
    RS_RECORDING_TEXT("recording_id", RS_JSON_REQUIRED, RS_ID_LEN,
                      line.recording_id, rs_recording_check_id,
                      "an id \"rec_...\""),
    RS_RECORDING_TEXT("session_id", RS_JSON_REQUIRED, RS_ID_LEN,
                      line.session_id, rs_id_check_session,
                      "an id \"ses_...\""),
    RS_RECORDING_TEXT("tenant", RS_JSON_REQUIRED, 32, line.tenant, NULL,
                      NULL),
    RS_RECORDING_TEXT("device_id", RS_JSON_REQUIRED, RS_ID_LEN,
                      line.device_id, rs_id_check_device,
                      "an id \"dev_...\""),
    RS_RECORDING_TEXT("public_key", RS_JSON_REQUIRED, 43, public_key,
                      rs_recording_check_key, "a key as base64url"),
    RS_RECORDING_INT("started_at", RS_JSON_REQUIRED, 0, line.started_at),
    RS_RECORDING_HASH("manifest_sha256", manifest)
};


static const rs_json_field_t  rs_recording_media[] = {
    RS_RECORDING_COMMON,
    RS_RECORDING_OF_FILE,
    RS_RECORDING_HASH("sha256", sha256),
    RS_RECORDING_INT("bytes", RS_JSON_REQUIRED, 1, line.bytes),
    RS_RECORDING_INT("dur_ms", RS_JSON_REQUIRED, 0, line.dur_ms),
    { "key", RS_JSON_BOOL, RS_JSON_REQUIRED, 0, 0, RS_RECORDING_AT(line.key),
      NULL, NULL, NULL },
    { "init", RS_JSON_BOOL, RS_JSON_REQUIRED, 0, 0,
      RS_RECORDING_AT(line.init), NULL, NULL, NULL },
    RS_RECORDING_TEXT("mime", 0, 64, line.mime, NULL, NULL)
};


static const rs_json_field_t  rs_recording_events[] = {
    RS_RECORDING_COMMON,
    RS_RECORDING_OF_FILE,
    RS_RECORDING_HASH("sha256", sha256),
    RS_RECORDING_INT("bytes", RS_JSON_REQUIRED, 1, line.bytes),
    RS_RECORDING_INT("count", RS_JSON_REQUIRED, 1, line.count)
};


static const rs_json_field_t  rs_recording_gap[] = {
    RS_RECORDING_COMMON,
    RS_RECORDING_INT("dur_ms", RS_JSON_REQUIRED, 0, line.dur_ms),
    { "why", RS_JSON_ENUM, RS_JSON_REQUIRED, 0, 0, RS_RECORDING_AT(line.why),
      rs_recording_why, NULL, NULL }
};


static const rs_json_field_t  rs_recording_end[] = {
    RS_RECORDING_COMMON,
    { "state", RS_JSON_ENUM, RS_JSON_REQUIRED, 0, 0, RS_RECORDING_AT(state),
      rs_recording_states, NULL, NULL },
    RS_RECORDING_TEXT("reason", RS_JSON_REQUIRED, 64, line.reason, NULL,
                      NULL),
    RS_RECORDING_INT("segments", RS_JSON_REQUIRED, 0, line.segments),
    RS_RECORDING_INT("gaps", RS_JSON_REQUIRED, 0, line.gaps),
    RS_RECORDING_INT("bytes", RS_JSON_REQUIRED, 0, line.bytes)
};


#define RS_RECORDING_FORM(name, table)                                       \
    { { (const uint8_t *) name, sizeof(name) - 1 }, table,                   \
      sizeof(table) / sizeof(table[0]) }


/* in the order of rs_recording_kind_e */

static const rs_recording_form_t  rs_recording_forms[] = {
    RS_RECORDING_FORM("begin", rs_recording_begin),
    RS_RECORDING_FORM("media", rs_recording_media),
    RS_RECORDING_FORM("events", rs_recording_events),
    RS_RECORDING_FORM("gap", rs_recording_gap),
    RS_RECORDING_FORM("end", rs_recording_end)
};


static rs_err_e
rs_recording_check_hash(rs_str_t s)
{
    size_t   len;
    uint8_t  hash[RS_RECORDING_HASH_LEN];

    return (rs_hex_decode(hash, sizeof(hash), s, &len)
            && len == sizeof(hash))
           ? RS_OK : RS_E_INVALID_VALUE;
}


static rs_err_e
rs_recording_check_id(rs_str_t s)
{
    return rs_id_check(s, RS_ID_RECORDING);
}


static rs_err_e
rs_recording_check_file(rs_str_t s)
{
    int       events;
    unsigned  n;

    return rs_recording_file(s, &events, &n) ? RS_OK : RS_E_INVALID_VALUE;
}


static rs_err_e
rs_recording_check_key(rs_str_t s)
{
    return rs_devkey_parse(s, NULL);
}


static rs_err_e
rs_recording_check_sig(rs_str_t s)
{
    size_t   len;
    uint8_t  sig[RS_RECORDING_SIGNATURE_LEN];

    return (rs_base64url_decode(sig, sizeof(sig), s, &len)
            && len == sizeof(sig))
           ? RS_OK : RS_E_INVALID_VALUE;
}


static const rs_recording_form_t *
rs_recording_form(const json_t *obj, rs_json_error_t *err, rs_err_e *rc)
{
    size_t         i;
    rs_str_t       kind;
    const json_t  *value;

    value = json_object_get(obj, "kind");

    if (!json_is_string(value)) {
        *rc = rs_json_fail(err, RS_E_INVALID_VALUE, "/kind",
                           "\"kind\" is missing or no string");
        return NULL;
    }

    kind.data = (const uint8_t *) json_string_value(value);
    kind.len = json_string_length(value);

    for (i = 0; i <= RS_RECORDING_END; i++) {

        if (rs_str_eq(kind, rs_recording_forms[i].kind)) {
            *rc = RS_OK;
            return &rs_recording_forms[i];
        }
    }

    *rc = rs_json_fail(err, RS_E_UNKNOWN_TYPE, "/kind",
                       "\"kind\" is none that is known here");
    return NULL;
}


rs_err_e
rs_recording_parse(const void *data, size_t len, json_t **obj,
    rs_recording_line_t *line, rs_json_error_t *err)
{
    rs_err_e                    rc;
    rs_recording_fields_t       f;
    const rs_recording_form_t  *form;

    rc = rs_json_load(data, len, RS_RECORDING_LINE_MAX, obj, err);

    if (rc != RS_OK) {
        return rc;
    }

    memset(&f, 0, sizeof(f));
    form = rs_recording_form(*obj, err, &rc);

    if (form != NULL) {
        f.line.kind = (rs_recording_kind_e) (form - rs_recording_forms);
        rc = rs_json_read(*obj, form->fields, form->n, &f, "", NULL, NULL,
                          err);
    }

    if (rc == RS_OK) {
        rc = rs_recording_take(&f, data, len, err);
    }

    if (rc != RS_OK) {
        json_decref(*obj);
        *obj = NULL;
        return rc;
    }

    *line = f.line;

    return RS_OK;
}


/*
 * What is signed are bytes, so the signature stands at the very end: whatever
 * a line says of itself, it is only these bytes that somebody signed.
 */

static rs_err_e
rs_recording_take(rs_recording_fields_t *f, const void *data, size_t len,
    rs_json_error_t *err)
{
    int             events;
    size_t          n, tail;
    unsigned        number;
    const uint8_t  *p;

    tail = RS_RECORDING_SIG_LEN + RS_RECORDING_SIG_TEXT + 2;
    p = data;

    if (len <= tail
        || memcmp(p + len - tail, RS_RECORDING_SIG, RS_RECORDING_SIG_LEN)
           != 0
        || f->sig.len != RS_RECORDING_SIG_TEXT
        || memcmp(p + len - RS_RECORDING_SIG_TEXT - 2, f->sig.data,
                  RS_RECORDING_SIG_TEXT)
           != 0
        || memcmp(p + len - 2, "\"}", 2) != 0)
    {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/sig",
                            "\"sig\" has to be the line's last member, "
                            "without blanks");
    }

    if (f->line.file.len != 0
        && (!rs_recording_file(f->line.file, &events, &number)
            || events != (f->line.kind == RS_RECORDING_EVENTS)))
    {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/file",
                            "\"file\" is a name of another kind");
    }

    if (f->line.init && f->line.mime.len == 0) {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/mime",
                            "a file with a WebM head needs a \"mime\"");
    }

    f->line.signed_len = len - tail;
    f->line.kept = (f->state == 0);

    (void) rs_base64url_decode(f->line.signature, sizeof(f->line.signature),
                               f->sig, &n);
    (void) rs_hex_decode(f->line.prev, sizeof(f->line.prev), f->prev, &n);

    if (f->line.kind == RS_RECORDING_BEGIN) {
        (void) rs_base64url_decode(f->line.public_key,
                                   sizeof(f->line.public_key), f->public_key,
                                   &n);
        f->sha256 = f->manifest;
    }

    if (f->sha256.len != 0) {
        (void) rs_hex_decode(f->line.sha256, sizeof(f->line.sha256),
                             f->sha256, &n);
    }

    return RS_OK;
}


size_t
rs_recording_signed(uint8_t *dst, const void *data, size_t len)
{
    if (len > RS_RECORDING_LINE_MAX) {
        return 0;
    }

    memcpy(dst, RS_RECORDING_CONTEXT, sizeof(RS_RECORDING_CONTEXT));
    memcpy(dst + sizeof(RS_RECORDING_CONTEXT), data, len);

    return sizeof(RS_RECORDING_CONTEXT) + len;
}


rs_err_e
rs_recording_verify(const uint8_t key[RS_RECORDING_KEY_LEN],
    const void *data, const rs_recording_line_t *line)
{
    size_t   len;
    uint8_t  text[RS_RECORDING_LINE_MAX + sizeof(RS_RECORDING_CONTEXT)];

    len = rs_recording_signed(text, data, line->signed_len);

    return (len != 0) ? rs_ed25519_verify(key, text, len, line->signature)
                      : RS_E_INTERNAL;
}


int
rs_recording_file(rs_str_t name, int *events, unsigned *n)
{
    size_t    i;
    rs_str_t  prefix;

    prefix = RS_STR(RS_RECORDING_EVENTS_NAME);
    *events = rs_str_starts(name, prefix);

    if (*events) {
        name.data += prefix.len;
        name.len -= prefix.len;
    }

    if (name.len != RS_RECORDING_NAME_LEN
        || memcmp(name.data + 6, ".cms", 4) != 0)
    {
        return 0;
    }

    *n = 0;

    for (i = 0; i < 6; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (name.data[i] - (unsigned) '0');
    }

    return *n != 0;
}


void
rs_recording_file_name(char *dst, int events, unsigned n)
{
    (void) snprintf(dst, RS_RECORDING_EVENTS_LEN + 1, "%s%06u.cms",
                    events ? RS_RECORDING_EVENTS_NAME : "",
                    n % (RS_RECORDING_FILES_MAX + 1));
}
