
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns webrtcbin, one in a pipeline of its own for each peer connection:
 *
 *     appsrc ! payloader ! capsfilter ! webrtcbin
 *
 * The order of an answer matters, as measured:
 *
 *     1 parse the offer, choose codec and payload type
 *     2 webrtcbin with its signals, ICE servers; PLAYING
 *     3 set-remote-description; then the candidates that came early
 *     4 payloader and a capsfilter that names payload type and ssrc: without
 *       the ssrc the answer is wrong and the picture black
 *     5 request the sink pad; its transceiver SENDONLY, with retransmission
 *     6 create-answer, which must say sendonly; set-local-description; send
 *     7 connected, by the certificate that the offer named: only then frames,
 *       and only then is anything heard that comes over a data channel
 *
 * webrtcbin cannot restart ICE: a new offer is a new connection.
 *
 * Threads: webrtcbin calls back on threads of its own.  Every callback only
 * makes a hop, a counted reference and a copy of its argument, to the main
 * loop; a hop that arrives after agent_webrtc_free() does nothing.  Fields
 * are touched on the main loop only, but for those marked.
 */

#define G_LOG_DOMAIN  "rs-webrtc"

#include "agent_webrtc.h"
#include "agent_branch.h"
#include "agent_channel.h"
#include "agent_dtls.h"
#include "agent_flow.h"
#include "agent_sdp.h"
#include "agent_servers.h"
#include "agent_stats.h"

#include <gst/webrtc/webrtc.h>
#include <gst/video/video.h>
#include <string.h>


#define AGENT_WEBRTC_EARLY     64       /* candidates before the answer */
#define AGENT_WEBRTC_STATS_MS  1000
#define AGENT_WEBRTC_STATS_N   5        /* once known: every 5th second */
#define AGENT_WEBRTC_RTT_S     5        /* to wait for a round-trip time */


typedef struct {
    char   *text;
    guint   mline;
} agent_early_t;


typedef struct {
    double  loss;
    int     rtt_ms;
} agent_received_t;


struct agent_webrtc_s {
    const agent_webrtc_events_t  *events;
    void                         *data;
    agent_video_t                *video;
    agent_view_t                  view;
    agent_sound_t                *sound;
    GstElement                   *speech;       /* appsrc of sound, or NULL */
    agent_sound_sink_t           *ear;

    agent_offer_t                *offer;
    char                         *fingerprint;
    GstElement                   *pipeline;
    GstElement                   *webrtc;
    GstElement                   *appsrc;
    agent_channels_t             *channels;
    agent_video_sink_t           *sink;
    agent_flow_t                 *flow;
    guint                         watch;

    GArray                       *early;        /* NULL: not early now */
    guint                         relays;       /* candidates gathered */
    gboolean                      relay_only;
    gboolean                      known;        /* who connected */
    gboolean                      connected;
    gboolean                      closed;

    guint                         stats_timer;
    guint                         stats_n;
    agent_path_t                  path;         /* reported last */
    gboolean                      path_known;
    guint                         path_tries;

    gint                          want_key;     /* atomic */
};


typedef void (*agent_hop_pt)(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);

typedef struct {
    agent_webrtc_t  *w;
    agent_hop_pt     handler;
    void            *arg;           /* g_free()d */
    guint            n;
    GObject         *object;
} agent_hop_t;


static void agent_webrtc_hop(agent_webrtc_t *w, agent_hop_pt handler,
    void *arg, guint n, gpointer object);
static gboolean agent_webrtc_land(gpointer data);
static void agent_webrtc_hop_free(gpointer data);
static void agent_webrtc_unref(gpointer data);
static void agent_webrtc_clear(gpointer data);

static gboolean agent_webrtc_build(agent_webrtc_t *w,
    const agent_webrtc_params_t *params);
static void agent_webrtc_connect(agent_webrtc_t *w, const char *signal,
    GCallback handler);
