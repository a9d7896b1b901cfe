
/*
 * Copyright (C) rs-gateway contributors
 *
 * How participants leave: the socket closes, the store is told, and told
 * again when the grace is over.  What this worker owes is written down in the
 * store as well: if it dies, another one does it (ngx_http_rs_reap.c).
 */


#include "ngx_http_rs_session_log.h"


#define NGX_HTTP_RS_LEAVING_MAX      16384   /* parts without a socket */
#define NGX_HTTP_RS_LEAVE_RETRY      1000    /* ms, and as much at random */


static void ngx_http_rs_session_gone(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_session_leave_again(ngx_http_rs_part_t *p);
static void ngx_http_rs_session_leave_later(ngx_http_rs_part_t *p,
    ngx_msec_t ms);


void
ngx_http_rs_session_closed(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_part_t *p = rc->data;

    if (p->joined) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs session %V of %V: %V is gone: %s",
                      &p->m.session_id, &p->m.tenant, &p->m.participant_id,
                      code == RS_OK ? "closed" : rs_err_code(code));
    }

    ngx_http_rs_count_closed(rc->rmcf, code);
    ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_PARTICIPANTS, -1);

    p->rc = NULL;
    p->gone_at = ngx_current_msec;

    if (p->recorder && code == RS_E_GOING_AWAY) {
        /* it was sent away, and comes back as others do */
        p->m.grace = p->ice.rlcf->resume_grace;

    } else if (p->recorder && rc->silent) {
        /* it was waited for */
        p->m.grace = 0;
    }

    ngx_http_rs_session_exit(p);

    if (p->expire.timer_set) {
        ngx_del_timer(&p->expire);
    }

    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    if (p->ended || code == RS_E_SESSION_ENDED || code == RS_E_REPLACED) {
        p->over = 1;
    }

    if (p->joined) {
        ngx_http_rs_session_leave(p);
    }

    ngx_http_rs_session_unref(p);
}


/*
 * "bye" when it was said, else "away" until the grace is over and "lost"
 * then; "undone" when the client never was told that it had joined.  The
 * store answers "stale" when somebody resumed meanwhile, or when all is over;
 * then it only drops what this worker had to see to.
 */

void
ngx_http_rs_session_leave(ngx_http_rs_part_t *p)
{
    const char              *mode;
    ngx_http_rs_store_op_t  *op;

    if (p->left || p->leaving) {
        return;
    }

    p->away = 0;

    if (p->bye) {
        mode = "bye";

    } else if (!p->over && !p->live && !p->resume) {
        mode = "undone";

    } else if (!p->over
               && ngx_current_msec - p->gone_at >= p->m.grace)
    {
        mode = "lost";

    } else {
        mode = "away";
        p->away = 1;
    }

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_session_gone, p);

    if (op && ngx_http_rs_store_leave(op, &p->m, mode) == NGX_OK) {
        p->leaving = 1;
        p->refs++;
        return;
    }

    if (p->over) {
        p->left = 1;
        return;
    }

    if (p->rc) {
        /* the close handler comes here again */
        ngx_http_rs_conn_close(p->rc, RS_OK, NULL);
        return;
    }

    ngx_http_rs_session_leave_again(p);
}


static void
ngx_http_rs_session_gone(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_part_t *p = data;

    ngx_str_t   status;
    ngx_msec_t  passed;

    p->leaving = 0;

    if (p->over) {
        p->left = 1;
        goto done;
    }

    if (p->rc) {
        /* it said bye; a failure is left to the close handler */

        p->left = (code != RS_E_UNAVAILABLE);
        ngx_http_rs_conn_close(p->rc, RS_OK, NULL);

        goto done;
    }

    if (code == RS_E_UNAVAILABLE) {
        /* it may have happened, and "away" again is stale then */
        p->unsure = 1;
        ngx_http_rs_session_leave_again(p);
        goto done;
    }

    status = ngx_rs_reply_str(reply, 1);

    if (code == RS_OK && p->away
        && (p->unsure
            || rs_str_eq(ngx_http_rs_slice(&status), RS_STR("away"))))
    {
        passed = ngx_current_msec - p->gone_at;
        ngx_http_rs_session_leave_later(p, p->m.grace > passed
                                           ? p->m.grace - passed : 1);
        goto done;
    }

    p->left = 1;

    if (code == RS_OK
        && rs_str_eq(ngx_http_rs_slice(&status), RS_STR("away")))
    {
        /* a host that may have got no welcome was asked in again */

        ngx_http_rs_reap_due(p->sessions->rmcf->reap, &p->m.tenant,
                             p->m.grace + 1);
    }

    ngx_log_error(NGX_LOG_INFO, p->log, 0,
                  "rs session %V of %V: %V has left: %s", &p->m.session_id,
                  &p->m.tenant, &p->m.participant_id,
                  code == RS_OK ? "ok" : rs_err_code(code));

done:

    ngx_http_rs_session_unref(p);
}


static void
ngx_http_rs_session_leave_again(ngx_http_rs_part_t *p)
{
    ngx_http_rs_session_leave_later(p, NGX_HTTP_RS_LEAVE_RETRY
                                       + ngx_random()
                                         % NGX_HTTP_RS_LEAVE_RETRY);
}


/* p waits without its socket; the timer has a reference */

static void
ngx_http_rs_session_leave_later(ngx_http_rs_part_t *p, ngx_msec_t ms)
{
    if (ngx_time() >= p->expires) {
        /* the session is over for all */
        p->over = 1;
        ngx_http_rs_session_leave(p);
        return;
    }

    if (!p->counted && p->sessions->nleaving >= NGX_HTTP_RS_LEAVING_MAX) {

        if (p->away && !p->unsure) {
            /* the store knows it, and when: it is looked up there */
            p->left = 1;
            ngx_http_rs_reap_due(p->sessions->rmcf->reap, &p->m.tenant, ms);
            return;
        }

        ngx_log_error(NGX_LOG_WARN, p->log, 0,
                      "rs session %V of %V: %V is not waited for, %ui others "
                      "are", &p->m.session_id, &p->m.tenant,
                      &p->m.participant_id, p->sessions->nleaving);

        if (p->m.grace == 0) {
            p->left = 1;
            return;
        }

        p->m.grace = 0;
        ngx_http_rs_session_leave(p);
        return;
    }

    if (!p->counted) {
        p->counted = 1;
        p->sessions->nleaving++;
        ngx_http_rs_gauge(p->sessions->rmcf, NGX_HTTP_RS_GAUGE_LEAVING, 1);
    }

    p->timer.cancelable = 1;
    p->refs++;

    ngx_add_timer(&p->timer, ms);
}


void
ngx_http_rs_session_timer(ngx_event_t *ev)
{
    ngx_http_rs_part_t *p = ev->data;

    if (p->rc) {

        if (!p->rc->closing) {
            ngx_http_rs_session_fill(p);
        }

        return;
    }

    ngx_http_rs_session_leave(p);
    ngx_http_rs_session_unref(p);
}


void
ngx_http_rs_session_expired(ngx_event_t *ev)
{
    ngx_http_rs_session_ended(ev->data, "expired");
}


void
ngx_http_rs_session_unref(ngx_http_rs_part_t *p)
{
    if (--p->refs) {
        return;
    }

    if (p->counted) {
        p->sessions->nleaving--;
        ngx_http_rs_gauge(p->sessions->rmcf, NGX_HTTP_RS_GAUGE_LEAVING, -1);
    }

    ngx_queue_remove(&p->all);
    ngx_destroy_pool(p->pool);
}
