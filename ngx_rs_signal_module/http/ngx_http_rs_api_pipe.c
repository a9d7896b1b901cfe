
/*
 * Copyright (C) rs-gateway contributors
 *
 * What calls that open a pipe have in common: its id, the client's ticket, and
 * where to go with it.  docs/design/pipes.md.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_ip.h"


static ngx_int_t ngx_http_rs_api_pipe_ticket(ngx_http_rs_api_t *api,
    ngx_http_rs_store_pipe_t *p, rs_str_t origin, ngx_str_t *ticket);
static json_t *ngx_http_rs_api_pipe_url(ngx_http_rs_api_t *api);


ngx_int_t
ngx_http_rs_api_pipe_new(ngx_http_rs_api_t *api, ngx_str_t *origin,
    ngx_http_rs_store_pipe_t *p, ngx_str_t *ticket)
{
    rs_ip_t    ip;
    ngx_str_t  page;

    page = origin->len ? *origin : ngx_http_rs_api_origin(api);

    p->peer.data = ngx_pnalloc(api->request->pool, RS_IP_KEY_MAX);

    if (p->peer.data == NULL
        || ngx_http_rs_api_new_id(api->request->pool, RS_ID_PIPE, &p->id)
           != NGX_OK
        || ngx_http_rs_api_pipe_ticket(api, p, ngx_http_rs_slice(&page),
                                       ticket)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rs_ip_parse(ngx_http_rs_slice(&api->caller.addr), &ip) == RS_OK) {
        p->peer.len = rs_ip_key(&ip, (char *) p->peer.data);
    }

    p->ticket_ttl = api->rlcf->ticket_ttl;
    p->ends_at = api->bearer ? api->bearer->exp : 0;
    p->max = api->rlcf->tunnel_pipes;

    return NGX_OK;
}


/* a new one, and what the store keeps of it */

static ngx_int_t
ngx_http_rs_api_pipe_ticket(ngx_http_rs_api_t *api,
    ngx_http_rs_store_pipe_t *p, rs_str_t origin, ngx_str_t *ticket)
{
    char        secret[RS_ID_SECRET_LEN];
    rs_err_e    rc;
    rs_str_t    s;
    ngx_str_t  *hash;

    hash = &p->ticket_hash;
    hash->data = ngx_pnalloc(api->request->pool, RS_ID_HASH_LEN);
    ticket->data = ngx_pnalloc(api->request->pool, RS_ID_TICKET_MAX);

    if (hash->data == NULL || ticket->data == NULL
        || ngx_http_rs_api_new_secret(secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s.data = (u_char *) secret;
    s.len = RS_ID_SECRET_LEN;

    ticket->len = rs_pipe_ticket_format((char *) ticket->data,
                                     ngx_http_rs_slice(&api->caller.tenant),
                                     ngx_http_rs_slice(&p->id), s);

    hash->len = RS_ID_HASH_LEN;
    rc = origin.len ? rs_ticket_bind(s, origin, (char *) hash->data)
                    : rs_hash_hex(s, (char *) hash->data);

    ngx_explicit_memzero(secret, sizeof(secret));

    return (rc == RS_OK && ticket->len) ? NGX_OK : NGX_ERROR;
}


json_t *
ngx_http_rs_api_pipe_json(ngx_http_rs_api_t *api,
    ngx_http_rs_store_pipe_t *p, ngx_str_t *ticket, ngx_str_t expires)
{
    return json_pack("{s:o, s:o, s:o, s:o}",
                     "pipe_id", ngx_http_rs_api_text(p->id),
                     "ticket", ngx_http_rs_api_text(*ticket),
                     "ticket_expires_at", ngx_http_rs_api_number(expires),
                     "url", ngx_http_rs_api_pipe_url(api));
}


/* where this call came to, as the client named it */

static json_t *
ngx_http_rs_api_pipe_url(ngx_http_rs_api_t *api)
{
    u_char              *p, *end;
    json_t              *json;
    ngx_str_t            host;
    const char          *scheme;
    ngx_http_request_t  *r;

    r = api->request;

    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;

#if (NGX_HTTP_SSL)
    scheme = r->connection->ssl ? "wss" : "ws";
#else
    scheme = "ws";
#endif

    p = ngx_pnalloc(r->pool, sizeof("wss:///pipe") - 1 + host.len
                             + api->base.len);
    if (p == NULL) {
        return NULL;
    }

    end = ngx_sprintf(p, "%s://%V%V/pipe", scheme, &host, &api->base);
    json = json_stringn((char *) p, end - p);

    return json;
}