static GstPromise *agent_webrtc_promise(agent_webrtc_t *w,
    GstPromiseChangeFunc func);

static void agent_webrtc_on_remote(GstPromise *promise, gpointer data);
static void agent_webrtc_on_answer(GstPromise *promise, gpointer data);
static void agent_webrtc_on_stats(GstPromise *promise, gpointer data);
static void agent_webrtc_on_candidate(GstElement *webrtc, guint mline,
    const char *candidate, gpointer data);
static void agent_webrtc_on_state(GstElement *webrtc, GParamSpec *spec,
    gpointer data);
static void agent_webrtc_on_gathering(GstElement *webrtc, GParamSpec *spec,
    gpointer data);
static gboolean agent_webrtc_on_bus(GstBus *bus, GstMessage *message,
    gpointer data);
static GstPadProbeReturn agent_webrtc_on_upstream(GstPad *pad,
    GstPadProbeInfo *info, gpointer data);

static void agent_webrtc_remote_set(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);
static gboolean agent_webrtc_add_video(agent_webrtc_t *w);
static void agent_webrtc_answered(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);
static void agent_webrtc_gathered(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);
static void agent_webrtc_candidate_made(agent_webrtc_t *w, void *arg,
    guint n, GObject *object);
static void agent_webrtc_state_changed(agent_webrtc_t *w, void *arg,
    guint n, GObject *object);
static void agent_webrtc_key_wanted(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);
static void agent_webrtc_path_found(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);
static void agent_webrtc_received(agent_webrtc_t *w, void *arg, guint n,
    GObject *object);
static gboolean agent_webrtc_ask_stats(gpointer data);

static gboolean agent_webrtc_known(agent_webrtc_t *w);
static void agent_webrtc_fail(agent_webrtc_t *w, const char *code,
    const char *message);
static void agent_webrtc_video_failed(void *data, const char *message);
static gboolean agent_webrtc_channels_known(void *data);
static void agent_webrtc_channels_failed(void *data, const char *message);
static void agent_webrtc_early_clear(gpointer data);


static const agent_video_events_t  agent_webrtc_video_events = {
    agent_webrtc_video_failed
};


static const agent_channels_events_t  agent_webrtc_channels_events = {
    agent_webrtc_channels_known,
    agent_webrtc_channels_failed
};


agent_webrtc_t *
agent_webrtc_new(const agent_webrtc_params_t *params,
    const agent_webrtc_events_t *events, void *data, const char **code,
    const char **message)
{
    agent_webrtc_t                *w;
    GstSDPMessage                 *sdp;
    GstWebRTCSessionDescription   *remote;
    g_autoptr(agent_offer_t)       offer = NULL;

    offer = agent_offer_parse(params->offer, params->codecs, &sdp, code,
                              message);
    if (offer == NULL) {
        return NULL;
    }

    w = g_atomic_rc_box_new0(agent_webrtc_t);
    w->events = events;
    w->data = data;
    w->video = params->video;
    w->view = params->view;
    w->sound = params->sound;
    w->relay_only = params->relay_only;
    w->offer = g_steal_pointer(&offer);
    w->fingerprint = g_strdup(params->fingerprint);
    w->early = g_array_new(FALSE, FALSE, sizeof(agent_early_t));
    g_array_set_clear_func(w->early, agent_webrtc_early_clear);

    remote = gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_OFFER,
                                                sdp);

    if (!agent_webrtc_build(w, params)) {
        gst_webrtc_session_description_free(remote);
        agent_webrtc_free(w);
        *code = "internal";
        *message = "webrtcbin cannot be started on this device";
        return NULL;
    }

    g_signal_emit_by_name(w->webrtc, "set-remote-description", remote,
                          agent_webrtc_promise(w, agent_webrtc_on_remote));
    gst_webrtc_session_description_free(remote);

    return w;
}


