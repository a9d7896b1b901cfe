
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a viewer says over the data channel rs-files: docs/protocol/peer.md,
 * "Files".  Messages, the head of a piece of a file, and which names a file
 * may have.
 */


#ifndef _RS_FILE_H_INCLUDED_
#define _RS_FILE_H_INCLUDED_


#include "rs_json.h"


#define RS_FILE_MESSAGE_MAX  4096          /* bytes of JSON */
#define RS_FILE_NAME_MAX     240           /* bytes: " (99)" fits behind */
#define RS_FILE_KEY_LEN      32            /* hexadecimal digits */
#define RS_FILE_DIGEST_LEN   32            /* SHA-256 */
#define RS_FILE_SIZE_MAX     0x1fffffffffffffLL    /* exact in JavaScript */
#define RS_FILE_ID_MAX       0x7fffffffLL

#define RS_FILE_HEAD_LEN     12            /* id, offset: big endian */
#define RS_FILE_PIECE_MAX    16384         /* bytes behind the head */
#define RS_FILE_WINDOW       (1024 * 1024) /* bytes not yet acknowledged */


typedef enum {
    RS_FILE_LIST = 0,
    RS_FILE_PUT,
    RS_FILE_GET,
    RS_FILE_END,
    RS_FILE_ACK,
    RS_FILE_CANCEL
} rs_file_type_e;


/* a member is set only where the message of that type has it */

typedef struct {
    rs_file_type_e  type;
    int64_t         id;                    /* of the transfer or the list */
    rs_str_t        name;                  /* put, get; list: after this one,
                                              "" from the first on */
    rs_str_t        key;                   /* put */
    int64_t         size;                  /* put */
    int64_t         mtime;                 /* put; seconds of 1970, 0: none */
    int64_t         offset;                /* get, ack */
    int             digest;                /* 1: there is one */
    uint8_t         sha256[RS_FILE_DIGEST_LEN];    /* end; get */
    int             anew;                  /* put: what is there is not it */
    int             keep;                  /* cancel: to go on later */
} rs_file_msg_t;


typedef struct {
    uint32_t        id;
    uint64_t        offset;
    const uint8_t  *data;                  /* borrowed */
    size_t          len;                   /* from 1 */
} rs_file_piece_t;


/*
 * RS_OK: *obj is the caller's to json_decref(), *msg borrows from it.
 * RS_E_UNKNOWN_TYPE: of a later version, to be ignored.  RS_E_INTERNAL: no
 * memory.  Anything else: no message of this channel; err says why and where.
 */
rs_err_e rs_file_parse(const void *data, size_t len, json_t **obj,
    rs_file_msg_t *msg, rs_json_error_t *err);

/* RS_OK, or RS_E_INVALID_VALUE: no piece. */
rs_err_e rs_file_piece(const void *data, size_t len, rs_file_piece_t *piece);
void rs_file_head(uint8_t dst[RS_FILE_HEAD_LEN], uint32_t id,
    uint64_t offset);

/*
 * RS_OK: one part of a path, and one that people can read: printable
 * (rs_utf8.h), without slash or backslash, not hidden (which "." and ".."
 * are), without a blank at either end.
 */
rs_err_e rs_file_check_name(rs_str_t s);

/*
 * The same name with a number before its ending, "a (2).tar.gz"; dst:
 * RS_FILE_NAME_MAX + 8.  n from 1 to 99.  The length; no NUL is added.
 */
size_t rs_file_numbered(uint8_t *dst, rs_str_t name, unsigned n);

/* the digest as 64 digits; no NUL is added */
void rs_file_hex(char dst[2 * RS_FILE_DIGEST_LEN],
    const uint8_t sha256[RS_FILE_DIGEST_LEN]);


#endif /* _RS_FILE_H_INCLUDED_ */
