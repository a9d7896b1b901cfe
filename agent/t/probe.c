
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What is told about the desktop: X11, or why there is none to show.
 */

#include "platform/platform.h"
#include "tap.h"

#include <string.h>


static const char *const  *env_now;     /* name, value, ..., NULL */


static const char *
env(const char *name)
{
    gsize  i;

    for (i = 0; env_now[i] != NULL; i += 2) {

        if (strcmp(env_now[i], name) == 0) {
            return env_now[i + 1];
        }
    }

    return NULL;
}


static void
is_desktop(agent_desktop_e want, const char *configured,
    const char *const *vars, const char *detail, const char *what)
{
    const char          *display;
    agent_desktop_e      got;
    g_autoptr(GError)    error = NULL;

    env_now = vars;
    got = agent_probe(configured, env, &display, &error);

    if (want == AGENT_DESKTOP_X11) {
        ok(got == want && error == NULL
           && g_strcmp0(display, detail) == 0, "%s", what);
        return;
    }

    ok(got == want && display == NULL && error != NULL
       && g_error_matches(error, AGENT_DESKTOP_ERROR, (int) want)
       && strstr(error->message, detail) != NULL, "%s", what);
}


int
main(void)
{
    g_autoptr(GError)  error = NULL;

    static const char *const  x11[] = { "DISPLAY", ":0", NULL };
    static const char *const  none[] = { "DISPLAY", "", NULL };
    static const char *const  wayland[] = {
        "DISPLAY", ":0", "WAYLAND_DISPLAY", "wayland-0", NULL
    };
    static const char *const  type[] = {
        "DISPLAY", ":0", "XDG_SESSION_TYPE", "wayland", NULL
    };
    static const char *const  session[] = {
        "DISPLAY", ":0", "XDG_SESSION_TYPE", "x11", "WAYLAND_DISPLAY", "",
        "XDG_SESSION_CLASS", "user", NULL
    };
    static const char *const  greeter[] = {
        "DISPLAY", ":0", "XDG_SESSION_CLASS", "greeter", NULL
    };
    static const char *const  lightdm[] = {
        "DISPLAY", ":0", "XDG_GREETER_DATA_DIR", "/var/lib/x", NULL
    };

    is_desktop(AGENT_DESKTOP_X11, NULL, x11, ":0", "$DISPLAY");
    is_desktop(AGENT_DESKTOP_X11, NULL, session, ":0", "an X11 session");
    is_desktop(AGENT_DESKTOP_X11, ":7", x11, ":7",
               "a configured display comes first");
    is_desktop(AGENT_DESKTOP_X11, ":7", none, ":7", "and without $DISPLAY");
    is_desktop(AGENT_DESKTOP_X11, ":7", wayland, ":7",
               "the administrator's display is not second-guessed");
    is_desktop(AGENT_DESKTOP_NONE, NULL, none, "there is no display",
               "nothing set");
    is_desktop(AGENT_DESKTOP_WAYLAND, NULL, wayland,
               "Wayland session on wayland-0",
               "Xwayland's $DISPLAY is not taken");
    is_desktop(AGENT_DESKTOP_WAYLAND, NULL, type, "X11 (Xorg) session",
               "the session's type tells too, with the cure");
    is_desktop(AGENT_DESKTOP_GREETER, NULL, greeter, "login screen",
               "a display manager's greeter");
    is_desktop(AGENT_DESKTOP_GREETER, ":0", lightdm, "login screen",
               "LightDM's greeter");

    ok(agent_platform_open(":no-such-display", &error) == NULL
       && g_error_matches(error, AGENT_DESKTOP_ERROR,
                          AGENT_DESKTOP_UNREACHABLE)
       && strstr(error->message, ":no-such-display") != NULL
       && strstr(error->message, "XAUTHORITY") != NULL,
       "a display that cannot be opened is named, with the cure");

    return done();
}
