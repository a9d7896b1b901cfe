
/*
 * Copyright (C) rs-gateway contributors
 *
 * GET -> 101.  What is wrong with the request itself is answered over HTTP;
 * what is wrong with a credential is told after the upgrade, because a
 * browser's script cannot see a refused one.
 *
 * The order of the checks: method, does it ask for a WebSocket at all, is the
 * handshake well formed (RFC 6455, 4.2.1), subprotocol, Origin, host of a
 * device, is the store there.
 */


#include "ngx_http_rs.h"
#include "ngx_http_rs_variables.h"
#include "rs_ws_handshake.h"


#define NGX_HTTP_RS_SUBPROTOCOL  "rs.v1"


/* what the handshake's header fields say */

typedef struct {
    ngx_uint_t                  upgrade;       /* Upgrade has websocket */
    ngx_uint_t                  connection;    /* Connection has upgrade */
    ngx_str_t                   key;
    ngx_str_t                   version;
    rs_ws_protocols_t           protocols;
    rs_err_e                    error;         /* RS_E_BAD_HANDSHAKE */
} ngx_http_rs_handshake_t;


typedef void (*ngx_http_rs_handshake_pt)(ngx_http_rs_handshake_t *h,
    ngx_str_t *value);


typedef struct {
    ngx_str_t                   name;
    ngx_http_rs_handshake_pt    read;
} ngx_http_rs_handshake_field_t;


static ngx_int_t ngx_http_rs_upgrade_check(ngx_http_request_t *r,
    ngx_http_rs_handshake_t *h);
