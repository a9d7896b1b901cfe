
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's pipe, from its offer to its end.
 */

#ifndef _AGENT_FALLBACK_H_INCLUDED_
#define _AGENT_FALLBACK_H_INCLUDED_


#include "agent_duct.h"
#include "agent_gate.h"


typedef struct agent_fallback_s  agent_fallback_t;


/* None runs inside a call of this file; each may stop the pipe, none free. */

typedef struct {
    /* it stands: its channels open from now on */
    void  (*connected)(void *data);
    void  (*path)(void *data, const agent_path_t *path);

    /* that of this number is over */
    void  (*failed)(void *data, guint pc, const char *code,
                    const char *message);
} agent_fallback_events_t;


agent_fallback_t *agent_fallback_new(agent_t *agent, agent_viewer_t *viewer,
    const agent_channel_kind_t *const *kinds,
    const agent_fallback_events_t *events, void *data);
void agent_fallback_free(agent_fallback_t *f);

/*
 * An offer: its mark, for the gate, valid until the next; NULL and *code,
 * *message when it cannot be taken.  What stands goes on.
 */
const char *agent_fallback_offer(agent_fallback_t *f, guint pc,
    const agent_peer_pipe_t *offer, const char **code, const char **message);

/* The offer is not wanted any more, and what stands goes on. */
void agent_fallback_forget(agent_fallback_t *f);

/* The pipe's name; NULL: no offer waits. */
const char *agent_fallback_name(const agent_fallback_t *f);

/*
 * A ticket for it: takes the place of one that stands.  *key, *codec: for the
 * answer, as seal.  FALSE: it cannot be answered, and nothing has changed.
 */
gboolean agent_fallback_serve(agent_fallback_t *f, agent_gate_t *gate,
    const agent_view_t *view, const char *ticket, char **key,
    const char **codec, agent_seal_t *seal, GError **error);

/* Nothing is told of it any more. */
void agent_fallback_stop(agent_fallback_t *f);

/* Its number; 0: there is none, or it does not stand. */
guint agent_fallback_stands(const agent_fallback_t *f);
guint agent_fallback_pc(const agent_fallback_t *f);

/* As agent_duct.h has them; without one they do nothing. */
void agent_fallback_mute(agent_fallback_t *f);
void agent_fallback_decoded(agent_fallback_t *f,
    const agent_rate_decoder_t *decoder);
gboolean agent_fallback_look(agent_fallback_t *f, const agent_view_t *view);


#endif /* _AGENT_FALLBACK_H_INCLUDED_ */
