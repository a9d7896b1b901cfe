
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the decision whether there is a desktop that this agent can show.  A
 * session it cannot show is named as what it is: capturing it all the same
 * would give a black picture (Wayland) or one that nobody may touch (a
 * display manager's greeter).
 */

#include "platform.h"

#include <string.h>


G_DEFINE_QUARK(agent-desktop-error-quark, agent_desktop_error)


static gboolean
agent_probe_is(const char *value, const char *want)
{
    return value != NULL && strcmp(value, want) == 0;
}


static gboolean
agent_probe_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}


agent_desktop_e
agent_probe(const char *configured, agent_getenv_pt env,
    const char **display, GError **error)
{
    const char  *wayland;

    *display = NULL;

    if (agent_probe_is(env("XDG_SESSION_CLASS"), "greeter")
        || agent_probe_set(env("XDG_GREETER_DATA_DIR")))
    {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_GREETER,
                    "the login screen is up and nobody is logged in: "
                    "log in to an X11 session first");
        return AGENT_DESKTOP_GREETER;
    }

    /* a display that the administrator named is not second-guessed */

    if (configured != NULL) {
        *display = configured;
        return AGENT_DESKTOP_X11;
    }

    /* DISPLAY is set there too, by Xwayland, whose root is black */

    wayland = env("WAYLAND_DISPLAY");

    if (agent_probe_set(wayland)
        || agent_probe_is(env("XDG_SESSION_TYPE"), "wayland"))
    {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_WAYLAND,
                    "the desktop is a Wayland session%s%s, which cannot be "
                    "shared yet: choose an X11 (Xorg) session at login",
                    agent_probe_set(wayland) ? " on " : "",
                    agent_probe_set(wayland) ? wayland : "");
        return AGENT_DESKTOP_WAYLAND;
    }

    if (!agent_probe_set(env("DISPLAY"))) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_NONE,
                    "there is no display: neither \"display\" in agent.conf "
                    "nor $DISPLAY is set");
        return AGENT_DESKTOP_NONE;
    }

    *display = env("DISPLAY");

    return AGENT_DESKTOP_X11;
}


agent_platform_t *
agent_platform_open(const char *configured, GError **error)
{
    const char  *display;

    if (agent_probe(configured, g_getenv, &display, error)
        != AGENT_DESKTOP_X11)
    {
        return NULL;
    }

    return agent_x11_open(display, error);
}


void
agent_platform_area(agent_platform_t *p, const agent_view_t *view,
    agent_area_t *area)
{
    guint            i, n;
    agent_monitor_t  monitors[AGENT_MONITORS];

    n = (view->monitor[0] != '\0' && p->ops->monitors != NULL)
        ? p->ops->monitors(p, monitors) : 0;

    for (i = 0; i < n; i++) {
        if (strcmp(monitors[i].name, view->monitor) == 0) {
            *area = monitors[i].area;
            return;
        }
    }

    area->x = 0;
    area->y = 0;
    p->ops->size(p, &area->width, &area->height);
}
