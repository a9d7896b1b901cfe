
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the pipes.  A thread writes into one end of a socket pair, as fast as
 * the other end is taken from; whoever goes first, the thread ends by it.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_serve.h"
#include "record_tar.h"
#include "record_version.h"

#include "agent_msg_tunnel.h"
#include "agent_pipe.h"
#include "rs_recording.h"
#include "rs_id.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


struct record_serve_s {
    agent_t     *agent;
    char        *dir;
    GHashTable  *pipes;             /* pipe id -> record_sent_t */
};


typedef struct {
    record_serve_t  *serve;
    char            *tunnel_id;
    char            *pipe_id;
    char            *id;
    agent_pipe_t    *pipe;
} record_sent_t;


typedef struct {
    char  *dir;
    char  *id;
    int    fd;
} record_stream_t;


static void record_sent_free(gpointer data);
static void record_sent_closed(void *data, const agent_pipe_end_t *end);
static gpointer record_stream_run(gpointer data);
static void record_serve_refuse(record_serve_t *serve,
    const agent_open_t *open, const char *reason, const char *detail);
static void record_serve_start(record_serve_t *serve,
    const agent_open_t *open, const int fds[2]);


static const agent_pipe_events_t  record_sent_events = {
    .closed = record_sent_closed
};


record_serve_t *
record_serve_new(agent_t *agent, const char *dir)
{
    record_serve_t  *serve;

    serve = g_new0(record_serve_t, 1);
    serve->agent = agent;
    serve->dir = g_strdup(dir);
    serve->pipes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                         record_sent_free);

    return serve;
}


void
record_serve_free(record_serve_t *serve)
{
    g_hash_table_unref(serve->pipes);
    g_free(serve->dir);
    g_free(serve);
}


static void
record_sent_free(gpointer data)
{
    record_sent_t  *sent = data;

    if (sent->pipe != NULL) {
        agent_pipe_free(sent->pipe, AGENT_WIRE_BROKEN);
    }

    g_free(sent->tunnel_id);
    g_free(sent->pipe_id);
    g_free(sent->id);
    g_free(sent);
}


static void
record_sent_closed(void *data, const agent_pipe_end_t *end)
{
    record_sent_t  *sent = data;

    g_message("%s: sent %" G_GUINT64_FORMAT " bytes%s%s", sent->id,
              end->sent, end->clean ? "" : ", broken: ",
              end->clean ? "" : end->wire.why);

    agent_pipe_free(g_steal_pointer(&sent->pipe), AGENT_WIRE_DONE);
    g_hash_table_remove(sent->serve->pipes, sent->pipe_id);
}


/* what the other side would say is read up to its end, and left aside */

static gpointer
record_stream_run(gpointer data)
{
    char                rest[512];
    record_stream_t    *stream = data;
    g_autoptr(GError)   error = NULL;

    if (record_tar_write(stream->dir, stream->id, stream->fd, &error)) {
        (void) shutdown(stream->fd, SHUT_WR);

        while (read(stream->fd, rest, sizeof(rest)) > 0) { /* void */ }

    } else {
        g_message("%s is not sent whole: %s", stream->id, error->message);
    }

    close(stream->fd);
    g_free(stream->dir);
    g_free(stream->id);
    g_free(stream);

    return NULL;
}


static void
record_serve_refuse(record_serve_t *serve, const agent_open_t *open,
    const char *reason, const char *detail)
{
    g_message("%s is not sent: %s", open->recording ? open->recording : "?",
              detail);
    (void) agent_signal_say(serve->agent->signal,
                            agent_msg_tunnel_refused(open->tunnel_id,
                                                     open->pipe_id, reason,
                                                     detail));
}


void
record_serve_open(record_serve_t *serve, const agent_open_t *open,
    gboolean busy)
{
    int               fds[2];
    g_autofree char  *path = NULL;

    if (open->recording == NULL
        || rs_id_check(rs_str(open->recording), RS_ID_RECORDING) != RS_OK)
    {
        record_serve_refuse(serve, open, "target_refused",
                            "a recorder has recordings and nothing else");
        return;
    }

    path = g_build_filename(serve->dir, open->recording, NULL);

    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        record_serve_refuse(serve, open, "target_unreachable",
                            "this recorder does not have it");
        return;
    }

    if (busy) {
        record_serve_refuse(serve, open, "busy",
                            "it is still being recorded");
        return;
    }

    if (g_hash_table_size(serve->pipes) >= RECORD_SERVE_MAX
        || g_hash_table_contains(serve->pipes, open->pipe_id)
        || socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, fds) == -1)
    {
        record_serve_refuse(serve, open, "busy",
                            "as many are being sent as can be at once");
        return;
    }

    record_serve_start(serve, open, fds);
}


static void
record_serve_start(record_serve_t *serve, const agent_open_t *open,
    const int fds[2])
{
    agent_t           *agent = serve->agent;
    record_sent_t     *sent;
    agent_wire_to_t    to;
    record_stream_t   *stream;
    g_autofree char   *url = NULL;

    sent = g_new0(record_sent_t, 1);
    sent->serve = serve;
    sent->tunnel_id = g_strdup(open->tunnel_id);
    sent->pipe_id = g_strdup(open->pipe_id);
    sent->id = g_strdup(open->recording);
    g_hash_table_insert(serve->pipes, sent->pipe_id, sent);

    stream = g_new0(record_stream_t, 1);
    stream->dir = g_strdup(serve->dir);
    stream->id = g_strdup(open->recording);
    stream->fd = fds[1];
    g_thread_unref(g_thread_new("tar", record_stream_run, stream));

    memset(&to, 0, sizeof(to));
    url = g_strconcat(agent->socket_url, "/pipe", NULL);
    to.url = url;
    to.ticket = open->ticket;
    to.side = "host";
    to.program = "rs-record/" RECORD_VERSION;
    to.tls = agent->tls;
    to.proxy = agent->proxy;

    (void) g_unix_set_fd_nonblocking(fds[0], TRUE, NULL);
    sent->pipe = agent_pipe_new(&to, AGENT_PIPE_STREAM, fds[0], fds[0],
                                &record_sent_events, sent);
    g_message("%s is sent to \"%s\"", sent->id,
              open->requester ? open->requester : "?");
}


void
record_serve_cut(record_serve_t *serve, const agent_open_t *cut)
{
    gpointer         value;
    record_sent_t   *sent;
    GHashTableIter   iter;

    g_hash_table_iter_init(&iter, serve->pipes);

    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        sent = value;

        if ((cut->pipe_id == NULL || g_strcmp0(cut->pipe_id, sent->pipe_id)
                                     == 0)
            && (cut->tunnel_id == NULL
                || g_strcmp0(cut->tunnel_id, sent->tunnel_id) == 0))
        {
            g_hash_table_iter_remove(&iter);
        }
    }
}
