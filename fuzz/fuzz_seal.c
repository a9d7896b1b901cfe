
/*
 * Copyright (C) rs-gateway contributors
 *
 * A sealed pipe: whatever the gateway makes up is refused, and so is whatever
 * it changes; what was said arrives as it was, however it is cut.  A point
 * that is taken as a key is one; a message that is taken says what its head
 * says.
 */


#include "fuzz.h"
#include "rs_carry.h"
#include "rs_seal.h"


static void fuzz_start(rs_seal_t s[2]);
static void fuzz_record(const uint8_t *data, size_t size);
static void fuzz_way(const uint8_t *data, size_t size);
static void fuzz_point(const uint8_t *data, size_t size);
static void fuzz_carry(const uint8_t *data, size_t size);


static uint8_t  scalars[2][RS_SEAL_SCALAR_LEN];


/* P-256 takes its time: once */

static void
fuzz_start(rs_seal_t s[2])
{
    unsigned  i;
    uint8_t   points[2][RS_SEAL_POINT_LEN];

    for (i = 0; i < 2; i++) {
        memset(scalars[i], (int) i + 1, RS_SEAL_SCALAR_LEN);
        CHECK(rs_seal_public(scalars[i], points[i]) == RS_OK);
    }

    for (i = 0; i < 2; i++) {
        CHECK(rs_seal_start(&s[i], (rs_seal_side_e) i, scalars[i],
                            points[!i], (const uint8_t *) "fuzz", 4)
              == RS_OK);
    }
}


static void
fuzz_record(const uint8_t *data, size_t size)
{
    int         more;
    uint8_t    *copy;
    rs_str_t    text;
    rs_seal_t   s[2];

    fuzz_start(s);
    copy = malloc(size + 1);
    memcpy(copy, data, size);
    CHECK(rs_seal_take(&s[0], copy, size, &text, &more)
          == RS_E_UNAUTHENTICATED);
    CHECK(rs_seal_take(&s[0], copy, size, &text, &more)
          == RS_E_UNAUTHENTICATED);
    free(copy);
    rs_seal_end(&s[0]);
    rs_seal_end(&s[1]);
}


/* the first byte: how long records are; the second: which one is changed */

static void
fuzz_way(const uint8_t *data, size_t size)
{
    int         more;
    size_t      at, n, len, part;
    uint8_t     record[256 + RS_SEAL_OVERHEAD];
    rs_err_e    rc;
    rs_str_t    text;
    unsigned    count;
    rs_seal_t   s[2];

    if (size < 3) {
        return;
    }

    part = (size_t) data[0] + 1;
    count = 0;
    fuzz_start(s);

    for (at = 2; at < size; at += len, count++) {
        len = (size - at < part) ? size - at : part;
        n = rs_seal_make(&s[0], (rs_str_t) { data + at, len },
                         at + len < size, record);
        CHECK(n == len + RS_SEAL_OVERHEAD);

        if (count == data[1]) {
            record[data[0] % n] ^= 1;
        }

        rc = rs_seal_take(&s[1], record, n, &text, &more);

        if (count >= data[1]) {
            CHECK(rc == RS_E_UNAUTHENTICATED);
            continue;
        }

        CHECK(rc == RS_OK && more == (at + len < size) && text.len == len
              && memcmp(text.data, data + at, len) == 0);
    }

    rs_seal_end(&s[0]);
    rs_seal_end(&s[1]);
}


static void
fuzz_point(const uint8_t *data, size_t size)
{
    rs_err_e   rc;
    rs_seal_t  s;

    if (size < RS_SEAL_POINT_LEN || data[0] != 4) {
        return;
    }

    rc = rs_seal_start(&s, RS_SEAL_HOST, scalars[0], data, data, size);
    CHECK(rc == RS_OK || rc == RS_E_INVALID_VALUE);
    rs_seal_end(&s);
}


static void
fuzz_carry(const uint8_t *data, size_t size)
{
    size_t      n;
    uint8_t     head[RS_CARRY_HEAD_MAX];
    rs_carry_t  carry;

    if (rs_carry_read((rs_str_t) { data, size }, &carry) != RS_OK) {
        return;
    }

    CHECK(carry.type != RS_CARRY_VIDEO);
    CHECK(carry.channel < RS_CARRY_CHANNELS);

    n = rs_carry_head(&carry, head);
    CHECK(n + carry.data.len == size && memcmp(head, data, n) == 0);
    CHECK(carry.data.len == 0 || carry.data.data == data + n);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_carry(data, size);
    fuzz_record(data, size);
    fuzz_way(data, size);
    fuzz_point(data, size);

    return 0;
}
