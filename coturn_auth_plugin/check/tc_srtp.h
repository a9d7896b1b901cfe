
/*
 * Copyright (C) rs-gateway contributors
 *
 * One direction of numbered RTP packets, protected by SRTP with a random key
 * (AES_CM_128_HMAC_SHA1_80): what arrives is what was sent, or it is counted
 * as broken.
 */


#ifndef _TC_SRTP_H_INCLUDED_
#define _TC_SRTP_H_INCLUDED_


#include "rs_str.h"


#define TC_SRTP_PAYLOAD_MIN  16
#define TC_SRTP_PAYLOAD_MAX  1400
/* RTP header, payload, authentication tag and what libsrtp wants besides */
#define TC_SRTP_PACKET_MAX   (12 + TC_SRTP_PAYLOAD_MAX + 160)


typedef struct tc_srtp_s  tc_srtp_t;


typedef enum {
    TC_SRTP_OK = 0,
    TC_SRTP_DUPLICATE,
    TC_SRTP_BROKEN                /* not authentic, or not what was sent */
} tc_srtp_e;


/* 1; 0: libsrtp or its random numbers cannot be had */
int tc_srtp_init(void);
void tc_srtp_done(void);

/* payload in bytes; NULL: no memory, or libsrtp failed */
tc_srtp_t *tc_srtp_new(size_t payload);
void tc_srtp_free(tc_srtp_t *s);

/*
 * The packet with this number, which never goes down, and stamp; dst:
 * TC_SRTP_PACKET_MAX.  Its length; 0: libsrtp failed.
 */
size_t tc_srtp_write(tc_srtp_t *s, uint8_t *dst, uint64_t number,
    uint64_t stamp);

/* what came; TC_SRTP_OK: *number and *stamp are set */
tc_srtp_e tc_srtp_read(tc_srtp_t *s, rs_str_t packet, uint64_t *number,
    uint64_t *stamp);


#endif /* _TC_SRTP_H_INCLUDED_ */
