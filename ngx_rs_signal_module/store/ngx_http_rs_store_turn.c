
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of TURN: sessions of kind "turn", revocation, and the
 * table of tenants that may have sessions, which tells the plugins beside the
 * TURN servers where to look.
 *
 * A tenant is in the table before its first session, for as long as that may
 * live: rs_turn_tenant goes over the link just before the create, and Redis
 * does what a link sends in order.  It is good for an hour longer, so that the
 * sessions of that hour need none.  What was told is remembered by worker, and
 * forgotten when the link is lost: the next primary may not know of it.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


#define NGX_HTTP_RS_TENANT_SLOTS  256     /* a power of two */
#define NGX_HTTP_RS_TENANT_FRESH  3600    /* s */


struct ngx_http_rs_tenants_s {
    struct {
        time_t                  until;    /* by ngx_http_rs_store_clock() */
        size_t                  len;
        u_char                  name[RS_TENANT_MAX];
    } slots[NGX_HTTP_RS_TENANT_SLOTS];
};


static time_t ngx_http_rs_store_clock(void);
static void ngx_http_rs_store_tenant_told(void *data, rs_err_e rc,
    ngx_rs_reply_t *reply);


/* tenants of one slot take it from each other, which costs a call each time */

ngx_int_t
ngx_http_rs_store_tenant(ngx_http_rs_store_t *store, ngx_str_t *tenant,
    time_t ttl)
{
    size_t                     len;
    time_t                     until;
    ngx_uint_t                 i;
    ngx_http_rs_tenants_t     *t;
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_store_call_t   call;

    if (store->tenants == NULL) {
        store->tenants = ngx_calloc(sizeof(ngx_http_rs_tenants_t),
                                    store->log);
        if (store->tenants == NULL) {
            return NGX_ERROR;
        }
    }

    t = store->tenants;
    len = ngx_min(tenant->len, RS_TENANT_MAX);
    i = ngx_crc32_short(tenant->data, len) & (NGX_HTTP_RS_TENANT_SLOTS - 1);
    until = ngx_http_rs_store_clock() + ttl;

    if (t->slots[i].until >= until && t->slots[i].len == len
        && ngx_memcmp(t->slots[i].name, tenant->data, len) == 0)
    {
        return NGX_OK;
    }

    op = ngx_http_rs_store_op(store, ngx_http_rs_store_tenant_told, store);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ngx_http_rs_store_begin(&call, op, "rs_turn_tenant", 0);

    ngx_http_rs_store_index(&call, &ngx_http_rs_store_fleet, "tens");

    ngx_http_rs_store_arg_number(&call, ttl + NGX_HTTP_RS_TENANT_FRESH);
    ngx_http_rs_store_arg(&call, tenant);

    if (ngx_http_rs_store_send(&call) != NGX_OK) {
        return NGX_BUSY;
    }

    t->slots[i].until = until + NGX_HTTP_RS_TENANT_FRESH;
    t->slots[i].len = len;
    ngx_memcpy(t->slots[i].name, tenant->data, len);

    return NGX_OK;
}


/* which one failed does not matter: all are told again */

static void
ngx_http_rs_store_tenant_told(void *data, rs_err_e rc, ngx_rs_reply_t *reply)
{
    if (rc != RS_OK) {
        ngx_http_rs_store_tenants_forget(data);
    }
}


void
ngx_http_rs_store_tenants_forget(ngx_http_rs_store_t *store)
{
    if (store->tenants) {
        ngx_memzero(store->tenants, sizeof(ngx_http_rs_tenants_t));
    }
}


/* s; does not jump with the host's clock */

static time_t
ngx_http_rs_store_clock(void)
{
    return (time_t) (ngx_current_msec / 1000);
}


ngx_int_t
ngx_http_rs_store_turn_session(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *key_id,
    time_t ttl, time_t retain, ngx_str_t *external_id)
{
    ngx_http_rs_store_call_t  call;

    if (ngx_http_rs_store_tenant(op->store, &caller->tenant, ttl) != NGX_OK) {
        return ngx_http_rs_store_refuse(op);
    }

    ngx_http_rs_store_begin(&call, op, "rs_turn_session", 0);

    ngx_http_rs_store_auth_key(&call, caller);
    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "turn");

    ngx_http_rs_store_arg(&call, &caller->scope);
    ngx_http_rs_store_arg(&call, key_id);
    ngx_http_rs_store_arg_number(&call, ttl);
    ngx_http_rs_store_arg_number(&call, retain);
    ngx_http_rs_store_arg(&call, external_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_turn_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *key_id,
    ngx_str_t *participant_id, const char *scope)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_turn_revoke", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_auth_key(&call, caller);
    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "turn");
    ngx_http_rs_store_index(&call, &caller->tenant, "trev");

    ngx_http_rs_store_arg(&call, &caller->scope);
    ngx_http_rs_store_arg_text(&call, scope);
    ngx_http_rs_store_arg(&call, key_id);
    ngx_http_rs_store_arg(&call, participant_id);

    return ngx_http_rs_store_send(&call);
}
