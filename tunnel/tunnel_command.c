
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the client's leg of a command's pipe (docs/protocol/pipe.md, "A
 * command").  Output that nobody takes here stays in the network, and the
 * command waits for it; whoever has its last message closes.
 */

#define G_LOG_DOMAIN  "rs-command"

#include "tunnel_command.h"
#include "tunnel_error.h"
#include "tunnel_version.h"
#include "agent_json.h"
#include "agent_wire.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define TUNNEL_COMMAND_LIMIT_S  30              /* of the call */
#define TUNNEL_COMMAND_MESSAGE  (1024 * 1024)   /* bytes, of one */
#define TUNNEL_COMMAND_WRITE    4096            /* PIPE_BUF: does not block */
#define TUNNEL_COMMAND_END      256             /* bytes of how it ended */
#define TUNNEL_COMMAND_NAME     64
#define TUNNEL_COMMAND_SECRET   4096
#define TUNNEL_COMMAND_LETTERS  G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-"

/* the first byte of a message */

#define TUNNEL_COMMAND_OUT      0
#define TUNNEL_COMMAND_ERR      1
#define TUNNEL_COMMAND_ENDED    2
#define TUNNEL_COMMAND_HEAD     -1              /* it has not come yet */


typedef struct {
    agent_wire_t   *wire;
    GMainLoop      *loop;
    char           *id;                 /* of the pipe */
    int             kind;               /* of the message that comes */
    guint           watch;              /* an output that takes nothing now */
    GString        *end;
    int             status;             /* -1: it has not ended */
    int             signal;             /* that ends this program, or 0 */
    GError         *error;
} tunnel_command_t;


static gboolean tunnel_command_word(json_t *args, const char *word,
    char **value, char **name, GError **error);
static char *tunnel_command_file(const char *file, GError **error);
static gboolean tunnel_command_attach(tunnel_command_t *c,
    tunnel_rest_t *rest, const tunnel_config_t *config, json_t *answer,
    GError **error);
static gboolean tunnel_command_piece(void *data, const guint8 *bytes,
    gsize len, gboolean last, gsize *taken);
static gboolean tunnel_command_write(tunnel_command_t *c,
    const guint8 *bytes, gsize len, gsize *taken);
static gboolean tunnel_command_writable(int fd, GIOCondition condition,
    gpointer data);
static void tunnel_command_ended(tunnel_command_t *c);
static void tunnel_command_fail(tunnel_command_t *c, const char *why);
static void tunnel_command_nothing(void *data);
static void tunnel_command_closed(void *data, const agent_wire_end_t *end);
static GError *tunnel_command_error(const tunnel_command_t *c,
    const agent_wire_end_t *end);
static gboolean tunnel_command_int(gpointer data);
static gboolean tunnel_command_term(gpointer data);
static gboolean tunnel_command_hup(gpointer data);
static void tunnel_command_loop(tunnel_command_t *c);


static const agent_wire_events_t  tunnel_command_events = {
    tunnel_command_nothing,
    tunnel_command_piece,
    tunnel_command_nothing,
    tunnel_command_closed
};


json_t *
tunnel_command_body(const char *name, char **args, char **secrets,
    GError **error)
{
    char                *file, *text, *value, *word;
    gsize                i;
    g_autoptr(json_t)    body = json_object();
    g_autoptr(json_t)    all = json_object();
    g_autoptr(json_t)    hidden = json_array();

    for (i = 0; args != NULL && args[i] != NULL; i++) {
        g_autofree char  *key = NULL;

        if (!tunnel_command_word(all, args[i], &value, &key, error)) {
            return NULL;
        }

        json_object_set_new(all, key, json_string(value));
    }

    for (i = 0; secrets != NULL && secrets[i] != NULL; i++) {
        g_autofree char  *key = NULL;

        word = secrets[i];

        if (!tunnel_command_word(all, word, &file, &key, error)) {
            return NULL;
        }

        text = tunnel_command_file(file, error);

        if (text == NULL) {
            return NULL;
        }

        json_object_set_new(all, key, json_string(text));
        json_array_append_new(hidden, json_string(key));
        explicit_bzero(text, strlen(text));
        g_free(text);
    }

    json_object_set_new(body, "command", json_string(name));
    json_object_set(body, "args", all);

    if (json_array_size(hidden) != 0) {
        json_object_set(body, "secret", hidden);
    }

    return g_steal_pointer(&body);
}


/* NAME=VALUE; value points into word */

static gboolean
tunnel_command_word(json_t *args, const char *word, char **value,
    char **name, GError **error)
{
    gsize        len;
    const char  *is;

    is = strchr(word, '=');
    len = (is != NULL) ? (gsize) (is - word) : 0;

    if (len == 0 || len > TUNNEL_COMMAND_NAME
        || strspn(word, TUNNEL_COMMAND_LETTERS) != len || is[1] == '\0'
        || !g_utf8_validate(is + 1, -1, NULL))
    {
        /* of a secret's there is nothing in it, either */
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "\"%s\" is no parameter: NAME=VALUE is wanted", word);
        return FALSE;
    }

    *name = g_strndup(word, len);
    *value = (char *) is + 1;

    if (json_object_get(args, *name) != NULL) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "\"%s\" is there twice", *name);
        return FALSE;
    }

    return TRUE;
}


