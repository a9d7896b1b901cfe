
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Which codec and payload type of an offer are taken, and what is no offer.
 */

#include "agent_config.h"
#include "agent_sdp.h"
#include "tap.h"

#include <gst/gst.h>
#include <string.h>


#define HEAD   "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"           \
               "a=group:BUNDLE 0 1\r\n"
#define VIDEO(pts)                                                           \
    "m=video 9 UDP/TLS/RTP/SAVPF " pts "\r\nc=IN IP4 0.0.0.0\r\n"              \
    "a=mid:0\r\na=recvonly\r\n"
#define DATA                                                                 \
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"                     \
    "c=IN IP4 0.0.0.0\r\na=mid:1\r\na=sctp-port:5000\r\n"
#define AUDIO(pts)                                                           \
    "m=audio 9 UDP/TLS/RTP/SAVPF " pts "\r\nc=IN IP4 0.0.0.0\r\n"              \
    "a=mid:2\r\na=recvonly\r\n"
#define H264(pt, mode, profile)                                              \
    "a=rtpmap:" pt " H264/90000\r\na=fmtp:" pt " level-asymmetry-allowed=1;"   \
    "packetization-mode=" mode ";profile-level-id=" profile "\r\n"

#define BOTH  (AGENT_CODEC_VP8|AGENT_CODEC_H264)


typedef struct {
    const char  *what;
    const char  *sdp;
    guint        codecs;
    guint        codec;                 /* 0: refused */
    guint        payload;
    const char  *code;
} agent_case_t;


static const agent_case_t  cases[] = {

    { "VP8", HEAD VIDEO("96") "a=rtpmap:96 VP8/90000\r\n" DATA,
      BOTH, AGENT_CODEC_VP8, 96, NULL },

    { "VP8 in small letters",
      HEAD VIDEO("100") "a=rtpmap:100 vp8/90000\r\n" DATA,
      BOTH, AGENT_CODEC_VP8, 100, NULL },

    { "H.264 of the right kind among others",
      HEAD VIDEO("98 102 104 106 108")
      "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\n"
      H264("102", "1", "42001f") H264("104", "0", "42e01f")
      H264("106", "1", "42e01f") H264("108", "1", "640032") DATA,
      BOTH, AGENT_CODEC_H264, 106, NULL },

    { "the offer's order decides: VP8 first",
      HEAD VIDEO("96 106") "a=rtpmap:96 VP8/90000\r\n"
      H264("106", "1", "42e01f") DATA,
      BOTH, AGENT_CODEC_VP8, 96, NULL },

    { "the offer's order decides: H.264 first",
      HEAD VIDEO("106 96") "a=rtpmap:96 VP8/90000\r\n"
      H264("106", "1", "42E034") DATA,
      BOTH, AGENT_CODEC_H264, 106, NULL },

    { "a codec that is off is passed over",
      HEAD VIDEO("96 106") "a=rtpmap:96 VP8/90000\r\n"
      H264("106", "1", "42e01f") DATA,
      AGENT_CODEC_H264, AGENT_CODEC_H264, 106, NULL },

    { "no data section", HEAD VIDEO("96") "a=rtpmap:96 VP8/90000\r\n",
      BOTH, AGENT_CODEC_VP8, 96, NULL },

    { "only VP9", HEAD VIDEO("98") "a=rtpmap:98 VP9/90000\r\n" DATA,
      BOTH, 0, 0, "no_codec" },

    { "no encoder at all", HEAD VIDEO("96") "a=rtpmap:96 VP8/90000\r\n" DATA,
      0, 0, 0, "no_codec" },

    { "H.264 without fmtp",
      HEAD VIDEO("106") "a=rtpmap:106 H264/90000\r\n" DATA,
      BOTH, 0, 0, "no_codec" },

    { "a longer profile is another one",
      HEAD VIDEO("106") H264("106", "1", "42e01f0") DATA,
      BOTH, 0, 0, "no_codec" },

    { "another clock rate",
      HEAD VIDEO("96") "a=rtpmap:96 VP8/48000\r\n" DATA,
      BOTH, 0, 0, "no_codec" },

    { "a map of a payload type not offered",
      HEAD VIDEO("97") "a=rtpmap:96 VP8/90000\r\n" DATA,
      BOTH, 0, 0, "no_codec" },

    { "sendonly video", HEAD
      "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendonly\r\n"
      "a=rtpmap:96 VP8/90000\r\n" DATA, BOTH, 0, 0, "bad_offer" },

    { "two video sections", HEAD
      VIDEO("96") "a=rtpmap:96 VP8/90000\r\n"
      VIDEO("96") "a=rtpmap:96 VP8/90000\r\n", BOTH, 0, 0, "bad_offer" },

    { "two audio sections", HEAD
      VIDEO("96") "a=rtpmap:96 VP8/90000\r\n" AUDIO("0") AUDIO("0"),
      BOTH, 0, 0, "bad_offer" },

    { "somebody who wants to speak", HEAD
      VIDEO("96") "a=rtpmap:96 VP8/90000\r\n"
      "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendrecv\r\n",
      BOTH, 0, 0, "bad_offer" },

    { "data alone", HEAD DATA, BOTH, 0, 0, "bad_offer" },
    { "five sections", HEAD DATA DATA DATA DATA DATA,
      BOTH, 0, 0, "bad_offer" },
    { "no sections", HEAD, BOTH, 0, 0, "bad_offer" },
    { "nothing", "", BOTH, 0, 0, "bad_offer" },
    { "no SDP", "hello", BOTH, 0, 0, "bad_offer" }
};


