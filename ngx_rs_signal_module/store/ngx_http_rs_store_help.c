
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of codes for help.  Which session a code is for is the
 * fleet's to know, as bans are: whoever types one says of no tenant.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


/* the tag of their keys, instead of a tenant */

static ngx_str_t  ngx_http_rs_store_fleet = ngx_string("b");


ngx_int_t
ngx_http_rs_store_help_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *hash,
    time_t ttl)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_help_create", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);

    ngx_http_rs_store_arg(&call, hash);
    ngx_http_rs_store_arg_number(&call, ttl);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_help_put(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_str_t *hash, ngx_str_t *old, time_t ttl)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_help_put", 0);

    ngx_http_rs_store_key(&call, &ngx_http_rs_store_fleet, "help", hash);
    ngx_http_rs_store_key(&call, &ngx_http_rs_store_fleet, "help",
                          old->len ? old : hash);

    ngx_http_rs_store_arg(&call, tenant);
    ngx_http_rs_store_arg(&call, session_id);
    ngx_http_rs_store_arg_number(&call, ttl);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_help_take(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *subject, ngx_str_t *hash)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_help_take", 0);

    ngx_http_rs_store_key(&call, &ngx_http_rs_store_fleet, "help", hash);
    ngx_http_rs_store_key(&call, &ngx_http_rs_store_fleet, "tries", subject);

    ngx_http_rs_store_arg(&call, tenant);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_help_use(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *hash,
    ngx_http_rs_store_participant_t *p)
{
    ngx_str_t                 ticket;
    ngx_http_rs_store_call_t  call;

    ticket.data = p->ticket_hash;
    ticket.len = sizeof(p->ticket_hash);

    ngx_http_rs_store_begin(&call, op, "rs_help_use", 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "tkt", &ticket);
    ngx_http_rs_store_index(&call, &caller->tenant, "audit");

    ngx_http_rs_store_arg(&call, hash);
    ngx_http_rs_store_arg(&call, &p->name);
    ngx_http_rs_store_arg_number(&call, p->ticket_ttl);
    ngx_http_rs_store_arg(&call, &caller->addr);
    ngx_http_rs_store_arg(&call, &caller->rid);

    return ngx_http_rs_store_send(&call);
}
