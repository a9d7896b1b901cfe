
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a real browser lets out of masks: by pixels of its display, and by
 * what can be copied out of them and pasted elsewhere.
 */

#include "browser_x.h"
#include "render_launcher.h"

#include <glib/gstdio.h>


/* a box of 100 pixels, beginning there */

#define BOX(left)  "position:absolute;top:0;width:100px;height:100px;"        \
                   "box-sizing:border-box;left:" #left "px;"

#define DRAWN                                                                 \
    "requestAnimationFrame(()=>requestAnimationFrame(()=>fetch('/drawn')))"

#define BODY(title)                                                           \
    "<!doctype html><title>" title "</title><body style='margin:0;"           \
    "background:#00ff00'>"

#define HEAD(title)  BODY(title) "<script>" DRAWN "</script>"

#define LIST(mask)                                                            \
    "<select " mask " style='width:100px;height:40px'><option>1<option>2"     \
    "<option>3<option>4</select>"

/* as strong as a page can say it */

#define WHITE                                                                 \
    "filter:none!important;background-color:#fff!important;color:#f00"        \
    "!important;-webkit-text-fill-color:#f00!important"

/* sent by a script, and so by no request of the browser's */

#define FORM                                                                  \
    "<form onsubmit=\"event.preventDefault();fetch('/sent')\"><button "       \
    "style='width:100px;height:40px'>A</button></form>"

/* tells what is typed or pasted into it */

#define PAD                                                                   \
    "<textarea style='" BOX(400) "' oninput=\"fetch('/typed/'+this.value"     \
    ".replace(/\\W/g,''))\"></textarea>"


static const page_t  pages[] = {
    { "/", "text/html", "<title>One</title>" },
    { "/copy", "text/html",
      HEAD("Copy") "<div data-rs-mask style='" BOX(0) "'>secret "
      "<b style='user-select:text'>words</b></div>"
      "<input data-rs-mask value=secret style='" BOX(200) "'>" PAD
      "<p style='" BOX(0) "top:200px;font-size:40px'>plain</p>"
      "<div id=a style='" BOX(200) "top:200px'></div><script>"
      "a.attachShadow({mode:'closed'}).innerHTML='<p data-rs-mask>secret</p>"
      "<input data-rs-mask value=secret style=\"width:90px;height:40px\">';"
      "</script>" },
    { "/part", "text/html",
      HEAD("Part") "<div id=a style='" BOX(0) "'></div><main><div id=card "
      "style='" BOX(200) "background:#fff'><p>1234</p></div></main>"
      "<p title='a b' style='" BOX(400) "background:#fff;margin:0'>5</p>"
      "<p style='" BOX(520) "margin:0;color:red!important'>6</p>"
      "<script>a.attachShadow({mode:'open'}).innerHTML="
      "'<p part=number>1234</p>'</script>" },
    { "/lists", "text/html",
      HEAD("Lists") "<div id=a style='" BOX(0) "'></div><div id=b style='"
      BOX(200) "'></div><input type=time data-rs-mask style='" BOX(400)
      "height:40px'><div style='" BOX(0) "top:300px'>" LIST("") "</div>"
      "<script>a.attachShadow({mode:'closed'}).innerHTML="
      "b.attachShadow({mode:'open'}).innerHTML=`" LIST("data-rs-mask") "`"
      "</script>" },
    { "/forms", "text/html",
      HEAD("Forms") "<div id=a style='" BOX(0) "'></div><div id=b style='"
      BOX(200) "'></div><script>a.attachShadow({mode:'closed'}).innerHTML="
      "b.attachShadow({mode:'open'}).innerHTML=`" FORM "`</script>" },
    { "/written", "text/html",
      "<!doctype html><title>Written</title><script>setTimeout(()=>{"
      "document.open();document.write(`" BODY("Written") "<div style='"
      BOX(0) "'>" LIST("data-rs-mask") "</div><div style='" BOX(200) "'>" FORM
      "</div><div id=a style='" BOX(400) "'></div><div style='" BOX(0)
      "top:300px'>" LIST("") "</div>`);"
      "a.attachShadow({mode:'closed'}).innerHTML=`" LIST("data-rs-mask") "`;"
      "document.close();" DRAWN "},100)</script>" },
    { "/outrank", "text/html",
      BODY("Outrank") "<style>@layer base{#card{" WHITE "}}"
      ".slow{transition:all 100s;background:#fff}</style>"
      "<div data-rs-mask style='" BOX(0) WHITE "'>secret<b style='" WHITE
      "'>words</b></div><div id=card style='" BOX(200) "'>1234</div>"
      "<div id=a class=slow style='" BOX(400) "'>late</div>"
      "<div id=b style='" BOX(520) "'></div>"
      "<svg style='" BOX(0) "top:200px'><text data-rs-mask y=40 "
      "font-size=40>text</text></svg><script>"
      "b.attachShadow({mode:'closed'}).innerHTML=`<p data-rs-mask style='"
      "margin:0;height:100px;" WHITE "'>secret</p>`;setTimeout(()=>{"
      "a.setAttribute('data-rs-mask','');card.style.cssText+=`;" WHITE "`;"
      DRAWN "},300)</script>" },
    { "/hover", "text/html",
      HEAD("Hover") "<div data-rs-mask title=secret style='" BOX(0) "'></div>"
      "<div data-rs-mask style='" BOX(200) "'><p style='height:100px;margin:0'"
      " id=a></p></div><div title=plain style='" BOX(400) "'></div><script>"
      "setTimeout(()=>{a.title='secret'},50)</script>" },
    { "/strict", "text/html",
      HEAD("Strict") "<style nonce=x>@layer base{#card{" WHITE "}}</style>"
      "<div id=card style='" BOX(0) "'>1234</div>" },
    { NULL, NULL, NULL }
};


