
/*
 * Copyright (C) rs-gateway contributors
 *
 * Containers: what went in comes out, once, in its order.
 */


#include "tap.h"
#include "turn_hash.h"


#define N  5000


typedef struct {
    turn_hnode_t    node;
    turn_hpnode_t   due;
    turn_list_t     link;
    uint64_t        id;
} item_t;


static item_t  items[N];


static unsigned
found(const turn_hash_t *h, uint64_t hash)
{
    unsigned       n;
    turn_hnode_t  *node;

    for (n = 0, node = turn_hash_first(h, hash);
         node != NULL;
         node = turn_hash_next(node))
    {
        n++;
    }

    return n;
}


static void
test_hash(void)
{
    size_t       i, n;
    turn_hash_t  h;

    memset(&h, 0, sizeof(h));
    ok(turn_hash_first(&h, 1) == NULL, "an empty one has nothing");

    /* three of each value, and neighbours in one bucket */

    for (i = 0, n = 0; i < N; i++) {
        n += (size_t) turn_hash_add(&h, &items[i].node, i / 3 * 64);
    }

    is_int(n, N, "all are in");

    for (i = 0, n = 0; i < N / 3; i++) {
        n += found(&h, i * 64) == 3;
    }

    is_int(n, N / 3, "all of one value are found");
    is_int(found(&h, 65), 0, "no other");

    for (i = 0; i < N; i += 3) {
        turn_hash_del(&h, &items[i].node);
    }

    for (i = 0, n = 0; i < N / 3; i++) {
        n += found(&h, i * 64) == 2;
    }

    is_int(n, N / 3, "one of each is out");
    is_int(h.n, N - (N + 2) / 3, "and counted");
    turn_hash_done(&h);

    ok(turn_hash_str(1, RS_STR("a")) != turn_hash_str(2, RS_STR("a"))
       && turn_hash_str(1, RS_STR("a")) != turn_hash_str(1, RS_STR("b"))
       && turn_hash_u64(1, 7) != turn_hash_u64(2, 7),
       "seed and text make a difference");
}


static void
test_heap(void)
{
    size_t          i, n;
    uint64_t        last, seed;
    turn_heap_t     h;
    turn_hpnode_t  *top;

    memset(&h, 0, sizeof(h));
    memset(items, 0, sizeof(items));
    ok(turn_heap_top(&h) == NULL, "an empty heap");
    turn_heap_del(&h, &items[0].due);

    for (i = 0, seed = 1; i < N; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        (void) turn_heap_set(&h, &items[i].due, seed >> 40);
    }

    /* some move, some go */

    for (i = 0; i < N; i += 2) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        (void) turn_heap_set(&h, &items[i].due, seed >> 40);
    }

    for (i = 0; i < N; i += 5) {
        turn_heap_del(&h, &items[i].due);
    }

    is_int(h.n, N - N / 5, "counted");

    for (n = 0, last = 0; (top = turn_heap_top(&h)) != NULL; n++) {
        if (top->key < last || TURN_OF(top, item_t, due) < items) {
            break;
        }

        last = top->key;
        turn_heap_del(&h, top);
    }

    is_int(n, N - N / 5, "least first, to the last");
    turn_heap_done(&h);
}


static void
test_list(void)
{
    turn_list_t  head;

    turn_list_init(&head);
    turn_list_init(&items[0].link);
    turn_list_init(&items[1].link);
    ok(turn_list_empty(&head), "an empty list");
    turn_list_add(&head, &items[0].link);
    turn_list_add(&head, &items[1].link);
    ok(head.next == &items[0].link && head.prev == &items[1].link, "in order");
    turn_list_del(&items[0].link);
    turn_list_del(&items[0].link);
    ok(head.next == &items[1].link, "removed, twice is once");
    turn_list_del(&items[1].link);
    ok(turn_list_empty(&head), "empty again");
}


int
main(void)
{
    test_hash();
    test_heap();
    test_list();

    return tap_done();
}
