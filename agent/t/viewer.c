
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's input by way of the gateway: taken only while the picture's
 * connection stands and has no data channel, let go of when silence falls,
 * and no reason to end a picture.  webrtcbin and the clock are played by the
 * test.
 */

#include "agent_viewer.h"
#include "agent_duct.h"
#include "agent_input.h"
#include "agent_webrtc.h"
#include "fake_channel.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <string.h>


#define S    ((gint64) G_USEC_PER_SEC)
#define PAR  "par_aaaaaaaaaaaaaaaaaaaaaaaaaa"

#define OFFER                                                                 \
    "a=fingerprint:sha-256 "                                                  \
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"                        \
    "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"


struct agent_webrtc_s {
    const agent_webrtc_events_t        *events;
    void                               *data;
    const agent_channel_kind_t *const  *kinds;
    agent_viewer_t                     *viewer;
    agent_channel_t                    *channel;    /* NULL: never open */
};


struct agent_duct_s {
    const agent_duct_events_t          *events;
    void                               *data;
    const agent_channel_kind_t *const  *kinds;
    agent_viewer_t                     *viewer;
    agent_channel_t                    *channel;
    rs_seal_t                           seal;
    gboolean                            stands;
};


struct agent_check_s {
    agent_check_done_pt   done;
    void                 *data;
};


static gint64           now_us = 1000 * S;
static GString         *done_log;       /* what the desktop was told */
static agent_webrtc_t  *newest;
static guint            freed;
static guint            failures;       /* told to the viewer */
static guint            silences;       /* told to the session */
static guint            candidates;     /* given to webrtcbin */
static gboolean         passed;         /* the offer may be served */
static agent_duct_t    *duct;           /* the newest */
static guint            ducts;          /* that there are */
static guint            asked;          /* number of a pipe */
static guint            replied;
static const char      *operator;       /* whose it is, or NULL */


/* ---- what is played */

gint64
g_get_monotonic_time(void)
{
    return now_us;
}


agent_webrtc_t *
agent_webrtc_new(const agent_webrtc_params_t *params,
    const agent_webrtc_events_t *events, void *data, const char **code,
    const char **message)
{
    agent_webrtc_t  *w;

    (void) code;
    (void) message;

    w = g_new0(agent_webrtc_t, 1);
    w->events = events;
    w->data = data;
    w->kinds = params->kinds;
    w->viewer = params->viewer;
    newest = w;

    return w;
}


void
agent_webrtc_decoded(agent_webrtc_t *w, const agent_rate_decoder_t *decoder)
{
    (void) w;
    (void) decoder;
}


gboolean
agent_webrtc_look(agent_webrtc_t *w, const agent_view_t *view)
{
    (void) w;
    (void) view;

    return TRUE;
}


void
agent_webrtc_free(agent_webrtc_t *w)
{
    freed++;
    g_clear_pointer(&w->channel, fake_channel_free);
    g_free(w);
}


void
agent_webrtc_mute(agent_webrtc_t *w)
{
    if (w->channel != NULL) {
        fake_channel_close(w->channel);
    }
}


void
agent_webrtc_candidate(agent_webrtc_t *w, const char *candidate, guint mline)
{
    (void) w;
    (void) candidate;
    (void) mline;

    candidates++;
}


agent_duct_t *
agent_duct_new(const agent_duct_params_t *params,
    const agent_duct_events_t *duct_events, void *data)
{
    duct = g_new0(agent_duct_t, 1);
    duct->events = duct_events;
    duct->data = data;
    duct->kinds = params->kinds;
    duct->viewer = params->viewer;
    duct->seal = *params->seal;
    ducts++;

    return duct;
}


void
agent_duct_free(agent_duct_t *d)
{
    g_clear_pointer(&d->channel, fake_channel_free);
    rs_seal_end(&d->seal);
    g_free(d);
    ducts--;
}


gboolean
agent_duct_stands(const agent_duct_t *d)
{
    return d->stands;
}


void
agent_duct_mute(agent_duct_t *d)
{
    if (d->channel != NULL) {
        fake_channel_close(d->channel);
    }
}


void
agent_duct_decoded(agent_duct_t *d, const agent_rate_decoder_t *decoder)
{
    (void) d;
    (void) decoder;
}


