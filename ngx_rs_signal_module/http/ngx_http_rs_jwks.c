
/*
 * Copyright (C) rs-gateway contributors
 *
 * Keys of issuers: what this worker has read of them, and fetching.
 *
 *     fetch -> begin (zone: may we?) -> subrequest -> filters take the body
 *                                                          |
 *     waiters <- posted, one by one <- end <- good, failed, refund
 *
 * Invariants
 *   * One fetch of a set is under way in a worker, and one in a node.
 *   * A fetch is a background subrequest of some request.  It takes nothing
 *     of it along: no header, no body; so no token reaches an issuer.
 *   * The body goes into one buffer of 64 KiB, what is above it nowhere.  It
 *     never reaches the client's filters: their errors would be the client's.
 *   * When the request of a fetch ends, the next waiter's takes over; each
 *     waiter is called once, or dies with its request.
 */


#include "ngx_http_rs.h"
#include "http/ngx_http_rs_jwks.h"

#include <openssl/sha.h>


#define NGX_HTTP_RS_JWKS_POLL       50         /* ms: another's fetch */
#define NGX_HTTP_RS_JWKS_FRESH      600        /* s, unless it is said */
#define NGX_HTTP_RS_JWKS_FRESH_MIN  60
#define NGX_HTTP_RS_JWKS_FRESH_MAX  86400


typedef struct {
    ngx_queue_t                 queue;
    ngx_event_t                 event;
    ngx_http_rs_jwks_t         *jwks;          /* NULL: not in the queue */
    ngx_http_request_t         *request;
    ngx_http_rs_jwks_pt         handler;
    void                       *data;
} ngx_http_rs_jwks_waiter_t;


/* from the pool of the request whose subrequest it is */

struct ngx_http_rs_jwks_fetch_s {
    ngx_http_rs_jwks_t         *jwks;          /* NULL: it has ended */
    ngx_http_rs_keys_right_t    right;
    u_char                     *data;
    size_t                      len;
    const char                 *failed;        /* NULL: nothing yet */
    ngx_uint_t                  whole;         /* 1: its end has come */
    ngx_msec_t                  fresh;
};


static ngx_int_t ngx_http_rs_jwks_read(ngx_conf_t *cf, ngx_str_t *name,
    u_char *data, size_t *len);
static void ngx_http_rs_jwks_cleanup_set(void *data);
static ngx_int_t ngx_http_rs_jwks_start(ngx_http_rs_jwks_t *jwks,
    ngx_http_request_t *r, ngx_http_rs_keys_right_t *right);
static ngx_int_t ngx_http_rs_jwks_subrequest(ngx_http_request_t *r,
    ngx_str_t *uri, ngx_http_rs_jwks_fetch_t *f);
static ngx_int_t ngx_http_rs_jwks_wait(ngx_http_rs_jwks_t *jwks,
    ngx_http_request_t *r, ngx_http_rs_jwks_pt handler, void *data);
static void ngx_http_rs_jwks_unwait(void *data);
static void ngx_http_rs_jwks_waiter_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_rs_jwks_done(ngx_http_request_t *r, void *data,
    ngx_int_t rc);
static void ngx_http_rs_jwks_take(ngx_http_rs_jwks_fetch_t *f,
    ngx_log_t *log);
