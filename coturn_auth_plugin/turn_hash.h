
/*
 * Copyright (C) rs-gateway contributors
 *
 * Intrusive containers of the plugin: hash table, doubly linked list, heap.
 * The nodes stand in the caller's structures; TURN_OF() gets from a node to
 * what it stands in.
 */


#ifndef _TURN_HASH_H_INCLUDED_
#define _TURN_HASH_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "rs_str.h"


#define TURN_OF(node, type, member)                                          \
    ((type *) (void *) ((char *) (node) - offsetof(type, member)))


/* of text, seeded; not for adversaries who can see what collides */
uint64_t turn_hash_str(uint64_t seed, rs_str_t s);
uint64_t turn_hash_u64(uint64_t seed, uint64_t v);


typedef struct turn_hnode_s  turn_hnode_t;

struct turn_hnode_s {
    turn_hnode_t   *next;
    uint64_t        hash;
};

typedef struct {
    turn_hnode_t  **buckets;
    size_t          size;         /* a power of two; 0: none yet */
    size_t          n;
} turn_hash_t;


/* 1: stored; 0: no memory */
int turn_hash_add(turn_hash_t *h, turn_hnode_t *node, uint64_t hash);
void turn_hash_del(turn_hash_t *h, turn_hnode_t *node);
/* the first node of that hash, then the next; NULL: no more */
turn_hnode_t *turn_hash_first(const turn_hash_t *h, uint64_t hash);
turn_hnode_t *turn_hash_next(const turn_hnode_t *node);
void turn_hash_done(turn_hash_t *h);


/* a list: the head is a node, too; an empty one points to itself */

typedef struct turn_list_s  turn_list_t;

struct turn_list_s {
    turn_list_t    *next;
    turn_list_t    *prev;
};


void turn_list_init(turn_list_t *head);
int turn_list_empty(const turn_list_t *head);
/* at the end */
void turn_list_add(turn_list_t *head, turn_list_t *node);
/* a node that is in no list points to itself: removing it does nothing */
void turn_list_del(turn_list_t *node);


/* least key first */

typedef struct {
    uint64_t        key;
    size_t          at;           /* in the heap, from 1; 0: not in it */
} turn_hpnode_t;

typedef struct {
    turn_hpnode_t **nodes;        /* [1..n] */
    size_t          n;
    size_t          size;
} turn_heap_t;


/* puts it in or moves it; 1, or 0: no memory (never when it was in it) */
int turn_heap_set(turn_heap_t *h, turn_hpnode_t *node, uint64_t key);
void turn_heap_del(turn_heap_t *h, turn_hpnode_t *node);
turn_hpnode_t *turn_heap_top(const turn_heap_t *h);
void turn_heap_done(turn_heap_t *h);


#endif /* _TURN_HASH_H_INCLUDED_ */
