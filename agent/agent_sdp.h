
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the agent reads in a viewer's offer, and checks in its own answer.
 */

#ifndef _AGENT_SDP_H_INCLUDED_
#define _AGENT_SDP_H_INCLUDED_


#include <gst/sdp/sdp.h>


#define AGENT_SDP_MEDIA  4              /* sections of an offer */

/* the header extension that numbers packets for transport-wide feedback */
#define AGENT_SDP_TWCC                                                       \
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


typedef struct {
    guint    codec;                     /* AGENT_CODEC_* */
    guint    payload;
    guint    video;                     /* index of the video section */
    guint    twcc;                      /* id of its header extension for
                                           congestion feedback; 0: none */
    guint    sound;                     /* payload type of Opus; 0: none is
                                           asked for, or not that */
    guint    audio;                     /* index of its section */
    char    *mids[AGENT_SDP_MEDIA];     /* by section; NULL: none */
} agent_offer_t;


/*
 * codecs: bits of what can be encoded; the first of the offer that fits is
 * taken.  NULL and *code, *message (static text) when the offer cannot be
 * served: "bad_offer" or "no_codec" of peer.md.  *sdp is the caller's to
 * free.
 */
agent_offer_t *agent_offer_parse(const char *text, guint codecs,
    GstSDPMessage **sdp, const char **code, const char **message);
void agent_offer_free(agent_offer_t *offer);

/*
 * Gives the sound of an answer a stream of its own: of one stream a browser
 * holds the picture back until its sound is there.
 */
void agent_answer_part(GstSDPMessage *sdp, guint audio);

/* Whether the answer sends the video: webrtcbin refuses without a word. */
gboolean agent_answer_sends(const GstSDPMessage *sdp, guint video);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_offer_t, agent_offer_free)


#endif /* _AGENT_SDP_H_INCLUDED_ */
