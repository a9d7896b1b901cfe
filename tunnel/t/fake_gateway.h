
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A gateway played by another thread: HTTPS with a certificate of its own, and
 * whatever answers a test has for it.
 */

#ifndef _TUNNEL_FAKE_GATEWAY_H_INCLUDED_
#define _TUNNEL_FAKE_GATEWAY_H_INCLUDED_


#include <glib/gstdio.h>
#include <libsoup/soup.h>
#include <string.h>


typedef struct {
    SoupServerCallback            answer;   /* in the thread */
    SoupServerWebsocketCallback   pipe;     /* or NULL */
    gpointer                      data;

    GMutex       lock;
    GCond        ready;
    GMainLoop   *loop;
    GThread     *thread;
    char        *dir;
    char        *cert;                      /* PEM: it, and its key */
    char        *url;
} fake_gateway_t;


static void
fake_cert(fake_gateway_t *g)
{
    int                status;
    g_autofree char   *make = NULL;
    g_autofree char   *err = NULL;
    g_autofree char   *key = NULL;
    g_autofree char   *crt = NULL;
    g_autofree char   *text = NULL;
    g_autofree char   *more = NULL;
    g_autofree char   *both = NULL;

    g->dir = g_dir_make_tmp("rs-gateway-XXXXXX", NULL);
    g->cert = g_build_filename(g->dir, "cert.pem", NULL);
    key = g_build_filename(g->dir, "key", NULL);
    crt = g_build_filename(g->dir, "crt", NULL);

    make = g_strdup_printf("openssl req -x509 -newkey ec -pkeyopt "
                           "ec_paramgen_curve:P-256 -nodes -days 2 -subj "
                           "/CN=g -addext subjectAltName=IP:127.0.0.1 "
                           "-keyout %s -out %s", key, crt);

    if (!g_spawn_command_line_sync(make, NULL, &err, &status, NULL)
        || status != 0
        || !g_file_get_contents(key, &text, NULL, NULL)
        || !g_file_get_contents(crt, &more, NULL, NULL))
    {
        printf("not ok - %s\n", make);
        exit(1);
    }

    both = g_strconcat(text, more, NULL);
    g_file_set_contents(g->cert, both, -1, NULL);
    g_unlink(key);
    g_unlink(crt);
}


static gpointer
fake_serve(gpointer data)
{
    fake_gateway_t              *g = data;
    GSList                      *uris;
    SoupServer                  *server;
    GMainContext                *context = g_main_context_new();
    g_autoptr(GError)            error = NULL;
    g_autoptr(GTlsCertificate)   cert = NULL;

    g_main_context_push_thread_default(context);
    cert = g_tls_certificate_new_from_file(g->cert, &error);
    server = soup_server_new("tls-certificate", cert, NULL);
    soup_server_add_handler(server, NULL, g->answer, g->data, NULL);

    if (g->pipe != NULL) {
        char  *protocols[] = { (char *) "rs.v1", NULL };

        soup_server_add_websocket_handler(server, "/base/pipe", NULL,
                                          protocols, g->pipe, g->data, NULL);
    }

    if (!soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_HTTPS
                                             |SOUP_SERVER_LISTEN_IPV4_ONLY,
                                  &error))
    {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    uris = soup_server_get_uris(server);

    g_mutex_lock(&g->lock);
    g->url = g_strdup_printf("https://127.0.0.1:%d/base",
                             g_uri_get_port(uris->data));
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


static void
fake_begin(fake_gateway_t *g)
{
    fake_cert(g);
    g->thread = g_thread_new("gateway", fake_serve, g);

    g_mutex_lock(&g->lock);

    while (g->loop == NULL) {
        g_cond_wait(&g->ready, &g->lock);
    }

    g_mutex_unlock(&g->lock);
}


static void
fake_end(fake_gateway_t *g)
{
    g_main_loop_quit(g->loop);
    g_thread_join(g->thread);
    g_unlink(g->cert);
    g_rmdir(g->dir);
    g_free(g->cert);
    g_free(g->dir);
    g_free(g->url);
}


G_GNUC_UNUSED
static void
fake_json(SoupServerMessage *msg, guint status, const char *text)
{
    soup_server_message_set_status(msg, status, NULL);
    soup_server_message_set_response(msg, "application/json",
                                     SOUP_MEMORY_COPY, text, strlen(text));
}


#endif /* _TUNNEL_FAKE_GATEWAY_H_INCLUDED_ */
