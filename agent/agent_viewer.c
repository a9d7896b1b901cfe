
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns a viewer's peer connections, numbered by the viewer: the current one,
 * and the one before until the current one stands, so that a viewer whose
 * network changed keeps its picture; and beside them a pipe
 * (agent_fallback.c).  Input is taken from the current one alone, or from the
 * pipe while that is in use, or, while there is no channel, from the gateway.
 *
 *     offer -> who is it? (agent_gate.c)
 *           -> waits for ICE servers -> current, not connected
 *           -> connected: the older one is dropped
 *           -> silent for 10 s, failed, or late: dropped, keys let go
 *
 * Pipe and connection are in use one after the other: a connection is from
 * its first data channel on, a pipe from its viewer's first word on.  A viewer
 * who numbers his input holds down over such a change what he held down
 * before it, and what was on its way is said again: each number counts once.
 *
 * Without a data channel silence says nothing of the media, for the gateway
 * may be away while they go on: then keys are let go and no more.
 */

#define G_LOG_DOMAIN  "rs-viewer"

#include "agent_viewer.h"
#include "agent_chat.h"
#include "agent_clipboard.h"
#include "agent_fallback.h"
#include "agent_files.h"
#include "agent_gate.h"
#include "agent_input.h"
#include "agent_policy.h"
#include "agent_screen.h"
#include "agent_sound.h"
#include "agent_webrtc.h"

#include <string.h>


#define AGENT_VIEWER_CONNECT_S  30
#define AGENT_VIEWER_SILENT_S   4       /* two pings */
#define AGENT_VIEWER_EARLY      64
#define AGENT_VIEWER_MESSAGES   512     /* of input, on their way */
#define AGENT_VIEWER_BUFFERED   65536   /* bytes unsent on rs-input */
#define AGENT_VIEWER_LINGER_S   5       /* a pipe that is not in use any more */


typedef struct {
    char   *text;
    guint   mline;
} agent_waiting_t;


struct agent_viewer_s {
    agent_t                       *agent;
    const agent_viewer_events_t   *events;
    void                          *session;

    char                          *session_id;
    char                          *id;
    char                          *name;        /* of who made current */
    agent_role_e                   role;
    gboolean                       guest;
    const agent_channel_kind_t *const  *kinds;
    agent_rights_t                 rights;      /* of the session */
    gboolean                       control;     /* of the session */
    gboolean                       verified;    /* who made current */
    char                          *operator;    /* the same */

    gint64                         last_id;     /* of its signals */
    guint                          pc;          /* the newest number */
    agent_gate_t                  *gate;
    char                          *offer;       /* waiting */
    gboolean                       ready;       /* it passed the gate */
    gboolean                       asking;      /* for consent */
    GArray                        *waiting;     /* its candidates */

    agent_webrtc_t                *current;
    guint                          serving;     /* its number */
    agent_webrtc_t                *older;
    agent_view_t                   view;
    agent_input_t                 *input;
    agent_channel_t               *channel;     /* of input */
    gboolean                       connected;   /* current is */
    gboolean                       direct;      /* current had a channel */
    gboolean                       served;      /* counted */
    agent_shown_t                 *shown;       /* on the banner, or NULL */

    agent_fallback_t              *pipe;
    gboolean                       piping;      /* the newest offer is one */
    gboolean                       by_pipe;     /* it is in use */
    gint64                         left_us;     /* since when it is not */

    gint64                         made_us;     /* current was */
    gint64                         heard_us;
    gint64                         loose_us;    /* input without a channel */
    gint64                         sequence;    /* of input that was taken */
    gboolean                       silent;      /* it was told */
    guint                          timer;
};


static void agent_viewer_succeed(agent_viewer_t *viewer);
static void agent_viewer_stop(agent_viewer_t *viewer);
static void agent_viewer_show(agent_viewer_t *viewer);
static void agent_viewer_refuse(agent_viewer_t *viewer, guint pc,
    const char *code, const char *message);
static gboolean agent_viewer_next(agent_viewer_t *viewer, guint pc);
static gboolean agent_viewer_may_serve(agent_viewer_t *viewer, guint pc);
static gboolean agent_viewer_hears(const agent_viewer_t *viewer);
static void agent_viewer_served(agent_viewer_t *viewer);
static void agent_viewer_let_go(agent_viewer_t *viewer);
static void agent_viewer_keep(agent_viewer_t *viewer);
static void agent_viewer_drop(agent_viewer_t *viewer);
static gboolean agent_viewer_late(agent_viewer_t *viewer, gint64 now_us);
static gboolean agent_viewer_check(gpointer data);
static void agent_viewer_listen(agent_viewer_t *viewer, gint64 silent_us);
static void agent_viewer_on_open(void *data);
static void agent_viewer_on_refused(void *data, const char *code,
    const char *message);
