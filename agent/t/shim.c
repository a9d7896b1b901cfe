
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The TLS shim in front of a real TLS server: what goes over the wire is TLS,
 * bytes come back whole, and a server that cannot prove its name gets none.
 */

#include "agent_turn_shim.h"
#include "tap.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>


#define DEADLINE_S  20
#define BYTES       300000


typedef struct {
    GSocketService   *service;
    GTlsCertificate  *certificate;
    guint16           port;
    guint             accepted;
    guint8            first[2];     /* on the wire */
    gboolean          plain;        /* application bytes arrived */
    char             *protocol;     /* chosen of what the client offered */
    GPtrArray        *streams;
} server_t;


typedef struct {
    server_t           *server;
    GSocketConnection  *conn;
} accepted_t;


typedef struct {
    GSocketConnection  *conn;
    GString            *got;
    gboolean            closed;
    char                buf[16384];
} client_t;


static char  *dir;


static void
run(const char *command)
{
    int                 status;
    g_autofree char    *err = NULL;
    g_autoptr(GError)   error = NULL;

    if (!g_spawn_command_line_sync(command, NULL, &err, &status, &error)
        || !g_spawn_check_wait_status(status, NULL))
    {
        printf("not ok - %s\n", command);
        exit(1);
    }
}


/* a CA, and certificates of it for the names of the test */

static void
make_certificates(void)
{
    gsize                i;
    g_autofree char     *ca = NULL;

    static const char *const  names[][2] = {
        { "good", "DNS:localhost" }, { "other", "DNS:turn.example.net" }
    };

    dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    ca = g_strdup_printf("openssl req -x509 -newkey ec -pkeyopt "
                         "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca "
                         "-keyout %s/ca.key -out %s/ca.pem", dir, dir);
    run(ca);

    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char  *req = NULL;

        req = g_strdup_printf(
            "sh -c 'cd %s && openssl req -newkey ec -pkeyopt "
            "ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout %s.key "
            "-out %s.csr && printf subjectAltName=%s > %s.ext && "
            "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -days 2 "
            "-CAcreateserial -extfile %s.ext -out %s.crt && "
            "cat %s.crt %s.key > %s.pem'",
            dir, names[i][0], names[i][0], names[i][1], names[i][0],
            names[i][0], names[i][0], names[i][0], names[i][0], names[i][0],
            names[i][0]);
        run(req);
    }
}


static void
remove_dir(void)
{
    const char        *name;
    g_autoptr(GDir)    d = g_dir_open(dir, 0, NULL);

    while ((name = g_dir_read_name(d)) != NULL) {
        g_autofree char  *path = g_build_filename(dir, name, NULL);

        g_unlink(path);
    }

    g_rmdir(dir);
    g_free(dir);
}


static void
on_spliced(GObject *source, GAsyncResult *result, gpointer data)
{
    (void) data;

    g_output_stream_splice_finish(G_OUTPUT_STREAM(source), result, NULL);
}


static void
on_handshaken(GObject *source, GAsyncResult *result, gpointer data)
{
    GIOStream  *tls = G_IO_STREAM(source);
    server_t   *server = data;

    if (!g_tls_connection_handshake_finish(G_TLS_CONNECTION(source), result,
                                           NULL))
    {
        return;
    }

    /* says everything back */

    g_free(server->protocol);
    server->protocol = g_strdup(
              g_tls_connection_get_negotiated_protocol(G_TLS_CONNECTION(tls)));
    server->plain = TRUE;
    g_output_stream_splice_async(g_io_stream_get_output_stream(tls),
                                 g_io_stream_get_input_stream(tls),
                                 G_OUTPUT_STREAM_SPLICE_NONE,
                                 G_PRIORITY_DEFAULT, NULL, on_spliced, NULL);
}


/* looks at the first bytes before TLS takes them */

static gboolean
on_first(GSocket *sock, GIOCondition condition, gpointer data)
{
    accepted_t     *a = data;
    server_t       *server = a->server;
    GIOStream      *tls;
    GInputVector    vector = { server->first, 2 };
    gint            flags = G_SOCKET_MSG_PEEK;

    static const char *const  protocols[] = { "http/1.1", "stun.turn", NULL };

    (void) condition;

    g_socket_receive_message(sock, NULL, &vector, 1, NULL, NULL, &flags, NULL,
                             NULL);

    tls = g_tls_server_connection_new(G_IO_STREAM(a->conn),
                                      server->certificate, NULL);
    g_ptr_array_add(server->streams, tls);
    g_tls_connection_set_advertised_protocols(G_TLS_CONNECTION(tls),
                                              protocols);
    g_tls_connection_handshake_async(G_TLS_CONNECTION(tls),
                                     G_PRIORITY_DEFAULT, NULL, on_handshaken,
                                     server);
    return G_SOURCE_REMOVE;
}


static void
accepted_free(gpointer data)
{
    accepted_t  *a = data;

    g_object_unref(a->conn);
    g_free(a);
}


