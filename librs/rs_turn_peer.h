
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who may be a peer of a TURN allocation: a policy as an operator writes it
 * becomes the two lists that coturn reads (`allowed-peer-ip` and
 * `denied-peer-ip`), and the answer whether a given peer is denied.
 *
 * coturn asks in this order: loopback, 0.0.0.0/8, `::` and multicast never;
 * else allowed if the first list has it; else denied if the second has it;
 * else allowed.  docs/design/turn.md, "Peers".
 */


#ifndef _RS_TURN_PEER_H_INCLUDED_
#define _RS_TURN_PEER_H_INCLUDED_


#include "rs_ip.h"


/* of relay, allow, deny, lan, external_ip, ... each */
#define RS_TURN_PEER_RULES_MAX   256
#define RS_TURN_PEER_MAP_MAX     8
/* ranges coturn reads that one range becomes */
#define RS_TURN_PEER_PIECES_MAX  31
/* entries of one list */
#define RS_TURN_PEER_LINES_MAX   8192


typedef enum {
    RS_TURN_PEERS_CLOSED = 0,     /* the fleet's relay addresses only */
    RS_TURN_PEERS_OPEN,           /* the internet, nothing of special use */
    RS_TURN_PEERS_LAN             /* as open, and the ranges of `lan` */
} rs_turn_peers_e;


/* NAT in front of coturn: external-ip=outer/inner */

typedef struct {
    rs_ip_t          outer;
    rs_ip_t          inner;
} rs_turn_peer_map_t;


/* what the operator wrote */

typedef struct {
    rs_turn_peers_e     peers;
    unsigned            rules;
    unsigned            nmap;
    rs_turn_peer_map_t  map[RS_TURN_PEER_MAP_MAX];
    rs_ip_set_t         own;      /* this server's relay addresses */
    rs_ip_set_t         listen;   /* ... and those it listens at */
    rs_ip_set_t         relay;    /* the fleet's relay addresses */
    rs_ip_set_t         allow;
    rs_ip_set_t         deny;
    rs_ip_set_t         lan;
} rs_turn_peer_conf_t;


/* what it means */

typedef struct {
    rs_ip_set_t      allowed;     /* without what coturn refuses anyway */
    rs_ip_set_t      denied;      /* never empty */
} rs_turn_peer_t;


void rs_turn_peer_conf_init(rs_turn_peer_conf_t *conf);

/*
 * One line of configuration: `peers` (closed, open, lan), `relay`, `allow`,
 * `deny`, `lan`, `relay_ip`, `listening_ip`, `external_ip` (OUTER/INNER).
 * RS_OK; RS_E_UNKNOWN_FIELD: no key of these; RS_E_INVALID_VALUE or
 * RS_E_LIMIT_REACHED with *cure set: what to write instead (a constant).
 */
rs_err_e rs_turn_peer_conf_add(rs_turn_peer_conf_t *conf, rs_str_t key,
    rs_str_t value, const char **cure);

/* RS_OK, or RS_E_LIMIT_REACHED / RS_E_INVALID_VALUE and *cure */
rs_err_e rs_turn_peer_build(const rs_turn_peer_conf_t *conf,
    rs_turn_peer_t *peer, const char **cure);

/*
 * What may stand in turnserver.conf for good, and holds while no daemon
 * answers: nothing is allowed, and everything that no policy of this kind
 * may reach is denied.
 */
void rs_turn_peer_floor(const rs_turn_peer_conf_t *conf, rs_ip_set_t *denied);

/*
 * 1: coturn refuses this peer, given as coturn shows it: after an outer
 * address was replaced by its inner one.
 */
int rs_turn_peer_denies(const rs_turn_peer_t *peer, const rs_ip_t *ip);

/* 1: of the internet: nothing of special use, no IPv4 inside of IPv6 */
int rs_turn_peer_public(const rs_ip_t *ip);

/* every range the IPv4 addresses of range have in IPv6; added to set */
void rs_turn_peer_forms(rs_ip_set_t *set, const rs_ip_range_t *range);

/*
 * The ranges coturn has to be given for this one: each is read alike by
 * versions that compare byte by byte (before 4.16) and by those that compare
 * addresses; none begins with 0.0.0.0 or `::`, which mean "anything" to it.
 * Their number, at most RS_TURN_PEER_PIECES_MAX; 0: only such an address.
 */
unsigned rs_turn_peer_split(const rs_ip_range_t *range,
    rs_ip_range_t out[RS_TURN_PEER_PIECES_MAX]);

/*
 * Calls line() for each entry of the list, in order; for an empty set once,
 * with an address that coturn refuses whatever a list says: no list is ever
 * empty.  The text is valid during the call.
 */
void rs_turn_peer_lines(const rs_ip_set_t *set,
    void (*line)(void *data, rs_str_t text), void *data);


#endif /* _RS_TURN_PEER_H_INCLUDED_ */
