
/*
 * Copyright (C) rs-gateway contributors
 *
 * The lines of a recording's chain.jsonl: docs/design/recording.md, "The
 * chain".  Each names one file of the recording, or says when it began and
 * ended, holds the hash of the line before it, and is signed by the recorder.
 */


#ifndef _RS_RECORDING_H_INCLUDED_
#define _RS_RECORDING_H_INCLUDED_


#include "rs_json.h"


#define RS_ID_RECORDING           "rec_"

#define RS_RECORDING_LINE_MAX     2048      /* bytes, without the newline */
#define RS_RECORDING_NAME_LEN     10        /* "000001.cms" */
#define RS_RECORDING_EVENTS_LEN   17        /* "events.000001.cms" */
#define RS_RECORDING_FILES_MAX    999999
#define RS_RECORDING_HASH_LEN     32        /* SHA-256 */
#define RS_RECORDING_SIGNATURE_LEN  64      /* Ed25519 */
#define RS_RECORDING_KEY_LEN      32
#define RS_RECORDING_TIME_MAX     0x1fffffffffffffLL

/* what is signed begins with this, and the zero byte behind it */
#define RS_RECORDING_CONTEXT      "rs-recording-v1"


typedef enum {
    RS_RECORDING_BEGIN = 0,
    RS_RECORDING_MEDIA,
    RS_RECORDING_EVENTS,
    RS_RECORDING_GAP,
    RS_RECORDING_END
} rs_recording_kind_e;


/* a member is set only where a line of that kind has it */

typedef struct {
    rs_recording_kind_e  kind;
    int64_t              n;                 /* of the line, from 0 */
    int64_t              t_ms;              /* since the recording began */
    uint8_t              prev[RS_RECORDING_HASH_LEN];
    uint8_t              signature[RS_RECORDING_SIGNATURE_LEN];
    size_t               signed_len;        /* bytes of the line it covers */

    rs_str_t             recording_id;      /* begin */
    rs_str_t             session_id;
    rs_str_t             tenant;
    rs_str_t             device_id;         /* the recorder's */
    uint8_t              public_key[RS_RECORDING_KEY_LEN];
    int64_t              started_at;        /* ms of 1970 */

    rs_str_t             file;              /* media, events */
    uint8_t              sha256[RS_RECORDING_HASH_LEN];    /* of the file;
                                               begin: of manifest.json */
    int64_t              bytes;             /* of it; end: of all of them */
    int64_t              dur_ms;            /* media, gap */
    int                  key;               /* media: begins with a key frame */
    int                  init;              /* media: with a WebM head */
    rs_str_t             mime;              /* media with init */
    int64_t              count;             /* events */
    unsigned             why;               /* gap: RS_RECORDING_WHY_* */

    int                  kept;              /* end; else incomplete */
    rs_str_t             reason;            /* end */
    int64_t              segments;          /* end: media files */
    int64_t              gaps;              /* end */
} rs_recording_line_t;


/* in the order of rs_recording_why */

#define RS_RECORDING_WHY_LOST     0         /* the recorder was away */
#define RS_RECORDING_WHY_PATH     1         /* no connection to the host */
#define RS_RECORDING_WHY_SILENT   2         /* one, and nothing came over it */

extern const char *const  rs_recording_why[];


/*
 * One line, without its newline.  RS_OK: *obj is the caller's to
 * json_decref(), *line borrows from it; nothing but the form was looked at.
 * Else err says what is wrong and where.
 */
rs_err_e rs_recording_parse(const void *data, size_t len, json_t **obj,
    rs_recording_line_t *line, rs_json_error_t *err);

/* RS_OK, RS_E_UNAUTHENTICATED or RS_E_INTERNAL; data: as it was parsed */
rs_err_e rs_recording_verify(const uint8_t key[RS_RECORDING_KEY_LEN],
    const void *data, const rs_recording_line_t *line);

/*
 * What is signed of a line, into dst: RS_RECORDING_LINE_MAX +
 * sizeof(RS_RECORDING_CONTEXT).  The length; 0: len is too large.
 */
size_t rs_recording_signed(uint8_t *dst, const void *data, size_t len);

/* 1: the name of a media or events file, *n its number from 1 */
int rs_recording_file(rs_str_t name, int *events, unsigned *n);

/* dst: RS_RECORDING_EVENTS_LEN + 1, with NUL; n: 1 to 999999 */
void rs_recording_file_name(char *dst, int events, unsigned n);


#endif /* _RS_RECORDING_H_INCLUDED_ */
