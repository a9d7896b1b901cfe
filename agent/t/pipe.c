
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One leg of a pipe against a server of this test's own, which is a thread
 * that blocks and has frames by itself: with TLS what is sent comes back,
 * without it each case says what the server does.
 */

#include "agent_pipe.h"
#include "leg_server.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define DEADLINE_S  60
#define PLENTY      (48 * 1024 * 1024)
#define BOUND       (16 * 1024 * 1024)  /* of buffers on loopback, by far */
#define SIP         (512 * 1024)


typedef struct {
    gboolean          opened;
    gboolean          closed;
    gboolean          clean;
    guint             code;
    guint             status;
    guint             retry_s;
    guint64           sent;
    guint64           received;
    char             *why;
    GString          *datagrams;
    agent_pipe_t     *pipe;
} leg_t;


static char  *dir;


/* a sanitizer keeps what was freed */

#ifdef __SANITIZE_ADDRESS__
#define LITTLE      G_MAXSIZE
#else
#define LITTLE      (8 * 1024 * 1024)
#endif


static server_t *
server_new(void (*serve)(GIOStream *io), gboolean tls)
{
    g_autofree char  *path = g_build_filename(dir, "good.pem", NULL);

    return server_new_with(serve, tls ? path : NULL);
}


/* ---- the leg's side */

static gboolean
on_late(gpointer data)
{
    (void) data;
    printf("not ok - not within %d s\n", DEADLINE_S);
    exit(1);
}


#define wait_for(cond)                                                       \
    do {                                                                     \
        guint  late = g_timeout_add_seconds(DEADLINE_S, on_late, NULL);      \
                                                                             \
        while (!(cond)) {                                                    \
            g_main_context_iteration(NULL, TRUE);                            \
        }                                                                    \
                                                                             \
        g_source_remove(late);                                               \
    } while (0)


/*
 * A reset shows by reading, or, where the other direction had come to its end
 * before, by writing.
 */

static gboolean
is_reset(int fd)
{
    char    bytes[8];
    gssize  n;

    do {
        n = read(fd, bytes, sizeof(bytes));
    } while (n > 0);

    return (n == -1) ? errno == ECONNRESET
                     : send(fd, "x", 1, MSG_NOSIGNAL) == -1;
}


/* another thread changes what is waited for */

static gboolean
on_tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
on_open(void *data)
{
    ((leg_t *) data)->opened = TRUE;
}


static void
on_datagram(void *data, const guint8 *bytes, gsize len)
{
    leg_t  *leg = data;

    g_string_append_printf(leg->datagrams, "%" G_GSIZE_FORMAT ":%c%c ", len,
                           bytes[0], bytes[len - 1]);
}


static void
on_closed(void *data, const agent_pipe_end_t *end)
{
    leg_t  *leg = data;

    leg->closed = TRUE;
    leg->clean = end->clean;
    leg->code = end->wire.code;
    leg->status = end->wire.status;
    leg->retry_s = end->wire.retry_s;
    leg->sent = end->sent;
    leg->received = end->received;
    leg->why = g_strdup(end->wire.why);
    agent_pipe_free(g_steal_pointer(&leg->pipe), 0);
}


static const agent_pipe_events_t  events = {
    on_open,
    on_datagram,
    on_closed
};


static leg_t *
leg_new(server_t *server, agent_pipe_kind_e kind, int in, int out,
    GTlsDatabase *ca)
{
    leg_t             *leg = g_new0(leg_t, 1);
    agent_wire_to_t    to = { 0 };
    g_autofree char   *url = NULL;

    url = g_strdup_printf("%s://localhost:%u/rs/v1/pipe",
                          server->certificate != NULL ? "wss" : "ws",
                          server->port);
    to.url = url;
    to.ticket = "default.pip2abc";
    to.side = "host";
    to.program = "test/1";
    to.tls = ca;

    leg->datagrams = g_string_new(NULL);
    leg->pipe = agent_pipe_new(&to, kind, in, out, &events, leg);

    return leg;
}


