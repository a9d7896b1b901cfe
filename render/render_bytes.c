
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Memory files, sealed before anybody believes what is in them.
 */

#include "render_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>


typedef struct {
    void    *at;
    size_t   len;
} render_bytes_map_t;


static int render_bytes_failed(int fd, GError **error);
static void render_bytes_unmap(gpointer data);


int
render_bytes_new(const char *name, GError **error)
{
    int  fd;

    fd = memfd_create(name, MFD_CLOEXEC|MFD_ALLOW_SEALING);

    return (fd != -1) ? fd : render_bytes_failed(-1, error);
}


int
render_bytes_text(const char *name, const char *text, GError **error)
{
    int     fd;
    size_t  len = strlen(text);

    fd = render_bytes_new(name, error);

    if (fd != -1 && (write(fd, text, len) != (ssize_t) len
                     || lseek(fd, 0, SEEK_SET) == -1))
    {
        return render_bytes_failed(fd, error);
    }

    return fd;
}


static int
render_bytes_failed(int fd, GError **error)
{
    int  err = errno;

    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(err),
                "a memory file: %s", g_strerror(err));

    if (fd != -1) {
        (void) close(fd);
    }

    return -1;
}


GBytes *
render_bytes_map(int fd, GError **error)
{
    struct stat          st;
    render_bytes_map_t  *map;

    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE|F_SEAL_SHRINK|F_SEAL_GROW
                               |F_SEAL_SEAL) == -1
        || fstat(fd, &st) == -1)
    {
        (void) render_bytes_failed(fd, error);
        return NULL;
    }

    if (st.st_size == 0) {
        (void) close(fd);
        return g_bytes_new(NULL, 0);
    }

    map = g_new(render_bytes_map_t, 1);
    map->len = (size_t) st.st_size;
    map->at = mmap(NULL, map->len, PROT_READ, MAP_SHARED, fd, 0);

    if (map->at == MAP_FAILED) {
        (void) render_bytes_failed(fd, error);
        g_free(map);
        return NULL;
    }

    (void) close(fd);

    return g_bytes_new_with_free_func(map->at, map->len, render_bytes_unmap,
                                      map);
}


static void
render_bytes_unmap(gpointer data)
{
    render_bytes_map_t  *map = data;

    (void) munmap(map->at, map->len);
    g_free(map);
}
