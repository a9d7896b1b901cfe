
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the queue of what was said.  Ids only grow, so the queue is in their
 * order, and what is sent again goes out in that order too: the gateway
 * drops an id that is not above the last one it took.
 */

#define G_LOG_DOMAIN  "rs-session"

#include "agent_outbox.h"

#include <string.h>


typedef struct {
    gint64    id;
    char     *text;
    gint64    said_us;
    gboolean  sent;         /* on the socket that stands */
    gboolean  acked;
} agent_said_t;


struct agent_outbox_s {
    agent_outbox_send_pt   send;
    void                  *data;
    gint64                 last_id;
    GQueue                 queue;       /* agent_said_t */
    gsize                  size;
    double                 allowance;   /* messages */
    gint64                 allowed_us;
};


static void agent_outbox_prune(agent_outbox_t *box, gint64 now_us);
static void agent_said_free(void *data);


agent_outbox_t *
agent_outbox_new(agent_outbox_send_pt send, void *data)
{
    agent_outbox_t  *box;

    box = g_new0(agent_outbox_t, 1);
    box->send = send;
    box->data = data;
    box->allowance = AGENT_OUTBOX_BURST;
    g_queue_init(&box->queue);

    return box;
}


void
agent_outbox_free(agent_outbox_t *box)
{
    g_queue_clear_full(&box->queue, agent_said_free);
    g_free(box);
}


static void
agent_said_free(void *data)
{
    agent_said_t  *said = data;

    g_free(said->text);
    g_free(said);
}


gint64
agent_outbox_next(agent_outbox_t *box)
{
    return ++box->last_id;
}


void
agent_outbox_put(agent_outbox_t *box, gint64 id, char *text, gint64 now_us)
{
    agent_said_t  *said;

    agent_outbox_prune(box, now_us);

    said = g_new0(agent_said_t, 1);
    said->id = id;
    said->text = text;
    said->said_us = now_us;

    g_queue_push_tail(&box->queue, said);
    box->size += strlen(text);
}


/* leaves room for one more */

static void
agent_outbox_prune(agent_outbox_t *box, gint64 now_us)
{
    gboolean       full;
    agent_said_t  *said;

    while ((said = g_queue_peek_head(&box->queue)) != NULL) {

        full = box->queue.length >= AGENT_OUTBOX_MAX
               || box->size >= AGENT_OUTBOX_SIZE;

        if (!full && !(said->acked
                       && now_us - said->said_us > AGENT_OUTBOX_KEEP_US))
        {
            return;
        }

        if (!said->acked) {
            g_warning("more than %u messages wait for the gateway: number %"
                      G_GINT64_FORMAT " is given up", box->queue.length,
                      said->id);
        }

        box->size -= strlen(said->text);
        agent_said_free(g_queue_pop_head(&box->queue));
    }
}


void
agent_outbox_ack(agent_outbox_t *box, gint64 id, gint64 now_us)
{
    GList         *link;
    agent_said_t  *said;

    for (link = box->queue.head; link != NULL; link = link->next) {
        said = link->data;

        if (said->id == id) {
            said->acked = TRUE;
            break;
        }
    }

    agent_outbox_prune(box, now_us);
}


void
agent_outbox_restart(agent_outbox_t *box, gint64 now_us)
{
    GList  *link;

    for (link = box->queue.head; link != NULL; link = link->next) {
        ((agent_said_t *) link->data)->sent = FALSE;
    }

    /* the gateway counts by socket */

    box->allowance = AGENT_OUTBOX_BURST;
    box->allowed_us = now_us;
}


void
agent_outbox_resync(agent_outbox_t *box, gint64 now_us)
{
    GList         *link;
    agent_said_t  *said;

    for (link = box->queue.head; link != NULL; link = link->next) {
        said = link->data;

        if (!said->acked || now_us - said->said_us <= AGENT_OUTBOX_KEEP_US) {
            said->acked = FALSE;
            said->sent = FALSE;
        }
    }
}


guint
agent_outbox_flush(agent_outbox_t *box, gint64 now_us)
{
    GList         *link;
    agent_said_t  *said;

    box->allowance += (double) (now_us - box->allowed_us)
                      * AGENT_OUTBOX_RATE / G_USEC_PER_SEC;
    box->allowance = MIN(box->allowance, AGENT_OUTBOX_BURST);
    box->allowed_us = now_us;

    for (link = box->queue.head; link != NULL; link = link->next) {
        said = link->data;

        if (said->sent || said->acked) {
            continue;
        }

        if (box->allowance < 1) {
            return (guint) ((1 - box->allowance) * 1000 / AGENT_OUTBOX_RATE)
                   + 1;
        }

        box->allowance--;
        said->sent = TRUE;
        box->send(box->data, said->text);
    }

    return 0;
}
