
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the order of the checks: name, TCP, HTTPS, WSS, and then STUN and TURN
 * with credentials that the gateway gives anybody (/check).  A step that
 * fails is said with its cure; what rests on it is left out.
 */

#define G_LOG_DOMAIN  "rs-check"

#include "agent_check.h"
#include "agent_json.h"
#include "agent_socket.h"

#include <stdio.h>
#include <string.h>


#define AGENT_CHECK_ANSWER  65536       /* bytes of the gateway's */
#define AGENT_CHECK_TCP_S   5


typedef struct {
    SoupSession      *soup;
    const char       *url;
    GUri             *uri;
    const char       *host;
    guint16           port;
    agent_probe_way_t way;
    GMainLoop        *loop;
    agent_socket_t   *socket;
    gboolean          heard;            /* the challenge came */
    char             *why;              /* it did not */
    GPtrArray        *checked;
} agent_check_t;


static gboolean agent_check_name(agent_check_t *check);
static gboolean agent_check_tcp(agent_check_t *check);
static gboolean agent_check_https(agent_check_t *check);
static gboolean agent_check_wss(agent_check_t *check);
static gboolean agent_check_relays(agent_check_t *check);
static agent_ice_t *agent_check_ice(agent_check_t *check, gboolean *off);
static json_t *agent_check_call(agent_check_t *check, const char *method,
    guint *status, GError **error);
static void agent_check_text(void *data, const char *text, gsize len);
static void agent_check_closed(void *data, guint code, guint retry_s,
    const char *why);
static void agent_check_done(void *data, GPtrArray *checked);
G_GNUC_PRINTF(3, 4)
static void agent_check_line(gboolean ok, const char *what,
    const char *format, ...);
static void agent_check_say_cure(const char *cure);


static const agent_socket_events_t  agent_check_socket_events = {
    agent_check_text,
    agent_check_closed
};


int
agent_check(SoupSession *soup, GTlsDatabase *tls, GProxyResolver *proxy,
    const char *url)
{
    gboolean       ok;
    agent_check_t  check;

    memset(&check, 0, sizeof(check));
    check.soup = soup;
    check.url = url;
    check.way.tls = tls;
    check.way.proxy = proxy;
    check.uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
    check.host = g_uri_get_host(check.uri);
    check.port = (guint16) (g_uri_get_port(check.uri) > 0
                            ? g_uri_get_port(check.uri) : 443);
    check.loop = g_main_loop_new(NULL, FALSE);

    /* behind a proxy it is the proxy that knows names and reaches hosts */

    ok = (proxy != NULL || agent_check_name(&check))
         && agent_check_tcp(&check) && agent_check_https(&check)
         && agent_check_wss(&check);

    ok = ok && agent_check_relays(&check);

    g_main_loop_unref(check.loop);
    g_uri_unref(check.uri);
    g_free(check.why);

    return ok ? 0 : 1;
}


static void
agent_check_line(gboolean ok, const char *what, const char *format, ...)
{
    va_list           args;
    g_autofree char  *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);

    printf("%-5s %-9s %s\n", ok ? "ok" : "FAIL", what, text);
    fflush(stdout);
}


static void
agent_check_say_cure(const char *cure)
{
    printf("                -> %s\n", cure);
    fflush(stdout);
}


static gboolean
agent_check_name(agent_check_t *check)
{
    GList                   *list, *l;
    g_autoptr(GError)        error = NULL;
    g_autoptr(GString)       text = g_string_new(NULL);
    g_autoptr(GResolver)     resolver = g_resolver_get_default();

    list = g_resolver_lookup_by_name(resolver, check->host, NULL, &error);

    if (list == NULL) {
        agent_check_line(FALSE, "DNS", "%s: %s", check->host,
                         error->message);
        agent_check_say_cure("check the name in \"server\", and this "
                             "machine's DNS");
        return FALSE;
    }

    for (l = list; l != NULL; l = l->next) {
        g_autofree char  *address = g_inet_address_to_string(l->data);

        g_string_append_printf(text, "%s%s", l == list ? "" : ", ", address);
    }

    g_resolver_free_addresses(list);
    agent_check_line(TRUE, "DNS", "%s is %s", check->host, text->str);

    return TRUE;
}


