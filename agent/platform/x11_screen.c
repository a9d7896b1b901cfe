
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns RandR's monitors and XFixes' cursor images, each as far as the X
 * server has the extension.
 */

#include "x11_screen.h"

#include <X11/extensions/Xfixes.h>
#include <X11/extensions/Xrandr.h>
#include <string.h>


static gboolean agent_x11_area(const XRRMonitorInfo *info, int width,
    int height, agent_area_t *area);
static void agent_x11_name(agent_x11_screen_t *screen, Atom atom,
    char *name);
static void agent_x11_pixel(gulong argb, guint8 *rgba);


void
agent_x11_screen_watch(agent_x11_screen_t *screen, Display *display,
    Window root)
{
    int  major, minor, error;

    screen->display = display;
    screen->root = root;
    screen->randr = -1;
    screen->xfixes = -1;

    /* monitors came with RandR 1.5 */

    if (XRRQueryExtension(display, &screen->randr, &error)
        && XRRQueryVersion(display, &major, &minor)
        && (major > 1 || minor >= 5))
    {
        XRRSelectInput(display, root, RRScreenChangeNotifyMask
                                      |RRCrtcChangeNotifyMask
                                      |RROutputChangeNotifyMask);

    } else {
        screen->randr = -1;
    }

    if (XFixesQueryExtension(display, &screen->xfixes, &error)
        && XFixesQueryVersion(display, &major, &minor))
    {
        XFixesSelectCursorInput(display, root,
                                XFixesDisplayCursorNotifyMask);

    } else {
        screen->xfixes = -1;
    }
}


agent_x11_event_e
agent_x11_screen_event(agent_x11_screen_t *screen, XEvent *event)
{
    if (screen->randr >= 0
        && (event->type == screen->randr + RRScreenChangeNotify
            || event->type == screen->randr + RRNotify))
    {
        XRRUpdateConfiguration(event);
        return AGENT_X11_MONITORS;
    }

    if (screen->xfixes >= 0
        && event->type == screen->xfixes + XFixesCursorNotify)
    {
        return AGENT_X11_CURSOR;
    }

    return AGENT_X11_NOTHING;
}


guint
agent_x11_monitors(agent_x11_screen_t *screen, int width, int height,
    agent_monitor_t *monitors)
{
    int                i, n;
    guint              found;
    XRRMonitorInfo    *info;
    agent_monitor_t   *monitor;

    if (screen->randr < 0) {
        return 0;
    }

    info = XRRGetMonitors(screen->display, screen->root, True, &n);

    if (info == NULL) {
        return 0;
    }

    for (i = 0, found = 0; i < n && found < AGENT_MONITORS; i++) {
        monitor = &monitors[found];

        if (agent_x11_area(&info[i], width, height, &monitor->area)) {
            agent_x11_name(screen, info[i].name, monitor->name);
            monitor->primary = info[i].primary;
            found++;
        }
    }

    XRRFreeMonitors(info);

    return found;
}


/* one that reaches beyond the screen could not be captured */

static gboolean
agent_x11_area(const XRRMonitorInfo *info, int width, int height,
    agent_area_t *area)
{
    area->x = MAX(info->x, 0);
    area->y = MAX(info->y, 0);
    area->width = (MIN(info->x + info->width, width) - area->x) & ~1;
    area->height = (MIN(info->y + info->height, height) - area->y) & ~1;

    return area->width > 0 && area->height > 0;
}


static void
agent_x11_name(agent_x11_screen_t *screen, Atom atom, char *name)
{
    char   *text;
    gsize   i;

    text = (atom != None) ? XGetAtomName(screen->display, atom) : NULL;
    g_strlcpy(name, (text != NULL && text[0] != '\0') ? text : "?",
              AGENT_MONITOR_NAME);

    if (text != NULL) {
        XFree(text);
    }

    for (i = 0; name[i] != '\0'; i++) {
        if (!g_ascii_isprint(name[i])) {
            name[i] = '_';
        }
    }
}


/*
 * Xlib gives 32 bits of a pixel in a long each, colours times their alpha.
 * Every so manyth pixel of what is too large.
 */

gboolean
agent_x11_cursor(agent_x11_screen_t *screen, agent_cursor_t *cursor)
{
    int                 x, y, step;
    guint8             *out;
    XFixesCursorImage  *image;

    image = (screen->xfixes >= 0) ? XFixesGetCursorImage(screen->display)
                                  : NULL;
    if (image == NULL) {
        return FALSE;
    }

    step = 1 + (MAX(image->width, image->height) - 1) / AGENT_CURSOR_SIZE;
    cursor->width = image->width / step;
    cursor->height = image->height / step;

    if (cursor->width == 0 || cursor->height == 0) {
        XFree(image);
        return FALSE;
    }

    cursor->x = CLAMP(image->xhot / step, 0, cursor->width - 1);
    cursor->y = CLAMP(image->yhot / step, 0, cursor->height - 1);
    cursor->rgba = g_malloc((gsize) cursor->width * cursor->height * 4);
    out = cursor->rgba;

    for (y = 0; y < cursor->height; y++) {
        for (x = 0; x < cursor->width; x++, out += 4) {
            agent_x11_pixel(image->pixels[y * step * image->width + x * step],
                            out);
        }
    }

    XFree(image);

    return TRUE;
}


static void
agent_x11_pixel(gulong argb, guint8 *rgba)
{
    guint  i, alpha;

    alpha = (argb >> 24) & 0xff;

    for (i = 0; i < 3; i++) {
        rgba[i] = (guint8) MIN(((argb >> (16 - 8 * i)) & 0xff) * 255
                               / MAX(alpha, 1), 255);
    }

    rgba[3] = (guint8) alpha;
}
