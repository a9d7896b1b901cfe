
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One document of an office made a PDF: by LibreOffice, in namespaces of its
 * own that have no network, no file of this machine that can be written, no
 * other process, and bounds on memory, time, processes and output.
 */

#ifndef _RENDER_CONVERT_H_INCLUDED_
#define _RENDER_CONVERT_H_INCLUDED_


#include <gio/gio.h>


#define RENDER_CONVERT_TASKS    64
#define RENDER_CONVERT_SCRATCH  (512 * 1024 * 1024)     /* bytes of its /tmp */


typedef struct render_convert_s  render_convert_t;


typedef struct {
    const char      *sandbox;           /* bwrap */
    const char      *converter;         /* soffice, in the sandbox */
    guint            seconds;
    guint64          memory;            /* bytes of address space */
    guint64          output;            /* bytes of a PDF */
} render_convert_conf_t;


/*
 * Called once, never inside render_convert_new(), unless it was freed; it is
 * to be freed then.  pdf: the caller's; NULL: *error, of GIOErrorEnum:
 * G_IO_ERROR_TIMED_OUT, or another.
 */
typedef void (*render_convert_done_pt)(void *data, GBytes *pdf,
    const GError *error);


/*
 * fd: the document, a file that can be read from its beginning, taken over;
 * extension: what it is, without a dot.  All of conf is copied.
 */
render_convert_t *render_convert_new(const render_convert_conf_t *conf,
    int fd, const char *extension, render_convert_done_pt done, void *data);

/* What runs is killed, with all that it started. */
void render_convert_free(render_convert_t *convert);


#endif /* _RENDER_CONVERT_H_INCLUDED_ */
