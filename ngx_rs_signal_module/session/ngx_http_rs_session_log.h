
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the files of the session layer share: ngx_http_rs_session.c (join,
 * what a client says), ngx_http_rs_session_leave.c, ngx_http_rs_session_log.c
 * (what the session's log says), ngx_http_rs_session_pipe.c,
 * ngx_http_rs_session_welcome.c and, for the last functions here,
 * ngx_http_rs_device.c.  Nobody else includes this.
 */


#ifndef _NGX_HTTP_RS_SESSION_LOG_H_INCLUDED_
#define _NGX_HTTP_RS_SESSION_LOG_H_INCLUDED_


#include "ngx_http_rs.h"


typedef struct ngx_http_rs_append_s  ngx_http_rs_append_t;
typedef struct ngx_http_rs_part_s    ngx_http_rs_part_t;
typedef struct ngx_http_rs_room_s    ngx_http_rs_room_t;


#include "session/ngx_http_rs_route.h"
#include "rs_msg.h"


/* the sockets of one session on this worker */

struct ngx_http_rs_room_s {
    ngx_str_node_t              sn;            /* tenant "." session id */
    ngx_queue_t                 parts;
    ngx_http_rs_route_t        *route;         /* NULL: not needed yet */
};


struct ngx_http_rs_sessions_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;

    ngx_rbtree_t                tree;          /* of rooms */
    ngx_rbtree_node_t           sentinel;

    ngx_queue_t                 all;           /* parts */
    ngx_uint_t                  nleaving;      /* parts without a socket */
    ngx_queue_t                 routes;

    u_char                     *scratch;       /* a message being built */
    size_t                      size;
};


/*
 * One participant's socket, from the upgrade until the store knows that it
 * has left.  refs counts the socket and each operation of the store under
 * way; whoever drops the last one frees it.
 */

struct ngx_http_rs_part_s {
    ngx_pool_t                 *pool;
    ngx_log_t                  *log;           /* of the cycle */
    ngx_http_rs_sessions_t     *sessions;
    ngx_http_rs_conn_t         *rc;            /* NULL: the socket is gone */
    ngx_uint_t                  refs;

    ngx_queue_t                 all;           /* in sessions->all */
    ngx_http_rs_room_t         *room;
    ngx_queue_t                 queue;         /* in room->parts */

    ngx_http_rs_member_t        m;
    ngx_http_rs_ice_t           ice;
    rs_bucket_t                 messages;
    rs_bucket_t                 bytes;
    ngx_http_rs_input_t         input;
    time_t                      expires;

    rs_pos_t                    cursor;        /* last entry handled */
    rs_pos_t                    seen;          /* last one heard of */
    uint64_t                    epoch;         /* `resync` was sent for */

    ngx_uint_t                  appends;       /* under way */
    ngx_http_rs_append_t       *free;          /* and those that were */
    uint64_t                    failed;        /* id to be sent again first */
    uint64_t                    top;           /* greatest id it has sent */

    ngx_msec_t                  gone_at;       /* when the socket was lost */

    ngx_event_t                 expire;        /* the session's end */
    ngx_event_t                 timer;         /* next fill, next leave */

    char                        hash[RS_ID_HASH_LEN];   /* of what it has */
    char                        bound[RS_ID_HASH_LEN];  /* rs_cred_t */
    char                        secret[RS_ID_SECRET_LEN];   /* to resume */

    unsigned                    resume:1;
    unsigned                    joined:1;      /* the store knows it */
    unsigned                    live:1;        /* welcome was sent */
    unsigned                    filling:1;     /* the log is being read */
    unsigned                    sync:1;        /* by rs_sync, the next time */
    unsigned                    syncing:1;     /* it is */
    unsigned                    behind:1;      /* it has to be read again */
    unsigned                    full:1;        /* when the socket has room */
    unsigned                    resync:1;      /* `resync` has to be sent */
    unsigned                    renewed:1;     /* or was not acted on yet */
    unsigned                    ending:1;      /* the store says it ended */
    unsigned                    ended:1;       /* the client was told so */
    unsigned                    bye:1;
    unsigned                    over:1;        /* nobody waits for it */
    unsigned                    leaving:1;     /* the store is being told */
    unsigned                    away:1;        /* that it is away */
    unsigned                    unsure:1;      /* an answer was lost */
    unsigned                    left:1;        /* nothing is owed any more */
    unsigned                    counted:1;     /* in nleaving */
    unsigned                    recorder:1;    /* of this session */
};


