
/*
 * Copyright (C) rs-gateway contributors
 *
 * The gateway's port of a tunnel: a way in for programs that speak no
 * WebSocket.  docs/design/pipes.md, "A port of the gateway".
 *
 * Of a tunnel that is made with one: is there room, a port is taken, the tunnel
 * is made (ngx_http_rs_api_tunnel.c), the port is kept for its life, and who
 * made it may come from where he is now.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_ip.h"


static ngx_int_t ngx_http_rs_api_port_room(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_port_taken(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_port_kept(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_port_entered(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_port_admit(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe);
static ngx_int_t ngx_http_rs_api_port_admitted(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_port_peer(ngx_http_rs_api_t *api,
    ngx_http_rs_store_pipe_t *p);
static json_t *ngx_http_rs_api_port_address(ngx_str_t *addr);


/* POST /devices/{id}/tunnels with "port": then on with the tunnel */

ngx_int_t
ngx_http_rs_api_port_want(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t)
{
    ngx_http_rs_api_op_t  *aop;

    t->port = 0;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_port_room, t);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_room(aop->op,
                                                       &api->caller, t));
}


static ngx_int_t
ngx_http_rs_api_port_room(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_tunnel_t *t = data;

    ngx_http_rs_api_op_t  *aop;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    if (ngx_http_rs_api_set_again(reply, &t->id)) {
        return ngx_http_rs_api_tunnel_put(api, t);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_port_taken, t);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_port_take(aop->op,
                                                   api->rmcf->tunnel_port,
                                                   api->rmcf->tunnel_port_last,
                                                   &api->caller.tenant, t));
}


static ngx_int_t
ngx_http_rs_api_port_taken(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_tunnel_t *t = data;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code,
                                    code == RS_E_LIMIT_REACHED
                                    ? "all ports of \"rs_tunnel_ports\" are "
                                      "taken" : NULL,
                                    NULL);
    }

    t->port = (ngx_uint_t) ngx_rs_reply_int(reply, 1);

    return ngx_http_rs_api_tunnel_put(api, t);
}


/*
 * The tunnel is there, or was made by an earlier call, and its answer is in
 * api->json.  One that is made without what follows is lost with its port in
 * 15 s: so that comes before the answer.
 */

ngx_int_t
ngx_http_rs_api_port_made(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t, ngx_rs_reply_t *obj)
{
    ngx_str_t              port, expires;
    ngx_http_rs_api_op_t  *aop;

    port = ngx_rs_reply_field(obj, "port");
    expires = ngx_rs_reply_field(obj, "expires_at");

    t->port = (ngx_uint_t) ngx_atoi(port.data, port.len);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_port_kept, t);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_port_keep(aop->op,
                                                   &api->caller.tenant, t,
                                                   &expires));
}


static ngx_int_t
ngx_http_rs_api_port_kept(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_tunnel_t *t = data;

    ngx_http_rs_api_op_t      *aop;
    ngx_http_rs_caller_t       caller;
    ngx_http_rs_store_pipe_t   p;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code,
                                    code == RS_E_CONFLICT
                                    ? "the tunnel's port is another's by now; "
                                      "remove it and make another one" : NULL,
                                    NULL);
    }

    ngx_memzero(&p, sizeof(p));

    if (ngx_http_rs_api_port_peer(api, &p) != NGX_OK) {
        return NGX_ERROR;
    }

    p.object = t->id;
    p.device_id = t->device_id;

    /* what he will be there as: who uses it, not who makes it */

    caller = api->caller;
    caller.verb = RS_VERB_TUNNELS_USE;
    caller.also = 0;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_port_entered, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_rs_store_tunnel_admit(aop->op, &caller, &p, 1) != NGX_OK) {
        ngx_queue_remove(&aop->queue);
        return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
    }

    return NGX_DONE;
}


/* whatever came of it: the tunnel is made, and he can ask for himself */

static ngx_int_t
ngx_http_rs_api_port_entered(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
}


/* POST /tunnels/{id}/port */

