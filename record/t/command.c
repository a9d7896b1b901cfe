
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The program, of a recording that is there: what its status and its words
 * say, above all of one from which the end was taken away.
 */

#include "fixture.h"

#include <sys/wait.h>


static fixture_t  f;
static char      *words;            /* of the last one, on standard error */
static char      *output;


static int
run(const char *command, const char *path, const char *const *options)
{
    int                    status;
    gsize                  i;
    g_autofree char       *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char       *dir = g_path_get_dirname(self);
    g_autofree char       *program = NULL;
    g_autoptr(GPtrArray)   argv = g_ptr_array_new();

    program = g_build_filename(dir, "..", "rs-record", NULL);
    g_ptr_array_add(argv, program);
    g_ptr_array_add(argv, (char *) command);
    g_ptr_array_add(argv, (char *) path);

    for (i = 0; options[i] != NULL; i++) {
        g_ptr_array_add(argv, (char *) options[i]);
    }

    g_ptr_array_add(argv, NULL);
    g_clear_pointer(&words, g_free);
    g_clear_pointer(&output, g_free);

    if (!g_spawn_sync(NULL, (char **) argv->pdata, NULL,
                      G_SPAWN_STDIN_FROM_DEV_NULL, NULL, NULL, &output,
                      &words, &status, NULL))
    {
        words = g_strdup("");
        output = g_strdup("");
        return -1;
    }

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}


static void
make(void)
{
    record_sum_t       sum;
    record_store_t    *store;
    g_autoptr(GBytes)  bytes = g_bytes_new("abc", 3);
    record_segment_t   segment = { bytes, 0, 1000, TRUE, TRUE, "video/webm" };

    store = record_store_new(&f.params, NULL);
    record_store_media(store, &segment, NULL);
    record_store_end(store, 1000, TRUE, "ended", &sum, NULL);
    record_store_free(store);
}


/* the last line */

static void
shorten(const char *path)
{
    gsize             len;
    g_autofree char  *text = NULL;
    g_autofree char  *chain = NULL;

    chain = g_build_filename(path, RECORD_STORE_CHAIN, NULL);
    g_file_get_contents(chain, &text, &len, NULL);
    len = (gsize) ((char *) memrchr(text, '\n', len - 1) - text) + 1;
    g_file_set_contents(chain, text, (gssize) len, NULL);
}


static void
test_verify(const char *path)
{
    static const char *const  none[] = { NULL };

    is_int(run("verify", path, none), 0, "verify: whole");
    ok(strstr(output, "state kept") != NULL
       && strstr(output, "--public-key") != NULL, "as it says");

    {
        const char  *by[] = { "--public-key", f.public_key, NULL };

        is_int(run("verify", path, by), 0, "and by the recorder's key");
        ok(strstr(output, "--public-key") == NULL,
           "of which nothing has to be said");
    }
}


static void
test_decrypt(const char *path, const char *out, const char *pass)
{
    g_autofree char  *text = NULL;
    const char       *options[] = { "--key", f.private, "--passphrase-file",
                                    pass, "--output", out, NULL, NULL };

    is_int(run("decrypt", path, options), 0, "decrypt: whole");
    ok(g_file_get_contents(out, &text, NULL, NULL)
       && strcmp(text, "abc") == 0, "it is there");
    ok(output[0] == '\0' && strstr(words, "state kept") != NULL
       && strstr(words, "--public-key") != NULL,
       "what it is, and who may have signed it");
    g_unlink(out);
}


static void
test_shortened(const char *path, const char *out, const char *pass)
{
    g_autofree char            *text = NULL;
    static const char *const    none[] = { NULL };
    static const char *const    allow[] = { "--allow-incomplete", NULL };
    const char                 *options[] = { "--key", f.private,
                                              "--passphrase-file", pass,
                                              "--output", out, NULL, NULL };

    shorten(path);
    is_int(run("verify", path, none), 6, "verify: no end");
    ok(strstr(words, "it has no end") != NULL
       && strstr(output, "state not ended") != NULL, "as it says");
    is_int(run("verify", path, allow), 0, "which may be allowed");

    is_int(run("decrypt", path, options), 6, "decrypt: no end");
    ok(!g_file_test(out, G_FILE_TEST_EXISTS)
       && strstr(words, "it has no end") != NULL, "nothing is written");

    options[6] = allow[0];
    is_int(run("decrypt", path, options), 0, "which may be allowed");
    ok(g_file_get_contents(out, &text, NULL, NULL)
       && strcmp(text, "abc") == 0
       && strstr(words, "state not ended") != NULL
       && strstr(words, "there may have been more") != NULL,
       "and is told");
    g_unlink(out);
}


/* between the two times that a file is read */

static void
test_exchanged(const char *path)
{
    EVP_PKEY                    *key;
    record_read_sum_t            sum;
    g_autofree char             *file = NULL;
    g_autoptr(GBytes)            other = g_bytes_new("xyz", 3);
    g_autoptr(GBytes)            sealed = NULL;
    g_autoptr(GError)            error = NULL;
    g_autoptr(record_read_t)     read = NULL;
    g_autoptr(GOutputStream)     media = NULL;

    file = g_build_filename(path, "000001.cms", NULL);
    media = g_memory_output_stream_new_resizable();
    key = record_cms_key(f.private, FIXTURE_PASS, NULL);
    read = record_read_open(path, NULL);
    ok(record_read_verify(read, NULL, NULL, &sum, NULL), "verified");

    sealed = record_cms_seal(f.auditors, other, NULL);
    g_file_set_contents(file, g_bytes_get_data(sealed, NULL),
                        (gssize) g_bytes_get_size(sealed), NULL);

    ok(!record_read_decrypt(read, key, media, NULL, &error)
       && g_error_matches(error, RECORD_ERROR, RECORD_ERROR_CHANGED)
       && g_memory_output_stream_get_data_size(G_MEMORY_OUTPUT_STREAM(media))
          == 0, "what was put in its place since is not decrypted: %s",
       error ? error->message : "?");
    EVP_PKEY_free(key);
}


int
main(void)
{
    g_autofree char  *out = NULL;
    g_autofree char  *pass = NULL;
    g_autofree char  *path = NULL;

    fixture_init(&f, RECORD_KEYGEN_EC);
    path = g_build_filename(f.recordings, FIXTURE_ID, NULL);
    out = g_build_filename(f.dir, "out.webm", NULL);
    pass = g_build_filename(f.dir, "pass", NULL);
    g_file_set_contents(pass, FIXTURE_PASS "\n", -1, NULL);

    make();
    test_verify(path);
    test_decrypt(path, out, pass);
    test_shortened(path, out, pass);
    test_exchanged(path);

    fixture_done(&f);
    g_free(words);
    g_free(output);

    return done();
}
