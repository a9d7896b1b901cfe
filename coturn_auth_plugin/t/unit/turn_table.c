
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table with a clock of the test.
 */


#include "table.h"


static uint64_t  gone_ids[16];
static unsigned  ngone;


static void
gone(void *data, uint64_t id)
{
    (void) data;

    gone_ids[ngone++ % 16] = id;
}


static void
test_verdicts(void)
{
    rs_str_t            served;
    turn_table_t       *t;
    rs_turn_user_t      u;
    turn_table_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    served = ACME;
    conf.tenants = &served;
    conf.ntenants = 1;
    t = table(&conf);

    is_v(turn_table_verdict(t, RS_STR("x"), NULL, NOW), TURN_V_BAD_GRAMMAR,
         "not of our form");
    is_v(turn_table_verdict(t, user("other", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_OTHER_TENANT, "another tenant");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_UNKNOWN_SESSION, "a session never heard of");

    is_rc(turn_table_live(t, RS_STR("other"), ses(1), T0 + 600, NONE, NOW),
          RS_E_FORBIDDEN, "another tenant's session");
    is_rc(turn_table_live(t, ACME, RS_STR("ses_1"), T0 + 600, NONE, NOW),
          RS_E_INVALID_VALUE, "a malformed session");
    is_rc(turn_table_live(t, ACME, ses(1), T0 + 600, RS_STR("par"), NOW),
          RS_E_INVALID_VALUE, "a malformed host");
    is_rc(turn_table_live(t, ACME, ses(1), T0 + 600, par(1), NOW), RS_OK,
          "a session lives");

    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), &u, NOW),
         TURN_V_OK, "its user name is good");
    ok(rs_str_eq(u.session_id, ses(1)), "and taken apart");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 - 1), NULL, NOW),
         TURN_V_EXPIRED, "expired");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0), NULL, NOW),
         TURN_V_OK, "in its last second");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 660), NULL, NOW),
         TURN_V_OK, "the session's end and the skew");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 661), NULL, NOW),
         TURN_V_TOO_FAR, "beyond");
    is_v(turn_table_verdict(t, user("acme", 1, 1, UINT64_MAX), NULL, NOW),
         TURN_V_TOO_FAR, "far beyond");

    is_rc(turn_table_revoke(t, ACME, ses(1), par(2), T0 + 600, NOW), RS_OK,
          "a participant is revoked");
    is_v(turn_table_verdict(t, user("acme", 1, 2, T0 + 60), NULL, NOW),
         TURN_V_REVOKED, "it is");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_OK, "and nobody else");

    is_rc(turn_table_end(t, ACME, ses(1), T0 + 600, NOW), RS_OK, "end");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_ENDED, "ended");
    is_rc(turn_table_live(t, ACME, ses(1), T0 + 900, NONE, NOW), RS_OK,
          "an old listing");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_ENDED, "brings nothing back");

    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 3661), NULL,
                            NOW + 3600 * 1000),
         TURN_V_STALE, "stale after an hour");

    turn_table_destroy(t);

    memset(&conf, 0, sizeof(conf));
    conf.stale_limit_s = 1;
    conf.seed = 1;
    t = turn_table_create(&conf);
    ok(turn_table_stale(t, NOW), "stale before the first round");
    conf.stale_limit_s = 0;
    turn_table_reconf(t, &conf);
    ok(!turn_table_stale(t, NOW), "never, without a limit");
    turn_table_destroy(t);
}


static void
test_names(void)
{
    int  i, good;

    good = 1;

    for (i = 0; i < TURN_V_MAX; i++) {
        good = good && strcmp(turn_verdict_name((turn_verdict_e) i),
                              "unknown");
    }

    ok(good && !strcmp(turn_verdict_name(TURN_V_POLICY), "policy")
       && !strcmp(turn_verdict_name(TURN_V_MAX), "unknown"),
       "each verdict has a name");
}


