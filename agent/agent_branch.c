
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


static GstElement *agent_branch_payloader(guint codec, guint payload,
    guint ssrc);
static GstElement *agent_branch_filter(guint codec, guint payload,
    guint ssrc, guint twcc);
static gboolean agent_branch_join(GstBin *pipeline, GstElement *webrtc,
    GstElement *appsrc, GstElement *pay, GstElement *filter);
static gboolean agent_branch_link(GstElement *filter, GstElement *webrtc);


GstElement *
agent_branch_add(GstBin *pipeline, GstElement *webrtc, guint codec,
    guint payload, guint twcc, GstPad **out)
{
    guint        ssrc;
    GstElement  *appsrc, *pay, *filter;

    ssrc = g_random_int() | 1;

    appsrc = gst_element_factory_make("appsrc", NULL);
    pay = agent_branch_payloader(codec, payload, ssrc);
    filter = agent_branch_filter(codec, payload, ssrc, twcc);

    if (appsrc == NULL || pay == NULL || filter == NULL) {
        g_clear_pointer(&appsrc, gst_object_unref);
        g_clear_pointer(&pay, gst_object_unref);
        g_clear_pointer(&filter, gst_object_unref);
        return NULL;
    }

    if (!agent_branch_join(pipeline, webrtc, appsrc, pay, filter)) {
        return NULL;
    }

    *out = gst_element_get_static_pad(filter, "src");

    return gst_object_ref(appsrc);
}


/* the pipeline owns them from here on, and frees them when this fails */

static gboolean
agent_branch_join(GstBin *pipeline, GstElement *webrtc, GstElement *appsrc,
    GstElement *pay, GstElement *filter)
{
    g_object_set(appsrc, "is-live", TRUE, "format", GST_FORMAT_TIME,
                 "do-timestamp", TRUE, "block", FALSE, NULL);

    gst_bin_add_many(pipeline, appsrc, pay, filter, NULL);

    return gst_element_link_many(appsrc, pay, filter, NULL)
           && agent_branch_link(filter, webrtc)
           && gst_element_sync_state_with_parent(filter)
           && gst_element_sync_state_with_parent(pay)
           && gst_element_sync_state_with_parent(appsrc);
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
agent_branch_filter(guint codec, guint payload, guint ssrc, guint twcc)
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
                               (codec == AGENT_CODEC_VP8) ? "VP8" : "H264",
                               "payload", G_TYPE_INT, (int) payload,
                               "clock-rate", G_TYPE_INT, 90000,
                               "ssrc", G_TYPE_UINT, ssrc, NULL);

    /* the payloader finds its extension by this, the answer its feedback */

    if (twcc != 0) {
        field = g_strdup_printf("extmap-%u", twcc);
        gst_caps_set_simple(caps, field, G_TYPE_STRING, AGENT_SDP_TWCC,
                            "rtcp-fb-transport-cc", G_TYPE_BOOLEAN, TRUE,
                            NULL);
    }

    g_object_set(filter, "caps", caps, NULL);

    return filter;
}


static gboolean
agent_branch_link(GstElement *filter, GstElement *webrtc)
{
    GstPadTemplate                       *template;
    g_autoptr(GstCaps)                    caps = NULL;
    g_autoptr(GstPad)                     src = NULL;
    g_autoptr(GstPad)                     sink = NULL;
    g_autoptr(GstWebRTCRTPTransceiver)    transceiver = NULL;

    /* the caps tell which section of the offer it is for */

    g_object_get(filter, "caps", &caps, NULL);
    template = gst_element_get_pad_template(webrtc, "sink_%u");
    sink = gst_element_request_pad(webrtc, template, NULL, caps);
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


GstElement *
agent_branch_add_sound(GstBin *pipeline, GstElement *webrtc, guint payload)
{
    guint                ssrc;
    GstElement          *appsrc, *pay, *filter;
    g_autoptr(GstCaps)   caps = NULL;

    ssrc = g_random_int() | 1;

    appsrc = gst_element_factory_make("appsrc", NULL);
    pay = gst_element_factory_make("rtpopuspay", NULL);
    filter = gst_element_factory_make("capsfilter", NULL);

    if (appsrc == NULL || pay == NULL || filter == NULL) {
        g_clear_pointer(&appsrc, gst_object_unref);
        g_clear_pointer(&pay, gst_object_unref);
        g_clear_pointer(&filter, gst_object_unref);
        return NULL;
    }

    g_object_set(pay, "pt", payload, "ssrc", ssrc, NULL);

    caps = gst_caps_new_simple("application/x-rtp",
                               "media", G_TYPE_STRING, "audio",
                               "encoding-name", G_TYPE_STRING, "OPUS",
                               "payload", G_TYPE_INT, (int) payload,
                               "clock-rate", G_TYPE_INT, 48000,
                               "ssrc", G_TYPE_UINT, ssrc, NULL);
    g_object_set(filter, "caps", caps, NULL);

    return agent_branch_join(pipeline, webrtc, appsrc, pay, filter)
           ? gst_object_ref(appsrc) : NULL;
}
