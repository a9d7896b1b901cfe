
/*
 * Copyright (C) rs-gateway contributors
 *
 * The history checker: see rl_check.h.
 */


#include <stdlib.h>
#include <string.h>

#include "rl_check.h"


#define RL_CHECK_SENT          1
#define RL_CHECK_ACKED         2


static int rl_check_grow(rl_stream_t *s, uint64_t id);
static void rl_check_epoch(rl_stream_t *s, uint64_t epoch);


int
rl_check_init(rl_check_t *c, size_t streams)
{
    size_t  i;

    memset(c, 0, sizeof(rl_check_t));

    c->streams = calloc(streams ? streams : 1, sizeof(rl_stream_t));

    if (c->streams == NULL) {
        return -1;
    }

    c->n = streams;

    for (i = 0; i < streams; i++) {
        c->streams[i].gen = 1;
    }

    return 0;
}


void
rl_check_free(rl_check_t *c)
{
    size_t  i;

    for (i = 0; i < c->n; i++) {
        free(c->streams[i].flags);
        free(c->streams[i].seen);
    }

    free(c->streams);
    memset(c, 0, sizeof(rl_check_t));
}


static int
rl_check_grow(rl_stream_t *s, uint64_t id)
{
    uint8_t   *p;
    uint64_t   size;

    if (id <= s->size) {
        return 0;
    }

    if (id > RL_CHECK_IDS_MAX) {
        return -1;
    }

    size = s->size ? s->size : 64;

    while (size < id) {
        size *= 2;
    }

    p = realloc(s->flags, size);

    if (p == NULL) {
        return -1;
    }

    memset(p + s->size, 0, size - s->size);
    s->flags = p;

    p = realloc(s->seen, size);

    if (p == NULL) {
        return -1;
    }

    memset(p + s->size, 0, size - s->size);
    s->seen = p;
    s->size = size;

    return 0;
}


int
rl_check_sent(rl_check_t *c, size_t stream, uint64_t id)
{
    rl_stream_t  *s;

    if (stream >= c->n) {
        return -1;
    }

    s = &c->streams[stream];

    if (id != s->sent + 1 || rl_check_grow(s, id) != 0) {
        return -1;
    }

    s->flags[id - 1] = RL_CHECK_SENT;
    s->sent = id;
    c->count.sent++;

    return 0;
}


int
rl_check_acked(rl_check_t *c, size_t stream, uint64_t id)
{
    rl_stream_t  *s;

    if (stream >= c->n) {
        return -1;
    }

    s = &c->streams[stream];

    if (id == 0 || id > s->sent) {
        return -1;
    }

    if (s->flags[id - 1] & RL_CHECK_ACKED) {
        return 0;
    }

    s->flags[id - 1] |= RL_CHECK_ACKED;
    c->count.acked++;

    return 1;
}


static void
rl_check_epoch(rl_stream_t *s, uint64_t epoch)
{
    if (epoch <= s->epoch) {
        return;
    }

    /* the first one ever is no change */

    if (s->epoch != 0 && s->gen < UINT8_MAX) {
        s->gen++;
        s->top = 0;
    }

    s->epoch = epoch;
}


rl_check_e
rl_check_received(rl_check_t *c, size_t stream, uint64_t of, uint64_t id,
    uint64_t epoch)
{
    uint8_t       before;
    rl_stream_t  *s;

    if (stream >= c->n || of != stream || id == 0
        || id > c->streams[stream].sent)
    {
        c->count.foreign++;
        return RL_CHECK_FOREIGN;
    }

    s = &c->streams[stream];

    rl_check_epoch(s, epoch);

    before = s->seen[id - 1];

    if (before == s->gen) {
        c->count.duplicates++;
        return RL_CHECK_DUPLICATE;
    }

    s->seen[id - 1] = s->gen;

    if (before != 0) {
        c->count.resync++;

    } else {
        c->count.received++;
    }

    if (id < s->top) {
        c->count.reordered++;
        return RL_CHECK_REORDERED;
    }

    s->top = id;

    return before ? RL_CHECK_RESYNC : RL_CHECK_FIRST;
}


int
rl_check_whole(const rl_check_t *c, size_t stream, uint64_t id)
{
    const rl_stream_t  *s;

    s = &c->streams[stream];

    return id != 0 && id <= s->sent && (s->flags[id - 1] & RL_CHECK_ACKED)
           && s->seen[id - 1] != 0;
}


void
rl_check_end(rl_check_t *c, rl_check_lost_pt lost, void *data)
{
    size_t        i;
    uint64_t      id;
    rl_stream_t  *s;

    c->count.lost = 0;
    c->count.unknown = 0;

    for (i = 0; i < c->n; i++) {
        s = &c->streams[i];

        for (id = 1; id <= s->sent; id++) {
            if (s->seen[id - 1] != 0) {
                continue;
            }

            if (!(s->flags[id - 1] & RL_CHECK_ACKED)) {
                c->count.unknown++;
                continue;
            }

            c->count.lost++;

            if (lost != NULL) {
                lost(data, i, id);
            }
        }
    }
}


int
rl_check_good(const rl_check_t *c)
{
    return c->count.lost == 0 && c->count.duplicates == 0
           && c->count.reordered == 0 && c->count.foreign == 0;
}
