
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The browser of one rendered session, from its start to its end: one window
 * with one page, which comes back when it crashes.
 */

#ifndef _RENDER_BROWSER_H_INCLUDED_
#define _RENDER_BROWSER_H_INCLUDED_


#include "render_display.h"
#include "render_egress.h"
#include "render_rules.h"
#include "render_settings.h"


#define RENDER_BROWSER_START_S   20
#define RENDER_BROWSER_HANGS_S   20     /* without an answer */
#define RENDER_BROWSER_CRASHES   3      /* within ... */
#define RENDER_BROWSER_WITHIN_S  60
#define RENDER_BROWSER_TARGETS   256    /* frames of other sites, workers */
#define RENDER_BROWSER_DOWNLOADS 8      /* at once */


typedef struct render_browser_s  render_browser_t;


/* what the page is; strings are never NULL */

typedef struct {
    char      *url;                     /* "": an empty page */
    char      *title;
    gboolean   loading;
    gboolean   back;
    gboolean   forward;
} render_page_t;


/*
 * None but blocked() is called inside of a call of this file; each may free
 * the browser but that.
 */

typedef struct {
    /* shows an empty page; not again after a crash */
    void  (*ready)(void *data);

    /* page is another; the browser's */
    void  (*page)(void *data, const render_page_t *page);

    /* why: "policy", "network", "scheme", "submit", "size" */
    void  (*blocked)(void *data, const char *url, const char *why);

    /* restarting: FALSE: not any more, the last event */
    void  (*crashed)(void *data, gboolean restarting);

    /* a file in the folder downloads, and the name it was to have; the
     * receiver takes it away */
    void  (*download)(void *data, const char *path, const char *name);

    /* a connection to the documents: takes fd over */
    void  (*inside)(void *data, int fd);
} render_browser_events_t;


typedef struct {
    const render_settings_t  *settings;
    const render_display_t   *display;
    const char               *inside;       /* rs-render-inside */
    const char               *dir;          /* of this session's files */
    guint                     width;
    guint                     height;
} render_browser_conf_t;


/* conf is copied, what it points to is not.  NULL: *error. */
render_browser_t *render_browser_new(const render_browser_conf_t *conf,
    const render_browser_events_t *events, void *data, GError **error);

/* Everything of it is gone when this returns. */
void render_browser_free(render_browser_t *browser);

/*
 * Of the session, the caller's; once, after ready().  Opens its page when the
 * rules hold.
 */
void render_browser_begin(render_browser_t *browser,
    const render_rules_t *rules);

/* Forms are not sent from now on, or are. */
void render_browser_hold(render_browser_t *browser, gboolean forms);

const render_page_t *render_browser_page(const render_browser_t *browser);

/* What rules do not allow is told of by blocked().  url may lack a scheme. */
void render_browser_go(render_browser_t *browser, const char *url);

/* A page of this process: not asked for. */
void render_browser_show(render_browser_t *browser, const char *url);

void render_browser_move(render_browser_t *browser, int by);   /* -1, 1 */
void render_browser_reload(render_browser_t *browser);
void render_browser_stop(render_browser_t *browser);

/* For tests, and for what a metric says of memory. */
int render_browser_pid(const render_browser_t *browser);


#endif /* _RENDER_BROWSER_H_INCLUDED_ */
