
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the tunnels the device knows of, by their id and who uses them, and the
 * connections of each:
 *
 *     waits (the person, or the banner) -> dials -> is joined to its pipe
 *
 * The target is connected first: a leg that is there means that it is, too.
 * What agent.conf does not list is refused before anybody is asked.  The
 * person is asked once for a tunnel, not for each of its connections, and
 * again for somebody else or another target; a no, or the banner's button,
 * holds for as long as the tunnel can be there, whatever else comes.
 */

#define G_LOG_DOMAIN  "rs-tunnel"

#include "agent_tunnel.h"
#include "agent_dial.h"
#include "agent_pipe.h"
#include "agent_policy.h"
#include "agent_run.h"
#include "agent_shell.h"
#include "agent_text.h"
#include "agent_veto.h"
#include "agent_version.h"
#include "rs_err.h"

#include <string.h>


#define AGENT_TUNNEL_NAME  64           /* characters that are shown */


typedef struct {
    agent_tunnels_t  *owner;
    char             *key;              /* id and who uses it */
    char             *id;
    char             *name;             /* of who made it, for people */
    char             *text;             /* where it leads */
    char             *asked;            /* the same for people: of a command
                                           with its parameters */
    GList            *links;
    agent_ask_t      *ask;
    agent_shown_t    *shown;
    gboolean          granted;          /* the person said yes */
    guint             timer;            /* without links: hides, forgets */
    gint64            idle_us;
} agent_tunnel_t;


/* one connection */

typedef struct {
    agent_tunnel_t   *tunnel;
    char             *id;               /* of its pipe */
    char             *ticket;           /* secret; NULL once it was used */
    gboolean          shell;            /* a terminal; or */
    const agent_command_t  *command;    /* agent.conf's, with */
    char            **argv;             /* else: */
    char             *host;
    guint             port;
    gboolean          udp;
    agent_dial_t     *dial;
    agent_pipe_t     *pipe;
    agent_shell_t    *terminal;
    agent_run_t      *run;
} agent_link_t;


struct agent_tunnels_s {
    agent_t          *agent;
    GResolver        *resolver;
    void            (*say)(void *data, char *text);
    void             *data;
    GHashTable       *tunnels;          /* key -> agent_tunnel_t */
    GHashTable       *links;            /* pipe's id -> agent_link_t */
    agent_vetoes_t   *vetoes;           /* by the keys of tunnels */
};


static const char *agent_tunnels_refusal(agent_tunnels_t *tunnels,
    const agent_open_t *open, const char *key, char ***argv, char **detail);
static char **agent_tunnels_argv(const agent_config_t *config,
    const agent_open_t *open, char **detail);
static gboolean agent_tunnels_hidden(const agent_config_t *config,
    const agent_open_t *open);
static gboolean agent_tunnels_closed(const agent_config_t *config,
    const agent_open_t *open);
static void agent_tunnels_refuse(agent_tunnels_t *tunnels,
    const char *tunnel_id, const char *pipe_id, const char *reason,
    const char *detail);
static agent_tunnel_t *agent_tunnels_get(agent_tunnels_t *tunnels,
    const agent_open_t *open, const char *key);
static char *agent_tunnel_key(const agent_open_t *open);
static gboolean agent_tunnels_room(agent_tunnels_t *tunnels);
static char *agent_tunnel_text(const agent_open_t *open);
static char *agent_tunnel_asked(const agent_open_t *open);
static gboolean agent_tunnel_secret(const agent_open_t *open,
    const char *name);

static void agent_tunnel_admit(agent_tunnel_t *tunnel);
static void agent_tunnel_answered(void *data, agent_answer_e answer);
static agent_subject_t agent_tunnel_subject(const agent_tunnel_t *tunnel);
static void agent_tunnel_refuse(agent_tunnel_t *tunnel, const char *detail);
static void agent_tunnel_end(agent_tunnel_t *tunnel, rs_err_e why);
static void agent_tunnel_idle(agent_tunnel_t *tunnel);
static gboolean agent_tunnel_hide(gpointer data);
static gboolean agent_tunnel_forget(gpointer data);
static void agent_tunnel_free(void *data);

static void agent_link_start(agent_link_t *link);
static void agent_link_refuse(agent_link_t *link, const char *reason,
    const char *detail);
