
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the agent's X connection: screen size, XTest input, and the keyboard.
 * ximagesrc captures over a connection of its own.
 *
 * A key travels as the character it makes, not as a position, because the
 * two keyboards may differ.  So a key press is: find a keycode and a level
 * of the current layout that bear the keysym; bend Shift and Level3 for the
 * one press if they are not as that level wants; put them back.  Named keys
 * are pressed with the modifiers as they are (Shift-Tab stays Shift-Tab).
 * A keysym that the layout does not have is put on a keycode without any,
 * out of a small rotation: clients look a key up when they handle the event,
 * so a keycode must not change its meaning soon after.
 */

#define _GNU_SOURCE
#define G_LOG_DOMAIN  "rs-x11"

#include "keymap.h"
#include "platform.h"
#include "x11_screen.h"
#include "x11_watch.h"

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/extensions/Xrandr.h>
#include <X11/keysym.h>
#include <string.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>


#define AGENT_X11_LEVELS  4
#define AGENT_X11_SPARES  8
#define AGENT_X11_BENT    16


typedef struct {
    KeyCode   keycode;
    KeySym    sym;
    gboolean  held;
    gint64    used_us;
} agent_x11_spare_t;


typedef struct {
    agent_platform_t    platform;   /* first: ops are called with it */

    Display            *display;
    Window              root;
    int                 screen;
    int                 width;      /* of the screen, as it is */
    int                 height;
    agent_x11_screen_t  events;     /* of monitors and the pointer */
    agent_monitor_t     monitors[AGENT_MONITORS];   /* as told last */
    guint               nmonitors;
    guint               source;     /* of the connection's descriptor */
    gboolean            lost;

    agent_x11_spare_t   spares[AGENT_X11_SPARES];
    guint               nspares;
} agent_x11_t;


/* modifier keys pressed or released for the length of one key press */

typedef struct {
    KeyCode   keycode[AGENT_X11_BENT];
    Bool      down[AGENT_X11_BENT];
    guint     n;
} agent_x11_bent_t;


static gboolean agent_x11_event(gpointer data);
static void agent_x11_configure(agent_x11_t *x, int width, int height);
static void agent_x11_other(agent_x11_t *x, XEvent *event);
static gboolean agent_x11_regroup(agent_x11_t *x);
static void agent_x11_lost(Display *display, void *data);
static int agent_x11_error(Display *display, XErrorEvent *event);
static int agent_x11_io_error(Display *display);
static gboolean agent_x11_is_xwayland(agent_x11_t *x);

static void agent_x11_size(agent_platform_t *p, int *width, int *height);
static char *agent_x11_source(agent_platform_t *p, guint fps,
    const agent_view_t *view);
static guint agent_x11_list(agent_platform_t *p, agent_monitor_t *monitors);
static gboolean agent_x11_shape(agent_platform_t *p, agent_cursor_t *cursor);
static gboolean agent_x11_pointer(agent_platform_t *p, int *px, int *py);
static void agent_x11_move(agent_platform_t *p, int px, int py);
static void agent_x11_button(agent_platform_t *p, guint button,
    gboolean down);
static void agent_x11_wheel(agent_platform_t *p, int dx, int dy);
static guint agent_x11_key_down(agent_platform_t *p, const char *key,
    const char *code);
static void agent_x11_key_up(agent_platform_t *p, guint handle);
static agent_clip_t *agent_x11_clipboard(agent_platform_t *p,
    agent_clip_copied_pt copied, void *data, GError **error);
static void agent_x11_close(agent_platform_t *p);

static void agent_x11_hold(agent_x11_t *x, guint keycode, gboolean held);
static void agent_x11_find_spares(agent_x11_t *x);
static KeyCode agent_x11_spare(agent_x11_t *x, KeySym sym);
static KeyCode agent_x11_find(agent_x11_t *x, const XkbStateRec *state,
    KeySym sym, guint *level);
