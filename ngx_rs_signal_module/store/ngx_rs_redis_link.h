
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the files of a link know of each other; private to ngx_rs_redis*.c.
 *
 *     ngx_rs_redis.c           the life of a link
 *     ngx_rs_redis_breaker.c   whether its server is too slow
 *     ngx_rs_redis_steps.c     what is said before it is up
 *     ngx_rs_redis_place.c     where its server is
 *     ngx_rs_redis_sentinel.c  what Sentinel says about that
 *     ngx_rs_redis_adapter.c   bytes
 *     ngx_rs_redis_tls.c       which nobody else can read
 */


#ifndef _NGX_RS_REDIS_LINK_H_INCLUDED_
#define _NGX_RS_REDIS_LINK_H_INCLUDED_


#include "ngx_rs_redis_adapter.h"
#include "rs_str.h"


#define NGX_RS_REDIS_REASON       256
#define NGX_RS_REDIS_ERROR_LEN    128      /* of Redis' own words in a log */
#define NGX_RS_REDIS_REPLID_LEN   40
#define NGX_RS_REDIS_ARGS         4        /* of a step of the handshake */
#define NGX_RS_REDIS_STEP_TEXT    64       /* bytes a step may write */
#define NGX_RS_REDIS_HOST_MAX     255


typedef struct ngx_rs_redis_sentinel_s  ngx_rs_redis_sentinel_t;


typedef enum {
    NGX_RS_REDIS_DOWN = 0,
    NGX_RS_REDIS_LOCATING,
    NGX_RS_REDIS_CONNECTING,
    NGX_RS_REDIS_HANDSHAKE,
    NGX_RS_REDIS_UP
} ngx_rs_redis_state_e;


/* what is wrong, for saying each kind once while the link is down */

typedef enum {
    NGX_RS_REDIS_E_LINK = 0x1,
    NGX_RS_REDIS_E_STEP = 0x2
} ngx_rs_redis_error_e;


struct ngx_rs_redis_s {
    ngx_rs_redis_wire_t          wire;
    ngx_rs_redis_conf_t         *conf;
    ngx_log_t                   *log;
    const char                  *name;

    ngx_rs_redis_state_pt        state_handler;
    ngx_rs_redis_message_pt      message_handler;
    ngx_rs_redis_probe_pt        probe;        /* NULL: no breaker */
    ngx_rs_redis_state_pt        slow_handler;
    void                        *data;

    ngx_rs_redis_state_e         state;
    ngx_uint_t                   step;         /* in HANDSHAKE */

    ngx_queue_t                  queue;        /* in the place's links */
    ngx_queue_t                  waiting;      /* in LOCATING: in the place */
    ngx_uint_t                   generation;   /* of the place it leads to */

    ngx_queue_t                  pending;      /* oldest first */
    ngx_queue_t                  free;
    ngx_uint_t                   npending;

    ngx_event_t                  deadline;     /* of the oldest pending */
    ngx_event_t                  retry;        /* in DOWN: connect again */
    ngx_event_t                  connect;      /* until UP: give up */
    ngx_event_t                  pause;        /* while open: probe */

    ngx_uint_t                   attempts;     /* since it was stably up */
    ngx_msec_t                   up_at;
    ngx_uint_t                   told;         /* ngx_rs_redis_error_e */

    uint64_t                     latency;      /* us, moving average */

    ngx_str_t                    channel;      /* empty: for commands */
    ngx_str_t                   *channel_all;  /* not copied */
    ngx_uint_t                   nchannel_all;
    ngx_str_t                    replid;
    u_char                       replid_text[NGX_RS_REDIS_REPLID_LEN];
    u_char                       reason[NGX_RS_REDIS_REASON];

    uint64_t                     cpu;          /* us, as of cpu_at */
    uint64_t                     cpu_at;       /* us */

    unsigned                     open:1;       /* the breaker: refuses */
    unsigned                     late:1;       /* reads what we left lying */
    unsigned                     destroyed:1;
};


/*
 * One step of the handshake.  build fills argv and returns how many, 0 to
 * leave the step out.  check looks at a reply that is no error; NGX_ERROR:
 * rd->reason says why the link cannot be used.
 */

