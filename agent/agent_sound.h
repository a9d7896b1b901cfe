
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the desktop plays, as Opus, for any number of viewers.
 */

#ifndef _AGENT_SOUND_H_INCLUDED_
#define _AGENT_SOUND_H_INCLUDED_


#include <gst/app/gstappsrc.h>


typedef struct agent_sound_s       agent_sound_t;
typedef struct agent_sound_sink_s  agent_sound_sink_t;


/*
 * source: a gst_parse description of live sound; NULL: what the default
 * output of the user's PulseAudio or PipeWire plays.
 */
agent_sound_t *agent_sound_new(const char *source);
void agent_sound_free(agent_sound_t *sound);

/* Whether there is anything to listen to, as far as can be told. */
gboolean agent_sound_there(const agent_sound_t *sound);

/* Sound goes to appsrc from now on; the first sink starts the capture. */
agent_sound_sink_t *agent_sound_attach(agent_sound_t *sound,
    GstAppSrc *appsrc);

/* Nothing is pushed any more once this returns; the last one ends it. */
void agent_sound_detach(agent_sound_sink_t *sink);


#endif /* _AGENT_SOUND_H_INCLUDED_ */
