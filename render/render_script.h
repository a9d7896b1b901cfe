
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What is run in every document before the page's own scripts are: masks, and
 * forms that are not sent, in a world of its own that these cannot reach; and
 * masks in shadow trees, in the page's.
 */

#ifndef _RENDER_SCRIPT_H_INCLUDED_
#define _RENDER_SCRIPT_H_INCLUDED_


#include <glib.h>


#define RENDER_SCRIPT_WORLD  "rs-render"
#define RENDER_SCRIPT_SAY    "rsSay"        /* tells this process a word */


typedef enum {
    RENDER_SCRIPT_MASKS = 0,
    RENDER_SCRIPT_SHADOWS,
    RENDER_SCRIPT_FORMS,
    RENDER_SCRIPT_N
} render_script_e;


/* masks: char *, selectors.  The caller frees. */
char *render_script_masks(const GPtrArray *masks);

/* The same masks, for shadow trees.  The caller frees. */
char *render_script_shadows(const GPtrArray *masks);

/* Forms are held back, or not, from now on; after render_script_masks(). */
const char *render_script_forms(gboolean held);


#endif /* _RENDER_SCRIPT_H_INCLUDED_ */
