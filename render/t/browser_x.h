
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A real browser for a test: its display, its pages, and what it shows.
 */

#ifndef _RENDER_T_BROWSER_X_H_INCLUDED_
#define _RENDER_T_BROWSER_X_H_INCLUDED_


#include "../../agent/t/tap.h"
#include "render_browser.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>
#include <libsoup/soup.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define DEADLINE_S  20
#define WIDTH       640
#define HEIGHT      480


#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


static SoupServer  *web;
static guint        web_port;
static GString     *web_log;            /* "GET /path UA\n" */


G_GNUC_UNUSED
static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


typedef struct {
    const char  *path;
    const char  *type;
    const char  *body;
} page_t;


static void
web_serve(SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
    const page_t        *page;
    SoupMessageHeaders  *in = soup_server_message_get_request_headers(msg);

    (void) server;
    (void) query;

    g_string_append_printf(web_log, "%s %s %s\n",
                           soup_server_message_get_method(msg), path,
                           soup_message_headers_get_one(in, "User-Agent"));

    for (page = data; page->path != NULL; page++) {

        if (strcmp(page->path, path) != 0) {
            continue;
        }

        soup_server_message_set_status(msg, 200, NULL);
        soup_server_message_set_response(msg, page->type, SOUP_MEMORY_STATIC,
                                         page->body, strlen(page->body));

        /* a page with a nonce allows no other style sheets */

        if (strstr(page->body, "nonce=") != NULL) {
            soup_message_headers_replace(
                soup_server_message_get_response_headers(msg),
                "Content-Security-Policy", "style-src-elem 'nonce-x'");
        }

        if (strcmp(page->type, "application/x-thing") == 0) {
            soup_message_headers_replace(
                soup_server_message_get_response_headers(msg),
                "Content-Disposition",
                "attachment; filename=\"../the thing.txt\"");
        }

        return;
    }

    soup_server_message_set_status(msg, 404, NULL);
}


G_GNUC_UNUSED
static void
web_start(const page_t *pages)
{
    GSList             *uris;
    g_autoptr(GError)   error = NULL;

    web_log = g_string_new("");
    web = soup_server_new(NULL, NULL);
    soup_server_add_handler(web, NULL, web_serve, (gpointer) pages, NULL);

    if (!soup_server_listen_local(web, 0, SOUP_SERVER_LISTEN_IPV4_ONLY,
                                  &error))
    {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    uris = soup_server_get_uris(web);
    web_port = (guint) g_uri_get_port(uris->data);
    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);
}


/*
 * Pages for a browser that may have them, and nothing but them; FALSE: there
 * is no browser here, which was said.
 */

G_GNUC_UNUSED
static gboolean
web_for(render_settings_t *settings, const page_t *pages)
{
    const char        *cure;
    g_autofree char   *allow = NULL;

    if (!g_file_test(settings->browser, G_FILE_TEST_EXISTS)) {
        printf("1..0 # SKIP no Chromium here\n");
        return FALSE;
    }

    web_start(pages);
    g_timeout_add(20, tick, NULL);
    allow = g_strdup_printf("127.0.0.1:%u", web_port);
    (void) rs_egress_add(&settings->egress, RS_STR("allow"), rs_str(allow),
                         &cure);
    (void) rs_egress_add(&settings->egress, RS_STR("ports"),
                         RS_STR("1-65535"), &cure);

    return TRUE;
}


G_GNUC_UNUSED
static char *
web_url(const char *path)
{
    return g_strdup_printf("http://127.0.0.1:%u%s", web_port, path);
}


/* the pixel there, 0xRRGGBB */

G_GNUC_UNUSED
static guint
pixel(Display *x, int px, int py)
{
    guint    value;
    XImage  *image;

    image = XGetImage(x, DefaultRootWindow(x), px, py, 1, 1, AllPlanes,
                      ZPixmap);
    value = (guint) XGetPixel(image, 0, 0) & 0xffffff;
    XDestroyImage(image);

    return value;
}


/* how many of an area have not that colour */

G_GNUC_UNUSED
static guint
others(Display *x, int px, int py, int width, int height, guint colour)
{
    int      i, k;
    guint    n;
    XImage  *image;

    image = XGetImage(x, DefaultRootWindow(x), px, py, (guint) width,
                      (guint) height, AllPlanes, ZPixmap);
    n = 0;

    for (i = 0; i < width; i++) {
        for (k = 0; k < height; k++) {
            n += ((guint) XGetPixel(image, i, k) & 0xffffff) != colour;
        }
    }

    XDestroyImage(image);

    return n;
}


G_GNUC_UNUSED
static void
button(Display *x, int px, int py, guint which)
{
    XTestFakeMotionEvent(x, -1, px, py, 0);
    XTestFakeButtonEvent(x, which, True, 0);
    XTestFakeButtonEvent(x, which, False, 0);
    XFlush(x);
}


G_GNUC_UNUSED
static void
click(Display *x, int px, int py)
{
    button(x, px, py, 1);
}


G_GNUC_UNUSED
static void
type(Display *x, KeySym sym)
{
    KeyCode  code = XKeysymToKeycode(x, sym);

    XTestFakeKeyEvent(x, code, True, 0);
    XTestFakeKeyEvent(x, code, False, 0);
    XFlush(x);
}


#endif /* _RENDER_T_BROWSER_X_H_INCLUDED_ */
