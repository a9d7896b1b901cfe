
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Whom the agent takes for its gateway, besides who has a certificate: the
 * fleet's identity, pinned or configured, and followed by statements.  No I/O.
 */

#ifndef _AGENT_IDENTITY_H_INCLUDED_
#define _AGENT_IDENTITY_H_INCLUDED_


#include "agent_config.h"
#include "rs_identity.h"


/* What the key looks like to people: "AB2C-DE3F-GH4I-JK5L"; "none" of NULL. */
char *agent_identity_short(const char *key);

/* The key that counts: of agent.conf, where it led to, or pinned; or NULL. */
const char *agent_identity_pinned(const agent_config_t *config,
    const agent_device_t *device);

/*
 * Is it our gateway?  offer is NULL when the challenge shows no identity;
 * the nonces are the agent's and the challenge's, host that of the URL.
 * FALSE: *error says who was shown, who is pinned and the cure; nothing may
 * be signed for it.  TRUE: *pin is the key to pin once the gateway knows the
 * device, or NULL when there is nothing new.
 */
gboolean agent_identity_check(const agent_config_t *config,
    const agent_device_t *device, const char *host, const char *agent_nonce,
    const char *nonce, const rs_identity_offer_t *offer, char **pin,
    GError **error);

/* Pins key in device; *said: what the log is told of it. */
void agent_identity_pin(const agent_config_t *config, agent_device_t *device,
    const char *key, char **said);


#endif /* _AGENT_IDENTITY_H_INCLUDED_ */
