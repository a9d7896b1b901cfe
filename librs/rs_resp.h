
/*
 * Copyright (C) rs-gateway contributors
 *
 * Requests of the Redis protocol (RESP2) as a server reads them: an array of
 * bulk strings, in pieces of any size.  The parser has its own room, so what
 * a client says never makes anything allocate.
 *
 *     *2\r\n $3\r\n get\r\n $5\r\n hello\r\n
 *
 * A request above RS_RESP_ARGS_MAX or RS_RESP_BYTES_MAX is read to its end,
 * not kept, and told apart (RS_RESP_TOO_LARGE): the connection goes on with
 * the next one.  One that could last for ever (RS_RESP_SKIP_*) is an error, as
 * is everything that is not of this form; inline commands are not taken.
 */


#ifndef _RS_RESP_H_INCLUDED_
#define _RS_RESP_H_INCLUDED_


#include "rs_str.h"


#define RS_RESP_ARGS_MAX       8      /* of a request */
#define RS_RESP_BYTES_MAX      4096   /* of all of its arguments together */

/* above these even reading on makes no sense */
#define RS_RESP_SKIP_ARGS      1024
#define RS_RESP_SKIP_BYTES     65536  /* of one argument */


typedef enum {
    RS_RESP_AGAIN = 0,                /* all was used, more is needed */
    RS_RESP_REQUEST,                  /* argc and argv are set */
    RS_RESP_TOO_LARGE,                /* a whole request, argc is 0 */
    RS_RESP_ERROR                     /* close the connection */
} rs_resp_e;


typedef struct {
    size_t          argc;
    rs_str_t        argv[RS_RESP_ARGS_MAX];

    /* private */

    unsigned        state;
    uint64_t        number;           /* the one being read */
    unsigned        digits;
    uint64_t        args;             /* to come */
    uint64_t        bytes;            /* of this argument, to come */
    unsigned        too_large;
    size_t          used;             /* of room */
    uint8_t         room[RS_RESP_BYTES_MAX];
} rs_resp_t;


void rs_resp_init(rs_resp_t *r);

/*
 * Reads on; *used: how much of data was, at most to the end of one request.
 * argv stays until the next call.  After RS_RESP_ERROR every call is one.
 * A request without arguments ("*0\r\n") is passed over, as Redis does.
 */
rs_resp_e rs_resp_parse(rs_resp_t *r, const uint8_t *data, size_t len,
    size_t *used);


#endif /* _RS_RESP_H_INCLUDED_ */
