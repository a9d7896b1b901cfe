
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of services: devices of another kind than a desktop, what
 * they say of their places, and which of them gets the next session.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


ngx_int_t
ngx_http_rs_store_service_load(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *device_id, ngx_str_t *address, rs_msg_load_t *load)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_service_load", 0);

    ngx_http_rs_store_key(&call, tenant, "dev", device_id);
    ngx_http_rs_store_index(&call, tenant, "svcs");

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg_number(&call, load->capacity);
    ngx_http_rs_store_arg_number(&call, load->used);
    ngx_http_rs_store_arg_number(&call, load->queued);
    ngx_http_rs_store_arg_number(&call, load->queue);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_service_place(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    const char *kind, ngx_uint_t count, ngx_str_t *without)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_service_place", 1);

    ngx_http_rs_store_index(&call, tenant, "svcs");

    ngx_http_rs_store_arg_text(&call, kind);
    ngx_http_rs_store_arg_number(&call, (uint64_t) ngx_random());
    ngx_http_rs_store_arg_number(&call, count);
    ngx_http_rs_store_arg(&call, without);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_service_taken(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *device_id, ngx_str_t *session_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_service_taken", 0);

    ngx_http_rs_store_index(&call, tenant, "svcs");

    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg(&call, session_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_queue(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_str_t *device_id, ngx_uint_t position)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_session_queue", 0);

    ngx_http_rs_store_key(&call, tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, tenant, "mem", session_id);
    ngx_http_rs_store_key(&call, tenant, "log", session_id);
    ngx_http_rs_store_index(&call, tenant, "svcs");

    ngx_http_rs_store_arg(&call, device_id);

    if (position) {
        ngx_http_rs_store_arg_number(&call, position);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    ngx_http_rs_store_arg_replid(&call);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_move(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_str_t *device_id, ngx_str_t *to,
    const char *why)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_session_move", 0);

    ngx_http_rs_store_key(&call, tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, tenant, "par", session_id);
    ngx_http_rs_store_key(&call, tenant, "mem", session_id);
    ngx_http_rs_store_key(&call, tenant, "log", session_id);
    ngx_http_rs_store_index(&call, tenant, "svcs");
    ngx_http_rs_store_key(&call, tenant, "dses", device_id);
    ngx_http_rs_store_key(&call, tenant, "dev", to);
    ngx_http_rs_store_key(&call, tenant, "dses", to);

    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg(&call, to);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_text(&call, why);

    return ngx_http_rs_store_send(&call);
}
