
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The seam to the desktop's clipboard, text only.  Everything here runs on
 * the main loop.
 */

#ifndef _AGENT_CLIPBOARD_PLATFORM_H_INCLUDED_
#define _AGENT_CLIPBOARD_PLATFORM_H_INCLUDED_


#include <glib.h>


#define AGENT_CLIP_MAX  (1024 * 1024)       /* bytes of one text */


typedef struct agent_clip_s  agent_clip_t;


/*
 * Somebody at the desktop has copied a text from now on: valid UTF-8 without
 * zeros, 1 to AGENT_CLIP_MAX bytes.  What is longer, no text, or marked as a
 * password is not told.  Never called inside a call of this file.
 */

typedef void (*agent_clip_copied_pt)(void *data, const char *text,
    gsize len);


typedef struct {
    /* the clipboard has this text when it returns, until it is closed or
     * somebody copies; FALSE: the desktop does not take it */
    gboolean  (*set)(agent_clip_t *clip, const char *text, gsize len);
    void      (*close)(agent_clip_t *clip);
} agent_clip_ops_t;


struct agent_clip_s {
    const agent_clip_ops_t  *ops;
    agent_clip_copied_pt     copied;
    void                    *data;
};


/* clipboard_x11.c: on a connection of its own; NULL and *error (as of
 * agent_platform_open()) when it cannot be had */
agent_clip_t *agent_clip_x11_open(const char *display,
    agent_clip_copied_pt copied, void *data, GError **error);


#endif /* _AGENT_CLIPBOARD_PLATFORM_H_INCLUDED_ */
