
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the SoupSession and the credential.  A call is a GTask with the request
 * beside it: libsoup reads the answer's head, this file at most
 * TUNNEL_REST_ANSWER bytes behind it.
 */

#define G_LOG_DOMAIN  "rs-rest"

#include "tunnel_rest.h"
#include "tunnel_error.h"
#include "tunnel_version.h"
#include "agent_json.h"
#include "agent_proxy.h"

#include <libsoup/soup.h>
#include <string.h>


#define TUNNEL_REST_ANSWER   (1024 * 1024)      /* bytes */
#define TUNNEL_REST_TRIES    3
#define TUNNEL_REST_WAIT_S   5                  /* at most, between two */
#define TUNNEL_REST_LIMIT_S  20                 /* of one request */
#define TUNNEL_REST_CONNS    16


struct tunnel_rest_s {
    SoupSession       *soup;
    GProxyResolver    *proxy;
    GTlsDatabase      *tls;
    char              *server;
    char              *tenant;
    char              *bearer;      /* "Bearer ..." */
    guint              tries;       /* of a call */
};


typedef struct {
    SoupSession       *soup;
    SoupMessage       *msg;
    char              *method;
    char              *url;
    char              *tenant;
    char              *bearer;
    char              *body;        /* NULL: none */
    char              *buf;
    GInputStream      *in;
    guint              tries;       /* that are left */
} tunnel_call_t;


typedef struct {
    GAsyncResult  *result;
    GCancellable  *cancel;
    gboolean       late;
} tunnel_wait_t;


static void tunnel_call_send(GTask *task);
static gboolean tunnel_call_again(gpointer data);
static void tunnel_call_sent(GObject *soup, GAsyncResult *result,
    gpointer data);
static void tunnel_call_read(GObject *in, GAsyncResult *result,
    gpointer data);
static void tunnel_call_failed(GTask *task, GError *error);
static gboolean tunnel_call_busy(const tunnel_call_t *call, guint *wait_s);
static GError *tunnel_call_problem(const tunnel_call_t *call, const char *text,
    gsize len);
static const char *tunnel_rest_cure(guint status, int *code);
static void tunnel_call_free(gpointer data);


tunnel_rest_t *
tunnel_rest_new(const tunnel_config_t *config, const char *key,
    GError **error)
{
    tunnel_rest_t       *rest;
    g_autoptr(GError)    why = NULL;

    rest = g_new0(tunnel_rest_t, 1);

    if (config->ca_file != NULL) {
        rest->tls = g_tls_file_database_new(config->ca_file, &why);

        if (rest->tls == NULL) {
            g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                        "ca_file %s: %s", config->ca_file, why->message);
            tunnel_rest_free(rest);
            return NULL;
        }
    }

    rest->proxy = agent_proxy_new(config->proxy, g_getenv);

    /* of calls at one time libsoup's own bound is two */

    rest->soup = soup_session_new_with_options(
                     "timeout", TUNNEL_REST_LIMIT_S, "idle-timeout", 30,
                     "max-conns", TUNNEL_REST_CONNS,
                     "max-conns-per-host", TUNNEL_REST_CONNS,
                     "user-agent", "rs-tunnel/" TUNNEL_VERSION,
                     "proxy-resolver", rest->proxy, NULL);

    if (rest->tls != NULL) {
        soup_session_set_tls_database(rest->soup, rest->tls);
    }

    rest->server = g_strdup(config->server);
    rest->tenant = g_strdup(config->tenant);
    rest->bearer = g_strconcat("Bearer ", key, NULL);
    rest->tries = TUNNEL_REST_TRIES;

    return rest;
}


void
tunnel_rest_free(tunnel_rest_t *rest)
{
    g_clear_object(&rest->soup);
    g_clear_object(&rest->proxy);
    g_clear_object(&rest->tls);
    g_free(rest->server);
    g_free(rest->tenant);

    if (rest->bearer != NULL) {
        explicit_bzero(rest->bearer, strlen(rest->bearer));
        g_free(rest->bearer);
    }

    g_free(rest);
}


void
tunnel_rest_once(tunnel_rest_t *rest)
{
    rest->tries = 1;
}


GTlsDatabase *
tunnel_rest_tls(const tunnel_rest_t *rest)
{
    return rest->tls;
}


GProxyResolver *
tunnel_rest_proxy(const tunnel_rest_t *rest)
{
    return rest->proxy;
}


