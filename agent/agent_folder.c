
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns every call that touches the folder of agent.conf.
 *
 * The folder is opened once, and everything is done relative to that: a name
 * is one part of a path (rs_file_check_name), links are not followed, and
 * what is not a regular file is not there.  Others may write to the folder,
 * so what was found is looked at after it was opened, never before.
 *
 * What arrives gathers in .rs-<key>.part, which is locked by whoever has it
 * open and gets its name by a rename that replaces nothing.
 */

#define G_LOG_DOMAIN  "rs-folder"

#define _GNU_SOURCE             /* renameat2() */

#include "agent_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>


#define AGENT_FOLDER_MODE  0644         /* umask narrows it */


struct agent_folder_s {
    int     fd;
    char   *name;
    gint64  max;
};


struct agent_file_s {
    int          dir;           /* its own descriptor of the folder */
    int          fd;
    char        *part;          /* name as long as it has no other */
    EVP_MD_CTX  *hash;          /* of what is before hashed */
    gint64       hashed;
    gint64       offset;
    gint64       roomy;         /* up to where there was room for the rest */
    gint64       size;
    gint64       mtime;
};


typedef struct {
    char    *name;
    gint64   mtime;
} agent_part_t;


static gboolean agent_folder_fail(GError **error, int err, const char *what);
static int agent_folder_order(gconstpointer a, gconstpointer b);
static GPtrArray *agent_folder_scan(agent_folder_t *folder, rs_str_t after,
    GError **error);
static gboolean agent_folder_regular(agent_folder_t *folder,
    const struct dirent *entry);
static gboolean agent_folder_tidy(agent_folder_t *folder, const char *part,
    GError **error);
static int agent_folder_older(gconstpointer a, gconstpointer b);
static void agent_part_clear(gpointer data);
static gboolean agent_folder_remove(agent_folder_t *folder,
    const char *part);
static gboolean agent_folder_room(int dir, gint64 bytes, GError **error);
static agent_file_t *agent_file_new(agent_folder_t *folder, int fd,
    GError **error);
static gboolean agent_file_look(agent_file_t *file, struct stat *st,
    GError **error);
static gboolean agent_file_hash(agent_file_t *file, const void *data,
    gsize len, GError **error);
static gboolean agent_file_rename(agent_file_t *file, const char *name,
    GError **error);


G_DEFINE_QUARK(agent-folder-error-quark, agent_folder_error)


const char *
agent_folder_code(const GError *error)
{
    static const char *const  codes[] = {
        "io", "not_found", "too_large", "no_space", "busy", "exists",
        "changed", "hash_mismatch"
    };

    g_return_val_if_fail(error->domain == AGENT_FOLDER_ERROR
                         && (guint) error->code < G_N_ELEMENTS(codes),
                         codes[0]);

    return codes[error->code];
}


/* what: "cannot be written"; always FALSE */

static gboolean
agent_folder_fail(GError **error, int err, const char *what)
{
    agent_folder_error_e  code;

    switch (err) {

    case ENOENT:
    case ELOOP:
    case ENXIO:
    case ENOTDIR:
        code = AGENT_FOLDER_NOT_FOUND;
        break;

    case ENOSPC:
    case EDQUOT:
        code = AGENT_FOLDER_NO_SPACE;
        break;

    case EFBIG:
        code = AGENT_FOLDER_TOO_LARGE;
        break;

    default:
        code = AGENT_FOLDER_IO;
    }

    g_set_error(error, AGENT_FOLDER_ERROR, code, "%s: %s", what,
                g_strerror(err));

    return FALSE;
}


agent_folder_t *
agent_folder_new(const char *path, gint64 max, GError **error)
{
    int              fd;
    agent_folder_t  *folder;

    if (g_mkdir(path, 0755) != 0 && errno != EEXIST) {
        agent_folder_fail(error, errno, "the folder for files cannot be made");
        return NULL;
    }

    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        agent_folder_fail(error, errno,
                          "the folder for files cannot be opened");
        return NULL;
    }

    folder = g_new0(agent_folder_t, 1);
    folder->fd = fd;
    folder->name = g_path_get_basename(path);
    folder->max = max;

    return folder;
}


void
agent_folder_free(agent_folder_t *folder)
{
    close(folder->fd);
    g_free(folder->name);
    g_free(folder);
}


const char *
agent_folder_name(const agent_folder_t *folder)
{
    return folder->name;
}


