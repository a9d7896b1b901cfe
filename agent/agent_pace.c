
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the frame rate.  It is no number: a frame is encoded once the network
 * has carried most of those before, so a slow network sees fewer frames, each
 * as new as can be, and nothing queues.
 *
 * A picture that stands still is encoded again, some times a second, until
 * the encoder has nothing left to add: that is what makes text sharp.  Then
 * twice a second, so that a viewer knows it is alive.
 */

#include "agent_pace.h"

#include <string.h>


#define AGENT_PACE_AHEAD_S     0.1      /* of bits that may be on their way */
#define AGENT_PACE_DEBT_S      3        /* a large frame holds up no longer */
#define AGENT_PACE_AGAIN_US    (80 * 1000)
#define AGENT_PACE_AGAIN       40       /* more would be no use */
#define AGENT_PACE_SMALL       3        /* in a row: sharp */
#define AGENT_PACE_PIXELS      1500     /* to the byte of a small frame */
#define AGENT_PACE_BYTES       300      /* and never less */


void
agent_pace_init(agent_pace_t *pace, guint pixels, guint bps)
{
    memset(pace, 0, sizeof(agent_pace_t));

    pace->bps = bps;
    pace->enough = MAX(pixels / AGENT_PACE_PIXELS, AGENT_PACE_BYTES);
}


void
agent_pace_rate(agent_pace_t *pace, guint bps)
{
    pace->bps = bps;
}


void
agent_pace_frames(agent_pace_t *pace, guint fps)
{
    pace->fps = fps;
}


static void
agent_pace_carry(agent_pace_t *pace, gint64 now_us)
{
    double  seconds;

    if (now_us > pace->now_us) {
        seconds = (double) (now_us - pace->now_us) / G_USEC_PER_SEC;
        pace->owed = MAX(pace->owed - pace->bps * seconds, 0);
        pace->now_us = now_us;
    }
}


gboolean
agent_pace_due(agent_pace_t *pace, gint64 now_us, gboolean changed,
    gboolean wanted)
{
    gint64  since_us;

    agent_pace_carry(pace, now_us);

    if (pace->owed > pace->bps * AGENT_PACE_AHEAD_S) {
        return FALSE;
    }

    since_us = now_us - pace->passed_us;

    /* a capture is not on time to the millisecond */

    if (pace->fps != 0 && pace->passed_us != 0
        && since_us < (gint64) G_USEC_PER_SEC * 9 / 10 / pace->fps)
    {
        return FALSE;
    }

    if (changed || pace->passed_us == 0) {
        pace->still = FALSE;
        pace->sharp = FALSE;
        pace->again = 0;
        pace->small = 0;

    } else if (wanted
               || since_us >= AGENT_PACE_STILL_MS * 1000
               || (!pace->sharp && since_us >= AGENT_PACE_AGAIN_US))
    {
        pace->still = TRUE;

    } else {
        return FALSE;
    }

    pace->passed_us = now_us;

    return TRUE;
}


void
agent_pace_spent(agent_pace_t *pace, gint64 now_us, gsize bytes, gboolean key)
{
    agent_pace_carry(pace, now_us);

    pace->owed = MIN(pace->owed + (double) bytes * 8,
                     (double) pace->bps * AGENT_PACE_DEBT_S);

    /* a key frame starts from nothing: it is not sharp yet */

    if (key) {
        pace->sharp = FALSE;
        pace->again = 0;
        pace->small = 0;
        return;
    }

    if (!pace->still || pace->sharp) {
        return;
    }

    pace->small = (bytes <= pace->enough) ? pace->small + 1 : 0;

    if (++pace->again >= AGENT_PACE_AGAIN || pace->small >= AGENT_PACE_SMALL) {
        pace->sharp = TRUE;
    }
}
