
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A session's socket and the control channel against a gateway played by the
 * test: how they come back, with which credential, what they say again, and
 * when they give up.  There is no desktop: each offer is answered with
 * "failed", which is a message like any other.  webrtcbin is played too, where
 * a path is told.
 */

#include "agent.h"
#include "agent_desktop.h"
#include "agent_input.h"
#include "agent_webrtc.h"
#include "fake_channel.h"
#include "tap.h"

#include <string.h>


#define DEADLINE_S  20
#define CONNS       64

#define OFFER                                                                 \
    "a=fingerprint:sha-256 "                                                  \
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"                        \
    "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"

#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


/* one socket that came in */

typedef struct {
    SoupWebsocketConnection  *ws;
    char                     *credential;
    GPtrArray                *heard;        /* texts, without pings */
    gint64                    at_us;
    gushort                   code;
    gboolean                  closed;
} conn_t;


typedef struct {
    SoupServer   *server;
    conn_t        conns[CONNS];
    guint         n;
    guint         refuse;           /* so many upgrades with 503 */
    gint64        refused_us;
    GString      *log;
    agent_t       agent;
    agent_config_t config;
} fixture_t;


/* ---- a webrtcbin that does nothing by itself */

struct agent_webrtc_s {
    const agent_webrtc_events_t  *events;
    void                         *data;
};


static agent_webrtc_t  *newest;
static GString         *typed;


agent_webrtc_t *
agent_webrtc_new(const agent_webrtc_params_t *params,
    const agent_webrtc_events_t *events, void *data, const char **code,
    const char **message)
{
    (void) params;
    (void) code;
    (void) message;

    newest = g_new0(agent_webrtc_t, 1);
    newest->events = events;
    newest->data = data;

    return newest;
}


void
agent_webrtc_decoded(agent_webrtc_t *w, const agent_rate_decoder_t *decoder)
{
    (void) w;
    (void) decoder;
}


gboolean
agent_webrtc_look(agent_webrtc_t *w, const agent_view_t *view)
{
    (void) w;
    (void) view;

    return TRUE;
}


void
agent_webrtc_free(agent_webrtc_t *w)
{
    g_free(w);
}


void
agent_webrtc_candidate(agent_webrtc_t *w, const char *candidate, guint mline)
{
    (void) w;
    (void) candidate;
    (void) mline;
}


void
agent_webrtc_mute(agent_webrtc_t *w)
{
    (void) w;
}


/* ---- */

static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
on_message(SoupWebsocketConnection *ws, int type, GBytes *bytes,
    gpointer data)
{
    gsize        len;
    const char  *text;
    conn_t      *c = data;

    (void) ws;
    (void) type;

    text = g_bytes_get_data(bytes, &len);

    if (strstr(text, "\"ping\"") == NULL) {
        g_ptr_array_add(c->heard, g_strndup(text, len));
    }
}


static void
on_closed(SoupWebsocketConnection *ws, gpointer data)
{
    conn_t  *c = data;

    c->closed = TRUE;
    c->code = soup_websocket_connection_get_close_code(ws);
}


static void
on_socket(SoupServer *server, SoupServerMessage *msg, const char *path,
    SoupWebsocketConnection *ws, gpointer data)
{
    conn_t      *c;
    const char  *protocols;
    fixture_t   *f = data;

    (void) server;
    (void) path;

    g_assert_cmpuint(f->n, <, CONNS);

    c = &f->conns[f->n++];
    protocols = soup_message_headers_get_list(
                    soup_server_message_get_request_headers(msg),
                    "Sec-WebSocket-Protocol");

    c->ws = g_object_ref(ws);
    c->credential = g_strdup(strchr(protocols, ',') != NULL
                             ? strchr(protocols, ',') + 2 : "");
    c->heard = g_ptr_array_new_with_free_func(g_free);
    c->at_us = g_get_monotonic_time();

    g_signal_connect(ws, "message", G_CALLBACK(on_message), c);
    g_signal_connect(ws, "closed", G_CALLBACK(on_closed), c);
}


static void
on_early(SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
    fixture_t  *f = data;

    (void) server;
    (void) path;
    (void) query;

    if (f->refuse == 0) {
        return;
    }

    f->refuse--;
    f->refused_us = g_get_monotonic_time();
    soup_message_headers_append(soup_server_message_get_response_headers(msg),
                                "Retry-After", "1");
    soup_server_message_set_status(msg, 503, NULL);
}


static void
on_log(const char *domain, GLogLevelFlags level, const char *message,
    gpointer data)
{
    fixture_t  *f = data;

    (void) domain;
    (void) level;

    g_string_append_printf(f->log, "%s\n", message);
}


