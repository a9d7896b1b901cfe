
/*
 * Copyright (C) rs-gateway contributors
 *
 * Control channels of recorders: what they say of recordings, the sessions
 * and deletions they are told of when they come, and how they say no.
 *
 * A recorder hears `recording ok` to each word that was taken; what is not
 * answered it says again when it is here again.  It forgets what was answered,
 * so `end` and `gone` are confirmed calls.  A deletion is told again with each
 * announcement until `gone` was said.
 *
 * What it is owed when it is here is told a part at a time: the next one when
 * nothing is under way, at the end of an invitation or of a word, or when it
 * says its load.  Each is told once; all of it is again when it is announced
 * again.
 */


#include "ngx_http_rs_device_invite.h"


#define NGX_HTTP_RS_RECORDINGS_MAX   64      /* under way, of one recorder */
#define NGX_HTTP_RS_RECORD_WORK      32      /* sessions, and deletions, told
                                                at once: less than that */


/* what the store is asked; kept by its device and used again */

struct ngx_http_rs_record_s {
    ngx_http_rs_record_t        *next;
    ngx_http_rs_dev_t           *dev;
    rs_recording_e               op;
    rs_recorded_e                reason;
    ngx_uint_t                   silent;       /* nothing is answered */
    size_t                       session_len;
    size_t                       recording_len;
    u_char                       session_id[RS_ID_LEN];
    u_char                       recording_id[RS_ID_LEN];
};


static ngx_http_rs_record_t *ngx_http_rs_device_record(ngx_http_rs_dev_t *dev,
    rs_str_t session_id, rs_str_t recording_id);
static void ngx_http_rs_device_record_free(ngx_http_rs_record_t *r);
static ngx_int_t ngx_http_rs_device_record_ask(ngx_http_rs_record_t *r,
    rs_msg_t *msg);
static void ngx_http_rs_device_recorded(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_record_answer(ngx_http_rs_record_t *r,
    rs_err_e code);
static ngx_int_t ngx_http_rs_device_record_fail(ngx_http_rs_record_t *r,
    const char *why);
static void ngx_http_rs_device_worked(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_record_tell(ngx_http_rs_dev_t *dev,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_record_say(ngx_http_rs_dev_t *dev,
    const char *op, rs_str_t session_id, rs_str_t recording_id,
    const char *to);


void
ngx_http_rs_device_recording(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    ngx_str_t              id;
    ngx_http_rs_record_t  *r;

    if (!dev->recorder) {
        ngx_http_rs_conn_error(dev->rc, RS_E_CONFLICT,
                               "this device is no recorder: it was enrolled "
                               "as another kind", 0);
        return;
    }

    r = ngx_http_rs_device_record(dev, msg->session_id, msg->recording.id);

    if (r == NULL) {
        ngx_http_rs_conn_error(dev->rc, RS_E_OVERLOADED,
                               "too much is said of recordings at once; say "
                               "it again", 0);
        return;
    }

    r->op = msg->recording.op;
    r->reason = msg->recording.reason;

    id = ngx_http_rs_str(msg->recording.id.len ? msg->recording.id
                                               : msg->session_id);

    ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                  "rs device %V, recording %V: %s%s%s", &dev->id, &id,
                  rs_recording_name(r->op), msg->reason.len ? ", " : "",
                  msg->reason.len ? rs_recorded_name(r->reason) : "");

    if (ngx_http_rs_device_record_ask(r, msg) != NGX_OK) {
        ngx_http_rs_device_record_answer(r, RS_E_UNAVAILABLE);
        ngx_http_rs_device_record_free(r);
        return;
    }

    dev->records++;
    dev->refs++;
}


static ngx_http_rs_record_t *
ngx_http_rs_device_record(ngx_http_rs_dev_t *dev, rs_str_t session_id,
    rs_str_t recording_id)
{
    ngx_http_rs_record_t  *r;

    if (dev->records >= NGX_HTTP_RS_RECORDINGS_MAX
        || session_id.len > sizeof(r->session_id)
        || recording_id.len > sizeof(r->recording_id))
    {
        return NULL;
    }

    r = dev->free_records;

    if (r) {
        dev->free_records = r->next;

    } else {
        r = ngx_palloc(dev->pool, sizeof(ngx_http_rs_record_t));
        if (r == NULL) {
            return NULL;
        }
    }

    ngx_memzero(r, sizeof(ngx_http_rs_record_t));

    r->dev = dev;
    r->session_len = session_id.len;
    r->recording_len = recording_id.len;
    ngx_memcpy(r->session_id, session_id.data, session_id.len);
    ngx_memcpy(r->recording_id, recording_id.data, recording_id.len);

    return r;
}


static void
ngx_http_rs_device_record_free(ngx_http_rs_record_t *r)
{
    r->next = r->dev->free_records;
    r->dev->free_records = r;
}


static ngx_int_t
ngx_http_rs_device_record_ask(ngx_http_rs_record_t *r, rs_msg_t *msg)
{
    ngx_str_t                session_id, recording_id;
    ngx_http_rs_dev_t       *dev;
    ngx_http_rs_store_op_t  *op;

    dev = r->dev;

    if (r->op == RS_RECORDING_FAILED) {
        return ngx_http_rs_device_record_fail(r, rs_recorded_name(r->reason));
    }

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_recorded, r);
    if (op == NULL) {
        return NGX_BUSY;
    }

    session_id = ngx_http_rs_str(msg->session_id);
    recording_id = ngx_http_rs_str(msg->recording.id);

    switch (r->op) {

    case RS_RECORDING_BEGIN:
        return ngx_http_rs_store_recording_begin(op, &dev->tenant, &dev->id,
                                                 &session_id, &recording_id);

    case RS_RECORDING_END:
        return ngx_http_rs_store_recording_end(op, &dev->tenant, &dev->id,
                                               &session_id, &msg->recording);

    default: /* RS_RECORDING_GONE */
        return ngx_http_rs_store_recording_gone(op, &dev->tenant, &dev->id,
                                                &recording_id);
    }
}


/* the session goes on without this recorder, if it may */

static ngx_int_t
ngx_http_rs_device_record_fail(ngx_http_rs_record_t *r, const char *why)
{
    ngx_str_t                session_id;
    ngx_http_rs_dev_t       *dev;
    ngx_http_rs_store_op_t  *op;

    dev = r->dev;

    session_id.data = r->session_id;
    session_id.len = r->session_len;

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_recorded, r);
    if (op == NULL) {
        return NGX_BUSY;
    }

    return ngx_http_rs_store_recorder_failed(op, &dev->tenant, &dev->id,
                                             &session_id, why);
}


