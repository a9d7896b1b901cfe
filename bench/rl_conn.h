
/*
 * Copyright (C) rs-gateway contributors
 *
 * One client connection: TCP, TLS where the target has it, a bounded output
 * buffer.  What is put is written once, at the end of the event round.
 *
 * The connection lives in its owner.  It is closed when on_close runs, so the
 * owner may open it anew there; on_close never runs for rl_conn_close().
 */


#ifndef _RL_CONN_H_INCLUDED_
#define _RL_CONN_H_INCLUDED_


#include <openssl/ssl.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "rl_loop.h"


#define RL_CONN_OUT_MAX        (4 * 1024 * 1024)
#define RL_CONN_TARGETS        8
#define RL_CONN_SOURCES        64


/* where to, and from where; set up once */

typedef struct {
    char                     text[256];     /* the URL as it was given */
    char                     host[128];     /* name or address, no brackets */
    char                     authority[160];  /* the Host header */
    char                     base[128];     /* path without final slash */
    int                      tls;
    struct sockaddr_storage  addr;
    socklen_t                len;
} rl_target_t;


typedef struct {
    rl_target_t              targets[RL_CONN_TARGETS];
    size_t                   n;
    struct in_addr           sources[RL_CONN_SOURCES];
    size_t                   nsources;
    SSL_CTX                 *ssl;

    size_t                   next_target;
    size_t                   next_source;

    /* connects that came to nothing */
    uint64_t                 refused;       /* ECONNREFUSED */
    uint64_t                 failed;        /* any other way, TLS included */
} rl_net_t;


/*
 * Parses and resolves http(s)://host[:port][/base].  Other addresses than
 * this machine's own are refused, but for any != 0.  0, or -1 with a sentence
 * in err.
 */
int rl_net_add(rl_net_t *net, const char *url, int any, char *err,
    size_t size);
/* "127.0.0.2,127.0.0.3" or a number of addresses from 127.0.0.2 up */
int rl_net_sources(rl_net_t *net, const char *text, char *err, size_t size);
/* ca: file, NULL: the system's store */
int rl_net_tls(rl_net_t *net, const char *ca, char *err, size_t size);
void rl_net_done(rl_net_t *net);


typedef enum {
    RL_CONN_CLOSED = 0,
    RL_CONN_CONNECTING,
    RL_CONN_TLS,
    RL_CONN_OPEN
} rl_conn_state_e;


typedef struct rl_conn_s  rl_conn_t;

struct rl_conn_s {
    rl_watch_t          watch;
    rl_conn_state_e     state;
    SSL                *ssl;
    rl_net_t           *net;
    const rl_target_t  *target;
    uint64_t            opened;       /* how many times */
    uint32_t            events;

    uint8_t            *out;
    size_t              out_pos;
    size_t              out_len;
    size_t              out_size;

    unsigned            dirty:1;
    unsigned            broken:1;     /* found while writing */
    rl_conn_t          *next_dirty;

    rl_timer_t          deadline;     /* of the connect */

    void               *data;
    void              (*on_open)(void *data);
    void              (*on_data)(void *data, uint8_t *p, size_t len);
    void              (*on_close)(void *data, const char *why);
};


/* takes the next target and source; what fails at once is told later */
void rl_conn_open(rl_conn_t *c, rl_net_t *net, uint64_t timeout);
void rl_conn_close(rl_conn_t *c);
/* closes and frees its memory */
void rl_conn_destroy(rl_conn_t *c);

/* room for len bytes, to be filled at once; NULL: too much is waiting */
uint8_t *rl_conn_put(rl_conn_t *c, size_t len);

/* writes what all connections hold; the hook of rl_loop_on_round() */
void rl_conn_flush_all(void *data);


#endif /* _RL_CONN_H_INCLUDED_ */
