
/*
 * Copyright (C) rs-gateway contributors
 *
 * Lines about what consoles watch: slices of the text, ids that are ids.
 */


#include "fuzz.h"
#include "rs_watch.h"


static int
inside(rs_str_t s, const uint8_t *data, size_t size)
{
    return s.data >= data && s.data + s.len <= data + size;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rs_watch_t  w;

    (void) rs_watch_covers((rs_str_t) { data, size },
                           (rs_str_t) { data, size / 2 });

    if (!rs_watch_parse((rs_str_t) { data, size }, &w)) {
        return 0;
    }

    CHECK(w.what <= RS_WATCH_RIGHTS);
    CHECK(inside(w.tenant, data, size) && inside(w.id, data, size));
    CHECK(inside(w.group, data, size) && inside(w.change, data, size));
    CHECK(w.tenant.len && w.tenant.len <= RS_TENANT_MAX && w.change.len);
    CHECK(w.id.len == 0 || w.id.len == RS_ID_LEN);
    CHECK(w.group.len == 0 || w.group.len == RS_ID_LEN);
    CHECK((w.id.len == 0) == (w.what == RS_WATCH_RIGHTS));

    return 0;
}
