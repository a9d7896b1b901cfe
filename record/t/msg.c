
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What hosts answer, taken and not; what a recorder says.
 */

#include "../record_msg.h"
#include "agent_json.h"
#include "../../agent/t/tap.h"

#include <string.h>


static void
test_peer(void)
{
    gsize          i;
    json_t        *data;
    record_peer_t  peer;

    static const struct {
        const char     *text;
        gboolean        taken;
        record_peer_e   kind;
    } cases[] = {
        { "{\"kind\":\"answer\",\"pc\":1,\"sdp\":\"v=0\"}", TRUE,
          RECORD_PEER_ANSWER },
        { "{\"kind\":\"answer\",\"pc\":1}", FALSE, RECORD_PEER_ANSWER },
        { "{\"kind\":\"answer\",\"pc\":0,\"sdp\":\"v=0\"}", FALSE,
          RECORD_PEER_ANSWER },
        { "{\"kind\":\"candidate\",\"pc\":1,\"candidate\":\"\","
          "\"sdpMLineIndex\":0}", TRUE, RECORD_PEER_CANDIDATE },
        { "{\"kind\":\"candidate\",\"pc\":1,\"candidate\":\"\","
          "\"sdpMLineIndex\":16}", FALSE, RECORD_PEER_CANDIDATE },
        { "{\"kind\":\"waiting\",\"pc\":1,\"for\":\"consent\","
          "\"timeout_s\":60}", TRUE, RECORD_PEER_WAITING },
        { "{\"kind\":\"waiting\",\"pc\":1,\"timeout_s\":99999}", FALSE,
          RECORD_PEER_WAITING },
        { "{\"kind\":\"failed\",\"pc\":1,\"code\":\"no_codec\"}", TRUE,
          RECORD_PEER_FAILED },
        { "{\"kind\":\"failed\",\"pc\":1}", FALSE, RECORD_PEER_FAILED },
        { "{\"kind\":\"news\"}", TRUE, RECORD_PEER_UNKNOWN },
        { "{}", TRUE, RECORD_PEER_UNKNOWN },
        { "{\"kind\":1,\"pc\":1}", TRUE, RECORD_PEER_UNKNOWN }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        data = json_loads(cases[i].text, 0, NULL);
        ok(record_msg_peer(data, &peer) == cases[i].taken
           && peer.kind == cases[i].kind, "%s", cases[i].text);
        json_decref(data);
    }

    ok(record_msg_again("ice_failed") && !record_msg_again("no_codec")
       && !record_msg_again("recording_refused"), "what is worth another");
}


static void
is_text(char *got, const char *want, const char *what)
{
    is_str(got, want, what);
    g_free(got);
}


static void
test_said(void)
{
    json_t  *peer, *event;

    is_text(record_msg_load(8, 3), "{\"type\":\"load\",\"capacity\":8,"
            "\"used\":3,\"queued\":0,\"queue\":0}", "load");
    is_text(record_msg_begin("ses_a", "rec_b"), "{\"type\":\"recording\","
            "\"op\":\"begin\",\"session_id\":\"ses_a\",\"recording_id\":"
            "\"rec_b\"}", "begin");
    is_text(record_msg_failed("ses_a", "no_media", NULL),
            "{\"type\":\"recording\",\"op\":\"failed\",\"session_id\":"
            "\"ses_a\",\"reason\":\"no_media\"}", "failed");
    is_text(record_msg_gone("rec_b"), "{\"type\":\"recording\",\"op\":"
            "\"gone\",\"recording_id\":\"rec_b\"}", "gone");
    is_text(record_msg_offer("par_h", 7, 2, "v=0",
                             json_pack("{s:i}", "recorder", 1)),
            "{\"type\":\"signal\",\"to\":\"par_h\",\"data\":{\"kind\":"
            "\"offer\",\"pc\":2,\"sdp\":\"v=0\",\"proof\":{\"recorder\":1}},"
            "\"id\":7}", "an offer");
    is_text(record_msg_offer("par_h", 7, 2, "v=0", NULL),
            "{\"type\":\"signal\",\"to\":\"par_h\",\"data\":{\"kind\":"
            "\"offer\",\"pc\":2,\"sdp\":\"v=0\"},\"id\":7}",
            "one without a proof");

    peer = json_pack("{s:s, s:s, s:s, s:b, s:s}", "id", "par_a", "role",
                     "viewer", "name", "A", "guest", 1, "secret", "x");
    event = record_msg_joined(peer);
    is_text(agent_json_text(event), "{\"type\":\"joined\",\"id\":\"par_a\","
            "\"name\":\"A\",\"role\":\"viewer\",\"guest\":true}",
            "who joined, and no more than that");
    json_decref(peer);

    peer = json_pack("{s:s}", "id", "par_a");
    ok(record_msg_joined(peer) == NULL, "nobody without a role");
    json_decref(peer);
}


int
main(void)
{
    test_peer();
    test_said();

    return done();
}
