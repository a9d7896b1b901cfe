
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One connection to the host: offers, takes the answer, and gives what comes
 * as the frames that the host encoded.
 */

#ifndef _RECORD_MEDIA_H_INCLUDED_
#define _RECORD_MEDIA_H_INCLUDED_


#include "agent_ice.h"
#include "agent_turn_shim.h"


typedef struct record_media_s  record_media_t;


typedef struct {
    void  (*offer)(void *data, const char *sdp);
    void  (*candidate)(void *data, const char *candidate, guint mline,
                       const char *mid);

    /* it stands, with the certificate that the answer named; sound: some may
     * come */
    void  (*connected)(void *data, gboolean sound);

    /* one frame of VP8, one packet of Opus; t_us: monotonic */
    void  (*video)(void *data, gint64 t_us, const guint8 *bytes, gsize len);
    void  (*sound)(void *data, gint64 t_us, const guint8 *bytes, gsize len);

    void  (*path)(void *data, const agent_path_t *path);

    /* The last event.  It may be freed here. */
    void  (*failed)(void *data, const char *code, const char *message);
} record_media_events_t;


typedef struct {
    const agent_ice_t  *ice;
    gboolean            relay_only;
    agent_shim_t       *shim;           /* outlives the connection */
    gboolean            sound;          /* is asked for */
} record_media_params_t;


/* NULL: GStreamer cannot.  Events run on the main loop, not inside. */
record_media_t *record_media_new(const record_media_params_t *params,
    const record_media_events_t *events, void *data);

/* FALSE: it is no answer to the offer. */
gboolean record_media_answer(record_media_t *media, const char *sdp);
void record_media_candidate(record_media_t *media, const char *candidate,
    guint mline);

/* Asks the host for a key frame. */
void record_media_key(record_media_t *media);

/* When something came last, monotonic; 0: never. */
gint64 record_media_heard(const record_media_t *media);
gboolean record_media_connected(const record_media_t *media);

/* No event runs any more. */
void record_media_free(record_media_t *media);


#endif /* _RECORD_MEDIA_H_INCLUDED_ */
