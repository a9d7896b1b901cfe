
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns device.key.next and device.key.old.  Files change by link and rename
 * alone, and the directory is on the disk before the next step: device.key is
 * there at any moment, and whole.
 *
 *     --rotate-key, or time ──> next made ──> offered ──> rotated:
 *         key -> old, next -> key
 */

#define G_LOG_DOMAIN  "rs-rotate"

#include "agent_rotate.h"
#include "agent_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>


#define AGENT_ROTATE_LOOK_S   3600      /* how often it may be time */
#define AGENT_ROTATE_OLD_S    (7 * 86400)
#define AGENT_ROTATE_DAY_S    86400


typedef enum {
    AGENT_ROTATE_CURRENT = 0,
    AGENT_ROTATE_NEXT,
    AGENT_ROTATE_OLD,
    AGENT_ROTATE_KEYS
} agent_rotate_e;


struct agent_rotate_s {
    const agent_config_t  *config;
    const agent_device_t  *device;
    agent_key_t           *key;         /* the owner's */
    agent_key_t           *next;        /* NULL: none */
    agent_key_t           *old;
    agent_rotate_e         which;       /* to be shown */
    guint                  tried;       /* refused in a row */
    GFileMonitor          *monitor;
    guint                  timer;
    gboolean               offered;     /* on this connection */
    void                 (*wanted)(void *data);
    void                  *data;
};


static agent_key_t *agent_rotate_load(const char *state_dir,
    const char *name);
static agent_key_t *agent_rotate_nth(const agent_rotate_t *rotate,
    agent_rotate_e which);
static gboolean agent_rotate_look(gpointer data);
static void agent_rotate_seen(GFileMonitor *monitor, GFile *file,
    GFile *other, GFileMonitorEvent event, gpointer data);
static gboolean agent_rotate_due(const agent_rotate_t *rotate);
static gboolean agent_rotate_commit(agent_rotate_t *rotate, GError **error);
static gboolean agent_rotate_restore(agent_rotate_t *rotate, GError **error);
static gboolean agent_rotate_error(GError **error, const char *dir,
    const char *what);
static gboolean agent_rotate_sync(const char *dir, GError **error);
static void agent_rotate_forget(agent_rotate_t *rotate);


agent_rotate_t *
agent_rotate_new(const agent_config_t *config, const agent_device_t *device,
    agent_key_t *key, void (*wanted)(void *data), void *data)
{
    agent_rotate_t     *rotate;
    g_autofree char    *path = NULL;
    g_autoptr(GFile)    file = NULL;

    rotate = g_new0(agent_rotate_t, 1);
    rotate->config = config;
    rotate->device = device;
    rotate->key = key;
    rotate->wanted = wanted;
    rotate->data = data;
    rotate->next = agent_rotate_load(config->state_dir, AGENT_KEY_NEXT);
    rotate->old = agent_rotate_load(config->state_dir, AGENT_KEY_OLD);

    path = g_build_filename(config->state_dir, AGENT_KEY_NEXT, NULL);
    file = g_file_new_for_path(path);
    rotate->monitor = g_file_monitor_file(file, G_FILE_MONITOR_WATCH_MOVES,
                                          NULL, NULL);

    if (rotate->monitor != NULL) {
        g_signal_connect(rotate->monitor, "changed",
                         G_CALLBACK(agent_rotate_seen), rotate);
    }

    rotate->timer = g_timeout_add_seconds(AGENT_ROTATE_LOOK_S,
                                          agent_rotate_look, rotate);

    return rotate;
}


void
agent_rotate_free(agent_rotate_t *rotate)
{
    g_source_remove(rotate->timer);

    if (rotate->monitor != NULL) {
        g_signal_handlers_disconnect_by_data(rotate->monitor, rotate);
        g_file_monitor_cancel(rotate->monitor);
        g_object_unref(rotate->monitor);
    }

    g_clear_pointer(&rotate->next, agent_key_free);
    g_clear_pointer(&rotate->old, agent_key_free);
    g_free(rotate);
}


/* a file that cannot be used is as good as none */

static agent_key_t *
agent_rotate_load(const char *state_dir, const char *name)
{
    agent_key_t        *key;
    g_autofree char    *path = g_build_filename(state_dir, name, NULL);
    g_autoptr(GError)   error = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        return NULL;
    }

    key = agent_key_load_named(state_dir, name, &error);

    if (key == NULL) {
        g_warning("%s", error->message);
    }

    return key;
}


static agent_key_t *
agent_rotate_nth(const agent_rotate_t *rotate, agent_rotate_e which)
{
    switch (which) {

    case AGENT_ROTATE_NEXT:
        return rotate->next;

    case AGENT_ROTATE_OLD:
        return rotate->old;

    default:
        return rotate->key;
    }
}


const agent_key_t *
agent_rotate_key(agent_rotate_t *rotate)
{
    rotate->offered = FALSE;

    return agent_rotate_nth(rotate, rotate->which);
}


