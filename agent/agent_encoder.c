
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the capture pipelines, and which encoder is used how.
 *
 * Between the source and the encoder stands a gate (agent_pace.c): a frame
 * passes when the network has carried those before, and a frame that is the
 * picture of the last one, byte by byte, only now and then.  The last one
 * that passed is held for that.
 *
 * Threads: the source's runs the gate, the encoder's the frames.  What they
 * share with the main loop is under the lock, or atomic.
 */

#define G_LOG_DOMAIN  "rs-video"

#include "agent_encoder.h"
#include "agent_pace.h"

#include <gst/app/gstappsink.h>
#include <gst/video/video.h>
#include <string.h>


#define AGENT_ENCODER_KEY_US      (300 * 1000)      /* between key frames */
#define AGENT_ENCODER_GOP         3000  /* frames; receivers ask by then */
#define AGENT_ENCODER_RESTARTS    3
#define AGENT_ENCODER_RESTART_MS  500
#define AGENT_ENCODER_HEADERS     0.93  /* the rest of a rate is RTP's */


typedef struct {
    guint        codec;
    const char  *element;
    const char  *colorimetry;   /* what browsers take for granted */
    const char  *property;      /* of the rate */
    guint        unit;          /* bits/s */
    const char  *format;        /* gst_parse, with {rate} and {gop} */
} agent_encoder_kind_t;


struct agent_encoder_s {
    agent_encoder_params_t         params;
    const agent_encoder_events_t  *events;
    void                          *data;
    const agent_encoder_kind_t    *kind;

    GstElement                    *pipeline;
    GstElement                    *appsink;
    GstElement                    *coder;
    guint                          watch;
    guint                          restarts;
    guint                          timer;       /* of the next restart */
    gboolean                       abandoned;

    GMutex                         lock;
    agent_pace_t                   pace;        /* under lock */
    GstBuffer                     *passed;      /* source's thread */
    gint64                         key_us;      /* source's thread */
    gint                           key_wanted;  /* atomic */
};


static const agent_encoder_kind_t *agent_encoder_kind(guint codec);
static guint agent_encoder_bits(const agent_encoder_t *encoder);
static char *agent_encoder_text(agent_encoder_t *encoder);
static gboolean agent_encoder_start(agent_encoder_t *encoder,
    GError **error);
static void agent_encoder_stop(agent_encoder_t *encoder);
static void agent_encoder_gate(agent_encoder_t *encoder);
static gboolean agent_encoder_message(GstBus *bus, GstMessage *message,
    gpointer data);
static void agent_encoder_broken(agent_encoder_t *encoder,
    const char *message);
static gboolean agent_encoder_again(gpointer data);
static GstPadProbeReturn agent_encoder_captured(GstPad *pad,
    GstPadProbeInfo *info, gpointer data);
static gboolean agent_encoder_same(GstBuffer *a, GstBuffer *b);
static GstFlowReturn agent_encoder_sample(GstAppSink *appsink,
    gpointer data);


/*
 * In the order of preference.  One thread: two cost four times as much on a
 * shared core.  x264 is used where the administrator installed it.
 */

static const agent_encoder_kind_t  agent_encoder_kinds[] = {

    { AGENT_CODEC_VP8, "vp8enc", "bt601", "target-bitrate", 1,
      "vp8enc name=coder deadline=1 threads=1 cpu-used=12 end-usage=cbr "
      "target-bitrate={rate} lag-in-frames=0 error-resilient=default "
      "keyframe-max-dist={gop} static-threshold=1 max-quantizer=58 "
      "buffer-size=600 buffer-initial-size=400 buffer-optimal-size=500 "
      "undershoot=95 overshoot=50 "
      "! video/x-vp8" },

    { AGENT_CODEC_H264, "openh264enc", "bt709", "bitrate", 1,
      "openh264enc name=coder usage-type=screen complexity=low "
      "rate-control=bitrate bitrate={rate} gop-size={gop} multi-thread=1 "
      "enable-frame-skip=false scene-change-detection=false "
      "! video/x-h264,profile=constrained-baseline,"
      "stream-format=byte-stream,alignment=au" },

    { AGENT_CODEC_H264, "x264enc", "bt709", "bitrate", 1000,
      "x264enc name=coder tune=zerolatency speed-preset=ultrafast threads=1 "
      "bitrate={rate} key-int-max={gop} bframes=0 byte-stream=true "
      "! video/x-h264,profile=constrained-baseline,"
      "stream-format=byte-stream,alignment=au" }
};


