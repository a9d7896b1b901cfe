
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The messages of docs/protocol: each example of the gateway's is understood,
 * each message of the agent's is its example or is at least what the
 * gateway's own parser takes; and what is malformed is refused.
 */

#include "agent_msg.h"
#include "rs_msg.h"
#include "tap.h"

#include <string.h>


#define SES  "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR  "par_cccccccccccccccccccccccccc"


static agent_msg_t *
parse(agent_channel_e channel, const char *text)
{
    return agent_msg_parse(channel, text, strlen(text), 7, NULL);
}


static char *
example(const char *name)
{
    char              *text;
    g_autofree char   *path = NULL;

    path = g_strdup_printf("%s/docs/protocol/messages/%s.json", AGENT_TOP,
                           name);

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        printf("not ok - no %s\n", path);
        exit(1);
    }

    return text;
}


static agent_msg_t *
parse_example(agent_channel_e channel, const char *name)
{
    g_autofree char  *text = example(name);

    return parse(channel, text);
}


/* every file of that sender is known here, so a new one fails the test */

static void
test_examples(void)
{
    gsize                i;
    const char          *name;
    g_autoptr(GDir)      dir = NULL;
    g_autofree char     *path = NULL;

    path = g_strdup_printf("%s/docs/protocol/messages", AGENT_TOP);
    dir = g_dir_open(path, 0, NULL);
    i = 0;

    while ((name = g_dir_read_name(dir)) != NULL) {
        agent_channel_e          channel;
        g_autofree char         *base = NULL;
        g_autoptr(agent_msg_t)   msg = NULL;

        /* a console's channel is not for devices */

        if (strstr(name, ".server.") == NULL
            || !g_str_has_suffix(name, ".json")
            || g_str_has_prefix(name, "watch."))
        {
            continue;
        }

        base = g_strndup(name, strlen(name) - strlen(".json"));
        channel = g_str_has_prefix(name, "agent.") ? AGENT_CHANNEL_AGENT
                                                   : AGENT_CHANNEL_SIGNAL;
        msg = parse_example(channel, base);

        /* what only a recorder is told is its executable's, agent_service.h */

        if (g_str_has_prefix(name, "agent.server.recording.")) {
            ok(msg != NULL && msg->type == AGENT_MSG_UNKNOWN,
               "left to a service: %s", base);
            i++;
            continue;
        }

        ok(msg != NULL && msg->type != AGENT_MSG_UNKNOWN, "understood: %s",
           base);
        i++;
    }

    ok(i >= 20, "%" G_GSIZE_FORMAT " examples were there", i);
}


static void
test_policy(const char *policy, gboolean view_only, agent_way_e clipboard,
    agent_way_e files, gboolean sound)
{
    agent_msg_t       *msg;
    g_autofree char   *text = NULL;

    text = g_strdup_printf("{\"type\":\"invite\",\"session\":{\"id\":\""
                           SES "\"%s},\"ticket\":\"default.t\"}", policy);
    msg = parse(AGENT_CHANNEL_AGENT, text);

    ok(msg != NULL && msg->rights.view_only == view_only
       && msg->rights.clipboard == clipboard && msg->rights.files == files
       && msg->rights.sound == sound, "policy: %s", policy);

    if (msg != NULL) {
        agent_msg_free(msg);
    }
}


/* a viewer without a path asks, and is told */

static void
test_report(void)
{
    json_t              *checks, *data;
    agent_peer_msg_t     peer;
    g_autofree char     *text = NULL;
    g_autoptr(json_t)    said = NULL;

    data = json_pack("{s:s, s:i}", "kind", "diagnose", "pc", 3);
    ok(agent_msg_peer(data, &peer) && peer.kind == AGENT_PEER_DIAGNOSE
       && peer.pc == 3, "diagnose");
    json_object_del(data, "pc");
    ok(!agent_msg_peer(data, &peer), "without a number it is malformed");
    json_decref(data);

    checks = json_pack("[{s:s}]", "kind", "stun");
    text = agent_msg_report(PAR, 9, 3, checks);
    json_decref(checks);
    said = json_loads(text, 0, NULL);
    data = json_object_get(said, "data");
    is_str(json_string_value(json_object_get(said, "to")), PAR,
           "a report: to whom");
    is_int(json_array_size(json_object_get(data, "checks")), 1,
           "what was tried");
    ok(json_integer_value(json_object_get(data, "pc")) == 3
       && json_integer_value(json_object_get(said, "id")) == 9,
       "for which question");
}


