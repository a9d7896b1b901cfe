
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One capture and its encoder:
 *
 *     platform's source ! videoconvert ! I420 ! encoder ! caps ! appsink
 */

#ifndef _AGENT_ENCODER_H_INCLUDED_
#define _AGENT_ENCODER_H_INCLUDED_


#include "agent.h"

#include <gst/gst.h>


typedef struct agent_encoder_s  agent_encoder_t;


typedef struct {
    /* an encoded frame, without times; on the capture's thread */
    void  (*frame)(void *data, GstCaps *caps, GstBuffer *buffer,
                   gboolean key);

    /* no more frames will come; on the main loop, and it may free the
       encoder, also inside agent_encoder_restart() */
    void  (*failed)(void *data, const char *message);
} agent_encoder_events_t;


typedef struct {
    agent_platform_t  *platform;
    guint              codec;           /* AGENT_CODEC_*, one */
    agent_view_t       view;
    guint              fps;             /* at most */
    guint              bitrate;
} agent_encoder_params_t;


/* AGENT_CODEC_* bits of those that an installed element encodes. */
guint agent_encoder_codecs(void);

/* Starts; NULL and *error when it cannot. */
agent_encoder_t *agent_encoder_new(const agent_encoder_params_t *params,
    const agent_encoder_events_t *events, void *data, GError **error);

/* No frame comes any more once this returns. */
void agent_encoder_free(agent_encoder_t *encoder);

/* Bits/s from now on. */
void agent_encoder_rate(agent_encoder_t *encoder, guint bitrate);

/* Frames a second at most from now on; 0: as many as there are. */
void agent_encoder_frames(agent_encoder_t *encoder, guint fps);

/* A key frame soon; any thread; rate limited. */
void agent_encoder_want_key(agent_encoder_t *encoder);

/* The screen has another size: starts anew.  What fails is told by failed. */
void agent_encoder_restart(agent_encoder_t *encoder);

/* Capture threads are stuck: nothing is stopped or freed any more. */
void agent_encoder_abandon(agent_encoder_t *encoder);


#endif /* _AGENT_ENCODER_H_INCLUDED_ */
