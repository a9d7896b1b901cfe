
/*
 * Copyright (C) rs-gateway contributors
 *
 * Loaded into nginx by LD_PRELOAD: what each turn of a worker's event loop
 * costs, and which calls in it could have put the worker to sleep.
 *
 * A turn is what happens between two epoll_wait().  The kernel is asked for
 * one event at a time, so a turn is the handlers of one event and of timers
 * that were due; its thread CPU bounds that of each of them from above.  It
 * is counted from the first epoll_wait() of a process on: what nginx does
 * while it starts is none of a worker's turns.
 *
 * RS_TRACE names a file, made by the process that starts and shared with what
 * it forks: one slot a process, in the layout below.
 */


#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


#define TRACE_SLOTS            1024
#define TRACE_CALLS            4
#define TRACE_TEXT             64


/* 512 bytes; faults/rsfault/trace.py reads it */

typedef struct {
    uint64_t        pid;              /* 0: nobody's */
    uint64_t        turns;
    uint64_t        cpu_ns;           /* of all turns */
    uint64_t        max_ns;           /* of the longest */
    uint64_t        over;             /* turns above 5 ms */
    uint64_t        blocking;         /* calls that could have slept */
    char            longest[TRACE_TEXT];        /* whose event it was */
    char            calls[TRACE_CALLS][TRACE_TEXT];   /* the first ones */
    char            pad[144];
} trace_slot_t;


#define TRACE_LIMIT            5000000      /* ns */


static trace_slot_t  *trace_slots;
static trace_slot_t  *trace_mine;
static pid_t          trace_pid;
static uint64_t       trace_from;           /* 0: not in a turn */
static int            trace_fd;             /* whose event it is */


__attribute__((constructor))
static void
trace_init(void)
{
    int          fd;
    const char  *path;

    path = getenv("RS_TRACE");

    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (fd == -1) {
        return;
    }

    if (ftruncate(fd, TRACE_SLOTS * sizeof(trace_slot_t)) == 0) {
        trace_slots = mmap(NULL, TRACE_SLOTS * sizeof(trace_slot_t),
                           PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

        if (trace_slots == MAP_FAILED) {
            trace_slots = NULL;
        }
    }

    (void) close(fd);
}


static void *
trace_next(const char *name)
{
    void  *p;

    p = dlsym(RTLD_NEXT, name);

    if (p == NULL) {
        abort();
    }

    return p;
}


#define TRACE_REAL(name)                                                     \
    static __typeof__(&name)  real;                                          \
                                                                             \
    if (real == NULL) {                                                      \
        real = (__typeof__(&name)) trace_next(#name);                        \
    }


static uint64_t
trace_cpu(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/* the slot of this process; a fork has its parent's, and takes one anew */

static trace_slot_t *
trace_slot(void)
{
    uint64_t  none;
    unsigned  i;

    if (trace_slots == NULL) {
        return NULL;
    }

    if (trace_pid == getpid()) {
        return trace_mine;
    }

    trace_pid = getpid();
    trace_mine = NULL;
    trace_from = 0;

    for (i = 0; i < TRACE_SLOTS; i++) {
        none = 0;

        if (__atomic_compare_exchange_n(&trace_slots[i].pid, &none,
                                        (uint64_t) trace_pid, 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        {
            trace_mine = &trace_slots[i];
            break;
        }
    }

    return trace_mine;
}


/* who is at the other end of fd, as far as that tells what the event was */

static void
trace_whose(char *text, size_t size, int fd)
{
    int                      on;
    socklen_t                len;
    struct sockaddr_storage  ss;

    len = sizeof(ss);
    on = 0;

    if (fd < 0) {
        (void) snprintf(text, size, "timers only");

    } else if (getsockname(fd, (struct sockaddr *) &ss, &len) != 0) {
        (void) snprintf(text, size, "fd %d, closed by now", fd);

    } else {
        len = sizeof(on);
        (void) getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len);
        (void) snprintf(text, size, "fd %d, %s%s", fd,
                        ss.ss_family == AF_UNIX ? "unix" : "tcp",
                        on ? ", listening" : "");
    }
}


static void
trace_turn_ends(trace_slot_t *s)
{
    uint64_t  spent;

    if (trace_from == 0) {
        return;
    }

    spent = trace_cpu() - trace_from;
    trace_from = 0;

    s->turns++;
    s->cpu_ns += spent;
    s->over += spent > TRACE_LIMIT;

    if (spent > s->max_ns) {
        s->max_ns = spent;
        trace_whose(s->longest, sizeof(s->longest), trace_fd);
    }
}


int
epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    int            n;
    trace_slot_t  *s;

    TRACE_REAL(epoll_wait)

    s = trace_slot();

    if (s == NULL) {
        return real(epfd, events, max, timeout);
    }

    trace_turn_ends(s);

    n = real(epfd, events, 1, timeout);

    /* nginx: the connection, whose fourth word is its socket */

    trace_fd = -1;

    if (n == 1 && events[0].data.u64 > UINT32_MAX) {
        trace_fd = *(int *) ((events[0].data.u64 & ~(uint64_t) 1)
                             + 3 * sizeof(void *));
    }

    trace_from = trace_cpu();

    return n;
}


static void
trace_blocking(const char *call, int fd)
{
    int            saved;
    trace_slot_t  *s;

    if (trace_from == 0 || trace_pid != getpid()) {
        return;
    }

    s = trace_mine;

    if (s == NULL) {
        return;
    }

    saved = errno;

    if (s->blocking < TRACE_CALLS) {
        (void) snprintf(s->calls[s->blocking], TRACE_TEXT, "%s, fd %d", call,
                        fd);
    }

    s->blocking++;
    errno = saved;
}


/* a socket or pipe that would wait; files are the page cache's */

static void
trace_io(const char *call, int fd, int flags)
{
    int          fl, saved;
    struct stat  st;

    if (trace_from == 0 || (flags & MSG_DONTWAIT)) {
        return;
    }

    saved = errno;
    fl = fcntl(fd, F_GETFL);

    if (fl != -1 && !(fl & O_NONBLOCK) && fstat(fd, &st) == 0
        && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)))
    {
        trace_blocking(call, fd);
    }

    errno = saved;
}


#define TRACE_IO(type, name, params, args, fd, flags)                        \
                                                                             \
type                                                                         \
name params                                                                  \
{                                                                            \
    TRACE_REAL(name)                                                         \
    trace_io(#name, fd, flags);                                              \
                                                                             \
    return real args;                                                        \
}


TRACE_IO(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), fd, 0)
TRACE_IO(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), fd, 0)
TRACE_IO(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n),
         fd, 0)
