
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the decision how fast to send.  What counts is a queue that stands:
 * the delay of the *fastest* packet of a tick above the least delay seen in
 * half a minute.  A key frame fills a queue for a moment, which is no
 * congestion; only where no packet of a tick finds the queue empty, more is
 * sent than is carried.
 *
 *     queue stands or much is lost  -> less than what arrived, once a while
 *     some loss, some queue         -> as it is
 *     neither, and the rate is used -> more: fast at first and far below what
 *                                      was too much last time, slowly there
 *     nothing is heard              -> half, each second
 *
 * A desktop mostly stands still.  What is not used says nothing, so the rate
 * is kept then, and packets of a frame are paced instead of sent at once.
 */

#include "agent_rate.h"

#include <string.h>


#define AGENT_RATE_START      1000000           /* bits/s */
#define AGENT_RATE_WINDOW_US  (15 * G_USEC_PER_SEC)
#define AGENT_RATE_HOLD_US    (600 * 1000)      /* between two cuts */
#define AGENT_RATE_DEAF_US    G_USEC_PER_SEC
#define AGENT_RATE_CALM_US    (20 * G_USEC_PER_SEC)
#define AGENT_RATE_GAP_US     (2 * G_USEC_PER_SEC)

#define AGENT_RATE_QUEUE_MS   60        /* standing: too much */
#define AGENT_RATE_LITTLE_MS  30        /* no more than that to go up */
#define AGENT_RATE_FULL_MS    250       /* needs no second tick */

#define AGENT_RATE_PACKETS    4         /* a tick that tells the delay */
#define AGENT_RATE_SAMPLE     10        /* one that tells the loss */
#define AGENT_RATE_SOME       0.02      /* loss */
#define AGENT_RATE_MUCH       0.10

#define AGENT_RATE_FRAMES     5         /* a report that tells something */
#define AGENT_RATE_FPS        60
#define AGENT_RATE_FPS_MIN    2

#define AGENT_RATE_UNKNOWN    G_MAXINT64


static void agent_rate_set(agent_rate_t *rate, double bps);
static void agent_rate_cut(agent_rate_t *rate, gint64 now_us, double to);
static void agent_rate_grow(agent_rate_t *rate, double seconds);
static void agent_rate_base(agent_rate_t *rate, gint64 now_us, gint64 us);
static gint agent_rate_queue(const agent_rate_t *rate, gint64 us);
static void agent_rate_judge(agent_rate_t *rate, gint64 now_us,
    double seconds, double got);


void
agent_rate_init(agent_rate_t *rate, guint min, guint max, gint64 now_us)
{
    memset(rate, 0, sizeof(agent_rate_t));

    rate->min = min;
    rate->max = MAX(max, min);
    rate->tick_us = now_us;
    rate->least_us = AGENT_RATE_UNKNOWN;
    rate->base_us[0] = AGENT_RATE_UNKNOWN;
    rate->base_us[1] = AGENT_RATE_UNKNOWN;
    rate->window_us = now_us;

    agent_rate_set(rate, AGENT_RATE_START);
}


static void
agent_rate_set(agent_rate_t *rate, double bps)
{
    rate->bps = (guint) CLAMP(bps, (double) rate->min, (double) rate->max);
}


void
agent_rate_sent(agent_rate_t *rate, gint64 now_us, gsize bytes)
{
    rate->sent += bytes;

    if (rate->unheard_us == 0) {
        rate->unheard_us = now_us;
    }
}


void
agent_rate_packet(agent_rate_t *rate, gint64 local_us, gint64 remote_us,
    gsize bytes)
{
    rate->unheard_us = 0;
    rate->packets++;
    rate->arrived += bytes;
    rate->least_us = MIN(rate->least_us, remote_us - local_us);
    rate->last_us = MAX(rate->last_us, remote_us);
}


void
agent_rate_lost(agent_rate_t *rate)
{
    rate->unheard_us = 0;
    rate->packets++;
    rate->lost++;
}


/* the least of this window and of the one before; clocks drift apart */

static void
agent_rate_base(agent_rate_t *rate, gint64 now_us, gint64 us)
{
    if (now_us - rate->window_us > AGENT_RATE_WINDOW_US) {
        rate->window_us = now_us;
        rate->base_us[1] = rate->base_us[0];
        rate->base_us[0] = AGENT_RATE_UNKNOWN;
    }

    rate->base_us[0] = MIN(rate->base_us[0], us);
}


static gint
agent_rate_queue(const agent_rate_t *rate, gint64 us)
{
    return (gint) CLAMP((us - MIN(rate->base_us[0], rate->base_us[1])) / 1000,
                        0, 60000);
}


guint
agent_rate_tick(agent_rate_t *rate, gint64 now_us)
{
    double  seconds, got;
    gint64  took_us;

    seconds = (double) (now_us - rate->tick_us) / G_USEC_PER_SEC;

    if (seconds <= 0) {
        return rate->bps;
    }

    if (rate->unheard_us != 0
        && now_us - rate->unheard_us > AGENT_RATE_DEAF_US)
    {
        /* what is on its way now is given as long */

        rate->unheard_us = now_us;
        agent_rate_cut(rate, now_us, rate->bps * 0.5);

    } else if (rate->packets > 0) {

        if (rate->packets >= AGENT_RATE_SAMPLE) {
            rate->loss = rate->loss * 0.5
                         + 0.5 * rate->lost / rate->packets;

        } else if (rate->lost == 0) {
            rate->loss *= 0.8;
        }

        if (rate->packets - rate->lost >= AGENT_RATE_PACKETS) {
            agent_rate_base(rate, now_us, rate->least_us);
            rate->queue_ms = agent_rate_queue(rate, rate->least_us);

        } else {
            rate->queue_ms = 0;
        }

        took_us = rate->last_us - rate->first_us;
        got = (rate->first_us != 0 && took_us > 0
               && took_us < AGENT_RATE_GAP_US)
              ? (double) rate->arrived * 8 * G_USEC_PER_SEC / (double) took_us
              : 0;

        agent_rate_judge(rate, now_us, seconds, got);
    }

    if (rate->last_us != 0) {
        rate->first_us = rate->last_us;
    }

    rate->tick_us = now_us;
    rate->sent = 0;
    rate->arrived = 0;
    rate->packets = 0;
    rate->lost = 0;
    rate->least_us = AGENT_RATE_UNKNOWN;

    return rate->bps;
}


