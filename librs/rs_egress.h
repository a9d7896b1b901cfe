
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a rendered browser may reach: by default the internet and nothing
 * else, neither this machine nor what is near it.  Asked twice: with the name
 * before it is looked up, and with each address that comes of it.
 */


#ifndef _RS_EGRESS_H_INCLUDED_
#define _RS_EGRESS_H_INCLUDED_


#include "rs_target.h"


#define RS_EGRESS_RULES_MAX    128      /* of allow, deny each */
#define RS_EGRESS_PORTS_MAX    16
#define RS_EGRESS_TEXT_MAX     288      /* bytes of a rule */


typedef struct {
    rs_target_rule_t  rule;             /* points into text */
    int               ports;            /* it says some */
    char              text[RS_EGRESS_TEXT_MAX];
} rs_egress_rule_t;


typedef struct {
    unsigned          first;
    unsigned          last;
} rs_egress_ports_t;


/* not to be copied by assignment: rules point into it */

typedef struct {
    int               listed;           /* nothing but what allow says */
    unsigned          nports;           /* 0: 80, 443, 1024-65535 */
    unsigned          nallow;
    unsigned          ndeny;
    rs_egress_ports_t ports[RS_EGRESS_PORTS_MAX];
    rs_egress_rule_t  allow[RS_EGRESS_RULES_MAX];
    rs_egress_rule_t  deny[RS_EGRESS_RULES_MAX];
} rs_egress_t;


typedef enum {
    RS_EGRESS_ALLOWED = 0,
    RS_EGRESS_DENIED,                   /* by deny */
    RS_EGRESS_UNLISTED,                 /* only what is listed may be reached */
    RS_EGRESS_PORT,
    RS_EGRESS_PRIVATE,                  /* no address of the internet */
    RS_EGRESS_SELF,                     /* this machine */
    RS_EGRESS_NEVER,                    /* link-local, metadata, multicast */
    RS_EGRESS_INVALID                   /* neither a name nor an address */
} rs_egress_e;


void rs_egress_init(rs_egress_t *egress);

/*
 * One line of configuration; allow, deny and ports take several, with blanks
 * or commas between them, and add to what is there:
 *
 *   mode    public | listed
 *   allow   HOST[:PORT[-PORT]]: a name, *.suffix, an address, ADDRESS/BITS;
 *           IPv6 in brackets.  Without ports: those of ports.  Opens what is
 *           not of the internet, too; this machine only as a single address.
 *   deny    HOST[:PORT[-PORT]]; without ports: all of them.  Wins.
 *   ports   PORT[-PORT] of what is public
 *
 * RS_OK; RS_E_UNKNOWN_FIELD: no key of these; RS_E_INVALID_VALUE or
 * RS_E_LIMIT_REACHED with *cure set: what to write instead (a constant).
 */
rs_err_e rs_egress_add(rs_egress_t *egress, rs_str_t key, rs_str_t value,
    const char **cure);

/* before the look-up: RS_EGRESS_ALLOWED says it is worth one */
rs_egress_e rs_egress_hopeful(const rs_egress_t *egress,
    const rs_target_t *target);

/*
 * The address that was found for target (of an address: itself).  own: it is
 * one of this machine's, wrapped or not (loopback is known here).  IPv4 inside
 * of IPv6 counts as what it is.
 */
rs_egress_e rs_egress_check(const rs_egress_t *egress,
    const rs_target_t *target, const rs_ip_t *found, int own);

/* "denied": for logs and metrics */
const char *rs_egress_code(rs_egress_e verdict);

/* for people: "is on this machine" */
const char *rs_egress_why(rs_egress_e verdict);


#endif /* _RS_EGRESS_H_INCLUDED_ */
