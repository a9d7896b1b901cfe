
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The folder for files: what goes in comes out, nothing of outside is read,
 * nothing is overwritten, and what was cut goes on.
 */

#include "agent_folder.h"
#include "tap.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utime.h>


#define KEY    "00112233445566778899aabbccddeeff"
#define OTHER  "ffeeddccbbaa99887766554433221100"
#define MAX_BYTES  (4 * 1024 * 1024)


static char            *top;
static char            *dir;
static agent_folder_t  *folder;
static gint64           free_bytes = -1;    /* of the disk; -1: what is so */


/* in the place of libc's: a disk that is nearly full */

int
fstatvfs(int fd, struct statvfs *st)
{
    struct statfs  fs;

    if (fstatfs(fd, &fs) != 0) {
        return -1;
    }

    memset(st, 0, sizeof(*st));
    st->f_frsize = (free_bytes < 0) ? (gulong) fs.f_bsize : 1;
    st->f_bavail = (free_bytes < 0) ? fs.f_bavail : (fsblkcnt_t) free_bytes;

    return 0;
}


static rs_str_t
key_of(const char *key)
{
    return (rs_str_t) { (uint8_t *) key, strlen(key) };
}


static char *
inside(const char *name)
{
    return g_build_filename(dir, name, NULL);
}


static gboolean
there(const char *name)
{
    g_autofree char  *path = inside(name);

    return g_file_test(path, G_FILE_TEST_EXISTS)
           || g_file_test(path, G_FILE_TEST_IS_SYMLINK);
}


static void
make(const char *name, const char *text)
{
    g_autofree char  *path = inside(name);

    g_file_set_contents(path, text, -1, NULL);
}


static void
has(const char *name, const char *text, const char *what)
{
    g_autofree char  *path = inside(name);
    g_autofree char  *got = NULL;

    (void) g_file_get_contents(path, &got, NULL, NULL);
    is_str(got, text, what);
}


static void
sha(const char *text, gsize len, uint8_t digest[RS_FILE_DIGEST_LEN])
{
    gsize                  n = RS_FILE_DIGEST_LEN;
    g_autoptr(GChecksum)   sum = g_checksum_new(G_CHECKSUM_SHA256);

    g_checksum_update(sum, (const guchar *) text, len);
    g_checksum_get_digest(sum, digest, &n);
}


static gboolean
same(const agent_file_t *file, const char *text, gsize len)
{
    uint8_t  got[RS_FILE_DIGEST_LEN], want[RS_FILE_DIGEST_LEN];

    agent_file_digest(file, got);
    sha(text, len, want);

    return memcmp(got, want, sizeof(got)) == 0;
}


/* the code of the error, cleared; NULL: none */

static const char *
code_of(GError **error)
{
    const char  *code;

    if (*error == NULL) {
        return NULL;
    }

    code = agent_folder_code(*error);
    ok((*error)->message[0] != '\0', "in words: %s", (*error)->message);
    g_clear_error(error);

    return code;
}


/* the name that text got, or the error's code */

static char *
take(const char *key, const char *name, const char *text)
{
    gsize          len = strlen(text);
    char          *got = NULL;
    GError        *error = NULL;
    uint8_t        digest[RS_FILE_DIGEST_LEN];
    agent_file_t  *file;

    file = agent_folder_put(folder, key_of(key), len, FALSE, &error);

    if (file == NULL) {
        return g_strdup(code_of(&error));
    }

    sha(text, len, digest);

    if ((len == 0 || agent_file_write(file, 0, text, len, &error))
        && agent_file_finish(file, key_of(name), 1000000000, digest, &got,
                             &error))
    {
        agent_file_free(file, FALSE);
        return got;
    }

    agent_file_free(file, FALSE);

    return g_strdup(code_of(&error));
}


static void
taken(const char *name, const char *text, const char *want)
{
    g_autofree char  *got = take(KEY, name, text);

    is_str(got, want, want);
}


