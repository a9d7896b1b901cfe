
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


/* one viewer: the offering webrtcbin, and the agent's side that serves it */

typedef struct {
    agent_webrtc_t         *agent;
    GstElement             *pipeline;
    GstElement             *webrtc;
    GstWebRTCDataChannel   *channel;
    const char             *decoder;

    GMutex                  lock;
    GQueue                  candidates;     /* ours, under lock */
    char                   *offer;          /* under lock */
    char                   *heard;          /* of the channel, under lock */
    guint                   frames;         /* under lock */
    guint8                  pixel[3];       /* under lock */

    char                   *failed;         /* code */
    agent_path_t            path;
    gboolean                has_path;
    gboolean                connected;
    GString                *messages;
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
    const char         *fingerprint;    /* NULL: that of the offer */
} fixture_t;


static void
bail(const char *why)
{
    printf("Bail out! %s\n", why);
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


static void
on_pad(GstElement *webrtc, GstPad *pad, gpointer data)
{
    viewer_t             *v = data;
    GstElement           *bin, *sink;
    GstAppSinkCallbacks   callbacks = { .new_sample = on_frame };
    g_autofree char      *text = NULL;
    g_autoptr(GstPad)     target = NULL;

    (void) webrtc;

    text = g_strdup_printf("%s ! videoconvert ! video/x-raw,format=RGBx,"
                           "width=640,height=360 ! appsink name=sink "
                           "sync=false", v->decoder);
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


static void
on_opened(void *data, agent_webrtc_t *w)
{
    (void) data;

    agent_webrtc_send(w, "hello");
}


static void
on_message(void *data, agent_webrtc_t *w, const char *text, gsize len)
{
    (void) w;

    g_string_append_len(((viewer_t *) data)->messages, text, (gssize) len);
}


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
    (void) message;

    g_free(v->failed);
    v->failed = g_strdup(code);
    g_clear_pointer(&v->agent, agent_webrtc_free);
}


static const agent_webrtc_events_t  events = {
    on_answer, on_candidate, on_connected, on_opened, on_message, on_path,
    on_failed
};


/* ---- both */

static viewer_t *
viewer_new(guint codec)
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
    g_signal_emit_by_name(v->webrtc, "create-data-channel", AGENT_CHANNEL,
                          NULL, &v->channel);
    g_signal_connect(v->channel, "on-message-string", G_CALLBACK(on_text), v);

    promise = gst_promise_new_with_change_func(on_offer, v, NULL);
    g_signal_emit_by_name(v->webrtc, "create-offer", NULL, promise);

    return v;
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
    params.ice = f->ice;
    params.relay_only = relay_only;
    params.codecs = codecs;
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
    f.shim = agent_shim_new(NULL);
    f.video = agent_video_new(f.platform, 15, 1000000);

    is_int(agent_video_codecs(), AGENT_CODEC_VP8|AGENT_CODEC_H264,
           "both codecs can be encoded here");

    test_vp8(&f);
    test_stranger(&f);
    test_h264(&f);
    test_closing(&f);
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
