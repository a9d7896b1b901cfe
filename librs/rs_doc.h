
/*
 * Copyright (C) rs-gateway contributors
 *
 * What kind of document some bytes are, whatever they are called, and whether
 * they are worth opening: nothing is unpacked or decoded here, so what only
 * claims to be small is found before it could get large.
 */


#ifndef _RS_DOC_H_INCLUDED_
#define _RS_DOC_H_INCLUDED_


#include "rs_err.h"


#define RS_DOC_PIXELS_MAX    100000000
#define RS_DOC_SIDE_MAX      30000
#define RS_DOC_ENTRIES_MAX   4096
#define RS_DOC_UNPACKED_MAX  (256u * 1024 * 1024)
#define RS_DOC_NESTED_MAX    16       /* documents in a document */
/* what unpacks to more than RATIO times the file is a bomb, from SMALL on */
#define RS_DOC_RATIO_MAX     100
#define RS_DOC_SMALL         (16u * 1024 * 1024)


typedef enum {
    RS_DOC_UNKNOWN = 0,
    RS_DOC_PDF,
    RS_DOC_PNG,
    RS_DOC_JPEG,
    RS_DOC_GIF,
    RS_DOC_WEBP,
    RS_DOC_DOCX,
    RS_DOC_XLSX,
    RS_DOC_PPTX,
    RS_DOC_ODT,
    RS_DOC_ODS,
    RS_DOC_ODP,
    RS_DOC_DOC,
    RS_DOC_XLS,
    RS_DOC_PPT,

    RS_DOC_TYPES
} rs_doc_type_e;


typedef enum {
    RS_DOC_FINE = 0,
    RS_DOC_REFUSED,                   /* none of these types */
    RS_DOC_BROKEN,                    /* of one of them, but not whole */
    RS_DOC_LOCKED,                    /* encrypted */
    RS_DOC_BOMB
} rs_doc_e;


typedef struct {
    rs_doc_type_e    type;
    const char      *is;              /* for people: "a ZIP archive" */
    const char      *why;             /* not fine: a constant, goes on from
                                         "the document" */
    unsigned         width;           /* of an image */
    unsigned         height;
    unsigned         entries;         /* of an archive */
    uint64_t         unpacked;        /* bytes, of all of them */
} rs_doc_t;


rs_doc_e rs_doc_read(rs_str_t bytes, rs_doc_t *doc);

/*
 * The type that a file name claims: 1 and *type, which is RS_DOC_UNKNOWN for
 * an extension of another kind; 0: it claims none.
 */
int rs_doc_named(rs_str_t name, rs_doc_type_e *type);

/* ".docx" without its dot, "image/png", "a PDF" */
const char *rs_doc_extension(rs_doc_type_e type);
const char *rs_doc_media(rs_doc_type_e type);
const char *rs_doc_is(rs_doc_type_e type);

/* 1: a browser shows it as it is; else it has to be made a PDF */
int rs_doc_image(rs_doc_type_e type);
int rs_doc_office(rs_doc_type_e type);


#endif /* _RS_DOC_H_INCLUDED_ */
