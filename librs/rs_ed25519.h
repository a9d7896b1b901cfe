
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ed25519 (RFC 8032) over whole texts, by OpenSSL: keys and signatures as
 * their raw bytes.
 */


#ifndef _RS_ED25519_H_INCLUDED_
#define _RS_ED25519_H_INCLUDED_


#include "rs_err.h"


#define RS_ED25519_KEY_LEN        32    /* public, and the private seed */
#define RS_ED25519_SIGNATURE_LEN  64


/* RS_OK or RS_E_INTERNAL */
rs_err_e rs_ed25519_sign(const uint8_t seed[RS_ED25519_KEY_LEN],
    const void *data, size_t len,
    uint8_t signature[RS_ED25519_SIGNATURE_LEN]);

/*
 * RS_OK; RS_E_UNAUTHENTICATED: not of this key over these bytes;
 * RS_E_INTERNAL.  A key that came from outside is checked before, by
 * rs_devkey_parse(): under one of low order anybody's signature is good.
 */
rs_err_e rs_ed25519_verify(const uint8_t key[RS_ED25519_KEY_LEN],
    const void *data, size_t len,
    const uint8_t signature[RS_ED25519_SIGNATURE_LEN]);

/* the public key of a seed; RS_OK or RS_E_INTERNAL */
rs_err_e rs_ed25519_public(const uint8_t seed[RS_ED25519_KEY_LEN],
    uint8_t key[RS_ED25519_KEY_LEN]);


#endif /* _RS_ED25519_H_INCLUDED_ */
