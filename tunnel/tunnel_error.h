
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What can go wrong, as the exit status says it.
 */

#ifndef _TUNNEL_ERROR_H_INCLUDED_
#define _TUNNEL_ERROR_H_INCLUDED_


#include <glib.h>


typedef enum {
    TUNNEL_ERROR_FAILED = 1,        /* the gateway, the network, this host */
    TUNNEL_ERROR_USAGE = 2,         /* command line, configuration */
    TUNNEL_ERROR_REFUSED = 3,       /* key, rights, limits, policy */
    TUNNEL_ERROR_ABSENT = 4,        /* device or target not there, now */
    TUNNEL_ERROR_BUSY,              /* refused, and may be granted later */
    TUNNEL_ERROR_GONE               /* absent, for good */
} tunnel_error_e;

#define TUNNEL_ERROR  tunnel_error_quark()

GQuark tunnel_error_quark(void);

/* The exit status; an error of another domain is TUNNEL_ERROR_FAILED. */
int tunnel_error_status(const GError *error);

/* Asking again changes nothing: the tunnel or the right to use it is gone. */
gboolean tunnel_error_final(const GError *error);


#endif /* _TUNNEL_ERROR_H_INCLUDED_ */
