
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Which frames are encoded, with a capture of 25 a second and an encoder that
 * is made up.
 */

#include "agent_pace.h"
#include "tap.h"


#define FRAME_US  (40 * 1000)
#define PIXELS    (1280 * 720)
#define SECOND    25                    /* frames */


typedef struct {
    agent_pace_t  pace;
    gint64        now_us;
    guint64       bytes;                /* of the last run */
} screen_t;


static void
screen_init(screen_t *s, guint bps)
{
    s->now_us = (gint64) 1000 * G_USEC_PER_SEC;
    agent_pace_init(&s->pace, PIXELS, bps);
}


/* frames that were encoded, of so many captured */

static guint
screen_run(screen_t *s, guint frames, gboolean changed, gsize bytes)
{
    guint  i, n;

    s->bytes = 0;

    for (i = 0, n = 0; i < frames; i++) {
        s->now_us += FRAME_US;

        if (agent_pace_due(&s->pace, s->now_us, changed, FALSE)) {
            n++;
            s->bytes += bytes;
            agent_pace_spent(&s->pace, s->now_us, bytes, FALSE);
        }
    }

    return n;
}


int
main(void)
{
    guint     n;
    screen_t  s;

    /* a film of 10 KB a frame needs 2 Mbit/s */

    screen_init(&s, 3000000);
    is_int(screen_run(&s, 10 * SECOND, TRUE, 10000), 10 * SECOND,
           "a fast network: every frame");

    agent_pace_rate(&s.pace, 500000);
    screen_run(&s, SECOND, TRUE, 10000);
    n = screen_run(&s, 10 * SECOND, TRUE, 10000);
    ok(n >= 55 && n <= 65, "a slow one: as many as it carries, %u", n);
    ok(s.bytes * 8 / 10 <= 520000, "and no more bits, %u",
       (guint) (s.bytes * 8 / 10));

    /* one large frame: the next one waits until most of it is carried */

    screen_init(&s, 400000);
    is_int(screen_run(&s, 1, TRUE, 60000), 1, "a large frame");
    is_int(screen_run(&s, SECOND, TRUE, 1000), 0, "holds up the next second");
    ok(screen_run(&s, 5, TRUE, 1000) > 0, "and is over then");

    screen_init(&s, 100000);
    screen_run(&s, 1, TRUE, 10000000);
    is_int(screen_run(&s, 2 * SECOND, TRUE, 1000), 0, "a huge one: longer");
    ok(screen_run(&s, 2 * SECOND, TRUE, 1000) > 0, "but no more than 3 s");

    /* still: again until nothing is added, then twice a second */

    screen_init(&s, 3000000);
    screen_run(&s, 1, TRUE, 50000);
    n = screen_run(&s, SECOND, FALSE, 5000);
    ok(n >= 8 && n <= 13, "still, not sharp yet: %u a second", n);
    screen_run(&s, SECOND, FALSE, 200);
    n = screen_run(&s, 4 * SECOND, FALSE, 200);
    ok(n >= 7 && n <= 9, "sharp: %u in four seconds", n);

    ok(screen_run(&s, 3, TRUE, 3000) == 3, "it moves: at once");
    n = screen_run(&s, SECOND, FALSE, 5000);
    ok(n >= 8, "and is made sharp anew: %u", n);

    /* an encoder that always finds something is not fed for ever */

    screen_run(&s, 10 * SECOND, FALSE, 5000);
    n = screen_run(&s, 4 * SECOND, FALSE, 5000);
    ok(n <= 9, "noise is given up: %u in four seconds", n);

    /* a viewer who cannot decode more */

    screen_init(&s, 3000000);
    agent_pace_frames(&s.pace, 5);
    n = screen_run(&s, 4 * SECOND, TRUE, 1000);
    ok(n >= 18 && n <= 22, "no more than five a second: %u in four", n);
    agent_pace_frames(&s.pace, 25);
    is_int(screen_run(&s, SECOND, TRUE, 1000), SECOND, "all that there are");
    agent_pace_frames(&s.pace, 0);
    is_int(screen_run(&s, SECOND, TRUE, 1000), SECOND, "no limit");
    screen_run(&s, 10 * SECOND, FALSE, 200);

    /* somebody waits for a key frame, which is not sharp */

    ok(!agent_pace_due(&s.pace, s.pace.passed_us + FRAME_US, FALSE, FALSE)
       && agent_pace_due(&s.pace, s.pace.passed_us + FRAME_US, FALSE, TRUE),
       "a key frame that is wanted comes at once");
    agent_pace_spent(&s.pace, s.now_us, 20000, TRUE);
    s.now_us = s.pace.now_us;
    n = screen_run(&s, SECOND, FALSE, 5000);
    ok(n >= 8, "and is made sharp: %u", n);

    /* small pictures */

    agent_pace_init(&s.pace, 16, 100000);
    is_int(s.pace.enough, 300, "the smallest frame that adds something");

    return done();
}