static gboolean
on_incoming(GSocketService *service, GSocketConnection *conn, GObject *source,
    gpointer data)
{
    GSource     *in;
    accepted_t  *a = g_new0(accepted_t, 1);

    (void) service;
    (void) source;

    a->server = data;
    a->server->accepted++;
    a->conn = g_object_ref(conn);

    in = g_socket_create_source(g_socket_connection_get_socket(conn),
                                G_IO_IN, NULL);
    g_source_set_callback(in, G_SOURCE_FUNC(on_first), a, accepted_free);
    g_source_attach(in, NULL);
    g_source_unref(in);

    return TRUE;
}


static server_t *
server_new(const char *name)
{
    server_t           *server = g_new0(server_t, 1);
    g_autofree char    *path = g_strdup_printf("%s/%s.pem", dir, name);

    server->certificate = g_tls_certificate_new_from_file(path, NULL);
    server->service = g_socket_service_new();
    server->streams = g_ptr_array_new_with_free_func(g_object_unref);
    server->port = g_socket_listener_add_any_inet_port(
                       G_SOCKET_LISTENER(server->service), NULL, NULL);
    g_signal_connect(server->service, "incoming", G_CALLBACK(on_incoming),
                     server);

    return server;
}


static void
server_free(server_t *server)
{
    g_socket_service_stop(server->service);
    g_socket_listener_close(G_SOCKET_LISTENER(server->service));
    g_object_unref(server->service);
    g_object_unref(server->certificate);
    g_ptr_array_unref(server->streams);
    g_free(server->protocol);
    g_free(server);
}


static void
on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    gssize     n;
    client_t  *client = data;

    n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, NULL);

    if (n <= 0) {
        client->closed = TRUE;
        return;
    }

    g_string_append_len(client->got, client->buf, n);
    g_input_stream_read_async(G_INPUT_STREAM(source), client->buf,
                              sizeof(client->buf), G_PRIORITY_DEFAULT, NULL,
                              on_read, client);
}


static void
on_written(GObject *source, GAsyncResult *result, gpointer data)
{
    (void) data;

    g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, NULL,
                                     NULL);
}


/* as libnice: plain TCP to the shim, and something to say at once */

static client_t *
client_new(const char *address, guint16 port, const char *text, gsize len)
{
    client_t                   *client = g_new0(client_t, 1);
    g_autoptr(GSocketClient)    connector = g_socket_client_new();
    GIOStream                  *io;

    client->got = g_string_new(NULL);
    client->conn = g_socket_client_connect_to_host(connector,
                                                   address, port, NULL, NULL);
    if (client->conn == NULL) {
        printf("not ok - the shim does not listen\n");
        exit(1);
    }

    io = G_IO_STREAM(client->conn);
    g_output_stream_write_all_async(g_io_stream_get_output_stream(io), text,
                                    len, G_PRIORITY_DEFAULT, NULL, on_written,
                                    NULL);
    g_input_stream_read_async(g_io_stream_get_input_stream(io), client->buf,
                              sizeof(client->buf), G_PRIORITY_DEFAULT, NULL,
                              on_read, client);
    return client;
}


static void
client_free(client_t *client)
{
    g_object_unref(client->conn);
    g_string_free(client->got, TRUE);
    g_free(client);
}


static gboolean
on_deadline(gpointer data)
{
    *(gboolean *) data = TRUE;

    return G_SOURCE_REMOVE;
}


/* until all came back, or the connection is closed */

static void
settle(client_t *client, gsize len)
{
    guint     timer;
    gboolean  late;

    late = FALSE;
    timer = g_timeout_add_seconds(DEADLINE_S, on_deadline, &late);

    while (!late && !client->closed && client->got->len < len) {
        g_main_context_iteration(NULL, TRUE);
    }

    if (!late) {
        g_source_remove(timer);
    }
}


static void
test_good(GTlsDatabase *ca, const char *text)
{
    guint16                    port;
    client_t                  *client;
    server_t                  *server = server_new("good");
    agent_shim_t              *shim = agent_shim_new(ca, NULL);

    port = agent_shim_port(shim, "localhost", server->port, TRUE, NULL);
    ok(port != 0, "the shim listens");
    is_int(agent_shim_port(shim, "localhost", server->port, TRUE, NULL), port,
           "once for each server");

    client = client_new(AGENT_SHIM_ADDRESS, port, text, BYTES);
    settle(client, BYTES);

    ok(client->got->len == BYTES
       && memcmp(client->got->str, text, BYTES) == 0,
       "all bytes come back as they went");
    ok(server->first[0] == 0x16 && server->first[1] == 0x03,
       "the wire carries TLS: 16 03");
    is_str(server->protocol, "stun.turn", "and says what is spoken in it");

    /* ends with the session */

    agent_shim_free(shim);
    settle(client, G_MAXSIZE);
    ok(client->closed, "a connection ends with the session's shim");

    client_free(client);
    server_free(server);
}


