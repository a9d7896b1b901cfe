
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Local policy only narrows.
 */

#include "agent_policy.h"
#include "platform/platform.h"
#include "tap.h"

#include <string.h>


/* Monday is the 16th */

static GDateTime *
at(guint day, int hour, int minute)
{
    return g_date_time_new_utc(2026, 11, 16 + (int) day, hour, minute, 0);
}


static void
test_invite(agent_config_t *config)
{
    agent_verdict_t        verdict;
    g_autoptr(GError)      error = NULL;
    g_autoptr(GDateTime)   now = at(6, 3, 0);

    config->max_sessions = 2;

    agent_policy_invite(config, 1, NULL, now, &verdict);
    ok(verdict.reason == NULL, "room for one more session");

    agent_policy_invite(config, 2, NULL, now, &verdict);
    is_str(verdict.reason, "busy", "no room: busy");
    is_str(verdict.detail, "this device takes part in 2 sessions and may in "
           "2", "in words");
    g_free(verdict.detail);

    g_set_error(&error, AGENT_DESKTOP_ERROR, AGENT_DESKTOP_WAYLAND,
                "the desktop is a Wayland session");
    agent_policy_invite(config, 0, error, now, &verdict);
    is_str(verdict.reason, "no_display", "nothing to show: no_display");
    is_str(verdict.detail, "the desktop is a Wayland session", "and why");
    g_free(verdict.detail);

    config->hours = agent_hours_parse("Sun 02:00-03:00");
    agent_policy_invite(config, 0, error, now, &verdict);
    is_str(verdict.reason, "policy", "outside its hours: policy");
    is_str(verdict.detail, "this device may be reached at Sun 02:00-03:00, "
           "by its own clock", "and when it is open");
    g_free(verdict.detail);

    agent_hours_free(config->hours);
    config->hours = agent_hours_parse("Sun 03:00-03:01");
    agent_policy_invite(config, 0, NULL, now, &verdict);
    ok(verdict.reason == NULL, "within them: taken");
    g_clear_pointer(&config->hours, agent_hours_free);
}


static void
test_viewer(agent_config_t *config)
{
    g_autofree char        *text = NULL;
    g_autofree char        *host = NULL;
    g_autofree char        *closed = NULL;
    g_autoptr(GDateTime)    now = at(6, 3, 0);

    config->max_viewers = 3;

    ok(agent_policy_viewer(config, 2, AGENT_ROLE_VIEWER, now) == NULL,
       "room for one more viewer");
    text = agent_policy_viewer(config, 3, AGENT_ROLE_CONTROLLER, now);
    is_str(text, "this device serves 3 viewers and may serve 3", "no room");
    host = agent_policy_viewer(config, 0, AGENT_ROLE_HOST, now);
    ok(host != NULL, "a host is no viewer");

    config->hours = agent_hours_parse("Mon-Fri 08:00-18:00");
    closed = agent_policy_viewer(config, 0, AGENT_ROLE_VIEWER, now);
    is_str(closed, "this device may be reached at Mon-Fri 08:00-18:00, by its "
           "own clock", "nor does anybody come outside its hours");
    g_clear_pointer(&config->hours, agent_hours_free);
}


/* one letter each: input, clipboard, files, chat, sound; "-": not allowed */

static char *
may(const agent_config_t *config, const agent_rights_t *rights,
    agent_role_e role, gboolean verified)
{
    agent_allowed_t  a;

    static const char  ways[] = { '-', 't', 'f', 'b' };

    memset(&a, 0xff, sizeof(a));
    agent_policy_allowed(config, rights, role, verified, &a);

    return g_strdup_printf("%c%c%c%c%c", a.input ? 'i' : '-',
                           ways[a.clipboard], ways[a.files],
                           a.chat ? 'c' : '-', a.sound ? 's' : '-');
}


#define MAY(role, verified, want, name)                                       \
    do {                                                                      \
        g_autofree char *got = may(config, &rights, role, verified);          \
        is_str(got, want, name);                                              \
    } while (0)