static gboolean agent_x11_same(KeySym have, KeySym sym);
static KeySym agent_x11_sym(agent_x11_t *x, KeyCode keycode, int group,
    int level);
static guint agent_x11_level(agent_x11_t *x, const XkbStateRec *state,
    KeySym sym);
static void agent_x11_bend(agent_x11_t *x, guint mask, KeySym with,
    gboolean want, agent_x11_bent_t *bent);
static void agent_x11_unbend(agent_x11_t *x, const agent_x11_bent_t *bent);


static const agent_platform_ops_t  agent_x11_ops = {
    "x11",
    agent_x11_size,
    agent_x11_source,
    agent_x11_list,
    agent_x11_shape,
    agent_x11_pointer,
    agent_x11_move,
    agent_x11_button,
    agent_x11_wheel,
    agent_x11_key_down,
    agent_x11_key_up,
    agent_x11_clipboard,
    agent_x11_close
};


agent_platform_t *
agent_x11_open(const char *display, GError **error)
{
    int           major, minor, ev, err;
    agent_x11_t  *x;

    XInitThreads();
    XSetErrorHandler(agent_x11_error);
    XSetIOErrorHandler(agent_x11_io_error);

    x = g_new0(agent_x11_t, 1);
    x->platform.ops = &agent_x11_ops;
    x->display = XOpenDisplay(display);

    if (x->display == NULL) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_UNREACHABLE,
                    "the X display \"%s\" cannot be opened: is the X server "
                    "running, and may this user use it (XAUTHORITY)?",
                    display);
        g_free(x);
        return NULL;
    }

    XSetIOErrorExitHandler(x->display, agent_x11_lost, x);

    x->screen = DefaultScreen(x->display);
    x->root = RootWindow(x->display, x->screen);
    x->width = DisplayWidth(x->display, x->screen);
    x->height = DisplayHeight(x->display, x->screen);

    if (agent_x11_is_xwayland(x)) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_WAYLAND,
                    "the X display \"%s\" is Xwayland inside a Wayland "
                    "session, which cannot be shared yet: choose an X11 "
                    "(Xorg) session at login", display);
        agent_x11_close(&x->platform);
        return NULL;
    }

    if (!XTestQueryExtension(x->display, &ev, &err, &major, &minor)) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_UNREACHABLE,
                    "the X display \"%s\" has no XTEST extension: start the "
                    "X server with it", display);
        agent_x11_close(&x->platform);
        return NULL;
    }

    /* input must go on while another client has grabbed the server */

    XTestGrabControl(x->display, True);

    XSelectInput(x->display, x->root, StructureNotifyMask);
    agent_x11_screen_watch(&x->events, x->display, x->root);
    agent_x11_regroup(x);
    agent_x11_find_spares(x);
    XSync(x->display, False);

    x->source = agent_x11_watch(x->display, agent_x11_event, x);

    return &x->platform;
}


static void
agent_x11_close(agent_platform_t *p)
{
    guint         i;
    KeySym        none[2] = { NoSymbol, NoSymbol };
    agent_x11_t  *x = (agent_x11_t *) p;

    g_clear_handle_id(&x->source, g_source_remove);

    for (i = 0; i < x->nspares && !x->lost; i++) {

        if (x->spares[i].sym != NoSymbol) {
            XChangeKeyboardMapping(x->display, x->spares[i].keycode, 2, none,
                                   1);
        }
    }

    if (!x->lost) {
        XCloseDisplay(x->display);
    }

    g_free(x);
}


/* RandR's outputs of Xwayland are named so, with or without its extension */

