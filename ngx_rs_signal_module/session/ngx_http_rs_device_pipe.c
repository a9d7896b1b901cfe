
/*
 * Copyright (C) rs-gateway contributors
 *
 * Pipes a device is asked to open, as in ngx_http_rs_device_invite.c: an
 * envelope names the pipe, the store is asked what it is and is given the hash
 * of a ticket that only the device will see.
 *
 * What is not delivered is not asked for again: the client that waits is told
 * so by its own deadline, and somebody is there who can try once more.
 */


#include "ngx_http_rs_device_invite.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RS_OFFERS_MAX   64      /* under way, of one device */

/* of a command: its parameters and which are secret, as JSON */
#define NGX_HTTP_RS_OFFER_ARGS   6144

/* of `tunnel`: texts of 128 characters each, ids, a ticket; and these */
#define NGX_HTTP_RS_OFFER_SIZE   (8192 + NGX_HTTP_RS_OFFER_ARGS)


/* a pipe that the store is asked for; kept by its device and used again */

struct ngx_http_rs_offer_s {
    ngx_http_rs_offer_t         *next;
    ngx_http_rs_dev_t           *dev;
    u_char                       pipe_id[RS_ID_LEN];
    char                         secret[RS_ID_SECRET_LEN];
    ngx_str_t                    command;      /* or empty; secret as well */
};


static void ngx_http_rs_device_offer(ngx_http_rs_dev_t *dev,
    rs_str_t pipe_id, rs_str_t command);
static ngx_int_t ngx_http_rs_device_keep(ngx_http_rs_offer_t *offer,
    rs_str_t command);
static void ngx_http_rs_device_offered(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_send_offer(ngx_http_rs_dev_t *dev,
    ngx_http_rs_offer_t *offer, ngx_rs_reply_t *reply);
static void ngx_http_rs_device_unoffer(ngx_http_rs_offer_t *offer);
static void ngx_http_rs_device_refused(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


void
ngx_http_rs_device_pipe(ngx_http_rs_dev_t *dev, rs_env_t *env)
{
    u_char    buf[RS_MSG_WRITE_MAX];
    rs_buf_t  b;
    rs_str_t  word, code;

    (void) rs_str_split(env->body, ' ', &word, &code);

    if (rs_str_eq(word, RS_STR("open"))) {
        ngx_http_rs_device_offer(dev, env->session, code);
        return;
    }

    /* the word of an error, never a text of somebody's */

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_cut(&b, env->session,
                     rs_str(rs_err_code(rs_err_by_code(code))));

    (void) ngx_http_rs_conn_send(dev->rc, b.data, b.len);
}


static void
ngx_http_rs_device_offer(ngx_http_rs_dev_t *dev, rs_str_t pipe_id,
    rs_str_t command)
{
    char                       hash[RS_ID_HASH_LEN];
    ngx_http_rs_offer_t       *offer;
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_store_pipe_t   p;

    if (dev->offers >= NGX_HTTP_RS_OFFERS_MAX) {
        ngx_log_error(NGX_LOG_WARN, dev->rc->log, 0,
                      "rs device %V has %ui pipes under way, one is dropped",
                      &dev->id, dev->offers);
        return;
    }

    offer = dev->free_offers;

    if (offer) {
        dev->free_offers = offer->next;

    } else {
        offer = ngx_palloc(dev->pool, sizeof(ngx_http_rs_offer_t));
        if (offer == NULL) {
            return;
        }
    }

    offer->dev = dev;
    ngx_str_null(&offer->command);
    ngx_memcpy(offer->pipe_id, pipe_id.data, RS_ID_LEN);

    if (ngx_http_rs_device_keep(offer, command) != NGX_OK
        || ngx_http_rs_session_secret(offer->secret, hash, dev->rc->log)
           != NGX_OK)
    {
        ngx_http_rs_device_unoffer(offer);
        return;
    }

    ngx_memzero(&p, sizeof(ngx_http_rs_store_pipe_t));

    p.id = ngx_http_rs_str(pipe_id);
    p.device_id = dev->id;
    p.ticket_hash.data = (u_char *) hash;
    p.ticket_hash.len = sizeof(hash);
    p.ticket_ttl = dev->ticket_ttl;

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_offered, offer);

    if (op == NULL
        || ngx_http_rs_store_pipe_offer(op, &dev->tenant, &p, &dev->address)
           != NGX_OK)
    {
        ngx_http_rs_device_unoffer(offer);
        return;
    }

    dev->offers++;
    dev->refs++;
}


/* what the store does not keep */

static ngx_int_t
ngx_http_rs_device_keep(ngx_http_rs_offer_t *offer, rs_str_t command)
{
    ngx_log_t  *log;

    if (command.len == 0) {
        return NGX_OK;
    }

    log = offer->dev->rc->log;

    if (command.len > NGX_HTTP_RS_OFFER_ARGS) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rs device %V cannot be asked for %*s: %uz bytes of a "
                      "command are too many", &offer->dev->id,
                      sizeof(offer->pipe_id), offer->pipe_id, command.len);
        return NGX_ERROR;
    }

    offer->command.data = ngx_alloc(command.len, log);
    if (offer->command.data == NULL) {
        return NGX_ERROR;
    }

    offer->command.len = command.len;
    ngx_memcpy(offer->command.data, command.data, command.len);

    return NGX_OK;
}


