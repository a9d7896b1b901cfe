
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * How ssh and RDP clients are called.
 */

#ifndef _TUNNEL_PROGRAMS_H_INCLUDED_
#define _TUNNEL_PROGRAMS_H_INCLUDED_


#include "tunnel_gate.h"
#include "tunnel_options.h"


/*
 * ssh with this program (self: its path) as ProxyCommand.  Whatever a device
 * is called, its host key is kept by its id.
 */
char **tunnel_programs_ssh(const tunnel_config_t *config,
    const tunnel_options_t *options, const tunnel_device_t *device,
    const char *self);

/* An RDP client, to local; NULL: none is installed. */
char **tunnel_programs_rdp(const tunnel_config_t *config,
    const tunnel_options_t *options, const char *local);


#endif /* _TUNNEL_PROGRAMS_H_INCLUDED_ */
