
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A viewer's pipe: what it lets in, in which order things leave, and what it
 * does about a viewer who does not follow.  The wire and the encoder are
 * played by the test, which is also the viewer with its keys.
 */

#include "agent_duct.h"
#include "agent_deal.h"
#include "agent_wire.h"
#include "rs_carry.h"
#include "tap.h"

#include <gst/gst.h>
#include <string.h>


struct agent_wire_s {
    const agent_wire_events_t  *events;
    void                       *data;
    char                       *ticket;
    guint8                      space[AGENT_WIRE_PAYLOAD];
    guint                       room;           /* records */
    GPtrArray                  *sent;           /* GBytes */
};


struct agent_video_sink_s {
    const agent_video_out_t     *out;
    void                        *to;
    const agent_video_events_t  *events;
    void                        *data;
    guint                        rate;
    guint                        keys;          /* wanted */
};


typedef struct {
    agent_t          agent;
    agent_duct_t    *duct;
    rs_seal_t        seal;              /* the viewer's */
    GByteArray      *inside;
    GPtrArray       *heard;             /* messages of the host: GBytes */
    char            *failed;            /* a code */
    guint            connected;
    guint            paths;
    agent_path_t     path;
} fixture_t;


static agent_wire_t         *wire;
static agent_video_sink_t   *sink;      /* while it is attached */
static GString              *told;      /* what channels were told */
static agent_channel_t      *chat;


/* ---- what is played */

agent_wire_t *
agent_wire_new(const agent_wire_to_t *to, const agent_wire_events_t *events,
    void *data)
{
    wire = g_new0(agent_wire_t, 1);
    wire->events = events;
    wire->data = data;
    wire->ticket = g_strdup(to->ticket);
    wire->room = 1000;
    wire->sent = g_ptr_array_new_with_free_func((GDestroyNotify)
                                                g_bytes_unref);
    is_str(to->url, "wss://gateway/rs/v1/pipe", "the leg's URL");
    is_str(to->side, "host", "its side");

    return wire;
}


guint8 *
agent_wire_space(agent_wire_t *w, gsize min, gsize *len)
{
    if (w->room == 0) {
        return NULL;
    }

    g_assert(min <= sizeof(w->space));
    *len = sizeof(w->space);

    return w->space;
}


void
agent_wire_send(agent_wire_t *w, gsize len)
{
    w->room--;
    g_ptr_array_add(w->sent, g_bytes_new(w->space, len));
}


void
agent_wire_free(agent_wire_t *w, guint code)
{
    is_int(code, AGENT_WIRE_DONE, "the leg is closed");
    g_ptr_array_unref(w->sent);
    g_free(w->ticket);
    g_free(w);
    wire = NULL;
}


void
agent_video_limits(const agent_video_t *video, guint *least, guint *most)
{
    (void) video;

    *least = 100000;
    *most = 8000000;
}


agent_video_sink_t *
agent_video_attach(agent_video_t *video, const agent_video_wish_t *wish,
    GError **error)
{
    (void) video;
    (void) error;

    sink = g_new0(agent_video_sink_t, 1);
    sink->out = wish->out;
    sink->to = wish->to;
    sink->events = wish->events;
    sink->data = wish->data;
    is_int(wish->codec, AGENT_CODEC_VP8, "the codec that was agreed on");

    return sink;
}


void
agent_video_detach(agent_video_sink_t *s)
{
    g_free(s);
    sink = NULL;
}


void
agent_video_rate(agent_video_sink_t *s, guint rate)
{
    s->rate = rate;
}


void
agent_video_frames(agent_video_sink_t *s, guint fps)
{
    (void) s;
    (void) fps;
}


void
agent_video_want_key(agent_video_sink_t *s)
{
    s->keys++;
}


gboolean
agent_video_look(agent_video_sink_t *s, const agent_view_t *view)
{
    (void) s;
    (void) view;

    return TRUE;
}


