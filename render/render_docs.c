
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the documents of a session and the one that is being made ready.  One
 * after the other: it is read into memory (agent_folder's files may change
 * while they are looked at, these bytes do not), looked at (librs/rs_doc),
 * made a PDF (render_convert.c) unless a browser shows it as it is, and kept.
 * What is kept has a bound; the oldest goes.
 */

#define G_LOG_DOMAIN  "rs-docs"

#include "render_docs.h"
#include "render_bytes.h"
#include "render_convert.h"
#include "render_docs_http.h"
#include "rs_doc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>


#ifndef RENDER_DOCS_VIEWER
#define RENDER_DOCS_VIEWER  "/usr/share/rs-render/viewer"
#endif

#define RENDER_DOCS_STEP  (1024 * 1024)

#define RENDER_DOCS_CURE  "show a PDF, an image (PNG, JPEG, GIF, WebP), or a " \
                          "document of Word, Excel, PowerPoint or LibreOffice"


typedef struct {
    render_docs_t        *docs;         /* NULL: freed */
    guint                 id;
    char                 *folder;
    char                 *name;
    gboolean              remove;
    guint64               max;
    render_docs_done_pt   done;
    void                 *data;
    int                   fd;           /* the bytes once more, or -1 */
    GBytes               *bytes;
    rs_doc_t              doc;
    GError               *error;
} render_docs_job_t;


struct render_docs_s {
    render_docs_conf_t    conf;
    render_docs_http_t   *http;
    GQueue                jobs;         /* the first one is at work */
    guint                 work;
    GQueue                busy;         /* for which there was no room */
    guint                 sorry;
    render_convert_t     *convert;
    GQueue                items;        /* render_docs_item_t, oldest first */
    gsize                 kept;         /* bytes of them */
};


static gboolean render_docs_sorry(gpointer data);
static gboolean render_docs_next(gpointer data);
static void render_docs_read(GTask *task, gpointer source, gpointer data,
    GCancellable *cancel);
static int render_docs_copy(render_docs_job_t *job, int in, guint64 size);
static void render_docs_been_read(GObject *source, GAsyncResult *result,
    gpointer data);
static void render_docs_look(render_docs_job_t *job);
static void render_docs_begin(render_docs_t *docs, render_docs_job_t *job);
static void render_docs_converted(void *data, GBytes *pdf,
    const GError *error);
static void render_docs_keep(render_docs_t *docs, render_docs_job_t *job,
    const char *media);
static void render_docs_say(render_docs_t *docs, const char *url);
static void render_docs_job_free(gpointer data);
static void render_docs_item_free(gpointer data);
static const render_docs_item_t *render_docs_find(void *data,
    const char *key, gsize len);


G_DEFINE_QUARK(render-docs-error-quark, render_docs_error)


const char *
render_docs_code(const GError *error)
{
    static const char *const  codes[] = {
        "not_found", "too_large", "type_refused", "bomb", "convert_failed",
        "timeout", "busy"
    };

    return (error->domain == RENDER_DOCS_ERROR) ? codes[error->code]
                                                : "convert_failed";
}


static const char *
render_docs_or(const char *text, const char *otherwise)
{
    return (text != NULL) ? text : otherwise;
}


render_docs_t *
render_docs_new(const render_docs_conf_t *conf)
{
    render_docs_t  *docs;

    docs = g_new0(render_docs_t, 1);
    docs->conf = *conf;
    docs->conf.folder = g_strdup(conf->folder);
    docs->conf.viewer = g_strdup(render_docs_or(conf->viewer,
                                                RENDER_DOCS_VIEWER));
    docs->conf.converter = g_strdup(render_docs_or(conf->converter,
                                                   "soffice"));
    docs->conf.sandbox = g_strdup(render_docs_or(conf->sandbox, "bwrap"));

    if (conf->max == 0) {
        docs->conf.max = RENDER_DOCS_MAX;
    }

    if (conf->convert_s == 0) {
        docs->conf.convert_s = RENDER_DOCS_CONVERT_S;
    }

    if (conf->memory == 0) {
        docs->conf.memory = RENDER_DOCS_MEMORY;
    }

    g_queue_init(&docs->jobs);
    g_queue_init(&docs->busy);
    g_queue_init(&docs->items);
    docs->http = render_docs_http_new(docs->conf.viewer, render_docs_find,
                                      docs);

    return docs;
}


