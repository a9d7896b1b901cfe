
/*
 * Copyright (C) rs-gateway contributors
 *
 * The four modes, as one row of steps; each mode leaves out what it has no
 * use for:
 *
 *   enroll -> connect -> load -> drain -> (memory) -> delete -> done
 *
 * Each step has a deadline.  What the fleet tells (run->changed) and the
 * clock (a tick) are looked at in one place, rl_mode_step().
 */


#include <signal.h>
#include <string.h>

#include "rl_run.h"


#define RL_MODE_TICK           (20 * RL_MS)
#define RL_MODE_CHECK          (5 * RL_SEC)
#define RL_MODE_DELETE         (30 * RL_SEC)


typedef enum {
    RL_STEP_ENROLL = 0,
    RL_STEP_CONNECT,
    RL_STEP_LOAD,
    RL_STEP_DRAIN,
    RL_STEP_LEAVE,
    RL_STEP_DELETE,
    RL_STEP_DONE
} rl_step_e;


static struct {
    rl_run_t       *run;
    rl_step_e       step;
    uint64_t        deadline;         /* of the step */
    uint64_t        due;              /* open loop: messages sent so far */
    uint64_t        turn;             /* churn: the next device */
    rl_timer_t      tick;
    rl_timer_t      check;
    rl_timer_t      progress;
    unsigned        posted:1;
} rl_mode;


static volatile sig_atomic_t  rl_mode_ends;


static void rl_mode_changed(void *data);
static void rl_mode_tick(void *data);
static void rl_mode_check(void *data);
static void rl_mode_progress(void *data);
static size_t rl_mode_participants(const rl_run_t *run);
static void rl_mode_step(rl_run_t *run);
static void rl_mode_enter(rl_run_t *run, rl_step_e step, uint64_t limit);
static void rl_mode_load(rl_run_t *run);
static void rl_mode_start(rl_run_t *run);
static void rl_mode_stop(rl_run_t *run);
static int rl_mode_connected(const rl_run_t *run);
static uint64_t rl_mode_due(const rl_run_t *run, uint64_t k);
static void rl_mode_open_loop(rl_run_t *run);
static void rl_mode_churn(rl_run_t *run);
static int rl_mode_storm_over(const rl_run_t *run);
static void rl_mode_each(rl_run_t *run, void (*handler)(rl_link_t *l));
static void rl_mode_leave(rl_run_t *run);
static void rl_mode_break(rl_link_t *l);
static void rl_mode_lost(void *data, size_t stream, uint64_t id);


int
rl_mode_run(rl_run_t *run)
{
    memset(&rl_mode, 0, sizeof(rl_mode));
    rl_mode.run = run;
    rl_mode.tick.handler = rl_mode_tick;
    rl_mode.tick.data = run;
    rl_mode.check.handler = rl_mode_check;
    rl_mode.check.data = run;
    rl_mode.progress.handler = rl_mode_progress;
    rl_mode.progress.data = run;
    run->changed = rl_mode_changed;

    rl_mode_enter(run, RL_STEP_ENROLL, run->options.setup_s * RL_SEC);
    rl_timer_set(&rl_mode.tick, 0);
    rl_timer_set(&rl_mode.check, RL_MODE_CHECK);
    rl_fleet_enroll(run);

    rl_loop_run();

    rl_timer_del(&rl_mode.tick);
    rl_timer_del(&rl_mode.check);
    rl_timer_del(&rl_mode.progress);

    if (run->failed) {
        return run->failed;
    }

    rl_check_end(&run->check, rl_mode_lost, run);

    return !rl_check_good(&run->check) || run->broken || run->agents_gone
           || run->devices_away || run->participants_away
           || (run->options.mode == RL_MODE_STORM && run->drained_at == 0);
}


