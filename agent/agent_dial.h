
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A connection to what a tunnel leads to, or to what a rendered page asks for.
 * The name is looked up once, each address that comes of it has to pass the
 * rules, and exactly one that did is connected to: nothing looks the name up
 * again.
 */

#ifndef _AGENT_DIAL_H_INCLUDED_
#define _AGENT_DIAL_H_INCLUDED_


#include "agent_target.h"


#define AGENT_DIAL_ADDRESSES  8         /* of a name, tried in turn */
#define AGENT_DIAL_TRY_S      5
#define AGENT_DIAL_S          15        /* all of it */


typedef struct agent_dial_s  agent_dial_t;


typedef enum {
    AGENT_DIAL_CONNECTED = 0,
    AGENT_DIAL_REFUSED,                 /* by the rules */
    AGENT_DIAL_UNREACHABLE
} agent_dial_e;


/*
 * Called once, never inside agent_dial_new(); the dial is gone then.  fd: of
 * a connection, the caller's; why: for people.
 */
typedef void (*agent_dial_done_pt)(void *data, agent_dial_e verdict, int fd,
    const char *why);


/*
 * Why not, or NULL.  found: an address of the target; NULL: is it worth a
 * look-up?  Runs inside agent_dial_check(), too.
 */
typedef const char *(*agent_dial_check_pt)(void *data,
    const rs_target_t *target, GInetAddress *found);


/*
 * targets: the caller's, for as long as the dial; or NULL.  host is copied.
 * resolver: NULL: the default one.
 */
agent_dial_t *agent_dial_new(const agent_targets_t *targets,
    const char *host, guint port, gboolean udp, GResolver *resolver,
    agent_dial_done_pt done, void *data);

/* The same over TCP, by somebody else's rules; data is for check(), too. */
agent_dial_t *agent_dial_check(const char *host, guint port,
    GResolver *resolver, agent_dial_check_pt check, agent_dial_done_pt done,
    void *data);

/* done() is not called any more, nor is check(). */
void agent_dial_free(agent_dial_t *dial);


#endif /* _AGENT_DIAL_H_INCLUDED_ */
