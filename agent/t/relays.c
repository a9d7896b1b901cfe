
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Distances of relays, which are played: one that answers at once, one that
 * takes its time, one that says nothing, one that answers with noise first.
 */

#include "agent_relays.h"
#include "tap.h"

#include "rs_stun.h"

#include <string.h>


typedef enum {
    NEAR,
    FAR,
    DEAF,
    NOISY,
    SECOND
} manner_e;


typedef struct {
    GSocket         *socket;
    GSource         *source;
    manner_e         manner;
    char            *ip;
    guint16          port;
    guint            asked;
    guint            timer;
    guint8           id[RS_STUN_ID_LEN];
    GSocketAddress  *peer;
} relay_t;


static gboolean
answer(gpointer data)
{
    char       bytes[64];
    relay_t   *r = data;
    rs_buf_t   b;

    r->timer = 0;
    rs_buf_init(&b, bytes, sizeof(bytes));
    rs_stun_begin(&b, RS_STUN_SUCCESS, RS_STUN_BINDING, r->id);
    (void) g_socket_send_to(r->socket, r->peer, bytes, b.len, NULL, NULL);

    return G_SOURCE_REMOVE;
}


static gboolean
on_request(GSocket *socket, GIOCondition condition, gpointer data)
{
    char             bytes[256];
    gssize           n;
    relay_t         *r = data;
    rs_buf_t         b;
    rs_stun_msg_t    m;
    static guint8    other[RS_STUN_ID_LEN];

    (void) condition;

    g_clear_object(&r->peer);
    n = g_socket_receive_from(socket, &r->peer, bytes, sizeof(bytes), NULL,
                              NULL);

    if (n <= 0 || rs_stun_parse((rs_str_t) { (uint8_t *) bytes, (size_t) n },
                                &m) != RS_OK)
    {
        return G_SOURCE_CONTINUE;
    }

    r->asked++;
    memcpy(r->id, m.id.data, RS_STUN_ID_LEN);

    switch (r->manner) {

    case NEAR:
        (void) answer(r);
        break;

    case FAR:
        if (r->timer == 0) {
            r->timer = g_timeout_add(120, answer, r);
        }

        break;

    case NOISY:
        (void) g_socket_send_to(socket, r->peer, "\x01", 1, NULL, NULL);
        (void) g_socket_send_to(socket, r->peer, bytes, n, NULL, NULL);
        rs_buf_init(&b, bytes, sizeof(bytes));
        rs_stun_begin(&b, RS_STUN_SUCCESS, RS_STUN_BINDING, other);
        (void) g_socket_send_to(socket, r->peer, bytes, b.len, NULL, NULL);
        break;

    case SECOND:
        if (r->asked == 2) {
            (void) answer(r);
        }

        break;

    case DEAF:
        break;
    }

    return G_SOURCE_CONTINUE;
}


static relay_t *
play(manner_e manner, const char *ip)
{
    relay_t                    *r = g_new0(relay_t, 1);
    g_autoptr(GInetAddress)     address = g_inet_address_new_from_string(ip);
    g_autoptr(GSocketAddress)   any = g_inet_socket_address_new(address, 0);
    g_autoptr(GSocketAddress)   own = NULL;

    r->manner = manner;
    r->ip = g_strdup(ip);
    r->socket = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                             G_SOCKET_PROTOCOL_UDP, NULL);
    g_assert_true(g_socket_bind(r->socket, any, FALSE, NULL));
    own = g_socket_get_local_address(r->socket, NULL);
    r->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(own));
    r->source = g_socket_create_source(r->socket, G_IO_IN, NULL);
    g_source_set_callback(r->source, G_SOURCE_FUNC(on_request), r, NULL);
    g_source_attach(r->source, NULL);

    return r;
}


static void
end(relay_t *r)
{
    g_clear_handle_id(&r->timer, g_source_remove);
    g_source_destroy(r->source);
    g_source_unref(r->source);
    g_clear_object(&r->peer);
    g_object_unref(r->socket);
    g_free(r->ip);
    g_free(r);
}


