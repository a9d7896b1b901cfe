
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns instances that are child processes: each leads a process group, dies
 * with the pool, and has a folder that is removed behind it.  What an earlier
 * pool left is known by the folder, and by the file with its process.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#define G_LOG_DOMAIN  "rs-plain"

#include "render_launcher.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>


#define RENDER_PLAIN_FORCE_MS  2000         /* SIGTERM, then SIGKILL */
#define RENDER_PLAIN_LOOK_MS   100          /* at who is no child of ours */


typedef struct render_child_s  render_child_t;

typedef struct {
    render_launcher_t   launcher;
    char               *runtime_dir;
    char               *program;
    char               *config;
    gboolean            verbose;
    GHashTable         *children;           /* id -> render_child_t */
} render_plain_t;


struct render_child_s {
    render_plain_t  *plain;
    char            *id;
    GPid             pid;                   /* 0: none runs */
    guint            watch;                 /* of a child; 0: none of ours */
    guint            force;
    guint            look;                  /* also: to tell that it is gone */
    char            *why;
};


static void render_plain_start(render_launcher_t *launcher, const char *id);
static void render_plain_stop(render_launcher_t *launcher, const char *id);
static GPtrArray *render_plain_list(render_launcher_t *launcher,
    GError **error);
static void render_plain_free(render_launcher_t *launcher);
static gboolean render_plain_spawn(render_plain_t *plain,
    render_child_t *child, GError **error);
static void render_plain_setup(gpointer data);
static void render_plain_on_exit(GPid pid, gint status, gpointer data);
static gboolean render_plain_on_force(gpointer data);
static gboolean render_plain_on_look(gpointer data);
static void render_plain_gone(render_child_t *child);
static char *render_plain_pid_path(render_plain_t *plain, const char *id);
static char *render_plain_started(GPid pid);
static GPid render_plain_pid(render_plain_t *plain, const char *id);
static void render_child_free(void *data);


static const render_launcher_ops_t  render_plain_ops = {
    "plain",
    render_plain_start,
    render_plain_stop,
    render_plain_list,
    render_plain_free
};


render_launcher_t *
render_plain_new(const render_plain_conf_t *conf)
{
    render_plain_t  *plain;

    plain = g_new0(render_plain_t, 1);
    plain->launcher.ops = &render_plain_ops;
    plain->runtime_dir = g_strdup(conf->runtime_dir);
    plain->program = g_strdup(conf->program);
    plain->config = g_strdup(conf->config);
    plain->verbose = conf->verbose;
    plain->children = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                            render_child_free);

    return &plain->launcher;
}


static void
render_plain_free(render_launcher_t *launcher)
{
    render_plain_t  *plain = (render_plain_t *) launcher;

    g_hash_table_unref(plain->children);
    g_free(plain->runtime_dir);
    g_free(plain->program);
    g_free(plain->config);
    g_free(plain);
}


static void
render_child_free(void *data)
{
    render_child_t  *child = data;

    g_clear_handle_id(&child->watch, g_source_remove);
    g_clear_handle_id(&child->force, g_source_remove);
    g_clear_handle_id(&child->look, g_source_remove);

    if (child->pid > 1) {
        (void) kill(-child->pid, SIGKILL);
    }

    g_free(child->why);
    g_free(child->id);
    g_free(child);
}


static void
render_plain_start(render_launcher_t *launcher, const char *id)
{
    render_child_t     *child;
    render_plain_t     *plain = (render_plain_t *) launcher;
    g_autoptr(GError)   error = NULL;

    child = g_new0(render_child_t, 1);
    child->plain = plain;
    child->id = g_strdup(id);
    g_hash_table_insert(plain->children, child->id, child);

    if (!render_plain_spawn(plain, child, &error)) {
        child->why = g_strdup(error->message);
        child->look = g_idle_add(render_plain_on_look, child);
    }
}


static gboolean
render_plain_spawn(render_plain_t *plain, render_child_t *child,
    GError **error)
{
    char              *argv[12];
    guint              n;
    g_autofree char   *dir = NULL;
    g_autofree char   *socket = NULL;
    g_autofree char   *token = NULL;
    g_autofree char   *started = NULL;
    g_autofree char   *text = NULL;
    g_autofree char   *path = NULL;

    dir = render_path_instance(plain->runtime_dir, child->id);
    socket = render_path_socket(plain->runtime_dir);
    token = render_path_token(plain->runtime_dir, child->id);

    if (g_mkdir_with_parents(dir, 0700) == -1) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                    "cannot make %s", dir);
        return FALSE;
    }

    n = 0;
    argv[n++] = plain->program;
    argv[n++] = (char *) "--id";
    argv[n++] = child->id;
    argv[n++] = (char *) "--socket";
    argv[n++] = socket;
    argv[n++] = (char *) "--token-file";
    argv[n++] = token;
    argv[n++] = (char *) "--runtime-dir";
    argv[n++] = dir;

    if (plain->config != NULL) {
        argv[n++] = (char *) "--config";
        argv[n++] = plain->config;
    }

    argv[n] = NULL;

    if (!g_spawn_async("/", argv, NULL,
                       G_SPAWN_DO_NOT_REAP_CHILD|G_SPAWN_STDOUT_TO_DEV_NULL,
                       render_plain_setup, GINT_TO_POINTER(getpid()),
                       &child->pid, error))
    {
        return FALSE;
    }

    child->watch = g_child_watch_add(child->pid, render_plain_on_exit, child);

    started = render_plain_started(child->pid);
    text = g_strdup_printf("%d %s\n", (int) child->pid,
                           started ? started : "0");
    path = render_plain_pid_path(plain, child->id);
    (void) g_file_set_contents(path, text, -1, NULL);

    return TRUE;
}


