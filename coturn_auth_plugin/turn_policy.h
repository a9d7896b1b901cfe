
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who may be a peer: the lists served for allowed-peer-ip and denied-peer-ip.
 * They are there from the start, never empty, and replaced as a whole or not
 * at all; what is upstream does not matter to them.
 */


#ifndef _TURN_POLICY_H_INCLUDED_
#define _TURN_POLICY_H_INCLUDED_


#include "rs_turn_peer.h"
#include "turn_conf.h"


typedef struct turn_policy_s  turn_policy_t;


typedef enum {
    TURN_POLICY_SAME = 0,
    TURN_POLICY_CHANGED,
    TURN_POLICY_FAILED                /* the old one stays */
} turn_policy_e;


typedef enum {
    TURN_POLICY_ALLOWED = 1,
    TURN_POLICY_DENIED = 2
} turn_policy_list_e;


typedef struct {
    uint64_t        loaded_at;        /* s since the epoch; the last success */
    uint64_t        changes;
    uint64_t        failures;         /* of reading it again */
    size_t          allowed;          /* entries */
    size_t          denied;
} turn_policy_stats_t;


/* NULL: error[TURN_CONF_ERROR_MAX] says why */
turn_policy_t *turn_policy_create(const turn_conf_t *conf, char *error);
void turn_policy_free(turn_policy_t *policy);

/*
 * Takes the policy of another configuration, as a whole or not at all, and
 * says in the log what changed.  CHANGED: changed() was called.  FAILED:
 * error[TURN_CONF_ERROR_MAX] says why.
 */
turn_policy_e turn_policy_update(turn_policy_t *policy,
    const turn_conf_t *conf, char *error);

/*
 * Called when allocations with a peer that is denied now have to end, for
 * coturn looks at existing channels no more: after the lists were replaced,
 * again once coturn has each of the new ones, as until then it lets new
 * channels to such a peer be made, and once after that, 5 s later.
 */
void turn_policy_on_change(turn_policy_t *policy, void (*changed)(void *data),
    void *data);

/*
 * coturn has been given a list; it asks for the next one, or again, which it
 * does when it has put the one before into use.
 */
void turn_policy_given(turn_policy_t *policy, turn_policy_list_e list);
void turn_policy_asked(turn_policy_t *policy);

/* the entries, n of them, at least one; valid until the next update */
const rs_str_t *turn_policy_allowed(const turn_policy_t *policy, size_t *n);
const rs_str_t *turn_policy_denied(const turn_policy_t *policy, size_t *n);

/*
 * 1: this peer is denied.  As coturn's CLI shows it: ADDRESS, ADDRESS:PORT or
 * [ADDRESS]:PORT; what is none of these is denied.
 */
int turn_policy_denies(const turn_policy_t *policy, rs_str_t peer);

const turn_policy_stats_t *turn_policy_stats(const turn_policy_t *policy);

/* the rules of conf, for whoever prints them: 1, or 0 and error */
int turn_policy_rules(const turn_conf_t *conf, rs_turn_peer_conf_t *rules,
    char *error);


#endif /* _TURN_POLICY_H_INCLUDED_ */
