
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A connection with a host of a webrtcbin of its own: pictures and sound
 * come as they were encoded; a key frame comes when it is asked for; an
 * answer of somebody else is not taken.
 */

#include "fixture.h"
#include "../record_media.h"
#include "rs_webm.h"

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>


#define WAIT_S  30

#define WAIT(cond)                                                           \
    do {                                                                     \
        gint64  until_ = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;   \
                                                                             \
        while (!(cond) && g_get_monotonic_time() < until_) {                 \
            g_main_context_iteration(NULL, FALSE);                           \
            g_usleep(1000);                                                  \
        }                                                                    \
    } while (0)


typedef struct {
    record_media_t  *media;
    GstElement      *pipeline;
    GstElement      *webrtc;
    char            *answer;        /* of the host's thread */

    gboolean         connected;
    gboolean         sound;
    guint            frames;
    guint            keys;
    guint            packets;
    gint64           first_us;
    gint64           last_us;
    gboolean         ordered;
    char            *failed;
    gboolean         path;
} host_t;


/* gathered before it answers: its candidates are in the description */

static void
on_gathered(GstElement *webrtc, GParamSpec *spec, gpointer data)
{
    host_t                       *h = data;
    GstWebRTCICEGatheringState    state;
    GstWebRTCSessionDescription  *local;

    (void) spec;

    g_object_get(webrtc, "ice-gathering-state", &state, NULL);

    if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE) {
        g_object_get(webrtc, "local-description", &local, NULL);
        g_atomic_pointer_set(&h->answer, gst_sdp_message_as_text(local->sdp));
        gst_webrtc_session_description_free(local);
    }
}


static void
on_answer(GstPromise *promise, gpointer data)
{
    host_t                       *h = data;
    GstWebRTCSessionDescription  *answer;

    gst_structure_get(gst_promise_get_reply(promise), "answer",
                      GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer, NULL);
    gst_promise_unref(promise);
    g_signal_emit_by_name(h->webrtc, "set-local-description", answer, NULL);
    gst_webrtc_session_description_free(answer);
}


static void
on_remote(GstPromise *promise, gpointer data)
{
    host_t  *h = data;

    gst_promise_unref(promise);
    g_signal_emit_by_name(h->webrtc, "create-answer", NULL,
        gst_promise_new_with_change_func(on_answer, h, NULL));
}


static void
on_offer(void *data, const char *sdp)
{
    host_t                       *h = data;
    GstSDPMessage                *message;
    GstWebRTCSessionDescription  *offer;

    ok(strstr(sdp, "m=video") != NULL && strstr(sdp, "m=audio") != NULL
       && strstr(sdp, "m=application") == NULL,
       "a picture and sound are offered, and no data");
    ok(strstr(sdp, "nack pli") != NULL && strstr(sdp, "VP8/90000") != NULL
       && strstr(sdp, "OPUS/48000/2") != NULL
       && strstr(sdp, "transport-wide-cc-extensions-01") != NULL,
       "with what a host needs for it");

    gst_sdp_message_new_from_text(sdp, &message);
    offer = gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_OFFER,
                                               message);
    g_signal_emit_by_name(h->webrtc, "set-remote-description", offer,
        gst_promise_new_with_change_func(on_remote, h, NULL));
    gst_webrtc_session_description_free(offer);
}


static void
on_candidate(void *data, const char *candidate, guint mline, const char *mid)
{
    host_t  *h = data;

    (void) mid;
    g_signal_emit_by_name(h->webrtc, "add-ice-candidate", mline, candidate);
}


static void
on_connected(void *data, gboolean sound)
{
    host_t  *h = data;

    h->connected = TRUE;
    h->sound = sound;
}


static void
on_video(void *data, gint64 t_us, const guint8 *bytes, gsize len)
{
    int        key;
    host_t    *h = data;
    unsigned   w, height;

    if (h->frames++ == 0) {
        h->first_us = t_us;
        h->ordered = rs_webm_vp8(bytes, len, &key, &w, &height) && key
                     && w == 320 && height == 240;
    }

    h->keys += !(bytes[0] & 1);
    h->ordered = h->ordered && t_us >= h->last_us;
    h->last_us = t_us;
}


static void
on_sound(void *data, gint64 t_us, const guint8 *bytes, gsize len)
{
    host_t  *h = data;

    (void) t_us;
    h->packets += (record_mux_opus_ms(bytes, len) == 20);
}


static void
on_path(void *data, const agent_path_t *path)
{
    host_t  *h = data;

    h->path = (path->local[0] != '\0');
}


static void
on_failed(void *data, const char *code, const char *message)
{
    host_t  *h = data;

    (void) message;
    g_free(h->failed);
    h->failed = g_strdup(code);
}


static const record_media_events_t  events = {
    on_offer, on_candidate, on_connected, on_video, on_sound, on_path,
    on_failed
};