static void
test_allocations(void)
{
    turn_table_t       *t;
    turn_alloc_info_t   info;

    t = table(NULL);
    wakes = 0;

    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);
    is_v(turn_table_alloc(t, 7, user("acme", 1, 1, T0 + 60), NOW), TURN_V_OK,
         "an allocation");
    is_v(turn_table_alloc(t, 7, user("acme", 1, 1, T0 + 60), NOW), TURN_V_OK,
         "told twice");
    ok(turn_table_find(t, 7, &info) && info.state == TURN_ALLOC_LIVE
       && info.started_at == T0 && rs_str_eq(info.participant_id, par(1))
       && rs_str_eq(info.session_id, ses(1))
       && rs_str_eq(info.tenant, ACME), "is found");
    ok(!turn_table_find(t, 8, &info), "no other");

    is_v(turn_table_alloc(t, 8, RS_STR("x\n> "), NOW), TURN_V_BAD_GRAMMAR,
         "one that is not ours");
    is_v(turn_table_alloc(t, 8, RS_STR("x\n> "), NOW), TURN_V_BAD_GRAMMAR,
         "told twice");
    is_v(turn_table_alloc(t, 9, user("acme", 1, 1, T0 - 61), NOW),
         TURN_V_EXPIRED, "expired before the skew");
    is_int(doomed(t), 2, "two are doomed");

    (void) turn_table_end(t, ACME, ses(1), T0 + 600, NOW + 5);
    is_int(doomed(t), 3, "the session's end dooms its own");
    ok(wakes >= 3, "all of it was told");

    ok(turn_table_next_doomed(t, &info) && info.id == 7
       && info.why == TURN_V_ENDED && info.doomed_at == NOW + 5
       && info.state == TURN_ALLOC_DYING, "ends go first");
    ok(turn_table_next_doomed(t, &info) && info.id == 8
       && info.why == TURN_V_BAD_GRAMMAR && info.tenant.len == 0,
       "then in their order");
    turn_table_retry(t, 7);
    ok(turn_table_next_doomed(t, &info) && info.id == 7 && info.tries == 2,
       "once more");
    ok(turn_table_next_doomed(t, &info) && info.id == 9, "the last");
    ok(!turn_table_next_doomed(t, &info), "no more");
    turn_table_retry(t, 0);
    ok(turn_table_next_doomed(t, &info) && turn_table_next_doomed(t, &info)
       && turn_table_next_doomed(t, &info)
       && !turn_table_next_doomed(t, &info), "all of them again");

    is_int((uint64_t) turn_table_free(t, 7), 1, "gone");
    is_int((uint64_t) turn_table_free(t, 7), 0, "once");
    turn_table_retry(t, 7);
    is_int(doomed(t), 2, "a retry of what is gone is none");

    is_v(turn_table_alloc(t, 8, user("acme", 1, 1, T0 + 60), NOW),
         TURN_V_ENDED, "a known number with another name is another one");
    (void) turn_table_live(t, ACME, ses(2), T0 + 600, NONE, NOW);
    (void) turn_table_alloc(t, 30, user("acme", 2, 1, T0 + 60), NOW);
    turn_table_doom(t, 30, TURN_V_POLICY, NOW);
    is_v(turn_table_alloc(t, 30, user("acme", 2, 1, T0 + 60), NOW + 10000),
         TURN_V_POLICY, "told again soon, it is the same");
    is_v(turn_table_alloc(t, 30, user("acme", 2, 1, T0 + 60), NOW + 11000),
         TURN_V_OK, "later, coturn counts from one again");

    turn_table_destroy(t);
}


static rs_str_t
check(const char *tenant, uint64_t expiry)
{
    static char      name[RS_TURN_USERNAME_MAX];
    rs_turn_user_t   u;

    u.expires_at = expiry;
    u.tenant = rs_str(tenant);
    u.session_id = ses(1);
    u.participant_id = RS_STR(RS_TURN_CHECK_PARTICIPANT);

    return (rs_str_t) { (uint8_t *) name, rs_turn_user_format(name, &u) };
}


/* of a check: let in for a minute whatever sessions there are, then ended */

