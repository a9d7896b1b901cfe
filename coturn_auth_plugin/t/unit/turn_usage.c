
/*
 * Copyright (C) rs-gateway contributors
 *
 * Usage against an upstream made here: what is sent, again, and never twice.
 */


#include "tap.h"
#include "turn_conf.h"
#include "turn_usage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>


#define T0    UINT64_C(1800000000)
#define NOW   (T0 * 1000)
#define SES   "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SES2  "ses_baaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR   "par_bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define USER  "1800000900:acme." SES "." PAR
#define USER2 "1800000900:acme." SES2 "." PAR


typedef struct {
    char                ses[64];
    char                keys[TURN_UPSTREAM_USAGE_MAX][160];
    turn_usage_item_t   items[TURN_UPSTREAM_USAGE_MAX];
    size_t              n;
    turn_usage_pt       callback;
    void               *data;
} call_t;


static call_t    calls[128];
static unsigned  ncalls;
static int       refuses;
static char      dir[64];


static int
sends(void *data, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *cb_data)
{
    size_t   i;
    call_t  *c;

    (void) data;

    if (refuses || !rs_str_eq(tenant, RS_STR("acme"))) {
        return -1;
    }

    c = &calls[ncalls++ % 128];
    memcpy(c->ses, ses.data, ses.len);
    c->ses[ses.len] = '\0';
    c->n = n;
    c->callback = callback;
    c->data = cb_data;

    for (i = 0; i < n; i++) {
        c->items[i] = items[i];
        memcpy(c->keys[i], items[i].key.data, items[i].key.len);
        c->keys[i][items[i].key.len] = '\0';
    }

    return 0;
}


static turn_usage_t *
usage(int file, size_t max)
{
    char               error[TURN_CONF_ERROR_MAX];
    turn_usage_t      *u;
    turn_usage_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.relay = "r-1";
    conf.state_dir = file ? dir : NULL;
    conf.max = max;
    conf.flush_ms = 1000;
    conf.send = sends;
    ncalls = 0;
    refuses = 0;
    u = turn_usage_create(&conf, error, NOW);

    if (u == NULL) {
        printf("not ok - %s\n", error);
        exit(1);
    }

    return u;
}


static turn_usage_count_t *
count(uint64_t rcvb, uint64_t sentb)
{
    static turn_usage_count_t  c;

    c.rcvp = rcvb / 100;
    c.rcvb = rcvb;
    c.sentp = sentb / 100;
    c.sentb = sentb;

    return &c;
}


static void
answer(unsigned n, turn_usage_e result)
{
    calls[n].callback(calls[n].data, result);
}


static turn_usage_stat_t
stats(turn_usage_t *u)
{
    turn_usage_stat_t  stat;

    turn_usage_stat(u, &stat);

    return stat;
}


