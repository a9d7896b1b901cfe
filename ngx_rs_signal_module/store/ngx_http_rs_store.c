
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store: the command link, the check of the library behind it, operations,
 * and the verbs of sockets; those of REST are in ngx_http_rs_store_rest.c and
 * ngx_http_rs_store_tenant.c, those of presence and duties in
 * ngx_http_rs_store_duties.c, those of TURN in ngx_http_rs_store_turn.c, what
 * all of them are made of in ngx_http_rs_store_call.c.
 *
 * Usable means more than connected: each time the link comes up, and whenever
 * Redis says that it does not know a function, the version of the library is
 * asked for; until one that serves ours answers, every verb returns NGX_BUSY.
 *
 * An operation is allocated by itself and belongs to the link while its
 * command is under way.  The caller may go first (detach), the link may go
 * first (reply NULL), the process may go first (destroy drops what is owed).
 *
 * What must not come back to life after a failover goes over a link of its
 * own (ngx_http_rs_store_durable.c), when "rs_redis_wait" wants that.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


#define NGX_HTTP_RS_STORE_CHECK      1000    /* ms between two checks */
#define NGX_HTTP_RS_STORE_ERROR_LEN  256     /* of Redis' words in a log */

#define NGX_HTTP_RS_STORE_CHANNEL    "rs:w:"


/* Redis' own errors that pass by themselves, and what they ask for besides */

typedef struct {
    ngx_str_t                       prefix;
    ngx_uint_t                      flags;
} ngx_http_rs_store_error_t;


static void ngx_http_rs_store_link_state(void *data, ngx_uint_t up);
static void ngx_http_rs_store_check_handler(ngx_event_t *ev);
static rs_schema_e ngx_http_rs_store_schema(ngx_rs_reply_t *reply,
    rs_schema_t *schema);
static void ngx_http_rs_store_check_reply(void *data, ngx_rs_reply_t *reply);
static void ngx_http_rs_store_probe(void *data);
static void ngx_http_rs_store_slow(void *data, ngx_uint_t slow);
static void ngx_http_rs_store_probe_reply(void *data, ngx_rs_reply_t *reply);
static void ngx_http_rs_store_not_ready(ngx_http_rs_store_t *store);
static const ngx_http_rs_store_error_t *ngx_http_rs_store_error(
    ngx_str_t *text);
static void ngx_http_rs_store_unlink(ngx_http_rs_store_op_t *op,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_store_measure(ngx_http_rs_store_op_t *op,
    rs_err_e rc);
static void ngx_http_rs_store_free(ngx_http_rs_store_op_t *op);
static void ngx_http_rs_store_member_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_member_t *m);
static void ngx_http_rs_store_published(void *data, ngx_rs_reply_t *reply);


static const ngx_http_rs_store_error_t  ngx_http_rs_store_errors[] = {
    { ngx_string("LOADING "), 0 },
    { ngx_string("MASTERDOWN "), 0 },
    { ngx_string("OOM "), 0 },
    { ngx_string("BUSY "), 0 },
    { ngx_string("MISCONF "), 0 },
    { ngx_string("NOREPLICAS "), 0 },
    { ngx_string("CLUSTERDOWN "), 0 },
    { ngx_string("TRYAGAIN "), 0 },
    { ngx_string("READONLY "), NGX_HTTP_RS_STORE_RESET },
    { ngx_string("NOAUTH "), NGX_HTTP_RS_STORE_RESET },
    { ngx_string("ERR Function not found"), NGX_HTTP_RS_STORE_NO_LIBRARY },
    { ngx_null_string, 0 }
};


