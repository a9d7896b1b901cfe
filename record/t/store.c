
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A recording, written and read: whole, for its auditor alone; changed by one
 * byte anywhere; cut off at any place, and ended at the next start.
 */

#include "fixture.h"
#include "rs_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>


#define FRAMES  250


static fixture_t  f;


static void
on_segment(void *data, const record_segment_t *segment)
{
    ok(record_store_media(data, segment, NULL), "a segment is kept");
}


/* 25 s: three segments, a gap, some events */

static void
write_some(record_store_t *store)
{
    guint          i;
    record_mux_t  *mux;

    mux = record_mux_new(on_segment, store);
    record_store_event(store, 0, json_pack("{s:s}", "type", "joined"), NULL);

    for (i = 0; i < FRAMES; i++) {
        fixture_frame(mux, i * 100, i % 85 == 0, (guint8) i);
    }

    record_store_gap(store, 20000, 1500, RS_RECORDING_WHY_PATH, NULL);
    record_store_event(store, 24000, json_pack("{s:s}", "type", "left"),
                       NULL);
    record_mux_flush(mux, 25000);
    record_mux_free(mux);
}


static gboolean
verify(const char *path, const char *key, const char *sha256,
    record_read_sum_t *sum, GError **error)
{
    gboolean                  done;
    g_autoptr(record_read_t)  read = record_read_open(path, error);

    done = read != NULL && record_read_verify(read, key, sha256, sum, error);

    /* strings are the reader's */

    sum->recording_id = sum->session_id = sum->public_key = NULL;
    sum->sha256 = NULL;

    return done;
}


static void
test_whole(const char *path)
{
    record_sum_t               sum;
    record_read_sum_t          read;
    g_autofree char           *tar = NULL;
    g_autoptr(GError)          error = NULL;
    g_autoptr(record_store_t)  store = NULL;
    int                        fd;

    store = record_store_new(&f.params, &error);
    ok(store != NULL, "a recording is begun");
    ok(record_store_new(&f.params, NULL) == NULL, "once");

    write_some(store);
    ok(record_store_end(store, 25000, TRUE, "ended", &sum, &error),
       "and ended");
    ok(sum.duration_ms == 25000 && sum.segments == 3 && sum.gaps == 1
       && sum.bytes > 3000, "what it is");

    ok(verify(path, f.public_key, sum.sha256, &read, &error),
       "it is whole, by the recorder's key and by its hash");
    ok(read.duration_ms == 25000 && read.segments == 3 && read.gaps == 1
       && read.ended && read.kept, "and says the same");

    ok(!verify(path, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", NULL,
               &read, &error)
       && g_error_matches(error, RECORD_ERROR, RECORD_ERROR_CHANGED),
       "not by another key");
    g_clear_error(&error);

    sum.sha256[0] ^= 1;
    ok(!verify(path, NULL, sum.sha256, &read, NULL),
       "not by another hash");

    tar = g_build_filename(f.dir, "a.tar", NULL);
    fd = open(tar, O_WRONLY|O_CREAT|O_TRUNC, 0600);
    ok(record_tar_write(f.recordings, FIXTURE_ID, fd, &error), "a tar of it");
    close(fd);
    ok(verify(tar, NULL, NULL, &read, &error) && read.segments == 3,
       "is whole, too");

    {
        gsize               len;
        char               *head;
        g_autofree char    *text = NULL;
        g_autoptr(GError)   changed = NULL;

        /* the name of a file in its own head, not in the chain */

        g_file_get_contents(tar, &text, &len, NULL);
        head = memmem(text, len, "/000003.cms", strlen("/000003.cms"));
        head[RS_TAR_BLOCK] ^= 1;
        g_file_set_contents(tar, text, (gssize) len, NULL);
        ok(!verify(tar, NULL, NULL, &read, &changed)
           && g_error_matches(changed, RECORD_ERROR, RECORD_ERROR_CHANGED),
           "not if one bit is another");
    }

    ok(truncate(tar, 5000) == 0 && !verify(tar, NULL, NULL, &read, NULL),
       "not if it is cut off");
}


