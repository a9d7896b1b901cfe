
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Bytes between two sockets, in both directions, each with one bounded buffer:
 * who is slow holds the other one up, and nothing else.
 */

#ifndef _RENDER_PUMP_H_INCLUDED_
#define _RENDER_PUMP_H_INCLUDED_


#include <glib.h>


#define RENDER_PUMP_BUFFER  32768       /* bytes, each direction */


typedef struct render_pump_s  render_pump_t;


/* Called once, never inside render_pump_new(); free the pump then. */
typedef void (*render_pump_done_pt)(void *data);


/*
 * Takes both sockets over, which do not block.  first: what came of a and is
 * for b, at most RENDER_PUMP_BUFFER bytes.
 */
render_pump_t *render_pump_new(int a, int b, const void *first, gsize len,
    guint idle_s, render_pump_done_pt done, void *data);

/* Closes both. */
void render_pump_free(render_pump_t *pump);

/* Bytes that were written to b, to a. */
void render_pump_bytes(const render_pump_t *pump, guint64 *to_b,
    guint64 *to_a);


#endif /* _RENDER_PUMP_H_INCLUDED_ */
