
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Files between a viewer and the folder, without a connection: what is
 * allowed, both directions, cuts in the middle, and viewers who break the
 * rules.
 */

#include "agent_files.h"
#include "agent_folder.h"
#include "agent_json.h"
#include "agent_viewer.h"
#include "fake_channel.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>


#define KEY   "00112233445566778899aabbccddeeff"
#define MORE  "ffeeddccbbaa99887766554433221100"
#define LONG  (3 * RS_FILE_WINDOW + 1234)


struct agent_viewer_s {
    agent_t          agent;
    agent_config_t   config;
    agent_way_e      way;
};


static const agent_channel_kind_t *const  kinds[] = {
    &agent_files_kind, NULL
};


static struct agent_viewer_s  viewer;
static char                  *dir;


agent_about_t
agent_viewer_about(const agent_viewer_t *v)
{
    agent_about_t  about = { .id = "par_test" };

    about.agent = (agent_t *) &v->agent;

    return about;
}


void
agent_viewer_allowed(const agent_viewer_t *v, agent_allowed_t *allowed)
{
    memset(allowed, 0, sizeof(*allowed));
    allowed->files = v->way;
}


static char *
sum(const char *data, gsize len)
{
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                       (const guchar *) data, len);
}


static char *
content(gsize len)
{
    gsize   i;
    char   *data = g_malloc(len);

    for (i = 0; i < len; i++) {
        data[i] = (char) (i * 31 + (i >> 8));
    }

    return data;
}


static agent_channel_t *
channel(agent_way_e way)
{
    viewer.way = way;

    return fake_channel_open(kinds, AGENT_FILES, &viewer);
}


/* the newest text of this type; the caller's */

static json_t *
heard(agent_channel_t *ch, const char *type)
{
    guint    i;
    json_t  *obj;

    for (i = ch->texts->len; i > 0; i--) {
        obj = agent_json_load(ch->texts->pdata[i - 1],
                              strlen(ch->texts->pdata[i - 1]), 65536, NULL);

        if (g_strcmp0(agent_json_string(obj, "type", 20), type) == 0) {
            return obj;
        }

        json_decref(obj);
    }

    return NULL;
}


/* and waits for it, 20 s at most */

static json_t *
awaited(agent_channel_t *ch, const char *type)
{
    gint64   end_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    json_t  *obj;

    while ((obj = heard(ch, type)) == NULL
           && g_get_monotonic_time() < end_us)
    {
        if (!g_main_context_iteration(NULL, FALSE)) {
            g_usleep(1000);
        }
    }

    ok(obj != NULL, "heard: %s", type);

    return obj;
}


static void
hears_error(agent_channel_t *ch, const char *code, const char *what)
{
    json_t  *obj = awaited(ch, "error");

    is_str(agent_json_string(obj, "code", 40), code, what);
    json_decref(obj);
    g_ptr_array_set_size(ch->texts, 0);
}


static void
say(agent_channel_t *ch, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
say(agent_channel_t *ch, const char *format, ...)
{
    va_list           args;
    g_autofree char  *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);

    fake_channel_say(ch, text);
}


static void
piece(agent_channel_t *ch, guint id, gsize offset, const char *data,
    gsize len)
{
    g_autofree guint8  *bytes = g_malloc(RS_FILE_HEAD_LEN + len);

    rs_file_head(bytes, id, offset);
    memcpy(bytes + RS_FILE_HEAD_LEN, data, len);
    ch->kind->binary(ch->data, bytes, RS_FILE_HEAD_LEN + len);
}


static void
pieces(agent_channel_t *ch, guint id, const char *data, gsize from, gsize to)
{
    gsize  n;

    for (; from < to; from += n) {
        n = MIN(to - from, RS_FILE_PIECE_MAX);
        piece(ch, id, from, data + from, n);
    }
}


static gboolean
folder_has(const char *name, const char *data, gsize len)
{
    gsize             n = 0;
    g_autofree char  *path = g_build_filename(dir, name, NULL);
    g_autofree char  *got = NULL;

    return g_file_get_contents(path, &got, &n, NULL) && n == len
           && memcmp(got, data, len) == 0;
}


/* names in the folder, hidden ones too */

static guint
folder_count(void)
{
    guint              n;
    g_autoptr(GDir)    d = g_dir_open(dir, 0, NULL);

    for (n = 0; g_dir_read_name(d) != NULL; n++) { /* void */ }

    return n;
}


