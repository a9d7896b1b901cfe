
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-input: what each message does to the desktop, who may, and that nothing
 * stays held down.  The platform here writes down what it is told.
 */

#include "agent_input.h"
#include "tap.h"

#include <string.h>


typedef struct {
    agent_platform_t    platform;
    GString            *log;
    const char         *keys[8];        /* by handle - 1 */
} recorder_t;


static void
record_size(agent_platform_t *p, int *width, int *height)
{
    (void) p;

    *width = 1280;
    *height = 720;
}


static void
record_move(agent_platform_t *p, int x, int y)
{
    g_string_append_printf(((recorder_t *) p)->log, "m%d,%d ", x, y);
}


static void
record_button(agent_platform_t *p, guint button, gboolean down)
{
    g_string_append_printf(((recorder_t *) p)->log, "%c%u ",
                           down ? 'B' : 'b', button);
}


static void
record_wheel(agent_platform_t *p, int dx, int dy)
{
    g_string_append_printf(((recorder_t *) p)->log, "w%d,%d ", dx, dy);
}


/* one handle per code, as a keyboard has keycodes; "None" is not there */

static guint
record_key_down(agent_platform_t *p, const char *key, const char *code)
{
    guint        i;
    recorder_t  *r = (recorder_t *) p;

    if (strcmp(key, "None") == 0) {
        return 0;
    }

    if (g_str_has_prefix(code, "Many")) {
        return 100;
    }

    for (i = 0; i < G_N_ELEMENTS(r->keys); i++) {

        if (r->keys[i] == NULL) {
            r->keys[i] = g_intern_string(code);
        }

        if (strcmp(r->keys[i], code) == 0) {
            g_string_append_printf(r->log, "K%s ", key);
            return i + 1;
        }
    }

    return 0;
}


static void
record_key_up(agent_platform_t *p, guint handle)
{
    recorder_t  *r = (recorder_t *) p;

    if (handle == 100) {
        g_string_append(r->log, "kMany ");
        return;
    }

    g_string_append_printf(r->log, "k%s ", r->keys[handle - 1]);
}


static const agent_platform_ops_t  record_ops = {
    .name = "recorder",
    .size = record_size,
    .move = record_move,
    .button = record_button,
    .wheel = record_wheel,
    .key_down = record_key_down,
    .key_up = record_key_up
};


static recorder_t  recorder = { .platform = { .ops = &record_ops } };


/* what was written down since the last call */

static void
did(const char *want, const char *what)
{
    is_str(recorder.log->str, want, what);
    g_string_truncate(recorder.log, 0);
}


static char *
say(agent_input_t *input, const char *text)
{
    return agent_input_message(input, text, strlen(text));
}


static void
test_pixels(void)
{
    int       i, u, size;
    gboolean  same;

    static const int  sizes[] = { 1, 2, 720, 1280, 1366, 3840, 32767 };

    is_int(agent_input_pixel(0, 1280), 0, "the first pixel");
    is_int(agent_input_pixel(65535, 1280), 1279, "the last pixel");
    is_int(agent_input_pixel(32768, 1280), 640, "the middle");

    for (i = 0; i < (int) G_N_ELEMENTS(sizes); i++) {
        size = sizes[i];
        same = TRUE;

        /* u = floor((pixel + 0.5) * 65536 / size), in integers */

        for (u = 0; u < size; u++) {
            same = same && agent_input_pixel((int) ((2LL * u + 1) * 65536
                                                    / (2LL * size)), size)
                           == u;
        }

        ok(same, "each pixel of %d there and back", size);
    }
}