static void agent_viewer_on_consent(void *data, const char *state,
    guint timeout_s);
static void agent_viewer_waiting_clear(gpointer data);

static void agent_viewer_on_answer(void *data, agent_webrtc_t *w,
    const char *sdp);
static void agent_viewer_on_candidate(void *data, agent_webrtc_t *w,
    const char *candidate, guint mline, const char *mid);
static void agent_viewer_on_connected(void *data, agent_webrtc_t *w);
static void agent_viewer_on_opening(void *data, agent_webrtc_t *w);
static void agent_viewer_on_pipe_connected(void *data);
static void agent_viewer_on_pipe_path(void *data, const agent_path_t *path);
static void agent_viewer_on_pipe_failed(void *data, guint pc,
    const char *code, const char *message);
static void *agent_viewer_on_opened(agent_channel_t *ch,
    agent_viewer_t *viewer);
static void agent_viewer_on_message(void *data, const char *text, gsize len);
static void agent_viewer_on_closed(void *data);
static void agent_viewer_place(agent_viewer_t *viewer);
static void agent_viewer_on_path(void *data, agent_webrtc_t *w,
    const agent_path_t *path);
static void agent_viewer_on_failed(void *data, agent_webrtc_t *w,
    const char *code, const char *message);


static const agent_webrtc_events_t  agent_viewer_webrtc_events = {
    agent_viewer_on_answer,
    agent_viewer_on_candidate,
    agent_viewer_on_connected,
    agent_viewer_on_opening,
    agent_viewer_on_path,
    agent_viewer_on_failed
};


static const agent_fallback_events_t  agent_viewer_pipe_events = {
    agent_viewer_on_pipe_connected,
    agent_viewer_on_pipe_path,
    agent_viewer_on_pipe_failed
};


/* a lost key-up would stay down: then the connection ends instead */

const agent_channel_kind_t  agent_viewer_input_kind = {
    .label = AGENT_VIEWER_INPUT,
    .message_max = AGENT_INPUT_MESSAGE,
    .messages_max = AGENT_VIEWER_MESSAGES,
    .bytes_max = AGENT_VIEWER_MESSAGES * AGENT_INPUT_MESSAGE,
    .vital = TRUE,
    .buffer_max = AGENT_VIEWER_BUFFERED,
    .open = agent_viewer_on_opened,
    .text = agent_viewer_on_message,
    .closed = agent_viewer_on_closed
};


/* what the data channels of a viewer may be */

const agent_channel_kind_t *const  agent_viewer_kinds[] = {
    &agent_viewer_input_kind,
    &agent_files_kind,
    &agent_chat_kind,
    &agent_clipboard_kind,
    &agent_screen_kind,
    NULL
};


static const agent_gate_events_t  agent_viewer_gate_events = {
    agent_viewer_on_open,
    agent_viewer_on_refused,
    agent_viewer_on_consent
};


agent_viewer_t *
agent_viewer_new(agent_t *agent, const char *session_id,
    const agent_rights_t *rights, const agent_peer_t *peer,
    const agent_viewer_events_t *events, void *session)
{
    agent_viewer_t  *viewer;

    viewer = g_new0(agent_viewer_t, 1);
    viewer->agent = agent;
    viewer->events = events;
    viewer->session = session;
    viewer->session_id = g_strdup(session_id);
    viewer->id = g_strdup(peer->id);
    viewer->role = peer->role;
    viewer->guest = peer->guest;
    viewer->kinds = agent_viewer_kinds;
    viewer->control = TRUE;
    viewer->view.pointer = TRUE;
    viewer->rights = *rights;

    if (agent->service != NULL && agent->service->kinds != NULL) {
        viewer->kinds = agent->service->kinds;
    }

    viewer->gate = agent_gate_new(agent, session_id, rights->consent, peer,
                                  &agent_viewer_gate_events, viewer);
    viewer->pipe = agent_fallback_new(agent, viewer, viewer->kinds,
                                      &agent_viewer_pipe_events, viewer);
    viewer->waiting = g_array_new(FALSE, FALSE, sizeof(agent_waiting_t));
    g_array_set_clear_func(viewer->waiting, agent_viewer_waiting_clear);

    return viewer;
}


