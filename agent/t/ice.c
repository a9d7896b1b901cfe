
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * STUN and TURN URLs, their form for libnice, staleness, and path names.
 */

#include "agent_ice.h"
#include "tap.h"

#include <string.h>


static agent_ice_t *
parse(const char *urls, const char *policy, GError **error)
{
    g_autofree char    *text = NULL;
    g_autoptr(json_t)   obj = NULL;

    text = g_strdup_printf("{\"iceServers\":[{\"urls\":[%s],"
                           "\"username\":\"1790000300:default.ses.par\","
                           "\"credential\":\"a/b+c=\"}],"
                           "\"iceTransportPolicy\":\"%s\",\"ttl_s\":300}",
                           urls, policy);
    obj = agent_json_load(text, strlen(text), 65536, NULL);

    return agent_ice_parse(obj, 0, error);
}


static char *
uri(const char *url)
{
    g_autofree char          *quoted = NULL;
    g_autoptr(agent_ice_t)    ice = NULL;

    quoted = g_strdup_printf("\"%s\"", url);
    ice = parse(quoted, "all", NULL);

    if (ice->turn->len == 0) {
        return g_strdup(ice->stun != NULL ? ice->stun : "none");
    }

    return agent_ice_turn_uri(g_ptr_array_index(ice->turn, 0), NULL, 0);
}


static void
test_urls(void)
{
    gsize  i;

#define WHO  "1790000300%3Adefault.ses.par:a%2Fb%2Bc%3D@"

    static const char *const  cases[][2] = {
        { "stun:turn.example.net", "stun://turn.example.net:3478" },
        { "stun:[2001:db8::1]:99", "stun://[2001:db8::1]:99" },
        { "turn:turn.example.net",
          "turn://" WHO "turn.example.net:3478?transport=udp" },
        { "turn:turn.example.net:80?transport=tcp",
          "turn://" WHO "turn.example.net:80?transport=tcp" },
        { "turn:[2001:db8::1]:99?transport=udp",
          "turn://" WHO "[2001:db8::1]:99?transport=udp" },
        { "turns:turn.example.net?transport=tcp",
          "turn://" WHO "turn.example.net:5349?transport=tcp" },
        { "turns:turn.example.net:443",
          "turn://" WHO "turn.example.net:443?transport=tcp" },

        { "turns:turn.example.net:443?transport=udp", "none" },
        { "turn:turn.example.net?transport=sctp", "none" },
        { "turn:turn.example.net?x=y", "none" },
        { "stun:turn.example.net?transport=udp", "none" },
        { "stuns:turn.example.net", "none" },
        { "http://turn.example.net", "none" },
        { "turn:", "none" },
        { "turn::3478", "none" },
        { "turn:turn.example.net:0", "none" },
        { "turn:turn.example.net:65536", "none" },
        { "turn:turn.example.net:", "none" },
        { "turn:turn.example.net:3478x", "none" },
        { "turn:user@turn.example.net", "none" },
        { "turn:turn.example.net/path", "none" },
        { "turn:[turn.example.net]", "none" },
        { "turn:[2001:db8::1", "none" },
        { "turn:[2001:db8::1]x", "none" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char  *got = uri(cases[i][0]);

        is_str(got, cases[i][1], cases[i][0]);
    }
}


static void
test_config(void)
{
    guint                     i;
    g_autofree char          *shim = NULL;
    g_autoptr(GString)        many = g_string_new(NULL);
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_ice_t)    ice = NULL;

    ice = parse("\"stun:a.example\",\"turns:b.example:443\"", "relay", &error);

    ok(ice != NULL && ice->relay_only && ice->ttl_s == 300
       && ice->turn->len == 1, "servers, policy and life are taken");

    shim = agent_ice_turn_uri(g_ptr_array_index(ice->turn, 0), "127.82.83.1",
                              4711);
    is_str(shim, "turn://" WHO "127.82.83.1:4711?transport=tcp",
           "a shim's address stands in for the server's");

    ok(!agent_ice_stale(ice, 269 * G_USEC_PER_SEC), "fresh at 269 s of 300");
    ok(agent_ice_stale(ice, 271 * G_USEC_PER_SEC), "stale at 271 s of 300");

    agent_ice_free(g_steal_pointer(&ice));
    ice = parse("\"stun:a.example\"", "all", NULL);
    ok(!ice->relay_only, "all is not relay only");
    ok(!agent_ice_stale(ice, 999 * G_USEC_PER_SEC),
       "without TURN nothing runs out");

    ok(parse("\"stun:a.example\"", "none", &error) == NULL && error != NULL,
       "an unknown policy is refused");
    g_clear_error(&error);

    ok(parse("5", "all", &error) == NULL && error != NULL,
       "a URL that is no string is refused");
    g_clear_error(&error);

    for (i = 0; i < AGENT_ICE_SERVERS; i++) {
        g_string_append_printf(many, "%s\"stun:a.example\"", i ? "," : "");
    }

    agent_ice_free(g_steal_pointer(&ice));
    ice = parse(many->str, "all", &error);
    ok(ice != NULL, "as many URLs as the bound");

    g_string_append(many, ",\"stun:a.example\"");
    ok(parse(many->str, "all", &error) == NULL, "one URL more");
}


static void
test_no_credentials(void)
{
    const char               *text;
    g_autoptr(json_t)         obj = NULL;
    g_autoptr(agent_ice_t)    ice = NULL;

    text = "{\"iceServers\":[{\"urls\":[\"turn:a.example\"]}],"
           "\"iceTransportPolicy\":\"all\",\"ttl_s\":300}";
    obj = agent_json_load(text, strlen(text), 65536, NULL);
    ice = agent_ice_parse(obj, 0, NULL);

    ok(ice != NULL && ice->turn->len == 0,
       "a TURN server without credentials is left out");
}


