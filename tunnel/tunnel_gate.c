
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the names and fields of the REST calls.  What an answer holds is taken
 * only where it has the form that protocol gives it.
 */

#define G_LOG_DOMAIN  "rs-gate"

#include "tunnel_gate.h"
#include "tunnel_error.h"
#include "agent_json.h"

#include <string.h>


#define TUNNEL_GATE_LIMIT_S   30
#define TUNNEL_GATE_CLOSE_S   3
#define TUNNEL_GATE_PAGES     500       /* of devices: a hundred thousand */
#define TUNNEL_GATE_SAME      4         /* ids of one name that are told */
#define TUNNEL_GATE_ID        30        /* bytes: prefix, 26 characters */
#define TUNNEL_GATE_NAME      512
#define TUNNEL_GATE_TICKET    256
#define TUNNEL_GATE_ADDRESS   64


struct tunnel_gate_s {
    tunnel_rest_t  *rest;
    char           *id;
    char           *url;
    char           *host;           /* as in a URL, without the port */
    guint           ttl_s;
};


static gboolean tunnel_gate_is_id(const char *text, const char *prefix);
static tunnel_device_t *tunnel_device_new(json_t *obj);
static json_t *tunnel_device_page(tunnel_rest_t *rest, const char *cursor,
    GError **error);
static void tunnel_device_match(json_t *page, const char *name,
    GPtrArray *found);
static json_t *tunnel_gate_body(const tunnel_config_t *config,
    const tunnel_wish_t *wish);
static char *tunnel_gate_host(const char *server);


static gboolean
tunnel_gate_is_id(const char *text, const char *prefix)
{
    gsize  len;

    if (text == NULL) {
        return FALSE;
    }

    len = strlen(prefix);

    return strncmp(text, prefix, len) == 0
           && strlen(text + len) == 26
           && text[len + strspn(text + len, G_CSET_a_2_z "234567")] == '\0';
}


static tunnel_device_t *
tunnel_device_new(json_t *obj)
{
    const char        *id, *name;
    tunnel_device_t   *device;

    id = agent_json_string(obj, "id", TUNNEL_GATE_ID);

    if (!tunnel_gate_is_id(id, "dev_")) {
        return NULL;
    }

    name = agent_json_string(obj, "name", TUNNEL_GATE_NAME);

    device = g_new0(tunnel_device_t, 1);
    device->id = g_strdup(id);
    device->name = g_strdup((name != NULL) ? name : id);
    (void) agent_json_bool(obj, "online", &device->online);

    return device;
}


void
tunnel_device_free(tunnel_device_t *device)
{
    g_free(device->id);
    g_free(device->name);
    g_free(device);
}


static json_t *
tunnel_device_page(tunnel_rest_t *rest, const char *cursor, GError **error)
{
    g_autofree char  *path = NULL;
    g_autofree char  *escaped = NULL;

    if (cursor == NULL) {
        return tunnel_rest_wait(rest, "GET", "/devices?limit=200", NULL,
                                TUNNEL_GATE_LIMIT_S, error);
    }

    escaped = g_uri_escape_string(cursor, NULL, FALSE);
    path = g_strconcat("/devices?limit=200&cursor=", escaped, NULL);

    return tunnel_rest_wait(rest, "GET", path, NULL, TUNNEL_GATE_LIMIT_S,
                            error);
}


static void
tunnel_device_match(json_t *page, const char *name, GPtrArray *found)
{
    gsize             i;
    json_t           *items;
    tunnel_device_t  *device;

    items = agent_json_array(page, "items", 1000);

    for (i = 0; items != NULL && i < json_array_size(items); i++) {
        device = tunnel_device_new(json_array_get(items, i));

        if (device == NULL) {
            continue;
        }

        if (strcmp(device->name, name) == 0
            && found->len < TUNNEL_GATE_SAME)
        {
            g_ptr_array_add(found, device);

        } else {
            tunnel_device_free(device);
        }
    }
}


