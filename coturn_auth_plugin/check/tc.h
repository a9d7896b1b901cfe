
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-turn-check: what its parts share.  Arrows point down:
 *
 *     main -> tc_check, tc_denied, tc_load, tc_report -> tc_pair -> tc_srtp
 *          -> tc_options                                         -> tc_turn
 *     tc_turn -> tc_io -> libevent, OpenSSL       tc_stat
 *
 * One thread, one event loop; a client of any of these may be freed in its
 * own callback.
 */


#ifndef _TC_H_INCLUDED_
#define _TC_H_INCLUDED_


#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "rs_stun.h"


#define TC_USERNAME_MAX     512
#define TC_PASSWORD_MAX     256
#define TC_HOST_MAX         256
#define TC_URI_MAX          512
#define TC_TEXT_MAX         256
#define TC_ADDR_TEXT        64        /* "[v6]:port" */


/* monitoring's exit codes, in the order of gravity but for the last */

typedef enum {
    TC_LEVEL_OK = 0,
    TC_LEVEL_WARNING,
    TC_LEVEL_CRITICAL,
    TC_LEVEL_UNKNOWN
} tc_level_e;


typedef enum {
    TC_UDP = 0,
    TC_TCP,
    TC_TLS,
    TC_TRANSPORTS
} tc_transport_e;


typedef struct {
    char             username[TC_USERNAME_MAX + 1];
    char             password[TC_PASSWORD_MAX + 1];
} tc_cred_t;


typedef struct {
    char             uri[TC_URI_MAX + 1];
    char             host[TC_HOST_MAX];        /* IPv6: without brackets */
    unsigned         port;
    tc_transport_e   transport;

    const tc_cred_t *creds;                    /* taken in turn */
    unsigned         ncreds;

    struct sockaddr_storage  addr;
    socklen_t        addrlen;                  /* 0: not looked up yet */
} tc_server_t;


/* what went wrong; step is NULL while nothing has */

typedef struct {
    const char      *step;            /* "connect", "allocate", ... */
    unsigned         code;            /* of STUN; 0: it was not an answer */
    char             text[TC_TEXT_MAX];  /* printable */
} tc_error_t;


typedef struct {
    int              known;
    time_t           not_after;       /* the first of the chain that ends */
    char             subject[TC_TEXT_MAX];
    char             problem[TC_TEXT_MAX];     /* empty: it verifies */
} tc_cert_t;


typedef struct {
    struct event_base  *base;
    SSL_CTX         *tls;
    int              insecure;        /* certificates need not verify */
    const char      *tls_name;        /* instead of the URI's host */
    const char      *realm;           /* NULL: any */
    unsigned         timeout_ms;      /* of a connect, and of an answer */
    unsigned         relay_family;    /* RS_STUN_FAMILY_*; 0: the server's */

    int              progress;        /* told on stderr each second */
    int              stopped;         /* a signal came */
    void           (*stop)(void *ctx);  /* ends what runs; NULL: nothing */
    void            *stop_ctx;
} tc_env_t;


static inline uint64_t
tc_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static inline struct timeval
tc_timeval(uint64_t us)
{
    struct timeval  tv;

    tv.tv_sec = (time_t) (us / 1000000);
    tv.tv_usec = (suseconds_t) (us % 1000000);

    return tv;
}


/* sets what went wrong, unless something did before; text is made printable */

void tc_error_set(tc_error_t *e, const char *step, unsigned code,
    rs_str_t text);
void tc_error_text(tc_error_t *e, const char *step, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "a.b.c.d:port" or "[v6]:port"; dst: TC_ADDR_TEXT */
const char *tc_addr_text(char *dst, const rs_stun_addr_t *a);
/* an address as text, without port; 1 or 0 */
int tc_addr_parse(rs_stun_addr_t *a, const char *text);
int tc_addr_eq(const rs_stun_addr_t *a, const rs_stun_addr_t *b);
void tc_addr_of(rs_stun_addr_t *a, const struct sockaddr_storage *ss);

const char *tc_transport_name(tc_transport_e transport);


#endif /* _TC_H_INCLUDED_ */