static void
test_check(void)
{
    turn_table_t       *t;
    turn_alloc_info_t   info;
    turn_table_stat_t   stat;
    turn_table_conf_t   conf;

    static const rs_str_t  tenants[] = { { (uint8_t *) "acme", 4 } };

    memset(&conf, 0, sizeof(conf));
    conf.tenants = tenants;
    conf.ntenants = 1;
    t = table(&conf);

    is_v(turn_table_verdict(t, check("acme", T0 + 60), NULL, NOW), TURN_V_OK,
         "a check");
    is_v(turn_table_verdict(t, check("acme", T0 + 60 + 60), NULL, NOW),
         TURN_V_OK, "with the skew");
    is_v(turn_table_verdict(t, check("acme", T0 + 60 + 61), NULL, NOW),
         TURN_V_TOO_FAR, "for longer than a minute");
    is_v(turn_table_verdict(t, check("acme", T0 - 1), NULL, NOW),
         TURN_V_EXPIRED, "one that is over");
    is_v(turn_table_verdict(t, check("other", T0 + 60), NULL, NOW),
         TURN_V_OTHER_TENANT, "of a tenant that is not served");

    is_v(turn_table_alloc(t, 5, check("acme", T0 + 60), NOW), TURN_V_CHECK,
         "what it allocates");
    ok(turn_table_next_doomed(t, &info) && info.id == 5
       && info.why == TURN_V_CHECK, "is ended");
    turn_table_stat(t, &stat);
    is_int(stat.asked + stat.live + stat.participants, 0,
           "and nobody is asked of its session");
    turn_table_ps_begin(t, NOW);
    is_v(turn_table_ps_seen(t, 6, check("acme", T0 + 60), T0, NOW),
         TURN_V_CHECK, "nor does one live that was listed");
    turn_table_ps_end(t, 0, NULL, NULL);

    turn_table_destroy(t);
}


static void
test_quota(void)
{
    unsigned           i, good;
    turn_table_t      *t;
    turn_table_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.quota = 2;
    conf.host_quota = 3;
    t = table(&conf);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, par(9), NOW);

    for (i = 1, good = 0; i <= 2; i++) {
        good += turn_table_alloc(t, i, user("acme", 1, 1, T0 + 60 + i), NOW)
                == TURN_V_OK;
    }

    is_int(good, 2, "two");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 70), NULL, NOW),
         TURN_V_OVER_QUOTA, "no key for a third");
    is_v(turn_table_alloc(t, 3, user("acme", 1, 1, T0 + 71), NOW),
         TURN_V_OVER_QUOTA, "nor an allocation, with a fresh name");
    is_int(doomed(t), 1, "that one is doomed");

    for (i = 10, good = 0; i < 14; i++) {
        good += turn_table_alloc(t, i, user("acme", 1, 9, T0 + 60), NOW)
                == TURN_V_OK;
    }

    is_int(good, 3, "the host has its own");

    (void) turn_table_free(t, 3);
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 72), NULL, NOW),
         TURN_V_OVER_QUOTA, "the refused one was not counted");
    (void) turn_table_free(t, 2);
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 72), NULL, NOW),
         TURN_V_OK, "a place is free again");

    conf.quota = 1;
    conf.credential_ttl_s = 300;
    turn_table_reconf(t, &conf);
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 72), NULL, NOW),
         TURN_V_OVER_QUOTA, "a smaller one holds at once");

    turn_table_destroy(t);
}


