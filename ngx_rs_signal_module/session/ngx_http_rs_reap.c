
/*
 * Copyright (C) rs-gateway contributors
 *
 * The tenants this worker has duties in, and the duties it took over.
 *
 * A duty is written in the store by the same function that makes it: who
 * joins, who goes away, which device is online.  The list is of one worker in
 * one tenant, so whoever walks it must know the tenants: the store is told of
 * a tenant before this worker owns anything in it, and told again when it may
 * have forgotten.  Tenants are not forgotten here; their number is bounded.
 *
 * Who went away from this worker has a timer of its own (session_leave.c).
 * Duties that were taken over stay in the store, where they are ordered by the
 * instant when they are due: there is one timer a tenant, for the next one.
 */


#include "ngx_http_rs_reap_internal.h"


#define NGX_HTTP_RS_TENANTS_MAX     16384

#define NGX_HTTP_RS_REAP_MORE       100                  /* ms */
#define NGX_HTTP_RS_REAP_FAR        (24 * 3600 * 1000)   /* ms */
#define NGX_HTTP_RS_REAP_KEEP       (6 * 3600 * 1000)    /* ms */
#define NGX_HTTP_RS_REAP_KEEP_TICK  50                   /* ms */


typedef struct {
    ngx_str_node_t              sn;
    ngx_queue_t                 queue;         /* told, telling or untold */
    ngx_http_rs_reap_t         *reap;
    ngx_event_t                 timer;         /* the next duty is due */
    ngx_uint_t                  round;         /* its list was kept in */
    unsigned                    told:1;
    unsigned                    asking:1;      /* what is due */
    u_char                      name[RS_TENANT_MAX];
} ngx_http_rs_tenant_t;


typedef struct {
    ngx_queue_t                 queue;
    ngx_http_rs_reap_t         *reap;
    ngx_http_rs_reap_admit_pt   handler;
    void                       *data;
    ngx_str_t                   tenant;
    u_char                      name[RS_TENANT_MAX];
} ngx_http_rs_admit_t;


