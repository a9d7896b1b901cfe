
/*
 * Copyright (C) rs-gateway contributors
 */

#include "tunnel_addr.h"
#include "tunnel_error.h"

#include <string.h>


#define TUNNEL_ADDR_HOST    253     /* bytes, RFC 1035 */
#define TUNNEL_ADDR_NAME    G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._"
#define TUNNEL_ADDR_FIRST   20000
#define TUNNEL_ADDR_PORTS   8000


static gboolean tunnel_addr_split(const char *text, char **host,
    guint16 *port);
static gboolean tunnel_addr_number(const char *text, guint16 *port);


static gboolean
tunnel_addr_number(const char *text, guint16 *port)
{
    guint64  n;

    /* ten digits would be read, too, and a sign */

    if (text[0] == '\0' || strlen(text) > 5
        || text[strspn(text, G_CSET_DIGITS)] != '\0'
        || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT16, &n, NULL))
    {
        return FALSE;
    }

    *port = (guint16) n;

    return TRUE;
}


/* *host: without brackets, NULL when there is a port alone */

static gboolean
tunnel_addr_split(const char *text, char **host, guint16 *port)
{
    gsize        len;
    const char  *colon;

    *host = NULL;

    colon = strrchr(text, ':');

    if (colon == NULL) {
        return tunnel_addr_number(text, port);
    }

    len = (gsize) (colon - text);

    if (len == 0 || !tunnel_addr_number(colon + 1, port)) {
        return FALSE;
    }

    if (text[0] == '[') {

        if (text[len - 1] != ']' || len < 4) {
            return FALSE;
        }

        *host = g_strndup(text + 1, len - 2);

    } else if (memchr(text, ':', len) != NULL) {
        return FALSE;

    } else {
        *host = g_strndup(text, len);
    }

    return TRUE;
}


char *
tunnel_addr_target(const char *text, GError **error)
{
    guint16                    port;
    gboolean                   six;
    g_autofree char           *host = NULL;
    g_autofree char           *lower = NULL;
    g_autoptr(GInetAddress)    address = NULL;

    if (!tunnel_addr_split(text, &host, &port) || port == 0) {
        goto invalid;
    }

    if (host == NULL) {
        return g_strdup_printf("127.0.0.1:%u", port);
    }

    six = (text[0] == '[');
    address = g_inet_address_new_from_string(host);

    if (six) {
        if (address == NULL
            || g_inet_address_get_family(address) != G_SOCKET_FAMILY_IPV6)
        {
            goto invalid;
        }

    } else if (strlen(host) > TUNNEL_ADDR_HOST
               || host[strspn(host, TUNNEL_ADDR_NAME)] != '\0')
    {
        goto invalid;
    }

    lower = g_ascii_strdown(host, -1);

    return g_strdup_printf(six ? "[%s]:%u" : "%s:%u", lower, port);

invalid:

    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                "invalid target \"%s\": HOST:PORT, [IPv6]:PORT, or a port "
                "from 1 to 65535 of the device itself is wanted", text);

    return NULL;
}


gboolean
tunnel_addr_local(const char *text, GInetAddress **address, guint16 *port,
    gboolean *loopback, GError **error)
{
    g_autofree char  *host = NULL;

    *port = 0;
    *loopback = TRUE;

    if (text == NULL) {
        *address = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
        return TRUE;
    }

    if (!tunnel_addr_split(text, &host, port)) {
        goto invalid;
    }

    if (host == NULL) {
        *address = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
        return TRUE;
    }

    *loopback = FALSE;
    *address = g_inet_address_new_from_string(host);

    if (*address != NULL) {
        return TRUE;
    }

invalid:

    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                "invalid local address \"%s\": ADDRESS:PORT, [IPv6]:PORT, or "
                "a port from 0 (any that is free) to 65535 is wanted; names "
                "are not taken", text);

    return FALSE;
}


char *
tunnel_addr_text(GSocketAddress *address)
{
    guint16                  port;
    GInetSocketAddress      *inet;
    g_autofree char         *host = NULL;

    if (!G_IS_INET_SOCKET_ADDRESS(address)) {
        return g_strdup("?");
    }

    inet = G_INET_SOCKET_ADDRESS(address);
    port = g_inet_socket_address_get_port(inet);
    host = g_inet_address_to_string(g_inet_socket_address_get_address(inet));

    return g_strdup_printf(strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                           host, port);
}


/* a host without IPv6 misses nothing; whose port it is gets what is sent */

void
tunnel_addr_taken(guint16 port, const char *said, const GError *why)
{
    if (g_error_matches(why, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)) {
        g_warning("[::1]:%u is another program's: use %s, for \"localhost\" "
                  "may be either; or --local names another port", port, said);
        return;
    }

    g_debug("not at [::1]:%u: %s", port, why->message);
}


guint16
tunnel_addr_port(const char *device_id)
{
    return (guint16) (TUNNEL_ADDR_FIRST
                      + g_str_hash(device_id) % TUNNEL_ADDR_PORTS);
}
