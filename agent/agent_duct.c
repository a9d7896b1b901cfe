
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what goes over one sealed pipe, and in which order:
 *
 *     channels' messages   ->  one whole message after the other,
 *     frames, as they are      in records ->  agent_wire.c
 *
 * Messages of channels go before frames that wait, since somebody is waiting
 * for them.  A frame is counted until the viewer has seen it: that, and not
 * what buffers on the way have swallowed, is what a sink may have waiting
 * (agent_video.c), and the times the viewer tells are what agent_rate.c makes
 * a rate of.
 *
 * Before the first record opens nobody is there: the leg may have been joined
 * to anything.  A record that does not open is the end.
 *
 * Frames come on the encoder's thread, and hop to the main loop with a
 * counted reference; everything else is on the main loop.
 */

#define G_LOG_DOMAIN  "rs-duct"

#include "agent_duct.h"
#include "agent_version.h"
#include "agent_wire.h"
#include "rs_carry.h"

#include <string.h>


#define AGENT_DUCT_FRAME    (4 * 1024 * 1024)   /* bytes */
#define AGENT_DUCT_RECORD   16384   /* of what is left, before one is made */
#define AGENT_DUCT_FLIGHT   1024    /* frames that were not seen */
#define AGENT_DUCT_UNSAID   (4 * 1024 * 1024)  /* bytes, of all channels */


typedef struct {
    agent_duct_t  *duct;            /* a reference, while it hops */
    GstBuffer     *buffer;
    gsize          bytes;
    gboolean       key;
    gint64         made_us;

    guint32        number;          /* once its head has left */
    gint64         left_us;         /* 0: it has not */
} agent_duct_frame_t;


typedef struct {
    agent_channel_base_t         base;
    agent_duct_t                *duct;
    const agent_channel_kind_t  *kind;
    void                        *data;
    guint                        number;
    gsize                        queued;
    gboolean                     full;      /* more than buffer_low was */
    gboolean                     ending;
} agent_duct_channel_t;


/* a whole message that waits */

typedef struct {
    GBytes  *bytes;
    guint    channel;
} agent_duct_text_t;


struct agent_duct_s {
    const agent_duct_events_t          *events;
    void                               *data;
    agent_t                            *agent;
    agent_view_t                        view;
    guint                               codec;
    const agent_channel_kind_t *const  *kinds;
    agent_viewer_t                     *viewer;

    agent_wire_t           *wire;
    rs_seal_t               seal;
    gboolean                open;           /* the leg is there */
    gboolean                started;        /* the viewer is */
    gboolean                muted;
    gboolean                closed;
    const char             *code;           /* how it ended; or NULL */
    char                   *message;
    guint                   end;            /* the source that tells it */
    guint                   pump;           /* the source that sends */

    GByteArray             *record;         /* what came of one */
    GByteArray             *inside;         /* of a message */
    agent_duct_channel_t   *channels[RS_CARRY_CHANNELS];

    GQueue                  texts;          /* agent_duct_text_t */
    gsize                   unsaid;         /* bytes of them */
    GQueue                  frames;         /* agent_duct_frame_t */
    GQueue                  flight;         /* the same, not seen yet */
    agent_duct_text_t      *text;           /* under way, or NULL */
    agent_duct_frame_t     *frame;          /* likewise */
    gsize                   at;             /* bytes of it that have left */

    agent_video_sink_t     *sink;
    agent_rate_t            rate;
    guint                   timer;
    guint32                 numbers;
    gboolean                path_known;
    gboolean                lost;           /* frames up to the next key */
    gint                    waiting;        /* bytes of frames; atomic */
};


static void agent_duct_unref(void *data);
static void agent_duct_clear(void *data);
static void agent_duct_fail(agent_duct_t *duct, const char *code,
    const char *message);
static gboolean agent_duct_ended(gpointer data);

static void agent_duct_opened(void *data);
static gboolean agent_duct_piece(void *data, const guint8 *bytes, gsize len,
    gboolean last, gsize *taken);
static void agent_duct_room(void *data);
static void agent_duct_gone(void *data, const agent_wire_end_t *end);

static void agent_duct_taken(agent_duct_t *duct);
static void agent_duct_said(agent_duct_t *duct, const rs_carry_t *carry);
static void agent_duct_start(agent_duct_t *duct);
static void agent_duct_seen(agent_duct_t *duct, const rs_carry_t *carry);
static void agent_duct_path(agent_duct_t *duct, gint64 rtt_us);

