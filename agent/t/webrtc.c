
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * agent_webrtc against another webrtcbin that offers as a browser does, over
 * a real capture of a real X server: the colour of a pixel for each codec,
 * the data channel, two viewers of one encoder, and offers that are refused.
 *
 * Runs itself in a network namespace (util/with-netns), because libnice
 * ignores loopback.
 */

#include "agent_config.h"
#include "agent_input.h"
#include "agent_sound.h"
#include "agent_viewer.h"
#include "agent_webrtc.h"
#include "rs_operator.h"
#include "tap.h"
#include "xvfb.h"

#include <X11/Xlib.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>
#include <string.h>


#define DEADLINE_S  30
#define RED         0xc0
#define GREEN       0x20
#define BLUE        0x40
#define INSIDE      "AGENT_TEST_INSIDE"
#define BULK        "rs-bulk"
#define BULK_MAX    65536


/* one viewer: the offering webrtcbin, and the agent's side that serves it */

typedef struct {
    agent_webrtc_t         *agent;
    GstElement             *pipeline;
    GstElement             *webrtc;
    GstWebRTCDataChannel   *channel;
    GstWebRTCDataChannel   *other;          /* of BULK, or NULL */
    const char             *decoder;

    GMutex                  lock;
    GQueue                  candidates;     /* ours, under lock */
    char                   *offer;          /* under lock */
    char                   *heard;          /* of the channel, under lock */
    guint                   frames;         /* under lock */
    guint                   heard_n;        /* buffers of sound, under lock */
    gboolean                loud;           /* one of them, under lock */
    guint8                  pixel[3];       /* under lock */

    char                   *failed;         /* code */
    agent_path_t            path;
    gboolean                has_path;
    gboolean                connected;
    GString                *messages;

    agent_channel_t        *bulk;           /* BULK, the agent's end */
    guint                   bulk_bytes;     /* that the kind got */
    guint                   bulk_sum;       /* of them */
    guint                   bulk_drained;
    guint                   bulk_closed;
    guint                   bulk_heard;     /* bytes; under lock */
    gboolean                other_closed;   /* under lock */
} viewer_t;


typedef struct {
    char    *text;
    guint    mline;
} candidate_t;


typedef struct {
    pid_t               xvfb;
    agent_platform_t   *platform;
    agent_video_t      *video;
    agent_shim_t       *shim;
    agent_ice_t        *ice;
    agent_sound_t      *sound;          /* NULL: not allowed */
    const char         *fingerprint;    /* NULL: that of the offer */
} fixture_t;


static void
bail(const char *why)
{
    printf("not ok - %s\n", why);
    exit(1);
}


/* ---- the desktop */

static void
start_desktop(fixture_t *f)
{
    XColor               color;
    Display             *display;
    g_autofree char     *name = NULL;
    g_autoptr(GError)    error = NULL;

    name = xvfb_start("640x360x24", &f->xvfb);

    display = XOpenDisplay(name);
    memset(&color, 0, sizeof(color));
    color.red = RED * 257;
    color.green = GREEN * 257;
    color.blue = BLUE * 257;
    XAllocColor(display, DefaultColormap(display, 0), &color);
    XSetWindowBackground(display, DefaultRootWindow(display), color.pixel);
    XClearWindow(display, DefaultRootWindow(display));
    XCloseDisplay(display);

    f->platform = agent_platform_open(name, &error);

    if (f->platform == NULL) {
        bail(error->message);
    }
}


/* ---- the viewer's side, on webrtcbin's threads */

static GstFlowReturn
on_frame(GstAppSink *sink, gpointer data)
{
    GstMapInfo             map;
    viewer_t              *v = data;
    g_autoptr(GstSample)   sample = gst_app_sink_pull_sample(sink);

    if (sample == NULL) {
        return GST_FLOW_EOS;
    }

    gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ);

    g_mutex_lock(&v->lock);
    v->frames++;
    memcpy(v->pixel, map.data + (200 * 640 + 500) * 4, 3);
    g_mutex_unlock(&v->lock);

    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);

    return GST_FLOW_OK;
}


