
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where Redis is: slices of the text, within bounds.
 */


#include "fuzz.h"
#include "rs_redis_url.h"


static void
inside(rs_str_t s, const uint8_t *data, size_t size)
{
    CHECK(s.len == 0 || (s.data >= data && s.data + s.len <= data + size));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i;
    rs_redis_url_t  url;

    if (rs_redis_url_parse((rs_str_t) { data, size }, &url) != NULL) {
        return 0;
    }

    CHECK(url.n >= 1 && url.n <= RS_REDIS_SERVERS_MAX);
    CHECK(url.sentinel || url.n == 1);
    CHECK(!url.sentinel == (url.master.len == 0));
    CHECK(url.db <= RS_REDIS_DB_MAX);
    CHECK(!(url.local && (url.tls || url.sentinel)));
    inside(url.master, data, size);

    for (i = 0; i < url.n; i++) {
        CHECK(url.servers[i].host.len > 0);
        CHECK(url.local ? url.servers[i].port == 0
                        : url.servers[i].port >= 1
                          && url.servers[i].port <= 65535);
        inside(url.servers[i].host, data, size);
        inside(url.servers[i].text, data, size);
    }

    return 0;
}
