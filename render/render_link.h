
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One end of the socket between the pool and an instance: JSON objects, a
 * line each.  docs/design/cobrowse.md has what they say.
 */

#ifndef _RENDER_LINK_H_INCLUDED_
#define _RENDER_LINK_H_INCLUDED_


#include "agent_json.h"

#include <gio/gio.h>


#define RENDER_LINK_LINE   (256 * 1024)     /* bytes, each way */
#define RENDER_LINK_QUEUE  (1024 * 1024)    /* bytes that wait to be read */


typedef struct render_link_s  render_link_t;


/* Both may free the link; closed() is the last one, never from a call. */

typedef struct {
    void  (*message)(void *data, const char *type, json_t *msg);
    void  (*closed)(void *data, const char *why);
} render_link_events_t;


/* Takes a reference of its own of the connection. */
render_link_t *render_link_new(GSocketConnection *connection,
    const render_link_events_t *events, void *data);

/* The events of who has it from now on. */
void render_link_hand(render_link_t *link,
    const render_link_events_t *events, void *data);

/* Takes msg over.  What does not fit the queue closes the link. */
void render_link_send(render_link_t *link, json_t *msg);

/* Closes; no event comes any more. */
void render_link_free(render_link_t *link);


#endif /* _RENDER_LINK_H_INCLUDED_ */
