
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Local ports with a gateway behind them that answers each pipe as a test
 * wants it: an end stays an end, a break is a reset, flows keep apart.
 */

#include "tunnel_error.h"
#include "tunnel_flows.h"
#include "tunnel_listen.h"
#include "../../agent/t/tap.h"
#include "fake_gateway.h"

#include <errno.h>


#define DEV  "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TUN  "tun_cccccccccccccccccccccccccc"
#define PIP  "pip_dddddddddddddddddddddddddd"

#define LIMIT_US  (30 * G_USEC_PER_SEC)


typedef struct {
    const char  *mode;              /* of the pipes that are asked for now */
    gint         pipes;
    gint         attached;
    gint         done;              /* closed with 1000 */
} script_t;

typedef struct {
    GInetSocketAddress  *to;
    gsize                len;       /* what is sent */
    gboolean             half;      /* and then ended */
    gsize                got;
    gboolean             same;
    int                  error;     /* 0: an end was read */
    gint                 over;
} client_t;


static script_t  script;


/* ---- the gateway, in its thread */

static void
on_request(SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
    g_autofree char  *text = NULL;

    (void) server;
    (void) query;
    (void) data;

    if (strcmp(path, "/base/devices/" DEV "/tunnels") == 0) {
        fake_json(msg, 201, "{\"id\":\"" TUN "\"}");

    } else if (strcmp(path, "/base/tunnels/" TUN "/pipes") == 0) {
        g_atomic_int_inc(&script.pipes);

        if (strcmp(script.mode, "none") == 0) {
            fake_json(msg, 404, "{\"code\":\"not_found\"}");
            return;
        }

        text = g_strdup_printf("{\"pipe_id\":\"" PIP "\",\"ticket\":\"t.%s\"}",
                               script.mode);
        fake_json(msg, 201, text);

    } else {
        soup_server_message_set_status(msg, 204, NULL);
    }
}


static void
on_message(SoupWebsocketConnection *ws, int type, GBytes *bytes,
    gpointer mode)
{
    gsize          len;
    gconstpointer  text;

    text = g_bytes_get_data(bytes, &len);

    if (type != SOUP_WEBSOCKET_DATA_BINARY) {
        soup_websocket_connection_close(ws, 1003, NULL);
        return;
    }

    soup_websocket_connection_send_binary(ws, text, len);

    if (strcmp(mode, "cut") == 0) {
        soup_websocket_connection_close(ws, 4502, "pipe_broken");

    } else if (len == 0) {
        soup_websocket_connection_close(ws, 1000, NULL);
    }
}


static void
on_closed(SoupWebsocketConnection *ws, gpointer mode)
{
    if (soup_websocket_connection_get_close_code(ws) == 1000) {
        g_atomic_int_inc(&script.done);
    }

    g_free(mode);
    g_object_unref(ws);
    g_main_context_wakeup(NULL);
}


static void
on_pipe(SoupServer *server, SoupServerMessage *msg, const char *path,
    SoupWebsocketConnection *ws, gpointer data)
{
    char        *mode;
    const char  *protocols, *ticket;

    (void) server;
    (void) path;
    (void) data;

    protocols = soup_message_headers_get_list(
                    soup_server_message_get_request_headers(msg),
                    "Sec-WebSocket-Protocol");
    ticket = strstr(protocols, "rs.ticket.t.");

    if (ticket == NULL || strstr(protocols, "rs.side.client") == NULL) {
        soup_websocket_connection_close(ws, 4401, "unauthenticated");
        return;
    }

    g_atomic_int_inc(&script.attached);
    ticket += strlen("rs.ticket.t.");
    mode = g_strndup(ticket, strspn(ticket, G_CSET_a_2_z));

    g_signal_connect(g_object_ref(ws), "message", G_CALLBACK(on_message),
                     mode);
    g_signal_connect(ws, "closed", G_CALLBACK(on_closed), mode);

    if (strcmp(mode, "refused") == 0) {
        soup_websocket_connection_close(ws, 4521, "target_refused");

    } else if (strcmp(mode, "over") == 0) {
        soup_websocket_connection_close(ws, 4410, "tunnel_ended");
    }
}


/* ---- who connects to the local port, in a thread */

