
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Capture and encoders for any number of viewers: who is fed by which.
 */

#ifndef _AGENT_VIDEO_H_INCLUDED_
#define _AGENT_VIDEO_H_INCLUDED_


#include "agent.h"

#include <gst/gst.h>


typedef struct agent_video_sink_s  agent_video_sink_t;


typedef struct {
    /* no more frames will come; on the main loop */
    void  (*failed)(void *data, const char *message);
} agent_video_events_t;


/*
 * Where frames of a sink go; both on the encoder's thread, and neither once
 * agent_video_detach() has returned.
 */

typedef struct {
    guint64  (*waiting)(void *to);      /* bytes that have not left */
    void     (*push)(void *to, GstCaps *caps, GstBuffer *buffer,
                     gboolean key);
} agent_video_out_t;

/* to: an appsrc */
extern const agent_video_out_t  agent_video_appsrc;


/* At most so many frames a second; the least and the most bits/s a viewer. */
agent_video_t *agent_video_new(agent_platform_t *platform, guint fps,
    guint least, guint most);
void agent_video_free(agent_video_t *video);

void agent_video_limits(const agent_video_t *video, guint *least,
    guint *most);

/* AGENT_CODEC_* bits of those that an installed element encodes. */
guint agent_video_codecs(void);

typedef struct {
    guint                         codec;
    const agent_view_t           *view;         /* copied */
    const agent_video_out_t      *out;
    void                         *to;
    guint                         rate;         /* bits/s that its network
                                                   carries, if known */
    const agent_video_events_t   *events;
    void                         *data;
} agent_video_wish_t;

/*
 * Frames of a view go out from now on; the first is a key frame.  NULL and
 * *error when the encoder cannot be started.
 */
agent_video_sink_t *agent_video_attach(agent_video_t *video,
    const agent_video_wish_t *wish, GError **error);

/* Frames of another view, from a key frame on; FALSE: of the same as before. */
gboolean agent_video_look(agent_video_sink_t *sink, const agent_view_t *view);

/* No frame is pushed any more once this returns. */
void agent_video_detach(agent_video_sink_t *sink);

/* Its network carries so many bits/s now. */
void agent_video_rate(agent_video_sink_t *sink, guint rate);

/* Its viewer decodes so many frames a second; 0: as many as there are. */
void agent_video_frames(agent_video_sink_t *sink, guint fps);

/* The sink's viewer lost a picture.  Rate limited. */
void agent_video_want_key(agent_video_sink_t *sink);

/*
 * The display is gone and capture threads are stuck in it: nothing of them
 * is stopped or freed any more.  For a process about to end.
 */
void agent_video_abandon(agent_video_t *video);

/* The screen has another size: the encoders start anew. */
void agent_video_restart(agent_video_t *video);


#endif /* _AGENT_VIDEO_H_INCLUDED_ */
