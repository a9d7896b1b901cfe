
/*
 * Copyright (C) rs-gateway contributors
 *
 * Replies of Redis: read by hiredis' reader with bounds of ours, and looked
 * at without types that surprise.  What is out of range or of another type
 * reads as nothing.
 */


#ifndef _TURN_UPSTREAM_REPLY_H_INCLUDED_
#define _TURN_UPSTREAM_REPLY_H_INCLUDED_


#include "rs_str.h"

#include <event2/buffer.h>


/* far above what the function library gives: a page of 500 entries */

#define TURN_REPLY_BULK_MAX      65536         /* bytes of a string */
#define TURN_REPLY_SIZE_MAX      (1024 * 1024) /* bytes of a reply */
#define TURN_REPLY_ELEMENTS_MAX  4096          /* of one array */
#define TURN_REPLY_DEPTH_MAX     7             /* arrays in arrays */


typedef struct redisReply     turn_reply_t;    /* by accessors only */
typedef struct turn_reader_s  turn_reader_t;


turn_reader_t *turn_reader_create(void);
void turn_reader_free(turn_reader_t *reader);
/* takes bytes; 0, or -1: they break the protocol or the bounds */
int turn_reader_feed(turn_reader_t *reader, const void *data, size_t len);
/* *reply: to be freed, or NULL: more bytes are wanted.  0 or -1 */
int turn_reader_next(turn_reader_t *reader, turn_reply_t **reply);
void turn_reply_free(turn_reply_t *reply);

size_t turn_reply_count(turn_reply_t *reply);
turn_reply_t *turn_reply_at(turn_reply_t *reply, size_t i);
/* a string or status: of element i, or the whole reply */
rs_str_t turn_reply_str(turn_reply_t *reply, size_t i);
rs_str_t turn_reply_text(turn_reply_t *reply);
/* a number that is not negative, maybe as text; 0: it is none */
int turn_reply_u64(turn_reply_t *reply, size_t i, uint64_t *v);
/* 1 and the text, when the whole reply is an error */
int turn_reply_error(turn_reply_t *reply, rs_str_t *text);
/* value of a field in a flat array; empty: not there */
rs_str_t turn_reply_field(turn_reply_t *reply, const char *name);
/* of INFO: the rest of the line that begins so */
rs_str_t turn_reply_info(turn_reply_t *reply, const char *begins);

/* the command as Redis wants it, appended; -1: no memory */
int turn_reply_command(struct evbuffer *out, const rs_str_t *argv,
    size_t argc);


#endif /* _TURN_UPSTREAM_REPLY_H_INCLUDED_ */
