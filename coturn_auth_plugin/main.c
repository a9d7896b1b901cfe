
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-turn-authd: the command line.
 */


#include <getopt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "turn_daemon.h"
#include "turn_log.h"
#include "turn_policy.h"
#include "turn_print.h"
#include "turn_secret.h"
#include "turn_version.h"


enum {
    MAIN_CHECK_CONF = 256,
    MAIN_PRINT_CONF,
    MAIN_PRINT_NFT,
    MAIN_PRINT_SYSCTL,
    MAIN_GUARD,
    MAIN_HELP,
    MAIN_VERSION
};


static void main_help(void);
static int main_check(const char *path);
static int main_check_files(const turn_conf_t *conf, char *error);
static int main_print(const char *path, int action, int guard,
    const char *output);


static const struct option  main_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "check-conf", no_argument, NULL, MAIN_CHECK_CONF },
    { "print-turnserver-conf", no_argument, NULL, MAIN_PRINT_CONF },
    { "print-nft", no_argument, NULL, MAIN_PRINT_NFT },
    { "print-sysctl", no_argument, NULL, MAIN_PRINT_SYSCTL },
    { "guard", no_argument, NULL, MAIN_GUARD },
    { "output", required_argument, NULL, 'o' },
    { "help", no_argument, NULL, MAIN_HELP },
    { "version", no_argument, NULL, MAIN_VERSION },
    { NULL, 0, NULL, 0 }
};


int
main(int argc, char **argv)
{
    int           c, action, guard;
    char          error[TURN_CONF_ERROR_MAX];
    const char   *path, *output;
    turn_conf_t  *conf;

    path = TURN_CONF_FILE;
    output = NULL;
    action = 0;
    guard = 0;

    while ((c = getopt_long(argc, argv, "c:", main_options, NULL)) != -1) {
        switch (c) {

        case 'c':
            path = optarg;
            break;

        case 'o':
            output = optarg;
            break;

        case MAIN_GUARD:
            guard = 1;
            break;

        case MAIN_CHECK_CONF:
        case MAIN_PRINT_CONF:
        case MAIN_PRINT_NFT:
        case MAIN_PRINT_SYSCTL:
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

    if (action) {
        return main_print(path, action, guard, output);
    }

    if (output != NULL || guard) {
        fprintf(stderr, "rs-turn-authd: --output and --guard go with one of "
                "--print-turnserver-conf, --print-nft and --print-sysctl\n");
        return 2;
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

    printf("usage: rs-turn-authd [-c FILE] [--check-conf | --print-...]\n"
           "\n"
           "  -c, --config FILE  configuration; default: %s\n"
           "      --check-conf   is it right?  Nothing is started\n"
           "      --print-turnserver-conf\n"
           "                     the turnserver.conf that goes with it\n"
           "      --print-nft    the kernel rules its relay address needs\n"
           "      --print-sysctl the ports the kernel has to leave alone\n"
           "      --guard        turnserver preloads rs-turn-guard.so\n"
           "      --output FILE  where to print; a new file is 0600\n"
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
    int           rc;
    char          error[TURN_CONF_ERROR_MAX];
    turn_conf_t  *conf;

    conf = turn_conf_read(path, error);
    rc = conf == NULL || !main_check_files(conf, error);

    if (rc) {
        fprintf(stderr, "rs-turn-authd: %s\n", error);

    } else {
        printf("rs-turn-authd: %s is right\n", path);
    }

    turn_conf_free(conf);

    return rc;
}


/* what else is read at start */

static int
main_check_files(const turn_conf_t *conf, char *error)
{
    char            text[TURN_CONF_SECRET_MAX + 1];
    size_t          i, len;
    turn_policy_t  *policy;
    turn_secret_t  *secret;

    const char  *files[] = {
        conf->password_file, conf->cli_password_file,
        conf->redis_password_file, conf->sentinel_password_file,
    };

    secret = turn_secret_create(conf, error);

    if (secret == NULL) {
        return 0;
    }

    turn_secret_free(secret);
    policy = turn_policy_create(conf, error);

    if (policy == NULL) {
        return 0;
    }

    turn_policy_free(policy);

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i] != NULL
            && !turn_conf_secret(files[i], text, &len, error))
        {
            return 0;
        }

        OPENSSL_cleanse(text, sizeof(text));
    }

    return 1;
}


static int
main_print(const char *path, int action, int guard, const char *output)
{
    int           rc;
    char          error[TURN_CONF_ERROR_MAX], *text;
    turn_conf_t  *conf;

    conf = turn_conf_read(path, error);
    text = NULL;

    if (conf != NULL) {
        text = action == MAIN_PRINT_CONF
               ? turn_print_turnserver_conf(conf, guard, error)
               : action == MAIN_PRINT_NFT ? turn_print_nft(conf, error)
                                          : turn_print_sysctl(conf, error);
    }

    rc = text == NULL || !turn_print_output(output, text, error);

    if (rc) {
        fprintf(stderr, "rs-turn-authd: %s\n", error);
    }

    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }

    turn_conf_free(conf);

    return rc;
}
