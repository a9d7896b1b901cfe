
/*
 * Copyright (C) rs-gateway contributors
 *
 * Control channels of devices on this worker.
 *
 *   challenged  the nonce was sent; the only message taken is `hello`
 *   checking    the store is asked for the key, then told of the address
 *   live        `welcome` was sent
 *
 * The address is written to the device's record by rs_device_online before
 * the welcome, so an invitation may come between the two, all the more when a
 * replica has to confirm it: then the device is announced once more after the
 * welcome, and is told of all its sessions by that.
 *
 * Its coming online and its going offline may travel over different links to
 * the store: the second is not asked for before the first is answered.
 *
 * What a stranger can learn is nothing: an unknown device, a foreign tenant
 * and a wrong signature have one answer.
 *
 * Sessions a device is asked into are ngx_http_rs_device_invite.c, its key is
 * ngx_http_rs_device_key.c, one whose socket is gone
 * ngx_http_rs_device_away.c, one of another kind
 * ngx_http_rs_device_service.c, what recorders say
 * ngx_http_rs_device_record.c.
 */


#include "ngx_http_rs_device_invite.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


#define NGX_HTTP_RS_DEVICE_POOL       704

#define NGX_HTTP_RS_DEVICE_REFUSED                                           \
    "the device is not known here or the signature does not match its key"

#define NGX_HTTP_RS_DEVICE_BANNED                                            \
    "too many signatures from this address did not match; come back later"

#define NGX_HTTP_RS_DEVICE_TWICE                                             \
    "the key of this device is in use on two machines; come back in %L s"


static void ngx_http_rs_devices_cleanup(void *data);

static void ngx_http_rs_device_message(ngx_http_rs_conn_t *rc, u_char *data,
    size_t len);
