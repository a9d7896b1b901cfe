
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the sockets that measure, one for each host, and the distances that
 * were found.
 *
 *     host -> address -> request, again after 0.2 and 0.5 s -> answer
 *
 * All of it has a second: an offer may be waiting for it.  What did not answer
 * by then is remembered as that, for a shorter while.
 */

#define G_LOG_DOMAIN  "rs-relays"

#include "agent_relays.h"

#include "rs_stun.h"

#include <openssl/rand.h>
#include <string.h>


#define AGENT_RELAYS_TRIES     3
#define AGENT_RELAYS_LIMIT_MS  1000
#define AGENT_RELAYS_KEEP_US   (600 * G_USEC_PER_SEC)
#define AGENT_RELAYS_DEAF_US   (60 * G_USEC_PER_SEC)    /* no answer */
#define AGENT_RELAYS_KNOWN     64


typedef struct {
    gint             rtt_ms;        /* -1: no answer */
    char            *address;       /* or NULL */
    gint64           until_us;
} agent_distance_t;


struct agent_relays_s {
    GHashTable      *known;         /* host -> agent_distance_t */
};


typedef struct {
    agent_survey_t   *probe;
    char            *host;
    guint16          port;
    GCancellable    *cancel;
    GSocket         *socket;
    GSource         *source;
    guint            timer;
    guint            tries;
    guint8           ids[AGENT_RELAYS_TRIES][RS_STUN_ID_LEN];
    gint64           sent_us[AGENT_RELAYS_TRIES];
    char            *address;
    gint             rtt_ms;
} agent_target_t;


struct agent_survey_s {
    agent_relays_t  *relays;
    agent_ice_t     *ice;
    void           (*done)(void *data);
    void            *data;

    GPtrArray       *targets;
    guint            limit;
    guint            ready;         /* source of done() */
};


static void agent_distance_free(gpointer data);
static void agent_target_free(gpointer data);
static gboolean agent_relays_apply(agent_relays_t *relays, agent_ice_t *ice);
static agent_target_t *agent_survey_find(agent_survey_t *probe,
    const char *host);
static void agent_survey_target(agent_survey_t *probe,
    const agent_turn_t *turn);
static void agent_survey_resolved(GObject *resolver, GAsyncResult *result,
    gpointer data);
static gboolean agent_survey_open(agent_target_t *target,
    GInetAddress *address);
static gboolean agent_survey_send(gpointer data);
static gboolean agent_survey_readable(GSocket *socket, GIOCondition condition,
    gpointer data);
static gboolean agent_survey_answer(agent_target_t *target, rs_str_t bytes);
static void agent_survey_check(agent_survey_t *probe);
static gboolean agent_survey_late(gpointer data);
static gboolean agent_survey_ready(gpointer data);


agent_relays_t *
agent_relays_new(void)
{
    agent_relays_t  *relays;

    relays = g_new0(agent_relays_t, 1);
    relays->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          agent_distance_free);

    return relays;
}


void
agent_relays_free(agent_relays_t *relays)
{
    g_hash_table_unref(relays->known);
    g_free(relays);
}


void
agent_relays_forget(agent_relays_t *relays)
{
    g_hash_table_remove_all(relays->known);
}


static void
agent_distance_free(gpointer data)
{
    agent_distance_t  *distance = data;

    g_free(distance->address);
    g_free(distance);
}


/* FALSE: there is a host of which nothing is known */

static gboolean
agent_relays_apply(agent_relays_t *relays, agent_ice_t *ice)
{
    guint              i, j;
    gint64             now_us;
    gboolean           all;
    agent_turn_t      *turn, *other;
    agent_distance_t  *distance;

    all = TRUE;
    now_us = g_get_monotonic_time();

    for (i = 0; i < ice->turn->len; i++) {
        turn = g_ptr_array_index(ice->turn, i);

        if (turn->proto != AGENT_PROTO_UDP) {
            continue;
        }

        distance = g_hash_table_lookup(relays->known, turn->host);

        if (distance == NULL || distance->until_us < now_us) {
            all = FALSE;
            continue;
        }

        /* a host's other URLs are as far */

        for (j = 0; j < ice->turn->len; j++) {
            other = g_ptr_array_index(ice->turn, j);

            if (strcmp(other->host, turn->host) == 0) {
                other->rtt_ms = distance->rtt_ms;
                g_free(other->address);
                other->address = g_strdup(distance->address);
            }
        }
    }

    return all;
}


