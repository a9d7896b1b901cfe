
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The clipboard, both ways: the data channel rs-clipboard.
 */

#ifndef _AGENT_CLIPBOARD_H_INCLUDED_
#define _AGENT_CLIPBOARD_H_INCLUDED_


#include "agent.h"
#include "agent_channel.h"


#define AGENT_CLIPBOARD_PIECE  8192     /* bytes of text in one message */


extern const agent_channel_kind_t  agent_clipboard_kind;


/*
 * The length of the first piece of a text: at most max bytes, and whole
 * characters.  text is valid UTF-8; max is at least 4.
 */
gsize agent_clipboard_piece(const char *text, gsize len, gsize max);


#endif /* _AGENT_CLIPBOARD_H_INCLUDED_ */
