
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the order in which an offer is looked at, and what an answer is signed
 * over:
 *
 *     offer -> one fingerprint? -> an operator's proof? -> consent? -> open
 *
 * docs/protocol/peer.md, "Who is there".
 *
 * The person at the device is asked once for each viewer, as long as it is
 * the same operator.  A question outlives the offer that it began with: the
 * newest one is served when the answer comes.
 */

#define G_LOG_DOMAIN  "rs-gate"

#include "agent_gate.h"
#include "agent_policy.h"
#include "agent_recorder.h"
#include "agent_text.h"
#include "rs_operator.h"

#include <string.h>


#define AGENT_GATE_NAME  64         /* characters */


struct agent_gate_s {
    agent_t                     *agent;
    const agent_gate_events_t   *events;
    void                        *data;

    char                        *session_id;
    char                        *participant_id;
    char                        *name;          /* by the gateway's word */
    gboolean                     control;
    gboolean                     recorder;
    agent_consent_e              consent;

    guint                        pc;
    char                        *fingerprint;   /* of the newest offer */
    agent_who_t                  who;           /* made it */

    agent_check_t               *check;         /* of the proof, or NULL */
    agent_ask_t                 *ask;           /* or NULL */
    char                        *asked;         /* who the question was for */
    gint64                       ask_us;        /* when it ends */
    gboolean                     waits;         /* the newest offer, for it */
    char                        *given;         /* who was agreed to */
    guint                        source;        /* the verdict's */
    const char                  *code;          /* NULL: open */
    char                        *message;
};


static void agent_gate_stop(agent_gate_t *gate);
static void agent_gate_begin(agent_gate_t *gate, guint pc, char *fingerprint,
    const json_t *proof);
static void agent_gate_prove(agent_gate_t *gate, const json_t *proof);
static void agent_gate_recorder(agent_gate_t *gate, const json_t *proof);
static void agent_gate_checked(void *data, agent_who_t *who);
static void agent_gate_consent(agent_gate_t *gate);
static void agent_gate_answered(void *data, agent_answer_e answer);
static agent_subject_t agent_gate_subject(const agent_gate_t *gate);
static void agent_gate_verdict(agent_gate_t *gate, const char *code,
    const char *message);
static gboolean agent_gate_tell(gpointer data);
static char *agent_gate_of(const char *sdp);
static rs_operator_line_t agent_gate_line(const agent_gate_t *gate);


agent_gate_t *
agent_gate_new(agent_t *agent, const char *session_id,
    agent_consent_e consent, const agent_peer_t *peer,
    const agent_gate_events_t *events, void *data)
{
    agent_gate_t  *gate;

    gate = g_new0(agent_gate_t, 1);
    gate->agent = agent;
    gate->events = events;
    gate->data = data;
    gate->session_id = g_strdup(session_id);
    gate->participant_id = g_strdup(peer->id);
    gate->name = agent_text_clean(peer->name, strlen(peer->name),
                                  AGENT_GATE_NAME);
    gate->control = (peer->role == AGENT_ROLE_CONTROLLER
                     && agent->config->allow_input);
    gate->recorder = (peer->role == AGENT_ROLE_RECORDER);
    gate->consent = agent_policy_consent(agent->config, consent);

    return gate;
}


void
agent_gate_free(agent_gate_t *gate)
{
    agent_gate_stop(gate);
    g_clear_pointer(&gate->ask, agent_ask_cancel);
    agent_who_clear(&gate->who);
    g_free(gate->asked);
    g_free(gate->given);
    g_free(gate->name);
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
    agent_gate_begin(gate, pc, agent_gate_of(sdp), proof);
}


void
agent_gate_offer_pipe(agent_gate_t *gate, guint pc, const char *mark,
    const json_t *proof)
{
    agent_gate_begin(gate, pc, g_strdup(mark), proof);
}


/* takes fingerprint over */

