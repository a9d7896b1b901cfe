
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway's Redis knows of sessions, followed.
 *
 * Two links: one for calls of the function library, one that listens to the
 * channel "rs:turn".  When both are up all sessions that live are listed once
 * and again every conf->resync seconds; what is told meanwhile arrives by the
 * channel, which was subscribed to before.  While both links are up and one
 * listing was whole since then, the upstream is "in sync".
 *
 * Nothing here is waited for: coturn is answered from the table, which is
 * kept here.  It is the table that knows whether what it has is stale.
 */


#ifndef _TURN_UPSTREAM_H_INCLUDED_
#define _TURN_UPSTREAM_H_INCLUDED_


#include "turn_table.h"

#include <event2/event.h>


#define TURN_UPSTREAM_USAGE_MAX      32    /* items of one call */
#define TURN_UPSTREAM_USAGE_KEY_MAX  128   /* bytes of an item's key */


typedef struct turn_upstream_s  turn_upstream_t;


/*
 * All strings outlive the upstream; NULL or "" where nothing is configured.
 * Passwords are contents, not file names, and are never logged.
 */

typedef struct {
    const char                  *redis;        /* as the directive rs_redis */
    const char                  *user;
    const char                  *password;
    const char                  *sentinel_user;
    const char                  *sentinel_password;
    const char                  *ca_file;
    const char                  *server_name;
    const char                  *certificate;
    const char                  *certificate_key;
    const char                  *resolver;     /* address[:port] */
    uint64_t                     timeout;      /* ms, of a call */
    uint64_t                     connect_timeout;  /* ms, until up */
    uint64_t                     resync;       /* s */
} turn_upstream_conf_t;


/*
 * In sync, or not any more.  Nothing here may call turn_upstream_destroy();
 * the other functions may be called.
 */
typedef void (*turn_upstream_state_pt)(void *data, int in_sync);


typedef enum {
    TURN_USAGE_UNAVAILABLE = 0,       /* to be tried again */
    TURN_USAGE_OK,
    TURN_USAGE_NOT_FOUND,             /* the session is gone: never again */
    TURN_USAGE_REFUSED                /* never again */
} turn_usage_e;

typedef struct {
    rs_str_t                     key;
    uint64_t                     rcvp;
    uint64_t                     rcvb;
    uint64_t                     sentp;
    uint64_t                     sentb;
    int                          done;
} turn_usage_item_t;

typedef void (*turn_usage_pt)(void *data, turn_usage_e result);


typedef struct {
    int             in_sync;
    int             commands_up;
    int             messages_up;
    uint64_t        syncs;            /* whole listings */
    uint64_t        sync_failures;
    uint64_t        sync_ms;          /* of the last whole one */
    uint64_t        sync_sessions;    /* entries in it */
    uint64_t        sync_tenants;
    uint64_t        messages;         /* of the channel */
    uint64_t        messages_bad;     /* not of the form, or cut short */
    uint64_t        beacon_us;        /* round trip on the channel's link */
    uint64_t        silences;         /* dead subscriptions noticed */
    uint64_t        ups;              /* links that came up */
    uint64_t        downs;            /* and were lost */
    uint64_t        calls;
    uint64_t        calls_failed;
} turn_upstream_stats_t;


/*
 * Connects at once, for ever, with backoff, and keeps the table.  NULL: error
 * says what is wrong with the configuration, and the cure.  state is not
 * called inside this call; out of sync is what it begins with.  The table must
 * outlive it.
 */
turn_upstream_t *turn_upstream_create(struct event_base *base,
    const turn_upstream_conf_t *conf, turn_table_t *table,
    turn_upstream_state_pt state, void *data, char *error, size_t size);

/*
 * Reads the certificates of conf again, for links that are made from now on.
 * Passwords may be changed where they are.  0, or -1 and error: as before.
 */
int turn_upstream_reload(turn_upstream_t *up,
    const turn_upstream_conf_t *conf, char *error, size_t size);

/*
 * Every callback still owed runs, as unavailable, before it returns; state is
 * not called.
 */
void turn_upstream_destroy(turn_upstream_t *up);

/*
 * Asks for the sessions the table wants to know (turn_table_next_ask()), as
 * many as can be under way; when the answers come it goes on by itself.  For
 * the table's wake(), later than that.
 */
void turn_upstream_ask(turn_upstream_t *up);

/*
 * Writes 1 to TURN_UPSTREAM_USAGE_MAX items of a session, absolute counters.
 * 0: callback runs exactly once, not inside this call; -1: it does not run:
 * not connected, or too many calls under way.
 */
int turn_upstream_usage(turn_upstream_t *up, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *data);

int turn_upstream_in_sync(const turn_upstream_t *up);
void turn_upstream_stats(const turn_upstream_t *up,
    turn_upstream_stats_t *stats);


#endif /* _TURN_UPSTREAM_H_INCLUDED_ */
