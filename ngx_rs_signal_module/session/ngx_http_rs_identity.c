
/*
 * Copyright (C) rs-gateway contributors
 *
 * The private key is read by the master and kept in the configuration's
 * memory, which workers inherit; no file of it is opened by a worker, and it
 * is wiped with the configuration.  Nothing of it is logged.
 */


#include "ngx_http_rs.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>


#define NGX_HTTP_RS_IDENTITY_PEM  4096     /* bytes of a key file */


static ngx_int_t ngx_http_rs_identity_read(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_uint_t secret, rs_str_t *text);
static ngx_int_t ngx_http_rs_identity_key(ngx_conf_t *cf,
    ngx_http_rs_identity_t *id);
static ngx_int_t ngx_http_rs_identity_seed(rs_str_t pem, u_char *seed);
static ngx_int_t ngx_http_rs_identity_chain(ngx_conf_t *cf,
    ngx_http_rs_identity_t *id);
static void ngx_http_rs_identity_cleanup(void *data);


char *
ngx_http_rs_identity_init(ngx_conf_t *cf, ngx_http_rs_identity_t *id)
{
    ngx_pool_cleanup_t  *cln;

    if (id->file.len == 0) {

        if (id->statements.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"rs_identity_statements\" \"%V\" needs "
                               "\"rs_identity_file\", the key they lead to",
                               &id->statements);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_rs_identity_cleanup;
    cln->data = id;

    id->offer = ngx_pcalloc(cf->pool, sizeof(rs_identity_offer_t));
    id->key.data = ngx_pnalloc(cf->pool, RS_DEVKEY_TEXT_LEN);

    if (id->offer == NULL || id->key.data == NULL
        || ngx_http_rs_identity_key(cf, id) != NGX_OK
        || ngx_http_rs_identity_chain(cf, id) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_rs_identity_cleanup(void *data)
{
    ngx_http_rs_identity_t *id = data;

    OPENSSL_cleanse(id->seed, sizeof(id->seed));
}


/* one byte more than may be in it is read, so that too long is seen */

static ngx_int_t
ngx_http_rs_identity_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_uint_t secret, rs_str_t *text)
{
    u_char           *p;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, max + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    n = -1;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);

    } else if (secret && (fi.st_mode & S_IRWXO)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "others may read the fleet's private key \"%V\": "
                           "\"chmod 600\" it, and make a new one with "
                           "\"rs-identity rotate\" if anybody did", name);

    } else {
        n = ngx_read_fd(fd, p, max + 1);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", name);
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == -1) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_identity_key(ngx_conf_t *cf, ngx_http_rs_identity_t *id)
{
    ngx_int_t  rc;
    rs_str_t   pem;

    if (ngx_http_rs_identity_read(cf, &id->file, NGX_HTTP_RS_IDENTITY_PEM, 1,
                                  &pem)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_identity_seed(pem, id->seed);

    OPENSSL_cleanse((void *) pem.data, pem.len);

    if (rc != NGX_OK
        || rs_ed25519_public(id->seed, id->offer->key) != RS_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" holds no Ed25519 private key in PEM "
                           "without a passphrase: make one with "
                           "\"rs-identity new\"", &id->file);
        return NGX_ERROR;
    }

    id->key.len = rs_base64url_encode((char *) id->key.data, id->offer->key,
                                      RS_ED25519_KEY_LEN);
    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_identity_seed(rs_str_t pem, u_char *seed)
{
    BIO        *bio;
    size_t      len;
    EVP_PKEY   *pkey;
    ngx_int_t   rc;

    if (pem.len > NGX_HTTP_RS_IDENTITY_PEM) {
        return NGX_ERROR;
    }

    (void) ERR_set_mark();

    len = RS_ED25519_KEY_LEN;
    pkey = NULL;
    bio = BIO_new_mem_buf(pem.data, (int) pem.len);

    /* an empty passphrase: nobody is asked at the terminal */

    if (bio) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");
        BIO_free(bio);
    }

    rc = (pkey && EVP_PKEY_base_id(pkey) == EVP_PKEY_ED25519
          && EVP_PKEY_get_raw_private_key(pkey, seed, &len) == 1
          && len == RS_ED25519_KEY_LEN) ? NGX_OK : NGX_ERROR;

    EVP_PKEY_free(pkey);

    (void) ERR_pop_to_mark();

    return rc;
}


static ngx_int_t
ngx_http_rs_identity_chain(ngx_conf_t *cf, ngx_http_rs_identity_t *id)
{
    rs_str_t              text;
    rs_json_error_t       e;
    rs_identity_offer_t  *offer;

    if (id->statements.len == 0) {
        return NGX_OK;
    }

    offer = id->offer;

    if (ngx_http_rs_identity_read(cf, &id->statements, RS_IDENTITY_FILE_MAX,
                                  0, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rs_identity_statements(text, offer->statements, &offer->n, &e)
        == RS_OK
        && rs_identity_chain(offer->statements, offer->n, offer->key, &e)
           == RS_OK)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"rs_identity_statements\" \"%V\": %s; "
                       "\"rs-identity check\" shows the whole chain, and "
                       "\"rs-identity rotate\" writes it together with the "
                       "key \"%V\"", &id->statements, e.text, &id->file);
    return NGX_ERROR;
}


ngx_int_t
ngx_http_rs_identity_prove(ngx_http_rs_identity_t *id, rs_buf_t *b,
    rs_str_t host, rs_str_t device_nonce, const u_char *nonce)
{
    char                 text[RS_IDENTITY_NONCE_TEXT];
    rs_identity_offer_t  offer;

    offer = *id->offer;

    (void) rs_base64url_encode(text, nonce, RS_IDENTITY_NONCE_LEN);

    if (rs_identity_sign(id->seed, host, device_nonce,
                         (rs_str_t) { (u_char *) text, sizeof(text) },
                         offer.signature)
        != RS_OK)
    {
        return NGX_ERROR;
    }

    rs_identity_offer_write(b, &offer);

    return b->overflow ? NGX_ERROR : NGX_OK;
}