static void
test_asks(void)
{
    unsigned            i, n;
    turn_ask_t          ask;
    turn_table_t       *t;
    turn_table_stat_t   stat;
    turn_table_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.quota = 1;
    conf.max_asks = 3;
    t = table(&conf);

    is_v(turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 60), NOW), TURN_V_OK,
         "an allocation of a session never heard of waits");
    is_v(turn_table_alloc(t, 2, user("acme", 1, 1, T0 + 60), NOW), TURN_V_OK,
         "and another one");
    ok(turn_table_next_ask(t, &ask) && rs_str_eq(ask.session_id, ses(1))
       && rs_str_eq(ask.participant_id, par(1))
       && rs_str_eq(ask.tenant, ACME), "upstream is asked");
    ok(!turn_table_next_ask(t, &ask), "once");
    is_int(doomed(t), 0, "both wait");

    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);
    turn_table_stat(t, &stat);
    is_int(stat.waiting, 0, "it lives: nothing waits");
    is_int(stat.doomed, 1, "the quota holds");
    is_int(stat.asked, 0, "the question is done");

    (void) turn_table_alloc(t, 3, user("acme", 2, 1, T0 + 60), NOW);
    (void) turn_table_unknown(t, ACME, ses(2), NOW);
    is_int(doomed(t), 2, "unknown upstream: ended");

    (void) turn_table_alloc(t, 4, user("acme", 3, 1, T0 + 60), NOW);
    (void) turn_table_revoke(t, ACME, ses(3), par(1), T0 + 99, NOW);
    is_int(doomed(t), 3, "revoked: ended");
    (void) turn_table_alloc(t, 5, user("acme", 3, 2, T0 + 60), NOW);
    (void) turn_table_end(t, ACME, ses(3), T0 + 99, NOW);
    is_int(doomed(t), 4, "ended: ended");
    (void) turn_table_alloc(t, 6, user("acme", 4, 2, T0 + 60), NOW);
    (void) turn_table_live(t, ACME, ses(4), T0 - 1, NONE, NOW);
    is_int(doomed(t), 5, "overdue: ended");

    for (i = 100, n = 0; i < 110; i++) {
        n += turn_table_verdict(t, user("acme", i, 1, T0 + 60), NULL, NOW)
             == TURN_V_UNKNOWN_SESSION;
    }

    is_int(n, 10, "names nobody knows");
    for (n = 0; turn_table_next_ask(t, &ask); n++) { /* void */ }
    is_int(n, 3, "lead to a bounded number of questions");
    is_v(turn_table_alloc(t, 7, user("acme", 5, 2, T0 + 60), NOW), TURN_V_FULL,
         "no place for the question: refused");

    turn_table_round_begin(t);
    turn_table_round_end(t, 1, NOW + 1000);
    turn_table_stat(t, &stat);
    is_int(stat.asked, 0, "attempts are forgotten after a round");

    turn_table_destroy(t);
}


/* upstream may be away for ever; nothing says when such a session is over */

static void
test_waits(void)
{
    uint64_t            now;
    turn_table_t       *t;
    turn_table_stat_t   stat;

    t = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 86400, NONE, NOW);
    (void) turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 300), NOW);
    (void) turn_table_alloc(t, 2, user("acme", 2, 1, T0 + 900),
                            NOW + 600000);

    for (now = NOW; now < NOW + 4190000; now += 5000) {
        turn_table_tick(t, now);
    }

    is_int(doomed(t), 0, "it waits for upstream");

    for ( /* void */ ; now < NOW + 4210000; now += 5000) {
        turn_table_tick(t, now);
    }

    turn_table_stat(t, &stat);
    is_int(stat.ended[TURN_V_STALE], 1, "stale_limit: not any longer");
    is_int(stat.asked, 0, "nor is it asked for");
    is_int(stat.waiting, 0, "nothing waits");
    is_int(doomed(t), 1, "what is known to live lives on");

    turn_table_destroy(t);
}


/* redis = off: nobody can be asked, and everybody is taken */

static void
test_alone(void)
{
    unsigned            i, n;
    turn_ask_t          ask;
    turn_table_t       *t;
    turn_table_stat_t   stat;
    turn_table_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.quota = 2;
    conf.host_quota = 2;
    conf.alone = 1;
    t = turn_table_create(&conf);

    for (i = 1, n = 0; i <= 3000; i++) {
        n += turn_table_alloc(t, i, user("acme", i, 1, T0 + 60), NOW)
             == TURN_V_OK;
    }

    is_int(n, 3000, "more sessions than questions");
    ok(!turn_table_next_ask(t, &ask), "nothing is asked");
    turn_table_stat(t, &stat);
    is_int(stat.waiting, 0, "nor waited for");

    turn_table_tick(t, NOW + 86400000);
    is_int(doomed(t), 0, "all live on");

    for (i = 1; i <= 3000; i++) {
        (void) turn_table_free(t, i);
    }

    turn_table_tick(t, NOW + 2 * 86400000);
    turn_table_stat(t, &stat);
    ok(stat.tenants == 0 && stat.participants == 0, "nothing is kept of them");

    turn_table_destroy(t);
}


