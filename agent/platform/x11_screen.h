
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What platform_x11.c shows: the monitors of an X screen, and the shape of
 * its pointer.
 */

#ifndef _AGENT_X11_SCREEN_H_INCLUDED_
#define _AGENT_X11_SCREEN_H_INCLUDED_


#include "platform.h"

#include <X11/Xlib.h>


typedef struct {
    Display   *display;
    Window     root;
    int        randr;           /* the first of its events; -1: not there */
    int        xfixes;
} agent_x11_screen_t;


typedef enum {
    AGENT_X11_NOTHING = 0,
    AGENT_X11_MONITORS,
    AGENT_X11_CURSOR
} agent_x11_event_e;


/* Asks for the events of both. */
void agent_x11_screen_watch(agent_x11_screen_t *screen, Display *display,
    Window root);

/* What an event is about. */
agent_x11_event_e agent_x11_screen_event(agent_x11_screen_t *screen,
    XEvent *event);

/* Those that are inside of the screen of that size; how many. */
guint agent_x11_monitors(agent_x11_screen_t *screen, int width, int height,
    agent_monitor_t *monitors);

gboolean agent_x11_cursor(agent_x11_screen_t *screen, agent_cursor_t *cursor);


#endif /* _AGENT_X11_SCREEN_H_INCLUDED_ */