static void
test_flow(void)
{
    turn_usage_t  *u;

    u = usage(0, 0);
    is_int(turn_usage_due(u), UINT64_MAX, "nothing is due");
    turn_usage_add(u, 1, count(5, 5), NOW);
    turn_usage_total(u, 1, count(5, 5), NOW);
    turn_usage_close(u, 1, NOW);
    turn_usage_seen(u, 1, count(5, 5), NOW);
    turn_usage_open(u, 1, RS_STR("%s%n"), T0, NOW);
    turn_usage_add(u, 1, count(5, 5), NOW);
    is_int(turn_usage_due(u), UINT64_MAX, "of numbers nobody opened: nothing");

    turn_usage_open(u, 7, RS_STR(USER), T0, NOW);
    turn_usage_add(u, 7, count(100, 200), NOW);
    turn_usage_add(u, 7, count(300, 400), NOW + 10);
    is_int(turn_usage_due(u), NOW + 1000, "dirty: after a while");
    turn_usage_tick(u, NOW + 999);
    is_int(ncalls, 0, "not before");
    turn_usage_tick(u, NOW + 1000);
    ok(ncalls == 1 && calls[0].n == 1 && !strcmp(calls[0].ses, SES)
       && !strcmp(calls[0].keys[0], PAR "/r-1/7-1800000000")
       && calls[0].items[0].rcvb == 400 && calls[0].items[0].sentb == 600
       && calls[0].items[0].rcvp == 4 && calls[0].items[0].sentp == 6
       && !calls[0].items[0].done, "the sum is sent");

    turn_usage_add(u, 7, count(1, 1), NOW + 1001);
    turn_usage_tick(u, NOW + 9000);
    is_int(ncalls, 1, "one call of a session at a time");
    answer(0, TURN_USAGE_OK);
    turn_usage_tick(u, NOW + 10000);
    ok(ncalls == 2 && calls[1].items[0].rcvb == 401, "then the next");
    answer(1, TURN_USAGE_OK);
    turn_usage_tick(u, NOW + 20000);
    is_int(ncalls, 2, "nothing changed, nothing is sent");

    turn_usage_seen(u, 7, count(300, 300), NOW + 20000);
    turn_usage_tick(u, NOW + 30000);
    is_int(ncalls, 2, "a listing with less changes nothing");
    turn_usage_seen(u, 7, count(500, 300), NOW + 30000);
    turn_usage_tick(u, NOW + 31000);
    ok(ncalls == 3 && calls[2].items[0].rcvb == 500
       && calls[2].items[0].sentb == 601, "the greater one holds");

    turn_usage_close(u, 7, NOW + 31001);
    turn_usage_total(u, 7, count(450, 602), NOW + 31002);
    turn_usage_total(u, 7, count(9, 9), NOW + 31003);
    turn_usage_add(u, 7, count(9, 9), NOW + 31003);
    answer(2, TURN_USAGE_OK);
    turn_usage_tick(u, NOW + 31100);
    ok(ncalls == 4 && calls[3].items[0].rcvb == 450
       && calls[3].items[0].sentb == 602 && calls[3].items[0].done,
       "the total wins");
    is_int(stats(u).pending, 1, "kept until it is acknowledged");
    answer(3, TURN_USAGE_OK);
    ok(stats(u).pending == 0 && stats(u).open == 0 && stats(u).acked == 1,
       "then it is gone");
    is_int(turn_usage_due(u), UINT64_MAX, "all is done");

    turn_usage_destroy(u);
}


