
/*
 * Copyright (C) rs-gateway contributors
 *
 * The STUN and TURN codec.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |0 0|    class and method       |         length of what        |
 *     +-+-+                           |      follows the header       |
 *     |                    cookie 0x2112a442                          |
 *     |                    transaction id, 96 bits                    |
 *     +-------------------------------+-------------------------------+
 *     |             type              |       length of value         |
 *     |             value, padded to four bytes           ...         |
 *     +---------------------------------------------------------------+
 *
 * ChannelData begins with a channel number (0x4000 to 0x4fff) and a length,
 * two bytes each; so the first two bits tell it from a message.
 */


#include "rs_stun.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>


#define RS_STUN_COOKIE         0x2112a442
#define RS_STUN_ATTR_HEADER    4
#define RS_STUN_SHA1_LEN       20
#define RS_STUN_SHA1_BLOCK     64
#define RS_STUN_CRC_XOR        0x5354554e     /* 14.7 */


static uint16_t rs_stun_get16(const uint8_t *p);
static uint32_t rs_stun_get32(const uint8_t *p);
static void rs_stun_set16(uint8_t *p, size_t v);
static void rs_stun_set32(uint8_t *p, uint32_t v);
static rs_err_e rs_stun_attrs(rs_stun_msg_t *m);
static rs_err_e rs_stun_fingerprint(const rs_stun_msg_t *m, size_t at);
static int rs_stun_is_xored(unsigned type);
static void rs_stun_xor(rs_stun_addr_t *a, const uint8_t *header);
static uint8_t *rs_stun_attr_room(rs_buf_t *b, unsigned type, size_t len);
static void rs_stun_set_length(rs_buf_t *b);
static rs_err_e rs_stun_hmac(uint8_t out[RS_STUN_SHA1_LEN], rs_str_t key,
    const uint8_t *data, size_t len, size_t body);
static int rs_stun_pad(EVP_MD_CTX *ctx, const uint8_t *key, uint8_t with);
static uint32_t rs_stun_crc(const uint8_t *p, size_t len);


/* comprehension required, and known to the ones who call us */

static const uint16_t  rs_stun_known[] = {
    RS_STUN_A_MAPPED_ADDRESS, RS_STUN_A_USERNAME, RS_STUN_A_INTEGRITY,
    RS_STUN_A_ERROR_CODE, RS_STUN_A_UNKNOWN, RS_STUN_A_CHANNEL_NUMBER,
    RS_STUN_A_LIFETIME, RS_STUN_A_XOR_PEER_ADDRESS, RS_STUN_A_DATA,
    RS_STUN_A_REALM, RS_STUN_A_NONCE, RS_STUN_A_XOR_RELAYED_ADDRESS,
    RS_STUN_A_ADDRESS_FAMILY, RS_STUN_A_EVEN_PORT, RS_STUN_A_TRANSPORT,
    RS_STUN_A_DONT_FRAGMENT, RS_STUN_A_INTEGRITY_SHA256,
    RS_STUN_A_PASSWORD_ALGORITHM, RS_STUN_A_USERHASH,
    RS_STUN_A_XOR_MAPPED_ADDRESS, RS_STUN_A_RESERVATION_TOKEN
};


static uint16_t
rs_stun_get16(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}


static uint32_t
rs_stun_get32(const uint8_t *p)
{
    return (uint32_t) rs_stun_get16(p) << 16 | rs_stun_get16(p + 2);
}


static void
rs_stun_set16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t) (v >> 8);
    p[1] = (uint8_t) v;
}


static void
rs_stun_set32(uint8_t *p, uint32_t v)
{
    rs_stun_set16(p, v >> 16);
    rs_stun_set16(p + 2, v & 0xffff);
}