static void
test_bucket(void)
{
    unsigned       i, n;
    turn_ask_t     ask;
    turn_table_t  *t;

    t = table(NULL);

    for (i = 0; i < 200; i++) {
        (void) turn_table_verdict(t, user("acme", i, 1, T0 + 60), NULL, NOW);
    }

    for (n = 0; turn_table_next_ask(t, &ask); n++) { /* void */ }
    is_int(n, 50, "50 questions of strangers at once");

    turn_table_tick(t, NOW + 61000);
    is_int(turn_table_due(t), UINT64_MAX, "no trace of them after a minute");
    turn_table_destroy(t);
}


static void
test_resync(void)
{
    turn_ask_t     ask;
    turn_table_t  *t;

    t = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);
    (void) turn_table_live(t, ACME, ses(2), T0 + 600, NONE, NOW);
    (void) turn_table_live(t, RS_STR("other"), ses(3), T0 + 600, NONE, NOW);
    (void) turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 60), NOW);
    (void) turn_table_alloc(t, 2, user("acme", 2, 1, T0 + 60), NOW);
    (void) turn_table_alloc(t, 3, user("other", 3, 1, T0 + 60), NOW);
    (void) turn_table_alloc(t, 8, user("acme", 8, 1, T0 + 60), NOW);
    (void) turn_table_alloc(t, 9, user("lost", 9, 1, T0 + 60), NOW);
    ok(turn_table_next_ask(t, &ask) && turn_table_next_ask(t, &ask),
       "two are not known");

    turn_table_round_begin(t);
    is_rc(turn_table_tenant_begin(t, ACME), RS_OK, "a listing begins");
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);
    (void) turn_table_live(t, ACME, ses(4), T0 + 600, NONE, NOW);
    (void) turn_table_alloc(t, 7, user("acme", 7, 1, T0 + 60), NOW);
    (void) turn_table_next_ask(t, &ask);
    turn_table_tenant_end(t, ACME, 0, NOW);
    is_int(doomed(t), 0, "it breaks off: nobody has ended");

    (void) turn_table_tenant_begin(t, ACME);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);
    (void) turn_table_live(t, ACME, ses(5), T0 + 600, NONE, NOW);
    (void) turn_table_alloc(t, 6, user("acme", 6, 1, T0 + 60), NOW);
    (void) turn_table_next_ask(t, &ask);
    turn_table_tenant_end(t, ACME, 1, NOW);
    is_int(doomed(t), 1, "complete: what was not in it has ended");
    is_v(turn_table_verdict(t, user("acme", 2, 1, T0 + 60), NULL, NOW),
         TURN_V_ENDED, "that one");
    is_v(turn_table_verdict(t, user("acme", 4, 1, T0 + 60), NULL, NOW),
         TURN_V_ENDED, "and what the broken one had");
    is_v(turn_table_verdict(t, user("other", 3, 1, T0 + 60), NULL, NOW),
         TURN_V_OK, "a tenant that was missed loses nothing");

    turn_table_round_end(t, 1, NOW + 7);
    is_int(turn_table_synced_at(t), NOW + 7, "the round is over");
    is_int(doomed(t), 3, "unknown and not listed: ended");
    ok(turn_table_next_ask(t, &ask) && turn_table_next_ask(t, &ask)
       && !turn_table_next_ask(t, &ask),
       "who came during the listing, or whose tenant was missed: asked again");

    turn_table_round_begin(t);
    turn_table_round_end(t, 0, NOW + 9);
    is_int(turn_table_synced_at(t), NOW + 7, "an incomplete one counts not");

    turn_table_destroy(t);
}


