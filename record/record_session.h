
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One session that is recorded: the place in it, the connection to its host,
 * and the recording that is made of both.
 */

#ifndef _RECORD_SESSION_H_INCLUDED_
#define _RECORD_SESSION_H_INCLUDED_


#include "agent.h"
#include "record_config.h"
#include "record_store.h"


typedef struct record_session_s  record_session_t;


typedef struct {
    /* on the control channel; takes text over */
    void  (*say)(void *data, char *text);

    /* a recording has ended and is on the disk; reason: of the protocol */
    void  (*kept)(void *data, record_session_t *session, const char *reason,
                  const record_sum_t *sum);

    /* The last event before it is freed, which may be here. */
    void  (*over)(void *data, record_session_t *session);

    /*
     * Its files are closed, once for each that was freed: then, or later, when
     * a disk that hangs lets go of them.  broken: of a recording that could
     * not be written, and has no end; or NULL.  key: signs it.
     */
    void  (*closed)(void *data, const char *broken, agent_key_t *key);
} record_session_events_t;


/* auditors and config outlive it. */
record_session_t *record_session_new(agent_t *agent,
    const record_config_t *config, const record_auditors_t *auditors,
    const agent_msg_t *invite, const record_session_events_t *events,
    void *data);

/* Invited again: this ticket is the newer one. */
void record_session_invited(record_session_t *session,
    const agent_msg_t *invite);

/* What was recorded is ended; over() follows. */
void record_session_end(record_session_t *session, const char *reason);

/* The network is another one. */
void record_session_nudge(record_session_t *session);

const char *record_session_id(const record_session_t *session);

/* The gateway has taken that it records. */
void record_session_known(record_session_t *session);

/*
 * The control channel stands again: what was not taken is said so much later.
 * FALSE: there is nothing.
 */
gboolean record_session_again(record_session_t *session, guint delay_ms);

/* NULL: nothing was recorded yet. */
const char *record_session_recording(const record_session_t *session);

void record_session_free(record_session_t *session);


#endif /* _RECORD_SESSION_H_INCLUDED_ */
