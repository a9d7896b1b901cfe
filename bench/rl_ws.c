
/*
 * Copyright (C) rs-gateway contributors
 *
 * WebSocket client: see rl_ws.h.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rl_http.h"
#include "rl_ws.h"


static void rl_ws_conn_open(void *data);
static void rl_ws_conn_data(void *data, uint8_t *p, size_t len);
static void rl_ws_conn_close(void *data, const char *why);
static void rl_ws_timeout(void *data);
static void rl_ws_upgraded(rl_ws_t *ws, uint8_t *p, size_t len);
static void rl_ws_frames(rl_ws_t *ws, uint8_t *p, size_t len);
static int rl_ws_frame(rl_ws_t *ws, unsigned opcode, const void *payload,
    size_t len);
static void rl_ws_end(rl_ws_t *ws, const rl_ws_end_t *end);
static void rl_ws_release(rl_ws_t *ws);


void
rl_ws_open(rl_ws_t *ws, rl_net_t *net, const char *path,
    const char *protocols)
{
    int                 n;
    size_t              i;
    char                key[RS_WS_KEY_LEN + 1];
    uint8_t             nonce[16];
    const rl_target_t  *t;

    for (i = 0; i < sizeof(nonce); i++) {
        nonce[i] = (uint8_t) rl_random(255);
    }

    (void) rs_base64_encode(key, nonce, sizeof(nonce));
    key[RS_WS_KEY_LEN] = '\0';
    (void) rs_ws_accept((rs_str_t) { (uint8_t *) key, RS_WS_KEY_LEN },
                        ws->accept);

    ws->conn.data = ws;
    ws->conn.on_open = rl_ws_conn_open;
    ws->conn.on_data = rl_ws_conn_data;
    ws->conn.on_close = rl_ws_conn_close;
    ws->deadline.handler = rl_ws_timeout;
    ws->deadline.data = ws;
    ws->open = 0;
    ws->closing = 0;

    rs_ws_reader_init_client(&ws->reader, RL_WS_MESSAGE_MAX,
                             RL_WS_FRAMES_MAX);
    rl_timer_set(&ws->deadline, RL_WS_TIMEOUT);
    rl_conn_open(&ws->conn, net, RL_WS_TIMEOUT);

    t = ws->conn.target;
    n = asprintf(&ws->request, "GET %s%s HTTP/1.1\r\nHost: %s\r\n"
                 "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Protocol: rs.v1%s%s\r\n\r\n", t->base, path,
                 t->authority, key, protocols ? ", " : "",
                 protocols ? protocols : "");

    if (n < 0) {
        ws->request = NULL;
    }
}


static void
rl_ws_conn_open(void *data)
{
    size_t    len;
    uint8_t  *p;
    rl_ws_t  *ws;

    ws = data;
    len = ws->request ? strlen(ws->request) : 0;
    p = len ? rl_conn_put(&ws->conn, len) : NULL;

    if (p == NULL) {
        rl_ws_end(ws, &(rl_ws_end_t) { .why = "no memory" });
        return;
    }

    memcpy(p, ws->request, len);
    free(ws->request);
    ws->request = NULL;
}


static void
rl_ws_conn_data(void *data, uint8_t *p, size_t len)
{
    char     *head;
    rl_ws_t  *ws;

    ws = data;
    ws->heard = rl_loop_now();

    if (ws->open) {
        rl_ws_frames(ws, p, len);
        return;
    }

    if (ws->head_len + len > RL_WS_HEAD_MAX) {

        /* frames may follow the head at once: they are not counted */

        head = memmem(p, len, "\r\n\r\n", 4);

        if (head == NULL) {
            rl_ws_end(ws, &(rl_ws_end_t) { .why = "answer too large" });
            return;
        }
    }

    head = realloc(ws->head, ws->head_len + len);

    if (head == NULL) {
        rl_ws_end(ws, &(rl_ws_end_t) { .why = "no memory" });
        return;
    }

    ws->head = head;
    memcpy(head + ws->head_len, p, len);
    ws->head_len += len;

    rl_ws_upgraded(ws, (uint8_t *) head, ws->head_len);
}


