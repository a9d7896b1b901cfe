
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Where the enrolment token is read from, and what is no token.
 */

#include "agent_enroll.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>


static char  *path;


static char *
token(const char *content)
{
    g_autoptr(GError)  error = NULL;

    g_file_set_contents(path, content, -1, NULL);

    return agent_enroll_token(path, &error);
}


static void
is_token(const char *content, const char *want, const char *what)
{
    g_autofree char  *got = token(content);

    is_str(got, want, what);
}


int
main(void)
{
    g_autofree char    *dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    g_autofree char    *big = NULL;
    g_autofree char    *got = NULL;
    g_autoptr(GError)   error = NULL;

    path = g_build_filename(dir, "token", NULL);

    is_token("rse_default_x_y", "rse_default_x_y", "a token");
    is_token(" rse_default_x_y\r\n", "rse_default_x_y",
             "blanks around it are not part of it");
    is_token("", NULL, "an empty file");
    is_token("\n", NULL, "a blank line");
    is_token("two words", NULL, "two words");
    is_token("two\nlines\n", NULL, "two lines");

    big = g_strnfill(513, 'a');
    is_token(big, NULL, "one character too many");
    big[512] = '\0';
    is_token(big, big, "as many as there may be");

    g_setenv("RS_ENROLLMENT_TOKEN", "rse_env", TRUE);
    got = agent_enroll_token(NULL, NULL);
    is_str(got, "rse_env", "from the environment");
    ok(g_getenv("RS_ENROLLMENT_TOKEN") == NULL, "which forgets it");

    g_unlink(path);
    ok(agent_enroll_token(path, &error) == NULL
       && strstr(error->message, path) != NULL,
       "a file that is not there is named");

    g_rmdir(dir);
    g_free(path);

    return done();
}
