
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's input, by its data channel rs-input or by the gateway: its
 * messages, and who holds which key down.
 */

#ifndef _AGENT_INPUT_H_INCLUDED_
#define _AGENT_INPUT_H_INCLUDED_


#include "agent.h"


#define AGENT_INPUT_MESSAGE    4096     /* bytes */
#define AGENT_INPUT_HELD       32       /* keys one viewer may hold */
#define AGENT_INPUT_SILENCE_S  10


typedef struct agent_input_s  agent_input_t;


/*
 * The seat: what all viewers together hold on one desktop.  A key or button
 * is let go when the last viewer who holds it lets it go.
 */
agent_seat_t *agent_seat_new(agent_platform_t *platform);
void agent_seat_free(agent_seat_t *seat);

/* While paused nobody's input counts: a question is on the screen. */
void agent_seat_pause(agent_seat_t *seat, gboolean paused);

/* What one viewer holds.  allowed: its role and local policy permit input. */
agent_input_t *agent_input_new(agent_seat_t *seat, gboolean allowed);

/*
 * Has the session's control, as it has at first: while it has not, nothing
 * is injected, and what it held down is let go.
 */
void agent_input_control(agent_input_t *input, gboolean control);

void agent_input_allow(agent_input_t *input, gboolean allowed);

/*
 * Numbered messages ("seq") are taken once, in order: one that was taken is
 * left aside, and one that is not the next breaks the input: nothing that is
 * numbered is taken any more.  The number of the last one that was, told by
 * hello, by pong, and now and then.  Continued, a broken one is whole again.
 */
void agent_input_continue(agent_input_t *input, gint64 sequence);
gint64 agent_input_sequence(const agent_input_t *input);
gboolean agent_input_numbered(const agent_input_t *input);
gboolean agent_input_broken(const agent_input_t *input);

/* Lets go of everything first. */
void agent_input_free(agent_input_t *input);
void agent_input_release(agent_input_t *input);

/*
 * One message.  What is malformed, of an unknown type or not allowed does
 * nothing and is logged now and then.  The answer to send, or NULL; the
 * caller frees it.
 */
char *agent_input_message(agent_input_t *input, const char *text, gsize len);

/* The same of a message that is parsed already. */
char *agent_input_apply(agent_input_t *input, const json_t *obj);

/* Positions are of this part of the desktop from now on; NULL: of all. */
void agent_input_area(agent_input_t *input, const agent_area_t *area);

/* The first message to the viewer; features: what else there is. */
char *agent_input_hello(const agent_input_t *input, json_t *features);

/* u of 0..65535 to a pixel of 0..size-1. */
int agent_input_pixel(int u, int size);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_input_t, agent_input_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_seat_t, agent_seat_free)


#endif /* _AGENT_INPUT_H_INCLUDED_ */
