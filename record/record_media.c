
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns webrtcbin, in a pipeline of its own:
 *
 *     webrtcbin ! rtpvp8depay ! appsink
 *               ! rtpopusdepay ! appsink
 *
 * There is no data channel: nothing of what people type or copy is ever sent
 * to a recorder.  Times are those at which packets came, by the clock that
 * g_get_monotonic_time() reads, so connections can follow one another in one
 * recording.
 *
 * Threads: webrtcbin and the sinks call back on threads of their own.  Every
 * callback only makes a hop, a counted reference and a copy, to the main
 * loop; one that arrives after record_media_free() does nothing.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_media.h"

#include "agent_dtls.h"
#include "agent_sdp.h"
#include "agent_servers.h"
#include "agent_stats.h"
#include "rs_operator.h"

#include <gst/app/gstappsink.h>
#include <gst/sdp/sdp.h>
#include <gst/video/video.h>
#include <gst/webrtc/webrtc.h>
#include <string.h>


#define RECORD_MEDIA_EARLY    64        /* candidates before the answer */
#define RECORD_MEDIA_FRAMES   2048      /* on their way to the main loop */
#define RECORD_MEDIA_STATS_S  2
#define RECORD_MEDIA_VIDEO    0         /* sections of the offer */
#define RECORD_MEDIA_SOUND    1

#define RECORD_MEDIA_VP8                                                     \
    "application/x-rtp,media=video,encoding-name=VP8,payload=96,"            \
    "clock-rate=90000,rtcp-fb-nack=(boolean)true,"                           \
    "rtcp-fb-nack-pli=(boolean)true,rtcp-fb-ccm-fir=(boolean)true,"          \
    "rtcp-fb-transport-cc=(boolean)true,"                                    \
    "extmap-1=(string)\"" AGENT_SDP_TWCC "\""

#define RECORD_MEDIA_OPUS                                                    \
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,"          \
    "clock-rate=48000,encoding-params=(string)2"


typedef struct {
    char   *text;
    guint   mline;
} record_early_t;


struct record_media_s {
    const record_media_events_t  *events;
    void                         *data;

    GstElement                   *pipeline;
    GstElement                   *webrtc;
    GstElement                   *video;        /* appsink, or NULL */
    guint                         watch;
    guint                         timer;
    char                         *fingerprint;  /* of the answer */
    GArray                       *early;        /* NULL: answered */
    char                         *mids[2];
    gboolean                      sound;        /* the answer has some */
    gboolean                      relay_only;
    guint                         relays;
    gboolean                      connected;
    gboolean                      over;         /* failed was told */
    gboolean                      closed;
    gint64                        heard_us;
    agent_path_t                  path;
    gboolean                      path_known;

    gint                          hops;         /* atomic: frames */
};


typedef void (*record_hop_pt)(record_media_t *m, gpointer arg, guint n,
    gint64 t_us);

typedef struct {
    record_media_t  *m;
    record_hop_pt    handler;
    gpointer         arg;
    GDestroyNotify   free;
    guint            n;
    gint64           t_us;
} record_hop_t;


static void record_media_hop(record_media_t *m, record_hop_pt handler,
    gpointer arg, GDestroyNotify free, guint n, gint64 t_us);
static gboolean record_media_land(gpointer data);
static void record_media_hop_free(gpointer data);
static void record_media_unref(gpointer data);
static void record_media_clear(gpointer data);
static void record_media_connect(record_media_t *m, const char *signal,
    GCallback handler);
static GstPromise *record_media_promise(record_media_t *m,
    GstPromiseChangeFunc func);

static gboolean record_media_build(record_media_t *m,
    const record_media_params_t *params);
static gboolean record_media_receive(record_media_t *m, const char *caps);

static void record_media_on_offer(GstPromise *promise, gpointer data);
static void record_media_on_remote(GstPromise *promise, gpointer data);
static void record_media_on_stats(GstPromise *promise, gpointer data);
static void record_media_on_candidate(GstElement *webrtc, guint mline,
    const char *candidate, gpointer data);
static void record_media_on_state(GstElement *webrtc, GParamSpec *spec,
    gpointer data);
