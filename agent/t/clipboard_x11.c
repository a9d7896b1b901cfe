
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The X11 clipboard against a real X server and a client of somebody else's
 * (xclip): short and long texts both ways, Latin-1, passwords, owners that
 * do not answer as they should.
 */

#include "platform/platform.h"
#include "tap.h"
#include "xvfb.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <gio/gio.h>
#include <string.h>


#define DEADLINE_US  (20 * G_USEC_PER_SEC)
#define PIECE        65536


typedef struct {
    agent_platform_t  *platform;
    agent_clip_t      *clip;
    char              *copied;      /* the newest */
    guint              times;

    Display           *display;     /* of an owner that the test plays */
    Window             window;
    Atom               targets[4];
    guint              ntargets;
    Atom               type;        /* of what it answers */
    const char        *text;
    guint              asked;       /* for what it has */
    guint              requests;    /* of its text */
    gboolean           mute;        /* it says what it has, and not more */
    gboolean           endless;     /* INCR, a piece and a piece and so on */
    guint              pieces;
} fixture_t;


static void
bail(const char *why)
{
    printf("not ok - %s\n", why);
    exit(1);
}


static void
on_copied(void *data, const char *text, gsize len)
{
    fixture_t  *f = data;

    g_free(f->copied);
    f->copied = g_strndup(text, len);
    f->times++;
}


static void
answer(fixture_t *f, XSelectionRequestEvent *ev)
{
    gulong  least = 1;
    XEvent  reply;

    memset(&reply, 0, sizeof(reply));
    reply.xselection.type = SelectionNotify;
    reply.xselection.requestor = ev->requestor;
    reply.xselection.selection = ev->selection;
    reply.xselection.target = ev->target;
    reply.xselection.property = ev->property;

    if (ev->target == XInternAtom(f->display, "TARGETS", False)) {
        f->asked++;
        XChangeProperty(f->display, ev->requestor, ev->property, XA_ATOM, 32,
                        PropModeReplace, (guchar *) f->targets,
                        (int) f->ntargets);

    } else {
        f->requests++;

        if (f->mute) {
            return;
        }

        if (f->endless) {
            XSelectInput(f->display, ev->requestor, PropertyChangeMask);
            XChangeProperty(f->display, ev->requestor, ev->property,
                            XInternAtom(f->display, "INCR", False), 32,
                            PropModeReplace, (guchar *) &least, 1);

        } else {
            XChangeProperty(f->display, ev->requestor, ev->property, f->type,
                            8, PropModeReplace, (const guchar *) f->text,
                            (int) strlen(f->text));
        }
    }

    XSendEvent(f->display, ev->requestor, False, 0, &reply);
    XFlush(f->display);
}


static Atom
utf8_of(fixture_t *f)
{
    return XInternAtom(f->display, "UTF8_STRING", False);
}


static void
turn(fixture_t *f)
{
    XEvent  ev;

    static const guchar  piece[PIECE];

    while (XPending(f->display) > 0) {
        XNextEvent(f->display, &ev);

        if (ev.type == SelectionRequest) {
            answer(f, &ev.xselectionrequest);

        } else if (ev.type == PropertyNotify && f->endless
                   && ev.xproperty.state == PropertyDelete)
        {
            f->pieces++;
            XChangeProperty(f->display, ev.xproperty.window,
                            ev.xproperty.atom, utf8_of(f), 8, PropModeReplace,
                            piece, PIECE);
            XFlush(f->display);
        }
    }

    g_main_context_iteration(NULL, FALSE);
    g_usleep(1000);
}


#define WAIT(f, cond)                                                         \
    ({                                                                        \
        gint64  end_us_ = g_get_monotonic_time() + DEADLINE_US;               \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_us_) {                 \
            turn(f);                                                          \
        }                                                                     \
                                                                              \
        (cond);                                                               \
    })


static void
own(fixture_t *f, const char *first, const char *second, Atom type,
    const char *text)
{
    f->ntargets = 0;
    f->targets[f->ntargets++] = XInternAtom(f->display, first, False);

    if (second != NULL) {
        f->targets[f->ntargets++] = XInternAtom(f->display, second, False);
    }

    f->type = type;
    f->text = text;
    XSetSelectionOwner(f->display,
                       XInternAtom(f->display, "CLIPBOARD", False),
                       f->window, CurrentTime);
    XFlush(f->display);
}


