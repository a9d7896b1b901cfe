
/*
 * Copyright (C) rs-gateway contributors
 *
 * Keys and values of redis-statsdb, a line each: what is taken lies within
 * the input, and has the number that stands last in the key.
 */


#include "fuzz.h"
#include "rs_turn_event.h"


static int
within(rs_str_t part, rs_str_t all)
{
    return part.len == 0
           || (part.data >= all.data
               && part.data + part.len <= all.data + all.len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             text[32];
    size_t           i, n;
    rs_str_t         key, value;
    rs_turn_event_t  e;

    (void) rs_str_split((rs_str_t) { data, size }, '\n', &key, &value);

    if (rs_turn_event_parse(&e, key, value) != RS_OK) {
        return 0;
    }

    CHECK(e.type <= RS_TURN_EVENT_TOTAL_PEER);
    CHECK(e.realm.len > 0 && within(e.realm, key));
    CHECK(memchr(e.realm.data, '/', e.realm.len) == NULL);
    CHECK(within(e.user, key));
    CHECK(within(e.transport, value) && within(e.remote, value));
    CHECK(e.lifetime <= UINT32_MAX);

    /* /allocation/<id>/ follows the user name */

    n = (size_t) snprintf(text, sizeof(text), "%018llu",
                          (unsigned long long) e.id);
    CHECK(n >= 18);

    i = key.len;

    do {
        CHECK(i > n);
        i--;
    } while (memcmp(key.data + i - n, text, n) != 0);

    return 0;
}
