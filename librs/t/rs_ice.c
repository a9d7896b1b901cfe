
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers against the example of docs/protocol/messages, orders, and the
 * syntax of URLs.
 */


#include "tap.h"
#include "rs_ice.h"

#include <jansson.h>


#define SECRET  "6f2a9d0c4be17358f0a1c2d3e4b59687"


static void test_urls(void);
static void test_example(void);
static void test_orders(void);
static void test_left_out(void);


static const rs_str_t  stun[] = { RS_STR("stun:turn.example.net:3478") };
static const rs_str_t  eu[] = {
    RS_STR("turn:turn.example.net:3478?transport=udp"),
    RS_STR("turn:turn.example.net:3478?transport=tcp"),
    RS_STR("turns:turn.example.net:443?transport=tcp")
};
static const rs_str_t  us[] = { RS_STR("turn:us.example.net") };
static const rs_str_t  eu2[] = { RS_STR("turn:eu2.example.net") };


static rs_ice_t
setup(void)
{
    rs_ice_t  ice;

    memset(&ice, 0, sizeof(ice));

    ice.secret = RS_STR(SECRET);
    ice.user.expires_at = 1790000300;
    ice.user.tenant = RS_STR("default");
    ice.user.session_id = RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    ice.user.participant_id = RS_STR("par_cccccccccccccccccccccccccc");
    ice.ttl_s = 300;

    return ice;
}


static json_t *
write_ice(const rs_ice_t *ice)
{
    char      *text;
    json_t    *json;
    rs_buf_t   b;

    text = malloc(rs_ice_size(ice));
    rs_buf_init(&b, text, rs_ice_size(ice));

    is_rc(rs_ice_write(&b, ice), RS_OK, "is written");
    ok(!b.overflow, "fits into what rs_ice_size() says");

    json = json_loadb(text, b.len, JSON_REJECT_DUPLICATES, NULL);
    ok(json != NULL, "is JSON");

    free(text);

    return json;
}


static void
test_urls(void)
{
    char    url[RS_ICE_URL_MAX + 2];
    size_t  i;

    static const char  *stun_good[] = {
        "stun:a", "stun:turn.example.net:3478", "stuns:192.0.2.1:5349",
        "stun:[2001:db8::1]:3478"
    };
    static const char  *stun_bad[] = {
        "", "stun", "stun:", "STUN:a", "stun://a", "turn:a",
        "stun:a?transport=udp", "stun:a:0", "stun:a/", "stun:a b", "stun:a:",
        " stun:a", "stun:a:b@c", "http:a"
    };
    static const char  *turn_good[] = {
        "turn:a", "turn:a:3478", "turn:a?transport=udp",
        "turn:a:1?transport=tcp", "turns:a:443?transport=tcp", "turns:a",
        "turn:[::1]:3478?transport=udp"
    };
    static const char  *turn_bad[] = {
        "", "turn", "turn:", "turn:?transport=udp", "Turn:a", "turn://a",
        "stun:a", "turn:a?transport=sctp", "turn:a?transport=",
        "turn:a?", "turn:a?transport=udp&x=1", "turn:a?transport=UDP",
        "turns:a?transport=udp", "turn:u:p@a", "turn:a:65536", "turn:a:",
        "turn:a,b", "turn:a?transport=udp?transport=udp", "turn:a\n"
    };

    for (i = 0; i < sizeof(stun_good) / sizeof(stun_good[0]); i++) {
        is_rc(rs_ice_check_stun_url(rs_str(stun_good[i])), RS_OK,
              stun_good[i]);
    }

    for (i = 0; i < sizeof(stun_bad) / sizeof(stun_bad[0]); i++) {
        ok(rs_ice_check_stun_url(rs_str(stun_bad[i])) == RS_E_INVALID_VALUE,
           "no STUN URL: \"%s\"", stun_bad[i]);
    }

    for (i = 0; i < sizeof(turn_good) / sizeof(turn_good[0]); i++) {
        is_rc(rs_ice_check_turn_url(rs_str(turn_good[i])), RS_OK,
              turn_good[i]);
    }

    for (i = 0; i < sizeof(turn_bad) / sizeof(turn_bad[0]); i++) {
        ok(rs_ice_check_turn_url(rs_str(turn_bad[i])) == RS_E_INVALID_VALUE,
           "no TURN URL: number %zu", i);
    }

    memset(url, 'a', sizeof(url));
    memcpy(url, "turn:", 5);
    is_rc(rs_ice_check_turn_url((rs_str_t) { (uint8_t *) url, sizeof(url) }),
          RS_E_INVALID_VALUE, "too long");
    memcpy(url, "stun:", 5);
    is_rc(rs_ice_check_stun_url((rs_str_t) { (uint8_t *) url, sizeof(url) }),
          RS_E_INVALID_VALUE, "too long");
}


