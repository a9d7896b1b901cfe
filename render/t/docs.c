
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Documents: what is shown and how it is served, what is refused and with
 * which words, and a converter that reaches nothing, is bounded, and leaves
 * nothing behind.  The office is the real one where there is one.
 */

#include "../../agent/t/tap.h"
#include "../../librs/t/zip_make.h"
#include "render_docs.h"
#include "render_docs_http.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>


#define DEADLINE_S  30
#define MARK        "31557"             /* seconds that nothing else sleeps */

#define PDF  "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n"
#define PNG  "\211PNG\r\n\032\n\0\0\0\015IHDR\0\0\0\001\0\0\0\001\010\002"  \
             "\0\0\0\0\0\0\0\0"

#define OOXML  "http:" "//schemas.openxmlformats.org/"


static char        *top;                /* of everything that is made here */
static char        *folder;
static zip_make_t   zip;


typedef struct {
    render_docs_t  *docs;
    guint           done;
    guint           id;                 /* the last one */
    char           *url;
    char           *code;
    char           *message;
} show_t;


static void
put(const char *name, const void *bytes, gsize len)
{
    g_autofree char  *path = g_build_filename(folder, name, NULL);

    g_assert(g_file_set_contents(path, bytes, (gssize) len, NULL));
}


/* how many processes of this machine have a word */

static guint
processes(const char *word)
{
    guint             n = 0;
    const char       *name;
    g_autoptr(GDir)   dir = g_dir_open("/proc", 0, NULL);

    while ((name = g_dir_read_name(dir)) != NULL) {
        gsize             i, len;
        g_autofree char  *path = NULL;
        g_autofree char  *line = NULL;

        path = g_build_filename("/proc", name, "cmdline", NULL);

        if (!g_ascii_isdigit(name[0])
            || !g_file_get_contents(path, &line, &len, NULL))
        {
            continue;
        }

        for (i = 0; i + 1 < len; i++) {
            if (line[i] == '\0') {
                line[i] = ' ';
            }
        }

        n += strstr(line, word) != NULL;
    }

    return n;
}


static void
on_done(void *data, guint id, const char *url, const GError *error)
{
    show_t  *s = data;

    s->done++;
    s->id = id;
    g_free(s->url);
    g_free(s->code);
    g_free(s->message);
    s->url = g_strdup(url);
    s->code = g_strdup(error != NULL ? render_docs_code(error) : "");
    s->message = g_strdup(error != NULL ? error->message : "");
}


static gboolean
tick(gint64 since)
{
    if (!g_main_context_iteration(NULL, FALSE)) {
        g_usleep(1000);
    }

    return g_get_monotonic_time() - since < DEADLINE_S * G_USEC_PER_SEC;
}


static void
until(show_t *s, guint done)
{
    gint64  since = g_get_monotonic_time();

    while (s->done < done && tick(since)) { }
}


static void
shown(show_t *s, const char *name)
{
    guint  before = s->done;

    render_docs_show(s->docs, 7, name, FALSE, on_done, s);
    g_assert(s->done == before);
    until(s, before + 1);
}


static void
refused(show_t *s, const char *name, const char *code, const char *words)
{
    shown(s, name);
    ok(g_strcmp0(s->code, code) == 0 && s->url == NULL
       && strstr(s->message, words) != NULL, "%s: %s", name, code);
    printf("# %s\n", s->message);
}


static show_t *
show_new(const char *sandbox, guint seconds)
{
    show_t              *s = g_new0(show_t, 1);
    render_docs_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.folder = folder;
    conf.viewer = top;
    conf.sandbox = sandbox;
    conf.convert_s = seconds;
    s->docs = render_docs_new(&conf);

    return s;
}


static void
show_free(show_t *s)
{
    render_docs_free(s->docs);
    g_free(s->url);
    g_free(s->code);
    g_free(s->message);
    g_free(s);
}


/* what the browser would get; the whole answer */