static void
ngx_http_rs_device_recorded(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_record_t *r = data;

    ngx_str_t           word;
    ngx_http_rs_dev_t  *dev;

    dev = r->dev;

    if (r->op == RS_RECORDING_END
        && (code == RS_OK || (code == RS_E_UNCERTAIN && reply)))
    {
        word = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&word), RS_STR("live"))) {
            /* it stopped before its session did */

            if (dev->rc && !dev->rc->closing) {
                ngx_http_rs_device_record_answer(r, code);
            }

            r->op = RS_RECORDING_FAILED;
            r->silent = 1;

            if (ngx_http_rs_device_record_fail(r, rs_recorded_name(r->reason))
                == NGX_OK)
            {
                return;
            }

            goto done;
        }
    }

    if (dev->rc && !dev->rc->closing && !r->silent) {
        ngx_http_rs_device_record_answer(r, code);
    }

done:

    dev->records--;

    ngx_http_rs_device_record_free(r);
    ngx_http_rs_device_record_next(dev);
    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_record_answer(ngx_http_rs_record_t *r, rs_err_e code)
{
    ngx_str_t    id;
    const char  *detail;

    /*
     * one that nobody knows, after a restore or because its begin was never
     * taken, is gone as well; and is known no better when its end is said again
     */

    if (code == RS_E_NOT_FOUND
        && (r->op == RS_RECORDING_GONE || r->op == RS_RECORDING_END))
    {
        if (r->op == RS_RECORDING_END) {
            id.data = r->recording_id;
            id.len = r->recording_len;

            ngx_log_error(NGX_LOG_WARN, r->dev->rc->log, 0,
                          "rs device %V has recording %V, which is not in "
                          "the catalogue", &r->dev->id, &id);
        }

        code = RS_OK;
    }

    if (code == RS_OK) {
        ngx_http_rs_device_record_say(r->dev, "ok",
                   (rs_str_t) { r->session_id,
                                r->recording_len ? 0 : r->session_len },
                   (rs_str_t) { r->recording_id, r->recording_len },
                   rs_recording_name(r->op));
        return;
    }

    switch (code) {

    case RS_E_NOT_FOUND:
        detail = "this recorder has no such session or recording";
        break;

    case RS_E_CONFLICT:
        detail = (r->op == RS_RECORDING_END)
                 ? "this recording has ended with another sha256, which "
                   "stays"
                 : "the recorder takes no part in the session, or another "
                   "recording goes on or has this id";
        break;

    default:
        detail = NULL;
        break;
    }

    ngx_http_rs_conn_error(r->dev->rc, code, detail, 0);
}


/* 1: it is a recorder's no, which ends no session by itself */