#define TWCC(id)  "a=extmap:" id " " AGENT_SDP_TWCC "\r\n"
#define CC(pt)    "a=rtcp-fb:" pt " transport-cc\r\n"

static void
test_twcc(void)
{
    gsize  i;

    static const struct {
        const char  *what;
        const char  *more;
        guint        id;
    } twcc[] = {
        { "extension and feedback", TWCC("4") CC("96"), 4 },
        { "feedback among others",
          "a=rtcp-fb:96 nack\r\n" CC("96") TWCC("14"), 14 },
        { "no feedback", TWCC("4"), 0 },
        { "no extension", CC("96"), 0 },
        { "the feedback of another type", TWCC("4") CC("9"), 0 },
        { "of a longer one", TWCC("4") CC("961"), 0 },
        { "id 0", TWCC("0") CC("96"), 0 },
        { "id 15", TWCC("15") CC("96"), 0 },
        { "a large id", TWCC("99999999999999999999") CC("96"), 0 },
        { "an id with a direction", TWCC("4/recvonly") CC("96"), 0 },
        { "no id", "a=extmap:" AGENT_SDP_TWCC "\r\n" CC("96"), 0 },
        { "another extension", "a=extmap:4 urn:x\r\n" CC("96"), 0 },
        { "the second extension",
          "a=extmap:4 urn:x\r\n" TWCC("5") CC("96"), 5 }
    };

    for (i = 0; i < G_N_ELEMENTS(twcc); i++) {
        const char                  *code, *message;
        GstSDPMessage               *sdp;
        g_autofree char             *text = NULL;
        g_autoptr(agent_offer_t)     offer = NULL;

        text = g_strconcat(HEAD VIDEO("96") "a=rtpmap:96 VP8/90000\r\n",
                           twcc[i].more, DATA, NULL);
        offer = agent_offer_parse(text, BOTH, &sdp, &code, &message);

        ok(offer != NULL && offer->twcc == twcc[i].id,
           "reports of each packet: %s", twcc[i].what);

        if (offer != NULL) {
            gst_sdp_message_free(sdp);
        }
    }
}


