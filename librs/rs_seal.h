
/*
 * Copyright (C) rs-gateway contributors
 *
 * What makes a pipe between two peers of a session theirs alone, whoever
 * forwards it: docs/protocol/peer.md, "Over a pipe".
 *
 * An ephemeral P-256 key of each side; the marks of offer and answer, which
 * both sides sign in the place of DTLS fingerprints; HKDF-SHA256 (RFC 5869)
 * over what was signed; AES-256-GCM records with a counter, as RFC 8446, 5.2
 * and 5.3, but that a record's boundaries are those of its message.
 */


#ifndef _RS_SEAL_H_INCLUDED_
#define _RS_SEAL_H_INCLUDED_


#include "rs_err.h"
#include "rs_operator.h"


#define RS_SEAL_SCALAR_LEN  32
#define RS_SEAL_POINT_LEN   65              /* 04, x, y */
#define RS_SEAL_NAME_LEN    26
#define RS_SEAL_CODECS_MAX  64              /* bytes */
#define RS_SEAL_RECORD_MAX  65507           /* bytes, on the wire */
#define RS_SEAL_OVERHEAD    17              /* one byte, and the tag */
#define RS_SEAL_DATA_MAX    (RS_SEAL_RECORD_MAX - RS_SEAL_OVERHEAD)
#define RS_SEAL_RECORDS     (1 << 24)       /* of one direction and key */


typedef enum {
    RS_SEAL_CLIENT = 0,                     /* the one who offered */
    RS_SEAL_HOST
} rs_seal_side_e;


/* what both sides say to each other before the first record */

typedef struct {
    rs_str_t        name;                   /* of the pipe */
    rs_str_t        codecs;                 /* offered: "vp8,h264" */
    rs_str_t        codec;                  /* the answer's: "vp8" */
    const uint8_t  *client;                 /* points */
    const uint8_t  *host;
} rs_seal_deal_t;


typedef struct {
    void      *ctx;                         /* EVP_CIPHER_CTX */
    uint8_t    iv[12];
    uint32_t   count;                       /* records so far */
} rs_seal_way_t;


/* a side of a pipe; all zero before rs_seal_start() and after rs_seal_end() */

typedef struct {
    rs_seal_way_t  out;
    rs_seal_way_t  in;
} rs_seal_t;


/*
 * The public half of a scalar of 32 random bytes.  RS_E_INVALID_VALUE: it is
 * not between 1 and the order of the curve (once in 2^32): draw another one.
 */
rs_err_e rs_seal_public(const uint8_t scalar[RS_SEAL_SCALAR_LEN],
    uint8_t point[RS_SEAL_POINT_LEN]);

/*
 * The marks, in the form that rs_operator_line_t has for fingerprints, and
 * of which it is sure that none is one.  0: the name or the codecs are none.
 */
int rs_seal_offer_mark(const rs_seal_deal_t *deal,
    char dst[RS_OPERATOR_FINGERPRINT_LEN]);
int rs_seal_answer_mark(const rs_seal_deal_t *deal,
    char dst[RS_OPERATOR_FINGERPRINT_LEN]);

/*
 * The keys of both directions, from the own scalar, the other side's point
 * and the bytes that the device signed (rs_operator_device_signed).
 * RS_E_INVALID_VALUE: not a point of the curve; RS_E_INTERNAL: OpenSSL failed.
 */
rs_err_e rs_seal_start(rs_seal_t *s, rs_seal_side_e side,
    const uint8_t scalar[RS_SEAL_SCALAR_LEN],
    const uint8_t point[RS_SEAL_POINT_LEN], const uint8_t *signed_bytes,
    size_t len);
void rs_seal_end(rs_seal_t *s);

/*
 * The next record: data.len from 1 to RS_SEAL_DATA_MAX; more: the message
 * goes on in the next one.  dst: data.len + RS_SEAL_OVERHEAD.  The length;
 * 0: too long, or RS_SEAL_RECORDS were made: the pipe is over.
 */
size_t rs_seal_make(rs_seal_t *s, rs_str_t data, int more, uint8_t *dst);

/*
 * Opens the next record in its place: *data points into it, *more as it was
 * made.  RS_E_UNAUTHENTICATED: it is not the next one of this pipe; nothing
 * may be believed of it or of what follows.
 */
rs_err_e rs_seal_take(rs_seal_t *s, uint8_t *record, size_t len,
    rs_str_t *data, int *more);


#endif /* _RS_SEAL_H_INCLUDED_ */