gboolean
agent_duct_look(agent_duct_t *d, const agent_view_t *view)
{
    (void) d;
    (void) view;

    return TRUE;
}


agent_operator_t *
agent_operator_new(const agent_config_t *config, GError **error)
{
    (void) config;
    (void) error;

    return NULL;
}


void
agent_operator_free(agent_operator_t *op)
{
    (void) op;
}


static gboolean
tell(gpointer data)
{
    agent_check_t  *check = data;
    agent_who_t     who = { .verified = TRUE, .user = g_strdup(operator),
                            .name = g_strdup(operator),
                            .issuer = g_strdup("https://issuer") };

    check->done(check->data, &who);
    g_free(check);

    return G_SOURCE_REMOVE;
}


agent_check_t *
agent_operator_check(agent_operator_t *op, const rs_operator_line_t *line,
    const json_t *proof, agent_check_done_pt answered, void *data)
{
    agent_check_t  *check = g_new0(agent_check_t, 1);

    (void) op;
    (void) line;
    (void) proof;

    check->done = answered;
    check->data = data;
    g_idle_add(tell, check);

    return check;
}


void
agent_check_cancel(agent_check_t *check)
{
    g_idle_remove_by_data(check);
    g_free(check);
}


static void
play_size(agent_platform_t *p, int *width, int *height)
{
    (void) p;

    *width = 1280;
    *height = 720;
}


static guint
play_key_down(agent_platform_t *p, const char *key, const char *code)
{
    (void) p;
    (void) code;

    g_string_append_printf(done_log, "+%s ", key);

    return 1;
}


static void
play_key_up(agent_platform_t *p, guint handle)
{
    (void) p;

    g_string_append_printf(done_log, "-%u ", handle);
}


static const agent_platform_ops_t  play_ops = {
    .name = "test",
    .size = play_size,
    .key_down = play_key_down,
    .key_up = play_key_up
};


/* ---- */

typedef struct {
    agent_platform_t    platform;
    agent_config_t     *config;
    agent_device_t      device;
    agent_t             agent;
    agent_viewer_t     *viewer;
} fixture_t;


/* another connection, which does not stand yet */

static agent_webrtc_t *
serve(fixture_t *f, guint pc)
{
    static const agent_ice_t  no_ice;

    g_autoptr(json_t)  proof = (operator != NULL) ? json_object() : NULL;

    f->agent.operator = (operator != NULL) ? (agent_operator_t *) f : NULL;
    passed = FALSE;
    agent_viewer_offer(f->viewer, pc, OFFER, proof);

    while (!passed) {
        g_main_context_iteration(NULL, TRUE);
    }

    agent_viewer_serve(f->viewer, &no_ice, NULL);

    return newest;
}


static void
on_text(void *session, const char *to, guint pc, const char *a,
    const char *b)
{
    (void) session;
    (void) to;
    (void) pc;
    (void) a;
    (void) b;

    failures++;
}


static void
on_ready(void *session)
{
    (void) session;

    passed = TRUE;
}


static void
on_silent(void *session)
{
    (void) session;

    silences++;
}


static void
on_pipe(void *session, const char *to, guint pc, const char *name)
{
    (void) session;
    (void) to;

    is_int(strlen(name), 26, "a ticket of a pipe is asked for");
    asked = pc;
    passed = TRUE;
}


static void
on_piped(void *session, const char *to, guint pc, const char *key,
    const char *codec, const agent_seal_t *seal)
{
    (void) session;
    (void) to;

    replied = pc;
    is_str(codec, "vp8", "an answer: the codec");
    is_int(strlen(key), 87, "a key");
    ok(seal->signature != NULL, "a signature");
}


static void
on_path(void *session, const agent_path_t *path)
{
    (void) session;
    (void) path;
}


static const agent_viewer_events_t  events = {
    NULL, NULL, on_text, on_path, on_pipe, on_piped, NULL, on_ready,
    on_silent
};


static void
did(const char *want, const char *what)
{
    is_str(done_log->str, want, what);
    g_string_truncate(done_log, 0);
}


static void
input(fixture_t *f, const char *text)
{
    g_autoptr(json_t)  obj = NULL;

    obj = agent_json_load(text, strlen(text), 4096, NULL);
    agent_viewer_input(f->viewer, obj);
}