ngx_http_rs_store_t *
ngx_http_rs_store_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    ngx_rs_redis_state_pt state, void *data)
{
    ngx_http_rs_store_t  *store;

    store = ngx_calloc(sizeof(ngx_http_rs_store_t), log);
    if (store == NULL) {
        return NULL;
    }

    store->rmcf = rmcf;
    store->log = log;
    store->worker = &rmcf->self_text;
    store->state = state;
    store->data = data;
    store->publish_max = rmcf->redis.inflight / 2;

    store->check.handler = ngx_http_rs_store_check_handler;
    store->check.data = store;
    store->check.log = log;
    store->check.cancelable = 1;

    /* the other half is for sockets */

    store->rest_max = (rmcf->redis.inflight + 1) / 2;

    store->redis = ngx_rs_redis_create(&rmcf->redis, log,
                                       ngx_http_rs_store_link_state, store);
    if (store->redis == NULL) {
        ngx_free(store);
        return NULL;
    }

    ngx_rs_redis_breaker(store->redis, ngx_http_rs_store_probe,
                         ngx_http_rs_store_slow);

    if (rmcf->redis.wait_replicas) {
        store->durable = ngx_http_rs_durable_create(store, &rmcf->redis);

        if (store->durable == NULL) {
            ngx_http_rs_store_destroy(store);
            return NULL;
        }
    }

    return store;
}


void
ngx_http_rs_store_destroy(ngx_http_rs_store_t *store)
{
    store->closing = 1;
    store->ready = 0;

    if (store->check.timer_set) {
        ngx_del_timer(&store->check);
    }

    ngx_rs_redis_destroy(store->redis);

    if (store->durable) {
        ngx_http_rs_durable_destroy(store->durable);
    }

    if (store->tenants) {
        ngx_free(store->tenants);
    }

    ngx_free(store);
}


ngx_uint_t
ngx_http_rs_store_ready(ngx_http_rs_store_t *store)
{
    return store->ready;
}


ngx_uint_t
ngx_http_rs_store_admits(ngx_http_rs_store_t *store)
{
    return store->ready
           && !ngx_rs_redis_refusing(store->redis)
           && (store->durable == NULL
               || ngx_http_rs_durable_up(store->durable));
}


static void
ngx_http_rs_store_link_state(void *data, ngx_uint_t up)
{
    ngx_http_rs_store_t *store = data;

    if (up) {
        store->told = 0;
        ngx_http_rs_store_check_handler(&store->check);
        return;
    }

    if (store->check.timer_set) {
        ngx_del_timer(&store->check);
    }

    ngx_http_rs_store_not_ready(store);
}


static void
ngx_http_rs_store_not_ready(ngx_http_rs_store_t *store)
{
    ngx_http_rs_store_tenants_lost(store);

    if (store->ready) {
        store->ready = 0;
        ngx_http_rs_gauge_set(store->rmcf, NGX_HTTP_RS_GAUGE_REDIS, 0);
        store->state(store->data, 0);
    }
}


static void
ngx_http_rs_store_check_handler(ngx_event_t *ev)
{
    ngx_http_rs_store_t  *store;

    static ngx_str_t  words[] = {
        ngx_string("FCALL_RO"), ngx_string("rs_version"), ngx_string("0")
    };

    store = ev->data;

    if (ngx_rs_redis_command(store->redis, 3, words,
                             ngx_http_rs_store_check_reply, store)
        != NGX_OK)
    {
        ngx_add_timer(&store->check, NGX_HTTP_RS_STORE_CHECK);
    }
}


static rs_schema_e
ngx_http_rs_store_schema(ngx_rs_reply_t *reply, rs_schema_t *schema)
{
    ngx_str_t  version, serves;

    version = ngx_rs_reply_str(reply, 1);
    serves = ngx_rs_reply_str(reply, 2);

    return rs_schema_check(schema,
                           (rs_str_t) { version.data, version.len },
                           (rs_str_t) { serves.data, serves.len }, RS_SCHEMA);
}


