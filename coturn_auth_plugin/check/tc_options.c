
/*
 * Copyright (C) rs-gateway contributors
 *
 * The command line.  Each option stands in the table once: how it is
 * written, what it takes, and where that goes.
 */


#include "tc_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../turn_version.h"
#include "tc_source.h"


typedef enum {
    TC_OPT_FLAG,                  /* int = value */
    TC_OPT_TEXT,
    TC_OPT_NUMBER,                /* unsigned, from min to max */
    TC_OPT_COUNT,                 /* uint64_t */
    TC_OPT_SIZE,                  /* size_t */
    TC_OPT_REAL,                  /* double */
    TC_OPT_TRANSPORT,
    TC_OPT_ALLOWED,
    TC_OPT_PEER,
    TC_OPT_HELP,
    TC_OPT_VERSION
} tc_opt_e;


typedef struct {
    const char  *name;
    int          letter;          /* 0: none */
    tc_opt_e     type;
    size_t       at;              /* offset in tc_options_t */
    int          value;           /* of a flag */
    double       min;
    double       max;
} tc_opt_t;


#define TC_OPT_N       (sizeof(tc_opts) / sizeof(tc_opts[0]))
#define TC_OPT_BASE    1000
#define TC_OPT_RATE         100   /* packets/s */
#define TC_OPT_LOAD_RATE    10
#define AT(field)      offsetof(tc_options_t, field)


static int tc_opt_take(tc_options_t *o, const tc_opt_t *opt, char *arg);
static int tc_opt_real(const tc_opt_t *opt, const char *arg, double *v);
static int tc_opt_transport(tc_options_t *o, const char *arg);
static int tc_opt_cidr(tc_options_t *o, const char *arg);
static int tc_options_check(const tc_options_t *o);
static void tc_options_defaults(tc_options_t *o);
static void tc_options_help(void);


static const tc_opt_t  tc_opts[] = {
    { "credentials", 'c', TC_OPT_TEXT, AT(here.credentials), 0, 0, 0 },
    { "ice", 'i', TC_OPT_TEXT, AT(here.ice), 0, 0, 0 },
    { "peer-server", 'p', TC_OPT_PEER, 0, 0, 0, 0 },
    { "peer-credentials", 0, TC_OPT_TEXT, AT(peer.credentials), 0, 0, 0 },
    { "peer-ice", 0, TC_OPT_TEXT, AT(peer.ice), 0, 0, 0 },
    { "transport", 't', TC_OPT_TRANSPORT, 0, 0, 0, 0 },
    { "ipv4", '4', TC_OPT_FLAG, AT(family), AF_INET, 0, 0 },
    { "ipv6", '6', TC_OPT_FLAG, AT(family), AF_INET6, 0, 0 },
    { "relay-family", 0, TC_OPT_NUMBER, AT(relay_family), 0, 4, 6 },
    { "ca", 0, TC_OPT_TEXT, AT(ca), 0, 0, 0 },
    { "tls-name", 0, TC_OPT_TEXT, AT(tls_name), 0, 0, 0 },
    { "insecure", 0, TC_OPT_FLAG, AT(insecure), 1, 0, 0 },
    { "realm", 0, TC_OPT_TEXT, AT(realm), 0, 0, 0 },
    { "timeout", 0, TC_OPT_NUMBER, AT(timeout_ms), 0, 10, 600000 },
    { "count", 'n', TC_OPT_COUNT, AT(count), 0, 1, 1e12 },
    { "rate", 'r', TC_OPT_REAL, AT(rate), 0, 0.01, 1e6 },
    { "size", 's', TC_OPT_SIZE, AT(size), 0, 16, 1400 },
    { "time", 'T', TC_OPT_REAL, AT(seconds), 0, 0.01, 1e7 },
    { "warn-days", 0, TC_OPT_NUMBER, AT(warn_days), 0, 0, 36500 },
    { "warn-loss", 0, TC_OPT_REAL, AT(warn_loss), 0, 0, 100 },
    { "crit-loss", 0, TC_OPT_REAL, AT(crit_loss), 0, 0, 100 },
    { "warn-rtt", 0, TC_OPT_REAL, AT(warn_rtt_ms), 0, 0.001, 1e6 },
    { "warn-allocate", 0, TC_OPT_REAL, AT(warn_allocate_ms), 0, 0.001, 1e6 },
    { "denied", 'd', TC_OPT_FLAG, AT(denied), 1, 0, 0 },
    { "allowed", 0, TC_OPT_ALLOWED, 0, 0, 0, 0 },
    { "no-relay", 0, TC_OPT_FLAG, AT(relay), 0, 0, 0 },
    { "load", 'l', TC_OPT_NUMBER, AT(load), 0, 2, 1000000 },
    { "parallel", 0, TC_OPT_NUMBER, AT(parallel), 0, 2, 100000 },
    { "json", 'j', TC_OPT_FLAG, AT(json), 1, 0, 0 },
    { "progress", 0, TC_OPT_FLAG, AT(progress), 1, 0, 0 },
    { "no-progress", 0, TC_OPT_FLAG, AT(progress), 0, 0, 0 },
    { "help", 'h', TC_OPT_HELP, 0, 0, 0, 0 },
    { "version", 'V', TC_OPT_VERSION, 0, 0, 0, 0 },
};


