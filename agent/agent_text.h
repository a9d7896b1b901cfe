
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Text of others that people get to see.
 */

#ifndef _AGENT_TEXT_H_INCLUDED_
#define _AGENT_TEXT_H_INCLUDED_


#include <glib.h>


/*
 * One line of at most max characters, valid UTF-8, without anything that is
 * not drawn or that turns others around: controls, formats (bidi overrides,
 * zero-width characters), separators of lines, private and unassigned ones.
 * White space is a single blank, none at the ends.  An ellipsis follows what
 * was too long.  text may be NULL.
 */
char *agent_text_clean(const char *text, gsize len, guint max);


#endif /* _AGENT_TEXT_H_INCLUDED_ */
