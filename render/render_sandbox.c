
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns bwrap's arguments and the browser's.  The browser keeps its own sandbox
 * in there, of user namespaces and seccomp: this one is for the case that a
 * page breaks out of that.
 *
 *     3, 4    the debugging pipe
 *     5       where rs-render-inside gives its socket away
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_sandbox.h"
#include "render_child.h"
#include "render_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define RENDER_SANDBOX_UID     "1000"
#define RENDER_SANDBOX_END_MS  0        /* there is nothing to be polite to */
#define RENDER_SANDBOX_INSIDE  "/run/rs-render-inside"
#define RENDER_SANDBOX_COOKIE  "/run/Xauthority"
#define RENDER_SANDBOX_POLICY  "/etc/chromium/policies/managed/rs-render.json"


struct render_sandbox_s {
    render_child_t                 *child;
    int                             channel;
    guint                           watch;
    const render_sandbox_events_t  *events;
    void                           *data;
};


static void render_sandbox_args(GPtrArray *args,
    const render_sandbox_conf_t *conf);
static void render_sandbox_browser(GPtrArray *args,
    const render_sandbox_conf_t *conf);
static gboolean render_sandbox_given(int fd, GIOCondition condition,
    gpointer data);
static int render_sandbox_take(int channel);
static void render_sandbox_exited(void *data, int status);


render_sandbox_t *
render_sandbox_new(const render_sandbox_conf_t *conf,
    const render_sandbox_events_t *events, void *data, int *in, int *out,
    GError **error)
{
    int                     to[2], from[2], channel[2];
    render_fd_t             fds[3];
    render_sandbox_t       *sandbox;
    g_autoptr(GPtrArray)    args = g_ptr_array_new_with_free_func(g_free);

    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0
        || socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, channel) != 0)
    {
        /* a process that has no descriptors left is not to go on */

        g_error("pipe: %s", g_strerror(errno));
    }

    fds[0].fd = to[0];
    fds[0].as = 3;
    fds[1].fd = from[1];
    fds[1].as = 4;
    fds[2].fd = channel[1];
    fds[2].as = 5;

    render_sandbox_args(args, conf);
    g_ptr_array_add(args, NULL);

    sandbox = g_new0(render_sandbox_t, 1);
    sandbox->events = events;
    sandbox->data = data;
    sandbox->channel = channel[0];
    sandbox->child = render_child_new((char **) args->pdata, NULL, fds, 3,
                                      SIGKILL, render_sandbox_exited,
                                      sandbox, error);

    (void) close(to[0]);
    (void) close(from[1]);
    (void) close(channel[1]);

    if (sandbox->child == NULL) {
        (void) close(to[1]);
        (void) close(from[0]);
        (void) close(channel[0]);
        g_free(sandbox);
        return NULL;
    }

    sandbox->watch = g_unix_fd_add(channel[0], G_IO_IN|G_IO_HUP,
                                   render_sandbox_given, sandbox);
    *in = from[0];
    *out = to[1];

    return sandbox;
}


void
render_sandbox_free(render_sandbox_t *sandbox)
{
    g_clear_handle_id(&sandbox->watch, g_source_remove);
    (void) close(sandbox->channel);

    /* the namespace's first process dies with bwrap, and all others with it */

    render_child_free(sandbox->child, RENDER_SANDBOX_END_MS);
    g_free(sandbox);
}


int
render_sandbox_pid(const render_sandbox_t *sandbox)
{
    return render_child_pid(sandbox->child);
}


static void
render_sandbox_add(GPtrArray *args, const char *const *words)
{
    for ( /* void */ ; *words != NULL; words++) {
        g_ptr_array_add(args, g_strdup(*words));
    }
}


