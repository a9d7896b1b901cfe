
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What becomes of recordings: ended after a crash, removed after their time,
 * told until somebody answers; a disk without room; a disk that fails.
 */

#include "fixture.h"
#include "../record_keep.h"
#include "../record_writer.h"

#include <unistd.h>
#include <utime.h>


static fixture_t  f;
static GString   *said;
static gboolean   online;

static gboolean        failed;
static record_sum_t    ended;


static gboolean
on_say(void *data, char *text)
{
    (void) data;

    if (online) {
        g_string_append(said, text);
        g_string_append_c(said, '\n');
    }

    g_free(text);

    return online;
}


static guint
waiting(void)
{
    guint             n;
    g_autofree char  *told = g_build_filename(f.recordings, ".told", NULL);
    g_autoptr(GDir)   dir = g_dir_open(told, 0, NULL);

    for (n = 0; dir != NULL && g_dir_read_name(dir) != NULL; n++) { }

    return n - 1;                       /* .known */
}


static void
begin(const char *id)
{
    record_store_t    *store;
    g_autoptr(GBytes)  bytes = g_bytes_new("abc", 3);
    record_segment_t   segment = { bytes, 0, 1000, TRUE, TRUE, "video/webm" };

    f.params.id = id;
    store = record_store_new(&f.params, NULL);
    record_store_media(store, &segment, NULL);
    record_store_free(store);
}


