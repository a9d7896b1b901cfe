
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the probes of one set of ICE servers that are under way together, and
 * what their results mean.
 */

#include "agent_check.h"

#include <string.h>


/* counted: the owner's reference, and one of each probe under way */

struct agent_checks_s {
    GPtrArray             *checked;
    guint                  left;
    GCancellable          *cancel;
    agent_checks_done_pt   done;
    void                  *data;
    guint                  idle;        /* nothing to try */
};


typedef struct {
    agent_checks_t   *checks;
    agent_checked_t  *one;              /* of checks->checked */
} agent_checks_probe_t;


static void agent_checked_free(gpointer data);
static void agent_checks_add(agent_checks_t *checks, const agent_turn_t *turn,
    gboolean binding, const agent_probe_way_t *way);
static void agent_checks_probed(GObject *source, GAsyncResult *result,
    gpointer data);
static gboolean agent_checks_nothing(gpointer data);
static void agent_checks_over(agent_checks_t *checks);
static void agent_checks_clear(gpointer data);


agent_checks_t *
agent_checks_new(const agent_ice_t *ice, const agent_probe_way_t *way,
    agent_checks_done_pt done, void *data)
{
    guint               i;
    agent_turn_t        stun;
    agent_checks_t     *checks;

    checks = g_rc_box_new0(agent_checks_t);
    checks->checked = g_ptr_array_new_with_free_func(agent_checked_free);
    checks->cancel = g_cancellable_new();
    checks->done = done;
    checks->data = data;

    memset(&stun, 0, sizeof(stun));

    if (ice->stun != NULL
        && agent_ice_stun(ice, &stun.host, &stun.port))
    {
        agent_checks_add(checks, &stun, TRUE, way);
        g_free(stun.host);
    }

    for (i = 0; i < ice->turn->len; i++) {
        agent_checks_add(checks, g_ptr_array_index(ice->turn, i), FALSE, way);
    }

    if (checks->left == 0) {
        checks->idle = g_idle_add(agent_checks_nothing, checks);
    }

    return checks;
}


static void
agent_checks_add(agent_checks_t *checks, const agent_turn_t *turn,
    gboolean binding, const agent_probe_way_t *way)
{
    agent_checked_t       *one;
    agent_checks_probe_t  *probe;

    one = g_new0(agent_checked_t, 1);
    one->binding = binding;
    one->proto = turn->proto;
    one->url = g_strdup_printf(strchr(turn->host, ':') ? "%s:[%s]:%u%s"
                                                       : "%s:%s:%u%s",
                               binding ? "stun"
                               : turn->proto == AGENT_PROTO_TLS ? "turns"
                                                                : "turn",
                               turn->host, turn->port,
                               binding ? ""
                               : turn->proto == AGENT_PROTO_UDP
                                 ? "?transport=udp" : "?transport=tcp");
    g_ptr_array_add(checks->checked, one);

    probe = g_new0(agent_checks_probe_t, 1);
    probe->checks = g_rc_box_acquire(checks);
    probe->one = one;
    checks->left++;

    agent_probe_start(turn, binding, way, checks->cancel, agent_checks_probed,
                      probe);
}


static void
agent_checks_probed(GObject *source, GAsyncResult *result, gpointer data)
{
    agent_checks_t        *checks;
    agent_checks_probe_t  *probe = data;

    (void) source;

    checks = probe->checks;
    agent_probe_finish(result, &probe->one->probe);
    g_free(probe);

    if (--checks->left == 0) {
        agent_checks_over(checks);
    }

    g_rc_box_release_full(checks, agent_checks_clear);
}


static gboolean
agent_checks_nothing(gpointer data)
{
    agent_checks_t  *checks = data;

    checks->idle = 0;
    agent_checks_over(checks);

    return G_SOURCE_REMOVE;
}


/* done may free them */

static void
agent_checks_over(agent_checks_t *checks)
{
    if (checks->done != NULL) {
        checks->done(checks->data, g_steal_pointer(&checks->checked));
    }
}


void
agent_checks_free(agent_checks_t *checks)
{
    checks->done = NULL;
    g_clear_handle_id(&checks->idle, g_source_remove);
    g_cancellable_cancel(checks->cancel);
    g_rc_box_release_full(checks, agent_checks_clear);
}


