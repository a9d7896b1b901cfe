
/*
 * Copyright (C) rs-gateway contributors
 */


#include "rs_turn_event.h"
#include "tap.h"


#define BASE  "turn/realm/rs-test/user/1795258014:t1.ses_a.par_b" \
              "/allocation/001000000000000042"


static rs_turn_event_t  e;


static rs_err_e
parse(const char *key, const char *value)
{
    return rs_turn_event_parse(&e, rs_str(key), rs_str(value));
}


static void
status(void)
{
    is_rc(parse(BASE "/status",
                "new lifetime=600, type=UDP, local=192.0.2.1:3478, "
                "remote=198.51.100.7:40000, ssl=NONE, cipher=NONE"), RS_OK,
          "a new allocation");
    is_int(e.type, RS_TURN_EVENT_NEW, "is new");
    is_int(e.id, 1000000000000042, "its number");
    is_str(e.realm, "rs-test", "its realm");
    is_str(e.user, "1795258014:t1.ses_a.par_b", "its user name");
    is_int(e.lifetime, 600, "its lifetime");
    is_str(e.transport, "UDP", "its transport");
    is_str(e.remote, "198.51.100.7:40000", "its client");

    is_rc(parse(BASE "/status", "refreshed lifetime=0, type=TLS"), RS_OK,
          "one refreshed");
    is_int(e.type, RS_TURN_EVENT_REFRESHED, "is that");
    is_int(e.lifetime, 0, "to nothing");
    is_str(e.remote, "", "and no client");

    is_rc(parse(BASE "/status", "deleted"), RS_OK, "one that ended");
    is_int(e.type, RS_TURN_EVENT_DELETED, "is that");

    is_rc(parse(BASE "/status", "new"), RS_OK, "new and nothing else");
    is_rc(parse(BASE "/status", ""), RS_E_INVALID_VALUE, "no status");
    is_rc(parse(BASE "/status", "newer"), RS_E_INVALID_VALUE, "another one");
    is_rc(parse(BASE "/status", "new lifetime=-1"), RS_E_INVALID_VALUE,
          "a lifetime that is none");
    is_rc(parse(BASE "/status", "new lifetime=4294967296"),
          RS_E_INVALID_VALUE, "a lifetime that is too long");
}


static void
traffic(void)
{
    size_t  i;

    static const struct {
        const char  *kind;
        unsigned     type;
    } kinds[] = {
        { "/traffic", RS_TURN_EVENT_TRAFFIC },
        { "/traffic/peer", RS_TURN_EVENT_TRAFFIC_PEER },
        { "/total_traffic", RS_TURN_EVENT_TOTAL },
        { "/total_traffic/peer", RS_TURN_EVENT_TOTAL_PEER },
    };

    static const char *const  bad[] = {
        "", "rcvp=1", "rcvp=1, rcvb=2, sentp=3",
        "rcvp=1, rcvb=2, sentp=3, sentb=", "rcvp=1, rcvb=2, sentp=3, sentb=x",
        "rcvp=1, rcvb=2, sentp=3, rcvp=4",
        "rcvp=1, rcvb=2, sentp=3, sentb=4, sentb=4",
        "rcvp=1, rcvb=2, sentp=3, sentb=18446744073709551616", "1, 2, 3, 4",
    };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char  key[256];

        (void) snprintf(key, sizeof(key), BASE "%s", kinds[i].kind);

        is_rc(parse(key, "rcvp=1, rcvb=20, sentp=300, "
                         "sentb=18446744073709551615"),
              RS_OK, kinds[i].kind);
        is_int(e.type, kinds[i].type, "its type");
        ok(e.rcvp == 1 && e.rcvb == 20 && e.sentp == 300
           && e.sentb == UINT64_MAX, "its numbers");
        is_str(e.user, "1795258014:t1.ses_a.par_b", "its user name");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(parse(BASE "/traffic", bad[i]), RS_E_INVALID_VALUE, bad[i]);
    }
}


static void
strangers(void)
{
    size_t  i;

    static const char *const  bad[] = {
        "", "__XXX__", "turn/realm/", "turn/realm//user/u/allocation/"
        "001000000000000042/status",
        "turn/user/u/allocation/001000000000000042/status",
        "turn/realm/r/user/u/allocation/001000000000000042",
        "turn/realm/r/user/u/allocation/001000000000000042/statu",
        "turn/realm/r/user/u/allocation/00100000000000042/status",
        "turn/realm/r/user/u/allocation/00100000000000042x/status",
        "turn/realm/r/user/u/allocation//status",
        "turn/realm/r/user/u/allocation/99999999999999999999/status",
        "turn/realm/r/user/u/allocation/000000000000000000042/status",
        "turn/realm/r/users/u/allocation/001000000000000042/status",
        "turn/realm/r/user/allocation/001000000000000042/status",
        "turn/realm/r/user/u001000000000000042/status",
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(parse(bad[i], "deleted"), RS_E_INVALID_VALUE, bad[i]);
    }

    is_rc(parse("turn/realm/r/user/a/allocation/001000000000000001/status"
                "/allocation/001000000000000042/status", "deleted"), RS_OK,
          "a user name that looks like the end of a key");
    is_int(e.id, 1000000000000042, "does not choose the number");
    is_str(e.user, "a/allocation/001000000000000001/status",
           "it is the name still");

    is_rc(parse("turn/realm/r/user/x/user/y/allocation/000000000000000042"
                "/status", "deleted"), RS_OK, "one like the beginning");
    is_str(e.user, "x/user/y", "is a name too");
    is_str(e.realm, "r", "and does not choose the realm");
    is_int(e.id, 42, "zeros in front of the number");

    is_rc(parse("turn/realm/r/user//allocation/001000000000000042/status",
                "deleted"), RS_OK, "no user name");
    is_str(e.user, "", "is an empty one");

    is_rc(parse("turn/realm/r/user/%s%n/allocation/18446744073709551615"
                "/status", "deleted"), RS_OK, "a format");
    is_int(e.id, UINT64_MAX, "and the largest number");
}


int
main(void)
{
    status();
    traffic();
    strangers();

    return tap_done();
}
