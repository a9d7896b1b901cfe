
/*
 * Copyright (C) rs-gateway contributors
 *
 * The guard between this program and hiredis, in coturn's place: what arrives
 * at the server is what coturn meant.  The library is linked before hiredis,
 * which is what preloading does.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"


#define SEEN_MAX      65536
#define NAME_MAX_LEN  513
#define WAIT          10          /* s */


/* a server that answers OK to each command, or nothing, and keeps them */

typedef struct {
    int              fd;
    int              port;
    int              silent;
    size_t           len;
    size_t           ncommands;
    char             seen[SEEN_MAX];
    pthread_t        thread;
    pthread_mutex_t  lock;
} server_t;


static size_t
take(const char *p, size_t len, char *out, size_t *nout)
{
    long         n, i, k;
    const char  *s, *end, *eol;

    s = p;
    end = p + len;
    *nout = 0;

    eol = memmem(s, (size_t) (end - s), "\r\n", 2);

    if (eol == NULL || *s != '*') {
        return 0;
    }

    n = strtol(s + 1, NULL, 10);
    s = eol + 2;

    for (i = 0; i < n; i++) {
        eol = memmem(s, (size_t) (end - s), "\r\n", 2);

        if (eol == NULL) {
            return 0;
        }

        k = strtol(s + 1, NULL, 10);
        s = eol + 2;

        if (end - s < k + 2) {
            return 0;
        }

        out[(*nout)++] = '[';
        memcpy(out + *nout, s, (size_t) k);
        *nout += (size_t) k;
        out[(*nout)++] = ']';
        s += k + 2;
    }

    return (size_t) (s - p);
}


static void
serve(server_t *s, int fd)
{
    char     buf[8192], args[8192];
    size_t   len, n, nargs;
    ssize_t  got;

    len = 0;

    while ((got = recv(fd, buf + len, sizeof(buf) - len, 0)) > 0) {
        len += (size_t) got;

        while ((n = take(buf, len, args, &nargs)) != 0) {
            memmove(buf, buf + n, len - n);
            len -= n;

            pthread_mutex_lock(&s->lock);

            memcpy(s->seen + s->len, args, nargs);
            s->len += nargs;
            s->seen[s->len++] = '\n';
            s->ncommands++;

            pthread_mutex_unlock(&s->lock);

            if (!s->silent && send(fd, "+OK\r\n", 5, MSG_NOSIGNAL) != 5) {
                break;
            }
        }
    }

    close(fd);
}


static void *
server(void *arg)
{
    int        fd;
    server_t  *s;

    s = arg;

    while ((fd = accept(s->fd, NULL, NULL)) != -1) {
        serve(s, fd);
    }

    return NULL;
}


static void
start(server_t *s)
{
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(s, 0, sizeof(*s));
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    s->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (s->fd == -1 || bind(s->fd, (struct sockaddr *) &sin, len) != 0
        || listen(s->fd, 8) != 0
        || getsockname(s->fd, (struct sockaddr *) &sin, &len) != 0
        || pthread_mutex_init(&s->lock, NULL) != 0
        || pthread_create(&s->thread, NULL, server, s) != 0)
    {
        printf("not ok - no server\n");
        exit(1);
    }

    s->port = ntohs(sin.sin_port);
}


static void
stop(server_t *s)
{
    (void) shutdown(s->fd, SHUT_RDWR);
    (void) pthread_join(s->thread, NULL);
    (void) close(s->fd);
    (void) pthread_mutex_destroy(&s->lock);
}


/* what arrived since the last time */

static void
arrived(server_t *s, size_t n, const char *want, const char *what)
{
    int     same;
    size_t  i, got;

    for (i = 0; i < WAIT * 1000; i++) {
        pthread_mutex_lock(&s->lock);
        got = s->ncommands;
        pthread_mutex_unlock(&s->lock);

        if (got >= n) {
            break;
        }

        (void) poll(NULL, 0, 1);
    }

    pthread_mutex_lock(&s->lock);

    same = s->len == strlen(want) && memcmp(s->seen, want, s->len) == 0;

    if (!ok(same, "%s", what)) {
        printf("# %zu commands, %zu bytes\n", s->ncommands, s->len);
    }

    s->len = 0;
    s->ncommands = 0;

    pthread_mutex_unlock(&s->lock);
}


static void
is_ok(redisReply *r, const char *what)
{
    ok(r != NULL && r->type == REDIS_REPLY_STATUS, "%s", what);

    if (r != NULL) {
        freeReplyObject(r);
    }
}


static const char *const  names[] = {
    "%s%s%s%s%s%s%s%s", "%n%n%n%n", "%*c%99999999d", "%", "a b", " ", "%s %b",
    "a\r\nFLUSHALL\r\n", "\xff\xfe\x80", "%%", "%b", "key\tx"
};


