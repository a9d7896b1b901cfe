
/*
 * Copyright (C) rs-gateway contributors
 */

#ifndef _RENDER_MANAGED_H_INCLUDED_
#define _RENDER_MANAGED_H_INCLUDED_


/* The browser's managed policy, JSON; the caller frees. */
char *render_managed_policy(void);


#endif /* _RENDER_MANAGED_H_INCLUDED_ */
