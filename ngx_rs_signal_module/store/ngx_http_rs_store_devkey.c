
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of a device's key.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


ngx_int_t
ngx_http_rs_store_device_rotate(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_str_t *old, ngx_str_t *key, ngx_str_t *signature, ngx_str_t *addr)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_device_rotate", 0);

    /* the device throws its old key away when it is told */

    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, tenant, "dev", device_id);
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg(&call, old);
    ngx_http_rs_store_arg(&call, key);
    ngx_http_rs_store_arg(&call, signature);
    ngx_http_rs_store_arg(&call, addr);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_mismatch(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *addr,
    ngx_uint_t retired)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_device_mismatch", 0);

    ngx_http_rs_store_key(&call, tenant, "dev", device_id);
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, addr);
    ngx_http_rs_store_arg_text(&call, retired ? "retired" : "unknown");

    return ngx_http_rs_store_send(&call);
}
