
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the bytes of a link: cuts lines, within bounds, and writes what waits.
 */

#define G_LOG_DOMAIN  "rs-link"

#include "render_link.h"

#include <string.h>


#define RENDER_LINK_TYPE  64                /* bytes */


struct render_link_s {
    guint                         refs;
    GSocketConnection            *connection;   /* NULL: freed */
    GCancellable                 *cancel;
    const render_link_events_t   *events;
    void                         *data;

    char                         *in;           /* RENDER_LINK_LINE + 1 */
    gsize                         in_len;
    GString                      *out;          /* waits */
    GBytes                       *writing;
    guint                         late;         /* closed() is to be told */
    char                         *why;
};


static void render_link_read(render_link_t *link);
static void render_link_on_read(GObject *source, GAsyncResult *result,
    gpointer data);
static gboolean render_link_lines(render_link_t *link);
static void render_link_write(render_link_t *link);
static void render_link_on_write(GObject *source, GAsyncResult *result,
    gpointer data);
static void render_link_fail(render_link_t *link, const char *why);
static gboolean render_link_told(gpointer data);
static void render_link_unref(render_link_t *link);


render_link_t *
render_link_new(GSocketConnection *connection,
    const render_link_events_t *events, void *data)
{
    render_link_t  *link;

    link = g_new0(render_link_t, 1);
    link->refs = 1;
    link->connection = g_object_ref(connection);
    link->cancel = g_cancellable_new();
    link->events = events;
    link->data = data;
    link->in = g_malloc(RENDER_LINK_LINE + 1);
    link->out = g_string_new(NULL);

    render_link_read(link);

    return link;
}


void
render_link_hand(render_link_t *link, const render_link_events_t *events,
    void *data)
{
    link->events = events;
    link->data = data;
}


static void
render_link_unref(render_link_t *link)
{
    if (--link->refs > 0) {
        return;
    }

    g_object_unref(link->cancel);
    g_string_free(link->out, TRUE);
    g_clear_pointer(&link->writing, g_bytes_unref);
    g_free(link->in);
    g_free(link->why);
    g_free(link);
}


void
render_link_free(render_link_t *link)
{
    g_cancellable_cancel(link->cancel);
    g_clear_handle_id(&link->late, g_source_remove);

    if (link->connection != NULL) {
        (void) g_socket_close(
            g_socket_connection_get_socket(link->connection), NULL);
        g_clear_object(&link->connection);
    }

    render_link_unref(link);
}


/* told from the main loop, once */

static void
render_link_fail(render_link_t *link, const char *why)
{
    if (link->connection == NULL || link->late != 0 || link->why != NULL) {
        return;
    }

    link->why = g_strdup(why);
    link->late = g_idle_add(render_link_told, link);
}


static gboolean
render_link_told(gpointer data)
{
    render_link_t  *link = data;

    link->late = 0;
    link->events->closed(link->data, link->why);

    return G_SOURCE_REMOVE;
}


static void
render_link_read(render_link_t *link)
{
    GInputStream  *in;

    in = g_io_stream_get_input_stream(G_IO_STREAM(link->connection));

    link->refs++;
    g_input_stream_read_async(in, link->in + link->in_len,
                              RENDER_LINK_LINE - link->in_len,
                              G_PRIORITY_DEFAULT, link->cancel,
                              render_link_on_read, link);
}


static void
render_link_on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    gssize              n;
    render_link_t      *link = data;
    g_autoptr(GError)   error = NULL;

    n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, &error);

    if (link->connection != NULL) {

        if (n <= 0) {
            render_link_fail(link, n == 0 ? "closed" : error->message);

        } else {
            link->in_len += (gsize) n;

            if (render_link_lines(link)) {
                render_link_read(link);
            }
        }
    }

    render_link_unref(link);
}


/* FALSE: nothing more is read of it */

static gboolean
render_link_lines(render_link_t *link)
{
    char        *end, *line;
    gsize        len;
    const char  *type;

    line = link->in;

    while (link->connection != NULL && link->why == NULL
           && (end = memchr(line, '\n', link->in_len
                                        - (gsize) (line - link->in)))
              != NULL)
    {
        g_autoptr(json_t)  msg = NULL;
        g_autoptr(GError)  error = NULL;

        len = (gsize) (end - line);
        msg = agent_json_load(line, len, RENDER_LINK_LINE, &error);
        type = (msg != NULL) ? agent_json_string(msg, "type",
                                                 RENDER_LINK_TYPE) : NULL;
        line = end + 1;

        if (type == NULL) {
            render_link_fail(link, error ? error->message
                                         : "a line without type");
            return FALSE;
        }

        link->events->message(link->data, type, msg);
    }

    if (link->connection == NULL || link->why != NULL) {
        return FALSE;
    }

    link->in_len -= (gsize) (line - link->in);
    memmove(link->in, line, link->in_len);

    if (link->in_len == RENDER_LINK_LINE) {
        render_link_fail(link, "a line is too long");
        return FALSE;
    }

    return TRUE;
}


void
render_link_send(render_link_t *link, json_t *msg)
{
    g_autofree char  *text = agent_json_text(msg);

    if (link->connection == NULL || link->why != NULL) {
        return;
    }

    if (link->out->len + strlen(text) + 1 > RENDER_LINK_QUEUE) {
        render_link_fail(link, "it does not read");
        return;
    }

    g_string_append(link->out, text);
    g_string_append_c(link->out, '\n');
    render_link_write(link);
}


static void
render_link_write(render_link_t *link)
{
    GOutputStream  *out;

    if (link->writing != NULL || link->out->len == 0) {
        return;
    }

    out = g_io_stream_get_output_stream(G_IO_STREAM(link->connection));
    link->writing = g_bytes_new(link->out->str, link->out->len);
    g_string_truncate(link->out, 0);

    link->refs++;
    g_output_stream_write_all_async(out,
                                    g_bytes_get_data(link->writing, NULL),
                                    g_bytes_get_size(link->writing),
                                    G_PRIORITY_DEFAULT, link->cancel,
                                    render_link_on_write, link);
}


static void
render_link_on_write(GObject *source, GAsyncResult *result, gpointer data)
{
    render_link_t      *link = data;
    g_autoptr(GError)   error = NULL;

    (void) g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result,
                                            NULL, &error);
    g_clear_pointer(&link->writing, g_bytes_unref);

    if (link->connection != NULL) {

        if (error != NULL) {
            render_link_fail(link, error->message);

        } else {
            render_link_write(link);
        }
    }

    render_link_unref(link);
}
