
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the socket of a recorder in one session:
 *
 *     joining (ticket) -> live <-> away (resume token)
 *        ^                           |
 *        +---- invited again --------+
 *
 * and what it does there: waits for the host, offers, keeps what comes, and
 * offers again under the next number where nothing does.  One recording goes
 * on over all of these; where it has nothing there is a gap.
 *
 * It says "ping" every second: a recorder that is not heard of is lost, and
 * the gateway counts in seconds.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_session.h"
#include "record_error.h"
#include "record_media.h"
#include "record_msg.h"
#include "record_mux.h"
#include "record_writer.h"

#include "agent_outbox.h"
#include "agent_recorder.h"
#include "agent_supply.h"
#include "rs_id.h"

#include <openssl/rand.h>
#include <string.h>


#define RECORD_SESSION_TICK_MS    1000
#define RECORD_SESSION_BASE_MS    250
#define RECORD_SESSION_CAP_MS     1000
#define RECORD_SESSION_AWAY_S     60        /* without a place in it */
#define RECORD_SESSION_ANSWER_S   8         /* to an offer */
#define RECORD_SESSION_CONNECT_S  20        /* behind an answer */
#define RECORD_SESSION_MEDIA_S    45        /* without any media */
#define RECORD_SESSION_GAP_MS     1000      /* from here on it is one */
#define RECORD_SESSION_KEY_MS     2000      /* between two wishes */
#define RECORD_SESSION_EVENT      2048      /* bytes of a path */
#define RECORD_SESSION_AGAIN_MS   2000      /* begin, not yet taken; doubled */
#define RECORD_SESSION_SELDOM_MS  30000


struct record_session_s {
    agent_t                        *agent;
    const record_config_t          *config;
    const record_auditors_t        *auditors;
    const record_session_events_t  *events;
    void                           *data;

    char                           *id;
    json_t                         *about;      /* for the manifest */
    char                           *ticket;     /* or NULL; secret */
    char                           *resume;     /* or NULL; secret */
    char                            position[AGENT_MSG_POSITION];
    agent_socket_t                 *socket;
    guint                           retry;
    guint                           attempt;
    gboolean                        live;
    gboolean                        refused;
    gint64                          away_us;    /* since when */
    guint                           timer;
    gboolean                        ending;

    agent_outbox_t                 *outbox;
    guint                           outbox_timer;
    agent_supply_t                 *supply;
    agent_shim_t                   *shim;
    gboolean                        sound;      /* of the policy */

    char                           *self;       /* participant, or NULL */
    GHashTable                     *members;    /* id -> json_t */
    char                           *holder;     /* of control, or NULL */
    char                           *host;       /* participant, or NULL */
    gint64                          host_id;    /* of its last signal */
    record_media_t                 *media;
    guint                           pc;
    gint64                          offer_us;   /* when it was made */
    gint64                          wait_us;    /* until when it may take */
    gboolean                        answered;
    gint64                          key_us;     /* asked for the last time */

    record_mux_t                   *mux;
    record_writer_t                *writer;     /* or NULL */
    agent_key_t                    *key;        /* signs this recording */
    char                           *recording;  /* rec_..., or NULL */
    gint64                          began_us;   /* its first frame */
    gint64                          last_us;    /* its last one */
    gint64                          lost_us;    /* since when there is none;
                                                   0: there are some */
    guint                           why;
    gboolean                        said;       /* begin */
    gboolean                        known;      /* and the gateway took it */
    gint64                          again_us;   /* when it is said anew */
    guint                           again_ms;   /* after that */
    gboolean                        broken;     /* cannot be written */
};


/* what its writer needs to the end, which may be later than that of it */

typedef struct {
    const record_session_events_t  *events;
    void                           *data;
    agent_key_t                    *key;
    char                           *broken;
} record_session_rest_t;


static void record_session_rest(void *data);
static void record_session_connect(record_session_t *s);
static gboolean record_session_retry(gpointer data);
static void record_session_text(void *data, const char *text, gsize len);
static void record_session_closed(void *data, guint code, guint retry_s,
    const char *why);
static void record_session_dispatch(record_session_t *s, agent_msg_t *msg);
static void record_session_welcome(record_session_t *s, agent_msg_t *msg);
static void record_session_error(record_session_t *s, agent_msg_t *msg);
static void record_session_signal(record_session_t *s, agent_msg_t *msg);
static void record_session_peers(record_session_t *s, const json_t *peers);
static void record_session_peer(record_session_t *s, const json_t *peer);
static void record_session_left(record_session_t *s, agent_msg_t *msg);
static void record_session_control(record_session_t *s,
    const agent_msg_t *msg);
static void record_session_state(record_session_t *s,
    const agent_msg_t *msg);