static void agent_link_to(agent_link_t *link, agent_wire_to_t *to,
    char **url);
static void agent_link_dialled(void *data, agent_dial_e verdict, int fd,
    const char *why);
static void agent_link_shell(agent_link_t *link);
static void agent_link_hung_up(void *data, const agent_shell_end_t *end);
static void agent_link_run(agent_link_t *link);
static void agent_link_ran(void *data, const agent_run_end_t *end);
static void agent_link_closed(void *data, const agent_pipe_end_t *end);
static void agent_link_drop(agent_link_t *link);
static void agent_link_free(void *data);


static const agent_pipe_events_t  agent_link_events = {
    NULL,
    NULL,
    agent_link_closed
};


agent_tunnels_t *
agent_tunnels_new(agent_t *agent, GResolver *resolver,
    void (*say)(void *data, char *text), void *data)
{
    agent_tunnels_t  *tunnels;

    tunnels = g_new0(agent_tunnels_t, 1);
    tunnels->agent = agent;
    tunnels->resolver = resolver;
    tunnels->say = say;
    tunnels->data = data;
    tunnels->tunnels = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                             agent_tunnel_free);
    tunnels->links = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                           agent_link_free);
    tunnels->vetoes = agent_vetoes_new();

    return tunnels;
}


void
agent_tunnels_free(agent_tunnels_t *tunnels)
{
    g_hash_table_unref(tunnels->links);
    g_hash_table_unref(tunnels->tunnels);
    agent_vetoes_free(tunnels->vetoes);
    g_free(tunnels);
}


guint
agent_tunnels_count(const agent_tunnels_t *tunnels)
{
    return g_hash_table_size(tunnels->links);
}


void
agent_tunnels_open(agent_tunnels_t *tunnels, const agent_open_t *open)
{
    const char        *reason;
    agent_link_t      *link;
    agent_tunnel_t    *tunnel;
    g_auto(GStrv)      argv = NULL;
    g_autofree char   *key = agent_tunnel_key(open);
    g_autofree char   *detail = NULL;

    if (g_hash_table_contains(tunnels->links, open->pipe_id)) {
        g_debug("asked again for %s", open->pipe_id);
        return;
    }

    reason = agent_tunnels_refusal(tunnels, open, key, &argv, &detail);

    if (reason != NULL) {
        agent_tunnels_refuse(tunnels, open->tunnel_id, open->pipe_id, reason,
                             detail);
        return;
    }

    tunnel = agent_tunnels_get(tunnels, open, key);

    link = g_new0(agent_link_t, 1);
    link->tunnel = tunnel;
    link->id = g_strdup(open->pipe_id);
    link->ticket = g_strdup(open->ticket);
    link->shell = open->shell;
    link->command = (open->command != NULL)
                    ? g_hash_table_lookup(tunnels->agent->config->commands,
                                          open->command) : NULL;
    link->argv = g_steal_pointer(&argv);
    link->host = g_strdup(open->host);
    link->port = open->port;
    link->udp = open->udp;

    g_clear_handle_id(&tunnel->timer, g_source_remove);
    tunnel->links = g_list_append(tunnel->links, link);
    g_hash_table_insert(tunnels->links, link->id, link);

    g_message("tunnel %s: \"%s\" wants %s (%s)", tunnel->id, tunnel->name,
              tunnel->text, link->id);

    agent_tunnel_admit(tunnel);
}


/* what agent.conf alone says no to: nobody is asked, nothing looked up */

