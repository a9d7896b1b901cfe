
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the thread that waits for the disk.  A disk that takes less than what
 * comes is an error as one that is full is: a queue without an end would be a
 * recording that nobody has yet.  One that hangs does not tell: that is seen
 * from the main loop, which never waits for it.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_writer.h"
#include "record_error.h"


#define RECORD_WRITER_CHECKS  20        /* within the time a job has */
#define RECORD_WRITER_TIMES   3         /* late in a row: not just stopped */


typedef enum {
    RECORD_JOB_BEGIN = 0,
    RECORD_JOB_MEDIA,
    RECORD_JOB_GAP,
    RECORD_JOB_EVENT,
    RECORD_JOB_TICK,
    RECORD_JOB_END,
    RECORD_JOB_QUIT
} record_job_e;


typedef struct {
    record_job_e      kind;
    gint64            t_ms;
    gint64            dur_ms;
    guint             why;
    gboolean          kept;
    char             *reason;
    json_t           *event;
    record_segment_t  segment;
    gsize             size;
    gint64            pushed_us;
} record_job_t;


struct record_writer_s {
    record_writer_events_t  events;
    void                   *data;
    record_store_params_t   params;
    char                   *text[6];    /* that params point to */
    GThread                *thread;
    GAsyncQueue            *jobs;
    gsize                   waiting;    /* atomic: bytes */
    gint                    refs;       /* atomic: hops, and the owner's */

    guint                   timer;      /* main loop, as all of these */
    guint                   late_ms;
    guint                   times;      /* that it was late, in a row */
    gboolean                late;       /* nothing more is taken */
    gboolean                over;       /* the last event has run */
    gboolean                closed;
    GDestroyNotify          freed;
    void                   *freed_data;

    GMutex                  lock;       /* of these */
    gint64                  since_us;   /* the job under way waits; 0: none */
    gboolean                left;       /* nobody joins the thread */

    record_store_t         *store;      /* the thread's */
    gboolean                failed;     /* the thread's */
};


typedef struct {
    record_writer_t  *writer;
    GError           *error;
    record_sum_t      sum;
} record_told_t;


static gpointer record_writer_run(gpointer data);
static gboolean record_writer_do(record_writer_t *writer, record_job_t *job,
    record_sum_t *sum, GError **error);
static void record_writer_push(record_writer_t *writer, record_job_t *job);
static gint64 record_writer_age(record_writer_t *writer);
static gboolean record_writer_check(gpointer data);
static void record_writer_give_up(record_writer_t *writer, GError *error);
static gboolean record_writer_let_go(gpointer data);
static void record_writer_tell(record_writer_t *writer, GError *error,
    const record_sum_t *sum);
static gboolean record_writer_told(gpointer data);
static void record_job_free(record_job_t *job);


record_writer_t *
record_writer_new(const record_store_params_t *params,
    const record_writer_events_t *events, void *data)
{
    record_job_t     *job;
    record_writer_t  *writer;

    writer = g_new0(record_writer_t, 1);
    writer->events = *events;
    writer->data = data;
    writer->refs = 1;
    writer->jobs = g_async_queue_new();

    writer->params = *params;
    writer->params.dir = writer->text[0] = g_strdup(params->dir);
    writer->params.id = writer->text[1] = g_strdup(params->id);
    writer->params.session_id = writer->text[2]
                              = g_strdup(params->session_id);
    writer->params.tenant = writer->text[3] = g_strdup(params->tenant);
    writer->params.device_id = writer->text[4] = g_strdup(params->device_id);
    writer->params.public_key = writer->text[5]
                              = g_strdup(params->public_key);
    writer->params.session = json_deep_copy(params->session);
    writer->params.auditors = record_auditors_ref(
                                  (record_auditors_t *) params->auditors);
    g_mutex_init(&writer->lock);
    record_writer_patience(writer, RECORD_WRITER_LATE_MS);

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_BEGIN;
    record_writer_push(writer, job);
    writer->thread = g_thread_new("record", record_writer_run, writer);

    return writer;
}


void
record_writer_patience(record_writer_t *writer, guint late_ms)
{
    writer->late_ms = late_ms;
    g_clear_handle_id(&writer->timer, g_source_remove);
    writer->timer = g_timeout_add(late_ms / RECORD_WRITER_CHECKS,
                                  record_writer_check, writer);
}