static void *
on_open(agent_channel_t *ch, agent_viewer_t *viewer)
{
    (void) viewer;

    g_string_append(told, "open ");
    chat = ch;
    agent_channel_send_text(ch, "{\"type\":\"hello\"}");

    return told;
}


static void
on_text(void *data, const char *text, gsize len)
{
    (void) data;

    g_string_append_printf(told, "%.*s ", (int) len, text);
    g_assert(strlen(text) == len);
}


static void
on_binary(void *data, const guint8 *bytes, gsize len)
{
    (void) data;
    (void) bytes;

    g_string_append_printf(told, "%u bytes ", (guint) len);
}


static void
on_closed(void *data)
{
    (void) data;

    g_string_append(told, "closed ");
    chat = NULL;
}


static void
on_drained(void *data)
{
    (void) data;

    g_string_append(told, "drained ");
}


static const agent_channel_kind_t  chat_kind = {
    .label = "rs-chat",
    .message_max = 20,
    .buffer_max = 64,
    .buffer_low = 32,
    .open = on_open,
    .text = on_text,
    .binary = on_binary,
    .drained = on_drained,
    .closed = on_closed
};


static const agent_channel_kind_t  vital_kind = {
    .label = "rs-input",
    .message_max = 20,
    .buffer_max = 64,
    .vital = TRUE,
    .open = on_open,
    .text = on_text,
    .closed = on_closed
};


static const agent_channel_kind_t *const  kinds[] = {
    &chat_kind, &vital_kind, NULL
};


static void
on_connected(void *data, agent_duct_t *duct)
{
    fixture_t  *f = data;

    (void) duct;

    f->connected++;
}


static void
on_path(void *data, agent_duct_t *duct, const agent_path_t *path)
{
    fixture_t  *f = data;

    (void) duct;

    f->paths++;
    f->path = *path;
}


static void
on_failed(void *data, agent_duct_t *duct, const char *code,
    const char *message)
{
    fixture_t  *f = data;

    printf("# %s: %s\n", code, message);
    g_assert(duct == f->duct);
    f->failed = g_strdup(code);
    g_clear_pointer(&f->duct, agent_duct_free);
}


static const agent_duct_events_t  events = {
    on_connected, on_path, on_failed
};


/* ---- */

static void
settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
        /* whatever is due */
    }
}


static void
start(fixture_t *f)
{
    gsize                      len;
    guint8                     scalar[RS_SEAL_SCALAR_LEN] = { 1, 2, 3 };
    guint8                     point[RS_SEAL_POINT_LEN];
    rs_seal_t                  seal;
    const char                *code, *message;
    agent_peer_pipe_t          offer;
    g_autofree char           *key = NULL;
    g_autofree char           *theirs = NULL;
    agent_duct_params_t        params;
    g_autoptr(agent_deal_t)    deal = NULL;

    memset(f, 0, sizeof(fixture_t));
    f->agent.socket_url = (char *) "wss://gateway/rs/v1";
    f->inside = g_byte_array_new();
    f->heard = g_ptr_array_new_with_free_func((GDestroyNotify)
                                              g_bytes_unref);
    g_string_truncate(told, 0);

    (void) rs_seal_public(scalar, point);
    key = g_malloc0(RS_BASE64URL_LEN(sizeof(point)) + 1);
    (void) rs_base64url_encode(key, point, sizeof(point));
    offer = (agent_peer_pipe_t) { "abcdefghijklmnopqrstuvwxyz", key,
                                  "h264,vp8" };
    deal = agent_deal_new(&offer, AGENT_CODEC_VP8, &code, &message);
    g_assert(agent_deal_start(deal, (const guint8 *) "signed", 6, &seal));

    theirs = agent_deal_key(deal);
    g_assert(rs_base64url_decode(point, sizeof(point), rs_str(theirs),
                                 &len));
    g_assert(rs_seal_start(&f->seal, RS_SEAL_CLIENT, scalar, point,
                           (const guint8 *) "signed", 6) == RS_OK);

    memset(&params, 0, sizeof(params));
    params.agent = &f->agent;
    params.codec = agent_deal_codec(deal);
    params.ticket = "secret";
    params.seal = &seal;
    params.kinds = kinds;
    f->duct = agent_duct_new(&params, &events, f);

    is_str(wire->ticket, "secret", "its ticket");
    wire->events->open(wire->data);
    settle();
}


