
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the probe: one timer or one request at a time.  Counted like a socket:
 * a request that is under way holds the struct.
 */

#define G_LOG_DOMAIN  "rs-home"

#include "agent_home.h"
#include "agent_socket.h"


#define AGENT_HOME_CAP_MS  600000
#define AGENT_HOME_WELL    2            /* answers in a row */


struct agent_home_s {
    SoupSession   *soup;
    char          *url;
    GCancellable  *cancel;
    void         (*well)(void *data);
    void          *data;
    guint          timer;
    guint          base_ms;
    guint          attempt;
    guint          good;
    gboolean       freed;
};


static void agent_home_later(agent_home_t *home);
static gboolean agent_home_ask(gpointer data);
static void agent_home_answer(GObject *soup, GAsyncResult *result,
    gpointer data);
static void agent_home_clear(gpointer data);


agent_home_t *
agent_home_new(SoupSession *soup, const char *url, guint probe_s,
    guint attempt, void (*well)(void *data), void *data)
{
    agent_home_t  *home;

    home = g_rc_box_new0(agent_home_t);
    home->soup = g_object_ref(soup);
    home->url = g_strconcat(url, "/health/ready", NULL);
    home->cancel = g_cancellable_new();
    home->base_ms = probe_s * 1000;
    home->attempt = attempt;
    home->well = well;
    home->data = data;

    agent_home_later(home);

    return home;
}


static void
agent_home_later(agent_home_t *home)
{
    guint  cap_ms;

    cap_ms = MAX(AGENT_HOME_CAP_MS, home->base_ms);

    home->timer = g_timeout_add(agent_backoff(home->base_ms, cap_ms,
                                              home->good ? 0 : home->attempt),
                                agent_home_ask, home);
}


static gboolean
agent_home_ask(gpointer data)
{
    agent_home_t            *home = data;
    g_autoptr(SoupMessage)   msg = NULL;

    home->timer = 0;

    msg = soup_message_new(SOUP_METHOD_GET, home->url);
    soup_message_add_flags(msg, SOUP_MESSAGE_NO_REDIRECT
                                |SOUP_MESSAGE_NEW_CONNECTION);

    soup_session_send_async(home->soup, msg, G_PRIORITY_DEFAULT, home->cancel,
                            agent_home_answer, g_rc_box_acquire(home));

    return G_SOURCE_REMOVE;
}


/* the body is not read: dropping the stream closes the connection */

static void
agent_home_answer(GObject *soup, GAsyncResult *result, gpointer data)
{
    guint                      status;
    SoupMessage               *msg;
    agent_home_t              *home = data;
    g_autoptr(GError)          error = NULL;
    g_autoptr(GInputStream)    in = NULL;

    msg = soup_session_get_async_result_message(SOUP_SESSION(soup), result);
    status = (msg != NULL) ? soup_message_get_status(msg) : 0;
    in = soup_session_send_finish(SOUP_SESSION(soup), result, &error);

    if (home->freed) {
        g_rc_box_release_full(home, agent_home_clear);
        return;
    }

    if (in != NULL && status == SOUP_STATUS_OK) {
        home->good++;

    } else {
        home->good = 0;
        home->attempt++;
        g_debug("%s: %s", home->url,
                error ? error->message : soup_status_get_phrase(status));
    }

    if (home->good == AGENT_HOME_WELL) {
        home->well(home->data);

    } else {
        agent_home_later(home);
    }

    g_rc_box_release_full(home, agent_home_clear);
}


void
agent_home_free(agent_home_t *home)
{
    home->freed = TRUE;
    g_clear_handle_id(&home->timer, g_source_remove);
    g_cancellable_cancel(home->cancel);
    g_rc_box_release_full(home, agent_home_clear);
}


static void
agent_home_clear(gpointer data)
{
    agent_home_t  *home = data;

    g_object_unref(home->cancel);
    g_object_unref(home->soup);
    g_free(home->url);
}
