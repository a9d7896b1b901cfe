
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The data channel rs-files: docs/protocol/peer.md, "Files".
 */

#ifndef _AGENT_FILES_H_INCLUDED_
#define _AGENT_FILES_H_INCLUDED_


#include "agent_channel.h"


#define AGENT_FILES  "rs-files"


extern const agent_channel_kind_t  agent_files_kind;


#endif /* _AGENT_FILES_H_INCLUDED_ */
