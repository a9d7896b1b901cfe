
/*
 * Copyright (C) rs-gateway contributors
 *
 * This worker's lease and what the fleet's leases say.
 *
 * One call renews the lease, publishes a beacon to this worker and brings the
 * names of all live workers; they are kept as one sorted array, replaced as a
 * whole.  A worker that cannot renew keeps its last table.
 *
 * A name that is not in the table may belong to a worker that started after
 * the table was read.  Every worker takes its lease before it owns anything,
 * so the first table asked for after the name was first seen settles it; till
 * then the worker is taken as live.  Names seen are remembered, else each
 * question about a worker long dead would begin anew; the number of them is
 * bounded, the one seen longest ago goes first.
 *
 * Two nodes of one name would take each other's addresses for their own.  A
 * lease call says which machine speaks; while another one has the name, this
 * worker has no lease and serves nothing.
 */


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_PRESENCE_RETRY   1000      /* ms, after a failure */
#define NGX_HTTP_RS_PRESENCE_SOON    100       /* ms, a name is unknown */
#define NGX_HTTP_RS_PRESENCE_NAMES   1024      /* unknown names remembered */

#define NGX_HTTP_RS_IDENTITY_PART    256       /* bytes of a file or link */


typedef struct {
    ngx_str_t                   name;          /* into the same block */
} ngx_http_rs_presence_worker_t;


/* a name that was asked for and not in the table */

typedef struct {
    ngx_str_node_t              sn;
    ngx_queue_t                 queue;
    uint64_t                    call;          /* to be answered first */
    u_char                      name[1];
} ngx_http_rs_presence_name_t;


struct ngx_http_rs_presence_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_http_rs_lease_t         lease;

    ngx_event_t                 renew;
    ngx_uint_t                  pending;       /* a call is under way */

    ngx_msec_t                  renewed;       /* 0: never */

    uint64_t                    call;          /* number of the last call */
    uint64_t                    answered;      /* that brought the table */
    uint64_t                    wanted;        /* that settles all names */

    ngx_http_rs_presence_worker_t  *workers;   /* sorted; one block */
    ngx_uint_t                  nworkers;

    ngx_rbtree_t                names;
    ngx_rbtree_node_t           sentinel;
    ngx_queue_t                 oldest;        /* names, oldest first */
    ngx_uint_t                  nnames;

    unsigned                    held:1;        /* the lease */
    unsigned                    fresh:1;       /* first call of a link */
    unsigned                    told:1;        /* of another node */
};


static size_t ngx_http_rs_presence_link(const char *name, u_char *buf);
static size_t ngx_http_rs_presence_file(const char *name, u_char *buf,
    ngx_log_t *log);
