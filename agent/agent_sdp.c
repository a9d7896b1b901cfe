
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the choice of codec and payload type.  webrtcbin would choose by
 * itself, and answer "inactive" while ICE and data connect, so that nobody
 * would know why the picture stays black.
 */

#include "agent_sdp.h"
#include "agent_config.h"

#include <string.h>


static gboolean agent_offer_sections(agent_offer_t *offer,
    const GstSDPMessage *sdp);
static gboolean agent_offer_codec(agent_offer_t *offer,
    const GstSDPMedia *media, guint codecs);
static guint agent_offer_rtpmap(const GstSDPMedia *media, const char *pt);
static gboolean agent_offer_h264_fits(const GstSDPMedia *media,
    const char *pt);
static void agent_offer_opus(agent_offer_t *offer, const GstSDPMedia *media);
static guint agent_offer_twcc(const GstSDPMedia *media, const char *pt);
static const char *agent_sdp_attribute(const GstSDPMedia *media,
    const char *name, const char *pt);


agent_offer_t *
agent_offer_parse(const char *text, guint codecs, GstSDPMessage **out,
    const char **code, const char **message)
{
    GstSDPMessage               *sdp;
    g_autoptr(agent_offer_t)     offer = NULL;

    offer = g_new0(agent_offer_t, 1);
    *code = "bad_offer";

    if (text[0] == '\0'
        || gst_sdp_message_new_from_text(text, &sdp) != GST_SDP_OK)
    {
        *message = "the offer is not valid SDP";
        return NULL;
    }

    if (!agent_offer_sections(offer, sdp)) {
        gst_sdp_message_free(sdp);
        *message = "the offer must hold one recvonly video section and at "
                   "most one section of sound and of data each";
        return NULL;
    }

    if (!agent_offer_codec(offer, gst_sdp_message_get_media(sdp,
                                                            offer->video),
                           codecs))
    {
        gst_sdp_message_free(sdp);
        *code = "no_codec";
        *message = "none of the offered codecs can be encoded here: VP8, or "
                   "H.264 with packetization-mode=1 and a 42e0xx profile, "
                   "is wanted";
        return NULL;
    }

    *out = sdp;

    return g_steal_pointer(&offer);
}


void
agent_offer_free(agent_offer_t *offer)
{
    guint  i;

    for (i = 0; i < AGENT_SDP_MEDIA; i++) {
        g_free(offer->mids[i]);
    }

    g_free(offer);
}


static gboolean
agent_offer_sections(agent_offer_t *offer, const GstSDPMessage *sdp)
{
    guint               i, n, video, audio, data;
    const GstSDPMedia  *media;

    n = gst_sdp_message_medias_len(sdp);
    video = 0;
    audio = 0;
    data = 0;

    if (n > AGENT_SDP_MEDIA) {
        return FALSE;
    }

    for (i = 0; i < n; i++) {
        media = gst_sdp_message_get_media(sdp, i);
        offer->mids[i] = g_strdup(gst_sdp_media_get_attribute_val(media,
                                                                  "mid"));

        if (g_strcmp0(gst_sdp_media_get_media(media), "application") == 0) {
            data++;

        } else if (g_strcmp0(gst_sdp_media_get_media(media), "video") == 0
                   && gst_sdp_media_get_attribute_val(media, "recvonly")
                      != NULL)
        {
            video++;
            offer->video = i;

        } else if (g_strcmp0(gst_sdp_media_get_media(media), "audio") == 0
                   && gst_sdp_media_get_attribute_val(media, "recvonly")
                      != NULL)
        {
            audio++;
            offer->audio = i;
            agent_offer_opus(offer, media);

        } else {
            return FALSE;
        }
    }

    return video == 1 && audio <= 1 && data <= 1;
}


/* RFC 7587: always of this rate and these channels, whatever it carries */

static void
agent_offer_opus(agent_offer_t *offer, const GstSDPMedia *media)
{
    guint        i;
    guint64      pt;
    const char  *format, *map;

    for (i = 0; i < gst_sdp_media_formats_len(media); i++) {
        format = gst_sdp_media_get_format(media, i);
        map = agent_sdp_attribute(media, "rtpmap", format);

        if (map != NULL && g_ascii_strcasecmp(map, "opus/48000/2") == 0
            && g_ascii_string_to_unsigned(format, 10, 1, 127, &pt, NULL))
        {
            offer->sound = (guint) pt;
            return;
        }
    }
}


/* "<pt> rest" of the attribute called name, or NULL */

static const char *
agent_sdp_attribute(const GstSDPMedia *media, const char *name,
    const char *pt)
{
    guint        i;
    gsize        len;
    const char  *value;

    len = strlen(pt);

    for (i = 0; /* void */; i++) {
        value = gst_sdp_media_get_attribute_val_n(media, name, i);

        if (value == NULL) {
            return NULL;
        }

        if (strncmp(value, pt, len) == 0 && value[len] == ' ') {
            return value + len + 1;
        }
    }
}


