
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sessions a device is asked into: invite, reject, consent, revoke.
 *
 * An `inv` envelope or the answer of rs_device_online names a session; the
 * store is asked for what the invitation says and is given the hash of a
 * ticket that only the device will see.  What is not delivered is asked for
 * again when the device is announced again.
 */


#include "ngx_http_rs_device_invite.h"
#include "session/ngx_http_rs_place.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RS_INVITES_MAX  64    /* under way, of one device */


/* an invitation the store is asked for; kept by its device and used again */

struct ngx_http_rs_invite_s {
    ngx_http_rs_invite_t        *next;
    ngx_http_rs_dev_t           *dev;
    ngx_str_t                    session_id;
    u_char                       session_data[RS_ID_LEN];
    char                         secret[RS_ID_SECRET_LEN];
};


static void ngx_http_rs_device_invited(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_device_uninvite(ngx_http_rs_invite_t *inv);
static void ngx_http_rs_device_send_invite(ngx_http_rs_dev_t *dev,
    ngx_http_rs_invite_t *inv, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_device_invite_host(json_t *invite,
    ngx_rs_reply_t *session);
static void ngx_http_rs_device_rejected(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


void
ngx_http_rs_device_invite(ngx_http_rs_dev_t *dev, ngx_str_t *session_id)
{
    char                     hash[RS_ID_HASH_LEN];
    ngx_str_t                ticket_hash;
    ngx_http_rs_invite_t    *inv;
    ngx_http_rs_store_op_t  *op;

    if (dev->recorder && dev->invites >= NGX_HTTP_RS_INVITES_MAX) {
        /* its list has it: it is told later */
        ngx_http_rs_device_record_work(dev);
        return;
    }

    if (dev->invites >= NGX_HTTP_RS_INVITES_MAX
        || session_id->len > sizeof(inv->session_data))
    {
        ngx_log_error(NGX_LOG_WARN, dev->rc->log, 0,
                      "rs device %V has %ui invitations under way, "
                      "\"%V\" is dropped", &dev->id, dev->invites,
                      session_id);
        return;
    }

    inv = dev->free;

    if (inv) {
        dev->free = inv->next;

    } else {
        inv = ngx_palloc(dev->pool, sizeof(ngx_http_rs_invite_t));
        if (inv == NULL) {
            return;
        }
    }

    inv->dev = dev;
    inv->session_id.len = session_id->len;
    inv->session_id.data = inv->session_data;
    ngx_memcpy(inv->session_data, session_id->data, session_id->len);

    if (ngx_http_rs_session_secret(inv->secret, hash, dev->rc->log)
        != NGX_OK)
    {
        ngx_http_rs_device_uninvite(inv);
        return;
    }

    ticket_hash.data = (u_char *) hash;
    ticket_hash.len = sizeof(hash);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_invited, inv);

    if (op == NULL
        || ngx_http_rs_store_invite(op, &dev->tenant, session_id, &dev->id,
                                    &dev->address, &dev->name, &ticket_hash,
                                    dev->ticket_ttl)
           != NGX_OK)
    {
        ngx_http_rs_device_uninvite(inv);
        ngx_http_rs_device_again(dev);
        return;
    }

    dev->invites++;
    dev->refs++;
}


static void
ngx_http_rs_device_invited(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_invite_t *inv = data;

    ngx_http_rs_dev_t  *dev;

    dev = inv->dev;
    dev->invites--;

    if (dev->rc && !dev->rc->closing) {

        if (code == RS_OK) {
            ngx_http_rs_device_send_invite(dev, inv, reply);

        } else if (code == RS_E_UNAVAILABLE) {
            ngx_http_rs_device_again(dev);

        } else {
            /* it ended, or its host has joined by an earlier invitation */

            ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                          "rs device %V is not invited to %V: %s", &dev->id,
                          &inv->session_id, rs_err_code(code));
        }
    }

    ngx_http_rs_device_uninvite(inv);
    ngx_http_rs_device_record_next(dev);
    ngx_http_rs_device_unref(dev);
}


static void
ngx_http_rs_device_uninvite(ngx_http_rs_invite_t *inv)
{
    OPENSSL_cleanse(inv->secret, sizeof(inv->secret));

    inv->next = inv->dev->free;
    inv->dev->free = inv;
}


static void
ngx_http_rs_device_send_invite(ngx_http_rs_dev_t *dev,
    ngx_http_rs_invite_t *inv, ngx_rs_reply_t *reply)
{
    char             ticket[RS_ID_TICKET_MAX];
    size_t           len;
    json_t          *invite, *policy, *rendered;
    ngx_str_t        text, expires, reason, host, role, key_id, key_name;
    ngx_rs_reply_t  *session;

    session = ngx_rs_reply_at(reply, 1);

    expires = ngx_rs_reply_field(session, "expires_at");
    reason = ngx_rs_reply_field(session, "reason");
    host = ngx_rs_reply_field(ngx_rs_reply_at(reply, 2), "id");
    role = ngx_rs_reply_field(ngx_rs_reply_at(reply, 2), "role");
    key_id = ngx_rs_reply_str(reply, 3);
    key_name = ngx_rs_reply_str(reply, 4);

    text = ngx_rs_reply_field(session, "policy");
    policy = json_loadb((char *) text.data, text.len, 0, NULL);

    text = ngx_rs_reply_field(session, "host");
    rendered = text.len ? json_loadb((char *) text.data, text.len, 0, NULL)
                        : NULL;

    len = rs_ticket_format(ticket, ngx_http_rs_slice(&dev->tenant),
                           ngx_http_rs_slice(&inv->session_id),
                           (rs_str_t) { (uint8_t *) inv->secret,
                                        sizeof(inv->secret) });

    ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                  "rs device %V is invited to %V as %V", &dev->id,
                  &inv->session_id, &host);

    /* "o*": what is not there is left out */

    invite = json_pack("{sss{ss%sIsososo*}ss%ss%s{ssss%so}ss%}",
                       "type", "invite",
                       "session",
                       "id", inv->session_id.data, inv->session_id.len,
                       "expires_at",
                       (json_int_t) ngx_atotm(expires.data, expires.len),
                       "policy", policy,
                       "reason", ngx_http_rs_session_text(&reason),
                       "host", rendered,
                       "participant", host.data, host.len,
                       "role", role.data, role.len,
                       "requester", "kind", "key",
                       "id", key_id.data, key_id.len,
                       "name", ngx_http_rs_session_text(&key_name),
                       "ticket", ticket, len);

    OPENSSL_cleanse(ticket, sizeof(ticket));

    if (dev->recorder
        && ngx_http_rs_device_invite_host(invite, session) != NGX_OK)
    {
        json_decref(invite);
        invite = NULL;
    }

    ngx_http_rs_count(dev->rc->rmcf, NGX_HTTP_RS_STAT_INVITE);

    (void) ngx_http_rs_conn_send_json(dev->rc, invite);
}


