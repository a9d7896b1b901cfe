
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Where the credential comes from, in which order, and what is none.
 */

#include "tunnel_error.h"
#include "tunnel_key.h"
#include "../../agent/t/tap.h"

#include <glib/gstdio.h>
#include <string.h>


static char  *path;
static char  *other;


static char *
put(const char *file, const char *content, int mode)
{
    g_file_set_contents(file, content, -1, NULL);
    g_chmod(file, mode);

    return tunnel_key_file(file, NULL);
}


static void
is_key(const char *content, const char *want, const char *what)
{
    g_autofree char  *got = put(path, content, 0600);

    is_str(got, want, what);
}


static void
test_file(void)
{
    g_autofree char     *big = g_strnfill(8193, 'a');
    g_autofree char     *fits = g_strnfill(8192, 'a');
    g_autofree char     *open = NULL;
    g_autofree char     *group = NULL;
    g_autoptr(GError)    error = NULL;

    is_key("rsk_a_b\n", "rsk_a_b", "a line");
    is_key("rsk_a_b", "rsk_a_b", "without its end");
    is_key("rsk_a_b\r\nmore\n", "rsk_a_b", "the first line of several");
    is_key("", NULL, "nothing");
    is_key("\nrsk_a_b\n", NULL, "an empty line");
    is_key("rsk a\n", NULL, "a space in it");
    is_key("rsk\xc3\xa4\n", NULL, "no ASCII");
    is_key(fits, fits, "8192 bytes");
    is_key(big, NULL, "one more");

    open = put(path, "rsk_a_b\n", 0604);
    ok(open == NULL, "a file that others can read");
    group = put(path, "rsk_a_b\n", 0640);
    is_str(group, "rsk_a_b", "one of a group");

    g_chmod(path, 0604);
    ok(tunnel_key_file(path, &error) == NULL
       && strstr(error->message, "chmod 600") != NULL
       && strstr(error->message, "rsk_a_b") == NULL,
       "what helps is said, and not the key");
    g_clear_error(&error);

    ok(tunnel_key_file("/nowhere/key", &error) == NULL
       && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE)
       && strstr(error->message, "/nowhere/key") != NULL, "no file");
}


static void
test_order(void)
{
    char  *got;

    g_file_set_contents(path, "named\n", -1, NULL);
    g_file_set_contents(other, "configured\n", -1, NULL);
    g_chmod(path, 0600);
    g_chmod(other, 0600);

    g_setenv(TUNNEL_KEY_ENV, "environment", TRUE);

    got = tunnel_key_get(path, other, NULL);
    is_str(got, "named", "the file of the command line comes first");
    tunnel_key_free(got);

    got = tunnel_key_get(NULL, other, NULL);
    is_str(got, "environment", "then the environment");
    tunnel_key_free(got);

    g_setenv(TUNNEL_KEY_ENV, "", TRUE);
    got = tunnel_key_get(NULL, other, NULL);
    is_str(got, "configured", "then the file of the configuration");
    tunnel_key_free(got);
}


int
main(void)
{
    g_autofree char  *dir = g_dir_make_tmp("rs-key-XXXXXX", NULL);

    path = g_build_filename(dir, "a", NULL);
    other = g_build_filename(dir, "b", NULL);

    test_file();
    test_order();

    g_unlink(path);
    g_unlink(other);
    g_rmdir(dir);
    g_free(path);
    g_free(other);

    return done();
}
