
/*
 * Copyright (C) rs-gateway contributors
 *
 * Targets of tunnels: a host that is inside the text and has nothing that
 * would make JSON or a log another one, and a port.
 */


#include "fuzz.h"
#include "rs_endpoint.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i;
    rs_str_t     s;
    rs_endpoint_t  t;

    s = (rs_str_t) { data, size };

    if (rs_endpoint_parse(s, &t) != RS_OK) {
        CHECK(rs_endpoint_check(s) != RS_OK);
        return 0;
    }

    CHECK(rs_endpoint_check(s) == RS_OK);
    CHECK(size <= RS_ENDPOINT_MAX);

    if (t.shell) {
        CHECK(rs_str_eq(s, RS_STR("shell")) && t.host.len == 0);
        return 0;
    }

    CHECK(t.port >= 1 && t.port <= 65535 && t.host.len);
    CHECK(t.host.data >= data && t.host.data + t.host.len <= data + size);

    for (i = 0; i < t.host.len; i++) {
        CHECK(t.host.data[i] > ' ' && t.host.data[i] < 0x7f);
        CHECK(strchr("\"\\/@[]%", t.host.data[i]) == NULL);
    }

    return 0;
}
