
/*
 * Copyright (C) rs-gateway contributors
 *
 * The closed loop of bench/input: two WebSockets that stand already are
 * inherited as file descriptors, one that sends `input` and one that gets it.
 * So many are under way at a time; each that arrives is followed by the next.
 *
 *     input-loop SENDER RECEIVER WINDOW SECONDS SIZE
 *
 * Prints one JSON object; latencies in microseconds, from before write() to
 * after read().
 */


#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rl_hist.h"


#define RING         1024                /* messages under way at most */
#define BUFFER       (1 << 20)
#define MESSAGE      16000
#define LOST         1000                /* ms without any: they are lost */
#define HEAD         "{\"type\":\"input\",\"data\":{\"n\":"


typedef struct {
    int             sender;
    int             receiver;
    size_t          window;
    size_t          size;                /* of the message */
    uint64_t        until;

    uint64_t        sent;
    uint64_t        received;
    uint64_t        lost;
    uint64_t        at[RING];
    rl_hist_t       hist;

    size_t          len;                 /* in the buffer */
    unsigned char   in[BUFFER];
} loop_t;


static uint64_t
now_us(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}


/* a text frame; masked with zeros, which is a mask as good as any here */

static int
say(loop_t *l)
{
    int            n;
    size_t         len, done;
    ssize_t        rc;
    unsigned char  out[MESSAGE + 64];

    n = snprintf((char *) out + 8, 64, HEAD "%llu,\"pad\":\"",
                 (unsigned long long) l->sent);

    len = (size_t) n;

    while (len + 3 < l->size) {
        out[8 + len++] = 'x';
    }

    memcpy(out + 8 + len, "\"}}", 3);
    len += 3;

    /* always in the 16 bit form: all messages are longer than 125 bytes */

    out[0] = 0x81;
    out[1] = 0x80 | 126;
    out[2] = (unsigned char) (len >> 8);
    out[3] = (unsigned char) len;
    memset(out + 4, 0, 4);

    l->at[l->sent % RING] = now_us();

    for (done = 0; done < len + 8; done += (size_t) rc) {
        rc = write(l->sender, out + done, len + 8 - done);

        if (rc <= 0) {
            return -1;
        }
    }

    l->sent++;

    return 0;
}


/* one frame of the receiver; anything but input is passed over */

static void
hear(loop_t *l, const char *text, size_t len)
{
    const char  *p;
    uint64_t     n;

    p = len > 14 && memcmp(text, "{\"type\":\"input", 14) == 0
        ? memmem(text, len, "{\"n\":", 5) : NULL;

    if (p == NULL) {
        return;
    }

    n = strtoull(p + 5, NULL, 10);

    if (n < l->sent && l->sent - n <= RING) {
        rl_hist_add(&l->hist, now_us() - l->at[n % RING]);
        l->received++;
    }
}


/* the whole frames at hand: how many were input, or -1 */

static int
frames(loop_t *l)
{
    size_t    pos, head, len;
    uint64_t  before;

    pos = 0;
    before = l->received;

    while (l->len - pos >= 4) {
        len = l->in[pos + 1];
        head = 2;

        if (len == 126) {
            len = (size_t) l->in[pos + 2] << 8 | l->in[pos + 3];
            head = 4;
        }

        if (l->in[pos] == 0x88 || l->in[pos + 1] > 126) {
            return -1;
        }

        if (l->len - pos < head + len) {
            break;
        }

        hear(l, (const char *) l->in + pos + head, len);
        pos += head + len;
    }

    memmove(l->in, l->in + pos, l->len - pos);
    l->len -= pos;

    return (int) (l->received - before);
}


static int
run(loop_t *l)
{
    int            n;
    size_t         i;
    ssize_t        rc;
    struct pollfd  p;

    for (i = 0; i < l->window; i++) {
        if (say(l) != 0) {
            return -1;
        }
    }

    while (now_us() < l->until) {
        p = (struct pollfd) { l->receiver, POLLIN, 0 };

        if (poll(&p, 1, LOST) == 0) {
            l->lost += l->window;
            n = (int) l->window;

        } else {
            rc = read(l->receiver, l->in + l->len, BUFFER - l->len);

            if (rc <= 0) {
                return -1;
            }

            l->len += (size_t) rc;
            n = frames(l);
        }

        if (n < 0) {
            return -1;
        }

        while (n-- > 0) {
            if (say(l) != 0) {
                return -1;
            }
        }
    }

    return 0;
}


int
main(int argc, char **argv)
{
    double         seconds;
    uint64_t       start;
    static loop_t  l;

    if (argc != 6) {
        fprintf(stderr, "usage: input-loop SENDER RECEIVER WINDOW SECONDS "
                "SIZE\n");
        return 2;
    }

    l.sender = atoi(argv[1]);
    l.receiver = atoi(argv[2]);
    l.window = (size_t) strtoul(argv[3], NULL, 10);
    l.size = (size_t) strtoul(argv[5], NULL, 10);

    if (l.window < 1 || l.window > RING / 2 || l.size < 126
        || l.size > MESSAGE)
    {
        fprintf(stderr, "input-loop: a window of 1 to %d, messages of 126 to "
                "%d bytes\n", RING / 2, MESSAGE);
        return 2;
    }

    rl_hist_init(&l.hist);

    start = now_us();
    l.until = start + (uint64_t) (atof(argv[4]) * 1e6);

    if (run(&l) != 0) {
        fprintf(stderr, "input-loop: a socket ended: %s\n", strerror(errno));
        return 1;
    }

    seconds = (double) (now_us() - start) / 1e6;

    printf("{\"received\":%llu,\"lost\":%llu,\"rate\":%.0f,\"p50\":%llu,"
           "\"p99\":%llu}\n", (unsigned long long) l.received,
           (unsigned long long) l.lost, (double) l.received / seconds,
           (unsigned long long) rl_hist_at(&l.hist, 0.5),
           (unsigned long long) rl_hist_at(&l.hist, 0.99));

    return 0;
}
