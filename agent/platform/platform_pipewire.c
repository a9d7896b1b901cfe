
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A Wayland desktop: pictures by PipeWire, pointer and keys by the desktop's
 * portal.  Behind the build option PIPEWIRE=1.
 *
 * Each source has a connection to PipeWire of its own, for one that was used
 * cannot be used again; the last few are kept open here, since nothing says
 * when a source has taken its copy.
 *
 * A key is what it makes: the compositor finds the key that bears it.  What a
 * key that is held made is remembered, so that its release finds it.
 */

#include "platform_pipewire.h"
#include "keymap.h"

#include <linux/input-event-codes.h>
#include <string.h>
#include <unistd.h>


#define AGENT_PIPEWIRE_REMOTES  8
#define AGENT_PIPEWIRE_KEYS     256     /* handles: 1 to 255 */


typedef struct {
    agent_platform_t    platform;
    agent_portal_t     *portal;         /* the caller's */
    int                 remotes[AGENT_PIPEWIRE_REMOTES];
    guint               next;
    guint32             keys[AGENT_PIPEWIRE_KEYS];  /* 0: free */
} agent_pipewire_t;


static void agent_pipewire_over(void *data);
static void agent_pipewire_size(agent_platform_t *p, int *width,
    int *height);
static char *agent_pipewire_source(agent_platform_t *p, guint fps,
    const agent_view_t *view);
static void agent_pipewire_move(agent_platform_t *p, int x, int y);
static void agent_pipewire_button(agent_platform_t *p, guint button,
    gboolean down);
static void agent_pipewire_wheel(agent_platform_t *p, int dx, int dy);
static guint agent_pipewire_key_down(agent_platform_t *p, const char *key,
    const char *code);
static void agent_pipewire_key_up(agent_platform_t *p, guint handle);
static void agent_pipewire_close(agent_platform_t *p);


static const agent_platform_ops_t  agent_pipewire_ops = {
    .name = "pipewire",
    .size = agent_pipewire_size,
    .source = agent_pipewire_source,
    .move = agent_pipewire_move,
    .button = agent_pipewire_button,
    .wheel = agent_pipewire_wheel,
    .key_down = agent_pipewire_key_down,
    .key_up = agent_pipewire_key_up,
    .close = agent_pipewire_close
};


agent_platform_t *
agent_pipewire_open(agent_portal_t **portal, const char *token_file,
    GError **error)
{
    guint              i;
    agent_pipewire_t  *w;

    /* after a no the next one who comes may ask again */

    if (*portal != NULL
        && agent_portal_state(*portal) > AGENT_PORTAL_READY)
    {
        g_clear_pointer(portal, agent_portal_free);
    }

    if (*portal == NULL) {
        *portal = agent_portal_new(NULL, token_file);
    }

    if (agent_portal_state(*portal) != AGENT_PORTAL_READY) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_WAYLAND,
                    "the desktop is a Wayland session: %s",
                    agent_portal_why(*portal));
        return NULL;
    }

    w = g_new0(agent_pipewire_t, 1);
    w->platform.ops = &agent_pipewire_ops;
    w->portal = *portal;

    for (i = 0; i < AGENT_PIPEWIRE_REMOTES; i++) {
        w->remotes[i] = -1;
    }

    agent_portal_watch(w->portal, agent_pipewire_over, w);

    return &w->platform;
}


static void
agent_pipewire_over(void *data)
{
    agent_pipewire_t  *w = data;

    if (w->platform.changed != NULL) {
        w->platform.changed(w->platform.data, TRUE);
    }
}


static void
agent_pipewire_size(agent_platform_t *p, int *width, int *height)
{
    agent_pipewire_t  *w = (agent_pipewire_t *) p;

    agent_portal_size(w->portal, width, height);
    *width &= ~1;
    *height &= ~1;
}


/* a screen that stands still sends nothing: the last picture is repeated */

static char *
agent_pipewire_source(agent_platform_t *p, guint fps,
    const agent_view_t *view)
{
    int                  fd, *slot, width, height;
    agent_pipewire_t    *w = (agent_pipewire_t *) p;
    g_autoptr(GError)    error = NULL;

    (void) view;

    fd = agent_portal_remote(w->portal, &error);

    if (fd == -1) {
        g_warning("no connection to PipeWire: %s", error->message);
        return g_strdup("fakesrc num-buffers=0");
    }

    slot = &w->remotes[w->next++ % AGENT_PIPEWIRE_REMOTES];

    if (*slot != -1) {
        close(*slot);
    }

    *slot = fd;
    agent_pipewire_size(p, &width, &height);

    return g_strdup_printf("pipewiresrc fd=%d path=%u do-timestamp=true "
                           "keepalive-time=1000 ! videoconvert ! "
                           "videorate ! videoscale ! "
                           "video/x-raw,width=%d,height=%d,framerate=%u/1",
                           fd, agent_portal_node(w->portal), width, height,
                           fps);
}


static void
agent_pipewire_move(agent_platform_t *p, int x, int y)
{
    agent_portal_motion(((agent_pipewire_t *) p)->portal, x, y);
}


static void
agent_pipewire_button(agent_platform_t *p, guint button, gboolean down)
{
    static const int  codes[] = { BTN_LEFT, BTN_MIDDLE, BTN_RIGHT, BTN_SIDE,
                                  BTN_EXTRA };

    if (button < G_N_ELEMENTS(codes)) {
        agent_portal_button(((agent_pipewire_t *) p)->portal, codes[button],
                            down);
    }
}


static void
agent_pipewire_wheel(agent_platform_t *p, int dx, int dy)
{
    agent_pipewire_t  *w = (agent_pipewire_t *) p;

    if (dy != 0) {
        agent_portal_axis(w->portal, FALSE, dy);
    }

    if (dx != 0) {
        agent_portal_axis(w->portal, TRUE, dx);
    }
}


static guint
agent_pipewire_key_down(agent_platform_t *p, const char *key,
    const char *code)
{
    guint              handle;
    guint32            keysym;
    gboolean           printable;
    agent_pipewire_t  *w = (agent_pipewire_t *) p;

    keysym = agent_keysym(key, code, &printable);

    if (keysym == 0) {
        return 0;
    }

    /* a key that repeats is the same key */

    for (handle = 1; handle < AGENT_PIPEWIRE_KEYS; handle++) {
        if (w->keys[handle] == keysym) {
            break;
        }
    }

    if (handle == AGENT_PIPEWIRE_KEYS) {
        for (handle = 1; handle < AGENT_PIPEWIRE_KEYS; handle++) {
            if (w->keys[handle] == 0) {
                break;
            }
        }
    }

    if (handle == AGENT_PIPEWIRE_KEYS) {
        return 0;
    }

    w->keys[handle] = keysym;
    agent_portal_keysym(w->portal, keysym, TRUE);

    return handle;
}


static void
agent_pipewire_key_up(agent_platform_t *p, guint handle)
{
    agent_pipewire_t  *w = (agent_pipewire_t *) p;

    if (handle < AGENT_PIPEWIRE_KEYS && w->keys[handle] != 0) {
        agent_portal_keysym(w->portal, w->keys[handle], FALSE);
        w->keys[handle] = 0;
    }
}


static void
agent_pipewire_close(agent_platform_t *p)
{
    guint              i;
    agent_pipewire_t  *w = (agent_pipewire_t *) p;

    agent_portal_watch(w->portal, NULL, NULL);

    for (i = 0; i < AGENT_PIPEWIRE_REMOTES; i++) {
        if (w->remotes[i] != -1) {
            close(w->remotes[i]);
        }
    }

    g_free(w);
}