void
render_docs_free(render_docs_t *docs)
{
    GList              *link;
    render_docs_job_t  *job;

    if (docs == NULL) {
        return;
    }

    while ((job = g_queue_pop_head(&docs->busy)) != NULL) {
        g_rc_box_release_full(job, render_docs_job_free);
    }

    /* one that a thread is reading is its task's, too */

    for (link = docs->jobs.head; link != NULL; link = link->next) {
        ((render_docs_job_t *) link->data)->docs = NULL;
        g_rc_box_release_full(link->data, render_docs_job_free);
    }

    g_queue_clear(&docs->jobs);
    g_clear_handle_id(&docs->work, g_source_remove);
    g_clear_handle_id(&docs->sorry, g_source_remove);
    render_convert_free(docs->convert);
    render_docs_http_free(docs->http);
    g_queue_clear_full(&docs->items, render_docs_item_free);
    g_free((char *) docs->conf.folder);
    g_free((char *) docs->conf.viewer);
    g_free((char *) docs->conf.converter);
    g_free((char *) docs->conf.sandbox);
    g_free(docs);
}


void
render_docs_serve(render_docs_t *docs, int fd)
{
    render_docs_http_serve(docs->http, fd);
}


char *
render_docs_missing(const render_docs_conf_t *conf)
{
    guint               i;
    g_autofree char    *page = NULL;

    const char  *programs[] = {
        render_docs_or(conf->sandbox, "bwrap"),
        render_docs_or(conf->converter, "soffice")
    };

    for (i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char  *path = g_find_program_in_path(programs[i]);

        if (path == NULL) {
            return g_strdup_printf("%s is not installed", programs[i]);
        }
    }

    page = g_build_filename(render_docs_or(conf->viewer, RENDER_DOCS_VIEWER),
                            "viewer.html", NULL);

    return g_file_test(page, G_FILE_TEST_IS_REGULAR)
           ? NULL : g_strdup_printf("there is no %s", page);
}


void
render_docs_show(render_docs_t *docs, guint id, const char *name,
    gboolean remove, render_docs_done_pt done, void *data)
{
    render_docs_job_t  *job;

    job = g_rc_box_new0(render_docs_job_t);
    job->docs = docs;
    job->id = id;
    job->folder = g_strdup(docs->conf.folder);
    job->name = g_strndup(name, RENDER_DOCS_NAME_MAX);
    job->remove = remove;
    job->max = docs->conf.max;
    job->done = done;
    job->data = data;
    job->fd = -1;

    if (docs->jobs.length > RENDER_DOCS_WAITING) {
        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_BUSY,
                    "\"%s\": %u documents are waiting already: show it again "
                    "when they are done", job->name, RENDER_DOCS_WAITING);
        g_queue_push_tail(&docs->busy, job);

        if (docs->sorry == 0) {
            docs->sorry = g_idle_add(render_docs_sorry, docs);
        }

        return;
    }

    g_queue_push_tail(&docs->jobs, job);

    if (docs->jobs.length == 1) {
        docs->work = g_idle_add(render_docs_next, docs);
    }
}


static gboolean
render_docs_sorry(gpointer data)
{
    render_docs_t      *docs = data;
    render_docs_job_t  *job;

    job = g_queue_pop_head(&docs->busy);
    docs->sorry = docs->busy.length
                  ? g_idle_add(render_docs_sorry, docs) : 0;

    job->done(job->data, job->id, NULL, job->error);
    g_rc_box_release_full(job, render_docs_job_free);

    return G_SOURCE_REMOVE;
}


static gboolean
render_docs_next(gpointer data)
{
    render_docs_t       *docs = data;
    render_docs_job_t   *job;
    g_autoptr(GTask)     task = NULL;

    docs->work = 0;
    job = g_queue_peek_head(&docs->jobs);
    task = g_task_new(NULL, NULL, render_docs_been_read,
                      g_rc_box_acquire(job));
    g_task_set_task_data(task, job, NULL);
    g_task_run_in_thread(task, render_docs_read);

    return G_SOURCE_REMOVE;
}


/* on a thread of its own: nothing but the job is touched */

