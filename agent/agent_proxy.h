
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The HTTP proxy that stands between this device and the gateway.
 */

#ifndef _AGENT_PROXY_H_INCLUDED_
#define _AGENT_PROXY_H_INCLUDED_


#include <gio/gio.h>


/*
 * http://HOST[:PORT], as a URI without more.  with_user: user:password@ may
 * stand before the host.  NULL and *error, which never has the text in it,
 * for anything else.
 */
char *agent_proxy_parse(const char *text, gboolean with_user, GError **error);

/*
 * Who says which connections go through which proxy; NULL: all go without.
 * configured: "proxy" of agent.conf, which "direct" is a value of, or NULL: the
 * environment says it, by https_proxy, all_proxy and no_proxy.  getenv:
 * g_getenv, or a test's.
 */
GProxyResolver *agent_proxy_new(const char *configured,
    const char *(*getenv)(const char *name));


#endif /* _AGENT_PROXY_H_INCLUDED_ */
