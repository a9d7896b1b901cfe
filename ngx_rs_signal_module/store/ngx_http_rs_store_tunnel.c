
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of tunnels and pipes.  A tunnel's keys need the device it
 * leads to: who has only the tunnel's id asks for that first.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


static void ngx_http_rs_store_pipe_keys(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, ngx_http_rs_store_pipe_t *p);
static ngx_int_t ngx_http_rs_store_pipe_send(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_pipe_t *p);
static void ngx_http_rs_store_who(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_watcher_t *who);


ngx_int_t
ngx_http_rs_store_tunnel_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_tunnel_t *t)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_tunnel_create", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "tun", &t->id);
    ngx_http_rs_store_index(&call, &caller->tenant, "tuns");
    ngx_http_rs_store_index(&call, &caller->tenant, "tunx");
    ngx_http_rs_store_key(&call, &caller->tenant, "dev", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "dtun", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pips", &t->id);
    ngx_http_rs_store_idem_key(&call, caller, &t->idem);

    ngx_http_rs_store_arg(&call, &t->id);
    ngx_http_rs_store_arg(&call, &t->device_id);
    ngx_http_rs_store_arg(&call, &t->target);
    ngx_http_rs_store_arg(&call, &t->protocol);
    ngx_http_rs_store_arg(&call, &t->label);
    ngx_http_rs_store_arg(&call, &t->addresses);
    ngx_http_rs_store_arg(&call, &t->nets);
    ngx_http_rs_store_arg(&call, &t->users);
    ngx_http_rs_store_arg_number(&call, t->idle);
    ngx_http_rs_store_arg_number(&call, t->ttl);
    ngx_http_rs_store_arg_number(&call, t->device_max);
    ngx_http_rs_store_arg_number(&call, t->tenant_max);
    ngx_http_rs_store_arg(&call, &t->body_hash);

    if (t->port) {
        ngx_http_rs_store_arg_number(&call, t->port);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_tunnel_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_tunnel_get", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "tun", id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pips", id);

    return ngx_http_rs_store_send(&call);
}


/* a list that is edited must not come back */