static void record_session_say(record_session_t *s, char *text);
static void record_session_post(record_session_t *s, gint64 id, char *text);
static void record_session_send(void *data, const char *text);
static void record_session_flush(record_session_t *s);
static gboolean record_session_flush_later(gpointer data);
static void record_session_ask(void *data);
static void record_session_serve(void *data);
static void record_session_offer(record_session_t *s);
static void record_session_drop(record_session_t *s, guint why);
static void record_session_refused(record_session_t *s, const char *code,
    const char *message);
static void record_session_fail(record_session_t *s, const char *reason,
    const char *detail);

static json_t *record_session_proof(record_session_t *s, const char *sdp);
static void record_session_on_offer(void *data, const char *sdp);
static void record_session_on_candidate(void *data, const char *candidate,
    guint mline, const char *mid);
static void record_session_on_connected(void *data, gboolean sound);
static void record_session_on_video(void *data, gint64 t_us,
    const guint8 *bytes, gsize len);
static void record_session_gap(record_session_t *s, gint64 t_ms);
static void record_session_on_sound(void *data, gint64 t_us,
    const guint8 *bytes, gsize len);
static void record_session_on_path(void *data, const agent_path_t *path);
static void record_session_on_failed(void *data, const char *code,
    const char *message);

static gboolean record_session_tick(gpointer data);
static void record_session_watch(record_session_t *s, gint64 now_us);
static void record_session_key(record_session_t *s, gint64 now_us);
static gint64 record_session_ms(const record_session_t *s, gint64 t_us);
static void record_session_told(record_session_t *s);
static void record_session_unsure(record_session_t *s);
static gboolean record_session_begin(record_session_t *s, gint64 t_us);
static void record_session_event(record_session_t *s, json_t *event);
static void record_session_on_segment(void *data,
    const record_segment_t *segment);
static void record_session_write_failed(void *data, const GError *error);
static void record_session_write_ended(void *data, const record_sum_t *sum);
static char *record_session_sign(void *data, const guint8 *text, gsize len,
    GError **error);


static const agent_socket_events_t  record_session_socket_events = {
    record_session_text,
    record_session_closed
};

static const agent_supply_events_t  record_session_supply_events = {
    record_session_ask,
    record_session_serve
};

static const record_media_events_t  record_session_media_events = {
    record_session_on_offer,
    record_session_on_candidate,
    record_session_on_connected,
    record_session_on_video,
    record_session_on_sound,
    record_session_on_path,
    record_session_on_failed
};

static const record_writer_events_t  record_session_writer_events = {
    record_session_write_failed,
    record_session_write_ended
};


record_session_t *
record_session_new(agent_t *agent, const record_config_t *config,
    const record_auditors_t *auditors, const agent_msg_t *invite,
    const record_session_events_t *events, void *data)
{
    json_t            *about;
    record_session_t  *s;

    s = g_new0(record_session_t, 1);
    s->agent = agent;
    s->config = config;
    s->auditors = auditors;
    s->events = events;
    s->data = data;
    s->id = g_strdup(invite->session_id);
    s->sound = invite->rights.sound;
    s->outbox = agent_outbox_new(record_session_send, s);
    s->supply = agent_supply_new(agent->relays, &record_session_supply_events,
                                 s);
    s->shim = agent_shim_new(agent->tls, agent->proxy);
    s->mux = record_mux_new(record_session_on_segment, s);
    s->members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                       (GDestroyNotify) json_decref);
    about = agent_json_object(invite->json, "session");
    s->about = (about != NULL) ? json_deep_copy(about) : json_object();
    s->timer = g_timeout_add(RECORD_SESSION_TICK_MS, record_session_tick, s);

    record_session_invited(s, invite);

    return s;
}


static void
record_session_rest(void *data)
{
    record_session_rest_t  *rest = data;

    rest->events->closed(rest->data, rest->broken, rest->key);
    g_clear_pointer(&rest->key, agent_key_free);
    g_free(rest->broken);
    g_free(rest);
}


void
record_session_free(record_session_t *s)
{
    record_session_rest_t  *rest;

    rest = g_new0(record_session_rest_t, 1);
    rest->events = s->events;
    rest->data = s->data;
    rest->key = s->key;
    rest->broken = s->broken ? g_strdup(s->recording) : NULL;

    g_clear_handle_id(&s->timer, g_source_remove);
    g_clear_handle_id(&s->retry, g_source_remove);
    g_clear_handle_id(&s->outbox_timer, g_source_remove);
    g_clear_pointer(&s->media, record_media_free);
    g_clear_pointer(&s->socket, agent_socket_free);
    record_mux_free(s->mux);
    agent_shim_free(s->shim);
    agent_supply_free(s->supply);
    agent_outbox_free(s->outbox);
    g_hash_table_unref(s->members);
    json_decref(s->about);
    g_free(s->self);
    g_free(s->holder);
    g_free(s->host);
    g_free(s->recording);
    g_free(s->ticket);
    g_free(s->resume);
    g_free(s->id);

    if (s->writer != NULL) {
        record_writer_free(s->writer, record_session_rest, rest);

    } else {
        record_session_rest(rest);
    }

    g_free(s);
}