static void
record_writer_unref(record_writer_t *writer)
{
    gsize            i;
    void            *data;
    GDestroyNotify   freed;

    if (!g_atomic_int_dec_and_test(&writer->refs)) {
        return;
    }

    g_clear_pointer(&writer->store, record_store_free);
    g_async_queue_unref(writer->jobs);
    json_decref(writer->params.session);
    record_auditors_free((record_auditors_t *) writer->params.auditors);
    g_mutex_clear(&writer->lock);

    for (i = 0; i < G_N_ELEMENTS(writer->text); i++) {
        g_free(writer->text[i]);
    }

    freed = writer->freed;
    data = writer->freed_data;
    g_free(writer);

    if (freed != NULL) {
        freed(data);
    }
}


void
record_writer_free(record_writer_t *writer, GDestroyNotify freed, void *data)
{
    gboolean       left;
    record_job_t  *job;

    writer->closed = TRUE;
    writer->freed = freed;
    writer->freed_data = data;
    g_clear_handle_id(&writer->timer, g_source_remove);

    left = writer->late
           || record_writer_age(writer) > (gint64) writer->late_ms * 1000 / 4;

    g_mutex_lock(&writer->lock);
    writer->left = left;
    g_mutex_unlock(&writer->lock);

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_QUIT;
    g_async_queue_push(writer->jobs, job);

    if (left) {
        g_warning("%s/%s: the disk does not answer: left to itself",
                  writer->params.dir, writer->params.id);
        return;
    }

    g_thread_join(writer->thread);
    record_writer_unref(writer);
}


/* the thread is at its end */

static gboolean
record_writer_let_go(gpointer data)
{
    record_writer_t  *writer = data;

    g_thread_join(writer->thread);
    record_writer_unref(writer);

    return G_SOURCE_REMOVE;
}


static void
record_job_free(record_job_t *job)
{
    g_clear_pointer(&job->segment.bytes, g_bytes_unref);
    json_decref(job->event);
    g_free(job->reason);
    g_free(job);
}


static void
record_writer_push(record_writer_t *writer, record_job_t *job)
{
    if (!writer->late
        && (gsize) g_atomic_pointer_get(&writer->waiting) + job->size
           > RECORD_WRITER_MAX)
    {
        record_writer_give_up(writer, g_error_new(RECORD_ERROR,
            RECORD_ERROR_FULL, "the disk of %s is too slow: %d MiB wait for "
            "it", writer->params.dir, RECORD_WRITER_MAX / 1024 / 1024));
    }

    if (writer->late) {
        record_job_free(job);
        return;
    }

    job->pushed_us = g_get_monotonic_time();
    g_atomic_pointer_add(&writer->waiting, (gssize) job->size);
    g_async_queue_push(writer->jobs, job);
}


/* how long the oldest job waits for the disk */

static gint64
record_writer_age(record_writer_t *writer)
{
    gint64  since_us;

    g_mutex_lock(&writer->lock);
    since_us = writer->since_us;
    g_mutex_unlock(&writer->lock);

    return (since_us != 0) ? g_get_monotonic_time() - since_us : 0;
}


static gboolean
record_writer_check(gpointer data)
{
    gint64            age_us;
    record_writer_t  *writer = data;

    age_us = record_writer_age(writer);

    if (age_us <= (gint64) writer->late_ms * 1000) {
        writer->times = 0;
        return G_SOURCE_CONTINUE;
    }

    if (++writer->times < RECORD_WRITER_TIMES) {
        return G_SOURCE_CONTINUE;
    }

    writer->timer = 0;
    record_writer_give_up(writer, g_error_new(RECORD_ERROR, RECORD_ERROR_FULL,
        "the disk of %s hangs: nothing was written for %" G_GINT64_FORMAT
        " ms", writer->params.dir, age_us / 1000));

    return G_SOURCE_REMOVE;
}


/* told once, not below who pushes; takes error over */

static void
record_writer_give_up(record_writer_t *writer, GError *error)
{
    writer->late = TRUE;
    g_clear_handle_id(&writer->timer, g_source_remove);
    record_writer_tell(writer, error, NULL);
}


void
record_writer_media(record_writer_t *writer, const record_segment_t *segment)
{
    record_job_t  *job;

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_MEDIA;
    job->segment = *segment;
    job->segment.bytes = g_bytes_ref(segment->bytes);
    job->size = g_bytes_get_size(segment->bytes);
    record_writer_push(writer, job);
}


