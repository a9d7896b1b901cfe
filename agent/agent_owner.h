
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Whose files the device's identity is.
 */

#ifndef _AGENT_OWNER_H_INCLUDED_
#define _AGENT_OWNER_H_INCLUDED_


#include <gio/gio.h>


/*
 * Root becomes the owner of the state directory, for good, where that is there
 * and somebody else's: what root writes there the service could not read.
 * Anybody else stays who he is.
 */
gboolean agent_owner_become(const char *state_dir, GError **error);


#endif /* _AGENT_OWNER_H_INCLUDED_ */