static gboolean
agent_check_tcp(agent_check_t *check)
{
    g_autofree char                *cure = NULL;
    g_autoptr(GError)               error = NULL;
    g_autoptr(GSocketClient)        client = g_socket_client_new();
    g_autoptr(GSocketConnection)    c = NULL;
    g_autoptr(GSocketConnectable)   target = NULL;

    target = g_network_address_new(check->host, check->port);
    g_socket_client_set_timeout(client, AGENT_CHECK_TCP_S);
    g_socket_client_set_enable_proxy(client, check->way.proxy != NULL);

    if (check->way.proxy != NULL) {
        g_socket_client_set_proxy_resolver(client, check->way.proxy);
    }

    c = g_socket_client_connect(client, target, NULL, &error);

    if (c == NULL) {
        agent_check_line(FALSE, "TCP", "%s port %u: %s", check->host,
                         check->port, error->message);
        cure = g_strdup_printf("let TCP to %s port %u out of this network%s",
                               check->host, check->port,
                               check->way.proxy ? ", and look at the proxy"
                                                : ", or name its proxy");
        agent_check_say_cure(cure);
        return FALSE;
    }

    agent_check_line(TRUE, "TCP", "%s port %u%s", check->host, check->port,
                     check->way.proxy ? " through the proxy" : "");

    return TRUE;
}


/* NULL: no answer came, *error; else an object, which may be of a problem */

static json_t *
agent_check_call(agent_check_t *check, const char *method, guint *status,
    GError **error)
{
    gsize                      len;
    json_t                    *obj;
    g_autofree char           *url = NULL;
    g_autofree char           *text = NULL;
    g_autoptr(SoupMessage)     msg = NULL;
    g_autoptr(GInputStream)    in = NULL;

    url = g_strconcat(check->url, "/check", NULL);
    msg = soup_message_new(method, url);
    soup_message_add_flags(msg, SOUP_MESSAGE_NO_REDIRECT);

    in = soup_session_send(check->soup, msg, NULL, error);
    if (in == NULL) {
        return NULL;
    }

    text = g_malloc(AGENT_CHECK_ANSWER);

    if (!g_input_stream_read_all(in, text, AGENT_CHECK_ANSWER, &len, NULL,
                                 error))
    {
        return NULL;
    }

    *status = soup_message_get_status(msg);
    obj = agent_json_load(text, len, AGENT_CHECK_ANSWER, NULL);

    return obj ? obj : json_object();
}


static gboolean
agent_check_https(agent_check_t *check)
{
    guint                status;
    const char          *address;
    g_autoptr(json_t)    obj = NULL;
    g_autoptr(GError)    error = NULL;

    obj = agent_check_call(check, "GET", &status, &error);

    if (obj == NULL) {
        agent_check_line(FALSE, "HTTPS", "%s", error->message);
        agent_check_say_cure(error->domain == G_TLS_ERROR
            ? "the certificate is not for that name, not of a CA known here "
              "(ca_file), or something on the way takes TLS apart"
            : "something between here and the gateway ends the connection");
        return FALSE;
    }

    if (status != SOUP_STATUS_OK
        && g_strcmp0(agent_json_string(obj, "code", 64), "not_found") != 0)
    {
        agent_check_line(FALSE, "HTTPS", "%s/check answers %u", check->url,
                         status);
        agent_check_say_cure("is this the gateway's base URL?  It ends in "
                             "/rs/v1 as a rule");
        return FALSE;
    }

    address = agent_json_string(obj, "address", 64);
    agent_check_line(TRUE, "HTTPS", "%s%s", check->url,
                     address ? ", which sees this machine as" : "");

    if (address != NULL) {
        printf("                %s\n", address);
    }

    return TRUE;
}


