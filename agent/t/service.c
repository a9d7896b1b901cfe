
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A service's table on a control channel, against a gateway played by the
 * test: what it is told and when, what it is not, and how it quits.
 */

#include "agent.h"
#include "agent_log.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>


#define DEADLINE_S  20
#define NONCE       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


typedef struct {
    SoupServer               *server;
    SoupWebsocketConnection  *ws;
    GPtrArray                *heard;
    GString                  *told;         /* of the table, in order */
    gboolean                  busy;
    gboolean                  closed;
    char                     *dir;
    agent_config_t           *config;
    agent_t                   agent;
} fixture_t;


/* ---- the table */

static void
on_online(void *data, const agent_msg_t *msg)
{
    fixture_t  *f = data;

    g_string_append_printf(f->told, "online %s;", msg->device_id);
    (void) agent_signal_say(f->agent.signal, g_strdup("{\"type\":\"load\"}"));
}


static void
on_invite(void *data, const agent_msg_t *msg)
{
    fixture_t  *f = data;

    g_string_append_printf(f->told, "invite %s %s;", msg->session_id,
                           agent_json_string(msg->json, "role", 64));
    (void) agent_signal_say(f->agent.signal,
                            agent_msg_accept(msg->session_id));
}


static void
on_revoke(void *data, const agent_msg_t *msg)
{
    fixture_t  *f = data;

    g_string_append_printf(f->told, "revoke %s;", msg->session_id);
}


static void
on_other(void *data, const agent_msg_t *msg)
{
    fixture_t  *f = data;

    g_string_append_printf(f->told, "other %s;", msg->name);
}


static void
on_quit(void *data)
{
    fixture_t  *f = data;

    g_string_append(f->told, "quit;");
}


static gboolean
on_busy(void *data)
{
    fixture_t  *f = data;

    return f->busy;
}


static const agent_service_t  service = {
    .name = "rs-test", .online = on_online, .invite = on_invite,
    .revoke = on_revoke, .other = on_other, .quit = on_quit, .busy = on_busy
};


/* ---- the gateway */

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
    fixture_t   *f = data;

    (void) ws;
    (void) type;

    text = g_bytes_get_data(bytes, &len);
    g_ptr_array_add(f->heard, g_strndup(text, len));
}


static void
on_closed(SoupWebsocketConnection *ws, gpointer data)
{
    fixture_t  *f = data;

    (void) ws;
    f->closed = TRUE;
}


static void
on_socket(SoupServer *server, SoupServerMessage *msg, const char *path,
    SoupWebsocketConnection *ws, gpointer data)
{
    fixture_t  *f = data;

    (void) server;
    (void) msg;
    (void) path;

    f->ws = g_object_ref(ws);
    g_signal_connect(ws, "message", G_CALLBACK(on_message), f);
    g_signal_connect(ws, "closed", G_CALLBACK(on_closed), f);
}


static void
say(fixture_t *f, const char *text)
{
    soup_websocket_connection_send_text(f->ws, text);
}


static gboolean
heard(fixture_t *f, const char *part)
{
    guint  i;

    for (i = 0; i < f->heard->len; i++) {
        if (strstr(f->heard->pdata[i], part) != NULL) {
            return TRUE;
        }
    }

    return FALSE;
}


static void
start(fixture_t *f)
{
    GSList                     *uris;
    agent_key_t                *key;
    char                       *protocols[] = { (char *) "rs.v1", NULL };
    g_autoptr(GError)           error = NULL;
    g_autoptr(agent_device_t)   device = g_new0(agent_device_t, 1);

    f->told = g_string_new(NULL);
    f->heard = g_ptr_array_new_with_free_func(g_free);
    g_timeout_add(20, tick, NULL);

    f->server = soup_server_new(NULL, NULL);
    soup_server_add_websocket_handler(f->server, "/agent", NULL, protocols,
                                      on_socket, f, NULL);

    if (!soup_server_listen_local(f->server, 0,
                                  SOUP_SERVER_LISTEN_IPV4_ONLY, &error))
    {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    f->dir = g_dir_make_tmp("rs-service-XXXXXX", NULL);
    f->config = agent_config_new();
    g_free(f->config->state_dir);
    f->config->state_dir = g_strdup(f->dir);

    device->server = g_strdup("https://127.0.0.1/rs/v1");
    device->tenant = g_strdup("default");
    device->id = g_strdup("dev_ssssssssssssssssssssssssss");
    ok(agent_device_save(device, f->dir, NULL), "enrolled");
    key = agent_key_make(f->dir, NULL);
    agent_key_free(key);

    ok(agent_init(&f->agent, f->config, &service, f, &error),
       "agent_init for a service");
    ok(f->agent.ui == NULL && f->agent.tunnels == NULL,
       "nobody sits there, and it has no tunnels");

    uris = soup_server_get_uris(f->server);
    g_free(f->agent.socket_url);
    f->agent.socket_url = g_strdup_printf("ws://127.0.0.1:%d",
                                          g_uri_get_port(uris->data));
    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);
}


