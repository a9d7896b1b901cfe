
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the keys of agent.conf: a table of name, kind and bounds, so that a
 * key which is not in it is an error.
 */

#define G_LOG_DOMAIN  "rs-config"

#include "agent_config.h"
#include "agent_proxy.h"
#include "rs_devkey.h"
#include "rs_utf8.h"
#include "rs_jwt.h"

#include <string.h>


#define AGENT_CONFIG_GROUP   "agent"
#define AGENT_CONFIG_TUNNELS "tunnels"
#define AGENT_CONFIG_SIZE    65536      /* bytes of a configuration file */
#define AGENT_CONFIG_SERVERS 8
#define AGENT_CONFIG_LIST    256        /* values of a list */


typedef struct {
    const char   *name;
    gboolean    (*set)(agent_config_t *config, const char *value,
                       const void *key, GError **error);
    gsize         offset;
    guint         min;
    guint         max;
} agent_config_key_t;


static gboolean agent_config_set_string(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_path(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_server(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_proxy(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_identity(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_number(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_flag(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_codecs(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_consent(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_way(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_hours(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_issuer(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_list(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_keys(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_recording(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_algorithms(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_targets(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set_tunnel_consent(agent_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean agent_config_set(agent_config_t *config, const char *group,
    const char *name, const char *value, GError **error);
static gboolean agent_config_group(agent_config_t *config, GKeyFile *file,
    const char *group, GError **error);
static gboolean agent_config_command(agent_config_t *config, GKeyFile *file,
    const char *group, GError **error);
static void agent_config_replace(char **field, char *value);
static char *agent_config_host_name(void);


#define AGENT_AT(member)  G_STRUCT_OFFSET(agent_config_t, member)


static const agent_config_key_t  agent_config_keys[] = {
    { "server", agent_config_set_server, AGENT_AT(server), 0, 512 },
    { "server_probe", agent_config_set_number, AGENT_AT(server_probe),
      1, 3600 },
    { "key_rotation", agent_config_set_number, AGENT_AT(key_rotation),
      0, 3650 },
    { "gateway_identity", agent_config_set_identity,
      AGENT_AT(gateway_identity), 0, 0 },
    { "ca_file", agent_config_set_path, AGENT_AT(ca_file), 0, 4096 },
    { "proxy", agent_config_set_proxy, AGENT_AT(proxy), 0, 0 },
    { "name", agent_config_set_string, AGENT_AT(name), 1, 128 },
    { "state_dir", agent_config_set_path, AGENT_AT(state_dir), 0, 4096 },
    { "display", agent_config_set_string, AGENT_AT(display), 1, 128 },
    { "codecs", agent_config_set_codecs, AGENT_AT(codecs), 0, 0 },
    { "allow_input", agent_config_set_flag, AGENT_AT(allow_input), 0, 0 },
    { "relay_only", agent_config_set_flag, AGENT_AT(relay_only), 0, 0 },
    { "view_only", agent_config_set_flag, AGENT_AT(view_only), 0, 0 },
    { "clipboard", agent_config_set_way, AGENT_AT(clipboard), 0, 0 },
    { "files", agent_config_set_way, AGENT_AT(files), 0, 0 },
    { "files_dir", agent_config_set_path, AGENT_AT(files_dir), 0, 4096 },
    { "files_max", agent_config_set_number, AGENT_AT(files_max),
      1, 1048576 },
    { "sound", agent_config_set_flag, AGENT_AT(sound), 0, 0 },
    { "recording", agent_config_set_recording, AGENT_AT(refuse_recorders),
      0, 0 },
    { "recorder_keys", agent_config_set_keys, AGENT_AT(recorder_keys),
      1, AGENT_CONFIG_LIST },
    { "hours", agent_config_set_hours, AGENT_AT(hours), 0, 0 },
    { "max_viewers", agent_config_set_number, AGENT_AT(max_viewers), 1, 16 },
    { "max_sessions", agent_config_set_number, AGENT_AT(max_sessions),
      1, 16 },
    { "fps", agent_config_set_number, AGENT_AT(fps), 1, 60 },
    { "bitrate", agent_config_set_number, AGENT_AT(bitrate),
      100000, 50000000 },
    { "bitrate_min", agent_config_set_number, AGENT_AT(bitrate_min),
      50000, 5000000 },

    { "consent", agent_config_set_consent, AGENT_AT(consent), 0, 0 },
    { "consent_timeout", agent_config_set_number, AGENT_AT(consent_timeout),
      5, 600 },
    { "ui_program", agent_config_set_path, AGENT_AT(ui_program), 0, 4096 },

    { "require_verified_operator", agent_config_set_flag,
      AGENT_AT(require_operator), 0, 0 },
    { "operator_issuer", agent_config_set_issuer, AGENT_AT(operator_issuer),
      0, 512 },
    { "operator_audience", agent_config_set_string,
      AGENT_AT(operator_audience), 1, 256 },
    { "operator_jwks_file", agent_config_set_path,
      AGENT_AT(operator_jwks_file), 0, 4096 },
    { "operator_ca_file", agent_config_set_path, AGENT_AT(operator_ca_file),
      0, 4096 },
    { "operator_users", agent_config_set_list, AGENT_AT(operator_users),
      1, AGENT_CONFIG_LIST },
    { "operator_groups", agent_config_set_list, AGENT_AT(operator_groups),
      1, AGENT_CONFIG_LIST },
    { "operator_name_claim", agent_config_set_string,
      AGENT_AT(operator_name_claim), 1, 128 },
    { "operator_groups_claim", agent_config_set_string,
      AGENT_AT(operator_groups_claim), 1, 128 },
    { "operator_algorithms", agent_config_set_algorithms,
      AGENT_AT(operator_algorithms), 0, 0 }
};


static const agent_config_key_t  agent_config_tunnels[] = {
    { "allow", agent_config_set_targets, AGENT_AT(targets), 0, 0 },
    { "max_tunnels", agent_config_set_number, AGENT_AT(max_tunnels),
      0, 256 },
    { "consent", agent_config_set_tunnel_consent, AGENT_AT(tunnel_consent),
      0, 0 },
    { "shell", agent_config_set_flag, AGENT_AT(shell), 0, 0 },
    { "shell_user", agent_config_set_string, AGENT_AT(shell_user), 1, 32 }
};


static const struct {
    const char                *name;
    const agent_config_key_t  *keys;
    gsize                      n;
} agent_config_groups[] = {
    { AGENT_CONFIG_GROUP, agent_config_keys,
      G_N_ELEMENTS(agent_config_keys) },
    { AGENT_CONFIG_TUNNELS, agent_config_tunnels,
      G_N_ELEMENTS(agent_config_tunnels) }
};


G_DEFINE_QUARK(agent-config-error-quark, agent_config_error)


/* whatever the machine is called, the gateway takes it */

static char *
agent_config_host_name(void)
{
    char        name[128];
    gsize       len;
    const char *host;

    host = g_get_host_name();
    len = rs_utf8_clean((uint8_t *) name, sizeof(name), rs_str(host));

    return (len != 0) ? g_strndup(name, len) : g_strdup("unnamed");
}


agent_config_t *
agent_config_new(void)
{
    agent_config_t  *config;

    config = g_new0(agent_config_t, 1);

    config->name = agent_config_host_name();
    config->state_dir = g_strdup(AGENT_STATE_DIR);
    config->codecs = AGENT_CODEC_VP8|AGENT_CODEC_H264;
    config->allow_input = TRUE;
    config->clipboard = AGENT_WAY_BOTH;
    config->files = AGENT_WAY_BOTH;
    config->files_max = 4096;
    config->sound = TRUE;
    config->max_viewers = 8;
    config->max_sessions = 4;
    config->max_tunnels = 16;
    config->commands = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                             agent_command_free);
    config->server_probe = 60;
    config->fps = 25;
    config->bitrate = 3000000;
    config->bitrate_min = 150000;
    config->consent = AGENT_CONSENT_NOTIFY;
    config->consent_timeout = 60;
    config->operator_name_claim = g_strdup("name");
    config->operator_groups_claim = g_strdup("groups");
    config->operator_algorithms = RS_JWS_DEFAULT_ALGS;

    return config;
}


void
agent_config_free(agent_config_t *config)
{
    g_free(config->server);
    g_strfreev(config->fallbacks);
    g_free(config->gateway_identity);
    g_free(config->ca_file);
    g_free(config->proxy);
    g_free(config->name);
    g_free(config->state_dir);
    g_free(config->display);
    g_free(config->ui_program);
    g_free(config->files_dir);
    agent_hours_free(config->hours);
    agent_targets_free(config->targets);
    g_free(config->shell_user);
    g_hash_table_unref(config->commands);
    g_free(config->operator_issuer);
    g_free(config->operator_audience);
    g_free(config->operator_jwks_file);
    g_free(config->operator_ca_file);
    g_strfreev(config->recorder_keys);
    g_strfreev(config->operator_users);
    g_strfreev(config->operator_groups);
    g_free(config->operator_name_claim);
    g_free(config->operator_groups_claim);
    g_free(config);
}


static void
agent_config_replace(char **field, char *value)
{
    g_free(*field);
    *field = value;
}


static gboolean
agent_config_set_string(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    const agent_config_key_t *key = data;

    if (value[0] == '\0' || !rs_utf8_printable(rs_str(value))
        || g_utf8_strlen(value, -1) > (glong) key->max)
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": 1 to %u characters are wanted, "
                    "no control or invisible ones",
                    key->name, value, key->max);
        return FALSE;
    }

    agent_config_replace(G_STRUCT_MEMBER_P(config, key->offset),
                         g_strdup(value));

    return TRUE;
}


static gboolean
agent_config_set_path(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    const agent_config_key_t *key = data;

    if (value[0] == '\0' || strlen(value) > key->max) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": a path is wanted", key->name, value);
        return FALSE;
    }

    agent_config_replace(G_STRUCT_MEMBER_P(config, key->offset),
                         agent_config_absolute(value));

    return TRUE;
}


static gboolean
agent_config_set_server(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint           i;
    g_auto(GStrv)   urls = NULL;

    (void) data;

    urls = g_strsplit(value, ";", AGENT_CONFIG_SERVERS + 1);

    /* a ";" at the end is not taken for one more */

    i = g_strv_length(urls);

    if (i > 1 && g_strstrip(urls[i - 1])[0] == '\0') {
        g_clear_pointer(&urls[i - 1], g_free);
    }

    if (i > AGENT_CONFIG_SERVERS) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid server \"%s\": at most %d URLs are wanted",
                    value, AGENT_CONFIG_SERVERS);
        return FALSE;
    }

    for (i = 0; urls[i] != NULL; i++) {
        char  *url;

        url = agent_config_url(g_strstrip(urls[i]), NULL, error);

        if (url == NULL) {
            return FALSE;
        }

        agent_config_replace(&urls[i], url);
    }

    if (i == 0) {
        return agent_config_url("", NULL, error) != NULL;
    }

    agent_config_replace(&config->server, g_steal_pointer(&urls[0]));
    g_strfreev(config->fallbacks);
    config->fallbacks = g_new0(char *, i);
    memcpy(config->fallbacks, &urls[1], (i - 1) * sizeof(char *));
    memset(&urls[1], 0, (i - 1) * sizeof(char *));

    return TRUE;
}


static gboolean
agent_config_set_proxy(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    char  *uri;

    (void) data;

    if (strcmp(value, "direct") == 0) {
        agent_config_replace(&config->proxy, g_strdup(value));
        return TRUE;
    }

    uri = agent_proxy_parse(value, FALSE, error);

    if (uri == NULL) {
        g_prefix_error(error, "invalid proxy: ");
        return FALSE;
    }

    agent_config_replace(&config->proxy, uri);

    return TRUE;
}


static gboolean
agent_config_set_identity(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    (void) data;

    if (rs_devkey_check(rs_str(value)) != RS_OK) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid gateway_identity \"%s\": the 43 characters "
                    "that rs-identity show prints are wanted", value);
        return FALSE;
    }

    agent_config_replace(&config->gateway_identity, g_strdup(value));

    return TRUE;
}


static gboolean
agent_config_set_number(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint64                    n;
    const agent_config_key_t  *key = data;

    if (!g_ascii_string_to_unsigned(value, 10, key->min, key->max, &n, NULL))
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": a number from %u to %u is wanted",
                    key->name, value, key->min, key->max);
        return FALSE;
    }

    G_STRUCT_MEMBER(guint, config, key->offset) = (guint) n;

    return TRUE;
}


static gboolean
agent_config_set_flag(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    const agent_config_key_t *key = data;

    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": true or false is wanted",
                    key->name, value);
        return FALSE;
    }

    G_STRUCT_MEMBER(gboolean, config, key->offset) = (value[0] == 't');

    return TRUE;
}


static gboolean
agent_config_set_codecs(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint              i, codecs;
    g_auto(GStrv)      names = NULL;

    (void) data;

    codecs = 0;
    names = g_strsplit(value, ";", 8);

    for (i = 0; names[i] != NULL; i++) {
        g_strstrip(names[i]);

        if (strcmp(names[i], "vp8") == 0) {
            codecs |= AGENT_CODEC_VP8;

        } else if (strcmp(names[i], "h264") == 0) {
            codecs |= AGENT_CODEC_H264;

        } else if (names[i][0] != '\0') {
            codecs = 0;
            break;
        }
    }

    if (codecs == 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid codecs \"%s\": vp8, h264 or vp8;h264 is wanted",
                    value);
        return FALSE;
    }

    config->codecs = codecs;

    return TRUE;
}


gboolean
agent_consent_parse(const char *word, agent_consent_e *consent)
{
    guint  i;

    static const char *const  words[] = { "none", "notify", "required" };

    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_strcmp0(word, words[i]) == 0) {
            *consent = i;
            return TRUE;
        }
    }

    return FALSE;
}


static gboolean
agent_config_set_consent(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    (void) data;

    if (!agent_consent_parse(value, &config->consent)) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid consent \"%s\": required, notify or none is "
                    "wanted", value);
        return FALSE;
    }

    return TRUE;
}


