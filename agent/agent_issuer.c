
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the issuer's key set: in memory, in the state directory, and how it is
 * fetched.
 *
 *     discovery document -> is it this issuer's? -> jwks_uri -> keys
 *
 * Both over https by the CAs of agent.conf, without redirects, of bounded
 * size and time.  A fetch is one object that ends by itself: the issuer only
 * forgets it.  Keys that were good stay good for a day, also over a restart;
 * a fetch that fails takes none away.
 */

#define G_LOG_DOMAIN  "rs-issuer"

#include "agent_issuer.h"
#include "agent_json.h"
#include "agent_proxy.h"
#include "agent_version.h"

#include <libsoup/soup.h>
#include <string.h>


#define AGENT_ISSUER_FILE   "operator-keys.json"
#define AGENT_ISSUER_CHUNK  16384
#define AGENT_ISSUER_URL    2048


typedef struct agent_fetch_s  agent_fetch_t;

struct agent_issuer_s {
    const agent_config_t  *config;
    agent_issuer_done_pt   done;
    void                  *data;

    SoupSession           *soup;
    rs_jwks_t             *set;         /* NULL: none yet */
    gint64                 set_at;      /* s since the epoch */
    gint64                 asked_us;    /* monotonic; 0: never */
    char                  *why;
    agent_fetch_t         *fetch;       /* under way */
};


struct agent_fetch_s {
    agent_issuer_t  *issuer;            /* NULL: nobody waits */
    SoupSession     *soup;
    GCancellable    *cancel;
    guint            timer;
    SoupMessage     *msg;
    GInputStream    *stream;
    GByteArray      *body;
    gboolean         keys;              /* the second request */
};


static void agent_issuer_load(agent_issuer_t *issuer);
static void agent_issuer_save(agent_issuer_t *issuer, const char *jwks,
    gsize len);
static gboolean agent_issuer_read(agent_issuer_t *issuer);
static gboolean agent_issuer_take(agent_issuer_t *issuer, const char *jwks,
    gsize len);
G_GNUC_PRINTF(2, 3)
static void agent_issuer_failed(agent_issuer_t *issuer, const char *format,
    ...);

static gboolean agent_fetch_get(agent_fetch_t *fetch, const char *url);
static void agent_fetch_on_answer(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_fetch_more(agent_fetch_t *fetch);
static void agent_fetch_on_bytes(GObject *source, GAsyncResult *result,
    gpointer data);
static gboolean agent_fetch_discovered(agent_fetch_t *fetch);
static void agent_fetch_whole(agent_fetch_t *fetch);
static gboolean agent_fetch_late(gpointer data);
static void agent_fetch_end(agent_fetch_t *fetch);


agent_issuer_t *
agent_issuer_new(const agent_config_t *config, agent_issuer_done_pt done,
    void *data, GError **error)
{
    const char                  *ca;
    g_autoptr(GTlsDatabase)      tls = NULL;
    g_autoptr(GProxyResolver)    proxy = NULL;
    g_autoptr(agent_issuer_t)    issuer = NULL;

    issuer = g_new0(agent_issuer_t, 1);
    issuer->config = config;
    issuer->done = done;
    issuer->data = data;

    if (config->operator_jwks_file != NULL) {

        /* read at each use, so that a new file counts at once */

        if (!agent_issuer_read(issuer)) {
            g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                        "%s", issuer->why);
            return NULL;
        }

        return g_steal_pointer(&issuer);
    }

    ca = (config->operator_ca_file != NULL) ? config->operator_ca_file
                                            : config->ca_file;
    if (ca != NULL) {
        tls = g_tls_file_database_new(ca, error);

        if (tls == NULL) {
            g_prefix_error(error, "operator_ca_file %s: ", ca);
            return NULL;
        }
    }

    proxy = agent_proxy_new(config->proxy, g_getenv);

    issuer->soup = soup_session_new_with_options(
                       "timeout", AGENT_ISSUER_FETCH_S, "idle-timeout", 5,
                       "user-agent", "rs-agent/" AGENT_VERSION,
                       "proxy-resolver", proxy, NULL);
    if (tls != NULL) {
        soup_session_set_tls_database(issuer->soup, tls);
    }

    agent_issuer_load(issuer);

    return g_steal_pointer(&issuer);
}


