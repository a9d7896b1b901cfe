
/*
 * Copyright (C) rs-gateway contributors
 *
 * Percentiles against the exact ones, and bounded memory; SRTP there, twice,
 * late, changed.
 */


#include "tap.h"
#include "tc_srtp.h"
#include "tc_stat.h"


static void
test_stat(void)
{
    uint64_t   i;
    tc_stat_t  s;

    memset(&s, 0, sizeof(s));
    is_int(tc_stat_percentile(&s, 0.5), 0, "none");

    for (i = 1; i <= 1000; i++) {
        (void) tc_stat_add(&s, (i * 7919) % 1000);
    }

    is_int(s.count, 1000, "a thousand");
    is_int(tc_stat_percentile(&s, 0.5), 500, "the median");
    is_int(tc_stat_percentile(&s, 0.99), 990, "the 99th");
    is_int(tc_stat_percentile(&s, 1), 999, "the last");
    is_int(s.max, 999, "the largest");
    (void) tc_stat_add(&s, UINT64_MAX);
    is_int(s.max, UINT32_MAX, "a number that is too large");
    tc_stat_free(&s);

    for (i = 0; i < 5 * TC_STAT_MAX; i++) {
        (void) tc_stat_add(&s, i);
    }

    ok(s.n <= TC_STAT_MAX && s.size <= TC_STAT_MAX, "bounded: %zu", s.n);
    is_int(s.count, 5 * TC_STAT_MAX, "all are counted");
    is_int(s.max, 5 * TC_STAT_MAX - 1, "the largest is known");

    i = tc_stat_percentile(&s, 0.5);
    ok(i > 5 * TC_STAT_MAX / 2 - 16 && i < 5 * TC_STAT_MAX / 2 + 16,
       "the median is of the whole time: %llu", (unsigned long long) i);
    tc_stat_free(&s);
}


static void
test_srtp(void)
{
    size_t      len, i;
    uint8_t     first[TC_SRTP_PACKET_MAX], second[TC_SRTP_PACKET_MAX];
    uint64_t    number, stamp;
    tc_srtp_t  *a, *b;

    if (!ok(tc_srtp_init(), "libsrtp")) {
        return;
    }

    a = tc_srtp_new(100);
    b = tc_srtp_new(100);

    len = tc_srtp_write(a, first, 1, 1234567);
    is_int(len, 12 + 100 + 10, "a packet and its tag");
    is_int(tc_srtp_write(a, second, 2, 1234568), len, "the next one");

    is_int(tc_srtp_read(b, (rs_str_t) { second, len }, &number, &stamp),
           TC_SRTP_BROKEN, "of another key");
    is_int(tc_srtp_read(a, (rs_str_t) { second, len }, &number, &stamp),
           TC_SRTP_OK, "is read");
    ok(number == 2 && stamp == 1234568, "number and stamp");
    is_int(tc_srtp_read(a, (rs_str_t) { second, len }, &number, &stamp),
           TC_SRTP_DUPLICATE, "twice");
    is_int(tc_srtp_read(a, (rs_str_t) { first, len }, &number, &stamp),
           TC_SRTP_OK, "late");

    for (i = 0; i < len; i += 11) {
        (void) tc_srtp_write(a, first, 3 + i, 5);
        first[i] ^= 4;

        if (!ok(tc_srtp_read(a, (rs_str_t) { first, len }, &number, &stamp)
                == TC_SRTP_BROKEN, "byte %zu is changed", i))
        {
            break;
        }
    }

    is_int(tc_srtp_read(a, (rs_str_t) { second, 0 }, &number, &stamp),
           TC_SRTP_BROKEN, "nothing");
    is_int(tc_srtp_read(a, (rs_str_t) { second, 11 }, &number, &stamp),
           TC_SRTP_BROKEN, "a piece");
    (void) tc_srtp_write(a, second, 200, 5);
    is_int(tc_srtp_read(a, (rs_str_t) { second, len - 1 }, &number, &stamp),
           TC_SRTP_BROKEN, "cut off");

    tc_srtp_free(a);
    tc_srtp_free(b);
    tc_srtp_done();
}


int
main(void)
{
    test_stat();
    test_srtp();

    return tap_done();
}
