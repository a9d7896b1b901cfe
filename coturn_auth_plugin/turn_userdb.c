
/*
 * Copyright (C) rs-gateway contributors
 *
 * Answers to redis-userdb.
 */


#include "turn_userdb.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "turn_clock.h"


#define TURN_USERDB_REALM  "turn/realm/"


static void turn_userdb_keys(turn_userdb_t *db, turn_connection_t *c,
    rs_str_t pattern);
static void turn_userdb_smembers(turn_userdb_t *db, turn_connection_t *c,
    rs_str_t key);
static void turn_userdb_get(turn_userdb_t *db, turn_connection_t *c,
    rs_str_t key);
static void turn_userdb_key(turn_userdb_t *db, turn_connection_t *c,
    rs_str_t user);
static void turn_userdb_secrets(turn_userdb_t *db, turn_connection_t *c);
static void turn_userdb_list(turn_connection_t *c, const rs_str_t *list,
    size_t n);
static int turn_userdb_realm(const turn_userdb_t *db, rs_str_t key,
    rs_str_t *rest);
static void turn_userdb_number(turn_connection_t *c, uint64_t v);


void
turn_userdb_command(void *data, turn_connection_t *c, const rs_str_t *argv,
    size_t argc)
{
    turn_userdb_t  *db = data;

    if (rs_str_eq_ci(argv[0], RS_STR("get"))) {

        if (argc == 2) {
            turn_userdb_get(db, c, argv[1]);
            return;
        }

    } else if (rs_str_eq_ci(argv[0], RS_STR("smembers"))) {

        if (argc == 2) {
            turn_userdb_smembers(db, c, argv[1]);
            return;
        }

    } else if (rs_str_eq_ci(argv[0], RS_STR("keys"))) {

        if (argc == 2) {
            turn_userdb_keys(db, c, argv[1]);
            return;
        }

    } else if (rs_str_eq_ci(argv[0], RS_STR("hgetall"))) {

        if (argc == 2) {
            turn_answer_array(c, 0);
            return;
        }

    } else {
        turn_answer_unknown(c);
        return;
    }

    turn_answer_error(c, "ERR wrong number of arguments");
}


static void
turn_userdb_keys(turn_userdb_t *db, turn_connection_t *c, rs_str_t pattern)
{
    int             n;
    size_t          i;
    char            key[sizeof(TURN_USERDB_REALM) + RS_TURN_REALM_MAX + 32];

    static const char *const  kinds[] = { "allowed-peer-ip",
                                          "denied-peer-ip" };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        n = snprintf(key, sizeof(key), TURN_USERDB_REALM "*/%s", kinds[i]);

        if (!rs_str_eq(pattern, (rs_str_t) { (uint8_t *) key, (size_t) n })) {
            continue;
        }

        turn_policy_asked(db->policy);

        n = snprintf(key, sizeof(key), TURN_USERDB_REALM "%s/%s",
                     db->conf->realm, kinds[i]);

        turn_answer_array(c, 1);
        turn_answer_bulk(c, (rs_str_t) { (uint8_t *) key, (size_t) n });

        return;
    }

    turn_answer_array(c, 0);
}


static void
turn_userdb_smembers(turn_userdb_t *db, turn_connection_t *c, rs_str_t key)
{
    size_t           n;
    rs_str_t         rest;
    const rs_str_t  *list;

    if (turn_userdb_realm(db, key, &rest)) {

        if (rs_str_eq(rest, RS_STR("allowed-peer-ip"))) {
            list = turn_policy_allowed(db->policy, &n);
            turn_userdb_list(c, list, n);
            turn_policy_given(db->policy, TURN_POLICY_ALLOWED);
            return;
        }

        if (rs_str_eq(rest, RS_STR("denied-peer-ip"))) {
            list = turn_policy_denied(db->policy, &n);
            turn_userdb_list(c, list, n);
            turn_policy_given(db->policy, TURN_POLICY_DENIED);
            return;
        }

        if (rs_str_eq(rest, RS_STR("secret"))
            && db->conf->mode == TURN_MODE_COMPAT)
        {
            turn_userdb_secrets(db, c);
            return;
        }
    }

    turn_answer_array(c, 0);
}