TRACE_IO(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n),
         fd, 0)
TRACE_IO(ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f),
         fd, f)
TRACE_IO(ssize_t, send, (int fd, const void *b, size_t n, int f),
         (fd, b, n, f), fd, f)
TRACE_IO(ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f),
         fd, f)
TRACE_IO(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f),
         (fd, m, f), fd, f)
TRACE_IO(int, connect, (int fd, const struct sockaddr *sa, socklen_t n),
         (fd, sa, n), fd, 0)


/* calls that wait by what they are, unless told not to */

#define TRACE_WAIT(type, name, params, args, waits)                          \
                                                                             \
type                                                                         \
name params                                                                  \
{                                                                            \
    TRACE_REAL(name)                                                         \
                                                                             \
    if (waits) {                                                             \
        trace_blocking(#name, -1);                                           \
    }                                                                        \
                                                                             \
    return real args;                                                        \
}


TRACE_WAIT(int, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms),
           ms != 0)
TRACE_WAIT(int, ppoll, (struct pollfd *p, nfds_t n, const struct timespec *t,
                        const sigset_t *m), (p, n, t, m),
           t == NULL || t->tv_sec || t->tv_nsec)
TRACE_WAIT(int, select, (int n, fd_set *r, fd_set *w, fd_set *e,
                         struct timeval *t), (n, r, w, e, t),
           t == NULL || t->tv_sec || t->tv_usec)
TRACE_WAIT(int, nanosleep, (const struct timespec *t, struct timespec *r),
           (t, r), 1)
TRACE_WAIT(int, clock_nanosleep, (clockid_t c, int f,
                                  const struct timespec *t,
                                  struct timespec *r), (c, f, t, r), 1)
TRACE_WAIT(int, usleep, (useconds_t us), (us), 1)
TRACE_WAIT(unsigned, sleep, (unsigned s), (s), 1)
TRACE_WAIT(int, fsync, (int fd), (fd), 1)
TRACE_WAIT(int, fdatasync, (int fd), (fd), 1)
TRACE_WAIT(int, flock, (int fd, int op), (fd, op), !(op & LOCK_NB))
TRACE_WAIT(int, getaddrinfo, (const char *n, const char *s,
                              const struct addrinfo *h,
                              struct addrinfo **r), (n, s, h, r), 1)
TRACE_WAIT(struct hostent *, gethostbyname, (const char *n), (n), 1)
