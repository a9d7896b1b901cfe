
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The version, as --version gives it: that of the agent this is made of.
 */

#ifndef _RECORD_VERSION_H_INCLUDED_
#define _RECORD_VERSION_H_INCLUDED_


#include "agent_version.h"


#define RECORD_VERSION  AGENT_VERSION


#endif /* _RECORD_VERSION_H_INCLUDED_ */
