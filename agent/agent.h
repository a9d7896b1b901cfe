
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The agent as a whole: one struct, made by main.c, that the parts hang on.
 * Arrows point down: main -> signal -> session -> viewer -> webrtc, video,
 * input -> platform.
 */

#ifndef _AGENT_H_INCLUDED_
#define _AGENT_H_INCLUDED_


typedef struct agent_s          agent_t;
typedef struct agent_signal_s   agent_signal_t;
typedef struct agent_session_s  agent_session_t;
typedef struct agent_video_s    agent_video_t;
typedef struct agent_sound_s    agent_sound_t;
typedef struct agent_seat_s     agent_seat_t;
typedef struct agent_clipboard_s  agent_clipboard_t;
typedef struct agent_chat_s     agent_chat_t;
typedef struct agent_tunnels_s  agent_tunnels_t;

#include "agent_channel.h"
#include "agent_config.h"
#include "agent_key.h"
#include "agent_msg.h"
#include "agent_network.h"
#include "agent_operator.h"
#include "agent_relays.h"
#include "agent_service.h"
#include "agent_socket.h"
#include "agent_ui.h"
#include "platform/platform.h"

#ifdef AGENT_PIPEWIRE
#include "platform/platform_pipewire.h"
#endif


#define AGENT_EXIT_REMOVED  3       /* the gateway removed this device */
#define AGENT_EXIT_DISPLAY  4       /* the X server went away */


struct agent_s {
    const agent_service_t  *service;    /* what kind of device this is */
    void              *service_data;

    agent_config_t    *config;
    agent_device_t    *device;
    agent_key_t       *key;

    char             **servers;     /* URLs of the fleet, at least one */
    guint              server;      /* the one that is used */
    char              *host;        /* of its URL, lower case */
    char              *socket_url;  /* wss://host[:port]/base */
    char              *instance;    /* random: which process this is */

    agent_operator_t  *operator;    /* NULL: knows no issuer */

    SoupSession       *soup;
    GTlsDatabase      *tls;         /* NULL: the system's */
    GProxyResolver    *proxy;       /* NULL: none */
    agent_network_t   *network;     /* tells when it is another one */
    agent_relays_t    *relays;      /* how far they are */

    agent_platform_t  *platform;    /* NULL until there is a display */
#ifdef AGENT_PIPEWIRE
    agent_portal_t    *portal;      /* of a Wayland desktop; or NULL */
#endif
    agent_video_t     *video;       /* as platform */
    agent_sound_t     *sound;       /* as platform */
    agent_seat_t      *seat;        /* as platform */
    agent_clipboard_t *clipboard;   /* while a viewer may have of it */
    agent_ui_t        *ui;          /* the person there; NULL: nobody can be */
    agent_chat_t      *chat;        /* from the first viewer who may chat */
    guint              viewers;     /* with video, over all sessions */
    GList             *screens;     /* agent_screen_t of each of them */

    agent_signal_t    *signal;
    agent_tunnels_t   *tunnels;     /* NULL: a service, which has none */
    GHashTable        *sessions;    /* id -> agent_session_t */
    GPtrArray         *arrived;     /* files: agent_files.c's; or NULL */

    GMainLoop         *loop;
    guint              quit_timer;
    int                status;      /* of the process */
    gboolean           quitting;
};


/*
 * HTTP and WebSockets; *tls gets the CAs of ca_file, *proxy what stands before
 * the network, or NULL each.
 */
SoupSession *agent_soup(const agent_config_t *config, GTlsDatabase **tls,
    GProxyResolver **proxy, GError **error);

/*
 * agent is all zero; after agent_done() too.  config stays the caller's, and
 * so do service and what its calls get as data.  Takes what enrolment left in
 * the state directory.
 */
gboolean agent_init(agent_t *agent, agent_config_t *config,
    const agent_service_t *service, void *data, GError **error);

/*
 * The same for who has no state directory: device is taken over, key is too
 * and may be NULL (then there is no control channel to be proven on).
 */
gboolean agent_init_as(agent_t *agent, agent_config_t *config,
    const agent_service_t *service, void *data, agent_device_t *device,
    agent_key_t *key, GError **error);

/* From now on sockets are opened to servers[i]. */
gboolean agent_use_server(agent_t *agent, guint i, GError **error);
void agent_done(agent_t *agent);

/*
 * The desktop, opened when it is not yet: TRUE when it can be shown and
 * controlled; else *error says in words for people why not.
 */
gboolean agent_display(agent_t *agent, GError **error);

/* Says goodbye on every socket and ends the loop within a second. */
void agent_quit(agent_t *agent, int status);

/* A socket has closed: ends the loop when it was the last one. */
void agent_quit_check(agent_t *agent);
/* some session's control has changed hands, or a session is over */
void agent_own_check(agent_t *agent);


/* The control channel: agent_signal.c */

agent_signal_t *agent_signal_new(agent_t *agent);
void agent_signal_bye(agent_signal_t *signal);
gboolean agent_signal_gone(const agent_signal_t *signal);
void agent_signal_free(agent_signal_t *signal);

/* The network is another one: asks for a sign of life, or tries at once. */
void agent_signal_nudge(agent_signal_t *signal);

/* FALSE: the channel does not stand.  Takes text over. */
gboolean agent_signal_say(agent_signal_t *signal, char *text);


/* One session: agent_session.c */

/* Joins with the ticket; lives in agent->sessions until it ends. */
void agent_session_start(agent_t *agent, const char *id, const char *ticket,
    const agent_rights_t *rights);

/* Invited to it again: this ticket is the newer one. */
void agent_session_invited(agent_session_t *session, const char *ticket);

/* Stops the video at once, closes the socket, frees the session. */
void agent_session_end(agent_session_t *session, const char *why);
void agent_session_bye(agent_session_t *session);

/* Not wanted at this device, by a reason of the protocol's reject. */
void agent_session_refuse(agent_session_t *session, const char *reason,
    const char *detail);

/* Whether somebody at the device has to see it. */
gboolean agent_session_shown(const agent_session_t *session);
/* The person at the device takes control, or gives it away. */
void agent_session_take(agent_session_t *session, gboolean own);
gboolean agent_session_own(const agent_session_t *session);

/* The screen has another size. */
void agent_session_resized(agent_session_t *session);

/*
 * The network is another one; what: what is known of it.  The socket asks for
 * a sign of life or comes back at once, and viewers are asked for another
 * offer where theirs may have no path any more.
 */
void agent_session_network(agent_session_t *session, agent_network_e what);

void agent_session_free(agent_session_t *session);


#endif /* _AGENT_H_INCLUDED_ */
