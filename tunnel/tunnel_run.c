
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the main loop, from the tunnel's beginning to its end.  What ends it
 * (a signal, the tunnel's time, the gateway, a program) says so here once;
 * everything is taken down when the loop has returned.
 */

#define G_LOG_DOMAIN  "rs-run"

#include "tunnel_run.h"
#include "tunnel_addr.h"
#include "tunnel_command.h"
#include "tunnel_error.h"
#include "tunnel_flows.h"
#include "tunnel_key.h"
#include "tunnel_listen.h"
#include "tunnel_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


typedef struct {
    const tunnel_options_t  *options;
    const tunnel_config_t   *config;
    tunnel_device_t         *device;
    tunnel_gate_t           *gate;
    tunnel_listen_t         *listen;
    tunnel_flows_t          *flows;
    tunnel_conn_t           *conn;          /* of -W */
    GSubprocess             *program;
    GMainLoop               *loop;
    GError                  *error;         /* why it is over, or NULL */
    int                      status;
    gboolean                 over;
} tunnel_run_t;


static void tunnel_run_end(tunnel_run_t *run, int status,
    const GError *error);
static void tunnel_run_over(void *data, const GError *error);
static void tunnel_run_done(void *data, tunnel_conn_t *conn,
    const GError *error);
static gboolean tunnel_run_signal(gpointer data);
static gboolean tunnel_run_late(gpointer data);
static gboolean tunnel_run_begin(tunnel_run_t *run, GError **error);
static gboolean tunnel_run_port(tunnel_run_t *run, char **local,
    GError **error);
static gboolean tunnel_run_gateway(tunnel_run_t *run, char **there,
    GError **error);
static gboolean tunnel_run_stdio(tunnel_run_t *run, GError **error);
static gboolean tunnel_run_program(tunnel_run_t *run, const char *local,
    GError **error);
static void tunnel_run_exited(GObject *program, GAsyncResult *result,
    gpointer data);
static void tunnel_run_loop(tunnel_run_t *run);
static void tunnel_run_clear(tunnel_run_t *run);
static int tunnel_run_ssh(tunnel_run_t *run, const char *key,
    const char *self, GError **error);


static const tunnel_conn_events_t  tunnel_run_events = {
    NULL,
    NULL,
    tunnel_run_done
};


static void
tunnel_run_end(tunnel_run_t *run, int status, const GError *error)
{
    if (run->over) {
        return;
    }

    run->over = TRUE;
    run->status = status;

    if (error != NULL) {
        run->error = g_error_copy(error);
        run->status = tunnel_error_status(error);
    }

    g_main_loop_quit(run->loop);
}


static void
tunnel_run_over(void *data, const GError *error)
{
    tunnel_run_end(data, 0, error);
}


static void
tunnel_run_done(void *data, tunnel_conn_t *conn, const GError *error)
{
    (void) conn;

    tunnel_run_end(data, 0, error);
}


/* the program that was started ends by itself, or gets the same signal */

static gboolean
tunnel_run_signal(gpointer data)
{
    tunnel_run_t  *run = data;

    if (run->program != NULL) {
        g_subprocess_send_signal(run->program, SIGTERM);
    }

    tunnel_run_end(run, 0, NULL);

    return G_SOURCE_CONTINUE;
}


static gboolean
tunnel_run_late(gpointer data)
{
    tunnel_run_t        *run = data;
    g_autoptr(GError)    error = NULL;

    error = g_error_new(TUNNEL_ERROR, TUNNEL_ERROR_GONE,
                        "tunnel %s: its time is over: --ttl asks for more, "
                        "as far as the gateway allows it",
                        tunnel_gate_id(run->gate));
    tunnel_run_end(run, 0, error);

    return G_SOURCE_CONTINUE;
}


static gboolean
tunnel_run_port(tunnel_run_t *run, char **local, GError **error)
{
    guint16                  wish;
    const tunnel_config_t   *config = run->config;

    /* RDP clients know a host's certificate by its port */

    wish = (run->options->command == TUNNEL_RDP)
           ? tunnel_addr_port(run->device->id) : 0;

    if (run->options->command == TUNNEL_UDP) {
        run->flows = tunnel_flows_new(run->gate, config->max_connections,
                                      config->flow_idle_s, tunnel_run_over,
                                      run);
        if (!tunnel_flows_open(run->flows, config->local, local, error)) {
            return FALSE;
        }

    } else {
        run->listen = tunnel_listen_new(run->gate, config->max_connections,
                                        tunnel_run_over, run);

        if (!tunnel_listen_open(run->listen, config->local, wish, local,
                                error))
        {
            return FALSE;
        }
    }

    g_message("%s here is %s of \"%s\", by tunnel %s", *local,
              run->options->target, run->device->name,
              tunnel_gate_id(run->gate));

    return TRUE;
}


/* nothing is open here: who comes to the gateway goes without this program */

static gboolean
tunnel_run_gateway(tunnel_run_t *run, char **there, GError **error)
{
    g_autofree char  *address = NULL;

    *there = tunnel_gate_port(run->gate, &address, error);

    if (*there == NULL) {
        return FALSE;
    }

    g_message("%s is %s of \"%s\", by tunnel %s, for all who come from %s, "
              "as the gateway sees you: whoever shares that address, too",
              *there, run->options->target, run->device->name,
              tunnel_gate_id(run->gate), address);

    return TRUE;
}


/*
 * The pipe gets descriptors of its own, and closes them when their direction
 * ends: nothing may hold the other ends open.
 */

static gboolean
tunnel_run_stdio(tunnel_run_t *run, GError **error)
{
    int  in, out, null;

    in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    null = open("/dev/null", O_RDWR|O_CLOEXEC);

    if (in == -1 || out == -1 || null == -1
        || dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
    {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "standard input and output cannot be used: %s",
                    g_strerror(errno));
        return FALSE;
    }

    close(null);

    run->conn = tunnel_conn_new(run->gate, FALSE, in, out, &tunnel_run_events,
                                run);

    return TRUE;
}


static gboolean
tunnel_run_program(tunnel_run_t *run, const char *local, GError **error)
{
    g_auto(GStrv)       argv = NULL;
    g_autoptr(GError)   why = NULL;

    argv = tunnel_programs_rdp(run->config, run->options, local);

    if (argv == NULL) {
        g_message("no RDP client is installed (xfreerdp): any will do, at "
                  "%s; or rdp= in rs-tunnel.conf", local);
        return TRUE;
    }

    run->program = g_subprocess_newv((const char *const *) argv,
                                     G_SUBPROCESS_FLAGS_STDIN_INHERIT, &why);

    if (run->program == NULL) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "%s: %s: rdp= in rs-tunnel.conf names another one",
                    argv[0], why->message);
        return FALSE;
    }

    g_subprocess_wait_async(run->program, NULL, tunnel_run_exited, run);

    return TRUE;
}