static void
test_decrypt(const char *path)
{
    gsize                        len, i;
    guint                        n;
    EVP_PKEY                    *key;
    const char                  *p;
    record_read_sum_t            sum;
    g_autoptr(GError)            error = NULL;
    g_autoptr(record_read_t)     read = NULL;
    g_autoptr(GOutputStream)     media = NULL;
    g_autoptr(GOutputStream)     events = NULL;

    ok(record_cms_key(f.private, "wrong", NULL) == NULL,
       "no key by another passphrase");
    key = record_cms_key(f.private, FIXTURE_PASS, &error);
    ok(key != NULL, "the auditor's key");

    read = record_read_open(path, &error);
    media = g_memory_output_stream_new_resizable();
    events = g_memory_output_stream_new_resizable();

    ok(record_read_verify(read, NULL, NULL, &sum, &error)
       && record_read_decrypt(read, key, media, events, &error),
       "opens it");
    EVP_PKEY_free(key);

    p = g_memory_output_stream_get_data(G_MEMORY_OUTPUT_STREAM(media));
    len = g_memory_output_stream_get_data_size(
                                               G_MEMORY_OUTPUT_STREAM(media));
    ok(len > 8 && memcmp(p, "\x1a\x45\xdf\xa3", 4) == 0, "it is WebM");

    for (i = 0, n = 0; i + 4 < len; i++) {
        n += (memcmp(p + i, "\x1f\x43\xb6\x75", 4) == 0);
    }

    ok(n == 3, "of three clusters");

    g_output_stream_write_all(events, "", 1, NULL, NULL, NULL);
    is_str(g_memory_output_stream_get_data(G_MEMORY_OUTPUT_STREAM(events)),
           "{\"t_ms\":0,\"type\":\"joined\"}\n"
           "{\"t_ms\":24000,\"type\":\"left\"}\n", "and the events");

    key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);
    ok(!record_read_decrypt(read, key, media, NULL, &error)
       && g_error_matches(error, RECORD_ERROR, RECORD_ERROR_KEY)
       && strstr(error->message, "000001.cms") != NULL,
       "nobody else does: %s", error ? error->message : "?");
    EVP_PKEY_free(key);
}


/* plain openssl opens a segment */

static void
test_openssl(const char *path)
{
    int                  status;
    g_autofree char     *in = NULL;
    g_autofree char     *out = NULL;
    g_autofree char     *text = NULL;
    gsize                len;
    g_autofree char     *pass = g_strconcat("pass:", FIXTURE_PASS, NULL);

    in = g_build_filename(path, "000001.cms", NULL);
    out = g_build_filename(f.dir, "plain", NULL);

    const char  *argv[] = {
        "openssl", "cms", "-decrypt", "-inform", "DER", "-in", in, "-inkey",
        f.private, "-passin", pass, "-out", out, NULL
    };

    ok(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
                    NULL, NULL, NULL, &status, NULL)
       && g_spawn_check_wait_status(status, NULL)
       && g_file_get_contents(out, &text, &len, NULL)
       && len > 4 && memcmp(text, "\x1a\x45\xdf\xa3", 4) == 0,
       "openssl cms -decrypt opens a segment");
}


static void
test_flipped(const char *path)
{
    gsize               len, at;
    guint               i, found, tried;
    const char         *name;
    record_read_sum_t   sum;
    g_autoptr(GDir)     dir = NULL;

    dir = g_dir_open(path, 0, NULL);

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char  *file = g_build_filename(path, name, NULL);
        g_autofree char  *text = NULL;

        g_file_get_contents(file, &text, &len, NULL);

        for (i = 0, found = 0, tried = 0; i < 40; i++, tried++) {
            g_autoptr(GError)  error = NULL;

            at = len * i / 40;
            text[at] ^= 1;
            g_file_set_contents(file, text, (gssize) len, NULL);

            found += !verify(path, NULL, NULL, &sum, &error)
                     && (g_error_matches(error, RECORD_ERROR,
                                         RECORD_ERROR_CHANGED)
                         || g_error_matches(error, RECORD_ERROR,
                                            RECORD_ERROR_FORM))
                     && strstr(error->message, name) != NULL;
            text[at] ^= 1;
        }

        ok(found == tried, "a flipped bit in %s is found and named", name);
        g_file_set_contents(file, text, (gssize) len, NULL);
    }

    ok(verify(path, NULL, NULL, &sum, NULL), "and it is as it was");
}


/* lines at the end that are not there any more */

static void
test_shortened(const char *path)
{
    char                *end;
    record_read_sum_t    sum;
    g_autofree char     *file = NULL;
    g_autofree char     *text = NULL;

    file = g_build_filename(path, RECORD_STORE_CHAIN, NULL);
    g_file_get_contents(file, &text, NULL, NULL);

    end = strrchr(text, '\n');
    *end = '\0';
    end = strrchr(text, '\n');
    end[1] = '\0';
    g_file_set_contents(file, text, -1, NULL);

    ok(verify(path, NULL, NULL, &sum, NULL) && !sum.ended && !sum.kept,
       "without its end it is told to have none");
}


static gboolean
begun(const char *path)
{
    gint64            end_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    struct stat       st;
    g_autofree char  *chain = g_build_filename(path, RECORD_STORE_CHAIN,
                                               NULL);

    while (g_get_monotonic_time() < end_us) {
        if (stat(chain, &st) == 0 && st.st_size > 0) {
            return TRUE;
        }

        g_usleep(1000);
    }

    return FALSE;
}


/* kill -9 of whoever writes, at a place of its own each time */

