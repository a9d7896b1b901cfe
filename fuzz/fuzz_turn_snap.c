
/*
 * Copyright (C) rs-gateway contributors
 *
 * The snapshot.  The input is its text without the last line, which is made
 * here with the right checksum: else nothing would get past it.  Then the
 * input as it is.
 */


#include "fuzz.h"
#include "rs_turn_snap.h"

#include <openssl/evp.h>


static void
read_all(rs_str_t text, uint64_t want)
{
    char                   line[RS_TURN_SNAP_LINE];
    size_t                 n, len;
    rs_turn_snap_t         r;
    rs_turn_snap_reader_t  reader;

    if (rs_turn_snap_open(text, &reader) != NULL) {
        return;
    }

    for (n = 0; rs_turn_snap_next(&reader, &r); n++) {
        len = rs_turn_snap_line(line, &r);

        /* written again it is the same */

        CHECK(len > 0 && len <= RS_TURN_SNAP_LINE);
        CHECK(memcmp(reader.rest.data - len, line, len) == 0);
    }

    CHECK(n == want || want == UINT64_MAX);
    CHECK(reader.rest.len == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      *text;
    size_t     i, len;
    uint8_t    digest[32];
    uint64_t   lines;
    unsigned   n;

    text = malloc(size + RS_TURN_SNAP_LINE);
    CHECK(text != NULL);

    memcpy(text, data, size);
    read_all((rs_str_t) { (uint8_t *) text, size }, UINT64_MAX);

    for (i = 0, lines = 0; i < size; i++) {
        lines += data[i] == '\n';
    }

    lines = lines >= 2 ? lines - 2 : 0;

    CHECK(EVP_Digest(data, size, digest, &n, EVP_sha256(), NULL) == 1);
    len = rs_turn_snap_tail(text + size, lines, digest);
    CHECK(len > 0);
    read_all((rs_str_t) { (uint8_t *) text, size + len }, lines);

    free(text);

    return 0;
}