void
record_writer_gap(record_writer_t *writer, gint64 t_ms, gint64 dur_ms,
    guint why)
{
    record_job_t  *job;

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_GAP;
    job->t_ms = t_ms;
    job->dur_ms = dur_ms;
    job->why = why;
    record_writer_push(writer, job);
}


void
record_writer_event(record_writer_t *writer, gint64 t_ms, json_t *event)
{
    record_job_t  *job;

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_EVENT;
    job->t_ms = t_ms;
    job->event = event;
    record_writer_push(writer, job);
}


void
record_writer_tick(record_writer_t *writer, gint64 now_ms)
{
    record_job_t  *job;

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_TICK;
    job->t_ms = now_ms;
    record_writer_push(writer, job);
}


void
record_writer_end(record_writer_t *writer, gint64 t_ms, gboolean kept,
    const char *reason)
{
    record_job_t  *job;

    job = g_new0(record_job_t, 1);
    job->kind = RECORD_JOB_END;
    job->t_ms = t_ms;
    job->kept = kept;
    job->reason = g_strdup(reason);
    record_writer_push(writer, job);
}


/* the thread from here on */

static gboolean
record_writer_do(record_writer_t *writer, record_job_t *job,
    record_sum_t *sum, GError **error)
{
    json_t  *event;

    switch (job->kind) {

    case RECORD_JOB_BEGIN:
        writer->store = record_store_new(&writer->params, error);
        return writer->store != NULL;

    case RECORD_JOB_MEDIA:
        return record_store_media(writer->store, &job->segment, error);

    case RECORD_JOB_GAP:
        return record_store_gap(writer->store, job->t_ms, job->dur_ms,
                                job->why, error);

    case RECORD_JOB_EVENT:
        event = job->event;
        job->event = NULL;
        return record_store_event(writer->store, job->t_ms, event, error);

    case RECORD_JOB_TICK:
        return record_store_tick(writer->store, job->t_ms, error);

    default:
        return record_store_end(writer->store, job->t_ms, job->kept,
                                job->reason, sum, error);
    }
}


static gpointer
record_writer_run(gpointer data)
{
    GError           *error;
    gboolean          quit, end, left;
    record_sum_t      sum;
    record_job_t     *job;
    record_writer_t  *writer = data;

    do {
        job = g_async_queue_pop(writer->jobs);
        quit = (job->kind == RECORD_JOB_QUIT);
        end = (job->kind == RECORD_JOB_END);
        error = NULL;

        g_mutex_lock(&writer->lock);
        writer->since_us = job->pushed_us;
        left = writer->left;
        g_mutex_unlock(&writer->lock);

        if (!quit && !writer->failed) {
            writer->failed = !record_writer_do(writer, job, &sum, &error);

            if (writer->failed || end) {
                record_writer_tell(writer, error, &sum);
            }
        }

        g_mutex_lock(&writer->lock);
        writer->since_us = 0;
        g_mutex_unlock(&writer->lock);

        g_atomic_pointer_add(&writer->waiting, -(gssize) job->size);
        record_job_free(job);

    } while (!quit);

    if (left) {
        g_idle_add_full(G_PRIORITY_DEFAULT, record_writer_let_go, writer,
                        NULL);
    }

    return NULL;
}


static void
record_writer_tell(record_writer_t *writer, GError *error,
    const record_sum_t *sum)
{
    record_told_t  *told;

    told = g_new0(record_told_t, 1);
    told->writer = writer;
    told->error = error;

    if (error == NULL) {
        told->sum = *sum;
    }

    g_atomic_int_inc(&writer->refs);
    g_idle_add_full(G_PRIORITY_DEFAULT, record_writer_told, told, NULL);
}


/* the main loop again */

static gboolean
record_writer_told(gpointer data)
{
    record_told_t    *told = data;
    record_writer_t  *writer = told->writer;

    if (writer->closed || writer->over) {
        /* nobody wants to know */

    } else if (told->error != NULL) {
        writer->over = TRUE;
        writer->events.failed(writer->data, told->error);

    } else {
        writer->over = TRUE;
        writer->events.ended(writer->data, &told->sum);
    }

    g_clear_error(&told->error);
    g_free(told);
    record_writer_unref(writer);

    return G_SOURCE_REMOVE;
}