static void
leg_free(leg_t *leg)
{
    if (leg->pipe != NULL) {
        agent_pipe_free(leg->pipe, AGENT_WIRE_BROKEN);
    }

    g_string_free(leg->datagrams, TRUE);
    g_free(leg->why);
    g_free(leg);
}


/* two ends of a TCP connection */

static void
tcp_pair(int pair[2])
{
    guint16                        port;
    GSocketConnection             *a, *b;
    g_autoptr(GSocketListener)     listener = g_socket_listener_new();
    g_autoptr(GSocketClient)       client = g_socket_client_new();

    port = g_socket_listener_add_any_inet_port(listener, NULL, NULL);
    a = g_socket_client_connect_to_host(client, "127.0.0.1", port, NULL,
                                        NULL);
    b = g_socket_listener_accept(listener, NULL, NULL, NULL);
    pair[0] = dup(g_socket_get_fd(g_socket_connection_get_socket(a)));
    pair[1] = dup(g_socket_get_fd(g_socket_connection_get_socket(b)));
    g_object_unref(a);
    g_object_unref(b);
    small(pair[0]);
    small(pair[1]);
    (void) fcntl(pair[1], F_SETFL, fcntl(pair[1], F_GETFL) | O_NONBLOCK);
}


/*
 * The application at the other end of the leg's socket: writes total bytes
 * of a sequence, then its end; takes what comes, but only while it may.
 */

typedef struct {
    int        fd;
    gsize      total;
    gsize      written;
    gsize      got;
    gboolean   holds;                   /* reads nothing */
    gboolean   wrong;
    gboolean   ended;                   /* read to the end */
    int        error;
} app_t;


static guint8
sequence(gsize i)
{
    return (guint8) (i * 131 + (i >> 8) * 7 + (i >> 16));
}


static void
app_write(app_t *app)
{
    gsize    i, n;
    gssize   sent;
    guint8   bytes[16384];

    while (app->written < app->total) {
        n = MIN(sizeof(bytes), app->total - app->written);

        for (i = 0; i < n; i++) {
            bytes[i] = sequence(app->written + i);
        }

        sent = send(app->fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0) {
            app->error = (errno != EAGAIN) ? errno : app->error;
            return;
        }

        app->written += (gsize) sent;

        if (app->written == app->total) {
            (void) shutdown(app->fd, SHUT_WR);
        }
    }
}


static void
app_read(app_t *app)
{
    gssize   i, n;
    guint8   bytes[65536];

    while (!app->holds && !app->ended && app->error == 0) {
        n = read(app->fd, bytes, sizeof(bytes));

        if (n < 0) {
            app->error = (errno != EAGAIN) ? errno : app->error;
            return;
        }

        app->ended = (n == 0);

        for (i = 0; i < n; i++) {
            app->wrong = app->wrong || bytes[i] != sequence(app->got++);
        }
    }
}


static gboolean
app_turn(gpointer data)
{
    app_t  *app = data;

    app_write(app);
    app_read(app);

    return G_SOURCE_CONTINUE;
}


static gsize
resident(void)
{
    gsize              pages;
    g_autofree char   *text = NULL;

    g_file_get_contents("/proc/self/statm", &text, NULL, NULL);
    pages = g_ascii_strtoull(strchr(text, ' ') + 1, NULL, 10);

    return pages * (gsize) sysconf(_SC_PAGESIZE);
}


/* ---- what servers do */

/* what was sent comes back; its end, too */

static void
serve_echo(GIOStream *io)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade(io);

    for ( ;; ) {
        op = get_frame(io, data, &len);

        if (op == RS_WS_BINARY) {
            g_atomic_int_add(&server_bytes, (gint) len);
            put_frame(io, 0x82, data, len);

        } else if (op == RS_WS_CLOSE) {
            put_close(io, 1000);
            break;

        } else if (op == -1) {
            break;
        }
    }

    g_free(data);
}


static void
serve_deaf(GIOStream *io)
{
    upgrade(io);
    wait_go(1);
}


/*
 * Deaf until it may go on; then it takes a little and asks whether the leg
 * lives: a socket has room for an answer, and for what waits before it, long
 * before poll() says that it has room.  Bytes are counted with their frames.
 */

