
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the keys of render.conf that are an instance's: one table, so that a
 * key that is not in it is an error.
 */

#include "render_settings.h"

#include <string.h>


#define RENDER_SETTINGS_MAX  65536      /* bytes of the file */


typedef struct render_key_s  render_key_t;

struct render_key_s {
    const char  *group;
    const char  *name;
    gboolean   (*set)(render_settings_t *settings, const char *value,
                      const render_key_t *key, GError **error);
    goffset      offset;
    guint        min;
    guint        max;
};


static gboolean render_settings_set_path(render_settings_t *settings,
    const char *value, const render_key_t *key, GError **error);
static gboolean render_settings_set_number(render_settings_t *settings,
    const char *value, const render_key_t *key, GError **error);
static gboolean render_settings_set_flag(render_settings_t *settings,
    const char *value, const render_key_t *key, GError **error);
static gboolean render_settings_group(render_settings_t *settings,
    GKeyFile *file, const char *group, GError **error);
static gboolean render_settings_egress(render_settings_t *settings,
    GKeyFile *file, const char *name, GError **error);
static gboolean render_settings_key(render_settings_t *settings,
    GKeyFile *file, const char *group, const char *name, GError **error);
static gboolean render_settings_check(const render_settings_t *settings,
    GError **error);


#define RENDER_AT(field)  G_STRUCT_OFFSET(render_settings_t, field)

static const render_key_t  render_keys[] = {
    { "browser", "browser", render_settings_set_path, RENDER_AT(browser),
      0, 0 },
    { "browser", "sandbox", render_settings_set_path, RENDER_AT(sandbox),
      0, 0 },
    { "browser", "display", render_settings_set_path, RENDER_AT(display),
      0, 0 },
    { "browser", "width", render_settings_set_number, RENDER_AT(width),
      320, 1920 },
    { "browser", "height", render_settings_set_number, RENDER_AT(height),
      240, 1200 },
    { "browser", "idle_s", render_settings_set_number, RENDER_AT(idle_s),
      1, 86400 },
    { "browser", "profile", render_settings_set_number, RENDER_AT(profile),
      64, 16384 },
    { "browser", "files_max", render_settings_set_number,
      RENDER_AT(files_max), 1, 16384 },
    { "browser", "fps", render_settings_set_number, RENDER_AT(fps), 1, 60 },
    { "browser", "bitrate_min", render_settings_set_number,
      RENDER_AT(bitrate_min), 50000, 50000000 },
    { "browser", "bitrate", render_settings_set_number, RENDER_AT(bitrate),
      100000, 50000000 },
    { "browser", "max_viewers", render_settings_set_number,
      RENDER_AT(max_viewers), 1, 64 },
    { "browser", "relay_only", render_settings_set_flag,
      RENDER_AT(relay_only), 0, 0 },

    { "documents", "enabled", render_settings_set_flag,
      RENDER_AT(documents), 0, 0 },
    { "documents", "viewer", render_settings_set_path, RENDER_AT(viewer),
      0, 0 },
    { "documents", "converter", render_settings_set_path,
      RENDER_AT(converter), 0, 0 },
    { "documents", "max", render_settings_set_number,
      RENDER_AT(document_max), 1, 1024 },
    { "documents", "convert_s", render_settings_set_number,
      RENDER_AT(convert_s), 1, 600 },
    { "documents", "memory", render_settings_set_number,
      RENDER_AT(convert_memory), 256, 65536 }
};


G_DEFINE_QUARK(render-settings-error-quark, render_settings_error)


render_settings_t *
render_settings_new(void)
{
    render_settings_t  *settings;

    settings = g_new0(render_settings_t, 1);
    settings->browser = g_strdup("/usr/lib/chromium/chromium");
    settings->sandbox = g_strdup("bwrap");
    settings->display = g_strdup("Xvfb");
    settings->width = 1280;
    settings->height = 720;
    settings->idle_s = 60;
    settings->profile = 512;
    settings->files_max = 100;
    settings->fps = 25;
    settings->bitrate_min = 150000;
    settings->bitrate = 3000000;
    settings->max_viewers = 16;
    settings->documents = TRUE;
    rs_egress_init(&settings->egress);

    return settings;
}


void
render_settings_free(render_settings_t *settings)
{
    g_free(settings->browser);
    g_free(settings->sandbox);
    g_free(settings->display);
    g_free(settings->viewer);
    g_free(settings->converter);
    g_free(settings);
}


gboolean
render_settings_read(render_settings_t *settings, const char *path,
    GError **error)
{
    gsize             len;
    g_autofree char  *text = NULL;

    if (!g_file_get_contents(path, &text, &len, error)) {
        return FALSE;
    }

    if (!render_settings_parse(settings, text, len, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }

    return TRUE;
}


gboolean
render_settings_parse(render_settings_t *settings, const char *text,
    gsize len, GError **error)
{
    gsize                  i;
    g_auto(GStrv)          groups = NULL;
    g_autoptr(GKeyFile)    file = g_key_file_new();

    if (len > RENDER_SETTINGS_MAX) {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "larger than %d bytes", RENDER_SETTINGS_MAX);
        return FALSE;
    }

    if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, error)) {
        return FALSE;
    }

    groups = g_key_file_get_groups(file, NULL);

    for (i = 0; groups[i] != NULL; i++) {
        if (!render_settings_group(settings, file, groups[i], error)) {
            return FALSE;
        }
    }

    return render_settings_check(settings, error);
}