static void
start(fixture_t *f)
{
    GSList              *uris;
    char                *protocols[] = { (char *) "rs.v1", NULL };
    g_autoptr(GError)    error = NULL;

    f->log = g_string_new(NULL);
    g_log_set_default_handler(on_log, f);
    g_timeout_add(20, tick, NULL);

    f->server = soup_server_new(NULL, NULL);
    soup_server_add_early_handler(f->server, "/signal", on_early, f, NULL);
    soup_server_add_websocket_handler(f->server, "/signal", NULL, protocols,
                                      on_socket, f, NULL);
    soup_server_add_websocket_handler(f->server, "/agent", NULL, protocols,
                                      on_socket, f, NULL);

    if (!soup_server_listen_local(f->server, 0,
                                  SOUP_SERVER_LISTEN_IPV4_ONLY, &error))
    {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    uris = soup_server_get_uris(f->server);

    f->config.display = g_strdup(":65535");
    f->config.max_sessions = 4;
    f->config.max_viewers = 4;
    f->agent.service = &agent_desktop;
    f->agent.service_data = &f->agent;
    f->agent.config = &f->config;
    f->agent.host = g_strdup("127.0.0.1");
    f->agent.socket_url = g_strdup_printf("ws://127.0.0.1:%d",
                                          g_uri_get_port(uris->data));
    f->agent.servers = g_strsplit("https://127.0.0.1", ";", 0);
    f->agent.soup = soup_session_new();
    f->agent.relays = agent_relays_new();
    f->agent.sessions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                     (GDestroyNotify) agent_session_free);
    f->agent.loop = g_main_loop_new(NULL, FALSE);

    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);
}


static void
forget(fixture_t *f)
{
    guint    i;
    conn_t  *c;

    g_hash_table_remove_all(f->agent.sessions);

    for (i = 0; i < f->n; i++) {
        c = &f->conns[i];
        WAIT(c->closed);
        g_signal_handlers_disconnect_by_data(c->ws, c);
        g_object_unref(c->ws);
        g_free(c->credential);
        g_ptr_array_unref(c->heard);
    }

    memset(f->conns, 0, sizeof(f->conns));
    f->n = 0;
    g_string_truncate(f->log, 0);
}


static void
stop(fixture_t *f)
{
    guint  i;

    forget(f);

    for (i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }

    g_main_loop_unref(f->agent.loop);
    g_hash_table_unref(f->agent.sessions);
    agent_relays_free(f->agent.relays);
    g_object_unref(f->agent.soup);
    g_free(f->agent.socket_url);
    g_free(f->agent.host);
    g_strfreev(f->agent.servers);
    g_free(f->config.display);
    soup_server_disconnect(f->server);
    g_object_unref(f->server);
    g_string_free(f->log, TRUE);
}


/* the n-th socket, once it is there */

static conn_t *
conn(fixture_t *f, guint n)
{
    WAIT(f->n > n);

    if (f->n <= n) {
        printf("not ok - only %u sockets came\n%s", f->n, f->log->str);
        exit(1);
    }

    return &f->conns[n];
}


G_GNUC_PRINTF(2, 3)
static void
say(conn_t *c, const char *format, ...)
{
    va_list            args;
    g_autofree char   *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);

    soup_websocket_connection_send_text(c->ws, text);
}


static void
welcome(conn_t *c, const char *id, const char *resume, const char *position)
{
    say(c, "{\"type\":\"welcome\",\"api_version\":1,\"self\":\"par_h\","
        "\"role\":\"host\",\"session\":{\"id\":\"%s\"},\"peers\":[{\"id\":"
        "\"par_v\",\"role\":\"viewer\",\"name\":\"V\"}],\"ice\":{"
        "\"iceServers\":[],\"iceTransportPolicy\":\"all\",\"ttl_s\":300},"
        "\"resume\":\"%s\",\"position\":\"%s\",\"ping_s\":25}",
        id, resume, position);
}


/* an offer, which the agent says is "failed" */

static void
offer(conn_t *c, int id, int pc, const char *position)
{
    say(c, "{\"type\":\"signal\",\"from\":\"par_v\",\"id\":%d,\"position\":"
        "\"%s\",\"data\":{\"kind\":\"offer\",\"pc\":%d,\"sdp\":\"" OFFER "\"}}",
        id, position, pc);
}


/* cut without a word, as a killed worker's sockets are */

static void
cut(conn_t *c)
{
    g_io_stream_close(soup_websocket_connection_get_io_stream(c->ws), NULL,
                      NULL);
}


static gint64
id_of(const conn_t *c, guint n)
{
    const char  *p;

    p = (n < c->heard->len)
        ? strstr(g_ptr_array_index(c->heard, n), "\"id\":") : NULL;

    return (p != NULL) ? g_ascii_strtoll(p + strlen("\"id\":"), NULL, 10)
                       : -1;
}


