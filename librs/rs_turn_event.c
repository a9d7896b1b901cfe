
/*
 * Copyright (C) rs-gateway contributors
 *
 * Keys and values of redis-statsdb.
 */


#include "rs_turn_event.h"

#include <string.h>


/* %018llu: 18 digits, or the 20 of the largest */
#define RS_TURN_EVENT_ID_MIN  18
#define RS_TURN_EVENT_ID_MAX  20


typedef enum {
    RS_TURN_EVENT_K_STATUS = 0,
    RS_TURN_EVENT_K_NUMBERS
} rs_turn_event_kind_e;


static rs_err_e rs_turn_event_status(rs_turn_event_t *e, rs_str_t value);
static rs_err_e rs_turn_event_numbers(rs_turn_event_t *e, rs_str_t value);
static int rs_turn_event_prefix(rs_str_t *s, rs_str_t prefix);
static int rs_turn_event_suffix(rs_str_t *s, rs_str_t suffix);
static int rs_turn_event_id(rs_str_t *s, uint64_t *id);


static const struct {
    rs_str_t              suffix;
    rs_turn_event_e       type;
    rs_turn_event_kind_e  kind;
} rs_turn_event_kinds[] = {
    { { (const uint8_t *) "/status", 7 },
      RS_TURN_EVENT_NEW, RS_TURN_EVENT_K_STATUS },
    { { (const uint8_t *) "/total_traffic", 14 },
      RS_TURN_EVENT_TOTAL, RS_TURN_EVENT_K_NUMBERS },
    { { (const uint8_t *) "/total_traffic/peer", 19 },
      RS_TURN_EVENT_TOTAL_PEER, RS_TURN_EVENT_K_NUMBERS },
    { { (const uint8_t *) "/traffic", 8 },
      RS_TURN_EVENT_TRAFFIC, RS_TURN_EVENT_K_NUMBERS },
    { { (const uint8_t *) "/traffic/peer", 13 },
      RS_TURN_EVENT_TRAFFIC_PEER, RS_TURN_EVENT_K_NUMBERS },
};

#define RS_TURN_EVENT_KINDS                                                  \
    (sizeof(rs_turn_event_kinds) / sizeof(rs_turn_event_kinds[0]))


rs_err_e
rs_turn_event_parse(rs_turn_event_t *e, rs_str_t key, rs_str_t value)
{
    size_t    i;
    rs_str_t  rest;

    memset(e, 0, sizeof(*e));

    if (!rs_turn_event_prefix(&key, RS_STR("turn/realm/"))
        || !rs_str_split(key, '/', &e->realm, &rest)
        || e->realm.len == 0
        || !rs_turn_event_prefix(&rest, RS_STR("user/")))
    {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < RS_TURN_EVENT_KINDS; i++) {
        if (rs_turn_event_suffix(&rest, rs_turn_event_kinds[i].suffix)) {
            break;
        }
    }

    if (i == RS_TURN_EVENT_KINDS
        || !rs_turn_event_id(&rest, &e->id)
        || !rs_turn_event_suffix(&rest, RS_STR("/allocation/")))
    {
        return RS_E_INVALID_VALUE;
    }

    e->user = rest;
    e->type = rs_turn_event_kinds[i].type;

    return rs_turn_event_kinds[i].kind == RS_TURN_EVENT_K_STATUS
           ? rs_turn_event_status(e, value) : rs_turn_event_numbers(e, value);
}


/* "new lifetime=600, type=UDP, local=..., remote=..., ...", "deleted" */

static rs_err_e
rs_turn_event_status(rs_turn_event_t *e, rs_str_t value)
{
    rs_str_t  word, rest, pair, name, text;

    (void) rs_str_split(value, ' ', &word, &rest);

    if (rs_str_eq(word, RS_STR("deleted"))) {
        e->type = RS_TURN_EVENT_DELETED;
        return RS_OK;
    }

    if (rs_str_eq(word, RS_STR("new"))) {
        e->type = RS_TURN_EVENT_NEW;

    } else if (rs_str_eq(word, RS_STR("refreshed"))) {
        e->type = RS_TURN_EVENT_REFRESHED;

    } else {
        return RS_E_INVALID_VALUE;
    }

    while (rest.len) {
        (void) rs_str_split(rest, ',', &pair, &rest);
        (void) rs_turn_event_prefix(&pair, RS_STR(" "));

        if (!rs_str_split(pair, '=', &name, &text)) {
            continue;
        }

        if (rs_str_eq(name, RS_STR("lifetime"))) {

            if (!rs_u64_parse(text, UINT32_MAX, &e->lifetime)) {
                return RS_E_INVALID_VALUE;
            }

        } else if (rs_str_eq(name, RS_STR("type"))) {
            e->transport = text;

        } else if (rs_str_eq(name, RS_STR("remote"))) {
            e->remote = text;
        }
    }

    return RS_OK;
}


/* all four, in any order, each once */

static rs_err_e
rs_turn_event_numbers(rs_turn_event_t *e, rs_str_t value)
{
    size_t     i;
    unsigned   seen;
    rs_str_t   rest, pair, name, text;

    const struct {
        rs_str_t    name;
        uint64_t   *v;
    } list[] = {
        { RS_STR("rcvp"), &e->rcvp },
        { RS_STR("rcvb"), &e->rcvb },
        { RS_STR("sentp"), &e->sentp },
        { RS_STR("sentb"), &e->sentb },
    };

    rest = value;
    seen = 0;

    while (rest.len) {
        (void) rs_str_split(rest, ',', &pair, &rest);
        (void) rs_turn_event_prefix(&pair, RS_STR(" "));

        if (!rs_str_split(pair, '=', &name, &text)) {
            return RS_E_INVALID_VALUE;
        }

        for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
            if (!rs_str_eq(name, list[i].name)) {
                continue;
            }

            if ((seen & 1u << i)
                || !rs_u64_parse(text, UINT64_MAX, list[i].v))
            {
                return RS_E_INVALID_VALUE;
            }

            seen |= 1u << i;
        }
    }

    return seen == 15 ? RS_OK : RS_E_INVALID_VALUE;
}


static int
rs_turn_event_prefix(rs_str_t *s, rs_str_t prefix)
{
    if (!rs_str_starts(*s, prefix)) {
        return 0;
    }

    s->data += prefix.len;
    s->len -= prefix.len;

    return 1;
}


static int
rs_turn_event_suffix(rs_str_t *s, rs_str_t suffix)
{
    rs_str_t  end;

    if (s->len < suffix.len) {
        return 0;
    }

    end.data = s->data + s->len - suffix.len;
    end.len = suffix.len;

    if (!rs_str_eq(end, suffix)) {
        return 0;
    }

    s->len -= suffix.len;

    return 1;
}


/* the digits at the end */

static int
rs_turn_event_id(rs_str_t *s, uint64_t *id)
{
    size_t    n;
    rs_str_t  digits;

    n = 0;

    while (n < s->len && n <= RS_TURN_EVENT_ID_MAX
           && s->data[s->len - 1 - n] >= '0'
           && s->data[s->len - 1 - n] <= '9')
    {
        n++;
    }

    if (n < RS_TURN_EVENT_ID_MIN || n > RS_TURN_EVENT_ID_MAX) {
        return 0;
    }

    digits.data = s->data + s->len - n;
    digits.len = n;
    s->len -= n;

    /* it is padded with zeros, which rs_u64_parse() does not take */

    while (digits.len > 1 && digits.data[0] == '0') {
        digits.data++;
        digits.len--;
    }

    return rs_u64_parse(digits, UINT64_MAX, id);
}
