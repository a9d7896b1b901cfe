
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the descriptors at this end of a pipe.
 *
 * To the gateway: what is read goes straight into the wire's buffer; without
 * room there nothing is read.  An end of the stream is an empty message.
 *
 * From the gateway: a piece is written from where it was read; what the
 * descriptor does not take stays there, and the wire reads no more.
 *
 * Both ends came: goodbye with 1000, and its answer is the clean end.
 * Anything else is none: a socket is reset.
 */

#define G_LOG_DOMAIN  "rs-pipe"

#include "agent_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define AGENT_PIPE_LEAST  (16 * 1024)   /* bytes of room worth a read */
#define AGENT_PIPE_TURN   16            /* reads until others have theirs */


struct agent_pipe_s {
    const agent_pipe_events_t  *events;
    void                       *data;
    agent_wire_t               *wire;
    agent_pipe_kind_e           kind;
    int                         in;         /* -1: closed, or none */
    int                         out;
    gboolean                    socket;     /* one descriptor, both ways */
    int                         in_flags;   /* to be put back: others may */
    int                         out_flags;  /* have it, too */
    guint                       in_watch;
    guint                       out_watch;
    gboolean                    sent_end;
    gboolean                    got_end;
    gboolean                    inside;     /* a message from the gateway */
    guint8                     *datagram;   /* as far as it came */
    gsize                       filled;
    guint64                     sent;
    guint64                     received;
};


static void agent_pipe_on_open(void *data);
static gboolean agent_pipe_on_piece(void *data, const guint8 *bytes,
    gsize len, gboolean last, gsize *taken);
static void agent_pipe_on_room(void *data);
static void agent_pipe_on_closed(void *data, const agent_wire_end_t *end);
static int agent_pipe_flags(int fd);
static void agent_pipe_linger(agent_pipe_t *pipe, gboolean clean);
static gboolean agent_pipe_readable(int fd, GIOCondition condition,
    gpointer data);
static gboolean agent_pipe_read(agent_pipe_t *pipe);
static gboolean agent_pipe_writable(int fd, GIOCondition condition,
    gpointer data);
static gboolean agent_pipe_hung(int fd, GIOCondition condition,
    gpointer data);
static void agent_pipe_watch(agent_pipe_t *pipe, gboolean reading);
static gssize agent_pipe_write(agent_pipe_t *pipe, const guint8 *bytes,
    gsize len);
static gboolean agent_pipe_stream(agent_pipe_t *pipe, const guint8 *bytes,
    gsize len, gboolean last, gsize *taken);
static void agent_pipe_gather(agent_pipe_t *pipe, const guint8 *bytes,
    gsize len, gboolean last);
static void agent_pipe_deliver(agent_pipe_t *pipe, const guint8 *bytes,
    gsize len);
static void agent_pipe_ended(agent_pipe_t *pipe);
static void agent_pipe_check(agent_pipe_t *pipe);
static void agent_pipe_break(agent_pipe_t *pipe, const char *what);
static void agent_pipe_shut(agent_pipe_t *pipe, gboolean clean);


static const agent_wire_events_t  agent_pipe_events = {
    agent_pipe_on_open,
    agent_pipe_on_piece,
    agent_pipe_on_room,
    agent_pipe_on_closed
};


agent_pipe_t *
agent_pipe_new(const agent_wire_to_t *to, agent_pipe_kind_e kind, int in,
    int out, const agent_pipe_events_t *events, void *data)
{
    agent_pipe_t     *pipe;
    agent_wire_to_t   wire;

    pipe = g_new0(agent_pipe_t, 1);
    pipe->events = events;
    pipe->data = data;
    pipe->kind = kind;
    pipe->in = in;
    pipe->out = out;
    pipe->socket = (in == out);
    pipe->in_flags = agent_pipe_flags(in);
    pipe->out_flags = pipe->socket ? pipe->in_flags : agent_pipe_flags(out);

    agent_pipe_linger(pipe, FALSE);

    wire = *to;
    wire.max_message = (kind == AGENT_PIPE_STREAM) ? AGENT_PIPE_STREAM_MESSAGE
                                                   : AGENT_PIPE_DATAGRAM;
    pipe->wire = agent_wire_new(&wire, &agent_pipe_events, pipe);

    return pipe;
}


