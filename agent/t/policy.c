
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Local policy only narrows.
 */

#include "agent_policy.h"
#include "platform/platform.h"
#include "tap.h"


static void
test_invite(agent_config_t *config)
{
    agent_verdict_t     verdict;
    g_autoptr(GError)   error = NULL;

    config->max_sessions = 2;

    agent_policy_invite(config, 1, NULL, &verdict);
    ok(verdict.reason == NULL, "room for one more session");

    agent_policy_invite(config, 2, NULL, &verdict);
    is_str(verdict.reason, "busy", "no room: busy");
    is_str(verdict.detail, "this device takes part in 2 sessions and may in "
           "2", "in words");
    g_free(verdict.detail);

    g_set_error(&error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_WAYLAND,
                "the desktop is a Wayland session");
    agent_policy_invite(config, 0, error, &verdict);
    is_str(verdict.reason, "no_display", "nothing to show: no_display");
    is_str(verdict.detail, "the desktop is a Wayland session", "and why");
    g_free(verdict.detail);
}


static void
test_viewer(agent_config_t *config)
{
    g_autofree char  *text = NULL;
    g_autofree char  *host = NULL;

    config->max_viewers = 3;

    ok(agent_policy_viewer(config, 2, AGENT_ROLE_VIEWER) == NULL,
       "room for one more viewer");
    text = agent_policy_viewer(config, 3, AGENT_ROLE_CONTROLLER);
    is_str(text, "this device serves 3 viewers and may serve 3", "no room");
    host = agent_policy_viewer(config, 0, AGENT_ROLE_HOST);
    ok(host != NULL, "a host is no viewer");
}


static void
test_input(agent_config_t *config)
{
    config->allow_input = TRUE;
    ok(agent_policy_input(config, AGENT_ROLE_CONTROLLER, FALSE),
       "a controller may");
    ok(!agent_policy_input(config, AGENT_ROLE_VIEWER, TRUE),
       "a viewer may not");
    ok(!agent_policy_input(config, AGENT_ROLE_OTHER, TRUE),
       "a recorder may not");
    ok(agent_policy_relayed(config), "nor need it come over a data channel");

    config->require_operator = TRUE;
    ok(!agent_policy_input(config, AGENT_ROLE_CONTROLLER, FALSE),
       "who was not verified may not where that is wanted");
    ok(agent_policy_input(config, AGENT_ROLE_CONTROLLER, TRUE),
       "who was, may");
    ok(!agent_policy_relayed(config),
       "but the gateway cannot speak in his place");
    config->require_operator = FALSE;

    config->allow_input = FALSE;
    ok(!agent_policy_input(config, AGENT_ROLE_CONTROLLER, FALSE),
       "with input off a controller may not either");
}


static void
test_relay(agent_config_t *config)
{
    agent_ice_t  ice = { .relay_only = FALSE };

    config->relay_only = FALSE;
    ok(!agent_policy_relay(config, &ice), "neither asks for relays");

    config->relay_only = TRUE;
    ok(agent_policy_relay(config, &ice), "the agent does");

    ice.relay_only = TRUE;
    config->relay_only = FALSE;
    ok(agent_policy_relay(config, &ice), "the gateway does: not widened");
}


int
main(void)
{
    g_autoptr(agent_config_t)  config = agent_config_new();

    test_invite(config);
    test_viewer(config);
    test_input(config);
    test_relay(config);

    return done();
}
