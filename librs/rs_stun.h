
/*
 * Copyright (C) rs-gateway contributors
 *
 * STUN and TURN on the wire: messages and attributes (RFC 8489), what TURN
 * adds (RFC 8656), ChannelData, and how both stand in a stream.  No sockets,
 * no clock, no memory of its own: what is read are slices of the caller's
 * bytes, what is written goes to the caller's rs_buf_t.
 */


#ifndef _RS_STUN_H_INCLUDED_
#define _RS_STUN_H_INCLUDED_


#include "rs_err.h"


#define RS_STUN_HEADER         20
#define RS_STUN_ID_LEN         12     /* of a transaction */
#define RS_STUN_KEY_LEN        16     /* long-term: MD5 */
#define RS_STUN_ATTRS_MAX      64     /* in one message */
#define RS_STUN_CHANNEL_HEADER 4
#define RS_STUN_CHANNEL_MIN    0x4000
#define RS_STUN_CHANNEL_MAX    0x4fff
/* the largest thing that can stand in a stream: a message of 65532 bytes */
#define RS_STUN_FRAME_MAX      (RS_STUN_HEADER + 65532)

/* what n bytes take with the padding of attributes and of streams */
#define RS_STUN_PADDED(n)      (((size_t) (n) + 3) & ~(size_t) 3)


typedef enum {
    RS_STUN_REQUEST = 0,
    RS_STUN_INDICATION,
    RS_STUN_SUCCESS,
    RS_STUN_ERROR
} rs_stun_class_e;


typedef enum {
    RS_STUN_BINDING = 0x001,
    RS_STUN_ALLOCATE = 0x003,
    RS_STUN_REFRESH = 0x004,
    RS_STUN_SEND = 0x006,
    RS_STUN_DATA = 0x007,
    RS_STUN_CREATE_PERMISSION = 0x008,
    RS_STUN_CHANNEL_BIND = 0x009
} rs_stun_method_e;


/* RFC 8489, 18.3; RFC 8656, 18 */

#define RS_STUN_A_MAPPED_ADDRESS      0x0001
#define RS_STUN_A_USERNAME            0x0006
#define RS_STUN_A_INTEGRITY           0x0008
#define RS_STUN_A_ERROR_CODE          0x0009
#define RS_STUN_A_UNKNOWN             0x000a
#define RS_STUN_A_CHANNEL_NUMBER      0x000c
#define RS_STUN_A_LIFETIME            0x000d
#define RS_STUN_A_XOR_PEER_ADDRESS    0x0012
#define RS_STUN_A_DATA                0x0013
#define RS_STUN_A_REALM               0x0014
#define RS_STUN_A_NONCE               0x0015
#define RS_STUN_A_XOR_RELAYED_ADDRESS 0x0016
#define RS_STUN_A_ADDRESS_FAMILY      0x0017
#define RS_STUN_A_EVEN_PORT           0x0018
#define RS_STUN_A_TRANSPORT           0x0019
#define RS_STUN_A_DONT_FRAGMENT       0x001a
#define RS_STUN_A_INTEGRITY_SHA256    0x001c
#define RS_STUN_A_PASSWORD_ALGORITHM  0x001d
#define RS_STUN_A_USERHASH            0x001e
#define RS_STUN_A_XOR_MAPPED_ADDRESS  0x0020
#define RS_STUN_A_RESERVATION_TOKEN   0x0022
#define RS_STUN_A_SOFTWARE            0x8022
#define RS_STUN_A_ALTERNATE_SERVER    0x8023
#define RS_STUN_A_FINGERPRINT         0x8028

#define RS_STUN_TRANSPORT_UDP         17
#define RS_STUN_FAMILY_IPV4           0x01
#define RS_STUN_FAMILY_IPV6           0x02


typedef struct {
    unsigned         family;          /* RS_STUN_FAMILY_*; 0: none */
    uint16_t         port;
    uint8_t          ip[16];          /* IPv4: the first four */
} rs_stun_addr_t;


/* slices of what was parsed */

typedef struct {
    rs_stun_class_e  cls;
    unsigned         method;
    rs_str_t         id;
    rs_str_t         bytes;           /* the whole message */

    /* private */
    size_t           visible;         /* attributes end here (14.5) */
    size_t           integrity;       /* offset of the attribute; 0: none */
} rs_stun_msg_t;