static void
test_put(void)
{
    struct stat        st;
    g_autofree char   *path = inside("a.txt");

    taken("a.txt", "hello", "a.txt");
    has("a.txt", "hello", "its content");

    ok(stat(path, &st) == 0 && st.st_mtime == 1000000000, "its time");
    ok((st.st_mode & 0133) == 0, "nobody else writes it, nobody runs it");
    ok(!there(".rs-" KEY ".part"), "nothing else is left");

    taken("a.txt", "again", "a (1).txt");
    taken("a.txt", "again", "a (2).txt");
    has("a.txt", "hello", "nothing was overwritten");
    taken("empty", "", "empty");
    has("empty", "", "an empty file");
}


static void
test_names_taken(void)
{
    int    n;

    make("n", "");

    for (n = 1; n <= 99; n++) {
        g_autofree char  *name = g_strdup_printf("n (%d)", n);

        make(name, "");
    }

    taken("n", "x", "exists");
    ok(!there(".rs-" KEY ".part"), "and nothing is left");

    for (n = 1; n <= 99; n++) {
        g_autofree char  *name = g_strdup_printf("n (%d)", n);
        g_autofree char  *path = inside(name);

        g_unlink(path);
    }
}


static void
test_resume(void)
{
    char          *got = NULL;
    GError        *error = NULL;
    uint8_t        digest[RS_FILE_DIGEST_LEN];
    gboolean       more;
    agent_file_t  *file, *second;

    file = agent_folder_put(folder, key_of(KEY), 10, FALSE, &error);
    ok(file != NULL && agent_file_offset(file) == 0, "nothing of it there");
    ok(agent_file_write(file, 0, "01234", 5, &error)
       && agent_file_offset(file) == 5, "half of it");

    second = agent_folder_put(folder, key_of(KEY), 10, FALSE, &error);
    ok(second == NULL, "two at once: refused");
    is_str(code_of(&error), "busy", "as busy");

    agent_file_free(file, TRUE);
    ok(there(".rs-" KEY ".part"), "kept");

    file = agent_folder_put(folder, key_of(KEY), 10, FALSE, &error);
    ok(file != NULL && agent_file_offset(file) == 5, "goes on in the middle");

    ok(!agent_file_write(file, 5, "56789", 5, &error),
       "not before it is hashed");
    is_str(code_of(&error), "changed", "which is told");

    ok(agent_file_catch_up(file, &more, &error) && !more, "it is hashed");
    ok(same(file, "01234", 5), "as far as it goes");

    ok(!agent_file_write(file, 4, "4", 1, &error), "not before the offset");
    is_str(code_of(&error), "changed", "which is told");
    ok(!agent_file_write(file, 6, "6", 1, &error), "nor behind it");
    is_str(code_of(&error), "changed", "which is told");
    ok(!agent_file_write(file, 5, "56789a", 6, &error), "nor beyond the end");
    is_str(code_of(&error), "changed", "which is told");

    sha("01234", 5, digest);
    ok(!agent_file_finish(file, key_of("r"), 0, digest, &got, &error),
       "no name for half of it");
    is_str(code_of(&error), "changed", "which is told");

    ok(agent_file_write(file, 5, "56789", 5, &error), "the other half");
    ok(!agent_file_finish(file, key_of("r"), 0, digest, &got, &error),
       "another hash");
    is_str(code_of(&error), "hash_mismatch", "which is told");
    ok(!there("r"), "has no name");

    sha("0123456789", 10, digest);
    ok(agent_file_finish(file, key_of("r"), 0, digest, &got, &error),
       "the right hash");
    agent_file_free(file, FALSE);
    g_free(got);
    has("r", "0123456789", "all of it");
}


static void
test_anew(void)
{
    GError        *error = NULL;
    agent_file_t  *file;

    file = agent_folder_put(folder, key_of(KEY), 10, FALSE, &error);
    ok(agent_file_write(file, 0, "01234567", 8, &error), "most of it");
    agent_file_free(file, TRUE);

    file = agent_folder_put(folder, key_of(KEY), 5, FALSE, &error);
    ok(file != NULL && agent_file_offset(file) == 0,
       "more than the file has is none of it");
    ok(agent_file_write(file, 0, "012", 3, &error), "some");
    agent_file_free(file, TRUE);

    file = agent_folder_put(folder, key_of(KEY), 5, TRUE, &error);
    ok(file != NULL && agent_file_offset(file) == 0, "anew");
    agent_file_free(file, FALSE);
    ok(!there(".rs-" KEY ".part"), "not kept: removed");
}