static void record_media_on_pad(GstElement *webrtc, GstPad *pad,
    gpointer data);
static GstFlowReturn record_media_on_video(GstAppSink *sink, gpointer data);
static GstFlowReturn record_media_on_sound(GstAppSink *sink, gpointer data);
static gboolean record_media_on_bus(GstBus *bus, GstMessage *message,
    gpointer data);

static void record_media_offered(record_media_t *m, gpointer arg, guint n,
    gint64 t_us);
static void record_media_answered(record_media_t *m, gpointer arg, guint n,
    gint64 t_us);
static void record_media_candidate_made(record_media_t *m, gpointer arg,
    guint n, gint64 t_us);
static void record_media_state_changed(record_media_t *m, gpointer arg,
    guint n, gint64 t_us);
static void record_media_sink_made(record_media_t *m, gpointer arg, guint n,
    gint64 t_us);
static void record_media_frame(record_media_t *m, gpointer arg, guint n,
    gint64 t_us);
static void record_media_path_found(record_media_t *m, gpointer arg, guint n,
    gint64 t_us);
static gboolean record_media_tick(gpointer data);
static void record_media_fail(record_media_t *m, const char *code,
    const char *message);
static void record_early_clear(gpointer data);


record_media_t *
record_media_new(const record_media_params_t *params,
    const record_media_events_t *events, void *data)
{
    record_media_t  *m;

    m = g_atomic_rc_box_new0(record_media_t);
    m->events = events;
    m->data = data;
    m->relay_only = params->relay_only;
    m->early = g_array_new(FALSE, FALSE, sizeof(record_early_t));
    g_array_set_clear_func(m->early, record_early_clear);

    if (!record_media_build(m, params)) {
        record_media_free(m);
        return NULL;
    }

    g_signal_emit_by_name(m->webrtc, "create-offer", NULL,
                          record_media_promise(m, record_media_on_offer));

    return m;
}


void
record_media_free(record_media_t *m)
{
    m->closed = TRUE;
    g_clear_handle_id(&m->watch, g_source_remove);
    g_clear_handle_id(&m->timer, g_source_remove);

    if (m->pipeline != NULL) {
        gst_element_set_state(m->pipeline, GST_STATE_NULL);
    }

    if (m->webrtc != NULL) {
        agent_servers_release(m->webrtc);
    }

    /* their closures hold references on m */

    g_clear_pointer(&m->video, gst_object_unref);
    g_clear_pointer(&m->pipeline, gst_object_unref);
    m->webrtc = NULL;
    record_media_unref(m);
}


static void
record_media_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, record_media_clear);
}


/* the last reference may go on any thread: memory only */

static void
record_media_clear(gpointer data)
{
    record_media_t  *m = data;

    g_clear_pointer(&m->early, g_array_unref);
    g_free(m->mids[RECORD_MEDIA_VIDEO]);
    g_free(m->mids[RECORD_MEDIA_SOUND]);
    g_free(m->fingerprint);
}


static void
record_early_clear(gpointer data)
{
    record_early_t  *early = data;

    g_free(early->text);
}


/* takes arg over */

static void
record_media_hop(record_media_t *m, record_hop_pt handler, gpointer arg,
    GDestroyNotify free, guint n, gint64 t_us)
{
    GSource       *source;
    record_hop_t  *hop;

    hop = g_new0(record_hop_t, 1);
    hop->m = g_atomic_rc_box_acquire(m);
    hop->handler = handler;
    hop->arg = arg;
    hop->free = free;
    hop->n = n;
    hop->t_us = t_us;

    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, record_media_land, hop,
                          record_media_hop_free);
    g_source_attach(source, NULL);
    g_source_unref(source);
}


static gboolean
record_media_land(gpointer data)
{
    record_hop_t  *hop = data;

    if (!hop->m->closed) {
        hop->handler(hop->m, hop->arg, hop->n, hop->t_us);
    }

    return G_SOURCE_REMOVE;
}


static void
record_media_hop_free(gpointer data)
{
    record_hop_t  *hop = data;

    if (hop->handler == record_media_frame) {
        g_atomic_int_add(&hop->m->hops, -1);
    }

    if (hop->arg != NULL) {
        hop->free(hop->arg);
    }

    record_media_unref(hop->m);
    g_free(hop);
}


