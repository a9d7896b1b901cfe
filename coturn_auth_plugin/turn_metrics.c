
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is counted, for Prometheus.
 */


#include "turn_metrics.h"

#include <string.h>

#include "turn_clock.h"
#include "turn_version.h"


#define TURN_METRICS_TYPE  "text/plain; version=0.0.4; charset=utf-8"


typedef struct turn_metric_s  turn_metric_t;

typedef struct {
    const turn_metrics_t   *m;
    struct evbuffer        *out;
    uint64_t                now;      /* ms */
    turn_table_stat_t       table;
    turn_upstream_stats_t   up;
    turn_snapshot_stats_t   snapshot;
} turn_metrics_out_t;

typedef void (*turn_metric_pt)(turn_metrics_out_t *o, const turn_metric_t *m);

struct turn_metric_s {
    const char             *name;
    const char             *type;
    const char             *help;
    turn_metric_pt          write;
};


static void turn_metrics_write(const turn_metrics_t *m,
    struct evbuffer *out);
static void turn_metrics_health(const turn_metrics_t *m,
    struct evbuffer *out);
static void turn_metrics_line(turn_metrics_out_t *o, const turn_metric_t *m,
    const char *labels, uint64_t v);
static void turn_metrics_real(turn_metrics_out_t *o, const turn_metric_t *m,
    const char *labels, double v);

#define TURN_METRIC(name)                                                    \
    static void turn_metrics_##name(turn_metrics_out_t *o,                   \
        const turn_metric_t *m)

TURN_METRIC(build);
TURN_METRIC(coturn);
TURN_METRIC(connections);
TURN_METRIC(accepted);
TURN_METRIC(refused);
TURN_METRIC(commands);
TURN_METRIC(commands_refused);
TURN_METRIC(secrets);
TURN_METRIC(auth);
TURN_METRIC(allocations);
TURN_METRIC(begun);
TURN_METRIC(ended);
TURN_METRIC(cli_up);
TURN_METRIC(cancels);
TURN_METRIC(kill_seconds);
TURN_METRIC(listings);
TURN_METRIC(sessions);
TURN_METRIC(full);
TURN_METRIC(events);
TURN_METRIC(events_ignored);
TURN_METRIC(bytes);
TURN_METRIC(usage);
TURN_METRIC(usage_records);
TURN_METRIC(policy_entries);
TURN_METRIC(policy_age);
TURN_METRIC(policy_reloads);
TURN_METRIC(redis_up);
TURN_METRIC(in_sync);
TURN_METRIC(stale);
TURN_METRIC(sync_age);
TURN_METRIC(lag);
TURN_METRIC(syncs);
TURN_METRIC(messages);
TURN_METRIC(calls);
TURN_METRIC(snapshots);
TURN_METRIC(snapshot_age);


