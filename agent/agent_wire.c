
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the stream to the gateway, its frames and its two buffers.
 *
 *     connecting -> asked (the upgrade) -> open -> closing -> over
 *
 * Reading: bytes are read when all those before were taken.  A piece that was
 * not (blocked) stays in the buffer, and nothing is read: the gateway's
 * writes stop, and so do those of whoever is behind it.  A stream with TLS
 * may hold bytes that poll() knows nothing of: after a pause it is read, not
 * waited for.
 *
 * Writing: messages are framed and masked in the buffer where their payload
 * was put, and leave at once if they can.  The buffer has room for the
 * longest datagram behind another one, and for control frames behind that.
 *
 * Alive is whoever is heard of.  While reading stands still no answer to a
 * ping can be seen, so nothing is expected then, but a pong is sent by
 * itself, as the gateway's pings are not seen either.
 *
 * The struct is counted: the owner's reference, or after agent_wire_free() of
 * a wire that still says goodbye its own, and one per call under way.
 */

#define G_LOG_DOMAIN  "rs-wire"

#include "agent_wire.h"
#include "rs_ws_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>


#define AGENT_WIRE_IN       (64 * 1024)
#define AGENT_WIRE_OUT      (144 * 1024)
#define AGENT_WIRE_HEADER   8           /* of a masked frame below 64 KiB */
#define AGENT_WIRE_SHORT    126         /* bytes; below it is two less */
#define AGENT_WIRE_RESERVE  512         /* of out, for control frames */
#define AGENT_WIRE_TURN     16          /* reads until others have theirs */

#define AGENT_WIRE_OPEN_S   20          /* to the gateway's answer */
#define AGENT_WIRE_PING_S   25
#define AGENT_WIRE_DEAD_S   75          /* nothing heard */
#define AGENT_WIRE_CHECK_S  5
#define AGENT_WIRE_WHY      160         /* bytes */

/* what of a pieced message may be sent is a frame of its own */

G_STATIC_ASSERT(AGENT_WIRE_PAYLOAD <= 0xffff);
G_STATIC_ASSERT(AGENT_WIRE_OUT >= 2 * (AGENT_WIRE_PAYLOAD
                                       + AGENT_WIRE_HEADER)
                                  + AGENT_WIRE_RESERVE);


typedef enum {
    AGENT_WIRE_CONNECTING = 0,
    AGENT_WIRE_ASKED,
    AGENT_WIRE_OPEN,
    AGENT_WIRE_CLOSING,
    AGENT_WIRE_OVER
} agent_wire_state_e;


struct agent_wire_s {
    const agent_wire_events_t  *events;
    void                       *data;
    gboolean                    freed;
    agent_wire_state_e          state;

    GSocketConnectable         *target;
    gboolean                    secure;
    GTlsDatabase               *tls;
    GCancellable               *cancel;
    GSocketConnection          *tcp;
    GIOStream                  *stream;     /* TLS, or the same as tcp */

    GSource                    *readable;   /* or, while blocked, broken */
    GSource                    *writable;
    guint                       kick;       /* idle: goes on reading */
    guint                       timer;
    gint64                      since_us;   /* of the state */
    gint64                      heard_us;
    gint64                      spoke_us;   /* a ping, or a pong by itself */

    char                       *key;        /* Sec-WebSocket-Key */
    gsize                       max_message;
    guint8                     *in;
    gsize                       first;      /* of in: not yet taken */
    gsize                       last;
    rs_ws_pieces_t              pieces;
    rs_ws_piece_t               left;       /* blocked: what was not taken */
    gboolean                    blocked;

    guint8                     *out;
    gsize                       head;       /* of out: not yet sent */
    gsize                       tail;
    gsize                       wanted;     /* room() is owed for so much */
    char                        broken[AGENT_WIRE_WHY];     /* told soon */
};


static gboolean agent_wire_ask(agent_wire_t *wire,
    const agent_wire_to_t *to, GUri *uri);
static void agent_wire_connect(agent_wire_t *wire, const agent_wire_to_t *to,
    GUri *uri);
