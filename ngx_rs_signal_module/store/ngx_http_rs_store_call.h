
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the files of the store share; private to ngx_http_rs_store*.c.
 *
 * A call of a library function while it is put together lives on the stack of
 * the verb: nothing is taken from a pool, and the link copies it into its
 * output buffer.
 *
 *     ngx_http_rs_store_guarded(&call, op, "rs_device_get", caller);
 *     ngx_http_rs_store_key(&call, &tenant, "dev", &id);
 *     ngx_http_rs_store_arg(&call, &version);
 *     return ngx_http_rs_store_send(&call);
 *
 * All keys come before the first argument.
 */


#ifndef _NGX_HTTP_RS_STORE_CALL_H_INCLUDED_
#define _NGX_HTTP_RS_STORE_CALL_H_INCLUDED_


/*
 * rs_session_create with 64 participants: 3 words, 24 + 64 keys and
 * 24 + 5 x 64 arguments; a key is at most 112 bytes long
 */

#define NGX_HTTP_RS_STORE_WORDS  440
#define NGX_HTTP_RS_STORE_TEXT   12288

/* a caller: two lists of verbs, a user's name and his IdP groups */

#define NGX_HTTP_RS_STORE_CALLER  16384


typedef struct ngx_http_rs_durable_s  ngx_http_rs_durable_t;
typedef struct ngx_http_rs_tenants_s  ngx_http_rs_tenants_t;


struct ngx_http_rs_store_s {
    ngx_rs_redis_t                 *redis;
    ngx_http_rs_main_conf_t        *rmcf;
    ngx_http_rs_durable_t          *durable;     /* NULL: nothing is waited
                                                    for */
    ngx_http_rs_tenants_t          *tenants;     /* told; NULL: none yet */
    ngx_log_t                      *log;
    ngx_str_t                      *worker;      /* this one's name */

    ngx_rs_redis_state_pt           state;
    void                           *data;

    ngx_event_t                     check;       /* ask for the version */
    time_t                          logged;      /* last error at ERR */

    ngx_uint_t                      publish_max; /* commands under way */
    ngx_uint_t                      nrest;       /* calls of REST under way */
    ngx_uint_t                      rest_max;

    time_t                          denied_at;   /* lines of strangers in */
    ngx_uint_t                      ndenied;     /* this second */

    unsigned                        ready:1;
    unsigned                        told:1;      /* what ails the library */
    unsigned                        closing:1;
};


struct ngx_http_rs_store_op_s {
    ngx_http_rs_store_t            *store;
    ngx_http_rs_store_handler_pt    handler;     /* NULL: detached */
    void                           *data;

    ngx_msec_t                      sent;

    ngx_str_t                       tenant;      /* for unlinking, or empty */
    ngx_str_t                       session_id;

    /* ngx_http_rs_store_durable.c */

    ngx_queue_t                     queue;       /* to be sent, or sent */
    ngx_msec_t                      since;
    ngx_uint_t                      argc;
    ngx_str_t                      *argv;        /* until it is sent */
    ngx_rs_reply_t                 *reply;       /* until it is confirmed,
                                                    or the tenant is told */
    rs_err_e                        rc;

    /* ngx_http_rs_store_turn.c; listed is 0: makes no session */

    size_t                          listed;      /* length of the name */
    u_char                          listed_name[RS_TENANT_MAX];
    time_t                          listed_ttl;

    unsigned                        rest:1;
    unsigned                        counted:1;   /* in nrest */
    unsigned                        gone:1;      /* a deletion: not_found is
                                                    confirmed like ok */
};


typedef struct {
    ngx_http_rs_store_op_t     *op;
    ngx_uint_t                  nkeys;
    ngx_uint_t                  nwords;
    ngx_uint_t                  overflow;      /* did not fit */
    ngx_uint_t                  durable;
    ngx_uint_t                  urgent;        /* also while Redis is slow:
                                                  leases must not run out */
    u_char                     *last;          /* free part of text */
    ngx_str_t                   words[NGX_HTTP_RS_STORE_WORDS];
    u_char                      text[NGX_HTTP_RS_STORE_TEXT];

    /* of a guarded function: its first argument */

    ngx_http_rs_caller_t       *caller;        /* until it is written */
    u_char                      caller_text[NGX_HTTP_RS_STORE_CALLER];
} ngx_http_rs_store_call_t;


/* ro: the function is marked so in docs/design/redis.md */
void ngx_http_rs_store_begin(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_op_t *op, const char *function, ngx_uint_t ro);
/*
 * The same for a guarded function: its first three keys are there then, and
 * its first argument comes by itself before the first one of the verb, or at
 * send.
 */
