
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns, per session, one listener for each TURN/TLS server and the pairs of
 * streams behind them:
 *
 *     libnice -- TCP on loopback --> shim -- TLS --> TURN server
 *
 * and, where a proxy stands before the network, for each one over TCP, too.
 * The certificate is verified against the CAs given, and its name against
 * the server's; there is no way to switch that off.  Each pair splices both
 * ways and ends when either way does.  A pair is counted: by the shim's list
 * and by each call under way.
 */

#define G_LOG_DOMAIN  "rs-shim"

#include "agent_turn_shim.h"

#include <string.h>


#define AGENT_SHIM_PAIRS      64        /* connections of one session */
#define AGENT_SHIM_LISTENERS  16
#define AGENT_SHIM_TIMEOUT_S  10        /* connect and handshake */


typedef struct {
    agent_shim_t       *shim;
    char               *host;
    guint16             remote;
    guint16             local;
    gboolean            tls;
    GSocketService     *service;
} agent_shim_listener_t;


typedef struct {
    agent_shim_t       *shim;           /* NULL: it is gone */
    GCancellable       *cancel;
    GSocketConnection  *client;
    GSocketConnectable *target;         /* host and port to verify */
    gboolean            tls;
    GIOStream          *server;         /* TLS, or the same as tcp */
    GSocketConnection  *tcp;            /* under server */
    guint               timer;
} agent_shim_pair_t;


struct agent_shim_s {
    GTlsDatabase       *tls;
    GProxyResolver     *proxy;
    GPtrArray          *listeners;
    GPtrArray          *pairs;
};


static void agent_shim_listener_free(void *data);
static gboolean agent_shim_incoming(GSocketService *service,
    GSocketConnection *client, GObject *source, gpointer data);
static GSocketConnectable *agent_shim_target(
    const agent_shim_listener_t *listener);
static void agent_shim_connected(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_shim_handshaken(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_shim_splice(agent_shim_pair_t *pair);
static void agent_shim_spliced(GObject *source, GAsyncResult *result,
    gpointer data);
static gboolean agent_shim_late(gpointer data);
static void agent_shim_fail(agent_shim_pair_t *pair, const GError *error);
static void agent_shim_drop(agent_shim_pair_t *pair);
static void agent_shim_pair_clear(gpointer data);
static void agent_shim_pair_unref(agent_shim_pair_t *pair);


/* RFC 7443: whoever shares a port with others knows whom to give this to */

static const char *const  agent_shim_alpn[] = { "stun.turn", NULL };


agent_shim_t *
agent_shim_new(GTlsDatabase *tls, GProxyResolver *proxy)
{
    agent_shim_t  *shim;

    shim = g_new0(agent_shim_t, 1);
    shim->tls = (tls != NULL) ? g_object_ref(tls) : NULL;
    shim->proxy = (proxy != NULL) ? g_object_ref(proxy) : NULL;
    shim->listeners =
                   g_ptr_array_new_with_free_func(agent_shim_listener_free);
    shim->pairs = g_ptr_array_new();

    return shim;
}


void
agent_shim_free(agent_shim_t *shim)
{
    while (shim->pairs->len > 0) {
        agent_shim_drop(g_ptr_array_index(shim->pairs, 0));
    }

    g_ptr_array_unref(shim->listeners);
    g_ptr_array_unref(shim->pairs);
    g_clear_object(&shim->tls);
    g_clear_object(&shim->proxy);
    g_free(shim);
}


gboolean
agent_shim_proxied(const agent_shim_t *shim)
{
    return shim->proxy != NULL;
}


static void
agent_shim_listener_free(void *data)
{
    agent_shim_listener_t  *listener = data;

    g_signal_handlers_disconnect_by_data(listener->service, listener);
    g_socket_service_stop(listener->service);
    g_socket_listener_close(G_SOCKET_LISTENER(listener->service));
    g_object_unref(listener->service);
    g_free(listener->host);
    g_free(listener);
}


guint16
agent_shim_port(agent_shim_t *shim, const char *host, guint16 port,
    gboolean tls, GError **error)
{
    guint                       i;
    agent_shim_listener_t      *listener;
    g_autoptr(GInetAddress)     loopback = NULL;
    g_autoptr(GSocketAddress)   address = NULL;
    g_autoptr(GSocketAddress)   bound = NULL;
    g_autoptr(GSocketService)   service = NULL;

    for (i = 0; i < shim->listeners->len; i++) {
        listener = g_ptr_array_index(shim->listeners, i);

        if (listener->remote == port && listener->tls == tls
            && g_strcmp0(listener->host, host) == 0)
        {
            return listener->local;
        }
    }

    if (shim->listeners->len == AGENT_SHIM_LISTENERS) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                    "more than %d TURN servers over TCP or TLS",
                    AGENT_SHIM_LISTENERS);
        return 0;
    }

    service = g_socket_service_new();
    loopback = g_inet_address_new_from_string(tls ? AGENT_SHIM_ADDRESS
                                                  : AGENT_SHIM_PLAIN);
    address = g_inet_socket_address_new(loopback, 0);

    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(service), address,
                                       G_SOCKET_TYPE_STREAM,
                                       G_SOCKET_PROTOCOL_TCP, NULL, &bound,
                                       error))
    {
        return 0;
    }

    listener = g_new0(agent_shim_listener_t, 1);
    listener->shim = shim;
    listener->host = g_strdup(host);
    listener->remote = port;
    listener->tls = tls;
    listener->local = g_inet_socket_address_get_port(
                                               G_INET_SOCKET_ADDRESS(bound));
    listener->service = g_steal_pointer(&service);

    g_signal_connect(listener->service, "incoming",
                     G_CALLBACK(agent_shim_incoming), listener);
    g_socket_service_start(listener->service);
    g_ptr_array_add(shim->listeners, listener);

    return listener->local;
}


