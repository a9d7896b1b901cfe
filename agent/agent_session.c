
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the socket of one session, and what makes it survive a break:
 *
 *     joining (ticket) -> live <-> away (resume token, position)
 *
 * What the agent says is numbered and kept: until the gateway acknowledges
 * it, and 30 s longer, because after a failover of the store it may ask for
 * that once more.  A resumed socket gets everything unacknowledged again
 * under the same numbers; the gateway drops what it has.
 *
 * Media does not depend on the socket: it goes on while the agent is away,
 * until the gateway's grace is over for certain.
 */

#define G_LOG_DOMAIN  "rs-session"

#include "agent.h"
#include "agent_turn_shim.h"
#include "agent_viewer.h"

#include <string.h>


#define AGENT_SESSION_JOIN_S     60     /* a ticket's life */
#define AGENT_SESSION_AWAY_S     120    /* the gateway's resume grace */
#define AGENT_SESSION_BASE_MS    250
#define AGENT_SESSION_CAP_MS     10000
#define AGENT_SESSION_KEEP_US    (30 * G_USEC_PER_SEC)
#define AGENT_SESSION_SENT       512    /* messages kept */
#define AGENT_SESSION_SENT_SIZE  (1024 * 1024)
#define AGENT_SESSION_ICE_S      5      /* waiting for fresh servers */
#define AGENT_SESSION_PEERS      64


typedef struct {
    gint64    id;
    char     *text;
    gint64    sent_us;
    gboolean  acked;
} agent_sent_t;


struct agent_session_s {
    agent_t         *agent;
    char            *id;
    char            *ticket;        /* NULL once welcomed; secret */
    char            *resume;        /* secret */
    char             position[AGENT_MSG_POSITION];

    agent_socket_t  *socket;
    guint            timer;         /* of the next attempt */
    guint            attempt;
    gint64           deadline_us;   /* to be live again */
    gboolean         live;
    gboolean         fatal;         /* the gateway refused for good */
    gboolean         leaving;
    gboolean         goaway;
    guint            after_ms;
    guint            jitter_ms;

    gint64           last_id;       /* of a signal of ours */
    GQueue           sent;          /* agent_sent_t */
    gsize            sent_size;

    GHashTable      *viewers;       /* id -> agent_viewer_t */
    agent_ice_t     *ice;
    agent_shim_t    *shim;
    guint            ice_timer;     /* fresh servers were asked for */
};


static void agent_session_connect(agent_session_t *session);
static gboolean agent_session_retry(gpointer data);
static void agent_session_text(void *data, const char *text, gsize len);
static void agent_session_closed(void *data, guint code, guint retry_s,
    const char *why);
static gboolean agent_session_hopeless(agent_session_t *session, guint code);

static gboolean agent_session_dispatch(agent_session_t *session,
    agent_msg_t *msg);
static gboolean agent_session_welcome(agent_session_t *session,
    agent_msg_t *msg);
static void agent_session_error(agent_session_t *session, agent_msg_t *msg);
static void agent_session_peers(agent_session_t *session, GPtrArray *peers);
static void agent_session_signal(agent_session_t *session, agent_msg_t *msg);
static void agent_session_moved(agent_session_t *session,
    const char *position);

static void agent_session_say(agent_session_t *session, char *text);
static void agent_session_post(agent_session_t *session, char *text);
static void agent_session_ack(agent_session_t *session, gint64 id);
static void agent_session_prune(agent_session_t *session);
static void agent_session_resend(agent_session_t *session, gboolean all);
static void agent_sent_free(void *data);

static gboolean agent_session_ice_late(gpointer data);
static void agent_session_serve(agent_session_t *session);

static void agent_session_on_answer(void *data, const char *to, guint pc,
    const char *sdp);
static void agent_session_on_candidate(void *data, const char *to, guint pc,
    const char *candidate, guint mline, const char *mid);
static void agent_session_on_failed(void *data, const char *to, guint pc,
    const char *code, const char *message);
static void agent_session_on_path(void *data, const agent_path_t *path);


static const agent_socket_events_t  agent_session_socket_events = {
    agent_session_text,
    agent_session_closed
};

static const agent_viewer_events_t  agent_session_viewer_events = {
    agent_session_on_answer,
    agent_session_on_candidate,
    agent_session_on_failed,
    agent_session_on_path
};


void
agent_session_start(agent_t *agent, const char *id, const char *ticket)
{
    agent_session_t  *session;

    session = g_new0(agent_session_t, 1);
    session->agent = agent;
    session->id = g_strdup(id);
    session->ticket = g_strdup(ticket);
    session->deadline_us = g_get_monotonic_time()
                           + AGENT_SESSION_JOIN_S * G_USEC_PER_SEC;
    session->shim = agent_shim_new(agent->tls);
    session->viewers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                     (GDestroyNotify) agent_viewer_free);
    g_queue_init(&session->sent);

    g_hash_table_insert(agent->sessions, session->id, session);
    agent_session_connect(session);
}


