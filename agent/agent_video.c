
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns who gets which picture.  A stream is an encoder and the sinks it
 * feeds; nothing but encoded frames crosses from its pipeline to those of
 * viewers, so an error in a viewer's pipeline stays there.
 *
 *     agent_encoder ~> stream ~> appsrc of each viewer's own pipeline, or
 *                                his pipe
 *
 * Each codec and view in use has one stream, at the rate of its slowest
 * viewer.  One who is much slower than the fastest gets a second, slow stream,
 * with all others like him: a viewer on a bad network costs a second encoder,
 * but not the others their picture.  There is no third.
 *
 * A sink that is new or comes from another stream, or behind which more is
 * queued than a slow network can carry, gets nothing until the next key
 * frame.
 *
 * A stream's lock protects its list of sinks against the encoder's thread.
 */

#define G_LOG_DOMAIN  "rs-video"

#include "agent_video.h"
#include "agent_encoder.h"
#include "agent_rate.h"

#include <gst/app/gstappsrc.h>
#include <string.h>


#define AGENT_VIDEO_QUEUE     (128 * 1024)      /* bytes a viewer, and */
#define AGENT_VIDEO_QUEUE_S   1                 /* what his network carries */
#define AGENT_VIDEO_STAY_US   (5 * G_USEC_PER_SEC)


typedef struct {
    agent_video_t     *video;
    guint              codec;
    agent_view_t       view;
    gboolean           slow;
    agent_encoder_t   *encoder;

    GMutex             lock;
    GPtrArray         *sinks;           /* under lock */
} agent_stream_t;


struct agent_video_sink_s {
    agent_video_t               *video;
    agent_stream_t              *stream;
    guint                        codec;
    agent_view_t                 view;
    const agent_video_out_t     *out;
    void                        *to;
    const agent_video_events_t  *events;
    void                        *data;
    guint                        rate;              /* under lock */
    guint                        fps;               /* 0: any number */
    gint64                       moved_us;
    gboolean                     waits_for_key;     /* under lock */
};


struct agent_video_s {
    agent_platform_t  *platform;
    guint              fps;
    guint              least;           /* bits/s a viewer */
    guint              most;
    GPtrArray         *streams;                     /* running ones */
    GPtrArray         *sinks;
    gboolean           abandoned;
};


static agent_stream_t *agent_stream_get(agent_video_t *video, guint codec,
    const agent_view_t *view, gboolean slow, guint rate, GError **error);
static void agent_stream_free(void *data);
static void agent_stream_add(agent_stream_t *stream,
    agent_video_sink_t *sink);
static void agent_stream_remove(agent_video_sink_t *sink);
static void agent_stream_rate(agent_stream_t *stream);
static void agent_stream_frame(void *data, GstCaps *caps, GstBuffer *buffer,
    gboolean key);
static void agent_stream_failed(void *data, const char *message);
static void agent_video_settle(agent_video_t *video);
static gboolean agent_video_move(agent_video_sink_t *sink,
    const agent_view_t *view, gboolean slow);
static guint agent_video_fastest(const agent_video_t *video,
    const agent_video_sink_t *of);
static gboolean agent_view_same(const agent_view_t *a, const agent_view_t *b);
static void agent_sink_push(agent_video_sink_t *sink, GstCaps *caps,
    GstBuffer *buffer, gboolean key);


static guint64 agent_video_appsrc_waiting(void *to);
static void agent_video_appsrc_push(void *to, GstCaps *caps,
    GstBuffer *buffer, gboolean key);


const agent_video_out_t  agent_video_appsrc = {
    agent_video_appsrc_waiting,
    agent_video_appsrc_push
};


static const agent_encoder_events_t  agent_stream_events = {
    agent_stream_frame,
    agent_stream_failed
};


agent_video_t *
agent_video_new(agent_platform_t *platform, guint fps, guint least,
    guint most)
{
    agent_video_t  *video;

    video = g_new0(agent_video_t, 1);
    video->platform = platform;
    video->fps = fps;
    video->least = least;
    video->most = most;
    video->streams = g_ptr_array_new();
    video->sinks = g_ptr_array_new();

    return video;
}


void
agent_video_free(agent_video_t *video)
{
    g_ptr_array_set_free_func(video->streams, agent_stream_free);
    g_ptr_array_unref(video->streams);
    g_ptr_array_unref(video->sinks);
    g_free(video);
}


void
agent_video_limits(const agent_video_t *video, guint *least, guint *most)
{
    *least = video->least;
    *most = video->most;
}


guint
agent_video_codecs(void)
{
    return agent_encoder_codecs();
}