static const char  tc_help[] =
"Usage: rs-turn-check [options] URI...\n"
"       rs-turn-check [options] --ice FILE\n"
"\n"
"Checks TURN servers as two peers use them: two allocations, and packets from\n"
"relay to relay, protected by SRTP and verified.  A URI is turn:HOST[:PORT]\n"
"[?transport=udp|tcp] or turns:HOST[:PORT].  FILE is \"-\" for stdin.\n"
"\n"
"Who:\n"
"  -c, --credentials FILE   a line \"username password\"; more lines: in turn\n"
"  -i, --ice FILE           URIs and credentials as POST /ice answers them\n"
"      --realm R            the server's realm must be R\n"
"  -p, --peer-server URI    the second allocation is there, again and again\n"
"                           for more transports; --peer-credentials FILE and\n"
"                           --peer-ice FILE as above\n"
"How:\n"
"  -t, --transport LIST     of udp,tcp,tls: only these\n"
"  -4, -6                   the server's IPv4 or IPv6 address\n"
"      --relay-family 4|6   ask for such a relayed address\n"
"      --ca FILE            certificates to trust, instead of the system's\n"
"      --tls-name NAME      whose certificate it must be, instead of HOST\n"
"      --insecure           a certificate that does not verify is a warning\n"
"      --timeout MS         of a connect, of an answer (5000)\n"
"What:\n"
"  -n, --count N            packets (200); or -T, --time SECONDS\n"
"  -r, --rate N             packets a second (100; with --load 10)\n"
"  -s, --size N             bytes of a payload, 16 to 1400 (1000)\n"
"  -d, --denied             probes that the peer policy refuses every special\n"
"                           address, in every form it can be written in\n"
"      --allowed CIDR       which the policy does allow; again for more\n"
"      --no-relay           no packets, only allocations (and --denied)\n"
"  -l, --load N             N allocations at once, and how fast they come;\n"
"                           kept for --time seconds, with --rate in each pair\n"
"      --parallel N         of them under way at a time (64)\n"
"Limits, told as warning or critical:\n"
"      --warn-days N        of the certificate (14)\n"
"      --warn-loss PERCENT  lost there or back, more than this (0)\n"
"      --crit-loss PERCENT  (10)\n"
"      --warn-rtt MS        median (none)\n"
"      --warn-allocate MS   (none)\n"
"Output:\n"
"  -j, --json               a JSON document\n"
"      --progress           each second on stderr, --no-progress: never\n"
"  -h, --help    -V, --version\n"
"\n"
"Exit status: 0 all is well, 1 warning, 2 critical, 3 usage, or the check\n"
"itself could not be made.  See rs-turn-check(1).\n";


