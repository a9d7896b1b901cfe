
/*
 * Copyright (C) rs-gateway contributors
 *
 * The snapshot of a TURN server's plugin.
 */


#include "rs_turn_snap.h"

#include <openssl/evp.h>


#define RS_TURN_SNAP_TIME_MAX  9999999999999ULL
#define RS_TURN_SNAP_DIGEST    32


static const char *const  rs_turn_snap_names[RS_TURN_SNAP_MAX] = {
    "live", "ended", "revoked", "newest"
};


static int rs_turn_snap_parse(rs_str_t line, rs_turn_snap_t *r);
static int rs_turn_snap_valid(const rs_turn_snap_t *r);
static int rs_turn_snap_par(rs_turn_snap_e type, rs_str_t par);
static const char *rs_turn_snap_end(rs_str_t *text, uint64_t *records);
static int rs_turn_snap_take(rs_str_t *text, rs_str_t *line);


size_t
rs_turn_snap_head(char *dst, uint64_t synced_ms)
{
    rs_buf_t  b;

    if (synced_ms > RS_TURN_SNAP_TIME_MAX * 1000) {
        return 0;
    }

    rs_buf_init(&b, dst, RS_TURN_SNAP_LINE);
    rs_buf_cstr(&b, "rs-turn-snapshot 1\nsynced ");
    rs_buf_u64(&b, synced_ms);
    rs_buf_char(&b, '\n');

    return b.len;
}


size_t
rs_turn_snap_line(char *dst, const rs_turn_snap_t *r)
{
    rs_buf_t  b;

    if (!rs_turn_snap_valid(r)) {
        return 0;
    }

    rs_buf_init(&b, dst, RS_TURN_SNAP_LINE);
    rs_buf_cstr(&b, rs_turn_snap_names[r->type]);
    rs_buf_char(&b, ' ');
    rs_buf_str(&b, r->tenant);
    rs_buf_char(&b, ' ');
    rs_buf_str(&b, r->session_id);
    rs_buf_char(&b, ' ');
    rs_buf_str(&b, r->participant_id.len ? r->participant_id : RS_STR("-"));
    rs_buf_char(&b, ' ');
    rs_buf_u64(&b, r->at);

    rs_buf_char(&b, '\n');

    return b.overflow ? 0 : b.len;
}


size_t
rs_turn_snap_tail(char *dst, uint64_t records, const uint8_t *digest)
{
    char      hex[RS_HEX_LEN(RS_TURN_SNAP_DIGEST)];
    rs_buf_t  b;

    (void) rs_hex_encode(hex, digest, RS_TURN_SNAP_DIGEST);

    rs_buf_init(&b, dst, RS_TURN_SNAP_LINE);
    rs_buf_cstr(&b, "end ");
    rs_buf_u64(&b, records);
    rs_buf_char(&b, ' ');
    rs_buf_put(&b, hex, sizeof(hex));
    rs_buf_char(&b, '\n');

    return b.overflow ? 0 : b.len;
}


const char *
rs_turn_snap_open(rs_str_t text, rs_turn_snap_reader_t *reader)
{
    uint64_t               records;
    rs_str_t               line, version;
    const char            *error;
    rs_turn_snap_t         r;
    rs_turn_snap_reader_t  all;

    version = RS_STR("rs-turn-snapshot 1\n");

    if (text.len > RS_TURN_SNAP_SIZE) {
        return "it is too large";
    }

    if (!rs_str_starts(text, RS_STR("rs-turn-snapshot "))) {
        return "it is no snapshot";
    }

    if (!rs_str_starts(text, version)) {
        return "it is of another version";
    }

    error = rs_turn_snap_end(&text, &records);
    if (error) {
        return error;
    }

    text.data += version.len;
    text.len -= version.len;

    if (!rs_turn_snap_take(&text, &line)
        || !rs_str_starts(line, RS_STR("synced "))
        || !rs_u64_parse((rs_str_t) { line.data + 7, line.len - 7 },
                         RS_TURN_SNAP_TIME_MAX * 1000, &reader->synced_ms))
    {
        return "it does not say of when it is";
    }

    reader->rest = text;
    reader->left = records;

    /* all of it, before anybody believes a part */

    all = *reader;

    while (all.left) {
        if (!rs_turn_snap_take(&all.rest, &line)
            || !rs_turn_snap_parse(line, &r))
        {
            return "a record is not of its form";
        }

        all.left--;
    }

    return all.rest.len ? "it has more records than it says" : NULL;
}