gboolean
agent_rotate_refused(agent_rotate_t *rotate)
{
    guint  n;

    n = 1 + (rotate->next != NULL) + (rotate->old != NULL);

    do {
        rotate->which = (rotate->which + 1) % AGENT_ROTATE_KEYS;
    } while (agent_rotate_nth(rotate, rotate->which) == NULL);

    return ++rotate->tried % n != 0;
}


void
agent_rotate_welcome(agent_rotate_t *rotate)
{
    g_autoptr(GError)  error = NULL;

    rotate->tried = 0;

    switch (rotate->which) {

    case AGENT_ROTATE_NEXT:
        g_message("the gateway has this device's next key already");
        agent_rotate_commit(rotate, &error);
        break;

    case AGENT_ROTATE_OLD:
        g_warning("the gateway has forgotten this device's latest key, and "
                  "has the one before");
        agent_rotate_restore(rotate, &error);
        break;

    default:
        agent_rotate_forget(rotate);
        break;
    }

    rotate->which = AGENT_ROTATE_CURRENT;

    if (error != NULL) {
        g_critical("the device's keys cannot be put in order: %s",
                   error->message);
    }
}


char *
agent_rotate_offer(agent_rotate_t *rotate)
{
    size_t              n;
    guint8              data[RS_DEVKEY_ROTATION_MAX];
    g_autofree char    *old = NULL;
    g_autofree char    *next = NULL;
    g_autofree char    *signature = NULL;
    g_autofree char    *proof = NULL;
    g_autofree char    *made = NULL;
    g_autoptr(GError)   error = NULL;

    if (rotate->offered) {
        return NULL;
    }

    if (rotate->next == NULL && agent_rotate_due(rotate)) {
        made = agent_rotate_make(rotate->config->state_dir, &error);

        if (made == NULL) {
            g_critical("the device's next key: %s", error->message);
            return NULL;
        }
    }

    if (rotate->next == NULL) {
        rotate->next = agent_rotate_load(rotate->config->state_dir,
                                         AGENT_KEY_NEXT);
    }

    if (rotate->next == NULL) {
        return NULL;
    }

    old = agent_key_public(rotate->key);
    next = agent_key_public(rotate->next);

    n = rs_devkey_rotation(data, rs_str(rotate->device->tenant),
                           rs_str(rotate->device->id), rs_str(old),
                           rs_str(next));

    if (n != 0) {
        signature = agent_key_sign(rotate->key, data, n, &error);
        proof = agent_key_sign(rotate->next, data, n, &error);
    }

    if (signature == NULL || proof == NULL) {
        g_critical("the device's next key cannot be offered");
        return NULL;
    }

    rotate->offered = TRUE;

    return agent_msg_rotate(next, signature, proof);
}


void
agent_rotate_done(agent_rotate_t *rotate, const char *public_key)
{
    g_autofree char    *next = NULL;
    g_autofree char    *text = NULL;
    g_autoptr(GError)   error = NULL;

    next = (rotate->next != NULL) ? agent_key_public(rotate->next) : NULL;

    if (g_strcmp0(next, public_key) != 0) {
        g_warning("the gateway tells of a key that was not offered");
        return;
    }

    rotate->offered = FALSE;

    if (!agent_rotate_commit(rotate, &error)) {
        g_critical("the device's key was changed, and cannot be kept: %s; "
                   "it is in " AGENT_KEY_NEXT, error->message);
        return;
    }

    text = agent_key_short(rotate->key);
    g_message("the device's key is %s from now on", text);
}


void
agent_rotate_failed(agent_rotate_t *rotate)
{
    if (rotate->offered) {
        rotate->offered = FALSE;
        g_warning("the device keeps its key, the next one is offered later");
    }
}


static gboolean
agent_rotate_due(const agent_rotate_t *rotate)
{
    struct stat        st;
    g_autofree char   *path = NULL;

    if (rotate->config->key_rotation == 0) {
        return FALSE;
    }

    path = g_build_filename(rotate->config->state_dir, AGENT_KEY_FILE, NULL);

    return g_stat(path, &st) == 0
           && g_get_real_time() / G_USEC_PER_SEC - st.st_mtime
              >= (gint64) rotate->config->key_rotation * AGENT_ROTATE_DAY_S;
}


static gboolean
agent_rotate_look(gpointer data)
{
    agent_rotate_t  *rotate = data;

    if (rotate->next != NULL || agent_rotate_due(rotate)) {
        rotate->wanted(rotate->data);
    }

    return G_SOURCE_CONTINUE;
}