static void
opens(agent_webrtc_t *w)
{
    w->events->opening(w->data, w);
    w->channel = fake_channel_open(w->kinds, AGENT_VIEWER_INPUT, w->viewer);
}


#define KEY_A                                                                 \
    "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\",\"down\":true}"
#define KEY_B                                                                 \
    "{\"type\":\"key\",\"key\":\"b\",\"code\":\"KeyB\",\"down\":true}"


/* lets the viewer's timer of a second run once or twice */

static void
pass(gint64 us)
{
    gint64  end;

    now_us += us;
    end = g_get_real_time() + 2200 * 1000;

    while (g_get_real_time() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(10000);
    }
}


static agent_key_t *
key_made(void)
{
    agent_key_t        *key;
    g_autofree char    *dir = g_dir_make_tmp("rs-viewer-XXXXXX", NULL);
    g_autofree char    *path = g_build_filename(dir, "device.key", NULL);

    key = agent_key_make(dir, NULL);
    (void) g_unlink(path);
    (void) g_rmdir(dir);

    return key;
}


static void
start(fixture_t *f, agent_role_e role)
{
    agent_peer_t     peer = { (char *) PAR, (char *) "V", role, FALSE };
    agent_rights_t   rights;

    memset(f, 0, sizeof(fixture_t));
    f->platform.ops = &play_ops;
    f->config = agent_config_new();
    f->config->consent = AGENT_CONSENT_NONE;
    f->device.id = (char *) "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    f->agent.config = f->config;
    f->agent.device = &f->device;
    f->agent.key = key_made();
    f->agent.platform = &f->platform;
    f->agent.seat = agent_seat_new(&f->platform);
    agent_rights_init(&rights);
    f->viewer = agent_viewer_new(&f->agent, "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                                 &rights, &peer, &events, NULL);
}


static void
stop(fixture_t *f)
{
    g_clear_pointer(&f->viewer, agent_viewer_free);
    agent_seat_free(f->agent.seat);
    agent_key_free(f->agent.key);
    agent_config_free(f->config);
    g_string_truncate(done_log, 0);
}


static void
test_fallback(void)
{
    fixture_t        f;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_CONTROLLER);

    input(&f, KEY_A);
    did("", "nobody sees a picture: no input");

    w = serve(&f, 1);
    input(&f, KEY_A);
    did("", "nor while it is being connected");

    w->events->connected(w->data, w);
    input(&f, KEY_A);
    did("+a ", "no data channel: the gateway's is taken");
    /* the channel opens late: it alone counts, and what was held is let go */

    opens(w);
    did("-1 ", "the channel is open: what was held is let go");
    ok(w->channel->open && w->channel->texts->len == 1, "and the host says");
    ok(g_str_has_prefix(fake_channel_heard(w->channel),
                        "{\"type\":\"hello\",\"width\":1280,"
                        "\"height\":720,\"input\":true,"
                        "\"sequence\":0,\"features\":{"), "hello");
    ok(strstr(fake_channel_heard(w->channel),
              "\"clipboard\":\"both\"") != NULL, "and what it has");
    input(&f, "{\"type\":\"ping\",\"n\":1}");
    is_int(w->channel->texts->len, 1, "a ping by the gateway is not answered");
    fake_channel_say(w->channel, "{\"type\":\"ping\",\"n\":1}");
    is_str(fake_channel_heard(w->channel), "{\"type\":\"pong\",\"n\":1}",
           "one over the channel is");
    input(&f, KEY_B);
    did("", "input by the gateway does not count any more");
    fake_channel_say(w->channel, KEY_B);
    did("+b ", "that of the channel does");

    /* a new line starts over */

    w = serve(&f, 2);
    did("-1 ", "a new line lets go");
    input(&f, KEY_A);
    did("", "and is not connected yet");
    w->events->connected(w->data, w);
    input(&f, KEY_A);
    did("+a ", "then it is");

    g_clear_pointer(&f.viewer, agent_viewer_free);
    did("-1 ", "whoever goes lets go");
    stop(&f);
}


