
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the keys of rs-tunnel.conf: a table of name, kind and bounds.  Options
 * of the command line go through the same table, so that both are checked
 * alike.
 */

#include "tunnel_config.h"
#include "tunnel_addr.h"
#include "tunnel_error.h"
#include "agent_proxy.h"

#include <string.h>


#define TUNNEL_CONFIG_GROUP  "rs-tunnel"
#define TUNNEL_CONFIG_SIZE   65536      /* bytes of a file */
#define TUNNEL_CONFIG_URL    512


typedef struct {
    const char   *name;
    gboolean    (*set)(tunnel_config_t *config, const char *value,
                       const void *key, GError **error);
    gsize         offset;
    guint         min;
    guint         max;
} tunnel_config_key_t;


static gboolean tunnel_config_server(tunnel_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean tunnel_config_proxy(tunnel_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean tunnel_config_local(tunnel_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean tunnel_config_string(tunnel_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean tunnel_config_path(tunnel_config_t *config,
    const char *value, const void *data, GError **error);
static gboolean tunnel_config_number(tunnel_config_t *config,
    const char *value, const void *data, GError **error);
static void tunnel_config_replace(char **field, char *value);


#define TUNNEL_AT(member)  G_STRUCT_OFFSET(tunnel_config_t, member)


static const tunnel_config_key_t  tunnel_config_keys[] = {
    { "server", tunnel_config_server, TUNNEL_AT(server), 0, 0 },
    { "tenant", tunnel_config_string, TUNNEL_AT(tenant), 1, 32 },
    { "key_file", tunnel_config_path, TUNNEL_AT(key_file), 1, 4096 },
    { "ca_file", tunnel_config_path, TUNNEL_AT(ca_file), 1, 4096 },
    { "proxy", tunnel_config_proxy, TUNNEL_AT(proxy), 0, 0 },
    { "local", tunnel_config_local, TUNNEL_AT(local), 0, 0 },
    { "ssh", tunnel_config_string, TUNNEL_AT(ssh), 1, 4096 },
    { "rdp", tunnel_config_string, TUNNEL_AT(rdp), 1, 4096 },
    { "max_connections", tunnel_config_number, TUNNEL_AT(max_connections),
      1, 1024 },
    { "idle_s", tunnel_config_number, TUNNEL_AT(idle_s), 0, 86400 },
    { "ttl_s", tunnel_config_number, TUNNEL_AT(ttl_s), 0, 604800 },
    { "flow_idle_s", tunnel_config_number, TUNNEL_AT(flow_idle_s), 5, 3600 }
};


tunnel_config_t *
tunnel_config_new(void)
{
    tunnel_config_t  *config;

    config = g_new0(tunnel_config_t, 1);
    config->ssh = g_strdup("ssh");
    config->max_connections = 64;
    config->flow_idle_s = 60;

    return config;
}


void
tunnel_config_free(tunnel_config_t *config)
{
    g_free(config->server);
    g_free(config->tenant);
    g_free(config->key_file);
    g_free(config->ca_file);
    g_free(config->proxy);
    g_free(config->local);
    g_free(config->ssh);
    g_free(config->rdp);
    g_free(config);
}


static void
tunnel_config_replace(char **field, char *value)
{
    g_free(*field);
    *field = value;
}


/* a key that is sent in the clear is no secret any more: https only */

static gboolean
tunnel_config_server(tunnel_config_t *config, const char *value,
    const void *data, GError **error)
{
    gsize              len;
    g_autofree char   *lower = NULL;
    g_autofree char   *path = NULL;
    g_autoptr(GUri)    uri = NULL;

    (void) data;

    uri = (strlen(value) <= TUNNEL_CONFIG_URL)
          ? g_uri_parse(value, G_URI_FLAGS_NONE, NULL) : NULL;

    if (uri == NULL
        || strcmp(g_uri_get_scheme(uri), "https") != 0
        || g_uri_get_userinfo(uri) != NULL
        || g_uri_get_query(uri) != NULL
        || g_uri_get_fragment(uri) != NULL
        || g_uri_get_host(uri) == NULL
        || g_uri_get_host(uri)[0] == '\0')
    {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "invalid server \"%s\": https://host[:port]/rs/v1 is "
                    "wanted", value);
        return FALSE;
    }

    lower = g_ascii_strdown(g_uri_get_host(uri), -1);
    path = g_strdup(g_uri_get_path(uri));

    for (len = strlen(path); len > 0 && path[len - 1] == '/'; len--) {
        path[len - 1] = '\0';
    }

    tunnel_config_replace(&config->server,
                          g_uri_join(G_URI_FLAGS_NONE, "https", NULL, lower,
                                     g_uri_get_port(uri), path, NULL, NULL));

    return TRUE;
}


static gboolean
tunnel_config_proxy(tunnel_config_t *config, const char *value,
    const void *data, GError **error)
{
    char              *uri;
    g_autoptr(GError)  why = NULL;

    (void) data;

    if (strcmp(value, "direct") == 0) {
        tunnel_config_replace(&config->proxy, g_strdup(value));
        return TRUE;
    }

    uri = agent_proxy_parse(value, FALSE, &why);

    if (uri == NULL) {

        /* not the value: a password may stand in it */

        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "invalid proxy: %s; or \"direct\"", why->message);
        return FALSE;
    }

    tunnel_config_replace(&config->proxy, uri);

    return TRUE;
}


static gboolean
tunnel_config_local(tunnel_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint16                    port;
    gboolean                   loopback;
    g_autoptr(GInetAddress)    address = NULL;

    (void) data;

    if (!tunnel_addr_local(value, &address, &port, &loopback, error)) {
        return FALSE;
    }

    tunnel_config_replace(&config->local, g_strdup(value));

    return TRUE;
}


static gboolean
tunnel_config_string(tunnel_config_t *config, const char *value,
    const void *data, GError **error)
{
    gsize                       i, len;
    const tunnel_config_key_t  *key = data;

    len = strlen(value);

    for (i = 0; i < len && !g_ascii_iscntrl(value[i]); i++) { /* void */ }

    if (len < key->min || len > key->max || i < len) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "invalid %s \"%s\": %u to %u characters, none of them a "
                    "control character, are wanted", key->name, value,
                    key->min, key->max);
        return FALSE;
    }

    tunnel_config_replace(&G_STRUCT_MEMBER(char *, config, key->offset),
                          g_strdup(value));

    return TRUE;
}