static void
agent_checks_clear(gpointer data)
{
    agent_checks_t  *checks = data;

    g_clear_pointer(&checks->checked, g_ptr_array_unref);
    g_object_unref(checks->cancel);
}


static void
agent_checked_free(gpointer data)
{
    agent_checked_t  *one = data;

    agent_probe_clear(&one->probe);
    g_free(one->url);
    g_free(one);
}


char *
agent_check_verdict(const GPtrArray *checked, gboolean *works)
{
    guint                   i, n, ok[AGENT_PROTO_TLS + 1];
    guint                   tried[AGENT_PROTO_TLS + 1], refused, stun;
    const agent_checked_t  *one;

    n = refused = stun = 0;
    memset(ok, 0, sizeof(ok));
    memset(tried, 0, sizeof(tried));

    for (i = 0; i < checked->len; i++) {
        one = g_ptr_array_index(checked, i);

        if (one->binding) {
            stun += (one->probe.result == AGENT_PROBE_OK);
            continue;
        }

        n++;
        tried[one->proto]++;
        ok[one->proto] += (one->probe.result == AGENT_PROBE_OK);
        refused += (one->probe.result == AGENT_PROBE_REFUSED);
    }

    *works = ok[AGENT_PROTO_UDP] || ok[AGENT_PROTO_TCP]
             || ok[AGENT_PROTO_TLS];

    if (n == 0) {
        return g_strdup("the gateway has no TURN server: only direct "
                        "connections are possible");
    }

    if (ok[AGENT_PROTO_UDP]) {
        return g_strdup("UDP is open: sessions take the best way");
    }

    if (refused == n) {
        return g_strdup("every TURN server refused the credential: their "
                        "secret or clock is not the gateway's");
    }

    if (*works) {
        return g_strdup_printf("%s, TURN over %s is open: sessions work, and "
                               "may stutter",
                               stun ? "no TURN server answers over UDP"
                               : tried[AGENT_PROTO_UDP] ? "UDP is blocked"
                               : "there is no TURN server over UDP",
                               ok[AGENT_PROTO_TCP] ? "TCP" : "TLS");
    }

    return g_strdup(stun ? "no TURN server can be used: only direct "
                           "connections are possible"
                         : "no TURN server can be reached from here");
}


const char *
agent_check_cure(const agent_checked_t *one)
{
    switch (one->probe.result) {

    case AGENT_PROBE_NAME:
        return "check this machine's DNS, and the name in the gateway's "
               "rs_turn_server";

    case AGENT_PROBE_SILENT:
        return (one->proto == AGENT_PROTO_UDP)
               ? "let UDP to that port out of this network; TURN over TCP or "
                 "TLS serves without it"
               : "let TCP to that port out of this network, or use a proxy";

    case AGENT_PROBE_CLOSED:
        return "nobody listens there, or a firewall refuses: look at the TURN "
               "server, then at this network";

    case AGENT_PROBE_TLS:
        return "the certificate is not for that name, not of a CA known here "
               "(ca_file), or something on the way takes TLS apart";

    case AGENT_PROBE_REFUSED:
        return (one->probe.code == 486 || one->probe.code == 508)
               ? "the TURN server is full: its quotas"
               : "TURN server and gateway need the same secret or key, realm "
                 "and time";

    case AGENT_PROBE_STRANGE:
        return "that port belongs to another service, or a firewall answers "
               "in its place";

    default:
        return "nothing to do";
    }
}


json_t *
agent_check_json(const GPtrArray *checked)
{
    guint                   i;
    json_t                 *list, *obj;
    const agent_checked_t  *one;

    list = json_array();

    for (i = 0; i < checked->len; i++) {
        one = g_ptr_array_index(checked, i);

        obj = json_pack("{s:s, s:s, s:s, s:s}",
                        "kind", one->binding ? "stun" : "turn",
                        "protocol", agent_proto_name(one->proto),
                        "url", one->url,
                        "result", agent_probe_word(one->probe.result));

        if (one->probe.result == AGENT_PROBE_OK) {
            json_object_set_new(obj, "ms", json_integer(one->probe.ms));
        }

        if (one->probe.code != 0) {
            json_object_set_new(obj, "code", json_integer(one->probe.code));
        }

        json_array_append_new(list, obj);
    }

    return list;
}