static void
test_time(void)
{
    turn_table_t       *t;
    turn_table_stat_t   stat;

    t = table(NULL);
    is_int(turn_table_due(t), UINT64_MAX, "nothing is due");
    (void) turn_table_live(t, ACME, ses(1), T0 + 3, NONE, NOW);
    (void) turn_table_live(t, ACME, ses(2), T0 + 9, NONE, NOW);
    (void) turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 3), NOW);
    is_int(turn_table_due(t), NOW + 3000, "the first end");

    turn_table_tick(t, NOW + 2999);
    is_int(doomed(t), 0, "not before");
    turn_table_tick(t, NOW + 3000);
    is_int(doomed(t), 1, "on time");
    turn_table_stat(t, &stat);
    is_int(stat.tombstones, 1, "a tombstone");

    (void) turn_table_live(t, ACME, ses(1), T0 + 3, NONE, NOW + 2000);
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, NOW + 3001),
         TURN_V_ENDED, "the same end brings nothing back");
    (void) turn_table_live(t, ACME, ses(1), T0 + 20, NONE, NOW + 3000);
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, NOW + 3001),
         TURN_V_OK, "a later one does: it was prolonged");

    (void) turn_table_live(t, ACME, ses(1), T0 + 10, NONE, NOW + 3000);
    turn_table_tick(t, NOW + 15000);
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL,
                            NOW + 15000),
         TURN_V_OK, "an earlier one changes nothing");

    (void) turn_table_free(t, 1);
    turn_table_tick(t, NOW + 90000);
    turn_table_tick(t, NOW + 90000);
    turn_table_stat(t, &stat);
    is_int(stat.live + stat.tombstones + stat.participants + stat.tenants, 0,
           "everything goes in the end");

    turn_table_destroy(t);
}


static void
test_ps(void)
{
    turn_table_t       *t;
    turn_alloc_info_t   info;

    t = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);
    (void) turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 60), NOW);
    (void) turn_table_alloc(t, 2, user("acme", 1, 2, T0 + 60), NOW);
    (void) turn_table_alloc(t, 3, user("acme", 1, 3, T0 + 60), NOW);

    ngone = 0;
    turn_table_ps_begin(t, NOW);
    (void) turn_table_ps_seen(t, 1, user("acme", 1, 1, T0 + 60), T0, NOW);
    (void) turn_table_ps_seen(t, 4, user("acme", 1, 4, T0 - 900), T0 - 9, NOW);
    turn_table_ps_end(t, 0, gone, NULL);
    is_int(ngone, 0, "a listing that was cut: nothing is gone");
    ok(turn_table_find(t, 4, &info) && info.state == TURN_ALLOC_LIVE
       && info.started_at == T0 - 9, "one was adopted");

    turn_table_ps_begin(t, NOW);
    (void) turn_table_ps_seen(t, 1, user("acme", 1, 1, T0 + 60), T0, NOW);
    (void) turn_table_ps_seen(t, 2, user("acme", 1, 9, T0 + 60), T0, NOW);
    (void) turn_table_ps_seen(t, 4, user("acme", 1, 4, T0 - 900), T0 - 8,
                              NOW);
    (void) turn_table_alloc(t, 5, user("acme", 1, 5, T0 + 60), NOW);
    (void) turn_table_alloc(t, 6, user("acme", 1, 5, T0 + 60), NOW);
    (void) turn_table_free(t, 6);
    (void) turn_table_ps_seen(t, 6, user("acme", 1, 5, T0 + 60), T0, NOW);
    turn_table_ps_end(t, 1, gone, NULL);
    ok(ngone == 1 && gone_ids[0] == 3, "one is gone");
    ok(turn_table_find(t, 2, &info) && rs_str_eq(info.participant_id, par(9)),
       "one is another's now");
    ok(turn_table_find(t, 5, &info), "one came in the meantime");
    ok(!turn_table_find(t, 6, &info), "one went in the meantime");

    is_v(turn_table_ps_seen(t, 7, user("acme", 5, 1, T0 + 60), T0, NOW),
         TURN_V_OK, "adopted, its session is not known");
    turn_table_ps_reset(t, gone, NULL);
    is_int(ngone, 6, "coturn has started anew: all are gone");
    is_int(doomed(t), 0, "none was doomed");

    turn_table_doom(t, 1, TURN_V_POLICY, NOW);
    (void) turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 60), NOW);
    turn_table_doom(t, 1, TURN_V_POLICY, NOW);
    ok(turn_table_next_doomed(t, &info) && info.why == TURN_V_POLICY,
       "a policy ends one");

    turn_table_destroy(t);
}


/* neither CLI nor events for a quarter of an hour: judged as of its begin */

