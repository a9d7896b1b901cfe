
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The device's end of tunnels: what agent.conf opens and what nothing opens,
 * names that lead elsewhere, the person at the device, and a connection from
 * its first byte to its end.  Gateway, person and DNS are the test's own.
 */

#include "agent_tunnel.h"
#include "agent_dial.h"
#include "agent_veto.h"
#include "leg_server.h"

#include <gio/gnetworking.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define TUN  "tun_tttttttttttttttttttttttttt"


/* ---- the person */

struct agent_ask_s {
    agent_ask_done_pt   done;
    void               *data;
    gboolean            prompt;
    char               *name;
    char               *tunnel;
};

struct agent_shown_s {
    char               *tunnel;
};


static agent_ask_t  *question;          /* or NULL */
static guint         questions;
static guint         banners;
static char         *banner;            /* the newest one's text */


agent_ask_t *
agent_ui_ask(agent_ui_t *ui, const agent_subject_t *subject, gboolean prompt,
    agent_ask_done_pt answered, void *data)
{
    (void) ui;

    g_assert(question == NULL);

    question = g_new0(agent_ask_t, 1);
    question->done = answered;
    question->data = data;
    question->prompt = prompt;
    question->name = g_strdup(subject->name);
    question->tunnel = g_strdup(subject->tunnel);
    questions++;

    return question;
}


void
agent_ask_cancel(agent_ask_t *ask)
{
    g_assert(ask == question);

    question = NULL;
    g_free(ask->name);
    g_free(ask->tunnel);
    g_free(ask);
}


agent_shown_t *
agent_ui_show(agent_ui_t *ui, const agent_subject_t *subject)
{
    (void) ui;

    banners++;
    g_free(banner);
    banner = g_strconcat(subject->name, " ", subject->tunnel, NULL);

    return g_new0(agent_shown_t, 1);
}


void
agent_shown_free(agent_shown_t *shown)
{
    banners--;
    g_free(shown);
}


static void
reply(agent_answer_e answer)
{
    void               *data = question->data;
    agent_ask_done_pt   answered = question->done;

    agent_ask_cancel(question);
    answered(data, answer);
}


/* ---- DNS */

#define TEST_TYPE_RESOLVER  (test_resolver_get_type())

G_DECLARE_FINAL_TYPE(TestResolver, test_resolver, TEST, RESOLVER, GResolver)

struct _TestResolver {
    GResolver    parent;
    guint        asked;
    const char  *answers;               /* with blanks; "": no such name */
    const char  *later;                 /* of the next question on */
};

G_DEFINE_TYPE(TestResolver, test_resolver, G_TYPE_RESOLVER)


static void
test_resolver_ask(GResolver *resolver, const char *name, GCancellable *cancel,
    GAsyncReadyCallback answered, gpointer data)
{
    TestResolver  *self = TEST_RESOLVER(resolver);
    GTask         *task = g_task_new(resolver, cancel, answered, data);
    const char    *text;

    (void) name;

    text = (self->asked++ > 0 && self->later != NULL) ? self->later
                                                      : self->answers;

    if (text[0] == '\0') {
        g_task_return_new_error(task, G_RESOLVER_ERROR,
                                G_RESOLVER_ERROR_NOT_FOUND, "no such name");

    } else {
        g_task_return_pointer(task, (gpointer) text, NULL);
    }

    g_object_unref(task);
}


static GList *
test_resolver_answer(GResolver *resolver, GAsyncResult *result,
    GError **error)
{
    guint           i;
    GList          *list = NULL;
    const char     *text;
    g_auto(GStrv)   words = NULL;

    (void) resolver;

    text = g_task_propagate_pointer(G_TASK(result), error);

    if (text == NULL) {
        return NULL;
    }

    words = g_strsplit(text, " ", -1);

    for (i = 0; words[i] != NULL; i++) {
        list = g_list_append(list, g_inet_address_new_from_string(words[i]));
    }

    return list;
}


static void
test_resolver_class_init(TestResolverClass *class)
{
    G_RESOLVER_CLASS(class)->lookup_by_name_async = test_resolver_ask;
    G_RESOLVER_CLASS(class)->lookup_by_name_finish = test_resolver_answer;
}


static void
test_resolver_init(TestResolver *self)
{
    self->answers = "";
}


/* ---- the device, and a target that sends back what it gets */

typedef struct {
    agent_t            agent;
    agent_tunnels_t   *tunnels;
    TestResolver      *resolver;
    GPtrArray         *said;
    GSocketService    *target;
    guint16            port;            /* of it */
    guint              connections;     /* it took */
    GPtrArray         *streams;
} device_t;


static void
on_said(void *data, char *text)
{
    device_t  *d = data;

    g_ptr_array_add(d->said, text);
}


static void
on_echoed(GObject *source, GAsyncResult *result, gpointer data)
{
    GIOStream  *io = data;

    if (g_output_stream_splice_finish(G_OUTPUT_STREAM(source), result, NULL)
        == -1)
    {
        g_io_stream_close(io, NULL, NULL);
        return;
    }

    (void) g_socket_shutdown(g_socket_connection_get_socket(
                                 G_SOCKET_CONNECTION(io)), FALSE, TRUE,
                             NULL);
}


