
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-render-host: one rendered session.  Owns the command line and the order
 * in which things begin and end.
 */

#define G_LOG_DOMAIN  "rs-render-host"

#include "agent_version.h"

#include <glib.h>
#include <stdio.h>


int
main(int argc, char **argv)
{
    gboolean             version = FALSE;
    g_autoptr(GError)    error = NULL;
    g_autoptr(GOptionContext)  context = NULL;

    GOptionEntry  entries[] = {
        { "version", 0, 0, G_OPTION_ARG_NONE, &version,
          "Print the version", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL }
    };

    context = g_option_context_new("- one rendered session");
    g_option_context_add_main_entries(context, entries, NULL);

    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "rs-render-host: %s\n", error->message);
        return 2;
    }

    if (version) {
        printf("rs-render-host %s\n", AGENT_VERSION);
        return 0;
    }

    return 0;
}
