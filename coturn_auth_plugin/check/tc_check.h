
/*
 * Copyright (C) rs-gateway contributors
 *
 * The check of one server by one transport.
 */


#ifndef _TC_CHECK_H_INCLUDED_
#define _TC_CHECK_H_INCLUDED_


#include "tc_options.h"
#include "tc_pair.h"


#define TC_NOTES_MAX    8


typedef struct {
    const tc_server_t   *server;
    const tc_server_t   *peer;        /* of the second allocation */
    tc_level_e           level;

    tc_error_t           error;
    unsigned             failed_end;
    const char          *hint;        /* NULL: none */

    int                  allocated[2];
    rs_stun_addr_t       relayed[2];
    rs_stun_addr_t       mapped[2];
    uint64_t             connect_us[2];
    uint64_t             allocate_us[2];
    tc_cert_t            cert[2];
    char                 realm[TC_TEXT_MAX];

    tc_counts_t          counts;
    double               loss;        /* percent */
    tc_stat_t            rtt;

    unsigned             nnotes;
    char                 notes[TC_NOTES_MAX][TC_TEXT_MAX];
} tc_result_t;


/* runs the loop until it is done; r is zeroed before */
void tc_check_run(tc_env_t *env, const tc_options_t *o, tc_server_t *server,
    tc_server_t *peer, tc_result_t *r);
void tc_result_free(tc_result_t *r);

/* what may help, or NULL */
const char *tc_hint(const tc_error_t *e, const tc_cred_t *cred, time_t now);

/* the graver one: critical before unknown before warning */
tc_level_e tc_level_worse(tc_level_e a, tc_level_e b);
const char *tc_level_name(tc_level_e level);

/* days until it ends, negative: it has ended */
double tc_cert_days(const tc_cert_t *c, time_t now);


#endif /* _TC_CHECK_H_INCLUDED_ */
