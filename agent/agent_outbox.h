
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the agent says in a session, numbered and kept: until the gateway
 * acknowledges it, and 30 s longer, because after a failover of the store it
 * may ask for that once more.  Messages leave in order and no faster than
 * the gateway takes them.  No I/O, no clock: time comes with each call.
 */

#ifndef _AGENT_OUTBOX_H_INCLUDED_
#define _AGENT_OUTBOX_H_INCLUDED_


#include <glib.h>


#define AGENT_OUTBOX_MAX      512               /* messages */
#define AGENT_OUTBOX_SIZE     (1024 * 1024)     /* bytes */
#define AGENT_OUTBOX_KEEP_US  (30 * G_USEC_PER_SEC)
#define AGENT_OUTBOX_BURST    60        /* below rs_message_rate's 100 ... */
#define AGENT_OUTBOX_RATE     40        /* ... and 50 a second */


typedef struct agent_outbox_s  agent_outbox_t;

/* to the socket that stands; called by agent_outbox_flush() alone */
typedef void (*agent_outbox_send_pt)(void *data, const char *text);


agent_outbox_t *agent_outbox_new(agent_outbox_send_pt send, void *data);
void agent_outbox_free(agent_outbox_t *box);

/* The id of the message that agent_outbox_put() is about to take. */
gint64 agent_outbox_next(agent_outbox_t *box);

/*
 * Takes text over.  Past the bounds the oldest goes, acknowledged or not: a
 * viewer whose answer is lost offers again.
 */
void agent_outbox_put(agent_outbox_t *box, gint64 id, char *text,
    gint64 now_us);

/* It is in the gateway's log, or will never be taken. */
void agent_outbox_ack(agent_outbox_t *box, gint64 id, gint64 now_us);

/* Another socket: what is not acknowledged is to be sent again. */
void agent_outbox_restart(agent_outbox_t *box, gint64 now_us);

/* The same for all of the last 30 s, acknowledged or not. */
void agent_outbox_resync(agent_outbox_t *box, gint64 now_us);

/*
 * Sends what is to be sent and may be sent now.  Milliseconds until more
 * may, 0: nothing is left.
 */
guint agent_outbox_flush(agent_outbox_t *box, gint64 now_us);


#endif /* _AGENT_OUTBOX_H_INCLUDED_ */