static const turn_metric_t  turn_metrics_list[] = {
    { "rs_turn_build_info", "gauge", "always 1", turn_metrics_build },
    { "rs_turn_coturn_info", "gauge", "1: which coturn this is",
      turn_metrics_coturn },

    { "rs_turn_connections", "gauge", "connections of coturn",
      turn_metrics_connections },
    { "rs_turn_connections_accepted_total", "counter",
      "connections accepted", turn_metrics_accepted },
    { "rs_turn_connections_refused_total", "counter",
      "connections ended by the daemon", turn_metrics_refused },
    { "rs_turn_commands_total", "counter", "commands answered",
      turn_metrics_commands },
    { "rs_turn_commands_refused_total", "counter",
      "commands answered with an error", turn_metrics_commands_refused },

    { "rs_turn_secrets_total", "counter", "compat: times coturn asked for "
      "the secrets", turn_metrics_secrets },
    { "rs_turn_auth_total", "counter", "strict: keys asked for, by verdict",
      turn_metrics_auth },

    { "rs_turn_allocations", "gauge", "allocations of coturn",
      turn_metrics_allocations },
    { "rs_turn_allocations_begun_total", "counter",
      "allocations made, by verdict", turn_metrics_begun },
    { "rs_turn_allocations_ended_total", "counter",
      "allocations the daemon chose to end", turn_metrics_ended },
    { "rs_turn_cli_up", "gauge", "1: coturn's CLI lets the daemon in",
      turn_metrics_cli_up },
    { "rs_turn_cancels_total", "counter", "commands that end an allocation",
      turn_metrics_cancels },
    { "rs_turn_kill_seconds", "histogram", "from the verdict to coturn's "
      "answer", turn_metrics_kill_seconds },
    { "rs_turn_listings_total", "counter", "listings of coturn's allocations",
      turn_metrics_listings },
    { "rs_turn_sessions", "gauge", "what is known", turn_metrics_sessions },
    { "rs_turn_full_total", "counter", "refused by a bound of the table",
      turn_metrics_full },

    { "rs_turn_events_total", "counter", "what coturn told",
      turn_metrics_events },
    { "rs_turn_events_ignored_total", "counter",
      "of these, of no allocation that is known", turn_metrics_events_ignored },
    { "rs_turn_bytes_total", "counter", "relayed, as coturn told it",
      turn_metrics_bytes },

    { "rs_turn_usage_pending", "gauge", "allocations whose usage is not "
      "recorded yet", turn_metrics_usage },
    { "rs_turn_usage_records_total", "counter", "allocations that have ended, "
      "by what came of their usage", turn_metrics_usage_records },
    { "rs_turn_policy_entries", "gauge", "entries of the peer lists",
      turn_metrics_policy_entries },
    { "rs_turn_policy_age_seconds", "gauge", "since the policy was read",
      turn_metrics_policy_age },
    { "rs_turn_policy_reloads_total", "counter",
      "times the policy was read again", turn_metrics_policy_reloads },

    { "rs_turn_redis_up", "gauge", "links to Redis", turn_metrics_redis_up },
    { "rs_turn_in_sync", "gauge", "1: what is known is what Redis has",
      turn_metrics_in_sync },
    { "rs_turn_stale", "gauge", "1: no credential is taken any more",
      turn_metrics_stale },
    { "rs_turn_sync_age_seconds", "gauge", "since the last whole listing",
      turn_metrics_sync_age },
    { "rs_turn_redis_lag_seconds", "gauge", "round trip on the channel",
      turn_metrics_lag },
    { "rs_turn_syncs_total", "counter", "listings", turn_metrics_syncs },
    { "rs_turn_messages_total", "counter", "publications heard",
      turn_metrics_messages },
    { "rs_turn_redis_calls_total", "counter", "calls of functions",
      turn_metrics_calls },
    { "rs_turn_snapshots_total", "counter", "times the snapshot was written",
      turn_metrics_snapshots },
    { "rs_turn_snapshot_age_seconds", "gauge", "since it was written",
      turn_metrics_snapshot_age },
};

#define TURN_METRICS                                                         \
    (sizeof(turn_metrics_list) / sizeof(turn_metrics_list[0]))


int
turn_metrics_get(void *data, rs_str_t path, struct evbuffer *body,
    const char **type)
{
    const turn_metrics_t  *m = data;

    if (rs_str_eq(path, RS_STR("/metrics"))) {
        *type = TURN_METRICS_TYPE;
        turn_metrics_write(m, body);
        return 1;
    }

    if (rs_str_eq(path, RS_STR("/health"))) {
        *type = "application/json";
        turn_metrics_health(m, body);
        return 1;
    }

    return 0;
}


static void
turn_metrics_write(const turn_metrics_t *m, struct evbuffer *out)
{
    size_t               i;
    turn_metrics_out_t   o;
    const turn_metric_t *t;

    memset(&o, 0, sizeof(o));
    o.m = m;
    o.out = out;
    o.now = turn_clock_ms();

    turn_table_stat(m->parts->table, &o.table);

    if (m->parts->upstream != NULL) {
        turn_upstream_stats(m->parts->upstream, &o.up);
    }

    if (m->parts->snapshot != NULL) {
        turn_snapshot_stats(m->parts->snapshot, &o.snapshot);
    }

    for (i = 0; i < TURN_METRICS; i++) {
        t = &turn_metrics_list[i];
        (void) evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n",
                                   t->name, t->help, t->name, t->type);
        t->write(&o, t);
    }
}


/*
 * 200 as long as the daemon answers: coturn needs it for the policy whatever
 * else is wrong, so nothing that restarts it on a bad answer may do so then.
 */

static void
turn_metrics_health(const turn_metrics_t *m, struct evbuffer *out)
{
    unsigned     v;
    const char  *redis;

    v = turn_follow_coturn(m->follow);

    if (m->parts->upstream == NULL) {
        redis = "off";

    } else if (turn_upstream_in_sync(m->parts->upstream)) {
        redis = "in_sync";

    } else if (turn_table_stale(m->parts->table, turn_clock_ms())) {
        redis = "stale";

    } else {
        redis = "behind";
    }

    (void) evbuffer_add_printf(out, "{\"status\":\"%s\",\"redis\":\"%s\","
                               "\"coturn\":\"%u.%u.%u\"}\n",
                               m->parts->upstream == NULL || redis[0] == 'i'
                               ? "ok" : "degraded", redis, v / 10000,
                               v / 100 % 100, v % 100);
}


