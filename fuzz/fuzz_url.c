
/*
 * Copyright (C) rs-gateway contributors
 *
 * host[:port], STUN and TURN URLs, and what an ICE answer makes of them.
 */


#include "fuzz.h"
#include "rs_host.h"
#include "rs_ice.h"

#include <jansson.h>


static void
answer(rs_str_t url)
{
    char           *room;
    json_t         *v;
    rs_ice_t        ice;
    rs_buf_t        b;
    rs_ice_turn_t   turn;

    memset(&ice, 0, sizeof(ice));
    turn.region = url;
    turn.urls = &url;
    turn.n = 1;
    ice.stun = &url;
    ice.nstun = 1;
    ice.turn = &turn;
    ice.nturn = 1;
    ice.secret = RS_STR("6f2a9d0c4be17358f0a1c2d3e4b59687");
    ice.user.expires_at = UINT64_MAX;
    ice.user.tenant = RS_STR("default");
    ice.user.session_id = RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    ice.user.participant_id = RS_STR("par_cccccccccccccccccccccccccc");
    ice.ttl_s = 300;

    room = malloc(rs_ice_size(&ice));
    rs_buf_init(&b, room, rs_ice_size(&ice));
    CHECK(rs_ice_write(&b, &ice) == RS_OK && !b.overflow);

    v = json_loadb(room, b.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(v != NULL);
    json_decref(v);
    free(room);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     i;
    rs_str_t   s;
    rs_host_t  h;

    s = (rs_str_t) { data, size };

    if (rs_host_parse(s, &h) == RS_OK) {
        CHECK(h.host.len && h.host.len <= size && h.port <= 65535);
        CHECK(h.host.data == data);

        for (i = 0; i < size; i++) {
            CHECK(data[i] > 0x20 && data[i] < 0x7f
                  && strchr("/?#@,;\"\\%'<>", data[i]) == NULL);
        }
    }

    if (rs_ice_check_turn_url(s) == RS_OK
        || rs_ice_check_stun_url(s) == RS_OK)
    {
        answer(s);
    }

    return 0;
}
