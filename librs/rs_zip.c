
/*
 * Copyright (C) rs-gateway contributors
 *
 * ZIP's central directory.
 */


#include "rs_zip.h"

#include <string.h>


#define RS_ZIP_END         22         /* bytes of its fixed part */
#define RS_ZIP_CENTRAL     46
#define RS_ZIP_LOCAL       30

/* what deflate makes of one byte at best */

#define RS_ZIP_DEFLATE     1032

#define RS_ZIP_ENCRYPTED   0x0041     /* traditional, strong */


static rs_err_e rs_zip_local(rs_zip_t *zip, rs_zip_entry_t *entry,
    size_t packed);
static int rs_zip_name(rs_str_t name);


static unsigned
rs_zip_u16(const uint8_t *p)
{
    return (unsigned) p[0] | (unsigned) p[1] << 8;
}


static uint32_t
rs_zip_u32(const uint8_t *p)
{
    return (uint32_t) rs_zip_u16(p) | (uint32_t) rs_zip_u16(p + 2) << 16;
}


/* 4.3.16: the end of central directory record, which ends the file */

rs_err_e
rs_zip_open(rs_str_t bytes, rs_zip_t *zip)
{
    size_t          i, comment, size, offset;
    const uint8_t  *p;

    memset(zip, 0, sizeof(*zip));

    for (comment = 0; comment <= 0xffff; comment++) {

        if (bytes.len < RS_ZIP_END + comment) {
            return RS_E_INVALID_VALUE;
        }

        i = bytes.len - RS_ZIP_END - comment;
        p = bytes.data + i;

        if (memcmp(p, "PK\5\6", 4) == 0 && rs_zip_u16(p + 20) == comment) {
            break;
        }
    }

    if (comment > 0xffff) {
        return RS_E_INVALID_VALUE;
    }

    size = rs_zip_u32(p + 12);
    offset = rs_zip_u32(p + 16);

    /* one disk; ZIP64 says 0xffff and 0xffffffff, which is out of bounds */

    if (rs_zip_u16(p + 4) != 0 || rs_zip_u16(p + 6) != 0
        || rs_zip_u16(p + 8) != rs_zip_u16(p + 10)
        || rs_zip_u16(p + 10) == 0xffff
        || offset > i || size != i - offset)
    {
        return RS_E_INVALID_VALUE;
    }

    zip->bytes = bytes;
    zip->at = offset;
    zip->end = i;
    zip->files = offset;
    zip->n = rs_zip_u16(p + 10);
    zip->left = zip->n;

    return RS_OK;
}


/* 4.3.12 */

rs_err_e
rs_zip_next(rs_zip_t *zip, rs_zip_entry_t *entry)
{
    size_t          len, packed;
    const uint8_t  *p;

    memset(entry, 0, sizeof(*entry));

    if (zip->left == 0) {
        return (zip->at == zip->end) ? RS_AGAIN : RS_E_INVALID_VALUE;
    }

    if (zip->end - zip->at < RS_ZIP_CENTRAL) {
        return RS_E_INVALID_VALUE;
    }

    p = zip->bytes.data + zip->at;
    len = (size_t) RS_ZIP_CENTRAL + rs_zip_u16(p + 28) + rs_zip_u16(p + 30)
          + rs_zip_u16(p + 32);

    if (memcmp(p, "PK\1\2", 4) != 0 || len > zip->end - zip->at) {
        return RS_E_INVALID_VALUE;
    }

    entry->locked = (rs_zip_u16(p + 8) & RS_ZIP_ENCRYPTED) != 0;
    entry->method = rs_zip_u16(p + 10);
    packed = rs_zip_u32(p + 20);
    entry->unpacked = rs_zip_u32(p + 24);
    entry->name.data = p + RS_ZIP_CENTRAL;
    entry->name.len = rs_zip_u16(p + 28);
    entry->offset = rs_zip_u32(p + 42);

    zip->at += len;
    zip->left--;

    if (!rs_zip_name(entry->name)
        || (entry->method != RS_ZIP_STORED
            && entry->method != RS_ZIP_DEFLATED)
        || (entry->method == RS_ZIP_STORED && !entry->locked
            && packed != entry->unpacked)
        || entry->unpacked / RS_ZIP_DEFLATE > packed + 1)
    {
        return RS_E_INVALID_VALUE;
    }

    return rs_zip_local(zip, entry, packed);
}


/* 4.3.7; the sizes in there may be unknown yet, when it was written */

static rs_err_e
rs_zip_local(rs_zip_t *zip, rs_zip_entry_t *entry, size_t packed)
{
    size_t          head, room;
    const uint8_t  *p;

    if (entry->offset > zip->files
        || zip->files - entry->offset < RS_ZIP_LOCAL)
    {
        return RS_E_INVALID_VALUE;
    }

    room = zip->files - entry->offset;
    p = zip->bytes.data + entry->offset;
    head = (size_t) RS_ZIP_LOCAL + rs_zip_u16(p + 26) + rs_zip_u16(p + 28);

    if (memcmp(p, "PK\3\4", 4) != 0 || head > room || packed > room - head
        || rs_zip_u16(p + 8) != entry->method
        || !rs_str_eq((rs_str_t) { p + RS_ZIP_LOCAL, rs_zip_u16(p + 26) },
                      entry->name))
    {
        return RS_E_INVALID_VALUE;
    }

    /* bytes that many entries share are how a small file gets large */

    if (head + packed > zip->files - zip->taken) {
        return RS_E_INVALID_VALUE;
    }

    zip->taken += head + packed;
    entry->data.data = p + head;
    entry->data.len = packed;

    return RS_OK;
}


/* relative, and nothing of it leads up */

static int
rs_zip_name(rs_str_t name)
{
    size_t    i;
    rs_str_t  part, rest;

    if (name.len == 0 || name.data[0] == '/') {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < ' ' || name.data[i] == '\\') {
            return 0;
        }
    }

    rest = name;

    while (rest.len != 0) {
        (void) rs_str_split(rest, '/', &part, &rest);

        if (rs_str_eq(part, RS_STR(".."))) {
            return 0;
        }
    }

    return 1;
}