static gboolean
on_connection(GSocketService *service, GSocketConnection *connection,
    GObject *source, gpointer data)
{
    device_t  *d = data;

    (void) service;
    (void) source;

    d->connections++;
    g_ptr_array_add(d->streams, g_object_ref(connection));
    g_output_stream_splice_async(
        g_io_stream_get_output_stream(G_IO_STREAM(connection)),
        g_io_stream_get_input_stream(G_IO_STREAM(connection)),
        G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, NULL, on_echoed,
        connection);

    return TRUE;
}


/* allow: "%u" is the target's port */

static device_t *
device_new(server_t *gateway, const char *address, const char *allow)
{
    device_t                   *d = g_new0(device_t, 1);
    g_autofree char            *port = NULL;
    g_autofree char            *text = NULL;
    g_auto(GStrv)               parts = NULL;
    g_autoptr(GInetAddress)     inet = g_inet_address_new_from_string(
                                                                     address);
    g_autoptr(GSocketAddress)   any = g_inet_socket_address_new(inet, 0);
    g_autoptr(GSocketAddress)   bound = NULL;

    d->target = g_socket_service_new();

    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(d->target), any,
                                       G_SOCKET_TYPE_STREAM,
                                       G_SOCKET_PROTOCOL_TCP, NULL, &bound,
                                       NULL))
    {
        printf("not ok - no listener at %s\n", address);
        exit(1);
    }

    g_signal_connect(d->target, "incoming", G_CALLBACK(on_connection), d);
    g_socket_service_start(d->target);
    d->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    d->streams = g_ptr_array_new_with_free_func(g_object_unref);

    port = g_strdup_printf("%u", d->port);
    parts = g_strsplit(allow, "%u", -1);
    text = g_strjoinv(port, parts);

    d->said = g_ptr_array_new_with_free_func(g_free);
    d->resolver = g_object_new(TEST_TYPE_RESOLVER, NULL);
    d->agent.config = agent_config_new();
    d->agent.config->consent = AGENT_CONSENT_NONE;
    d->agent.config->targets = agent_targets_parse(text, NULL);
    d->agent.socket_url = g_strdup_printf("ws://127.0.0.1:%u/rs/v1",
                                          gateway != NULL ? gateway->port
                                                          : 9);
    g_assert(d->agent.config->targets != NULL);

    d->tunnels = agent_tunnels_new(&d->agent, G_RESOLVER(d->resolver),
                                   on_said, d);

    return d;
}


static void
device_free(device_t *d)
{
    g_clear_pointer(&d->tunnels, agent_tunnels_free);

    while (g_main_context_iteration(NULL, FALSE)) { }

    g_socket_service_stop(d->target);
    g_socket_listener_close(G_SOCKET_LISTENER(d->target));
    g_object_unref(d->target);
    g_ptr_array_unref(d->streams);
    g_object_unref(d->resolver);
    g_ptr_array_unref(d->said);
    agent_config_free(d->agent.config);
    g_free(d->agent.socket_url);
    g_free(d);
}


static gboolean
on_late(gpointer data)
{
    (void) data;
    printf("not ok - not within %d s\n", DEADLINE_S);
    exit(1);
}


static gboolean
on_tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


#define wait_for(cond)                                                       \
    do {                                                                     \
        guint  late = g_timeout_add_seconds(DEADLINE_S, on_late, NULL);      \
        guint  tick = g_timeout_add(2, on_tick, NULL);                       \
                                                                             \
        while (!(cond)) {                                                    \
            g_main_context_iteration(NULL, TRUE);                            \
        }                                                                    \
                                                                             \
        g_source_remove(late);                                               \
        g_source_remove(tick);                                               \
    } while (0)


/* by the gateway's text, as it comes */

static void
say(device_t *d, const char *text)
{
    g_autoptr(GError)        error = NULL;
    g_autoptr(agent_msg_t)   msg = NULL;

    msg = agent_msg_parse(AGENT_CHANNEL_AGENT, text, strlen(text), 0, &error);

    if (msg == NULL || msg->type != AGENT_MSG_TUNNEL) {
        printf("not ok - %s\n", error != NULL ? error->message : text);
        exit(1);
    }

    if (msg->open.cut) {
        agent_tunnels_cut(d->tunnels, &msg->open);

    } else {
        agent_tunnels_open(d->tunnels, &msg->open);
    }
}


static void
want(device_t *d, char pipe, const char *who, const char *host, guint port,
    const char *protocol)
{
    g_autofree char  *text = NULL;

    text = g_strdup_printf("{\"type\":\"tunnel\",\"op\":\"open\","
                           "\"tunnel_id\":\"" TUN "\",\"pipe_id\":\"pip_%c\","
                           "\"ticket\":\"default.secret%c\",\"target\":"
                           "{\"host\":\"%s\",\"port\":%u},\"protocol\":"
                           "\"%s\",\"requester\":{\"kind\":\"user\","
                           "\"id\":\"usr_%s\",\"name\":\"%s\"},"
                           "\"label\":null,\"expires_at\":1790000060}",
                           pipe, pipe, host, port, protocol, who, who);
    say(d, text);
}


/* "reason: detail" of the newest refusal, waited for */

static char *
refusal(device_t *d, guint n)
{
    g_autoptr(json_t)  msg = NULL;

    wait_for(d->said->len >= n);
    msg = json_loads(g_ptr_array_index(d->said, n - 1), 0, NULL);

    return g_strconcat(agent_json_string(msg, "reason", 64), ": ",
                       agent_json_string(msg, "detail", 512), NULL);
}