static const char *const  agent_way_words[] = {
    "none", "to_device", "from_device", "both"
};


gboolean
agent_way_parse(const char *word, agent_way_e *way)
{
    guint  i;

    for (i = 0; i < G_N_ELEMENTS(agent_way_words); i++) {
        if (g_strcmp0(word, agent_way_words[i]) == 0) {
            *way = i;
            return TRUE;
        }
    }

    return FALSE;
}


const char *
agent_way_word(agent_way_e way)
{
    return agent_way_words[way & AGENT_WAY_BOTH];
}


static gboolean
agent_config_set_way(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    agent_way_e                way;
    const agent_config_key_t  *key = data;

    if (!agent_way_parse(value, &way)) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": both, to_device, from_device or none "
                    "is wanted", key->name, value);
        return FALSE;
    }

    G_STRUCT_MEMBER(agent_way_e, config, key->offset) = way;

    return TRUE;
}


static gboolean
agent_config_set_hours(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    agent_hours_t  *hours;

    (void) data;

    hours = agent_hours_parse(value);

    if (hours == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid hours \"%s\": days and times are wanted, as "
                    "\"Mon-Fri 08:00-18:00;Sat 09:00-12:00\"", value);
        return FALSE;
    }

    agent_hours_free(config->hours);
    config->hours = hours;

    return TRUE;
}


