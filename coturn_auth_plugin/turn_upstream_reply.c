
/*
 * Copyright (C) rs-gateway contributors
 *
 * Replies of Redis.  The only file that knows hiredis, and of it only the
 * reader: its own connections (0.14) abort on what they do not expect while
 * subscribed, and have no TLS.
 */


#include "turn_upstream_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <hiredis/hiredis.h>


/* since 1.0 hiredis counts elements in size_t */

#if (HIREDIS_MAJOR >= 1)
typedef size_t  turn_reply_elements_t;
#else
typedef int     turn_reply_elements_t;
#endif


struct turn_reader_s {
    redisReader                *reader;
    redisReplyObjectFunctions   functions;
    void                     *(*array)(const redisReadTask *task,
                                   turn_reply_elements_t elements);
    size_t                      received;      /* of this reply */
};


static void *turn_reader_array(const redisReadTask *task,
    turn_reply_elements_t elements);


/*
 * The memory for elements is taken before the first one came; arrays in arrays
 * are freed by recursion, and hiredis has no bound for them since 1.0.
 */

static void *
turn_reader_array(const redisReadTask *task, turn_reply_elements_t elements)
{
    unsigned              depth;
    turn_reader_t        *reader;
    const redisReadTask  *outer;

    if (elements > TURN_REPLY_ELEMENTS_MAX) {
        return NULL;
    }

    depth = 0;

    for (outer = task; outer; outer = outer->parent) {
        if (++depth > TURN_REPLY_DEPTH_MAX) {
            return NULL;
        }
    }

    reader = task->privdata;

    return reader->array(task, elements);
}


turn_reader_t *
turn_reader_create(void)
{
    turn_reader_t  *reader;

    reader = calloc(1, sizeof(turn_reader_t));
    if (reader == NULL) {
        return NULL;
    }

    reader->reader = redisReaderCreate();

    if (reader->reader == NULL) {
        free(reader);
        return NULL;
    }

    reader->functions = *reader->reader->fn;
    reader->array = reader->functions.createArray;
    reader->functions.createArray = turn_reader_array;

    reader->reader->fn = &reader->functions;
    reader->reader->privdata = reader;
    reader->reader->maxbuf = TURN_REPLY_BULK_MAX;

    return reader;
}


void
turn_reader_free(turn_reader_t *reader)
{
    if (reader) {
        redisReaderFree(reader->reader);
        free(reader);
    }
}


int
turn_reader_feed(turn_reader_t *reader, const void *data, size_t len)
{
    if (redisReaderFeed(reader->reader, data, len) != REDIS_OK) {
        return -1;
    }

    reader->received += len;

    return 0;
}


int
turn_reader_next(turn_reader_t *reader, turn_reply_t **reply)
{
    void    *object;
    size_t   rest;

    *reply = NULL;

    if (redisReaderGetReply(reader->reader, &object) != REDIS_OK) {
        return -1;
    }

    rest = reader->reader->len - reader->reader->pos;

    if (object) {
        *reply = object;
        reader->received = rest;
        return 0;
    }

    /* a string is kept whole until its end comes */

    if (rest > TURN_REPLY_BULK_MAX || reader->received > TURN_REPLY_SIZE_MAX)
    {
        return -1;
    }

    return 0;
}


void
turn_reply_free(turn_reply_t *reply)
{
    if (reply) {
        freeReplyObject(reply);
    }
}


size_t
turn_reply_count(turn_reply_t *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        return 0;
    }

    return (size_t) reply->elements;
}


turn_reply_t *
turn_reply_at(turn_reply_t *reply, size_t i)
{
    return i < turn_reply_count(reply) ? reply->element[i] : NULL;
}


rs_str_t
turn_reply_text(turn_reply_t *reply)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING
                          && reply->type != REDIS_REPLY_STATUS))
    {
        return RS_STR("");
    }

    return (rs_str_t) { (uint8_t *) reply->str, (size_t) reply->len };
}


rs_str_t
turn_reply_str(turn_reply_t *reply, size_t i)
{
    return turn_reply_text(turn_reply_at(reply, i));
}


int
turn_reply_u64(turn_reply_t *reply, size_t i, uint64_t *v)
{
    turn_reply_t  *element;

    *v = 0;
    element = turn_reply_at(reply, i);

    if (element && element->type == REDIS_REPLY_INTEGER) {
        if (element->integer < 0) {
            return 0;
        }

        *v = (uint64_t) element->integer;
        return 1;
    }

    return rs_u64_parse(turn_reply_text(element), UINT64_MAX, v);
}


int
turn_reply_error(turn_reply_t *reply, rs_str_t *text)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    *text = (rs_str_t) { (uint8_t *) reply->str, (size_t) reply->len };

    return 1;
}


rs_str_t
turn_reply_field(turn_reply_t *reply, const char *name)
{
    size_t  i, n;

    n = turn_reply_count(reply);

    for (i = 0; i + 1 < n; i += 2) {
        if (rs_str_eq(turn_reply_str(reply, i), rs_str(name))) {
            return turn_reply_str(reply, i + 1);
        }
    }

    return RS_STR("");
}


rs_str_t
turn_reply_info(turn_reply_t *reply, const char *begins)
{
    size_t    len;
    rs_str_t  text, line;

    len = strlen(begins);
    text = turn_reply_text(reply);

    while (text.len) {
        (void) rs_str_split(text, '\n', &line, &text);

        if (!rs_str_starts(line, rs_str(begins))) {
            continue;
        }

        line.data += len;
        line.len -= len;

        if (line.len && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        return line;
    }

    return RS_STR("");
}


int
turn_reply_command(struct evbuffer *out, const rs_str_t *argv, size_t argc)
{
    size_t  i;

    if (evbuffer_add_printf(out, "*%zu\r\n", argc) < 0) {
        return -1;
    }

    for (i = 0; i < argc; i++) {
        if (evbuffer_add_printf(out, "$%zu\r\n", argv[i].len) < 0
            || evbuffer_add(out, argv[i].data, argv[i].len) < 0
            || evbuffer_add(out, "\r\n", 2) < 0)
        {
            return -1;
        }
    }

    return 0;
}