static void ngx_http_rs_jwks_left(void *data);
static void ngx_http_rs_jwks_end(ngx_http_rs_jwks_t *jwks);
static void ngx_http_rs_jwks_event(ngx_event_t *ev);
static void ngx_http_rs_jwks_next(ngx_http_rs_jwks_t *jwks);
static ngx_http_rs_jwks_fetch_t *ngx_http_rs_jwks_of(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_jwks_header_filter(ngx_http_request_t *r);
static ngx_msec_t ngx_http_rs_jwks_fresh(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_jwks_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_rs_jwks_copy(ngx_http_rs_jwks_fetch_t *f, ngx_buf_t *b);


static ngx_http_output_header_filter_pt  ngx_http_rs_jwks_next_header;
static ngx_http_output_body_filter_pt    ngx_http_rs_jwks_next_body;


ngx_http_rs_jwks_t *
ngx_http_rs_jwks_file(ngx_conf_t *cf, ngx_str_t *name)
{
    size_t               len;
    u_char              *data;
    const char          *why;
    ngx_pool_cleanup_t  *cln;
    ngx_http_rs_jwks_t  *jwks;

    jwks = ngx_pcalloc(cf->pool, sizeof(ngx_http_rs_jwks_t));
    data = ngx_palloc(cf->temp_pool, RS_JWKS_MAX + 1);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (jwks == NULL || data == NULL || cln == NULL
        || ngx_http_rs_jwks_read(cf, name, data, &len) != NGX_OK)
    {
        return NULL;
    }

    if (rs_jwks_parse((rs_str_t) { data, len }, &jwks->set, &why) != RS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the keys in \"%V\" cannot be used: %s; store "
                           "there what the issuer's \"jwks_uri\" gives",
                           name, why);
        return NULL;
    }

    cln->handler = ngx_http_rs_jwks_cleanup_set;
    cln->data = jwks;

    return jwks;
}


static ngx_int_t
ngx_http_rs_jwks_read(ngx_conf_t *cf, ngx_str_t *name, u_char *data,
    size_t *len)
{
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    /* one byte more than is allowed: rs_jwks_parse() says what that means */

    n = ngx_read_fd(fd, data, RS_JWKS_MAX + 1);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", name);
    }

    (void) ngx_close_file(fd);

    *len = n;

    return (n == -1) ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_rs_jwks_cleanup_set(void *data)
{
    ngx_http_rs_jwks_t *jwks = data;

    rs_jwks_free(jwks->set);
}


ngx_http_rs_jwks_t *
ngx_http_rs_jwks_request(ngx_conf_t *cf, ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *issuer, ngx_str_t *uri)
{
    u_char                id[NGX_HTTP_RS_KEYS_ID];
    u_char                text[2 * NGX_HTTP_RS_OIDC_TEXT_MAX + 1], *p;
    ngx_uint_t            i;
    ngx_pool_cleanup_t   *cln;
    ngx_http_rs_jwks_t  **jwks;

    /* both were bounded when they were read */

    p = ngx_cpymem(text, issuer->data, issuer->len);
    *p++ = '\0';
    p = ngx_cpymem(p, uri->data, uri->len);
    (void) SHA256(text, p - text, id);

    if (rmcf->jwks == NULL) {
        rmcf->jwks = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_rs_jwks_t *));
        rmcf->jwks_zone = ngx_http_rs_keys_zone(cf);

        if (rmcf->jwks == NULL || rmcf->jwks_zone == NULL) {
            return NULL;
        }
    }

    jwks = rmcf->jwks->elts;

    for (i = 0; i < rmcf->jwks->nelts; i++) {
        if (ngx_memcmp(jwks[i]->keys.id, id, sizeof(id)) == 0) {
            return jwks[i];
        }
    }

    if (i == NGX_HTTP_RS_KEYS_N) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many \"rs_jwks_request\": the keys of %d "
                           "issuers can be kept; give those of some by "
                           "\"rs_jwks_file\"", NGX_HTTP_RS_KEYS_N);
        return NULL;
    }

    jwks = ngx_array_push(rmcf->jwks);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (jwks == NULL || cln == NULL) {
        return NULL;
    }

    *jwks = ngx_pcalloc(cf->pool, sizeof(ngx_http_rs_jwks_t));
    if (*jwks == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_rs_jwks_cleanup_set;
    cln->data = *jwks;

    (*jwks)->uri = *uri;
    (*jwks)->rmcf = rmcf;
    (*jwks)->keys.zone = rmcf->jwks_zone;
    (*jwks)->event.data = *jwks;
    (*jwks)->event.handler = ngx_http_rs_jwks_event;
    (*jwks)->event.log = &cf->cycle->new_log;
    ngx_queue_init(&(*jwks)->waiters);
    ngx_memcpy((*jwks)->keys.id, id, sizeof(id));

    return *jwks;
}


