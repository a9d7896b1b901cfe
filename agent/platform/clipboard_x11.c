
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns an X connection for the selection CLIPBOARD, apart from the one for
 * input: a slow owner of the selection must not hold up a key.
 *
 * Reading: XFIXES tells of a new owner; TARGETS says what it has, then comes
 * UTF8_STRING or STRING, in one property or, as INCR, in many.  One reading
 * at a time; who copies meanwhile makes it start over, a little later.
 *
 * Giving: a window of ours owns the selection, and answers requests; a long
 * text goes as INCR, to a bounded number of requestors at once.
 *
 * Each step waits for the other client, so each has a time to be done in.
 */

#define G_LOG_DOMAIN  "rs-clipboard"

#include "clipboard.h"
#include "platform.h"
#include "x11_watch.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/extensions/Xfixes.h>
#include <string.h>


#define AGENT_CLIP_CHUNK       65536    /* bytes of one property */
#define AGENT_CLIP_TARGETS     256      /* of somebody's TARGETS */
#define AGENT_CLIP_GIVES       8        /* requestors of INCR at once */
#define AGENT_CLIP_PROPERTIES  8        /* in rotation: a late answer to an
                                         * older question finds none */
#define AGENT_CLIP_STEP_S      5
#define AGENT_CLIP_PAUSE_MS    100      /* between readings */


/* the order of agent_clip_names */

typedef enum {
    CLIP_CLIPBOARD = 0,
    CLIP_TARGETS,
    CLIP_TIMESTAMP,
    CLIP_INCR,
    CLIP_UTF8,
    CLIP_TEXT,
    CLIP_PLAIN_UTF8,
    CLIP_PLAIN,
    CLIP_SECRET,
    CLIP_ATOMS
} agent_clip_atom_e;


typedef enum {
    AGENT_CLIP_IDLE = 0,
    AGENT_CLIP_ASKED_TARGETS,
    AGENT_CLIP_ASKED_TEXT,
    AGENT_CLIP_INCR
} agent_clip_state_e;


typedef struct agent_clip_x11_s  agent_clip_x11_t;


/* a long text on its way to a requestor */

typedef struct {
    agent_clip_x11_t  *clip;
    Window             requestor;       /* None: free */
    Atom               property;
    Atom               type;
    GBytes            *text;
    gsize              at;
    guint              timer;
} agent_clip_give_t;


struct agent_clip_x11_s {
    agent_clip_t         clip;          /* first: ops are called with it */

    Display             *display;
    Window               window;
    int                  fixes;         /* its first event */
    guint                source;
    gboolean             lost;
    Atom                 atoms[CLIP_ATOMS];
    Atom                 properties[AGENT_CLIP_PROPERTIES];

    GBytes              *own;           /* while ours is the selection */
    Time                 since;
    agent_clip_give_t    gives[AGENT_CLIP_GIVES];

    agent_clip_state_e   state;
    guint                property;      /* the one that is used */
    gboolean             latin;         /* STRING was asked for */
    gboolean             again;         /* somebody copied meanwhile */
    GByteArray          *incoming;
    guint                timer;         /* of the step, or of the pause */
};


static const char *const  agent_clip_names[CLIP_ATOMS] = {
    "CLIPBOARD", "TARGETS", "TIMESTAMP", "INCR", "UTF8_STRING", "TEXT",
    "text/plain;charset=utf-8", "text/plain", "x-kde-passwordManagerHint"
};


static gboolean agent_clip_x11_set(agent_clip_t *clip, const char *text,
    gsize len);
static void agent_clip_x11_close(agent_clip_t *clip);
static void agent_clip_lost(Display *display, void *data);
static gboolean agent_clip_event(gpointer data);
static void agent_clip_handle(agent_clip_x11_t *c, XEvent *event);

static void agent_clip_owner(agent_clip_x11_t *c,
    const XFixesSelectionNotifyEvent *event);
