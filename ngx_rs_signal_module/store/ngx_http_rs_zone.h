
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the workers of a node share: counters, one slot for each process, rates
 * of addresses and tenants, who is banned, how many pipes a tenant has, and
 * the word that says the node is being drained.  Only what may be lost is
 * here; nothing points from one process into another.
 *
 * A slot has one writer, so counting is a plain addition.  Its counters are
 * never reset: who takes a slot over goes on counting, and the sum over all
 * slots only grows, whoever dies or is reloaded.  Its gauges are those of the
 * living owner; they are begun anew with each and ignored without one.
 */


#ifndef _NGX_HTTP_RS_ZONE_H_INCLUDED_
#define _NGX_HTTP_RS_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rs_err.h"
#include "rs_msg.h"


#if (NGX_PTR_SIZE < 8)
#error "rs-gateway needs a platform of 64 bits"
#endif


#define NGX_HTTP_RS_ZONE_NAME     "rs"
#define NGX_HTTP_RS_ZONE_SIZE     (1024 * 1024)

/* processes that count at once: workers, and those a reload left behind */
#define NGX_HTTP_RS_ZONE_SLOTS    256

/* upper bounds of a command's time in ms; above the last: the last + 1 */
#define NGX_HTTP_RS_REDIS_BOUNDS  { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000 }
#define NGX_HTTP_RS_REDIS_NBOUNDS 10


/*
 * Counters.  Each is one series of /metrics; its words are in the table of
 * http/ngx_http_rs_metrics.c and in docs/operating/metrics.md.
 */

