
/*
 * Copyright (C) rs-gateway contributors
 *
 * A listener that speaks the Redis protocol to coturn.  It owns the
 * connections: who has said the password, who carries the guard, what is
 * read and what waits to be written, and the bounds of all that.  What a
 * command means is its owner's (turn_userdb, turn_statsdb), who answers it
 * before the handler returns: coturn waits for an answer without a limit.
 *
 *   - the first thing said is RS.GUARD 1 (by rs-turn-guard.so) or AUTH; until
 *     the right AUTH every answer is -NOAUTH, and a wrong one ends the
 *     connection; one that takes longer than TURN_SERVER_AUTH_TIME ends too
 *   - a coturn that could be crashed by user names (trap of coturn < 4.13) is
 *     not served without the guard: the connection ends before any answer,
 *     so coturn has none and formats nothing
 *   - unknown and oversized commands are answered with -ERR; only what is no
 *     request at all ends a connection
 *   - when all connections are taken, the oldest that has not said the
 *     password makes room; if there is none, the new one ends
 */


#ifndef _TURN_SERVER_H_INCLUDED_
#define _TURN_SERVER_H_INCLUDED_


#include <event2/event.h>

#include "rs_resp.h"
#include "turn_conf.h"


#define TURN_SERVER_AUTH_TIME    5              /* s */
#define TURN_SERVER_OUTPUT_HIGH  (64 * 1024)    /* reading stops above */
#define TURN_SERVER_LATER        2000           /* us */


typedef struct turn_server_s      turn_server_t;
typedef struct turn_connection_s  turn_connection_t;


typedef struct {
    uint64_t        accepted;
    uint64_t        authorized;       /* of these, with the password */
    uint64_t        shed;             /* no room */
    uint64_t        unguarded;        /* refused: old coturn, no guard */
    uint64_t        bad_password;
    uint64_t        malformed;
    uint64_t        too_large;
    uint64_t        commands;
    uint64_t        unknown;
    unsigned        connections;      /* open now */
    unsigned        serving;          /* of these, with the password */
} turn_server_stats_t;


typedef struct {
    const char     *what;             /* "userdb", "statsdb" */

    /* exactly one turn_answer_*(); argc is 1 or more */

    void          (*command)(void *data, turn_connection_t *c,
                       const rs_str_t *argv, size_t argc);

    /*
     * 1: a connection without the guard may be served.  Asked once for each
     * connection, at its first command; NULL: always.
     */
    int           (*unguarded)(void *guard);

    /*
     * 1: clients tell and wait for no answer.  What came is answered, and
     * more is read, TURN_SERVER_LATER after it: one by one events would wake
     * us and answers a thread of coturn that relays.
     */
    unsigned        tells;

    void           *data;
    void           *guard;
} turn_server_handler_t;


/*
 * Listens; password is copied.  NULL: error[TURN_CONF_ERROR_MAX] says why.
 */
turn_server_t *turn_server_create(struct event_base *base,
    const turn_conf_addr_t *addr, rs_str_t password, unsigned max,
    const turn_server_handler_t *handler, char *error);
void turn_server_free(turn_server_t *s);

const turn_server_stats_t *turn_server_stats(const turn_server_t *s);


void turn_answer_ok(turn_connection_t *c);
void turn_answer_int(turn_connection_t *c, uint64_t v);
void turn_answer_bulk(turn_connection_t *c, rs_str_t s);
void turn_answer_nil(turn_connection_t *c);
/* followed by n more answers, its elements */
void turn_answer_array(turn_connection_t *c, size_t n);
/* text: of ours, one line */
void turn_answer_error(turn_connection_t *c, const char *text);
/* the same for a command nobody knows; counted */
void turn_answer_unknown(turn_connection_t *c);


#endif /* _TURN_SERVER_H_INCLUDED_ */
