
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the gateway's invite says of a rendered session: what it shows first,
 * and what may be done in it.  Pure.
 */

#ifndef _RENDER_RULES_H_INCLUDED_
#define _RENDER_RULES_H_INCLUDED_


#include "agent_json.h"
#include "rs_weburl.h"


#define RENDER_RULES_LISTS   32     /* of addresses: one of each policy */
#define RENDER_RULES_URLS    32     /* of a list */
#define RENDER_RULES_MASKS   256    /* of all policies */
#define RENDER_RULES_MASK    1024   /* bytes of a selector */


typedef struct {
    char       *session_id;
    char       *url;                /* NULL: an empty page */
    guint       width;              /* 0: nothing was said */
    guint       height;
    GPtrArray  *lists;              /* GPtrArray of char *: each has to match */
    GPtrArray  *masks;              /* char *: selectors */
    gboolean    no_submit;          /* of members who are no guests */
    gboolean    downloads;
} render_rules_t;


/* session: of an invite.  What is not understood refuses it: NULL, *error. */
render_rules_t *render_rules_new(const json_t *session, GError **error);
void render_rules_free(render_rules_t *rules);

/* May be opened in the window.  Pages of this process are not asked for. */
gboolean render_rules_allow(const render_rules_t *rules, const char *url);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(render_rules_t, render_rules_free)


#endif /* _RENDER_RULES_H_INCLUDED_ */