static void
serve_ping(GIOStream *io)
{
    int            fd;
    gssize         n;
    guint8         bytes[65536];
    gboolean       asked = FALSE;
    struct pollfd  p;

    upgrade(io);
    wait_go(1);
    fd = g_socket_get_fd(g_socket_connection_get_socket(
                             G_SOCKET_CONNECTION(io)));
    p = (struct pollfd) { fd, POLLIN, 0 };

    do {
        if (!asked && g_atomic_int_get(&server_bytes) >= SIP) {
            asked = TRUE;
            put_frame(io, 0x89, "alive?", 6);
            g_atomic_int_set(&server_go, 2);
        }

        (void) poll(&p, 1, -1);
        n = recv(fd, bytes, sizeof(bytes), 0);
        g_atomic_int_add(&server_bytes, (gint) MAX(n, 0));

    } while (n > 0 && g_atomic_int_get(&server_bytes) < PLENTY);
}


static void
serve_fragments(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x02, "ab", 2);
    put_frame(io, 0x00, "", 0);
    put_frame(io, 0x89, "ping", 4);
    put_frame(io, 0x80, "c", 1);
    put_frame(io, 0x02, "", 0);
    put_frame(io, 0x80, "", 0);
    get_close(io);
    put_close(io, 1000);
}


static void
serve_no_end(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x82, "abc", 3);
    wait_go(1);
}


static void
serve_close_early(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x82, "abc", 3);
    wait_go(1);
    put_close(io, 1000);
    get_close(io);
}


static void
serve_broken(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x82, "abc", 3);
    put_frame(io, 0x82, "", 0);
    wait_go(1);
    put_close(io, 4502);
    get_close(io);
}


static void
serve_behind(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x82, "", 0);
    put_frame(io, 0x82, "late", 4);
    get_close(io);
}


static void
serve_text(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x81, "text", 4);
    get_close(io);
}


static void
serve_large(GIOStream *io)
{
    guint8  header[RS_WS_HEADER_MAX];

    upgrade(io);
    put(io, header, rs_ws_header(header, RS_WS_BINARY,
                                 AGENT_PIPE_STREAM_MESSAGE + 1));
    get_close(io);
}


static void
serve_close_wait(GIOStream *io)
{
    upgrade(io);
    get_close(io);
}


static void
serve_refuse(GIOStream *io)
{
    g_autofree char  *request = get_request(io);

    put(io, "HTTP/1.1 503 No\r\nRetry-After: 7\r\n\r\n", 36);
}


static void
serve_other(GIOStream *io)
{
    put(io, "SSH-2.0-other\r\n", 15);
}


static char  *asked;


static void
serve_ask(GIOStream *io)
{
    asked = get_request(io);
}


static void
serve_datagrams(GIOStream *io)
{
    guint8  *large = g_malloc(AGENT_PIPE_DATAGRAM);

    upgrade(io);
    memset(large, 'L', AGENT_PIPE_DATAGRAM);
    put_frame(io, 0x82, "one", 3);
    put_frame(io, 0x82, "", 0);
    put_frame(io, 0x02, "t", 1);
    put_frame(io, 0x80, "wo", 2);
    put_frame(io, 0x82, large, AGENT_PIPE_DATAGRAM);
    g_free(large);
    get_close(io);
    put_close(io, 1000);
}


static void
serve_datagram_large(GIOStream *io)
{
    guint8  header[RS_WS_HEADER_MAX];

    upgrade(io);
    put(io, header, rs_ws_header(header, RS_WS_BINARY,
                                 AGENT_PIPE_DATAGRAM + 1));
    get_close(io);
}


/* ---- cases */

static void
test_request(void)
{
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve_ask, FALSE);

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    wait_for(leg->closed);
    server_free(server);

    ok(strstr(asked, "GET /rs/v1/pipe HTTP/1.1\r\n") == asked, "the path");
    ok(strstr(asked, "Sec-WebSocket-Protocol: rs.v1, "
              "rs.ticket.default.pip2abc, rs.side.host\r\n") != NULL,
       "protocol, ticket, side");
    ok(strstr(asked, "pip2abc") == strstr(asked, "rs.ticket.") + 18,
       "the ticket is nowhere else");
    ok(!leg->opened && !leg->clean, "no leg without an answer");

    g_clear_pointer(&asked, g_free);
    leg_free(leg);
    close(pair[1]);
}


