
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A Wayland desktop as a platform, where the agent is built with PIPEWIRE=1.
 */

#ifndef _AGENT_PLATFORM_PIPEWIRE_H_INCLUDED_
#define _AGENT_PLATFORM_PIPEWIRE_H_INCLUDED_


#include "platform.h"
#include "portal.h"


/*
 * NULL and *error while the person there has not said yes: the first call
 * begins to ask, and so does the next one after a no.  *portal is the
 * caller's to keep and to free, after the platform.
 */
agent_platform_t *agent_pipewire_open(agent_portal_t **portal,
    const char *token_file, GError **error);


#endif /* _AGENT_PLATFORM_PIPEWIRE_H_INCLUDED_ */
