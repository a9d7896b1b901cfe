
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A real browser in its sandbox: its page, what is not let through, what is
 * masked, by pixels of its display, downloads, and its crashes.
 */

#include "browser_x.h"
#include "render_launcher.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>


static const page_t  pages[] = {
    { "/", "text/html",
      "<!doctype html><title>One</title><body style='margin:0;background:"
      "#00ff00'><a href='/two' style='position:absolute;left:0;top:0;width:"
      "100px;height:100px;background:#0000ff'></a>"
      "<a href='/two' target='_blank' style='position:absolute;left:200px;"
      "top:0;width:100px;height:100px;background:#00ffff'></a>"
      "<a href='/outside' style='position:absolute;left:400px;top:0;width:"
      "100px;height:100px;background:#ffff00'></a>" },
    { "/two", "text/html",
      "<!doctype html><title>Two</title><body style='margin:0;background:"
      "#ff00ff'>" },
    { "/outside", "text/html", "<title>Outside</title>" },
    { "/thing", "application/x-thing", "what is in it" },
    { "/form", "text/html",
      "<!doctype html><title>Form</title><body style='margin:0;background:"
      "#00ff00'><form method=post action='/post'><button style='position:"
      "absolute;left:0;top:0;width:100px;height:100px'>A</button></form>"
      "<form method=get action='/got'><button style='position:absolute;left:"
      "200px;top:0;width:100px;height:100px'>B</button></form>"
      "<form id=f method=post action='/post'></form>"
      "<button onclick='f.submit()' style='position:absolute;left:400px;"
      "top:0;width:100px;height:100px'>C</button>" },
    { "/post", "text/html", "<title>Posted</title>" },
    { "/got", "text/html", "<title>Got</title>" },
    { "/push", "text/html",
      "<title>Push</title><script>history.pushState(0,'','/outside')"
      "</script>" },
    { "/masks", "text/html",
      "<!doctype html><title>Masks</title><style>.x{color:#fff!important;"
      "filter:none!important;background:#fff!important}</style>"
      "<body style='margin:0;background:#00ff00'>"
      "<div data-rs-mask style='position:absolute;left:0;top:0;width:100px;"
      "height:100px;background:#fff'>secret <b style='color:red'>words</b>"
      "</div><div class=x id=card style='position:absolute;left:200px;top:0;"
      "width:100px;height:100px'><img src='data:image/svg+xml,<svg xmlns="
      "\"http://www.w3.org/2000/svg\"><rect width=\"100\" height=\"100\" "
      "fill=\"red\"/></svg>' width=100 height=50><span class=x>1234</span>"
      "</div><iframe srcdoc='<body style=\"margin:0;background:#00ff00\">"
      "<div data-rs-mask style=\"width:100px;height:100px;background:#fff\">"
      "framed</div>' style='position:absolute;left:400px;top:0;width:100px;"
      "height:200px;border:0'></iframe><script>"
      "document.adoptedStyleSheets=[];"
      "for(const s of document.querySelectorAll('style'))"
      "if(s.textContent.includes('rs-mask'))s.remove();"
      "</script>" },
    { "/trees", "text/html",
      "<!doctype html><title>Trees</title><style>div{position:absolute;"
      "top:0;width:100px;height:100px}</style>"
      "<body style='margin:0;background:#00ff00'>"
      "<div id=a style='left:0'></div><div id=b style='left:200px'></div>"
      "<div id=c style='left:400px'><template shadowrootmode=open>"
      "<p data-rs-mask style='margin:0;height:100px;background:#fff'>read"
      "</p></template></div><script>"
      "const box='<p data-rs-mask style=\"margin:0;height:100px;"
      "background:#fff\">closed</p>';"
      "a.attachShadow({mode:'closed'}).innerHTML=box;"
      "const own=new CSSStyleSheet();own.replaceSync('p{color:red}');"
      "const r=b.attachShadow({mode:'open'});r.adoptedStyleSheets=[own];"
      "const x=document.createElement('section');r.append(x);"
      "x.attachShadow({mode:'open'}).innerHTML=box.replace('data-rs-mask',"
      "'id=card');"
      "</script>" },
    { NULL, NULL, NULL }
};


typedef struct {
    render_browser_t  *browser;
    char              *dir;
    guint              ready;
    guint              crashed;
    gboolean           over;
    guint              told;
    char              *blocked;
    char              *name;
    char              *path;
} fixture_t;


static void
on_ready(void *data)
{
    fixture_t  *f = data;

    f->ready++;
}


static void
on_page(void *data, const render_page_t *page)
{
    fixture_t  *f = data;

    (void) page;

    f->told++;
}


