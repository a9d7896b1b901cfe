
/*
 * Copyright (C) rs-gateway contributors
 *
 * The first line of a link: what is read is written as the same line.
 */


#include "fuzz.h"
#include "rs_link.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       text[RS_LINK_LEN];
    rs_link_t  link;

    if (rs_link_parse((rs_str_t) { data, size }, &link) != RS_OK) {
        return 0;
    }

    CHECK(size == RS_LINK_LEN);
    CHECK(rs_link_format(text, &link) == RS_OK);
    CHECK(memcmp(text, data, size) == 0);

    return 0;
}
