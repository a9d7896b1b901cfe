
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the log writer, for our own messages and the libraries'.
 */

#include "agent_log.h"

#include <stdio.h>
#include <string.h>


#define AGENT_LOG_OURS  "rs-"


static GLogWriterOutput agent_log_write(GLogLevelFlags level,
    const GLogField *fields, gsize n, gpointer data);
static const char *agent_log_level(GLogLevelFlags level);


void
agent_log_init(gboolean verbose)
{
    g_log_set_writer_func(agent_log_write, GINT_TO_POINTER(verbose), NULL);
}


/* services set theirs; what a test or a link is called is no name */

const char *
agent_log_program(void)
{
    const char  *name;

    name = g_get_prgname();

    return (name != NULL && g_str_has_prefix(name, AGENT_LOG_OURS))
           ? name : "rs-agent";
}


static const char *
agent_log_level(GLogLevelFlags level)
{
    if (level & G_LOG_LEVEL_ERROR) {
        return "fatal";
    }

    if (level & G_LOG_LEVEL_CRITICAL) {
        return "error";
    }

    if (level & G_LOG_LEVEL_WARNING) {
        return "warn";
    }

    if (level & G_LOG_LEVEL_MESSAGE) {
        return "notice";
    }

    return (level & G_LOG_LEVEL_INFO) ? "info" : "debug";
}


static GLogWriterOutput
agent_log_write(GLogLevelFlags level, const GLogField *fields, gsize n,
    gpointer data)
{
    gsize              i;
    gboolean           ours;
    const char        *domain, *message;
    g_autofree char   *clean = NULL;

    domain = "-";
    message = "";

    for (i = 0; i < n; i++) {

        if (strcmp(fields[i].key, "GLIB_DOMAIN") == 0) {
            domain = fields[i].value;

        } else if (strcmp(fields[i].key, "MESSAGE") == 0) {
            message = fields[i].value;
        }
    }

    /* of the libraries only what is wrong; their details are theirs */

    ours = g_str_has_prefix(domain, AGENT_LOG_OURS);

    if ((level & (G_LOG_LEVEL_INFO|G_LOG_LEVEL_DEBUG))
        && !(ours && GPOINTER_TO_INT(data)))
    {
        return G_LOG_WRITER_HANDLED;
    }

    if (ours) {
        domain += strlen(AGENT_LOG_OURS);
    }

    clean = agent_log_clean(message);

    fprintf(stderr, "%s: %s: %s: %s\n", agent_log_program(),
            agent_log_level(level), domain, clean);
    fflush(stderr);

    return G_LOG_WRITER_HANDLED;
}


char *
agent_log_clean(const char *text)
{
    char    *clean, *p;
    guchar   c;

    clean = g_utf8_make_valid(text, -1);

    for (p = clean; *p != '\0'; p++) {
        c = (guchar) *p;

        /* C0, DEL, and the C1 block, which UTF-8 spells c2 80 to c2 9f */

        if (c < 0x20 || c == 0x7f) {
            *p = '?';

        } else if (c == 0xc2 && (guchar) p[1] < 0xa0) {
            p[0] = '?';
            p[1] = '?';
        }
    }

    return clean;
}