static agent_ice_t *
offer(relay_t *const *relays, gsize n)
{
    gsize               i;
    agent_ice_t        *ice;
    g_autoptr(GString)  text = g_string_new("{\"iceServers\":[");
    g_autoptr(json_t)   obj = NULL;

    for (i = 0; i < n; i++) {
        g_string_append_printf(text, "%s{\"urls\":[\"turn:%s:%u\","
                               "\"turn:%s:%u?transport=tcp\"],"
                               "\"username\":\"u\",\"credential\":\"c\"}",
                               i ? "," : "", relays[i]->ip, relays[i]->port,
                               relays[i]->ip, relays[i]->port);
    }

    g_string_append(text, "],\"iceTransportPolicy\":\"all\",\"ttl_s\":300}");
    obj = agent_json_load(text->str, text->len, 65536, NULL);
    ice = agent_ice_parse(obj, 0, NULL);

    return ice;
}


static void
on_done(void *data)
{
    guint  *calls = data;

    (*calls)++;
}


/* until done() was called; gives how often */

static guint
measure(agent_relays_t *relays, agent_ice_t *ice)
{
    guint           calls;
    gint64          until_us;
    agent_survey_t  *probe;

    calls = 0;
    until_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    probe = agent_relays_order(relays, ice, on_done, &calls);

    if (probe == NULL) {
        return 0;
    }

    while (calls == 0 && g_get_monotonic_time() < until_us) {
        g_main_context_iteration(NULL, TRUE);
    }

    while (g_main_context_iteration(NULL, FALSE)) {
        /* nothing more may come */
    }

    agent_survey_free(probe);

    return calls;
}


static const char *
first(const agent_ice_t *ice)
{
    return ((agent_turn_t *) g_ptr_array_index(ice->turn, 0))->host;
}


int
main(void)
{
    guint                       before;
    relay_t                    *r[5];
    agent_turn_t               *turn;
    agent_survey_t              *probe;
    g_autoptr(agent_ice_t)      ice = NULL, again = NULL, one = NULL;
    g_autoptr(agent_ice_t)      deaf = NULL, late = NULL, noisy = NULL;
    agent_relays_t             *relays = agent_relays_new();

    r[0] = play(FAR, "127.0.0.11");
    r[1] = play(NEAR, "127.0.0.12");
    r[2] = play(DEAF, "127.0.0.13");
    r[3] = play(NOISY, "127.0.0.14");
    r[4] = play(SECOND, "127.0.0.15");

    one = offer(r, 1);
    is_int(measure(relays, one), 0, "one relay: nothing to choose");
    is_int(r[0]->asked, 0, "nobody is asked");

    ice = offer(r, 2);
    is_int(measure(relays, ice), 1, "two: they are measured, once");
    is_str(first(ice), "127.0.0.12", "the nearer one is first");
    is_int(ice->turn->len, 4, "with the other behind it");
    turn = g_ptr_array_index(ice->turn, 3);
    ok(turn->rtt_ms >= 100, "whose distance is known, over TCP, too");
    is_str(turn->address, "127.0.0.11", "and its address");

    before = r[0]->asked;
    again = offer(r, 2);
    is_int(measure(relays, again), 0, "known: not measured again");
    is_str(first(again), "127.0.0.12", "and ordered");
    is_int(r[0]->asked, before, "without a word");

    agent_relays_forget(relays);
    deaf = offer(&r[2], 2);
    is_int(measure(relays, deaf), 1, "no answer, or noise: done in time");
    is_str(first(deaf), "127.0.0.13", "the order stays");
    is_int(r[2]->asked, 3, "after three questions");

    late = offer(&r[3], 2);
    is_int(measure(relays, late), 1, "an answer to the second question");
    is_str(first(late), "127.0.0.15", "counts");

    agent_relays_forget(relays);
    noisy = offer(r, 5);
    probe = agent_relays_order(relays, noisy, on_done, &before);
    ok(probe != NULL, "a probe that is not waited for");
    agent_survey_free(probe);

    while (g_main_context_iteration(NULL, FALSE)) {
        /* it says nothing more */
    }

    for (before = 0; before < G_N_ELEMENTS(r); before++) {
        end(r[before]);
    }

    agent_relays_free(relays);

    return done();
}