static void
refuses(device_t *d, const char *host, guint port, const char *protocol,
    const char *begins, const char *what)
{
    guint            n = d->said->len;
    g_autofree char  *why = NULL;

    want(d, 'r', "anna", host, port, protocol);
    why = refusal(d, n + 1);

    if (!ok(g_str_has_prefix(why, begins), "%s", what)) {
        printf("#   got  %s\n#   want %s\n", why, begins);
    }
}


/* ---- what the gateway does */

static char  *asked;                    /* the leg's request */


static void
upgrade_known(GIOStream *io)
{
    g_autofree char  *answer = NULL;
    char              accept[RS_WS_ACCEPT_LEN], *key;

    g_free(asked);
    asked = get_request(io);
    key = strstr(asked, "Sec-WebSocket-Key: ");

    if (key == NULL) {
        return;
    }

    (void) rs_ws_accept((rs_str_t) { (guint8 *) key + 19, RS_WS_KEY_LEN },
                        accept);
    answer = g_strdup_printf("HTTP/1.1 101 Switching Protocols\r\n"
                             "Upgrade: websocket\r\nConnection: upgrade\r\n"
                             "Sec-WebSocket-Protocol: rs.v1\r\n"
                             "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                             (int) sizeof(accept), accept);
    put(io, answer, strlen(answer));
}


/* asks the target, reads its answer, and ends */

static void
serve_talk(GIOStream *io)
{
    int      op;
    gsize    len, got = 0;
    guint8  *data = g_malloc(65536);

    upgrade_known(io);
    put_frame(io, 0x82, "over there", 10);
    put_frame(io, 0x82, "", 0);

    while ((op = get_frame(io, data, &len)) != -1 && op != RS_WS_CLOSE) {
        got += len;
        g_atomic_int_set(&server_bytes, (gint) got);
    }

    put_close(io, 1000);
    g_free(data);
}


static void
serve_datagram(GIOStream *io)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade_known(io);
    put_frame(io, 0x82, "a datagram", 10);
    op = get_frame(io, data, &len);
    g_atomic_int_set(&server_bytes, op == RS_WS_BINARY ? (gint) len : -1);
    put_close(io, 1000);
    get_close(io);
    g_free(data);
}


static void
serve_stay(GIOStream *io)
{
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade_known(io);
    put_frame(io, 0x82, "here", 4);
    (void) get_frame(io, data, &len);
    g_atomic_int_set(&server_go, 1);
    get_close(io);
    g_free(data);
}


/* ---- cases */

static void
test_connection(const char *address)
{
    server_t         *gateway = server_new_with(serve_talk, NULL);
    g_autofree char  *allow = NULL;
    device_t         *d;

    allow = g_strdup_printf(strchr(address, ':') != NULL ? "[%s]:%%u"
                                                         : "%s:%%u", address);
    d = device_new(gateway, address, allow);
    want(d, 'a', "anna", address, d->port, "tcp");
    is_int(agent_tunnels_count(d->tunnels), 1, "one is being made");
    wait_for(agent_tunnels_count(d->tunnels) == 0);
    server_free(gateway);

    ok(strstr(asked, "rs.ticket.default.secreta, rs.side.host\r\n") != NULL,
       "%s: the leg shows its ticket and side", address);
    is_int(d->connections, 1, "the target was connected to, once");
    is_int(server_bytes, 10, "what it said came back");
    is_int(server_code, 1000, "both ends came, and a goodbye");
    is_int(d->said->len, 0, "nothing was refused");
    device_free(d);
}


static void
test_udp(void)
{
    gssize                     n;
    char                       bytes[64];
    server_t                  *gateway = server_new_with(serve_datagram,
                                                         NULL);
    device_t                  *d;
    guint16                    port;
    g_autofree char           *allow = NULL;
    g_autoptr(GSocket)         socket = NULL;
    g_autoptr(GInetAddress)    loopback = NULL;
    g_autoptr(GSocketAddress)  any = NULL;
    g_autoptr(GSocketAddress)  own = NULL;
    g_autoptr(GSocketAddress)  from = NULL;

    loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    any = g_inet_socket_address_new(loopback, 0);
    socket = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                          G_SOCKET_PROTOCOL_UDP, NULL);
    g_socket_set_blocking(socket, FALSE);
    (void) g_socket_bind(socket, any, FALSE, NULL);
    own = g_socket_get_local_address(socket, NULL);
    port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(own));
    allow = g_strdup_printf("127.0.0.1:%u/udp", port);

    d = device_new(gateway, "127.0.0.1", allow);
    refuses(d, "127.0.0.1", port, "tcp", "target_refused: ",
            "a port of UDP is none of TCP");
    want(d, 'u', "anna", "127.0.0.1", port, "udp");
    wait_for((n = g_socket_receive_from(socket, &from, bytes, sizeof(bytes),
                                        NULL, NULL)) > 0);
    ok(n == 10 && memcmp(bytes, "a datagram", 10) == 0, "a datagram arrives");
    (void) g_socket_send_to(socket, from, "an answer", 9, NULL, NULL);
    wait_for(agent_tunnels_count(d->tunnels) == 0);
    server_free(gateway);
    is_int(server_bytes, 9, "and so does its answer");
    device_free(d);
}


/* none of these asks DNS, and nothing is connected */

