
/*
 * Copyright (C) rs-gateway contributors
 *
 * What `nft -j list ruleset` prints: is an address closed to all but what is
 * let in by name?
 */


#ifndef _RS_NFT_H_INCLUDED_
#define _RS_NFT_H_INCLUDED_


#include "rs_ip.h"


/* of the whole text; more is not read */
#define RS_NFT_MAX  (4 * 1024 * 1024)


/*
 * RS_OK: a rule of a chain at the input hook drops or rejects whatever goes
 * to ip, without a further condition.  RS_E_NOT_FOUND: none does, that can be
 * told (of named sets and maps it cannot).  RS_E_INVALID_JSON,
 * RS_E_BODY_TOO_LARGE: this is no such text.
 */
rs_err_e rs_nft_closed(rs_str_t text, const rs_ip_t *ip);


#endif /* _RS_NFT_H_INCLUDED_ */