static void agent_clip_read(agent_clip_x11_t *c);
static void agent_clip_ask(agent_clip_x11_t *c, Atom target,
    agent_clip_state_e state);
static gboolean agent_clip_late(gpointer data);
static gboolean agent_clip_paused(gpointer data);
static void agent_clip_arrived(agent_clip_x11_t *c,
    const XSelectionEvent *event);
static void agent_clip_targets(agent_clip_x11_t *c);
static void agent_clip_piece(agent_clip_x11_t *c);
static gboolean agent_clip_property(agent_clip_x11_t *c, Atom *type,
    guchar **value, gulong *n, int *format);
static void agent_clip_stop(agent_clip_x11_t *c);
static void agent_clip_done(agent_clip_x11_t *c);

static void agent_clip_request(agent_clip_x11_t *c,
    const XSelectionRequestEvent *event);
static gboolean agent_clip_answer(agent_clip_x11_t *c,
    const XSelectionRequestEvent *event, Atom property);
static gboolean agent_clip_give(agent_clip_x11_t *c, Window requestor,
    Atom property, Atom type, GBytes *text);
static void agent_clip_give_next(agent_clip_give_t *give);
static gboolean agent_clip_give_late(gpointer data);
static void agent_clip_give_end(agent_clip_give_t *give);


static const agent_clip_ops_t  agent_clip_x11_ops = {
    agent_clip_x11_set,
    agent_clip_x11_close
};


agent_clip_t *
agent_clip_x11_open(const char *display, agent_clip_copied_pt copied,
    void *data, GError **error)
{
    int                i, err;
    char               name[32];
    agent_clip_x11_t  *c;

    c = g_new0(agent_clip_x11_t, 1);
    c->clip.ops = &agent_clip_x11_ops;
    c->clip.copied = copied;
    c->clip.data = data;
    c->incoming = g_byte_array_new();
    c->display = XOpenDisplay(display);

    if (c->display == NULL) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_UNREACHABLE,
                    "the X display \"%s\" cannot be opened for its clipboard",
                    display);
        agent_clip_x11_close(&c->clip);
        return NULL;
    }

    XSetIOErrorExitHandler(c->display, agent_clip_lost, c);

    if (!XFixesQueryExtension(c->display, &c->fixes, &err)) {
        g_set_error(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_UNREACHABLE,
                    "the X display \"%s\" has no XFIXES extension: there is "
                    "no clipboard without", display);
        agent_clip_x11_close(&c->clip);
        return NULL;
    }

    XInternAtoms(c->display, (char **) agent_clip_names, CLIP_ATOMS, False,
                 c->atoms);

    for (i = 0; i < AGENT_CLIP_PROPERTIES; i++) {
        g_snprintf(name, sizeof(name), "RS_AGENT_CLIP_%d", i);
        c->properties[i] = XInternAtom(c->display, name, False);
    }

    c->window = XCreateSimpleWindow(c->display, DefaultRootWindow(c->display),
                                    -1, -1, 1, 1, 0, 0, 0);
    XSelectInput(c->display, c->window, PropertyChangeMask);
    XFixesSelectSelectionInput(c->display, c->window,
                               c->atoms[CLIP_CLIPBOARD],
                               XFixesSetSelectionOwnerNotifyMask);
    XSync(c->display, False);

    c->source = agent_x11_watch(c->display, agent_clip_event, c);

    return &c->clip;
}


static void
agent_clip_x11_close(agent_clip_t *clip)
{
    guint              i;
    agent_clip_x11_t  *c = (agent_clip_x11_t *) clip;

    g_clear_handle_id(&c->source, g_source_remove);
    agent_clip_stop(c);

    for (i = 0; i < AGENT_CLIP_GIVES; i++) {
        agent_clip_give_end(&c->gives[i]);
    }

    if (c->display != NULL && !c->lost) {
        XCloseDisplay(c->display);
    }

    g_clear_pointer(&c->own, g_bytes_unref);
    g_byte_array_unref(c->incoming);
    g_free(c);
}