static void ngx_http_rs_presence_renew_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_rs_presence_held(ngx_http_rs_presence_t *pr,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_presence_reply(void *data, rs_err_e rc,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_presence_table(ngx_http_rs_presence_t *pr,
    ngx_rs_reply_t *live);
static int ngx_libc_cdecl ngx_http_rs_presence_cmp(const void *one,
    const void *two);
static ngx_uint_t ngx_http_rs_presence_find(ngx_http_rs_presence_t *pr,
    ngx_str_t *name);
static ngx_uint_t ngx_http_rs_presence_young(ngx_http_rs_presence_t *pr,
    ngx_str_t *name);
static void ngx_http_rs_presence_forget(ngx_http_rs_presence_t *pr);


ngx_http_rs_presence_t *
ngx_http_rs_presence_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_http_rs_presence_t  *pr;

    pr = ngx_calloc(sizeof(ngx_http_rs_presence_t), log);
    if (pr == NULL) {
        return NULL;
    }

    pr->rmcf = rmcf;
    pr->log = log;

    pr->lease.worker = rmcf->self_text;
    pr->lease.node = rmcf->node;
    pr->lease.ttl = rmcf->lease_ttl;
    pr->lease.identity.data = (u_char *) rmcf->identity;
    pr->lease.identity.len = sizeof(rmcf->identity);

    pr->renew.handler = ngx_http_rs_presence_renew_handler;
    pr->renew.data = pr;
    pr->renew.log = log;
    pr->renew.cancelable = 1;

    ngx_rbtree_init(&pr->names, &pr->sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&pr->oldest);

    return pr;
}


/*
 * The kernel's boot, the namespaces and the place of the configuration; not
 * the process, for a reload or an upgrade makes no other node of it.  What
 * cannot be read is left out: the rest tells most machines apart.
 */

void
ngx_http_rs_presence_identify(ngx_http_rs_main_conf_t *rmcf,
    ngx_cycle_t *cycle)
{
    u_char    *p, *buf;
    rs_str_t   text;

    buf = ngx_alloc(3 * (NGX_HTTP_RS_IDENTITY_PART + 1) + cycle->prefix.len
                    + 1 + cycle->conf_file.len, cycle->log);
    if (buf == NULL) {
        return;
    }

    p = buf;
    p += ngx_http_rs_presence_file("/proc/sys/kernel/random/boot_id", p,
                                   cycle->log);
    *p++ = LF;
    p += ngx_http_rs_presence_link("/proc/self/ns/net", p);
    *p++ = LF;
    p += ngx_http_rs_presence_link("/proc/self/ns/mnt", p);
    *p++ = LF;
    p = ngx_cpymem(p, cycle->prefix.data, cycle->prefix.len);
    *p++ = LF;
    p = ngx_cpymem(p, cycle->conf_file.data, cycle->conf_file.len);

    text.data = buf;
    text.len = p - buf;

    if (rs_hash_hex(text, rmcf->identity) != RS_OK) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "rs presence: this node's identity cannot be hashed");
    }

    ngx_free(buf);
}


static size_t
ngx_http_rs_presence_link(const char *name, u_char *buf)
{
    ssize_t  n;

    n = readlink(name, (char *) buf, NGX_HTTP_RS_IDENTITY_PART);

    return n > 0 ? n : 0;
}


static size_t
ngx_http_rs_presence_file(const char *name, u_char *buf, ngx_log_t *log)
{
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, NGX_HTTP_RS_IDENTITY_PART);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", name);
    }

    return n > 0 ? n : 0;
}


void
ngx_http_rs_presence_up(ngx_http_rs_presence_t *pr)
{
    pr->fresh = 1;

    ngx_http_rs_presence_renew_handler(&pr->renew);
}


void
ngx_http_rs_presence_soon(ngx_http_rs_presence_t *pr)
{
    if (!pr->pending && ngx_http_rs_store_ready(pr->rmcf->store)) {
        ngx_add_timer(&pr->renew, NGX_HTTP_RS_PRESENCE_SOON);
    }
}


ngx_uint_t
ngx_http_rs_presence_ready(ngx_http_rs_presence_t *pr)
{
    return pr->held;
}


void
ngx_http_rs_presence_drop(ngx_http_rs_presence_t *pr)
{
    ngx_http_rs_store_op_t  *op;

    if (pr->renew.timer_set) {
        ngx_del_timer(&pr->renew);
    }

    op = ngx_http_rs_store_op(pr->rmcf->store, NULL, NULL);

    if (op) {
        /* refused: the lease runs out by itself */

        (void) ngx_http_rs_store_lease_drop(op, &pr->lease,
                                   ngx_http_rs_reap_walked(pr->rmcf->reap));
    }

    while (pr->nnames) {
        ngx_http_rs_presence_forget(pr);
    }

    if (pr->workers) {
        ngx_free(pr->workers);
    }

    ngx_free(pr);
}


static void
ngx_http_rs_presence_renew_handler(ngx_event_t *ev)
{
    ngx_http_rs_store_op_t  *op;
    ngx_http_rs_presence_t  *pr;

    pr = ev->data;

    if (pr->pending) {
        return;                       /* its reply sets the timer */
    }

    op = ngx_http_rs_store_op(pr->rmcf->store, ngx_http_rs_presence_reply,
                              pr);

    if (op == NULL
        || ngx_http_rs_store_lease(op, &pr->lease, pr->call + 1,
                                   ngx_http_rs_reap_walked(pr->rmcf->reap))
           != NGX_OK)
    {
        ngx_add_timer(&pr->renew, NGX_HTTP_RS_PRESENCE_RETRY);
        return;
    }

    if (pr->renew.timer_set) {
        ngx_del_timer(&pr->renew);
    }

    pr->pending = 1;
    pr->call++;
}