static void
rl_mode_lost(void *data, size_t stream, uint64_t id)
{
    rl_run_t            *run;
    const rl_session_t  *s;

    run = data;
    s = &run->sessions[stream / 2];

    if (run->findings++ < RL_FINDINGS) {
        rl_say("%s, to the %s: message %llu was acknowledged and never came "
               "(position %s, %s)", s->id,
               stream % 2 ? "host" : "controller", (unsigned long long) id,
               stream % 2 ? s->host.position : s->guest.position,
               s->broken ? "the session is broken" : "the session goes on");
    }
}


/* something came about: looked at by the tick, never inside the call */

static void
rl_mode_changed(void *data)
{
    (void) data;

    if (!rl_mode.posted) {
        rl_mode.posted = 1;
        rl_timer_set(&rl_mode.tick, 0);
    }
}


static void
rl_mode_tick(void *data)
{
    rl_run_t  *run;

    run = data;
    rl_mode.posted = 0;

    rl_mode_step(run);

    if (rl_mode.step == RL_STEP_DONE || rl_mode.posted) {
        return;
    }

    if (run->running && run->options.rate) {
        rl_timer_at(&rl_mode.tick, rl_mode_due(run, rl_mode.due));

    } else {
        rl_timer_set(&rl_mode.tick, RL_MODE_TICK);
    }
}


static void
rl_mode_check(void *data)
{
    rl_mode_each(data, rl_link_check);
    rl_timer_set(&rl_mode.check, RL_MODE_CHECK);
}


/* a signal: the same as the end of --seconds */

void
rl_mode_end(void)
{
    rl_mode_ends = 1;
}


static size_t
rl_mode_participants(const rl_run_t *run)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < run->options.sessions; i++) {
        n += run->sessions[i].host.link.up + run->sessions[i].guest.link.up;
    }

    return n;
}


static void
rl_mode_progress(void *data)
{
    rl_run_t  *run;

    run = data;

    rl_say("at %.3f s: devices %zu/%llu, participants %zu/%llu, sent %llu, "
           "acked %llu, whole %llu",
           (double) (rl_now() - run->started_at) / 1e6, run->agents_up,
           (unsigned long long) run->options.devices,
           rl_mode_participants(run),
           (unsigned long long) run->options.sessions * 2,
           (unsigned long long) run->check.count.sent,
           (unsigned long long) run->check.count.acked,
           (unsigned long long) run->whole);

    rl_timer_set(&rl_mode.progress, run->options.progress_ms * RL_MS);
}


static void
rl_mode_each(rl_run_t *run, void (*handler)(rl_link_t *l))
{
    size_t  i;

    for (i = 0; i < run->options.devices; i++) {
        if (run->agents[i].link.wanted) {
            handler(&run->agents[i].link);
        }
    }

    for (i = 0; i < run->options.sessions; i++) {
        if (run->sessions[i].host.link.wanted) {
            handler(&run->sessions[i].host.link);
        }

        if (run->sessions[i].guest.link.wanted) {
            handler(&run->sessions[i].guest.link);
        }
    }
}


static void
rl_mode_enter(rl_run_t *run, rl_step_e step, uint64_t limit)
{
    rl_mode.step = step;
    rl_mode.deadline = rl_now() + limit;

    rl_mode_changed(run);
}


static int
rl_mode_connected(const rl_run_t *run)
{
    return run->options.mode == RL_MODE_CHURN
           || (run->agents_up == run->options.devices
               && run->ready == run->options.sessions);
}


