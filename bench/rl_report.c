
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a run has shown, for people and as JSON.  Latencies in microseconds.
 */


#include <stdio.h>
#include <stdlib.h>

#include "rl_run.h"


static double rl_report_seconds(const rl_run_t *run);
static uint64_t rl_report_work(const rl_run_t *run);
static int64_t rl_report_each(const rl_run_t *run, uint64_t loaded);
static void rl_report_hist(const char *name, const rl_hist_t *h);
static json_t *rl_report_hist_json(const rl_hist_t *h);
static json_t *rl_report_memory_json(const rl_run_t *run);


/* name, histogram: for both forms */

#define RL_REPORT_HISTS(run)                                                 \
    { "late", &(run)->stats.late },                                          \
    { "delivery", &(run)->stats.delivery },                                  \
    { "ack", &(run)->stats.ack },                                            \
    { "agent_connect", &(run)->stats.agent_up },                             \
    { "peer_connect", &(run)->stats.peer_up },                               \
    { "agent_back", &(run)->stats.agent_back },                              \
    { "peer_back", &(run)->stats.peer_back }


typedef struct {
    const char       *name;
    const rl_hist_t  *hist;
} rl_report_hist_t;


static double
rl_report_seconds(const rl_run_t *run)
{
    return run->ended_at > run->started_at
           ? (double) (run->ended_at - run->started_at) / 1e6 : 0;
}


/* what the CPU time is divided by */

static uint64_t
rl_report_work(const rl_run_t *run)
{
    return run->options.mode == RL_MODE_CHURN ? run->stats.churned
           : run->options.mode == RL_MODE_PAIRS ? run->check.count.acked
           : 0;
}


/* bytes of each connection */

static int64_t
rl_report_each(const rl_run_t *run, uint64_t loaded)
{
    int64_t  n;

    n = (int64_t) (run->options.devices + 2 * run->options.sessions);

    return ((int64_t) loaded - (int64_t) run->proc.before) / n;
}


static void
rl_report_hist(const char *name, const rl_hist_t *h)
{
    if (h->count == 0) {
        return;
    }

    printf("  %-14s p50 %llu  p90 %llu  p99 %llu  p99.9 %llu  max %llu us  "
           "(%llu)\n", name, (unsigned long long) rl_hist_at(h, 0.5),
           (unsigned long long) rl_hist_at(h, 0.9),
           (unsigned long long) rl_hist_at(h, 0.99),
           (unsigned long long) rl_hist_at(h, 0.999),
           (unsigned long long) h->max, (unsigned long long) h->count);
}


void
rl_report_text(const rl_run_t *run)
{
    size_t                    i;
    double                    seconds;
    uint64_t                  work;
    const rl_stats_t         *st;
    const rl_proc_t          *proc;
    const rl_check_count_t   *c;
    const rl_report_hist_t    hists[] = { RL_REPORT_HISTS(run) };

    st = &run->stats;
    proc = &run->proc;
    c = &run->check.count;
    seconds = rl_report_seconds(run);
    work = rl_report_work(run);

    printf("%s: %llu devices, %llu sessions, %.3f s\n",
           rl_mode_name(run->options.mode),
           (unsigned long long) run->options.devices,
           (unsigned long long) run->options.sessions, seconds);

    if (c->sent || st->shed) {
        printf("  sent %llu, acked %llu, received %llu (%.0f/s); sent again "
               "%llu, refused %llu, shed %llu, unknown %llu, resync %llu\n",
               (unsigned long long) c->sent, (unsigned long long) c->acked,
               (unsigned long long) c->received,
               seconds > 0 ? (double) c->received / seconds : 0,
               (unsigned long long) st->resent,
               (unsigned long long) st->refused,
               (unsigned long long) st->shed,
               (unsigned long long) c->unknown,
               (unsigned long long) c->resync);
        printf("  LOST %llu, TWICE %llu, REORDERED %llu, FOREIGN %llu\n",
               (unsigned long long) c->lost,
               (unsigned long long) c->duplicates,
               (unsigned long long) c->reordered,
               (unsigned long long) c->foreign);
    }

    printf("  sessions that could not go on %zu, devices that did not come "
           "back %zu, goaways %llu, REST calls made again %llu\n",
           run->broken, run->agents_gone, (unsigned long long) st->goaways,
           (unsigned long long) rl_rest_retries(run->rest));
    printf("  at the end away: devices %zu, participants %zu; connects "
           "refused %llu, failed otherwise %llu\n", run->devices_away,
           run->participants_away, (unsigned long long) run->net.refused,
           (unsigned long long) run->net.failed);

    if (run->options.mode == RL_MODE_CHURN) {
        printf("  %llu connects, %.0f/s\n", (unsigned long long) st->churned,
               seconds > 0 ? (double) st->churned / seconds : 0);
    }

    for (i = 0; i < sizeof(hists) / sizeof(hists[0]); i++) {
        rl_report_hist(hists[i].name, hists[i].hist);
    }

    if (proc->cpu && work) {
        printf("  CPU of the gateway %.1f us, of rs-load %.1f us each\n",
               (double) proc->cpu / (double) work,
               (double) proc->own_cpu / (double) work);
    }

    if (proc->before) {
        printf("  anonymous memory %llu KiB before, %llu loaded (%lld bytes "
               "a connection), %llu after\n",
               (unsigned long long) proc->before / 1024,
               (unsigned long long) proc->loaded / 1024,
               (long long) rl_report_each(run, proc->loaded),
               (unsigned long long) proc->after / 1024);
    }

    for (i = 0; i < st->nends; i++) {
        printf("  %6llu x %s\n", (unsigned long long) st->ends[i].n,
               st->ends[i].name);
    }
}


