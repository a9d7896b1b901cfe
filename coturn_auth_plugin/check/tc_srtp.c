
/*
 * Copyright (C) rs-gateway contributors
 *
 * SRTP over libsrtp2.  The payload is the packet's number, its stamp, and
 * bytes that follow from the number; so a packet which authenticates but is
 * not the one that was sent shows, too.
 */


#include "tc_srtp.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <srtp2/srtp.h>


#define TC_SRTP_RTP_HEADER   12
#define TC_SRTP_SSRC         0x72737463
#define TC_SRTP_TYPE         96       /* dynamic, RFC 3551 */
#define TC_SRTP_WINDOW       1024     /* how late a packet may be */


struct tc_srtp_s {
    srtp_t           out;
    srtp_t           in;
    size_t           payload;
};


static int tc_srtp_session(srtp_t *session, uint8_t *key, int out);
static void tc_srtp_set(uint8_t *p, uint64_t v);
static uint64_t tc_srtp_get(const uint8_t *p);
static uint8_t tc_srtp_byte(uint64_t number, size_t i);


int
tc_srtp_init(void)
{
    return srtp_init() == srtp_err_status_ok;
}


void
tc_srtp_done(void)
{
    (void) srtp_shutdown();
}


tc_srtp_t *
tc_srtp_new(size_t payload)
{
    int         rc;
    uint8_t     key[SRTP_MAX_KEY_LEN];
    tc_srtp_t  *s;

    s = calloc(1, sizeof(tc_srtp_t));

    if (s == NULL) {
        return NULL;
    }

    s->payload = payload;

    rc = RAND_bytes(key, sizeof(key)) == 1
         && tc_srtp_session(&s->out, key, 1)
         && tc_srtp_session(&s->in, key, 0);

    OPENSSL_cleanse(key, sizeof(key));

    if (!rc) {
        tc_srtp_free(s);
        return NULL;
    }

    return s;
}


static int
tc_srtp_session(srtp_t *session, uint8_t *key, int out)
{
    srtp_policy_t  policy;

    memset(&policy, 0, sizeof(srtp_policy_t));
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);

    policy.ssrc.type = ssrc_specific;
    policy.ssrc.value = TC_SRTP_SSRC;
    policy.key = key;
    policy.window_size = TC_SRTP_WINDOW;
    policy.allow_repeat_tx = out;

    return srtp_create(session, &policy) == srtp_err_status_ok;
}


void
tc_srtp_free(tc_srtp_t *s)
{
    if (s == NULL) {
        return;
    }

    if (s->out != NULL) {
        (void) srtp_dealloc(s->out);
    }

    if (s->in != NULL) {
        (void) srtp_dealloc(s->in);
    }

    free(s);
}


size_t
tc_srtp_write(tc_srtp_t *s, uint8_t *dst, uint64_t number, uint64_t stamp)
{
    int      len;
    size_t   i;
    uint8_t *p;

    /* RFC 3550, 5.1 */

    dst[0] = 0x80;
    dst[1] = TC_SRTP_TYPE;
    dst[2] = (uint8_t) (number >> 8);
    dst[3] = (uint8_t) number;
    tc_srtp_set(dst + 4, stamp << 32 | TC_SRTP_SSRC);

    p = dst + TC_SRTP_RTP_HEADER;
    tc_srtp_set(p, number);
    tc_srtp_set(p + 8, stamp);

    for (i = TC_SRTP_PAYLOAD_MIN; i < s->payload; i++) {
        p[i] = tc_srtp_byte(number, i);
    }

    len = (int) (TC_SRTP_RTP_HEADER + s->payload);

    return srtp_protect(s->out, dst, &len) == srtp_err_status_ok
           ? (size_t) len : 0;
}


tc_srtp_e
tc_srtp_read(tc_srtp_t *s, rs_str_t packet, uint64_t *number, uint64_t *stamp)
{
    int                 len;
    size_t              i;
    uint8_t            *p, buf[TC_SRTP_PACKET_MAX];
    srtp_err_status_t   rc;

    if (packet.len > sizeof(buf) || packet.len < TC_SRTP_RTP_HEADER) {
        return TC_SRTP_BROKEN;
    }

    memcpy(buf, packet.data, packet.len);
    len = (int) packet.len;
    rc = srtp_unprotect(s->in, buf, &len);

    if (rc == srtp_err_status_replay_fail || rc == srtp_err_status_replay_old)
    {
        return TC_SRTP_DUPLICATE;
    }

    if (rc != srtp_err_status_ok
        || (size_t) len != TC_SRTP_RTP_HEADER + s->payload)
    {
        return TC_SRTP_BROKEN;
    }

    p = buf + TC_SRTP_RTP_HEADER;
    *number = tc_srtp_get(p);
    *stamp = tc_srtp_get(p + 8);

    for (i = TC_SRTP_PAYLOAD_MIN; i < s->payload; i++) {
        if (p[i] != tc_srtp_byte(*number, i)) {
            return TC_SRTP_BROKEN;
        }
    }

    return TC_SRTP_OK;
}


static void
tc_srtp_set(uint8_t *p, uint64_t v)
{
    unsigned  i;

    for (i = 0; i < 8; i++) {
        p[i] = (uint8_t) (v >> (56 - 8 * i));
    }
}


static uint64_t
tc_srtp_get(const uint8_t *p)
{
    unsigned  i;
    uint64_t  v;

    v = 0;

    for (i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }

    return v;
}


static uint8_t
tc_srtp_byte(uint64_t number, size_t i)
{
    return (uint8_t) (number * 31 + i * 7);
}