/* as it stands in tokens: compared byte by byte, so it is not rewritten */

static gboolean
agent_config_set_issuer(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    const agent_config_key_t  *key = data;
    g_autoptr(GUri)            uri = NULL;

    uri = (strlen(value) <= key->max)
          ? g_uri_parse(value, G_URI_FLAGS_NONE, NULL) : NULL;

    if (uri == NULL
        || strcmp(g_uri_get_scheme(uri), "https") != 0
        || g_uri_get_userinfo(uri) != NULL
        || g_uri_get_query(uri) != NULL
        || g_uri_get_fragment(uri) != NULL
        || g_uri_get_host(uri) == NULL
        || g_uri_get_host(uri)[0] == '\0')
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": the issuer's https URL is wanted, "
                    "as its tokens have it in \"iss\"", key->name, value);
        return FALSE;
    }

    agent_config_replace(&config->operator_issuer, g_strdup(value));

    return TRUE;
}


static gboolean
agent_config_set_list(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint                      i, n;
    char                     **field;
    const agent_config_key_t  *key = data;
    g_auto(GStrv)              names = NULL;

    n = 0;
    names = g_strsplit(value, ";", (int) key->max + 2);

    for (i = 0; names[i] != NULL; i++) {
        g_strstrip(names[i]);

        if (names[i][0] == '\0') {
            g_free(names[i]);
            continue;
        }

        names[n++] = names[i];
    }

    names[n] = NULL;

    if (n == 0 || n > key->max || i > key->max + 1
        || !g_utf8_validate(value, -1, NULL))
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": 1 to %u values with \";\" between "
                    "them are wanted", key->name, value, key->max);
        return FALSE;
    }

    field = names;
    names = G_STRUCT_MEMBER(char **, config, key->offset);
    G_STRUCT_MEMBER(char **, config, key->offset) = field;

    return TRUE;
}