static void
record_media_connect(record_media_t *m, const char *signal,
    GCallback handler)
{
    g_signal_connect_data(m->webrtc, signal, handler,
                          g_atomic_rc_box_acquire(m),
                          (GClosureNotify) (GCallback) record_media_unref,
                          0);
}


static GstPromise *
record_media_promise(record_media_t *m, GstPromiseChangeFunc func)
{
    return gst_promise_new_with_change_func(func, g_atomic_rc_box_acquire(m),
                                            record_media_unref);
}


static void
record_media_fail(record_media_t *m, const char *code, const char *message)
{
    if (!m->closed && !m->over) {
        m->over = TRUE;
        m->events->failed(m->data, code, message);
    }
}


static gboolean
record_media_receive(record_media_t *m, const char *caps)
{
    GstWebRTCRTPTransceiver  *transceiver;
    g_autoptr(GstCaps)        list = gst_caps_from_string(caps);

    transceiver = NULL;
    g_signal_emit_by_name(m->webrtc, "add-transceiver",
                          GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                          list, &transceiver);

    if (transceiver == NULL) {
        return FALSE;
    }

    g_object_set(transceiver, "do-nack", TRUE, NULL);
    gst_object_unref(transceiver);

    return TRUE;
}


static gboolean
record_media_build(record_media_t *m, const record_media_params_t *params)
{
    g_autoptr(GstBus)    bus = NULL;
    g_autoptr(GstClock)  clock = gst_system_clock_obtain();

    m->pipeline = gst_pipeline_new(NULL);
    m->webrtc = gst_element_factory_make("webrtcbin", NULL);

    if (m->webrtc == NULL) {
        g_critical("GStreamer's webrtcbin is not installed "
                   "(gstreamer1.0-plugins-bad, gstreamer1.0-nice)");
        return FALSE;
    }

    gst_bin_add(GST_BIN(m->pipeline), m->webrtc);
    gst_pipeline_use_clock(GST_PIPELINE(m->pipeline), clock);
    gst_util_set_object_arg(G_OBJECT(m->webrtc), "bundle-policy",
                            "max-bundle");

    record_media_connect(m, "on-ice-candidate",
                         G_CALLBACK(record_media_on_candidate));
    record_media_connect(m, "notify::connection-state",
                         G_CALLBACK(record_media_on_state));
    record_media_connect(m, "notify::ice-connection-state",
                         G_CALLBACK(record_media_on_state));
    record_media_connect(m, "pad-added", G_CALLBACK(record_media_on_pad));

    agent_servers_add(m->webrtc, params->ice, params->relay_only,
                      params->shim);

    bus = gst_element_get_bus(m->pipeline);
    m->watch = gst_bus_add_watch(bus, record_media_on_bus, m);

    if (gst_element_set_state(m->pipeline, GST_STATE_PLAYING)
        == GST_STATE_CHANGE_FAILURE)
    {
        return FALSE;
    }

    m->timer = g_timeout_add_seconds(RECORD_MEDIA_STATS_S, record_media_tick,
                                     m);

    return record_media_receive(m, RECORD_MEDIA_VP8)
           && (!params->sound || record_media_receive(m, RECORD_MEDIA_OPUS));
}


/* a thread of webrtcbin from here to the next such line */

static void
record_media_on_offer(GstPromise *promise, gpointer data)
{
    char                         *text;
    GstPromise                   *none;
    record_media_t               *m = data;
    const GstStructure           *reply;
    GstWebRTCSessionDescription  *offer;

    offer = NULL;

    if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED) {
        reply = gst_promise_get_reply(promise);

        if (reply != NULL) {
            gst_structure_get(reply, "offer",
                              GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &offer,
                              NULL);
        }
    }

    gst_promise_unref(promise);

    text = (offer != NULL) ? gst_sdp_message_as_text(offer->sdp) : NULL;

    /* before the hop: candidates are made from here on, and follow it */

    record_media_hop(m, record_media_offered, text, g_free, 0, 0);

    if (offer != NULL) {
        none = gst_promise_new();
        g_signal_emit_by_name(m->webrtc, "set-local-description", offer,
                              none);
        gst_promise_interrupt(none);
        gst_promise_unref(none);
        gst_webrtc_session_description_free(offer);
    }
}


