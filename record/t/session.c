
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A session that is recorded, against a gateway played by the test: when and
 * how often it says that it records.  webrtcbin is played, too.
 */

#include "fixture.h"
#include "../record_media.h"
#include "../record_session.h"


#define DEADLINE_S  20

#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


/* ---- a connection that does nothing by itself */

struct record_media_s {
    const record_media_events_t  *events;
    void                         *data;
};


static record_media_t  *newest;


record_media_t *
record_media_new(const record_media_params_t *params,
    const record_media_events_t *events, void *data)
{
    (void) params;

    newest = g_new0(record_media_t, 1);
    newest->events = events;
    newest->data = data;

    return newest;
}


void
record_media_free(record_media_t *media)
{
    newest = NULL;
    g_free(media);
}


gboolean
record_media_answer(record_media_t *media, const char *sdp)
{
    (void) media;
    (void) sdp;

    return TRUE;
}


void
record_media_candidate(record_media_t *media, const char *candidate,
    guint mline)
{
    (void) media;
    (void) candidate;
    (void) mline;
}


void
record_media_key(record_media_t *media)
{
    (void) media;
}


gint64
record_media_heard(const record_media_t *media)
{
    (void) media;

    return g_get_monotonic_time();
}


gboolean
record_media_connected(const record_media_t *media)
{
    (void) media;

    return TRUE;
}


/* ---- the gateway, and who has the session */

static fixture_t                 f;
static agent_t                   agent;
static agent_device_t            device;
static record_config_t          *config;
static SoupServer               *server;
static SoupWebsocketConnection  *ws;
static guint                     sockets;
static guint                     begins;
static guint                     overs;
static guint                     fails;
static guint                     closes;
static char                     *last_broken;
static gboolean                  last_key;


static void
on_socket(SoupServer *s, SoupServerMessage *msg, const char *path,
    SoupWebsocketConnection *c, gpointer data)
{
    (void) s;
    (void) msg;
    (void) path;
    (void) data;

    g_clear_object(&ws);
    ws = g_object_ref(c);
    sockets++;
}


static void
on_say(void *data, char *text)
{
    (void) data;

    if (strstr(text, "\"op\":\"begin\"") != NULL
        && strstr(text, FIXTURE_SESSION) != NULL)
    {
        begins++;
    }

    if (strstr(text, "\"op\":\"failed\"") != NULL
        && strstr(text, "\"disk_full\"") != NULL)
    {
        fails++;
    }

    g_free(text);
}


static void
on_kept(void *data, record_session_t *session, const char *reason,
    const record_sum_t *sum)
{
    (void) data;
    (void) session;
    (void) reason;
    (void) sum;
}


static void
on_over(void *data, record_session_t *session)
{
    (void) data;
    (void) session;
    overs++;
}


static void
on_closed(void *data, const char *broken, agent_key_t *key)
{
    (void) data;
    closes++;
    last_broken = g_strdup(broken);
    last_key = (key != NULL);
}


static const record_session_events_t  events = {
    on_say, on_kept, on_over, on_closed
};


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
wait_ms(guint ms)
{
    gint64  end_us = g_get_monotonic_time() + ms * 1000;

    while (g_get_monotonic_time() < end_us) {
        g_main_context_iteration(NULL, TRUE);
    }
}


static agent_msg_t *
invite(void)
{
    agent_msg_t          *msg;
    g_autoptr(GError)     error = NULL;
    static const char     text[] =
        "{\"type\":\"invite\",\"session\":{\"id\":\"" FIXTURE_SESSION "\","
        "\"kind\":\"device\"},\"participant\":\"par_r\",\"role\":\"recorder\""
        ",\"ticket\":\"default.abcd\"}";

    msg = agent_msg_parse(AGENT_CHANNEL_AGENT, text, sizeof(text) - 1,
                          g_get_monotonic_time(), &error);

    if (msg == NULL) {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    return msg;
}


/* in the place that resume names; the host is there */

static void
welcome(const char *resume)
{
    g_autofree char  *text = NULL;

    text = g_strdup_printf("{\"type\":\"welcome\",\"api_version\":1,\"self\":"
        "\"par_r\",\"role\":\"recorder\",\"session\":{\"id\":\""
        FIXTURE_SESSION "\"},\"peers\":[{\"id\":\"par_h\",\"role\":\"host\","
        "\"name\":\"H\"}],\"ice\":{\"iceServers\":[],"
        "\"iceTransportPolicy\":\"all\",\"ttl_s\":300},\"resume\":\"%s\","
        "\"position\":\"1-1\",\"ping_s\":25}", resume);
    soup_websocket_connection_send_text(ws, text);
}


static void
frame(gboolean key)
{
    static guint8  bytes[16] = { 0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xc8 };

    bytes[0] = key ? 0x10 : 0x11;
    newest->events->video(newest->data, g_get_monotonic_time(), bytes,
                          sizeof(bytes));
}


static void
start(void)
{
    GSList              *uris;
    char                *protocols[] = { (char *) "rs.v1", NULL };
    g_autoptr(GError)    error = NULL;

    fixture_init(&f, RECORD_KEYGEN_EC);
    g_mkdir_with_parents(f.recordings, 0700);
    g_timeout_add(20, tick, NULL);

    config = record_config_new();
    g_free(config->directory);
    config->directory = g_strdup(f.recordings);
    g_free(config->agent->state_dir);
    config->agent->state_dir = g_strdup(f.dir);

    server = soup_server_new(NULL, NULL);
    soup_server_add_websocket_handler(server, "/signal", NULL, protocols,
                                      on_socket, NULL, NULL);

    if (!soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY,
                                  &error))
    {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    uris = soup_server_get_uris(server);
    device.tenant = g_strdup("default");
    device.id = g_strdup(FIXTURE_DEVICE);
    agent.config = config->agent;
    agent.device = &device;
    agent.key = f.key;
    agent.soup = soup_session_new();
    agent.relays = agent_relays_new();
    agent.socket_url = g_strdup_printf("ws://127.0.0.1:%d",
                                       g_uri_get_port(uris->data));
    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);
}


