
/*
 * Copyright (C) rs-gateway contributors
 *
 * The history checker finds what is planted: loss, duplication, reordering,
 * messages of others; and nothing where all is well.
 */


#include "tap.h"

#include "rl_check.h"


static rl_check_t  c;

static size_t      lost_stream;
static uint64_t    lost_id;


static void
lost(void *data, size_t stream, uint64_t id)
{
    (*(int *) data)++;
    lost_stream = stream;
    lost_id = id;
}


/* streams, each with n messages sent and acknowledged */

static void
setup(size_t streams, uint64_t n)
{
    size_t    i;
    uint64_t  id;

    rl_check_free(&c);

    if (rl_check_init(&c, streams) != 0) {
        printf("not ok - no memory\n");
        exit(1);
    }

    for (i = 0; i < streams; i++) {
        for (id = 1; id <= n; id++) {
            rl_check_sent(&c, i, id);
            rl_check_acked(&c, i, id);
        }
    }
}


/* receives first..last of a stream in order */

static void
receive(size_t stream, uint64_t first, uint64_t last, uint64_t epoch)
{
    uint64_t  id;

    for (id = first; id <= last; id++) {
        rl_check_received(&c, stream, stream, id, epoch);
    }
}


static void
is_count(uint64_t nlost, uint64_t duplicates, uint64_t reordered,
    uint64_t foreign, const char *what)
{
    int  told;

    told = 0;
    rl_check_end(&c, lost, &told);

    if (!ok(c.count.lost == nlost && c.count.duplicates == duplicates
            && c.count.reordered == reordered && c.count.foreign == foreign
            && (uint64_t) told == nlost, "%s", what))
    {
        printf("#   lost %llu (%d told), duplicates %llu, reordered %llu, "
               "foreign %llu\n", (unsigned long long) c.count.lost, told,
               (unsigned long long) c.count.duplicates,
               (unsigned long long) c.count.reordered,
               (unsigned long long) c.count.foreign);
    }

    is_int((uint64_t) rl_check_good(&c),
           nlost + duplicates + reordered + foreign == 0,
           "and the verdict agrees");
}


static void
test_good(void)
{
    setup(3, 1000);
    receive(0, 1, 1000, 1);
    receive(2, 1, 1000, 1);
    receive(1, 1, 1000, 1);

    is_count(0, 0, 0, 0, "all is well");
    is_int(c.count.received, 3000, "all are counted");
    ok(rl_check_whole(&c, 1, 1000), "a message that is through");
}


static void
test_loss(void)
{
    setup(2, 100);
    receive(0, 1, 100, 1);
    receive(1, 1, 41, 1);
    receive(1, 43, 100, 1);

    is_count(1, 0, 0, 0, "a hole");
    is_int(lost_stream, 1, "in this stream");
    is_int(lost_id, 42, "this message");
    ok(!rl_check_whole(&c, 1, 42), "it is not through");

    setup(1, 100);
    receive(0, 1, 97, 1);
    is_count(3, 0, 0, 0, "the last ones");

    setup(1, 100);
    is_count(100, 0, 0, 0, "all of them");
}


/* what was never acknowledged may be lost, or come */

static void
test_unacked(void)
{
    setup(1, 10);

    rl_check_sent(&c, 0, 11);
    rl_check_sent(&c, 0, 12);
    receive(0, 1, 11, 1);

    is_count(0, 0, 0, 0, "not acknowledged");
    is_int(c.count.unknown, 1, "is told as such");
    ok(!rl_check_whole(&c, 0, 11), "received but not acknowledged: not whole");

    is_int((uint64_t) rl_check_acked(&c, 0, 11), 1, "acknowledged");
    is_int((uint64_t) rl_check_acked(&c, 0, 11), 0, "acknowledged twice");
    ok(rl_check_acked(&c, 0, 13) == -1, "an ack of what was not sent");
    is_int(c.count.acked, 11, "is not counted");
}


static void
test_duplicate(void)
{
    setup(1, 100);
    receive(0, 1, 100, 1);

    is_int(rl_check_received(&c, 0, 0, 100, 1), RL_CHECK_DUPLICATE,
           "the last one again");
    is_int(rl_check_received(&c, 0, 0, 7, 1), RL_CHECK_DUPLICATE,
           "an old one again");
    is_count(0, 2, 0, 0, "two duplicates, not reordered");
    is_int(c.count.received, 100, "received counts once");
}


static void
test_reordered(void)
{
    setup(1, 10);
    receive(0, 1, 4, 1);
    rl_check_received(&c, 0, 0, 6, 1);

    is_int(rl_check_received(&c, 0, 0, 5, 1), RL_CHECK_REORDERED, "5 after 6");
    receive(0, 7, 10, 1);
    is_count(0, 0, 1, 0, "two that changed places");
}


static void
test_foreign(void)
{
    setup(2, 10);
    receive(0, 1, 10, 1);
    receive(1, 1, 9, 1);

    is_int(rl_check_received(&c, 0, 1, 10, 1), RL_CHECK_FOREIGN,
           "of the other stream");
    is_count(1, 0, 0, 1, "foreign here, lost there");

    setup(1, 10);
    receive(0, 1, 10, 1);
    rl_check_received(&c, 0, 0, 11, 1);
    rl_check_received(&c, 0, 0, 0, 1);
    rl_check_received(&c, 0, UINT64_MAX, 1, 1);
    rl_check_received(&c, 5, 5, 1, 1);
    is_count(0, 0, 0, 4, "never sent, no message, no stream, no receiver");
}


static void
test_resync(void)
{
    setup(1, 20);
    receive(0, 1, 15, 1);
    receive(0, 11, 20, 2);

    is_count(0, 0, 0, 0, "sent again in a new epoch");
    is_int(c.count.resync, 5, "five came once more");
    is_int(c.count.received, 20, "each is counted once");

    rl_check_received(&c, 0, 0, 20, 2);
    is_count(0, 1, 0, 0, "twice in the new epoch is a duplicate");

    setup(1, 20);
    receive(0, 1, 12, 1);
    receive(0, 14, 20, 2);
    is_count(1, 0, 0, 0, "lost in the failover");
    is_int(lost_id, 13, "this one");

    rl_check_received(&c, 0, 0, 13, 2);
    is_count(0, 0, 1, 0, "late in the new epoch is out of order");
}


static void
test_input(void)
{
    setup(1, 1);

    ok(rl_check_sent(&c, 0, 3) == -1, "an id left out");
    ok(rl_check_sent(&c, 0, 1) == -1, "an id used again");
    ok(rl_check_sent(&c, 1, 1) == -1, "no such stream");
    is_int(c.count.sent, 1, "nothing is counted");

    rl_check_free(&c);
}


int
main(void)
{
    test_good();
    test_loss();
    test_unacked();
    test_duplicate();
    test_reordered();
    test_foreign();
    test_resync();
    test_input();

    return tap_done();
}
