
/*
 * Copyright (C) rs-gateway contributors
 *
 * A greeting and a request behind it: what is understood is understood at no
 * earlier byte, stays inside of what came, and is a host that fits.
 */


#include "fuzz.h"
#include "rs_socks.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 none;
    size_t              used, n;
    rs_str_t            s;
    rs_err_e            rc;
    rs_socks_request_t  a, b;

    s = (rs_str_t) { data, size };
    rc = rs_socks_greeting(s, &used, &none);

    if (rc == RS_OK) {
        CHECK(used >= 2 && used <= size && used <= RS_SOCKS_GREETING_MAX);
        CHECK(rs_socks_greeting((rs_str_t) { data, used - 1 }, &n, &none)
              == RS_AGAIN);

        s.data += used;
        s.len -= used;

    } else if (rc == RS_AGAIN) {
        CHECK(size < RS_SOCKS_GREETING_MAX);
    }

    rc = rs_socks_request(s, &used, &a);

    if (rc == RS_AGAIN) {
        CHECK(s.len < RS_SOCKS_REQUEST_MAX);
    }

    if (rc != RS_OK || !a.known) {
        return 0;
    }

    CHECK(used <= s.len && used <= RS_SOCKS_REQUEST_MAX);
    CHECK(a.len > 0 && a.len <= RS_SOCKS_HOST_MAX && a.port <= 65535);
    CHECK(rs_socks_request((rs_str_t) { s.data, used - 1 }, &n, &b)
          == RS_AGAIN);
    CHECK(rs_socks_request((rs_str_t) { s.data, used }, &n, &b) == RS_OK);
    CHECK(n == used && a.len == b.len && memcmp(a.host, b.host, a.len) == 0);

    return 0;
}