static const char *
agent_tunnels_refusal(agent_tunnels_t *tunnels, const agent_open_t *open,
    const char *key, char ***argv, char **detail)
{
    guint                   n;
    const agent_config_t   *config = tunnels->agent->config;
    g_autoptr(GDateTime)    now = g_date_time_new_now_local();

    *detail = agent_policy_tunnel(config, now);

    if (*detail != NULL) {
        return "policy";
    }

    if (open->shell && !config->shell) {
        *detail = g_strdup("this device gives no terminal: [tunnels] shell "
                           "of agent.conf");
        return "policy";
    }

    if (open->command != NULL) {
        *argv = agent_tunnels_argv(config, open, detail);

        if (*argv == NULL) {
            return "policy";
        }

        if (agent_tunnels_hidden(config, open)) {
            *detail = g_strdup("the person here is asked, and cannot be "
                               "shown parameters of that length");
            return "policy";
        }

    } else if (!open->shell && agent_tunnels_closed(config, open)) {
        *detail = g_strdup(rs_target_why(RS_TARGET_UNLISTED));
        return "target_refused";
    }

    if (agent_vetoes_has(tunnels->vetoes, key)) {
        *detail = g_strdup("ended by the person at the device");
        return "policy";
    }

    if (agent_vetoes_full(tunnels->vetoes, g_get_monotonic_time())) {
        *detail = g_strdup_printf("the person at the device has ended %d "
                                  "tunnels", AGENT_VETOES);
        return "policy";
    }

    n = agent_tunnels_count(tunnels);

    if (n >= config->max_tunnels) {
        *detail = g_strdup_printf("this device serves %u connections of "
                                  "tunnels and may serve %u", n,
                                  config->max_tunnels);
        return "busy";
    }

    if (!g_hash_table_contains(tunnels->tunnels, key)
        && !agent_tunnels_room(tunnels))
    {
        *detail = g_strdup_printf("this device knows of %d tunnels",
                                  AGENT_TUNNELS);
        return "busy";
    }

    return NULL;
}


static char **
agent_tunnels_argv(const agent_config_t *config, const agent_open_t *open,
    char **detail)
{
    char                  **argv;
    const agent_command_t  *command;
    g_autoptr(GError)       error = NULL;

    command = g_hash_table_lookup(config->commands, open->command);

    if (command == NULL) {
        *detail = g_strdup("this device has no such [command] in agent.conf");
        return NULL;
    }

    argv = agent_command_argv(command, open->args, &error);

    if (argv == NULL) {
        *detail = g_strdup(error->message);
    }

    return argv;
}


/* nobody says yes to what he has not seen the end of */

static gboolean
agent_tunnels_hidden(const agent_config_t *config, const agent_open_t *open)
{
    g_autofree char  *asked = agent_tunnel_asked(open);

    return agent_policy_tunnel_consent(config) == AGENT_CONSENT_REQUIRED
           && g_utf8_strlen(asked, -1) > RS_TARGET_NAME_MAX;
}


/* no rule is for it, whatever its name turns out to be */

static gboolean
agent_tunnels_closed(const agent_config_t *config, const agent_open_t *open)
{
    rs_target_t  target;

    return rs_target_parse(rs_str(open->host), open->port, open->udp,
                           &target) != RS_OK
           || !agent_targets_hopeful(config->targets, &target);
}


static void
agent_tunnels_refuse(agent_tunnels_t *tunnels, const char *tunnel_id,
    const char *pipe_id, const char *reason, const char *detail)
{
    g_message("tunnel %s: %s refused: %s: %s", tunnel_id, pipe_id, reason,
              detail);
    tunnels->say(tunnels->data,
                 agent_msg_tunnel_refused(tunnel_id, pipe_id, reason,
                                          detail));
}


static agent_tunnel_t *
agent_tunnels_get(agent_tunnels_t *tunnels, const agent_open_t *open,
    const char *key)
{
    const char        *name;
    agent_tunnel_t    *tunnel;
    g_autofree char   *text = NULL;
    g_autofree char   *asked = NULL;

    tunnel = g_hash_table_lookup(tunnels->tunnels, key);

    if (tunnel != NULL) {
        return tunnel;
    }

    name = (open->requester != NULL) ? open->requester
           : (open->requester_id != NULL) ? open->requester_id : "";
    text = agent_tunnel_text(open);
    asked = agent_tunnel_asked(open);

    tunnel = g_new0(agent_tunnel_t, 1);
    tunnel->owner = tunnels;
    tunnel->key = g_strdup(key);
    tunnel->id = g_strdup(open->tunnel_id);
    tunnel->name = agent_text_clean(name, strlen(name), AGENT_TUNNEL_NAME);
    tunnel->text = agent_text_clean(text, strlen(text), RS_TARGET_NAME_MAX);
    tunnel->asked = agent_text_clean(asked, strlen(asked),
                                     RS_TARGET_NAME_MAX);
    g_hash_table_insert(tunnels->tunnels, tunnel->key, tunnel);

    return tunnel;
}


/* the one that was used least of late makes room, unless it is used */

