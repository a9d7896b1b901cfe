
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the files of the upstream know of each other.
 *
 *     turn_upstream.c           sessions: calls, channel, stale
 *     turn_upstream_sync.c      the listing
 *     turn_upstream_link.c      the life of a link
 *     turn_upstream_steps.c     what is said before it is up
 *     turn_upstream_place.c     where its server is
 *     turn_upstream_sentinel.c  what Sentinel says about that
 *     turn_upstream_tls.c       whom to trust
 *     turn_upstream_reply.c     replies, bounded
 */


#ifndef _TURN_UPSTREAM_LINK_H_INCLUDED_
#define _TURN_UPSTREAM_LINK_H_INCLUDED_


#include "turn_upstream.h"
#include "turn_upstream_reply.h"
#include "rs_redis_url.h"

#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <openssl/ssl.h>
#include <sys/queue.h>
#include <sys/socket.h>


#define TURN_LINK_REASON       320
#define TURN_LINK_HOST_MAX     255
#define TURN_LINK_RUN_ID       64
#define TURN_LINK_ARGS         8       /* of a step */
#define TURN_LINK_INFLIGHT     256     /* commands under way */
#define TURN_LINK_OUT_MAX      (1024 * 1024)    /* bytes not sent yet */
#define TURN_CHANNEL           "rs:turn"


typedef struct turn_link_s      turn_link_t;
typedef struct turn_place_s     turn_place_t;
typedef struct turn_sentinel_s  turn_sentinel_t;


/* of the links of one place: Redis, or one of the Sentinels */

typedef struct {
    const char             *text;          /* for logs */
    const char             *user;
    const char             *password;
    const char             *server_name;   /* empty: the host */
    SSL_CTX                *tls;           /* NULL: none */
    uint64_t                db;
    uint64_t                timeout;       /* ms */
    uint64_t                connect_timeout;
    int                     sentinel;      /* to a Sentinel itself */
    int                     soon;          /* short backoff */
} turn_link_conf_t;


/* reply is valid during the call; NULL: lost, late, or of no use */
typedef void (*turn_link_reply_pt)(void *data, turn_reply_t *reply);
typedef void (*turn_link_state_pt)(void *data, int up);
typedef void (*turn_link_message_pt)(void *data, turn_reply_t *reply);


typedef enum {
    TURN_LINK_DOWN = 0,
    TURN_LINK_LOCATING,
    TURN_LINK_CONNECTING,
    TURN_LINK_HANDSHAKE,
    TURN_LINK_UP
} turn_link_state_e;


typedef struct turn_pending_s  turn_pending_t;

struct turn_pending_s {
    TAILQ_ENTRY(turn_pending_s)  next;
    turn_link_reply_pt           handler;
    void                        *data;
    uint64_t                     due;      /* ms */
};


struct turn_link_s {
    TAILQ_ENTRY(turn_link_s)     next;     /* in the place's links */
    turn_place_t                *place;
    const turn_link_conf_t      *conf;
    const char                  *name;     /* what it is for */
    struct event_base           *base;

    turn_link_state_pt           state_handler;
    turn_link_message_pt         message_handler;  /* NULL: for commands */
    void                        *data;

    turn_link_state_e            state;
    size_t                       step;
    unsigned                     waiting:1;        /* for the place */
    unsigned                     late:1;   /* its deadline got a round more */
    unsigned                     told:3;   /* which trouble was an error */

    struct bufferevent          *bev;      /* NULL: closed */
    turn_reader_t               *reader;

    TAILQ_HEAD(, turn_pending_s) pending;
    size_t                       npending;

    struct event                *timer;    /* DOWN: again; until UP: give up;
                                              UP: the oldest pending */
    unsigned                     attempts;
    unsigned                     flaps;    /* up, and lost soon, in a row */
    uint64_t                     up_at;    /* ms */
    unsigned                     generation;       /* of the place */
    uint64_t                     ups;
    uint64_t                     downs;

    char                         host[TURN_LINK_HOST_MAX + 1];
    char                         run_id[TURN_LINK_RUN_ID];
    char                         reason[TURN_LINK_REASON];
};