static void agent_wire_connected(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_wire_secure(agent_wire_t *wire);
static void agent_wire_handshaken(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_wire_start(agent_wire_t *wire);
static void agent_wire_tune(GSocket *socket);

static void agent_wire_pump(agent_wire_t *wire);
static gboolean agent_wire_fill(agent_wire_t *wire);
static gboolean agent_wire_take(agent_wire_t *wire);
static gboolean agent_wire_answered(agent_wire_t *wire);
static gboolean agent_wire_give(agent_wire_t *wire, rs_ws_piece_t *piece);
static gboolean agent_wire_control(agent_wire_t *wire,
    const rs_ws_piece_t *piece);
static gboolean agent_wire_readable(GObject *stream, gpointer data);
static gboolean agent_wire_hung(GSocket *socket, GIOCondition condition,
    gpointer data);
static gboolean agent_wire_kicked(gpointer data);
static void agent_wire_kick(agent_wire_t *wire);
static void agent_wire_watch(agent_wire_t *wire);
static void agent_wire_unwatch(GSource **source);

static void agent_wire_flush(agent_wire_t *wire);
static gboolean agent_wire_writable(GObject *stream, gpointer data);
static gboolean agent_wire_owes(const agent_wire_t *wire);
static void agent_wire_room(agent_wire_t *wire);
static void agent_wire_compact(agent_wire_t *wire, gsize need);
static gboolean agent_wire_frame(agent_wire_t *wire, guint opcode,
    const guint8 *data, gsize len);
static void agent_wire_goodbye(agent_wire_t *wire, guint code,
    const char *why);

static gboolean agent_wire_check(gpointer data);
static void agent_wire_alive(agent_wire_t *wire, gint64 now_us);
static void agent_wire_state(agent_wire_t *wire, agent_wire_state_e state);
static void agent_wire_over(agent_wire_t *wire, const agent_wire_end_t *end);
static void agent_wire_fail(agent_wire_t *wire, const char *why);
static void agent_wire_break(agent_wire_t *wire, const char *why);
static void agent_wire_drop(agent_wire_t *wire);
static void agent_wire_unref(agent_wire_t *wire);
static void agent_wire_clear(gpointer data);


agent_wire_t *
agent_wire_new(const agent_wire_to_t *to, const agent_wire_events_t *events,
    void *data)
{
    agent_wire_t      *wire;
    g_autoptr(GUri)    uri = NULL;

    wire = g_rc_box_new0(agent_wire_t);
    wire->events = events;
    wire->data = data;
    wire->max_message = to->max_message;
    wire->tls = (to->tls != NULL) ? g_object_ref(to->tls) : NULL;
    wire->cancel = g_cancellable_new();
    wire->in = g_malloc(AGENT_WIRE_IN);
    wire->out = g_malloc(AGENT_WIRE_OUT);
    rs_ws_pieces_init(&wire->pieces, to->max_message);

    agent_wire_state(wire, AGENT_WIRE_CONNECTING);
    wire->timer = g_timeout_add_seconds(AGENT_WIRE_CHECK_S, agent_wire_check,
                                        wire);

    uri = g_uri_parse(to->url, G_URI_FLAGS_ENCODED_PATH, NULL);

    if (uri == NULL || g_uri_get_host(uri) == NULL
        || !agent_wire_ask(wire, to, uri))
    {
        agent_wire_break(wire, "the gateway's URL, or the ticket, is none");
        return wire;
    }

    agent_wire_connect(wire, to, uri);

    return wire;
}


/* what is to be said when the stream stands waits in the buffer */

static gboolean
agent_wire_ask(agent_wire_t *wire, const agent_wire_to_t *to, GUri *uri)
{
    int               port;
    guint8            key[16];
    rs_buf_t          b;
    rs_str_t          protocols[3];
    const char       *host;
    rs_ws_request_t   request;
    g_autofree char  *authority = NULL;
    g_autofree char  *ticket = NULL;
    g_autofree char  *side = NULL;

    if (RAND_bytes(key, sizeof(key)) != 1) {
        return FALSE;
    }

    host = g_uri_get_host(uri);
    port = g_uri_get_port(uri);
    authority = g_strdup_printf(strchr(host, ':') != NULL ? "[%s]" : "%s",
                                host);

    if (port != -1) {
        g_autofree char  *name = g_steal_pointer(&authority);

        authority = g_strdup_printf("%s:%d", name, port);
    }

    wire->key = g_base64_encode(key, sizeof(key));
    ticket = g_strconcat("rs.ticket.", to->ticket, NULL);
    side = g_strconcat("rs.side.", to->side, NULL);

    protocols[0] = RS_STR("rs.v1");
    protocols[1] = rs_str(ticket);
    protocols[2] = rs_str(side);

    request.path = rs_str(g_uri_get_path(uri));
    request.host = rs_str(authority);
    request.agent = rs_str(to->program);
    request.key = rs_str(wire->key);
    request.protocols = protocols;
    request.n = G_N_ELEMENTS(protocols);

    rs_buf_init(&b, wire->out, AGENT_WIRE_OUT);

    if (request.path.len == 0 || rs_ws_request(&b, &request) != RS_OK) {
        OPENSSL_cleanse(ticket, strlen(ticket));
        return FALSE;
    }

    OPENSSL_cleanse(ticket, strlen(ticket));
    wire->tail = b.len;

    return TRUE;
}


static void
agent_wire_connect(agent_wire_t *wire, const agent_wire_to_t *to, GUri *uri)
{
    guint16                    port;
    const char                *host;
    g_autofree char           *web = NULL;
    g_autoptr(GSocketClient)   client = NULL;

    wire->secure = g_strcmp0(g_uri_get_scheme(uri), "ws") != 0;
    host = g_uri_get_host(uri);
    port = (guint16) (g_uri_get_port(uri) != -1 ? g_uri_get_port(uri)
                      : wire->secure ? 443 : 80);

    /* as https: resolvers of proxies know that one */

    web = g_strdup_printf(strchr(host, ':') != NULL ? "https://[%s]:%u"
                                                    : "https://%s:%u",
                          host, port);
    wire->target = g_network_address_parse_uri(web, port, NULL);

    if (wire->target == NULL) {
        wire->target = g_network_address_new(host, port);
    }

    client = g_socket_client_new();
    g_socket_client_set_enable_proxy(client, to->proxy != NULL);

    if (to->proxy != NULL) {
        g_socket_client_set_proxy_resolver(client, to->proxy);
    }

    g_socket_client_connect_async(client, wire->target, wire->cancel,
                                  agent_wire_connected,
                                  g_rc_box_acquire(wire));
}


static void
agent_wire_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    agent_wire_t        *wire = data;
    g_autoptr(GError)    error = NULL;

    wire->tcp = g_socket_client_connect_finish(G_SOCKET_CLIENT(source),
                                               result, &error);
    if (wire->state == AGENT_WIRE_OVER) {
        goto done;
    }

    if (wire->tcp == NULL) {
        agent_wire_fail(wire, error->message);
        goto done;
    }

    agent_wire_tune(g_socket_connection_get_socket(wire->tcp));

    if (wire->secure) {
        agent_wire_secure(wire);

    } else {
        wire->stream = g_object_ref(G_IO_STREAM(wire->tcp));
        agent_wire_start(wire);
    }

done:

    agent_wire_unref(wire);
}


static void
agent_wire_tune(GSocket *socket)
{
    g_socket_set_keepalive(socket, TRUE);
    g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
}


static void
agent_wire_secure(agent_wire_t *wire)
{
    g_autoptr(GError)  error = NULL;

    wire->stream = g_tls_client_connection_new(G_IO_STREAM(wire->tcp),
                                               wire->target, &error);
    if (wire->stream == NULL) {
        agent_wire_fail(wire, error->message);
        return;
    }

    if (wire->tls != NULL) {
        g_tls_connection_set_database(G_TLS_CONNECTION(wire->stream),
                                      wire->tls);
    }

    g_tls_connection_handshake_async(G_TLS_CONNECTION(wire->stream),
                                     G_PRIORITY_DEFAULT, wire->cancel,
                                     agent_wire_handshaken,
                                     g_rc_box_acquire(wire));
}


static void
agent_wire_handshaken(GObject *source, GAsyncResult *result, gpointer data)
{
    gboolean             done;
    agent_wire_t        *wire = data;
    g_autoptr(GError)    error = NULL;

    done = g_tls_connection_handshake_finish(G_TLS_CONNECTION(source),
                                             result, &error);

    if (wire->state != AGENT_WIRE_OVER) {
        if (done) {
            agent_wire_start(wire);

        } else {
            agent_wire_fail(wire, error->message);
        }
    }

    agent_wire_unref(wire);
}


static void
agent_wire_start(agent_wire_t *wire)
{
    /* since_us stays that of the beginning */

    wire->state = AGENT_WIRE_ASKED;
    agent_wire_flush(wire);
    agent_wire_kick(wire);
}


/* ---- reading */

static void
agent_wire_pump(agent_wire_t *wire)
{
    guint  n;

    g_rc_box_acquire(wire);

    for (n = 0; agent_wire_take(wire); n++) {

        if (n == AGENT_WIRE_TURN) {
            agent_wire_unwatch(&wire->readable);
            agent_wire_kick(wire);
            break;
        }

        if (!agent_wire_fill(wire)) {
            break;
        }
    }

    agent_wire_unref(wire);
}


/* TRUE: there are more bytes */

static gboolean
agent_wire_fill(agent_wire_t *wire)
{
    gssize               n;
    GPollableInputStream  *in;
    g_autoptr(GError)    error = NULL;

    if (wire->first == wire->last) {
        wire->first = 0;
        wire->last = 0;
    }

    in = G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(wire->stream));
    n = g_pollable_input_stream_read_nonblocking(in, wire->in + wire->last,
                                                 AGENT_WIRE_IN - wire->last,
                                                 NULL, &error);
    if (n > 0) {
        wire->last += (gsize) n;
        wire->heard_us = g_get_monotonic_time();
        return TRUE;
    }

    if (n < 0 && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
        agent_wire_watch(wire);
        return FALSE;
    }

    agent_wire_fail(wire, (n == 0) ? "closed without a goodbye"
                                   : error->message);

    return FALSE;
}