static gboolean
agent_config_set_keys(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    gsize   i;
    char  **keys;

    if (!agent_config_set_list(config, value, data, error)) {
        return FALSE;
    }

    keys = config->recorder_keys;

    for (i = 0; keys[i] != NULL; i++) {
        if (rs_devkey_parse(rs_str(keys[i]), NULL) != RS_OK) {
            g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                        "invalid recorder_keys: \"%s\" is no public key of "
                        "32 bytes, base64url", keys[i]);
            return FALSE;
        }
    }

    return TRUE;
}


static gboolean
agent_config_set_recording(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    (void) data;

    if (strcmp(value, "accept") != 0 && strcmp(value, "refuse") != 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid recording \"%s\": accept or refuse is wanted",
                    value);
        return FALSE;
    }

    config->refuse_recorders = (value[0] == 'r');

    return TRUE;
}


static gboolean
agent_config_set_algorithms(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint          i, algs;
    rs_jws_alg_e   alg;
    g_auto(GStrv)  names = NULL;

    (void) data;

    algs = 0;
    names = g_strsplit(value, ";", RS_JWS_ALG_MAX + 2);

    for (i = 0; names[i] != NULL; i++) {
        g_strstrip(names[i]);

        if (names[i][0] == '\0') {
            continue;
        }

        if (!rs_jws_alg_parse(rs_str(names[i]), &alg)) {
            algs = 0;
            break;
        }

        algs |= RS_JWS_MASK(alg);
    }

    if (algs == 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid operator_algorithms \"%s\": some of RS256, "
                    "RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, "
                    "EdDSA with \";\" between them are wanted", value);
        return FALSE;
    }

    config->operator_algorithms = algs;

    return TRUE;
}