static void
render_docs_read(GTask *task, gpointer source, gpointer data,
    GCancellable *cancel)
{
    int                  fd, dir;
    struct stat          st;
    render_docs_job_t   *job = data;

    (void) source;
    (void) cancel;

    fd = -1;
    dir = open(job->folder, O_PATH|O_DIRECTORY|O_CLOEXEC);

    if (dir != -1 && job->name[0] != '.' && strchr(job->name, '/') == NULL) {
        fd = openat(dir, job->name,
                    O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
    }

    if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_NOT_FOUND,
                    "\"%s\" is not there: send the file first", job->name);

    } else if ((guint64) st.st_size > job->max) {
        g_autofree char  *has = g_format_size_full((guint64) st.st_size,
                                               G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char  *max = g_format_size_full(job->max,
                                               G_FORMAT_SIZE_IEC_UNITS);

        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_TOO_LARGE,
                    "\"%s\" has %s, more than the %s that are shown here: "
                    "make it smaller, or show a part of it", job->name, has,
                    max);

    } else {
        job->fd = render_docs_copy(job, fd, (guint64) st.st_size);
    }

    if (job->fd != -1) {
        render_docs_look(job);
    }

    if (job->remove && fd != -1) {
        (void) unlinkat(dir, job->name, 0);
    }

    if (fd != -1) {
        (void) close(fd);
    }

    if (dir != -1) {
        (void) close(dir);
    }

    g_task_return_boolean(task, TRUE);
}


static int
render_docs_copy(render_docs_job_t *job, int in, guint64 size)
{
    int       fd, err;
    gssize    n = 0;
    guint64   left;

    fd = render_bytes_new("document", &job->error);

    if (fd == -1) {
        return -1;
    }

    for (left = size; left > 0; left -= (guint64) n) {
        n = sendfile(fd, in, NULL, MIN(left, RENDER_DOCS_STEP));

        if (n == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n <= 0) {
            break;
        }
    }

    err = errno;
    job->bytes = (left == 0)
                 ? render_bytes_map(fcntl(fd, F_DUPFD_CLOEXEC, 0),
                                    &job->error) : NULL;

    if (job->bytes != NULL && lseek(fd, 0, SEEK_SET) == 0) {
        return fd;
    }

    if (job->error == NULL) {
        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_NOT_FOUND,
                    "\"%s\" cannot be read: %s", job->name,
                    n == 0 ? "it is shorter than it was" : g_strerror(err));
    }

    (void) close(fd);

    return -1;
}


static void
render_docs_look(render_docs_job_t *job)
{
    rs_doc_e        verdict;
    rs_doc_type_e   named;

    verdict = rs_doc_read((rs_str_t) { g_bytes_get_data(job->bytes, NULL),
                                       g_bytes_get_size(job->bytes) },
                          &job->doc);

    switch (verdict) {

    case RS_DOC_FINE:
        break;

    case RS_DOC_REFUSED:
        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_TYPE_REFUSED,
                    "\"%s\" is %s, whatever it is called: " RENDER_DOCS_CURE,
                    job->name, job->doc.is);
        return;

    case RS_DOC_BOMB:
        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_BOMB,
                    "\"%s\" %s: it is not opened; save it as a PDF and show "
                    "that", job->name, job->doc.why);
        return;

    case RS_DOC_LOCKED:
    case RS_DOC_BROKEN:
        g_set_error(&job->error, RENDER_DOCS_ERROR,
                    RENDER_DOCS_CONVERT_FAILED,
                    "\"%s\" %s: save it %s and show that", job->name,
                    job->doc.why, verdict == RS_DOC_LOCKED
                                  ? "without one" : "anew");
        return;
    }

    if (rs_doc_named(rs_str(job->name), &named) && named != job->doc.type) {
        g_set_error(&job->error, RENDER_DOCS_ERROR, RENDER_DOCS_TYPE_REFUSED,
                    "\"%s\" is %s, not what its name says: name it .%s, and "
                    "show it again", job->name, job->doc.is,
                    rs_doc_extension(job->doc.type));
    }
}


static void
render_docs_been_read(GObject *source, GAsyncResult *result, gpointer data)
{
    render_docs_t      *docs;
    render_docs_job_t  *job = data;

    (void) source;
    (void) result;

    docs = job->docs;

    if (docs != NULL) {

        if (job->error != NULL) {
            render_docs_say(docs, NULL);

        } else {
            render_docs_begin(docs, job);
        }
    }

    g_rc_box_release_full(job, render_docs_job_free);
}


