
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the capture pipelines:
 *
 *     platform's source ! videoconvert ! I420 ! encoder ! caps ! appsink
 *                                                                  |
 *             appsrc of each viewer's own pipeline  <--------------+
 *
 * Nothing but encoded frames crosses from one pipeline to another, so an
 * error in a viewer's pipeline stays there.  The encoder's lock protects its
 * list of sinks against the streaming thread; nothing else is shared.
 *
 * A sink that is new, or whose appsrc has more queued than a slow network
 * can carry, gets nothing until the next key frame.
 */

#define G_LOG_DOMAIN  "rs-video"

#include "agent_video.h"

#include <gst/app/gstappsink.h>
#include <gst/video/video.h>
#include <string.h>


#define AGENT_VIDEO_QUEUE       (1024 * 1024)       /* bytes a viewer */
#define AGENT_VIDEO_KEY_US      (300 * 1000)        /* between key frames */
#define AGENT_VIDEO_KEY_S       10                  /* unasked */
#define AGENT_VIDEO_RESTARTS    3
#define AGENT_VIDEO_RESTART_MS  500


typedef struct {
    guint        codec;
    const char  *element;
    const char  *colorimetry;   /* what browsers take for granted */
    const char  *format;        /* gst_parse, with {bps}, {kbps} and {gop}
                                   (frames between key frames) */
} agent_encoder_kind_t;


typedef struct {
    agent_video_t               *video;
    const agent_encoder_kind_t  *kind;
    GstElement                  *pipeline;
    GstElement                  *appsink;
    guint                        watch;
    guint                        restarts;
    guint                        timer;         /* of the next restart */

    GMutex                       lock;
    GPtrArray                   *sinks;         /* under lock */
    gint64                       key_us;        /* streaming thread */
    gint                         key_wanted;    /* atomic */
} agent_encoder_t;


struct agent_video_sink_s {
    agent_encoder_t             *encoder;
    GstAppSrc                   *appsrc;
    const agent_video_events_t  *events;
    void                        *data;
    gboolean                     waits_for_key;     /* under lock */
};


struct agent_video_s {
    agent_platform_t  *platform;
    guint              fps;
    guint              bitrate;
    GPtrArray         *encoders;                    /* running ones */
    gboolean           abandoned;
};


static const agent_encoder_kind_t *agent_video_kind(guint codec);
static agent_encoder_t *agent_encoder_new(agent_video_t *video,
    const agent_encoder_kind_t *kind, GError **error);
static void agent_encoder_free(void *data);
static char *agent_encoder_text(const agent_encoder_kind_t *kind,
    guint bitrate, guint fps);
static gboolean agent_encoder_start(agent_encoder_t *encoder,
    GError **error);
static void agent_encoder_stop(agent_encoder_t *encoder);
static gboolean agent_encoder_message(GstBus *bus, GstMessage *message,
    gpointer data);
static void agent_encoder_broken(agent_encoder_t *encoder,
    const char *message);
static gboolean agent_encoder_again(gpointer data);
static GstFlowReturn agent_encoder_sample(GstAppSink *appsink,
    gpointer data);
static void agent_encoder_push(agent_video_sink_t *sink, GstCaps *caps,
    GstBuffer *buffer, gboolean key);


/*
 * In the order of preference.  One thread: two cost four times as much on a
 * shared core.  x264 is used where the administrator installed it.
 */

static const agent_encoder_kind_t  agent_encoder_kinds[] = {

    { AGENT_CODEC_VP8, "vp8enc", "bt601",
      "vp8enc deadline=1 threads=1 cpu-used=12 end-usage=cbr "
      "target-bitrate={bps} lag-in-frames=0 error-resilient=default "
      "keyframe-max-dist={gop} static-threshold=100 max-quantizer=52 "
      "buffer-size=600 buffer-initial-size=400 buffer-optimal-size=500 "
      "undershoot=95 overshoot=50 "
      "! video/x-vp8" },

    { AGENT_CODEC_H264, "openh264enc", "bt709",
      "openh264enc usage-type=screen complexity=low rate-control=bitrate "
      "bitrate={bps} gop-size={gop} multi-thread=1 enable-frame-skip=false "
      "scene-change-detection=false "
      "! video/x-h264,profile=constrained-baseline,"
      "stream-format=byte-stream,alignment=au" },

    { AGENT_CODEC_H264, "x264enc", "bt709",
      "x264enc tune=zerolatency speed-preset=ultrafast threads=1 "
      "bitrate={kbps} key-int-max={gop} bframes=0 byte-stream=true "
      "! video/x-h264,profile=constrained-baseline,"
      "stream-format=byte-stream,alignment=au" }
};