static void
folder_clear(void)
{
    const char        *name;
    g_autoptr(GDir)    d = g_dir_open(dir, 0, NULL);

    while ((name = g_dir_read_name(d)) != NULL) {
        g_autofree char  *path = g_build_filename(dir, name, NULL);

        g_remove(path);
    }
}


static void
test_hello(void)
{
    json_t            *obj;
    agent_channel_t   *ch;
    g_autoptr(json_t)  features = json_object();

    ch = channel(AGENT_WAY_NONE);
    ok(!ch->open && ch->texts->len == 0, "nothing is allowed: no word");
    agent_files_kind.features(&viewer, features);
    is_str(agent_json_string(features, "files", 20), "none",
           "and hello says so");
    fake_channel_free(ch);

    viewer.config.files_dir = NULL;
    ch = channel(AGENT_WAY_BOTH);
    ok(!ch->open && ch->texts->len == 0, "no folder: no word");
    fake_channel_free(ch);

    viewer.config.files_dir = (char *) "/nonexistent/folder";
    ch = channel(AGENT_WAY_BOTH);
    ok(!ch->open && ch->texts->len == 0, "none that is there: no word");
    fake_channel_free(ch);

    viewer.config.files_dir = dir;
    ch = channel(AGENT_WAY_FROM_DEVICE);
    obj = heard(ch, "hello");
    ok(ch->open && json_is_false(json_object_get(obj, "to_device"))
       && json_is_true(json_object_get(obj, "from_device")),
       "hello says which way");
    is_int(json_integer_value(json_object_get(obj, "max")), 8 << 20,
           "how much");
    is_str(agent_json_string(obj, "folder", 100), "exchange",
           "and what the folder is called, not where it is");
    json_decref(obj);
    agent_files_kind.features(&viewer, features);
    is_str(agent_json_string(features, "files", 20), "from_device",
           "and hello of input, too");
    fake_channel_free(ch);
}


static void
test_put(void)
{
    json_t            *obj;
    agent_channel_t   *ch = channel(AGENT_WAY_TO_DEVICE);
    g_autofree char   *data = content(LONG);
    g_autofree char   *hex = sum(data, LONG);
    g_autofree char   *none = sum("", 0);

    say(ch, "{\"type\":\"put\",\"id\":1,\"name\":\"a.bin\",\"key\":\"" KEY
        "\",\"size\":%d,\"mtime\":1700000000}", LONG);
    obj = awaited(ch, "ready");
    is_int(json_integer_value(json_object_get(obj, "offset")), 0,
           "from the first byte on");
    is_str(agent_json_string(obj, "sha256", 64), none, "of nothing");
    json_decref(obj);

    pieces(ch, 1, data, 0, RS_FILE_WINDOW);
    obj = heard(ch, "ack");
    is_int(json_integer_value(json_object_get(obj, "offset")),
           RS_FILE_WINDOW, "a window is acknowledged");
    json_decref(obj);
    ok(ch->texts->len <= 2 + RS_FILE_WINDOW / (256 * 1024),
       "not each piece of it");

    say(ch, "{\"type\":\"put\",\"id\":2,\"name\":\"b\",\"key\":\"" MORE
        "\",\"size\":1}");
    hears_error(ch, "busy", "one file at a time");

    piece(ch, 9, 0, "other", 5);
    pieces(ch, 1, data, RS_FILE_WINDOW, LONG);
    say(ch, "{\"type\":\"end\",\"id\":1,\"sha256\":\"%s\"}", hex);
    obj = awaited(ch, "done");
    is_str(agent_json_string(obj, "name", 255), "a.bin", "its name");
    json_decref(obj);
    ok(folder_has("a.bin", data, LONG), "its bytes");
    is_int(folder_count(), 1, "and nothing else");

    /* another one over the same channel, without a byte */

    say(ch, "{\"type\":\"put\",\"id\":3,\"name\":\"a.bin\",\"key\":\"" MORE
        "\",\"size\":0}");
    json_decref(awaited(ch, "ready"));
    g_ptr_array_set_size(ch->texts, 0);
    say(ch, "{\"type\":\"end\",\"id\":3,\"sha256\":\"%s\"}", none);
    obj = awaited(ch, "done");
    is_str(agent_json_string(obj, "name", 255), "a (1).bin",
           "an empty one beside it");
    json_decref(obj);

    ok(!ch->ending, "nothing was wrong with all that");
    fake_channel_free(ch);
    folder_clear();
}