static gboolean
agent_x11_is_xwayland(agent_x11_t *x)
{
    int                  i, op, ev, err;
    gboolean             found;
    XRROutputInfo       *info;
    XRRScreenResources  *res;

    if (XQueryExtension(x->display, "XWAYLAND", &op, &ev, &err)) {
        return TRUE;
    }

    if (!XRRQueryExtension(x->display, &ev, &err)) {
        return FALSE;
    }

    res = XRRGetScreenResourcesCurrent(x->display, x->root);
    if (res == NULL) {
        return FALSE;
    }

    found = FALSE;

    for (i = 0; i < res->noutput && !found; i++) {
        info = XRRGetOutputInfo(x->display, res, res->outputs[i]);

        if (info != NULL) {
            found = strncmp(info->name, "XWAYLAND", 8) == 0;
            XRRFreeOutputInfo(info);
        }
    }

    XRRFreeScreenResources(res);

    return found;
}


/* Xlib's default is to end the process; a resize under capture is one */

static int
agent_x11_error(Display *display, XErrorEvent *event)
{
    char  text[128];

    XGetErrorText(display, event->error_code, text, sizeof(text));
    g_info("X error %s of request %d.%d", text, event->request_code,
           event->minor_code);

    return 0;
}


/*
 * The X server is gone.  On the main thread this returns, and Xlib calls
 * agent_x11_lost().  ximagesrc's thread must not return, since Xlib would
 * end the process under the main loop, which is saying goodbye.
 */

static int
agent_x11_io_error(Display *display)
{
    (void) display;

    while (getpid() != gettid()) {
        pause();
    }

    return 0;
}


static void
agent_x11_lost(Display *display, void *data)
{
    agent_x11_t  *x = data;

    (void) display;

    if (!x->lost) {
        x->lost = TRUE;
        g_clear_handle_id(&x->source, g_source_remove);

        if (x->platform.changed != NULL) {
            x->platform.changed(x->platform.data, TRUE);
        }
    }
}


static gboolean
agent_x11_event(gpointer data)
{
    XEvent        event;
    agent_x11_t  *x = data;

    /* XPending() reads, and so notices a dead server */

    while (!x->lost && XPending(x->display) > 0) {
        XNextEvent(x->display, &event);

        switch (event.type) {

        case ConfigureNotify:
            agent_x11_configure(x, event.xconfigure.width,
                                event.xconfigure.height);
            break;

        case MappingNotify:
            XRefreshKeyboardMapping(&event.xmapping);
            break;

        default:
            agent_x11_other(x, &event);
            break;
        }
    }

    return x->lost ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}


static void
agent_x11_configure(agent_x11_t *x, int width, int height)
{
    if (x->width == width && x->height == height) {
        return;
    }

    x->width = width;
    x->height = height;
    agent_x11_regroup(x);

    if (x->platform.changed != NULL) {
        x->platform.changed(x->platform.data, FALSE);
    }
}


static void
agent_x11_other(agent_x11_t *x, XEvent *event)
{
    switch (agent_x11_screen_event(&x->events, event)) {

    case AGENT_X11_MONITORS:
        if (agent_x11_regroup(x) && x->platform.changed != NULL) {
            x->platform.changed(x->platform.data, FALSE);
        }

        break;

    case AGENT_X11_CURSOR:
        if (x->platform.reshaped != NULL) {
            x->platform.reshaped(x->platform.data);
        }

        break;

    case AGENT_X11_NOTHING:
        break;
    }
}


/* a new size is told by its own event, and by RandR's again */

static gboolean
agent_x11_regroup(agent_x11_t *x)
{
    guint            n;
    gboolean         other;
    agent_monitor_t  monitors[AGENT_MONITORS];

    memset(monitors, 0, sizeof(monitors));
    n = agent_x11_monitors(&x->events, x->width, x->height, monitors);
    other = n != x->nmonitors
            || memcmp(monitors, x->monitors, sizeof(monitors)) != 0;

    x->nmonitors = n;
    memcpy(x->monitors, monitors, sizeof(monitors));

    return other;
}


/* encoders want even sizes */

static void
agent_x11_size(agent_platform_t *p, int *width, int *height)
{
    agent_x11_t  *x = (agent_x11_t *) p;

    *width = x->width & ~1;
    *height = x->height & ~1;
}