static void
tunnel_run_exited(GObject *program, GAsyncResult *result, gpointer data)
{
    int            status;
    tunnel_run_t  *run = data;

    (void) g_subprocess_wait_finish(G_SUBPROCESS(program), result, NULL);

    status = g_subprocess_get_if_exited(G_SUBPROCESS(program))
             ? g_subprocess_get_exit_status(G_SUBPROCESS(program)) : 1;

    g_clear_object(&run->program);
    tunnel_run_end(run, status, NULL);
}


static gboolean
tunnel_run_begin(tunnel_run_t *run, GError **error)
{
    g_autofree char  *local = NULL;

    if (run->options->command == TUNNEL_STDIO) {
        return tunnel_run_stdio(run, error);
    }

    if (run->options->gateway_port) {
        if (!tunnel_run_gateway(run, &local, error)) {
            return FALSE;
        }

    } else if (!tunnel_run_port(run, &local, error)) {
        return FALSE;
    }

    if (run->options->command == TUNNEL_RDP) {
        return tunnel_run_program(run, local, error);
    }

    /* for scripts, which wait for it */

    printf("%s\n", local);
    fflush(stdout);

    return TRUE;
}


static void
tunnel_run_loop(tunnel_run_t *run)
{
    guint  i, ttl_s, ids[4];

    static const int  signals[] = { SIGINT, SIGTERM, SIGHUP };

    for (i = 0; i < G_N_ELEMENTS(signals); i++) {
        ids[i] = g_unix_signal_add(signals[i], tunnel_run_signal, run);
    }

    ttl_s = tunnel_gate_ttl(run->gate);
    ids[i] = (ttl_s > 0) ? g_timeout_add_seconds(ttl_s, tunnel_run_late, run)
                         : 0;

    if (!run->over) {
        g_main_loop_run(run->loop);
    }

    for (i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_clear_handle_id(&ids[i], g_source_remove);
    }

    /* its end is still told, after SIGTERM or SIGKILL */

    if (run->program != NULL) {
        g_subprocess_force_exit(run->program);

        while (run->program != NULL) {
            g_main_context_iteration(NULL, TRUE);
        }
    }
}


