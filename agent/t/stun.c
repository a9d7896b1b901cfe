
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Probes of STUN and TURN servers: the dialogue byte by byte, answers that
 * are none, and servers on loopback that answer, refuse, hang up, say nothing
 * or are not there.
 */

#include "agent_probe.h"
#include "agent_report.h"
#include "tap.h"

#include <string.h>


#define REALM  "example.test"
#define NONCE  "0123456789abcdef"


typedef enum {
    SERVER_TURN = 0,
    SERVER_OTHER_PASSWORD,
    SERVER_STALE,               /* another nonce, for ever */
    SERVER_V6,                  /* relays IPv6 only */
    SERVER_MUTE,
    SERVER_CLOSES,
    SERVER_HTTP
} server_e;


typedef struct {
    server_e      kind;
    agent_turn_t  turn;
    GSocket      *socket;       /* listens, or is UDP */
    GThread      *thread;
    GCancellable *stop;
    guint         goodbyes;
} server_t;


typedef struct {
    GMainLoop      *loop;
    agent_probe_t   probe;
} wait_t;


/* what a TURN server says to this question; 0 bytes: nothing */

static gsize
answer(server_t *s, const guint8 *in, gsize n, guint8 *out, gsize size)
{
    uint8_t         key[RS_STUN_KEY_LEN];
    rs_buf_t        b;
    uint32_t        v;
    const char     *password;
    rs_str_t        k;
    rs_stun_msg_t   m;
    rs_stun_addr_t  a = { RS_STUN_FAMILY_IPV4, 4711, { 192, 0, 2, 7 } };

    if (rs_stun_parse((rs_str_t) { (uint8_t *) in, n }, &m) != RS_OK) {
        return 0;
    }

    password = (s->kind == SERVER_OTHER_PASSWORD) ? "another" : "secret";
    k = (rs_str_t) { key, sizeof(key) };
    (void) rs_stun_key(key, rs_str("user"), rs_str(REALM), rs_str(password));

    rs_buf_init(&b, out, size);

    if (m.method == RS_STUN_REFRESH) {
        g_atomic_int_inc(&s->goodbyes);
        return 0;
    }

    if (m.method == RS_STUN_BINDING) {
        rs_stun_begin(&b, RS_STUN_SUCCESS, m.method, m.id.data);
        rs_stun_put_addr(&b, RS_STUN_A_XOR_MAPPED_ADDRESS, &a);
        return b.len;
    }

    if (rs_stun_verify(&m, k) != RS_OK) {
        rs_stun_begin(&b, RS_STUN_ERROR, m.method, m.id.data);
        rs_stun_put_error(&b, 401, rs_str("Unauthorized"));
        rs_stun_put(&b, RS_STUN_A_REALM, rs_str(REALM));
        rs_stun_put(&b, RS_STUN_A_NONCE, rs_str(NONCE));
        return b.len;
    }

    if (s->kind == SERVER_STALE) {
        rs_stun_begin(&b, RS_STUN_ERROR, m.method, m.id.data);
        rs_stun_put_error(&b, 438, rs_str("Stale nonce"));
        rs_stun_put(&b, RS_STUN_A_NONCE, rs_str(NONCE));
        return b.len;
    }

    if (s->kind == SERVER_V6
        && !(rs_stun_attr_u32(&m, RS_STUN_A_ADDRESS_FAMILY, &v)
             && v >> 24 == RS_STUN_FAMILY_IPV6))
    {
        rs_stun_begin(&b, RS_STUN_ERROR, m.method, m.id.data);
        rs_stun_put_error(&b, 440, rs_str("Unsupported family"));
        return b.len;
    }

    rs_stun_begin(&b, RS_STUN_SUCCESS, m.method, m.id.data);
    rs_stun_put_addr(&b, RS_STUN_A_XOR_MAPPED_ADDRESS, &a);
    (void) rs_stun_put_integrity(&b, k);

    return b.len;
}


