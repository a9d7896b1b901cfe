
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the grammar of STUN and TURN URLs (RFC 7064, RFC 7065) and what
 * libnice makes of them.
 */

#define G_LOG_DOMAIN  "rs-ice"

#include "agent_ice.h"

#include <string.h>


#define AGENT_ICE_URL       512     /* bytes */
#define AGENT_ICE_SECRET    512
#define AGENT_ICE_MARGIN_S  30
#define AGENT_ICE_NEAR_MS   10      /* nobody feels less */


typedef struct {
    const char     *scheme;
    guint16         port;           /* default */
    gboolean        turn;
    agent_proto_e   proto;          /* default */
} agent_ice_scheme_t;


static void agent_turn_free(void *data);
static gboolean agent_ice_url(const char *url, agent_turn_t *out,
    gboolean *is_turn);
static gboolean agent_ice_transport(const char *query, agent_turn_t *out);
static gboolean agent_ice_host_port(const char *s, gsize len,
    agent_turn_t *out);
static void agent_ice_add(agent_ice_t *ice, const char *url,
    const json_t *server);
static gint agent_ice_compare(gconstpointer a, gconstpointer b);


static const agent_ice_scheme_t  agent_ice_schemes[] = {
    { "stun:", 3478, FALSE, AGENT_PROTO_UDP },
    { "turn:", 3478, TRUE, AGENT_PROTO_UDP },
    { "turns:", 5349, TRUE, AGENT_PROTO_TLS }
};


static void
agent_turn_free(void *data)
{
    agent_turn_t  *turn = data;

    g_free(turn->host);
    g_free(turn->username);
    g_free(turn->credential);
    g_free(turn->region);
    g_free(turn->address);
    g_free(turn);
}


void
agent_ice_free(agent_ice_t *ice)
{
    g_free(ice->stun);
    g_ptr_array_unref(ice->turn);
    g_free(ice);
}


/* host, host:port, [v6], [v6]:port; out->port keeps its default */

static gboolean
agent_ice_host_port(const char *s, gsize len, agent_turn_t *out)
{
    guint64            port;
    const char        *colon, *end;
    g_autofree char   *text = NULL;
    g_autofree char   *host = NULL;

    text = g_strndup(s, len);

    if (text[0] == '[') {
        end = strchr(text, ']');

        if (end == NULL) {
            return FALSE;
        }

        host = g_strndup(text + 1, end - text - 1);
        colon = end + 1;

        if (!g_hostname_is_ip_address(host)) {
            return FALSE;
        }

    } else {
        colon = strchr(text, ':');

        if (colon == NULL) {
            colon = text + strlen(text);
        }

        host = g_strndup(text, colon - text);
    }

    if (host[0] == '\0' || strlen(host) > 253
        || strpbrk(host, "/?#@% \t\r\n\\\"") != NULL)
    {
        return FALSE;
    }

    if (*colon == ':') {

        if (!g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port,
                                        NULL))
        {
            return FALSE;
        }

        out->port = (guint16) port;

    } else if (*colon != '\0') {
        return FALSE;
    }

    out->host = g_steal_pointer(&host);

    return TRUE;
}


static gboolean
agent_ice_transport(const char *query, agent_turn_t *out)
{
    if (strcmp(query, "?transport=tcp") == 0) {

        /* TURN over TLS is always over TCP here */

        if (out->proto == AGENT_PROTO_UDP) {
            out->proto = AGENT_PROTO_TCP;
        }

        return TRUE;
    }

    return strcmp(query, "?transport=udp") == 0
           && out->proto == AGENT_PROTO_UDP;
}


static gboolean
agent_ice_url(const char *url, agent_turn_t *out, gboolean *is_turn)
{
    gsize        i, len;
    const char  *rest, *query;

    for (i = 0; i < G_N_ELEMENTS(agent_ice_schemes); i++) {

        if (!g_str_has_prefix(url, agent_ice_schemes[i].scheme)) {
            continue;
        }

        rest = url + strlen(agent_ice_schemes[i].scheme);
        query = strchr(rest, '?');
        len = (query != NULL) ? (gsize) (query - rest) : strlen(rest);

        out->port = agent_ice_schemes[i].port;
        out->proto = agent_ice_schemes[i].proto;
        *is_turn = agent_ice_schemes[i].turn;

        if (query != NULL && !(*is_turn && agent_ice_transport(query, out))) {
            return FALSE;
        }

        return agent_ice_host_port(rest, len, out);
    }

    return FALSE;
}