typedef enum {
    NGX_HTTP_RS_STAT_CONN_AGENT = 0,       /* sockets opened */
    NGX_HTTP_RS_STAT_CONN_PARTICIPANT,
    NGX_HTTP_RS_STAT_CONN_WATCHER,
    NGX_HTTP_RS_STAT_CONN_PIPE,
    NGX_HTTP_RS_STAT_CONN_LINK,            /* to or from another worker */
    NGX_HTTP_RS_STAT_BYTES_IN,             /* of sockets, without TLS */
    NGX_HTTP_RS_STAT_BYTES_OUT,

    NGX_HTTP_RS_STAT_UPGRADE_REFUSED,      /* answered with a status */
    NGX_HTTP_RS_STAT_UPGRADE_UNAVAILABLE,
    NGX_HTTP_RS_STAT_JOINED,
    NGX_HTTP_RS_STAT_JOIN_REFUSED,         /* the ticket was not good */
    NGX_HTTP_RS_STAT_RESUMED,
    NGX_HTTP_RS_STAT_RESUME_REFUSED,
    NGX_HTTP_RS_STAT_RESUME_TOO_OLD,
    NGX_HTTP_RS_STAT_DEVICE_ONLINE,
    NGX_HTTP_RS_STAT_DEVICE_REFUSED,       /* signature, tenant, quarantine */
    NGX_HTTP_RS_STAT_DEVICE_MISMATCH,      /* of these, a wrong key */
    NGX_HTTP_RS_STAT_DEVICE_ROTATED,

    NGX_HTTP_RS_STAT_MESSAGE_BAD,          /* of a client, not understood */
    NGX_HTTP_RS_STAT_ACK,
    NGX_HTTP_RS_STAT_DUPLICATE,            /* repeated id, acked again */
    NGX_HTTP_RS_STAT_UNSENT,               /* "send it again" */
    NGX_HTTP_RS_STAT_DELIVERED,            /* signal, written to a socket */

    NGX_HTTP_RS_STAT_DIRECT,               /* envelopes within this worker */
    NGX_HTTP_RS_STAT_IPC_IN,
    NGX_HTTP_RS_STAT_IPC_OUT,
    NGX_HTTP_RS_STAT_REDIS_IN,
    NGX_HTTP_RS_STAT_REDIS_OUT,            /* functions that publish */
    NGX_HTTP_RS_STAT_ENV_BAD,
    NGX_HTTP_RS_STAT_ENV_DROPPED,          /* a queue was full, nobody there */

    NGX_HTTP_RS_STAT_GAP,                  /* a hole was seen in a log */
    NGX_HTTP_RS_STAT_GAP_FILLED,           /* entries read to fill it */
    NGX_HTTP_RS_STAT_RESYNC,

    NGX_HTTP_RS_STAT_SESSION_CREATED,
    NGX_HTTP_RS_STAT_SESSION_ENDED,
    NGX_HTTP_RS_STAT_INVITE,
    NGX_HTTP_RS_STAT_TUNNEL_CREATED,
    NGX_HTTP_RS_STAT_COMMAND,              /* asked for */
    NGX_HTTP_RS_STAT_PIPE_OFFERED,         /* to devices */
    NGX_HTTP_RS_STAT_PIPE_REFUSED,         /* by them */
    NGX_HTTP_RS_STAT_ICE,                  /* credentials minted */

    NGX_HTTP_RS_STAT_TOKEN_GOOD,           /* ID tokens */
    NGX_HTTP_RS_STAT_TOKEN_REFUSED,
    NGX_HTTP_RS_STAT_TOKEN_UNCHECKED,      /* there were no keys */
    NGX_HTTP_RS_STAT_JWKS_FETCHED,         /* sets of keys */
    NGX_HTTP_RS_STAT_JWKS_FAILED,

    NGX_HTTP_RS_STAT_LIMIT_ADDRESS,        /* refused by a rate */
    NGX_HTTP_RS_STAT_LIMIT_TENANT,
    NGX_HTTP_RS_STAT_FAILED_ADDRESS,       /* credentials not good */
    NGX_HTTP_RS_STAT_FAILED_DEVICE,
    NGX_HTTP_RS_STAT_BAN,                  /* begun, or heard of */
    NGX_HTTP_RS_STAT_BANNED,               /* sent away: calls, sockets */
    NGX_HTTP_RS_STAT_UPGRADE_BANNED,       /* of these, upgrades */
    NGX_HTTP_RS_STAT_SHED,                 /* closed to make room */
    NGX_HTTP_RS_STAT_FULL,                 /* refused, no room was made */

    NGX_HTTP_RS_STAT_REDIS_COMMAND,
    NGX_HTTP_RS_STAT_REDIS_REFUSED,        /* not sent: down, too many */
    NGX_HTTP_RS_STAT_REDIS_LOST,           /* sent, no answer in time */
    NGX_HTTP_RS_STAT_REDIS_CONNECT,        /* the store became usable */
    NGX_HTTP_RS_STAT_REDIS_UNCERTAIN,      /* WAIT did not confirm */
    NGX_HTTP_RS_STAT_REDIS_MS,             /* sum of the times below */
    NGX_HTTP_RS_STAT_REDIS_TIME,           /* histogram */

    NGX_HTTP_RS_STAT_REAPED = NGX_HTTP_RS_STAT_REDIS_TIME
                              + NGX_HTTP_RS_REDIS_NBOUNDS + 1,
    NGX_HTTP_RS_STAT_LEASE_LOST,           /* not renewed in time */

    NGX_HTTP_RS_STAT_PORT,                 /* let in at a port */
    NGX_HTTP_RS_STAT_PORT_REFUSED,
    NGX_HTTP_RS_STAT_PORT_LIMITED,         /* a rate, a ban, no room */
    NGX_HTTP_RS_STAT_PORT_UNAVAILABLE,

    NGX_HTTP_RS_STAT_PIPE,                 /* joined */
    NGX_HTTP_RS_STAT_PIPE_UP,              /* bytes of messages, from the */
    NGX_HTTP_RS_STAT_PIPE_DOWN,            /* client and to it */
    NGX_HTTP_RS_STAT_PIPE_WAIT,            /* a leg had to, for its rate */
    NGX_HTTP_RS_STAT_PIPE_FULL,            /* refused, rs_max_pipes */

    NGX_HTTP_RS_STAT_EVENT_SENT,           /* to readers of GET /events */
    NGX_HTTP_RS_STAT_EVENT_SLOW,           /* of these, cut off: not reading */

    NGX_HTTP_RS_STAT_MESSAGE,              /* + rs_msg_type_e: received */

    /* + rs_err_e: sockets closed because of it, RS_OK: by agreement */
    NGX_HTTP_RS_STAT_CLOSED = NGX_HTTP_RS_STAT_MESSAGE + RS_MSG_PONG + 1,

    /* + rs_err_e: problems told over HTTP */
    NGX_HTTP_RS_STAT_PROBLEM = NGX_HTTP_RS_STAT_CLOSED + RS_E_MAX,

    NGX_HTTP_RS_STAT_N = NGX_HTTP_RS_STAT_PROBLEM + RS_E_MAX
} ngx_http_rs_stat_e;


