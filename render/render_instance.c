
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what the pool and an instance say to each other, and how long each
 * step may take:
 *
 *     started -> hello (its token) -> ready -> invite -> joined -> ended
 *
 * Who connects is nobody until he has shown an instance's id and token, once.
 */

#define G_LOG_DOMAIN  "rs-instance"

#include "render_instance.h"
#include "render_link.h"
#include "agent_key.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RENDER_HELLO_S     5                /* to say who it is */
#define RENDER_NOBODIES    8                /* who may be about to, beside as
                                               many as there are instances */
#define RENDER_NOBODIES_A_USER  2           /* of them, but this process's */
#define RENDER_TOKEN_MAX   128              /* bytes */
#define RENDER_SIGN_LEN    4096             /* characters, of base64url */
#define RENDER_REASON_LEN  256


typedef struct {
    render_doors_t  *doors;
    render_link_t   *link;
    uid_t            user;
    guint            timer;
    guint            closing;
} render_nobody_t;


struct render_doors_s {
    GSocketService      *service;
    char                *runtime_dir;
    guint                max;
    GList               *nobodies;
    render_instance_t *(*known)(void *data, const char *id);
    void                *data;
};


struct render_instance_s {
    char                            id[RENDER_ID_LEN + 1];
    char                           *token;      /* NULL: it was shown */
    render_doors_t                 *doors;
    render_launcher_t              *launcher;
    const render_instance_events_t *events;     /* NULL: one of before */
    void                           *data;
    render_link_t                  *link;
    char                           *session;
    guint                           stop_s;
    guint                           timer;      /* start, then stop */
    gint64                          since_us;
    gboolean                        ready;
    gboolean                        ending;
};


static gboolean render_doors_on_incoming(GSocketService *service,
    GSocketConnection *connection, GObject *source, gpointer data);
static uid_t render_doors_user(GSocketConnection *connection);
static void render_doors_room(render_doors_t *doors, uid_t user);
static void render_nobody_message(void *data, const char *type, json_t *msg);
static void render_nobody_closed(void *data, const char *why);
static gboolean render_nobody_late(gpointer data);
static gboolean render_nobody_done(gpointer data);
static void render_nobody_free(void *data);
static gboolean render_instance_token(render_instance_t *instance,
    GError **error);
static void render_instance_message(void *data, const char *type,
    json_t *msg);
static void render_instance_closed(void *data, const char *why);
static void render_instance_sign(render_instance_t *instance, json_t *msg);
static gboolean render_instance_on_late(gpointer data);
static gboolean render_instance_on_stop(gpointer data);


static const render_link_events_t  render_nobody_events = {
    render_nobody_message,
    render_nobody_closed
};

static const render_link_events_t  render_instance_link_events = {
    render_instance_message,
    render_instance_closed
};


/* ---- who comes */

render_doors_t *
render_doors_open(const char *runtime_dir, guint max,
    render_instance_t *(*known)(void *data, const char *id), void *data,
    GError **error)
{
    render_doors_t              *doors;
    g_autofree char             *path = NULL;
    g_autofree char             *tokens = NULL;
    g_autoptr(GSocketAddress)    address = NULL;

    path = render_path_socket(runtime_dir);
    tokens = g_build_filename(runtime_dir, "tokens", NULL);
    render_remove(tokens);

    if (g_mkdir_with_parents(runtime_dir, 0755) == -1
        || g_mkdir_with_parents(tokens, 0700) == -1)
    {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                    "cannot make %s", tokens);
        return NULL;
    }

    (void) g_unlink(path);

    doors = g_new0(render_doors_t, 1);
    doors->runtime_dir = g_strdup(runtime_dir);
    doors->max = max;
    doors->known = known;
    doors->data = data;
    doors->service = g_socket_service_new();
    address = g_unix_socket_address_new(path);

    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(doors->service),
                                       address, G_SOCKET_TYPE_STREAM,
                                       G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL,
                                       error))
    {
        g_prefix_error(error, "%s: ", path);
        render_doors_close(doors);
        return NULL;
    }

    /* each instance is a user of its own: its token is what counts */

    (void) g_chmod(path, 0666);

    g_signal_connect(doors->service, "incoming",
                     G_CALLBACK(render_doors_on_incoming), doors);

    return doors;
}


