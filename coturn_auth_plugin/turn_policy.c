
/*
 * Copyright (C) rs-gateway contributors
 *
 * The peer lists.
 */


#include "turn_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "turn_log.h"


/*
 * A request that was under way when a list came into use may be seen after
 * that: one more look when coturn has asked for both lists once more.
 */
#define TURN_POLICY_AGAIN  2


/* entries in one piece of memory: the slices, then their text */

typedef struct {
    rs_str_t             *entry;
    size_t                n;
} turn_policy_list_t;


/* where turn_policy_line() writes; without room it counts only */

typedef struct {
    rs_str_t             *entry;
    uint8_t              *text;
    size_t                n;
    size_t                len;
} turn_policy_writer_t;


struct turn_policy_s {
    turn_policy_list_t    allowed;
    turn_policy_list_t    denied;
    rs_turn_peer_t        peer;

    rs_ip_set_t           floor;      /* of turnserver.conf, as it began */

    void                (*changed)(void *data);
    void                 *data;

    unsigned              owed;       /* lists coturn has not been given yet */
    unsigned              given;      /* ... has, but may not use yet */
    unsigned              again;      /* questions until the last look */

    turn_policy_stats_t   stats;
};


static turn_policy_e turn_policy_take(turn_policy_t *policy,
    const turn_conf_t *conf, const rs_turn_peer_conf_t *rules, char *error);
static int turn_policy_set(turn_policy_t *policy, const rs_turn_peer_t *peer);
static void turn_policy_tell(turn_policy_t *policy);
static int turn_policy_list(turn_policy_list_t *list, const rs_ip_set_t *set);
static void turn_policy_line(void *data, rs_str_t text);
static void turn_policy_check_floor(const turn_policy_t *policy,
    const rs_turn_peer_conf_t *rules);


turn_policy_t *
turn_policy_create(const turn_conf_t *conf, char *error)
{
    turn_policy_t        *policy;
    rs_turn_peer_conf_t  *rules;

    policy = calloc(1, sizeof(turn_policy_t));
    rules = malloc(sizeof(rs_turn_peer_conf_t));

    if (policy == NULL || rules == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");
        goto failed;
    }

    if (!turn_policy_rules(conf, rules, error)
        || turn_policy_take(policy, conf, rules, error) == TURN_POLICY_FAILED)
    {
        goto failed;
    }

    rs_turn_peer_floor(rules, &policy->floor);
    free(rules);

    return policy;

failed:

    free(rules);
    turn_policy_free(policy);

    return NULL;
}


void
turn_policy_free(turn_policy_t *policy)
{
    if (policy == NULL) {
        return;
    }

    free(policy->allowed.entry);
    free(policy->denied.entry);
    free(policy);
}


int
turn_policy_rules(const turn_conf_t *conf, rs_turn_peer_conf_t *rules,
    char *error)
{
    size_t       i, j;
    rs_err_e     rc;
    const char  *cure;

    static const char *const  peers[] = { "closed", "open", "lan" };

    const struct {
        const char              *key;
        const turn_conf_list_t  *list;
    } lists[] = {
        { "relay_ip", &conf->relay_ip },
        { "listening_ip", &conf->listening_ip },
        { "external_ip", &conf->external_ip },
        { "relay", &conf->relay },
        { "allow", &conf->allow },
        { "deny", &conf->deny },
        { "lan", &conf->lan }
    };

    rs_turn_peer_conf_init(rules);
    (void) rs_turn_peer_conf_add(rules, RS_STR("peers"),
                                 rs_str(peers[conf->peers]), &cure);

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (j = 0; j < lists[i].list->n; j++) {
            rc = rs_turn_peer_conf_add(rules, rs_str(lists[i].key),
                                       rs_str(lists[i].list->item[j]), &cure);

            if (rc != RS_OK) {
                (void) snprintf(error, TURN_CONF_ERROR_MAX,
                                "%s: %s = \"%s\": %s", conf->path,
                                lists[i].key, lists[i].list->item[j], cure);
                return 0;
            }
        }
    }

    return 1;
}


turn_policy_e
turn_policy_update(turn_policy_t *policy, const turn_conf_t *conf,
    char *error)
{
    turn_policy_e         rc;
    rs_turn_peer_conf_t  *rules;

    rc = TURN_POLICY_FAILED;
    rules = malloc(sizeof(rs_turn_peer_conf_t));

    if (rules == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");

    } else if (turn_policy_rules(conf, rules, error)) {
        rc = turn_policy_take(policy, conf, rules, error);
    }

    if (rc == TURN_POLICY_FAILED) {
        policy->stats.failures++;

    } else {
        turn_policy_check_floor(policy, rules);
    }

    if (rc == TURN_POLICY_CHANGED) {
        policy->stats.changes++;
        turn_log(TURN_LOG_NOTICE, "peer policy changed: %zu allowed and %zu "
                 "denied ranges", policy->allowed.n, policy->denied.n);
        turn_policy_tell(policy);
    }

    free(rules);

    return rc;
}


