
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of guest links.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


static void ngx_http_rs_store_link_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id);


static void
ngx_http_rs_store_link_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id)
{
    ngx_http_rs_store_key(call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(call, &caller->tenant, "lnks", session_id);
}


ngx_int_t
ngx_http_rs_store_link_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_link_t *l)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_link_create", caller);

    ngx_http_rs_store_link_keys(&call, caller, session_id);
    ngx_http_rs_store_idem_key(&call, caller, &l->idem);

    ngx_http_rs_store_arg(&call, &l->id);
    ngx_http_rs_store_arg(&call, &l->role);
    ngx_http_rs_store_arg(&call, &l->name);
    ngx_http_rs_store_arg(&call, &l->external_id);
    ngx_http_rs_store_arg(&call, &l->secret_hash);
    ngx_http_rs_store_arg(&call, &l->pin_hash);
    ngx_http_rs_store_arg_number(&call, l->max_uses);
    ngx_http_rs_store_arg_number(&call, l->ttl);
    ngx_http_rs_store_arg_number(&call, l->ticket_ttl);
    ngx_http_rs_store_arg(&call, &l->body_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_link_renew(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_link_t *l)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_link_renew", caller);

    ngx_http_rs_store_link_keys(&call, caller, session_id);

    ngx_http_rs_store_arg(&call, &l->id);
    ngx_http_rs_store_arg(&call, &l->secret_hash);
    ngx_http_rs_store_arg(&call, &l->pin_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_link_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_link_list", caller);

    ngx_http_rs_store_link_keys(&call, caller, session_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_link_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *link_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_link_delete", caller);
    ngx_http_rs_store_durable(&call, 1);

    ngx_http_rs_store_link_keys(&call, caller, session_id);

    ngx_http_rs_store_arg(&call, link_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_link_use(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_link_t *l, ngx_http_rs_store_participant_t *p)
{
    ngx_str_t                 hash;
    ngx_http_rs_store_call_t  call;

    hash.data = p->ticket_hash;
    hash.len = sizeof(p->ticket_hash);

    ngx_http_rs_store_begin(&call, op, "rs_link_use", 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "lnks", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "tkt", &hash);
    ngx_http_rs_store_index(&call, &caller->tenant, "audit");

    ngx_http_rs_store_arg(&call, &l->id);
    ngx_http_rs_store_arg(&call, &l->secret_hash);
    ngx_http_rs_store_arg(&call, &l->pin_hash);
    ngx_http_rs_store_arg(&call, &p->id);
    ngx_http_rs_store_arg(&call, &p->name);
    ngx_http_rs_store_arg(&call, &caller->addr);
    ngx_http_rs_store_arg(&call, &caller->rid);

    return ngx_http_rs_store_send(&call);
}
