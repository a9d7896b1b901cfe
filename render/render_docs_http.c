
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the HTTP server.  Other pages of the same browser may ask it for
 * whatever they like: they do not know a document's path, may not frame it,
 * and may not read what comes.
 */

#define G_LOG_DOMAIN  "rs-docs"

#include "render_docs_http.h"
#include "render_docs.h"
#include "render_egress.h"

#include <jansson.h>
#include <libsoup/soup.h>
#include <string.h>
#include <unistd.h>


#define RENDER_DOCS_HTTP_PATH  256      /* of a file of the viewer */


struct render_docs_http_s {
    SoupServer           *server;
    char                 *directory;
    render_docs_find_pt   find;
    void                 *data;
    GList                *connections;      /* not referenced */
};


typedef struct {
    const char  *end;
    const char  *media;
} render_docs_media_t;


static void render_docs_http_gone(gpointer data, GObject *connection);
static void render_docs_http_request(SoupServer *server,
    SoupServerMessage *message, const char *path, GHashTable *query,
    gpointer data);
static gboolean render_docs_http_ours(SoupServerMessage *message);
static void render_docs_http_document(render_docs_http_t *http,
    SoupServerMessage *message, const char *path);
static void render_docs_http_page(render_docs_http_t *http,
    SoupServerMessage *message, const render_docs_item_t *item);
static void render_docs_http_about(SoupServerMessage *message,
    const render_docs_item_t *item);
static void render_docs_http_file(render_docs_http_t *http,
    SoupServerMessage *message, const char *name);
static gboolean render_docs_http_plain(const char *name);
static const char *render_docs_http_media(const char *name);
static void render_docs_http_say(SoupServerMessage *message,
    const char *media, GBytes *bytes);


/* styles: pdf.js sets those of its text by script, which is no style-src */

static const char *const  render_docs_http_headers[][2] = {
    { "Cache-Control", "no-store" },
    { "Content-Security-Policy", "default-src 'none'; "
      "script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
      "img-src 'self' blob: data:; font-src 'self' blob: data:; "
      "connect-src 'self'; worker-src 'self'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Referrer-Policy", "no-referrer" },
    { "X-Content-Type-Options", "nosniff" },
    { "X-Frame-Options", "DENY" }
};


static const render_docs_media_t  render_docs_http_medias[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".mjs", "text/javascript; charset=utf-8" },
    { ".wasm", "application/wasm" }
};


render_docs_http_t *
render_docs_http_new(const char *directory, render_docs_find_pt find,
    void *data)
{
    render_docs_http_t  *http;

    http = g_new0(render_docs_http_t, 1);
    http->directory = g_strdup(directory);
    http->find = find;
    http->data = data;
    http->server = soup_server_new(NULL, NULL);
    soup_server_add_handler(http->server, NULL, render_docs_http_request,
                            http, NULL);

    return http;
}


void
render_docs_http_free(render_docs_http_t *http)
{
    if (http == NULL) {
        return;
    }

    soup_server_disconnect(http->server);
    g_object_unref(http->server);

    while (http->connections != NULL) {
        g_object_weak_unref(http->connections->data, render_docs_http_gone,
                            http);
        http->connections = g_list_delete_link(http->connections,
                                               http->connections);
    }

    g_free(http->directory);
    g_free(http);
}


static void
render_docs_http_gone(gpointer data, GObject *connection)
{
    render_docs_http_t  *http = data;

    http->connections = g_list_remove(http->connections, connection);
}


void
render_docs_http_serve(render_docs_http_t *http, int fd)
{
    g_autoptr(GError)               error = NULL;
    g_autoptr(GSocket)              socket = NULL;
    g_autoptr(GSocketAddress)       nowhere = NULL;
    g_autoptr(GSocketConnection)    connection = NULL;

    /* a browser has six; who broke out of it may want all descriptors */

    if (g_list_length(http->connections) >= RENDER_DOCS_HTTP_CONNECTIONS) {
        g_debug("as many connections of the browser as there may be");
        (void) close(fd);
        return;
    }

    nowhere = g_inet_socket_address_new_from_string("127.0.0.1", 80);
    socket = g_socket_new_from_fd(fd, &error);

    if (socket == NULL) {
        (void) close(fd);

    } else {
        connection = g_socket_connection_factory_create_connection(socket);
        http->connections = g_list_prepend(http->connections, connection);
        g_object_weak_ref(G_OBJECT(connection), render_docs_http_gone, http);
        (void) soup_server_accept_iostream(http->server,
                                           G_IO_STREAM(connection), nowhere,
                                           nowhere, &error);
    }

    if (error != NULL) {
        g_warning("a connection of the browser: %s", error->message);
    }
}


static void
render_docs_http_request(SoupServer *server, SoupServerMessage *message,
    const char *path, GHashTable *query, gpointer data)
{
    guint                i;
    const char          *method;
    render_docs_http_t  *http = data;
    SoupMessageHeaders  *headers;

    (void) server;
    (void) query;

    headers = soup_server_message_get_response_headers(message);

    for (i = 0; i < G_N_ELEMENTS(render_docs_http_headers); i++) {
        soup_message_headers_replace(headers,
                                     render_docs_http_headers[i][0],
                                     render_docs_http_headers[i][1]);
    }

    method = soup_server_message_get_method(message);

    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        soup_server_message_set_status(message, SOUP_STATUS_METHOD_NOT_ALLOWED,
                                       NULL);

    } else if (!render_docs_http_ours(message)) {
        soup_server_message_set_status(message, SOUP_STATUS_MISDIRECTED_REQUEST,
                                       NULL);

    } else if (g_str_has_prefix(path, "/viewer/")) {
        render_docs_http_file(http, message, path + 8);

    } else {
        render_docs_http_document(http, message, path + 1);
    }
}