/* content of more than one step, so that catching up takes several */

static void
test_long(void)
{
    guint             steps;
    gsize             len = 2 * AGENT_FOLDER_STEP + 7, i;
    gboolean          more;
    GError           *error = NULL;
    agent_file_t     *file;
    g_autofree char  *text = g_malloc(len);
    g_autofree char  *back = g_malloc(len);

    for (i = 0; i < len; i++) {
        text[i] = (char) (i * 7);
    }

    file = agent_folder_put(folder, key_of(KEY), len, FALSE, &error);
    ok(agent_file_write(file, 0, text, len, &error), "a long one");
    agent_file_free(file, TRUE);

    file = agent_folder_put(folder, key_of(KEY), len, FALSE, &error);
    steps = 0;

    do {
        steps++;
        more = FALSE;
    } while (agent_file_catch_up(file, &more, &error) && more);

    is_int(steps, 3, "hashed in steps");
    ok(error == NULL && same(file, text, len), "all of it");
    agent_file_free(file, FALSE);

    make("long", "");
    {
        g_autofree char  *path = inside("long");

        g_file_set_contents(path, text, len, NULL);
    }

    file = agent_folder_get(folder, key_of("long"), AGENT_FOLDER_STEP,
                            &error);
    ok(file != NULL && agent_file_size(file) == (gint64) len
       && agent_file_mtime(file) > 0, "read from the middle on");

    do {
        more = FALSE;
    } while (agent_file_catch_up(file, &more, &error) && more);

    ok(same(file, text, AGENT_FOLDER_STEP), "what was before");
    is_int(agent_file_read(file, back, len, &error),
           AGENT_FOLDER_STEP + 7, "the rest");
    ok(memcmp(back, text + AGENT_FOLDER_STEP, AGENT_FOLDER_STEP + 7) == 0,
       "its bytes");
    is_int(agent_file_read(file, back, len, &error), 0, "then the end");
    ok(same(file, text, len), "and the hash of the whole");
    agent_file_free(file, FALSE);
    ok(there("long"), "what was read is still there");

    file = agent_folder_get(folder, key_of("long"), len + 1, &error);
    ok(file == NULL, "from beyond the end on: refused");
    is_str(code_of(&error), "changed", "as changed");
}


static void
not_there(const char *name, const char *what)
{
    GError        *error = NULL;
    agent_file_t  *file;

    file = agent_folder_get(folder, key_of(name), 0, &error);

    if (ok(file == NULL, "%s: not read", what)) {
        is_str(code_of(&error), "not_found", "as if it was not there");

    } else {
        agent_file_free(file, TRUE);
    }
}


static void
test_hostile(void)
{
    GError                *error = NULL;
    agent_file_t          *file;
    g_autofree char       *secret = g_build_filename(top, "secret", NULL);
    g_autofree char       *link = inside("link");
    g_autofree char       *hard = inside(".rs-" OTHER ".part");
    g_autofree char       *pipe = inside("pipe");
    g_autofree char       *part = inside(".rs-" KEY ".part");
    g_autofree char       *sub = inside("sub");
    g_autofree char       *text = NULL;
    g_autofree char       *again = NULL;

    g_file_set_contents(secret, "secret", -1, NULL);

    not_there("../secret", "a path upwards");
    not_there(secret, "an absolute path");
    not_there("..", "the folder above");
    not_there(".", "the folder");
    not_there("nothing", "what is not there");

    ok(symlink("../secret", link) == 0, "a link to the outside");
    not_there("link", "a link");
    ok(mkfifo(pipe, 0600) == 0, "a pipe");
    not_there("pipe", "a pipe");
    ok(g_mkdir(sub, 0700) == 0, "a folder");
    not_there("sub", "a folder");

    /* somebody was there before the agent */

    ok(symlink("../secret", part) == 0, "a link in the file's place");
    file = agent_folder_put(folder, key_of(KEY), 5, TRUE, &error);
    ok(file == NULL, "is not written through");
    is_str(code_of(&error), "io", "which is told");
    g_unlink(part);

    ok(linkat(AT_FDCWD, secret, AT_FDCWD, hard, 0) == 0,
       "a second name in the file's place");
    file = agent_folder_put(folder, key_of(OTHER), 5, TRUE, &error);
    ok(file == NULL, "is not written through");
    is_str(code_of(&error), "busy", "which is told");
    g_unlink(hard);

    (void) g_file_get_contents(secret, &text, NULL, NULL);
    is_str(text, "secret", "what is outside is as it was");

    /* a link where the name should be */

    taken("link", "hello", "link (1)");
    (void) g_file_get_contents(secret, &again, NULL, NULL);
    is_str(again, "secret", "and still is");
}