static void
ngx_http_rs_presence_reply(void *data, rs_err_e rc, ngx_rs_reply_t *reply)
{
    ngx_http_rs_presence_t *pr = data;

    ngx_str_t   dead;
    ngx_msec_t  delay;

    pr->pending = 0;

    if (rc != RS_OK || !ngx_http_rs_presence_held(pr, reply)) {
        ngx_add_timer(&pr->renew, NGX_HTTP_RS_PRESENCE_RETRY);
        return;
    }

    ngx_http_rs_bus_expect(pr->rmcf->bus, pr->call);

    if (ngx_http_rs_presence_table(pr, ngx_rs_reply_at(reply, 2)) != NGX_OK) {
        ngx_add_timer(&pr->renew, NGX_HTTP_RS_PRESENCE_RETRY);
        return;
    }

    pr->answered = pr->call;

    if (pr->renewed
        && ngx_current_msec - pr->renewed > pr->rmcf->lease_ttl)
    {
        ngx_http_rs_count(pr->rmcf, NGX_HTTP_RS_STAT_LEASE_LOST);
    }

    pr->renewed = ngx_current_msec;
    ngx_http_rs_gauge_set(pr->rmcf, NGX_HTTP_RS_GAUGE_LEASE, pr->renewed);

    if (pr->wanted > pr->answered) {
        delay = NGX_HTTP_RS_PRESENCE_SOON;

    } else {
        /* up to a tenth earlier, so that workers spread out */

        delay = pr->rmcf->lease_ttl / 3;
        delay -= ngx_random() % (delay / 10 + 1);
    }

    ngx_add_timer(&pr->renew, delay);

    dead = ngx_rs_reply_str(reply, 4);
    ngx_http_rs_reap_claim(pr->rmcf->reap, &dead, ngx_rs_reply_int(reply, 5));
}


static ngx_uint_t
ngx_http_rs_presence_held(ngx_http_rs_presence_t *pr, ngx_rs_reply_t *reply)
{
    ngx_str_t                 word;
    ngx_uint_t                level;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = pr->rmcf;
    word = ngx_rs_reply_str(reply, 3);

    if (rs_str_eq(ngx_http_rs_slice(&word), RS_STR("node_taken"))) {

        level = pr->told ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, pr->log, 0,
                      "rs presence: another node is live under the name "
                      "\"%V\": give one of the two another \"rs_node\"; "
                      "nothing is served here until then", &rmcf->node);
        pr->held = 0;
        pr->told = 1;

        return 0;
    }

    if (pr->told) {
        ngx_log_error(NGX_LOG_NOTICE, pr->log, 0,
                      "rs presence: the name \"%V\" is this node's now",
                      &rmcf->node);
    }

    if (!pr->fresh && rs_str_eq(ngx_http_rs_slice(&word), RS_STR("taken"))) {

        ngx_log_error(NGX_LOG_WARN, pr->log, 0,
                      "rs presence: this worker was called dead, it could "
                      "not renew its lease");

        ngx_http_rs_reap_up(rmcf->reap);
        ngx_http_rs_device_announce(rmcf);
        ngx_http_rs_session_catch_up(rmcf);
    }

    pr->held = 1;
    pr->told = 0;
    pr->fresh = 0;

    return 1;
}


