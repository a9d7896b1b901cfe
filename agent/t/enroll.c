
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Where the enrolment token is read from, and what is no token; how often a
 * gateway that is busy is asked, against one played by another thread.
 */

#include "agent.h"
#include "agent_enroll.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>


static char  *path;


static char *
token(const char *content)
{
    g_autoptr(GError)  error = NULL;

    g_file_set_contents(path, content, -1, NULL);

    return agent_enroll_token(path, &error);
}


static void
is_token(const char *content, const char *want, const char *what)
{
    g_autofree char  *got = token(content);

    is_str(got, want, what);
}


/* the key and, from beside it, its certificate */

static void
join_files(const char *pem)
{
    g_autofree char  *crt = g_strconcat(pem, ".crt", NULL);
    g_autofree char  *key = NULL;
    g_autofree char  *cert = NULL;
    g_autofree char  *both = NULL;

    if (!g_file_get_contents(pem, &key, NULL, NULL)
        || !g_file_get_contents(crt, &cert, NULL, NULL))
    {
        printf("not ok - no certificate\n");
        exit(1);
    }

    both = g_strconcat(key, cert, NULL);
    g_file_set_contents(pem, both, -1, NULL);
    g_unlink(crt);
}


/* ---- a gateway */

typedef struct {
    GMutex        lock;
    GCond         ready;
    GMainLoop    *loop;
    char         *cert;
    int           port;
    const char   *after;            /* Retry-After of a 503, or NULL */
    guint         busy;             /* so many answers are 503 */
    guint         asked;
} gateway_t;


static void
on_enroll(SoupServer *server, SoupServerMessage *msg, const char *target,
    GHashTable *query, gpointer data)
{
    gateway_t    *g = data;
    const char   *text;

    (void) server;
    (void) target;
    (void) query;

    if (g->asked++ < g->busy) {
        text = "{\"code\":\"unavailable\",\"detail\":\"no store\"}";
        soup_server_message_set_status(msg, 503, NULL);

        if (g->after != NULL) {
            soup_message_headers_append(
                soup_server_message_get_response_headers(msg), "Retry-After",
                g->after);
        }

    } else {
        text = "{\"device\":{\"id\":\"dev_a\"},\"tenant\":\"default\"}";
        soup_server_message_set_status(msg, 201, NULL);
    }

    soup_server_message_set_response(msg, "application/json",
                                     SOUP_MEMORY_STATIC, text, strlen(text));
}


static gpointer
serve(gpointer data)
{
    gateway_t                   *g = data;
    GSList                      *uris;
    SoupServer                  *server;
    GMainContext                *context = g_main_context_new();
    g_autoptr(GError)            error = NULL;
    g_autoptr(GTlsCertificate)   cert = NULL;

    g_main_context_push_thread_default(context);
    cert = g_tls_certificate_new_from_file(g->cert, &error);
    server = soup_server_new("tls-certificate", cert, NULL);
    soup_server_add_handler(server, "/devices", on_enroll, g, NULL);

    if (!soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_HTTPS
                                             |SOUP_SERVER_LISTEN_IPV4_ONLY,
                                  &error))
    {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    uris = soup_server_get_uris(server);

    g_mutex_lock(&g->lock);
    g->port = g_uri_get_port(uris->data);
    g->loop = g_main_loop_new(context, FALSE);
    g_cond_signal(&g->ready);
    g_mutex_unlock(&g->lock);

    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);
    g_main_loop_run(g->loop);

    soup_server_disconnect(server);
    g_object_unref(server);

    while (g_main_context_iteration(context, FALSE)) { /* what is left */ }

    g_main_loop_unref(g->loop);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);

    return NULL;
}


/* one enrolment into an empty folder; NULL: what it says */

