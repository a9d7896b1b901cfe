
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Data channels without webrtcbin: what kinds call, played by the test.  One
 * that is open keeps what was sent, and takes what the viewer would say.
 */

#ifndef _FAKE_CHANNEL_H_INCLUDED_
#define _FAKE_CHANNEL_H_INCLUDED_


#include "agent_channel.h"

#include <string.h>


struct agent_channel_s {
    const agent_channel_kind_t  *kind;
    void                        *data;
    gboolean                     open;
    gboolean                     ending;    /* the kind closed it */
    gsize                        buffered;  /* set by the test */
    GPtrArray                   *texts;     /* sent: char * */
    GPtrArray                   *binaries;  /* sent: GBytes * */
};


gboolean
agent_channel_send_text(agent_channel_t *ch, const char *text)
{
    if (!ch->open || ch->ending || ch->buffered >= ch->kind->buffer_max) {
        return FALSE;
    }

    g_ptr_array_add(ch->texts, g_strdup(text));

    return TRUE;
}


gboolean
agent_channel_send_binary(agent_channel_t *ch, const void *bytes, gsize len)
{
    if (!ch->open || ch->ending || ch->buffered >= ch->kind->buffer_max) {
        return FALSE;
    }

    g_ptr_array_add(ch->binaries, g_bytes_new(bytes, len));

    return TRUE;
}


gsize
agent_channel_buffered(const agent_channel_t *ch)
{
    return ch->buffered;
}


void
agent_channel_close(agent_channel_t *ch)
{
    ch->ending = TRUE;
}


/* NULL when the label is not known; look at ->open for the kind's answer */

static inline agent_channel_t *
fake_channel_open(const agent_channel_kind_t *const *kinds, const char *label,
    agent_viewer_t *viewer)
{
    agent_channel_t  *ch;

    while (*kinds != NULL && strcmp((*kinds)->label, label) != 0) {
        kinds++;
    }

    if (*kinds == NULL) {
        return NULL;
    }

    ch = g_new0(agent_channel_t, 1);
    ch->kind = *kinds;
    ch->open = TRUE;
    ch->texts = g_ptr_array_new_with_free_func(g_free);
    ch->binaries = g_ptr_array_new_with_free_func((GDestroyNotify)
                                                  g_bytes_unref);
    ch->data = ch->kind->open(ch, viewer);
    ch->open = (ch->data != NULL);

    return ch;
}


static inline void
fake_channel_say(agent_channel_t *ch, const char *text)
{
    ch->kind->text(ch->data, text, strlen(text));
}


/* the last text that was sent, or "" */

static inline const char *
fake_channel_heard(const agent_channel_t *ch)
{
    return (ch->texts->len != 0)
           ? g_ptr_array_index(ch->texts, ch->texts->len - 1) : "";
}


static inline void
fake_channel_close(agent_channel_t *ch)
{
    if (ch->open) {
        ch->open = FALSE;
        ch->kind->closed(ch->data);
    }
}


static inline void
fake_channel_free(agent_channel_t *ch)
{
    fake_channel_close(ch);
    g_ptr_array_unref(ch->texts);
    g_ptr_array_unref(ch->binaries);
    g_free(ch);
}


#endif /* _FAKE_CHANNEL_H_INCLUDED_ */