/* labels: ",name=\"value\"", of ours */

static void
turn_metrics_line(turn_metrics_out_t *o, const turn_metric_t *m,
    const char *labels, uint64_t v)
{
    (void) evbuffer_add_printf(o->out, "%s{relay=\"%s\"%s} %llu\n", m->name,
                               o->m->conf->name, labels,
                               (unsigned long long) v);
}


static void
turn_metrics_real(turn_metrics_out_t *o, const turn_metric_t *m,
    const char *labels, double v)
{
    (void) evbuffer_add_printf(o->out, "%s{relay=\"%s\"%s} %.6f\n", m->name,
                               o->m->conf->name, labels, v);
}


/* one for each verdict */

static void
turn_metrics_verdicts(turn_metrics_out_t *o, const turn_metric_t *m,
    const char *label, const uint64_t *v)
{
    unsigned  i;

    for (i = 0; i < TURN_V_MAX; i++) {
        (void) evbuffer_add_printf(o->out,
                                   "%s{relay=\"%s\",%s=\"%s\"} %llu\n",
                                   m->name, o->m->conf->name, label,
                                   turn_verdict_name((turn_verdict_e) i),
                                   (unsigned long long) v[i]);
    }
}


/* field of turn_server_stats_t, of both listeners */

#define turn_metrics_listeners(o, m, labels, field)                          \
    do {                                                                     \
        if ((o)->m->userdb_server != NULL) {                                 \
            turn_metrics_line(o, m, ",listener=\"userdb\"" labels,           \
                turn_server_stats((o)->m->userdb_server)->field);            \
        }                                                                    \
                                                                             \
        if ((o)->m->statsdb_server != NULL) {                                \
            turn_metrics_line(o, m, ",listener=\"statsdb\"" labels,          \
                turn_server_stats((o)->m->statsdb_server)->field);           \
        }                                                                    \
    } while (0)


static void
turn_metrics_build(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, o->m->conf->mode == TURN_MODE_STRICT
                      ? ",version=\"" TURN_AUTHD_VERSION "\",mode=\"strict\""
                      : ",version=\"" TURN_AUTHD_VERSION "\",mode=\"compat\"",
                      1);
}


static void
turn_metrics_coturn(turn_metrics_out_t *o, const turn_metric_t *m)
{
    unsigned  v = turn_follow_coturn(o->m->follow);

    if (v != 0) {
        (void) evbuffer_add_printf(o->out, "%s{relay=\"%s\","
                                   "version=\"%u.%u.%u\"} 1\n", m->name,
                                   o->m->conf->name, v / 10000,
                                   v / 100 % 100, v % 100);
    }
}


static void
turn_metrics_connections(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_listeners(o, m, "", connections);
}


static void
turn_metrics_accepted(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_listeners(o, m, "", accepted);
}


static void
turn_metrics_refused(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_listeners(o, m, ",reason=\"full\"", shed);
    turn_metrics_listeners(o, m, ",reason=\"guard\"", unguarded);
    turn_metrics_listeners(o, m, ",reason=\"password\"", bad_password);
    turn_metrics_listeners(o, m, ",reason=\"malformed\"", malformed);
}


static void
turn_metrics_commands(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_listeners(o, m, "", commands);
}


static void
turn_metrics_commands_refused(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_listeners(o, m, ",reason=\"unknown\"", unknown);
    turn_metrics_listeners(o, m, ",reason=\"too_large\"", too_large);
}


static void
turn_metrics_secrets(turn_metrics_out_t *o, const turn_metric_t *m)
{
    const turn_userdb_t  *db = o->m->userdb;

    turn_metrics_line(o, m, ",result=\"given\"", db->secrets - db->withheld);
    turn_metrics_line(o, m, ",result=\"stale\"", db->withheld);
}


static void
turn_metrics_auth(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_verdicts(o, m, "result", o->m->userdb->verdicts);
}


static void
turn_metrics_allocations(turn_metrics_out_t *o, const turn_metric_t *m)
{
    const turn_table_stat_t  *t = &o->table;

    turn_metrics_line(o, m, ",state=\"live\"",
                      t->allocs - t->waiting - t->doomed);
    turn_metrics_line(o, m, ",state=\"waiting\"", t->waiting);
    turn_metrics_line(o, m, ",state=\"ending\"", t->doomed);
}