static void
render_docs_begin(render_docs_t *docs, render_docs_job_t *job)
{
    render_convert_conf_t  conf;

    if (!rs_doc_office(job->doc.type)) {
        render_docs_keep(docs, job, rs_doc_media(job->doc.type));
        return;
    }

    conf.sandbox = docs->conf.sandbox;
    conf.converter = docs->conf.converter;
    conf.seconds = docs->conf.convert_s;
    conf.memory = docs->conf.memory;
    conf.output = RENDER_DOCS_PDF_MAX;

    docs->convert = render_convert_new(&conf, job->fd,
                                       rs_doc_extension(job->doc.type),
                                       render_docs_converted, docs);
    job->fd = -1;
}


static void
render_docs_converted(void *data, GBytes *pdf, const GError *error)
{
    gboolean            late;
    render_docs_t      *docs = data;
    render_docs_job_t  *job;

    job = g_queue_peek_head(&docs->jobs);

    if (pdf != NULL) {
        g_bytes_unref(job->bytes);
        job->bytes = g_bytes_ref(pdf);

    } else {
        late = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
        g_set_error(&job->error, RENDER_DOCS_ERROR,
                    late ? RENDER_DOCS_TIMEOUT : RENDER_DOCS_CONVERT_FAILED,
                    "\"%s\" %s when it was made a PDF: save it as a PDF and "
                    "show that", job->name, error->message);
    }

    g_clear_pointer(&docs->convert, render_convert_free);

    if (job->error != NULL) {
        render_docs_say(docs, NULL);

    } else {
        render_docs_keep(docs, job, rs_doc_media(RS_DOC_PDF));
    }
}


static void
render_docs_keep(render_docs_t *docs, render_docs_job_t *job,
    const char *media)
{
    guint                i;
    guint8               bytes[RENDER_DOCS_KEY / 2];
    render_docs_item_t  *item, *old;
    g_autofree char     *url = NULL;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        g_error("no random bytes");
    }

    item = g_new0(render_docs_item_t, 1);
    item->name = g_strdup(job->name);
    item->media = media;
    item->bytes = g_bytes_ref(job->bytes);

    for (i = 0; i < sizeof(bytes); i++) {
        (void) g_snprintf(item->key + 2 * i, 3, "%02x", bytes[i]);
    }

    g_queue_push_tail(&docs->items, item);
    docs->kept += g_bytes_get_size(item->bytes);

    while (docs->items.length > RENDER_DOCS_KEPT
           || (docs->kept > RENDER_DOCS_KEPT_BYTES && docs->items.length > 1))
    {
        old = g_queue_pop_head(&docs->items);
        docs->kept -= g_bytes_get_size(old->bytes);
        render_docs_item_free(old);
    }

    url = g_strdup_printf(RENDER_DOCS_ORIGIN "/%s/", item->key);
    render_docs_say(docs, url);
}


/* the first job is done; its owner may show another one now */

static void
render_docs_say(render_docs_t *docs, const char *url)
{
    render_docs_job_t  *job;

    job = g_queue_pop_head(&docs->jobs);
    job->docs = NULL;

    if (docs->jobs.length > 0) {
        docs->work = g_idle_add(render_docs_next, docs);
    }

    if (job->error != NULL) {
        g_debug("%s", job->error->message);
    }

    job->done(job->data, job->id, url, job->error);
    g_rc_box_release_full(job, render_docs_job_free);
}


static void
render_docs_job_free(gpointer data)
{
    render_docs_job_t  *job = data;

    if (job->fd != -1) {
        (void) close(job->fd);
    }

    g_clear_pointer(&job->bytes, g_bytes_unref);
    g_clear_error(&job->error);
    g_free(job->folder);
    g_free(job->name);
}


static void
render_docs_item_free(gpointer data)
{
    render_docs_item_t  *item = data;

    g_bytes_unref(item->bytes);
    g_free(item->name);
    g_free(item);
}


static const render_docs_item_t *
render_docs_find(void *data, const char *key, gsize len)
{
    GList               *link;
    render_docs_t       *docs = data;
    render_docs_item_t  *item;

    for (link = docs->items.head; link != NULL; link = link->next) {
        item = link->data;

        if (len == RENDER_DOCS_KEY && memcmp(item->key, key, len) == 0) {
            return item;
        }
    }

    return NULL;
}
