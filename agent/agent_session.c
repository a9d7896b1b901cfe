
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the socket of one session, and what makes it survive a break:
 *
 *     joining (ticket) -> live <-> away (resume token, position)
 *        ^                             |
 *        +-- resume refused, invited --+
 *
 * A resumed socket gets everything unacknowledged again under the same
 * numbers; the gateway drops what it has, and so does the agent: by position,
 * and by sender and number, for after a failover of the store others say
 * again what they said.
 *
 * Media does not depend on the socket: it goes on while the agent is away,
 * until the gateway's grace is over for certain.
 */

#define G_LOG_DOMAIN  "rs-session"

#include "agent.h"
#include "agent_control.h"
#include "agent_outbox.h"
#include "agent_policy.h"
#include "agent_report.h"
#include "agent_supply.h"
#include "agent_turn_shim.h"
#include "agent_viewer.h"

#include <string.h>


#define AGENT_SESSION_JOIN_S     60     /* a ticket's life */
#define AGENT_SESSION_AWAY_S     120    /* the gateway's resume grace */
#define AGENT_SESSION_BASE_MS    250
#define AGENT_SESSION_CAP_MS     5000
#define AGENT_SESSION_BEFORE_S   60     /* a failover may forget a resume */
#define AGENT_SESSION_PEERS      64


/* a ticket of a pipe was asked for */

typedef struct {
    char   *to;
    guint   pc;
} agent_asked_t;


struct agent_session_s {
    agent_t         *agent;
    char            *id;
    char            *ticket;        /* not used yet, or NULL; secret */
    gint64           ticket_us;     /* until when it may be good */
    char            *resume;        /* secret */
    char            *before;        /* the one it replaced, or NULL; secret */
    gint64           before_us;     /* until when it may be good */
    char             position[AGENT_MSG_POSITION];

    agent_socket_t  *socket;
    guint            timer;         /* of the next attempt */
    guint            attempt;
    gint64           deadline_us;   /* to be live again */
    gboolean         live;
    gboolean         refused;       /* so was the credential */
    gboolean         over;          /* the session is */
    gboolean         leaving;
    gboolean         goaway;
    gboolean         asked;         /* the gateway asked for the delay */
    guint            after_ms;
    guint            jitter_ms;

    char            *path;          /* a report that may be lost, or NULL */
    gint64           path_us;       /* when it was sent, 0: it was not */
    agent_outbox_t  *outbox;
    guint            outbox_timer;

    agent_rights_t   rights;        /* left by the gateway */
    agent_control_t *control;
    GHashTable      *viewers;       /* id -> agent_viewer_t */
    GHashTable      *tickets;       /* id of a message -> agent_asked_t */
    agent_supply_t  *supply;        /* ICE servers */
    agent_shim_t    *shim;
    agent_report_t  *report;        /* why there is no path */
};


static void agent_session_connect(agent_session_t *session);
static gboolean agent_session_retry(gpointer data);
static void agent_session_text(void *data, const char *text, gsize len);
static void agent_session_closed(void *data, guint code, guint retry_s,
    const char *why);
static gboolean agent_session_hopeless(agent_session_t *session, guint code);
static gboolean agent_session_forgotten(agent_session_t *session, guint code);
static gboolean agent_session_anew(agent_session_t *session, guint code);
static guint agent_session_delay(agent_session_t *session, guint retry_s);
static gboolean agent_session_known(agent_session_t *session,
    const agent_msg_t *msg);

static gboolean agent_session_dispatch(agent_session_t *session,
    agent_msg_t *msg);
static gboolean agent_session_welcome(agent_session_t *session,
    agent_msg_t *msg);
static void agent_session_error(agent_session_t *session, agent_msg_t *msg);
static void agent_session_peers(agent_session_t *session, GPtrArray *peers);
static void agent_session_control(agent_session_t *session,
    const agent_msg_t *msg);
static void agent_session_hand(agent_session_t *session);
static void agent_session_entered(agent_session_t *session);
static void agent_session_members(agent_session_t *session);
static void agent_session_absent(agent_session_t *session, GPtrArray *peers);
static void agent_session_input(agent_session_t *session, agent_msg_t *msg);
static void agent_session_signal(agent_session_t *session, agent_msg_t *msg);
static void agent_session_moved(agent_session_t *session,
    const char *position);

