
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

#include <time.h>
#include <unistd.h>
#include <utime.h>


#define OLD_MS  1000000000000       /* 2001 */
#define DAY_US  (86400LL * G_USEC_PER_SEC)


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


static gint64
clock_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);

    return g_get_real_time() - (gint64) ts.tv_sec * G_USEC_PER_SEC
           - ts.tv_nsec / 1000;
}


static void
end(const char *id, gint64 started_ms)
{
    record_sum_t       sum;
    record_store_t    *store;
    g_autoptr(GBytes)  bytes = g_bytes_new("abc", 3);
    record_segment_t   segment = { bytes, 0, 1000, TRUE, TRUE, "video/webm" };

    f.params.id = id;
    f.params.started_at = started_ms;
    store = record_store_new(&f.params, NULL);
    record_store_media(store, &segment, NULL);
    record_store_end(store, 1000, TRUE, "ended", &sum, NULL);
    record_store_free(store);
}


static gboolean
there(const char *id)
{
    g_autofree char  *path = g_build_filename(f.recordings, id, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}


/* until nothing is left to be done, the threads' part of it too */

static void
settle(void)
{
    guint             n;
    gint64            until_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    g_autofree char  *gone = g_build_filename(f.recordings, ".gone", NULL);

    do {
        while (g_main_context_iteration(NULL, FALSE)) { /* void */ }

        g_autoptr(GDir)  dir = g_dir_open(gone, 0, NULL);

        for (n = 0; dir != NULL && g_dir_read_name(dir) != NULL; n++) { }

        g_usleep(1000);

    } while (n != 0 && g_get_monotonic_time() < until_us);
}


static guint
count(const char *what)
{
    guint        n;
    const char  *p;

    for (n = 0, p = said->str; (p = strstr(p, what)) != NULL; p++) {
        n++;
    }

    return n;
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
       && strstr(said->str, "\"expires_at\":1803059673") != NULL,
       "and told, when there is somebody: %s", said->str);
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
    settle();
    record_keep_answered(keep, f.params.id, "gone");
    is_int(waiting(), 0, "nothing is left of it");
    record_keep_free(keep);
}


/* while it runs: a disk that failed, and works again */

static void
test_broken(record_config_t *config)
{
    record_keep_t  *keep;

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
    settle();
    record_keep_answered(keep, "rec_dddddddddddddddddddddddddd", "gone");
    record_keep_free(keep);
}


/* by the end that was signed, and by nothing else */

static void
test_removed(record_config_t *config)
{
    record_keep_t     *keep;
    struct utimbuf     old = { 1000000, 1000000 };
    g_autofree char   *chain = NULL;
    g_autofree char   *open = NULL;

    end("rec_eeeeeeeeeeeeeeeeeeeeeeeeee", OLD_MS);
    end("rec_ffffffffffffffffffffffffff", g_get_real_time() / 1000);
    chain = g_build_filename(f.recordings, f.params.id, RECORD_STORE_CHAIN,
                             NULL);
    utime(chain, &old);
    g_string_truncate(said, 0);

    config->retention_days = 0;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    record_keep_check(keep, clock_us());
    settle();
    ok(there("rec_eeeeeeeeeeeeeeeeeeeeeeeeee"), "0 days are for ever");
    record_keep_free(keep);

    config->retention_days = 30;
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    f.params.started_at = OLD_MS;
    begin("rec_gggggggggggggggggggggggggg");
    open = g_build_filename(f.recordings, f.params.id, RECORD_STORE_CHAIN,
                            NULL);
    utime(open, &old);
    settle();
    ok(there("rec_eeeeeeeeeeeeeeeeeeeeeeeeee"), "nothing goes at start");

    record_keep_check(keep, clock_us());
    settle();
    ok(!there("rec_eeeeeeeeeeeeeeeeeeeeeeeeee"), "30 days are over");
    ok(count("\"op\":\"gone\"") == 1 && waiting() == 2,
       "which is told, as the end of the other one is");
    ok(there("rec_ffffffffffffffffffffffffff"),
       "of files that look older than they are nothing is believed");
    ok(there("rec_gggggggggggggggggggggggggg"),
       "what has no end is not old");
    record_keep_answered(keep, "rec_eeeeeeeeeeeeeeeeeeeeeeeeee", "gone");

    /* a clock that leaps */

    record_keep_check(keep, clock_us() + 365 * DAY_US);
    settle();
    ok(there("rec_ffffffffffffffffffffffffff")
       && there("rec_gggggggggggggggggggggggggg"),
       "nor is anything, because the clock was set");
    end("rec_eeeeeeeeeeeeeeeeeeeeeeeeee", OLD_MS);
    record_keep_check(keep, clock_us() - DAY_US);
    settle();
    ok(there("rec_eeeeeeeeeeeeeeeeeeeeeeeeee"), "to whatever it was");
    record_keep_check(keep, clock_us() + 60 * G_USEC_PER_SEC);
    settle();
    ok(!there("rec_eeeeeeeeeeeeeeeeeeeeeeeeee"), "until it is set back");
    record_keep_answered(keep, "rec_eeeeeeeeeeeeeeeeeeeeeeeeee", "gone");

    g_string_truncate(said, 0);
    record_keep_remove(keep, "rec_eeeeeeeeeeeeeeeeeeeeeeeeee");
    ok(count("\"op\":\"gone\"") == 1, "what is not there is gone");
    record_keep_answered(keep, "rec_eeeeeeeeeeeeeeeeeeeeeeeeee", "gone");
    g_string_truncate(said, 0);
    record_keep_remove(keep, "..");
    record_keep_remove(keep, "rec_../../../../../../../../x");
    settle();
    ok(said->len == 0 && g_file_test(f.recordings, G_FILE_TEST_IS_DIR),
       "nothing else can be removed");

    record_keep_remove(keep, "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb");
    record_keep_remove(keep, "rec_ffffffffffffffffffffffffff");
    record_keep_remove(keep, "rec_gggggggggggggggggggggggggg");
    settle();
    record_keep_free(keep);
}