static void
tunnel_run_clear(tunnel_run_t *run)
{
    g_clear_pointer(&run->listen, tunnel_listen_free);
    g_clear_pointer(&run->flows, tunnel_flows_free);
    g_clear_pointer(&run->conn, tunnel_conn_free);

    /* meanwhile goodbyes leave */

    g_clear_pointer(&run->gate, tunnel_gate_close);
    g_clear_pointer(&run->device, tunnel_device_free);
    g_clear_pointer(&run->loop, g_main_loop_unref);
}


/* returns when it could not be started */

static int
tunnel_run_ssh(tunnel_run_t *run, const char *key, const char *self,
    GError **error)
{
    g_auto(GStrv)  argv = NULL;

    /* typed in once is enough; else it is where it was found, for him, too */

    if (run->options->key_file == NULL && run->config->key_file == NULL) {
        g_setenv(TUNNEL_KEY_ENV, key, TRUE);
    }

    argv = tunnel_programs_ssh(run->config, run->options, run->device, self);
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], argv);

    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                "%s: %s: ssh= in rs-tunnel.conf names another one", argv[0],
                g_strerror(errno));

    return TUNNEL_ERROR_FAILED;
}


static int
tunnel_run_command(tunnel_run_t *run, tunnel_rest_t *rest, GError **error)
{
    json_t                  *body;
    const tunnel_options_t  *options = run->options;

    body = tunnel_command_body(options->args[0], options->args + 1,
                               options->secrets, error);
    if (body == NULL) {
        return TUNNEL_ERROR_USAGE;
    }

    if (options->label != NULL) {
        json_object_set_new(body, "label", json_string(options->label));
    }

    if (run->config->ttl_s != 0) {
        json_object_set_new(body, "ttl_s",
                            json_integer(run->config->ttl_s));
    }

    return tunnel_command_run(rest, run->config, run->device, body, error);
}


static int
tunnel_run_rest(tunnel_run_t *run, tunnel_rest_t *rest, const char *key,
    const char *self, GError **error)
{
    tunnel_wish_t  wish;

    run->device = tunnel_device_find(rest, run->options->device, error);

    if (run->device == NULL || !tunnel_device_here(run->device, error)) {
        return 1;
    }

    if (run->options->command == TUNNEL_SSH) {
        return tunnel_run_ssh(run, key, self, error);
    }

    if (run->options->command == TUNNEL_RUN) {
        return tunnel_run_command(run, rest, error);
    }

    wish.target = run->options->target;
    wish.datagrams = (run->options->command == TUNNEL_UDP);
    wish.port = run->options->gateway_port;
    wish.label = run->options->label;

    run->gate = tunnel_gate_open(rest, run->config, run->device, &wish,
                                 error);

    if (run->gate == NULL || !tunnel_run_begin(run, error)) {
        return 1;
    }

    tunnel_run_loop(run);

    if (run->error != NULL) {
        g_propagate_error(error, run->error);
    }

    return run->status;
}


int
tunnel_run(const tunnel_options_t *options, const char *self, GError **error)
{
    int                           status;
    char                         *key;
    tunnel_rest_t                *rest;
    tunnel_run_t                  run;
    g_autoptr(tunnel_config_t)    config = NULL;

    memset(&run, 0, sizeof(run));

    config = tunnel_options_config(options, error);
    if (config == NULL) {
        return TUNNEL_ERROR_USAGE;
    }

    key = tunnel_key_get(options->key_file, config->key_file, error);
    if (key == NULL) {
        return TUNNEL_ERROR_USAGE;
    }

    /* for no program that is started here, but for ProxyCommand's */

    g_unsetenv(TUNNEL_KEY_ENV);

    rest = tunnel_rest_new(config, key, error);

    if (rest == NULL) {
        tunnel_key_free(key);
        return TUNNEL_ERROR_USAGE;
    }

    run.options = options;
    run.config = config;
    run.loop = g_main_loop_new(NULL, FALSE);

    status = tunnel_run_rest(&run, rest, key, self, error);

    tunnel_run_clear(&run);
    tunnel_rest_free(rest);
    tunnel_key_free(key);

    return status;
}
