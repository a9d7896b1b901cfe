
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What is run in every document before the page's own scripts are, in a world
 * of its own that these cannot reach: masks, and forms that are not sent.
 */

#ifndef _RENDER_SCRIPT_H_INCLUDED_
#define _RENDER_SCRIPT_H_INCLUDED_


#include <glib.h>


#define RENDER_SCRIPT_WORLD  "rs-render"
#define RENDER_SCRIPT_SAY    "rsSay"        /* tells this process a word */


/* masks: char *, selectors.  The caller frees. */
char *render_script_masks(const GPtrArray *masks);

/* Forms are held back, or not, from now on; after render_script_masks(). */
const char *render_script_forms(gboolean held);


#endif /* _RENDER_SCRIPT_H_INCLUDED_ */