/* an older gateway says nothing; what makes no sense allows nothing */

static void
test_policies(void)
{
    test_policy("", FALSE, AGENT_WAY_BOTH, AGENT_WAY_BOTH, TRUE);
    test_policy(",\"policy\":{}", FALSE, AGENT_WAY_BOTH, AGENT_WAY_BOTH,
                TRUE);
    test_policy(",\"policy\":{\"view_only\":true,\"clipboard\":\"none\","
                "\"files\":\"from_device\",\"sound\":false}", TRUE,
                AGENT_WAY_NONE, AGENT_WAY_FROM_DEVICE, FALSE);
    test_policy(",\"policy\":{\"view_only\":0,\"clipboard\":\"all\","
                "\"files\":true,\"sound\":1}", TRUE, AGENT_WAY_NONE,
                AGENT_WAY_NONE, FALSE);
    test_policy(",\"policy\":{\"view_only\":null,\"clipboard\":null,"
                "\"files\":[\"both\"],\"sound\":null}", TRUE,
                AGENT_WAY_NONE, AGENT_WAY_NONE, FALSE);
}


static void
test_fields(void)
{
    agent_peer_t  *peer;
    agent_msg_t   *msg;

    msg = parse_example(AGENT_CHANNEL_AGENT, "agent.server.invite");
    is_str(msg->session_id, SES, "invite: session");
    is_str(msg->requester, "console", "invite: requester");
    is_str(msg->text, "printer does not print", "invite: reason");
    ok(g_str_has_prefix(msg->ticket, "default.aaaa"), "invite: ticket");
    ok(msg->rights.consent == AGENT_CONSENT_NOTIFY && !msg->rights.view_only
       && msg->rights.clipboard == AGENT_WAY_BOTH
       && msg->rights.files == AGENT_WAY_TO_DEVICE && msg->rights.sound,
       "invite: policy");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_AGENT, "agent.server.challenge");
    is_str(msg->host, "support.example.net", "challenge: host");
    is_str(msg->nonce, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
           "challenge: nonce");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_AGENT,
                        "agent.server.challenge.identity");
    ok(msg->identity != NULL && msg->identity->n == 1,
       "challenge: identity with a statement");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_AGENT, "agent.server.rotated");
    ok(msg->type == AGENT_MSG_ROTATED && strlen(msg->public_key) == 43,
       "rotated: the key");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_SIGNAL, "signal.server.welcome");
    ok(msg->role == AGENT_ROLE_CONTROLLER && msg->ping_s == 25,
       "welcome: role and ping");
    is_str(msg->position, "1-1", "welcome: position");
    peer = g_ptr_array_index(msg->peers, 0);
    ok(msg->peers->len == 1 && peer->role == AGENT_ROLE_HOST,
       "welcome: peers");
    ok(msg->ice->turn->len == 3 && msg->ice->stun != NULL
       && msg->ice->taken_us == 7, "welcome: ICE servers, and their age");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_SIGNAL, "signal.server.signal");
    ok(msg->id == 1 && msg->peer.kind == AGENT_PEER_OFFER
       && msg->peer.pc == 1, "signal: offer");
    is_str(msg->from, PAR, "signal: from");
    is_str(msg->peer.text, "v=0\r\n", "signal: sdp");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_SIGNAL, "signal.server.input");
    is_str(msg->from, PAR, "input: from");
    ok(json_is_object(msg->data), "input: data");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_SIGNAL, "signal.server.goaway");
    ok(msg->after_ms == 0 && msg->jitter_ms == 3000, "goaway: delays");
    agent_msg_free(msg);

    msg = parse_example(AGENT_CHANNEL_SIGNAL, "signal.server.error");
    ok(msg->id == 3 && strcmp(msg->code, "unknown_peer") == 0,
       "error: code and id");
    agent_msg_free(msg);
}