void
tunnel_rest_call(tunnel_rest_t *rest, const char *method, const char *path,
    json_t *body, GCancellable *cancel, GAsyncReadyCallback done,
    gpointer data)
{
    tunnel_call_t      *call;
    g_autoptr(GTask)    task = g_task_new(NULL, cancel, done, data);

    call = g_new0(tunnel_call_t, 1);
    g_task_set_task_data(task, call, tunnel_call_free);

    call->tries = rest->tries;
    call->soup = g_object_ref(rest->soup);
    call->method = g_strdup(method);
    call->url = g_strconcat(rest->server, path, NULL);
    call->tenant = g_strdup(rest->tenant);
    call->bearer = g_strdup(rest->bearer);
    call->body = (body != NULL) ? agent_json_text(body) : NULL;

    tunnel_call_send(task);
}


static void
tunnel_call_free(gpointer data)
{
    tunnel_call_t  *call = data;

    explicit_bzero(call->bearer, strlen(call->bearer));

    g_clear_object(&call->in);
    g_clear_object(&call->msg);
    g_clear_object(&call->soup);
    g_free(call->method);
    g_free(call->url);
    g_free(call->tenant);
    g_free(call->bearer);
    g_free(call->body);
    g_free(call->buf);
    g_free(call);
}


static void
tunnel_call_send(GTask *task)
{
    tunnel_call_t        *call = g_task_get_task_data(task);
    SoupMessageHeaders   *headers;
    g_autoptr(GBytes)     bytes = NULL;

    call->tries--;
    g_set_object(&call->msg, NULL);
    call->msg = soup_message_new(call->method, call->url);
    soup_message_add_flags(call->msg, SOUP_MESSAGE_NO_REDIRECT);

    headers = soup_message_get_request_headers(call->msg);
    soup_message_headers_append(headers, "Authorization", call->bearer);
    soup_message_headers_append(headers, "Accept", "application/json");

    if (call->tenant != NULL) {
        soup_message_headers_append(headers, "X-RS-Tenant", call->tenant);
    }

    if (call->body != NULL) {
        bytes = g_bytes_new(call->body, strlen(call->body));
        soup_message_set_request_body_from_bytes(call->msg,
                                                 "application/json", bytes);
    }

    soup_session_send_async(call->soup, call->msg, G_PRIORITY_DEFAULT,
                            g_task_get_cancellable(task), tunnel_call_sent,
                            g_object_ref(task));
}


static gboolean
tunnel_call_again(gpointer data)
{
    GTask  *task = data;

    if (!g_task_return_error_if_cancelled(task)) {
        tunnel_call_send(task);
    }

    return G_SOURCE_REMOVE;
}


static void
tunnel_call_failed(GTask *task, GError *error)
{
    GError         *told;
    tunnel_call_t  *call = g_task_get_task_data(task);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_task_return_error(task, error);
        return;
    }

    told = g_error_new(TUNNEL_ERROR, TUNNEL_ERROR_FAILED, "%s %s: %s%s",
                       call->method, call->url, error->message,
                       (error->domain == G_TLS_ERROR)
                       ? ": ca_file names the CAs to trust" : "");
    g_error_free(error);
    g_task_return_error(task, told);
}


static void
tunnel_call_sent(GObject *soup, GAsyncResult *result, gpointer data)
{
    GError            *error = NULL;
    g_autoptr(GTask)   task = data;
    tunnel_call_t     *call = g_task_get_task_data(task);

    g_clear_object(&call->in);
    call->in = soup_session_send_finish(SOUP_SESSION(soup), result, &error);

    if (call->in == NULL) {
        tunnel_call_failed(task, error);
        return;
    }

    if (call->buf == NULL) {
        call->buf = g_malloc(TUNNEL_REST_ANSWER + 1);
    }

    g_input_stream_read_all_async(call->in, call->buf,
                                  TUNNEL_REST_ANSWER + 1, G_PRIORITY_DEFAULT,
                                  g_task_get_cancellable(task),
                                  tunnel_call_read, g_object_ref(task));
}


static void
tunnel_call_read(GObject *in, GAsyncResult *result, gpointer data)
{
    gsize              len;
    guint              status, wait_s;
    GError            *error = NULL;
    json_t            *answer;
    GSource           *timer;
    g_autoptr(GTask)   task = data;
    tunnel_call_t     *call = g_task_get_task_data(task);

    if (!g_input_stream_read_all_finish(G_INPUT_STREAM(in), result, &len,
                                        &error))
    {
        tunnel_call_failed(task, error);
        return;
    }

    if (tunnel_call_busy(call, &wait_s)) {
        g_message("the gateway is busy, asked again in %u s", wait_s);

        timer = g_timeout_source_new_seconds(wait_s);
        g_task_attach_source(task, timer, tunnel_call_again);
        g_source_unref(timer);
        return;
    }

    status = soup_message_get_status(call->msg);

    if (status < 200 || status > 299) {
        g_task_return_error(task, tunnel_call_problem(call, call->buf, len));
        return;
    }

    answer = (len == 0) ? json_object()
                        : agent_json_load(call->buf, len, TUNNEL_REST_ANSWER,
                                          &error);
    if (answer == NULL) {
        g_task_return_new_error(task, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                                "%s %s answered %u, and %s: is this the "
                                "gateway's base URL?", call->method,
                                call->url, status, error->message);
        g_error_free(error);
        return;
    }

    g_task_return_pointer(task, answer, (GDestroyNotify) json_decref);
}


