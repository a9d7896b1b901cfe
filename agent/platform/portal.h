
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The desktop portal of a Wayland session (org.freedesktop.portal.RemoteDesktop
 * and ScreenCast): asks whoever sits there which screen may be shared, and
 * takes pointer and keys for it.  No pictures: those are PipeWire's.
 */

#ifndef _AGENT_PORTAL_H_INCLUDED_
#define _AGENT_PORTAL_H_INCLUDED_


#include <gio/gio.h>


typedef enum {
    AGENT_PORTAL_ASKING = 0,        /* the person there */
    AGENT_PORTAL_READY,
    AGENT_PORTAL_DENIED,            /* they said no */
    AGENT_PORTAL_FAILED,            /* there is no portal, or it failed */
    AGENT_PORTAL_OVER               /* they ended it */
} agent_portal_e;


typedef struct agent_portal_s  agent_portal_t;

/* Once, when it is over after it was ready. */
typedef void (*agent_portal_over_pt)(void *data);


/*
 * Begins to ask at once.  bus: NULL is the session's.  token_file: what the
 * portal gives for not asking again, kept there for the next process; or
 * NULL.
 */
agent_portal_t *agent_portal_new(GDBusConnection *bus,
    const char *token_file);
void agent_portal_free(agent_portal_t *portal);

agent_portal_e agent_portal_state(const agent_portal_t *portal);
/* a sentence for people: why it is not ready */
const char *agent_portal_why(const agent_portal_t *portal);
void agent_portal_watch(agent_portal_t *portal, agent_portal_over_pt over,
    void *data);

/* ready: of what is shared */
void agent_portal_size(const agent_portal_t *portal, int *width,
    int *height);
guint32 agent_portal_node(const agent_portal_t *portal);

/* A new connection to PipeWire, the caller closes it; -1 and *error. */
int agent_portal_remote(agent_portal_t *portal, GError **error);

/* Nothing waits for an answer of these; dropped when it is not ready. */
void agent_portal_motion(agent_portal_t *portal, double x, double y);
void agent_portal_button(agent_portal_t *portal, int evdev, gboolean down);
void agent_portal_axis(agent_portal_t *portal, gboolean horizontal,
    int steps);
void agent_portal_keysym(agent_portal_t *portal, guint32 keysym,
    gboolean down);


#endif /* _AGENT_PORTAL_H_INCLUDED_ */
