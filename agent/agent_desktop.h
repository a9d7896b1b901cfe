
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The table of rs-agent: sessions at this machine's desktop, and tunnels.
 */

#ifndef _AGENT_DESKTOP_H_INCLUDED_
#define _AGENT_DESKTOP_H_INCLUDED_


#include "agent_service.h"


/* its data is the agent_t */
extern const agent_service_t  agent_desktop;


#endif /* _AGENT_DESKTOP_H_INCLUDED_ */