static gboolean
here(fixture_t *f, const char *id)
{
    return g_hash_table_contains(f->agent.sessions, id);
}


static const agent_rights_t  rights = {
    AGENT_CONSENT_NONE, FALSE, AGENT_WAY_BOTH, AGENT_WAY_BOTH, TRUE
};


static void
test_resume(fixture_t *f)
{
    conn_t  *c;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);

    c = conn(f, 0);
    is_str(c->credential, "rs.ticket.default.ticket", "joins by ticket");
    welcome(c, "ses_a", "default.one", "1-1");
    offer(c, 1, 1, "1-2");
    WAIT(c->heard->len == 1);
    offer(c, 2, 2, "1-3");
    WAIT(c->heard->len == 2);
    is_int(id_of(c, 0), 1, "first message");
    is_int(id_of(c, 1), 2, "second message");
    say(c, "{\"type\":\"ack\",\"id\":1}");

    /* the ack has arrived when this is answered */

    say(c, "{\"type\":\"ping\"}");
    WAIT(c->heard->len == 3);
    cut(c);

    c = conn(f, 1);
    is_str(c->credential, "rs.resume.default.one.1-3",
           "resumes behind the last message handled");

    /* the welcome is lost: the token before it is the one that counts */

    cut(c);
    c = conn(f, 2);
    is_str(c->credential, "rs.resume.default.one.1-3",
           "without a welcome the same token again");

    welcome(c, "ses_a", "default.two", "1-9");
    WAIT(c->heard->len == 1);
    is_int(id_of(c, 0), 2, "what was not acked, under its number");

    /* from the log: one handled before, one new */

    offer(c, 2, 7, "1-3");
    offer(c, 3, 8, "1-4");
    WAIT(c->heard->len == 2);
    is_int(id_of(c, 1), 3, "one answer");
    ok(strstr(g_ptr_array_index(c->heard, 1), "\"pc\":8") != NULL,
       "to the new one alone");

    cut(c);
    c = conn(f, 3);
    is_str(c->credential, "rs.resume.default.two.1-4",
           "the newest token, the position since");

    forget(f);
}


static void
test_resync(fixture_t *f)
{
    conn_t  *c;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);

    c = conn(f, 0);
    welcome(c, "ses_a", "default.one", "1-1");
    offer(c, 5, 1, "1-2");
    WAIT(c->heard->len == 1);
    say(c, "{\"type\":\"ack\",\"id\":1}");
    say(c, "{\"type\":\"resync\",\"position\":\"2-0\"}");
    WAIT(c->heard->len == 2);
    is_int(id_of(c, 1), 1, "resync: also what was acked");

    /* the viewer says again what it said, under new positions */

    offer(c, 5, 2, "2-1");
    offer(c, 4, 3, "2-2");
    offer(c, 6, 4, "2-3");
    WAIT(c->heard->len == 3);
    ok(strstr(g_ptr_array_index(c->heard, 2), "\"pc\":4") != NULL,
       "a sender's numbers only grow");

    /* refused now is not refused for good */

    say(c, "{\"type\":\"error\",\"code\":\"unavailable\",\"message\":\"\","
        "\"id\":1}");
    say(c, "{\"type\":\"error\",\"code\":\"unknown_peer\",\"message\":\"\","
        "\"id\":2}");
    say(c, "{\"type\":\"ping\"}");
    WAIT(c->heard->len == 4);
    cut(c);
    c = conn(f, 1);
    is_str(c->credential, "rs.resume.default.one.2-3", "the new epoch");
    welcome(c, "ses_a", "default.two", "2-3");
    offer(c, 7, 5, "2-4");
    WAIT(c->heard->len == 2);
    is_int(id_of(c, 0), 1, "what failed is sent again");
    is_int(id_of(c, 1), 3, "what was refused is not");

    forget(f);
}


static void
test_goaway(fixture_t *f)
{
    conn_t  *c;
    gint64   at_us;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);

    c = conn(f, 0);
    welcome(c, "ses_a", "default.one", "1-1");
    say(c, "{\"type\":\"goaway\",\"after_ms\":600,\"jitter_ms\":100}");
    soup_websocket_connection_close(c->ws, 1012, NULL);
    WAIT(c->closed);
    at_us = g_get_monotonic_time();

    c = conn(f, 1);
    ok(c->at_us - at_us > 500 * 1000 && c->at_us - at_us < 5 * G_USEC_PER_SEC,
       "goaway: back when told to, %d ms", (int) (c->at_us - at_us) / 1000);
    is_str(c->credential, "rs.resume.default.one.1-1", "by resume");

    /* a gateway that is busy says for how long */

    welcome(c, "ses_a", "default.two", "1-1");
    f->refuse = 1;
    cut(c);
    c = conn(f, 2);
    ok(f->refused_us != 0 && c->at_us - f->refused_us > 900 * 1000,
       "503: not before Retry-After, %d ms",
       (int) (c->at_us - f->refused_us) / 1000);

    forget(f);
}


