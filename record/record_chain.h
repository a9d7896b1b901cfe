
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a recording's chain says by its first and its last line alone, which
 * costs the same however long it is.  Whoever wants to know that all of it
 * holds reads all of it: record_read.h.
 */

#ifndef _RECORD_CHAIN_H_INCLUDED_
#define _RECORD_CHAIN_H_INCLUDED_


#include "rs_recording.h"

#include <glib.h>


typedef enum {
    RECORD_CHAIN_NONE = 0,          /* not one line, and no file to name */
    RECORD_CHAIN_OPEN,              /* being written, or nobody ended it */
    RECORD_CHAIN_ENDED
} record_chain_e;


typedef struct {
    record_chain_e  state;
    gint64          ended_ms;       /* of 1970, ENDED: as it was signed */
} record_chain_t;


/*
 * One line, without its newline, as it was signed: by key, or, where that is
 * NULL, by the one it names, which only "begin" does.  *line borrows from what
 * is returned, which is the caller's to json_decref(); NULL: it is none.
 */
json_t *record_chain_line(const char *text, gsize len, const guint8 *key,
    rs_recording_line_t *line);

/* FALSE: it cannot be read, or is not what was signed. */
gboolean record_chain_look(const char *dir, const char *id,
    record_chain_t *chain, GError **error);


#endif /* _RECORD_CHAIN_H_INCLUDED_ */
