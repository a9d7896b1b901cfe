
/*
 * Copyright (C) rs-gateway contributors
 *
 * A client's handshake, and a reader of frames that keeps no payload.
 */


#include "rs_ws_client.h"

#include <string.h>


#define RS_WS_FIN        0x80
#define RS_WS_RSV        0x70
#define RS_WS_OPCODE     0x0f
#define RS_WS_MASKED     0x80
#define RS_WS_LEN        0x7f

#define RS_WS_IS_CONTROL(opcode)  ((opcode) & 0x8)


/* what of an answer is there once; the rest is not looked at */

typedef struct {
    rs_str_t  upgrade;
    rs_str_t  connection;
    rs_str_t  accept;
    rs_str_t  protocol;
    rs_str_t  extensions;
    rs_str_t  retry;
} rs_ws_fields_t;


static int rs_ws_plain(rs_str_t s);
static int rs_ws_token(rs_str_t s);
static rs_str_t rs_ws_blank(rs_str_t s);
static int rs_ws_line(rs_str_t *bytes, rs_str_t *line);
static int rs_ws_status(rs_str_t line, unsigned *status);
static rs_err_e rs_ws_field(rs_str_t line, rs_ws_fields_t *fields);
static int rs_ws_accepted(rs_str_t accept, rs_str_t key);
static rs_err_e rs_ws_pieces_header(rs_ws_pieces_t *r, const uint8_t **pos,
    const uint8_t *last);
static rs_err_e rs_ws_pieces_first(rs_ws_pieces_t *r);
static rs_err_e rs_ws_pieces_length(rs_ws_pieces_t *r);
static rs_err_e rs_ws_pieces_control(rs_ws_pieces_t *r, const uint8_t **pos,
    const uint8_t *last, rs_ws_piece_t *piece);
static rs_err_e rs_ws_pieces_close(rs_ws_pieces_t *r, rs_ws_piece_t *piece);


/* visible ASCII without blanks: nothing that ends a line or a value */

static int
rs_ws_plain(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] > '~') {
            return 0;
        }
    }

    return s.len != 0;
}


static int
rs_ws_token(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (strchr("\"(),/:;<=>?@[\\]{}", s.data[i]) != NULL) {
            return 0;
        }
    }

    return rs_ws_plain(s);
}


rs_err_e
rs_ws_request(rs_buf_t *b, const rs_ws_request_t *request)
{
    size_t  i;

    if (!rs_ws_plain(request->path) || request->path.data[0] != '/'
        || !rs_ws_plain(request->host) || !rs_ws_plain(request->agent)
        || rs_ws_key_check(request->key) != RS_OK || request->n == 0)
    {
        return RS_E_INVALID_VALUE;
    }

    rs_buf_cstr(b, "GET ");
    rs_buf_str(b, request->path);
    rs_buf_cstr(b, " HTTP/1.1\r\nHost: ");
    rs_buf_str(b, request->host);
    rs_buf_cstr(b, "\r\nUser-Agent: ");
    rs_buf_str(b, request->agent);
    rs_buf_cstr(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    rs_buf_str(b, request->key);
    rs_buf_cstr(b, "\r\nSec-WebSocket-Protocol: ");

    for (i = 0; i < request->n; i++) {
        if (!rs_ws_token(request->protocols[i])) {
            return RS_E_INVALID_VALUE;
        }

        if (i) {
            rs_buf_cstr(b, ", ");
        }

        rs_buf_str(b, request->protocols[i]);
    }

    rs_buf_cstr(b, "\r\n\r\n");

    return b->overflow ? RS_E_INVALID_VALUE : RS_OK;
}


static rs_str_t
rs_ws_blank(rs_str_t s)
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


/* 1: *line is what stood before the next CRLF, *bytes is behind it */

static int
rs_ws_line(rs_str_t *bytes, rs_str_t *line)
{
    size_t  i;

    for (i = 0; i + 1 < bytes->len; i++) {
        if (bytes->data[i] == '\r' && bytes->data[i + 1] == '\n') {
            line->data = bytes->data;
            line->len = i;
            bytes->data += i + 2;
            bytes->len -= i + 2;
            return 1;
        }
    }

    return 0;
}


/* RFC 9112, 4: HTTP/1.1 SP 3DIGIT SP */

static int
rs_ws_status(rs_str_t line, unsigned *status)
{
    uint64_t  v;
    rs_str_t  start, digits;

    start = RS_STR("HTTP/1.1 ");

    if (line.len < start.len + 3 || !rs_str_starts(line, start)
        || (line.len > start.len + 3 && line.data[start.len + 3] != ' '))
    {
        return 0;
    }

    digits.data = line.data + start.len;
    digits.len = 3;

    if (!rs_u64_parse(digits, 599, &v) || v < 100) {
        return 0;
    }

    *status = (unsigned) v;

    return 1;
}


static rs_err_e
rs_ws_field(rs_str_t line, rs_ws_fields_t *fields)
{
    size_t     i;
    rs_str_t   name, value, *field;

    const struct {
        rs_str_t   name;
        rs_str_t  *field;
    } known[] = {
        { RS_STR("Upgrade"), &fields->upgrade },
        { RS_STR("Connection"), &fields->connection },
        { RS_STR("Sec-WebSocket-Accept"), &fields->accept },
        { RS_STR("Sec-WebSocket-Protocol"), &fields->protocol },
        { RS_STR("Sec-WebSocket-Extensions"), &fields->extensions },
        { RS_STR("Retry-After"), &fields->retry }
    };

    if (!rs_str_split(line, ':', &name, &value) || !rs_ws_token(name)) {
        return RS_E_BAD_HANDSHAKE;
    }

    field = NULL;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (rs_str_eq_ci(name, known[i].name)) {
            field = known[i].field;
        }
    }

    if (field == NULL) {
        return RS_OK;
    }

    /* each of them is one value; two of them are two opinions */

    if (field->data != NULL) {
        return RS_E_BAD_HANDSHAKE;
    }

    *field = rs_ws_blank(value);

    return RS_OK;
}


