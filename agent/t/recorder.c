
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Which recorders agent.conf takes, and what one has to sign for it.
 */

#include "agent_recorder.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>


#define SES  "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DEV  "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR  "par_aaaaaaaaaaaaaaaaaaaaaaaaaa"


static rs_operator_line_t
line_of(guint pc, const char *print)
{
    rs_operator_line_t  line;

    memset(&line, 0, sizeof(line));
    line.session_id = rs_str(SES);
    line.device_id = rs_str(DEV);
    line.participant_id = rs_str(PAR);
    line.pc = pc;
    line.offer = rs_str(print);

    return line;
}


static void
is_refusal(const agent_config_t *config, const rs_operator_line_t *line,
    const json_t *proof, const char *want, const char *what)
{
    const char        *code;
    g_autofree char   *message = NULL;

    code = agent_recorder_refusal(config, line, proof, &message);
    is_str(code, want, what);
    ok((code != NULL) == (message != NULL), "with a sentence if it is one");
}


static agent_config_t *
config_of(const char *text)
{
    g_autofree char   *file = g_strdup_printf("[agent]\n%s\n", text);
    agent_config_t    *config = agent_config_new();
    g_autoptr(GError)  error = NULL;

    if (!agent_config_parse(config, file, strlen(file), &error)) {
        printf("# %s\n", error->message);
        g_clear_pointer(&config, agent_config_free);
    }

    return config;
}


int
main(void)
{
    json_t                      *proof;
    agent_config_t              *config;
    rs_operator_line_t           line;
    g_autofree char             *dir = g_dir_make_tmp("rs-XXXXXX", NULL);
    g_autofree char             *path = g_build_filename(dir, AGENT_KEY_FILE,
                                                         NULL);
    g_autofree char             *public_key = NULL;
    g_autofree char             *text = NULL;
    g_autoptr(agent_key_t)       key = agent_key_make(dir, NULL);

    public_key = agent_key_public(key);
    line = line_of(1, "sha-256 AA");
    proof = agent_recorder_proof(key, &line, NULL);
    ok(proof != NULL, "a proof");

    config = config_of("");
    is_refusal(config, &line, NULL, NULL, "any recorder, unless said");
    agent_config_free(config);

    config = config_of("recording=refuse");
    is_refusal(config, &line, proof, "recording_refused", "none");
    agent_config_free(config);

    ok(config_of("recording=maybe") == NULL, "accept or refuse");
    ok(config_of("recorder_keys=abc") == NULL, "a key that is none");
    ok(config_of("recorder_keys=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
       == NULL, "a key of low order");

    text = g_strdup_printf("recorder_keys=%s", public_key);
    config = config_of(text);
    is_refusal(config, &line, proof, NULL, "one that is listed");
    is_refusal(config, &line, NULL, "operator_unverified",
               "not without a proof");
    line = line_of(2, "sha-256 AA");
    is_refusal(config, &line, proof, "operator_unverified",
               "not of another connection");
    line = line_of(1, "sha-256 BB");
    is_refusal(config, &line, proof, "operator_unverified",
               "not of another certificate");
    line = line_of(1, "sha-256 AA");
    agent_config_free(config);

    config = config_of("recorder_keys="
                       "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    is_refusal(config, &line, proof, "operator_unverified",
               "not one that is not listed");
    agent_config_free(config);

    config = config_of("");
    config->require_operator = TRUE;
    is_refusal(config, &line, proof, "operator_unverified",
               "none where operators are verified and no recorder is listed");
    agent_config_free(config);

    json_decref(proof);
    g_unlink(path);
    g_rmdir(dir);

    return done();
}
