
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table on disk, so that a restart without Redis goes on where it was.
 * The file "snapshot" of state_dir, 0600: text with a version and a checksum
 * (librs/rs_turn_snap), no secrets.
 *
 * It is written when the table has changed, at most every few seconds, by a
 * child process: neither the listing nor the disk keep coturn waiting.
 */


#ifndef _TURN_SNAPSHOT_H_INCLUDED_
#define _TURN_SNAPSHOT_H_INCLUDED_


#include "turn_table.h"

#include <event2/event.h>


typedef struct turn_snapshot_s  turn_snapshot_t;


typedef struct {
    int             loaded;           /* there was one, and it was good */
    uint64_t        written;
    uint64_t        failed;
    uint64_t        written_at;       /* ms since the epoch; 0: never */
    uint64_t        bytes;            /* of the last one */
    uint64_t        records;
    uint64_t        ms;               /* it took */
} turn_snapshot_stats_t;


/*
 * Reads what is there into the table, which is empty, then follows it.  NULL:
 * error says what is wrong with the folder, and the cure.  A file that cannot
 * be used is no error: it is logged, and the table stays as it was.
 */
turn_snapshot_t *turn_snapshot_create(struct event_base *base,
    const char *dir, turn_table_t *table, char *error, size_t size);

/* writes what has changed, and waits for the disk */
void turn_snapshot_destroy(turn_snapshot_t *snapshot);

void turn_snapshot_stats(const turn_snapshot_t *snapshot,
    turn_snapshot_stats_t *stats);


#endif /* _TURN_SNAPSHOT_H_INCLUDED_ */
