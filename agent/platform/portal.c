
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the dialogue:
 *
 *     CreateSession -> SelectDevices -> SelectSources -> Start
 *
 * Each call answers with a request, whose Response is a signal; Start's comes
 * when the person at the desktop has said yes or no.  The path of a request is
 * known before it is made, so no Response is missed.
 */

#define G_LOG_DOMAIN  "rs-portal"

#include "portal.h"

#include <gio/gunixfdlist.h>
#include <string.h>


#define AGENT_PORTAL_NAME     "org.freedesktop.portal.Desktop"
#define AGENT_PORTAL_PATH     "/org/freedesktop/portal/desktop"
#define AGENT_PORTAL_REMOTE   "org.freedesktop.portal.RemoteDesktop"
#define AGENT_PORTAL_CAST     "org.freedesktop.portal.ScreenCast"
#define AGENT_PORTAL_REQUEST  "org.freedesktop.portal.Request"
#define AGENT_PORTAL_SESSION  "org.freedesktop.portal.Session"

#define AGENT_PORTAL_KEYBOARD  1u
#define AGENT_PORTAL_POINTER   2u
#define AGENT_PORTAL_MONITOR   1u
#define AGENT_PORTAL_EMBEDDED  2u       /* the pointer is in the picture */
#define AGENT_PORTAL_PERSIST   2u       /* until it is taken back */

#define AGENT_PORTAL_CALL_MS   5000
#define AGENT_PORTAL_TOKEN     512      /* bytes of a token, at most */
#define AGENT_PORTAL_SIDE      16384    /* pixels of a screen, at most */


typedef enum {
    AGENT_PORTAL_CREATE = 0,
    AGENT_PORTAL_DEVICES,
    AGENT_PORTAL_SOURCES,
    AGENT_PORTAL_START
} agent_portal_step_e;


struct agent_portal_s {
    GDBusConnection       *bus;
    GCancellable          *cancel;
    char                  *token_file;
    guint                  responses;   /* subscriptions */
    guint                  closes;

    agent_portal_e         state;
    agent_portal_step_e    step;
    guint                  requests;
    char                  *request;     /* path of the one under way */
    char                  *session;
    char                  *why;

    guint32                node;
    int                    width;
    int                    height;

    agent_portal_over_pt   over;
    void                  *data;
};


static void agent_portal_next(agent_portal_t *portal);
static void agent_portal_called(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_portal_response(GDBusConnection *bus, const char *sender,
    const char *path, const char *interface, const char *signal,
    GVariant *parameters, gpointer data);
static void agent_portal_closed(GDBusConnection *bus, const char *sender,
    const char *path, const char *interface, const char *signal,
    GVariant *parameters, gpointer data);
static gboolean agent_portal_started(agent_portal_t *portal,
    GVariant *results);
static void agent_portal_options(agent_portal_t *portal,
    GVariantBuilder *options);
static char *agent_portal_token(const agent_portal_t *portal);
static void agent_portal_fail(agent_portal_t *portal, agent_portal_e state,
    const char *why);
static void agent_portal_tell(agent_portal_t *portal, const char *method,
    GVariant *parameters);


agent_portal_t *
agent_portal_new(GDBusConnection *bus, const char *token_file)
{
    agent_portal_t      *portal;
    g_autoptr(GError)    error = NULL;

    portal = g_new0(agent_portal_t, 1);
    portal->cancel = g_cancellable_new();
    portal->token_file = g_strdup(token_file);
    portal->bus = (bus != NULL) ? g_object_ref(bus)
                  : g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &error);

    if (portal->bus == NULL) {
        agent_portal_fail(portal, AGENT_PORTAL_FAILED, error->message);
        return portal;
    }

    portal->responses = g_dbus_connection_signal_subscribe(portal->bus,
                            AGENT_PORTAL_NAME, AGENT_PORTAL_REQUEST,
                            "Response", NULL, NULL,
                            G_DBUS_SIGNAL_FLAGS_NONE, agent_portal_response,
                            portal, NULL);
    portal->closes = g_dbus_connection_signal_subscribe(portal->bus,
                            AGENT_PORTAL_NAME, AGENT_PORTAL_SESSION,
                            "Closed", NULL, NULL,
                            G_DBUS_SIGNAL_FLAGS_NONE, agent_portal_closed,
                            portal, NULL);
    agent_portal_next(portal);

    return portal;
}


