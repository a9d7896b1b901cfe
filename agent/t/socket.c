
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Full jitter: every delay within its bound, the bound doubling up to the
 * cap, and not always the same delay.
 */

#include "agent_socket.h"
#include "tap.h"


static guint
highest(guint attempt)
{
    guint  i, top, delay;

    top = 0;

    for (i = 0; i < 2000; i++) {
        delay = agent_backoff(1000, 30000, attempt);
        top = MAX(top, delay);
    }

    return top;
}


int
main(void)
{
    gsize  i;
    guint  top;

    static const guint  cases[][2] = {
        { 0, 1000 }, { 1, 2000 }, { 4, 16000 }, { 5, 30000 }, { 6, 30000 },
        { 40, 30000 }, { G_MAXUINT, 30000 }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        top = highest(cases[i][0]);

        /* of 2000 draws none above 80 %: less likely than 10^-190 */

        ok(top <= cases[i][1] && top > cases[i][1] / 10 * 8,
           "attempt %u: up to %u ms", cases[i][0], cases[i][1]);
    }

    return done();
}
