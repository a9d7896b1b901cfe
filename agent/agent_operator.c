
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the order in which a proof is looked at, and the checks that wait for
 * the issuer's keys:
 *
 *     form -> token: algorithm, signature, issuer, audience, times
 *          -> a user or group of agent.conf -> nonce = thumbprint of the key
 *          -> signature of this connection by the key
 *
 * The first that fails is the reason, and ends it.  Time is that of the
 * offer: a check that had to wait for keys does not outlive its token.
 */

#define G_LOG_DOMAIN  "rs-operator"

#include "agent_operator.h"
#include "agent_issuer.h"
#include "agent_text.h"
#include "rs_jws.h"

#include <string.h>


#define AGENT_OPERATOR_NAME    64           /* characters of a name */
#define AGENT_OPERATOR_GROUPS  200          /* of a token */


struct agent_operator_s {
    const agent_config_t  *config;
    agent_issuer_t        *issuer;
    GList                 *checks;
};


struct agent_check_s {
    agent_operator_t      *operator;
    agent_check_done_pt    done;
    void                  *data;

    json_t                *json;
    gboolean               read;        /* proof is */
    rs_operator_proof_t    proof;       /* points into json */
    rs_operator_line_t     line;        /* points into text */
    char                  *text[4];
    gint64                 now_s;       /* when the offer came */

    guint                  source;      /* the verdict's, or the deadline's */
    gboolean               asked;       /* for newer keys, on its behalf */
    agent_who_t            who;
};


typedef enum {
    AGENT_CHECK_GOOD = 0,
    AGENT_CHECK_BAD,                    /* who.reason is set */
    AGENT_CHECK_KEYS                    /* others may help */
} agent_check_e;


static void agent_operator_fetched(void *data);
static void agent_check_start(agent_check_t *check);
static gboolean agent_check_late(gpointer data);
static gboolean agent_check_tell(gpointer data);
static void agent_check_end(agent_check_t *check);
static void agent_check_free(agent_check_t *check);

G_GNUC_PRINTF(2, 3)
static agent_check_e agent_check_bad(agent_check_t *check,
    const char *format, ...);
static agent_check_e agent_check_token(agent_check_t *check);
static agent_check_e agent_check_claims(agent_check_t *check, rs_jwt_t *jwt);
static gboolean agent_check_accepted(agent_check_t *check,
    const rs_jwt_t *jwt, rs_str_t sub);
static gboolean agent_check_listed(char **list, rs_str_t value);
static agent_check_e agent_check_bound(agent_check_t *check, rs_str_t nonce);
static void agent_check_name(agent_check_t *check, const rs_jwt_t *jwt,
    rs_str_t sub);


agent_operator_t *
agent_operator_new(const agent_config_t *config, GError **error)
{
    agent_operator_t  *operator;

    if (config->operator_issuer == NULL) {
        return NULL;
    }

    operator = g_new0(agent_operator_t, 1);
    operator->config = config;
    operator->issuer = agent_issuer_new(config, agent_operator_fetched,
                                        operator, error);
    if (operator->issuer == NULL) {
        g_free(operator);
        return NULL;
    }

    /* the first offer need not wait then */

    if (agent_issuer_keys(operator->issuer) == NULL) {
        (void) agent_issuer_fetch(operator->issuer);
    }

    return operator;
}


void
agent_operator_free(agent_operator_t *operator)
{
    g_list_free_full(operator->checks, (GDestroyNotify) agent_check_free);
    agent_issuer_free(operator->issuer);
    g_free(operator);
}


agent_check_t *
agent_operator_check(agent_operator_t *operator,
    const rs_operator_line_t *line, const json_t *proof,
    agent_check_done_pt done, void *data)
{
    guint           i;
    agent_check_t  *check;

    const rs_str_t  texts[] = { line->session_id, line->device_id,
                                line->participant_id, line->offer };

    check = g_new0(agent_check_t, 1);
    check->operator = operator;
    check->done = done;
    check->data = data;
    check->json = json_deep_copy(proof);
    check->now_s = g_get_real_time() / G_USEC_PER_SEC;

    for (i = 0; i < G_N_ELEMENTS(texts); i++) {
        check->text[i] = g_strndup((const char *) texts[i].data,
                                   texts[i].len);
    }

    check->line.session_id = rs_str(check->text[0]);
    check->line.device_id = rs_str(check->text[1]);
    check->line.participant_id = rs_str(check->text[2]);
    check->line.offer = rs_str(check->text[3]);
    check->line.pc = line->pc;

    operator->checks = g_list_prepend(operator->checks, check);
    agent_check_start(check);

    return check;
}