void
agent_issuer_free(agent_issuer_t *issuer)
{
    if (issuer->fetch != NULL) {
        issuer->fetch->issuer = NULL;
        g_cancellable_cancel(issuer->fetch->cancel);
    }

    rs_jwks_free(issuer->set);
    g_clear_object(&issuer->soup);
    g_free(issuer->why);
    g_free(issuer);
}


static void
agent_issuer_failed(agent_issuer_t *issuer, const char *format, ...)
{
    va_list  args;

    g_free(issuer->why);

    va_start(args, format);
    issuer->why = g_strdup_vprintf(format, args);
    va_end(args);

    g_warning("%s", issuer->why);
}


const char *
agent_issuer_why(const agent_issuer_t *issuer)
{
    return (issuer->why != NULL) ? issuer->why
                                 : "the issuer was not asked for its keys";
}


static gboolean
agent_issuer_take(agent_issuer_t *issuer, const char *jwks, gsize len)
{
    rs_jwks_t   *set;
    const char  *why;

    why = "there is no memory";

    if (rs_jwks_parse((rs_str_t) { (const guint8 *) jwks, len }, &set, &why)
        != RS_OK)
    {
        agent_issuer_failed(issuer, "the key set of %s is of no use: %s",
                            issuer->config->operator_issuer, why);
        return FALSE;
    }

    rs_jwks_free(issuer->set);
    issuer->set = set;
    issuer->set_at = g_get_real_time() / G_USEC_PER_SEC;

    return TRUE;
}


/* operator_jwks_file */

static gboolean
agent_issuer_read(agent_issuer_t *issuer)
{
    gsize                len;
    const char          *path = issuer->config->operator_jwks_file;
    g_autofree char     *text = NULL;
    g_autoptr(GError)    error = NULL;

    if (!g_file_get_contents(path, &text, &len, &error)) {
        agent_issuer_failed(issuer, "operator_jwks_file: %s",
                            error->message);
        return FALSE;
    }

    return agent_issuer_take(issuer, text, len);
}


/* what an earlier process fetched, while it is good */

static void
agent_issuer_load(agent_issuer_t *issuer)
{
    gsize                 len;
    gint64                at, now;
    const char           *name, *jwks;
    g_autofree char      *path = NULL;
    g_autofree char      *text = NULL;
    g_autoptr(json_t)     obj = NULL;

    path = g_build_filename(issuer->config->state_dir, AGENT_ISSUER_FILE,
                            NULL);

    if (!g_file_get_contents(path, &text, &len, NULL)) {
        return;
    }

    obj = agent_json_load(text, len, 8 * RS_JWKS_MAX, NULL);
    name = agent_json_string(obj, "issuer", AGENT_ISSUER_URL);
    jwks = agent_json_string(obj, "jwks", RS_JWKS_MAX);
    now = g_get_real_time() / G_USEC_PER_SEC;

    if (jwks == NULL
        || g_strcmp0(name, issuer->config->operator_issuer) != 0
        || !agent_json_int(obj, "fetched_at", 1, now, &at)
        || now - at > AGENT_ISSUER_GOOD_S
        || !agent_issuer_take(issuer, jwks, strlen(jwks)))
    {
        g_debug("%s is not used", path);
        return;
    }

    issuer->set_at = at;
}


static void
agent_issuer_save(agent_issuer_t *issuer, const char *jwks, gsize len)
{
    json_t               *obj;
    g_autofree char      *path = NULL;
    g_autofree char      *text = NULL;
    g_autoptr(GError)     error = NULL;

    obj = json_pack("{s:s, s:I, s:s%}",
                    "issuer", issuer->config->operator_issuer,
                    "fetched_at", (json_int_t) issuer->set_at,
                    "jwks", jwks, (size_t) len);

    if (obj == NULL) {
        return;
    }

    text = agent_json_text(obj);
    path = g_build_filename(issuer->config->state_dir, AGENT_ISSUER_FILE,
                            NULL);

    if (!g_file_set_contents_full(path, text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  &error))
    {
        g_warning("the issuer's keys are not kept: %s", error->message);
    }
}


