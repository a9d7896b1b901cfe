
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * agent.conf: what is taken, what is refused and how that is said; the
 * example file; the server's URL; the state kept by enrolment.
 */

#include "agent_config.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>


static char *
complaint(const char *text)
{
    g_autofree char             *full = NULL;
    g_autoptr(GError)            error = NULL;
    g_autoptr(agent_config_t)    config = agent_config_new();

    full = g_strdup_printf("[agent]\n%s\n", text);

    if (agent_config_parse(config, full, strlen(full), &error)) {
        return NULL;
    }

    return g_strdup(error->message);
}


static void
test_refused(void)
{
    gsize  i;

    static const char *const  cases[][2] = {
        { "servre=https://h/", "unknown key \"servre\"" },
        { "server=http://h/rs/v1", "invalid server \"http://h/rs/v1\"" },
        { "server=h", "invalid server \"h\"" },
        { "server=https://u:p@h/", "invalid server" },
        { "server=https://h/?a=b", "invalid server" },
        { "fps=0", "invalid fps \"0\": a number from 1 to 60" },
        { "fps=61", "invalid fps \"61\"" },
        { "fps=ten", "invalid fps \"ten\"" },
        { "max_viewers=17", "invalid max_viewers" },
        { "bitrate=99", "invalid bitrate" },
        { "bitrate_min=49999", "invalid bitrate_min" },
        { "allow_input=yes", "invalid allow_input \"yes\": true or false" },
        { "codecs=vp9", "invalid codecs \"vp9\"" },
        { "codecs=", "invalid codecs" },
        { "codecs=vp8;av1", "invalid codecs" },
        { "name=", "invalid name" },
        { "name=a\xe2\x80\xae" "b", "no control or invisible ones" },
        { "server=https://h/;http://i/", "invalid server \"http://i/\"" },
        { "server=https://h/;;https://i/", "invalid server \"\"" },
        { "server=", "invalid server" },
        { "server=https://a;https://b;https://c;https://d;https://e;"
          "https://f;https://g;https://h;https://i", "at most 8 URLs" },
        { "key_rotation=3651", "invalid key_rotation \"3651\"" },
        { "server_probe=0", "invalid server_probe \"0\"" },
        { "gateway_identity=x", "invalid gateway_identity \"x\": the 43" },
        { "gateway_identity=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "invalid gateway_identity" },
        { "consent=maybe", "invalid consent \"maybe\": required, notify" },
        { "consent_timeout=4", "invalid consent_timeout" },
        { "clipboard=yes", "invalid clipboard \"yes\": both, to_device" },
        { "files=to", "invalid files \"to\": both, to_device" },
        { "files_max=0", "invalid files_max \"0\": a number from 1" },
        { "view_only=1", "invalid view_only" },
        { "hours=9 to 5", "invalid hours \"9 to 5\": days and times" },
        { "require_verified_operator=1", "invalid require_verified" },
        { "operator_issuer=http://i/", "invalid operator_issuer" },
        { "operator_issuer=https://u@i/", "invalid operator_issuer" },
        { "operator_users= ; ;", "invalid operator_users" },
        { "operator_algorithms=none", "invalid operator_algorithms" },
        { "operator_algorithms=HS256", "invalid operator_algorithms" },
        { "operator_algorithms=ES256;rs256", "invalid operator_algorithms" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char  *got = complaint(cases[i][0]);

        ok(got != NULL && strstr(got, cases[i][1]) != NULL, "refused: %s",
           cases[i][0]);
    }
}


static void
test_taken(void)
{
    const char                  *text;
    g_autoptr(agent_config_t)    config = agent_config_new();

    ok(config->codecs == (AGENT_CODEC_VP8|AGENT_CODEC_H264)
       && config->allow_input && !config->relay_only
       && config->max_viewers == 8 && !config->view_only
       && config->clipboard == AGENT_WAY_BOTH
       && config->files == AGENT_WAY_BOTH && config->files_dir == NULL
       && config->sound && config->hours == NULL, "defaults");

    text = "[agent]\nserver = https://Support.Example.NET:8443/rs/v1/\n"
           "codecs=h264\nallow_input=false\nrelay_only=true\n"
           "max_viewers=1\nmax_sessions=2\nfps=10\nbitrate=500000\n"
           "bitrate_min=60000\n"
           "name=Empfang \xc3\xa4\ndisplay=:7\nca_file=/etc/ca.pem\n"
           "proxy=http://proxy.example.net\n"
           "view_only=true\nclipboard=from_device\nfiles=none\n"
           "files_dir=/srv/files\nfiles_max=7\nsound=false\n"
           "hours=Sun 10:00-11:00\nhours=Mon 08:00-09:00\n";

    ok(agent_config_parse(config, text, strlen(text), NULL), "every key");
    is_str(config->server, "https://support.example.net:8443/rs/v1",
           "the server's URL in its one form");
    ok(config->codecs == AGENT_CODEC_H264 && !config->allow_input
       && config->relay_only && config->max_viewers == 1
       && config->max_sessions == 2 && config->fps == 10
       && config->bitrate == 500000
       && config->bitrate_min == 60000, "numbers and flags");
    ok(config->view_only && config->clipboard == AGENT_WAY_FROM_DEVICE
       && config->files == AGENT_WAY_NONE && config->files_max == 7
       && !config->sound, "what may be carried");
    is_str(config->files_dir, "/srv/files", "the directory of files");
    is_str(config->hours->text, "Mon 08:00-09:00", "the last hours count");
    is_str(config->display, ":7", "display");
    is_str(config->ca_file, "/etc/ca.pem", "ca_file");
    is_str(config->proxy, "http://proxy.example.net:3128", "proxy");

    text = "[agent]\nserver=https://A/rs/v1; https://b/ ;https://c;\n"
           "gateway_identity=gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q\n"
           "server_probe=5\n";
    ok(agent_config_parse(config, text, strlen(text), NULL),
       "several servers");
    is_str(config->server, "https://a/rs/v1", "the first one");
    ok(g_strv_length(config->fallbacks) == 2
       && strcmp(config->fallbacks[0], "https://b") == 0
       && strcmp(config->fallbacks[1], "https://c") == 0, "and fallbacks");
    ok(config->server_probe == 5 && config->gateway_identity != NULL,
       "their probe, and the fleet's identity");

    text = "[agents]\nfps=10\n";
    ok(!agent_config_parse(config, text, strlen(text), NULL),
       "an unknown group is refused");
}


static void
test_tunnels(void)
{
    gsize                        i;
    const char                  *text;
    g_autoptr(agent_config_t)    config = agent_config_new();

    static const char *const  wrong[][2] = {
        { "allow=127.0.0.1", "127.0.0.1" },
        { "allow=127.0.0.1:22;[::1]:0", "[::1]:0" },
        { "allow=*:22", "*:22" },
        { "max_tunnels=257", "257" },
        { "consent=maybe", "maybe" },
        { "shell=yes", "yes" },
        { "fps=5", "\"fps\" in [tunnels]" }
    };

    ok(config->targets == NULL && config->max_tunnels == 16
       && !config->tunnel_consent_set, "nothing is listed");

    text = "[tunnels]\nallow= 127.0.0.1:22 ; *.lan:80-81/udp;\n"
           "max_tunnels=2\nconsent=none\n[agent]\nconsent=required\n";
    ok(agent_config_parse(config, text, strlen(text), NULL), "[tunnels]");
    ok(config->targets != NULL && config->targets->n == 2
       && config->targets->rules[1].udp
       && config->targets->rules[1].last == 81, "two targets");
    ok(config->max_tunnels == 2 && config->tunnel_consent_set
       && config->tunnel_consent == AGENT_CONSENT_NONE
       && config->consent == AGENT_CONSENT_REQUIRED,
       "consent of tunnels is one of its own");

    for (i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char      *whole = NULL;
        g_autoptr(GError)     error = NULL;

        whole = g_strdup_printf("[tunnels]\n%s\n", wrong[i][0]);
        ok(!agent_config_parse(config, whole, strlen(whole), &error)
           && strstr(error->message, wrong[i][1]) != NULL,
           "%s is refused: %s", wrong[i][0],
           error != NULL ? error->message : "it is not");
    }
}


/* keys that need one another: what is missing is said */

static void
test_operators(void)
{
    gsize  i;

    static const char *const  cases[][2] = {
        { "", NULL },
        { "require_verified_operator=true", "without operator_issuer" },
        { "operator_users=a", "without operator_issuer" },
        { "operator_issuer=https://i", "without operator_audience" },
        { "operator_issuer=https://i\noperator_audience=c",
          "operator_users or operator_groups" },
        { "operator_issuer=https://i\noperator_audience=c\n"
          "operator_groups=support", NULL },
        { "[tunnels]\nshell=true", "needs shell_user" },
        { "[tunnels]\nshell=true\nshell_user=support", NULL },
        { "[tunnels]\nshell=false", NULL },
        { "operator_issuer=https://i/\noperator_audience=c\n"
          "operator_users=*\nrequire_verified_operator=true\n"
          "operator_algorithms=ES256;EdDSA", NULL }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char             *text = NULL;
        g_autoptr(GError)            error = NULL;
        g_autoptr(agent_config_t)    config = agent_config_new();

        text = g_strdup_printf("[agent]\n%s\n", cases[i][0]);
        ok(agent_config_parse(config, text, strlen(text), NULL), "%s", text);

        if (cases[i][1] == NULL) {
            ok(agent_config_check(config, &error), "is whole");

        } else {
            ok(!agent_config_check(config, &error)
               && strstr(error->message, cases[i][1]) != NULL, "%s",
               cases[i][1]);
        }
    }
}


static void
test_example(void)
{
    g_autoptr(GError)            error = NULL;
    g_autoptr(agent_config_t)    config = agent_config_new();

    ok(agent_config_read(config, AGENT_TOP "/agent/agent.conf.example",
                         &error), "the example file is taken");

    if (error != NULL) {
        printf("#   %s\n", error->message);
    }
}


static void
test_url(void)
{
    char  *url, *host;

    url = agent_config_url("https://[2001:DB8::1]:8443/", &host, NULL);
    is_str(url, "https://[2001:db8::1]:8443", "an IPv6 URL");
    is_str(host, "2001:db8::1", "its host");
    g_free(url);
    g_free(host);

    url = agent_config_url("https://LOCALHOST", &host, NULL);
    is_str(url, "https://localhost", "no path");
    is_str(host, "localhost", "lower case");
    g_free(url);
    g_free(host);
}


static void
test_device(void)
{
    char                        *got;
    struct stat                  st;
    agent_device_t               device = { .server = (char *)
                                                      "https://h/rs/v1",
                                            .tenant = (char *) "default",
                                            .id = (char *) "dev_x" };
    g_autofree char             *dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    g_autofree char             *path = NULL;
    g_autoptr(GError)            error = NULL;
    g_autoptr(agent_device_t)    loaded = NULL;

    loaded = agent_device_load(dir, &error);
    ok(loaded == NULL && g_error_matches(error, AGENT_CONFIG_ERROR,
                                         AGENT_CONFIG_ERROR_STATE)
       && strstr(error->message, "rs-agent enroll") != NULL,
       "not enrolled: said, with the cure");

    ok(agent_device_save(&device, dir, NULL), "saved");
    path = g_build_filename(dir, "device.conf", NULL);
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "mode 0600");

    loaded = agent_device_load(dir, NULL);
    got = loaded ? g_strjoin(" ", loaded->server, loaded->tenant, loaded->id,
                             NULL) : NULL;
    is_str(got, "https://h/rs/v1 default dev_x", "loaded again");
    g_free(got);

    g_unlink(path);
    g_rmdir(dir);
}


int
main(void)
{
    test_refused();
    test_taken();
    test_tunnels();
    test_operators();
    test_example();
    test_url();
    test_device();

    return done();
}
