
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A browser in namespaces of its own: it sees /usr, its display's socket and
 * what it was given, may write to memory and to one folder, has a loopback
 * interface and nothing else of a network, and no process but its own.
 */

#ifndef _RENDER_SANDBOX_H_INCLUDED_
#define _RENDER_SANDBOX_H_INCLUDED_


#include "render_display.h"

#include <gio/gio.h>


/* paths in there */

#define RENDER_SANDBOX_HOME       "/home/browser"
#define RENDER_SANDBOX_DOWNLOADS  "/downloads"

/* what its window begins with; about:blank would be a window with tabs */

#define RENDER_SANDBOX_EMPTY      "data:text/html,"


typedef struct render_sandbox_s  render_sandbox_t;


/* dir has policy.json and the folder downloads; all copied but display */

typedef struct {
    const char              *program;       /* bwrap */
    const char              *browser;
    const char              *inside;        /* rs-render-inside */
    const char              *dir;
    const render_display_t  *display;
    guint                    profile;       /* MiB */
    guint                    width;
    guint                    height;
    const char              *user_agent;
} render_sandbox_conf_t;


/* None runs inside of a call of this file. */

typedef struct {
    /* the socket that leads out of its network: takes fd over */
    void  (*listening)(void *data, int fd);

    /* everything in there is gone; to be freed all the same */
    void  (*exited)(void *data, int status);
} render_sandbox_events_t;


/* *in, *out: the debugging pipe, the caller's.  NULL: *error. */
render_sandbox_t *render_sandbox_new(const render_sandbox_conf_t *conf,
    const render_sandbox_events_t *events, void *data, int *in, int *out,
    GError **error);

/* Everything in there is gone when this returns. */
void render_sandbox_free(render_sandbox_t *sandbox);

int render_sandbox_pid(const render_sandbox_t *sandbox);


#endif /* _RENDER_SANDBOX_H_INCLUDED_ */
