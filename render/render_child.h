
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A process that is this one's alone: it has the descriptors it is given and
 * no others, and does not outlive this process, however that ends.
 */

#ifndef _RENDER_CHILD_H_INCLUDED_
#define _RENDER_CHILD_H_INCLUDED_


#include <glib.h>


typedef struct render_child_s  render_child_t;


typedef struct {
    int  fd;                        /* here; stays the caller's */
    int  as;                        /* there */
} render_fd_t;


/* status: as of waitpid(); to be freed all the same, also inside of it. */
typedef void (*render_child_exited_pt)(void *data, int status);


/*
 * argv[0] is searched for in the PATH; env: NULL: this one's.  It gets signal
 * when this process is gone.  NULL: *error.
 */
render_child_t *render_child_new(char **argv, char **env,
    const render_fd_t *fds, guint n, int signal,
    render_child_exited_pt exited, void *data, GError **error);

/*
 * Gets that signal, and SIGKILL where it is still there after wait_ms.  When
 * this returns it is gone, and exited() is not called any more.
 */
void render_child_free(render_child_t *child, guint wait_ms);

int render_child_pid(const render_child_t *child);


#endif /* _RENDER_CHILD_H_INCLUDED_ */
