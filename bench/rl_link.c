
/*
 * Copyright (C) rs-gateway contributors
 *
 * A WebSocket that comes back: see rl_link.h.
 */


#include <string.h>

#include "rl_run.h"


static void rl_link_open(void *data);
static void rl_link_ws_open(void *data);
static void rl_link_ws_text(void *data, uint8_t *text, size_t len);
static void rl_link_ws_close(void *data, const rl_ws_end_t *end);
static void rl_link_error(rl_link_t *l, const rl_msg_t *m);
static void rl_link_later(rl_link_t *l, uint64_t retry_after_s);


/* after these the same credential will not do any more */

static const char  *rl_link_final[] = {
    "unauthenticated", "forbidden", "not_found", "session_ended",
    "resume_too_old", "replaced", "device_removed", "device_quarantined",
    "bad_handshake", NULL
};


void
rl_link_start(rl_link_t *l)
{
    l->wanted = 1;
    l->ws.data = l;
    l->ws.on_open = rl_link_ws_open;
    l->ws.on_text = rl_link_ws_text;
    l->ws.on_close = rl_link_ws_close;
    l->again.handler = rl_link_open;
    l->again.data = l;

    rl_link_open(l);
}


static void
rl_link_open(void *data)
{
    char        buf[RL_LINK_PROTOCOLS];
    rl_link_t  *l;

    l = data;

    if (l->up) {

        /* goaway: the old socket is left before it is closed */

        l->up = 0;
        l->lost_at = rl_now();
        l->on_down(l->data, 1, 1);
    }

    rl_ws_drop(&l->ws);

    l->final = 0;
    l->opened_at = rl_now();
    rl_ws_open(&l->ws, &l->run->net, l->path,
               l->protocols ? l->protocols(l->data, buf, sizeof(buf)) : NULL);
}


static void
rl_link_ws_open(void *data)
{
    rl_link_t  *l;

    l = data;
    l->ws.heard = rl_loop_now();
}


void
rl_link_up(rl_link_t *l)
{
    uint64_t  now;

    now = rl_now();
    rl_hist_add(l->first, now - l->opened_at);

    if (l->lost_at != 0) {
        rl_hist_add(l->back, now - l->lost_at);
        l->lost_at = 0;
    }

    l->attempts = 0;
    l->up = 1;
    l->ever = 1;
}


static void
rl_link_ws_text(void *data, uint8_t *text, size_t len)
{
    rl_msg_t    m;
    rl_link_t  *l;

    l = data;

    if (rl_msg_parse(&m, (rs_str_t) { text, len }) != RS_OK) {
        rl_tally(l->run, "%s: a message that is no JSON object", l->path);
        return;
    }

    if (m.type == RL_MSG_PING) {
        (void) rl_ws_send(&l->ws, "{\"type\":\"pong\"}", 15);

    } else if (m.type == RL_MSG_GOAWAY) {
        l->run->stats.goaways++;

        /* before the welcome, the close is waited for: a resume under way
           has changed the token */

        if (l->wanted && l->up) {
            rl_timer_set(&l->again, m.after_ms * RL_MS
                                    + rl_random(m.jitter_ms * RL_MS));
        }

    } else {
        if (m.type == RL_MSG_ERROR) {
            rl_link_error(l, &m);
        }

        l->on_msg(l->data, &m);
    }

    rl_msg_free(&m);
}


static void
rl_link_error(rl_link_t *l, const rl_msg_t *m)
{
    unsigned  i;

    rl_tally(l->run, "%s: error %.*s", l->path, (int) m->word.len,
             m->word.len ? (const char *) m->word.data : "");

    for (i = 0; rl_link_final[i] && m->id == 0; i++) {
        if (rs_str_eq(m->word, rs_str(rl_link_final[i]))) {
            l->final = 1;
        }
    }
}


static void
rl_link_ws_close(void *data, const rl_ws_end_t *end)
{
    int         again, was_up;
    rl_link_t  *l;

    l = data;

    if (!l->run->teardown) {
        if (end->status != 0) {
            rl_tally(l->run, "%s: HTTP %u", l->path, end->status);

        } else if (end->code != 0) {
            rl_tally(l->run, "%s: close %u", l->path, end->code);

        } else {
            rl_tally(l->run, "%s: %s", l->path, end->why);
        }
    }

    was_up = l->up;
    l->up = 0;
    again = l->wanted && !l->final;

    if (l->lost_at == 0 && l->ever) {
        l->lost_at = rl_now();
    }

    if (!again) {
        rl_timer_del(&l->again);

    } else if (l->again.pos == 0) {
        rl_link_later(l, end->retry_after_s);
    }

    l->on_down(l->data, was_up, again);
}


static void
rl_link_later(rl_link_t *l, uint64_t retry_after_s)
{
    uint64_t  top, cap;

    top = l->run->options.backoff_ms * RL_MS;
    cap = l->run->options.backoff_max_ms * RL_MS;

    top <<= l->attempts < 16 ? l->attempts : 16;
    l->attempts++;

    rl_timer_set(&l->again, retry_after_s * RL_SEC
                            + rl_random(top < cap ? top : cap));
}


void
rl_link_break(rl_link_t *l)
{
    int  was_up;

    was_up = l->up;
    rl_ws_drop(&l->ws);
    l->up = 0;

    if (l->lost_at == 0) {
        l->lost_at = rl_now();
    }

    rl_link_later(l, 0);
    l->on_down(l->data, was_up, 1);
}


void
rl_link_stop(rl_link_t *l)
{
    l->wanted = 0;
    l->up = 0;
    rl_timer_del(&l->again);
    rl_ws_destroy(&l->ws);
}


void
rl_link_check(rl_link_t *l)
{
    if (l->up && rl_now() - l->ws.heard > RL_LINK_SILENCE) {
        rl_tally(l->run, "%s: silent", l->path);
        l->lost_at = l->ws.heard;
        rl_link_break(l);
    }
}
