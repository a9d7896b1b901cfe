
/*
 * Copyright (C) rs-gateway contributors
 *
 * Inside of the reaper; for turn_reaper*.c only.
 */


#ifndef _TURN_REAPER_IMPL_H_INCLUDED_
#define _TURN_REAPER_IMPL_H_INCLUDED_


#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "rs_turn_cli.h"
#include "turn_log.h"
#include "turn_reaper.h"


#define TURN_REAPER_SESSIONS  65536   /* of a listing, default */
#define TURN_REAPER_RAW       1024    /* kills without a place in the table */
#define TURN_REAPER_FLIGHT    8192    /* cancelled, not seen gone */


typedef enum {
    TURN_REAPER_DOWN = 0,         /* waits before it connects */
    TURN_REAPER_CONNECTS,
    TURN_REAPER_GREETING,         /* banner, then password or prompt */
    TURN_REAPER_LOGIN,            /* password was said */
    TURN_REAPER_IDLE,             /* at the prompt */
    TURN_REAPER_CANCELS,          /* cs */
    TURN_REAPER_LISTS,            /* ps, pu: until something like a prompt */
    TURN_REAPER_FENCE             /* until the fence's answer and a prompt */
} turn_reaper_state_e;


typedef enum {
    TURN_LIST_NONE = 0,
    TURN_LIST_RAISE,              /* a fence alone: so that ps is not cut */
    TURN_LIST_PS,
    TURN_LIST_PU,                 /* ps was not believed: users, then each */
    TURN_LIST_USERS
} turn_list_step_e;


typedef struct {
    uint64_t            id;
    uint64_t            ago;          /* s */
    uint64_t            rcvp;
    uint64_t            rcvb;
    uint64_t            sentp;
    uint64_t            sentb;
    size_t              user;         /* offset in text */
    unsigned            user_len:16;
    unsigned            odd:1;
    unsigned            denied:1;
} turn_list_entry_t;


typedef struct {
    turn_list_step_e    step;
    unsigned            wanted:1;
    unsigned            recheck:1;    /* wanted with peers */
    unsigned            peers:1;      /* looks at peers now */
    unsigned            partial:1;    /* somebody was left out */
    unsigned            lied:1;
    uint64_t            again;        /* ms, wait after a lie */
    uint64_t            began;        /* ms, monotonic */
    uint64_t            began_at;     /* s since the epoch */
    uint64_t            next;         /* ms, monotonic */

    rs_turn_cli_list_t  check;
    turn_list_entry_t  *entries;
    size_t              n;
    size_t              size;
    size_t              first;        /* of the current command */
    char               *text;
    size_t              text_len;
    size_t              text_size;

    size_t             *users;        /* offsets in names, then lengths */
    size_t              nusers;
    size_t              users_size;
    size_t              user;         /* asked for now */
    char               *names;
    size_t              names_len;
    size_t              names_size;
} turn_reaper_list_t;


typedef struct {
    uint64_t            id;
    uint64_t            at;           /* ms, monotonic: of the cancel */
} turn_reaper_flight_t;


struct turn_reaper_s {
    turn_reaper_conf_t    conf;
    turn_reaper_state_e   state;
    struct bufferevent   *bev;
    struct event         *timer;
    struct event         *work;       /* wake(): from the loop, not at once */
    rs_turn_cli_t         cli;

    uint64_t              deadline;   /* ms, monotonic; of the state */
    uint64_t              backoff;    /* ms */
    uint64_t              fence;      /* number awaited */
    unsigned              fenced:1;   /* seen */
    unsigned              asked:1;    /* for the password, once */
    unsigned              told:1;     /* trouble was logged */

    uint64_t              cancelled;  /* id of the current cs */
    uint64_t              doomed_at;  /* ms since the epoch; 0: none */
    unsigned              tries;

    uint64_t              raw[TURN_REAPER_RAW];
    size_t                raw_at;
    size_t                nraw;

    turn_reaper_flight_t  flight[TURN_REAPER_FLIGHT];
    size_t                flight_at;
    size_t                nflight;

    turn_reaper_list_t    list;
    turn_log_limit_t      limit_forged;
    turn_log_limit_t      limit_ended;
    turn_reaper_stat_t    stat;
};


uint64_t turn_reaper_mono(void);      /* ms */
uint64_t turn_reaper_wall(void);      /* ms since the epoch */

/* turn_reaper.c */

void turn_reaper_send(turn_reaper_t *r, const char *text, size_t len,
    turn_reaper_state_e state);
void turn_reaper_fence(turn_reaper_t *r);
/* cancels one that is not doomed in the table */
void turn_reaper_raw(turn_reaper_t *r, uint64_t id);

/* turn_reaper_list.c */

void turn_listing_init(turn_reaper_t *r);
/* when a listing is next, ms, monotonic */
uint64_t turn_listing_due(const turn_reaper_t *r);
/* at the prompt: sends the next command of a listing; 1: sent */
int turn_listing_go(turn_reaper_t *r);
/* a line of what it has sent */
void turn_listing_line(turn_reaper_t *r, const rs_turn_cli_line_t *line);
/* the fence was seen: the command's output is whole */
void turn_listing_fenced(turn_reaper_t *r);
/* the connection broke */
void turn_listing_abort(turn_reaper_t *r);
void turn_listing_free(turn_reaper_t *r);


#endif /* _TURN_REAPER_IMPL_H_INCLUDED_ */