static void
render_sandbox_args(GPtrArray *args, const render_sandbox_conf_t *conf)
{
    const char        *display, *socket;
    g_autofree char   *size = NULL;
    g_autofree char   *policy = NULL;
    g_autofree char   *downloads = NULL;

    display = render_display_name(conf->display);
    socket = render_display_socket(conf->display);
    size = g_strdup_printf("%" G_GUINT64_FORMAT,
                           (guint64) conf->profile << 20);
    policy = g_build_filename(conf->dir, "policy.json", NULL);
    downloads = g_build_filename(conf->dir, "downloads", NULL);

    {
        const char *const  words[] = {
            conf->program,
            "--unshare-all", "--die-with-parent", "--new-session",
            "--cap-drop", "ALL",
            "--uid", RENDER_SANDBOX_UID, "--gid", RENDER_SANDBOX_UID,
            "--hostname", "browser", "--clearenv",
            "--setenv", "HOME", RENDER_SANDBOX_HOME,
            "--setenv", "PATH", "/usr/bin:/bin",
            "--setenv", "LANG", "C.UTF-8",
            "--setenv", "DISPLAY", display,
            "--setenv", "XAUTHORITY", RENDER_SANDBOX_COOKIE,
            "--proc", "/proc", "--dev", "/dev",
            "--ro-bind", "/usr", "/usr",
            "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64",
            "--symlink", "usr/bin", "/bin",
            "--ro-bind-try", "/etc/fonts", "/etc/fonts",
            "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache",
            "--ro-bind-try", "/etc/localtime", "/etc/localtime",
            "--ro-bind-try", "/var/cache/fontconfig", "/var/cache/fontconfig",
            "--size", size, "--tmpfs", "/tmp",
            "--size", size, "--tmpfs", RENDER_SANDBOX_HOME,
            "--ro-bind", policy, RENDER_SANDBOX_POLICY,
            "--ro-bind", socket, socket,
            "--ro-bind", render_display_cookie(conf->display),
            RENDER_SANDBOX_COOKIE,
            "--ro-bind", conf->inside, RENDER_SANDBOX_INSIDE,
            "--bind", downloads, RENDER_SANDBOX_DOWNLOADS,
            "--remount-ro", "/", "--chdir", RENDER_SANDBOX_HOME,
            "--", RENDER_SANDBOX_INSIDE, "5", NULL
        };

        render_sandbox_add(args, words);
    }

    render_sandbox_browser(args, conf);
}


static void
render_sandbox_browser(GPtrArray *args, const render_sandbox_conf_t *conf)
{
    g_autofree char  *size = NULL;
    g_autofree char  *agent = NULL;

    /* Chromium makes a window without a frame one pixel smaller than the
     * screen is, each way */

    size = g_strdup_printf("--window-size=%u,%u", conf->width + 1,
                           conf->height + 1);
    agent = g_strconcat("--user-agent=", conf->user_agent, NULL);

    {
        const char *const  words[] = {
            conf->browser,
            "--remote-debugging-pipe",
            "--user-data-dir=" RENDER_SANDBOX_HOME "/profile",
            "--proxy-server=socks5://127.0.0.1:"
                G_STRINGIFY(RENDER_INSIDE_PORT),
            "--proxy-bypass-list=<-loopback>",
            "--app=" RENDER_SANDBOX_EMPTY, "--kiosk",
            "--window-position=0,0", size, agent,
            "--no-first-run", "--no-default-browser-check", "--no-pings",
            "--noerrdialogs", "--disable-gpu", "--disable-breakpad",
            "--disable-crash-reporter", "--disable-component-update",
            "--disable-component-extensions-with-background-pages",
            "--disable-default-apps", "--disable-extensions",
            "--disable-sync", "--disable-background-networking",
            "--disable-domain-reliability", "--disable-notifications",
            "--disable-search-engine-choice-screen",
            "--disable-session-crashed-bubble", "--hide-crash-restore-bubble",
            "--mute-audio", "--password-store=basic",
            "--metrics-recording-only",
            "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
            "--webrtc-ip-handling-policy=disable_non_proxied_udp",
            "--disable-features=MediaRouter,OptimizationHints,Translate,"
                "AutofillServerCommunication,InterestFeedContentSuggestions,"
                "GlobalMediaControls,NetworkTimeServiceQuerying,"
                "CertificateTransparencyComponentUpdater,BackForwardCache,"
                "Prerender2",
            NULL
        };

        render_sandbox_add(args, words);
    }
}


static gboolean
render_sandbox_given(int fd, GIOCondition condition, gpointer data)
{
    int                given;
    render_sandbox_t  *sandbox = data;

    (void) condition;

    sandbox->watch = 0;
    given = render_sandbox_take(fd);

    if (given != -1) {
        sandbox->events->listening(sandbox->data, given);
    }

    return G_SOURCE_REMOVE;
}


static int
render_sandbox_take(int channel)
{
    int              fd;
    char             byte;
    struct iovec     iov = { &byte, 1 };
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    union {
        char            buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr  align;
    } control;

    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.buf;
    msg.msg_controllen = sizeof(control.buf);

    if (recvmsg(channel, &msg, MSG_CMSG_CLOEXEC|MSG_DONTWAIT) != 1) {
        return -1;
    }

    cmsg = CMSG_FIRSTHDR(&msg);

    if (cmsg == NULL || cmsg->cmsg_level != SOL_SOCKET
        || cmsg->cmsg_type != SCM_RIGHTS
        || cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
    {
        return -1;
    }

    memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));

    return fd;
}


static void
render_sandbox_exited(void *data, int status)
{
    render_sandbox_t  *sandbox = data;

    sandbox->events->exited(sandbox->data, status);
}
