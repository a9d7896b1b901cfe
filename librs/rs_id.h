
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ids, tenants, secrets and the credentials made of them; positions in a
 * session's log.  docs/protocol/README.md, "Conventions".  Random bytes are
 * the caller's.
 *
 * An id or a secret is checked by its alphabet and length only; that it was
 * drawn by a gateway is what the store knows.
 */


#ifndef _RS_ID_H_INCLUDED_
#define _RS_ID_H_INCLUDED_


#include "rs_err.h"


#define RS_ID_RANDOM_LEN       16      /* bytes drawn for an id */
#define RS_ID_BARE_LEN         26      /* without prefix */
#define RS_ID_PREFIX_LEN       4
#define RS_ID_LEN              30      /* with prefix */

#define RS_ID_SECRET_RANDOM_LEN  32    /* bytes drawn for a secret */
#define RS_ID_SECRET_LEN       52
#define RS_ID_HASH_LEN         64      /* SHA-256, hex */

#define RS_TENANT_MAX          32
#define RS_REGION_MAX          64      /* of TURN servers */

#define RS_ID_SESSION          "ses_"
#define RS_ID_DEVICE           "dev_"
#define RS_ID_PARTICIPANT      "par_"
#define RS_ID_ENROLLMENT       "enr_"
#define RS_ID_KEY              "key_"
#define RS_ID_LINK             "lnk_"
#define RS_ID_GROUP            "grp_"
#define RS_ID_GRANT            "gra_"
#define RS_ID_WEBHOOK          "whk_"
#define RS_ID_TUNNEL           "tun_"
#define RS_ID_PIPE             "pip_"
#define RS_ID_RECORDING        "rec_"     /* drawn by the recorder */
#define RS_ID_USER             "usr_"     /* of issuer and subject, not drawn */

/* longest texts, no NUL */
#define RS_ID_API_KEY_MAX      (4 + RS_TENANT_MAX + 1 + RS_ID_SECRET_LEN)
#define RS_ID_ENROLL_MAX       (4 + RS_TENANT_MAX + 1 + RS_ID_BARE_LEN + 1   \
                                + RS_ID_SECRET_LEN)
#define RS_ID_TICKET_MAX       (RS_TENANT_MAX + 1 + RS_ID_BARE_LEN           \
                                + RS_ID_SECRET_LEN)
#define RS_ID_RESUME_MAX       (RS_TENANT_MAX + 1 + RS_ID_BARE_LEN + 1       \
                                + RS_ID_BARE_LEN + 1 + RS_ID_SECRET_LEN)
#define RS_ID_GUEST_MAX        (4 + RS_ID_RESUME_MAX)

#define RS_PIN_MIN             4       /* digits */
#define RS_PIN_MAX             12

#define RS_ORIGIN_MAX          300     /* bytes of one a ticket is bound to */


/* RS_OK or RS_E_INVALID_VALUE */

rs_err_e rs_tenant_check(rs_str_t s);
/* letters, digits, '.', '_' and '-' */
rs_err_e rs_region_check(rs_str_t s);
rs_err_e rs_id_check(rs_str_t s, const char *prefix);
rs_err_e rs_secret_check(rs_str_t s);

/* the same as a check of rs_json_field_t */
rs_err_e rs_id_check_session(rs_str_t s);
rs_err_e rs_id_check_device(rs_str_t s);
rs_err_e rs_id_check_participant(rs_str_t s);
rs_err_e rs_id_check_enrollment(rs_str_t s);
rs_err_e rs_id_check_tunnel(rs_str_t s);
rs_err_e rs_id_check_pipe(rs_str_t s);
rs_err_e rs_id_check_recording(rs_str_t s);

/* RS_PIN_MIN to RS_PIN_MAX digits */
rs_err_e rs_pin_check(rs_str_t s);
rs_err_e rs_id_check_group(rs_str_t s);

/* dst: RS_ID_LEN; no NUL is added */
void rs_id_format(char *dst, const char *prefix,
    const uint8_t random[RS_ID_RANDOM_LEN]);
/* dst: RS_ID_SECRET_LEN */
void rs_secret_format(char *dst,
    const uint8_t random[RS_ID_SECRET_RANDOM_LEN]);

/*
 * SHA-256 of any text as hex; dst: RS_ID_HASH_LEN.  RS_E_INTERNAL: OpenSSL
 * failed (no memory).
 *
 * What the store keeps: of an API key the hash of the whole key as it is
 * sent, of a ticket, a resume and an enrolment token that of its 52 character
 * secret.
 */
rs_err_e rs_hash_hex(rs_str_t text, char *dst);

