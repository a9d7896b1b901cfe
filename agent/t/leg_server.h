
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The gateway's side of one leg of a pipe, for tests: a thread that blocks and
 * has frames by itself.  Each case says by serve() what it does.
 */

#ifndef _AGENT_T_LEG_SERVER_H_INCLUDED_
#define _AGENT_T_LEG_SERVER_H_INCLUDED_


#include "rs_ws_client.h"
#include "tap.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>


#ifndef DEADLINE_S
#define DEADLINE_S  60
#endif


typedef struct {
    GSocketListener  *listener;
    guint16           port;
    GTlsCertificate  *certificate;      /* NULL: no TLS */
    GThread          *thread;
    void            (*serve)(GIOStream *io);
} server_t;


static volatile gint  server_code;      /* of the leg's close frame; -1: none */
static volatile gint  server_bytes;     /* that it took */
static volatile gint  server_go;        /* the test lets it go on */


G_GNUC_UNUSED
static void
put(GIOStream *io, const void *data, gsize len)
{
    (void) g_output_stream_write_all(g_io_stream_get_output_stream(io), data,
                                     len, NULL, NULL, NULL);
}


G_GNUC_UNUSED
static void
put_frame(GIOStream *io, guint first, const void *data, gsize len)
{
    gsize    n;
    guint8   header[RS_WS_HEADER_MAX];

    n = rs_ws_header(header, 0, len);
    header[0] = (guint8) first;
    put(io, header, n);
    put(io, data, len);
}


G_GNUC_UNUSED
static void
put_close(GIOStream *io, guint code)
{
    gsize   n;
    guint8  payload[RS_WS_CONTROL_MAX];

    n = rs_ws_close_payload(payload, code, RS_STR("said so"));
    put_frame(io, 0x88, payload, n);
}


G_GNUC_UNUSED
static gboolean
get(GIOStream *io, void *data, gsize len)
{
    gsize  n;

    return g_input_stream_read_all(g_io_stream_get_input_stream(io), data,
                                   len, &n, NULL, NULL)
           && n == len;
}


/* an unmasked payload of at most 64 KiB; the opcode, or -1 */

G_GNUC_UNUSED
static int
get_frame(GIOStream *io, guint8 *data, gsize *len)
{
    guint8  h[2], more[2], mask[4];

    if (!get(io, h, 2) || !(h[1] & 0x80) || !(h[0] & 0x80)) {
        return -1;
    }

    *len = h[1] & 0x7f;

    if (*len == 127) {
        return -1;
    }

    if (*len == 126) {
        if (!get(io, more, 2)) {
            return -1;
        }

        *len = (gsize) more[0] << 8 | more[1];
    }

    if (!get(io, mask, 4) || !get(io, data, *len)) {
        return -1;
    }

    rs_ws_mask(data, *len, mask, 0);

    if ((h[0] & 0x0f) == RS_WS_CLOSE) {
        g_atomic_int_set(&server_code, *len >= 2 ? data[0] << 8 | data[1]
                                                 : RS_WS_NO_STATUS);
    }

    return h[0] & 0x0f;
}


/* takes frames until the leg's close frame, or the end */

G_GNUC_UNUSED
static void
get_close(GIOStream *io)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    do {
        op = get_frame(io, data, &len);
    } while (op != -1 && op != RS_WS_CLOSE);

    g_free(data);
}


/* the request's header; what it was is checked where it matters */

G_GNUC_UNUSED
static char *
get_request(GIOStream *io)
{
    char     c;
    GString *text = g_string_new(NULL);

    while (!g_str_has_suffix(text->str, "\r\n\r\n") && get(io, &c, 1)) {
        g_string_append_c(text, c);
    }

    return g_string_free(text, FALSE);
}


G_GNUC_UNUSED
static void
upgrade(GIOStream *io)
{
    char             *key, accept[RS_WS_ACCEPT_LEN];
    g_autofree char  *answer = NULL;
    g_autofree char  *request = get_request(io);

    key = strstr(request, "Sec-WebSocket-Key: ");

    if (key == NULL) {
        return;
    }

    (void) rs_ws_accept((rs_str_t) { (guint8 *) key + 19, RS_WS_KEY_LEN },
                        accept);

    answer = g_strdup_printf("HTTP/1.1 101 Switching Protocols\r\n"
                             "Upgrade: websocket\r\nConnection: upgrade\r\n"
                             "Sec-WebSocket-Protocol: rs.v1\r\n"
                             "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                             (int) sizeof(accept), accept);
    put(io, answer, strlen(answer));
}


G_GNUC_UNUSED
static void
wait_go(gint value)
{
    gint64  until = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (g_atomic_int_get(&server_go) < value
           && g_get_monotonic_time() < until)
    {
        g_usleep(1000);
    }
}


/* of the kernel's own buffers, so that ours show */

G_GNUC_UNUSED
static void
small(int fd)
{
    int  size = 128 * 1024;

    (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}


G_GNUC_UNUSED
static gpointer
server_run(gpointer data)
{
    server_t                      *server = data;
    g_autoptr(GIOStream)           io = NULL;
    g_autoptr(GSocketConnection)   conn = NULL;

    conn = g_socket_listener_accept(server->listener, NULL, NULL, NULL);
    small(g_socket_get_fd(g_socket_connection_get_socket(conn)));
    io = g_object_ref(G_IO_STREAM(conn));

    if (server->certificate != NULL) {
        g_object_unref(io);
        io = g_tls_server_connection_new(G_IO_STREAM(conn),
                                         server->certificate, NULL);
    }

    server->serve(io);

    /* the goodbye of TLS would wait for one that reads no more */

    g_socket_close(g_socket_connection_get_socket(conn), NULL);

    return NULL;
}


G_GNUC_UNUSED
static server_t *
server_new_with(void (*serve)(GIOStream *io), const char *certificate)
{
    server_t  *server = g_new0(server_t, 1);

    g_atomic_int_set(&server_code, -1);
    g_atomic_int_set(&server_bytes, 0);
    g_atomic_int_set(&server_go, 0);

    server->serve = serve;
    server->listener = g_socket_listener_new();
    server->port = g_socket_listener_add_any_inet_port(server->listener, NULL,
                                                       NULL);
    server->certificate = (certificate != NULL)
                          ? g_tls_certificate_new_from_file(certificate, NULL)
                          : NULL;
    server->thread = g_thread_new("server", server_run, server);

    return server;
}


G_GNUC_UNUSED
static void
server_free(server_t *server)
{
    g_thread_join(server->thread);
    g_object_unref(server->listener);
    g_clear_object(&server->certificate);
    g_free(server);
}


#endif /* _AGENT_T_LEG_SERVER_H_INCLUDED_ */