static void
on_told(GObject *source, GAsyncResult *result, gpointer data)
{
    char  **out = data;
    char   *text;

    if (!g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result,
                                              &text, NULL, NULL)
        || text == NULL)
    {
        text = g_strdup("(no text)");
    }

    *out = text;
}


/* what another client of the desktop pastes; *out gets it later */

static GSubprocess *
paste_start(const char *target, char **out)
{
    GSubprocess  *child;

    child = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE
                             |G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL,
                             "xclip", "-selection", "clipboard", "-o", "-t",
                             target, NULL);
    if (child == NULL) {
        bail("xclip does not start (is xclip installed?)");
    }

    g_subprocess_communicate_utf8_async(child, NULL, NULL, on_told, out);

    return child;
}


static char *
paste(fixture_t *f, const char *target)
{
    char         *out = NULL;
    GSubprocess  *child;

    child = paste_start(target, &out);
    (void) WAIT(f, out != NULL);
    g_object_unref(child);

    return out;
}


/* what another client copies; it serves as many requests as it is asked */

static GSubprocess *
copy(const char *text)
{
    GSubprocess    *child;
    GOutputStream  *to;

    child = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE, NULL, "xclip",
                             "-quiet", "-selection", "clipboard", "-i", NULL);
    if (child == NULL) {
        bail("xclip does not start (is xclip installed?)");
    }

    to = g_subprocess_get_stdin_pipe(child);
    g_output_stream_write_all(to, text, strlen(text), NULL, NULL, NULL);
    g_output_stream_close(to, NULL, NULL);

    return child;
}


static void
end(GSubprocess *child)
{
    g_subprocess_force_exit(child);
    g_subprocess_wait(child, NULL, NULL);
    g_object_unref(child);
}


static void
test_from(fixture_t *f, const char *long_text)
{
    GSubprocess  *child;

    child = copy("h\xc3\xa9llo \xe2\x82\xac\n");
    ok(WAIT(f, f->copied != NULL), "somebody copies");
    is_str(f->copied, "h\xc3\xa9llo \xe2\x82\xac\n", "UTF-8, to the byte");
    end(child);

    child = copy(long_text);
    ok(WAIT(f, g_strcmp0(f->copied, long_text) == 0),
       "a long text, piece by piece");
    end(child);

    own(f, "STRING", NULL, XA_STRING, "caf\xe9");
    ok(WAIT(f, g_strcmp0(f->copied, "caf\xc3\xa9") == 0),
       "Latin-1 of an old client");
}


/* a text that is told, and the only one since the last call */

static void
told_alone(fixture_t *f, const char *text, const char *what)
{
    own(f, "UTF8_STRING", NULL, utf8_of(f), text);
    ok(WAIT(f, g_strcmp0(f->copied, text) == 0), "%s: what follows is told",
       what);
    is_int(f->times, 1, "and it alone");
    f->times = 0;
}


static void
test_not_told(fixture_t *f)
{
    guint               requests;
    g_autofree char    *huge = g_strnfill(AGENT_CLIP_MAX + 1, 'x');

    told_alone(f, "before", "before");

    requests = f->requests;
    f->asked = 0;
    own(f, "UTF8_STRING", "x-kde-passwordManagerHint", utf8_of(f), "hunter2");
    WAIT(f, f->asked > 0);
    told_alone(f, "1", "a password");
    is_int(f->requests, requests + 1, "it was not even asked for");

    f->asked = 0;
    own(f, "image/png", NULL, XA_STRING, "png");
    WAIT(f, f->asked > 0);
    told_alone(f, "2", "a picture");

    requests = f->requests;
    own(f, "UTF8_STRING", NULL, utf8_of(f), "\xff\xfe");
    WAIT(f, f->requests > requests);
    told_alone(f, "3", "no UTF-8");

    requests = f->requests;
    own(f, "UTF8_STRING", NULL, utf8_of(f), "");
    WAIT(f, f->requests > requests);
    told_alone(f, "4", "an empty text");

    requests = f->requests;
    own(f, "UTF8_STRING", NULL, utf8_of(f), huge);
    WAIT(f, f->requests > requests);
    told_alone(f, "5", "too long a text");

    f->endless = TRUE;
    own(f, "UTF8_STRING", NULL, utf8_of(f), "");
    ok(WAIT(f, f->pieces > AGENT_CLIP_MAX / PIECE), "one without an end");
    f->endless = FALSE;
    told_alone(f, "6", "an endless one");
    is_int(f->pieces, AGENT_CLIP_MAX / PIECE + 1, "it is given up at once");

    f->mute = TRUE;
    requests = f->requests;
    own(f, "UTF8_STRING", NULL, utf8_of(f), "");
    WAIT(f, f->requests > requests);
    f->mute = FALSE;
    told_alone(f, "7", "an owner that falls silent");
}


