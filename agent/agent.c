
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the struct that everything hangs on: makes it, opens the desktop when
 * it is first needed, and ends it all in order.
 */

#define G_LOG_DOMAIN  "rs-agent"

#include "agent.h"
#include "agent_chat.h"
#include "agent_input.h"
#include "agent_log.h"
#include "agent_proxy.h"
#include "agent_screen.h"
#include "agent_sound.h"
#include "agent_tunnel.h"
#include "agent_version.h"
#include "agent_video.h"

#include <string.h>


#define AGENT_QUIT_MS     1000
#define AGENT_DONE_TURNS  100       /* of the main loop, none waits */


static char *agent_instance(void);
static char **agent_servers(const agent_config_t *config,
    const agent_device_t *device);
static gboolean agent_quit_late(gpointer data);
static void agent_display_changed(void *data, gboolean lost);
static void agent_display_reshaped(void *data);
static void agent_refuse_shown(agent_t *agent, const char *reason,
    const char *detail);
static void agent_say(void *data, char *text);
static void agent_on_end(void *data);
static void agent_on_lost(void *data);
static void agent_on_take(void *data, gboolean own);
static void agent_on_network(void *data, agent_network_e what);
static void agent_on_said(void *data, guint room, const char *text);
static void agent_on_asking(void *data, gboolean asking);


static const agent_ui_events_t  agent_ui_events = {
    agent_on_end,
    agent_on_lost,
    agent_on_take,
    agent_on_said,
    agent_on_asking
};


/* tells a process that comes back from another one with a copy of its key */

static char *
agent_instance(void)
{
    guint     i;
    GString  *text;

    text = g_string_sized_new(32);

    for (i = 0; i < 4; i++) {
        g_string_append_printf(text, "%08x", g_random_int());
    }

    return g_string_free(text, FALSE);
}


SoupSession *
agent_soup(const agent_config_t *config, GTlsDatabase **tls,
    GProxyResolver **proxy, GError **error)
{
    SoupSession       *soup;
    g_autofree char   *program = NULL;

    *tls = NULL;
    *proxy = agent_proxy_new(config->proxy, g_getenv);

    if (config->ca_file != NULL) {
        *tls = g_tls_file_database_new(config->ca_file, error);

        if (*tls == NULL) {
            g_prefix_error(error, "ca_file %s: ", config->ca_file);
            return NULL;
        }
    }

    program = g_strconcat(agent_log_program(), "/" AGENT_VERSION, NULL);
    soup = soup_session_new_with_options("timeout", 30, "idle-timeout", 10,
                                         "user-agent", program,
                                         "proxy-resolver", *proxy, NULL);
    if (*tls != NULL) {
        soup_session_set_tls_database(soup, *tls);
    }

    return soup;
}


/* fallbacks are of agent.conf, and so is the first one then */

static char **
agent_servers(const agent_config_t *config, const agent_device_t *device)
{
    guint       i;
    GPtrArray  *urls;

    urls = g_ptr_array_new();
    g_ptr_array_add(urls, g_strdup(config->server ? config->server
                                                  : device->server));

    for (i = 0; config->fallbacks != NULL && config->fallbacks[i] != NULL;
         i++)
    {
        g_ptr_array_add(urls, g_strdup(config->fallbacks[i]));
    }

    g_ptr_array_add(urls, NULL);

    return (char **) g_ptr_array_free(urls, FALSE);
}


gboolean
agent_use_server(agent_t *agent, guint i, GError **error)
{
    char              *host;
    g_autofree char   *base = NULL;

    base = agent_config_url(agent->servers[i], &host, error);
    if (base == NULL) {
        return FALSE;
    }

    g_free(agent->host);
    g_free(agent->socket_url);

    agent->server = i;
    agent->host = host;
    agent->socket_url = g_strconcat("wss", base + strlen("https"), NULL);

    return TRUE;
}


gboolean
agent_init(agent_t *agent, agent_config_t *config,
    const agent_service_t *service, void *data, GError **error)
{
    agent_key_t                *key;
    g_autoptr(agent_device_t)   device = NULL;

    device = agent_device_load(config->state_dir, error);
    if (device == NULL) {
        return FALSE;
    }

    key = agent_key_load(config->state_dir, error);
    if (key == NULL) {
        return FALSE;
    }

    return agent_init_as(agent, config, service, data,
                         g_steal_pointer(&device), key, error);
}