static GstFlowReturn
on_sound(GstAppSink *sink, gpointer data)
{
    gsize                  i;
    GstMapInfo             map;
    viewer_t              *v = data;
    g_autoptr(GstSample)   sample = gst_app_sink_pull_sample(sink);

    if (sample == NULL) {
        return GST_FLOW_EOS;
    }

    gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ);

    g_mutex_lock(&v->lock);
    v->heard_n++;

    for (i = 0; i + 1 < map.size; i += 2) {
        v->loud = v->loud || ABS(*(gint16 *) (void *) (map.data + i)) > 3000;
    }

    g_mutex_unlock(&v->lock);

    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);

    return GST_FLOW_OK;
}


static gboolean
is_audio(GstPad *pad)
{
    g_autoptr(GstCaps)  caps = gst_pad_get_current_caps(pad);

    return caps != NULL
           && g_strcmp0(gst_structure_get_string(
                            gst_caps_get_structure(caps, 0), "media"),
                        "audio") == 0;
}


static void
on_pad(GstElement *webrtc, GstPad *pad, gpointer data)
{
    viewer_t             *v = data;
    GstElement           *bin, *sink;
    GstAppSinkCallbacks   callbacks = { .new_sample = on_frame };
    g_autofree char      *text = NULL;
    g_autoptr(GstPad)     target = NULL;

    (void) webrtc;

    if (is_audio(pad)) {
        callbacks.new_sample = on_sound;
        text = g_strdup("rtpopusdepay ! opusdec ! audioconvert "
                        "! audio/x-raw,format=S16LE ! appsink name=sink "
                        "sync=false");

    } else {
        text = g_strdup_printf("%s ! videoconvert "
                               "! video/x-raw,format=RGBx,width=640,"
                               "height=360 ! appsink name=sink sync=false",
                               v->decoder);
    }

    bin = gst_parse_bin_from_description(text, TRUE, NULL);
    sink = gst_bin_get_by_name(GST_BIN(bin), "sink");
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, v, NULL);
    gst_object_unref(sink);

    gst_bin_add(GST_BIN(v->pipeline), bin);
    gst_element_sync_state_with_parent(bin);
    target = gst_element_get_static_pad(bin, "sink");
    gst_pad_link(pad, target);
}


static void
on_local_candidate(GstElement *webrtc, guint mline, char *text, gpointer data)
{
    viewer_t     *v = data;
    candidate_t  *c = g_new0(candidate_t, 1);

    (void) webrtc;

    c->text = g_strdup(text);
    c->mline = mline;

    g_mutex_lock(&v->lock);
    g_queue_push_tail(&v->candidates, c);
    g_mutex_unlock(&v->lock);
}


static void
on_text(GstWebRTCDataChannel *channel, const char *text, gpointer data)
{
    viewer_t  *v = data;

    (void) channel;

    g_mutex_lock(&v->lock);
    g_free(v->heard);
    v->heard = g_strdup(text);
    g_mutex_unlock(&v->lock);
}


static void
on_offer(GstPromise *promise, gpointer data)
{
    viewer_t                     *v = data;
    GstPromise                   *none;
    GstWebRTCSessionDescription  *offer = NULL;

    gst_promise_wait(promise);
    gst_structure_get(gst_promise_get_reply(promise), "offer",
                      GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &offer, NULL);
    gst_promise_unref(promise);

    none = gst_promise_new();
    g_signal_emit_by_name(v->webrtc, "set-local-description", offer, none);
    gst_promise_interrupt(none);
    gst_promise_unref(none);

    g_mutex_lock(&v->lock);
    v->offer = gst_sdp_message_as_text(offer->sdp);
    g_mutex_unlock(&v->lock);

    gst_webrtc_session_description_free(offer);
}


/* ---- the agent's side, on the main loop */

static void
on_answer(void *data, agent_webrtc_t *w, const char *sdp)
{
    viewer_t                     *v = data;
    GstPromise                   *none;
    GstSDPMessage                *message;
    GstWebRTCSessionDescription  *answer;

    (void) w;

    gst_sdp_message_new_from_text(sdp, &message);
    answer = gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER,
                                                message);
    none = gst_promise_new();
    g_signal_emit_by_name(v->webrtc, "set-remote-description", answer, none);
    gst_promise_interrupt(none);
    gst_promise_unref(none);
    gst_webrtc_session_description_free(answer);
}


