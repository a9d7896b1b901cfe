
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of presence and of what outlives a worker: leases, its
 * tenants, its duties and those of the dead.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


/* keys of the fleet are under this tag instead of a tenant's */

static ngx_str_t  ngx_http_rs_store_fleet = ngx_string("w");


static void ngx_http_rs_store_session_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_duty_t *duty);


ngx_int_t
ngx_http_rs_store_lease(ngx_http_rs_store_op_t *op,
    ngx_http_rs_lease_t *lease, uint64_t beacon, ngx_str_t *walked)
{
    ngx_str_t                *tag;
    ngx_http_rs_store_call_t  call;

    tag = &ngx_http_rs_store_fleet;

    ngx_http_rs_store_begin(&call, op, "rs_lease", 0);

    ngx_http_rs_store_index(&call, tag, "lease");
    ngx_http_rs_store_index(&call, tag, "dead");
    ngx_http_rs_store_index(&call, tag, "fleet");
    ngx_http_rs_store_key(&call, tag, "node", &lease->node);
    ngx_http_rs_store_key(&call, tag, "ten", &lease->worker);

    ngx_http_rs_store_arg(&call, &lease->worker);
    ngx_http_rs_store_arg_number(&call, lease->ttl);
    ngx_http_rs_store_arg_number(&call, beacon);
    ngx_http_rs_store_arg(&call, &lease->identity);
    ngx_http_rs_store_arg(&call, walked);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_lease_drop(ngx_http_rs_store_op_t *op,
    ngx_http_rs_lease_t *lease, ngx_str_t *walked)
{
    ngx_str_t                *tag;
    ngx_http_rs_store_call_t  call;

    tag = &ngx_http_rs_store_fleet;

    ngx_http_rs_store_begin(&call, op, "rs_lease_drop", 0);

    ngx_http_rs_store_index(&call, tag, "lease");
    ngx_http_rs_store_index(&call, tag, "dead");
    ngx_http_rs_store_key(&call, tag, "node", &lease->node);
    ngx_http_rs_store_key(&call, tag, "ten", &lease->worker);

    ngx_http_rs_store_arg(&call, &lease->worker);
    ngx_http_rs_store_arg(&call, &lease->identity);
    ngx_http_rs_store_arg(&call, walked);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_tenants(ngx_http_rs_store_op_t *op, ngx_str_t *worker,
    ngx_uint_t n, ngx_str_t **tenants)
{
    ngx_uint_t                i;
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_tenant", 0);

    ngx_http_rs_store_key(&call, &ngx_http_rs_store_fleet, "ten", worker);

    for (i = 0; i < n; i++) {
        ngx_http_rs_store_arg(&call, tenants[i]);
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_reap_tenant(ngx_http_rs_store_op_t *op, ngx_str_t *dead,
    ngx_str_t *done)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_reap_tenant", 0);

    ngx_http_rs_store_key(&call, &ngx_http_rs_store_fleet, "ten", dead);
    ngx_http_rs_store_index(&call, &ngx_http_rs_store_fleet, "dead");

    ngx_http_rs_store_arg(&call, dead);
    ngx_http_rs_store_arg(&call, done);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_duties(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *worker, ngx_uint_t due, ngx_uint_t count)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_duties", 1);

    ngx_http_rs_store_key(&call, tenant, "own", worker);

    ngx_http_rs_store_arg_text(&call, due ? "due" : "all");
    ngx_http_rs_store_arg_number(&call, count);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_own_keep(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *worker)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_own_keep", 0);

    ngx_http_rs_store_key(&call, tenant, "own", worker);

    return ngx_http_rs_store_send(&call);
}


/* ses, par, mem */

static void
ngx_http_rs_store_session_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_duty_t *duty)
{
    ngx_http_rs_store_key(call, &duty->tenant, "ses", &duty->session_id);
    ngx_http_rs_store_key(call, &duty->tenant, "par", &duty->session_id);
    ngx_http_rs_store_key(call, &duty->tenant, "mem", &duty->session_id);
}


ngx_int_t
ngx_http_rs_store_adopt(ngx_http_rs_store_op_t *op, ngx_http_rs_duty_t *duty,
    ngx_str_t *dead, uint64_t since)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_adopt", 0);

    ngx_http_rs_store_session_keys(&call, duty);
    ngx_http_rs_store_key(&call, &duty->tenant, "own", dead);
    ngx_http_rs_store_own_key(&call, &duty->tenant);

    ngx_http_rs_store_arg(&call, &duty->participant_id);
    ngx_http_rs_store_arg_number(&call, since);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_lost(ngx_http_rs_store_op_t *op, ngx_http_rs_duty_t *duty)
{
    ngx_http_rs_store_call_t  call;

    if (ngx_http_rs_store_unlinks(op, &duty->tenant, &duty->session_id)
        != NGX_OK)
    {
        return ngx_http_rs_store_refuse(op);
    }

    ngx_http_rs_store_begin(&call, op, "rs_lost", 0);

    ngx_http_rs_store_session_keys(&call, duty);
    ngx_http_rs_store_key(&call, &duty->tenant, "log", &duty->session_id);
    ngx_http_rs_store_own_key(&call, &duty->tenant);
    ngx_http_rs_store_index(&call, &duty->tenant, "turn");
    ngx_http_rs_store_index(&call, &duty->tenant, "trev");
    ngx_http_rs_store_index(&call, &duty->tenant, "svcs");
    ngx_http_rs_store_index(&call, &duty->tenant, "rses");

    ngx_http_rs_store_arg(&call, &duty->participant_id);
    ngx_http_rs_store_arg_replid(&call);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_reap(ngx_http_rs_store_op_t *op,
    ngx_http_rs_duty_t *duty, ngx_str_t *dead, uint64_t since)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_device_offline", 0);

    ngx_http_rs_store_key(&call, &duty->tenant, "dev", &duty->device_id);
    ngx_http_rs_store_key(&call, &duty->tenant, "own", dead);
    ngx_http_rs_store_index(&call, &duty->tenant, "svcs");
    ngx_http_rs_store_key(&call, &duty->tenant, "dses", &duty->device_id);
    ngx_http_rs_store_index(&call, &duty->tenant, "rses");

    ngx_http_rs_store_arg(&call, dead);
    ngx_http_rs_store_arg_number(&call, since / 1000);

    return ngx_http_rs_store_send(&call);
}