static void
test_refused(void)
{
    gsize  i;

    static const char *const  bad[] = {
        "{}",
        "{\"type\":5}",
        "{\"type\":\"ack\"}",
        "{\"type\":\"ack\",\"id\":0}",
        "{\"type\":\"ack\",\"id\":\"1\"}",
        "{\"type\":\"ended\"}",
        "{\"type\":\"resync\",\"position\":\"1-2x\"}",
        "{\"type\":\"resync\",\"position\":\"1-2\\r\\nX: y\"}",
        "{\"type\":\"resync\",\"position\":"
            "\"1-000000000000000000000000000000000000000000000\"}",
        "{\"type\":\"joined\",\"position\":\"1-2\",\"peer\":{}}",
        "{\"type\":\"left\",\"position\":\"1-2\"}",
        "{\"type\":\"goaway\",\"after_ms\":-1,\"jitter_ms\":0}",
        "{\"type\":\"goaway\",\"after_ms\":99999999,\"jitter_ms\":0}",
        "{\"type\":\"ice\"}",
        "{\"type\":\"signal\",\"from\":\"" PAR "\",\"id\":1,\"data\":1}",
        "{\"type\":\"welcome\"}"
    };

    static const char *const  bad_agent[] = {
        "{\"type\":\"challenge\",\"api_version\":2,\"nonce\":\"AA\","
            "\"host\":\"h\"}",
        "{\"type\":\"challenge\",\"api_version\":1,\"host\":\"h\"}",
        "{\"type\":\"challenge\",\"api_version\":1,\"host\":\"h\","
        "\"nonce\":\"AA\",\"identity\":{\"key\":\"x\"}}",
        "{\"type\":\"challenge\",\"api_version\":1,\"host\":\"h\","
        "\"nonce\":\"AA\",\"identity\":null}",
        "{\"type\":\"invite\",\"session\":{\"id\":\"" SES "\"}}",
        "{\"type\":\"invite\",\"session\":{\"id\":\"" SES "\"},"
            "\"ticket\":\"a b\"}",
        "{\"type\":\"welcome\",\"device\":{\"id\":\"x\"},\"ping_s\":0}",
        "{\"type\":\"revoke\"}"
    };

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        ok(parse(AGENT_CHANNEL_SIGNAL, bad[i]) == NULL, "refused: %"
           G_GSIZE_FORMAT, i);
    }

    for (i = 0; i < G_N_ELEMENTS(bad_agent); i++) {
        ok(parse(AGENT_CHANNEL_AGENT, bad_agent[i]) == NULL,
           "refused on /agent: %" G_GSIZE_FORMAT, i);
    }
}


static void
test_unknown(void)
{
    agent_msg_t  *msg;

    msg = parse(AGENT_CHANNEL_SIGNAL, "{\"type\":\"tomorrow\",\"x\":1}");
    ok(msg != NULL && msg->type == AGENT_MSG_UNKNOWN,
       "an unknown type is no error");
    agent_msg_free(msg);

    msg = parse(AGENT_CHANNEL_SIGNAL, "{\"type\":\"invite\"}");
    ok(msg != NULL && msg->type == AGENT_MSG_UNKNOWN,
       "a type of the other channel is unknown");
    agent_msg_free(msg);

    msg = parse(AGENT_CHANNEL_SIGNAL, "{\"type\":\"ack\",\"id\":1,\"new\":2}");
    ok(msg != NULL && msg->id == 1, "an unknown field is ignored");
    agent_msg_free(msg);
}


static gboolean
peer(const char *text, agent_peer_msg_t *p, json_t **keep)
{
    *keep = agent_json_load(text, strlen(text), 65536, NULL);

    return agent_msg_peer(*keep, p);
}