static void
test_limits(void)
{
    GError           *error = NULL;
    agent_file_t     *file;
    agent_folder_t   *wide;

    file = agent_folder_put(folder, key_of(KEY), MAX_BYTES + 1, FALSE,
                            &error);
    ok(file == NULL, "a byte more than is allowed");
    is_str(code_of(&error), "too_large", "as too large");

    file = agent_folder_put(folder, key_of(KEY), MAX_BYTES, FALSE, &error);
    ok(file != NULL, "as much as is allowed");
    agent_file_free(file, FALSE);

    wide = agent_folder_new(dir, RS_FILE_SIZE_MAX, &error);
    file = agent_folder_put(wide, key_of(KEY), RS_FILE_SIZE_MAX, FALSE,
                            &error);
    ok(file == NULL, "more than the disk has");
    is_str(code_of(&error), "no_space", "as no space");
    ok(!there(".rs-" KEY ".part"), "and nothing is left");
    agent_folder_free(wide);

    wide = agent_folder_new(dir, 3, &error);
    file = agent_folder_get(wide, key_of("a.txt"), 0, &error);
    ok(file == NULL, "out of the folder, larger than is allowed");
    is_str(code_of(&error), "too_large", "as too large");
    agent_folder_free(wide);

    wide = agent_folder_new("/nonexistent/folder", 3, &error);
    ok(wide == NULL, "a folder that cannot be made");
    is_str(code_of(&error), "not_found", "is told");
}


/* each of two files has room, both of them have not */

static void
test_room(void)
{
    GError            *error = NULL;
    agent_file_t      *one, *two;
    g_autofree char   *text = g_malloc0(AGENT_FOLDER_STEP);

    free_bytes = AGENT_FOLDER_SPARE + MAX_BYTES;

    one = agent_folder_put(folder, key_of(KEY), MAX_BYTES, FALSE, &error);
    two = agent_folder_put(folder, key_of(OTHER), MAX_BYTES, FALSE, &error);
    ok(one != NULL && two != NULL, "two files with room for one");

    ok(agent_file_write(one, 0, text, AGENT_FOLDER_STEP, &error),
       "a step of the one");
    free_bytes -= AGENT_FOLDER_STEP;

    ok(!agent_file_write(two, 0, text, AGENT_FOLDER_STEP, &error),
       "none of the other");
    is_str(code_of(&error), "no_space", "for want of space");
    agent_file_free(two, FALSE);

    ok(agent_file_write(one, AGENT_FOLDER_STEP, text, AGENT_FOLDER_STEP,
                        &error), "the one goes on");

    free_bytes = AGENT_FOLDER_SPARE;
    ok(!agent_file_write(one, 2 * AGENT_FOLDER_STEP, text, 1, &error),
       "until somebody else fills the disk");
    is_str(code_of(&error), "no_space", "which is told");
    agent_file_free(one, FALSE);

    free_bytes = -1;
}