static void
record_media_on_remote(GstPromise *promise, gpointer data)
{
    record_media_t      *m = data;
    const GstStructure  *reply;

    if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED) {
        reply = gst_promise_get_reply(promise);
        record_media_hop(m, record_media_answered, NULL, NULL,
                         reply == NULL
                         || !gst_structure_has_field(reply, "error"), 0);
    }

    gst_promise_unref(promise);
}


static void
record_media_on_candidate(GstElement *webrtc, guint mline,
    const char *candidate, gpointer data)
{
    (void) webrtc;

    record_media_hop(data, record_media_candidate_made, g_strdup(candidate),
                     g_free, mline, 0);
}


static void
record_media_on_state(GstElement *webrtc, GParamSpec *spec, gpointer data)
{
    (void) webrtc;
    (void) spec;

    record_media_hop(data, record_media_state_changed, NULL, NULL, 0, 0);
}


static void
record_media_on_stats(GstPromise *promise, gpointer data)
{
    agent_path_t         path;
    record_media_t      *m = data;
    const GstStructure  *stats;

    stats = (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED)
            ? gst_promise_get_reply(promise) : NULL;

    if (stats != NULL && agent_stats_path(stats, &path)) {
        record_media_hop(m, record_media_path_found,
                         g_memdup2(&path, sizeof(path)), g_free, 0, 0);
    }

    gst_promise_unref(promise);
}


/* a stream of the host's: depayloader and sink of its own */

static void
record_media_on_pad(GstElement *webrtc, GstPad *pad, gpointer data)
{
    gboolean                  video;
    GstElement               *bin, *sink;
    const char               *kind;
    record_media_t           *m = data;
    GstAppSinkCallbacks       callbacks;
    g_autoptr(GstPad)         to = NULL;
    g_autoptr(GstCaps)        caps = NULL;

    (void) webrtc;

    if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) {
        return;
    }

    caps = gst_pad_get_current_caps(pad);
    kind = (caps != NULL)
           ? gst_structure_get_string(gst_caps_get_structure(caps, 0),
                                      "media") : NULL;
    video = (g_strcmp0(kind, "audio") != 0);

    bin = gst_parse_bin_from_description(video
              ? "rtpvp8depay wait-for-keyframe=true request-keyframe=true "
                "! appsink name=sink sync=false max-buffers=512"
              : "rtpopusdepay ! appsink name=sink sync=false "
                "max-buffers=512", TRUE, NULL);

    if (bin == NULL) {
        g_critical("GStreamer's rtpvp8depay or rtpopusdepay is not "
                   "installed (gstreamer1.0-plugins-good)");
        return;
    }

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.new_sample = video ? record_media_on_video
                                 : record_media_on_sound;
    sink = gst_bin_get_by_name(GST_BIN(bin), "sink");
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks,
                               g_atomic_rc_box_acquire(m),
                               record_media_unref);

    gst_bin_add(GST_BIN(GST_ELEMENT_PARENT(webrtc)), bin);
    gst_element_sync_state_with_parent(bin);
    to = gst_element_get_static_pad(bin, "sink");

    if (gst_pad_link(pad, to) != GST_PAD_LINK_OK) {
        g_warning("what the host sends as %s cannot be taken",
                  kind ? kind : "media");
    }

    if (video) {
        record_media_hop(m, record_media_sink_made, sink, gst_object_unref,
                         0, 0);

    } else {
        gst_object_unref(sink);
    }
}


