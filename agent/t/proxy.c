
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What is a proxy, and which connections go through it.
 */

#include "agent_proxy.h"
#include "tap.h"

#include <string.h>


typedef struct {
    const char  *name;
    const char  *value;
} variable_t;


static variable_t  variables[8];


static const char *
environment(const char *name)
{
    guint  i;

    for (i = 0; variables[i].name != NULL; i++) {
        if (strcmp(variables[i].name, name) == 0) {
            return variables[i].value;
        }
    }

    return NULL;
}


/* the proxy for a host: "direct://", a URI, or "none" without a resolver */

static char *
proxy_of(const char *configured, const char *url)
{
    g_auto(GStrv)              found = NULL;
    g_autoptr(GProxyResolver)  resolver = NULL;

    resolver = agent_proxy_new(configured, environment);

    if (resolver == NULL) {
        return g_strdup("none");
    }

    found = g_proxy_resolver_lookup(resolver, url, NULL, NULL);

    return g_strjoinv(" ", found);
}


static void
is_proxy(const char *configured, const char *url, const char *want,
    const char *what)
{
    g_autofree char  *got = proxy_of(configured, url);

    is_str(got, want, what);
}


static void
test_parse(void)
{
    guint  i;

    static const char *const  good[][2] = {
        { "http://proxy:3128", "http://proxy:3128" },
        { "http://proxy", "http://proxy:3128" },
        { "http://proxy:8080/", "http://proxy:8080" },
        { "http://127.0.0.1:3128", "http://127.0.0.1:3128" },
        { "http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128" }
    };

    static const char *const  bad[] = {
        "", "proxy", "proxy:3128", "https://proxy:3128", "socks5://proxy",
        "http://", "http://:3128", "http://proxy:99999", "http://proxy/path",
        "http://proxy?q", "http://proxy#f", "http://a b:3128",
        "http://[2001:db8::1", "file:///etc/passwd"
    };

    for (i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char  *uri = agent_proxy_parse(good[i][0], FALSE, NULL);

        is_str(uri, good[i][1], good[i][0]);
    }

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char    *uri = NULL;
        g_autoptr(GError)   error = NULL;

        uri = agent_proxy_parse(bad[i], TRUE, &error);
        ok(uri == NULL && error != NULL, "refused: \"%s\"", bad[i]);
    }
}


static void
test_secret(void)
{
    char                long_one[2000];
    g_autofree char    *uri = NULL;
    g_autofree char    *refused = NULL;
    g_autoptr(GError)   error = NULL;

    uri = agent_proxy_parse("http://joe:s3cret@proxy:1", TRUE, NULL);
    is_str(uri, "http://joe:s3cret@proxy:1", "user and password, where they "
           "may be");

    refused = agent_proxy_parse("http://joe:s3cret@proxy:1", FALSE, &error);
    ok(refused == NULL && strstr(error->message, "s3cret") == NULL
       && strstr(error->message, "https_proxy") != NULL,
       "not where they may not, and the message has the cure only");

    memset(long_one, 'a', sizeof(long_one) - 1);
    memcpy(long_one, "http://", 7);
    long_one[sizeof(long_one) - 1] = '\0';
    ok(agent_proxy_parse(long_one, TRUE, NULL) == NULL, "not without bounds");
}


static void
test_configured(void)
{
    variables[0] = (variable_t) { "https_proxy", "http://other:1" };
    variables[1] = (variable_t) { "no_proxy", "*" };
    variables[2] = (variable_t) { NULL, NULL };

    is_proxy("http://proxy:3128", "https://gw.example.net", "http://proxy:3128",
             "the configuration goes before the environment");
    is_proxy("direct", "https://gw.example.net", "none", "direct is direct");
}


static void
test_environment(void)
{
    guint  i;

    static const char *const  skipped[] = {
        "https://gw.example.net", "https://a.gw.example.net:8443",
        "https://x.example.com", "https://127.0.0.7", "https://127.1.2.77:3478"
    };

    variables[0] = (variable_t) { NULL, NULL };
    is_proxy(NULL, "https://gw.example.net", "none", "nothing said: none");

    variables[0] = (variable_t) { "https_proxy", "" };
    variables[1] = (variable_t) { "all_proxy", "joe:pw@proxy:8080" };
    variables[2] = (variable_t) { NULL, NULL };
    is_proxy(NULL, "https://gw.example.net", "http://joe:pw@proxy:8080",
             "all_proxy, without a scheme");

    variables[0] = (variable_t) { "HTTPS_PROXY", "http://one:1" };
    is_proxy(NULL, "https://gw.example.net", "http://one:1",
             "https_proxy goes before it, in either case");

    variables[0] = (variable_t) { "https_proxy", "socks5://one:1" };
    is_proxy(NULL, "https://gw.example.net", "none",
             "one of another kind is left out");

    variables[0] = (variable_t) { "https_proxy", "http://one:1" };
    variables[1] = (variable_t) { "no_proxy", " gw.example.net, .example.com,"
                                  "127.0.0.7,127.1.2.0/24," };

    for (i = 0; i < G_N_ELEMENTS(skipped); i++) {
        is_proxy(NULL, skipped[i], "direct://", skipped[i]);
    }

    is_proxy(NULL, "https://example.net", "http://one:1", "and no other");

    variables[1] = (variable_t) { "NO_PROXY", "*" };
    is_proxy(NULL, "https://example.net", "none", "*: all go without");
}


static GLogWriterOutput
quiet(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void) level;
    (void) fields;
    (void) n;
    (void) data;

    return G_LOG_WRITER_HANDLED;
}


int
main(void)
{
    g_log_set_writer_func(quiet, NULL, NULL);

    test_parse();
    test_secret();
    test_configured();
    test_environment();

    return done();
}