static void
test_crashed(record_config_t *config)
{
    record_keep_t      *keep;
    g_autoptr(GError)   error = NULL;

    begin("rec_bbbbbbbbbbbbbbbbbbbbbbbbbb");
    online = FALSE;
    keep = record_keep_new(config, &f.params, on_say, NULL, &error);
    ok(keep != NULL && waiting() == 1, "one that nobody ended is ended");

    online = TRUE;
    record_keep_online(keep);
    ok(strstr(said->str, "\"op\":\"end\"") != NULL
       && strstr(said->str, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb") != NULL
       && strstr(said->str, "\"reason\":\"recovered\"") != NULL
       && strstr(said->str, FIXTURE_SESSION) != NULL
       && strstr(said->str, "\"duration_ms\":1000") != NULL
       && strstr(said->str, "\"expires_at\":") != NULL,
       "and told, when there is somebody");
    g_string_truncate(said, 0);
    record_keep_free(keep);

    keep = record_keep_new(config, &f.params, on_say, NULL, &error);
    ok(said->len == 0, "it is ended once");
    record_keep_online(keep);
    ok(said->len > 0, "but told until it is answered");
    record_keep_answered(keep, "../../x", "end");
    record_keep_answered(keep, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb", "end");
    ok(waiting() == 0, "which it is");
    record_keep_free(keep);
}


/* its end is on the disk, and who wrote it died before anybody was told */

static void
test_untold(record_config_t *config)
{
    record_keep_t      *keep;
    record_store_t     *store;
    record_sum_t        sum;
    g_autofree char    *bytes = NULL;
    g_autoptr(GBytes)   media = g_bytes_new("abc", 3);
    record_segment_t    segment = { media, 0, 1000, TRUE, TRUE,
                                    "video/webm" };

    f.params.id = "rec_eeeeeeeeeeeeeeeeeeeeeeeeee";
    store = record_store_new(&f.params, NULL);
    record_store_media(store, &segment, NULL);
    record_store_gap(store, 1000, 500, RS_RECORDING_WHY_SILENT, NULL);
    record_store_end(store, 2500, TRUE, "ended", &sum, NULL);
    record_store_free(store);

    online = FALSE;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    is_int(waiting(), 1, "one that has ended, and nobody was told");
    record_keep_free(keep);
    online = TRUE;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    g_string_truncate(said, 0);
    record_keep_online(keep);
    bytes = g_strdup_printf("\"bytes\":%" G_GINT64_FORMAT ",", sum.bytes);
    ok(strstr(said->str, "\"op\":\"end\"") != NULL
       && strstr(said->str, f.params.id) != NULL
       && strstr(said->str, FIXTURE_SESSION) != NULL
       && strstr(said->str, "\"reason\":\"ended\"") != NULL
       && strstr(said->str, "\"duration_ms\":2500") != NULL
       && strstr(said->str, "\"gaps\":1") != NULL
       && strstr(said->str, bytes) != NULL
       && strstr(said->str, sum.sha256) != NULL,
       "is told as who ended it would have");
    record_keep_answered(keep, f.params.id, "end");
    record_keep_free(keep);

    g_string_truncate(said, 0);
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    record_keep_online(keep);
    ok(said->len == 0, "and no more, once it was answered");
    record_keep_remove(keep, f.params.id);
    record_keep_answered(keep, f.params.id, "gone");
    is_int(waiting(), 0, "nothing is left of it");
    record_keep_free(keep);
}


/* while it runs: a disk that failed, and works again */

static void
test_broken(record_config_t *config)
{
    record_keep_t      *keep;

    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    begin("rec_dddddddddddddddddddddddddd");
    g_string_truncate(said, 0);
    record_keep_broken(keep, "rec_dddddddddddddddddddddddddd", f.public_key,
                       f.key);
    ok(strstr(said->str, "\"op\":\"end\"") != NULL
       && strstr(said->str, "\"reason\":\"disk_full\"") != NULL
       && strstr(said->str, "\"duration_ms\":1000") != NULL,
       "one that could not be written is ended with what there is");
    g_string_truncate(said, 0);
    record_keep_broken(keep, "rec_dddddddddddddddddddddddddd", f.public_key,
                       f.key);
    ok(said->len == 0, "once");
    record_keep_answered(keep, "rec_dddddddddddddddddddddddddd", "end");
    record_keep_remove(keep, "rec_dddddddddddddddddddddddddd");
    record_keep_answered(keep, "rec_dddddddddddddddddddddddddd", "gone");
    record_keep_free(keep);
}


static void
test_removed(record_config_t *config)
{
    record_keep_t     *keep;
    struct utimbuf     old = { 1000000, 1000000 };
    g_autofree char   *path = NULL;
    g_autofree char   *chain = NULL;

    path = g_build_filename(f.recordings, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb",
                            NULL);
    chain = g_build_filename(path, RECORD_STORE_CHAIN, NULL);
    utime(chain, &old);
    g_string_truncate(said, 0);

    config->retention_days = 0;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    ok(g_file_test(path, G_FILE_TEST_EXISTS), "0 days are for ever");
    record_keep_free(keep);

    config->retention_days = 30;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    ok(!g_file_test(path, G_FILE_TEST_EXISTS), "30 days are over");
    ok(strstr(said->str, "\"op\":\"gone\"") != NULL && waiting() == 1,
       "which is told");
    record_keep_answered(keep, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb", "gone");

    g_string_truncate(said, 0);
    record_keep_remove(keep, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb");
    ok(strstr(said->str, "gone") != NULL, "what is not there is gone");
    record_keep_answered(keep, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb", "gone");
    g_string_truncate(said, 0);
    record_keep_remove(keep, "..");
    record_keep_remove(keep, "rec_../../../../../../../../x");
    ok(said->len == 0 && g_file_test(f.recordings, G_FILE_TEST_IS_DIR),
       "nothing else can be removed");
    record_keep_free(keep);
}


static void
test_room(record_config_t *config)
{
    record_keep_t      *keep;
    g_autoptr(GError)   error = NULL;

    config->min_free = 1;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    ok(record_keep_room(keep, NULL), "a disk with room");
    record_keep_free(keep);

    config->min_free = G_MAXUINT;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    ok(!record_keep_room(keep, &error)
       && g_error_matches(error, RECORD_ERROR, RECORD_ERROR_FULL)
       && strstr(error->message, "min_free") != NULL,
       "one without: %s", error ? error->message : "?");
    record_keep_free(keep);
}


static void
on_failed(void *data, const GError *error)
{
    (void) data;
    printf("# %s\n", error->message);
    failed = TRUE;
}


static void
on_ended(void *data, const record_sum_t *sum)
{
    (void) data;
    ended = *sum;
}


static const record_writer_events_t  events = { on_failed, on_ended };


static void
test_writer(void)
{
    gint64              until_us;
    record_writer_t    *writer;
    record_read_sum_t   sum;
    g_autofree char    *path = NULL;
    g_autoptr(GError)   error = NULL;
    g_autoptr(GBytes)   bytes = g_bytes_new("abc", 3);
    record_segment_t    segment = { bytes, 0, 1000, TRUE, TRUE,
                                    "video/webm" };

    f.params.id = "rec_cccccccccccccccccccccccccc";
    writer = record_writer_new(&f.params, &events, NULL);
    record_writer_event(writer, 0, json_pack("{s:s}", "type", "begin"));
    record_writer_media(writer, &segment);
    record_writer_gap(writer, 1000, 500, RS_RECORDING_WHY_SILENT);
    record_writer_tick(writer, 20000);
    record_writer_end(writer, 2000, TRUE, "ended");

    until_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

    while (ended.segments == 0 && g_get_monotonic_time() < until_us) {
        g_main_context_iteration(NULL, TRUE);
    }

    ok(ended.segments == 1 && ended.gaps == 1 && ended.duration_ms == 2000,
       "written off the main loop, and told on it");
    record_writer_free(writer);

    path = g_build_filename(f.recordings, f.params.id, NULL);
    {
        g_autoptr(record_read_t)  read = record_read_open(path, &error);

        ok(record_read_verify(read, f.public_key, ended.sha256, &sum, &error)
           && sum.kept, "whole");
    }

    /* another one of that id cannot be begun */

    writer = record_writer_new(&f.params, &events, NULL);
    record_writer_media(writer, &segment);
    until_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

    while (!failed && g_get_monotonic_time() < until_us) {
        g_main_context_iteration(NULL, TRUE);
    }

    ok(failed, "what cannot be written is told");
    record_writer_media(writer, &segment);
    record_writer_free(writer);
    ok(TRUE, "and the rest is let go");
}


int
main(void)
{
    record_config_t  *config = record_config_new();

    fixture_init(&f, RECORD_KEYGEN_EC);
    said = g_string_new(NULL);
    g_free(config->directory);
    config->directory = g_strdup(f.recordings);
    g_mkdir_with_parents(f.recordings, 0700);

    test_crashed(config);
    test_untold(config);
    test_broken(config);
    test_removed(config);
    test_room(config);
    test_writer();

    g_string_free(said, TRUE);
    record_config_free(config);
    fixture_done(&f);

    return done();
}