/* makes it one that never waits; what it was before */

static int
agent_pipe_flags(int fd)
{
    int  flags;

    flags = (fd != -1) ? fcntl(fd, F_GETFL) : -1;

    if (flags != -1) {
        (void) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }

    return flags;
}


/*
 * From its first moment, whoever closes a socket before its end resets it:
 * when this process is killed that is the kernel, which would end it well.
 */

static void
agent_pipe_linger(agent_pipe_t *pipe, gboolean clean)
{
    const struct linger  linger = { !clean, 0 };

    if (pipe->socket && pipe->in != -1 && pipe->kind == AGENT_PIPE_STREAM) {
        (void) setsockopt(pipe->in, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
    }
}


static void
agent_pipe_on_open(void *data)
{
    agent_pipe_t  *pipe = data;

    if (pipe->events->open != NULL) {
        pipe->events->open(pipe->data);
    }

    agent_pipe_watch(pipe, TRUE);
}


/* ---- to the gateway */

/*
 * Reading, or not for now, or not any more behind its end: then a reset is one
 * all the same.  A hang-up by itself says nothing as long as bytes may be left.
 */

static void
agent_pipe_watch(agent_pipe_t *pipe, gboolean reading)
{
    g_clear_handle_id(&pipe->in_watch, g_source_remove);

    if (pipe->in == -1) {
        return;
    }

    if (reading && !pipe->sent_end) {
        pipe->in_watch = g_unix_fd_add(pipe->in, G_IO_IN|G_IO_HUP|G_IO_ERR,
                                       agent_pipe_readable, pipe);

    } else if (pipe->socket) {
        pipe->in_watch = g_unix_fd_add(pipe->in, G_IO_ERR, agent_pipe_hung,
                                       pipe);
    }
}


static gboolean
agent_pipe_hung(int fd, GIOCondition condition, gpointer data)
{
    int            error;
    socklen_t      len;
    agent_pipe_t  *pipe = data;

    pipe->in_watch = 0;

    if (condition & G_IO_ERR) {
        len = sizeof(error);
        error = 0;
        (void) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);

        /* behind both ends nothing of it is wanting */

        if (error != 0 && pipe->kind == AGENT_PIPE_STREAM
            && !(pipe->sent_end && pipe->got_end))
        {
            agent_pipe_break(pipe, g_strerror(error));
        }
    }

    return G_SOURCE_REMOVE;
}


static gboolean
agent_pipe_readable(int fd, GIOCondition condition, gpointer data)
{
    guint          n;
    agent_pipe_t  *pipe = data;

    (void) fd;
    (void) condition;

    for (n = 0; n < AGENT_PIPE_TURN; n++) {
        if (!agent_pipe_read(pipe)) {
            break;
        }
    }

    /* who stopped reading has removed the watch already */

    return G_SOURCE_CONTINUE;
}


/* FALSE: not now, or the pipe is gone */

static gboolean
agent_pipe_read(agent_pipe_t *pipe)
{
    gsize    room;
    gssize   n;
    guint8  *to;

    to = agent_wire_space(pipe->wire,
                          (pipe->kind == AGENT_PIPE_STREAM)
                          ? AGENT_PIPE_LEAST : AGENT_PIPE_DATAGRAM, &room);
    if (to == NULL) {
        agent_pipe_watch(pipe, FALSE);
        return FALSE;
    }

    n = read(pipe->in, to, room);

    if (n > 0) {
        pipe->sent += (guint64) n;
        agent_wire_send(pipe->wire, (gsize) n);
        return TRUE;
    }

    if (n < 0 && errno == EINTR) {
        return TRUE;
    }

    if (n < 0 && errno == EAGAIN) {
        return FALSE;
    }

    /* a datagram without bytes, or word that one before did not arrive */

    if (pipe->kind == AGENT_PIPE_DATAGRAMS) {
        return TRUE;
    }

    if (n < 0) {
        agent_pipe_break(pipe, g_strerror(errno));
        return FALSE;
    }

    pipe->sent_end = TRUE;
    agent_pipe_watch(pipe, FALSE);
    agent_wire_send(pipe->wire, 0);
    agent_pipe_check(pipe);

    return FALSE;
}