static char *
http(show_t *s, const char *request)
{
    int       fd[2];
    char      bytes[4096];
    gint64    since = g_get_monotonic_time();
    ssize_t   n;
    GString  *answer = g_string_new(NULL);

    g_assert(socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0,
                        fd) == 0);
    g_assert(send(fd[0], request, strlen(request), 0)
             == (ssize_t) strlen(request));
    render_docs_serve(s->docs, fd[1]);

    do {
        n = recv(fd[0], bytes, sizeof(bytes), 0);

        if (n > 0) {
            g_string_append_len(answer, bytes, n);
        }

    } while (n != 0 && tick(since));

    (void) close(fd[0]);

    return g_string_free(answer, FALSE);
}


static char *
get(show_t *s, const char *path)
{
    g_autofree char  *request = NULL;

    request = g_strdup_printf("GET %s HTTP/1.1\r\n"
                              "Host: documents.rs.internal\r\n"
                              "Connection: close\r\n\r\n", path);

    return http(s, request);
}


static char *
get_of(show_t *s, const char *name)
{
    g_autofree char  *path = NULL;

    path = g_strconcat(s->url + strlen(RENDER_DOCS_ORIGIN), name, NULL);

    return get(s, path);
}


static gboolean
has(const char *answer, const char *words)
{
    return strstr(answer, words) != NULL;
}


static void
test_served(void)
{
    show_t           *s = show_new(NULL, 0);
    g_autofree char  *a = NULL;
    g_autofree char  *b = NULL;
    g_autofree char  *c = NULL;
    g_autofree char  *d = NULL;
    g_autofree char  *e = NULL;
    g_autofree char  *f = NULL;
    g_autofree char  *g = NULL;
    g_autofree char  *h = NULL;

    put("a b.pdf", PDF, sizeof(PDF) - 1);
    put("dot.PNG", PNG, sizeof(PNG) - 1);

    shown(s, "a b.pdf");
    ok(s->url != NULL && g_str_has_prefix(s->url, RENDER_DOCS_ORIGIN "/")
       && strlen(s->url) == strlen(RENDER_DOCS_ORIGIN) + 34 && s->id == 7,
       "a PDF is shown: %s", s->url ? s->url : s->message);

    a = get_of(s, "document");
    ok(has(a, "HTTP/1.1 200") && has(a, "application/pdf") && has(a, PDF),
       "... as it is");
    ok(has(a, "frame-ancestors 'none'") && has(a, "no-store")
       && has(a, "Cross-Origin-Resource-Policy: same-origin")
       && has(a, "nosniff"), "... and for nobody else's pages");

    b = get_of(s, "about");
    ok(has(b, "{\"name\":\"a b.pdf\",\"media\":\"application/pdf\"}"),
       "... with its name");
    c = get_of(s, "");
    ok(has(c, "text/html") && has(c, "<title>a b.pdf</title>the page"),
       "... by a page");
    d = get_of(s, "x");
    ok(has(d, "HTTP/1.1 404"), "... and nothing besides");

    shown(s, "dot.PNG");
    e = get_of(s, "document");
    ok(has(e, "image/png"), "an image is shown as it is");

    f = get(s, "/00000000000000000000000000000000/document");
    g = get(s, "/viewer/../secret");
    h = get(s, "/viewer/%2e%2e/secret");
    ok(has(f, "HTTP/1.1 404") && !has(g, "hidden") && !has(h, "hidden"),
       "a path has to be known, and leads nowhere else");

    g_free(f);
    g_free(g);
    f = http(s, "GET / HTTP/1.1\r\nHost: evil.example\r\n"
                "Connection: close\r\n\r\n");
    g = http(s, "POST / HTTP/1.1\r\nHost: documents.rs.internal\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n");
    ok(has(f, "HTTP/1.1 421") && has(g, "HTTP/1.1 405"),
       "nor has it another name, or takes anything");

    show_free(s);
}


