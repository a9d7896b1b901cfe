
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Documents of one rendered session: looked at (content, not name), made a PDF
 * of where they are something else, in a sandbox without network, and served
 * to this session's browser alone.  They are in this process's memory and
 * nowhere else, so they are gone with it.
 */

#ifndef _RENDER_DOCS_H_INCLUDED_
#define _RENDER_DOCS_H_INCLUDED_


#include <gio/gio.h>


#define RENDER_DOCS_MAX         (50 * 1024 * 1024)  /* bytes of a document */
#define RENDER_DOCS_PDF_MAX     (100 * 1024 * 1024) /* of what comes of it */
#define RENDER_DOCS_KEPT        16          /* documents; the oldest goes */
#define RENDER_DOCS_KEPT_BYTES  (256 * 1024 * 1024)
#define RENDER_DOCS_WAITING     4           /* for one that is converted */
#define RENDER_DOCS_CONVERT_S   60
#define RENDER_DOCS_MEMORY      ((guint64) 2 << 30) /* of the converter */
#define RENDER_DOCS_NAME_MAX    255

#define RENDER_DOCS_ORIGIN      "http://documents.rs.internal"


typedef struct render_docs_s  render_docs_t;


/* Strings are copied; zero or NULL: the default. */

typedef struct {
    const char      *folder;            /* that files came into */
    const char      *viewer;            /* pdf.js and its page; NULL:
                                           RENDER_DOCS_VIEWER of the build */
    const char      *converter;         /* NULL: "soffice" */
    const char      *sandbox;           /* NULL: "bwrap" */
    guint64          max;               /* bytes of a document */
    guint            convert_s;
    guint64          memory;            /* bytes, of the converter */
} render_docs_conf_t;


#define RENDER_DOCS_ERROR  render_docs_error_quark()

GQuark render_docs_error_quark(void);

typedef enum {
    RENDER_DOCS_NOT_FOUND = 0,
    RENDER_DOCS_TOO_LARGE,
    RENDER_DOCS_TYPE_REFUSED,
    RENDER_DOCS_BOMB,
    RENDER_DOCS_CONVERT_FAILED,
    RENDER_DOCS_TIMEOUT,
    RENDER_DOCS_BUSY
} render_docs_error_e;

/* "too_large": the protocol's word for an error of this file */
const char *render_docs_code(const GError *error);


/*
 * Called once for each document, never inside render_docs_show(), not after
 * render_docs_free().  url: where the browser finds it; or NULL and error,
 * whose message is a sentence for people.
 */
typedef void (*render_docs_done_pt)(void *data, guint id, const char *url,
    const GError *error);


render_docs_t *render_docs_new(const render_docs_conf_t *conf);

/* Converters are killed; everything is forgotten. */
void render_docs_free(render_docs_t *docs);

/*
 * name: of a file in the folder.  id: what done() is told.  remove: the file
 * is removed once it has been read.
 */
void render_docs_show(render_docs_t *docs, guint id, const char *name,
    gboolean remove, render_docs_done_pt done, void *data);

/* A connection of this session's browser; takes fd over. */
void render_docs_serve(render_docs_t *docs, int fd);

/* Whether documents can be shown here: the converter, the sandbox and the
   viewer are there; NULL or a sentence. */
char *render_docs_missing(const render_docs_conf_t *conf);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(render_docs_t, render_docs_free)


#endif /* _RENDER_DOCS_H_INCLUDED_ */