/* ngx_http_rs_session.c */

/* an answer of the store that ends p's socket */
void ngx_http_rs_session_failed(ngx_http_rs_part_t *p, rs_err_e code);
/* p adds so many bytes to the log; NGX_BUSY: above rs_log_rate, it is closed */
ngx_int_t ngx_http_rs_session_logged(ngx_http_rs_part_t *p, size_t len);


/* ngx_http_rs_control.c */

void ngx_http_rs_control_message(ngx_http_rs_part_t *p, rs_msg_t *msg);


/* ngx_http_rs_session_pipe.c */

void ngx_http_rs_session_pipe(ngx_http_rs_part_t *p, rs_msg_t *msg);


/* ngx_http_rs_session_log.c */

/* NULL: no socket of that session is here */
ngx_http_rs_room_t *ngx_http_rs_session_room(
    ngx_http_rs_sessions_t *sessions, rs_str_t tenant, rs_str_t session_id);
/* p's socket has no room for what may be left out or read again later */
ngx_uint_t ngx_http_rs_session_full(ngx_http_rs_part_t *p, size_t len);
/* from now on p hears of its session; NGX_ERROR: no memory */
ngx_int_t ngx_http_rs_session_enter(ngx_http_rs_part_t *p);
void ngx_http_rs_session_exit(ngx_http_rs_part_t *p);
/* entries of a reply of the store, those p has not seen yet */
void ngx_http_rs_session_replay(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *entries);
/* reads the log from p's cursor unless it is being read */
void ngx_http_rs_session_fill(ngx_http_rs_part_t *p);
/* the same, soon: the store is away */
void ngx_http_rs_session_fill_later(ngx_http_rs_part_t *p);
/* of a participant's socket: the store has it away, and it is here */
void ngx_http_rs_session_back(ngx_http_rs_conn_t *rc);
/* the log's epoch by a reply of the store: a new one asks for `resync` */
void ngx_http_rs_session_epoch(ngx_http_rs_part_t *p, int64_t epoch);
/* tells p that its session is over and closes it */
void ngx_http_rs_session_ended(ngx_http_rs_part_t *p, const char *reason);


/* ngx_http_rs_session_leave.c */

/* the socket is gone */
void ngx_http_rs_session_closed(ngx_http_rs_conn_t *rc, rs_err_e code);
/* the store is told that p leaves, until it knows */
void ngx_http_rs_session_leave(ngx_http_rs_part_t *p);
/* of p->timer and p->expire */
void ngx_http_rs_session_timer(ngx_event_t *ev);
void ngx_http_rs_session_expired(ngx_event_t *ev);
void ngx_http_rs_session_unref(ngx_http_rs_part_t *p);


/* ngx_http_rs_input.c */

void ngx_http_rs_input_init(ngx_http_rs_part_t *p,
    ngx_http_rs_loc_conf_t *rlcf);
/* by the reply of rs_join or rs_resume; NGX_ERROR: no memory */
ngx_int_t ngx_http_rs_input_role(ngx_http_rs_part_t *p, ngx_str_t *role,
    ngx_str_t *host);
void ngx_http_rs_input_message(ngx_http_rs_part_t *p, rs_msg_t *msg);
/* an event of the session's log: it may say how the session is now */
void ngx_http_rs_input_event(ngx_http_rs_part_t *p, rs_str_t body);
/* to a live socket; dropped when that is slow */
void ngx_http_rs_input_deliver(ngx_http_rs_part_t *p, rs_str_t from,
    rs_str_t data);


/* ngx_http_rs_session_welcome.c */

/* sends `welcome` by the reply of rs_join or rs_resume */
ngx_int_t ngx_http_rs_session_welcome(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *reply);
/* fresh servers and credentials; NULL: no memory */
json_t *ngx_http_rs_session_ice(ngx_http_rs_part_t *p);

/* a fresh secret (RS_ID_SECRET_LEN) and its hash (RS_ID_HASH_LEN) */
ngx_int_t ngx_http_rs_session_secret(char *secret, char *hash,
    ngx_log_t *log);
/* a JSON string, null when s is empty; NULL: no memory */
json_t *ngx_http_rs_session_text(ngx_str_t *s);
/* copies s into pool */
ngx_int_t ngx_http_rs_session_copy(ngx_pool_t *pool, ngx_str_t *dst,
    rs_str_t s);


#endif /* _NGX_HTTP_RS_SESSION_LOG_H_INCLUDED_ */
