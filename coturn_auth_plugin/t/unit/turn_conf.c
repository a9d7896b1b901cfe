
/*
 * Copyright (C) rs-gateway contributors
 *
 * The configuration: what it may say, and that every error has the line, the
 * value and a cure.
 */


#include "tap.h"
#include "turn_conf.h"
#include "turn_log.h"


#define BASE  "name = t1\nrealm = rs-test\nsecret_file = /s\n"               \
              "password_file = /p\nredis = off\n"


static char  error[TURN_CONF_ERROR_MAX];


static turn_conf_t *
parse(const char *text)
{
    error[0] = '\0';

    return turn_conf_parse("t.conf", rs_str(text), error);
}


static void
good(void)
{
    size_t        i, n;
    turn_conf_t  *c;
    const char   *preset;

    c = parse("# a comment\n\n  name =  t1  \r\nrealm=R.e-a_L\n"
              "key_file = /k # no comment\npassword_file = /p\n"
              "redis = rediss://redis.example.net:6390/2\nmode = strict\n"
              "relay = 192.0.2.1\nrelay = 2001:db8::/64\n"
              "tenants = acme, globex umbrella\ntenants = initech\n"
              "userdb_listen = [::1]:17000\nmetrics_listen = off\n"
              "coturn_version = 4.18.0\nquota = 2\nlog_level = debug\n"
              "state_dir = off\npeers = lan\nlan = 192.168.1.0/24");

    if (!ok(c != NULL, "a configuration")) {
        printf("#   %s\n", error);
        return;
    }

    is_str(rs_str(c->name), "t1", "blanks around a value are none of it");
    is_str(rs_str(c->realm), "R.e-a_L", "a realm");
    is_str(rs_str(c->key_file), "/k # no comment", "# inside a line is text");
    ok(c->secret_file == NULL, "what is not there is not there");
    is_int(c->mode, TURN_MODE_STRICT, "a word of a list");
    is_int(c->relay.n, 2, "a repeated key");
    is_str(rs_str(c->relay.item[1]), "2001:db8::/64", "in order");
    is_int(c->tenants.n, 4, "a list in one line, and another line");
    is_str(rs_str(c->tenants.item[1]), "globex", "its second");
    is_int(c->userdb_listen.addr.ss_family, AF_INET6, "an address of IPv6");
    is_int(c->metrics_listen.len, 0, "off");
    is_int(c->coturn_version, TURN_VERSION(4, 18, 0), "a version");
    is_int(c->quota, 2, "a number");
    is_int(c->host_quota, 48, "a number that is not given");
    is_int(c->log_level, TURN_LOG_DEBUG, "a level");
    ok(c->state_dir == NULL, "a folder that is off");
    is_int(c->peers, TURN_PEERS_LAN, "a policy");
    is_int(c->cli.addr.ss_family, AF_INET, "an address that is not given");
    turn_conf_free(c);

    c = parse(BASE);
    ok(c != NULL && c->redis == NULL && c->mode == TURN_MODE_COMPAT
       && strcmp(c->state_dir, "/var/lib/rs-turn-authd") == 0,
       "the least there has to be");
    turn_conf_free(c);

    n = 0;

    for (i = 0; turn_conf_key(i, &preset) != NULL; i++) {
        n += preset == NULL;
    }

    ok(i > 40 && n == 0, "%zu keys", i);
}