/*
 * The same of two texts, with a zero byte between them: of a guest link's
 * secret and its PIN.  Together at most RS_ID_SECRET_LEN and RS_ORIGIN_MAX
 * bytes long, else RS_E_INVALID_VALUE.
 */
rs_err_e rs_hash_pair(rs_str_t a, rs_str_t b, char *dst);

/*
 * What the store keeps of a ticket that is good for the pages of one origin
 * only: the hash of its secret and the origin, in lower case and without a
 * default port.  RS_E_INVALID_VALUE: the origin is empty or too long.
 */
rs_err_e rs_ticket_bind(rs_str_t secret, rs_str_t origin, char *dst);


/* positions, "<epoch>-<n>"; also the ids of a Redis stream */

#define RS_POS_MAX             41      /* longest text, no NUL */

typedef struct {
    uint64_t        epoch;
    uint64_t        n;
} rs_pos_t;

/* RS_OK or RS_E_INVALID_VALUE; no leading zeros, each < 2^64 */
rs_err_e rs_pos_parse(rs_str_t s, rs_pos_t *pos);
/* writes no NUL; the length, 0 if size is too small (RS_POS_MAX is enough) */
size_t rs_pos_format(const rs_pos_t *pos, char *dst, size_t size);
/* <0, 0, >0 */
int rs_pos_cmp(const rs_pos_t *a, const rs_pos_t *b);
/* 1: next follows pos directly, in the same epoch */
int rs_pos_is_next(const rs_pos_t *pos, const rs_pos_t *next);


/*
 * A credential taken apart.  tenant and secret are slices of the input, the
 * ids are written whole, with prefix; what a kind does not have is empty.
 */

typedef struct {
    rs_str_t        tenant;
    rs_str_t        secret;
    rs_str_t        session_id;       /* points into ids */
    rs_str_t        participant_id;
    rs_str_t        enrollment_id;
    rs_str_t        link_id;
    rs_str_t        pipe_id;
    rs_pos_t        position;         /* resume */

    char            hash[RS_ID_HASH_LEN];   /* what the store looks up */
    char            bound[RS_ID_HASH_LEN];  /* the caller's: of a ticket that
                                               is bound to an origin */
    char            ids[2][RS_ID_LEN];
} rs_cred_t;


/*
 * RS_OK, RS_E_UNAUTHENTICATED (not of this form) or RS_E_INTERNAL.  c must
 * not be copied by value: it points into itself.
 */

rs_err_e rs_api_key_parse(rs_str_t s, rs_cred_t *c);
rs_err_e rs_enroll_parse(rs_str_t s, rs_cred_t *c);
rs_err_e rs_ticket_parse(rs_str_t s, rs_cred_t *c);
/* the same form, "<tenant>.<pipe><secret>", of one leg of a pipe */
rs_err_e rs_pipe_ticket_parse(rs_str_t s, rs_cred_t *c);
/* "rsb_<tenant>_<secret>", which makes the first API key */
rs_err_e rs_bootstrap_parse(rs_str_t s, rs_cred_t *c);
/* "rso_<tenant>_<secret>", which signs a console in, once */
rs_err_e rs_login_parse(rs_str_t s, rs_cred_t *c);
/* "rsl_<tenant>_<session>_<link>_<secret>", a guest link's */
rs_err_e rs_guest_parse(rs_str_t s, rs_cred_t *c);
/* "<token>.<position>", as it stands after "rs.resume." */
rs_err_e rs_resume_parse(rs_str_t s, rs_cred_t *c);


/*
 * Builders: dst has the RS_ID_*_MAX of its kind, no NUL is added, the length
 * is returned; 0 when a part is not well formed.  Ids with prefix.
 */

size_t rs_api_key_format(char *dst, rs_str_t tenant, rs_str_t secret);
size_t rs_enroll_format(char *dst, rs_str_t tenant, rs_str_t enrollment_id,
    rs_str_t secret);
size_t rs_ticket_format(char *dst, rs_str_t tenant, rs_str_t session_id,
    rs_str_t secret);
/* dst: RS_ID_TICKET_MAX */
size_t rs_pipe_ticket_format(char *dst, rs_str_t tenant, rs_str_t pipe_id,
    rs_str_t secret);
size_t rs_guest_format(char *dst, rs_str_t tenant, rs_str_t session_id,
    rs_str_t link_id, rs_str_t secret);
/* the token alone */
size_t rs_resume_format(char *dst, rs_str_t tenant, rs_str_t session_id,
    rs_str_t participant_id, rs_str_t secret);


#endif /* _RS_ID_H_INCLUDED_ */