void
agent_webrtc_free(agent_webrtc_t *w)
{
    w->closed = TRUE;

    g_clear_pointer(&w->channels, agent_channels_free);
    g_clear_handle_id(&w->stats_timer, g_source_remove);
    g_clear_handle_id(&w->watch, g_source_remove);
    g_clear_pointer(&w->sink, agent_video_detach);
    g_clear_pointer(&w->ear, agent_sound_detach);

    if (w->pipeline != NULL) {
        gst_element_set_state(w->pipeline, GST_STATE_NULL);
    }

    g_clear_pointer(&w->flow, agent_flow_free);

    if (w->webrtc != NULL) {
        agent_servers_release(w->webrtc);
    }

    /* their closures hold references on w */

    g_clear_pointer(&w->appsrc, gst_object_unref);
    g_clear_pointer(&w->speech, gst_object_unref);
    g_clear_pointer(&w->pipeline, gst_object_unref);
    w->webrtc = NULL;

    agent_webrtc_unref(w);
}


static void
agent_webrtc_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, agent_webrtc_clear);
}


/* the last reference may go on any thread: memory only */

static void
agent_webrtc_clear(gpointer data)
{
    agent_webrtc_t  *w = data;

    g_clear_pointer(&w->early, g_array_unref);
    g_free(w->fingerprint);
    agent_offer_free(w->offer);
}


static void
agent_webrtc_early_clear(gpointer data)
{
    agent_early_t  *early = data;

    g_free(early->text);
}


/* takes arg over; refs object */

static void
agent_webrtc_hop(agent_webrtc_t *w, agent_hop_pt handler, void *arg, guint n,
    gpointer object)
{
    GSource      *source;
    agent_hop_t  *hop;

    hop = g_new0(agent_hop_t, 1);
    hop->w = g_atomic_rc_box_acquire(w);
    hop->handler = handler;
    hop->arg = arg;
    hop->n = n;
    hop->object = (object != NULL) ? g_object_ref(object) : NULL;

    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, agent_webrtc_land, hop,
                          agent_webrtc_hop_free);
    g_source_attach(source, NULL);
    g_source_unref(source);
}


static gboolean
agent_webrtc_land(gpointer data)
{
    agent_hop_t  *hop = data;

    if (!hop->w->closed) {
        hop->handler(hop->w, hop->arg, hop->n, hop->object);
    }

    return G_SOURCE_REMOVE;
}


static void
agent_webrtc_hop_free(gpointer data)
{
    agent_hop_t  *hop = data;

    g_free(hop->arg);
    g_clear_object(&hop->object);
    agent_webrtc_unref(hop->w);
    g_free(hop);
}


static void
agent_webrtc_connect(agent_webrtc_t *w, const char *signal,
    GCallback handler)
{
    g_signal_connect_data(w->webrtc, signal, handler,
                          g_atomic_rc_box_acquire(w),
                          (GClosureNotify) (GCallback) agent_webrtc_unref,
                          0);
}


static GstPromise *
agent_webrtc_promise(agent_webrtc_t *w, GstPromiseChangeFunc func)
{
    return gst_promise_new_with_change_func(func, g_atomic_rc_box_acquire(w),
                                            agent_webrtc_unref);
}


static void
agent_webrtc_fail(agent_webrtc_t *w, const char *code, const char *message)
{
    if (!w->closed) {
        w->events->failed(w->data, w, code, message);
    }
}