const rs_jwks_t *
agent_issuer_keys(agent_issuer_t *issuer)
{
    gint64  age;

    if (issuer->soup == NULL) {
        return agent_issuer_read(issuer) ? issuer->set : NULL;
    }

    if (issuer->set == NULL) {
        return NULL;
    }

    age = g_get_real_time() / G_USEC_PER_SEC - issuer->set_at;

    if (age < 0 || age > AGENT_ISSUER_GOOD_S) {
        return NULL;
    }

    if (age > AGENT_ISSUER_FRESH_S) {
        (void) agent_issuer_fetch(issuer);
    }

    return issuer->set;
}


gboolean
agent_issuer_fetch(agent_issuer_t *issuer)
{
    gsize                len;
    gint64               now_us;
    agent_fetch_t       *fetch;
    g_autofree char     *url = NULL;

    if (issuer->fetch != NULL) {
        return TRUE;
    }

    now_us = g_get_monotonic_time();

    if (issuer->soup == NULL
        || (issuer->asked_us != 0
            && now_us - issuer->asked_us
               < AGENT_ISSUER_AGAIN_S * G_USEC_PER_SEC))
    {
        return FALSE;
    }

    issuer->asked_us = now_us;

    fetch = g_new0(agent_fetch_t, 1);
    fetch->issuer = issuer;
    fetch->soup = g_object_ref(issuer->soup);
    fetch->cancel = g_cancellable_new();
    fetch->timer = g_timeout_add_seconds(AGENT_ISSUER_FETCH_S,
                                         agent_fetch_late, fetch);
    issuer->fetch = fetch;

    /* OpenID Connect Discovery 1.0, 4.1: without the slash at its end */

    len = strlen(issuer->config->operator_issuer);

    if (issuer->config->operator_issuer[len - 1] == '/') {
        len--;
    }

    url = g_strdup_printf("%.*s/.well-known/openid-configuration", (int) len,
                          issuer->config->operator_issuer);

    if (!agent_fetch_get(fetch, url)) {
        agent_issuer_failed(issuer, "\"%s\" is no URL", url);
        issuer->fetch = NULL;
        fetch->issuer = NULL;
        agent_fetch_end(fetch);
        return FALSE;
    }

    return TRUE;
}


static gboolean
agent_fetch_late(gpointer data)
{
    agent_fetch_t  *fetch = data;

    fetch->timer = 0;

    if (fetch->issuer != NULL) {
        agent_issuer_failed(fetch->issuer, "%s did not give its keys within "
                            "%d s", fetch->issuer->config->operator_issuer,
                            AGENT_ISSUER_FETCH_S);
    }

    g_cancellable_cancel(fetch->cancel);

    return G_SOURCE_REMOVE;
}


/* the last thing of a fetch; its issuer may have gone before */

static void
agent_fetch_end(agent_fetch_t *fetch)
{
    agent_issuer_t  *issuer = fetch->issuer;

    g_clear_handle_id(&fetch->timer, g_source_remove);
    g_clear_object(&fetch->stream);
    g_clear_object(&fetch->msg);
    g_clear_pointer(&fetch->body, g_byte_array_unref);
    g_object_unref(fetch->cancel);
    g_object_unref(fetch->soup);
    g_free(fetch);

    if (issuer != NULL) {
        issuer->fetch = NULL;
        issuer->done(issuer->data);
    }
}


/* TRUE: agent_fetch_end() comes later */

static gboolean
agent_fetch_get(agent_fetch_t *fetch, const char *url)
{
    g_clear_object(&fetch->stream);
    g_clear_object(&fetch->msg);
    g_clear_pointer(&fetch->body, g_byte_array_unref);

    fetch->body = g_byte_array_new();
    fetch->msg = g_str_has_prefix(url, "https://")
                 ? soup_message_new("GET", url) : NULL;

    if (fetch->msg == NULL) {
        return FALSE;
    }

    soup_message_add_flags(fetch->msg, SOUP_MESSAGE_NO_REDIRECT);
    soup_message_headers_replace(
        soup_message_get_request_headers(fetch->msg), "Accept",
        "application/json");

    soup_session_send_async(fetch->soup, fetch->msg, G_PRIORITY_DEFAULT,
                            fetch->cancel, agent_fetch_on_answer, fetch);

    return TRUE;
}