static void
stop(fixture_t *f)
{
    g_clear_pointer(&f->duct, agent_duct_free);
    rs_seal_end(&f->seal);
    g_byte_array_unref(f->inside);
    g_ptr_array_unref(f->heard);
    g_free(f->failed);
    settle();
    ok(sink == NULL && wire == NULL, "nothing is left");
}


/* one record, in two pieces */

static void
record(fixture_t *f, const guint8 *bytes, gsize len)
{
    gsize  taken;

    (void) f;

    wire->events->piece(wire->data, bytes, len / 2, FALSE, &taken);
    g_assert(taken == len / 2);
    wire->events->piece(wire->data, bytes + len / 2, len - len / 2, TRUE,
                        &taken);
    settle();
}


static void
say(fixture_t *f, const rs_carry_t *carry, const char *text)
{
    gsize    n, len;
    guint8   head[256], sealed[256 + RS_SEAL_OVERHEAD];

    n = rs_carry_head(carry, head);
    memcpy(head + n, text, strlen(text));
    len = rs_seal_make(&f->seal, (rs_str_t) { head, n + strlen(text) }, 0,
                       sealed);
    record(f, sealed, len);
}


static void
say_on(fixture_t *f, rs_carry_type_e type, guint channel, const char *text)
{
    rs_carry_t  carry;

    memset(&carry, 0, sizeof(carry));
    carry.type = type;
    carry.channel = channel;
    say(f, &carry, text);
}


static void
see(fixture_t *f, guint32 number, gboolean key)
{
    rs_carry_t  carry;

    memset(&carry, 0, sizeof(carry));
    carry.type = RS_CARRY_SEEN;
    carry.key = key;
    carry.number = number;
    carry.first_us = 1000;
    carry.last_us = 2000;
    say(f, &carry, "");
}


/* opens what the host has sent since */

static void
hear(fixture_t *f)
{
    int         more;
    gsize       len;
    guint       i;
    guint8     *bytes;
    rs_str_t    data;

    settle();

    for (i = 0; i < wire->sent->len; i++) {
        bytes = g_memdup2(g_bytes_get_data(wire->sent->pdata[i], &len),
                          g_bytes_get_size(wire->sent->pdata[i]));
        len = g_bytes_get_size(wire->sent->pdata[i]);
        g_assert(rs_seal_take(&f->seal, bytes, len, &data, &more) == RS_OK);
        g_byte_array_append(f->inside, data.data, (guint) data.len);
        g_free(bytes);

        if (!more) {
            g_ptr_array_add(f->heard, g_bytes_new(f->inside->data,
                                                  f->inside->len));
            g_byte_array_set_size(f->inside, 0);
        }
    }

    g_ptr_array_set_size(wire->sent, 0);
}


/* "type,type+bytes" of what was heard, and forgets it */

static void
heard(fixture_t *f, const char *want, const char *what)
{
    gsize                size;
    guint                i;
    const guint8        *bytes;
    g_autoptr(GString)   all = g_string_new(NULL);

    hear(f);

    for (i = 0; i < f->heard->len; i++) {
        bytes = g_bytes_get_data(f->heard->pdata[i], &size);
        g_string_append_printf(all, "%s%u+%u", i ? "," : "", bytes[0],
                               (guint) size);
    }

    is_str(all->str, want, what);
    g_ptr_array_set_size(f->heard, 0);
}


static void
did(const char *want, const char *what)
{
    is_str(told->str, want, what);
    g_string_truncate(told, 0);
}


