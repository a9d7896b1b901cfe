
/*
 * Copyright (C) rs-gateway contributors
 *
 * The snapshot of a TURN server's plugin: what it knew of sessions when it
 * was written.  Text, a record a line, no secrets:
 *
 *     rs-turn-snapshot 1
 *     synced <ms>
 *     live <tenant> <session> <host or -> <expires_at>
 *     ended <tenant> <session> - <expires_at>
 *     revoked <tenant> <session> <participant> <until>
 *     newest <tenant> <session> <participant> <expiry>
 *     end <records> <SHA-256 of all before this line>
 *
 * Read strictly: whole, in this order, or not at all.
 */


#ifndef _RS_TURN_SNAP_H_INCLUDED_
#define _RS_TURN_SNAP_H_INCLUDED_


#include "rs_id.h"


#define RS_TURN_SNAP_LINE      192                 /* longest, with LF */
#define RS_TURN_SNAP_RECORDS   2000000
#define RS_TURN_SNAP_SIZE      (256 * 1024 * 1024) /* bytes of a file */


typedef enum {
    RS_TURN_SNAP_LIVE = 0,
    RS_TURN_SNAP_ENDED,
    RS_TURN_SNAP_REVOKED,
    RS_TURN_SNAP_NEWEST,

    RS_TURN_SNAP_MAX                  /* one past the last */
} rs_turn_snap_e;


typedef struct {
    rs_turn_snap_e      type;
    rs_str_t            tenant;
    rs_str_t            session_id;
    rs_str_t            participant_id;    /* live: the host, or empty */
    uint64_t            at;           /* s: what stands last */
} rs_turn_snap_t;


/*
 * Writers.  dst: RS_TURN_SNAP_LINE, no NUL; the length of a line, 0: a part
 * is not well formed.
 */
size_t rs_turn_snap_head(char *dst, uint64_t synced_ms);
size_t rs_turn_snap_line(char *dst, const rs_turn_snap_t *r);
/* digest: 32 bytes of SHA-256 over all lines before */
size_t rs_turn_snap_tail(char *dst, uint64_t records, const uint8_t *digest);


typedef struct {
    rs_str_t            rest;         /* records not read yet */
    uint64_t            left;
    uint64_t            synced_ms;
} rs_turn_snap_reader_t;


/*
 * NULL: the checksum is right and every record is well formed; else what is
 * wrong.  text must outlive the reader.
 */
const char *rs_turn_snap_open(rs_str_t text, rs_turn_snap_reader_t *reader);
/* 1 and *r, slices of the text; 0: that was the last */
int rs_turn_snap_next(rs_turn_snap_reader_t *reader, rs_turn_snap_t *r);


#endif /* _RS_TURN_SNAP_H_INCLUDED_ */