/* its first line */

static char *
tunnel_command_file(const char *file, GError **error)
{
    FILE     *from;
    char      line[TUNNEL_COMMAND_SECRET + 2];
    char     *text;
    gboolean  got;

    from = (strcmp(file, "-") == 0) ? stdin : fopen(file, "re");
    got = (from != NULL && fgets(line, sizeof(line), from) != NULL);

    if (got) {
        line[strcspn(line, "\r\n")] = '\0';
        got = (line[0] != '\0' && strlen(line) <= TUNNEL_COMMAND_SECRET
               && g_utf8_validate(line, -1, NULL));
    }

    if (from != NULL && from != stdin) {
        fclose(from);
    }

    if (!got) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "--secret: %s: %s", file,
                    from == NULL ? g_strerror(errno)
                    : "a first line of text is wanted");
        return NULL;
    }

    text = g_strdup(line);
    explicit_bzero(line, sizeof(line));

    return text;
}


int
tunnel_command_run(tunnel_rest_t *rest, const tunnel_config_t *config,
    const tunnel_device_t *device, json_t *body, GError **error)
{
    tunnel_command_t     c;
    g_autofree char     *path = NULL;
    g_autoptr(json_t)    answer = NULL;

    memset(&c, 0, sizeof(c));
    c.status = -1;
    c.kind = TUNNEL_COMMAND_HEAD;

    path = g_strdup_printf("/devices/%s/commands", device->id);

    /* what has perhaps run is not asked for again */

    tunnel_rest_once(rest);
    answer = tunnel_rest_wait(rest, "POST", path, body,
                              TUNNEL_COMMAND_LIMIT_S, error);

    if (answer == NULL
        || !tunnel_command_attach(&c, rest, config, answer, error))
    {
        return TUNNEL_ERROR_FAILED;
    }

    c.end = g_string_new(NULL);
    c.loop = g_main_loop_new(NULL, FALSE);
    tunnel_command_loop(&c);

    g_clear_handle_id(&c.watch, g_source_remove);
    agent_wire_free(c.wire, 0);
    g_main_loop_unref(c.loop);
    g_string_free(c.end, TRUE);
    g_free(c.id);

    if (c.signal != 0) {
        g_clear_error(&c.error);
        return TUNNEL_COMMAND_SIGNAL + c.signal;
    }

    if (c.error != NULL) {
        g_propagate_error(error, c.error);
        return TUNNEL_ERROR_FAILED;
    }

    return c.status;
}


