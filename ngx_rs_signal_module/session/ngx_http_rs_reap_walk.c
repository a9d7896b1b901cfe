
/*
 * Copyright (C) rs-gateway contributors
 *
 * The walk over the duties of a dead worker.
 *
 * A lease call gives this worker a dead one.  Its tenants are walked one by
 * one, the duties of each a hundred at a step, a few calls under way at once:
 *
 *   device       goes offline if it is at the dead worker still
 *   participant  is away since the worker died, if he is there still, or was
 *                away already; either way this worker has to see to him now,
 *                and its own list in the store says so
 *
 * Each call does its duty and removes it from the dead worker's list in one
 * step, so nothing is done twice and nothing is forgotten: if this worker dies
 * as well, its claim runs out and the next one goes on with what is left.  The
 * claim is renewed with each lease call; one that is lost ends the walk.
 */


#include "ngx_http_rs_reap_internal.h"
#include "session/ngx_http_rs_place.h"


#define NGX_HTTP_RS_WALK_CALLS  16       /* under way at once */
#define NGX_HTTP_RS_WALK_PACE   50       /* ms between two steps */


typedef enum {
    NGX_HTTP_RS_WALK_TENANT = 0,         /* ask for the next one */
    NGX_HTTP_RS_WALK_ADMIT,              /* it becomes one of this worker's */
    NGX_HTTP_RS_WALK_LIST                /* ask for a hundred duties */
} ngx_http_rs_walk_step_e;


struct ngx_http_rs_walk_s {
    ngx_http_rs_reap_t         *reap;
    ngx_event_t                 timer;

    ngx_str_t                   dead;          /* empty: nobody */
    uint64_t                    since;         /* ms of the store's clock */
    ngx_str_t                   tenant;        /* empty: the first is next */
    ngx_http_rs_walk_step_e     step;

    ngx_uint_t                  n;             /* duties of this step */
    ngx_uint_t                  next;          /* to be called for */
    ngx_uint_t                  calls;         /* under way */
    ngx_uint_t                  done;          /* in this step */

    ngx_uint_t                  duties;        /* in all */
    ngx_uint_t                  adopted;
    int64_t                     now;           /* of the store, at the list */

    unsigned                    lost:1;        /* the claim */
    unsigned                    failed:1;      /* a call of this step */

    u_char                      worker_name[RS_ADDR_MAX];
    u_char                      tenant_name[RS_TENANT_MAX];
    uint8_t                     len[NGX_HTTP_RS_REAP_STEP];
    u_char                      name[NGX_HTTP_RS_REAP_STEP]
                                    [NGX_HTTP_RS_DUTY_MAX];
};