static gboolean
render_settings_group(render_settings_t *settings, GKeyFile *file,
    const char *group, GError **error)
{
    gsize          i;
    g_auto(GStrv)  keys = NULL;

    if (strcmp(group, "agent") == 0 || strcmp(group, "pool") == 0) {
        return TRUE;
    }

    if (strcmp(group, "browser") != 0 && strcmp(group, "egress") != 0
        && strcmp(group, "documents") != 0)
    {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "unknown group [%s]: agent, pool, browser, egress or "
                    "documents is wanted", group);
        return FALSE;
    }

    keys = g_key_file_get_keys(file, group, NULL, error);

    if (keys == NULL) {
        return FALSE;
    }

    for (i = 0; keys[i] != NULL; i++) {
        if (!render_settings_key(settings, file, group, keys[i], error)) {
            return FALSE;
        }
    }

    return TRUE;
}


static gboolean
render_settings_key(render_settings_t *settings, GKeyFile *file,
    const char *group, const char *name, GError **error)
{
    gsize             i;
    g_autofree char  *value = NULL;

    if (strcmp(group, "egress") == 0) {
        return render_settings_egress(settings, file, name, error);
    }

    for (i = 0; i < G_N_ELEMENTS(render_keys); i++) {

        if (strcmp(render_keys[i].group, group) != 0
            || strcmp(render_keys[i].name, name) != 0)
        {
            continue;
        }

        value = g_key_file_get_string(file, group, name, error);

        return value != NULL
               && render_keys[i].set(settings, g_strstrip(value),
                                     &render_keys[i], error);
    }

    g_set_error(error, RENDER_SETTINGS_ERROR, 0, "unknown key \"%s\" in [%s]",
                name, group);

    return FALSE;
}


/* the words are librs's */

static gboolean
render_settings_egress(render_settings_t *settings, GKeyFile *file,
    const char *name, GError **error)
{
    const char       *cure;
    g_autofree char  *value = NULL;

    value = g_key_file_get_string(file, "egress", name, error);

    if (value == NULL) {
        return FALSE;
    }

    cure = NULL;

    switch (rs_egress_add(&settings->egress, rs_str(name), rs_str(value),
                          &cure))
    {

    case RS_OK:
        return TRUE;

    case RS_E_UNKNOWN_FIELD:
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "unknown key \"%s\" in [egress]", name);
        return FALSE;

    default:
        g_set_error(error, RENDER_SETTINGS_ERROR, 0, "invalid %s \"%s\": %s",
                    name, value, cure ? cure : "not understood");
        return FALSE;
    }
}


/* of programs a name is enough, which the path is searched for */

static gboolean
render_settings_set_path(render_settings_t *settings, const char *value,
    const render_key_t *key, GError **error)
{
    char  **field;

    if (value[0] == '\0'
        || (strchr(value, '/') != NULL && !g_path_is_absolute(value)))
    {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "invalid %s \"%s\": an absolute path is wanted, or a "
                    "name that is found in the PATH", key->name, value);
        return FALSE;
    }

    field = (char **) G_STRUCT_MEMBER_P(settings, key->offset);
    g_free(*field);
    *field = g_strdup(value);

    return TRUE;
}


static gboolean
render_settings_set_number(render_settings_t *settings, const char *value,
    const render_key_t *key, GError **error)
{
    guint64  n;

    if (!g_ascii_string_to_unsigned(value, 10, key->min, key->max, &n, NULL))
    {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "invalid %s \"%s\": a number from %u to %u is wanted",
                    key->name, value, key->min, key->max);
        return FALSE;
    }

    G_STRUCT_MEMBER(guint, settings, key->offset) = (guint) n;

    return TRUE;
}


static gboolean
render_settings_set_flag(render_settings_t *settings, const char *value,
    const render_key_t *key, GError **error)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "invalid %s \"%s\": true or false is wanted", key->name,
                    value);
        return FALSE;
    }

    G_STRUCT_MEMBER(gboolean, settings, key->offset) = (value[0] == 't');

    return TRUE;
}


static gboolean
render_settings_check(const render_settings_t *settings, GError **error)
{
    if (settings->width % 2 != 0 || settings->height % 2 != 0) {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "invalid width %u and height %u: even ones are wanted",
                    settings->width, settings->height);
        return FALSE;
    }

    if (settings->bitrate_min > settings->bitrate) {
        g_set_error(error, RENDER_SETTINGS_ERROR, 0,
                    "bitrate_min %u is above bitrate %u",
                    settings->bitrate_min, settings->bitrate);
        return FALSE;
    }

    return TRUE;
}