typedef struct {
    const char                  *name;
    ngx_uint_t                 (*build)(ngx_rs_redis_t *rd, ngx_str_t *argv,
                                    u_char *text);
    ngx_int_t                  (*check)(ngx_rs_redis_t *rd,
                                    ngx_rs_reply_t *reply);
    ngx_uint_t                   optional;     /* an error does not matter */
} ngx_rs_redis_step_t;

/* ends with an empty name */
extern const ngx_rs_redis_step_t  ngx_rs_redis_steps[];


void ngx_rs_redis_reason(ngx_rs_redis_t *rd, const char *fmt, ...);

/* a link in LOCATING is told where to connect */
void ngx_rs_redis_found(ngx_rs_redis_t *rd, struct sockaddr *sockaddr,
    socklen_t socklen);
/* or that it cannot be told; rd->reason is set */
void ngx_rs_redis_not_found(ngx_rs_redis_t *rd);
/* its server is another now: drops what leads or is about to lead there */
void ngx_rs_redis_moved(ngx_rs_redis_t *rd, const char *reason);


/* a reply has come, after so many us */
void ngx_rs_redis_breaker_reply(ngx_rs_redis_t *rd, uint64_t latency,
    uint64_t cpu, ngx_uint_t urgent);
void ngx_rs_redis_breaker_reset(ngx_rs_redis_t *rd);
uint64_t ngx_rs_redis_now(void);
/* us this thread has worked, not older than this ms */
uint64_t ngx_rs_redis_breaker_cpu(ngx_rs_redis_t *rd);


/*
 * Where the server of a configuration is: one for all its links in this
 * process, made with the first and freed with the last.
 */

struct ngx_rs_redis_place_s {
    ngx_rs_redis_conf_t         *conf;
    ngx_log_t                   *log;

    ngx_queue_t                  links;        /* all */
    ngx_queue_t                  waiting;      /* those in LOCATING */
    ngx_uint_t                   generation;   /* grows when it moves */

    ngx_str_t                    host;         /* into host_text */
    in_port_t                    port;
    u_char                       host_text[NGX_RS_REDIS_HOST_MAX + 1];

    ngx_resolver_ctx_t          *resolving;
    ngx_str_t                    asked;        /* the name, into asked_text */
    u_char                       asked_text[NGX_RS_REDIS_HOST_MAX];

    ngx_rs_redis_sentinel_t     *sentinel;     /* NULL: not by Sentinel */

    u_char                       trouble[NGX_RS_REDIS_REASON];
    ngx_uint_t                   refs;
};


ngx_int_t ngx_rs_redis_place_ref(ngx_rs_redis_conf_t *conf, ngx_log_t *log);
void ngx_rs_redis_place_unref(ngx_rs_redis_place_t *place);

/*
 * rd is in LOCATING: it will be told found or not_found, maybe inside this
 * call, unless it forgets the question first.
 */
void ngx_rs_redis_place_ask(ngx_rs_redis_t *rd);
void ngx_rs_redis_place_forget(ngx_rs_redis_t *rd);

/* what was wrong with the last answer, for who waited in vain */
const char *ngx_rs_redis_place_trouble(ngx_rs_redis_place_t *place);
void ngx_rs_redis_place_set_trouble(ngx_rs_redis_place_t *place,
    const char *fmt, ...);

/*
 * Sentinel's answer.  moved: links that lead elsewhere are dropped.  host is
 * copied, an address or a name.
 */
void ngx_rs_redis_place_set(ngx_rs_redis_place_t *place, ngx_str_t *host,
    in_port_t port, ngx_uint_t moved);


ngx_rs_redis_sentinel_t *ngx_rs_redis_sentinel_create(
    ngx_rs_redis_place_t *place);
void ngx_rs_redis_sentinel_destroy(ngx_rs_redis_sentinel_t *st);
/* asks all that can be asked; ngx_rs_redis_place_set follows, if one knows */
void ngx_rs_redis_sentinel_ask(ngx_rs_redis_sentinel_t *st);


#endif /* _NGX_RS_REDIS_LINK_H_INCLUDED_ */