rs_err_e
rs_stun_frame(rs_str_t s, int stream, rs_stun_frame_t *f)
{
    size_t  head, len;

    memset(f, 0, sizeof(rs_stun_frame_t));
    f->size = RS_STUN_CHANNEL_HEADER;

    if (s.len < RS_STUN_CHANNEL_HEADER) {
        return stream ? RS_AGAIN : RS_E_BAD_REQUEST;
    }

    len = rs_stun_get16(s.data + 2);

    if (s.data[0] & 0xc0) {
        f->channel = rs_stun_get16(s.data);

        if (f->channel < RS_STUN_CHANNEL_MIN
            || f->channel > RS_STUN_CHANNEL_MAX)
        {
            return RS_E_BAD_REQUEST;
        }

        head = RS_STUN_CHANNEL_HEADER;
        f->size = head + (stream ? RS_STUN_PADDED(len) : len);

    } else {
        if (len % 4) {
            return RS_E_BAD_REQUEST;
        }

        head = 0;
        len += RS_STUN_HEADER;
        f->size = len;
    }

    if (s.len < f->size) {
        return stream ? RS_AGAIN : RS_E_BAD_REQUEST;
    }

    if (!stream) {
        if (s.len - f->size > (f->channel ? 3 : 0)) {
            return RS_E_BAD_REQUEST;
        }

        f->size = s.len;
    }

    f->body.data = s.data + head;
    f->body.len = len;

    return RS_OK;
}


rs_err_e
rs_stun_parse(rs_str_t s, rs_stun_msg_t *m)
{
    unsigned  type;

    memset(m, 0, sizeof(rs_stun_msg_t));

    if (s.len < RS_STUN_HEADER
        || (s.data[0] & 0xc0)
        || rs_stun_get16(s.data + 2) != s.len - RS_STUN_HEADER
        || s.len % 4
        || rs_stun_get32(s.data + 4) != RS_STUN_COOKIE)
    {
        return RS_E_BAD_REQUEST;
    }

    /* 5: M11..M7 C1 M6..M4 C0 M3..M0 */

    type = rs_stun_get16(s.data);

    m->cls = (rs_stun_class_e) ((type >> 7 & 2) | (type >> 4 & 1));
    m->method = (type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80);
    m->id = (rs_str_t) { s.data + 8, RS_STUN_ID_LEN };
    m->bytes = s;
    m->visible = s.len;

    return rs_stun_attrs(m);
}


static rs_err_e
rs_stun_attrs(rs_stun_msg_t *m)
{
    int       closed;
    size_t    at, len, end;
    unsigned  n, type;

    end = m->bytes.len;
    closed = 0;
    n = 0;

    for (at = RS_STUN_HEADER; at < end; at += len) {

        /* both are multiples of four: the header is there */

        type = rs_stun_get16(m->bytes.data + at);
        len = rs_stun_get16(m->bytes.data + at + 2);

        if (RS_STUN_PADDED(len) > end - at - RS_STUN_ATTR_HEADER
            || ++n > RS_STUN_ATTRS_MAX)
        {
            return RS_E_BAD_REQUEST;
        }

        switch (type) {

        case RS_STUN_A_INTEGRITY:
            if (len != RS_STUN_SHA1_LEN) {
                return RS_E_BAD_REQUEST;
            }

            if (m->integrity == 0) {
                m->integrity = at;
            }

            /* fall through */

        case RS_STUN_A_INTEGRITY_SHA256:
            if (!closed) {
                m->visible = at;
                closed = 1;
            }

            break;

        case RS_STUN_A_FINGERPRINT:
            if (len != 4 || at + RS_STUN_ATTR_HEADER + 4 != end) {
                return RS_E_BAD_REQUEST;
            }

            if (!closed) {
                m->visible = at;
            }

            return rs_stun_fingerprint(m, at);

        default:
            break;
        }

        len = RS_STUN_ATTR_HEADER + RS_STUN_PADDED(len);
    }

    return RS_OK;
}


static rs_err_e
rs_stun_fingerprint(const rs_stun_msg_t *m, size_t at)
{
    uint32_t  crc;

    crc = rs_stun_crc(m->bytes.data, at) ^ RS_STUN_CRC_XOR;

    return crc == rs_stun_get32(m->bytes.data + at + RS_STUN_ATTR_HEADER)
           ? RS_OK : RS_E_BAD_REQUEST;
}


int
rs_stun_next(const rs_stun_msg_t *m, size_t *at, unsigned *type,
    rs_str_t *value)
{
    if (*at == 0) {
        *at = RS_STUN_HEADER;
    }

    if (*at >= m->visible) {
        return 0;
    }

    *type = rs_stun_get16(m->bytes.data + *at);
    value->len = rs_stun_get16(m->bytes.data + *at + 2);
    value->data = m->bytes.data + *at + RS_STUN_ATTR_HEADER;

    *at += RS_STUN_ATTR_HEADER + RS_STUN_PADDED(value->len);

    return 1;
}


