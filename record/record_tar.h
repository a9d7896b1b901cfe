
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A recording as it is sent: a tar archive, made as it is written.
 */

#ifndef _RECORD_TAR_H_INCLUDED_
#define _RECORD_TAR_H_INCLUDED_


#include <glib.h>


/*
 * Writes the archive of dir/id to fd: manifest.json, chain.jsonl and the
 * files in the order of the chain.  Blocks: for a thread of its own.
 */
gboolean record_tar_write(const char *dir, const char *id, int fd,
    GError **error);


#endif /* _RECORD_TAR_H_INCLUDED_ */
