
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns one sandbox: bubblewrap, whose end is the end of everything in it.  The
 * document goes in as a memory file and comes out as one, so neither it nor
 * what the office keeps about it (its profile is in the sandbox's /tmp) is
 * ever on a disk.
 *
 * There is no way to the network, and what the office could want one for is
 * switched off: pictures, templates and data that a document only refers to
 * are not asked for, macros do not run.
 */

#define G_LOG_DOMAIN  "rs-convert"

#include "render_convert.h"
#include "render_bytes.h"
#include "rs_doc.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>


/* descriptors in the sandbox */

enum {
    RENDER_CONVERT_IN = 3,
    RENDER_CONVERT_OUT,
    RENDER_CONVERT_PASSWD,
    RENDER_CONVERT_SETTINGS
};


struct render_convert_s {
    render_convert_done_pt   done;      /* NULL: freed */
    void                    *data;
    struct rlimit            limits[4];
    guint64                  output;
    guint                    seconds;
    int                      fd;        /* where the PDF comes */
    GSubprocess             *process;
    GError                  *error;     /* it could not be started */
    guint                    work;
    guint                    timer;
    gboolean                 late;
};


static gboolean render_convert_start(render_convert_t *convert,
    const render_convert_conf_t *conf, int fd, const char *extension);
static GPtrArray *render_convert_command(const render_convert_conf_t *conf,
    const char *extension);
static void render_convert_limits(render_convert_t *convert,
    const render_convert_conf_t *conf);
static void render_convert_child(gpointer data);
static gboolean render_convert_not_started(gpointer data);
static gboolean render_convert_late(gpointer data);
static void render_convert_kill(render_convert_t *convert);
static void render_convert_exited(GObject *source, GAsyncResult *result,
    gpointer data);
static GBytes *render_convert_pdf(render_convert_t *convert, GError **error);
static void render_convert_clear(gpointer data);


static const int  render_convert_resources[] = {
    RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_CORE
};


/* the office asks who it is */

static const char  render_convert_passwd[] =
    "nobody:x:65534:65534:nobody:/tmp:/bin/sh\n";


#define RENDER_CONVERT_SETTING(path, name, value)                             \
    "<item oor:path=\"/org.openoffice.Office." path "\"><prop oor:name=\""    \
    name "\" oor:op=\"fuse\"><value>" value "</value></prop></item>\n"


static const char  render_convert_settings[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<oor:items xmlns:oor=\"http:" "//openoffice.org/2001/registry\" "
    "xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" "
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n"
    RENDER_CONVERT_SETTING("Common/Security/Scripting",
                           "BlockUntrustedRefererLinks", "true")
    RENDER_CONVERT_SETTING("Common/Security/Scripting",
                           "DisableMacrosExecution", "true")
    RENDER_CONVERT_SETTING("Common/Security/Scripting",
                           "DisableActiveContent", "true")
    RENDER_CONVERT_SETTING("Common/Security/Scripting",
                           "MacroSecurityLevel", "3")
    RENDER_CONVERT_SETTING("Writer/Content/Update", "Link", "0")
    RENDER_CONVERT_SETTING("Calc/Content/Update", "Link", "1")
    "</oor:items>\n";


/* $1: the converter, $2: the extension, $3: how many processes */

static const char  render_convert_script[] =
    "ulimit -p \"$3\" 2>/dev/null\n"
    "mkdir -p /tmp/office/user || exit 1\n"
    "cat /in/settings.xcu > /tmp/office/user/registrymodifications.xcu\n"
    "\"$1\" -env:UserInstallation=file:///tmp/office --headless --norestore "
    "--nodefault --nologo --convert-to pdf --outdir /tmp/out "
    "\"/in/document.$2\" </dev/null >/dev/null 2>&1 4>&-\n"
    "exec cat /tmp/out/document.pdf >&4\n";


render_convert_t *
render_convert_new(const render_convert_conf_t *conf, int fd,
    const char *extension, render_convert_done_pt done, void *data)
{
    render_convert_t  *convert;

    convert = g_rc_box_new0(render_convert_t);
    convert->done = done;
    convert->data = data;
    convert->output = conf->output;
    convert->seconds = conf->seconds;
    convert->fd = -1;
    render_convert_limits(convert, conf);

    if (render_convert_start(convert, conf, fd, extension)) {
        convert->timer = g_timeout_add_seconds(conf->seconds,
                                               render_convert_late, convert);
        g_subprocess_wait_async(convert->process, NULL,
                                render_convert_exited,
                                g_rc_box_acquire(convert));

    } else {
        convert->work = g_idle_add(render_convert_not_started, convert);
    }

    return convert;
}


/* takes fd over */

static gboolean
render_convert_start(render_convert_t *convert,
    const render_convert_conf_t *conf, int fd, const char *extension)
{
    int                                passwd, settings, out;
    g_autoptr(GPtrArray)               argv = NULL;
    g_autoptr(GSubprocessLauncher)     launcher = NULL;

    launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                         |G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_subprocess_launcher_take_fd(launcher, fd, RENDER_CONVERT_IN);

    passwd = render_bytes_text("passwd", render_convert_passwd,
                               &convert->error);
    if (passwd == -1) {
        return FALSE;
    }

    g_subprocess_launcher_take_fd(launcher, passwd, RENDER_CONVERT_PASSWD);
    settings = render_bytes_text("settings", render_convert_settings,
                                 &convert->error);
    if (settings == -1) {
        return FALSE;
    }

    g_subprocess_launcher_take_fd(launcher, settings,
                                  RENDER_CONVERT_SETTINGS);
    convert->fd = render_bytes_new("pdf", &convert->error);

    if (convert->fd == -1) {
        return FALSE;
    }

    out = fcntl(convert->fd, F_DUPFD_CLOEXEC, 0);

    if (out == -1) {
        g_set_error_literal(&convert->error, G_IO_ERROR, G_IO_ERROR_FAILED,
                            "no descriptor is left");
        return FALSE;
    }

    g_subprocess_launcher_take_fd(launcher, out, RENDER_CONVERT_OUT);
    g_subprocess_launcher_set_child_setup(launcher, render_convert_child,
                                          convert, NULL);

    argv = render_convert_command(conf, extension);
    convert->process = g_subprocess_launcher_spawnv(launcher,
                                  (const char *const *) argv->pdata,
                                  &convert->error);

    return convert->process != NULL;
}


static void
render_convert_add(GPtrArray *argv, const char *words)
{
    guint           i;
    g_auto(GStrv)   list = g_strsplit(words, " ", -1);

    for (i = 0; list[i] != NULL; i++) {
        g_ptr_array_add(argv, g_strdup(list[i]));
    }
}


static GPtrArray *
render_convert_command(const render_convert_conf_t *conf,
    const char *extension)
{
    GPtrArray  *argv;

    argv = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(argv, g_strdup(conf->sandbox));

    render_convert_add(argv, "--unshare-all --die-with-parent --new-session "
                       "--cap-drop ALL --uid 65534 --gid 65534 --clearenv "
                       "--setenv PATH /usr/bin:/bin --setenv HOME /tmp "
                       "--setenv LANG C.UTF-8 --hostname convert");
    render_convert_add(argv, "--ro-bind /usr /usr --symlink usr/bin /bin "
                       "--symlink usr/lib /lib --symlink usr/lib64 /lib64 "
                       "--ro-bind /etc/fonts /etc/fonts "
                       "--ro-bind-try /var/cache/fontconfig "
                       "/var/cache/fontconfig "
                       "--ro-bind-try /etc/libreoffice /etc/libreoffice "
                       "--ro-bind-try /var/lib/libreoffice "
                       "/var/lib/libreoffice");
    render_convert_add(argv, "--proc /proc --dev /dev --size");
    g_ptr_array_add(argv, g_strdup_printf("%d", RENDER_CONVERT_SCRATCH));
    render_convert_add(argv, "--tmpfs /tmp --chdir /tmp");
    g_ptr_array_add(argv, g_strdup("--ro-bind-data"));
    g_ptr_array_add(argv, g_strdup_printf("%d", RENDER_CONVERT_IN));
    g_ptr_array_add(argv, g_strdup_printf("/in/document.%s", extension));
    g_ptr_array_add(argv, g_strdup("--ro-bind-data"));
    g_ptr_array_add(argv, g_strdup_printf("%d", RENDER_CONVERT_PASSWD));
    g_ptr_array_add(argv, g_strdup("/etc/passwd"));
    g_ptr_array_add(argv, g_strdup("--ro-bind-data"));
    g_ptr_array_add(argv, g_strdup_printf("%d", RENDER_CONVERT_SETTINGS));
    g_ptr_array_add(argv, g_strdup("/in/settings.xcu"));

    render_convert_add(argv, "-- /bin/sh -c");
    g_ptr_array_add(argv, g_strdup(render_convert_script));
    g_ptr_array_add(argv, g_strdup("convert"));
    g_ptr_array_add(argv, g_strdup(conf->converter));
    g_ptr_array_add(argv, g_strdup(extension));
    g_ptr_array_add(argv, g_strdup_printf("%d", RENDER_CONVERT_TASKS));
    g_ptr_array_add(argv, NULL);

    return argv;
}


/* in the order of render_convert_resources */

static void
render_convert_limits(render_convert_t *convert,
    const render_convert_conf_t *conf)
{
    guint    i;
    guint64  max[] = { conf->memory, conf->output, conf->seconds + 1, 0 };

    for (i = 0; i < G_N_ELEMENTS(max); i++) {
        convert->limits[i].rlim_cur = (rlim_t) max[i];
        convert->limits[i].rlim_max = (rlim_t) max[i];
    }
}


/* between fork() and exec() */

static void
render_convert_child(gpointer data)
{
    guint              i;
    render_convert_t  *convert = data;

    (void) setpgid(0, 0);

    for (i = 0; i < G_N_ELEMENTS(render_convert_resources); i++) {
        if (setrlimit((__rlimit_resource_t) render_convert_resources[i],
                      &convert->limits[i]) == -1)
        {
            _exit(126);
        }
    }
}


static gboolean
render_convert_not_started(gpointer data)
{
    render_convert_t  *convert = data;

    convert->work = 0;
    convert->done(convert->data, NULL, convert->error);

    return G_SOURCE_REMOVE;
}


static gboolean
render_convert_late(gpointer data)
{
    render_convert_t  *convert = data;

    convert->timer = 0;
    convert->late = TRUE;
    render_convert_kill(convert);

    return G_SOURCE_REMOVE;
}


/*
 * What is in the sandbox dies with its parent, but for the moment between its
 * birth and its saying so; until then it is in the same process group.
 */

static void
render_convert_kill(render_convert_t *convert)
{
    const char  *id;

    id = g_subprocess_get_identifier(convert->process);

    if (id != NULL) {
        (void) kill(-(pid_t) g_ascii_strtoll(id, NULL, 10), SIGKILL);
    }

    g_subprocess_force_exit(convert->process);
}


static void
render_convert_exited(GObject *source, GAsyncResult *result, gpointer data)
{
    render_convert_t     *convert = data;
    g_autoptr(GBytes)     pdf = NULL;
    g_autoptr(GError)     error = NULL;

    (void) g_subprocess_wait_finish(G_SUBPROCESS(source), result, NULL);

    if (convert->done != NULL) {
        g_clear_handle_id(&convert->timer, g_source_remove);
        pdf = render_convert_pdf(convert, &error);
        convert->done(convert->data, pdf, error);
    }

    g_rc_box_release_full(convert, render_convert_clear);
}


/* what the sandbox says of itself is not asked: there is a PDF or there is
   none */

static GBytes *
render_convert_pdf(render_convert_t *convert, GError **error)
{
    int                   fd;
    rs_doc_t              doc;
    struct stat           st;
    g_autoptr(GBytes)     pdf = NULL;

    if (convert->late) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                    "took longer than %u s", convert->seconds);
        return NULL;
    }

    fd = convert->fd;
    convert->fd = -1;

    if (fstat(fd, &st) == -1 || (guint64) st.st_size > convert->output) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                    "became more than %" G_GUINT64_FORMAT " MiB",
                    convert->output >> 20);
        (void) close(fd);
        return NULL;
    }

    pdf = render_bytes_map(fd, error);

    if (pdf == NULL) {
        return NULL;
    }

    if (rs_doc_read((rs_str_t) { g_bytes_get_data(pdf, NULL),
                                 g_bytes_get_size(pdf) }, &doc)
        != RS_DOC_FINE
        || doc.type != RS_DOC_PDF)
    {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                            "could not be read");
        return NULL;
    }

    return g_steal_pointer(&pdf);
}


void
render_convert_free(render_convert_t *convert)
{
    if (convert == NULL) {
        return;
    }

    convert->done = NULL;
    g_clear_handle_id(&convert->timer, g_source_remove);
    g_clear_handle_id(&convert->work, g_source_remove);

    if (convert->process != NULL) {
        render_convert_kill(convert);
    }

    g_rc_box_release_full(convert, render_convert_clear);
}


static void
render_convert_clear(gpointer data)
{
    render_convert_t  *convert = data;

    g_clear_object(&convert->process);
    g_clear_error(&convert->error);

    if (convert->fd != -1) {
        (void) close(convert->fd);
    }
}