static char *
agent_x11_source(agent_platform_t *p, guint fps, const agent_view_t *view)
{
    agent_x11_t       *x = (agent_x11_t *) p;
    agent_area_t       area;
    g_autofree char   *name = NULL;

    agent_platform_area(p, view, &area);
    name = g_strescape(DisplayString(x->display), NULL);

    return g_strdup_printf("ximagesrc display-name=\"%s\" use-damage=false "
                           "show-pointer=%s startx=%d starty=%d endx=%d "
                           "endy=%d ! video/x-raw,framerate=%u/1",
                           name, view->pointer ? "true" : "false",
                           area.x, area.y, area.x + area.width - 1,
                           area.y + area.height - 1, fps);
}


static guint
agent_x11_list(agent_platform_t *p, agent_monitor_t *monitors)
{
    agent_x11_t  *x = (agent_x11_t *) p;

    /* not those told last: the X server is silent of some */

    return x->lost ? 0 : agent_x11_monitors(&x->events, x->width, x->height,
                                            monitors);
}


static gboolean
agent_x11_shape(agent_platform_t *p, agent_cursor_t *cursor)
{
    agent_x11_t  *x = (agent_x11_t *) p;

    return !x->lost && agent_x11_cursor(&x->events, cursor);
}


static gboolean
agent_x11_pointer(agent_platform_t *p, int *px, int *py)
{
    int           wx, wy;
    Window        root, child;
    unsigned      mask;
    agent_x11_t  *x = (agent_x11_t *) p;

    return !x->lost
           && XQueryPointer(x->display, x->root, &root, &child, px, py, &wx,
                            &wy, &mask);
}


static void
agent_x11_move(agent_platform_t *p, int px, int py)
{
    agent_x11_t  *x = (agent_x11_t *) p;

    if (x->lost) {
        return;
    }

    XTestFakeMotionEvent(x->display, x->screen, px, py, CurrentTime);
    XFlush(x->display);
}


static void
agent_x11_button(agent_platform_t *p, guint button, gboolean down)
{
    agent_x11_t              *x = (agent_x11_t *) p;
    static const guint        buttons[] = { 1, 2, 3, 8, 9 };

    if (!x->lost && button < G_N_ELEMENTS(buttons)) {
        XTestFakeButtonEvent(x->display, buttons[button], down, CurrentTime);
        XFlush(x->display);
    }
}


static void
agent_x11_wheel(agent_platform_t *p, int dx, int dy)
{
    int           i;
    guint         button;
    agent_x11_t  *x = (agent_x11_t *) p;

    if (x->lost) {
        return;
    }

    button = (dy < 0) ? 4 : 5;

    for (i = 0; i < ABS(dy); i++) {
        XTestFakeButtonEvent(x->display, button, True, CurrentTime);
        XTestFakeButtonEvent(x->display, button, False, CurrentTime);
    }

    button = (dx < 0) ? 6 : 7;

    for (i = 0; i < ABS(dx); i++) {
        XTestFakeButtonEvent(x->display, button, True, CurrentTime);
        XTestFakeButtonEvent(x->display, button, False, CurrentTime);
    }

    XFlush(x->display);
}


