
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What is kept, what is sent again and in which order, for how long, and how
 * fast.
 */

#include "agent_outbox.h"
#include "tap.h"

#include <string.h>


#define S  ((gint64) G_USEC_PER_SEC)


static void
on_send(void *data, const char *text)
{
    g_string_append_printf(data, "%s ", text);
}


static void
say(agent_outbox_t *box, gint64 now_us)
{
    gint64  id;

    id = agent_outbox_next(box);
    agent_outbox_put(box, id, g_strdup_printf("%" G_GINT64_FORMAT, id),
                     now_us);
}


/* what a flush gives now */

static const char *
sent(agent_outbox_t *box, GString *out, gint64 now_us)
{
    g_string_truncate(out, 0);
    agent_outbox_flush(box, now_us);

    return out->str;
}


static guint
count(const GString *out)
{
    guint        n;
    const char  *p;

    n = 0;

    for (p = out->str; *p != '\0'; p++) {
        n += (*p == ' ');
    }

    return n;
}


static void
test_again(void)
{
    g_autoptr(GString)   out = g_string_new(NULL);
    agent_outbox_t      *box = agent_outbox_new(on_send, out);

    agent_outbox_restart(box, 0);
    say(box, 0);
    say(box, 0);
    is_str(sent(box, out, 0), "1 2 ", "in order");
    is_str(sent(box, out, 0), "", "once");

    agent_outbox_ack(box, 1, 0);
    agent_outbox_restart(box, S);
    say(box, S);
    is_str(sent(box, out, S), "2 3 ",
           "another socket: what was not acked, before what is new");

    agent_outbox_ack(box, 3, S);
    agent_outbox_ack(box, 99, S);
    agent_outbox_restart(box, 2 * S);
    is_str(sent(box, out, 2 * S), "2 ", "an unknown ack means nothing");
    agent_outbox_ack(box, 2, 2 * S);

    /* 1 and 2 were said 31 s ago, 3 30 s ago */

    agent_outbox_resync(box, 31 * S);
    is_str(sent(box, out, 31 * S), "3 ", "resync: the last 30 s");

    /* what was asked for again counts as unacked until it is acked again */

    agent_outbox_restart(box, 32 * S);
    is_str(sent(box, out, 32 * S), "3 ", "also when that socket breaks");
    agent_outbox_ack(box, 3, 32 * S);
    agent_outbox_restart(box, 33 * S);
    is_str(sent(box, out, 33 * S), "", "and no longer");

    agent_outbox_free(box);
}


static void
test_unacked_is_kept(void)
{
    g_autoptr(GString)   out = g_string_new(NULL);
    agent_outbox_t      *box = agent_outbox_new(on_send, out);

    agent_outbox_restart(box, 0);
    say(box, 0);
    sent(box, out, 0);
    say(box, 100 * S);
    agent_outbox_restart(box, 100 * S);
    is_str(sent(box, out, 100 * S), "1 2 ", "unacked is kept however old");
    agent_outbox_resync(box, 100 * S);
    is_str(sent(box, out, 100 * S), "1 2 ", "and part of a resync");

    agent_outbox_free(box);
}


static void
test_pace(void)
{
    guint                i, n, wait_ms, most;
    gint64               now_us;
    g_autoptr(GString)   out = g_string_new(NULL);
    agent_outbox_t      *box = agent_outbox_new(on_send, out);

    now_us = 1000 * S;
    agent_outbox_restart(box, now_us);

    for (i = 0; i < 200; i++) {
        say(box, now_us);
    }

    wait_ms = agent_outbox_flush(box, now_us);
    is_int(count(out), AGENT_OUTBOX_BURST, "a burst, no more");
    ok(wait_ms > 0 && wait_ms <= 1000 / AGENT_OUTBOX_RATE + 1,
       "the next one in %u ms", wait_ms);

    for (i = 0, n = 0; wait_ms != 0 && i < 1000; i++) {
        now_us += wait_ms * 1000;
        g_string_truncate(out, 0);
        wait_ms = agent_outbox_flush(box, now_us);
        n += count(out);
    }

    is_int(n, 200 - AGENT_OUTBOX_BURST, "all the others");
    most = (guint) ((now_us - 1000 * S) * AGENT_OUTBOX_RATE / S) + 1;
    ok(n <= most && n + 20 >= most, "%u of at most %u in that time", n, most);
    g_string_truncate(out, 0);
    ok(agent_outbox_flush(box, now_us) == 0 && out->len == 0,
       "then nothing is left");

    /* hours of silence are no credit for more than a burst */

    now_us += 7200 * S;

    for (i = 0; i < 200; i++) {
        say(box, now_us);
    }

    g_string_truncate(out, 0);
    agent_outbox_flush(box, now_us);
    is_int(count(out), AGENT_OUTBOX_BURST, "a burst after a long silence");

    agent_outbox_free(box);
}


static void
on_log(const char *domain, GLogLevelFlags level, const char *message,
    gpointer data)
{
    (void) domain;
    (void) level;
    (void) message;

    (*(guint *) data)++;
}


static void
test_bounds(void)
{
    guint                i, warned = 0;
    char                *text;
    const char          *first;
    g_autoptr(GString)   out = g_string_new(NULL);
    agent_outbox_t      *box = agent_outbox_new(on_send, out);

    g_log_set_handler("rs-session", G_LOG_LEVEL_WARNING, on_log, &warned);

    agent_outbox_restart(box, 0);

    for (i = 0; i < AGENT_OUTBOX_MAX + 10; i++) {
        say(box, 0);
    }

    first = sent(box, out, 0);
    ok(g_str_has_prefix(first, "11 12 "), "past the bound the oldest goes");
    is_int(warned, 10, "and it is said");

    agent_outbox_free(box);

    box = agent_outbox_new(on_send, out);
    agent_outbox_restart(box, 0);

    for (i = 0; i < 40; i++) {
        text = g_strnfill(64 * 1024, 'x');
        text[0] = (char) ('A' + i);
        agent_outbox_put(box, agent_outbox_next(box), text, 0);
    }

    sent(box, out, 0);
    ok(count(out) <= AGENT_OUTBOX_SIZE / (64 * 1024) + 1,
       "bytes are bounded: %u messages", count(out));
    is_int(out->str[0], 'A' + 40 - count(out), "of the newest");

    agent_outbox_free(box);
}


int
main(void)
{
    test_again();
    test_unacked_is_kept();
    test_pace();
    test_bounds();

    return done();
}
