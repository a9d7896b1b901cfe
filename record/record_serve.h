
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Recordings on their way to who opens them: a tar archive over a pipe, each
 * made by a thread of its own.
 */

#ifndef _RECORD_SERVE_H_INCLUDED_
#define _RECORD_SERVE_H_INCLUDED_


#include "agent.h"


#define RECORD_SERVE_MAX  8         /* at once */


typedef struct record_serve_s  record_serve_t;


/* dir: of the recordings */
record_serve_t *record_serve_new(agent_t *agent, const char *dir);
void record_serve_free(record_serve_t *serve);

/* busy: it is being recorded still */
void record_serve_open(record_serve_t *serve, const agent_open_t *open,
    gboolean busy);
void record_serve_cut(record_serve_t *serve, const agent_open_t *cut);


#endif /* _RECORD_SERVE_H_INCLUDED_ */