static const agent_encoder_kind_t *
agent_encoder_kind(guint codec)
{
    gsize                         i;
    const agent_encoder_kind_t   *kind;

    for (i = 0; i < G_N_ELEMENTS(agent_encoder_kinds); i++) {
        g_autoptr(GstElementFactory)  factory = NULL;

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
agent_encoder_codecs(void)
{
    guint  codec, codecs;

    codecs = 0;

    for (codec = AGENT_CODEC_VP8; codec <= AGENT_CODEC_H264; codec <<= 1) {

        if (agent_encoder_kind(codec) != NULL) {
            codecs |= codec;
        }
    }

    return codecs;
}


agent_encoder_t *
agent_encoder_new(const agent_encoder_params_t *params,
    const agent_encoder_events_t *events, void *data, GError **error)
{
    agent_encoder_t             *encoder;
    const agent_encoder_kind_t  *kind;

    kind = agent_encoder_kind(params->codec);

    if (kind == NULL) {
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                    "no encoder for this codec is installed");
        return NULL;
    }

    encoder = g_new0(agent_encoder_t, 1);
    encoder->params = *params;
    encoder->events = events;
    encoder->data = data;
    encoder->kind = kind;
    g_mutex_init(&encoder->lock);

    if (!agent_encoder_start(encoder, error)) {
        agent_encoder_free(encoder);
        return NULL;
    }

    return encoder;
}


void
agent_encoder_free(agent_encoder_t *encoder)
{
    agent_encoder_stop(encoder);

    if (encoder->abandoned) {
        return;
    }

    g_mutex_clear(&encoder->lock);
    g_free(encoder);
}


void
agent_encoder_abandon(agent_encoder_t *encoder)
{
    encoder->abandoned = TRUE;
}


static guint
agent_encoder_bits(const agent_encoder_t *encoder)
{
    return (guint) (encoder->params.bitrate * AGENT_ENCODER_HEADERS);
}


void
agent_encoder_rate(agent_encoder_t *encoder, guint bitrate)
{
    if (bitrate == encoder->params.bitrate) {
        return;
    }

    encoder->params.bitrate = bitrate;

    g_mutex_lock(&encoder->lock);
    agent_pace_rate(&encoder->pace, agent_encoder_bits(encoder));
    g_mutex_unlock(&encoder->lock);

    if (encoder->coder != NULL) {
        g_object_set(encoder->coder, encoder->kind->property,
                     agent_encoder_bits(encoder) / encoder->kind->unit, NULL);
    }
}


void
agent_encoder_frames(agent_encoder_t *encoder, guint fps)
{
    g_mutex_lock(&encoder->lock);
    agent_pace_frames(&encoder->pace, fps);
    g_mutex_unlock(&encoder->lock);
}


void
agent_encoder_want_key(agent_encoder_t *encoder)
{
    g_atomic_int_set(&encoder->key_wanted, 1);
}


void
agent_encoder_restart(agent_encoder_t *encoder)
{
    g_autoptr(GError)  error = NULL;

    agent_encoder_stop(encoder);

    if (!agent_encoder_start(encoder, &error)) {
        agent_encoder_broken(encoder, error->message);
    }
}


static char *
agent_encoder_text(agent_encoder_t *encoder)
{
    gsize        i;
    GString     *text;
    const guint  values[] = {
        agent_encoder_bits(encoder) / encoder->kind->unit,
        AGENT_ENCODER_GOP
    };

    static const char *const  names[] = { "{rate}", "{gop}" };

    text = g_string_new(encoder->kind->format);

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
    GstAppSinkCallbacks      callbacks;
    agent_platform_t        *platform = encoder->params.platform;
    g_autofree char         *source = NULL;
    g_autofree char         *coder = NULL;
    g_autofree char         *text = NULL;
    g_autoptr(GstBus)        bus = NULL;

    source = platform->ops->source(platform, encoder->params.fps,
                                   &encoder->params.view);
    coder = agent_encoder_text(encoder);

    text = g_strdup_printf("%s ! videoconvert name=convert "
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
    encoder->coder = gst_bin_get_by_name(GST_BIN(encoder->pipeline),
                                         "coder");
    agent_encoder_gate(encoder);

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


/* before the conversion, which is most of what a dropped frame saves */

static void
agent_encoder_gate(agent_encoder_t *encoder)
{
    agent_area_t           area;
    g_autoptr(GstPad)      pad = NULL;
    g_autoptr(GstElement)  convert = NULL;

    agent_platform_area(encoder->params.platform, &encoder->params.view,
                        &area);
    agent_pace_init(&encoder->pace, (guint) (area.width * area.height),
                    agent_encoder_bits(encoder));

    convert = gst_bin_get_by_name(GST_BIN(encoder->pipeline), "convert");
    pad = gst_element_get_static_pad(convert, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, agent_encoder_captured,
                      encoder, NULL);
}


static void
agent_encoder_stop(agent_encoder_t *encoder)
{
    g_clear_handle_id(&encoder->timer, g_source_remove);

    if (encoder->pipeline == NULL) {
        return;
    }

    g_clear_handle_id(&encoder->watch, g_source_remove);

    if (encoder->abandoned) {
        return;
    }

    gst_element_set_state(encoder->pipeline, GST_STATE_NULL);
    g_clear_pointer(&encoder->appsink, gst_object_unref);
    g_clear_pointer(&encoder->coder, gst_object_unref);
    g_clear_pointer(&encoder->pipeline, gst_object_unref);
    g_clear_pointer(&encoder->passed, gst_buffer_unref);

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


/* tries anew a few times, then tells; may free the encoder */

static void
agent_encoder_broken(agent_encoder_t *encoder, const char *message)
{
    g_autofree char  *text = NULL;

    text = g_strdup(message);

    agent_encoder_stop(encoder);

    if (encoder->restarts < AGENT_ENCODER_RESTARTS) {
        encoder->restarts++;
        g_warning("capture failed, trying again: %s", text);
        encoder->timer = g_timeout_add(AGENT_ENCODER_RESTART_MS,
                                       agent_encoder_again, encoder);
        return;
    }

    g_critical("capture failed: %s", text);
    encoder->events->failed(encoder->data, text);
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


/* on the source's thread from here on */

static GstPadProbeReturn
agent_encoder_captured(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    gint64            now_us;
    GstBuffer        *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    gboolean          due, wanted, changed;
    agent_encoder_t  *encoder = data;

    (void) pad;

    now_us = g_get_monotonic_time();
    wanted = g_atomic_int_get(&encoder->key_wanted)
             && now_us - encoder->key_us > AGENT_ENCODER_KEY_US;
    changed = !agent_encoder_same(encoder->passed, buffer);

    g_mutex_lock(&encoder->lock);
    due = agent_pace_due(&encoder->pace, now_us, changed, wanted);
    g_mutex_unlock(&encoder->lock);

    if (!due) {
        return GST_PAD_PROBE_DROP;
    }

    if (wanted) {
        g_atomic_int_set(&encoder->key_wanted, 0);
        encoder->key_us = now_us;
        gst_element_send_event(encoder->appsink,
            gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE,
                                                        TRUE, 0));
    }

    gst_buffer_replace(&encoder->passed, buffer);

    return GST_PAD_PROBE_OK;
}


static gboolean
agent_encoder_same(GstBuffer *a, GstBuffer *b)
{
    gboolean    same;
    GstMapInfo  one, two;

    if (a == NULL || !gst_buffer_map(a, &one, GST_MAP_READ)) {
        return FALSE;
    }

    same = FALSE;

    if (gst_buffer_map(b, &two, GST_MAP_READ)) {
        same = one.size == two.size
               && memcmp(one.data, two.data, one.size) == 0;
        gst_buffer_unmap(b, &two);
    }

    gst_buffer_unmap(a, &one);

    return same;
}


/* on the encoder's thread */

static GstFlowReturn
agent_encoder_sample(GstAppSink *appsink, gpointer data)
{
    gboolean              key;
    GstBuffer            *buffer;
    agent_encoder_t      *encoder = data;
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

    g_mutex_lock(&encoder->lock);
    agent_pace_spent(&encoder->pace, g_get_monotonic_time(),
                     gst_buffer_get_size(buffer), key);
    g_mutex_unlock(&encoder->lock);

    encoder->events->frame(encoder->data, gst_sample_get_caps(sample), buffer,
                           key);
    gst_buffer_unref(buffer);

    return GST_FLOW_OK;
}
