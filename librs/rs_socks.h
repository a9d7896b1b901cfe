
/*
 * Copyright (C) rs-gateway contributors
 *
 * SOCKS version 5 as its server reads and answers it (RFC 1928), without
 * authentication.  Who asks is not trusted: a browser that may have been
 * taken over.
 */


#ifndef _RS_SOCKS_H_INCLUDED_
#define _RS_SOCKS_H_INCLUDED_


#include "rs_ip.h"


#define RS_SOCKS_METHOD_LEN    2
#define RS_SOCKS_REPLY_LEN     10
/* the longest that may have to be kept before it is understood */
#define RS_SOCKS_GREETING_MAX  (2 + 255)
#define RS_SOCKS_REQUEST_MAX   (4 + 1 + 255 + 2)
#define RS_SOCKS_HOST_MAX      255


#define RS_SOCKS_CONNECT       1


/* RFC 1928, 6 */

typedef enum {
    RS_SOCKS_DONE = 0,
    RS_SOCKS_FAILURE = 1,
    RS_SOCKS_DENIED = 2,
    RS_SOCKS_NET_UNREACHABLE = 3,
    RS_SOCKS_HOST_UNREACHABLE = 4,
    RS_SOCKS_CONNECTION_REFUSED = 5,
    RS_SOCKS_COMMAND = 7,             /* not supported */
    RS_SOCKS_ADDRESS = 8              /* type not supported */
} rs_socks_reply_e;


typedef struct {
    unsigned         command;         /* RS_SOCKS_CONNECT or another */
    unsigned         known;           /* 0: address of another type */
    unsigned         port;
    size_t           len;             /* of host */
    char             host[RS_SOCKS_HOST_MAX];
                                      /* an address as text, or what is said
                                         to be a name: any bytes */
} rs_socks_request_t;


/*
 * RS_OK: *used bytes were the greeting, and *none says whether it offers to
 * go without authentication; RS_AGAIN: need bytes; RS_E_INVALID_VALUE: this
 * is no SOCKS 5.
 */
rs_err_e rs_socks_greeting(rs_str_t s, size_t *used, int *none);

/*
 * The same for the request; it is RS_OK, too, where the command is another or
 * known is 0, which want RS_SOCKS_COMMAND and RS_SOCKS_ADDRESS as an answer.
 */
rs_err_e rs_socks_request(rs_str_t s, size_t *used,
    rs_socks_request_t *request);

/* the answer to a greeting; none: go on without authentication */
void rs_socks_method(uint8_t dst[RS_SOCKS_METHOD_LEN], int none);

/* the answer to a request; it does not tell which address was bound */
void rs_socks_reply(uint8_t dst[RS_SOCKS_REPLY_LEN], rs_socks_reply_e reply);


#endif /* _RS_SOCKS_H_INCLUDED_ */