void
render_doors_close(render_doors_t *doors)
{
    g_autofree char  *path = render_path_socket(doors->runtime_dir);

    g_socket_service_stop(doors->service);
    g_socket_listener_close(G_SOCKET_LISTENER(doors->service));
    g_signal_handlers_disconnect_by_data(doors->service, doors);
    g_object_unref(doors->service);
    (void) g_unlink(path);

    while (doors->nobodies != NULL) {
        render_nobody_free(doors->nobodies->data);
    }

    g_free(doors->runtime_dir);
    g_free(doors);
}


static gboolean
render_doors_on_incoming(GSocketService *service,
    GSocketConnection *connection, GObject *source, gpointer data)
{
    uid_t             user;
    render_doors_t   *doors = data;
    render_nobody_t  *nobody;

    (void) service;
    (void) source;

    user = render_doors_user(connection);
    render_doors_room(doors, user);

    nobody = g_new0(render_nobody_t, 1);
    nobody->doors = doors;
    nobody->user = user;
    nobody->timer = g_timeout_add_seconds(RENDER_HELLO_S, render_nobody_late,
                                          nobody);
    nobody->link = render_link_new(connection, &render_nobody_events, nobody);
    doors->nobodies = g_list_prepend(doors->nobodies, nobody);

    return TRUE;
}


/* who the kernel says has connected */

static uid_t
render_doors_user(GSocketConnection *connection)
{
    uid_t                     user;
    g_autoptr(GCredentials)   who = NULL;

    who = g_socket_get_credentials(
              g_socket_connection_get_socket(connection), NULL);
    user = (who != NULL) ? g_credentials_get_unix_user(who, NULL)
                         : (uid_t) -1;

    return user;
}


/*
 * An instance says at once who it is, so the oldest goes who has not: of the
 * same user where he has his share, which an instance's own never has; else
 * of all.  Those of render_plain.c are this process's user, and have it all.
 */

static void
render_doors_room(render_doors_t *doors, uid_t user)
{
    guint             all, his;
    GList            *link;
    render_nobody_t  *nobody, *oldest, *his_oldest;

    all = 0;
    his = 0;
    oldest = NULL;
    his_oldest = NULL;

    /* the newest is the first */

    for (link = doors->nobodies; link != NULL; link = link->next) {
        nobody = link->data;
        oldest = nobody;
        all++;

        if (nobody->user == user) {
            his_oldest = nobody;
            his++;
        }
    }

    if (user != geteuid() && his >= RENDER_NOBODIES_A_USER) {
        g_warning("user %u has connected too often and does not say who that "
                  "is", (guint) user);
        render_nobody_free(his_oldest);

    } else if (all >= doors->max + RENDER_NOBODIES) {
        g_warning("too many have connected who do not say who they are");
        render_nobody_free(oldest);
    }
}


static void
render_nobody_free(void *data)
{
    render_nobody_t  *nobody = data;

    nobody->doors->nobodies = g_list_remove(nobody->doors->nobodies, nobody);
    g_clear_handle_id(&nobody->timer, g_source_remove);
    g_clear_handle_id(&nobody->closing, g_source_remove);
    g_clear_pointer(&nobody->link, render_link_free);
    g_free(nobody);
}


static gboolean
render_nobody_late(gpointer data)
{
    render_nobody_t  *nobody = data;

    nobody->timer = 0;
    render_nobody_free(nobody);

    return G_SOURCE_REMOVE;
}


static gboolean
render_nobody_done(gpointer data)
{
    render_nobody_t  *nobody = data;

    nobody->closing = 0;
    render_nobody_free(nobody);

    return G_SOURCE_REMOVE;
}


static void
render_nobody_closed(void *data, const char *why)
{
    (void) why;

    render_nobody_free(data);
}


