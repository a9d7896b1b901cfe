
/*
 * Copyright (C) rs-gateway contributors
 *
 * Failures in a window, and bans that double.  The state, from the low end:
 * 32 bits of when the window began (or the last ban ends), 16 of failures in
 * it, 8 of bans so far.
 */


#include "rs_ban.h"


#define RS_BAN_LEVEL_MAX  31

#define rs_ban_state(since, count, level)                                     \
    ((uint64_t) (since) | (uint64_t) (count) << 32 | (uint64_t) (level) << 48)


uint32_t
rs_ban_fail(const rs_ban_t *conf, uint64_t state, uint32_t now_s,
    uint64_t *next)
{
    uint64_t  ban, since, count, level;

    since = rs_ban_since(state);
    count = state >> 32 & 0xffff;
    level = state >> 48 & 0xff;

    if (now_s < since) {
        /* banned: an answer that was under way */
        *next = state;
        return 0;
    }

    if (now_s - since >= (uint64_t) conf->window_s + conf->max_s) {
        level = 0;
    }

    if (count == 0 || now_s - since >= conf->window_s) {
        since = now_s;
        count = 0;
    }

    count++;

    if (count < conf->failures) {
        *next = rs_ban_state(since, count, level);
        return 0;
    }

    ban = (uint64_t) conf->time_s << level;

    if (ban > conf->max_s) {
        ban = conf->max_s;
    }

    if (level < RS_BAN_LEVEL_MAX) {
        level++;
    }

    *next = rs_ban_state((now_s + ban) & 0xffffffff, 0, level);

    return (uint32_t) ban;
}


uint32_t
rs_ban_since(uint64_t state)
{
    return (uint32_t) (state & 0xffffffff);
}


int
rs_ban_parse(rs_str_t s, rs_str_t *subject, uint32_t *seconds)
{
    size_t    i;
    uint8_t   c;
    uint64_t  n;
    rs_str_t  tail;

    if (!rs_str_split(s, ' ', subject, &tail)
        || subject->len < sizeof("a:") || subject->len > RS_BAN_SUBJECT_MAX
        || subject->data[1] != ':'
        || !rs_u64_parse(tail, RS_BAN_MAX, &n))
    {
        return 0;
    }

    for (i = 0; i < subject->len; i++) {
        c = subject->data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && c != ':' && c != '.' && c != '/' && c != '_' && c != '-')
        {
            return 0;
        }
    }

    *seconds = (uint32_t) n;

    return 1;
}