const char *
record_session_id(const record_session_t *s)
{
    return s->id;
}


const char *
record_session_recording(const record_session_t *s)
{
    return s->recording;
}


void
record_session_invited(record_session_t *s, const agent_msg_t *invite)
{
    g_free(s->ticket);
    s->ticket = g_strdup(invite->ticket);
    s->away_us = g_get_monotonic_time();

    if (s->ending || s->live) {
        return;
    }

    /* a place of before is another participant's: nothing of it goes on */

    g_clear_pointer(&s->resume, g_free);
    g_clear_handle_id(&s->retry, g_source_remove);
    g_clear_pointer(&s->socket, agent_socket_free);
    s->attempt = 0;
    record_session_connect(s);
}


static void
record_session_connect(record_session_t *s)
{
    const char         *protocols[] = { "rs.v1", NULL, NULL };
    g_autofree char    *url = NULL;
    g_autofree char    *secret = NULL;

    url = g_strconcat(s->agent->socket_url, "/signal", NULL);

    secret = (s->resume != NULL)
             ? g_strdup_printf("rs.resume.%s.%s", s->resume, s->position)
             : g_strdup_printf("rs.ticket.%s", s->ticket);
    protocols[1] = secret;

    s->refused = FALSE;
    s->socket = agent_socket_new(s->agent->soup, url, protocols,
                                 &record_session_socket_events, s);
}


static gboolean
record_session_retry(gpointer data)
{
    record_session_t  *s = data;

    s->retry = 0;
    record_session_connect(s);

    return G_SOURCE_REMOVE;
}


void
record_session_nudge(record_session_t *s)
{
    if (s->socket != NULL) {
        agent_socket_nudge(s->socket);

    } else if (s->retry != 0) {
        g_clear_handle_id(&s->retry, g_source_remove);
        s->attempt = 0;
        record_session_connect(s);
    }
}


static void
record_session_closed(void *data, guint code, guint retry_s, const char *why)
{
    guint              delay_ms;
    record_session_t  *s = data;

    g_clear_pointer(&s->socket, agent_socket_free);
    g_clear_handle_id(&s->outbox_timer, g_source_remove);

    if (s->live) {
        s->live = FALSE;
        s->attempt = 0;
        s->away_us = g_get_monotonic_time();
    }

    if (s->ending) {
        return;
    }

    if (code == 4410) {
        record_session_end(s, "ended");
        return;
    }

    g_message("session %s: socket down (%u: %s)", s->id, code, why);

    if (s->refused || (code >= 4400 && code < 4500 && code != 4408)) {
        g_clear_pointer(&s->resume, g_free);

        if (s->ticket == NULL) {
            /* the gateway asks again, or not: record_session_watch() */
            return;
        }
    }

    if (s->resume == NULL && s->attempt > 0) {
        g_clear_pointer(&s->ticket, g_free);
        return;
    }

    delay_ms = retry_s * 1000 + agent_backoff(RECORD_SESSION_BASE_MS,
                                              RECORD_SESSION_CAP_MS,
                                              s->attempt++);
    s->retry = g_timeout_add(delay_ms, record_session_retry, s);
}


static void
record_session_text(void *data, const char *text, gsize len)
{
    record_session_t         *s = data;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_msg_t)    msg = NULL;

    msg = agent_msg_parse(AGENT_CHANNEL_SIGNAL, text, len,
                          g_get_monotonic_time(), &error);
    if (msg == NULL) {
        g_warning("message from the gateway is not understood: %s",
                  error->message);
        return;
    }

    if (s->ending) {
        return;
    }

    /* logged, and handled before */

    if (msg->position != NULL && msg->type != AGENT_MSG_WELCOME) {
        if (s->resume != NULL
            && agent_msg_position_cmp(msg->position, s->position) <= 0)
        {
            return;
        }

        g_strlcpy(s->position, msg->position, sizeof(s->position));
    }

    record_session_dispatch(s, msg);
}


