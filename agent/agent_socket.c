
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns SoupWebsocketConnection and its timers.  The struct is counted: the
 * owner's reference, and one per call under way, so that an owner may free
 * the socket inside any event.
 */

#define G_LOG_DOMAIN  "rs-socket"

#include "agent_socket.h"
#include "agent_json.h"
#include "agent_network.h"

#include <string.h>


#define AGENT_SOCKET_REACH_S    5       /* to TCP's connection */
#define AGENT_SOCKET_CONNECT_S  15
#define AGENT_SOCKET_FIRST_S    15      /* open to the first keepalive() */
#define AGENT_SOCKET_PONG_S     10
#define AGENT_SOCKET_NUDGE_S    5
#define AGENT_SOCKET_YOUNG_US   G_USEC_PER_SEC
#define AGENT_SOCKET_RETRY_S    300     /* the longest Retry-After taken */

#define AGENT_SOCKET_PING       "{\"type\":\"ping\"}"


struct agent_socket_s {
    SoupWebsocketConnection      *ws;
    SoupMessage                  *handshake;
    GCancellable                 *cancel;
    const agent_socket_events_t  *events;
    void                         *data;
    gint64                        heard_us;
    gint64                        asked_us;     /* a ping nobody answered */
    guint                         ping_s;
    guint                         pong_s;
    guint                         ping_timer;
    guint                         dead_timer;
    guint                         nudge_timer;
    gboolean                      reached;      /* TCP is connected */
    GInetAddress                 *own;          /* since then, or NULL */
    gboolean                      freed;
    gboolean                      closed;
};


static void agent_socket_connected(GObject *soup, GAsyncResult *result,
    gpointer data);
static void agent_socket_event(SoupMessage *msg, GSocketClientEvent event,
    GIOStream *stream, gpointer data);
static void agent_socket_message(SoupWebsocketConnection *ws, int type,
    GBytes *bytes, gpointer data);
static void agent_socket_gone(SoupWebsocketConnection *ws, gpointer data);
static gboolean agent_socket_check(gpointer data);
static gboolean agent_socket_ping(gpointer data);
static void agent_socket_ask(agent_socket_t *s, guint pong_s);
static gboolean agent_socket_stranded(const agent_socket_t *s);
static gboolean agent_socket_nudged(gpointer data);
static void agent_socket_fail(agent_socket_t *s, guint code, guint retry_s,
    const char *why);
static void agent_socket_clear(gpointer data);


agent_socket_t *
agent_socket_new(SoupSession *soup, const char *url,
    const char *const *protocols, const agent_socket_events_t *events,
    void *data)
{
    agent_socket_t  *s;

    s = g_rc_box_new0(agent_socket_t);
    s->events = events;
    s->data = data;
    s->cancel = g_cancellable_new();
    s->heard_us = g_get_monotonic_time();
    s->handshake = soup_message_new(SOUP_METHOD_GET, url);

    /* small messages: compression would cost memory and buy little */

    soup_message_disable_feature(s->handshake,
                                 SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);
    soup_message_add_flags(s->handshake, SOUP_MESSAGE_NO_REDIRECT);

    g_signal_connect(s->handshake, "network-event",
                     G_CALLBACK(agent_socket_event), s);

    s->dead_timer = g_timeout_add_seconds(1, agent_socket_check, s);

    soup_session_websocket_connect_async(soup, s->handshake, NULL,
                                         (char **) protocols,
                                         G_PRIORITY_DEFAULT, s->cancel,
                                         agent_socket_connected,
                                         g_rc_box_acquire(s));

    return s;
}


guint
agent_retry_after(SoupMessage *msg)
{
    guint64      n;
    const char  *value;

    value = soup_message_headers_get_one(
                soup_message_get_response_headers(msg), "Retry-After");

    if (value == NULL
        || !g_ascii_string_to_unsigned(value, 10, 0, AGENT_SOCKET_RETRY_S,
                                       &n, NULL))
    {
        return 0;
    }

    return (guint) n;
}


static void
agent_socket_event(SoupMessage *msg, GSocketClientEvent event,
    GIOStream *stream, gpointer data)
{
    agent_socket_t             *s = data;
    g_autoptr(GSocketAddress)   own = NULL;

    (void) msg;

    if (event != G_SOCKET_CLIENT_CONNECTED) {
        return;
    }

    s->reached = TRUE;

    if (G_IS_SOCKET_CONNECTION(stream)) {
        own = g_socket_connection_get_local_address(
                  G_SOCKET_CONNECTION(stream), NULL);
    }

    if (G_IS_INET_SOCKET_ADDRESS(own)) {
        g_set_object(&s->own, g_inet_socket_address_get_address(
                                  G_INET_SOCKET_ADDRESS(own)));
    }
}


