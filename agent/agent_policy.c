
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns every decision that rests on agent.conf.
 */

#include "agent_policy.h"

#include <string.h>


static char *agent_policy_closed(const agent_config_t *config);


void
agent_policy_invite(const agent_config_t *config, guint sessions,
    const GError *display_error, GDateTime *now, agent_verdict_t *verdict)
{
    verdict->reason = NULL;
    verdict->detail = NULL;

    if (!agent_hours_open(config->hours, now)) {
        verdict->reason = "policy";
        verdict->detail = agent_policy_closed(config);
        return;
    }

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


static char *
agent_policy_closed(const agent_config_t *config)
{
    return g_strdup_printf("this device may be reached at %s, by its own "
                           "clock", config->hours->text);
}


char *
agent_policy_viewer(const agent_config_t *config, guint viewers,
    agent_role_e role, GDateTime *now)
{
    if (!agent_hours_open(config->hours, now)) {
        return agent_policy_closed(config);
    }

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


agent_consent_e
agent_policy_tunnel_consent(const agent_config_t *config)
{
    return config->tunnel_consent_set ? config->tunnel_consent
                                      : config->consent;
}


/* nothing an operator signs comes with a tunnel as yet */

char *
agent_policy_tunnel(const agent_config_t *config, GDateTime *now)
{
    if (config->require_operator) {
        return g_strdup("this device serves verified operators only, and no "
                        "tunnel proves one");
    }

    if (!agent_hours_open(config->hours, now)) {
        return agent_policy_closed(config);
    }

    return NULL;
}


void
agent_rights_init(agent_rights_t *rights)
{
    rights->consent = AGENT_CONSENT_NONE;
    rights->view_only = FALSE;
    rights->clipboard = AGENT_WAY_BOTH;
    rights->files = AGENT_WAY_BOTH;
    rights->sound = TRUE;
}


void
agent_rights_narrow(agent_rights_t *rights, const agent_rights_t *by)
{
    rights->consent = MAX(rights->consent, by->consent);
    rights->view_only = rights->view_only || by->view_only;
    rights->clipboard &= by->clipboard;
    rights->files &= by->files;
    rights->sound = rights->sound && by->sound;
}


void
agent_policy_allowed(const agent_config_t *config,
    const agent_rights_t *rights, agent_role_e role, gboolean verified,
    agent_allowed_t *allowed)
{
    agent_way_e  ways;

    memset(allowed, 0, sizeof(*allowed));

    /* agent_gate.c has looked at a recorder's own key */

    if (config->require_operator && !verified
        && role != AGENT_ROLE_RECORDER)
    {
        return;
    }

    switch (role) {

    case AGENT_ROLE_CONTROLLER:
        ways = AGENT_WAY_BOTH;
        break;

    case AGENT_ROLE_VIEWER:
        ways = AGENT_WAY_FROM_DEVICE;
        break;

    default:
        /* a recorder hears and sees, and has nobody who would speak */
        allowed->sound = config->sound && rights->sound;
        return;
    }

    if (config->view_only || rights->view_only) {
        ways &= AGENT_WAY_FROM_DEVICE;
    }

    allowed->input = config->allow_input && (ways & AGENT_WAY_TO_DEVICE);
    allowed->clipboard = ways & config->clipboard & rights->clipboard;
    allowed->files = (config->files_dir != NULL)
                     ? ways & config->files & rights->files : AGENT_WAY_NONE;
    allowed->chat = TRUE;
    allowed->sound = config->sound && rights->sound;
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
