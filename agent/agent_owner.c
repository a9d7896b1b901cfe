
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns giving up root.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 /* setresuid() */
#endif

#include "agent_owner.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>


gboolean
agent_owner_become(const char *state_dir, GError **error)
{
    struct stat  st;

    if (geteuid() != 0 || stat(state_dir, &st) == -1 || st.st_uid == 0) {
        return TRUE;
    }

    if (setgroups(0, NULL) == -1
        || setresgid(st.st_gid, st.st_gid, st.st_gid) == -1
        || setresuid(st.st_uid, st.st_uid, st.st_uid) == -1)
    {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    "cannot become the owner of %s: %s", state_dir,
                    g_strerror(errno));
        return FALSE;
    }

    return TRUE;
}