void
ngx_http_rs_jwks_init(ngx_http_rs_main_conf_t *rmcf)
{
    if (rmcf->jwks == NULL) {
        return;
    }

    ngx_http_rs_jwks_next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_rs_jwks_header_filter;

    ngx_http_rs_jwks_next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_rs_jwks_body_filter;
}


rs_jwks_t *
ngx_http_rs_jwks_get(ngx_http_rs_jwks_t *jwks, ngx_log_t *log)
{
    size_t       len;
    u_char      *data;
    rs_jwks_t   *set;
    ngx_uint_t   generation;
    const char  *why;

    if (jwks->uri.len == 0) {
        return jwks->set;
    }

    generation = ngx_http_rs_keys_generation(&jwks->keys);

    if (generation == 0 || generation == jwks->generation) {
        return generation ? jwks->set : NULL;
    }

    data = ngx_alloc(NGX_HTTP_RS_KEYS_MAX, log);
    if (data == NULL) {
        return NULL;
    }

    len = ngx_http_rs_keys_read(&jwks->keys, data, &generation);

    /* who put it there has read it, too */

    if (rs_jwks_parse((rs_str_t) { data, len }, &set, &why) != RS_OK) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "rs jwks in the zone cannot be used: %s", why);
        set = NULL;
    }

    ngx_free(data);

    if (set) {
        rs_jwks_free(jwks->set);
        jwks->set = set;
        jwks->generation = generation;
    }

    return set;
}


ngx_uint_t
ngx_http_rs_jwks_old(ngx_http_rs_jwks_t *jwks)
{
    return jwks->uri.len && ngx_http_rs_keys_old(&jwks->keys);
}


ngx_int_t
ngx_http_rs_jwks_fetch(ngx_http_rs_jwks_t *jwks, ngx_http_request_t *r,
    ngx_http_rs_keys_why_e why, ngx_http_rs_jwks_pt handler, void *data)
{
    ngx_int_t                 rc;
    ngx_http_rs_keys_right_t  right;

    if (jwks->uri.len == 0) {
        return NGX_DECLINED;
    }

    if (jwks->fetch == NULL && ngx_queue_empty(&jwks->waiters)) {
        rc = ngx_http_rs_keys_begin(&jwks->keys, why, &right);

        if (rc == NGX_OK) {
            jwks->why = why;
            rc = ngx_http_rs_jwks_start(jwks, r, &right);
        }

        if (rc != NGX_OK && rc != NGX_BUSY) {
            return NGX_DECLINED;
        }

        if (rc == NGX_BUSY && handler) {
            jwks->why = why;
            ngx_add_timer(&jwks->event, NGX_HTTP_RS_JWKS_POLL);
        }
    }

    if (handler == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_rs_jwks_wait(jwks, r, handler, data);
}


/* NGX_OK, or NGX_ERROR: the right is given back */

static ngx_int_t
ngx_http_rs_jwks_start(ngx_http_rs_jwks_t *jwks, ngx_http_request_t *r,
    ngx_http_rs_keys_right_t *right)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_rs_jwks_fetch_t  *f;

    f = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_jwks_fetch_t));

    if (f) {
        f->data = ngx_palloc(r->pool, NGX_HTTP_RS_KEYS_MAX);
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (f == NULL || f->data == NULL || cln == NULL
        || ngx_http_rs_jwks_subrequest(r, &jwks->uri, f) != NGX_OK)
    {
        ngx_http_rs_keys_refund(&jwks->keys, right);
        return NGX_ERROR;
    }

    f->jwks = jwks;
    f->right = *right;
    f->fresh = NGX_HTTP_RS_JWKS_FRESH * 1000;

    cln->handler = ngx_http_rs_jwks_left;
    cln->data = f;

    jwks->fetch = f;
    ngx_add_timer(&jwks->event, NGX_HTTP_RS_KEYS_FETCH);

    return NGX_OK;
}


