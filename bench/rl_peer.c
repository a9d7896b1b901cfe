
/*
 * Copyright (C) rs-gateway contributors
 *
 * One side of a session.  Messages are numbered when they are meant to be
 * sent, whether or not the socket stands; what is not acknowledged is sent
 * again, with the same id, on each new socket, and after a resync also what
 * was acknowledged within the last 30 s.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rl_run.h"


#define RL_PEER_RETRY          (200 * RL_MS)


static const char *rl_peer_protocols(void *data, char *buf, size_t size);
static void rl_peer_msg(void *data, const rl_msg_t *m);
static void rl_peer_down(void *data, int was_up, int again);
static void rl_peer_welcome(rl_peer_t *p, const rl_msg_t *m);
static void rl_peer_signal(rl_peer_t *p, const rl_msg_t *m);
static void rl_peer_ack(rl_peer_t *p, uint64_t id, int refused);
static void rl_peer_error(rl_peer_t *p, const rl_msg_t *m);
static void rl_peer_resync(rl_peer_t *p);
static void rl_peer_finding(rl_peer_t *p, const rl_msg_t *m,
    const char *what);
static void rl_peer_whole(rl_run_t *run, size_t stream, uint64_t id);
static rl_sent_t *rl_peer_sent(rl_peer_t *p, uint64_t id);
static int rl_peer_grow(rl_peer_t *p);
static void rl_peer_pump(void *data);


void
rl_peer_init(rl_peer_t *p, rl_session_t *session, int host)
{
    rl_run_t            *run;
    rl_link_t           *l;
    const rl_options_t  *o;

    run = session->run;
    o = &run->options;

    p->session = session;
    p->host = host ? 1 : 0;
    p->out = session->index * 2 + (host ? 0 : 1);
    p->in = session->index * 2 + (host ? 1 : 0);
    p->first = 1;
    p->next = 1;
    p->cursor = 1;

    rs_bucket_init(&p->bucket, o->peer_rate, o->peer_burst,
                   rl_now() / RL_MS);
    p->pace.handler = rl_peer_pump;
    p->pace.data = p;

    l = &p->link;
    l->run = run;
    l->path = "/signal";
    l->data = p;
    l->protocols = rl_peer_protocols;
    l->on_msg = rl_peer_msg;
    l->on_down = rl_peer_down;
    l->first = &run->stats.peer_up;
    l->back = &run->stats.peer_back;
}


void
rl_peer_free(rl_peer_t *p)
{
    rl_timer_del(&p->pace);
    rl_link_stop(&p->link);
    free(p->ring);
    p->ring = NULL;
}


void
rl_peer_join(rl_peer_t *p, const char *ticket, size_t len)
{
    if (p->started || len >= sizeof(p->credential)) {
        return;
    }

    p->started = 1;
    memcpy(p->credential, ticket, len);
    p->credential[len] = '\0';

    rl_link_start(&p->link);
}


static const char *
rl_peer_protocols(void *data, char *buf, size_t size)
{
    rl_peer_t  *p;

    p = data;

    if (p->position[0] == '\0') {
        (void) snprintf(buf, size, "rs.ticket.%s", p->credential);

    } else {
        (void) snprintf(buf, size, "rs.resume.%s.%s", p->credential,
                        p->position);
    }

    return buf;
}


static void
rl_peer_msg(void *data, const rl_msg_t *m)
{
    rl_run_t   *run;
    rl_peer_t  *p;

    p = data;
    run = p->session->run;

    switch (m->type) {

    case RL_MSG_WELCOME:
        rl_peer_welcome(p, m);
        return;

    case RL_MSG_SIGNAL:
        rl_peer_signal(p, m);
        break;

    case RL_MSG_ACK:
        rl_peer_ack(p, m->id, 0);
        return;

    case RL_MSG_ERROR:
        rl_peer_error(p, m);
        return;

    case RL_MSG_RESYNC:
        run->stats.resyncs++;
        rl_peer_resync(p);
        break;

    case RL_MSG_LEFT:
    case RL_MSG_ENDED:
        if (!run->teardown) {
            rl_tally(run, "/signal: %s %.*s",
                     m->type == RL_MSG_ENDED ? "ended" : "left",
                     (int) m->word.len,
                     m->word.len ? (const char *) m->word.data : "");
            rl_fleet_broken(p->session);
        }

        break;

    default:
        break;
    }

    if (m->position.len && m->position.len < sizeof(p->position)) {
        memcpy(p->position, m->position.data, m->position.len);
        p->position[m->position.len] = '\0';
    }
}


/*
 * The position of a resume's welcome is not ours yet: what was missed follows
 * it.  The one of a join is.
 */