int
rs_stun_attr(const rs_stun_msg_t *m, unsigned type, rs_str_t *value)
{
    size_t    at;
    unsigned  t;

    at = 0;

    while (rs_stun_next(m, &at, &t, value)) {
        if (t == type) {
            return 1;
        }
    }

    *value = (rs_str_t) { NULL, 0 };

    return 0;
}


int
rs_stun_attr_u32(const rs_stun_msg_t *m, unsigned type, uint32_t *v)
{
    rs_str_t  value;

    if (!rs_stun_attr(m, type, &value) || value.len != 4) {
        return 0;
    }

    *v = rs_stun_get32(value.data);

    return 1;
}


int
rs_stun_attr_addr(const rs_stun_msg_t *m, unsigned type, rs_stun_addr_t *a)
{
    rs_str_t  value;

    memset(a, 0, sizeof(rs_stun_addr_t));

    if (!rs_stun_attr(m, type, &value)
        || value.len < 4
        || !((value.data[1] == RS_STUN_FAMILY_IPV4 && value.len == 8)
             || (value.data[1] == RS_STUN_FAMILY_IPV6 && value.len == 20)))
    {
        return 0;
    }

    a->family = value.data[1];
    a->port = rs_stun_get16(value.data + 2);
    memcpy(a->ip, value.data + 4, value.len - 4);

    if (rs_stun_is_xored(type)) {
        rs_stun_xor(a, m->bytes.data);
    }

    return 1;
}


static int
rs_stun_is_xored(unsigned type)
{
    return type == RS_STUN_A_XOR_MAPPED_ADDRESS
           || type == RS_STUN_A_XOR_PEER_ADDRESS
           || type == RS_STUN_A_XOR_RELAYED_ADDRESS;
}


/* 14.2: with the cookie and, IPv6, the transaction id behind it */

static void
rs_stun_xor(rs_stun_addr_t *a, const uint8_t *header)
{
    size_t  i, n;

    n = a->family == RS_STUN_FAMILY_IPV4 ? 4 : 16;

    for (i = 0; i < n; i++) {
        a->ip[i] ^= header[4 + i];
    }

    a->port = (uint16_t) (a->port ^ rs_stun_get16(header + 4));
}


int
rs_stun_attr_error(const rs_stun_msg_t *m, unsigned *code, rs_str_t *reason)
{
    unsigned  hundreds, number;
    rs_str_t  value;

    if (!rs_stun_attr(m, RS_STUN_A_ERROR_CODE, &value) || value.len < 4) {
        return 0;
    }

    hundreds = value.data[2] & 0x7;
    number = value.data[3];

    if (hundreds < 3 || hundreds > 6 || number > 99) {
        return 0;
    }

    *code = hundreds * 100 + number;
    reason->data = value.data + 4;
    reason->len = value.len - 4;

    return 1;
}


unsigned
rs_stun_unknown(const rs_stun_msg_t *m)
{
    size_t    i, at;
    unsigned  type;
    rs_str_t  value;

    at = 0;

    while (rs_stun_next(m, &at, &type, &value)) {
        if (type & 0x8000) {
            continue;
        }

        for (i = 0; i < sizeof(rs_stun_known) / sizeof(uint16_t); i++) {
            if (rs_stun_known[i] == type) {
                break;
            }
        }

        if (i == sizeof(rs_stun_known) / sizeof(uint16_t)) {

            /* 0x0000 is reserved, and is not "none" */

            return type ? type : 0x10000;
        }
    }

    return 0;
}


rs_err_e
rs_stun_verify(const rs_stun_msg_t *m, rs_str_t key)
{
    uint8_t   mac[RS_STUN_SHA1_LEN];
    rs_err_e  rc;

    if (m->integrity == 0) {
        return RS_E_UNAUTHENTICATED;
    }

    rc = rs_stun_hmac(mac, key, m->bytes.data, m->integrity,
                      m->integrity + RS_STUN_ATTR_HEADER + RS_STUN_SHA1_LEN
                      - RS_STUN_HEADER);
    if (rc != RS_OK) {
        return rc;
    }

    return CRYPTO_memcmp(mac,
                         m->bytes.data + m->integrity + RS_STUN_ATTR_HEADER,
                         RS_STUN_SHA1_LEN)
           == 0 ? RS_OK : RS_E_UNAUTHENTICATED;
}