/* FALSE: blocked, or over */

static gboolean
agent_wire_take(agent_wire_t *wire)
{
    rs_err_e        rc;
    const guint8   *pos;
    rs_ws_piece_t   piece;

    if (wire->state == AGENT_WIRE_ASKED && !agent_wire_answered(wire)) {
        return wire->state == AGENT_WIRE_ASKED;
    }

    if (wire->blocked && !agent_wire_give(wire, &wire->left)) {
        return FALSE;
    }

    while (wire->state == AGENT_WIRE_OPEN
           || wire->state == AGENT_WIRE_CLOSING)
    {
        pos = wire->in + wire->first;
        rc = rs_ws_pieces_read(&wire->pieces, &pos, wire->in + wire->last,
                               &piece);
        wire->first = (gsize) (pos - wire->in);

        if (rc == RS_AGAIN) {
            return TRUE;
        }

        if (rc != RS_OK) {
            agent_wire_goodbye(wire, rs_err_ws_close(rc), rs_err_title(rc));
            agent_wire_fail(wire, rs_err_title(rc));
            return FALSE;
        }

        if (!((piece.opcode == RS_WS_BINARY)
              ? agent_wire_give(wire, &piece)
              : agent_wire_control(wire, &piece)))
        {
            return FALSE;
        }
    }

    return FALSE;
}