static guint
agent_offer_rtpmap(const GstSDPMedia *media, const char *pt)
{
    const char  *map;

    map = agent_sdp_attribute(media, "rtpmap", pt);

    if (map == NULL) {
        return 0;
    }

    if (g_ascii_strcasecmp(map, "VP8/90000") == 0) {
        return AGENT_CODEC_VP8;
    }

    if (g_ascii_strcasecmp(map, "H264/90000") == 0) {
        return AGENT_CODEC_H264;
    }

    return 0;
}


/* RFC 6184, 8.1: constrained baseline, not interleaved */

static gboolean
agent_offer_h264_fits(const GstSDPMedia *media, const char *pt)
{
    guint             i;
    gboolean          mode, profile;
    const char       *fmtp;
    g_auto(GStrv)     params = NULL;

    fmtp = agent_sdp_attribute(media, "fmtp", pt);

    if (fmtp == NULL) {
        return FALSE;
    }

    mode = FALSE;
    profile = FALSE;
    params = g_strsplit(fmtp, ";", 32);

    for (i = 0; params[i] != NULL; i++) {
        g_strstrip(params[i]);

        if (strcmp(params[i], "packetization-mode=1") == 0) {
            mode = TRUE;
        }

        if (g_ascii_strncasecmp(params[i], "profile-level-id=42e0", 21) == 0
            && strlen(params[i]) == 23)
        {
            profile = TRUE;
        }
    }

    return mode && profile;
}


/*
 * The id of the extension, if this payload type has the feedback, too.  Only
 * one-byte headers (RFC 8285, 4.2): those have the ids 1 to 14.
 */

static guint
agent_offer_twcc(const GstSDPMedia *media, const char *pt)
{
    guint         i;
    char         *end;
    guint64       id;
    gboolean      wanted;
    const char   *value;

    wanted = FALSE;

    for (i = 0; !wanted; i++) {
        value = gst_sdp_media_get_attribute_val_n(media, "rtcp-fb", i);

        if (value == NULL) {
            return 0;
        }

        wanted = g_str_has_prefix(value, pt)
                 && strcmp(value + strlen(pt), " transport-cc") == 0;
    }

    for (i = 0; /* void */; i++) {
        value = gst_sdp_media_get_attribute_val_n(media, "extmap", i);

        if (value == NULL) {
            return 0;
        }

        id = g_ascii_strtoull(value, &end, 10);

        if (end != value && *end == ' ' && id >= 1 && id <= 14
            && strcmp(end + 1, AGENT_SDP_TWCC) == 0)
        {
            return (guint) id;
        }
    }
}


static gboolean
agent_offer_codec(agent_offer_t *offer, const GstSDPMedia *media,
    guint codecs)
{
    guint        i, codec;
    guint64      pt;
    const char  *format;

    for (i = 0; i < gst_sdp_media_formats_len(media); i++) {
        format = gst_sdp_media_get_format(media, i);

        if (!g_ascii_string_to_unsigned(format, 10, 0, 127, &pt, NULL)) {
            continue;
        }

        codec = agent_offer_rtpmap(media, format) & codecs;

        if (codec == 0
            || (codec == AGENT_CODEC_H264
                && !agent_offer_h264_fits(media, format)))
        {
            continue;
        }

        offer->codec = codec;
        offer->payload = (guint) pt;
        offer->twcc = agent_offer_twcc(media, format);

        return TRUE;
    }

    return FALSE;
}


gboolean
agent_answer_sends(const GstSDPMessage *sdp, guint video)
{
    const GstSDPMedia  *media;

    if (video >= gst_sdp_message_medias_len(sdp)) {
        return FALSE;
    }

    media = gst_sdp_message_get_media(sdp, video);

    return gst_sdp_media_get_attribute_val(media, "sendonly") != NULL
           && gst_sdp_media_get_port(media) != 0;
}


void
agent_answer_part(GstSDPMessage *sdp, guint audio)
{
    guint          i;
    const char    *value, *msid;
    GstSDPMedia   *media;

    if (audio >= gst_sdp_message_medias_len(sdp)) {
        return;
    }

    media = (GstSDPMedia *) gst_sdp_message_get_media(sdp, audio);

    for (i = 0; i < gst_sdp_media_attributes_len(media); i++) {
        g_autofree char    *other = NULL;
        GstSDPAttribute     attribute;

        value = gst_sdp_media_get_attribute(media, i)->value;

        if (strcmp(gst_sdp_media_get_attribute(media, i)->key, "ssrc") != 0
            || value == NULL || (msid = strstr(value, " msid:")) == NULL)
        {
            continue;
        }

        other = g_strdup_printf("%.*s msid:sound sound",
                                (int) (msid - value), value);
        gst_sdp_attribute_set(&attribute, "ssrc", other);
        gst_sdp_media_replace_attribute(media, i, &attribute);
    }
}
