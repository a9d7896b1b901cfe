
/*
 * Copyright (C) rs-gateway contributors
 *
 * Archives as tests want them, true or not.
 */


#ifndef _RS_ZIP_MAKE_H_INCLUDED_
#define _RS_ZIP_MAKE_H_INCLUDED_


#include <stdint.h>
#include <string.h>


#define ZIP_MAKE_FILES  8192


typedef struct {
    uint8_t    bytes[4 * 1024 * 1024];
    size_t     len;
    unsigned   n;
    size_t     directory;             /* 0: not yet */

    struct {
        const char  *name;
        unsigned     method;
        size_t       packed;
        size_t       unpacked;
        size_t       at;
    }          file[ZIP_MAKE_FILES];
} zip_make_t;


static void
zip_make_le(uint8_t *p, size_t v, unsigned n)
{
    for ( ; n > 0; n--) {
        *p++ = (uint8_t) v;
        v >>= 8;
    }
}


static void
zip_make_init(zip_make_t *z)
{
    z->len = 0;
    z->n = 0;
    z->directory = 0;
}


static void
zip_make_add(zip_make_t *z, const char *name, unsigned method,
    const void *data, size_t packed, size_t unpacked)
{
    size_t    len;
    uint8_t  *p;

    len = strlen(name);
    p = z->bytes + z->len;

    z->file[z->n].name = name;
    z->file[z->n].method = method;
    z->file[z->n].packed = packed;
    z->file[z->n].unpacked = unpacked;
    z->file[z->n].at = z->len;
    z->n++;

    memset(p, 0, 30);
    memcpy(p, "PK\3\4", 4);
    zip_make_le(p + 8, method, 2);
    zip_make_le(p + 18, packed, 4);
    zip_make_le(p + 22, unpacked, 4);
    zip_make_le(p + 26, len, 2);
    memcpy(p + 30, name, len);
    memcpy(p + 30 + len, data, packed);
    z->len += 30 + len + packed;
}


/* one more entry for the file i */

__attribute__((unused))
static void
zip_make_again(zip_make_t *z, unsigned i)
{
    z->file[z->n] = z->file[i];
    z->n++;
}


__attribute__((unused))
static size_t
zip_make_directory(const zip_make_t *z)
{
    return z->directory;
}


static void
zip_make_end(zip_make_t *z)
{
    size_t     len;
    uint8_t   *p;
    unsigned   i;

    z->directory = z->len;

    for (i = 0; i < z->n; i++) {
        p = z->bytes + z->len;
        len = strlen(z->file[i].name);

        memset(p, 0, 46);
        memcpy(p, "PK\1\2", 4);
        zip_make_le(p + 10, z->file[i].method, 2);
        zip_make_le(p + 20, z->file[i].packed, 4);
        zip_make_le(p + 24, z->file[i].unpacked, 4);
        zip_make_le(p + 28, len, 2);
        zip_make_le(p + 42, z->file[i].at, 4);
        memcpy(p + 46, z->file[i].name, len);
        z->len += 46 + len;
    }

    p = z->bytes + z->len;
    memset(p, 0, 22);
    memcpy(p, "PK\5\6", 4);
    zip_make_le(p + 8, z->n, 2);
    zip_make_le(p + 10, z->n, 2);
    zip_make_le(p + 12, z->len - z->directory, 4);
    zip_make_le(p + 16, z->directory, 4);
    z->len += 22;
}


#endif /* _RS_ZIP_MAKE_H_INCLUDED_ */
