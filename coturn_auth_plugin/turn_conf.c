
/*
 * Copyright (C) rs-gateway contributors
 *
 * The configuration file.
 */


#include "turn_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rs_id.h"
#include "rs_redis_url.h"
#include "rs_turn_key.h"
#include "turn_log.h"


typedef struct turn_conf_key_s  turn_conf_key_t;

/* 1, or 0 and why: what it should be, "... is not WHY" */

typedef int (*turn_conf_set_pt)(void *field, const turn_conf_key_t *key,
    const char *value, char *why);


struct turn_conf_key_s {
    const char        *name;
    const char        *preset;        /* NULL: none */
    turn_conf_set_pt   set;
    size_t             offset;
    const void        *data;
    unsigned           min;
    unsigned           max;
};


typedef struct {
    const char        *name;
    unsigned           value;
} turn_conf_enum_t;


static int turn_conf_line(turn_conf_t *conf, rs_str_t line, unsigned n,
    unsigned *seen, char *error);
static int turn_conf_presets(turn_conf_t *conf, const unsigned *seen,
    char *error);
static int turn_conf_check(const turn_conf_t *conf, char *error);
static int turn_conf_fail(char *error, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int turn_conf_set_str(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_path(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_name(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_realm(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_redis(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_resolver(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_tenants(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_list(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_num(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_enum(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_listen(void *field, const turn_conf_key_t *key,
    const char *value, char *why);
static int turn_conf_set_version(void *field, const turn_conf_key_t *key,
    const char *value, char *why);


static const turn_conf_enum_t  turn_conf_modes[] = {
    { "compat", TURN_MODE_COMPAT },
    { "strict", TURN_MODE_STRICT },
    { NULL, 0 }
};


static const turn_conf_enum_t  turn_conf_peers[] = {
    { "closed", TURN_PEERS_CLOSED },
    { "open", TURN_PEERS_OPEN },
    { "lan", TURN_PEERS_LAN },
    { NULL, 0 }
};


static const turn_conf_enum_t  turn_conf_levels[] = {
    { "error", TURN_LOG_ERR },
    { "warning", TURN_LOG_WARN },
    { "notice", TURN_LOG_NOTICE },
    { "info", TURN_LOG_INFO },
    { "debug", TURN_LOG_DEBUG },
    { NULL, 0 }
};


#define FIELD(f)  offsetof(turn_conf_t, f)


/* in the order of the reference, docs/operating/turn.md */

static const turn_conf_key_t  turn_conf_keys[] = {

    { "name", NULL, turn_conf_set_name, FIELD(name), NULL, 0, 0 },
    { "realm", NULL, turn_conf_set_realm, FIELD(realm), NULL, 0, 0 },
    { "mode", "compat", turn_conf_set_enum, FIELD(mode), turn_conf_modes,
      0, 0 },
    { "secret_file", NULL, turn_conf_set_path, FIELD(secret_file), NULL,
      0, 0 },
    { "key_file", NULL, turn_conf_set_path, FIELD(key_file), NULL, 0, 0 },
    { "tenants", NULL, turn_conf_set_tenants, FIELD(tenants), NULL, 0, 0 },

    { "userdb_listen", "127.0.0.1:16379", turn_conf_set_listen,
      FIELD(userdb_listen), NULL, 0, 0 },
    { "statsdb_listen", "127.0.0.1:16380", turn_conf_set_listen,
      FIELD(statsdb_listen), NULL, 1, 0 },
    { "password_file", NULL, turn_conf_set_path, FIELD(password_file), NULL,
      0, 0 },
    { "max_connections", "256", turn_conf_set_num, FIELD(max_connections),
      NULL, 4, 4096 },
    { "cli", "127.0.0.1:5766", turn_conf_set_listen, FIELD(cli), NULL,
      1, 0 },
    { "cli_password_file", NULL, turn_conf_set_path,
      FIELD(cli_password_file), NULL, 0, 0 },
    { "coturn_version", "auto", turn_conf_set_version,
      FIELD(coturn_version), NULL, 0, 0 },

    { "metrics_listen", "127.0.0.1:16381", turn_conf_set_listen,
      FIELD(metrics_listen), NULL, 1, 1 },

    { "redis", NULL, turn_conf_set_redis, FIELD(redis), "off", 0, 0 },
    { "redis_user", NULL, turn_conf_set_str, FIELD(redis_user), NULL, 0, 0 },
    { "redis_password_file", NULL, turn_conf_set_path,
      FIELD(redis_password_file), NULL, 0, 0 },
    { "redis_ca_file", NULL, turn_conf_set_path, FIELD(redis_ca_file), NULL,
      0, 0 },
    { "redis_server_name", NULL, turn_conf_set_str, FIELD(redis_server_name),
      NULL, 0, 0 },
    { "redis_certificate", NULL, turn_conf_set_path,
      FIELD(redis_certificate), NULL, 0, 0 },
    { "redis_certificate_key", NULL, turn_conf_set_path,
      FIELD(redis_certificate_key), NULL, 0, 0 },
    { "sentinel_user", NULL, turn_conf_set_str, FIELD(sentinel_user), NULL,
      0, 0 },
    { "sentinel_password_file", NULL, turn_conf_set_path,
      FIELD(sentinel_password_file), NULL, 0, 0 },
    { "resolver", NULL, turn_conf_set_resolver, FIELD(resolver), NULL, 0, 0 },
    { "resync", "30", turn_conf_set_num, FIELD(resync), NULL, 1, 3600 },
    { "stale_limit", "3600", turn_conf_set_num, FIELD(stale_limit), NULL,
      1, 604800 },
    { "state_dir", "/var/lib/rs-turn-authd", turn_conf_set_path,
      FIELD(state_dir), "off", 0, 0 },

    { "quota", "12", turn_conf_set_num, FIELD(quota), NULL, 1, 10000 },
    { "host_quota", "48", turn_conf_set_num, FIELD(host_quota), NULL,
      1, 10000 },
    { "total_quota", "0", turn_conf_set_num, FIELD(total_quota), NULL,
      0, 1000000 },
    { "max_bps", "0", turn_conf_set_num, FIELD(max_bps), NULL,
      0, 2000000000 },
    { "credential_ttl", "300", turn_conf_set_num, FIELD(credential_ttl),
      NULL, 1, 86400 },
    { "skew", "60", turn_conf_set_num, FIELD(skew), NULL, 0, 3600 },

    { "peers", "closed", turn_conf_set_enum, FIELD(peers), turn_conf_peers,
      0, 0 },
    { "relay", NULL, turn_conf_set_list, FIELD(relay), NULL, 0, 0 },
    { "allow", NULL, turn_conf_set_list, FIELD(allow), NULL, 0, 0 },
    { "deny", NULL, turn_conf_set_list, FIELD(deny), NULL, 0, 0 },
    { "lan", NULL, turn_conf_set_list, FIELD(lan), NULL, 0, 0 },

    { "listening_ip", NULL, turn_conf_set_list, FIELD(listening_ip), NULL,
      0, 0 },
    { "relay_ip", NULL, turn_conf_set_list, FIELD(relay_ip), NULL, 0, 0 },
    { "external_ip", NULL, turn_conf_set_list, FIELD(external_ip), NULL,
      0, 0 },
    { "listening_port", "3478", turn_conf_set_num, FIELD(listening_port),
      NULL, 1, 65535 },
    { "tls_listening_port", "5349", turn_conf_set_num,
      FIELD(tls_listening_port), NULL, 1, 65535 },
    { "min_port", "49152", turn_conf_set_num, FIELD(min_port), NULL,
      1024, 65535 },
    { "max_port", "65535", turn_conf_set_num, FIELD(max_port), NULL,
      1024, 65535 },
    { "cert", NULL, turn_conf_set_path, FIELD(cert), NULL, 0, 0 },
    { "pkey", NULL, turn_conf_set_path, FIELD(pkey), NULL, 0, 0 },

    { "log_level", "info", turn_conf_set_enum, FIELD(log_level),
      turn_conf_levels, 0, 0 },
};

#define TURN_CONF_KEYS  (sizeof(turn_conf_keys) / sizeof(turn_conf_keys[0]))
#define TURN_CONF_WHY   160


turn_conf_t *
turn_conf_read(const char *path, char *error)
{
    FILE         *f;
    char         *text;
    size_t        n;
    turn_conf_t  *conf;

    f = fopen(path, "re");

    if (f == NULL) {
        (void) turn_conf_fail(error, "%s: %s: write one, or name another "
                              "with --config", path, strerror(errno));
        return NULL;
    }

    conf = NULL;
    text = malloc(TURN_CONF_SIZE_MAX + 1);

    if (text == NULL) {
        (void) turn_conf_fail(error, "%s: out of memory", path);
        goto done;
    }

    n = fread(text, 1, TURN_CONF_SIZE_MAX + 1, f);

    if (ferror(f)) {
        (void) turn_conf_fail(error, "%s: cannot be read: %s", path,
                              strerror(errno));

    } else if (n > TURN_CONF_SIZE_MAX) {
        (void) turn_conf_fail(error, "%s: larger than %d bytes: is it a "
                              "configuration?", path, TURN_CONF_SIZE_MAX);

    } else {
        conf = turn_conf_parse(path, (rs_str_t) { (uint8_t *) text, n },
                               error);
    }

done:

    free(text);
    (void) fclose(f);

    return conf;
}


turn_conf_t *
turn_conf_parse(const char *path, rs_str_t text, char *error)
{
    int           more;
    unsigned      n, seen[TURN_CONF_KEYS];
    rs_str_t      line, rest;
    turn_conf_t  *conf;

    conf = calloc(1, sizeof(turn_conf_t));

    if (conf == NULL || (conf->path = strdup(path)) == NULL) {
        (void) turn_conf_fail(error, "%s: out of memory", path);
        goto failed;
    }

    memset(seen, 0, sizeof(seen));
    rest = text;
    n = 0;

    do {
        more = rs_str_split(rest, '\n', &line, &rest);

        if (!turn_conf_line(conf, line, ++n, seen, error)) {
            goto failed;
        }

    } while (more);

    if (turn_conf_presets(conf, seen, error) && turn_conf_check(conf, error)) {
        return conf;
    }

failed:

    turn_conf_free(conf);

    return NULL;
}


static rs_str_t
turn_conf_trim(rs_str_t s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'
                     || s.data[s.len - 1] == '\r'))
    {
        s.len--;
    }

    return s;
}


/* seen: the line a key stands on; a list may have several */

static int
turn_conf_line(turn_conf_t *conf, rs_str_t line, unsigned n, unsigned *seen,
    char *error)
{
    int                     list;
    char                    value[TURN_CONF_LINE_MAX + 1];
    char                    why[TURN_CONF_WHY];
    size_t                  i;
    rs_str_t                name, rest;
    const turn_conf_key_t  *key;

    if (line.len > TURN_CONF_LINE_MAX) {
        return turn_conf_fail(error, "%s:%u: longer than %d bytes: one "
                              "\"key = value\" a line", conf->path, n,
                              TURN_CONF_LINE_MAX);
    }

    line = turn_conf_trim(line);

    if (line.len == 0 || line.data[0] == '#') {
        return 1;
    }

    if (memchr(line.data, '\0', line.len) != NULL
        || !rs_str_split(line, '=', &name, &rest))
    {
        return turn_conf_fail(error, "%s:%u: not \"key = value\"; a comment "
                              "begins with \"#\"", conf->path, n);
    }

    name = turn_conf_trim(name);
    rest = turn_conf_trim(rest);
    key = NULL;

    for (i = 0; i < TURN_CONF_KEYS; i++) {
        if (rs_str_eq(name, rs_str(turn_conf_keys[i].name))) {
            key = &turn_conf_keys[i];
            break;
        }
    }

    if (key == NULL) {
        return turn_conf_fail(error, "%s:%u: unknown key \"%.*s\": "
                              "rs-turn-authd --help lists them", conf->path,
                              n, (int) name.len, (const char *) name.data);
    }

    list = key->set == turn_conf_set_list || key->set == turn_conf_set_tenants;

    if (seen[i] && !list) {
        return turn_conf_fail(error, "%s:%u: \"%s\" stands on line %u "
                              "already: keep one of them", conf->path, n,
                              key->name, seen[i]);
    }

    seen[i] = n;

    if (rest.len == 0) {
        return turn_conf_fail(error, "%s:%u: \"%s\" has no value: give it "
                              "one or remove the line", conf->path, n,
                              key->name);
    }

    memcpy(value, rest.data, rest.len);
    value[rest.len] = '\0';

    if (!key->set((char *) conf + key->offset, key, value, why)) {
        return turn_conf_fail(error, "%s:%u: %s = \"%s\": %s", conf->path, n,
                              key->name, value, why);
    }

    return 1;
}


static int
turn_conf_presets(turn_conf_t *conf, const unsigned *seen, char *error)
{
    char                    why[TURN_CONF_WHY];
    size_t                  i;
    const turn_conf_key_t  *key;

    for (i = 0; i < TURN_CONF_KEYS; i++) {
        key = &turn_conf_keys[i];

        if (!seen[i] && key->preset != NULL
            && !key->set((char *) conf + key->offset, key, key->preset, why))
        {
            return turn_conf_fail(error, "%s: %s = \"%s\": %s", conf->path,
                                  key->name, key->preset, why);
        }

        /* said by the operator, never silently: nothing follows the gateway */

        if (strcmp(key->name, "redis") == 0 && !seen[i]) {
            return turn_conf_fail(error, "%s: \"redis\" is missing: the "
                                  "gateway's rs_redis, for example redis = "
                                  "redis://192.0.2.20:6379, or \"redis = "
                                  "off\" for credentials nothing can revoke",
                                  conf->path);
        }
    }

    return 1;
}


/* what keys have to do with each other */

static int
turn_conf_check(const turn_conf_t *conf, char *error)
{
    size_t       i;
    const char  *path = conf->path;

    const struct {
        const char  *name;
        const char  *value;
        const char  *cure;
    } needed[] = {
        { "name", conf->name, "what this relay is called, for example "
                              "name = turn-1" },
        { "realm", conf->realm, "that of turnserver.conf and of the "
                                "gateway's rs_turn_server" },
        { "password_file", conf->password_file, "a file with what coturn has "
                           "to say, for example the output of openssl rand "
                           "-hex 32" },
    };

    for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (needed[i].value == NULL) {
            return turn_conf_fail(error, "%s: \"%s\" is missing: %s", path,
                                  needed[i].name, needed[i].cure);
        }
    }

    if (conf->secret_file != NULL && conf->key_file != NULL) {
        return turn_conf_fail(error, "%s: \"secret_file\" and \"key_file\" "
                              "are both given: keep the one the gateway has",
                              path);
    }

    if (conf->mode == TURN_MODE_STRICT && conf->key_file == NULL) {
        return turn_conf_fail(error, "%s: mode = strict needs \"key_file\", "
                              "the gateway's rs_turn_key_file", path);
    }

    if (conf->secret_file == NULL && conf->key_file == NULL) {
        return turn_conf_fail(error, "%s: \"key_file\" is missing: the "
                              "gateway's rs_turn_key_file (or secret_file, "
                              "its rs_turn_secret_file)", path);
    }

    if (conf->mode == TURN_MODE_STRICT && conf->redis == NULL) {
        return turn_conf_fail(error, "%s: mode = strict with redis = off "
                              "would refuse everybody: name the gateway's "
                              "Redis, or take mode = compat", path);
    }

    if (strcmp(conf->userdb_listen.text, conf->statsdb_listen.text) == 0) {
        return turn_conf_fail(error, "%s: userdb_listen and statsdb_listen "
                              "are both \"%s\": give each its port", path,
                              conf->userdb_listen.text);
    }

    if (conf->stale_limit <= conf->resync) {
        return turn_conf_fail(error, "%s: stale_limit = %u is not above "
                              "resync = %u: Redis would be called stale "
                              "between two listings", path,
                              conf->stale_limit, conf->resync);
    }

    if (conf->min_port > conf->max_port) {
        return turn_conf_fail(error, "%s: min_port = %u is above max_port = "
                              "%u: swap them", path, conf->min_port,
                              conf->max_port);
    }

    return 1;
}


void
turn_conf_free(turn_conf_t *conf)
{
    size_t                  i, j;
    void                   *field;
    turn_conf_list_t       *list;
    const turn_conf_key_t  *key;

    if (conf == NULL) {
        return;
    }

    for (i = 0; i < TURN_CONF_KEYS; i++) {
        key = &turn_conf_keys[i];
        field = (char *) conf + key->offset;

        if (key->set == turn_conf_set_list
            || key->set == turn_conf_set_tenants)
        {
            list = field;

            for (j = 0; j < list->n; j++) {
                free(list->item[j]);
            }

        } else if (key->set == turn_conf_set_str
                   || key->set == turn_conf_set_path
                   || key->set == turn_conf_set_name
                   || key->set == turn_conf_set_realm
                   || key->set == turn_conf_set_redis
                   || key->set == turn_conf_set_resolver)
        {
            free(*(char **) field);
        }
    }

    free(conf->path);
    free(conf);
}


const char *
turn_conf_key(size_t i, const char **preset)
{
    if (i >= TURN_CONF_KEYS) {
        return NULL;
    }

    *preset = turn_conf_keys[i].preset ? turn_conf_keys[i].preset : "";

    return turn_conf_keys[i].name;
}


int
turn_conf_secret(const char *path, char *dst, size_t *len, char *error)
{
    FILE         *f;
    size_t        n;
    struct stat   st;

    f = fopen(path, "re");

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        (void) turn_conf_fail(error, "%s: %s", path, strerror(errno));

        if (f != NULL) {
            (void) fclose(f);
        }

        return 0;
    }

    if (st.st_mode & S_IRWXO) {
        (void) fclose(f);
        return turn_conf_fail(error, "%s: everybody may read or write it: "
                              "chmod 600, or 640 with the group of the "
                              "daemon", path);
    }

    setbuf(f, NULL);
    n = fread(dst, 1, TURN_CONF_SECRET_MAX + 1, f);

    (void) fclose(f);

    while (n && (dst[n - 1] == '\n' || dst[n - 1] == '\r'
                 || dst[n - 1] == ' ' || dst[n - 1] == '\t'))
    {
        n--;
    }

    if (n == 0 || n > TURN_CONF_SECRET_MAX || memchr(dst, '\n', n) != NULL
        || memchr(dst, '\0', n) != NULL)
    {
        OPENSSL_cleanse(dst, TURN_CONF_SECRET_MAX + 1);
        return turn_conf_fail(error, "%s: has to hold one line of 1 to %d "
                              "characters", path, TURN_CONF_SECRET_MAX);
    }

    dst[n] = '\0';
    *len = n;

    return 1;
}


unsigned
turn_conf_version(rs_str_t text)
{
    size_t    i;
    unsigned  n, part[3];

    part[0] = part[1] = part[2] = 0;
    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] >= '0' && text.data[i] <= '9') {
            part[n] = part[n] * 10 + (unsigned) (text.data[i] - '0');

            if (part[n] > 99) {
                return 0;
            }

        } else if (text.data[i] == '.' && n < 2 && i > 0
                   && text.data[i - 1] != '.')
        {
            n++;

        } else {
            break;
        }
    }

    /* "4.6" at least; what follows the third number is of no interest */

    if (n == 0 || i == 0 || text.data[i - 1] == '.' || part[0] == 0) {
        return 0;
    }

    return TURN_VERSION(part[0], part[1], part[2]);
}


static int
turn_conf_fail(char *error, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(error, TURN_CONF_ERROR_MAX, fmt, args);
    va_end(args);

    return 0;
}


static int
turn_conf_why(char *why, const char *text)
{
    (void) snprintf(why, TURN_CONF_WHY, "%s", text);

    return 0;
}


static int
turn_conf_set_str(void *field, const turn_conf_key_t *key, const char *value,
    char *why)
{
    char  **p = field;

    /* data: the word for none at all */

    if (key->data != NULL && strcmp(value, key->data) == 0) {
        return 1;
    }

    *p = strdup(value);

    return *p != NULL ? 1 : turn_conf_why(why, "out of memory");
}


static int
turn_conf_set_path(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    if (value[0] != '/'
        && (key->data == NULL || strcmp(value, key->data) != 0))
    {
        return turn_conf_why(why, "a file is named by its whole path, which "
                             "begins with \"/\"");
    }

    return turn_conf_set_str(field, key, value, why);
}


static int
turn_conf_set_name(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    size_t  n;

    n = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (n > 32 || value[n] != '\0') {
        return turn_conf_why(why, "a name has 1 to 32 of a-z, 0-9 and \"-\"");
    }

    return turn_conf_set_str(field, key, value, why);
}


static int
turn_conf_set_realm(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    if (rs_turn_realm_check(rs_str(value)) != RS_OK) {
        return turn_conf_why(why, "a realm has 1 to 127 of A-Z, a-z, 0-9, "
                             "\".\", \"-\" and \"_\"");
    }

    return turn_conf_set_str(field, key, value, why);
}


static int
turn_conf_set_redis(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    const char      *wrong;
    rs_redis_url_t   url;

    if (strcmp(value, key->data) != 0) {
        wrong = rs_redis_url_parse(rs_str(value), &url);

        if (wrong != NULL) {
            return turn_conf_why(why, wrong);
        }
    }

    return turn_conf_set_str(field, key, value, why);
}


static int
turn_conf_set_resolver(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    int                      len;
    struct sockaddr_storage  ss;

    len = sizeof(ss);

    if (evutil_parse_sockaddr_port(value, (struct sockaddr *) &ss, &len)
        != 0)
    {
        return turn_conf_why(why, "the address of a name server: 192.0.2.53, "
                             "192.0.2.53:5353 or [2001:db8::53]:53");
    }

    return turn_conf_set_str(field, key, value, why);
}


static int
turn_conf_set_tenants(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    char   copy[TURN_CONF_LINE_MAX + 1], *p, *save;

    (void) snprintf(copy, sizeof(copy), "%s", value);

    for (p = strtok_r(copy, " ,\t", &save); p;
         p = strtok_r(NULL, " ,\t", &save))
    {
        if (rs_tenant_check(rs_str(p)) != RS_OK) {
            return turn_conf_why(why, "tenants as the gateway calls them, "
                                 "blanks or commas between");
        }

        if (!turn_conf_set_list(field, key, p, why)) {
            return 0;
        }
    }

    return 1;
}


static int
turn_conf_set_list(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    turn_conf_list_t  *list = field;

    if (list->n == TURN_CONF_LIST_MAX) {
        return turn_conf_why(why, "the key stands more than 256 times: put "
                             "neighbouring ranges together");
    }

    if (!turn_conf_set_str(&list->item[list->n], key, value, why)) {
        return 0;
    }

    list->n++;

    return 1;
}


static int
turn_conf_set_num(void *field, const turn_conf_key_t *key, const char *value,
    char *why)
{
    uint64_t  v;

    if (!rs_u64_parse(rs_str(value), key->max, &v) || v < key->min) {
        (void) snprintf(why, TURN_CONF_WHY, "a number from %u to %u",
                        key->min, key->max);
        return 0;
    }

    *(unsigned *) field = (unsigned) v;

    return 1;
}


static int
turn_conf_set_enum(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    int                      n;
    const turn_conf_enum_t  *e;

    for (e = key->data; e->name != NULL; e++) {
        if (strcmp(value, e->name) == 0) {
            *(unsigned *) field = e->value;
            return 1;
        }
    }

    n = snprintf(why, TURN_CONF_WHY, "one of");

    for (e = key->data; e->name != NULL; e++) {
        n += snprintf(why + n, (size_t) (TURN_CONF_WHY - n), " %s", e->name);
    }

    return 0;
}


/* ADDRESS:PORT or [ADDRESS]:PORT; 0: neither */

static int
turn_conf_addr_parse(turn_conf_addr_t *a, const char *value)
{
    char                 host[64];
    size_t               n;
    uint64_t             port;
    const char          *colon;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    sin = (struct sockaddr_in *) &a->addr;
    sin6 = (struct sockaddr_in6 *) &a->addr;
    colon = strrchr(value, ':');

    if (colon == NULL || strlen(value) >= sizeof(a->text)
        || !rs_u64_parse(rs_str(colon + 1), 65535, &port) || port == 0)
    {
        return 0;
    }

    n = (size_t) (colon - value);
    memcpy(host, value, n);
    host[n] = '\0';

    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';

        if (inet_pton(AF_INET6, host + 1, &sin6->sin6_addr) != 1) {
            return 0;
        }

        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons((uint16_t) port);
        a->len = sizeof(*sin6);

    } else {

        if (inet_pton(AF_INET, host, &sin->sin_addr) != 1) {
            return 0;
        }

        sin->sin_family = AF_INET;
        sin->sin_port = htons((uint16_t) port);
        a->len = sizeof(*sin);
    }

    (void) snprintf(a->text, sizeof(a->text), "%s", value);

    return 1;
}


/* min of the key: "off" is a value too; max: it need not be loopback's */

static int
turn_conf_set_listen(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    int                   loopback, any;
    turn_conf_addr_t     *a = field;
    struct sockaddr_in   *sin = (struct sockaddr_in *) &a->addr;
    struct sockaddr_in6  *sin6 = (struct sockaddr_in6 *) &a->addr;

    memset(a, 0, sizeof(*a));

    if (key->min && strcmp(value, "off") == 0) {
        (void) snprintf(a->text, sizeof(a->text), "off");
        return 1;
    }

    if (!turn_conf_addr_parse(a, value)) {
        return turn_conf_why(why, key->min
                             ? "ADDRESS:PORT, such as 127.0.0.1:16380 or "
                               "[::1]:16380, or off"
                             : "ADDRESS:PORT, such as 127.0.0.1:16379 or "
                               "[::1]:16379");
    }

    if (a->addr.ss_family == AF_INET6) {
        loopback = IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
        any = IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr);

    } else {
        loopback = (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
        any = sin->sin_addr.s_addr == htonl(INADDR_ANY);
    }

    if (!key->max && !loopback) {
        return turn_conf_why(why, "an address of this host's loopback: "
                             "127.0.0.1 or [::1]; coturn runs beside the "
                             "daemon");
    }

    if (any) {
        return turn_conf_why(why, "one address of this host, the one that "
                             "monitoring reaches it by");
    }

    return 1;
}


static int
turn_conf_set_version(void *field, const turn_conf_key_t *key,
    const char *value, char *why)
{
    (void) key;

    if (strcmp(value, "auto") == 0) {
        *(unsigned *) field = 0;
        return 1;
    }

    *(unsigned *) field = turn_conf_version(rs_str(value));

    return *(unsigned *) field != 0
           ? 1 : turn_conf_why(why, "auto, or what turnserver --version "
                               "prints, such as 4.6.1");
}