ngx_int_t
ngx_http_rs_store_tunnel_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields)
{
    ngx_uint_t                i;
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_tunnel_patch", caller);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "tun", id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pips", id);

    ngx_http_rs_store_arg(&call, version);

    for (i = 0; i < 2 * n; i++) {
        ngx_http_rs_store_arg(&call, &fields[i]);
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_tunnel_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *device_id,
    const char *reason)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_tunnel_delete", caller);
    ngx_http_rs_store_durable(&call, 1);

    ngx_http_rs_store_key(&call, &caller->tenant, "tun", id);
    ngx_http_rs_store_index(&call, &caller->tenant, "tuns");
    ngx_http_rs_store_index(&call, &caller->tenant, "tunx");
    ngx_http_rs_store_key(&call, &caller->tenant, "dtun", device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pips", id);
    ngx_http_rs_store_key(&call, &caller->tenant, "adm", id);

    ngx_http_rs_store_arg(&call, id);
    ngx_http_rs_store_arg_text(&call, reason);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_tunnel_device(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_tunnel_device", 1);

    ngx_http_rs_store_key(&call, tenant, "tun", id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_command_open(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_command_t *c)
{
    ngx_http_rs_store_call_t     call;
    ngx_http_rs_store_pipe_t    *p;
    ngx_http_rs_store_tunnel_t  *t;

    p = &c->pipe;
    t = &c->tunnel;

    ngx_http_rs_store_guarded(&call, op, "rs_command_open", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "tun", &t->id);
    ngx_http_rs_store_index(&call, &caller->tenant, "tuns");
    ngx_http_rs_store_index(&call, &caller->tenant, "tunx");
    ngx_http_rs_store_key(&call, &caller->tenant, "dev", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "dtun", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pips", &t->id);
    ngx_http_rs_store_key(&call, &caller->tenant, "pip", &p->id);

    ngx_http_rs_store_arg(&call, &t->id);
    ngx_http_rs_store_arg(&call, &t->device_id);
    ngx_http_rs_store_arg(&call, &c->name);
    ngx_http_rs_store_arg(&call, &c->args);
    ngx_http_rs_store_arg(&call, &c->shown);
    ngx_http_rs_store_arg(&call, &t->label);
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


ngx_int_t
ngx_http_rs_store_pipe_open(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_pipe_t *p)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_pipe_open", caller);
    ngx_http_rs_store_pipe_keys(&call, &caller->tenant, p);

    return ngx_http_rs_store_pipe_send(&call, p);
}


ngx_int_t
ngx_http_rs_store_pipe_open_as(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_watcher_t *who, ngx_http_rs_store_pipe_t *p)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_open", 0);
    ngx_http_rs_store_who(&call, who);
    ngx_http_rs_store_pipe_keys(&call, &who->tenant, p);

    ngx_http_rs_store_arg(&call, &who->caller);

    return ngx_http_rs_store_pipe_send(&call, p);
}


static void
ngx_http_rs_store_pipe_keys(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, ngx_http_rs_store_pipe_t *p)
{
    ngx_http_rs_store_key(call, tenant, "tun", &p->object);
    ngx_http_rs_store_key(call, tenant, "pip", &p->id);
    ngx_http_rs_store_key(call, tenant, "dev", &p->device_id);
    ngx_http_rs_store_key(call, tenant, "pips", &p->object);
}


static ngx_int_t
ngx_http_rs_store_pipe_send(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_pipe_t *p)
{
    ngx_http_rs_store_arg(call, &p->ticket_hash);
    ngx_http_rs_store_arg_number(call, p->ticket_ttl);
    ngx_http_rs_store_arg(call, &p->peer);

    if (p->ends_at) {
        ngx_http_rs_store_arg_number(call, p->ends_at);

    } else {
        ngx_http_rs_store_arg_text(call, "");
    }

    ngx_http_rs_store_arg_number(call, p->max);

    return ngx_http_rs_store_send(call);
}


/* guarded, by the caller of before: his keys are named here */

static void
ngx_http_rs_store_who(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_watcher_t *who)
{
    ngx_http_rs_store_key(call, &who->tenant,
                          who->kind.len && who->kind.data[0] == 'u' ? "usr"
                                                                    : "key",
                          &who->id);
    ngx_http_rs_store_index(call, &who->tenant, "gsub");
    ngx_http_rs_store_index(call, &who->tenant, "audit");
}


ngx_int_t
ngx_http_rs_store_pipe_offer(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_http_rs_store_pipe_t *p, ngx_str_t *address)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_offer", 0);

    ngx_http_rs_store_key(&call, tenant, "pip", &p->id);
    ngx_http_rs_store_key(&call, tenant, "dev", &p->device_id);

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg(&call, &p->ticket_hash);
    ngx_http_rs_store_arg_number(&call, p->ticket_ttl);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_pipe_refuse(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_http_rs_store_pipe_t *p, ngx_str_t *address, rs_err_e code,
    ngx_str_t *detail)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_refuse", 0);

    ngx_http_rs_store_key(&call, tenant, "pip", &p->id);
    ngx_http_rs_store_key(&call, tenant, "tun", &p->object);
    ngx_http_rs_store_key(&call, tenant, "dev", &p->device_id);
    ngx_http_rs_store_key(&call, tenant, "pips", &p->object);
    ngx_http_rs_store_index(&call, tenant, "audit");
    ngx_http_rs_store_index(&call, tenant, "tuns");
    ngx_http_rs_store_index(&call, tenant, "tunx");
    ngx_http_rs_store_key(&call, tenant, "dtun", &p->device_id);

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg_text(&call, rs_err_code(code));
    ngx_http_rs_store_arg(&call, detail);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_pipe_join(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_http_rs_store_pipe_t *p, ngx_str_t *with)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_join", 0);

    ngx_http_rs_store_key(&call, &m->tenant, "pip", &p->id);
    ngx_http_rs_store_key(&call, &m->tenant, "ses", &m->session_id);
    ngx_http_rs_store_key(&call, &m->tenant, "par", &m->session_id);
    ngx_http_rs_store_key(&call, &m->tenant, "mem", &m->session_id);
    ngx_http_rs_store_key(&call, &m->tenant, "pips", &m->session_id);

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg(&call, with);
    ngx_http_rs_store_arg(&call, &p->ticket_hash);
    ngx_http_rs_store_arg_number(&call, p->ticket_ttl);
    ngx_http_rs_store_arg_number(&call, p->idle);
    ngx_http_rs_store_arg_number(&call, p->max);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_pipe_attach(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_http_rs_store_leg_t *leg)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_attach", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, tenant, "pip", &leg->pipe_id);

    ngx_http_rs_store_arg_text(&call, leg->host ? "host" : "client");
    ngx_http_rs_store_arg(&call, &leg->ticket_hash);
    ngx_http_rs_store_arg(&call, &leg->bound_hash);
    ngx_http_rs_store_arg(&call, &leg->address);
    ngx_http_rs_store_arg(&call, &leg->link);
    ngx_http_rs_store_arg(&call, &leg->nonce);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_pipe_check(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_watcher_t *who, ngx_http_rs_store_pipe_t *p)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_check", 0);
    ngx_http_rs_store_who(&call, who);

    ngx_http_rs_store_key(&call, &who->tenant, "pip", &p->id);
    ngx_http_rs_store_key(&call, &who->tenant, p->session ? "ses" : "tun",
                          &p->object);
    ngx_http_rs_store_key(&call, &who->tenant, p->session ? "par" : "dev",
                          p->session ? &p->object : &p->device_id);
    ngx_http_rs_store_key(&call, &who->tenant, "pips", &p->object);

    ngx_http_rs_store_arg(&call, &who->caller);
    ngx_http_rs_store_arg(&call, &p->peer);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_pipe_gone(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_http_rs_store_pipe_t *p, ngx_http_rs_store_gone_t *gone)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_pipe_gone", 0);

    ngx_http_rs_store_key(&call, tenant, "pip", &p->id);
    ngx_http_rs_store_key(&call, tenant, p->session ? "ses" : "tun",
                          &p->object);
    ngx_http_rs_store_key(&call, tenant, "pips", &p->object);
    ngx_http_rs_store_index(&call, tenant, "audit");

    if (!p->session) {
        ngx_http_rs_store_index(&call, tenant, "tuns");
        ngx_http_rs_store_index(&call, tenant, "tunx");
        ngx_http_rs_store_key(&call, tenant, "dtun", &p->device_id);
    }

    ngx_http_rs_store_arg_text(&call, gone->host ? "host" : "client");
    ngx_http_rs_store_arg(&call, &gone->address);
    ngx_http_rs_store_arg_number(&call, gone->up);
    ngx_http_rs_store_arg_number(&call, gone->down);
    ngx_http_rs_store_arg_text(&call, gone->code == RS_OK
                                      ? "" : rs_err_code(gone->code));
    ngx_http_rs_store_arg(&call, &gone->addr);
    ngx_http_rs_store_arg(&call, &gone->rid);

    return ngx_http_rs_store_send(&call);
}
