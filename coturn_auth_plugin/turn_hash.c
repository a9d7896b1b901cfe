
/*
 * Copyright (C) rs-gateway contributors
 *
 * Hash table (chained, doubling), list, binary heap.
 */


#include "turn_hash.h"

#include <stdlib.h>


#define TURN_HASH_MIN   64
#define TURN_HEAP_MIN   64


static int turn_hash_grow(turn_hash_t *h);
static void turn_heap_place(turn_heap_t *h, turn_hpnode_t *node, size_t at);
static void turn_heap_up(turn_heap_t *h, turn_hpnode_t *node, size_t at);
static void turn_heap_down(turn_heap_t *h, turn_hpnode_t *node, size_t at);


uint64_t
turn_hash_u64(uint64_t seed, uint64_t v)
{
    v ^= seed;
    v ^= v >> 33;
    v *= UINT64_C(0xff51afd7ed558ccd);
    v ^= v >> 33;
    v *= UINT64_C(0xc4ceb9fe1a85ec53);
    v ^= v >> 33;

    return v;
}


uint64_t
turn_hash_str(uint64_t seed, rs_str_t s)
{
    size_t    i;
    uint64_t  v;

    v = seed ^ UINT64_C(0xcbf29ce484222325);

    for (i = 0; i < s.len; i++) {
        v ^= s.data[i];
        v *= UINT64_C(0x100000001b3);
    }

    return turn_hash_u64(seed, v);
}


static int
turn_hash_grow(turn_hash_t *h)
{
    size_t          i, size;
    turn_hnode_t   *node, *next, **buckets;

    size = h->size ? h->size * 2 : TURN_HASH_MIN;
    buckets = calloc(size, sizeof(*buckets));

    if (buckets == NULL) {
        return h->size != 0;
    }

    for (i = 0; i < h->size; i++) {
        for (node = h->buckets[i]; node != NULL; node = next) {
            next = node->next;
            node->next = buckets[node->hash & (size - 1)];
            buckets[node->hash & (size - 1)] = node;
        }
    }

    free(h->buckets);
    h->buckets = buckets;
    h->size = size;

    return 1;
}


int
turn_hash_add(turn_hash_t *h, turn_hnode_t *node, uint64_t hash)
{
    turn_hnode_t  **bucket;

    if (h->n >= h->size && !turn_hash_grow(h)) {
        return 0;
    }

    bucket = &h->buckets[hash & (h->size - 1)];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    h->n++;

    return 1;
}


void
turn_hash_del(turn_hash_t *h, turn_hnode_t *node)
{
    turn_hnode_t  **p;

    p = &h->buckets[node->hash & (h->size - 1)];

    while (*p != node) {
        p = &(*p)->next;
    }

    *p = node->next;
    h->n--;
}


turn_hnode_t *
turn_hash_first(const turn_hash_t *h, uint64_t hash)
{
    turn_hnode_t  *node;

    if (h->size == 0) {
        return NULL;
    }

    node = h->buckets[hash & (h->size - 1)];

    while (node != NULL && node->hash != hash) {
        node = node->next;
    }

    return node;
}


turn_hnode_t *
turn_hash_next(const turn_hnode_t *node)
{
    turn_hnode_t  *next;

    next = node->next;

    while (next != NULL && next->hash != node->hash) {
        next = next->next;
    }

    return next;
}


void
turn_hash_done(turn_hash_t *h)
{
    free(h->buckets);
    h->buckets = NULL;
    h->size = 0;
    h->n = 0;
}


void
turn_list_init(turn_list_t *head)
{
    head->next = head;
    head->prev = head;
}


int
turn_list_empty(const turn_list_t *head)
{
    return head->next == head;
}


void
turn_list_add(turn_list_t *head, turn_list_t *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}


void
turn_list_del(turn_list_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    turn_list_init(node);
}


static void
turn_heap_place(turn_heap_t *h, turn_hpnode_t *node, size_t at)
{
    h->nodes[at] = node;
    node->at = at;
}


static void
turn_heap_up(turn_heap_t *h, turn_hpnode_t *node, size_t at)
{
    while (at > 1 && h->nodes[at / 2]->key > node->key) {
        turn_heap_place(h, h->nodes[at / 2], at);
        at /= 2;
    }

    turn_heap_place(h, node, at);
}


static void
turn_heap_down(turn_heap_t *h, turn_hpnode_t *node, size_t at)
{
    size_t  child;

    for ( ;; ) {
        child = at * 2;

        if (child > h->n) {
            break;
        }

        if (child < h->n && h->nodes[child + 1]->key < h->nodes[child]->key) {
            child++;
        }

        if (h->nodes[child]->key >= node->key) {
            break;
        }

        turn_heap_place(h, h->nodes[child], at);
        at = child;
    }

    turn_heap_place(h, node, at);
}


int
turn_heap_set(turn_heap_t *h, turn_hpnode_t *node, uint64_t key)
{
    size_t           size;
    uint64_t         old;
    turn_hpnode_t  **nodes;

    if (node->at == 0) {
        if (h->n + 1 >= h->size) {
            size = h->size ? h->size * 2 : TURN_HEAP_MIN;
            nodes = realloc(h->nodes, size * sizeof(*nodes));

            if (nodes == NULL) {
                return 0;
            }

            h->nodes = nodes;
            h->size = size;
        }

        node->key = key;
        turn_heap_up(h, node, ++h->n);

        return 1;
    }

    old = node->key;
    node->key = key;

    if (key < old) {
        turn_heap_up(h, node, node->at);

    } else {
        turn_heap_down(h, node, node->at);
    }

    return 1;
}


void
turn_heap_del(turn_heap_t *h, turn_hpnode_t *node)
{
    size_t          at;
    turn_hpnode_t  *last;

    if (node->at == 0) {
        return;
    }

    at = node->at;
    node->at = 0;
    last = h->nodes[h->n--];

    if (last == node) {
        return;
    }

    if (last->key < node->key) {
        turn_heap_up(h, last, at);

    } else {
        turn_heap_down(h, last, at);
    }
}


turn_hpnode_t *
turn_heap_top(const turn_heap_t *h)
{
    return h->n ? h->nodes[1] : NULL;
}


void
turn_heap_done(turn_heap_t *h)
{
    free(h->nodes);
    h->nodes = NULL;
    h->n = 0;
    h->size = 0;
}