static void ngx_http_rs_reap_found(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_reap_admit_tell(ngx_http_rs_admit_t *a);
static void ngx_http_rs_reap_admitted(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_reap_admit_done(ngx_http_rs_admit_t *a,
    rs_err_e code);
static ngx_http_rs_tenant_t *ngx_http_rs_reap_tenant(
    ngx_http_rs_reap_t *reap, ngx_str_t *name);
static ngx_int_t ngx_http_rs_reap_add(ngx_http_rs_reap_t *reap,
    ngx_str_t *name);
static void ngx_http_rs_reap_tell_handler(ngx_event_t *ev);
static void ngx_http_rs_reap_tell_reply(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_reap_arm(ngx_http_rs_tenant_t *t, ngx_msec_t ms);
static void ngx_http_rs_reap_due_handler(ngx_event_t *ev);
static void ngx_http_rs_reap_due_reply(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_reap_lose(ngx_http_rs_tenant_t *t,
    ngx_str_t *name);
static void ngx_http_rs_reap_lost(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_reap_keep_handler(ngx_event_t *ev);
static void ngx_http_rs_reap_free(ngx_queue_t *tenants);


ngx_http_rs_reap_t *
ngx_http_rs_reap_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_http_rs_reap_t  *reap;

    reap = ngx_calloc(sizeof(ngx_http_rs_reap_t), log);
    if (reap == NULL) {
        return NULL;
    }

    reap->rmcf = rmcf;
    reap->log = log;
    reap->round = 1;

    ngx_rbtree_init(&reap->tree, &reap->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_queue_init(&reap->told);
    ngx_queue_init(&reap->telling);
    ngx_queue_init(&reap->untold);
    ngx_queue_init(&reap->admits);

    reap->tell.handler = ngx_http_rs_reap_tell_handler;
    reap->keep.handler = ngx_http_rs_reap_keep_handler;

    reap->tell.data = reap;
    reap->keep.data = reap;

    reap->tell.log = log;
    reap->keep.log = log;

    reap->tell.cancelable = 1;
    reap->keep.cancelable = 1;

    reap->walk = ngx_http_rs_walk_create(reap);
    if (reap->walk == NULL) {
        ngx_free(reap);
        return NULL;
    }

    ngx_add_timer(&reap->keep, NGX_HTTP_RS_REAP_KEEP);

    return reap;
}


void
ngx_http_rs_reap_destroy(ngx_http_rs_reap_t *reap)
{
    ngx_queue_t  *q;

    ngx_http_rs_walk_destroy(reap->walk);

    if (reap->tell.timer_set) {
        ngx_del_timer(&reap->tell);
    }

    if (reap->keep.timer_set) {
        ngx_del_timer(&reap->keep);
    }

    ngx_http_rs_reap_free(&reap->told);
    ngx_http_rs_reap_free(&reap->telling);
    ngx_http_rs_reap_free(&reap->untold);

    while (!ngx_queue_empty(&reap->admits)) {
        q = ngx_queue_head(&reap->admits);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_rs_admit_t, queue));
    }

    ngx_free(reap);
}


static void
ngx_http_rs_reap_free(ngx_queue_t *tenants)
{
    ngx_queue_t           *q;
    ngx_http_rs_tenant_t  *t;

    while (!ngx_queue_empty(tenants)) {
        q = ngx_queue_head(tenants);
        t = ngx_queue_data(q, ngx_http_rs_tenant_t, queue);

        if (t->timer.timer_set) {
            ngx_del_timer(&t->timer);
        }

        ngx_queue_remove(q);
        ngx_free(t);
    }
}


ngx_int_t
ngx_http_rs_reap_admit(ngx_http_rs_reap_t *reap, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_http_rs_reap_admit_pt handler, void *data)
{
    ngx_http_rs_admit_t     *a;
    ngx_http_rs_caller_t     caller;
    ngx_http_rs_tenant_t    *t;
    ngx_http_rs_store_op_t  *op;

    t = ngx_http_rs_reap_tenant(reap, tenant);

    if (t && t->told) {
        return NGX_OK;
    }

    if (tenant->len > RS_TENANT_MAX) {
        return NGX_BUSY;
    }

    a = ngx_alloc(sizeof(ngx_http_rs_admit_t), reap->log);
    if (a == NULL) {
        return NGX_BUSY;
    }

    a->reap = reap;
    a->handler = handler;
    a->data = data;
    a->tenant.len = tenant->len;
    a->tenant.data = a->name;
    ngx_memcpy(a->name, tenant->data, tenant->len);

    ngx_queue_insert_tail(&reap->admits, &a->queue);

    if (session_id == NULL) {

        if (ngx_http_rs_reap_admit_tell(a) == NGX_OK) {
            return NGX_AGAIN;
        }

        goto busy;
    }

    ngx_http_rs_caller_self(&caller, &a->tenant);

    op = ngx_http_rs_store_op(reap->rmcf->store, ngx_http_rs_reap_found, a);

    if (op
        && ngx_http_rs_store_session_get(op, &caller, session_id) == NGX_OK)
    {
        return NGX_AGAIN;
    }

busy:

    ngx_queue_remove(&a->queue);
    ngx_free(a);

    return NGX_BUSY;
}


static void
ngx_http_rs_reap_found(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_admit_t *a = data;

    if (code == RS_E_NOT_FOUND) {
        ngx_http_rs_reap_admit_done(a, RS_E_UNAUTHENTICATED);
        return;
    }

    if (code != RS_OK) {
        ngx_http_rs_reap_admit_done(a, code);
        return;
    }

    if (ngx_http_rs_reap_admit_tell(a) != NGX_OK) {
        ngx_http_rs_reap_admit_done(a, RS_E_UNAVAILABLE);
    }
}


static ngx_int_t
ngx_http_rs_reap_admit_tell(ngx_http_rs_admit_t *a)
{
    ngx_str_t               *tenant;
    ngx_http_rs_store_op_t  *op;

    op = ngx_http_rs_store_op(a->reap->rmcf->store,
                              ngx_http_rs_reap_admitted, a);
    if (op == NULL) {
        return NGX_BUSY;
    }

    tenant = &a->tenant;

    return ngx_http_rs_store_tenants(op, &a->reap->rmcf->self_text, 1,
                                     &tenant);
}


static void
ngx_http_rs_reap_admitted(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_admit_t *a = data;

    if (code == RS_OK
        && ngx_http_rs_reap_add(a->reap, &a->tenant) != NGX_OK)
    {
        code = RS_E_OVERLOADED;
    }

    ngx_http_rs_reap_admit_done(a, code);
}


static void
ngx_http_rs_reap_admit_done(ngx_http_rs_admit_t *a, rs_err_e code)
{
    void                       *data;
    ngx_http_rs_reap_admit_pt   handler;

    data = a->data;
    handler = a->handler;

    ngx_queue_remove(&a->queue);
    ngx_free(a);

    handler(data, code);
}


static ngx_http_rs_tenant_t *
ngx_http_rs_reap_tenant(ngx_http_rs_reap_t *reap, ngx_str_t *name)
{
    return (ngx_http_rs_tenant_t *)
               ngx_str_rbtree_lookup(&reap->tree, name,
                                     ngx_crc32_short(name->data, name->len));
}


/* the store was told of it */

static ngx_int_t
ngx_http_rs_reap_add(ngx_http_rs_reap_t *reap, ngx_str_t *name)
{
    ngx_http_rs_tenant_t  *t;

    t = ngx_http_rs_reap_tenant(reap, name);

    if (t) {
        t->told = 1;
        ngx_queue_remove(&t->queue);
        ngx_queue_insert_tail(&reap->told, &t->queue);
        return NGX_OK;
    }

    if (reap->ntenants == NGX_HTTP_RS_TENANTS_MAX) {
        ngx_log_error(NGX_LOG_ERR, reap->log, 0,
                      "rs reap: tenant \"%V\" is refused, this worker has %ui "
                      "already", name, reap->ntenants);
        return NGX_BUSY;
    }

    t = ngx_calloc(sizeof(ngx_http_rs_tenant_t), reap->log);
    if (t == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(t->name, name->data, name->len);

    t->sn.str.data = t->name;
    t->sn.str.len = name->len;
    t->sn.node.key = ngx_crc32_short(name->data, name->len);

    t->reap = reap;
    t->told = 1;
    t->round = reap->round;

    t->timer.handler = ngx_http_rs_reap_due_handler;
    t->timer.data = t;
    t->timer.log = reap->log;
    t->timer.cancelable = 1;

    ngx_rbtree_insert(&reap->tree, &t->sn.node);
    ngx_queue_insert_tail(&reap->told, &t->queue);
    reap->ntenants++;

    return NGX_OK;
}


void
ngx_http_rs_reap_up(ngx_http_rs_reap_t *reap)
{
    ngx_queue_t           *q;
    ngx_http_rs_tenant_t  *t;

    for (q = ngx_queue_head(&reap->told);
         q != ngx_queue_sentinel(&reap->told);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_http_rs_tenant_t, queue);
        t->told = 0;
    }

    if (!ngx_queue_empty(&reap->told)) {
        ngx_queue_add(&reap->untold, &reap->told);
        ngx_queue_init(&reap->told);
    }

    ngx_http_rs_reap_tell_handler(&reap->tell);
}


/* one call at a time, of a hundred tenants */

static void
ngx_http_rs_reap_tell_handler(ngx_event_t *ev)
{
    ngx_str_t               *names[NGX_HTTP_RS_REAP_STEP];
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_rs_reap_t      *reap;
    ngx_http_rs_tenant_t    *t;
    ngx_http_rs_store_op_t  *op;

    reap = ev->data;

    if (ngx_queue_empty(&reap->untold) || !ngx_queue_empty(&reap->telling)) {
        return;
    }

    for (n = 0; n < NGX_HTTP_RS_REAP_STEP; n++) {

        if (ngx_queue_empty(&reap->untold)) {
            break;
        }

        q = ngx_queue_head(&reap->untold);
        t = ngx_queue_data(q, ngx_http_rs_tenant_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&reap->telling, q);

        names[n] = &t->sn.str;
    }

    op = ngx_http_rs_store_op(reap->rmcf->store, ngx_http_rs_reap_tell_reply,
                              reap);

    if (op == NULL
        || ngx_http_rs_store_tenants(op, &reap->rmcf->self_text, n, names)
           != NGX_OK)
    {
        ngx_http_rs_reap_tell_reply(reap, RS_E_UNAVAILABLE, NULL);
    }
}


static void
ngx_http_rs_reap_tell_reply(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_reap_t *reap = data;

    ngx_queue_t           *q;
    ngx_http_rs_tenant_t  *t;

    while (!ngx_queue_empty(&reap->telling)) {

        q = ngx_queue_head(&reap->telling);
        t = ngx_queue_data(q, ngx_http_rs_tenant_t, queue);

        ngx_queue_remove(q);

        t->told = (code == RS_OK);
        ngx_queue_insert_tail(t->told ? &reap->told : &reap->untold, q);
    }

    if (!ngx_queue_empty(&reap->untold)) {
        ngx_add_timer(&reap->tell, code == RS_OK ? 1
                                                 : ngx_http_rs_reap_retry());
    }
}


ngx_msec_t
ngx_http_rs_reap_retry(void)
{
    return NGX_HTTP_RS_REAP_RETRY + ngx_random() % NGX_HTTP_RS_REAP_RETRY;
}


ngx_msec_t
ngx_http_rs_reap_until(int64_t now, int64_t at)
{
    if (at <= now) {
        return 1;
    }

    /* an instant that has passed, not one that just comes */

    return (ngx_msec_t) ngx_min(at - now + 1, NGX_HTTP_RS_REAP_FAR);
}


void
ngx_http_rs_reap_due(ngx_http_rs_reap_t *reap, ngx_str_t *tenant,
    ngx_msec_t ms)
{
    ngx_http_rs_tenant_t  *t;

    t = ngx_http_rs_reap_tenant(reap, tenant);

    if (t) {
        ngx_http_rs_reap_arm(t, ms);
    }
}


static void
ngx_http_rs_reap_arm(ngx_http_rs_tenant_t *t, ngx_msec_t ms)
{
    if (t->timer.timer_set
        && (ngx_msec_int_t) (t->timer.timer.key - ngx_current_msec)
           <= (ngx_msec_int_t) ms)
    {
        return;
    }

    ngx_add_timer(&t->timer, ms);
}


static void
ngx_http_rs_reap_due_handler(ngx_event_t *ev)
{
    ngx_http_rs_reap_t      *reap;
    ngx_http_rs_tenant_t    *t;
    ngx_http_rs_store_op_t  *op;

    t = ev->data;
    reap = t->reap;

    if (t->asking) {
        /* its answer may be older than what is due now */
        ngx_http_rs_reap_arm(t, NGX_HTTP_RS_REAP_MORE);
        return;
    }

    op = ngx_http_rs_store_op(reap->rmcf->store, ngx_http_rs_reap_due_reply,
                              t);

    if (op == NULL
        || ngx_http_rs_store_duties(op, &t->sn.str, &reap->rmcf->self_text, 1,
                                    NGX_HTTP_RS_REAP_STEP)
           != NGX_OK)
    {
        ngx_http_rs_reap_arm(t, ngx_http_rs_reap_retry());
        return;
    }

    t->asking = 1;
}


static void
ngx_http_rs_reap_due_reply(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_tenant_t *t = data;

    int64_t          now, next;
    ngx_str_t        name;
    ngx_uint_t       i, n, refused;
    ngx_rs_reply_t  *list;

    t->asking = 0;

    if (code != RS_OK) {
        ngx_http_rs_reap_arm(t, ngx_http_rs_reap_retry());
        return;
    }

    now = ngx_rs_reply_int(reply, 1);
    list = ngx_rs_reply_at(reply, 2);
    n = ngx_rs_reply_count(list);
    refused = 0;

    for (i = 0; i < n; i++) {
        name = ngx_rs_reply_str(list, i);
        refused |= (ngx_http_rs_reap_lose(t, &name) != NGX_OK);
    }

    if (refused) {
        ngx_http_rs_reap_arm(t, ngx_http_rs_reap_retry());

    } else if (n == NGX_HTTP_RS_REAP_STEP) {
        ngx_http_rs_reap_arm(t, NGX_HTTP_RS_REAP_MORE);

    } else {
        next = ngx_rs_reply_int(reply, 3);

        if (next > 0) {
            ngx_http_rs_reap_arm(t, ngx_http_rs_reap_until(now, next));
        }
    }
}


static ngx_int_t
ngx_http_rs_reap_lose(ngx_http_rs_tenant_t *t, ngx_str_t *name)
{
    ngx_http_rs_duty_t       duty;
    ngx_http_rs_store_op_t  *op;

    if (ngx_http_rs_reap_duty(name, &duty) != NGX_OK || duty.device_id.len) {
        return NGX_OK;
    }

    duty.tenant = t->sn.str;

    op = ngx_http_rs_store_op(t->reap->rmcf->store, ngx_http_rs_reap_lost, t);
    if (op == NULL) {
        return NGX_BUSY;
    }

    ngx_log_error(NGX_LOG_INFO, t->reap->log, 0,
                  "rs reap: session %V of %V: %V did not come back",
                  &duty.session_id, &duty.tenant, &duty.participant_id);

    return ngx_http_rs_store_lost(op, &duty);
}


static void
ngx_http_rs_reap_lost(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_tenant_t *t = data;

    if (code == RS_E_UNAVAILABLE) {
        ngx_http_rs_reap_arm(t, ngx_http_rs_reap_retry());
    }
}


ngx_int_t
ngx_http_rs_reap_duty(ngx_str_t *name, ngx_http_rs_duty_t *duty)
{
    u_char  *p, *dot, *last;

    ngx_memzero(duty, sizeof(ngx_http_rs_duty_t));

    if (name->len < 3 || name->len > NGX_HTTP_RS_DUTY_MAX
        || name->data[1] != '.')
    {
        return NGX_ERROR;
    }

    p = name->data + 2;
    last = name->data + name->len;

    if (name->data[0] == 'd') {
        duty->device_id.data = p;
        duty->device_id.len = last - p;
        return NGX_OK;
    }

    dot = ngx_strlchr(p, last, '.');

    if (name->data[0] != 'p' || dot == NULL) {
        return NGX_ERROR;
    }

    duty->session_id.data = p;
    duty->session_id.len = dot - p;
    duty->participant_id.data = dot + 1;
    duty->participant_id.len = last - dot - 1;

    return NGX_OK;
}


/* a list nobody writes to would end although its worker lives */

static void
ngx_http_rs_reap_keep_handler(ngx_event_t *ev)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_rs_reap_t      *reap;
    ngx_http_rs_tenant_t    *t;
    ngx_http_rs_store_op_t  *op;

    reap = ev->data;
    n = 0;

    for (q = ngx_queue_head(&reap->told);
         q != ngx_queue_sentinel(&reap->told);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_http_rs_tenant_t, queue);

        if (t->round == reap->round) {
            continue;
        }

        if (n++ == NGX_HTTP_RS_REAP_STEP) {
            ngx_add_timer(ev, NGX_HTTP_RS_REAP_KEEP_TICK);
            return;
        }

        t->round = reap->round;

        op = ngx_http_rs_store_op(reap->rmcf->store, NULL, NULL);

        if (op) {
            /* refused: it lives for days, the next round comes in time */

            (void) ngx_http_rs_store_own_keep(op, &t->sn.str,
                                              &reap->rmcf->self_text);
        }
    }

    reap->round++;

    ngx_add_timer(ev, NGX_HTTP_RS_REAP_KEEP);
}
