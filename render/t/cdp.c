
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The debugging pipe as pages may use it: what they print is told there, and
 * nothing of it breaks the pipe off; what no browser would say does.
 */

#include "../../agent/t/tap.h"
#include "render_cdp.h"
#include "rs_cdp.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>


#define DEADLINE_S  10


typedef struct {
    GString      *events;
    const char   *closed;
} heard_t;


static void
on_event(void *data, const char *session, const char *method,
    const json_t *params)
{
    heard_t  *heard = data;

    (void) session;
    (void) params;

    g_string_append_printf(heard->events, "%s ", method);
}


static void
on_closed(void *data, const char *why)
{
    heard_t  *heard = data;

    heard->closed = why;
}


static const render_cdp_events_t  events = {
    .event = on_event,
    .closed = on_closed
};


/* all of it, while it is read */

static void
say(int fd, const char *data, gsize len)
{
    gsize    done;
    ssize_t  n;

    for (done = 0; done < len; done += (gsize) MAX(n, 0)) {
        n = write(fd, data + done, len - done);
        (void) g_main_context_iteration(NULL, FALSE);
    }
}


static gboolean
tick(gint64 since)
{
    if (!g_main_context_iteration(NULL, FALSE)) {
        g_usleep(1000);
    }

    return g_get_monotonic_time() - since < DEADLINE_S * G_USEC_PER_SEC;
}


int
main(void)
{
    int                 in[2], out[2];
    gint64              since = g_get_monotonic_time();
    heard_t             heard = { g_string_new(NULL), NULL };
    render_cdp_t       *cdp;
    g_autofree char    *large = g_malloc(2 * RS_CDP_MESSAGE_MAX);

    static const char  one[] = "{\"method\":\"A.one\",\"params\":{}}";
    static const char  printed[] = "{\"method\":\"Runtime.consoleAPICalled\","
                                   "\"params\":{\"args\":[\"\\u0000\"]}}";
    static const char  two[] = "{\"method\":\"A.two\",\"params\":{}}";
    static const char  none[] = "{\"id\":1,\"method\":\"A.three\"}";

    g_assert(g_unix_open_pipe(in, FD_CLOEXEC, NULL)
             && g_unix_open_pipe(out, FD_CLOEXEC, NULL)
             && g_unix_set_fd_nonblocking(in[1], TRUE, NULL));

    cdp = render_cdp_new(in[0], out[1], &events, &heard);
    memset(large, 'x', 2 * RS_CDP_MESSAGE_MAX);
    large[2 * RS_CDP_MESSAGE_MAX - 1] = '\0';

    say(in[1], one, sizeof(one));
    say(in[1], large, 2 * RS_CDP_MESSAGE_MAX);
    say(in[1], printed, sizeof(printed));
    say(in[1], two, sizeof(two));

    while (heard.closed == NULL && strstr(heard.events->str, "two") == NULL
           && tick(since)) { }

    is_str(heard.closed != NULL ? heard.closed : "", "",
           "what a page prints breaks nothing off");
    is_str(heard.events->str, "A.one A.two ", "and nothing else is lost");

    say(in[1], none, sizeof(none));

    while (heard.closed == NULL && tick(since)) { }

    ok(heard.closed != NULL, "what no browser says does: %s",
       heard.closed != NULL ? heard.closed : "-");

    render_cdp_free(cdp);
    (void) close(in[1]);
    (void) close(out[0]);
    g_string_free(heard.events, TRUE);

    return done();
}
