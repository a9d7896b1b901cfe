
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The messages of docs/protocol between text and typed structs: what the
 * gateway sends on both sockets, what viewers put into signal.data, and what
 * the agent says.  No I/O.
 */

#ifndef _AGENT_MSG_H_INCLUDED_
#define _AGENT_MSG_H_INCLUDED_


#include "agent_config.h"
#include "agent_ice.h"
#include "rs_identity.h"


#define AGENT_MSG_PEERS     64      /* a welcome's participants */
#define AGENT_MSG_SDP       (64 * 1024)
#define AGENT_MSG_POSITION  41      /* "<epoch>-<n>", with the NUL */


typedef enum {
    AGENT_MSG_UNKNOWN = 0,          /* a type this version does not know */

    /* both sockets */
    AGENT_MSG_PING,
    AGENT_MSG_PONG,
    AGENT_MSG_ERROR,
    AGENT_MSG_GOAWAY,

    /* /agent */
    AGENT_MSG_CHALLENGE,
    AGENT_MSG_ONLINE,               /* its welcome */
    AGENT_MSG_INVITE,
    AGENT_MSG_REVOKE,
    AGENT_MSG_ROTATED,
    AGENT_MSG_TUNNEL,

    /* /signal */
    AGENT_MSG_WELCOME,
    AGENT_MSG_SIGNAL,
    AGENT_MSG_ACK,
    AGENT_MSG_JOINED,
    AGENT_MSG_LEFT,
    AGENT_MSG_STATE,
    AGENT_MSG_ICE,
    AGENT_MSG_ENDED,
    AGENT_MSG_RESYNC,
    AGENT_MSG_CONTROL,
    AGENT_MSG_INPUT,
    AGENT_MSG_PIPE
} agent_msg_e;


typedef enum {
    AGENT_CHANNEL_AGENT = 0,
    AGENT_CHANNEL_SIGNAL
} agent_channel_e;


typedef enum {
    AGENT_ROLE_OTHER = 0,           /* roles yet to come */
    AGENT_ROLE_HOST,
    AGENT_ROLE_CONTROLLER,
    AGENT_ROLE_VIEWER,
    AGENT_ROLE_RECORDER
} agent_role_e;


typedef struct {
    char           *id;
    char           *name;
    agent_role_e    role;
    gboolean        guest;          /* came by a link, and is no user */
} agent_peer_t;


typedef enum {
    AGENT_PEER_UNKNOWN = 0,
    AGENT_PEER_OFFER,
    AGENT_PEER_CANDIDATE,
    AGENT_PEER_DIAGNOSE,            /* asks for a report */
    AGENT_PEER_PIPE                 /* offers one */
} agent_peer_kind_e;


/* an offer of a pipe, borrowed; agent_deal.h reads it */

typedef struct {
    const char  *name;
    const char  *key;
    const char  *codecs;
} agent_peer_pipe_t;


/* signal.data, as peer.md has it */

typedef struct {
    agent_peer_kind_e   kind;
    guint               pc;
    const char         *text;       /* SDP or candidate, borrowed */
    const json_t       *proof;      /* of an offer, as it came; or NULL */
    guint               mline;
    agent_peer_pipe_t   pipe;
} agent_peer_msg_t;


/* Who offers, as far as the device knows: peer.md, "Who is there" */

typedef struct {
    gboolean    verified;
    char       *name;               /* verified: the token's; for people */
    char       *user;               /* verified: "sub" */
    char       *issuer;             /* verified */
    char       *reason;             /* else: why not, for people */
} agent_who_t;


/* What an answer says of the device, and of who asked it. */

typedef struct {
    char               *public_key;
    char               *signature;
    const agent_who_t  *who;
} agent_seal_t;


/* What is asked of a tunnel; one of the ids may be missing of a cut. */

typedef struct {
    gboolean     cut;               /* else a connection is wanted */
    const char  *tunnel_id;
    const char  *pipe_id;
    const char  *ticket;            /* secret */
    gboolean     shell;             /* a terminal, and no host */
    const char  *recording;         /* its id, and no host: of a recorder */
    const char  *command;           /* one to run, and no host */
    const json_t  *args;            /* of it: an object, or NULL */
    const json_t  *secret;          /* names of those that nobody is shown:
                                       an array, or NULL */
    const char  *host;
    guint        port;
    gboolean     udp;
    const char  *requester;         /* NULL: has no name */
    const char  *requester_id;
    const char  *label;             /* or NULL */
    const char  *reason;            /* of a cut */
} agent_open_t;


