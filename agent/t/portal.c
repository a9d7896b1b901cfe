
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A Wayland desktop's portal, played by the test on a bus of its own: what it
 * is asked for, what it may answer, and what of input reaches it.  Pictures
 * are a compositor's, and not here.
 */

#include "platform/platform_pipewire.h"
#include "tap.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>


#define DESKTOP  "/org/freedesktop/portal/desktop"
#define SESSION  DESKTOP "/session/rs/rs"


/* how it behaves; under lock */

typedef struct {
    const char  *deny;          /* the method whose Response is this code */
    guint32      code;
    const char  *refuse;        /* the method that is an error */
    gboolean     silent;        /* Start has no Response yet */
    gboolean     no_stream;
    gboolean     no_session;
    int          width;
} manners_t;


typedef struct {
    GTestDBus        *bus;
    GThread          *thread;
    GMainContext     *context;
    GMainLoop        *loop;
    GDBusConnection  *connection;
    GMutex            lock;
    GCond             ready;
    gboolean          is_ready;
    manners_t         manners;
    GString          *heard;        /* "method(arguments) " */
    char             *request;      /* of Start */
} portal_t;


static const char  xml[] =
    "<node>"
    "<interface name='org.freedesktop.portal.RemoteDesktop'>"
    "<method name='CreateSession'><arg type='a{sv}' direction='in'/>"
    "<arg type='o' direction='out'/></method>"
    "<method name='SelectDevices'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='o' direction='out'/>"
    "</method>"
    "<method name='Start'><arg type='o' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='a{sv}' direction='in'/>"
    "<arg type='o' direction='out'/></method>"
    "<method name='NotifyPointerMotionAbsolute'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='d' direction='in'/><arg type='d' direction='in'/></method>"
    "<method name='NotifyPointerButton'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='i' direction='in'/>"
    "<arg type='u' direction='in'/></method>"
    "<method name='NotifyPointerAxisDiscrete'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='i' direction='in'/></method>"
    "<method name='NotifyKeyboardKeysym'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='i' direction='in'/>"
    "<arg type='u' direction='in'/></method>"
    "</interface>"
    "<interface name='org.freedesktop.portal.ScreenCast'>"
    "<method name='SelectSources'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='o' direction='out'/>"
    "</method>"
    "<method name='OpenPipeWireRemote'><arg type='o' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='h' direction='out'/>"
    "</method>"
    "</interface>"
    "</node>";


static void
respond(portal_t *p, const char *path, guint32 code, GVariant *results)
{
    g_dbus_connection_emit_signal(p->connection, NULL, path,
                                  "org.freedesktop.portal.Request",
                                  "Response",
                                  g_variant_new("(u@a{sv})", code, results),
                                  NULL);
}


