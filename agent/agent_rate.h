
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * How many bits a second one viewer's network carries.  No clock, no I/O:
 * what was sent, what the receiver says of it, and the time are told.
 */

#ifndef _AGENT_RATE_H_INCLUDED_
#define _AGENT_RATE_H_INCLUDED_


#include <glib.h>


#define AGENT_RATE_TICK_MS  200         /* how often agent_rate_tick() runs */


typedef struct {
    guint     min;                      /* bits/s */
    guint     max;
    guint     bps;                      /* what may be sent */
    guint     ceiling;                  /* carried when it was too much; or 0 */

    gint64    tick_us;
    gint64    cut_us;                   /* the last time it was less; or 0 */
    gint64    unheard_us;               /* sent then, nothing heard since;
                                           or 0 */
    guint64   sent;                     /* bytes since the tick */

    guint64   arrived;                  /* bytes that reports named since */
    guint     packets;
    guint     lost;
    gint64    least_us;                 /* the least delay of them */
    gint64    first_us;                 /* arrival of the last one before */
    gint64    last_us;                  /* the newest arrival; or 0 */

    double    loss;                     /* smoothed, 0 to 1 */
    gint64    base_us[2];               /* least delay of a window; this one,
                                           the one before */
    gint64    window_us;                /* since when this one */
    guint     full;                     /* ticks with a standing queue */
    gint      queue_ms;                 /* of the last tick with packets */
    guint     fps;                      /* what is decoded in time; or 0 */
} agent_rate_t;


/* Begins with a cautious rate between min and max, both in bits/s. */
void agent_rate_init(agent_rate_t *rate, guint min, guint max,
    gint64 now_us);

/* Bytes that went to the network just now. */
void agent_rate_sent(agent_rate_t *rate, gint64 now_us, gsize bytes);

/*
 * One packet that the receiver reported: when it left by this clock, when it
 * came by the receiver's, whose zero may be anywhere.
 */
void agent_rate_packet(agent_rate_t *rate, gint64 local_us, gint64 remote_us,
    gsize bytes);
void agent_rate_lost(agent_rate_t *rate);

/* A receiver that reports no packets: its share lost, and the round trip. */
void agent_rate_receiver(agent_rate_t *rate, gint64 now_us, double loss,
    gint rtt_ms);

/* Decides anew, every AGENT_RATE_TICK_MS.  The bits/s from now on. */
guint agent_rate_tick(agent_rate_t *rate, gint64 now_us);

/*
 * What a viewer says of his decoder: in so many ms so many frames came out of
 * it, taking decode_ms together, and so many were dropped.
 */
typedef struct {
    guint  span_ms;
    guint  frames;
    guint  dropped;
    guint  decode_ms;
} agent_rate_decoder_t;

/* Frames a second from now on, 0: as many as there are. */
guint agent_rate_decoded(agent_rate_t *rate,
    const agent_rate_decoder_t *decoder);

/* Bits/s at which packets of one frame may leave. */
guint agent_rate_pace(const agent_rate_t *rate, gint64 now_us);

/*
 * Whether a viewer that takes bps is too slow for an encoder which others
 * share, the fastest of them with fastest; slow: it was so until now.
 */
gboolean agent_rate_slow(guint bps, guint fastest, gboolean slow);


#endif /* _AGENT_RATE_H_INCLUDED_ */