/* the connection for input notices as well, and ends the process */

static void
agent_clip_lost(Display *display, void *data)
{
    agent_clip_x11_t  *c = data;

    (void) display;

    c->lost = TRUE;
}


static gboolean
agent_clip_event(gpointer data)
{
    XEvent             event;
    agent_clip_x11_t  *c = data;

    while (!c->lost && XPending(c->display) > 0) {
        XNextEvent(c->display, &event);
        agent_clip_handle(c, &event);
    }

    if (c->lost) {
        c->source = 0;
        return G_SOURCE_REMOVE;
    }

    return G_SOURCE_CONTINUE;
}


static void
agent_clip_handle(agent_clip_x11_t *c, XEvent *event)
{
    guint                  i;
    const XPropertyEvent  *property = &event->xproperty;

    if (event->type == c->fixes + XFixesSelectionNotify) {
        agent_clip_owner(c, (XFixesSelectionNotifyEvent *) event);
        return;
    }

    switch (event->type) {

    case SelectionNotify:
        agent_clip_arrived(c, &event->xselection);
        break;

    case SelectionRequest:
        agent_clip_request(c, &event->xselectionrequest);
        break;

    case SelectionClear:
        g_clear_pointer(&c->own, g_bytes_unref);
        break;

    case PropertyNotify:
        if (property->window == c->window) {

            if (c->state == AGENT_CLIP_INCR
                && property->atom == c->properties[c->property]
                && property->state == PropertyNewValue)
            {
                agent_clip_piece(c);
            }

            break;
        }

        for (i = 0; i < AGENT_CLIP_GIVES; i++) {

            if (c->gives[i].requestor == property->window
                && c->gives[i].property == property->atom
                && property->state == PropertyDelete)
            {
                agent_clip_give_next(&c->gives[i]);
                break;
            }
        }

        break;

    default:
        break;
    }

    XFlush(c->display);
}


/* ---- reading */

static void
agent_clip_owner(agent_clip_x11_t *c, const XFixesSelectionNotifyEvent *event)
{
    if (event->owner == c->window) {
        c->since = event->selection_timestamp;
        agent_clip_stop(c);
        return;
    }

    if (event->owner == None) {
        return;
    }

    if (c->state != AGENT_CLIP_IDLE || c->timer != 0) {
        c->again = TRUE;
        return;
    }

    agent_clip_read(c);
}


static void
agent_clip_read(agent_clip_x11_t *c)
{
    c->again = FALSE;
    c->latin = FALSE;
    c->property = (c->property + 1) % AGENT_CLIP_PROPERTIES;
    agent_clip_ask(c, c->atoms[CLIP_TARGETS], AGENT_CLIP_ASKED_TARGETS);
}


static void
agent_clip_ask(agent_clip_x11_t *c, Atom target, agent_clip_state_e state)
{
    c->state = state;
    g_clear_handle_id(&c->timer, g_source_remove);
    c->timer = g_timeout_add_seconds(AGENT_CLIP_STEP_S, agent_clip_late, c);

    XConvertSelection(c->display, c->atoms[CLIP_CLIPBOARD], target,
                      c->properties[c->property], c->window, CurrentTime);
    XFlush(c->display);
}


static gboolean
agent_clip_late(gpointer data)
{
    agent_clip_x11_t  *c = data;

    g_info("who has the clipboard does not say what is in it");

    c->timer = 0;
    agent_clip_done(c);

    return G_SOURCE_REMOVE;
}


