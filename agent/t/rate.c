
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The rate against links that are simulated: a bottleneck with a queue of so
 * many bytes, a delay, losses; reports as a browser makes them, ten a second.
 */

#include "agent_rate.h"
#include "tap.h"

#include <string.h>


#define MS       1000
#define PACKET   1200
#define REPORTS  4096
#define HOUR_US  G_GINT64_CONSTANT(3600000000)


typedef struct {
    gint64   left_us;
    gint64   came_us;               /* 0: lost */
} packet_t;


typedef struct {
    guint     bps;                  /* of the bottleneck */
    gsize     buffer;               /* bytes it holds */
    gint64    delay_us;             /* one way */
    guint     every;                /* each so manyth is lost; or 0 */
    gboolean  deaf;                 /* reports are lost */
    double    use;                  /* share of the rate that is sent */

    agent_rate_t  rate;
    gint64    now_us;
    gint64    free_us;              /* when the bottleneck is idle */
    double    credit;               /* bytes that may be sent */
    guint     n;
    guint     reported;
    packet_t  packets[REPORTS];
    gint      queue_ms;             /* the largest of the last run */
    guint64   carried;              /* bytes of the last run */
} link_t;


static void
link_init(link_t *l, guint bps, gsize buffer, guint max)
{
    memset(l, 0, sizeof(link_t));
    l->bps = bps;
    l->buffer = buffer;
    l->delay_us = 20 * MS;
    l->use = 1;
    l->now_us = (gint64) 1000 * G_USEC_PER_SEC;
    agent_rate_init(&l->rate, 100000, max, l->now_us);
}


static void
link_send(link_t *l)
{
    gint64     wait_us;
    packet_t  *p;

    p = &l->packets[l->n++ % REPORTS];
    p->left_us = l->now_us;
    p->came_us = 0;

    agent_rate_sent(&l->rate, l->now_us, PACKET);

    wait_us = MAX(l->free_us - l->now_us, 0);

    if ((gsize) (wait_us * l->bps / 8 / G_USEC_PER_SEC) + PACKET > l->buffer
        || (l->every != 0 && l->n % l->every == 0))
    {
        return;
    }

    l->free_us = l->now_us + wait_us
                 + (gint64) PACKET * 8 * G_USEC_PER_SEC / l->bps;
    p->came_us = l->free_us + l->delay_us;
    l->carried += PACKET;
    l->queue_ms = MAX(l->queue_ms, (gint) (wait_us / MS));
}


/* what has come by now, by a clock that is an hour ahead */

static void
link_report(link_t *l)
{
    packet_t  *p;

    for ( /* void */ ; l->reported < l->n; l->reported++) {
        p = &l->packets[l->reported % REPORTS];

        if (p->came_us + l->delay_us > l->now_us
            || (p->came_us == 0
                && p->left_us + 200 * MS + 2 * l->delay_us > l->now_us))
        {
            return;
        }

        if (l->deaf) {
            continue;
        }

        if (p->came_us == 0) {
            agent_rate_lost(&l->rate);

        } else {
            agent_rate_packet(&l->rate, p->left_us, p->came_us + HOUR_US,
                              PACKET);
        }
    }
}


/* the rate at the end */

static guint
link_run(link_t *l, guint ms)
{
    guint  i;

    l->queue_ms = 0;
    l->carried = 0;

    for (i = 1; i <= ms; i++) {
        l->now_us += MS;
        l->credit += l->rate.bps / 8000.0 * l->use;

        while (l->credit >= PACKET) {
            l->credit -= PACKET;
            link_send(l);
        }

        if (i % 100 == 0) {
            link_report(l);
        }

        if (i % AGENT_RATE_TICK_MS == 0) {
            agent_rate_tick(&l->rate, l->now_us);
        }
    }

    return l->rate.bps;
}


static void
within(guint got, guint from, guint to, const char *what)
{
    ok(got >= from && got <= to, "%s: %u, of %u to %u", what, got, from, to);
}


static void
test_wide(void)
{
    link_t  l;

    link_init(&l, 100000000, 1000000, 3000000);
    within(l.rate.bps, 1000000, 1000000, "a cautious start");
    within(link_run(&l, 3000), 3000000, 3000000, "a wide link: all there is");
    ok(l.queue_ms < 20, "and nothing waits: %d ms", l.queue_ms);
    within(agent_rate_pace(&l.rate, l.now_us), 12000000, 12000000,
           "a frame may leave quickly");
}


