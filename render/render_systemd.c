
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns instances that are units rs-render@ID.service: started and stopped by
 * D-Bus, the results of these jobs awaited.  A unit is gone when systemd has
 * forgotten it, which it does with its processes, its user and its folders
 * (CollectMode=inactive-or-failed).
 */

#define G_LOG_DOMAIN  "rs-systemd"

#include "render_launcher.h"

#include <signal.h>
#include <string.h>


#define RENDER_SYSTEMD_NAME    "org.freedesktop.systemd1"
#define RENDER_SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define RENDER_SYSTEMD_IFACE   "org.freedesktop.systemd1.Manager"
#define RENDER_SYSTEMD_GONE    "org.freedesktop.systemd1.NoSuchUnit"
#define RENDER_SYSTEMD_MS      25000

#define RENDER_UNIT_HEAD  "rs-render@"
#define RENDER_UNIT_TAIL  ".service"


typedef struct {
    render_launcher_t   launcher;
    GDBusConnection    *bus;
    GCancellable       *cancel;
    guint               removed;            /* subscriptions */
    guint               jobs;
    GHashTable         *units;              /* id -> render_unit_t */
} render_systemd_t;


typedef struct {
    render_systemd_t  *systemd;
    char              *id;
    gboolean           there;           /* there is a job, or was one */
    gboolean           stopping;
    char              *why;
} render_unit_t;


static void render_systemd_start(render_launcher_t *launcher, const char *id);
static void render_systemd_stop(render_launcher_t *launcher, const char *id);
static GPtrArray *render_systemd_list(render_launcher_t *launcher,
    GError **error);
static void render_systemd_free(render_launcher_t *launcher);
static void render_systemd_call(render_systemd_t *systemd, const char *method,
    const char *id, GVariant *parameters);
static void render_systemd_on_reply(GObject *source, GAsyncResult *result,
    gpointer data);
static void render_systemd_on_removed(GDBusConnection *bus,
    const char *sender, const char *path, const char *iface,
    const char *signal, GVariant *parameters, gpointer data);
static void render_systemd_on_job(GDBusConnection *bus, const char *sender,
    const char *path, const char *iface, const char *signal,
    GVariant *parameters, gpointer data);
static void render_systemd_gone(render_systemd_t *systemd, const char *id,
    const char *why);
static char *render_unit_name(const char *id);
static char *render_unit_id(const char *name);
static render_unit_t *render_unit(render_systemd_t *systemd, const char *id);
static void render_unit_free(void *data);


static const render_launcher_ops_t  render_systemd_ops = {
    "systemd",
    render_systemd_start,
    render_systemd_stop,
    render_systemd_list,
    render_systemd_free
};


render_launcher_t *
render_systemd_new(GError **error)
{
    GVariant          *reply;
    render_systemd_t  *systemd;

    systemd = g_new0(render_systemd_t, 1);
    systemd->launcher.ops = &render_systemd_ops;
    systemd->cancel = g_cancellable_new();
    systemd->units = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                           render_unit_free);

    systemd->bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, error);
    if (systemd->bus == NULL) {
        render_systemd_free(&systemd->launcher);
        return NULL;
    }

    systemd->removed = g_dbus_connection_signal_subscribe(
        systemd->bus, RENDER_SYSTEMD_NAME, RENDER_SYSTEMD_IFACE,
        "UnitRemoved", RENDER_SYSTEMD_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
        render_systemd_on_removed, systemd, NULL);

    systemd->jobs = g_dbus_connection_signal_subscribe(
        systemd->bus, RENDER_SYSTEMD_NAME, RENDER_SYSTEMD_IFACE,
        "JobRemoved", RENDER_SYSTEMD_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
        render_systemd_on_job, systemd, NULL);

    /* signals are sent to who asked for them */

    reply = g_dbus_connection_call_sync(
        systemd->bus, RENDER_SYSTEMD_NAME, RENDER_SYSTEMD_PATH,
        RENDER_SYSTEMD_IFACE, "Subscribe", NULL, NULL,
        G_DBUS_CALL_FLAGS_NONE, RENDER_SYSTEMD_MS, NULL, error);

    if (reply == NULL) {
        render_systemd_free(&systemd->launcher);
        return NULL;
    }

    g_variant_unref(reply);

    return &systemd->launcher;
}


