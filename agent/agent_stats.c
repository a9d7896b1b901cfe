
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what is known about the statistics of webrtcbin 1.22, and their
 * faults.
 */

#include "agent_stats.h"
#include "agent_turn_shim.h"

#include <gst/webrtc/webrtc.h>
#include <math.h>
#include <string.h>


#define AGENT_STATS_PREF_TCP  20        /* libnice: relay over TCP; UDP: 30 */


typedef struct {
    const GstStructure  *all;
    const GstStructure  *pair;
    int                  rtt_ms;        /* -1: unknown */
    double               loss;          /* -1: unknown */
} agent_stats_t;


static gboolean agent_stats_read(GQuark field, const GValue *value,
    gpointer data);
static const GstStructure *agent_stats_end(const agent_stats_t *stats,
    const char *name);
static agent_proto_e agent_stats_relay_proto(const GstStructure *local);


/*
 * The one selected pair, found by its names: the "type" of the candidates
 * is swapped in GStreamer 1.22.
 */

static gboolean
agent_stats_read(GQuark field, const GValue *value, gpointer data)
{
    double                rtt;
    agent_stats_t        *stats = data;
    GstWebRTCStatsType    type;
    const GstStructure   *stat;

    (void) field;

    if (!GST_VALUE_HOLDS_STRUCTURE(value)) {
        return TRUE;
    }

    stat = gst_value_get_structure(value);

    if (!gst_structure_get(stat, "type", GST_TYPE_WEBRTC_STATS_TYPE, &type,
                           NULL))
    {
        return TRUE;
    }

    if (type == GST_WEBRTC_STATS_CANDIDATE_PAIR) {
        stats->pair = stat;
    }

    if (type == GST_WEBRTC_STATS_REMOTE_INBOUND_RTP
        && g_strcmp0(gst_structure_get_string(stat, "kind"), "audio") != 0)
    {
        if (gst_structure_get_double(stat, "round-trip-time", &rtt)
            && rtt > 0)
        {
            stats->rtt_ms = (int) ceil(rtt * 1000);
        }

        gst_structure_get_double(stat, "fraction-lost", &stats->loss);
    }

    return TRUE;
}


static const GstStructure *
agent_stats_end(const agent_stats_t *stats, const char *name)
{
    const char    *id;
    const GValue  *value;

    id = gst_structure_get_string(stats->pair, name);
    value = (id != NULL) ? gst_structure_get_value(stats->all, id) : NULL;

    return (value != NULL && GST_VALUE_HOLDS_STRUCTURE(value))
           ? gst_value_get_structure(value) : NULL;
}


/*
 * How the local relay candidate reaches its server.  1.22 says "none", but
 * libnice gives relays over UDP and TCP different type preferences, and TLS
 * is where the shim listens.
 */

static agent_proto_e
agent_stats_relay_proto(const GstStructure *local)
{
    guint        priority;
    const char  *url;

    url = gst_structure_get_string(local, "url");

    if (url != NULL && strstr(url, AGENT_SHIM_ADDRESS) != NULL) {
        return AGENT_PROTO_TLS;
    }

    if (gst_structure_get_uint(local, "priority", &priority)
        && priority >> 24 == AGENT_STATS_PREF_TCP)
    {
        return AGENT_PROTO_TCP;
    }

    return AGENT_PROTO_UDP;
}


gboolean
agent_stats_path(const GstStructure *all, agent_path_t *path)
{
    agent_stats_t         stats = { all, NULL, -1, -1 };
    const char           *near, *far, *server;
    const GstStructure   *local, *remote;

    gst_structure_foreach(all, agent_stats_read, &stats);

    if (stats.pair == NULL) {
        return FALSE;
    }

    local = agent_stats_end(&stats, "local-candidate-id");
    remote = agent_stats_end(&stats, "remote-candidate-id");

    if (local == NULL || remote == NULL) {
        return FALSE;
    }

    near = gst_structure_get_string(local, "candidate-type");
    far = gst_structure_get_string(remote, "candidate-type");

    if (near == NULL || far == NULL) {
        return FALSE;
    }

    memset(path, 0, sizeof(agent_path_t));
    agent_path_set(path, near, far, agent_stats_relay_proto(local),
                   stats.rtt_ms);

    server = gst_structure_get_string(local, "url");

    /* the shim's says nothing of what is behind it */

    if (strcmp(path->local, "relay") == 0 && server != NULL
        && g_hostname_is_ip_address(server)
        && strcmp(server, AGENT_SHIM_ADDRESS) != 0)
    {
        g_strlcpy(path->server, server, sizeof(path->server));
    }

    return TRUE;
}


gboolean
agent_stats_receiver(const GstStructure *all, double *loss, int *rtt_ms)
{
    agent_stats_t  stats = { all, NULL, -1, -1 };

    gst_structure_foreach(all, agent_stats_read, &stats);

    *loss = stats.loss;
    *rtt_ms = stats.rtt_ms;

    return stats.loss >= 0;
}
