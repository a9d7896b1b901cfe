
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the data channels of one webrtcbin.
 *
 * webrtcbin shows a channel twice: in prepare-data-channel, when its signals
 * can be connected before any message but its label is not known yet, and in
 * on-data-channel, when it is.  Both, and what comes over it, are on threads
 * of webrtcbin; each makes a hop to the main loop, with a counted reference
 * and a copy of what came.  A hop that arrives after its channel was closed
 * does nothing.
 */

#define G_LOG_DOMAIN  "rs-channel"

#include "agent_channel.h"

#include <gst/webrtc/webrtc.h>
#include <string.h>


#define AGENT_CHANNEL_KEY    "rs-channel"
#define AGENT_CHANNEL_LABEL  128        /* bytes, shown in the log */


struct agent_channels_s {
    const agent_channel_kind_t *const  *kinds;
    agent_viewer_t                     *viewer;
    const agent_channels_events_t      *events;
    void                               *data;
    GPtrArray                          *open;
    gboolean                            closed;
};


typedef struct {
    agent_channel_base_t         base;
    agent_channels_t            *channels;
    GstWebRTCDataChannel        *channel;       /* while it is open */
    void                        *data;          /* of its kind */
    gboolean                     ending;        /* close was asked for */

    /* set by webrtcbin's thread before its first hop */
    const agent_channel_kind_t  *kind;

    gint                         messages;      /* on their way; atomic */
    gint                         bytes;         /* as messages */
    gboolean                     broken;        /* bounds; that thread's */
} agent_dc_t;


typedef void (*agent_channel_hop_pt)(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);

typedef struct {
    agent_dc_t             *ch;
    agent_channel_hop_pt    handler;
    GBytes                 *bytes;
    GstWebRTCDataChannel   *channel;
} agent_channel_hop_t;


static void agent_channels_connect(agent_channels_t *channels, void *webrtc,
    const char *signal, GCallback handler);
static void agent_channels_unref(gpointer data);
static void agent_channels_clear(gpointer data);
static void agent_channel_unref(gpointer data);
static void agent_channel_clear(gpointer data);

static void agent_channel_hop(agent_dc_t *ch,
    agent_channel_hop_pt handler, GBytes *bytes,
    GstWebRTCDataChannel *channel);
static gboolean agent_channel_land(gpointer data);
static void agent_channel_hop_free(gpointer data);

static void agent_channel_on_prepare(GstElement *webrtc,
    GstWebRTCDataChannel *channel, gboolean is_local, gpointer data);
static void agent_channel_on_open(GstElement *webrtc,
    GstWebRTCDataChannel *channel, gpointer data);
static void agent_channel_on_string(GstWebRTCDataChannel *channel,
    const char *text, gpointer data);
static void agent_channel_on_data(GstWebRTCDataChannel *channel,
    GBytes *bytes, gpointer data);
static void agent_channel_on_low(GstWebRTCDataChannel *channel,
    gpointer data);
static void agent_channel_on_close(GstWebRTCDataChannel *channel,
    gpointer data);
static gboolean agent_channel_takes(agent_dc_t *ch,
    GstWebRTCDataChannel *channel, gsize len, gsize size);

static void agent_channel_opened(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);
static void agent_channel_text(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);
static void agent_channel_binary(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);
static void agent_channel_drained(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);
static void agent_channel_closed(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);
static void agent_channel_broken(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel);

static gboolean agent_dc_may_send(const agent_channel_t *ch);
static void agent_dc_send(agent_channel_t *ch, const void *bytes, gsize len,
    gboolean text);
static gsize agent_dc_buffered(const agent_channel_t *ch);
static void agent_dc_close(agent_channel_t *ch);
static void agent_channel_end(agent_dc_t *ch);


static const agent_channel_ops_t  agent_dc_ops = {
    agent_dc_may_send,
    agent_dc_send,
    agent_dc_buffered,
    agent_dc_close
};


