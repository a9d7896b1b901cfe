
/*
 * Copyright (C) rs-gateway contributors
 *
 * Credentials by hand.
 */


#include "turn_issue.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "turn_clock.h"
#include "turn_secret.h"


#define TURN_ISSUE_TENANT  "default"


static int turn_issue_user(const turn_conf_t *conf, const char *who,
    rs_turn_user_t *user, char ids[2][RS_ID_LEN], const char **note,
    char *error);
static int turn_issue_new(const turn_conf_t *conf, rs_turn_user_t *user,
    char ids[2][RS_ID_LEN], char *error);


int
turn_issue(const turn_conf_t *conf, const char *who, uint64_t ttl, char *dst,
    const char **note, char *error)
{
    char             ids[2][RS_ID_LEN], name[RS_TURN_USERNAME_MAX];
    char             password[RS_TURN_PASSWORD_LEN];
    size_t           n;
    rs_err_e         rc;
    turn_secret_t   *secret;
    rs_turn_user_t   user;

    if (!turn_issue_user(conf, who, &user, ids, note, error)) {
        return 0;
    }

    user.expires_at = turn_clock_ms() / 1000 + ttl;
    n = rs_turn_user_format(name, &user);

    if (n == 0) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "--issue \"%s\": not "
                        "TENANT.SESSION.PARTICIPANT, as user names of the "
                        "gateway have it after the colon", who);
        return 0;
    }

    secret = turn_secret_create(conf, error);

    if (secret == NULL) {
        return 0;
    }

    rc = turn_secret_password(secret, password,
                              (rs_str_t) { (uint8_t *) name, n });
    turn_secret_free(secret);

    if (rc == RS_E_NOT_FOUND) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: has no key for the "
                        "day this credential ends on: take a shorter --ttl, "
                        "or look at the \"from\" of its lines",
                        conf->key_file);
        return 0;
    }

    if (rc != RS_OK) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "OpenSSL failed");
        return 0;
    }

    (void) snprintf(dst, TURN_ISSUE_MAX, "%.*s %.*s", (int) n, name,
                    RS_TURN_PASSWORD_LEN, password);
    OPENSSL_cleanse(password, sizeof(password));

    return 1;
}


static int
turn_issue_user(const turn_conf_t *conf, const char *who,
    rs_turn_user_t *user, char ids[2][RS_ID_LEN], const char **note,
    char *error)
{
    rs_str_t  rest;

    *note = NULL;

    if (strcmp(who, "new") == 0) {
        return turn_issue_new(conf, user, ids, error);
    }

    if (!rs_str_split(rs_str(who), '.', &user->tenant, &rest)
        || !rs_str_split(rest, '.', &user->session_id,
                         &user->participant_id))
    {
        /* rs_turn_user_format() says so */

        user->session_id = user->participant_id = (rs_str_t) { NULL, 0 };
    }

    if (conf->redis != NULL) {
        *note = conf->mode == TURN_MODE_STRICT
                ? "taken while that session lives in Redis, refused otherwise"
                : "its allocations are ended at once unless that session "
                  "lives in Redis";
    }

    return 1;
}


static int
turn_issue_new(const turn_conf_t *conf, rs_turn_user_t *user,
    char ids[2][RS_ID_LEN], char *error)
{
    uint8_t  random[2][RS_ID_RANDOM_LEN];

    if (conf->redis != NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "--issue new: this relay "
                        "takes only sessions that live in Redis.  Get one "
                        "from the gateway, with an API key of scope \"ice\": "
                        "POST /ice; then --issue what stands after the colon "
                        "of its username, for as long as that session lives");
        return 0;
    }

    if (RAND_bytes(random[0], sizeof(random)) != 1) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "OpenSSL failed");
        return 0;
    }

    rs_id_format(ids[0], RS_ID_SESSION, random[0]);
    rs_id_format(ids[1], RS_ID_PARTICIPANT, random[1]);

    user->tenant = conf->tenants.n ? rs_str(conf->tenants.item[0])
                                   : RS_STR(TURN_ISSUE_TENANT);
    user->session_id = (rs_str_t) { (uint8_t *) ids[0], RS_ID_LEN };
    user->participant_id = (rs_str_t) { (uint8_t *) ids[1], RS_ID_LEN };

    return 1;
}
