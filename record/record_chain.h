
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


/* FALSE: it cannot be read, or is not what was signed. */
gboolean record_chain_look(const char *dir, const char *id,
    record_chain_t *chain, GError **error);


#endif /* _RECORD_CHAIN_H_INCLUDED_ */
