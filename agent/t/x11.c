
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The X11 platform against a real X server: coordinates, buttons, keysyms as
 * a client sees them, modifiers left as they were, another size, and a
 * server that goes away.
 */

#include "platform/platform.h"
#include "tap.h"
#include "xvfb.h"

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/Xrandr.h>
#include <X11/keysym.h>
#include <string.h>


#define SCREEN_W  1281
#define SCREEN_H  721
#define DEADLINE_US  (10 * G_USEC_PER_SEC)


typedef struct {
    pid_t               pid;
    char               *name;
    Display            *display;        /* of the client that watches */
    Window              window;
    agent_platform_t   *platform;
    int                 changed;
    int                 lost;
    int                 reshaped;
} fixture_t;


static void
bail(const char *why)
{
    printf("not ok - %s\n", why);
    exit(1);
}


static void
open_client(fixture_t *f)
{
    XEvent                event;
    XSetWindowAttributes  attr;

    f->display = XOpenDisplay(f->name);

    if (f->display == NULL) {
        bail("the test cannot open its display");
    }

    attr.override_redirect = True;
    attr.event_mask = KeyPressMask|KeyReleaseMask|ButtonPressMask
                      |ButtonReleaseMask|StructureNotifyMask;

    f->window = XCreateWindow(f->display, DefaultRootWindow(f->display), 0, 0,
                              1281, 721, 0, CopyFromParent, InputOutput,
                              CopyFromParent, CWOverrideRedirect|CWEventMask,
                              &attr);
    XMapWindow(f->display, f->window);
    XWindowEvent(f->display, f->window, StructureNotifyMask, &event);
    XSetInputFocus(f->display, f->window, RevertToParent, CurrentTime);
    XSync(f->display, False);
}


/* the next event of the type, with the keymap as it changes meanwhile */

static gboolean
next(fixture_t *f, int type, XEvent *event)
{
    gint64  end_us;

    end_us = g_get_monotonic_time() + DEADLINE_US;

    while (g_get_monotonic_time() < end_us) {

        if (XPending(f->display) == 0) {
            g_usleep(1000);
            continue;
        }

        XNextEvent(f->display, event);

        if (event->type == MappingNotify) {
            XRefreshKeyboardMapping(&event->xmapping);

        } else if (event->type == type) {
            return TRUE;
        }
    }

    return FALSE;
}


/* the keysym a client gets of the next press that is no modifier */

static KeySym
next_sym(fixture_t *f)
{
    char    text[16];
    KeySym  sym;
    XEvent  event;

    do {
        if (!next(f, KeyPress, &event)) {
            return NoSymbol;
        }

        XLookupString(&event.xkey, text, sizeof(text), &sym, NULL);

    } while (IsModifierKey(sym));

    return sym;
}


static guint
key_down(fixture_t *f, const char *key, const char *code)
{
    return f->platform->ops->key_down(f->platform, key, code);
}


static void
key_up(fixture_t *f, guint handle)
{
    f->platform->ops->key_up(f->platform, handle);
}


static unsigned
modifiers(fixture_t *f)
{
    XkbStateRec  state;

    XkbGetState(f->display, XkbUseCoreKbd, &state);

    return state.mods;
}


static void
test_pointer(fixture_t *f)
{
    guint    i;
    XEvent   event;
    int      width, height;

    static const unsigned  buttons[] = { 1, 2, 3, 8, 9 };

    agent_platform_size(f->platform, &width, &height);
    ok(width == 1280 && height == 720, "an odd screen is shown in even size");

    for (i = 0; i < G_N_ELEMENTS(buttons); i++) {
        f->platform->ops->move(f->platform, 300 + (int) i, 200);
        f->platform->ops->button(f->platform, i, TRUE);
        f->platform->ops->button(f->platform, i, FALSE);

        ok(next(f, ButtonPress, &event)
           && event.xbutton.button == buttons[i]
           && event.xbutton.x_root == 300 + (int) i
           && event.xbutton.y_root == 200, "DOM button %u", i);
    }

    f->platform->ops->wheel(f->platform, -1, 2);

    for (i = 0; i < 3; i++) {
        ok(next(f, ButtonPress, &event)
           && event.xbutton.button == (i < 2 ? 5 : 6), "wheel notch %u", i);
    }
}