static gpointer
serve_udp(gpointer data)
{
    gssize     n;
    gsize      len;
    guint8     in[2048], out[2048];
    server_t  *s = data;

    for ( ;; ) {
        g_autoptr(GSocketAddress)  from = NULL;

        n = g_socket_receive_from(s->socket, &from, (char *) in, sizeof(in),
                                  s->stop, NULL);
        if (n < 0) {
            return NULL;
        }

        if (s->kind == SERVER_MUTE) {
            continue;
        }

        len = (s->kind == SERVER_HTTP)
              ? (gsize) g_strlcpy((char *) out, "HTTP/1.1 400", sizeof(out))
              : answer(s, in, (gsize) n, out, sizeof(out));

        if (len != 0) {
            g_socket_send_to(s->socket, from, (char *) out, len, s->stop,
                             NULL);
        }
    }
}


/* byte by byte, as a network may */

static gpointer
serve_tcp(gpointer data)
{
    gsize                i, len;
    gssize               n;
    guint8               in[2048], out[2048];
    server_t            *s = data;
    g_autoptr(GSocket)   c = NULL;

    while ((c = g_socket_accept(s->socket, s->stop, NULL)) != NULL) {

        while (s->kind != SERVER_CLOSES) {
            n = g_socket_receive(c, (char *) in, sizeof(in), s->stop, NULL);

            if (n <= 0) {
                break;
            }

            if (s->kind == SERVER_MUTE) {
                continue;
            }

            len = (s->kind == SERVER_HTTP)
                  ? (gsize) g_strlcpy((char *) out, "HTTP/1.1 400 Bad\r\n",
                                      sizeof(out))
                  : answer(s, in, (gsize) n, out, sizeof(out));

            for (i = 0; i < len; i++) {
                g_socket_send(c, (char *) &out[i], 1, s->stop, NULL);
            }
        }

        g_clear_object(&c);
    }

    return NULL;
}


static void
server_start(server_t *s, server_e kind, agent_proto_e proto)
{
    g_autoptr(GInetAddress)    loopback = NULL;
    g_autoptr(GSocketAddress)  any = NULL;
    g_autoptr(GSocketAddress)  bound = NULL;

    memset(s, 0, sizeof(*s));
    s->kind = kind;
    s->stop = g_cancellable_new();
    loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    any = g_inet_socket_address_new(loopback, 0);
    s->socket = g_socket_new(G_SOCKET_FAMILY_IPV4,
                             proto == AGENT_PROTO_UDP ? G_SOCKET_TYPE_DATAGRAM
                                                      : G_SOCKET_TYPE_STREAM,
                             G_SOCKET_PROTOCOL_DEFAULT, NULL);

    if (!g_socket_bind(s->socket, any, TRUE, NULL)
        || (proto != AGENT_PROTO_UDP && !g_socket_listen(s->socket, NULL)))
    {
        printf("not ok - no socket\n");
        exit(1);
    }

    bound = g_socket_get_local_address(s->socket, NULL);
    s->turn.host = (char *) "127.0.0.1";
    s->turn.port = g_inet_socket_address_get_port(
                                               G_INET_SOCKET_ADDRESS(bound));
    s->turn.proto = proto;
    s->turn.username = (char *) "user";
    s->turn.credential = (char *) "secret";
    s->thread = g_thread_new("server", proto == AGENT_PROTO_UDP ? serve_udp
                                                                : serve_tcp,
                             s);
}


static void
server_stop(server_t *s)
{
    g_cancellable_cancel(s->stop);
    g_thread_join(s->thread);
    g_object_unref(s->socket);
    g_object_unref(s->stop);
}


static void
probed(GObject *source, GAsyncResult *result, gpointer data)
{
    wait_t  *wait = data;

    (void) source;

    agent_probe_finish(result, &wait->probe);
    g_main_loop_quit(wait->loop);
}


static agent_probe_t
probe(const agent_turn_t *turn, gboolean binding, GCancellable *cancel)
{
    wait_t              wait;
    agent_probe_way_t   way = { NULL, NULL };

    wait.loop = g_main_loop_new(NULL, FALSE);
    agent_probe_start(turn, binding, &way, cancel, probed, &wait);
    g_main_loop_run(wait.loop);
    g_main_loop_unref(wait.loop);

    return wait.probe;
}


