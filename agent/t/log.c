
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Nobody outside may forge a line of the log.
 */

#include "agent_log.h"
#include "tap.h"


int
main(void)
{
    gsize  i;

    static const char *const  cases[][2] = {
        { "plain \xc3\xa4\xe2\x82\xac", "plain \xc3\xa4\xe2\x82\xac" },
        { "a\nrs-agent: error: b", "a?rs-agent: error: b" },
        { "a\r\t\x1b[31mb", "a???[31mb" },
        { "del\x7f", "del?" },
        { "c1\xc2\x9b" "31m", "c1??31m" },
        { "bad\xff", "bad\xef\xbf\xbd" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char  *got = agent_log_clean(cases[i][0]);

        ok(g_strcmp0(got, cases[i][1]) == 0, "case %" G_GSIZE_FORMAT, i);
    }

    return done();
}