static void
agent_clip_arrived(agent_clip_x11_t *c, const XSelectionEvent *event)
{
    if (event->property == None) {

        /* a refusal says its target: it may be one of an older question */

        if (c->state == AGENT_CLIP_ASKED_TARGETS
            || c->state == AGENT_CLIP_ASKED_TEXT)
        {
            agent_clip_done(c);
        }

        return;
    }

    if (event->property != c->properties[c->property]) {
        XDeleteProperty(c->display, c->window, event->property);
        return;
    }

    if (c->state == AGENT_CLIP_ASKED_TARGETS) {
        agent_clip_targets(c);

    } else if (c->state == AGENT_CLIP_ASKED_TEXT) {
        agent_clip_piece(c);
    }
}


static void
agent_clip_targets(agent_clip_x11_t *c)
{
    int       format;
    Atom      type;
    gulong    i, n;
    guchar   *value;
    gboolean  utf8, latin, secret;

    utf8 = latin = secret = FALSE;

    if (agent_clip_property(c, &type, &value, &n, &format)) {

        /* Xlib has 32 bits in a long each */

        for (i = 0; format == 32 && i < MIN(n, AGENT_CLIP_TARGETS); i++) {
            Atom  atom = ((const unsigned long *) (void *) value)[i];

            utf8 = utf8 || atom == c->atoms[CLIP_UTF8];
            latin = latin || atom == XA_STRING;
            secret = secret || atom == c->atoms[CLIP_SECRET];
        }

        XFree(value);
    }

    if (secret || (!utf8 && !latin)) {
        agent_clip_done(c);
        return;
    }

    c->latin = !utf8;
    agent_clip_ask(c, utf8 ? c->atoms[CLIP_UTF8] : XA_STRING,
                   AGENT_CLIP_ASKED_TEXT);
}


/* a text, its beginning as INCR, or one piece of that; an empty one ends it */

static void
agent_clip_piece(agent_clip_x11_t *c)
{
    int       format;
    Atom      type;
    gulong    n;
    guchar   *value;
    gboolean  more;

    if (!agent_clip_property(c, &type, &value, &n, &format)) {
        g_byte_array_set_size(c->incoming, 0);
        agent_clip_done(c);
        return;
    }

    more = FALSE;

    if (c->state == AGENT_CLIP_ASKED_TEXT && type == c->atoms[CLIP_INCR]) {
        c->state = AGENT_CLIP_INCR;
        more = TRUE;

    } else if (format == 8) {
        more = (c->state == AGENT_CLIP_INCR && n != 0);

        if (c->incoming->len + n > AGENT_CLIP_MAX) {
            g_info("a text of more than %d bytes was copied: not told",
                   AGENT_CLIP_MAX);
            g_byte_array_set_size(c->incoming, 0);
            more = FALSE;

        } else {
            g_byte_array_append(c->incoming, value, (guint) n);
        }
    }

    XFree(value);

    if (more) {
        g_clear_handle_id(&c->timer, g_source_remove);
        c->timer = g_timeout_add_seconds(AGENT_CLIP_STEP_S, agent_clip_late,
                                         c);
        return;
    }

    agent_clip_done(c);
}


/* taken off the window; FALSE: there is none, or more than a text may have */

static gboolean
agent_clip_property(agent_clip_x11_t *c, Atom *type, guchar **value,
    gulong *n, int *format)
{
    gulong  after;

    *value = NULL;

    if (XGetWindowProperty(c->display, c->window, c->properties[c->property],
                           0, AGENT_CLIP_MAX / 4 + 1, True, AnyPropertyType,
                           type, format, n, &after, value)
        != Success)
    {
        return FALSE;
    }

    if (*type == None || after != 0) {
        g_clear_pointer(value, XFree);
        XDeleteProperty(c->display, c->window, c->properties[c->property]);
        return FALSE;
    }

    return TRUE;
}


static void
agent_clip_stop(agent_clip_x11_t *c)
{
    g_clear_handle_id(&c->timer, g_source_remove);
    g_byte_array_set_size(c->incoming, 0);
    c->state = AGENT_CLIP_IDLE;
    c->again = FALSE;
}


