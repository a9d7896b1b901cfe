
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway's processes use, by /proc.
 */


#ifndef _RL_PROC_H_INCLUDED_
#define _RL_PROC_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define RL_PROC_PIDS           64


typedef struct {
    int             pids[RL_PROC_PIDS];
    size_t          n;
    int             master;           /* 0: none; its children are counted */

    /* anonymous memory, bytes */
    uint64_t        before;
    uint64_t        loaded;
    uint64_t        after;

    /* of the run, microseconds */
    uint64_t        cpu;
    uint64_t        own_cpu;
    uint64_t        cpu_at;
    uint64_t        own_cpu_at;
} rl_proc_t;


/* anonymous memory of all, bytes; 0: there is none to read */
uint64_t rl_proc_memory(rl_proc_t *p);
/* CPU time used so far; of a master's also that of its dead children */
uint64_t rl_proc_cpu(rl_proc_t *p);
uint64_t rl_proc_own_cpu(void);


#endif /* _RL_PROC_H_INCLUDED_ */