static void
agent_gate_begin(agent_gate_t *gate, guint pc, char *fingerprint,
    const json_t *proof)
{
    agent_gate_stop(gate);
    agent_who_clear(&gate->who);
    g_free(gate->fingerprint);

    gate->waits = FALSE;
    gate->pc = pc;
    gate->fingerprint = fingerprint;

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

    if (gate->recorder) {
        agent_gate_recorder(gate, proof);
        return;
    }

    if (agent->operator == NULL) {
        gate->who.reason = g_strdup("this device knows no issuer of "
                                    "operators");
        agent_gate_consent(gate);
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
    agent_gate_consent(gate);
}


/* nobody signs in at a recorder: it is known by its own key, or not at all */

static void
agent_gate_recorder(agent_gate_t *gate, const json_t *proof)
{
    const char          *code;
    rs_operator_line_t   line = agent_gate_line(gate);
    g_autofree char     *message = NULL;

    code = agent_recorder_refusal(gate->agent->config, &line, proof,
                                  &message);

    if (code != NULL) {
        agent_gate_verdict(gate, code, message);
        return;
    }

    gate->who.reason = g_strdup("it is a recorder");
    agent_gate_consent(gate);
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
    agent_gate_consent(gate);
}


/* another operator on the same line is another question */

char *
agent_gate_operator(const agent_gate_t *gate)
{
    return gate->who.verified
           ? g_strconcat(gate->who.issuer, "\n", gate->who.user, NULL)
           : g_strdup("");
}


static agent_subject_t
agent_gate_subject(const agent_gate_t *gate)
{
    agent_subject_t  subject;

    subject.name = agent_gate_name(gate);
    subject.by = gate->who.verified ? gate->who.issuer : NULL;
    subject.control = gate->control;
    subject.tunnel = NULL;

    return subject;
}


const char *
agent_gate_name(const agent_gate_t *gate)
{
    return gate->who.verified ? gate->who.name : gate->name;
}


static void
agent_gate_consent(agent_gate_t *gate)
{
    gint64               left_s;
    agent_t             *agent = gate->agent;
    gboolean             prompt;
    agent_subject_t      subject;
    g_autofree char     *key = agent_gate_operator(gate);

    prompt = (gate->consent == AGENT_CONSENT_REQUIRED);

    if (gate->ask != NULL && strcmp(gate->asked, key) != 0) {
        g_clear_pointer(&gate->ask, agent_ask_cancel);
    }

    if (gate->consent == AGENT_CONSENT_NONE
        || (prompt && g_strcmp0(gate->given, key) == 0))
    {
        agent_gate_verdict(gate, NULL, NULL);
        return;
    }

    if (agent->ui == NULL) {
        agent_gate_answered(gate, AGENT_ANSWER_IMPOSSIBLE);
        return;
    }

    if (gate->ask == NULL) {
        subject = agent_gate_subject(gate);
        gate->ask = agent_ui_ask(agent->ui, &subject, prompt,
                                 agent_gate_answered, gate);
        gate->ask_us = g_get_monotonic_time()
                       + agent->config->consent_timeout * G_USEC_PER_SEC;
        g_free(gate->asked);
        gate->asked = g_steal_pointer(&key);
    }

    gate->waits = TRUE;

    if (prompt) {
        left_s = (gate->ask_us - g_get_monotonic_time() + G_USEC_PER_SEC - 1)
                 / G_USEC_PER_SEC;
        gate->events->consent(gate->data, "waiting",
                              (guint) MAX(left_s, 1));
    }
}


static void
agent_gate_answered(void *data, agent_answer_e answer)
{
    agent_gate_t  *gate = data;

    gate->ask = NULL;

    switch (answer) {

    case AGENT_ANSWER_YES:
        if (gate->consent == AGENT_CONSENT_REQUIRED) {
            g_free(gate->given);
            gate->given = g_strdup(gate->asked);
            gate->events->consent(gate->data, "given", 0);
        }

        /* a newer offer whose proof is being checked finds it given */

        if (gate->waits) {
            agent_gate_verdict(gate, NULL, NULL);
        }

        return;

    case AGENT_ANSWER_NO:
        agent_gate_verdict(gate, "consent_denied",
                           "the person at the device said no");
        return;

    case AGENT_ANSWER_TIMEOUT:
        agent_gate_verdict(gate, "consent_timeout",
                           "nobody at the device answered in time");
        return;

    default:
        agent_gate_verdict(gate, "consent_unavailable",
                           "the person at this device has to be asked or "
                           "told, and that is not possible now");
        return;
    }
}


agent_shown_t *
agent_gate_show(const agent_gate_t *gate)
{
    agent_subject_t  subject;

    if (gate->consent == AGENT_CONSENT_NONE || gate->agent->ui == NULL) {
        return NULL;
    }

    subject = agent_gate_subject(gate);

    return agent_ui_show(gate->agent->ui, &subject);
}


static void
agent_gate_verdict(agent_gate_t *gate, const char *code, const char *message)
{
    agent_gate_stop(gate);

    if (code != NULL) {
        g_clear_pointer(&gate->ask, agent_ask_cancel);
    }

    gate->waits = FALSE;
    gate->code = code;
    g_free(gate->message);
    gate->message = g_strdup(message);

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
    line.verified = gate->who.verified;

    return line;
}


gboolean
agent_gate_seal(agent_gate_t *gate, const char *answer, agent_seal_t *seal,
    GError **error)
{
    gsize               len;
    guint8              bytes[RS_OPERATOR_SIGNED_MAX];
    g_autofree char    *fingerprint = NULL;

    fingerprint = agent_gate_of(answer);

    if (fingerprint == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "the answer does not name one certificate");
        return FALSE;
    }

    return agent_gate_seal_pipe(gate, fingerprint, seal, bytes, &len, error);
}


gboolean
agent_gate_seal_pipe(agent_gate_t *gate, const char *mark, agent_seal_t *seal,
    guint8 bytes[RS_OPERATOR_SIGNED_MAX], gsize *len, GError **error)
{
    rs_operator_line_t  line;

    line = agent_gate_line(gate);
    line.answer = rs_str(mark);
    *len = rs_operator_device_signed(bytes, &line);

    if (*len == 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "an id of this session is not well formed");
        return FALSE;
    }

    seal->signature = agent_key_sign(gate->agent->key, bytes, *len, error);

    if (seal->signature == NULL) {
        return FALSE;
    }

    seal->public_key = agent_key_public(gate->agent->key);
    seal->who = &gate->who;

    return TRUE;
}