static void
ngx_http_rs_device_offered(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_offer_t *offer = data;

    ngx_http_rs_dev_t  *dev;

    dev = offer->dev;
    dev->offers--;

    if (dev->rc && !dev->rc->closing) {

        if (code == RS_OK) {
            ngx_http_rs_device_send_offer(dev, offer, reply);

        } else {
            /* the client has left, or the device is elsewhere by now */

            ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                          "rs device %V is not asked for %*s: %s", &dev->id,
                          sizeof(offer->pipe_id), offer->pipe_id,
                          rs_err_code(code));
        }
    }

    ngx_http_rs_device_unoffer(offer);
    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_unoffer(ngx_http_rs_offer_t *offer)
{
    OPENSSL_cleanse(offer->secret, sizeof(offer->secret));

    if (offer->command.data) {
        OPENSSL_cleanse(offer->command.data, offer->command.len);
        ngx_free(offer->command.data);
        ngx_str_null(&offer->command);
    }

    offer->next = offer->dev->free_offers;
    offer->dev->free_offers = offer;
}


static void
ngx_http_rs_device_send_offer(ngx_http_rs_dev_t *dev,
    ngx_http_rs_offer_t *offer, ngx_rs_reply_t *reply)
{
    char           ticket[RS_ID_TICKET_MAX];
    u_char         buf[NGX_HTTP_RS_OFFER_SIZE];
    rs_buf_t       b;
    ngx_str_t      s[8];
    ngx_uint_t     i;
    rs_msg_open_t  open;

    for (i = 0; i < 8; i++) {
        s[i] = ngx_rs_reply_str(reply, 1 + i);
    }

    open.tunnel_id = ngx_http_rs_slice(&s[0]);
    open.pipe_id = (rs_str_t) { offer->pipe_id, RS_ID_LEN };
    open.protocol = ngx_http_rs_slice(&s[2]);
    open.label = ngx_http_rs_slice(&s[3]);
    open.kind = ngx_http_rs_slice(&s[4]);
    open.id = ngx_http_rs_slice(&s[5]);
    open.name = ngx_http_rs_slice(&s[6]);
    open.command = ngx_http_rs_slice(&offer->command);
    open.expires_at = 0;

    open.ticket.data = (uint8_t *) ticket;
    open.ticket.len = rs_pipe_ticket_format(ticket,
                                       ngx_http_rs_slice(&dev->tenant),
                                       open.pipe_id,
                                       (rs_str_t) { (uint8_t *) offer->secret,
                                                    sizeof(offer->secret) });

    rs_buf_init(&b, buf, sizeof(buf));

    if ((open.command.len
         || rs_endpoint_parse(ngx_http_rs_slice(&s[1]), &open.target)
            == RS_OK)
        && rs_u64_parse(ngx_http_rs_slice(&s[7]), NGX_MAX_INT_T_VALUE,
                        &open.expires_at))
    {
        rs_msg_write_open(&b, &open);
    }

    OPENSSL_cleanse(ticket, sizeof(ticket));

    if (b.len == 0 || b.overflow) {
        ngx_log_error(NGX_LOG_ERR, dev->rc->log, 0,
                      "rs device %V cannot be asked for %*s: the tunnel to "
                      "\"%V\" does not fit into a message", &dev->id,
                      sizeof(offer->pipe_id), offer->pipe_id, &s[1]);

    } else {
        ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                      "rs device %V is asked for %*s of %V", &dev->id,
                      sizeof(offer->pipe_id), offer->pipe_id, &s[0]);

        ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_PIPE_OFFERED);
        (void) ngx_http_rs_conn_send(dev->rc, b.data, b.len);
    }

    OPENSSL_cleanse(buf, b.len);
}


void
ngx_http_rs_device_refuse_pipe(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    u_char                     buf[RS_MSG_REASON_MAX * 4 + 64];
    ngx_str_t                  reason, comment, detail;
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_store_pipe_t   p;

    ngx_memzero(&p, sizeof(ngx_http_rs_store_pipe_t));

    p.id = ngx_http_rs_str(msg->pipe_id);
    p.object = ngx_http_rs_str(msg->tunnel_id);
    p.device_id = dev->id;

    reason = ngx_http_rs_str(msg->reason);
    comment = ngx_http_rs_str(msg->comment);

    detail.data = buf;
    detail.len = ngx_snprintf(buf, sizeof(buf), "%V %V", &reason, &comment)
                 - buf;

    ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                  "rs device %V refuses %V: %V", &dev->id, &p.id, &reason);

    ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_PIPE_REFUSED);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_refused, dev);

    if (op == NULL
        || ngx_http_rs_store_pipe_refuse(op, &dev->tenant, &p, &dev->address,
                                         rs_refuse_err(msg->refuse), &detail)
           != NGX_OK)
    {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        return;
    }

    dev->refs++;
}


static void
ngx_http_rs_device_refused(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    if (code != RS_OK && dev->rc && !dev->rc->closing) {
        ngx_http_rs_conn_error(dev->rc, code, NULL, 0);
    }

    ngx_http_rs_device_unref(dev);
}