void
agent_check_cancel(agent_check_t *check)
{
    agent_operator_t  *operator = check->operator;

    operator->checks = g_list_remove(operator->checks, check);
    agent_check_free(check);
}


static void
agent_check_free(agent_check_t *check)
{
    guint  i;

    g_clear_handle_id(&check->source, g_source_remove);

    for (i = 0; i < G_N_ELEMENTS(check->text); i++) {
        g_free(check->text[i]);
    }

    agent_who_clear(&check->who);
    json_decref(check->json);
    g_free(check);
}


/* newer keys, or none: who waits tries again, and does not wait once more */

static void
agent_operator_fetched(void *data)
{
    GList             *link, *next;
    agent_check_t     *check;
    agent_operator_t  *operator = data;

    for (link = operator->checks; link != NULL; link = next) {
        next = link->next;
        check = link->data;

        if (check->asked) {
            agent_check_start(check);
        }
    }
}


/* a verdict, told from the main loop; or a deadline for the keys */

static void
agent_check_start(agent_check_t *check)
{
    agent_check_e      verdict;
    agent_operator_t  *operator = check->operator;

    g_clear_handle_id(&check->source, g_source_remove);

    verdict = agent_check_token(check);

    if (verdict == AGENT_CHECK_KEYS) {

        if (!check->asked && agent_issuer_fetch(operator->issuer)) {
            check->asked = TRUE;
            agent_who_clear(&check->who);
            check->source = g_timeout_add_seconds(AGENT_OPERATOR_WAIT_S,
                                                  agent_check_late, check);
            return;
        }

        verdict = AGENT_CHECK_BAD;
    }

    check->asked = FALSE;
    check->who.verified = (verdict == AGENT_CHECK_GOOD);
    check->source = g_idle_add_full(G_PRIORITY_DEFAULT, agent_check_tell,
                                    check, NULL);
}


static gboolean
agent_check_late(gpointer data)
{
    agent_check_t  *check = data;

    check->source = 0;
    (void) agent_check_bad(check, "the issuer %s did not give its keys "
                           "within %d s",
                           check->operator->config->operator_issuer,
                           AGENT_OPERATOR_WAIT_S);
    agent_check_end(check);

    return G_SOURCE_REMOVE;
}


static gboolean
agent_check_tell(gpointer data)
{
    agent_check_t  *check = data;

    check->source = 0;
    agent_check_end(check);

    return G_SOURCE_REMOVE;
}


static void
agent_check_end(agent_check_t *check)
{
    agent_operator_t  *operator = check->operator;

    operator->checks = g_list_remove(operator->checks, check);
    check->done(check->data, &check->who);
    agent_check_free(check);
}


static agent_check_e
agent_check_bad(agent_check_t *check, const char *format, ...)
{
    va_list  args;

    agent_who_clear(&check->who);

    va_start(args, format);
    check->who.reason = g_strdup_vprintf(format, args);
    va_end(args);

    return AGENT_CHECK_BAD;
}


static agent_check_e
agent_check_token(agent_check_t *check)
{
    rs_jwt_t                jwt;
    const char             *why;
    rs_err_e                rc;
    agent_check_e           verdict;
    rs_json_error_t         err;
    const rs_jwks_t        *keys;
    agent_operator_t       *operator = check->operator;

    why = "there is no memory";

    if (!check->read
        && rs_operator_proof_read(check->json, &check->proof, &err) != RS_OK)
    {
        return agent_check_bad(check, "the proof is malformed: %s", err.text);
    }

    check->read = TRUE;

    if (rs_jwt_parse(check->proof.id_token,
                     operator->config->operator_algorithms, &jwt, &why)
        != RS_OK)
    {
        return agent_check_bad(check, "the ID token is refused: %s", why);
    }

    keys = agent_issuer_keys(operator->issuer);

    if (keys == NULL) {
        (void) agent_check_bad(check, "%s",
                               agent_issuer_why(operator->issuer));
        return AGENT_CHECK_KEYS;
    }

    rc = rs_jws_verify_token(&jwt, keys, &why);

    if (rc != RS_OK) {
        verdict = agent_check_bad(check, "the ID token is refused: %s", why);
        return (rc == RS_E_NOT_FOUND) ? AGENT_CHECK_KEYS : verdict;
    }

    verdict = agent_check_claims(check, &jwt);
    rs_jwt_done(&jwt);

    return verdict;
}