gboolean
agent_init_as(agent_t *agent, agent_config_t *config,
    const agent_service_t *service, void *data, agent_device_t *device,
    agent_key_t *key, GError **error)
{
    GError  *failed = NULL;

    agent->config = config;
    agent->service = service;
    agent->service_data = data;
    agent->device = device;
    agent->key = key;

    if (!agent_config_check(config, error)) {
        return FALSE;
    }

    agent->servers = agent_servers(config, agent->device);

    if (!agent_use_server(agent, 0, error)) {
        return FALSE;
    }

    agent->instance = agent_instance();

    agent->soup = agent_soup(config, &agent->tls, &agent->proxy, error);
    if (agent->soup == NULL) {
        return FALSE;
    }

    agent->operator = agent_operator_new(config, &failed);
    if (failed != NULL) {
        g_propagate_error(error, failed);
        return FALSE;
    }

    if (service->desktop) {
        agent->ui = agent_ui_new(config, &agent_ui_events, agent);
        agent->tunnels = agent_tunnels_new(agent, NULL, agent_say, agent);
    }

    agent->network = agent_network_new(agent_on_network, agent);
    agent->relays = agent_relays_new();
    agent->loop = g_main_loop_new(NULL, FALSE);
    agent->sessions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                   (GDestroyNotify) agent_session_free);

    return TRUE;
}


void
agent_done(agent_t *agent)
{
    guint  n;

    agent->quitting = TRUE;

    g_clear_handle_id(&agent->quit_timer, g_source_remove);
    g_clear_pointer(&agent->network, agent_network_free);
    g_clear_pointer(&agent->signal, agent_signal_free);
    g_clear_pointer(&agent->sessions, g_hash_table_unref);
    g_clear_pointer(&agent->tunnels, agent_tunnels_free);
    g_clear_pointer(&agent->relays, agent_relays_free);
    g_clear_pointer(&agent->arrived, g_ptr_array_unref);
    g_clear_pointer(&agent->operator, agent_operator_free);
    g_clear_pointer(&agent->ui, agent_ui_free);
    g_clear_pointer(&agent->chat, agent_chat_free);

    /* what was cancelled just now still has to be told */

    for (n = 0; n < AGENT_DONE_TURNS; n++) {
        g_main_context_iteration(NULL, FALSE);
    }

    g_clear_pointer(&agent->video, agent_video_free);
    g_clear_pointer(&agent->sound, agent_sound_free);
    g_clear_pointer(&agent->seat, agent_seat_free);
    g_clear_pointer(&agent->platform, agent_platform_close);
#ifdef AGENT_PIPEWIRE
    g_clear_pointer(&agent->portal, agent_portal_free);
#endif
    g_clear_object(&agent->soup);
    g_clear_object(&agent->tls);
    g_clear_object(&agent->proxy);
    g_clear_pointer(&agent->loop, g_main_loop_unref);
    g_clear_pointer(&agent->key, agent_key_free);
    g_clear_pointer(&agent->device, agent_device_free);
    g_clear_pointer(&agent->servers, g_strfreev);
    g_clear_pointer(&agent->host, g_free);
    g_clear_pointer(&agent->socket_url, g_free);
    g_clear_pointer(&agent->instance, g_free);
}


#ifdef AGENT_PIPEWIRE

/* what X11 cannot show, the portal may */

static void
agent_display_wayland(agent_t *agent, GError **error)
{
    g_autofree char  *token = NULL;

    if (agent->platform != NULL
        || !g_error_matches(*error, AGENT_DESKTOP_ERROR,
                            AGENT_DESKTOP_WAYLAND))
    {
        return;
    }

    g_clear_error(error);
    token = g_build_filename(agent->config->state_dir, "portal.token", NULL);
    agent->platform = agent_pipewire_open(&agent->portal, token, error);
}

#endif


gboolean
agent_display(agent_t *agent, GError **error)
{
    if (agent->platform != NULL) {
        return TRUE;
    }

    agent->platform = agent_platform_open(agent->config->display, error);

#ifdef AGENT_PIPEWIRE
    agent_display_wayland(agent, error);
#endif

    if (agent->platform == NULL) {
        return FALSE;
    }

    agent->platform->changed = agent_display_changed;
    agent->platform->reshaped = agent_display_reshaped;
    agent->platform->data = agent;

    agent->seat = agent_seat_new(agent->platform);
    agent_seat_pause(agent->seat, agent->ui != NULL
                                  && agent_ui_asking(agent->ui));
    agent->sound = agent_sound_new(NULL);
    agent->video = agent_video_new(agent->platform, agent->config->fps,
                                   agent->config->bitrate_min,
                                   agent->config->bitrate);

    return TRUE;
}


