
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where servers and credentials come from: URIs (RFC 7065), a file of
 * credentials, an ICE document.
 */


#ifndef _TC_SOURCE_H_INCLUDED_
#define _TC_SOURCE_H_INCLUDED_


#include "tc_options.h"


/* 1, or 0: told on stderr */
int tc_source_uri(tc_side_t *side, const char *uri);

/* reads the side's file, and keeps the transports: 1, or 0 and e */
int tc_source_load(tc_side_t *side, unsigned transports, tc_error_t *e);

/* servers of to without credentials get those of from: 1, or 0 and e */
int tc_source_share(const tc_side_t *from, tc_side_t *to, tc_error_t *e);

void tc_source_free(tc_side_t *side);


#endif /* _TC_SOURCE_H_INCLUDED_ */