static void
test_ends(fixture_t *f)
{
    gsize    i;
    conn_t  *c;

    static const gushort  final[] = { 1000, 4401, 4403, 4404, 4409, 4410 };
    static const gushort  passing[] = { 1001, 1008, 1011, 1012, 1013, 4408 };

    for (i = 0; i < G_N_ELEMENTS(final); i++) {
        agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
        c = conn(f, 0);
        welcome(c, "ses_a", "default.one", "1-1");
        soup_websocket_connection_close(c->ws, final[i], NULL);
        WAIT(!here(f, "ses_a"));
        ok(!here(f, "ses_a"), "%u ends the session", final[i]);
        forget(f);
    }

    for (i = 0; i < G_N_ELEMENTS(passing); i++) {
        agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
        c = conn(f, 0);
        welcome(c, "ses_a", "default.one", "1-1");
        soup_websocket_connection_close(c->ws, passing[i], NULL);
        is_str(conn(f, 1)->credential, "rs.resume.default.one.1-1",
               "another code does not");
        forget(f);
    }

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
    c = conn(f, 0);
    welcome(c, "ses_a", "default.one", "1-1");
    say(c, "{\"type\":\"ended\",\"reason\":\"deleted\",\"position\":"
        "\"1-2\"}");
    WAIT(!here(f, "ses_a"));
    ok(!here(f, "ses_a"), "ended ends it at once");
    forget(f);
}


static void
test_invited_again(fixture_t *f)
{
    conn_t           *c;
    agent_session_t  *session;

    /* the welcome to the first ticket was lost with its worker */

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
    cut(conn(f, 0));
    session = g_hash_table_lookup(f->agent.sessions, "ses_a");
    agent_session_invited(session, "default.second");
    c = conn(f, 1);

    while (strcmp(c->credential, "rs.ticket.default.second") != 0
           && f->n < 8)
    {
        c = conn(f, (guint) (c - f->conns) + 1);
    }

    is_str(c->credential, "rs.ticket.default.second", "the newer ticket");
    welcome(c, "ses_a", "default.one", "1-1");
    offer(c, 1, 1, "1-2");
    WAIT(c->heard->len == 1);

    /* invited while it takes part: nothing happens, and then it is of use */

    agent_session_invited(session, "default.third");
    soup_websocket_connection_close(c->ws, 4401, NULL);
    c = conn(f, f->n);
    is_str(c->credential, "rs.ticket.default.third",
           "resume refused: joins by the ticket at hand");
    welcome(c, "ses_a", "default.two", "1-5");
    WAIT(c->heard->len == 1);
    is_int(id_of(c, 0), 1, "and says what was not acked");

    soup_websocket_connection_close(c->ws, 4401, NULL);
    WAIT(!here(f, "ses_a"));
    ok(!here(f, "ses_a"), "a ticket serves once");
    forget(f);
}


static void
test_forgotten(fixture_t *f)
{
    guint    i;
    conn_t  *c;

    static const gushort  codes[] = { 4409, 4401 };

    for (i = 0; i < G_N_ELEMENTS(codes); i++) {
        agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
        c = conn(f, 0);
        welcome(c, "ses_a", "default.one", "1-1");
        say(c, "{\"type\":\"ping\"}");
        WAIT(c->heard->len == 1);
        cut(c);
        c = conn(f, 1);
        welcome(c, "ses_a", "default.two", "1-1");
        soup_websocket_connection_close(c->ws, codes[i], NULL);
        c = conn(f, 2);
        is_str(c->credential, "rs.resume.default.one.1-1",
               "a resume that a failover forgot: the token before it");

        soup_websocket_connection_close(c->ws, 4401, NULL);
        WAIT(!here(f, "ses_a"));
        ok(!here(f, "ses_a"), "once");
        forget(f);
    }
}


static gboolean
has_path(const conn_t *c, guint n, const char *protocol)
{
    return n < c->heard->len
           && strstr(g_ptr_array_index(c->heard, n), "\"state\"") != NULL
           && strstr(g_ptr_array_index(c->heard, n), protocol) != NULL;
}


