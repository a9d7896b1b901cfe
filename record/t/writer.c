
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A disk that hangs: who writes is told, waits for nothing, and is told again
 * when the disk has let go.  It is played by the signing, which is done by the
 * same thread.
 */

#include "fixture.h"
#include "../record_writer.h"


#define LATE_MS  400
#define MEBI     (1024 * 1024)

#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;          \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


static fixture_t  f;
static GMutex     disk;                 /* held: it hangs */
static gint       hangs;                /* atomic: somebody waits for it */
static guint      failed;
static guint      ended;
static guint      freed;


static char *
on_sign(void *data, const guint8 *text, gsize len, GError **error)
{
    g_atomic_int_inc(&hangs);
    g_mutex_lock(&disk);
    g_mutex_unlock(&disk);
    (void) g_atomic_int_dec_and_test(&hangs);

    return agent_key_sign(data, text, len, error);
}


static void
on_failed(void *data, const GError *error)
{
    (void) data;
    printf("# %s\n", error->message);
    failed++;
}


static void
on_ended(void *data, const record_sum_t *sum)
{
    (void) data;
    (void) sum;
    ended++;
}


static void
on_freed(void *data)
{
    *(guint *) data += 1;
}


static const record_writer_events_t  events = { on_failed, on_ended };


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
wait_ms(guint ms)
{
    gint64  end_us = g_get_monotonic_time() + ms * 1000;

    while (g_get_monotonic_time() < end_us) {
        g_main_context_iteration(NULL, TRUE);
    }
}


static void
media(record_writer_t *writer, gsize len)
{
    g_autoptr(GBytes)  bytes = g_bytes_new_take(g_malloc0(len), len);
    record_segment_t   segment = { bytes, 0, 1000, TRUE, TRUE, "video/webm" };

    record_writer_media(writer, &segment);
}


static record_writer_t *
start(const char *id)
{
    record_writer_t  *writer;

    failed = ended = freed = 0;
    f.params.id = id;
    writer = record_writer_new(&f.params, &events, NULL);
    record_writer_patience(writer, LATE_MS);

    return writer;
}


/* it takes nothing for long */

static void
test_hangs(void)
{
    gint64            start_us;
    record_writer_t  *writer;

    g_mutex_lock(&disk);
    writer = start("rec_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    media(writer, 3);
    wait_ms(LATE_MS / 2);
    ok(failed == 0, "a disk may be slow");
    WAIT(failed != 0);
    ok(failed == 1, "one that hangs is seen");
    media(writer, 3);
    record_writer_end(writer, 1000, TRUE, "ended");
    wait_ms(2 * LATE_MS);
    ok(failed == 1, "which is told once");

    start_us = g_get_monotonic_time();
    record_writer_free(writer, on_freed, &freed);
    ok(g_get_monotonic_time() - start_us < G_USEC_PER_SEC && freed == 0,
       "nobody waits for it");
    g_mutex_unlock(&disk);
    WAIT(freed != 0);
    ok(freed == 1 && failed == 1 && ended == 0,
       "who waits for the files is told when it has let go");
}


/* its owner has no time, and it was not told yet */

static void
test_left(void)
{
    gint64            start_us;
    record_writer_t  *writer;

    g_mutex_lock(&disk);
    writer = start("rec_bbbbbbbbbbbbbbbbbbbbbbbbbb");
    record_writer_end(writer, 1000, TRUE, "ended");
    WAIT(g_atomic_int_get(&hangs) != 0);
    wait_ms(LATE_MS / 2);
    start_us = g_get_monotonic_time();
    record_writer_free(writer, on_freed, &freed);
    ok(g_get_monotonic_time() - start_us < G_USEC_PER_SEC && freed == 0,
       "nor does who has to go before it is told");
    g_mutex_unlock(&disk);
    WAIT(freed != 0);
    ok(freed == 1 && failed == 0 && ended == 0, "let go of");
}


/* it takes nothing, and much comes */

static void
test_full(void)
{
    guint             i;
    gint64            start_us;
    record_writer_t  *writer;

    g_mutex_lock(&disk);
    writer = start("rec_cccccccccccccccccccccccccc");
    record_writer_patience(writer, RECORD_WRITER_LATE_MS);
    start_us = g_get_monotonic_time();

    for (i = 0; i <= RECORD_WRITER_MAX / MEBI; i++) {
        media(writer, MEBI);
    }

    ok(failed == 0, "nothing is told below who writes");
    WAIT(failed != 0);
    ok(failed == 1 && g_get_monotonic_time() - start_us < 10 * G_USEC_PER_SEC,
       "what waits for it has a bound");
    record_writer_free(writer, on_freed, &freed);
    ok(freed == 0, "left");
    g_mutex_unlock(&disk);
    WAIT(freed != 0);
    ok(freed == 1 && failed == 1, "and let go of");
}


static void
test_well(void)
{
    record_writer_t  *writer;

    writer = start("rec_dddddddddddddddddddddddddd");
    record_writer_patience(writer, RECORD_WRITER_LATE_MS);
    media(writer, 3);
    record_writer_end(writer, 1000, TRUE, "ended");
    WAIT(ended != 0);
    record_writer_free(writer, on_freed, &freed);
    ok(ended == 1 && freed == 1 && failed == 0,
       "one that works is let go of at once");
}


int
main(void)
{
    fixture_init(&f, RECORD_KEYGEN_EC);
    g_mkdir_with_parents(f.recordings, 0700);
    f.params.sign = on_sign;
    g_timeout_add(20, tick, NULL);

    test_well();
    test_hangs();
    test_left();
    test_full();

    fixture_done(&f);

    return done();
}