static void
agent_socket_connected(GObject *soup, GAsyncResult *result, gpointer data)
{
    guint                status;
    agent_socket_t      *s = data;
    g_autofree char     *why = NULL;
    g_autoptr(GError)    error = NULL;

    s->ws = soup_session_websocket_connect_finish(SOUP_SESSION(soup), result,
                                                  &error);
    if (s->freed) {
        goto done;
    }

    if (s->ws == NULL) {
        status = soup_message_get_status(s->handshake);

        why = (status != 0 && status != SOUP_STATUS_SWITCHING_PROTOCOLS)
              ? g_strdup_printf("answered %u %s", status,
                                soup_status_get_phrase(status))
              : g_strdup(error->message);

        agent_socket_fail(s, 0, agent_retry_after(s->handshake), why);
        goto done;
    }

    s->heard_us = g_get_monotonic_time();

    soup_websocket_connection_set_max_incoming_payload_size(s->ws,
                                                        AGENT_JSON_MESSAGE);
    g_signal_connect(s->ws, "message", G_CALLBACK(agent_socket_message), s);
    g_signal_connect(s->ws, "closed", G_CALLBACK(agent_socket_gone), s);

done:

    g_signal_handlers_disconnect_by_data(s->handshake, s);
    g_clear_object(&s->handshake);
    g_rc_box_release_full(s, agent_socket_clear);
}


static void
agent_socket_message(SoupWebsocketConnection *ws, int type, GBytes *bytes,
    gpointer data)
{
    gsize            len;
    const char      *text;
    agent_socket_t  *s = data;

    (void) ws;

    s->heard_us = g_get_monotonic_time();
    s->asked_us = 0;

    if (type != SOUP_WEBSOCKET_DATA_TEXT) {
        agent_socket_close(s, SOUP_WEBSOCKET_CLOSE_UNSUPPORTED_DATA);
        return;
    }

    g_rc_box_acquire(s);

    text = g_bytes_get_data(bytes, &len);
    s->events->text(s->data, (text != NULL) ? text : "", len);

    g_rc_box_release_full(s, agent_socket_clear);
}


static void
agent_socket_gone(SoupWebsocketConnection *ws, gpointer data)
{
    guint            code;
    const char      *why;
    agent_socket_t  *s = data;

    code = soup_websocket_connection_get_close_code(ws);
    why = soup_websocket_connection_get_close_data(ws);

    if (why == NULL || why[0] == '\0') {
        why = "closed";
    }

    agent_socket_fail(s, code, 0, why);
}


static void
agent_socket_fail(agent_socket_t *s, guint code, guint retry_s,
    const char *why)
{
    if (s->closed || s->freed) {
        return;
    }

    s->closed = TRUE;
    g_clear_handle_id(&s->ping_timer, g_source_remove);
    g_clear_handle_id(&s->dead_timer, g_source_remove);
    g_clear_handle_id(&s->nudge_timer, g_source_remove);

    g_rc_box_acquire(s);
    s->events->closed(s->data, code, retry_s, why);
    g_rc_box_release_full(s, agent_socket_clear);
}


/*
 * One timer for the deadlines: TCP's connection, that of the WebSocket, first
 * message, answer to a ping.  A network that swallows everything is given up
 * early, for the next attempt may meet it well again; a gateway that answers
 * slowly is not.
 */

static gboolean
agent_socket_check(gpointer data)
{
    guint            limit_s;
    gint64           since_us;
    const char      *why;
    agent_socket_t  *s = data;

    since_us = s->heard_us;

    if (s->ws == NULL && !s->reached) {
        limit_s = AGENT_SOCKET_REACH_S;
        why = "out of reach for 5 s";

    } else if (s->ws == NULL) {
        limit_s = AGENT_SOCKET_CONNECT_S;
        why = "no connection within 15 s";

    } else if (s->ping_s == 0) {
        limit_s = AGENT_SOCKET_FIRST_S;
        why = "no welcome within 15 s";

    } else if (s->asked_us != 0) {
        limit_s = s->pong_s;
        since_us = s->asked_us;
        why = "nothing heard, not even an answer to a ping";

    } else {
        return G_SOURCE_CONTINUE;
    }

    if (g_get_monotonic_time() - since_us
        < (gint64) limit_s * G_USEC_PER_SEC)
    {
        return G_SOURCE_CONTINUE;
    }

    s->dead_timer = 0;
    agent_socket_fail(s, 0, 0, why);

    return G_SOURCE_REMOVE;
}


