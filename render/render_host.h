
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One rendered session, from the pool's socket to its end.
 */

#ifndef _RENDER_HOST_H_INCLUDED_
#define _RENDER_HOST_H_INCLUDED_


#include "render_settings.h"


#define RENDER_HOST_DONE     0
#define RENDER_HOST_FAILED   1
#define RENDER_HOST_BROWSER  3      /* it cannot be had, or not any more */


/* dir: this session's alone, emptied at the end; all stay the caller's */

typedef struct {
    const render_settings_t  *settings;
    const char               *socket;       /* of the pool */
    const char               *id;
    const char               *token;
    const char               *dir;
    const char               *inside;       /* rs-render-inside */
} render_host_conf_t;


/* Returns when it is over: the process's status. */
int render_host_run(const render_host_conf_t *conf, GError **error);


#endif /* _RENDER_HOST_H_INCLUDED_ */