/* TRUE: the upgrade is done; else more bytes are needed, or it is over */

static gboolean
agent_wire_answered(agent_wire_t *wire)
{
    rs_err_e           rc;
    agent_wire_end_t   end;
    rs_ws_response_t   response;
    g_autofree char   *why = NULL;

    rc = rs_ws_response((rs_str_t) { wire->in, wire->last },
                        rs_str(wire->key), RS_STR("rs.v1"), &response);

    if (rc == RS_AGAIN) {
        return FALSE;
    }

    if (rc != RS_OK) {
        why = (rc == RS_E_UNAVAILABLE)
              ? g_strdup_printf("the gateway answered %u", response.status)
              : g_strdup("what answered is no gateway");

        memset(&end, 0, sizeof(end));
        end.status = (rc == RS_E_UNAVAILABLE) ? response.status : 0;
        end.retry_s = response.retry_after;
        end.why = why;
        agent_wire_over(wire, &end);

        return FALSE;
    }

    /* the ticket was in there */

    OPENSSL_cleanse(wire->out, wire->tail);
    wire->first = response.size;
    agent_wire_state(wire, AGENT_WIRE_OPEN);
    wire->events->open(wire->data);
    agent_wire_room(wire);

    return wire->state != AGENT_WIRE_OVER;
}