static void
test_refused(void (*serve)(GIOStream *io), guint status, guint retry_s,
    const char *why)
{
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve, FALSE);

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    wait_for(leg->closed);
    server_free(server);

    is_str(leg->why, why, "refused, and why");
    ok(leg->status == status && leg->retry_s == retry_s && !leg->opened,
       "%s: status %u, %u s", why, leg->status, leg->retry_s);
    ok(is_reset(pair[1]), "%s: the socket is reset", why);

    leg_free(leg);
    close(pair[1]);
}


/* all comes back in order, both ends come, memory stays where it was */

static void
test_echo(gboolean tls, GTlsDatabase *ca, gboolean pipes)
{
    int          pair[2], p[2];
    guint        turn;
    gsize        before;
    app_t        app = { 0 };
    leg_t       *leg;
    server_t    *server = server_new(serve_echo, tls);
    const char  *what = tls ? "TLS" : pipes ? "two descriptors" : "plain";

    tcp_pair(pair);
    app.fd = pair[1];
    app.total = PLENTY;
    app.holds = TRUE;
    p[0] = pair[0];
    p[1] = pipes ? dup(pair[0]) : pair[0];

    leg = leg_new(server, AGENT_PIPE_STREAM, p[0], p[1], ca);
    wait_for(leg->opened);
    turn = g_timeout_add(1, app_turn, &app);
    before = resident();

    /*
     * Nobody reads: the chain of buffers fills, and then the writer stands.
     * That it does shows by two looks a while apart.
     */

    if (!pipes) {
        gsize   last = 0;
        gint64  since = g_get_monotonic_time();

        do {
            if (app.written != last) {
                last = app.written;
                since = g_get_monotonic_time();
            }

            g_main_context_iteration(NULL, TRUE);

        } while (g_get_monotonic_time() - since < G_USEC_PER_SEC);

        ok(app.written > 0 && app.written < BOUND,
           "%s: who writes is held by who does not read, after %"
           G_GSIZE_FORMAT " KiB", what, app.written / 1024);
    }

    app.holds = FALSE;
    wait_for(app.ended || app.error != 0);
    is_int((gint64) app.got, PLENTY, "all came back");
    ok(!app.wrong && app.error == 0, "%s: as it was, and its end behind it",
       what);

    if (pipes) {
        (void) shutdown(pair[1], SHUT_RDWR);
    }

    wait_for(leg->closed);
    ok(leg->clean && leg->code == 1000, "%s: a clean end", what);
    ok(leg->sent == PLENTY && leg->received == PLENTY, "%s: counted", what);
    ok(resident() < before || resident() - before < LITTLE,
       "%s: in little memory, %" G_GSSIZE_FORMAT " KiB more", what,
       ((gssize) resident() - (gssize) before) / 1024);
    is_int(g_atomic_int_get(&server_code), 1000, "and said so");

    g_source_remove(turn);
    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


/* the gateway takes nothing */

static void
test_deaf(void)
{
    int        pair[2];
    gsize      last = 0;
    guint      turn;
    app_t      app = { 0 };
    leg_t     *leg;
    gint64     since = g_get_monotonic_time();
    server_t  *server = server_new(serve_deaf, FALSE);

    tcp_pair(pair);
    app.fd = pair[1];
    app.total = PLENTY;
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    turn = g_timeout_add(1, app_turn, &app);
    wait_for(leg->opened);

    do {
        if (app.written != last) {
            last = app.written;
            since = g_get_monotonic_time();
        }

        g_main_context_iteration(NULL, TRUE);

    } while (g_get_monotonic_time() - since < G_USEC_PER_SEC);

    ok(app.written > 0 && app.written < BOUND,
       "a deaf gateway holds who writes");

    /* its connection goes while bytes wait for it */

    g_atomic_int_set(&server_go, 1);
    wait_for(leg->closed);
    ok(!leg->clean, "what was not taken is no clean end");
    wait_for(app.error != 0);
    is_int(app.error, ECONNRESET, "the socket is reset");

    g_source_remove(turn);
    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


/*
 * Who writes is held, and what empties the buffer is the answer to a ping,
 * not the socket that takes more: it goes on all the same.
 */

static void
test_ping(void)
{
    int        pair[2];
    gsize      last = 0;
    guint      turn;
    app_t      app = { 0 };
    leg_t     *leg;
    gint64     since = g_get_monotonic_time();
    server_t  *server = server_new(serve_ping, FALSE);

    tcp_pair(pair);
    app.fd = pair[1];
    app.total = PLENTY;
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    turn = g_timeout_add(1, app_turn, &app);
    wait_for(leg->opened);

    do {
        if (app.written != last) {
            last = app.written;
            since = g_get_monotonic_time();
        }

        g_main_context_iteration(NULL, TRUE);

    } while (g_get_monotonic_time() - since < G_USEC_PER_SEC);

    /* the leg's loop stands still, so that both are there when it goes on */

    g_atomic_int_set(&server_go, 1);
    wait_go(2);
    wait_for(g_atomic_int_get(&server_bytes) >= PLENTY);
    ok(app.written == PLENTY, "a ping in between holds nobody for ever");

    g_source_remove(turn);
    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


/* bytes, then an end that is none: what came came, then a reset */

static void
test_broken(void (*serve)(GIOStream *io), guint code, const char *what)
{
    char       bytes[8];
    gssize     n;
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve, FALSE);
    guint      tick = g_timeout_add(1, on_tick, NULL);

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);

    wait_for((n = read(pair[1], bytes, sizeof(bytes))) != -1);
    is_int(n, 3, "bytes come as they are");
    g_atomic_int_set(&server_go, 1);
    wait_for(leg->closed);

    ok(!leg->clean && leg->code == code, "%s: broken, %u", what, leg->code);

    ok(is_reset(pair[1]), "%s: reset", what);

    g_source_remove(tick);
    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


static void
test_wrong(void (*serve)(GIOStream *io), agent_pipe_kind_e kind, gint said,
    const char *what)
{
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve, FALSE);

    tcp_pair(pair);
    leg = leg_new(server, kind, pair[0], pair[0], NULL);
    wait_for(leg->closed);
    server_free(server);

    ok(!leg->clean, "%s: broken", what);
    is_int(g_atomic_int_get(&server_code), said, "the gateway is told");

    if (kind == AGENT_PIPE_STREAM) {
        ok(is_reset(pair[1]), "%s: reset", what);
    }

    leg_free(leg);
    close(pair[1]);
}


static void
test_fragments(void)
{
    char       bytes[8];
    gsize      got = 0;
    gssize     n;
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve_fragments, FALSE);

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);

    /* its end first: ours goes on */

    wait_for(leg->opened);

    do {
        n = read(pair[1], bytes + got, sizeof(bytes) - got);
        got += (n > 0) ? (gsize) n : 0;
        g_main_context_iteration(NULL, FALSE);
    } while (n != 0);

    ok(got == 3 && memcmp(bytes, "abc", 3) == 0,
       "fragments are bytes, an empty message of two is the end");
    ok(!leg->closed, "one direction has ended, the other has not");

    (void) shutdown(pair[1], SHUT_WR);
    wait_for(leg->closed);
    ok(leg->clean, "both have ended: clean");

    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