static void
test_token(void)
{
    fixture_t        f;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_CONTROLLER);
    agent_viewer_control(f.viewer, FALSE);
    w = serve(&f, 1);
    w->events->connected(w->data, w);
    input(&f, KEY_A);
    did("", "without control nothing is taken by way of the gateway");
    opens(w);
    fake_channel_say(w->channel, KEY_A);
    did("", "nor over the channel");
    agent_viewer_control(f.viewer, TRUE);
    fake_channel_say(w->channel, KEY_A);
    did("+a ", "with it, it is");
    agent_viewer_control(f.viewer, TRUE);
    did("", "and goes on");
    agent_viewer_control(f.viewer, FALSE);
    did("-1 ", "whose control ends lets go");

    /* it outlives the line */

    w = serve(&f, 2);
    w->events->connected(w->data, w);
    opens(w);
    fake_channel_say(w->channel, KEY_A);
    did("", "a new line brings none");
    stop(&f);
}


static void
test_viewer(void)
{
    fixture_t        f;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_VIEWER);
    w = serve(&f, 1);
    w->events->connected(w->data, w);
    input(&f, KEY_A);
    did("", "a viewer has no hands this way either");
    stop(&f);

    start(&f, AGENT_ROLE_CONTROLLER);
    f.config->allow_input = FALSE;
    w = serve(&f, 1);
    w->events->connected(w->data, w);
    input(&f, KEY_A);
    did("", "nor has anybody where agent.conf says so");
    stop(&f);
}


static void
test_silence(void)
{
    fixture_t        f;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_CONTROLLER);
    w = serve(&f, 1);
    w->events->connected(w->data, w);
    input(&f, KEY_A);
    did("+a ", "a key is down");
    freed = 0;
    pass(11 * S);
    did("-1 ", "10 s without input: it is let go");
    is_int(freed, 0, "the picture stays");
    input(&f, KEY_B);
    did("+b ", "input comes again: it is taken");

    opens(w);
    did("-1 ", "the channel opens");
    pass(11 * S);
    is_int(freed, 1, "10 s of silence on a channel end the picture");
    stop(&f);
}


/* a viewer that closes its channel, and one whose new line takes over */

static void
test_closed(void)
{
    fixture_t        f;
    agent_webrtc_t  *w, *next;

    start(&f, AGENT_ROLE_CONTROLLER);
    w = serve(&f, 1);
    w->events->connected(w->data, w);
    opens(w);
    fake_channel_say(w->channel, KEY_A);
    did("+a ", "a key is down over the channel");
    fake_channel_close(w->channel);
    did("-1 ", "the channel is closed: it is let go");
    input(&f, KEY_B);
    did("", "and the gateway's input does not take its place");
    agent_viewer_resized(f.viewer);
    freed = 0;
    pass(11 * S);
    is_int(freed, 1, "silence ends the picture");

    w = serve(&f, 2);
    w->events->connected(w->data, w);
    opens(w);
    fake_channel_say(w->channel, KEY_A);
    did("+a ", "another line");
    next = serve(&f, 3);
    did("-1 ", "and one more: what the one before held is let go");
    ok(!w->channel->open, "its channel is closed");
    next->events->connected(next->data, next);
    opens(next);
    fake_channel_say(next->channel, KEY_B);
    did("+b ", "that of the new one counts");
    stop(&f);
}


/* another network: the viewer is asked for an offer, the picture goes on */

static void
test_moved(void)
{
    fixture_t        f;
    agent_webrtc_t  *w, *next;

    start(&f, AGENT_ROLE_CONTROLLER);
    failures = 0;
    freed = 0;
    agent_viewer_moved(f.viewer);
    is_int(failures, 0, "without a connection there is nothing to say");

    w = serve(&f, 1);
    w->events->connected(w->data, w);
    opens(w);
    fake_channel_say(w->channel, KEY_A);
    did("+a ", "a key is down");
    agent_viewer_moved(f.viewer);
    is_int(failures, 1, "the viewer is told that its connection is lost");
    is_int(freed, 0, "which goes on");
    fake_channel_say(w->channel, KEY_B);
    did("+b ", "with what is done over it");

    next = serve(&f, 2);
    did("-1 ", "another offer lets go of what is held");
    is_int(freed, 0, "and still the picture is there");
    next->events->connected(next->data, next);
    is_int(freed, 1, "until the new one stands");

    silences = 0;
    opens(next);
    pass(5 * S);
    is_int(silences, 1, "a silence of seconds is told");
    pass(2 * S);
    is_int(silences, 1, "once");
    fake_channel_say(next->channel, "{\"type\":\"ping\",\"n\":1}");
    pass(1 * S);
    pass(5 * S);
    is_int(silences, 2, "and so is the next one");
    stop(&f);
}


