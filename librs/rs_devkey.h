
/*
 * Copyright (C) rs-gateway contributors
 *
 * Proof of a device's Ed25519 key (RFC 8032) over
 * "rs-agent-v1" 00 host 00 tenant 00 device_id 00 nonce.
 */


#ifndef _RS_DEVKEY_H_INCLUDED_
#define _RS_DEVKEY_H_INCLUDED_


#include "rs_str.h"
#include "rs_id.h"


#define RS_DEVKEY_NONCE_LEN      32
#define RS_DEVKEY_PUBLIC_LEN     32
#define RS_DEVKEY_SEED_LEN       32
#define RS_DEVKEY_SIGNATURE_LEN  64
#define RS_DEVKEY_HOST_MAX       255


typedef struct {
    rs_str_t        host;      /* lower case, without port */
    rs_str_t        tenant;
    rs_str_t        device_id;
    const uint8_t  *nonce;     /* RS_DEVKEY_NONCE_LEN bytes */
} rs_devkey_proof_t;


/* base64url of 32 bytes that are a point OpenSSL takes, not of small order */
rs_err_e rs_devkey_public_parse(rs_str_t text,
    uint8_t key[RS_DEVKEY_PUBLIC_LEN]);

/* RS_OK, RS_E_UNAUTHENTICATED, RS_E_INTERNAL */
rs_err_e rs_devkey_verify(const uint8_t key[RS_DEVKEY_PUBLIC_LEN],
    const rs_devkey_proof_t *proof,
    const uint8_t signature[RS_DEVKEY_SIGNATURE_LEN]);

/* for devices and tests */
rs_err_e rs_devkey_sign(const uint8_t seed[RS_DEVKEY_SEED_LEN],
    const rs_devkey_proof_t *proof,
    uint8_t signature[RS_DEVKEY_SIGNATURE_LEN]);


#endif /* _RS_DEVKEY_H_INCLUDED_ */
