
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What stands between an offer and its answer, with the vectors that the
 * console's tests read too.  The person at the device is played by the test.
 */

#include "agent_gate.h"
#include "rs_devkey.h"
#include "tap.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


typedef struct {
    json_t            *vectors;
    agent_t            agent;
    agent_device_t     device;
    agent_config_t    *config;
    char              *dir;
    agent_peer_t       peer;
    agent_gate_t      *gate;

    guint              told;
    char              *code;        /* "" = open */
    char              *message;
    char              *consent;     /* what was said of it last */
    guint              timeout_s;
} fixture_t;


/* ---- the person */

struct agent_ask_s {
    agent_ask_done_pt   done;
    void               *data;
    gboolean            prompt;
    char               *name;
};


static agent_ask_t  *question;          /* or NULL */
static guint         questions;


agent_ask_t *
agent_ui_ask(agent_ui_t *ui, const agent_subject_t *subject, gboolean prompt,
    agent_ask_done_pt answered, void *data)
{
    (void) ui;

    g_assert(question == NULL);

    question = g_new0(agent_ask_t, 1);
    question->done = answered;
    question->data = data;
    question->prompt = prompt;
    question->name = g_strdup(subject->name);
    questions++;

    return question;
}


void
agent_ask_cancel(agent_ask_t *ask)
{
    g_assert(ask == question);

    question = NULL;
    g_free(ask->name);
    g_free(ask);
}


agent_shown_t *
agent_ui_show(agent_ui_t *ui, const agent_subject_t *subject)
{
    (void) ui;
    (void) subject;

    return NULL;
}


static void
reply(agent_answer_e answer)
{
    void               *data = question->data;
    agent_ask_done_pt   answered = question->done;

    agent_ask_cancel(question);
    answered(data, answer);
}


/* ---- */

static const char *
text_of(const json_t *obj, const char *name)
{
    return json_string_value(json_object_get(obj, name));
}


static void
on_open(void *data)
{
    fixture_t  *f = data;

    f->told++;
    f->code = g_strdup("");
}


static void
on_refused(void *data, const char *code, const char *message)
{
    fixture_t  *f = data;

    f->told++;
    f->code = g_strdup(code);
    f->message = g_strdup(message);
}


static void
on_consent(void *data, const char *state, guint timeout_s)
{
    fixture_t  *f = data;

    g_free(f->consent);
    f->consent = g_strdup(state);
    f->timeout_s = timeout_s;
}


static const agent_gate_events_t  events = { on_open, on_refused,
                                             on_consent };


static char *
sdp_of(const char *fingerprint)
{
    return g_strdup_printf("v=0\r\na=fingerprint:%s\r\n", fingerprint);
}


static void
drain(void)
{
    while (g_main_context_iteration(NULL, FALSE)) { /* void */ }
}


/* "" = open, else the code */

static void
verdict(fixture_t *f, const char *want, const char *what)
{
    ok(f->told == 0, "%s: not inside the call", what);
    drain();
    is_int(f->told, 1, "once");
    is_str(f->code, want, what);

    f->told = 0;
    g_clear_pointer(&f->code, g_free);
    g_clear_pointer(&f->message, g_free);
}


/* the vectors' private key, as the agent keeps its own */

static agent_key_t *
key_of(fixture_t *f, const char *seed_hex)
{
    FILE               *file;
    EVP_PKEY           *pkey;
    guint               i, byte;
    guint8              seed[RS_DEVKEY_KEY_LEN];
    agent_key_t        *key;
    g_autofree char    *path = NULL;

    for (i = 0; i < sizeof(seed); i++) {
        sscanf(seed_hex + 2 * i, "%2x", &byte);
        seed[i] = (guint8) byte;
    }

    path = g_build_filename(f->dir, "device.key", NULL);
    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
                                        sizeof(seed));
    file = fopen(path, "w");
    PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    chmod(path, 0600);
    EVP_PKEY_free(pkey);

    key = agent_key_load(f->dir, NULL);
    unlink(path);

    return key;
}


static void
start(fixture_t *f)
{
    json_error_t         error;
    const char          *top = getenv("RS_TOP");
    g_autofree char     *path = NULL;

    memset(f, 0, sizeof(fixture_t));

    path = g_build_filename(top ? top : AGENT_TOP,
                            "docs/protocol/vectors/proof.json", NULL);
    f->vectors = json_load_file(path, JSON_ALLOW_NUL, &error);

    if (f->vectors == NULL) {
        printf("not ok - %s: %s\n", path, error.text);
        exit(1);
    }

    f->dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    f->config = agent_config_new();
    f->config->consent = AGENT_CONSENT_NONE;
    f->device.id = (char *) text_of(f->vectors, "device_id");
    f->agent.config = f->config;
    f->agent.device = &f->device;
    f->agent.key = key_of(f, text_of(json_object_get(f->vectors, "device"),
                                     "seed_hex"));

    f->peer.id = (char *) text_of(f->vectors, "participant_id");
    f->peer.name = (char *) "V";
    f->peer.role = AGENT_ROLE_VIEWER;
    f->gate = agent_gate_new(&f->agent, text_of(f->vectors, "session_id"),
                             AGENT_CONSENT_NONE, &f->peer, &events, f);
}


