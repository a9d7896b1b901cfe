
/*
 * Copyright (C) rs-gateway contributors
 *
 * The peer lists: what is served, read again, told to the reaper; and what is
 * printed for coturn and the kernel.
 */


#include "tap.h"

#include <sys/stat.h>
#include <unistd.h>

#include "turn_log.h"
#include "turn_policy.h"
#include "turn_print.h"


static char      dir[] = "/tmp/rs-t-policy-XXXXXX";
static char      error[TURN_CONF_ERROR_MAX];
static unsigned  told;


static const char *
path_of(const char *name)
{
    static char  path[4][256];
    static int   i;

    i = (i + 1) % 4;
    (void) snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);

    return path[i];
}


static void
file(const char *name, const char *text)
{
    FILE  *f;

    f = fopen(path_of(name), "w");

    if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0
        || chmod(path_of(name), 0600) != 0)
    {
        printf("not ok - %s\n", path_of(name));
        exit(1);
    }
}


static void
conf_file(const char *more)
{
    char  text[4096];

    (void) snprintf(text, sizeof(text),
                    "name = turn-1\nrealm = support.example.net\n"
                    "password_file = %s\ncli_password_file = %s\n"
                    "secret_file = %s\nredis = off\n%s",
                    path_of("db"), path_of("cli"), path_of("secret"), more);
    file("conf", text);
}


static turn_conf_t *
conf_of(const char *more)
{
    turn_conf_t  *conf;

    conf_file(more);
    conf = turn_conf_read(path_of("conf"), error);

    if (conf == NULL) {
        printf("not ok - %s\n", error);
        exit(1);
    }

    return conf;
}


/* as SIGHUP does */

static turn_policy_e
reload(turn_policy_t *policy)
{
    turn_conf_t    *conf;
    turn_policy_e   rc;

    conf = turn_conf_read(path_of("conf"), error);

    if (conf == NULL) {
        printf("not ok - %s\n", error);
        exit(1);
    }

    rc = turn_policy_update(policy, conf, error);
    turn_conf_free(conf);

    return rc;
}


static void
changed(void *data)
{
    ok(turn_policy_denies(data, RS_STR("192.0.2.21")) >= 0,
       "told of a change");
    told++;
}


static int
denies(const turn_policy_t *policy, const char *peer)
{
    return turn_policy_denies(policy, rs_str(peer));
}


