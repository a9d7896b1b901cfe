
/*
 * Copyright (C) rs-gateway contributors
 *
 * What consoles watch, as the store's functions tell it to all workers:
 * "<tenant> <what> <id or -> <group or -> <change>".  docs/design/redis.md,
 * "Watching".
 */


#ifndef _RS_WATCH_H_INCLUDED_
#define _RS_WATCH_H_INCLUDED_


#include "rs_id.h"


typedef enum {
    RS_WATCH_DEVICE = 0,
    RS_WATCH_SESSION,
    RS_WATCH_TUNNEL,
    RS_WATCH_RIGHTS                   /* keys, grants, groups, tokens */
} rs_watch_what_e;

typedef struct {
    rs_watch_what_e  what;
    rs_str_t         tenant;
    rs_str_t         id;              /* empty: of rights */
    rs_str_t         group;           /* empty: in none */
    rs_str_t         change;          /* one of the table's words */
} rs_watch_t;


/* 1, and the members are slices of s; 0: it is no such line */
int rs_watch_parse(rs_str_t s, rs_watch_t *w);

/*
 * Whether groups, "*" or ids between blanks, have group in them.  What is in
 * no group is only of "*".
 */
int rs_watch_covers(rs_str_t groups, rs_str_t group);


#endif /* _RS_WATCH_H_INCLUDED_ */