static void agent_duct_open(agent_duct_t *duct, const rs_carry_t *carry);
static void agent_duct_message(agent_duct_t *duct, const rs_carry_t *carry);
static void agent_duct_shut(agent_duct_t *duct, guint number);
static gboolean agent_duct_may_send(const agent_channel_t *ch);
static void agent_duct_send(agent_channel_t *ch, const void *bytes, gsize len,
    gboolean text);
static gsize agent_duct_buffered(const agent_channel_t *ch);
static void agent_duct_close(agent_channel_t *ch);

static void agent_duct_say(agent_duct_t *duct, rs_carry_type_e type,
    guint number, const void *bytes, gsize len);
static void agent_duct_text_free(agent_duct_text_t *text);
static void agent_duct_text_left(agent_duct_t *duct);
static void agent_duct_want(agent_duct_t *duct);
static gboolean agent_duct_pump(gpointer data);
static gboolean agent_duct_next(agent_duct_t *duct);
static gboolean agent_duct_put_text(agent_duct_t *duct);
static gboolean agent_duct_put_frame(agent_duct_t *duct);
static gsize agent_duct_put(agent_duct_t *duct, const guint8 *bytes,
    gsize left, gboolean more);

static guint64 agent_duct_waiting(void *to);
static void agent_duct_push(void *to, GstCaps *caps, GstBuffer *buffer,
    gboolean key);
static gboolean agent_duct_land(gpointer data);
static void agent_duct_frame_free(agent_duct_frame_t *frame);
static void agent_duct_frame_drop(agent_duct_t *duct,
    agent_duct_frame_t *frame);
static void agent_duct_video_failed(void *data, const char *message);
static gboolean agent_duct_tick(gpointer data);


static const agent_wire_events_t  agent_duct_wire_events = {
    agent_duct_opened,
    agent_duct_piece,
    agent_duct_room,
    agent_duct_gone
};


static const agent_channel_ops_t  agent_duct_ops = {
    agent_duct_may_send,
    agent_duct_send,
    agent_duct_buffered,
    agent_duct_close
};


static const agent_video_out_t  agent_duct_out = {
    agent_duct_waiting,
    agent_duct_push
};


static const agent_video_events_t  agent_duct_video_events = {
    agent_duct_video_failed
};


agent_duct_t *
agent_duct_new(const agent_duct_params_t *params,
    const agent_duct_events_t *events, void *data)
{
    agent_t            *agent = params->agent;
    agent_duct_t       *duct;
    agent_wire_to_t     to;
    g_autofree char    *url = NULL;

    duct = g_atomic_rc_box_new0(agent_duct_t);
    duct->events = events;
    duct->data = data;
    duct->agent = agent;
    duct->view = params->view;
    duct->codec = params->codec;
    duct->kinds = params->kinds;
    duct->viewer = params->viewer;
    duct->seal = *params->seal;
    memset(params->seal, 0, sizeof(rs_seal_t));
    duct->record = g_byte_array_new();
    duct->inside = g_byte_array_new();
    g_queue_init(&duct->texts);
    g_queue_init(&duct->frames);
    g_queue_init(&duct->flight);

    url = g_strconcat(agent->socket_url, "/pipe", NULL);

    memset(&to, 0, sizeof(to));
    to.url = url;
    to.ticket = params->ticket;
    to.side = "host";
    to.program = "rs-agent/" AGENT_VERSION;
    to.max_message = RS_SEAL_RECORD_MAX;
    to.tls = agent->tls;
    to.proxy = agent->proxy;

    duct->wire = agent_wire_new(&to, &agent_duct_wire_events, duct);

    return duct;
}


void
agent_duct_free(agent_duct_t *duct)
{
    agent_duct_mute(duct);
    duct->closed = TRUE;

    g_clear_pointer(&duct->sink, agent_video_detach);
    g_clear_handle_id(&duct->timer, g_source_remove);
    g_clear_handle_id(&duct->pump, g_source_remove);
    g_clear_handle_id(&duct->end, g_source_remove);
    agent_wire_free(duct->wire, AGENT_WIRE_DONE);
    rs_seal_end(&duct->seal);

    agent_duct_unref(duct);
}