static void
tc_options_defaults(tc_options_t *o)
{
    memset(o, 0, sizeof(tc_options_t));

    o->family = AF_UNSPEC;
    o->timeout_ms = 5000;
    o->relay = 1;
    o->count = 200;
    o->size = 1000;
    o->crit_loss = 10;
    o->warn_days = 14;
    o->parallel = 64;
    o->progress = -1;
}


int
tc_options_parse(tc_options_t *o, int argc, char **argv, int *status)
{
    int             c;
    char            letters[3 * TC_OPT_N + 2], *p;
    size_t          i;
    struct option   longs[TC_OPT_N + 1];

    tc_options_defaults(o);
    memset(longs, 0, sizeof(longs));
    *status = TC_LEVEL_UNKNOWN;
    p = letters;

    for (i = 0; i < TC_OPT_N; i++) {
        longs[i].name = tc_opts[i].name;
        longs[i].has_arg = tc_opts[i].type != TC_OPT_FLAG
                           && tc_opts[i].type != TC_OPT_HELP
                           && tc_opts[i].type != TC_OPT_VERSION;
        longs[i].val = TC_OPT_BASE + (int) i;

        if (tc_opts[i].letter) {
            *p++ = (char) tc_opts[i].letter;

            if (longs[i].has_arg) {
                *p++ = ':';
            }
        }
    }

    *p = '\0';

    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        for (i = 0; i < TC_OPT_N; i++) {
            if (c == TC_OPT_BASE + (int) i || c == tc_opts[i].letter) {
                break;
            }
        }

        if (i == TC_OPT_N) {
            fprintf(stderr, "rs-turn-check: see rs-turn-check --help\n");
            return 0;
        }

        if (tc_opts[i].type == TC_OPT_HELP) {
            tc_options_help();
            *status = TC_LEVEL_OK;
            return 0;
        }

        if (tc_opts[i].type == TC_OPT_VERSION) {
            printf("rs-turn-check %s\n", TURN_AUTHD_VERSION);
            *status = TC_LEVEL_OK;
            return 0;
        }

        if (!tc_opt_take(o, &tc_opts[i], optarg)) {
            return 0;
        }
    }

    for (; optind < argc; optind++) {
        if (!tc_source_uri(&o->here, argv[optind])) {
            return 0;
        }
    }

    if (o->rate <= 0) {
        o->rate = o->load ? TC_OPT_LOAD_RATE : TC_OPT_RATE;
    }

    return tc_options_check(o);
}


static void
tc_options_help(void)
{
    fputs(tc_help, stdout);
}


static int
tc_options_check(const tc_options_t *o)
{
    const char  *wrong;

    wrong = NULL;

    if (o->here.n == 0 && o->here.ice == NULL) {
        wrong = "name a server by its URI, or give --ice";

    } else if (o->here.n && o->here.ice) {
        wrong = "either URIs and --credentials, or --ice";

    } else if (o->here.n && o->here.credentials == NULL) {
        wrong = "URIs need --credentials; a password is never an argument";

    } else if (o->peer.n && o->peer.ice) {
        wrong = "either --peer-server or --peer-ice";

    } else if (o->relay_family == 5) {
        wrong = "--relay-family is 4 or 6";

    } else if (o->load && (o->denied || !o->relay)) {
        wrong = "--load goes with neither --denied nor --no-relay";

    } else if (o->load % 2) {
        wrong = "--load takes an even number: allocations come in pairs";

    } else if (!o->relay && o->peer.n + (o->peer.ice != NULL)) {
        wrong = "--no-relay has no use for a second server";
    }

    if (wrong != NULL) {
        fprintf(stderr, "rs-turn-check: %s; see rs-turn-check --help\n",
                wrong);
        return 0;
    }

    return 1;
}