static void agent_session_say(agent_session_t *session, char *text);
static void agent_session_report(agent_session_t *session);
static void agent_session_reported(agent_session_t *session, gint64 now_us);
static void agent_session_post(agent_session_t *session, gint64 id,
    char *text);
static void agent_session_send(void *data, const char *text);
static void agent_session_flush(agent_session_t *session);
static gboolean agent_session_flush_later(gpointer data);

static void agent_session_on_ask(void *data);
static void agent_session_serve(void *data);

static void agent_session_on_answer(void *data, const char *to, guint pc,
    const char *sdp, const agent_seal_t *seal);
static void agent_session_on_candidate(void *data, const char *to, guint pc,
    const char *candidate, guint mline, const char *mid);
static void agent_session_on_report(void *data, const char *to, guint pc,
    json_t *checks);
static void agent_session_on_failed(void *data, const char *to, guint pc,
    const char *code, const char *message);
static void agent_session_on_path(void *data, const agent_path_t *path);
static void agent_session_on_pipe(void *data, const char *to, guint pc,
    const char *name);
static void agent_session_on_piped(void *data, const char *to, guint pc,
    const char *key, const char *codec, const agent_seal_t *seal);
static void agent_session_ticket(agent_session_t *session, gint64 id,
    const char *ticket);
static void agent_session_unasked(agent_session_t *session);
static void agent_session_asked_free(void *data);
static void agent_session_on_ready(void *data);
static void agent_session_on_silent(void *data);
static void agent_session_nudge(agent_session_t *session);
static void agent_session_on_consent(void *data, const char *to, guint pc,
    const char *state, guint timeout_s);
static gboolean agent_session_wanted(agent_session_t *session);


static const agent_socket_events_t  agent_session_socket_events = {
    agent_session_text,
    agent_session_closed
};

static const agent_supply_events_t  agent_session_supply_events = {
    agent_session_on_ask,
    agent_session_serve
};

static const agent_viewer_events_t  agent_session_viewer_events = {
    agent_session_on_answer,
    agent_session_on_candidate,
    agent_session_on_failed,
    agent_session_on_path,
    agent_session_on_pipe,
    agent_session_on_piped,
    agent_session_on_consent,
    agent_session_on_ready,
    agent_session_on_silent
};


void
agent_session_start(agent_t *agent, const char *id, const char *ticket,
    const agent_rights_t *rights)
{
    agent_session_t  *session;

    session = g_new0(agent_session_t, 1);
    session->agent = agent;
    session->id = g_strdup(id);
    session->rights = *rights;
    session->outbox = agent_outbox_new(agent_session_send, session);
    session->supply = agent_supply_new(agent->relays,
                                       &agent_session_supply_events, session);
    session->shim = agent_shim_new(agent->tls, agent->proxy);
    session->report = agent_report_new(agent_session_on_report, session);
    session->control = agent_control_new();
    session->viewers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                     (GDestroyNotify) agent_viewer_free);

    session->tickets = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                             g_free, agent_session_asked_free);

    g_hash_table_insert(agent->sessions, session->id, session);
    agent_session_invited(session, ticket);
}


void
agent_session_invited(agent_session_t *session, const char *ticket)
{
    g_free(session->ticket);
    session->ticket = g_strdup(ticket);
    session->ticket_us = g_get_monotonic_time()
                         + AGENT_SESSION_JOIN_S * G_USEC_PER_SEC;

    if (session->resume != NULL) {
        /* for the case that the gateway does not take that one any more */
        return;
    }

    g_clear_handle_id(&session->timer, g_source_remove);
    g_clear_pointer(&session->socket, agent_socket_free);

    session->attempt = 0;
    session->deadline_us = session->ticket_us;
    agent_session_connect(session);
}


void
agent_session_free(agent_session_t *session)
{
    g_clear_handle_id(&session->timer, g_source_remove);
    g_clear_handle_id(&session->outbox_timer, g_source_remove);
    g_clear_pointer(&session->socket, agent_socket_free);

    g_hash_table_unref(session->viewers);
    g_hash_table_unref(session->tickets);
    agent_report_free(session->report);
    agent_shim_free(session->shim);
    agent_supply_free(session->supply);
    agent_outbox_free(session->outbox);
    agent_control_free(session->control);

    g_free(session->ticket);
    g_free(session->resume);
    g_free(session->before);
    g_free(session->path);
    g_free(session->id);
    g_free(session);
}


