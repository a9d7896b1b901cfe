
/*
 * Copyright (C) rs-gateway contributors
 *
 * A device's proof of its Ed25519 key (RFC 8032): the signature over
 *
 *     "rs-agent-v1" 00 host 00 tenant 00 device_id 00 nonce
 *
 * Keys travel as base64url of their 32 bytes.
 */


#ifndef _RS_DEVKEY_H_INCLUDED_
#define _RS_DEVKEY_H_INCLUDED_


#include "rs_ed25519.h"
#include "rs_id.h"


#define RS_DEVKEY_NONCE_LEN      32
#define RS_DEVKEY_KEY_LEN        RS_ED25519_KEY_LEN
#define RS_DEVKEY_SIGNATURE_LEN  RS_ED25519_SIGNATURE_LEN
#define RS_DEVKEY_TEXT_LEN       43    /* base64url of a public key */
#define RS_DEVKEY_SHORT_LEN      19    /* AB12-CD34-EF56-GH78 */
#define RS_DEVKEY_HOST_MAX       255
#define RS_DEVKEY_SIGNED_MAX     (12 + RS_DEVKEY_HOST_MAX + 1                \
                                  + RS_TENANT_MAX + 1 + RS_ID_LEN + 1        \
                                  + RS_DEVKEY_NONCE_LEN)


/*
 * A public key as base64url -> bytes.  RS_E_INVALID_VALUE: not base64url of
 * 32 bytes, not the canonical form of a point of the curve (RFC 8032, 5.1.3),
 * or one of low order, with which signatures of nobody verify.  RS_E_INTERNAL:
 * no memory.  raw may be NULL.
 */
rs_err_e rs_devkey_parse(rs_str_t text, uint8_t raw[RS_DEVKEY_KEY_LEN]);
/* the same as a check of rs_json_field_t */
rs_err_e rs_devkey_check(rs_str_t text);

/* what people compare: 80 bits of the key's SHA-256; no NUL is added */
void rs_devkey_short(const uint8_t raw[RS_DEVKEY_KEY_LEN],
    char dst[RS_DEVKEY_SHORT_LEN]);

/*
 * The bytes that are signed; dst: RS_DEVKEY_SIGNED_MAX.  The length; 0: host
 * is empty, too long or has a zero byte, tenant or device_id are no such.
 */
size_t rs_devkey_signed(uint8_t *dst, rs_str_t host, rs_str_t tenant,
    rs_str_t device_id, const uint8_t nonce[RS_DEVKEY_NONCE_LEN]);

/*
 * key: base64url, as the device was enrolled with.  RS_OK;
 * RS_E_UNAUTHENTICATED: the signature is not of this key over these values;
 * RS_E_INTERNAL: the key is none (it was checked at enrolment) or OpenSSL
 * failed.
 */
rs_err_e rs_devkey_verify(rs_str_t key, rs_str_t host, rs_str_t tenant,
    rs_str_t device_id, const uint8_t nonce[RS_DEVKEY_NONCE_LEN],
    const uint8_t signature[RS_DEVKEY_SIGNATURE_LEN]);

/* for devices and tests; RS_OK, RS_E_INVALID_VALUE or RS_E_INTERNAL */
rs_err_e rs_devkey_sign(const uint8_t seed[RS_DEVKEY_KEY_LEN], rs_str_t host,
    rs_str_t tenant, rs_str_t device_id,
    const uint8_t nonce[RS_DEVKEY_NONCE_LEN],
    uint8_t signature[RS_DEVKEY_SIGNATURE_LEN]);
/* the public key of a seed */
rs_err_e rs_devkey_public(const uint8_t seed[RS_DEVKEY_KEY_LEN],
    uint8_t raw[RS_DEVKEY_KEY_LEN]);


/*
 * Another key for the same device: the statement is signed by the old one,
 * and by the new one as a proof that it is there, over
 *
 *     "rs-device-key-v1" 00 tenant 00 device_id 00 old 00 new
 *
 * with both keys as base64url.  Who knows the old one follows statements to
 * the new one without asking anybody.
 */

#define RS_DEVKEY_ROTATION_MAX   (17 + RS_TENANT_MAX + 1 + RS_ID_LEN + 1     \
                                  + 2 * RS_DEVKEY_TEXT_LEN + 1)

/* The length; 0: a value is not well formed, or both keys are the same. */
size_t rs_devkey_rotation(uint8_t *dst, rs_str_t tenant, rs_str_t device_id,
    rs_str_t old, rs_str_t key);

/*
 * proof may be NULL: not asked for.  RS_OK; RS_E_UNAUTHENTICATED;
 * RS_E_INVALID_VALUE: as above; RS_E_INTERNAL.
 */
rs_err_e rs_devkey_rotation_verify(rs_str_t tenant, rs_str_t device_id,
    rs_str_t old, rs_str_t key,
    const uint8_t signature[RS_DEVKEY_SIGNATURE_LEN], const uint8_t *proof);


#endif /* _RS_DEVKEY_H_INCLUDED_ */
