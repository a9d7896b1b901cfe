
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * REST: what is sent, what becomes of each kind of answer; devices by id and
 * by name; a tunnel from its beginning to its end.
 */

#include "tunnel_error.h"
#include "tunnel_gate.h"
#include "agent_json.h"
#include "../../agent/t/tap.h"
#include "fake_gateway.h"


#define DEV_A  "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DEV_B  "dev_bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TUN    "tun_cccccccccccccccccccccccccc"
#define PIP    "pip_dddddddddddddddddddddddddd"


typedef struct {
    gint        asked;
    guint       status;             /* of /fixed */
    const char *text;
    const char *after;              /* Retry-After */
    gint        busy;               /* so many 503 before it */
    const char *port;               /* of /port */
    char       *said;               /* the last request: method, path, body */
    char       *bearer;
    char       *tenant;
} script_t;


static script_t  script;


static void
devices(SoupServerMessage *msg, GHashTable *query)
{
    const char  *cursor;

    cursor = (query != NULL) ? g_hash_table_lookup(query, "cursor") : NULL;

    if (cursor == NULL) {
        fake_json(msg, 200, "{\"items\":[{\"id\":\"" DEV_A "\",\"name\":"
                  "\"desk\",\"online\":true},{\"id\":\"x\",\"name\":"
                  "\"desk\"},{\"id\":\"" DEV_B "\",\"name\":\"twin\"}],"
                  "\"next_cursor\":\"a&b=c\"}");

    } else if (strcmp(cursor, "a&b=c") == 0) {
        fake_json(msg, 200, "{\"items\":[{\"id\":\"" DEV_A "\",\"name\":"
                  "\"twin\"},{\"id\":\"" DEV_B "\",\"name\":\"far\"}],"
                  "\"next_cursor\":null}");

    } else {
        fake_json(msg, 400, "{}");
    }
}


static void
on_request(SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
    SoupMessageBody      *body;
    SoupMessageHeaders   *headers;
    g_autofree char      *text = NULL;

    (void) server;
    (void) data;

    headers = soup_server_message_get_request_headers(msg);
    body = soup_server_message_get_request_body(msg);

    g_free(script.said);
    g_free(script.bearer);
    g_free(script.tenant);

    script.said = g_strdup_printf("%s %s %.*s",
                                  soup_server_message_get_method(msg), path,
                                  (int) body->length, body->data);
    script.bearer = g_strdup(soup_message_headers_get_one(headers,
                                                          "Authorization"));
    script.tenant = g_strdup(soup_message_headers_get_one(headers,
                                                          "X-RS-Tenant"));
    g_atomic_int_inc(&script.asked);

    if (strcmp(path, "/base/devices") == 0) {
        devices(msg, query);

    } else if (strcmp(path, "/base/devices/" DEV_A) == 0) {
        fake_json(msg, 200, "{\"id\":\"" DEV_A "\",\"name\":\"desk\","
                            "\"online\":true}");

    } else if (strcmp(path, "/base/devices/" DEV_A "/tunnels") == 0) {
        text = g_strdup_printf("{\"id\":\"" TUN "\",\"expires_at\":%"
                               G_GINT64_FORMAT "}",
                               g_get_real_time() / G_USEC_PER_SEC + 100);
        fake_json(msg, 201, text);

    } else if (strcmp(path, "/base/tunnels/" TUN "/pipes") == 0) {
        fake_json(msg, 201, "{\"pipe_id\":\"" PIP "\",\"ticket\":\"a.b\"}");

    } else if (strcmp(path, "/base/tunnels/" TUN "/port") == 0) {
        fake_json(msg, 200, script.port);

    } else if (strcmp(path, "/base/tunnels/" TUN) == 0) {
        soup_server_message_set_status(msg, 204, NULL);

    } else if (script.asked <= script.busy) {
        soup_message_headers_append(
            soup_server_message_get_response_headers(msg), "Retry-After",
            script.after);
        fake_json(msg, 503, "{\"code\":\"unavailable\"}");

    } else {
        fake_json(msg, script.status, script.text);
    }
}


/* what a call to /fixed comes to: its answer, or its error */

static char *
fixed(tunnel_rest_t *rest, guint status, const char *text, int *code)
{
    g_autoptr(json_t)    answer = NULL;
    g_autoptr(GError)    error = NULL;

    script.asked = 0;
    script.status = status;
    script.text = text;

    answer = tunnel_rest_wait(rest, "GET", "/fixed", NULL, 10, &error);

    if (answer != NULL) {
        *code = 0;
        return agent_json_text(g_steal_pointer(&answer));
    }

    *code = (error->domain == TUNNEL_ERROR) ? error->code : -1;

    return g_strdup(error->message);
}


