
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who is at the two ends of a connection: docs/protocol/peer.md, "Who is
 * there".  The fingerprint of a description, the proof in a viewer's offer
 * but for its token, and what both sides sign.
 */


#ifndef _RS_OPERATOR_H_INCLUDED_
#define _RS_OPERATOR_H_INCLUDED_


#include "rs_id.h"
#include "rs_json.h"


#define RS_OPERATOR_DIGEST_LEN       32
#define RS_OPERATOR_FINGERPRINT_LEN  (8 + 3 * RS_OPERATOR_DIGEST_LEN - 1)
#define RS_OPERATOR_THUMBPRINT_LEN   43      /* base64url of SHA-256 */
#define RS_OPERATOR_POINT_LEN        65      /* 04, x, y */
#define RS_OPERATOR_SIGNATURE_LEN    64      /* r, s */
#define RS_OPERATOR_TOKEN_MAX        16384
#define RS_OPERATOR_PC_MAX           0x7fffffff

#define RS_OPERATOR_SIGNED_MAX       (15 + 3 * (RS_ID_LEN + 1) + 10 + 1      \
                                      + 2 * RS_OPERATOR_FINGERPRINT_LEN + 1  \
                                      + sizeof("verified"))


/* what a connection is, to both ends */

typedef struct {
    rs_str_t  session_id;
    rs_str_t  device_id;
    rs_str_t  participant_id;                /* the viewer's */
    uint64_t  pc;                            /* from 1 */
    rs_str_t  offer;                         /* fingerprints, or marks */
    rs_str_t  answer;                        /* signed by the device only */
    int       verified;                      /* so is that it verified whose
                                                offer this is */
} rs_operator_line_t;


typedef struct {
    rs_str_t  id_token;                      /* borrowed; not looked at */
    uint8_t   point[RS_OPERATOR_POINT_LEN];  /* on the curve */
    uint8_t   signature[RS_OPERATOR_SIGNATURE_LEN];
} rs_operator_proof_t;


/*
 * The one fingerprint of an SDP, "sha-256 AA:BB:..."; no NUL is added.
 * RS_E_INVALID_VALUE: there is none, or something that might be another.
 */
rs_err_e rs_operator_fingerprint(rs_str_t sdp,
    char dst[RS_OPERATOR_FINGERPRINT_LEN]);

/* the same text for a certificate, of the SHA-256 of its DER form */
void rs_operator_fingerprint_text(
    const uint8_t digest[RS_OPERATOR_DIGEST_LEN],
    char dst[RS_OPERATOR_FINGERPRINT_LEN]);

/*
 * The same form for an end of a pipe, which is no certificate (rs_seal.h):
 * "rs-pipe AA:BB:...".  What is signed of one kind is never of the other.
 */
void rs_operator_mark_text(const uint8_t digest[RS_OPERATOR_DIGEST_LEN],
    char dst[RS_OPERATOR_FINGERPRINT_LEN]);

/*
 * "proof" of an offer.  RS_OK: proof points into obj.  RS_E_UNKNOWN_FIELD,
 * RS_E_INVALID_VALUE: err says where and why.  RS_E_INTERNAL: no memory.
 */
rs_err_e rs_operator_proof_read(const json_t *obj,
    rs_operator_proof_t *proof, rs_json_error_t *err);

/* RFC 7638 of the proof's key */
void rs_operator_thumbprint(const rs_operator_proof_t *proof,
    char dst[RS_OPERATOR_THUMBPRINT_LEN]);

/*
 * RS_OK; RS_E_UNAUTHENTICATED: the signature is not of the proof's key over
 * this line; RS_E_INTERNAL: OpenSSL failed.
 */
rs_err_e rs_operator_verify(const rs_operator_proof_t *proof,
    const rs_operator_line_t *line);

/*
 * The bytes that the operator and the device sign; dst:
 * RS_OPERATOR_SIGNED_MAX.  The length; 0: an id, the number or a fingerprint
 * is none.
 */
size_t rs_operator_signed(uint8_t *dst, const rs_operator_line_t *line);
size_t rs_operator_device_signed(uint8_t *dst,
    const rs_operator_line_t *line);

/*
 * Whether bytes that somebody wants signed begin as those of a device's answer
 * in that session do, and may be one by their length.
 */
int rs_operator_device_of(rs_str_t bytes, rs_str_t session_id,
    rs_str_t device_id);


#endif /* _RS_OPERATOR_H_INCLUDED_ */