static void
agent_duct_unref(void *data)
{
    g_atomic_rc_box_release_full(data, agent_duct_clear);
}


static void
agent_duct_clear(void *data)
{
    agent_duct_t  *duct = data;

    g_queue_clear_full(&duct->texts, (GDestroyNotify) agent_duct_text_free);
    g_queue_clear_full(&duct->frames, (GDestroyNotify) agent_duct_frame_free);
    g_queue_clear_full(&duct->flight, (GDestroyNotify) agent_duct_frame_free);
    g_clear_pointer(&duct->text, agent_duct_text_free);
    g_clear_pointer(&duct->frame, agent_duct_frame_free);
    g_byte_array_unref(duct->record);
    g_byte_array_unref(duct->inside);
    g_free(duct->message);
}


gboolean
agent_duct_stands(const agent_duct_t *duct)
{
    return duct->started && duct->code == NULL;
}


/* told by a source of its own: a callback of the wire or a channel is under
 * way, and whoever is told may free the duct */

static void
agent_duct_fail(agent_duct_t *duct, const char *code, const char *message)
{
    if (duct->code != NULL || duct->closed) {
        return;
    }

    duct->code = code;
    duct->message = g_strdup(message);
    duct->end = g_idle_add_full(G_PRIORITY_DEFAULT, agent_duct_ended, duct,
                                NULL);
}


static gboolean
agent_duct_ended(gpointer data)
{
    agent_duct_t       *duct = data;
    g_autofree char    *message = g_steal_pointer(&duct->message);

    duct->end = 0;
    duct->events->failed(duct->data, duct, duct->code, message);

    return G_SOURCE_REMOVE;
}


/* ---- the wire */

static void
agent_duct_opened(void *data)
{
    agent_duct_t  *duct = data;

    duct->open = TRUE;
    agent_duct_want(duct);
}


static void
agent_duct_room(void *data)
{
    agent_duct_want(data);
}


static void
agent_duct_gone(void *data, const agent_wire_end_t *end)
{
    agent_duct_t  *duct = data;

    duct->open = FALSE;
    g_info("pipe closed (%u): %s", end->code, end->why);
    agent_duct_fail(duct, "closed", "the pipe was closed");
}


static gboolean
agent_duct_piece(void *data, const guint8 *bytes, gsize len, gboolean last,
    gsize *taken)
{
    agent_duct_t  *duct = data;

    *taken = len;

    if (duct->code != NULL) {
        return TRUE;
    }

    if (duct->record->len + len > RS_SEAL_RECORD_MAX) {
        agent_duct_fail(duct, "closed", "a record is too long");
        return TRUE;
    }

    if (len != 0) {
        g_byte_array_append(duct->record, bytes, (guint) len);
    }

    if (last) {
        agent_duct_taken(duct);
        g_byte_array_set_size(duct->record, 0);
    }

    return TRUE;
}


/* a whole record */

static void
agent_duct_taken(agent_duct_t *duct)
{
    int         more;
    rs_str_t    data;
    rs_carry_t  carry;

    if (rs_seal_take(&duct->seal, duct->record->data, duct->record->len,
                     &data, &more) != RS_OK)
    {
        agent_duct_fail(duct, "closed", "what came over the pipe is not of "
                        "this viewer");
        return;
    }

    if (duct->inside->len + data.len > RS_CARRY_CLIENT_MAX) {
        agent_duct_fail(duct, "bad_input", "a message is too long");
        return;
    }

    g_byte_array_append(duct->inside, data.data, (guint) data.len);

    if (more) {
        return;
    }

    data = (rs_str_t) { duct->inside->data, duct->inside->len };

    if (rs_carry_read(data, &carry) != RS_OK) {
        agent_duct_fail(duct, "bad_input", "a message is not of a pipe");
        return;
    }

    /* texts end with a zero, which is not theirs */

    g_byte_array_append(duct->inside, (const guint8 *) "", 1);
    carry.data.data = (carry.data.len != 0)
                      ? duct->inside->data + data.len - carry.data.len : NULL;

    agent_duct_said(duct, &carry);
    g_byte_array_set_size(duct->inside, 0);
}