static void
test_sound(void)
{
    gsize           i;
    GstSDPMessage  *sdp;

    static const struct {
        const char  *what;
        const char  *audio;
        guint        payload;
    } sound[] = {
        { "none asked for", "", 0 },
        { "Opus", AUDIO("111") "a=rtpmap:111 opus/48000/2\r\n", 111 },
        { "Opus among others", AUDIO("9 0 96 63")
          "a=rtpmap:9 G722/8000\r\na=rtpmap:96 OPUS/48000/2\r\n", 96 },
        { "one channel of it", AUDIO("111") "a=rtpmap:111 opus/48000\r\n",
          0 },
        { "others alone", AUDIO("0 9") "a=rtpmap:9 G722/8000\r\n", 0 },
        { "a map of a type that is not offered",
          AUDIO("0") "a=rtpmap:111 opus/48000/2\r\n", 0 },
        { "no number", AUDIO("x") "a=rtpmap:x opus/48000/2\r\n", 0 },
        { "a large one", AUDIO("300") "a=rtpmap:300 opus/48000/2\r\n", 0 }
    };

    for (i = 0; i < G_N_ELEMENTS(sound); i++) {
        const char                  *code, *message;
        g_autofree char             *text = NULL;
        g_autoptr(agent_offer_t)     offer = NULL;

        text = g_strconcat(HEAD VIDEO("96") "a=rtpmap:96 VP8/90000\r\n",
                           sound[i].audio, DATA, NULL);
        offer = agent_offer_parse(text, BOTH, &sdp, &code, &message);

        ok(offer != NULL && offer->sound == sound[i].payload
           && (sound[i].payload == 0 || offer->audio == 1),
           "sound: %s", sound[i].what);

        if (offer != NULL) {
            gst_sdp_message_free(sdp);
        }
    }

    gst_sdp_message_new_from_text(HEAD VIDEO("96")
        "a=ssrc:1 msid:s v\r\na=ssrc:1 cname:c\r\n"
        AUDIO("111") "a=ssrc:2 msid:s a\r\na=ssrc:2 cname:c\r\n", &sdp);
    agent_answer_part(sdp, 1);
    agent_answer_part(sdp, 7);

    {
        g_autofree char  *text = gst_sdp_message_as_text(sdp);

        ok(strstr(text, "a=ssrc:1 msid:s v\r\n") != NULL
           && strstr(text, "a=ssrc:2 msid:sound sound\r\n") != NULL
           && strstr(text, "a=ssrc:2 cname:c\r\n") != NULL,
           "the answer's sound is a stream of its own");
    }

    gst_sdp_message_free(sdp);
}


static void
test_answer(void)
{
    GstSDPMessage  *sdp;

    gst_sdp_message_new_from_text(HEAD "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
                                  "a=sendonly\r\n", &sdp);
    ok(agent_answer_sends(sdp, 0), "an answer that sends");
    ok(!agent_answer_sends(sdp, 1), "another section");
    gst_sdp_message_free(sdp);

    gst_sdp_message_new_from_text(HEAD "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
                                  "a=inactive\r\n", &sdp);
    ok(!agent_answer_sends(sdp, 0), "an inactive answer");
    gst_sdp_message_free(sdp);

    gst_sdp_message_new_from_text(HEAD "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"
                                  "a=sendonly\r\n", &sdp);
    ok(!agent_answer_sends(sdp, 0), "a refused section");
    gst_sdp_message_free(sdp);
}


int
main(int argc, char **argv)
{
    gsize           i;
    const char     *code, *message;
    agent_offer_t  *offer;
    GstSDPMessage  *sdp;

    gst_init(&argc, &argv);

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        sdp = NULL;
        offer = agent_offer_parse(cases[i].sdp, cases[i].codecs, &sdp, &code,
                                  &message);

        if (cases[i].codec == 0) {
            ok(offer == NULL && strcmp(code, cases[i].code) == 0
               && message[0] != '\0', "%s: %s", cases[i].what,
               cases[i].code);
            continue;
        }

        ok(offer != NULL && offer->codec == cases[i].codec
           && offer->payload == cases[i].payload && offer->video == 0
           && g_strcmp0(offer->mids[0], "0") == 0, "%s", cases[i].what);

        if (offer != NULL) {
            agent_offer_free(offer);
            gst_sdp_message_free(sdp);
        }
    }

    test_twcc();
    test_sound();
    test_answer();

    return done();
}