static void
test_messages(agent_seat_t *seat)
{
    g_autoptr(agent_input_t)  in = agent_input_new(seat, TRUE);

    say(in, "{\"type\":\"move\",\"x\":32768,\"y\":65535}");
    did("m640,719 ", "move");

    say(in, "{\"type\":\"button\",\"button\":2,\"down\":true,"
            "\"x\":0,\"y\":0}");
    did("m0,0 B2 ", "a button goes down where it should");
    say(in, "{\"type\":\"button\",\"button\":2,\"down\":true,"
            "\"x\":0,\"y\":0}");
    did("m0,0 ", "down twice is down once");
    say(in, "{\"type\":\"button\",\"button\":2,\"down\":false,"
            "\"x\":0,\"y\":0}");
    did("m0,0 b2 ", "and up");

    say(in, "{\"type\":\"wheel\",\"dx\":0,\"dy\":-1,\"x\":0,\"y\":0}");
    did("m0,0 w0,-1 ", "wheel");
    say(in, "{\"type\":\"wheel\",\"dx\":0.6,\"dy\":0,\"x\":0,\"y\":0}");
    did("m0,0 ", "part of a notch waits");
    say(in, "{\"type\":\"wheel\",\"dx\":0.6,\"dy\":0,\"x\":0,\"y\":0}");
    did("m0,0 w1,0 ", "for the rest of it");
    say(in, "{\"type\":\"wheel\",\"dx\":0,\"dy\":1000,\"x\":0,\"y\":0}");
    did("m0,0 w0,20 ", "a huge turn is cut");

    say(in, "{\"type\":\"key\",\"key\":\"A\",\"code\":\"KeyA\","
            "\"down\":true}");
    did("KA ", "a key goes down");
    say(in, "{\"type\":\"key\",\"key\":\"A\",\"code\":\"KeyA\","
            "\"down\":true}");
    did("", "auto-repeat is the X server's");
    say(in, "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\","
            "\"down\":false}");
    did("kKeyA ", "and up, though Shift is gone and it is another character");
    say(in, "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\","
            "\"down\":false}");
    did("", "up twice is up once");
    say(in, "{\"type\":\"key\",\"key\":\"x\",\"code\":\"\",\"down\":true}");
    did("Kx ", "a key without code");
    say(in, "{\"type\":\"key\",\"key\":\"x\",\"code\":\"\",\"down\":false}");
    did("kx ", "is remembered by its name");
    say(in, "{\"type\":\"key\",\"key\":\"None\",\"code\":\"\","
            "\"down\":true}");
    did("", "a key the keyboard has not");
}


static void
test_ping(agent_seat_t *seat)
{
    g_autoptr(agent_input_t)   in = agent_input_new(seat, FALSE);
    g_autofree char           *pong = NULL;
    g_autofree char           *hello = NULL;
    g_autoptr(json_t)          features = json_pack("{s:b}", "chat", 1);

    pong = say(in, "{\"type\":\"ping\",\"n\":41}");
    is_str(pong, "{\"type\":\"pong\",\"n\":41}", "ping is answered");
    hello = agent_input_hello(in, features);
    is_str(hello, "{\"type\":\"hello\",\"width\":1280,\"height\":720,"
           "\"input\":false,\"sequence\":0,\"features\":{\"chat\":true}}",
           "hello");
}


static void
test_not_allowed(agent_seat_t *seat)
{
    g_autoptr(agent_input_t)  in = agent_input_new(seat, FALSE);

    say(in, "{\"type\":\"move\",\"x\":1,\"y\":1}");
    say(in, "{\"type\":\"button\",\"button\":0,\"down\":true,"
            "\"x\":0,\"y\":0}");
    say(in, "{\"type\":\"wheel\",\"dx\":0,\"dy\":1,\"x\":0,\"y\":0}");
    say(in, "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\","
            "\"down\":true}");
    did("", "a viewer that may not send input does nothing");
}


