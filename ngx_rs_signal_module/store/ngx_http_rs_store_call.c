
/*
 * Copyright (C) rs-gateway contributors
 *
 * Putting a call of a library function together, and sending it over the link
 * it belongs to.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


static ngx_str_t *ngx_http_rs_store_word(ngx_http_rs_store_call_t *call);
static u_char *ngx_http_rs_store_text(ngx_http_rs_store_call_t *call,
    size_t size);
static void ngx_http_rs_store_caller(ngx_http_rs_store_call_t *call);
static void ngx_http_rs_store_user(rs_buf_t *b, ngx_http_rs_caller_t *caller);
static void ngx_http_rs_store_field(rs_buf_t *b, const char *name,
    ngx_str_t *value);
static void ngx_http_rs_store_verbs(rs_buf_t *b, const char *name,
    uint32_t verbs);


void
ngx_http_rs_store_begin(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_op_t *op, const char *function, ngx_uint_t ro)
{
    call->op = op;
    call->durable = 0;
    call->urgent = (ngx_strncmp(function, "rs_lease", 8) == 0);
    call->nkeys = 0;
    call->nwords = 0;
    call->overflow = 0;
    call->last = call->text;
    call->caller = NULL;

    ngx_http_rs_store_arg_text(call, ro ? "FCALL_RO" : "FCALL");
    ngx_http_rs_store_arg_text(call, function);
    ngx_http_rs_store_arg_text(call, "");             /* number of keys */
}


void
ngx_http_rs_store_durable(ngx_http_rs_store_call_t *call, ngx_uint_t gone)
{
    if (call->op->store->durable) {
        call->durable = 1;
        call->op->gone = gone;
    }
}


static ngx_str_t *
ngx_http_rs_store_word(ngx_http_rs_store_call_t *call)
{
    if (call->nwords == NGX_HTTP_RS_STORE_WORDS) {
        call->overflow = 1;
        return NULL;
    }

    return &call->words[call->nwords++];
}


static u_char *
ngx_http_rs_store_text(ngx_http_rs_store_call_t *call, size_t size)
{
    u_char  *p;

    if (size > (size_t) (call->text + NGX_HTTP_RS_STORE_TEXT - call->last)) {
        call->overflow = 1;
        return NULL;
    }

    p = call->last;
    call->last += size;

    return p;
}


void
ngx_http_rs_store_key(ngx_http_rs_store_call_t *call, ngx_str_t *tenant,
    const char *kind, ngx_str_t *id)
{
    u_char     *p;
    ngx_str_t  *word;

    word = ngx_http_rs_store_word(call);

    p = ngx_http_rs_store_text(call, sizeof("rs:{}::") - 1 + tenant->len
                                     + ngx_strlen(kind) + id->len);
    if (word == NULL || p == NULL) {
        return;
    }

    word->data = p;
    word->len = ngx_sprintf(p, "rs:{%V}:%s:%V", tenant, kind, id) - p;

    call->nkeys++;
}


void
ngx_http_rs_store_index(ngx_http_rs_store_call_t *call, ngx_str_t *tenant,
    const char *kind)
{
    u_char     *p;
    ngx_str_t  *word;

    word = ngx_http_rs_store_word(call);

    p = ngx_http_rs_store_text(call, sizeof("rs:{}:") - 1 + tenant->len
                                     + ngx_strlen(kind));
    if (word == NULL || p == NULL) {
        return;
    }

    word->data = p;
    word->len = ngx_sprintf(p, "rs:{%V}:%s", tenant, kind) - p;

    call->nkeys++;
}


void
ngx_http_rs_store_own_key(ngx_http_rs_store_call_t *call, ngx_str_t *tenant)
{
    ngx_http_rs_store_key(call, tenant, "own", call->op->store->worker);
}


void
ngx_http_rs_store_guarded(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_op_t *op, const char *function,
    ngx_http_rs_caller_t *caller)
{
    ngx_http_rs_store_begin(call, op, function, 0);

    /* of the gateway itself nothing is read there */

    if (caller->kind == NGX_HTTP_RS_CALLER_USER) {
        ngx_http_rs_store_key(call, &caller->tenant, "usr", &caller->user_id);

    } else {
        ngx_http_rs_store_key(call, &caller->tenant, "key",
                              &caller->key_hash);
    }

    ngx_http_rs_store_index(call, &caller->tenant, "gsub");
    ngx_http_rs_store_index(call, &caller->tenant, "audit");

    call->caller = caller;
}


