
/*
 * Copyright (C) rs-gateway contributors
 *
 * Heads of a tar archive: one that is taken has a name and a size within
 * bounds, and made again it is taken as the same.
 */


#include "fuzz.h"
#include "rs_tar.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t         block[RS_TAR_BLOCK], again[RS_TAR_BLOCK];
    rs_err_e        rc;
    unsigned        sum;
    size_t          i;
    rs_tar_entry_t  e, f;

    memset(block, 0, sizeof(block));
    memcpy(block, data, size < sizeof(block) ? size : sizeof(block));

    /* a checksum is hard to guess */

    if (size > 1 && data[0] & 1) {
        memset(block + 148, ' ', 8);

        for (i = 0, sum = 0; i < sizeof(block); i++) {
            sum += block[i];
        }

        (void) snprintf((char *) block + 148, 8, "%06o", sum);
        block[155] = ' ';
    }

    rc = rs_tar_parse(block, &e);
    CHECK(rc == RS_OK || rc == RS_AGAIN || rc == RS_E_INVALID_VALUE);

    if (rc != RS_OK) {
        return 0;
    }

    CHECK(e.name.len > 0 && e.name.len <= RS_TAR_NAME_MAX);
    CHECK(e.name.data == block);
    CHECK(e.size <= RS_TAR_SIZE_MAX);
    CHECK(RS_TAR_PAD(e.size) < RS_TAR_BLOCK);
    CHECK(!e.dir || e.size == 0);

    CHECK(rs_tar_head(again, e.name, e.size, e.dir, 0) == RS_OK);
    CHECK(rs_tar_parse(again, &f) == RS_OK);
    CHECK(rs_str_eq(e.name, f.name));
    CHECK(e.size == f.size && e.dir == f.dir);

    return 0;
}