static void
test_cut(void)
{
    int                i;
    gint64             end_us;
    json_t            *obj;
    agent_channel_t   *ch = channel(AGENT_WAY_BOTH);
    g_autofree char   *data = content(LONG);
    g_autofree char   *hex = sum(data, LONG);
    g_autofree char   *half = sum(data, RS_FILE_WINDOW);

    say(ch, "{\"type\":\"put\",\"id\":1,\"name\":\"c\",\"key\":\"" KEY
        "\",\"size\":%d,\"anew\":true}", LONG);
    json_decref(awaited(ch, "ready"));
    pieces(ch, 1, data, 0, RS_FILE_WINDOW);
    fake_channel_free(ch);
    is_int(folder_count(), 1, "a part is left of a line that broke");

    ch = channel(AGENT_WAY_BOTH);
    say(ch, "{\"type\":\"put\",\"id\":1,\"name\":\"c\",\"key\":\"" KEY
        "\",\"size\":%d}", LONG);
    obj = awaited(ch, "ready");
    is_int(json_integer_value(json_object_get(obj, "offset")),
           RS_FILE_WINDOW, "it goes on from there");
    is_str(agent_json_string(obj, "sha256", 64), half,
           "and says what is there");
    json_decref(obj);
    pieces(ch, 1, data, RS_FILE_WINDOW, LONG);

    /* the line breaks between "end" and "done" */

    end_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    say(ch, "{\"type\":\"end\",\"id\":1,\"sha256\":\"%s\"}", hex);
    fake_channel_free(ch);
    ch = channel(AGENT_WAY_BOTH);

    while (!folder_has("c", data, LONG)
           && g_get_monotonic_time() < end_us)
    {
        g_main_context_iteration(NULL, FALSE);
    }

    /* until the main loop knows, too, it is busy */

    for (i = 1; ; i++) {
        say(ch, "{\"type\":\"put\",\"id\":%d,\"name\":\"c\",\"key\":\"" KEY
            "\",\"size\":%d}", i, LONG);
        obj = heard(ch, "ready");

        if (obj != NULL || g_get_monotonic_time() >= end_us) {
            break;
        }

        say(ch, "{\"type\":\"cancel\",\"id\":%d}", i);
        g_ptr_array_set_size(ch->texts, 0);
        g_main_context_iteration(NULL, FALSE);
    }

    is_int(json_integer_value(json_object_get(obj, "offset")), LONG,
           "put again, nothing is missing");
    say(ch, "{\"type\":\"end\",\"id\":%" JSON_INTEGER_FORMAT ",\"sha256\":"
        "\"%s\"}", json_integer_value(json_object_get(obj, "id")), hex);
    json_decref(obj);
    obj = awaited(ch, "done");
    is_str(agent_json_string(obj, "name", 255), "c", "and it is done");
    json_decref(obj);
    is_int(folder_count(), 1, "once");

    fake_channel_free(ch);
    folder_clear();
}


static void
test_wrong(void)
{
    agent_channel_t   *ch = channel(AGENT_WAY_BOTH);
    g_autofree char   *hex = sum("hello", 5);

    say(ch, "{\"type\":\"put\",\"id\":1,\"name\":\"w\",\"key\":\"" KEY
        "\",\"size\":5,\"anew\":true}");
    json_decref(awaited(ch, "ready"));
    piece(ch, 1, 0, "hullo", 5);
    say(ch, "{\"type\":\"end\",\"id\":1,\"sha256\":\"%s\"}", hex);
    hears_error(ch, "hash_mismatch", "another file than was sent");
    is_int(folder_count(), 0, "nothing of it is kept");

    say(ch, "{\"type\":\"put\",\"id\":2,\"name\":\"w\",\"key\":\"" KEY
        "\",\"size\":5}");
    json_decref(awaited(ch, "ready"));
    piece(ch, 2, 1, "ello", 4);
    hears_error(ch, "changed", "a gap");

    say(ch, "{\"type\":\"put\",\"id\":3,\"name\":\"w\",\"key\":\"" KEY
        "\",\"size\":5}");
    json_decref(awaited(ch, "ready"));
    g_ptr_array_set_size(ch->texts, 0);
    piece(ch, 3, 0, "hello!", 6);
    hears_error(ch, "changed", "more than was said");
    is_int(folder_count(), 0, "nothing of it is kept");

    say(ch, "{\"type\":\"put\",\"id\":4,\"name\":\"w\",\"key\":\"" KEY
        "\",\"size\":%d}", (8 << 20) + 1);
    hears_error(ch, "too_large", "too large a file");

    say(ch, "{\"type\":\"get\",\"id\":5,\"name\":\"nothing\"}");
    hears_error(ch, "not_found", "a file that is not there");

    say(ch, "{\"type\":\"fetch\",\"id\":6}");
    ok(!ch->ending && ch->texts->len == 0, "a later version's word: nothing");

    say(ch, "{\"type\":\"get\",\"id\":6,\"name\":\"../secret\"}");
    ok(ch->ending, "a path: closed");
    fake_channel_free(ch);

    ch = channel(AGENT_WAY_BOTH);
    say(ch, "{\"type\":\"list\",\"id\":2}");
    say(ch, "{\"type\":\"list\",\"id\":2}");
    ok(ch->ending, "an id twice: closed");
    fake_channel_free(ch);

    ch = channel(AGENT_WAY_BOTH);
    ch->kind->binary(ch->data, (const guint8 *) "short", 5);
    ok(ch->ending, "bytes that are no piece: closed");
    fake_channel_free(ch);
}


