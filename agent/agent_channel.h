
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Channels of a viewer, by label: data channels of a peer connection, or what
 * agent_duct.c makes of a pipe.
 *
 * A kind is what one file makes of one label: rs-input is agent_viewer.c's.
 * To add one, define an agent_channel_kind_t in a file of its own and put it
 * into the table agent_viewer_kinds of agent_viewer.c.
 *
 *     static void *
 *     agent_chat_open(agent_channel_t *ch, agent_viewer_t *viewer)
 *     {
 *         agent_chat_t  *chat;
 *
 *         if (!... the policy of agent_viewer_about(viewer) ...) {
 *             return NULL;             the viewer sees no answer: absent
 *         }
 *         ...
 *         agent_channel_send_text(ch, "{\"type\":\"hello\"}");
 *
 *         return chat;
 *     }
 *
 * - Everything of a kind runs on the main loop: open, then text, binary and
 *   drained, in the order in which things came, then closed once, and nothing
 *   behind it.  open is called only after the certificate of the connection
 *   was compared with the one that the offer names.
 * - A viewer has at most one open channel of a kind.  closed comes when the
 *   viewer closed it, its connection broke or went, or a new connection of
 *   the viewer takes its place: before the new one's open.  Whatever has to
 *   go on then is the viewer's to take up again on the new one.
 * - The channel is the kind's until closed returns; it may be sent to inside
 *   of every callback.  A callback must not free the viewer.
 * - The viewer outlives its channels.
 */

#ifndef _AGENT_CHANNEL_H_INCLUDED_
#define _AGENT_CHANNEL_H_INCLUDED_


#include <glib.h>
#include <jansson.h>


/* what every agent and browser takes as one message; chunks of bulk are
 * better of AGENT_CHANNEL_CHUNK */

#define AGENT_CHANNEL_MESSAGE  65536
#define AGENT_CHANNEL_CHUNK    16384


typedef struct agent_channel_s   agent_channel_t;
typedef struct agent_channels_s  agent_channels_t;
typedef struct agent_viewer_s    agent_viewer_t;


typedef struct {
    const char  *label;

    /*
     * Bounds of what comes.  A longer or an empty message, or more messages
     * or bytes than these between webrtcbin's thread and the main loop, is
     * the end of the channel; with vital, of the connection ("bad_input"),
     * for what was lost cannot be done without.  Nothing can slow a sender
     * down but messages of its kind: bulk needs credits.
     */
    gsize        message_max;   /* bytes, AGENT_CHANNEL_MESSAGE at most */
    guint        messages_max;
    gsize        bytes_max;
    gboolean     vital;

    /*
     * Bounds of what goes.  Above buffer_max bytes unsent agent_channel_send
     * answers FALSE and sends nothing; drained is called when buffer_low or
     * less are left after there was more.
     */
    gsize        buffer_max;
    gsize        buffer_low;

    /* what it is from now on, the data of the others; NULL: not for him */
    void  *(*open)(agent_channel_t *ch, agent_viewer_t *viewer);

    /* each may be NULL: such a message is left aside; text ends with a zero,
     * is UTF-8 and has none inside */
    void   (*text)(void *data, const char *text, gsize len);
    void   (*binary)(void *data, const guint8 *bytes, gsize len);

    void   (*drained)(void *data);              /* may be NULL */
    void   (*closed)(void *data);

    /*
     * What it adds to "features" of rs-input's hello; may be NULL.  Asked
     * whenever hello is said; agent_viewer_resized() says it again.
     */
    void   (*features)(agent_viewer_t *viewer, json_t *features);
} agent_channel_kind_t;


/* For kinds.  FALSE: it is not open any more, or too much is unsent. */
gboolean agent_channel_send_text(agent_channel_t *ch, const char *text);
gboolean agent_channel_send_binary(agent_channel_t *ch, const void *bytes,
    gsize len);

/* Bytes that were given to send and have not left. */
gsize agent_channel_buffered(const agent_channel_t *ch);

/* The kind wants no more of it: closed follows, not inside of this call. */
void agent_channel_close(agent_channel_t *ch);


/*
 * For carriers: how each channel of one begins.  may_send: it is open, and
 * less than its kind's buffer_max is unsent.
 */

typedef struct {
    gboolean  (*may_send)(const agent_channel_t *ch);
    void      (*send)(agent_channel_t *ch, const void *bytes, gsize len,
                      gboolean text);
    gsize     (*buffered)(const agent_channel_t *ch);
    void      (*close)(agent_channel_t *ch);
} agent_channel_ops_t;

typedef struct {
    const agent_channel_ops_t  *ops;
} agent_channel_base_t;


/* For agent_webrtc.c. */

typedef struct {
    /* the other side's certificate is the right one; FALSE: it is not, which
     * was told, and the channels may be gone */
    gboolean  (*known)(void *data);

    /* a vital channel broke its bounds: the last event */
    void      (*failed)(void *data, const char *message);
} agent_channels_events_t;

/* webrtc: a webrtcbin that is not running yet; kinds ends with NULL. */
agent_channels_t *agent_channels_new(void *webrtc,
    const agent_channel_kind_t *const *kinds, agent_viewer_t *viewer,
    const agent_channels_events_t *events, void *data);

/* closed of each that is open; none opens any more. */
void agent_channels_close(agent_channels_t *channels);

/* Closes them first. */
void agent_channels_free(agent_channels_t *channels);


#endif /* _AGENT_CHANNEL_H_INCLUDED_ */
