
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The only way out of a rendered browser's network namespace: a SOCKS server
 * on a socket that listens in there, and connects out here.  A name is looked
 * up once, each address that comes of it has to pass the rules, and exactly
 * one that did is connected to: nothing looks the name up again.
 */

#ifndef _RENDER_EGRESS_H_INCLUDED_
#define _RENDER_EGRESS_H_INCLUDED_


#include "rs_egress.h"

#include <gio/gio.h>


#define RENDER_EGRESS_CONNECTIONS  256      /* at once; more wait outside */
#define RENDER_EGRESS_GREET_S      10       /* for SOCKS's own part */
#define RENDER_EGRESS_IDLE_S       600      /* nothing in either direction */

#define RENDER_EGRESS_INSIDE       "documents.rs.internal"


typedef struct render_egress_s  render_egress_t;


/* zero: the default */

typedef struct {
    const rs_egress_t  *rules;          /* the caller's, as long as egress */
    guint               connections;
    guint               idle_s;
    GResolver          *resolver;       /* NULL: the default one */
} render_egress_policy_t;


typedef struct {
    guint64             opened;         /* connections that stood */
    guint64             refused;        /* by the rules */
    guint64             failed;
    guint64             sent;           /* bytes to the world */
    guint64             received;
} render_egress_stats_t;


/*
 * All run on the main loop, never inside a call of this file; each may be
 * NULL.  egress must not be freed in them.
 */

typedef struct {
    /*
     * By the rules; host as it was asked for, made printable; why, for
     * people, goes on from there: "rebind.example" "is 10.0.0.1, which ..."
     */
    void  (*refused)(void *data, const char *host, guint port,
                     rs_egress_e verdict, const char *why);

    /*
     * A connection to http://documents.rs.internal/: takes fd over.  Without
     * it that name is refused.
     */
    void  (*inside)(void *data, int fd);
} render_egress_events_t;


/*
 * listen_fd: a listening stream socket of any namespace, taken over.  policy
 * and events are copied.
 */
render_egress_t *render_egress_new(const render_egress_policy_t *policy,
    int listen_fd, const render_egress_events_t *events, void *data);

/* Breaks every connection off.  No event runs any more. */
void render_egress_free(render_egress_t *egress);

void render_egress_stats(const render_egress_t *egress,
    render_egress_stats_t *stats);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(render_egress_t, render_egress_free)


#endif /* _RENDER_EGRESS_H_INCLUDED_ */
