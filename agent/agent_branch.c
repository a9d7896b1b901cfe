
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the payloaders and their caps.
 */

#include "agent_branch.h"
#include "agent_config.h"
#include "agent_sdp.h"

#include <gst/webrtc/webrtc.h>


/* what becomes of an appsrc, all of it in the pipeline */

typedef struct {
    GstElement  *appsrc;
    GstElement  *pay;
    GstElement  *filter;
    guint        mline;
} agent_branch_parts_t;


static GstElement *agent_branch_payloader(guint codec, guint payload,
    guint ssrc);
static GstElement *agent_branch_filter(const agent_branch_t *branch,
    guint ssrc);
static GstElement *agent_branch_join(GstBin *pipeline, GstElement *webrtc,
    const agent_branch_parts_t *parts);
static gboolean agent_branch_link(GstElement *filter, GstElement *webrtc,
    guint mline);
static GstPad *agent_branch_pad(GstElement *webrtc, GstCaps *caps,
    guint mline);


GstElement *
agent_branch_add(GstBin *pipeline, GstElement *webrtc,
    const agent_branch_t *branch, GstPad **out)
{
    guint                  ssrc;
    GstElement            *appsrc;
    agent_branch_parts_t   parts;

    ssrc = g_random_int() | 1;

    parts.appsrc = gst_element_factory_make("appsrc", NULL);
    parts.pay = agent_branch_payloader(branch->codec, branch->payload, ssrc);
    parts.filter = agent_branch_filter(branch, ssrc);
    parts.mline = branch->mline;

    appsrc = agent_branch_join(pipeline, webrtc, &parts);

    if (appsrc != NULL) {
        *out = gst_element_get_static_pad(parts.filter, "src");
    }

    return appsrc;
}


/* the pipeline owns them from here on, and frees them when this fails */

static GstElement *
agent_branch_join(GstBin *pipeline, GstElement *webrtc,
    const agent_branch_parts_t *parts)
{
    GstElement  *appsrc = parts->appsrc;
    GstElement  *pay = parts->pay;
    GstElement  *filter = parts->filter;

    if (appsrc == NULL || pay == NULL || filter == NULL) {
        g_clear_pointer(&appsrc, gst_object_unref);
        g_clear_pointer(&pay, gst_object_unref);
        g_clear_pointer(&filter, gst_object_unref);
        return NULL;
    }

    g_object_set(appsrc, "is-live", TRUE, "format", GST_FORMAT_TIME,
                 "do-timestamp", TRUE, "block", FALSE, NULL);

    gst_bin_add_many(pipeline, appsrc, pay, filter, NULL);

    if (!gst_element_link_many(appsrc, pay, filter, NULL)
        || !agent_branch_link(filter, webrtc, parts->mline)
        || !gst_element_sync_state_with_parent(filter)
        || !gst_element_sync_state_with_parent(pay)
        || !gst_element_sync_state_with_parent(appsrc))
    {
        return NULL;
    }

    return gst_object_ref(appsrc);
}


static GstElement *
agent_branch_payloader(guint codec, guint payload, guint ssrc)
{
    gboolean     vp8;
    GstElement  *pay;

    vp8 = (codec == AGENT_CODEC_VP8);
    pay = gst_element_factory_make(vp8 ? "rtpvp8pay" : "rtph264pay", NULL);

    if (pay == NULL) {
        return NULL;
    }

    g_object_set(pay, "pt", payload, "ssrc", ssrc, NULL);

    if (vp8) {
        gst_util_set_object_arg(G_OBJECT(pay), "picture-id-mode", "15-bit");

    } else {
        g_object_set(pay, "config-interval", -1, NULL);
        gst_util_set_object_arg(G_OBJECT(pay), "aggregate-mode",
                                "zero-latency");
    }

    return pay;
}


/*
 * Without the ssrc webrtcbin's answer says "FID 0 N": frames are decoded,
 * but the picture stays black.  A profile-level-id here would break H.264.
 */

