
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The pool's socket from the instance's side: lines in pieces, a signature
 * that is waited for while others come, a no, and a pool that goes.
 */

#include "../../agent/t/tap.h"
#include "render_report.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>


#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;          \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


static GString  *told;
static gboolean  gone;
static int       listener;
static int       pool;


static void
on_message(void *data, const char *type, json_t *msg)
{
    (void) data;
    (void) msg;

    g_string_append_printf(told, "%s ", type);
}


static void
on_gone(void *data)
{
    (void) data;

    gone = TRUE;
}


static const render_report_events_t  events = { on_message, on_gone };


static void
say(const char *text)
{
    ok(send(pool, text, strlen(text), MSG_NOSIGNAL)
       == (ssize_t) strlen(text), "the pool says %d bytes", (int) strlen(text));
}


/* the pool's answer, given by another thread, as another process would */

static gpointer
answer(gpointer text)
{
    char     line[4096];
    ssize_t  n;

    n = recv(pool, line, sizeof(line) - 1, 0);
    line[MAX(n, 0)] = '\0';
    (void) send(pool, text, strlen(text), MSG_NOSIGNAL);

    return g_strdup(line);
}


static char *
sign(render_report_t *report, const char *text, char **asked, GError **error)
{
    char     *signature;
    GThread  *thread;

    thread = g_thread_new("pool", answer, (gpointer) text);
    signature = render_report_sign(report, (const guint8 *) "abc", 3, error);
    *asked = g_thread_join(thread);

    return signature;
}


int
main(void)
{
    char                *asked, *signature;
    render_report_t     *report;
    struct sockaddr_un   sun;
    g_autofree char     *dir = g_dir_make_tmp("rs-render-t-XXXXXX", NULL);
    g_autofree char     *path = g_build_filename(dir, "s", NULL);
    g_autoptr(GError)    error = NULL;

    told = g_string_new("");
    ok(render_report_new(path, &events, NULL, &error) == NULL
       && error != NULL, "no pool: an error");
    g_clear_error(&error);

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
    listener = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
    ok(bind(listener, (struct sockaddr *) &sun, sizeof(sun)) == 0
       && listen(listener, 1) == 0, "a pool");
    report = render_report_new(path, &events, NULL, &error);
    pool = accept(listener, NULL, NULL);
    ok(report != NULL && pool != -1, "the instance is there");

    say("{\"type\":\"inv");
    say("ite\"}\n{\"type\":\"end\"}\n");
    WAIT(strstr(told->str, "end") != NULL);
    is_str(told->str, "invite end ", "lines in pieces, in order");
    g_string_truncate(told, 0);

    signature = sign(report, "{\"type\":\"end\"}\n{\"type\":\"signed\",\"n\":"
                     "1,\"signature\":\"sss\"}\n", &asked, &error);
    is_str(signature, "sss", "a signature");
    ok(strstr(asked, "\"sign\"") != NULL && strstr(asked, "\"YWJj\"") != NULL,
       "of what was asked for");
    ok(told->len == 0, "nothing else is told meanwhile");
    WAIT(told->len != 0);
    is_str(told->str, "end ", "but later");
    g_free(asked);
    g_free(signature);

    signature = sign(report, "{\"type\":\"signed\",\"n\":2,\"error\":\"no\"}"
                     "\n", &asked, &error);
    ok(signature == NULL && strstr(error->message, "no") != NULL,
       "a no is one");
    g_free(asked);
    g_clear_error(&error);

    ok(!gone, "still there");
    say("rubbish\n");
    WAIT(gone);
    ok(gone, "who says rubbish is no pool");

    render_report_free(report);
    close(pool);
    close(listener);
    g_string_free(told, TRUE);
    g_unlink(path);
    g_rmdir(dir);

    return done();
}
