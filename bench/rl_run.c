
/*
 * Copyright (C) rs-gateway contributors
 *
 * What all parts of a run use: the tally of how things ended, and stderr.
 */


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rl_run.h"


/* one name too many is counted under the last */

void
rl_tally(rl_run_t *run, const char *fmt, ...)
{
    char         name[RL_TALLY_NAME];
    size_t       i;
    va_list      args;
    rl_stats_t  *st;

    va_start(args, fmt);
    (void) vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);

    st = &run->stats;

    for (i = 0; i < st->nends; i++) {
        if (strcmp(st->ends[i].name, name) == 0) {
            st->ends[i].n++;
            return;
        }
    }

    if (st->nends == RL_TALLY) {
        st->ends[RL_TALLY - 1].n++;
        return;
    }

    if (++st->nends == RL_TALLY) {
        (void) snprintf(name, sizeof(name), "others");
    }

    memcpy(st->ends[st->nends - 1].name, name, sizeof(name));
    st->ends[st->nends - 1].n = 1;
}


void
rl_say(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) fputs("rs-load: ", stderr);
    (void) vfprintf(stderr, fmt, args);
    (void) fputc('\n', stderr);
    va_end(args);
}