static gboolean
agent_check_wss(agent_check_t *check)
{
    g_autofree char  *url = NULL;

    static const char *const  protocols[] = { "rs.v1", NULL };

    url = g_strconcat("wss", check->url + strlen("https"), "/agent", NULL);
    check->socket = agent_socket_new(check->soup, url, protocols,
                                     &agent_check_socket_events, check);
    g_main_loop_run(check->loop);
    g_clear_pointer(&check->socket, agent_socket_free);

    if (check->heard) {
        agent_check_line(TRUE, "WSS", "the gateway speaks");
        return TRUE;
    }

    agent_check_line(FALSE, "WSS", "%s", check->why);
    agent_check_say_cure("a proxy or firewall on the way does not pass "
                         "WebSockets (Upgrade) on");

    return FALSE;
}


static void
agent_check_text(void *data, const char *text, gsize len)
{
    agent_check_t  *check = data;

    (void) text;
    (void) len;

    check->heard = TRUE;
    g_main_loop_quit(check->loop);
}


static void
agent_check_closed(void *data, guint code, guint retry_s, const char *why)
{
    agent_check_t  *check = data;

    (void) code;
    (void) retry_s;

    if (!check->heard && check->why == NULL) {
        check->why = g_strdup(why);
    }

    g_main_loop_quit(check->loop);
}


/* NULL: a line says why; off: the gateway gives none out, which is no fault */

static agent_ice_t *
agent_check_ice(agent_check_t *check, gboolean *off)
{
    guint                status;
    agent_ice_t         *ice;
    const char          *detail;
    g_autoptr(json_t)    obj = NULL;
    g_autoptr(GError)    error = NULL;

    *off = FALSE;
    obj = agent_check_call(check, "POST", &status, &error);

    if (obj == NULL) {
        agent_check_line(FALSE, "TURN", "%s", error->message);
        return NULL;
    }

    if (status == SOUP_STATUS_NOT_FOUND) {
        printf("skip  TURN      the gateway gives out nothing to check with "
               "(rs_check_rate)\n");
        *off = TRUE;
        return NULL;
    }

    if (status != SOUP_STATUS_OK) {
        detail = agent_json_string(obj, "detail", 1024);
        agent_check_line(FALSE, "TURN", "the gateway answers %u%s%s", status,
                         detail ? ": " : "", detail ? detail : "");
        agent_check_say_cure("try again in a minute");
        return NULL;
    }

    ice = agent_ice_parse(obj, g_get_monotonic_time(), &error);

    if (ice == NULL) {
        agent_check_line(FALSE, "TURN", "%s", error->message);
    }

    return ice;
}


static gboolean
agent_check_relays(agent_check_t *check)
{
    guint                    i;
    gboolean                 off, works;
    agent_checks_t          *checks;
    g_autofree char         *verdict = NULL;
    g_autofree char         *what = NULL;
    g_autoptr(agent_ice_t)   ice = NULL;

    ice = agent_check_ice(check, &off);

    if (ice == NULL) {
        return off;
    }

    checks = agent_checks_new(ice, &check->way, agent_check_done, check);
    g_main_loop_run(check->loop);
    agent_checks_free(checks);

    for (i = 0; i < check->checked->len; i++) {
        agent_checked_t  *one = g_ptr_array_index(check->checked, i);

        g_free(what);
        what = one->binding ? g_strdup("STUN")
               : g_strdup_printf("TURN/%s",
                                 one->proto == AGENT_PROTO_UDP ? "UDP"
                                 : one->proto == AGENT_PROTO_TCP ? "TCP"
                                                                 : "TLS");

        if (one->probe.result == AGENT_PROBE_OK) {
            agent_check_line(TRUE, what, "%s, %d ms%s%s", one->url,
                             one->probe.ms,
                             one->probe.seen[0] ? ", sees " : "",
                             one->probe.seen);
            continue;
        }

        agent_check_line(FALSE, what, "%s: %s", one->url,
                         one->probe.detail ? one->probe.detail
                                           : "nothing came back");
        agent_check_say_cure(agent_check_cure(one));
    }

    verdict = agent_check_verdict(check->checked, &works);
    works = works || ice->turn->len == 0;
    printf("\n%s\n", verdict);

    g_clear_pointer(&check->checked, g_ptr_array_unref);

    return works;
}


static void
agent_check_done(void *data, GPtrArray *checked)
{
    agent_check_t  *check = data;

    check->checked = checked;
    g_main_loop_quit(check->loop);
}