static void
test_path(fixture_t *f)
{
    conn_t            *c;
    agent_path_t       path;
    agent_platform_t   platform;

    static const agent_platform_ops_t  ops;

    memset(&platform, 0, sizeof(platform));
    platform.ops = &ops;
    f->agent.platform = &platform;
    f->agent.seat = agent_seat_new(&platform);
    newest = NULL;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
    c = conn(f, 0);
    welcome(c, "ses_a", "default.one", "1-1");
    offer(c, 1, 1, "1-2");
    WAIT(newest != NULL);

    agent_path_set(&path, "relay", "host", AGENT_PROTO_TCP, 1);
    newest->events->path(newest->data, newest, &path);
    agent_path_set(&path, "host", "host", AGENT_PROTO_UDP, 1);
    newest->events->path(newest->data, newest, &path);
    WAIT(c->heard->len == 2);
    ok(has_path(c, 0, "tcp") && has_path(c, 1, "udp"), "paths are told");

    cut(c);
    c = conn(f, 1);
    welcome(c, "ses_a", "default.two", "1-2");
    WAIT(c->heard->len == 1);
    ok(has_path(c, 0, "udp"),
       "what was told shortly before the socket broke is told again");

    /* found while the socket was away */

    cut(c);
    c = conn(f, 2);
    agent_path_set(&path, "relay", "relay", AGENT_PROTO_TLS, 1);
    newest->events->path(newest->data, newest, &path);
    welcome(c, "ses_a", "default.three", "1-2");
    WAIT(c->heard->len == 1);
    ok(has_path(c, 0, "tls"), "so is what was found meanwhile");

    g_hash_table_remove_all(f->agent.sessions);
    agent_seat_free(f->agent.seat);
    f->agent.seat = NULL;
    f->agent.platform = NULL;
    forget(f);
}


/* who types on the device */

static guint
type_down(agent_platform_t *p, const char *key, const char *code)
{
    (void) p;
    (void) code;

    g_string_append_printf(typed, "+%s ", key);

    return 1;
}


static void
type_up(agent_platform_t *p, guint handle)
{
    (void) p;
    (void) handle;

    g_string_append(typed, "- ");
}


/* what was typed until the gateway's next ping is answered */

static void
types(conn_t *c, const char *want, const char *what)
{
    guint  n = c->heard->len;

    say(c, "{\"type\":\"ping\"}");
    WAIT(c->heard->len > n);
    is_str(typed->str, want, what);
    g_string_truncate(typed, 0);
}


static void
key(conn_t *c, const char *from, const char *name)
{
    say(c, "{\"type\":\"input\",\"from\":\"%s\",\"data\":{\"type\":\"key\","
        "\"key\":\"%s\",\"code\":\"Key%s\",\"down\":true}}", from, name,
        name);
}