static void
on_candidate(void *data, agent_webrtc_t *w, const char *candidate,
    guint mline, const char *mid)
{
    viewer_t  *v = data;

    (void) w;
    (void) mid;

    if (candidate[0] != '\0') {
        g_signal_emit_by_name(v->webrtc, "add-ice-candidate", mline,
                              candidate);
    }
}


static void
on_connected(void *data, agent_webrtc_t *w)
{
    (void) w;

    ((viewer_t *) data)->connected = TRUE;
}


static void *
on_opened(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_channel_send_text(ch, "hello");

    return viewer;
}


static void
on_message(void *data, const char *text, gsize len)
{
    g_string_append_len(((viewer_t *) data)->messages, text, (gssize) len);
}


static void
on_closed(void *data)
{
    (void) data;
}


static void *
on_bulk_opened(agent_channel_t *ch, agent_viewer_t *viewer)
{
    viewer_t  *v = (viewer_t *) viewer;

    v->bulk = ch;

    return v;
}


static void
on_bulk(void *data, const guint8 *bytes, gsize len)
{
    gsize      i;
    viewer_t  *v = data;

    for (i = 0; i < len; i++) {
        v->bulk_sum += bytes[i];
    }

    v->bulk_bytes += (guint) len;
}


static void
on_bulk_drained(void *data)
{
    ((viewer_t *) data)->bulk_drained++;
}


static void
on_bulk_closed(void *data)
{
    viewer_t  *v = data;

    v->bulk = NULL;
    v->bulk_closed++;
}


static const agent_channel_kind_t  input_kind = {
    .label = AGENT_VIEWER_INPUT,
    .message_max = AGENT_INPUT_MESSAGE,
    .messages_max = 512,
    .bytes_max = 512 * AGENT_INPUT_MESSAGE,
    .vital = TRUE,
    .buffer_max = 65536,
    .open = on_opened,
    .text = on_message,
    .closed = on_closed
};


static const agent_channel_kind_t  bulk_kind = {
    .label = BULK,
    .message_max = AGENT_CHANNEL_CHUNK,
    .messages_max = 64,
    .bytes_max = 64 * AGENT_CHANNEL_CHUNK,
    .buffer_max = BULK_MAX,
    .buffer_low = BULK_MAX / 4,
    .open = on_bulk_opened,
    .binary = on_bulk,
    .drained = on_bulk_drained,
    .closed = on_bulk_closed
};


static const agent_channel_kind_t *const  kinds[] = {
    &input_kind, &bulk_kind, NULL
};


static void
on_path(void *data, agent_webrtc_t *w, const agent_path_t *path)
{
    viewer_t  *v = data;

    (void) w;

    v->path = *path;
    v->has_path = TRUE;
}


static void
on_failed(void *data, agent_webrtc_t *w, const char *code,
    const char *message)
{
    viewer_t  *v = data;

    (void) w;

    printf("# %s: %s\n", code, message);
    g_free(v->failed);
    v->failed = g_strdup(code);
    g_clear_pointer(&v->agent, agent_webrtc_free);
}


static void
on_opening(void *data, agent_webrtc_t *w)
{
    (void) data;
    (void) w;
}


static const agent_webrtc_events_t  events = {
    on_answer, on_candidate, on_connected, on_opening, on_path, on_failed
};


/* ---- both */

