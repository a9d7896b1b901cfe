
/*
 * Copyright (C) rs-gateway contributors
 *
 * The command line: see rl_options.h.  One table says what an option is, how
 * far it goes and what --help tells of it.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rs_str.h"
#include "rl_options.h"


typedef enum {
    RL_OPT_NUMBER = 0,
    RL_OPT_TEXT,
    RL_OPT_FLAG,
    RL_OPT_URL,
    RL_OPT_PIDS
} rl_opt_e;


typedef struct {
    const char     *name;
    rl_opt_e        type;
    size_t          offset;
    uint64_t        min;
    uint64_t        max;
    const char     *value;
    const char     *about;
} rl_opt_t;


#define RL_OFF(field)          offsetof(rl_options_t, field)


static int rl_options_set(rl_options_t *o, const rl_opt_t *opt,
    const char *value);
static int rl_options_pids(rl_options_t *o, const char *value);
static int rl_options_check(rl_options_t *o);
static void rl_options_help(void);


static const char  *rl_modes[] = { "pairs", "idle", "churn", "storm", NULL };


static const rl_opt_t  rl_opts[] = {

    { "--url", RL_OPT_URL, 0, 0, 0, "URL",
      "the gateway's base, https://host:port/rs/v1; several: in turns" },

    { "--key-file", RL_OPT_TEXT, RL_OFF(key_file), 0, 0, "FILE",
      "the API key, scopes sessions, devices and enrollments" },

    { "--ca-file", RL_OPT_TEXT, RL_OFF(ca_file), 0, 0, "FILE",
      "certificates to trust, PEM; default: the system's" },

    { "--any-address", RL_OPT_FLAG, RL_OFF(any_address), 0, 0, NULL,
      "allow a gateway that is not on this machine" },

    { "--sources", RL_OPT_TEXT, RL_OFF(sources), 0, 0, "LIST|N",
      "source addresses in turns; N: 127.0.0.2 and on" },

    { "--sessions", RL_OPT_NUMBER, RL_OFF(sessions), 0, 50000, "N",
      "sessions, each a host and a controller; default 10 (pairs), 0" },

    { "--devices", RL_OPT_NUMBER, RL_OFF(devices), 0, 100000, "N",
      "devices; default: one a session, 100 without" },

    { "--rate", RL_OPT_NUMBER, RL_OFF(rate), 0, 1000000, "N",
      "open loop: messages/s of all sessions; 0: closed loop" },

    { "--window", RL_OPT_NUMBER, RL_OFF(window), 1, 1024, "N",
      "closed loop: messages of one peer under way; default 1" },

    { "--size", RL_OPT_NUMBER, RL_OFF(size), 0, 60000, "BYTES",
      "of a message's data; default 200" },

    { "--seconds", RL_OPT_NUMBER, RL_OFF(seconds), 1, 86400, "N",
      "how long the load lasts; default 10 (storm: at most, 60)" },

    { "--count", RL_OPT_NUMBER, RL_OFF(count), 0, 100000000, "N",
      "end after so many messages (pairs) or connects (churn)" },

    { "--setup-seconds", RL_OPT_NUMBER, RL_OFF(setup_s), 1, 3600, "N",
      "until all must be connected; default 60" },

    { "--drain-seconds", RL_OPT_NUMBER, RL_OFF(drain_s), 0, 3600, "N",
      "to wait for what is under way at the end; default 15" },

    { "--peer-rate", RL_OPT_NUMBER, RL_OFF(peer_rate), 0, 1000000, "N",
      "messages/s one peer sends at most; default 45, 0: any" },

    { "--peer-burst", RL_OPT_NUMBER, RL_OFF(peer_burst), 1, 1000000, "N",
      "and at once; default 90" },

    { "--pending", RL_OPT_NUMBER, RL_OFF(pending), 1, 1000000, "N",
      "messages of one peer that may wait; more are shed; default 10000" },

    { "--connecting", RL_OPT_NUMBER, RL_OFF(connecting), 1, 10000, "N",
      "sockets being opened at once, churn too; default 64" },

    { "--rest", RL_OPT_NUMBER, RL_OFF(rest), 1, 16, "N",
      "REST connections; default 4" },

    { "--backoff", RL_OPT_NUMBER, RL_OFF(backoff_ms), 1, 60000, "MS",
      "first backoff, full jitter, doubled; default 500" },

    { "--backoff-max", RL_OPT_NUMBER, RL_OFF(backoff_max_ms), 1, 600000,
      "MS", "largest backoff; default 10000" },

    { "--progress", RL_OPT_NUMBER, RL_OFF(progress_ms), 10, 3600000, "MS",
      "tell on stderr, so often, how many are connected" },

    { "--pids", RL_OPT_PIDS, 0, 0, 0, "LIST",
      "processes whose memory and CPU are measured" },

    { "--master", RL_OPT_NUMBER, RL_OFF(master), 1, 4194304, "PID",
      "nginx's master: its workers, as they come and go" },

    { "--keep", RL_OPT_FLAG, RL_OFF(keep), 0, 0, NULL,
      "leave sessions, devices and enrolments in the store" },

    { "--json", RL_OPT_FLAG, RL_OFF(json), 0, 0, NULL,
      "print JSON" },

    { NULL, RL_OPT_FLAG, 0, 0, 0, NULL, NULL }
};


const char *
rl_mode_name(rl_mode_e mode)
{
    return rl_modes[mode];
}


static void
rl_options_help(void)
{
    char             left[64];
    const rl_opt_t  *opt;

    printf("usage: rs-load MODE --url URL --key-file FILE [OPTION...]\n\n"
           "Drives a gateway as real devices and participants, and checks\n"
           "that each acknowledged message arrives exactly once, in order,\n"
           "at the right place, whatever happens to the gateway meanwhile.\n"
           "\n"
           "  pairs   messages between host and controller of each session\n"
           "  idle    devices that are only connected: bytes of each\n"
           "  churn   devices that connect and leave, over and over\n"
           "  storm   all are dropped at once: time until all are back\n\n"
           "SIGTERM or SIGINT ends the load; what is under way is waited\n"
           "for and the result told as after --seconds.\n\n");

    for (opt = rl_opts; opt->name; opt++) {
        (void) snprintf(left, sizeof(left), "%s %s", opt->name,
                        opt->value ? opt->value : "");
        printf("  %-22s %s\n", left, opt->about);
    }

    printf("\nExit status: 0 as promised; 1 a promise is broken (lost, twice,"
           "\nout of order, foreign, a session that could not go on, a device"
           "\nthat did not come back); 2 bad usage; 3 no measurement.\n");
}


static int
rl_options_pids(rl_options_t *o, const char *value)
{
    char  *end;
    long   pid;

    for ( ;; ) {
        pid = strtol(value, &end, 10);

        if (end == value || pid < 1 || pid > 4194304
            || (*end != '\0' && *end != ',')
            || o->npids == RL_PROC_PIDS)
        {
            fprintf(stderr, "rs-load: --pids: \"%s\" does not start with a "
                    "process id, or there are more than %d\n", value,
                    RL_PROC_PIDS);
            return -1;
        }

        o->pids[o->npids++] = (int) pid;

        if (*end == '\0') {
            return 0;
        }

        value = end + 1;
    }
}


static int
rl_options_set(rl_options_t *o, const rl_opt_t *opt, const char *value)
{
    void      *field;
    uint64_t   v;

    field = (char *) o + opt->offset;

    switch (opt->type) {

    case RL_OPT_FLAG:
        *(int *) field = 1;
        return 0;

    case RL_OPT_TEXT:
        *(const char **) field = value;
        return 0;

    case RL_OPT_URL:
        if (o->nurls == RL_OPTIONS_URLS) {
            fprintf(stderr, "rs-load: more than %d times --url\n",
                    RL_OPTIONS_URLS);
            return -1;
        }

        o->urls[o->nurls++] = value;
        return 0;

    case RL_OPT_PIDS:
        return rl_options_pids(o, value);

    default:
        break;
    }

    if (!rs_u64_parse(rs_str(value), opt->max, &v) || v < opt->min) {
        fprintf(stderr, "rs-load: %s \"%s\": a number from %llu to %llu is "
                "wanted\n", opt->name, value, (unsigned long long) opt->min,
                (unsigned long long) opt->max);
        return -1;
    }

    *(uint64_t *) field = v;

    return 0;
}


static int
rl_options_check(rl_options_t *o)
{
    if (o->nurls == 0) {
        fprintf(stderr, "rs-load: --url is missing: the base of the "
                "gateway's REST interface\n");
        return -1;
    }

    if (o->key_file == NULL) {
        fprintf(stderr, "rs-load: --key-file is missing: tools/rs-key makes "
                "a key\n");
        return -1;
    }

    if (o->mode != RL_MODE_PAIRS && o->mode != RL_MODE_STORM
        && o->sessions != UINT64_MAX && o->sessions != 0)
    {
        fprintf(stderr, "rs-load: --sessions is for pairs and storm\n");
        return -1;
    }

    if (o->sessions == UINT64_MAX) {
        o->sessions = o->mode == RL_MODE_PAIRS ? 10 : 0;
    }

    if (o->mode == RL_MODE_PAIRS && o->sessions == 0) {
        fprintf(stderr, "rs-load: pairs needs --sessions of at least 1\n");
        return -1;
    }

    if (o->devices == 0) {
        o->devices = o->sessions ? o->sessions : 100;
    }

    if (o->devices * 64 < o->sessions) {
        fprintf(stderr, "rs-load: a device has at most 64 sessions: at least "
                "--devices %llu\n",
                (unsigned long long) (o->sessions + 63) / 64);
        return -1;
    }

    if (o->seconds == 0) {
        o->seconds = o->mode == RL_MODE_STORM ? 60 : 10;
    }

    return 0;
}


int
rl_options_parse(rl_options_t *o, int argc, char **argv)
{
    int              i;
    unsigned         m;
    const rl_opt_t  *opt;

    *o = (rl_options_t) {
        .sessions = UINT64_MAX, .window = 1, .size = 200, .setup_s = 60,
        .drain_s = 15, .peer_rate = 45, .peer_burst = 90, .pending = 10000,
        .connecting = 64, .rest = 4, .backoff_ms = 500,
        .backoff_max_ms = 10000
    };

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            rl_options_help();
            return 1;
        }
    }

    for (m = 0; argc > 1 && rl_modes[m]; m++) {
        if (strcmp(argv[1], rl_modes[m]) == 0) {
            break;
        }
    }

    if (argc < 2 || rl_modes[m] == NULL) {
        fprintf(stderr, "rs-load: \"%s\" is no mode; pairs, idle, churn or "
                "storm comes first; rs-load --help\n",
                argc > 1 ? argv[1] : "");
        return -1;
    }

    o->mode = (rl_mode_e) m;

    for (i = 2; i < argc; i++) {
        for (opt = rl_opts; opt->name; opt++) {
            if (strcmp(argv[i], opt->name) == 0) {
                break;
            }
        }

        if (opt->name == NULL) {
            fprintf(stderr, "rs-load: \"%s\" is no option; rs-load --help\n",
                    argv[i]);
            return -1;
        }

        if (opt->type != RL_OPT_FLAG && ++i == argc) {
            fprintf(stderr, "rs-load: %s needs a value: %s\n", opt->name,
                    opt->value);
            return -1;
        }

        if (rl_options_set(o, opt, argv[i]) != 0) {
            return -1;
        }
    }

    return rl_options_check(o);
}