static void ngx_http_rs_upgrade_bind(ngx_http_request_t *r, rs_cred_t *cred);
static ngx_int_t ngx_http_rs_upgrade_required(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_upgrade_ready(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_upgrade_rate(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rs_upgrade_host(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_upgrade_accept(ngx_http_request_t *r,
    ngx_http_rs_handshake_t *h);
static ngx_int_t ngx_http_rs_upgrade_header(ngx_http_request_t *r,
    const char *name, const char *value, size_t len);

static void ngx_http_rs_upgrade_fields(ngx_http_request_t *r,
    ngx_http_rs_handshake_t *h);
static void ngx_http_rs_upgrade_read_upgrade(ngx_http_rs_handshake_t *h,
    ngx_str_t *value);
static void ngx_http_rs_upgrade_read_connection(ngx_http_rs_handshake_t *h,
    ngx_str_t *value);
static void ngx_http_rs_upgrade_read_key(ngx_http_rs_handshake_t *h,
    ngx_str_t *value);
static void ngx_http_rs_upgrade_read_version(ngx_http_rs_handshake_t *h,
    ngx_str_t *value);
static void ngx_http_rs_upgrade_read_protocols(ngx_http_rs_handshake_t *h,
    ngx_str_t *value);


static ngx_http_rs_handshake_field_t  ngx_http_rs_handshake_fields[] = {

    { ngx_string("upgrade"), ngx_http_rs_upgrade_read_upgrade },
    { ngx_string("connection"), ngx_http_rs_upgrade_read_connection },
    { ngx_string("sec-websocket-key"), ngx_http_rs_upgrade_read_key },
    { ngx_string("sec-websocket-version"), ngx_http_rs_upgrade_read_version },
    { ngx_string("sec-websocket-protocol"),
      ngx_http_rs_upgrade_read_protocols },

    { ngx_null_string, NULL }
};


ngx_int_t
ngx_http_rs_upgrade_signal(ngx_http_request_t *r)
{
    rs_err_e                 code;
    ngx_int_t                rc;
    rs_cred_t                cred;
    ngx_uint_t               resume;
    ngx_http_rs_ctx_t       *ctx;
    ngx_http_rs_handshake_t  h;

    rc = ngx_http_rs_upgrade_check(r, &h);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_rs_upgrade_ready(r);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    resume = 0;

    switch (h.protocols.kind) {

    case RS_WS_CRED_TICKET:
        code = rs_ticket_parse(h.protocols.credential, &cred);
        ngx_http_rs_upgrade_bind(r, &cred);
        break;

    case RS_WS_CRED_RESUME:
        code = rs_resume_parse(h.protocols.credential, &cred);
        resume = 1;
        break;

    default:
        code = RS_E_UNAUTHENTICATED;
        break;
    }

    ctx = ngx_http_rs_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* for the access log */

    ctx->resumed = resume ? "1" : "0";

    if (code == RS_OK) {

        ctx->session_id.data = ngx_pnalloc(r->pool, RS_ID_LEN);
        if (ctx->session_id.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->tenant = ngx_http_rs_str(cred.tenant);
        ctx->session_id.len = RS_ID_LEN;
        ngx_memcpy(ctx->session_id.data, cred.session_id.data, RS_ID_LEN);
    }

    rc = ngx_http_rs_upgrade_accept(r, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_rs_session_start(r, resume, code == RS_OK ? &cred : NULL,
                                     &ctx->request_id, &ctx->conn);
}


/* a ticket may be kept for the pages of one origin */

static void
ngx_http_rs_upgrade_bind(ngx_http_request_t *r, rs_cred_t *cred)
{
    ngx_str_t  *origin;

    origin = ngx_http_rs_header_in(r, "origin", sizeof("origin") - 1);

    if (origin == NULL
        || rs_ticket_bind(cred->secret, ngx_http_rs_slice(origin),
                          cred->bound)
           != RS_OK)
    {
        ngx_memcpy(cred->bound, cred->hash, RS_ID_HASH_LEN);
    }
}


ngx_int_t
ngx_http_rs_upgrade_agent(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_rs_ctx_t       *ctx;
    ngx_http_rs_handshake_t  h;

    rc = ngx_http_rs_upgrade_check(r, &h);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (h.protocols.nonce.data
        && rs_identity_nonce_check(h.protocols.nonce) != RS_OK)
    {
        return ngx_http_rs_api_problem(r, RS_E_BAD_HANDSHAKE,
                                       "rs.nonce is not base64url of 32 "
                                       "bytes", NULL);
    }

    if (!ngx_http_rs_upgrade_host(r)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "rs upgrade of a device for host \"%V\"",
                      &r->headers_in.server);

        return ngx_http_rs_api_problem(r, RS_E_FORBIDDEN,
                                       "devices do not connect to this host",
                                       NULL);
    }

    rc = ngx_http_rs_upgrade_ready(r);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_rs_upgrade_accept(r, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_rs_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_device_start(r, h.protocols.nonce, &ctx->conn);
}


ngx_int_t
ngx_http_rs_upgrade_watch(ngx_http_request_t *r)
{
    rs_err_e                 code;
    ngx_int_t                rc;
    rs_cred_t                cred;
    ngx_http_rs_ctx_t       *ctx;
    ngx_http_rs_handshake_t  h;

    rc = ngx_http_rs_upgrade_check(r, &h);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_rs_upgrade_ready(r);
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_http_rs_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    code = RS_E_UNAUTHENTICATED;

    if (h.protocols.kind == RS_WS_CRED_TICKET) {
        code = rs_ticket_parse(h.protocols.credential, &cred);
    }

    if (code == RS_OK) {
        ngx_http_rs_upgrade_bind(r, &cred);
        ctx->tenant = ngx_http_rs_str(cred.tenant);
    }

    rc = ngx_http_rs_upgrade_accept(r, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_rs_watch_start(r, code == RS_OK ? &cred : NULL,
                                   &ctx->conn);
}


ngx_int_t
ngx_http_rs_upgrade_pipe(ngx_http_request_t *r)
{
    rs_err_e                 code;
    ngx_int_t                rc;
    rs_cred_t                cred;
    rs_ws_side_e             side;
    ngx_http_rs_ctx_t       *ctx;
    ngx_http_rs_handshake_t  h;

    rc = ngx_http_rs_upgrade_check(r, &h);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_rs_upgrade_ready(r);
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_http_rs_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    code = RS_E_UNAUTHENTICATED;
    side = h.protocols.side;

    if (h.protocols.kind == RS_WS_CRED_TICKET && side != RS_WS_SIDE_NONE) {
        code = rs_pipe_ticket_parse(h.protocols.credential, &cred);
    }

    if (code == RS_OK) {

        /* for the access log */

        ctx->pipe_id.data = ngx_pnalloc(r->pool, RS_ID_LEN);
        if (ctx->pipe_id.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->pipe_id.len = RS_ID_LEN;
        ngx_memcpy(ctx->pipe_id.data, cred.pipe_id.data, RS_ID_LEN);

        ngx_http_rs_upgrade_bind(r, &cred);
        ctx->tenant = ngx_http_rs_str(cred.tenant);
    }

    rc = ngx_http_rs_upgrade_accept(r, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_rs_pipe_start(r, code == RS_OK ? &cred : NULL, side,
                                  &ctx->request_id, &ctx->conn);
}


/* NGX_DECLINED: nothing is wrong; else what a content handler returns */

static ngx_int_t
ngx_http_rs_upgrade_check(ngx_http_request_t *r, ngx_http_rs_handshake_t *h)
{
    const char  *what;

    if (r->method != NGX_HTTP_GET) {

        if (ngx_http_rs_upgrade_header(r, "Allow", "GET", 3) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_rs_api_problem(r, RS_E_METHOD_NOT_ALLOWED, NULL,
                                       NULL);
    }

    ngx_http_rs_upgrade_fields(r, h);

    if (r->http_version != NGX_HTTP_VERSION_11 || !h->upgrade) {
        return ngx_http_rs_upgrade_required(r);
    }

    what = NULL;

    if (!h->connection) {
        what = "Connection does not say upgrade";

    } else if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        what = "the request has a body";

    } else if (h->version.data
               && rs_ws_version_check(ngx_http_rs_slice(&h->version))
                  != RS_OK)
    {
        return ngx_http_rs_upgrade_required(r);

    } else if (h->version.data == NULL) {
        what = "Sec-WebSocket-Version is missing";

    } else if (rs_ws_key_check(ngx_http_rs_slice(&h->key)) != RS_OK) {
        what = "Sec-WebSocket-Key is not base64 of 16 bytes";

    } else if (h->error != RS_OK) {
        what = "a field comes twice or is malformed";

    } else if (!h->protocols.rs_v1) {
        what = "Sec-WebSocket-Protocol does not offer rs.v1";
    }

    if (what) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "rs upgrade refused: %s", what);
        return ngx_http_rs_api_problem(r, RS_E_BAD_HANDSHAKE, what, NULL);
    }

    if (!ngx_http_rs_upgrade_origin(r)) {
        return ngx_http_rs_api_problem(r, RS_E_ORIGIN_FORBIDDEN, NULL, NULL);
    }

    return ngx_http_rs_upgrade_rate(r);
}


/*
 * RFC 9110, 15.5.22 and RFC 6455, 4.4; but "an endpoint MUST NOT generate an
 * HTTP/2 message containing connection-specific header fields" (RFC 9113,
 * 8.2.2)
 */

static ngx_int_t
ngx_http_rs_upgrade_required(ngx_http_request_t *r)
{
    if (r->http_version <= NGX_HTTP_VERSION_11
        && ngx_http_rs_upgrade_header(r, "Upgrade", "websocket", 9) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_rs_upgrade_header(r, "Sec-WebSocket-Version", "13", 2)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rs_api_problem(r, RS_E_UPGRADE_REQUIRED, NULL, NULL);
}


/* NGX_DECLINED: a join can be served; else what a content handler returns */

static ngx_int_t
ngx_http_rs_upgrade_ready(ngx_http_request_t *r)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    if (ngx_http_rs_draining(rmcf)) {
        return ngx_http_rs_api_problem(r, RS_E_DRAINING, NULL, NULL);
    }

    if (ngx_http_rs_store_admits(rmcf->store)
        && ngx_http_rs_presence_ready(rmcf->presence)
        && ngx_http_rs_bus_ready(rmcf->bus))
    {
        if (ngx_http_rs_conn_room(rmcf) == NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "rs upgrade refused: all of \"rs_max_connections\" "
                      "%ui are in use", rmcf->max_connections);

        return ngx_http_rs_api_problem(r, RS_E_OVERLOADED,
                                       "this worker has no room", NULL);
    }

    return ngx_http_rs_api_problem(r, RS_E_UNAVAILABLE, NULL, NULL);
}


void
ngx_http_rs_upgrade_refused(ngx_http_request_t *r)
{
    ngx_uint_t                stat;
    ngx_http_rs_ctx_t        *ctx;
    ngx_http_rs_main_conf_t  *rmcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    switch (ctx ? ctx->code : RS_E_INTERNAL) {

    case RS_E_RATE_LIMITED:
        stat = ctx->banned ? NGX_HTTP_RS_STAT_UPGRADE_BANNED
                           : NGX_HTTP_RS_STAT_LIMIT_ADDRESS;
        break;

    case RS_E_OVERLOADED:
        stat = NGX_HTTP_RS_STAT_FULL;
        break;

    case RS_E_UNAVAILABLE:
    case RS_E_DRAINING:
        stat = NGX_HTTP_RS_STAT_UPGRADE_UNAVAILABLE;
        break;

    default:
        stat = NGX_HTTP_RS_STAT_UPGRADE_REFUSED;
        break;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    ngx_http_rs_count(rmcf, stat);
}


/* NGX_DECLINED: the address may; else what a content handler returns */

static ngx_int_t
ngx_http_rs_upgrade_rate(ngx_http_request_t *r)
{
    time_t                    wait;
    ngx_http_rs_ctx_t        *ctx;
    ngx_http_rs_main_conf_t  *rmcf;

    if (ngx_http_rs_api_banned(r)) {
        return ngx_http_rs_api_problem(r, RS_E_RATE_LIMITED,
                                       NGX_HTTP_RS_API_BANNED, NULL);
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    if (ngx_http_rs_limit_address(rmcf, r->connection->sockaddr,
                                  RS_RATE_TAKE, &wait)
        == NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_rs_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->retry_after = wait;

    return ngx_http_rs_api_problem(r, RS_E_RATE_LIMITED,
                                   "too much from this address", NULL);
}


ngx_uint_t
ngx_http_rs_upgrade_origin(ngx_http_request_t *r)
{
    rs_str_t                 scheme;
    ngx_str_t               *origin, *host;
    ngx_uint_t               n, ok;
    ngx_http_rs_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    n = ngx_http_rs_headers_in(r, "origin", sizeof("origin") - 1, &origin);

    if (n == 0 || rlcf->origin_any) {
        return 1;
    }

    if (n > 1) {
        /* no browser says two: whichever is looked at, the other one may be
         * what somebody else believes */
        ok = 0;

    } else if (rlcf->origins) {
        ok = rs_ws_origin_match(ngx_http_rs_slice(origin),
                                rlcf->origins->elts, rlcf->origins->nelts);

    } else {
        scheme = RS_STR("http");

#if (NGX_HTTP_SSL)
        if (r->connection->ssl) {
            scheme = RS_STR("https");
        }
#endif

        host = ngx_http_rs_header_in(r, "host", sizeof("host") - 1);

        ok = host && rs_ws_origin_same(ngx_http_rs_slice(origin), scheme,
                                       ngx_http_rs_slice(host));
    }

    if (!ok) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "rs upgrade origin \"%V\" is not on the list", origin);
    }

    return ok;
}


/* the name a device asked for has to be one of the gateway's */

static ngx_uint_t
ngx_http_rs_upgrade_host(ngx_http_request_t *r)
{
    ngx_str_t               *host;
    ngx_uint_t               i;
    ngx_http_rs_loc_conf_t  *rlcf;

    if (r->headers_in.server.len == 0) {
        return 0;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    if (rlcf->agent_hosts == NULL) {
        return 1;
    }

    host = rlcf->agent_hosts->elts;

    for (i = 0; i < rlcf->agent_hosts->nelts; i++) {
        if (host[i].len == r->headers_in.server.len
            && ngx_memcmp(host[i].data, r->headers_in.server.data,
                          host[i].len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_rs_upgrade_accept(ngx_http_request_t *r, ngx_http_rs_handshake_t *h)
{
    u_char     *accept;
    ngx_int_t   rc;

    accept = ngx_pnalloc(r->pool, RS_WS_ACCEPT_LEN);

    if (accept == NULL
        || rs_ws_accept(ngx_http_rs_slice(&h->key), (char *) accept) != RS_OK
        || ngx_http_rs_upgrade_header(r, "Upgrade", "websocket", 9) != NGX_OK
        || ngx_http_rs_upgrade_header(r, "Sec-WebSocket-Accept",
                                      (char *) accept, RS_WS_ACCEPT_LEN)
           != NGX_OK
        || ngx_http_rs_upgrade_header(r, "Sec-WebSocket-Protocol",
                                      NGX_HTTP_RS_SUBPROTOCOL,
                                      sizeof(NGX_HTTP_RS_SUBPROTOCOL) - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    r->keepalive = 0;

    /* the frames that follow are no response body */
    r->limit_rate = 0;
    r->limit_rate_set = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_upgrade_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *header;

    header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(header, sizeof(ngx_table_elt_t));

    header->hash = 1;
    header->key.data = (u_char *) name;
    header->key.len = ngx_strlen(name);
    header->value.data = (u_char *) value;
    header->value.len = len;

    return NGX_OK;
}


static void
ngx_http_rs_upgrade_fields(ngx_http_request_t *r, ngx_http_rs_handshake_t *h)
{
    ngx_uint_t                      i;
    ngx_list_part_t                *part;
    ngx_table_elt_t                *header;
    ngx_http_rs_handshake_field_t  *f;

    ngx_memzero(h, sizeof(ngx_http_rs_handshake_t));

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        for (f = ngx_http_rs_handshake_fields; f->read; f++) {

            if (header[i].key.len == f->name.len
                && ngx_strncasecmp(header[i].key.data, f->name.data,
                                   f->name.len)
                   == 0)
            {
                f->read(h, &header[i].value);
                break;
            }
        }
    }
}


static void
ngx_http_rs_upgrade_read_upgrade(ngx_http_rs_handshake_t *h, ngx_str_t *value)
{
    if (rs_ws_has_token(ngx_http_rs_slice(value), RS_STR("websocket"))) {
        h->upgrade = 1;
    }
}


static void
ngx_http_rs_upgrade_read_connection(ngx_http_rs_handshake_t *h,
    ngx_str_t *value)
{
    if (rs_ws_has_token(ngx_http_rs_slice(value), RS_STR("upgrade"))) {
        h->connection = 1;
    }
}


static void
ngx_http_rs_upgrade_read_key(ngx_http_rs_handshake_t *h, ngx_str_t *value)
{
    if (h->key.data) {
        h->error = RS_E_BAD_HANDSHAKE;
    }

    h->key = *value;
}


static void
ngx_http_rs_upgrade_read_version(ngx_http_rs_handshake_t *h, ngx_str_t *value)
{
    if (h->version.data) {
        h->error = RS_E_BAD_HANDSHAKE;
    }

    h->version = *value;
}


/* RFC 6455, 11.3.4: may come in several lines */

static void
ngx_http_rs_upgrade_read_protocols(ngx_http_rs_handshake_t *h,
    ngx_str_t *value)
{
    if (rs_ws_protocols(ngx_http_rs_slice(value), &h->protocols) != RS_OK) {
        h->error = RS_E_BAD_HANDSHAKE;
    }
}