static char *
enroll(gateway_t *g, const char *dir, const char *after, guint busy)
{
    agent_config_t              *config = agent_config_new();
    g_autofree char             *url = NULL;
    g_autofree char             *file = NULL;
    g_autoptr(GError)            error = NULL;
    g_autoptr(SoupSession)       soup = NULL;
    g_autoptr(GTlsDatabase)      tls = NULL;
    g_autoptr(GProxyResolver)    proxy = NULL;
    g_autoptr(agent_device_t)    device = NULL;

    g->after = after;
    g->busy = busy;
    g->asked = 0;

    g_free(config->state_dir);
    config->state_dir = g_strdup(dir);
    config->ca_file = g_strdup(g->cert);
    soup = agent_soup(config, &tls, &proxy, &error);
    url = g_strdup_printf("https://127.0.0.1:%d", g->port);

    device = agent_enroll(config, soup, url, "rse_x", &error);
    agent_config_free(config);

    file = g_build_filename(dir, "device.conf", NULL);
    g_unlink(file);

    return (device != NULL) ? NULL : g_strdup(error->message);
}


static void
test_busy(const char *dir)
{
    int                 status;
    gint64              from_us;
    GThread            *thread;
    gateway_t           g;
    g_autofree char    *make = NULL;
    g_autofree char    *err = NULL;
    g_autofree char    *none = NULL;
    g_autofree char    *twice = NULL;
    g_autofree char    *silent = NULL;
    g_autofree char    *long_s = NULL;
    g_autofree char    *key = g_build_filename(dir, "device.key", NULL);

    memset(&g, 0, sizeof(g));
    g.cert = g_build_filename(dir, "cert.pem", NULL);

    make = g_strdup_printf("openssl req -x509 -newkey ec -pkeyopt "
                           "ec_paramgen_curve:P-256 -nodes -days 2 -subj "
                           "/CN=g -addext subjectAltName=IP:127.0.0.1 "
                           "-keyout %s -out %s.crt", g.cert, g.cert);

    if (!g_spawn_command_line_sync(make, NULL, &err, &status, NULL)
        || status != 0)
    {
        printf("not ok - %s\n", make);
        exit(1);
    }

    join_files(g.cert);

    thread = g_thread_new("gateway", serve, &g);
    g_mutex_lock(&g.lock);

    while (g.loop == NULL) {
        g_cond_wait(&g.ready, &g.lock);
    }

    g_mutex_unlock(&g.lock);

    none = enroll(&g, dir, NULL, 0);
    is_str(none, NULL, "enrolled");
    is_int(g.asked, 1, "at once");

    from_us = g_get_monotonic_time();
    twice = enroll(&g, dir, "1", 1);
    is_str(twice, NULL, "enrolled by a gateway that was busy");
    is_int(g.asked, 2, "which was asked again");
    ok(g_get_monotonic_time() - from_us >= G_USEC_PER_SEC,
       "not before Retry-After");

    silent = enroll(&g, dir, NULL, 9);
    ok(silent != NULL && strstr(silent, "unavailable: no store") != NULL,
       "a 503 that does not say how long is told");
    is_int(g.asked, 1, "at once");

    long_s = enroll(&g, dir, "31", 9);
    ok(long_s != NULL && g.asked == 1, "so is one that asks for too long");

    g_main_loop_quit(g.loop);
    g_thread_join(thread);
    g_unlink(g.cert);
    g_unlink(key);
    g_free(g.cert);
}


int
main(void)
{
    g_autofree char    *dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    g_autofree char    *big = NULL;
    g_autofree char    *got = NULL;
    g_autoptr(GError)   error = NULL;

    path = g_build_filename(dir, "token", NULL);

    is_token("rse_default_x_y", "rse_default_x_y", "a token");
    is_token(" rse_default_x_y\r\n", "rse_default_x_y",
             "blanks around it are not part of it");
    is_token("", NULL, "an empty file");
    is_token("\n", NULL, "a blank line");
    is_token("two words", NULL, "two words");
    is_token("two\nlines\n", NULL, "two lines");

    big = g_strnfill(513, 'a');
    is_token(big, NULL, "one character too many");
    big[512] = '\0';
    is_token(big, big, "as many as there may be");

    g_setenv("RS_ENROLLMENT_TOKEN", "rse_env", TRUE);
    got = agent_enroll_token(NULL, NULL);
    is_str(got, "rse_env", "from the environment");
    ok(g_getenv("RS_ENROLLMENT_TOKEN") == NULL, "which forgets it");

    g_unlink(path);
    ok(agent_enroll_token(path, &error) == NULL
       && strstr(error->message, path) != NULL,
       "a file that is not there is named");

    test_busy(dir);

    is_int(g_rmdir(dir), 0, "nothing else is left behind");
    g_free(path);

    return done();
}
