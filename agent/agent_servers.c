
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the properties of webrtcbin that concern ICE.
 */

#define G_LOG_DOMAIN  "rs-servers"

#include "agent_servers.h"

#include <nice/agent.h>


static void agent_servers_first(GstElement *webrtc, const agent_turn_t *turn);
static void agent_servers_turn(GstElement *webrtc, const agent_turn_t *turn,
    agent_shim_t *shim);
static GObject *agent_servers_nice(GObject *agent);
static void agent_servers_closed(GObject *nice, GAsyncResult *result,
    gpointer webrtc);


void
agent_servers_add(GstElement *webrtc, const agent_ice_t *ice,
    gboolean relay_only, agent_shim_t *shim)
{
    guint                i;
    gboolean             first;
    agent_turn_t        *turn;
    g_autoptr(GObject)   agent = NULL;
    g_autoptr(GObject)   nice = NULL;

    /* candidates over TCP that nobody can reach only cost time */

    g_object_get(webrtc, "ice-agent", &agent, NULL);
    nice = agent_servers_nice(agent);

    if (nice != NULL) {
        g_object_set(nice, "ice-tcp", FALSE, "upnp", FALSE, NULL);
    }

    if (ice->stun != NULL) {
        g_object_set(webrtc, "stun-server", ice->stun, NULL);
    }

    if (relay_only) {
        gst_util_set_object_arg(G_OBJECT(webrtc), "ice-transport-policy",
                                "relay");
    }

    /*
     * libnice keeps one relayed candidate of each relay's address, that of the
     * allocation which is made first, and begins with the property's server:
     * one over UDP, for media suffer over TCP.
     */

    first = TRUE;

    for (i = 0; i < ice->turn->len; i++) {
        turn = g_ptr_array_index(ice->turn, i);

        if (first && turn->proto == AGENT_PROTO_UDP) {
            first = FALSE;
            agent_servers_first(webrtc, turn);
            continue;
        }

        agent_servers_turn(webrtc, turn, shim);
    }
}


/* the NiceAgent below webrtcbin's ICE agent, or NULL */

static GObject *
agent_servers_nice(GObject *agent)
{
    GObject  *nice;

    nice = NULL;

    if (agent != NULL
        && g_object_class_find_property(G_OBJECT_GET_CLASS(agent), "agent"))
    {
        g_object_get(agent, "agent", &nice, NULL);
    }

    return nice;
}


static void
agent_servers_first(GstElement *webrtc, const agent_turn_t *turn)
{
    g_autofree char  *uri = NULL;

    uri = agent_ice_turn_uri(turn, NULL, 0);
    g_object_set(webrtc, "turn-server", uri, NULL);
}


static void
agent_servers_turn(GstElement *webrtc, const agent_turn_t *turn,
    agent_shim_t *shim)
{
    guint16              port;
    gboolean             ok, tls;
    const char          *host;
    g_autofree char     *uri = NULL;
    g_autoptr(GError)    error = NULL;

    host = NULL;
    port = 0;

    tls = (turn->proto == AGENT_PROTO_TLS);

    if (tls || (turn->proto == AGENT_PROTO_TCP && agent_shim_proxied(shim))) {
        host = tls ? AGENT_SHIM_ADDRESS : AGENT_SHIM_PLAIN;
        port = agent_shim_port(shim, turn->host, turn->port, tls, &error);

        if (port == 0) {
            g_warning("TURN over TCP at %s is left out: %s", turn->host,
                      error->message);
            return;
        }
    }

    uri = agent_ice_turn_uri(turn, host, port);
    g_signal_emit_by_name(webrtc, "add-turn-server", uri, &ok);

    if (!ok) {
        g_warning("TURN server %s:%u is refused by webrtcbin", turn->host,
                  turn->port);
    }
}


/*
 * libnice does not do so when its agent is merely dropped, and a viewer who
 * comes back a dozen times would use up the quota.  All of webrtcbin stays
 * until it is done: libnice goes on to call its streams, which do not check
 * that they are still there.
 */

void
agent_servers_release(GstElement *webrtc)
{
    g_autoptr(GObject)  agent = NULL;
    g_autoptr(GObject)  nice = NULL;

    g_object_get(webrtc, "ice-agent", &agent, NULL);
    nice = agent_servers_nice(agent);

    if (nice != NULL) {
        nice_agent_close_async(NICE_AGENT(nice), agent_servers_closed,
                               gst_object_ref(webrtc));
    }
}


/* on the main loop, as GTask promises */

static void
agent_servers_closed(GObject *nice, GAsyncResult *result, gpointer webrtc)
{
    (void) nice;
    (void) result;

    gst_object_unref(webrtc);
}