static turn_policy_e
turn_policy_take(turn_policy_t *policy, const turn_conf_t *conf,
    const rs_turn_peer_conf_t *rules, char *error)
{
    const char      *cure;
    turn_policy_e    rc;
    rs_turn_peer_t  *peer;

    rc = TURN_POLICY_FAILED;
    peer = malloc(sizeof(rs_turn_peer_t));

    if (peer == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");

    } else if (rs_turn_peer_build(rules, peer, &cure) != RS_OK) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: %s", conf->path,
                        cure);

    } else if (policy->denied.n
               && rs_ip_set_eq(&policy->peer.allowed, &peer->allowed)
               && rs_ip_set_eq(&policy->peer.denied, &peer->denied))
    {
        rc = TURN_POLICY_SAME;

    } else if (!turn_policy_set(policy, peer)) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");

    } else {
        rc = TURN_POLICY_CHANGED;
    }

    if (rc != TURN_POLICY_FAILED) {
        policy->stats.loaded_at = (uint64_t) time(NULL);
    }

    free(peer);

    return rc;
}


static int
turn_policy_set(turn_policy_t *policy, const rs_turn_peer_t *peer)
{
    turn_policy_list_t  allowed, denied;

    if (!turn_policy_list(&allowed, &peer->allowed)) {
        return 0;
    }

    if (!turn_policy_list(&denied, &peer->denied)) {
        free(allowed.entry);
        return 0;
    }

    free(policy->allowed.entry);
    free(policy->denied.entry);

    policy->allowed = allowed;
    policy->denied = denied;
    policy->peer = *peer;
    policy->owed = TURN_POLICY_ALLOWED|TURN_POLICY_DENIED;
    policy->given = 0;
    policy->again = 0;

    policy->stats.allowed = allowed.n;
    policy->stats.denied = denied.n;

    return 1;
}


static int
turn_policy_list(turn_policy_list_t *list, const rs_ip_set_t *set)
{
    turn_policy_writer_t  w;

    memset(&w, 0, sizeof(turn_policy_writer_t));
    rs_turn_peer_lines(set, turn_policy_line, &w);

    list->n = w.n;
    list->entry = malloc(w.n * sizeof(rs_str_t) + w.len);

    if (list->entry == NULL) {
        return 0;
    }

    w.entry = list->entry;
    w.text = (uint8_t *) (list->entry + w.n);
    w.n = 0;
    rs_turn_peer_lines(set, turn_policy_line, &w);

    return 1;
}


static void
turn_policy_line(void *data, rs_str_t text)
{
    turn_policy_writer_t  *w = data;

    if (w->entry != NULL) {
        memcpy(w->text, text.data, text.len);
        w->entry[w->n].data = w->text;
        w->entry[w->n].len = text.len;
        w->text += text.len;
    }

    w->n++;
    w->len += text.len;
}


/*
 * turnserver.conf has the floor it was printed with: what that denies stays
 * denied unless it is allowed by name, and what it does not is denied only
 * while this daemon answers.
 */

static void
turn_policy_check_floor(const turn_policy_t *policy,
    const rs_turn_peer_conf_t *rules)
{
    rs_ip_set_t  *more, *less;

    more = malloc(2 * sizeof(rs_ip_set_t));

    if (more == NULL) {
        return;
    }

    less = more + 1;
    rs_turn_peer_floor(rules, more);
    *less = policy->floor;
    rs_ip_set_sub_set(less, more);
    rs_ip_set_sub_set(more, &policy->floor);

    if (less->n || less->overflow) {
        turn_log(TURN_LOG_WARN, "peers denied when this daemon began would "
                 "be no more, but turnserver.conf denies them: make it again "
                 "with --print-turnserver-conf and restart coturn");
    }

    if (more->n || more->overflow) {
        turn_log(TURN_LOG_WARN, "peers are denied that were not when this "
                 "daemon began: turnserver.conf lets them through while it "
                 "does not answer: make it again with --print-turnserver-conf "
                 "and restart coturn");
    }

    free(more);
}


void
turn_policy_on_change(turn_policy_t *policy, void (*changed)(void *data),
    void *data)
{
    policy->changed = changed;
    policy->data = data;
}


void
turn_policy_given(turn_policy_t *policy, turn_policy_list_e list)
{
    policy->given |= policy->owed & list;
    policy->owed &= ~(unsigned) list;
}


void
turn_policy_asked(turn_policy_t *policy)
{
    if (policy->given) {
        policy->given = 0;
        policy->again = TURN_POLICY_AGAIN;
        turn_policy_tell(policy);

    } else if (policy->again && --policy->again == 0) {
        turn_policy_tell(policy);
    }
}


static void
turn_policy_tell(turn_policy_t *policy)
{
    if (policy->changed != NULL) {
        policy->changed(policy->data);
    }
}


const rs_str_t *
turn_policy_allowed(const turn_policy_t *policy, size_t *n)
{
    *n = policy->allowed.n;

    return policy->allowed.entry;
}


const rs_str_t *
turn_policy_denied(const turn_policy_t *policy, size_t *n)
{
    *n = policy->denied.n;

    return policy->denied.entry;
}


int
turn_policy_denies(const turn_policy_t *policy, rs_str_t peer)
{
    size_t    i, colons;
    rs_ip_t   ip;
    rs_str_t  rest;

    if (peer.len && peer.data[0] == '[') {
        peer.data++;
        peer.len--;

        if (!rs_str_split(peer, ']', &peer, &rest)) {
            return 1;
        }

    } else {
        for (i = 0, colons = 0; i < peer.len; i++) {
            colons += peer.data[i] == ':';
        }

        if (colons == 1) {
            (void) rs_str_split(peer, ':', &peer, &rest);
        }
    }

    return rs_ip_parse(peer, &ip) != RS_OK
           || rs_turn_peer_denies(&policy->peer, &ip);
}


const turn_policy_stats_t *
turn_policy_stats(const turn_policy_t *policy)
{
    return &policy->stats;
}