static void
test_command(server_t *s)
{
    char           text[2048], want[2048], name[NAME_MAX_LEN + 1];
    size_t         i;
    redisContext  *c;

    c = redisConnect("127.0.0.1", s->port);

    ok(c != NULL && c->err == 0, "connected");
    arrived(s, 1, "[RS.GUARD][1]\n", "the guard is told first");

    is_ok(redisCommand(c, "AUTH %s", "a b%n"), "a constant is a format");
    arrived(s, 1, "[AUTH][a b%n]\n", "with its argument");

    is_ok(redisCommand(c, "select %d", 3), "a constant with a number");
    arrived(s, 1, "[select][3]\n", "which is written out");

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), "get turn/realm/r/user/%s/key", names[i]);
        snprintf(want, sizeof(want), "[get][turn/realm/r/user/%s/key]\n",
                 names[i]);

        is_ok(redisCommand(c, text), "a name is no format");
        arrived(s, 1, want, "it arrives as it is");
    }

    memset(name, '%', sizeof(name));
    name[NAME_MAX_LEN] = '\0';
    snprintf(text, sizeof(text), "get turn/realm/r/user/%s/key", name);
    snprintf(want, sizeof(want), "[get][turn/realm/r/user/%s/key]\n", name);
    is_ok(redisCommand(c, text), "the longest name");
    arrived(s, 1, want, "arrives as it is");

    strcpy(text, "   ");
    ok(redisCommand(c, text) == NULL, "no command: no answer");
    ok(redisCommand(c, NULL) == NULL, "no format: no answer");
    ok(redisCommand(NULL, text) == NULL, "no context: no answer");

    redisFree(c);
}


/* the loop coturn has libevent for */

static void
run(redisAsyncContext *ac, server_t *s, size_t n)
{
    size_t         i, got;
    struct pollfd  p;

    for (i = 0; i < WAIT * 1000; i++) {
        pthread_mutex_lock(&s->lock);
        got = s->ncommands;
        pthread_mutex_unlock(&s->lock);

        if (got >= n) {
            return;
        }

        redisAsyncHandleWrite(ac);

        p.fd = ac->c.fd;
        p.events = POLLIN;
        p.revents = 0;

        if (poll(&p, 1, 1) == 1) {
            redisAsyncHandleRead(ac);
        }
    }
}


static void
test_async(server_t *s)
{
    int                 rc;
    char                text[2048], want[2048];
    size_t              i;
    redisAsyncContext  *ac;

    ac = redisAsyncConnect("127.0.0.1", s->port);

    ok(ac != NULL && ac->err == 0, "connecting");

    rc = redisAsyncCommand(ac, NULL, NULL, "AUTH %s", "%n");
    is_int((uint64_t) rc, REDIS_OK, "a constant is a format");
    run(ac, s, 2);
    arrived(s, 2, "[RS.GUARD][1]\n[AUTH][%n]\n", "the guard is told first");

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), "publish turn/user/%s/status %%s",
                 names[i]);
        snprintf(want, sizeof(want), "[publish][turn/user/%s/status]"
                 "[new lifetime=600, %%n]\n", names[i]);

        rc = redisAsyncCommand(ac, NULL, NULL, text, "new lifetime=600, %n");
        is_int((uint64_t) rc, REDIS_OK, "an event is no format");
        run(ac, s, 1);
        arrived(s, 1, want, "it arrives as it is");
    }

    strcpy(text, "del turn/user/a/status %s");
    rc = redisAsyncCommand(ac, NULL, NULL, text, "");
    is_int((uint64_t) rc, REDIS_OK, "an empty value");
    run(ac, s, 1);
    arrived(s, 1, "[del][turn/user/a/status][]\n", "is an argument too");

    strcpy(text, "publish turn/user/cut-off%s");
    rc = redisAsyncCommand(ac, NULL, NULL, text, "deleted");
    is_int((uint64_t) rc, REDIS_OK, "a key that was cut off");
    run(ac, s, 1);
    arrived(s, 1, "[publish][turn/user/cut-off][deleted]\n",
            "is an argument still");

    strcpy(text, "%s");
    rc = redisAsyncCommand(ac, NULL, NULL, text, "x");
    ok(rc != REDIS_OK, "no verb is refused");
    rc = redisAsyncCommand(ac, NULL, NULL, NULL);
    ok(rc != REDIS_OK, "no format is refused");

    redisAsyncFree(ac);
}


/* coturn must come up although nobody answers */

static void
test_silent(void)
{
    server_t         s;
    redisContext    *c;
    struct timespec  from, to;

    start(&s);
    s.silent = 1;

    (void) clock_gettime(CLOCK_MONOTONIC, &from);
    c = redisConnectWithTimeout("127.0.0.1", s.port,
                                (struct timeval) { 5, 0 });
    (void) clock_gettime(CLOCK_MONOTONIC, &to);

    ok(c != NULL, "a server that does not answer: a context all the same");
    ok(to.tv_sec - from.tv_sec < 10 * 2, "within the time of the guard");
    arrived(&s, 1, "[RS.GUARD][1]\n", "it was told");

    redisFree(c);
    stop(&s);

    c = redisConnect("127.0.0.1", s.port);
    ok(c == NULL || c->err != 0, "nobody there: hiredis's own error");

    if (c != NULL) {
        redisFree(c);
    }
}


int
main(void)
{
    server_t  s;

    start(&s);
    test_command(&s);
    test_async(&s);
    stop(&s);

    test_silent();

    return tap_done();
}