static json_t *
rl_report_hist_json(const rl_hist_t *h)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}",
                     "count", (json_int_t) h->count,
                     "p50", (json_int_t) rl_hist_at(h, 0.5),
                     "p90", (json_int_t) rl_hist_at(h, 0.9),
                     "p99", (json_int_t) rl_hist_at(h, 0.99),
                     "p999", (json_int_t) rl_hist_at(h, 0.999),
                     "max", (json_int_t) h->max,
                     "mean", rl_hist_mean(h));
}


static json_t *
rl_report_memory_json(const rl_run_t *run)
{
    if (run->proc.before == 0) {
        return json_null();
    }

    return json_pack("{s:I, s:I, s:I, s:I}",
                     "before", (json_int_t) run->proc.before,
                     "loaded", (json_int_t) run->proc.loaded,
                     "after", (json_int_t) run->proc.after,
                     "each", (json_int_t) rl_report_each(run,
                                                         run->proc.loaded));
}


int
rl_report_json(const rl_run_t *run)
{
    int                       rc;
    size_t                    i;
    double                    work;
    json_t                   *root, *hists, *ends;
    const rl_stats_t         *st;
    const rl_check_count_t   *c;
    const rl_report_hist_t    list[] = { RL_REPORT_HISTS(run) };

    st = &run->stats;
    c = &run->check.count;
    work = (double) rl_report_work(run);
    hists = json_object();
    ends = json_object();

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        (void) json_object_set_new(hists, list[i].name,
                                   rl_report_hist_json(list[i].hist));
    }

    for (i = 0; i < st->nends; i++) {
        (void) json_object_set_new(ends, st->ends[i].name,
                                   json_integer((json_int_t) st->ends[i].n));
    }

    root = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f,"
                     " s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
                     " s:I, s:I},"
                     " s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
                     " s:f, s:f, s:o, s:o, s:o}",
                     "mode", rl_mode_name(run->options.mode),
                     "devices", (json_int_t) run->options.devices,
                     "sessions", (json_int_t) run->options.sessions,
                     "rate", (json_int_t) run->options.rate,
                     "window", (json_int_t) run->options.window,
                     "size", (json_int_t) run->options.size,
                     "seconds", rl_report_seconds(run),
                     "drain_seconds", run->drained_at > run->ended_at
                         ? (double) (run->drained_at - run->ended_at) / 1e6
                         : 0.0,
                     "messages",
                     "sent", (json_int_t) c->sent,
                     "acked", (json_int_t) c->acked,
                     "received", (json_int_t) c->received,
                     "lost", (json_int_t) c->lost,
                     "duplicates", (json_int_t) c->duplicates,
                     "reordered", (json_int_t) c->reordered,
                     "foreign", (json_int_t) c->foreign,
                     "resync", (json_int_t) c->resync,
                     "unknown", (json_int_t) c->unknown,
                     "resent", (json_int_t) st->resent,
                     "refused", (json_int_t) st->refused,
                     "shed", (json_int_t) st->shed,
                     "broken_sessions", (json_int_t) run->broken,
                     "devices_gone", (json_int_t) run->agents_gone,
                     "devices_away", (json_int_t) run->devices_away,
                     "participants_away",
                     (json_int_t) run->participants_away,
                     "connects_refused", (json_int_t) run->net.refused,
                     "connects_failed", (json_int_t) run->net.failed,
                     "resyncs", (json_int_t) st->resyncs,
                     "goaways", (json_int_t) st->goaways,
                     "rest_retries", (json_int_t) rl_rest_retries(run->rest),
                     "connects", (json_int_t) st->churned,
                     "gateway_cpu_us", work > 0
                         ? (double) run->proc.cpu / work : 0.0,
                     "own_cpu_us", work > 0
                         ? (double) run->proc.own_cpu / work : 0.0,
                     "latency_us", hists,
                     "memory", rl_report_memory_json(run),
                     "ends", ends);

    if (root == NULL) {
        return -1;
    }

    rc = json_dumpf(root, stdout, JSON_INDENT(1)|JSON_REAL_PRECISION(6));
    json_decref(root);
    printf("\n");

    return rc;
}
