
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns how the credential comes in.  No message of this file has any of it.
 */

#include "tunnel_key.h"
#include "tunnel_error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>


#define TUNNEL_KEY_MAX  8192        /* bytes; a token with its claims */


static char *tunnel_key_prompt(GError **error);
static gssize tunnel_key_read(int fd, char *buf, gsize size);


static gboolean
tunnel_key_good(const char *text)
{
    gsize  i;

    for (i = 0; text[i] != '\0'; i++) {
        if (!g_ascii_isgraph(text[i])) {
            return FALSE;
        }
    }

    return i > 0 && i <= TUNNEL_KEY_MAX;
}


char *
tunnel_key_take(char *text, const char *whence, GError **error)
{
    char   *key, *end;

    end = strpbrk(text, "\r\n");
    if (end != NULL) {
        *end = '\0';
    }

    key = tunnel_key_good(text) ? g_strdup(text) : NULL;

    explicit_bzero(text, strlen(text));

    if (key == NULL) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "%s holds no API key: one line, rsk_..., is wanted",
                    whence);
    }

    return key;
}


/* up to a line's end, or all there is */

static gssize
tunnel_key_read(int fd, char *buf, gsize size)
{
    gsize   len;
    gssize  n;

    len = 0;

    while (len < size - 1) {
        n = read(fd, buf + len, size - 1 - len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            return -1;
        }

        if (n == 0) {
            break;
        }

        len += (gsize) n;

        if (memchr(buf, '\n', len) != NULL) {
            break;
        }
    }

    buf[len] = '\0';

    return (gssize) len;
}


char *
tunnel_key_file(const char *path, GError **error)
{
    int          fd;
    char         buf[TUNNEL_KEY_MAX + 2];
    gssize       n;
    struct stat  st;

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) == -1) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "key file %s: %s", path, g_strerror(errno));
        (void) close(fd);
        return NULL;
    }

    if (S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0) {
        close(fd);
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "key file %s: others can read it: chmod 600 %s, and "
                    "another key", path, path);
        return NULL;
    }

    n = tunnel_key_read(fd, buf, sizeof(buf));
    close(fd);

    if (n == -1) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "key file %s: %s", path, g_strerror(errno));
        return NULL;
    }

    return tunnel_key_take(buf, path, error);
}


/*
 * At the terminal, wherever standard input comes from.  Signals of the
 * keyboard are off meanwhile: one would leave the terminal without echo.
 */

static char *
tunnel_key_prompt(GError **error)
{
    int              fd;
    char             buf[TUNNEL_KEY_MAX + 2];
    gssize           n;
    struct termios   old, quiet;

    static const char  ask[] = "API key: ";

    fd = open("/dev/tty", O_RDWR|O_NOCTTY|O_CLOEXEC);

    if (fd == -1 || tcgetattr(fd, &old) == -1) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "no API key: --key-file FILE, key_file in rs-tunnel.conf, "
                    "$" TUNNEL_KEY_ENV ", or a terminal to ask at is wanted");
        (void) close(fd);
        return NULL;
    }

    quiet = old;
    quiet.c_lflag &= (tcflag_t) ~(ECHO|ISIG);

    (void) tcsetattr(fd, TCSAFLUSH, &quiet);
    n = write(fd, ask, sizeof(ask) - 1);

    n = tunnel_key_read(fd, buf, sizeof(buf));

    (void) tcsetattr(fd, TCSAFLUSH, &old);
    (void) !write(fd, "\n", 1);
    close(fd);

    if (n == -1) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "the terminal cannot be read: %s", g_strerror(errno));
        return NULL;
    }

    return tunnel_key_take(buf, "what was typed", error);
}


char *
tunnel_key_get(const char *named, const char *configured, GError **error)
{
    char              *key;
    const char        *env;
    g_autofree char   *text = NULL;

    if (named != NULL) {
        return tunnel_key_file(named, error);
    }

    env = g_getenv(TUNNEL_KEY_ENV);

    if (env != NULL && env[0] != '\0') {
        text = g_strdup(env);
        key = tunnel_key_take(text, "$" TUNNEL_KEY_ENV, error);
        return key;
    }

    return (configured != NULL) ? tunnel_key_file(configured, error)
                                : tunnel_key_prompt(error);
}


void
tunnel_key_free(char *key)
{
    if (key != NULL) {
        explicit_bzero(key, strlen(key));
        g_free(key);
    }
}