void
agent_socket_keepalive(agent_socket_t *s, guint ping_s)
{
    s->ping_s = ping_s;
    g_clear_handle_id(&s->ping_timer, g_source_remove);

    s->ping_timer = g_timeout_add((guint) g_random_int_range(800, 1201)
                                  * ping_s, agent_socket_ping, s);
}


static gboolean
agent_socket_ping(gpointer data)
{
    agent_socket_t  *s = data;

    agent_socket_ask(s, AGENT_SOCKET_PONG_S);

    s->ping_timer = 0;
    agent_socket_keepalive(s, s->ping_s);

    return G_SOURCE_REMOVE;
}


/* of two questions that stand the one that is up first counts */

static void
agent_socket_ask(agent_socket_t *s, guint pong_s)
{
    gint64  now_us = g_get_monotonic_time();

    agent_socket_send(s, AGENT_SOCKET_PING);

    if (s->asked_us == 0
        || now_us + pong_s * G_USEC_PER_SEC
           < s->asked_us + s->pong_s * G_USEC_PER_SEC)
    {
        s->asked_us = now_us;
        s->pong_s = pong_s;
    }
}


/* what was sent from an address that is gone is answered to nobody */

static gboolean
agent_socket_stranded(const agent_socket_t *s)
{
    return s->own != NULL && !agent_network_own(s->own);
}


static gboolean
agent_socket_nudged(gpointer data)
{
    agent_socket_t  *s = data;

    s->nudge_timer = 0;
    agent_socket_fail(s, 0, 0, "the network is another one");

    return G_SOURCE_REMOVE;
}


void
agent_socket_nudge(agent_socket_t *s)
{
    if (s->closed || s->nudge_timer != 0
        || (s->ws == NULL && g_get_monotonic_time() - s->heard_us
                             < AGENT_SOCKET_YOUNG_US))
    {
        return;
    }

    /* a goodbye that nobody hears would hold the socket for seconds */

    if (s->ws == NULL || agent_socket_stranded(s)) {
        s->nudge_timer = g_timeout_add(0, agent_socket_nudged, s);
        return;
    }

    if (s->ping_s != 0) {
        agent_socket_ask(s, AGENT_SOCKET_NUDGE_S);
    }
}


void
agent_socket_send(agent_socket_t *s, const char *text)
{
    if (s->ws == NULL
        || soup_websocket_connection_get_state(s->ws)
           != SOUP_WEBSOCKET_STATE_OPEN)
    {
        return;
    }

    soup_websocket_connection_send_text(s->ws, text);
}


void
agent_socket_close(agent_socket_t *s, guint code)
{
    if (s->ws == NULL) {
        g_cancellable_cancel(s->cancel);
        return;
    }

    if (soup_websocket_connection_get_state(s->ws)
        == SOUP_WEBSOCKET_STATE_OPEN)
    {
        soup_websocket_connection_close(s->ws, (gushort) code, NULL);
    }
}


void
agent_socket_free(agent_socket_t *s)
{
    s->freed = TRUE;
    g_clear_handle_id(&s->ping_timer, g_source_remove);
    g_clear_handle_id(&s->dead_timer, g_source_remove);
    g_clear_handle_id(&s->nudge_timer, g_source_remove);
    g_cancellable_cancel(s->cancel);

    if (s->ws != NULL) {
        g_signal_handlers_disconnect_by_data(s->ws, s);

        /* a goodbye takes a while: libsoup bounds it, and closes in the end */

        if (soup_websocket_connection_get_state(s->ws)
            == SOUP_WEBSOCKET_STATE_OPEN)
        {
            g_signal_connect(s->ws, "closed", G_CALLBACK(g_object_unref),
                             NULL);
            soup_websocket_connection_close(g_object_ref(s->ws),
                                            AGENT_CLOSE_DONE, NULL);
        }
    }

    g_rc_box_release_full(s, agent_socket_clear);
}


static void
agent_socket_clear(gpointer data)
{
    agent_socket_t  *s = data;

    if (s->ws != NULL) {
        g_signal_handlers_disconnect_by_data(s->ws, s);
        g_object_unref(s->ws);
    }

    g_clear_object(&s->handshake);
    g_clear_object(&s->own);
    g_object_unref(s->cancel);
}


guint
agent_backoff(guint base_ms, guint cap_ms, guint attempt)
{
    guint  top;

    top = base_ms;

    while (attempt-- > 0 && top < cap_ms) {
        top *= 2;
    }

    return (guint) g_random_int_range(0, (gint32) MIN(top, cap_ms) + 1);
}
