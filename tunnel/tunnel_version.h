
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The version, as --version and User-Agent give it.
 */

#ifndef _TUNNEL_VERSION_H_INCLUDED_
#define _TUNNEL_VERSION_H_INCLUDED_


#define TUNNEL_VERSION  "0.2.0"


#endif /* _TUNNEL_VERSION_H_INCLUDED_ */