static void
render_nobody_message(void *data, const char *type, json_t *msg)
{
    const char         *id, *token;
    render_nobody_t    *nobody = data;
    render_instance_t  *instance;

    id = agent_json_string(msg, "id", RENDER_ID_LEN);
    token = agent_json_string(msg, "token", RENDER_TOKEN_MAX);
    instance = (strcmp(type, "hello") == 0 && id != NULL && token != NULL)
               ? nobody->doors->known(nobody->doors->data, id) : NULL;

    if (nobody->closing != 0) {
        return;
    }

    /* freed by the loop: the link is in the middle of this line */

    nobody->closing = g_idle_add(render_nobody_done, nobody);

    if (instance == NULL || instance->token == NULL || instance->ending
        || strlen(token) != strlen(instance->token)
        || CRYPTO_memcmp(token, instance->token, strlen(token)) != 0)
    {
        g_warning("somebody says to be instance \"%s\", and shows no token "
                  "of it", id ? id : "?");
        return;
    }

    g_clear_pointer(&instance->token, g_free);
    instance->link = g_steal_pointer(&nobody->link);
    render_link_hand(instance->link, &render_instance_link_events, instance);
}


/* ---- one of them */

render_instance_t *
render_instance_start(render_doors_t *doors, render_launcher_t *launcher,
    guint start_s, guint stop_s, const render_instance_events_t *events,
    void *data, GError **error)
{
    guint               i;
    guint8              bytes[RENDER_ID_LEN / 2];
    render_instance_t  *instance;

    instance = g_new0(render_instance_t, 1);
    instance->doors = doors;
    instance->launcher = launcher;
    instance->events = events;
    instance->data = data;
    instance->stop_s = stop_s;
    instance->since_us = g_get_monotonic_time();

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "OpenSSL has no random bytes");
        g_free(instance);
        return NULL;
    }

    for (i = 0; i < sizeof(bytes); i++) {
        g_snprintf(instance->id + 2 * i, 3, "%02x", bytes[i]);
    }

    if (!render_instance_token(instance, error)) {
        render_instance_free(instance);
        return NULL;
    }

    instance->timer = g_timeout_add_seconds(start_s, render_instance_on_late,
                                            instance);
    launcher->ops->start(launcher, instance->id);

    return instance;
}


static gboolean
render_instance_token(render_instance_t *instance, GError **error)
{
    g_autofree char  *path = NULL;

    instance->token = agent_key_nonce();

    if (instance->token == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "OpenSSL has no random bytes");
        return FALSE;
    }

    path = render_path_token(instance->doors->runtime_dir, instance->id);

    return g_file_set_contents_full(path, instance->token, -1,
                                    G_FILE_SET_CONTENTS_NONE, 0600, error);
}


render_instance_t *
render_instance_left(const char *id, render_doors_t *doors,
    render_launcher_t *launcher, guint stop_s)
{
    render_instance_t  *instance;

    instance = g_new0(render_instance_t, 1);
    g_strlcpy(instance->id, id, sizeof(instance->id));
    instance->doors = doors;
    instance->launcher = launcher;
    instance->stop_s = stop_s;
    instance->ending = TRUE;
    instance->timer = g_timeout_add_seconds(stop_s, render_instance_on_stop,
                                            instance);
    launcher->ops->stop(launcher, instance->id);

    return instance;
}


void
render_instance_free(void *data)
{
    render_instance_t  *instance = data;
    g_autofree char    *path = NULL;

    path = render_path_token(instance->doors->runtime_dir, instance->id);
    (void) g_unlink(path);

    g_clear_handle_id(&instance->timer, g_source_remove);
    g_clear_pointer(&instance->link, render_link_free);
    g_free(instance->token);
    g_free(instance->session);
    g_free(instance);
}


const char *
render_instance_id(const render_instance_t *instance)
{
    return instance->id;
}


const char *
render_instance_session(const render_instance_t *instance)
{
    return instance->session;
}


gboolean
render_instance_free_p(const render_instance_t *instance)
{
    return instance->session == NULL && !instance->ending;
}


gboolean
render_instance_ready(const render_instance_t *instance)
{
    return instance->ready && !instance->ending;
}


gboolean
render_instance_was_ready(const render_instance_t *instance)
{
    return instance->ready;
}


gboolean
render_instance_ending(const render_instance_t *instance)
{
    return instance->ending;
}


void
render_instance_reserve(render_instance_t *instance, const char *session_id)
{
    instance->session = g_strdup(session_id);
}


