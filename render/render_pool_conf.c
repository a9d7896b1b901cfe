
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the keys of [agent] and [pool] in render.conf: tables, so that what is
 * in neither is an error.
 */

#define G_LOG_DOMAIN  "rs-config"

#include "render_pool_conf.h"

#include <string.h>


#define RENDER_CONF_SIZE  65536         /* bytes of a configuration file */


typedef struct {
    const char  *name;
    gsize        offset;
    guint        min;
    guint        max;
} render_conf_number_t;


static gboolean render_pool_conf_agent(render_pool_conf_t *conf,
    GKeyFile *file, GError **error);
static gboolean render_pool_conf_pool(render_pool_conf_t *conf,
    GKeyFile *file, GError **error);
static gboolean render_pool_conf_set(render_pool_conf_t *conf,
    const char *name, const char *value, GError **error);
static gboolean render_pool_conf_check(const render_pool_conf_t *conf,
    GError **error);


/* of agent.conf: who we are and where the gateway is, nothing of a desktop */

static const char *const  render_conf_agent[] = {
    "server", "server_probe", "gateway_identity", "ca_file", "proxy", "name",
    "state_dir", NULL
};

/* of rs-render-host */

static const char *const  render_conf_others[] = {
    "browser", "egress", "documents", NULL
};


#define RENDER_AT(member)  G_STRUCT_OFFSET(render_pool_conf_t, member)


static const render_conf_number_t  render_conf_numbers[] = {
    { "max", RENDER_AT(limits.max), 1, 64 },
    { "warm", RENDER_AT(limits.warm), 0, 64 },
    { "queue", RENDER_AT(limits.queue), 0, 256 },
    { "queue_time", RENDER_AT(limits.queue_time), 10, 600 },
    { "start_time", RENDER_AT(limits.start_time), 2, 300 },
    { "stop_time", RENDER_AT(limits.stop_time), 1, 30 }
};


render_pool_conf_t *
render_pool_conf_new(void)
{
    render_pool_conf_t  *conf;

    conf = g_new0(render_pool_conf_t, 1);
    conf->agent = agent_config_new();
    g_free(conf->agent->state_dir);
    conf->agent->state_dir = g_strdup(RENDER_STATE_DIR);
    conf->launcher = g_strdup("systemd");
    conf->runtime_dir = g_strdup(RENDER_RUNTIME_DIR);
    conf->limits.max = 4;
    conf->limits.warm = 1;
    conf->limits.queue = 16;
    conf->limits.queue_time = 300;
    conf->limits.start_time = 30;
    conf->limits.stop_time = 2;

    return conf;
}


void
render_pool_conf_free(render_pool_conf_t *conf)
{
    agent_config_free(conf->agent);
    g_free(conf->launcher);
    g_free(conf->runtime_dir);
    g_free(conf->program);
    g_free(conf);
}


gboolean
render_pool_conf_read(render_pool_conf_t *conf, const char *path,
    GError **error)
{
    gsize              len;
    g_autofree char   *text = NULL;

    if (!g_file_get_contents(path, &text, &len, error)) {
        return FALSE;
    }

    if (!render_pool_conf_parse(conf, text, len, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }

    return TRUE;
}


gboolean
render_pool_conf_parse(render_pool_conf_t *conf, const char *text, gsize len,
    GError **error)
{
    gsize                  i;
    g_auto(GStrv)          groups = NULL;
    g_autoptr(GKeyFile)    file = g_key_file_new();

    if (len > RENDER_CONF_SIZE) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "larger than %d bytes", RENDER_CONF_SIZE);
        return FALSE;
    }

    if (len != 0
        && !g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE,
                                      error))
    {
        return FALSE;
    }

    groups = g_key_file_get_groups(file, NULL);

    for (i = 0; groups[i] != NULL; i++) {
        if (strcmp(groups[i], "agent") != 0 && strcmp(groups[i], "pool") != 0
            && !g_strv_contains(render_conf_others, groups[i]))
        {
            g_set_error(error, AGENT_CONFIG_ERROR,
                        AGENT_CONFIG_ERROR_INVALID,
                        "unknown group \"[%s]\": [agent], [pool], [browser], "
                        "[egress] and [documents] are known", groups[i]);
            return FALSE;
        }
    }

    return render_pool_conf_agent(conf, file, error)
           && render_pool_conf_pool(conf, file, error)
           && render_pool_conf_check(conf, error);
}


