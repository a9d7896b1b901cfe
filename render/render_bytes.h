
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Bytes of a document in a memory file: they have a descriptor, which a
 * sandbox can be given, and no name, so nothing has to be removed.
 */

#ifndef _RENDER_BYTES_H_INCLUDED_
#define _RENDER_BYTES_H_INCLUDED_


#include <gio/gio.h>


/* An empty one, which can be written; -1: *error. */
int render_bytes_new(const char *name, GError **error);

/* One with text in it, to be read from its beginning. */
int render_bytes_text(const char *name, const char *text, GError **error);

/*
 * Nobody changes it any more; takes fd over, whether it goes well or not.  It
 * is what is read by whoever has fd's file, as long as the bytes are there.
 */
GBytes *render_bytes_map(int fd, GError **error);


#endif /* _RENDER_BYTES_H_INCLUDED_ */