static void
test_ps_late(void)
{
    turn_table_t  *t;

    t = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 7200, NONE, NOW);

    turn_table_ps_begin(t, NOW);
    turn_table_ps_end(t, 1, NULL, NULL);

    turn_table_ps_begin(t, NOW + 900000);
    is_v(turn_table_ps_seen(t, 1, user("acme", 1, 1, T0 + 300), T0 + 100,
                            NOW + 900000),
         TURN_V_OK, "a name that was good when it began");
    is_v(turn_table_ps_seen(t, 2, user("acme", 1, 2, T0 + 300), T0 + 400,
                            NOW + 900000),
         TURN_V_EXPIRED, "one that was not");
    turn_table_ps_end(t, 1, NULL, NULL);

    turn_table_destroy(t);
}


static void
test_bounds(void)
{
    unsigned            i, n;
    turn_table_t       *t;
    turn_table_stat_t   stat;
    turn_table_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.max_sessions = 4;
    conf.max_allocs = 3;
    conf.max_tenants = 2;
    conf.max_participants = 2;
    t = table(&conf);

    for (i = 0, n = 0; i < 6; i++) {
        n += turn_table_live(t, ACME, ses(i), T0 + 600, NONE, NOW) == RS_OK;
    }

    is_int(n, 4, "sessions are bounded");
    (void) turn_table_end(t, ACME, ses(0), T0 + 600, NOW);
    is_rc(turn_table_live(t, ACME, ses(7), T0 + 600, NONE, NOW), RS_OK,
          "the oldest tombstone makes room");
    is_rc(turn_table_end(t, ACME, ses(8), T0 + 600, NOW), RS_E_LIMIT_REACHED,
          "a tombstone does not displace the living");

    for (i = 0, n = 0; i < 5; i++) {
        n += turn_table_alloc(t, 10 + i, user("acme", 1 + i % 3, 1, T0 + 60),
                              NOW) == TURN_V_OK;
    }

    is_int(n, 3, "allocations are bounded");
    (void) turn_table_free(t, 10);

    (void) turn_table_revoke(t, ACME, ses(7), par(1), T0 + 600, NOW);
    (void) turn_table_revoke(t, ACME, ses(7), par(2), T0 + 600, NOW);
    is_rc(turn_table_revoke(t, ACME, ses(7), par(3), T0 + 600, NOW),
          RS_E_LIMIT_REACHED, "participants are bounded");
    is_v(turn_table_verdict(t, user("acme", 7, 3, T0 + 60), NULL, NOW),
         TURN_V_REVOKED, "who was not stored is refused all the same");
    is_v(turn_table_alloc(t, 20, user("acme", 7, 4, T0 + 60), NOW),
         TURN_V_REVOKED, "and so is every new one there");

    turn_table_stat(t, &stat);
    ok(stat.full >= 5, "all of it was counted");
    turn_table_destroy(t);

    t = table(&conf);
    (void) turn_table_live(t, RS_STR("a"), ses(1), T0 + 600, NONE, NOW);
    (void) turn_table_live(t, RS_STR("b"), ses(2), T0 + 600, NONE, NOW);
    is_rc(turn_table_live(t, RS_STR("c"), ses(3), T0 + 600, NONE, NOW),
          RS_E_LIMIT_REACHED, "tenants are bounded");
    turn_table_destroy(t);
}


static turn_table_t  *copy;


static void
copy_entry(void *data, const turn_entry_t *e)
{
    (void) data;

    ok(turn_table_restore(copy, e, NOW) == RS_OK, "entry %d", (int) e->type);
}