void
agent_session_end(agent_session_t *session, const char *why)
{
    agent_t  *agent = session->agent;

    g_message("session %s over: %s", session->id, why);

    if (agent->service != NULL && agent->service->ended != NULL) {
        agent->service->ended(agent->service_data, session->id, why);
    }

    /* the table owns it */

    g_hash_table_remove(agent->sessions, session->id);
    agent_own_check(agent);
    agent_quit_check(agent);
}


void
agent_session_bye(agent_session_t *session)
{
    session->leaving = TRUE;
    g_hash_table_remove_all(session->viewers);

    if (session->socket == NULL) {
        agent_session_end(session, "this agent stops");
        return;
    }

    agent_session_say(session, agent_msg_bye("stopped"));
    agent_socket_close(session->socket, AGENT_CLOSE_DONE);
}


void
agent_session_refuse(agent_session_t *session, const char *reason,
    const char *detail)
{
    g_message("session %s refused: %s: %s", session->id, reason, detail);

    /* the gateway's answer to this is the end; without it, leaving is */

    if (session->agent->signal != NULL
        && agent_signal_say(session->agent->signal,
                            agent_msg_reject(session->id, reason, detail)))
    {
        agent_session_end(session, detail);
        return;
    }

    agent_session_bye(session);
}


gboolean
agent_session_shown(const agent_session_t *session)
{
    return agent_policy_consent(session->agent->config,
                                session->rights.consent)
           != AGENT_CONSENT_NONE;
}


void
agent_session_resized(agent_session_t *session)
{
    gpointer        viewer;
    GHashTableIter  iter;

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        agent_viewer_resized(viewer);
    }
}


void
agent_session_network(agent_session_t *session, agent_network_e what)
{
    gpointer        viewer;
    GHashTableIter  iter;

    agent_session_nudge(session);

    if (what == AGENT_NETWORK_GAINED) {
        return;
    }

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        agent_viewer_moved(viewer);
    }
}


static void
agent_session_nudge(agent_session_t *session)
{
    if (session->socket != NULL) {
        agent_socket_nudge(session->socket);

    } else if (session->timer != 0 && !session->asked) {
        session->attempt = 0;
        g_clear_handle_id(&session->timer, g_source_remove);
        agent_session_connect(session);
    }
}


/* the media may have no path any more, and so may the socket */

static void
agent_session_on_silent(void *data)
{
    agent_session_nudge(data);
}


static void
agent_session_connect(agent_session_t *session)
{
    const char         *protocols[] = { "rs.v1", NULL, NULL };
    g_autofree char    *url = NULL;
    g_autofree char    *secret = NULL;

    url = g_strconcat(session->agent->socket_url, "/signal", NULL);

    secret = (session->resume != NULL)
             ? g_strdup_printf("rs.resume.%s.%s", session->resume,
                               session->position)
             : g_strdup_printf("rs.ticket.%s", session->ticket);
    protocols[1] = secret;

    session->goaway = FALSE;
    session->refused = FALSE;
    session->socket = agent_socket_new(session->agent->soup, url, protocols,
                                       &agent_session_socket_events, session);
}


static gboolean
agent_session_retry(gpointer data)
{
    agent_session_t  *session = data;

    session->timer = 0;
    agent_session_connect(session);

    return G_SOURCE_REMOVE;
}


/* nothing brings this participant back */

static gboolean
agent_session_hopeless(agent_session_t *session, guint code)
{
    return session->over || session->leaving || session->refused
           || code == AGENT_CLOSE_DONE || (code >= 4400 && code < 4500
                                           && code != 4408);
}


/*
 * A failover of the store can forget the newest resume: then it knows the
 * socket and the token before it, and this one is a stranger.  They are tried
 * once.
 */

static gboolean
agent_session_forgotten(agent_session_t *session, guint code)
{
    if (session->over || session->leaving || session->before == NULL
        || g_get_monotonic_time() > session->before_us
        || !(session->refused || code == 4401 || code == 4409))
    {
        return FALSE;
    }

    g_free(session->resume);
    session->resume = g_steal_pointer(&session->before);

    return TRUE;
}


/*
 * The gateway does not know this participant any more, but has invited the
 * device once more, for it never saw the host come: joins with that ticket.
 */

