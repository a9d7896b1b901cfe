
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A small picture as PNG.  Pure.
 */

#ifndef _AGENT_PNG_H_INCLUDED_
#define _AGENT_PNG_H_INCLUDED_


#include <glib.h>


/* rgba: width times height times four bytes, from the top. */
GByteArray *agent_png(const guint8 *rgba, guint width, guint height);


#endif /* _AGENT_PNG_H_INCLUDED_ */