static void
test_told(fixture_t *f)
{
    f->agent.signal = agent_signal_new(&f->agent);
    WAIT(f->ws != NULL);

    say(f, "{\"type\":\"news\"}");
    say(f, "{\"type\":\"challenge\",\"api_version\":1,\"host\":\"127.0.0.1\","
        "\"nonce\":\"" NONCE "\"}");
    WAIT(heard(f, "\"hello\""));
    ok(heard(f, "\"name\":\"rs-test\""), "hello says which program it is");
    ok(!heard(f, "displays"), "and shows no display");
    is_str(f->told->str, "", "what came before the proof was not told");

    say(f, "{\"type\":\"welcome\",\"api_version\":1,\"device\":{\"id\":"
        "\"dev_s\"},\"ping_s\":25}");
    WAIT(heard(f, "\"load\""));
    ok(heard(f, "\"load\""), "it can speak as soon as it is online");

    say(f, "{\"type\":\"invite\",\"session\":{\"id\":\"ses_x\"},"
        "\"role\":\"recorder\",\"ticket\":\"default.abcd\"}");
    say(f, "{\"type\":\"tunnel\",\"op\":\"cut\",\"tunnel_id\":\"tun_x\"}");
    say(f, "{\"type\":\"news\"}");
    say(f, "{\"type\":\"revoke\",\"session_id\":\"ses_x\"}");
    WAIT(strstr(f->told->str, "revoke") != NULL && heard(f, "\"accept\""));

    is_str(f->told->str, "online dev_s;invite ses_x recorder;other news;"
           "revoke ses_x;", "told in order");
    ok(heard(f, "\"accept\""), "its answer came");
    is_int(g_hash_table_size(f->agent.sessions), 0, "no session of a desktop");
}


/* it would be a device that is refused, before it is online */

static void
test_refused(fixture_t *f)
{
    gint64  start_us;

    say(f, "{\"type\":\"error\",\"code\":\"not_found\",\"message\":"
        "\"no such session\"}");
    start_us = g_get_monotonic_time();
    soup_websocket_connection_close(f->ws, 1001, "");
    g_clear_object(&f->ws);
    WAIT(f->ws != NULL);
    ok(f->ws != NULL
       && g_get_monotonic_time() - start_us < 10 * G_USEC_PER_SEC,
       "a message that was refused is no refusal of the device");

    g_ptr_array_set_size(f->heard, 0);
    say(f, "{\"type\":\"challenge\",\"api_version\":1,\"host\":\"127.0.0.1\","
        "\"nonce\":\"" NONCE "\"}");
    WAIT(heard(f, "\"hello\""));
    f->closed = FALSE;
}


static void
test_quit(fixture_t *f)
{
    gint64  start_us;

    f->busy = TRUE;
    g_string_set_size(f->told, 0);
    start_us = g_get_monotonic_time();
    agent_quit(&f->agent, 0);
    is_str(f->told->str, "quit;", "told to quit");
    WAIT(f->closed);
    ok(heard(f, "\"bye\""), "the channel says goodbye");
    ok(f->agent.quitting, "not over while the service is busy");

    f->busy = FALSE;
    agent_quit_check(&f->agent);
    g_main_loop_run(f->agent.loop);
    ok(g_get_monotonic_time() - start_us < 5 * G_USEC_PER_SEC, "over");
}


static void
stop(fixture_t *f)
{
    GDir              *dir;
    const char        *name;
    g_autofree char   *path = NULL;

    agent_done(&f->agent);
    agent_config_free(f->config);
    g_clear_object(&f->ws);
    g_clear_object(&f->server);
    g_ptr_array_unref(f->heard);
    g_string_free(f->told, TRUE);

    dir = g_dir_open(f->dir, 0, NULL);

    while ((name = g_dir_read_name(dir)) != NULL) {
        path = g_build_filename(f->dir, name, NULL);
        g_unlink(path);
        g_clear_pointer(&path, g_free);
    }

    g_dir_close(dir);
    g_rmdir(f->dir);
    g_free(f->dir);
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
    fixture_t  f;

    memset(&f, 0, sizeof(f));
    g_log_set_default_handler(on_log, NULL);

    g_set_prgname("service.t");
    is_str(agent_log_program(), "rs-agent", "what a test is called is no name");
    g_set_prgname("rs-test");
    is_str(agent_log_program(), "rs-test", "a service has its own");

    start(&f);
    test_told(&f);
    test_refused(&f);
    test_quit(&f);
    stop(&f);

    return done();
}