static void
test_keys(fixture_t *f)
{
    gsize   i;
    guint   handle;
    KeySym  got;
    XEvent  event;

    static const struct {
        const char  *key;
        const char  *code;
        KeySym       sym;
    } keys[] = {
        { "a", "KeyA", XK_a },
        { "A", "KeyA", XK_A },
        { "/", "Slash", XK_slash },
        { "?", "Slash", XK_question },
        { "Enter", "Enter", XK_Return },
        { "F5", "F5", XK_F5 },
        { "\xc3\xa4", "Quote", XK_adiaeresis },
        { "\xe2\x82\xac", "KeyE", 0x010020ac },
        { "\xd0\xb6", "Semicolon", 0x01000436 },
        { "\xe6\x97\xa5", "KeyX", 0x010065e5 },
        { "\xd0\xb6", "Semicolon", 0x01000436 }
    };

    for (i = 0; i < G_N_ELEMENTS(keys); i++) {
        handle = key_down(f, keys[i].key, keys[i].code);
        got = next_sym(f);
        key_up(f, handle);

        if (!ok(handle != 0 && got == keys[i].sym
                && next(f, KeyRelease, &event), "key \"%s\"", keys[i].key))
        {
            printf("#   got %lx, want %lx\n", got, keys[i].sym);
        }
    }

    ok(key_down(f, "Dead", "Quote") == 0, "a dead key is not injected");
    is_int(modifiers(f), 0, "no modifier is left behind");
}


/* Shift held, as the viewer's own Shift key does */

static void
test_shift(fixture_t *f)
{
    guint   shift, handle;
    XEvent  event;

    shift = key_down(f, "Shift", "ShiftLeft");
    ok(shift != 0, "Shift goes down");

    handle = key_down(f, "B", "KeyB");
    is_int((gint64) next_sym(f), XK_B, "B with Shift");
    key_up(f, handle);

    /* a viewer's layout may have "1" shifted where ours has it plain */

    handle = key_down(f, "1", "Digit1");
    is_int((gint64) next_sym(f), XK_1, "1 with Shift held is 1");
    key_up(f, handle);

    handle = key_down(f, "Tab", "Tab");
    is_int((gint64) next_sym(f), XK_ISO_Left_Tab, "Shift-Tab stays so");
    key_up(f, handle);

    is_int(modifiers(f), ShiftMask, "Shift is held as before");
    key_up(f, shift);

    while (modifiers(f) != 0 && next(f, KeyRelease, &event)) { /* void */ }

    is_int(modifiers(f), 0, "and let go");
}


static void
test_caps_and_ctrl(fixture_t *f)
{
    guint   handle, ctrl;
    KeySym  sym;

    handle = key_down(f, "CapsLock", "CapsLock");
    key_up(f, handle);

    handle = key_down(f, "c", "KeyC");
    is_int((gint64) next_sym(f), XK_c, "c with Caps Lock on is c");
    key_up(f, handle);

    handle = key_down(f, "C", "KeyC");
    is_int((gint64) next_sym(f), XK_C, "C with Caps Lock on is C");
    key_up(f, handle);

    handle = key_down(f, "CapsLock", "CapsLock");
    key_up(f, handle);

    ctrl = key_down(f, "Control", "ControlLeft");
    handle = key_down(f, "\xd1\x81", "KeyC");
    sym = next_sym(f);
    is_int((gint64) sym, XK_c,
           "Ctrl and a letter of another script is the key's place");
    key_up(f, handle);
    key_up(f, ctrl);
}


static void
on_changed(void *data, gboolean lost)
{
    fixture_t  *f = data;

    f->changed++;
    f->lost += lost;
}


static void
on_reshaped(void *data)
{
    ((fixture_t *) data)->reshaped++;
}


static gboolean
wait_changed(fixture_t *f, int n)
{
    gint64  end_us;

    end_us = g_get_monotonic_time() + DEADLINE_US;

    while (f->changed < n && g_get_monotonic_time() < end_us) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }

    return f->changed >= n;
}


