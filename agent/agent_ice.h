
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * ICE servers as the gateway gives them (RTCConfiguration), as libnice wants
 * them, and the name of the path that ICE chose.  No I/O.
 */

#ifndef _AGENT_ICE_H_INCLUDED_
#define _AGENT_ICE_H_INCLUDED_


#include "agent_json.h"


#define AGENT_ICE_SERVERS  16       /* URLs kept, over all servers */
#define AGENT_ICE_NEAREST  2        /* hosts used, of more */
#define AGENT_ICE_REGION   65


typedef enum {
    AGENT_PROTO_UDP = 0,
    AGENT_PROTO_TCP,
    AGENT_PROTO_TLS
} agent_proto_e;


typedef struct {
    char           *host;           /* no brackets */
    guint16         port;
    agent_proto_e   proto;
    char           *username;
    char           *credential;
    char           *region;         /* or NULL */

    gint            rtt_ms;         /* of its host, -1: not known */
    char           *address;        /* of its host, NULL: not known */
} agent_turn_t;


typedef struct {
    char           *stun;           /* stun://host:port, or NULL */
    GPtrArray      *turn;           /* agent_turn_t */
    gboolean        relay_only;
    guint           ttl_s;
    gint64          taken_us;       /* monotonic */
} agent_ice_t;


typedef struct {
    gboolean        pipe;           /* by the gateway; no candidates then */
    gboolean        relay;
    agent_proto_e   protocol;
    char            local[8];       /* candidate types */
    char            remote[8];
    gint            rtt_ms;         /* -1: not measured yet */
    char            server[46];     /* the relay's address, or "" */
    char            region[AGENT_ICE_REGION];       /* or "" */
} agent_path_t;


/*
 * ice: {iceServers, iceTransportPolicy, ttl_s}.  URLs that cannot be served
 * (stuns:, malformed) are left out and logged; now_us is the monotonic time.
 */
agent_ice_t *agent_ice_parse(const json_t *ice, gint64 now_us,
    GError **error);
void agent_ice_free(agent_ice_t *ice);

/* Whether a viewer who joins now should be served with fresh credentials. */
gboolean agent_ice_stale(const agent_ice_t *ice, gint64 now_us);

/*
 * Nearest first, by rtt_ms: what answered, to 10 ms, then the rest, each as
 * the gateway had them; the URLs of a host stay together, and of no more than
 * AGENT_ICE_NEAREST hosts.  Without an answer nothing changes.
 */
void agent_ice_order(agent_ice_t *ice);

/* Sets path->region, when only servers of one can be it. */
void agent_ice_region(const agent_ice_t *ice, agent_path_t *path);

/*
 * turn://user:password@host:port?transport=udp|tcp, percent-encoded; host and
 * port replace the server's own when host is not NULL (TLS shim).  Secret.
 */
char *agent_ice_turn_uri(const agent_turn_t *turn, const char *host,
    guint16 port);

/* Host and port of its STUN server; FALSE: it has none. */
gboolean agent_ice_stun(const agent_ice_t *ice, char **host, guint16 *port);

const char *agent_proto_name(agent_proto_e proto);

/*
 * The path in the protocol's words.  relay_proto: how the local relay
 * candidate reaches its server, used only when local is "relay".
 */
void agent_path_set(agent_path_t *path, const char *local, const char *remote,
    agent_proto_e relay_proto, int rtt_ms);

/* The same of a pipe through the gateway. */
void agent_path_pipe(agent_path_t *path, gboolean tls, int rtt_ms);

const char *agent_path_kind(const agent_path_t *path);

/* Same route; the round-trip time alone is no change. */
gboolean agent_path_same(const agent_path_t *a, const agent_path_t *b);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_ice_t, agent_ice_free)


#endif /* _AGENT_ICE_H_INCLUDED_ */
