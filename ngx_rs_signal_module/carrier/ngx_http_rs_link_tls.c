
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 8446, 2.2: a pre-shared key from outside, with a Diffie-Hellman exchange
 * besides, so that a key that becomes known opens nothing of before.  What is
 * in the key file is hashed for the key and, otherwise, for the name it is
 * called by on the wire.  The first line's is shown; the second one's is good,
 * too, so that nodes can be given a new key one after another.
 *
 * A server without certificate has nothing but the key to offer; a client
 * looks whether it was that what was used.
 */


#include "ngx_http_rs_link_tls.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RS_NODE_KEY_MIN   32      /* characters */
#define NGX_HTTP_RS_NODE_KEY_MAX   256
#define NGX_HTTP_RS_NODE_FILE_MAX  1024    /* bytes */


static ngx_int_t ngx_http_rs_node_key_read(ngx_conf_t *cf, ngx_str_t *name,
    rs_str_t *text);
static char *ngx_http_rs_node_keys(ngx_conf_t *cf,
    ngx_http_rs_main_conf_t *rmcf, ngx_str_t *name, rs_str_t text);


char *
ngx_http_rs_node_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    char       *rv;
    u_char      text[NGX_HTTP_RS_NODE_FILE_MAX + 1];
    rs_str_t    s;
    ngx_str_t   file, *value;

    if (rmcf->node_nkeys) {
        return "is duplicate";
    }

    value = cf->args->elts;
    file = value[1];
    s.data = text;

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK
        || ngx_http_rs_node_key_read(cf, &file, &s) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_rs_node_keys(cf, rmcf, &file, s);

    OPENSSL_cleanse(text, sizeof(text));

    return rv;
}


/* one byte more than may be in it is read, so that too long is seen */

static ngx_int_t
ngx_http_rs_node_key_read(ngx_conf_t *cf, ngx_str_t *name, rs_str_t *text)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        || (fi.st_mode & (S_IRWXG|S_IRWXO))
        || (fi.st_uid != 0 && fi.st_uid != geteuid()))
    {
        (void) ngx_close_file(fd);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "others may read the nodes' key \"%V\": \"chown "
                           "root\" and \"chmod 600\" it, and make a new one "
                           "if anybody did", name);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, (void *) text->data, NGX_HTTP_RS_NODE_FILE_MAX + 1);

    (void) ngx_close_file(fd);

    if (n < 0 || n > NGX_HTTP_RS_NODE_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key file \"%V\" cannot be read, or is longer "
                           "than %d bytes", name, NGX_HTTP_RS_NODE_FILE_MAX);
        return NGX_ERROR;
    }

    text->len = n;

    return NGX_OK;
}