void
agent_viewer_free(agent_viewer_t *viewer)
{
    agent_viewer_stop(viewer);
    agent_fallback_free(viewer->pipe);
    agent_gate_free(viewer->gate);

    g_array_unref(viewer->waiting);
    g_free(viewer->offer);
    g_free(viewer->operator);
    g_free(viewer->session_id);
    g_free(viewer->name);
    g_free(viewer->id);
    g_free(viewer);
}


static void
agent_viewer_waiting_clear(gpointer data)
{
    agent_waiting_t  *waiting = data;

    g_free(waiting->text);
}


void
agent_viewer_allowed(const agent_viewer_t *viewer, agent_allowed_t *allowed)
{
    agent_policy_allowed(viewer->agent->config, &viewer->rights,
                         viewer->role, viewer->verified, allowed);
}


/*
 * Makes room for a connection that was just let in.  What stands goes on
 * until the new one does, but for its own operator only: it is he who is
 * on the banner from now on, and the gateway has it in its hand how long the
 * new one takes.
 */

static void
agent_viewer_succeed(agent_viewer_t *viewer)
{
    char  *operator = agent_gate_operator(viewer->gate);

    if (g_strcmp0(viewer->operator, operator) != 0) {
        agent_viewer_drop(viewer);
        agent_fallback_stop(viewer->pipe);
        agent_viewer_let_go(viewer);
        viewer->by_pipe = FALSE;
    }

    g_free(viewer->operator);
    viewer->operator = operator;
}


/* the connections, not the pipe */

static void
agent_viewer_drop(agent_viewer_t *viewer)
{
    g_clear_pointer(&viewer->current, agent_webrtc_free);
    g_clear_pointer(&viewer->older, agent_webrtc_free);

    viewer->connected = FALSE;
    viewer->direct = FALSE;
}


/* all keys go up; what was taken stays known */

static void
agent_viewer_let_go(agent_viewer_t *viewer)
{
    if (viewer->input != NULL) {
        viewer->sequence = agent_input_sequence(viewer->input);
        g_clear_pointer(&viewer->input, agent_input_free);
    }

    viewer->loose_us = 0;
}


/* the channel is gone, and another one may go on with what it held down */

static void
agent_viewer_keep(agent_viewer_t *viewer)
{
    if (viewer->input != NULL && agent_input_numbered(viewer->input)) {
        viewer->loose_us = g_get_monotonic_time();

    } else {
        agent_viewer_let_go(viewer);
    }
}


/* the participant stays: it may offer again */

static void
agent_viewer_stop(agent_viewer_t *viewer)
{
    g_clear_handle_id(&viewer->timer, g_source_remove);
    agent_viewer_drop(viewer);
    agent_fallback_stop(viewer->pipe);
    agent_viewer_let_go(viewer);
    viewer->by_pipe = FALSE;

    g_clear_pointer(&viewer->shown, agent_shown_free);

    if (viewer->served) {
        viewer->served = FALSE;
        viewer->agent->viewers--;
    }
}


void
agent_viewer_control(agent_viewer_t *viewer, gboolean control)
{
    if (viewer->control == control) {
        return;
    }

    viewer->control = control;

    if (viewer->input != NULL) {
        agent_input_control(viewer->input, control);
    }

    agent_viewer_show(viewer);
}


gboolean
agent_viewer_controls(const agent_viewer_t *viewer)
{
    agent_allowed_t  allowed;

    agent_viewer_allowed(viewer, &allowed);

    return allowed.input && viewer->control;
}


/* the banner says who controls, and who only may */

static void
agent_viewer_show(agent_viewer_t *viewer)
{
    if (viewer->shown != NULL) {
        agent_shown_control(viewer->shown, agent_viewer_controls(viewer));
    }
}


gboolean
agent_viewer_fresh(agent_viewer_t *viewer, gint64 id)
{
    if (id <= viewer->last_id) {
        return FALSE;
    }

    viewer->last_id = id;

    return TRUE;
}


static void
agent_viewer_refuse(agent_viewer_t *viewer, guint pc, const char *code,
    const char *message)
{
    g_message("%s: connection %u failed: %s: %s", viewer->id, pc, code,
              message);
    viewer->events->failed(viewer->session, viewer->id, pc, code, message);
}