static guint
agent_x11_key_down(agent_platform_t *p, const char *key, const char *code)
{
    guint              level, now;
    KeySym             sym;
    KeyCode            keycode;
    gboolean           printable;
    XkbStateRec        state;
    agent_x11_t       *x = (agent_x11_t *) p;
    agent_x11_bent_t   bent = { .n = 0 };

    sym = agent_keysym(key, code, &printable);

    if (sym == NoSymbol
        || x->lost
        || XkbGetState(x->display, XkbUseCoreKbd, &state) != Success)
    {
        return 0;
    }

    keycode = agent_x11_find(x, &state, sym, &level);

    /* Ctrl-C on a keyboard without Latin letters means the key's place */

    if (keycode == 0 && (state.mods & (ControlMask|Mod1Mask|Mod4Mask))
        && agent_keysym_us(code) != 0)
    {
        printable = FALSE;
        keycode = agent_x11_find(x, &state, agent_keysym_us(code), &level);
    }

    if (keycode == 0 && printable) {
        printable = FALSE;
        keycode = agent_x11_spare(x, sym);
    }

    if (keycode == 0) {
        return 0;
    }

    if (printable) {
        now = agent_x11_level(x, &state, sym);

        if ((level ^ now) & 1) {
            agent_x11_bend(x, ShiftMask, XK_Shift_L,
                           !(state.mods & ShiftMask), &bent);
        }

        if ((level ^ now) & 2) {
            agent_x11_bend(x, XkbKeysymToModifiers(x->display,
                                                   XK_ISO_Level3_Shift),
                           XK_ISO_Level3_Shift, (level & 2) != 0, &bent);
        }
    }

    XTestFakeKeyEvent(x->display, keycode, True, CurrentTime);
    agent_x11_unbend(x, &bent);
    XFlush(x->display);

    agent_x11_hold(x, keycode, TRUE);

    return keycode;
}


static void
agent_x11_key_up(agent_platform_t *p, guint handle)
{
    agent_x11_t  *x = (agent_x11_t *) p;

    if (x->lost) {
        return;
    }

    XTestFakeKeyEvent(x->display, handle, False, CurrentTime);
    XFlush(x->display);

    agent_x11_hold(x, handle, FALSE);
}


static agent_clip_t *
agent_x11_clipboard(agent_platform_t *p, agent_clip_copied_pt copied,
    void *data, GError **error)
{
    agent_x11_t  *x = (agent_x11_t *) p;

    return agent_clip_x11_open(DisplayString(x->display), copied, data, error);
}


/* a spare keycode keeps its meaning while it is held, and a while longer */

static void
agent_x11_hold(agent_x11_t *x, guint keycode, gboolean held)
{
    guint  i;

    for (i = 0; i < x->nspares; i++) {

        if (x->spares[i].keycode == keycode) {
            x->spares[i].held = held;
            x->spares[i].used_us = g_get_monotonic_time();
        }
    }
}


static KeySym
agent_x11_sym(agent_x11_t *x, KeyCode keycode, int group, int level)
{
    KeySym  sym;

    sym = XkbKeycodeToKeysym(x->display, keycode, group, level);

    /* keys that are the same in all layouts have one group only */

    if (sym == NoSymbol && group != 0) {
        sym = XkbKeycodeToKeysym(x->display, keycode, 0, level);
    }

    return sym;
}


/* the level that the modifiers held now select for a key like sym's */

static guint
agent_x11_level(agent_x11_t *x, const XkbStateRec *state, KeySym sym)
{
    guint   level, level3;
    KeySym  lower, upper;

    level = (state->mods & ShiftMask) ? 1 : 0;

    XConvertCase(sym, &lower, &upper);

    if (lower != upper && (state->mods & LockMask)) {
        level ^= 1;
    }

    level3 = XkbKeysymToModifiers(x->display, XK_ISO_Level3_Shift);

    if (state->mods & level3) {
        level |= 2;
    }

    return level;
}


/*
 * Many characters have two keysyms: an old one of their own, which layouts
 * use, and the Unicode one.  Function and keypad keys are only themselves.
 */

static gboolean
agent_x11_same(KeySym have, KeySym sym)
{
    if (have == sym) {
        return sym != NoSymbol;
    }

    return (sym & 0xff000000) == 0x01000000
           && have < 0xff00
           && have != NoSymbol
           && xkb_keysym_to_utf32((xkb_keysym_t) have) == (sym & 0xffffff);
}


/* prefers the level that needs no bending, then the lowest */

