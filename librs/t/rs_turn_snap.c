
/*
 * Copyright (C) rs-gateway contributors
 *
 * The snapshot: what is written is read, anything else is refused.
 */


#define _GNU_SOURCE
#include "tap.h"
#include "rs_turn_snap.h"

#include <openssl/evp.h>


#define SES   "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR   "par_cccccccccccccccccccccccccc"
#define HEAD  "rs-turn-snapshot 1\nsynced 1700000000123\n"


static char  room[16384];


/* a file with this body, its checksum right */

static rs_str_t
file(const char *body, uint64_t records)
{
    size_t    n;
    uint8_t   digest[32];
    unsigned  len;

    n = strlen(body);
    memcpy(room, body, n);

    (void) EVP_Digest(room, n, digest, &len, EVP_sha256(), NULL);
    n += rs_turn_snap_tail(room + n, records, digest);

    return (rs_str_t) { (uint8_t *) room, n };
}


static const struct {
    const char  *body;
    uint64_t     n;
    const char  *says;                /* NULL: good */
} files[] = {
    { HEAD, 0, NULL },
    { HEAD "live default " SES " " PAR " 5\n", 1, NULL },
    { HEAD "live default " SES " - 5\n" "ended a-1 " SES " - 0\n"
      "revoked t " SES " " PAR " 9999999999999\n"
      "newest t " SES " " PAR " 7\n", 4, NULL },
    { "rs-turn-snapshot 2\nsynced 1\n", 0, "another version" },
    { "rs-turn-snapshot 1 \nsynced 1\n", 0, "another version" },
    { "synced 1\n", 0, "no snapshot" },
    { "rs-turn-snapshot 1\n", 0, "of when" },
    { "rs-turn-snapshot 1\nsynced\n", 0, "of when" },
    { "rs-turn-snapshot 1\nsynced -1\n", 0, "of when" },
    { "rs-turn-snapshot 1\nsynced 10000000000000000\n", 0, "of when" },
    { HEAD "live default " SES " - 5\n", 0, "more records" },
    { HEAD "live default " SES " - 5\n", 2, "a record" },
    { HEAD "\n", 1, "a record" },
    { HEAD "live default " SES " - 5", 1, "its end" },
    { HEAD "live default " SES " - 5 \n", 1, "a record" },
    { HEAD "live default " SES " - 5 6 7\n", 1, "a record" },
    { HEAD "live default " SES " - 05\n", 1, "a record" },
    { HEAD "live default " SES " - 10000000000000\n", 1, "a record" },
    { HEAD "live default " PAR " - 5\n", 1, "a record" },
    { HEAD "live Default " SES " - 5\n", 1, "a record" },
    { HEAD "live default " SES "  5\n", 1, "a record" },
    { HEAD "LIVE default " SES " - 5\n", 1, "a record" },
    { HEAD "ended default " SES " " PAR " 5\n", 1, "a record" },
    { HEAD "ended default " SES " 5\n", 1, "a record" },
    { HEAD "revoked default " SES " - 5\n", 1, "a record" },
    { HEAD "newest default " SES " - 5\n", 1, "a record" },
    { HEAD "newest default " SES " " PAR " 5 6\n", 1, "a record" },
    { HEAD "newest default " SES " " PAR "\n", 1, "a record" },
    { HEAD "end 0 00\n", 1, "a record" }
};


static void
damaged(void)
{
    size_t                 i, n, refused;
    rs_str_t               s;
    rs_turn_snap_reader_t  reader;

    s = file(HEAD "live default " SES " - 5\nrevoked t " SES " " PAR " 6\n",
             2);
    ok(rs_turn_snap_open(s, &reader) == NULL, "whole");

    for (i = 0, refused = 0; i < s.len; i++) {
        refused += rs_turn_snap_open((rs_str_t) { s.data, i }, &reader)
                   != NULL;
    }

    is_int(refused, s.len, "cut anywhere: refused");

    for (i = 0, n = 0, refused = 0; i < s.len * 8; i++, n++) {
        room[i / 8] = (char) (room[i / 8] ^ 1 << i % 8);
        refused += rs_turn_snap_open(s, &reader) != NULL;
        room[i / 8] = (char) (room[i / 8] ^ 1 << i % 8);
    }

    is_int(refused, n, "any bit turned: refused");

    room[s.len] = '\n';
    ok(rs_turn_snap_open((rs_str_t) { s.data, s.len + 1 }, &reader) != NULL,
       "longer: refused");
}


int
main(void)
{
    char                   line[RS_TURN_SNAP_LINE];
    size_t                 i, n;
    rs_str_t               s;
    const char            *error;
    rs_turn_snap_t         r;
    rs_turn_snap_reader_t  reader;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        s = file(files[i].body, files[i].n);
        error = rs_turn_snap_open(s, &reader);

        if (files[i].says == NULL) {
            ok(error == NULL, "file %zu: good", i);
            is_int(reader.synced_ms, 1700000000123, "of then");

            for (n = 0; rs_turn_snap_next(&reader, &r); n++) {
                size_t  len = rs_turn_snap_line(line, &r);

                ok(len && strstr(files[i].body, "\n") != NULL
                   && memmem(s.data, s.len, line, len) != NULL,
                   "record %zu is written as it was read", n);
            }

            is_int(n, files[i].n, "all of them");
            continue;
        }

        if (!ok(error && strstr(error, files[i].says), "file %zu: %s", i,
                files[i].says))
        {
            printf("#   %s\n", error ? error : "taken");
        }
    }

    is_int(rs_turn_snap_head(line, 1700000000123), strlen(HEAD), "the head");
    ok(memcmp(line, HEAD, strlen(HEAD)) == 0, "is as it should be");
    is_int(rs_turn_snap_head(line, UINT64_MAX), 0, "no such time");

    r = (rs_turn_snap_t) { .type = RS_TURN_SNAP_REVOKED,
                           .tenant = RS_STR("t"),
                           .session_id = RS_STR(SES) };
    is_int(rs_turn_snap_line(line, &r), 0, "whom?");
    r.type = RS_TURN_SNAP_MAX;
    is_int(rs_turn_snap_line(line, &r), 0, "what?");
    r.type = RS_TURN_SNAP_LIVE;
    r.tenant = RS_STR("a\nb");
    is_int(rs_turn_snap_line(line, &r), 0, "a tenant of two lines");

    /* the longest */

    r = (rs_turn_snap_t) { .type = RS_TURN_SNAP_REVOKED,
                           .tenant = RS_STR("abcdefghijklmnopqrstuvwxyz012345"),
                           .session_id = RS_STR(SES),
                           .participant_id = RS_STR(PAR),
                           .at = 9999999999999ULL };
    n = rs_turn_snap_line(line, &r);
    ok(n > 100 && n <= RS_TURN_SNAP_LINE, "the longest has %zu bytes", n);

    damaged();

    return tap_done();
}
