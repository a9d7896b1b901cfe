
/*
 * Copyright (C) rs-gateway contributors
 *
 * What one run of rs-load is made of: its options, the network, the devices
 * and sessions, what was counted.
 *
 *   main -> mode -> fleet -> agent, peer -> link -> ws -> conn -> loop
 *                         -> rest ----------------------^
 *   peer -> check, hist      report -> check, hist, proc
 */


#ifndef _RL_RUN_H_INCLUDED_
#define _RL_RUN_H_INCLUDED_


#include "rs_bucket.h"
#include "rs_devkey.h"
#include "rl_check.h"
#include "rl_hist.h"
#include "rl_link.h"
#include "rl_options.h"
#include "rl_proc.h"
#include "rl_rest.h"


#define RL_TALLY               64
#define RL_TALLY_NAME          96
#define RL_FINDINGS            20     /* told in full */
#define RL_RESYNC              (30 * RL_SEC)


typedef struct rl_run_s      rl_run_t;
typedef struct rl_session_s  rl_session_t;


/* a device and its control channel */

typedef struct {
    rl_link_t           link;
    rl_run_t           *run;
    size_t              index;
    char                id[RS_ID_LEN + 1];
    uint8_t             seed[RS_DEVKEY_KEY_LEN];
    unsigned            enrolled:1;
} rl_agent_t;


/* a message this side has sent, until 30 s after its ack */

typedef struct {
    uint64_t            at;           /* the moment it was meant for */
    uint64_t            put;          /* when it was last sent; 0: not yet */
    unsigned            settled;      /* acknowledged or refused */
} rl_sent_t;


/* one side of a session */

typedef struct {
    rl_link_t           link;
    rl_session_t       *session;
    unsigned            host:1;
    unsigned            started:1;

    char                credential[RS_ID_RESUME_MAX + 1];
    char                position[RS_POS_MAX + 1];    /* empty: a ticket */

    size_t              out;          /* stream of the checker */
    size_t              in;

    rl_sent_t          *ring;
    size_t              size;         /* a power of two */
    uint64_t            first;        /* id of the oldest kept */
    uint64_t            next;         /* id of the next message */
    uint64_t            cursor;       /* next to be put on this socket */
    uint64_t            resync;       /* below: sent though acknowledged */
    uint64_t            unsettled;
    unsigned            retries;      /* since the last ack */

    rs_bucket_t         bucket;
    rl_timer_t          pace;
} rl_peer_t;


struct rl_session_s {
    rl_run_t           *run;
    size_t              index;
    char                id[RS_ID_LEN + 1];
    rl_peer_t           host;
    rl_peer_t           guest;
    unsigned            ready:1;
    unsigned            broken:1;
};


typedef struct {
    char                name[RL_TALLY_NAME];
    uint64_t            n;
} rl_tally_t;


typedef struct {
    rl_hist_t           late;         /* meant -> sent */
    rl_hist_t           delivery;     /* meant -> received */
    rl_hist_t           ack;          /* meant -> acknowledged */
    rl_hist_t           agent_up;     /* connect -> welcome */
    rl_hist_t           peer_up;
    rl_hist_t           agent_back;   /* lost, or last heard -> welcome */
    rl_hist_t           peer_back;

    uint64_t            resent;
    uint64_t            refused;      /* messages, by an error */
    uint64_t            shed;         /* not sent: too many under way */
    uint64_t            resyncs;
    uint64_t            goaways;
    uint64_t            churned;

    rl_tally_t          ends[RL_TALLY];   /* how sockets ended */
    size_t              nends;
} rl_stats_t;


struct rl_run_s {
    rl_options_t        options;
    rl_net_t            net;
    rl_rest_t          *rest;
    char               *key;
    char                name[17];     /* of this run, in its messages */

    rl_agent_t         *agents;
    rl_session_t       *sessions;
    rl_check_t          check;
    rl_stats_t          stats;

    /* the fleet */
    size_t              enrolled;
    size_t              agents_up;
    size_t              agents_gone;
    size_t              next_agent;   /* to be connected for the first time */
    size_t              connecting;
    size_t              ready;        /* sessions with both sides in */
    size_t              broken;       /* sessions a side of which is gone */
    unsigned            findings;
    char              (*enrollments)[RS_ID_LEN + 1];
    size_t              nenrollments;

    /* the mode */
    rl_handler_pt       changed;      /* something above did */
    unsigned            running:1;    /* closed loop: go on */
    unsigned            teardown:1;
    uint64_t            whole;        /* messages acked and received */
    uint64_t            started_at;
    uint64_t            ended_at;     /* of the sending */
    uint64_t            drained_at;
    uint64_t            storm_at;

    /* of the end: sockets that did not stand any more */
    size_t              devices_away;
    size_t              participants_away;

    rl_proc_t           proc;
    int                 failed;       /* exit status */
};


void rl_tally(rl_run_t *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* on stderr, "rs-load: ..." */
void rl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));


/* rl_agent.c */

void rl_agent_init(rl_agent_t *a, rl_run_t *run, size_t index);
/* needs an id */
void rl_agent_connect(rl_agent_t *a);


/* rl_peer.c */

void rl_peer_init(rl_peer_t *p, rl_session_t *session, int host);
void rl_peer_join(rl_peer_t *p, const char *ticket, size_t len);
/* a new message, meant for the moment at */
void rl_peer_say(rl_peer_t *p, uint64_t at);
void rl_peer_free(rl_peer_t *p);


/* rl_fleet.c */

/* 0, or -1: no memory */
int rl_fleet_init(rl_run_t *run);
/* enrols devices; then run->changed as things come about */
void rl_fleet_enroll(rl_run_t *run);
/* connects what is not yet, so many at a time, until `until` are */
void rl_fleet_connect(rl_run_t *run, size_t until);
/* sessions of a device that has come up for the first time */
void rl_fleet_sessions(rl_run_t *run, rl_agent_t *a);
void rl_fleet_invite(rl_run_t *run, rl_agent_t *a, const json_t *invite);
void rl_fleet_ready(rl_session_t *s);
void rl_fleet_broken(rl_session_t *s);
/* deletes what was made; rl_rest_pending() tells when it is done */
void rl_fleet_delete(rl_run_t *run);
void rl_fleet_free(rl_run_t *run);


/* rl_mode.c: runs it all; the exit status */

int rl_mode_run(rl_run_t *run);
/* safe in a signal handler: the load ends, then what is under way */
void rl_mode_end(void);


/* rl_report.c */

void rl_report_text(const rl_run_t *run);
/* 0, or -1: no memory */
int rl_report_json(const rl_run_t *run);


#endif /* _RL_RUN_H_INCLUDED_ */