static void
test_failures(void)
{
    unsigned       i;
    uint64_t       now;
    turn_usage_t  *u;

    u = usage(0, 0);
    turn_usage_open(u, 1, RS_STR(USER), T0, NOW);
    turn_usage_total(u, 1, count(10, 20), NOW);
    turn_usage_tick(u, NOW + 20);
    answer(0, TURN_USAGE_UNAVAILABLE);
    is_int(turn_usage_due(u), NOW + 520, "half a second");
    refuses = 1;

    for (i = 0, now = NOW; i < 20; i++) {
        now = turn_usage_due(u);
        turn_usage_tick(u, now);
    }

    ok(turn_usage_due(u) - now == 8000, "at most 8 s");
    refuses = 0;
    turn_usage_resume(u, now + 1);
    ok(turn_usage_due(u) <= now + 20, "it is back: no more waiting");
    turn_usage_tick(u, now + 20);
    ok(ncalls == 2 && calls[1].items[0].sentb == 20 && calls[1].items[0].done,
       "sent when it is back");
    turn_usage_destroy(u);

    u = usage(0, 0);
    turn_usage_open(u, 1, RS_STR(USER), T0, NOW);
    turn_usage_add(u, 1, count(10, 20), NOW);
    turn_usage_tick(u, NOW + 1000);
    answer(0, TURN_USAGE_NOT_FOUND);
    turn_usage_add(u, 1, count(10, 20), NOW + 1000);
    turn_usage_tick(u, NOW + 9000);
    is_int(ncalls, 1, "a session that is gone is not asked again");
    turn_usage_total(u, 1, count(10, 20), NOW + 9000);
    turn_usage_tick(u, NOW + 19000);
    ok(ncalls == 1 && stats(u).pending == 0 && stats(u).not_found == 1,
       "and not at the end");

    turn_usage_open(u, 2, RS_STR(USER), T0, NOW);
    turn_usage_total(u, 2, count(10, 20), NOW);
    turn_usage_tick(u, NOW + 20000);
    answer(1, TURN_USAGE_REFUSED);
    ok(stats(u).pending == 0 && stats(u).lost == 1, "what is refused is lost");

    turn_usage_open(u, 3, RS_STR(USER), T0, NOW + 20000);
    turn_usage_add(u, 3, count(7, 7), NOW + 20000);
    turn_usage_close(u, 3, NOW + 20000);
    turn_usage_tick(u, NOW + 20999);
    ncalls = 0;
    turn_usage_tick(u, NOW + 21000);
    answer(0, TURN_USAGE_OK);
    ncalls = 0;
    turn_usage_tick(u, NOW + 21999);
    is_int(ncalls, 0, "a total may follow");
    turn_usage_tick(u, NOW + 22000);
    turn_usage_tick(u, turn_usage_due(u));
    ok(ncalls == 1 && calls[0].items[0].rcvb == 7 && !calls[0].items[0].done,
       "no total came: what is known is sent, not as final");
    answer(0, TURN_USAGE_OK);
    is_int(stats(u).pending, 0, "and done");

    turn_usage_destroy(u);
}


static void
test_batches(void)
{
    unsigned       i, n;
    uint64_t       now;
    turn_usage_t  *u;

    u = usage(0, 0);

    for (i = 1; i <= 100; i++) {
        turn_usage_open(u, i, RS_STR(USER), T0, NOW);
        turn_usage_total(u, i, count(i, i), NOW);
    }

    turn_usage_open(u, 101, RS_STR(USER2), T0, NOW);
    turn_usage_add(u, 101, count(1, 1), NOW);

    for (i = 0, n = 0, now = NOW; i < 20 && turn_usage_due(u) != UINT64_MAX;
         i++)
    {
        now = turn_usage_due(u);
        turn_usage_tick(u, now);

        while (n < ncalls) {
            answer(n++, TURN_USAGE_OK);
        }
    }

    is_int(ncalls, 5, "100 of a session in four calls, and another one's");
    is_int(stats(u).acked, 100, "all of them");
    turn_usage_destroy(u);

    u = usage(0, 3);

    for (i = 1; i <= 5; i++) {
        turn_usage_open(u, i, RS_STR(USER), T0, NOW);
        turn_usage_total(u, i, count(i, i), NOW);
    }

    is_int(stats(u).pending, 3, "bounded: the oldest are given up");
    is_int(stats(u).lost, 2, "and counted");

    turn_usage_destroy(u);
    u = usage(0, 1);
    turn_usage_open(u, 1, RS_STR(USER), T0, NOW);
    turn_usage_open(u, 2, RS_STR(USER), T0, NOW);
    ok(stats(u).open == 1 && stats(u).lost == 1, "what goes on is not");

    turn_usage_open(u, 1, RS_STR(USER), T0 + 60, NOW + 60000);
    is_int(stats(u).pending, 0, "a number again, and no room for both");
    turn_usage_destroy(u);
}


/* names and totals are the same after a restart */