static void
test_peer(void)
{
    gsize              i;
    json_t            *keep;
    agent_peer_msg_t   p;

    static const char *const  bad[] = {
        "{\"kind\":\"offer\",\"pc\":1}",
        "{\"kind\":\"offer\",\"pc\":0,\"sdp\":\"v=0\"}",
        "{\"kind\":\"offer\",\"pc\":\"1\",\"sdp\":\"v=0\"}",
        "{\"kind\":\"offer\",\"sdp\":\"v=0\"}",
        "{\"kind\":\"candidate\",\"pc\":1,\"candidate\":\"c\"}",
        "{\"kind\":\"candidate\",\"pc\":1,\"candidate\":\"c\","
            "\"sdpMLineIndex\":-1}",
        "{\"kind\":\"candidate\",\"pc\":1,\"sdpMLineIndex\":0}"
    };

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        ok(!peer(bad[i], &p, &keep), "peer message refused: %"
           G_GSIZE_FORMAT, i);
        json_decref(keep);
    }

    ok(peer("{\"kind\":\"candidate\",\"pc\":2,\"candidate\":\"candidate:1\","
            "\"sdpMLineIndex\":1,\"sdpMid\":\"1\"}", &p, &keep)
       && p.kind == AGENT_PEER_CANDIDATE && p.pc == 2 && p.mline == 1,
       "a candidate");
    is_str(p.text, "candidate:1", "its text");
    json_decref(keep);

    ok(peer("{\"kind\":\"candidate\",\"pc\":2,\"candidate\":\"\","
            "\"sdpMLineIndex\":null}", &p, &keep)
       && p.kind == AGENT_PEER_CANDIDATE && p.text[0] == '\0',
       "the end of candidates needs no section");
    json_decref(keep);

    ok(peer("{\"kind\":\"offer\",\"pc\":1,\"sdp\":\"v=0\"}", &p, &keep)
       && p.kind == AGENT_PEER_OFFER && p.proof == NULL,
       "an offer of nobody in particular");
    json_decref(keep);

    ok(peer("{\"kind\":\"offer\",\"pc\":1,\"sdp\":\"v=0\",\"proof\":1}", &p,
            &keep)
       && p.kind == AGENT_PEER_OFFER && json_is_integer(p.proof),
       "a proof is handed on as it came");
    json_decref(keep);

    ok(peer("{\"kind\":\"note\"}", &p, &keep)
       && p.kind == AGENT_PEER_UNKNOWN, "an unknown kind is no error");
    json_decref(keep);

    ok(peer("{\"kind\":\"pipe\",\"pc\":3,\"name\":\"n\",\"key\":\"k\","
            "\"codecs\":\"vp8\",\"proof\":7}", &p, &keep)
       && p.kind == AGENT_PEER_PIPE && p.pc == 3
       && strcmp(p.pipe.name, "n") == 0 && strcmp(p.pipe.key, "k") == 0
       && strcmp(p.pipe.codecs, "vp8") == 0 && json_is_integer(p.proof),
       "an offer of a pipe");
    json_decref(keep);

    ok(!peer("{\"kind\":\"pipe\",\"pc\":3,\"name\":\"n\","
             "\"codecs\":\"vp8\"}", &p, &keep), "one without a key");
    json_decref(keep);

    ok(agent_msg_peer(NULL, &p) && p.kind == AGENT_PEER_UNKNOWN,
       "data that is no object is unknown");
}


/* takes text over: the same JSON as the example */

static void
is_example(char *text, const char *name)
{
    json_t            *got, *want;
    g_autofree char   *mine = text;
    g_autofree char   *file = example(name);

    got = json_loads(mine, 0, NULL);
    want = json_loads(file, 0, NULL);
    ok(got != NULL && json_equal(got, want), "as documented: %s", name);

    json_decref(got);
    json_decref(want);
}


/* takes text over: the gateway's parser takes it */

static void
is_taken(char *text, rs_channel_e channel, const char *what)
{
    rs_err_e           rc;
    rs_msg_t           msg;
    g_autofree char   *mine = text;

    rc = rs_msg_parse(&msg, channel, mine, strlen(mine));
    ok(rc == RS_OK, "the gateway takes %s", what);

    if (rc == RS_OK) {
        rs_msg_free(&msg);

    } else {
        printf("#   %s\n#   %s\n", msg.error.text, mine);
    }
}


