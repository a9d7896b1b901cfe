
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the capture of sound:
 *
 *     source ! audioconvert ! audioresample ! opusenc ! appsink ~> appsrc of
 *                                                  each viewer who asked
 *
 * It runs only while somebody listens.  A capture that breaks, for the sound
 * server went away, say, is tried again every few seconds; the viewers hear
 * nothing meanwhile, and their picture goes on.
 *
 * The lock protects the list of sinks against the capture's thread.
 */

#define G_LOG_DOMAIN  "rs-sound"

#include "agent_sound.h"

#include <gst/app/gstappsink.h>
#include <string.h>


#define AGENT_SOUND_QUEUE    16384      /* bytes a viewer: a second and more */
#define AGENT_SOUND_AGAIN_S  5
#define AGENT_SOUND_SOURCE   "pulsesrc device=@DEFAULT_MONITOR@ "              \
                             "client-name=rs-agent"


struct agent_sound_s {
    char        *source;
    gboolean     pulse;                 /* it is the user's */
    GstElement  *pipeline;              /* NULL: does not run */
    guint        watch;
    guint        timer;                 /* of the next try */

    GMutex       lock;
    GPtrArray   *sinks;                 /* under lock */
};


struct agent_sound_sink_s {
    agent_sound_t  *sound;
    GstAppSrc      *appsrc;
};


static gboolean agent_sound_has(const char *element);
static void agent_sound_start(agent_sound_t *sound);
static void agent_sound_stop(agent_sound_t *sound);
static void agent_sound_broken(agent_sound_t *sound, const char *message);
static gboolean agent_sound_again(gpointer data);
static gboolean agent_sound_message(GstBus *bus, GstMessage *message,
    gpointer data);
static GstFlowReturn agent_sound_sample(GstAppSink *appsink, gpointer data);


agent_sound_t *
agent_sound_new(const char *source)
{
    agent_sound_t  *sound;

    sound = g_new0(agent_sound_t, 1);
    sound->pulse = (source == NULL);
    sound->source = g_strdup(sound->pulse ? AGENT_SOUND_SOURCE : source);
    sound->sinks = g_ptr_array_new();
    g_mutex_init(&sound->lock);

    return sound;
}


void
agent_sound_free(agent_sound_t *sound)
{
    g_clear_handle_id(&sound->timer, g_source_remove);
    agent_sound_stop(sound);
    g_ptr_array_unref(sound->sinks);
    g_mutex_clear(&sound->lock);
    g_free(sound->source);
    g_free(sound);
}


static gboolean
agent_sound_has(const char *element)
{
    g_autoptr(GstElementFactory)  factory = gst_element_factory_find(element);

    return factory != NULL;
}


/* asking the server would wait for it: its socket has to do */

gboolean
agent_sound_there(const agent_sound_t *sound)
{
    g_autofree char  *socket = NULL;

    if (!agent_sound_has("opusenc") || !agent_sound_has("rtpopuspay")) {
        return FALSE;
    }

    if (!sound->pulse) {
        return TRUE;
    }

    if (!agent_sound_has("pulsesrc")) {
        return FALSE;
    }

    socket = g_build_filename(g_get_user_runtime_dir(), "pulse", "native",
                              NULL);

    return g_getenv("PULSE_SERVER") != NULL
           || g_file_test(socket, G_FILE_TEST_EXISTS);
}


agent_sound_sink_t *
agent_sound_attach(agent_sound_t *sound, GstAppSrc *appsrc)
{
    agent_sound_sink_t  *sink;

    sink = g_new0(agent_sound_sink_t, 1);
    sink->sound = sound;
    sink->appsrc = gst_object_ref(appsrc);

    g_mutex_lock(&sound->lock);
    g_ptr_array_add(sound->sinks, sink);
    g_mutex_unlock(&sound->lock);

    if (sound->pipeline == NULL && sound->timer == 0) {
        agent_sound_start(sound);
    }

    return sink;
}


void
agent_sound_detach(agent_sound_sink_t *sink)
{
    guint           left;
    agent_sound_t  *sound = sink->sound;

    g_mutex_lock(&sound->lock);
    g_ptr_array_remove_fast(sound->sinks, sink);
    left = sound->sinks->len;
    g_mutex_unlock(&sound->lock);

    gst_object_unref(sink->appsrc);
    g_free(sink);

    if (left == 0) {
        g_clear_handle_id(&sound->timer, g_source_remove);
        agent_sound_stop(sound);
    }
}


