
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the keys of [recorder].  What is behind [agent] is read as agent.conf
 * is: the same words mean the same.
 */

#include "record_config.h"
#include "record_error.h"

#include <string.h>


#define RECORD_CONFIG_GROUP  "recorder"
#define RECORD_CONFIG_AGENT  "agent"
#define RECORD_CONFIG_SIZE   65536


typedef struct {
    const char  *name;
    gsize        offset;
    guint        min;
    guint        max;
} record_config_number_t;


#define RECORD_AT(member)  G_STRUCT_OFFSET(record_config_t, member)


static const record_config_number_t  record_config_numbers[] = {
    { "max_sessions", RECORD_AT(max_sessions), 1, 1000 },
    { "retention_days", RECORD_AT(retention_days), 0, 36500 },
    { "min_free", RECORD_AT(min_free), 1, 10000000 },
    { "silence", RECORD_AT(silence_s), 5, 300 }
};


/* of agent.conf, what a device without a desktop has */

static const char *const  record_config_agent[] = {
    "server", "gateway_identity", "key_rotation",
    "server_probe", "ca_file", "proxy", "name", "state_dir", "relay_only",
    NULL
};


static gboolean record_config_auditors(record_config_t *config,
    const char *value, GError **error);
static gboolean record_config_set(record_config_t *config, const char *name,
    const char *value, GError **error);
static gboolean record_config_group(record_config_t *config, GKeyFile *file,
    GError **error);
static gboolean record_config_rest(record_config_t *config, GKeyFile *file,
    GError **error);


record_config_t *
record_config_new(void)
{
    record_config_t  *config;

    config = g_new0(record_config_t, 1);
    config->agent = agent_config_new();
    g_free(config->agent->state_dir);
    config->agent->state_dir = g_strdup(RECORD_STATE_DIR);
    config->directory = g_strdup(RECORD_DIRECTORY);
    config->max_sessions = 8;
    config->retention_days = 90;
    config->min_free = 1024;
    config->silence_s = 10;

    return config;
}


void
record_config_free(record_config_t *config)
{
    agent_config_free(config->agent);
    g_free(config->directory);
    g_strfreev(config->auditors);
    g_free(config);
}


gboolean
record_config_read(record_config_t *config, const char *path, GError **error)
{
    gsize             len;
    g_autofree char  *text = NULL;

    if (!g_file_get_contents(path, &text, &len, error)) {
        return FALSE;
    }

    if (!record_config_parse(config, text, len, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }

    return TRUE;
}


static gboolean
record_config_auditors(record_config_t *config, const char *value,
    GError **error)
{
    gsize           i;
    g_auto(GStrv)   paths = g_strsplit(value, ";", -1);

    for (i = 0; paths[i] != NULL; i++) {
        g_strstrip(paths[i]);

        if (!g_path_is_absolute(paths[i])) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                        "invalid auditors \"%s\": absolute paths are wanted, "
                        "with \";\" between them", value);
            return FALSE;
        }
    }

    g_strfreev(config->auditors);
    config->auditors = g_steal_pointer(&paths);

    return TRUE;
}


static gboolean
record_config_set(record_config_t *config, const char *name,
    const char *value, GError **error)
{
    gsize                          i;
    guint64                        n;
    const record_config_number_t  *number;

    if (strcmp(name, "directory") == 0) {
        if (!g_path_is_absolute(value)) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                        "invalid directory \"%s\": an absolute path is "
                        "wanted", value);
            return FALSE;
        }

        g_free(config->directory);
        config->directory = g_strdup(value);
        return TRUE;
    }

    if (strcmp(name, "auditors") == 0) {
        return record_config_auditors(config, value, error);
    }

    for (i = 0; i < G_N_ELEMENTS(record_config_numbers); i++) {
        number = &record_config_numbers[i];

        if (strcmp(name, number->name) != 0) {
            continue;
        }

        if (!g_ascii_string_to_unsigned(value, 10, number->min, number->max,
                                        &n, NULL))
        {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                        "invalid %s \"%s\": a number from %u to %u is "
                        "wanted", name, value, number->min, number->max);
            return FALSE;
        }

        G_STRUCT_MEMBER(guint, config, number->offset) = (guint) n;
        return TRUE;
    }

    g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                "unknown key \"%s\" in [" RECORD_CONFIG_GROUP "]", name);

    return FALSE;
}


static gboolean
record_config_group(record_config_t *config, GKeyFile *file, GError **error)
{
    gsize           i;
    g_auto(GStrv)   names = NULL;

    names = g_key_file_get_keys(file, RECORD_CONFIG_GROUP, NULL, NULL);

    for (i = 0; names != NULL && names[i] != NULL; i++) {
        g_autofree char  *value = NULL;

        value = g_key_file_get_string(file, RECORD_CONFIG_GROUP, names[i],
                                      error);

        if (value == NULL
            || !record_config_set(config, names[i], g_strstrip(value),
                                  error))
        {
            return FALSE;
        }
    }

    return TRUE;
}


static gboolean
record_config_rest(record_config_t *config, GKeyFile *file, GError **error)
{
    gsize              i, len;
    g_auto(GStrv)      groups = NULL;
    g_auto(GStrv)      names = NULL;
    g_autofree char   *text = NULL;

    (void) g_key_file_remove_group(file, RECORD_CONFIG_GROUP, NULL);
    groups = g_key_file_get_groups(file, NULL);

    for (i = 0; groups[i] != NULL; i++) {
        if (strcmp(groups[i], RECORD_CONFIG_AGENT) != 0) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                        "unknown group [%s]: there are [agent] and "
                        "[recorder]", groups[i]);
            return FALSE;
        }
    }

    names = g_key_file_get_keys(file, RECORD_CONFIG_AGENT, NULL, NULL);

    for (i = 0; names != NULL && names[i] != NULL; i++) {
        if (!g_strv_contains(record_config_agent, names[i])) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                        "unknown key \"%s\" in [agent]: a recorder has no "
                        "such one", names[i]);
            return FALSE;
        }
    }

    text = g_key_file_to_data(file, &len, NULL);

    return agent_config_parse(config->agent, text, len, error);
}


gboolean
record_config_parse(record_config_t *config, const char *text, gsize len,
    GError **error)
{
    g_autoptr(GKeyFile)  file = g_key_file_new();

    if (len > RECORD_CONFIG_SIZE) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "larger than %d bytes", RECORD_CONFIG_SIZE);
        return FALSE;
    }

    return g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, error)
           && record_config_group(config, file, error)
           && record_config_rest(config, file, error);
}