static KeyCode
agent_x11_find(agent_x11_t *x, const XkbStateRec *state, KeySym sym,
    guint *level)
{
    int      keycode, min, max;
    guint    l, now;
    KeySym   have;
    KeyCode  found;

    XDisplayKeycodes(x->display, &min, &max);

    now = agent_x11_level(x, state, sym);
    found = 0;
    *level = AGENT_X11_LEVELS;

    for (keycode = min; keycode <= max; keycode++) {

        for (l = 0; l < AGENT_X11_LEVELS; l++) {
            have = agent_x11_sym(x, (KeyCode) keycode, state->group,
                                 (int) l);

            if (!agent_x11_same(have, sym)) {
                continue;
            }

            if (l == now) {
                *level = l;
                return (KeyCode) keycode;
            }

            if (l < *level) {
                *level = l;
                found = (KeyCode) keycode;
            }
        }
    }

    return found;
}


static void
agent_x11_find_spares(agent_x11_t *x)
{
    int       keycode, min, max, level;
    gboolean  used;

    XDisplayKeycodes(x->display, &min, &max);

    for (keycode = max;
         keycode >= min && x->nspares < AGENT_X11_SPARES;
         keycode--)
    {
        used = FALSE;

        for (level = 0; level < AGENT_X11_LEVELS; level++) {

            if (agent_x11_sym(x, (KeyCode) keycode, 0, level) != NoSymbol) {
                used = TRUE;
            }
        }

        if (!used) {
            x->spares[x->nspares++].keycode = (KeyCode) keycode;
        }
    }
}


static KeyCode
agent_x11_spare(agent_x11_t *x, KeySym sym)
{
    guint               i;
    KeySym              both[2] = { sym, sym };
    agent_x11_spare_t  *spare, *best;

    best = NULL;

    for (i = 0; i < x->nspares; i++) {
        spare = &x->spares[i];

        if (spare->sym == sym) {
            best = spare;
            break;
        }

        if (!spare->held && (best == NULL || spare->used_us < best->used_us))
        {
            best = spare;
        }
    }

    if (best == NULL) {
        return 0;
    }

    if (best->sym != sym) {
        XChangeKeyboardMapping(x->display, best->keycode, 2, both, 1);
        XSync(x->display, False);
        best->sym = sym;
    }

    return best->keycode;
}


/*
 * want: press a key that makes the modifier; else release all held keys
 * that do.
 */

static void
agent_x11_bend(agent_x11_t *x, guint mask, KeySym with, gboolean want,
    agent_x11_bent_t *bent)
{
    int               i, j;
    char              keys[32];
    KeyCode           keycode;
    XModifierKeymap  *map;

    if (want) {
        keycode = XKeysymToKeycode(x->display, with);

        if (keycode != 0 && bent->n < AGENT_X11_BENT) {
            XTestFakeKeyEvent(x->display, keycode, True, CurrentTime);
            bent->keycode[bent->n] = keycode;
            bent->down[bent->n++] = True;
        }

        return;
    }

    map = XGetModifierMapping(x->display);
    XQueryKeymap(x->display, keys);

    for (i = 0; map != NULL && i < 8; i++) {

        if (!(mask & (1u << i))) {
            continue;
        }

        for (j = 0; j < map->max_keypermod; j++) {
            keycode = map->modifiermap[i * map->max_keypermod + j];

            if (keycode != 0
                && (keys[keycode / 8] & (1 << (keycode % 8)))
                && bent->n < AGENT_X11_BENT)
            {
                XTestFakeKeyEvent(x->display, keycode, False, CurrentTime);
                bent->keycode[bent->n] = keycode;
                bent->down[bent->n++] = False;
            }
        }
    }

    if (map != NULL) {
        XFreeModifiermap(map);
    }
}


static void
agent_x11_unbend(agent_x11_t *x, const agent_x11_bent_t *bent)
{
    guint  i;

    for (i = bent->n; i > 0; i--) {
        XTestFakeKeyEvent(x->display, bent->keycode[i - 1],
                          !bent->down[i - 1], CurrentTime);
    }
}