static void
ngx_http_rs_store_check_reply(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_t *store = data;

    u_char                            buf[RS_SCHEMA_TEXT];
    rs_buf_t                          b;
    ngx_str_t                         text;
    ngx_uint_t                        level;
    rs_schema_t                       schema;
    rs_schema_e                       rc;
    const ngx_http_rs_store_error_t  *e;

    if (reply == NULL || store->closing) {
        return;                      /* the link's next "up" asks again */
    }

    rc = ngx_http_rs_store_schema(reply, &schema);

    if (rc == RS_SCHEMA_OK) {
        store->told = 0;
        ngx_http_rs_store_probe(store);
        return;
    }

    level = store->told ? NGX_LOG_INFO : NGX_LOG_ERR;
    store->told = 1;

    if (!ngx_rs_reply_error(reply, &text)) {
        rs_buf_init(&b, buf, sizeof(buf));
        rs_schema_text(&b, rc, &schema, RS_SCHEMA);

        ngx_log_error(level, store->log, 0, "rs store: %*s", b.len, buf);

    } else if ((e = ngx_http_rs_store_error(&text)) != NULL
               && (e->flags & NGX_HTTP_RS_STORE_NO_LIBRARY))
    {
        ngx_log_error(level, store->log, 0,
                      "rs store: Redis has no library \"rs\", version %ui is "
                      "needed: load it with \"redis-schema/load\"",
                      (ngx_uint_t) RS_SCHEMA);

    } else {
        text.len = ngx_min(text.len, NGX_HTTP_RS_STORE_ERROR_LEN);

        ngx_log_error(level, store->log, 0,
                      "rs store: the version of the library \"rs\" cannot "
                      "be read: \"%V\"", &text);
    }

    ngx_add_timer(&store->check, NGX_HTTP_RS_STORE_CHECK);
}


/*
 * A server whose writes are held up (CLIENT PAUSE, a failover that Redis
 * coordinates) reads and answers INFO all the same.  PUBLISH is held up like
 * a write and changes nothing; nobody listens to that channel.
 */

static void
ngx_http_rs_store_probe(void *data)
{
    ngx_http_rs_store_t *store = data;

    static ngx_str_t  words[] = {
        ngx_string("PUBLISH"),
        ngx_string(NGX_HTTP_RS_STORE_CHANNEL "probe"),
        ngx_string("")
    };

    if (ngx_rs_redis_urgent(store->redis, 3, words,
                            ngx_http_rs_store_probe_reply, store)
        != NGX_OK
        && !store->ready)
    {
        ngx_add_timer(&store->check, NGX_HTTP_RS_STORE_CHECK);
    }
}


static void
ngx_http_rs_store_probe_reply(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_t *store = data;

    /* an error is an answer too: each call will get its own */

    if (reply == NULL || store->closing || store->ready) {
        return;
    }

    store->ready = 1;
    ngx_http_rs_gauge_set(store->rmcf, NGX_HTTP_RS_GAUGE_REDIS, 1);
    ngx_http_rs_count(store->rmcf, NGX_HTTP_RS_STAT_REDIS_CONNECT);
    ngx_http_rs_store_tenants_again(store);
    store->state(store->data, 1);
}


static void
ngx_http_rs_store_slow(void *data, ngx_uint_t slow)
{
    ngx_http_rs_store_t *store = data;

    ngx_http_rs_gauge_set(store->rmcf, NGX_HTTP_RS_GAUGE_REDIS_SLOW, slow);
}


ngx_http_rs_store_op_t *
ngx_http_rs_store_op(ngx_http_rs_store_t *store,
    ngx_http_rs_store_handler_pt handler, void *data)
{
    ngx_http_rs_store_op_t  *op;

    op = ngx_calloc(sizeof(ngx_http_rs_store_op_t), store->log);
    if (op == NULL) {
        return NULL;
    }

    op->store = store;
    op->handler = handler;
    op->data = data;

    return op;
}


void
ngx_http_rs_store_detach(ngx_http_rs_store_op_t *op)
{
    op->handler = NULL;
    op->data = NULL;
}


void
ngx_http_rs_store_rest(ngx_http_rs_store_op_t *op)
{
    op->rest = 1;
}


static void
ngx_http_rs_store_free(ngx_http_rs_store_op_t *op)
{
    if (op->tenant.data) {
        ngx_free(op->tenant.data);
    }

    ngx_free(op);
}