typedef struct {
    unsigned         channel;         /* 0: a message */
    rs_str_t         body;            /* the message, or the channel's data */
    size_t           size;            /* bytes it takes, padding included */
} rs_stun_frame_t;


/*
 * What begins at s.data: a STUN message or ChannelData.  A datagram
 * (stream = 0) is one frame, behind which at most three bytes of padding may
 * stand; in a stream ChannelData is padded to four bytes.  RS_OK; RS_AGAIN:
 * (streams) more is needed, f->size bytes in all as far as can be told, never
 * more than RS_STUN_FRAME_MAX; RS_E_BAD_REQUEST: neither, or (datagrams) cut.
 * The body of a message is yet to be parsed.
 */
rs_err_e rs_stun_frame(rs_str_t s, int stream, rs_stun_frame_t *f);

/*
 * A whole message and nothing else.  RS_OK; RS_E_BAD_REQUEST: lengths,
 * cookie or attributes are wrong, more than RS_STUN_ATTRS_MAX of them, or
 * FINGERPRINT is not the last one or not right.
 */
rs_err_e rs_stun_parse(rs_str_t s, rs_stun_msg_t *m);

/*
 * Attributes, but for those behind MESSAGE-INTEGRITY and for integrity and
 * fingerprint themselves.  rs_stun_next() begins with *at = 0 and returns 1
 * or, after the last one, 0.  rs_stun_attr() gives the first of a type, or 0.
 */
int rs_stun_next(const rs_stun_msg_t *m, size_t *at, unsigned *type,
    rs_str_t *value);
int rs_stun_attr(const rs_stun_msg_t *m, unsigned type, rs_str_t *value);

/*
 * The first of a type, if it is there and well formed: 1, else 0.
 * rs_stun_attr_addr() undoes the XOR of the XOR-*-ADDRESS attributes; an
 * error's code is 300 to 699, its reason as it was sent (any bytes).
 */
int rs_stun_attr_u32(const rs_stun_msg_t *m, unsigned type, uint32_t *v);
int rs_stun_attr_addr(const rs_stun_msg_t *m, unsigned type,
    rs_stun_addr_t *a);
int rs_stun_attr_error(const rs_stun_msg_t *m, unsigned *code,
    rs_str_t *reason);

/* the first attribute that must be understood and is not; 0: none */
unsigned rs_stun_unknown(const rs_stun_msg_t *m);

/*
 * MESSAGE-INTEGRITY (SHA1) with key.  RS_OK; RS_E_UNAUTHENTICATED: there is
 * none, or of another key; RS_E_INTERNAL: OpenSSL failed.
 */
rs_err_e rs_stun_verify(const rs_stun_msg_t *m, rs_str_t key);

/*
 * The long-term key, RFC 8489, 9.2.2: MD5(username ":" realm ":" password).
 * The password is taken as it is, as coturn does (no OpaqueString).
 * RS_OK or RS_E_INTERNAL.
 */
rs_err_e rs_stun_key(uint8_t key[RS_STUN_KEY_LEN], rs_str_t username,
    rs_str_t realm, rs_str_t password);


/*
 * Writing: b is empty at rs_stun_begin(), then attributes, then integrity,
 * then fingerprint.  After each call b holds a whole message, unless
 * b->overflow.  id: RS_STUN_ID_LEN bytes.
 */
void rs_stun_begin(rs_buf_t *b, rs_stun_class_e cls, unsigned method,
    const uint8_t *id);
void rs_stun_put(rs_buf_t *b, unsigned type, rs_str_t value);
void rs_stun_put_u32(rs_buf_t *b, unsigned type, uint32_t v);
/* XORed for the XOR-*-ADDRESS attributes, plain for the others */
void rs_stun_put_addr(rs_buf_t *b, unsigned type, const rs_stun_addr_t *a);
void rs_stun_put_error(rs_buf_t *b, unsigned code, rs_str_t reason);
/* RS_OK; RS_E_INTERNAL: OpenSSL failed, b->overflow is set */
rs_err_e rs_stun_put_integrity(rs_buf_t *b, rs_str_t key);
void rs_stun_put_fingerprint(rs_buf_t *b);

/* header of ChannelData; its data follows, and in a stream padding */
void rs_stun_channel_header(uint8_t dst[RS_STUN_CHANNEL_HEADER],
    unsigned channel, size_t len);


#endif /* _RS_STUN_H_INCLUDED_ */
