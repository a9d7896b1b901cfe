
/*
 * Copyright (C) rs-gateway contributors
 *
 * WebM (RFC 8794, RFC 9559) as a recording has it, written: one head with the
 * tracks, then clusters whose sizes are known.  Nothing here reads WebM.
 */


#ifndef _RS_WEBM_H_INCLUDED_
#define _RS_WEBM_H_INCLUDED_


#include "rs_str.h"


#define RS_WEBM_HEAD_MAX       320     /* bytes of the head, at most */
#define RS_WEBM_BLOCK_MAX      48      /* around a frame, at most */
#define RS_WEBM_CLUSTER_LEN    22      /* before the first block */
#define RS_WEBM_SPAN_MS        30000   /* of a cluster, at most */

#define RS_WEBM_VIDEO          1       /* numbers of the tracks */
#define RS_WEBM_SOUND          2


typedef struct {
    unsigned    width;                 /* of VP8; 0: there is no picture */
    unsigned    height;
    int         sound;                 /* 1: Opus, two channels */
} rs_webm_tracks_t;


typedef struct {
    unsigned        track;
    int64_t         t_ms;
    int64_t         duration_ms;       /* 0: is not said */
    int             key;
    const uint8_t  *data;
    size_t          len;
} rs_webm_frame_t;


typedef struct {
    int64_t     t_ms;                  /* of the cluster */
    size_t      at;                    /* of its size, in the buffer */
} rs_webm_cluster_t;


/* EBML head, the beginning of a segment without an end, Info, Tracks */
void rs_webm_head(rs_buf_t *b, const rs_webm_tracks_t *tracks);

/* Begins a cluster at t_ms; its size is filled in by rs_webm_cluster_end(). */
void rs_webm_cluster(rs_buf_t *b, rs_webm_cluster_t *cluster, int64_t t_ms);
void rs_webm_cluster_end(rs_buf_t *b, const rs_webm_cluster_t *cluster);

/*
 * One frame.  1: written; 0: it lies outside of RS_WEBM_SPAN_MS from the
 * cluster's time on, or b has no room (b->overflow).
 */
int rs_webm_frame(rs_buf_t *b, const rs_webm_cluster_t *cluster,
    const rs_webm_frame_t *frame);

/*
 * 1: the bytes begin as a VP8 frame (RFC 6386, 9.1); *key, and of a key frame
 * its size.  0: they do not.
 */
int rs_webm_vp8(const uint8_t *data, size_t len, int *key, unsigned *width,
    unsigned *height);


#endif /* _RS_WEBM_H_INCLUDED_ */