static void
test_answers(tunnel_rest_t *rest)
{
    gsize  i;
    int    code;

    static const struct {
        guint        status;
        const char  *text;
        int          code;
        const char  *says;
    } cases[] = {
        { 200, "{\"a\":1}", 0, "{\"a\":1}" },
        { 200, "", 0, "{}" },
        { 200, "<html>", TUNNEL_ERROR_FAILED, "is this the gateway's base" },
        { 200, "[1]", TUNNEL_ERROR_FAILED, "not a JSON object" },
        { 401, "{\"code\":\"unauthenticated\",\"detail\":\"no\"}",
          TUNNEL_ERROR_REFUSED, "answered 401 unauthenticated: no: is the" },
        { 403, "{\"code\":\"forbidden\"}", TUNNEL_ERROR_REFUSED,
          "tunnels:use" },
        { 404, "{\"code\":\"not_found\"}", TUNNEL_ERROR_GONE, "not_found" },
        { 409, "{\"code\":\"device_offline\"}", TUNNEL_ERROR_ABSENT,
          "device_offline" },
        { 410, "{\"code\":\"tunnel_ended\"}", TUNNEL_ERROR_GONE,
          "tunnel_ended" },
        { 422, "{\"code\":\"invalid_value\",\"detail\":\"ttl_s\"}",
          TUNNEL_ERROR_USAGE, "invalid_value: ttl_s" },
        { 429, "{\"code\":\"limit_reached\"}", TUNNEL_ERROR_BUSY,
          "try again" },
        { 302, "", TUNNEL_ERROR_USAGE, "name that URL as server" },
        { 500, "broken", TUNNEL_ERROR_FAILED, "answered 500" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char  *got = fixed(rest, cases[i].status, cases[i].text,
                                      &code);

        if (!ok(code == cases[i].code && strstr(got, cases[i].says) != NULL,
                "%u %s", cases[i].status, cases[i].text))
        {
            printf("#  %d %s\n", code, got);
        }
    }

    is_str(script.bearer, "Bearer rsk_geheim", "the key is sent");
    is_str(script.tenant, "acme", "and the tenant");
}


static void
test_long(tunnel_rest_t *rest)
{
    int                code;
    g_autofree char   *blanks = g_strnfill(1024 * 1024, ' ');
    g_autofree char   *text = g_strconcat("{}", blanks, NULL);
    g_autofree char   *fits = NULL;
    g_autofree char   *got = NULL;

    got = fixed(rest, 200, text, &code);
    is_int(code, TUNNEL_ERROR_FAILED, "an answer that is too long");

    text[1024 * 1024] = '\0';
    fits = fixed(rest, 200, text, &code);
    is_str(fits, "{}", "one that is as long as it may be");
}


static void
test_busy(tunnel_rest_t *rest)
{
    int                code;
    g_autofree char   *twice = NULL;
    g_autofree char   *never = NULL;
    g_autofree char   *late = NULL;

    script.busy = 2;
    script.after = "1";
    twice = fixed(rest, 200, "{\"a\":1}", &code);
    is_str(twice, "{\"a\":1}", "a gateway that was busy twice");
    is_int(script.asked, 3, "is asked three times");

    script.busy = 9;
    never = fixed(rest, 200, "{}", &code);
    is_int(code, TUNNEL_ERROR_FAILED, "one that stays so");
    is_int(script.asked, 3, "not more often");

    script.after = "6";
    late = fixed(rest, 200, "{}", &code);
    is_int(script.asked, 1, "nor one that wants a long wait");

    script.busy = 0;
}


static void
is_device(tunnel_rest_t *rest, const char *word, const char *id,
    const char *says)
{
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_device_t)    device = NULL;

    device = tunnel_device_find(rest, word, &error);

    is_str((device != NULL) ? device->id : NULL, id, word);

    if (says != NULL
        && !ok(error != NULL && strstr(error->message, says) != NULL,
               "it says \"%s\"", says))
    {
        printf("#  %s\n", error ? error->message : "(found)");
    }
}


static void
test_devices(tunnel_rest_t *rest)
{
    tunnel_device_t      off = { (char *) DEV_B, (char *) "far", FALSE };
    g_autoptr(GError)    error = NULL;

    is_device(rest, DEV_A, DEV_A, NULL);
    is_device(rest, DEV_B, NULL, "answered 500");
    is_device(rest, "desk", DEV_A, NULL);
    is_device(rest, "far", DEV_B, NULL);
    is_device(rest, "twin", NULL, "name one by its id: " DEV_B ", " DEV_A);
    is_device(rest, "Desk", NULL, "no device is called \"Desk\"");

    ok(!tunnel_device_here(&off, &error)
       && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_ABSENT)
       && strstr(error->message, "\"far\"") != NULL, "one that is offline");
}


static void
on_pipe(GObject *source, GAsyncResult *result, gpointer data)
{
    GAsyncResult  **kept = data;

    (void) source;

    *kept = g_object_ref(result);
}