static void
test_file(void)
{
    int            fd;
    char           path[128], big[32];
    unsigned       i;
    struct stat    sb;
    turn_usage_t  *u;

    (void) snprintf(path, sizeof(path), "%s/usage", dir);

    u = usage(1, 0);
    turn_usage_open(u, 1, RS_STR(USER), T0, NOW);
    turn_usage_open(u, 2, RS_STR(USER), T0, NOW);
    turn_usage_open(u, 3, RS_STR(USER2), T0, NOW);
    turn_usage_open(u, 4, RS_STR(USER), T0, NOW);
    turn_usage_total(u, 2, count(20, 30), NOW);
    turn_usage_total(u, 4, count(1, 1), NOW);
    turn_usage_tick(u, NOW + 20);
    is_int(ncalls, 1, "two totals");
    answer(0, TURN_USAGE_UNAVAILABLE);
    turn_usage_destroy(u);

    ok(stat(path, &sb) == 0 && (sb.st_mode & 0777) == 0600,
       "the file is private");
    fd = open(path, O_WRONLY | O_APPEND);
    ok(write(fd, "x\no 1\nq 1 1\no 9 9 a b c\nt 1 1800000000 5\nt 1", 43) == 43,
       "what is not of it, and a line that was cut");
    (void) close(fd);

    u = usage(1, 0);
    turn_usage_tick(u, NOW);
    ok(ncalls == 1 && calls[0].n == 2 && calls[0].items[0].done
       && calls[0].items[0].rcvb + calls[0].items[1].rcvb == 21
       && !strncmp(calls[0].keys[0], PAR "/r-1/", 35),
       "totals that were not acknowledged are sent again");
    answer(0, TURN_USAGE_OK);
    is_int(stats(u).open, 2, "what went on is known");

    turn_usage_open(u, 1, RS_STR(USER), T0 - 2, NOW);
    turn_usage_seen(u, 1, count(70, 80), NOW);
    turn_usage_add(u, 1, count(60, 90), NOW);
    turn_usage_listed(u, NOW);
    turn_usage_tick(u, NOW + 1000);
    ok(calls[1].items[0].rcvb == 70 && calls[1].items[0].sentb == 90,
       "what was listed and what was added are not added up");
    ok(ncalls == 2 && calls[1].n == 1
       && !strcmp(calls[1].keys[0], PAR "/r-1/1-1800000000"),
       "its name is the one it had, whatever the listing says");
    answer(1, TURN_USAGE_OK);
    turn_usage_tick(u, NOW + 3000);
    is_int(stats(u).open, 1, "what coturn has not any more is over");
    turn_usage_destroy(u);

    u = usage(1, 0);
    is_int(stats(u).open + stats(u).pending, 2, "one, and one to tell of");
    turn_usage_open(u, 1, RS_STR(USER), T0 + 11, NOW);
    turn_usage_seen(u, 1, count(1, 1), NOW);
    turn_usage_tick(u, NOW + 1000);
    ok(ncalls && !strcmp(calls[ncalls - 1].keys[calls[ncalls - 1].n - 1],
                         PAR "/r-1/1-1800000011"),
       "another one with that number has another name");

    for (i = 0; i < ncalls; i++) {
        answer(i, TURN_USAGE_OK);
    }

    for (i = 0; i < 40000; i++) {
        (void) snprintf(big, sizeof(big), "%u", i);
        turn_usage_open(u, 100 + i, RS_STR(USER2), T0, NOW + 1000);
        turn_usage_total(u, 100 + i, count(i, i), NOW + 1000);

        if (i % 16 == 15) {
            ncalls = 0;
            turn_usage_tick(u, turn_usage_due(u));
            answer(0, TURN_USAGE_OK);
        }
    }

    turn_usage_tick(u, turn_usage_due(u));
    ok(stat(path, &sb) == 0 && sb.st_size < 8 * 1024 * 1024,
       "history is thrown away, %llu bytes",
       (unsigned long long) sb.st_size);
    turn_usage_destroy(u);
    (void) unlink(path);
}


int
main(void)
{
    (void) strcpy(dir, "/tmp/rs-turn-usage.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return 1;
    }

    (void) setvbuf(stdout, NULL, _IONBF, 0);
    test_flow();
    test_failures();
    test_batches();
    test_file();
    (void) rmdir(dir);

    return tap_done();
}
