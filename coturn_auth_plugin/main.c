
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-turn-authd: the command line.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "turn_daemon.h"
#include "turn_log.h"
#include "turn_version.h"


enum {
    MAIN_CHECK_CONF = 256,
    MAIN_HELP,
    MAIN_VERSION
};


static void main_help(void);
static int main_check(const char *path);


static const struct option  main_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "check-conf", no_argument, NULL, MAIN_CHECK_CONF },
    { "help", no_argument, NULL, MAIN_HELP },
    { "version", no_argument, NULL, MAIN_VERSION },
    { NULL, 0, NULL, 0 }
};


int
main(int argc, char **argv)
{
    int           c, action;
    char          error[TURN_CONF_ERROR_MAX];
    const char   *path;
    turn_conf_t  *conf;

    path = TURN_CONF_FILE;
    action = 0;

    while ((c = getopt_long(argc, argv, "c:", main_options, NULL)) != -1) {
        switch (c) {

        case 'c':
            path = optarg;
            break;

        case MAIN_CHECK_CONF:
            action = c;
            break;

        case MAIN_HELP:
            main_help();
            return 0;

        case MAIN_VERSION:
            printf("rs-turn-authd %s\n", TURN_AUTHD_VERSION);
            return 0;

        default:
            fprintf(stderr, "rs-turn-authd --help tells more\n");
            return 2;
        }
    }

    if (optind < argc) {
        fprintf(stderr, "rs-turn-authd: \"%s\" is no option: rs-turn-authd "
                "--help lists them\n", argv[optind]);
        return 2;
    }

    if (action == MAIN_CHECK_CONF) {
        return main_check(path);
    }

    conf = turn_conf_read(path, error);

    if (conf == NULL) {
        turn_log(TURN_LOG_ERR, "%s", error);
        return 1;
    }

    return turn_daemon_run(conf);
}


static void
main_help(void)
{
    size_t       i;
    const char  *name, *preset;

    printf("usage: rs-turn-authd [-c FILE] [--check-conf]\n"
           "\n"
           "  -c, --config FILE  configuration; default: %s\n"
           "      --check-conf   is it right?  Nothing is started\n"
           "      --help         this text\n"
           "      --version      which one this is\n"
           "\n"
           "Keys of the configuration, with their defaults:\n"
           "\n",
           TURN_CONF_FILE);

    for (i = 0; (name = turn_conf_key(i, &preset)) != NULL; i++) {
        printf("  %s%s%s\n", name, preset[0] ? " = " : "", preset);
    }
}


static int
main_check(const char *path)
{
    char           error[TURN_CONF_ERROR_MAX];
    turn_conf_t   *conf;

    conf = turn_conf_read(path, error);

    if (conf == NULL) {
        fprintf(stderr, "rs-turn-authd: %s\n", error);
        return 1;
    }

    printf("rs-turn-authd: %s is right\n", path);
    turn_conf_free(conf);

    return 0;
}
