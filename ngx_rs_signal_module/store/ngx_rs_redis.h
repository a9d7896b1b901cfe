
/*
 * Copyright (C) rs-gateway contributors
 *
 * One link to one Redis: where the server is (an address, a name, or what
 * Sentinel says), connect, AUTH, SELECT, checks, backoff, deadlines,
 * in-flight cap.  ngx_rs_redis*.c are the only users of hiredis.  Knows no
 * key and no function.
 */


#ifndef _NGX_RS_REDIS_H_INCLUDED_
#define _NGX_RS_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_rs_redis_s        ngx_rs_redis_t;
typedef struct ngx_rs_redis_place_s  ngx_rs_redis_place_t;
typedef struct redisReply            ngx_rs_reply_t;  /* by accessors only */


typedef struct {
    ngx_str_t                    text;             /* host:port, for logs */
    ngx_str_t                    host;
    in_port_t                    port;
    ngx_addr_t                  *addrs;            /* NULL: ask resolver */
    ngx_uint_t                   naddrs;
} ngx_rs_redis_server_t;


/*
 * Set by the directive "rs_redis" and its neighbours.  Links of one, and of
 * copies of it made while it has links, share what is known of the server.
 */

typedef struct {
    ngx_str_t                    text;             /* as configured */
    ngx_array_t                  servers;          /* Redis, or Sentinels */
    ngx_str_t                    master;           /* Sentinel's name of it */
    ngx_uint_t                   db;
    ngx_str_t                    user;
    ngx_str_t                    password;         /* never logged */
    ngx_str_t                    sentinel_user;
    ngx_str_t                    sentinel_password;
    ngx_ssl_t                   *tls;              /* NULL: none */
    ngx_str_t                    ca_file;
    ngx_str_t                    server_name;      /* empty: the host */
    ngx_str_t                    certificate;
    ngx_str_t                    certificate_key;
    ngx_msec_t                   timeout;
    ngx_msec_t                   connect_timeout;
    ngx_msec_t                   slow;             /* average latency */
    ngx_uint_t                   inflight;
    ngx_flag_t                   noeviction;
    ngx_resolver_t              *resolver;         /* NULL: none */
    ngx_uint_t                   sentinel;         /* to a Sentinel itself */

    /* rs_redis_wait; unless set: wait_default replicas, 0: off */
    ngx_uint_t                   wait_default;
    ngx_uint_t                   wait_replicas;
    ngx_msec_t                   wait_timeout;

    const char                  *name;             /* NULL: "commands" */

    ngx_rs_redis_place_t        *place;            /* of this process */
} ngx_rs_redis_conf_t;


/*
 * reply is valid during the call; NULL: the link was lost, the deadline
 * passed, or Redis gave something that cannot be used.
 */
typedef void (*ngx_rs_redis_reply_pt)(void *data, ngx_rs_reply_t *reply);

/* up = 1: authenticated, checked, usable; up = 0: lost (once per up) */
typedef void (*ngx_rs_redis_state_pt)(void *data, ngx_uint_t up);

/* send something now, with ngx_rs_redis_urgent */
typedef void (*ngx_rs_redis_probe_pt)(void *data);

/* a message of a subscribed channel */
typedef void (*ngx_rs_redis_message_pt)(void *data, ngx_str_t *channel,
    ngx_str_t *payload);


/* the directive "rs_redis"; conf: ngx_rs_redis_conf_t at cmd->offset */
char *ngx_rs_redis_conf_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Once the http block was read.  Without a resolver host names are looked up
 * here (may block, at configuration time only) and never again.
 */
char *ngx_rs_redis_conf_init(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf,
    ngx_resolver_t *resolver);

/* one line of a small file; blanks around it are not part of the secret */
char *ngx_rs_redis_conf_secret(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *secret);


/*
 * A link for commands.  Starts connecting at once, reconnects for ever with
 * exponential jittered backoff (50 ms to 2 s; with Sentinel, to 400 ms).
 * Before "up" it has read INFO: role, replid, eviction policy.  conf and log
 * must outlive the link.  state is never called inside this call.  NULL: no
 * memory.
 */
ngx_rs_redis_t *ngx_rs_redis_create(ngx_rs_redis_conf_t *conf,
    ngx_log_t *log, ngx_rs_redis_state_pt state, void *data);