static void
serve_half(GIOStream *io)
{
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade(io);

    while (get_frame(io, data, &len) != -1 && len != 0) { }

    g_atomic_int_set(&server_bytes, 1);
    get_close(io);
    g_free(data);
}


/* it has ended its own direction, and then breaks: nothing is written to it */

static void
test_reset_half(void)
{
    int            pair[2];
    leg_t         *leg;
    server_t      *server = server_new(serve_half, FALSE);
    struct linger  reset = { 1, 0 };

    g_atomic_int_set(&server_bytes, 0);
    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    wait_for(leg->opened);
    (void) shutdown(pair[1], SHUT_WR);
    wait_for(g_atomic_int_get(&server_bytes) == 1);
    ok(!leg->closed, "one direction has ended");

    (void) setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(pair[1]);
    wait_for(leg->closed);
    ok(!leg->clean && leg->code == 0, "then a reset: broken: %s", leg->why);

    server_free(server);
    is_int(g_atomic_int_get(&server_code), AGENT_WIRE_BROKEN,
           "the gateway is told");
    leg_free(leg);
}


/* this end's connection breaks, also while nothing is read of it */

static void
test_reset(void (*serve)(GIOStream *io), gboolean full, const char *what)
{
    int            pair[2];
    app_t          app = { 0 };
    guint          turn;
    leg_t         *leg;
    server_t      *server = server_new(serve, FALSE);
    struct linger  reset = { 1, 0 };

    tcp_pair(pair);
    app.fd = pair[1];
    app.total = full ? PLENTY : 0;
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    wait_for(leg->opened);

    if (full) {
        gsize   last = 0;
        gint64  since = g_get_monotonic_time();

        turn = g_timeout_add(1, app_turn, &app);

        do {
            if (app.written != last) {
                last = app.written;
                since = g_get_monotonic_time();
            }

            g_main_context_iteration(NULL, TRUE);
        } while (g_get_monotonic_time() - since < G_USEC_PER_SEC / 2);

        g_source_remove(turn);
    }

    (void) setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(pair[1]);
    wait_for(leg->closed);

    ok(!leg->clean && leg->code == 0, "%s: broken: %s", what, leg->why);

    g_atomic_int_set(&server_go, 1);
    server_free(server);

    if (!full) {
        is_int(g_atomic_int_get(&server_code), AGENT_WIRE_BROKEN,
               "the gateway is told");
    }

    leg_free(leg);
}