static void
test_refused(void)
{
    gsize             i;
    device_t         *d = device_new(NULL, "127.0.0.1",
                                     "10.9.9.0/24:80;*.lan:80;[fd09::/16]:80"
                                     ";0.0.0.0/1:8080");

    static const struct {
        const char  *host;
        guint        port;
    } targets[] = {
        { "127.0.0.1", 22 }, { "127.0.0.1", 80 }, { "::1", 80 },
        { "169.254.169.254", 80 }, { "169.254.169.254", 8080 },
        { "::ffff:10.0.0.1", 80 }, { "[::ffff:169.254.169.254]", 80 },
        { "64:ff9b::a00:1", 80 }, { "64:ff9b::a9fe:a9fe", 80 },
        { "64:ff9b:1::a09:901", 80 }, { "2002:a09:901::1", 80 },
        { "fe80::1", 80 }, { "ff02::1", 80 }, { "0.0.0.0", 8080 },
        { "::", 80 }, { "10.9.9.1", 0 }, { "10.9.9.1", 81 },
        { "printer.lan", 0 }, { "printer.example", 443 }, { "localhost", 22 },
        { "127.1", 8080 }, { "0x7f000001", 8080 }, { "2130706433", 8080 },
        { "0177.0.0.1", 8080 }, { "", 80 }, { "10.9.9.1/24", 80 },
        { "10.9.9.1:80", 80 }
    };

    for (i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_autofree char  *what = g_strdup_printf("\"%s\" %u is refused",
                                                 targets[i].host,
                                                 targets[i].port);

        refuses(d, targets[i].host, targets[i].port, "tcp",
                "target_refused: ", what);
    }

    is_int(d->resolver->asked, 0, "no name was looked up");
    is_int(d->connections, 0, "nothing was connected to");
    device_free(d);
}


static void
test_nothing_listed(void)
{
    device_t  *d = device_new(NULL, "127.0.0.1", "");

    refuses(d, "127.0.0.1", d->port, "tcp", "target_refused: is not listed",
            "nothing listed: the device itself is not open either");
    agent_targets_free(d->agent.config->targets);
    d->agent.config->targets = NULL;
    refuses(d, "127.0.0.1", d->port, "tcp", "target_refused: is not listed",
            "and so without the section");
    device_free(d);
}


static void
rebinds(device_t *d, const char *answers, const char *begins,
    const char *what)
{
    guint  before = d->resolver->asked;

    d->resolver->answers = answers;
    refuses(d, "app.lan", d->port, "tcp", begins, what);
    is_int(d->resolver->asked - before, 1, "asked once");
}


static void
test_rebind(void)
{
    device_t  *d = device_new(NULL, "127.0.0.1", "*.lan:%u");

    rebinds(d, "127.0.0.1", "target_refused: is 127.0.0.1, which is this "
            "device itself", "a name that leads to the device");
    rebinds(d, "127.0.0.2 ::1", "target_refused: ", "two of them");
    rebinds(d, "169.254.169.254", "target_refused: is 169.254.169.254, "
            "which is never", "to metadata");
    rebinds(d, "::ffff:169.254.169.254", "target_refused: ",
            "the same inside of IPv6");
    rebinds(d, "0.0.0.0", "target_refused: ", "to nowhere");
    rebinds(d, "", "target_unreachable: ", "to nothing at all");
    is_int(d->connections, 0, "nothing was connected to");
    device_free(d);
}


static gboolean
own(GInetAddress *address)
{
    g_autofree char  *text = g_inet_address_to_string(address);

    return strcmp(text, "10.1.1.1") == 0 || strcmp(text, "fd00::1") == 0;
}


/* a name that leads to an address of the device, whatever it is written as */

static void
test_own(void)
{
    gsize             i;
    rs_target_t       target;
    agent_targets_t  *targets = agent_targets_parse("*.lan:80;10.1.1.1:81",
                                                    NULL);

    static const struct {
        const char   *address;
        rs_target_e   verdict;
    } found[] = {
        { "10.1.1.1", RS_TARGET_SELF }, { "10.1.1.2", RS_TARGET_ALLOWED },
        { "fd00::1", RS_TARGET_SELF }, { "fd00::2", RS_TARGET_ALLOWED },
        { "::ffff:10.1.1.1", RS_TARGET_SELF },
        { "64:ff9b::a01:101", RS_TARGET_SELF },
        { "64:ff9b::a01:102", RS_TARGET_ALLOWED }
    };

    (void) rs_target_parse(RS_STR("app.lan"), 80, 0, &target);

    for (i = 0; i < G_N_ELEMENTS(found); i++) {
        g_autoptr(GInetAddress)  address = g_inet_address_new_from_string(
                                                           found[i].address);

        is_int(agent_targets_check(targets, &target, address, own),
               found[i].verdict, found[i].address);
    }

    /* but as an address it may be listed */

    (void) rs_target_parse(RS_STR("64:ff9b::a01:101"), 81, 0, &target);

    {
        g_autoptr(GInetAddress)  address = g_inet_address_new_from_string(
                                                       "64:ff9b::a01:101");

        is_int(agent_targets_check(targets, &target, address, own),
               RS_TARGET_ALLOWED, "an address that is listed");
    }

    agent_targets_free(targets);
}


/*
 * The first answer passes, the next ones would not: the address that passed
 * is the one that is connected to.
 */

static void
test_once(void)
{
    server_t  *gateway = server_new_with(serve_talk, NULL);
    device_t  *d = device_new(gateway, "127.0.0.1", "127.0.0.1:%u");

    d->resolver->answers = "169.254.169.254 127.0.0.1";
    d->resolver->later = "169.254.169.254";
    want(d, 'o', "anna", "app.lan", d->port, "tcp");
    wait_for(agent_tunnels_count(d->tunnels) == 0);
    server_free(gateway);

    is_int(d->resolver->asked, 1, "a name is looked up once");
    is_int(d->connections, 1, "what passed was connected to");
    is_int(d->said->len, 0, "and what did not was left aside");
    device_free(d);
}