/* one line, two operators: the gateway decides who speaks on it */

static void
test_another(void)
{
    fixture_t        f;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_CONTROLLER);
    w = serve(&f, 1);
    w->events->connected(w->data, w);
    freed = 0;
    serve(&f, 2);
    is_int(freed, 0, "the same one's picture stays until the new one stands");

    operator = "Anna";
    serve(&f, 3);
    is_int(freed, 2, "another operator: nothing of the one before goes on");

    w = newest;
    w->events->connected(w->data, w);
    freed = 0;
    serve(&f, 4);
    is_int(freed, 0, "the other one's stays for him");

    operator = NULL;
    serve(&f, 5);
    is_int(freed, 2, "and goes for nobody");
    stop(&f);
}


/* an offer that is refused is no number for what was begun before */

static void
test_refused(void)
{
    fixture_t        f;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_CONTROLLER);
    w = serve(&f, 1);
    failures = 0;
    agent_viewer_offer(f.viewer, 2, "v=0", NULL);

    while (failures == 0) {
        g_main_context_iteration(NULL, TRUE);
    }

    freed = 0;
    candidates = 0;
    w->events->answer(w->data, w, OFFER);
    is_int(freed, 0, "an answer to the one before ends nothing");
    is_int(failures, 1, "and is not told of the refused one");
    agent_viewer_candidate(f.viewer, 2, "candidate:1", 0);
    is_int(candidates, 0, "nor are the refused one's candidates taken");
    stop(&f);
}


static void
test_numbers(void)
{
    fixture_t  f;

    start(&f, AGENT_ROLE_CONTROLLER);
    ok(agent_viewer_fresh(f.viewer, 3), "a first number");
    ok(!agent_viewer_fresh(f.viewer, 3), "once more");
    ok(!agent_viewer_fresh(f.viewer, 2), "an older one");
    ok(agent_viewer_fresh(f.viewer, 7), "a later one");
    stop(&f);
}


/* another pipe, as far as its answer */

static agent_duct_t *
pipe_to(fixture_t *f, guint pc)
{
    char                text[RS_BASE64URL_LEN(RS_SEAL_POINT_LEN) + 1] = "";
    guint8              scalar[RS_SEAL_SCALAR_LEN] = { 1 };
    guint8              point[RS_SEAL_POINT_LEN];
    agent_peer_pipe_t   offer = { "abcdefghijklmnopqrstuvwxyz", text,
                                  "av1,vp8" };

    (void) rs_seal_public(scalar, point);
    (void) rs_base64url_encode(text, point, sizeof(point));

    passed = FALSE;
    replied = 0;
    agent_viewer_offer_pipe(f->viewer, pc, &offer, NULL);

    while (!passed) {
        g_main_context_iteration(NULL, TRUE);
    }

    is_int(asked, pc, "of that number");
    agent_viewer_ticket(f->viewer, pc - 1, "a");
    is_int(replied, 0, "a ticket for another one does nothing");
    agent_viewer_ticket(f->viewer, pc, "ticket");
    is_int(replied, pc, "with a ticket it is answered");

    return duct;
}


static void
stands(agent_duct_t *d)
{
    d->stands = TRUE;
    d->events->connected(d->data, d);
    d->channel = fake_channel_open(d->kinds, AGENT_VIEWER_INPUT, d->viewer);
}


static void
say(agent_channel_t *ch, guint seq, gboolean down)
{
    g_autofree char  *text = NULL;

    text = g_strdup_printf("{\"type\":\"key\",\"key\":\"k%u\",\"code\":"
                           "\"Key%u\",\"down\":%s,\"seq\":%u}", seq, seq,
                           down ? "true" : "false", seq);
    fake_channel_say(ch, text);
}