static void
agent_pipe_on_room(void *data)
{
    agent_pipe_watch(data, TRUE);
}


gboolean
agent_pipe_push(agent_pipe_t *pipe, const guint8 *bytes, gsize len)
{
    gsize    room;
    guint8  *to;

    if (pipe->kind != AGENT_PIPE_DATAGRAMS || len == 0
        || len > AGENT_PIPE_DATAGRAM)
    {
        return FALSE;
    }

    to = agent_wire_space(pipe->wire, len, &room);

    if (to == NULL) {
        return FALSE;
    }

    memcpy(to, bytes, len);
    pipe->sent += len;
    agent_wire_send(pipe->wire, len);

    return TRUE;
}


/* ---- from the gateway */

static gboolean
agent_pipe_on_piece(void *data, const guint8 *bytes, gsize len, gboolean last,
    gsize *taken)
{
    agent_pipe_t  *pipe = data;

    if (pipe->kind == AGENT_PIPE_STREAM) {
        return agent_pipe_stream(pipe, bytes, len, last, taken);
    }

    agent_pipe_gather(pipe, bytes, len, last);

    return TRUE;
}


static gboolean
agent_pipe_stream(agent_pipe_t *pipe, const guint8 *bytes, gsize len,
    gboolean last, gsize *taken)
{
    gssize  n;

    if (pipe->got_end) {
        agent_pipe_break(pipe, "bytes behind the end of a stream");
        return TRUE;
    }

    while (*taken < len) {
        n = agent_pipe_write(pipe, bytes + *taken, len - *taken);

        if (n > 0) {
            *taken += (gsize) n;
            pipe->received += (guint64) n;
            pipe->inside = TRUE;
            continue;
        }

        if (errno == EINTR) {
            continue;
        }

        if (errno != EAGAIN) {
            agent_pipe_break(pipe, g_strerror(errno));
            return TRUE;
        }

        if (pipe->out_watch == 0) {
            pipe->out_watch = g_unix_fd_add(pipe->out,
                                            G_IO_OUT|G_IO_HUP|G_IO_ERR,
                                            agent_pipe_writable, pipe);
        }

        return FALSE;
    }

    if (last && !pipe->inside) {
        agent_pipe_ended(pipe);
        return TRUE;
    }

    pipe->inside = !last;

    return TRUE;
}


static gssize
agent_pipe_write(agent_pipe_t *pipe, const guint8 *bytes, gsize len)
{
    return pipe->socket ? send(pipe->out, bytes, len, MSG_NOSIGNAL)
                        : write(pipe->out, bytes, len);
}


static gboolean
agent_pipe_writable(int fd, GIOCondition condition, gpointer data)
{
    agent_pipe_t  *pipe = data;

    (void) fd;
    (void) condition;

    pipe->out_watch = 0;
    agent_wire_more(pipe->wire);

    return G_SOURCE_REMOVE;
}


/* in one piece mostly; the wire has bounded what one message may be */

static void
agent_pipe_gather(agent_pipe_t *pipe, const guint8 *bytes, gsize len,
    gboolean last)
{
    if (last && pipe->filled == 0) {
        agent_pipe_deliver(pipe, bytes, len);
        return;
    }

    if (pipe->datagram == NULL) {
        pipe->datagram = g_malloc(AGENT_PIPE_DATAGRAM);
    }

    memcpy(pipe->datagram + pipe->filled, bytes, len);
    pipe->filled += len;

    if (last) {
        len = pipe->filled;
        pipe->filled = 0;
        agent_pipe_deliver(pipe, pipe->datagram, len);
    }
}


