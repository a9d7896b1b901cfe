
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The way of one viewer's video to the network: what the receiver reports,
 * the rate that follows from it, and packets that leave no faster.
 */

#ifndef _AGENT_FLOW_H_INCLUDED_
#define _AGENT_FLOW_H_INCLUDED_


#include "agent_rate.h"
#include "agent_video.h"

#include <gst/gst.h>


typedef struct agent_flow_s  agent_flow_t;


/*
 * in: the pad that frames come from, where the receiver's events arrive; out:
 * the one whose buffers are packets.  reports: the receiver reports each
 * packet.  min, max: bits/s.  Freed after the pipeline was stopped.
 */
agent_flow_t *agent_flow_new(GstPad *in, GstPad *out, gboolean reports,
    guint min, guint max);
void agent_flow_free(agent_flow_t *flow);

/* Bits/s. */
guint agent_flow_rate(agent_flow_t *flow);

/* From now on the sink is told the rate, until it is stopped. */
void agent_flow_start(agent_flow_t *flow, agent_video_sink_t *sink);
void agent_flow_stop(agent_flow_t *flow);

/* What the viewer says of his decoder. */
void agent_flow_decoded(agent_flow_t *flow,
    const agent_rate_decoder_t *decoder);

/* What a receiver says that reports no packets; of others it is not used. */
void agent_flow_receiver(agent_flow_t *flow, double loss, gint rtt_ms);


#endif /* _AGENT_FLOW_H_INCLUDED_ */