static gboolean
agent_webrtc_build(agent_webrtc_t *w, const agent_webrtc_params_t *params)
{
    g_autoptr(GstBus)  bus = NULL;

    w->pipeline = gst_pipeline_new(NULL);
    w->webrtc = gst_element_factory_make("webrtcbin", NULL);

    if (w->webrtc == NULL) {
        g_critical("GStreamer's webrtcbin is not installed "
                   "(gstreamer1.0-plugins-bad, gstreamer1.0-nice)");
        return FALSE;
    }

    gst_bin_add(GST_BIN(w->pipeline), w->webrtc);

    gst_util_set_object_arg(G_OBJECT(w->webrtc), "bundle-policy",
                            "max-bundle");

    agent_webrtc_connect(w, "on-ice-candidate",
                         G_CALLBACK(agent_webrtc_on_candidate));
    agent_webrtc_connect(w, "notify::connection-state",
                         G_CALLBACK(agent_webrtc_on_state));
    agent_webrtc_connect(w, "notify::ice-connection-state",
                         G_CALLBACK(agent_webrtc_on_state));
    agent_webrtc_connect(w, "notify::ice-gathering-state",
                         G_CALLBACK(agent_webrtc_on_gathering));

    w->channels = agent_channels_new(w->webrtc, params->kinds, params->viewer,
                                     &agent_webrtc_channels_events, w);

    agent_servers_add(w->webrtc, params->ice, params->relay_only,
                      params->shim);

    bus = gst_element_get_bus(w->pipeline);
    w->watch = gst_bus_add_watch(bus, agent_webrtc_on_bus, w);

    return gst_element_set_state(w->pipeline, GST_STATE_PLAYING)
           != GST_STATE_CHANGE_FAILURE;
}


/* the thread of webrtcbin from here to the next such line */

static void
agent_webrtc_on_remote(GstPromise *promise, gpointer data)
{
    agent_webrtc_t      *w = data;
    const GstStructure  *reply;

    if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED) {
        reply = gst_promise_get_reply(promise);
        agent_webrtc_hop(w, agent_webrtc_remote_set, NULL,
                         reply == NULL
                         || !gst_structure_has_field(reply, "error"), NULL);
    }

    gst_promise_unref(promise);
}


static void
agent_webrtc_on_answer(GstPromise *promise, gpointer data)
{
    char                         *text;
    GstPromise                   *none;
    agent_webrtc_t               *w = data;
    const GstStructure           *reply;
    GstWebRTCSessionDescription  *answer;

    answer = NULL;

    if (gst_promise_wait(promise) != GST_PROMISE_RESULT_REPLIED) {
        gst_promise_unref(promise);
        return;
    }

    reply = gst_promise_get_reply(promise);

    if (reply != NULL) {
        gst_structure_get(reply, "answer",
                          GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer,
                          NULL);
    }

    gst_promise_unref(promise);

    if (answer == NULL || !agent_answer_sends(answer->sdp, w->offer->video)) {
        agent_webrtc_hop(w, agent_webrtc_answered, NULL, 0, NULL);

    } else {
        if (w->offer->sound != 0) {
            agent_answer_part(answer->sdp, w->offer->audio);
        }

        text = gst_sdp_message_as_text(answer->sdp);

        /* before the hop: candidates are made from here on, and follow it */

        agent_webrtc_hop(w, agent_webrtc_answered, text, 1, NULL);

        none = gst_promise_new();
        g_signal_emit_by_name(w->webrtc, "set-local-description", answer,
                              none);
        gst_promise_interrupt(none);
        gst_promise_unref(none);
    }

    if (answer != NULL) {
        gst_webrtc_session_description_free(answer);
    }
}


static void
agent_webrtc_on_candidate(GstElement *webrtc, guint mline,
    const char *candidate, gpointer data)
{
    (void) webrtc;

    agent_webrtc_hop(data, agent_webrtc_candidate_made, g_strdup(candidate),
                     mline, NULL);
}


static void
agent_webrtc_on_state(GstElement *webrtc, GParamSpec *spec, gpointer data)
{
    (void) webrtc;
    (void) spec;

    agent_webrtc_hop(data, agent_webrtc_state_changed, NULL, 0, NULL);
}


static void
agent_webrtc_on_gathering(GstElement *webrtc, GParamSpec *spec,
    gpointer data)
{
    GstWebRTCICEGatheringState  state;

    (void) spec;

    g_object_get(webrtc, "ice-gathering-state", &state, NULL);

    if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE) {
        agent_webrtc_hop(data, agent_webrtc_gathered, NULL, 0, NULL);
    }
}