static void
agent_sound_start(agent_sound_t *sound)
{
    GstAppSinkCallbacks    callbacks;
    g_autofree char       *text = NULL;
    g_autoptr(GError)      error = NULL;
    g_autoptr(GstBus)      bus = NULL;
    g_autoptr(GstElement)  appsink = NULL;

    text = g_strdup_printf("%s ! queue max-size-time=100000000 "
                           "leaky=downstream ! audioconvert "
                           "! audioresample "
                           "! audio/x-raw,rate=48000,channels=2 "
                           "! opusenc bitrate=96000 frame-size=20 dtx=true "
                           "! appsink name=sink sync=false max-buffers=50 "
                           "drop=true", sound->source);

    sound->pipeline = gst_parse_launch(text, &error);

    if (sound->pipeline == NULL) {
        agent_sound_broken(sound, error->message);
        return;
    }

    appsink = gst_bin_get_by_name(GST_BIN(sound->pipeline), "sink");
    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.new_sample = agent_sound_sample;
    gst_app_sink_set_callbacks(GST_APP_SINK(appsink), &callbacks, sound,
                               NULL);

    bus = gst_element_get_bus(sound->pipeline);
    sound->watch = gst_bus_add_watch(bus, agent_sound_message, sound);

    if (gst_element_set_state(sound->pipeline, GST_STATE_PLAYING)
        == GST_STATE_CHANGE_FAILURE)
    {
        agent_sound_broken(sound, "the source does not start");
        return;
    }

    g_message("capture of sound started");
}


static void
agent_sound_stop(agent_sound_t *sound)
{
    if (sound->pipeline == NULL) {
        return;
    }

    g_clear_handle_id(&sound->watch, g_source_remove);
    gst_element_set_state(sound->pipeline, GST_STATE_NULL);
    g_clear_pointer(&sound->pipeline, gst_object_unref);

    g_message("capture of sound stopped");
}


static void
agent_sound_broken(agent_sound_t *sound, const char *message)
{
    g_warning("no sound: %s; is PulseAudio or PipeWire running for this user "
              "(PULSE_SERVER)?", message);

    agent_sound_stop(sound);
    sound->timer = g_timeout_add_seconds(AGENT_SOUND_AGAIN_S,
                                         agent_sound_again, sound);
}


static gboolean
agent_sound_again(gpointer data)
{
    agent_sound_t  *sound = data;

    sound->timer = 0;
    agent_sound_start(sound);

    return G_SOURCE_REMOVE;
}


static gboolean
agent_sound_message(GstBus *bus, GstMessage *message, gpointer data)
{
    agent_sound_t       *sound = data;
    g_autoptr(GError)    error = NULL;

    (void) bus;

    switch (GST_MESSAGE_TYPE(message)) {

    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        sound->watch = 0;
        agent_sound_broken(sound, error->message);
        return G_SOURCE_REMOVE;

    case GST_MESSAGE_EOS:
        sound->watch = 0;
        agent_sound_broken(sound, "the source came to an end");
        return G_SOURCE_REMOVE;

    default:
        return G_SOURCE_CONTINUE;
    }
}


/* on the capture's thread */

static GstFlowReturn
agent_sound_sample(GstAppSink *appsink, gpointer data)
{
    guint                 i;
    GstBuffer            *buffer;
    agent_sound_t        *sound = data;
    agent_sound_sink_t   *sink;
    g_autoptr(GstSample)  sample = NULL;

    sample = gst_app_sink_pull_sample(appsink);

    if (sample == NULL) {
        return GST_FLOW_EOS;
    }

    /* the viewers' pipelines started at other times: they stamp anew */

    buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
    GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;

    g_mutex_lock(&sound->lock);

    for (i = 0; i < sound->sinks->len; i++) {
        sink = g_ptr_array_index(sound->sinks, i);

        if (gst_app_src_get_current_level_bytes(sink->appsrc)
            < AGENT_SOUND_QUEUE)
        {
            gst_app_src_set_caps(sink->appsrc, gst_sample_get_caps(sample));
            gst_app_src_push_buffer(sink->appsrc, gst_buffer_ref(buffer));
        }
    }

    g_mutex_unlock(&sound->lock);
    gst_buffer_unref(buffer);

    return GST_FLOW_OK;
}
