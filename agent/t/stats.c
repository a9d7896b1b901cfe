
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The path out of webrtcbin's statistics, in the form that 1.22 gives them:
 * candidate types swapped, no relay protocol.
 */

#include "agent_stats.h"
#include "agent_turn_shim.h"
#include "tap.h"

#include <gst/webrtc/webrtc.h>
#include <string.h>


#define PREF_UDP  ((30u << 24) + 1)
#define PREF_TCP  ((20u << 24) + 1)


static void
add(GstStructure *all, const char *name, GstStructure *stat)
{
    gst_structure_set(all, name, GST_TYPE_STRUCTURE, stat, NULL);
    gst_structure_free(stat);
}


static GstStructure *
stats(const char *near, guint priority, const char *url, const char *far,
    double rtt)
{
    GstStructure  *all;

    all = gst_structure_new_empty("application/x-webrtc-stats");

    add(all, "pair", gst_structure_new("candidate-pair",
        "type", GST_TYPE_WEBRTC_STATS_TYPE, GST_WEBRTC_STATS_CANDIDATE_PAIR,
        "local-candidate-id", G_TYPE_STRING, "l",
        "remote-candidate-id", G_TYPE_STRING, "r", NULL));
    add(all, "l", gst_structure_new("remote-candidate",
        "type", GST_TYPE_WEBRTC_STATS_TYPE,
        GST_WEBRTC_STATS_REMOTE_CANDIDATE,
        "candidate-type", G_TYPE_STRING, near,
        "priority", G_TYPE_UINT, priority,
        "relay-protocol", G_TYPE_STRING, "none",
        "url", G_TYPE_STRING, url, NULL));
    add(all, "r", gst_structure_new("local-candidate",
        "type", GST_TYPE_WEBRTC_STATS_TYPE,
        GST_WEBRTC_STATS_LOCAL_CANDIDATE,
        "candidate-type", G_TYPE_STRING, far, NULL));
    add(all, "in", gst_structure_new("remote-inbound-rtp",
        "type", GST_TYPE_WEBRTC_STATS_TYPE,
        GST_WEBRTC_STATS_REMOTE_INBOUND_RTP,
        "round-trip-time", G_TYPE_DOUBLE, rtt, NULL));

    return all;
}


/* takes all over */

static char *
path(GstStructure *all)
{
    char          *text;
    gboolean       found;
    agent_path_t   p;

    found = agent_stats_path(all, &p);
    text = found ? g_strdup_printf("%s %s %s %s %d",
                                   p.relay ? "relay" : "direct",
                                   agent_proto_name(p.protocol), p.local,
                                   p.remote, p.rtt_ms)
                 : g_strdup("none");
    gst_structure_free(all);

    return text;
}


static void
is_path(GstStructure *all, const char *want, const char *what)
{
    g_autofree char  *got = path(all);

    is_str(got, want, what);
}


static void
test_receiver(void)
{
    int            rtt_ms;
    double         loss;
    GstStructure  *all;

    all = stats("host", 1, "", "host", 0.0201);
    ok(!agent_stats_receiver(all, &loss, &rtt_ms), "no share lost, no word");

    add(all, "sound", gst_structure_new("remote-inbound-rtp",
        "type", GST_TYPE_WEBRTC_STATS_TYPE,
        GST_WEBRTC_STATS_REMOTE_INBOUND_RTP,
        "kind", G_TYPE_STRING, "audio",
        "fraction-lost", G_TYPE_DOUBLE, 0.5, NULL));
    ok(!agent_stats_receiver(all, &loss, &rtt_ms), "sound does not count");

    add(all, "video", gst_structure_new("remote-inbound-rtp",
        "type", GST_TYPE_WEBRTC_STATS_TYPE,
        GST_WEBRTC_STATS_REMOTE_INBOUND_RTP,
        "kind", G_TYPE_STRING, "video",
        "fraction-lost", G_TYPE_DOUBLE, 0.25, NULL));
    ok(agent_stats_receiver(all, &loss, &rtt_ms) && loss == 0.25,
       "the share lost of the video");
    is_int(rtt_ms, 21, "and its round trip");
    gst_structure_free(all);
}


int
main(int argc, char **argv)
{
    GstStructure  *all;

    gst_init(&argc, &argv);

    is_path(stats("host", 2130706431, "", "srflx", 0.0041),
            "direct udp host srflx 5", "direct");
    is_path(stats("relay", PREF_UDP, "192.0.2.1", "relay", 0.012),
            "relay udp relay relay 12", "a relay over UDP");
    is_path(stats("relay", PREF_TCP, "192.0.2.1", "host", 0.012),
            "relay tcp relay host 12", "a relay over TCP");
    is_path(stats("relay", PREF_TCP, AGENT_SHIM_ADDRESS, "prflx", 0.012),
            "relay tls relay prflx 12", "a relay through the shim");
    is_path(stats("relay", PREF_UDP, "127.0.0.1", "relay", 0.012),
            "relay udp relay relay 12", "loopback alone is no shim");
    is_path(stats("host", 2130706431, "", "relay", 0),
            "relay udp host relay -1", "their relay, no round trip yet");

    is_path(gst_structure_new_empty("application/x-webrtc-stats"), "none",
            "no pair yet");

    all = stats("host", 1, "", "host", 0);
    gst_structure_remove_field(all, "r");
    is_path(all, "none", "a pair with one end");

    test_receiver();

    return done();
}