gboolean
agent_config_check(const agent_config_t *config, GError **error)
{
    const char  *missing;

    missing = NULL;

    if (config->operator_issuer == NULL) {
        missing = (config->require_operator || config->operator_users != NULL
                   || config->operator_groups != NULL
                   || config->operator_audience != NULL
                   || config->operator_jwks_file != NULL)
                  ? "operator_issuer" : NULL;

    } else if (config->operator_audience == NULL) {
        missing = "operator_audience";

    } else if (config->operator_users == NULL
               && config->operator_groups == NULL)
    {
        missing = "operator_users or operator_groups (operator_users=* is "
                  "everybody whom the issuer knows)";
    }

    if (config->shell && config->shell_user == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "[tunnels] shell=true needs shell_user: whose terminal "
                    "it is");
        return FALSE;
    }

    if (missing != NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "operators cannot be verified without %s", missing);
        return FALSE;
    }

    return TRUE;
}


static gboolean
agent_config_set_targets(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    agent_targets_t  *targets;

    (void) data;

    targets = agent_targets_parse(value, error);

    if (targets == NULL) {
        g_prefix_error(error, "invalid allow: ");
        return FALSE;
    }

    agent_targets_free(config->targets);
    config->targets = targets;

    return TRUE;
}


static gboolean
agent_config_set_tunnel_consent(agent_config_t *config, const char *value,
    const void *data, GError **error)
{
    agent_consent_e  own = config->consent;

    if (!agent_config_set_consent(config, value, data, error)) {
        return FALSE;
    }

    config->tunnel_consent = config->consent;
    config->tunnel_consent_set = TRUE;
    config->consent = own;

    return TRUE;
}


static gboolean
agent_config_set(agent_config_t *config, const char *group, const char *name,
    const char *value, GError **error)
{
    gsize                      i, j;
    const agent_config_key_t  *key;

    for (i = 0; i < G_N_ELEMENTS(agent_config_groups); i++) {

        if (strcmp(agent_config_groups[i].name, group) != 0) {
            continue;
        }

        for (j = 0; j < agent_config_groups[i].n; j++) {
            key = &agent_config_groups[i].keys[j];

            if (strcmp(key->name, name) == 0) {
                return key->set(config, value, key, error);
            }
        }
    }

    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                "unknown key \"%s\" in [%s]", name, group);

    return FALSE;
}


