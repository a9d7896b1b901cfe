
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Which captured frames are encoded.  Pure: the time and whether a frame is
 * another picture are told.
 */

#ifndef _AGENT_PACE_H_INCLUDED_
#define _AGENT_PACE_H_INCLUDED_


#include <glib.h>


#define AGENT_PACE_STILL_MS  500        /* between frames of a still picture */


typedef struct {
    guint     bps;                      /* what may be spent, a second */
    guint     fps;                      /* frames a second at most; or 0 */
    guint     enough;                   /* bytes: a frame that adds nothing */
    double    owed;                     /* bits that are not carried yet */
    gint64    now_us;                   /* as of then */
    gint64    passed_us;                /* the last frame; or 0 */
    gboolean  still;                    /* it was the picture before, again */
    gboolean  sharp;                    /* more of them would add nothing */
    guint     again;                    /* how many there were */
    guint     small;                    /* of them in a row */
} agent_pace_t;


/* pixels of a frame */
void agent_pace_init(agent_pace_t *pace, guint pixels, guint bps);
void agent_pace_rate(agent_pace_t *pace, guint bps);

/* 0: as many as there are */
void agent_pace_frames(agent_pace_t *pace, guint fps);

/*
 * Whether this frame is encoded.  changed: it is not the picture of the last
 * one that was; wanted: somebody waits for a key frame.
 */
gboolean agent_pace_due(agent_pace_t *pace, gint64 now_us, gboolean changed,
    gboolean wanted);

/* A frame came out of the encoder. */
void agent_pace_spent(agent_pace_t *pace, gint64 now_us, gsize bytes,
    gboolean key);


#endif /* _AGENT_PACE_H_INCLUDED_ */
