
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the control channel: one WebSocket to /agent that is opened again,
 * with full jitter, whenever it breaks.
 *
 *     connecting -> challenge -> hello -> welcome: online
 *          ^                                  |
 *          +------- backoff, goaway ----------+
 *
 * Sessions have sockets of their own: they outlive a broken control channel.
 * What is done about them is the executable's: agent_service.h.
 */

#define G_LOG_DOMAIN  "rs-signal"

#include "agent.h"
#include "agent_home.h"
#include "agent_identity.h"
#include "agent_rotate.h"

#include <string.h>


/*
 * A fleet whose node was lost comes back within the first 2 s, and four
 * attempts that fail are over within 30 s.
 */

#define AGENT_SIGNAL_BASE_MS    2000
#define AGENT_SIGNAL_CAP_MS     15000
#define AGENT_SIGNAL_TWIN_MS    8000        /* replaced: often enough that
                                               the gateway sees two of them */
#define AGENT_SIGNAL_SLOW_MS    30000       /* refused */
#define AGENT_SIGNAL_LONG_MS    300000      /* quarantined */
#define AGENT_SIGNAL_STEADY_US  (10 * G_USEC_PER_SEC)


struct agent_signal_s {
    agent_t         *agent;
    agent_socket_t  *socket;
    guint            timer;         /* of the next attempt */
    guint            attempt;
    guint            after_s;       /* a refusal asked for so much */
    gint64           online_us;     /* since when, 0: not */
    guint            after_ms;      /* goaway */
    guint            jitter_ms;
    gboolean         goaway;
    char            *nonce;         /* what the gateway has to sign */
    char            *pin;           /* its identity, pinned at its welcome */
    agent_rotate_t  *rotate;
    gboolean         unknown;       /* it does not know the key shown */
    gboolean         proven;        /* who it is: it was sent our proof */
    gboolean         untrusted;     /* not our gateway */
    gboolean         homing;        /* closed to go back to the first server */
    guint            failed;        /* servers in a row, none let us in */
    guint            homecomings;   /* that did not last */
    agent_home_t    *home;          /* while a fallback serves; or NULL */
    guint            refused_ms;    /* retry slowly: asking again changes
                                       nothing soon; 0: not refused */
};


static void agent_signal_connect(agent_signal_t *signal);
static gboolean agent_signal_retry(gpointer data);
static void agent_signal_text(void *data, const char *text, gsize len);
static void agent_signal_closed(void *data, guint code, guint retry_s,
    const char *why);
static gboolean agent_signal_moves(agent_signal_t *signal, guint code);
static void agent_signal_look_home(agent_signal_t *signal);
static void agent_signal_well(void *data);
static guint agent_signal_delay(agent_signal_t *signal, guint retry_s);
static void agent_signal_challenge(agent_signal_t *signal, agent_msg_t *msg);
static gboolean agent_signal_trusts(agent_signal_t *signal, agent_msg_t *msg,
    GError **error);
static gboolean agent_signal_early(const agent_signal_t *signal,
    const agent_msg_t *msg);
static void agent_signal_distrust(agent_signal_t *signal, const char *why);
static void agent_signal_pin(agent_signal_t *signal);
static void agent_signal_rotate(void *data);
static void agent_signal_online(agent_signal_t *signal, agent_msg_t *msg);
static void agent_signal_error(agent_signal_t *signal, agent_msg_t *msg);
static void agent_signal_send(agent_signal_t *signal, char *text);


static const agent_socket_events_t  agent_signal_events = {
    agent_signal_text,
    agent_signal_closed
};


agent_signal_t *
agent_signal_new(agent_t *agent)
{
    agent_signal_t  *signal;

    signal = g_new0(agent_signal_t, 1);
    signal->agent = agent;
    signal->rotate = agent_rotate_new(agent->config, agent->device,
                                      agent->key, agent_signal_rotate,
                                      signal);

    agent_signal_connect(signal);

    return signal;
}


void
agent_signal_free(agent_signal_t *signal)
{
    g_clear_handle_id(&signal->timer, g_source_remove);
    g_clear_pointer(&signal->socket, agent_socket_free);
    g_clear_pointer(&signal->home, agent_home_free);
    agent_rotate_free(signal->rotate);
    g_free(signal->nonce);
    g_free(signal->pin);
    g_free(signal);
}


