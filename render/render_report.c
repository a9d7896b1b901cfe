
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the instance's end of the pool's socket.  A signature is waited for
 * where it is needed: the pool answers in a moment, or there is no pool.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_report.h"
#include "agent_key.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>


struct render_report_s {
    int                             fd;
    guint                           readable;
    guint                           later;
    gboolean                        broken;
    const render_report_events_t   *events;
    void                           *data;
    GByteArray                     *in;
    GQueue                          lines;      /* json_t, not told yet */
    gint64                          signs;
};


static gboolean render_report_connect(render_report_t *report,
    const char *path, GError **error);
static gboolean render_report_on_readable(int fd, GIOCondition condition,
    gpointer data);
static void render_report_read(render_report_t *report);
static void render_report_break(render_report_t *report, const char *why);
static void render_report_soon(render_report_t *report);
static gboolean render_report_tell(gpointer data);
static json_t *render_report_signed(render_report_t *report, gint64 n);


render_report_t *
render_report_new(const char *path, const render_report_events_t *events,
    void *data, GError **error)
{
    render_report_t  *report;

    report = g_new0(render_report_t, 1);
    report->fd = -1;
    report->events = events;
    report->data = data;
    report->in = g_byte_array_new();
    g_queue_init(&report->lines);

    if (!render_report_connect(report, path, error)) {
        render_report_free(report);
        return NULL;
    }

    report->readable = g_unix_fd_add(report->fd, G_IO_IN|G_IO_HUP,
                                     render_report_on_readable, report);

    return report;
}


void
render_report_free(render_report_t *report)
{
    json_t  *msg;

    g_clear_handle_id(&report->readable, g_source_remove);
    g_clear_handle_id(&report->later, g_source_remove);

    if (report->fd != -1) {
        (void) close(report->fd);
    }

    while ((msg = g_queue_pop_head(&report->lines)) != NULL) {
        json_decref(msg);
    }

    g_byte_array_unref(report->in);
    g_free(report);
}


static gboolean
render_report_connect(render_report_t *report, const char *path,
    GError **error)
{
    struct timeval      limit = { RENDER_REPORT_S, 0 };
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(sun.sun_path)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                    "%s: longer than %zu bytes", path,
                    sizeof(sun.sun_path) - 1);
        return FALSE;
    }

    memcpy(sun.sun_path, path, strlen(path));
    report->fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (report->fd == -1
        || setsockopt(report->fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
                      sizeof(limit)) != 0
        || connect(report->fd, (struct sockaddr *) &sun, sizeof(sun)) != 0)
    {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "the pool's socket %s: %s", path, g_strerror(errno));
        return FALSE;
    }

    return TRUE;
}


void
render_report_say(render_report_t *report, json_t *msg)
{
    gsize              done, len;
    ssize_t            n;
    g_autofree char   *text = agent_json_text(msg);
    g_autofree char   *line = g_strconcat(text, "\n", NULL);

    len = strlen(line);

    for (done = 0; done < len && !report->broken; done += (gsize) n) {
        n = send(report->fd, line + done, len - done, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            n = 0;

        } else if (n < 0) {
            render_report_break(report, g_strerror(errno));
            n = 0;
        }
    }
}


static void
render_report_break(render_report_t *report, const char *why)
{
    if (!report->broken) {
        g_message("the pool is gone: %s", why);
        report->broken = TRUE;
        g_clear_handle_id(&report->readable, g_source_remove);
        render_report_soon(report);
    }
}


static gboolean
render_report_on_readable(int fd, GIOCondition condition, gpointer data)
{
    render_report_t  *report = data;

    (void) fd;
    (void) condition;

    render_report_read(report);

    return G_SOURCE_CONTINUE;
}


/* what is there, into lines */

static void
render_report_read(render_report_t *report)
{
    char         bytes[16384];
    guint8      *end;
    json_t      *msg;
    ssize_t      n;

    n = recv(report->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {
        render_report_break(report, n < 0 ? g_strerror(errno) : "closed");
        return;
    }

    g_byte_array_append(report->in, (guint8 *) bytes, (guint) n);

    while ((end = memchr(report->in->data, '\n', report->in->len)) != NULL) {
        msg = agent_json_load((char *) report->in->data,
                              (gsize) (end - report->in->data),
                              RENDER_REPORT_LINE, NULL);
        g_byte_array_remove_range(report->in, 0,
                                  (guint) (end - report->in->data) + 1);

        if (msg == NULL
            || g_queue_get_length(&report->lines) >= RENDER_REPORT_QUEUE)
        {
            json_decref(msg);
            render_report_break(report, "what it says is not understood");
            return;
        }

        g_queue_push_tail(&report->lines, msg);
        render_report_soon(report);
    }

    if (report->in->len > RENDER_REPORT_LINE) {
        render_report_break(report, "a line is too long");
    }
}


static void
render_report_soon(render_report_t *report)
{
    if (report->later == 0) {
        report->later = g_idle_add_full(G_PRIORITY_DEFAULT,
                                        render_report_tell, report, NULL);
    }
}


static gboolean
render_report_tell(gpointer data)
{
    const char         *type;
    render_report_t    *report = data;
    g_autoptr(json_t)   msg = g_queue_pop_head(&report->lines);

    if (msg != NULL) {
        type = agent_json_string(msg, "type", 64);
        report->events->message(report->data, type != NULL ? type : "", msg);
        return G_SOURCE_CONTINUE;
    }

    report->later = 0;

    if (report->broken) {
        report->events->gone(report->data);
    }

    return G_SOURCE_REMOVE;
}


char *
render_report_sign(void *data, const guint8 *bytes, gsize len,
    GError **error)
{
    gint64              n, left_ms, end_us;
    const char         *signature, *why;
    struct pollfd       pfd;
    render_report_t    *report = data;
    g_autofree char    *text = agent_base64url(bytes, len);
    g_autoptr(json_t)   msg = NULL;

    n = ++report->signs;
    end_us = g_get_monotonic_time() + RENDER_REPORT_S * G_USEC_PER_SEC;
    render_report_say(report, json_pack("{s:s, s:I, s:s}", "type", "sign",
                                        "n", (json_int_t) n, "data", text));
    pfd.fd = report->fd;
    pfd.events = POLLIN;

    while (!report->broken
           && (msg = render_report_signed(report, n)) == NULL)
    {
        left_ms = (end_us - g_get_monotonic_time()) / 1000;

        if (left_ms <= 0) {
            break;
        }

        if (poll(&pfd, 1, (int) left_ms) == 1) {
            render_report_read(report);
        }
    }

    signature = agent_json_string(msg, "signature", 128);
    why = agent_json_string(msg, "error", 256);

    if (signature == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "the pool does not sign: %s",
                    why != NULL ? why : "it does not answer");
        return NULL;
    }

    return g_strdup(signature);
}


/* that answer out of the lines; older ones are of nobody any more */

static json_t *
render_report_signed(render_report_t *report, gint64 n)
{
    GList   *link;
    gint64   number;
    json_t  *msg;

    for (link = report->lines.head; link != NULL; link = link->next) {
        msg = link->data;

        if (g_strcmp0(agent_json_string(msg, "type", 64), "signed") == 0
            && agent_json_int(msg, "n", 1, G_MAXINT64, &number)
            && number == n)
        {
            g_queue_delete_link(&report->lines, link);
            return msg;
        }
    }

    return NULL;
}
