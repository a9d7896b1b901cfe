
/*
 * Copyright (C) rs-gateway contributors
 *
 * TLS of a wire: nginx's own OpenSSL layer below the same connection.  The
 * certificate is always verified, for the name or the address by which the
 * server is known, before a byte of ours is sent.
 */


#include "ngx_rs_redis_adapter.h"


#if (NGX_SSL)


#include <openssl/x509v3.h>


#define NGX_RS_REDIS_TLS_POOL   256
#define NGX_RS_REDIS_TLS_DEPTH  9
#define NGX_RS_REDIS_TLS_NAME   256


static ngx_int_t ngx_rs_redis_tls_expect(ngx_connection_t *c,
    ngx_str_t *name);


char *
ngx_rs_redis_tls_init(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (conf->certificate.len
        && ngx_ssl_certificate(cf, ssl, &conf->certificate,
                               &conf->certificate_key, NULL)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->ca_file.len) {

        if (ngx_ssl_trusted_certificate(cf, ssl, &conf->ca_file,
                                        NGX_RS_REDIS_TLS_DEPTH)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

    } else if (SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_CONF_ERROR;
    }

    conf->tls = ssl;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_rs_redis_tls_start(ngx_rs_redis_wire_t *wire,
    ngx_connection_handler_pt handler)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = wire->connection;

    c->pool = ngx_create_pool(NGX_RS_REDIS_TLS_POOL, wire->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    if (ngx_ssl_create_connection(wire->tls, c, NGX_SSL_CLIENT) != NGX_OK
        || ngx_rs_redis_tls_expect(c, &wire->tls_name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what waits to be sent grows and moves */

    (void) SSL_set_mode(c->ssl->connection,
                        SSL_MODE_ENABLE_PARTIAL_WRITE
                        |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = handler;
    }

    return rc;
}


/* whom the certificate must be for; an address has no SNI */

static ngx_int_t
ngx_rs_redis_tls_expect(ngx_connection_t *c, ngx_str_t *name)
{
    u_char              text[NGX_RS_REDIS_TLS_NAME];
    X509_VERIFY_PARAM  *param;

    if (name->len == 0 || name->len >= NGX_RS_REDIS_TLS_NAME) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(text, name->data, name->len + 1);

    param = SSL_get0_param(c->ssl->connection);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, (char *) text) == 1) {
        return NGX_OK;
    }

    ERR_clear_error();

    if (X509_VERIFY_PARAM_set1_host(param, (char *) text, 0) != 1
        || SSL_set_tlsext_host_name(c->ssl->connection, (char *) text) != 1)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "rs redis: \"%s\" is no name for TLS", text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rs_redis_tls_verify(ngx_rs_redis_wire_t *wire, u_char *reason,
    size_t size)
{
    long               rc;
    X509              *cert;
    u_char            *p;
    ngx_connection_t  *c;

    c = wire->connection;

    if (!c->ssl->handshaked) {
        p = ngx_snprintf(reason, size - 1, "the TLS handshake failed: is it "
                         "a TLS port, and does it want another "
                         "\"certificate=\"?");
        *p = '\0';
        return NGX_ERROR;
    }

    rc = SSL_get_verify_result(c->ssl->connection);
    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert) {
        X509_free(cert);
    }

    if (rc == X509_V_OK && cert) {
        return NGX_OK;
    }

    p = ngx_snprintf(reason, size - 1, "its certificate is refused for "
                     "\"%V\": %s: \"ca_file=\" says whom to trust, "
                     "\"server_name=\" who it must be", &wire->tls_name,
                     cert ? X509_verify_cert_error_string(rc)
                          : "there is none");
    *p = '\0';

    return NGX_ERROR;
}


void
ngx_rs_redis_tls_close(ngx_connection_t *c)
{
    if (c->ssl == NULL) {
        return;
    }

    c->ssl->no_wait_shutdown = 1;

    (void) ngx_ssl_shutdown(c);

    /* it would wait until it can say goodbye */

    if (c->ssl) {
        c->timedout = 1;
        (void) ngx_ssl_shutdown(c);
    }
}


#else


char *
ngx_rs_redis_tls_init(ngx_conf_t *cf, ngx_rs_redis_conf_t *conf)
{
    return "wants TLS, which this nginx was built without";
}


ngx_int_t
ngx_rs_redis_tls_start(ngx_rs_redis_wire_t *wire,
    ngx_connection_handler_pt handler)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_rs_redis_tls_verify(ngx_rs_redis_wire_t *wire, u_char *reason,
    size_t size)
{
    *reason = '\0';

    return NGX_ERROR;
}


void
ngx_rs_redis_tls_close(ngx_connection_t *c)
{
}


#endif
