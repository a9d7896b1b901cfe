
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what rs-agent does when it is told something on its control channel:
 * takes or refuses invites by agent.conf, and ends what is revoked.
 */

#define G_LOG_DOMAIN  "rs-signal"

#include "agent.h"
#include "agent_desktop.h"
#include "agent_msg_tunnel.h"
#include "agent_policy.h"
#include "agent_tunnel.h"


static void agent_desktop_invite(void *data, const agent_msg_t *msg);
static void agent_desktop_revoke(void *data, const agent_msg_t *msg);
static void agent_desktop_tunnel(void *data, const agent_msg_t *msg);
static void agent_desktop_quit(void *data);
static gboolean agent_desktop_busy(void *data);
static void agent_desktop_size(void *data, int *width, int *height);
static void agent_desktop_network(void *data, agent_network_e what);


const agent_service_t  agent_desktop = {
    .name = "rs-agent",
    .desktop = TRUE,
    .invite = agent_desktop_invite,
    .revoke = agent_desktop_revoke,
    .tunnel = agent_desktop_tunnel,
    .quit = agent_desktop_quit,
    .busy = agent_desktop_busy,
    .size = agent_desktop_size,
    .network = agent_desktop_network
};


static void
agent_desktop_invite(void *data, const agent_msg_t *msg)
{
    agent_t            *agent = data;
    agent_session_t    *session;
    agent_verdict_t     verdict;
    g_autofree char    *detail = NULL;
    g_autoptr(GError)   error = NULL;
    g_autoptr(GDateTime)  now = g_date_time_new_now_local();

    session = g_hash_table_lookup(agent->sessions, msg->session_id);

    if (session != NULL) {
        g_debug("invited again to %s", msg->session_id);
        agent_session_invited(session, msg->ticket);
        return;
    }

    agent_display(agent, &error);
    agent_policy_invite(agent->config, g_hash_table_size(agent->sessions),
                        error, now, &verdict);
    detail = verdict.detail;

    if (verdict.reason != NULL) {
        g_message("invite to %s rejected: %s: %s", msg->session_id,
                  verdict.reason, detail);
        (void) agent_signal_say(agent->signal,
                                agent_msg_reject(msg->session_id,
                                                 verdict.reason, detail));
        return;
    }

    g_message("invite to %s by \"%s\"%s%s accepted", msg->session_id,
              msg->requester ? msg->requester : "?",
              msg->text ? ", reason: " : "", msg->text ? msg->text : "");

    (void) agent_signal_say(agent->signal,
                            agent_msg_accept(msg->session_id));
    agent_session_start(agent, msg->session_id, msg->ticket, &msg->rights);
}


static void
agent_desktop_revoke(void *data, const agent_msg_t *msg)
{
    agent_t          *agent = data;
    agent_session_t  *session;

    session = g_hash_table_lookup(agent->sessions, msg->session_id);

    if (session != NULL) {
        agent_session_end(session, "revoked");
    }
}


static void
agent_desktop_tunnel(void *data, const agent_msg_t *msg)
{
    agent_t  *agent = data;

    if (msg->open.recording != NULL) {
        (void) agent_signal_say(agent->signal,
                    agent_msg_tunnel_refused(msg->open.tunnel_id,
                                             msg->open.pipe_id, "policy",
                                             "this is no recorder"));

    } else if (msg->open.cut) {
        agent_tunnels_cut(agent->tunnels, &msg->open);

    } else if (!agent->quitting) {
        agent_tunnels_open(agent->tunnels, &msg->open);
    }
}


static void
agent_desktop_quit(void *data)
{
    GList             *link;
    agent_t           *agent = data;
    g_autoptr(GList)   sessions = NULL;

    sessions = g_hash_table_get_values(agent->sessions);

    for (link = sessions; link != NULL; link = link->next) {
        agent_session_bye(link->data);
    }
}


static gboolean
agent_desktop_busy(void *data)
{
    agent_t  *agent = data;

    return g_hash_table_size(agent->sessions) != 0;
}


static void
agent_desktop_size(void *data, int *width, int *height)
{
    agent_t  *agent = data;

    if (agent_display(agent, NULL)) {
        agent_platform_size(agent->platform, width, height);
    }
}


static void
agent_desktop_network(void *data, agent_network_e what)
{
    agent_t         *agent = data;
    gpointer         session;
    GHashTableIter   iter;

    g_hash_table_iter_init(&iter, agent->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        agent_session_network(session, what);
    }
}
