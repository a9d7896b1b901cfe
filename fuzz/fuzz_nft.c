
/*
 * Copyright (C) rs-gateway contributors
 *
 * Kernel rules: a text is rules or it is not.
 */


#include "fuzz.h"
#include "rs_nft.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rs_ip_t   ip;
    rs_err_e  rc;
    unsigned  i;

    static const char *const  texts[] = { "10.0.0.11", "2001:db8::11" };

    for (i = 0; i < 2; i++) {
        CHECK(rs_ip_parse(rs_str(texts[i]), &ip) == RS_OK);
        rc = rs_nft_closed((rs_str_t) { data, size }, &ip);
        CHECK(rc == RS_OK || rc == RS_E_NOT_FOUND || rc == RS_E_INVALID_JSON);
    }

    return 0;
}