static void
set_monitor(fixture_t *f, const char *name, int x, int y, int width,
    int height, gboolean primary)
{
    XRRMonitorInfo  *info;

    info = XRRAllocateMonitor(f->display, 0);
    info->name = XInternAtom(f->display, name, False);
    info->primary = primary;
    info->x = x;
    info->y = y;
    info->width = width;
    info->height = height;
    XRRSetMonitor(f->display, DefaultRootWindow(f->display), info);
    XSync(f->display, False);
    XRRFreeMonitors(info);
}


/* monitors as somebody with two of them has them, made without hardware */

static void
test_monitors(fixture_t *f)
{
    guint               n;
    agent_area_t        area;
    agent_view_t        view = { "right", FALSE };
    agent_monitor_t     m[AGENT_MONITORS];
    g_autofree char    *source = NULL;

    n = f->platform->ops->monitors(f->platform, m);
    is_int(n, 1, "one monitor");
    ok(m[0].area.x == 0 && m[0].area.y == 0
       && m[0].area.width == (SCREEN_W & ~1)
       && m[0].area.height == (SCREEN_H & ~1), "which is the screen, even");

    set_monitor(f, "left", 0, 0, 640, SCREEN_H, FALSE);
    set_monitor(f, "right", 640, 11, 5000, 401, TRUE);

    n = f->platform->ops->monitors(f->platform, m);
    is_int(n, 3, "three of them, with that of the output");

    agent_platform_area(f->platform, &view, &area);
    ok(area.x == 640 && area.y == 11 && area.width == 640
       && area.height == 400, "what is beyond the screen is cut off: %d, %d,"
       " %d by %d", area.x, area.y, area.width, area.height);

    source = f->platform->ops->source(f->platform, 5, &view);
    ok(strstr(source, "show-pointer=false startx=640 starty=11 endx=1279 "
                      "endy=410") != NULL, "the source is of it alone");

    g_strlcpy(view.monitor, "gone", sizeof(view.monitor));
    agent_platform_area(f->platform, &view, &area);
    ok(area.x == 0 && area.width == (SCREEN_W & ~1),
       "one that is not there is the whole screen");

    XRRDeleteMonitor(f->display, DefaultRootWindow(f->display),
                     XInternAtom(f->display, "left", False));
    XRRDeleteMonitor(f->display, DefaultRootWindow(f->display),
                     XInternAtom(f->display, "right", False));
    XSync(f->display, False);
    is_int(f->platform->ops->monitors(f->platform, m), 1, "one again");
}


static void
test_cursor(fixture_t *f)
{
    int              x, y;
    Cursor           shape;
    gint64           end_us;
    XColor           black = { .flags = 0 }, red = { .red = 0xffff };
    Pixmap           image;
    agent_cursor_t   cursor;

    static char  bits[8] = { 1, 2, 4, 8, 16, 32, 64, -128 };
    static char  mask[8] = { -1, -1, -1, -1, -1, -1, -1, 0x7f };

    f->platform->ops->move(f->platform, 123, 45);
    ok(f->platform->ops->pointer(f->platform, &x, &y) && x == 123 && y == 45,
       "where the pointer is");

    image = XCreateBitmapFromData(f->display, f->window, bits, 8, 8);
    shape = XCreatePixmapCursor(f->display, image,
                                XCreateBitmapFromData(f->display, f->window,
                                                      mask, 8, 8),
                                &red, &black, 3, 5);
    f->reshaped = 0;
    XDefineCursor(f->display, f->window, shape);
    XSync(f->display, False);

    end_us = g_get_monotonic_time() + DEADLINE_US;

    while (f->reshaped == 0 && g_get_monotonic_time() < end_us) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }

    ok(f->reshaped > 0, "another shape is noticed");
    ok(f->platform->ops->cursor(f->platform, &cursor), "and can be had");
    ok(cursor.width == 8 && cursor.height == 8 && cursor.x == 3
       && cursor.y == 5, "its size, and the point that clicks");
    ok(cursor.rgba[0] == 255 && cursor.rgba[1] == 0 && cursor.rgba[2] == 0
       && cursor.rgba[3] == 255, "a red pixel");
    ok(cursor.rgba[4] == 0 && cursor.rgba[7] == 255, "a black one");
    is_int(cursor.rgba[8 * 8 * 4 - 1], 0, "and one that is not there");

    g_free(cursor.rgba);
}