static gboolean
agent_session_anew(agent_session_t *session, guint code)
{
    if (session->over || session->leaving || session->resume == NULL
        || session->ticket == NULL
        || g_get_monotonic_time() > session->ticket_us
        || !(session->refused || code == 4401 || code == 4404))
    {
        return FALSE;
    }

    g_clear_pointer(&session->resume, g_free);
    session->attempt = 0;
    session->deadline_us = session->ticket_us;

    return TRUE;
}


/* never later than the deadline: the last attempt counts */

static guint
agent_session_delay(agent_session_t *session, guint retry_s)
{
    gint64  delay_ms, left_ms;

    delay_ms = session->goaway
               ? session->after_ms
                 + g_random_int_range(0, (gint32) session->jitter_ms + 1)
               : (gint64) retry_s * 1000
                 + agent_backoff(AGENT_SESSION_BASE_MS, AGENT_SESSION_CAP_MS,
                                 session->attempt++);

    left_ms = (session->deadline_us - g_get_monotonic_time()) / 1000;

    return (guint) CLAMP(delay_ms, 0, MAX(left_ms, 0));
}


static void
agent_session_closed(void *data, guint code, guint retry_s, const char *why)
{
    guint             delay_ms;
    gint64            now_us;
    agent_session_t  *session = data;

    g_clear_pointer(&session->socket, agent_socket_free);
    g_clear_handle_id(&session->outbox_timer, g_source_remove);
    now_us = g_get_monotonic_time();

    agent_session_reported(session, now_us);
    agent_session_unasked(session);

    if (session->live) {
        session->live = FALSE;
        session->attempt = 0;
        session->deadline_us = now_us
                               + AGENT_SESSION_AWAY_S * G_USEC_PER_SEC;
    }

    if (agent_session_hopeless(session, code)
        && !agent_session_forgotten(session, code)
        && !agent_session_anew(session, code))
    {
        agent_session_end(session, why);
        return;
    }

    if (now_us >= session->deadline_us) {
        agent_session_end(session, "the gateway was out of reach for too "
                          "long");
        return;
    }

    session->asked = session->goaway || retry_s != 0;
    delay_ms = agent_session_delay(session, retry_s);

    g_message("session %s: socket down (%u: %s), next attempt in %u ms",
              session->id, code, why, delay_ms);

    session->timer = g_timeout_add(delay_ms, agent_session_retry, session);
}


static void
agent_session_text(void *data, const char *text, gsize len)
{
    agent_session_t          *session = data;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_msg_t)    msg = NULL;

    msg = agent_msg_parse(AGENT_CHANNEL_SIGNAL, text, len,
                          g_get_monotonic_time(), &error);
    if (msg == NULL) {
        g_warning("message from the gateway is not understood: %s",
                  error->message);
        return;
    }

    if (agent_session_known(session, msg)) {
        return;
    }

    if (agent_session_dispatch(session, msg) && msg->position != NULL
        && msg->type != AGENT_MSG_WELCOME)
    {
        agent_session_moved(session, msg->position);
    }
}


/* logged, and handled before */

static gboolean
agent_session_known(agent_session_t *session, const agent_msg_t *msg)
{
    switch (msg->type) {

    case AGENT_MSG_SIGNAL:
    case AGENT_MSG_JOINED:
    case AGENT_MSG_LEFT:
    case AGENT_MSG_CONTROL:
    case AGENT_MSG_STATE:
        /* before the welcome nothing was */
        return session->resume != NULL
               && agent_msg_position_cmp(msg->position, session->position)
                  <= 0;

    default:
        return FALSE;
    }
}


/* FALSE: the session is gone */