ngx_int_t
ngx_http_rs_store_refuse(ngx_http_rs_store_op_t *op)
{
    ngx_http_rs_count(op->store->rmcf, NGX_HTTP_RS_STAT_REDIS_REFUSED);

    ngx_http_rs_store_free(op);

    return NGX_BUSY;
}


void
ngx_http_rs_store_reply(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_op_t *op = data;

    rs_err_e              rc;
    ngx_uint_t            flags;
    ngx_http_rs_store_t  *store;

    store = op->store;

    rc = ngx_http_rs_store_status(store, reply, &flags);

    if (rc != RS_OK || !ngx_http_rs_store_list_first(op, reply)) {
        ngx_http_rs_store_tell(op, rc, reply);
    }

    ngx_http_rs_store_act(store, store->redis, flags);
}


void
ngx_http_rs_store_tell(ngx_http_rs_store_op_t *op, rs_err_e rc,
    ngx_rs_reply_t *reply)
{
    /* the handler's own calls find the place free */

    if (op->counted) {
        op->store->nrest--;
    }

    if (op->store->closing) {
        ngx_http_rs_store_free(op);
        return;
    }

    ngx_http_rs_store_measure(op, rc);

    if (op->tenant.len && (rc == RS_OK || rc == RS_E_UNCERTAIN)) {
        ngx_http_rs_store_unlink(op, reply);
    }

    if (op->handler) {
        op->handler(op->data, rc, rc == RS_E_UNAVAILABLE ? NULL : reply);
    }

    ngx_http_rs_store_free(op);
}


void
ngx_http_rs_store_act(ngx_http_rs_store_t *store, ngx_rs_redis_t *redis,
    ngx_uint_t flags)
{
    if (flags & NGX_HTTP_RS_STORE_RESET) {
        ngx_rs_redis_reset(redis, "it takes no more writes from us");
    }

    if ((flags & NGX_HTTP_RS_STORE_NO_LIBRARY) && store->ready) {
        ngx_http_rs_store_not_ready(store);
        ngx_http_rs_store_check_handler(&store->check);
    }
}


rs_err_e
ngx_http_rs_store_status(ngx_http_rs_store_t *store, ngx_rs_reply_t *reply,
    ngx_uint_t *flags)
{
    rs_err_e                          rc;
    ngx_str_t                         text;
    ngx_uint_t                        level;
    const ngx_http_rs_store_error_t  *e;

    *flags = 0;

    if (reply == NULL) {
        return RS_E_UNAVAILABLE;
    }

    if (!ngx_rs_reply_error(reply, &text)) {
        text = ngx_rs_reply_str(reply, 0);
        rc = rs_err_by_code(ngx_http_rs_slice(&text));

        if (rc != RS_E_INTERNAL) {
            return rc;
        }
    }

    rc = RS_E_INTERNAL;
    e = ngx_http_rs_store_error(&text);

    if (e) {
        rc = RS_E_UNAVAILABLE;
        *flags = e->flags;
    }

    level = (store->logged == ngx_time()) ? NGX_LOG_INFO : NGX_LOG_ERR;
    store->logged = ngx_time();

    text.len = ngx_min(text.len, NGX_HTTP_RS_STORE_ERROR_LEN);

    ngx_log_error(level, store->log, 0,
                  "rs store: a call ended with \"%V\"", &text);

    return rc;
}


/* NULL: an error that does not pass by itself */

static const ngx_http_rs_store_error_t *
ngx_http_rs_store_error(ngx_str_t *text)
{
    const ngx_http_rs_store_error_t  *e;

    for (e = ngx_http_rs_store_errors; e->prefix.len; e++) {

        if (text->len >= e->prefix.len
            && ngx_memcmp(text->data, e->prefix.data, e->prefix.len) == 0)
        {
            return e;
        }
    }

    return NULL;
}


