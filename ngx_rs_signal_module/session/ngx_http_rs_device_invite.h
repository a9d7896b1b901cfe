
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the files of control channels share: ngx_http_rs_device.c (the
 * channel), ngx_http_rs_device_invite.c (sessions on it),
 * ngx_http_rs_device_pipe.c (pipes it is asked for),
 * ngx_http_rs_device_service.c (what makes it another kind than a desktop),
 * ngx_http_rs_device_record.c (what recorders say of recordings),
 * ngx_http_rs_device_key.c (the device's key) and ngx_http_rs_device_away.c
 * (after it).  Nobody else includes this.
 */


#ifndef _NGX_HTTP_RS_DEVICE_INVITE_H_INCLUDED_
#define _NGX_HTTP_RS_DEVICE_INVITE_H_INCLUDED_


#include "ngx_http_rs_session_log.h"
#include "rs_devkey.h"
#include "rs_msg.h"


#define NGX_HTTP_RS_ANNOUNCE_BATCH    100
#define NGX_HTTP_RS_ANNOUNCE_TICK     20    /* ms */
#define NGX_HTTP_RS_ANNOUNCE_RETRY    1000  /* ms */


typedef enum {
    NGX_HTTP_RS_DEVICE_CHALLENGED = 0,
    NGX_HTTP_RS_DEVICE_CHECKING,
    NGX_HTTP_RS_DEVICE_LIVE
} ngx_http_rs_device_state_e;


struct ngx_http_rs_devices_s {
    ngx_http_rs_main_conf_t     *rmcf;
    ngx_log_t                   *log;

    ngx_queue_t                  all;
    ngx_queue_t                  live;
    ngx_queue_t                  announce;    /* the store is to be told */
    ngx_uint_t                   nowed;       /* in both, without a socket */
    ngx_event_t                  tick;

    ngx_queue_t                  away;        /* told to come back, oldest
                                                 first, without a socket */
    ngx_event_t                  missed;
};


typedef struct ngx_http_rs_invite_s  ngx_http_rs_invite_t;
typedef struct ngx_http_rs_offer_s   ngx_http_rs_offer_t;
typedef struct ngx_http_rs_record_s  ngx_http_rs_record_t;


/*
 * One control channel.  refs counts the socket and each operation of the
 * store under way; whoever drops the last one frees it.
 */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_http_rs_devices_t       *devices;
    ngx_http_rs_conn_t          *rc;          /* NULL: the socket is gone */
    ngx_uint_t                   refs;

    ngx_queue_t                  all;         /* in devices->all */
    ngx_queue_t                  queue;       /* in live, announce or away */
    ngx_http_rs_device_state_e   state;

    ngx_str_t                    host;
    ngx_str_t                    tenant;
    ngx_str_t                    id;
    ngx_str_t                    name;
    ngx_str_t                    address;
    ngx_str_t                    key;         /* public, base64url */
    ngx_str_t                    next;        /* while rotating */
    ngx_str_t                    agent;       /* JSON */
    time_t                       ticket_ttl;
    int64_t                      epoch;       /* of its hello; 0: none yet */
    ngx_msec_t                   gone_at;     /* in away: since when */

    rs_bucket_t                  messages;
    ngx_uint_t                   invites;     /* under way */
    ngx_http_rs_invite_t        *free;        /* and those that were */
    ngx_uint_t                   offers;      /* pipes, the same */
    ngx_http_rs_offer_t         *free_offers;
    ngx_uint_t                   records;     /* words of recordings */
    ngx_http_rs_record_t        *free_records;
    rs_msg_load_t                load;        /* of a service */
    size_t                       told_len;    /* of what a recorder is owed: */
    u_char                       told[2 * RS_ID_LEN + NGX_INT64_LEN + 2];
                                              /* up to here, for the store */

    u_char                       nonce[RS_DEVKEY_NONCE_LEN];
    u_char                       signature[RS_DEVKEY_SIGNATURE_LEN];

    unsigned                     known:1;     /* its address is in the store */
    unsigned                     entering:1;  /* the hello is under way */
    unsigned                     missed:1;    /* an invitation, meanwhile */
    unsigned                     rotating:1;  /* the store is asked */
    unsigned                     bye:1;
    unsigned                     service:1;   /* it is no desktop */
    unsigned                     renderer:1;  /* but this */
    unsigned                     recorder:1;
    unsigned                     working:1;   /* what it has is asked for */
    unsigned                     owing:1;     /* and more of it, then */
    unsigned                     loaded:1;    /* it has said its load */
    unsigned                     telling:1;   /* that is told to the store */
    unsigned                     tell:1;      /* and another one, then */
} ngx_http_rs_dev_t;