static agent_check_e
agent_check_claims(agent_check_t *check, rs_jwt_t *jwt)
{
    const char            *why;
    agent_check_e          verdict;
    rs_jwt_rules_t         rules;
    rs_jwt_claims_t        claims;
    const agent_config_t  *config = check->operator->config;

    why = "there is no memory";

    memset(&rules, 0, sizeof(rules));
    rules.issuer = rs_str(config->operator_issuer);
    rules.client_id = rs_str(config->operator_audience);
    rules.now_s = check->now_s;
    rules.skew_s = AGENT_OPERATOR_SKEW_S;
    rules.nonce = 1;

    if (rs_jwt_claims(jwt, &rules, &claims, &why) != RS_OK) {
        return agent_check_bad(check, "the ID token is refused: %s", why);
    }

    agent_check_name(check, jwt, claims.sub);

    if (!agent_check_accepted(check, jwt, claims.sub)) {
        g_autofree char  *name = g_strdup(check->who.name);

        return agent_check_bad(check, "this device does not accept %s: "
                               "neither the user nor a group of his is in "
                               "its list", name);
    }

    verdict = agent_check_bound(check, claims.nonce);

    if (verdict == AGENT_CHECK_GOOD) {
        check->who.issuer = g_strdup(config->operator_issuer);
    }

    return verdict;
}


static gboolean
agent_check_listed(char **list, rs_str_t value)
{
    guint  i;

    for (i = 0; list != NULL && list[i] != NULL; i++) {
        if (rs_str_eq(rs_str(list[i]), value)) {
            return TRUE;
        }
    }

    return FALSE;
}


static gboolean
agent_check_accepted(agent_check_t *check, const rs_jwt_t *jwt, rs_str_t sub)
{
    int                     i, n;
    rs_str_t                groups[AGENT_OPERATOR_GROUPS];
    const agent_config_t   *config = check->operator->config;

    if (agent_check_listed(config->operator_users, sub)
        || agent_check_listed(config->operator_users, RS_STR("*")))
    {
        return TRUE;
    }

    n = rs_jwt_strings(jwt, rs_str(config->operator_groups_claim), groups,
                       AGENT_OPERATOR_GROUPS);

    for (i = 0; i < n; i++) {
        if (agent_check_listed(config->operator_groups, groups[i])) {
            return TRUE;
        }
    }

    return FALSE;
}


/* the token is of this key, and the key's holder made this connection */

static agent_check_e
agent_check_bound(agent_check_t *check, rs_str_t nonce)
{
    char  thumb[RS_OPERATOR_THUMBPRINT_LEN];

    rs_operator_thumbprint(&check->proof, thumb);

    if (!rs_str_eq(nonce, (rs_str_t) { (guint8 *) thumb, sizeof(thumb) })) {
        return agent_check_bad(check, "the ID token was made for another "
                               "browser's key");
    }

    if (rs_operator_verify(&check->proof, &check->line) != RS_OK) {
        return agent_check_bad(check, "the signature is not of this "
                               "connection: somebody on the way has put "
                               "another certificate, session, device or "
                               "participant in its place");
    }

    return AGENT_CHECK_GOOD;
}


static void
agent_check_name(agent_check_t *check, const rs_jwt_t *jwt, rs_str_t sub)
{
    rs_str_t               name;
    const agent_config_t  *config = check->operator->config;

    if (rs_jwt_string(jwt, rs_str(config->operator_name_claim), &name) != 1) {
        name = sub;
    }

    agent_who_clear(&check->who);
    check->who.user = g_strndup((const char *) sub.data, sub.len);
    check->who.name = agent_text_clean((const char *) name.data, name.len,
                                       AGENT_OPERATOR_NAME);

    if (check->who.name[0] == '\0') {
        g_free(check->who.name);
        check->who.name = agent_text_clean((const char *) sub.data, sub.len,
                                           AGENT_OPERATOR_NAME);
    }
}
