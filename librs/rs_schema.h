
/*
 * Copyright (C) rs-gateway contributors
 *
 * Does the function library in Redis go with this program?  The library says
 * its version and the oldest version of its clients that it serves; a client
 * takes any library with serves <= RS_SCHEMA <= version.  So the library goes
 * first in an upgrade, and last on the way back.
 */


#ifndef _RS_SCHEMA_H_INCLUDED_
#define _RS_SCHEMA_H_INCLUDED_


#include "rs_str.h"


/* of the calls that the gateway and the TURN daemon make */
#define RS_SCHEMA           8

#define RS_SCHEMA_MAX       999999      /* of what a library may say */
#define RS_SCHEMA_TEXT      320         /* bytes of rs_schema_text() */


typedef enum {
    RS_SCHEMA_OK,
    RS_SCHEMA_OLD,              /* the library: it has not all that is called */
    RS_SCHEMA_NEW,              /* it no longer serves these calls */
    RS_SCHEMA_UNKNOWN           /* it is none of ours */
} rs_schema_e;


typedef struct {
    uint64_t        version;
    uint64_t        serves;     /* <= version */
} rs_schema_t;


/*
 * What "rs_version" answered after its "ok".  serves is empty in a library
 * of before the two numbers, which serves its own version alone.  *s is set
 * unless the answer is RS_SCHEMA_UNKNOWN.  mine: RS_SCHEMA but in tests.
 */
rs_schema_e rs_schema_check(rs_schema_t *s, rs_str_t version, rs_str_t serves,
    uint64_t mine);

/* what is wrong, with all numbers and the cure; for a log */
void rs_schema_text(rs_buf_t *b, rs_schema_e rc, const rs_schema_t *s,
    uint64_t mine);


#endif /* _RS_SCHEMA_H_INCLUDED_ */
