
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Auditors' certificates, several in a file: all of them, or none.
 */

#include "fixture.h"


static fixture_t  f;


/* how many auditors they are; -1: refused */

static int
load(const char *text, GError **error)
{
    int                            n;
    json_t                        *list;
    g_autofree char               *path = NULL;
    g_autoptr(record_auditors_t)   auditors = NULL;

    path = g_build_filename(f.dir, "bundle.pem", NULL);
    g_file_set_contents(path, text, -1, NULL);

    const char  *paths[] = { path, NULL };

    auditors = record_auditors_load(paths, error);

    if (auditors == NULL) {
        return -1;
    }

    list = record_auditors_json(auditors);
    n = (int) json_array_size(list);
    json_decref(list);

    return n;
}


static void
refused(const char *text, const char *why, const char *name)
{
    int                n;
    g_autoptr(GError)  error = NULL;

    n = load(text, &error);
    ok(n == -1
       && g_error_matches(error, RECORD_ERROR, RECORD_ERROR_KEY)
       && strstr(error->message, why) != NULL, "%s: %s", name,
       error ? error->message : "taken");
}


int
main(void)
{
    gsize             len;
    g_autofree char  *one = NULL;
    g_autofree char  *two = NULL;
    g_autofree char  *text = NULL;

    fixture_init(&f, RECORD_KEYGEN_EC);
    g_file_get_contents(f.cert, &one, &len, NULL);
    two = g_strconcat("An auditor\n", one, "\nAnother one\n", one, "\n--\n",
                      NULL);
    is_int(load(one, NULL), 1, "one");
    is_int(load(two, NULL), 2, "two, with words around them");

    refused("", "no certificate", "nothing");
    refused("An auditor\n", "no certificate", "words");

    /* of the second one: a letter, its end, all that is behind its head */

    text = g_strdup(two);
    *(g_strrstr(text, "-----BEGIN") + 100) = '!';
    refused(text, "certificate 2", "a letter of it is another one");
    g_free(text);

    text = g_strdup(two);
    *g_strrstr(text, "-----END") = '\0';
    refused(text, "certificate 2", "it is cut off");
    g_free(text);

    text = g_strdup(two);
    memcpy(g_strrstr(text, "-----BEGIN") + 60, "AAAAAAAA", 8);
    refused(text, "damaged", "some are others");
    g_free(text);

    text = g_strdup(two);
    *(strstr(text, "-----BEGIN") + 100) = '!';
    refused(text, "certificate 1", "so is the first one");

    fixture_done(&f);

    return done();
}
