
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what a recorder signs: its certificate of this one connection, so that
 * nobody else can be recorded to, the gateway included.
 */

#define G_LOG_DOMAIN  "rs-gate"

#include "agent_recorder.h"
#include "agent_json.h"
#include "rs_devkey.h"
#include "rs_ed25519.h"

#include <string.h>


#define AGENT_RECORDER_CONTEXT  "rs-recorder-v1"
#define AGENT_RECORDER_TEXT     128


static GByteArray *agent_recorder_signed(const rs_operator_line_t *line);
static void agent_recorder_add(GByteArray *bytes, rs_str_t s);
static gboolean agent_recorder_proven(const agent_config_t *config,
    const rs_operator_line_t *line, const json_t *proof);


static void
agent_recorder_add(GByteArray *bytes, rs_str_t s)
{
    g_byte_array_append(bytes, (const guint8 *) "", 1);

    if (s.len != 0) {
        g_byte_array_append(bytes, s.data, (guint) s.len);
    }
}


static GByteArray *
agent_recorder_signed(const rs_operator_line_t *line)
{
    GByteArray        *bytes;
    g_autofree char   *pc = g_strdup_printf("%u", (guint) line->pc);

    bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *) AGENT_RECORDER_CONTEXT,
                        strlen(AGENT_RECORDER_CONTEXT));
    agent_recorder_add(bytes, line->session_id);
    agent_recorder_add(bytes, line->device_id);
    agent_recorder_add(bytes, line->participant_id);
    agent_recorder_add(bytes, rs_str(pc));
    agent_recorder_add(bytes, line->offer);

    return bytes;
}


static gboolean
agent_recorder_proven(const agent_config_t *config,
    const rs_operator_line_t *line, const json_t *proof)
{
    guint8                   key[RS_DEVKEY_KEY_LEN];
    const json_t            *of;
    const char              *public_key, *signature;
    g_autofree guint8       *raw = NULL;
    g_autoptr(GByteArray)    bytes = NULL;

    of = agent_json_object(proof, "recorder");
    public_key = agent_json_string(of, "public_key", AGENT_RECORDER_TEXT);
    signature = agent_json_string(of, "signature", AGENT_RECORDER_TEXT);

    if (public_key == NULL || signature == NULL
        || config->recorder_keys == NULL
        || !g_strv_contains((const char *const *) config->recorder_keys,
                            public_key)
        || rs_devkey_parse(rs_str(public_key), key) != RS_OK)
    {
        return FALSE;
    }

    raw = agent_base64url_decode(signature, RS_ED25519_SIGNATURE_LEN);

    if (raw == NULL) {
        return FALSE;
    }

    bytes = agent_recorder_signed(line);

    return rs_ed25519_verify(key, bytes->data, bytes->len, raw) == RS_OK;
}


const char *
agent_recorder_refusal(const agent_config_t *config,
    const rs_operator_line_t *line, const json_t *proof, char **message)
{
    *message = NULL;

    if (config->refuse_recorders) {
        *message = g_strdup("this device is not recorded: recording=refuse "
                            "of agent.conf");
        return "recording_refused";
    }

    if ((config->require_operator || config->recorder_keys != NULL)
        && !agent_recorder_proven(config, line, proof))
    {
        *message = g_strdup("this device takes the recorders of recorder_keys "
                            "in agent.conf only, and this one has not proven "
                            "to be one of them");
        return "operator_unverified";
    }

    return NULL;
}


json_t *
agent_recorder_proof(const agent_key_t *key, const rs_operator_line_t *line,
    GError **error)
{
    g_autofree char         *public_key = agent_key_public(key);
    g_autofree char         *signature = NULL;
    g_autoptr(GByteArray)    bytes = agent_recorder_signed(line);

    signature = agent_key_sign(key, bytes->data, bytes->len, error);

    return (signature != NULL)
           ? json_pack("{s:{s:s, s:s}}", "recorder", "public_key",
                       public_key, "signature", signature)
           : NULL;
}