void ngx_http_rs_store_guarded(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_op_t *op, const char *function,
    ngx_http_rs_caller_t *caller);
/*
 * After begin: with "rs_redis_wait" a replica has to confirm what the
 * function did.  gone: not_found is as good as ok, and confirmed like it.
 */
void ngx_http_rs_store_durable(ngx_http_rs_store_call_t *call,
    ngx_uint_t gone);

/* rs:{tenant}:kind:id */
void ngx_http_rs_store_key(ngx_http_rs_store_call_t *call, ngx_str_t *tenant,
    const char *kind, ngx_str_t *id);
/* rs:{tenant}:kind */
void ngx_http_rs_store_index(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, const char *kind);
/* rs:{tenant}:own: and this worker's name */
void ngx_http_rs_store_own_key(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant);

/* of an Idempotency-Key, 64 hex; empty: a name that is never written */
void ngx_http_rs_store_idem_key(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_str_t *idem);

/* arg: only pointed to, until send */
void ngx_http_rs_store_arg(ngx_http_rs_store_call_t *call, ngx_str_t *arg);
void ngx_http_rs_store_arg_text(ngx_http_rs_store_call_t *call,
    const char *text);
void ngx_http_rs_store_arg_number(ngx_http_rs_store_call_t *call, uint64_t n);
void ngx_http_rs_store_arg_desktop(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_desktop_t *desktop);
/* the replication id of the server that this call goes to */
void ngx_http_rs_store_arg_replid(ngx_http_rs_store_call_t *call);

/* "ended" in the reply unlinks session from the device it names */
ngx_int_t ngx_http_rs_store_unlinks(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id);

/* NGX_OK or NGX_BUSY, as every verb */
ngx_int_t ngx_http_rs_store_send(ngx_http_rs_store_call_t *call);

/* of the command link: data is the op */
void ngx_http_rs_store_reply(void *data, ngx_rs_reply_t *reply);

/* frees an op whose call was never sent; returns NGX_BUSY */
ngx_int_t ngx_http_rs_store_refuse(ngx_http_rs_store_op_t *op);


/* what a reply says, Redis' own errors included; flags: what to do then */

#define NGX_HTTP_RS_STORE_RESET      0x1
#define NGX_HTTP_RS_STORE_NO_LIBRARY 0x2

rs_err_e ngx_http_rs_store_status(ngx_http_rs_store_t *store,
    ngx_rs_reply_t *reply, ngx_uint_t *flags);
/* runs the handler, frees op */
void ngx_http_rs_store_tell(ngx_http_rs_store_op_t *op, rs_err_e rc,
    ngx_rs_reply_t *reply);
/* what an error of the link's server asks for besides */
void ngx_http_rs_store_act(ngx_http_rs_store_t *store, ngx_rs_redis_t *redis,
    ngx_uint_t flags);


/*
 * ngx_http_rs_store_turn.c: the call makes a session that lives for ttl (s) at
 * most; when it is answered well, the tenant is in the table of tenants before
 * the handler runs.
 */
void ngx_http_rs_store_lists(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    time_t ttl);
/* 1: the tenant is to be told first, then the handler runs */
ngx_uint_t ngx_http_rs_store_list_first(ngx_http_rs_store_op_t *op,
    ngx_rs_reply_t *reply);
/* the store cannot be used; and it can again: tenants are told once more */
void ngx_http_rs_store_tenants_lost(ngx_http_rs_store_t *store);
void ngx_http_rs_store_tenants_again(ngx_http_rs_store_t *store);


/*
 * ngx_http_rs_store_durable.c: the link of calls that a replica has to
 * confirm before their handlers run.  NULL: no memory.
 */
ngx_http_rs_durable_t *ngx_http_rs_durable_create(ngx_http_rs_store_t *store,
    ngx_rs_redis_conf_t *conf);
void ngx_http_rs_durable_destroy(ngx_http_rs_durable_t *d);
ngx_uint_t ngx_http_rs_durable_up(ngx_http_rs_durable_t *d);
ngx_str_t *ngx_http_rs_durable_replid(ngx_http_rs_durable_t *d);
/* NGX_OK or NGX_BUSY; argv is copied */
ngx_int_t ngx_http_rs_durable_send(ngx_http_rs_durable_t *d,
    ngx_http_rs_store_op_t *op, ngx_uint_t argc, ngx_str_t *argv);


#endif /* _NGX_HTTP_RS_STORE_CALL_H_INCLUDED_ */
