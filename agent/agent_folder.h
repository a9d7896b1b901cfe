
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The one folder that files come into and go out of: docs/protocol/peer.md,
 * "Files".  Knows no viewers and no connections.
 */

#ifndef _AGENT_FOLDER_H_INCLUDED_
#define _AGENT_FOLDER_H_INCLUDED_


#include <gio/gio.h>
#include <jansson.h>

#include "rs_file.h"


#define AGENT_FOLDER_LIST   100             /* files of one answer */
#define AGENT_FOLDER_SCAN   10000           /* entries looked at */
#define AGENT_FOLDER_PARTS  16              /* unfinished files at once */
#define AGENT_FOLDER_AGE_S  (24 * 3600)     /* of an unfinished file */
#define AGENT_FOLDER_SPARE  (64 * 1024 * 1024)  /* bytes left to others */
#define AGENT_FOLDER_STEP   (1024 * 1024)   /* bytes hashed at a time */


#define AGENT_FOLDER_ERROR  agent_folder_error_quark()

GQuark agent_folder_error_quark(void);

typedef enum {
    AGENT_FOLDER_IO = 0,
    AGENT_FOLDER_NOT_FOUND,
    AGENT_FOLDER_TOO_LARGE,
    AGENT_FOLDER_NO_SPACE,
    AGENT_FOLDER_BUSY,
    AGENT_FOLDER_EXISTS,
    AGENT_FOLDER_CHANGED,
    AGENT_FOLDER_MISMATCH
} agent_folder_error_e;

/* "no_space": the protocol's word for an error of this file */
const char *agent_folder_code(const GError *error);


typedef struct agent_folder_s  agent_folder_t;

/* One file under way, in either direction; has its folder no longer open. */

typedef struct agent_file_s    agent_file_t;


/* Makes the folder when only its last part is missing; max: bytes of a file. */
agent_folder_t *agent_folder_new(const char *path, gint64 max,
    GError **error);
void agent_folder_free(agent_folder_t *folder);

/* The last part of its path. */
const char *agent_folder_name(const agent_folder_t *folder);

/*
 * An array of {name, size, mtime} in the order of the bytes of their names,
 * from the first one behind after ("": all); *more: there are others.
 */
json_t *agent_folder_list(agent_folder_t *folder, rs_str_t after,
    gboolean *more, GError **error);


/*
 * The file that key's bytes gather in.  What it has already is kept, unless
 * anew, and agent_file_offset() says how much.
 */
agent_file_t *agent_folder_put(agent_folder_t *folder, rs_str_t key,
    gint64 size, gboolean anew, GError **error);

/* A file to be read, from offset on. */
agent_file_t *agent_folder_get(agent_folder_t *folder, rs_str_t name,
    gint64 offset, GError **error);

/*
 * Closes it.  A file that was put and has no name yet is removed unless keep.
 */
void agent_file_free(agent_file_t *file, gboolean keep);

gint64 agent_file_size(const agent_file_t *file);
gint64 agent_file_mtime(const agent_file_t *file);
gint64 agent_file_offset(const agent_file_t *file);

/*
 * What was before the offset at the start has to be hashed first: TRUE and
 * *more, as long as there is more of it.
 */
gboolean agent_file_catch_up(agent_file_t *file, gboolean *more,
    GError **error);

/* SHA-256 of everything before the offset; after the catching up. */
void agent_file_digest(const agent_file_t *file,
    uint8_t sha256[RS_FILE_DIGEST_LEN]);

/* Goes on at the offset, within the size. */
gboolean agent_file_write(agent_file_t *file, gint64 offset, const void *data,
    gsize len, GError **error);

/* At most size bytes from the offset on; 0: the end, -1: *error. */
gssize agent_file_read(agent_file_t *file, void *data, gsize size,
    GError **error);

/*
 * Everything was written: compares, brings it onto the disk and gives it the
 * name or one with a number, which *got tells.  Blocks; may run on another
 * thread, while nobody else touches the file.
 */
gboolean agent_file_finish(agent_file_t *file, rs_str_t name, gint64 mtime,
    const uint8_t sha256[RS_FILE_DIGEST_LEN], char **got, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_folder_t, agent_folder_free)


#endif /* _AGENT_FOLDER_H_INCLUDED_ */
