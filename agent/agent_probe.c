
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the sockets of a probe.  Each runs in a thread of GLib's pool, blocks
 * there for AGENT_PROBE_S at most a step, and touches nothing but its own
 * job: what is wrong with a network shows in what does not come back, and
 * that is easiest waited for.
 */

#define G_LOG_DOMAIN  "rs-probe"

#include "agent_probe.h"

#include <string.h>


#define AGENT_PROBE_RESEND_US  500000       /* UDP: then twice as long */
#define AGENT_PROBE_ADDRESSES  4            /* of one name */
#define AGENT_PROBE_READ       4096


typedef struct {
    agent_turn_t         turn;
    gboolean             binding;
    agent_probe_way_t    way;
    agent_stun_t         stun;
    agent_probe_t        probe;
    gint64               start_us;
    gint64               deadline_us;
} agent_probe_job_t;


static void agent_probe_job_free(gpointer data);
static void agent_probe_thread(GTask *task, gpointer source, gpointer data,
    GCancellable *cancel);
static void agent_probe_failed(agent_probe_job_t *job, const GError *error);
static void agent_probe_udp(agent_probe_job_t *job, GCancellable *cancel);
static gboolean agent_probe_udp_at(agent_probe_job_t *job,
    GSocketAddress *address, GCancellable *cancel, GError **error);
static agent_stun_e agent_probe_udp_wait(agent_probe_job_t *job,
    GSocket *socket, gint64 until_us, GCancellable *cancel, GError **error);
static void agent_probe_stream(agent_probe_job_t *job, GCancellable *cancel);
static GIOStream *agent_probe_connect(agent_probe_job_t *job,
    GSocketConnection **tcp, GCancellable *cancel, GError **error);
static void agent_probe_talk(agent_probe_job_t *job, GIOStream *io,
    GCancellable *cancel, GError **error);
static agent_stun_e agent_probe_read(agent_probe_job_t *job, GInputStream *in,
    GCancellable *cancel, GError **error);


void
agent_probe_start(const agent_turn_t *turn, gboolean binding,
    const agent_probe_way_t *way, GCancellable *cancel,
    GAsyncReadyCallback callback, gpointer data)
{
    agent_probe_job_t  *job;
    g_autoptr(GTask)    task = NULL;

    job = g_new0(agent_probe_job_t, 1);
    job->turn = *turn;
    job->turn.host = g_strdup(turn->host);
    job->turn.username = g_strdup(turn->username);
    job->turn.credential = g_strdup(turn->credential);
    job->binding = binding;
    job->way.tls = way->tls ? g_object_ref(way->tls) : NULL;
    job->way.proxy = way->proxy ? g_object_ref(way->proxy) : NULL;

    task = g_task_new(NULL, cancel, callback, data);
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, job, agent_probe_job_free);
    g_task_run_in_thread(task, agent_probe_thread);
}


void
agent_probe_finish(GAsyncResult *result, agent_probe_t *probe)
{
    agent_probe_job_t  *job;

    (void) g_task_propagate_boolean(G_TASK(result), NULL);

    job = g_task_get_task_data(G_TASK(result));
    *probe = job->probe;
    job->probe.detail = NULL;
}


static void
agent_probe_job_free(gpointer data)
{
    agent_probe_job_t  *job = data;

    g_free(job->turn.host);
    g_free(job->turn.username);
    g_free(job->turn.credential);
    g_clear_object(&job->way.tls);
    g_clear_object(&job->way.proxy);
    agent_probe_clear(&job->probe);
    memset(&job->stun, 0, sizeof(job->stun));
    g_free(job);
}


static void
agent_probe_thread(GTask *task, gpointer source, gpointer data,
    GCancellable *cancel)
{
    agent_probe_job_t  *job = data;

    (void) source;

    job->start_us = g_get_monotonic_time();
    job->deadline_us = job->start_us + AGENT_PROBE_S * G_USEC_PER_SEC;
    job->probe.result = AGENT_PROBE_SILENT;

    agent_stun_init(&job->stun, &job->turn, job->binding);

    if (job->turn.proto == AGENT_PROTO_UDP) {
        agent_probe_udp(job, cancel);

    } else {
        agent_probe_stream(job, cancel);
    }

    job->probe.ms = (gint) ((g_get_monotonic_time() - job->start_us) / 1000);

    g_task_return_boolean(task, TRUE);
}


static void
agent_probe_failed(agent_probe_job_t *job, const GError *error)
{
    agent_probe_e  result;

    if (error->domain == G_RESOLVER_ERROR) {
        result = AGENT_PROBE_NAME;

    } else if (error->domain == G_TLS_ERROR) {
        result = AGENT_PROBE_TLS;

    } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
               || g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
        result = AGENT_PROBE_SILENT;

    } else {
        result = AGENT_PROBE_CLOSED;
    }

    job->probe.result = result;
    g_free(job->probe.detail);
    job->probe.detail = g_strdup(error->message);
}