static int
tc_opt_take(tc_options_t *o, const tc_opt_t *opt, char *arg)
{
    void    *p;
    double   v;

    p = (char *) o + opt->at;

    switch (opt->type) {

    case TC_OPT_FLAG:
        *(int *) p = opt->value;
        return 1;

    case TC_OPT_TEXT:
        *(const char **) p = arg;
        return 1;

    case TC_OPT_TRANSPORT:
        return tc_opt_transport(o, arg);

    case TC_OPT_ALLOWED:
        return tc_opt_cidr(o, arg);

    case TC_OPT_PEER:
        return tc_source_uri(&o->peer, arg);

    default:
        break;
    }

    if (!tc_opt_real(opt, arg, &v)) {
        return 0;
    }

    if (opt->type == TC_OPT_NUMBER) {
        *(unsigned *) p = (unsigned) v;

    } else if (opt->type == TC_OPT_COUNT) {
        *(uint64_t *) p = (uint64_t) v;

    } else if (opt->type == TC_OPT_SIZE) {
        *(size_t *) p = (size_t) v;

    } else {
        *(double *) p = v;
    }

    return 1;
}


static int
tc_opt_real(const tc_opt_t *opt, const char *arg, double *v)
{
    char  *end;

    errno = 0;
    *v = strtod(arg, &end);

    if (!isdigit((unsigned char) arg[0]) || *end != '\0' || errno
        || *v < opt->min || *v > opt->max
        || (opt->type != TC_OPT_REAL && *v > floor(*v)))
    {
        fprintf(stderr, "rs-turn-check: --%s takes %s from %.12g to %.12g, "
                "not \"%s\"\n", opt->name,
                opt->type == TC_OPT_REAL ? "a number" : "a whole number",
                opt->min, opt->max, arg);
        return 0;
    }

    return 1;
}


static int
tc_opt_transport(tc_options_t *o, const char *arg)
{
    unsigned  i;
    rs_str_t  rest, one;

    rest = rs_str(arg);

    do {
        (void) rs_str_split(rest, ',', &one, &rest);

        for (i = 0; i < TC_TRANSPORTS; i++) {
            if (rs_str_eq(one, rs_str(tc_transport_name(i)))) {
                o->transports |= 1U << i;
                break;
            }
        }

        if (i == TC_TRANSPORTS) {
            fprintf(stderr, "rs-turn-check: --transport takes a list of udp, "
                    "tcp and tls, not \"%s\"\n", arg);
            return 0;
        }

    } while (rest.len);

    return 1;
}


static int
tc_opt_cidr(tc_options_t *o, const char *arg)
{
    int         good;
    char        text[TC_ADDR_TEXT];
    uint64_t    bits;
    rs_str_t    addr, len;
    tc_cidr_t  *c;

    if (o->nallowed == TC_ALLOWED_MAX) {
        fprintf(stderr, "rs-turn-check: at most %d --allowed\n",
                TC_ALLOWED_MAX);
        return 0;
    }

    c = &o->allowed[o->nallowed];
    good = rs_str_split(rs_str(arg), '/', &addr, &len);

    if (addr.len < sizeof(text)) {
        memcpy(text, addr.data, addr.len);
        text[addr.len] = '\0';

        if (tc_addr_parse(&c->addr, text)) {
            c->bits = c->addr.family == RS_STUN_FAMILY_IPV4 ? 32 : 128;

            if (!good || rs_u64_parse(len, c->bits, &bits)) {
                c->bits = good ? (unsigned) bits : c->bits;
                o->nallowed++;
                return 1;
            }
        }
    }

    fprintf(stderr, "rs-turn-check: --allowed takes an address or "
            "address/bits, not \"%s\"\n", arg);

    return 0;
}


int
tc_cidr_has(const tc_cidr_t *c, const rs_stun_addr_t *a)
{
    unsigned  i;

    if (c->addr.family != a->family) {
        return 0;
    }

    for (i = 0; i < c->bits; i++) {
        if ((c->addr.ip[i / 8] ^ a->ip[i / 8]) & (0x80 >> i % 8)) {
            return 0;
        }
    }

    return 1;
}


int
tc_options_load(tc_options_t *o, tc_error_t *e)
{
    return tc_source_load(&o->here, o->transports, e)
           && tc_source_load(&o->peer, o->transports, e)
           && (o->peer.n == 0 || tc_source_share(&o->here, &o->peer, e));
}


void
tc_options_free(tc_options_t *o)
{
    tc_source_free(&o->here);
    tc_source_free(&o->peer);
}