static int
rs_ws_accepted(rs_str_t accept, rs_str_t key)
{
    char  want[RS_WS_ACCEPT_LEN];

    return rs_ws_accept(key, want) == RS_OK
           && rs_str_eq(accept, (rs_str_t) { (const uint8_t *) want,
                                             sizeof(want) });
}


rs_err_e
rs_ws_response(rs_str_t bytes, rs_str_t key, rs_str_t protocol,
    rs_ws_response_t *response)
{
    rs_err_e        rc;
    rs_str_t        rest, line;
    uint64_t        retry;
    unsigned        first, whole;
    rs_ws_fields_t  fields;

    memset(response, 0, sizeof(*response));
    memset(&fields, 0, sizeof(fields));

    rest.data = bytes.data;
    rest.len = bytes.len < RS_WS_RESPONSE_MAX ? bytes.len
                                              : RS_WS_RESPONSE_MAX;
    first = 1;
    whole = 0;

    while (!whole && rs_ws_line(&rest, &line)) {
        rc = RS_OK;

        if (first) {
            rc = rs_ws_status(line, &response->status)
                 ? RS_OK : RS_E_BAD_HANDSHAKE;

        } else if (line.len != 0) {
            rc = rs_ws_field(line, &fields);

        } else {
            whole = 1;
        }

        if (rc != RS_OK) {
            return rc;
        }

        first = 0;
    }

    if (!whole) {
        return (bytes.len >= RS_WS_RESPONSE_MAX) ? RS_E_BAD_HANDSHAKE
                                                 : RS_AGAIN;
    }

    response->size = (size_t) (rest.data - bytes.data);

    if (response->status != 101) {
        if (rs_u64_parse(fields.retry, RS_WS_RETRY_MAX, &retry)) {
            response->retry_after = (unsigned) retry;
        }

        return RS_E_UNAVAILABLE;
    }

    return (rs_str_eq_ci(fields.upgrade, RS_STR("websocket"))
            && rs_ws_has_token(fields.connection, RS_STR("upgrade"))
            && rs_ws_accepted(fields.accept, key)
            && rs_str_eq(fields.protocol, protocol)
            && fields.extensions.len == 0)
           ? RS_OK : RS_E_BAD_HANDSHAKE;
}


void
rs_ws_pieces_init(rs_ws_pieces_t *r, uint64_t max_message)
{
    memset(r, 0, sizeof(*r));

    r->max_message = max_message;
    r->need = 2;
}


rs_err_e
rs_ws_pieces_read(rs_ws_pieces_t *r, const uint8_t **pos,
    const uint8_t *last, rs_ws_piece_t *piece)
{
    size_t    n;
    rs_err_e  rc;

    if (r->failed != RS_OK) {
        return r->failed;
    }

    for ( ;; ) {

        if (r->closed) {
            *pos = last;
            return RS_AGAIN;
        }

        if (!r->in_payload) {
            rc = rs_ws_pieces_header(r, pos, last);

            if (rc != RS_OK) {
                r->failed = (rc == RS_AGAIN) ? RS_OK : rc;
                return rc;
            }
        }

        if (RS_WS_IS_CONTROL(r->opcode)) {
            rc = rs_ws_pieces_control(r, pos, last, piece);

            if (rc != RS_OK && rc != RS_AGAIN) {
                r->failed = rc;
            }

            return rc;
        }

        n = (size_t) (last - *pos);

        if (n > r->left) {
            n = (size_t) r->left;
        }

        if (n == 0 && r->left != 0) {
            return RS_AGAIN;
        }

        piece->opcode = RS_WS_BINARY;
        piece->data = *pos;
        piece->len = n;
        piece->close_code = 0;
        *pos += n;
        r->left -= n;
        piece->last = r->left == 0 && r->fin;

        if (r->left == 0) {
            r->in_payload = 0;
            r->in_message = !r->fin;
        }

        /* an empty fragment says nothing, unless it is the last one */

        if (n != 0 || piece->last) {
            return RS_OK;
        }
    }
}