void
agent_portal_free(agent_portal_t *portal)
{
    g_cancellable_cancel(portal->cancel);

    if (portal->bus != NULL) {
        g_dbus_connection_signal_unsubscribe(portal->bus, portal->responses);
        g_dbus_connection_signal_unsubscribe(portal->bus, portal->closes);

        if (portal->session != NULL) {
            g_dbus_connection_call(portal->bus, AGENT_PORTAL_NAME,
                                   portal->session, AGENT_PORTAL_SESSION,
                                   "Close", NULL, NULL,
                                   G_DBUS_CALL_FLAGS_NONE,
                                   AGENT_PORTAL_CALL_MS, NULL, NULL, NULL);
        }

        g_object_unref(portal->bus);
    }

    g_object_unref(portal->cancel);
    g_free(portal->token_file);
    g_free(portal->request);
    g_free(portal->session);
    g_free(portal->why);
    g_free(portal);
}


agent_portal_e
agent_portal_state(const agent_portal_t *portal)
{
    return portal->state;
}


const char *
agent_portal_why(const agent_portal_t *portal)
{
    return (portal->why != NULL) ? portal->why
           : "the person at the desktop is being asked whether it may be "
             "shared: try again once they said yes";
}


void
agent_portal_watch(agent_portal_t *portal, agent_portal_over_pt over,
    void *data)
{
    portal->over = over;
    portal->data = data;
}


void
agent_portal_size(const agent_portal_t *portal, int *width, int *height)
{
    *width = portal->width;
    *height = portal->height;
}


guint32
agent_portal_node(const agent_portal_t *portal)
{
    return portal->node;
}


static void
agent_portal_fail(agent_portal_t *portal, agent_portal_e state,
    const char *why)
{
    gboolean  ready = (portal->state == AGENT_PORTAL_READY);

    portal->state = state;
    g_free(portal->why);
    portal->why = g_strdup(why);
    g_message("the desktop is not shared: %s", why);

    if (ready && portal->over != NULL) {
        portal->over(portal->data);
    }
}


/* the next call; its request has a path that both sides can make */

static void
agent_portal_next(agent_portal_t *portal)
{
    GVariant          *parameters;
    const char        *interface, *method;
    GVariantBuilder    options;
    g_autofree char   *sender = NULL;
    g_autofree char   *name = NULL;

    name = g_strdup_printf("rs%u", ++portal->requests);
    sender = g_strdup(g_dbus_connection_get_unique_name(portal->bus) + 1);
    g_strdelimit(sender, ".", '_');

    g_free(portal->request);
    portal->request = g_strdup_printf(AGENT_PORTAL_PATH "/request/%s/%s",
                                      sender, name);

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "handle_token",
                          g_variant_new_string(name));
    agent_portal_options(portal, &options);

    interface = AGENT_PORTAL_REMOTE;

    switch (portal->step) {

    case AGENT_PORTAL_CREATE:
        method = "CreateSession";
        parameters = g_variant_new("(a{sv})", &options);
        break;

    case AGENT_PORTAL_DEVICES:
        method = "SelectDevices";
        parameters = g_variant_new("(oa{sv})", portal->session, &options);
        break;

    case AGENT_PORTAL_SOURCES:
        interface = AGENT_PORTAL_CAST;
        method = "SelectSources";
        parameters = g_variant_new("(oa{sv})", portal->session, &options);
        break;

    default:
        method = "Start";
        parameters = g_variant_new("(osa{sv})", portal->session, "",
                                   &options);
        break;
    }

    g_dbus_connection_call(portal->bus, AGENT_PORTAL_NAME, AGENT_PORTAL_PATH,
                           interface, method, parameters,
                           G_VARIANT_TYPE("(o)"), G_DBUS_CALL_FLAGS_NONE,
                           AGENT_PORTAL_CALL_MS, portal->cancel,
                           agent_portal_called, portal);
}


static void
agent_portal_options(agent_portal_t *portal, GVariantBuilder *options)
{
    g_autofree char  *token = NULL;

    switch (portal->step) {

    case AGENT_PORTAL_CREATE:
        g_variant_builder_add(options, "{sv}", "session_handle_token",
                              g_variant_new_string("rs"));
        return;

    case AGENT_PORTAL_DEVICES:
        g_variant_builder_add(options, "{sv}", "types",
                              g_variant_new_uint32(AGENT_PORTAL_KEYBOARD
                                                   |AGENT_PORTAL_POINTER));
        g_variant_builder_add(options, "{sv}", "persist_mode",
                              g_variant_new_uint32(AGENT_PORTAL_PERSIST));
        token = agent_portal_token(portal);

        if (token != NULL) {
            g_variant_builder_add(options, "{sv}", "restore_token",
                                  g_variant_new_string(token));
        }

        return;

    case AGENT_PORTAL_SOURCES:
        g_variant_builder_add(options, "{sv}", "types",
                              g_variant_new_uint32(AGENT_PORTAL_MONITOR));
        g_variant_builder_add(options, "{sv}", "multiple",
                              g_variant_new_boolean(FALSE));
        g_variant_builder_add(options, "{sv}", "cursor_mode",
                              g_variant_new_uint32(AGENT_PORTAL_EMBEDDED));
        return;

    default:
        return;
    }
}


