
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns two sockets and one GSource that looks at both.  A direction reads only
 * into room it has and writes only what is there; its end is passed on when
 * everything before it was.  A socket that nothing is wanted of is not looked
 * at: poll() would tell of its end again and again.
 */

#include "render_pump.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


typedef struct {
    guint8           bytes[RENDER_PUMP_BUFFER];
    gsize            at;
    gsize            len;               /* behind at */
    guint64          total;
    gboolean         eof;               /* nothing more is read */
    gboolean         shut;              /* ... and that was passed on */
} render_pump_way_t;


typedef struct {
    int              fd;
    gpointer         tag;               /* NULL: is not looked at */
    GIOCondition     wanted;
} render_pump_end_t;


/* of what is read from end[i], way[i] */

struct render_pump_s {
    GSource              *source;
    render_pump_done_pt   done;         /* NULL: said */
    void                 *data;
    gint64                idle_us;
    gint64                moved_us;
    render_pump_end_t     end[2];
    render_pump_way_t     way[2];
};


typedef struct {
    GSource          source;
    render_pump_t   *pump;
} render_pump_source_t;


static gboolean render_pump_prepare(GSource *source, gint *timeout);
static gboolean render_pump_check(GSource *source);
static gboolean render_pump_dispatch(GSource *source, GSourceFunc callback,
    gpointer data);
static gboolean render_pump_move(render_pump_t *pump, guint i);
static gboolean render_pump_read(render_pump_t *pump, guint i);
static gboolean render_pump_write(render_pump_t *pump, guint i);
static void render_pump_look(render_pump_t *pump);


static GSourceFuncs  render_pump_funcs = {
    render_pump_prepare,
    render_pump_check,
    render_pump_dispatch,
    NULL, NULL, NULL
};


render_pump_t *
render_pump_new(int a, int b, const void *first, gsize len, guint idle_s,
    render_pump_done_pt done, void *data)
{
    render_pump_t  *pump;

    g_assert(len <= RENDER_PUMP_BUFFER);

    pump = g_new0(render_pump_t, 1);
    pump->end[0].fd = a;
    pump->end[1].fd = b;
    pump->done = done;
    pump->data = data;
    pump->idle_us = (gint64) idle_s * G_USEC_PER_SEC;
    pump->moved_us = g_get_monotonic_time();

    memcpy(pump->way[0].bytes, first, len);
    pump->way[0].len = len;

    pump->source = g_source_new(&render_pump_funcs,
                                sizeof(render_pump_source_t));
    ((render_pump_source_t *) pump->source)->pump = pump;
    g_source_set_ready_time(pump->source, pump->moved_us + pump->idle_us);
    render_pump_look(pump);
    (void) g_source_attach(pump->source, NULL);

    return pump;
}


void
render_pump_free(render_pump_t *pump)
{
    if (pump == NULL) {
        return;
    }

    g_source_destroy(pump->source);
    g_source_unref(pump->source);
    (void) close(pump->end[0].fd);
    (void) close(pump->end[1].fd);
    g_free(pump);
}


void
render_pump_bytes(const render_pump_t *pump, guint64 *to_b, guint64 *to_a)
{
    *to_b = pump->way[0].total;
    *to_a = pump->way[1].total;
}


static gboolean
render_pump_prepare(GSource *source, gint *timeout)
{
    (void) source;

    *timeout = -1;

    return FALSE;
}


static gboolean
render_pump_check(GSource *source)
{
    guint           i;
    render_pump_t  *pump = ((render_pump_source_t *) source)->pump;

    for (i = 0; i < 2; i++) {
        if (pump->end[i].tag != NULL
            && g_source_query_unix_fd(source, pump->end[i].tag) != 0)
        {
            return TRUE;
        }
    }

    return FALSE;
}


static gboolean
render_pump_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    gint64          now;
    gboolean        alive;
    render_pump_t  *pump = ((render_pump_source_t *) source)->pump;

    (void) callback;
    (void) data;

    now = g_source_get_time(source);
    alive = render_pump_move(pump, 0) && render_pump_move(pump, 1)
            && !(pump->way[0].shut && pump->way[1].shut);

    if (alive && now - pump->moved_us < pump->idle_us) {
        g_source_set_ready_time(source, pump->moved_us + pump->idle_us);
        render_pump_look(pump);

        return G_SOURCE_CONTINUE;
    }

    pump->done(pump->data);

    return G_SOURCE_REMOVE;
}


/* FALSE: broken */

static gboolean
render_pump_move(render_pump_t *pump, guint i)
{
    render_pump_way_t  *way = &pump->way[i];

    if (way->shut) {
        return TRUE;
    }

    if (!render_pump_read(pump, i) || !render_pump_write(pump, i)) {
        return FALSE;
    }

    if (way->eof && way->len == 0) {
        way->shut = TRUE;
        (void) shutdown(pump->end[1 - i].fd, SHUT_WR);
    }

    return TRUE;
}


static gboolean
render_pump_read(render_pump_t *pump, guint i)
{
    ssize_t             n;
    render_pump_way_t  *way = &pump->way[i];

    /* once around: both ways and other connections get their turn */

    if (way->eof || way->at + way->len == RENDER_PUMP_BUFFER) {
        return TRUE;
    }

    n = recv(pump->end[i].fd, way->bytes + way->at + way->len,
             RENDER_PUMP_BUFFER - way->at - way->len, 0);

    if (n == -1) {
        return errno == EAGAIN || errno == EINTR;
    }

    way->eof = (n == 0);
    way->len += (gsize) n;
    pump->moved_us = g_source_get_time(pump->source);

    return TRUE;
}


static gboolean
render_pump_write(render_pump_t *pump, guint i)
{
    ssize_t             n;
    render_pump_way_t  *way = &pump->way[i];

    if (way->len == 0) {
        return TRUE;
    }

    n = send(pump->end[1 - i].fd, way->bytes + way->at, way->len,
             MSG_NOSIGNAL);

    if (n == -1) {
        return errno == EAGAIN || errno == EINTR;
    }

    way->total += (guint64) n;
    way->len -= (gsize) n;
    way->at = (way->len == 0) ? 0 : way->at + (gsize) n;
    pump->moved_us = g_source_get_time(pump->source);

    return TRUE;
}


static void
render_pump_look(render_pump_t *pump)
{
    guint                     i;
    GIOCondition              wanted;
    render_pump_end_t        *end;
    const render_pump_way_t  *in, *out;

    for (i = 0; i < 2; i++) {
        end = &pump->end[i];
        in = &pump->way[i];
        out = &pump->way[1 - i];
        wanted = 0;

        if (!in->eof && in->at + in->len < RENDER_PUMP_BUFFER) {
            wanted |= G_IO_IN;
        }

        if (out->len != 0) {
            wanted |= G_IO_OUT;
        }

        if (wanted == end->wanted) {
            continue;
        }

        end->wanted = wanted;

        if (end->tag != NULL) {
            g_source_remove_unix_fd(pump->source, end->tag);
            end->tag = NULL;
        }

        if (wanted != 0) {
            end->tag = g_source_add_unix_fd(pump->source, end->fd, wanted);
        }
    }
}