static void
test_datagrams(void)
{
    guint8    *large = g_malloc0(AGENT_PIPE_DATAGRAM + 1);
    leg_t     *leg;
    server_t  *server = server_new(serve_datagrams, FALSE);

    leg = leg_new(server, AGENT_PIPE_DATAGRAMS, -1, -1, NULL);
    ok(!agent_pipe_push(leg->pipe, large, 1), "no leg yet: dropped");
    wait_for(leg->opened && strchr(leg->datagrams->str, 'L') != NULL);
    is_str(leg->datagrams->str, "3:oe 3:to 65507:LL ",
           "datagrams, one in fragments, none for an empty message");

    ok(!agent_pipe_push(leg->pipe, large, 0), "none without bytes is sent");
    ok(!agent_pipe_push(leg->pipe, large, AGENT_PIPE_DATAGRAM + 1),
       "none that is too long");
    ok(agent_pipe_push(leg->pipe, large, AGENT_PIPE_DATAGRAM),
       "the longest is");

    agent_pipe_free(g_steal_pointer(&leg->pipe), AGENT_WIRE_DONE);
    wait_for(g_atomic_int_get(&server_code) != -1);
    is_int(g_atomic_int_get(&server_code), 1000, "over: 1000");

    server_free(server);
    leg_free(leg);
    g_free(large);
}


/* a socket of datagrams; what comes back is what was sent */