/* FALSE: it has an old number */

static gboolean
agent_viewer_next(agent_viewer_t *viewer, guint pc)
{
    if (pc <= viewer->pc) {
        g_debug("%s: offer with the old number %u dropped", viewer->id, pc);
        return FALSE;
    }

    viewer->pc = pc;
    g_array_set_size(viewer->waiting, 0);
    g_clear_pointer(&viewer->offer, g_free);
    viewer->ready = FALSE;
    agent_fallback_forget(viewer->pipe);

    return TRUE;
}


void
agent_viewer_offer(agent_viewer_t *viewer, guint pc, const char *sdp,
    const json_t *proof)
{
    if (agent_viewer_next(viewer, pc)) {
        viewer->piping = FALSE;
        viewer->offer = g_strdup(sdp);
        agent_gate_offer(viewer->gate, pc, sdp, proof);
    }
}


void
agent_viewer_offer_pipe(agent_viewer_t *viewer, guint pc,
    const agent_peer_pipe_t *offer, const json_t *proof)
{
    const char  *mark, *code, *message;

    if (!agent_viewer_next(viewer, pc)) {
        return;
    }

    mark = agent_fallback_offer(viewer->pipe, pc, offer, &code, &message);

    if (mark == NULL) {
        agent_viewer_refuse(viewer, pc, code, message);
        return;
    }

    viewer->piping = TRUE;
    agent_gate_offer_pipe(viewer->gate, pc, mark, proof);
}


static void
agent_viewer_on_open(void *data)
{
    agent_viewer_t  *viewer = data;

    viewer->asking = FALSE;
    viewer->ready = TRUE;

    if (!viewer->piping) {
        viewer->events->ready(viewer->session);

    } else if (agent_viewer_may_serve(viewer, viewer->pc)) {
        viewer->events->pipe(viewer->session, viewer->id, viewer->pc,
                             agent_fallback_name(viewer->pipe));
    }
}


static void
agent_viewer_on_consent(void *data, const char *state, guint timeout_s)
{
    agent_viewer_t  *viewer = data;

    viewer->asking = (strcmp(state, "waiting") == 0);
    viewer->events->consent(viewer->session, viewer->id, viewer->pc, state,
                            timeout_s);
}


gboolean
agent_viewer_welcome(const agent_viewer_t *viewer)
{
    return viewer->served || viewer->asking || viewer->ready;
}


/* what was served before goes on: the next offer may be a better one */

static void
agent_viewer_on_refused(void *data, const char *code, const char *message)
{
    agent_viewer_t  *viewer = data;

    g_clear_pointer(&viewer->offer, g_free);
    agent_fallback_forget(viewer->pipe);
    g_array_set_size(viewer->waiting, 0);
    agent_viewer_refuse(viewer, viewer->pc, code, message);

    /* the last thing: it may end the session */

    if (strcmp(code, "consent_denied") == 0) {
        agent_viewer_on_consent(viewer, "denied", 0);

    } else if (strcmp(code, "consent_timeout") == 0) {
        agent_viewer_on_consent(viewer, "timeout", 0);
    }
}


/* FALSE: not now, which was told */

static gboolean
agent_viewer_may_serve(agent_viewer_t *viewer, guint pc)
{
    agent_t                *agent = viewer->agent;
    g_autofree char        *refusal = NULL;
    g_autoptr(GError)       error = NULL;
    g_autoptr(GDateTime)    now = g_date_time_new_now_local();

    if (!agent_display(agent, &error)) {
        agent_viewer_refuse(viewer, pc, "capture", error->message);
        return FALSE;
    }

    refusal = agent_policy_viewer(agent->config,
                                  agent->viewers - (viewer->served ? 1 : 0),
                                  viewer->role, now);
    if (refusal != NULL) {
        agent_viewer_refuse(viewer, pc, "busy", refusal);
        return FALSE;
    }

    return TRUE;
}


/* who it is, where the person at the device sees it */

static void
agent_viewer_served(agent_viewer_t *viewer)
{
    viewer->verified = agent_gate_who(viewer->gate)->verified;
    g_free(viewer->name);
    viewer->name = g_strdup(agent_gate_name(viewer->gate));

    if (!viewer->served) {
        viewer->served = TRUE;
        viewer->agent->viewers++;
    }

    g_clear_pointer(&viewer->shown, agent_shown_free);
    viewer->shown = agent_gate_show(viewer->gate);
    agent_viewer_show(viewer);

    if (viewer->timer == 0) {
        viewer->timer = g_timeout_add_seconds(1, agent_viewer_check, viewer);
    }
}


