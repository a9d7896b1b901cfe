
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The window the end-to-end tests look at and click into: coloured
 * rectangles at known places over the whole of an X screen, a blinking one
 * so that there is always something new to see, and each input event as one
 * JSON object a line on stdout.  A rectangle turns white while a button is
 * held down in it.  It ends when its stdin does; a byte there is an order:
 *
 *     f   a film begins or ends: noise, new with every frame
 *     t   what is as fine as text appears or goes: each pixel black or white
 *     c   the pointer is a square of one colour, clicking in its middle
 *
 * The window is not managed (override-redirect), so no window manager moves
 * it or decorates it; it takes the keyboard focus itself.
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>


#define BLINK_MS    100
#define FILM_MS     30
#define POINTER     16              /* pixels of the square, each way */
#define GRAIN       4               /* pixels of the film's noise */
#define BACKGROUND  0x203040
#define PRESSED     0xffffff


typedef struct {
    const char     *name;
    int             x;
    int             y;
    unsigned int    width;
    unsigned int    height;
    unsigned long   color;
} rect_t;


static const rect_t  rects[] = {
    { "red",    100, 100, 200, 150, 0xe02020 },
    { "green",  900, 100, 200, 150, 0x20c020 },
    { "blue",   100, 480, 200, 150, 0x2040e0 },
    { "yellow", 900, 480, 200, 150, 0xe0c020 },
};

static const rect_t  blinker = { "blinker", 600, 340, 80, 40, 0 };
static const rect_t  film = { "film", 340, 400, 520, 300, 0 };
static const rect_t  text = { "text", 340, 180, 520, 130, 0 };

#define NRECTS  (sizeof(rects) / sizeof(rects[0]))


typedef struct {
    Display        *display;
    Window          window;
    GC              gc;
    int             width;
    int             height;
    const rect_t   *pressed;
    int             light;
    int             focused;
    int             ready;
    int             filming;
    int             writing;
    unsigned int    seed;
} win_t;


static void
fill(win_t *w, const rect_t *r, unsigned long color)
{
    XSetForeground(w->display, w->gc, color);
    XFillRectangle(w->display, w->window, w->gc, r->x, r->y, r->width,
                   r->height);
}


static void
paint_film(win_t *w)
{
    unsigned int  x, y;
    rect_t        grain = film;

    grain.width = GRAIN;
    grain.height = GRAIN;

    for (y = 0; y < film.height; y += GRAIN) {
        for (x = 0; x < film.width; x += GRAIN) {
            w->seed = w->seed * 1103515245 + 12345;
            grain.x = film.x + (int) x;
            grain.y = film.y + (int) y;
            fill(w, &grain, (w->seed >> 8) & 0xffffff);
        }
    }
}


/* lib/testwin.mjs knows the same rule */

static void
paint_text(win_t *w)
{
    int  x, y;

    fill(w, &text, 0xffffff);
    XSetForeground(w->display, w->gc, 0x000000);

    for (y = 0; y < (int) text.height; y++) {
        for (x = 0; x < (int) text.width; x++) {

            if (y % 12 < 8 && (x * 7 + y * 13 + x * y) % 5 < 2) {
                XDrawPoint(w->display, w->window, w->gc, text.x + x,
                           text.y + y);
            }
        }
    }
}


static void
paint(win_t *w)
{
    size_t  i;

    XSetForeground(w->display, w->gc, BACKGROUND);
    XFillRectangle(w->display, w->window, w->gc, 0, 0,
                   (unsigned int) w->width, (unsigned int) w->height);

    for (i = 0; i < NRECTS; i++) {
        fill(w, &rects[i], &rects[i] == w->pressed ? PRESSED
                                                   : rects[i].color);
    }

    if (w->writing) {
        paint_text(w);
    }
}


static void
square_pointer(win_t *w)
{
    char    all[POINTER * POINTER / 8];
    XColor  color;
    Pixmap  mask;

    memset(all, 0xff, sizeof(all));
    memset(&color, 0, sizeof(color));
    color.red = 0xffff;
    color.blue = 0xffff;

    mask = XCreateBitmapFromData(w->display, w->window, all, POINTER,
                                 POINTER);
    XDefineCursor(w->display, w->window,
                  XCreatePixmapCursor(w->display, mask, mask, &color, &color,
                                      POINTER / 2, POINTER / 2));
    XFreePixmap(w->display, mask);
}


static void
on_order(win_t *w, char order)
{
    switch (order) {

    case 'f':
        w->filming = !w->filming;
        break;

    case 't':
        w->writing = !w->writing;
        break;

    case 'c':
        square_pointer(w);
        break;

    case 'r':
        XAutoRepeatOff(w->display);
        XFlush(w->display);
        break;
    }

    paint(w);
}


