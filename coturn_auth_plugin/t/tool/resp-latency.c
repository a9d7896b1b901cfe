
/*
 * Copyright (C) rs-gateway contributors
 *
 * How long rs-turn-authd takes to answer: a small client with one question
 * under way, as a thread of coturn is.
 *
 *     resp-latency PORT PASSWORD-FILE COUNT < COMMANDS
 *
 * Commands are lines of words, taken in turn.  Prints the number of answers
 * that are neither nil nor an error, and microseconds:
 *
 *     count=20000 good=20000 p50=14.1 p99=22.0 p999=60.5 max=300.2
 */


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define COMMANDS_MAX  4096
#define LINE_MAX_LEN  1024
#define ANSWER_MAX    65536
#define COUNT_MAX     10000000
#define WARM_UP       200


typedef struct {
    char             text[2 * LINE_MAX_LEN + 256];
    size_t           len;
} command_t;


typedef struct {
    int              fd;
    size_t           len;
    char             buf[ANSWER_MAX];
} client_t;


static void
die(const char *what)
{
    fprintf(stderr, "resp-latency: %s: %s\n", what, strerror(errno));
    exit(1);
}


static double
now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec / 1e3;
}


/* "get key" -> *2\r\n$3\r\nget\r\n... */

static void
command(command_t *c, const char *line)
{
    int          n;
    char         copy[LINE_MAX_LEN], body[2 * LINE_MAX_LEN], *word, *save;
    size_t       len;

    n = 0;
    len = 0;
    (void) snprintf(copy, sizeof(copy), "%s", line);

    for (word = strtok_r(copy, " \r\n", &save);
         word != NULL;
         word = strtok_r(NULL, " \r\n", &save))
    {
        len += (size_t) snprintf(body + len, sizeof(body) - len,
                                 "$%zu\r\n%s\r\n", strlen(word), word);
        n++;

        if (len >= sizeof(body)) {
            errno = E2BIG;
            die("a command");
        }
    }

    c->len = (size_t) snprintf(c->text, sizeof(c->text), "*%d\r\n%s", n, body);
}


/* where one answer ends, NULL: it is not whole */

static const char *
answer_end(const char *p, const char *last)
{
    long         n;
    const char  *eol;

    eol = memchr(p, '\n', (size_t) (last - p));

    if (eol == NULL) {
        return NULL;
    }

    n = strtol(p + 1, NULL, 10);

    switch (*p) {

    case '$':
        if (n < 0) {
            return eol + 1;
        }

        return last - (eol + 1) >= n + 2 ? eol + 1 + n + 2 : NULL;

    case '*':
        for (p = eol + 1; n > 0 && p != NULL; n--) {
            p = p < last ? answer_end(p, last) : NULL;
        }

        return p;

    default:
        return eol + 1;
    }
}


/* asks and waits; 1: neither nil nor an error nor empty */

static int
ask(client_t *c, const command_t *cmd)
{
    ssize_t      n;
    const char  *end;

    if (write(c->fd, cmd->text, cmd->len) != (ssize_t) cmd->len) {
        die("write");
    }

    for (c->len = 0; /* void */; c->len += (size_t) n) {
        n = read(c->fd, c->buf + c->len, sizeof(c->buf) - c->len - 1);

        if (n <= 0) {
            errno = n == 0 ? ECONNRESET : errno;
            die("read");
        }

        c->buf[c->len + (size_t) n] = '\0';
        end = answer_end(c->buf, c->buf + c->len + n);

        if (end != NULL) {
            break;
        }
    }

    return c->buf[0] != '-' && strncmp(c->buf, "$-1", 3) != 0
           && strncmp(c->buf, "*0", 2) != 0;
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));

    return x < y ? -1 : x > y;
}


static void
sign_in(client_t *c, unsigned port, const char *file)
{
    int                 one;
    char                line[LINE_MAX_LEN], password[LINE_MAX_LEN - 8];
    FILE               *f;
    command_t           cmd;
    struct sockaddr_in  sin;

    f = fopen(file, "r");

    if (f == NULL || fgets(password, sizeof(password), f) == NULL) {
        die(file);
    }

    (void) fclose(f);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
           == -1)
    {
        die("connect");
    }

    command(&cmd, "RS.GUARD 1");
    (void) ask(c, &cmd);

    (void) snprintf(line, sizeof(line), "AUTH %s", password);
    command(&cmd, line);

    if (!ask(c, &cmd)) {
        errno = EACCES;
        die("AUTH");
    }
}


int
main(int argc, char **argv)
{
    char        line[LINE_MAX_LEN];
    long        count, i, good;
    double     *took, begin;
    size_t      n;
    command_t  *cmds;

    static client_t  client;

    count = argc == 4 ? strtol(argv[3], NULL, 10) : 0;

    if (count < 1 || count > COUNT_MAX) {
        fprintf(stderr, "usage: resp-latency PORT PASSWORD-FILE COUNT\n");
        return 2;
    }

    cmds = calloc(COMMANDS_MAX, sizeof(command_t));
    took = calloc((size_t) count, sizeof(double));

    if (cmds == NULL || took == NULL) {
        die("memory");
    }

    for (n = 0; n < COMMANDS_MAX && fgets(line, sizeof(line), stdin); n++) {
        command(&cmds[n], line);
    }

    if (n == 0) {
        errno = ENODATA;
        die("commands");
    }

    sign_in(&client, (unsigned) strtoul(argv[1], NULL, 10), argv[2]);

    for (i = 0; i < WARM_UP; i++) {
        (void) ask(&client, &cmds[(size_t) i % n]);
    }

    good = 0;

    for (i = 0; i < count; i++) {
        begin = now_us();
        good += ask(&client, &cmds[(size_t) i % n]);
        took[i] = now_us() - begin;
    }

    qsort(took, (size_t) count, sizeof(double), compare);

    printf("count=%ld good=%ld p50=%.1f p99=%.1f p999=%.1f max=%.1f\n", count,
           good, took[count / 2], took[count * 99 / 100],
           took[count * 999 / 1000], took[count - 1]);

    free(took);
    free(cmds);
    (void) close(client.fd);

    return 0;
}