agent_video_t *
agent_video_new(agent_platform_t *platform, guint fps, guint bitrate)
{
    agent_video_t  *video;

    video = g_new0(agent_video_t, 1);
    video->platform = platform;
    video->fps = fps;
    video->bitrate = bitrate;
    video->encoders = g_ptr_array_new();

    return video;
}


void
agent_video_free(agent_video_t *video)
{
    g_ptr_array_set_free_func(video->encoders, agent_encoder_free);
    g_ptr_array_unref(video->encoders);
    g_free(video);
}


static const agent_encoder_kind_t *
agent_video_kind(guint codec)
{
    gsize                         i;
    const agent_encoder_kind_t   *kind;
    g_autoptr(GstElementFactory)  factory = NULL;

    for (i = 0; i < G_N_ELEMENTS(agent_encoder_kinds); i++) {
        kind = &agent_encoder_kinds[i];

        if (kind->codec != codec) {
            continue;
        }

        factory = gst_element_factory_find(kind->element);

        if (factory != NULL) {
            return kind;
        }
    }

    return NULL;
}


guint
agent_video_codecs(void)
{
    guint  codec, codecs;

    codecs = 0;

    for (codec = AGENT_CODEC_VP8; codec <= AGENT_CODEC_H264; codec <<= 1) {

        if (agent_video_kind(codec) != NULL) {
            codecs |= codec;
        }
    }

    return codecs;
}


agent_video_sink_t *
agent_video_attach(agent_video_t *video, guint codec, GstAppSrc *appsrc,
    const agent_video_events_t *events, void *data, GError **error)
{
    guint                        i;
    agent_encoder_t             *encoder;
    agent_video_sink_t          *sink;
    const agent_encoder_kind_t  *kind;

    kind = agent_video_kind(codec);

    if (kind == NULL) {
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                    "no encoder for this codec is installed");
        return NULL;
    }

    encoder = NULL;

    for (i = 0; i < video->encoders->len; i++) {
        encoder = g_ptr_array_index(video->encoders, i);

        if (encoder->kind == kind) {
            break;
        }

        encoder = NULL;
    }

    if (encoder == NULL) {
        encoder = agent_encoder_new(video, kind, error);

        if (encoder == NULL) {
            return NULL;
        }
    }

    sink = g_new0(agent_video_sink_t, 1);
    sink->encoder = encoder;
    sink->appsrc = gst_object_ref(appsrc);
    sink->events = events;
    sink->data = data;
    sink->waits_for_key = TRUE;

    g_mutex_lock(&encoder->lock);
    g_ptr_array_add(encoder->sinks, sink);
    g_mutex_unlock(&encoder->lock);

    agent_video_want_key(sink);

    return sink;
}


void
agent_video_detach(agent_video_sink_t *sink)
{
    guint             left;
    agent_encoder_t  *encoder = sink->encoder;

    g_mutex_lock(&encoder->lock);
    g_ptr_array_remove_fast(encoder->sinks, sink);
    left = encoder->sinks->len;
    g_mutex_unlock(&encoder->lock);

    gst_object_unref(sink->appsrc);
    g_free(sink);

    if (left == 0 && !encoder->video->abandoned) {
        g_ptr_array_remove_fast(encoder->video->encoders, encoder);
        agent_encoder_free(encoder);
    }
}


void
agent_video_want_key(agent_video_sink_t *sink)
{
    g_atomic_int_set(&sink->encoder->key_wanted, 1);
}


void
agent_video_abandon(agent_video_t *video)
{
    video->abandoned = TRUE;
}