static void
test_example(void)
{
    json_t         *file, *want, *got, *servers, *server;
    rs_ice_t        ice;
    rs_ice_turn_t   turn;
    rs_str_t        secret;
    json_error_t    e;
    rs_turn_user_t  user;

    file = json_load_file(
               tap_path("docs/protocol/messages/signal.server.ice.json"), 0,
               &e);
    want = json_object_get(file, "ice");
    ok(want != NULL, "the example is read");

    turn.region = RS_STR("eu");
    turn.urls = eu;
    turn.n = 3;

    ice = setup();
    ice.stun = stun;
    ice.nstun = 1;
    ice.turn = &turn;
    ice.nturn = 1;

    got = write_ice(&ice);
    servers = json_object_get(got, "iceServers");
    server = json_array_get(servers, 1);

    secret = RS_STR(SECRET);
    is_rc(rs_turn_verify(rs_str(json_string_value(
                             json_object_get(server, "username"))),
                         rs_str(json_string_value(
                             json_object_get(server, "credential"))),
                         &secret, 1, 1790000000, &user), RS_OK,
          "its credential verifies");

    /* the example's password is none; all else is the same */

    json_object_set(server, "credential",
                    json_object_get(
                        json_array_get(json_object_get(want, "iceServers"),
                                       1), "credential"));
    ok(json_equal(want, got), "as in the example");

    json_decref(got);
    json_decref(file);
}


static const char *
first_url(json_t *ice, size_t i)
{
    const char  *url;

    url = json_string_value(json_array_get(json_object_get(
              json_array_get(json_object_get(ice, "iceServers"), i), "urls"),
              0));

    return url ? url : "";
}


static const char *
region(json_t *ice, size_t i)
{
    const char  *name;

    name = json_string_value(json_object_get(
              json_array_get(json_object_get(ice, "iceServers"), i),
              "region"));

    return name ? name : "";
}


static void
test_orders(void)
{
    json_t         *got;
    rs_ice_t        ice;
    rs_ice_turn_t   turn[4];

    turn[0] = (rs_ice_turn_t) { RS_STR("us"), us, 1 };
    turn[1] = (rs_ice_turn_t) { RS_STR("eu"), eu, 3 };
    turn[2] = (rs_ice_turn_t) { RS_STR("none"), NULL, 0 };
    turn[3] = (rs_ice_turn_t) { RS_STR("eu"), eu2, 1 };

    ice = setup();
    ice.turn = turn;
    ice.nturn = 4;
    ice.region = RS_STR("eu");
    ice.relay_only = 1;

    got = write_ice(&ice);
    is_int(json_array_size(json_object_get(got, "iceServers")), 3,
           "one without URLs is left out");
    is_str(rs_str(first_url(got, 0)), (const char *) eu[0].data,
           "the own region first");
    is_str(rs_str(first_url(got, 1)), (const char *) eu2[0].data,
           "all of it, in its order");
    is_str(rs_str(region(got, 0)), "eu", "with its name");
    is_str(rs_str(region(got, 2)), "us", "as the others");
    is_str(rs_str(first_url(got, 2)), (const char *) us[0].data,
           "then the others");
    ok(strcmp(json_string_value(json_object_get(got, "iceTransportPolicy")),
              "relay") == 0, "relay only");
    json_decref(got);

    is_int(rs_ice_order(&ice, 0), 1, "the same by index");
    is_int(rs_ice_order(&ice, 1), 3, "the same by index");
    is_int(rs_ice_order(&ice, 2), 0, "the same by index");
    is_int(rs_ice_order(&ice, 3), 2, "the same by index");

    ice.region = RS_STR("");
    got = write_ice(&ice);
    is_str(rs_str(first_url(got, 0)), (const char *) us[0].data,
           "no region: as configured");
    json_decref(got);

    ice.region = RS_STR("asia");
    got = write_ice(&ice);
    is_str(rs_str(first_url(got, 0)), (const char *) us[0].data,
           "an unknown one: as configured");
    json_decref(got);
}


