
/*
 * Copyright (C) rs-gateway contributors
 *
 * Codes by which a machine is adopted: an enrolment that somebody reads out
 * and types in, "ABCDE-FGHJK", of a tenant that is not "default"
 * "acme/ABCDE-FGHJK".
 *
 * The first five characters say which enrolment it is, all ten that one knows
 * it.  So a wrong guess is one at an enrolment, which counts them, and neither
 * half is stored.
 */


#ifndef _RS_CODE_H_INCLUDED_
#define _RS_CODE_H_INCLUDED_


#include "rs_id.h"


#define RS_CODE_CHARS       10        /* base32: 50 bits */
#define RS_CODE_TEXT        (RS_CODE_CHARS + 1)
#define RS_CODE_RANDOM_LEN  7
#define RS_CODE_MAX         64        /* as it may be typed */
#define RS_CODE_TRIES       5
#define RS_CODE_TTL         600       /* s */


typedef struct {
    rs_str_t        tenant;           /* of the input, or constant */
    char            id[RS_ID_LEN];    /* of the enrolment */
    char            hash[RS_ID_HASH_LEN];
} rs_code_t;


/* dst: RS_CODE_TEXT, no NUL */
void rs_code_format(char *dst, const uint8_t random[RS_CODE_RANDOM_LEN]);

/*
 * What somebody typed: upper or lower case, with or without blanks and
 * hyphens, 0, 1 and 8 for O, I and B.  tenant: what the place says, may be
 * empty.  RS_OK; RS_E_UNAUTHENTICATED: no code, or of another tenant than
 * that; RS_E_INTERNAL: OpenSSL failed.
 */
rs_err_e rs_code_parse(rs_str_t s, rs_str_t tenant, rs_code_t *c);


#endif /* _RS_CODE_H_INCLUDED_ */