/* ngx_http_rs_device.c */

void ngx_http_rs_device_unref(ngx_http_rs_dev_t *dev);
/* a live one is announced when the store takes calls, and so invited again */
void ngx_http_rs_device_again(ngx_http_rs_dev_t *dev);


/* ngx_http_rs_device_away.c */

void ngx_http_rs_device_away_init(ngx_http_rs_devices_t *devices);
/* dev had its socket closed by goaway; takes over the socket's reference */
void ngx_http_rs_device_expect(ngx_http_rs_dev_t *dev);
/* whoever had this address, and is waited for, is back elsewhere */
void ngx_http_rs_device_returned(ngx_http_rs_devices_t *devices,
    rs_str_t address);
void ngx_http_rs_device_go_offline(ngx_http_rs_dev_t *dev);
/* dev is in no queue: the store is told of it when it can be told again */
void ngx_http_rs_device_later(ngx_http_rs_dev_t *dev);


/* ngx_http_rs_device_key.c */

/* of a live one: another key; it is answered by `rotated` or `error` */
void ngx_http_rs_device_rotate(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
/* the signature of its hello is not by key; the audit is told, dev refused */
void ngx_http_rs_device_mismatch(ngx_http_rs_dev_t *dev, ngx_str_t *old_key);


/* ngx_http_rs_device_invite.c */

void ngx_http_rs_device_invite(ngx_http_rs_dev_t *dev,
    ngx_str_t *session_id);
void ngx_http_rs_device_reject(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
void ngx_http_rs_device_consent(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
void ngx_http_rs_device_revoke(ngx_http_rs_dev_t *dev, rs_env_t *env);


/* ngx_http_rs_device_service.c */

/* kind: of the store's record */
void ngx_http_rs_device_service(ngx_http_rs_dev_t *dev, ngx_str_t *kind);
void ngx_http_rs_device_load(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
/* it was announced again: so is what it said of its places */
void ngx_http_rs_device_service_again(ngx_http_rs_dev_t *dev);
/* accept, or queued */
void ngx_http_rs_device_answer(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
/* a service has answered for this session, or need not: of others nothing */
void ngx_http_rs_device_settle(ngx_http_rs_dev_t *dev,
    ngx_str_t *session_id);


/* ngx_http_rs_device_record.c */

void ngx_http_rs_device_recording(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
/* 1: of a recorder, and done: another one may keep the session */
ngx_uint_t ngx_http_rs_device_record_reject(ngx_http_rs_dev_t *dev,
    rs_msg_t *msg);
/* of a recorder that has said its load: what it was given while it was away */
void ngx_http_rs_device_record_work(ngx_http_rs_dev_t *dev);
/* the rest of it, if there is any and nothing is under way */
void ngx_http_rs_device_record_next(ngx_http_rs_dev_t *dev);
void ngx_http_rs_device_record_env(ngx_http_rs_dev_t *dev, rs_env_t *env);
/* a session it did not record has ended: of others than recorders nothing */
void ngx_http_rs_device_record_over(ngx_http_rs_dev_t *dev,
    ngx_str_t *session_id);


/* ngx_http_rs_device_pipe.c */

void ngx_http_rs_device_pipe(ngx_http_rs_dev_t *dev, rs_env_t *env);
void ngx_http_rs_device_refuse_pipe(ngx_http_rs_dev_t *dev, rs_msg_t *msg);


#endif /* _NGX_HTTP_RS_DEVICE_INVITE_H_INCLUDED_ */