static void ngx_http_rs_device_act(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
static void ngx_http_rs_device_closed(ngx_http_rs_conn_t *rc, rs_err_e code);

static ngx_int_t ngx_http_rs_device_challenge(ngx_http_rs_dev_t *dev,
    rs_str_t nonce);
static void ngx_http_rs_device_hello(ngx_http_rs_dev_t *dev, rs_msg_t *msg);
static void ngx_http_rs_device_found(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_admitted(void *data, rs_err_e code);
static void ngx_http_rs_device_who(ngx_http_rs_dev_t *dev,
    ngx_http_rs_ban_who_t *who);
static void ngx_http_rs_device_refuse(ngx_http_rs_dev_t *dev, rs_err_e code);
static ngx_int_t ngx_http_rs_device_go_online(ngx_http_rs_dev_t *dev);
static void ngx_http_rs_device_online(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_quarantined(ngx_http_rs_dev_t *dev,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_device_welcome(ngx_http_rs_dev_t *dev);
static void ngx_http_rs_device_back(ngx_http_rs_conn_t *rc);

static void ngx_http_rs_device_tick(ngx_event_t *ev);


static const ngx_http_rs_conn_handlers_t  ngx_http_rs_device_handlers = {
    ngx_http_rs_device_message,
    ngx_http_rs_device_closed,
    NULL
};


ngx_http_rs_devices_t *
ngx_http_rs_devices_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_rs_devices_t  *devices;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool,
                               sizeof(ngx_http_rs_devices_t));
    if (cln == NULL) {
        return NULL;
    }

    devices = cln->data;
    ngx_memzero(devices, sizeof(ngx_http_rs_devices_t));

    cln->handler = ngx_http_rs_devices_cleanup;

    devices->rmcf = rmcf;
    devices->log = log;

    ngx_queue_init(&devices->all);
    ngx_queue_init(&devices->live);
    ngx_queue_init(&devices->announce);

    devices->tick.handler = ngx_http_rs_device_tick;
    devices->tick.data = devices;
    devices->tick.log = log;
    devices->tick.cancelable = 1;

    ngx_queue_init(&devices->away);

    ngx_http_rs_device_away_init(devices);

    return devices;
}


/* the process ends: sockets may be open still, nothing runs any more */

static void
ngx_http_rs_devices_cleanup(void *data)
{
    ngx_http_rs_devices_t *devices = data;

    ngx_queue_t        *q;
    ngx_http_rs_dev_t  *dev;

    while (!ngx_queue_empty(&devices->all)) {
        q = ngx_queue_head(&devices->all);
        dev = ngx_queue_data(q, ngx_http_rs_dev_t, all);

        ngx_queue_remove(q);
        ngx_destroy_pool(dev->pool);
    }
}


ngx_int_t
ngx_http_rs_device_start(ngx_http_request_t *r, rs_str_t nonce,
    ngx_http_rs_conn_t **rcp)
{
    ngx_pool_t               *pool;
    ngx_http_rs_dev_t        *dev;
    ngx_http_rs_conn_t       *rc;
    ngx_http_rs_loc_conf_t   *rlcf;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    pool = ngx_create_pool(NGX_HTTP_RS_DEVICE_POOL, rmcf->devices->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    dev = ngx_pcalloc(pool, sizeof(ngx_http_rs_dev_t));
    if (dev == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    dev->pool = pool;
    dev->devices = rmcf->devices;
    dev->ticket_ttl = rlcf->ticket_ttl;

    rs_bucket_init(&dev->messages, rlcf->message_rate, rlcf->message_burst,
                   ngx_current_msec);

    if (ngx_http_rs_session_copy(pool, &dev->host,
                                 ngx_http_rs_slice(&r->headers_in.server))
        != NGX_OK
        || RAND_bytes(dev->nonce, sizeof(dev->nonce)) != 1)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    rc = ngx_http_rs_conn_create(r, &ngx_http_rs_device_handlers, dev);
    if (rc == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    /* from here on the close handler ends dev */

    *rcp = rc;

    dev->rc = rc;
    dev->refs = 1;
    ngx_queue_insert_tail(&dev->devices->all, &dev->all);
    ngx_queue_insert_tail(&dev->devices->live, &dev->queue);

    ngx_http_rs_count(rc->rmcf, NGX_HTTP_RS_STAT_CONN_AGENT);
    ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_AGENTS, 1);

    if (rc->closing) {
        /* the worker ends */
        return NGX_DONE;
    }

    if (ngx_http_rs_session_copy(pool, &dev->address,
                                 ngx_http_rs_slice(&rc->address))
        != NGX_OK
        || ngx_http_rs_device_challenge(dev, nonce) != NGX_OK)
    {
        ngx_http_rs_conn_close(rc, RS_E_INTERNAL, NULL);
        return NGX_DONE;
    }

    ngx_http_rs_conn_deadline(rc, rlcf->hello_timeout);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_rs_device_challenge(ngx_http_rs_dev_t *dev, rs_str_t nonce)
{
    rs_buf_t                  b, proof;
    ngx_http_rs_main_conf_t  *rmcf;

    u_char  identity[NGX_HTTP_RS_IDENTITY_MAX];
    u_char  buf[RS_MSG_WRITE_MAX + 6 * RS_DEVKEY_HOST_MAX + sizeof(identity)];

    rmcf = dev->devices->rmcf;

    rs_buf_init(&proof, identity, sizeof(identity));

    if (nonce.len && rmcf->fleet.offer
        && ngx_http_rs_identity_prove(&rmcf->fleet, &proof,
                                      ngx_http_rs_slice(&dev->host), nonce,
                                      dev->nonce)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_challenge(&b, NGX_HTTP_RS_API_VERSION, dev->nonce,
                           ngx_http_rs_slice(&dev->host), rs_buf_get(&proof));
    if (b.overflow) {
        return NGX_ERROR;
    }

    return ngx_http_rs_conn_send(dev->rc, b.data, b.len);
}


static void
ngx_http_rs_device_message(ngx_http_rs_conn_t *rc, u_char *data, size_t len)
{
    ngx_http_rs_dev_t *dev = rc->data;

    rs_err_e  code;
    rs_msg_t  msg;

    if (dev->bye) {
        return;
    }

    if (!rs_bucket_take(&dev->messages, 1, ngx_current_msec)) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs device %V sends too many messages", &dev->id);
        ngx_http_rs_conn_close(rc, RS_E_RATE_LIMITED, NULL);
        return;
    }

    code = rs_msg_parse(&msg, RS_CHANNEL_AGENT, data, len);

    if (code != RS_OK) {
        ngx_http_rs_count(rc->rmcf, NGX_HTTP_RS_STAT_MESSAGE_BAD);

        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs device message of %V is refused: %s, %s",
                      &dev->id, rs_err_code(code), msg.error.text);

        if (rs_err_ws_close(code)) {
            ngx_http_rs_conn_close(rc, code, msg.error.text);
            return;
        }

        ngx_http_rs_conn_error(rc, code, msg.error.text, 0);

        if (dev->state != NGX_HTTP_RS_DEVICE_LIVE) {
            /* a stranger has one try */
            ngx_http_rs_conn_end(rc, RS_E_BEFORE_WELCOME);
        }

        return;
    }

    ngx_http_rs_count(rc->rmcf, NGX_HTTP_RS_STAT_MESSAGE + msg.type);

    ngx_http_rs_device_act(dev, &msg);

    rs_msg_free(&msg);
}


static void
ngx_http_rs_device_act(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    rs_buf_t   b;
    u_char     buf[RS_MSG_WRITE_MAX];
    ngx_str_t  session_id;

    if (msg->type == RS_MSG_HELLO
        && dev->state == NGX_HTTP_RS_DEVICE_CHALLENGED)
    {
        ngx_http_rs_device_hello(dev, msg);
        return;
    }

    if (dev->state != NGX_HTTP_RS_DEVICE_LIVE) {
        ngx_http_rs_conn_close(dev->rc, RS_E_BEFORE_WELCOME, NULL);
        return;
    }

    switch (msg->type) {

    case RS_MSG_HELLO:
        ngx_http_rs_conn_error(dev->rc, RS_E_CONFLICT,
                               "hello was said already", 0);
        break;

    case RS_MSG_ACCEPT:
        session_id = ngx_http_rs_str(msg->session_id);
        ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                      "rs device %V accepts %V", &dev->id, &session_id);
        ngx_http_rs_device_answer(dev, msg);
        break;

    case RS_MSG_QUEUED:
        ngx_http_rs_device_answer(dev, msg);
        break;

    case RS_MSG_LOAD:
        ngx_http_rs_device_load(dev, msg);
        break;

    case RS_MSG_RECORDING:
        ngx_http_rs_device_recording(dev, msg);
        break;

    case RS_MSG_REJECT:
        ngx_http_rs_device_reject(dev, msg);
        break;

    case RS_MSG_ROTATE:
        ngx_http_rs_device_rotate(dev, msg);
        break;

    case RS_MSG_CONSENT:
        ngx_http_rs_device_consent(dev, msg);
        break;

    case RS_MSG_TUNNEL:
        ngx_http_rs_device_refuse_pipe(dev, msg);
        break;

    case RS_MSG_PING:
        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_pong(&b);
        (void) ngx_http_rs_conn_send(dev->rc, b.data, b.len);
        break;

    case RS_MSG_BYE:
        dev->bye = 1;
        ngx_http_rs_conn_close(dev->rc, RS_OK, NULL);
        break;

    default: /* pong: it was heard, that is all */
        break;
    }
}


static void
ngx_http_rs_device_hello(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    time_t                   wait;
    ngx_http_rs_caller_t     caller;
    ngx_http_rs_ban_who_t    who;
    ngx_http_rs_store_op_t  *op;

    if (ngx_http_rs_session_copy(dev->pool, &dev->tenant, msg->tenant)
        != NGX_OK
        || ngx_http_rs_session_copy(dev->pool, &dev->id, msg->device_id)
           != NGX_OK
        || ngx_http_rs_session_copy(dev->pool, &dev->agent, msg->agent)
           != NGX_OK)
    {
        ngx_http_rs_conn_close(dev->rc, RS_E_INTERNAL, NULL);
        return;
    }

    if (dev->rc->request
        && (ngx_http_rs_session_copy(dev->rc->request->pool,
                                     &dev->rc->tenant, msg->tenant)
            != NGX_OK
            || ngx_http_rs_session_copy(dev->rc->request->pool,
                                        &dev->rc->device_id, msg->device_id)
               != NGX_OK))
    {
        ngx_http_rs_conn_close(dev->rc, RS_E_INTERNAL, NULL);
        return;
    }

    ngx_memcpy(dev->signature, msg->signature, sizeof(dev->signature));

    ngx_http_rs_device_who(dev, &who);

    if (ngx_http_rs_banned(dev->rc->rmcf, &who, &wait)) {
        ngx_http_rs_conn_close(dev->rc, RS_E_RATE_LIMITED,
                               NGX_HTTP_RS_DEVICE_BANNED);
        return;
    }

    ngx_http_rs_caller_self(&caller, &dev->tenant);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_found, dev);

    if (op == NULL
        || ngx_http_rs_store_device_get(op, &caller, &dev->id) != NGX_OK)
    {
        ngx_http_rs_conn_close(dev->rc, RS_E_UNAVAILABLE, NULL);
        return;
    }

    dev->state = NGX_HTTP_RS_DEVICE_CHECKING;
    dev->refs++;
}


static void
ngx_http_rs_device_found(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    ngx_str_t        key, name, old, kind;
    ngx_rs_reply_t  *obj;

    if (dev->rc == NULL || dev->rc->closing) {
        goto done;
    }

    if (code != RS_OK) {
        ngx_http_rs_device_refuse(dev, code);
        goto done;
    }

    obj = ngx_rs_reply_at(reply, 1);
    key = ngx_rs_reply_field(obj, "public_key");
    name = ngx_rs_reply_field(obj, "name");

    if (rs_devkey_verify(ngx_http_rs_slice(&key),
                         ngx_http_rs_slice(&dev->host),
                         ngx_http_rs_slice(&dev->tenant),
                         ngx_http_rs_slice(&dev->id),
                         dev->nonce, dev->signature)
        != RS_OK)
    {
        old = ngx_rs_reply_field(obj, "old_key");
        ngx_http_rs_device_mismatch(dev, &old);
        ngx_http_rs_device_refuse(dev, RS_E_UNAUTHENTICATED);
        goto done;
    }

    if (ngx_http_rs_session_copy(dev->pool, &dev->name,
                                 ngx_http_rs_slice(&name))
        != NGX_OK
        || ngx_http_rs_session_copy(dev->pool, &dev->key,
                                    ngx_http_rs_slice(&key))
           != NGX_OK)
    {
        ngx_http_rs_conn_close(dev->rc, RS_E_INTERNAL, NULL);
        goto done;
    }

    kind = ngx_rs_reply_field(obj, "kind");
    ngx_http_rs_device_service(dev, &kind);

    switch (ngx_http_rs_reap_admit(dev->devices->rmcf->reap, &dev->tenant,
                                   NULL, ngx_http_rs_device_admitted, dev))
    {
    case NGX_OK:
        if (ngx_http_rs_device_go_online(dev) != NGX_OK) {
            ngx_http_rs_conn_close(dev->rc, RS_E_UNAVAILABLE, NULL);
        }

        break;

    case NGX_AGAIN:
        return;                       /* with the reference */

    default:
        ngx_http_rs_conn_close(dev->rc, RS_E_UNAVAILABLE, NULL);
        break;
    }

done:

    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_admitted(void *data, rs_err_e code)
{
    ngx_http_rs_dev_t *dev = data;

    if (dev->rc && !dev->rc->closing) {

        if (code == RS_OK && ngx_http_rs_device_go_online(dev) != NGX_OK) {
            code = RS_E_UNAVAILABLE;
        }

        if (code != RS_OK) {
            ngx_http_rs_conn_close(dev->rc, code, NULL);
        }
    }

    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_who(ngx_http_rs_dev_t *dev, ngx_http_rs_ban_who_t *who)
{
    who->sockaddr = dev->rc->connection->sockaddr;
    who->tenant = dev->tenant;
    who->device_id = dev->id;
}


/* one answer for all that a stranger could try */

static void
ngx_http_rs_device_refuse(ngx_http_rs_dev_t *dev, rs_err_e code)
{
    ngx_http_rs_ban_who_t  who;

    static ngx_str_t  rid = ngx_null_string;

    if (code != RS_E_UNAVAILABLE) {
        ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_DEVICE_REFUSED);
    }

    switch (code) {

    case RS_E_NOT_FOUND:
    case RS_E_UNAUTHENTICATED:
        (void) ngx_http_rs_limit_address(dev->rc->rmcf,
                                         dev->rc->connection->sockaddr,
                                         RS_RATE_CHARGE, NULL);

        ngx_http_rs_device_who(dev, &who);
        ngx_http_rs_ban_failed(dev->rc->rmcf, &who, dev->rc->log);
        ngx_http_rs_store_denied(dev->rc->rmcf->store, "device key",
                                 RS_E_UNAUTHENTICATED,
                                 &dev->rc->connection->addr_text, &rid,
                                 &dev->id);

        ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                      "rs device %V of %V is refused", &dev->id,
                      &dev->tenant);

        ngx_http_rs_conn_close(dev->rc, RS_E_UNAUTHENTICATED,
                               NGX_HTTP_RS_DEVICE_REFUSED);
        break;

    default:
        ngx_http_rs_conn_close(dev->rc, code, NULL);
        break;
    }
}


static ngx_int_t
ngx_http_rs_device_go_online(ngx_http_rs_dev_t *dev)
{
    ngx_http_rs_store_op_t  *op;

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_online, dev);

    if (op == NULL
        || ngx_http_rs_store_device_online(op, &dev->tenant, &dev->id,
                                           &dev->address, &dev->agent,
                                           dev->epoch)
           != NGX_OK)
    {
        return NGX_BUSY;
    }

    /* from here on the store may have the address */

    dev->known = 1;
    dev->entering = (dev->state != NGX_HTTP_RS_DEVICE_LIVE);
    dev->refs++;

    return NGX_OK;
}


static void
ngx_http_rs_device_online(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    ngx_str_t        id;
    ngx_uint_t       i, n, entering;
    ngx_rs_reply_t  *ids;

    entering = dev->entering;
    dev->entering = 0;

    if (dev->rc == NULL || dev->rc->closing) {
        /* the close handler has it made offline, or could not yet */

        if (dev->rc == NULL && entering) {
            ngx_http_rs_device_go_offline(dev);
        }

        goto done;
    }

    if (code != RS_OK) {

        if (code == RS_E_DEVICE_QUARANTINED) {
            ngx_http_rs_device_quarantined(dev, reply);

        } else if (dev->state != NGX_HTTP_RS_DEVICE_LIVE) {
            ngx_http_rs_device_refuse(dev, code);

        } else if (code == RS_E_NOT_FOUND) {
            ngx_http_rs_conn_close(dev->rc, RS_E_DEVICE_REMOVED, NULL);

        } else if (code == RS_E_REPLACED) {
            /* by a socket made while this worker could not be told */
            ngx_http_rs_conn_close(dev->rc, RS_E_REPLACED, NULL);

        } else if (code == RS_E_UNAVAILABLE) {
            ngx_queue_remove(&dev->queue);
            ngx_http_rs_device_later(dev);
        }

        goto done;
    }

    /*
     * The epoch of the hello orders sockets of a device; those of later
     * announcements may be forgotten by a failover, and are not used.
     */

    if (entering) {
        dev->epoch = ngx_rs_reply_int(reply, 1);

        if (ngx_http_rs_device_welcome(dev) != NGX_OK) {
            goto done;
        }
    }

    if (dev->missed) {
        dev->missed = 0;

        if (ngx_http_rs_device_go_online(dev) != NGX_OK) {
            ngx_queue_remove(&dev->queue);
            ngx_http_rs_device_later(dev);
        }

        goto done;
    }

    ngx_http_rs_device_service_again(dev);

    ids = ngx_rs_reply_at(reply, 2);
    n = ngx_rs_reply_count(ids);

    for (i = 0; i < n; i++) {
        id = ngx_rs_reply_str(ids, i);
        ngx_http_rs_device_invite(dev, &id);
    }

done:

    ngx_http_rs_device_unref(dev);
}


/* sockets of two machines take each other's place: neither is taken */

static void
ngx_http_rs_device_quarantined(ngx_http_rs_dev_t *dev, ngx_rs_reply_t *reply)
{
    u_char      text[sizeof(NGX_HTTP_RS_DEVICE_TWICE) + NGX_INT64_LEN];
    ngx_str_t   word;
    ngx_uint_t  level;

    word = ngx_rs_reply_str(reply, 2);

    level = rs_str_eq(ngx_http_rs_slice(&word), RS_STR("new"))
            ? NGX_LOG_WARN : NGX_LOG_INFO;

    ngx_log_error(level, dev->rc->log, 0,
                  "rs device %V of %V is quarantined for %L s: its key is in "
                  "use on two machines", &dev->id, &dev->tenant,
                  ngx_rs_reply_int(reply, 1));

    ngx_sprintf(text, NGX_HTTP_RS_DEVICE_TWICE "%Z",
                ngx_rs_reply_int(reply, 1));

    ngx_http_rs_conn_close(dev->rc, RS_E_DEVICE_QUARANTINED, (char *) text);
}


static ngx_int_t
ngx_http_rs_device_welcome(ngx_http_rs_dev_t *dev)
{
    dev->state = NGX_HTTP_RS_DEVICE_LIVE;

    ngx_http_rs_conn_admit(dev->rc);
    ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_DEVICE_ONLINE);

    ngx_http_rs_conn_deadline(dev->rc, 0);
    ngx_http_rs_conn_detach(dev->rc);

    ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                  "rs device %V of %V is online, epoch %L", &dev->id,
                  &dev->tenant, dev->epoch);

    return ngx_http_rs_conn_send_json(dev->rc,
               json_pack("{sssis{ss%ss%}sIsi}", "type", "welcome",
                         "api_version", NGX_HTTP_RS_API_VERSION,
                         "device", "id", dev->id.data, dev->id.len,
                         "name", dev->name.data, dev->name.len,
                         "epoch", (json_int_t) dev->epoch,
                         "ping_s", ngx_http_rs_conn_ping_s(dev->rc)));
}