/*
 * Closes; what was queued is written if the socket takes it at once.  Every
 * callback still owed runs with NULL before it returns; state is not called.
 * Allowed in any callback of the link.
 */
void ngx_rs_redis_destroy(ngx_rs_redis_t *rd);

/*
 * Drops a link that is up, as if it had been lost: callbacks owed run with
 * NULL, then it connects anew.  reason: a phrase for the log.  Does nothing
 * on a link that is down.  Allowed in any callback of the link.
 */
void ngx_rs_redis_reset(ngx_rs_redis_t *rd, const char *reason);

/*
 * Reads what has come on a link that is up, though no event told of it yet:
 * for deadlines.  Not zero: there is more.  Not in a callback of the link.
 */
ngx_uint_t ngx_rs_redis_poll(ngx_rs_redis_t *rd);

ngx_uint_t ngx_rs_redis_up(ngx_rs_redis_t *rd);

/* the server's master_replid as read at connect, 40 hex digits */
ngx_str_t *ngx_rs_redis_replid(ngx_rs_redis_t *rd);

ngx_uint_t ngx_rs_redis_pending(ngx_rs_redis_t *rd);

/*
 * argv is copied.  NGX_OK: handler will run exactly once, never inside this
 * call, at latest conf->timeout later.  NGX_BUSY: link down or slow, or
 * in-flight cap reached, handler will not run.
 */
ngx_int_t ngx_rs_redis_command(ngx_rs_redis_t *rd, ngx_uint_t argc,
    ngx_str_t *argv, ngx_rs_redis_reply_pt handler, void *data);
/* the same, taken from a slow link too */
ngx_int_t ngx_rs_redis_urgent(ngx_rs_redis_t *rd, ngx_uint_t argc,
    ngx_str_t *argv, ngx_rs_redis_reply_pt handler, void *data);

/*
 * The link refuses commands while its answers take longer than conf->slow on
 * average: slow is told 1, then 0 when it takes them again or is lost.  Each
 * half second meanwhile probe is called: it sends something urgent that a
 * paused server would not answer.  Both get the link's data.
 */
void ngx_rs_redis_breaker(ngx_rs_redis_t *rd, ngx_rs_redis_probe_pt probe,
    ngx_rs_redis_state_pt slow);
/* up, but slow */
ngx_uint_t ngx_rs_redis_refusing(ngx_rs_redis_t *rd);

/*
 * A link that listens to a channel of its own, which is copied, and to nall
 * (1 or 2) for all, which are not: subscribed anew after every connect, "up"
 * is told when Redis has confirmed.  It takes no commands.
 */
ngx_rs_redis_t *ngx_rs_redis_subscribe(ngx_rs_redis_conf_t *conf,
    ngx_log_t *log, ngx_str_t *channel, ngx_str_t *all, ngx_uint_t nall,
    ngx_rs_redis_state_pt state, ngx_rs_redis_message_pt message,
    void *data);


/*
 * Accessors: out of range or of another type gives 0, "", NULL.  An integer
 * may also have come as text.
 */

ngx_uint_t ngx_rs_reply_count(ngx_rs_reply_t *reply);
ngx_rs_reply_t *ngx_rs_reply_at(ngx_rs_reply_t *reply, ngx_uint_t i);
ngx_str_t ngx_rs_reply_str(ngx_rs_reply_t *reply, ngx_uint_t i);
int64_t ngx_rs_reply_int(ngx_rs_reply_t *reply, ngx_uint_t i);
/* when the whole reply is an integer that is not negative; else -1 */
int64_t ngx_rs_reply_number(ngx_rs_reply_t *reply);
/* 1 and the text when the whole reply is a Redis error */
ngx_uint_t ngx_rs_reply_error(ngx_rs_reply_t *reply, ngx_str_t *text);
/* value of a field in a flat {field, value, ...} array; "" if absent */
ngx_str_t ngx_rs_reply_field(ngx_rs_reply_t *obj, const char *field);
/* a reply that stays, in one piece for ngx_free(); NULL: no memory */
ngx_rs_reply_t *ngx_rs_reply_copy(ngx_rs_reply_t *reply, ngx_log_t *log);
/* a reply of INFO: the rest (at most 64 bytes) of the line that begins so */
ngx_str_t ngx_rs_reply_info(ngx_rs_reply_t *reply, const char *begins);


#endif /* _NGX_RS_REDIS_H_INCLUDED_ */
