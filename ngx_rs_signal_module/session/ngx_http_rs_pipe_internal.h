
/*
 * Copyright (C) rs-gateway contributors
 *
 * What ngx_http_rs_pipe.c (legs come and go), ngx_http_rs_pipe_guard.c (may
 * the client still?) and ngx_http_rs_pipe_count.c (how many are there?)
 * share.  Nobody else includes this.
 */


#ifndef _NGX_HTTP_RS_PIPE_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_RS_PIPE_INTERNAL_H_INCLUDED_


#include "ngx_http_rs.h"


/* one side, if its socket is of this worker */

typedef struct {
    ngx_str_t                   address;   /* empty: it is not */
    ngx_str_t                   addr;      /* of the client, as text */
    ngx_str_t                   peer;      /* the same, as rs_ip_key() */
    ngx_str_t                   rid;
} ngx_http_rs_pipe_seat_t;


/*
 * The part of a pipe that is at this worker: one leg, or both.  refs counts
 * the relay until it is gone, and each operation of the store under way;
 * whoever drops the last one frees it.
 */

typedef struct {
    ngx_queue_t                 queue;
    ngx_pool_t                 *pool;
    ngx_http_rs_pipes_t        *pipes;
    ngx_http_rs_relay_t         relay;
    ngx_uint_t                  refs;

    rs_ws_side_e                side;      /* of the leg it was made for */
    ngx_http_rs_pipe_seat_t     seats[NGX_HTTP_RS_LEGS];

    ngx_str_t                   tenant;
    ngx_str_t                   id;
    ngx_str_t                   object;    /* its tunnel or session */
    ngx_str_t                   device_id;
    time_t                      idle;      /* s; 0: rs_pipe_idle */

    char                        hash[RS_ID_HASH_LEN];    /* of the ticket */
    char                        bound[RS_ID_HASH_LEN];
    char                        nonce[RS_ID_SECRET_LEN]; /* of a link to us */

    ngx_event_t                 wait;      /* for the other leg */

    ngx_http_rs_tally_place_t  *place;     /* NULL: no number of them is set */

    /* of the guard */

    ngx_http_rs_store_watcher_t who;       /* the client, as the store had
                                              him */
    time_t                      ends_at;   /* 0: never */
    ngx_event_t                 ends;
    ngx_event_t                 check;     /* each five minutes */

    unsigned                    session:1; /* it is of a session */
    unsigned                    stranger:1;    /* showed the ticket himself */
    unsigned                    attached:1;    /* the ticket was taken */
    unsigned                    joined:1;  /* the other leg, or a link, came */
    unsigned                    moved:1;   /* its leg went to another one */
    unsigned                    counted:1; /* one of those of this node */
    unsigned                    guarded:1; /* the client's leg is here */
    unsigned                    allowed:1; /* he may, when asked last */
    unsigned                    asked:1;   /* a check is under way */
    unsigned                    again:1;   /* and another one is wanted */
} ngx_http_rs_pipe_t;


struct ngx_http_rs_pipes_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_queue_t                 all;
    ngx_queue_t                 coming;    /* at ports, not answered yet */
    ngx_uint_t                  ncoming;
};


#define ngx_http_rs_pipe_seat(p, s)                                          \
    (&(p)->seats[(s) == RS_WS_SIDE_HOST])


/* ngx_http_rs_pipe.c */

/* bytes may go on, if nothing is wanting */
void ngx_http_rs_pipe_open(ngx_http_rs_pipe_t *p);
void ngx_http_rs_pipe_unref(ngx_http_rs_pipe_t *p);


/* ngx_http_rs_port.c: the process ends */

void ngx_http_rs_ports_cleanup(ngx_http_rs_pipes_t *pipes);


/* ngx_http_rs_pipe_guard.c */

void ngx_http_rs_pipe_guard_init(ngx_http_rs_pipe_t *p);
/* who and ends_at are known: asks for the first time */
void ngx_http_rs_pipe_guard(ngx_http_rs_pipe_t *p);
void ngx_http_rs_pipe_guard_stop(ngx_http_rs_pipe_t *p);


/* ngx_http_rs_pipe_count.c */

/* one more at this node; NGX_BUSY: there is no room, it is being cut */
ngx_int_t ngx_http_rs_pipe_enter(ngx_http_rs_pipe_t *p);
/* idempotent */
void ngx_http_rs_pipe_leave(ngx_http_rs_pipe_t *p);


#endif /* _NGX_HTTP_RS_PIPE_INTERNAL_H_INCLUDED_ */
