
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The path in use, out of webrtcbin's statistics.
 */

#ifndef _AGENT_STATS_H_INCLUDED_
#define _AGENT_STATS_H_INCLUDED_


#include "agent_ice.h"

#include <gst/gst.h>


/* FALSE: no pair is selected yet.  rtt_ms is -1 until it was measured. */
gboolean agent_stats_path(const GstStructure *all, agent_path_t *path);

/*
 * What the receiver of the video reports: the share lost, 0 to 1, and the
 * round trip, -1 until it was measured.  FALSE: nothing yet.
 */
gboolean agent_stats_receiver(const GstStructure *all, double *loss,
    int *rtt_ms);


#endif /* _AGENT_STATS_H_INCLUDED_ */