static void
turn_metrics_begun(turn_metrics_out_t *o, const turn_metric_t *m)
{
    if (o->m->statsdb != NULL) {
        turn_metrics_verdicts(o, m, "result", o->m->statsdb->verdicts);
    }
}


static void
turn_metrics_ended(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_verdicts(o, m, "reason", o->table.ended);
}


static void
turn_metrics_sessions(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, ",state=\"live\"", o->table.live);
    turn_metrics_line(o, m, ",state=\"ended\"", o->table.tombstones);
    turn_metrics_line(o, m, ",state=\"asked\"", o->table.asked);
}


static void
turn_metrics_full(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, "", o->table.full);
}


static void
turn_metrics_events(turn_metrics_out_t *o, const turn_metric_t *m)
{
    size_t                 i;
    const turn_statsdb_t  *db = o->m->statsdb;

    static const struct {
        const char       *labels;
        rs_turn_event_e   type;
    } list[] = {
        { ",type=\"new\"", RS_TURN_EVENT_NEW },
        { ",type=\"refreshed\"", RS_TURN_EVENT_REFRESHED },
        { ",type=\"deleted\"", RS_TURN_EVENT_DELETED },
        { ",type=\"traffic\"", RS_TURN_EVENT_TRAFFIC },
        { ",type=\"traffic_peer\"", RS_TURN_EVENT_TRAFFIC_PEER },
        { ",type=\"total_traffic\"", RS_TURN_EVENT_TOTAL },
        { ",type=\"total_traffic_peer\"", RS_TURN_EVENT_TOTAL_PEER },
    };

    if (db != NULL) {
        for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
            turn_metrics_line(o, m, list[i].labels, db->events[list[i].type]);
        }
    }
}


static void
turn_metrics_events_ignored(turn_metrics_out_t *o, const turn_metric_t *m)
{
    const turn_statsdb_t  *db = o->m->statsdb;

    if (db != NULL) {
        turn_metrics_line(o, m, ",reason=\"malformed\"", db->malformed);
        turn_metrics_line(o, m, ",reason=\"other_realm\"", db->other_realm);
        turn_metrics_line(o, m, ",reason=\"unknown\"", db->unknown);
    }
}


static void
turn_metrics_bytes(turn_metrics_out_t *o, const turn_metric_t *m)
{
    const turn_statsdb_t  *db = o->m->statsdb;

    if (db != NULL) {
        turn_metrics_line(o, m, ",direction=\"received\"", db->received);
        turn_metrics_line(o, m, ",direction=\"sent\"", db->sent);
    }
}


static void
turn_metrics_usage(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_usage_stat_t  s;

    if (o->m->parts->usage != NULL) {
        turn_usage_stat(o->m->parts->usage, &s);
        turn_metrics_line(o, m, ",state=\"open\"", s.open);
        turn_metrics_line(o, m, ",state=\"ended\"", s.pending);
    }
}


static void
turn_metrics_usage_records(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_usage_stat_t  s;

    if (o->m->parts->usage != NULL) {
        turn_usage_stat(o->m->parts->usage, &s);
        turn_metrics_line(o, m, ",result=\"ok\"", s.acked);
        turn_metrics_line(o, m, ",result=\"not_found\"", s.not_found);
        turn_metrics_line(o, m, ",result=\"lost\"", s.lost);
    }
}


static void
turn_metrics_policy_entries(turn_metrics_out_t *o, const turn_metric_t *m)
{
    const turn_policy_stats_t  *s = turn_policy_stats(o->m->policy);

    turn_metrics_line(o, m, ",list=\"allowed\"", s->allowed);
    turn_metrics_line(o, m, ",list=\"denied\"", s->denied);
}


static void
turn_metrics_policy_age(turn_metrics_out_t *o, const turn_metric_t *m)
{
    uint64_t  at = turn_policy_stats(o->m->policy)->loaded_at;

    turn_metrics_line(o, m, "", o->now / 1000 > at ? o->now / 1000 - at : 0);
}


static void
turn_metrics_policy_reloads(turn_metrics_out_t *o, const turn_metric_t *m)
{
    const turn_policy_stats_t  *s = turn_policy_stats(o->m->policy);

    turn_metrics_line(o, m, ",result=\"changed\"", s->changes);
    turn_metrics_line(o, m, ",result=\"failed\"", s->failures);
}


static void
turn_metrics_redis_up(turn_metrics_out_t *o, const turn_metric_t *m)
{
    if (o->m->parts->upstream != NULL) {
        turn_metrics_line(o, m, ",link=\"calls\"", o->up.commands_up != 0);
        turn_metrics_line(o, m, ",link=\"channel\"", o->up.messages_up != 0);
    }
}