/* TRUE: all of it was taken, and it is not over */

static gboolean
agent_wire_give(agent_wire_t *wire, rs_ws_piece_t *piece)
{
    gsize  taken;

    if (wire->state != AGENT_WIRE_OPEN || wire->freed) {
        wire->blocked = FALSE;
        return wire->state != AGENT_WIRE_OVER;
    }

    taken = 0;

    if (wire->events->piece(wire->data, piece->data, piece->len, piece->last,
                            &taken))
    {
        wire->blocked = FALSE;
        return wire->state != AGENT_WIRE_OVER;
    }

    if (wire->state != AGENT_WIRE_OPEN || wire->freed) {
        wire->blocked = FALSE;
        return wire->state != AGENT_WIRE_OVER;
    }

    wire->left = *piece;
    wire->left.data += taken;
    wire->left.len -= taken;
    wire->blocked = TRUE;
    agent_wire_watch(wire);

    return FALSE;
}


static gboolean
agent_wire_control(agent_wire_t *wire, const rs_ws_piece_t *piece)
{
    agent_wire_end_t   end;
    g_autofree char   *why = NULL;

    if (piece->opcode == RS_WS_PING) {
        (void) agent_wire_frame(wire, RS_WS_PONG, piece->data, piece->len);
        return wire->state != AGENT_WIRE_OVER;
    }

    if (piece->opcode != RS_WS_CLOSE) {
        return TRUE;
    }

    agent_wire_goodbye(wire, piece->close_code, "");
    why = (piece->len != 0) ? g_strndup((const char *) piece->data,
                                        piece->len)
                            : g_strdup("closed");

    memset(&end, 0, sizeof(end));
    end.code = piece->close_code;
    end.why = why;
    agent_wire_over(wire, &end);

    return FALSE;
}


static gboolean
agent_wire_readable(GObject *stream, gpointer data)
{
    (void) stream;

    agent_wire_pump(data);

    return G_SOURCE_CONTINUE;
}


/* while nothing is read: a reset is one all the same */

static gboolean
agent_wire_hung(GSocket *socket, GIOCondition condition, gpointer data)
{
    agent_wire_t  *wire = data;

    (void) socket;

    if (condition & G_IO_ERR) {
        agent_wire_fail(wire, "the connection was reset");
        return G_SOURCE_REMOVE;
    }

    agent_wire_unwatch(&wire->readable);

    return G_SOURCE_REMOVE;
}


static gboolean
agent_wire_kicked(gpointer data)
{
    agent_wire_t  *wire = data;

    wire->kick = 0;

    if (wire->broken[0] != '\0') {
        agent_wire_fail(wire, wire->broken);

    } else {
        agent_wire_pump(wire);
    }

    return G_SOURCE_REMOVE;
}


static void
agent_wire_kick(agent_wire_t *wire)
{
    if (wire->kick == 0 && wire->state != AGENT_WIRE_OVER) {
        wire->kick = g_idle_add_full(G_PRIORITY_DEFAULT, agent_wire_kicked,
                                     wire, NULL);
    }
}