static void
on_blocked(void *data, const char *url, const char *why)
{
    const char       *path;
    fixture_t        *f = data;
    g_autofree char  *before = f->blocked;

    path = strrchr(url, '/');
    f->blocked = g_strdup_printf("%s%s %s\n", before ? before : "", why,
                                 path ? path : url);
}


static void
on_crashed(void *data, gboolean restarting)
{
    fixture_t  *f = data;

    f->crashed++;
    f->over = !restarting;
}


static void
on_download(void *data, const char *path, const char *name)
{
    fixture_t  *f = data;

    f->path = g_strdup(path);
    f->name = g_strdup(name);
}


static const render_browser_events_t  events = {
    on_ready, on_page, on_blocked, on_crashed, on_download, NULL
};


static gboolean
at(fixture_t *f, const char *title)
{
    const render_page_t  *page = render_browser_page(f->browser);

    return strcmp(page->title, title) == 0 && !page->loading;
}


static void
go(fixture_t *f, const char *path, const char *title)
{
    g_autofree char  *url = web_url(path);

    render_browser_go(f->browser, url);
    WAIT(at(f, title));
    ok(at(f, title), "%s is shown", path);
}


/* a click on what is not drawn yet is none */

static void
click_until_blocked(fixture_t *f, Display *x, int px)
{
    guint   i;
    gint64  end_us;

    g_clear_pointer(&f->blocked, g_free);

    for (i = 0; i < 40 && f->blocked == NULL; i++) {
        end_us = g_get_monotonic_time() + G_USEC_PER_SEC / 2;
        click(x, px, 50);
        WAIT(f->blocked != NULL || g_get_monotonic_time() > end_us);
    }
}


#define BLOCKED(f, what, name)                                                \
    do {                                                                      \
        WAIT((f)->blocked != NULL && strstr((f)->blocked, what) != NULL);     \
        ok((f)->blocked != NULL && strstr((f)->blocked, what) != NULL, name); \
        g_clear_pointer(&(f)->blocked, g_free);                               \
    } while (0)


static void
test_page(fixture_t *f, Display *x)
{
    const render_page_t  *page = render_browser_page(f->browser);

    WAIT(at(f, "One") && pixel(x, 1, 300) == 0x00ff00);
    ok(at(f, "One"), "the first page is shown");
    is_int(others(x, 0, 200, WIDTH, HEIGHT - 200, 0x00ff00), 0,
           "it fills the display to its edges");
    is_int(others(x, 0, 0, 100, 100, 0x0000ff), 0, "from its first pixel on");
    ok(strstr(web_log->str, "RsRenderingService/") != NULL,
       "it tells pages what it is");

    click(x, 50, 50);
    WAIT(at(f, "Two"));
    ok(at(f, "Two") && page->back && !page->forward,
       "a click leads on, and back is there");
    render_browser_move(f->browser, -1);
    WAIT(at(f, "One") && page->forward);
    ok(!page->back && page->forward, "back, and forward is there");
    render_browser_move(f->browser, 1);
    WAIT(at(f, "Two"));
    ok(at(f, "Two"), "forward");
    go(f, "/", "One");

    WAIT(pixel(x, 250, 50) == 0x00ffff);
    click(x, 250, 50);
    WAIT(at(f, "Two"));
    ok(at(f, "Two"), "what opens beside it is shown in it");
    go(f, "/", "One");
}


static void
test_rules(fixture_t *f, Display *x)
{
    g_autofree char  *url = web_url("/outside");

    render_browser_go(f->browser, url);
    BLOCKED(f, "policy /outside", "an address that the rules do not have");
    click_until_blocked(f, x, 450);
    BLOCKED(f, "policy /outside", "nor by a click");
    WAIT(at(f, "One"));
    ok(at(f, "One"), "the page that was there stays");

    render_browser_go(f->browser, "file:///etc/passwd");
    BLOCKED(f, "scheme /passwd", "file:");
    render_browser_go(f->browser, "chrome://version");
    BLOCKED(f, "scheme /version", "chrome:");
    render_browser_go(f->browser, "view-source:http://127.0.0.1/x");
    BLOCKED(f, "scheme /x", "view-source:");
    render_browser_show(f->browser, "file:///etc/passwd");
    BLOCKED(f, "scheme /passwd", "nor in another way");
    go(f, "/", "One");
    render_browser_show(f->browser, "chrome://version/");
    BLOCKED(f, "scheme /\n", "nor the browser's own pages");

    go(f, "/", "One");
    g_free(url);
    url = web_url("/push");
    render_browser_go(f->browser, url);
    BLOCKED(f, "policy /outside", "a page that gives itself another address");

    render_browser_go(f->browser, "http://127.0.0.1:1/never");
    BLOCKED(f, "network /never", "what the network refuses is told");
    go(f, "/", "One");
}


