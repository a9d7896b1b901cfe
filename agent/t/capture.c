
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A capture that runs, and connections to its X server that are opened beside
 * it: for another capture, for the clipboard.  Neither waits for the other.
 */

#include "platform/platform.h"
#include "tap.h"
#include "xvfb.h"

#include <X11/Xlib.h>
#include <gst/gst.h>
#include <string.h>
#include <unistd.h>


#define FPS       60
#define FRAMES    240
#define OPENED    400
#define LIMIT_S   120           /* then SIGALRM ends it */


static void
bail(const char *why)
{
    printf("not ok - %s\n", why);
    exit(1);
}


static GstPadProbeReturn
on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    (void) pad;
    (void) info;

    g_atomic_int_inc((gint *) data);

    return GST_PAD_PROBE_OK;
}


static GstElement *
capture(agent_platform_t *platform, gint *frames)
{
    GstElement              *pipeline;
    agent_view_t             view;
    g_autofree char         *source = NULL;
    g_autofree char         *text = NULL;
    g_autoptr(GError)        error = NULL;
    g_autoptr(GstElement)    sink = NULL;
    g_autoptr(GstPad)        pad = NULL;

    memset(&view, 0, sizeof(view));
    view.pointer = TRUE;

    source = platform->ops->source(platform, FPS, &view);
    text = g_strdup_printf("%s ! fakesink name=sink sync=false", source);
    pipeline = gst_parse_launch(text, &error);

    if (pipeline == NULL) {
        bail(error->message);
    }

    sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    pad = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, frames, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);

    return pipeline;
}


static void
test_beside(agent_platform_t *platform, const char *name)
{
    gint             frames = 0;
    guint            opened = 0, shapes = 0;
    Display         *display;
    GstElement      *pipeline;
    agent_cursor_t   cursor;

    pipeline = capture(platform, &frames);

    while (opened < OPENED || g_atomic_int_get(&frames) < FRAMES) {
        display = XOpenDisplay(name);

        if (display == NULL) {
            break;
        }

        /* Xlib remembers who used an extension last: the capture has to ask */

        memset(&cursor, 0, sizeof(cursor));
        shapes += platform->ops->cursor(platform, &cursor);
        g_free(cursor.rgba);
        XCloseDisplay(display);
        opened++;
    }

    ok(opened >= OPENED && shapes == opened
       && g_atomic_int_get(&frames) >= FRAMES,
       "%u connections while %d frames are captured", opened,
       g_atomic_int_get(&frames));

    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}


int
main(int argc, char **argv)
{
    pid_t                pid;
    char                *name;
    agent_platform_t    *platform;
    g_autoptr(GError)    error = NULL;

    gst_init(&argc, &argv);

    name = xvfb_start("640x480x24", &pid);
    platform = agent_platform_open(name, &error);

    if (platform == NULL) {
        kill(pid, SIGTERM);
        bail(error->message);
    }

    alarm(LIMIT_S);
    test_beside(platform, name);
    alarm(0);

    agent_platform_close(platform);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    g_free(name);

    return done();
}