static void
agent_wire_watch(agent_wire_t *wire)
{
    GSource               *source;
    GPollableInputStream  *in;

    if (wire->blocked) {
        agent_wire_unwatch(&wire->readable);
        source = g_socket_create_source(
                     g_socket_connection_get_socket(wire->tcp),
                     G_IO_ERR|G_IO_HUP, NULL);
        g_source_set_callback(source, G_SOURCE_FUNC(agent_wire_hung), wire,
                              NULL);

    } else if (wire->readable == NULL) {
        in = G_POLLABLE_INPUT_STREAM(
                 g_io_stream_get_input_stream(wire->stream));
        source = g_pollable_input_stream_create_source(in, NULL);
        g_source_set_callback(source, G_SOURCE_FUNC(agent_wire_readable),
                              wire, NULL);

    } else {
        return;
    }

    g_source_attach(source, NULL);
    wire->readable = source;
}


static void
agent_wire_unwatch(GSource **source)
{
    if (*source != NULL) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}


void
agent_wire_more(agent_wire_t *wire)
{
    agent_wire_unwatch(&wire->readable);
    agent_wire_kick(wire);
}


/* ---- writing */

guint8 *
agent_wire_space(agent_wire_t *wire, gsize min, gsize *len)
{
    gsize  top;

    top = AGENT_WIRE_OUT - AGENT_WIRE_RESERVE;

    if (wire->state != AGENT_WIRE_OPEN) {
        wire->wanted = min;
        return NULL;
    }

    agent_wire_compact(wire, AGENT_WIRE_HEADER + min
                             + AGENT_WIRE_RESERVE);

    if (wire->tail + AGENT_WIRE_HEADER + min > top) {
        wire->wanted = min;
        return NULL;
    }

    *len = MIN(top - wire->tail - AGENT_WIRE_HEADER, AGENT_WIRE_PAYLOAD);

    return wire->out + wire->tail + AGENT_WIRE_HEADER;
}


void
agent_wire_send(agent_wire_t *wire, gsize len)
{
    gsize    n;
    guint8  *p, mask[4];

    if (wire->state != AGENT_WIRE_OPEN) {
        return;
    }

    if (RAND_bytes(mask, sizeof(mask)) != 1) {
        agent_wire_break(wire, "OpenSSL has no random bytes");
        return;
    }

    p = wire->out + wire->tail;

    if (len < AGENT_WIRE_SHORT) {
        memmove(p + AGENT_WIRE_HEADER - 2, p + AGENT_WIRE_HEADER, len);
    }

    n = rs_ws_header_masked(p, RS_WS_BINARY, len, mask);
    rs_ws_mask(p + n, len, mask, 0);
    wire->tail += n + len;

    agent_wire_flush(wire);
}


static void
agent_wire_flush(agent_wire_t *wire)
{
    gssize                   n;
    GPollableOutputStream   *out;
    g_autoptr(GError)        error = NULL;

    if (wire->stream == NULL) {
        return;
    }

    out = G_POLLABLE_OUTPUT_STREAM(
              g_io_stream_get_output_stream(wire->stream));

    while (wire->head < wire->tail) {
        n = g_pollable_output_stream_write_nonblocking(out,
                                                 wire->out + wire->head,
                                                 wire->tail - wire->head,
                                                 NULL, &error);
        if (n > 0) {
            wire->head += (gsize) n;
            continue;
        }

        if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
            agent_wire_break(wire, (error != NULL) ? error->message
                                                   : "closed");
            return;
        }

        if (wire->writable == NULL) {
            wire->writable = g_pollable_output_stream_create_source(out,
                                                                    NULL);
            g_source_set_callback(wire->writable,
                                  G_SOURCE_FUNC(agent_wire_writable), wire,
                                  NULL);
            g_source_attach(wire->writable, NULL);
        }

        return;
    }

    wire->head = 0;
    wire->tail = 0;

    /* whatever it was that emptied it, an answer to a ping say: room() comes
     * from the main loop, to whom it is owed */

    if (!agent_wire_owes(wire)) {
        agent_wire_unwatch(&wire->writable);
    }
}


static gboolean
agent_wire_writable(GObject *stream, gpointer data)
{
    agent_wire_t  *wire = data;

    (void) stream;

    g_rc_box_acquire(wire);
    agent_wire_flush(wire);
    agent_wire_room(wire);
    agent_wire_unref(wire);

    return G_SOURCE_CONTINUE;
}


