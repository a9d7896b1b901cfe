
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table on disk.
 *
 * A child of fork() has the table as it was at that moment.  It closes what
 * it inherited (a listening socket must not outlive the daemon), writes a file
 * of another name, syncs it, and renames: a reader finds the old one or the
 * new one, whole.  It says by a pipe how it went, and ends.
 */


#define _GNU_SOURCE

#include "turn_snapshot.h"
#include "turn_clock.h"
#include "turn_log.h"
#include "rs_turn_snap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/evp.h>


#define TURN_SNAPSHOT_FILE      "snapshot"
#define TURN_SNAPSHOT_NEW       "snapshot.new."
#define TURN_SNAPSHOT_TICK      1          /* s */
#define TURN_SNAPSHOT_EVERY     5000       /* ms */
#define TURN_SNAPSHOT_HANGS     30000      /* ms */
#define TURN_SNAPSHOT_BUFFER    65536


/* what the child says */

typedef struct {
    int                  err;         /* 0: written */
    char                 step[16];
    uint64_t             bytes;
    uint64_t             records;
    uint64_t             left_out;
} turn_snapshot_result_t;


struct turn_snapshot_s {
    struct event_base   *base;
    turn_table_t        *table;
    char                *path;        /* of the folder, for logs */
    int                  dir;

    struct event        *tick;
    struct event        *pipe;        /* NULL: no child */
    pid_t                child;
    uint64_t             began;       /* ms */
    uint64_t             changes;     /* of the table, as of that */
    unsigned             killed:1;
    unsigned             told:1;      /* that it cannot be written */

    turn_snapshot_stats_t  stats;
};


/* a file that is being written */

typedef struct {
    int                  fd;
    int                  err;
    size_t               len;
    EVP_MD_CTX          *digest;
    turn_snapshot_result_t  *result;
    char                 buffer[TURN_SNAPSHOT_BUFFER];
} turn_snapshot_writer_t;


static int turn_snapshot_dir(turn_snapshot_t *s, const char *dir,
    char *error, size_t size);
static void turn_snapshot_tidy(turn_snapshot_t *s);
static void turn_snapshot_load(turn_snapshot_t *s);
static const char *turn_snapshot_read(turn_snapshot_t *s, char **text,
    size_t *len);
static void turn_snapshot_restore(turn_snapshot_t *s,
    rs_turn_snap_reader_t *reader);
static void turn_snapshot_tick(evutil_socket_t fd, short what, void *data);
static void turn_snapshot_fork(turn_snapshot_t *s);
static void turn_snapshot_child(turn_snapshot_t *s, int fd);
static void turn_snapshot_keep(int a, int b);
static void turn_snapshot_ended(evutil_socket_t fd, short what, void *data);
static void turn_snapshot_done(turn_snapshot_t *s,
    const turn_snapshot_result_t *result);
static void turn_snapshot_write(turn_snapshot_t *s,
    turn_snapshot_result_t *result);
static void turn_snapshot_content(turn_snapshot_t *s,
    turn_snapshot_writer_t *w);
static void turn_snapshot_entry(void *data, const turn_entry_t *e);
static void turn_snapshot_put(turn_snapshot_writer_t *w, const char *text,
    size_t len, int digest);
static void turn_snapshot_flush(turn_snapshot_writer_t *w);


turn_snapshot_t *
turn_snapshot_create(struct event_base *base, const char *dir,
    turn_table_t *table, char *error, size_t size)
{
    struct timeval    tv = { TURN_SNAPSHOT_TICK, 0 };
    turn_snapshot_t  *s;

    s = calloc(1, sizeof(turn_snapshot_t));
    if (s == NULL) {
        (void) snprintf(error, size, "no memory");
        return NULL;
    }

    s->base = base;
    s->table = table;
    s->dir = -1;

    if (turn_snapshot_dir(s, dir, error, size) < 0) {
        goto failed;
    }

    s->tick = event_new(base, -1, EV_PERSIST, turn_snapshot_tick, s);

    if (s->tick == NULL || event_add(s->tick, &tv) < 0) {
        (void) snprintf(error, size, "no memory");
        goto failed;
    }

    turn_snapshot_tidy(s);
    turn_snapshot_load(s);

    s->changes = turn_table_changes(table);

    return s;

failed:

    if (s->tick) {
        event_free(s->tick);
    }

    if (s->dir != -1) {
        (void) close(s->dir);
    }

    free(s->path);
    free(s);

    return NULL;
}


