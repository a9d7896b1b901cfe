
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the listening TCP sockets.  One accept is under way as long as there is
 * room for its connection; who comes beyond that waits in the kernel's queue.
 * The struct is counted: the owner's reference, and that of the accept.
 */

#define G_LOG_DOMAIN  "rs-listen"

#include "tunnel_listen.h"
#include "tunnel_addr.h"
#include "tunnel_error.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>


#define TUNNEL_LISTEN_AGAIN_MS  200     /* after an accept that failed */


struct tunnel_listen_s {
    tunnel_gate_t     *gate;
    GSocketListener   *listener;
    GCancellable      *cancel;
    GHashTable        *conns;
    guint              max;
    guint              timer;
    gboolean           accepting;
    tunnel_listen_pt   over;
    void              *data;
};


static gboolean tunnel_listen_bind(tunnel_listen_t *l, GInetAddress *address,
    guint16 port, GSocketAddress **bound, GError **error);
static void tunnel_listen_accept(tunnel_listen_t *l);
static gboolean tunnel_listen_again(gpointer data);
static void tunnel_listen_accepted(GObject *listener, GAsyncResult *result,
    gpointer data);
static void tunnel_listen_done(void *data, tunnel_conn_t *conn,
    const GError *error);
static void tunnel_listen_clear(gpointer data);


static const tunnel_conn_events_t  tunnel_listen_events = {
    NULL,
    NULL,
    tunnel_listen_done
};


tunnel_listen_t *
tunnel_listen_new(tunnel_gate_t *gate, guint max, tunnel_listen_pt over,
    void *data)
{
    tunnel_listen_t  *l;

    l = g_rc_box_new0(tunnel_listen_t);
    l->gate = gate;
    l->max = max;
    l->over = over;
    l->data = data;
    l->listener = g_socket_listener_new();
    l->cancel = g_cancellable_new();
    l->conns = g_hash_table_new_full(NULL, NULL,
                                     (GDestroyNotify) tunnel_conn_free, NULL);

    return l;
}


static void
tunnel_listen_clear(gpointer data)
{
    tunnel_listen_t  *l = data;

    g_clear_object(&l->cancel);
}


void
tunnel_listen_free(tunnel_listen_t *l)
{
    g_cancellable_cancel(l->cancel);
    g_clear_handle_id(&l->timer, g_source_remove);
    g_clear_pointer(&l->conns, g_hash_table_unref);
    g_socket_listener_close(l->listener);
    g_clear_object(&l->listener);
    g_rc_box_release_full(l, tunnel_listen_clear);
}


static gboolean
tunnel_listen_bind(tunnel_listen_t *l, GInetAddress *address, guint16 port,
    GSocketAddress **bound, GError **error)
{
    g_autoptr(GSocketAddress)  wanted = NULL;

    wanted = g_inet_socket_address_new(address, port);

    return g_socket_listener_add_address(l->listener, wanted,
                                         G_SOCKET_TYPE_STREAM,
                                         G_SOCKET_PROTOCOL_TCP, NULL, bound,
                                         error);
}


gboolean
tunnel_listen_open(tunnel_listen_t *l, const char *local, guint16 wish,
    char **said, GError **error)
{
    guint16                      port;
    gboolean                     loopback;
    g_autoptr(GError)            why = NULL;
    g_autoptr(GInetAddress)      address = NULL;
    g_autoptr(GInetAddress)      six = NULL;
    g_autoptr(GSocketAddress)    bound = NULL;

    if (!tunnel_addr_local(local, &address, &port, &loopback, error)) {
        return FALSE;
    }

    if (port == 0 && wish != 0
        && tunnel_listen_bind(l, address, wish, &bound, NULL))
    {
        port = wish;

    } else if (!tunnel_listen_bind(l, address, port, &bound, &why)) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "cannot listen on %s: %s: --local names another port",
                    (local != NULL) ? local : "127.0.0.1", why->message);
        return FALSE;
    }

    *said = tunnel_addr_text(bound);

    /* "localhost" is ::1 to some; a host without IPv6 has none */

    if (loopback) {
        six = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV6);
        port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));

        if (!tunnel_listen_bind(l, six, port, NULL, &why)) {
            tunnel_addr_taken(port, *said, why);
        }

    } else if (!g_inet_address_get_is_loopback(address)) {
        g_warning("whoever reaches %s can use this tunnel", *said);
    }

    tunnel_listen_accept(l);

    return TRUE;
}


static void
tunnel_listen_accept(tunnel_listen_t *l)
{
    if (l->accepting || l->timer != 0
        || g_hash_table_size(l->conns) >= l->max)
    {
        return;
    }

    l->accepting = TRUE;

    g_socket_listener_accept_socket_async(l->listener, l->cancel,
                                          tunnel_listen_accepted,
                                          g_rc_box_acquire(l));
}


static gboolean
tunnel_listen_again(gpointer data)
{
    tunnel_listen_t  *l = data;

    l->timer = 0;
    tunnel_listen_accept(l);

    return G_SOURCE_REMOVE;
}


static void
tunnel_listen_accepted(GObject *listener, GAsyncResult *result, gpointer data)
{
    int                   fd;
    tunnel_conn_t        *conn;
    tunnel_listen_t      *l = data;
    g_autoptr(GError)     error = NULL;
    g_autoptr(GSocket)    socket = NULL;

    l->accepting = FALSE;

    socket = g_socket_listener_accept_socket_finish(
                          G_SOCKET_LISTENER(listener), result, NULL, &error);

    if (g_cancellable_is_cancelled(l->cancel)) {
        goto done;
    }

    /* the pipe closes its own descriptor */

    fd = (socket != NULL)
         ? fcntl(g_socket_get_fd(socket), F_DUPFD_CLOEXEC, 3) : -1;

    if (fd == -1) {
        g_warning("a connection could not be taken: %s",
                  (error != NULL) ? error->message : g_strerror(errno));
        l->timer = g_timeout_add(TUNNEL_LISTEN_AGAIN_MS, tunnel_listen_again,
                                 l);
        goto done;
    }

    (void) g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);

    conn = tunnel_conn_new(l->gate, FALSE, fd, fd, &tunnel_listen_events, l);
    g_hash_table_add(l->conns, conn);
    g_debug("connection %p, now %u", (void *) conn,
            g_hash_table_size(l->conns));

    if (g_hash_table_size(l->conns) == l->max) {
        g_message("%u connections: the next one waits (max_connections)",
                  l->max);
    }

    tunnel_listen_accept(l);

done:

    g_rc_box_release_full(l, tunnel_listen_clear);
}


static void
tunnel_listen_done(void *data, tunnel_conn_t *conn, const GError *error)
{
    tunnel_listen_t  *l = data;

    if (error != NULL && tunnel_error_final(error)) {
        l->over(l->data, error);

    } else if (error != NULL) {
        g_message("a connection was reset: %s", error->message);
    }

    g_hash_table_remove(l->conns, conn);
    tunnel_listen_accept(l);
}