static void
test_path(void)
{
    agent_path_t  a, b;

    agent_path_set(&a, "host", "srflx", AGENT_PROTO_TLS, 3);
    ok(!a.relay && a.protocol == AGENT_PROTO_UDP, "direct is UDP");

    agent_path_set(&a, "relay", "host", AGENT_PROTO_TLS, 3);
    ok(a.relay && a.protocol == AGENT_PROTO_TLS,
       "a local relay is reached by its own protocol");

    agent_path_set(&b, "host", "relay", AGENT_PROTO_TCP, 3);
    ok(b.relay && b.protocol == AGENT_PROTO_UDP,
       "a remote relay alone makes it a relayed path, over UDP here");
    ok(!agent_path_same(&a, &b), "another path");

    agent_path_set(&b, "relay", "host", AGENT_PROTO_TLS, 300);
    ok(agent_path_same(&a, &b), "the round-trip time alone is no change");
}


/* servers as "host/rtt", of one URL over UDP and one over TLS each */

static agent_ice_t *
servers(const char *words)
{
    guint                i;
    agent_turn_t        *turn;
    g_autoptr(GString)   text = g_string_new("{\"iceServers\":[");
    g_auto(GStrv)        each = g_strsplit(words, " ", 0);
    g_autoptr(json_t)    obj = NULL;
    agent_ice_t         *ice;

    for (i = 0; each[i] != NULL; i++) {
        g_auto(GStrv)  pair = g_strsplit(each[i], "/", 2);

        g_string_append_printf(text, "%s{\"urls\":[\"turn:%s.example\","
                               "\"turns:%s.example\"],\"username\":\"u\","
                               "\"credential\":\"c\",\"region\":\"%s\"}",
                               i ? "," : "", pair[0], pair[0], pair[0]);
    }

    g_string_append(text, "],\"iceTransportPolicy\":\"all\",\"ttl_s\":9}");
    obj = agent_json_load(text->str, text->len, 65536, NULL);
    ice = agent_ice_parse(obj, 0, NULL);

    for (i = 0; each[i] != NULL; i++) {
        g_auto(GStrv)  pair = g_strsplit(each[i], "/", 2);

        turn = g_ptr_array_index(ice->turn, 2 * i);
        turn->rtt_ms = atoi(pair[1]);
        turn = g_ptr_array_index(ice->turn, 2 * i + 1);
        turn->rtt_ms = atoi(pair[1]);
    }

    return ice;
}


static void
test_order(void)
{
    gsize  i;
    guint  j;

    static const char *const  cases[][2] = {
        { "a/20", "a" },
        { "a/-1 b/-1 c/-1", "a b c" },
        { "a/90 b/20", "b a" },
        { "a/24 b/21", "a b" },
        { "a/-1 b/300", "b a" },
        { "a/90 b/20 c/50", "b c" },
        { "a/90 b/-1 c/50", "c a" },
        { "a/-1 b/-1 c/50 d/-1", "c a" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(agent_ice_t)  ice = servers(cases[i][0]);
        g_autoptr(GString)      got = g_string_new(NULL);
        gboolean                pairs = TRUE;

        agent_ice_order(ice);

        for (j = 0; j < ice->turn->len; j++) {
            agent_turn_t  *turn = g_ptr_array_index(ice->turn, j);

            if (j % 2 == 0) {
                g_string_append_printf(got, "%s%s", j ? " " : "",
                                       turn->region);
            }

            pairs = pairs && turn->proto == (j % 2 ? AGENT_PROTO_TLS
                                                   : AGENT_PROTO_UDP);
        }

        is_str(got->str, cases[i][1], cases[i][0]);
        ok(pairs, "each with its URLs");
    }
}


static void
test_region(void)
{
    agent_path_t             path;
    agent_turn_t            *turn;
    g_autoptr(agent_ice_t)   ice = servers("eu/1 us/2");
    g_autoptr(agent_ice_t)   one = servers("eu/1");

    turn = g_ptr_array_index(ice->turn, 0);
    turn->address = g_strdup("192.0.2.1");
    turn = g_ptr_array_index(ice->turn, 2);
    turn->address = g_strdup("192.0.2.2");

    agent_path_set(&path, "relay", "relay", AGENT_PROTO_UDP, 1);
    g_strlcpy(path.server, "192.0.2.2", sizeof(path.server));
    agent_ice_region(ice, &path);
    is_str(path.region, "us", "by the address of the relay");

    g_strlcpy(path.server, "192.0.2.3", sizeof(path.server));
    agent_ice_region(ice, &path);
    is_str(path.region, "", "of another address: none");

    agent_path_set(&path, "relay", "relay", AGENT_PROTO_TLS, 1);
    agent_ice_region(ice, &path);
    is_str(path.region, "", "over TLS it could be either");
    agent_ice_region(one, &path);
    is_str(path.region, "eu", "when there is but one, it is that");

    agent_path_set(&path, "relay", "relay", AGENT_PROTO_TCP, 1);
    agent_ice_region(one, &path);
    is_str(path.region, "", "none is offered over TCP");

    agent_path_set(&path, "host", "relay", AGENT_PROTO_UDP, 1);
    agent_ice_region(one, &path);
    is_str(path.region, "", "the other side's relay is none of ours");
}


int
main(void)
{
    test_urls();
    test_config();
    test_no_credentials();
    test_path();
    test_order();
    test_region();

    return done();
}