static void
frame(gsize bytes, gboolean key)
{
    GstBuffer  *buffer;

    buffer = gst_buffer_new_allocate(NULL, bytes, NULL);
    gst_buffer_memset(buffer, 0, 0x5a, bytes);
    sink->out->push(sink->to, NULL, buffer, key);
    gst_buffer_unref(buffer);
}


static void
test_channels(void)
{
    fixture_t  f;

    start(&f);
    is_int(f.connected, 0, "a leg alone is nobody");
    say_on(&f, RS_CARRY_START, 0, "");
    is_int(f.connected, 1, "its first record is the viewer");
    ok(agent_duct_stands(f.duct), "and the pipe stands");

    say_on(&f, RS_CARRY_OPEN, 3, "rs-chat");
    did("open ", "a channel opens");
    heard(&f, "2+18", "and says hello");
    say_on(&f, RS_CARRY_TEXT, 3, "one");
    say_on(&f, RS_CARRY_BINARY, 3, "xyz");
    did("one 3 bytes ", "what it is told");
    say_on(&f, RS_CARRY_OPEN, 5, "rs-other");
    say_on(&f, RS_CARRY_TEXT, 5, "two");
    say_on(&f, RS_CARRY_OPEN, 6, "rs-chat");
    did("", "an unknown one and a second one stay without a word");

    say_on(&f, RS_CARRY_TEXT, 3, "more than twenty bytes");
    did("closed ", "a message that is too long closes its channel");
    heard(&f, "4+2", "which is told");

    say_on(&f, RS_CARRY_OPEN, 3, "rs-chat");
    hear(&f);
    agent_channel_close(chat);
    ok(!agent_channel_send_text(chat, "x"), "one that ends takes no more");
    did("open ", "it is not told inside of its own call");
    settle();
    did("closed ", "but then");

    say_on(&f, RS_CARRY_OPEN, 3, "rs-chat");
    say_on(&f, RS_CARRY_CLOSE, 3, "");
    did("open closed ", "the viewer closes it");

    say_on(&f, RS_CARRY_OPEN, 3, "rs-chat");
    agent_duct_mute(f.duct);
    did("open closed ", "mute closes all");
    say_on(&f, RS_CARRY_OPEN, 3, "rs-chat");
    did("", "and no other opens");
    ok(f.failed == NULL, "nothing was wrong");
    stop(&f);
}


static void
test_order(void)
{
    guint      i;
    fixture_t  f;

    start(&f);
    say_on(&f, RS_CARRY_START, 0, "");
    say_on(&f, RS_CARRY_OPEN, 0, "rs-chat");
    hear(&f);
    g_ptr_array_set_size(f.heard, 0);
    g_string_truncate(told, 0);

    /* there is room for the head of a frame, not for the rest */

    wire->room = 1;
    frame(100000, TRUE);
    settle();
    is_int(sink->out->waiting(sink->to), 100000, "a frame waits");
    frame(500, FALSE);
    settle();

    for (i = 0; i < 4; i++) {
        ok(agent_channel_send_binary(chat, "0123456789012345", 16),
           "a message waits");
    }

    ok(!agent_channel_send_text(chat, "x"), "a channel's bound");
    is_int(agent_channel_buffered(chat), 72, "what it has waiting");

    wire->room = 1000;
    wire->events->room(wire->data);
    heard(&f, "6+100015,3+18,3+18,3+18,3+18,6+515",
          "a frame is not cut in two, messages go before the next one");
    did("drained ", "the channel hears that there is room");
    is_int(agent_channel_buffered(chat), 0, "nothing waits");
    is_int(sink->out->waiting(sink->to), 100500,
           "what was not seen still counts");

    see(&f, 0, FALSE);
    is_int(sink->out->waiting(sink->to), 500, "a frame was seen");
    is_int(f.paths, 1, "the path is told once");
    is_str(agent_path_kind(&f.path), "pipe", "what it is");
    is_int(f.path.protocol, AGENT_PROTO_TLS, "over TLS");
    is_int(sink->keys, 0, "no key frame is wanted");
    see(&f, 1, TRUE);
    is_int(sink->out->waiting(sink->to), 0, "all were seen");
    is_int(sink->keys, 1, "the viewer wants a key frame");
    is_int(f.paths, 1, "once");
    stop(&f);
}


