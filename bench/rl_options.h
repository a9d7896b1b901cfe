
/*
 * Copyright (C) rs-gateway contributors
 *
 * The command line.
 */


#ifndef _RL_OPTIONS_H_INCLUDED_
#define _RL_OPTIONS_H_INCLUDED_


#include "rl_proc.h"


#define RL_OPTIONS_URLS        8


typedef enum {
    RL_MODE_PAIRS = 0,
    RL_MODE_IDLE,
    RL_MODE_CHURN,
    RL_MODE_STORM
} rl_mode_e;


typedef struct {
    rl_mode_e       mode;
    const char     *urls[RL_OPTIONS_URLS];
    size_t          nurls;
    const char     *key_file;
    const char     *ca_file;
    const char     *sources;

    uint64_t        devices;          /* 0: as many as sessions */
    uint64_t        sessions;
    uint64_t        rate;             /* messages/s of all; 0: closed loop */
    uint64_t        window;
    uint64_t        size;             /* bytes of data */
    uint64_t        seconds;
    uint64_t        setup_s;
    uint64_t        drain_s;
    uint64_t        count;            /* messages, connects; 0: by time */
    uint64_t        connecting;       /* at once */
    uint64_t        rest;             /* connections */
    uint64_t        pending;          /* messages of one peer */
    uint64_t        peer_rate;        /* messages/s of one peer; 0: any */
    uint64_t        peer_burst;
    uint64_t        backoff_ms;
    uint64_t        backoff_max_ms;
    uint64_t        progress_ms;      /* 0: none */

    int             any_address;
    int             json;
    int             keep;

    int             pids[RL_PROC_PIDS];
    size_t          npids;
    uint64_t        master;
} rl_options_t;


const char *rl_mode_name(rl_mode_e mode);

/* 0: go on; 1: --help was answered; -1: told on stderr what is wrong */
int rl_options_parse(rl_options_t *o, int argc, char **argv);


#endif /* _RL_OPTIONS_H_INCLUDED_ */
