
/*
 * Copyright (C) rs-gateway contributors
 *
 * A listener for GET requests of monitoring, on loopback.  One request a
 * connection; at most TURN_HTTP_CONNECTIONS of them, each for at most
 * TURN_HTTP_TIME: whoever can open sockets on this host must not be able to
 * take the descriptors that coturn's connections need.
 */


#ifndef _TURN_HTTP_H_INCLUDED_
#define _TURN_HTTP_H_INCLUDED_


#include <event2/buffer.h>
#include <event2/event.h>

#include "turn_conf.h"


#define TURN_HTTP_CONNECTIONS  16
#define TURN_HTTP_TIME         5      /* s */
#define TURN_HTTP_HEAD         4096   /* bytes of a request */


typedef struct turn_http_s  turn_http_t;


/*
 * What there is: path is of the request, without its query.  1: body was
 * written, of the given type; 0: there is nothing of this name.
 */
typedef int (*turn_http_get_pt)(void *data, rs_str_t path,
    struct evbuffer *body, const char **type);


/* NULL: error[TURN_CONF_ERROR_MAX] says why */
turn_http_t *turn_http_create(struct event_base *base,
    const turn_conf_addr_t *addr, turn_http_get_pt get, void *data,
    char *error);
void turn_http_free(turn_http_t *http);


#endif /* _TURN_HTTP_H_INCLUDED_ */
