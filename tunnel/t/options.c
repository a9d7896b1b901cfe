
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The command line: whose an option is, and what is said of one that cannot
 * be; what ssh and an RDP client are called with.
 */

#include "tunnel_error.h"
#include "tunnel_options.h"
#include "tunnel_programs.h"
#include "../../agent/t/tap.h"

#include <string.h>


#define DEVICE  "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"


static gboolean
parse(tunnel_options_t *options, const char *line, GError **error)
{
    int            argc;
    g_auto(GStrv)  argv = NULL;

    memset(options, 0, sizeof(*options));

    if (!g_shell_parse_argv(line, &argc, &argv, error)) {
        return FALSE;
    }

    return tunnel_options_parse(options, argc, argv, error);
}


static void
test_refused(void)
{
    gsize             i;
    tunnel_options_t  options;

    static const char *const  cases[][2] = {
        { "rs-tunnel", "a command is wanted" },
        { "rs-tunnel tpc desk 22", "\"tpc\" is no command" },
        { "rs-tunnel tcp", "tcp wants a device and a target" },
        { "rs-tunnel tcp desk", "tcp wants a device and a target" },
        { "rs-tunnel udp desk 1 2", "udp wants a device and a target" },
        { "rs-tunnel tcp desk 0", "invalid target \"0\"" },
        { "rs-tunnel ssh", "ssh wants a device" },
        { "rs-tunnel rdp", "rdp wants a device" },
        { "rs-tunnel -W 22", "one device behind it" },
        { "rs-tunnel -W 22 a b", "one device behind it" },
        { "rs-tunnel -W x desk", "invalid target \"x\"" },
        { "rs-tunnel --key rsk_x tcp desk 22", "Unknown option --key" },
        { "rs-tunnel ssh -t 0 desk", "invalid target \"0\"" },
        { "rs-tunnel run", "run wants a device and a command" },
        { "rs-tunnel run desk", "run wants a device and a command" },
        { "rs-tunnel run desk x --gateway-port", "not of run" },
        { "rs-tunnel tcp desk 22 --secret a=b", "--secret is of run" },
        { "rs-tunnel --gateway-port ssh desk", "not of ssh" },
        { "rs-tunnel --gateway-port rdp desk", "not of rdp" },
        { "rs-tunnel --gateway-port -W 22 desk", "not of -W" },
        { "rs-tunnel tcp desk 22 --gateway-port -l 1", "do not go together" },
        { "rs-tunnel -l 1 udp desk 53 --gateway-port", "do not go together" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError)  error = NULL;

        if (!ok(!parse(&options, cases[i][0], &error)
                && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE)
                && strstr(error->message, cases[i][1]) != NULL,
                "refused: %s", cases[i][0]))
        {
            printf("#  %s\n", error ? error->message : "taken");
        }

        tunnel_options_clear(&options);
    }
}


static void
test_ports(void)
{
    tunnel_options_t  options;

    ok(parse(&options, "rs-tunnel -s https://h/ tcp desk nas:80 -l 8080 -q",
             NULL), "tcp");
    ok(options.command == TUNNEL_TCP && options.quiet, "options are taken "
       "behind the target, too");
    is_str(options.device, "desk", "its device");
    is_str(options.target, "nas:80", "its target");
    is_str(options.local, "8080", "its port here");
    is_str(options.server, "https://h/", "the server");
    tunnel_options_clear(&options);

    ok(parse(&options, "rs-tunnel udp 'Front desk' 53 --ttl 60 --idle 5",
             NULL) && options.command == TUNNEL_UDP, "udp");
    is_str(options.device, "Front desk", "a name with a space");
    is_str(options.target, "127.0.0.1:53", "a port of the device itself");
    is_str(options.ttl_s, "60", "ttl");
    is_str(options.idle_s, "5", "idle");
    ok(!options.gateway_port, "a port is here");
    tunnel_options_clear(&options);

    ok(parse(&options, "rs-tunnel tcp desk 80 --gateway-port", NULL)
       && options.command == TUNNEL_TCP && options.gateway_port,
       "unless it shall be at the gateway");
    tunnel_options_clear(&options);

    ok(parse(&options, "rs-tunnel -v -W 127.0.0.1:22 desk", NULL)
       && options.command == TUNNEL_STDIO && options.verbose, "-W");
    is_str(options.device, "desk", "its device");
    is_str(options.target, "127.0.0.1:22", "its target");
    tunnel_options_clear(&options);

    ok(parse(&options, "rs-tunnel run desk ping host=nas 'word=a b;c' "
             "--secret pin=/pin -q", NULL)
       && options.command == TUNNEL_RUN && options.quiet, "run");
    is_str(options.device, "desk", "its device");
    is_str(options.args[0], "ping", "its command");
    is_str(options.args[2], "word=a b;c", "its parameters");
    is_str(options.secrets[0], "pin=/pin", "and those that are secret");
    tunnel_options_clear(&options);

    ok(parse(&options, "rs-tunnel --version", NULL)
       && options.command == TUNNEL_VERSION_ONLY, "--version");
    tunnel_options_clear(&options);
}


static void
is_argv(char **argv, const char *want, const char *what)
{
    g_autofree char  *got = (argv != NULL) ? g_strjoinv("|", argv) : NULL;

    is_str(got, want, what);
}


