
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's pipe: frames and channels, sealed, over one leg to the gateway.
 * What agent_webrtc.h is for a peer connection.
 */

#ifndef _AGENT_DUCT_H_INCLUDED_
#define _AGENT_DUCT_H_INCLUDED_


#include "agent.h"
#include "agent_channel.h"
#include "agent_rate.h"
#include "agent_video.h"
#include "rs_seal.h"


typedef struct agent_duct_s  agent_duct_t;


/*
 * All run on the main loop, never inside a call of this file, and not after
 * agent_duct_free(), which each may call.
 */

typedef struct {
    /* the viewer is there, and nobody else: its channels open from now on */
    void  (*connected)(void *data, agent_duct_t *duct);

    void  (*path)(void *data, agent_duct_t *duct, const agent_path_t *path);

    /* the last event: code as in peer.md */
    void  (*failed)(void *data, agent_duct_t *duct, const char *code,
                    const char *message);
} agent_duct_events_t;


typedef struct {
    agent_t            *agent;
    agent_view_t        view;
    guint               codec;
    const char         *ticket;         /* secret */
    rs_seal_t          *seal;           /* taken over */

    /* what its channels are, and for whom; ends with NULL */
    const agent_channel_kind_t *const  *kinds;
    agent_viewer_t     *viewer;
} agent_duct_params_t;


agent_duct_t *agent_duct_new(const agent_duct_params_t *params,
    const agent_duct_events_t *events, void *data);
void agent_duct_free(agent_duct_t *duct);

/* The viewer has begun. */
gboolean agent_duct_stands(const agent_duct_t *duct);

/* Closes its channels; the picture goes on. */
void agent_duct_mute(agent_duct_t *duct);

/* What the viewer says of his decoder. */
void agent_duct_decoded(agent_duct_t *duct,
    const agent_rate_decoder_t *decoder);

/* FALSE: it cannot be shown, and what was is. */
gboolean agent_duct_look(agent_duct_t *duct, const agent_view_t *view);


#endif /* _AGENT_DUCT_H_INCLUDED_ */
