
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 *     new -> asking (REST) -> attaching -> open -> done
 *
 * Datagrams that come before the pipe is open wait, a few of them; a stream
 * waits in its socket.  The struct is counted: the owner's reference, and that
 * of the call under way.
 */

#define G_LOG_DOMAIN  "rs-conn"

#include "tunnel_conn.h"
#include "tunnel_error.h"
#include "tunnel_version.h"
#include "agent_pipe.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define TUNNEL_CONN_EARLY        16             /* datagrams */
#define TUNNEL_CONN_EARLY_BYTES  (128 * 1024)


struct tunnel_conn_s {
    tunnel_gate_t               *gate;
    GCancellable                *cancel;
    agent_pipe_t                *pipe;
    char                        *id;
    int                          in;        /* -1: the pipe's, or none */
    int                          out;
    gboolean                     datagrams;
    gboolean                     open;
    gboolean                     freed;
    GQueue                       early;     /* GBytes */
    gsize                        early_bytes;
    const tunnel_conn_events_t  *events;
    void                        *data;
};


static void tunnel_conn_asked(GObject *source, GAsyncResult *result,
    gpointer data);
static void tunnel_conn_attach(tunnel_conn_t *conn, const char *ticket);
static void tunnel_conn_opened(void *data);
static void tunnel_conn_datagram(void *data, const guint8 *bytes, gsize len);
static void tunnel_conn_closed(void *data, const agent_pipe_end_t *end);
static GError *tunnel_conn_error(const tunnel_conn_t *conn,
    const agent_wire_end_t *wire);
static void tunnel_conn_reset(tunnel_conn_t *conn);
static void tunnel_conn_clear(gpointer data);


static const struct linger  tunnel_conn_reset_now = { 1, 0 };


static const agent_pipe_events_t  tunnel_conn_events = {
    tunnel_conn_opened,
    tunnel_conn_datagram,
    tunnel_conn_closed
};


tunnel_conn_t *
tunnel_conn_new(tunnel_gate_t *gate, gboolean datagrams, int in, int out,
    const tunnel_conn_events_t *events, void *data)
{
    tunnel_conn_t  *conn;

    conn = g_rc_box_new0(tunnel_conn_t);
    conn->gate = gate;
    conn->cancel = g_cancellable_new();
    conn->in = in;
    conn->out = out;
    conn->datagrams = datagrams;
    conn->events = events;
    conn->data = data;

    /* nobody who is killed lets it look as if it had ended well */

    if (in != -1 && in == out) {
        (void) setsockopt(in, SOL_SOCKET, SO_LINGER, &tunnel_conn_reset_now,
                          sizeof(tunnel_conn_reset_now));
    }

    g_queue_init(&conn->early);

    tunnel_gate_pipe(gate, conn->cancel, tunnel_conn_asked,
                     g_rc_box_acquire(conn));

    return conn;
}


static void
tunnel_conn_asked(GObject *source, GAsyncResult *result, gpointer data)
{
    tunnel_conn_t       *conn = data;
    g_autofree char     *ticket = NULL;
    g_autoptr(GError)    error = NULL;

    (void) source;

    ticket = tunnel_gate_pipe_finish(result, &conn->id, &error);

    if (conn->freed) {
        goto done;
    }

    if (ticket == NULL) {
        tunnel_conn_reset(conn);
        conn->events->done(conn->data, conn, error);
        goto done;
    }

    tunnel_conn_attach(conn, ticket);

done:

    if (ticket != NULL) {
        explicit_bzero(ticket, strlen(ticket));
    }

    g_rc_box_release_full(conn, tunnel_conn_clear);
}


static void
tunnel_conn_attach(tunnel_conn_t *conn, const char *ticket)
{
    agent_wire_to_t  to;

    memset(&to, 0, sizeof(to));

    tunnel_gate_socket(conn->gate, &to.url, &to.tls, &to.proxy);
    to.ticket = ticket;
    to.side = "client";
    to.program = "rs-tunnel/" TUNNEL_VERSION;

    conn->pipe = agent_pipe_new(&to, conn->datagrams ? AGENT_PIPE_DATAGRAMS
                                                     : AGENT_PIPE_STREAM,
                                conn->in, conn->out, &tunnel_conn_events,
                                conn);
    conn->in = -1;
    conn->out = -1;
}