static gboolean
agent_session_dispatch(agent_session_t *session, agent_msg_t *msg)
{
    switch (msg->type) {

    case AGENT_MSG_PING:
        agent_session_say(session, agent_msg_plain("pong"));
        return TRUE;

    case AGENT_MSG_WELCOME:
        return agent_session_welcome(session, msg);

    case AGENT_MSG_SIGNAL:
        agent_session_signal(session, msg);
        return TRUE;

    case AGENT_MSG_ACK:
        agent_outbox_ack(session->outbox, msg->id, g_get_monotonic_time());
        return TRUE;

    case AGENT_MSG_INPUT:
        agent_session_input(session, msg);
        return TRUE;

    case AGENT_MSG_PIPE:
        agent_session_ticket(session, msg->id, msg->ticket);
        return TRUE;

    case AGENT_MSG_JOINED:
        agent_session_peers(session, msg->peers);
        agent_session_control(session, msg);
        agent_session_members(session);
        return TRUE;

    case AGENT_MSG_CONTROL:
        agent_session_control(session, msg);
        agent_session_members(session);
        return TRUE;

    case AGENT_MSG_LEFT:
        if (g_hash_table_remove(session->viewers, msg->from)) {
            g_message("session %s: %s left", session->id, msg->from);
        }

        agent_session_control(session, msg);
        agent_session_members(session);
        return TRUE;

    case AGENT_MSG_STATE:
        if (msg->ended) {
            agent_session_end(session, "ended");
            return FALSE;
        }

        return TRUE;

    case AGENT_MSG_ICE:
        agent_supply_take(session->supply, g_steal_pointer(&msg->ice));
        agent_session_serve(session);
        return TRUE;

    case AGENT_MSG_ENDED:
        agent_session_end(session, msg->text);
        return FALSE;

    case AGENT_MSG_RESYNC:
        agent_outbox_resync(session->outbox, g_get_monotonic_time());
        agent_session_flush(session);
        agent_session_report(session);
        return TRUE;

    case AGENT_MSG_ERROR:
        agent_session_error(session, msg);
        return TRUE;

    case AGENT_MSG_GOAWAY:
        session->goaway = TRUE;
        session->after_ms = msg->after_ms;
        session->jitter_ms = msg->jitter_ms;
        return TRUE;

    default:
        return TRUE;
    }
}


static gboolean
agent_session_welcome(agent_session_t *session, agent_msg_t *msg)
{
    if (msg->role != AGENT_ROLE_HOST
        || strcmp(msg->session_id, session->id) != 0)
    {
        agent_session_end(session, "the gateway's welcome is to another "
                          "session or role");
        return FALSE;
    }

    agent_rights_narrow(&session->rights, &msg->rights);

    /* after a resume the position moves with the messages that follow */

    if (session->resume == NULL) {
        agent_session_moved(session, msg->position);
        agent_session_absent(session, msg->peers);
        agent_control_self(session->control, msg->self);
        agent_session_control(session, msg);
    }

    g_free(session->before);
    session->before = session->resume;
    session->before_us = g_get_monotonic_time()
                         + AGENT_SESSION_BEFORE_S * G_USEC_PER_SEC;
    session->resume = g_strdup(msg->resume);
    g_clear_pointer(&session->ticket, g_free);

    agent_supply_take(session->supply, g_steal_pointer(&msg->ice));

    session->live = TRUE;
    agent_socket_keepalive(session->socket, msg->ping_s);

    g_message("session %s: joined as host", session->id);

    agent_session_peers(session, msg->peers);
    agent_session_entered(session);

    if (agent_control_taking(session->control)) {
        agent_session_say(session, agent_msg_control("take"));
    }

    agent_outbox_restart(session->outbox, g_get_monotonic_time());
    agent_session_flush(session);
    agent_session_report(session);
    agent_session_serve(session);

    return TRUE;
}


static void
agent_session_moved(agent_session_t *session, const char *position)
{
    g_strlcpy(session->position, position, sizeof(session->position));
}


/* a message that was not taken now, but may be taken later */

static gboolean
agent_session_passing(const char *code)
{
    gsize  i;

    static const char *const  codes[] = {
        "unavailable", "uncertain", "overloaded", "internal", "rate_limited",
        "going_away", "draining"
    };

    for (i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (strcmp(code, codes[i]) == 0) {
            return TRUE;
        }
    }

    return FALSE;
}


static void
agent_session_error(agent_session_t *session, agent_msg_t *msg)
{
    g_warning("session %s: the gateway says %s: %s", session->id, msg->code,
              msg->text);

    if (g_hash_table_contains(session->tickets, &msg->id)) {
        agent_session_ticket(session, msg->id, NULL);
        return;
    }

    /* a message it will never take must not be sent again */

    if (msg->id != 0 && !agent_session_passing(msg->code)) {
        agent_outbox_ack(session->outbox, msg->id, g_get_monotonic_time());
    }

    if (msg->id == 0 && strcmp(msg->code, "unavailable") == 0) {
        session->path_us = 0;
    }

    if (strcmp(msg->code, "session_ended") == 0) {
        session->over = TRUE;
    }

    if (strcmp(msg->code, "resume_too_old") == 0
        || strcmp(msg->code, "unauthenticated") == 0)
    {
        session->refused = TRUE;
    }
}