static void
test_killed(void)
{
    int                 status;
    guint               i;
    pid_t               pid;
    record_sum_t        sum;
    record_read_sum_t   read;

    for (i = 0; i < 6; i++) {
        g_autoptr(GError)   error = NULL;
        g_autofree char    *path = NULL;
        g_autofree char    *id = NULL;

        id = g_strdup_printf("rec_%025u%c", 0, 'b' + (int) i);
        g_strdelimit(id, "0", 'a');
        f.params.id = id;
        path = g_build_filename(f.recordings, id, NULL);

        fflush(stdout);
        pid = fork();

        if (pid == 0) {
            record_store_t  *store = record_store_new(&f.params, NULL);

            (void) !freopen("/dev/null", "w", stdout);

            for (guint n = 0; ; n++) {
                g_autoptr(GBytes)  bytes = g_bytes_new("abc", 3);
                record_segment_t   s = { bytes, n * 1000, 1000, TRUE,
                                         n == 0, "video/webm" };

                record_store_event(store, n * 1000,
                                   json_pack("{s:s}", "type", "x"), NULL);
                record_store_media(store, &s, NULL);
            }
        }

        ok(begun(path), "its first line is there");
        g_usleep(i * 17000);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);

        ok(verify(path, NULL, NULL, &read, NULL) ? !read.ended : TRUE,
           "killed: not ended");
        ok(record_store_recover(&f.params, &sum, &error), "recovered: %s",
           error ? error->message : "yes");
        ok(verify(path, f.public_key, sum.sha256, &read, &error)
           && read.ended && !read.kept && read.segments == sum.segments
           && read.duration_ms == sum.duration_ms,
           "whole up to segment %u, and called incomplete: %s", sum.segments,
           error ? error->message : "yes");
        ok(!record_store_recover(&f.params, &sum, NULL), "once");
    }
}


/* what may be left behind the last line */

static void
test_torn(void)
{
    int                         fd;
    record_sum_t                sum;
    record_read_sum_t           read;
    g_autofree char            *path = NULL;
    g_autofree char            *chain = NULL;
    g_autofree char            *part = NULL;
    g_autofree char            *orphan = NULL;
    g_autoptr(GError)           error = NULL;
    record_store_t             *store;

    f.params.id = "rec_cccccccccccccccccccccccccc";
    path = g_build_filename(f.recordings, f.params.id, NULL);
    chain = g_build_filename(path, RECORD_STORE_CHAIN, NULL);
    part = g_build_filename(path, "000009.cms.part", NULL);
    orphan = g_build_filename(path, "000004.cms", NULL);

    store = record_store_new(&f.params, &error);
    write_some(store);
    record_store_free(store);

    fd = open(chain, O_WRONLY|O_APPEND);
    ok(write(fd, "{\"v\":1,\"kind\":\"med", 18) == 18, "half a line");
    close(fd);
    g_file_set_contents(part, "x", 1, NULL);
    g_file_set_contents(orphan, "x", 1, NULL);

    ok(record_store_recover(&f.params, &sum, &error) && sum.segments == 3,
       "is left out: %s", error ? error->message : "");
    ok(verify(path, f.public_key, NULL, &read, &error) && read.ended,
       "what is there is whole");
    ok(!g_file_test(part, G_FILE_TEST_EXISTS)
       && !g_file_test(orphan, G_FILE_TEST_EXISTS),
       "and nothing else is");
}


/* the device has had two keys since it was begun */

static void
test_rotated(void)
{
    record_sum_t              sum;
    record_read_sum_t         read;
    record_store_t           *store;
    record_store_params_t     params;
    g_autofree char          *path = NULL;
    g_autofree char          *dir = NULL;
    g_autofree char          *other = NULL;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_key_t)    key = NULL;
    record_store_key_t        older[] = { { NULL, NULL }, { NULL, NULL },
                                          { NULL, NULL } };

    dir = g_build_filename(f.dir, "other", NULL);
    key = agent_key_make(dir, NULL);
    other = agent_key_public(key);

    f.params.id = "rec_dddddddddddddddddddddddddd";
    path = g_build_filename(f.recordings, f.params.id, NULL);
    store = record_store_new(&f.params, &error);
    write_some(store);
    record_store_free(store);

    params = f.params;
    params.public_key = other;
    params.data = key;
    ok(!record_store_recover(&params, &sum, &error), "of another key: %s",
       error ? error->message : "?");
    g_clear_error(&error);

    older[0].public_key = other;
    older[0].data = key;
    params.older = older;
    ok(!record_store_recover(&params, &sum, NULL), "of none of these");

    older[1].public_key = f.public_key;
    older[1].data = f.key;
    ok(record_store_recover(&params, &sum, &error)
       && verify(path, f.public_key, sum.sha256, &read, &error) && read.ended,
       "ended by the key it was begun with: %s",
       error ? error->message : "yes");
}


int
main(void)
{
    g_autofree char  *path = NULL;

    fixture_init(&f, RECORD_KEYGEN_RSA);
    path = g_build_filename(f.recordings, FIXTURE_ID, NULL);
    test_whole(path);
    test_decrypt(path);
    test_openssl(path);
    test_flipped(path);
    test_shortened(path);
    test_killed();
    test_torn();
    test_rotated();
    fixture_done(&f);

    fixture_init(&f, RECORD_KEYGEN_EC);
    g_free(path);
    path = g_build_filename(f.recordings, FIXTURE_ID, NULL);
    test_whole(path);
    test_decrypt(path);
    test_openssl(path);
    fixture_done(&f);

    return done();
}