static viewer_t *
viewer_new_with(guint codec, gboolean sound)
{
    viewer_t               *v = g_new0(viewer_t, 1);
    GstPromise             *promise;
    g_autoptr(GstCaps)      caps = NULL;
    g_autoptr(GObject)      transceiver = NULL;

    g_mutex_init(&v->lock);
    g_queue_init(&v->candidates);
    v->messages = g_string_new(NULL);
    v->pipeline = gst_pipeline_new(NULL);
    v->webrtc = gst_element_factory_make("webrtcbin", NULL);

    if (v->webrtc == NULL) {
        bail("no webrtcbin");
    }

    gst_util_set_object_arg(G_OBJECT(v->webrtc), "bundle-policy",
                            "max-bundle");
    g_signal_connect(v->webrtc, "on-ice-candidate",
                     G_CALLBACK(on_local_candidate), v);
    g_signal_connect(v->webrtc, "pad-added", G_CALLBACK(on_pad), v);
    gst_bin_add(GST_BIN(v->pipeline), v->webrtc);
    gst_element_set_state(v->pipeline, GST_STATE_PLAYING);

    if (codec == AGENT_CODEC_VP8) {
        v->decoder = "rtpvp8depay ! vp8dec";
        caps = gst_caps_from_string("application/x-rtp,media=video,"
            "encoding-name=VP8,payload=96,clock-rate=90000");

    } else {

        /* as browsers read H.264 that does not say */

        v->decoder = "rtph264depay ! h264parse ! openh264dec "
                     "! capssetter caps=video/x-raw,colorimetry=bt709";
        caps = gst_caps_from_string("application/x-rtp,media=video,"
            "encoding-name=H264,payload=102,clock-rate=90000,"
            "packetization-mode=(string)1,"
            "profile-level-id=(string)42e01f");
    }

    g_signal_emit_by_name(v->webrtc, "add-transceiver",
                          GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                          caps, &transceiver);
    if (sound) {
        g_autoptr(GObject)  ear = NULL;
        g_autoptr(GstCaps)  opus = NULL;

        opus = gst_caps_from_string("application/x-rtp,media=audio,"
            "encoding-name=OPUS,payload=111,clock-rate=48000,"
            "encoding-params=(string)2");
        g_signal_emit_by_name(v->webrtc, "add-transceiver",
                              GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                              opus, &ear);
    }

    g_signal_emit_by_name(v->webrtc, "create-data-channel",
                          AGENT_VIEWER_INPUT, NULL, &v->channel);
    g_signal_connect(v->channel, "on-message-string", G_CALLBACK(on_text), v);

    promise = gst_promise_new_with_change_func(on_offer, v, NULL);
    g_signal_emit_by_name(v->webrtc, "create-offer", NULL, promise);

    return v;
}


static viewer_t *
viewer_new(guint codec)
{
    return viewer_new_with(codec, FALSE);
}


static void
candidate_free(void *data)
{
    candidate_t  *c = data;

    g_free(c->text);
    g_free(c);
}


static void
viewer_free(viewer_t *v)
{
    g_clear_pointer(&v->agent, agent_webrtc_free);
    gst_element_set_state(v->pipeline, GST_STATE_NULL);
    g_clear_object(&v->channel);
    g_clear_object(&v->other);
    gst_object_unref(v->pipeline);
    g_queue_clear_full(&v->candidates, candidate_free);
    g_mutex_clear(&v->lock);
    g_string_free(v->messages, TRUE);
    g_free(v->offer);
    g_free(v->heard);
    g_free(v->failed);
    g_free(v);
}


/* the test's signalling: candidates of the viewer to the agent */

static void
carry(viewer_t *v)
{
    candidate_t  *c;

    for ( ;; ) {
        g_mutex_lock(&v->lock);
        c = (v->agent != NULL) ? g_queue_pop_head(&v->candidates) : NULL;
        g_mutex_unlock(&v->lock);

        if (c == NULL) {
            return;
        }

        agent_webrtc_candidate(v->agent, c->text, c->mline);
        candidate_free(c);
    }
}


typedef gboolean (*condition_pt)(viewer_t *v, guint n);


static gboolean
wait_for(viewer_t *v, condition_pt condition, guint n)
{
    gint64    end_us;
    gboolean  met;

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    do {
        carry(v);
        g_main_context_iteration(NULL, FALSE);
        g_usleep(2000);

        g_mutex_lock(&v->lock);
        met = condition(v, n);
        g_mutex_unlock(&v->lock);

    } while (!met && g_get_monotonic_time() < end_us);

    return met;
}


static gboolean
has_offer(viewer_t *v, guint n)
{
    (void) n;

    return v->offer != NULL;
}


static gboolean
has_frames(viewer_t *v, guint n)
{
    return v->frames >= n;
}


static gboolean
has_colour(viewer_t *v, guint n)
{
    (void) n;

    return v->frames > 0
           && ABS(v->pixel[0] - RED) < 12
           && ABS(v->pixel[1] - GREEN) < 12
           && ABS(v->pixel[2] - BLUE) < 12;
}


static gboolean
has_heard(viewer_t *v, guint n)
{
    (void) n;

    return v->heard != NULL;
}