static void
agent_duct_said(agent_duct_t *duct, const rs_carry_t *carry)
{
    if (!duct->started && carry->type != RS_CARRY_START) {
        agent_duct_fail(duct, "bad_input", "the first message must be the "
                        "start");
        return;
    }

    switch (carry->type) {

    case RS_CARRY_START:
        agent_duct_start(duct);
        return;

    case RS_CARRY_OPEN:
        agent_duct_open(duct, carry);
        return;

    case RS_CARRY_SEEN:
        agent_duct_seen(duct, carry);
        return;

    case RS_CARRY_CLOSE:
        agent_duct_shut(duct, carry->channel);
        return;

    default:
        agent_duct_message(duct, carry);
        return;
    }
}


static void
agent_duct_start(agent_duct_t *duct)
{
    guint                 least, most;
    agent_t              *agent = duct->agent;
    agent_video_wish_t    wish;
    g_autoptr(GError)     error = NULL;

    if (duct->started) {
        agent_duct_fail(duct, "bad_input", "a pipe begins once");
        return;
    }

    duct->started = TRUE;
    agent_video_limits(agent->video, &least, &most);
    agent_rate_init(&duct->rate, least, most, g_get_monotonic_time());

    wish.codec = duct->codec;
    wish.view = &duct->view;
    wish.out = &agent_duct_out;
    wish.to = duct;
    wish.rate = duct->rate.bps;
    wish.events = &agent_duct_video_events;
    wish.data = duct;
    duct->sink = agent_video_attach(agent->video, &wish, &error);

    if (duct->sink == NULL) {
        g_critical("%s", error->message);
        agent_duct_fail(duct, "capture", "the screen cannot be captured");
        return;
    }

    duct->timer = g_timeout_add(AGENT_RATE_TICK_MS, agent_duct_tick, duct);
    duct->events->connected(duct->data, duct);
}


/* frames are seen in the order in which they left */

static void
agent_duct_seen(agent_duct_t *duct, const rs_carry_t *carry)
{
    gint64               now_us = g_get_monotonic_time();
    agent_duct_frame_t  *frame;

    frame = g_queue_peek_head(&duct->flight);

    if (frame == NULL || frame->number != carry->number
        || carry->first_us > carry->last_us || carry->last_us > G_MAXINT64)
    {
        agent_duct_fail(duct, "bad_input", "a frame was seen that was not "
                        "sent");
        return;
    }

    g_queue_pop_head(&duct->flight);

    agent_rate_packet(&duct->rate, frame->left_us, (gint64) carry->first_us,
                      RS_CARRY_VIDEO_LEN);
    agent_rate_packet(&duct->rate, frame->left_us, (gint64) carry->last_us,
                      frame->bytes);

    if (!duct->path_known) {
        agent_duct_path(duct, now_us - frame->left_us
                              - (gint64) (carry->last_us - carry->first_us));
    }

    if (carry->key && duct->sink != NULL) {
        agent_video_want_key(duct->sink);
    }

    agent_duct_frame_drop(duct, frame);
}


static void
agent_duct_path(agent_duct_t *duct, gint64 rtt_us)
{
    agent_path_t  path;

    duct->path_known = TRUE;
    agent_path_pipe(&path, g_str_has_prefix(duct->agent->socket_url, "wss:"),
                    (int) (CLAMP(rtt_us, 0, 60 * G_USEC_PER_SEC) / 1000));
    duct->events->path(duct->data, duct, &path);
}


/* ---- channels */

static void
agent_duct_open(agent_duct_t *duct, const rs_carry_t *carry)
{
    guint                  i;
    agent_duct_channel_t  *ch;

    if (duct->channels[carry->channel] != NULL) {
        agent_duct_fail(duct, "bad_input", "a channel was opened twice");
        return;
    }

    for (i = 0; duct->kinds[i] != NULL; i++) {
        if (rs_str_eq(carry->data, rs_str(duct->kinds[i]->label))) {
            break;
        }
    }

    if (duct->kinds[i] == NULL || duct->muted) {
        return;
    }

    ch = g_new0(agent_duct_channel_t, 1);
    ch->base.ops = &agent_duct_ops;
    ch->duct = duct;
    ch->kind = duct->kinds[i];
    ch->number = carry->channel;

    for (i = 0; i < RS_CARRY_CHANNELS; i++) {
        if (duct->channels[i] != NULL && duct->channels[i]->kind == ch->kind)
        {
            g_free(ch);
            return;
        }
    }

    /* it may send inside of open */

    duct->channels[ch->number] = ch;
    ch->data = ch->kind->open((agent_channel_t *) ch, duct->viewer);

    if (ch->data == NULL) {
        duct->channels[ch->number] = NULL;
        g_free(ch);
    }
}