static gboolean
agent_clip_paused(gpointer data)
{
    agent_clip_x11_t  *c = data;

    c->timer = 0;

    if (c->again && !c->lost) {
        agent_clip_read(c);
    }

    return G_SOURCE_REMOVE;
}


/* what has come is told, unless somebody has copied something newer */

static void
agent_clip_done(agent_clip_x11_t *c)
{
    gsize              len;
    g_autofree char   *text = NULL;

    g_clear_handle_id(&c->timer, g_source_remove);
    c->state = AGENT_CLIP_IDLE;
    c->timer = g_timeout_add(AGENT_CLIP_PAUSE_MS, agent_clip_paused, c);

    len = c->incoming->len;

    while (len > 0 && c->incoming->data[len - 1] == '\0') {
        len--;
    }

    if (len == 0) {
        g_byte_array_set_size(c->incoming, 0);
        return;
    }

    if (c->latin) {
        text = g_convert((const char *) c->incoming->data, (gssize) len,
                         "UTF-8", "ISO-8859-1", NULL, &len, NULL);

    } else {
        text = g_strndup((const char *) c->incoming->data, len);
    }

    g_byte_array_set_size(c->incoming, 0);

    if (c->again || text == NULL || len > AGENT_CLIP_MAX
        || !g_utf8_validate(text, (gssize) len, NULL))
    {
        return;
    }

    c->clip.copied(c->clip.data, text, len);
}


/* ---- giving */

static gboolean
agent_clip_x11_set(agent_clip_t *clip, const char *text, gsize len)
{
    Window             owner;
    agent_clip_x11_t  *c = (agent_clip_x11_t *) clip;

    if (c->lost) {
        return FALSE;
    }

    agent_clip_stop(c);
    g_clear_pointer(&c->own, g_bytes_unref);
    c->own = g_bytes_new(text, len);

    XSetSelectionOwner(c->display, c->atoms[CLIP_CLIPBOARD], c->window,
                       CurrentTime);
    owner = XGetSelectionOwner(c->display, c->atoms[CLIP_CLIPBOARD]);

    return !c->lost && owner == c->window;
}


static void
agent_clip_request(agent_clip_x11_t *c, const XSelectionRequestEvent *event)
{
    Atom    property;
    XEvent  reply;

    /* old clients leave the property to us */

    property = (event->property != None) ? event->property : event->target;

    memset(&reply, 0, sizeof(reply));
    reply.xselection.type = SelectionNotify;
    reply.xselection.requestor = event->requestor;
    reply.xselection.selection = event->selection;
    reply.xselection.target = event->target;
    reply.xselection.time = event->time;
    reply.xselection.property =
        (c->own != NULL && event->selection == c->atoms[CLIP_CLIPBOARD]
         && agent_clip_answer(c, event, property)) ? property : None;

    XSendEvent(c->display, event->requestor, False, NoEventMask, &reply);
    XFlush(c->display);
}