static void
agent_rotate_seen(GFileMonitor *monitor, GFile *file, GFile *other,
    GFileMonitorEvent event, gpointer data)
{
    agent_rotate_t  *rotate = data;

    (void) monitor;
    (void) file;
    (void) other;

    if (rotate->next == NULL
        && (event == G_FILE_MONITOR_EVENT_CREATED
            || event == G_FILE_MONITOR_EVENT_MOVED_IN
            || event == G_FILE_MONITOR_EVENT_RENAMED
            || event == G_FILE_MONITOR_EVENT_CHANGES_DONE_HINT))
    {
        rotate->wanted(rotate->data);
    }
}


static gboolean
agent_rotate_error(GError **error, const char *dir, const char *what)
{
    int  rc = errno;

    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                "%s: %s: %s", dir, what, g_strerror(rc));

    return FALSE;
}


static gboolean
agent_rotate_sync(const char *dir, GError **error)
{
    int  fd, rc;

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    rc = (fd != -1) ? fsync(fd) : -1;

    if (rc == -1) {
        agent_rotate_error(error, dir, "fsync");
    }

    if (fd != -1) {
        close(fd);
    }

    return rc == 0;
}


/* next is the key: key -> old, next -> key */

static gboolean
agent_rotate_commit(agent_rotate_t *rotate, GError **error)
{
    const char        *dir = rotate->config->state_dir;
    g_autofree char   *key = g_build_filename(dir, AGENT_KEY_FILE, NULL);
    g_autofree char   *next = g_build_filename(dir, AGENT_KEY_NEXT, NULL);
    g_autofree char   *old = g_build_filename(dir, AGENT_KEY_OLD, NULL);

    if (g_unlink(old) == -1 && errno != ENOENT) {
        return agent_rotate_error(error, old, "unlink");
    }

    if (link(key, old) == -1) {
        return agent_rotate_error(error, old, "link");
    }

    if (g_rename(next, key) == -1) {
        return agent_rotate_error(error, key, "rename");
    }

    /* the owner's struct has the next one from now on */

    agent_key_swap(rotate->key, rotate->next);
    g_clear_pointer(&rotate->old, agent_key_free);
    rotate->old = g_steal_pointer(&rotate->next);

    return agent_rotate_sync(dir, error);
}


/* old is the key after all: key -> next, old -> key, to be offered anew */

static gboolean
agent_rotate_restore(agent_rotate_t *rotate, GError **error)
{
    const char        *dir = rotate->config->state_dir;
    g_autofree char   *key = g_build_filename(dir, AGENT_KEY_FILE, NULL);
    g_autofree char   *next = g_build_filename(dir, AGENT_KEY_NEXT, NULL);
    g_autofree char   *old = g_build_filename(dir, AGENT_KEY_OLD, NULL);

    if (g_unlink(next) == -1 && errno != ENOENT) {
        return agent_rotate_error(error, next, "unlink");
    }

    if (link(key, next) == -1) {
        return agent_rotate_error(error, next, "link");
    }

    if (g_rename(old, key) == -1) {
        return agent_rotate_error(error, key, "rename");
    }

    agent_key_swap(rotate->key, rotate->old);
    g_clear_pointer(&rotate->next, agent_key_free);
    rotate->next = g_steal_pointer(&rotate->old);

    return agent_rotate_sync(dir, error);
}


/* nobody asks for the key of last week any more */

static void
agent_rotate_forget(agent_rotate_t *rotate)
{
    struct stat        st;
    g_autofree char   *path = NULL;

    if (rotate->old == NULL) {
        return;
    }

    path = g_build_filename(rotate->config->state_dir, AGENT_KEY_OLD, NULL);

    if (g_stat(path, &st) == 0
        && g_get_real_time() / G_USEC_PER_SEC - st.st_ctime
           > AGENT_ROTATE_OLD_S)
    {
        g_unlink(path);
        g_clear_pointer(&rotate->old, agent_key_free);
    }
}


/* whole or not at all: a name of its own until it is on the disk */

char *
agent_rotate_make(const char *state_dir, GError **error)
{
    g_autofree char        *next = NULL;
    g_autofree char        *tmp = NULL;
    g_autoptr(agent_key_t)  key = NULL;

    next = g_build_filename(state_dir, AGENT_KEY_NEXT, NULL);
    tmp = g_strconcat(next, ".tmp", NULL);

    if (g_file_test(next, G_FILE_TEST_EXISTS)) {
        key = agent_key_load_named(state_dir, AGENT_KEY_NEXT, NULL);

        if (key != NULL) {
            return agent_key_short(key);
        }
    }

    if (g_unlink(tmp) == -1 && errno != ENOENT) {
        agent_rotate_error(error, tmp, "unlink");
        return NULL;
    }

    if (!agent_key_create(tmp, error)) {
        return NULL;
    }

    if (g_rename(tmp, next) == -1) {
        agent_rotate_error(error, next, "rename");
        return NULL;
    }

    if (!agent_rotate_sync(state_dir, error)) {
        return NULL;
    }

    key = agent_key_load_named(state_dir, AGENT_KEY_NEXT, error);

    return (key != NULL) ? agent_key_short(key) : NULL;
}