static tunnel_device_t *
tunnel_device_only(GPtrArray *found, const char *name, GError **error)
{
    guint                 i;
    g_autoptr(GString)    ids = g_string_new(NULL);

    if (found->len == 1) {
        return g_ptr_array_steal_index(found, 0);
    }

    if (found->len == 0) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_ABSENT,
                    "no device is called \"%s\", or the key may not see it: "
                    "the console has names and ids", name);
        return NULL;
    }

    for (i = 0; i < found->len; i++) {
        g_string_append_printf(ids, "%s%s", i > 0 ? ", " : "",
                           ((tunnel_device_t *) found->pdata[i])->id);
    }

    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_ABSENT,
                "several devices are called \"%s\": name one by its id: %s%s",
                name, ids->str,
                found->len == TUNNEL_GATE_SAME ? ", ..." : "");

    return NULL;
}


tunnel_device_t *
tunnel_device_find(tunnel_rest_t *rest, const char *word, GError **error)
{
    guint                  pages;
    tunnel_device_t       *device;
    g_autofree char       *cursor = NULL;
    g_autofree char       *path = NULL;
    g_autoptr(json_t)      answer = NULL;
    g_autoptr(GPtrArray)   found = NULL;

    found = g_ptr_array_new_with_free_func(
                                       (GDestroyNotify) tunnel_device_free);

    if (tunnel_gate_is_id(word, "dev_")) {
        path = g_strconcat("/devices/", word, NULL);
        answer = tunnel_rest_wait(rest, "GET", path, NULL,
                                  TUNNEL_GATE_LIMIT_S, error);
        if (answer == NULL) {
            return NULL;
        }

        device = tunnel_device_new(answer);

        if (device == NULL) {
            g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                        "the gateway's answer about %s is no device", word);
        }

        return device;
    }

    for (pages = 0; pages < TUNNEL_GATE_PAGES; pages++) {
        g_clear_pointer(&answer, json_decref);
        answer = tunnel_device_page(rest, cursor, error);

        if (answer == NULL) {
            return NULL;
        }

        tunnel_device_match(answer, word, found);

        g_free(cursor);
        cursor = g_strdup(agent_json_string(answer, "next_cursor", 512));

        if (cursor == NULL) {
            break;
        }
    }

    return tunnel_device_only(found, word, error);
}


gboolean
tunnel_device_here(const tunnel_device_t *device, GError **error)
{
    if (device->online) {
        return TRUE;
    }

    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_ABSENT,
                "device \"%s\" (%s) is offline: is it switched on, and "
                "rs-agent running?", device->name, device->id);

    return FALSE;
}


static json_t *
tunnel_gate_body(const tunnel_config_t *config, const tunnel_wish_t *wish)
{
    json_t  *body;

    body = json_pack("{s:s, s:s}", "target", wish->target, "protocol",
                     wish->datagrams ? "udp" : "tcp");
    if (body == NULL) {
        g_error("a target that is not UTF-8");
    }

    if (config->idle_s > 0) {
        json_object_set_new(body, "idle_s", json_integer(config->idle_s));
    }

    if (config->ttl_s > 0) {
        json_object_set_new(body, "ttl_s", json_integer(config->ttl_s));
    }

    if (wish->label != NULL) {
        json_object_set_new(body, "label", json_string(wish->label));
    }

    if (wish->port) {
        json_object_set_new(body, "port", json_true());
    }

    return body;
}


static char *
tunnel_gate_host(const char *server)
{
    const char          *host;
    g_autoptr(GUri)      uri = NULL;

    uri = g_uri_parse(server, G_URI_FLAGS_NONE, NULL);
    host = (uri != NULL) ? g_uri_get_host(uri) : NULL;

    if (host == NULL) {
        g_error("a server that is no URL");       /* the configuration's */
    }

    return strchr(host, ':') ? g_strconcat("[", host, "]", NULL)
                             : g_strdup(host);
}


tunnel_gate_t *
tunnel_gate_open(tunnel_rest_t *rest, const tunnel_config_t *config,
    const tunnel_device_t *device, const tunnel_wish_t *wish, GError **error)
{
    gint64               expires_at, now;
    const char          *id;
    tunnel_gate_t       *gate;
    g_autofree char     *path = NULL;
    g_autoptr(json_t)    answer = NULL;

    path = g_strdup_printf("/devices/%s/tunnels", device->id);

    answer = tunnel_rest_wait(rest, "POST", path,
                              tunnel_gate_body(config, wish),
                              TUNNEL_GATE_LIMIT_S, error);
    if (answer == NULL) {
        return NULL;
    }

    id = agent_json_string(answer, "id", TUNNEL_GATE_ID);

    if (!tunnel_gate_is_id(id, "tun_")) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "the gateway made a tunnel and did not say its id");
        return NULL;
    }

    gate = g_new0(tunnel_gate_t, 1);
    gate->rest = rest;
    gate->id = g_strdup(id);
    gate->url = g_strconcat("wss", config->server + strlen("https"), "/pipe",
                            NULL);
    gate->host = tunnel_gate_host(config->server);

    /* of a clock that is not ours: what is wrong with it is not longer */

    now = g_get_real_time() / G_USEC_PER_SEC;

    if (agent_json_int(answer, "expires_at", now + 1, now + 30 * 86400,
                       &expires_at))
    {
        gate->ttl_s = (guint) (expires_at - now);
    }

    return gate;
}


