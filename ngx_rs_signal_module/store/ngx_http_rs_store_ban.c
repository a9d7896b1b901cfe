
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of bans, which are the fleet's.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


/* the tag of their keys, instead of a tenant */

static ngx_str_t  ngx_http_rs_store_bans = ngx_string("b");


ngx_int_t
ngx_http_rs_store_ban_fail(ngx_http_rs_store_op_t *op, ngx_str_t *subject,
    rs_ban_t *ban)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_ban_fail", 0);

    ngx_http_rs_store_key(&call, &ngx_http_rs_store_bans, "ban", subject);
    ngx_http_rs_store_index(&call, &ngx_http_rs_store_bans, "bans");

    ngx_http_rs_store_arg_number(&call, ban->failures);
    ngx_http_rs_store_arg_number(&call, ban->window_s);
    ngx_http_rs_store_arg_number(&call, ban->time_s);
    ngx_http_rs_store_arg_number(&call, ban->max_s);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_ban_list(ngx_http_rs_store_op_t *op, ngx_uint_t n)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_ban_list", 1);

    ngx_http_rs_store_index(&call, &ngx_http_rs_store_bans, "bans");
    ngx_http_rs_store_arg_number(&call, n);

    return ngx_http_rs_store_send(&call);
}
