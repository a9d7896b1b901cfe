
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns Xvfb.  It is in no namespace of the browser's, for the capture of the
 * picture is here; the browser reaches it by its socket in /tmp, which is
 * bound into the sandbox.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_display.h"
#include "render_child.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


#define RENDER_DISPLAY_TRIES   5        /* two may try one number at once */
#define RENDER_DISPLAY_FIRST   1000
#define RENDER_DISPLAY_LAST    50000
#define RENDER_DISPLAY_OLD_S   10
#define RENDER_DISPLAY_MS      10000
#define RENDER_DISPLAY_END_MS  2000
#define RENDER_DISPLAY_SOCKETS "/tmp/.X11-unix"
#define RENDER_DISPLAY_COOKIE  16
#define RENDER_DISPLAY_LOCAL   0xffff   /* FamilyWild: whatever the host */


struct render_display_s {
    render_child_t          *child;
    char                    *name;
    char                    *cookie;
    char                    *socket;
    render_display_lost_pt   lost;
    void                    *data;
};


static gboolean render_display_write(const char *path, GError **error);
static char *render_display_start(render_display_t *display,
    const char *program, guint width, guint height, GError **error);
static void render_display_sweep(void);
static char *render_display_free_name(void);
static char *render_display_number(int fd);
static void render_display_exited(void *data, int status);


render_display_t *
render_display_new(const char *program, const char *dir, guint width,
    guint height, render_display_lost_pt lost, void *data, GError **error)
{
    guint              i;
    char              *number;
    render_display_t  *display;

    display = g_new0(render_display_t, 1);
    display->lost = lost;
    display->data = data;
    display->cookie = g_build_filename(dir, "Xauthority", NULL);

    if (!render_display_write(display->cookie, error)) {
        render_display_free(display);
        return NULL;
    }

    /* who is not root has to find it: the server does not make it then */

    if (mkdir(RENDER_DISPLAY_SOCKETS, 0777) == 0) {
        (void) chmod(RENDER_DISPLAY_SOCKETS, 01777);
    }

    render_display_sweep();
    number = NULL;

    for (i = 0; i < RENDER_DISPLAY_TRIES && number == NULL; i++) {
        g_clear_error(error);
        number = render_display_start(display, program, width, height,
                                      error);
    }

    if (number == NULL) {
        render_display_free(display);
        return NULL;
    }

    display->name = g_strconcat(":", number, NULL);
    display->socket = g_strconcat(RENDER_DISPLAY_SOCKETS "/X", number, NULL);
    g_free(number);

    return display;
}


void
render_display_free(render_display_t *display)
{
    if (display->child != NULL) {
        render_child_free(display->child, RENDER_DISPLAY_END_MS);
    }

    if (display->cookie != NULL) {
        (void) unlink(display->cookie);
    }

    /* one that was killed has left it */

    if (display->socket != NULL) {
        (void) unlink(display->socket);
    }

    g_free(display->name);
    g_free(display->cookie);
    g_free(display->socket);
    g_free(display);
}


/*
 * One entry of Xau: family, address, number, name and data, each but the first
 * with its length; all of 16 bits, high byte first.  An empty address and
 * number are those of every display.
 */

static gboolean
render_display_write(const char *path, GError **error)
{
    guint8              cookie[RENDER_DISPLAY_COOKIE];
    g_autoptr(GByteArray)  entry = g_byte_array_new();

    static const char    name[] = "MIT-MAGIC-COOKIE-1";
    static const guint8  head[] = {
        RENDER_DISPLAY_LOCAL >> 8, RENDER_DISPLAY_LOCAL & 0xff,
        0, 0, 0, 0, 0, sizeof(name) - 1
    };
    static const guint8  len[] = { 0, RENDER_DISPLAY_COOKIE };

    if (RAND_bytes(cookie, sizeof(cookie)) != 1) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "OpenSSL has no random bytes");
        return FALSE;
    }

    g_byte_array_append(entry, head, sizeof(head));
    g_byte_array_append(entry, (const guint8 *) name, sizeof(name) - 1);
    g_byte_array_append(entry, len, sizeof(len));
    g_byte_array_append(entry, cookie, sizeof(cookie));

    return g_file_set_contents_full(path, (const char *) entry->data,
                                    entry->len,
                                    G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                    error);
}


/*
 * What servers that were killed have left: sockets of this user, of numbers
 * that are given here, old enough not to be one that is about to listen.
 */

