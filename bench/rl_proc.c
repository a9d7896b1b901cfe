
/*
 * Copyright (C) rs-gateway contributors
 *
 * /proc: see rl_proc.h.
 */


#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rl_proc.h"


static size_t rl_proc_list(const rl_proc_t *p, int *pids);
static uint64_t rl_proc_anon(int pid);
static uint64_t rl_proc_ticks(int pid, int children);


/* those given, and the children of the master there are now */

static size_t
rl_proc_list(const rl_proc_t *p, int *pids)
{
    int     pid;
    char    path[64];
    FILE   *f;
    size_t  n;

    n = p->n;
    memcpy(pids, p->pids, n * sizeof(int));

    if (p->master == 0) {
        return n;
    }

    (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
                    p->master, p->master);
    f = fopen(path, "r");

    if (f == NULL) {
        return n;
    }

    while (n < RL_PROC_PIDS && fscanf(f, "%d", &pid) == 1) {
        pids[n++] = pid;
    }

    (void) fclose(f);

    return n;
}


static uint64_t
rl_proc_anon(int pid)
{
    char                path[64], line[256];
    FILE               *f;
    unsigned long long  kb;

    (void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "r");

    if (f == NULL) {
        return 0;
    }

    kb = 0;

    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "RssAnon: %llu kB", &kb) == 1) {
            break;
        }
    }

    (void) fclose(f);

    return kb * 1024;
}


uint64_t
rl_proc_memory(rl_proc_t *p)
{
    int       pids[RL_PROC_PIDS];
    size_t    i, n;
    uint64_t  sum;

    sum = 0;
    n = rl_proc_list(p, pids);

    for (i = 0; i < n; i++) {
        sum += rl_proc_anon(pids[i]);
    }

    return sum;
}


static uint64_t
rl_proc_ticks(int pid, int children)
{
    char                 path[64], line[1024], *p;
    FILE                *f;
    unsigned long long   user, system, cuser, csystem;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");

    if (f == NULL) {
        return 0;
    }

    p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    (void) fclose(f);

    if (p == NULL
        || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                  "%llu %llu %llu %llu", &user, &system, &cuser, &csystem)
           != 4)
    {
        return 0;
    }

    return user + system + (children ? cuser + csystem : 0);
}


uint64_t
rl_proc_cpu(rl_proc_t *p)
{
    int       pids[RL_PROC_PIDS];
    size_t    i, n;
    uint64_t  ticks;

    ticks = p->master ? rl_proc_ticks(p->master, 1) : 0;
    n = rl_proc_list(p, pids);

    for (i = 0; i < n; i++) {
        ticks += rl_proc_ticks(pids[i], 0);
    }

    return ticks * 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
}


uint64_t
rl_proc_own_cpu(void)
{
    struct rusage  ru;

    if (getrusage(RUSAGE_SELF, &ru) != 0) {
        return 0;
    }

    return (uint64_t) (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000
           + (uint64_t) (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}
