
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One peer connection: webrtcbin as the answering, sending side.
 */

#ifndef _AGENT_WEBRTC_H_INCLUDED_
#define _AGENT_WEBRTC_H_INCLUDED_


#include "agent.h"
#include "agent_channel.h"
#include "agent_rate.h"
#include "agent_sound.h"
#include "agent_turn_shim.h"
#include "agent_video.h"


typedef struct agent_webrtc_s  agent_webrtc_t;


/*
 * All run on the main loop, never inside a call of this file, and not after
 * agent_webrtc_free(), which each may call.
 */

typedef struct {
    void  (*answer)(void *data, agent_webrtc_t *w, const char *sdp);

    /* candidate "" = end of candidates; mid may be NULL */
    void  (*candidate)(void *data, agent_webrtc_t *w, const char *candidate,
                       guint mline, const char *mid);
    void  (*connected)(void *data, agent_webrtc_t *w);

    /* one of its channels is about to open */
    void  (*opening)(void *data, agent_webrtc_t *w);

    void  (*path)(void *data, agent_webrtc_t *w, const agent_path_t *path);

    /* the last event: code as in peer.md */
    void  (*failed)(void *data, agent_webrtc_t *w, const char *code,
                    const char *message);
} agent_webrtc_events_t;


typedef struct {
    agent_video_t      *video;
    agent_view_t        view;
    agent_sound_t      *sound;          /* NULL: not for this viewer */
    agent_shim_t       *shim;
    const agent_ice_t  *ice;
    gboolean            relay_only;
    guint               codecs;
    const char         *offer;
    const char         *fingerprint;    /* the offer's: who must connect */

    /* what its data channels are, and for whom; ends with NULL */
    const agent_channel_kind_t *const  *kinds;
    agent_viewer_t     *viewer;
} agent_webrtc_params_t;


/*
 * Answers the offer.  NULL and *code, *message when it cannot be served; the
 * strings are static.
 */
agent_webrtc_t *agent_webrtc_new(const agent_webrtc_params_t *params,
    const agent_webrtc_events_t *events, void *data, const char **code,
    const char **message);
void agent_webrtc_free(agent_webrtc_t *w);

/* What the viewer says of his decoder. */
void agent_webrtc_decoded(agent_webrtc_t *w,
    const agent_rate_decoder_t *decoder);

/* FALSE: it cannot be shown, and what was is. */
gboolean agent_webrtc_look(agent_webrtc_t *w, const agent_view_t *view);

void agent_webrtc_candidate(agent_webrtc_t *w, const char *candidate,
    guint mline);

/* Closes its data channels; the picture goes on. */
void agent_webrtc_mute(agent_webrtc_t *w);

/* Loads plugins and makes a certificate: the first offer costs less then. */
void agent_webrtc_warm(void);


#endif /* _AGENT_WEBRTC_H_INCLUDED_ */
