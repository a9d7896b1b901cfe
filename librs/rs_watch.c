
/*
 * Copyright (C) rs-gateway contributors
 *
 * Lines about what consoles watch.
 */


#include <stddef.h>

#include "rs_watch.h"


/* what can become of each kind */

static const struct {
    const char       *what;
    const char       *prefix;         /* of its id; NULL: it has none */
    const char       *changes[6];
} kinds[] = {
    { "dev", RS_ID_DEVICE,
      { "new", "changed", "gone", "online", "offline", NULL } },
    { "ses", RS_ID_SESSION, { "new", "changed", "ended", NULL } },
    { "tun", RS_ID_TUNNEL, { "new", "changed", "ended", NULL } },
    { "who", NULL, { "changed", NULL } }
};


/* "-" is none; 0: it is neither that nor an id */

static int
rs_watch_id(rs_str_t *id, const char *prefix)
{
    if (rs_str_eq(*id, RS_STR("-"))) {
        id->len = 0;
        return 1;
    }

    return prefix && rs_id_check(*id, prefix) == RS_OK;
}


int
rs_watch_parse(rs_str_t s, rs_watch_t *w)
{
    size_t              i;
    rs_str_t            what, tail;
    const char *const  *change;

    if (!rs_str_split(s, ' ', &w->tenant, &tail)
        || !rs_str_split(tail, ' ', &what, &tail)
        || !rs_str_split(tail, ' ', &w->id, &tail)
        || !rs_str_split(tail, ' ', &w->group, &w->change)
        || rs_tenant_check(w->tenant) != RS_OK)
    {
        return 0;
    }

    for (i = 0; !rs_str_eq(what, rs_str(kinds[i].what)); i++) {
        if (i == RS_WATCH_RIGHTS) {
            return 0;
        }
    }

    w->what = (rs_watch_what_e) i;

    if (!rs_watch_id(&w->id, kinds[i].prefix)
        || (w->id.len == 0) != (kinds[i].prefix == NULL)
        || !rs_watch_id(&w->group, RS_ID_GROUP))
    {
        return 0;
    }

    for (change = kinds[i].changes; *change; change++) {
        if (rs_str_eq(w->change, rs_str(*change))) {
            return 1;
        }
    }

    return 0;
}


int
rs_watch_covers(rs_str_t groups, rs_str_t group)
{
    rs_str_t  head;

    if (rs_str_eq(groups, RS_STR("*"))) {
        return 1;
    }

    while (group.len && groups.len) {
        (void) rs_str_split(groups, ' ', &head, &groups);

        if (rs_str_eq(head, group)) {
            return 1;
        }
    }

    return 0;
}