static void
test_tunnel(tunnel_rest_t *rest, tunnel_config_t *config)
{
    tunnel_device_t      device = { (char *) DEV_A, (char *) "desk", TRUE };
    tunnel_wish_t        wish = { "127.0.0.1:53", TRUE, FALSE, "a \"b\"" };
    GAsyncResult        *result = NULL;
    tunnel_gate_t       *gate;
    g_autofree char     *id = NULL;
    g_autofree char     *ticket = NULL;
    g_autoptr(GError)    error = NULL;

    config->ttl_s = 100;
    config->idle_s = 9;
    gate = tunnel_gate_open(rest, config, &device, &wish, &error);

    if (!ok(gate != NULL, "a tunnel")) {
        printf("#  %s\n", error->message);
        return;
    }

    is_str(script.said, "POST /base/devices/" DEV_A "/tunnels "
           "{\"target\":\"127.0.0.1:53\",\"protocol\":\"udp\",\"idle_s\":9,"
           "\"ttl_s\":100,\"label\":\"a \\\"b\\\"\"}", "what was asked for");
    is_str(tunnel_gate_id(gate), TUN, "its id");
    ok(tunnel_gate_ttl(gate) >= 98 && tunnel_gate_ttl(gate) <= 100,
       "its time");

    tunnel_gate_pipe(gate, NULL, on_pipe, &result);
    ok(result == NULL, "nothing is told within the call");

    while (result == NULL) {
        g_main_context_iteration(NULL, TRUE);
    }

    ticket = tunnel_gate_pipe_finish(result, &id, NULL);
    is_str(ticket, "a.b", "a ticket");
    is_str(id, PIP, "of a pipe");
    g_object_unref(result);

    tunnel_gate_close(gate);
    is_str(script.said, "DELETE /base/tunnels/" TUN " ", "its end");
}


static void
test_port(tunnel_rest_t *rest, tunnel_config_t *config)
{
    gsize              i;
    tunnel_device_t    device = { (char *) DEV_A, (char *) "desk", TRUE };
    tunnel_wish_t      wish = { "nas:80", FALSE, TRUE, NULL };
    tunnel_gate_t     *gate;
    g_autofree char   *there = NULL;
    g_autofree char   *address = NULL;
    g_autofree char   *server = g_strdup(config->server);

    static const char *const  bad[] = {
        "{}", "{\"port\":20001}", "{\"address\":\"192.0.2.1\"}",
        "{\"port\":0,\"address\":\"192.0.2.1\"}",
        "{\"port\":65536,\"address\":\"192.0.2.1\"}",
        "{\"port\":\"20001\",\"address\":\"192.0.2.1\"}"
    };

    config->ttl_s = 0;
    config->idle_s = 0;

    gate = tunnel_gate_open(rest, config, &device, &wish, NULL);
    is_str(script.said, "POST /base/devices/" DEV_A "/tunnels "
           "{\"target\":\"nas:80\",\"protocol\":\"tcp\",\"port\":true}",
           "a tunnel with a port");

    script.port = "{\"port\":20001,\"address\":\"2001:db8::1\","
                  "\"expires_at\":1}";
    there = tunnel_gate_port(gate, &address, NULL);
    is_str(script.said, "POST /base/tunnels/" TUN "/port {}",
           "which is asked for");
    ok(g_str_has_suffix(there, ":20001")
       && strncmp(there, server + strlen("https://"),
                  strlen(there) - strlen(":20001")) == 0,
       "it is at the gateway: %s", there);
    is_str(address, "2001:db8::1", "for whom");

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError)  error = NULL;

        script.port = bad[i];
        ok(tunnel_gate_port(gate, &address, &error) == NULL
           && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_FAILED),
           "not said: %s", bad[i]);
    }

    tunnel_gate_close(gate);
}


static void
test_stranger(fake_gateway_t *g)
{
    g_autoptr(GError)             error = NULL;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();
    tunnel_rest_t                *rest;

    tunnel_config_set(config, "server", g->url, NULL);
    rest = tunnel_rest_new(config, "k", NULL);
    script.asked = 0;

    ok(tunnel_rest_wait(rest, "GET", "/fixed", NULL, 10, &error) == NULL
       && strstr(error->message, "ca_file") != NULL && script.asked == 0,
       "a gateway whose certificate nobody vouches for gets no key");
    g_clear_error(&error);
    tunnel_rest_free(rest);

    tunnel_config_set(config, "ca_file", "/nowhere/ca", NULL);
    ok(tunnel_rest_new(config, "k", &error) == NULL
       && strstr(error->message, "/nowhere/ca") != NULL,
       "a file of CAs that is not there");
}


int
main(void)
{
    tunnel_rest_t                *rest;
    fake_gateway_t                g;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    memset(&g, 0, sizeof(g));
    g.answer = on_request;
    fake_begin(&g);

    script.status = 500;
    script.text = "{}";

    tunnel_config_set(config, "server", g.url, NULL);
    tunnel_config_set(config, "ca_file", g.cert, NULL);
    tunnel_config_set(config, "tenant", "acme", NULL);
    tunnel_config_set(config, "proxy", "direct", NULL);

    rest = tunnel_rest_new(config, "rsk_geheim", NULL);

    test_devices(rest);
    test_answers(rest);
    test_long(rest);
    test_busy(rest);
    test_tunnel(rest, config);
    test_port(rest, config);
    test_stranger(&g);

    tunnel_rest_free(rest);
    fake_end(&g);
    g_free(script.said);
    g_free(script.bearer);
    g_free(script.tenant);

    return done();
}
