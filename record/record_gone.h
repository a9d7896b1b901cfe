
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Recordings on their way out.  One is renamed to .gone/ID, which is one step
 * and keeps; its files, of which there may be thousands, are unlinked by a
 * thread, one recording after the other.  What a crash leaves in .gone goes at
 * the next start.
 */

#ifndef _RECORD_GONE_H_INCLUDED_
#define _RECORD_GONE_H_INCLUDED_


#include <glib.h>


typedef struct record_gone_s  record_gone_t;


/*
 * Nothing of it can be read any more; on the main loop.  Called again at the
 * next start, if this process does not come back from it.
 */
typedef void (*record_gone_pt)(void *data, const char *id);


/* dir: of all recordings */
record_gone_t *record_gone_new(const char *dir, record_gone_pt gone,
    void *data, GError **error);

/* Waits for the file that is being unlinked, and no longer. */
void record_gone_free(record_gone_t *gone);

/*
 * From here on it is no recording; gone() follows, at once if there is none.
 * id: of a recording, as rs_id_check() says.
 */
gboolean record_gone_take(record_gone_t *gone, const char *id,
    GError **error);

/* Once more, what could not be unlinked. */
void record_gone_again(record_gone_t *gone);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(record_gone_t, record_gone_free)


#endif /* _RECORD_GONE_H_INCLUDED_ */