static gboolean
has_messages(viewer_t *v, guint n)
{
    return v->messages->len >= n;
}


static gboolean
has_path(viewer_t *v, guint n)
{
    (void) n;

    return v->has_path;
}


static gboolean
has_failed(viewer_t *v, guint n)
{
    (void) n;

    return v->failed != NULL;
}


/* NULL and the code when the offer is refused at once */

static const char *
serve(fixture_t *f, viewer_t *v, guint codecs, gboolean relay_only)
{
    char                     text[RS_OPERATOR_FINGERPRINT_LEN];
    const char              *code, *message;
    g_autofree char         *fingerprint = NULL;
    agent_webrtc_params_t    params;

    if (!wait_for(v, has_offer, 0)) {
        bail("no offer");
    }

    params.video = f->video;
    params.shim = f->shim;
    params.sound = f->sound;
    params.ice = f->ice;
    params.relay_only = relay_only;
    params.codecs = codecs;
    params.kinds = kinds;
    params.viewer = (agent_viewer_t *) v;
    params.offer = v->offer;
    params.fingerprint = f->fingerprint;

    if (params.fingerprint == NULL) {
        if (rs_operator_fingerprint(rs_str(v->offer), text) != RS_OK) {
            bail("the offer has no fingerprint");
        }

        fingerprint = g_strndup(text, sizeof(text));
        params.fingerprint = fingerprint;
    }

    v->agent = agent_webrtc_new(&params, &events, v, &code, &message);

    return (v->agent != NULL) ? NULL : code;
}


static void
is_shown(viewer_t *v, const char *what)
{
    if (!ok(wait_for(v, has_colour, 0), "%s: the right colour", what)) {
        printf("#   %u frames, the last %02x %02x %02x; failed: %s\n",
               v->frames, v->pixel[0], v->pixel[1], v->pixel[2],
               v->failed ? v->failed : "no");
    }
}


/*
 * Somebody else's certificate: as with a gateway that connects in the
 * viewer's place.  Nothing is shown, nothing is heard.
 */

static void
test_stranger(fixture_t *f)
{
    viewer_t  *v;

    v = viewer_new(AGENT_CODEC_VP8);
    f->fingerprint = "sha-256 "
                     "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"
                     "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";

    ok(serve(f, v, AGENT_CODEC_VP8, FALSE) == NULL, "a stranger: answered");
    ok(wait_for(v, has_failed, 0), "and refused when it connects");
    is_str(v->failed, "operator_unverified", "for its certificate");
    ok(!v->connected && v->heard == NULL && v->frames == 0,
       "without a word or a picture");

    f->fingerprint = NULL;
    viewer_free(v);
}


static void
test_vp8(fixture_t *f)
{
    guint      n;
    viewer_t  *a, *b;

    a = viewer_new(AGENT_CODEC_VP8);
    b = viewer_new(AGENT_CODEC_VP8);

    ok(serve(f, a, AGENT_CODEC_VP8, FALSE) == NULL, "VP8: served");
    is_shown(a, "VP8");
    ok(a->connected, "and said to be connected");

    ok(wait_for(a, has_heard, 0) && strcmp(a->heard, "hello") == 0,
       "the viewer hears the agent over rs-input");
    gst_webrtc_data_channel_send_string(a->channel, "{\"type\":\"ping\"}");
    ok(wait_for(a, has_messages, 15)
       && strcmp(a->messages->str, "{\"type\":\"ping\"}") == 0,
       "and is heard");

    ok(wait_for(a, has_path, 0) && !a->path.relay
       && strcmp(a->path.local, "host") == 0
       && a->path.protocol == AGENT_PROTO_UDP, "the path is told");

    /* the second joins a running encoder: a key frame comes for it */

    ok(serve(f, b, AGENT_CODEC_VP8, FALSE) == NULL, "a second viewer");
    is_shown(b, "a second viewer");

    viewer_free(a);

    g_mutex_lock(&b->lock);
    n = b->frames;
    g_mutex_unlock(&b->lock);

    ok(wait_for(b, has_frames, n + 10),
       "the first one leaves, the other's frames go on");

    viewer_free(b);
}