static void
test_token(agent_seat_t *seat)
{
    g_autofree char           *pong = NULL;
    g_autoptr(agent_input_t)   a = agent_input_new(seat, TRUE);
    g_autoptr(agent_input_t)   b = agent_input_new(seat, TRUE);

    agent_input_control(b, FALSE);
    say(a, "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\","
           "\"down\":true}");
    say(a, "{\"type\":\"button\",\"button\":0,\"down\":true,"
           "\"x\":0,\"y\":0}");
    g_string_truncate(recorder.log, 0);
    say(b, "{\"type\":\"key\",\"key\":\"b\",\"code\":\"KeyB\","
           "\"down\":true}");
    say(b, "{\"type\":\"move\",\"x\":1,\"y\":1}");
    did("", "who has no control does nothing");
    pong = say(b, "{\"type\":\"ping\",\"n\":7}");
    is_str(pong, "{\"type\":\"pong\",\"n\":7}", "but is there");

    agent_input_control(a, FALSE);
    is_int(recorder.log->len != 0, 1, "whose control ends lets go");
    is_str(strstr(recorder.log->str, "kKeyA") != NULL ? "key" : "",
           "key", "of the key");
    g_string_truncate(recorder.log, 0);
    say(a, "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\","
           "\"down\":true}");
    did("", "and does nothing more");
    agent_input_control(b, TRUE);
    say(b, "{\"type\":\"key\",\"key\":\"b\",\"code\":\"KeyB\","
           "\"down\":true}");
    did("Kb ", "whose it is now does");
    agent_input_release(b);
    did("kKeyB ", "and lets go");
}


static void
test_refused(agent_seat_t *seat)
{
    gsize                       i;
    g_autofree char            *big = NULL;
    g_autoptr(agent_input_t)    in = agent_input_new(seat, TRUE);

    static const char *const  bad[] = {
        "", "[]", "{}", "x", "{\"type\":1}", "{\"type\":\"fly\"}",
        "{\"type\":\"move\"}",
        "{\"type\":\"move\",\"x\":-1,\"y\":0}",
        "{\"type\":\"move\",\"x\":65536,\"y\":0}",
        "{\"type\":\"move\",\"x\":1.5,\"y\":0}",
        "{\"type\":\"move\",\"x\":\"1\",\"y\":0}",
        "{\"type\":\"move\",\"x\":1,\"x\":2,\"y\":0}",
        "{\"type\":\"button\",\"button\":5,\"down\":true,\"x\":0,\"y\":0}",
        "{\"type\":\"button\",\"button\":0,\"down\":1,\"x\":0,\"y\":0}",
        "{\"type\":\"button\",\"button\":0,\"down\":true}",
        "{\"type\":\"wheel\",\"dx\":1001,\"dy\":0,\"x\":0,\"y\":0}",
        "{\"type\":\"wheel\",\"dx\":1e999,\"dy\":0,\"x\":0,\"y\":0}",
        "{\"type\":\"key\",\"key\":\"a\",\"down\":true}",
        "{\"type\":\"key\",\"key\":\"\",\"code\":\"KeyA\",\"down\":true}",
        "{\"type\":\"key\",\"key\":\"a\",\"code\":\"KeyA\"}",
        "{\"type\":\"key\",\"code\":\"KeyA\",\"down\":true,\"key\":"
            "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaa\"}",
        "{\"type\":\"ping\"}",
        "{\"type\":\"ping\",\"n\":-1}"
    };

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        ok(say(in, bad[i]) == NULL && recorder.log->len == 0,
           "refused: %" G_GSIZE_FORMAT, i);
    }

    big = g_strnfill(AGENT_INPUT_MESSAGE + 1, ' ');
    memcpy(big, "{\"type\":\"move\",\"x\":0,\"y\":0}", 27);
    say(in, big);
    did("", "a message over the bound");
    big[AGENT_INPUT_MESSAGE] = '\0';
    say(in, big);
    did("m0,0 ", "a message of the bound");
}


