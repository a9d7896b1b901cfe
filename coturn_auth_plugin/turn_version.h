
/*
 * Copyright (C) rs-gateway contributors
 *
 * Which one this is.
 */


#ifndef _TURN_VERSION_H_INCLUDED_
#define _TURN_VERSION_H_INCLUDED_


#define TURN_AUTHD_VERSION  "0.2.0"


#endif /* _TURN_VERSION_H_INCLUDED_ */