void
agent_video_restart(agent_video_t *video)
{
    guint                i;
    agent_encoder_t     *encoder;
    g_autoptr(GError)    error = NULL;

    /* backwards: a broken encoder may leave the array */

    for (i = video->encoders->len; i > 0; i--) {
        encoder = g_ptr_array_index(video->encoders, i - 1);

        agent_encoder_stop(encoder);

        if (!agent_encoder_start(encoder, &error)) {
            agent_encoder_broken(encoder, error->message);
            g_clear_error(&error);
        }
    }
}


static agent_encoder_t *
agent_encoder_new(agent_video_t *video, const agent_encoder_kind_t *kind,
    GError **error)
{
    agent_encoder_t  *encoder;

    encoder = g_new0(agent_encoder_t, 1);
    encoder->video = video;
    encoder->kind = kind;
    encoder->sinks = g_ptr_array_new();
    g_mutex_init(&encoder->lock);

    if (!agent_encoder_start(encoder, error)) {
        agent_encoder_free(encoder);
        return NULL;
    }

    g_ptr_array_add(video->encoders, encoder);

    return encoder;
}


static void
agent_encoder_free(void *data)
{
    agent_encoder_t  *encoder = data;

    agent_encoder_stop(encoder);

    g_ptr_array_unref(encoder->sinks);
    g_mutex_clear(&encoder->lock);
    g_free(encoder);
}


static char *
agent_encoder_text(const agent_encoder_kind_t *kind, guint bitrate, guint fps)
{
    gsize        i;
    GString     *text;
    const guint  values[] = { bitrate, bitrate / 1000,
                              fps * AGENT_VIDEO_KEY_S };

    static const char *const  names[] = { "{bps}", "{kbps}", "{gop}" };

    text = g_string_new(kind->format);

    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char  *value = NULL;

        value = g_strdup_printf("%u", values[i]);
        g_string_replace(text, names[i], value, 0);
    }

    return g_string_free(text, FALSE);
}


static gboolean
agent_encoder_start(agent_encoder_t *encoder, GError **error)
{
    agent_video_t           *video = encoder->video;
    GstAppSinkCallbacks      callbacks;
    g_autofree char         *source = NULL;
    g_autofree char         *coder = NULL;
    g_autofree char         *text = NULL;
    g_autoptr(GstBus)        bus = NULL;

    source = video->platform->ops->source(video->platform, video->fps);

    coder = agent_encoder_text(encoder->kind, video->bitrate, video->fps);

    text = g_strdup_printf("%s ! videoconvert "
                           "! video/x-raw,format=I420,colorimetry=%s "
                           "! queue max-size-buffers=2 leaky=downstream "
                           "! %s ! appsink name=sink sync=false "
                           "max-buffers=4 drop=false", source,
                           encoder->kind->colorimetry, coder);

    encoder->pipeline = gst_parse_launch(text, error);

    if (encoder->pipeline == NULL) {
        return FALSE;
    }

    encoder->appsink = gst_bin_get_by_name(GST_BIN(encoder->pipeline),
                                           "sink");

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.new_sample = agent_encoder_sample;
    gst_app_sink_set_callbacks(GST_APP_SINK(encoder->appsink), &callbacks,
                               encoder, NULL);

    bus = gst_element_get_bus(encoder->pipeline);
    encoder->watch = gst_bus_add_watch(bus, agent_encoder_message, encoder);

    if (gst_element_set_state(encoder->pipeline, GST_STATE_PLAYING)
        == GST_STATE_CHANGE_FAILURE)
    {
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_STATE_CHANGE,
                    "the capture with %s does not start",
                    encoder->kind->element);
        agent_encoder_stop(encoder);
        return FALSE;
    }

    g_message("capture with %s started", encoder->kind->element);

    return TRUE;
}


static void
agent_encoder_stop(agent_encoder_t *encoder)
{
    g_clear_handle_id(&encoder->timer, g_source_remove);

    if (encoder->pipeline == NULL) {
        return;
    }

    g_clear_handle_id(&encoder->watch, g_source_remove);

    if (encoder->video->abandoned) {
        return;
    }

    gst_element_set_state(encoder->pipeline, GST_STATE_NULL);
    g_clear_pointer(&encoder->appsink, gst_object_unref);
    g_clear_pointer(&encoder->pipeline, gst_object_unref);

    g_message("capture with %s stopped", encoder->kind->element);
}


