
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Targets and local addresses: what is taken, in which form, and what is not.
 */

#include "tunnel_addr.h"
#include "tunnel_error.h"
#include "../../agent/t/tap.h"

#include <string.h>


static void
test_targets(void)
{
    gsize  i;

    static const char *const  good[][2] = {
        { "22", "127.0.0.1:22" },
        { "65535", "127.0.0.1:65535" },
        { "printer.example.net:9100", "printer.example.net:9100" },
        { "NAS.example.net:80", "nas.example.net:80" },
        { "10.0.0.5:3389", "10.0.0.5:3389" },
        { "[::1]:22", "[::1]:22" },
        { "[2001:DB8::5]:80", "[2001:db8::5]:80" }
    };

    static const char *const  bad[] = {
        "", ":", ":22", "22:", "0", "host:0", "65536", "host:65536",
        "host:-1", "host:+1", "host: 1", "host:22x", "::1:22", "[::1]",
        "[::1]22", "[10.0.0.5]:22", "[]:22", "[host]:22", "a b:22",
        "user@host:22", "host/x:22", "host:000022", "shell"
    };

    for (i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char  *got = tunnel_addr_target(good[i][0], NULL);

        is_str(got, good[i][1], good[i][0]);
    }

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError)  error = NULL;
        g_autofree char   *got = tunnel_addr_target(bad[i], &error);

        ok(got == NULL
           && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE)
           && strstr(error->message, bad[i]) != NULL,
           "refused, and named: \"%s\"", bad[i]);
    }
}


static void
test_long(void)
{
    g_autofree char  *name = g_strnfill(253, 'a');
    g_autofree char  *more = g_strnfill(254, 'a');
    g_autofree char  *fits = g_strconcat(name, ":1", NULL);
    g_autofree char  *over = g_strconcat(more, ":1", NULL);
    g_autofree char  *taken = tunnel_addr_target(fits, NULL);
    g_autofree char  *refused = tunnel_addr_target(over, NULL);

    is_str(taken, fits, "a name of 253 bytes");
    ok(refused == NULL, "and not of 254");
}


static void
local(const char *text, const char *want, gboolean want_loopback)
{
    guint16                      port;
    gboolean                     loopback;
    g_autofree char             *got = NULL;
    g_autoptr(GInetAddress)      address = NULL;
    g_autoptr(GSocketAddress)    both = NULL;

    if (!ok(tunnel_addr_local(text, &address, &port, &loopback, NULL),
            "local %s", text ? text : "not said"))
    {
        return;
    }

    both = g_inet_socket_address_new(address, port);
    got = tunnel_addr_text(both);
    is_str(got, want, "the address of it");
    is_int(loopback, want_loopback, "and both of this host's own");
}


static void
test_locals(void)
{
    gsize     i;
    guint16   port;
    gboolean  loopback;

    static const char *const  bad[] = {
        "", ":", ":22", "localhost:22", "host.example.net:1", "65536",
        "127.0.0.1", "127.0.0.1:", "::1:22", "*:22"
    };

    local(NULL, "127.0.0.1:0", TRUE);
    local("2222", "127.0.0.1:2222", TRUE);
    local("0", "127.0.0.1:0", TRUE);
    local("0.0.0.0:2222", "0.0.0.0:2222", FALSE);
    local("[::]:0", "[::]:0", FALSE);
    local("127.0.0.1:80", "127.0.0.1:80", FALSE);

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError)        error = NULL;
        g_autoptr(GInetAddress)  address = NULL;

        ok(!tunnel_addr_local(bad[i], &address, &port, &loopback, &error)
           && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE),
           "refused: \"%s\"", bad[i]);
    }
}


int
main(void)
{
    guint16  port;

    test_targets();
    test_long();
    test_locals();

    port = tunnel_addr_port("dev_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    ok(port >= 20000 && port < 28000, "a device's port");
    is_int(tunnel_addr_port("dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"), port,
           "is always the same");

    return done();
}