static rs_err_e
rs_ws_pieces_header(rs_ws_pieces_t *r, const uint8_t **pos,
    const uint8_t *last)
{
    rs_err_e  rc;

    while (r->have < r->need) {

        if (*pos == last) {
            return RS_AGAIN;
        }

        r->header[r->have++] = *(*pos)++;

        if (r->have == 2) {
            rc = rs_ws_pieces_first(r);

            if (rc != RS_OK) {
                return rc;
            }
        }
    }

    rc = rs_ws_pieces_length(r);

    if (rc != RS_OK) {
        return rc;
    }

    r->have = 0;
    r->need = 2;
    r->got = 0;
    r->in_payload = 1;

    return RS_OK;
}


/* 5.2, 5.4, 5.5: all that the first two bytes decide */

static rs_err_e
rs_ws_pieces_first(rs_ws_pieces_t *r)
{
    unsigned  opcode, len;

    opcode = r->header[0] & RS_WS_OPCODE;
    len = r->header[1] & RS_WS_LEN;

    if ((r->header[0] & RS_WS_RSV) || (r->header[1] & RS_WS_MASKED)
        || (opcode > RS_WS_BINARY && opcode < RS_WS_CLOSE)
        || opcode > RS_WS_PONG)
    {
        return RS_E_WS_PROTOCOL;
    }

    if (RS_WS_IS_CONTROL(opcode)) {

        if (!(r->header[0] & RS_WS_FIN) || len > RS_WS_CONTROL_MAX) {
            return RS_E_WS_PROTOCOL;
        }

    } else {

        if ((opcode == RS_WS_CONT) != r->in_message) {
            return RS_E_WS_PROTOCOL;
        }

        if (opcode == RS_WS_TEXT) {
            return RS_E_WS_UNSUPPORTED;
        }

        r->fin = (r->header[0] & RS_WS_FIN) != 0;
    }

    r->opcode = opcode;
    r->need = (uint8_t) (len == 127 ? 10 : len == 126 ? 4 : 2);

    return RS_OK;
}


static rs_err_e
rs_ws_pieces_length(rs_ws_pieces_t *r)
{
    unsigned  i;
    uint64_t  payload;

    payload = (r->need == 2) ? (r->header[1] & RS_WS_LEN) : 0;

    for (i = 2; i < r->need; i++) {
        payload = payload << 8 | r->header[i];
    }

    /* "the minimal number of bytes MUST be used", "the most significant
     * bit MUST be 0" */

    if ((r->need == 4 && payload < 126)
        || (r->need == 10 && (payload <= 0xffff || payload >> 63)))
    {
        return RS_E_WS_PROTOCOL;
    }

    r->left = payload;

    if (RS_WS_IS_CONTROL(r->opcode)) {
        return RS_OK;
    }

    if (!r->in_message) {
        r->len = 0;
    }

    if (payload > r->max_message - r->len) {
        return RS_E_WS_TOO_BIG;
    }

    r->len += payload;

    return RS_OK;
}


static rs_err_e
rs_ws_pieces_control(rs_ws_pieces_t *r, const uint8_t **pos,
    const uint8_t *last, rs_ws_piece_t *piece)
{
    size_t  n;

    n = (size_t) (last - *pos);

    if (n > r->left) {
        n = (size_t) r->left;
    }

    if (n) {
        memcpy(r->control + r->got, *pos, n);
        *pos += n;
        r->got = (uint8_t) (r->got + n);
        r->left -= n;
    }

    if (r->left) {
        return RS_AGAIN;
    }

    r->in_payload = 0;

    piece->opcode = r->opcode;
    piece->data = r->control;
    piece->len = r->got;
    piece->last = 1;
    piece->close_code = 0;

    return (r->opcode == RS_WS_CLOSE) ? rs_ws_pieces_close(r, piece) : RS_OK;
}


/* 5.5.1 */

static rs_err_e
rs_ws_pieces_close(rs_ws_pieces_t *r, rs_ws_piece_t *piece)
{
    r->closed = 1;

    if (piece->len == 0) {
        piece->close_code = RS_WS_NO_STATUS;
        return RS_OK;
    }

    if (piece->len == 1) {
        return RS_E_WS_PROTOCOL;
    }

    piece->close_code = (uint16_t) (piece->data[0] << 8 | piece->data[1]);
    piece->data += 2;
    piece->len -= 2;

    if (!rs_ws_close_code_valid(piece->close_code)) {
        return RS_E_WS_PROTOCOL;
    }

    return rs_utf8_valid((rs_str_t) { piece->data, piece->len })
           ? RS_OK : RS_E_WS_UTF8;
}
