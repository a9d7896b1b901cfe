
/*
 * Copyright (C) rs-gateway contributors
 *
 * Control channels of services, devices of another kind than a desktop: how
 * busy they say they are, and what they answer for sessions they are given.
 *
 * One `load` at a time is told to the store; of those that come meanwhile the
 * last one is, after it.  It is told again whenever the device is announced
 * again, for the store may have called it gone.
 */


#include "ngx_http_rs_device_invite.h"


/* s: it may have to wait for a place there */
#define NGX_HTTP_RS_RENDERER_TICKET  900


/* one answer for a session, while the store is told of it */

typedef struct {
    ngx_http_rs_dev_t           *dev;
    size_t                       len;
    u_char                       session_id[RS_ID_LEN];
} ngx_http_rs_answer_t;


static void ngx_http_rs_device_queued(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_unwanted(ngx_http_rs_answer_t *answer,
    rs_err_e code);
static void ngx_http_rs_device_service_tell(ngx_http_rs_dev_t *dev);
static void ngx_http_rs_device_service_told(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


void
ngx_http_rs_device_service(ngx_http_rs_dev_t *dev, ngx_str_t *kind)
{
    dev->service = (kind->len
                    && !rs_str_eq(ngx_http_rs_slice(kind),
                                  RS_STR("desktop")));
    dev->recorder = rs_str_eq(ngx_http_rs_slice(kind), RS_STR("recorder"));
    dev->renderer = rs_str_eq(ngx_http_rs_slice(kind), RS_STR("renderer"));

    if (dev->renderer) {
        dev->ticket_ttl = ngx_max(dev->ticket_ttl,
                                  NGX_HTTP_RS_RENDERER_TICKET);
    }
}


void
ngx_http_rs_device_load(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    if (!dev->service) {
        ngx_http_rs_conn_error(dev->rc, RS_E_CONFLICT,
                               "this device is no service: it was enrolled "
                               "as a desktop", 0);
        return;
    }

    dev->load = msg->load;

    if (!dev->loaded) {
        dev->loaded = 1;
        ngx_http_rs_device_record_work(dev);

    } else {
        ngx_http_rs_device_record_next(dev);
    }

    ngx_http_rs_device_service_tell(dev);
}


void
ngx_http_rs_device_service_again(ngx_http_rs_dev_t *dev)
{
    if (dev->loaded) {
        ngx_http_rs_device_service_tell(dev);
        ngx_http_rs_device_record_work(dev);
    }
}


static void
ngx_http_rs_device_service_tell(ngx_http_rs_dev_t *dev)
{
    ngx_http_rs_store_op_t  *op;

    if (dev->telling) {
        dev->tell = 1;
        return;
    }

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_service_told, dev);

    if (op == NULL
        || ngx_http_rs_store_service_load(op, &dev->tenant, &dev->id,
                                          &dev->address, &dev->load)
           != NGX_OK)
    {
        ngx_http_rs_device_again(dev);
        return;
    }

    dev->tell = 0;
    dev->telling = 1;
    dev->refs++;
}


static void
ngx_http_rs_device_service_told(void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    dev->telling = 0;

    if (dev->rc && !dev->rc->closing) {

        if (code == RS_E_UNAVAILABLE) {
            ngx_http_rs_device_again(dev);

        } else if (code != RS_OK) {
            /* it is being replaced, or was removed: its socket is closed */

            ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                          "rs device %V has its load refused: %s", &dev->id,
                          rs_err_code(code));

        } else if (dev->tell) {
            ngx_http_rs_device_service_tell(dev);
        }
    }

    ngx_http_rs_device_unref(dev);
}


void
ngx_http_rs_device_answer(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    ngx_str_t                session_id;
    ngx_http_rs_answer_t    *answer;
    ngx_http_rs_store_op_t  *op;

    session_id = ngx_http_rs_str(msg->session_id);

    if (!dev->renderer) {

        if (msg->type == RS_MSG_QUEUED) {
            ngx_http_rs_conn_error(dev->rc, RS_E_CONFLICT,
                                   "only sessions of a renderer wait for a "
                                   "place", 0);
        }

        ngx_http_rs_device_settle(dev, &session_id);
        return;
    }

    answer = ngx_alloc(sizeof(ngx_http_rs_answer_t), dev->rc->log);

    if (answer == NULL || session_id.len > sizeof(answer->session_id)) {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        ngx_free(answer);
        return;
    }

    answer->dev = dev;
    answer->len = session_id.len;
    ngx_memcpy(answer->session_id, session_id.data, session_id.len);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_queued, answer);

    if (op == NULL
        || ngx_http_rs_store_session_queue(op, &dev->tenant, &session_id,
                                           &dev->id, msg->place)
           != NGX_OK)
    {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        ngx_free(answer);
        return;
    }

    dev->refs++;
}


static void
ngx_http_rs_device_queued(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_answer_t *answer = data;

    ngx_http_rs_dev_t  *dev;

    dev = answer->dev;

    if (dev->rc && !dev->rc->closing) {

        if (code == RS_E_NOT_FOUND || code == RS_E_SESSION_ENDED) {
            ngx_http_rs_device_unwanted(answer, code);

        } else if (code != RS_OK && code != RS_E_CONFLICT) {
            /* that the host has joined meanwhile is no news to it */
            ngx_http_rs_conn_error(dev->rc, code, NULL, 0);
        }
    }

    ngx_free(answer);
    ngx_http_rs_device_unref(dev);
}


/*
 * It was over, or another one's, while the channel was away: what is kept for
 * it there is free.
 */

static void
ngx_http_rs_device_unwanted(ngx_http_rs_answer_t *answer, rs_err_e code)
{
    u_char    buf[RS_MSG_WRITE_MAX + 6 * RS_ID_LEN];
    rs_buf_t  b;

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_revoke(&b, (rs_str_t) { answer->session_id, answer->len },
                        rs_str(rs_err_code(code)));

    (void) ngx_http_rs_conn_send(answer->dev->rc, b.data, b.len);
}


void
ngx_http_rs_device_settle(ngx_http_rs_dev_t *dev, ngx_str_t *session_id)
{
    ngx_http_rs_store_op_t  *op;

    if (!dev->service) {
        return;
    }

    op = ngx_http_rs_store_op(dev->devices->rmcf->store, NULL, NULL);

    if (op) {
        /* refused: it counts for a minute more */

        (void) ngx_http_rs_store_service_taken(op, &dev->tenant, &dev->id,
                                               session_id);
    }
}
