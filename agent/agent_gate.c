
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the order in which an offer is looked at, and what an answer is signed
 * over:
 *
 *     offer -> one fingerprint? -> an operator's proof? -> open
 *
 * docs/protocol/peer.md, "Who is there".
 */

#define G_LOG_DOMAIN  "rs-gate"

#include "agent_gate.h"
#include "rs_operator.h"

#include <string.h>


struct agent_gate_s {
    agent_t                     *agent;
    const agent_gate_events_t   *events;
    void                        *data;

    char                        *session_id;
    char                        *participant_id;

    guint                        pc;
    char                        *fingerprint;   /* of the newest offer */
    agent_who_t                  who;           /* made it */

    agent_check_t               *check;         /* of the proof, or NULL */
    guint                        source;        /* the verdict's */
    const char                  *code;          /* NULL: open */
    char                        *message;
};


static void agent_gate_stop(agent_gate_t *gate);
static void agent_gate_prove(agent_gate_t *gate, const json_t *proof);
static void agent_gate_checked(void *data, agent_who_t *who);
static void agent_gate_verdict(agent_gate_t *gate, const char *code,
    const char *message);
static gboolean agent_gate_tell(gpointer data);
static char *agent_gate_of(const char *sdp);
static rs_operator_line_t agent_gate_line(const agent_gate_t *gate);


agent_gate_t *
agent_gate_new(agent_t *agent, const char *session_id,
    const agent_peer_t *peer, const agent_gate_events_t *events, void *data)
{
    agent_gate_t  *gate;

    gate = g_new0(agent_gate_t, 1);
    gate->agent = agent;
    gate->events = events;
    gate->data = data;
    gate->session_id = g_strdup(session_id);
    gate->participant_id = g_strdup(peer->id);

    return gate;
}


void
agent_gate_free(agent_gate_t *gate)
{
    agent_gate_stop(gate);
    agent_who_clear(&gate->who);
    g_free(gate->fingerprint);
    g_free(gate->message);
    g_free(gate->session_id);
    g_free(gate->participant_id);
    g_free(gate);
}


/* nothing is told of the offer before */

static void
agent_gate_stop(agent_gate_t *gate)
{
    g_clear_handle_id(&gate->source, g_source_remove);
    g_clear_pointer(&gate->check, agent_check_cancel);
}


/* the fingerprint of a description, or NULL */

static char *
agent_gate_of(const char *sdp)
{
    char  text[RS_OPERATOR_FINGERPRINT_LEN];

    if (rs_operator_fingerprint(rs_str(sdp), text) != RS_OK) {
        return NULL;
    }

    return g_strndup(text, sizeof(text));
}


void
agent_gate_offer(agent_gate_t *gate, guint pc, const char *sdp,
    const json_t *proof)
{
    agent_gate_stop(gate);
    agent_who_clear(&gate->who);
    g_free(gate->fingerprint);

    gate->pc = pc;
    gate->fingerprint = agent_gate_of(sdp);

    if (gate->fingerprint == NULL) {
        agent_gate_verdict(gate, "bad_offer", "the offer must name one "
                           "certificate: the same sha-256 fingerprint "
                           "wherever it names one");
        return;
    }

    agent_gate_prove(gate, proof);
}


/* a proof that is wrong is never as good as none */

static void
agent_gate_prove(agent_gate_t *gate, const json_t *proof)
{
    rs_operator_line_t  line;
    agent_t            *agent = gate->agent;

    if (agent->operator == NULL) {
        gate->who.reason = g_strdup("this device knows no issuer of "
                                    "operators");
        agent_gate_verdict(gate, NULL, NULL);
        return;
    }

    if (proof != NULL) {
        line = agent_gate_line(gate);
        gate->check = agent_operator_check(agent->operator, &line, proof,
                                           agent_gate_checked, gate);
        return;
    }

    if (agent->config->require_operator) {
        g_autofree char  *message = NULL;

        message = g_strdup_printf("this device serves verified operators "
                                  "only, and the offer proves nothing: sign "
                                  "in at %s",
                                  agent->config->operator_issuer);
        agent_gate_verdict(gate, "operator_unverified", message);
        return;
    }

    gate->who.reason = g_strdup("the offer came without a proof");
    agent_gate_verdict(gate, NULL, NULL);
}


static void
agent_gate_checked(void *data, agent_who_t *who)
{
    agent_gate_t  *gate = data;

    gate->check = NULL;
    agent_who_clear(&gate->who);
    gate->who = *who;
    memset(who, 0, sizeof(agent_who_t));

    if (!gate->who.verified) {
        agent_gate_verdict(gate, "operator_unverified", gate->who.reason);
        return;
    }

    g_message("session %s, %s, connection %u: the operator is %s (%s of %s)",
              gate->session_id, gate->participant_id, gate->pc,
              gate->who.name, gate->who.user, gate->who.issuer);
    agent_gate_verdict(gate, NULL, NULL);
}


static void
agent_gate_verdict(agent_gate_t *gate, const char *code, const char *message)
{
    gate->code = code;
    g_free(gate->message);
    gate->message = g_strdup(message);

    g_clear_handle_id(&gate->source, g_source_remove);
    gate->source = g_idle_add_full(G_PRIORITY_DEFAULT, agent_gate_tell, gate,
                                   NULL);
}


static gboolean
agent_gate_tell(gpointer data)
{
    agent_gate_t       *gate = data;
    g_autofree char    *message = NULL;

    gate->source = 0;
    message = g_steal_pointer(&gate->message);

    if (gate->code == NULL) {
        gate->events->open(gate->data);

    } else {
        gate->events->refused(gate->data, gate->code, message);
    }

    return G_SOURCE_REMOVE;
}


const char *
agent_gate_fingerprint(const agent_gate_t *gate)
{
    return gate->fingerprint;
}


const agent_who_t *
agent_gate_who(const agent_gate_t *gate)
{
    return &gate->who;
}


static rs_operator_line_t
agent_gate_line(const agent_gate_t *gate)
{
    rs_operator_line_t  line;

    line.session_id = rs_str(gate->session_id);
    line.device_id = rs_str(gate->agent->device->id);
    line.participant_id = rs_str(gate->participant_id);
    line.pc = gate->pc;
    line.offer = rs_str(gate->fingerprint);
    line.answer = rs_str(NULL);

    return line;
}


gboolean
agent_gate_seal(agent_gate_t *gate, const char *answer, agent_seal_t *seal,
    GError **error)
{
    gsize                n;
    guint8               data[RS_OPERATOR_SIGNED_MAX];
    rs_operator_line_t   line;
    g_autofree char     *fingerprint = NULL;

    fingerprint = agent_gate_of(answer);

    if (fingerprint == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "the answer does not name one certificate");
        return FALSE;
    }

    line = agent_gate_line(gate);
    line.answer = rs_str(fingerprint);
    n = rs_operator_device_signed(data, &line);

    if (n == 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "an id of this session is not well formed");
        return FALSE;
    }

    seal->signature = agent_key_sign(gate->agent->key, data, n, error);

    if (seal->signature == NULL) {
        return FALSE;
    }

    seal->public_key = agent_key_public(gate->agent->key);
    seal->who = &gate->who;

    return TRUE;
}