static void
record_session_dispatch(record_session_t *s, agent_msg_t *msg)
{
    switch (msg->type) {

    case AGENT_MSG_PING:
        record_session_say(s, agent_msg_plain("pong"));
        return;

    case AGENT_MSG_WELCOME:
        record_session_welcome(s, msg);
        return;

    case AGENT_MSG_SIGNAL:
        record_session_signal(s, msg);
        return;

    case AGENT_MSG_ACK:
        agent_outbox_ack(s->outbox, msg->id, g_get_monotonic_time());
        return;

    case AGENT_MSG_JOINED:
        record_session_peer(s, json_object_get(msg->json, "peer"));
        record_session_control(s, msg);
        return;

    case AGENT_MSG_CONTROL:
        record_session_control(s, msg);
        return;

    case AGENT_MSG_LEFT:
        record_session_left(s, msg);
        return;

    case AGENT_MSG_STATE:
        if (msg->ended) {
            record_session_end(s, "ended");
            return;
        }

        record_session_state(s, msg);
        return;

    case AGENT_MSG_ICE:
        agent_supply_take(s->supply, g_steal_pointer(&msg->ice));
        record_session_serve(s);
        return;

    case AGENT_MSG_ENDED:
        record_session_event(s, json_pack("{s:s, s:s}", "type", "end",
                                          "reason", msg->text));
        record_session_end(s, "ended");
        return;

    case AGENT_MSG_RESYNC:
        agent_outbox_resync(s->outbox, g_get_monotonic_time());
        record_session_flush(s);
        record_session_unsure(s);
        return;

    case AGENT_MSG_ERROR:
        record_session_error(s, msg);
        return;

    default:
        return;
    }
}


static void
record_session_welcome(record_session_t *s, agent_msg_t *msg)
{
    if (msg->role != AGENT_ROLE_RECORDER
        || strcmp(msg->session_id, s->id) != 0)
    {
        record_session_fail(s, "error", "the gateway's welcome is to "
                            "another session or role");
        return;
    }

    /* joined, not resumed: nobody knows what was said before */

    if (s->resume == NULL) {
        g_strlcpy(s->position, msg->position, sizeof(s->position));
        agent_outbox_free(s->outbox);
        s->outbox = agent_outbox_new(record_session_send, s);
        record_session_drop(s, RS_RECORDING_WHY_LOST);
        g_clear_pointer(&s->host, g_free);
        g_free(s->self);
        s->self = g_strdup(msg->self);
        s->pc = 0;
        g_message("session %s: joined as recorder", s->id);

        /* who was lost records anew when something comes */

        s->said = FALSE;
    }

    g_free(s->resume);
    s->resume = g_strdup(msg->resume);
    g_clear_pointer(&s->ticket, g_free);
    s->sound = s->sound && msg->rights.sound;
    agent_supply_take(s->supply, g_steal_pointer(&msg->ice));

    s->live = TRUE;
    s->attempt = 0;
    agent_socket_keepalive(s->socket, msg->ping_s);
    record_session_peers(s, json_object_get(msg->json, "peers"));
    record_session_control(s, msg);
    agent_outbox_restart(s->outbox, g_get_monotonic_time());
    record_session_flush(s);
    record_session_unsure(s);
    record_session_serve(s);
}


static void
record_session_error(record_session_t *s, agent_msg_t *msg)
{
    g_warning("session %s: the gateway says %s: %s", s->id, msg->code,
              msg->text);

    if (msg->id != 0) {
        agent_outbox_ack(s->outbox, msg->id, g_get_monotonic_time());
    }

    if (strcmp(msg->code, "session_ended") == 0) {
        record_session_end(s, "ended");
        return;
    }

    if (strcmp(msg->code, "resume_too_old") == 0
        || strcmp(msg->code, "unauthenticated") == 0)
    {
        s->refused = TRUE;
    }
}


/* who left while this one was away is not told */

static void
record_session_peers(record_session_t *s, const json_t *peers)
{
    gsize            i;
    gpointer         id;
    json_t          *peer;
    gboolean         here;
    GHashTableIter   iter;

    g_hash_table_iter_init(&iter, s->members);

    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        here = FALSE;

        json_array_foreach((json_t *) peers, i, peer) {
            here = here || g_strcmp0(json_string_value(
                                       json_object_get(peer, "id")), id) == 0;
        }

        if (!here) {
            record_session_event(s, json_pack("{s:s, s:s}", "type", "left",
                                              "id", (char *) id));
            g_hash_table_iter_remove(&iter);
        }
    }

    json_array_foreach((json_t *) peers, i, peer) {
        record_session_peer(s, peer);
    }
}


static void
record_session_peer(record_session_t *s, const json_t *peer)
{
    json_t      *joined;
    const char  *id, *role, *state;

    state = agent_json_string(peer, "state", 32);
    joined = record_msg_joined(peer);

    if (joined == NULL || g_strcmp0(state, "invited") == 0) {
        json_decref(joined);
        return;
    }

    id = json_string_value(json_object_get(joined, "id"));
    role = json_string_value(json_object_get(joined, "role"));

    if (strcmp(role, "host") == 0 && g_strcmp0(s->host, id) != 0) {
        g_free(s->host);
        s->host = g_strdup(id);
        s->host_id = 0;
        record_session_drop(s, RS_RECORDING_WHY_PATH);
    }

    if (!g_hash_table_contains(s->members, id)
        && g_hash_table_size(s->members) < AGENT_MSG_PEERS
        && strcmp(role, "recorder") != 0)
    {
        g_hash_table_insert(s->members, g_strdup(id), json_incref(joined));
        record_session_event(s, json_incref(joined));
    }

    json_decref(joined);
    record_session_serve(s);
}