static int
turn_snapshot_dir(turn_snapshot_t *s, const char *dir, char *error,
    size_t size)
{
    struct stat  st;

    s->path = strdup(dir);
    if (s->path == NULL) {
        (void) snprintf(error, size, "no memory");
        return -1;
    }

    s->dir = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (s->dir == -1 || fstat(s->dir, &st) == -1) {
        (void) snprintf(error, size, "state_dir = %s: %s: make it, for the "
                        "user of this daemon, or say \"off\"", dir,
                        strerror(errno));
        return -1;
    }

    if (st.st_mode & (S_IWGRP|S_IWOTH)) {
        (void) snprintf(error, size, "state_dir = %s: others may write into "
                        "it: chmod go-w", dir);
        return -1;
    }

    if (faccessat(s->dir, ".", W_OK|X_OK, AT_EACCESS) == -1) {
        (void) snprintf(error, size, "state_dir = %s: %s: it must belong to "
                        "the user of this daemon", dir, strerror(errno));
        return -1;
    }

    return 0;
}


/* what a child left that was killed */

static void
turn_snapshot_tidy(turn_snapshot_t *s)
{
    int             fd;
    DIR            *list;
    size_t          len;
    struct dirent  *entry;

    fd = openat(s->dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    list = (fd == -1) ? NULL : fdopendir(fd);

    if (list == NULL) {
        if (fd != -1) {
            (void) close(fd);
        }

        return;
    }

    len = strlen(TURN_SNAPSHOT_NEW);

    while ((entry = readdir(list)) != NULL) {
        if (strncmp(entry->d_name, TURN_SNAPSHOT_NEW, len) == 0) {
            (void) unlinkat(s->dir, entry->d_name, 0);
        }
    }

    (void) closedir(list);
}


static void
turn_snapshot_load(turn_snapshot_t *s)
{
    char                   *text;
    size_t                  len;
    const char             *wrong;
    rs_turn_snap_reader_t   reader;

    wrong = turn_snapshot_read(s, &text, &len);

    if (wrong == NULL && text) {
        wrong = rs_turn_snap_open((rs_str_t) { (uint8_t *) text, len },
                                  &reader);
    }

    if (wrong) {
        turn_log(TURN_LOG_ERR, "the snapshot %s/" TURN_SNAPSHOT_FILE " is "
                 "not used: %s", s->path, wrong);

    } else if (text) {
        turn_snapshot_restore(s, &reader);
    }

    free(text);
}


/* *text NULL and no error: there is none */

static const char *
turn_snapshot_read(turn_snapshot_t *s, char **text, size_t *len)
{
    int          fd;
    size_t       size;
    ssize_t      n;
    const char  *wrong;
    struct stat  st;

    *text = NULL;
    *len = 0;

    fd = openat(s->dir, TURN_SNAPSHOT_FILE,
                O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        return errno == ENOENT ? NULL : strerror(errno);
    }

    wrong = NULL;

    if (fstat(fd, &st) == -1) {
        wrong = strerror(errno);

    } else if (!S_ISREG(st.st_mode)) {
        wrong = "it is no regular file";

    } else if (st.st_uid != geteuid()) {
        wrong = "it belongs to another user";

    } else if (st.st_mode & (S_IRWXG|S_IRWXO)) {
        wrong = "others may read or write it: its mode must be 0600";

    } else if (st.st_size > RS_TURN_SNAP_SIZE) {
        wrong = "it is too large";
    }

    if (wrong) {
        goto done;
    }

    /* one byte more: it may grow meanwhile, and is refused then */

    size = (size_t) st.st_size + 1;
    *text = malloc(size);

    if (*text == NULL) {
        wrong = "no memory";
        goto done;
    }

    while (*len < size) {
        n = read(fd, *text + *len, size - *len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            wrong = strerror(errno);
        }

        if (n <= 0) {
            break;
        }

        *len += (size_t) n;
    }

done:

    (void) close(fd);

    return wrong;
}


static void
turn_snapshot_restore(turn_snapshot_t *s, rs_turn_snap_reader_t *reader)
{
    uint64_t        now, n;
    turn_entry_t    e;
    rs_turn_snap_t  r;

    static const turn_entry_e  types[RS_TURN_SNAP_MAX] = {
        TURN_ENTRY_LIVE, TURN_ENTRY_ENDED, TURN_ENTRY_REVOKED,
        TURN_ENTRY_NEWEST
    };

    now = turn_clock_ms();

    for (n = 0; rs_turn_snap_next(reader, &r); n++) {
        e.type = types[r.type];
        e.tenant = r.tenant;
        e.session_id = r.session_id;
        e.participant_id = r.participant_id;
        e.at = r.at;

        (void) turn_table_restore(s->table, &e, now);
    }

    /* a clock that went back makes nothing newer */

    turn_table_set_synced_at(s->table, reader->synced_ms < now
                                       ? reader->synced_ms : now);
    s->stats.loaded = 1;

    turn_log(TURN_LOG_NOTICE, "the snapshot was read: %llu records, in sync "
             "%llu s ago", (unsigned long long) n,
             (unsigned long long) (reader->synced_ms < now
                                   ? (now - reader->synced_ms) / 1000 : 0));
}


void
turn_snapshot_destroy(turn_snapshot_t *s)
{
    int                     status;
    turn_snapshot_result_t  result;

    if (s == NULL) {
        return;
    }

    if (s->pipe) {
        (void) kill(s->child, SIGKILL);
        (void) waitpid(s->child, &status, 0);
        (void) close(event_get_fd(s->pipe));
        event_free(s->pipe);
        turn_snapshot_tidy(s);
        s->changes--;                 /* that one was not written */
    }

    if (s->changes != turn_table_changes(s->table)) {
        s->began = turn_clock_mono_us() / 1000;
        turn_snapshot_write(s, &result);
        turn_snapshot_done(s, &result);
    }

    event_free(s->tick);
    (void) close(s->dir);
    free(s->path);
    free(s);
}


void
turn_snapshot_stats(const turn_snapshot_t *s, turn_snapshot_stats_t *stats)
{
    *stats = s->stats;
}


static void
turn_snapshot_tick(evutil_socket_t fd, short what, void *data)
{
    turn_snapshot_t *s = data;

    uint64_t  passed;

    (void) fd;
    (void) what;

    passed = turn_clock_mono_us() / 1000 - s->began;

    if (s->pipe == NULL) {
        if (s->changes != turn_table_changes(s->table)
            && (s->began == 0 || passed >= TURN_SNAPSHOT_EVERY))
        {
            turn_snapshot_fork(s);
        }

        return;
    }

    if (passed > TURN_SNAPSHOT_HANGS && !s->killed) {
        s->killed = 1;
        (void) kill(s->child, SIGKILL);
    }
}


static void
turn_snapshot_fork(turn_snapshot_t *s)
{
    int                     fds[2];
    turn_snapshot_result_t  result;

    s->began = turn_clock_mono_us() / 1000;
    memset(&result, 0, sizeof(result));

    if (pipe2(fds, O_CLOEXEC|O_NONBLOCK) == -1) {
        result.err = errno;
        (void) strcpy(result.step, "pipe");
        turn_snapshot_done(s, &result);
        return;
    }

    s->pipe = event_new(s->base, fds[0], EV_READ, turn_snapshot_ended, s);
    s->child = s->pipe ? fork() : -1;

    if (s->child == 0) {
        turn_snapshot_child(s, fds[1]);
    }

    if (s->child == -1) {
        result.err = errno;
        (void) strcpy(result.step, "fork");

        (void) close(fds[0]);
        (void) close(fds[1]);

        if (s->pipe) {
            event_free(s->pipe);
            s->pipe = NULL;
        }

        turn_snapshot_done(s, &result);
        return;
    }

    s->changes = turn_table_changes(s->table);
    s->killed = 0;

    (void) close(fds[1]);
    (void) event_add(s->pipe, NULL);
}


static void
turn_snapshot_child(turn_snapshot_t *s, int fd)
{
    turn_snapshot_result_t  result;

    (void) signal(SIGTERM, SIG_DFL);
    (void) signal(SIGINT, SIG_DFL);
    (void) signal(SIGHUP, SIG_IGN);

    turn_snapshot_keep(s->dir < fd ? s->dir : fd, s->dir < fd ? fd : s->dir);
    turn_snapshot_write(s, &result);

    if (write(fd, &result, sizeof(result)) != sizeof(result)) {
        _exit(1);
    }

    _exit(0);
}


/* closes all but the first three and these; a < b */

static void
turn_snapshot_keep(int a, int b)
{
    if (a > 3) {
        (void) close_range(3, (unsigned) a - 1, 0);
    }

    if (b > a + 1) {
        (void) close_range((unsigned) a + 1, (unsigned) b - 1, 0);
    }

    (void) close_range((unsigned) b + 1, ~0U, 0);
}


static void
turn_snapshot_ended(evutil_socket_t fd, short what, void *data)
{
    turn_snapshot_t *s = data;

    int                     status;
    turn_snapshot_result_t  result;

    (void) what;

    if (read(fd, &result, sizeof(result)) != sizeof(result)) {
        memset(&result, 0, sizeof(result));
        result.err = s->killed ? ETIMEDOUT : ECHILD;
        (void) strcpy(result.step, "the child");
    }

    result.step[sizeof(result.step) - 1] = '\0';

    event_free(s->pipe);
    s->pipe = NULL;
    (void) close(fd);
    (void) waitpid(s->child, &status, 0);

    turn_snapshot_done(s, &result);
}


static void
turn_snapshot_done(turn_snapshot_t *s, const turn_snapshot_result_t *result)
{
    if (result->err) {
        s->stats.failed++;
        s->changes--;                 /* again */

        turn_log(s->told ? TURN_LOG_DEBUG : TURN_LOG_ERR, "the snapshot "
                 "cannot be written into %s: %s: %s", s->path, result->step,
                 strerror(result->err));
        s->told = 1;
        return;
    }

    if (result->left_out && !s->told) {
        turn_log(TURN_LOG_WARN, "the snapshot is full: %llu records are not "
                 "in it", (unsigned long long) result->left_out);
    }

    s->told = (result->left_out != 0);

    s->stats.written++;
    s->stats.written_at = turn_clock_ms();
    s->stats.ms = turn_clock_mono_us() / 1000 - s->began;
    s->stats.bytes = result->bytes;
    s->stats.records = result->records;
}


static void
turn_snapshot_write(turn_snapshot_t *s, turn_snapshot_result_t *result)
{
    char                     name[64];
    turn_snapshot_writer_t  *w;

    memset(result, 0, sizeof(*result));

    (void) snprintf(name, sizeof(name), TURN_SNAPSHOT_NEW "%ld",
                    (long) getpid());

    w = malloc(sizeof(*w));
    if (w == NULL) {
        result->err = ENOMEM;
        return;
    }

    w->err = 0;
    w->len = 0;
    w->result = result;
    w->digest = EVP_MD_CTX_new();

    (void) unlinkat(s->dir, name, 0);
    (void) strcpy(result->step, "open");
    w->fd = openat(s->dir, name,
                   O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (w->fd == -1) {
        w->err = errno;
        goto done;
    }

    (void) strcpy(result->step, "write");
    turn_snapshot_content(s, w);

    if (w->err == 0) {
        (void) strcpy(result->step, "fsync");
        w->err = fsync(w->fd) == -1 ? errno : 0;
    }

    if (close(w->fd) == -1 && w->err == 0) {
        w->err = errno;
    }

    if (w->err == 0) {
        (void) strcpy(result->step, "rename");

        if (renameat(s->dir, name, s->dir, TURN_SNAPSHOT_FILE) == -1
            || fsync(s->dir) == -1)
        {
            w->err = errno;
        }
    }

    if (w->err) {
        (void) unlinkat(s->dir, name, 0);
    }

done:

    result->err = w->err;
    EVP_MD_CTX_free(w->digest);
    free(w);
}


static void
turn_snapshot_content(turn_snapshot_t *s, turn_snapshot_writer_t *w)
{
    char      line[RS_TURN_SNAP_LINE];
    size_t    n;
    uint8_t   digest[EVP_MAX_MD_SIZE];
    unsigned  len;

    if (w->digest == NULL
        || EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL) != 1)
    {
        w->err = ENOMEM;
        return;
    }

    n = rs_turn_snap_head(line, turn_table_synced_at(s->table));
    turn_snapshot_put(w, line, n, 1);

    turn_table_walk(s->table, turn_snapshot_entry, w);

    if (w->err == 0 && EVP_DigestFinal_ex(w->digest, digest, &len) != 1) {
        w->err = ENOMEM;
    }

    if (w->err) {
        return;
    }

    n = rs_turn_snap_tail(line, w->result->records, digest);
    turn_snapshot_put(w, line, n, 0);
    turn_snapshot_flush(w);
}


static void
turn_snapshot_entry(void *data, const turn_entry_t *e)
{
    turn_snapshot_writer_t *w = data;

    char            line[RS_TURN_SNAP_LINE];
    size_t          n;
    rs_turn_snap_t  r;

    static const rs_turn_snap_e  types[] = {
        [TURN_ENTRY_LIVE] = RS_TURN_SNAP_LIVE,
        [TURN_ENTRY_ENDED] = RS_TURN_SNAP_ENDED,
        [TURN_ENTRY_REVOKED] = RS_TURN_SNAP_REVOKED,
        [TURN_ENTRY_NEWEST] = RS_TURN_SNAP_NEWEST
    };

    memset(&r, 0, sizeof(r));
    r.type = types[e->type];
    r.tenant = e->tenant;
    r.session_id = e->session_id;
    r.at = e->at;

    if (e->type != TURN_ENTRY_ENDED) {
        r.participant_id = e->participant_id;
    }

    n = rs_turn_snap_line(line, &r);

    if (n == 0 || w->result->records == RS_TURN_SNAP_RECORDS) {
        w->result->left_out++;
        return;
    }

    w->result->records++;
    turn_snapshot_put(w, line, n, 1);
}


static void
turn_snapshot_put(turn_snapshot_writer_t *w, const char *text, size_t len,
    int digest)
{
    if (w->len + len > sizeof(w->buffer)) {
        turn_snapshot_flush(w);
    }

    if (w->err) {
        return;
    }

    if (digest && EVP_DigestUpdate(w->digest, text, len) != 1) {
        w->err = ENOMEM;
        return;
    }

    memcpy(w->buffer + w->len, text, len);
    w->len += len;
    w->result->bytes += len;
}


static void
turn_snapshot_flush(turn_snapshot_writer_t *w)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; w->err == 0 && done < w->len; /* void */ ) {
        n = write(w->fd, w->buffer + done, w->len - done);

        if (n == -1 && errno != EINTR) {
            w->err = errno;
        }

        if (n > 0) {
            done += (size_t) n;
        }
    }

    w->len = 0;
}