static void
test_said(void)
{
    agent_path_t        path;
    g_autofree char    *long_sdp = g_strnfill(40000, 'a');
    agent_who_t         known = { TRUE, (char *) "Anna", (char *) "u1",
                                  (char *) "https://issuer.example", NULL };
    agent_who_t         other = { FALSE, NULL, NULL, NULL, NULL };
    agent_seal_t        seal = { (char *) "key", (char *) "signature",
                                 &known };

    static const char  sig[] = "7jxKHZvsEQ2oQQsLBk0cPi3i3l8fqS7qf2xq5hCzt7tpd"
                               "5cBqzgW8y1FhV1Jt3oGmQHnyYtyb1l1RrGgH3k8Cw";
    static const char  dev[] = "dev_dddddddddddddddddddddddddd";

    is_example(agent_msg_plain("ping"), "agent.client.ping");
    is_example(agent_msg_plain("pong"), "signal.client.pong");
    is_example(agent_msg_plain("ice"), "signal.client.ice");
    is_example(agent_msg_plain("bye"), "agent.client.bye");
    is_example(agent_msg_bye("done"), "signal.client.bye");
    is_example(agent_msg_accept(SES), "agent.client.accept");
    is_example(agent_msg_tunnel_refused("tun_tttttttttttttttttttttttttt",
                                        "pip_pppppppppppppppppppppppppp",
                                        "target_unreachable",
                                        "no route to 192.0.2.9"),
               "agent.client.tunnel");
    is_taken(agent_msg_tunnel_refused("tun_tttttttttttttttttttttttttt",
                                      "pip_pppppppppppppppppppppppppp",
                                      "policy", NULL),
             RS_CHANNEL_AGENT, "a refused tunnel");
    is_example(agent_msg_reject(SES, "consent_denied", "the user said no"),
               "agent.client.reject");
    is_example(agent_msg_consent(SES, "par_cccccccccccccccccccccccccc",
                                 "waiting"), "agent.client.consent");

    agent_path_set(&path, "relay", "relay", AGENT_PROTO_UDP, 12);
    g_strlcpy(path.region, "eu", sizeof(path.region));
    is_example(agent_msg_state(&path), "signal.client.state");

    is_example(agent_msg_hello("rs-agent", "default", dev, sig,
                               "0f1e2d3c4b5a69788796a5b4c3d2e1f0", 1280, 720),
               "agent.client.hello");

    is_taken(agent_msg_hello("rs-agent", "default", dev, sig, "i", 0, 0),
             RS_CHANNEL_AGENT, "hello without a display");
    is_taken(agent_msg_reject(SES, "no_display", NULL), RS_CHANNEL_AGENT,
             "reject without detail");
    is_taken(agent_msg_plain("bye"), RS_CHANNEL_AGENT, "bye");
    is_taken(agent_msg_answer(PAR, 1, 1, long_sdp, &seal), RS_CHANNEL_SIGNAL,
             "an answer");
    is_taken(agent_msg_waiting(PAR, 1, 1, 60), RS_CHANNEL_SIGNAL,
             "that somebody is asked");
    seal.who = &other;
    is_taken(agent_msg_answer(PAR, 1, 1, "v=0", &seal), RS_CHANNEL_SIGNAL,
             "an answer to who is not known");
    is_taken(agent_msg_candidate(PAR, 2, 1, "candidate:1", 0, "video0"),
             RS_CHANNEL_SIGNAL, "a candidate");
    is_taken(agent_msg_candidate(PAR, 2, 1, "", 0, NULL), RS_CHANNEL_SIGNAL,
             "the end of candidates");
    is_taken(agent_msg_failed(PAR, 3, 1, "no_codec", "none"),
             RS_CHANNEL_SIGNAL, "failed");

    agent_path_set(&path, "host", "prflx", AGENT_PROTO_UDP, -1);
    is_taken(agent_msg_piped(PAR, 1, 1, "key", "vp8", &seal),
             RS_CHANNEL_SIGNAL, "an answer to a pipe");
    agent_path_pipe(&path, TRUE, 4);
    is_taken(agent_msg_state(&path), RS_CHANNEL_SIGNAL, "a path of one");
    agent_path_set(&path, "host", "host", AGENT_PROTO_UDP, -1);
    is_taken(agent_msg_state(&path), RS_CHANNEL_SIGNAL,
             "a path without a round-trip time");
}


static void
test_positions(void)
{
    ok(agent_msg_position_cmp("1-9", "1-10") < 0, "positions are numbers");
    ok(agent_msg_position_cmp("2-0", "1-10") > 0, "the epoch comes first");
    ok(agent_msg_position_cmp("7-7", "7-7") == 0, "the same position");
    ok(agent_msg_position_cmp("", "0-1") < 0, "none is before all");
}


int
main(void)
{
    test_examples();
    test_positions();
    test_fields();
    test_policies();
    test_report();
    test_refused();
    test_unknown();
    test_peer();
    test_said();

    return done();
}