static void
is_probe(server_e kind, agent_proto_e proto, agent_probe_e want,
    const char *name)
{
    server_t       s;
    agent_probe_t  got;

    server_start(&s, kind, proto);
    got = probe(&s.turn, FALSE, NULL);
    is_str(agent_probe_word(got.result), agent_probe_word(want), name);

    if (want == AGENT_PROBE_OK) {
        is_str(got.seen, "192.0.2.7:4711", "how it is seen");
        ok(got.detail == NULL, "and nothing to say");

        /* the last word of a probe is under way */
        while (proto == AGENT_PROTO_UDP
               && g_atomic_int_get(&s.goodbyes) == 0)
        {
            g_thread_yield();
        }

    } else {
        ok(got.detail != NULL, "in words: %s", got.detail);
    }

    server_stop(&s);
    agent_probe_clear(&got);
}


static void
test_servers(void)
{
    guint  i;

    static const agent_proto_e  ways[] = { AGENT_PROTO_UDP, AGENT_PROTO_TCP };

    for (i = 0; i < G_N_ELEMENTS(ways); i++) {
        is_probe(SERVER_TURN, ways[i], AGENT_PROBE_OK, "a TURN server");
        is_probe(SERVER_V6, ways[i], AGENT_PROBE_OK, "one that relays IPv6");
        is_probe(SERVER_OTHER_PASSWORD, ways[i], AGENT_PROBE_REFUSED,
                 "one with another secret");
        is_probe(SERVER_STALE, ways[i], AGENT_PROBE_STRANGE,
                 "one that never takes a nonce");
        is_probe(SERVER_HTTP, ways[i], AGENT_PROBE_STRANGE,
                 "one that is none");
        is_probe(SERVER_MUTE, ways[i], AGENT_PROBE_SILENT, "a silent one");
    }

    is_probe(SERVER_CLOSES, AGENT_PROTO_TCP, AGENT_PROBE_CLOSED,
             "one that hangs up");
    is_probe(SERVER_HTTP, AGENT_PROTO_TLS, AGENT_PROBE_TLS,
             "one without TLS, asked over TLS");
}


static void
test_nobody(void)
{
    server_t             s;
    agent_turn_t         turn;
    agent_probe_t        got;
    g_autoptr(GCancellable)  cancel = g_cancellable_new();

    server_start(&s, SERVER_TURN, AGENT_PROTO_UDP);
    got = probe(&s.turn, TRUE, NULL);
    is_str(agent_probe_word(got.result), "ok", "STUN");
    is_str(got.seen, "192.0.2.7:4711", "and the address it sees");
    agent_probe_clear(&got);

    turn = s.turn;
    server_stop(&s);
    got = probe(&turn, TRUE, NULL);
    is_str(agent_probe_word(got.result), "closed", "nobody at that port");
    agent_probe_clear(&got);

    turn.proto = AGENT_PROTO_TCP;
    got = probe(&turn, FALSE, NULL);
    is_str(agent_probe_word(got.result), "closed", "over TCP neither");
    agent_probe_clear(&got);

    turn.host = (char *) "no.such.name.invalid";
    got = probe(&turn, FALSE, NULL);
    is_str(agent_probe_word(got.result), "name", "a name nobody knows");
    agent_probe_clear(&got);

    server_start(&s, SERVER_MUTE, AGENT_PROTO_TCP);
    g_cancellable_cancel(cancel);
    got = probe(&s.turn, FALSE, cancel);
    ok(got.result == AGENT_PROBE_SILENT && got.ms < 3000,
       "cancelled: at once (%d ms)", got.ms);
    agent_probe_clear(&got);
    server_stop(&s);
}


/* bytes of strangers */

static agent_stun_e
take(agent_stun_t *s, const rs_buf_t *b, agent_probe_t *got)
{
    agent_probe_clear(got);
    memset(got, 0, sizeof(*got));

    return agent_stun_answer(s, b->data, b->len, got);
}


