
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the UDP sockets.  A flow is a sender's address at one of them.  When
 * there are as many as there may be, those of new senders are dropped, as a
 * network would: one that is idle makes room soon.
 */

#define G_LOG_DOMAIN  "rs-flows"

#include "tunnel_flows.h"
#include "tunnel_addr.h"
#include "tunnel_error.h"

#include <string.h>


#define TUNNEL_FLOWS_SOCKETS   2            /* IPv4, IPv6 */
#define TUNNEL_FLOWS_DATAGRAM  65535
#define TUNNEL_FLOWS_TURN      64           /* datagrams at a time */
#define TUNNEL_FLOWS_SAID_US   (10 * G_USEC_PER_SEC)


typedef struct {
    tunnel_flows_t   *flows;
    tunnel_conn_t    *conn;
    GSocket          *socket;
    GSocketAddress   *peer;
    char             *key;
    gint64            seen_us;
    gboolean          open;         /* its pipe stands: it may be idle now */
} tunnel_flow_t;


struct tunnel_flows_s {
    tunnel_gate_t     *gate;
    GSocket           *sockets[TUNNEL_FLOWS_SOCKETS];
    GSource           *sources[TUNNEL_FLOWS_SOCKETS];
    guint              n;
    GHashTable        *table;       /* key -> tunnel_flow_t */
    guint              max;
    gint64             idle_us;
    guint              timer;
    gint64             said_us;     /* that there are too many; or 0 */
    tunnel_flows_pt    over;
    void              *data;
    char               buf[TUNNEL_FLOWS_DATAGRAM];
};


static gboolean tunnel_flows_bind(tunnel_flows_t *f, GInetAddress *address,
    guint16 port, GError **error);
static gboolean tunnel_flows_readable(GSocket *socket,
    GIOCondition condition, gpointer data);
static tunnel_flow_t *tunnel_flows_of(tunnel_flows_t *f, GSocket *socket,
    GSocketAddress *peer);
static gboolean tunnel_flows_sweep(gpointer data);
static void tunnel_flow_open(void *data);
static void tunnel_flow_datagram(void *data, const guint8 *bytes, gsize len);
static void tunnel_flow_done(void *data, tunnel_conn_t *conn,
    const GError *error);
static void tunnel_flow_free(gpointer data);


static const tunnel_conn_events_t  tunnel_flow_events = {
    tunnel_flow_open,
    tunnel_flow_datagram,
    tunnel_flow_done
};


tunnel_flows_t *
tunnel_flows_new(tunnel_gate_t *gate, guint max, guint idle_s,
    tunnel_flows_pt over, void *data)
{
    tunnel_flows_t  *f;

    f = g_new0(tunnel_flows_t, 1);
    f->gate = gate;
    f->max = max;
    f->idle_us = idle_s * G_USEC_PER_SEC;
    f->over = over;
    f->data = data;
    f->table = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                     tunnel_flow_free);
    f->timer = g_timeout_add_seconds(1, tunnel_flows_sweep, f);

    return f;
}


void
tunnel_flows_free(tunnel_flows_t *f)
{
    guint  i;

    g_source_remove(f->timer);

    for (i = 0; i < f->n; i++) {
        g_source_destroy(f->sources[i]);
        g_source_unref(f->sources[i]);
    }

    g_hash_table_unref(f->table);

    for (i = 0; i < f->n; i++) {
        g_object_unref(f->sockets[i]);
    }

    g_free(f);
}


static gboolean
tunnel_flows_bind(tunnel_flows_t *f, GInetAddress *address, guint16 port,
    GError **error)
{
    GSource                    *source;
    g_autoptr(GSocket)          socket = NULL;
    g_autoptr(GSocketAddress)   wanted = NULL;

    wanted = g_inet_socket_address_new(address, port);

    socket = g_socket_new(g_inet_address_get_family(address),
                          G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP,
                          error);

    if (socket == NULL || !g_socket_bind(socket, wanted, FALSE, error)) {
        return FALSE;
    }

    g_socket_set_blocking(socket, FALSE);

    source = g_socket_create_source(socket, G_IO_IN, NULL);
    g_source_set_callback(source, G_SOURCE_FUNC(tunnel_flows_readable), f,
                          NULL);
    g_source_attach(source, NULL);

    f->sources[f->n] = source;
    f->sockets[f->n++] = g_steal_pointer(&socket);

    return TRUE;
}


