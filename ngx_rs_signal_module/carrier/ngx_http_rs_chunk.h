
/*
 * Copyright (C) rs-gateway contributors
 *
 * Pieces of memory of one size, kept by a worker and used again, and the
 * queue of bytes that is made of them.  A queue grows and shrinks in whole
 * chunks; who appends bounds it by its size.
 */


#ifndef _NGX_HTTP_RS_CHUNK_H_INCLUDED_
#define _NGX_HTTP_RS_CHUNK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_RS_CHUNK_DATA     4096


typedef struct {
    ngx_chain_t               link;       /* first: a link is its chunk */
    ngx_buf_t                 buf;
    u_char                    data[NGX_HTTP_RS_CHUNK_DATA];
} ngx_http_rs_chunk_t;


/* the chunks that wait to be used again, a bounded number */

typedef struct {
    ngx_log_t                *log;
    ngx_chain_t              *free;
    ngx_uint_t                nfree;
} ngx_http_rs_chunks_t;


typedef struct {
    ngx_chain_t              *first;      /* NULL: empty */
    ngx_chain_t             **last;
    size_t                    size;       /* bytes that wait */
} ngx_http_rs_queue_t;


/* an empty one; NULL: no memory */
ngx_http_rs_chunk_t *ngx_http_rs_chunk_get(ngx_http_rs_chunks_t *chunks);
void ngx_http_rs_chunk_put(ngx_http_rs_chunks_t *chunks,
    ngx_http_rs_chunk_t *chunk);
/* frees those that wait; from then on none is kept */
void ngx_http_rs_chunks_destroy(ngx_http_rs_chunks_t *chunks);

void ngx_http_rs_queue_init(ngx_http_rs_queue_t *q);
/* copies; NGX_ERROR: no memory, a part may have been appended */
ngx_int_t ngx_http_rs_queue_append(ngx_http_rs_queue_t *q,
    ngx_http_rs_chunks_t *chunks, u_char *data, size_t len);
/* rest: what c->send_chain() returned for q->first; NULL empties it */
void ngx_http_rs_queue_sent(ngx_http_rs_queue_t *q,
    ngx_http_rs_chunks_t *chunks, ngx_chain_t *rest);


#endif /* _NGX_HTTP_RS_CHUNK_H_INCLUDED_ */