static void
turn_userdb_secrets(turn_userdb_t *db, turn_connection_t *c)
{
    size_t    n;
    rs_str_t  list[TURN_SECRETS_MAX];

    uint64_t  now;

    now = turn_clock_ms();
    db->secrets++;

    if (turn_table_stale(db->table, now)) {
        db->withheld++;
        turn_log_limited(&db->limit, TURN_LOG_WARN,
                         "no secrets given: Redis was not followed for "
                         "longer than stale_limit = %u s",
                         db->conf->stale_limit);
        turn_answer_array(c, 0);
        return;
    }

    n = turn_secret_list(db->secret, now / 1000, list);
    turn_userdb_list(c, list, n);
}


static void
turn_userdb_list(turn_connection_t *c, const rs_str_t *list, size_t n)
{
    size_t  i;

    turn_answer_array(c, n);

    for (i = 0; i < n; i++) {
        turn_answer_bulk(c, list[i]);
    }
}


static void
turn_userdb_get(turn_userdb_t *db, turn_connection_t *c, rs_str_t key)
{
    rs_str_t            rest;
    const turn_conf_t  *conf = db->conf;

    if (turn_userdb_realm(db, key, &rest)) {

        if (rs_str_eq(rest, RS_STR("user-quota"))) {

            /* a host's is larger; the rest is counted by the daemon */

            turn_userdb_number(c, conf->quota > conf->host_quota
                                  ? conf->quota : conf->host_quota);
            return;
        }

        if (rs_str_eq(rest, RS_STR("total-quota"))) {
            turn_userdb_number(c, conf->total_quota);
            return;
        }

        if (rs_str_eq(rest, RS_STR("max-bps"))) {
            turn_userdb_number(c, conf->max_bps);
            return;
        }

        if (conf->mode == TURN_MODE_STRICT
            && rs_str_starts(rest, RS_STR("user/")))
        {
            rest.data += 5;
            rest.len -= 5;
            turn_userdb_key(db, c, rest);
            return;
        }
    }

    turn_answer_nil(c);
}


/* <user name>/key: what the user name is, decides */

static void
turn_userdb_key(turn_userdb_t *db, turn_connection_t *c, rs_str_t user)
{
    char            key[TURN_SECRET_KEY_LEN];
    turn_verdict_e  v;

    if (user.len < 4 || memcmp(user.data + user.len - 4, "/key", 4) != 0) {
        turn_answer_nil(c);
        return;
    }

    user.len -= 4;
    v = turn_table_verdict(db->table, user, NULL, turn_clock_ms());

    if (v == TURN_V_OK && turn_secret_key(db->secret, key, user) != RS_OK) {
        turn_log_limited(&db->limit, TURN_LOG_ERR,
                         "no key for a credential that is good: has key_file "
                         "a key for its day?");
        v = TURN_V_EXPIRED;
    }

    db->verdicts[v]++;

    if (v != TURN_V_OK) {
        turn_log(TURN_LOG_DEBUG, "key refused: %s", turn_verdict_name(v));
        turn_answer_nil(c);
        return;
    }

    turn_answer_bulk(c, (rs_str_t) { (uint8_t *) key, sizeof(key) });
    OPENSSL_cleanse(key, sizeof(key));
}


/* 1: of our realm, and what follows it */

static int
turn_userdb_realm(const turn_userdb_t *db, rs_str_t key, rs_str_t *rest)
{
    rs_str_t  realm;

    if (!rs_str_starts(key, RS_STR(TURN_USERDB_REALM))) {
        return 0;
    }

    key.data += sizeof(TURN_USERDB_REALM) - 1;
    key.len -= sizeof(TURN_USERDB_REALM) - 1;

    /* a realm of ours has no slash in it */

    return rs_str_split(key, '/', &realm, rest)
           && rs_str_eq(realm, rs_str(db->conf->realm));
}


static void
turn_userdb_number(turn_connection_t *c, uint64_t v)
{
    int   n;
    char  text[24];

    n = snprintf(text, sizeof(text), "%llu", (unsigned long long) v);
    turn_answer_bulk(c, (rs_str_t) { (uint8_t *) text, (size_t) n });
}