static void
ngx_http_rs_device_closed(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_dev_t *dev = rc->data;

    if (dev->known) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs device %V of %V is gone: %s", &dev->id,
                      &dev->tenant,
                      code == RS_OK ? "closed" : rs_err_code(code));
    }

    ngx_http_rs_count_closed(rc->rmcf, code);
    ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_AGENTS, -1);

    dev->rc = NULL;
    ngx_queue_remove(&dev->queue);

    if (dev->known && !dev->entering) {

        if (code == RS_E_GOING_AWAY && !rc->connection->error) {
            ngx_http_rs_device_expect(dev);
            return;
        }

        ngx_http_rs_device_go_offline(dev);
    }

    ngx_http_rs_device_unref(dev);
}


void
ngx_http_rs_device_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env)
{
    rs_err_e             code;
    rs_addr_t            addr;
    ngx_str_t            session_id;
    ngx_http_rs_dev_t   *dev;
    ngx_http_rs_conn_t  *rc;

    if (rs_addr_parse(env->to, &addr) != RS_OK
        || !rs_addr_same_worker(&addr, &rmcf->self))
    {
        return;
    }

    rc = ngx_http_rs_conn_find(rmcf, addr.conn);

    if (rc == NULL && env->kind == RS_ENV_FEN) {
        ngx_http_rs_device_returned(rmcf->devices, env->to);
        return;
    }

    if (rc == NULL || rc->closing) {
        return;
    }

    if (env->kind == RS_ENV_FEN) {
        /* participants are fenced like devices */

        if (rs_str_eq(env->body, RS_STR("away"))) {
            ngx_http_rs_device_back(rc);
            return;
        }

        code = rs_err_by_code(env->body);

        ngx_http_rs_conn_close(rc, code == RS_OK ? RS_E_REPLACED : code,
                               NULL);
        return;
    }

    if (rc->handlers != &ngx_http_rs_device_handlers) {
        return;
    }

    dev = rc->data;

    if (!dev->known
        || !rs_str_eq(ngx_http_rs_slice(&dev->tenant), env->tenant))
    {
        return;
    }

    if (env->kind == RS_ENV_INV && dev->state != NGX_HTTP_RS_DEVICE_LIVE) {
        dev->missed = 1;

    } else if (env->kind == RS_ENV_PIP) {

        if (dev->state == NGX_HTTP_RS_DEVICE_LIVE) {
            ngx_http_rs_device_pipe(dev, env);
        }

    } else if (env->kind == RS_ENV_REC) {

        if (dev->state == NGX_HTTP_RS_DEVICE_LIVE) {
            ngx_http_rs_device_record_env(dev, env);
        }

    } else if (env->kind == RS_ENV_INV) {
        session_id = ngx_http_rs_str(env->session);
        ngx_http_rs_device_invite(dev, &session_id);

    } else {
        ngx_http_rs_device_revoke(dev, env);
    }
}


