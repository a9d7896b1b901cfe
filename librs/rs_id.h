
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ids, secrets and positions as docs/protocol/README.md writes them.  Random
 * bytes come as arguments; a secret is only ever kept as its SHA-256.
 */


#ifndef _RS_ID_H_INCLUDED_
#define _RS_ID_H_INCLUDED_


#include "rs_str.h"


#define RS_ID_RANDOM         16    /* bytes behind an id */
#define RS_ID_PART_LEN       26    /* their base32 */
#define RS_ID_PREFIX_LEN     4     /* "ses_" */
#define RS_ID_LEN            (RS_ID_PREFIX_LEN + RS_ID_PART_LEN)

#define RS_ID_SECRET_RANDOM  32
#define RS_ID_SECRET_LEN     52
#define RS_ID_HASH_LEN       64    /* hex SHA-256 */

#define RS_ID_TENANT_MAX     32

#define RS_ID_KEY_MAX        (4 + RS_ID_TENANT_MAX + 1 + RS_ID_SECRET_LEN)
#define RS_ID_ENROLLMENT_MAX                                                 \
    (4 + RS_ID_TENANT_MAX + 1 + RS_ID_PART_LEN + 1 + RS_ID_SECRET_LEN)
#define RS_ID_TICKET_MAX                                                     \
    (RS_ID_TENANT_MAX + 1 + RS_ID_PART_LEN + RS_ID_SECRET_LEN)
#define RS_ID_RESUME_MAX                                                     \
    (RS_ID_TENANT_MAX + 1 + 2 * (RS_ID_PART_LEN + 1) + RS_ID_SECRET_LEN)

#define RS_POS_MAX           41    /* two 20-digit numbers and "-" */


/* position in a session's log */

typedef struct {
    uint64_t  epoch;
    uint64_t  n;
} rs_pos_t;


/* what a bearer secret says of itself; slices into the parsed text */

typedef struct {
    rs_str_t  tenant;
    char      session_id[RS_ID_LEN];      /* whole: ses_... */
    char      participant_id[RS_ID_LEN];  /* resume only */
    char      enrollment_id[RS_ID_LEN];   /* enrolment only */
    char      hash[RS_ID_HASH_LEN];       /* of the secret; see below */
} rs_secret_t;


/* prefix with its "_" and 26 characters of base32 */
int rs_id_valid(rs_str_t id, const char *prefix);
/* writes RS_ID_LEN bytes, no NUL */
void rs_id_make(char *out, const char *prefix,
    const uint8_t random[RS_ID_RANDOM]);
int rs_id_tenant_valid(rs_str_t tenant);
/* writes RS_ID_SECRET_LEN bytes, no NUL */
void rs_id_secret_make(char *out, const uint8_t random[RS_ID_SECRET_RANDOM]);
/* lower-case hex SHA-256 of text, RS_ID_HASH_LEN bytes, no NUL */
void rs_id_hash(rs_str_t text, char *out);

/*
 * Each *_format writes the whole token and returns its length (the *_MAX
 * above bounds it).  Each *_parse takes exactly that form, hashes the whole
 * token as it was given, and fails with RS_E_UNAUTHENTICATED.  The hash of a
 * token is always that of its whole text.
 */
size_t rs_key_format(char *out, rs_str_t tenant, const char *secret);
rs_err_e rs_key_parse(rs_str_t s, rs_secret_t *k);
size_t rs_enrollment_format(char *out, rs_str_t tenant,
    const char *enrollment_id, const char *secret);
rs_err_e rs_enrollment_parse(rs_str_t s, rs_secret_t *k);
size_t rs_ticket_format(char *out, rs_str_t tenant, const char *session_id,
    const char *secret);
rs_err_e rs_ticket_parse(rs_str_t s, rs_secret_t *k);
size_t rs_resume_format(char *out, rs_str_t tenant, const char *session_id,
    const char *participant_id, const char *secret);
/* s: token "." position, as in the subprotocol entry */
rs_err_e rs_resume_parse(rs_str_t s, rs_secret_t *k, rs_pos_t *pos);

/* <epoch>-<n>; RS_E_INVALID_VALUE */
rs_err_e rs_pos_parse(rs_str_t s, rs_pos_t *pos);
/* at most RS_POS_MAX bytes, no NUL; the length */
size_t rs_pos_format(const rs_pos_t *pos, char *out);
int rs_pos_cmp(const rs_pos_t *a, const rs_pos_t *b);
/* b follows a without a hole: same epoch and n + 1, or n 0 of a later one */
int rs_pos_next(const rs_pos_t *a, const rs_pos_t *b);


#endif /* _RS_ID_H_INCLUDED_ */