static void
test_cancel(void)
{
    json_t            *obj;
    agent_channel_t   *ch = channel(AGENT_WAY_BOTH);

    say(ch, "{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"key\":\"" KEY
        "\",\"size\":5,\"anew\":true}");
    json_decref(awaited(ch, "ready"));
    piece(ch, 1, 0, "he", 2);
    say(ch, "{\"type\":\"cancel\",\"id\":1,\"keep\":true}");
    is_int(folder_count(), 1, "kept to go on later");
    piece(ch, 1, 2, "llo", 3);

    g_ptr_array_set_size(ch->texts, 0);
    say(ch, "{\"type\":\"put\",\"id\":2,\"name\":\"x\",\"key\":\"" KEY
        "\",\"size\":5}");
    obj = awaited(ch, "ready");
    is_int(json_integer_value(json_object_get(obj, "offset")), 2,
           "what came late does not count");
    json_decref(obj);

    say(ch, "{\"type\":\"cancel\",\"id\":2}");
    is_int(folder_count(), 0, "not kept");
    ok(!ch->ending, "nothing was wrong");
    fake_channel_free(ch);
}


/* what was sent since: its bytes, behind offset; the number of pieces */

static guint
collect(agent_channel_t *ch, guint id, GByteArray *bytes)
{
    guint            i, n = ch->binaries->len;
    gsize            len;
    const void      *data;
    rs_file_piece_t  p;

    for (i = 0; i < n; i++) {
        data = g_bytes_get_data(ch->binaries->pdata[i], &len);

        if (rs_file_piece(data, len, &p) == RS_OK && p.id == id
            && p.offset == bytes->len)
        {
            g_byte_array_append(bytes, p.data, p.len);
        }
    }

    g_ptr_array_set_size(ch->binaries, 0);

    return n;
}