static gboolean
agent_tunnels_room(agent_tunnels_t *tunnels)
{
    gpointer          value;
    GHashTableIter    iter;
    agent_tunnel_t   *tunnel, *oldest;

    if (g_hash_table_size(tunnels->tunnels) < AGENT_TUNNELS) {
        return TRUE;
    }

    oldest = NULL;
    g_hash_table_iter_init(&iter, tunnels->tunnels);

    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        tunnel = value;

        if (tunnel->links == NULL
            && (oldest == NULL || tunnel->idle_us < oldest->idle_us))
        {
            oldest = tunnel;
        }
    }

    return oldest != NULL
           && g_hash_table_remove(tunnels->tunnels, oldest->key);
}


/*
 * None of them has a blank, but the last.  With other parameters a command is
 * another one; they are not kept, being perhaps secret.
 */

static char *
agent_tunnel_key(const agent_open_t *open)
{
    g_autofree char  *text = agent_tunnel_text(open);
    g_autofree char  *sum = NULL;

    if (open->args != NULL) {
        char  *args = json_dumps(open->args, JSON_COMPACT|JSON_SORT_KEYS);

        sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, args, -1);
        free(args);
    }

    return g_strconcat(open->tunnel_id, " ",
                       (open->requester_id != NULL) ? open->requester_id
                                                    : "", " ",
                       (sum != NULL) ? sum : "", " ", text, NULL);
}


static char *
agent_tunnel_text(const agent_open_t *open)
{
    if (open->shell) {
        return g_strdup("shell");
    }

    if (open->command != NULL) {
        return g_strconcat("run ", open->command, NULL);
    }

    return g_strdup_printf(strchr(open->host, ':') != NULL
                           && open->host[0] != '['
                           ? "[%s]:%u%s" : "%s:%u%s", open->host, open->port,
                           open->udp ? "/udp" : "");
}


/*
 * What people at the device say yes to: of a command its parameters, too.
 * These are in no log.
 */

static char *
agent_tunnel_asked(const agent_open_t *open)
{
    json_t                 *value;
    const char             *name;
    g_autofree char        *head = agent_tunnel_text(open);
    g_autoptr(GString)      text = g_string_new(head);

    json_object_foreach((json_t *) open->args, name, value) {
        g_string_append_printf(text, " %s=", name);

        if (agent_tunnel_secret(open, name)) {
            g_string_append(text, "***");

        } else if (json_is_string(value)) {
            g_string_append(text, json_string_value(value));

        } else if (json_is_integer(value)) {
            g_string_append_printf(text, "%" JSON_INTEGER_FORMAT,
                                   json_integer_value(value));
        }
    }

    return g_strdup(text->str);
}


static gboolean
agent_tunnel_secret(const agent_open_t *open, const char *name)
{
    gsize    i;
    json_t  *item;

    json_array_foreach(open->secret, i, item) {
        if (g_strcmp0(json_string_value(item), name) == 0) {
            return TRUE;
        }
    }

    return FALSE;
}


void
agent_tunnels_cut(agent_tunnels_t *tunnels, const agent_open_t *cut)
{
    GList             *item;
    agent_link_t      *link;
    agent_tunnel_t    *tunnel;
    g_autoptr(GList)   list = NULL;

    link = (cut->pipe_id != NULL)
           ? g_hash_table_lookup(tunnels->links, cut->pipe_id) : NULL;

    if (link != NULL) {
        g_message("tunnel %s: %s is cut: %s", link->tunnel->id, link->id,
                  cut->reason != NULL ? cut->reason : "no reason given");
        agent_link_drop(link);
    }

    if (cut->pipe_id != NULL) {
        return;
    }

    agent_vetoes_end(tunnels->vetoes, cut->tunnel_id);

    list = g_hash_table_get_values(tunnels->tunnels);

    for (item = list; item != NULL; item = item->next) {
        tunnel = item->data;

        if (strcmp(tunnel->id, cut->tunnel_id) == 0) {
            g_message("tunnel %s is cut: %s", tunnel->id,
                      cut->reason != NULL ? cut->reason : "no reason given");
            agent_tunnel_end(tunnel, RS_E_TUNNEL_ENDED);
            g_hash_table_remove(tunnels->tunnels, tunnel->key);
        }
    }
}