static GstFlowReturn
record_media_sample(GstAppSink *sink, record_media_t *m, guint track)
{
    gint64                t_us;
    GstBuffer            *buffer;
    GstSample            *sample;
    GstClockTime          running;

    sample = gst_app_sink_pull_sample(sink);

    if (sample == NULL) {
        return GST_FLOW_EOS;
    }

    buffer = gst_sample_get_buffer(sample);
    running = (buffer != NULL && GST_BUFFER_PTS_IS_VALID(buffer))
              ? gst_segment_to_running_time(gst_sample_get_segment(sample),
                                            GST_FORMAT_TIME,
                                            GST_BUFFER_PTS(buffer))
              : GST_CLOCK_TIME_NONE;

    if (running == GST_CLOCK_TIME_NONE
        || g_atomic_int_get(&m->hops) >= RECORD_MEDIA_FRAMES)
    {
        gst_sample_unref(sample);
        return GST_FLOW_OK;
    }

    t_us = (gint64) ((gst_element_get_base_time(GST_ELEMENT(sink)) + running)
                     / GST_USECOND);
    g_atomic_int_inc(&m->hops);
    record_media_hop(m, record_media_frame, sample,
                     (GDestroyNotify) gst_sample_unref, track, t_us);

    return GST_FLOW_OK;
}


static GstFlowReturn
record_media_on_video(GstAppSink *sink, gpointer data)
{
    return record_media_sample(sink, data, RECORD_MEDIA_VIDEO);
}


static GstFlowReturn
record_media_on_sound(GstAppSink *sink, gpointer data)
{
    return record_media_sample(sink, data, RECORD_MEDIA_SOUND);
}


/* the main loop from here on */

static void
record_media_offered(record_media_t *m, gpointer arg, guint n, gint64 t_us)
{
    guint            i;
    const char      *mid, *text = arg;
    GstSDPMessage   *sdp;

    (void) n;
    (void) t_us;

    if (text == NULL
        || gst_sdp_message_new_from_text(text, &sdp) != GST_SDP_OK)
    {
        record_media_fail(m, "internal", "webrtcbin makes no offer");
        return;
    }

    for (i = 0; i < gst_sdp_message_medias_len(sdp) && i < 2; i++) {
        mid = gst_sdp_media_get_attribute_val(
                                   gst_sdp_message_get_media(sdp, i), "mid");
        g_free(m->mids[i]);
        m->mids[i] = g_strdup(mid);
    }

    gst_sdp_message_free(sdp);
    m->events->offer(m->data, text);
}


static void
record_media_candidate_made(record_media_t *m, gpointer arg, guint n,
    gint64 t_us)
{
    const char  *text = arg;

    (void) t_us;

    if (text == NULL || text[0] == '\0' || n > RECORD_MEDIA_SOUND) {
        return;
    }

    m->relays += (strstr(text, " typ relay") != NULL);
    m->events->candidate(m->data, text, n, m->mids[n]);
}


gboolean
record_media_answer(record_media_t *m, const char *sdp)
{
    guint                          i;
    char                           line[RS_OPERATOR_FINGERPRINT_LEN];
    gboolean                       video;
    GstSDPMessage                 *parsed;
    const GstSDPMedia             *section;
    GstWebRTCSessionDescription   *remote;

    if (m->fingerprint != NULL
        || rs_operator_fingerprint(rs_str(sdp), line) != RS_OK
        || gst_sdp_message_new_from_text(sdp, &parsed) != GST_SDP_OK)
    {
        return FALSE;
    }

    video = FALSE;

    for (i = 0; i < gst_sdp_message_medias_len(parsed); i++) {
        section = gst_sdp_message_get_media(parsed, i);

        if (gst_sdp_media_get_attribute_val(section, "sendonly") == NULL) {
            continue;
        }

        if (g_strcmp0(gst_sdp_media_get_media(section), "video") == 0) {
            video = TRUE;

        } else {
            m->sound = TRUE;
        }
    }

    if (!video) {
        gst_sdp_message_free(parsed);
        return FALSE;
    }

    m->fingerprint = g_strndup(line, sizeof(line));
    remote = gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER,
                                                parsed);
    g_signal_emit_by_name(m->webrtc, "set-remote-description", remote,
                          record_media_promise(m, record_media_on_remote));
    gst_webrtc_session_description_free(remote);

    return TRUE;
}


static void
record_media_answered(record_media_t *m, gpointer arg, guint n, gint64 t_us)
{
    guint              i;
    record_early_t    *early;
    g_autoptr(GArray)  queue = NULL;

    (void) arg;
    (void) t_us;

    if (n == 0) {
        record_media_fail(m, "bad_answer", "webrtcbin refuses the answer");
        return;
    }

    queue = g_steal_pointer(&m->early);

    for (i = 0; queue != NULL && i < queue->len; i++) {
        early = &g_array_index(queue, record_early_t, i);
        record_media_candidate(m, early->text, early->mline);
    }
}


