
/*
 * Copyright (C) rs-gateway contributors
 *
 * The command line, and the files it names.
 */


#ifndef _TC_OPTIONS_H_INCLUDED_
#define _TC_OPTIONS_H_INCLUDED_


#include "tc.h"


#define TC_SERVERS_MAX   64
#define TC_ALLOWED_MAX   256


typedef struct {
    rs_stun_addr_t   addr;
    unsigned         bits;
} tc_cidr_t;


/* servers of one side, and the credentials they share or not */

typedef struct {
    const char      *credentials;     /* file; NULL: none */
    const char      *ice;
    tc_server_t     *server;
    unsigned         n;
    tc_cred_t       *creds;           /* all of them */
    unsigned         ncreds;
} tc_side_t;


typedef struct {
    tc_side_t        here;
    tc_side_t        peer;            /* n = 0: the same */

    unsigned         transports;      /* bits 1 << TC_*; 0: as offered */
    int              family;          /* to the server: AF_* */
    unsigned         relay_family;
    const char      *ca;
    const char      *tls_name;
    const char      *realm;
    int              insecure;
    unsigned         timeout_ms;

    int              relay;           /* 0: --no-relay */
    uint64_t         count;           /* packets */
    double           rate;            /* packets/s, of each pair */
    size_t           size;            /* of a payload, bytes */
    double           seconds;         /* 0: count says */

    double           warn_loss;       /* percent */
    double           crit_loss;
    double           warn_rtt_ms;     /* 0: never */
    double           warn_allocate_ms;
    unsigned         warn_days;

    int              denied;
    tc_cidr_t        allowed[TC_ALLOWED_MAX];
    unsigned         nallowed;

    unsigned         load;            /* allocations; 0: no load */
    unsigned         parallel;

    int              json;
    int              progress;        /* -1: on a terminal */
} tc_options_t;


/*
 * 1: go on; 0: all is said, with status *status.  What is wrong is told on
 * stderr, with its cure.
 */
int tc_options_parse(tc_options_t *o, int argc, char **argv, int *status);
/* reads files and URIs: 1, or 0 and e */
int tc_options_load(tc_options_t *o, tc_error_t *e);
void tc_options_free(tc_options_t *o);

/* looks a server up: 1, or 0 and e */
int tc_server_resolve(tc_server_t *s, int family, tc_error_t *e);

int tc_cidr_has(const tc_cidr_t *c, const rs_stun_addr_t *a);


#endif /* _TC_OPTIONS_H_INCLUDED_ */