static void
test_forms(fixture_t *f, Display *x)
{
    guint  i;

    render_browser_hold(f->browser, TRUE);
    go(f, "/form", "Form");

    click_until_blocked(f, x, 50);
    BLOCKED(f, "submit /form", "a form is held back");
    click_until_blocked(f, x, 250);
    BLOCKED(f, "submit /form", "one that goes by GET");
    click_until_blocked(f, x, 450);
    BLOCKED(f, "submit /post", "and one that a script sends");
    ok(strstr(web_log->str, "POST") == NULL
       && strstr(web_log->str, "/got") == NULL, "nothing arrived");

    render_browser_hold(f->browser, FALSE);

    /* it holds a moment longer than it was said */

    for (i = 0; i < 50 && !at(f, "Posted"); i++) {
        gint64  end_us = g_get_monotonic_time() + G_USEC_PER_SEC / 2;

        click(x, 50, 50);
        WAIT(at(f, "Posted") || g_get_monotonic_time() > end_us);
    }

    ok(at(f, "Posted"), "it goes once it may");
}


static void
test_masks(fixture_t *f, Display *x)
{
    go(f, "/masks", "Masks");
    WAIT(pixel(x, 1, 300) == 0x00ff00 && pixel(x, 450, 150) == 0x00ff00
         && pixel(x, 450, 50) == 0);

    is_int(others(x, 0, 0, 100, 100, 0x000000), 0,
           "[data-rs-mask] is a black box, to the pixel");
    is_int(others(x, 200, 0, 100, 100, 0x000000), 0,
           "so is what a selector names, whatever the page says of it");
    is_int(others(x, 400, 0, 100, 100, 0x000000), 0, "and one in a frame");
    is_int(others(x, 0, 110, WIDTH, 50, 0x00ff00), 0, "and nothing else");
}


/* closed, one in another with sheets of its own, and one that was parsed */

static void
test_trees(fixture_t *f, Display *x)
{
    guint  i;

    go(f, "/trees", "Trees");
    WAIT(pixel(x, 1, 300) == 0x00ff00 && pixel(x, 450, 50) == 0);

    for (i = 0; i < 3; i++) {
        is_int(others(x, i * 200, 0, 100, 100, 0x000000), 0,
               "a mask in a shadow tree is a black box, too");
    }

    is_int(others(x, 0, 110, WIDTH, 50, 0x00ff00), 0, "and nothing else");
}


static void
test_download(fixture_t *f)
{
    g_autofree char  *url = web_url("/thing");
    g_autofree char  *text = NULL;

    render_browser_go(f->browser, url);
    WAIT(f->path != NULL);
    ok(f->path != NULL && g_file_get_contents(f->path, &text, NULL, NULL),
       "a file is there");
    is_str(text, "what is in it", "with what is in it");
    ok(f->name != NULL && strstr(f->name, "thing.txt") != NULL
       && strchr(f->name, '/') == NULL, "and a name: %s", f->name);
}


/* of its process group: bwrap is the first, its own are inside */

static guint
processes(const char *what)
{
    guint              n;
    const char        *name;
    g_autoptr(GDir)    dir = g_dir_open("/proc", 0, NULL);

    n = 0;

    while ((name = g_dir_read_name(dir)) != NULL) {
        gsize             i, len;
        g_autofree char  *path = g_strconcat("/proc/", name, "/cmdline", NULL);
        g_autofree char  *text = NULL;

        if (!g_ascii_isdigit(name[0])
            || !g_file_get_contents(path, &text, &len, NULL))
        {
            continue;
        }

        for (i = 0; i + 1 < len; i++) {
            text[i] = text[i] ? text[i] : ' ';
        }

        n += strstr(text, what) != NULL;
    }

    return n;
}


static void
test_crash(fixture_t *f, Display *x)
{
    guint   told;
    gint64  begin_us;

    go(f, "/two", "Two");
    told = f->told;
    begin_us = g_get_monotonic_time();
    kill(render_browser_pid(f->browser), SIGKILL);
    WAIT(f->crashed == 1);
    ok(g_get_monotonic_time() - begin_us < 5 * G_USEC_PER_SEC && !f->over,
       "that it crashed is told in time");
    WAIT(pixel(x, 1, 1) != 0xff00ff);
    WAIT(pixel(x, 1, 1) == 0xff00ff && f->told > told && at(f, "Two"));
    ok(pixel(x, 1, 1) == 0xff00ff && at(f, "Two"),
       "and it shows the same page again");

    WAIT(render_browser_pid(f->browser) != 0);
    kill(render_browser_pid(f->browser), SIGKILL);
    WAIT(f->crashed == 2);
    ok(f->crashed == 2 && !f->over, "the second time, too");
    WAIT(render_browser_pid(f->browser) != 0);
    kill(render_browser_pid(f->browser), SIGKILL);
    WAIT(f->over);
    ok(f->over, "the third time within a minute is the end");
}