static void
record_session_left(record_session_t *s, agent_msg_t *msg)
{
    const char  *reason;

    reason = agent_json_string(msg->json, "reason", 64);

    if (g_hash_table_remove(s->members, msg->from)) {
        record_session_event(s, json_pack("{s:s, s:s, s:s*}", "type", "left",
                                          "id", msg->from, "reason",
                                          reason));
    }

    record_session_control(s, msg);

    if (g_strcmp0(s->host, msg->from) == 0) {
        g_clear_pointer(&s->host, g_free);
        record_session_drop(s, RS_RECORDING_WHY_PATH);
    }
}


static void
record_session_control(record_session_t *s, const agent_msg_t *msg)
{
    if (!msg->controlled || g_strcmp0(s->holder, msg->holder) == 0) {
        return;
    }

    g_free(s->holder);
    s->holder = g_strdup(msg->holder);
    record_session_event(s, json_pack("{s:s, s:s?}", "type", "control",
                                      "holder", s->holder));
}


static void
record_session_state(record_session_t *s, const agent_msg_t *msg)
{
    char        *text;
    json_t      *path;
    const char  *state, *peer;

    state = agent_json_string(msg->json, "session_state", 32);
    peer = agent_json_string(msg->json, "peer", 64);
    path = agent_json_object(msg->json, "path");
    text = (path != NULL) ? json_dumps(path, JSON_COMPACT) : NULL;

    if (text != NULL && strlen(text) <= RECORD_SESSION_EVENT) {
        record_session_event(s, json_pack("{s:s, s:s*, s:O}", "type", "path",
                                          "peer", peer, "path", path));
    }

    free(text);

    if (state != NULL) {
        record_session_event(s, json_pack("{s:s, s:s}", "type", "state",
                                          "state", state));
    }
}


static void
record_session_signal(record_session_t *s, agent_msg_t *msg)
{
    record_peer_t  peer;

    if (g_strcmp0(msg->from, s->host) != 0 || msg->id <= s->host_id
        || !record_msg_peer(json_object_get(msg->json, "data"), &peer)
        || peer.pc != s->pc || s->media == NULL)
    {
        return;
    }

    s->host_id = msg->id;

    switch (peer.kind) {

    case RECORD_PEER_ANSWER:
        s->answered = TRUE;
        s->wait_us = g_get_monotonic_time()
                     + RECORD_SESSION_CONNECT_S * G_USEC_PER_SEC;

        if (!record_media_answer(s->media, peer.text)) {
            record_session_refused(s, "bad_answer", "the host's answer has "
                                   "no picture, or is none");
        }

        return;

    case RECORD_PEER_CANDIDATE:
        record_media_candidate(s->media, peer.text, peer.mline);
        return;

    case RECORD_PEER_WAITING:
        s->wait_us = g_get_monotonic_time()
                     + (gint64) (peer.timeout_s + RECORD_SESSION_ANSWER_S)
                       * G_USEC_PER_SEC;
        return;

    case RECORD_PEER_FAILED:
        record_session_refused(s, peer.code, peer.text);
        return;

    default:
        return;
    }
}


/* by the host, or for what it answers */

static void
record_session_refused(record_session_t *s, const char *code,
    const char *message)
{
    g_message("session %s: connection %u failed: %s: %s", s->id, s->pc, code,
              message ? message : "");

    if (!record_msg_again(code)) {
        g_autofree char  *detail = NULL;

        detail = g_strdup_printf("%s: %s", code, message ? message : "");
        record_session_fail(s, "host_refused", detail);
        return;
    }

    record_session_drop(s, RS_RECORDING_WHY_PATH);
}


/* the recording ends here, for something that is wrong */

static void
record_session_fail(record_session_t *s, const char *reason,
    const char *detail)
{
    if (s->ending) {
        return;
    }

    g_warning("session %s: not recorded: %s: %s", s->id, reason, detail);
    s->events->say(s->data, record_msg_failed(s->id, reason, detail));
    record_session_end(s, (strcmp(reason, "disk_full") == 0) ? reason
                                                             : "error");
}


void
record_session_end(record_session_t *s, const char *reason)
{
    gint64  t_ms;

    if (s->ending) {
        return;
    }

    s->ending = TRUE;
    g_message("session %s over: %s", s->id, reason);
    g_clear_pointer(&s->media, record_media_free);
    g_clear_handle_id(&s->timer, g_source_remove);
    g_clear_handle_id(&s->retry, g_source_remove);

    if (s->socket != NULL) {
        record_session_say(s, agent_msg_bye("stopped"));
        agent_socket_close(s->socket, AGENT_CLOSE_DONE);
    }

    if (s->writer == NULL) {
        s->events->over(s->data, s);
        return;
    }

    t_ms = record_session_ms(s, g_get_monotonic_time());

    if (s->lost_us == 0) {
        record_mux_flush(s->mux, t_ms);

    } else {
        record_session_gap(s, t_ms);
    }

    g_free(s->holder);
    s->holder = g_strdup(reason);
    record_writer_end(s->writer, t_ms, strcmp(reason, "ended") == 0, reason);
}