static void
agent_signal_connect(agent_signal_t *signal)
{
    g_autofree char    *url = NULL;
    g_autofree char    *nonce = NULL;
    const char         *protocols[] = { "rs.v1", NULL, NULL };

    g_free(signal->nonce);
    signal->nonce = agent_key_nonce();

    if (signal->nonce == NULL) {
        g_error("OpenSSL has no random bytes");
    }

    nonce = g_strconcat("rs.nonce.", signal->nonce, NULL);
    protocols[1] = nonce;

    g_clear_pointer(&signal->pin, g_free);
    url = g_strconcat(signal->agent->socket_url, "/agent", NULL);
    g_debug("connecting to %s", url);

    signal->goaway = FALSE;
    signal->proven = FALSE;
    signal->untrusted = FALSE;
    signal->unknown = FALSE;
    signal->homing = FALSE;
    signal->refused_ms = 0;
    signal->online_us = 0;

    signal->socket = agent_socket_new(signal->agent->soup, url, protocols,
                                      &agent_signal_events, signal);
}


static gboolean
agent_signal_retry(gpointer data)
{
    agent_signal_t  *signal = data;

    signal->timer = 0;
    agent_signal_connect(signal);

    return G_SOURCE_REMOVE;
}


/* a gateway that refuses, or asked to wait, is not asked earlier for it */

void
agent_signal_nudge(agent_signal_t *signal)
{
    if (signal->socket != NULL) {
        agent_socket_nudge(signal->socket);

    } else if (signal->timer != 0 && !signal->goaway
               && signal->refused_ms == 0 && signal->after_s == 0)
    {
        signal->attempt = 0;
        g_clear_handle_id(&signal->timer, g_source_remove);
        agent_signal_connect(signal);
    }
}


/* takes text over */

static void
agent_signal_send(agent_signal_t *signal, char *text)
{
    if (signal->socket != NULL) {
        agent_socket_send(signal->socket, text);
    }

    g_free(text);
}


gboolean
agent_signal_say(agent_signal_t *signal, char *text)
{
    gboolean  stands;

    stands = (signal->socket != NULL && signal->online_us != 0);

    if (stands) {
        agent_signal_send(signal, text);

    } else {
        g_free(text);
    }

    return stands;
}


static guint
agent_signal_delay(agent_signal_t *signal, guint retry_s)
{
    if (signal->goaway) {
        return signal->after_ms
               + (guint) g_random_int_range(0, (gint32) signal->jitter_ms
                                            + 1);
    }

    if (signal->refused_ms != 0) {
        return (guint) g_random_int_range((gint32) signal->refused_ms / 2,
                                          (gint32) signal->refused_ms + 1);
    }

    if (signal->online_us != 0
        && g_get_monotonic_time() - signal->online_us
           > AGENT_SIGNAL_STEADY_US)
    {
        signal->attempt = 0;

        if (signal->agent->server == 0) {
            signal->homecomings = 0;
        }
    }

    return retry_s * 1000 + agent_backoff(AGENT_SIGNAL_BASE_MS,
                                          AGENT_SIGNAL_CAP_MS,
                                          signal->attempt++);
}


static void
agent_signal_closed(void *data, guint code, guint retry_s, const char *why)
{
    guint            delay_ms;
    agent_signal_t  *signal = data;

    g_clear_pointer(&signal->socket, agent_socket_free);
    signal->after_s = retry_s;

    /* refused by the code alone: what was said with it did not arrive */

    if (signal->refused_ms == 0 && code >= 4400 && code < 4500
        && code != 4408)
    {
        signal->refused_ms = (code == 4409) ? AGENT_SIGNAL_TWIN_MS
                                            : AGENT_SIGNAL_SLOW_MS;
    }

    /* a change of the key may have been cut off: it knows another one */

    if ((signal->unknown || code == 4401) && signal->online_us == 0
        && agent_rotate_refused(signal->rotate))
    {
        signal->refused_ms = AGENT_SIGNAL_BASE_MS;
    }

    if (signal->agent->quitting) {
        agent_quit_check(signal->agent);
        return;
    }

    if (agent_signal_moves(signal, code)) {
        delay_ms = agent_backoff(AGENT_SIGNAL_BASE_MS, AGENT_SIGNAL_BASE_MS,
                                 0);

    } else {
        delay_ms = agent_signal_delay(signal, retry_s);
    }

    g_message("control channel down (%u: %s), next attempt in %u.%u s",
              code, why, delay_ms / 1000, delay_ms % 1000 / 100);

    signal->timer = g_timeout_add(delay_ms, agent_signal_retry, signal);
}


/*
 * Another server of the fleet may serve when this one cannot be reached, does
 * not let anybody in, or is none of ours.  One that refuses this device, or
 * that was left a moment ago, speaks for all of them.  TRUE: it is another
 * one now, and not all were tried.
 */

static gboolean
agent_signal_moves(agent_signal_t *signal, guint code)
{
    guint      n, next;
    agent_t   *agent = signal->agent;

    n = g_strv_length(agent->servers);

    if (signal->homing) {
        return agent_use_server(agent, 0, NULL);
    }

    if (n == 1 || signal->online_us != 0 || signal->goaway
        || (signal->refused_ms != 0 && !signal->untrusted)
        || (code >= 4400 && code < 4500 && code != 4408))
    {
        return FALSE;
    }

    next = (agent->server + 1) % n;

    if (!agent_use_server(agent, next, NULL)) {
        return FALSE;
    }

    g_message("the next server is %s", agent->servers[next]);

    return ++signal->failed % n != 0;
}