static void
test_h264(fixture_t *f)
{
    viewer_t  *v = viewer_new(AGENT_CODEC_H264);

    ok(serve(f, v, agent_video_codecs(), FALSE) == NULL, "H.264: served");
    is_shown(v, "H.264");
    viewer_free(v);
}


static gboolean
has_sound(viewer_t *v, guint n)
{
    return v->heard_n >= n && v->loud;
}


static void
test_sound(fixture_t *f)
{
    viewer_t  *v, *other;

    /* asked for, and not allowed: the picture alone */

    v = viewer_new_with(AGENT_CODEC_VP8, TRUE);
    ok(serve(f, v, AGENT_CODEC_VP8, FALSE) == NULL, "sound is not for him");
    is_shown(v, "without sound");
    viewer_free(v);

    f->sound = agent_sound_new("audiotestsrc is-live=true wave=sine");
    ok(agent_sound_there(f->sound), "there is sound");

    v = viewer_new_with(AGENT_CODEC_VP8, TRUE);
    other = viewer_new(AGENT_CODEC_VP8);
    ok(serve(f, v, AGENT_CODEC_VP8, FALSE) == NULL
       && serve(f, other, AGENT_CODEC_VP8, FALSE) == NULL,
       "sound for one, and none asked for by another");
    is_shown(v, "with sound");
    is_shown(other, "beside it");
    ok(wait_for(v, has_sound, 20), "it is heard: %u", v->heard_n);
    is_int(other->heard_n, 0, "by who asked alone");

    viewer_free(v);
    viewer_free(other);
    agent_sound_free(f->sound);

    /* a source that does not work costs the sound, not the picture */

    f->sound = agent_sound_new("filesrc location=/nowhere ! wavparse");
    v = viewer_new_with(AGENT_CODEC_VP8, TRUE);
    ok(serve(f, v, AGENT_CODEC_VP8, FALSE) == NULL, "a source that breaks");
    is_shown(v, "with a source that breaks");
    viewer_free(v);

    g_clear_pointer(&f->sound, agent_sound_free);
}


static void
test_closing(fixture_t *f)
{
    viewer_t  *v = viewer_new(AGENT_CODEC_VP8);
    viewer_t  *other = viewer_new(AGENT_CODEC_VP8);

    serve(f, v, AGENT_CODEC_VP8, FALSE);
    serve(f, other, AGENT_CODEC_VP8, FALSE);
    is_shown(v, "before it closes");
    is_shown(other, "another beside it");

    /* as a browser does: the agent's sctpenc posts an error */

    g_signal_emit_by_name(v->channel, "close");
    gst_element_set_state(v->pipeline, GST_STATE_NULL);

    g_mutex_lock(&other->lock);
    other->frames = 0;
    g_mutex_unlock(&other->lock);

    ok(wait_for(other, has_frames, 10),
       "a viewer that closes does not stop another");

    viewer_free(v);
    viewer_free(other);
}


static void
test_refused(fixture_t *f)
{
    viewer_t  *v = viewer_new(AGENT_CODEC_H264);

    is_str(serve(f, v, AGENT_CODEC_VP8, FALSE), "no_codec",
           "a codec that is off");
    ok(v->agent == NULL, "nothing is left of it");
    viewer_free(v);

    v = viewer_new(AGENT_CODEC_VP8);
    ok(serve(f, v, AGENT_CODEC_VP8, TRUE) == NULL
       && wait_for(v, has_failed, 0), "only relays, and no relay: it fails");
    is_str(v->failed, "no_relay", "early, and says why");
    viewer_free(v);
}


/* ---- data channels */

static void
on_data(GstWebRTCDataChannel *channel, GBytes *bytes, gpointer data)
{
    viewer_t  *v = data;

    (void) channel;

    g_mutex_lock(&v->lock);
    v->bulk_heard += (guint) g_bytes_get_size(bytes);
    g_mutex_unlock(&v->lock);
}


static void
on_other_close(GstWebRTCDataChannel *channel, gpointer data)
{
    viewer_t  *v = data;

    (void) channel;

    g_mutex_lock(&v->lock);
    v->other_closed = TRUE;
    g_mutex_unlock(&v->lock);
}


static gboolean
has_bulk(viewer_t *v, guint n)
{
    return v->bulk != NULL && v->bulk_bytes >= n;
}


