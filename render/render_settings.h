
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What rs-render-host takes of render.conf: groups [browser], [egress] and
 * [documents].  The pool's are [agent] and [pool], which are left aside here.
 */

#ifndef _RENDER_SETTINGS_H_INCLUDED_
#define _RENDER_SETTINGS_H_INCLUDED_


#include "rs_egress.h"

#include <gio/gio.h>


#define RENDER_SETTINGS_FILE  "/etc/rs-gateway/render.conf"


typedef struct {
    /* [browser] */
    char        *browser;           /* Chromium itself, no script around it */
    char        *sandbox;           /* bwrap */
    char        *display;           /* Xvfb */
    guint        width;             /* where a session says nothing */
    guint        height;
    guint        idle_s;            /* with nobody there, then it ends */
    guint        profile;           /* MiB, of the browser's files */
    guint        files_max;         /* MiB, of one file */
    guint        fps;
    guint        bitrate_min;       /* bits/s */
    guint        bitrate;
    guint        max_viewers;
    gboolean     relay_only;

    /* [egress] */
    rs_egress_t  egress;

    /* [documents]; NULL, 0: render_docs.h's own */
    gboolean     documents;
    char        *viewer;
    char        *converter;
    guint        document_max;      /* MiB */
    guint        convert_s;
    guint        convert_memory;    /* MiB */
} render_settings_t;


#define RENDER_SETTINGS_ERROR  render_settings_error_quark()

GQuark render_settings_error_quark(void);


/* The defaults of every key. */
render_settings_t *render_settings_new(void);

/* Reads text over what settings hold; an error names key, value and cure. */
gboolean render_settings_parse(render_settings_t *settings, const char *text,
    gsize len, GError **error);
gboolean render_settings_read(render_settings_t *settings, const char *path,
    GError **error);

void render_settings_free(render_settings_t *settings);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(render_settings_t, render_settings_free)


#endif /* _RENDER_SETTINGS_H_INCLUDED_ */
