
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
#include "turn_issue.h"
#include "turn_log.h"
#include "turn_policy.h"
#include "turn_print.h"
#include "turn_secret.h"
#include "turn_version.h"


#define MAIN_TTL_MAX  (366 * 86400)


enum {
    MAIN_CHECK_CONF = 256,
    MAIN_ISSUE,
    MAIN_TTL,
    MAIN_PRINT_CONF,
    MAIN_PRINT_NFT,
    MAIN_PRINT_SYSCTL,
    MAIN_GUARD,
    MAIN_USER,
    MAIN_HELP,
    MAIN_VERSION
};


/* of the command line */

typedef struct {
    int           action;             /* 0: run */
    int           guard;
    uint64_t      ttl;                /* s; 0: credential_ttl */
    const char   *path;
    const char   *output;             /* NULL: standard output */
    const char   *who;                /* of --issue */
    const char   *user;               /* of coturn; NULL: any may send */
} main_args_t;


static int main_parse(main_args_t *args, int argc, char **argv);
static void main_help(void);
static int main_issue(const main_args_t *args);
static int main_check(const char *path);
static int main_check_files(const turn_conf_t *conf, char *error);
static int main_print(const main_args_t *args);


static const struct option  main_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "check-conf", no_argument, NULL, MAIN_CHECK_CONF },
    { "issue", required_argument, NULL, MAIN_ISSUE },
    { "ttl", required_argument, NULL, MAIN_TTL },
    { "print-turnserver-conf", no_argument, NULL, MAIN_PRINT_CONF },
    { "print-nft", no_argument, NULL, MAIN_PRINT_NFT },
    { "print-sysctl", no_argument, NULL, MAIN_PRINT_SYSCTL },
    { "guard", no_argument, NULL, MAIN_GUARD },
    { "user", required_argument, NULL, MAIN_USER },
    { "output", required_argument, NULL, 'o' },
    { "help", no_argument, NULL, MAIN_HELP },
    { "version", no_argument, NULL, MAIN_VERSION },
    { NULL, 0, NULL, 0 }
};


int
main(int argc, char **argv)
{
    char          error[TURN_CONF_ERROR_MAX];
    main_args_t   args;
    turn_conf_t  *conf;

    if (!main_parse(&args, argc, argv)) {
        fprintf(stderr, "rs-turn-authd --help tells more\n");
        return 2;
    }

    switch (args.action) {

    case MAIN_HELP:
        main_help();
        return 0;

    case MAIN_VERSION:
        printf("rs-turn-authd %s\n", TURN_AUTHD_VERSION);
        return 0;

    case MAIN_CHECK_CONF:
        return main_check(args.path);

    case MAIN_ISSUE:
        return main_issue(&args);

    case MAIN_PRINT_CONF:
    case MAIN_PRINT_NFT:
    case MAIN_PRINT_SYSCTL:
        return main_print(&args);

    default:
        break;
    }

    conf = turn_conf_read(args.path, error);

    if (conf == NULL) {
        turn_log(TURN_LOG_ERR, "%s", error);
        return 1;
    }

    return turn_daemon_run(conf);
}


/* 0: what is wrong was said */

static int
main_parse(main_args_t *args, int argc, char **argv)
{
    int  c, action;

    memset(args, 0, sizeof(*args));
    args->path = TURN_CONF_FILE;
    action = 0;

    while ((c = getopt_long(argc, argv, "c:", main_options, NULL)) != -1) {

        switch (c) {

        case 'c':
            args->path = optarg;
            break;

        case 'o':
            args->output = optarg;
            break;

        case MAIN_GUARD:
            args->guard = 1;
            break;

        case MAIN_USER:
            args->user = optarg;
            break;

        case MAIN_TTL:
            if (!rs_u64_parse(rs_str(optarg), MAIN_TTL_MAX, &args->ttl)
                || args->ttl == 0)
            {
                fprintf(stderr, "rs-turn-authd: --ttl \"%s\": seconds, from "
                        "1 to %d\n", optarg, MAIN_TTL_MAX);
                return 0;
            }

            break;

        case '?':
            return 0;

        default:
            if (action != 0 && action != c) {
                fprintf(stderr, "rs-turn-authd: one thing at a time\n");
                return 0;
            }

            action = c;
            args->who = optarg;
            break;
        }
    }

    args->action = action;

    if (optind < argc) {
        fprintf(stderr, "rs-turn-authd: \"%s\" is no option\n",
                argv[optind]);
        return 0;
    }

    if ((args->output != NULL || args->guard) && action != MAIN_PRINT_CONF
        && action != MAIN_PRINT_NFT && action != MAIN_PRINT_SYSCTL)
    {
        fprintf(stderr, "rs-turn-authd: --output and --guard go with one of "
                "--print-turnserver-conf, --print-nft and --print-sysctl\n");
        return 0;
    }

    if (args->user != NULL && action != MAIN_PRINT_NFT) {
        fprintf(stderr, "rs-turn-authd: --user goes with --print-nft\n");
        return 0;
    }

    if (args->ttl != 0 && action != MAIN_ISSUE) {
        fprintf(stderr, "rs-turn-authd: --ttl goes with --issue\n");
        return 0;
    }

    return 1;
}


static void
main_help(void)
{
    size_t       i;
    const char  *name, *preset;

    printf("usage: rs-turn-authd [-c FILE] [--check-conf | --issue WHO |\n"
           "                     --print-...]\n"
           "\n"
           "  -c, --config FILE  configuration; default: %s\n"
           "      --check-conf   is it right?  Nothing is started\n"
           "      --issue TENANT.SESSION.PARTICIPANT | new\n"
           "                     a credential: user name, blank, password\n"
           "      --ttl SECONDS  ... for so long; default: credential_ttl\n"
           "      --print-turnserver-conf\n"
           "                     the turnserver.conf that goes with it\n"
           "      --print-nft    the kernel rules its relay address needs\n"
           "      --print-sysctl the ports the kernel has to leave alone\n"
           "      --guard        turnserver preloads rs-turn-guard.so\n"
           "      --user NAME    ... runs as NAME: rules for what it sends\n"
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
main_issue(const main_args_t *args)
{
    int           ok;
    char          error[TURN_CONF_ERROR_MAX], text[TURN_ISSUE_MAX];
    const char   *note;
    turn_conf_t  *conf;

    conf = turn_conf_read(args->path, error);

    ok = conf != NULL
         && turn_issue(conf, args->who,
                       args->ttl ? args->ttl : conf->credential_ttl, text,
                       &note, error);

    if (ok) {
        printf("%s\n", text);
        OPENSSL_cleanse(text, sizeof(text));

        if (note != NULL) {
            fprintf(stderr, "rs-turn-authd: %s\n", note);
        }

    } else {
        fprintf(stderr, "rs-turn-authd: %s\n", error);
    }

    turn_conf_free(conf);

    return ok ? 0 : 1;
}


static int
main_print(const main_args_t *args)
{
    int           rc;
    char          error[TURN_CONF_ERROR_MAX], *text;
    turn_conf_t  *conf;

    conf = turn_conf_read(args->path, error);
    text = NULL;

    if (conf != NULL) {
        text = args->action == MAIN_PRINT_CONF
               ? turn_print_turnserver_conf(conf, args->guard, error)
               : args->action == MAIN_PRINT_NFT
                 ? turn_print_nft(conf, args->user, error)
                 : turn_print_sysctl(conf, error);
    }

    rc = text == NULL || !turn_print_output(args->output, text, error);

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