static GstPadProbeReturn
agent_webrtc_on_upstream(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    agent_webrtc_t  *w = data;

    (void) pad;

    /* one at a time on its way: the peer decides how many it sends */

    if (gst_video_event_is_force_key_unit(GST_PAD_PROBE_INFO_EVENT(info))
        && g_atomic_int_compare_and_exchange(&w->want_key, 0, 1))
    {
        agent_webrtc_hop(w, agent_webrtc_key_wanted, NULL, 0, NULL);
    }

    return GST_PAD_PROBE_OK;
}


static void
agent_webrtc_on_stats(GstPromise *promise, gpointer data)
{
    agent_path_t         path;
    agent_webrtc_t      *w = data;
    agent_received_t     received;
    const GstStructure  *stats;

    stats = NULL;

    if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED) {
        stats = gst_promise_get_reply(promise);
    }

    if (stats != NULL && agent_stats_path(stats, &path)) {
        agent_webrtc_hop(w, agent_webrtc_path_found,
                         g_memdup2(&path, sizeof(path)), 0, NULL);
    }

    if (stats != NULL && w->offer->twcc == 0
        && agent_stats_receiver(stats, &received.loss, &received.rtt_ms))
    {
        agent_webrtc_hop(w, agent_webrtc_received,
                         g_memdup2(&received, sizeof(received)), 0, NULL);
    }

    gst_promise_unref(promise);
}


/* the main loop from here on */

static void
agent_webrtc_remote_set(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    guint             i;
    GstStructure     *options = NULL;
    agent_early_t    *early;
    g_autoptr(GArray) queue = NULL;

    (void) arg;
    (void) object;

    if (n == 0) {
        agent_webrtc_fail(w, "bad_offer", "webrtcbin refuses the offer");
        return;
    }

    queue = g_steal_pointer(&w->early);

    for (i = 0; i < queue->len; i++) {
        early = &g_array_index(queue, agent_early_t, i);
        agent_webrtc_candidate(w, early->text, early->mline);
    }

    if (!agent_webrtc_add_video(w)) {
        agent_webrtc_fail(w, "internal",
                          "the payloader cannot be linked to webrtcbin");
        return;
    }

    g_signal_emit_by_name(w->webrtc, "create-answer", options,
                          agent_webrtc_promise(w, agent_webrtc_on_answer));
}


static gboolean
agent_webrtc_add_video(agent_webrtc_t *w)
{
    guint              least, most;
    agent_branch_t     branch;
    g_autoptr(GstPad)  src = NULL;
    g_autoptr(GstPad)  out = NULL;

    branch.codec = w->offer->codec;
    branch.payload = w->offer->payload;
    branch.mline = w->offer->video;
    branch.twcc = w->offer->twcc;

    w->appsrc = agent_branch_add(GST_BIN(w->pipeline), w->webrtc, &branch,
                                 &out);
    if (w->appsrc == NULL) {
        return FALSE;
    }

    src = gst_element_get_static_pad(w->appsrc, "src");
    agent_video_limits(w->video, &least, &most);
    w->flow = agent_flow_new(src, out, w->offer->twcc != 0, least, most);

    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                      agent_webrtc_on_upstream, g_atomic_rc_box_acquire(w),
                      agent_webrtc_unref);

    if (w->sound == NULL || w->offer->sound == 0) {
        return TRUE;
    }

    w->speech = agent_branch_add_sound(GST_BIN(w->pipeline), w->webrtc,
                                       w->offer->sound, w->offer->audio);

    return w->speech != NULL;
}


static void
agent_webrtc_answered(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    char  *text = arg;
    (void) n;
    (void) object;

    if (text == NULL) {
        agent_webrtc_fail(w, "internal",
                          "webrtcbin does not answer with video");
        return;
    }

    w->events->answer(w->data, w, text);
}


