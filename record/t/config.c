
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * record.conf: every key, what is refused and how that is said; the example
 * file.
 */

#include "../record_config.h"
#include "../../agent/t/tap.h"

#include <string.h>


static void
test_refused(void)
{
    gsize  i;

    static const char *const  cases[][2] = {
        { "[recorder]\nauditor=/a", "unknown key \"auditor\" in [recorder]" },
        { "[recorder]\ndirectory=a", "invalid directory \"a\"" },
        { "[recorder]\nmax_sessions=0", "invalid max_sessions \"0\": a "
          "number from 1 to 1000" },
        { "[recorder]\nretention_days=x", "invalid retention_days \"x\"" },
        { "[recorder]\nmin_free=0", "invalid min_free" },
        { "[recorder]\nsilence=4", "invalid silence" },
        { "[recorder]\nauditors=/a;", "invalid auditors \"/a;\"" },
        { "[recorder]\nauditors=a.pem", "absolute paths" },
        { "[agent]\nallow_input=true", "unknown key \"allow_input\"" },
        { "[agent]\nserver=http://h/", "server" },
        { "[tunnels]\nallow=a", "unknown group [tunnels]" },
        { "silence=5", "" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError)             error = NULL;
        g_autoptr(record_config_t)    config = record_config_new();

        ok(!record_config_parse(config, cases[i][0], strlen(cases[i][0]),
                                &error)
           && strstr(error->message, cases[i][1]) != NULL,
           "refused: %s", strchr(cases[i][0], '\n')
                          ? strchr(cases[i][0], '\n') + 1 : cases[i][0]);
    }
}


static void
test_keys(void)
{
    g_autoptr(GError)             error = NULL;
    g_autoptr(record_config_t)    config = record_config_new();

    static const char  text[] =
        "[agent]\nserver=https://h/rs/v1\nstate_dir=/s\nrelay_only=true\n"
        "[recorder]\ndirectory=/d\nauditors=/a; /b\nmax_sessions=3\n"
        "retention_days=0\nmin_free=7\nsilence=5\n";

    ok(record_config_parse(config, text, strlen(text), &error), "all keys");
    is_str(config->agent->server, "https://h/rs/v1", "server");
    is_str(config->agent->state_dir, "/s", "state_dir");
    ok(config->agent->relay_only, "relay_only");
    is_str(config->directory, "/d", "directory");
    ok(g_strv_length(config->auditors) == 2, "auditors");
    ok(config->max_sessions == 3 && config->retention_days == 0
       && config->min_free == 7 && config->silence_s == 5, "numbers");
}


static void
test_example(void)
{
    g_autoptr(GError)             error = NULL;
    g_autoptr(record_config_t)    config = record_config_new();
    g_autoptr(record_config_t)    other = record_config_new();

    ok(record_config_read(config, RECORD_TOP "/record/record.conf.example",
                          &error), "the example is read");
    is_str(config->directory, other->directory, "and has the defaults");
    is_str(config->agent->state_dir, other->agent->state_dir, "of all");
    ok(config->max_sessions == other->max_sessions
       && config->retention_days == other->retention_days
       && config->min_free == other->min_free
       && config->silence_s == other->silence_s, "numbers");
    ok(config->auditors == NULL, "but for who may read");
    ok(!record_config_read(config, "/nonexistent", NULL), "none");
}


int
main(void)
{
    test_refused();
    test_keys();
    test_example();

    return done();
}
