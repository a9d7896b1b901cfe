
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns both ends of the debugging pipe.  What comes out of it is a stranger's:
 * librs/rs_cdp reads it.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_cdp.h"
#include "rs_cdp.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>


#define RENDER_CDP_TURN   16            /* reads */
#define RENDER_CDP_BYTES  (RS_CDP_MESSAGE_MAX + 65536)


typedef struct {
    render_cdp_done_pt   done;
    void                *data;
    GDestroyNotify       destroy;
} render_cdp_call_t;


struct render_cdp_s {
    int                          in;
    int                          out;
    guint                        readable;
    guint                        writable;
    guint                        late;          /* closed() is to come */
    const char                  *why;
    const render_cdp_events_t   *events;
    void                        *data;
    guint8                      *memory;
    rs_cdp_buf_t                 buf;
    GByteArray                  *unsent;
    GHashTable                  *calls;         /* id -> render_cdp_call_t */
    guint64                      last;
    gboolean                    *gone;          /* freed inside of an event */
};


static gboolean render_cdp_on_readable(int fd, GIOCondition condition,
    gpointer data);
static gboolean render_cdp_on_writable(int fd, GIOCondition condition,
    gpointer data);
static void render_cdp_write(render_cdp_t *cdp);
static gboolean render_cdp_drain(render_cdp_t *cdp);
static void render_cdp_message(render_cdp_t *cdp, rs_str_t text);
static void render_cdp_answer(render_cdp_t *cdp, const rs_cdp_msg_t *msg);
static void render_cdp_call_free(void *data);
static void render_cdp_close(render_cdp_t *cdp, const char *why);
static gboolean render_cdp_closed(gpointer data);


render_cdp_t *
render_cdp_new(int in, int out, const render_cdp_events_t *events, void *data)
{
    render_cdp_t  *cdp;

    cdp = g_new0(render_cdp_t, 1);
    cdp->in = in;
    cdp->out = out;
    cdp->events = events;
    cdp->data = data;
    cdp->memory = g_malloc(RENDER_CDP_BYTES);
    rs_cdp_buf_init(&cdp->buf, cdp->memory, RENDER_CDP_BYTES);
    cdp->unsent = g_byte_array_new();
    cdp->calls = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                       render_cdp_call_free);

    (void) g_unix_set_fd_nonblocking(in, TRUE, NULL);
    (void) g_unix_set_fd_nonblocking(out, TRUE, NULL);
    cdp->readable = g_unix_fd_add(in, G_IO_IN|G_IO_HUP|G_IO_ERR,
                                  render_cdp_on_readable, cdp);

    return cdp;
}


static void
render_cdp_call_free(void *data)
{
    render_cdp_call_t  *call = data;

    if (call->destroy != NULL) {
        call->destroy(call->data);
    }

    g_free(call);
}


void
render_cdp_free(render_cdp_t *cdp)
{
    if (cdp->gone != NULL) {
        *cdp->gone = TRUE;
    }

    g_clear_handle_id(&cdp->readable, g_source_remove);
    g_clear_handle_id(&cdp->writable, g_source_remove);
    g_clear_handle_id(&cdp->late, g_source_remove);
    (void) close(cdp->in);
    (void) close(cdp->out);
    g_byte_array_unref(cdp->unsent);
    g_hash_table_unref(cdp->calls);
    g_free(cdp->memory);
    g_free(cdp);
}


static void
render_cdp_close(render_cdp_t *cdp, const char *why)
{
    g_clear_handle_id(&cdp->readable, g_source_remove);
    g_clear_handle_id(&cdp->writable, g_source_remove);

    if (cdp->late == 0) {
        cdp->why = why;
        cdp->late = g_idle_add_full(G_PRIORITY_DEFAULT, render_cdp_closed,
                                    cdp, NULL);
    }
}


static gboolean
render_cdp_closed(gpointer data)
{
    render_cdp_t  *cdp = data;

    cdp->late = 0;
    cdp->events->closed(cdp->data, cdp->why);

    return G_SOURCE_REMOVE;
}


void
render_cdp_send(render_cdp_t *cdp, const char *session, const char *method,
    json_t *params, render_cdp_done_pt done, void *data,
    GDestroyNotify destroy)
{
    json_t              *message;
    gint64               id;
    render_cdp_call_t   *call;
    g_autofree char     *text = NULL;

    call = g_new0(render_cdp_call_t, 1);
    call->done = done;
    call->data = data;
    call->destroy = destroy;
    id = (gint64) ++cdp->last;
    message = json_pack("{s:I, s:s}", "id", (json_int_t) id, "method",
                        method);

    if (session != NULL) {
        json_object_set_new(message, "sessionId", json_string(session));
    }

    if (params != NULL) {
        json_object_set_new(message, "params", params);
    }

    text = agent_json_text(message);

    if (cdp->late != 0) {
        render_cdp_call_free(call);
        return;
    }

    if (cdp->unsent->len + strlen(text) + 1 > RENDER_CDP_UNSENT
        || g_hash_table_size(cdp->calls) >= RENDER_CDP_WAITING)
    {
        render_cdp_close(cdp, "the browser does not keep up");
        render_cdp_call_free(call);
        return;
    }

    g_hash_table_insert(cdp->calls, g_memdup2(&id, sizeof(id)), call);

    g_byte_array_append(cdp->unsent, (guint8 *) text,
                        (guint) strlen(text) + 1);
    render_cdp_write(cdp);
}