agent_channels_t *
agent_channels_new(void *webrtc, const agent_channel_kind_t *const *kinds,
    agent_viewer_t *viewer, const agent_channels_events_t *events, void *data)
{
    agent_channels_t  *channels;

    channels = g_atomic_rc_box_new0(agent_channels_t);
    channels->kinds = kinds;
    channels->viewer = viewer;
    channels->events = events;
    channels->data = data;
    channels->open = g_ptr_array_new_with_free_func(agent_channel_unref);

    agent_channels_connect(channels, webrtc, "prepare-data-channel",
                           G_CALLBACK(agent_channel_on_prepare));
    agent_channels_connect(channels, webrtc, "on-data-channel",
                           G_CALLBACK(agent_channel_on_open));

    return channels;
}


static void
agent_channels_connect(agent_channels_t *channels, void *webrtc,
    const char *signal, GCallback handler)
{
    g_signal_connect_data(webrtc, signal, handler,
                          g_atomic_rc_box_acquire(channels),
                          (GClosureNotify) (GCallback) agent_channels_unref,
                          0);
}


void
agent_channels_close(agent_channels_t *channels)
{
    guint                 i;
    g_autoptr(GPtrArray)  open = NULL;

    channels->closed = TRUE;
    open = g_steal_pointer(&channels->open);

    for (i = 0; open != NULL && i < open->len; i++) {
        agent_channel_end(g_ptr_array_index(open, i));
    }
}


void
agent_channels_free(agent_channels_t *channels)
{
    agent_channels_close(channels);
    agent_channels_unref(channels);
}


static void
agent_channels_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, agent_channels_clear);
}


/* the last reference may go on any thread, and nothing is left by then */

static void
agent_channels_clear(gpointer data)
{
    agent_channels_t  *channels = data;

    g_clear_pointer(&channels->open, g_ptr_array_unref);
}


static void
agent_channel_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, agent_channel_clear);
}


static void
agent_channel_clear(gpointer data)
{
    agent_dc_t  *ch = data;

    agent_channels_unref(ch->channels);
}


/* takes bytes over */

static void
agent_channel_hop(agent_dc_t *ch, agent_channel_hop_pt handler,
    GBytes *bytes, GstWebRTCDataChannel *channel)
{
    GSource              *source;
    agent_channel_hop_t  *hop;

    hop = g_new0(agent_channel_hop_t, 1);
    hop->ch = g_atomic_rc_box_acquire(ch);
    hop->handler = handler;
    hop->bytes = bytes;
    hop->channel = g_object_ref(channel);

    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, agent_channel_land, hop,
                          agent_channel_hop_free);
    g_source_attach(source, NULL);
    g_source_unref(source);
}


static gboolean
agent_channel_land(gpointer data)
{
    agent_channel_hop_t  *hop = data;
    agent_dc_t           *ch = hop->ch;

    if (hop->bytes != NULL) {
        g_atomic_int_add(&ch->messages, -1);
        g_atomic_int_add(&ch->bytes, -(gint) g_bytes_get_size(hop->bytes));
    }

    if (!ch->channels->closed) {
        hop->handler(ch, hop->bytes, hop->channel);
    }

    return G_SOURCE_REMOVE;
}


static void
agent_channel_hop_free(gpointer data)
{
    agent_channel_hop_t  *hop = data;

    g_clear_pointer(&hop->bytes, g_bytes_unref);
    g_object_unref(hop->channel);
    agent_channel_unref(hop->ch);
    g_free(hop);
}


/* webrtcbin's threads from here to the next such line */

static void
agent_channel_on_prepare(GstElement *webrtc, GstWebRTCDataChannel *channel,
    gboolean is_local, gpointer data)
{
    gsize             i;
    agent_dc_t       *ch;

    static const struct {
        const char  *signal;
        GCallback    handler;
    } signals[] = {
        { "on-message-string", G_CALLBACK(agent_channel_on_string) },
        { "on-message-data", G_CALLBACK(agent_channel_on_data) },
        { "on-buffered-amount-low", G_CALLBACK(agent_channel_on_low) },
        { "on-close", G_CALLBACK(agent_channel_on_close) }
    };

    (void) webrtc;

    if (is_local) {
        return;
    }

    ch = g_atomic_rc_box_new0(agent_dc_t);
    ch->base.ops = &agent_dc_ops;
    ch->channels = g_atomic_rc_box_acquire(data);
    g_object_set_data_full(G_OBJECT(channel), AGENT_CHANNEL_KEY, ch,
                           agent_channel_unref);

    for (i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_signal_connect_data(channel, signals[i].signal, signals[i].handler,
                              g_atomic_rc_box_acquire(ch),
                              (GClosureNotify) (GCallback)
                              agent_channel_unref, 0);
    }
}


