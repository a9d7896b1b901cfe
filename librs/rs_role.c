
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table of verbs and roles; nobody else says who may do what.
 */


#include "rs_role.h"
#include "rs_id.h"
#include "rs_utf8.h"


#define BIT(name)         RS_VERB_BIT(RS_VERB_##name)

#define RS_ROLE_READS     (BIT(DEVICES_READ) | BIT(SESSIONS_READ)             \
                           | BIT(ENROLLMENTS_READ) | BIT(GROUPS_READ)         \
                           | BIT(POLICIES_READ) | BIT(GRANTS_READ)            \
                           | BIT(KEYS_READ) | BIT(AUDIT_READ)               \
                           | BIT(WEBHOOKS_READ) | BIT(TUNNELS_READ)            \
                           | BIT(RECORDINGS_READ))

#define RS_ROLE_WATCHES   (BIT(DEVICES_READ) | BIT(SESSIONS_READ)             \
                           | BIT(SESSIONS_WRITE) | BIT(SESSIONS_VIEW))


typedef struct {
    const char  *name;
    uint32_t     tenant;
    uint32_t     granted;
} rs_role_entry_t;


static const char  *rs_verb_names[RS_VERB_N] = {
    [RS_VERB_DEVICES_READ] = "devices:read",
    [RS_VERB_DEVICES_WRITE] = "devices:write",
    [RS_VERB_SESSIONS_READ] = "sessions:read",
    [RS_VERB_SESSIONS_WRITE] = "sessions:write",
    [RS_VERB_SESSIONS_VIEW] = "sessions:view",
    [RS_VERB_SESSIONS_CONTROL] = "sessions:control",
    [RS_VERB_SESSIONS_INVITE] = "sessions:invite",
    [RS_VERB_ENROLLMENTS_READ] = "enrollments:read",
    [RS_VERB_ENROLLMENTS_WRITE] = "enrollments:write",
    [RS_VERB_GROUPS_READ] = "groups:read",
    [RS_VERB_GROUPS_WRITE] = "groups:write",
    [RS_VERB_POLICIES_READ] = "policies:read",
    [RS_VERB_POLICIES_WRITE] = "policies:write",
    [RS_VERB_GRANTS_READ] = "grants:read",
    [RS_VERB_GRANTS_WRITE] = "grants:write",
    [RS_VERB_KEYS_READ] = "keys:read",
    [RS_VERB_KEYS_WRITE] = "keys:write",
    [RS_VERB_USERS_WRITE] = "users:write",
    [RS_VERB_AUDIT_READ] = "audit:read",
    [RS_VERB_AUDIT_TRIM] = "audit:trim",
    [RS_VERB_WEBHOOKS_READ] = "webhooks:read",
    [RS_VERB_WEBHOOKS_WRITE] = "webhooks:write",
    [RS_VERB_TUNNELS_READ] = "tunnels:read",
    [RS_VERB_TUNNELS_WRITE] = "tunnels:write",
    [RS_VERB_TUNNELS_USE] = "tunnels:use",
    [RS_VERB_COMMANDS_RUN] = "commands:run",
    [RS_VERB_RECORDINGS_READ] = "recordings:read",
    [RS_VERB_RECORDINGS_DELETE] = "recordings:delete",
    [RS_VERB_ICE] = "ice",
    [RS_VERB_NODE_DRAIN] = "node:drain"
};


static const rs_role_entry_t  rs_role_table[RS_ROLE_N] = {
    [RS_ROLE_OBSERVER] = {
        "observer", BIT(ICE), RS_ROLE_WATCHES
    },
    [RS_ROLE_TECHNICIAN] = {
        "technician", BIT(ICE),
        RS_ROLE_WATCHES | BIT(SESSIONS_CONTROL) | BIT(SESSIONS_INVITE)
        | BIT(TUNNELS_READ) | BIT(TUNNELS_WRITE) | BIT(TUNNELS_USE)
        | BIT(COMMANDS_RUN)
    },
    [RS_ROLE_ADMIN] = {
        "admin", RS_VERBS_ALL & ~BIT(AUDIT_TRIM), 0
    },
    [RS_ROLE_AUDITOR] = {
        "auditor", RS_ROLE_READS, 0
    }
};