/* in the child: nothing but system calls */

static void
render_plain_setup(gpointer data)
{
    (void) setpgid(0, 0);
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

    if (getppid() != GPOINTER_TO_INT(data)) {
        _exit(1);
    }
}


static void
render_plain_stop(render_launcher_t *launcher, const char *id)
{
    GPid             pid;
    render_child_t  *child;
    render_plain_t  *plain = (render_plain_t *) launcher;

    child = g_hash_table_lookup(plain->children, id);

    if (child == NULL) {
        pid = render_plain_pid(plain, id);

        child = g_new0(render_child_t, 1);
        child->plain = plain;
        child->id = g_strdup(id);
        child->pid = pid;
        child->look = g_timeout_add(RENDER_PLAIN_LOOK_MS,
                                    render_plain_on_look, child);
        g_hash_table_insert(plain->children, child->id, child);
    }

    if (child->pid <= 1) {
        return;
    }

    if (child->force != 0) {
        (void) render_plain_on_force(child);
        return;
    }

    (void) kill(child->pid, SIGTERM);
    child->force = g_timeout_add(RENDER_PLAIN_FORCE_MS,
                                 render_plain_on_force, child);
}


static gboolean
render_plain_on_force(gpointer data)
{
    render_child_t  *child = data;

    (void) kill(-child->pid, SIGKILL);

    return G_SOURCE_CONTINUE;
}


static void
render_plain_on_exit(GPid pid, gint status, gpointer data)
{
    render_child_t     *child = data;
    g_autoptr(GError)   error = NULL;

    child->watch = 0;
    g_spawn_close_pid(pid);

    if (!g_spawn_check_wait_status(status, &error)) {
        child->why = g_strdup(error->message);
    }

    render_plain_gone(child);
}


/* of who is not our child, or never was one */

static gboolean
render_plain_on_look(gpointer data)
{
    render_child_t  *child = data;

    if (child->pid > 1 && render_plain_pid(child->plain, child->id) != 0) {
        return G_SOURCE_CONTINUE;
    }

    child->look = 0;
    render_plain_gone(child);

    return G_SOURCE_REMOVE;
}


static void
render_plain_gone(render_child_t *child)
{
    render_plain_t    *plain = child->plain;
    g_autofree char   *id = g_strdup(child->id);
    g_autofree char   *why = g_strdup(child->why);
    g_autofree char   *dir = NULL;
    g_autofree char   *path = NULL;

    /* what it left of its group is killed with it */

    g_hash_table_remove(plain->children, id);

    dir = render_path_instance(plain->runtime_dir, id);
    path = render_plain_pid_path(plain, id);
    render_remove(dir);
    (void) g_unlink(path);

    plain->launcher.gone(plain->launcher.data, id, why);
}


static char *
render_plain_pid_path(render_plain_t *plain, const char *id)
{
    g_autofree char  *dir = render_path_instance(plain->runtime_dir, id);

    return g_strconcat(dir, ".pid", NULL);
}


/* when it was: a number that no other process of this pid has; NULL: none is,
 * or it has ended */

static char *
render_plain_started(GPid pid)
{
    char               *end;
    g_auto(GStrv)       words = NULL;
    g_autofree char    *text = NULL;
    g_autofree char    *path = NULL;

    path = g_strdup_printf("/proc/%d/stat", (int) pid);

    if (!g_file_get_contents(path, &text, NULL, NULL)
        || (end = strrchr(text, ')')) == NULL)
    {
        return NULL;
    }

    /* " S ppid ...": field 22 of all is the 20th here */

    words = g_strsplit(end + 1, " ", 22);

    return (g_strv_length(words) < 21 || words[1][0] == 'Z')
           ? NULL : g_strdup(words[20]);
}


/* the live process of an instance, or 0 */

static GPid
render_plain_pid(render_plain_t *plain, const char *id)
{
    GPid               pid;
    g_auto(GStrv)      words = NULL;
    g_autofree char   *path = NULL;
    g_autofree char   *text = NULL;
    g_autofree char   *started = NULL;

    path = render_plain_pid_path(plain, id);

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }

    words = g_strsplit(g_strstrip(text), " ", 2);
    pid = (GPid) g_ascii_strtoll(words[0], NULL, 10);

    if (pid <= 1 || words[1] == NULL) {
        return 0;
    }

    started = render_plain_started(pid);

    if (started == NULL) {

        /*
         * It has ended, and nobody else has its number; nobody can, while one
         * of its group is there: these are ended with it.
         */

        (void) kill(-pid, SIGKILL);
    }

    return (g_strcmp0(started, words[1]) == 0) ? pid : 0;
}


static GPtrArray *
render_plain_list(render_launcher_t *launcher, GError **error)
{
    const char        *name;
    GPtrArray         *ids;
    render_plain_t    *plain = (render_plain_t *) launcher;
    g_autoptr(GDir)    dir = NULL;
    g_autofree char   *path = NULL;
    g_autofree char   *id = NULL;

    ids = g_ptr_array_new_with_free_func(g_free);
    path = render_path_instance(plain->runtime_dir, NULL);

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        return ids;
    }

    dir = g_dir_open(path, 0, error);
    if (dir == NULL) {
        g_ptr_array_unref(ids);
        return NULL;
    }

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_free(id);
        id = g_strndup(name, RENDER_ID_LEN);

        if (render_id_check(id)
            && (name[RENDER_ID_LEN] == '\0'
                || strcmp(name + RENDER_ID_LEN, ".pid") == 0)
            && !g_ptr_array_find_with_equal_func(ids, id, g_str_equal, NULL))
        {
            g_ptr_array_add(ids, g_steal_pointer(&id));
        }
    }

    return ids;
}