static void
test_allowed(agent_config_t *config)
{
    agent_rights_t  rights;

    agent_rights_init(&rights);

    MAY(AGENT_ROLE_CONTROLLER, FALSE, "ib-cs",
        "a controller: all but files, which have no directory");

    config->files_dir = g_strdup("/srv/files");
    MAY(AGENT_ROLE_CONTROLLER, FALSE, "ibbcs", "a directory: files, too");
    MAY(AGENT_ROLE_VIEWER, TRUE, "-ffcs", "a viewer: nothing to the device");
    MAY(AGENT_ROLE_OTHER, TRUE, "----s", "a recorder: sound");

    config->view_only = TRUE;
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "-ffcs", "view only, by the device");
    config->view_only = FALSE;
    rights.view_only = TRUE;
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "-ffcs", "view only, by the gateway");
    rights.view_only = FALSE;

    config->allow_input = FALSE;
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "-bbcs", "with input off");
    config->allow_input = TRUE;

    config->clipboard = AGENT_WAY_TO_DEVICE;
    rights.files = AGENT_WAY_FROM_DEVICE;
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "itfcs", "one way each");
    rights.clipboard = AGENT_WAY_FROM_DEVICE;
    config->files = AGENT_WAY_NONE;
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "i--cs", "two that agree in nothing");
    MAY(AGENT_ROLE_VIEWER, TRUE, "---cs", "nor for a viewer");
    config->clipboard = AGENT_WAY_BOTH;
    config->files = AGENT_WAY_BOTH;

    rights.sound = FALSE;
    MAY(AGENT_ROLE_OTHER, TRUE, "-----", "no sound, by the gateway");
    agent_rights_init(&rights);
    config->sound = FALSE;
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "ibbc-", "no sound, by the device");
    config->sound = TRUE;
}


static void
test_verified(agent_config_t *config)
{
    agent_rights_t  rights;

    agent_rights_init(&rights);

    ok(agent_policy_relayed(config), "input may come by the gateway");
    config->require_operator = TRUE;
    MAY(AGENT_ROLE_CONTROLLER, FALSE, "-----",
        "who was not verified may nothing where that is wanted");
    MAY(AGENT_ROLE_CONTROLLER, TRUE, "ibbcs", "who was, may");
    ok(!agent_policy_relayed(config),
       "but the gateway cannot speak in his place");
    config->require_operator = FALSE;
}


static void
test_narrow(void)
{
    agent_rights_t  rights, wide;
    agent_rights_t  by = { AGENT_CONSENT_NOTIFY, TRUE, AGENT_WAY_TO_DEVICE,
                           AGENT_WAY_FROM_DEVICE, FALSE };

    agent_rights_init(&rights);
    agent_rights_init(&wide);

    agent_rights_narrow(&rights, &wide);
    ok(memcmp(&rights, &wide, sizeof(rights)) == 0, "nothing is said");
    agent_rights_narrow(&rights, &by);
    agent_rights_narrow(&rights, &wide);
    ok(memcmp(&rights, &by, sizeof(rights)) == 0, "what is narrow stays so");
    by.clipboard = AGENT_WAY_FROM_DEVICE;
    by.consent = AGENT_CONSENT_REQUIRED;
    agent_rights_narrow(&rights, &by);
    ok(rights.clipboard == AGENT_WAY_NONE
       && rights.files == AGENT_WAY_FROM_DEVICE
       && rights.consent == AGENT_CONSENT_REQUIRED,
       "two ways that exclude each other leave none");
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


static void
test_tunnel(agent_config_t *config)
{
    char                  *why;
    g_autoptr(GDateTime)   now = at(6, 3, 0);

    ok(agent_policy_tunnel(config, now) == NULL, "tunnels may be had");

    config->require_operator = TRUE;
    why = agent_policy_tunnel(config, now);
    ok(why != NULL, "verified operators only: no tunnel proves one");
    g_free(why);
    config->require_operator = FALSE;

    config->hours = agent_hours_parse("Sun 02:00-03:00");
    why = agent_policy_tunnel(config, now);
    ok(why != NULL && strstr(why, "Sun 02:00-03:00") != NULL,
       "outside its hours");
    g_free(why);
    agent_hours_free(config->hours);
    config->hours = NULL;

    config->consent = AGENT_CONSENT_REQUIRED;
    is_int(agent_policy_tunnel_consent(config), AGENT_CONSENT_REQUIRED,
           "what people have to say is that of sessions");
    config->tunnel_consent_set = TRUE;
    config->tunnel_consent = AGENT_CONSENT_NONE;
    is_int(agent_policy_tunnel_consent(config), AGENT_CONSENT_NONE,
           "unless tunnels have their own");
}


int
main(void)
{
    g_autoptr(agent_config_t)  config = agent_config_new();

    test_invite(config);
    test_viewer(config);
    test_allowed(config);
    test_verified(config);
    test_narrow();
    test_tunnel(config);
    test_relay(config);

    return done();
}