static void
agent_webrtc_candidate_made(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    char  *text = arg;
    (void) object;

    if (text == NULL || text[0] == '\0' || n >= AGENT_SDP_MEDIA) {
        return;
    }

    if (strstr(text, " typ relay") != NULL) {
        w->relays++;
    }

    w->events->candidate(w->data, w, text, n, w->offer->mids[n]);
}


static void
agent_webrtc_gathered(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    (void) arg;
    (void) n;
    (void) object;

    if (w->relay_only && w->relays == 0) {
        agent_webrtc_fail(w, "no_relay",
                          "only relayed paths are allowed, and no TURN "
                          "server gave this device a relay address");
        return;
    }

    w->events->candidate(w->data, w, "", w->offer->video,
                         w->offer->mids[w->offer->video]);
}


void
agent_webrtc_decoded(agent_webrtc_t *w, const agent_rate_decoder_t *decoder)
{
    if (w->flow != NULL) {
        agent_flow_decoded(w->flow, decoder);
    }
}


gboolean
agent_webrtc_look(agent_webrtc_t *w, const agent_view_t *view)
{
    if (w->sink != NULL && !agent_video_look(w->sink, view)) {
        return FALSE;
    }

    w->view = *view;

    return TRUE;
}


void
agent_webrtc_candidate(agent_webrtc_t *w, const char *candidate, guint mline)
{
    agent_early_t  early;

    /* libnice needs no end of candidates */

    if (candidate[0] == '\0') {
        return;
    }

    if (w->early == NULL) {
        g_signal_emit_by_name(w->webrtc, "add-ice-candidate", mline,
                              candidate);
        return;
    }

    if (w->early->len < AGENT_WEBRTC_EARLY) {
        early.text = g_strdup(candidate);
        early.mline = mline;
        g_array_append_val(w->early, early);
    }
}


static void
agent_webrtc_state_changed(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    GError                        *error = NULL;
    agent_video_wish_t             wish;
    GstWebRTCPeerConnectionState   state;

    (void) arg;
    (void) n;
    (void) object;

    g_object_get(w->webrtc, "connection-state", &state, NULL);
    g_debug("connection state %d", state);

    if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED) {
        agent_webrtc_fail(w, "ice_failed",
                          "no path to the viewer was found, or it broke");
        return;
    }

    if (state != GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED || w->connected) {
        return;
    }

    if (!agent_webrtc_known(w)) {
        return;
    }

    w->connected = TRUE;

    wish.codec = w->offer->codec;
    wish.view = &w->view;
    wish.out = &agent_video_appsrc;
    wish.to = w->appsrc;
    wish.rate = agent_flow_rate(w->flow);
    wish.events = &agent_webrtc_video_events;
    wish.data = w;
    w->sink = agent_video_attach(w->video, &wish, &error);

    if (w->sink == NULL) {
        g_critical("%s", error->message);
        g_error_free(error);
        agent_webrtc_fail(w, "capture", "the screen cannot be captured");
        return;
    }

    agent_flow_start(w->flow, w->sink);
    w->stats_timer = g_timeout_add(AGENT_WEBRTC_STATS_MS,
                                   agent_webrtc_ask_stats, w);
    if (w->speech != NULL) {
        w->ear = agent_sound_attach(w->sound, GST_APP_SRC(w->speech));
    }

    w->events->connected(w->data, w);
}


/*
 * Whether the certificate of the other side is the offer's.  FALSE: it is not,
 * which was told, and w may be gone.
 */

static gboolean
agent_webrtc_known(agent_webrtc_t *w)
{
    if (!w->known && !agent_dtls_peer_is(w->webrtc, w->fingerprint)) {
        agent_webrtc_fail(w, "operator_unverified", "the connection came "
                          "from somebody else than the offer: its "
                          "certificate is not the one that the offer names");
        return FALSE;
    }

    w->known = TRUE;

    return TRUE;
}


