
/*
 * Copyright (C) rs-gateway contributors
 *
 * Lines of a chain: one that is taken is within its bounds, names no path,
 * and what is signed of it is all but its last member.
 */


#include "fuzz.h"
#include "rs_recording.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                   events;
    json_t               *obj;
    uint8_t               text[RS_RECORDING_LINE_MAX
                               + sizeof(RS_RECORDING_CONTEXT)];
    rs_err_e              rc;
    unsigned              n;
    rs_json_error_t       err;
    rs_recording_line_t   l;

    static const uint8_t  key[RS_RECORDING_KEY_LEN] = "no key";

    err.text[0] = '\0';
    rc = rs_recording_parse(data, size, &obj, &l, &err);

    if (rc != RS_OK) {
        CHECK(err.text[0] != '\0');
        return 0;
    }

    CHECK(size <= RS_RECORDING_LINE_MAX);
    CHECK(l.signed_len < size);
    CHECK(data[l.signed_len] == ',');
    CHECK(l.n >= 0 && l.t_ms >= 0 && l.bytes >= 0 && l.dur_ms >= 0);
    CHECK(l.why < 3);

    if (l.kind == RS_RECORDING_MEDIA || l.kind == RS_RECORDING_EVENTS) {
        CHECK(rs_recording_file(l.file, &events, &n));
        CHECK(events == (l.kind == RS_RECORDING_EVENTS));
        CHECK(n >= 1 && n <= RS_RECORDING_FILES_MAX);
    }

    CHECK(rs_recording_signed(text, data, l.signed_len)
          == l.signed_len + sizeof(RS_RECORDING_CONTEXT));
    CHECK(rs_recording_verify(key, data, &l) != RS_OK);

    json_decref(obj);

    return 0;
}