/* a server that took us back and lost us again is asked less and less often */

static void
agent_signal_look_home(agent_signal_t *signal)
{
    agent_t  *agent = signal->agent;

    if (agent->server == 0) {
        g_clear_pointer(&signal->home, agent_home_free);
        return;
    }

    if (signal->home == NULL) {
        signal->home = agent_home_new(agent->soup, agent->servers[0],
                                      agent->config->server_probe,
                                      signal->homecomings, agent_signal_well,
                                      signal);
    }
}


static void
agent_signal_well(void *data)
{
    agent_signal_t  *signal = data;

    g_message("%s is well again: going back to it",
              signal->agent->servers[0]);

    g_clear_pointer(&signal->home, agent_home_free);
    signal->homecomings++;

    if (signal->socket == NULL) {
        (void) agent_use_server(signal->agent, 0, NULL);
        return;
    }

    signal->homing = TRUE;
    agent_socket_close(signal->socket, AGENT_CLOSE_DONE);
}


void
agent_signal_bye(agent_signal_t *signal)
{
    g_clear_handle_id(&signal->timer, g_source_remove);

    if (signal->socket != NULL) {
        agent_signal_send(signal, agent_msg_plain("bye"));
        agent_socket_close(signal->socket, AGENT_CLOSE_DONE);
    }
}


gboolean
agent_signal_gone(const agent_signal_t *signal)
{
    return signal->socket == NULL;
}


static void
agent_signal_text(void *data, const char *text, gsize len)
{
    agent_signal_t           *signal = data;
    const agent_service_t    *service = signal->agent->service;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_msg_t)    msg = NULL;

    msg = agent_msg_parse(AGENT_CHANNEL_AGENT, text, len,
                          g_get_monotonic_time(), &error);
    if (msg == NULL) {
        g_warning("message from the gateway is not understood: %s",
                  error->message);
        return;
    }

    if (agent_signal_early(signal, msg)) {
        g_autofree char  *why = NULL;

        why = g_strdup_printf("the gateway at %s says \"%s\" before it has "
                              "shown who it is: refused",
                              signal->agent->host, msg->name);
        agent_signal_distrust(signal, why);
        return;
    }

    switch (msg->type) {

    case AGENT_MSG_PING:
        agent_signal_send(signal, agent_msg_plain("pong"));
        break;

    case AGENT_MSG_CHALLENGE:
        agent_signal_challenge(signal, msg);
        break;

    case AGENT_MSG_ONLINE:
        agent_signal_online(signal, msg);
        break;

    case AGENT_MSG_INVITE:
        service->invite(signal->agent->service_data, msg);
        break;

    case AGENT_MSG_TUNNEL:
        if (service->tunnel != NULL) {
            service->tunnel(signal->agent->service_data, msg);
        }

        break;

    case AGENT_MSG_ROTATED:
        agent_rotate_done(signal->rotate, msg->public_key);
        break;

    case AGENT_MSG_REVOKE:
        service->revoke(signal->agent->service_data, msg);
        break;

    case AGENT_MSG_GOAWAY:
        signal->goaway = TRUE;
        signal->after_ms = msg->after_ms;
        signal->jitter_ms = msg->jitter_ms;
        break;

    case AGENT_MSG_ERROR:
        agent_signal_error(signal, msg);
        break;

    case AGENT_MSG_PONG:
        break;

    default:
        if (service->other != NULL && signal->proven) {
            service->other(signal->agent->service_data, msg);
            break;
        }

        g_debug("message of unknown type left aside");
        break;
    }
}


/*
 * The pinned identity is compared at the challenge.  Who leaves that out is
 * nobody: it may refuse us for now, and no more.
 */

static gboolean
agent_signal_early(const agent_signal_t *signal, const agent_msg_t *msg)
{
    if (signal->proven) {
        return FALSE;
    }

    switch (msg->type) {

    case AGENT_MSG_ONLINE:
    case AGENT_MSG_INVITE:
    case AGENT_MSG_REVOKE:
    case AGENT_MSG_TUNNEL:
    case AGENT_MSG_ROTATED:
        return TRUE;

    case AGENT_MSG_ERROR:
        return strcmp(msg->code, "device_removed") == 0;

    default:
        return FALSE;
    }
}


static void
agent_signal_distrust(agent_signal_t *signal, const char *why)
{
    signal->proven = FALSE;
    signal->untrusted = TRUE;
    g_critical("%s", why);
    signal->refused_ms = AGENT_SIGNAL_SLOW_MS;
    agent_socket_close(signal->socket, AGENT_CLOSE_DONE);
}