static gboolean
render_docs_http_ours(SoupServerMessage *message)
{
    const char  *host;

    host = soup_message_headers_get_one(
               soup_server_message_get_request_headers(message), "Host");

    return host != NULL
           && (g_ascii_strcasecmp(host, RENDER_EGRESS_INSIDE) == 0
               || g_ascii_strcasecmp(host, RENDER_EGRESS_INSIDE ":80") == 0);
}


/* KEY/, KEY/document, KEY/about */

static void
render_docs_http_document(render_docs_http_t *http,
    SoupServerMessage *message, const char *path)
{
    const char                *rest;
    const render_docs_item_t  *item;

    rest = strchr(path, '/');
    item = (rest != NULL) ? http->find(http->data, path, (gsize) (rest - path))
                          : NULL;

    if (item == NULL) {
        soup_server_message_set_status(message, SOUP_STATUS_NOT_FOUND, NULL);

    } else if (strcmp(rest, "/") == 0) {
        render_docs_http_page(http, message, item);

    } else if (strcmp(rest, "/about") == 0) {
        render_docs_http_about(message, item);

    } else if (strcmp(rest, "/document") == 0) {
        render_docs_http_say(message, item->media, item->bytes);

    } else {
        soup_server_message_set_status(message, SOUP_STATUS_NOT_FOUND, NULL);
    }
}


/* with the document's name as its title, before any script has run */

static void
render_docs_http_page(render_docs_http_t *http, SoupServerMessage *message,
    const render_docs_item_t *item)
{
    char                 *text;
    GString              *page;
    g_autofree char      *path = NULL;
    g_autofree char      *title = NULL;
    g_autofree char      *valid = NULL;
    g_autoptr(GBytes)     bytes = NULL;

    path = g_build_filename(http->directory, "viewer.html", NULL);

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        soup_server_message_set_status(message, SOUP_STATUS_NOT_FOUND, NULL);
        return;
    }

    valid = g_utf8_make_valid(item->name, -1);
    title = g_markup_printf_escaped("<title>%s</title>", valid);
    page = g_string_new(text);
    g_free(text);
    (void) g_string_replace(page, "<title>Document</title>", title, 1);
    bytes = g_string_free_to_bytes(page);
    render_docs_http_say(message, render_docs_http_media("viewer.html"),
                         bytes);
}


static void
render_docs_http_about(SoupServerMessage *message,
    const render_docs_item_t *item)
{
    char                 *text;
    json_t               *about;
    g_autoptr(GBytes)     bytes = NULL;

    about = json_pack("{s:s, s:s}", "name", item->name, "media", item->media);
    text = json_dumps(about, JSON_COMPACT);
    bytes = g_bytes_new(text, strlen(text));
    render_docs_http_say(message, "application/json", bytes);

    free(text);
    json_decref(about);
}


static void
render_docs_http_file(render_docs_http_t *http, SoupServerMessage *message,
    const char *name)
{
    gsize                 len;
    char                 *text;
    g_autofree char      *path = NULL;
    g_autoptr(GBytes)     bytes = NULL;

    path = g_build_filename(http->directory, name, NULL);

    if (!render_docs_http_plain(name)
        || !g_file_get_contents(path, &text, &len, NULL))
    {
        soup_server_message_set_status(message, SOUP_STATUS_NOT_FOUND, NULL);
        return;
    }

    bytes = g_bytes_new_take(text, len);
    render_docs_http_say(message, render_docs_http_media(name), bytes);
}


/* letters, digits and "._-" between slashes; nothing begins with a dot */

static gboolean
render_docs_http_plain(const char *name)
{
    gsize  i;

    for (i = 0; name[i] != '\0'; i++) {
        if (i == RENDER_DOCS_HTTP_PATH) {
            return FALSE;
        }

        if ((name[i] == '/' || name[i] == '.')
            && (i == 0 || name[i - 1] == '/'))
        {
            return FALSE;
        }

        if (!g_ascii_isalnum(name[i]) && strchr("._-/", name[i]) == NULL) {
            return FALSE;
        }
    }

    return i > 0;
}


static const char *
render_docs_http_media(const char *name)
{
    guint  i;

    for (i = 0; i < G_N_ELEMENTS(render_docs_http_medias); i++) {
        if (g_str_has_suffix(name, render_docs_http_medias[i].end)) {
            return render_docs_http_medias[i].media;
        }
    }

    return "application/octet-stream";
}


static void
render_docs_http_say(SoupServerMessage *message, const char *media,
    GBytes *bytes)
{
    soup_message_headers_set_content_type(
        soup_server_message_get_response_headers(message), media, NULL);
    soup_message_body_append_bytes(
        soup_server_message_get_response_body(message), bytes);
    soup_server_message_set_status(message, SOUP_STATUS_OK, NULL);
}
