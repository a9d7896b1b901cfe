
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * An auditor's key: made once, its certificate for the recorders, the key for
 * whoever may read.
 */

#ifndef _RECORD_KEYGEN_H_INCLUDED_
#define _RECORD_KEYGEN_H_INCLUDED_


#include <glib.h>


typedef enum {
    RECORD_KEYGEN_RSA = 0,              /* 3072 bits, RSA-OAEP */
    RECORD_KEYGEN_EC                    /* P-256, ECDH */
} record_keygen_e;


/*
 * Makes key (mode 0600, PKCS#8 under the passphrase) and cert, PEM; neither
 * may exist.  name: the certificate's CN.
 */
gboolean record_keygen(record_keygen_e kind, const char *name,
    const char *passphrase, const char *key, const char *cert,
    GError **error);


#endif /* _RECORD_KEYGEN_H_INCLUDED_ */
