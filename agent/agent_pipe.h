
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A leg of a pipe, and what is at this end of it: a stream (a connected
 * socket, or two descriptors as those of ssh's ProxyCommand), or datagrams.
 * Both directions are bounded: who does not read holds who writes.
 *
 * An end of the stream passes as an end, in each direction by itself; what
 * breaks is broken at the other side: sockets are reset.  The process ignores
 * SIGPIPE.
 *
 * Knows nothing of the rest of the agent: rs-tunnel uses it, too.
 */

#ifndef _AGENT_PIPE_H_INCLUDED_
#define _AGENT_PIPE_H_INCLUDED_


#include "agent_wire.h"


#define AGENT_PIPE_STREAM_MESSAGE  1048576  /* bytes, of one that comes */
#define AGENT_PIPE_DATAGRAM        65507


typedef struct agent_pipe_s  agent_pipe_t;


typedef enum {
    AGENT_PIPE_STREAM = 0,
    AGENT_PIPE_DATAGRAMS
} agent_pipe_kind_e;


typedef struct {
    gboolean          clean;            /* both directions came to their end */
    guint64           sent;             /* bytes to the gateway */
    guint64           received;
    agent_wire_end_t  wire;             /* wire.why: of whatever broke first */
} agent_pipe_end_t;


typedef struct {
    /* the gateway took the leg; may be NULL */
    void  (*open)(void *data);

    /* one came; only where there is no descriptor for it */
    void  (*datagram)(void *data, const guint8 *bytes, gsize len);

    /* Called once; nothing after it.  The pipe may be freed here. */
    void  (*closed)(void *data, const agent_pipe_end_t *end);
} agent_pipe_events_t;


/*
 * Takes over in and out, the same one of a socket, and closes them.  Of
 * datagrams: a connected socket, or -1: they come by datagram() and go by
 * agent_pipe_push().  to->max_message is not looked at.  Events never run
 * inside this call.
 */
agent_pipe_t *agent_pipe_new(const agent_wire_to_t *to,
    agent_pipe_kind_e kind, int in, int out,
    const agent_pipe_events_t *events, void *data);

/* Sends a datagram of 1 to AGENT_PIPE_DATAGRAM bytes; FALSE: dropped. */
gboolean agent_pipe_push(agent_pipe_t *pipe, const guint8 *bytes, gsize len);

guint64 agent_pipe_sent(const agent_pipe_t *pipe);
guint64 agent_pipe_received(const agent_pipe_t *pipe);

/*
 * No event runs any more.  A stream that had not ended at both ends is
 * broken: this one is reset, the other end is told by code (AGENT_WIRE_DONE
 * for datagrams that are over, AGENT_WIRE_BROKEN).
 */
void agent_pipe_free(agent_pipe_t *pipe, guint code);


#endif /* _AGENT_PIPE_H_INCLUDED_ */
