
/*
 * Copyright (C) rs-gateway contributors
 *
 * Chunks and queues of them.
 */


#include "ngx_http_rs_chunk.h"


#define NGX_HTTP_RS_CHUNKS_FREE    256


ngx_http_rs_chunk_t *
ngx_http_rs_chunk_get(ngx_http_rs_chunks_t *chunks)
{
    ngx_http_rs_chunk_t  *chunk;

    if (chunks->free) {
        chunk = (ngx_http_rs_chunk_t *) chunks->free;
        chunks->free = chunk->link.next;
        chunks->nfree--;

    } else {
        chunk = ngx_alloc(sizeof(ngx_http_rs_chunk_t), chunks->log);
        if (chunk == NULL) {
            return NULL;
        }
    }

    ngx_memzero(&chunk->buf, sizeof(ngx_buf_t));

    chunk->link.buf = &chunk->buf;
    chunk->link.next = NULL;

    chunk->buf.start = chunk->data;
    chunk->buf.pos = chunk->data;
    chunk->buf.last = chunk->data;
    chunk->buf.end = chunk->data + NGX_HTTP_RS_CHUNK_DATA;
    chunk->buf.temporary = 1;

    /* for the TLS layer: nothing may wait for a full record */
    chunk->buf.flush = 1;

    return chunk;
}


void
ngx_http_rs_chunk_put(ngx_http_rs_chunks_t *chunks,
    ngx_http_rs_chunk_t *chunk)
{
    if (chunks->nfree >= NGX_HTTP_RS_CHUNKS_FREE) {
        ngx_free(chunk);
        return;
    }

    chunk->link.next = chunks->free;
    chunks->free = &chunk->link;
    chunks->nfree++;
}


void
ngx_http_rs_chunks_destroy(ngx_http_rs_chunks_t *chunks)
{
    ngx_chain_t  *cl;

    while (chunks->free) {
        cl = chunks->free;
        chunks->free = cl->next;
        ngx_free(cl);
    }

    chunks->nfree = NGX_HTTP_RS_CHUNKS_FREE;
}


void
ngx_http_rs_queue_init(ngx_http_rs_queue_t *q)
{
    q->first = NULL;
    q->last = &q->first;
    q->size = 0;
}


ngx_int_t
ngx_http_rs_queue_append(ngx_http_rs_queue_t *q,
    ngx_http_rs_chunks_t *chunks, u_char *data, size_t len)
{
    size_t                size;
    ngx_buf_t            *b;
    ngx_http_rs_chunk_t  *chunk;

    b = NULL;

    if (q->first) {
        chunk = (ngx_http_rs_chunk_t *)
                    ((u_char *) q->last - offsetof(ngx_chain_t, next));
        b = &chunk->buf;
    }

    while (len) {

        if (b == NULL || b->last == b->end) {

            chunk = ngx_http_rs_chunk_get(chunks);
            if (chunk == NULL) {
                return NGX_ERROR;
            }

            *q->last = &chunk->link;
            q->last = &chunk->link.next;

            b = &chunk->buf;
        }

        size = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data, size);

        data += size;
        len -= size;
        q->size += size;
    }

    return NGX_OK;
}


void
ngx_http_rs_queue_sent(ngx_http_rs_queue_t *q, ngx_http_rs_chunks_t *chunks,
    ngx_chain_t *rest)
{
    ngx_chain_t  *cl;

    while (q->first != rest) {
        cl = q->first;
        q->first = cl->next;
        ngx_http_rs_chunk_put(chunks, (ngx_http_rs_chunk_t *) cl);
    }

    q->last = &q->first;
    q->size = 0;

    for (cl = q->first; cl; cl = cl->next) {
        q->last = &cl->next;
        q->size += cl->buf->last - cl->buf->pos;
    }
}
