
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The parser of "tunnel", for agent_msg.c's table.
 */

#ifndef _AGENT_MSG_TUNNEL_H_INCLUDED_
#define _AGENT_MSG_TUNNEL_H_INCLUDED_


#include "agent_msg.h"


gboolean agent_msg_parse_tunnel(agent_msg_t *msg, GError **error);


#endif /* _AGENT_MSG_TUNNEL_H_INCLUDED_ */