static void
lists(void)
{
    size_t           n;
    const rs_str_t  *list;
    turn_conf_t     *conf;
    turn_policy_t   *policy;

    conf = conf_of("relay = 192.0.2.21\nrelay_ip = 192.0.2.11\n");
    policy = turn_policy_create(conf, error);
    turn_conf_free(conf);

    ok(policy != NULL, "a policy");
    list = turn_policy_allowed(policy, &n);
    is_int(n, 2, "two relays");
    is_str(list[0], "192.0.2.11", "ours");
    is_str(list[1], "192.0.2.21", "another one");
    list = turn_policy_denied(policy, &n);
    is_int(n, 17, "everything is denied");
    is_str(list[0], "0.0.0.1-255.255.255.255", "IPv4");
    is_str(list[16], "100::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           "and IPv6");
    is_int(turn_policy_stats(policy)->allowed, 2, "counted");
    is_int(turn_policy_stats(policy)->denied, 17, "counted");
    is_int(turn_policy_stats(policy)->changes, 0, "not changed");
    ok(turn_policy_stats(policy)->loaded_at > 1000000000, "with an age");

    ok(!denies(policy, "192.0.2.21"), "an address");
    ok(!denies(policy, "192.0.2.21:50000"), "with a port");
    ok(denies(policy, "192.0.2.22:50000"), "another one");
    ok(denies(policy, "[2001:db8::1]:50000"), "IPv6 with a port");
    ok(denies(policy, "2001:db8::1"), "IPv6");
    ok(denies(policy, "192.0.2.21:5:5") && denies(policy, "[192.0.2.21")
       && denies(policy, "") && denies(policy, "relay.example.net"),
       "what is no address");

    /* SIGHUP */

    turn_policy_on_change(policy, changed, policy);
    turn_log_level(TURN_LOG_ERR);

    is_int(reload(policy), TURN_POLICY_SAME,
           "the same file");
    is_int(told, 0, "is nothing to tell");

    conf_file("relay_ip = 192.0.2.11\n");
    is_int(reload(policy), TURN_POLICY_CHANGED,
           "a relay less");
    is_int(told, 1, "told once");
    ok(denies(policy, "192.0.2.21"), "it is denied now");
    is_int(turn_policy_stats(policy)->changes, 1, "one change");

    /* until coturn has the lists it lets channels to it be made */

    turn_policy_asked(policy);
    is_int(told, 1, "coturn asks, and has nothing new yet");
    turn_policy_given(policy, TURN_POLICY_ALLOWED);
    turn_policy_given(policy, TURN_POLICY_ALLOWED);
    is_int(told, 1, "nor is what it was given in use");
    turn_policy_asked(policy);
    is_int(told, 2, "but now that it asks on");
    turn_policy_given(policy, TURN_POLICY_DENIED);
    turn_policy_asked(policy);
    is_int(told, 3, "as with the other list");
    turn_policy_given(policy, TURN_POLICY_ALLOWED);
    turn_policy_given(policy, TURN_POLICY_DENIED);
    turn_policy_asked(policy);
    is_int(told, 3, "once each");
    turn_policy_asked(policy);
    is_int(told, 4, "and a last time for what was under way");
    turn_policy_asked(policy);
    turn_policy_asked(policy);
    turn_policy_asked(policy);
    is_int(told, 4, "no more");
    told = 1;

    conf_file("relay_ip = 192.0.2.11\nallow = 10.0.0.0/8\n");
    is_int(reload(policy), TURN_POLICY_FAILED,
           "a rule that is wrong");
    ok(strstr(error, "allow = \"10.0.0.0/8\": a whole private") != NULL,
       "which is named");
    conf_file("relay_ip = 192.0.2.11\nlan = 10.0.0.0/24\n");
    is_int(reload(policy), TURN_POLICY_FAILED, "rules that do not fit");
    is_int(told, 1, "told nobody");
    is_int(turn_policy_stats(policy)->failures, 2, "two failures");
    ok(!denies(policy, "192.0.2.11") && denies(policy, "10.1.1.1"),
       "and the policy is what it was");
    list = turn_policy_denied(policy, &n);
    is_int(n, 17, "list and all");

    conf_file("");
    is_int(reload(policy), TURN_POLICY_CHANGED,
           "no relay at all");
    list = turn_policy_allowed(policy, &n);
    is_int(n, 1, "is a list of one");
    is_str(list[0], "0.0.0.1", "who is nobody");

    turn_policy_free(policy);

    conf = conf_of("peers = lan\nlan = 192.168.0.0/16\n");
    ok(turn_policy_create(conf, error) == NULL, "no daemon with a bad rule");
    ok(strstr(error, "lan = \"192.168.0.0/16\": a whole private class")
       != NULL, "it says which: %s", error);
    turn_conf_free(conf);
}


#define NET                                                                  \
    "listening_ip = 192.0.2.10\nrelay_ip = 10.0.0.11\n"                      \
    "external_ip = 192.0.2.11/10.0.0.11\nmin_port = 50000\n"                 \
    "max_port = 59999\n"
#define TLS  "cert = /tls/cert.pem\npkey = /tls/key.pem\n"


static void
prints(const char *more, int guard, const char *what,
    const char *const *there, const char *const *not_there)
{
    char         *text;
    turn_conf_t  *conf;

    conf = conf_of(more);
    text = turn_print_turnserver_conf(conf, guard, error);
    turn_conf_free(conf);

    if (!ok(text != NULL, "%s", what)) {
        printf("#   %s\n", error);
        return;
    }

    for ( ; *there != NULL; there++) {
        ok(strstr(text, *there) != NULL, "%s: has %.*s", what,
           (int) strcspn(*there + 1, "\n"), *there + 1);
    }

    for ( ; *not_there != NULL; not_there++) {
        ok(strstr(text, *not_there) == NULL, "%s: lacks %.*s", what,
           (int) strcspn(*not_there + 1, "\n"), *not_there + 1);
    }

    free(text);
}


static void
turnserver_conf(void)
{
    prints(NET TLS "coturn_version = 4.6.1\n", 1, "4.6.1 with the guard",
           (const char *[]) {
               "\nlistening-ip=192.0.2.10\n", "\nrelay-ip=10.0.0.11\n",
               "\nexternal-ip=192.0.2.11\n", "\nmin-port=50000\n",
               "\nmax-port=59999\n", "\nrealm=support.example.net\n",
               "\nuse-auth-secret\n", "\nno-tlsv1\n", "\nno-tlsv1_1\n",
               "\nno-dtls\n", "\ntls-listening-port=5349\n",
               "\ncert=/tls/cert.pem\n", "\ncipher-list=",
               "\nredis-userdb=\"ip=127.0.0.1 dbname=0 password=db-word "
               "connect_timeout=5 port=16379\"\n",
               "\nredis-statsdb=\"ip=127.0.0.1 dbname=0 password=db-word "
               "connect_timeout=5 port=16380\"\n",
               "\ncli-password=cli-word\n", "\ncli-port=5766\n",
               "\nno-software-attribute\n", "\nno-tcp-relay\n",
               "\nuser-quota=48\n", "\nno-multicast-peers\n",
               "\ndenied-peer-ip=0.0.0.1-255.255.255.255\n", NULL
           },
           (const char *[]) {
               "\nlt-cred-mech\n", "\ncli\n", "\nno-tls\n", "\nno-cli\n",
               "\nallowed-peer-ip", "/10.0.0.11", "static-auth-secret",
               "allow-loopback-peers", NULL
           });

    prints(NET "coturn_version = 4.6.1\ncli = off\nquota = 100\n", 0,
           "4.6.1 without it",
           (const char *[]) {
               "\nredis-userdb=", "\n# redis-statsdb=", "\nno-cli\n",
               "\nno-tls\n", "\nuser-quota=100\n", NULL
           },
           (const char *[]) {
               "\nredis-statsdb=", "\ncli-ip=", "\ncert=",
               "\ntls-listening-port=", NULL
           });

    prints(NET "coturn_version = 4.18.0\npeers = open\ndeny = 8.8.8.0/24\n",
           0, "4.18",
           (const char *[]) {
               "\ncli\n", "\nredis-statsdb=",
               "\ndenied-peer-ip=8.8.8.0-8.8.8.255\n",
               "\ndenied-peer-ip=192.168.0.0-192.168.255.255\n",
               "\ndenied-peer-ip=192.0.2.0-192.0.2.255\n", NULL
           },
           (const char *[]) {
               "\nno-dtls\n", "\nno-tlsv1\n", "\nno-software-attribute\n",
               "\nno-rfc5780\n", "\nno-stun-backward-compatibility\n",
               "\ndenied-peer-ip=0.0.0.1-255",
               "\nallocation-default-address-family=", NULL
           });

    prints("listening_ip = 2001:db8::10\nrelay_ip = 2001:db8::11\n"
           "coturn_version = 4.6.1\n", 1, "IPv6 alone",
           (const char *[]) {
               "\nrelay-ip=2001:db8::11\n",
               "\nallocation-default-address-family=ipv6\n", NULL
           },
           (const char *[]) { NULL });

    prints(NET "relay_ip = 2001:db8::11\ncoturn_version = 4.6.1\n", 1,
           "both families",
           (const char *[]) { "\nrelay-ip=2001:db8::11\n", NULL },
           (const char *[]) {
               "\nallocation-default-address-family=", NULL
           });
}


static void
refuses(const char *more, const char *want)
{
    char         *text;
    turn_conf_t  *conf;

    conf = conf_of(more);
    error[0] = '\0';
    text = turn_print_turnserver_conf(conf, 1, error);

    if (text != NULL) {
        free(text);
        text = turn_print_nft(conf, NULL, error);
    }

    ok(text == NULL && strstr(error, want) != NULL, "%s", want);
    free(text);
    turn_conf_free(conf);
}


static void
refused(void)
{
    refuses("coturn_version = 4.6.1\nrelay_ip = 10.0.0.11\n",
            "\"listening_ip\" is missing");
    refuses("coturn_version = 4.6.1\nlistening_ip = 10.0.0.11\n",
            "\"relay_ip\" is missing");
    refuses("coturn_version = 4.6.1\nlistening_ip = 10.0.0.11\n"
            "relay_ip = 10.0.0.11\n", "relay_ip and listening_ip are both");
    refuses("coturn_version = 4.6.1\nlistening_ip = 2001:DB8::1\n"
            "relay_ip = 2001:db8:0::1\n", "relay_ip and listening_ip are "
            "both");
    refuses(NET "coturn_version = 4.6.1\n"
            "external_ip = 192.0.2.12/10.0.0.12\n", "INNER one of relay_ip");
    refuses(NET "coturn_version = 4.6.1\nallow = 010.0.0.1\n",
            "allow = \"010.0.0.1\": write one address");

    file("cli", "two words\n");
    refuses(NET "coturn_version = 4.6.1\n", "coturn cannot read this "
            "password");
    file("cli", "cli-word\n");
    file("db", "a\"b\n");
    refuses(NET "coturn_version = 4.6.1\n", "coturn cannot read this "
            "password");
    file("db", "db-word\n");
}


static void
kernel(void)
{
    char         *text;
    struct stat   st;
    turn_conf_t  *conf;

    conf = conf_of(NET "relay_ip = 2001:db8::11\n");

    text = turn_print_nft(conf, NULL, error);
    ok(text != NULL
       && strstr(text, "ip daddr 10.0.0.11 udp dport 50000-59999 accept\n")
       && strstr(text, "ip daddr 10.0.0.11 drop\n")
       && strstr(text, "ip6 daddr 2001:db8::11 meta l4proto ipv6-icmp accept")
       && strstr(text, "ip6 daddr 2001:db8::11 drop\n"), "rules for nft");

    is_int((uint64_t) turn_print_output(path_of("out"), text, error), 1,
           "to a file");
    ok(stat(path_of("out"), &st) == 0 && (st.st_mode & 0777) == 0600
       && st.st_size == (off_t) strlen(text), "which is 0600");
    (void) chmod(path_of("out"), 0644);
    is_int((uint64_t) turn_print_output(path_of("out"), "x\n", error), 1,
           "again");
    ok(stat(path_of("out"), &st) == 0 && (st.st_mode & 0777) == 0640
       && st.st_size == 2, "which nobody else may read then");
    is_int((uint64_t) turn_print_output(path_of("no/such"), text, error), 0,
           "a folder that is not there");
    free(text);

    text = turn_print_sysctl(conf, error);
    ok(text != NULL
       && strstr(text, "\nnet.ipv4.ip_local_reserved_ports = 50000-59999\n"),
       "ports");
    free(text);

    turn_conf_free(conf);
}


int
main(void)
{
    size_t                    i;

    static const char *const  names[] = {
        "db", "cli", "secret", "conf", "out"
    };

    if (mkdtemp(dir) == NULL) {
        printf("not ok - %s\n", dir);
        return 1;
    }

    file("db", "db-word\n");
    file("cli", "cli-word\n");
    file("secret", "0123456789abcdef0123456789abcdef\n");

    lists();
    turnserver_conf();
    refused();
    kernel();

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) unlink(path_of(names[i]));
    }

    (void) rmdir(dir);

    return tap_done();
}
