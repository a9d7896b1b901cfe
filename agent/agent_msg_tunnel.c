
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the shape of "tunnel": what the gateway wants opened and cut, and how
 * the agent refuses.
 */

#define G_LOG_DOMAIN  "rs-msg"

#include "agent_msg_tunnel.h"
#include "rs_target.h"

#include <string.h>


#define AGENT_TUNNEL_ID      64     /* bytes */
#define AGENT_TUNNEL_SECRET  256
#define AGENT_TUNNEL_NAME    512


static const char *agent_msg_tunnel_id(const json_t *json, const char *name);
static gboolean agent_msg_tunnel_open(agent_msg_t *msg, GError **error);
static gboolean agent_msg_tunnel_target(agent_open_t *open,
    const json_t *json);
static gboolean agent_msg_tunnel_invalid(const char *member, GError **error);


static gboolean
agent_msg_tunnel_invalid(const char *member, GError **error)
{
    g_set_error(error, AGENT_JSON_ERROR, 0,
                "tunnel: \"%s\" is missing or invalid", member);

    return FALSE;
}


/* one that is none is as good as missing */

static const char *
agent_msg_tunnel_id(const json_t *json, const char *name)
{
    const char  *id;

    id = agent_json_string(json, name, AGENT_TUNNEL_ID);

    return (id != NULL && id[0] != '\0'
            && id[strspn(id, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_")]
               == '\0')
           ? id : NULL;
}


gboolean
agent_msg_parse_tunnel(agent_msg_t *msg, GError **error)
{
    const char    *op;
    agent_open_t  *open = &msg->open;

    op = agent_json_string(msg->json, "op", AGENT_TUNNEL_ID);
    open->tunnel_id = agent_msg_tunnel_id(msg->json, "tunnel_id");
    open->pipe_id = agent_msg_tunnel_id(msg->json, "pipe_id");

    if (g_strcmp0(op, "open") == 0) {
        return agent_msg_tunnel_open(msg, error);
    }

    if (g_strcmp0(op, "cut") != 0) {
        return agent_msg_tunnel_invalid("op", error);
    }

    open->cut = TRUE;
    open->reason = agent_json_string(msg->json, "reason", AGENT_TUNNEL_NAME);

    return open->tunnel_id != NULL || open->pipe_id != NULL
           || agent_msg_tunnel_invalid("tunnel_id or pipe_id", error);
}


static gboolean
agent_msg_tunnel_open(agent_msg_t *msg, GError **error)
{
    const char    *protocol;
    const json_t  *requester;
    agent_open_t  *open = &msg->open;

    if (open->tunnel_id == NULL || open->pipe_id == NULL) {
        return agent_msg_tunnel_invalid("tunnel_id or pipe_id", error);
    }

    open->ticket = agent_json_string(msg->json, "ticket",
                                     AGENT_TUNNEL_SECRET);
    if (open->ticket == NULL) {
        return agent_msg_tunnel_invalid("ticket", error);
    }

    protocol = agent_json_string(msg->json, "protocol", AGENT_TUNNEL_ID);
    open->udp = (g_strcmp0(protocol, "udp") == 0);

    if (!open->udp && g_strcmp0(protocol, "tcp") != 0) {
        return agent_msg_tunnel_invalid("protocol", error);
    }

    if (!agent_msg_tunnel_target(open, json_object_get(msg->json, "target")))
    {
        return agent_msg_tunnel_invalid("target", error);
    }

    requester = agent_json_object(msg->json, "requester");
    open->requester_id = agent_json_string(requester, "id", AGENT_TUNNEL_ID);
    open->requester = agent_json_string(requester, "name", AGENT_TUNNEL_NAME);
    open->label = agent_json_string(msg->json, "label", AGENT_TUNNEL_NAME);

    return TRUE;
}


/* what may be at the other end is agent_tunnel.c's to say */

static gboolean
agent_msg_tunnel_target(agent_open_t *open, const json_t *json)
{
    gint64  port;

    if (json_is_string(json)) {
        open->shell = (strcmp(json_string_value(json), "shell") == 0);
        return open->shell && !open->udp;
    }

    open->recording = agent_msg_tunnel_id(json, "recording");

    if (open->recording != NULL) {
        return !open->udp;
    }

    open->command = agent_json_string(json, "command", AGENT_TUNNEL_ID);

    if (open->command != NULL) {
        open->args = agent_json_object(json, "args");
        open->secret = json_object_get(json, "secret");

        return !open->udp && (open->args != NULL
                              || json_object_get(json, "args") == NULL)
               && (open->secret == NULL || json_is_array(open->secret));
    }

    if (!agent_json_int(json, "port", 0, 65535, &port)) {
        return FALSE;
    }

    open->port = (guint) port;
    open->host = agent_json_string(json, "host", RS_TARGET_NAME_MAX + 2);

    return open->host != NULL;
}


char *
agent_msg_tunnel_refused(const char *tunnel_id, const char *pipe_id,
    const char *reason, const char *detail)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}",
                                     "type", "tunnel", "op", "refused",
                                     "tunnel_id", tunnel_id,
                                     "pipe_id", pipe_id, "reason", reason,
                                     "detail", detail));
}