typedef enum {
    NGX_HTTP_RS_GAUGE_AGENTS = 0,          /* open sockets */
    NGX_HTTP_RS_GAUGE_PARTICIPANTS,
    NGX_HTTP_RS_GAUGE_WATCHERS,
    NGX_HTTP_RS_GAUGE_LEGS,                /* of pipes, of clients */
    NGX_HTTP_RS_GAUGE_LINKS,               /* and of other workers */
    NGX_HTTP_RS_GAUGE_PIPES,               /* each once at this node */
    NGX_HTTP_RS_GAUGE_PIPE_WAITING,        /* legs, for their rate */
    NGX_HTTP_RS_GAUGE_PIPE_BUFFERS,
    NGX_HTTP_RS_GAUGE_READERS,             /* of GET /events */
    NGX_HTTP_RS_GAUGE_PENDING,             /* of these, not let in yet */
    NGX_HTTP_RS_GAUGE_QUEUED,              /* bytes that wait for sockets */
    NGX_HTTP_RS_GAUGE_LEAVING,             /* participants waited for */
    NGX_HTTP_RS_GAUGE_REDIS,               /* 1: the store is usable */
    NGX_HTTP_RS_GAUGE_REDIS_SLOW,          /* 1: and refuses, being slow */
    NGX_HTTP_RS_GAUGE_BUS,                 /* 1: messages are heard */
    NGX_HTTP_RS_GAUGE_INFLIGHT,            /* commands under way */
    NGX_HTTP_RS_GAUGE_LEASE,               /* ngx_current_msec when renewed */

    NGX_HTTP_RS_GAUGE_N
} ngx_http_rs_gauge_e;


typedef struct {
    ngx_atomic_t                pid;       /* 0: free */
    ngx_atomic_t                counters[NGX_HTTP_RS_STAT_N];
    ngx_atomic_t                gauges[NGX_HTTP_RS_GAUGE_N];
} ngx_http_rs_slot_t;


/* rates, by the hash of whom they are of: ngx_http_rs_limit.c */

#define NGX_HTTP_RS_LIMIT_WAYS    8        /* places of a set */
#define NGX_HTTP_RS_LIMIT_SEED    16

typedef struct {
    ngx_atomic_t                hash;      /* 0: empty */
    ngx_atomic_t                state;     /* of rs_rate */
} ngx_http_rs_limit_place_t;

/* and bans, ngx_http_rs_ban.c */

typedef struct {
    ngx_atomic_t                hash;      /* 0: empty */
    ngx_atomic_t                state;     /* of rs_ban */
    ngx_atomic_t                until;     /* ngx_current_msec; 0: not */
} ngx_http_rs_ban_place_t;