static void
test_get(void)
{
    json_t                  *obj;
    guint                    n;
    agent_channel_t         *ch = channel(AGENT_WAY_FROM_DEVICE);
    g_autofree char         *data = content(LONG);
    g_autofree char         *hex = sum(data, LONG);
    g_autofree char         *half = sum(data, RS_FILE_WINDOW);
    g_autofree char         *path = g_build_filename(dir, "g.bin", NULL);
    g_autoptr(GByteArray)    bytes = g_byte_array_new();

    g_file_set_contents(path, data, LONG, NULL);

    say(ch, "{\"type\":\"list\",\"id\":1}");
    obj = heard(ch, "files");
    is_int(json_array_size(json_object_get(obj, "files")), 1, "a list");
    json_decref(obj);

    say(ch, "{\"type\":\"get\",\"id\":2,\"name\":\"g.bin\"}");
    obj = awaited(ch, "sending");
    is_int(json_integer_value(json_object_get(obj, "size")), LONG, "its size");
    json_decref(obj);

    n = collect(ch, 2, bytes);
    is_int(bytes->len, RS_FILE_WINDOW, "a window, and then it waits");
    is_int(n, RS_FILE_WINDOW / RS_FILE_PIECE_MAX, "in pieces");

    say(ch, "{\"type\":\"ack\",\"id\":2,\"offset\":%d}", LONG);
    say(ch, "{\"type\":\"ack\",\"id\":3,\"offset\":%d}", RS_FILE_WINDOW);
    is_int(collect(ch, 2, bytes), 0, "what was not sent cannot be there");

    ch->buffered = 256 * 1024;
    say(ch, "{\"type\":\"ack\",\"id\":2,\"offset\":%d}", RS_FILE_WINDOW);
    is_int(collect(ch, 2, bytes), 0, "much is unsent: it waits, too");

    ch->buffered = 0;
    ch->kind->drained(ch->data);
    collect(ch, 2, bytes);
    is_int(bytes->len, 2 * RS_FILE_WINDOW, "then it goes on");

    while (collect(ch, 2, bytes) > 0 || bytes->len < LONG) {
        say(ch, "{\"type\":\"ack\",\"id\":2,\"offset\":%u}", bytes->len);

        if (ch->binaries->len == 0) {
            break;
        }
    }

    ok(bytes->len == LONG && memcmp(bytes->data, data, LONG) == 0,
       "all of it");
    obj = heard(ch, "end");
    is_str(agent_json_string(obj, "sha256", 64), hex, "and its hash");
    json_decref(obj);

    /* from somewhere on */

    say(ch, "{\"type\":\"get\",\"id\":4,\"name\":\"g.bin\",\"offset\":%d,"
        "\"sha256\":\"%s\"}", RS_FILE_WINDOW, half);
    g_ptr_array_set_size(ch->texts, 0);
    obj = awaited(ch, "sending");
    is_int(json_integer_value(json_object_get(obj, "offset")),
           RS_FILE_WINDOW, "from the middle on");
    json_decref(obj);
    g_byte_array_set_size(bytes, RS_FILE_WINDOW);
    collect(ch, 4, bytes);
    ok(bytes->len == 2 * RS_FILE_WINDOW
       && memcmp(bytes->data, data, bytes->len) == 0, "the bytes of there");
    say(ch, "{\"type\":\"cancel\",\"id\":4}");
    say(ch, "{\"type\":\"ack\",\"id\":4,\"offset\":%d}", 2 * RS_FILE_WINDOW);
    is_int(collect(ch, 4, bytes), 0, "cancelled: no more of it");

    say(ch, "{\"type\":\"get\",\"id\":5,\"name\":\"g.bin\",\"offset\":%d,"
        "\"sha256\":\"%s\"}", RS_FILE_WINDOW + 1, half);
    hears_error(ch, "changed", "not what the viewer has");

    ok(!ch->ending && folder_count() == 1, "the folder is as it was");
    fake_channel_free(ch);
    folder_clear();
}


static void
test_forbidden(void)
{
    agent_channel_t  *ch = channel(AGENT_WAY_FROM_DEVICE);
    g_autofree char  *path = g_build_filename(dir, "f", NULL);

    say(ch, "{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"key\":\"" KEY
        "\",\"size\":5,\"anew\":true}");
    hears_error(ch, "forbidden", "nothing to the device");
    piece(ch, 1, 0, "hello", 5);
    is_int(folder_count(), 0, "and nothing came");
    fake_channel_free(ch);

    g_file_set_contents(path, "hello", 5, NULL);
    ch = channel(AGENT_WAY_TO_DEVICE);
    say(ch, "{\"type\":\"get\",\"id\":1,\"name\":\"f\"}");
    hears_error(ch, "forbidden", "nothing from the device");
    say(ch, "{\"type\":\"list\",\"id\":2}");
    hears_error(ch, "forbidden", "not even names");
    is_int(ch->binaries->len, 0, "and nothing went");
    fake_channel_free(ch);

    ch = channel(AGENT_WAY_BOTH);
    viewer.way = AGENT_WAY_NONE;
    say(ch, "{\"type\":\"get\",\"id\":1,\"name\":\"f\"}");
    hears_error(ch, "forbidden", "what was allowed once may end");
    fake_channel_free(ch);
    folder_clear();
}


/* a viewer that asks and does not listen */

static void
test_deaf(void)
{
    agent_channel_t  *ch = channel(AGENT_WAY_BOTH);

    ch->buffered = 1 << 20;
    say(ch, "{\"type\":\"list\",\"id\":1}");
    ok(ch->ending, "who does not listen is closed");
    fake_channel_free(ch);
}


int
main(void)
{
    g_autofree char  *top = g_dir_make_tmp("rs-files-XXXXXX", NULL);

    dir = g_build_filename(top, "exchange", NULL);
    viewer.agent.config = &viewer.config;
    viewer.config.files_dir = dir;
    viewer.config.files_max = 8;

    test_hello();
    test_put();
    test_cut();
    test_wrong();
    test_cancel();
    test_get();
    test_forbidden();
    test_deaf();

    g_ptr_array_unref(viewer.agent.arrived);
    g_rmdir(dir);
    g_rmdir(top);
    ok(!g_file_test(top, G_FILE_TEST_EXISTS), "nothing is left");
    g_free(dir);

    return done();
}
