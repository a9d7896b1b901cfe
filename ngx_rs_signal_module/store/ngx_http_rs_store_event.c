
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of events and webhooks.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


static void ngx_http_rs_store_hooks(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant);


static void
ngx_http_rs_store_hooks(ngx_http_rs_store_call_t *call, ngx_str_t *tenant)
{
    ngx_http_rs_store_index(call, tenant, "hooks");
    ngx_http_rs_store_index(call, tenant, "hookst");
}


ngx_int_t
ngx_http_rs_store_event_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *position, ngx_uint_t count)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_event_list", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, "ev");

    ngx_http_rs_store_arg(&call, position);
    ngx_http_rs_store_arg_number(&call, count);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_webhook_tenant(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant)
{
    ngx_http_rs_store_call_t  call;

    static ngx_str_t  all = ngx_string("b");

    ngx_http_rs_store_begin(&call, op, "rs_webhook_tenant", 0);

    ngx_http_rs_store_index(&call, &all, "hookt");

    ngx_http_rs_store_arg(&call, tenant);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_webhook_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_webhook_t *w)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_webhook_create", caller);

    ngx_http_rs_store_hooks(&call, &caller->tenant);
    ngx_http_rs_store_index(&call, &caller->tenant, "ev");
    ngx_http_rs_store_key(&call, &caller->tenant, "idem", &w->idem);

    ngx_http_rs_store_arg(&call, &w->id);
    ngx_http_rs_store_arg(&call, &w->name);
    ngx_http_rs_store_arg(&call, &w->url);
    ngx_http_rs_store_arg(&call, &w->types);
    ngx_http_rs_store_arg_text(&call, w->enabled ? "1" : "0");
    ngx_http_rs_store_arg(&call, &w->body_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_webhook_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields)
{
    ngx_uint_t                i;
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_webhook_patch", caller);

    ngx_http_rs_store_hooks(&call, &caller->tenant);
    ngx_http_rs_store_index(&call, &caller->tenant, "ev");

    ngx_http_rs_store_arg(&call, id);
    ngx_http_rs_store_arg(&call, version);

    for (i = 0; i < 2 * n; i++) {
        ngx_http_rs_store_arg(&call, &fields[i]);
    }

    return ngx_http_rs_store_send(&call);
}
