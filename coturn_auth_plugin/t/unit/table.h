
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the tests of the table share: ids by number, and a table with a clock
 * of the test.
 */


#ifndef _TABLE_H_INCLUDED_
#define _TABLE_H_INCLUDED_


#include "tap.h"
#include "turn_table.h"


#define T0      UINT64_C(1800000000)   /* s */
#define NOW     (T0 * 1000)
#define LATER   (NOW + 20000)
#define NONE    RS_STR("")
#define ACME    RS_STR("acme")


static unsigned  wakes;


static void
woken(void *data)
{
    (void) data;

    wakes++;
}


/* ids by number; a ring, so that several may stand in one call */

static rs_str_t
id_of(const char *prefix, unsigned n)
{
    static char      ring[8][RS_ID_LEN];
    static unsigned  at;
    char            *p;
    uint8_t          random[RS_ID_RANDOM_LEN];

    memset(random, 0, sizeof(random));
    random[0] = (uint8_t) (n >> 24);
    random[1] = (uint8_t) (n >> 16);
    random[2] = (uint8_t) (n >> 8);
    random[3] = (uint8_t) n;

    p = ring[at++ % 8];
    rs_id_format(p, prefix, random);

    return (rs_str_t) { (uint8_t *) p, RS_ID_LEN };
}


static rs_str_t
ses(unsigned n)
{
    return id_of(RS_ID_SESSION, n);
}


static rs_str_t
par(unsigned n)
{
    return id_of(RS_ID_PARTICIPANT, n);
}


static rs_str_t
user(const char *tenant, unsigned s, unsigned p, uint64_t expiry)
{
    static char      ring[4][RS_TURN_USERNAME_MAX];
    static unsigned  at;
    char            *dst;
    rs_turn_user_t   u;

    u.expires_at = expiry;
    u.tenant = rs_str(tenant);
    u.session_id = ses(s);
    u.participant_id = par(p);
    dst = ring[at++ % 4];

    return (rs_str_t) { (uint8_t *) dst, rs_turn_user_format(dst, &u) };
}


static turn_table_t *
table(const turn_table_conf_t *more)
{
    turn_table_t       *t;
    turn_table_conf_t   conf;

    memset(&conf, 0, sizeof(conf));

    if (more != NULL) {
        conf = *more;
    }

    conf.quota = conf.quota ? conf.quota : 12;
    conf.host_quota = conf.host_quota ? conf.host_quota : 48;
    conf.credential_ttl_s = 300;
    conf.skew_s = 60;
    conf.stale_limit_s = 3600;
    conf.seed = 42;
    conf.wake = woken;

    t = turn_table_create(&conf);
    turn_table_round_begin(t);
    turn_table_round_end(t, 1, NOW);

    return t;
}


static size_t
doomed(turn_table_t *t)
{
    turn_table_stat_t  stat;

    turn_table_stat(t, &stat);

    return stat.doomed;
}


static void
is_v(turn_verdict_e got, turn_verdict_e want, const char *what)
{
    if (!ok(got == want, "%s", what)) {
        printf("#   got %s, want %s\n", turn_verdict_name(got),
               turn_verdict_name(want));
    }
}


#endif /* _TABLE_H_INCLUDED_ */