static void
test_token(fixture_t *f)
{
    conn_t            *c;
    agent_session_t   *session;
    agent_platform_t   platform;

    static const agent_platform_ops_t  ops = {
        .key_down = type_down, .key_up = type_up
    };

    memset(&platform, 0, sizeof(platform));
    platform.ops = &ops;
    typed = g_string_new(NULL);
    f->config.allow_input = TRUE;
    f->agent.platform = &platform;
    f->agent.seat = agent_seat_new(&platform);

    agent_session_start(&f->agent, "ses_t", "default.ticket", &rights);
    session = g_hash_table_lookup(f->agent.sessions, "ses_t");
    c = conn(f, 0);
    say(c, "{\"type\":\"welcome\",\"api_version\":1,\"self\":\"par_h\","
        "\"role\":\"host\",\"session\":{\"id\":\"ses_t\",\"control\":{"
        "\"holder\":\"par_a\",\"requests\":[],\"locked\":false}},"
        "\"peers\":[{\"id\":\"par_a\",\"role\":\"controller\"},"
        "{\"id\":\"par_b\",\"role\":\"controller\"}],\"ice\":{"
        "\"iceServers\":[],\"iceTransportPolicy\":\"all\",\"ttl_s\":300},"
        "\"resume\":\"default.one\",\"position\":\"1-1\",\"ping_s\":25}");

    newest = NULL;
    say(c, "{\"type\":\"signal\",\"from\":\"par_a\",\"id\":1,\"position\":"
        "\"1-2\",\"data\":{\"kind\":\"offer\",\"pc\":1,\"sdp\":\"" OFFER
        "\"}}");
    WAIT(newest != NULL);
    newest->events->connected(newest->data, newest);

    newest = NULL;
    say(c, "{\"type\":\"signal\",\"from\":\"par_b\",\"id\":1,\"position\":"
        "\"1-3\",\"data\":{\"kind\":\"offer\",\"pc\":1,\"sdp\":\"" OFFER
        "\"}}");
    WAIT(newest != NULL);
    newest->events->connected(newest->data, newest);

    key(c, "par_b", "b");
    key(c, "par_a", "a");
    types(c, "+a ", "of two controllers one has control");

    say(c, "{\"type\":\"control\",\"holder\":\"par_b\",\"requests\":[],"
        "\"locked\":false,\"position\":\"1-4\"}");
    key(c, "par_a", "a");
    key(c, "par_b", "b");
    types(c, "- +b ", "it changes hands: the key is let go first");

    say(c, "{\"type\":\"control\",\"holder\":\"par_a\",\"requests\":[],"
        "\"locked\":false,\"position\":\"1-4\"}");
    key(c, "par_a", "a");
    types(c, "", "what was told before is not told again");

    agent_session_take(session, TRUE);
    WAIT(c->heard->len == 4);
    is_str(g_ptr_array_index(c->heard, 3),
           "{\"type\":\"control\",\"op\":\"take\"}",
           "the person there takes it");
    ok(agent_session_own(session), "and has it, whatever the gateway says");
    key(c, "par_b", "b");
    types(c, "- ", "who had control lets go at once");
    say(c, "{\"type\":\"control\",\"holder\":\"par_b\",\"requests\":[],"
        "\"locked\":false,\"position\":\"1-5\"}");
    key(c, "par_b", "b");
    types(c, "", "and is not given it by what was said before");
    say(c, "{\"type\":\"control\",\"holder\":\"par_h\",\"requests\":[],"
        "\"locked\":false,\"position\":\"1-6\"}");
    key(c, "par_a", "a");
    key(c, "par_b", "b");
    types(c, "", "nobody else does anything then");
    ok(agent_session_own(session), "it is the person's own");
    agent_session_take(session, FALSE);
    WAIT(c->heard->len == 8);
    is_str(g_ptr_array_index(c->heard, 7),
           "{\"type\":\"control\",\"op\":\"release\"}", "until it is given");

    say(c, "{\"type\":\"left\",\"peer\":\"par_b\",\"reason\":\"bye\","
        "\"control\":{\"holder\":\"par_a\",\"requests\":[],\"locked\":false},"
        "\"position\":\"1-7\"}");
    key(c, "par_a", "a");
    types(c, "+a ", "who has it after a leaving");
    ok(!agent_session_own(session), "the person has not");

    /* while the gateway is away */

    soup_websocket_connection_close(c->ws, 1012, NULL);
    WAIT(c->closed);
    agent_session_take(session, TRUE);
    is_str(typed->str, "- ", "the person takes it without a gateway");

    c = conn(f, 1);
    welcome(c, "ses_t", "default.two", "1-7");
    WAIT(c->heard->len == 1);
    is_str(g_ptr_array_index(c->heard, 0),
           "{\"type\":\"control\",\"op\":\"take\"}",
           "which is told when there is one");

    g_hash_table_remove_all(f->agent.sessions);
    agent_seat_free(f->agent.seat);
    f->agent.seat = NULL;
    f->agent.platform = NULL;
    f->config.allow_input = FALSE;
    g_string_free(typed, TRUE);
    forget(f);
}


static void
test_silence(fixture_t *f)
{
    gint64   at_us;
    conn_t  *c;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
    c = conn(f, 0);
    say(c, "{\"type\":\"welcome\",\"api_version\":1,\"self\":\"par_h\","
        "\"role\":\"host\",\"session\":{\"id\":\"ses_a\"},\"peers\":[],"
        "\"ice\":{\"iceServers\":[],\"iceTransportPolicy\":\"all\","
        "\"ttl_s\":300},\"resume\":\"default.one\",\"position\":\"1-1\","
        "\"ping_s\":1}");
    at_us = g_get_monotonic_time();
    c = conn(f, 1);
    ok(c->at_us - at_us > 10 * G_USEC_PER_SEC
       && c->at_us - at_us < 15 * G_USEC_PER_SEC,
       "a gateway that answers nothing is left after %d ms",
       (int) (c->at_us - at_us) / 1000);
    is_str(c->credential, "rs.resume.default.one.1-1", "and resumed");
    forget(f);
}


/* the tenths of a second that the log's newest "next attempt in" names */

static int
next_attempt(fixture_t *f)
{
    const char  *p;

    WAIT(strstr(f->log->str, "next attempt in ") != NULL);
    p = strstr(f->log->str, "next attempt in ");

    return (p != NULL) ? (int) (g_ascii_strtod(p + strlen("next attempt in "),
                                               NULL) * 10)
                       : -1;
}