static void
test_snapshot(void)
{
    turn_table_t  *t;

    t = table(NULL);
    copy = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, par(9), NOW);
    (void) turn_table_end(t, ACME, ses(2), T0 + 600, NOW);
    (void) turn_table_revoke(t, ACME, ses(1), par(2), T0 + 600, NOW);
    (void) turn_table_alloc(t, 1, user("acme", 1, 3, T0 + 90), NOW);
    turn_table_walk(t, copy_entry, NULL);
    turn_table_destroy(t);

    is_v(turn_table_verdict(copy, user("acme", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_OK, "lives there, too");
    is_v(turn_table_verdict(copy, user("acme", 2, 1, T0 + 60), NULL, NOW),
         TURN_V_ENDED, "ended");
    is_v(turn_table_verdict(copy, user("acme", 1, 2, T0 + 60), NULL, NOW),
         TURN_V_REVOKED, "revoked");
    is_v(turn_table_verdict(copy, user("acme", 1, 3, T0 + 60), NULL, NOW),
         TURN_V_SUPERSEDED, "superseded");

    turn_table_round_begin(copy);
    (void) turn_table_tenant_begin(copy, ACME);
    turn_table_tenant_end(copy, ACME, 1, NOW);
    is_v(turn_table_verdict(copy, user("acme", 1, 1, T0 + 60), NULL, NOW),
         TURN_V_ENDED, "a listing rules over what was restored");

    turn_table_set_synced_at(copy, NOW - 1);
    is_int(turn_table_synced_at(copy), NOW - 1, "its age comes along");
    turn_table_destroy(copy);
}


/* many, in all states, in a random but repeatable order: counts agree */

static void
test_random(void)
{
    unsigned            i, s, p, seed;
    uint64_t            now, due;
    turn_ask_t          ask;
    turn_table_t       *t;
    turn_table_conf_t   conf;
    turn_table_stat_t   stat;
    turn_alloc_info_t   info;

    memset(&conf, 0, sizeof(conf));
    conf.max_sessions = 40;
    conf.max_allocs = 60;
    conf.max_participants = 4;
    conf.max_asks = 8;
    conf.quota = 3;
    t = table(&conf);
    seed = 7;
    now = NOW;

    for (i = 0; i < 200000; i++) {
        seed = seed * 1103515245 + 12345;
        s = (seed >> 16) % 60;
        p = (seed >> 8) % 6;
        now += seed % 97;

        switch ((seed >> 24) % 12) {

        case 0:
        case 1:
            (void) turn_table_live(t, ACME, ses(s), now / 1000 + s, par(1),
                                   now);
            break;

        case 2:
            (void) turn_table_end(t, ACME, ses(s), now / 1000 + s, now);
            break;

        case 3:
            (void) turn_table_revoke(t, ACME, ses(s), par(p),
                                     now / 1000 + s, now);
            break;

        case 4:
        case 5:
            (void) turn_table_alloc(t, i % 90, user("acme", s, p,
                                    now / 1000 + 10), now);
            break;

        case 6:
            (void) turn_table_free(t, i % 90);
            break;

        case 7:
            (void) turn_table_next_doomed(t, &info);
            turn_table_retry(t, seed % 3 ? 0 : info.id);
            break;

        case 8:
            turn_table_round_begin(t);
            (void) turn_table_tenant_begin(t, ACME);
            (void) turn_table_live(t, ACME, ses(s), now / 1000 + 9, NONE, now);
            turn_table_tenant_end(t, ACME, seed % 2, now);
            turn_table_round_end(t, seed % 2, now);
            break;

        case 9:
            turn_table_ps_begin(t, NOW);
            (void) turn_table_ps_seen(t, i % 90, user("acme", s, p,
                                      now / 1000), now / 1000, now);
            turn_table_ps_end(t, seed % 64 == 0, NULL, NULL);
            break;

        case 10:
            (void) turn_table_next_ask(t, &ask);
            (void) turn_table_unknown(t, ACME, ses(s), now);
            (void) turn_table_verdict(t, user("acme", s, p, now / 1000 + 5),
                                      NULL, now);
            break;

        default:
            turn_table_tick(t, now);
            break;
        }
    }

    turn_table_stat(t, &stat);
    ok(stat.live + stat.tombstones <= 40 && stat.allocs <= 60
       && stat.asked <= 8 && stat.doomed + stat.waiting <= stat.allocs,
       "200000 steps: bounds hold");

    turn_table_ps_reset(t, NULL, NULL);

    for (i = 0; i < 1000 && (due = turn_table_due(t)) != UINT64_MAX; i++) {
        turn_table_tick(t, due);
    }

    turn_table_stat(t, &stat);
    is_int(stat.live + stat.tombstones + stat.asked + stat.participants
           + stat.tenants + stat.allocs + stat.waiting + stat.doomed, 0,
           "and nothing is left over");

    turn_table_destroy(t);
}


int
main(void)
{
    test_verdicts();
    test_names();
    test_allocations();
    test_check();
    test_quota();
    test_asks();
    test_waits();
    test_alone();
    test_bucket();
    test_resync();
    test_time();
    test_ps();
    test_ps_late();
    test_bounds();
    test_snapshot();
    test_random();

    return tap_done();
}