gboolean
tunnel_flows_open(tunnel_flows_t *f, const char *local, char **said,
    GError **error)
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

    if (!tunnel_flows_bind(f, address, port, &why)
        || (bound = g_socket_get_local_address(f->sockets[0], &why)) == NULL)
    {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "cannot receive at %s: %s: --local names another port",
                    (local != NULL) ? local : "127.0.0.1", why->message);
        return FALSE;
    }

    *said = tunnel_addr_text(bound);

    if (loopback) {
        six = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV6);
        port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));

        if (!tunnel_flows_bind(f, six, port, &why)) {
            tunnel_addr_taken(port, *said, why);
        }

    } else if (!g_inet_address_get_is_loopback(address)) {
        g_warning("whoever reaches %s can use this tunnel", *said);
    }

    return TRUE;
}


static gboolean
tunnel_flows_readable(GSocket *socket, GIOCondition condition, gpointer data)
{
    guint            n;
    gssize           len;
    tunnel_flow_t   *flow;
    tunnel_flows_t  *f = data;

    (void) condition;

    for (n = 0; n < TUNNEL_FLOWS_TURN; n++) {
        g_autoptr(GSocketAddress)  peer = NULL;

        /* an error is a destination's, told by ICMP: the next may do better */

        len = g_socket_receive_from(socket, &peer, f->buf, sizeof(f->buf),
                                    NULL, NULL);

        if (len < 0) {
            break;
        }

        if (len == 0 || peer == NULL) {
            continue;
        }

        flow = tunnel_flows_of(f, socket, peer);

        if (flow == NULL) {
            continue;
        }

        flow->seen_us = g_get_monotonic_time();

        if (!tunnel_conn_push(flow->conn, (guint8 *) f->buf, (gsize) len)) {
            g_debug("%s: a datagram was dropped", flow->key);
        }
    }

    return G_SOURCE_CONTINUE;
}


static tunnel_flow_t *
tunnel_flows_of(tunnel_flows_t *f, GSocket *socket, GSocketAddress *peer)
{
    gint64             now_us;
    tunnel_flow_t     *flow;
    g_autofree char   *key = tunnel_addr_text(peer);

    flow = g_hash_table_lookup(f->table, key);

    if (flow != NULL) {
        return flow;
    }

    if (g_hash_table_size(f->table) >= f->max) {
        now_us = g_get_monotonic_time();

        if (f->said_us == 0 || now_us - f->said_us > TUNNEL_FLOWS_SAID_US) {
            f->said_us = now_us;
            g_warning("%u flows are there already: new ones are dropped "
                      "(max_connections)", f->max);
        }

        return NULL;
    }

    flow = g_new0(tunnel_flow_t, 1);
    flow->flows = f;
    flow->seen_us = g_get_monotonic_time();
    flow->key = g_steal_pointer(&key);
    flow->peer = g_object_ref(peer);
    flow->socket = g_object_ref(socket);
    flow->conn = tunnel_conn_new(f->gate, TRUE, -1, -1, &tunnel_flow_events,
                                 flow);

    g_hash_table_insert(f->table, flow->key, flow);
    g_debug("flow of %s", flow->key);

    return flow;
}


static void
tunnel_flow_free(gpointer data)
{
    tunnel_flow_t  *flow = data;

    tunnel_conn_free(flow->conn);
    g_object_unref(flow->socket);
    g_object_unref(flow->peer);
    g_free(flow->key);
    g_free(flow);
}


static gboolean
tunnel_flows_sweep(gpointer data)
{
    gint64            now_us;
    tunnel_flow_t    *flow;
    tunnel_flows_t   *f = data;
    GHashTableIter    iter;

    now_us = g_get_monotonic_time();
    g_hash_table_iter_init(&iter, f->table);

    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &flow)) {

        if (flow->open && now_us - flow->seen_us > f->idle_us) {
            g_debug("flow of %s is idle", flow->key);
            g_hash_table_iter_remove(&iter);
        }
    }

    return G_SOURCE_CONTINUE;
}


static void
tunnel_flow_open(void *data)
{
    tunnel_flow_t  *flow = data;

    flow->open = TRUE;
    flow->seen_us = g_get_monotonic_time();
}


static void
tunnel_flow_datagram(void *data, const guint8 *bytes, gsize len)
{
    tunnel_flow_t       *flow = data;
    g_autoptr(GError)    error = NULL;

    flow->seen_us = g_get_monotonic_time();

    if (g_socket_send_to(flow->socket, flow->peer, (const char *) bytes, len,
                         NULL, &error) < 0)
    {
        g_debug("%s: %s", flow->key, error->message);
    }
}


static void
tunnel_flow_done(void *data, tunnel_conn_t *conn, const GError *error)
{
    tunnel_flow_t   *flow = data;
    tunnel_flows_t  *f = flow->flows;

    (void) conn;

    if (error != NULL && tunnel_error_final(error)) {
        f->over(f->data, error);

    } else if (error != NULL) {
        g_message("the flow of %s is over: %s", flow->key, error->message);
    }

    g_hash_table_remove(f->table, flow->key);
}
