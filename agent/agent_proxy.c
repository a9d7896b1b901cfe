
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what "proxy" of agent.conf and the environment's variables mean.  What
 * is read of the environment is this file's own, not that of whichever
 * modules GIO finds: a service has none of a desktop's settings.
 */

#define G_LOG_DOMAIN  "rs-proxy"

#include "agent_proxy.h"

#include <string.h>


#define AGENT_PROXY_URL   1024      /* bytes */
#define AGENT_PROXY_SKIP  64        /* hosts in no_proxy */
#define AGENT_PROXY_PORT  3128

/* of names and addresses; whoever wants more writes punycode */

#define AGENT_PROXY_HOST  G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._:"


static char *agent_proxy_environment(
    const char *(*getenv)(const char *name));
static gboolean agent_proxy_skip(const char *list, GPtrArray *hosts);


char *
agent_proxy_parse(const char *text, gboolean with_user, GError **error)
{
    int                port;
    const char        *scheme, *host, *path;
    g_autofree char   *user = NULL;
    g_autoptr(GUri)    uri = NULL;

    uri = (strlen(text) <= AGENT_PROXY_URL)
          ? g_uri_parse(text, G_URI_FLAGS_ENCODED, NULL) : NULL;

    scheme = (uri != NULL) ? g_uri_get_scheme(uri) : "";
    host = (uri != NULL) ? g_uri_get_host(uri) : NULL;
    path = (uri != NULL) ? g_uri_get_path(uri) : "";

    if (strcmp(scheme, "http") != 0
        || host == NULL || host[0] == '\0'
        || host[strspn(host, AGENT_PROXY_HOST)] != '\0'
        || (path[0] != '\0' && strcmp(path, "/") != 0)
        || g_uri_get_query(uri) != NULL
        || g_uri_get_fragment(uri) != NULL)
    {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "a proxy must be http://HOST:PORT, and nothing more");
        return NULL;
    }

    if (g_uri_get_userinfo(uri) != NULL) {

        if (!with_user) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "a proxy's user and password do not belong here: set "
                        "https_proxy in an environment that only the agent "
                        "can read");
            return NULL;
        }

        user = g_strconcat(g_uri_get_userinfo(uri), "@", NULL);
    }

    port = g_uri_get_port(uri);

    return g_strdup_printf(strchr(host, ':') != NULL ? "http://%s[%s]:%d"
                                                     : "http://%s%s:%d",
                           (user != NULL) ? user : "", host,
                           (port > 0) ? port : AGENT_PROXY_PORT);
}


/* the proxy of the environment, or NULL */

static char *
agent_proxy_environment(const char *(*getenv)(const char *name))
{
    guint               i;
    char               *uri;
    const char         *value;
    g_autofree char    *whole = NULL;
    g_autoptr(GError)   error = NULL;

    static const char *const  names[] = {
        "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"
    };

    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        value = getenv(names[i]);

        if (value == NULL || value[0] == '\0') {
            continue;
        }

        whole = (strstr(value, "://") == NULL)
                ? g_strconcat("http://", value, NULL) : g_strdup(value);
        uri = agent_proxy_parse(whole, TRUE, &error);

        if (uri == NULL) {
            g_warning("%s of the environment is left out: %s", names[i],
                      error->message);
        }

        return uri;
    }

    return NULL;
}


/* FALSE: no host at all goes through a proxy */

static gboolean
agent_proxy_skip(const char *list, GPtrArray *hosts)
{
    guint              i;
    g_auto(GStrv)      parts = NULL;

    parts = g_strsplit((list != NULL) ? list : "", ",", AGENT_PROXY_SKIP + 1);

    for (i = 0; parts[i] != NULL && i < AGENT_PROXY_SKIP; i++) {
        g_strstrip(parts[i]);

        if (strcmp(parts[i], "*") == 0) {
            return FALSE;
        }

        if (parts[i][0] == '\0') {
            continue;
        }

        g_ptr_array_add(hosts, g_strdup(parts[i]));

        /* a name stands for what is below it, too */

        if (parts[i][0] != '.' && parts[i][0] != '*'
            && !g_hostname_is_ip_address(parts[i])
            && strchr(parts[i], '/') == NULL)
        {
            g_ptr_array_add(hosts, g_strconcat(".", parts[i], NULL));
        }
    }

    return TRUE;
}


GProxyResolver *
agent_proxy_new(const char *configured,
    const char *(*getenv)(const char *name))
{
    const char            *skip;
    g_autofree char       *uri = NULL;
    g_autoptr(GPtrArray)   hosts = NULL;

    hosts = g_ptr_array_new_with_free_func(g_free);

    if (configured != NULL) {
        uri = (strcmp(configured, "direct") == 0) ? NULL
                                                  : g_strdup(configured);

    } else {
        uri = agent_proxy_environment(getenv);
        skip = getenv("no_proxy");

        if (!agent_proxy_skip((skip != NULL) ? skip : getenv("NO_PROXY"),
                              hosts))
        {
            return NULL;
        }
    }

    if (uri == NULL) {
        return NULL;
    }

    g_ptr_array_add(hosts, NULL);

    return g_simple_proxy_resolver_new(uri, (char **) hosts->pdata);
}