/* a recorder is told whom it is to record */

static ngx_int_t
ngx_http_rs_device_invite_host(json_t *invite, ngx_rs_reply_t *session)
{
    json_t     *json, *host;
    ngx_str_t   device_id, kind;

    json = json_object_get(invite, "session");
    kind = ngx_rs_reply_field(session, "kind");
    device_id = ngx_rs_reply_field(session, "device_id");
    host = json_object_get(json, "host");

    if (host == NULL) {
        host = json_pack("{s:s}", "type",
                         device_id.len ? "device" : "browser");

        if (json_object_set_new(json, "host", host) != 0) {
            return NGX_ERROR;
        }
    }

    if (json_object_set_new(json, "kind", ngx_http_rs_session_text(&kind)) != 0
        || json_object_set_new(host, "device_id",
                               ngx_http_rs_session_text(&device_id))
           != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_rs_device_reject(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    ngx_str_t                session_id, reason, detail;
    ngx_http_rs_caller_t     caller;
    ngx_http_rs_store_op_t  *op;

    session_id = ngx_http_rs_str(msg->session_id);
    detail = ngx_http_rs_str(msg->comment);

    if (msg->reject == RS_REJECT_FAILED && !dev->service) {
        ngx_http_rs_conn_error(dev->rc, RS_E_INVALID_VALUE,
                               "only a service says \"failed\"", 0);
        return;
    }

    switch (msg->reject) {

    case RS_REJECT_CONSENT_DENIED:
        ngx_str_set(&reason, "consent_denied");
        break;

    case RS_REJECT_CONSENT_TIMEOUT:
        ngx_str_set(&reason, "consent_timeout");
        break;

    default:
        ngx_str_set(&reason, "policy");

        if (detail.len == 0) {
            detail.data = (u_char *) rs_reject_name(msg->reject);
            detail.len = ngx_strlen(detail.data);
        }

        break;
    }

    ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                  "rs device %V rejects %V: %s", &dev->id, &session_id,
                  rs_reject_name(msg->reject));

    ngx_http_rs_device_settle(dev, &session_id);

    if (ngx_http_rs_device_record_reject(dev, msg)) {
        return;
    }

    if (dev->renderer && msg->reject == RS_REJECT_FAILED) {
        ngx_http_rs_place_again(dev->devices->rmcf, &dev->tenant, &session_id,
                                &dev->id, "host_lost", "failed");
        return;
    }

    if (dev->renderer && msg->reject == RS_REJECT_BUSY) {
        ngx_http_rs_place_again(dev->devices->rmcf, &dev->tenant, &session_id,
                                &dev->id, "policy", "busy");
        return;
    }

    ngx_http_rs_caller_self(&caller, &dev->tenant);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_rejected, dev);

    if (op == NULL
        || ngx_http_rs_store_session_end(op, &caller, &session_id, &reason,
                                         &detail, &dev->id)
           != NGX_OK)
    {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        return;
    }

    dev->refs++;
}


