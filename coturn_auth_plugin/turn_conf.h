
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-turn-authd.conf: "key = value", one a line, "#" begins a comment.  One
 * table in turn_conf.c says what a key may be; docs/operating/turn.md is its
 * reference.  Every error names the line, the value and the cure.
 */


#ifndef _TURN_CONF_H_INCLUDED_
#define _TURN_CONF_H_INCLUDED_


#include <sys/socket.h>

#include "rs_str.h"


#define TURN_CONF_FILE         "/etc/rs-turn-authd/rs-turn-authd.conf"

#define TURN_CONF_LIST_MAX     256      /* values of one repeatable key */
#define TURN_CONF_LINE_MAX     1024
#define TURN_CONF_SIZE_MAX     (256 * 1024)
#define TURN_CONF_SECRET_MAX   1024     /* of what a password file holds */
#define TURN_CONF_ERROR_MAX    1024


typedef enum {
    TURN_MODE_COMPAT = 0,             /* coturn has use-auth-secret */
    TURN_MODE_STRICT                  /* coturn has lt-cred-mech */
} turn_mode_e;


typedef enum {
    TURN_PEERS_CLOSED = 0,
    TURN_PEERS_OPEN,
    TURN_PEERS_LAN
} turn_peers_e;


/* repeatable keys, in the order of the file; NULL terminated */

typedef struct {
    size_t                   n;
    char                    *item[TURN_CONF_LIST_MAX + 1];
} turn_conf_list_t;


typedef struct {
    socklen_t                len;     /* 0: off */
    struct sockaddr_storage  addr;
    char                     text[64];
} turn_conf_addr_t;


/*
 * What coturn is, as main * 10000 + minor * 100 + patch; 0: unknown, which
 * is taken for old.
 */

#define TURN_VERSION(a, b, c)  ((a) * 10000u + (b) * 100u + (c))
/* user names are no format to it any more (GHSA-4g7c-p5wg-j4hp) */
#define TURN_VERSION_SAFE      TURN_VERSION(4, 13, 0)


/* strings are never NULL but where it says so */

typedef struct {
    char                    *path;            /* of the file itself */

    char                    *name;            /* of this relay */
    char                    *realm;
    unsigned                 mode;            /* turn_mode_e */
    char                    *secret_file;     /* or NULL: one of the two */
    char                    *key_file;
    turn_conf_list_t         tenants;         /* none: all */

    /* towards coturn */

    turn_conf_addr_t         userdb_listen;
    turn_conf_addr_t         statsdb_listen;
    char                    *password_file;   /* what coturn has to say */
    unsigned                 max_connections; /* a listener */
    turn_conf_addr_t         cli;             /* off: nothing can be ended */
    char                    *cli_password_file;   /* or NULL: none */
    unsigned                 coturn_version;  /* TURN_VERSION(), 0: auto */

    turn_conf_addr_t         metrics_listen;

    /* towards the gateway's Redis; see rs_redis of the gateway */

    char                    *redis;           /* NULL: off */
    char                    *redis_user;      /* or NULL, all of these */
    char                    *redis_password_file;
    char                    *redis_ca_file;
    char                    *redis_server_name;
    char                    *redis_certificate;
    char                    *redis_certificate_key;
    char                    *sentinel_user;
    char                    *sentinel_password_file;
    char                    *resolver;        /* or NULL: resolv.conf */
    unsigned                 resync;          /* s */
    unsigned                 stale_limit;     /* s */
    char                    *state_dir;       /* NULL: off, no snapshot */

    /* what a participant may have */

    unsigned                 quota;           /* allocations */
    unsigned                 host_quota;
    unsigned                 total_quota;     /* of the relay; 0: any */
    unsigned                 max_bps;         /* bytes/s; 0: any */
    unsigned                 credential_ttl;  /* s */
    unsigned                 skew;            /* s */

    /* peers */

    unsigned                 peers;           /* turn_peers_e */
    turn_conf_list_t         relay;           /* of the fleet, other relays */
    turn_conf_list_t         allow;
    turn_conf_list_t         deny;
    turn_conf_list_t         lan;

    /* for --print-turnserver-conf and --print-nft */

    turn_conf_list_t         listening_ip;
    turn_conf_list_t         relay_ip;
    turn_conf_list_t         external_ip;
    unsigned                 listening_port;
    unsigned                 tls_listening_port;
    unsigned                 min_port;
    unsigned                 max_port;
    char                    *cert;            /* or NULL: no TLS */
    char                    *pkey;

    unsigned                 log_level;       /* turn_log_e */
} turn_conf_t;


/*
 * Reads a file, or text that is called path in messages.  The result is the
 * caller's, for turn_conf_free(); NULL: error[TURN_CONF_ERROR_MAX] says why.
 */
turn_conf_t *turn_conf_read(const char *path, char *error);
turn_conf_t *turn_conf_parse(const char *path, rs_str_t text, char *error);
void turn_conf_free(turn_conf_t *conf);

/*
 * The first line of a file that holds a password or a secret, without the
 * blanks at its end; dst: TURN_CONF_SECRET_MAX + 1, NUL terminated.  1, or 0
 * and error.  A file that everybody may read is refused.
 */
int turn_conf_secret(const char *path, char *dst, size_t *len, char *error);

/* "a.b.c" of this and later forms; 0: it is none */
unsigned turn_conf_version(rs_str_t text);

/*
 * The i-th key's name, NULL at the end; with what it is when it is not given
 * ("" if it must be, or is empty).  For --help and the check of the
 * documentation.
 */
const char *turn_conf_key(size_t i, const char **preset);


#endif /* _TURN_CONF_H_INCLUDED_ */