/*
 * One message; strings point into json, which the message owns.  A member
 * is set only where the message of that type has it.
 */

typedef struct {
    agent_msg_e         type;
    const char         *name;       /* "type" as it came */
    json_t             *json;

    const char         *nonce;      /* challenge */
    const char         *host;
    agent_open_t        open;       /* tunnel */
    rs_identity_offer_t  *identity; /* challenge; NULL: none was shown */
    guint               ping_s;     /* welcome, both */
    const char         *device_id;
    const char         *public_key; /* rotated */

    const char         *session_id; /* invite, revoke, welcome */
    const char         *ticket;     /* secret; also pipe */
    const char         *requester;
    const char         *text;       /* reason, or error's message */
    const char         *code;       /* error */

    agent_rights_t      rights;     /* invite, welcome: the session's */

    const char         *self;       /* welcome */
    agent_role_e        role;
    const char         *resume;     /* secret */
    const char         *position;
    GPtrArray          *peers;      /* agent_peer_t; joined: one */
    agent_ice_t        *ice;        /* welcome, ice */

    const char         *from;       /* signal, left, input */
    gint64              id;         /* signal, ack, error, pipe; 0: none */
    agent_peer_msg_t    peer;
    const json_t       *data;       /* input; an object */

    gboolean            controlled; /* control; joined, left, welcome: maybe */
    const char         *holder;     /* of it; NULL: nobody */

    gboolean            ended;      /* state: the session's is "ended" */
    guint               after_ms;   /* goaway */
    guint               jitter_ms;
} agent_msg_t;


/*
 * NULL and *error when it is no JSON object or a member that the type needs
 * is missing or out of range; the text never quotes the message.
 */
agent_msg_t *agent_msg_parse(agent_channel_e channel, const char *text,
    gsize len, gint64 now_us, GError **error);
void agent_msg_free(agent_msg_t *msg);

/*
 * The peer message inside a signal: FALSE when it names a known kind and is
 * malformed, AGENT_PEER_UNKNOWN when it is of a kind not known here.
 */
gboolean agent_msg_peer(const json_t *data, agent_peer_msg_t *peer);

void agent_peer_free(void *peer);

void agent_who_clear(agent_who_t *who);
void agent_seal_clear(agent_seal_t *seal);

/* Negative, 0, positive as position a is before, at, after b. */
int agent_msg_position_cmp(const char *a, const char *b);

/* What the agent says.  The caller frees the text. */

/* instance: another one for each process */
char *agent_msg_hello(const char *program, const char *tenant,
    const char *device_id, const char *signature, const char *instance,
    int width, int height);
char *agent_msg_rotate(const char *public_key, const char *signature,
    const char *proof);
char *agent_msg_accept(const char *session_id);
char *agent_msg_reject(const char *session_id, const char *reason,
    const char *detail);
/* state: "waiting", "given", "denied", "timeout" */
char *agent_msg_consent(const char *session_id, const char *participant_id,
    const char *state);
/* reason: "target_refused", "target_unreachable", "policy", "busy" */
char *agent_msg_tunnel_refused(const char *tunnel_id, const char *pipe_id,
    const char *reason, const char *detail);
char *agent_msg_plain(const char *type);
char *agent_msg_bye(const char *reason);
char *agent_msg_control(const char *op);
char *agent_msg_state(const agent_path_t *path);
/* a ticket of the pipe of that name with another participant; secret */
char *agent_msg_pipe(const char *with, const char *name, gint64 id);

char *agent_msg_answer(const char *to, gint64 id, guint pc, const char *sdp,
    const agent_seal_t *seal);
/* of a pipe: key and codec as agent_deal.h has them */
char *agent_msg_piped(const char *to, gint64 id, guint pc, const char *key,
    const char *codec, const agent_seal_t *seal);
char *agent_msg_candidate(const char *to, gint64 id, guint pc,
    const char *candidate, guint mline, const char *mid);
/* for: "consent" */
char *agent_msg_waiting(const char *to, gint64 id, guint pc,
    guint timeout_s);
/* checks: borrowed */
char *agent_msg_report(const char *to, gint64 id, guint pc, json_t *checks);
char *agent_msg_failed(const char *to, gint64 id, guint pc, const char *code,
    const char *message);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_msg_t, agent_msg_free)


#endif /* _AGENT_MSG_H_INCLUDED_ */