static gpointer
connect_client(gpointer data)
{
    gsize                           i;
    gssize                          n;
    client_t                       *c = data;
    guint8                          buf[4096];
    GSocket                        *socket;
    g_autofree guint8              *sent = g_malloc(c->len + 1);
    g_autoptr(GError)               error = NULL;
    g_autoptr(GSocketClient)        client = g_socket_client_new();
    g_autoptr(GSocketConnection)    conn = NULL;

    for (i = 0; i < c->len; i++) {
        sent[i] = (guint8) (i * 31 + i / 251);
    }

    c->same = TRUE;
    conn = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(c->to), NULL,
                                   &error);
    socket = (conn != NULL) ? g_socket_connection_get_socket(conn) : NULL;

    if (socket == NULL
        || !g_output_stream_write_all(
               g_io_stream_get_output_stream(G_IO_STREAM(conn)), sent, c->len,
               NULL, NULL, &error))
    {
        goto done;
    }

    if (c->half) {
        g_socket_shutdown(socket, FALSE, TRUE, NULL);
    }

    while ((n = g_socket_receive(socket, (char *) buf, sizeof(buf), NULL,
                                 &error)) > 0)
    {

        if (c->got + (gsize) n > c->len
            || memcmp(buf, sent + c->got, (gsize) n) != 0)
        {
            c->same = FALSE;
        }

        c->got += (gsize) n;
    }

done:

    if (error != NULL) {
        c->error = (error->code == G_IO_ERROR_CONNECTION_CLOSED) ? ECONNRESET
                                                                 : EIO;
    }

    g_atomic_int_set(&c->over, 1);
    g_main_context_wakeup(NULL);

    return NULL;
}


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


/* runs the main loop until *flag is at least n */

static gboolean
until(const gint *flag, gint n)
{
    guint   timer = g_timeout_add(100, tick, NULL);
    gint64  from_us = g_get_monotonic_time();

    while (g_atomic_int_get(flag) < n
           && g_get_monotonic_time() - from_us < LIMIT_US)
    {
        g_main_context_iteration(NULL, TRUE);
    }

    g_source_remove(timer);

    return g_atomic_int_get(flag) >= n;
}


static GInetSocketAddress *
address(const char *said)
{
    const char  *colon = strrchr(said, ':');

    return G_INET_SOCKET_ADDRESS(g_inet_socket_address_new_from_string(
               "127.0.0.1", (guint) atoi(colon + 1)));
}


static void
on_over(void *data, const GError *error)
{
    int  *code = data;

    *code = error->code;
}


static void
stream(const char *said, const char *mode, gsize len, gboolean half,
    client_t *c)
{
    GThread  *thread;

    memset(c, 0, sizeof(*c));
    script.mode = mode;
    c->to = address(said);
    c->len = len;
    c->half = half;

    thread = g_thread_new("client", connect_client, c);

    if (!until(&c->over, 1)) {
        printf("not ok - %s: the connection does not end\n", mode);
        exit(1);
    }

    g_thread_join(thread);
    g_object_unref(c->to);
}


static void
test_streams(tunnel_gate_t *gate)
{
    int                  code = 0;
    client_t             c;
    tunnel_listen_t     *listen;
    g_autofree char     *said = NULL;
    g_autoptr(GError)    error = NULL;

    listen = tunnel_listen_new(gate, 4, on_over, &code);

    if (!ok(tunnel_listen_open(listen, "0", 0, &said, &error), "a port")) {
        printf("#  %s\n", error->message);
        return;
    }

    stream(said, "echo", 3 * 1024 * 1024 + 17, TRUE, &c);
    ok(c.error == 0 && c.same && c.got == c.len,
       "bytes come back, and then an end (%" G_GSIZE_FORMAT ")", c.got);

    stream(said, "echo", 0, TRUE, &c);
    ok(c.error == 0 && c.got == 0, "an end alone");

    ok(until(&script.done, 2), "each was closed by 1000");

    stream(said, "refused", 0, FALSE, &c);
    is_int(c.error, ECONNRESET, "what the device refuses is a reset");
    is_int(code, TUNNEL_ERROR_REFUSED, "and told: it would be so again");
    code = 0;

    stream(said, "cut", 100, FALSE, &c);
    is_int(c.error, ECONNRESET, "a broken pipe is a reset");
    is_int(code, 0, "and of that connection alone");

    stream(said, "over", 0, FALSE, &c);
    is_int(c.error, ECONNRESET, "a tunnel that is over resets it");
    is_int(code, TUNNEL_ERROR_GONE, "and is told");

    code = 0;
    stream(said, "none", 0, FALSE, &c);
    is_int(c.error, ECONNRESET, "so does one the gateway does not know");
    is_int(code, TUNNEL_ERROR_GONE, "which is told");

    tunnel_listen_free(listen);
}