static void
ngx_http_rs_store_caller(ngx_http_rs_store_call_t *call)
{
    rs_buf_t               b;
    ngx_str_t              arg;
    ngx_http_rs_caller_t  *caller;

    caller = call->caller;
    call->caller = NULL;

    rs_buf_init(&b, call->caller_text, NGX_HTTP_RS_STORE_CALLER);

    switch (caller->kind) {

    case NGX_HTTP_RS_CALLER_SELF:
        break;

    case NGX_HTTP_RS_CALLER_KEY:
    case NGX_HTTP_RS_CALLER_USER:
        rs_buf_cstr(&b, "{\"kind\":");
        rs_buf_cstr(&b, caller->kind == NGX_HTTP_RS_CALLER_KEY ? "\"key\""
                                                               : "\"user\"");
        rs_buf_cstr(&b, ",\"verb\":\"");

        if (caller->verb < RS_VERB_N) {
            rs_buf_cstr(&b, rs_verb_name(caller->verb));
        }

        rs_buf_char(&b, '"');
        ngx_http_rs_store_verbs(&b, "also", caller->also);
        ngx_http_rs_store_field(&b, "addr", &caller->addr);
        ngx_http_rs_store_field(&b, "rid", &caller->rid);
        rs_buf_cstr(&b, caller->list ? ",\"list\":1" : "");
        rs_buf_cstr(&b, caller->reads ? ",\"reads\":1" : "");

        if (caller->kind == NGX_HTTP_RS_CALLER_USER) {
            ngx_http_rs_store_user(&b, caller);
        }

        rs_buf_char(&b, '}');
        break;

    default:                               /* nobody: it is not sent */
        call->overflow = 1;
        break;
    }

    if (b.overflow) {
        call->overflow = 1;
    }

    arg.data = b.data;
    arg.len = b.len;

    ngx_http_rs_store_arg(call, &arg);
}


static void
ngx_http_rs_store_user(rs_buf_t *b, ngx_http_rs_caller_t *caller)
{
    ngx_str_t   *subject;
    ngx_uint_t   i;

    ngx_http_rs_store_field(b, "id", &caller->user_id);
    ngx_http_rs_store_field(b, "name", &caller->name);
    ngx_http_rs_store_verbs(b, "tenant", caller->tenant_verbs);
    ngx_http_rs_store_verbs(b, "granted", caller->granted_verbs);

    rs_buf_cstr(b, ",\"iat\":");
    rs_buf_u64(b, caller->iat);
    rs_buf_cstr(b, ",\"subjects\":[");

    subject = caller->subjects ? caller->subjects->elts : NULL;

    for (i = 0; subject && i < caller->subjects->nelts; i++) {

        if (i) {
            rs_buf_char(b, ',');
        }

        rs_buf_json(b, ngx_http_rs_slice(&subject[i]));
    }

    rs_buf_char(b, ']');
}


static void
ngx_http_rs_store_field(rs_buf_t *b, const char *name, ngx_str_t *value)
{
    rs_buf_cstr(b, ",\"");
    rs_buf_cstr(b, name);
    rs_buf_cstr(b, "\":");
    rs_buf_json(b, ngx_http_rs_slice(value));
}


static void
ngx_http_rs_store_verbs(rs_buf_t *b, const char *name, uint32_t verbs)
{
    ngx_uint_t   verb;
    const char  *sep;

    rs_buf_cstr(b, ",\"");
    rs_buf_cstr(b, name);
    rs_buf_cstr(b, "\":[");

    sep = "\"";

    for (verb = 0; verb < RS_VERB_N; verb++) {

        if (verbs & RS_VERB_BIT(verb)) {
            rs_buf_cstr(b, sep);
            rs_buf_cstr(b, rs_verb_name(verb));
            rs_buf_char(b, '"');
            sep = ",\"";
        }
    }

    rs_buf_char(b, ']');
}


void
ngx_http_rs_store_arg(ngx_http_rs_store_call_t *call, ngx_str_t *arg)
{
    ngx_str_t  *word;

    if (call->caller) {
        ngx_http_rs_store_caller(call);
    }

    word = ngx_http_rs_store_word(call);

    if (word) {
        *word = *arg;
    }
}