/* ---- what is said */

static void
record_session_say(record_session_t *s, char *text)
{
    if (s->socket != NULL) {
        agent_socket_send(s->socket, text);
    }

    g_free(text);
}


static void
record_session_post(record_session_t *s, gint64 id, char *text)
{
    agent_outbox_put(s->outbox, id, text, g_get_monotonic_time());
    record_session_flush(s);
}


static void
record_session_send(void *data, const char *text)
{
    record_session_t  *s = data;

    agent_socket_send(s->socket, text);
}


static void
record_session_flush(record_session_t *s)
{
    guint  wait_ms;

    if (!s->live || s->outbox_timer != 0) {
        return;
    }

    wait_ms = agent_outbox_flush(s->outbox, g_get_monotonic_time());

    if (wait_ms != 0) {
        s->outbox_timer = g_timeout_add(wait_ms, record_session_flush_later,
                                        s);
    }
}


static gboolean
record_session_flush_later(gpointer data)
{
    record_session_t  *s = data;

    s->outbox_timer = 0;
    record_session_flush(s);

    return G_SOURCE_REMOVE;
}


/* ---- the connection */

static void
record_session_ask(void *data)
{
    record_session_t  *s = data;

    if (s->live) {
        record_session_say(s, agent_msg_plain("ice"));
    }
}


static void
record_session_serve(void *data)
{
    record_session_t  *s = data;

    if (!s->ending && s->live && s->host != NULL && s->media == NULL
        && agent_supply_ice(s->supply) != NULL
        && agent_supply_want(s->supply))
    {
        record_session_offer(s);
    }
}


static void
record_session_offer(record_session_t *s)
{
    record_media_params_t  params;

    params.ice = agent_supply_ice(s->supply);
    params.relay_only = s->config->agent->relay_only
                        || params.ice->relay_only;
    params.shim = s->shim;
    params.sound = s->sound;

    s->pc++;
    s->answered = FALSE;
    s->offer_us = g_get_monotonic_time();
    s->wait_us = s->offer_us + RECORD_SESSION_ANSWER_S * G_USEC_PER_SEC;
    s->media = record_media_new(&params, &record_session_media_events, s);

    if (s->media == NULL) {
        record_session_fail(s, "error", "webrtcbin cannot be started");
    }
}


/* the next tick offers anew */

static void
record_session_drop(record_session_t *s, guint why)
{
    if (s->media == NULL) {
        return;
    }

    g_clear_pointer(&s->media, record_media_free);

    if (s->recording != NULL && s->lost_us == 0) {
        s->lost_us = s->last_us;
        s->why = why;
        record_mux_flush(s->mux, record_session_ms(s, s->last_us) + 1);
    }
}


/* NULL: there is no device that could ask for one */

static json_t *
record_session_proof(record_session_t *s, const char *sdp)
{
    char                 print[RS_OPERATOR_FINGERPRINT_LEN];
    json_t              *proof;
    const char          *device;
    rs_operator_line_t   line;
    g_autoptr(GError)    error = NULL;

    device = agent_json_string(agent_json_object(s->about, "host"),
                               "device_id", 64);

    if (device == NULL
        || rs_operator_fingerprint(rs_str(sdp), print) != RS_OK)
    {
        return NULL;
    }

    memset(&line, 0, sizeof(line));
    line.session_id = rs_str(s->id);
    line.device_id = rs_str(device);
    line.participant_id = rs_str(s->self);
    line.pc = s->pc;
    line.offer = (rs_str_t) { (const uint8_t *) print, sizeof(print) };

    proof = agent_recorder_proof(s->agent->key, &line, &error);

    if (proof == NULL) {
        g_warning("session %s: no proof: %s", s->id, error->message);
    }

    return proof;
}


static void
record_session_on_offer(void *data, const char *sdp)
{
    gint64             id;
    record_session_t  *s = data;

    if (s->host == NULL) {
        return;
    }

    id = agent_outbox_next(s->outbox);
    record_session_post(s, id, record_msg_offer(s->host, id, s->pc, sdp,
                                     record_session_proof(s, sdp)));
}


static void
record_session_on_candidate(void *data, const char *candidate, guint mline,
    const char *mid)
{
    gint64             id;
    record_session_t  *s = data;

    if (s->host == NULL) {
        return;
    }

    id = agent_outbox_next(s->outbox);
    record_session_post(s, id, agent_msg_candidate(s->host, id, s->pc,
                                                   candidate, mline, mid));
}