static void
start(host_t *h, agent_shim_t *shim, agent_ice_t *ice, const char *lost)
{
    g_autofree char       *text = NULL;
    record_media_params_t  params = { ice, FALSE, shim, TRUE };

    memset(h, 0, sizeof(*h));
    text = g_strdup_printf(
        "webrtcbin name=w bundle-policy=max-bundle "
        "videotestsrc is-live=true pattern=ball "
        "! video/x-raw,width=320,height=240,framerate=20/1 "
        "! vp8enc deadline=1 keyframe-max-dist=100000 "
        "! rtpvp8pay pt=96 ssrc=4711 ! application/x-rtp,media=video,"
        "encoding-name=VP8,payload=96,clock-rate=90000,ssrc=(uint)4711 "
        "! identity drop-probability=%s ! w. "
        "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 "
        "! opusenc ! rtpopuspay pt=111 ssrc=4712 ! application/x-rtp,"
        "media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,"
        "ssrc=(uint)4712 ! w.", lost);
    h->pipeline = gst_parse_launch(text, NULL);
    h->webrtc = gst_bin_get_by_name(GST_BIN(h->pipeline), "w");
    g_signal_connect(h->webrtc, "notify::ice-gathering-state",
                     G_CALLBACK(on_gathered), h);
    gst_element_set_state(h->pipeline, GST_STATE_PLAYING);

    h->media = record_media_new(&params, &events, h);
    WAIT(g_atomic_pointer_get(&h->answer) != NULL);
}


static void
stop(host_t *h)
{
    record_media_free(h->media);
    gst_element_set_state(h->pipeline, GST_STATE_NULL);
    gst_object_unref(h->webrtc);
    gst_object_unref(h->pipeline);
    g_free(h->answer);
    g_free(h->failed);
}


static void
test_frames(agent_shim_t *shim, agent_ice_t *ice)
{
    guint   keys;
    host_t  h;

    start(&h, shim, ice, "0");
    ok(record_media_answer(h.media, h.answer), "the answer is one");
    ok(!record_media_answer(h.media, h.answer), "once");
    WAIT(h.connected);
    ok(h.connected && h.sound, "connected, with sound");

    WAIT(h.frames > 40 && h.packets > 50);
    ok(h.frames > 40 && h.packets > 50, "frames and packets come");
    ok(h.ordered, "in order, from a key frame on, of the right size");
    ok(ABS(h.last_us - g_get_monotonic_time()) < 5 * G_USEC_PER_SEC,
       "by the clock of this machine");
    WAIT(h.path);
    ok(h.path, "the path is known");

    keys = h.keys;
    record_media_key(h.media);
    WAIT(h.keys > keys);
    ok(h.keys > keys, "a key frame comes when it is asked for");
    ok(record_media_heard(h.media) > 0 && h.failed == NULL, "nothing fails");
    stop(&h);
}


/*
 * Packets that never left: nothing brings them back.  What follows is of no
 * use until there is a key frame, which is asked for.
 */

static void
test_lost(agent_shim_t *shim, agent_ice_t *ice)
{
    host_t  h;

    start(&h, shim, ice, "0.03");
    ok(record_media_answer(h.media, h.answer), "a host that loses 3 of 100");
    WAIT(h.keys > 3);
    ok(h.keys > 3 && h.ordered && h.failed == NULL,
       "%u key frames came, of %u", h.keys, h.frames);
    stop(&h);
}


/* whoever answers has to be who the connection is with */

static void
test_wrong(agent_shim_t *shim, agent_ice_t *ice)
{
    char    *p;
    host_t   h;

    start(&h, shim, ice, "0");

    for (p = strstr(h.answer, "a=fingerprint:"); p != NULL;
         p = strstr(p + 1, "a=fingerprint:"))
    {
        p[strlen("a=fingerprint:sha-256 ")]
            = (p[strlen("a=fingerprint:sha-256 ")] == 'A') ? 'B' : 'A';
    }

    ok(record_media_answer(h.media, h.answer), "an answer with another name");
    WAIT(h.failed != NULL || h.frames > 0);
    ok(h.failed != NULL && h.frames == 0, "fails: %s",
       h.failed ? h.failed : "no");
    stop(&h);

    start(&h, shim, ice, "0");
    ok(!record_media_answer(h.media, "v=0\r\n"), "no answer");

    for (p = strstr(h.answer, "a=sendonly"); p != NULL;
         p = strstr(p, "a=sendonly"))
    {
        memcpy(p, "a=inactive", 10);
    }

    ok(!record_media_answer(h.media, h.answer), "one without a picture");
    stop(&h);
}


int
main(int argc, char **argv)
{
    json_t          *none;
    agent_ice_t     *ice;
    agent_shim_t    *shim;

    gst_init(&argc, &argv);
    none = json_pack("{s:[], s:s, s:i}", "iceServers", "iceTransportPolicy",
                     "all", "ttl_s", 300);
    ice = agent_ice_parse(none, g_get_monotonic_time(), NULL);
    shim = agent_shim_new(NULL, NULL);

    test_frames(shim, ice);
    test_lost(shim, ice);
    test_wrong(shim, ice);

    /* libnice gives its sockets back on the main loop */

    for (guint i = 0; i < 200; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }

    agent_shim_free(shim);
    agent_ice_free(ice);
    json_decref(none);

    return done();
}