/* what a socket does not take just now is lost, as datagrams are */

static void
agent_pipe_deliver(agent_pipe_t *pipe, const guint8 *bytes, gsize len)
{
    if (len == 0) {
        return;
    }

    pipe->received += len;

    if (pipe->out != -1) {
        (void) agent_pipe_write(pipe, bytes, len);

    } else {
        pipe->events->datagram(pipe->data, bytes, len);
    }
}


static void
agent_pipe_ended(agent_pipe_t *pipe)
{
    pipe->got_end = TRUE;

    if (pipe->socket) {
        (void) shutdown(pipe->out, SHUT_WR);

    } else {
        if (pipe->out_flags != -1) {
            (void) fcntl(pipe->out, F_SETFL, pipe->out_flags);
        }

        (void) close(pipe->out);
        pipe->out = -1;
    }

    agent_pipe_check(pipe);
}


/* ---- the end */

static void
agent_pipe_check(agent_pipe_t *pipe)
{
    if (pipe->sent_end && pipe->got_end) {
        agent_wire_close(pipe->wire, AGENT_WIRE_DONE, "");
    }
}


static void
agent_pipe_break(agent_pipe_t *pipe, const char *what)
{
    agent_pipe_end_t   end;

    memset(&end, 0, sizeof(end));
    end.sent = pipe->sent;
    end.received = pipe->received;
    end.wire.why = what;

    agent_pipe_shut(pipe, FALSE);
    agent_wire_free(g_steal_pointer(&pipe->wire), AGENT_WIRE_BROKEN);
    pipe->events->closed(pipe->data, &end);
}


static void
agent_pipe_on_closed(void *data, const agent_wire_end_t *wire)
{
    agent_pipe_t      *pipe = data;
    agent_pipe_end_t   end;

    end.clean = wire->code == AGENT_WIRE_DONE
                && (pipe->kind == AGENT_PIPE_DATAGRAMS
                    || (pipe->sent_end && pipe->got_end));
    end.sent = pipe->sent;
    end.received = pipe->received;
    end.wire = *wire;

    agent_pipe_shut(pipe, end.clean);
    agent_wire_free(g_steal_pointer(&pipe->wire), 0);
    pipe->events->closed(pipe->data, &end);
}


/* a socket that is not at its end is reset */

static void
agent_pipe_shut(agent_pipe_t *pipe, gboolean clean)
{
    g_clear_handle_id(&pipe->in_watch, g_source_remove);
    g_clear_handle_id(&pipe->out_watch, g_source_remove);

    if (clean) {
        agent_pipe_linger(pipe, TRUE);
    }

    if (pipe->out != -1 && !pipe->socket) {
        if (pipe->out_flags != -1) {
            (void) fcntl(pipe->out, F_SETFL, pipe->out_flags);
        }

        (void) close(pipe->out);
    }

    if (pipe->in != -1) {
        if (pipe->in_flags != -1) {
            (void) fcntl(pipe->in, F_SETFL, pipe->in_flags);
        }

        (void) close(pipe->in);
    }

    pipe->in = -1;
    pipe->out = -1;
}


guint64
agent_pipe_sent(const agent_pipe_t *pipe)
{
    return pipe->sent;
}


guint64
agent_pipe_received(const agent_pipe_t *pipe)
{
    return pipe->received;
}


void
agent_pipe_free(agent_pipe_t *pipe, guint code)
{
    agent_pipe_shut(pipe, FALSE);

    if (pipe->wire != NULL) {
        agent_wire_free(pipe->wire, code);
    }

    g_free(pipe->datagram);
    g_free(pipe);
}