static void
render_cdp_write(render_cdp_t *cdp)
{
    ssize_t  n;

    while (cdp->unsent->len != 0) {
        n = write(cdp->out, cdp->unsent->data, cdp->unsent->len);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n < 0 && errno != EAGAIN) {
            render_cdp_close(cdp, "the browser takes nothing any more");
            return;
        }

        if (n < 0) {
            if (cdp->writable == 0) {
                cdp->writable = g_unix_fd_add(cdp->out, G_IO_OUT|G_IO_ERR,
                                              render_cdp_on_writable, cdp);
            }

            return;
        }

        g_byte_array_remove_range(cdp->unsent, 0, (guint) n);
    }
}


static gboolean
render_cdp_on_writable(int fd, GIOCondition condition, gpointer data)
{
    render_cdp_t  *cdp = data;

    (void) fd;
    (void) condition;

    cdp->writable = 0;
    render_cdp_write(cdp);

    return G_SOURCE_REMOVE;
}


static gboolean
render_cdp_on_readable(int fd, GIOCondition condition, gpointer data)
{
    guint          i;
    gsize          room;
    guint8        *at;
    ssize_t        n;
    render_cdp_t  *cdp = data;

    (void) condition;

    for (i = 0; i < RENDER_CDP_TURN; i++) {
        room = rs_cdp_buf_room(&cdp->buf, &at);
        n = read(fd, at, room);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n < 0 && errno == EAGAIN) {
            return G_SOURCE_CONTINUE;
        }

        if (n <= 0) {
            render_cdp_close(cdp, "the browser is gone");
            return G_SOURCE_CONTINUE;
        }

        rs_cdp_buf_add(&cdp->buf, (gsize) n);

        if (!render_cdp_drain(cdp)) {
            return G_SOURCE_CONTINUE;
        }
    }

    return G_SOURCE_CONTINUE;
}


/* FALSE: the pipe is gone, or closed */

static gboolean
render_cdp_drain(render_cdp_t *cdp)
{
    gboolean   gone;
    rs_str_t   text;

    gone = FALSE;
    cdp->gone = &gone;

    while (rs_cdp_buf_next(&cdp->buf, &text)) {
        render_cdp_message(cdp, text);

        if (gone) {
            return FALSE;
        }

        if (cdp->late != 0) {
            break;
        }
    }

    cdp->gone = NULL;

    return cdp->late == 0;
}


static void
render_cdp_message(render_cdp_t *cdp, rs_str_t text)
{
    rs_err_e                  rc;
    rs_cdp_msg_t              msg;
    g_autofree char          *session = NULL;
    g_autofree char          *method = NULL;
    g_autoptr(json_t)         root = NULL;
    g_autoptr(json_t)         none = NULL;

    rc = rs_cdp_read(text, &msg);

    /* the browser tells what pages print, and that may be anything */

    if (rc == RS_E_INVALID_JSON) {
        g_debug("%zu bytes of the browser are left aside", text.len);
        return;
    }

    if (rc != RS_OK) {
        render_cdp_close(cdp, "what the browser says is not understood");
        return;
    }

    root = msg.root;

    if (msg.id != 0) {
        render_cdp_answer(cdp, &msg);
        return;
    }

    session = g_strndup((const char *) msg.session.data, msg.session.len);
    method = g_strndup((const char *) msg.method.data, msg.method.len);
    none = (msg.value == NULL) ? json_object() : NULL;
    cdp->events->event(cdp->data, session, method,
                       msg.value != NULL ? msg.value : none);
}


static void
render_cdp_answer(render_cdp_t *cdp, const rs_cdp_msg_t *msg)
{
    gint64               id;
    gpointer             key, value;
    render_cdp_call_t   *call;
    g_autofree char     *error = NULL;
    g_autoptr(json_t)    none = NULL;

    id = (gint64) msg->id;

    if (!g_hash_table_steal_extended(cdp->calls, &id, &key, &value)) {
        return;
    }

    call = value;
    g_free(key);

    if (msg->failed) {
        error = g_strndup((const char *) msg->error.data, msg->error.len);
    }

    if (!msg->failed && msg->value == NULL) {
        none = json_object();
    }

    if (call->done != NULL) {
        call->done(call->data,
                   msg->failed ? NULL : (none != NULL ? none : msg->value),
                   error);
    }

    render_cdp_call_free(call);
}