static void
on_log(const char *domain, GLogLevelFlags level, const char *text,
    gpointer data)
{
    (void) domain;

    if ((level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_WARNING) {
        g_string_append(data, text);
    }
}


/* a port of which another program has the half that "localhost" may be */

static void
test_taken(tunnel_gate_t *gate, gboolean udp)
{
    int                         code = 0;
    tunnel_listen_t            *listen;
    tunnel_flows_t             *flows;
    const char                 *what = udp ? "UDP" : "TCP";
    g_autofree char            *port = NULL;
    g_autofree char            *said = NULL;
    g_autofree char            *again = NULL;
    g_autoptr(GString)          log = g_string_new("");
    g_autoptr(GSocket)          other = NULL;
    g_autoptr(GInetAddress)     six = NULL;
    g_autoptr(GSocketAddress)   any = NULL;
    g_autoptr(GSocketAddress)   bound = NULL;

    six = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV6);
    any = g_inet_socket_address_new(six, 0);
    other = g_socket_new(G_SOCKET_FAMILY_IPV6,
                         udp ? G_SOCKET_TYPE_DATAGRAM : G_SOCKET_TYPE_STREAM,
                         G_SOCKET_PROTOCOL_DEFAULT, NULL);

    if (other == NULL || !g_socket_bind(other, any, FALSE, NULL)
        || (!udp && !g_socket_listen(other, NULL)))
    {
        ok(TRUE, "# SKIP no IPv6");
        return;
    }

    bound = g_socket_get_local_address(other, NULL);
    port = g_strdup_printf("%u", g_inet_socket_address_get_port(
                                     G_INET_SOCKET_ADDRESS(bound)));

    g_log_set_default_handler(on_log, log);

    listen = tunnel_listen_new(gate, 1, on_over, &code);
    flows = tunnel_flows_new(gate, 1, 1, on_over, &code);

    ok(udp ? tunnel_flows_open(flows, port, &said, NULL)
           : tunnel_listen_open(listen, port, 0, &said, NULL),
       "%s: it is opened", what);
    ok(strstr(log->str, port) != NULL && strstr(log->str, said) != NULL
       && strstr(log->str, "another program's") != NULL,
       "and said: %s", log->str);

    tunnel_flows_free(flows);
    tunnel_listen_free(listen);

    g_string_truncate(log, 0);
    listen = tunnel_listen_new(gate, 1, on_over, &code);
    flows = tunnel_flows_new(gate, 1, 1, on_over, &code);
    ok(udp ? tunnel_flows_open(flows, "0", &again, NULL)
           : tunnel_listen_open(listen, "0", 0, &again, NULL),
       "%s: another port", what);
    is_str(log->str, "", "has nothing to be said");
    tunnel_flows_free(flows);
    tunnel_listen_free(listen);

    g_log_set_default_handler(g_log_default_handler, NULL);
}


/* with room for one, the second connection waits until the first is over */

static void
test_bound(tunnel_gate_t *gate)
{
    int                  code = 0;
    GThread             *threads[2];
    client_t             c[2];
    tunnel_listen_t     *listen;
    g_autofree char     *said = NULL;

    listen = tunnel_listen_new(gate, 1, on_over, &code);
    ok(tunnel_listen_open(listen, NULL, 0, &said, NULL), "another port");

    memset(c, 0, sizeof(c));
    script.mode = "echo";
    script.pipes = 0;
    script.attached = 0;

    c[0].to = address(said);
    c[0].len = 5;                   /* and no end: it stays */
    threads[0] = g_thread_new("first", connect_client, &c[0]);
    ok(until(&script.attached, 1), "one is there");

    c[1].to = c[0].to;
    c[1].half = TRUE;
    threads[1] = g_thread_new("second", connect_client, &c[1]);

    /* a call for it would come within this time, if there were one */

    script.done = 0;
    g_timeout_add_once(300, (GSourceOnceFunc) g_atomic_int_inc,
                       &script.done);
    until(&script.done, 1);
    is_int(script.pipes, 1, "the next one waits");

    tunnel_listen_free(listen);

    ok(until(&c[0].over, 1) && until(&c[1].over, 1)
       && c[0].error == ECONNRESET,
       "who is there when it is over gets a reset");

    g_thread_join(threads[0]);
    g_thread_join(threads[1]);
    g_object_unref(c[0].to);
}


static GSocket *
sender(const char *said)
{
    GSocket                    *socket;
    g_autoptr(GSocketAddress)   to = G_SOCKET_ADDRESS(address(said));

    socket = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                          G_SOCKET_PROTOCOL_UDP, NULL);
    g_socket_connect(socket, to, NULL, NULL);
    g_socket_set_blocking(socket, FALSE);

    return socket;
}


