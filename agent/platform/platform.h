
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The seam to the desktop: where pictures come from, where input goes, and
 * whether there is a session to show at all.  One implementation per window
 * system; X11 is the one there is.  Everything here runs on the main loop.
 */

#ifndef _AGENT_PLATFORM_H_INCLUDED_
#define _AGENT_PLATFORM_H_INCLUDED_


#include "clipboard.h"

#include <glib.h>


/* what agent_probe() finds; all but X11 are errors of agent_platform_open() */

typedef enum {
    AGENT_DESKTOP_X11 = 0,
    AGENT_DESKTOP_NONE,
    AGENT_DESKTOP_WAYLAND,
    AGENT_DESKTOP_GREETER,
    AGENT_DESKTOP_UNREACHABLE
} agent_desktop_e;

#define AGENT_DESKTOP_ERROR  agent_desktop_error_quark()

GQuark agent_desktop_error_quark(void);


#define AGENT_MONITOR_NAME  32
#define AGENT_MONITORS      16
#define AGENT_CURSOR_SIZE   96          /* pixels, each way, at most */


typedef struct agent_platform_s  agent_platform_t;


typedef struct {
    int  x;
    int  y;
    int  width;
    int  height;
} agent_area_t;


typedef struct {
    char          name[AGENT_MONITOR_NAME];     /* printable ASCII */
    agent_area_t  area;
    gboolean      primary;
} agent_monitor_t;


/* what a viewer looks at: monitor "" is the whole desktop */

typedef struct {
    char      monitor[AGENT_MONITOR_NAME];
    gboolean  pointer;                  /* is in the picture */
} agent_view_t;


typedef struct {
    int      width;
    int      height;
    int      x;                         /* of the point that clicks */
    int      y;
    guint8  *rgba;                      /* not premultiplied, from the top */
} agent_cursor_t;


typedef struct {
    const char  *name;

    /* pixels of the whole desktop; both even */
    void   (*size)(agent_platform_t *p, int *width, int *height);

    /* a gst_parse description that ends in raw video; the caller frees it */
    char  *(*source)(agent_platform_t *p, guint fps,
                     const agent_view_t *view);

    /* AGENT_MONITORS at most; how many.  NULL: they cannot be told apart */
    guint  (*monitors)(agent_platform_t *p, agent_monitor_t *monitors);

    /* the shape of the pointer, with g_free() for its rgba; FALSE: unknown.
     * Where it is.  NULL, both: it is always in the picture */
    gboolean  (*cursor)(agent_platform_t *p, agent_cursor_t *cursor);
    gboolean  (*pointer)(agent_platform_t *p, int *x, int *y);

    void   (*move)(agent_platform_t *p, int x, int y);

    /* 0 left, 1 middle, 2 right, 3 back, 4 forward */
    void   (*button)(agent_platform_t *p, guint button, gboolean down);

    /* notches; dy > 0 scrolls down, dx > 0 to the right */
    void   (*wheel)(agent_platform_t *p, int dx, int dy);

    /*
     * DOM KeyboardEvent.key and .code.  A handle from 1 to 255 for
     * key_up(), 0 when this keyboard cannot make the key.
     */
    guint  (*key_down)(agent_platform_t *p, const char *key,
                       const char *code);
    void   (*key_up)(agent_platform_t *p, guint handle);

    /* as agent_clip_x11_open(); NULL: this desktop's cannot be had */
    agent_clip_t  *(*clipboard)(agent_platform_t *p,
                                agent_clip_copied_pt copied, void *data,
                                GError **error);

    void   (*close)(agent_platform_t *p);
} agent_platform_ops_t;


struct agent_platform_s {
    const agent_platform_ops_t  *ops;

    /* the picture's size changed, or (lost) the desktop went away */
    void                       (*changed)(void *data, gboolean lost);

    /* the pointer has another shape */
    void                       (*reshaped)(void *data);
    void                        *data;
};


typedef const char *(*agent_getenv_pt)(const char *name);


/*
 * What the environment tells, without touching a display: *display gets the
 * display to open for AGENT_DESKTOP_X11; else *error says in a sentence for
 * people what is there and what to do.  configured: of agent.conf, or NULL.
 */
agent_desktop_e agent_probe(const char *configured, agent_getenv_pt env,
    const char **display, GError **error);

/* Probes and opens; NULL and *error (AGENT_DESKTOP_ERROR) when it cannot. */
agent_platform_t *agent_platform_open(const char *configured,
    GError **error);

/* platform_x11.c */
agent_platform_t *agent_x11_open(const char *display, GError **error);


/*
 * Where a view's picture is on the desktop: both sizes even.  A monitor that
 * is not there (any more) is the whole desktop.
 */
void agent_platform_area(agent_platform_t *p, const agent_view_t *view,
    agent_area_t *area);


static inline void
agent_platform_size(agent_platform_t *p, int *width, int *height)
{
    p->ops->size(p, width, height);
}


static inline void
agent_platform_close(agent_platform_t *p)
{
    p->ops->close(p);
}


#endif /* _AGENT_PLATFORM_H_INCLUDED_ */