typedef struct {
    render_browser_t   *browser;
    render_display_t   *display;
    Display            *x;
    char               *dir;
    guint               ready;
    gboolean            over;
    guint               blocked;
    render_rules_t     *rules;
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
    (void) data;
    (void) page;
}


static void
on_blocked(void *data, const char *url, const char *why)
{
    fixture_t  *f = data;

    (void) url;

    f->blocked += strcmp(why, "submit") == 0;
}


static void
on_crashed(void *data, gboolean restarting)
{
    fixture_t  *f = data;

    f->over = !restarting;
}


static const render_browser_events_t  events = {
    on_ready, on_page, on_blocked, on_crashed, NULL, NULL
};


static void
on_lost(void *data)
{
    (void) data;
}


static gboolean
at(fixture_t *f, const char *title)
{
    const render_page_t  *page = render_browser_page(f->browser);

    return strcmp(page->title, title) == 0 && !page->loading;
}


/* with these masks, a list in JSON, from now on */

static void
begin(fixture_t *f, const char *masks)
{
    g_autofree char             *text = NULL;
    g_autoptr(json_t)            session = NULL;
    g_autoptr(GError)            error = NULL;
    g_autoptr(render_rules_t)    old = f->rules;

    text = g_strdup_printf("{\"id\":\"ses_a\",\"host\":{\"type\":\"render\","
                           "\"url\":\"http://127.0.0.1:%u/\"},\"policy\":"
                           "{\"mask\":%s}}", web_port, masks);
    session = agent_json_load(text, strlen(text), 65536, NULL);
    f->rules = render_rules_new(session, &error);
    ok(f->rules != NULL, "masks %s%s", masks, error ? error->message : "");
    g_string_truncate(web_log, 0);
    render_browser_begin(f->browser, f->rules);
    WAIT(strstr(web_log->str, "GET / ") != NULL && at(f, "One"));
}


static void
after(guint ms)
{
    gint64  end_us = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;

    WAIT(g_get_monotonic_time() > end_us);
}


/* shown, and drawn */

static void
go(fixture_t *f, const char *path, const char *title)
{
    g_autofree char  *url = web_url(path);

    g_string_truncate(web_log, 0);
    render_browser_go(f->browser, url);
    WAIT(at(f, title) && strstr(web_log->str, "/drawn") != NULL);
    after(100);
    ok(at(f, title), "%s is shown", path);
}


static void
with(Display *x, KeySym mod, KeySym sym)
{
    XTestFakeKeyEvent(x, XKeysymToKeycode(x, mod), True, 0);
    type(x, sym);
    XTestFakeKeyEvent(x, XKeysymToKeycode(x, mod), False, 0);
    XFlush(x);
}


static void
drag(Display *x, int px, int py, int tox, int toy)
{
    int  i;

    XTestFakeMotionEvent(x, -1, px, py, 0);
    XTestFakeButtonEvent(x, 1, True, 0);
    XFlush(x);
    after(200);

    for (i = 1; i <= 10; i++) {
        XTestFakeMotionEvent(x, -1, px + (tox - px) * i / 10,
                             py + (toy - py) * i / 10, 0);
        XFlush(x);
        after(50);
    }

    XTestFakeButtonEvent(x, 1, False, 0);
    XFlush(x);
}


/* what the field has; the caller frees */

static char *
typed(void)
{
    const char  *text;

    text = g_strrstr(web_log->str, "/typed/");

    return (text != NULL) ? g_strndup(text + strlen("/typed/"),
                                      strcspn(text + strlen("/typed/"), " "))
                          : NULL;
}


typedef enum {
    COPIED = 0,         /* and pasted into the field */
    SELECTED,           /* and the middle button in the field */
    DRAGGED,            /* into the field */
    WAYS
} way_e;


