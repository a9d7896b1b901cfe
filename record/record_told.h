
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the gateway has yet to be told of recordings that are no more written:
 * a file for each message that it has not answered, which outlives this
 * process.  It is told a few at a time, for it closes the channel of who says
 * too much at once.
 */

#ifndef _RECORD_TOLD_H_INCLUDED_
#define _RECORD_TOLD_H_INCLUDED_


#include <glib.h>


#define RECORD_TOLD_FLIGHT  20          /* messages without an answer */


typedef struct record_told_s  record_told_t;


/* FALSE: not now; takes text over */
typedef gboolean (*record_told_say_pt)(void *data, char *text);


/* dir is made. */
record_told_t *record_told_new(const char *dir, record_told_say_pt say,
    void *data, GError **error);
void record_told_free(record_told_t *told);

/* op: "end" or "gone"; takes text over, the message. */
void record_told_put(record_told_t *told, const char *id, const char *op,
    char *text);

/* Its end was answered, or waits to be told. */
gboolean record_told_knows(const record_told_t *told, const char *id);

/* It is, or is not to be told any more. */
void record_told_answered(record_told_t *told, const char *id,
    const char *op);

/* The channel stands, again. */
void record_told_online(record_told_t *told);

/* What was not answered gives its place to others; by a timer. */
void record_told_late(record_told_t *told);


#endif /* _RECORD_TOLD_H_INCLUDED_ */