static void
test_answers(void)
{
    guint          i;
    guint8         out[2048], cut[2048];
    rs_buf_t       b;
    agent_turn_t   turn = { .host = (char *) "h", .port = 1,
                            .proto = AGENT_PROTO_UDP,
                            .username = (char *) "user",
                            .credential = (char *) "secret" };
    agent_stun_t   s;
    agent_probe_t  got;
    char           big[700];

    memset(&got, 0, sizeof(got));
    agent_stun_init(&s, &turn, FALSE);

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_SUCCESS, RS_STUN_ALLOCATE, s.id);
    is_int(take(&s, &b, &got), AGENT_STUN_DONE, "success at once");
    is_str(agent_probe_word(got.result), "strange", "is nobody's who knows");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_SUCCESS, RS_STUN_ALLOCATE,
                  (const uint8_t *) "another one.");
    is_int(take(&s, &b, &got), AGENT_STUN_IGNORE, "another transaction");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_SUCCESS, RS_STUN_BINDING, s.id);
    is_int(take(&s, &b, &got), AGENT_STUN_IGNORE, "another method");
    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_REQUEST, RS_STUN_ALLOCATE, s.id);
    is_int(take(&s, &b, &got), AGENT_STUN_IGNORE, "our own words");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_ERROR, RS_STUN_ALLOCATE, s.id);
    is_int(take(&s, &b, &got), AGENT_STUN_DONE, "an error without a number");
    is_str(agent_probe_word(got.result), "strange", "is strange");

    rs_stun_put_error(&b, 401, rs_str("x"));
    is_int(take(&s, &b, &got), AGENT_STUN_DONE, "401 without a nonce");
    is_str(agent_probe_word(got.result), "refused", "is a refusal");

    memset(big, 'n', sizeof(big));
    rs_stun_put(&b, RS_STUN_A_NONCE, (rs_str_t) { (uint8_t *) big,
                                                  AGENT_STUN_TEXT + 1 });
    is_int(take(&s, &b, &got), AGENT_STUN_DONE, "so is one too long a nonce");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_ERROR, RS_STUN_ALLOCATE, s.id);
    rs_stun_put_error(&b, 403, rs_str("a\x1b[31m\nb"));
    is_int(take(&s, &b, &got), AGENT_STUN_DONE, "words with escapes");
    is_str(got.detail, "the server answers 403 a?[31m?b", "are cleaned");
    is_int(got.code, 403, "and its number is kept");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_ERROR, RS_STUN_ALLOCATE, s.id);
    rs_stun_put_error(&b, 401, rs_str("x"));
    rs_stun_put(&b, RS_STUN_A_REALM, (rs_str_t) { (uint8_t *) big,
                                                  AGENT_STUN_TEXT });
    rs_stun_put(&b, RS_STUN_A_NONCE, (rs_str_t) { (uint8_t *) big,
                                                  AGENT_STUN_TEXT });

    for (i = 0; i < b.len; i++) {
        memcpy(cut, out, i);

        if (agent_stun_answer(&s, cut, i, &got) != AGENT_STUN_DONE
            || got.result != AGENT_PROBE_STRANGE)
        {
            ok(0, "cut after %u bytes", i);
        }
    }

    is_int(take(&s, &b, &got), AGENT_STUN_AGAIN, "as long as may be: taken");
    rs_buf_init(&b, out, AGENT_STUN_SIZE);
    ok(agent_stun_question(&s, &b), "and the question fits");
    agent_probe_clear(&got);
}


static void
add(GPtrArray *all, gboolean binding, agent_proto_e proto,
    agent_probe_e result, guint code)
{
    agent_checked_t  *one = g_new0(agent_checked_t, 1);

    one->url = (char *) "turn:t.test";
    one->binding = binding;
    one->proto = proto;
    one->probe.result = result;
    one->probe.code = code;
    one->probe.ms = 7;
    g_ptr_array_add(all, one);
}


static void
is_verdict(GPtrArray *all, gboolean want, const char *text)
{
    gboolean           works;
    g_autofree char   *said = agent_check_verdict(all, &works);

    ok(works == want && g_str_has_prefix(said, text), "%s", said);
}