static void
rl_ws_upgraded(rl_ws_t *ws, uint8_t *p, size_t len)
{
    rs_err_e   rc;
    uint64_t   opened;
    rl_http_t  h;

    rc = rl_http_parse((rs_str_t) { p, len }, &h);

    if (rc == RS_AGAIN) {
        return;
    }

    if (rc != RS_OK) {
        rl_ws_end(ws, &(rl_ws_end_t) { .why = "not an HTTP answer" });
        return;
    }

    if (h.status != 101) {
        rl_ws_end(ws, &(rl_ws_end_t) { .status = h.status,
                      .retry_after_s = h.retry_after_s,
                      .why = "upgrade refused" });
        return;
    }

    if (!rs_str_eq(h.accept, (rs_str_t) { (uint8_t *) ws->accept,
                                          RS_WS_ACCEPT_LEN })
        || !rs_str_eq(h.protocol, RS_STR("rs.v1")))
    {
        rl_ws_end(ws, &(rl_ws_end_t) { .why = "not a WebSocket answer" });
        return;
    }

    rl_timer_del(&ws->deadline);

    ws->open = 1;
    ws->head = NULL;
    ws->head_len = 0;
    opened = ws->conn.opened;

    ws->on_open(ws->data);

    if (ws->open && ws->conn.opened == opened && len > h.len) {
        rl_ws_frames(ws, p + h.len, len - h.len);
    }

    free(p);
}


static void
rl_ws_frames(rl_ws_t *ws, uint8_t *p, size_t len)
{
    uint8_t        *last;
    uint64_t        opened;
    rs_err_e        rc;
    rs_ws_event_t   ev;

    last = p + len;
    opened = ws->conn.opened;

    for ( ;; ) {
        rc = rs_ws_read(&ws->reader, &p, last, &ev);

        if (rc == RS_AGAIN) {
            break;
        }

        if (rc != RS_OK) {
            rl_ws_end(ws, &(rl_ws_end_t) { .why = rs_err_code(rc) });
            return;
        }

        if (ev.opcode == RS_WS_TEXT) {
            ws->on_text(ws->data, ev.data, ev.len);

            if (!ws->open || ws->conn.opened != opened) {
                return;
            }

        } else if (ev.opcode == RS_WS_PING) {
            (void) rl_ws_frame(ws, RS_WS_PONG, ev.data, ev.len);

        } else if (ev.opcode == RS_WS_CLOSE) {
            rl_ws_end(ws, &(rl_ws_end_t) { .code = ev.close_code,
                          .why = "close frame" });
            return;
        }
    }

    rs_ws_reader_release(&ws->reader);
}


static int
rl_ws_frame(rl_ws_t *ws, unsigned opcode, const void *payload, size_t len)
{
    size_t    n;
    uint8_t  *p;
    uint8_t   mask[4], header[RS_WS_HEADER_MAX];
    uint32_t  r;

    r = (uint32_t) rl_random(UINT32_MAX);
    memcpy(mask, &r, 4);

    n = rs_ws_header_masked(header, opcode, len, mask);
    p = rl_conn_put(&ws->conn, n + len);

    if (p == NULL) {
        return -1;
    }

    memcpy(p, header, n);
    memcpy(p + n, payload, len);
    rs_ws_mask(p + n, len, mask, 0);

    return 0;
}


int
rl_ws_send(rl_ws_t *ws, const void *text, size_t len)
{
    return ws->open && !ws->closing
           ? rl_ws_frame(ws, RS_WS_TEXT, text, len) : -1;
}


void
rl_ws_close(rl_ws_t *ws, unsigned code)
{
    size_t   len;
    uint8_t  payload[RS_WS_CONTROL_MAX];

    if (ws->closing) {
        return;
    }

    len = rs_ws_close_payload(payload, code, rs_str(NULL));

    if (!ws->open || rl_ws_frame(ws, RS_WS_CLOSE, payload, len) != 0) {
        rl_ws_drop(ws);
        return;
    }

    ws->closing = 1;
    rl_timer_set(&ws->deadline, RL_WS_TIMEOUT);
}


static void
rl_ws_conn_close(void *data, const char *why)
{
    rl_ws_t  *ws;

    ws = data;
    rl_ws_end(ws, &(rl_ws_end_t) { .why = why });
}


static void
rl_ws_timeout(void *data)
{
    rl_ws_t  *ws;

    ws = data;
    rl_ws_end(ws, &(rl_ws_end_t) { .why = ws->open ? "no close in time"
                                                   : "no answer in time" });
}


static void
rl_ws_end(rl_ws_t *ws, const rl_ws_end_t *end)
{
    rl_ws_drop(ws);
    ws->on_close(ws->data, end);
}


static void
rl_ws_release(rl_ws_t *ws)
{
    rl_timer_del(&ws->deadline);
    rs_ws_reader_destroy(&ws->reader);
    free(ws->request);
    ws->request = NULL;
    free(ws->head);
    ws->head = NULL;
    ws->head_len = 0;
    ws->open = 0;
}


void
rl_ws_drop(rl_ws_t *ws)
{
    rl_conn_close(&ws->conn);
    rl_ws_release(ws);
}


void
rl_ws_destroy(rl_ws_t *ws)
{
    rl_conn_destroy(&ws->conn);
    rl_ws_release(ws);
}
