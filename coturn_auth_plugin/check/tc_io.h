
/*
 * Copyright (C) rs-gateway contributors
 *
 * A connection to a TURN server over UDP, TCP or TLS: frames in and out.
 */


#ifndef _TC_IO_H_INCLUDED_
#define _TC_IO_H_INCLUDED_


#include "tc.h"


typedef struct tc_io_s  tc_io_t;


/*
 * None is called before tc_io_open() has returned, nor after tc_io_close();
 * after failed() none.  A frame's body is valid during the call.
 */

typedef struct {
    void (*ready)(void *ctx);
    void (*frame)(void *ctx, const rs_stun_frame_t *f);
    void (*failed)(void *ctx, const tc_error_t *e);
} tc_io_ops_t;


/* NULL: no memory, or no socket (*e says why) */
tc_io_t *tc_io_open(tc_env_t *env, const tc_server_t *server,
    const tc_io_ops_t *ops, void *ctx, tc_error_t *e);

/* may be called from its callbacks */
void tc_io_close(tc_io_t *io);

/*
 * One frame, already padded: head then body.  1: it was sent, or waits in a
 * stream's bounded buffer; 0: there is no room for it, or it failed.
 */
int tc_io_send(tc_io_t *io, rs_str_t head, rs_str_t body);

const tc_cert_t *tc_io_cert(const tc_io_t *io);

/* the context for all: NULL, and *e, if ca cannot be read (NULL: system's) */
SSL_CTX *tc_io_tls(const char *ca, tc_error_t *e);


#endif /* _TC_IO_H_INCLUDED_ */