ngx_uint_t
ngx_http_rs_device_record_reject(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    ngx_http_rs_record_t  *r;

    if (!dev->recorder) {
        return 0;
    }

    r = ngx_http_rs_device_record(dev, msg->session_id, RS_STR(""));

    if (r == NULL) {
        ngx_http_rs_conn_error(dev->rc, RS_E_OVERLOADED, NULL, 0);
        return 1;
    }

    r->op = RS_RECORDING_FAILED;
    r->silent = 1;

    if (ngx_http_rs_device_record_fail(r, rs_reject_name(msg->reject))
        != NGX_OK)
    {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        ngx_http_rs_device_record_free(r);
        return 1;
    }

    dev->records++;
    dev->refs++;

    return 1;
}


/* it is here: sessions it was given meanwhile, recordings to delete */

void
ngx_http_rs_device_record_work(ngx_http_rs_dev_t *dev)
{
    if (!dev->recorder) {
        return;
    }

    dev->owing = 1;
    dev->told_len = 0;

    ngx_http_rs_device_record_next(dev);
}


void
ngx_http_rs_device_record_next(ngx_http_rs_dev_t *dev)
{
    ngx_str_t                told;
    ngx_http_rs_store_op_t  *op;

    if (!dev->owing || dev->working || dev->invites || dev->records
        || dev->rc == NULL || dev->rc->closing)
    {
        return;
    }

    told.data = dev->told;
    told.len = dev->told_len;

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_worked, dev);

    if (op == NULL
        || ngx_http_rs_store_recorder_work(op, &dev->tenant, &dev->id,
                                           &dev->address,
                                           NGX_HTTP_RS_RECORD_WORK, &told)
           != NGX_OK)
    {
        ngx_http_rs_device_again(dev);
        return;
    }

    dev->owing = 0;
    dev->working = 1;
    dev->refs++;
}


static void
ngx_http_rs_device_worked(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    dev->working = 0;

    if (dev->rc && !dev->rc->closing) {

        if (code == RS_OK) {
            ngx_http_rs_device_record_tell(dev, reply);

        } else if (code == RS_E_UNAVAILABLE) {
            ngx_http_rs_device_again(dev);
        }
    }

    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_record_tell(ngx_http_rs_dev_t *dev, ngx_rs_reply_t *reply)
{
    ngx_str_t        id, told;
    ngx_uint_t       i;
    ngx_rs_reply_t  *list;

    told = ngx_rs_reply_str(reply, 3);

    if (!dev->owing && told.len && told.len <= sizeof(dev->told)) {
        ngx_memcpy(dev->told, told.data, told.len);
        dev->told_len = told.len;
        dev->owing = 1;
    }

    list = ngx_rs_reply_at(reply, 1);

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        id = ngx_rs_reply_str(list, i);
        ngx_http_rs_device_invite(dev, &id);
    }

    list = ngx_rs_reply_at(reply, 2);

    for (i = 0; i < ngx_rs_reply_count(list) && !dev->rc->closing; i++) {
        id = ngx_rs_reply_str(list, i);
        ngx_http_rs_device_record_say(dev, "delete", RS_STR(""),
                                      ngx_http_rs_slice(&id), NULL);
    }

    if (dev->told_len == 0) {
        /* it was announced again meanwhile: from the beginning */
        ngx_http_rs_device_record_next(dev);
    }
}


void
ngx_http_rs_device_record_env(ngx_http_rs_dev_t *dev, rs_env_t *env)
{
    if (rs_str_eq(env->body, RS_STR("delete"))) {
        ngx_http_rs_device_record_say(dev, "delete", RS_STR(""), env->session,
                                      NULL);
    }
}


/* it ends no recording of it: so it is taken from its sessions here */

void
ngx_http_rs_device_record_over(ngx_http_rs_dev_t *dev, ngx_str_t *session_id)
{
    ngx_http_rs_store_op_t  *op;

    if (!dev->recorder) {
        return;
    }

    op = ngx_http_rs_store_op(dev->devices->rmcf->store, NULL, NULL);

    if (op) {
        /* refused: it is among them until its time would have been over */

        (void) ngx_http_rs_store_recorder_failed(op, &dev->tenant, &dev->id,
                                                 session_id, "revoked");
    }
}


static void
ngx_http_rs_device_record_say(ngx_http_rs_dev_t *dev, const char *op,
    rs_str_t session_id, rs_str_t recording_id, const char *to)
{
    u_char    buf[RS_MSG_WRITE_MAX + 2 * RS_ID_LEN];
    rs_buf_t  b;

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_recording(&b, op, session_id, recording_id, to);

    (void) ngx_http_rs_conn_send(dev->rc, b.data, b.len);
}
