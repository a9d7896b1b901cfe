
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the commands do.
 */

#ifndef _TUNNEL_RUN_H_INCLUDED_
#define _TUNNEL_RUN_H_INCLUDED_


#include "tunnel_options.h"


/*
 * The exit status: 0 as asked; of a program that was started its own; or that
 * of *error, which is set then.
 */
int tunnel_run(const tunnel_options_t *options, const char *self,
    GError **error);


#endif /* _TUNNEL_RUN_H_INCLUDED_ */