void
agent_viewer_serve(agent_viewer_t *viewer, const agent_ice_t *ice,
    agent_shim_t *shim)
{
    guint                   i;
    agent_t                *agent = viewer->agent;
    const char             *code, *message;
    agent_webrtc_t         *w;
    agent_waiting_t        *waiting;
    agent_webrtc_params_t   params;
    g_autofree char        *offer = NULL;

    if (viewer->offer == NULL || !viewer->ready) {
        return;
    }

    offer = g_steal_pointer(&viewer->offer);
    viewer->ready = FALSE;

    if (!agent_viewer_may_serve(viewer, viewer->pc)) {
        return;
    }

    params.video = agent->video;
    params.view = viewer->view;
    params.sound = agent_viewer_hears(viewer) ? agent->sound : NULL;
    params.shim = shim;
    params.ice = ice;
    params.relay_only = agent_policy_relay(agent->config, ice);
    params.codecs = agent->config->codecs & agent_video_codecs();
    params.offer = offer;
    params.fingerprint = agent_gate_fingerprint(viewer->gate);
    params.kinds = viewer->kinds;
    params.viewer = viewer;

    w = agent_webrtc_new(&params, &agent_viewer_webrtc_events, viewer, &code,
                         &message);
    if (w == NULL) {
        agent_viewer_refuse(viewer, viewer->pc, code, message);
        return;
    }

    agent_viewer_succeed(viewer);

    if (viewer->connected) {
        g_clear_pointer(&viewer->older, agent_webrtc_free);
        viewer->older = g_steal_pointer(&viewer->current);
        agent_webrtc_mute(viewer->older);
    }

    /* of two that never stood, the older one is of no use */

    g_clear_pointer(&viewer->current, agent_webrtc_free);

    viewer->current = w;
    viewer->serving = viewer->pc;
    viewer->connected = FALSE;
    viewer->direct = FALSE;
    viewer->made_us = g_get_monotonic_time();

    /* by way of the gateway it came for the one before */

    if (!viewer->by_pipe && viewer->loose_us == 0) {
        agent_viewer_let_go(viewer);
    }

    agent_viewer_served(viewer);

    for (i = 0; i < viewer->waiting->len; i++) {
        waiting = &g_array_index(viewer->waiting, agent_waiting_t, i);
        agent_webrtc_candidate(w, waiting->text, waiting->mline);
    }

    g_array_set_size(viewer->waiting, 0);
}


void
agent_viewer_ticket(agent_viewer_t *viewer, guint pc, const char *ticket)
{
    const char          *codec;
    agent_seal_t         seal = { NULL, NULL, NULL };
    g_autofree char     *key = NULL;
    g_autoptr(GError)    error = NULL;

    if (pc != viewer->pc || !viewer->piping || !viewer->ready) {
        return;
    }

    viewer->ready = FALSE;

    if (ticket == NULL) {
        agent_fallback_forget(viewer->pipe);
        agent_viewer_refuse(viewer, pc, "no_pipe", "the gateway gives the "
                            "device no pipe");
        return;
    }

    agent_viewer_succeed(viewer);

    if (!agent_fallback_serve(viewer->pipe, viewer->gate, &viewer->view,
                              ticket, &key, &codec, &seal, &error))
    {
        agent_viewer_refuse(viewer, pc, "internal", error->message);
        agent_seal_clear(&seal);
        return;
    }

    viewer->by_pipe = FALSE;
    viewer->left_us = g_get_monotonic_time();
    agent_viewer_served(viewer);
    viewer->events->piped(viewer->session, viewer->id, pc, key, codec, &seal);
    agent_seal_clear(&seal);
}


void
agent_viewer_candidate(agent_viewer_t *viewer, guint pc,
    const char *candidate, guint mline)
{
    agent_waiting_t  waiting;

    if (viewer->offer != NULL && pc == viewer->pc) {

        if (viewer->waiting->len < AGENT_VIEWER_EARLY) {
            waiting.text = g_strdup(candidate);
            waiting.mline = mline;
            g_array_append_val(viewer->waiting, waiting);
        }

        return;
    }

    if (viewer->current != NULL && viewer->serving == pc) {
        agent_webrtc_candidate(viewer->current, candidate, mline);
    }
}