static void
test_refused(void)
{
    int                fd;
    gint64             since;
    show_t            *s = show_new(NULL, 0);
    g_autofree char   *path = g_build_filename(folder, "huge.pdf", NULL);
    g_autofree char   *link = g_build_filename(folder, "link.pdf", NULL);
    g_autofree char   *fifo = g_build_filename(folder, "fifo.pdf", NULL);
    static guint8      zero[1000000];

    fd = open(path, O_CREAT|O_WRONLY|O_CLOEXEC, 0600);
    g_assert(fd != -1 && ftruncate(fd, (off_t) 1 << 30) == 0);
    (void) close(fd);

    since = g_get_monotonic_time();
    refused(s, "huge.pdf", "too_large", "GiB, more than the 50");
    ok(g_get_monotonic_time() - since < G_USEC_PER_SEC / 2,
       "... at once: %.1f ms",
       (double) (g_get_monotonic_time() - since) / 1000);

    put("a.docx", "MZ\220", 3);
    refused(s, "a.docx", "type_refused", "is a program for Windows, "
            "whatever it is called: show a PDF");
    put("b.pdf", PNG, sizeof(PNG) - 1);
    refused(s, "b.pdf", "type_refused", "is a PNG image, not what its name "
            "says: name it .png");
    put("c.exe", PDF, sizeof(PDF) - 1);
    refused(s, "c.exe", "type_refused", "name it .pdf");
    put("d.html", "<!doctype html>", 15);
    refused(s, "d.html", "type_refused", "is a web page");
    put("e.pdf", "", 0);
    refused(s, "e.pdf", "type_refused", "is empty");

    zip_make_init(&zip);
    zip_make_add(&zip, "word/document.xml", 8, zero, 60000,
                 60000u * 1000);
    zip_make_end(&zip);
    put("bomb.docx", zip.bytes, zip.len);
    refused(s, "bomb.docx", "bomb", "unpacks to more than 100 times");
    put("cut.docx", zip.bytes, zip.len - 30);
    refused(s, "cut.docx", "convert_failed", "ends early");

    refused(s, "none.pdf", "not_found", "send the file first");
    refused(s, "../secret", "not_found", "is not there");
    refused(s, ".hidden", "not_found", "is not there");
    g_assert(symlink("/etc/passwd", link) == 0);
    refused(s, "link.pdf", "not_found", "is not there");
    g_assert(mkfifo(fifo, 0600) == 0);
    refused(s, "fifo.pdf", "not_found", "is not there");

    (void) g_unlink(path);
    (void) g_unlink(link);
    (void) g_unlink(fifo);
    show_free(s);
}


static void
test_bounds(void)
{
    guint             i;
    show_t           *s = show_new(NULL, 0);
    g_autofree char  *first = NULL;
    g_autofree char  *path = g_build_filename(folder, "once.pdf", NULL);
    g_autofree char  *a = NULL;
    g_autofree char  *b = NULL;

    put("p.pdf", PDF, sizeof(PDF) - 1);

    for (i = 0; i < RENDER_DOCS_WAITING + 2; i++) {
        render_docs_show(s->docs, i, "p.pdf", FALSE, on_done, s);
    }

    until(s, 1);
    ok(s->id == RENDER_DOCS_WAITING + 1 && g_strcmp0(s->code, "busy") == 0,
       "of many at once the last one is told so: %s", s->message);
    until(s, RENDER_DOCS_WAITING + 2);
    ok(s->url != NULL, "... and the others are shown");

    first = g_strdup(s->url);

    for (i = 0; i < RENDER_DOCS_KEPT - 1; i++) {
        shown(s, "p.pdf");
    }

    a = get(s, first + strlen(RENDER_DOCS_ORIGIN));
    shown(s, "p.pdf");
    b = get(s, first + strlen(RENDER_DOCS_ORIGIN));
    ok(has(a, "HTTP/1.1 200") && has(b, "HTTP/1.1 404"),
       "the oldest goes when there are %u", RENDER_DOCS_KEPT);

    put("once.pdf", PDF, sizeof(PDF) - 1);
    i = s->done;
    render_docs_show(s->docs, 1, "once.pdf", TRUE, on_done, s);
    until(s, i + 1);
    ok(s->url != NULL && !g_file_test(path, G_FILE_TEST_EXISTS),
       "a file that is shown once is not there any more");

    render_docs_show(s->docs, 1, "p.pdf", TRUE, on_done, s);
    (void) g_main_context_iteration(NULL, FALSE);
    i = s->done;
    show_free(s);
    ok(TRUE, "its end in between is one");
}


