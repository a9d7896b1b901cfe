
/*
 * Copyright (C) rs-gateway contributors
 *
 * The pipe of the Chrome DevTools Protocol: JSON texts with a NUL behind
 * each, out of a browser that strangers' pages run in.
 */


#ifndef _RS_CDP_H_INCLUDED_
#define _RS_CDP_H_INCLUDED_


#include <jansson.h>

#include "rs_err.h"


#define RS_CDP_MESSAGE_MAX  (4 * 1024 * 1024)
#define RS_CDP_NAME_MAX     128       /* methods, sessions, targets, frames */


/* bytes of one that is not whole yet; memory is the caller's */

typedef struct {
    uint8_t         *data;
    size_t           len;
    size_t           size;
    size_t           taken;           /* at its front, by the last message */
    size_t           seen;            /* without a NUL */
    int              over;            /* up to the next one: left out */
} rs_cdp_buf_t;


void rs_cdp_buf_init(rs_cdp_buf_t *b, void *data, size_t size);

/*
 * Room for what is read next, behind what is there, never 0: of a message that
 * is larger than the buffer nothing is kept.  After it was read, *len counts
 * it.
 */
size_t rs_cdp_buf_room(rs_cdp_buf_t *b, uint8_t **at);
void rs_cdp_buf_add(rs_cdp_buf_t *b, size_t n);

/* 1: *message is the next one, valid until the next call; 0: more is needed */
int rs_cdp_buf_next(rs_cdp_buf_t *b, rs_str_t *message);


/*
 * An answer (id != 0) or an event (method).  Slices and values point into
 * root, which is the caller's to json_decref() on RS_OK.
 */

typedef struct {
    json_t          *root;
    uint64_t         id;
    rs_str_t         method;
    rs_str_t         session;         /* empty: the browser's */
    const json_t    *value;           /* result or params; NULL: none */
    rs_str_t         error;           /* its message */
    unsigned         failed:1;
} rs_cdp_msg_t;


/* RS_OK, RS_E_INVALID_JSON, RS_E_INVALID_VALUE: neither of both; or
   RS_E_INTERNAL */
rs_err_e rs_cdp_read(rs_str_t text, rs_cdp_msg_t *msg);


#endif /* _RS_CDP_H_INCLUDED_ */