/* ximagesrc grabs the server, and another thread opens a display meanwhile */

static void
test_grab(fixture_t *f)
{
    Display  *other;

    XGrabServer(f->display);
    XSync(f->display, False);

    (void) alarm(30);                   /* it would be for ever */
    other = XOpenDisplay(f->name);
    (void) alarm(0);

    ok(other != NULL, "nobody here holds the server up");
    XUngrabServer(f->display);
    XCloseDisplay(other);
}


static void
test_resize(fixture_t *f)
{
    int                   width, height;
    RRMode                mode;
    RRCrtc                crtc;
    RROutput              output;
    XRRModeInfo           info;
    agent_view_t          whole = { "", TRUE };
    g_autofree char      *source = NULL;
    XRRScreenResources   *res;

    memset(&info, 0, sizeof(info));
    info.width = 1025;
    info.height = 700;
    info.dotClock = 60000000;
    info.hSyncStart = 1040;
    info.hSyncEnd = 1100;
    info.hTotal = 1200;
    info.vSyncStart = 710;
    info.vSyncEnd = 720;
    info.vTotal = 740;
    info.name = (char *) "small";
    info.nameLength = 5;

    res = XRRGetScreenResources(f->display, DefaultRootWindow(f->display));
    output = res->outputs[0];
    crtc = res->crtcs[0];

    mode = XRRCreateMode(f->display, DefaultRootWindow(f->display), &info);
    XRRAddOutputMode(f->display, output, mode);
    XRRSetCrtcConfig(f->display, res, crtc, CurrentTime, 0, 0, None,
                     RR_Rotate_0, NULL, 0);
    XRRSetScreenSize(f->display, DefaultRootWindow(f->display), 1025, 700,
                     270, 180);
    XRRSetCrtcConfig(f->display, res, crtc, CurrentTime, 0, 0, mode,
                     RR_Rotate_0, &output, 1);
    XSync(f->display, False);
    XRRFreeScreenResources(res);

    ok(wait_changed(f, 1) && f->lost == 0, "another size is noticed");
    agent_platform_size(f->platform, &width, &height);
    ok(width == 1024 && height == 700, "and is even");

    source = f->platform->ops->source(f->platform, 12, &whole);
    ok(strstr(source, "startx=0 starty=0 endx=1023 endy=699") != NULL
       && strstr(source, "framerate=12/1") != NULL, "the source is of it");
}


static void
test_lost(fixture_t *f)
{
    int  status;

    XCloseDisplay(f->display);
    f->changed = 0;

    kill(f->pid, SIGKILL);
    waitpid(f->pid, &status, 0);

    ok(wait_changed(f, 1) && f->lost == 1, "a server that goes is noticed");

    f->platform->ops->move(f->platform, 1, 1);
    f->platform->ops->button(f->platform, 0, TRUE);
    is_int(key_down(f, "a", "KeyA"), 0, "input does nothing any more");
    agent_platform_close(f->platform);
}


int
main(void)
{
    fixture_t           f;
    g_autoptr(GError)   error = NULL;

    memset(&f, 0, sizeof(f));

    f.name = xvfb_start("1281x721x24", &f.pid);
    open_client(&f);

    f.platform = agent_platform_open(f.name, &error);

    if (f.platform == NULL) {
        kill(f.pid, SIGTERM);
        bail(error->message);
    }

    f.platform->changed = on_changed;
    f.platform->reshaped = on_reshaped;
    f.platform->data = &f;

    test_pointer(&f);
    test_keys(&f);
    test_shift(&f);
    test_caps_and_ctrl(&f);
    test_monitors(&f);
    test_cursor(&f);
    test_grab(&f);
    test_resize(&f);
    test_lost(&f);

    g_free(f.name);

    return done();
}