static gboolean
set(fixture_t *f, const char *text)
{
    return f->clip->ops->set(f->clip, text, strlen(text));
}


static void
pastes(fixture_t *f, const char *target, const char *want, const char *what)
{
    g_autofree char  *text = paste(f, target);

    is_str(text, want, what);
}


static void
test_to(fixture_t *f, const char *long_text)
{
    char            *a = NULL, *b = NULL;
    GSubprocess     *child;

    f->times = 0;
    ok(set(f, "caf\xc3\xa9 \xe2\x82\xac"), "the clipboard is ours");
    pastes(f, "UTF8_STRING", "caf\xc3\xa9 \xe2\x82\xac", "another pastes it");
    pastes(f, "text/plain;charset=utf-8", "caf\xc3\xa9 \xe2\x82\xac",
           "by another name");
    pastes(f, "image/png", "", "a picture it is not");
    pastes(f, "TARGETS", "TARGETS\nTIMESTAMP\nUTF8_STRING\n"
           "text/plain;charset=utf-8\nTEXT\nSTRING\ntext/plain\n",
           "what it is, is said");

    set(f, "caf\xc3\xa9");
    child = paste_start("STRING", &a);
    WAIT(f, a != NULL);
    g_object_unref(child);
    is_str(a, "(no text)", "Latin-1 is not UTF-8");
    g_clear_pointer(&a, g_free);

    ok(set(f, long_text), "a long text");
    child = paste_start("UTF8_STRING", &a);
    g_object_unref(child);
    child = paste_start("UTF8_STRING", &b);
    g_object_unref(child);
    WAIT(f, a != NULL && b != NULL);
    ok(g_strcmp0(a, long_text) == 0 && g_strcmp0(b, long_text) == 0,
       "goes piece by piece, to two at once");
    g_free(a);
    g_free(b);

    is_int(f->times, 0, "what we set is not told back");

    told_alone(f, "theirs", "somebody else copies");
    ok(set(f, "ours"), "and we again");
    pastes(f, "UTF8_STRING", "ours", "which is what is pasted");
}


int
main(void)
{
    int                 i, status;
    pid_t               xvfb;
    fixture_t           f;
    g_autofree char    *name = NULL;
    g_autoptr(GError)   error = NULL;
    g_autoptr(GString)  long_text = g_string_new(NULL);

    for (i = 0; long_text->len < 300000; i++) {
        g_string_append_printf(long_text, "%d \xe2\x82\xac\n", i);
    }

    memset(&f, 0, sizeof(f));
    name = xvfb_start("640x480x24", &xvfb);
    g_setenv("DISPLAY", name, TRUE);

    f.platform = agent_platform_open(name, &error);
    f.clip = (f.platform != NULL)
             ? f.platform->ops->clipboard(f.platform, on_copied, &f, &error)
             : NULL;
    f.display = XOpenDisplay(name);

    if (f.clip == NULL || f.display == NULL) {
        bail(error ? error->message : "no display");
    }

    f.window = XCreateSimpleWindow(f.display, DefaultRootWindow(f.display), 0,
                                   0, 1, 1, 0, 0, 0);

    test_from(&f, long_text->str);
    f.times = 0;
    test_not_told(&f);
    test_to(&f, long_text->str);

    f.clip->ops->close(f.clip);
    XSync(f.display, False);
    ok(XGetSelectionOwner(f.display,
                          XInternAtom(f.display, "CLIPBOARD", False)) == None,
       "closed: nothing of it stays");

    XCloseDisplay(f.display);
    agent_platform_close(f.platform);
    g_free(f.copied);

    kill(xvfb, SIGTERM);
    waitpid(xvfb, &status, 0);

    return done();
}