static void
agent_duct_message(agent_duct_t *duct, const rs_carry_t *carry)
{
    agent_duct_channel_t  *ch = duct->channels[carry->channel];

    if (ch == NULL || ch->ending) {
        return;
    }

    if (carry->data.len > ch->kind->message_max) {

        if (ch->kind->vital) {
            agent_duct_fail(duct, "bad_input", "an input message is too "
                            "long");
            return;
        }

        g_message("channel \"%s\": a message is too long: closed",
                  ch->kind->label);
        agent_duct_say(duct, RS_CARRY_CLOSE, ch->number, NULL, 0);
        agent_duct_shut(duct, ch->number);
        return;
    }

    if (carry->type == RS_CARRY_TEXT && ch->kind->text != NULL) {
        ch->kind->text(ch->data, (const char *) carry->data.data,
                       carry->data.len);

    } else if (carry->type == RS_CARRY_BINARY && ch->kind->binary != NULL) {
        ch->kind->binary(ch->data, carry->data.data, carry->data.len);
    }
}


static void
agent_duct_shut(agent_duct_t *duct, guint number)
{
    agent_duct_channel_t  *ch = g_steal_pointer(&duct->channels[number]);

    if (ch != NULL) {
        ch->kind->closed(g_steal_pointer(&ch->data));
        g_free(ch);
    }
}


void
agent_duct_mute(agent_duct_t *duct)
{
    guint  i;

    duct->muted = TRUE;

    for (i = 0; i < RS_CARRY_CHANNELS; i++) {

        if (duct->channels[i] != NULL) {
            agent_duct_say(duct, RS_CARRY_CLOSE, i, NULL, 0);
            agent_duct_shut(duct, i);
        }
    }
}


static gboolean
agent_duct_may_send(const agent_channel_t *c)
{
    const agent_duct_channel_t  *ch = (const agent_duct_channel_t *) c;

    return !ch->ending && ch->duct->code == NULL
           && ch->queued < ch->kind->buffer_max;
}


static void
agent_duct_send(agent_channel_t *c, const void *bytes, gsize len,
    gboolean text)
{
    agent_duct_channel_t  *ch = (agent_duct_channel_t *) c;

    ch->queued += len + 2;
    ch->full = ch->full || ch->queued > ch->kind->buffer_low;
    agent_duct_say(ch->duct, text ? RS_CARRY_TEXT : RS_CARRY_BINARY,
                   ch->number, bytes, len);
}


static gsize
agent_duct_buffered(const agent_channel_t *ch)
{
    return ((const agent_duct_channel_t *) ch)->queued;
}


/* by a message to ourselves, as it were: closed is not called inside */

static void
agent_duct_close(agent_channel_t *c)
{
    agent_duct_channel_t  *ch = (agent_duct_channel_t *) c;

    if (!ch->ending) {
        ch->ending = TRUE;
        agent_duct_say(ch->duct, RS_CARRY_CLOSE, ch->number, NULL, 0);
    }
}


/* ---- what goes */

static void
agent_duct_say(agent_duct_t *duct, rs_carry_type_e type, guint number,
    const void *bytes, gsize len)
{
    gsize               n;
    guint8             *all;
    rs_carry_t          carry;
    agent_duct_text_t  *text;

    /* each channel has its bound, but may be opened again and again */

    if (duct->unsaid > AGENT_DUCT_UNSAID) {
        agent_duct_fail(duct, "closed", "the viewer does not read");
        return;
    }

    memset(&carry, 0, sizeof(carry));
    carry.type = type;
    carry.channel = number;

    all = g_malloc(RS_CARRY_HEAD_MAX + len);
    n = rs_carry_head(&carry, all);

    if (len != 0) {
        memcpy(all + n, bytes, len);
    }

    text = g_new0(agent_duct_text_t, 1);
    text->bytes = g_bytes_new_take(all, n + len);
    text->channel = number;
    duct->unsaid += n + len + sizeof(agent_duct_text_t);
    g_queue_push_tail(&duct->texts, text);
    agent_duct_want(duct);
}


