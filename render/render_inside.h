
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The browser's network namespace, as rs_render_inside.c makes it and
 * render_sandbox.c knows it.
 */

#ifndef _RENDER_INSIDE_H_INCLUDED_
#define _RENDER_INSIDE_H_INCLUDED_


/* of 127.0.0.1 in there, where nothing else listens */

#define RENDER_INSIDE_PORT     1080
#define RENDER_INSIDE_BACKLOG  128


#endif /* _RENDER_INSIDE_H_INCLUDED_ */