static void
agent_session_peers(agent_session_t *session, GPtrArray *peers)
{
    guint            i;
    agent_peer_t    *peer;
    agent_viewer_t  *viewer;

    for (i = 0; i < peers->len; i++) {
        peer = g_ptr_array_index(peers, i);

        if (peer->role == AGENT_ROLE_HOST
            || g_hash_table_contains(session->viewers, peer->id))
        {
            continue;
        }

        if (g_hash_table_size(session->viewers) == AGENT_SESSION_PEERS) {
            g_warning("session %s: more than %d participants", session->id,
                      AGENT_SESSION_PEERS);
            return;
        }

        viewer = agent_viewer_new(session->agent, session->id,
                                  &session->rights, peer,
                                  &agent_session_viewer_events, session);
        g_hash_table_insert(session->viewers, g_strdup(peer->id), viewer);
        agent_viewer_control(viewer, agent_control_holds(session->control,
                                                         peer->id));

        g_message("session %s: %s (\"%s\") takes part", session->id,
                  peer->id, peer->name);
    }
}


static void
agent_session_control(agent_session_t *session, const agent_msg_t *msg)
{
    if (!msg->controlled) {
        return;
    }

    agent_control_told(session->control, msg->holder);

    g_message("session %s: %s has control", session->id,
              msg->holder != NULL ? msg->holder : "nobody");

    agent_session_hand(session);
}


/* all of them are told, for who has it no more lets go of its keys first */

static void
agent_session_hand(agent_session_t *session)
{
    gpointer        id, viewer;
    GHashTableIter  iter;

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, &id, &viewer)) {
        agent_viewer_control(viewer,
                             agent_control_holds(session->control, id));
    }

    agent_own_check(session->agent);
}


static void
agent_session_entered(agent_session_t *session)
{
    agent_t  *agent = session->agent;

    if (agent->service != NULL && agent->service->joined != NULL) {
        agent->service->joined(agent->service_data, session->id);
    }

    agent_session_members(session);
}


/* of two with control, before it is known who has it, a guest is none */

static void
agent_session_members(agent_session_t *session)
{
    gpointer          viewer;
    gboolean          user;
    agent_t          *agent = session->agent;
    agent_about_t     about;
    GHashTableIter    iter;
    agent_members_t   members;

    if (agent->service == NULL || agent->service->members == NULL) {
        return;
    }

    memset(&members, 0, sizeof(members));
    user = FALSE;
    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        about = agent_viewer_about(viewer);

        if (about.role != AGENT_ROLE_CONTROLLER
            && about.role != AGENT_ROLE_VIEWER)
        {
            continue;
        }

        members.people++;

        if (agent_viewer_controls(viewer)) {
            user = user || !about.guest;
            members.guest = about.guest;
        }
    }

    members.guest = members.guest && !user;
    agent->service->members(agent->service_data, session->id, &members);
}


/* at once: the gateway may be away, and who had control is not */

void
agent_session_take(agent_session_t *session, gboolean own)
{
    agent_control_take(session->control, own);
    agent_session_hand(session);
    agent_session_say(session, agent_msg_control(own ? "take" : "release"));
}


gboolean
agent_session_own(const agent_session_t *session)
{
    return agent_control_taken(session->control);
}


/* joined anew: who left meanwhile is not told */

static void
agent_session_absent(agent_session_t *session, GPtrArray *peers)
{
    guint            i;
    gpointer         id;
    gboolean         here;
    agent_peer_t    *peer;
    GHashTableIter   iter;

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        here = FALSE;

        for (i = 0; i < peers->len && !here; i++) {
            peer = g_ptr_array_index(peers, i);
            here = (strcmp(peer->id, id) == 0);
        }

        if (!here) {
            g_hash_table_iter_remove(&iter);
        }
    }
}


static void
agent_session_input(agent_session_t *session, agent_msg_t *msg)
{
    agent_viewer_t  *viewer;

    viewer = g_hash_table_lookup(session->viewers, msg->from);

    if (viewer != NULL) {
        agent_viewer_input(viewer, msg->data);
    }
}


