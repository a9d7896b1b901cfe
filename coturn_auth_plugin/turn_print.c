
/*
 * Copyright (C) rs-gateway contributors
 *
 * turnserver.conf, kernel rules, sysctl.
 */


#include "turn_print.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "turn_policy.h"


/* of the CLI in coturn; one byte is its NUL */
#define TURN_PRINT_CLI_MAX     128
#define TURN_PRINT_SESSIONS    1000000
/* of a user's name */
#define TURN_PRINT_USER_MAX    32


#define turn_print_fail(error, ...)                                          \
    (void) snprintf(error, TURN_CONF_ERROR_MAX, __VA_ARGS__)


static int turn_print_need(const turn_conf_t *conf, char *error);
static int turn_print_has(const turn_conf_list_t *list, rs_str_t addr);
static unsigned turn_print_version(const turn_conf_t *conf, char *error);
static int turn_print_password(const char *path, const char *what,
    size_t max, char *dst, char *error);
static void turn_print_head(FILE *f, const turn_conf_t *conf,
    const char *what);
static void turn_print_list(FILE *f, const char *name,
    const turn_conf_list_t *list);
static void turn_print_external(FILE *f, const turn_conf_t *conf);
static void turn_print_network(FILE *f, const turn_conf_t *conf,
    unsigned version);
static void turn_print_database(FILE *f, const turn_conf_t *conf,
    int guarded, const char *password);
static void turn_print_cli(FILE *f, const turn_conf_t *conf,
    unsigned version, const char *password);
static void turn_print_limits(FILE *f, const turn_conf_t *conf,
    unsigned version);
static int turn_print_floor(FILE *f, const turn_conf_t *conf, char *error);
static void turn_print_line(void *data, rs_str_t text);
static int turn_print_apart(const turn_conf_t *conf, char *error);
static int turn_print_user(const char *user, char *error);
static const char *turn_print_family_of(const char *addr);
static int turn_print_egress(FILE *f, const turn_conf_t *conf,
    const char *user, char *error);
static rs_ip_set_t *turn_print_peers(const turn_conf_t *conf, char *error);
static void turn_print_set(FILE *f, const char *name, const char *type,
    uint8_t family, const rs_ip_set_t *set);
static void turn_print_loopback(FILE *f, const turn_conf_addr_t *at,
    const char *addr, const char *port);
static int turn_print_write(int fd, const char *text);


char *
turn_print_turnserver_conf(const turn_conf_t *conf, int guard, char *error)
{
    FILE      *f;
    char      *text;
    char       db[TURN_CONF_SECRET_MAX + 1], cli[TURN_CONF_SECRET_MAX + 1];
    size_t     size;
    unsigned   version;

    text = NULL;
    cli[0] = '\0';
    db[0] = '\0';
    version = turn_print_version(conf, error);

    if (version == 0 || !turn_print_need(conf, error)
        || !turn_print_password(conf->password_file, "password_file",
                                TURN_CONF_SECRET_MAX, db, error))
    {
        goto done;
    }

    if (conf->cli.len && conf->cli_password_file == NULL) {
        turn_print_fail(error, "%s: \"cli_password_file\" is missing: coturn "
                        "has no CLI without a password, and nothing can be "
                        "revoked without a CLI", conf->path);
        goto done;
    }

    if (conf->cli.len
        && !turn_print_password(conf->cli_password_file, "cli_password_file",
                                TURN_PRINT_CLI_MAX, cli, error))
    {
        goto done;
    }

    f = open_memstream(&text, &size);

    if (f == NULL) {
        turn_print_fail(error, "out of memory");
        goto done;
    }

    turn_print_head(f, conf, "turnserver-conf");
    fprintf(f, "# for coturn %u.%u.%u; it holds passwords: mode 0640 or "
            "less\n\n", version / 10000, version / 100 % 100, version % 100);
    turn_print_network(f, conf, version);
    turn_print_database(f, conf, guard || version >= TURN_VERSION_SAFE, db);
    turn_print_cli(f, conf, version, cli);
    turn_print_limits(f, conf, version);

    if (!turn_print_floor(f, conf, error) | (fclose(f) != 0)) {
        free(text);
        text = NULL;
    }

done:

    OPENSSL_cleanse(db, sizeof(db));
    OPENSSL_cleanse(cli, sizeof(cli));

    return text;
}


