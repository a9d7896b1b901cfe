
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a command is asked with: the parameters of the command line, and those
 * that are in none.
 */

#include "tunnel_command.h"
#include "tunnel_error.h"
#include "../../agent/t/tap.h"

#include <glib/gstdio.h>
#include <string.h>


static void
is_body(char **args, char **secrets, const char *want, const char *what)
{
    char                *text;
    g_autoptr(GError)    error = NULL;
    json_t              *body;

    body = tunnel_command_body("ping", args, secrets, &error);
    text = (body != NULL) ? json_dumps(body, JSON_COMPACT|JSON_SORT_KEYS)
                          : NULL;
    is_str(text != NULL ? text : error->message, want, what);
    free(text);
    json_decref(body);
}


static void
refused(const char *word, const char *said)
{
    char                *args[] = { (char *) "a=1", (char *) word, NULL };
    g_autoptr(GError)    error = NULL;

    ok(tunnel_command_body("ping", args, NULL, &error) == NULL
       && g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE)
       && strstr(error->message, said) != NULL, "refused: %s", word);
}


static void
test_secret(void)
{
    char                *secrets[] = { NULL, NULL };
    g_autoptr(GError)    error = NULL;
    g_autofree char     *dir = g_dir_make_tmp("rs-t-XXXXXX", NULL);
    g_autofree char     *file = g_build_filename(dir, "pin", NULL);
    g_autofree char     *word = g_strconcat("pin=", file, NULL);
    g_autofree char     *much = g_strnfill(4097, 'x');

    secrets[0] = word;
    g_file_set_contents(file, "12 34\r\nmore\n", -1, NULL);
    is_body(NULL, secrets, "{\"args\":{\"pin\":\"12 34\"},"
            "\"command\":\"ping\",\"secret\":[\"pin\"]}",
            "a secret is a file's first line");

    g_file_set_contents(file, "\n", -1, NULL);
    ok(tunnel_command_body("ping", NULL, secrets, &error) == NULL,
       "which has something in it");
    g_clear_error(&error);

    g_file_set_contents(file, much, -1, NULL);
    ok(tunnel_command_body("ping", NULL, secrets, &error) == NULL,
       "and not too much");
    g_clear_error(&error);

    g_unlink(file);
    ok(tunnel_command_body("ping", NULL, secrets, &error) == NULL
       && strstr(error->message, "No such file") != NULL, "and is there");
    g_rmdir(dir);
}


int
main(void)
{
    char  *two[] = { (char *) "host=a;b $(id)=c", (char *) "n=3", NULL };

    is_body(NULL, NULL, "{\"args\":{},\"command\":\"ping\"}",
            "no parameters");
    is_body(two, NULL, "{\"args\":{\"host\":\"a;b $(id)=c\",\"n\":\"3\"},"
            "\"command\":\"ping\"}", "values are text, as they are");

    refused("a=2", "there twice");
    refused("b", "NAME=VALUE is wanted");
    refused("=b", "NAME=VALUE is wanted");
    refused("b=", "NAME=VALUE is wanted");
    refused("b c=d", "NAME=VALUE is wanted");
    refused("b=\xff", "NAME=VALUE is wanted");
    test_secret();

    return done();
}