static void
rl_peer_welcome(rl_peer_t *p, const rl_msg_t *m)
{
    int       first;
    rs_str_t  token;

    first = !p->link.ever;
    token = rl_json_str(m->json, "resume");

    if (token.len == 0 || token.len >= sizeof(p->credential)
        || m->position.len == 0 || m->position.len >= sizeof(p->position))
    {
        rl_tally(p->session->run, "/signal: a welcome without token");
        return;
    }

    memcpy(p->credential, token.data, token.len);
    p->credential[token.len] = '\0';

    if (p->position[0] == '\0') {
        memcpy(p->position, m->position.data, m->position.len);
        p->position[m->position.len] = '\0';
    }

    rl_link_up(&p->link);
    p->cursor = p->first;

    if (first) {
        rl_fleet_ready(p->session);
    }

    p->session->run->changed(p->session->run);
    rl_peer_pump(p);
}


static void
rl_peer_signal(rl_peer_t *p, const rl_msg_t *m)
{
    rl_run_t    *run;
    rs_pos_t     pos;
    uint64_t     now, of;
    rl_check_e   rc;

    run = p->session->run;

    if (rs_pos_parse(m->position, &pos) != RS_OK) {
        pos.epoch = 0;
    }

    /* of another run, or its number is not that of the envelope */

    of = rs_str_eq(m->run, rs_str(run->name)) && m->n == m->id ? m->stream
                                                              : UINT64_MAX;
    rc = rl_check_received(&run->check, p->in, of, m->id, pos.epoch);

    switch (rc) {

    case RL_CHECK_DUPLICATE:
        rl_peer_finding(p, m, "came twice");
        return;

    case RL_CHECK_FOREIGN:
        rl_peer_finding(p, m, "is of another session or was never sent");
        return;

    case RL_CHECK_REORDERED:
        rl_peer_finding(p, m, "came after a later one");
        break;

    case RL_CHECK_RESYNC:
        return;

    default:
        break;
    }

    now = rl_now();

    if (run->started_at != 0) {
        rl_hist_add(&run->stats.delivery, now > m->at ? now - m->at : 0);
    }

    rl_peer_whole(run, p->in, m->id);
}


static void
rl_peer_finding(rl_peer_t *p, const rl_msg_t *m, const char *what)
{
    rl_run_t  *run;

    run = p->session->run;

    if (run->findings++ >= RL_FINDINGS) {
        return;
    }

    rl_say("%s, to the %s: message %llu of stream %llu %s (stream %zu was "
           "at %s, this one at %.*s, %.3f s into the run)", p->session->id,
           p->host ? "host" : "controller", (unsigned long long) m->id,
           (unsigned long long) m->stream, what, p->in, p->position,
           (int) m->position.len, m->position.len
                                  ? (const char *) m->position.data : "",
           (double) (rl_now() - run->started_at) / 1e6);
}


/* acknowledged and received: the closed loop goes on */

static void
rl_peer_whole(rl_run_t *run, size_t stream, uint64_t id)
{
    rl_session_t  *s;

    if (!rl_check_whole(&run->check, stream, id)) {
        return;
    }

    run->whole++;

    if (run->running && run->options.rate == 0) {
        s = &run->sessions[stream / 2];
        rl_peer_say(stream % 2 ? &s->guest : &s->host, rl_now());
    }
}


static rl_sent_t *
rl_peer_sent(rl_peer_t *p, uint64_t id)
{
    return id >= p->first && id < p->next ? &p->ring[id & (p->size - 1)]
                                          : NULL;
}


static void
rl_peer_ack(rl_peer_t *p, uint64_t id, int refused)
{
    uint64_t    now;
    rl_run_t   *run;
    rl_sent_t  *sent;

    run = p->session->run;
    now = rl_now();
    sent = rl_peer_sent(p, id);

    if (sent != NULL && !sent->settled) {
        sent->settled = 1;
        p->unsettled--;

        if (refused) {
            run->stats.refused++;

        } else {
            rl_hist_add(&run->stats.ack, now - sent->at);
        }
    }

    if (!refused) {
        p->retries = 0;

        switch (rl_check_acked(&run->check, p->out, id)) {

        case 1:
            rl_peer_whole(run, p->out, id);
            break;

        case -1:
            rl_tally(run, "/signal: an ack of what was not sent");
            break;

        default:
            break;
        }
    }

    /* what a resync could ask for is kept */

    while (p->first < p->next) {
        sent = rl_peer_sent(p, p->first);

        if (!sent->settled || now - sent->put < RL_RESYNC) {
            break;
        }

        p->first++;
    }

    if (p->cursor < p->first) {
        p->cursor = p->first;
    }
}