agent_survey_t *
agent_relays_order(agent_relays_t *relays, agent_ice_t *ice,
    void (*done)(void *data), void *data)
{
    guint                i;
    gboolean             several;
    agent_survey_t       *probe;
    const agent_turn_t  *turn, *first;

    several = FALSE;

    for (i = 1; i < ice->turn->len; i++) {
        first = g_ptr_array_index(ice->turn, 0);
        turn = g_ptr_array_index(ice->turn, i);
        several = several || strcmp(turn->host, first->host) != 0;
    }

    if (!several || agent_relays_apply(relays, ice)) {
        agent_ice_order(ice);
        return NULL;
    }

    probe = g_new0(agent_survey_t, 1);
    probe->relays = relays;
    probe->ice = ice;
    probe->done = done;
    probe->data = data;
    probe->targets = g_ptr_array_new_with_free_func(agent_target_free);
    probe->limit = g_timeout_add(AGENT_RELAYS_LIMIT_MS, agent_survey_late,
                                 probe);

    for (i = 0; i < ice->turn->len; i++) {
        turn = g_ptr_array_index(ice->turn, i);

        if (turn->proto == AGENT_PROTO_UDP
            && probe->targets->len < AGENT_RELAYS_HOSTS
            && agent_survey_find(probe, turn->host) == NULL)
        {
            agent_survey_target(probe, turn);
        }
    }

    return probe;
}


static agent_target_t *
agent_survey_find(agent_survey_t *probe, const char *host)
{
    guint            i;
    agent_target_t  *target;

    for (i = 0; i < probe->targets->len; i++) {
        target = g_ptr_array_index(probe->targets, i);

        if (strcmp(target->host, host) == 0) {
            return target;
        }
    }

    return NULL;
}


static void
agent_survey_target(agent_survey_t *probe, const agent_turn_t *turn)
{
    agent_target_t           *target;
    g_autoptr(GResolver)      resolver = NULL;
    g_autoptr(GInetAddress)   address = NULL;

    target = g_new0(agent_target_t, 1);
    target->probe = probe;
    target->host = g_strdup(turn->host);
    target->port = turn->port;
    target->cancel = g_cancellable_new();
    target->rtt_ms = -1;
    g_ptr_array_add(probe->targets, target);

    address = g_inet_address_new_from_string(turn->host);

    if (address != NULL) {
        if (!agent_survey_open(target, address)) {
            agent_survey_check(probe);
        }

        return;
    }

    resolver = g_resolver_get_default();
    g_resolver_lookup_by_name_async(resolver, turn->host, target->cancel,
                                    agent_survey_resolved, target);
}


/* cancelled: the target is gone */

static void
agent_survey_resolved(GObject *resolver, GAsyncResult *result, gpointer data)
{
    GList              *list;
    agent_target_t     *target = data;
    g_autoptr(GError)   error = NULL;

    list = g_resolver_lookup_by_name_finish(G_RESOLVER(resolver), result,
                                            &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        return;
    }

    if (list == NULL || !agent_survey_open(target, list->data)) {
        target->tries = AGENT_RELAYS_TRIES;
        agent_survey_check(target->probe);
    }

    g_resolver_free_addresses(list);
}


static gboolean
agent_survey_open(agent_target_t *target, GInetAddress *address)
{
    g_autoptr(GSocketAddress)  peer = NULL;

    target->address = g_inet_address_to_string(address);
    target->socket = g_socket_new(g_inet_address_get_family(address),
                                  G_SOCKET_TYPE_DATAGRAM,
                                  G_SOCKET_PROTOCOL_UDP, NULL);
    if (target->socket == NULL) {
        target->tries = AGENT_RELAYS_TRIES;
        return FALSE;
    }

    g_socket_set_blocking(target->socket, FALSE);
    peer = g_inet_socket_address_new(address, target->port);

    if (!g_socket_connect(target->socket, peer, NULL, NULL)) {
        target->tries = AGENT_RELAYS_TRIES;
        return FALSE;
    }

    target->source = g_socket_create_source(target->socket, G_IO_IN, NULL);
    g_source_set_callback(target->source,
                          G_SOURCE_FUNC(agent_survey_readable), target, NULL);
    g_source_attach(target->source, NULL);

    (void) agent_survey_send(target);

    return TRUE;
}


static gboolean
agent_survey_send(gpointer data)
{
    char             bytes[RS_STUN_HEADER];
    guint            n;
    rs_buf_t         b;
    agent_target_t  *target = data;

    static const guint  next_ms[AGENT_RELAYS_TRIES] = { 200, 300, 0 };

    n = target->tries++;
    target->timer = 0;

    if (RAND_bytes(target->ids[n], RS_STUN_ID_LEN) != 1) {
        return G_SOURCE_REMOVE;
    }

    rs_buf_init(&b, bytes, sizeof(bytes));
    rs_stun_begin(&b, RS_STUN_REQUEST, RS_STUN_BINDING, target->ids[n]);

    target->sent_us[n] = g_get_monotonic_time();
    (void) g_socket_send(target->socket, bytes, b.len, NULL, NULL);

    if (next_ms[n] != 0) {
        target->timer = g_timeout_add(next_ms[n], agent_survey_send, target);
    }

    return G_SOURCE_REMOVE;
}


