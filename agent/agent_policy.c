
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns every decision that rests on agent.conf.
 */

#include "agent_policy.h"


void
agent_policy_invite(const agent_config_t *config, guint sessions,
    const GError *display_error, agent_verdict_t *verdict)
{
    verdict->reason = NULL;
    verdict->detail = NULL;

    if (sessions >= config->max_sessions) {
        verdict->reason = "busy";
        verdict->detail = g_strdup_printf("this device takes part in %u "
                                          "sessions and may in %u",
                                          sessions, config->max_sessions);
        return;
    }

    if (display_error != NULL) {
        verdict->reason = "no_display";
        verdict->detail = g_strdup(display_error->message);
    }
}


char *
agent_policy_viewer(const agent_config_t *config, guint viewers,
    agent_role_e role)
{
    if (role == AGENT_ROLE_HOST) {
        return g_strdup("a host does not watch a host");
    }

    if (viewers >= config->max_viewers) {
        return g_strdup_printf("this device serves %u viewers and may serve "
                               "%u", viewers, config->max_viewers);
    }

    return NULL;
}


agent_consent_e
agent_policy_consent(const agent_config_t *config, agent_consent_e session)
{
    return MAX(config->consent, session);
}


gboolean
agent_policy_input(const agent_config_t *config, agent_role_e role,
    gboolean verified)
{
    return config->allow_input && role == AGENT_ROLE_CONTROLLER
           && (verified || !config->require_operator);
}


gboolean
agent_policy_relayed(const agent_config_t *config)
{
    return !config->require_operator;
}


gboolean
agent_policy_relay(const agent_config_t *config, const agent_ice_t *ice)
{
    return config->relay_only || ice->relay_only;
}