/*
 * webrtcbin does not notice a peer that vanished: the viewer's ping over
 * rs-input tells.
 */

static gboolean
agent_viewer_check(gpointer data)
{
    gint64           now_us, silent_us;
    agent_viewer_t  *viewer = data;

    now_us = g_get_monotonic_time();

    if (viewer->loose_us != 0
        && now_us - viewer->loose_us >= AGENT_INPUT_SILENCE_S * G_USEC_PER_SEC)
    {
        agent_viewer_let_go(viewer);
    }

    if (agent_viewer_late(viewer, now_us)) {
        viewer->timer = 0;
        agent_viewer_stop(viewer);
        return G_SOURCE_REMOVE;
    }

    if (!viewer->connected && !viewer->by_pipe) {
        return G_SOURCE_CONTINUE;
    }

    silent_us = now_us - viewer->heard_us;

    if (silent_us < AGENT_INPUT_SILENCE_S * G_USEC_PER_SEC) {
        agent_viewer_listen(viewer, silent_us);
        return G_SOURCE_CONTINUE;
    }

    if (!viewer->by_pipe && !viewer->direct) {
        agent_viewer_let_go(viewer);
        return G_SOURCE_CONTINUE;
    }

    g_message("%s: nothing heard for 10 s, connection %u dropped",
              viewer->id, viewer->by_pipe
                          ? agent_fallback_pc(viewer->pipe) : viewer->serving);

    viewer->timer = 0;
    agent_viewer_stop(viewer);

    return G_SOURCE_REMOVE;
}


/*
 * What does not stand in time, or is in use no more, ends.  TRUE: nothing is
 * left.
 */

static gboolean
agent_viewer_late(agent_viewer_t *viewer, gint64 now_us)
{
    guint   pc = agent_fallback_pc(viewer->pipe);
    gint64  limit_s = AGENT_VIEWER_CONNECT_S;

    if (agent_fallback_stands(viewer->pipe) != 0) {
        limit_s = AGENT_VIEWER_LINGER_S;
    }

    if (pc != 0 && !viewer->by_pipe
        && now_us - viewer->left_us >= limit_s * G_USEC_PER_SEC)
    {
        if (agent_fallback_stands(viewer->pipe) == 0) {
            agent_viewer_refuse(viewer, pc, "closed",
                                "the pipe did not stand within 30 s");
        }

        agent_fallback_stop(viewer->pipe);
    }

    if (viewer->current != NULL && !viewer->connected
        && now_us - viewer->made_us >= AGENT_VIEWER_CONNECT_S * G_USEC_PER_SEC)
    {
        agent_viewer_refuse(viewer, viewer->serving, "ice_failed",
                            "the connection did not stand within 30 s");
        agent_viewer_drop(viewer);
    }

    return viewer->current == NULL && agent_fallback_pc(viewer->pipe) == 0;
}


gboolean
agent_viewer_sound(const agent_viewer_t *viewer)
{
    return !viewer->by_pipe && agent_viewer_hears(viewer);
}


/* over a connection */

static gboolean
agent_viewer_hears(const agent_viewer_t *viewer)
{
    agent_allowed_t  allowed;

    agent_viewer_allowed(viewer, &allowed);

    return allowed.sound && viewer->agent->sound != NULL
           && agent_sound_there(viewer->agent->sound);
}


agent_about_t
agent_viewer_about(const agent_viewer_t *viewer)
{
    agent_about_t  about;

    about.agent = viewer->agent;
    about.session = viewer->session_id;
    about.id = viewer->id;
    about.name = viewer->name;
    about.role = viewer->role;
    about.guest = viewer->guest;
    about.verified = viewer->verified;

    return about;
}


/* a path that broke may have been the socket's, too */

static void
agent_viewer_listen(agent_viewer_t *viewer, gint64 silent_us)
{
    gboolean  silent;

    silent = (viewer->connected || viewer->by_pipe)
             && silent_us >= AGENT_VIEWER_SILENT_S * G_USEC_PER_SEC;

    if (silent && !viewer->silent) {
        viewer->events->silent(viewer->session);
    }

    viewer->silent = silent;
}


void
agent_viewer_moved(agent_viewer_t *viewer)
{
    if (viewer->current != NULL
        && (viewer->serving == viewer->pc || viewer->piping))
    {
        agent_viewer_refuse(viewer, viewer->serving, "ice_failed",
                            "the device is in another network now");
    }
}


