
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of recordings: what recorders say of them, and what
 * callers of REST want of them.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


static void ngx_http_rs_store_recorded_keys(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, ngx_str_t *session_id);
static ngx_int_t ngx_http_rs_store_recorder_lost(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    const char *why, ngx_uint_t durable, ngx_uint_t away);


/* ses, par, mem, log */

static void
ngx_http_rs_store_recorded_keys(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, ngx_str_t *session_id)
{
    ngx_http_rs_store_key(call, tenant, "ses", session_id);
    ngx_http_rs_store_key(call, tenant, "par", session_id);
    ngx_http_rs_store_key(call, tenant, "mem", session_id);
    ngx_http_rs_store_key(call, tenant, "log", session_id);
}


ngx_int_t
ngx_http_rs_store_recording_begin(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    ngx_str_t *recording_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_recording_begin", 0);

    ngx_http_rs_store_recorded_keys(&call, tenant, session_id);
    ngx_http_rs_store_key(&call, tenant, "rec", recording_id);
    ngx_http_rs_store_index(&call, tenant, "recs");
    ngx_http_rs_store_index(&call, tenant, "recx");
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg(&call, recording_id);
    ngx_http_rs_store_arg_replid(&call);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recording_end(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    rs_msg_recording_t *r)
{
    ngx_str_t                 id, sha256;
    ngx_http_rs_store_call_t  call;

    id = ngx_http_rs_str(r->id);
    sha256 = ngx_http_rs_str(r->sha256);

    ngx_http_rs_store_begin(&call, op, "rs_recording_end", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, tenant, "rec", &id);
    ngx_http_rs_store_key(&call, tenant, "ses", session_id);
    ngx_http_rs_store_index(&call, tenant, "rses");
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg_text(&call, rs_recorded_name(r->reason));
    ngx_http_rs_store_arg_number(&call, r->duration_ms);
    ngx_http_rs_store_arg_number(&call, r->bytes);
    ngx_http_rs_store_arg(&call, &sha256);
    ngx_http_rs_store_arg_number(&call, r->gaps);

    if (r->expires_at) {
        ngx_http_rs_store_arg_number(&call, r->expires_at);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recording_gone(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *recording_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_recording_gone", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, tenant, "rec", recording_id);
    ngx_http_rs_store_index(&call, tenant, "recx");
    ngx_http_rs_store_key(&call, tenant, "rdel", device_id);
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, device_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recorder_failed(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    const char *why)
{
    return ngx_http_rs_store_recorder_lost(op, tenant, device_id, session_id,
                                           why, 0, 0);
}


ngx_int_t
ngx_http_rs_store_recorder_removed(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id)
{
    return ngx_http_rs_store_recorder_lost(op, tenant, device_id, session_id,
                                           "device_removed", 1, 0);
}


ngx_int_t
ngx_http_rs_store_recorder_away(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id)
{
    return ngx_http_rs_store_recorder_lost(op, tenant, device_id, session_id,
                                           "lost", 0, 1);
}


static ngx_int_t
ngx_http_rs_store_recorder_lost(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    const char *why, ngx_uint_t durable, ngx_uint_t away)
{
    ngx_http_rs_store_call_t  call;

    if (ngx_http_rs_store_unlinks(op, tenant, session_id) != NGX_OK) {
        return ngx_http_rs_store_refuse(op);
    }

    ngx_http_rs_store_begin(&call, op, "rs_recorder_failed", 0);

    if (durable) {
        ngx_http_rs_store_durable(&call, 0);
    }

    ngx_http_rs_store_recorded_keys(&call, tenant, session_id);
    ngx_http_rs_store_own_key(&call, tenant);
    ngx_http_rs_store_index(&call, tenant, "turn");
    ngx_http_rs_store_index(&call, tenant, "trev");
    ngx_http_rs_store_index(&call, tenant, "svcs");
    ngx_http_rs_store_index(&call, tenant, "rses");

    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg_text(&call, why);
    ngx_http_rs_store_arg_replid(&call);

    if (away) {
        ngx_http_rs_store_arg_text(&call, "away");
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recorder_work(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_uint_t most, ngx_str_t *after)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_recorder_work", 1);

    ngx_http_rs_store_key(&call, tenant, "dev", device_id);
    ngx_http_rs_store_index(&call, tenant, "rses");
    ngx_http_rs_store_key(&call, tenant, "rdel", device_id);

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg_number(&call, most);
    ngx_http_rs_store_arg(&call, after);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recording_device(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *recording_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_recording_device", 1);

    ngx_http_rs_store_key(&call, tenant, "rec", recording_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recording_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *recording_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_recording_get", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "rec", recording_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "svcs");

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recording_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *recording_id,
    ngx_str_t *device_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_recording_delete", caller);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "rec", recording_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "svcs");
    ngx_http_rs_store_key(&call, &caller->tenant, "rdel", device_id);

    ngx_http_rs_store_arg(&call, device_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_recording_open(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_command_t *c)
{
    ngx_http_rs_store_call_t     call;
    ngx_http_rs_store_pipe_t    *p;
    ngx_http_rs_store_tunnel_t  *t;

    p = &c->pipe;
    t = &c->tunnel;

    ngx_http_rs_store_guarded(&call, op, "rs_recording_open", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "rec", &c->name);
    ngx_http_rs_store_key(&call, &caller->tenant, "tun", &t->id);
    ngx_http_rs_store_index(&call, &caller->tenant, "tuns");
    ngx_http_rs_store_index(&call, &caller->tenant, "tunx");
    ngx_http_rs_store_key(&call, &caller->tenant, "dev", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "dtun", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pips", &t->id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pip", &p->id);

    ngx_http_rs_store_arg(&call, &t->id);
    ngx_http_rs_store_arg(&call, &t->device_id);
    ngx_http_rs_store_arg_number(&call, t->ttl);
    ngx_http_rs_store_arg_number(&call, t->device_max);
    ngx_http_rs_store_arg_number(&call, t->tenant_max);
    ngx_http_rs_store_arg(&call, &p->ticket_hash);
    ngx_http_rs_store_arg_number(&call, p->ticket_ttl);
    ngx_http_rs_store_arg(&call, &p->peer);

    if (p->ends_at) {
        ngx_http_rs_store_arg_number(&call, p->ends_at);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    return ngx_http_rs_store_send(&call);
}