static void
test_ssh(void)
{
    tunnel_options_t  options;
    tunnel_config_t   config;
    tunnel_device_t   device = { (char *) DEVICE, (char *) "desk", TRUE };
    g_auto(GStrv)     argv = NULL;

    memset(&config, 0, sizeof(config));
    config.server = (char *) "https://h/rs/v1";
    config.ssh = (char *) "ssh";

    ok(parse(&options, "rs-tunnel -k /key ssh me@desk -v -p 22 id", NULL)
       && options.command == TUNNEL_SSH && !options.verbose,
       "ssh: what stands behind the device is its own");
    is_str(options.user, "me", "its user");
    is_str(options.device, "desk", "its device");
    is_str(options.target, "127.0.0.1:22", "its target");

    argv = tunnel_programs_ssh(&config, &options, &device, "/bin/rs-tunnel");
    is_argv(argv, "ssh|-o|ProxyCommand='/bin/rs-tunnel' '--server' "
            "'https://h/rs/v1' '--key-file' '/key' '-W' '127.0.0.1:22' '"
            DEVICE "'|-o|HostKeyAlias=" DEVICE "|-l|me|desk|-v|-p|22|id",
            "how it is called");
    tunnel_options_clear(&options);
}


static void
test_ssh_names(void)
{
    tunnel_options_t  options;
    tunnel_config_t   config;
    tunnel_device_t   device = { (char *) DEVICE, NULL, TRUE };
    g_auto(GStrv)     argv = NULL;
    g_auto(GStrv)     other = NULL;

    memset(&config, 0, sizeof(config));
    config.server = (char *) "https://h/";
    config.ssh = (char *) "/opt/ssh";
    config.tenant = (char *) "a";
    config.ca_file = (char *) "/ca";

    device.name = (char *) "-oProxyCommand=x";

    ok(parse(&options, "rs-tunnel ssh -t 10.0.0.5:2222 --label \"50% 'x'\" d",
             NULL), "ssh to what the device reaches");
    is_str(options.user, NULL, "without a user");

    argv = tunnel_programs_ssh(&config, &options, &device, "/r s");
    is_argv(argv, "/opt/ssh|-o|ProxyCommand='/r s' '--server' "
            "'https://h/' '--tenant' 'a' '--ca-file' '/ca' '--label' "
            "'50%% '\\''x'\\''' '-W' '10.0.0.5:2222' '" DEVICE
            "'|-o|HostKeyAlias=" DEVICE "+10.0.0.5:2222|" DEVICE,
            "words are quoted, a name that is no host's is not used");

    device.name = (char *) "a b";
    other = tunnel_programs_ssh(&config, &options, &device, "/r");
    is_str(other[g_strv_length(other) - 1], DEVICE, "nor one with a space");

    tunnel_options_clear(&options);
}


static void
test_rdp(void)
{
    tunnel_options_t  options;
    tunnel_config_t   config;
    g_auto(GStrv)     argv = NULL;
    g_auto(GStrv)     none = NULL;

    memset(&config, 0, sizeof(config));
    config.rdp = (char *) "remmina";

    ok(parse(&options, "rs-tunnel rdp desk /u:me /f", NULL)
       && options.command == TUNNEL_RDP, "rdp");
    is_str(options.target, "127.0.0.1:3389", "its target");

    argv = tunnel_programs_rdp(&config, &options, "127.0.0.1:20001");
    is_argv(argv, "remmina|/v:127.0.0.1:20001|/u:me|/f", "how it is called");

    config.rdp = NULL;
    g_setenv("PATH", "/nowhere", TRUE);
    none = tunnel_programs_rdp(&config, &options, "127.0.0.1:20001");
    ok(none == NULL, "none where none is installed");

    tunnel_options_clear(&options);
}


static void
test_config(void)
{
    tunnel_options_t              options;
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_config_t)    config = NULL;
    g_autoptr(tunnel_config_t)    without = NULL;

    parse(&options, "rs-tunnel -c " TUNNEL_TOP "/tunnel/"
          "rs-tunnel.conf.example -s https://H/x/ -l 7 --ttl 9 tcp d 1",
          NULL);
    config = tunnel_options_config(&options, NULL);

    ok(config != NULL && config->ttl_s == 9, "the command line comes before "
       "the file");
    is_str(config ? config->server : NULL, "https://h/x", "its server");
    is_str(config ? config->local : NULL, "7", "its port");
    tunnel_options_clear(&options);

    parse(&options, "rs-tunnel -c /dev/null tcp d 1", NULL);
    without = tunnel_options_config(&options, &error);
    ok(without == NULL && strstr(error->message, "which gateway?") != NULL,
       "without a server");
    g_clear_error(&error);
    tunnel_options_clear(&options);

    parse(&options, "rs-tunnel -c /dev/null -s https://h/ --ttl x tcp d 1",
          NULL);
    ok(tunnel_options_config(&options, &error) == NULL
       && strstr(error->message, "invalid ttl_s \"x\"") != NULL,
       "options are checked as keys are");
    tunnel_options_clear(&options);
}


int
main(void)
{
    test_refused();
    test_ports();
    test_ssh();
    test_ssh_names();
    test_rdp();
    test_config();

    return done();
}