static void
test_refused(GTlsDatabase *ca, const char *certificate, const char *what)
{
    guint16        port;
    client_t      *client;
    server_t      *server = server_new(certificate);
    agent_shim_t  *shim = agent_shim_new(ca, NULL);

    port = agent_shim_port(shim, "localhost", server->port, TRUE, NULL);
    client = client_new(AGENT_SHIM_ADDRESS, port, "secret", 6);
    settle(client, 6);

    ok(client->closed && client->got->len == 0 && !server->plain
       && server->accepted == 1, "%s: no byte goes through", what);

    agent_shim_free(shim);
    client_free(client);
    server_free(server);
}


static void
test_nobody(GTlsDatabase *ca)
{
    guint16        port;
    client_t      *client;
    server_t      *server = server_new("good");
    guint16        free_port = server->port;
    agent_shim_t  *shim = agent_shim_new(ca, NULL);

    server_free(server);

    port = agent_shim_port(shim, "localhost", free_port, TRUE, NULL);
    client = client_new(AGENT_SHIM_ADDRESS, port, "secret", 6);
    settle(client, 6);
    ok(client->closed && client->got->len == 0,
       "a server that is not there: closed");

    agent_shim_free(shim);
    client_free(client);
}


/*
 * An HTTP proxy and a server behind it at once: a thread for each connection
 * takes CONNECT, and then says everything back.
 */

static gboolean
on_proxy(GThreadedSocketService *service, GSocketConnection *conn,
    GObject *source, gpointer data)
{
    char            buf[4096];
    gsize           n = 0;
    gssize          got;
    const char     *answer;
    gboolean       *refuses = data;
    GInputStream   *in = g_io_stream_get_input_stream(G_IO_STREAM(conn));
    GOutputStream  *out = g_io_stream_get_output_stream(G_IO_STREAM(conn));

    (void) service;
    (void) source;

    do {
        if (g_input_stream_read(in, buf + n, 1, NULL, NULL) != 1) {
            return TRUE;
        }

        buf[++n] = '\0';

    } while (n < sizeof(buf) - 1 && !g_str_has_suffix(buf, "\r\n\r\n"));

    answer = *refuses || !g_str_has_prefix(buf,
                                          "CONNECT turn.example.net:443 HTTP/")
             ? "HTTP/1.1 403 Forbidden\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n";

    if (!g_output_stream_write_all(out, answer, strlen(answer), NULL, NULL,
                                   NULL)
        || strstr(answer, "200") == NULL)
    {
        return TRUE;
    }

    while ((got = g_input_stream_read(in, buf, sizeof(buf), NULL, NULL)) > 0)
    {
        if (!g_output_stream_write_all(out, buf, (gsize) got, NULL, NULL,
                                       NULL))
        {
            break;
        }
    }

    return TRUE;
}


/* TURN over TCP has no TLS, and no way but a proxy */

static void
test_proxy(const char *text, gboolean refuses, const char *what)
{
    guint16                     port;
    client_t                   *client;
    agent_shim_t               *shim;
    g_autofree char            *uri = NULL;
    g_autoptr(GSocketService)   service = g_threaded_socket_service_new(4);
    g_autoptr(GProxyResolver)   resolver = NULL;

    port = g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(service),
                                               NULL, NULL);
    g_signal_connect(service, "run", G_CALLBACK(on_proxy), &refuses);

    uri = g_strdup_printf("http://127.0.0.1:%u", port);
    resolver = g_simple_proxy_resolver_new(uri, NULL);
    shim = agent_shim_new(NULL, resolver);

    ok(agent_shim_proxied(shim), "%s: TURN over TCP has to come here", what);
    port = agent_shim_port(shim, "turn.example.net", 443, FALSE, NULL);
    client = client_new(AGENT_SHIM_PLAIN, port, text, BYTES);
    settle(client, BYTES);

    if (refuses) {
        ok(client->closed && client->got->len == 0, "%s: closed", what);

    } else {
        ok(client->got->len == BYTES
           && memcmp(client->got->str, text, BYTES) == 0,
           "%s: all bytes come back as they went", what);
    }

    agent_shim_free(shim);
    settle(client, G_MAXSIZE);
    client_free(client);

    /* its threads end with their connections */

    g_socket_service_stop(service);
    g_socket_listener_close(G_SOCKET_LISTENER(service));
}


/* what the shim logs of the refused ones is not for the terminal */

static GLogWriterOutput
quiet(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void) level;
    (void) fields;
    (void) n;
    (void) data;

    return G_LOG_WRITER_HANDLED;
}


int
main(void)
{
    g_autofree char              *path = NULL;
    g_autofree char              *text = NULL;
    g_autoptr(GTlsDatabase)       ca = NULL;

    g_log_set_writer_func(quiet, NULL, NULL);
    make_certificates();

    path = g_build_filename(dir, "ca.pem", NULL);
    ca = g_tls_file_database_new(path, NULL);
    text = g_strnfill(BYTES, 'x');
    memcpy(text + BYTES / 2, "middle", 6);

    test_good(ca, text);
    test_refused(ca, "other", "a certificate for another name");
    test_refused(NULL, "good", "a CA that the system does not know");
    test_nobody(ca);
    test_proxy(text, FALSE, "through a proxy");
    test_proxy(text, TRUE, "a proxy that refuses");

    remove_dir();

    return done();
}