static void
record_session_on_connected(void *data, gboolean sound)
{
    record_session_t  *s = data;

    g_message("session %s: connected to the host%s", s->id,
              sound ? ", with sound" : "");

    if (sound) {
        record_mux_sounds(s->mux);
    }

    s->key_us = 0;
}


/* from the last frame up to t_ms, where that is long enough to be one */

static void
record_session_gap(record_session_t *s, gint64 t_ms)
{
    gint64  from_ms, dur_ms;

    from_ms = record_session_ms(s, s->lost_us);
    dur_ms = t_ms - from_ms;

    if (dur_ms < RECORD_SESSION_GAP_MS) {
        return;
    }

    record_writer_gap(s->writer, from_ms, dur_ms, s->why);
    record_session_event(s, json_pack("{s:s, s:I, s:s}", "type", "gap",
                                      "dur_ms", (json_int_t) dur_ms, "why",
                                      rs_recording_why[s->why]));
    g_message("session %s: nothing was recorded for %" G_GINT64_FORMAT " ms",
              s->id, dur_ms);
}


static void
record_session_on_video(void *data, gint64 t_us, const guint8 *bytes,
    gsize len)
{
    gint64             t_ms;
    record_session_t  *s = data;

    if (s->recording == NULL) {
        if (len == 0 || (bytes[0] & 1) != 0
            || !record_session_begin(s, t_us))
        {
            return;
        }
    }

    t_ms = record_session_ms(s, t_us);

    if (!record_mux_video(s->mux, t_ms, bytes, len)) {
        return;
    }

    if (s->lost_us != 0) {
        record_session_gap(s, t_ms);
        s->lost_us = 0;
    }

    s->last_us = t_us;

    if (!s->said) {
        s->said = TRUE;
        g_message("session %s is recorded as %s", s->id, s->recording);
        record_session_unsure(s);
    }
}


/*
 * That it records: said until the gateway has taken it, for nobody may have
 * heard it, and more and more seldom, for the gateway may have said no.
 */

static void
record_session_told(record_session_t *s)
{
    s->again_ms = CLAMP(s->again_ms * 2, RECORD_SESSION_AGAIN_MS,
                        RECORD_SESSION_SELDOM_MS);
    s->again_us = g_get_monotonic_time() + (gint64) s->again_ms * 1000;
    s->events->say(s->data, record_msg_begin(s->id, s->recording));
}


/* the store may have forgotten it; said twice it changes nothing */

static void
record_session_unsure(record_session_t *s)
{
    s->known = FALSE;
    s->again_ms = 0;

    if (s->said) {
        record_session_told(s);
    }
}


void
record_session_known(record_session_t *s)
{
    s->known = TRUE;
}


gboolean
record_session_again(record_session_t *s, guint delay_ms)
{
    if (!s->said || s->known || s->ending) {
        return FALSE;
    }

    s->again_ms = 0;
    s->again_us = g_get_monotonic_time() + (gint64) delay_ms * 1000;

    return TRUE;
}


static void
record_session_on_sound(void *data, gint64 t_us, const guint8 *bytes,
    gsize len)
{
    record_session_t  *s = data;

    if (s->recording != NULL) {
        (void) record_mux_sound(s->mux, record_session_ms(s, t_us), bytes,
                                len);
    }
}


/* of this recorder's own connection: its log is enough */

static void
record_session_on_path(void *data, const agent_path_t *path)
{
    record_session_t  *s = data;

    g_message("session %s: path %s/%s over %s", s->id, path->local,
              path->remote, agent_proto_name(path->protocol));
    record_session_say(s, agent_msg_state(path));
}


static void
record_session_on_failed(void *data, const char *code, const char *message)
{
    record_session_refused(data, code, message);
}


/* ---- the recording */

static gint64
record_session_ms(const record_session_t *s, gint64 t_us)
{
    return MAX(t_us - s->began_us, 0) / 1000;
}


static char *
record_session_sign(void *data, const guint8 *text, gsize len,
    GError **error)
{
    return agent_key_sign(data, text, len, error);
}


static gboolean
record_session_begin(record_session_t *s, gint64 t_us)
{
    char                    id[RS_ID_LEN + 1];
    guint8                  random[RS_ID_RANDOM_LEN];
    gpointer                member;
    GHashTableIter          iter;
    record_store_params_t   params;
    g_autofree char        *public_key = NULL;
    g_autoptr(GError)       error = NULL;

    /* the key of now, which a rotation does not change under a chain */

    s->key = agent_key_load(s->config->agent->state_dir, &error);

    if (s->key == NULL || RAND_bytes(random, sizeof(random)) != 1) {
        record_session_fail(s, "error", error ? error->message
                                              : "no random bytes");
        return FALSE;
    }

    memset(&params, 0, sizeof(params));
    rs_id_format(id, RS_ID_RECORDING, random);
    id[RS_ID_LEN] = '\0';
    public_key = agent_key_public(s->key);

    params.dir = s->config->directory;
    params.id = id;
    params.session_id = s->id;
    params.tenant = s->agent->device->tenant;
    params.device_id = s->agent->device->id;
    params.public_key = public_key;
    params.started_at = g_get_real_time() / 1000;
    params.session = s->about;
    params.auditors = s->auditors;
    params.sign = record_session_sign;
    params.data = s->key;

    s->recording = g_strdup(id);
    s->began_us = t_us;
    s->last_us = t_us;
    s->writer = record_writer_new(&params, &record_session_writer_events, s);

    record_session_event(s, json_pack("{s:s, s:s}", "type", "begin",
                                      "session_id", s->id));
    g_hash_table_iter_init(&iter, s->members);

    while (g_hash_table_iter_next(&iter, NULL, &member)) {
        record_session_event(s, json_incref(member));
    }

    record_session_event(s, json_pack("{s:s, s:s?}", "type", "control",
                                      "holder", s->holder));

    return TRUE;
}