static void
test_narrow(void)
{
    guint   i;
    link_t  l;

    link_init(&l, 600000, 150000, 3000000);
    link_run(&l, 10000);

    for (i = 0; i < 6; i++) {
        within(link_run(&l, 5000), 350000, 700000,
               "a narrow link: what it carries");
        ok(l.carried * 8 / 5 > 400000, "it is used: %u bits/s",
           (guint) (l.carried * 8 / 5));
        ok(l.queue_ms < 500, "what waits is bounded: %d ms", l.queue_ms);
    }

    ok(agent_rate_pace(&l.rate, l.now_us) <= l.rate.bps * 2,
       "and a frame leaves slowly");
}


static void
test_changes(void)
{
    link_t  l;

    link_init(&l, 5000000, 600000, 3000000);
    within(link_run(&l, 5000), 2900000, 3000000, "before the link narrows");

    /* seconds of it wait there by then: they leave first */

    l.bps = 400000;
    within(link_run(&l, 5000), 100000, 400000, "it narrows: followed");
    within(link_run(&l, 15000), 200000, 480000, "and then used");
    link_run(&l, 2000);
    ok(l.queue_ms < 500, "what waited is gone: %d ms", l.queue_ms);

    l.bps = 5000000;
    within(link_run(&l, 40000), 2500000, 3000000, "it widens: followed");
}


static void
test_short_queue(void)
{
    link_t  l;

    /* a policer: hardly a queue, what is too much is dropped */

    link_init(&l, 800000, 6000, 3000000);
    link_run(&l, 10000);
    within(link_run(&l, 10000), 400000, 1000000, "loss alone: followed");
}


static void
test_random_loss(void)
{
    link_t  l;

    link_init(&l, 10000000, 100000, 3000000);
    link_run(&l, 3000);
    l.every = 25;
    within(link_run(&l, 10000), 2500000, 3000000,
           "4 of 100 lost by the air: kept");
    l.every = 4;
    within(link_run(&l, 10000), 100000, 1000000, "25 of 100 lost: less");
    l.every = 0;
    within(link_run(&l, 30000), 2000000, 3000000, "none lost: back");
}


static void
test_floor(void)
{
    link_t  l;

    link_init(&l, 30000, 30000, 3000000);
    within(link_run(&l, 20000), 100000, 110000, "never below the floor");
}


static void
test_still(void)
{
    guint   before;
    link_t  l;

    link_init(&l, 1200000, 150000, 3000000);
    before = link_run(&l, 10000);
    l.use = 0.01;
    within(link_run(&l, 60000), before, before, "a still desktop: kept");

    /* what is not used is not believed */

    link_init(&l, 100000000, 1000000, 3000000);
    l.use = 0.2;
    within(link_run(&l, 10000), 1000000, 1000000, "not used: not more");
}


static void
test_deaf(void)
{
    link_t  l;

    link_init(&l, 10000000, 100000, 3000000);
    link_run(&l, 5000);
    l.deaf = TRUE;
    within(link_run(&l, 6000), 100000, 200000, "no word: less each second");
    l.deaf = FALSE;
    within(link_run(&l, 30000), 2000000, 3000000, "a word: back");

    /* nothing was sent: there is nothing to hear of */

    link_init(&l, 10000000, 100000, 3000000);
    l.use = 0;
    l.deaf = TRUE;
    within(link_run(&l, 10000), 1000000, 1000000,
           "nothing said, nothing heard");
}


/* the least delay of long ago does not make a longer path a full one */

static void
test_longer_path(void)
{
    link_t  l;

    link_init(&l, 10000000, 100000, 3000000);
    link_run(&l, 5000);
    l.delay_us += 120 * MS;
    link_run(&l, 40000);
    within(link_run(&l, 40000), 2000000, 3000000, "another path: back");
}


/* round trips and shares lost, as receivers without transport-wide reports
 * tell them: seconds apart */

