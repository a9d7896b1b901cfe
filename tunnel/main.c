
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-tunnel: ports of a device, or of what it reaches, on this machine,
 * through a gateway; and what the device runs.
 */

#include "tunnel_error.h"
#include "tunnel_run.h"
#include "tunnel_version.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>


static GLogLevelFlags  tunnel_log_levels;


/* standard output is the connection, or what a script reads */

static void
tunnel_log(const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer data)
{
    (void) domain;
    (void) data;

    if ((level & tunnel_log_levels) != 0) {
        fprintf(stderr, "rs-tunnel: %s\n", message);
    }
}


static void
tunnel_log_init(const tunnel_options_t *options)
{
    tunnel_log_levels = G_LOG_LEVEL_ERROR|G_LOG_LEVEL_CRITICAL
                        |G_LOG_LEVEL_WARNING;

    if (options->verbose) {
        tunnel_log_levels |= G_LOG_LEVEL_MESSAGE|G_LOG_LEVEL_INFO
                             |G_LOG_LEVEL_DEBUG;

    } else if (!options->quiet && options->command != TUNNEL_STDIO
               && options->command != TUNNEL_RUN)
    {
        tunnel_log_levels |= G_LOG_LEVEL_MESSAGE;
    }

    g_log_set_default_handler(tunnel_log, NULL);
}


int
main(int argc, char **argv)
{
    int                  status;
    tunnel_options_t     options;
    g_autofree char     *self = NULL;
    g_autoptr(GError)    error = NULL;

    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);
    memset(&options, 0, sizeof(options));

    if (!tunnel_options_parse(&options, argc, argv, &error)) {
        fprintf(stderr, "rs-tunnel: %s\n", error->message);
        tunnel_options_clear(&options);
        return tunnel_error_status(error);
    }

    if (options.command == TUNNEL_VERSION_ONLY) {
        printf("rs-tunnel " TUNNEL_VERSION "\n");
        tunnel_options_clear(&options);
        return 0;
    }

    tunnel_log_init(&options);

    self = g_file_read_link("/proc/self/exe", NULL);
    status = tunnel_run(&options, (self != NULL) ? self : "rs-tunnel",
                        &error);

    if (error != NULL) {
        fprintf(stderr, "rs-tunnel: %s\n", error->message);
        status = tunnel_error_status(error);
    }

    tunnel_options_clear(&options);

    return status;
}