/* takes event over; before the beginning nothing is one */

static void
record_session_event(record_session_t *s, json_t *event)
{
    if (s->writer == NULL || event == NULL) {
        json_decref(event);
        return;
    }

    record_writer_event(s->writer,
                        record_session_ms(s, g_get_monotonic_time()), event);
}


static void
record_session_on_segment(void *data, const record_segment_t *segment)
{
    record_session_t  *s = data;

    record_writer_media(s->writer, segment);
}


static void
record_session_write_failed(void *data, const GError *error)
{
    record_session_t  *s = data;

    g_critical("session %s: %s", s->id, error->message);
    s->broken = TRUE;

    if (!s->ending) {
        s->events->say(s->data,
                       record_msg_failed(s->id, "disk_full",
                                         error->message));
        s->ending = TRUE;

        if (s->socket != NULL) {
            record_session_say(s, agent_msg_bye("stopped"));
        }
    }

    s->events->over(s->data, s);
}


static void
record_session_write_ended(void *data, const record_sum_t *sum)
{
    record_session_t  *s = data;

    /* why it ended is where the holder of control was */

    s->events->kept(s->data, s, s->holder, sum);
    s->events->over(s->data, s);
}


/*
 * Where a segment is to begin; and where nothing has come for long, which
 * tells a picture that stands still from a path that is gone.
 */

static void
record_session_key(record_session_t *s, gint64 now_us)
{
    gint64  silent_us;

    if (s->media == NULL || !record_media_connected(s->media)
        || now_us - s->key_us < RECORD_SESSION_KEY_MS * 1000)
    {
        return;
    }

    silent_us = now_us - record_media_heard(s->media);

    if (record_mux_wants(s->mux, record_session_ms(s, now_us))
        || silent_us > (gint64) s->config->silence_s * G_USEC_PER_SEC / 2)
    {
        s->key_us = now_us;
        record_media_key(s->media);
    }
}


static gboolean
record_session_tick(gpointer data)
{
    gint64             now_us, now_ms;
    record_session_t  *s = data;

    now_us = g_get_monotonic_time();

    if (s->live) {
        record_session_say(s, agent_msg_plain("ping"));
    }

    if (s->said && !s->known && now_us >= s->again_us) {
        record_session_told(s);
    }

    if (s->writer != NULL) {
        now_ms = record_session_ms(s, now_us);
        record_mux_tick(s->mux, now_ms);
        record_writer_tick(s->writer, now_ms);
    }

    record_session_key(s, now_us);
    record_session_watch(s, now_us);

    return G_SOURCE_CONTINUE;
}


/* the last thing: it may be the end */

static void
record_session_watch(record_session_t *s, gint64 now_us)
{
    gint64  since_us;

    if (!s->live && now_us - s->away_us
                    > RECORD_SESSION_AWAY_S * G_USEC_PER_SEC)
    {
        record_session_end(s, "lost");
        return;
    }

    if (s->media == NULL) {
        record_session_serve(s);

    } else if (!record_media_connected(s->media)) {
        if (now_us > s->wait_us) {
            g_message("session %s: no %s to offer %u", s->id,
                      s->answered ? "connection" : "answer", s->pc);
            record_session_drop(s, RS_RECORDING_WHY_PATH);
        }

    } else if (now_us - record_media_heard(s->media)
               > (gint64) s->config->silence_s * G_USEC_PER_SEC)
    {
        g_message("session %s: nothing came for %u s", s->id,
                  s->config->silence_s);
        record_session_drop(s, RS_RECORDING_WHY_SILENT);
    }

    /* a host that is there and shows nothing is not recorded */

    since_us = now_us - ((s->recording != NULL) ? s->last_us : s->offer_us);

    if (s->live && s->host != NULL && s->pc > 1 && s->lost_us != 0
        && since_us > RECORD_SESSION_MEDIA_S * G_USEC_PER_SEC)
    {
        record_session_fail(s, "no_media",
                            "nothing comes from the host any more");
    }
}