static void
rl_mode_step(rl_run_t *run)
{
    int  late;

    late = rl_now() >= rl_mode.deadline;

    if (rl_mode_ends && rl_mode.step < RL_STEP_LOAD && !run->failed) {
        rl_say("ended by a signal before all were connected");
        run->failed = 3;
    }

    if (run->failed && rl_mode.step < RL_STEP_LEAVE) {
        rl_mode_leave(run);
        return;
    }

    switch (rl_mode.step) {

    case RL_STEP_ENROLL:
    case RL_STEP_CONNECT:

        if (late) {
            rl_say("after %llu s only %zu of %llu devices are enrolled, %zu "
                   "connected, %zu of %llu sessions joined; %s",
                   (unsigned long long) run->options.setup_s, run->enrolled,
                   (unsigned long long) run->options.devices, run->agents_up,
                   run->ready, (unsigned long long) run->options.sessions,
                   rl_rest_trouble(run->rest));
            run->failed = 3;
            rl_mode_leave(run);
            return;
        }

        if (run->enrolled < run->options.devices) {
            return;
        }

        if (rl_mode.step == RL_STEP_ENROLL) {
            rl_mode.step = RL_STEP_CONNECT;
            run->proc.before = rl_proc_memory(&run->proc);
        }

        if (run->options.mode != RL_MODE_CHURN) {
            rl_fleet_connect(run, run->options.devices);
        }

        if (rl_mode_connected(run)) {
            rl_mode_start(run);
        }

        return;

    case RL_STEP_LOAD:
        rl_mode_load(run);
        return;

    case RL_STEP_DRAIN:

        if (run->whole + run->stats.refused >= run->check.count.sent
            && run->agents_up == run->options.devices
            && rl_mode_participants(run) == run->options.sessions * 2)
        {
            run->drained_at = rl_now();

        } else if (!late) {
            return;
        }

        rl_mode_leave(run);
        return;

    case RL_STEP_LEAVE:

        /* the gateway is given a second to give memory back */

        if (!late) {
            return;
        }

        run->proc.after = rl_proc_memory(&run->proc);
        rl_mode_enter(run, RL_STEP_DELETE, RL_MODE_DELETE);

        if (!run->options.keep) {
            rl_fleet_delete(run);
        }

        return;

    case RL_STEP_DELETE:

        if (rl_rest_pending(run->rest) == 0 || late
            || run->nenrollments == 0)
        {
            rl_mode.step = RL_STEP_DONE;
            rl_loop_stop();
        }

        return;

    case RL_STEP_DONE:
        return;
    }
}


static void
rl_mode_start(rl_run_t *run)
{
    size_t    i;
    uint64_t  w, now;

    now = rl_now();

    rl_mode_enter(run, RL_STEP_LOAD, run->options.seconds * RL_SEC);

    run->proc.loaded = rl_proc_memory(&run->proc);
    run->proc.cpu_at = rl_proc_cpu(&run->proc);
    run->proc.own_cpu_at = rl_proc_own_cpu();
    run->started_at = now;
    run->running = 1;
    rl_say("running");

    if (run->options.progress_ms) {
        rl_timer_set(&rl_mode.progress, 0);
    }

    if (run->options.mode == RL_MODE_CHURN) {
        for (i = 0; i < run->options.connecting; i++) {
            rl_mode_churn(run);
        }

        return;
    }

    if (run->options.mode == RL_MODE_STORM) {
        run->storm_at = now;
        rl_mode_each(run, rl_mode_break);
        return;
    }

    for (w = 0; run->options.mode == RL_MODE_PAIRS && run->options.rate == 0
                && w < run->options.window; w++)
    {
        for (i = 0; i < run->options.sessions; i++) {
            rl_peer_say(&run->sessions[i].host, now);
            rl_peer_say(&run->sessions[i].guest, now);
        }
    }
}


static void
rl_mode_break(rl_link_t *l)
{
    rl_link_break(l);
}


static void
rl_mode_load(rl_run_t *run)
{
    int       over;
    uint64_t  count;

    over = rl_mode_ends || rl_now() >= rl_mode.deadline;
    count = run->options.count;

    switch (run->options.mode) {

    case RL_MODE_PAIRS:

        if (run->options.rate) {
            rl_mode_open_loop(run);
        }

        over |= count && run->check.count.sent >= count;
        break;

    case RL_MODE_CHURN:

        rl_mode_churn(run);
        over |= count && run->stats.churned >= count;
        break;

    case RL_MODE_STORM:

        if (rl_mode_storm_over(run)) {
            run->drained_at = rl_now();
            over = 1;
        }

        break;

    default:
        break;
    }

    if (over) {
        rl_mode_stop(run);
    }
}


