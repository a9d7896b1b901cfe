
/*
 * Copyright (C) rs-gateway contributors
 *
 * Devices whose socket is gone: those that were told to come back are waited
 * for a moment, all others are told to the store as offline, at once or when
 * it can be told again.
 */


#include "ngx_http_rs_device_invite.h"
#include "session/ngx_http_rs_place.h"


#define NGX_HTTP_RS_DEVICES_OWED      16384 /* gone, the store not told */

#define NGX_HTTP_RS_DEVICE_BACK       2500  /* ms, to come back after goaway */


static void ngx_http_rs_device_missed(ngx_event_t *ev);
static void ngx_http_rs_device_offline(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_owe(ngx_http_rs_dev_t *dev);


void
ngx_http_rs_device_away_init(ngx_http_rs_devices_t *devices)
{
    devices->missed.handler = ngx_http_rs_device_missed;
    devices->missed.data = devices;
    devices->missed.log = devices->log;
}


/*
 * It was told to come back, and is about to: till then the store keeps the
 * address of its old socket, so that a session with it can be made, for which
 * it is invited when it comes.  The timer keeps an exiting worker, and so the
 * lease behind that address, for as long.  dev keeps its socket's reference.
 */

void
ngx_http_rs_device_expect(ngx_http_rs_dev_t *dev)
{
    ngx_http_rs_devices_t   *devices;
    ngx_http_rs_store_op_t  *op;

    devices = dev->devices;

    op = ngx_http_rs_store_op(devices->rmcf->store, NULL, NULL);

    if (op) {
        /* refused: its next socket may count as the takeover of this one */

        (void) ngx_http_rs_store_device_offline(op, &dev->tenant, &dev->id,
                                                &dev->address, 1);
    }

    dev->gone_at = ngx_current_msec;
    ngx_queue_insert_tail(&devices->away, &dev->queue);

    if (!devices->missed.timer_set) {
        ngx_add_timer(&devices->missed, NGX_HTTP_RS_DEVICE_BACK);
    }
}


/* for who has come back meanwhile the store answers "stale" */

static void
ngx_http_rs_device_missed(ngx_event_t *ev)
{
    ngx_http_rs_devices_t *devices = ev->data;

    ngx_uint_t          n;
    ngx_msec_t          passed;
    ngx_queue_t        *q;
    ngx_http_rs_dev_t  *dev;

    for (n = 0; !ngx_queue_empty(&devices->away); n++) {

        q = ngx_queue_head(&devices->away);
        dev = ngx_queue_data(q, ngx_http_rs_dev_t, queue);

        passed = ngx_current_msec - dev->gone_at;

        if (passed < NGX_HTTP_RS_DEVICE_BACK) {
            ngx_add_timer(ev, NGX_HTTP_RS_DEVICE_BACK - passed);
            return;
        }

        if (n == NGX_HTTP_RS_ANNOUNCE_BATCH) {
            ngx_add_timer(ev, NGX_HTTP_RS_ANNOUNCE_TICK);
            return;
        }

        ngx_queue_remove(q);

        ngx_http_rs_device_go_offline(dev);
        ngx_http_rs_device_unref(dev);
    }
}


/* the store told its old address that a new one has taken its place */

void
ngx_http_rs_device_returned(ngx_http_rs_devices_t *devices, rs_str_t address)
{
    ngx_queue_t        *q;
    ngx_http_rs_dev_t  *dev;

    for (q = ngx_queue_head(&devices->away);
         q != ngx_queue_sentinel(&devices->away);
         q = ngx_queue_next(q))
    {
        dev = ngx_queue_data(q, ngx_http_rs_dev_t, queue);

        if (!rs_str_eq(ngx_http_rs_slice(&dev->address), address)) {
            continue;
        }

        /* the answer will be "stale", and the duty is gone with it */

        ngx_queue_remove(q);
        ngx_http_rs_device_go_offline(dev);
        ngx_http_rs_device_unref(dev);

        break;
    }

    if (ngx_queue_empty(&devices->away) && devices->missed.timer_set) {
        ngx_del_timer(&devices->missed);
    }
}


/*
 * When the store is away the record keeps the address of a socket that is
 * gone: the device waits, without its socket, to be told with the others when
 * the store is back.
 */

void
ngx_http_rs_device_go_offline(ngx_http_rs_dev_t *dev)
{
    ngx_http_rs_store_op_t  *op;

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_offline, dev);

    if (op == NULL
        || ngx_http_rs_store_device_offline(op, &dev->tenant, &dev->id,
                                            &dev->address, 0)
           != NGX_OK)
    {
        ngx_http_rs_device_owe(dev);
        return;
    }

    dev->refs++;
}


static void
ngx_http_rs_device_offline(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    if (code == RS_E_UNAVAILABLE) {
        ngx_http_rs_device_owe(dev);

    } else if (code == RS_OK) {
        ngx_http_rs_place_all(dev->devices->rmcf, &dev->tenant, reply);
    }

    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_owe(ngx_http_rs_dev_t *dev)
{
    ngx_http_rs_devices_t  *devices;

    devices = dev->devices;

    if (ngx_exiting) {
        /* this worker's lease ends, and with it all that is online here */
        return;
    }

    if (devices->nowed >= NGX_HTTP_RS_DEVICES_OWED) {
        ngx_log_error(NGX_LOG_WARN, devices->log, 0,
                      "rs device %V of %V is left online in the store, "
                      "%ui others wait to be told", &dev->id, &dev->tenant,
                      devices->nowed);
        return;
    }

    devices->nowed++;
    dev->refs++;
    ngx_http_rs_device_later(dev);
}


void
ngx_http_rs_device_later(ngx_http_rs_dev_t *dev)
{
    ngx_http_rs_devices_t  *devices;

    devices = dev->devices;

    ngx_queue_insert_tail(&devices->announce, &dev->queue);

    if (!devices->tick.timer_set) {
        ngx_add_timer(&devices->tick, NGX_HTTP_RS_ANNOUNCE_RETRY);
    }
}