static void
agent_ice_add(agent_ice_t *ice, const char *url, const json_t *server)
{
    gboolean       is_turn;
    const char    *username, *credential;
    agent_turn_t  *turn;

    username = agent_json_string(server, "username", AGENT_ICE_SECRET);
    credential = agent_json_string(server, "credential", AGENT_ICE_SECRET);

    turn = g_new0(agent_turn_t, 1);
    turn->rtt_ms = -1;

    if (!agent_ice_url(url, turn, &is_turn)) {
        g_info("ICE server \"%s\" is not usable here and left out", url);
        agent_turn_free(turn);
        return;
    }

    if (!is_turn) {

        if (ice->stun == NULL) {
            ice->stun = g_strdup_printf(strchr(turn->host, ':') != NULL
                                        ? "stun://[%s]:%u" : "stun://%s:%u",
                                        turn->host, turn->port);
        }

        agent_turn_free(turn);
        return;
    }

    if (username == NULL || credential == NULL) {
        g_info("TURN server \"%s\" came without credentials and is left out",
               url);
        agent_turn_free(turn);
        return;
    }

    turn->username = g_strdup(username);
    turn->credential = g_strdup(credential);
    turn->region = g_strdup(agent_json_string(server, "region",
                                              AGENT_ICE_REGION - 1));
    g_ptr_array_add(ice->turn, turn);
}


agent_ice_t *
agent_ice_parse(const json_t *obj, gint64 now_us, GError **error)
{
    gint64                   ttl;
    gsize                    i, j, n;
    json_t                  *servers, *server, *urls;
    const char              *policy;
    g_autoptr(agent_ice_t)   ice = NULL;

    ice = g_new0(agent_ice_t, 1);
    ice->turn = g_ptr_array_new_with_free_func(agent_turn_free);
    ice->taken_us = now_us;

    servers = agent_json_array(obj, "iceServers", AGENT_ICE_SERVERS);
    policy = agent_json_string(obj, "iceTransportPolicy", 16);

    if (servers == NULL
        || policy == NULL
        || (strcmp(policy, "all") != 0 && strcmp(policy, "relay") != 0)
        || !agent_json_int(obj, "ttl_s", 1, G_MAXINT32, &ttl))
    {
        g_set_error(error, AGENT_JSON_ERROR, 0,
                    "ICE configuration with a missing or invalid "
                    "iceServers, iceTransportPolicy or ttl_s");
        return NULL;
    }

    ice->relay_only = (strcmp(policy, "relay") == 0);
    ice->ttl_s = (guint) ttl;
    n = 0;

    for (i = 0; i < json_array_size(servers); i++) {
        server = json_array_get(servers, i);
        urls = agent_json_array(server, "urls", AGENT_ICE_SERVERS);

        if (urls == NULL) {
            g_set_error(error, AGENT_JSON_ERROR, 0,
                        "an ICE server without urls, or with more than %d",
                        AGENT_ICE_SERVERS);
            return NULL;
        }

        for (j = 0; j < json_array_size(urls); j++) {
            json_t  *url = json_array_get(urls, j);

            if (!json_is_string(url)
                || json_string_length(url) > AGENT_ICE_URL
                || ++n > AGENT_ICE_SERVERS)
            {
                g_set_error(error, AGENT_JSON_ERROR, 0,
                            "ICE configuration with an invalid URL, or with "
                            "more than %d", AGENT_ICE_SERVERS);
                return NULL;
            }

            agent_ice_add(ice, json_string_value(url), server);
        }
    }

    return g_steal_pointer(&ice);
}


gboolean
agent_ice_stale(const agent_ice_t *ice, gint64 now_us)
{
    gint64  left_s;

    left_s = ice->ttl_s - (now_us - ice->taken_us) / G_USEC_PER_SEC;

    return ice->turn->len > 0 && left_s < AGENT_ICE_MARGIN_S;
}


/* what did not answer is farthest */

static gint
agent_ice_compare(gconstpointer a, gconstpointer b)
{
    guint                near, far;
    const agent_turn_t  *x = *(const agent_turn_t *const *) a;
    const agent_turn_t  *y = *(const agent_turn_t *const *) b;

    near = (x->rtt_ms < 0) ? G_MAXUINT : (guint) x->rtt_ms / AGENT_ICE_NEAR_MS;
    far = (y->rtt_ms < 0) ? G_MAXUINT : (guint) y->rtt_ms / AGENT_ICE_NEAR_MS;

    return (near > far) - (near < far);
}