static const char  *ways[] = { "copied", "selected", "dragged" };


/* what the field has at last, and a "z" behind; the caller frees */

static char *
taken(fixture_t *f, int px, int py, way_e way)
{
    int       i;
    char     *text;
    Display  *x = f->x;

    switch (way) {

    case COPIED:
        with(x, XK_Control_L, XK_c);
        after(200);
        click(x, 450, 50);
        after(100);
        with(x, XK_Control_L, XK_v);
        after(300);
        break;

    case SELECTED:
        after(300);
        button(x, 450, 50, 2);
        after(300);
        break;

    default:
        after(300);
        drag(x, px, py, 450, 50);
        after(300);
    }

    for (i = 0; i < 20; i++) {
        click(x, 450, 90 - i % 2 * 20);     /* two would select it */
        type(x, XK_z);
        after(300);
        text = typed();

        if (text != NULL && strchr(text, 'z') != NULL) {
            return text;
        }

        g_free(text);
    }

    return NULL;
}


static void
test_copy(fixture_t *f)
{
    guint   i, way;
    static const struct {
        int          px;
        int          py;
        const char  *what;
    } places[] = {
        { 350, 350, "the page" },
        { 20, 10, "a mask" },
        { 215, 50, "a masked field" },
        { 215, 225, "a shadow tree" },
        { 215, 272, "a masked field in a shadow tree" }
    };

    for (i = 0; i < G_N_ELEMENTS(places); i++) {
        for (way = COPIED; way < WAYS; way++) {
            g_autofree char  *text = NULL;

            go(f, "/copy", "Copy");
            click(f->x, places[i].px, places[i].py);
            after(100);
            with(f->x, XK_Control_L, XK_a);
            after(200);
            text = taken(f, places[i].px < 300 ? places[i].px : 40,
                         places[i].px < 300 ? places[i].py : 260, way);
            ok(text != NULL && strstr(text, "secret") == NULL
               && strstr(text, "words") == NULL, "of %s nothing is %s: \"%s\"",
               places[i].what, ways[way], text);
        }
    }

    for (way = COPIED; way < WAYS; way += 2) {
        g_autofree char  *text = NULL;

        go(f, "/copy", "Copy");
        drag(f->x, 1, 265, 95, 265);
        after(700);
        text = taken(f, 40, 260, way);
        ok(text != NULL && strstr(text, "plain") != NULL,
           "what is not masked is %s: \"%s\"", ways[way], text);
    }
}


/* what can be a rule, but of nothing, or of nothing alone */

static void
test_selectors(fixture_t *f)
{
    guint                i;
    static const char   *bad[] = {
        "x-card::part(number)", ".a::before", ".a, .b:first-line",
        ":is(.a, :nope)", ":not(.a", "[title='a", ".a\\\\"
    };

    begin(f, "[\"main > :is(.a, #card:not(.b)):has(p)\","
             "\"[title=\\\"a b\\\"], .c\","
             "\"[style*=red]\"]");
    go(f, "/part", "Part");
    is_int(others(f->x, 200, 0, 100, 100, 0), 0, "a selector of several");
    is_int(others(f->x, 400, 0, 100, 100, 0), 0, "a list, by a title");
    is_int(others(f->x, 520, 0, 100, 100, 0), 0, "by an important style");
    is_int(others(f->x, 0, 110, WIDTH, 200, 0x00ff00), 0, "and no more");

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char  *list = NULL;

        list = g_strdup_printf("[\"#card\",\"%s\"]", bad[i]);
        begin(f, list);
        go(f, "/part", "Part");
        is_int(others(f->x, 0, 0, WIDTH, HEIGHT, 0), 0, bad[i]);
    }
}


/* of lists above the page: none but what is not masked */

static void
test_lists(fixture_t *f, const char *path, const char *title,
    const int *places, guint n)
{
    guint   i;

    go(f, path, title);

    for (i = 0; i < n; i++) {
        click(f->x, places[i], 20);
        after(700);
        is_int(others(f->x, 0, 45, WIDTH, 250, 0x00ff00), 0,
               "a masked field opens no list");
        type(f->x, XK_Escape);
        after(100);
    }

    click(f->x, 50, 320);
    WAIT(others(f->x, 0, 345, WIDTH, 100, 0x00ff00) != 0);
    ok(others(f->x, 0, 345, WIDTH, 100, 0x00ff00) != 0,
       "and one that is not masked does");
    type(f->x, XK_Escape);
    WAIT(others(f->x, 0, 345, WIDTH, 100, 0x00ff00) == 0);
}