/* GET, without what the client sent */

static ngx_int_t
ngx_http_rs_jwks_subrequest(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_http_rs_jwks_fetch_t *f)
{
    ngx_list_t                   headers;
    ngx_http_request_t          *sr;
    ngx_http_headers_in_t       *in;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));

    if (ps == NULL
        || ngx_list_init(&headers, r->pool, 1, sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_rs_jwks_done;
    ps->data = f;

    if (ngx_http_subrequest(r, uri, NULL, &sr, ps,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    in = &sr->headers_in;

    ngx_memzero(in, sizeof(ngx_http_headers_in_t));
    in->headers = headers;
    in->headers.last = &in->headers.part;
    in->server = r->headers_in.server;
    in->content_length_n = -1;
    in->keep_alive_n = -1;

    sr->request_body = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_jwks_wait(ngx_http_rs_jwks_t *jwks, ngx_http_request_t *r,
    ngx_http_rs_jwks_pt handler, void *data)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_rs_jwks_waiter_t  *w;

    if (jwks->nwaiters == NGX_HTTP_RS_JWKS_WAITERS) {
        return NGX_DECLINED;
    }

    w = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_jwks_waiter_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (w == NULL || cln == NULL) {
        return NGX_DECLINED;
    }

    cln->handler = ngx_http_rs_jwks_unwait;
    cln->data = w;

    w->jwks = jwks;
    w->request = r;
    w->handler = handler;
    w->data = data;
    w->event.data = w;
    w->event.handler = ngx_http_rs_jwks_waiter_handler;
    w->event.log = r->connection->log;

    ngx_queue_insert_tail(&jwks->waiters, &w->queue);
    jwks->nwaiters++;

    return NGX_AGAIN;
}


static void
ngx_http_rs_jwks_unwait(void *data)
{
    ngx_http_rs_jwks_waiter_t *w = data;

    if (w->jwks) {
        ngx_queue_remove(&w->queue);
        w->jwks->nwaiters--;
        w->jwks = NULL;
    }

    if (w->event.posted) {
        ngx_delete_posted_event(&w->event);
    }
}


static void
ngx_http_rs_jwks_waiter_handler(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_rs_jwks_waiter_t  *w;

    w = ev->data;
    c = w->request->connection;

    ngx_http_set_log_request(c->log, w->request);

    w->handler(w->data);

    ngx_http_run_posted_requests(c);
}


/*
 * The subrequest has ended.  NGX_OK always: an error of it would end the
 * request that it belongs to.
 */

static ngx_int_t
ngx_http_rs_jwks_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_rs_jwks_fetch_t *f = data;

    ngx_http_rs_jwks_t  *jwks;

    jwks = f->jwks;

    if (jwks == NULL) {
        return NGX_OK;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "rs jwks fetched \"%V\" rc:%i status:%ui len:%uz",
                   &jwks->uri, rc, r->headers_out.status, f->len);

    if (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST || r->connection->error) {
        ngx_http_rs_jwks_left(f);
        return NGX_OK;
    }

    if (f->failed == NULL && rc != NGX_OK) {
        f->failed = "the location did not answer with 200";
    }

    if (f->failed == NULL && !f->whole) {
        f->failed = "the answer ended too early";
    }

    ngx_http_rs_jwks_take(f, r->connection->log);
    ngx_http_rs_jwks_end(jwks);

    return NGX_OK;
}


static void
ngx_http_rs_jwks_take(ngx_http_rs_jwks_fetch_t *f, ngx_log_t *log)
{
    rs_jwks_t           *set;
    const char          *why;
    ngx_http_rs_jwks_t  *jwks;

    jwks = f->jwks;
    why = f->failed;

    if (why == NULL
        && rs_jwks_parse((rs_str_t) { f->data, f->len }, &set, &why)
           == RS_OK)
    {
        rs_jwks_free(set);

        if (ngx_http_rs_keys_good(&jwks->keys, &f->right, f->data, f->len,
                                  f->fresh)
            == NGX_OK)
        {
            ngx_http_rs_count(jwks->rmcf, NGX_HTTP_RS_STAT_JWKS_FETCHED);
            return;
        }

        why = "the zone has no room for them";
    }

    ngx_http_rs_count(jwks->rmcf, NGX_HTTP_RS_STAT_JWKS_FAILED);
    ngx_http_rs_keys_failed(&jwks->keys, &f->right);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "rs jwks: no keys from \"%V\": %s; those had before are "
                  "used until they are 24 hours old", &jwks->uri, why);
}


/* the request of a fetch ends, or its client is gone */

static void
ngx_http_rs_jwks_left(void *data)
{
    ngx_http_rs_jwks_fetch_t *f = data;

    ngx_http_rs_jwks_t  *jwks;

    jwks = f->jwks;

    if (jwks == NULL) {
        return;
    }

    ngx_http_rs_keys_refund(&jwks->keys, &f->right);

    f->jwks = NULL;
    jwks->fetch = NULL;

    if (jwks->event.timer_set) {
        ngx_del_timer(&jwks->event);
    }

    /* the next waiter is not to be started from within another's end */

    ngx_post_event(&jwks->event, &ngx_posted_events);
}


/* whoever waits is told */

static void
ngx_http_rs_jwks_end(ngx_http_rs_jwks_t *jwks)
{
    ngx_queue_t                *q;
    ngx_http_rs_jwks_waiter_t  *w;

    if (jwks->fetch) {
        jwks->fetch->jwks = NULL;
        jwks->fetch = NULL;
    }

    if (jwks->event.timer_set) {
        ngx_del_timer(&jwks->event);
    }

    while (!ngx_queue_empty(&jwks->waiters)) {
        q = ngx_queue_head(&jwks->waiters);
        w = ngx_queue_data(q, ngx_http_rs_jwks_waiter_t, queue);

        ngx_queue_remove(q);
        w->jwks = NULL;

        ngx_post_event(&w->event, &ngx_posted_events);
    }

    jwks->nwaiters = 0;
}


/* the deadline of our fetch, a look at another's, or one that was left */

static void
ngx_http_rs_jwks_event(ngx_event_t *ev)
{
    ngx_http_rs_jwks_t  *jwks;

    jwks = ev->data;

    if (jwks->fetch) {
        jwks->fetch->failed = "it took too long";
        ngx_http_rs_jwks_take(jwks->fetch, ev->log);
        ngx_http_rs_jwks_end(jwks);
        return;
    }

    if (ngx_queue_empty(&jwks->waiters)) {
        return;
    }

    if (ngx_http_rs_keys_busy(&jwks->keys)) {
        ngx_add_timer(ev, NGX_HTTP_RS_JWKS_POLL);
        return;
    }

    ngx_http_rs_jwks_next(jwks);
}


/* refused when the other one's fetch has ended well or badly: it counted */

static void
ngx_http_rs_jwks_next(ngx_http_rs_jwks_t *jwks)
{
    ngx_connection_t           *c;
    ngx_http_rs_keys_right_t    right;
    ngx_http_rs_jwks_waiter_t  *w;

    w = ngx_queue_data(ngx_queue_head(&jwks->waiters),
                       ngx_http_rs_jwks_waiter_t, queue);

    if (ngx_http_rs_keys_begin(&jwks->keys, jwks->why, &right) != NGX_OK
        || ngx_http_rs_jwks_start(jwks, w->request, &right) != NGX_OK)
    {
        ngx_http_rs_jwks_end(jwks);
        return;
    }

    c = w->request->connection;

    ngx_http_run_posted_requests(c);
}


/* of a subrequest of ours; NULL: it is none */

static ngx_http_rs_jwks_fetch_t *
ngx_http_rs_jwks_of(ngx_http_request_t *r)
{
    if (r == r->main || r->post_subrequest == NULL
        || r->post_subrequest->handler != ngx_http_rs_jwks_done)
    {
        return NULL;
    }

    return r->post_subrequest->data;
}


static ngx_int_t
ngx_http_rs_jwks_header_filter(ngx_http_request_t *r)
{
    ngx_http_rs_jwks_fetch_t  *f;

    f = ngx_http_rs_jwks_of(r);

    if (f == NULL) {
        return ngx_http_rs_jwks_next_header(r);
    }

    r->header_sent = 1;

    if (r->headers_out.status != NGX_HTTP_OK) {
        f->failed = "the location did not answer with 200";
        return NGX_HTTP_BAD_GATEWAY;
    }

    if (r->headers_out.content_length_n > (off_t) NGX_HTTP_RS_KEYS_MAX) {
        f->failed = "they are of more than 65536 bytes";
        return NGX_HTTP_BAD_GATEWAY;
    }

    f->fresh = ngx_http_rs_jwks_fresh(r);

    /*
     * A buffering upstream passes the body of a background subrequest on at
     * its end only, and stops reading when its buffers are full.
     */

    if (r->upstream) {
        r->upstream->buffering = 0;
    }

    return NGX_OK;
}


/* Cache-Control: max-age, within our own bounds */

static ngx_msec_t
ngx_http_rs_jwks_fresh(ngx_http_request_t *r)
{
    u_char           *p, *last;
    ngx_int_t         n;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  age = ngx_string("max-age=");

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0 || h[i].key.len != name.len
                || ngx_strncasecmp(h[i].key.data, name.data, name.len) != 0)
            {
                continue;
            }

            last = h[i].value.data + h[i].value.len;
            p = ngx_strlcasestrn(h[i].value.data, last, age.data,
                                 age.len - 1);
            if (p == NULL) {
                continue;
            }

            p += age.len;

            for (n = 0; p < last && *p >= '0' && *p <= '9'; p++) {
                n = ngx_min(n * 10 + (*p - '0'),
                            NGX_HTTP_RS_JWKS_FRESH_MAX);
            }

            return ngx_max(n, NGX_HTTP_RS_JWKS_FRESH_MIN) * 1000;
        }
    }

    return NGX_HTTP_RS_JWKS_FRESH * 1000;
}