static void
test_parts(void)
{
    int             i;
    GError         *error = NULL;
    char            key[33];
    agent_file_t   *open[AGENT_FOLDER_PARTS], *file;
    struct utimbuf  old = { 1000, 1000 };

    make(".rs-" OTHER ".part", "old");
    {
        g_autofree char  *path = inside(".rs-" OTHER ".part");

        ok(utime(path, &old) == 0, "a part of long ago");
    }

    for (i = 0; i < AGENT_FOLDER_PARTS; i++) {
        g_snprintf(key, sizeof(key), "%032x", i);
        open[i] = agent_folder_put(folder, key_of(key), 5, FALSE, &error);

        if (open[i] == NULL) {
            break;
        }
    }

    is_int(i, AGENT_FOLDER_PARTS, "as many at once as may be");
    ok(!there(".rs-" OTHER ".part"), "the old one is gone");

    file = agent_folder_put(folder, key_of(KEY), 5, FALSE, &error);
    ok(file == NULL, "one more");
    is_str(code_of(&error), "busy", "is too many");

    agent_file_free(open[3], TRUE);
    file = agent_folder_put(folder, key_of(KEY), 5, FALSE, &error);
    ok(file != NULL, "one that is not open makes room");
    ok(!there(".rs-00000000000000000000000000000003.part"), "by going");
    agent_file_free(file, FALSE);

    for (i = 0; i < AGENT_FOLDER_PARTS; i++) {
        if (i != 3) {
            agent_file_free(open[i], FALSE);
        }
    }
}


static void
test_list(void)
{
    int              i;
    GError          *error = NULL;
    json_t          *files;
    rs_str_t         after = RS_STR("");
    gboolean         more;
    agent_folder_t  *other;
    g_autofree char *path = g_build_filename(top, "list", NULL);
    g_autofree char *link = g_build_filename(path, "link", NULL);
    g_autofree char *sub = g_build_filename(path, "sub", NULL);

    other = agent_folder_new(path, MAX_BYTES, &error);
    is_str(agent_folder_name(other), "list", "a folder is made");

    files = agent_folder_list(other, after, &more, &error);
    ok(json_array_size(files) == 0 && !more, "empty");
    json_decref(files);

    for (i = 0; i < AGENT_FOLDER_LIST + 5; i++) {
        g_autofree char  *name = g_strdup_printf("f%03d", i);
        g_autofree char  *full = g_build_filename(path, name, NULL);

        g_file_set_contents(full, "abc", i % 4, NULL);
    }

    {
        g_autofree char  *hidden = g_build_filename(path, ".hidden", NULL);
        g_autofree char  *odd = g_build_filename(path, "a\nb", NULL);
        g_autofree char  *bytes = g_build_filename(path, "a\xff", NULL);

        g_file_set_contents(hidden, "", 0, NULL);
        g_file_set_contents(odd, "", 0, NULL);
        g_file_set_contents(bytes, "", 0, NULL);
    }

    ok(symlink("f000", link) == 0 && g_mkdir(sub, 0700) == 0,
       "and what is no regular file");

    files = agent_folder_list(other, after, &more, &error);
    ok(json_array_size(files) == AGENT_FOLDER_LIST && more, "the first ones");
    is_str(json_string_value(json_object_get(json_array_get(files, 0),
                                             "name")), "f000", "in order");
    is_int(json_integer_value(json_object_get(json_array_get(files, 3),
                                              "size")), 3, "their sizes");
    json_decref(files);

    files = agent_folder_list(other, RS_STR("f099"), &more, &error);
    ok(json_array_size(files) == 5 && !more, "the others");
    is_str(json_string_value(json_object_get(json_array_get(files, 4),
                                             "name")), "f104",
           "nothing but regular files with names");
    json_decref(files);

    agent_folder_free(other);
}


static void
remove_all(const char *path)
{
    GDir        *d;
    const char  *name;

    d = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL
                                                  : g_dir_open(path, 0, NULL);
    while (d != NULL && (name = g_dir_read_name(d)) != NULL) {
        g_autofree char  *full = g_build_filename(path, name, NULL);

        remove_all(full);
    }

    g_clear_pointer(&d, g_dir_close);
    g_remove(path);
}


int
main(void)
{
    GError  *error = NULL;

    top = g_dir_make_tmp("rs-folder-XXXXXX", NULL);
    dir = g_build_filename(top, "files", NULL);
    folder = agent_folder_new(dir, MAX_BYTES, &error);

    ok(folder != NULL, "the folder is made");

    test_put();
    test_names_taken();
    test_resume();
    test_anew();
    test_long();
    test_hostile();
    test_limits();
    test_room();
    test_parts();
    test_list();

    agent_folder_free(folder);
    remove_all(top);
    ok(!g_file_test(top, G_FILE_TEST_EXISTS), "nothing is left");
    g_free(dir);
    g_free(top);

    return done();
}