static void
agent_signal_challenge(agent_signal_t *signal, agent_msg_t *msg)
{
    int                 width, height;
    agent_t            *agent = signal->agent;
    g_autofree char    *proof = NULL;
    g_autoptr(GError)   error = NULL;

    if (agent_signal_trusts(signal, msg, &error)) {
        proof = agent_key_prove(agent_rotate_key(signal->rotate), agent->host,
                                agent->device->tenant, agent->device->id,
                                msg->nonce, &error);
    }

    if (proof == NULL) {
        agent_signal_distrust(signal, error->message);
        return;
    }

    signal->proven = TRUE;

    width = 0;
    height = 0;

    if (agent->service->size != NULL) {
        agent->service->size(agent->service_data, &width, &height);
    }

    agent_signal_send(signal, agent_msg_hello(agent->service->name,
                                              agent->device->tenant,
                                              agent->device->id, proof,
                                              agent->instance, width,
                                              height));
}


static gboolean
agent_signal_trusts(agent_signal_t *signal, agent_msg_t *msg, GError **error)
{
    agent_t  *agent = signal->agent;

    /* a proof for another host could be passed on to it */

    if (strcmp(msg->host, agent->host) != 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "the challenge names the host \"%s\", not \"%s\": "
                    "refused", msg->host, agent->host);
        return FALSE;
    }

    g_clear_pointer(&signal->pin, g_free);

    return agent_identity_check(agent->config, agent->device, agent->host,
                                signal->nonce, msg->nonce, msg->identity,
                                &signal->pin, error);
}


/*
 * Only now: a gateway that knows this device's key is taken for ours.  Its
 * certificate was verified, or there was no connection.
 */

static void
agent_signal_pin(agent_signal_t *signal)
{
    agent_t            *agent = signal->agent;
    g_autofree char    *said = NULL;
    g_autoptr(GError)   error = NULL;

    if (signal->pin == NULL) {
        return;
    }

    agent_identity_pin(agent->config, agent->device, signal->pin, &said);
    g_clear_pointer(&signal->pin, g_free);

    if (!agent_device_save(agent->device, agent->config->state_dir, &error)) {
        g_critical("the gateway's identity cannot be kept: %s",
                   error->message);
        return;
    }

    g_message("%s", said);
}


/* there is a key to be offered: now, or when the channel stands */

static void
agent_signal_rotate(void *data)
{
    char            *text;
    agent_signal_t  *signal = data;

    if (signal->socket == NULL || signal->online_us == 0) {
        return;
    }

    text = agent_rotate_offer(signal->rotate);

    if (text != NULL) {
        agent_signal_send(signal, text);
    }
}


static void
agent_signal_online(agent_signal_t *signal, agent_msg_t *msg)
{
    agent_signal_pin(signal);

    signal->online_us = g_get_monotonic_time();
    signal->failed = 0;
    agent_socket_keepalive(signal->socket, msg->ping_s);
    agent_signal_look_home(signal);
    agent_rotate_welcome(signal->rotate);

    g_message("online as %s at %s", msg->device_id, signal->agent->host);
    agent_signal_rotate(signal);

    if (signal->agent->service->online != NULL) {
        signal->agent->service->online(signal->agent->service_data, msg);
    }
}


static void
agent_signal_error(agent_signal_t *signal, agent_msg_t *msg)
{
    g_warning("the gateway says %s: %s", msg->code, msg->text);
    agent_rotate_failed(signal->rotate);

    if (strcmp(msg->code, "device_removed") == 0) {
        g_critical("this device was removed: enrol it anew");
        agent_quit(signal->agent, AGENT_EXIT_REMOVED);
        return;
    }

    if (strcmp(msg->code, "device_quarantined") == 0) {
        g_critical("the gateway has quarantined this device, as its key is "
                   "used by several agents at once: enrol the copies anew; "
                   "the next attempt is minutes away");
        signal->refused_ms = AGENT_SIGNAL_LONG_MS;
        return;
    }

    if (strcmp(msg->code, "replaced") == 0) {
        g_warning("another agent uses this device's key");
        signal->refused_ms = AGENT_SIGNAL_TWIN_MS;
        return;
    }

    /* a word of it that was refused: it was let in itself */

    if (signal->online_us != 0) {
        return;
    }

    if (strcmp(msg->code, "unauthenticated") == 0) {
        signal->unknown = TRUE;
    }

    if (strcmp(msg->code, "unauthenticated") == 0
        || strcmp(msg->code, "forbidden") == 0
        || strcmp(msg->code, "not_found") == 0)
    {
        signal->refused_ms = AGENT_SIGNAL_SLOW_MS;
    }
}
