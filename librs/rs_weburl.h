
/*
 * Copyright (C) rs-gateway contributors
 *
 * Addresses of web pages, and rules of which of them may be opened.
 */


#ifndef _RS_WEBURL_H_INCLUDED_
#define _RS_WEBURL_H_INCLUDED_


#include "rs_err.h"


#define RS_WEBURL_MAX       2048
#define RS_WEBURL_HOST_MAX  253
#define RS_WEBURL_RULE_MAX  512


/* slices of what was parsed */

typedef struct {
    unsigned         https:1;
    rs_str_t         host;            /* IPv6 in brackets */
    unsigned         port;            /* the scheme's where none is named */
    rs_str_t         path;            /* with the query, without "#..."; may
                                         be empty, which is "/" */
} rs_weburl_t;


/*
 * http or https, at most RS_WEBURL_MAX bytes of visible ASCII and UTF-8, a
 * host, no user.  RS_OK or RS_E_INVALID_VALUE.  Nothing is decoded: a browser
 * gives addresses in one form, a person may give others.
 */
rs_err_e rs_weburl_parse(rs_str_t s, rs_weburl_t *url);


/*
 * SCHEME://HOST/PATH: SCHEME http, https or "*" for both; HOST a name, an
 * address, "*.suffix" for all names below it, or "*", and maybe ":port" (else
 * the scheme's); PATH as it stands, or the beginning of one before a "*" at
 * its end.
 */

typedef struct {
    unsigned         http:1;
    unsigned         https:1;
    unsigned         any:1;           /* host */
    unsigned         below:1;         /* names below host, not itself */
    unsigned         prefix:1;        /* path */
    unsigned         port;            /* 0: the scheme's */
    rs_str_t         host;
    rs_str_t         path;            /* begins with "/" */
} rs_weburl_rule_t;


/* RS_OK or RS_E_INVALID_VALUE; points into s */
rs_err_e rs_weburl_rule_parse(rs_str_t s, rs_weburl_rule_t *rule);

/* 1: it is one of them.  Hosts are compared without case, paths are not. */
int rs_weburl_match(const rs_weburl_rule_t *rule, const rs_weburl_t *url);


#endif /* _RS_WEBURL_H_INCLUDED_ */
