
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One other participant of a session, as the host sees it.
 */

#ifndef _AGENT_VIEWER_H_INCLUDED_
#define _AGENT_VIEWER_H_INCLUDED_


#include "agent.h"
#include "agent_channel.h"
#include "agent_policy.h"
#include "agent_rate.h"
#include "agent_turn_shim.h"


/* The label that input has: its kind is the viewer's own. */
#define AGENT_VIEWER_INPUT  "rs-input"


/*
 * Whom the channels of a viewer are for; the strings are the viewer's, valid
 * until it is served anew.
 */

typedef struct {
    agent_t         *agent;
    const char      *session;
    const char      *id;            /* of the participant */
    const char      *name;          /* for people: not cleaned, may be NULL */
    agent_role_e     role;
    gboolean         guest;         /* came by a link, and is no user */
    gboolean         verified;      /* the operator of this connection */
} agent_about_t;


/* The kind of that label, and what rs-agent has of kinds. */
extern const agent_channel_kind_t  agent_viewer_input_kind;
extern const agent_channel_kind_t *const  agent_viewer_kinds[];


/* What a viewer asks of its session; to is the viewer's participant id. */

typedef struct {
    void  (*answer)(void *session, const char *to, guint pc,
                    const char *sdp, const agent_seal_t *seal);
    void  (*candidate)(void *session, const char *to, guint pc,
                       const char *candidate, guint mline, const char *mid);
    void  (*failed)(void *session, const char *to, guint pc,
                    const char *code, const char *message);
    void  (*path)(void *session, const agent_path_t *path);

    /* a ticket of the pipe of that name is wanted: agent_viewer_ticket() */
    void  (*pipe)(void *session, const char *to, guint pc, const char *name);
    void  (*piped)(void *session, const char *to, guint pc, const char *key,
                   const char *codec, const agent_seal_t *seal);

    /* as agent_gate.h has it; may end the session */
    void  (*consent)(void *session, const char *to, guint pc,
                     const char *state, guint timeout_s);

    /* an offer may be served: agent_viewer_serve() is waited for */
    void  (*ready)(void *session);

    /* nothing was heard for some seconds, told once */
    void  (*silent)(void *session);
} agent_viewer_events_t;


/* rights: what the gateway leaves of the session; copied */
agent_viewer_t *agent_viewer_new(agent_t *agent, const char *session_id,
    const agent_rights_t *rights, const agent_peer_t *peer,
    const agent_viewer_events_t *events, void *session);

/* Lets go of its keys and stops its video. */
void agent_viewer_free(agent_viewer_t *viewer);

/*
 * An offer waits, with the candidates that follow it, until it is known that
 * it may be served (ready), and then for agent_viewer_serve with fresh ICE
 * servers.  proof: as it came, or NULL.
 */
void agent_viewer_offer(agent_viewer_t *viewer, guint pc, const char *sdp,
    const json_t *proof);
void agent_viewer_serve(agent_viewer_t *viewer, const agent_ice_t *ice,
    agent_shim_t *shim);

void agent_viewer_candidate(agent_viewer_t *viewer, guint pc,
    const char *candidate, guint mline);

/*
 * An offer of a pipe: waits for a ticket of that number, or NULL where the
 * gateway gives none, once it was asked for (pipe).
 */
void agent_viewer_offer_pipe(agent_viewer_t *viewer, guint pc,
    const agent_peer_pipe_t *offer, const json_t *proof);
void agent_viewer_ticket(agent_viewer_t *viewer, guint pc,
    const char *ticket);

/*
 * Input by way of the gateway: taken while the picture's connection stands
 * and has no data channel.
 */
void agent_viewer_input(agent_viewer_t *viewer, const json_t *data);

/*
 * Has the session's control, as it has at first: what it held down is let go
 * when it has it no more, and only input of who has it counts.
 */
void agent_viewer_control(agent_viewer_t *viewer, gboolean control);

/* May do input, and has control. */
gboolean agent_viewer_controls(const agent_viewer_t *viewer);

/* FALSE: not above the last id of this sender, so it was handled before. */
gboolean agent_viewer_fresh(agent_viewer_t *viewer, gint64 id);

/* What he may do now; as long as nobody is connected, as nobody verified. */
void agent_viewer_allowed(const agent_viewer_t *viewer,
    agent_allowed_t *allowed);

/* Is served, or may be as soon as somebody says yes. */
gboolean agent_viewer_welcome(const agent_viewer_t *viewer);

/* Whether there is sound for this viewer. */
gboolean agent_viewer_sound(const agent_viewer_t *viewer);

agent_about_t agent_viewer_about(const agent_viewer_t *viewer);

/* What he says of his decoder. */
void agent_viewer_decoded(agent_viewer_t *viewer,
    const agent_rate_decoder_t *decoder);

/* What the picture shows; FALSE: it cannot show that, and shows the same. */
const agent_view_t *agent_viewer_view(const agent_viewer_t *viewer);
gboolean agent_viewer_look(agent_viewer_t *viewer, const agent_view_t *view);

/*
 * The device's addresses are others now: asks for another offer.  What stands
 * goes on until that one does, for it may have been over the others.
 */
void agent_viewer_moved(agent_viewer_t *viewer);

/* The screen has another size, or features changed: says hello again. */
void agent_viewer_resized(agent_viewer_t *viewer);


#endif /* _AGENT_VIEWER_H_INCLUDED_ */