static void
rl_mode_stop(rl_run_t *run)
{
    run->running = 0;
    run->ended_at = rl_now();
    run->proc.cpu = rl_proc_cpu(&run->proc) - run->proc.cpu_at;
    run->proc.own_cpu = rl_proc_own_cpu() - run->proc.own_cpu_at;

    if (run->options.mode == RL_MODE_IDLE) {
        run->proc.loaded = rl_proc_memory(&run->proc);
    }

    if (run->options.mode == RL_MODE_PAIRS) {
        rl_mode_enter(run, RL_STEP_DRAIN, run->options.drain_s * RL_SEC);

    } else {
        rl_mode_leave(run);
    }
}


/*
 * Message k is meant for started_at + k / rate, whatever became of those
 * before it: a gateway that stalls finds all of them waiting, and each one's
 * latency counts from when it was meant to be sent.
 */

static uint64_t
rl_mode_due(const rl_run_t *run, uint64_t k)
{
    return run->started_at + k * RL_SEC / run->options.rate;
}


static void
rl_mode_open_loop(rl_run_t *run)
{
    uint64_t       k, due, now, rate, streams;
    rl_session_t  *s;

    now = rl_now();
    rate = run->options.rate;
    streams = run->options.sessions * 2;

    if (now > rl_mode.deadline) {
        now = rl_mode.deadline;
    }

    due = (now - run->started_at) * rate / RL_SEC + 1;

    if (due > rate * run->options.seconds) {
        due = rate * run->options.seconds;
    }

    if (run->options.count && due > run->options.count) {
        due = run->options.count;
    }

    for (k = rl_mode.due; k < due; k++) {
        s = &run->sessions[k % streams / 2];

        rl_peer_say(k % 2 ? &s->guest : &s->host,
                    rl_mode_due(run, k));
    }

    rl_mode.due = due;
}


/* who is up leaves; who has left, or not come yet, connects in its turn */

static void
rl_mode_churn(rl_run_t *run)
{
    size_t       i, open;
    rl_agent_t  *a;

    open = 0;

    for (i = 0; i < run->options.devices; i++) {
        a = &run->agents[i];

        if (a->link.up) {
            run->stats.churned++;
            a->link.wanted = 0;
            a->link.up = 0;
            run->agents_up--;
            rl_ws_close(&a->link.ws, 1000);
        }

        open += a->link.wanted;
    }

    for (i = 0; i < run->options.devices && open < run->options.connecting;
         i++)
    {
        a = &run->agents[rl_mode.turn++ % run->options.devices];

        if (!a->link.wanted && a->link.ws.conn.state == RL_CONN_CLOSED) {
            a->link.ever = 0;
            a->link.lost_at = 0;
            rl_agent_connect(a);
            open++;
        }
    }
}


static int
rl_mode_storm_over(const rl_run_t *run)
{
    size_t               i;
    const rl_session_t  *s;

    if (run->agents_up < run->options.devices) {
        return 0;
    }

    for (i = 0; i < run->options.sessions; i++) {
        s = &run->sessions[i];

        if (!s->broken && (!s->host.link.up || !s->guest.link.up)) {
            return 0;
        }
    }

    return 1;
}


/* all sockets are closed; a gateway has nothing to hold for them any more */

static void
rl_mode_leave(rl_run_t *run)
{
    if (run->options.mode != RL_MODE_CHURN && !run->failed) {
        run->devices_away = run->options.devices - run->agents_up
                            - run->agents_gone;
        run->participants_away = run->options.sessions * 2
                                 - rl_mode_participants(run);
    }

    rl_timer_del(&rl_mode.progress);
    run->teardown = 1;
    run->running = 0;

    rl_mode_each(run, rl_link_stop);
    rl_mode_enter(run, RL_STEP_LEAVE, RL_SEC);
}
