
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A browser's debugging pipe: commands and their answers, and events.
 */

#ifndef _RENDER_CDP_H_INCLUDED_
#define _RENDER_CDP_H_INCLUDED_


#include "agent_json.h"


#define RENDER_CDP_UNSENT   (8 * 1024 * 1024)   /* bytes */
#define RENDER_CDP_WAITING  4096                /* answers */


typedef struct render_cdp_s  render_cdp_t;


/*
 * session: of a target, "" of the browser.  An event may free the pipe;
 * closed() is the last one, never inside of a call.
 */

typedef struct {
    void  (*event)(void *data, const char *session, const char *method,
                   const json_t *params);
    void  (*closed)(void *data, const char *why);
} render_cdp_events_t;


/* result: an object; NULL: refused, error says what the browser says. */
typedef void (*render_cdp_done_pt)(void *data, const json_t *result,
    const char *error);


/* in, out: descriptors of this side, taken over. */
render_cdp_t *render_cdp_new(int in, int out,
    const render_cdp_events_t *events, void *data);

/* No event and no answer comes any more. */
void render_cdp_free(render_cdp_t *cdp);

/*
 * session: NULL: the browser's.  Takes params over; NULL: none.  done may be
 * NULL, and is never called inside.  destroy: of data, in any case; or NULL.
 * What exceeds the bounds closes the pipe.
 */
void render_cdp_send(render_cdp_t *cdp, const char *session,
    const char *method, json_t *params, render_cdp_done_pt done, void *data,
    GDestroyNotify destroy);


#endif /* _RENDER_CDP_H_INCLUDED_ */