static void
test_unreachable(void)
{
    device_t         *d = device_new(NULL, "127.0.0.1", "127.0.0.1:1-65535");
    guint16           port = d->port;

    g_socket_service_stop(d->target);
    g_socket_listener_close(G_SOCKET_LISTENER(d->target));
    refuses(d, "127.0.0.1", port, "tcp", "target_unreachable: ",
            "nobody listens there");
    is_int(agent_tunnels_count(d->tunnels), 0, "and nothing is left of it");
    device_free(d);
}


static void
want_shell(device_t *d)
{
    say(d, "{\"type\":\"tunnel\",\"op\":\"open\",\"tunnel_id\":\"" TUN "\","
        "\"pipe_id\":\"pip_s\",\"ticket\":\"t\",\"target\":\"shell\","
        "\"protocol\":\"tcp\",\"requester\":{\"kind\":\"user\","
        "\"id\":\"usr_a\",\"name\":\"anna\"},\"expires_at\":1}");
}


static void
test_policy(void)
{
    device_t  *d = device_new(NULL, "127.0.0.1", "127.0.0.1:%u");

    d->agent.config->require_operator = TRUE;
    refuses(d, "127.0.0.1", d->port, "tcp", "policy: ",
            "verified operators only: no tunnels");
    d->agent.config->require_operator = FALSE;

    d->agent.config->max_tunnels = 0;
    refuses(d, "127.0.0.1", d->port, "tcp", "busy: ", "none at all");

    want_shell(d);
    ok(strstr(g_ptr_array_index(d->said, 2), "\"policy\"") != NULL,
       "no terminal unless agent.conf gives one");

    is_int(d->connections, 0, "nothing was connected to");
    device_free(d);
}


/* leaves when it is told to */

static void
serve_shell(GIOStream *io)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade_known(io);
    put_frame(io, 0x82, "\0exit\n", 6);

    while ((op = get_frame(io, data, &len)) != -1 && op != RS_WS_CLOSE) { }

    put_close(io, 1000);
    g_free(data);
}


static void
test_shell(void)
{
    server_t         *gateway = server_new_with(serve_shell, NULL);
    device_t         *d = device_new(gateway, "127.0.0.1", "");
    g_autofree char  *why = NULL;

    d->agent.config->shell = TRUE;
    d->agent.config->shell_user = g_strdup("no-such-user");
    want_shell(d);
    why = refusal(d, 1);
    ok(g_str_has_prefix(why, "policy: this device has no user"),
       "a terminal of nobody: %s", why);

    g_free(d->agent.config->shell_user);
    d->agent.config->shell_user = g_strdup(g_get_user_name());
    d->agent.config->consent = AGENT_CONSENT_NOTIFY;
    want_shell(d);
    is_str(question->tunnel, "shell", "the person is told what it is");
    reply(AGENT_ANSWER_YES);
    wait_for(agent_tunnels_count(d->tunnels) == 0);
    server_free(gateway);
    is_int(server_code, 1000, "a terminal, and its end");
    is_int(d->said->len, 1, "nothing was refused");
    device_free(d);
}


/* has all of it, and only then leaves */

static void
serve_command(GIOStream *io)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade_known(io);

    do {
        op = get_frame(io, data, &len);
    } while (op != -1 && op != RS_WS_CLOSE && (len == 0 || data[0] != 2));

    g_atomic_int_set(&server_bytes, op == RS_WS_BINARY ? (gint) len : -1);
    put_close(io, 1000);

    while (op != -1 && op != RS_WS_CLOSE) {
        op = get_frame(io, data, &len);
    }

    g_free(data);
}


/* what it left in the background; 0: nothing has said so yet */

static pid_t
left_running(const char *file)
{
    g_autofree char  *text = NULL;

    return g_file_get_contents(file, &text, NULL, NULL)
           && g_str_has_suffix(text, "\n") ? (pid_t) atoi(text) : 0;
}


static void
test_background(void)
{
    pid_t              pid;
    server_t          *gateway = server_new_with(serve_command, NULL);
    device_t          *d = device_new(gateway, "127.0.0.1", "");
    g_autofree char   *dir = g_dir_make_tmp("rs-t-XXXXXX", NULL);
    g_autofree char   *file = g_build_filename(dir, "pid", NULL);
    g_autofree char   *script = g_build_filename(dir, "script", NULL);
    g_autofree char   *text = NULL;
    g_autofree char   *conf = NULL;

    text = g_strdup_printf("trap '' HUP TERM\nsleep 600 &\n"
                           "echo $! > %s\n", file);
    (void) g_file_set_contents(script, text, -1, NULL);
    conf = g_strdup_printf("[command bg]\nargv=/bin/sh;%s\nuser=%s\n",
                           script, g_get_user_name());
    (void) agent_config_parse(d->agent.config, conf, strlen(conf), NULL);
    say(d, "{\"type\":\"tunnel\",\"op\":\"open\",\"tunnel_id\":\"" TUN "\","
           "\"pipe_id\":\"pip_b\",\"ticket\":\"t\",\"protocol\":\"tcp\","
           "\"target\":{\"command\":\"bg\"}}");
    wait_for(agent_tunnels_count(d->tunnels) == 0);
    server_free(gateway);
    is_int(server_bytes, (gint) strlen("2{\"exit\":0}"), "it has ended");
    pid = left_running(file);
    ok(pid > 0, "it left process %d behind", (int) pid);
    wait_for(kill(pid, 0) != 0);
    ok(TRUE, "which is gone with it");
    device_free(d);
    (void) unlink(script);
    (void) unlink(file);
    (void) rmdir(dir);
}


