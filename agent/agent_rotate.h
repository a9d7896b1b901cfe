
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Another key for this device.  Files of the state directory:
 *
 *     device.key        the one that counts, as far as the agent knows
 *     device.key.next   made, offered to the gateway, not confirmed yet
 *     device.key.old    the one before, for a gateway that forgot the change
 *
 * Whenever the agent or the gateway is killed, the gateway has one of them:
 * the agent shows one after the other until it is let in, and goes on there.
 */

#ifndef _AGENT_ROTATE_H_INCLUDED_
#define _AGENT_ROTATE_H_INCLUDED_


#include "agent_config.h"
#include "agent_key.h"


typedef struct agent_rotate_s  agent_rotate_t;


/*
 * key is the owner's, who holds what device.key has: it changes when that
 * does.  wanted() is called when there is something to offer: a key was made
 * by --rotate-key, or it is time.
 */
agent_rotate_t *agent_rotate_new(const agent_config_t *config,
    const agent_device_t *device, agent_key_t *key,
    void (*wanted)(void *data), void *data);
void agent_rotate_free(agent_rotate_t *rotate);

/* To sign the next challenge with. */
const agent_key_t *agent_rotate_key(agent_rotate_t *rotate);

/* That one was refused.  TRUE: another one was not tried yet. */
gboolean agent_rotate_refused(agent_rotate_t *rotate);

/* That one was let in. */
void agent_rotate_welcome(agent_rotate_t *rotate);

/* `rotate` to be sent now, the caller's to free; NULL: nothing to change. */
char *agent_rotate_offer(agent_rotate_t *rotate);

/* The gateway's `rotated`, or its refusal: it is asked again later. */
void agent_rotate_done(agent_rotate_t *rotate, const char *public_key);
void agent_rotate_failed(agent_rotate_t *rotate);

/* device.key.next, made unless it is there: its short form. */
char *agent_rotate_make(const char *state_dir, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_rotate_t, agent_rotate_free)


#endif /* _AGENT_ROTATE_H_INCLUDED_ */
