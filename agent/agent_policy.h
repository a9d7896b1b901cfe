
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What agent.conf allows of what the gateway asks for.  It can only narrow.
 */

#ifndef _AGENT_POLICY_H_INCLUDED_
#define _AGENT_POLICY_H_INCLUDED_


#include "agent_config.h"
#include "agent_msg.h"


typedef struct {
    const char  *reason;            /* of reject; NULL: accepted */
    char        *detail;
} agent_verdict_t;


/* display_error: why no desktop can be shown, NULL when one can. */
void agent_policy_invite(const agent_config_t *config, guint sessions,
    const GError *display_error, agent_verdict_t *verdict);

/* NULL, or the sentence that refuses one more viewer. */
char *agent_policy_viewer(const agent_config_t *config, guint viewers,
    agent_role_e role);

/* The stricter of what the device and the gateway want. */
agent_consent_e agent_policy_consent(const agent_config_t *config,
    agent_consent_e session);

/* verified: the operator of the connection is */
gboolean agent_policy_input(const agent_config_t *config, agent_role_e role,
    gboolean verified);

/* Whether input by way of the gateway counts: the gateway could make it up. */
gboolean agent_policy_relayed(const agent_config_t *config);

gboolean agent_policy_relay(const agent_config_t *config,
    const agent_ice_t *ice);


#endif /* _AGENT_POLICY_H_INCLUDED_ */