/* agent_config.c knows what the values may be */

static gboolean
render_pool_conf_agent(render_pool_conf_t *conf, GKeyFile *file,
    GError **error)
{
    gsize                  i, len;
    g_auto(GStrv)          keys = NULL;
    g_autofree char       *text = NULL;
    g_autoptr(GKeyFile)    own = g_key_file_new();

    if (!g_key_file_has_group(file, "agent")) {
        return TRUE;
    }

    keys = g_key_file_get_keys(file, "agent", NULL, NULL);

    for (i = 0; keys[i] != NULL; i++) {
        g_autofree char  *value = NULL;

        if (!g_strv_contains(render_conf_agent, keys[i])) {
            g_set_error(error, AGENT_CONFIG_ERROR,
                        AGENT_CONFIG_ERROR_INVALID,
                        "unknown key \"%s\" in [agent]", keys[i]);
            return FALSE;
        }

        value = g_key_file_get_value(file, "agent", keys[i], NULL);
        g_key_file_set_value(own, "agent", keys[i], value);
    }

    text = g_key_file_to_data(own, &len, NULL);

    return agent_config_parse(conf->agent, text, len, error);
}


static gboolean
render_pool_conf_pool(render_pool_conf_t *conf, GKeyFile *file,
    GError **error)
{
    gsize           i;
    g_auto(GStrv)   keys = NULL;

    if (!g_key_file_has_group(file, "pool")) {
        return TRUE;
    }

    keys = g_key_file_get_keys(file, "pool", NULL, NULL);

    for (i = 0; keys[i] != NULL; i++) {
        g_autofree char  *value = NULL;

        value = g_key_file_get_string(file, "pool", keys[i], error);

        if (value == NULL
            || !render_pool_conf_set(conf, keys[i], g_strstrip(value), error))
        {
            return FALSE;
        }
    }

    return TRUE;
}


static gboolean
render_pool_conf_set(render_pool_conf_t *conf, const char *name,
    const char *value, GError **error)
{
    gsize                         i;
    char                        **path;
    guint64                       n;
    const render_conf_number_t   *key;

    for (i = 0; i < G_N_ELEMENTS(render_conf_numbers); i++) {
        key = &render_conf_numbers[i];

        if (strcmp(key->name, name) != 0) {
            continue;
        }

        if (!g_ascii_string_to_unsigned(value, 10, key->min, key->max, &n,
                                        NULL))
        {
            g_set_error(error, AGENT_CONFIG_ERROR,
                        AGENT_CONFIG_ERROR_INVALID,
                        "invalid %s \"%s\": a number from %u to %u is wanted",
                        name, value, key->min, key->max);
            return FALSE;
        }

        G_STRUCT_MEMBER(guint, conf, key->offset) = (guint) n;

        return TRUE;
    }

    if (strcmp(name, "launcher") == 0) {
        return render_pool_conf_launcher(conf, value, error);
    }

    path = strcmp(name, "runtime_dir") == 0 ? &conf->runtime_dir
           : strcmp(name, "program") == 0 ? &conf->program : NULL;

    if (path == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "unknown key \"%s\" in [pool]", name);
        return FALSE;
    }

    if (!g_path_is_absolute(value)) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid %s \"%s\": an absolute path is wanted", name,
                    value);
        return FALSE;
    }

    g_free(*path);
    *path = g_strdup(value);

    return TRUE;
}


gboolean
render_pool_conf_launcher(render_pool_conf_t *conf, const char *value,
    GError **error)
{
    if (strcmp(value, "systemd") != 0 && strcmp(value, "plain") != 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "invalid launcher \"%s\": systemd or plain is wanted",
                    value);
        return FALSE;
    }

    g_free(conf->launcher);
    conf->launcher = g_strdup(value);

    return TRUE;
}


static gboolean
render_pool_conf_check(const render_pool_conf_t *conf, GError **error)
{
    if (conf->limits.warm > conf->limits.max) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "warm %u is more than max %u", conf->limits.warm,
                    conf->limits.max);
        return FALSE;
    }

    return TRUE;
}
