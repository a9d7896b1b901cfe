
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where a device lets a tunnel lead: its rules, what is asked for, and the
 * address that was found for it.  A rule never opens what is never open.
 */


#ifndef _RS_TARGET_H_INCLUDED_
#define _RS_TARGET_H_INCLUDED_


#include "rs_ip.h"


#define RS_TARGET_NAME_MAX     253


/*
 * HOST:PORT[-PORT][/udp] with HOST a name, "*.suffix" for all names below it,
 * an address, ADDRESS/BITS; IPv6 stands in brackets, with its bits in there.
 */

typedef struct {
    rs_str_t         name;            /* of the rule's text; none: a range */
    unsigned         below:1;         /* names below it, not itself */
    unsigned         udp:1;
    rs_ip_range_t    range;
    unsigned         first;           /* ports */
    unsigned         last;
} rs_target_rule_t;


/* RS_OK or RS_E_INVALID_VALUE; name points into s */
rs_err_e rs_target_rule_parse(rs_str_t s, rs_target_rule_t *rule);


typedef struct {
    rs_str_t         name;            /* without a dot at its end; none: ip */
    rs_ip_t          ip;
    unsigned         port;
    unsigned         udp;
} rs_target_t;


/*
 * host: a name, or an address, IPv6 with or without brackets.  RS_OK or
 * RS_E_INVALID_VALUE: neither, or port 0, or a name that resolvers take for
 * an address (127.1, 0x7f000001).  name points into host.
 */
rs_err_e rs_target_parse(rs_str_t host, unsigned port, unsigned udp,
    rs_target_t *target);


typedef enum {
    RS_TARGET_ALLOWED = 0,
    RS_TARGET_UNLISTED,
    RS_TARGET_NEVER,                  /* whatever is listed */
    RS_TARGET_SELF                    /* a name that leads to this device */
} rs_target_e;


/* 1: some address might be allowed, so it is worth a look-up */
int rs_target_hopeful(const rs_target_rule_t *rules, size_t n,
    const rs_target_t *target);

/* the IPv4 address inside of ip (mapped, NAT64), or else ip itself */
void rs_target_unwrap(const rs_ip_t *ip, rs_ip_t *inner);

/*
 * The address that was found for target (of an address: itself).  Rules of
 * addresses allow what is in them; rules of names allow any address but those
 * of this device, own says whether it is one of them, wrapped or not (loopback
 * is known here).  IPv4 inside of IPv6 (mapped, NAT64) counts as what it is.
 */
rs_target_e rs_target_check(const rs_target_rule_t *rules, size_t n,
    const rs_target_t *target, const rs_ip_t *found, int own);

/* for people: "is not listed" */
const char *rs_target_why(rs_target_e verdict);


#endif /* _RS_TARGET_H_INCLUDED_ */