static char *
ngx_http_rs_node_keys(ngx_conf_t *cf, ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *name, rs_str_t text)
{
    int                      more;
    char                     hex[RS_ID_HASH_LEN];
    size_t                   len;
    rs_str_t                 line;
    ngx_http_rs_node_key_t  *key;

    do {
        more = rs_str_split(text, '\n', &line, &text);

        if (line.len == 0) {
            continue;
        }

        if (line.len < NGX_HTTP_RS_NODE_KEY_MIN
            || line.len > NGX_HTTP_RS_NODE_KEY_MAX
            || rmcf->node_nkeys == NGX_HTTP_RS_NODE_KEYS)
        {
            rmcf->node_nkeys = 0;
            break;
        }

        key = &rmcf->node_keys[rmcf->node_nkeys++];

        if (rs_hash_pair(RS_STR("rs-node-key"), line, hex) != RS_OK
            || !rs_hex_decode(key->key, sizeof(key->key),
                              (rs_str_t) { (uint8_t *) hex, sizeof(hex) },
                              &len)
            || rs_hash_pair(RS_STR("rs-node-name"), line, hex) != RS_OK)
        {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(key->name, hex, sizeof(key->name));

    } while (more);

    OPENSSL_cleanse(hex, sizeof(hex));

    if (rmcf->node_nkeys == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key file \"%V\" must have one line, or two, "
                           "of %d to %d characters; make one with \"openssl "
                           "rand -hex 32\"", name, NGX_HTTP_RS_NODE_KEY_MIN,
                           NGX_HTTP_RS_NODE_KEY_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


#if (NGX_SSL)


static SSL_SESSION *
ngx_http_rs_link_tls_session(SSL *ssl, ngx_http_rs_node_key_t *key)
{
    SSL_SESSION       *session;
    const SSL_CIPHER  *cipher;

    /* TLS_AES_128_GCM_SHA256 */
    static const unsigned char  id[] = { 0x13, 0x01 };

    cipher = SSL_CIPHER_find(ssl, id);
    session = SSL_SESSION_new();

    if (cipher == NULL || session == NULL
        || SSL_SESSION_set1_master_key(session, key->key, sizeof(key->key))
           != 1
        || SSL_SESSION_set_cipher(session, cipher) != 1
        || SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1)
    {
        SSL_SESSION_free(session);
        return NULL;
    }

    return session;
}


static ngx_http_rs_main_conf_t *
ngx_http_rs_link_tls_conf(SSL *ssl)
{
    ngx_connection_t         *c;
    ngx_http_rs_link_head_t  *head;

    c = ngx_ssl_get_connection(ssl);
    head = c->data;

    return head->rmcf;
}


static int
ngx_http_rs_link_tls_show(SSL *ssl, const EVP_MD *md,
    const unsigned char **id, size_t *len, SSL_SESSION **session)
{
    ngx_http_rs_node_key_t  *key;

    key = &ngx_http_rs_link_tls_conf(ssl)->node_keys[0];

    *session = ngx_http_rs_link_tls_session(ssl, key);
    if (*session == NULL) {
        return 0;
    }

    *id = (unsigned char *) key->name;
    *len = sizeof(key->name);

    return 1;
}


static int
ngx_http_rs_link_tls_find(SSL *ssl, const unsigned char *id, size_t len,
    SSL_SESSION **session)
{
    ngx_uint_t                i;
    ngx_http_rs_main_conf_t  *rmcf;

    *session = NULL;
    rmcf = ngx_http_rs_link_tls_conf(ssl);

    for (i = 0; i < rmcf->node_nkeys; i++) {

        if (len == sizeof(rmcf->node_keys[i].name)
            && ngx_memcmp(id, rmcf->node_keys[i].name, len) == 0)
        {
            *session = ngx_http_rs_link_tls_session(ssl,
                                                    &rmcf->node_keys[i]);
            return *session != NULL;
        }
    }

    /* none of ours: without a certificate the handshake fails */

    return 1;
}


char *
ngx_http_rs_link_tls_init(ngx_conf_t *cf, ngx_http_rs_main_conf_t *rmcf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (SSL_CTX_set_min_proto_version(ssl->ctx, TLS1_3_VERSION) != 1
        || SSL_CTX_set_ciphersuites(ssl->ctx, "TLS_AES_128_GCM_SHA256") != 1
        || SSL_CTX_set_num_tickets(ssl->ctx, 0) != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"rs_node_listen\" needs TLS 1.3");
        return NGX_CONF_ERROR;
    }

    SSL_CTX_set_psk_use_session_callback(ssl->ctx, ngx_http_rs_link_tls_show);
    SSL_CTX_set_psk_find_session_callback(ssl->ctx,
                                          ngx_http_rs_link_tls_find);

    rmcf->node_tls = ssl;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_rs_link_tls_start(ngx_http_rs_main_conf_t *rmcf, ngx_connection_t *c,
    ngx_uint_t client, ngx_connection_handler_pt handler)
{
    ngx_int_t  rc;

    if (ngx_ssl_create_connection(rmcf->node_tls, c,
                                  client ? NGX_SSL_CLIENT : 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = handler;
    }

    return rc;
}


ngx_uint_t
ngx_http_rs_link_tls_good(ngx_connection_t *c)
{
    return c->ssl->handshaked && SSL_session_reused(c->ssl->connection);
}


#else


char *
ngx_http_rs_link_tls_init(ngx_conf_t *cf, ngx_http_rs_main_conf_t *rmcf)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"rs_node_listen\" needs nginx with TLS");
    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_rs_link_tls_start(ngx_http_rs_main_conf_t *rmcf, ngx_connection_t *c,
    ngx_uint_t client, ngx_connection_handler_pt handler)
{
    return NGX_ERROR;
}


ngx_uint_t
ngx_http_rs_link_tls_good(ngx_connection_t *c)
{
    return 0;
}


#endif