agent_video_sink_t *
agent_video_attach(agent_video_t *video, const agent_video_wish_t *wish,
    GError **error)
{
    guint                rate;
    agent_stream_t      *stream;
    agent_video_sink_t  *sink;

    rate = MIN(wish->rate, video->most);
    stream = agent_stream_get(video, wish->codec, wish->view, FALSE, rate,
                              error);

    if (stream == NULL) {
        return NULL;
    }

    sink = g_new0(agent_video_sink_t, 1);
    sink->video = video;
    sink->codec = wish->codec;
    sink->view = *wish->view;
    sink->out = wish->out;
    sink->to = wish->to;
    sink->events = wish->events;
    sink->data = wish->data;
    sink->rate = rate;
    sink->moved_us = g_get_monotonic_time();

    g_ptr_array_add(video->sinks, sink);
    agent_stream_add(stream, sink);
    agent_video_settle(video);

    return sink;
}


void
agent_video_detach(agent_video_sink_t *sink)
{
    agent_video_t  *video = sink->video;

    g_ptr_array_remove_fast(video->sinks, sink);
    agent_stream_remove(sink);

    g_free(sink);

    agent_video_settle(video);
}


void
agent_video_rate(agent_video_sink_t *sink, guint rate)
{
    g_mutex_lock(&sink->stream->lock);
    sink->rate = MIN(rate, sink->video->most);
    g_mutex_unlock(&sink->stream->lock);

    agent_video_settle(sink->video);
}


void
agent_video_frames(agent_video_sink_t *sink, guint fps)
{
    if (sink->fps != fps) {
        sink->fps = fps;
        agent_video_settle(sink->video);
    }
}


void
agent_video_want_key(agent_video_sink_t *sink)
{
    agent_encoder_want_key(sink->stream->encoder);
}


void
agent_video_abandon(agent_video_t *video)
{
    guint            i;
    agent_stream_t  *stream;

    video->abandoned = TRUE;

    for (i = 0; i < video->streams->len; i++) {
        stream = g_ptr_array_index(video->streams, i);
        agent_encoder_abandon(stream->encoder);
    }
}


void
agent_video_restart(agent_video_t *video)
{
    guint            i;
    agent_stream_t  *stream;

    /* backwards: one that fails leaves the array */

    for (i = video->streams->len; i > 0; i--) {
        stream = g_ptr_array_index(video->streams, i - 1);
        agent_encoder_restart(stream->encoder);
    }
}


/* who is too slow for the others, and the rate of each stream */

static void
agent_video_settle(agent_video_t *video)
{
    guint                i;
    gint64               now_us;
    gboolean             slow;
    agent_video_sink_t  *sink;

    if (video->abandoned) {
        return;
    }

    now_us = g_get_monotonic_time();

    for (i = 0; i < video->sinks->len; i++) {
        sink = g_ptr_array_index(video->sinks, i);
        slow = agent_rate_slow(sink->rate,
                               agent_video_fastest(video, sink),
                               sink->stream->slow);

        if (slow != sink->stream->slow
            && now_us - sink->moved_us > AGENT_VIDEO_STAY_US)
        {
            sink->moved_us = now_us;

            if (agent_video_move(sink, &sink->view, slow)) {
                g_message("a viewer of %u kbit/s goes to the %s ones",
                          sink->rate / 1000, slow ? "slower" : "faster");
            }
        }
    }

    for (i = 0; i < video->streams->len; i++) {
        agent_stream_rate(g_ptr_array_index(video->streams, i));
    }
}


/* an encoder that cannot be started leaves the sink where it is */

static gboolean
agent_video_move(agent_video_sink_t *sink, const agent_view_t *view,
    gboolean slow)
{
    agent_stream_t      *stream;
    g_autoptr(GError)    error = NULL;

    stream = agent_stream_get(sink->video, sink->codec, view, slow,
                              sink->rate, &error);

    if (stream == NULL) {
        g_warning("a viewer keeps his picture: %s", error->message);
        return FALSE;
    }

    agent_stream_remove(sink);
    agent_stream_add(stream, sink);

    return TRUE;
}


gboolean
agent_video_look(agent_video_sink_t *sink, const agent_view_t *view)
{
    if (agent_view_same(&sink->view, view)) {
        return TRUE;
    }

    if (sink->video->abandoned || !agent_video_move(sink, view, FALSE)) {
        return FALSE;
    }

    sink->view = *view;
    sink->moved_us = g_get_monotonic_time();
    agent_video_settle(sink->video);

    return TRUE;
}


static gboolean
agent_view_same(const agent_view_t *a, const agent_view_t *b)
{
    return strcmp(a->monitor, b->monitor) == 0 && a->pointer == b->pointer;
}


/* of those who look at the same, by the same codec */

static guint
agent_video_fastest(const agent_video_t *video, const agent_video_sink_t *of)
{
    guint                i, fastest;
    agent_video_sink_t  *sink;

    fastest = 0;

    for (i = 0; i < video->sinks->len; i++) {
        sink = g_ptr_array_index(video->sinks, i);

        if (sink->codec == of->codec
            && agent_view_same(&sink->view, &of->view))
        {
            fastest = MAX(fastest, sink->rate);
        }
    }

    return fastest;
}