static void
rl_peer_error(rl_peer_t *p, const rl_msg_t *m)
{
    uint64_t  wait;

    if (m->id == 0) {
        return;
    }

    if (rs_str_eq(m->word, RS_STR("unavailable"))
        || rs_str_eq(m->word, RS_STR("overloaded"))
        || rs_str_eq(m->word, RS_STR("rate_limited"))
        || rs_str_eq(m->word, RS_STR("internal")))
    {
        p->cursor = p->first;

        /* what followed the refused one is refused too: one wait for all */

        if (p->pace.pos == 0) {
            wait = RL_PEER_RETRY << (p->retries < 4 ? p->retries : 4);
            p->retries++;
            rl_timer_set(&p->pace, wait + rl_random(wait));
        }

        return;
    }

    rl_peer_ack(p, m->id, 1);
}


static void
rl_peer_resync(rl_peer_t *p)
{
    uint64_t  id, now;

    now = rl_now();

    for (id = p->first; id < p->next; id++) {
        if (!rl_peer_sent(p, id)->settled
            || now - rl_peer_sent(p, id)->put < RL_RESYNC)
        {
            break;
        }
    }

    p->cursor = id < p->cursor ? id : p->cursor;
    p->resync = p->next;
    p->retries = 0;
    rl_timer_del(&p->pace);
    rl_peer_pump(p);
}


static void
rl_peer_down(void *data, int was_up, int again)
{
    rl_run_t   *run;
    rl_peer_t  *p;

    (void) was_up;

    p = data;
    run = p->session->run;
    rl_timer_del(&p->pace);

    if (!again) {
        rl_fleet_broken(p->session);
    }

    run->changed(run);
}


static int
rl_peer_grow(rl_peer_t *p)
{
    size_t      size;
    uint64_t    id;
    rl_sent_t  *ring;

    if (p->next - p->first < p->size) {
        return 0;
    }

    size = p->size ? p->size * 2 : 16;
    ring = calloc(size, sizeof(rl_sent_t));

    if (ring == NULL) {
        return -1;
    }

    for (id = p->first; id < p->next; id++) {
        ring[id & (size - 1)] = *rl_peer_sent(p, id);
    }

    free(p->ring);
    p->ring = ring;
    p->size = size;

    return 0;
}


void
rl_peer_say(rl_peer_t *p, uint64_t at)
{
    rl_run_t   *run;
    rl_sent_t  *sent;

    run = p->session->run;

    if (p->unsettled >= run->options.pending || p->session->broken
        || rl_peer_grow(p) != 0
        || rl_check_sent(&run->check, p->out, p->next) != 0)
    {
        run->stats.shed++;
        return;
    }

    p->next++;
    p->unsettled++;

    sent = rl_peer_sent(p, p->next - 1);
    sent->at = at;
    sent->put = 0;
    sent->settled = 0;

    rl_peer_pump(p);
}


/* puts what is due on the socket, as fast as the peer may */

static void
rl_peer_pump(void *data)
{
    uint8_t     buf[65536];
    rs_buf_t    b;
    uint64_t    now, wait;
    rl_run_t   *run;
    rl_peer_t  *p;
    rl_sent_t  *sent;

    p = data;
    run = p->session->run;

    for ( /* void */ ; p->cursor < p->next; p->cursor++) {
        if (!p->link.up || p->pace.pos != 0) {
            return;
        }

        sent = rl_peer_sent(p, p->cursor);

        if (sent->settled && p->cursor >= p->resync) {
            continue;
        }

        now = rl_now();

        if (run->options.peer_rate != 0
            && !rs_bucket_take(&p->bucket, 1, now / RL_MS))
        {
            wait = rs_bucket_wait(&p->bucket, 1, now / RL_MS);
            rl_timer_set(&p->pace, (wait + 1) * RL_MS);
            return;
        }

        rs_buf_init(&b, buf, sizeof(buf));
        rl_msg_signal(&b, p->cursor, run->name, p->out, sent->at,
                      run->options.size);

        if (b.overflow || rl_ws_send(&p->link.ws, buf, b.len) != 0) {
            rl_timer_set(&p->pace, RL_PEER_RETRY);
            return;
        }

        if (sent->put != 0) {
            run->stats.resent++;

        } else {
            rl_hist_add(&run->stats.late, now - sent->at);
        }

        sent->put = now;
    }

    p->resync = 0;
}