static void
agent_fetch_on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    guint                status;
    agent_fetch_t       *fetch = data;
    g_autoptr(GError)    error = NULL;

    fetch->stream = soup_session_send_finish(SOUP_SESSION(source), result,
                                             &error);

    if (fetch->issuer == NULL || fetch->timer == 0) {
        agent_fetch_end(fetch);
        return;
    }

    status = (fetch->stream != NULL) ? soup_message_get_status(fetch->msg)
                                     : 0;

    if (status != SOUP_STATUS_OK) {
        agent_issuer_failed(fetch->issuer, "%s does not give its %s: %s %u",
                            fetch->issuer->config->operator_issuer,
                            fetch->keys ? "keys" : "discovery document",
                            error ? error->message : "status", status);
        agent_fetch_end(fetch);
        return;
    }

    agent_fetch_more(fetch);
}


static void
agent_fetch_more(agent_fetch_t *fetch)
{
    g_input_stream_read_bytes_async(fetch->stream, AGENT_ISSUER_CHUNK,
                                    G_PRIORITY_DEFAULT, fetch->cancel,
                                    agent_fetch_on_bytes, fetch);
}


static void
agent_fetch_on_bytes(GObject *source, GAsyncResult *result, gpointer data)
{
    agent_fetch_t        *fetch = data;
    g_autoptr(GBytes)     bytes = NULL;
    g_autoptr(GError)     error = NULL;

    bytes = g_input_stream_read_bytes_finish(G_INPUT_STREAM(source), result,
                                             &error);

    if (fetch->issuer == NULL || fetch->timer == 0) {
        agent_fetch_end(fetch);
        return;
    }

    if (bytes == NULL) {
        agent_issuer_failed(fetch->issuer, "%s: %s",
                            fetch->issuer->config->operator_issuer,
                            error->message);
        agent_fetch_end(fetch);
        return;
    }

    if (g_bytes_get_size(bytes) == 0) {
        agent_fetch_whole(fetch);
        return;
    }

    g_byte_array_append(fetch->body, g_bytes_get_data(bytes, NULL),
                        (guint) g_bytes_get_size(bytes));

    if (fetch->body->len > RS_JWKS_MAX) {
        agent_issuer_failed(fetch->issuer, "the %s of %s has more than %d "
                            "bytes", fetch->keys ? "key set"
                                                 : "discovery document",
                            fetch->issuer->config->operator_issuer,
                            RS_JWKS_MAX);
        agent_fetch_end(fetch);
        return;
    }

    agent_fetch_more(fetch);
}


static void
agent_fetch_whole(agent_fetch_t *fetch)
{
    agent_issuer_t  *issuer = fetch->issuer;

    if (!fetch->keys) {

        if (!agent_fetch_discovered(fetch)) {
            agent_fetch_end(fetch);
        }

        return;
    }

    if (agent_issuer_take(issuer, (const char *) fetch->body->data,
                          fetch->body->len))
    {
        g_clear_pointer(&issuer->why, g_free);
        agent_issuer_save(issuer, (const char *) fetch->body->data,
                          fetch->body->len);
        g_message("%u keys of %s", issuer->set->n,
                  issuer->config->operator_issuer);
    }

    agent_fetch_end(fetch);
}


/* FALSE: there is no second request */

static gboolean
agent_fetch_discovered(agent_fetch_t *fetch)
{
    const char          *name, *url;
    agent_issuer_t      *issuer = fetch->issuer;
    g_autoptr(GError)    error = NULL;
    g_autoptr(json_t)    obj = NULL;

    obj = agent_json_load((const char *) fetch->body->data, fetch->body->len,
                          RS_JWKS_MAX, &error);
    if (obj == NULL) {
        agent_issuer_failed(issuer, "the discovery document of %s is no "
                            "JSON: %s", issuer->config->operator_issuer,
                            error->message);
        return FALSE;
    }

    name = agent_json_string(obj, "issuer", AGENT_ISSUER_URL);
    url = agent_json_string(obj, "jwks_uri", AGENT_ISSUER_URL);

    if (g_strcmp0(name, issuer->config->operator_issuer) != 0) {
        agent_issuer_failed(issuer, "the discovery document of %s is another "
                            "issuer's", issuer->config->operator_issuer);
        return FALSE;
    }

    fetch->keys = TRUE;

    if (url == NULL || !agent_fetch_get(fetch, url)) {
        agent_issuer_failed(issuer, "the discovery document of %s names no "
                            "https URL of its keys",
                            issuer->config->operator_issuer);
        return FALSE;
    }

    return TRUE;
}
