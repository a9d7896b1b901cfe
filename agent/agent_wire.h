
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One leg of a pipe: a WebSocket to the gateway's /pipe that carries binary
 * messages, of which neither side is ever ahead.  What comes is given as it
 * comes and stays in the network while nobody takes it; what goes has one
 * bounded buffer, and who wants to send asks how much fits.
 *
 * libsoup's WebSocket cannot do that: it queues what it is sent without bound
 * and reads on whatever its user does with it.  So this one has the frames by
 * itself (librs), over a stream of GIO.
 *
 * Knows nothing of the rest of the agent: rs-tunnel uses it, too.
 */

#ifndef _AGENT_WIRE_H_INCLUDED_
#define _AGENT_WIRE_H_INCLUDED_


#include <gio/gio.h>


#define AGENT_WIRE_PAYLOAD  65507       /* bytes, of a message that is sent */
#define AGENT_WIRE_CLOSE_S  5           /* for a goodbye */

#define AGENT_WIRE_DONE     1000
#define AGENT_WIRE_BROKEN   4502        /* what is behind this end broke */


typedef struct agent_wire_s  agent_wire_t;


/* All is copied; ticket is secret. */

typedef struct {
    const char      *url;               /* wss://host[:port]/base/pipe; ws:
                                           without TLS */
    const char      *ticket;
    const char      *side;              /* "client" or "host" */
    const char      *program;           /* User-Agent */
    gsize            max_message;       /* bytes, of one that comes */
    GTlsDatabase    *tls;               /* NULL: the system's */
    GProxyResolver  *proxy;             /* NULL: none */
} agent_wire_to_t;


typedef struct {
    guint        code;                  /* the peer's close code, or 0 */
    guint        status;                /* of HTTP where the gateway refused
                                           the leg, else 0 */
    guint        retry_s;               /* it asked to wait, or 0 */
    const char  *why;                   /* for people */
} agent_wire_end_t;


typedef struct {
    /* the gateway took the leg */
    void      (*open)(void *data);

    /*
     * A piece of a message, last: it ends here; a piece without bytes does
     * nothing else, so one that begins and ends is an empty message.  How
     * much was taken: where that is less, or an end was not (it returns
     * FALSE), nothing more comes until agent_wire_more().
     */
    gboolean  (*piece)(void *data, const guint8 *bytes, gsize len,
                       gboolean last, gsize *taken);

    /* there is room again, after agent_wire_space() had too little */
    void      (*room)(void *data);

    /* Called once; nothing after it.  The wire may be freed here. */
    void      (*closed)(void *data, const agent_wire_end_t *end);
} agent_wire_events_t;


/*
 * Connects.  Events never run inside this call, nor inside any other of
 * these.
 */
agent_wire_t *agent_wire_new(const agent_wire_to_t *to,
    const agent_wire_events_t *events, void *data);

/*
 * Where the payload of a message may be put: at least min bytes, *len of
 * them at most AGENT_WIRE_PAYLOAD; or NULL, and room() will be called.
 */
guint8 *agent_wire_space(agent_wire_t *wire, gsize min, gsize *len);

/* The message of so many bytes, which stand where agent_wire_space() said. */
void agent_wire_send(agent_wire_t *wire, gsize len);

/* The rest of the piece that was left, and what follows it. */
void agent_wire_more(agent_wire_t *wire);

/* Says goodbye behind what was sent; closed() follows within 5 s. */
void agent_wire_close(agent_wire_t *wire, guint code, const char *why);

/*
 * No event runs any more.  What was sent, and a goodbye of that code, still
 * leave, within 5 s; code 0: nothing does.
 */
void agent_wire_free(agent_wire_t *wire, guint code);


#endif /* _AGENT_WIRE_H_INCLUDED_ */