static void
test_pipe(void)
{
    fixture_t        f;
    agent_duct_t    *d;
    agent_webrtc_t  *w;

    start(&f, AGENT_ROLE_CONTROLLER);
    f.config->codecs = AGENT_CODEC_VP8;

    w = serve(&f, 1);
    d = pipe_to(&f, 2);
    freed = 0;
    stands(d);
    is_int(freed, 0, "a connection on its way goes on beside a pipe");
    say(d->channel, 1, TRUE);
    did("+k1 ", "input is taken from the pipe");
    agent_viewer_candidate(f.viewer, 1, "candidate:1", 0);
    is_int(candidates, 1, "candidates of the connection are, too");
    input(&f, KEY_A);
    did("", "none by way of the gateway");

    say(d->channel, 2, TRUE);
    say(d->channel, 2, TRUE);
    did("+k2 ", "a number counts once");

    /* the connection stands: what is held down stays down */

    w->events->connected(w->data, w);
    say(d->channel, 3, TRUE);
    did("+k3 ", "until its channel opens the pipe is in use");
    opens(w);
    did("", "then keys are held over the change");
    ok(!d->channel->open, "the pipe's channel is closed");
    ok(strstr(fake_channel_heard(w->channel), "\"sequence\":3") != NULL,
       "the hello names the last number");
    say(w->channel, 3, TRUE);
    did("", "what was said again is not done again");
    say(w->channel, 4, TRUE);
    did("+k4 ", "the next one is");
    fake_channel_say(w->channel, "{\"type\":\"ping\",\"n\":1}");
    is_str(fake_channel_heard(w->channel),
           "{\"type\":\"pong\",\"n\":1,\"sequence\":4}", "a pong says which");
    pass(6 * S);
    is_int(ducts, 0, "a pipe that is not in use goes");

    /* and back */

    d = pipe_to(&f, 3);
    is_int(freed, 0, "the connection goes on until the pipe stands");
    stands(d);
    is_int(freed, 1, "then it is given up");
    did("", "and keys are held again");
    ok(strstr(fake_channel_heard(d->channel), "\"sequence\":4") != NULL,
       "the pipe goes on from the same number");
    say(d->channel, 5, TRUE);
    did("+k5 ", "and takes the next");

    /* nobody goes on */

    failures = 0;
    duct->stands = FALSE;
    d->events->failed(d->data, d, "closed", "test");
    is_int(failures, 1, "a pipe that broke is told");
    did("-1 ", "and nothing stays down");
    d = pipe_to(&f, 4);
    stands(d);
    ok(strstr(fake_channel_heard(d->channel), "\"sequence\":5") != NULL,
       "a number is never forgotten");
    stop(&f);
    is_int(ducts, 0, "no pipe is left");
}


static void
test_gap(void)
{
    fixture_t      f;
    agent_duct_t  *d;

    start(&f, AGENT_ROLE_CONTROLLER);
    f.config->codecs = AGENT_CODEC_VP8;
    d = pipe_to(&f, 1);
    stands(d);
    say(d->channel, 1, TRUE);
    say(d->channel, 3, TRUE);
    did("+k1 ", "a number that is missing is not jumped over");
    ok(d->channel->ending, "its channel is closed");
    say(d->channel, 2, TRUE);
    did("", "nothing more is taken from it");
    fake_channel_close(d->channel);
    now_us += 1 * S;
    did("", "a key may still be held over this");
    pass(10 * S);
    did("-1 ", "but not for ever");
    stop(&f);
}


static void
test_pipe_refused(void)
{
    fixture_t           f;
    agent_peer_pipe_t   offer = { "abcdefghijklmnopqrstuvwxyz", "AAAA",
                                  "vp8" };

    start(&f, AGENT_ROLE_CONTROLLER);
    failures = 0;
    agent_viewer_offer_pipe(f.viewer, 1, &offer, NULL);
    is_int(failures, 1, "a key that is none is refused");

    (void) pipe_to(&f, 2);
    failures = 0;
    pass(31 * S);
    is_int(failures, 1, "a pipe that nobody comes to is given up");
    is_int(ducts, 0, "and is gone");

    stop(&f);
}


int
main(int argc, char **argv)
{
    gst_init(&argc, &argv);

    done_log = g_string_new(NULL);

    test_fallback();
    test_viewer();
    test_token();
    test_silence();
    test_closed();
    test_moved();
    test_numbers();
    test_another();
    test_refused();
    test_pipe();
    test_gap();
    test_pipe_refused();

    g_string_free(done_log, TRUE);

    return done();
}