static void
test_hidden(void)
{
    device_t          *d = device_new(NULL, "127.0.0.1", "");
    guint              before = questions;
    g_autofree char   *conf = NULL;
    g_autofree char   *much = g_strnfill(300, 'x');
    g_autofree char   *open = NULL;
    g_autofree char   *why = NULL;

    conf = g_strdup_printf("[command t]\nargv=/bin/echo;{a};{b}\n"
                           "param.a=text:400\nparam.b=word\nuser=%s\n",
                           g_get_user_name());
    (void) agent_config_parse(d->agent.config, conf, strlen(conf), NULL);
    d->agent.config->consent = AGENT_CONSENT_REQUIRED;
    open = g_strdup_printf("{\"type\":\"tunnel\",\"op\":\"open\","
                           "\"tunnel_id\":\"" TUN "\",\"pipe_id\":"
                           "\"pip_h\",\"ticket\":\"t\",\"protocol\":"
                           "\"tcp\",\"target\":{\"command\":\"t\","
                           "\"args\":{\"a\":\"%s\",\"b\":\"x\"}}}", much);
    say(d, open);
    why = refusal(d, 1);
    ok(g_str_has_prefix(why, "policy: ") && strstr(why, "be shown") != NULL,
       "what cannot be shown is not asked: %s", why);
    is_int(questions, before, "nobody was");
    device_free(d);
}


static void
test_command(void)
{
    gsize              i;
    const char        *text;
    server_t          *gateway = server_new_with(serve_command, NULL);
    device_t          *d = device_new(gateway, "127.0.0.1", "");
    g_autofree char   *conf = NULL;

    static const char *const  wrong[][2] = {
        { "\"command\":\"other\"", "no such [command]" },
        { "\"command\":\"t\"", "is missing" },
        { "\"command\":\"t\",\"args\":{\"n\":10}", "is missing" },
        { "\"command\":\"t\",\"args\":{\"n\":1,\"m\":1}", "has not" }
    };

    conf = g_strdup_printf("[command t]\nargv=/bin/echo;{n}\n"
                           "param.n=int:1-9\nuser=%s\n", g_get_user_name());
    (void) agent_config_parse(d->agent.config, conf, strlen(conf), NULL);
    d->agent.config->consent = AGENT_CONSENT_NOTIFY;

    for (i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char  *open = NULL;
        g_autofree char  *why = NULL;

        open = g_strdup_printf("{\"type\":\"tunnel\",\"op\":\"open\","
                               "\"tunnel_id\":\"" TUN "\",\"pipe_id\":"
                               "\"pip_w\",\"ticket\":\"t\",\"protocol\":"
                               "\"tcp\",\"target\":{%s}}", wrong[i][0]);
        say(d, open);
        why = refusal(d, (guint) i + 1);
        ok(g_str_has_prefix(why, "policy: ")
           && strstr(why, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], why);
    }

    say(d, "{\"type\":\"tunnel\",\"op\":\"open\",\"tunnel_id\":\"" TUN "\","
           "\"pipe_id\":\"pip_u\",\"ticket\":\"t\",\"protocol\":\"tcp\","
           "\"target\":{\"command\":\"t\",\"args\":{\"n\":8},"
           "\"secret\":[\"n\"]}}");
    is_str(question->tunnel, "run t n=***", "a secret parameter is not shown");
    reply(AGENT_ANSWER_NO);
    text = "{\"type\":\"tunnel\",\"op\":\"open\",\"tunnel_id\":\"" TUN "\","
           "\"pipe_id\":\"pip_t\",\"ticket\":\"t\",\"protocol\":\"tcp\","
           "\"target\":{\"command\":\"t\",\"args\":{\"n\":7}}}";
    say(d, text);
    is_str(question->tunnel, "run t n=7", "the person is told what runs, and "
           "with what: what was said of another parameter is not for this");
    reply(AGENT_ANSWER_YES);
    wait_for(agent_tunnels_count(d->tunnels) == 0);
    server_free(gateway);
    is_int(server_bytes, (gint) strlen("2{\"exit\":0}"),
           "it ran, and its end was said");
    is_int(server_code, 1000, "and it waited for a goodbye");
    is_int(d->said->len, G_N_ELEMENTS(wrong) + 1, "nothing more was refused");
    device_free(d);
}


static void
test_bound(void)
{
    guint      before = questions;
    device_t  *d = device_new(NULL, "127.0.0.1", "127.0.0.1:%u");

    d->agent.config->max_tunnels = 2;
    d->agent.config->consent = AGENT_CONSENT_REQUIRED;
    want(d, '1', "anna", "127.0.0.1", d->port, "tcp");
    want(d, '2', "anna", "127.0.0.1", d->port, "tcp");
    want(d, '2', "anna", "127.0.0.1", d->port, "tcp");
    is_int(agent_tunnels_count(d->tunnels), 2, "asked twice is one");
    refuses(d, "127.0.0.1", d->port, "tcp", "busy: ", "the third of two");
    is_int(questions - before, 1, "one question for both");
    reply(AGENT_ANSWER_TIMEOUT);
    is_int(d->said->len, 3, "both are refused without an answer");
    is_int(agent_tunnels_count(d->tunnels), 0, "and gone");
    device_free(d);
}


