
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The display of one rendered session: an X server without a screen, which
 * only who has the cookie may use.
 */

#ifndef _RENDER_DISPLAY_H_INCLUDED_
#define _RENDER_DISPLAY_H_INCLUDED_


#include <gio/gio.h>


typedef struct render_display_s  render_display_t;

/* It went by itself. */
typedef void (*render_display_lost_pt)(void *data);


/*
 * program: Xvfb.  dir: where the cookie is put, of this user alone.  Waits
 * until it takes clients, some seconds at most.  NULL: *error.
 */
render_display_t *render_display_new(const char *program, const char *dir,
    guint width, guint height, render_display_lost_pt lost, void *data,
    GError **error);

/* It is gone when this returns, and what it left in /tmp is, too. */
void render_display_free(render_display_t *display);

/* ":7" */
const char *render_display_name(const render_display_t *display);

/* The cookie's file, and the socket, which are to be seen in the sandbox. */
const char *render_display_cookie(const render_display_t *display);
const char *render_display_socket(const render_display_t *display);


#endif /* _RENDER_DISPLAY_H_INCLUDED_ */
