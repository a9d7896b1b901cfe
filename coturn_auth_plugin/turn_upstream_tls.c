
/*
 * Copyright (C) rs-gateway contributors
 *
 * TLS of the links: the certificate is always verified, for the name or the
 * address by which the server is known, before a byte of ours is sent.
 */


#include "turn_upstream_link.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>


#define TURN_TLS_DEPTH  9


static int turn_tls_given(const char *s);
static void turn_tls_error(char *error, size_t size, const char *what,
    const char *file);


SSL_CTX *
turn_tls_create(const turn_upstream_conf_t *conf, char *error, size_t size)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL) {
        turn_tls_error(error, size, "TLS cannot be had", "");
        return NULL;
    }

    (void) SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(ctx, TURN_TLS_DEPTH);

    if (turn_tls_given(conf->ca_file)) {
        if (SSL_CTX_load_verify_locations(ctx, conf->ca_file, NULL) != 1) {
            turn_tls_error(error, size, "cannot read the certificates of "
                           "redis_ca_file", conf->ca_file);
            goto failed;
        }

    } else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
        turn_tls_error(error, size, "the system has no certificates: give "
                       "redis_ca_file", "");
        goto failed;
    }

    if (!turn_tls_given(conf->certificate)) {
        return ctx;
    }

    if (SSL_CTX_use_certificate_chain_file(ctx, conf->certificate) != 1) {
        turn_tls_error(error, size, "cannot read redis_certificate",
                       conf->certificate);
        goto failed;
    }

    if (SSL_CTX_use_PrivateKey_file(ctx, conf->certificate_key,
                                    SSL_FILETYPE_PEM)
        != 1)
    {
        turn_tls_error(error, size, "redis_certificate_key cannot be read, "
                       "or is not of redis_certificate",
                       conf->certificate_key);
        goto failed;
    }

    return ctx;

failed:

    SSL_CTX_free(ctx);

    return NULL;
}


static int
turn_tls_given(const char *s)
{
    return s && *s;
}


static void
turn_tls_error(char *error, size_t size, const char *what, const char *file)
{
    const char  *reason;

    reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();

    (void) snprintf(error, size, "%s%s%s%s%s", what, *file ? " " : "", file,
                    reason ? ": " : "", reason ? reason : "");
}


/* whom the certificate must be for; an address has no SNI */

SSL *
turn_tls_start(SSL_CTX *ctx, const char *name)
{
    SSL                *ssl;
    X509_VERIFY_PARAM  *param;

    ssl = SSL_new(ctx);

    if (ssl == NULL) {
        return NULL;
    }

    param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return ssl;
    }

    ERR_clear_error();

    if (*name == '\0' || X509_VERIFY_PARAM_set1_host(param, name, 0) != 1
        || SSL_set_tlsext_host_name(ssl, name) != 1)
    {
        ERR_clear_error();
        SSL_free(ssl);
        return NULL;
    }

    return ssl;
}


void
turn_tls_reason(SSL *ssl, const char *name, char *reason, size_t size)
{
    long  rc;

    rc = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

    if (rc != X509_V_OK) {
        (void) snprintf(reason, size, "its certificate is refused for "
                        "\"%s\": %s: redis_ca_file says whom to trust, "
                        "redis_server_name who it must be", name,
                        X509_verify_cert_error_string(rc));
        return;
    }

    (void) snprintf(reason, size, "the TLS handshake failed: is it a TLS "
                    "port, and does it want another redis_certificate?");
}