static render_rules_t *
rules(void)
{
    g_autofree char     *text = NULL;
    g_autoptr(json_t)    session = NULL;
    g_autoptr(GError)    error = NULL;

    text = g_strdup_printf("{\"id\":\"ses_a\",\"host\":{\"type\":\"render\","
        "\"url\":\"http://127.0.0.1:%u/\"},\"policy\":{\"mask\":[\"#card\"],"
        "\"downloads\":\"both\",\"urls\":[[\"http://127.0.0.1:%u/\","
        "\"http://127.0.0.1:%u/t*\",\"http://127.0.0.1:%u/form\","
        "\"http://127.0.0.1:%u/post\",\"http://127.0.0.1:%u/got*\","
        "\"http://127.0.0.1:%u/masks\",\"http://127.0.0.1:%u/push\","
        "\"http://127.0.0.1:1/*\"]]}}",
        web_port, web_port, web_port, web_port, web_port, web_port, web_port,
        web_port);
    session = agent_json_load(text, strlen(text), 65536, NULL);

    return render_rules_new(session, &error);
}


/* as of a server that was killed a while ago */

static char *
leave_socket(void)
{
    int                  fd;
    char                *path;
    struct timespec      old[2] = { { 1000000, 0 }, { 1000000, 0 } };
    struct sockaddr_un   sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    path = g_strdup_printf("/tmp/.X11-unix/X%d", 50000 + (int) getpid());
    g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
    (void) mkdir("/tmp/.X11-unix", 01777);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ok(bind(fd, (struct sockaddr *) &sun, sizeof(sun)) == 0
       && utimensat(AT_FDCWD, path, old, 0) == 0, "a socket of nobody");
    close(fd);

    return path;
}


static void
on_lost(void *data)
{
    (void) data;
}


int
main(int argc, char **argv)
{
    Display                       *x;
    fixture_t                      f;
    render_display_t              *display;
    render_browser_conf_t          conf;
    g_autofree char               *left = NULL;
    g_autofree char               *mark = NULL;
    g_autofree char               *here = NULL;
    g_autofree char               *inside = NULL;
    g_autoptr(GError)              error = NULL;
    g_autoptr(render_rules_t)      r = NULL;
    g_autoptr(render_settings_t)   settings = render_settings_new();

    (void) argc;

    setvbuf(stdout, NULL, _IOLBF, 0);

    if (!web_for(settings, pages)) {
        return 0;
    }

    memset(&f, 0, sizeof(f));
    f.dir = g_dir_make_tmp("rs-render-t-XXXXXX", NULL);
    here = g_canonicalize_filename(argv[0], NULL);
    inside = g_canonicalize_filename("../../rs-render-inside", here);
    r = rules();

    left = leave_socket();
    display = render_display_new("Xvfb", f.dir, WIDTH, HEIGHT, on_lost, &f,
                                 &error);
    ok(access(left, F_OK) != 0, "what a killed display left is gone");
    ok(display != NULL, "a display%s%s", error ? ": " : "",
       error ? error->message : "");

    setenv("XAUTHORITY", "/dev/null", 1);
    ok(XOpenDisplay(render_display_name(display)) == NULL,
       "nobody without the cookie gets at it");
    setenv("XAUTHORITY", render_display_cookie(display), 1);
    x = XOpenDisplay(render_display_name(display));
    ok(x != NULL, "who has it does");

    memset(&conf, 0, sizeof(conf));
    conf.settings = settings;
    conf.display = display;
    conf.inside = inside;
    conf.dir = f.dir;
    conf.width = WIDTH;
    conf.height = HEIGHT;
    f.browser = render_browser_new(&conf, &events, &f, &error);
    ok(f.browser != NULL, "a browser%s%s", error ? ": " : "",
       error ? error->message : "");

    WAIT(f.ready || f.over);

    if (!ok(f.ready == 1, "it is ready")) {
        return done();
    }

    render_browser_begin(f.browser, r);

    test_page(&f, x);
    test_rules(&f, x);
    test_masks(&f, x);
    test_trees(&f, x);
    test_forms(&f, x);
    test_download(&f);
    test_crash(&f, x);

    mark = g_strconcat("rs-render-t-", strstr(f.dir, "rs-render-t-")
                                       + strlen("rs-render-t-"), NULL);
    XCloseDisplay(x);
    render_browser_free(f.browser);
    render_display_free(display);
    is_int(processes(mark), 0, "no process is left");
    render_remove(f.dir);

    g_free(f.dir);
    g_free(f.name);
    g_free(f.path);
    g_free(f.blocked);
    g_object_unref(web);
    g_string_free(web_log, TRUE);

    return done();
}