static ngx_int_t
ngx_http_rs_presence_table(ngx_http_rs_presence_t *pr, ngx_rs_reply_t *live)
{
    size_t                          size;
    u_char                         *p;
    ngx_str_t                       name;
    ngx_uint_t                      i, n;
    ngx_http_rs_presence_worker_t  *workers;

    n = ngx_rs_reply_count(live);
    size = n * sizeof(ngx_http_rs_presence_worker_t) + 1;

    for (i = 0; i < n; i++) {
        name = ngx_rs_reply_str(live, i);
        size += name.len;
    }

    workers = ngx_alloc(size, pr->log);
    if (workers == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) &workers[n];

    for (i = 0; i < n; i++) {
        name = ngx_rs_reply_str(live, i);

        workers[i].name.data = p;
        workers[i].name.len = name.len;
        p = ngx_cpymem(p, name.data, name.len);
    }

    ngx_qsort(workers, n, sizeof(ngx_http_rs_presence_worker_t),
              ngx_http_rs_presence_cmp);

    if (pr->workers) {
        ngx_free(pr->workers);
    }

    pr->workers = workers;
    pr->nworkers = n;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_rs_presence_cmp(const void *one, const void *two)
{
    const ngx_http_rs_presence_worker_t  *a = one;
    const ngx_http_rs_presence_worker_t  *b = two;

    return (int) ngx_memn2cmp(a->name.data, b->name.data, a->name.len,
                              b->name.len);
}


ngx_uint_t
ngx_http_rs_presence_live(ngx_http_rs_presence_t *pr, ngx_str_t *address)
{
    char       text[RS_ADDR_MAX];
    rs_addr_t  addr;
    ngx_str_t  name;

    if (rs_addr_parse(ngx_http_rs_slice(address), &addr) != RS_OK) {
        return 0;
    }

    if (rs_addr_same_worker(&addr, &pr->rmcf->self)) {
        return 1;
    }

    addr.conn = 0;

    name.data = (u_char *) text;
    name.len = rs_addr_format(&addr, text, sizeof(text));

    return ngx_http_rs_presence_find(pr, &name)
           || ngx_http_rs_presence_young(pr, &name);
}


static ngx_uint_t
ngx_http_rs_presence_find(ngx_http_rs_presence_t *pr, ngx_str_t *name)
{
    ngx_int_t                       rc;
    ngx_uint_t                      low, high, middle;
    ngx_http_rs_presence_worker_t  *worker;

    low = 0;
    high = pr->nworkers;

    while (low < high) {
        middle = low + (high - low) / 2;
        worker = &pr->workers[middle];

        rc = ngx_memn2cmp(name->data, worker->name.data, name->len,
                          worker->name.len);
        if (rc == 0) {
            return 1;
        }

        if (rc < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_rs_presence_young(ngx_http_rs_presence_t *pr, ngx_str_t *name)
{
    uint32_t                      hash;
    ngx_http_rs_presence_name_t  *seen;

    hash = ngx_crc32_short(name->data, name->len);

    seen = (ngx_http_rs_presence_name_t *)
               ngx_str_rbtree_lookup(&pr->names, name, hash);

    if (seen) {

        if (pr->answered < seen->call) {
            return 1;
        }

        /* it was not live then, and may be back */

        if (ngx_current_msec - pr->renewed >= NGX_HTTP_RS_PRESENCE_RETRY) {
            ngx_http_rs_presence_soon(pr);
        }

        return 0;
    }

    if (pr->nnames == NGX_HTTP_RS_PRESENCE_NAMES) {
        ngx_http_rs_presence_forget(pr);
    }

    seen = ngx_alloc(sizeof(ngx_http_rs_presence_name_t) + name->len,
                     pr->log);
    if (seen == NULL) {
        return 1;
    }

    ngx_memcpy(seen->name, name->data, name->len);

    seen->sn.node.key = hash;
    seen->sn.str.data = seen->name;
    seen->sn.str.len = name->len;

    /* a call under way may have been carried out before the name was read */

    seen->call = pr->call + 1;

    ngx_rbtree_insert(&pr->names, &seen->sn.node);
    ngx_queue_insert_tail(&pr->oldest, &seen->queue);
    pr->nnames++;

    pr->wanted = seen->call;

    if (!pr->pending && ngx_http_rs_store_ready(pr->rmcf->store)) {
        ngx_add_timer(&pr->renew, NGX_HTTP_RS_PRESENCE_SOON);
    }

    return 1;
}


static void
ngx_http_rs_presence_forget(ngx_http_rs_presence_t *pr)
{
    ngx_queue_t                  *q;
    ngx_http_rs_presence_name_t  *seen;

    q = ngx_queue_head(&pr->oldest);
    ngx_queue_remove(q);

    seen = ngx_queue_data(q, ngx_http_rs_presence_name_t, queue);

    ngx_rbtree_delete(&pr->names, &seen->sn.node);
    ngx_free(seen);

    pr->nnames--;
}