static gboolean
agent_shim_incoming(GSocketService *service, GSocketConnection *client,
    GObject *source, gpointer data)
{
    agent_shim_t                 *shim;
    agent_shim_pair_t            *pair;
    agent_shim_listener_t        *listener = data;
    g_autoptr(GSocketClient)      connector = NULL;

    (void) service;
    (void) source;

    shim = listener->shim;

    if (shim->pairs->len == AGENT_SHIM_PAIRS) {
        g_warning("more than %d connections to TURN servers over TCP or TLS",
                  AGENT_SHIM_PAIRS);
        g_io_stream_close(G_IO_STREAM(client), NULL, NULL);
        return TRUE;
    }

    pair = g_rc_box_new0(agent_shim_pair_t);
    pair->shim = shim;
    pair->cancel = g_cancellable_new();
    pair->client = g_object_ref(client);
    pair->timer = g_timeout_add_seconds(AGENT_SHIM_TIMEOUT_S,
                                        agent_shim_late, pair);
    g_ptr_array_add(shim->pairs, pair);

    pair->tls = listener->tls;
    pair->target = agent_shim_target(listener);
    connector = g_socket_client_new();
    g_socket_client_set_enable_proxy(connector, shim->proxy != NULL);

    if (shim->proxy != NULL) {
        g_socket_client_set_proxy_resolver(connector, shim->proxy);
    }

    g_socket_client_connect_async(connector, pair->target, pair->cancel,
                                  agent_shim_connected,
                                  g_rc_box_acquire(pair));

    return TRUE;
}


/* as https: resolvers of proxies know that one */

static GSocketConnectable *
agent_shim_target(const agent_shim_listener_t *listener)
{
    GSocketConnectable  *target;
    g_autofree char     *uri = NULL;

    uri = g_strdup_printf(strchr(listener->host, ':') != NULL
                          ? "https://[%s]:%u" : "https://%s:%u",
                          listener->host, listener->remote);
    target = g_network_address_parse_uri(uri, listener->remote, NULL);

    return (target != NULL) ? target
           : g_network_address_new(listener->host, listener->remote);
}