static const rect_t *
find(int x, int y)
{
    size_t  i;

    for (i = 0; i < NRECTS; i++) {
        if (x >= rects[i].x && x < rects[i].x + (int) rects[i].width
            && y >= rects[i].y && y < rects[i].y + (int) rects[i].height)
        {
            return &rects[i];
        }
    }

    return NULL;
}


static void
on_button(win_t *w, XButtonEvent *ev, int down)
{
    printf("{\"event\":\"button\",\"down\":%s,\"button\":%u,"
           "\"x\":%d,\"y\":%d}\n",
           down ? "true" : "false", ev->button, ev->x_root, ev->y_root);

    w->pressed = down ? find(ev->x, ev->y) : NULL;
    paint(w);
}


static void
on_key(XKeyEvent *ev, int down)
{
    char         text[32];
    KeySym       keysym;
    const char  *name;

    keysym = NoSymbol;
    (void) XLookupString(ev, text, sizeof(text), &keysym, NULL);

    name = XKeysymToString(keysym);

    printf("{\"event\":\"key\",\"down\":%s,\"keysym\":\"%s\","
           "\"keycode\":%u,\"state\":%u}\n",
           down ? "true" : "false", name ? name : "NoSymbol", ev->keycode,
           ev->state);
}


static void
on_event(win_t *w, XEvent *ev)
{
    switch (ev->type) {

    case Expose:
        paint(w);
        XSetInputFocus(w->display, w->window, RevertToParent, CurrentTime);
        break;

    case FocusIn:
        w->focused = 1;
        break;

    case MappingNotify:
        XRefreshKeyboardMapping(&ev->xmapping);
        break;

    case MotionNotify:
        printf("{\"event\":\"move\",\"x\":%d,\"y\":%d}\n",
               ev->xmotion.x_root, ev->xmotion.y_root);
        break;

    case ButtonPress:
    case ButtonRelease:
        on_button(w, &ev->xbutton, ev->type == ButtonPress);
        break;

    case KeyPress:
    case KeyRelease:
        on_key(&ev->xkey, ev->type == KeyPress);
        break;
    }

    if (w->focused && !w->ready) {
        w->ready = 1;
        printf("{\"event\":\"ready\",\"width\":%d,\"height\":%d}\n",
               w->width, w->height);
    }
}


static int
open_window(win_t *w)
{
    int                   screen;
    XSetWindowAttributes  attr;

    w->display = XOpenDisplay(NULL);
    if (w->display == NULL) {
        fprintf(stderr, "rs-testwin: cannot open display \"%s\"\n",
                XDisplayName(NULL));
        return 0;
    }

    screen = DefaultScreen(w->display);
    w->width = DisplayWidth(w->display, screen);
    w->height = DisplayHeight(w->display, screen);

    memset(&attr, 0, sizeof(attr));
    attr.override_redirect = True;
    attr.background_pixel = BACKGROUND;
    attr.event_mask = ExposureMask|FocusChangeMask|PointerMotionMask
                      |ButtonPressMask|ButtonReleaseMask
                      |KeyPressMask|KeyReleaseMask;

    w->window = XCreateWindow(w->display, DefaultRootWindow(w->display), 0, 0,
                              (unsigned int) w->width,
                              (unsigned int) w->height, 0, CopyFromParent,
                              InputOutput, CopyFromParent,
                              CWOverrideRedirect|CWBackPixel|CWEventMask,
                              &attr);
    w->gc = XCreateGC(w->display, w->window, 0, NULL);

    XMapRaised(w->display, w->window);

    return 1;
}


int
main(void)
{
    int            n;
    char           byte;
    win_t          w;
    XEvent         ev;
    struct pollfd  fds[2];

    memset(&w, 0, sizeof(w));
    setvbuf(stdout, NULL, _IOLBF, 0);

    if (!open_window(&w)) {
        return 1;
    }

    fds[0].fd = ConnectionNumber(w.display);
    fds[0].events = POLLIN;
    fds[1].fd = STDIN_FILENO;
    fds[1].events = POLLIN;

    for ( ;; ) {

        while (XPending(w.display)) {
            XNextEvent(w.display, &ev);
            on_event(&w, &ev);
        }

        XFlush(w.display);

        n = poll(fds, 2, w.filming ? FILM_MS : BLINK_MS);

        if (n == 0) {
            w.light = !w.light;
            fill(&w, &blinker, w.light ? 0xf0f0f0 : 0x101010);

            if (w.filming) {
                paint_film(&w);
            }
        }

        if (n > 0 && fds[1].revents) {

            if (read(STDIN_FILENO, &byte, 1) <= 0) {
                break;
            }

            on_order(&w, byte);
        }
    }

    XCloseDisplay(w.display);

    return 0;
}
