
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The command line.
 */

#ifndef _TUNNEL_OPTIONS_H_INCLUDED_
#define _TUNNEL_OPTIONS_H_INCLUDED_


#include "tunnel_config.h"


typedef enum {
    TUNNEL_VERSION_ONLY = 0,
    TUNNEL_TCP,
    TUNNEL_UDP,
    TUNNEL_SSH,
    TUNNEL_RDP,
    TUNNEL_STDIO,                   /* -W */
    TUNNEL_RUN
} tunnel_command_e;


typedef struct {
    tunnel_command_e   command;
    char              *device;      /* id or name */
    char              *user;        /* of ssh; NULL: not said */
    char              *target;      /* in the gateway's form; NULL: that of
                                       the command */
    char             **args;        /* of the program, never NULL then; of
                                       run: the command and NAME=VALUE */
    char             **secrets;     /* NAME=FILE, or NULL */
    char              *label;

    char              *config;      /* file; NULL: the usual ones */
    char              *server;
    char              *tenant;
    char              *key_file;
    char              *ca_file;
    char              *local;
    char              *idle_s;
    char              *ttl_s;
    gboolean           gateway_port;
    gboolean           verbose;
    gboolean           quiet;
} tunnel_options_t;


/*
 * Takes argv apart; TUNNEL_ERROR_USAGE says what is wanted.  Prints the help
 * and exits where that is asked for.
 */
gboolean tunnel_options_parse(tunnel_options_t *options, int argc,
    char **argv, GError **error);
void tunnel_options_clear(tunnel_options_t *options);

/* The files, and over them what the command line says. */
tunnel_config_t *tunnel_options_config(const tunnel_options_t *options,
    GError **error);


#endif /* _TUNNEL_OPTIONS_H_INCLUDED_ */