void
agent_tunnels_end(agent_tunnels_t *tunnels, gboolean veto)
{
    GList             *item;
    agent_tunnel_t    *tunnel;
    g_autoptr(GList)   list = NULL;

    list = g_hash_table_get_values(tunnels->tunnels);

    for (item = list; item != NULL; item = item->next) {
        tunnel = item->data;

        if (tunnel->shown == NULL) {
            continue;
        }

        g_message("tunnel %s of \"%s\" to %s is ended: %s", tunnel->id,
                  tunnel->name, tunnel->text,
                  veto ? "by the person at the device"
                       : "nobody can be told any more");

        if (veto) {
            agent_vetoes_add(tunnels->vetoes, tunnel->key,
                             g_get_monotonic_time());
        }

        agent_tunnel_end(tunnel, RS_E_FORBIDDEN);
        g_clear_pointer(&tunnel->shown, agent_shown_free);
    }
}


/* ---- a tunnel */

/* starts what waits, if it may start; else sees to it that it may */

static void
agent_tunnel_admit(agent_tunnel_t *tunnel)
{
    GList             *item;
    gboolean           prompt;
    agent_t           *agent = tunnel->owner->agent;
    agent_consent_e    consent;
    agent_subject_t    subject;
    g_autoptr(GList)   links = NULL;

    consent = agent_policy_tunnel_consent(agent->config);

    if (consent != AGENT_CONSENT_NONE && tunnel->shown == NULL) {

        if (tunnel->ask == NULL) {
            subject = agent_tunnel_subject(tunnel);
            prompt = (consent == AGENT_CONSENT_REQUIRED && !tunnel->granted);
            tunnel->ask = agent_ui_ask(agent->ui, &subject, prompt,
                                       agent_tunnel_answered, tunnel);
        }

        return;
    }

    links = g_list_copy(tunnel->links);

    for (item = links; item != NULL; item = item->next) {
        agent_link_start(item->data);
    }
}


static agent_subject_t
agent_tunnel_subject(const agent_tunnel_t *tunnel)
{
    agent_subject_t  subject;

    subject.name = tunnel->name;
    subject.by = NULL;
    subject.control = FALSE;
    subject.tunnel = tunnel->asked;

    return subject;
}


static void
agent_tunnel_answered(void *data, agent_answer_e answer)
{
    agent_tunnel_t   *tunnel = data;
    agent_subject_t   subject;

    tunnel->ask = NULL;

    switch (answer) {

    case AGENT_ANSWER_YES:
        tunnel->granted = TRUE;
        subject = agent_tunnel_subject(tunnel);
        tunnel->shown = agent_ui_show(tunnel->owner->agent->ui, &subject);
        agent_tunnel_admit(tunnel);
        return;

    case AGENT_ANSWER_NO:
        agent_vetoes_add(tunnel->owner->vetoes, tunnel->key,
                         g_get_monotonic_time());
        agent_tunnel_refuse(tunnel, "refused by the person at the device");
        return;

    case AGENT_ANSWER_TIMEOUT:
        agent_tunnel_refuse(tunnel, "the person at the device did not "
                                    "answer");
        return;

    case AGENT_ANSWER_IMPOSSIBLE:
        agent_tunnel_refuse(tunnel, "nobody can be asked or told at the "
                                    "device; where nobody sits, [tunnels] "
                                    "consent=none of agent.conf says so");
        return;
    }
}


/* all that wait */

static void
agent_tunnel_refuse(agent_tunnel_t *tunnel, const char *detail)
{
    GList             *item;
    agent_link_t      *link;
    g_autoptr(GList)   links = g_list_copy(tunnel->links);

    for (item = links; item != NULL; item = item->next) {
        link = item->data;
        agent_tunnels_refuse(tunnel->owner, tunnel->id, link->id, "policy",
                             detail);
        agent_link_drop(link);
    }
}


static void
agent_tunnel_end(agent_tunnel_t *tunnel, rs_err_e why)
{
    GList             *item;
    agent_link_t      *link;
    g_autoptr(GList)   links = g_list_copy(tunnel->links);

    for (item = links; item != NULL; item = item->next) {
        link = item->data;

        if (link->pipe != NULL) {
            agent_pipe_free(g_steal_pointer(&link->pipe),
                            rs_err_ws_close(why));

        } else if (link->terminal != NULL) {
            agent_shell_free(g_steal_pointer(&link->terminal),
                             rs_err_ws_close(why));

        } else if (link->run != NULL) {
            agent_run_free(g_steal_pointer(&link->run),
                           rs_err_ws_close(why));

        } else if (why == RS_E_FORBIDDEN) {
            agent_tunnels_refuse(tunnel->owner, tunnel->id, link->id,
                                 "policy", "ended at the device");
        }

        agent_link_drop(link);
    }
}