static GVariant *
shared(const manners_t *manners)
{
    GVariantBuilder  results, streams, about;

    g_variant_builder_init(&results, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_init(&streams, G_VARIANT_TYPE("a(ua{sv})"));

    if (!manners->no_stream) {
        g_variant_builder_init(&about, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&about, "{sv}", "size",
                              g_variant_new("(ii)", manners->width, 601));
        g_variant_builder_add(&streams, "(ua{sv})", 42u, &about);
    }

    g_variant_builder_add(&results, "{sv}", "streams",
                          g_variant_builder_end(&streams));
    g_variant_builder_add(&results, "{sv}", "restore_token",
                          g_variant_new_string("next time"));

    return g_variant_builder_end(&results);
}


static void
remote(GDBusMethodInvocation *call)
{
    int                      fd = open("/dev/null", O_RDONLY);
    g_autoptr(GUnixFDList)   fds = g_unix_fd_list_new();

    g_unix_fd_list_append(fds, fd, NULL);
    close(fd);
    g_dbus_method_invocation_return_value_with_unix_fd_list(call,
                                                  g_variant_new("(h)", 0),
                                                  fds);
}


static void
on_call(GDBusConnection *connection, const char *sender, const char *path,
    const char *interface, const char *method, GVariant *parameters,
    GDBusMethodInvocation *call, gpointer data)
{
    char                 *request;
    portal_t             *p = data;
    manners_t             manners;
    const char           *token;
    GVariant             *results;
    GVariantBuilder       none;
    g_autofree char      *text = NULL;
    g_autofree char      *who = NULL;
    g_autoptr(GVariant)   options = NULL;

    (void) connection;
    (void) path;
    (void) interface;

    text = g_variant_print(parameters, FALSE);
    g_mutex_lock(&p->lock);
    g_string_append_printf(p->heard, "%s%s ", method, text);
    manners = p->manners;
    g_cond_signal(&p->ready);
    g_mutex_unlock(&p->lock);

    if (g_str_has_prefix(method, "Notify")) {
        g_dbus_method_invocation_return_value(call, NULL);
        return;
    }

    if (strcmp(method, "OpenPipeWireRemote") == 0) {
        remote(call);
        return;
    }

    if (g_strcmp0(manners.refuse, method) == 0) {
        g_dbus_method_invocation_return_error(call, G_IO_ERROR,
                                              G_IO_ERROR_NOT_SUPPORTED,
                                              "not on this desktop");
        return;
    }

    options = g_variant_get_child_value(parameters,
                                 g_variant_n_children(parameters) - 1);
    (void) g_variant_lookup(options, "handle_token", "&s", &token);
    who = g_strdelimit(g_strdup(sender + 1), ".", '_');
    request = g_strdup_printf(DESKTOP "/request/%s/%s", who, token);
    g_dbus_method_invocation_return_value(call,
                                          g_variant_new("(o)", request));

    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);

    if (strcmp(method, "CreateSession") == 0 && !manners.no_session) {
        g_variant_builder_add(&none, "{sv}", "session_handle",
                              g_variant_new_string(SESSION));
    }

    results = g_variant_builder_end(&none);

    if (g_strcmp0(manners.deny, method) == 0) {
        respond(p, request, manners.code, results);

    } else if (strcmp(method, "Start") == 0) {
        g_variant_unref(g_variant_ref_sink(results));

        if (!manners.silent) {
            respond(p, request, 0, shared(&manners));
        }

    } else {
        respond(p, request, 0, results);
    }

    g_free(request);
}


static gpointer
play(gpointer data)
{
    guint                       i;
    portal_t                   *p = data;
    g_autoptr(GDBusNodeInfo)    info = NULL;
    g_autoptr(GVariant)         owned = NULL;

    static const GDBusInterfaceVTable  vtable = { .method_call = on_call };

    g_main_context_push_thread_default(p->context);

    p->connection = g_dbus_connection_new_for_address_sync(
                        g_test_dbus_get_bus_address(p->bus),
                        G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
                        |G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                        NULL, NULL, NULL);
    info = g_dbus_node_info_new_for_xml(xml, NULL);

    for (i = 0; info->interfaces[i] != NULL; i++) {
        g_dbus_connection_register_object(p->connection, DESKTOP,
                                          info->interfaces[i], &vtable, p,
                                          NULL, NULL);
    }

    owned = g_dbus_connection_call_sync(p->connection,
                "org.freedesktop.DBus", "/org/freedesktop/DBus",
                "org.freedesktop.DBus", "RequestName",
                g_variant_new("(su)", "org.freedesktop.portal.Desktop", 0u),
                NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);

    g_mutex_lock(&p->lock);
    p->is_ready = TRUE;
    g_cond_signal(&p->ready);
    g_mutex_unlock(&p->lock);

    g_main_loop_run(p->loop);

    g_dbus_connection_close_sync(p->connection, NULL, NULL);
    g_object_unref(p->connection);
    g_main_context_pop_thread_default(p->context);

    return NULL;
}


static void
behave(portal_t *p, const manners_t *manners)
{
    g_mutex_lock(&p->lock);
    p->manners = *manners;
    p->manners.width = manners->width ? manners->width : 801;
    g_string_truncate(p->heard, 0);
    g_mutex_unlock(&p->lock);
}


/* until the portal's state is another one than asking */

static agent_portal_e
settled(agent_portal_t *portal)
{
    while (agent_portal_state(portal) == AGENT_PORTAL_ASKING) {
        g_main_context_iteration(NULL, TRUE);
    }

    return agent_portal_state(portal);
}


/* until it has heard this, and all of it so far; the caller frees it */