static gboolean
tunnel_command_attach(tunnel_command_t *c, tunnel_rest_t *rest,
    const tunnel_config_t *config, json_t *answer, GError **error)
{
    agent_wire_to_t    to;
    g_autofree char   *url = NULL;
    g_autofree char   *ticket = NULL;

    ticket = tunnel_gate_ticket(answer, &c->id, error);

    if (ticket == NULL) {
        return FALSE;
    }

    url = g_strconcat("wss", config->server + strlen("https"), "/pipe", NULL);

    memset(&to, 0, sizeof(to));
    to.url = url;
    to.ticket = ticket;
    to.side = "client";
    to.program = "rs-tunnel/" TUNNEL_VERSION;
    to.max_message = TUNNEL_COMMAND_MESSAGE;
    to.tls = tunnel_rest_tls(rest);
    to.proxy = tunnel_rest_proxy(rest);

    c->wire = agent_wire_new(&to, &tunnel_command_events, c);
    explicit_bzero(ticket, strlen(ticket));

    return TRUE;
}


/* ---- what comes */

static void
tunnel_command_nothing(void *data)
{
    (void) data;
}


static gboolean
tunnel_command_piece(void *data, const guint8 *bytes, gsize len,
    gboolean last, gsize *taken)
{
    tunnel_command_t  *c = data;

    if (*taken < len && c->kind == TUNNEL_COMMAND_HEAD) {
        c->kind = bytes[(*taken)++];
    }

    if ((c->kind == TUNNEL_COMMAND_OUT || c->kind == TUNNEL_COMMAND_ERR)
        && !tunnel_command_write(c, bytes, len, taken))
    {
        return FALSE;
    }

    if (c->kind == TUNNEL_COMMAND_ENDED
        && c->end->len + len - *taken <= TUNNEL_COMMAND_END)
    {
        g_string_append_len(c->end, (const char *) bytes + *taken,
                            (gssize) (len - *taken));
    }

    *taken = len;

    if (last) {
        if (c->kind == TUNNEL_COMMAND_ENDED && c->status == -1) {
            tunnel_command_ended(c);
        }

        c->kind = TUNNEL_COMMAND_HEAD;
    }

    return TRUE;
}


/*
 * Not more than what an output takes at once: whoever reads slowly holds the
 * command, and not the answers to the gateway's pings.  FALSE: not now.
 */

static gboolean
tunnel_command_write(tunnel_command_t *c, const guint8 *bytes, gsize len,
    gsize *taken)
{
    ssize_t        n;
    struct pollfd  out;

    out.fd = (c->kind == TUNNEL_COMMAND_OUT) ? STDOUT_FILENO : STDERR_FILENO;
    out.events = POLLOUT;

    while (*taken < len && c->error == NULL) {

        if (poll(&out, 1, 0) == 0) {
            c->watch = g_unix_fd_add(out.fd, G_IO_OUT|G_IO_HUP|G_IO_ERR,
                                     tunnel_command_writable, c);
            return FALSE;
        }

        n = write(out.fd, bytes + *taken,
                  MIN(len - *taken, TUNNEL_COMMAND_WRITE));

        if (n > 0) {
            *taken += (gsize) n;

        } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
            tunnel_command_fail(c, g_strerror(errno));
        }
    }

    return TRUE;
}


static gboolean
tunnel_command_writable(int fd, GIOCondition condition, gpointer data)
{
    tunnel_command_t  *c = data;

    (void) fd;
    (void) condition;

    c->watch = 0;
    agent_wire_more(c->wire);

    return G_SOURCE_REMOVE;
}


static void
tunnel_command_fail(tunnel_command_t *c, const char *why)
{
    c->error = g_error_new(TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                           "%s: the output cannot be written: %s", c->id,
                           why);
    agent_wire_close(c->wire, AGENT_WIRE_BROKEN, "");
}


