
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the names below the pool's runtime_dir:
 *
 *     pool.sock       where instances report
 *     tokens/ID       what an instance shows there
 *     i/ID            of the plain launcher: the instance's own folder
 *     i/ID.pid        and its process
 */

#include "render_launcher.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define RENDER_REMOVE_FDS  16


static int render_remove_one(const char *path, const struct stat *st,
    int type, struct FTW *ftw);


char *
render_path_socket(const char *runtime_dir)
{
    return g_build_filename(runtime_dir, "pool.sock", NULL);
}


char *
render_path_token(const char *runtime_dir, const char *id)
{
    return g_build_filename(runtime_dir, "tokens", id, NULL);
}


char *
render_path_instance(const char *runtime_dir, const char *id)
{
    return g_build_filename(runtime_dir, "i", id, NULL);
}


gboolean
render_id_check(const char *text)
{
    return strlen(text) == RENDER_ID_LEN
           && strspn(text, "0123456789abcdef") == RENDER_ID_LEN;
}


static int
render_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;

    /* what cannot go is left, and the rest goes */

    (void) remove(path);

    return 0;
}


void
render_remove(const char *path)
{
    (void) nftw(path, render_remove_one, RENDER_REMOVE_FDS,
                FTW_DEPTH|FTW_PHYS|FTW_MOUNT);
}