static void
agent_duct_text_free(agent_duct_text_t *text)
{
    g_bytes_unref(text->bytes);
    g_free(text);
}


static void
agent_duct_want(agent_duct_t *duct)
{
    if (duct->pump == 0 && duct->open && !duct->closed) {
        duct->pump = g_idle_add_full(G_PRIORITY_DEFAULT, agent_duct_pump,
                                     duct, NULL);
    }
}


/* as long as there is room; what is left goes when there is more */

static gboolean
agent_duct_pump(gpointer data)
{
    agent_duct_t  *duct = data;

    duct->pump = 0;

    while (duct->code == NULL && agent_duct_next(duct)) {
        /* one record, or the end of a message */
    }

    return G_SOURCE_REMOVE;
}


/* FALSE: there is nothing, or no room */

static gboolean
agent_duct_next(agent_duct_t *duct)
{
    if (duct->text == NULL && duct->frame == NULL) {
        duct->at = 0;
        duct->text = g_queue_pop_head(&duct->texts);

        if (duct->text == NULL) {
            duct->frame = g_queue_pop_head(&duct->frames);
        }
    }

    if (duct->text != NULL) {
        return agent_duct_put_text(duct);
    }

    return duct->frame != NULL && agent_duct_put_frame(duct);
}


static gboolean
agent_duct_put_text(agent_duct_t *duct)
{
    gsize          n, size;
    const guint8  *bytes;

    bytes = g_bytes_get_data(duct->text->bytes, &size);
    n = agent_duct_put(duct, bytes + duct->at, size - duct->at, FALSE);
    duct->at += n;

    if (duct->at == size) {
        agent_duct_text_left(duct);
    }

    return n != 0;
}


static void
agent_duct_text_left(agent_duct_t *duct)
{
    gsize                          size;
    agent_duct_channel_t          *ch = duct->channels[duct->text->channel];
    const guint8                  *bytes;
    g_autoptr(GBytes)              said = NULL;

    said = g_bytes_ref(duct->text->bytes);
    g_clear_pointer(&duct->text, agent_duct_text_free);
    bytes = g_bytes_get_data(said, &size);
    duct->unsaid -= size + sizeof(agent_duct_text_t);

    if (ch == NULL) {
        return;
    }

    if (bytes[0] == RS_CARRY_CLOSE) {

        if (ch->ending) {
            agent_duct_shut(duct, ch->number);
        }

        return;
    }

    ch->queued -= MIN(size, ch->queued);

    if (ch->full && ch->queued <= ch->kind->buffer_low) {
        ch->full = FALSE;

        if (ch->kind->drained != NULL && !ch->ending) {
            ch->kind->drained(ch->data);
        }
    }
}


/* its head is a record of its own, so that the viewer can tell when it left
 * from when it was there */

static gboolean
agent_duct_put_frame(agent_duct_t *duct)
{
    gsize                n;
    guint8               head[RS_CARRY_HEAD_MAX];
    GstMapInfo           map;
    rs_carry_t           carry;
    agent_duct_frame_t  *frame = duct->frame;

    if (frame->left_us == 0) {
        memset(&carry, 0, sizeof(carry));
        carry.type = RS_CARRY_VIDEO;
        carry.key = frame->key;
        carry.number = duct->numbers;
        carry.first_us = (guint64) frame->made_us;

        n = rs_carry_head(&carry, head);

        if (agent_duct_put(duct, head, n, TRUE) == 0) {
            return FALSE;
        }

        frame->number = duct->numbers++;
        frame->left_us = g_get_monotonic_time();
        return TRUE;
    }

    if (!gst_buffer_map(frame->buffer, &map, GST_MAP_READ)) {
        agent_duct_fail(duct, "internal", "a frame cannot be read");
        return FALSE;
    }

    n = agent_duct_put(duct, map.data + duct->at, map.size - duct->at, FALSE);
    gst_buffer_unmap(frame->buffer, &map);
    duct->at += n;

    if (duct->at == frame->bytes) {
        gst_clear_buffer(&frame->buffer);
        g_queue_push_tail(&duct->flight, g_steal_pointer(&duct->frame));
    }

    return n != 0;
}


/* one record of what is left; how much it took, 0: no room.  more: it is not
 * all of its message, though it is all that is there */