/* one step makes it none, whatever is left of it then */

static void
test_going(record_config_t *config)
{
    guint               i;
    record_keep_t      *keep;
    const char         *id = "rec_hhhhhhhhhhhhhhhhhhhhhhhhhh";
    g_autofree char    *path = NULL;
    g_autofree char    *gone = NULL;

    path = g_build_filename(f.recordings, id, NULL);
    gone = g_build_filename(f.recordings, ".gone", id, NULL);

    end(id, OLD_MS);

    for (i = 2; i < 2000; i++) {
        g_autofree char  *name = g_strdup_printf("%s/%06u.cms", path, i);

        g_file_set_contents_full(name, "x", 1, G_FILE_SET_CONTENTS_NONE, 0600,
                                 NULL);
    }

    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    settle();
    g_string_truncate(said, 0);
    record_keep_remove(keep, id);
    ok(!there(id) && said->len == 0,
       "removed in one step, and told when nothing is left of it");

    /* asked again meanwhile, and ended in the middle of it */

    record_keep_remove(keep, id);
    record_keep_free(keep);
    ok(g_file_test(gone, G_FILE_TEST_IS_DIR) && said->len == 0,
       "not before");

    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    record_keep_remove(keep, id);
    settle();
    ok(!g_file_test(gone, G_FILE_TEST_EXISTS)
       && count("\"op\":\"gone\"") == 1, "the next start goes on with it");
    record_keep_answered(keep, id, "gone");
    record_keep_free(keep);

    /* and killed between its last file and the word of it */

    g_string_truncate(said, 0);
    g_mkdir(gone, 0700);
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    settle();
    ok(!g_file_test(gone, G_FILE_TEST_EXISTS)
       && count("\"op\":\"gone\"") == 1, "or tells");
    record_keep_answered(keep, id, "gone");
    record_keep_free(keep);
}


/* a directory, and at most the beginning of a line */

static void
test_empty(record_config_t *config)
{
    record_keep_t    *keep;
    g_autofree char  *none = NULL;
    g_autofree char  *half = NULL;
    g_autofree char  *chain = NULL;
    g_autofree char  *lost = NULL;
    g_autofree char  *media = NULL;

    none = g_build_filename(f.recordings, "rec_iiiiiiiiiiiiiiiiiiiiiiiiii",
                            NULL);
    half = g_build_filename(f.recordings, "rec_jjjjjjjjjjjjjjjjjjjjjjjjjj",
                            NULL);
    chain = g_build_filename(half, RECORD_STORE_CHAIN, NULL);
    lost = g_build_filename(f.recordings, "rec_kkkkkkkkkkkkkkkkkkkkkkkkkk",
                            NULL);
    media = g_build_filename(lost, "000001.cms", NULL);
    g_mkdir(none, 0700);
    g_mkdir(half, 0700);
    g_mkdir(lost, 0700);
    g_file_set_contents(chain, "{\"v\":1,\"kind\":", -1, NULL);
    g_file_set_contents(media, "x", 1, NULL);

    g_string_truncate(said, 0);
    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    settle();
    ok(!g_file_test(none, G_FILE_TEST_EXISTS)
       && !g_file_test(half, G_FILE_TEST_EXISTS),
       "what never had a line is removed");
    ok(count("\"op\":\"gone\"") == 2, "and told");
    ok(g_file_test(media, G_FILE_TEST_EXISTS),
       "not so media without a chain");
    record_keep_remove(keep, "rec_kkkkkkkkkkkkkkkkkkkkkkkkkk");
    settle();
    ok(!g_file_test(lost, G_FILE_TEST_EXISTS), "until somebody wants it");
    record_keep_free(keep);
}


/* what was ended is evidence, damaged or not */

static void
test_damaged(record_config_t *config)
{
    gsize              len, after;
    record_keep_t     *keep;
    g_autofree char   *chain = NULL;
    g_autofree char   *text = NULL;
    g_autofree char   *now = NULL;

    end("rec_llllllllllllllllllllllllll", OLD_MS);
    chain = g_build_filename(f.recordings, f.params.id, RECORD_STORE_CHAIN,
                             NULL);
    g_file_get_contents(chain, &text, &len, NULL);
    *strstr(text, "000001.cms") = '1';
    g_file_set_contents(chain, text, (gssize) len, NULL);

    keep = record_keep_new(config, &f.params, on_say, NULL, NULL);
    g_file_get_contents(chain, &now, &after, NULL);
    ok(after == len && memcmp(text, now, len) == 0,
       "a line of it that does not hold is not cut off at start");
    record_keep_remove(keep, f.params.id);
    settle();
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
    record_writer_free(writer, NULL, NULL);

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
    record_writer_free(writer, NULL, NULL);
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
    test_going(config);
    test_empty(config);
    test_damaged(config);
    test_room(config);
    test_writer();

    g_string_free(said, TRUE);
    record_config_free(config);
    fixture_done(&f);

    return done();
}
