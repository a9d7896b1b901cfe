
/*
 * Copyright (C) rs-gateway contributors
 *
 * IP addresses, ranges and sets of them, as values: read strictly, put in
 * order, added and taken away.  What a peer policy is made of.
 */


#ifndef _RS_IP_H_INCLUDED_
#define _RS_IP_H_INCLUDED_


#include "rs_err.h"


#define RS_IP_V4               4
#define RS_IP_V6               16
/* the longest text, no NUL */
#define RS_IP_TEXT_MAX         39
#define RS_IP_RANGE_TEXT_MAX   (RS_IP_TEXT_MAX + 1 + RS_IP_TEXT_MAX)
#define RS_IP_KEY_MAX          33
/* ranges of a set, none touching another */
#define RS_IP_SET_MAX          2048


typedef struct {
    uint8_t         len;              /* RS_IP_V4 or RS_IP_V6: bytes used */
    uint8_t         b[RS_IP_V6];      /* network order; the rest is 0 */
} rs_ip_t;


typedef struct {
    rs_ip_t         first;
    rs_ip_t         last;             /* of the same family, not before */
} rs_ip_range_t;


typedef struct {
    unsigned        n;
    int             overflow;         /* sticky: something did not fit */
    rs_ip_range_t   range[RS_IP_SET_MAX];     /* IPv4 first, ascending */
} rs_ip_set_t;


/*
 * RS_OK or RS_E_INVALID_VALUE.  IPv4: four decimal numbers without leading
 * zeros (so no octal, no 1.2.3).  IPv6: RFC 4291, with "::" for at least one
 * group and with IPv4 as its tail.  No names, brackets, scopes, ports or
 * blanks.
 */
rs_err_e rs_ip_parse(rs_str_t s, rs_ip_t *ip);
/* RFC 5952, all groups in hexadecimal; dst: RS_IP_TEXT_MAX; the length */
size_t rs_ip_format(const rs_ip_t *ip, char *dst);

/*
 * A text that sorts as addresses do: "4" or "6" and the address in hexadecimal.
 * IPv4-mapped IPv6 is the IPv4 address.  dst: RS_IP_KEY_MAX; the length.
 */
size_t rs_ip_key(const rs_ip_t *ip, char *dst);

/* an address, ADDRESS/BITS (no bit set below), or FIRST-LAST */
rs_err_e rs_ip_range_parse(rs_str_t s, rs_ip_range_t *range);
/* "a" or "a-b"; dst: RS_IP_RANGE_TEXT_MAX; the length */
size_t rs_ip_range_format(const rs_ip_range_t *range, char *dst);
/* the number of leading bits that make exactly this range; -1: none do */
int rs_ip_range_bits(const rs_ip_range_t *range);

/* < 0, 0, > 0; IPv4 stands before IPv6 */
int rs_ip_cmp(const rs_ip_t *a, const rs_ip_t *b);
/* to the next, the previous address: 0 if there is none in this family */
int rs_ip_inc(rs_ip_t *ip);
int rs_ip_dec(rs_ip_t *ip);

void rs_ip_set_init(rs_ip_set_t *set);
void rs_ip_set_add(rs_ip_set_t *set, const rs_ip_range_t *range);
void rs_ip_set_sub(rs_ip_set_t *set, const rs_ip_range_t *range);
void rs_ip_set_add_set(rs_ip_set_t *set, const rs_ip_set_t *other);
void rs_ip_set_sub_set(rs_ip_set_t *set, const rs_ip_set_t *other);
/* everything of both families that is not in set; dst is another set */
void rs_ip_set_not(rs_ip_set_t *dst, const rs_ip_set_t *set);
/* 1: it is in there */
int rs_ip_set_has(const rs_ip_set_t *set, const rs_ip_t *ip);
/* 1: they have an address in common */
int rs_ip_set_meets(const rs_ip_set_t *set, const rs_ip_range_t *range);
int rs_ip_set_eq(const rs_ip_set_t *a, const rs_ip_set_t *b);


#endif /* _RS_IP_H_INCLUDED_ */