static void
agent_webrtc_video_failed(void *data, const char *message)
{
    agent_webrtc_t  *w = data;

    (void) message;

    agent_flow_stop(w->flow);
    g_clear_pointer(&w->sink, agent_video_detach);
    agent_webrtc_fail(w, "capture", "the screen cannot be captured");
}


static void
agent_webrtc_key_wanted(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    (void) arg;
    (void) n;
    (void) object;

    g_atomic_int_set(&w->want_key, 0);

    if (w->sink != NULL) {
        agent_video_want_key(w->sink);
    }
}


void
agent_webrtc_mute(agent_webrtc_t *w)
{
    agent_channels_close(w->channels);
}


static gboolean
agent_webrtc_channels_known(void *data)
{
    agent_webrtc_t  *w = data;

    if (!agent_webrtc_known(w)) {
        return FALSE;
    }

    w->events->opening(w->data, w);

    return TRUE;
}


static void
agent_webrtc_channels_failed(void *data, const char *message)
{
    agent_webrtc_fail(data, "bad_input", message);
}


/*
 * Any error is this viewer's alone.  sctpenc posts one when a browser
 * closes its connection.
 */

static gboolean
agent_webrtc_on_bus(GstBus *bus, GstMessage *message, gpointer data)
{
    agent_webrtc_t      *w = data;
    g_autoptr(GError)    error = NULL;

    (void) bus;

    switch (GST_MESSAGE_TYPE(message)) {

    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        g_info("connection broken: %s", error->message);
        w->watch = 0;
        agent_webrtc_fail(w, "closed", "the connection was closed");
        return G_SOURCE_REMOVE;

    case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(w->pipeline));
        return G_SOURCE_CONTINUE;

    default:
        return G_SOURCE_CONTINUE;
    }
}


static gboolean
agent_webrtc_ask_stats(gpointer data)
{
    agent_webrtc_t  *w = data;

    if (!w->path_known || w->offer->twcc == 0
        || ++w->stats_n % AGENT_WEBRTC_STATS_N == 0)
    {
        g_signal_emit_by_name(w->webrtc, "get-stats", NULL,
                              agent_webrtc_promise(w,
                                                   agent_webrtc_on_stats));
    }

    return G_SOURCE_CONTINUE;
}


/* reports once the round-trip time is known too, or late without it */

static void
agent_webrtc_path_found(agent_webrtc_t *w, void *arg, guint n,
    GObject *object)
{
    agent_path_t  *path = arg;

    (void) n;
    (void) object;

    if (w->path_known) {

        if (agent_path_same(&w->path, path)) {
            return;
        }

    } else if (path->rtt_ms < 0 && w->path_tries++ < AGENT_WEBRTC_RTT_S) {
        return;
    }

    w->path_known = TRUE;
    w->path = *path;
    w->events->path(w->data, w, path);
}


static void
agent_webrtc_received(agent_webrtc_t *w, void *arg, guint n, GObject *object)
{
    agent_received_t  *received = arg;

    (void) n;
    (void) object;

    agent_flow_receiver(w->flow, received->loss, received->rtt_ms);
}


void
agent_webrtc_warm(void)
{
    GstElement  *pipeline, *webrtc, *pay;

    pipeline = gst_pipeline_new(NULL);
    webrtc = gst_element_factory_make("webrtcbin", NULL);
    pay = gst_element_factory_make("rtpvp8pay", NULL);

    if (webrtc != NULL && pay != NULL) {
        gst_bin_add_many(GST_BIN(pipeline), webrtc, pay, NULL);
        gst_element_set_state(pipeline, GST_STATE_READY);
        gst_element_set_state(pipeline, GST_STATE_NULL);

    } else {
        g_clear_pointer(&webrtc, gst_object_unref);
        g_clear_pointer(&pay, gst_object_unref);
    }

    gst_object_unref(pipeline);
}
