
/*
 * Copyright (C) rs-gateway contributors
 *
 * REST client: see rl_rest.h.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rl_http.h"
#include "rl_rest.h"


#define RL_REST_BASE           (200 * RL_MS)
#define RL_REST_CAP            (5 * RL_SEC)


typedef struct rl_call_s  rl_call_t;

struct rl_call_s {
    rl_call_t        *next;
    rl_rest_t        *rest;
    const char       *method;
    char              path[192];
    char             *body;
    size_t            len;
    uint64_t          idempotency[2];
    unsigned          tries;
    rl_timer_t        again;
    rl_rest_pt        handler;
    void             *data;
};


typedef struct {
    rl_conn_t         conn;
    rl_rest_t        *rest;
    rl_call_t        *call;
    rl_timer_t        deadline;
    uint8_t          *in;
    size_t            len;
} rl_rest_conn_t;


struct rl_rest_s {
    rl_net_t         *net;
    const char       *key;
    rl_call_t        *first;          /* waiting for a connection */
    rl_call_t       **last;
    rl_call_t        *later;          /* waiting for their time */
    size_t            pending;
    uint64_t          retries;
    char              trouble[512];
    unsigned          nconns;
    rl_rest_conn_t    conns[RL_REST_CONNS];
};


static void rl_rest_queue(rl_call_t *call);
static void rl_rest_next(rl_rest_t *rest);
static void rl_rest_again(void *data);
static void rl_rest_retry(rl_rest_t *rest, rl_call_t *call, uint64_t wait,
    unsigned status, const char *why);
static void rl_rest_free(rl_call_t *call);
static void rl_rest_open(void *data);
static void rl_rest_data(void *data, uint8_t *p, size_t len);
static void rl_rest_close(void *data, const char *why);
static void rl_rest_timeout(void *data);
static void rl_rest_answer(rl_rest_conn_t *rc, const rl_http_t *h);


rl_rest_t *
rl_rest_create(rl_net_t *net, const char *key, unsigned conns)
{
    unsigned         i;
    rl_rest_t       *rest;
    rl_rest_conn_t  *rc;

    rest = calloc(1, sizeof(rl_rest_t));

    if (rest == NULL) {
        return NULL;
    }

    rest->net = net;
    rest->key = key;
    rest->last = &rest->first;
    rest->nconns = conns < RL_REST_CONNS ? conns : RL_REST_CONNS;

    for (i = 0; i < rest->nconns; i++) {
        rc = &rest->conns[i];
        rc->rest = rest;
        rc->deadline.handler = rl_rest_timeout;
        rc->deadline.data = rc;
        rc->conn.data = rc;
        rc->conn.on_open = rl_rest_open;
        rc->conn.on_data = rl_rest_data;
        rc->conn.on_close = rl_rest_close;
    }

    return rest;
}


void
rl_rest_destroy(rl_rest_t *rest)
{
    unsigned    i;
    rl_call_t  *call, *next;

    if (rest == NULL) {
        return;
    }

    for (i = 0; i < rest->nconns; i++) {
        rl_timer_del(&rest->conns[i].deadline);
        rl_conn_destroy(&rest->conns[i].conn);
        free(rest->conns[i].in);

        if (rest->conns[i].call != NULL) {
            rl_rest_free(rest->conns[i].call);
        }
    }

    for (call = rest->first; call; call = next) {
        next = call->next;
        rl_rest_free(call);
    }

    for (call = rest->later; call; call = next) {
        next = call->next;
        rl_timer_del(&call->again);
        rl_rest_free(call);
    }

    free(rest);
}


size_t
rl_rest_pending(const rl_rest_t *rest)
{
    return rest->pending;
}


uint64_t
rl_rest_retries(const rl_rest_t *rest)
{
    return rest->retries;
}


const char *
rl_rest_trouble(const rl_rest_t *rest)
{
    return rest->trouble;
}


static void
rl_rest_free(rl_call_t *call)
{
    free(call->body);
    free(call);
}


int
rl_rest_call(rl_rest_t *rest, const char *method, const char *path,
    json_t *body, rl_rest_pt handler, void *data)
{
    char       *text;
    rl_call_t  *call;

    text = NULL;

    if (body != NULL) {
        text = json_dumps(body, JSON_COMPACT);
        json_decref(body);

        if (text == NULL) {
            return -1;
        }
    }

    call = calloc(1, sizeof(rl_call_t));

    if (call == NULL) {
        free(text);
        return -1;
    }

    call->rest = rest;
    call->method = method;
    (void) snprintf(call->path, sizeof(call->path), "%s", path);
    call->body = text;
    call->len = text ? strlen(text) : 0;
    call->idempotency[0] = rl_random(UINT64_MAX);
    call->idempotency[1] = rl_random(UINT64_MAX);
    call->again.handler = rl_rest_again;
    call->again.data = call;
    call->handler = handler;
    call->data = data;

    rest->pending++;
    rl_rest_queue(call);
    rl_rest_next(rest);

    return 0;
}


static void
rl_rest_queue(rl_call_t *call)
{
    call->next = NULL;
    *call->rest->last = call;
    call->rest->last = &call->next;
}


static void
rl_rest_next(rl_rest_t *rest)
{
    unsigned         i;
    rl_rest_conn_t  *rc;

    for (i = 0; i < rest->nconns && rest->first; i++) {
        rc = &rest->conns[i];

        if (rc->call != NULL) {
            continue;
        }

        rc->call = rest->first;
        rest->first = rc->call->next;

        if (rest->first == NULL) {
            rest->last = &rest->first;
        }

        rl_timer_set(&rc->deadline, RL_REST_TIMEOUT);

        if (rc->conn.state == RL_CONN_OPEN) {
            rl_rest_open(rc);

        } else {
            rl_conn_open(&rc->conn, rest->net, RL_REST_TIMEOUT);
        }
    }
}


