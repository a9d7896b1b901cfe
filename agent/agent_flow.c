
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what webrtcbin tells of a receiver and when: the transport-wide
 * reports come as events from downstream, each with what became of some
 * packets; of receivers without those the statistics are handed in.
 *
 * Two threads of the pipeline run the probes, which share the controller
 * (agent_rate.c) with the main loop under the lock.  The probe that paces
 * sleeps on the thread of the viewer's own appsrc, in slices that an end of
 * the connection can wait for.
 */

#define G_LOG_DOMAIN  "rs-video"

#include "agent_flow.h"


#define AGENT_FLOW_SLEEP_US   (60 * 1000)       /* at most, a packet */
#define AGENT_FLOW_BURST_US   (2 * 1000)        /* not worth a sleep */
#define AGENT_FLOW_LOG_SHARE  5                 /* a change of a fifth */


struct agent_flow_s {
    GMutex               lock;
    agent_rate_t         rate;                  /* under lock */
    gboolean             reports;
    gint64               next_us;               /* appsrc's thread */

    GstPad              *in;
    GstPad              *out;
    gulong               in_probe;
    gulong               out_probe;
    agent_video_sink_t  *sink;
    guint                timer;
    guint                told;                  /* bits/s, in the log */
};


static GstPadProbeReturn agent_flow_reported(GstPad *pad,
    GstPadProbeInfo *info, gpointer data);
static void agent_flow_packet(agent_flow_t *flow, const GstStructure *packet);
static GstPadProbeReturn agent_flow_leaving(GstPad *pad,
    GstPadProbeInfo *info, gpointer data);
static gboolean agent_flow_tick(gpointer data);
static void agent_flow_tell(agent_flow_t *flow, const agent_rate_t *rate);


agent_flow_t *
agent_flow_new(GstPad *in, GstPad *out, gboolean reports, guint min,
    guint max)
{
    agent_flow_t  *flow;

    flow = g_new0(agent_flow_t, 1);
    flow->reports = reports;
    flow->in = gst_object_ref(in);
    flow->out = gst_object_ref(out);
    g_mutex_init(&flow->lock);
    agent_rate_init(&flow->rate, min, max, g_get_monotonic_time());

    flow->in_probe = gst_pad_add_probe(in, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                                       agent_flow_reported, flow, NULL);
    flow->out_probe = gst_pad_add_probe(out, GST_PAD_PROBE_TYPE_BUFFER,
                                        agent_flow_leaving, flow, NULL);

    return flow;
}


void
agent_flow_stop(agent_flow_t *flow)
{
    g_clear_handle_id(&flow->timer, g_source_remove);
    flow->sink = NULL;
}


/* the pipeline is stopped by then: no probe runs */

void
agent_flow_free(agent_flow_t *flow)
{
    agent_flow_stop(flow);

    gst_pad_remove_probe(flow->in, flow->in_probe);
    gst_pad_remove_probe(flow->out, flow->out_probe);
    gst_object_unref(flow->in);
    gst_object_unref(flow->out);
    g_mutex_clear(&flow->lock);
    g_free(flow);
}


guint
agent_flow_rate(agent_flow_t *flow)
{
    guint  bps;

    g_mutex_lock(&flow->lock);
    bps = flow->rate.bps;
    g_mutex_unlock(&flow->lock);

    return bps;
}


void
agent_flow_start(agent_flow_t *flow, agent_video_sink_t *sink)
{
    flow->sink = sink;
    flow->told = agent_flow_rate(flow);

    if (flow->reports) {
        flow->timer = g_timeout_add(AGENT_RATE_TICK_MS, agent_flow_tick,
                                    flow);
    }
}


static gboolean
agent_flow_tick(gpointer data)
{
    agent_flow_t  *flow = data;
    agent_rate_t   rate;

    g_mutex_lock(&flow->lock);
    agent_rate_tick(&flow->rate, g_get_monotonic_time());
    rate = flow->rate;
    g_mutex_unlock(&flow->lock);

    agent_flow_tell(flow, &rate);

    return G_SOURCE_CONTINUE;
}