/* the addresses one after the other; they share the time there is */

static void
agent_probe_udp(agent_probe_job_t *job, GCancellable *cancel)
{
    guint                                  n;
    g_autoptr(GError)                      error = NULL;
    g_autoptr(GSocketConnectable)          target = NULL;
    g_autoptr(GSocketAddressEnumerator)    all = NULL;

    target = g_network_address_new(job->turn.host, job->turn.port);
    all = g_socket_connectable_enumerate(target);

    for (n = 0; n < AGENT_PROBE_ADDRESSES; n++) {
        g_autoptr(GError)          local = NULL;
        g_autoptr(GSocketAddress)  address = NULL;

        address = g_socket_address_enumerator_next(all, cancel, &local);

        if (address == NULL) {

            if (local != NULL && error == NULL) {
                error = g_steal_pointer(&local);
            }

            break;
        }

        if (agent_probe_udp_at(job, address, cancel, &local)) {
            return;
        }

        g_clear_error(&error);
        error = g_steal_pointer(&local);
    }

    if (error != NULL) {
        agent_probe_failed(job, error);
    }
}


/* FALSE: no word from there */

static gboolean
agent_probe_udp_at(agent_probe_job_t *job, GSocketAddress *address,
    GCancellable *cancel, GError **error)
{
    gint64                 until_us, now_us, deadline_us, wait_us;
    guint8                 out[AGENT_STUN_SIZE];
    rs_buf_t               b;
    agent_stun_e           step;
    g_autoptr(GSocket)     socket = NULL;

    socket = g_socket_new(g_socket_address_get_family(address),
                          G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP,
                          error);

    if (socket == NULL || !g_socket_connect(socket, address, cancel, error)) {
        return FALSE;
    }

    now_us = g_get_monotonic_time();
    deadline_us = now_us + MAX(job->deadline_us - now_us, G_USEC_PER_SEC);
    wait_us = AGENT_PROBE_RESEND_US;
    step = AGENT_STUN_AGAIN;

    while (now_us < deadline_us && step != AGENT_STUN_DONE) {

        rs_buf_init(&b, out, sizeof(out));

        if (!agent_stun_question(&job->stun, &b)) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                        "the credential is too long for a question");
            return FALSE;
        }

        if (g_socket_send(socket, (char *) out, b.len, cancel, error) < 0) {
            return FALSE;
        }

        until_us = MIN(g_get_monotonic_time() + wait_us, deadline_us);
        step = agent_probe_udp_wait(job, socket, until_us, cancel, error);

        if (*error != NULL) {
            return FALSE;
        }

        wait_us = (step == AGENT_STUN_AGAIN) ? AGENT_PROBE_RESEND_US
                                             : wait_us * 2;
        now_us = g_get_monotonic_time();
    }

    if (step != AGENT_STUN_DONE) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                    "nothing came back within %d s", AGENT_PROBE_S);
        return FALSE;
    }

    if (!job->binding && job->probe.result == AGENT_PROBE_OK) {
        rs_buf_init(&b, out, sizeof(out));

        if (agent_stun_goodbye(&job->stun, &b)) {
            (void) g_socket_send(socket, (char *) out, b.len, NULL, NULL);
        }
    }

    return TRUE;
}


/* IGNORE without an error: nothing until then */

static agent_stun_e
agent_probe_udp_wait(agent_probe_job_t *job, GSocket *socket, gint64 until_us,
    GCancellable *cancel, GError **error)
{
    gint64             left_us;
    gssize             n;
    guint8             in[AGENT_PROBE_READ];
    agent_stun_e       step;
    g_autoptr(GError)  local = NULL;

    for ( ;; ) {
        left_us = until_us - g_get_monotonic_time();

        if (left_us <= 0) {
            return AGENT_STUN_IGNORE;
        }

        if (!g_socket_condition_timed_wait(socket, G_IO_IN, left_us, cancel,
                                           &local))
        {
            if (g_error_matches(local, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)) {
                return AGENT_STUN_IGNORE;
            }

            g_propagate_error(error, g_steal_pointer(&local));
            return AGENT_STUN_IGNORE;
        }

        n = g_socket_receive(socket, (char *) in, sizeof(in), cancel, error);

        if (n < 0) {
            return AGENT_STUN_IGNORE;
        }

        step = agent_stun_answer(&job->stun, in, (gsize) n, &job->probe);

        if (step != AGENT_STUN_IGNORE) {
            return step;
        }
    }
}