ngx_int_t
ngx_http_rs_api_port_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                rc;
    ngx_http_rs_api_pipe_t  *pipe;

    rc = ngx_http_rs_api_read_body(api, NULL, 0, NULL, NULL, NULL);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    pipe = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_pipe_t));

    if (pipe == NULL
        || ngx_http_rs_api_port_peer(api, &pipe->p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    pipe->go = ngx_http_rs_api_port_admit;

    return ngx_http_rs_api_tunnel_find(api, pipe);
}


static ngx_int_t
ngx_http_rs_api_port_admit(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_port_admitted, pipe);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_admit(aop->op,
                                                 &api->caller, &pipe->p, 0));
}


static ngx_int_t
ngx_http_rs_api_port_admitted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    switch (code) {

    case RS_OK:
        return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                   json_pack("{s:o, s:o, s:o}",
                             "port", ngx_http_rs_api_number(
                                         ngx_rs_reply_str(reply, 1)),
                             "address", ngx_http_rs_api_port_address(
                                            &api->caller.addr),
                             "expires_at", ngx_http_rs_api_number(
                                               ngx_rs_reply_str(reply, 2))));

    case RS_E_FORBIDDEN:
        return ngx_http_rs_api_fail(api, code,
                                    "the tunnel is not for this caller, or "
                                    "not from this address", NULL);

    case RS_E_CONFLICT:
        return ngx_http_rs_api_fail(api, code,
                                    "the tunnel was made without a port",
                                    NULL);

    case RS_E_LIMIT_REACHED:
        return ngx_http_rs_api_fail(api, code,
                                    "the tunnel's port lets in 16 addresses "
                                    "already", NULL);

    default:
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }
}


/* empty: who comes by a unix socket has no address, and nobody is like him */

static ngx_int_t
ngx_http_rs_api_port_peer(ngx_http_rs_api_t *api, ngx_http_rs_store_pipe_t *p)
{
    rs_ip_t  ip;

    p->peer.data = ngx_pnalloc(api->request->pool, RS_IP_KEY_MAX);
    if (p->peer.data == NULL) {
        return NGX_ERROR;
    }

    if (rs_ip_parse(ngx_http_rs_slice(&api->caller.addr), &ip) == RS_OK) {
        p->peer.len = rs_ip_key(&ip, (char *) p->peer.data);
    }

    p->ends_at = api->bearer ? api->bearer->exp : 0;

    return NGX_OK;
}


/* IPv4 inside of IPv6 is shown as what it counts as */

static json_t *
ngx_http_rs_api_port_address(ngx_str_t *addr)
{
    char      key[RS_IP_KEY_MAX], text[RS_IP_TEXT_MAX];
    size_t    len;
    rs_ip_t   ip;
    unsigned  mapped;

    if (rs_ip_parse(ngx_http_rs_slice(addr), &ip) != RS_OK) {
        return ngx_http_rs_api_text(*addr);
    }

    (void) rs_ip_key(&ip, key);
    mapped = (ip.len == RS_IP_V6 && key[0] == '4');

    if (mapped) {
        ngx_memmove(ip.b, ip.b + RS_IP_V6 - RS_IP_V4, RS_IP_V4);
        ip.len = RS_IP_V4;
    }

    len = rs_ip_format(&ip, text);

    return json_stringn(text, len);
}


/* the port of a tunnel that was removed, if it had one; then done */

ngx_int_t
ngx_http_rs_api_port_free(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply,
    ngx_http_rs_api_done_pt done, void *data)
{
    ngx_str_t              port, id;
    ngx_http_rs_api_op_t  *aop;

    port = ngx_rs_reply_str(reply, 2);
    id = ngx_rs_reply_str(reply, 3);

    if (port.len == 0) {
        return done(api, data, RS_OK, NULL);
    }

    aop = ngx_http_rs_api_op(api, done, data);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_rs_store_port_free(aop->op, &port, &api->caller.tenant, &id)
        != NGX_OK)
    {
        /* it leads nowhere, and is free when the tunnel would have ended */

        ngx_queue_remove(&aop->queue);
        return done(api, data, RS_OK, NULL);
    }

    return NGX_DONE;
}