static gboolean
agent_config_group(agent_config_t *config, GKeyFile *file, const char *group,
    GError **error)
{
    gsize           i;
    g_auto(GStrv)   keys = NULL;

    if (g_str_has_prefix(group, AGENT_COMMAND_PREFIX)) {
        return agent_config_command(config, file, group, error);
    }

    for (i = 0; i < G_N_ELEMENTS(agent_config_groups); i++) {
        if (strcmp(group, agent_config_groups[i].name) == 0) {
            break;
        }
    }

    if (i == G_N_ELEMENTS(agent_config_groups)) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "unknown group \"[%s]\", [%s], [%s] and [command NAME] "
                    "are known", group, AGENT_CONFIG_GROUP,
                    AGENT_CONFIG_TUNNELS);
        return FALSE;
    }

    keys = g_key_file_get_keys(file, group, NULL, error);

    for (i = 0; keys != NULL && keys[i] != NULL; i++) {
        g_autofree char  *value = NULL;

        value = g_key_file_get_string(file, group, keys[i], error);

        if (value == NULL) {
            return FALSE;
        }

        g_strstrip(value);

        if (!agent_config_set(config, group, keys[i], value, error)) {
            return FALSE;
        }
    }

    return TRUE;
}


/* whole when its group is: keys of two files do not make one command */

static gboolean
agent_config_command(agent_config_t *config, GKeyFile *file,
    const char *group, GError **error)
{
    gsize              i;
    agent_command_t   *command;
    g_auto(GStrv)      keys = NULL;

    command = agent_command_new(group + strlen(AGENT_COMMAND_PREFIX), error);

    if (command == NULL) {
        return FALSE;
    }

    keys = g_key_file_get_keys(file, group, NULL, error);

    for (i = 0; keys != NULL && keys[i] != NULL; i++) {
        g_autofree char  *value = NULL;

        value = g_key_file_get_string(file, group, keys[i], error);

        if (value == NULL
            || !agent_command_set(command, keys[i], g_strstrip(value),
                                  error))
        {
            agent_command_free(command);
            return FALSE;
        }
    }

    if (!agent_command_whole(command, error)) {
        agent_command_free(command);
        return FALSE;
    }

    if (g_hash_table_size(config->commands) == AGENT_COMMANDS) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "more than %d commands", AGENT_COMMANDS);
        agent_command_free(command);
        return FALSE;
    }

    g_hash_table_replace(config->commands, command->name, command);

    return TRUE;
}


gboolean
agent_config_parse(agent_config_t *config, const char *text, gsize len,
    GError **error)
{
    gsize                  i;
    g_auto(GStrv)          groups = NULL;
    g_autoptr(GKeyFile)    file = g_key_file_new();

    if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, error)) {
        return FALSE;
    }

    groups = g_key_file_get_groups(file, NULL);

    for (i = 0; groups[i] != NULL; i++) {
        if (!agent_config_group(config, file, groups[i], error)) {
            return FALSE;
        }
    }

    return TRUE;
}


gboolean
agent_config_read(agent_config_t *config, const char *path, GError **error)
{
    gsize              len;
    g_autofree char   *text = NULL;

    if (!g_file_get_contents(path, &text, &len, error)) {
        return FALSE;
    }

    if (len > AGENT_CONFIG_SIZE) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "%s: larger than %d bytes", path, AGENT_CONFIG_SIZE);
        return FALSE;
    }

    if (!agent_config_parse(config, text, len, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }

    return TRUE;
}


char *
agent_config_absolute(const char *path)
{
    return g_canonicalize_filename(path, NULL);
}


char *
agent_config_url(const char *url, char **host, GError **error)
{
    gsize               len;
    const char         *name;
    g_autofree char    *lower = NULL;
    g_autofree char    *path = NULL;
    g_autoptr(GUri)     uri = NULL;

    uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);

    if (uri == NULL
        || strcmp(g_uri_get_scheme(uri), "https") != 0
        || g_uri_get_userinfo(uri) != NULL
        || g_uri_get_query(uri) != NULL
        || g_uri_get_fragment(uri) != NULL
        || g_uri_get_host(uri) == NULL
        || g_uri_get_host(uri)[0] == '\0')
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid server \"%s\": "
                    "https://host[:port]/rs/v1 is wanted", url);
        return NULL;
    }

    name = g_uri_get_host(uri);
    lower = g_ascii_strdown(name, -1);
    path = g_strdup(g_uri_get_path(uri));

    for (len = strlen(path); len > 0 && path[len - 1] == '/'; len--) {
        path[len - 1] = '\0';
    }

    if (host != NULL) {
        *host = g_strdup(lower);
    }

    return g_uri_join(G_URI_FLAGS_NONE, "https", NULL, lower,
                      g_uri_get_port(uri), path, NULL, NULL);
}