/* who only connects, again and again */

static void
test_connections(void)
{
    int               fd[RENDER_DOCS_HTTP_CONNECTIONS + 1][2];
    char              byte;
    guint             i;
    gint64            since = g_get_monotonic_time();
    show_t           *s = show_new(NULL, 0);
    g_autofree char  *a = NULL;

    for (i = 0; i < G_N_ELEMENTS(fd); i++) {
        g_assert(socketpair(AF_UNIX,
                            SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0, fd[i])
                 == 0);
        render_docs_serve(s->docs, fd[i][1]);
    }

    ok(recv(fd[i - 1][0], &byte, 1, 0) == 0, "one too many is closed");
    ok(recv(fd[i - 2][0], &byte, 1, 0) == -1, "... and the others are kept");

    (void) close(fd[0][0]);
    (void) close(fd[i - 1][0]);

    do {
        g_free(a);
        a = get(s, "/x/");
    } while (!has(a, "HTTP/1.1 404") && tick(since));

    ok(has(a, "HTTP/1.1 404"), "where one goes there is room again");

    show_free(s);

    for (i = 1; i + 1 < G_N_ELEMENTS(fd); i++) {
        (void) close(fd[i][0]);
    }
}


/* a document that wants a picture and a template from elsewhere */

static void
put_docx(const char *name)
{
    guint               i;

    static const char  *parts[][2] = {
        { "[Content_Types].xml",
          "<Types xmlns=\"" OOXML "package/2006/content-types\">"
          "<Default Extension=\"rels\" ContentType=\"application/vnd."
          "openxmlformats-package.relationships+xml\"/>"
          "<Override PartName=\"/word/document.xml\" ContentType=\""
          "application/vnd.openxmlformats-officedocument.wordprocessingml."
          "document.main+xml\"/></Types>" },
        { "_rels/.rels",
          "<Relationships xmlns=\"" OOXML "package/2006/relationships\">"
          "<Relationship Id=\"r1\" Type=\"" OOXML "officeDocument/2006/"
          "relationships/officeDocument\" Target=\"word/document.xml\"/>"
          "</Relationships>" },
        { "word/_rels/document.xml.rels",
          "<Relationships xmlns=\"" OOXML "package/2006/relationships\">"
          "<Relationship Id=\"r9\" Type=\"" OOXML "officeDocument/2006/"
          "relationships/image\" Target=\"http://track.example/pixel.png\" "
          "TargetMode=\"External\"/>"
          "<Relationship Id=\"r8\" Type=\"" OOXML "officeDocument/2006/"
          "relationships/attachedTemplate\" "
          "Target=\"http://track.example/t.dotm\" TargetMode=\"External\"/>"
          "</Relationships>" },
        { "word/document.xml",
          "<w:document xmlns:w=\"" OOXML "wordprocessingml/2006/main\">"
          "<w:body><w:p><w:r><w:t>Quarterly figures</w:t></w:r></w:p>"
          "<w:p><w:r><w:drawing><wp:inline xmlns:wp=\"" OOXML
          "drawingml/2006/wordprocessingDrawing\">"
          "<wp:extent cx=\"990000\" cy=\"792000\"/>"
          "<wp:docPr id=\"1\" name=\"p\"/>"
          "<a:graphic xmlns:a=\"" OOXML "drawingml/2006/main\">"
          "<a:graphicData uri=\"" OOXML "drawingml/2006/picture\">"
          "<pic:pic xmlns:pic=\"" OOXML "drawingml/2006/picture\">"
          "<pic:nvPicPr><pic:cNvPr id=\"0\" name=\"p.png\"/>"
          "<pic:cNvPicPr/></pic:nvPicPr><pic:blipFill>"
          "<a:blip xmlns:r=\"" OOXML "officeDocument/2006/relationships\" "
          "r:link=\"r9\"/></pic:blipFill><pic:spPr>"
          "<a:prstGeom prst=\"rect\"/></pic:spPr></pic:pic></a:graphicData>"
          "</a:graphic></wp:inline></w:drawing></w:r></w:p></w:body>"
          "</w:document>" }
    };

    zip_make_init(&zip);

    for (i = 0; i < G_N_ELEMENTS(parts); i++) {
        zip_make_add(&zip, parts[i][0], 0, parts[i][1], strlen(parts[i][1]),
                     strlen(parts[i][1]));
    }

    zip_make_end(&zip);
    put(name, zip.bytes, zip.len);
}