static void ngx_http_rs_walk_handler(ngx_event_t *ev);
static void ngx_http_rs_walk_run(ngx_http_rs_walk_t *walk);
static void ngx_http_rs_walk_later(ngx_http_rs_walk_t *walk, ngx_msec_t ms);
static void ngx_http_rs_walk_end(ngx_http_rs_walk_t *walk, const char *why);
static void ngx_http_rs_walk_tenant(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_walk_admitted(void *data, rs_err_e code);
static void ngx_http_rs_walk_list(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_walk_calls(ngx_http_rs_walk_t *walk);
static ngx_int_t ngx_http_rs_walk_call(ngx_http_rs_walk_t *walk,
    ngx_uint_t i);
static void ngx_http_rs_walk_called(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


ngx_http_rs_walk_t *
ngx_http_rs_walk_create(ngx_http_rs_reap_t *reap)
{
    ngx_http_rs_walk_t  *walk;

    walk = ngx_calloc(sizeof(ngx_http_rs_walk_t), reap->log);
    if (walk == NULL) {
        return NULL;
    }

    walk->reap = reap;
    walk->dead.data = walk->worker_name;
    walk->tenant.data = walk->tenant_name;

    walk->timer.handler = ngx_http_rs_walk_handler;
    walk->timer.data = walk;
    walk->timer.log = reap->log;
    walk->timer.cancelable = 1;

    return walk;
}


void
ngx_http_rs_walk_destroy(ngx_http_rs_walk_t *walk)
{
    if (walk->timer.timer_set) {
        ngx_del_timer(&walk->timer);
    }

    ngx_free(walk);
}


ngx_str_t *
ngx_http_rs_reap_walked(ngx_http_rs_reap_t *reap)
{
    static ngx_str_t  none = ngx_string("-");

    if (ngx_exiting && reap->walk->dead.len == 0) {
        return &none;
    }

    return &reap->walk->dead;
}


void
ngx_http_rs_reap_claim(ngx_http_rs_reap_t *reap, ngx_str_t *dead,
    uint64_t since)
{
    ngx_http_rs_walk_t  *walk;

    walk = reap->walk;

    if (walk->dead.len) {

        if (dead->len == 0) {
            walk->lost = 1;
        }

        return;
    }

    if (dead->len == 0 || dead->len > sizeof(walk->worker_name)) {
        return;
    }

    ngx_memcpy(walk->worker_name, dead->data, dead->len);
    walk->dead.len = dead->len;
    walk->since = since;
    walk->tenant.len = 0;
    walk->step = NGX_HTTP_RS_WALK_TENANT;
    walk->duties = 0;
    walk->adopted = 0;
    walk->lost = 0;

    ngx_http_rs_count(reap->rmcf, NGX_HTTP_RS_STAT_REAPED);

    ngx_log_error(NGX_LOG_INFO, reap->log, 0,
                  "rs reap: worker %V is dead, its duties are walked", dead);

    ngx_http_rs_walk_run(walk);
}


static void
ngx_http_rs_walk_handler(ngx_event_t *ev)
{
    ngx_http_rs_walk_run(ev->data);
}


static void
ngx_http_rs_walk_run(ngx_http_rs_walk_t *walk)
{
    ngx_int_t                rv;
    ngx_http_rs_reap_t      *reap;
    ngx_http_rs_store_op_t  *op;

    reap = walk->reap;

    if (walk->lost) {
        ngx_http_rs_walk_end(walk, "it is back or another's");
        return;
    }

    switch (walk->step) {

    case NGX_HTTP_RS_WALK_TENANT:
        op = ngx_http_rs_store_op(reap->rmcf->store, ngx_http_rs_walk_tenant,
                                  walk);
        rv = op ? ngx_http_rs_store_reap_tenant(op, &walk->dead,
                                                &walk->tenant)
                : NGX_BUSY;
        break;

    case NGX_HTTP_RS_WALK_ADMIT:
        rv = ngx_http_rs_reap_admit(reap, &walk->tenant, NULL,
                                    ngx_http_rs_walk_admitted, walk);
        if (rv == NGX_AGAIN) {
            return;
        }

        if (rv != NGX_OK) {
            break;
        }

        walk->step = NGX_HTTP_RS_WALK_LIST;

        /* fall through */

    default: /* NGX_HTTP_RS_WALK_LIST */
        op = ngx_http_rs_store_op(reap->rmcf->store, ngx_http_rs_walk_list,
                                  walk);
        rv = op ? ngx_http_rs_store_duties(op, &walk->tenant, &walk->dead, 0,
                                           NGX_HTTP_RS_REAP_STEP)
                : NGX_BUSY;
        break;
    }

    if (rv != NGX_OK) {
        ngx_http_rs_walk_later(walk, ngx_http_rs_reap_retry());
    }
}


static void
ngx_http_rs_walk_later(ngx_http_rs_walk_t *walk, ngx_msec_t ms)
{
    ngx_add_timer(&walk->timer, ms);
}


static void
ngx_http_rs_walk_end(ngx_http_rs_walk_t *walk, const char *why)
{
    ngx_log_error(NGX_LOG_NOTICE, walk->reap->log, 0,
                  "rs reap: worker %V: %s, %ui duties were walked, %ui are "
                  "this worker's now", &walk->dead, why, walk->duties,
                  walk->adopted);

    walk->dead.len = 0;
    walk->tenant.len = 0;
    walk->lost = 0;
}


static void
ngx_http_rs_walk_tenant(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_walk_t *walk = data;

    ngx_str_t  word, tenant;

    if (code != RS_OK) {
        ngx_http_rs_walk_later(walk, ngx_http_rs_reap_retry());
        return;
    }

    word = ngx_rs_reply_str(reply, 1);
    tenant = ngx_rs_reply_str(reply, 2);

    if (rs_str_eq(ngx_http_rs_slice(&word), RS_STR("next"))
        && tenant.len <= sizeof(walk->tenant_name))
    {
        ngx_memcpy(walk->tenant_name, tenant.data, tenant.len);
        walk->tenant.len = tenant.len;
        walk->step = NGX_HTTP_RS_WALK_ADMIT;

        ngx_http_rs_walk_run(walk);
        return;
    }

    ngx_http_rs_walk_end(walk, rs_str_eq(ngx_http_rs_slice(&word),
                                         RS_STR("none"))
                               ? "nothing is left" : "it is back");

    /* others may be dead as well */

    ngx_http_rs_presence_soon(walk->reap->rmcf->presence);
}


static void
ngx_http_rs_walk_admitted(void *data, rs_err_e code)
{
    ngx_http_rs_walk_t *walk = data;

    if (code != RS_OK) {
        ngx_http_rs_walk_later(walk, ngx_http_rs_reap_retry());
        return;
    }

    walk->step = NGX_HTTP_RS_WALK_LIST;
    ngx_http_rs_walk_run(walk);
}


static void
ngx_http_rs_walk_list(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_walk_t *walk = data;

    ngx_str_t        name;
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *list;

    if (code != RS_OK) {
        ngx_http_rs_walk_later(walk, ngx_http_rs_reap_retry());
        return;
    }

    walk->now = ngx_rs_reply_int(reply, 1);
    list = ngx_rs_reply_at(reply, 2);
    n = ngx_min(ngx_rs_reply_count(list), NGX_HTTP_RS_REAP_STEP);

    if (n == 0) {
        walk->step = NGX_HTTP_RS_WALK_TENANT;
        ngx_http_rs_walk_run(walk);
        return;
    }

    for (i = 0; i < n; i++) {
        name = ngx_rs_reply_str(list, i);
        walk->len[i] = ngx_min(name.len, NGX_HTTP_RS_DUTY_MAX);
        ngx_memcpy(walk->name[i], name.data, walk->len[i]);
    }

    walk->n = n;
    walk->next = 0;
    walk->calls = 0;
    walk->done = 0;
    walk->failed = 0;

    ngx_http_rs_walk_calls(walk);
}


/* as many as may be under way; when there are none, the step is over */

static void
ngx_http_rs_walk_calls(ngx_http_rs_walk_t *walk)
{
    while (walk->next < walk->n && walk->calls < NGX_HTTP_RS_WALK_CALLS
           && !walk->failed && !walk->lost)
    {
        if (ngx_http_rs_walk_call(walk, walk->next++) != NGX_OK) {
            walk->failed = 1;
        }
    }

    if (walk->calls) {
        return;
    }

    if (walk->failed) {
        ngx_http_rs_walk_later(walk, ngx_http_rs_reap_retry());
        return;
    }

    if (walk->done == 0 && !walk->lost) {
        ngx_log_error(NGX_LOG_ERR, walk->reap->log, 0,
                      "rs reap: worker %V: %ui duties in %V cannot be done "
                      "and are left", &walk->dead, walk->n, &walk->tenant);
        walk->step = NGX_HTTP_RS_WALK_TENANT;
    }

    ngx_http_rs_walk_later(walk, NGX_HTTP_RS_WALK_PACE);
}


/* NGX_OK: called, or no duty at all */

static ngx_int_t
ngx_http_rs_walk_call(ngx_http_rs_walk_t *walk, ngx_uint_t i)
{
    ngx_int_t                rv;
    ngx_str_t                name;
    ngx_http_rs_duty_t       duty;
    ngx_http_rs_store_op_t  *op;

    name.data = walk->name[i];
    name.len = walk->len[i];

    if (ngx_http_rs_reap_duty(&name, &duty) != NGX_OK) {
        return NGX_OK;
    }

    duty.tenant = walk->tenant;

    op = ngx_http_rs_store_op(walk->reap->rmcf->store,
                              ngx_http_rs_walk_called, walk);
    if (op == NULL) {
        return NGX_BUSY;
    }

    if (duty.device_id.len) {
        rv = ngx_http_rs_store_device_reap(op, &duty, &walk->dead,
                                           walk->since);

    } else {
        rv = ngx_http_rs_store_adopt(op, &duty, &walk->dead, walk->since);
    }

    if (rv == NGX_OK) {
        walk->calls++;
    }

    return rv;
}


static void
ngx_http_rs_walk_called(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_walk_t *walk = data;

    ngx_str_t  word;

    walk->calls--;

    if (code == RS_E_UNAVAILABLE) {
        walk->failed = 1;

    } else if (code == RS_OK) {
        walk->done++;
        walk->duties++;

        word = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&word), RS_STR("gone"))) {
            ngx_http_rs_place_all(walk->reap->rmcf, &walk->tenant, reply);

        } else if (rs_str_eq(ngx_http_rs_slice(&word), RS_STR("adopted"))) {
            walk->adopted++;
            ngx_http_rs_reap_due(walk->reap, &walk->tenant,
                                 ngx_http_rs_reap_until(walk->now,
                                            ngx_rs_reply_int(reply, 2)));
        }
    }

    ngx_http_rs_walk_calls(walk);
}
