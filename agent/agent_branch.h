
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's own end of picture and sound: from encoded frames to RTP.
 */

#ifndef _AGENT_BRANCH_H_INCLUDED_
#define _AGENT_BRANCH_H_INCLUDED_


#include <gst/gst.h>


typedef struct {
    guint    codec;
    guint    payload;
    guint    mline;                     /* index of the offer's section */
    guint    twcc;                      /* the id of the offer's extension
                                         * for congestion feedback, or 0 */
} agent_branch_t;


/*
 * Adds appsrc ! payloader ! capsfilter to the pipeline, linked to a sink pad
 * of webrtcbin that only sends, for one section of the offer, which webrtcbin
 * has been given before.  The appsrc, for the caller to unref, or NULL; *out:
 * the pad that packets leave by, one at a time, to unref, too.
 */
GstElement *agent_branch_add(GstBin *pipeline, GstElement *webrtc,
    const agent_branch_t *branch, GstPad **out);

/* The same of sound as Opus, behind the video; packets leave as they come. */
GstElement *agent_branch_add_sound(GstBin *pipeline, GstElement *webrtc,
    guint payload, guint mline);


#endif /* _AGENT_BRANCH_H_INCLUDED_ */