static char *
heard(portal_t *p, const char *what)
{
    char    *text;
    gint64   until = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (g_main_context_iteration(NULL, FALSE)) { /* void */ }

    g_mutex_lock(&p->lock);

    while (strstr(p->heard->str, what) == NULL
           && g_cond_wait_until(&p->ready, &p->lock, until))
    {
        /* void */
    }

    text = g_strdup(p->heard->str);
    g_mutex_unlock(&p->lock);

    return text;
}


/* it begins to ask by itself, a call after the other */

static void
wait_start(portal_t *p)
{
    gboolean  asked = FALSE;

    while (!asked) {
        g_main_context_iteration(NULL, TRUE);
        g_mutex_lock(&p->lock);
        asked = strstr(p->heard->str, "Start(") != NULL;
        g_mutex_unlock(&p->lock);
    }
}


static void
has(const char *text, const char *what, const char *name)
{
    if (!ok(strstr(text, what) != NULL, "%s", name)) {
        printf("#   got  %s\n#   want %s\n", text, what);
    }
}


static void
test_refusals(portal_t *p, GDBusConnection *bus)
{
    gsize  i;

    static const struct {
        manners_t        manners;
        agent_portal_e   want;
        const char      *why;
    } cases[] = {
        { { .deny = "Start", .code = 1 }, AGENT_PORTAL_DENIED,
          "the person at the desktop does not want it shared" },
        { { .deny = "Start", .code = 2 }, AGENT_PORTAL_FAILED,
          "the desktop portal ended the request" },
        { { .deny = "SelectSources", .code = 2 }, AGENT_PORTAL_FAILED,
          "the desktop portal ended the request" },
        { { .refuse = "CreateSession" }, AGENT_PORTAL_FAILED,
          "not on this desktop" },
        { { .refuse = "SelectDevices" }, AGENT_PORTAL_FAILED,
          "not on this desktop" },
        { { .no_session = TRUE }, AGENT_PORTAL_FAILED,
          "the desktop portal gave no session" },
        { { .no_stream = TRUE }, AGENT_PORTAL_FAILED,
          "the desktop portal shares no screen" },
        { { .width = 1 }, AGENT_PORTAL_FAILED,
          "the desktop portal shares no screen" },
        { { .width = 1 << 20 }, AGENT_PORTAL_FAILED,
          "the desktop portal shares no screen" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        agent_portal_t      *portal;
        g_autoptr(GError)    error = NULL;

        behave(p, &cases[i].manners);
        portal = agent_portal_new(bus, NULL);
        is_int(settled(portal), cases[i].want, cases[i].why);
        is_str(agent_portal_why(portal), cases[i].why, "is what is said");
        is_int(agent_portal_remote(portal, &error), -1, "no pictures");
        agent_portal_keysym(portal, 'a', TRUE);
        agent_portal_free(portal);
    }
}


static void
on_changed(void *data, gboolean lost)
{
    *(gboolean *) data = lost;
}


static void
test_platform(portal_t *p, const char *dir)
{
    int                   width, height;
    guint                 handle;
    manners_t             manners = { .silent = TRUE };
    agent_view_t          view = { "", TRUE };
    agent_portal_t       *portal = NULL;
    agent_platform_t     *platform;
    g_autofree char      *file = g_build_filename(dir, "token", NULL);
    g_autofree char      *kept = NULL;
    g_autofree char      *text = NULL;
    g_autofree char      *source = NULL;
    g_autofree char      *again = NULL;
    gboolean              lost = FALSE;
    g_autoptr(GError)     error = NULL;

    behave(p, &manners);
    ok(agent_pipewire_open(&portal, file, &error) == NULL, "not at once");
    ok(g_error_matches(error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_WAYLAND),
       "it is no desktop yet");
    has(error->message, "is being asked whether it may be shared",
        "for somebody is asked");
    g_clear_error(&error);

    wait_start(p);
    g_clear_pointer(&portal, agent_portal_free);

    manners.silent = FALSE;
    behave(p, &manners);
    ok(agent_pipewire_open(&portal, file, &error) == NULL, "asked anew");
    g_clear_error(&error);
    is_int(settled(portal), AGENT_PORTAL_READY, "and they said yes");
    (void) g_file_get_contents(file, &kept, NULL, NULL);
    is_str(kept, "next time", "which is kept for the next time");

    platform = agent_pipewire_open(&portal, file, &error);
    ok(platform != NULL, "a desktop");
    agent_platform_size(platform, &width, &height);
    ok(width == 800 && height == 600, "of even size: %dx%d", width, height);

    source = platform->ops->source(platform, 25, &view);
    ok(g_str_has_prefix(source, "pipewiresrc fd=")
       && strstr(source, " path=42 ") != NULL
       && strstr(source, "width=800,height=600,framerate=25/1") != NULL,
       "its pictures: %s", source);

    platform->ops->move(platform, 10, 20);
    platform->ops->button(platform, 2, TRUE);
    platform->ops->button(platform, 9, TRUE);
    platform->ops->wheel(platform, -1, 2);
    handle = platform->ops->key_down(platform, "A", "KeyA");
    ok(handle != 0 && platform->ops->key_down(platform, "A", "KeyA")
       == handle, "a key that repeats is the same");
    is_int(platform->ops->key_down(platform, "Dead", "Quote"), 0,
           "one that cannot be");
    platform->ops->key_up(platform, handle);
    platform->ops->key_up(platform, handle);
    platform->ops->key_down(platform, "\xe2\x82\xac", "KeyE");

    text = heard(p, "NotifyKeyboardKeysym('" SESSION "', {}, 16785580, 1)");
    has(text, "NotifyPointerMotionAbsolute('" SESSION "', {}, 42, 10.0, "
        "20.0)", "a move, on that screen");
    has(text, "{}, 273, 1) ", "the right button");
    has(text, "{}, 0, 2) ", "two notches down");
    has(text, "{}, 1, -1) ", "one to the left");
    has(text, "{}, 65, 1) ", "a letter");
    has(text, "{}, 65, 0) ", "which is let go");
    has(text, "{}, 16785580, 1) ", "a character of no layout");

    /* the person there ends it; and is asked anew, with what was kept */

    platform->changed = on_changed;
    platform->data = &lost;
    g_dbus_connection_emit_signal(p->connection, NULL, SESSION,
                                  "org.freedesktop.portal.Session", "Closed",
                                  NULL, NULL);

    while (!lost) {
        g_main_context_iteration(NULL, TRUE);
    }

    is_int(agent_portal_state(portal), AGENT_PORTAL_OVER, "it was ended");
    agent_platform_close(platform);

    behave(p, &manners);
    ok(agent_pipewire_open(&portal, file, &error) == NULL, "asked once more");
    is_int(settled(portal), AGENT_PORTAL_READY, "they need not be");
    again = heard(p, "Start(");
    has(again, "'restore_token': <'next time'>", "for the portal knows");
    agent_portal_free(portal);
}


int
main(void)
{
    portal_t                      p;
    g_autofree char              *dir = NULL;
    g_autofree char              *token = NULL;
    g_autoptr(GDBusConnection)    bus = NULL;

    memset(&p, 0, sizeof(p));
    p.bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(p.bus);
    p.context = g_main_context_new();
    p.loop = g_main_loop_new(p.context, FALSE);
    p.heard = g_string_new(NULL);
    g_mutex_init(&p.lock);
    g_cond_init(&p.ready);
    p.thread = g_thread_new("portal", play, &p);

    g_mutex_lock(&p.lock);
    while (!p.is_ready) {
        g_cond_wait(&p.ready, &p.lock);
    }
    g_mutex_unlock(&p.lock);

    dir = g_dir_make_tmp("rs-portal-XXXXXX", NULL);
    bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL);
    g_dbus_connection_set_exit_on_close(bus, FALSE);

    test_refusals(&p, bus);
    test_platform(&p, dir);

    g_main_loop_quit(p.loop);
    g_thread_join(p.thread);
    g_main_loop_unref(p.loop);
    g_main_context_unref(p.context);
    g_string_free(p.heard, TRUE);

    token = g_build_filename(dir, "token", NULL);
    g_unlink(token);
    g_rmdir(dir);

    g_clear_object(&bus);
    g_test_dbus_down(p.bus);
    g_object_unref(p.bus);

    return done();
}
