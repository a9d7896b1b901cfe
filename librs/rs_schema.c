
/*
 * Copyright (C) rs-gateway contributors
 *
 * The version of the function library in Redis, negotiated.
 */


#include "rs_schema.h"


rs_schema_e
rs_schema_check(rs_schema_t *s, rs_str_t version, rs_str_t serves,
    uint64_t mine)
{
    rs_schema_t  have;

    if (!rs_u64_parse(version, RS_SCHEMA_MAX, &have.version)) {
        return RS_SCHEMA_UNKNOWN;
    }

    have.serves = have.version;

    if (serves.len
        && (!rs_u64_parse(serves, RS_SCHEMA_MAX, &have.serves)
            || have.serves > have.version))
    {
        return RS_SCHEMA_UNKNOWN;
    }

    *s = have;

    if (have.version < mine) {
        return RS_SCHEMA_OLD;
    }

    return have.serves > mine ? RS_SCHEMA_NEW : RS_SCHEMA_OK;
}


void
rs_schema_text(rs_buf_t *b, rs_schema_e rc, const rs_schema_t *s,
    uint64_t mine)
{
    if (rc == RS_SCHEMA_UNKNOWN) {
        rs_buf_cstr(b, "the library \"rs\" in Redis does not say its version, "
                    "version ");
        rs_buf_u64(b, mine);
        rs_buf_cstr(b, " is needed: load it with \"redis-schema/load\"");
        return;
    }

    rs_buf_cstr(b, "Redis holds version ");
    rs_buf_u64(b, s->version);
    rs_buf_cstr(b, " of the library \"rs\", which serves versions ");
    rs_buf_u64(b, s->serves);
    rs_buf_cstr(b, " to ");
    rs_buf_u64(b, s->version);
    rs_buf_cstr(b, "; version ");
    rs_buf_u64(b, mine);
    rs_buf_cstr(b, " is needed: ");

    if (rc == RS_SCHEMA_NEW) {
        rs_buf_cstr(b, "upgrade this program, or load the library of its "
                    "release when nothing newer runs any more");
        return;
    }

    rs_buf_cstr(b, "load that of this release with \"redis-schema/load\"");
}
