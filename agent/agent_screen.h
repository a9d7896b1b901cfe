
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The data channel rs-screen: which monitor a viewer sees, and the pointer's
 * shape and place, for a viewer who draws it himself.
 */

#ifndef _AGENT_SCREEN_H_INCLUDED_
#define _AGENT_SCREEN_H_INCLUDED_


#include "agent_channel.h"
#include "agent_rate.h"
#include "platform/platform.h"


#define AGENT_SCREEN_WHOLE  "screen"    /* the id of all monitors */


typedef struct agent_screen_s  agent_screen_t;


extern const agent_channel_kind_t  agent_screen_kind;


/* The pointer has another shape: for each of agent_t's screens. */
void agent_screen_reshaped(gpointer screen, gpointer none);

typedef enum {
    AGENT_SCREEN_NOTHING = 0,           /* that is known here */
    AGENT_SCREEN_WISH,
    AGENT_SCREEN_DECODER
} agent_screen_e;

/*
 * One message of a viewer: what he wants is put into view, what he says of
 * his decoder into decoder; else both are as they were.  Pure.
 */
agent_screen_e agent_screen_parse(const char *text, gsize len,
    agent_view_t *view, agent_rate_decoder_t *decoder);

/* The pointer's shape as a message; the caller frees it.  Pure. */
char *agent_screen_cursor(const agent_cursor_t *cursor);


#endif /* _AGENT_SCREEN_H_INCLUDED_ */
