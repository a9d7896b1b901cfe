
/*
 * Copyright (C) rs-gateway contributors
 *
 * The wire of a Redis link: one non-blocking nginx connection, bytes out of
 * a bounded buffer, bytes in through hiredis' reply reader.  Knows RESP2, but
 * no command, no retry and no deadline.
 *
 * hiredis' own connections (redisAsyncContext) are not used: 0.14 aborts on
 * what it does not expect while subscribed, and frees the context below its
 * caller.  Only its reader is, with bounds of ours.
 */


#ifndef _NGX_RS_REDIS_ADAPTER_H_INCLUDED_
#define _NGX_RS_REDIS_ADAPTER_H_INCLUDED_


#include "ngx_rs_redis.h"

#include <sys/time.h>
#include <hiredis/hiredis.h>


/* since 1.0 hiredis counts elements in size_t */

#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_rs_redis_elements_t;
#else
typedef int     ngx_rs_redis_elements_t;
#endif


/*
 * A reply above these takes the link down, so they are far above what the
 * library gives: the largest is a session's whole log.
 */

#define NGX_RS_REDIS_BULK_MAX      (1024 * 1024)       /* bytes of a string */
#define NGX_RS_REDIS_REPLY_MAX     (32 * 1024 * 1024)  /* bytes of a reply */
#define NGX_RS_REDIS_ELEMENTS_MAX  (1024 * 1024)       /* of one array */
#define NGX_RS_REDIS_DEPTH_MAX     7                   /* arrays in arrays */
#define NGX_RS_REDIS_OUT_MAX       (16 * 1024 * 1024)  /* bytes not sent yet */


/*
 * The last three never run inside open, push or close.  connected, reply and
 * lost may close the wire.  After lost the wire is closed.
 */

typedef struct {
    void                        (*connected)(void *data);
    /* nothing waits to be sent any more; also inside flush */
    void                        (*sent)(void *data);
    /* reply is valid during the call */
    void                        (*reply)(void *data, ngx_rs_reply_t *reply);
    void                        (*lost)(void *data, const char *reason,
                                    ngx_err_t err);
    /* the wire's event is over, nothing of it is touched any more */
    void                        (*leave)(void *data);
} ngx_rs_redis_wire_handlers_t;


typedef struct {
    ngx_connection_t                    *connection;   /* NULL: closed */
    const ngx_rs_redis_wire_handlers_t  *handlers;
    void                                *data;
    ngx_log_t                           *log;

    ngx_ssl_t                           *tls;          /* NULL: plain */
    ngx_str_t                            tls_name;     /* who it must be */

    redisReader                         *reader;
    redisReplyObjectFunctions            functions;
    void                              *(*array)(const redisReadTask *task,
                                             ngx_rs_redis_elements_t elements);
    size_t                               received;     /* of this reply */

    u_char                              *start;        /* to be sent: */
    u_char                              *pos;          /*   from here */
    u_char                              *last;         /*   to here */
    u_char                              *end;

    ngx_uint_t                           busy;         /* events on stack */
    unsigned                             connected:1;
    unsigned                             heard:1;      /* some reply */
} ngx_rs_redis_wire_t;


/*
 * Starts connecting.  handlers, data, log and those of TLS are set by the
 * caller, all else is zero or as close left it.  NGX_ERROR: *reason and *err
 * say why.
 */
ngx_int_t ngx_rs_redis_wire_open(ngx_rs_redis_wire_t *wire, ngx_addr_t *addr,
    const char **reason, ngx_err_t *err);

/* copies; written at the end of the event round.  NGX_BUSY: buffer full */
ngx_int_t ngx_rs_redis_wire_push(ngx_rs_redis_wire_t *wire, ngx_uint_t argc,
    ngx_str_t *argv);

/*
 * Reads what has come, though no event told of it.  Not zero: there is more,
 * which others get a turn before.  The caller holds busy, as in an event.
 */
ngx_uint_t ngx_rs_redis_wire_poll(ngx_rs_redis_wire_t *wire);

/* one attempt to send what waits, with no callback but sent */
void ngx_rs_redis_wire_flush(ngx_rs_redis_wire_t *wire);

void ngx_rs_redis_wire_close(ngx_rs_redis_wire_t *wire);


/* ngx_rs_redis_tls.c */

/* for rs_redis: NGX_CONF_OK and conf->tls is set */
char *ngx_rs_redis_tls_init(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf);
/* on a connected socket; NGX_AGAIN: handler is called at the end of it */
ngx_int_t ngx_rs_redis_tls_start(ngx_rs_redis_wire_t *wire,
    ngx_connection_handler_pt handler);
/* the handshake has ended; NGX_ERROR: reason says why nothing may be sent */
ngx_int_t ngx_rs_redis_tls_verify(ngx_rs_redis_wire_t *wire, u_char *reason,
    size_t size);
/* gives back what TLS has, without waiting for the server */
void ngx_rs_redis_tls_close(ngx_connection_t *c);


#endif /* _NGX_RS_REDIS_ADAPTER_H_INCLUDED_ */