static gboolean
tunnel_call_busy(const tunnel_call_t *call, guint *wait_s)
{
    guint64      n;
    const char  *value;

    if (soup_message_get_status(call->msg) != SOUP_STATUS_SERVICE_UNAVAILABLE
        || call->tries == 0)
    {
        return FALSE;
    }

    value = soup_message_headers_get_one(
                soup_message_get_response_headers(call->msg), "Retry-After");

    if (value == NULL
        || !g_ascii_string_to_unsigned(value, 10, 1, TUNNEL_REST_WAIT_S, &n,
                                       NULL))
    {
        return FALSE;
    }

    *wait_s = (guint) n;

    return TRUE;
}


static const char *
tunnel_rest_cure(guint status, int *code)
{
    *code = TUNNEL_ERROR_REFUSED;

    switch (status) {

    case 401:
        return "is the API key right, and not expired?";

    case 403:
        return "the key needs devices:read, and tunnels:write and "
               "tunnels:use; commands:run to run commands";

    case 429:
        *code = TUNNEL_ERROR_BUSY;
        return "too much at once: try again in a while";

    case 404:
    case 410:
        *code = TUNNEL_ERROR_GONE;
        return NULL;

    case 409:
        *code = TUNNEL_ERROR_ABSENT;
        return NULL;

    case 301:
    case 302:
    case 307:
    case 308:
        *code = TUNNEL_ERROR_USAGE;
        return "it is somewhere else: name that URL as server";

    case 400:
    case 422:
        *code = TUNNEL_ERROR_USAGE;
        return NULL;

    default:
        *code = TUNNEL_ERROR_FAILED;
        return NULL;
    }
}


static GError *
tunnel_call_problem(const tunnel_call_t *call, const char *text, gsize len)
{
    int                   status;
    guint                 answered;
    const char           *code, *detail, *cure;
    g_autoptr(json_t)     obj = NULL;

    answered = soup_message_get_status(call->msg);
    cure = tunnel_rest_cure(answered, &status);

    obj = agent_json_load(text, len, TUNNEL_REST_ANSWER, NULL);
    code = agent_json_string(obj, "code", 64);
    detail = agent_json_string(obj, "detail", 1024);

    return g_error_new(TUNNEL_ERROR, status, "%s %s answered %u %s%s%s%s%s",
                       call->method, call->url, answered,
                       code ? code : soup_status_get_phrase(answered),
                       detail ? ": " : "", detail ? detail : "",
                       cure ? ": " : "", cure ? cure : "");
}


json_t *
tunnel_rest_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}


static void
tunnel_rest_waited(GObject *source, GAsyncResult *result, gpointer data)
{
    tunnel_wait_t  *wait = data;

    (void) source;

    wait->result = g_object_ref(result);
}


static gboolean
tunnel_rest_late(gpointer data)
{
    tunnel_wait_t  *wait = data;

    wait->late = TRUE;
    g_cancellable_cancel(wait->cancel);

    return G_SOURCE_REMOVE;
}


json_t *
tunnel_rest_wait(tunnel_rest_t *rest, const char *method, const char *path,
    json_t *body, guint limit_s, GError **error)
{
    guint          timer;
    json_t        *answer;
    tunnel_wait_t  wait;

    memset(&wait, 0, sizeof(wait));
    wait.cancel = g_cancellable_new();
    timer = g_timeout_add_seconds(limit_s, tunnel_rest_late, &wait);

    tunnel_rest_call(rest, method, path, body, wait.cancel,
                     tunnel_rest_waited, &wait);

    while (wait.result == NULL) {
        g_main_context_iteration(NULL, TRUE);
    }

    answer = tunnel_rest_finish(wait.result, error);

    if (wait.late) {

        if (answer == NULL) {
            g_clear_error(error);
            g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                        "%s %s%s: no answer within %u s", method,
                        rest->server, path, limit_s);
        }

    } else {
        g_source_remove(timer);
    }

    g_object_unref(wait.result);
    g_object_unref(wait.cancel);

    return answer;
}