static void
agent_shim_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    agent_shim_pair_t    *pair = data;
    g_autoptr(GError)     error = NULL;

    pair->tcp = g_socket_client_connect_finish(G_SOCKET_CLIENT(source),
                                               result, &error);
    if (pair->shim == NULL) {
        goto done;
    }

    if (pair->tcp == NULL) {
        agent_shim_fail(pair, error);
        goto done;
    }

    if (!pair->tls) {
        pair->server = g_object_ref(G_IO_STREAM(pair->tcp));
        agent_shim_splice(pair);
        goto done;
    }

    pair->server = g_tls_client_connection_new(G_IO_STREAM(pair->tcp),
                                               pair->target, &error);
    if (pair->server == NULL) {
        agent_shim_fail(pair, error);
        goto done;
    }

    if (pair->shim->tls != NULL) {
        g_tls_connection_set_database(G_TLS_CONNECTION(pair->server),
                                      pair->shim->tls);
    }

    /* the name goes along by itself, where the server has one (SNI) */

    g_tls_connection_set_advertised_protocols(G_TLS_CONNECTION(pair->server),
                                              agent_shim_alpn);

    g_tls_connection_handshake_async(G_TLS_CONNECTION(pair->server),
                                     G_PRIORITY_DEFAULT, pair->cancel,
                                     agent_shim_handshaken,
                                     g_rc_box_acquire(pair));

done:

    agent_shim_pair_unref(pair);
}


static void
agent_shim_handshaken(GObject *source, GAsyncResult *result, gpointer data)
{
    agent_shim_pair_t   *pair = data;
    g_autoptr(GError)    error = NULL;

    if (!g_tls_connection_handshake_finish(G_TLS_CONNECTION(source), result,
                                           &error))
    {
        agent_shim_fail(pair, error);
        goto done;
    }

    if (pair->shim == NULL) {
        goto done;
    }

    agent_shim_splice(pair);

done:

    agent_shim_pair_unref(pair);
}


static void
agent_shim_splice(agent_shim_pair_t *pair)
{
    g_clear_handle_id(&pair->timer, g_source_remove);

    g_output_stream_splice_async(
        g_io_stream_get_output_stream(pair->server),
        g_io_stream_get_input_stream(G_IO_STREAM(pair->client)),
        G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, pair->cancel,
        agent_shim_spliced, g_rc_box_acquire(pair));

    g_output_stream_splice_async(
        g_io_stream_get_output_stream(G_IO_STREAM(pair->client)),
        g_io_stream_get_input_stream(pair->server),
        G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, pair->cancel,
        agent_shim_spliced, g_rc_box_acquire(pair));
}


static void
agent_shim_spliced(GObject *source, GAsyncResult *result, gpointer data)
{
    agent_shim_pair_t   *pair = data;

    /* how a way ended does not matter: TURN over half a stream is none */

    g_output_stream_splice_finish(G_OUTPUT_STREAM(source), result, NULL);

    agent_shim_drop(pair);
    agent_shim_pair_unref(pair);
}


static gboolean
agent_shim_late(gpointer data)
{
    agent_shim_pair_t  *pair = data;

    pair->timer = 0;
    g_warning("no connection to a TURN server over TCP or TLS within %d s",
              AGENT_SHIM_TIMEOUT_S);
    agent_shim_drop(pair);

    return G_SOURCE_REMOVE;
}


static void
agent_shim_fail(agent_shim_pair_t *pair, const GError *error)
{
    if (pair->shim == NULL) {
        return;
    }

    g_warning("%s to a TURN server failed: %s", pair->tls ? "TLS" : "TCP",
              error->message);
    agent_shim_drop(pair);
}


/* leaves the shim's list; calls under way end by cancellation */

static void
agent_shim_drop(agent_shim_pair_t *pair)
{
    if (pair->shim == NULL) {
        return;
    }

    g_ptr_array_remove_fast(pair->shim->pairs, pair);
    pair->shim = NULL;

    g_clear_handle_id(&pair->timer, g_source_remove);
    g_cancellable_cancel(pair->cancel);

    /* under TLS, so that it cannot wait for the peer's close */

    if (pair->tcp != NULL) {
        g_socket_close(g_socket_connection_get_socket(pair->tcp), NULL);
    }

    g_socket_close(g_socket_connection_get_socket(pair->client), NULL);

    agent_shim_pair_unref(pair);
}


static void
agent_shim_pair_unref(agent_shim_pair_t *pair)
{
    g_rc_box_release_full(pair, agent_shim_pair_clear);
}


static void
agent_shim_pair_clear(gpointer data)
{
    agent_shim_pair_t  *pair = data;

    g_clear_object(&pair->server);
    g_clear_object(&pair->tcp);
    g_object_unref(pair->client);
    g_object_unref(pair->target);
    g_object_unref(pair->cancel);
}
