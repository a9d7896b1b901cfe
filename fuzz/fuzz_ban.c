
/*
 * Copyright (C) rs-gateway contributors
 *
 * Messages about bans: slices of the text, within bounds.
 */


#include "fuzz.h"
#include "rs_ban.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    i;
    rs_str_t  subject;
    uint32_t  seconds;

    if (!rs_ban_parse((rs_str_t) { data, size }, &subject, &seconds)) {
        return 0;
    }

    CHECK(seconds <= RS_BAN_MAX);
    CHECK(subject.data == data && subject.len < size);
    CHECK(subject.len > 2 && subject.len <= RS_BAN_SUBJECT_MAX);

    for (i = 0; i < subject.len; i++) {
        CHECK(subject.data[i] > ' ' && subject.data[i] < 0x7f);
    }

    return 0;
}
