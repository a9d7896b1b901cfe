
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a recorder says, and what hosts answer it: docs/protocol/peer.md from
 * the viewer's side.  No I/O.
 */

#ifndef _RECORD_MSG_H_INCLUDED_
#define _RECORD_MSG_H_INCLUDED_


#include "agent_msg.h"


typedef enum {
    RECORD_PEER_UNKNOWN = 0,
    RECORD_PEER_ANSWER,
    RECORD_PEER_CANDIDATE,
    RECORD_PEER_WAITING,
    RECORD_PEER_FAILED
} record_peer_e;


/* strings are borrowed */

typedef struct {
    record_peer_e   kind;
    guint           pc;
    const char     *text;           /* SDP, candidate, or of failed a
                                       sentence */
    const char     *code;           /* failed */
    guint           mline;
    guint           timeout_s;      /* waiting */
} record_peer_t;


/* signal.data.  FALSE: of a known kind, and malformed. */
gboolean record_msg_peer(const json_t *data, record_peer_t *peer);

/* Whether another offer could be answered otherwise. */
gboolean record_msg_again(const char *code);

/* proof: taken over, or NULL */
char *record_msg_offer(const char *to, gint64 id, guint pc, const char *sdp,
    json_t *proof);

/* The control channel; sum's reason is a word of the protocol. */
char *record_msg_load(guint capacity, guint used);
char *record_msg_begin(const char *session_id, const char *recording_id);
char *record_msg_failed(const char *session_id, const char *reason,
    const char *detail);
char *record_msg_gone(const char *recording_id);

/* An entry of a welcome's peers, or that of "joined", as an event. */
json_t *record_msg_joined(const json_t *peer);


#endif /* _RECORD_MSG_H_INCLUDED_ */