static void
render_systemd_free(render_launcher_t *launcher)
{
    render_systemd_t  *systemd = (render_systemd_t *) launcher;

    g_cancellable_cancel(systemd->cancel);
    g_object_unref(systemd->cancel);

    if (systemd->removed != 0) {
        g_dbus_connection_signal_unsubscribe(systemd->bus, systemd->removed);
        g_dbus_connection_signal_unsubscribe(systemd->bus, systemd->jobs);
    }

    g_clear_object(&systemd->bus);
    g_hash_table_unref(systemd->units);
    g_free(systemd);
}


static char *
render_unit_name(const char *id)
{
    return g_strconcat(RENDER_UNIT_HEAD, id, RENDER_UNIT_TAIL, NULL);
}


/* NULL: it is no instance's */

static char *
render_unit_id(const char *name)
{
    g_autofree char  *id = NULL;

    if (!g_str_has_prefix(name, RENDER_UNIT_HEAD)
        || !g_str_has_suffix(name, RENDER_UNIT_TAIL)
        || strlen(name) != strlen(RENDER_UNIT_HEAD) + RENDER_ID_LEN
                           + strlen(RENDER_UNIT_TAIL))
    {
        return NULL;
    }

    id = g_strndup(name + strlen(RENDER_UNIT_HEAD), RENDER_ID_LEN);

    return render_id_check(id) ? g_steal_pointer(&id) : NULL;
}


static render_unit_t *
render_unit(render_systemd_t *systemd, const char *id)
{
    render_unit_t  *unit;

    unit = g_hash_table_lookup(systemd->units, id);

    if (unit == NULL) {
        unit = g_new0(render_unit_t, 1);
        unit->systemd = systemd;
        unit->id = g_strdup(id);
        g_hash_table_insert(systemd->units, unit->id, unit);
    }

    return unit;
}


static void
render_unit_free(void *data)
{
    render_unit_t  *unit = data;

    g_free(unit->why);
    g_free(unit->id);
    g_free(unit);
}


/* what a call is about, while it is under way */

typedef struct {
    render_systemd_t  *systemd;
    char              *id;
} render_call_t;


static void
render_systemd_call(render_systemd_t *systemd, const char *method,
    const char *id, GVariant *parameters)
{
    render_call_t  *call;

    call = g_new0(render_call_t, 1);
    call->systemd = systemd;
    call->id = g_strdup(id);

    g_dbus_connection_call(systemd->bus, RENDER_SYSTEMD_NAME,
                           RENDER_SYSTEMD_PATH, RENDER_SYSTEMD_IFACE, method,
                           parameters, NULL, G_DBUS_CALL_FLAGS_NONE,
                           RENDER_SYSTEMD_MS, systemd->cancel,
                           render_systemd_on_reply, call);
}


/* a job was made: its end is told by JobRemoved; or there is none */

static void
render_systemd_on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    GVariant           *reply;
    render_unit_t      *unit;
    render_call_t      *call = data;
    g_autofree char    *name = NULL;
    g_autoptr(GError)   error = NULL;

    reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result,
                                          &error);
    if (reply != NULL) {
        g_variant_unref(reply);
        unit = g_hash_table_lookup(call->systemd->units, call->id);

        if (unit != NULL) {
            unit->there = TRUE;
        }

    } else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        name = g_dbus_error_get_remote_error(error);

        if (g_strcmp0(name, RENDER_SYSTEMD_GONE) != 0) {
            g_dbus_error_strip_remote_error(error);
            g_warning("systemd refuses rs-render@%s: %s", call->id,
                      error->message);
        }

        render_systemd_gone(call->systemd, call->id, error->message);
    }

    g_free(call->id);
    g_free(call);
}


static void
render_systemd_start(render_launcher_t *launcher, const char *id)
{
    render_systemd_t  *systemd = (render_systemd_t *) launcher;
    g_autofree char   *name = render_unit_name(id);

    (void) render_unit(systemd, id);
    render_systemd_call(systemd, "StartUnit", id,
                        g_variant_new("(ss)", name, "fail"));
}