static void
stop(fixture_t *f)
{
    agent_gate_free(f->gate);
    agent_key_free(f->agent.key);
    agent_config_free(f->config);
    rmdir(f->dir);
    g_free(f->dir);
    g_free(f->consent);
    json_decref(f->vectors);
}


static void
test_offers(fixture_t *f)
{
    size_t    i;
    json_t   *c;

    json_array_foreach(json_object_get(f->vectors, "fingerprints"), i, c) {

        if (strlen(text_of(c, "sdp"))
            != json_string_length(json_object_get(c, "sdp")))
        {
            continue;       /* a message with a zero byte is not read */
        }

        agent_gate_offer(f->gate, (guint) i + 1, text_of(c, "sdp"), NULL);
        verdict(f, json_is_null(json_object_get(c, "fingerprint"))
                   ? "bad_offer" : "", text_of(c, "name"));
        is_str(agent_gate_fingerprint(f->gate), text_of(c, "fingerprint"),
               "its fingerprint");
    }

    ok(!agent_gate_who(f->gate)->verified, "nobody was verified");
}


static void
test_newest(fixture_t *f)
{
    g_autofree char  *good = sdp_of(text_of(f->vectors,
                                            "offer_fingerprint"));

    agent_gate_offer(f->gate, 100, "v=0", NULL);
    agent_gate_offer(f->gate, 101, good, NULL);
    verdict(f, "", "of two offers the newer one is told of");
}


/* a device that knows an issuer; the token in the proof is none */

static void
test_proofs(fixture_t *f)
{
    json_t              *op = json_object_get(f->vectors, "operator");
    json_t              *proof;
    g_autofree char     *path = g_build_filename(f->dir, "jwks", NULL);
    g_autofree char     *text = NULL;
    g_autofree char     *offer = sdp_of(text_of(f->vectors,
                                                "offer_fingerprint"));
    g_autoptr(GError)    error = NULL;

    text = agent_json_text(json_pack("{s:[O]}", "keys",
                                     json_object_get(op, "key")));
    g_file_set_contents(path, text, -1, NULL);

    f->config->operator_issuer = g_strdup("https://issuer.example");
    f->config->operator_audience = g_strdup("rs-console");
    f->config->operator_users = g_strsplit("*", ";", 0);
    f->config->operator_jwks_file = g_strdup(path);
    f->agent.operator = agent_operator_new(f->config, &error);

    agent_gate_offer(f->gate, 200, offer, NULL);
    verdict(f, "", "an issuer is known, a proof not demanded");
    ok(!agent_gate_who(f->gate)->verified
       && strstr(agent_gate_who(f->gate)->reason, "without a proof") != NULL,
       "served, not verified");

    f->config->require_operator = TRUE;
    agent_gate_offer(f->gate, 201, offer, NULL);
    verdict(f, "operator_unverified", "where it is, none is refused");

    proof = json_pack("{s:s, s:O, s:O}", "id_token", "a.b.c",
                      "key", json_object_get(op, "key"),
                      "signature", json_object_get(op, "signature"));

    agent_gate_offer(f->gate, 202, offer, proof);
    verdict(f, "operator_unverified", "so is a wrong one");

    f->config->require_operator = FALSE;
    agent_gate_offer(f->gate, 203, offer, proof);
    verdict(f, "operator_unverified", "which is never as good as none");

    agent_gate_offer(f->gate, 204, offer, proof);
    agent_gate_offer(f->gate, 205, offer, NULL);
    verdict(f, "", "a newer offer ends the check of the one before");

    agent_gate_offer(f->gate, 206, offer, proof);
    agent_gate_free(f->gate);
    drain();
    is_int(f->told, 0, "who goes is told nothing");
    agent_operator_free(f->agent.operator);
    f->agent.operator = NULL;
    f->gate = agent_gate_new(&f->agent, text_of(f->vectors, "session_id"),
                             AGENT_CONSENT_NONE, &f->peer, &events, f);

    json_decref(proof);
    unlink(path);
}


static agent_gate_t *
gate_of(fixture_t *f, agent_consent_e consent)
{
    questions = 0;
    g_clear_pointer(&f->consent, g_free);

    return agent_gate_new(&f->agent, text_of(f->vectors, "session_id"),
                          consent, &f->peer, &events, f);
}