void
render_instance_invite(render_instance_t *instance, json_t *invite,
    json_t *server, json_t *device)
{
    render_link_send(instance->link,
                     json_pack("{s:s, s:O, s:o, s:o}", "type", "invite",
                               "invite", invite, "server", server,
                               "device", device));
}


static void
render_instance_message(void *data, const char *type, json_t *msg)
{
    const char         *reason;
    render_instance_t  *instance = data;

    if (instance->ending) {
        return;
    }

    if (strcmp(type, "ready") == 0 && !instance->ready) {
        instance->ready = TRUE;
        g_clear_handle_id(&instance->timer, g_source_remove);
        g_message("instance %s is ready after %.1f s", instance->id,
                  (double) (g_get_monotonic_time() - instance->since_us)
                  / G_USEC_PER_SEC);
        instance->events->ready(instance->data, instance);

    } else if (strcmp(type, "joined") == 0) {
        instance->events->joined(instance->data, instance);

    } else if (strcmp(type, "ended") == 0) {
        reason = agent_json_string(msg, "reason", RENDER_REASON_LEN);
        instance->events->ended(instance->data, instance,
                                json_is_true(json_object_get(msg, "failed")),
                                reason ? reason : "?");

    } else if (strcmp(type, "sign") == 0) {
        render_instance_sign(instance, msg);

    } else {
        g_debug("instance %s says \"%s\", which is left aside", instance->id,
                type);
    }
}


static void
render_instance_sign(render_instance_t *instance, json_t *msg)
{
    gsize               len;
    gint64              n;
    json_t             *answer;
    const char         *text;
    g_autofree char    *padded = NULL;
    g_autofree char    *signature = NULL;
    g_autofree guint8  *bytes = NULL;
    g_autoptr(GError)   error = NULL;

    text = agent_json_string(msg, "data", RENDER_SIGN_LEN);

    if (!agent_json_int(msg, "n", 1, G_MAXINT64, &n) || text == NULL
        || text[strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_")]
           != '\0')
    {
        instance->events->failed(instance->data, instance,
                                 "\"sign\" is malformed");
        return;
    }

    padded = g_strconcat(text, &"==="[3 - (4 - strlen(text) % 4) % 4], NULL);
    g_strdelimit(padded, "-", '+');
    g_strdelimit(padded, "_", '/');
    bytes = g_base64_decode(padded, &len);

    signature = instance->events->sign(instance->data, instance, bytes, len,
                                       &error);

    answer = json_pack("{s:s, s:I}", "type", "signed", "n", (json_int_t) n);
    (void) json_object_set_new(answer, signature ? "signature" : "error",
                               json_string(signature ? signature
                                                     : error->message));
    render_link_send(instance->link, answer);
}


static void
render_instance_closed(void *data, const char *why)
{
    render_instance_t  *instance = data;
    g_autofree char    *text = NULL;

    text = g_strdup_printf("its socket: %s", why);
    g_clear_pointer(&instance->link, render_link_free);

    if (!instance->ending) {
        instance->events->failed(instance->data, instance, text);
    }
}


static gboolean
render_instance_on_late(gpointer data)
{
    render_instance_t  *instance = data;

    instance->timer = 0;
    instance->events->failed(instance->data, instance,
                             instance->token != NULL
                             ? "it did not report in time"
                             : "its browser was not ready in time");

    return G_SOURCE_REMOVE;
}


void
render_instance_end(render_instance_t *instance)
{
    if (instance->ending) {
        return;
    }

    instance->ending = TRUE;
    g_clear_handle_id(&instance->timer, g_source_remove);
    instance->timer = g_timeout_add_seconds(instance->stop_s,
                                            render_instance_on_stop,
                                            instance);

    if (instance->link != NULL) {
        render_link_send(instance->link, json_pack("{s:s}", "type", "end"));

    } else {
        instance->launcher->ops->stop(instance->launcher, instance->id);
    }
}


/* asked first, then told, then forced */

static gboolean
render_instance_on_stop(gpointer data)
{
    render_instance_t  *instance = data;

    g_message("instance %s is still there: it is stopped", instance->id);
    instance->launcher->ops->stop(instance->launcher, instance->id);

    return G_SOURCE_CONTINUE;
}