static gboolean
has_bulk_heard(viewer_t *v, guint n)
{
    return v->bulk_heard >= n;
}


static gboolean
has_drained(viewer_t *v, guint n)
{
    return v->bulk_drained >= n;
}


static gboolean
has_bulk_closed(viewer_t *v, guint n)
{
    return v->bulk_closed >= n;
}


static gboolean
has_other_closed(viewer_t *v, guint n)
{
    (void) n;

    return v->other_closed;
}


/* one more channel; NULL, too, when it is there for nothing */

static viewer_t *
viewer_with(fixture_t *f, const char *label)
{
    viewer_t  *v = viewer_new(AGENT_CODEC_VP8);

    g_signal_emit_by_name(v->webrtc, "create-data-channel", label, NULL,
                          &v->other);
    g_signal_connect(v->other, "on-message-data", G_CALLBACK(on_data), v);
    g_signal_connect(v->other, "on-close", G_CALLBACK(on_other_close), v);
    serve(f, v, AGENT_CODEC_VP8, FALSE);

    return v;
}


static void
send_bulk(viewer_t *v, guint8 byte, gsize len)
{
    g_autofree guint8   *data = g_malloc(len);
    g_autoptr(GBytes)    bytes = NULL;

    memset(data, byte, len);
    bytes = g_bytes_new(data, len);
    gst_webrtc_data_channel_send_data(v->other, bytes);
}


static void
test_channels(fixture_t *f)
{
    guint              n;
    viewer_t          *v = viewer_with(f, BULK);
    g_autofree void   *chunk = g_malloc0(AGENT_CHANNEL_CHUNK);

    ok(wait_for(v, has_bulk, 0) && wait_for(v, has_heard, 0),
       "two channels: both are open");

    send_bulk(v, 3, 1000);
    send_bulk(v, 2, AGENT_CHANNEL_CHUNK);
    gst_webrtc_data_channel_send_string(v->other, "text for nobody");
    send_bulk(v, 1, 1);
    ok(wait_for(v, has_bulk, 1001 + AGENT_CHANNEL_CHUNK),
       "bytes come, text that the kind does not take is left aside");
    is_int(v->bulk_sum, 3000 + 2 * AGENT_CHANNEL_CHUNK + 1, "all of them");

    for (n = 0; n < 1000; n++) {
        if (!agent_channel_send_binary(v->bulk, chunk, AGENT_CHANNEL_CHUNK)) {
            break;
        }
    }

    ok(n >= BULK_MAX / AGENT_CHANNEL_CHUNK && n < 1000,
       "what may be unsent is bounded: %u chunks", n);
    ok(agent_channel_buffered(v->bulk)
       < BULK_MAX + AGENT_CHANNEL_CHUNK, "and known");
    ok(wait_for(v, has_drained, 1), "its end is told");
    ok(wait_for(v, has_bulk_heard, n * AGENT_CHANNEL_CHUNK)
       && v->bulk_heard == n * AGENT_CHANNEL_CHUNK,
       "the viewer has what was taken, and no more");

    /* a kind that is not vital ends alone */

    send_bulk(v, 0, AGENT_CHANNEL_CHUNK + 1);
    ok(wait_for(v, has_bulk_closed, 1), "too long a message: closed");
    ok(wait_for(v, has_other_closed, 0), "on both sides");
    g_mutex_lock(&v->lock);
    v->frames = 0;
    g_mutex_unlock(&v->lock);
    ok(wait_for(v, has_frames, 5) && v->failed == NULL, "the picture goes on");
    is_int(v->bulk_closed, 1, "closed once");
    viewer_free(v);
}


