
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Nothing here is run by a shell but ProxyCommand, by ssh: each word of it is
 * quoted, and "%", which means something to ssh, is doubled.  A credential is
 * in none of it.
 */

#include "tunnel_programs.h"

#include <string.h>


#define TUNNEL_PROGRAMS_SSH   "127.0.0.1:22"
#define TUNNEL_PROGRAMS_HOST  G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._"


static void tunnel_programs_word(GString *line, const char *word);
static void tunnel_programs_option(GString *line, const char *option,
    const char *value);
static gboolean tunnel_programs_is_host(const char *name);


static void
tunnel_programs_word(GString *line, const char *word)
{
    g_autofree char     *quoted = NULL;
    g_autoptr(GString)   text = g_string_new(word);

    g_string_replace(text, "%", "%%", 0);
    quoted = g_shell_quote(text->str);

    if (line->len > 0) {
        g_string_append_c(line, ' ');
    }

    g_string_append(line, quoted);
}


static void
tunnel_programs_option(GString *line, const char *option, const char *value)
{
    if (value != NULL) {
        tunnel_programs_word(line, option);
        tunnel_programs_word(line, value);
    }
}


/* else ssh would take it for an option, or refuse it */

static gboolean
tunnel_programs_is_host(const char *name)
{
    return g_ascii_isalnum(name[0])
           && name[strspn(name, TUNNEL_PROGRAMS_HOST)] == '\0';
}


char **
tunnel_programs_ssh(const tunnel_config_t *config,
    const tunnel_options_t *options, const tunnel_device_t *device,
    const char *self)
{
    g_autofree char          *config_file = NULL;
    g_autofree char          *key_file = NULL;
    g_autofree char          *proxy = NULL;
    g_autofree char          *alias = NULL;
    g_autoptr(GString)        line = g_string_new(NULL);
    g_autoptr(GStrvBuilder)   argv = g_strv_builder_new();

    /* ssh may run it elsewhere */

    config_file = (options->config != NULL)
                  ? g_canonicalize_filename(options->config, NULL) : NULL;
    key_file = (options->key_file != NULL)
               ? g_canonicalize_filename(options->key_file, NULL) : NULL;

    tunnel_programs_word(line, self);
    tunnel_programs_option(line, "--config", config_file);
    tunnel_programs_option(line, "--server", config->server);
    tunnel_programs_option(line, "--tenant", config->tenant);
    tunnel_programs_option(line, "--key-file", key_file);
    tunnel_programs_option(line, "--ca-file", config->ca_file);
    tunnel_programs_option(line, "--label", options->label);
    tunnel_programs_option(line, "--idle", options->idle_s);
    tunnel_programs_option(line, "--ttl", options->ttl_s);

    if (options->verbose) {
        tunnel_programs_word(line, "--verbose");
    }

    tunnel_programs_option(line, "-W", options->target);
    tunnel_programs_word(line, device->id);

    proxy = g_strconcat("ProxyCommand=", line->str, NULL);

    /* another host behind the device has another key */

    alias = g_strconcat("HostKeyAlias=", device->id,
                        strcmp(options->target, TUNNEL_PROGRAMS_SSH) != 0
                        ? "+" : NULL, options->target, NULL);

    g_strv_builder_add_many(argv, config->ssh, "-o", proxy, "-o", alias,
                            NULL);

    if (options->user != NULL) {
        g_strv_builder_add_many(argv, "-l", options->user, NULL);
    }

    g_strv_builder_add(argv, tunnel_programs_is_host(device->name)
                             ? device->name : device->id);
    g_strv_builder_addv(argv, (const char **) options->args);

    return g_strv_builder_end(argv);
}


char **
tunnel_programs_rdp(const tunnel_config_t *config,
    const tunnel_options_t *options, const char *local)
{
    gsize                     i;
    g_autofree char          *program = NULL;
    g_autofree char          *where = NULL;
    g_autoptr(GStrvBuilder)   argv = g_strv_builder_new();

    static const char *const  known[] = {
        "xfreerdp3", "sdl-freerdp3", "xfreerdp", "wlfreerdp"
    };

    program = g_strdup(config->rdp);

    for (i = 0; program == NULL && i < G_N_ELEMENTS(known); i++) {
        program = g_find_program_in_path(known[i]);
    }

    if (program == NULL) {
        return NULL;
    }

    where = g_strconcat("/v:", local, NULL);

    g_strv_builder_add_many(argv, program, where, NULL);
    g_strv_builder_addv(argv, (const char **) options->args);

    return g_strv_builder_end(argv);
}