/* "~/" is the home of whoever calls */

static gboolean
tunnel_config_path(tunnel_config_t *config, const char *value,
    const void *data, GError **error)
{
    char                       **field;
    const tunnel_config_key_t   *key = data;
    g_autofree char             *path = NULL;

    if (!tunnel_config_string(config, value, data, error)) {
        return FALSE;
    }

    field = &G_STRUCT_MEMBER(char *, config, key->offset);

    path = g_str_has_prefix(value, "~/")
           ? g_build_filename(g_get_home_dir(), value + 2, NULL)
           : g_strdup(value);

    tunnel_config_replace(field, g_canonicalize_filename(path, NULL));

    return TRUE;
}


static gboolean
tunnel_config_number(tunnel_config_t *config, const char *value,
    const void *data, GError **error)
{
    guint64                     n;
    const tunnel_config_key_t  *key = data;

    if (!g_ascii_string_to_unsigned(value, 10, key->min, key->max, &n,
                                    NULL))
    {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "invalid %s \"%s\": a number from %u to %u is wanted",
                    key->name, value, key->min, key->max);
        return FALSE;
    }

    G_STRUCT_MEMBER(guint, config, key->offset) = (guint) n;

    return TRUE;
}


gboolean
tunnel_config_set(tunnel_config_t *config, const char *name,
    const char *value, GError **error)
{
    gsize                       i;
    const tunnel_config_key_t  *key;

    for (i = 0; i < G_N_ELEMENTS(tunnel_config_keys); i++) {
        key = &tunnel_config_keys[i];

        if (strcmp(key->name, name) == 0) {
            return key->set(config, value, key, error);
        }
    }

    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                "unknown key \"%s\"", name);

    return FALSE;
}


gboolean
tunnel_config_parse(tunnel_config_t *config, const char *text, gsize len,
    GError **error)
{
    gsize                  i;
    g_auto(GStrv)          groups = NULL;
    g_auto(GStrv)          keys = NULL;
    g_autoptr(GError)      why = NULL;
    g_autoptr(GKeyFile)    file = g_key_file_new();

    if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, &why)) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE, "%s",
                    why->message);
        return FALSE;
    }

    groups = g_key_file_get_groups(file, NULL);

    for (i = 0; groups[i] != NULL; i++) {

        if (strcmp(groups[i], TUNNEL_CONFIG_GROUP) != 0) {
            g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                        "unknown group \"[%s]\", only [%s] is known",
                        groups[i], TUNNEL_CONFIG_GROUP);
            return FALSE;
        }
    }

    keys = (groups[0] != NULL)
           ? g_key_file_get_keys(file, TUNNEL_CONFIG_GROUP, NULL, NULL)
           : NULL;

    for (i = 0; keys != NULL && keys[i] != NULL; i++) {
        g_autofree char  *value = NULL;

        value = g_key_file_get_string(file, TUNNEL_CONFIG_GROUP, keys[i],
                                      &why);
        if (value == NULL) {
            g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE, "%s",
                        why->message);
            return FALSE;
        }

        if (!tunnel_config_set(config, keys[i], g_strstrip(value), error)) {
            return FALSE;
        }
    }

    return TRUE;
}


gboolean
tunnel_config_read(tunnel_config_t *config, const char *path, GError **error)
{
    gsize               len;
    g_autofree char    *text = NULL;
    g_autoptr(GError)   why = NULL;

    if (!g_file_get_contents(path, &text, &len, &why)) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE, "%s",
                    why->message);
        return FALSE;
    }

    if (len > TUNNEL_CONFIG_SIZE) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "%s: larger than %d bytes", path, TUNNEL_CONFIG_SIZE);
        return FALSE;
    }

    if (!tunnel_config_parse(config, text, len, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }

    return TRUE;
}
