
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-tunnel.conf: every key, what is refused and how that is said; the example
 * file.
 */

#include "tunnel_config.h"
#include "tunnel_error.h"
#include "../../agent/t/tap.h"

#include <string.h>


static void
test_refused(void)
{
    gsize  i;

    static const char *const  cases[][2] = {
        { "sever=https://h/", "unknown key \"sever\"" },
        { "server=http://h/rs/v1", "invalid server \"http://h/rs/v1\"" },
        { "server=h", "invalid server \"h\"" },
        { "server=", "invalid server \"\"" },
        { "server=https://u:p@h/", "invalid server" },
        { "server=https://h/?a=b", "invalid server" },
        { "tenant=", "invalid tenant \"\": 1 to 32" },
        { "key_file=", "invalid key_file" },
        { "proxy=socks://h", "invalid proxy: a proxy must be http://" },
        { "local=localhost:1", "invalid local address \"localhost:1\"" },
        { "max_connections=0", "invalid max_connections \"0\": a number from "
                               "1 to 1024" },
        { "max_connections=1025", "invalid max_connections" },
        { "idle_s=x", "invalid idle_s \"x\"" },
        { "idle_s=86401", "invalid idle_s" },
        { "ttl_s=604801", "invalid ttl_s" },
        { "flow_idle_s=4", "invalid flow_idle_s" },
        { "ssh=", "invalid ssh" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char              *text = NULL;
        g_autoptr(GError)             error = NULL;
        g_autoptr(tunnel_config_t)    config = tunnel_config_new();

        text = g_strdup_printf("[rs-tunnel]\n%s\n", cases[i][0]);

        ok(!tunnel_config_parse(config, text, strlen(text), &error)
           && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE)
           && strstr(error->message, cases[i][1]) != NULL,
           "refused: %s", cases[i][0]);
    }
}


static void
test_group(void)
{
    const char                   *text = "[tunnel]\nserver=https://h/\n";
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    ok(!tunnel_config_parse(config, text, strlen(text), &error), "a group "
       "that is not known");
    is_str(error ? error->message : NULL,
           "unknown group \"[tunnel]\", only [rs-tunnel] is known",
           "is named");
    g_clear_error(&error);

    ok(!tunnel_config_parse(config, "x", 1, &error)
       && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE),
       "what is no configuration at all");
    ok(tunnel_config_parse(config, "", 0, NULL), "an empty file");
}


static void
test_password(void)
{
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    ok(!tunnel_config_set(config, "proxy", "http://me:geheim@h:1", &error)
       && strstr(error->message, "geheim") == NULL,
       "a proxy's password is refused, and not repeated");
}


static void
test_taken(void)
{
    const char                   *text;
    g_autofree char              *key = NULL;
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    ok(config->server == NULL && config->max_connections == 64
       && config->flow_idle_s == 60 && config->idle_s == 0, "defaults");
    is_str(config->ssh, "ssh", "and the program of ssh");

    text = "[rs-tunnel]\nserver = https://Support.Example.NET:8443/rs/v1/\n"
           "tenant=acme\nkey_file=~/.rs-key\nca_file=/etc/ca.pem\n"
           "proxy=http://proxy.example.net\nlocal=127.0.0.1:2222\n"
           "ssh=/usr/bin/ssh\nrdp=remmina\nmax_connections=5\nidle_s=600\n"
           "ttl_s=3600\nflow_idle_s=5\n";

    if (!ok(tunnel_config_parse(config, text, strlen(text), &error),
            "every key"))
    {
        printf("#  %s\n", error->message);
        return;
    }

    key = g_build_filename(g_get_home_dir(), ".rs-key", NULL);

    is_str(config->server, "https://support.example.net:8443/rs/v1",
           "the server's URL in its one form");
    is_str(config->tenant, "acme", "tenant");
    is_str(config->key_file, key, "a file at home");
    is_str(config->ca_file, "/etc/ca.pem", "ca_file");
    is_str(config->proxy, "http://proxy.example.net:3128", "proxy");
    is_str(config->local, "127.0.0.1:2222", "local");
    is_str(config->ssh, "/usr/bin/ssh", "ssh");
    is_str(config->rdp, "remmina", "rdp");
    ok(config->max_connections == 5 && config->idle_s == 600
       && config->ttl_s == 3600 && config->flow_idle_s == 5, "numbers");
}


/* each line of it that sets something, with and without the "#" before it */

static void
test_example(void)
{
    gsize                         i, n;
    g_autofree char              *text = NULL;
    g_auto(GStrv)                 lines = NULL;
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    if (!g_file_get_contents(TUNNEL_TOP "/tunnel/rs-tunnel.conf.example",
                             &text, NULL, NULL))
    {
        ok(FALSE, "the example is there");
        return;
    }

    if (!ok(tunnel_config_parse(config, text, strlen(text), &error),
            "the example"))
    {
        printf("#  %s\n", error->message);
    }

    n = 0;
    lines = g_strsplit(text, "\n", -1);

    for (i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv)  pair = NULL;

        if (lines[i][0] != '#' || strchr(lines[i], '=') == NULL
            || lines[i][1] == ' ')
        {
            continue;
        }

        pair = g_strsplit(lines[i] + 1, "=", 2);
        n++;
        ok(tunnel_config_set(config, pair[0], pair[1], NULL), "its %s",
           pair[0]);
    }

    is_int(n, 12, "as many keys as there are");
}


int
main(void)
{
    test_refused();
    test_group();
    test_password();
    test_taken();
    test_example();

    return done();
}