void
agent_viewer_resized(agent_viewer_t *viewer)
{
    gsize                i;
    g_autofree char     *hello = NULL;
    g_autoptr(json_t)    features = NULL;

    agent_viewer_place(viewer);

    if (viewer->channel == NULL) {
        return;
    }

    features = json_object();

    for (i = 0; viewer->kinds[i] != NULL; i++) {
        if (viewer->kinds[i]->features != NULL) {
            viewer->kinds[i]->features(viewer, features);
        }
    }

    hello = agent_input_hello(viewer->input, features);
    agent_channel_send_text(viewer->channel, hello);
}


const agent_view_t *
agent_viewer_view(const agent_viewer_t *viewer)
{
    return &viewer->view;
}


void
agent_viewer_decoded(agent_viewer_t *viewer,
    const agent_rate_decoder_t *decoder)
{
    if (viewer->by_pipe) {
        agent_fallback_decoded(viewer->pipe, decoder);

    } else if (viewer->current != NULL) {
        agent_webrtc_decoded(viewer->current, decoder);
    }
}


gboolean
agent_viewer_look(agent_viewer_t *viewer, const agent_view_t *view)
{
    if (!agent_fallback_look(viewer->pipe, view)
        || (viewer->current != NULL
            && !agent_webrtc_look(viewer->current, view)))
    {
        return FALSE;
    }

    viewer->view = *view;
    agent_viewer_resized(viewer);

    return TRUE;
}


/* positions are of the picture */

static void
agent_viewer_place(agent_viewer_t *viewer)
{
    agent_area_t  area;

    if (viewer->input == NULL) {
        return;
    }

    if (viewer->view.monitor[0] == '\0') {
        agent_input_area(viewer->input, NULL);
        return;
    }

    agent_platform_area(viewer->agent->platform, &viewer->view, &area);
    agent_input_area(viewer->input, &area);
}


static void
agent_viewer_on_answer(void *data, agent_webrtc_t *w, const char *sdp)
{
    agent_seal_t         seal = { NULL, NULL, NULL };
    agent_viewer_t      *viewer = data;
    g_autoptr(GError)    error = NULL;

    /* the gate knows the newest offer only, and signs of that one */

    if (w != viewer->current || viewer->serving != viewer->pc) {
        return;
    }

    if (!agent_gate_seal(viewer->gate, sdp, &seal, &error)) {
        agent_viewer_on_failed(viewer, w, "internal", error->message);
        return;
    }

    viewer->events->answer(viewer->session, viewer->id, viewer->pc, sdp,
                           &seal);
    agent_seal_clear(&seal);
}


static void
agent_viewer_on_candidate(void *data, agent_webrtc_t *w,
    const char *candidate, guint mline, const char *mid)
{
    agent_viewer_t  *viewer = data;

    if (w == viewer->current) {
        viewer->events->candidate(viewer->session, viewer->id,
                                  viewer->serving, candidate, mline, mid);
    }
}


static void
agent_viewer_on_connected(void *data, agent_webrtc_t *w)
{
    agent_viewer_t  *viewer = data;

    if (w != viewer->current) {
        return;
    }

    g_message("%s: connection %u stands", viewer->id, viewer->serving);

    viewer->connected = TRUE;
    viewer->heard_us = g_get_monotonic_time();
    g_clear_pointer(&viewer->older, agent_webrtc_free);
}


/* a data channel of its own: the pipe's are over before that one opens */

static void
agent_viewer_on_opening(void *data, agent_webrtc_t *w)
{
    agent_viewer_t  *viewer = data;

    if (w == viewer->current && viewer->by_pipe) {
        viewer->by_pipe = FALSE;
        viewer->left_us = g_get_monotonic_time();
        agent_fallback_mute(viewer->pipe);
    }
}


/* one that stood is given up by that; one that is on its way may yet stand */

static void
agent_viewer_on_pipe_connected(void *data)
{
    agent_viewer_t  *viewer = data;

    g_message("%s: pipe %u stands", viewer->id,
              agent_fallback_pc(viewer->pipe));

    g_clear_pointer(&viewer->older, agent_webrtc_free);

    if (viewer->connected) {
        agent_viewer_drop(viewer);
    }

    viewer->by_pipe = TRUE;
    viewer->heard_us = g_get_monotonic_time();

    if (viewer->loose_us == 0) {
        agent_viewer_let_go(viewer);
    }
}


