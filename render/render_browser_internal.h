
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A browser as its files see it: render_browser.c has its life,
 * render_targets.c what it says and is told, render_downloads.c what it loads
 * down.
 */

#ifndef _RENDER_BROWSER_INTERNAL_H_INCLUDED_
#define _RENDER_BROWSER_INTERNAL_H_INCLUDED_


#include "render_browser.h"
#include "render_cdp.h"
#include "render_sandbox.h"
#include "render_script.h"


/* what the debugger is attached to */

typedef struct {
    render_browser_t  *browser;
    char              *session;
    char              *id;          /* of a page: its main frame's, too */
    gboolean           document;    /* a page or a frame of another site */
    guint              asked;       /* answers that it waits for */
    char              *scripts[RENDER_SCRIPT_N];    /* by which the browser
                                                       knows them; or NULL */
} render_target_t;


struct render_browser_s {
    render_browser_conf_t            conf;
    const render_browser_events_t   *events;
    void                            *data;
    const render_rules_t            *rules;     /* NULL: no session yet */
    char                            *agent;     /* what it calls itself */

    render_sandbox_t                *sandbox;   /* NULL: crashed */
    render_cdp_t                    *cdp;
    render_egress_t                 *egress;
    GHashTable                      *targets;   /* by session */
    render_target_t                 *main;      /* the window's page */
    GHashTable                      *downloads; /* guid -> name; "": is not
                                                   to be kept */

    render_page_t                    page;
    char                            *shown;     /* to come back to; or NULL */
    json_int_t                       back_id;   /* of the history; 0: none */
    json_int_t                       forward_id;
    gboolean                         up;        /* main is set up */
    gboolean                         readied;   /* that was told once */
    gboolean                         held;      /* forms are */
    gboolean                         opening;   /* waits for its scripts */

    gint64                           started_us;
    gint64                           heard_us;
    gint64                           crashes[RENDER_BROWSER_CRASHES];
    guint                            ping;
    guint                            again;
    guint                            tell;
};


/* render_browser.c */

void render_browser_crashed(render_browser_t *browser, gboolean all);
void render_browser_changed(render_browser_t *browser);
void render_browser_blocked(render_browser_t *browser, const char *url,
    const char *why);

/* render_targets.c */

void render_target_free(void *target);
void render_browser_attach(render_browser_t *browser);
void render_browser_on_event(void *data, const char *session,
    const char *method, const json_t *params);

/* the rules are known: masks, then the first page */
void render_browser_enforce(render_browser_t *browser);
void render_browser_forms(render_browser_t *browser);

/* url: NULL: an empty page */
void render_browser_open(render_browser_t *browser, const char *url);

/* render_downloads.c */

/* Its folder.  FALSE: *error. */
gboolean render_downloads_new(const render_browser_t *browser,
    GError **error);

/* What had begun is forgotten, and removed. */
void render_downloads_end(render_browser_t *browser);

void render_download_begins(render_browser_t *browser, const char *session,
    const json_t *params);
void render_download_goes_on(render_browser_t *browser, const char *session,
    const json_t *params);


#endif /* _RENDER_BROWSER_INTERNAL_H_INCLUDED_ */