static agent_stream_t *
agent_stream_get(agent_video_t *video, guint codec, const agent_view_t *view,
    gboolean slow, guint rate, GError **error)
{
    guint                    i;
    agent_stream_t          *stream;
    agent_encoder_params_t   params;

    for (i = 0; i < video->streams->len; i++) {
        stream = g_ptr_array_index(video->streams, i);

        if (stream->codec == codec && stream->slow == slow
            && agent_view_same(&stream->view, view))
        {
            return stream;
        }
    }

    stream = g_new0(agent_stream_t, 1);
    stream->video = video;
    stream->codec = codec;
    stream->view = *view;
    stream->slow = slow;
    stream->sinks = g_ptr_array_new();
    g_mutex_init(&stream->lock);

    params.platform = video->platform;
    params.codec = codec;
    params.view = *view;
    params.fps = video->fps;
    params.bitrate = rate;

    stream->encoder = agent_encoder_new(&params, &agent_stream_events, stream,
                                        error);
    if (stream->encoder == NULL) {
        agent_stream_free(stream);
        return NULL;
    }

    g_ptr_array_add(video->streams, stream);

    return stream;
}


static void
agent_stream_free(void *data)
{
    agent_stream_t  *stream = data;

    g_clear_pointer(&stream->encoder, agent_encoder_free);

    /* a thread that is stuck may still come to it */

    if (!stream->video->abandoned) {
        g_ptr_array_unref(stream->sinks);
        g_mutex_clear(&stream->lock);
        g_free(stream);
    }
}


static void
agent_stream_add(agent_stream_t *stream, agent_video_sink_t *sink)
{
    sink->stream = stream;
    sink->waits_for_key = TRUE;

    g_mutex_lock(&stream->lock);
    g_ptr_array_add(stream->sinks, sink);
    g_mutex_unlock(&stream->lock);

    agent_encoder_want_key(stream->encoder);
}


/* the last one frees the stream */

static void
agent_stream_remove(agent_video_sink_t *sink)
{
    guint            left;
    agent_stream_t  *stream = sink->stream;

    g_mutex_lock(&stream->lock);
    g_ptr_array_remove_fast(stream->sinks, sink);
    left = stream->sinks->len;
    g_mutex_unlock(&stream->lock);

    sink->stream = NULL;

    if (left == 0 && !stream->video->abandoned) {
        g_ptr_array_remove_fast(stream->video->streams, stream);
        agent_stream_free(stream);
    }
}


static void
agent_stream_rate(agent_stream_t *stream)
{
    guint                i, slowest, fps;
    agent_video_sink_t  *sink;

    slowest = stream->video->most;
    fps = 0;

    for (i = 0; i < stream->sinks->len; i++) {
        sink = g_ptr_array_index(stream->sinks, i);
        slowest = MIN(slowest, sink->rate);

        if (sink->fps != 0 && (fps == 0 || sink->fps < fps)) {
            fps = sink->fps;
        }
    }

    agent_encoder_rate(stream->encoder, slowest);
    agent_encoder_frames(stream->encoder, fps);
}


/* each handler detaches its own sink; the last one frees the stream */

static void
agent_stream_failed(void *data, const char *message)
{
    guint                  i;
    agent_stream_t        *stream = data;
    agent_video_sink_t    *sink;
    g_autoptr(GPtrArray)   sinks = NULL;

    sinks = g_ptr_array_copy(stream->sinks, NULL, NULL);

    for (i = 0; i < sinks->len; i++) {
        sink = g_ptr_array_index(sinks, i);
        sink->events->failed(sink->data, message);
    }
}


/* on the encoder's thread from here on */

static void
agent_stream_frame(void *data, GstCaps *caps, GstBuffer *buffer, gboolean key)
{
    guint            i;
    agent_stream_t  *stream = data;

    g_mutex_lock(&stream->lock);

    for (i = 0; i < stream->sinks->len; i++) {
        agent_sink_push(g_ptr_array_index(stream->sinks, i), caps, buffer,
                        key);
    }

    g_mutex_unlock(&stream->lock);
}


static void
agent_sink_push(agent_video_sink_t *sink, GstCaps *caps, GstBuffer *buffer,
    gboolean key)
{
    guint64  most;

    most = AGENT_VIDEO_QUEUE + (guint64) sink->rate / 8 * AGENT_VIDEO_QUEUE_S;

    if (key) {
        sink->waits_for_key = FALSE;
    }

    if (sink->out->waiting(sink->to) > most) {
        sink->waits_for_key = TRUE;
        agent_encoder_want_key(sink->stream->encoder);
    }

    if (!sink->waits_for_key) {
        sink->out->push(sink->to, caps, buffer, key);
    }
}


static guint64
agent_video_appsrc_waiting(void *to)
{
    return gst_app_src_get_current_level_bytes(to);
}


static void
agent_video_appsrc_push(void *to, GstCaps *caps, GstBuffer *buffer,
    gboolean key)
{
    (void) key;

    gst_app_src_set_caps(to, caps);
    gst_app_src_push_buffer(to, gst_buffer_ref(buffer));
}