static void
agent_flow_tell(agent_flow_t *flow, const agent_rate_t *rate)
{
    gint64  change;

    change = ABS((gint64) rate->bps - flow->told);

    if (change * AGENT_FLOW_LOG_SHARE > flow->told) {
        flow->told = rate->bps;
        g_info("rate %u kbit/s, queue %d ms, loss %.1f%%", rate->bps / 1000,
               rate->queue_ms, rate->loss * 100);
    }

    agent_video_rate(flow->sink, rate->bps);
}


void
agent_flow_decoded(agent_flow_t *flow, const agent_rate_decoder_t *decoder)
{
    guint  fps;

    if (flow->sink == NULL) {
        return;
    }

    g_mutex_lock(&flow->lock);
    fps = agent_rate_decoded(&flow->rate, decoder);
    g_mutex_unlock(&flow->lock);

    agent_video_frames(flow->sink, fps);
}


void
agent_flow_receiver(agent_flow_t *flow, double loss, gint rtt_ms)
{
    agent_rate_t  rate;

    if (flow->reports || flow->sink == NULL) {
        return;
    }

    g_mutex_lock(&flow->lock);
    agent_rate_receiver(&flow->rate, g_get_monotonic_time(), loss, rtt_ms);
    rate = flow->rate;
    g_mutex_unlock(&flow->lock);

    agent_flow_tell(flow, &rate);
}


/* the thread of what comes from the network */

static GstPadProbeReturn
agent_flow_reported(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    guint                i;
    GstEvent            *event = GST_PAD_PROBE_INFO_EVENT(info);
    GValueArray         *packets;
    agent_flow_t        *flow = data;
    const GValue        *value;
    const GstStructure  *report;

    (void) pad;

    report = gst_event_get_structure(event);

    if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM || report == NULL
        || !gst_structure_has_name(report, "RTPTWCCPackets"))
    {
        return GST_PAD_PROBE_OK;
    }

    value = gst_structure_get_value(report, "packets");

    /* the type that GStreamer gives, whatever GLib thinks of it */

    G_GNUC_BEGIN_IGNORE_DEPRECATIONS

    if (value == NULL || !G_VALUE_HOLDS(value, g_value_array_get_type())) {
        return GST_PAD_PROBE_OK;
    }

    G_GNUC_END_IGNORE_DEPRECATIONS

    packets = g_value_get_boxed(value);

    g_mutex_lock(&flow->lock);

    for (i = 0; i < packets->n_values; i++) {
        agent_flow_packet(flow,
                          gst_value_get_structure(&packets->values[i]));
    }

    g_mutex_unlock(&flow->lock);

    return GST_PAD_PROBE_OK;
}


static void
agent_flow_packet(agent_flow_t *flow, const GstStructure *packet)
{
    guint     size;
    guint64   left, came;
    gboolean  lost;

    if (!gst_structure_get(packet, "lost", G_TYPE_BOOLEAN, &lost,
                           "size", G_TYPE_UINT, &size,
                           "local-ts", G_TYPE_UINT64, &left,
                           "remote-ts", G_TYPE_UINT64, &came, NULL))
    {
        return;
    }

    if (lost) {
        agent_rate_lost(&flow->rate);

    } else if (GST_CLOCK_TIME_IS_VALID(left) && GST_CLOCK_TIME_IS_VALID(came))
    {
        agent_rate_packet(&flow->rate, (gint64) (left / 1000),
                          (gint64) (came / 1000), size);
    }
}


/* the thread of appsrc */

static GstPadProbeReturn
agent_flow_leaving(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    gsize          size;
    guint          pace;
    gint64         now_us;
    agent_flow_t  *flow = data;

    (void) pad;

    size = gst_buffer_get_size(GST_PAD_PROBE_INFO_BUFFER(info));
    now_us = g_get_monotonic_time();

    if (flow->next_us - now_us > AGENT_FLOW_BURST_US) {
        g_usleep((gulong) MIN(flow->next_us - now_us, AGENT_FLOW_SLEEP_US));
        now_us = g_get_monotonic_time();
    }

    g_mutex_lock(&flow->lock);
    pace = agent_rate_pace(&flow->rate, now_us);
    agent_rate_sent(&flow->rate, now_us, size);
    g_mutex_unlock(&flow->lock);

    /* what could not be slept is not owed */

    flow->next_us = CLAMP(flow->next_us, now_us,
                          now_us + AGENT_FLOW_SLEEP_US)
                    + (gint64) size * 8 * G_USEC_PER_SEC / pace;

    return GST_PAD_PROBE_OK;
}
