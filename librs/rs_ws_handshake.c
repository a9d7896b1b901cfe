
/*
 * Copyright (C) rs-gateway contributors
 *
 * The values of a WebSocket handshake.
 */


#include "rs_ws_handshake.h"
#include "rs_host.h"

#include <string.h>
#include <openssl/evp.h>


typedef struct {
    rs_str_t   scheme;
    rs_host_t  host;              /* port: the default one is filled in */
} rs_ws_origin_t;


static rs_str_t rs_ws_trim(rs_str_t s);
static int rs_ws_is_token(rs_str_t s);
static rs_err_e rs_ws_origin_parse(rs_str_t s, rs_ws_origin_t *o);
static unsigned rs_ws_default_port(rs_str_t scheme);
static int rs_ws_origin_eq(const rs_ws_origin_t *a, const rs_ws_origin_t *b);


/* without optional white space, RFC 9110, 5.6.3 */

static rs_str_t
rs_ws_trim(rs_str_t s)
{
    while (s.len && (*s.data == ' ' || *s.data == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


/* RFC 9110, 5.6.2 */

static int
rs_ws_is_token(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z')
            && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
        {
            return 0;
        }
    }

    return s.len != 0;
}


int
rs_ws_has_token(rs_str_t list, rs_str_t token)
{
    int       more;
    rs_str_t  entry;

    do {
        more = rs_str_split(list, ',', &entry, &list);

        if (rs_str_eq_ci(rs_ws_trim(entry), token)) {
            return 1;
        }

    } while (more);

    return 0;
}


rs_err_e
rs_ws_key_check(rs_str_t key)
{
    size_t   len;
    uint8_t  raw[16];

    if (key.len != RS_WS_KEY_LEN
        || !rs_base64_decode(raw, sizeof(raw), key, &len)
        || len != sizeof(raw))
    {
        return RS_E_BAD_HANDSHAKE;
    }

    return RS_OK;
}


rs_err_e
rs_ws_version_check(rs_str_t version)
{
    return rs_str_eq(version, RS_STR("13")) ? RS_OK : RS_E_UPGRADE_REQUIRED;
}


rs_err_e
rs_ws_accept(rs_str_t key, char *dst)
{
    uint8_t   text[RS_WS_KEY_LEN + 36], digest[20];
    rs_buf_t  b;

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_str(&b, key);
    rs_buf_cstr(&b, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");

    if (b.overflow
        || EVP_Digest(text, b.len, digest, NULL, EVP_sha1(), NULL) != 1)
    {
        return RS_E_INTERNAL;
    }

    (void) rs_base64_encode(dst, digest, sizeof(digest));

    return RS_OK;
}


rs_ws_side_e
rs_ws_side(rs_str_t name)
{
    if (rs_str_eq(name, RS_STR("client"))) {
        return RS_WS_SIDE_CLIENT;
    }

    return rs_str_eq(name, RS_STR("host")) ? RS_WS_SIDE_HOST
                                           : RS_WS_SIDE_NONE;
}


const char *
rs_ws_side_name(rs_ws_side_e side)
{
    return (side == RS_WS_SIDE_CLIENT) ? "client" : "host";
}


rs_err_e
rs_ws_protocols(rs_str_t value, rs_ws_protocols_t *p)
{
    int           more;
    rs_str_t      entry, prefix;
    rs_ws_cred_e  kind;

    do {
        more = rs_str_split(value, ',', &entry, &value);
        entry = rs_ws_trim(entry);

        if (p->n++ == RS_WS_PROTOCOLS_MAX) {
            return RS_E_BAD_HANDSHAKE;
        }

        if (entry.len == 0) {
            continue;
        }

        if (!rs_ws_is_token(entry)) {
            return RS_E_BAD_HANDSHAKE;
        }

        if (rs_str_eq(entry, RS_STR("rs.v1"))) {

            if (p->rs_v1) {
                return RS_E_BAD_HANDSHAKE;
            }

            p->rs_v1 = 1;
            continue;
        }

        prefix = RS_STR("rs.nonce.");

        if (rs_str_starts(entry, prefix)) {

            if (p->nonce.data != NULL) {
                return RS_E_BAD_HANDSHAKE;
            }

            p->nonce.data = entry.data + prefix.len;
            p->nonce.len = entry.len - prefix.len;
            continue;
        }

        prefix = RS_STR("rs.side.");

        if (rs_str_starts(entry, prefix)) {

            if (p->side != RS_WS_SIDE_NONE) {
                return RS_E_BAD_HANDSHAKE;
            }

            p->side = rs_ws_side((rs_str_t) { entry.data + prefix.len,
                                              entry.len - prefix.len });

            if (p->side == RS_WS_SIDE_NONE) {
                return RS_E_BAD_HANDSHAKE;
            }

            continue;
        }

        prefix = RS_STR("rs.ticket.");
        kind = RS_WS_CRED_TICKET;

        if (!rs_str_starts(entry, prefix)) {
            prefix = RS_STR("rs.resume.");
            kind = RS_WS_CRED_RESUME;
        }

        if (rs_str_starts(entry, prefix)) {

            if (p->kind != RS_WS_CRED_NONE) {
                return RS_E_BAD_HANDSHAKE;
            }

            p->kind = kind;
            p->credential.data = entry.data + prefix.len;
            p->credential.len = entry.len - prefix.len;
        }

    } while (more);

    return RS_OK;
}


static unsigned
rs_ws_default_port(rs_str_t scheme)
{
    if (rs_str_eq_ci(scheme, RS_STR("https"))) {
        return 443;
    }

    return rs_str_eq_ci(scheme, RS_STR("http")) ? 80 : 0;
}


static rs_err_e
rs_ws_origin_parse(rs_str_t s, rs_ws_origin_t *o)
{
    size_t    i;
    uint8_t   c;
    rs_str_t  rest;

    if (!rs_str_split(s, ':', &o->scheme, &rest)
        || o->scheme.len == 0
        || !rs_str_starts(rest, RS_STR("//")))
    {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < o->scheme.len; i++) {
        c = (uint8_t) (o->scheme.data[i] | 0x20);

        if (c >= 'a' && c <= 'z') {
            continue;
        }

        c = o->scheme.data[i];

        if (i == 0
            || ((c < '0' || c > '9') && c != '+' && c != '-' && c != '.'))
        {
            return RS_E_INVALID_VALUE;
        }
    }

    rest.data += 2;
    rest.len -= 2;

    if (rs_host_parse(rest, &o->host) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    if (o->host.port == 0) {
        o->host.port = rs_ws_default_port(o->scheme);
    }

    return RS_OK;
}


static int
rs_ws_origin_eq(const rs_ws_origin_t *a, const rs_ws_origin_t *b)
{
    return a->host.port == b->host.port
           && rs_str_eq_ci(a->scheme, b->scheme)
           && rs_str_eq_ci(a->host.host, b->host.host);
}


rs_err_e
rs_ws_origin_check(rs_str_t origin)
{
    rs_ws_origin_t  o;

    return rs_ws_origin_parse(origin, &o);
}


int
rs_ws_origin_match(rs_str_t origin, const rs_str_t *list, size_t n)
{
    size_t          i;
    rs_ws_origin_t  o, allowed;

    if (rs_ws_origin_parse(origin, &o) != RS_OK) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (rs_ws_origin_parse(list[i], &allowed) == RS_OK
            && rs_ws_origin_eq(&o, &allowed))
        {
            return 1;
        }
    }

    return 0;
}


int
rs_ws_origin_same(rs_str_t origin, rs_str_t scheme, rs_str_t authority)
{
    rs_ws_origin_t  o, own;

    own.scheme = scheme;

    if (rs_ws_origin_parse(origin, &o) != RS_OK
        || rs_host_parse(authority, &own.host) != RS_OK)
    {
        return 0;
    }

    if (own.host.port == 0) {
        own.host.port = rs_ws_default_port(scheme);
    }

    return rs_ws_origin_eq(&o, &own);
}
