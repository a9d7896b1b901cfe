
/*
 * Copyright (C) rs-gateway contributors
 *
 * The key of a device: another one, by a statement that the old one signed,
 * and what is told of a wrong one.  A change counts when a replica has it
 * (rs_redis_wait), for the device throws the old key away then; one that is
 * not confirmed is asked for again by the device, and is no second one.
 */


#include "ngx_http_rs_device_invite.h"


static void ngx_http_rs_device_rotated(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_told(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


void
ngx_http_rs_device_rotate(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    char                     text[RS_BASE64URL_LEN(RS_DEVKEY_SIGNATURE_LEN)];
    rs_err_e                 code;
    ngx_str_t                key, signature;
    ngx_http_rs_store_op_t  *op;

    if (dev->rotating) {
        ngx_http_rs_conn_error(dev->rc, RS_E_CONFLICT,
                               "a change of the key is under way", 0);
        return;
    }

    code = RS_OK;

    if (!rs_str_eq(ngx_http_rs_slice(&dev->key), msg->public_key)) {
        code = rs_devkey_rotation_verify(ngx_http_rs_slice(&dev->tenant),
                                         ngx_http_rs_slice(&dev->id),
                                         ngx_http_rs_slice(&dev->key),
                                         msg->public_key, msg->signature,
                                         msg->proof);
    }

    if (code != RS_OK) {
        ngx_http_rs_conn_error(dev->rc, RS_E_INVALID_VALUE,
                               "the statement is not signed by the device's "
                               "key and the new one", 0);
        return;
    }

    signature.data = (u_char *) text;
    signature.len = rs_base64url_encode(text, msg->signature,
                                        sizeof(msg->signature));
    key = ngx_http_rs_str(msg->public_key);

    /* the channel lives for long: its pool is asked once */

    if (dev->next.data == NULL) {
        dev->next.data = ngx_pnalloc(dev->pool, RS_DEVKEY_TEXT_LEN);

        if (dev->next.data == NULL) {
            ngx_http_rs_conn_error(dev->rc, RS_E_INTERNAL, NULL, 0);
            return;
        }
    }

    dev->next.len = RS_DEVKEY_TEXT_LEN;
    ngx_memcpy(dev->next.data, key.data, RS_DEVKEY_TEXT_LEN);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_rotated, dev);

    if (op == NULL
        || ngx_http_rs_store_device_rotate(op, &dev->tenant, &dev->id,
                                   &dev->address, &dev->key, &key, &signature,
                                   &dev->rc->connection->addr_text)
           != NGX_OK)
    {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        return;
    }

    dev->rotating = 1;
    dev->refs++;
}


static void
ngx_http_rs_device_rotated(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    rs_buf_t   b;
    u_char     buf[RS_MSG_WRITE_MAX];
    ngx_str_t  key;

    dev->rotating = 0;

    if (code == RS_OK) {
        key = dev->key;
        dev->key = dev->next;
        dev->next = key;
    }

    if (dev->rc == NULL || dev->rc->closing) {
        ngx_http_rs_device_unref(dev);
        return;
    }

    if (code == RS_OK) {
        ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_DEVICE_ROTATED);

        ngx_log_error(NGX_LOG_NOTICE, dev->rc->log, 0,
                      "rs device %V of %V has another key", &dev->id,
                      &dev->tenant);

        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_rotated(&b, ngx_http_rs_slice(&dev->key));
        (void) ngx_http_rs_conn_send(dev->rc, b.data, b.len);

    } else {
        ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                      "rs device %V of %V keeps its key: %s", &dev->id,
                      &dev->tenant, rs_err_code(code));

        ngx_http_rs_conn_error(dev->rc, code, NULL, 0);
    }

    ngx_http_rs_device_unref(dev);
}


void
ngx_http_rs_device_mismatch(ngx_http_rs_dev_t *dev, ngx_str_t *old_key)
{
    ngx_uint_t               retired;
    ngx_http_rs_store_op_t  *op;

    ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_DEVICE_MISMATCH);

    retired = old_key->len
              && rs_devkey_verify(ngx_http_rs_slice(old_key),
                                  ngx_http_rs_slice(&dev->host),
                                  ngx_http_rs_slice(&dev->tenant),
                                  ngx_http_rs_slice(&dev->id), dev->nonce,
                                  dev->signature)
                 == RS_OK;

    ngx_log_error(NGX_LOG_WARN, dev->rc->log, 0,
                  "rs device %V of %V: device_key_mismatch, %s", &dev->id,
                  &dev->tenant, retired ? "the key before its last rotation"
                                        : "a key that is not this device's");

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_told, dev);

    /* a store that takes no more calls is no reason to wait */

    if (op
        && ngx_http_rs_store_device_mismatch(op, &dev->tenant, &dev->id,
                                   &dev->rc->connection->addr_text, retired)
           == NGX_OK)
    {
        dev->refs++;
    }
}


static void
ngx_http_rs_device_told(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_device_unref(data);
}