static void
test_release(agent_seat_t *seat)
{
    agent_input_t              *b;
    g_autoptr(agent_input_t)    a = agent_input_new(seat, TRUE);

    static const char  down[] = "{\"type\":\"key\",\"key\":\"q\","
                                "\"code\":\"KeyQ\",\"down\":true}";
    static const char  left[] = "{\"type\":\"button\",\"button\":0,"
                                "\"down\":true,\"x\":0,\"y\":0}";

    b = agent_input_new(seat, TRUE);

    say(a, down);
    say(a, left);
    did("Kq m0,0 B0 ", "one viewer holds a key and a button");
    say(a, "{\"type\":\"release\"}");
    did("b0 kKeyQ ", "release lets go of both");
    say(a, "{\"type\":\"release\"}");
    did("", "once");

    say(a, down);
    say(b, down);
    say(b, left);
    did("Kq Kq m0,0 B0 ", "two viewers hold one key");
    agent_input_free(b);
    did("b0 ", "one goes: its button is up, the key is still held");
    agent_input_release(a);
    did("kKeyQ ", "the other lets go of it");
}


static void
test_many(agent_seat_t *seat)
{
    guint                       i;
    g_autoptr(agent_input_t)    in = agent_input_new(seat, TRUE);

    for (i = 0; i < AGENT_INPUT_HELD + 5; i++) {
        g_autofree char  *text = NULL;

        text = g_strdup_printf("{\"type\":\"key\",\"key\":\"z\","
                               "\"code\":\"Many%u\",\"down\":true}", i);
        say(in, text);
    }

    agent_input_release(in);
    did("kMany ", "more keys than anyone has fingers: all are up again");
}


/* each number once, in order, whatever is said again */

static void
test_numbers(agent_seat_t *seat)
{
    guint                       i;
    g_autoptr(agent_input_t)    in = agent_input_new(seat, TRUE);

    static const char *const  texts[] = {
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":41}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":41}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":7}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":42}"
    };

    static const char *const  wrong[] = {
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":44}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":0}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":\"43\"}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":43.5}",
        "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":9007199254740992}"
    };

    agent_input_continue(in, 40);
    ok(!agent_input_numbered(in), "nothing is numbered yet");
    say(in, "{\"type\":\"move\",\"x\":0,\"y\":0}");
    did("m0,0 ", "without a number it is taken as before");

    for (i = 0; i < G_N_ELEMENTS(texts); i++) {
        say(in, texts[i]);
    }

    did("m0,0 m0,0 ", "the next ones are taken, once");
    ok(agent_input_numbered(in) && agent_input_sequence(in) == 42,
       "the last of them is known");
    ok(!agent_input_broken(in), "what is said again breaks nothing");

    for (i = 0; i < G_N_ELEMENTS(wrong); i++) {
        say(in, wrong[i]);
        did("", wrong[i]);
        ok(agent_input_broken(in), "is not the next one");
        say(in, "{\"type\":\"move\",\"x\":0,\"y\":0,\"seq\":43}");
        did("", "nothing is taken behind it");
        agent_input_continue(in, 42);
    }

    for (i = 43; i <= 48; i++) {
        g_autofree char  *text = NULL, *answer = NULL;

        text = g_strdup_printf("{\"type\":\"move\",\"x\":0,\"y\":0,"
                               "\"seq\":%u}", i);
        answer = say(in, text);
        is_str(answer ? answer : "", i == 48
               ? "{\"type\":\"taken\",\"sequence\":48}" : "",
               "each sixteenth is told");
    }

    g_string_truncate(recorder.log, 0);
}


int
main(void)
{
    g_autoptr(agent_seat_t)  seat = agent_seat_new(&recorder.platform);

    recorder.log = g_string_new(NULL);

    test_pixels();
    test_messages(seat);
    test_ping(seat);
    test_not_allowed(seat);
    test_token(seat);
    test_refused(seat);
    test_release(seat);
    test_many(seat);
    test_numbers(seat);

    g_string_free(recorder.log, TRUE);

    return done();
}