static void
test_control(fixture_t *f)
{
    gsize            i;
    int              delay;
    conn_t          *c;
    agent_signal_t  *signal;

    static const struct {
        const char  *code;
        gushort      close;
        int          min;               /* tenths of a second */
        int          max;
        const char  *says;
    } cases[] = {
        { "device_quarantined", 4403, 1500, 3000, "quarantined" },
        { "forbidden", 4403, 150, 300, "forbidden" },
        { "replaced", 4409, 40, 80, "another agent" },
        { NULL, 4409, 40, 80, "4409" },
        { NULL, 4403, 150, 300, "4403" },
        { "uncertain", 1013, 0, 20, "uncertain" },
        { "draining", 1012, 0, 20, "draining" },
        { NULL, 1012, 0, 20, "1012" },
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        signal = agent_signal_new(&f->agent);
        f->agent.signal = signal;
        c = conn(f, 0);

        if (cases[i].code != NULL) {
            say(c, "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"m\"}",
                cases[i].code);
        }

        soup_websocket_connection_close(c->ws, cases[i].close, NULL);
        delay = next_attempt(f);
        ok(delay >= cases[i].min && delay <= cases[i].max,
           "%s, %u: next attempt in %d tenths of a second",
           cases[i].code ? cases[i].code : "no word", cases[i].close, delay);
        ok(strstr(f->log->str, cases[i].says) != NULL, "and says so");
        agent_signal_free(signal);
        f->agent.signal = NULL;
        forget(f);
    }

    signal = agent_signal_new(&f->agent);
    f->agent.signal = signal;
    c = conn(f, 0);
    say(c, "{\"type\":\"goaway\",\"after_ms\":7000,\"jitter_ms\":1000}");
    soup_websocket_connection_close(c->ws, 1012, NULL);
    delay = next_attempt(f);
    ok(delay >= 70 && delay <= 80, "goaway: in %d tenths of a second", delay);
    agent_signal_free(signal);
    f->agent.signal = NULL;
    forget(f);
}


/* who was asked for no signature has not shown either who it is */

static void
test_unproven(fixture_t *f)
{
    gsize            i;
    conn_t          *c;
    agent_signal_t  *signal;

    static const char *const  texts[] = {
        "{\"type\":\"welcome\",\"api_version\":1,\"device\":{\"id\":"
        "\"dev_x\"},\"ping_s\":25}",

        "{\"type\":\"invite\",\"session\":{\"id\":\"ses_x\"},"
        "\"ticket\":\"default.abcd\"}",

        "{\"type\":\"revoke\",\"session_id\":\"ses_x\"}",

        "{\"type\":\"rotated\",\"public_key\":"
        "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",

        "{\"type\":\"error\",\"code\":\"device_removed\","
        "\"message\":\"m\"}"
    };

    for (i = 0; i < G_N_ELEMENTS(texts); i++) {
        signal = agent_signal_new(&f->agent);
        f->agent.signal = signal;
        c = conn(f, 0);
        say(c, "%s", texts[i]);
        WAIT(c->closed);

        ok(c->closed, "no challenge: %.24s: the socket is closed", texts[i]);
        is_int(c->heard->len, 0, "nothing is said");
        is_int(g_hash_table_size(f->agent.sessions), 0, "nor begun");
        ok(!f->agent.quitting, "the agent goes on");
        ok(strstr(f->log->str, "before it has shown who it is") != NULL,
           "and says why");
        ok(strstr(f->log->str, "online as") == NULL, "it is not online");

        agent_signal_free(signal);
        f->agent.signal = NULL;
        forget(f);
    }
}


/* servers whose credentials run out soon are asked for again, by itself */

static void
test_renewed(fixture_t *f)
{
    conn_t  *c;
    gint64   at_us;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
    c = conn(f, 0);
    welcome(c, "ses_a", "default.one", "1-1");
    say(c, "{\"type\":\"ice\",\"ice\":{\"iceServers\":[],"
        "\"iceTransportPolicy\":\"all\",\"ttl_s\":4}}");
    at_us = g_get_monotonic_time();
    WAIT(c->heard->len == 1);
    is_str(c->heard->len > 0 ? g_ptr_array_index(c->heard, 0) : "nothing",
           "{\"type\":\"ice\"}", "fresh servers are asked for in time");
    ok(g_get_monotonic_time() - at_us > 8 * G_USEC_PER_SEC,
       "but not all the time");
    forget(f);
}


/* a session that is live, in a network that turns into another one */