static gboolean
agent_wire_owes(const agent_wire_t *wire)
{
    return wire->wanted != 0 && !wire->freed
           && wire->state == AGENT_WIRE_OPEN;
}


static void
agent_wire_room(agent_wire_t *wire)
{
    if (agent_wire_owes(wire)
        && wire->tail - wire->head + AGENT_WIRE_HEADER + wire->wanted
           <= AGENT_WIRE_OUT - AGENT_WIRE_RESERVE)
    {
        wire->wanted = 0;
        wire->events->room(wire->data);
    }
}


/* what was sent makes room; TLS that stopped inside goes on with the rest */

static void
agent_wire_compact(agent_wire_t *wire, gsize need)
{
    if (wire->head != 0 && AGENT_WIRE_OUT - wire->tail < need) {
        memmove(wire->out, wire->out + wire->head, wire->tail - wire->head);
        wire->tail -= wire->head;
        wire->head = 0;
    }
}


/*
 * A control frame; FALSE: there is no room, or it is too late.  There is
 * always room for a goodbye: whoever sends pings without end gets no pongs.
 */

static gboolean
agent_wire_frame(agent_wire_t *wire, guint opcode, const guint8 *data,
    gsize len)
{
    gsize    n, keep;
    guint8  *p, mask[4];

    keep = (opcode == RS_WS_CLOSE) ? 0 : AGENT_WIRE_HEADER
                                         + RS_WS_CONTROL_MAX;
    agent_wire_compact(wire, AGENT_WIRE_HEADER + len + keep);

    if (wire->state != AGENT_WIRE_OPEN
        || AGENT_WIRE_OUT - wire->tail < AGENT_WIRE_HEADER + len + keep
        || RAND_bytes(mask, sizeof(mask)) != 1)
    {
        return FALSE;
    }

    p = wire->out + wire->tail;
    n = rs_ws_header_masked(p, opcode, len, mask);

    if (len != 0) {
        memcpy(p + n, data, len);
        rs_ws_mask(p + n, len, mask, 0);
    }

    wire->tail += n + len;
    agent_wire_flush(wire);

    return TRUE;
}


static void
agent_wire_goodbye(agent_wire_t *wire, guint code, const char *why)
{
    gsize   len;
    guint8  payload[RS_WS_CONTROL_MAX];

    len = rs_ws_close_payload(payload, code, rs_str(why));

    if (agent_wire_frame(wire, RS_WS_CLOSE, payload, len)) {
        agent_wire_state(wire, AGENT_WIRE_CLOSING);
        g_clear_handle_id(&wire->timer, g_source_remove);
        wire->timer = g_timeout_add_seconds(AGENT_WIRE_CLOSE_S,
                                            agent_wire_check, wire);
    }
}


/* ---- the end */

static gboolean
agent_wire_check(gpointer data)
{
    gint64         now_us, age_s;
    agent_wire_t  *wire = data;

    now_us = g_get_monotonic_time();
    age_s = (now_us - wire->since_us) / G_USEC_PER_SEC;

    switch (wire->state) {

    case AGENT_WIRE_CONNECTING:
    case AGENT_WIRE_ASKED:

        if (age_s >= AGENT_WIRE_OPEN_S) {
            agent_wire_fail(wire, "the gateway does not answer");
        }

        break;

    case AGENT_WIRE_OPEN:
        agent_wire_alive(wire, now_us);
        break;

    case AGENT_WIRE_CLOSING:

        agent_wire_fail(wire, "no answer to a goodbye");
        break;

    case AGENT_WIRE_OVER:
        break;
    }

    /* what is over has taken the timer along */

    return G_SOURCE_CONTINUE;
}