static void *
agent_viewer_on_opened(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_t          *agent = viewer->agent;
    agent_allowed_t   allowed;

    /* what came by way of the gateway is over, and what it held down */

    if (viewer->loose_us == 0) {
        agent_viewer_let_go(viewer);
    }

    viewer->channel = ch;
    viewer->direct = viewer->direct || !viewer->by_pipe;
    viewer->heard_us = g_get_monotonic_time();
    viewer->loose_us = 0;
    agent_viewer_allowed(viewer, &allowed);

    if (viewer->input != NULL) {
        viewer->sequence = agent_input_sequence(viewer->input);

    } else {
        viewer->input = agent_input_new(agent->seat, allowed.input);
    }

    agent_input_continue(viewer->input, viewer->sequence);
    agent_input_allow(viewer->input, allowed.input);
    agent_input_control(viewer->input, viewer->control);
    agent_viewer_resized(viewer);

    return viewer;
}


static void
agent_viewer_on_message(void *data, const char *text, gsize len)
{
    agent_viewer_t    *viewer = data;
    g_autofree char   *answer = NULL;

    viewer->heard_us = g_get_monotonic_time();

    answer = agent_input_message(viewer->input, text, len);

    if (answer != NULL) {
        agent_channel_send_text(viewer->channel, answer);
    }

    /* something is missing for ever: the viewer begins anew */

    if (agent_input_broken(viewer->input)) {
        agent_channel_close(viewer->channel);
    }
}


/* input by way of the gateway does not come back: silence ends it */

static void
agent_viewer_on_closed(void *data)
{
    agent_viewer_t  *viewer = data;

    viewer->channel = NULL;
    agent_viewer_keep(viewer);
}


void
agent_viewer_input(agent_viewer_t *viewer, const json_t *data)
{
    agent_t            *agent = viewer->agent;
    agent_allowed_t     allowed;
    g_autofree char    *answer = NULL;

    if (!viewer->connected || viewer->direct || viewer->by_pipe
        || !agent_policy_relayed(agent->config))
    {
        g_debug("%s: input by the gateway is not taken now", viewer->id);
        return;
    }

    if (agent->service != NULL && agent->service->input != NULL
        && agent->service->input(agent->service_data, viewer, data))
    {
        return;
    }

    if (viewer->input == NULL) {
        agent_viewer_allowed(viewer, &allowed);
        viewer->input = agent_input_new(agent->seat, allowed.input);
        agent_input_control(viewer->input, viewer->control);
        agent_viewer_place(viewer);
    }

    viewer->heard_us = g_get_monotonic_time();

    /* nothing goes back this way */

    answer = agent_input_apply(viewer->input, data);
}


static void
agent_viewer_on_path(void *data, agent_webrtc_t *w, const agent_path_t *path)
{
    agent_viewer_t  *viewer = data;

    if (w != viewer->current) {
        return;
    }

    g_message("%s: path %s over %s, %s to %s, %d ms", viewer->id,
              agent_path_kind(path), agent_proto_name(path->protocol),
              path->local, path->remote, path->rtt_ms);
    viewer->events->path(viewer->session, path);
}


static void
agent_viewer_on_pipe_path(void *data, const agent_path_t *path)
{
    agent_viewer_t  *viewer = data;

    g_message("%s: path %s over %s, %d ms", viewer->id,
              agent_path_kind(path), agent_proto_name(path->protocol),
              path->rtt_ms);
    viewer->events->path(viewer->session, path);
}


static void
agent_viewer_on_failed(void *data, agent_webrtc_t *w, const char *code,
    const char *message)
{
    agent_viewer_t  *viewer = data;

    if (w == viewer->older) {
        g_clear_pointer(&viewer->older, agent_webrtc_free);
        return;
    }

    agent_viewer_refuse(viewer, viewer->serving, code, message);

    if (viewer->by_pipe || agent_fallback_pc(viewer->pipe) != 0) {
        agent_viewer_drop(viewer);

    } else {
        agent_viewer_stop(viewer);
    }
}


static void
agent_viewer_on_pipe_failed(void *data, guint pc, const char *code,
    const char *message)
{
    gboolean         used;
    agent_viewer_t  *viewer = data;

    used = viewer->by_pipe || !viewer->connected;
    viewer->by_pipe = FALSE;

    if (used) {
        agent_viewer_refuse(viewer, pc, code, message);
    }

    if (viewer->current == NULL) {
        agent_viewer_stop(viewer);
    }
}