static void
test_receiver(void)
{
    guint         i;
    gint64        now_us;
    agent_rate_t  rate;

    now_us = (gint64) 1000 * G_USEC_PER_SEC;
    agent_rate_init(&rate, 100000, 3000000, now_us);

    for (i = 0; i < 20; i++) {
        agent_rate_sent(&rate, now_us, rate.bps / 8);
        now_us += G_USEC_PER_SEC;
        agent_rate_receiver(&rate, now_us, 0, 30);
    }

    within(rate.bps, 3000000, 3000000, "receiver reports: up");

    for (i = 0; i < 8; i++) {
        agent_rate_sent(&rate, now_us, rate.bps / 8);
        now_us += G_USEC_PER_SEC;
        agent_rate_receiver(&rate, now_us, 0, 230);
    }

    within(rate.bps, 100000, 800000, "a round trip that grew: down");

    agent_rate_init(&rate, 100000, 3000000, now_us);

    for (i = 0; i < 10; i++) {
        now_us += G_USEC_PER_SEC;
        agent_rate_receiver(&rate, now_us, 0.3, -1);
    }

    within(rate.bps, 100000, 400000, "much lost, no round trip: down");
}


static void
test_hostile(void)
{
    guint         i;
    gint64        now_us;
    agent_rate_t  rate;

    /* a receiver may say what it likes */

    now_us = (gint64) 1000 * G_USEC_PER_SEC;
    agent_rate_init(&rate, 100000, 3000000, now_us);

    for (i = 0; i < 2000; i++) {
        agent_rate_sent(&rate, now_us, 30000);
        agent_rate_packet(&rate, now_us,
                          (i % 3) ? G_MAXINT64 / 2 : -G_MAXINT64 / 2,
                          i * 100000);
        agent_rate_packet(&rate, -now_us, (gint64) i * 7919, G_MAXUINT32);
        agent_rate_lost(&rate);
        agent_rate_receiver(&rate, now_us + 1, (i % 7) - 3.0,
                            (i % 2) ? G_MAXINT / 1000 : -5);
        now_us += 200 * MS;
        agent_rate_tick(&rate, now_us);

        if (rate.bps < 100000 || rate.bps > 3000000) {
            break;
        }
    }

    is_int(i, 2000, "whatever is reported: within the bounds");

    agent_rate_init(&rate, 500000, 100000, 0);
    is_int(rate.bps, 500000, "a floor above the most: the floor");
}


static void
test_slow(void)
{
    ok(!agent_rate_slow(1000000, 1000000, FALSE), "the fastest is not slow");
    ok(!agent_rate_slow(500000, 1000000, FALSE), "half is not slow");
    ok(agent_rate_slow(390000, 1000000, FALSE), "less than two fifths is");
    ok(agent_rate_slow(590000, 1000000, TRUE), "who is slow stays so");
    ok(!agent_rate_slow(600000, 1000000, TRUE), "until he has three fifths");
    ok(agent_rate_slow(100000, G_MAXUINT, FALSE), "large numbers");
}


static guint
decoded(agent_rate_t *rate, guint frames, guint dropped, guint decode_ms)
{
    agent_rate_decoder_t  decoder = { 2000, frames, dropped, decode_ms };

    return agent_rate_decoded(rate, &decoder);
}


static void
test_decoder(void)
{
    guint         i, fps;
    agent_rate_t  rate;

    agent_rate_init(&rate, 100000, 3000000, 0);

    is_int(decoded(&rate, 50, 0, 400), 0, "a decoder with time to spare");
    is_int(decoded(&rate, 50, 0, 1300), 0, "one that is busy");
    fps = decoded(&rate, 50, 0, 1900);
    within(fps, 14, 18, "one that has hardly time: less");
    is_int(decoded(&rate, 2, 2, 1900), fps, "a still desktop says nothing");
    within(decoded(&rate, 20, 20, 800), 7, 9, "one that drops: less");
    is_int(decoded(&rate, 0, 40, 0), 2, "one that drops all of it: the least");

    for (i = 0, fps = 2; i < 30 && fps != 0; i++) {
        fps = decoded(&rate, 10, 0, 100);
    }

    ok(fps == 0 && i > 5, "time again: more, step by step, %u of them", i);

    decoded(&rate, 5, G_MAXUINT - 5, G_MAXUINT);
    within(rate.fps, 2, 60, "whatever it says");
}


int
main(void)
{
    test_wide();
    test_narrow();
    test_changes();
    test_short_queue();
    test_random_loss();
    test_floor();
    test_still();
    test_deaf();
    test_longer_path();
    test_receiver();
    test_hostile();
    test_slow();
    test_decoder();

    return done();
}