static void
agent_channel_on_open(GstElement *webrtc, GstWebRTCDataChannel *channel,
    gpointer data)
{
    guint              i;
    agent_dc_t        *ch;
    agent_channels_t  *channels = data;
    g_autofree char   *label = NULL;

    (void) webrtc;

    ch = g_object_get_data(G_OBJECT(channel), AGENT_CHANNEL_KEY);

    if (ch == NULL || ch->kind != NULL) {
        return;
    }

    g_object_get(channel, "label", &label, NULL);

    for (i = 0; channels->kinds[i] != NULL; i++) {

        if (g_strcmp0(label, channels->kinds[i]->label) == 0) {
            ch->kind = channels->kinds[i];
            g_object_set(channel, "buffered-amount-low-threshold",
                         (guint64) ch->kind->buffer_low, NULL);
            agent_channel_hop(ch, agent_channel_opened, NULL, channel);
            return;
        }
    }

    g_info("data channel \"%.*s\" is not used", AGENT_CHANNEL_LABEL,
           label ? label : "");
}


static void
agent_channel_on_string(GstWebRTCDataChannel *channel, const char *text,
    gpointer data)
{
    gsize             len;
    agent_dc_t       *ch = data;

    len = (text != NULL) ? strlen(text) : 0;

    if (agent_channel_takes(ch, channel, len, len + 1)) {
        agent_channel_hop(ch, agent_channel_text, g_bytes_new(text, len + 1),
                          channel);
    }
}


static void
agent_channel_on_data(GstWebRTCDataChannel *channel, GBytes *bytes,
    gpointer data)
{
    gsize             len;
    agent_dc_t       *ch = data;

    len = (bytes != NULL) ? g_bytes_get_size(bytes) : 0;

    if (agent_channel_takes(ch, channel, len, len)) {
        agent_channel_hop(ch, agent_channel_binary, g_bytes_ref(bytes),
                          channel);
    }
}


/* counts size in; nothing goes on after a message that breaks the bounds */

static gboolean
agent_channel_takes(agent_dc_t *ch, GstWebRTCDataChannel *channel,
    gsize len, gsize size)
{
    if (ch->kind == NULL || ch->broken) {
        return FALSE;
    }

    if (len == 0 || len > ch->kind->message_max
        || (guint) g_atomic_int_add(&ch->messages, 1)
           >= ch->kind->messages_max
        || (gsize) g_atomic_int_add(&ch->bytes, (gint) size) + size
           > ch->kind->bytes_max)
    {
        ch->broken = TRUE;
        agent_channel_hop(ch, agent_channel_broken, NULL, channel);
        return FALSE;
    }

    return TRUE;
}


static void
agent_channel_on_low(GstWebRTCDataChannel *channel, gpointer data)
{
    agent_dc_t  *ch = data;

    if (ch->kind != NULL && ch->kind->drained != NULL) {
        agent_channel_hop(ch, agent_channel_drained, NULL, channel);
    }
}


static void
agent_channel_on_close(GstWebRTCDataChannel *channel, gpointer data)
{
    agent_channel_hop(data, agent_channel_closed, NULL, channel);
}


/* the main loop from here on */

static void
agent_channel_opened(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel)
{
    guint              i;
    agent_dc_t        *other;
    agent_channels_t  *channels = ch->channels;

    (void) bytes;

    for (i = 0; i < channels->open->len; i++) {
        other = g_ptr_array_index(channels->open, i);

        if (other->kind == ch->kind) {
            g_info("a second data channel \"%s\" is not used",
                   ch->kind->label);
            return;
        }
    }

    if (!channels->events->known(channels->data)) {
        return;
    }

    ch->channel = g_object_ref(channel);
    ch->data = ch->kind->open((agent_channel_t *) ch, channels->viewer);

    if (ch->data == NULL) {
        g_clear_object(&ch->channel);
        return;
    }

    g_ptr_array_add(channels->open, g_atomic_rc_box_acquire(ch));
}


static void
agent_channel_text(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel)
{
    gsize        size;
    const char  *text;

    (void) channel;

    text = g_bytes_get_data(bytes, &size);

    if (ch->channel != NULL && ch->kind->text != NULL) {
        ch->kind->text(ch->data, text, size - 1);
    }
}