static void
agent_tunnel_idle(agent_tunnel_t *tunnel)
{
    g_clear_pointer(&tunnel->ask, agent_ask_cancel);
    g_clear_handle_id(&tunnel->timer, g_source_remove);
    tunnel->idle_us = g_get_monotonic_time();
    tunnel->timer = g_timeout_add_seconds(AGENT_TUNNEL_SHOWN_S,
                                          agent_tunnel_hide, tunnel);
}


static gboolean
agent_tunnel_hide(gpointer data)
{
    agent_tunnel_t  *tunnel = data;

    g_clear_pointer(&tunnel->shown, agent_shown_free);
    tunnel->timer = g_timeout_add_seconds(AGENT_TUNNEL_KEPT_S,
                                          agent_tunnel_forget, tunnel);

    return G_SOURCE_REMOVE;
}


static gboolean
agent_tunnel_forget(gpointer data)
{
    agent_tunnel_t  *tunnel = data;

    tunnel->timer = 0;
    g_hash_table_remove(tunnel->owner->tunnels, tunnel->key);

    return G_SOURCE_REMOVE;
}


static void
agent_tunnel_free(void *data)
{
    agent_tunnel_t  *tunnel = data;

    g_clear_pointer(&tunnel->ask, agent_ask_cancel);
    g_clear_pointer(&tunnel->shown, agent_shown_free);
    g_clear_handle_id(&tunnel->timer, g_source_remove);
    g_list_free(tunnel->links);
    g_free(tunnel->key);
    g_free(tunnel->id);
    g_free(tunnel->name);
    g_free(tunnel->text);
    g_free(tunnel->asked);
    g_free(tunnel);
}


/* ---- a connection */

static void
agent_link_start(agent_link_t *link)
{
    agent_tunnels_t  *tunnels = link->tunnel->owner;

    if (link->dial != NULL || link->pipe != NULL || link->terminal != NULL
        || link->run != NULL)
    {
        return;
    }

    if (link->shell) {
        agent_link_shell(link);
        return;
    }

    if (link->command != NULL) {
        agent_link_run(link);
        return;
    }

    link->dial = agent_dial_new(tunnels->agent->config->targets, link->host,
                                link->port, link->udp, tunnels->resolver,
                                agent_link_dialled, link);
}


static void
agent_link_refuse(agent_link_t *link, const char *reason, const char *detail)
{
    agent_tunnels_refuse(link->tunnel->owner, link->tunnel->id, link->id,
                         reason, detail);
    agent_link_drop(link);
}


/* *url is the caller's */

static void
agent_link_to(agent_link_t *link, agent_wire_to_t *to, char **url)
{
    agent_t  *agent = link->tunnel->owner->agent;

    memset(to, 0, sizeof(*to));
    *url = g_strconcat(agent->socket_url, "/pipe", NULL);
    to->url = *url;
    to->ticket = link->ticket;
    to->side = "host";
    to->program = "rs-agent/" AGENT_VERSION;
    to->tls = agent->tls;
    to->proxy = agent->proxy;
}


static void
agent_link_dialled(void *data, agent_dial_e verdict, int fd, const char *why)
{
    agent_link_t      *link = data;
    agent_wire_to_t    to;
    g_autofree char   *url = NULL;

    link->dial = NULL;

    if (verdict != AGENT_DIAL_CONNECTED) {
        agent_link_refuse(link, (verdict == AGENT_DIAL_REFUSED)
                                ? "target_refused" : "target_unreachable",
                          why);
        return;
    }

    agent_link_to(link, &to, &url);
    link->pipe = agent_pipe_new(&to, link->udp ? AGENT_PIPE_DATAGRAMS
                                               : AGENT_PIPE_STREAM,
                                fd, fd, &agent_link_events, link);
    g_clear_pointer(&link->ticket, g_free);
}