static void
test_left_out(void)
{
    char            room[8];
    json_t         *got;
    rs_buf_t        b;
    rs_ice_t        ice;
    rs_ice_turn_t   turn;

    turn = (rs_ice_turn_t) { RS_STR("us"), us, 1 };

    memset(&ice, 0, sizeof(ice));
    ice.turn = &turn;
    ice.nturn = 1;

    got = write_ice(&ice);
    is_int(json_array_size(json_object_get(got, "iceServers")), 0,
           "no secret: no TURN server");
    ok(strcmp(json_string_value(json_object_get(got, "iceTransportPolicy")),
              "all") == 0, "any path");
    json_decref(got);

    ice = setup();
    ice.stun = stun;
    ice.nstun = 1;
    got = write_ice(&ice);
    is_int(json_array_size(json_object_get(got, "iceServers")), 1,
           "STUN alone");
    json_decref(got);

    rs_buf_init(&b, room, sizeof(room));
    (void) rs_ice_write(&b, &ice);
    ok(b.overflow, "too little room is told");

    ice.user.session_id = RS_STR("x");
    rs_buf_init(&b, room, sizeof(room));
    is_rc(rs_ice_write(&b, &ice), RS_E_INVALID_VALUE, "a bad session");
    is_int(b.len, 0, "nothing is written");

    ice = setup();
    ice.secret.len = RS_TURN_SECRET_MAX + 1;
    is_rc(rs_ice_write(&b, &ice), RS_E_INVALID_VALUE, "a bad secret");
}


/* a secret of the realm and the day instead of one for all */

static void
test_derived(void)
{
    char                  name[RS_TURN_USERNAME_MAX];
    char                  password[RS_TURN_PASSWORD_LEN];
    char                  want[RS_TURN_PASSWORD_LEN];
    char                  secret[RS_TURN_DERIVED_LEN];
    size_t                len;
    rs_buf_t              b;
    rs_ice_t              ice;
    static rs_turn_key_t  key;

    is_rc(rs_turn_key_parse(&key, RS_STR(
              "8e1c74f0a95d3b6217c05f09bd7731ce48a2d6f01b9c835e7a4fd2069c1b7e38"
              " from 1"), NULL), RS_OK, "a key file");

    ice = setup();
    ice.secret.len = 0;
    ice.key = &key;
    ice.realm = RS_STR("example.org");

    is_rc(rs_ice_credential(&ice, name, &len, password), RS_OK, "derived");

    (void) rs_turn_key_secret(secret, &key, ice.realm,
                              ice.user.expires_at / RS_TURN_EPOCH);
    (void) rs_turn_password(want,
                            (rs_str_t) { (uint8_t *) secret, sizeof(secret) },
                            (rs_str_t) { (uint8_t *) name, len });

    ok(memcmp(password, want, sizeof(want)) == 0,
       "by the day of the user name");

    ice.user.expires_at = 5;
    is_rc(rs_ice_credential(&ice, name, &len, password), RS_E_NOT_FOUND,
          "no key for that day");

    rs_buf_init(&b, secret, sizeof(secret));
    is_rc(rs_ice_write(&b, &ice), RS_E_NOT_FOUND, "nor servers");
    is_int(b.len, 0, "nothing is written");

    memset(&ice, 0, sizeof(ice));
    is_rc(rs_ice_credential(&ice, name, &len, password), RS_OK, "neither");
    is_int(len, 0, "no user name");
}


int
main(void)
{
    test_urls();
    test_derived();
    test_example();
    test_orders();
    test_left_out();

    return tap_done();
}