/* of a process before; whatever is wrong with it, there is none */

static char *
agent_portal_token(const agent_portal_t *portal)
{
    char   *text;
    gsize   len;

    if (portal->token_file == NULL
        || !g_file_get_contents(portal->token_file, &text, &len, NULL))
    {
        return NULL;
    }

    if (len == 0 || len > AGENT_PORTAL_TOKEN
        || !g_utf8_validate(text, (gssize) len, NULL))
    {
        g_free(text);
        return NULL;
    }

    return text;
}


static void
agent_portal_called(GObject *source, GAsyncResult *result, gpointer data)
{
    const char           *path;
    agent_portal_t       *portal = data;
    g_autoptr(GError)     error = NULL;
    g_autoptr(GVariant)   answer = NULL;

    answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result,
                                           &error);

    /* freed: nothing of it is there */

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        return;
    }

    if (answer == NULL) {
        g_dbus_error_strip_remote_error(error);
        agent_portal_fail(portal, AGENT_PORTAL_FAILED, error->message);
        return;
    }

    /* portals of before 0.9 make their own paths; another step may be under
     * way by now */

    g_variant_get(answer, "(&o)", &path);

    if (portal->state == AGENT_PORTAL_ASKING
        && !g_str_has_prefix(path, AGENT_PORTAL_PATH "/request/"))
    {
        agent_portal_fail(portal, AGENT_PORTAL_FAILED,
                          "the desktop portal answers with a request that is "
                          "none");
    }
}