static void
test_consent(fixture_t *f)
{
    agent_gate_t       *gate, *old = f->gate;
    g_autofree char    *offer = sdp_of(text_of(f->vectors,
                                               "offer_fingerprint"));

    /* no way to ask at all */

    gate = gate_of(f, AGENT_CONSENT_REQUIRED);
    agent_gate_offer(gate, 1, offer, NULL);
    verdict(f, "consent_unavailable", "nobody can be asked");
    agent_gate_free(gate);

    f->agent.ui = (agent_ui_t *) f;     /* only handed on */

    gate = gate_of(f, AGENT_CONSENT_NOTIFY);
    agent_gate_offer(gate, 1, offer, NULL);
    drain();
    ok(f->told == 0 && question != NULL && !question->prompt,
       "notify: not before a banner can be shown");
    reply(AGENT_ANSWER_YES);
    verdict(f, "", "then it is open");
    is_str(f->consent, NULL, "nobody was asked");
    agent_gate_offer(gate, 2, offer, NULL);
    reply(AGENT_ANSWER_IMPOSSIBLE);
    verdict(f, "consent_unavailable", "no banner any more: refused");
    agent_gate_free(gate);

    gate = gate_of(f, AGENT_CONSENT_REQUIRED);
    agent_gate_offer(gate, 1, offer, NULL);
    drain();
    ok(f->told == 0 && question->prompt, "required: asked");
    is_str(question->name, "V", "by the name the gateway gave");
    is_str(f->consent, "waiting", "which the viewer is told");
    is_int(f->timeout_s, f->config->consent_timeout, "with the time");

    agent_gate_offer(gate, 2, offer, NULL);
    is_int(questions, 1, "a newer offer is not asked about anew");
    reply(AGENT_ANSWER_YES);
    is_str(f->consent, "given", "allowed");
    verdict(f, "", "which opens");
    agent_gate_offer(gate, 3, offer, NULL);
    verdict(f, "", "and the next one too");
    is_int(questions, 1, "without a question");
    agent_gate_free(gate);

    gate = gate_of(f, AGENT_CONSENT_REQUIRED);
    agent_gate_offer(gate, 1, offer, NULL);
    reply(AGENT_ANSWER_NO);
    verdict(f, "consent_denied", "denied");
    agent_gate_offer(gate, 2, offer, NULL);
    is_int(questions, 2, "who comes again is asked about again");
    reply(AGENT_ANSWER_TIMEOUT);
    verdict(f, "consent_timeout", "silence");

    agent_gate_offer(gate, 3, offer, NULL);
    ok(question != NULL, "a question");
    agent_gate_offer(gate, 4, "v=0", NULL);
    ok(question == NULL, "is withdrawn with an offer that is none");
    verdict(f, "bad_offer", "which is refused");

    agent_gate_offer(gate, 5, offer, NULL);
    agent_gate_free(gate);
    ok(question == NULL, "and when who asked is gone");
    drain();
    is_int(f->told, 0, "who is told nothing");

    f->agent.ui = NULL;
    f->gate = old;
}


static void
test_seal(fixture_t *f)
{
    json_t              *dev = json_object_get(f->vectors, "device");
    agent_seal_t         seal = { NULL, NULL, NULL };
    g_autofree char     *offer = sdp_of(text_of(f->vectors,
                                                "offer_fingerprint"));
    g_autofree char     *answer = sdp_of(text_of(f->vectors,
                                                 "answer_fingerprint"));
    g_autofree char     *shown = agent_key_short(f->agent.key);
    g_autoptr(GError)    error = NULL;

    agent_gate_offer(f->gate,
                     (guint) json_integer_value(json_object_get(f->vectors,
                                                                "pc")),
                     offer, NULL);
    verdict(f, "", "the offer of the vectors");

    ok(agent_gate_seal(f->gate, answer, &seal, &error), "sealed");
    is_str(seal.public_key, text_of(dev, "public_key"), "the device's key");
    is_str(seal.signature, text_of(dev, "signature"), "its signature");
    agent_seal_clear(&seal);

    ((agent_who_t *) agent_gate_who(f->gate))->verified = TRUE;
    ok(agent_gate_seal(f->gate, answer, &seal, &error), "sealed");
    is_str(seal.signature, text_of(dev, "verified_signature"),
           "that it has verified the operator is signed, too");
    agent_seal_clear(&seal);

    is_str(shown, text_of(dev, "short_fingerprint"), "the key for people");

    ok(!agent_gate_seal(f->gate, "v=0", &seal, &error) && error != NULL
       && seal.signature == NULL,
       "an answer without a certificate is not signed");
}


int
main(void)
{
    fixture_t  f;

    start(&f);
    test_offers(&f);
    test_newest(&f);
    test_proofs(&f);
    test_consent(&f);
    test_seal(&f);
    stop(&f);

    return done();
}