/*
 * This worker was called dead, and whoever walked its duties has this socket
 * away.  It is here: the store is told so.
 */

static void
ngx_http_rs_device_back(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_dev_t  *dev;

    if (rc->handlers != &ngx_http_rs_device_handlers) {
        ngx_http_rs_session_back(rc);
        return;
    }

    dev = rc->data;

    if (dev->state == NGX_HTTP_RS_DEVICE_LIVE) {
        ngx_http_rs_device_again(dev);
    }
}


void
ngx_http_rs_device_again(ngx_http_rs_dev_t *dev)
{
    ngx_queue_remove(&dev->queue);
    ngx_http_rs_device_later(dev);
}


void
ngx_http_rs_device_announce(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_http_rs_devices_t  *devices;

    devices = rmcf->devices;

    if (!ngx_queue_empty(&devices->live)) {
        ngx_queue_add(&devices->announce, &devices->live);
        ngx_queue_init(&devices->live);
    }

    if (!ngx_queue_empty(&devices->announce)) {
        ngx_add_timer(&devices->tick, 1);
    }
}


static void
ngx_http_rs_device_tick(ngx_event_t *ev)
{
    ngx_http_rs_devices_t *devices = ev->data;

    ngx_uint_t          n;
    ngx_queue_t        *q;
    ngx_http_rs_dev_t  *dev;

    if (!ngx_http_rs_store_ready(devices->rmcf->store)) {
        /* away again: all are announced when it is back */
        return;
    }

    for (n = 0; n < NGX_HTTP_RS_ANNOUNCE_BATCH; n++) {

        if (ngx_queue_empty(&devices->announce)) {
            return;
        }

        q = ngx_queue_head(&devices->announce);
        dev = ngx_queue_data(q, ngx_http_rs_dev_t, queue);

        ngx_queue_remove(q);

        if (dev->rc == NULL) {
            devices->nowed--;
            ngx_http_rs_device_go_offline(dev);
            ngx_http_rs_device_unref(dev);
            continue;
        }

        if (dev->state == NGX_HTTP_RS_DEVICE_LIVE && !dev->rc->closing
            && ngx_http_rs_device_go_online(dev) != NGX_OK)
        {
            /* too many calls are under way */
            ngx_queue_insert_head(&devices->announce, q);
            break;
        }

        ngx_queue_insert_tail(&devices->live, q);
    }

    ngx_add_timer(&devices->tick, NGX_HTTP_RS_ANNOUNCE_TICK);
}


void
ngx_http_rs_device_unref(ngx_http_rs_dev_t *dev)
{
    if (--dev->refs == 0) {
        ngx_queue_remove(&dev->all);
        ngx_destroy_pool(dev->pool);
    }
}