static void
tunnel_conn_opened(void *data)
{
    GBytes         *bytes;
    tunnel_conn_t  *conn = data;

    g_debug("%s is open", conn->id);

    conn->open = TRUE;

    while ((bytes = g_queue_pop_head(&conn->early)) != NULL) {
        (void) agent_pipe_push(conn->pipe, g_bytes_get_data(bytes, NULL),
                               g_bytes_get_size(bytes));
        g_bytes_unref(bytes);
    }

    conn->early_bytes = 0;

    if (conn->events->open != NULL) {
        conn->events->open(conn->data);
    }
}


static void
tunnel_conn_datagram(void *data, const guint8 *bytes, gsize len)
{
    tunnel_conn_t  *conn = data;

    conn->events->datagram(conn->data, bytes, len);
}


gboolean
tunnel_conn_push(tunnel_conn_t *conn, const guint8 *bytes, gsize len)
{
    if (conn->open) {
        return agent_pipe_push(conn->pipe, bytes, len);
    }

    if (conn->early.length >= TUNNEL_CONN_EARLY
        || conn->early_bytes + len > TUNNEL_CONN_EARLY_BYTES)
    {
        return FALSE;
    }

    g_queue_push_tail(&conn->early, g_bytes_new(bytes, len));
    conn->early_bytes += len;

    return TRUE;
}


static void
tunnel_conn_closed(void *data, const agent_pipe_end_t *end)
{
    tunnel_conn_t       *conn = data;
    g_autoptr(GError)    error = NULL;

    g_debug("%s is over: %" G_GUINT64_FORMAT " bytes there, %"
            G_GUINT64_FORMAT " back, code %u", conn->id, end->sent,
            end->received, end->wire.code);

    conn->open = FALSE;

    if (!end->clean
        && !(conn->datagrams && end->wire.code == AGENT_WIRE_DONE))
    {
        error = tunnel_conn_error(conn, &end->wire);
    }

    conn->events->done(conn->data, conn, error);
}


/* the close codes that a person can do something about */

static GError *
tunnel_conn_error(const tunnel_conn_t *conn, const agent_wire_end_t *wire)
{
    gsize  i;

    static const struct {
        guint        code;
        int          error;
        const char  *cure;
    } codes[] = {
        { 1008, TUNNEL_ERROR_BUSY, "the tenant's limit is reached" },
        { 4403, TUNNEL_ERROR_REFUSED,
          "by the tunnel's access list, or by the person at the device" },
        { 4410, TUNNEL_ERROR_GONE, "the tunnel is over" },
        { 4504, TUNNEL_ERROR_ABSENT, "the device did not come" },
        { 4521, TUNNEL_ERROR_REFUSED,
          "[tunnels] of the device's agent.conf lists what it connects to" },
        { 4522, TUNNEL_ERROR_ABSENT,
          "nothing answers there, as the device sees it" }
    };

    for (i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i].code == wire->code) {
            return g_error_new(TUNNEL_ERROR, codes[i].error, "%s: %s: %s",
                               conn->id, wire->why, codes[i].cure);
        }
    }

    return g_error_new(TUNNEL_ERROR, TUNNEL_ERROR_FAILED, "%s: %s", conn->id,
                       wire->why);
}


/* before there was a pipe */

static void
tunnel_conn_reset(tunnel_conn_t *conn)
{
    if (conn->in == -1) {
        return;
    }

    if (conn->in != conn->out) {
        (void) close(conn->out);
    }

    (void) close(conn->in);
    conn->in = -1;
    conn->out = -1;
}


static void
tunnel_conn_clear(gpointer data)
{
    tunnel_conn_t  *conn = data;

    g_free(conn->id);
    g_clear_object(&conn->cancel);
}


void
tunnel_conn_free(tunnel_conn_t *conn)
{
    conn->freed = TRUE;
    conn->open = FALSE;
    g_cancellable_cancel(conn->cancel);

    if (conn->pipe != NULL) {
        agent_pipe_free(conn->pipe, conn->datagrams ? AGENT_WIRE_DONE
                                                    : AGENT_WIRE_BROKEN);
        conn->pipe = NULL;
    }

    tunnel_conn_reset(conn);
    g_queue_clear_full(&conn->early, (GDestroyNotify) g_bytes_unref);
    g_rc_box_release_full(conn, tunnel_conn_clear);
}
