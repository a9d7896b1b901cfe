
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Targets and local addresses, as people write them.
 */

#ifndef _TUNNEL_ADDR_H_INCLUDED_
#define _TUNNEL_ADDR_H_INCLUDED_


#include <gio/gio.h>


/*
 * HOST:PORT, [IPv6]:PORT, or a port alone, which is one of the device itself.
 * Gives the one form that is sent to the gateway; NULL: TUNNEL_ERROR_USAGE.
 */
char *tunnel_addr_target(const char *text, GError **error);

/*
 * Where to listen: ADDRESS:PORT, [IPv6]:PORT, a port alone, or NULL for any
 * free one.  Without an address *loopback is TRUE: both of this host's own,
 * with the same port.  A name is no address: it could become another one.
 */
gboolean tunnel_addr_local(const char *text, GInetAddress **address,
    guint16 *port, gboolean *loopback, GError **error);

/* "127.0.0.1:22", "[::1]:22" */
char *tunnel_addr_text(GSocketAddress *address);

/* Says that [::1]:port could not be had beside said. */
void tunnel_addr_taken(guint16 port, const char *said, const GError *why);

/* Outside of what systems hand out: the same for a device every time. */
guint16 tunnel_addr_port(const char *device_id);


#endif /* _TUNNEL_ADDR_H_INCLUDED_ */