static void
test_consent(void)
{
    server_t  *gateway = server_new_with(serve_stay, NULL);
    device_t  *d = device_new(gateway, "127.0.0.1", "127.0.0.1:%u");
    guint      before = questions;
    char      *want_text = g_strdup_printf("anna 127.0.0.1:%u", d->port);

    d->agent.config->consent = AGENT_CONSENT_REQUIRED;
    want(d, '1', "anna", "127.0.0.1", d->port, "tcp");
    ok(question != NULL && question->prompt, "the person is asked");
    is_str(question->name, "anna", "who");

    while (g_main_context_iteration(NULL, FALSE)) { }

    is_int(d->connections, 0, "nothing is connected before the answer");
    reply(AGENT_ANSWER_YES);
    is_str(banner, want_text, "the banner names who, and where to");
    wait_for(g_atomic_int_get(&server_go) != 0 && d->connections == 1);
    ok(TRUE, "a yes connects");

    /* somebody else in the same tunnel is another question */

    want(d, '2', "bert", "127.0.0.1", d->port, "tcp");
    is_int(questions - before, 2, "somebody else is asked for");
    is_str(question->name, "bert", "by his name");
    reply(AGENT_ANSWER_NO);
    is_int(d->said->len, 1, "a no refuses");
    want(d, '3', "bert", "127.0.0.1", d->port, "tcp");
    is_int(questions - before, 2, "and is not asked again");
    is_int(d->said->len, 2, "but refused at once");
    is_int(agent_tunnels_count(d->tunnels), 1, "the first one goes on");

    /* the banner's button */

    agent_tunnels_end(d->tunnels, TRUE);
    is_int(agent_tunnels_count(d->tunnels), 0, "ended by the person");
    is_int(banners, 0, "and off the banner");
    wait_for(g_atomic_int_get(&server_code) != -1);
    is_int(server_code, 4403, "the gateway is told");
    want(d, '4', "anna", "127.0.0.1", d->port, "tcp");
    is_int(d->said->len, 3, "and cannot open it again");
    is_int(questions - before, 2, "nor ask");

    server_free(gateway);
    device_free(d);
    g_free(want_text);
}


/* what the person ended stays ended, whatever else is wanted meanwhile */

static void
test_veto(void)
{
    guint      i, before;
    device_t  *d = device_new(NULL, "127.0.0.1", "127.0.0.1:%u");

    d->agent.config->consent = AGENT_CONSENT_REQUIRED;
    before = questions;
    want(d, '1', "anna", "127.0.0.1", d->port, "tcp");
    reply(AGENT_ANSWER_NO);

    for (i = 0; i < 2 * AGENT_TUNNELS; i++) {
        g_autofree char  *who = g_strdup_printf("u%u", i);

        want(d, '2', who, "127.0.0.1", d->port, "tcp");
        reply(AGENT_ANSWER_TIMEOUT);
    }

    is_int(questions - before, 1 + 2 * AGENT_TUNNELS, "each is asked for");
    refuses(d, "127.0.0.1", d->port, "tcp", "policy: ", "but not the first");
    want(d, '1', "anna", "127.0.0.1", d->port, "tcp");
    ok(question == NULL, "whom the person said no to");
    is_int(questions - before, 1 + 2 * AGENT_TUNNELS, "for good");

    /* until the gateway has ended the tunnel */

    say(d, "{\"type\":\"tunnel\",\"op\":\"cut\",\"tunnel_id\":\"" TUN
        "\"}");
    want(d, '1', "anna", "127.0.0.1", d->port, "tcp");
    ok(question != NULL, "or the tunnel is over");
    reply(AGENT_ANSWER_NO);

    /* nor can there be so many nos that one is forgotten */

    for (i = 1; i < AGENT_VETOES; i++) {
        g_autofree char  *who = g_strdup_printf("v%u", i);

        want(d, '2', who, "127.0.0.1", d->port, "tcp");
        reply(AGENT_ANSWER_NO);
    }

    want(d, '2', "bert", "127.0.0.1", d->port, "tcp");
    ok(question == NULL, "after a thousand nos nobody is asked");
    device_free(d);
}


static void
test_veto_end(void)
{
    guint            i;
    agent_vetoes_t  *vetoes = agent_vetoes_new();

    for (i = 0; i < AGENT_VETOES; i++) {
        g_autofree char  *key = g_strdup_printf("tun_a%u x", i);

        agent_vetoes_add(vetoes, key, 1000000);
    }

    ok(agent_vetoes_full(vetoes, 2000000), "full");
    agent_vetoes_end(vetoes, "tun_a1");
    ok(!agent_vetoes_full(vetoes, 2000000), "one is over");
    ok(!agent_vetoes_has(vetoes, "tun_a1 x"), "that one");
    ok(agent_vetoes_has(vetoes, "tun_a10 x"), "and no other");
    agent_vetoes_add(vetoes, "tun_b x", 2000000);
    ok(agent_vetoes_full(vetoes, 2000000), "full again");
    ok(!agent_vetoes_full(vetoes, (gint64) (AGENT_VETO_KEPT_S + 2)
                                  * G_USEC_PER_SEC),
       "until no tunnel of then can be left");
    ok(agent_vetoes_has(vetoes, "tun_b x"), "a newer one is kept");
    agent_vetoes_free(vetoes);
}


/* consent of its own for tunnels, where nobody sits */