int
rs_turn_snap_next(rs_turn_snap_reader_t *reader, rs_turn_snap_t *r)
{
    rs_str_t  line;

    if (reader->left == 0 || !rs_turn_snap_take(&reader->rest, &line)
        || !rs_turn_snap_parse(line, r))
    {
        return 0;
    }

    reader->left--;

    return 1;
}


/* takes the last line off: its checksum is of what remains */

static const char *
rs_turn_snap_end(rs_str_t *text, uint64_t *records)
{
    size_t     i, len;
    uint8_t    want[RS_TURN_SNAP_DIGEST], got[EVP_MAX_MD_SIZE];
    rs_str_t   line, count, hex;
    unsigned   n;

    if (text->len < 2 || text->data[text->len - 1] != '\n') {
        return "its end is missing";
    }

    for (i = text->len - 1; i > 0 && text->data[i - 1] != '\n'; i--) {
        /* void */
    }

    line = (rs_str_t) { text->data + i, text->len - 1 - i };
    text->len = i;

    if (!rs_str_starts(line, RS_STR("end "))) {
        return "its end is missing";
    }

    line.data += 4;
    line.len -= 4;

    if (!rs_str_split(line, ' ', &count, &hex)
        || !rs_u64_parse(count, RS_TURN_SNAP_RECORDS, records)
        || !rs_hex_decode(want, sizeof(want), hex, &len)
        || len != sizeof(want))
    {
        return "its end is not of its form";
    }

    if (EVP_Digest(text->data, text->len, got, &n, EVP_sha256(), NULL) != 1
        || n != sizeof(want)
        || !rs_str_eq((rs_str_t) { got, n },
                      (rs_str_t) { want, sizeof(want) }))
    {
        return "its checksum is wrong";
    }

    return NULL;
}


static int
rs_turn_snap_take(rs_str_t *text, rs_str_t *line)
{
    rs_str_t  tail;

    if (!rs_str_split(*text, '\n', line, &tail)) {
        return 0;
    }

    *text = tail;

    return 1;
}


static int
rs_turn_snap_parse(rs_str_t line, rs_turn_snap_t *r)
{
    size_t    n;
    rs_str_t  word[5];

    *r = (rs_turn_snap_t) { .type = RS_TURN_SNAP_MAX };

    for (n = 0; n < 4; n++) {
        if (!rs_str_split(line, ' ', &word[n], &line)) {
            return 0;
        }
    }

    word[4] = line;

    for (r->type = 0; r->type < RS_TURN_SNAP_MAX; r->type++) {
        if (rs_str_eq(word[0], rs_str(rs_turn_snap_names[r->type]))) {
            break;
        }
    }

    if (r->type == RS_TURN_SNAP_MAX) {
        return 0;
    }

    r->tenant = word[1];
    r->session_id = word[2];
    r->participant_id = word[3];

    if (word[3].len == 0) {
        return 0;
    }

    if (rs_str_eq(word[3], RS_STR("-"))) {
        r->participant_id.len = 0;
    }

    if (!rs_u64_parse(word[4], UINT64_MAX, &r->at)) {
        return 0;
    }

    return rs_turn_snap_valid(r);
}


static int
rs_turn_snap_valid(const rs_turn_snap_t *r)
{
    return r->type < RS_TURN_SNAP_MAX
           && rs_tenant_check(r->tenant) == RS_OK
           && rs_id_check_session(r->session_id) == RS_OK
           && rs_turn_snap_par(r->type, r->participant_id)
           && r->at <= RS_TURN_SNAP_TIME_MAX;
}


static int
rs_turn_snap_par(rs_turn_snap_e type, rs_str_t par)
{
    switch (type) {

    case RS_TURN_SNAP_LIVE:
        return par.len == 0 || rs_id_check_participant(par) == RS_OK;

    case RS_TURN_SNAP_ENDED:
        return par.len == 0;

    default:
        return rs_id_check_participant(par) == RS_OK;
    }
}