static void
agent_session_signal(agent_session_t *session, agent_msg_t *msg)
{
    agent_viewer_t      *viewer;
    agent_peer_msg_t    *peer = &msg->peer;
    agent_probe_way_t    way = { session->agent->tls,
                                 session->agent->proxy };

    viewer = g_hash_table_lookup(session->viewers, msg->from);

    if (viewer == NULL) {
        g_debug("signal of %s, who takes no part", msg->from);
        return;
    }

    if (!agent_viewer_fresh(viewer, msg->id)) {
        g_debug("signal %" G_GINT64_FORMAT " of %s once more", msg->id,
                msg->from);
        return;
    }

    switch (peer->kind) {

    case AGENT_PEER_OFFER:
        agent_viewer_offer(viewer, peer->pc, peer->text, peer->proof);
        return;

    case AGENT_PEER_CANDIDATE:
        agent_viewer_candidate(viewer, peer->pc, peer->text, peer->mline);
        return;

    case AGENT_PEER_PIPE:
        agent_viewer_offer_pipe(viewer, peer->pc, &peer->pipe, peer->proof);
        return;

    case AGENT_PEER_DIAGNOSE:
        agent_report_ask(session->report, msg->from, peer->pc,
                         agent_supply_last(session->supply), &way);
        return;

    default:
        return;
    }
}


/* somebody is served, or may yet be */

static gboolean
agent_session_wanted(agent_session_t *session)
{
    gpointer        viewer;
    GHashTableIter  iter;

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        if (agent_viewer_welcome(viewer)) {
            return TRUE;
        }
    }

    return FALSE;
}


/* a no to the only one is a no to the session */

static void
agent_session_on_consent(void *data, const char *to, guint pc,
    const char *state, guint timeout_s)
{
    gint64            id;
    agent_t          *agent;
    agent_session_t  *session = data;

    agent = session->agent;
    g_message("session %s, %s: consent %s", session->id, to, state);

    if (agent->signal != NULL) {
        (void) agent_signal_say(agent->signal,
                                agent_msg_consent(session->id, to, state));
    }

    if (strcmp(state, "waiting") == 0) {
        id = agent_outbox_next(session->outbox);
        agent_session_post(session, id,
                           agent_msg_waiting(to, id, pc, timeout_s));
        return;
    }

    if (strcmp(state, "given") == 0 || agent_session_wanted(session)) {
        return;
    }

    if (strcmp(state, "timeout") == 0) {
        agent_session_refuse(session, "consent_timeout",
                             "nobody at the device answered in time");

    } else {
        agent_session_refuse(session, "consent_denied",
                             "the person at the device said no");
    }
}


static void
agent_session_on_ask(void *data)
{
    agent_session_t  *session = data;

    if (session->live) {
        agent_session_say(session, agent_msg_plain("ice"));
    }
}


/* an offer may be served */

static void
agent_session_on_ready(void *data)
{
    agent_session_t  *session = data;

    if (agent_supply_want(session->supply)) {
        agent_session_serve(session);
    }
}


static void
agent_session_serve(void *data)
{
    gpointer            viewer;
    GHashTableIter      iter;
    agent_session_t    *session = data;
    const agent_ice_t  *ice;

    ice = agent_supply_ice(session->supply);

    if (ice == NULL) {
        return;
    }

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        agent_viewer_serve(viewer, ice, session->shim);
    }
}


/* not numbered, not kept; takes text over */

static void
agent_session_say(agent_session_t *session, char *text)
{
    if (session->socket != NULL) {
        agent_socket_send(session->socket, text);
    }

    g_free(text);
}


/* a signal, made with that id of the outbox; takes text over */

static void
agent_session_post(agent_session_t *session, gint64 id, char *text)
{
    agent_outbox_put(session->outbox, id, text, g_get_monotonic_time());
    agent_session_flush(session);
}


static void
agent_session_send(void *data, const char *text)
{
    agent_session_t  *session = data;

    agent_socket_send(session->socket, text);
}


static void
agent_session_flush(agent_session_t *session)
{
    guint  wait_ms;

    if (!session->live || session->outbox_timer != 0) {
        return;
    }

    wait_ms = agent_outbox_flush(session->outbox, g_get_monotonic_time());

    if (wait_ms != 0) {
        session->outbox_timer = g_timeout_add(wait_ms,
                                              agent_session_flush_later,
                                              session);
    }
}


static gboolean
agent_session_flush_later(gpointer data)
{
    agent_session_t  *session = data;

    session->outbox_timer = 0;
    agent_session_flush(session);

    return G_SOURCE_REMOVE;
}