static void
test_network(fixture_t *f)
{
    gint64   at_us;
    conn_t  *c;

    agent_session_start(&f->agent, "ses_a", "default.ticket",
                        &rights);
    c = conn(f, 0);
    welcome(c, "ses_a", "default.one", "1-1");
    WAIT(strstr(f->log->str, "joined as host") != NULL);

    /* the address is there still: what is answered stays */

    agent_session_network(g_hash_table_lookup(f->agent.sessions, "ses_a"),
                          AGENT_NETWORK_LOST);
    say(c, "{\"type\":\"ping\"}");
    WAIT(c->heard->len == 1);

    agent_session_network(g_hash_table_lookup(f->agent.sessions, "ses_a"),
                          AGENT_NETWORK_GAINED);
    at_us = g_get_monotonic_time();
    c = conn(f, 1);
    ok(c->at_us - at_us > 4 * G_USEC_PER_SEC
       && c->at_us - at_us < 9 * G_USEC_PER_SEC,
       "no answer in the new network: another socket after %d ms",
       (int) (c->at_us - at_us) / 1000);
    is_str(c->credential, "rs.resume.default.one.1-1", "and resumed");

    /* who asked to wait is not asked earlier */

    welcome(c, "ses_a", "default.two", "1-1");
    f->refuse = 1;
    f->refused_us = 0;
    cut(c);
    WAIT(f->refused_us != 0);
    g_string_truncate(f->log, 0);
    WAIT(strstr(f->log->str, "next attempt") != NULL);
    agent_session_network(g_hash_table_lookup(f->agent.sessions, "ses_a"),
                          AGENT_NETWORK_LOST);
    c = conn(f, 2);
    ok(c->at_us - f->refused_us >= G_USEC_PER_SEC,
       "Retry-After holds in whatever network");
    forget(f);
}


/* ---- what another executable is told */

static guint            told_joined;
static guint            told_members;
static agent_members_t  told;
static char             told_ended[64];


static void
on_joined(void *data, const char *id)
{
    told_joined += (data == &told && strcmp(id, "ses_s") == 0);
}


static void
on_members(void *data, const char *id, const agent_members_t *members)
{
    (void) data;
    (void) id;

    told = *members;
    told_members++;
}


static void
on_ended(void *data, const char *id, const char *why)
{
    (void) data;

    g_snprintf(told_ended, sizeof(told_ended), "%s: %s", id, why);
}


static void
test_service(fixture_t *f)
{
    conn_t  *c;

    static const agent_service_t  service = {
        .name = "rs-test", .joined = on_joined, .members = on_members,
        .ended = on_ended
    };

    f->agent.service = &service;
    f->agent.service_data = &told;
    f->config.allow_input = TRUE;

    agent_session_start(&f->agent, "ses_s", "default.t", &rights);
    c = conn(f, 0);
    welcome(c, "ses_s", "default.one", "1-1");
    WAIT(told_members == 1);
    ok(told_joined == 1 && told.people == 1 && !told.guest,
       "joined: one viewer, and no guest has control");

    say(c, "{\"type\":\"joined\",\"position\":\"1-2\",\"peer\":{\"id\":"
        "\"par_g\",\"role\":\"controller\",\"name\":\"G\",\"guest\":true},"
        "\"control\":{\"holder\":\"par_g\"}}");
    WAIT(told_members == 2);
    ok(told.people == 2 && told.guest, "a guest comes, and has control");

    say(c, "{\"type\":\"joined\",\"position\":\"1-3\",\"peer\":{\"id\":"
        "\"par_u\",\"role\":\"controller\",\"name\":\"U\",\"guest\":"
        "false}}");
    say(c, "{\"type\":\"joined\",\"position\":\"1-4\",\"peer\":{\"id\":"
        "\"par_r\",\"role\":\"recorder\",\"name\":\"R\"}}");
    say(c, "{\"type\":\"control\",\"holder\":\"par_u\",\"position\":"
        "\"1-5\",\"op\":\"grant\",\"by\":\"par_g\"}");
    WAIT(told_members == 5);
    ok(told.people == 3 && !told.guest,
       "a user has it now; who records is nobody");

    say(c, "{\"type\":\"left\",\"position\":\"1-6\",\"peer\":\"par_u\","
        "\"reason\":\"left\",\"control\":{\"holder\":null}}");
    WAIT(told_members == 6);
    ok(told.people == 2 && !told.guest, "who left is none of them");

    say(c, "{\"type\":\"ended\",\"reason\":\"deleted\"}");
    WAIT(told_ended[0] != '\0');
    ok(strstr(told_ended, "ses_s: ") == told_ended, "and the end");

    f->agent.service = &agent_desktop;
    f->agent.service_data = &f->agent;
    f->config.allow_input = FALSE;
    forget(f);
}


int
main(void)
{
    fixture_t  f;

    memset(&f, 0, sizeof(f));
    start(&f);

    test_resume(&f);
    test_resync(&f);
    test_goaway(&f);
    test_ends(&f);
    test_invited_again(&f);
    test_forgotten(&f);
    test_path(&f);
    test_token(&f);
    test_control(&f);
    test_unproven(&f);
    test_silence(&f);
    test_network(&f);
    test_renewed(&f);
    test_service(&f);

    stop(&f);

    return done();
}
