
/*
 * Copyright (C) rs-gateway contributors
 *
 * Requests of the Redis protocol: however they are cut, the same come out;
 * what comes out is within its bounds, and of the input.
 */


#include "fuzz.h"
#include "rs_resp.h"


typedef struct {
    size_t          n;                /* requests */
    size_t          large;
    uint64_t        sum;              /* of everything in them */
    int             failed;
} result_t;


static void
run(const uint8_t *data, size_t size, size_t piece, result_t *res)
{
    size_t     i, j, k, n, used;
    rs_resp_e  rc;

    static rs_resp_t  r;

    memset(res, 0, sizeof(*res));
    rs_resp_init(&r);

    for (i = 0; i < size; i += used) {
        n = size - i < piece ? size - i : piece;
        rc = rs_resp_parse(&r, data + i, n, &used);

        CHECK(used <= n);

        if (rc == RS_RESP_ERROR) {
            res->failed = 1;
            CHECK(rs_resp_parse(&r, data, size, &used) == RS_RESP_ERROR);
            return;
        }

        CHECK(used > 0);

        if (rc == RS_RESP_AGAIN) {
            CHECK(used == n);
            continue;
        }

        res->n++;
        res->large += rc == RS_RESP_TOO_LARGE;

        CHECK(r.argc <= RS_RESP_ARGS_MAX);
        CHECK((rc == RS_RESP_TOO_LARGE) == (r.argc == 0));

        for (j = 0; j < r.argc; j++) {
            CHECK(r.argv[j].len <= RS_RESP_BYTES_MAX);
            res->sum = res->sum * 31 + r.argv[j].len;

            for (k = 0; k < r.argv[j].len; k++) {
                res->sum = res->sum * 31 + r.argv[j].data[k];
            }
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result_t  a, b;

    run(data, size, size ? size : 1, &a);
    run(data, size, 1, &b);
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);

    run(data, size, 7, &b);
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);

    return 0;
}
