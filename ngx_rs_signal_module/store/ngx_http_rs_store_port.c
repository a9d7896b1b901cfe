
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of the gateway's ports: ways into tunnels for programs
 * that speak no WebSocket.  docs/design/pipes.md, "A port of the gateway".
 *
 * Which tunnel a port is of is the fleet's to know: who comes to it says of
 * no tenant.  Whom it lets in is kept beside the tunnel.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


/* s: until its tunnel is made, a call that waits for the store at most */

#define NGX_HTTP_RS_STORE_PORT_HOLD  15


/* the tag of the ports, instead of a tenant */

static ngx_str_t  ngx_http_rs_store_fleet = ngx_string("b");


ngx_int_t
ngx_http_rs_store_tunnel_room(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_tunnel_t *t)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_tunnel_room", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, "tunx");
    ngx_http_rs_store_key(&call, &caller->tenant, "dev", &t->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "dtun", &t->device_id);
    ngx_http_rs_store_idem_key(&call, caller, &t->idem);

    ngx_http_rs_store_arg(&call, &t->id);
    ngx_http_rs_store_arg_number(&call, t->device_max);
    ngx_http_rs_store_arg_number(&call, t->tenant_max);
    ngx_http_rs_store_arg(&call, &t->body_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_port_take(ngx_http_rs_store_op_t *op, ngx_uint_t first,
    ngx_uint_t last, ngx_str_t *tenant, ngx_http_rs_store_tunnel_t *t)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_port_take", 0);

    ngx_http_rs_store_index(&call, &ngx_http_rs_store_fleet, "ports");

    ngx_http_rs_store_arg_number(&call, first);
    ngx_http_rs_store_arg_number(&call, last);
    ngx_http_rs_store_arg(&call, tenant);
    ngx_http_rs_store_arg(&call, &t->id);
    ngx_http_rs_store_arg(&call, &t->device_id);
    ngx_http_rs_store_arg(&call, &t->protocol);
    ngx_http_rs_store_arg_number(&call, NGX_HTTP_RS_STORE_PORT_HOLD);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_port_keep(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_http_rs_store_tunnel_t *t, ngx_str_t *ends_at)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_port_keep", 0);

    ngx_http_rs_store_index(&call, &ngx_http_rs_store_fleet, "ports");

    ngx_http_rs_store_arg_number(&call, t->port);
    ngx_http_rs_store_arg(&call, tenant);
    ngx_http_rs_store_arg(&call, &t->id);
    ngx_http_rs_store_arg(&call, &t->device_id);
    ngx_http_rs_store_arg(&call, &t->protocol);
    ngx_http_rs_store_arg(&call, ends_at);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_port_get(ngx_http_rs_store_op_t *op, ngx_uint_t port)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_port_get", 1);

    ngx_http_rs_store_index(&call, &ngx_http_rs_store_fleet, "ports");

    ngx_http_rs_store_arg_number(&call, port);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_port_free(ngx_http_rs_store_op_t *op, ngx_str_t *port,
    ngx_str_t *tenant, ngx_str_t *tunnel_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_port_free", 0);

    ngx_http_rs_store_index(&call, &ngx_http_rs_store_fleet, "ports");

    ngx_http_rs_store_arg(&call, port);
    ngx_http_rs_store_arg(&call, tenant);
    ngx_http_rs_store_arg(&call, tunnel_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_tunnel_admit(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_pipe_t *p,
    ngx_uint_t maker)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_tunnel_admit", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "tun", &p->object);
    ngx_http_rs_store_key(&call, &caller->tenant, "dev", &p->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "adm", &p->object);

    ngx_http_rs_store_arg(&call, &p->peer);

    if (p->ends_at) {
        ngx_http_rs_store_arg_number(&call, p->ends_at);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    ngx_http_rs_store_arg_text(&call, maker ? "1" : "");

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_port_enter(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *tunnel_id, ngx_str_t *peer)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_port_enter", 0);

    ngx_http_rs_store_key(&call, tenant, "tun", tunnel_id);
    ngx_http_rs_store_key(&call, tenant, "adm", tunnel_id);
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, peer);

    return ngx_http_rs_store_send(&call);
}