static GstElement *
agent_branch_filter(const agent_branch_t *branch, guint ssrc)
{
    GstElement          *filter;
    g_autofree char     *field = NULL;
    g_autoptr(GstCaps)   caps = NULL;

    filter = gst_element_factory_make("capsfilter", NULL);

    if (filter == NULL) {
        return NULL;
    }

    caps = gst_caps_new_simple("application/x-rtp",
                               "media", G_TYPE_STRING, "video",
                               "encoding-name", G_TYPE_STRING,
                               (branch->codec == AGENT_CODEC_VP8)
                                   ? "VP8" : "H264",
                               "payload", G_TYPE_INT, (int) branch->payload,
                               "clock-rate", G_TYPE_INT, 90000,
                               "ssrc", G_TYPE_UINT, ssrc, NULL);

    /* the payloader finds its extension by this, the answer its feedback */

    if (branch->twcc != 0) {
        field = g_strdup_printf("extmap-%u", branch->twcc);
        gst_caps_set_simple(caps, field, G_TYPE_STRING, AGENT_SDP_TWCC,
                            "rtcp-fb-transport-cc", G_TYPE_BOOLEAN, TRUE,
                            NULL);
    }

    g_object_set(filter, "caps", caps, NULL);

    return filter;
}


static gboolean
agent_branch_link(GstElement *filter, GstElement *webrtc, guint mline)
{
    g_autoptr(GstCaps)                    caps = NULL;
    g_autoptr(GstPad)                     src = NULL;
    g_autoptr(GstPad)                     sink = NULL;
    g_autoptr(GstWebRTCRTPTransceiver)    transceiver = NULL;

    /* the caps tell which section of the offer it is for */

    g_object_get(filter, "caps", &caps, NULL);
    sink = agent_branch_pad(webrtc, caps, mline);
    src = gst_element_get_static_pad(filter, "src");

    if (sink == NULL || gst_pad_link(src, sink) != GST_PAD_LINK_OK) {
        return FALSE;
    }

    g_object_get(sink, "transceiver", &transceiver, NULL);

    if (transceiver == NULL) {
        return FALSE;
    }

    g_object_set(transceiver,
                 "direction",
                 GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
                 "do-nack", TRUE, NULL);

    return TRUE;
}


/*
 * webrtcbin of GStreamer 1.22 makes its transceiver with the pad.  A newer one
 * has made it with the offer, to receive only, and gives the pad of another
 * one, which answers nothing, unless that one may send and is asked for.
 */

static GstPad *
agent_branch_pad(GstElement *webrtc, GstCaps *caps, guint mline)
{
    guint                       i, index;
    char                       *name = NULL;
    char                        text[sizeof("sink_") + 10];
    GstPadTemplate             *template;
    g_autoptr(GArray)           all = NULL;
    GstWebRTCRTPTransceiver    *t;

    g_signal_emit_by_name(webrtc, "get-transceivers", &all);

    for (i = 0; all != NULL && i < all->len; i++) {
        t = g_array_index(all, GstWebRTCRTPTransceiver *, i);
        g_object_get(t, "mlineindex", &index, NULL);

        if (index == mline) {
            g_object_set(t, "direction",
                         GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY, NULL);
            g_snprintf(text, sizeof(text), "sink_%u", mline);
            name = text;
        }
    }

    template = gst_element_get_pad_template(webrtc, "sink_%u");

    return gst_element_request_pad(webrtc, template, name, caps);
}


GstElement *
agent_branch_add_sound(GstBin *pipeline, GstElement *webrtc, guint payload,
    guint mline)
{
    guint                  ssrc;
    agent_branch_parts_t   parts;
    g_autoptr(GstCaps)     caps = NULL;

    ssrc = g_random_int() | 1;

    parts.appsrc = gst_element_factory_make("appsrc", NULL);
    parts.pay = gst_element_factory_make("rtpopuspay", NULL);
    parts.filter = gst_element_factory_make("capsfilter", NULL);
    parts.mline = mline;

    if (parts.pay != NULL) {
        g_object_set(parts.pay, "pt", payload, "ssrc", ssrc, NULL);
    }

    if (parts.filter != NULL) {
        caps = gst_caps_new_simple("application/x-rtp",
                                   "media", G_TYPE_STRING, "audio",
                                   "encoding-name", G_TYPE_STRING, "OPUS",
                                   "payload", G_TYPE_INT, (int) payload,
                                   "clock-rate", G_TYPE_INT, 48000,
                                   "ssrc", G_TYPE_UINT, ssrc, NULL);
        g_object_set(parts.filter, "caps", caps, NULL);
    }

    return agent_branch_join(pipeline, webrtc, &parts);
}
