
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The pages of RENDER_DOCS_ORIGIN, for one browser: a viewer (pdf.js and its
 * page, from a directory), and under each document's secret path the document.
 * No socket listens: connections are given to it.
 */

#ifndef _RENDER_DOCS_HTTP_H_INCLUDED_
#define _RENDER_DOCS_HTTP_H_INCLUDED_


#include <gio/gio.h>


#define RENDER_DOCS_KEY  32             /* letters of a document's path */
#define RENDER_DOCS_HTTP_CONNECTIONS  32    /* at once; more are closed */


typedef struct render_docs_http_s  render_docs_http_t;


/* A document as it is served: all of it is the owner's, as long as it is. */

typedef struct {
    char         key[RENDER_DOCS_KEY + 1];
    char        *name;
    const char  *media;
    GBytes      *bytes;
} render_docs_item_t;


/* The document of key, or NULL. */
typedef const render_docs_item_t *(*render_docs_find_pt)(void *data,
    const char *key, gsize len);


/* directory is copied. */
render_docs_http_t *render_docs_http_new(const char *directory,
    render_docs_find_pt find, void *data);

/* Breaks its connections off. */
void render_docs_http_free(render_docs_http_t *http);

/* Takes fd over. */
void render_docs_http_serve(render_docs_http_t *http, int fd);


#endif /* _RENDER_DOCS_HTTP_H_INCLUDED_ */
