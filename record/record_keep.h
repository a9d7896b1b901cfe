
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * All recordings of this recorder: what is ended at the next start, what is
 * removed after its time, what the gateway has yet to be told, and whether
 * there is room for another one.
 */

#ifndef _RECORD_KEEP_H_INCLUDED_
#define _RECORD_KEEP_H_INCLUDED_


#include "record_config.h"
#include "record_store.h"
#include "record_told.h"


typedef struct record_keep_s  record_keep_t;


/* FALSE: not now; takes text over */
typedef record_told_say_pt  record_keep_say_pt;


/*
 * params: of what recordings have in common; dir is set here.  Ends those
 * that nobody ended.
 */
record_keep_t *record_keep_new(const record_config_t *config,
    const record_store_params_t *params, record_keep_say_pt say, void *data,
    GError **error);
void record_keep_free(record_keep_t *keep);

/* Whether another one may begin: the disk has min_free MiB. */
gboolean record_keep_room(const record_keep_t *keep, GError **error);

/* A recording has ended; told now, or later, until it was answered. */
void record_keep_ended(record_keep_t *keep, const char *id,
    const char *session_id, const char *reason, const record_sum_t *sum);

/*
 * One that could not be written any further: ended as after a crash.  key: of
 * params.sign, by which it was begun.
 */
void record_keep_broken(record_keep_t *keep, const char *id,
    const char *public_key, void *key);

/* Removes it; told likewise, when nothing of it is left. */
void record_keep_remove(record_keep_t *keep, const char *id);

/*
 * Removes what is too old, one after the other on the main loop; done by
 * itself now and then.  clock_us: real time less that of a clock which nobody
 * sets; where it is not what it was at first nothing is removed.
 */
void record_keep_check(record_keep_t *keep, gint64 clock_us);

/* The gateway has answered what was told of it. */
void record_keep_answered(record_keep_t *keep, const char *id,
    const char *op);

/* The channel stands, again. */
void record_keep_online(record_keep_t *keep);


#endif /* _RECORD_KEEP_H_INCLUDED_ */
