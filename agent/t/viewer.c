
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
#include "agent_input.h"
#include "agent_webrtc.h"
#include "fake_channel.h"
#include "tap.h"

#include <gst/gst.h>
#include <string.h>


#define S  ((gint64) G_USEC_PER_SEC)

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


static const agent_viewer_events_t  events = {
    NULL, NULL, on_text, NULL, NULL, on_ready, on_silent
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


static void
start(fixture_t *f, agent_role_e role)
{
    agent_peer_t     peer = { (char *) "par_v", (char *) "V", role };
    agent_rights_t   rights;

    memset(f, 0, sizeof(fixture_t));
    f->platform.ops = &play_ops;
    f->config = agent_config_new();
    f->config->consent = AGENT_CONSENT_NONE;
    f->device.id = (char *) "dev_d";
    f->agent.config = f->config;
    f->agent.device = &f->device;
    f->agent.platform = &f->platform;
    f->agent.seat = agent_seat_new(&f->platform);
    agent_rights_init(&rights);
    f->viewer = agent_viewer_new(&f->agent, "ses_s", &rights,
                                 &peer, &events, NULL);
}


static void
stop(fixture_t *f)
{
    agent_viewer_free(f->viewer);
    agent_seat_free(f->agent.seat);
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
                        "\"features\":{"), "hello");
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

    agent_viewer_free(f.viewer);
    did("-1 ", "whoever goes lets go");
    agent_seat_free(f.agent.seat);
    agent_config_free(f.config);
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

    g_string_free(done_log, TRUE);

    return done();
}