static void
agent_session_on_answer(void *data, const char *to, guint pc,
    const char *sdp, const agent_seal_t *seal)
{
    gint64            id;
    agent_session_t  *session = data;

    id = agent_outbox_next(session->outbox);
    agent_session_post(session, id, agent_msg_answer(to, id, pc, sdp, seal));
}


static void
agent_session_on_piped(void *data, const char *to, guint pc, const char *key,
    const char *codec, const agent_seal_t *seal)
{
    gint64            id;
    agent_session_t  *session = data;

    id = agent_outbox_next(session->outbox);
    agent_session_post(session, id, agent_msg_piped(to, id, pc, key, codec,
                                                    seal));
}


/* its number is no signal's, so that an error is of one or the other */

static void
agent_session_on_pipe(void *data, const char *to, guint pc, const char *name)
{
    gint64            id;
    agent_asked_t    *asked;
    agent_session_t  *session = data;

    id = agent_outbox_next(session->outbox);

    asked = g_new0(agent_asked_t, 1);
    asked->to = g_strdup(to);
    asked->pc = pc;
    g_hash_table_insert(session->tickets, g_memdup2(&id, sizeof(id)), asked);

    if (!session->live
        || g_hash_table_size(session->tickets) > AGENT_SESSION_PEERS)
    {
        agent_session_ticket(session, id, NULL);
        return;
    }

    agent_session_say(session, agent_msg_pipe(to, name, id));
}


/* ticket: NULL where there is none */

static void
agent_session_ticket(agent_session_t *session, gint64 id, const char *ticket)
{
    gpointer           key, value;
    agent_asked_t     *asked;
    agent_viewer_t    *viewer;

    if (!g_hash_table_steal_extended(session->tickets, &id, &key, &value)) {
        return;
    }

    asked = value;
    viewer = g_hash_table_lookup(session->viewers, asked->to);

    if (viewer != NULL) {
        agent_viewer_ticket(viewer, asked->pc, ticket);
    }

    agent_session_asked_free(asked);
    g_free(key);
}


/* the socket broke: whoever was asked may have answered to nobody */

static void
agent_session_unasked(agent_session_t *session)
{
    gpointer        id;
    GHashTableIter  iter;

    for ( ;; ) {
        g_hash_table_iter_init(&iter, session->tickets);

        if (!g_hash_table_iter_next(&iter, &id, NULL)) {
            return;
        }

        agent_session_ticket(session, *(gint64 *) id, NULL);
    }
}


static void
agent_session_asked_free(void *data)
{
    agent_asked_t  *asked = data;

    g_free(asked->to);
    g_free(asked);
}


static void
agent_session_on_candidate(void *data, const char *to, guint pc,
    const char *candidate, guint mline, const char *mid)
{
    gint64            id;
    agent_session_t  *session = data;

    id = agent_outbox_next(session->outbox);
    agent_session_post(session, id, agent_msg_candidate(to, id, pc, candidate,
                                                        mline, mid));
}


static void
agent_session_on_failed(void *data, const char *to, guint pc,
    const char *code, const char *message)
{
    gint64            id;
    agent_session_t  *session = data;

    id = agent_outbox_next(session->outbox);
    agent_session_post(session, id, agent_msg_failed(to, id, pc, code,
                                                     message));
}


static void
agent_session_on_report(void *data, const char *to, guint pc, json_t *checks)
{
    gint64            id;
    agent_session_t  *session = data;

    id = agent_outbox_next(session->outbox);
    agent_session_post(session, id, agent_msg_report(to, id, pc, checks));
}


static void
agent_session_on_path(void *data, const agent_path_t *path)
{
    agent_path_t      named = *path;
    agent_session_t  *session = data;

    agent_ice_region(agent_supply_last(session->supply), &named);

    g_free(session->path);
    session->path = agent_msg_state(&named);
    agent_session_report(session);
}


/* a report is not acknowledged: the newest one is said again when in doubt */

static void
agent_session_report(agent_session_t *session)
{
    if (session->live && session->path != NULL) {
        agent_socket_send(session->socket, session->path);
        session->path_us = g_get_monotonic_time();
    }
}


/* what was sent long before the socket broke has arrived */

static void
agent_session_reported(agent_session_t *session, gint64 now_us)
{
    if (session->path_us != 0
        && now_us - session->path_us > AGENT_OUTBOX_KEEP_US)
    {
        g_clear_pointer(&session->path, g_free);
        session->path_us = 0;
    }
}