char *
tunnel_gate_port(tunnel_gate_t *gate, char **address, GError **error)
{
    gint64               port;
    const char          *from;
    g_autofree char     *path = NULL;
    g_autoptr(json_t)    answer = NULL;

    path = g_strconcat("/tunnels/", gate->id, "/port", NULL);

    answer = tunnel_rest_wait(gate->rest, "POST", path, json_object(),
                              TUNNEL_GATE_LIMIT_S, error);
    if (answer == NULL) {
        return NULL;
    }

    from = agent_json_string(answer, "address", TUNNEL_GATE_ADDRESS);

    if (from == NULL || !agent_json_int(answer, "port", 1, 65535, &port)) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "the gateway did not say which port tunnel %s has, or "
                    "for whom", gate->id);
        return NULL;
    }

    *address = g_strdup(from);

    return g_strdup_printf("%s:%d", gate->host, (int) port);
}


void
tunnel_gate_close(tunnel_gate_t *gate)
{
    json_t              *answer;
    g_autofree char     *path = NULL;
    g_autoptr(GError)    error = NULL;

    path = g_strconcat("/tunnels/", gate->id, NULL);
    answer = tunnel_rest_wait(gate->rest, "DELETE", path, NULL,
                              TUNNEL_GATE_CLOSE_S, &error);

    if (answer != NULL) {
        json_decref(answer);

    } else if (!g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_GONE)) {
        g_warning("tunnel %s may go on until its time is over: %s", gate->id,
                  error->message);
    }

    g_free(gate->id);
    g_free(gate->url);
    g_free(gate->host);
    g_free(gate);
}


const char *
tunnel_gate_id(const tunnel_gate_t *gate)
{
    return gate->id;
}


guint
tunnel_gate_ttl(const tunnel_gate_t *gate)
{
    return gate->ttl_s;
}


void
tunnel_gate_socket(const tunnel_gate_t *gate, const char **url,
    GTlsDatabase **tls, GProxyResolver **proxy)
{
    *url = gate->url;
    *tls = tunnel_rest_tls(gate->rest);
    *proxy = tunnel_rest_proxy(gate->rest);
}


void
tunnel_gate_pipe(tunnel_gate_t *gate, GCancellable *cancel,
    GAsyncReadyCallback done, gpointer data)
{
    g_autofree char  *path = NULL;

    path = g_strdup_printf("/tunnels/%s/pipes", gate->id);
    tunnel_rest_call(gate->rest, "POST", path, json_object(), cancel, done,
                     data);
}


char *
tunnel_gate_pipe_finish(GAsyncResult *result, char **id, GError **error)
{
    g_autoptr(json_t)  answer = tunnel_rest_finish(result, error);

    return (answer != NULL) ? tunnel_gate_ticket(answer, id, error) : NULL;
}


char *
tunnel_gate_ticket(json_t *answer, char **id, GError **error)
{
    const char  *pipe, *ticket;

    pipe = agent_json_string(answer, "pipe_id", TUNNEL_GATE_ID);
    ticket = agent_json_string(answer, "ticket", TUNNEL_GATE_TICKET);

    /* it becomes a subprotocol: a token of RFC 9110 */

    if (!tunnel_gate_is_id(pipe, "pip_") || ticket == NULL
        || ticket[0] == '\0'
        || ticket[strspn(ticket, G_CSET_a_2_z G_CSET_DIGITS "-.")] != '\0')
    {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED,
                    "the gateway made a pipe and did not say its ticket");
        return NULL;
    }

    *id = g_strdup(pipe);

    return g_strdup(ticket);
}
