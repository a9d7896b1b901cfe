
/*
 * Copyright (C) rs-gateway contributors
 *
 * Heads of HTTP answers: see rl_http.h.
 */


#include <string.h>

#include "rl_http.h"


static rs_err_e rl_http_status(rs_str_t line, rl_http_t *h);
static rs_err_e rl_http_header(rs_str_t line, rl_http_t *h);
static rs_str_t rl_http_trim(rs_str_t s);


rs_err_e
rl_http_parse(rs_str_t s, rl_http_t *h)
{
    int             first;
    rs_str_t        rest, line;
    const uint8_t  *end;

    memset(h, 0, sizeof(rl_http_t));
    h->keepalive = 1;

    end = memmem(s.data, s.len, "\r\n\r\n", 4);

    if (end == NULL) {
        return RS_AGAIN;
    }

    h->len = (size_t) (end - s.data) + 4;
    rest.data = s.data;
    rest.len = h->len - 2;

    for (first = 1; rest.len; first = 0) {
        if (!rs_str_split(rest, '\n', &line, &rest) || line.len == 0
            || line.data[line.len - 1] != '\r')
        {
            return RS_E_BAD_REQUEST;
        }

        line.len--;

        if ((first ? rl_http_status(line, h) : rl_http_header(line, h))
            != RS_OK)
        {
            return RS_E_BAD_REQUEST;
        }
    }

    return RS_OK;
}


static rs_err_e
rl_http_status(rs_str_t line, rl_http_t *h)
{
    uint64_t  status;

    if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) != 0
        || line.data[8] != ' '
        || !rs_u64_parse((rs_str_t) { line.data + 9, 3 }, 599, &status)
        || status < 100)
    {
        return RS_E_BAD_REQUEST;
    }

    h->status = (unsigned) status;

    return RS_OK;
}


static rs_str_t
rl_http_trim(rs_str_t s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }

    return s;
}


static rs_err_e
rl_http_header(rs_str_t line, rl_http_t *h)
{
    rs_str_t  name, value;

    if (!rs_str_split(line, ':', &name, &value)) {
        return RS_E_BAD_REQUEST;
    }

    value = rl_http_trim(value);

    if (rs_str_eq_ci(name, RS_STR("content-length"))) {
        h->has_length = 1;

        return rs_u64_parse(value, UINT32_MAX, &h->content_length)
               ? RS_OK : RS_E_BAD_REQUEST;
    }

    if (rs_str_eq_ci(name, RS_STR("retry-after"))) {

        /* a date, which it may be as well, is as good as none */

        if (!rs_u64_parse(value, 3600, &h->retry_after_s)) {
            h->retry_after_s = 0;
        }

    } else if (rs_str_eq_ci(name, RS_STR("transfer-encoding"))) {
        h->chunked = 1;

    } else if (rs_str_eq_ci(name, RS_STR("connection"))) {
        h->keepalive = !rs_str_eq_ci(value, RS_STR("close"));

    } else if (rs_str_eq_ci(name, RS_STR("sec-websocket-accept"))) {
        h->accept = value;

    } else if (rs_str_eq_ci(name, RS_STR("sec-websocket-protocol"))) {
        h->protocol = value;
    }

    return RS_OK;
}
