
/*
 * Copyright (C) rs-gateway contributors
 *
 * Heads of a tar archive (POSIX.1-1988, "ustar"): what a recording travels
 * in.  Regular files and directories with names of up to 100 bytes.
 */


#ifndef _RS_TAR_H_INCLUDED_
#define _RS_TAR_H_INCLUDED_


#include "rs_err.h"


#define RS_TAR_BLOCK        512
#define RS_TAR_NAME_MAX     100
#define RS_TAR_SIZE_MAX     077777777777ULL        /* 8 GiB - 1 of a file */
#define RS_TAR_END_LEN      (2 * RS_TAR_BLOCK)     /* zero bytes: the end */

/* bytes behind a file, up to the next head */
#define RS_TAR_PAD(size)                                                     \
    ((size_t) ((RS_TAR_BLOCK - (size) % RS_TAR_BLOCK) % RS_TAR_BLOCK))


typedef struct {
    rs_str_t    name;                  /* borrowed from the block */
    uint64_t    size;
    int         dir;                   /* 1: a directory, size 0 */
} rs_tar_entry_t;


/* RS_OK, or RS_E_INVALID_VALUE: such a name or size has no head */
rs_err_e rs_tar_head(uint8_t block[RS_TAR_BLOCK], rs_str_t name,
    uint64_t size, int dir, uint64_t mtime);

/*
 * RS_OK; RS_AGAIN: a block of zeros, which is the end; RS_E_INVALID_VALUE:
 * no head, or one of something else than a file or a directory.
 */
rs_err_e rs_tar_parse(const uint8_t block[RS_TAR_BLOCK],
    rs_tar_entry_t *entry);


#endif /* _RS_TAR_H_INCLUDED_ */