typedef struct {
    u_char                      seed[NGX_HTTP_RS_LIMIT_SEED];
    ngx_uint_t                  nsets;
    ngx_http_rs_limit_place_t  *places;
    ngx_uint_t                  nbans;     /* sets */
    ngx_http_rs_ban_place_t    *bans;
    ngx_atomic_t                banned_until;  /* the last of them ends */
} ngx_http_rs_limits_t;


/* numbers of a tenant at a worker: ngx_http_rs_tally.c */

typedef struct {
    ngx_atomic_t                key;       /* 0: empty */
    ngx_atomic_t                count;
} ngx_http_rs_tally_place_t;

typedef struct {
    ngx_uint_t                  nsets;
    ngx_http_rs_tally_place_t  *places;
} ngx_http_rs_tallies_t;


/* of the node, until it is told otherwise: survives a reload */

typedef struct {
    ngx_atomic_t                draining;  /* 1: probes look elsewhere */
    ngx_atomic_t                draining_at;   /* ngx_time() then */
    ngx_atomic_t                drain_from;    /* ... of no new work */
} ngx_http_rs_zone_node_t;


/* rmcf: of the worker; without a slot nothing is counted */

#define ngx_http_rs_count(rmcf, stat)  ngx_http_rs_add(rmcf, stat, 1)

#define ngx_http_rs_add(rmcf, stat, n)                                       \
    do {                                                                     \
        if ((rmcf)->slot) {                                                  \
            (rmcf)->slot->counters[stat] += (n);                             \
        }                                                                    \
    } while (0)

/* rc: why a socket closed; an error without a close code closed by 1011 */

#define ngx_http_rs_count_closed(rmcf, rc)                                   \
    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_CLOSED                          \
                            + ((rc) == RS_OK || rs_err_ws_close(rc)          \
                               ? (rc) : RS_E_INTERNAL))

/* n may be negative */

#define ngx_http_rs_gauge(rmcf, g, n)                                        \
    do {                                                                     \
        if ((rmcf)->slot) {                                                  \
            (rmcf)->slot->gauges[g] += (ngx_atomic_uint_t) (n);              \
        }                                                                    \
    } while (0)

#define ngx_http_rs_gauge_set(rmcf, g, n)                                    \
    do {                                                                     \
        if ((rmcf)->slot) {                                                  \
            (rmcf)->slot->gauges[g] = (ngx_atomic_uint_t) (n);               \
        }                                                                    \
    } while (0)


/* what all processes counted, and what the living ones have */

typedef struct {
    ngx_uint_t                  workers;
    uint64_t                    counters[NGX_HTTP_RS_STAT_N];
    int64_t                     gauges[NGX_HTTP_RS_GAUGE_N];
    ngx_msec_t                  lease_age; /* the oldest lease of all */
} ngx_http_rs_sums_t;


/* NULL: an error that was logged */
ngx_shm_zone_t *ngx_http_rs_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);

/* a process takes a slot; NULL: none is free, which was logged */
ngx_http_rs_slot_t *ngx_http_rs_zone_enter(ngx_shm_zone_t *zone,
    ngx_log_t *log);
void ngx_http_rs_zone_leave(ngx_http_rs_slot_t *slot);

ngx_http_rs_zone_node_t *ngx_http_rs_zone_node(ngx_shm_zone_t *zone);
ngx_http_rs_limits_t *ngx_http_rs_zone_limits(ngx_shm_zone_t *zone);
ngx_http_rs_tallies_t *ngx_http_rs_zone_tallies(ngx_shm_zone_t *zone);

/* the number of a slot, and whether the process that has it is there */
ngx_uint_t ngx_http_rs_zone_index(ngx_shm_zone_t *zone,
    ngx_http_rs_slot_t *slot);
ngx_uint_t ngx_http_rs_zone_lives(ngx_shm_zone_t *zone, ngx_uint_t index);

void ngx_http_rs_zone_sum(ngx_shm_zone_t *zone, ngx_http_rs_sums_t *sums);


#endif /* _NGX_HTTP_RS_ZONE_H_INCLUDED_ */