const char *
rs_verb_name(rs_verb_e verb)
{
    return (unsigned) verb < RS_VERB_N ? rs_verb_names[verb] : NULL;
}


const char *
rs_role_name(rs_role_e role)
{
    return (unsigned) role < RS_ROLE_N ? rs_role_table[role].name : NULL;
}


int
rs_verb_by_name(rs_str_t name, rs_verb_e *verb)
{
    unsigned  i;

    for (i = 0; i < RS_VERB_N; i++) {
        if (rs_str_eq(name, rs_str(rs_verb_names[i]))) {
            *verb = (rs_verb_e) i;
            return 1;
        }
    }

    return 0;
}


int
rs_role_by_name(rs_str_t name, rs_role_e *role)
{
    unsigned  i;

    for (i = 0; i < RS_ROLE_N; i++) {
        if (rs_str_eq(name, rs_str(rs_role_table[i].name))) {
            *role = (rs_role_e) i;
            return 1;
        }
    }

    return 0;
}


void
rs_role_verbs(uint32_t roles, uint32_t *tenant, uint32_t *granted)
{
    unsigned  i;

    *tenant = 0;
    *granted = 0;

    for (i = 0; i < RS_ROLE_N; i++) {
        if (roles & RS_ROLE_BIT(i)) {
            *tenant |= rs_role_table[i].tenant;
            *granted |= rs_role_table[i].granted;
        }
    }

    *granted &= ~*tenant;
}


rs_err_e
rs_verbs_parse(rs_str_t list, uint32_t *verbs, rs_str_t *bad)
{
    size_t     i;
    uint32_t   set;
    rs_str_t   word;
    rs_verb_e  verb;

    set = 0;
    word.data = list.data;
    word.len = 0;

    for (i = 0; list.len && i <= list.len; i++) {

        if (i < list.len && list.data[i] != ' ' && list.data[i] != ',') {
            word.len++;
            continue;
        }

        if (rs_str_eq(word, RS_STR("*"))) {
            set |= RS_VERBS_ALL;

        } else if (rs_verb_by_name(word, &verb)) {
            set |= RS_VERB_BIT(verb);

        } else {
            if (bad) {
                *bad = word;
            }

            return RS_E_INVALID_VALUE;
        }

        word.data += word.len + (i < list.len);
        word.len = 0;
    }

    *verbs = set;

    return RS_OK;
}


void
rs_verbs_write(rs_buf_t *b, uint32_t verbs, char sep)
{
    unsigned  i;
    int       first;

    first = 1;

    for (i = 0; i < RS_VERB_N; i++) {

        if (!(verbs & RS_VERB_BIT(i))) {
            continue;
        }

        if (!first) {
            rs_buf_char(b, sep);
        }

        rs_buf_cstr(b, rs_verb_names[i]);
        first = 0;
    }
}


rs_err_e
rs_subject_check(rs_str_t s)
{
    rs_str_t  kind, rest;

    if (!rs_str_split(s, ':', &kind, &rest)) {
        return RS_E_INVALID_VALUE;
    }

    if (rs_str_eq(kind, RS_STR("user"))) {
        return rs_id_check(rest, RS_ID_USER);
    }

    if (rs_str_eq(kind, RS_STR("key"))) {
        return rs_id_check(rest, RS_ID_KEY);
    }

    if (!rs_str_eq(kind, RS_STR("group")) || rest.len == 0
        || !rs_utf8_printable(rest)
        || rs_utf8_count(rest) > RS_SUBJECT_GROUP_MAX)
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}