static void
agent_channel_binary(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel)
{
    gsize          size;
    const guint8  *data;

    (void) channel;

    data = g_bytes_get_data(bytes, &size);

    if (ch->channel != NULL && ch->kind->binary != NULL) {
        ch->kind->binary(ch->data, data, size);
    }
}


static void
agent_channel_drained(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel)
{
    (void) bytes;
    (void) channel;

    if (ch->channel != NULL) {
        ch->kind->drained(ch->data);
    }
}


static void
agent_channel_closed(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel)
{
    (void) bytes;
    (void) channel;

    if (ch->channel != NULL) {
        agent_channel_end(ch);
        g_ptr_array_remove(ch->channels->open, ch);
    }
}


static void
agent_channel_broken(agent_dc_t *ch, GBytes *bytes,
    GstWebRTCDataChannel *channel)
{
    agent_channels_t  *channels = ch->channels;

    (void) bytes;

    if (!channels->events->known(channels->data)) {
        return;
    }

    if (ch->kind->vital) {
        channels->events->failed(channels->data, "input messages are empty, "
                                 "too long or too many");
        return;
    }

    g_message("data channel \"%s\": a message is empty or too long, or they "
              "are too many at once: closed", ch->kind->label);
    gst_webrtc_data_channel_close(channel);
    agent_channel_closed(ch, NULL, channel);
}


static void
agent_dc_close(agent_channel_t *c)
{
    agent_dc_t  *ch = (agent_dc_t *) c;

    if (ch->channel != NULL && !ch->ending) {
        ch->ending = TRUE;
        gst_webrtc_data_channel_close(ch->channel);
        agent_channel_hop(ch, agent_channel_closed, NULL, ch->channel);
    }
}


static void
agent_channel_end(agent_dc_t *ch)
{
    g_clear_object(&ch->channel);
    ch->kind->closed(g_steal_pointer(&ch->data));
}


static gboolean
agent_dc_may_send(const agent_channel_t *c)
{
    guint64                     queued;
    const agent_dc_t           *ch = (const agent_dc_t *) c;
    GstWebRTCDataChannelState   state;

    if (ch->channel == NULL || ch->ending) {
        return FALSE;
    }

    g_object_get(ch->channel, "buffered-amount", &queued, "ready-state",
                 &state, NULL);

    return state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN
           && queued < ch->kind->buffer_max;
}


/* a text ends with a zero */

static void
agent_dc_send(agent_channel_t *c, const void *bytes, gsize len, gboolean text)
{
    agent_dc_t              *ch = (agent_dc_t *) c;
    g_autoptr(GBytes)   data = NULL;

    if (text) {
        gst_webrtc_data_channel_send_string(ch->channel, bytes);
        return;
    }

    data = g_bytes_new(bytes, len);
    gst_webrtc_data_channel_send_data(ch->channel, data);
}


static gsize
agent_dc_buffered(const agent_channel_t *c)
{
    guint64             queued;
    const agent_dc_t   *ch = (const agent_dc_t *) c;

    if (ch->channel == NULL) {
        return 0;
    }

    g_object_get(ch->channel, "buffered-amount", &queued, NULL);

    return (gsize) queued;
}


/* of every carrier */

gboolean
agent_channel_send_text(agent_channel_t *ch, const char *text)
{
    const agent_channel_ops_t  *ops = ((agent_channel_base_t *) ch)->ops;

    if (!ops->may_send(ch)) {
        return FALSE;
    }

    ops->send(ch, text, strlen(text), TRUE);

    return TRUE;
}


gboolean
agent_channel_send_binary(agent_channel_t *ch, const void *bytes, gsize len)
{
    const agent_channel_ops_t  *ops = ((agent_channel_base_t *) ch)->ops;

    if (!ops->may_send(ch)) {
        return FALSE;
    }

    ops->send(ch, bytes, len, FALSE);

    return TRUE;
}


gsize
agent_channel_buffered(const agent_channel_t *ch)
{
    return ((const agent_channel_base_t *) ch)->ops->buffered(ch);
}


void
agent_channel_close(agent_channel_t *ch)
{
    ((agent_channel_base_t *) ch)->ops->close(ch);
}