/* bubblewrap by another command line: the path of a script */

static char *
wrapper(const char *name, const char *script)
{
    char              *path = g_build_filename(top, name, NULL);
    g_autofree char   *text = NULL;

    text = g_strdup_printf("#!/bin/bash\n%s\n", script);
    g_assert(g_file_set_contents(path, text, -1, NULL));
    g_assert(g_chmod(path, 0755) == 0);

    return path;
}


static void
test_office(void)
{
    gint64            since;
    show_t           *s;
    g_autofree char  *office = g_find_program_in_path("soffice");
    g_autofree char  *strace = g_find_program_in_path("strace");
    g_autofree char  *script = NULL;
    g_autofree char  *log = g_build_filename(top, "calls", NULL);
    g_autofree char  *text = NULL;
    g_autofree char  *path = NULL;
    g_autofree char  *answer = NULL;

    if (office == NULL) {
        ok(TRUE, "# SKIP no soffice here");
        return;
    }

    put_docx("figures.docx");
    s = show_new(NULL, 0);
    since = g_get_monotonic_time();
    shown(s, "figures.docx");
    ok(s->url != NULL, "a .docx is shown, after %.1f s%s",
       (double) (g_get_monotonic_time() - since) / G_USEC_PER_SEC,
       s->message);

    if (s->url != NULL) {
        answer = get_of(s, "document");
        ok(has(answer, "application/pdf") && has(answer, "%PDF-1."),
           "... as a PDF");
    }

    since = g_get_monotonic_time();

    while (processes("/in/document.") > 0 && tick(since)) { }

    is_int(processes("/in/document."), 0, "... and no process is left");
    show_free(s);

    if (strace == NULL) {
        ok(TRUE, "# SKIP no strace here");
        return;
    }

    path = g_strdup_printf("exec strace -f -qq -o '%s' -e trace=socket,"
                           "connect,sendto,sendmsg bwrap \"$@\"", log);
    script = wrapper("traced", path);
    s = show_new(script, 0);
    shown(s, "figures.docx");
    ok(s->url != NULL && g_file_get_contents(log, &text, NULL, NULL),
       "the same under strace%s", s->message);
    ok(text != NULL && has(text, "AF_UNIX") && !has(text, "AF_INET"),
       "it made no attempt to reach the network, whatever it was asked for");
    show_free(s);
}