static int
turn_print_need(const turn_conf_t *conf, char *error)
{
    size_t    i;
    rs_str_t  outer, inner;

    if (conf->listening_ip.n == 0) {
        turn_print_fail(error, "%s: \"listening_ip\" is missing: the address "
                        "clients connect to", conf->path);
        return 0;
    }

    if (conf->relay_ip.n == 0) {
        turn_print_fail(error, "%s: \"relay_ip\" is missing: an address of "
                        "this host that hosts nothing else", conf->path);
        return 0;
    }

    for (i = 0; i < conf->external_ip.n; i++) {
        (void) rs_str_split(rs_str(conf->external_ip.item[i]), '/', &outer,
                            &inner);

        if (!turn_print_has(&conf->relay_ip, inner)) {
            turn_print_fail(error, "%s: external_ip = \"%s\": write OUTER/"
                            "INNER, with INNER one of relay_ip", conf->path,
                            conf->external_ip.item[i]);
            return 0;
        }
    }

    return 1;
}


static int
turn_print_has(const turn_conf_list_t *list, rs_str_t addr)
{
    size_t   i;
    rs_ip_t  ip, other;

    if (rs_ip_parse(addr, &ip) != RS_OK) {
        return 0;
    }

    for (i = 0; i < list->n; i++) {
        if (rs_ip_parse(rs_str(list->item[i]), &other) == RS_OK
            && rs_ip_cmp(&other, &ip) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static unsigned
turn_print_version(const turn_conf_t *conf, char *error)
{
    FILE      *f;
    char       line[256];
    size_t     len;
    unsigned   version;

    if (conf->coturn_version) {
        return conf->coturn_version;
    }

    version = 0;
    f = popen("turnserver --version 2>/dev/null", "r");

    if (f != NULL) {
        while (version == 0 && fgets(line, sizeof(line), f) != NULL) {
            len = strcspn(line, " \r\n");
            version = turn_conf_version((rs_str_t) { (uint8_t *) line, len });
        }

        (void) pclose(f);
    }

    if (version == 0) {
        turn_print_fail(error, "%s: coturn_version = auto, and \"turnserver "
                        "--version\" does not tell it: write coturn_version "
                        "= 4.6.1 or whatever will read the file",
                        conf->path);
    }

    return version;
}


/* what coturn reads back as it is, unquoted and between blanks */

static int
turn_print_password(const char *path, const char *what, size_t max, char *dst,
    char *error)
{
    size_t  i, len;

    if (!turn_conf_secret(path, dst, &len, error)) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (dst[i] <= ' ' || dst[i] >= 0x7f || strchr("\"'#\\$", dst[i])) {
            break;
        }
    }

    if (len == 0 || len > max || i < len) {
        turn_print_fail(error, "%s \"%s\": coturn cannot read this password: "
                        "at most %zu characters, no blanks, quotes, \"#\", "
                        "\"\\\" or \"$\"; for example openssl rand -hex 32",
                        what, path, max);
        return 0;
    }

    return 1;
}


static void
turn_print_head(FILE *f, const turn_conf_t *conf, const char *what)
{
    fprintf(f, "# made by rs-turn-authd --print-%s from %s:\n"
            "# change that, not this\n", what, conf->path);
}


static void
turn_print_list(FILE *f, const char *name, const turn_conf_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        fprintf(f, "%s=%s\n", name, list->item[i]);
    }
}


/*
 * OUTER/INNER would let INNER be a peer of everybody, whatever the lists
 * say.  OUTER alone maps the relay address of its family, and allows nothing.
 */

static void
turn_print_external(FILE *f, const turn_conf_t *conf)
{
    size_t     i, same;
    rs_ip_t    inner, ip;
    rs_str_t   outer, rest;

    if (conf->external_ip.n == 1) {
        (void) rs_str_split(rs_str(conf->external_ip.item[0]), '/', &outer,
                            &rest);

        if (rs_ip_parse(rest, &inner) == RS_OK) {
            for (i = 0, same = 0; i < conf->relay_ip.n; i++) {
                same += rs_ip_parse(rs_str(conf->relay_ip.item[i]), &ip)
                        == RS_OK && ip.len == inner.len;
            }

            if (same == 1) {
                fprintf(f, "external-ip=%.*s\n", (int) outer.len,
                        (const char *) outer.data);
                return;
            }
        }
    }

    turn_print_list(f, "external-ip", &conf->external_ip);
}


/*
 * Clients that do not ask for a family get IPv4 (RFC 6156, 4.2), which both
 * ends of a session can have from a relay of both families, whatever network
 * they are in; from one that has IPv6 alone they would get nothing.
 */

static void
turn_print_family(FILE *f, const turn_conf_t *conf)
{
    size_t   i;
    rs_ip_t  ip;

    for (i = 0; i < conf->relay_ip.n; i++) {
        if (rs_ip_parse(rs_str(conf->relay_ip.item[i]), &ip) == RS_OK
            && ip.len == RS_IP_V4)
        {
            return;
        }
    }

    fprintf(f, "allocation-default-address-family=ipv6\n");
}


static void
turn_print_network(FILE *f, const turn_conf_t *conf, unsigned version)
{
    turn_print_list(f, "listening-ip", &conf->listening_ip);
    turn_print_list(f, "relay-ip", &conf->relay_ip);
    turn_print_family(f, conf);
    turn_print_external(f, conf);

    fprintf(f, "listening-port=%u\nmin-port=%u\nmax-port=%u\n\n",
            conf->listening_port, conf->min_port, conf->max_port);

    /* the ciphers leave no room for TLS before 1.2 whatever the version */

    if (conf->cert != NULL && conf->pkey != NULL) {
        fprintf(f, "tls-listening-port=%u\ncert=%s\npkey=%s\n"
                "cipher-list=ECDHE+AESGCM:ECDHE+CHACHA20\n",
                conf->tls_listening_port, conf->cert, conf->pkey);

        if (version < TURN_VERSION(4, 7, 0)) {
            fprintf(f, "no-tlsv1\nno-tlsv1_1\n");
        }

    } else {
        fprintf(f, "no-tls\n");
    }

    if (version < TURN_VERSION(4, 17, 0)) {
        fprintf(f, "no-dtls\n");
    }

    fprintf(f, "\n");
}


/*
 * User names are formats to coturn before 4.13.  Without the guard a line for
 * redis-statsdb lets anybody crash it, whatever is at the other end; as for
 * redis-userdb, the daemon refuses to be asked for user names.
 */

static void
turn_print_database(FILE *f, const turn_conf_t *conf, int guarded,
    const char *password)
{
    char    address[sizeof(conf->userdb_listen.text)], *port;
    size_t  i;

    const struct {
        const char              *name;
        const turn_conf_addr_t  *addr;
        int                      dangerous;
    } dbs[] = {
        { "redis-userdb", &conf->userdb_listen, 0 },
        { "redis-statsdb", &conf->statsdb_listen, !guarded }
    };

    fprintf(f, "realm=%s\n%s\nfingerprint\nstale-nonce=600\n\n", conf->realm,
            conf->mode == TURN_MODE_STRICT ? "lt-cred-mech"
                                           : "use-auth-secret");

    if (!guarded) {
        fprintf(f, "# coturn before 4.13 takes user names for formats: "
                "statistics and mode = strict\n# are for one that preloads "
                "rs-turn-guard.so; print this with --guard then\n");
    }

    for (i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
        if (dbs[i].addr->len == 0) {
            continue;
        }

        (void) snprintf(address, sizeof(address), "%s", dbs[i].addr->text);
        port = strrchr(address, ':');

        if (port == NULL) {
            continue;
        }

        *port++ = '\0';

        fprintf(f, "%s%s=\"ip=%.*s dbname=0 password=%s connect_timeout=5 "
                "port=%s\"\n", dbs[i].dangerous ? "# " : "", dbs[i].name,
                (int) strcspn(address + (address[0] == '['), "]"),
                address + (address[0] == '['), password, port);
    }

    fprintf(f, "\n");
}


static void
turn_print_cli(FILE *f, const turn_conf_t *conf, unsigned version,
    const char *password)
{
    char  address[sizeof(conf->cli.text)], *port;

    (void) snprintf(address, sizeof(address), "%s", conf->cli.text);
    port = strrchr(address, ':');

    if (conf->cli.len == 0 || port == NULL) {
        fprintf(f, "no-cli\n\n");
        return;
    }

    *port++ = '\0';

    if (version >= TURN_VERSION(4, 10, 0)) {
        fprintf(f, "cli\n");
    }

    fprintf(f, "cli-ip=%.*s\ncli-port=%s\ncli-password=%s\n"
            "cli-max-output-sessions=%u\n\n",
            (int) strcspn(address + (address[0] == '['), "]"),
            address + (address[0] == '['), port, password,
            TURN_PRINT_SESSIONS);
}


static void
turn_print_limits(FILE *f, const turn_conf_t *conf, unsigned version)
{
    fprintf(f, "user-quota=%u\n", conf->quota > conf->host_quota
            ? conf->quota : conf->host_quota);

    if (conf->total_quota) {
        fprintf(f, "total-quota=%u\n", conf->total_quota);
    }

    if (conf->max_bps) {
        fprintf(f, "max-bps=%u\n", conf->max_bps);
    }

    fprintf(f, "max-allocate-timeout=10\n\nno-tcp-relay\n"
            "no-multicast-peers\n");

    if (version < TURN_VERSION(4, 7, 0)) {
        fprintf(f, "no-rfc5780\nno-stun-backward-compatibility\n"
                "no-software-attribute\n");
    }

    fprintf(f, "response-origin-only-with-rfc5780\nlog-file=stdout\n\n");
}


static int
turn_print_floor(FILE *f, const turn_conf_t *conf, char *error)
{
    int                   rc;
    rs_ip_set_t          *floor;
    rs_turn_peer_conf_t  *rules;

    rc = 0;
    floor = malloc(sizeof(rs_ip_set_t));
    rules = malloc(sizeof(rs_turn_peer_conf_t));

    if (floor == NULL || rules == NULL) {
        turn_print_fail(error, "out of memory");
        goto done;
    }

    if (!turn_policy_rules(conf, rules, error)) {
        goto done;
    }

    rs_turn_peer_floor(rules, floor);

    if (floor->overflow) {
        turn_print_fail(error, "%s: too many rules for peers: join ranges",
                        conf->path);
        goto done;
    }

    fprintf(f, "# the floor: what is denied while rs-turn-authd does not "
            "answer; what is\n# allowed in spite of it, only that says\n\n");
    rs_turn_peer_lines(floor, turn_print_line, f);
    rc = 1;

done:

    free(floor);
    free(rules);

    return rc;
}


static void
turn_print_line(void *data, rs_str_t text)
{
    fprintf(data, "denied-peer-ip=%.*s\n", (int) text.len,
            (const char *) text.data);
}


char *
turn_print_nft(const turn_conf_t *conf, const char *user, char *error)
{
    int          ok;
    FILE        *f;
    char        *text;
    size_t       i, size;
    const char  *relay, *family;

    if (!turn_print_need(conf, error) || !turn_print_apart(conf, error)
        || (user != NULL && !turn_print_user(user, error)))
    {
        return NULL;
    }

    f = open_memstream(&text, &size);

    if (f == NULL) {
        turn_print_fail(error, "out of memory");
        return NULL;
    }

    turn_print_head(f, conf, "nft");
    fprintf(f, "#\n# What a relay address may be reached for: its relay "
            "ports, and what ICMP has to\n# say.  Else services bound to "
            "0.0.0.0 are within reach of whoever has a relay.\n\n"
            "table inet rs_turn {\n}\n\ndelete table inet rs_turn\n\n"
            "table inet rs_turn {\n    chain input {\n"
            "        type filter hook input priority filter - 10; "
            "policy accept;\n");

    for (i = 0; i < conf->relay_ip.n; i++) {
        relay = conf->relay_ip.item[i];
        family = turn_print_family_of(relay);

        fprintf(f, "\n        %s daddr %s udp dport %u-%u accept\n"
                "        %s daddr %s meta l4proto %s accept\n"
                "        %s daddr %s drop\n", family, relay, conf->min_port,
                conf->max_port, family, relay,
                family[2] ? "ipv6-icmp" : "icmp", family, relay);
    }

    fprintf(f, "    }\n");
    ok = user == NULL || turn_print_egress(f, conf, user, error);
    fprintf(f, "}\n");

    if (fclose(f) != 0 && ok) {
        turn_print_fail(error, "out of memory");
        ok = 0;
    }

    if (!ok) {
        free(text);
        text = NULL;
    }

    return text;
}


static int
turn_print_apart(const turn_conf_t *conf, char *error)
{
    size_t       i;
    rs_ip_t      ip;
    const char  *relay;

    for (i = 0; i < conf->relay_ip.n; i++) {
        relay = conf->relay_ip.item[i];

        if (rs_ip_parse(rs_str(relay), &ip) != RS_OK) {
            turn_print_fail(error, "%s: relay_ip = \"%s\" is no address: "
                            "write one", conf->path, relay);
            return 0;
        }

        if (turn_print_has(&conf->listening_ip, rs_str(relay))) {
            turn_print_fail(error, "%s: relay_ip and listening_ip are both "
                            "%s: give the relay an address of its own, for "
                            "no rule can tell its packets from those of "
                            "clients", conf->path, relay);
            return 0;
        }
    }

    return 1;
}


/* a name as Debian's adduser takes it: it stands between quotes */

static int
turn_print_user(const char *user, char *error)
{
    if (user[0] == '\0' || strlen(user) > TURN_PRINT_USER_MAX
        || user[strspn(user, "abcdefghijklmnopqrstuvwxyz0123456789_-")])
    {
        turn_print_fail(error, "--user \"%s\": the name of the user "
                        "turnserver runs as, 1 to %d of a-z, 0-9, _ and -",
                        user, TURN_PRINT_USER_MAX);
        return 0;
    }

    return 1;
}


static const char *
turn_print_family_of(const char *addr)
{
    return strchr(addr, ':') != NULL ? "ip6" : "ip";
}


/*
 * What coturn itself may send, by its user: answers to clients, what a relay
 * sends to peers of the policy, and what it says to this daemon.  Its own
 * checks come first; this holds when one of them does not.
 */

static int
turn_print_egress(FILE *f, const turn_conf_t *conf, const char *user,
    char *error)
{
    size_t        i;
    const char   *addr, *family;
    rs_ip_set_t  *peers;

    peers = turn_print_peers(conf, error);

    if (peers == NULL) {
        return 0;
    }

    turn_print_set(f, "peers4", "ipv4_addr", RS_IP_V4, peers);
    turn_print_set(f, "peers6", "ipv6_addr", RS_IP_V6, peers);
    free(peers);

    fprintf(f, "\n    chain output {\n"
            "        type filter hook output priority filter - 10; "
            "policy accept;\n\n        meta skuid \"%s\" jump coturn\n"
            "    }\n\n    chain coturn {\n", user);

    for (i = 0; i < conf->listening_ip.n; i++) {
        addr = conf->listening_ip.item[i];
        fprintf(f, "        %s saddr %s meta l4proto { tcp, udp } th sport "
                "{ %u, %u } accept\n", turn_print_family_of(addr), addr,
                conf->listening_port, conf->tls_listening_port);
    }

    for (i = 0; i < conf->relay_ip.n; i++) {
        addr = conf->relay_ip.item[i];
        family = turn_print_family_of(addr);
        fprintf(f, "        %s saddr %s %s daddr @peers%s udp sport %u-%u "
                "accept\n", family, addr, family, family[2] ? "6" : "4",
                conf->min_port, conf->max_port);
    }

    turn_print_loopback(f, &conf->userdb_listen, "daddr", "dport");
    turn_print_loopback(f, &conf->statsdb_listen, "daddr", "dport");
    turn_print_loopback(f, &conf->cli, "saddr", "sport");
    fprintf(f, "        counter drop\n    }\n");

    return 1;
}


/* who may be a peer: what is allowed, and what nothing denies */

static rs_ip_set_t *
turn_print_peers(const turn_conf_t *conf, char *error)
{
    int                   ok;
    const char           *cure;
    rs_ip_set_t          *set;
    rs_turn_peer_t       *peer;
    rs_turn_peer_conf_t  *rules;

    ok = 0;
    set = malloc(sizeof(rs_ip_set_t));
    peer = malloc(sizeof(rs_turn_peer_t));
    rules = malloc(sizeof(rs_turn_peer_conf_t));

    if (set == NULL || peer == NULL || rules == NULL) {
        turn_print_fail(error, "out of memory");
        goto done;
    }

    if (!turn_policy_rules(conf, rules, error)) {
        goto done;
    }

    if (rs_turn_peer_build(rules, peer, &cure) != RS_OK) {
        turn_print_fail(error, "%s: %s", conf->path, cure);
        goto done;
    }

    rs_ip_set_not(set, &peer->denied);
    rs_ip_set_add_set(set, &peer->allowed);

    if (set->overflow) {
        turn_print_fail(error, "%s: too many rules for peers: join ranges",
                        conf->path);
        goto done;
    }

    ok = 1;

done:

    free(peer);
    free(rules);

    if (!ok) {
        free(set);
        set = NULL;
    }

    return set;
}


static void
turn_print_set(FILE *f, const char *name, const char *type, uint8_t family,
    const rs_ip_set_t *set)
{
    char      text[RS_IP_RANGE_TEXT_MAX];
    size_t    len;
    unsigned  i, n;

    fprintf(f, "\n    set %s {\n        type %s; flags interval;\n", name,
            type);

    for (i = 0, n = 0; i < set->n; i++) {
        if (set->range[i].first.len != family) {
            continue;
        }

        len = rs_ip_range_format(&set->range[i], text);
        fprintf(f, "%s            %.*s", n++ ? ",\n" : "        elements = {\n",
                (int) len, text);
    }

    fprintf(f, "%s    }\n", n ? "\n        }\n" : "");
}


static void
turn_print_loopback(FILE *f, const turn_conf_addr_t *at, const char *addr,
    const char *port)
{
    char    text[sizeof(at->text)], *colon, *host;
    size_t  len;

    (void) snprintf(text, sizeof(text), "%s", at->text);
    colon = strrchr(text, ':');

    if (at->len == 0 || colon == NULL) {
        return;
    }

    host = text + (text[0] == '[');
    len = strcspn(host, text[0] == '[' ? "]" : ":");
    fprintf(f, "        %s %s %.*s tcp %s %s accept\n",
            text[0] == '[' ? "ip6" : "ip", addr, (int) len, host, port,
            colon + 1);
}


char *
turn_print_sysctl(const turn_conf_t *conf, char *error)
{
    FILE    *f;
    char    *text;
    size_t   size;

    f = open_memstream(&text, &size);

    if (f == NULL) {
        turn_print_fail(error, "out of memory");
        return NULL;
    }

    turn_print_head(f, conf, "sysctl");
    fprintf(f, "net.ipv4.ip_local_reserved_ports = %u-%u\n", conf->min_port,
            conf->max_port);

    if (fclose(f) != 0) {
        turn_print_fail(error, "out of memory");
        free(text);
        return NULL;
    }

    return text;
}


int
turn_print_output(const char *path, const char *text, char *error)
{
    int          fd;
    char         temp[4096];
    struct stat  st;

    if (path == NULL) {
        if (!turn_print_write(STDOUT_FILENO, text)) {
            turn_print_fail(error, "standard output: %s", strerror(errno));
            return 0;
        }

        return 1;
    }

    if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path)
        >= (int) sizeof(temp))
    {
        turn_print_fail(error, "%s: the name is too long", path);
        return 0;
    }

    fd = mkstemp(temp);                       /* 0600 */

    if (fd == -1) {
        turn_print_fail(error, "%s: beside it: %s", path, strerror(errno));
        return 0;
    }

    if ((stat(path, &st) == 0
         && (fchown(fd, st.st_uid, st.st_gid) != 0
             || fchmod(fd, st.st_mode & 0640) != 0))
        || !turn_print_write(fd, text) || fsync(fd) != 0
        || rename(temp, path) != 0)
    {
        turn_print_fail(error, "%s: %s", path, strerror(errno));
        (void) unlink(temp);
        (void) close(fd);
        return 0;
    }

    (void) close(fd);

    return 1;
}


static int
turn_print_write(int fd, const char *text)
{
    size_t   len;
    ssize_t  n;

    for (len = strlen(text); len; len -= (size_t) n, text += n) {
        n = write(fd, text, len);

        if (n == -1 && errno != EINTR) {
            return 0;
        }

        n = n == -1 ? 0 : n;
    }

    return 1;
}
