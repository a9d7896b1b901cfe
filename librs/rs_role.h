
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who may do what: verbs, which are also the scopes of API keys, and the
 * roles of users.  rs_role.c is docs/protocol/roles.json in C;
 * librs/t/rs_role.c compares the two.
 */


#ifndef _RS_ROLE_H_INCLUDED_
#define _RS_ROLE_H_INCLUDED_


#include "rs_err.h"


typedef enum {
    RS_VERB_DEVICES_READ = 0,
    RS_VERB_DEVICES_WRITE,
    RS_VERB_SESSIONS_READ,
    RS_VERB_SESSIONS_WRITE,
    RS_VERB_SESSIONS_VIEW,
    RS_VERB_SESSIONS_CONTROL,
    RS_VERB_SESSIONS_INVITE,
    RS_VERB_ENROLLMENTS_READ,
    RS_VERB_ENROLLMENTS_WRITE,
    RS_VERB_GROUPS_READ,
    RS_VERB_GROUPS_WRITE,
    RS_VERB_POLICIES_READ,
    RS_VERB_POLICIES_WRITE,
    RS_VERB_GRANTS_READ,
    RS_VERB_GRANTS_WRITE,
    RS_VERB_KEYS_READ,
    RS_VERB_KEYS_WRITE,
    RS_VERB_USERS_WRITE,
    RS_VERB_AUDIT_READ,
    RS_VERB_AUDIT_TRIM,
    RS_VERB_WEBHOOKS_READ,
    RS_VERB_WEBHOOKS_WRITE,
    RS_VERB_TUNNELS_READ,
    RS_VERB_TUNNELS_WRITE,
    RS_VERB_TUNNELS_USE,
    RS_VERB_COMMANDS_RUN,
    RS_VERB_RECORDINGS_READ,
    RS_VERB_RECORDINGS_DELETE,
    RS_VERB_ICE,
    RS_VERB_NODE_DRAIN,

    RS_VERB_N                     /* one past the last; < 32 */
} rs_verb_e;


typedef enum {
    RS_ROLE_OBSERVER = 0,
    RS_ROLE_TECHNICIAN,
    RS_ROLE_ADMIN,
    RS_ROLE_AUDITOR,

    RS_ROLE_N
} rs_role_e;


/* sets of verbs, or of roles: one bit each */

#define RS_VERB_BIT(verb)      ((uint32_t) 1 << (verb))
#define RS_ROLE_BIT(role)      ((uint32_t) 1 << (role))

#define RS_VERBS_EVERY         (RS_VERB_BIT(RS_VERB_N) - 1)

/* what `*` is: everything of a tenant, nothing of the fleet */
#define RS_VERBS_ALL           (RS_VERBS_EVERY                                \
                                & ~RS_VERB_BIT(RS_VERB_NODE_DRAIN))

/* a list of all names, with separators */
#define RS_VERBS_TEXT_MAX      512

#define RS_SUBJECT_GROUP_MAX   128     /* characters of an issuer's group */
/* longest text of a subject, in characters */
#define RS_SUBJECT_MAX         (6 + RS_SUBJECT_GROUP_MAX)


/* "sessions:write"; NULL out of range.  Constants */
const char *rs_verb_name(rs_verb_e verb);
const char *rs_role_name(rs_role_e role);

/* 1 and *verb (*role), or 0: there is no such name */
int rs_verb_by_name(rs_str_t name, rs_verb_e *verb);
int rs_role_by_name(rs_str_t name, rs_role_e *role);

/*
 * What a user may who has all of these roles (bits; unknown ones count for
 * nothing): of the whole tenant, and where a grant says so.  No verb is in
 * both.
 */
void rs_role_verbs(uint32_t roles, uint32_t *tenant, uint32_t *granted);

/*
 * Names separated by single blanks or commas, `*` among them or not; nothing
 * is the empty set.  RS_OK, or RS_E_INVALID_VALUE: *bad (may be NULL) is the
 * word which is no verb ("": two separators in a row, or one at an end).
 */
rs_err_e rs_verbs_parse(rs_str_t list, uint32_t *verbs, rs_str_t *bad);

/*
 * Whom a grant is for: "user:usr_...", "key:key_...", or "group:" and a group
 * of the issuer, printable.  RS_OK or RS_E_INVALID_VALUE.
 */
rs_err_e rs_subject_check(rs_str_t s);

/* names in the order of the enum, sep between them; never `*` */
void rs_verbs_write(rs_buf_t *b, uint32_t verbs, char sep);


#endif /* _RS_ROLE_H_INCLUDED_ */