static void
test_sandbox(void)
{
    gint64            since;
    show_t           *s;
    g_autofree char  *look = g_build_filename(top, "look", NULL);
    g_autofree char  *text = NULL;
    g_autofree char  *script = NULL;
    g_autofree char  *hang = NULL;
    g_autofree char  *line = NULL;
    g_autofree char  *limits = NULL;

    put_docx("figures.docx");

    line = g_strdup_printf("a=(); while test \"$1\" != --; do a+=(\"$1\"); "
                           "shift; done\n"
                           "exec bwrap \"${a[@]}\" -- /bin/sh -c '"
                           "cat /proc/net/dev; id -u; "
                           "echo v$(ulimit -v) t$(ulimit -t) c$(ulimit -c); "
                           "ls /; touch /usr/x /in/x; ls /proc | grep ^[0-9]'"
                           " > '%s' 2>&1", look);
    script = wrapper("look.sh", line);
    s = show_new(script, 0);
    refused(s, "figures.docx", "convert_failed", "could not be read");
    g_assert(g_file_get_contents(look, &text, NULL, NULL));
    ok(has(text, "lo:") && !has(text, "eth") && !has(text, "rs0")
       && !has(text, "veth"), "the sandbox has no network but its own");
    ok(has(text, "65534") && has(text, "Read-only")
       && !has(text, "root\n") && !has(text, "var/www"),
       "... nobody's rights, and nothing to write");
    limits = g_strdup_printf("v%" G_GUINT64_FORMAT " t%d c0",
                             (guint64) RENDER_DOCS_MEMORY / 1024,
                             RENDER_DOCS_CONVERT_S + 1);
    ok(has(text, limits), "... and no more than it may take: %s", limits);
    printf("# %s\n", g_strdelimit(text, "\n", ' '));
    show_free(s);

    hang = wrapper("hang.sh", "a=(); while test \"$1\" != --; do a+=(\"$1\"); "
                   "shift; done\nexec bwrap \"${a[@]}\" -- /bin/sh -c "
                   "'setsid sleep " MARK " & sleep " MARK "'");
    s = show_new(hang, 1);
    since = g_get_monotonic_time();
    refused(s, "figures.docx", "timeout", "longer than 1 s");
    ok(g_get_monotonic_time() - since < 5 * G_USEC_PER_SEC,
       "... and not much longer");

    while (processes("sleep " MARK) > 0 && tick(since)) { }

    is_int(processes("sleep " MARK), 0, "... and all of it is gone");
    show_free(s);

    s = show_new(hang, 30);
    render_docs_show(s->docs, 1, "figures.docx", FALSE, on_done, s);
    since = g_get_monotonic_time();

    while (processes("sleep " MARK) < 2 && tick(since)) { }

    is_int(s->done, 0, "one that is at work");
    show_free(s);

    while (processes("sleep " MARK) > 0 && tick(since)) { }

    is_int(processes("sleep " MARK), 0, "... ends with the session");

    s = show_new("/nonexistent/bwrap", 0);
    refused(s, "figures.docx", "convert_failed", "bwrap");
    show_free(s);
}


static void
test_missing(void)
{
    render_docs_conf_t   conf;
    g_autofree char     *a = NULL;
    g_autofree char     *b = NULL;

    memset(&conf, 0, sizeof(conf));
    conf.viewer = top;
    conf.sandbox = "sh";
    conf.converter = "sh";
    a = render_docs_missing(&conf);
    is_str(a, NULL, "nothing is missing");

    conf.converter = "no-such-office";
    b = render_docs_missing(&conf);
    is_str(b, "no-such-office is not installed", "an office is");
}


int
main(void)
{
    g_autofree char  *page = NULL;
    g_autofree char  *secret = NULL;
    g_autofree char  *remove = NULL;

    top = g_dir_make_tmp("rs-docs-XXXXXX", NULL);
    folder = g_build_filename(top, "files", NULL);
    page = g_build_filename(top, "viewer.html", NULL);
    secret = g_build_filename(top, "secret", NULL);
    g_assert(g_mkdir(folder, 0700) == 0);
    g_assert(g_file_set_contents(page, "<title>Document</title>the page",
                                 -1, NULL));
    g_assert(g_file_set_contents(secret, "hidden", -1, NULL));

    test_served();
    test_refused();
    test_bounds();
    test_connections();
    test_office();
    test_sandbox();
    test_missing();

    remove = g_strdup_printf("rm -rf '%s'", top);
    g_assert(system(remove) == 0);
    g_free(folder);
    g_free(top);

    return done();
}