static void
tunnel_command_ended(tunnel_command_t *c)
{
    gint64               n;
    const char          *limit;
    g_autoptr(json_t)    end = NULL;

    end = agent_json_load(c->end->str, c->end->len, TUNNEL_COMMAND_END, NULL);
    limit = agent_json_string(end, "limit", 16);

    if (limit != NULL) {
        g_warning("%s: the device ended it: its %s is used up", c->id,
                  strcmp(limit, "time") == 0 ? "time" : "output");
        c->status = TUNNEL_COMMAND_LIMIT;

    } else if (agent_json_int(end, "signal", 1, 64, &n)) {
        g_warning("%s: it was ended by signal %d", c->id, (int) n);
        c->status = TUNNEL_COMMAND_SIGNAL + (int) n;

    } else if (agent_json_int(end, "exit", 0, 255, &n)) {
        c->status = (int) n;
    }

    agent_wire_close(c->wire, c->status == -1 ? AGENT_WIRE_BROKEN
                                              : AGENT_WIRE_DONE, "");
}


static void
tunnel_command_closed(void *data, const agent_wire_end_t *end)
{
    tunnel_command_t  *c = data;

    if (c->status == -1 && c->error == NULL) {
        c->error = tunnel_command_error(c, end);
    }

    g_main_loop_quit(c->loop);
}


/* the close codes that a person can do something about */

static GError *
tunnel_command_error(const tunnel_command_t *c, const agent_wire_end_t *end)
{
    gsize  i;

    static const struct {
        guint        code;
        int          error;
        const char  *cure;
    } codes[] = {
        { 1008, TUNNEL_ERROR_BUSY, "the tenant's limit is reached" },
        { 1013, TUNNEL_ERROR_BUSY, "too much at once: try again in a while" },
        { 4401, TUNNEL_ERROR_REFUSED, "the key is not good any more" },
        { 4403, TUNNEL_ERROR_REFUSED,
          "the device has no such [command] in agent.conf, or not with these "
          "parameters, or its policy or the person there said no; or the "
          "right to run it is gone" },
        { 4410, TUNNEL_ERROR_GONE, "somebody ended it, or its time is over" },
        { 4504, TUNNEL_ERROR_ABSENT, "the device did not come" },
        { 4522, TUNNEL_ERROR_ABSENT, "the device could not start it" }
    };

    for (i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i].code == end->code) {
            return g_error_new(TUNNEL_ERROR, codes[i].error, "%s: %s: %s",
                               c->id, end->why, codes[i].cure);
        }
    }

    return g_error_new(TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                       "%s: how it ended is not known: %s", c->id, end->why);
}


/* ---- the loop */

static void
tunnel_command_stop(tunnel_command_t *c, int number)
{
    if (c->signal != 0) {
        /* asked twice: without a goodbye */
        g_main_loop_quit(c->loop);
        return;
    }

    c->signal = number;
    agent_wire_close(c->wire, AGENT_WIRE_BROKEN, "");
}


static gboolean
tunnel_command_int(gpointer data)
{
    tunnel_command_stop(data, SIGINT);
    return G_SOURCE_CONTINUE;
}


static gboolean
tunnel_command_term(gpointer data)
{
    tunnel_command_stop(data, SIGTERM);
    return G_SOURCE_CONTINUE;
}


static gboolean
tunnel_command_hup(gpointer data)
{
    tunnel_command_stop(data, SIGHUP);
    return G_SOURCE_CONTINUE;
}


static void
tunnel_command_loop(tunnel_command_t *c)
{
    guint  i, ids[3];

    ids[0] = g_unix_signal_add(SIGINT, tunnel_command_int, c);
    ids[1] = g_unix_signal_add(SIGTERM, tunnel_command_term, c);
    ids[2] = g_unix_signal_add(SIGHUP, tunnel_command_hup, c);

    g_main_loop_run(c->loop);

    for (i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_source_remove(ids[i]);
    }
}