static gboolean
agent_clip_answer(agent_clip_x11_t *c, const XSelectionRequestEvent *event,
    Atom property)
{
    Atom                 target = event->target;
    gsize                len;
    gulong               since;
    const char          *text;
    g_autofree char     *latin = NULL;
    g_autoptr(GBytes)    bytes = NULL;

    Atom  targets[] = { c->atoms[CLIP_TARGETS], c->atoms[CLIP_TIMESTAMP],
                        c->atoms[CLIP_UTF8], c->atoms[CLIP_PLAIN_UTF8],
                        c->atoms[CLIP_TEXT], XA_STRING,
                        c->atoms[CLIP_PLAIN] };

    if (target == c->atoms[CLIP_TARGETS]) {
        XChangeProperty(c->display, event->requestor, property, XA_ATOM, 32,
                        PropModeReplace, (guchar *) targets,
                        G_N_ELEMENTS(targets));
        return TRUE;
    }

    if (target == c->atoms[CLIP_TIMESTAMP]) {
        since = c->since;
        XChangeProperty(c->display, event->requestor, property, XA_INTEGER,
                        32, PropModeReplace, (guchar *) &since, 1);
        return TRUE;
    }

    if (target == c->atoms[CLIP_TEXT]) {
        target = c->atoms[CLIP_UTF8];
    }

    if (target == c->atoms[CLIP_UTF8] || target == c->atoms[CLIP_PLAIN_UTF8]
        || target == c->atoms[CLIP_PLAIN])
    {
        return agent_clip_give(c, event->requestor, property, target, c->own);
    }

    if (target != XA_STRING) {
        return FALSE;
    }

    text = g_bytes_get_data(c->own, &len);
    latin = g_convert_with_fallback(text, (gssize) len, "ISO-8859-1", "UTF-8",
                                    "?", NULL, &len, NULL);
    if (latin == NULL) {
        return FALSE;
    }

    bytes = g_bytes_new_take(g_steal_pointer(&latin), len);

    return agent_clip_give(c, event->requestor, property, target, bytes);
}


static gboolean
agent_clip_give(agent_clip_x11_t *c, Window requestor, Atom property,
    Atom type, GBytes *text)
{
    guint               i;
    gsize               len;
    gulong              size;
    const void         *data;
    agent_clip_give_t  *give;

    data = g_bytes_get_data(text, &len);

    if (len <= AGENT_CLIP_CHUNK) {
        XChangeProperty(c->display, requestor, property, type, 8,
                        PropModeReplace, data, (int) len);
        return TRUE;
    }

    for (i = 0; i < AGENT_CLIP_GIVES; i++) {

        if (c->gives[i].requestor == None) {
            break;
        }
    }

    if (i == AGENT_CLIP_GIVES) {
        g_info("a request for the clipboard is refused: %d are under way",
               AGENT_CLIP_GIVES);
        return FALSE;
    }

    give = &c->gives[i];
    give->clip = c;
    give->requestor = requestor;
    give->property = property;
    give->type = type;
    give->text = g_bytes_ref(text);
    give->at = 0;
    give->timer = g_timeout_add_seconds(AGENT_CLIP_STEP_S,
                                        agent_clip_give_late, give);

    size = len;
    XSelectInput(c->display, requestor, PropertyChangeMask);
    XChangeProperty(c->display, requestor, property, c->atoms[CLIP_INCR], 32,
                    PropModeReplace, (guchar *) &size, 1);

    return TRUE;
}


/* the piece before was taken; an empty one is the end */

static void
agent_clip_give_next(agent_clip_give_t *give)
{
    gsize              len, n;
    const guchar      *data;
    agent_clip_x11_t  *c = give->clip;

    data = g_bytes_get_data(give->text, &len);
    n = MIN(len - give->at, AGENT_CLIP_CHUNK);

    XChangeProperty(c->display, give->requestor, give->property, give->type,
                    8, PropModeReplace, data + give->at, (int) n);
    give->at += n;

    if (n == 0) {
        agent_clip_give_end(give);
        return;
    }

    g_clear_handle_id(&give->timer, g_source_remove);
    give->timer = g_timeout_add_seconds(AGENT_CLIP_STEP_S,
                                        agent_clip_give_late, give);
}


static gboolean
agent_clip_give_late(gpointer data)
{
    agent_clip_give_t  *give = data;

    give->timer = 0;
    agent_clip_give_end(give);

    return G_SOURCE_REMOVE;
}


static void
agent_clip_give_end(agent_clip_give_t *give)
{
    g_clear_handle_id(&give->timer, g_source_remove);
    g_clear_pointer(&give->text, g_bytes_unref);

    if (give->requestor != None && !give->clip->lost) {
        XSelectInput(give->clip->display, give->requestor, NoEventMask);
        XFlush(give->clip->display);
    }

    give->requestor = None;
}