static const struct {
    const char  *text;
    const char  *error;
} bad[] = {

    { "name = t1\nfoo = bar\n", "t.conf:2: unknown key \"foo\": "
      "rs-turn-authd --help lists them" },
    { "\n\nname\n", "t.conf:3: not \"key = value\"; a comment begins with "
      "\"#\"" },
    { "name = \n", "t.conf:1: \"name\" has no value: give it one or remove "
      "the line" },
    { "name = a\nname = b\n", "t.conf:2: \"name\" stands on line 1 already: "
      "keep one of them" },

    { "name = Relay\n", "t.conf:1: name = \"Relay\": a name has 1 to 32 of "
      "a-z, 0-9 and \"-\"" },
    { "name = a23456789012345678901234567890123\n", "a name has 1 to 32" },
    { "realm = a b\n", "t.conf:1: realm = \"a b\": a realm has 1 to 127 of" },
    { "realm = a/b\n", "realm = \"a/b\"" },
    { "mode = loose\n", "t.conf:1: mode = \"loose\": one of compat strict" },
    { "peers = any\n", "one of closed open lan" },
    { "key_file = keys\n", "t.conf:1: key_file = \"keys\": a file is named by "
      "its whole path, which begins with \"/\"" },
    { "redis = http://redis.example.net\n", "t.conf:1: redis = \"http://" },
    { "redis = redis://host:99999\n", "redis = \"redis://host:99999\": " },
    { "resolver = dns.example.net\n", "resolver = \"dns.example.net\": the "
      "address of a name server" },
    { "resolver = 192.0.2.53:99999\n", "the address of a name server" },
    { "tenants = acme, B*d\n", "tenants as the gateway calls them" },
    { "quota = 0\n", "quota = \"0\": a number from 1 to 10000" },
    { "quota = 10001\n", "a number from 1 to 10000" },
    { "quota = -1\n", "a number from 1 to 10000" },
    { "quota = 1e3\n", "a number from 1 to 10000" },
    { "resync = 99999999999999999999\n", "a number from 1 to 3600" },
    { "coturn_version = new\n", "auto, or what turnserver --version prints" },
    { "coturn_version = 4\n", "auto, or" },
    { "coturn_version = 4.\n", "auto, or" },
    { "coturn_version = 4..6\n", "auto, or" },
    { "coturn_version = 400.6.1\n", "auto, or" },

    { "userdb_listen = 192.0.2.1:6379\n", "userdb_listen = \"192.0.2.1:6379\":"
      " an address of this host's loopback" },
    { "userdb_listen = 0.0.0.0:6379\n", "loopback" },
    { "metrics_listen = 0.0.0.0:16381\n", "one address of this host" },
    { "metrics_listen = [::]:16381\n", "one address of this host" },
    { "metrics_listen = here:16381\n", "ADDRESS:PORT" },
    { "metrics_listen = 192.0.2.1\n", "ADDRESS:PORT" },
    { "userdb_listen = [::]:6379\n", "loopback" },
    { "userdb_listen = [::ffff:127.0.0.1]:6379\n", "loopback" },
    { "userdb_listen = localhost:6379\n", "ADDRESS:PORT, such as" },
    { "userdb_listen = 127.0.0.1\n", "ADDRESS:PORT" },
    { "userdb_listen = 127.0.0.1:0\n", "ADDRESS:PORT" },
    { "userdb_listen = 127.0.0.1:65536\n", "ADDRESS:PORT" },
    { "userdb_listen = off\n", "ADDRESS:PORT" },
    { "cli = 192.0.2.1:5766\n", "coturn runs beside the daemon" },

    { "realm = r\nsecret_file = /s\npassword_file = /p\nredis = off\n",
      "t.conf: \"name\" is missing: what this relay is called" },
    { "name = n\nsecret_file = /s\npassword_file = /p\nredis = off\n",
      "\"realm\" is missing" },
    { "name = n\nrealm = r\nsecret_file = /s\nredis = off\n",
      "\"password_file\" is missing" },
    { "name = n\nrealm = r\npassword_file = /p\nredis = off\n",
      "\"key_file\" is missing" },
    { "name = n\nrealm = r\nsecret_file = /s\npassword_file = /p\n",
      "\"redis\" is missing: the gateway's rs_redis" },
    { BASE "key_file = /k\n", "\"secret_file\" and \"key_file\" are both "
      "given: keep the one the gateway has" },
    { BASE "mode = strict\n", "mode = strict needs \"key_file\"" },
    { "name = n\nrealm = r\nkey_file = /k\npassword_file = /p\nredis = off\n"
      "mode = strict\n", "mode = strict with redis = off would refuse "
      "everybody" },
    { BASE "userdb_listen = 127.0.0.1:7000\nstatsdb_listen = 127.0.0.1:7000\n",
      "userdb_listen and statsdb_listen are both \"127.0.0.1:7000\": give "
      "each its port" },
    { BASE "min_port = 50000\nmax_port = 40000\n", "min_port = 50000 is above "
      "max_port = 40000: swap them" },
    { BASE "resync = 30\nstale_limit = 30\n", "stale_limit = 30 is not above "
      "resync = 30" },
};


static void
errors(void)
{
    char         *text;
    size_t        i;
    turn_conf_t  *c;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        c = parse(bad[i].text);

        if (!ok(c == NULL && strstr(error, bad[i].error) != NULL, "%s",
                bad[i].error))
        {
            printf("#   got \"%s\"\n", error);
        }

        turn_conf_free(c);
    }

    text = malloc(TURN_CONF_LINE_MAX + 64);
    memset(text, 'x', TURN_CONF_LINE_MAX + 63);
    text[TURN_CONF_LINE_MAX + 63] = '\0';

    ok(parse(text) == NULL && strstr(error, "t.conf:1: longer than") != NULL,
       "a line that is too long");
    free(text);

    c = turn_conf_parse("t.conf", (rs_str_t) { (uint8_t *) "na\0me = x", 9 },
                        error);
    ok(c == NULL && strstr(error, "not \"key = value\"") != NULL,
       "a zero byte");

    text = malloc((TURN_CONF_LIST_MAX + 1) * 17 + 1);

    for (i = 0; i <= TURN_CONF_LIST_MAX; i++) {
        strcpy(text + i * 17, "relay = 10.0.0.1\n");
    }

    ok(parse(text) == NULL && strstr(error, "t.conf:257: relay") != NULL,
       "too many of one key");
    free(text);

    ok(turn_conf_read("/nonexistent/x.conf", error) == NULL
       && strstr(error, "name another with --config") != NULL, "no file");
}


static void
versions(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        unsigned     v;
    } list[] = {
        { "4.6.1", TURN_VERSION(4, 6, 1) },
        { "4.13.0-1+b2", TURN_VERSION(4, 13, 0) },
        { "4.18", TURN_VERSION(4, 18, 0) },
        { "10.0.99", TURN_VERSION(10, 0, 99) },
        { "", 0 }, { "4", 0 }, { ".4.6", 0 }, { "x4.6.1", 0 },
        { "0.5.1", 0 }, { "4.100.1", 0 },
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        is_int(turn_conf_version(rs_str(list[i].text)), list[i].v,
               list[i].text);
    }

    ok(TURN_VERSION(4, 6, 1) < TURN_VERSION_SAFE
       && TURN_VERSION(4, 12, 99) < TURN_VERSION_SAFE
       && TURN_VERSION(4, 13, 0) >= TURN_VERSION_SAFE
       && TURN_VERSION(5, 0, 0) >= TURN_VERSION_SAFE, "which are safe");
}


int
main(void)
{
    good();
    errors();
    versions();

    return tap_done();
}
