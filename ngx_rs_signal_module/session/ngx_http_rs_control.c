
/*
 * Copyright (C) rs-gateway contributors
 *
 * `control`: who of a session may use mouse and keyboard.
 *
 * The store decides, in one step, and appends what has changed to the
 * session's log: all of the session are told by it, the asker as well.  So
 * there is no answer here but a refusal.
 */


#include "ngx_http_rs_session_log.h"
#include "rs_msg.h"


/* what one is in the log, with few who ask */

#define NGX_HTTP_RS_CONTROL_LOGGED  256


static void ngx_http_rs_control_said(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static const char *ngx_http_rs_control_why(rs_err_e code);


void
ngx_http_rs_control_message(ngx_http_rs_part_t *p, rs_msg_t *msg)
{
    ngx_str_t                what, to;
    ngx_http_rs_store_op_t  *op;

    if (ngx_http_rs_session_logged(p, NGX_HTTP_RS_CONTROL_LOGGED) != NGX_OK) {
        return;
    }

    what = ngx_http_rs_str(msg->reason);
    to = ngx_http_rs_str(msg->to);

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_control_said, p);

    if (op == NULL
        || ngx_http_rs_store_control(op, &p->m, &what, &to) != NGX_OK)
    {
        ngx_http_rs_conn_error(p->rc, RS_E_UNAVAILABLE, NULL, 0);
        return;
    }

    p->refs++;
}


static void
ngx_http_rs_control_said(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_part_t *p = data;

    if (p->rc == NULL || p->rc->closing) {
        goto done;
    }

    switch (code) {

    case RS_OK:
        break;

    case RS_E_FORBIDDEN:
    case RS_E_CONTROL_LOCKED:
    case RS_E_UNKNOWN_PEER:
        ngx_http_rs_conn_error(p->rc, code, ngx_http_rs_control_why(code), 0);
        break;

    case RS_E_UNAVAILABLE:
        /* this worker may have been called dead */
        p->sync = 1;
        ngx_http_rs_conn_error(p->rc, code, NULL, 0);
        break;

    default:
        ngx_http_rs_session_failed(p, code);
        break;
    }

done:

    ngx_http_rs_session_unref(p);
}


static const char *
ngx_http_rs_control_why(rs_err_e code)
{
    switch (code) {

    case RS_E_FORBIDDEN:
        return "control is asked for by controllers, given by who holds it, "
               "and taken and locked by the host and moderators";

    case RS_E_CONTROL_LOCKED:
        return "control is locked: the host or a moderator can give it";

    default:
        return "the participant control is to go to is not in this session";
    }
}
