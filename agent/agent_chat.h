
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What people tell each other in a session, those who watch and the person
 * at the device: the data channel rs-chat.
 */

#ifndef _AGENT_CHAT_H_INCLUDED_
#define _AGENT_CHAT_H_INCLUDED_


#include "agent.h"
#include "agent_channel.h"


#define AGENT_CHAT_MAX  1000            /* characters of one message */


extern const agent_channel_kind_t  agent_chat_kind;


/* No viewer is left. */
void agent_chat_free(agent_chat_t *chat);

/* The person at the device has said something in this room. */
void agent_chat_said(agent_t *agent, guint room, const char *text);


#endif /* _AGENT_CHAT_H_INCLUDED_ */