static void
agent_wire_alive(agent_wire_t *wire, gint64 now_us)
{
    if (now_us - wire->spoke_us >= AGENT_WIRE_PING_S * G_USEC_PER_SEC
        && (wire->blocked
            || now_us - wire->heard_us >= AGENT_WIRE_PING_S * G_USEC_PER_SEC))
    {
        wire->spoke_us = now_us;
        (void) agent_wire_frame(wire, wire->blocked ? RS_WS_PONG : RS_WS_PING,
                                NULL, 0);
    }

    if (wire->blocked) {
        wire->heard_us = now_us;

    } else if (now_us - wire->heard_us >= AGENT_WIRE_DEAD_S * G_USEC_PER_SEC)
    {
        agent_wire_fail(wire, "nothing heard of the gateway");
    }
}


static void
agent_wire_state(agent_wire_t *wire, agent_wire_state_e state)
{
    wire->state = state;
    wire->since_us = g_get_monotonic_time();
    wire->heard_us = wire->since_us;
    wire->spoke_us = wire->since_us;
}


static void
agent_wire_fail(agent_wire_t *wire, const char *why)
{
    agent_wire_end_t   end;
    g_autofree char   *copy = NULL;

    copy = g_strdup(why);
    memset(&end, 0, sizeof(end));
    end.why = copy;
    agent_wire_over(wire, &end);
}


static void
agent_wire_over(agent_wire_t *wire, const agent_wire_end_t *end)
{
    if (wire->state == AGENT_WIRE_OVER) {
        return;
    }

    g_rc_box_acquire(wire);
    agent_wire_drop(wire);

    if (wire->freed) {
        agent_wire_unref(wire);         /* its own: it said goodbye */

    } else {
        wire->events->closed(wire->data, end);
    }

    agent_wire_unref(wire);
}


/* found out inside a call of the owner's: told from the main loop */

static void
agent_wire_break(agent_wire_t *wire, const char *why)
{
    if (wire->state == AGENT_WIRE_OVER || wire->broken[0] != '\0') {
        return;
    }

    g_strlcpy(wire->broken, why, sizeof(wire->broken));
    agent_wire_unwatch(&wire->writable);
    agent_wire_kick(wire);
}


static void
agent_wire_drop(agent_wire_t *wire)
{
    agent_wire_state(wire, AGENT_WIRE_OVER);
    g_clear_handle_id(&wire->timer, g_source_remove);
    g_clear_handle_id(&wire->kick, g_source_remove);
    agent_wire_unwatch(&wire->readable);
    agent_wire_unwatch(&wire->writable);
    g_cancellable_cancel(wire->cancel);

    /* under TLS, so that it cannot wait for the peer's close */

    if (wire->tcp != NULL) {
        g_socket_close(g_socket_connection_get_socket(wire->tcp), NULL);
    }
}


void
agent_wire_close(agent_wire_t *wire, guint code, const char *why)
{
    if (wire->state == AGENT_WIRE_OPEN) {
        agent_wire_goodbye(wire, code, why);
    }

    if (wire->state != AGENT_WIRE_CLOSING) {
        agent_wire_break(wire, why);
    }

    /* what is left of a message is nobody's now, a goodbye is behind it */

    wire->blocked = FALSE;
    agent_wire_more(wire);
}


void
agent_wire_free(agent_wire_t *wire, guint code)
{
    wire->freed = TRUE;

    if (code != 0 && wire->broken[0] == '\0'
        && (wire->state == AGENT_WIRE_OPEN
            || wire->state == AGENT_WIRE_CLOSING))
    {
        agent_wire_close(wire, code, "");

        if (wire->broken[0] == '\0') {
            return;
        }
    }

    if (wire->state != AGENT_WIRE_OVER) {
        agent_wire_drop(wire);
    }

    agent_wire_unref(wire);
}


static void
agent_wire_unref(agent_wire_t *wire)
{
    g_rc_box_release_full(wire, agent_wire_clear);
}


static void
agent_wire_clear(gpointer data)
{
    agent_wire_t  *wire = data;

    OPENSSL_cleanse(wire->out, AGENT_WIRE_OUT);
    g_free(wire->out);
    g_free(wire->in);
    g_free(wire->key);
    g_clear_object(&wire->target);
    g_clear_object(&wire->tls);
    g_clear_object(&wire->stream);
    g_clear_object(&wire->tcp);
    g_object_unref(wire->cancel);
}