/* frames that cannot go: none until the next key frame */

static void
test_lost(void)
{
    fixture_t  f;

    start(&f);
    say_on(&f, RS_CARRY_START, 0, "");
    frame(5 * 1024 * 1024, TRUE);
    frame(100, FALSE);
    heard(&f, "", "a frame that is too long is left out, and what follows");
    is_int(sink->out->waiting(sink->to), 0, "nothing of it waits");
    ok(sink->keys >= 1, "a key frame is asked for");
    frame(100, TRUE);
    frame(50, FALSE);
    heard(&f, "6+115,6+65", "and goes");

    /* one is on its way when the pipe ends */

    frame(100, FALSE);
    stop(&f);
}


typedef struct {
    const char  *name;
    guint        how;
    const char  *code;
} wrong_t;


static void
test_wrong(void)
{
    gsize       i;
    guint8      junk[40] = { 7 };
    fixture_t   f;

    static const wrong_t  wrong[] = {
        { "a record that nobody sealed", 0, "closed" },
        { "no start", 1, "bad_input" },
        { "a second start", 2, "bad_input" },
        { "a frame that was never sent", 3, "bad_input" },
        { "what is no message", 4, "bad_input" },
        { "an input message that is too long", 5, "bad_input" },
        { "a channel opened twice", 6, "bad_input" },
        { "the leg closed", 7, "closed" },
        { "the encoder failed", 8, "capture" },
    };

    for (i = 0; i < G_N_ELEMENTS(wrong); i++) {
        printf("# %s\n", wrong[i].name);
        start(&f);

        if (wrong[i].how != 1) {
            say_on(&f, RS_CARRY_START, 0, "");
        }

        switch (wrong[i].how) {

        case 0:
            record(&f, junk, sizeof(junk));
            break;

        case 1:
            say_on(&f, RS_CARRY_OPEN, 0, "rs-chat");
            break;

        case 2:
            say_on(&f, RS_CARRY_START, 0, "");
            break;

        case 3:
            see(&f, 0, FALSE);
            break;

        case 4:
            say_on(&f, RS_CARRY_CLOSE, 0, "x");
            break;

        case 5:
            say_on(&f, RS_CARRY_OPEN, 0, "rs-input");
            say_on(&f, RS_CARRY_TEXT, 0, "more than twenty bytes");
            break;

        case 6:
            say_on(&f, RS_CARRY_OPEN, 0, "rs-chat");
            say_on(&f, RS_CARRY_OPEN, 0, "rs-chat");
            break;

        case 7: {
            agent_wire_end_t  end = { 4502, 0, 0, "pipe_broken" };

            wire->events->closed(wire->data, &end);
            break;
        }

        default:
            sink->events->failed(sink->data, "test");
            break;
        }

        settle();
        is_str(f.failed ? f.failed : "", wrong[i].code, wrong[i].name);
        stop(&f);
    }
}


/* who opens again and again, and does not read what each time is said */

static void
test_unread(void)
{
    guint      i;
    fixture_t  f;

    start(&f);
    say_on(&f, RS_CARRY_START, 0, "");
    wire->room = 0;

    for (i = 0; f.failed == NULL && i < 1000000; i++) {
        say_on(&f, (i & 1) ? RS_CARRY_CLOSE : RS_CARRY_OPEN, 0,
               (i & 1) ? "" : "rs-chat");
        g_string_truncate(told, 0);
    }

    is_str(f.failed ? f.failed : "", "closed", "what waits has a bound");
    g_string_truncate(told, 0);
    stop(&f);
}


int
main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    told = g_string_new(NULL);

    test_channels();
    test_order();
    test_lost();
    test_wrong();
    test_unread();

    g_string_free(told, TRUE);

    return done();
}
