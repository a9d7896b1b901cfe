
/*
 * Copyright (C) rs-gateway contributors
 *
 * Events of an X connection on the main loop.
 */

#include "x11_watch.h"


typedef struct {
    GSource   source;

    Display  *display;
    gpointer  tag;              /* of the descriptor */
} agent_x11_watch_t;


static gboolean
agent_x11_watch_prepare(GSource *source, gint *timeout)
{
    agent_x11_watch_t  *w = (agent_x11_watch_t *) source;

    *timeout = -1;

    return XEventsQueued(w->display, QueuedAlready) > 0;
}


static gboolean
agent_x11_watch_check(GSource *source)
{
    agent_x11_watch_t  *w = (agent_x11_watch_t *) source;

    return g_source_query_unix_fd(source, w->tag) != 0
           || XEventsQueued(w->display, QueuedAlready) > 0;
}


static gboolean
agent_x11_watch_dispatch(GSource *source, GSourceFunc function, gpointer data)
{
    (void) source;

    return function(data);
}


static GSourceFuncs  agent_x11_watch_funcs = {
    agent_x11_watch_prepare,
    agent_x11_watch_check,
    agent_x11_watch_dispatch,
    NULL,
    NULL,
    NULL
};


guint
agent_x11_watch(Display *display, GSourceFunc function, gpointer data)
{
    guint               id;
    GSource            *source;
    agent_x11_watch_t  *w;

    source = g_source_new(&agent_x11_watch_funcs, sizeof(agent_x11_watch_t));
    w = (agent_x11_watch_t *) source;
    w->display = display;
    w->tag = g_source_add_unix_fd(source, ConnectionNumber(display),
                                  G_IO_IN|G_IO_HUP|G_IO_ERR);

    g_source_set_callback(source, function, data, NULL);
    id = g_source_attach(source, NULL);
    g_source_unref(source);

    return id;
}
