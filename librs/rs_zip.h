
/*
 * Copyright (C) rs-gateway contributors
 *
 * The central directory of a ZIP archive (APPNOTE.TXT, 4.3), read strictly
 * and without unpacking anything: what two programs could read differently is
 * refused.  No ZIP64, which no office document of a sane size needs.
 */


#ifndef _RS_ZIP_H_INCLUDED_
#define _RS_ZIP_H_INCLUDED_


#include "rs_err.h"


#define RS_ZIP_STORED     0
#define RS_ZIP_DEFLATED   8


typedef struct {
    rs_str_t         bytes;
    size_t           at;              /* of the next entry */
    size_t           end;             /* of the directory */
    size_t           files;           /* bytes before the directory */
    size_t           taken;           /* of those, by entries so far */
    unsigned         n;               /* entries */
    unsigned         left;
} rs_zip_t;


typedef struct {
    rs_str_t         name;
    rs_str_t         data;            /* as it is packed */
    unsigned         method;          /* RS_ZIP_STORED or RS_ZIP_DEFLATED */
    unsigned         locked;          /* encrypted */
    unsigned         offset;          /* of its header in the archive */
    uint64_t         unpacked;        /* bytes, it says */
} rs_zip_entry_t;


/* RS_OK or RS_E_INVALID_VALUE */
rs_err_e rs_zip_open(rs_str_t bytes, rs_zip_t *zip);

/*
 * RS_OK: *entry, inside of the archive's bytes; RS_AGAIN: there are no more;
 * RS_E_INVALID_VALUE.  Entries do not share bytes, names stay below the place
 * they are unpacked to, and sizes are none that deflating cannot give.
 */
rs_err_e rs_zip_next(rs_zip_t *zip, rs_zip_entry_t *entry);


#endif /* _RS_ZIP_H_INCLUDED_ */