static void
test_own_consent(void)
{
    device_t         *d = device_new(NULL, "127.0.0.1", "127.0.0.1:%u");
    guint             before = questions;
    g_autofree char  *why = NULL;

    d->agent.config->consent = AGENT_CONSENT_NOTIFY;
    want(d, '1', "anna", "127.0.0.1", d->port, "tcp");
    ok(question != NULL && !question->prompt, "a banner has to be there");
    reply(AGENT_ANSWER_IMPOSSIBLE);
    why = refusal(d, 1);
    ok(strstr(why, "consent=none") != NULL, "none: refused, with the cure");
    is_int(d->connections, 0, "and not connected");

    d->agent.config->tunnel_consent = AGENT_CONSENT_NONE;
    d->agent.config->tunnel_consent_set = TRUE;
    want(d, '2', "anna", "127.0.0.1", d->port, "tcp");
    wait_for(d->connections == 1);
    is_int(questions - before, 1, "nobody is asked or told");
    device_free(d);
}


static void
test_cut(const char *cut, guint code, const char *what)
{
    server_t  *gateway = server_new_with(serve_stay, NULL);
    device_t  *d = device_new(gateway, "127.0.0.1", "127.0.0.1:%u");

    want(d, 'c', "anna", "127.0.0.1", d->port, "tcp");
    wait_for(g_atomic_int_get(&server_go) != 0 && d->connections == 1);
    say(d, "{\"type\":\"tunnel\",\"op\":\"cut\",\"pipe_id\":\"pip_x\"}");
    is_int(agent_tunnels_count(d->tunnels), 1, "another one's cut is nothing");
    say(d, cut);
    is_int(agent_tunnels_count(d->tunnels), 0, what);
    wait_for(g_atomic_int_get(&server_code) != -1);
    is_int(server_code, code, "the leg says so");

    server_free(gateway);
    device_free(d);
}


static void
test_freed(void)
{
    device_t  *d = device_new(NULL, "127.0.0.1", "*.lan:%u;127.0.0.1:%u");

    d->resolver->answers = "127.0.0.1";
    want(d, '1', "anna", "app.lan", d->port, "tcp");
    want(d, '2', "anna", "127.0.0.1", d->port, "tcp");
    g_main_context_iteration(NULL, FALSE);
    g_clear_pointer(&d->tunnels, agent_tunnels_free);

    while (g_main_context_iteration(NULL, FALSE)) { }

    ok(TRUE, "freed while it dials");
    device_free(d);
}


static void
malformed(const char *text, const char *what)
{
    g_autoptr(agent_msg_t)  msg = NULL;

    msg = agent_msg_parse(AGENT_CHANNEL_AGENT, text, strlen(text), 0, NULL);
    ok(msg == NULL, "%s", what);
}


#define OPEN  "{\"type\":\"tunnel\",\"op\":\"open\",\"tunnel_id\":\"tun_a\","
#define REST  "\"pipe_id\":\"pip_a\",\"ticket\":\"t\",\"protocol\":\"tcp\","


static void
test_malformed(void)
{
    malformed("{\"type\":\"tunnel\",\"op\":\"cut\"}", "a cut of nothing");
    malformed("{\"type\":\"tunnel\",\"op\":\"close\",\"pipe_id\":\"pip_a\"}",
              "no such op");
    malformed(OPEN REST "\"target\":\"telnet\"}", "no such target");
    malformed(OPEN REST "\"target\":{\"host\":\"a\"}}", "no port");
    malformed(OPEN REST "\"target\":{\"port\":1}}", "no host");
    malformed(OPEN REST "\"target\":{\"host\":\"a\",\"port\":65536}}",
              "a port too high");
    malformed(OPEN "\"pipe_id\":\"pip_a\",\"ticket\":\"t\",\"protocol\":"
              "\"udp\",\"target\":\"shell\"}", "a terminal by datagrams");
    malformed(OPEN REST "\"target\":{\"command\":\"t\",\"args\":[]}}",
              "arguments that are none");
    malformed(OPEN "\"pipe_id\":\"pip_a b\",\"ticket\":\"t\",\"protocol\":"
              "\"tcp\",\"target\":\"shell\"}", "an id with a blank");
    malformed(OPEN "\"pipe_id\":\"pip_a\",\"protocol\":\"tcp\","
              "\"target\":\"shell\"}", "no ticket");
}


static GLogWriterOutput
quiet(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void) level;
    (void) fields;
    (void) n;
    (void) data;

    return G_LOG_WRITER_HANDLED;
}


int
main(void)
{
    signal(SIGPIPE, SIG_IGN);
    g_log_set_writer_func(quiet, NULL, NULL);

    test_malformed();
    test_connection("127.0.0.1");
    test_connection("::1");
    test_udp();
    test_refused();
    test_nothing_listed();
    test_rebind();
    test_own();
    test_once();
    test_unreachable();
    test_policy();
    test_shell();
    test_command();
    test_background();
    test_hidden();
    test_bound();
    test_consent();
    test_veto();
    test_veto_end();
    test_own_consent();
    test_cut("{\"type\":\"tunnel\",\"op\":\"cut\",\"pipe_id\":\"pip_c\","
             "\"reason\":\"acl\"}", 4410, "one connection is cut");
    test_cut("{\"type\":\"tunnel\",\"op\":\"cut\",\"tunnel_id\":\"" TUN "\"}",
             4410, "a tunnel is cut");
    test_freed();

    g_free(asked);
    g_free(banner);

    return done();
}