static void
agent_probe_stream(agent_probe_job_t *job, GCancellable *cancel)
{
    g_autoptr(GError)             error = NULL;
    g_autoptr(GIOStream)          io = NULL;
    g_autoptr(GSocketConnection)  tcp = NULL;

    io = agent_probe_connect(job, &tcp, cancel, &error);

    if (io != NULL) {
        agent_probe_talk(job, io, cancel, &error);
    }

    if (error != NULL) {
        agent_probe_failed(job, error);
    }

    /* under TLS, so that it cannot wait for the peer's close */

    if (tcp != NULL) {
        g_socket_close(g_socket_connection_get_socket(tcp), NULL);
    }
}


static GIOStream *
agent_probe_connect(agent_probe_job_t *job, GSocketConnection **tcp,
    GCancellable *cancel, GError **error)
{
    g_autoptr(GIOStream)            io = NULL;
    g_autoptr(GSocketClient)        client = NULL;
    g_autoptr(GSocketConnectable)   target = NULL;

    static const char *const  alpn[] = { "stun.turn", NULL };

    target = g_network_address_new(job->turn.host, job->turn.port);
    client = g_socket_client_new();
    g_socket_client_set_timeout(client, AGENT_PROBE_S);
    g_socket_client_set_enable_proxy(client, job->way.proxy != NULL);

    if (job->way.proxy != NULL) {
        g_socket_client_set_proxy_resolver(client, job->way.proxy);
    }

    *tcp = g_socket_client_connect(client, target, cancel, error);

    if (*tcp == NULL) {
        return NULL;
    }

    if (job->turn.proto == AGENT_PROTO_TCP) {
        return g_object_ref(G_IO_STREAM(*tcp));
    }

    io = g_tls_client_connection_new(G_IO_STREAM(*tcp), target, error);

    if (io == NULL) {
        return NULL;
    }

    if (job->way.tls != NULL) {
        g_tls_connection_set_database(G_TLS_CONNECTION(io), job->way.tls);
    }

    g_tls_connection_set_advertised_protocols(G_TLS_CONNECTION(io), alpn);

    if (!g_tls_connection_handshake(G_TLS_CONNECTION(io), cancel, error)) {
        return NULL;
    }

    return g_steal_pointer(&io);
}


static void
agent_probe_talk(agent_probe_job_t *job, GIOStream *io, GCancellable *cancel,
    GError **error)
{
    guint8          out[AGENT_STUN_SIZE];
    rs_buf_t        b;
    agent_stun_e    step;
    GOutputStream  *stream;

    stream = g_io_stream_get_output_stream(io);

    do {
        rs_buf_init(&b, out, sizeof(out));

        if (!agent_stun_question(&job->stun, &b)) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                        "the credential is too long for a question");
            return;
        }

        if (!g_output_stream_write_all(stream, out, b.len, NULL, cancel,
                                       error))
        {
            return;
        }

        step = agent_probe_read(job, g_io_stream_get_input_stream(io),
                                cancel, error);

    } while (step == AGENT_STUN_AGAIN);

    if (!job->binding && *error == NULL
        && job->probe.result == AGENT_PROBE_OK)
    {
        rs_buf_init(&b, out, sizeof(out));

        if (agent_stun_goodbye(&job->stun, &b)) {
            (void) g_output_stream_write_all(stream, out, b.len, NULL, cancel,
                                             NULL);
        }
    }
}


/* one message; DONE with an error: there will be none */

static agent_stun_e
agent_probe_read(agent_probe_job_t *job, GInputStream *in,
    GCancellable *cancel, GError **error)
{
    gsize            len;
    gssize           n;
    guint8           buf[AGENT_PROBE_READ];
    rs_err_e         rc;
    agent_stun_e     step;
    rs_stun_frame_t  frame;

    len = 0;

    for ( ;; ) {
        n = g_input_stream_read(in, buf + len, sizeof(buf) - len, cancel,
                                error);
        if (n < 0) {
            return AGENT_STUN_DONE;
        }

        if (n == 0) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                        "the connection was closed without an answer");
            return AGENT_STUN_DONE;
        }

        len += (gsize) n;

        /* nothing is bound, so ChannelData is another service's text */

        if ((buf[0] & 0xc0) != 0) {
            return agent_stun_answer(&job->stun, buf, len, &job->probe);
        }

        while ((rc = rs_stun_frame((rs_str_t) { buf, len }, 1, &frame))
               == RS_OK)
        {
            step = agent_stun_answer(&job->stun, frame.body.data,
                                     frame.body.len, &job->probe);

            if (step != AGENT_STUN_IGNORE) {
                return step;
            }

            len -= frame.size;
            memmove(buf, buf + frame.size, len);
        }

        /* what is none is for agent_stun_answer() to say */

        if (rc != RS_AGAIN || len == sizeof(buf)) {
            return agent_stun_answer(&job->stun, (const guint8 *) "", 0,
                                     &job->probe);
        }
    }
}
