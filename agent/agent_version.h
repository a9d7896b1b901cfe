
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The agent's version, as hello and --version give it.
 */

#ifndef _AGENT_VERSION_H_INCLUDED_
#define _AGENT_VERSION_H_INCLUDED_


#define AGENT_VERSION  "0.2.0"


#endif /* _AGENT_VERSION_H_INCLUDED_ */
