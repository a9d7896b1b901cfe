
/*
 * Copyright (C) rs-gateway contributors
 */


#include "rs_tar.h"

#include <string.h>


/* where the fields are, and how long */

#define RS_TAR_MODE         100, 8
#define RS_TAR_UID          108, 8
#define RS_TAR_GID          116, 8
#define RS_TAR_SIZE         124, 12
#define RS_TAR_MTIME        136, 12
#define RS_TAR_CHECKSUM     148
#define RS_TAR_CHECKSUM_LEN 8
#define RS_TAR_TYPE         156
#define RS_TAR_MAGIC        257
#define RS_TAR_PREFIX       345


static void rs_tar_octal(uint8_t *block, size_t at, size_t len, uint64_t v);
static int rs_tar_number(const uint8_t *block, size_t at, size_t len,
    uint64_t *v);
static unsigned rs_tar_sum(const uint8_t *block);


static void
rs_tar_octal(uint8_t *block, size_t at, size_t len, uint64_t v)
{
    size_t  i;

    for (i = len - 1; i > 0; i--) {
        block[at + i - 1] = (uint8_t) ('0' + (v & 7));
        v >>= 3;
    }

    block[at + len - 1] = 0;
}


/* digits, behind blanks, up to a blank, a NUL or the end */

static int
rs_tar_number(const uint8_t *block, size_t at, size_t len, uint64_t *v)
{
    size_t  i, digits;

    *v = 0;
    digits = 0;

    for (i = 0; i < len && block[at + i] == ' '; i++) { /* void */ }

    for ( /* void */ ; i < len; i++) {
        if (block[at + i] < '0' || block[at + i] > '7') {
            break;
        }

        *v = *v << 3 | (block[at + i] - (unsigned) '0');
        digits++;
    }

    for ( /* void */ ; i < len; i++) {
        if (block[at + i] != ' ' && block[at + i] != 0) {
            return 0;
        }
    }

    return digits > 0;
}


/* the checksum itself counts as blanks */

static unsigned
rs_tar_sum(const uint8_t *block)
{
    size_t    i;
    unsigned  sum;

    sum = 0;

    for (i = 0; i < RS_TAR_BLOCK; i++) {
        sum += (i - RS_TAR_CHECKSUM < RS_TAR_CHECKSUM_LEN) ? ' ' : block[i];
    }

    return sum;
}


rs_err_e
rs_tar_head(uint8_t block[RS_TAR_BLOCK], rs_str_t name, uint64_t size,
    int dir, uint64_t mtime)
{
    if (name.len == 0 || name.len > RS_TAR_NAME_MAX || size > RS_TAR_SIZE_MAX
        || mtime > RS_TAR_SIZE_MAX || (dir && size != 0)
        || memchr(name.data, 0, name.len) != NULL)
    {
        return RS_E_INVALID_VALUE;
    }

    memset(block, 0, RS_TAR_BLOCK);
    memcpy(block, name.data, name.len);

    rs_tar_octal(block, RS_TAR_MODE, dir ? 0700 : 0600);
    rs_tar_octal(block, RS_TAR_UID, 0);
    rs_tar_octal(block, RS_TAR_GID, 0);
    rs_tar_octal(block, RS_TAR_SIZE, size);
    rs_tar_octal(block, RS_TAR_MTIME, mtime);
    block[RS_TAR_TYPE] = dir ? '5' : '0';
    memcpy(block + RS_TAR_MAGIC, "ustar\0" "00", 8);

    rs_tar_octal(block, RS_TAR_CHECKSUM, 7, rs_tar_sum(block));
    block[RS_TAR_CHECKSUM + 7] = ' ';

    return RS_OK;
}


rs_err_e
rs_tar_parse(const uint8_t block[RS_TAR_BLOCK], rs_tar_entry_t *entry)
{
    uint64_t              sum;
    const uint8_t        *end;
    static const uint8_t  zero[RS_TAR_BLOCK];

    if (memcmp(block, zero, RS_TAR_BLOCK) == 0) {
        return RS_AGAIN;
    }

    if (!rs_tar_number(block, RS_TAR_CHECKSUM, RS_TAR_CHECKSUM_LEN, &sum)
        || sum != rs_tar_sum(block)
        || !rs_tar_number(block, RS_TAR_SIZE, &entry->size)
        || entry->size > RS_TAR_SIZE_MAX
        || memcmp(block + RS_TAR_MAGIC, "ustar", 5) != 0
        || block[RS_TAR_PREFIX] != 0)
    {
        return RS_E_INVALID_VALUE;
    }

    end = memchr(block, 0, RS_TAR_NAME_MAX);
    entry->name.data = block;
    entry->name.len = (end != NULL) ? (size_t) (end - block)
                                    : RS_TAR_NAME_MAX;

    if (block[RS_TAR_TYPE] == '5') {
        entry->dir = 1;

    } else if (block[RS_TAR_TYPE] == '0' || block[RS_TAR_TYPE] == 0) {
        entry->dir = 0;

    } else {
        return RS_E_INVALID_VALUE;
    }

    return (entry->name.len > 0 && !(entry->dir && entry->size != 0))
           ? RS_OK : RS_E_INVALID_VALUE;
}