rs_err_e
rs_stun_key(uint8_t key[RS_STUN_KEY_LEN], rs_str_t username, rs_str_t realm,
    rs_str_t password)
{
    rs_err_e     rc;
    EVP_MD_CTX  *ctx;

    rc = RS_E_INTERNAL;
    ctx = EVP_MD_CTX_new();

    if (ctx != NULL
        && EVP_DigestInit_ex(ctx, EVP_md5(), NULL)
        && EVP_DigestUpdate(ctx, username.data, username.len)
        && EVP_DigestUpdate(ctx, ":", 1)
        && EVP_DigestUpdate(ctx, realm.data, realm.len)
        && EVP_DigestUpdate(ctx, ":", 1)
        && EVP_DigestUpdate(ctx, password.data, password.len)
        && EVP_DigestFinal_ex(ctx, key, NULL))
    {
        rc = RS_OK;
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


void
rs_stun_begin(rs_buf_t *b, rs_stun_class_e cls, unsigned method,
    const uint8_t *id)
{
    uint8_t   head[8];
    unsigned  type;

    type = (method & 0xf) | (method & 0x70) << 1 | (method & 0xf80) << 2
           | ((unsigned) cls & 1) << 4 | ((unsigned) cls & 2) << 7;

    rs_stun_set16(head, type);
    rs_stun_set16(head + 2, 0);
    rs_stun_set32(head + 4, RS_STUN_COOKIE);

    rs_buf_put(b, head, sizeof(head));
    rs_buf_put(b, id, RS_STUN_ID_LEN);
}


void
rs_stun_put(rs_buf_t *b, unsigned type, rs_str_t value)
{
    uint8_t  *p;

    p = rs_stun_attr_room(b, type, value.len);

    if (p != NULL && value.len) {
        memcpy(p, value.data, value.len);
    }
}


/* an attribute of len zeros, padded; NULL: overflow */

static uint8_t *
rs_stun_attr_room(rs_buf_t *b, unsigned type, size_t len)
{
    size_t    need;
    uint8_t  *p;

    need = RS_STUN_ATTR_HEADER + RS_STUN_PADDED(len);

    if (b->overflow || len > 0xffff || need > b->size - b->len
        || b->len + need > RS_STUN_FRAME_MAX)
    {
        b->overflow = 1;
        return NULL;
    }

    p = b->data + b->len;
    memset(p, 0, need);
    rs_stun_set16(p, type);
    rs_stun_set16(p + 2, len);

    b->len += need;
    rs_stun_set_length(b);

    return p + RS_STUN_ATTR_HEADER;
}


static void
rs_stun_set_length(rs_buf_t *b)
{
    rs_stun_set16(b->data + 2, b->len - RS_STUN_HEADER);
}


void
rs_stun_put_u32(rs_buf_t *b, unsigned type, uint32_t v)
{
    uint8_t  p[4];

    rs_stun_set32(p, v);
    rs_stun_put(b, type, (rs_str_t) { p, sizeof(p) });
}


void
rs_stun_put_addr(rs_buf_t *b, unsigned type, const rs_stun_addr_t *a)
{
    size_t           n;
    uint8_t         *p;
    rs_stun_addr_t   x;

    n = a->family == RS_STUN_FAMILY_IPV4 ? 4 : 16;
    p = rs_stun_attr_room(b, type, 4 + n);

    if (p == NULL) {
        return;
    }

    x = *a;

    if (rs_stun_is_xored(type)) {
        rs_stun_xor(&x, b->data);
    }

    p[1] = (uint8_t) x.family;
    rs_stun_set16(p + 2, x.port);
    memcpy(p + 4, x.ip, n);
}


void
rs_stun_put_error(rs_buf_t *b, unsigned code, rs_str_t reason)
{
    uint8_t  *p;

    p = rs_stun_attr_room(b, RS_STUN_A_ERROR_CODE, 4 + reason.len);

    if (p == NULL) {
        return;
    }

    p[2] = (uint8_t) (code / 100);
    p[3] = (uint8_t) (code % 100);

    if (reason.len) {
        memcpy(p + 4, reason.data, reason.len);
    }
}


rs_err_e
rs_stun_put_integrity(rs_buf_t *b, rs_str_t key)
{
    size_t    at;
    uint8_t  *p;
    rs_err_e  rc;

    at = b->len;
    p = rs_stun_attr_room(b, RS_STUN_A_INTEGRITY, RS_STUN_SHA1_LEN);

    if (p == NULL) {
        return RS_OK;
    }

    rc = rs_stun_hmac(p, key, b->data, at, b->len - RS_STUN_HEADER);

    if (rc != RS_OK) {
        b->overflow = 1;
    }

    return rc;
}


void
rs_stun_put_fingerprint(rs_buf_t *b)
{
    size_t    at;
    uint8_t  *p;

    at = b->len;
    p = rs_stun_attr_room(b, RS_STUN_A_FINGERPRINT, 4);

    if (p != NULL) {
        rs_stun_set32(p, rs_stun_crc(b->data, at) ^ RS_STUN_CRC_XOR);
    }
}


void
rs_stun_channel_header(uint8_t dst[RS_STUN_CHANNEL_HEADER], unsigned channel,
    size_t len)
{
    rs_stun_set16(dst, channel);
    rs_stun_set16(dst + 2, len);
}


/*
 * HMAC-SHA1 of a message's first len bytes as if its header's length were
 * body (14.5): what OpenSSL's HMAC() cannot do without a copy.
 */

static rs_err_e
rs_stun_hmac(uint8_t out[RS_STUN_SHA1_LEN], rs_str_t key, const uint8_t *data,
    size_t len, size_t body)
{
    uint8_t      k[RS_STUN_SHA1_BLOCK], inner[RS_STUN_SHA1_LEN], length[2];
    rs_err_e     rc;
    EVP_MD_CTX  *ctx;

    rc = RS_E_INTERNAL;
    memset(k, 0, sizeof(k));
    rs_stun_set16(length, body);

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return rc;
    }

    if (key.len > sizeof(k)) {
        if (!EVP_Digest(key.data, key.len, k, NULL, EVP_sha1(), NULL)) {
            goto done;
        }

    } else if (key.len) {
        memcpy(k, key.data, key.len);
    }

    if (rs_stun_pad(ctx, k, 0x36)
        && EVP_DigestUpdate(ctx, data, 2)
        && EVP_DigestUpdate(ctx, length, 2)
        && EVP_DigestUpdate(ctx, data + 4, len - 4)
        && EVP_DigestFinal_ex(ctx, inner, NULL)
        && rs_stun_pad(ctx, k, 0x5c)
        && EVP_DigestUpdate(ctx, inner, sizeof(inner))
        && EVP_DigestFinal_ex(ctx, out, NULL))
    {
        rc = RS_OK;
    }

done:

    OPENSSL_cleanse(k, sizeof(k));
    EVP_MD_CTX_free(ctx);

    return rc;
}


static int
rs_stun_pad(EVP_MD_CTX *ctx, const uint8_t *key, uint8_t with)
{
    int      rc;
    size_t   i;
    uint8_t  block[RS_STUN_SHA1_BLOCK];

    for (i = 0; i < sizeof(block); i++) {
        block[i] = key[i] ^ with;
    }

    rc = EVP_DigestInit_ex(ctx, EVP_sha1(), NULL)
         && EVP_DigestUpdate(ctx, block, sizeof(block));

    OPENSSL_cleanse(block, sizeof(block));

    return rc;
}


/* of ITU-T V.42, four bits at a time */

static uint32_t
rs_stun_crc(const uint8_t *p, size_t len)
{
    uint32_t  crc;

    static const uint32_t  table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };

    for (crc = 0xffffffff; len; len--, p++) {
        crc ^= *p;
        crc = crc >> 4 ^ table[crc & 0xf];
        crc = crc >> 4 ^ table[crc & 0xf];
    }

    return ~crc;
}