static ngx_int_t
ngx_http_rs_jwks_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_rs_jwks_fetch_t  *f;

    f = ngx_http_rs_jwks_of(r);

    if (f == NULL) {
        return ngx_http_rs_jwks_next_body(r, in);
    }

    for ( /* void */ ; in; in = in->next) {
        ngx_http_rs_jwks_copy(f, in->buf);

        if (in->buf->last_in_chain || in->buf->last_buf) {
            f->whole = 1;
        }

        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    return NGX_OK;
}


/* memory of an upstream, or a file of a cache or of a location */

static void
ngx_http_rs_jwks_copy(ngx_http_rs_jwks_fetch_t *f, ngx_buf_t *b)
{
    off_t  size;

    size = ngx_buf_special(b) ? 0 : ngx_buf_size(b);

    if (size > (off_t) (NGX_HTTP_RS_KEYS_MAX - f->len)) {
        f->failed = "they are of more than 65536 bytes";
    }

    if (f->failed || size == 0) {
        return;
    }

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(f->data + f->len, b->pos, (size_t) size);

    } else if (ngx_read_file(b->file, f->data + f->len, (size_t) size,
                             b->file_pos)
               != (ssize_t) size)
    {
        f->failed = "the file could not be read";
        return;
    }

    f->len += (size_t) size;
}
