
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One question to a STUN or TURN server, as bytes: whether it answers, and
 * whether it takes the credential.  No I/O; what comes back is a stranger's.
 */

#ifndef _AGENT_STUN_H_INCLUDED_
#define _AGENT_STUN_H_INCLUDED_


#include "agent_ice.h"
#include "rs_stun.h"


#define AGENT_STUN_SIZE   1024      /* of a question */
#define AGENT_STUN_TURNS  5         /* questions until it is given up */
#define AGENT_STUN_TEXT   256       /* of realm and nonce */


typedef enum {
    AGENT_PROBE_OK = 0,
    AGENT_PROBE_NAME,               /* nobody knows the server's name */
    AGENT_PROBE_SILENT,             /* nothing came back */
    AGENT_PROBE_CLOSED,             /* refused or reset on the way */
    AGENT_PROBE_TLS,                /* its certificate, or no TLS at all */
    AGENT_PROBE_REFUSED,            /* by the server: code */
    AGENT_PROBE_STRANGE             /* what came back is no STUN */
} agent_probe_e;


typedef struct {
    agent_probe_e   result;
    guint           code;           /* refused: the server's */
    gint            ms;             /* ok: until its last answer */
    char            seen[64];       /* ok: "address:port" it sees, or empty */
    char           *detail;         /* else: in words, or NULL */
} agent_probe_t;


typedef struct {
    const agent_turn_t   *turn;     /* borrowed */
    gboolean              binding;  /* STUN: nothing is asked for */
    guint                 turns;
    unsigned              family;   /* of the relay; 0: the server's choice */
    guint8                id[RS_STUN_ID_LEN];
    guint8                key[RS_STUN_KEY_LEN];
    gboolean              keyed;
    guint8                realm[AGENT_STUN_TEXT];
    gsize                 realm_len;
    guint8                nonce[AGENT_STUN_TEXT];
    gsize                 nonce_len;
} agent_stun_t;


typedef enum {
    AGENT_STUN_IGNORE = 0,          /* not the answer: wait on */
    AGENT_STUN_AGAIN,               /* ask once more */
    AGENT_STUN_DONE                 /* probe says what is known */
} agent_stun_e;


void agent_stun_init(agent_stun_t *s, const agent_turn_t *turn,
    gboolean binding);

/* The question to ask now, of AGENT_STUN_SIZE at most; the same until
 * agent_stun_answer() says again.  FALSE: it cannot be written. */
gboolean agent_stun_question(const agent_stun_t *s, rs_buf_t *b);

/* What gives an allocation back that was made. */
gboolean agent_stun_goodbye(const agent_stun_t *s, rs_buf_t *b);

/* One whole message. */
agent_stun_e agent_stun_answer(agent_stun_t *s, const void *bytes, gsize len,
    agent_probe_t *probe);

/* "ok", "name", "silent", ... as reports have it */
const char *agent_probe_word(agent_probe_e result);

void agent_probe_clear(agent_probe_t *probe);


#endif /* _AGENT_STUN_H_INCLUDED_ */