void
ngx_http_rs_store_arg_text(ngx_http_rs_store_call_t *call, const char *text)
{
    ngx_str_t  arg;

    arg.data = (u_char *) text;
    arg.len = ngx_strlen(text);

    ngx_http_rs_store_arg(call, &arg);
}


void
ngx_http_rs_store_arg_number(ngx_http_rs_store_call_t *call, uint64_t n)
{
    u_char     *p;
    ngx_str_t  *word;

    if (call->caller) {
        ngx_http_rs_store_caller(call);
    }

    word = ngx_http_rs_store_word(call);
    p = ngx_http_rs_store_text(call, NGX_INT64_LEN);

    if (word == NULL || p == NULL) {
        return;
    }

    word->data = p;
    word->len = ngx_sprintf(p, "%uL", n) - p;
}


void
ngx_http_rs_store_arg_desktop(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_desktop_t *desktop)
{
    u_char     *p;
    ngx_str_t   arg, recording, lost;

    static ngx_str_t  nothing = ngx_string("-");

    if (call->caller) {
        ngx_http_rs_store_caller(call);
    }

    recording = desktop->recording.len ? desktop->recording : nothing;
    lost = desktop->recorder_lost.len ? desktop->recorder_lost : nothing;

    arg.len = sizeof("0   0  ") - 1 + desktop->clipboard.len
              + desktop->files.len + recording.len + lost.len;

    p = ngx_http_rs_store_text(call, arg.len);
    if (p == NULL) {
        return;
    }

    arg.data = p;

    (void) ngx_sprintf(p, "%ui %V %V %ui %V %V", desktop->view_only,
                       &desktop->clipboard, &desktop->files, desktop->sound,
                       &recording, &lost);

    ngx_http_rs_store_arg(call, &arg);
}


void
ngx_http_rs_store_arg_replid(ngx_http_rs_store_call_t *call)
{
    ngx_http_rs_store_t  *store;

    store = call->op->store;

    ngx_http_rs_store_arg(call, call->durable
                                ? ngx_http_rs_durable_replid(store->durable)
                                : ngx_rs_redis_replid(store->redis));
}


ngx_int_t
ngx_http_rs_store_send(ngx_http_rs_store_call_t *call)
{
    u_char                   number[NGX_INT_T_LEN];
    ngx_int_t                rc;
    ngx_str_t               *word;
    ngx_http_rs_store_t     *store;
    ngx_http_rs_store_op_t  *op;

    op = call->op;
    store = op->store;

    if (call->caller) {
        ngx_http_rs_store_caller(call);
    }

    if (!store->ready || (op->rest && store->nrest >= store->rest_max)
        || (ngx_rs_redis_refusing(store->redis) && !call->urgent))
    {
        return ngx_http_rs_store_refuse(op);
    }

    if (call->overflow) {
        ngx_log_error(NGX_LOG_ALERT, store->log, 0,
                      "rs store: the call of %V cannot be made: nobody "
                      "makes it, or its arguments do not fit",
                      &call->words[1]);
        return ngx_http_rs_store_refuse(op);
    }

    word = &call->words[2];
    word->data = number;
    word->len = ngx_sprintf(number, "%ui", call->nkeys) - number;

    if (call->durable) {
        rc = ngx_http_rs_durable_send(store->durable, op, call->nwords,
                                      call->words);

    } else if (call->urgent) {
        rc = ngx_rs_redis_urgent(store->redis, call->nwords, call->words,
                                 ngx_http_rs_store_reply, op);

    } else {
        rc = ngx_rs_redis_command(store->redis, call->nwords, call->words,
                                  ngx_http_rs_store_reply, op);
    }

    if (rc != NGX_OK) {
        return ngx_http_rs_store_refuse(op);
    }

    if (op->rest) {
        op->counted = 1;
        store->nrest++;
    }

    op->sent = ngx_current_msec;

    ngx_http_rs_count(store->rmcf, NGX_HTTP_RS_STAT_REDIS_COMMAND);
    ngx_http_rs_gauge(store->rmcf, NGX_HTTP_RS_GAUGE_INFLIGHT, 1);

    return NGX_OK;
}
