
/*
 * Copyright (C) rs-gateway contributors
 */

#ifndef _X11_WATCH_H_INCLUDED_
#define _X11_WATCH_H_INCLUDED_


#include <glib.h>
#include <X11/Xlib.h>


/*
 * Calls function on the main loop while there are events to read: those that
 * the display's descriptor tells of, and those that Xlib has read already.  It
 * reads while it writes (XFlush(), any round trip), and no descriptor tells of
 * what it has read then.
 *
 * function reads until XPending() is 0; it may answer G_SOURCE_REMOVE.
 * Returns the id of the source.
 */
guint agent_x11_watch(Display *display, GSourceFunc function, gpointer data);


#endif /* _X11_WATCH_H_INCLUDED_ */