static void
test_forms(fixture_t *f, const char *path, const char *title,
    const int *places, guint n)
{
    guint   i, k;

    for (i = 0; i < n; i++) {
        render_browser_hold(f->browser, TRUE);
        go(f, path, title);
        f->blocked = 0;
        click(f->x, places[i], 20);
        WAIT(f->blocked || strstr(web_log->str, "/sent") != NULL);
        ok(f->blocked && strstr(web_log->str, "/sent") == NULL,
           "a form that a script sends is held back");
        render_browser_hold(f->browser, FALSE);

        for (k = 0; k < 20 && strstr(web_log->str, "/sent") == NULL; k++) {
            click(f->x, places[i], 20);
            after(300);
        }

        ok(strstr(web_log->str, "/sent") != NULL, "and goes once it may");
    }
}


static void
hover(Display *x, int px)
{
    XTestFakeMotionEvent(x, -1, px, 40, 0);
    XFlush(x);
    after(200);
    XTestFakeMotionEvent(x, -1, px, 50, 0);
    XFlush(x);
}


/* what the browser tells of the place where the pointer is */

static void
test_hover(fixture_t *f)
{
    int  i;

    go(f, "/hover", "Hover");

    for (i = 0; i < 400; i += 200) {
        hover(f->x, i + 50);
        after(2000);
        is_int(others(f->x, i, 0, 100, 100, 0), 0, "a mask has no title");
    }

    hover(f->x, 450);
    WAIT(others(f->x, 400, 0, 100, 100, 0x00ff00) != 0);
    ok(others(f->x, 400, 0, 100, 100, 0x00ff00) != 0, "and others have one");
}


static void
test_outrank(fixture_t *f)
{
    guint               i;
    static const int    places[] = { 0, 200, 400, 520 };
    static const char  *what[] = {
        "a style of the element's own", "an earlier layer, and a script",
        "a transition", "a style in a shadow tree"
    };

    go(f, "/outrank", "Outrank");

    for (i = 0; i < G_N_ELEMENTS(places); i++) {
        is_int(others(f->x, places[i], 0, 100, 100, 0), 0, what[i]);
    }

    is_int(others(f->x, 0, 200, 100, 100, 0x00ff00), 0, "a part of a drawing");

    go(f, "/strict", "Strict");
    is_int(others(f->x, 0, 0, 100, 100, 0), 0,
           "a page that allows no style sheets but its own");
}


int
main(int argc, char **argv)
{
    fixture_t                      f;
    render_browser_conf_t          conf;
    g_autofree char               *here = NULL;
    g_autofree char               *inside = NULL;
    g_autoptr(GError)              error = NULL;
    g_autoptr(render_settings_t)   settings = render_settings_new();

    static const int   lists[] = { 50, 250, 487, 450 };
    static const int   forms[] = { 50, 250 };

    (void) argc;

    setvbuf(stdout, NULL, _IOLBF, 0);

    if (!web_for(settings, pages)) {
        return 0;
    }

    memset(&f, 0, sizeof(f));
    f.dir = g_dir_make_tmp("rs-render-t-XXXXXX", NULL);
    here = g_canonicalize_filename(argv[0], NULL);
    inside = g_canonicalize_filename("../../rs-render-inside", here);
    f.display = render_display_new("Xvfb", f.dir, WIDTH, HEIGHT, on_lost, &f,
                                   &error);
    ok(f.display != NULL, "a display%s%s", error ? ": " : "",
       error ? error->message : "");
    setenv("XAUTHORITY", render_display_cookie(f.display), 1);
    f.x = XOpenDisplay(render_display_name(f.display));

    memset(&conf, 0, sizeof(conf));
    conf.settings = settings;
    conf.display = f.display;
    conf.inside = inside;
    conf.dir = f.dir;
    conf.width = WIDTH;
    conf.height = HEIGHT;
    f.browser = render_browser_new(&conf, &events, &f, &error);
    WAIT(f.ready || f.over);

    if (!ok(f.ready == 1 && f.x != NULL, "a browser%s%s", error ? ": " : "",
            error ? error->message : ""))
    {
        return done();
    }

    begin(&f, "[\"#card\"]");
    test_hover(&f);
    test_outrank(&f);
    test_copy(&f);
    test_selectors(&f);
    begin(&f, "[\"#card\"]");
    test_lists(&f, "/lists", "Lists", lists, 3);
    test_lists(&f, "/written", "Written", lists, 1);
    test_lists(&f, "/written", "Written", lists + 3, 1);
    test_forms(&f, "/forms", "Forms", forms, 2);
    test_forms(&f, "/written", "Written", forms + 1, 1);

    XCloseDisplay(f.x);
    render_browser_free(f.browser);
    render_display_free(f.display);
    render_rules_free(f.rules);
    render_remove(f.dir);

    g_free(f.dir);
    g_object_unref(web);
    g_string_free(web_log, TRUE);

    return done();
}
