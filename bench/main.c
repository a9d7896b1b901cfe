
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-load: options, files, limits; then the mode runs.
 */


#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "rl_run.h"


#define RL_SPARE_FILES         64


static int rl_key(rl_run_t *run);
static int rl_net(rl_run_t *run);
static int rl_files(const rl_run_t *run);
static int rl_start(rl_run_t *run);
static void rl_signal(int sig);


/* the API key: the first line of its file */

static int
rl_key(rl_run_t *run)
{
    FILE         *f;
    rs_cred_t     cred;
    static char   key[RS_ID_API_KEY_MAX + 3];

    f = fopen(run->options.key_file, "r");

    if (f == NULL) {
        rl_say("--key-file %s: %s", run->options.key_file, strerror(errno));
        return -1;
    }

    if (fgets(key, sizeof(key), f) == NULL) {
        key[0] = '\0';
    }

    (void) fclose(f);
    key[strcspn(key, "\r\n")] = '\0';

    if (rs_api_key_parse(rs_str(key), &cred) != RS_OK) {
        rl_say("--key-file %s: its first line is no API key "
               "(rsk_<tenant>_<secret>)", run->options.key_file);
        return -1;
    }

    run->key = key;

    return 0;
}


static int
rl_net(rl_run_t *run)
{
    char                  err[256];
    size_t                i;
    const rl_options_t   *o;

    o = &run->options;

    if (o->sources
        && rl_net_sources(&run->net, o->sources, err, sizeof(err)) != 0)
    {
        rl_say("%s", err);
        return -1;
    }

    if (rl_net_tls(&run->net, o->ca_file, err, sizeof(err)) != 0) {
        rl_say("%s", err);
        return -1;
    }

    for (i = 0; i < o->nurls; i++) {
        if (rl_net_add(&run->net, o->urls[i], o->any_address, err,
                       sizeof(err)) != 0)
        {
            rl_say("--url %s", err);
            return -1;
        }
    }

    return 0;
}


static int
rl_files(const rl_run_t *run)
{
    uint64_t             need;
    struct rlimit        rlim;
    const rl_options_t  *o;

    o = &run->options;
    need = o->devices + 2 * o->sessions + RL_SPARE_FILES;

    if (getrlimit(RLIMIT_NOFILE, &rlim) != 0) {
        rl_say("getrlimit: %s", strerror(errno));
        return -1;
    }

    if (rlim.rlim_max < need) {
        rl_say("%llu open files are needed, this process may have %llu: "
               "fewer --devices and --sessions, or several rs-load",
               (unsigned long long) need,
               (unsigned long long) rlim.rlim_max);
        return -1;
    }

    if (rlim.rlim_cur < need) {
        rlim.rlim_cur = need;
        (void) setrlimit(RLIMIT_NOFILE, &rlim);
    }

    return 0;
}


static int
rl_start(rl_run_t *run)
{
    (void) snprintf(run->name, sizeof(run->name), "%016llx",
                    (unsigned long long) rl_random(UINT64_MAX));

    run->proc.n = run->options.npids;
    run->proc.master = (int) run->options.master;
    memcpy(run->proc.pids, run->options.pids, sizeof(run->proc.pids));

    rl_hist_init(&run->stats.late);
    rl_hist_init(&run->stats.delivery);
    rl_hist_init(&run->stats.ack);
    rl_hist_init(&run->stats.agent_up);
    rl_hist_init(&run->stats.agent_back);
    rl_hist_init(&run->stats.peer_up);
    rl_hist_init(&run->stats.peer_back);

    run->rest = rl_rest_create(&run->net, run->key,
                               (unsigned) run->options.rest);

    if (run->rest == NULL || rl_fleet_init(run) != 0) {
        rl_say("no memory for %llu devices",
               (unsigned long long) run->options.devices);
        return 3;
    }

    rl_loop_on_round(rl_conn_flush_all, NULL);

    return rl_mode_run(run);
}


static void
rl_signal(int sig)
{
    (void) sig;

    rl_mode_end();
}


int
main(int argc, char **argv)
{
    int              rc;
    static rl_run_t  run;

    rc = rl_options_parse(&run.options, argc, argv);

    if (rc != 0) {
        return rc < 0 ? 2 : 0;
    }

    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGTERM, rl_signal);
    (void) signal(SIGINT, rl_signal);

    if (rl_loop_init() != 0) {
        rl_say("epoll: %s", strerror(errno));
        return 3;
    }

    if (rl_key(&run) != 0 || rl_net(&run) != 0 || rl_files(&run) != 0) {
        return 2;
    }

    rc = rl_start(&run);

    if (rc < 2) {
        if (!run.options.json) {
            rl_report_text(&run);

        } else if (rl_report_json(&run) != 0) {
            rl_say("no memory for the report");
            rc = 3;
        }
    }

    rl_fleet_free(&run);
    rl_rest_destroy(run.rest);
    rl_net_done(&run.net);
    rl_loop_done();

    return rc;
}