static gboolean
agent_encoder_message(GstBus *bus, GstMessage *message, gpointer data)
{
    agent_encoder_t     *encoder = data;
    g_autoptr(GError)    error = NULL;

    (void) bus;

    switch (GST_MESSAGE_TYPE(message)) {

    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        encoder->watch = 0;
        agent_encoder_broken(encoder, error->message);
        return G_SOURCE_REMOVE;

    case GST_MESSAGE_EOS:
        encoder->watch = 0;
        agent_encoder_broken(encoder, "the capture came to an end");
        return G_SOURCE_REMOVE;

    default:
        return G_SOURCE_CONTINUE;
    }
}


/* tries anew a few times, then tells the viewers; may free the encoder */

static void
agent_encoder_broken(agent_encoder_t *encoder, const char *message)
{
    guint                  i;
    agent_video_sink_t    *sink;
    g_autofree char       *text = NULL;
    g_autoptr(GPtrArray)   sinks = NULL;

    text = g_strdup(message);

    agent_encoder_stop(encoder);

    if (encoder->restarts < AGENT_VIDEO_RESTARTS) {
        encoder->restarts++;
        g_warning("capture failed, trying again: %s", text);
        encoder->timer = g_timeout_add(AGENT_VIDEO_RESTART_MS,
                                       agent_encoder_again, encoder);
        return;
    }

    g_critical("capture failed: %s", text);

    /* each handler detaches its own sink; the last one frees the encoder */

    sinks = g_ptr_array_copy(encoder->sinks, NULL, NULL);

    for (i = 0; i < sinks->len; i++) {
        sink = g_ptr_array_index(sinks, i);
        sink->events->failed(sink->data, text);
    }
}


static gboolean
agent_encoder_again(gpointer data)
{
    agent_encoder_t     *encoder = data;
    g_autoptr(GError)    error = NULL;

    encoder->timer = 0;

    if (!agent_encoder_start(encoder, &error)) {
        agent_encoder_broken(encoder, error->message);
    }

    return G_SOURCE_REMOVE;
}


/* on the capture's thread */

static GstFlowReturn
agent_encoder_sample(GstAppSink *appsink, gpointer data)
{
    guint              i;
    gint64             now_us;
    gboolean           key;
    GstBuffer         *buffer;
    agent_encoder_t   *encoder = data;
    g_autoptr(GstSample)  sample = NULL;

    sample = gst_app_sink_pull_sample(appsink);

    if (sample == NULL) {
        return GST_FLOW_EOS;
    }

    /* the viewers' pipelines started at other times: they stamp anew */

    buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
    GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;

    key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    now_us = g_get_monotonic_time();

    g_mutex_lock(&encoder->lock);

    for (i = 0; i < encoder->sinks->len; i++) {
        agent_encoder_push(g_ptr_array_index(encoder->sinks, i),
                           gst_sample_get_caps(sample), buffer, key);
    }

    g_mutex_unlock(&encoder->lock);

    gst_buffer_unref(buffer);

    if (key) {
        encoder->key_us = now_us;
    }

    if (now_us - encoder->key_us > AGENT_VIDEO_KEY_US
        && g_atomic_int_compare_and_exchange(&encoder->key_wanted, 1, 0))
    {
        gst_element_send_event(GST_ELEMENT(appsink),
            gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE,
                                                        TRUE, 0));
        encoder->key_us = now_us;
    }

    return GST_FLOW_OK;
}


static void
agent_encoder_push(agent_video_sink_t *sink, GstCaps *caps,
    GstBuffer *buffer, gboolean key)
{
    if (key) {
        sink->waits_for_key = FALSE;
    }

    if (gst_app_src_get_current_level_bytes(sink->appsrc)
        > AGENT_VIDEO_QUEUE)
    {
        sink->waits_for_key = TRUE;
        agent_video_want_key(sink);
    }

    if (!sink->waits_for_key) {
        gst_app_src_set_caps(sink->appsrc, caps);
        gst_app_src_push_buffer(sink->appsrc, gst_buffer_ref(buffer));
    }
}
