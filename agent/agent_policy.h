
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


/*
 * What one viewer may, after the gateway's policy, agent.conf, his role and
 * whether he was verified: the narrowest of them.  Whatever serves him asks
 * this and nothing else.
 */

typedef struct {
    gboolean      input;
    agent_way_e   clipboard;
    agent_way_e   files;
    gboolean      chat;
    gboolean      sound;
} agent_allowed_t;


/*
 * display_error: why no desktop can be shown, NULL when one can.  now: local
 * time.
 */
void agent_policy_invite(const agent_config_t *config, guint sessions,
    const GError *display_error, GDateTime *now, agent_verdict_t *verdict);

/* NULL, or the sentence that refuses one more viewer. */
char *agent_policy_viewer(const agent_config_t *config, guint viewers,
    agent_role_e role, GDateTime *now);

/* The stricter of what the device and the gateway want. */
agent_consent_e agent_policy_consent(const agent_config_t *config,
    agent_consent_e session);

/*
 * What the person at the device has to say of tunnels.  A device that nobody
 * sits at says so for these by itself ([tunnels] consent).
 */
agent_consent_e agent_policy_tunnel_consent(const agent_config_t *config);

/* NULL, or the sentence that refuses any tunnel now. */
char *agent_policy_tunnel(const agent_config_t *config, GDateTime *now);

/* What may be done before anything was said: all of it. */
void agent_rights_init(agent_rights_t *rights);

/* Narrows rights by what was said anew; nothing becomes wider. */
void agent_rights_narrow(agent_rights_t *rights, const agent_rights_t *by);

/* verified: the operator of the connection is */
void agent_policy_allowed(const agent_config_t *config,
    const agent_rights_t *rights, agent_role_e role, gboolean verified,
    agent_allowed_t *allowed);

/* Whether input by way of the gateway counts: the gateway could make it up. */
gboolean agent_policy_relayed(const agent_config_t *config);

gboolean agent_policy_relay(const agent_config_t *config,
    const agent_ice_t *ice);


#endif /* _AGENT_POLICY_H_INCLUDED_ */