/* got: bits/s that arrived, 0 when that is not known */

static void
agent_rate_judge(agent_rate_t *rate, gint64 now_us, double seconds,
    double got)
{
    double  to;

    rate->full = (rate->queue_ms > AGENT_RATE_QUEUE_MS) ? rate->full + 1 : 0;

    if (rate->full >= 2 || rate->queue_ms > AGENT_RATE_FULL_MS) {

        /* less than arrived for as long as the queue takes to go */

        to = (got > 0) ? CLAMP(got * 0.9, rate->bps * 0.5, rate->bps * 0.9)
                       : rate->bps * 0.75;
        agent_rate_cut(rate, now_us,
                       to * (1 - MIN(rate->queue_ms, 400) / 1000.0));
        return;
    }

    if (rate->loss > AGENT_RATE_MUCH) {
        agent_rate_cut(rate, now_us, rate->bps * (1 - 0.5 * rate->loss));
        return;
    }

    if (rate->loss < AGENT_RATE_SOME
        && rate->queue_ms < AGENT_RATE_LITTLE_MS
        && (double) rate->sent * 8 > rate->bps * seconds * 0.5)
    {
        agent_rate_grow(rate, seconds);
    }
}


static void
agent_rate_cut(agent_rate_t *rate, gint64 now_us, double to)
{
    if (rate->cut_us != 0 && now_us - rate->cut_us < AGENT_RATE_HOLD_US) {
        return;
    }

    /* the most of what was carried is the least that was too much */

    if (rate->cut_us == 0 || now_us - rate->cut_us > 4 * AGENT_RATE_HOLD_US) {
        rate->ceiling = (guint) CLAMP(to * 1.1, rate->min, rate->max);
    }

    rate->cut_us = now_us;
    rate->full = 0;
    agent_rate_set(rate, to);
}


static void
agent_rate_grow(agent_rate_t *rate, double seconds)
{
    double  more;                       /* share of it, a second */

    if (rate->ceiling == 0) {
        more = (rate->cut_us == 0) ? 1.5 : 0.25;

    } else if (rate->bps < rate->ceiling * 0.85) {
        more = 0.5;

    } else if (rate->bps < rate->ceiling * 1.2) {
        more = 0.06;

    } else {
        rate->ceiling = 0;
        more = 0.25;
    }

    agent_rate_set(rate, rate->bps * (1 + more * MIN(seconds, 1.0)));
}


void
agent_rate_receiver(agent_rate_t *rate, gint64 now_us, double loss,
    gint rtt_ms)
{
    double  seconds;

    seconds = (double) (now_us - rate->tick_us) / G_USEC_PER_SEC;

    if (seconds <= 0) {
        return;
    }

    rate->unheard_us = 0;
    rate->loss = CLAMP(loss, 0, 1);
    rate->queue_ms = 0;

    if (rtt_ms >= 0) {
        agent_rate_base(rate, now_us, rtt_ms * 1000);
        rate->queue_ms = agent_rate_queue(rate, rtt_ms * 1000);
    }

    agent_rate_judge(rate, now_us, seconds, 0);

    rate->tick_us = now_us;
    rate->sent = 0;
}


/*
 * Busy for most of the time, or dropping: what he could decode in two thirds
 * of it.  Else more by a quarter, until it is no limit any more.
 */

guint
agent_rate_decoded(agent_rate_t *rate, const agent_rate_decoder_t *decoder)
{
    double  seconds, frames, each;

    seconds = MAX(decoder->span_ms, 1) / 1000.0;
    frames = decoder->frames;

    if (decoder->frames + decoder->dropped < AGENT_RATE_FRAMES) {
        return rate->fps;
    }

    if (decoder->decode_ms > 800 * seconds
        || decoder->dropped > decoder->frames / 4)
    {
        each = (decoder->frames > 0) ? decoder->decode_ms / 1000.0 / frames
                                     : seconds;
        frames = MIN((each > 0) ? 0.66 / each : AGENT_RATE_FPS,
                     frames / seconds * 0.8);
        rate->fps = (guint) CLAMP(frames, AGENT_RATE_FPS_MIN, AGENT_RATE_FPS);

    } else if (rate->fps != 0) {
        rate->fps += 1 + rate->fps / 4;

        if (rate->fps > AGENT_RATE_FPS) {
            rate->fps = 0;
        }
    }

    return rate->fps;
}


guint
agent_rate_pace(const agent_rate_t *rate, gint64 now_us)
{
    gboolean  calm;

    calm = (rate->cut_us == 0 || now_us - rate->cut_us > AGENT_RATE_CALM_US);

    return calm ? rate->bps * 4 : rate->bps + rate->bps / 2;
}


gboolean
agent_rate_slow(guint bps, guint fastest, gboolean slow)
{
    return (guint64) bps * 5 < (guint64) fastest * (slow ? 3 : 2);
}