static void
ngx_http_rs_store_measure(ngx_http_rs_store_op_t *op, rs_err_e rc)
{
    ngx_msec_t                ms;
    ngx_uint_t                i;
    ngx_http_rs_main_conf_t  *rmcf;

    static const ngx_uint_t  bounds[] = NGX_HTTP_RS_REDIS_BOUNDS;

    rmcf = op->store->rmcf;
    ms = ngx_current_msec - op->sent;

    ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_INFLIGHT, -1);

    if (rc == RS_E_UNAVAILABLE) {
        ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_REDIS_LOST);
        return;
    }

    if (rc == RS_E_UNCERTAIN) {
        ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_REDIS_UNCERTAIN);
    }

    for (i = 0; i < NGX_HTTP_RS_REDIS_NBOUNDS && ms > bounds[i]; i++) {
        /* void */
    }

    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_REDIS_TIME + i);
    ngx_http_rs_add(rmcf, NGX_HTTP_RS_STAT_REDIS_MS, ms);
}


/* the session ended: it leaves the lists of its device and its user */

static void
ngx_http_rs_store_unlink(ngx_http_rs_store_op_t *op, ngx_rs_reply_t *reply)
{
    ngx_str_t                  word, device_id, user_id;
    ngx_http_rs_store_op_t    *unlink;
    ngx_http_rs_store_call_t   call;

    word = ngx_rs_reply_str(reply, 1);
    device_id = ngx_rs_reply_str(reply, 2);
    user_id = ngx_rs_reply_str(reply, 3);

    if (word.len != 5 || ngx_memcmp(word.data, "ended", 5) != 0) {
        return;
    }

    ngx_http_rs_count(op->store->rmcf, NGX_HTTP_RS_STAT_SESSION_ENDED);

    /* without a device, but somebody's */

    if (device_id.len == 0 && user_id.len == 0) {
        return;
    }

    unlink = ngx_http_rs_store_op(op->store, NULL, NULL);
    if (unlink == NULL) {
        return;
    }

    ngx_http_rs_store_begin(&call, unlink, "rs_device_unlink", 0);
    ngx_http_rs_store_key(&call, &op->tenant, "dses", &device_id);
    ngx_http_rs_store_key(&call, &op->tenant, "uses", &user_id);
    ngx_http_rs_store_arg(&call, &op->session_id);

    /* refused: the entry goes when the session's time is over */

    (void) ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_unlinks(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *session_id)
{
    u_char  *p;

    p = ngx_alloc(tenant->len + session_id->len + 1, op->store->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    op->tenant.data = p;
    op->tenant.len = tenant->len;
    op->session_id.data = ngx_cpymem(p, tenant->data, tenant->len);
    op->session_id.len = session_id->len;

    ngx_memcpy(op->session_id.data, session_id->data, session_id->len);

    return NGX_OK;
}


/* sockets */

/* ses, par, mem, log */

static void
ngx_http_rs_store_member_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_member_t *m)
{
    ngx_http_rs_store_key(call, &m->tenant, "ses", &m->session_id);
    ngx_http_rs_store_key(call, &m->tenant, "par", &m->session_id);
    ngx_http_rs_store_key(call, &m->tenant, "mem", &m->session_id);
    ngx_http_rs_store_key(call, &m->tenant, "log", &m->session_id);
}


ngx_int_t
ngx_http_rs_store_join(ngx_http_rs_store_op_t *op, ngx_str_t *ticket_hash,
    ngx_str_t *bound_hash, ngx_http_rs_member_t *m, ngx_str_t *resume_hash)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_join", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &m->tenant, "tkt", ticket_hash);
    ngx_http_rs_store_member_keys(&call, m);
    ngx_http_rs_store_own_key(&call, &m->tenant);
    ngx_http_rs_store_key(&call, &m->tenant, "tkt", bound_hash);
    ngx_http_rs_store_index(&call, &m->tenant, "audit");

    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg(&call, resume_hash);
    ngx_http_rs_store_arg_number(&call, m->log_size);
    ngx_http_rs_store_arg_number(&call, m->grace);
    ngx_http_rs_store_arg(&call, &m->addr);
    ngx_http_rs_store_arg(&call, &m->rid);
    ngx_http_rs_store_arg_number(&call, m->recorder_grace);
    ngx_http_rs_store_arg_number(&call, m->recorder_wait);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_resume(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    ngx_str_t *old_hash, ngx_str_t *new_hash, ngx_str_t *position)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_resume", 0);

    ngx_http_rs_store_member_keys(&call, m);
    ngx_http_rs_store_own_key(&call, &m->tenant);

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, old_hash);
    ngx_http_rs_store_arg(&call, new_hash);
    ngx_http_rs_store_arg(&call, position);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_number(&call, m->log_size);
    ngx_http_rs_store_arg_number(&call, m->grace);
    ngx_http_rs_store_arg_number(&call, m->recorder_grace);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_sync(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    ngx_str_t *position, ngx_uint_t count, uint64_t epoch)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_sync", 0);

    ngx_http_rs_store_member_keys(&call, m);
    ngx_http_rs_store_own_key(&call, &m->tenant);

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg(&call, position);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_number(&call, m->grace);
    ngx_http_rs_store_arg_number(&call, count);
    ngx_http_rs_store_arg_number(&call, epoch);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_append(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    uint64_t id, uint64_t epoch, ngx_str_t *to, ngx_str_t *body)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_append", 0);

    ngx_http_rs_store_key(&call, &m->tenant, "ses", &m->session_id);
    ngx_http_rs_store_key(&call, &m->tenant, "mem", &m->session_id);
    ngx_http_rs_store_key(&call, &m->tenant, "log", &m->session_id);

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg_number(&call, id);
    ngx_http_rs_store_arg(&call, to);
    ngx_http_rs_store_arg(&call, body);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_number(&call, m->log_size);
    ngx_http_rs_store_arg_number(&call, epoch);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_state(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    ngx_str_t *path)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_state", 0);

    ngx_http_rs_store_member_keys(&call, m);

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg(&call, path);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_number(&call, m->log_size);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_control(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    ngx_str_t *what, ngx_str_t *to)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_control", 0);

    ngx_http_rs_store_member_keys(&call, m);

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg(&call, what);
    ngx_http_rs_store_arg(&call, to);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_number(&call, m->log_size);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_leave(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    const char *mode)
{
    ngx_http_rs_store_call_t  call;

    if (ngx_http_rs_store_unlinks(op, &m->tenant, &m->session_id) != NGX_OK) {
        return ngx_http_rs_store_refuse(op);
    }

    ngx_http_rs_store_begin(&call, op, "rs_leave", 0);

    ngx_http_rs_store_member_keys(&call, m);
    ngx_http_rs_store_own_key(&call, &m->tenant);
    ngx_http_rs_store_index(&call, &m->tenant, "turn");
    ngx_http_rs_store_index(&call, &m->tenant, "trev");
    ngx_http_rs_store_index(&call, &m->tenant, "svcs");
    ngx_http_rs_store_index(&call, &m->tenant, "rses");

    ngx_http_rs_store_arg(&call, &m->participant_id);
    ngx_http_rs_store_arg(&call, &m->address);
    ngx_http_rs_store_arg_text(&call, mode);
    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg_number(&call, m->log_size);
    ngx_http_rs_store_arg_number(&call, m->grace);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_range(ngx_http_rs_store_op_t *op, ngx_http_rs_member_t *m,
    ngx_str_t *position, ngx_uint_t count)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_range", 1);

    ngx_http_rs_store_key(&call, &m->tenant, "ses", &m->session_id);
    ngx_http_rs_store_key(&call, &m->tenant, "log", &m->session_id);

    ngx_http_rs_store_arg(&call, position);
    ngx_http_rs_store_arg_number(&call, count);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_route(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *session_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_route", 1);

    ngx_http_rs_store_key(&call, tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, tenant, "mem", session_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_online(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_str_t *agent, int64_t epoch)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_device_online", 0);

    /*
     * A socket's own hello decides about all announcements to come: as long
     * as that is not forgotten, they need not be confirmed.
     */

    if (epoch == 0) {
        ngx_http_rs_store_durable(&call, 0);
    }

    ngx_http_rs_store_key(&call, tenant, "dev", device_id);
    ngx_http_rs_store_key(&call, tenant, "dses", device_id);
    ngx_http_rs_store_own_key(&call, tenant);
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg(&call, agent);

    if (epoch) {
        ngx_http_rs_store_arg_number(&call, epoch);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_offline(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_uint_t leaving)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_device_offline", 0);

    ngx_http_rs_store_key(&call, tenant, "dev", device_id);
    ngx_http_rs_store_own_key(&call, tenant);
    ngx_http_rs_store_index(&call, tenant, "svcs");
    ngx_http_rs_store_key(&call, tenant, "dses", device_id);
    ngx_http_rs_store_index(&call, tenant, "rses");

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg_text(&call, leaving ? "leaving" : "");

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_consent(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *participant_id,
    ngx_str_t *what, ngx_str_t *device_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_session_consent", 0);

    ngx_http_rs_store_key(&call, tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, tenant, "mem", session_id);
    ngx_http_rs_store_key(&call, tenant, "log", session_id);
    ngx_http_rs_store_index(&call, tenant, "audit");

    ngx_http_rs_store_arg(&call, participant_id);
    ngx_http_rs_store_arg(&call, what);
    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg_replid(&call);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_invite(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_str_t *device_id, ngx_str_t *address,
    ngx_str_t *name, ngx_str_t *ticket_hash, time_t ticket_ttl)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_invite", 0);

    ngx_http_rs_store_key(&call, tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, tenant, "par", session_id);
    ngx_http_rs_store_key(&call, tenant, "mem", session_id);
    ngx_http_rs_store_key(&call, tenant, "dses", device_id);
    ngx_http_rs_store_key(&call, tenant, "tkt", ticket_hash);
    ngx_http_rs_store_index(&call, tenant, "rses");

    ngx_http_rs_store_arg(&call, address);
    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg_number(&call, ticket_ttl);
    ngx_http_rs_store_arg(&call, name);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_channel(ngx_pool_t *pool, ngx_str_t *worker,
    ngx_str_t *channel)
{
    channel->data = ngx_pnalloc(pool, sizeof(NGX_HTTP_RS_STORE_CHANNEL) - 1
                                      + worker->len);
    if (channel->data == NULL) {
        return NGX_ERROR;
    }

    channel->len = ngx_sprintf(channel->data, NGX_HTTP_RS_STORE_CHANNEL "%V",
                               worker)
                   - channel->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_store_publish(ngx_http_rs_store_t *store, rs_addr_t *worker,
    ngx_str_t *envelope)
{
    u_char     channel[sizeof(NGX_HTTP_RS_STORE_CHANNEL) - 1 + RS_ADDR_MAX];
    u_char    *p;
    rs_addr_t  addr;
    ngx_str_t  words[3];

    if (!store->ready
        || ngx_rs_redis_pending(store->redis) >= store->publish_max)
    {
        return NGX_BUSY;
    }

    addr = *worker;
    addr.conn = 0;

    p = ngx_cpymem(channel, NGX_HTTP_RS_STORE_CHANNEL,
                   sizeof(NGX_HTTP_RS_STORE_CHANNEL) - 1);
    p += rs_addr_format(&addr, (char *) p, RS_ADDR_MAX);

    ngx_str_set(&words[0], "PUBLISH");
    words[1].data = channel;
    words[1].len = p - channel;
    words[2] = *envelope;

    return ngx_rs_redis_command(store->redis, 3, words,
                                ngx_http_rs_store_published, store);
}


static void
ngx_http_rs_store_published(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_t *store = data;

    ngx_str_t  text;

    if (reply && ngx_rs_reply_error(reply, &text)) {
        text.len = ngx_min(text.len, NGX_HTTP_RS_STORE_ERROR_LEN);

        ngx_log_error(NGX_LOG_INFO, store->log, 0,
                      "rs store: PUBLISH ended with \"%V\"", &text);
    }
}