/* one thing said before a link is up */

typedef struct {
    const char    *name;
    /* how many words, 0: not on this link */
    size_t       (*build)(turn_link_t *link, rs_str_t *argv, char *text,
                     size_t size);
    /* 0: good; -1: link->reason says why it is not */
    int          (*check)(turn_link_t *link, turn_reply_t *reply);
    int            optional;
} turn_link_step_t;

extern const turn_link_step_t  turn_link_steps[];


uint64_t turn_upstream_ms(void);      /* never goes back */
uint64_t turn_upstream_random(uint64_t below);


/*
 * message: it listens, "up" when Redis has confirmed.  NULL: no memory.  state
 * is not called inside.
 */
turn_link_t *turn_link_create(struct event_base *base, turn_place_t *place,
    const turn_link_conf_t *conf, const char *name, turn_link_state_pt state,
    turn_link_message_pt message, void *data);
/*
 * Callbacks owed run with NULL; state is not called.  Not inside a callback
 * of this link.
 */
void turn_link_destroy(turn_link_t *link);
/* as if it had been lost; does nothing on a link that is down */
void turn_link_reset(turn_link_t *link, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* 0: handler runs once, not inside this call; -1: not at all */
int turn_link_command(turn_link_t *link, const rs_str_t *argv, size_t argc,
    turn_link_reply_pt handler, void *data);
/* on a link that listens: a PING with a text that comes back */
int turn_link_ping(turn_link_t *link, rs_str_t text);
void turn_link_reason(turn_link_t *link, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* of the place, for a link that waits for it */
void turn_link_found(turn_link_t *link, const struct sockaddr *sa,
    socklen_t len, const char *host);
void turn_link_not_found(turn_link_t *link);
/* its server is another now */
void turn_link_moved(turn_link_t *link, const char *where);


struct turn_place_s {
    struct event_base           *base;
    const char                  *resolver;
    rs_redis_server_t            server;
    int                          is_unix;
    uint64_t                     timeout;          /* ms, of a question */

    TAILQ_HEAD(, turn_link_s)    links;
    unsigned                     generation;

    char                         host[TURN_LINK_HOST_MAX + 1];
    unsigned                     port;

    struct evdns_base           *dns;
    struct turn_lookup_s        *lookup;           /* under way */

    turn_sentinel_t             *sentinel;         /* NULL: none */
    char                         trouble[TURN_LINK_REASON];
};


void turn_place_init(turn_place_t *place, struct event_base *base,
    const rs_redis_url_t *url, size_t server, const char *resolver,
    uint64_t timeout);
/* its links are gone */
void turn_place_done(turn_place_t *place);
/* link is in LOCATING: it will be told, maybe inside this call */
void turn_place_ask(turn_place_t *place, turn_link_t *link);
const char *turn_place_trouble(turn_place_t *place);
void turn_place_set_trouble(turn_place_t *place, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Sentinel's answer; moved: links that lead elsewhere are dropped */
void turn_place_set(turn_place_t *place, const char *host, unsigned port,
    int moved);
int turn_place_waiting(turn_place_t *place);


/* conf and url outlive it; NULL: no memory */
turn_sentinel_t *turn_sentinel_create(turn_place_t *place,
    const rs_redis_url_t *url, const turn_link_conf_t *conf);
void turn_sentinel_destroy(turn_sentinel_t *st);
void turn_sentinel_ask(turn_sentinel_t *st);
/* of links that are made from now on */
void turn_sentinel_tls(turn_sentinel_t *st, SSL_CTX *tls);


/* NULL: error says why */
SSL_CTX *turn_tls_create(const turn_upstream_conf_t *conf, char *error,
    size_t size);
/* NULL: no memory, or the name is none */
SSL *turn_tls_start(SSL_CTX *ctx, const char *name);
/* why the handshake failed; ssl may be NULL */
void turn_tls_reason(SSL *ssl, const char *name, char *reason, size_t size);


#endif /* _TURN_UPSTREAM_LINK_H_INCLUDED_ */