void
agent_session_free(agent_session_t *session)
{
    g_clear_handle_id(&session->timer, g_source_remove);
    g_clear_handle_id(&session->ice_timer, g_source_remove);
    g_clear_pointer(&session->socket, agent_socket_free);

    g_hash_table_unref(session->viewers);
    agent_shim_free(session->shim);
    g_clear_pointer(&session->ice, agent_ice_free);
    g_queue_clear_full(&session->sent, agent_sent_free);

    g_free(session->ticket);
    g_free(session->resume);
    g_free(session->id);
    g_free(session);
}


void
agent_session_end(agent_session_t *session, const char *why)
{
    agent_t  *agent = session->agent;

    g_message("session %s over: %s", session->id, why);

    /* the table owns it */

    g_hash_table_remove(agent->sessions, session->id);
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
agent_session_resized(agent_session_t *session)
{
    gpointer        viewer;
    GHashTableIter  iter;

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        agent_viewer_resized(viewer);
    }
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


/* close codes after which the same credential will never work again */

static gboolean
agent_session_hopeless(agent_session_t *session, guint code)
{
    return session->fatal || session->leaving
           || code == AGENT_CLOSE_DONE || (code >= 4400 && code < 4500
                                           && code != 4408);
}


static void
agent_session_closed(void *data, guint code, guint retry_s, const char *why)
{
    guint             delay_ms;
    gint64            now_us;
    agent_session_t  *session = data;

    g_clear_pointer(&session->socket, agent_socket_free);
    now_us = g_get_monotonic_time();

    if (session->live) {
        session->live = FALSE;
        session->attempt = 0;
        session->deadline_us = now_us
                               + AGENT_SESSION_AWAY_S * G_USEC_PER_SEC;
    }

    if (agent_session_hopeless(session, code)) {
        agent_session_end(session, why);
        return;
    }

    if (now_us > session->deadline_us) {
        agent_session_end(session, "the gateway was out of reach for too "
                          "long");
        return;
    }

    delay_ms = session->goaway
               ? session->after_ms
                 + (guint) g_random_int_range(0, (gint32) session->jitter_ms
                                              + 1)
               : retry_s * 1000 + agent_backoff(AGENT_SESSION_BASE_MS,
                                                AGENT_SESSION_CAP_MS,
                                                session->attempt++);

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

    if (agent_session_dispatch(session, msg) && msg->position != NULL
        && msg->type != AGENT_MSG_WELCOME)
    {
        agent_session_moved(session, msg->position);
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
        agent_session_ack(session, msg->id);
        return TRUE;

    case AGENT_MSG_JOINED:
        agent_session_peers(session, msg->peers);
        return TRUE;

    case AGENT_MSG_LEFT:
        if (g_hash_table_remove(session->viewers, msg->from)) {
            g_message("session %s: %s left", session->id, msg->from);
        }

        return TRUE;

    case AGENT_MSG_STATE:
        if (msg->ended) {
            agent_session_end(session, "ended");
            return FALSE;
        }

        return TRUE;

    case AGENT_MSG_ICE:
        g_clear_pointer(&session->ice, agent_ice_free);
        session->ice = g_steal_pointer(&msg->ice);
        g_clear_handle_id(&session->ice_timer, g_source_remove);
        agent_session_serve(session);
        return TRUE;

    case AGENT_MSG_ENDED:
        agent_session_end(session, msg->text);
        return FALSE;

    case AGENT_MSG_RESYNC:
        agent_session_resend(session, TRUE);
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

    /* after a resume the position moves with the messages that follow */

    if (session->resume == NULL) {
        agent_session_moved(session, msg->position);
    }

    g_free(session->resume);
    session->resume = g_strdup(msg->resume);
    g_clear_pointer(&session->ticket, g_free);

    g_clear_pointer(&session->ice, agent_ice_free);
    session->ice = g_steal_pointer(&msg->ice);

    session->live = TRUE;
    agent_socket_keepalive(session->socket, msg->ping_s);

    g_message("session %s: joined as host", session->id);

    agent_session_peers(session, msg->peers);
    agent_session_resend(session, FALSE);
    agent_session_serve(session);

    return TRUE;
}


static void
agent_session_moved(agent_session_t *session, const char *position)
{
    g_strlcpy(session->position, position, sizeof(session->position));
}


static void
agent_session_error(agent_session_t *session, agent_msg_t *msg)
{
    g_warning("session %s: the gateway says %s: %s", session->id, msg->code,
              msg->text);

    /* a message it will never take must not be sent again */

    if (msg->id != 0 && strcmp(msg->code, "rate_limited") != 0
        && strcmp(msg->code, "unavailable") != 0)
    {
        agent_session_ack(session, msg->id);
    }

    if (strcmp(msg->code, "resume_too_old") == 0
        || strcmp(msg->code, "session_ended") == 0
        || strcmp(msg->code, "unauthenticated") == 0)
    {
        session->fatal = TRUE;
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

        viewer = agent_viewer_new(session->agent, peer,
                                  &agent_session_viewer_events, session);
        g_hash_table_insert(session->viewers, g_strdup(peer->id), viewer);

        g_message("session %s: %s (\"%s\") takes part", session->id,
                  peer->id, peer->name);
    }
}


static void
agent_session_signal(agent_session_t *session, agent_msg_t *msg)
{
    agent_viewer_t    *viewer;
    agent_peer_msg_t  *peer = &msg->peer;

    viewer = g_hash_table_lookup(session->viewers, msg->from);

    if (viewer == NULL) {
        g_debug("signal of %s, who takes no part", msg->from);
        return;
    }

    switch (peer->kind) {

    case AGENT_PEER_OFFER:
        if (!agent_viewer_offer(viewer, peer->pc, peer->text)) {
            return;
        }

        if (!agent_ice_stale(session->ice, g_get_monotonic_time())) {
            agent_session_serve(session);
            return;
        }

        /* credentials about to run out would not allocate any more */

        if (session->ice_timer == 0) {
            agent_session_say(session, agent_msg_plain("ice"));
            session->ice_timer = g_timeout_add_seconds(AGENT_SESSION_ICE_S,
                                                   agent_session_ice_late,
                                                   session);
        }

        return;

    case AGENT_PEER_CANDIDATE:
        agent_viewer_candidate(viewer, peer->pc, peer->text, peer->mline);
        return;

    default:
        return;
    }
}


static gboolean
agent_session_ice_late(gpointer data)
{
    agent_session_t  *session = data;

    session->ice_timer = 0;
    g_warning("session %s: no fresh ICE servers within %d s, the old ones "
              "are tried", session->id, AGENT_SESSION_ICE_S);
    agent_session_serve(session);

    return G_SOURCE_REMOVE;
}


static void
agent_session_serve(agent_session_t *session)
{
    gpointer        viewer;
    GHashTableIter  iter;

    g_hash_table_iter_init(&iter, session->viewers);

    while (g_hash_table_iter_next(&iter, NULL, &viewer)) {
        agent_viewer_serve(viewer, session->ice, session->shim);
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


/* a signal, made with session->last_id; takes text over */

static void
agent_session_post(agent_session_t *session, char *text)
{
    agent_sent_t  *sent;

    agent_session_prune(session);

    sent = g_new0(agent_sent_t, 1);
    sent->id = session->last_id;
    sent->text = text;
    sent->sent_us = g_get_monotonic_time();

    g_queue_push_tail(&session->sent, sent);
    session->sent_size += strlen(text);

    if (session->live) {
        agent_socket_send(session->socket, text);
    }
}


static void
agent_sent_free(void *data)
{
    agent_sent_t  *sent = data;

    g_free(sent->text);
    g_free(sent);
}


/*
 * Drops what no resync can ask for any more; past the bound the oldest goes
 * in any case, since a viewer whose answer is lost offers again.
 */

static void
agent_session_prune(agent_session_t *session)
{
    gint64         now_us;
    agent_sent_t  *sent;

    now_us = g_get_monotonic_time();

    while ((sent = g_queue_peek_head(&session->sent)) != NULL) {

        if (session->sent.length < AGENT_SESSION_SENT
            && session->sent_size < AGENT_SESSION_SENT_SIZE
            && !(sent->acked
                 && now_us - sent->sent_us > AGENT_SESSION_KEEP_US))
        {
            return;
        }

        session->sent_size -= strlen(sent->text);
        agent_sent_free(g_queue_pop_head(&session->sent));
    }
}


static void
agent_session_ack(agent_session_t *session, gint64 id)
{
    GList         *link;
    agent_sent_t  *sent;

    for (link = session->sent.head; link != NULL; link = link->next) {
        sent = link->data;

        if (sent->id == id) {
            sent->acked = TRUE;
            break;
        }
    }

    agent_session_prune(session);
}


/* all: of the last 30 s, acknowledged or not */

static void
agent_session_resend(agent_session_t *session, gboolean all)
{
    GList         *link;
    gint64         since_us;
    agent_sent_t  *sent;

    since_us = g_get_monotonic_time() - AGENT_SESSION_KEEP_US;

    for (link = session->sent.head; link != NULL; link = link->next) {
        sent = link->data;

        if (!sent->acked || (all && sent->sent_us > since_us)) {
            agent_socket_send(session->socket, sent->text);
        }
    }
}


static void
agent_session_on_answer(void *data, const char *to, guint pc,
    const char *sdp)
{
    agent_session_t  *session = data;

    agent_session_post(session, agent_msg_answer(to, ++session->last_id, pc,
                                                 sdp));
}


static void
agent_session_on_candidate(void *data, const char *to, guint pc,
    const char *candidate, guint mline, const char *mid)
{
    agent_session_t  *session = data;

    agent_session_post(session, agent_msg_candidate(to, ++session->last_id,
                                                    pc, candidate, mline,
                                                    mid));
}


static void
agent_session_on_failed(void *data, const char *to, guint pc,
    const char *code, const char *message)
{
    agent_session_t  *session = data;

    agent_session_post(session, agent_msg_failed(to, ++session->last_id, pc,
                                                 code, message));
}


static void
agent_session_on_path(void *data, const agent_path_t *path)
{
    agent_session_t  *session = data;

    agent_session_say(session, agent_msg_state(path));
}