static gsize
agent_duct_put(agent_duct_t *duct, const guint8 *bytes, gsize left,
    gboolean more)
{
    gsize    n, len;
    guint8  *dst;

    dst = agent_wire_space(duct->wire,
                           MIN(left, AGENT_DUCT_RECORD) + RS_SEAL_OVERHEAD,
                           &len);
    if (dst == NULL) {
        return 0;
    }

    n = MIN(left, len - RS_SEAL_OVERHEAD);
    len = rs_seal_make(&duct->seal, (rs_str_t) { bytes, n },
                       more || n < left, dst);

    if (len == 0) {
        agent_duct_fail(duct, "closed", "the pipe's keys are used up");
        return 0;
    }

    agent_wire_send(duct->wire, len);
    agent_rate_sent(&duct->rate, g_get_monotonic_time(), len);

    return n;
}


/* ---- the encoder's thread */

static guint64
agent_duct_waiting(void *to)
{
    agent_duct_t  *duct = to;

    return (guint64) MAX(g_atomic_int_get(&duct->waiting), 0);
}


static void
agent_duct_push(void *to, GstCaps *caps, GstBuffer *buffer, gboolean key)
{
    GSource             *source;
    agent_duct_t        *duct = to;
    agent_duct_frame_t  *frame;

    (void) caps;

    frame = g_new0(agent_duct_frame_t, 1);
    frame->duct = g_atomic_rc_box_acquire(duct);
    frame->buffer = gst_buffer_ref(buffer);
    frame->key = key;
    frame->bytes = gst_buffer_get_size(buffer);
    frame->made_us = g_get_monotonic_time();
    g_atomic_int_add(&duct->waiting, (gint) frame->bytes);

    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, agent_duct_land, frame, NULL);
    g_source_attach(source, NULL);
    g_source_unref(source);
}


/* ---- the main loop */

static gboolean
agent_duct_land(gpointer data)
{
    agent_duct_frame_t  *frame = data;
    agent_duct_t        *duct = frame->duct;

    frame->duct = NULL;

    if (frame->key) {
        duct->lost = FALSE;
    }

    if (frame->bytes == 0
        || frame->bytes > AGENT_DUCT_FRAME - RS_CARRY_VIDEO_LEN
        || g_queue_get_length(&duct->flight) >= AGENT_DUCT_FLIGHT)
    {
        duct->lost = TRUE;
    }

    if (duct->sink == NULL || duct->code != NULL) {
        agent_duct_frame_drop(duct, frame);

    } else if (duct->lost) {
        agent_duct_frame_drop(duct, frame);
        agent_video_want_key(duct->sink);

    } else {
        g_queue_push_tail(&duct->frames, frame);
        agent_duct_want(duct);
    }

    agent_duct_unref(duct);

    return G_SOURCE_REMOVE;
}


static void
agent_duct_frame_free(agent_duct_frame_t *frame)
{
    gst_clear_buffer(&frame->buffer);
    g_free(frame);
}


static void
agent_duct_frame_drop(agent_duct_t *duct, agent_duct_frame_t *frame)
{
    g_atomic_int_add(&duct->waiting, -(gint) frame->bytes);
    agent_duct_frame_free(frame);
}


static gboolean
agent_duct_tick(gpointer data)
{
    agent_duct_t  *duct = data;

    if (duct->sink != NULL) {
        agent_video_rate(duct->sink,
                         agent_rate_tick(&duct->rate, g_get_monotonic_time()));
    }

    return G_SOURCE_CONTINUE;
}


void
agent_duct_decoded(agent_duct_t *duct, const agent_rate_decoder_t *decoder)
{
    if (duct->sink != NULL) {
        agent_video_frames(duct->sink,
                           agent_rate_decoded(&duct->rate, decoder));
    }
}


gboolean
agent_duct_look(agent_duct_t *duct, const agent_view_t *view)
{
    if (duct->sink != NULL && !agent_video_look(duct->sink, view)) {
        return FALSE;
    }

    duct->view = *view;

    return TRUE;
}


static void
agent_duct_video_failed(void *data, const char *message)
{
    agent_duct_t  *duct = data;

    (void) message;

    g_clear_pointer(&duct->sink, agent_video_detach);
    agent_duct_fail(duct, "capture", "the screen cannot be captured");
}