void
record_media_candidate(record_media_t *m, const char *candidate, guint mline)
{
    record_early_t  early;

    /* libnice needs no end of candidates */

    if (candidate[0] == '\0') {
        return;
    }

    if (m->early == NULL) {
        g_signal_emit_by_name(m->webrtc, "add-ice-candidate", mline,
                              candidate);
        return;
    }

    if (m->early->len < RECORD_MEDIA_EARLY) {
        early.text = g_strdup(candidate);
        early.mline = mline;
        g_array_append_val(m->early, early);
    }
}


static void
record_media_state_changed(record_media_t *m, gpointer arg, guint n,
    gint64 t_us)
{
    GstWebRTCPeerConnectionState  state;

    (void) arg;
    (void) n;
    (void) t_us;

    g_object_get(m->webrtc, "connection-state", &state, NULL);
    g_debug("connection state %d", state);

    if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED) {
        record_media_fail(m, (m->relay_only && m->relays == 0) ? "no_relay"
                                                               : "ice_failed",
                          "no path to the host was found, or it broke");
        return;
    }

    if (state != GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED || m->connected) {
        return;
    }

    if (!agent_dtls_peer_is(m->webrtc, m->fingerprint)) {
        record_media_fail(m, "wrong_host", "the connection came from "
                          "somebody else than the answer");
        return;
    }

    m->connected = TRUE;
    m->heard_us = g_get_monotonic_time();
    m->events->connected(m->data, m->sound);
}


static void
record_media_sink_made(record_media_t *m, gpointer arg, guint n, gint64 t_us)
{
    (void) n;
    (void) t_us;

    gst_clear_object(&m->video);
    m->video = gst_object_ref(arg);
    record_media_key(m);
}


/* nothing is kept before it is known who sends it */

static void
record_media_frame(record_media_t *m, gpointer arg, guint n, gint64 t_us)
{
    GstMapInfo  map;
    GstBuffer  *buffer;

    m->heard_us = g_get_monotonic_time();
    buffer = gst_sample_get_buffer(arg);

    if (!m->connected || !gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        return;
    }

    if (n == RECORD_MEDIA_VIDEO) {
        m->events->video(m->data, t_us, map.data, map.size);

    } else {
        m->events->sound(m->data, t_us, map.data, map.size);
    }

    gst_buffer_unmap(buffer, &map);
}


static void
record_media_path_found(record_media_t *m, gpointer arg, guint n,
    gint64 t_us)
{
    agent_path_t  *path = arg;

    (void) n;
    (void) t_us;

    if (!m->path_known || !agent_path_same(&m->path, path)) {
        m->path = *path;
        m->path_known = TRUE;
        m->events->path(m->data, path);
    }
}


static gboolean
record_media_tick(gpointer data)
{
    record_media_t  *m = data;

    if (m->connected) {
        g_signal_emit_by_name(m->webrtc, "get-stats", NULL,
                              record_media_promise(m,
                                                   record_media_on_stats));
    }

    return G_SOURCE_CONTINUE;
}


/* an error is this connection's alone */

static gboolean
record_media_on_bus(GstBus *bus, GstMessage *message, gpointer data)
{
    record_media_t      *m = data;
    g_autoptr(GError)    error = NULL;

    (void) bus;

    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) {
        return G_SOURCE_CONTINUE;
    }

    gst_message_parse_error(message, &error, NULL);
    g_info("connection broken: %s", error->message);
    m->watch = 0;
    record_media_fail(m, "closed", "the connection was closed");

    return G_SOURCE_REMOVE;
}


void
record_media_key(record_media_t *m)
{
    if (m->video != NULL) {
        (void) gst_element_send_event(m->video,
            gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE,
                                                        TRUE, 0));
    }
}


gint64
record_media_heard(const record_media_t *m)
{
    return m->heard_us;
}


gboolean
record_media_connected(const record_media_t *m)
{
    return m->connected;
}