static void
test_channel_ends(fixture_t *f)
{
    viewer_t          *v;
    g_autofree char   *text = g_strnfill(AGENT_INPUT_MESSAGE + 1, ' ');

    v = viewer_with(f, BULK);
    wait_for(v, has_bulk, 0);
    agent_channel_close(v->bulk);
    ok(v->bulk_closed == 0 && !agent_channel_send_text(v->bulk, "late"),
       "a kind that closes hears of it later, and sends no more");
    ok(wait_for(v, has_bulk_closed, 1) && wait_for(v, has_other_closed, 0),
       "then it is closed");
    viewer_free(v);

    v = viewer_with(f, BULK);
    wait_for(v, has_bulk, 0);
    agent_webrtc_mute(v->agent);
    ok(v->bulk_closed == 1 && v->bulk == NULL, "muted: closed at once");
    g_clear_pointer(&v->agent, agent_webrtc_free);
    is_int(v->bulk_closed, 1, "and not again when the connection goes");
    viewer_free(v);

    v = viewer_with(f, BULK);
    wait_for(v, has_bulk, 0);
    g_clear_pointer(&v->agent, agent_webrtc_free);
    is_int(v->bulk_closed, 1, "a connection that goes closes them");
    viewer_free(v);

    /* a vital one takes the connection with it */

    v = viewer_with(f, "rs-unheard-of");
    ok(wait_for(v, has_heard, 0), "a label that nobody knows harms nothing");
    send_bulk(v, 0, BULK_MAX / 2);
    gst_webrtc_data_channel_send_string(v->channel, text);
    ok(wait_for(v, has_failed, 0), "too long a message of input: the end");
    is_str(v->failed, "bad_input", "which is told");
    viewer_free(v);
}


static guint
descriptors(void)
{
    guint              n;
    g_autoptr(GDir)    dir = g_dir_open("/proc/self/fd", 0, NULL);

    for (n = 0; g_dir_read_name(dir) != NULL; n++) { /* void */ }

    return n;
}


/*
 * A viewer that goes while servers that do not answer are still asked: the
 * connection stays until libnice has given up, and then nothing is left.
 */

static void
test_gone_early(fixture_t *f)
{
    guint                i, before;
    gint64               end_us;
    viewer_t            *v;
    const char          *text;
    agent_ice_t         *none = f->ice;
    g_autoptr(json_t)    obj = NULL;

    text = "{\"iceServers\":[{\"urls\":[\"stun:10.77.0.9\","
           "\"turn:10.77.0.9\"],\"username\":\"u\","
           "\"credential\":\"p\"}],"
           "\"iceTransportPolicy\":\"all\",\"ttl_s\":300}";
    obj = agent_json_load(text, strlen(text), 1024, NULL);
    f->ice = agent_ice_parse(obj, 0, NULL);

    before = descriptors();

    for (i = 0; i < 5; i++) {
        v = viewer_new(AGENT_CODEC_VP8);
        serve(f, v, AGENT_CODEC_VP8, FALSE);
        is_shown(v, "with servers that do not answer");
        viewer_free(v);
    }

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (descriptors() > before && g_get_monotonic_time() < end_us) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(2000);
    }

    ok(descriptors() <= before, "no descriptor is left of five viewers");

    agent_ice_free(f->ice);
    f->ice = none;
}


int
main(int argc, char **argv)
{
    int                  status;
    fixture_t            f;
    const char          *text;
    g_autoptr(json_t)    obj = NULL;

    if (g_getenv(INSIDE) == NULL) {
        g_setenv(INSIDE, "1", TRUE);
        execl(AGENT_TOP "/util/with-netns", "with-netns", argv[0],
              (char *) NULL);
        bail("util/with-netns cannot be run");
    }

    gst_init(&argc, &argv);
    memset(&f, 0, sizeof(f));

    start_desktop(&f);

    text = "{\"iceServers\":[],\"iceTransportPolicy\":\"all\",\"ttl_s\":300}";
    obj = agent_json_load(text, strlen(text), 1024, NULL);
    f.ice = agent_ice_parse(obj, 0, NULL);
    f.shim = agent_shim_new(NULL, NULL);
    f.video = agent_video_new(f.platform, 15, 100000, 1000000);

    is_int(agent_video_codecs(), AGENT_CODEC_VP8|AGENT_CODEC_H264,
           "both codecs can be encoded here");

    test_vp8(&f);
    test_stranger(&f);
    test_h264(&f);
    test_sound(&f);
    test_closing(&f);
    test_channels(&f);
    test_channel_ends(&f);
    test_refused(&f);
    test_gone_early(&f);

    agent_video_free(f.video);
    agent_shim_free(f.shim);
    agent_ice_free(f.ice);
    agent_platform_close(f.platform);

    kill(f.xvfb, SIGTERM);
    waitpid(f.xvfb, &status, 0);

    return done();
}