static void
turn_metrics_in_sync(turn_metrics_out_t *o, const turn_metric_t *m)
{
    if (o->m->parts->upstream != NULL) {
        turn_metrics_line(o, m, "", o->up.in_sync != 0);
    }
}


static void
turn_metrics_stale(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, "",
                      turn_table_stale(o->m->parts->table, o->now) != 0);
}


static void
turn_metrics_sync_age(turn_metrics_out_t *o, const turn_metric_t *m)
{
    uint64_t  at;

    at = turn_table_synced_at(o->m->parts->table);

    /* there is none before the first one */

    if (at != 0) {
        turn_metrics_real(o, m, "", o->now > at
                          ? (double) (o->now - at) / 1000 : 0);
    }
}


static void
turn_metrics_lag(turn_metrics_out_t *o, const turn_metric_t *m)
{
    if (o->m->parts->upstream != NULL && o->up.messages_up) {
        turn_metrics_real(o, m, "", (double) o->up.beacon_us / 1000000);
    }
}


static void
turn_metrics_syncs(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, ",result=\"whole\"", o->up.syncs);
    turn_metrics_line(o, m, ",result=\"failed\"", o->up.sync_failures);
}


static void
turn_metrics_messages(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, ",result=\"ok\"",
                      o->up.messages - o->up.messages_bad);
    turn_metrics_line(o, m, ",result=\"bad\"", o->up.messages_bad);
}


static void
turn_metrics_calls(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, ",result=\"ok\"",
                      o->up.calls - o->up.calls_failed);
    turn_metrics_line(o, m, ",result=\"failed\"", o->up.calls_failed);
}


static void
turn_metrics_snapshots(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_metrics_line(o, m, ",result=\"written\"", o->snapshot.written);
    turn_metrics_line(o, m, ",result=\"failed\"", o->snapshot.failed);
}


static void
turn_metrics_snapshot_age(turn_metrics_out_t *o, const turn_metric_t *m)
{
    uint64_t  at;

    at = o->snapshot.written_at;

    if (at != 0) {
        turn_metrics_real(o, m, "", o->now > at
                          ? (double) (o->now - at) / 1000 : 0);
    }
}


static void
turn_metrics_cli_up(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_reaper_stat_t  s;

    if (o->m->parts->reaper != NULL) {
        turn_reaper_stat(o->m->parts->reaper, &s);
        turn_metrics_line(o, m, "", s.ready != 0);
    }
}


static void
turn_metrics_cancels(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_reaper_stat_t  s;

    if (o->m->parts->reaper != NULL) {
        turn_reaper_stat(o->m->parts->reaper, &s);
        turn_metrics_line(o, m, ",kind=\"first\"", s.cancels - s.retries);
        turn_metrics_line(o, m, ",kind=\"again\"", s.retries);
    }
}


static void
turn_metrics_kill_seconds(turn_metrics_out_t *o, const turn_metric_t *m)
{
    unsigned             i;
    uint64_t             n;
    const char          *relay = o->m->conf->name;
    turn_reaper_stat_t   s;

    if (o->m->parts->reaper == NULL) {
        return;
    }

    turn_reaper_stat(o->m->parts->reaper, &s);
    n = 0;

    for (i = 0; i < TURN_REAPER_BUCKETS - 1; i++) {
        n += s.latency[i];
        (void) evbuffer_add_printf(o->out, "%s_bucket{relay=\"%s\",le=\"%g\"}"
                                   " %llu\n", m->name, relay,
                                   turn_reaper_buckets[i] / 1000.0,
                                   (unsigned long long) n);
    }

    (void) evbuffer_add_printf(o->out, "%s_bucket{relay=\"%s\",le=\"+Inf\"} "
                               "%llu\n%s_sum{relay=\"%s\"} %.3f\n"
                               "%s_count{relay=\"%s\"} %llu\n", m->name,
                               relay, (unsigned long long) s.latency_n,
                               m->name, relay, (double) s.latency_ms / 1000,
                               m->name, relay,
                               (unsigned long long) s.latency_n);
}


static void
turn_metrics_listings(turn_metrics_out_t *o, const turn_metric_t *m)
{
    turn_reaper_stat_t  s;

    if (o->m->parts->reaper != NULL) {
        turn_reaper_stat(o->m->parts->reaper, &s);
        turn_metrics_line(o, m, ",result=\"whole\"", s.listings);
        turn_metrics_line(o, m, ",result=\"forged\"", s.forged);
    }
}