static void
test_verdicts(void)
{
    guint                   i;
    g_autoptr(GPtrArray)    all = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(json_t)       list = NULL;

    is_verdict(all, FALSE, "the gateway has no TURN server");
    add(all, FALSE, AGENT_PROTO_UDP, AGENT_PROBE_SILENT, 0);
    is_verdict(all, FALSE, "no TURN server can be reached");
    add(all, TRUE, AGENT_PROTO_UDP, AGENT_PROBE_OK, 0);
    is_verdict(all, FALSE, "no TURN server can be used");
    add(all, FALSE, AGENT_PROTO_TLS, AGENT_PROBE_OK, 0);
    is_verdict(all, TRUE, "no TURN server answers over UDP, TURN over TLS");
    g_ptr_array_remove_index(all, 1);
    is_verdict(all, TRUE, "UDP is blocked, TURN over TLS is open");
    add(all, FALSE, AGENT_PROTO_UDP, AGENT_PROBE_OK, 0);
    is_verdict(all, TRUE, "UDP is open");

    g_ptr_array_set_size(all, 0);
    add(all, FALSE, AGENT_PROTO_TCP, AGENT_PROBE_OK, 0);
    is_verdict(all, TRUE, "there is no TURN server over UDP, TURN over TCP");
    g_ptr_array_set_size(all, 0);
    add(all, FALSE, AGENT_PROTO_UDP, AGENT_PROBE_REFUSED, 401);
    add(all, FALSE, AGENT_PROTO_TCP, AGENT_PROBE_REFUSED, 486);
    is_verdict(all, FALSE, "every TURN server refused the credential");

    for (i = AGENT_PROBE_NAME; i <= AGENT_PROBE_STRANGE; i++) {
        agent_checked_t  one = { .proto = AGENT_PROTO_UDP,
                                 .probe.result = i };

        ok(agent_check_cure(&one)[0] != '\0', "%s: %s", agent_probe_word(i),
           agent_check_cure(&one));
    }

    ok(strcmp(agent_check_cure(g_ptr_array_index(all, 0)),
              agent_check_cure(g_ptr_array_index(all, 1))) != 0,
       "a server that is full is another matter");

    list = agent_check_json(all);
    is_str(json_string_value(json_object_get(json_array_get(list, 1),
                                             "protocol")), "tcp",
           "as a report has it");
    is_int(json_integer_value(json_object_get(json_array_get(list, 1),
                                              "code")), 486, "with the code");
}


typedef struct {
    GMainLoop  *loop;
    guint       told;
    gsize       checks;
} told_t;


static void
told(void *data, const char *to, guint pc, json_t *checks)
{
    told_t  *t = data;

    ok(strcmp(to, "par_a") == 0 && pc == 1 + t->told, "who asked is told");
    t->checks = json_array_size(checks);

    if (++t->told == 2) {
        g_main_loop_quit(t->loop);
    }
}


/* two ask, one probe is made; a third gets the same at once */

static void
test_report(void)
{
    server_t             s;
    told_t               t = { g_main_loop_new(NULL, FALSE), 0, 0 };
    agent_ice_t          ice = { .turn = g_ptr_array_new() };
    agent_report_t      *report;
    agent_probe_way_t    way = { NULL, NULL };

    server_start(&s, SERVER_TURN, AGENT_PROTO_UDP);
    g_ptr_array_add(ice.turn, &s.turn);
    ice.stun = g_strdup_printf("stun://127.0.0.1:%u", s.turn.port);

    report = agent_report_new(told, &t);
    agent_report_ask(report, "par_a", 1, &ice, &way);
    agent_report_ask(report, "par_a", 2, &ice, &way);
    g_main_loop_run(t.loop);
    is_int(t.checks, 2, "STUN and TURN were tried");
    while (g_atomic_int_get(&s.goodbyes) == 0) {
        g_thread_yield();
    }
    server_stop(&s);

    agent_report_ask(report, "par_a", 3, &ice, &way);
    is_int(t.told, 3, "soon after: the same again");
    is_int(g_atomic_int_get(&s.goodbyes), 1, "and nothing was tried for it");
    agent_report_free(report);

    /* given up while under way: nobody is told */
    server_start(&s, SERVER_MUTE, AGENT_PROTO_TCP);
    report = agent_report_new(told, &t);
    agent_report_ask(report, "par_a", 4, &ice, &way);
    agent_report_free(report);
    while (g_main_context_iteration(NULL, FALSE)) { /* void */ }
    is_int(t.told, 3, "a session that ended tells nobody");
    server_stop(&s);

    report = agent_report_new(told, &t);
    agent_report_ask(report, "par_a", 4, NULL, &way);
    ok(t.told == 4 && t.checks == 0, "no servers yet: an empty report");
    agent_report_free(report);

    g_free(ice.stun);
    g_ptr_array_unref(ice.turn);
    g_main_loop_unref(t.loop);
}


int
main(void)
{
    test_verdicts();
    test_report();
    test_answers();
    test_nobody();
    test_servers();

    return done();
}
