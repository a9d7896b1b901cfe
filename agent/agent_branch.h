
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's own end of picture and sound: from encoded frames to RTP.
 */

#ifndef _AGENT_BRANCH_H_INCLUDED_
#define _AGENT_BRANCH_H_INCLUDED_


#include <gst/gst.h>


/*
 * Adds appsrc ! payloader ! capsfilter to the pipeline, linked to a new sink
 * pad of webrtcbin that only sends.  The appsrc, for the caller to unref, or
 * NULL; *out: the pad that packets leave by, one at a time, to unref, too.
 * twcc: the id of the offer's extension for congestion feedback, or 0.
 */
GstElement *agent_branch_add(GstBin *pipeline, GstElement *webrtc,
    guint codec, guint payload, guint twcc, GstPad **out);

/* The same of sound as Opus, behind the video; packets leave as they come. */
GstElement *agent_branch_add_sound(GstBin *pipeline, GstElement *webrtc,
    guint payload);


#endif /* _AGENT_BRANCH_H_INCLUDED_ */