static void
agent_portal_response(GDBusConnection *bus, const char *sender,
    const char *path, const char *interface, const char *signal,
    GVariant *parameters, gpointer data)
{
    guint32               code;
    agent_portal_t       *portal = data;
    g_autoptr(GVariant)   results = NULL;

    (void) bus;
    (void) sender;
    (void) interface;
    (void) signal;

    if (portal->state != AGENT_PORTAL_ASKING
        || g_strcmp0(path, portal->request) != 0
        || !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(ua{sv})")))
    {
        return;
    }

    g_variant_get(parameters, "(u@a{sv})", &code, &results);

    if (code != 0) {
        agent_portal_fail(portal, code == 1 ? AGENT_PORTAL_DENIED
                                            : AGENT_PORTAL_FAILED,
                          code == 1 ? "the person at the desktop does not "
                                      "want it shared"
                                    : "the desktop portal ended the request");
        return;
    }

    switch (portal->step) {

    case AGENT_PORTAL_CREATE:
        if (!g_variant_lookup(results, "session_handle", "s",
                              &portal->session)
            || !g_variant_is_object_path(portal->session))
        {
            g_clear_pointer(&portal->session, g_free);
            agent_portal_fail(portal, AGENT_PORTAL_FAILED,
                              "the desktop portal gave no session");
            return;
        }

        break;

    case AGENT_PORTAL_START:
        if (!agent_portal_started(portal, results)) {
            agent_portal_fail(portal, AGENT_PORTAL_FAILED,
                              "the desktop portal shares no screen");
            return;
        }

        portal->state = AGENT_PORTAL_READY;
        g_message("the desktop is shared, %dx%d", portal->width,
                  portal->height);
        return;

    default:
        break;
    }

    portal->step++;
    agent_portal_next(portal);
}


static gboolean
agent_portal_started(agent_portal_t *portal, GVariant *results)
{
    const char           *token;
    g_autoptr(GVariant)   streams = NULL;
    g_autoptr(GVariant)   first = NULL;
    g_autoptr(GVariant)   about = NULL;

    streams = g_variant_lookup_value(results, "streams",
                                     G_VARIANT_TYPE("a(ua{sv})"));

    if (streams == NULL || g_variant_n_children(streams) == 0) {
        return FALSE;
    }

    first = g_variant_get_child_value(streams, 0);
    g_variant_get(first, "(u@a{sv})", &portal->node, &about);

    if (!g_variant_lookup(about, "size", "(ii)", &portal->width,
                          &portal->height)
        || portal->width < 2 || portal->width > AGENT_PORTAL_SIDE
        || portal->height < 2 || portal->height > AGENT_PORTAL_SIDE)
    {
        return FALSE;
    }

    if (portal->token_file != NULL
        && g_variant_lookup(results, "restore_token", "&s", &token)
        && strlen(token) <= AGENT_PORTAL_TOKEN
        && !g_file_set_contents_full(portal->token_file, token, -1,
                                     G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                     NULL))
    {
        g_info("the portal will ask again: %s cannot be written",
               portal->token_file);
    }

    return TRUE;
}


static void
agent_portal_closed(GDBusConnection *bus, const char *sender,
    const char *path, const char *interface, const char *signal,
    GVariant *parameters, gpointer data)
{
    agent_portal_t  *portal = data;

    (void) bus;
    (void) sender;
    (void) interface;
    (void) signal;
    (void) parameters;

    if (portal->session != NULL && g_strcmp0(path, portal->session) == 0
        && portal->state < AGENT_PORTAL_DENIED)
    {
        g_clear_pointer(&portal->session, g_free);
        agent_portal_fail(portal, AGENT_PORTAL_OVER,
                          "sharing was ended at the desktop");
    }
}


int
agent_portal_remote(agent_portal_t *portal, GError **error)
{
    gint32                   index;
    GVariantBuilder          options;
    g_autoptr(GVariant)      answer = NULL;
    g_autoptr(GUnixFDList)   fds = NULL;

    if (portal->state != AGENT_PORTAL_READY) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED,
                            agent_portal_why(portal));
        return -1;
    }

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);

    answer = g_dbus_connection_call_with_unix_fd_list_sync(portal->bus,
                 AGENT_PORTAL_NAME, AGENT_PORTAL_PATH, AGENT_PORTAL_CAST,
                 "OpenPipeWireRemote",
                 g_variant_new("(oa{sv})", portal->session, &options),
                 G_VARIANT_TYPE("(h)"), G_DBUS_CALL_FLAGS_NONE,
                 AGENT_PORTAL_CALL_MS, NULL, &fds, NULL, error);

    if (answer == NULL) {
        return -1;
    }

    g_variant_get(answer, "(h)", &index);

    if (fds == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "the desktop portal gave no connection to PipeWire");
        return -1;
    }

    return g_unix_fd_list_get(fds, index, error);
}


static void
agent_portal_tell(agent_portal_t *portal, const char *method,
    GVariant *parameters)
{
    g_autoptr(GVariant)  owned = g_variant_ref_sink(parameters);

    if (portal->state != AGENT_PORTAL_READY) {
        return;
    }

    g_dbus_connection_call(portal->bus, AGENT_PORTAL_NAME, AGENT_PORTAL_PATH,
                           AGENT_PORTAL_REMOTE, method, owned, NULL,
                           G_DBUS_CALL_FLAGS_NONE, AGENT_PORTAL_CALL_MS,
                           NULL, NULL, NULL);
}


static const char *
agent_portal_at(const agent_portal_t *portal)
{
    return (portal->session != NULL) ? portal->session : "/";
}


void
agent_portal_motion(agent_portal_t *portal, double x, double y)
{
    agent_portal_tell(portal, "NotifyPointerMotionAbsolute",
                      g_variant_new("(oa{sv}udd)", agent_portal_at(portal),
                                    NULL, portal->node, x, y));
}


void
agent_portal_button(agent_portal_t *portal, int evdev, gboolean down)
{
    agent_portal_tell(portal, "NotifyPointerButton",
                      g_variant_new("(oa{sv}iu)", agent_portal_at(portal),
                                    NULL, evdev, down ? 1u : 0u));
}


void
agent_portal_axis(agent_portal_t *portal, gboolean horizontal, int steps)
{
    agent_portal_tell(portal, "NotifyPointerAxisDiscrete",
                      g_variant_new("(oa{sv}ui)", agent_portal_at(portal),
                                    NULL, horizontal ? 1u : 0u, steps));
}


void
agent_portal_keysym(agent_portal_t *portal, guint32 keysym, gboolean down)
{
    agent_portal_tell(portal, "NotifyKeyboardKeysym",
                      g_variant_new("(oa{sv}iu)", agent_portal_at(portal),
                                    NULL, (gint32) keysym, down ? 1u : 0u));
}