static void
stop(void)
{
    wait_ms(100);
    g_clear_object(&ws);
    soup_server_disconnect(server);
    g_object_unref(server);
    agent_relays_free(agent.relays);
    g_object_unref(agent.soup);
    g_free(agent.socket_url);
    g_free(device.tenant);
    g_free(device.id);
    record_config_free(config);
    fixture_done(&f);
}


static void
test_begin(void)
{
    guint                    n;
    record_session_t        *s;
    g_autoptr(agent_msg_t)   msg = invite();

    s = record_session_new(&agent, config, f.auditors, msg, &events, NULL);
    WAIT(ws != NULL);
    welcome("default.one");
    WAIT(newest != NULL);
    ok(newest != NULL && begins == 0, "it offers, and records nothing yet");
    ok(!record_session_again(s, 0), "there is nothing to be said");

    frame(FALSE);
    ok(begins == 0, "nor does it before there is a key frame");
    frame(TRUE);
    frame(FALSE);
    ok(begins == 1, "it says that it records");

    /* nobody heard it */

    WAIT(begins > 1);
    ok(begins == 2, "and once more, for nobody has taken it");
    ok(record_session_again(s, 0), "the control channel stands again");
    wait_ms(1500);
    ok(begins == 3, "which is told soon");
    record_session_known(s);
    ok(!record_session_again(s, 0), "taken it is told no more");
    wait_ms(3500);
    ok(begins == 3, "by itself neither");

    /* its socket was away: the store may have forgotten it */

    n = sockets;
    soup_websocket_connection_close(ws, 1001, "");
    WAIT(sockets > n);
    ok(begins == 3, "away");
    welcome("default.two");
    WAIT(begins > 3);
    ok(begins == 4, "it is told once it is back");
    record_session_free(s);
    ok(overs == 0 && closes == 1 && last_broken == NULL && last_key,
       "let go, with its key");
}


/* lost by the gateway and asked in anew: nothing is recorded before it comes */

static void
test_anew(void)
{
    guint                    n;
    record_session_t        *s;
    g_autoptr(agent_msg_t)   msg = invite();

    g_clear_object(&ws);
    begins = 0;
    s = record_session_new(&agent, config, f.auditors, msg, &events, NULL);
    WAIT(ws != NULL);
    welcome("default.one");
    WAIT(newest != NULL);
    frame(TRUE);
    record_session_known(s);
    ok(begins == 1, "another one");

    n = sockets;
    soup_websocket_connection_close(ws, 4404, "");
    wait_ms(300);
    record_session_invited(s, msg);
    WAIT(sockets > n);
    welcome("default.three");
    wait_ms(2500);
    ok(newest != NULL && begins == 1, "asked in anew it has nothing yet");
    frame(TRUE);
    ok(begins == 2, "with the first picture it says so");
    record_session_free(s);
}


/* it cannot be written: who has the session ends it, by its own key */

static void
test_broken(void)
{
    char                    *id;
    record_session_t        *s;
    g_autofree char         *path = NULL;
    g_autoptr(agent_msg_t)   msg = invite();

    g_clear_object(&ws);
    closes = 0;
    s = record_session_new(&agent, config, f.auditors, msg, &events, NULL);
    WAIT(ws != NULL);
    welcome("default.four");
    WAIT(newest != NULL);
    path = g_strconcat(f.recordings, ".away", NULL);
    g_rename(f.recordings, path);
    g_file_set_contents(f.recordings, "", 0, NULL);
    frame(TRUE);
    id = g_strdup(record_session_recording(s));
    WAIT(overs == 1);
    ok(overs == 1 && fails == 1, "a disk that fails is told");
    record_session_free(s);
    ok(closes == 1 && g_strcmp0(last_broken, id) == 0 && last_key,
       "and which recording it was");
    g_unlink(f.recordings);
    g_rename(path, f.recordings);
    g_clear_pointer(&last_broken, g_free);
    g_free(id);
}


static void
on_log(const char *domain, GLogLevelFlags level, const char *message,
    gpointer data)
{
    (void) domain;
    (void) data;

    if (!(level & (G_LOG_LEVEL_DEBUG|G_LOG_LEVEL_INFO))) {
        printf("# %s\n", message);
    }
}


int
main(void)
{
    g_log_set_default_handler(on_log, NULL);

    start();
    test_begin();
    test_anew();
    test_broken();
    stop();

    return done();
}