/* the connection stands: sends its call */

static void
rl_rest_open(void *data)
{
    int              n;
    char             head[1024];
    uint8_t         *p;
    rl_call_t       *call;
    rl_rest_conn_t  *rc;

    rc = data;
    call = rc->call;

    n = snprintf(head, sizeof(head), "%s %s%s HTTP/1.1\r\nHost: %s\r\n"
                 "Authorization: Bearer %s\r\n%s"
                 "Content-Length: %zu\r\n", call->method,
                 rc->conn.target->base, call->path,
                 rc->conn.target->authority, rc->rest->key,
                 call->body ? "Content-Type: application/json\r\n" : "",
                 call->len);

    if (strcmp(call->method, "POST") == 0) {
        n += snprintf(head + n, sizeof(head) - (size_t) n,
                      "Idempotency-Key: %016llx%016llx\r\n",
                      (unsigned long long) call->idempotency[0],
                      (unsigned long long) call->idempotency[1]);
    }

    n += snprintf(head + n, sizeof(head) - (size_t) n, "\r\n");

    p = rl_conn_put(&rc->conn, (size_t) n + call->len);

    if (p == NULL) {
        rl_conn_close(&rc->conn);
        rl_rest_close(rc, "no memory");
        return;
    }

    memcpy(p, head, (size_t) n);

    if (call->len) {
        memcpy(p + n, call->body, call->len);
    }
}


static void
rl_rest_data(void *data, uint8_t *p, size_t len)
{
    uint8_t         *in;
    rs_err_e         err;
    rl_http_t        h;
    rl_rest_conn_t  *rc;

    rc = data;

    in = rc->len + len <= RL_REST_BODY_MAX ? realloc(rc->in, rc->len + len)
                                           : NULL;

    if (in == NULL || rc->call == NULL) {
        rl_conn_close(&rc->conn);
        rl_rest_close(rc, in ? "an answer nobody asked for"
                             : "answer too large");
        return;
    }

    memcpy(in + rc->len, p, len);
    rc->in = in;
    rc->len += len;

    err = rl_http_parse((rs_str_t) { rc->in, rc->len }, &h);

    if (err == RS_AGAIN) {
        return;
    }

    if (err != RS_OK || h.chunked || (!h.has_length && h.status != 204)) {
        rl_conn_close(&rc->conn);
        rl_rest_close(rc, "an HTTP answer without length");
        return;
    }

    if (rc->len - h.len >= h.content_length) {
        rl_rest_answer(rc, &h);
    }
}


static void
rl_rest_answer(rl_rest_conn_t *rc, const rl_http_t *h)
{
    json_t     *body;
    uint64_t    wait;
    rl_call_t  *call;
    rl_rest_t  *rest;

    rest = rc->rest;
    call = rc->call;
    rc->call = NULL;
    rl_timer_del(&rc->deadline);

    body = json_loadb((char *) rc->in + h->len, (size_t) h->content_length,
                      0, NULL);
    free(rc->in);
    rc->in = NULL;
    rc->len = 0;

    if (!h->keepalive) {
        rl_conn_close(&rc->conn);
    }

    if ((h->status == 429 || h->status >= 502) && call->tries < RL_REST_TRIES)
    {
        wait = h->retry_after_s * RL_SEC;
        rl_rest_retry(rest, call, wait, h->status, "refused");

    } else {
        rest->pending--;
        call->handler(call->data, h->status, body, "answered");
        rl_rest_free(call);
    }

    json_decref(body);
    rl_rest_next(rest);
}


static void
rl_rest_close(void *data, const char *why)
{
    rl_call_t       *call;
    rl_rest_conn_t  *rc;

    rc = data;
    call = rc->call;
    rc->call = NULL;

    rl_timer_del(&rc->deadline);
    free(rc->in);
    rc->in = NULL;
    rc->len = 0;

    if (call != NULL) {
        rl_rest_retry(rc->rest, call, 0, 0, why);
        rl_rest_next(rc->rest);
    }
}


static void
rl_rest_timeout(void *data)
{
    rl_rest_conn_t  *rc;

    rc = data;
    rl_conn_close(&rc->conn);
    rl_rest_close(rc, "no answer in time");
}


static void
rl_rest_retry(rl_rest_t *rest, rl_call_t *call, uint64_t wait,
    unsigned status, const char *why)
{
    uint64_t  top;

    (void) snprintf(rest->trouble, sizeof(rest->trouble), "%s %s: %s (HTTP %u)",
                    call->method, call->path, why, status);

    if (++call->tries > RL_REST_TRIES) {
        rest->pending--;
        call->handler(call->data, status, NULL, why);
        rl_rest_free(call);
        return;
    }

    rest->retries++;

    top = RL_REST_BASE << (call->tries < 10 ? call->tries : 10);
    call->next = rest->later;
    rest->later = call;
    rl_timer_set(&call->again,
                 wait + rl_random(top < RL_REST_CAP ? top : RL_REST_CAP));
}


static void
rl_rest_again(void *data)
{
    rl_call_t  *call, **p;

    call = data;

    for (p = &call->rest->later; *p; p = &(*p)->next) {
        if (*p == call) {
            *p = call->next;
            break;
        }
    }

    rl_rest_queue(call);
    rl_rest_next(call->rest);
}