static void
render_display_sweep(void)
{
    int                  fd;
    const char          *name;
    struct stat          st;
    g_autoptr(GDir)      dir = g_dir_open(RENDER_DISPLAY_SOCKETS, 0, NULL);
    struct sockaddr_un   sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {

        if (name[0] != 'X'
            || g_ascii_strtoll(name + 1, NULL, 10) < RENDER_DISPLAY_FIRST
            || (gsize) g_snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s",
                                  RENDER_DISPLAY_SOCKETS, name)
               >= sizeof(sun.sun_path)
            || lstat(sun.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)
            || st.st_uid != geteuid()
            || time(NULL) - st.st_mtime < RENDER_DISPLAY_OLD_S)
        {
            continue;
        }

        fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

        if (fd != -1
            && connect(fd, (struct sockaddr *) &sun, sizeof(sun)) == -1
            && errno == ECONNREFUSED)
        {
            (void) unlink(sun.sun_path);
        }

        if (fd != -1) {
            (void) close(fd);
        }
    }
}


/* one that there is no socket of: a server takes the place of one */

static char *
render_display_free_name(void)
{
    int    number;
    char   path[64];
    guint  i;

    number = 0;

    for (i = 0; i < RENDER_DISPLAY_TRIES; i++) {
        number = g_random_int_range(RENDER_DISPLAY_FIRST,
                                    RENDER_DISPLAY_LAST);
        g_snprintf(path, sizeof(path), RENDER_DISPLAY_SOCKETS "/X%d", number);

        if (access(path, F_OK) != 0) {
            break;
        }
    }

    return g_strdup_printf(":%d", number);
}


/*
 * -noreset: it must not forget everything when its last client leaves.  Left
 * to itself to choose a number it takes the socket of one in another network
 * namespace away, for it sees no lock then.
 */

static char *
render_display_start(render_display_t *display, const char *program,
    guint width, guint height, GError **error)
{
    int               fds[2];
    char             *number;
    render_fd_t       given;
    g_autofree char  *screen = NULL;
    g_autofree char  *name = NULL;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "pipe: %s",
                    g_strerror(errno));
        return NULL;
    }

    screen = g_strdup_printf("%ux%ux24", width, height);
    name = render_display_free_name();
    given.fd = fds[1];
    given.as = 3;

    {
        const char  *argv[] = {
            program, name, "-displayfd", "3", "-noreset", "-nolisten", "tcp",
            "-auth", display->cookie, "-screen", "0",
            screen, NULL
        };

        display->child = render_child_new((char **) argv, NULL, &given, 1,
                                          SIGTERM, render_display_exited,
                                          display, error);
    }

    (void) close(fds[1]);
    number = (display->child != NULL) ? render_display_number(fds[0]) : NULL;
    (void) close(fds[0]);

    if (number == NULL && display->child != NULL) {
        render_child_free(display->child, RENDER_DISPLAY_END_MS);
        display->child = NULL;
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "%s does not start", program);
    }

    return number;
}


/* number and newline may come apart */

static char *
render_display_number(int fd)
{
    char           text[16];
    gsize          len;
    gint64         left_ms, end_us;
    ssize_t        n;
    struct pollfd  pfd = { fd, POLLIN, 0 };

    end_us = g_get_monotonic_time() + RENDER_DISPLAY_MS * 1000;

    for (len = 0; len < sizeof(text) - 1; len += (gsize) n) {
        left_ms = (end_us - g_get_monotonic_time()) / 1000;

        if (left_ms <= 0 || poll(&pfd, 1, (int) left_ms) != 1) {
            return NULL;
        }

        n = read(fd, text + len, sizeof(text) - 1 - len);

        if (n <= 0) {
            return NULL;
        }

        if (text[len + (gsize) n - 1] == '\n') {
            text[len + (gsize) n - 1] = '\0';
            return text[0] != '\0' ? g_strdup(text) : NULL;
        }
    }

    return NULL;
}


static void
render_display_exited(void *data, int status)
{
    render_display_t  *display = data;

    g_critical("the X server ended (status %d)", status);
    display->lost(display->data);
}


const char *
render_display_name(const render_display_t *display)
{
    return display->name;
}


const char *
render_display_cookie(const render_display_t *display)
{
    return display->cookie;
}


const char *
render_display_socket(const render_display_t *display)
{
    return display->socket;
}