void
agent_ice_order(agent_ice_t *ice)
{
    guint                i, hosts;
    const agent_turn_t  *turn, *before;

    /* stable, so what is as near keeps its place: hosts stay together */

    g_ptr_array_sort(ice->turn, agent_ice_compare);

    hosts = 0;
    before = NULL;

    for (i = 0; i < ice->turn->len; i++) {
        turn = g_ptr_array_index(ice->turn, i);

        if (before == NULL && turn->rtt_ms < 0) {
            return;
        }

        if ((before == NULL || strcmp(before->host, turn->host) != 0)
            && hosts++ == AGENT_ICE_NEAREST)
        {
            break;
        }

        before = turn;
    }

    g_ptr_array_set_size(ice->turn, (gint) i);
}


void
agent_ice_region(const agent_ice_t *ice, agent_path_t *path)
{
    guint                i;
    const char          *region;
    const agent_turn_t  *turn;

    region = NULL;
    path->region[0] = '\0';

    if (strcmp(path->local, "relay") != 0) {
        return;
    }

    for (i = 0; i < ice->turn->len; i++) {
        turn = g_ptr_array_index(ice->turn, i);

        if (turn->proto != path->protocol
            || (turn->address != NULL && path->server[0] != '\0'
                && strcmp(turn->address, path->server) != 0))
        {
            continue;
        }

        if (turn->region == NULL
            || (region != NULL && strcmp(region, turn->region) != 0))
        {
            return;
        }

        region = turn->region;
    }

    if (region != NULL) {
        g_strlcpy(path->region, region, sizeof(path->region));
    }
}


char *
agent_ice_turn_uri(const agent_turn_t *turn, const char *host, guint16 port)
{
    g_autofree char  *user = NULL;
    g_autofree char  *password = NULL;

    /* ':' parts user from password, base64 holds '/' and '+' */

    user = g_uri_escape_string(turn->username, NULL, FALSE);
    password = g_uri_escape_string(turn->credential, NULL, FALSE);

    if (host == NULL) {
        host = turn->host;
        port = turn->port;
    }

    return g_strdup_printf(strchr(host, ':') != NULL
                           ? "turn://%s:%s@[%s]:%u?transport=%s"
                           : "turn://%s:%s@%s:%u?transport=%s",
                           user, password, host, port,
                           turn->proto == AGENT_PROTO_UDP ? "udp" : "tcp");
}


gboolean
agent_ice_stun(const agent_ice_t *ice, char **host, guint16 *port)
{
    agent_turn_t   server;
    const char    *rest;

    if (ice->stun == NULL) {
        return FALSE;
    }

    memset(&server, 0, sizeof(server));
    rest = ice->stun + strlen("stun://");

    if (!agent_ice_host_port(rest, strlen(rest), &server)) {
        return FALSE;
    }

    *host = server.host;
    *port = server.port;

    return TRUE;
}


const char *
agent_proto_name(agent_proto_e proto)
{
    static const char *const  names[] = { "udp", "tcp", "tls" };

    return names[proto];
}


void
agent_path_set(agent_path_t *path, const char *local, const char *remote,
    agent_proto_e relay_proto, int rtt_ms)
{
    gboolean  local_relay;

    local_relay = (strcmp(local, "relay") == 0);

    path->pipe = FALSE;
    path->relay = local_relay || strcmp(remote, "relay") == 0;
    path->protocol = local_relay ? relay_proto : AGENT_PROTO_UDP;
    path->rtt_ms = rtt_ms;
    path->server[0] = '\0';
    path->region[0] = '\0';

    g_strlcpy(path->local, local, sizeof(path->local));
    g_strlcpy(path->remote, remote, sizeof(path->remote));
}


void
agent_path_pipe(agent_path_t *path, gboolean tls, int rtt_ms)
{
    agent_path_set(path, "", "", AGENT_PROTO_UDP, rtt_ms);
    path->pipe = TRUE;
    path->protocol = tls ? AGENT_PROTO_TLS : AGENT_PROTO_TCP;
}


const char *
agent_path_kind(const agent_path_t *path)
{
    return path->pipe ? "pipe" : path->relay ? "relay" : "direct";
}


gboolean
agent_path_same(const agent_path_t *a, const agent_path_t *b)
{
    return a->pipe == b->pipe
           && a->relay == b->relay
           && a->protocol == b->protocol
           && strcmp(a->local, b->local) == 0
           && strcmp(a->remote, b->remote) == 0
           && strcmp(a->server, b->server) == 0;
}