static void
agent_display_changed(void *data, gboolean lost)
{
    int              width, height;
    agent_t         *agent = data;
    gpointer         session;
    GHashTableIter   iter;

    if (lost) {
        g_critical("the X server went away");
        agent_video_abandon(agent->video);
        agent_quit(agent, AGENT_EXIT_DISPLAY);
        return;
    }

    agent_platform_size(agent->platform, &width, &height);
    g_message("the screen is %dx%d now", width, height);

    agent_video_restart(agent->video);
    g_hash_table_iter_init(&iter, agent->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        agent_session_resized(session);
    }
}


static void
agent_display_reshaped(void *data)
{
    agent_t  *agent = data;

    g_list_foreach(agent->screens, agent_screen_reshaped, NULL);
}


static void
agent_refuse_shown(agent_t *agent, const char *reason, const char *detail)
{
    GList             *link;
    g_autoptr(GList)   sessions = NULL;

    sessions = g_hash_table_get_values(agent->sessions);

    for (link = sessions; link != NULL; link = link->next) {
        if (agent_session_shown(link->data)) {
            agent_session_refuse(link->data, reason, detail);
        }
    }
}


/* what nobody hears is no matter: the gateway gives up waiting */

static void
agent_say(void *data, char *text)
{
    agent_t  *agent = data;

    if (agent->signal != NULL) {
        (void) agent_signal_say(agent->signal, text);

    } else {
        g_free(text);
    }
}


static void
agent_on_end(void *data)
{
    agent_t  *agent = data;

    agent_refuse_shown(agent, "consent_denied",
                       "ended by the person at the device");
    agent_tunnels_end(agent->tunnels, TRUE);
}


static void
agent_on_lost(void *data)
{
    agent_t  *agent = data;

    agent_refuse_shown(agent, "no_display",
                       "the person at the device cannot be told any more");
    agent_tunnels_end(agent->tunnels, FALSE);
}


/* of all that are on the banner */

static void
agent_on_take(void *data, gboolean own)
{
    agent_t         *agent = data;
    gpointer         session;
    GHashTableIter   iter;

    g_hash_table_iter_init(&iter, agent->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        if (agent_session_shown(session)) {
            agent_session_take(session, own);
        }
    }
}


void
agent_own_check(agent_t *agent)
{
    gboolean         own;
    gpointer         session;
    GHashTableIter   iter;

    own = FALSE;
    g_hash_table_iter_init(&iter, agent->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        own = own || agent_session_own(session);
    }

    if (agent->ui != NULL) {
        agent_ui_own(agent->ui, own);
    }
}


static void
agent_on_network(void *data, agent_network_e what)
{
    agent_t  *agent = data;

    if (agent->quitting) {
        return;
    }

    agent_relays_forget(agent->relays);

    if (agent->signal != NULL) {
        agent_signal_nudge(agent->signal);
    }

    if (agent->service->network != NULL) {
        agent->service->network(agent->service_data, what);
    }
}


static void
agent_on_said(void *data, guint room, const char *text)
{
    agent_chat_said(data, room, text);
}


/* a viewer could answer a question about the next one */

static void
agent_on_asking(void *data, gboolean asking)
{
    agent_t  *agent = data;

    if (agent->seat != NULL) {
        agent_seat_pause(agent->seat, asking);
    }
}


void
agent_quit(agent_t *agent, int status)
{
    if (agent->quitting) {
        return;
    }

    agent->quitting = TRUE;
    agent->status = status;
    agent->quit_timer = g_timeout_add(agent->service->quit_ms != 0
                                      ? agent->service->quit_ms
                                      : AGENT_QUIT_MS, agent_quit_late, agent);

    if (agent->service->quit != NULL) {
        agent->service->quit(agent->service_data);
    }

    if (agent->signal != NULL) {
        agent_signal_bye(agent->signal);
    }

    agent_quit_check(agent);
}


void
agent_quit_check(agent_t *agent)
{
    if (agent->quitting
        && agent->loop != NULL
        && (agent->service->busy == NULL
            || !agent->service->busy(agent->service_data))
        && (agent->signal == NULL || agent_signal_gone(agent->signal)))
    {
        g_main_loop_quit(agent->loop);
    }
}


static gboolean
agent_quit_late(gpointer data)
{
    agent_t  *agent = data;

    agent->quit_timer = 0;
    g_main_loop_quit(agent->loop);

    return G_SOURCE_REMOVE;
}