static int
agent_folder_order(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


json_t *
agent_folder_list(agent_folder_t *folder, rs_str_t after, gboolean *more,
    GError **error)
{
    guint                  i;
    json_t                *files;
    const char            *name;
    struct stat            st;
    g_autoptr(GPtrArray)   names = NULL;

    names = agent_folder_scan(folder, after, error);

    if (names == NULL) {
        return NULL;
    }

    g_ptr_array_sort(names, agent_folder_order);
    files = json_array();

    for (i = 0; i < names->len; i++) {

        if (json_array_size(files) == AGENT_FOLDER_LIST) {
            break;
        }

        name = names->pdata[i];

        if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0
            || !S_ISREG(st.st_mode))
        {
            continue;
        }

        json_array_append_new(files,
            json_pack("{s:s, s:I, s:I}", "name", name,
                      "size", (json_int_t) st.st_size,
                      "mtime", (json_int_t) MAX(st.st_mtime, 0)));
    }

    *more = (i < names->len);

    return files;
}


static GPtrArray *
agent_folder_scan(agent_folder_t *folder, rs_str_t after, GError **error)
{
    int                    fd;
    DIR                   *dir;
    guint                  n;
    rs_str_t               name;
    struct dirent         *entry;
    g_autofree char       *from = NULL;
    g_autoptr(GPtrArray)   names = NULL;

    fd = openat(folder->fd, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    dir = (fd == -1) ? NULL : fdopendir(fd);

    if (dir == NULL) {
        agent_folder_fail(error, errno, "the folder for files cannot be read");

        if (fd != -1) {
            close(fd);
        }

        return NULL;
    }

    names = g_ptr_array_new_with_free_func(g_free);
    from = g_strndup((const char *) after.data, after.len);

    for (n = 0; n < AGENT_FOLDER_SCAN; n++) {
        entry = readdir(dir);

        if (entry == NULL) {
            break;
        }

        name = rs_str(entry->d_name);

        if (rs_file_check_name(name) == RS_OK
            && strcmp(entry->d_name, from) > 0
            && agent_folder_regular(folder, entry))
        {
            g_ptr_array_add(names, g_strdup(entry->d_name));
        }
    }

    closedir(dir);

    return g_steal_pointer(&names);
}


static gboolean
agent_folder_regular(agent_folder_t *folder, const struct dirent *entry)
{
    struct stat  st;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_REG;
    }

    return fstatat(folder->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISREG(st.st_mode);
}


/* unfinished files: none that is too old, and room for part */

static gboolean
agent_folder_tidy(agent_folder_t *folder, const char *part, GError **error)
{
    int                 fd;
    DIR                *dir;
    guint               i, left;
    gint64              old;
    GArray             *parts;
    struct stat         st;
    agent_part_t        one;
    struct dirent      *entry;

    fd = openat(folder->fd, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    dir = (fd == -1) ? NULL : fdopendir(fd);

    if (dir == NULL) {
        agent_folder_fail(error, errno, "the folder for files cannot be read");

        if (fd != -1) {
            close(fd);
        }

        return FALSE;
    }

    parts = g_array_new(FALSE, FALSE, sizeof(agent_part_t));
    g_array_set_clear_func(parts, agent_part_clear);

    while ((entry = readdir(dir)) != NULL) {

        if (g_str_has_prefix(entry->d_name, ".rs-")
            && g_str_has_suffix(entry->d_name, ".part")
            && strcmp(entry->d_name, part) != 0
            && parts->len < AGENT_FOLDER_SCAN
            && fstatat(folder->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW)
               == 0
            && S_ISREG(st.st_mode))
        {
            one.name = g_strdup(entry->d_name);
            one.mtime = st.st_mtime;
            g_array_append_val(parts, one);
        }
    }

    closedir(dir);
    g_array_sort(parts, agent_folder_older);

    left = parts->len;
    old = g_get_real_time() / G_USEC_PER_SEC - AGENT_FOLDER_AGE_S;

    for (i = 0; i < parts->len; i++) {
        one = g_array_index(parts, agent_part_t, i);

        if ((one.mtime < old || left >= AGENT_FOLDER_PARTS)
            && agent_folder_remove(folder, one.name))
        {
            left--;
        }
    }

    g_array_unref(parts);

    if (left >= AGENT_FOLDER_PARTS) {
        g_set_error(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_BUSY,
                    "%u files are on their way to this device already", left);
        return FALSE;
    }

    return TRUE;
}


static int
agent_folder_older(gconstpointer a, gconstpointer b)
{
    const agent_part_t  *one = a, *two = b;

    return (one->mtime > two->mtime) - (one->mtime < two->mtime);
}


static void
agent_part_clear(gpointer data)
{
    agent_part_t  *part = data;

    g_free(part->name);
}


/* FALSE: somebody has it open, or it cannot be removed */

static gboolean
agent_folder_remove(agent_folder_t *folder, const char *part)
{
    int       fd;
    gboolean  removed;

    fd = openat(folder->fd, part,
                O_RDWR|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd == -1) {
        return FALSE;
    }

    removed = flock(fd, LOCK_EX|LOCK_NB) == 0
              && unlinkat(folder->fd, part, 0) == 0;
    close(fd);

    if (removed) {
        g_info("an unfinished file is removed: %s", part);
    }

    return removed;
}


static gboolean
agent_folder_room(int dir, gint64 bytes, GError **error)
{
    guint64         room;
    struct statvfs  st;

    if (fstatvfs(dir, &st) != 0) {
        return agent_folder_fail(error, errno,
                                 "the free space is not known");
    }

    room = (guint64) st.f_bavail * st.f_frsize;

    if (room < (guint64) bytes + AGENT_FOLDER_SPARE) {
        g_set_error(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_NO_SPACE,
                    "the device has %" G_GUINT64_FORMAT " MB free, and the "
                    "file needs %" G_GINT64_FORMAT " and leaves %d",
                    room / 1000000, bytes / 1000000,
                    AGENT_FOLDER_SPARE / 1000000);
        return FALSE;
    }

    return TRUE;
}


/* takes fd over, whatever happens */

static agent_file_t *
agent_file_new(agent_folder_t *folder, int fd, GError **error)
{
    agent_file_t  *file;

    file = g_new0(agent_file_t, 1);
    file->fd = fd;
    file->dir = fcntl(folder->fd, F_DUPFD_CLOEXEC, 3);
    file->hash = EVP_MD_CTX_new();

    if (file->dir == -1 || file->hash == NULL
        || EVP_DigestInit_ex(file->hash, EVP_sha256(), NULL) != 1)
    {
        agent_folder_fail(error, EMFILE, "a file cannot be opened");
        agent_file_free(file, TRUE);
        return NULL;
    }

    return file;
}


void
agent_file_free(agent_file_t *file, gboolean keep)
{
    if (file->part != NULL && !keep) {
        (void) unlinkat(file->dir, file->part, 0);
    }

    close(file->fd);

    if (file->dir != -1) {
        close(file->dir);
    }

    EVP_MD_CTX_free(file->hash);
    g_free(file->part);
    g_free(file);
}


static gboolean
agent_file_look(agent_file_t *file, struct stat *st, GError **error)
{
    if (fstat(file->fd, st) != 0) {
        return agent_folder_fail(error, errno, "the file cannot be read");
    }

    if (!S_ISREG(st->st_mode)) {
        return agent_folder_fail(error, ENOENT, "not a regular file");
    }

    return TRUE;
}


agent_file_t *
agent_folder_put(agent_folder_t *folder, rs_str_t key, gint64 size,
    gboolean anew, GError **error)
{
    int               fd;
    struct stat       st;
    agent_file_t     *file;
    g_autofree char  *part = NULL;

    if (size > folder->max) {
        g_set_error(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_TOO_LARGE,
                    "%" G_GINT64_FORMAT " bytes, and the device takes files "
                    "of %" G_GINT64_FORMAT, size, folder->max);
        return NULL;
    }

    part = g_strdup_printf(".rs-%.*s.part", (int) key.len, key.data);

    if (!agent_folder_tidy(folder, part, error)) {
        return NULL;
    }

    fd = openat(folder->fd, part, O_RDWR|O_CREAT|O_NOFOLLOW|O_NONBLOCK
                                  |O_NOCTTY|O_CLOEXEC, AGENT_FOLDER_MODE);
    if (fd == -1) {
        agent_folder_fail(error, errno == ELOOP ? EACCES : errno,
                          "the file cannot be made");
        return NULL;
    }

    file = agent_file_new(folder, fd, error);

    if (file == NULL) {
        return NULL;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) != 0) {
        g_set_error_literal(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_BUSY,
                            "the file is being written already");
        goto failed;
    }

    if (!agent_file_look(file, &st, error)) {
        goto failed;
    }

    /* somebody else's, with a second name, or removed before the lock */

    if (st.st_uid != geteuid() || st.st_nlink != 1) {
        g_set_error_literal(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_BUSY,
                            "what was left of the file is not the agent's");
        goto failed;
    }

    if (anew || st.st_size > size) {
        st.st_size = 0;

        if (ftruncate(fd, 0) != 0) {
            agent_folder_fail(error, errno, "the file cannot be written");
            goto failed;
        }
    }

    file->part = g_steal_pointer(&part);
    file->size = size;
    file->offset = st.st_size;

    if (!agent_folder_room(folder->fd, size - st.st_size, error)) {
        agent_file_free(file, st.st_size > 0);
        return NULL;
    }

    return file;

failed:

    agent_file_free(file, TRUE);

    return NULL;
}


agent_file_t *
agent_folder_get(agent_folder_t *folder, rs_str_t name, gint64 offset,
    GError **error)
{
    int               fd;
    struct stat       st;
    agent_file_t     *file;
    g_autofree char  *text = NULL;

    if (rs_file_check_name(name) != RS_OK) {
        agent_folder_fail(error, ENOENT, "not a file's name");
        return NULL;
    }

    text = g_strndup((const char *) name.data, name.len);

    fd = openat(folder->fd, text,
                O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd == -1) {
        agent_folder_fail(error, errno, "the file cannot be opened");
        return NULL;
    }

    file = agent_file_new(folder, fd, error);

    if (file == NULL) {
        return NULL;
    }

    if (!agent_file_look(file, &st, error)) {
        agent_file_free(file, TRUE);
        return NULL;
    }

    file->size = st.st_size;
    file->mtime = MAX(st.st_mtime, 0);
    file->offset = offset;

    if (st.st_size > folder->max || offset > st.st_size) {
        g_set_error(error, AGENT_FOLDER_ERROR,
                    offset > st.st_size ? AGENT_FOLDER_CHANGED
                                        : AGENT_FOLDER_TOO_LARGE,
                    "the file has %" G_GINT64_FORMAT " bytes",
                    (gint64) st.st_size);
        agent_file_free(file, TRUE);
        return NULL;
    }

    return file;
}


gint64
agent_file_size(const agent_file_t *file)
{
    return file->size;
}


gint64
agent_file_mtime(const agent_file_t *file)
{
    return file->mtime;
}


gint64
agent_file_offset(const agent_file_t *file)
{
    return file->offset;
}


gboolean
agent_file_catch_up(agent_file_t *file, gboolean *more, GError **error)
{
    gsize               want;
    ssize_t             n;
    g_autofree guchar  *data = NULL;

    want = MIN(file->offset - file->hashed, AGENT_FOLDER_STEP);

    if (want > 0) {
        data = g_malloc(want);
        n = pread(file->fd, data, want, file->hashed);

        if (n <= 0) {
            return agent_folder_fail(error, n == 0 ? EIO : errno,
                                     "the file cannot be read");
        }

        if (!agent_file_hash(file, data, n, error)) {
            return FALSE;
        }
    }

    *more = (file->hashed < file->offset);

    return TRUE;
}


static gboolean
agent_file_hash(agent_file_t *file, const void *data, gsize len,
    GError **error)
{
    if (EVP_DigestUpdate(file->hash, data, len) != 1) {
        return agent_folder_fail(error, ENOMEM, "the file cannot be hashed");
    }

    file->hashed += len;

    return TRUE;
}


void
agent_file_digest(const agent_file_t *file,
    uint8_t sha256[RS_FILE_DIGEST_LEN])
{
    EVP_MD_CTX  *copy;

    copy = EVP_MD_CTX_new();

    /* as an allocation that fails */

    if (copy == NULL || EVP_MD_CTX_copy_ex(copy, file->hash) != 1
        || EVP_DigestFinal_ex(copy, sha256, NULL) != 1)
    {
        g_error("OpenSSL cannot hash");
    }

    EVP_MD_CTX_free(copy);
}


gboolean
agent_file_write(agent_file_t *file, gint64 offset, const void *data,
    gsize len, GError **error)
{
    gsize        done;
    ssize_t      n;
    const char  *p = data;

    if (offset != file->offset || file->hashed != file->offset
        || (gint64) len > file->size - offset)
    {
        g_set_error(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_CHANGED,
                    "%" G_GSIZE_FORMAT " bytes at %" G_GINT64_FORMAT
                    " do not go on at %" G_GINT64_FORMAT " of %"
                    G_GINT64_FORMAT, len, offset, file->offset, file->size);
        return FALSE;
    }

    /* others write, too: what was free in the beginning may be so no more */

    if (offset >= file->roomy) {

        if (!agent_folder_room(file->dir, file->size - offset, error)) {
            return FALSE;
        }

        file->roomy = offset + AGENT_FOLDER_STEP;
    }

    for (done = 0; done < len; done += n) {
        n = pwrite(file->fd, p + done, len - done, offset + done);

        if (n == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n <= 0) {
            return agent_folder_fail(error, n == 0 ? ENOSPC : errno,
                                     "the file cannot be written");
        }
    }

    file->offset += len;

    return agent_file_hash(file, data, len, error);
}


gssize
agent_file_read(agent_file_t *file, void *data, gsize size, GError **error)
{
    ssize_t  n;

    size = MIN((gint64) size, file->size - file->offset);

    if (size == 0) {
        return 0;
    }

    n = pread(file->fd, data, size, file->offset);

    if (n == -1) {
        agent_folder_fail(error, errno, "the file cannot be read");
        return -1;
    }

    if (n == 0) {
        g_set_error_literal(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_CHANGED,
                            "the file became shorter");
        return -1;
    }

    file->offset += n;

    return agent_file_hash(file, data, n, error) ? n : -1;
}


gboolean
agent_file_finish(agent_file_t *file, rs_str_t name, gint64 mtime,
    const uint8_t sha256[RS_FILE_DIGEST_LEN], char **got, GError **error)
{
    guint                  n;
    gsize                  len;
    uint8_t                digest[RS_FILE_DIGEST_LEN];
    struct timespec        times[2];
    g_autofree char       *text = NULL;
    g_autoptr(GError)      taken = NULL;

    if (file->offset != file->size) {
        g_set_error(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_CHANGED,
                    "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " bytes came",
                    file->offset, file->size);
        return FALSE;
    }

    agent_file_digest(file, digest);

    if (memcmp(digest, sha256, sizeof(digest)) != 0) {
        g_set_error_literal(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_MISMATCH,
                            "the file that came is not the one that was "
                            "sent");
        return FALSE;
    }

    if (mtime > 0) {
        times[0].tv_sec = 0;
        times[0].tv_nsec = UTIME_OMIT;
        times[1].tv_sec = mtime;
        times[1].tv_nsec = 0;
        (void) futimens(file->fd, times);
    }

    if (fsync(file->fd) != 0) {
        return agent_folder_fail(error, errno, "the file cannot be written");
    }

    text = g_malloc(RS_FILE_NAME_MAX + 9);

    for (n = 0; n <= 99; n++) {

        if (n == 0) {
            memcpy(text, name.data, name.len);
            len = name.len;

        } else {
            len = rs_file_numbered((uint8_t *) text, name, n);
        }

        text[len] = '\0';

        g_clear_error(&taken);

        if (agent_file_rename(file, text, &taken)) {
            g_clear_pointer(&file->part, g_free);
            (void) fsync(file->dir);
            *got = g_steal_pointer(&text);
            return TRUE;
        }

        if (!g_error_matches(taken, AGENT_FOLDER_ERROR, AGENT_FOLDER_EXISTS)) {
            break;
        }
    }

    g_propagate_error(error, g_steal_pointer(&taken));

    return FALSE;
}


/* not every file system knows RENAME_NOREPLACE, nor does each know links */

static gboolean
agent_file_rename(agent_file_t *file, const char *name, GError **error)
{
    int  rc;

    rc = renameat2(file->dir, file->part, file->dir, name, RENAME_NOREPLACE);

    if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) {
        rc = linkat(file->dir, file->part, file->dir, name, 0);

        if (rc == 0) {
            (void) unlinkat(file->dir, file->part, 0);
        }
    }

    if (rc == 0) {
        return TRUE;
    }

    if (errno == EEXIST) {
        g_set_error(error, AGENT_FOLDER_ERROR, AGENT_FOLDER_EXISTS,
                    "the folder has \"%s\", and 99 more of that name", name);
        return FALSE;
    }

    return agent_folder_fail(error, errno, "the file cannot get its name");
}