static gboolean
agent_survey_readable(GSocket *socket, GIOCondition condition, gpointer data)
{
    char             bytes[1500];
    gssize           n;
    agent_target_t  *target = data;

    (void) condition;

    n = g_socket_receive(socket, bytes, sizeof(bytes), NULL, NULL);

    if (n <= 0 || !agent_survey_answer(target, (rs_str_t) { (uint8_t *) bytes,
                                                           (size_t) n }))
    {
        /* refused, or somebody else's: the others may still come */
        return G_SOURCE_CONTINUE;
    }

    g_clear_handle_id(&target->timer, g_source_remove);
    agent_survey_check(target->probe);

    return G_SOURCE_REMOVE;
}


/* an error is as far away as a success */

static gboolean
agent_survey_answer(agent_target_t *target, rs_str_t bytes)
{
    guint          i;
    rs_stun_msg_t  m;

    if (rs_stun_parse(bytes, &m) != RS_OK || m.method != RS_STUN_BINDING
        || (m.cls != RS_STUN_SUCCESS && m.cls != RS_STUN_ERROR))
    {
        return FALSE;
    }

    for (i = 0; i < target->tries; i++) {
        if (memcmp(m.id.data, target->ids[i], RS_STUN_ID_LEN) == 0) {
            target->rtt_ms = (gint) ((g_get_monotonic_time()
                                      - target->sent_us[i]) / 1000);
            return TRUE;
        }
    }

    return FALSE;
}


/* all have answered: told from the main loop */

static void
agent_survey_check(agent_survey_t *probe)
{
    guint            i;
    agent_target_t  *target;

    for (i = 0; i < probe->targets->len; i++) {
        target = g_ptr_array_index(probe->targets, i);

        if (target->rtt_ms < 0 && (target->socket != NULL
                                   || target->tries < AGENT_RELAYS_TRIES))
        {
            return;
        }
    }

    if (probe->ready == 0) {
        probe->ready = g_idle_add_full(G_PRIORITY_DEFAULT, agent_survey_ready,
                                       probe, NULL);
    }
}


static gboolean
agent_survey_late(gpointer data)
{
    agent_survey_t  *probe = data;

    probe->limit = 0;
    (void) agent_survey_ready(probe);

    return G_SOURCE_REMOVE;
}


/* remembers and orders; the last thing: done() may free the probe */

static gboolean
agent_survey_ready(gpointer data)
{
    guint                 i;
    gint64                now_us;
    agent_survey_t        *probe = data;
    agent_target_t       *target;
    agent_distance_t     *distance;
    g_autoptr(GString)    said = g_string_new(NULL);

    g_clear_handle_id(&probe->limit, g_source_remove);
    probe->ready = 0;
    now_us = g_get_monotonic_time();

    if (g_hash_table_size(probe->relays->known) > AGENT_RELAYS_KNOWN) {
        agent_relays_forget(probe->relays);
    }

    for (i = 0; i < probe->targets->len; i++) {
        target = g_ptr_array_index(probe->targets, i);

        distance = g_new0(agent_distance_t, 1);
        distance->rtt_ms = target->rtt_ms;
        distance->address = g_strdup(target->address);
        distance->until_us = now_us + (target->rtt_ms < 0
                                       ? AGENT_RELAYS_DEAF_US
                                       : AGENT_RELAYS_KEEP_US);
        g_hash_table_insert(probe->relays->known, g_strdup(target->host),
                            distance);

        g_string_append_printf(said, target->rtt_ms < 0
                                     ? "%s%s: no answer" : "%s%s: %d ms",
                               i ? ", " : "", target->host, target->rtt_ms);
    }

    g_message("relays, as far as they are: %s", said->str);

    (void) agent_relays_apply(probe->relays, probe->ice);
    agent_ice_order(probe->ice);
    probe->done(probe->data);

    return G_SOURCE_REMOVE;
}


void
agent_survey_free(agent_survey_t *probe)
{
    g_clear_handle_id(&probe->limit, g_source_remove);
    g_clear_handle_id(&probe->ready, g_source_remove);
    g_ptr_array_unref(probe->targets);
    g_free(probe);
}


static void
agent_target_free(gpointer data)
{
    agent_target_t  *target = data;

    g_cancellable_cancel(target->cancel);
    g_clear_handle_id(&target->timer, g_source_remove);

    if (target->source != NULL) {
        g_source_destroy(target->source);
        g_source_unref(target->source);
    }

    g_clear_object(&target->socket);
    g_object_unref(target->cancel);
    g_free(target->address);
    g_free(target->host);
    g_free(target);
}
