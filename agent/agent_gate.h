
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What stands between a viewer's offer and its answer: who offers, and what
 * the device says of itself.  One for each viewer.
 */

#ifndef _AGENT_GATE_H_INCLUDED_
#define _AGENT_GATE_H_INCLUDED_


#include "agent.h"
#include "rs_operator.h"


typedef struct agent_gate_s  agent_gate_t;


/*
 * Of each offer one of them is called, never inside agent_gate_offer(), and
 * none any more once a newer offer came or the gate was freed, which both may
 * do.
 */

typedef struct {
    void  (*open)(void *data);
    void  (*refused)(void *data, const char *code, const char *message);

    /*
     * Besides: the person at the device is being asked, for timeout_s more
     * ("waiting"), or has answered: "given", "denied", "timeout".
     */
    void  (*consent)(void *data, const char *state, guint timeout_s);
} agent_gate_events_t;


/* consent: what the gateway wants of the session */
agent_gate_t *agent_gate_new(agent_t *agent, const char *session_id,
    agent_consent_e consent, const agent_peer_t *peer,
    const agent_gate_events_t *events, void *data);
void agent_gate_free(agent_gate_t *gate);

/* An offer, and the proof that came with it, or NULL; both are copied. */
void agent_gate_offer(agent_gate_t *gate, guint pc, const char *sdp,
    const json_t *proof);

/* The same of a pipe, whose mark stands in the place of a fingerprint. */
void agent_gate_offer_pipe(agent_gate_t *gate, guint pc, const char *mark,
    const json_t *proof);

/* Of the newest offer: valid until the next. */
const char *agent_gate_fingerprint(const agent_gate_t *gate);
const agent_who_t *agent_gate_who(const agent_gate_t *gate);

/* What people are to call him: the verified name, or the gateway's. */
const char *agent_gate_name(const agent_gate_t *gate);

/* Another text for each operator, "" for who is not verified. */
char *agent_gate_operator(const agent_gate_t *gate);

/* On the banner, where there is one; NULL: there is none. */
agent_shown_t *agent_gate_show(const agent_gate_t *gate);

/* The device's signature of an answer to the newest offer. */
gboolean agent_gate_seal(agent_gate_t *gate, const char *answer,
    agent_seal_t *seal, GError **error);

/* Of a pipe's; what was signed goes into bytes, *len of them. */
gboolean agent_gate_seal_pipe(agent_gate_t *gate, const char *mark,
    agent_seal_t *seal, guint8 bytes[RS_OPERATOR_SIGNED_MAX], gsize *len,
    GError **error);


#endif /* _AGENT_GATE_H_INCLUDED_ */