static void
agent_link_shell(agent_link_t *link)
{
    agent_wire_to_t           to;
    const agent_config_t     *config = link->tunnel->owner->agent->config;
    g_autofree char          *url = NULL;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_user_t)   user = NULL;

    user = agent_user_find(config->shell_user, &error);

    if (user == NULL) {
        g_warning("[tunnels] shell_user of agent.conf: %s", error->message);
        agent_link_refuse(link, "policy", error->message);
        return;
    }

    agent_link_to(link, &to, &url);
    link->terminal = agent_shell_new(&to, user, agent_link_hung_up, link,
                                     &error);
    g_clear_pointer(&link->ticket, g_free);

    if (link->terminal == NULL) {
        agent_link_refuse(link, "target_unreachable", error->message);
        return;
    }

    g_message("tunnel %s: %s is a terminal of %s for \"%s\"",
              link->tunnel->id, link->id, user->name, link->tunnel->name);
}


static void
agent_link_hung_up(void *data, const agent_shell_end_t *end)
{
    agent_link_t  *link = data;

    g_message("tunnel %s: %s, the terminal, %s: %s, %" G_GUINT64_FORMAT
              " bytes from it, %" G_GUINT64_FORMAT " to it",
              link->tunnel->id, link->id, end->clean ? "has ended" : "broke",
              end->why, end->sent, end->received);
    agent_link_drop(link);
}


/* what its parameters were is not logged: they may be anybody's */

static void
agent_link_run(agent_link_t *link)
{
    agent_wire_to_t           to;
    g_autofree char          *url = NULL;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_user_t)   user = NULL;

    user = agent_user_find(link->command->user, &error);

    if (user == NULL) {
        g_warning("[command %s] user of agent.conf: %s", link->command->name,
                  error->message);
        agent_link_refuse(link, "policy", error->message);
        return;
    }

    agent_link_to(link, &to, &url);
    link->run = agent_run_new(&to, link->command, link->argv, user,
                              agent_link_ran, link, &error);
    g_clear_pointer(&link->ticket, g_free);

    if (link->run == NULL) {
        agent_link_refuse(link, "target_unreachable", error->message);
        return;
    }

    g_message("tunnel %s: %s runs %s as %s for \"%s\"", link->tunnel->id,
              link->id, link->command->name, user->name, link->tunnel->name);
}


static void
agent_link_ran(void *data, const agent_run_end_t *end)
{
    agent_link_t  *link = data;

    g_message("tunnel %s: %s, the command %s, %s: %s, %" G_GUINT64_FORMAT
              " bytes from it", link->tunnel->id, link->id,
              link->command->name, end->clean ? "has ended" : "broke",
              end->why, end->sent);
    agent_link_drop(link);
}


static void
agent_link_closed(void *data, const agent_pipe_end_t *end)
{
    agent_link_t  *link = data;

    g_message("tunnel %s: %s to %s %s: %s, %" G_GUINT64_FORMAT " bytes from "
              "it, %" G_GUINT64_FORMAT " to it", link->tunnel->id, link->id,
              link->tunnel->text, end->clean ? "has ended" : "broke",
              end->clean ? "well" : end->wire.why, end->sent, end->received);
    agent_link_drop(link);
}


static void
agent_link_drop(agent_link_t *link)
{
    agent_tunnel_t  *tunnel = link->tunnel;

    tunnel->links = g_list_remove(tunnel->links, link);
    g_hash_table_remove(tunnel->owner->links, link->id);

    if (tunnel->links == NULL) {
        agent_tunnel_idle(tunnel);
    }
}


static void
agent_link_free(void *data)
{
    agent_link_t  *link = data;

    g_clear_pointer(&link->dial, agent_dial_free);

    if (link->pipe != NULL) {
        agent_pipe_free(link->pipe, rs_err_ws_close(RS_E_TUNNEL_ENDED));
    }

    if (link->terminal != NULL) {
        agent_shell_free(link->terminal, rs_err_ws_close(RS_E_TUNNEL_ENDED));
    }

    if (link->run != NULL) {
        agent_run_free(link->run, rs_err_ws_close(RS_E_TUNNEL_ENDED));
    }

    g_strfreev(link->argv);
    g_free(link->id);
    g_free(link->ticket);
    g_free(link->host);
    g_free(link);
}