static void
test_udp(void)
{
    int        pair[2];
    char       bytes[64];
    gssize     n;
    leg_t     *leg;
    server_t  *server = server_new(serve_echo, FALSE);

    if (socketpair(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK, 0, pair) == -1) {
        printf("not ok - socketpair\n");
        exit(1);
    }

    leg = leg_new(server, AGENT_PIPE_DATAGRAMS, pair[0], pair[0], NULL);
    (void) send(pair[1], "first", 5, 0);
    (void) send(pair[1], "", 0, 0);
    (void) send(pair[1], "second one", 10, 0);

    wait_for((n = recv(pair[1], bytes, sizeof(bytes), 0)) > 0);
    ok(n == 5 && memcmp(bytes, "first", 5) == 0, "a datagram comes back");
    wait_for((n = recv(pair[1], bytes, sizeof(bytes), 0)) > 0);
    ok(n == 10 && memcmp(bytes, "second one", 10) == 0, "and the next");

    agent_pipe_free(g_steal_pointer(&leg->pipe), AGENT_WIRE_DONE);
    wait_for(g_atomic_int_get(&server_code) != -1);

    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


/* freed while it connects, and while it is open */

static void
test_freed(GTlsDatabase *ca)
{
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve_close_wait, TRUE);

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], ca);
    agent_pipe_free(g_steal_pointer(&leg->pipe), AGENT_WIRE_BROKEN);
    leg_free(leg);
    close(pair[1]);

    /* nobody came: another one does */

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], ca);
    wait_for(leg->opened || leg->closed);

    if (leg->pipe != NULL) {
        agent_pipe_free(g_steal_pointer(&leg->pipe), AGENT_WIRE_BROKEN);
        wait_for(g_atomic_int_get(&server_code) != -1);
        is_int(g_atomic_int_get(&server_code), AGENT_WIRE_BROKEN,
               "freed while open: the gateway is told");

    } else {
        ok(TRUE, "the first one came so far that the server took it");
    }

    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


static void
test_strange(void)
{
    int        pair[2];
    leg_t     *leg;
    server_t  *server = server_new(serve_close_wait, TRUE);

    tcp_pair(pair);
    leg = leg_new(server, AGENT_PIPE_STREAM, pair[0], pair[0], NULL);
    wait_for(leg->closed);
    ok(!leg->opened && strstr(leg->why, "certificate") != NULL,
       "a certificate nobody knows: %s", leg->why);

    server_free(server);
    leg_free(leg);
    close(pair[1]);
}


static void
run(const char *command)
{
    int              status;
    g_autofree char  *err = NULL;

    if (!g_spawn_command_line_sync(command, NULL, &err, &status, NULL)
        || !g_spawn_check_wait_status(status, NULL))
    {
        printf("not ok - %s: %s\n", command, err);
        exit(1);
    }
}


static void
remove_dir(void)
{
    g_autofree char  *key = g_build_filename(dir, "good.pem", NULL);
    g_autofree char  *crt = g_build_filename(dir, "ca.pem", NULL);

    g_unlink(key);
    g_unlink(crt);
    g_rmdir(dir);
    g_free(dir);
}


int
main(void)
{
    g_autofree char          *make = NULL;
    g_autofree char          *path = NULL;
    g_autoptr(GTlsDatabase)   ca = NULL;

    signal(SIGPIPE, SIG_IGN);
    dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    make = g_strdup_printf("sh -c 'cd %s && openssl req -x509 -newkey ec "
                           "-pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                           "-subj /CN=localhost -addext "
                           "subjectAltName=DNS:localhost -keyout good.pem "
                           "-out ca.pem && cat ca.pem >> good.pem'", dir);
    run(make);
    path = g_build_filename(dir, "ca.pem", NULL);
    ca = g_tls_file_database_new(path, NULL);

    test_request();
    test_refused(serve_refuse, 503, 7, "the gateway answered 503");
    test_refused(serve_other, 0, 0, "what answered is no gateway");
    test_echo(FALSE, NULL, FALSE);
    test_echo(TRUE, ca, FALSE);
    test_echo(FALSE, NULL, TRUE);
    test_deaf();
    test_ping();
    test_broken(serve_no_end, 0, "the gateway is gone");
    test_broken(serve_close_early, 1000, "1000 without an end");
    test_broken(serve_broken, 4502, "4502 behind its end");
    test_wrong(serve_behind, AGENT_PIPE_STREAM, AGENT_WIRE_BROKEN,
               "bytes behind the end");
    test_wrong(serve_text, AGENT_PIPE_STREAM, 1003, "text");
    test_wrong(serve_large, AGENT_PIPE_STREAM, 1009, "a message too long");
    test_wrong(serve_datagram_large, AGENT_PIPE_DATAGRAMS, 1009,
               "a datagram too long");
    test_fragments();
    test_reset(serve_close_wait, FALSE, "reset");
    test_reset_half();
    test_reset(serve_deaf, TRUE, "reset while nothing is read");
    test_datagrams();
    test_udp();
    test_freed(ca);
    test_strange();

    remove_dir();

    return done();
}