static void
render_systemd_stop(render_launcher_t *launcher, const char *id)
{
    render_unit_t     *unit;
    render_systemd_t  *systemd = (render_systemd_t *) launcher;
    g_autofree char   *name = render_unit_name(id);

    unit = render_unit(systemd, id);

    unit->there = TRUE;

    if (unit->stopping) {
        render_systemd_call(systemd, "KillUnit", id,
                            g_variant_new("(ssi)", name, "all", SIGKILL));
        return;
    }

    unit->stopping = TRUE;
    render_systemd_call(systemd, "StopUnit", id,
                        g_variant_new("(ss)", name, "replace"));
}


/* a start that failed says why; the unit goes by itself */

static void
render_systemd_on_job(GDBusConnection *bus, const char *sender,
    const char *path, const char *iface, const char *signal,
    GVariant *parameters, gpointer data)
{
    const char        *name, *result;
    render_unit_t     *unit;
    render_systemd_t  *systemd = data;
    g_autofree char   *id = NULL;

    (void) bus;
    (void) sender;
    (void) path;
    (void) iface;
    (void) signal;

    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(uoss)"))) {
        return;
    }

    g_variant_get(parameters, "(uo&s&s)", NULL, NULL, &name, &result);

    id = render_unit_id(name);
    unit = (id != NULL) ? g_hash_table_lookup(systemd->units, id) : NULL;

    if (unit != NULL && strcmp(result, "done") != 0) {
        g_free(unit->why);
        unit->why = g_strdup_printf("systemd's job: %s", result);
    }
}


static void
render_systemd_on_removed(GDBusConnection *bus, const char *sender,
    const char *path, const char *iface, const char *signal,
    GVariant *parameters, gpointer data)
{
    const char        *name;
    render_unit_t     *unit;
    render_systemd_t  *systemd = data;
    g_autofree char   *id = NULL;

    (void) bus;
    (void) sender;
    (void) path;
    (void) iface;
    (void) signal;

    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(so)"))) {
        return;
    }

    g_variant_get(parameters, "(&so)", &name, NULL);
    id = render_unit_id(name);
    unit = (id != NULL) ? g_hash_table_lookup(systemd->units, id) : NULL;

    /* one is loaded, and forgotten again, while polkit is asked about it */

    if (unit != NULL && unit->there) {
        render_systemd_gone(systemd, id, NULL);
    }
}


static void
render_systemd_gone(render_systemd_t *systemd, const char *id,
    const char *why)
{
    render_unit_t     *unit;
    g_autofree char   *text = NULL;

    unit = g_hash_table_lookup(systemd->units, id);

    if (unit == NULL) {
        return;
    }

    text = g_strdup(unit->why ? unit->why : why);
    g_hash_table_remove(systemd->units, id);
    systemd->launcher.gone(systemd->launcher.data, id, text);
}


static GPtrArray *
render_systemd_list(render_launcher_t *launcher, GError **error)
{
    char                *id;
    GVariant            *units;
    GPtrArray           *ids;
    const char          *name;
    GVariantIter         iter;
    render_systemd_t    *systemd = (render_systemd_t *) launcher;
    const char          *states[] = { NULL };
    const char          *patterns[] = { "rs-render@*.service", NULL };
    g_autoptr(GVariant)  reply = NULL;

    reply = g_dbus_connection_call_sync(
        systemd->bus, RENDER_SYSTEMD_NAME, RENDER_SYSTEMD_PATH,
        RENDER_SYSTEMD_IFACE, "ListUnitsByPatterns",
        g_variant_new("(^as^as)", states, patterns),
        G_VARIANT_TYPE("(a(ssssssouso))"), G_DBUS_CALL_FLAGS_NONE,
        RENDER_SYSTEMD_MS, NULL, error);

    if (reply == NULL) {
        return NULL;
    }

    ids = g_ptr_array_new_with_free_func(g_free);
    units = g_variant_get_child_value(reply, 0);
    g_variant_iter_init(&iter, units);

    while (g_variant_iter_next(&iter, "(&ssssssouso)", &name, NULL, NULL,
                               NULL, NULL, NULL, NULL, NULL, NULL, NULL))
    {
        id = render_unit_id(name);

        if (id != NULL) {
            g_ptr_array_add(ids, id);
        }
    }

    g_variant_unref(units);

    return ids;
}