static void
ngx_http_rs_device_rejected(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_dev_t *dev = data;

    /* one that is forgotten by a failover is invited to again */

    if (code != RS_OK && code != RS_E_UNCERTAIN && dev->rc) {
        ngx_http_rs_conn_error(dev->rc, code,
                               code == RS_E_NOT_FOUND
                               ? "this device has no such session" : NULL, 0);
    }

    ngx_http_rs_device_unref(dev);
}


void
ngx_http_rs_device_consent(ngx_http_rs_dev_t *dev, rs_msg_t *msg)
{
    ngx_str_t                session_id, participant_id, what;
    ngx_http_rs_store_op_t  *op;

    session_id = ngx_http_rs_str(msg->session_id);
    participant_id = ngx_http_rs_str(msg->participant_id);
    what = ngx_http_rs_str(msg->reason);

    ngx_log_error(NGX_LOG_INFO, dev->rc->log, 0,
                  "rs device %V, consent to %V in %V: %V", &dev->id,
                  &participant_id, &session_id, &what);

    op = ngx_http_rs_store_op(dev->devices->rmcf->store,
                              ngx_http_rs_device_rejected, dev);

    if (op == NULL
        || ngx_http_rs_store_session_consent(op, &dev->tenant, &session_id,
                                             &participant_id, &what,
                                             &dev->id)
           != NGX_OK)
    {
        ngx_http_rs_conn_error(dev->rc, RS_E_UNAVAILABLE, NULL, 0);
        return;
    }

    dev->refs++;
}


void
ngx_http_rs_device_revoke(ngx_http_rs_dev_t *dev, rs_env_t *env)
{
    rs_buf_t   b;
    u_char     buf[RS_MSG_WRITE_MAX + 6 * RS_ID_LEN];
    ngx_str_t  session_id;

    session_id = ngx_http_rs_str(env->session);
    ngx_http_rs_device_settle(dev, &session_id);
    ngx_http_rs_device_record_over(dev, &session_id);

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_revoke(&b, env->session, env->body);

    if (b.overflow) {
        ngx_log_error(NGX_LOG_ERR, dev->rc->log, 0,
                      "rs device revocation has a reason of %uz bytes",
                      env->body.len);
        return;
    }

    (void) ngx_http_rs_conn_send(dev->rc, b.data, b.len);
}