/* one datagram there and back */

static gboolean
echoed(GSocket *socket, const char *text, gsize len)
{
    gssize             n;
    guint              timer = g_timeout_add(10, tick, NULL);
    gint64             from_us = g_get_monotonic_time();
    g_autofree char   *buf = g_malloc(65536);

    g_socket_send(socket, text, len, NULL, NULL);

    do {
        g_main_context_iteration(NULL, TRUE);
        n = g_socket_receive(socket, buf, 65536, NULL, NULL);

    } while (n <= 0 && g_get_monotonic_time() - from_us < LIMIT_US);

    g_source_remove(timer);

    return n == (gssize) len && memcmp(buf, text, len) == 0;
}


static gboolean
send_again(gpointer socket)
{
    g_socket_send(socket, "y", 1, NULL, NULL);

    return G_SOURCE_CONTINUE;
}


static void
test_flows(tunnel_gate_t *gate)
{
    char                 other[16];
    int                  code = 0;
    tunnel_flows_t      *flows;
    g_autofree char     *said = NULL;
    g_autofree char     *big = g_strnfill(65507, 'b');
    g_autoptr(GSocket)   a = NULL;
    g_autoptr(GSocket)   b = NULL;
    g_autoptr(GSocket)   c = NULL;

    script.mode = "echo";
    script.pipes = 0;
    script.done = 0;

    flows = tunnel_flows_new(gate, 2, 3600, on_over, &code);

    if (!ok(tunnel_flows_open(flows, "0", &said, NULL), "a port of UDP")) {
        return;
    }

    a = sender(said);
    b = sender(said);
    c = sender(said);

    ok(echoed(a, "of a", 4) && echoed(b, "of b", 4)
       && echoed(a, "more", 4), "what each sends comes back to it");
    ok(g_socket_receive(b, other, sizeof(other), NULL, NULL) < 0,
       "and to nobody else");
    is_int(script.pipes, 2, "by a pipe each");
    ok(echoed(a, big, 65507), "the longest there is, as one");

    g_socket_send(c, "x", 1, NULL, NULL);
    ok(echoed(a, "still", 5) && script.pipes == 2,
       "a third one has no room");

    tunnel_flows_free(flows);
    ok(until(&script.done, 2), "both end with it, by 1000");
    is_int(code, 0, "nothing was wrong with the tunnel");
}


/* with room for one: the next one has it when the first was silent */

static void
test_idle(tunnel_gate_t *gate)
{
    int                  code = 0;
    guint                timer;
    tunnel_flows_t      *flows;
    g_autofree char     *said = NULL;
    g_autoptr(GSocket)   a = NULL;
    g_autoptr(GSocket)   b = NULL;

    script.pipes = 0;
    script.done = 0;

    flows = tunnel_flows_new(gate, 1, 1, on_over, &code);
    ok(tunnel_flows_open(flows, NULL, &said, NULL), "any port of UDP");

    a = sender(said);
    b = sender(said);

    g_socket_send(a, "x", 1, NULL, NULL);
    ok(until(&script.pipes, 1), "a flow");

    timer = g_timeout_add(200, send_again, b);
    ok(until(&script.pipes, 2), "who is silent is forgotten, which makes room");
    g_source_remove(timer);

    tunnel_flows_free(flows);
    is_int(code, 0, "and is nothing wrong");
}


int
main(void)
{
    tunnel_rest_t                *rest;
    tunnel_gate_t                *gate;
    fake_gateway_t                g;
    tunnel_wish_t                 wish = { "127.0.0.1:1", FALSE, FALSE,
                                           NULL };
    tunnel_device_t               device = { (char *) DEV, (char *) "desk",
                                             TRUE };
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    memset(&g, 0, sizeof(g));
    g.answer = on_request;
    g.pipe = on_pipe;
    fake_begin(&g);

    tunnel_config_set(config, "server", g.url, NULL);
    tunnel_config_set(config, "ca_file", g.cert, NULL);
    tunnel_config_set(config, "proxy", "direct", NULL);

    rest = tunnel_rest_new(config, "rsk_x", NULL);
    gate = tunnel_gate_open(rest, config, &device, &wish, NULL);
    is_int(tunnel_gate_ttl(gate), 0, "no time is said");

    test_streams(gate);
    test_bound(gate);
    test_flows(gate);
    test_idle(gate);
    test_taken(gate, FALSE);
    test_taken(gate, TRUE);

    tunnel_gate_close(gate);
    tunnel_rest_free(rest);
    fake_end(&g);

    return done();
}
