
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * agent.conf, and what enrolment left in the state directory.
 */

#ifndef _AGENT_CONFIG_H_INCLUDED_
#define _AGENT_CONFIG_H_INCLUDED_


#include "agent_command.h"
#include "agent_hours.h"
#include "agent_target.h"

#include <gio/gio.h>


#define AGENT_CONFIG_FILE  "/etc/rs-agent/agent.conf"
#define AGENT_STATE_DIR    "/var/lib/rs-agent"

#define AGENT_CODEC_VP8    1u
#define AGENT_CODEC_H264   2u


typedef enum {
    AGENT_CONFIG_ERROR_INVALID = 0,
    AGENT_CONFIG_ERROR_STATE
} agent_config_error_e;

#define AGENT_CONFIG_ERROR  agent_config_error_quark()

GQuark agent_config_error_quark(void);


/* What the person at the device has to say, from the least to the most. */

typedef enum {
    AGENT_CONSENT_NONE = 0,
    AGENT_CONSENT_NOTIFY,       /* sees who is there */
    AGENT_CONSENT_REQUIRED      /* and is asked before */
} agent_consent_e;


/* Where something may go; bits, so that & is what two of them leave. */

typedef enum {
    AGENT_WAY_NONE = 0,
    AGENT_WAY_TO_DEVICE = 1,
    AGENT_WAY_FROM_DEVICE = 2,
    AGENT_WAY_BOTH = 3
} agent_way_e;


/* What a session's policy says, by the gateway: docs/protocol, "policy". */

typedef struct {
    agent_consent_e  consent;
    gboolean         view_only;
    agent_way_e      clipboard;
    agent_way_e      files;
    gboolean         sound;
} agent_rights_t;


typedef struct {
    char       *server;         /* https://host[:port]/path, or NULL */
    char      **fallbacks;      /* of the same fleet, in order; or NULL */
    char       *gateway_identity;   /* base64url of the key, or NULL */
    guint       key_rotation;   /* days, 0: never */
    guint       server_probe;   /* s, while a fallback serves */
    char       *ca_file;        /* absolute, or NULL: the system's */
    char       *proxy;          /* http://host:port, "direct", or NULL: that
                                   of the environment */
    char       *name;
    char       *state_dir;
    char       *display;        /* NULL: $DISPLAY */
    guint       codecs;         /* AGENT_CODEC_* */
    guint       max_viewers;
    guint       max_sessions;
    guint       fps;
    guint       bitrate;        /* bits/s a viewer, at most */
    guint       bitrate_min;    /* and at least */
    gboolean    allow_input;
    gboolean    relay_only;

    gboolean    view_only;
    agent_way_e clipboard;
    agent_way_e files;
    char       *files_dir;      /* absolute; NULL: no files at all */
    guint       files_max;      /* MiB, of one file */
    gboolean    sound;
    gboolean    refuse_recorders;
    char      **recorder_keys;  /* base64url; NULL: any recorder's */
    agent_hours_t  *hours;      /* NULL: always */

    agent_consent_e  consent;   /* no session has less */
    guint       consent_timeout;    /* s */
    char       *ui_program;     /* NULL: rs-agent-ui beside this program */

    /* [tunnels] */
    agent_targets_t  *targets;      /* NULL: nothing is listed */
    guint       max_tunnels;        /* connections at once */
    gboolean    tunnel_consent_set; /* else that of [agent] */
    agent_consent_e  tunnel_consent;
    gboolean    shell;              /* a terminal may be had */
    char       *shell_user;         /* whose */
    GHashTable *commands;           /* name -> agent_command_t */

    /* who may offer: agent_operator.c */
    gboolean    require_operator;
    char       *operator_issuer;        /* https URL as in tokens, or NULL */
    char       *operator_audience;
    char       *operator_jwks_file;     /* NULL: asked of the issuer */
    char       *operator_ca_file;       /* of the issuer; NULL: ca_file */
    char      **operator_users;         /* "sub"; "*": everybody */
    char      **operator_groups;
    char       *operator_name_claim;
    char       *operator_groups_claim;
    guint       operator_algorithms;    /* RS_JWS_MASK */
} agent_config_t;


/*
 * What the gateway knows this device as, and whom the device takes for the
 * gateway; written at enrolment, and when the fleet's identity changed.
 */

typedef struct {
    char  *server;
    char  *tenant;
    char  *id;
    char  *identity;            /* pinned, base64url; or NULL */
    char  *identity_from;       /* gateway_identity it was followed from */
} agent_device_t;


/* The defaults of every key. */
agent_config_t *agent_config_new(void);

/*
 * Reads path over what config holds.  An unknown group or key, and a value
 * out of range, is an error that names it.
 */
gboolean agent_config_read(agent_config_t *config, const char *path,
    GError **error);
gboolean agent_config_parse(agent_config_t *config, const char *text,
    gsize len, GError **error);

void agent_config_free(agent_config_t *config);

/* "none", "notify", "required"; FALSE: none of them */
gboolean agent_consent_parse(const char *word, agent_consent_e *consent);

/* "both", "to_device", "from_device", "none"; FALSE: none of them */
gboolean agent_way_parse(const char *word, agent_way_e *way);
const char *agent_way_word(agent_way_e way);

/* What no key says by itself: keys that need one another. */
gboolean agent_config_check(const agent_config_t *config, GError **error);

/* A file the user named: absolute, because GIO's TLS wants it so. */
char *agent_config_absolute(const char *path);

/*
 * The server's URL in its one form: https, lower-case host, no slash at the
 * end, no user, query or fragment.  *host gets the host without port.
 */
char *agent_config_url(const char *url, char **host, GError **error);

/* AGENT_CONFIG_ERROR_STATE: not enrolled. */
agent_device_t *agent_device_load(const char *state_dir, GError **error);
gboolean agent_device_save(const agent_device_t *device,
    const char *state_dir, GError **error);
void agent_device_free(agent_device_t *device);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_config_t, agent_config_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_device_t, agent_device_free)


#endif /* _AGENT_CONFIG_H_INCLUDED_ */
