
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of TURN: sessions of kind "turn", revocation, and the
 * table of tenants that may have sessions, which tells the plugins beside the
 * TURN servers where to look.
 *
 * A tenant is told when a create was answered well, before anybody hears of
 * the session: a stranger may make up API keys, and with them tenants.  It is
 * told for as long as the session may live and an hour, so that the sessions
 * of that hour need no call.  What was told is remembered by worker, and told
 * again when the link was lost: the next primary may not know of it.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


#define NGX_HTTP_RS_TENANT_SLOTS  256     /* a power of two */
#define NGX_HTTP_RS_TENANT_FRESH  3600    /* s */
#define NGX_HTTP_RS_TENANT_STEP   64      /* told by one call */


typedef struct {
    time_t                  until;        /* by ngx_http_rs_store_clock() */
    size_t                  len;
    u_char                  name[RS_TENANT_MAX];
} ngx_http_rs_tenant_t;


struct ngx_http_rs_tenants_s {
    ngx_uint_t              lost;         /* to be told again */
    ngx_http_rs_tenant_t    slots[NGX_HTTP_RS_TENANT_SLOTS];
};


/* a call for some of them while it is put together */

typedef struct {
    ngx_uint_t              n;
    ngx_str_t               words[4 + 2 * NGX_HTTP_RS_TENANT_STEP];
    u_char                  text[NGX_HTTP_RS_TENANT_STEP][NGX_INT64_LEN];
} ngx_http_rs_tenant_call_t;


static time_t ngx_http_rs_store_clock(void);
static ngx_uint_t ngx_http_rs_store_slot(ngx_http_rs_store_op_t *op);
static ngx_uint_t ngx_http_rs_store_known(ngx_http_rs_store_op_t *op);
static ngx_int_t ngx_http_rs_store_tenant(ngx_http_rs_store_op_t *op);
static void ngx_http_rs_store_listed(void *data, ngx_rs_reply_t *reply);
static void ngx_http_rs_tenant_add(ngx_http_rs_tenant_call_t *call,
    u_char *name, size_t len, time_t ttl);
static ngx_int_t ngx_http_rs_tenant_send(ngx_http_rs_store_t *store,
    ngx_http_rs_tenant_call_t *call, ngx_rs_redis_reply_pt handler,
    void *data);
static void ngx_http_rs_store_told_again(void *data, ngx_rs_reply_t *reply);


void
ngx_http_rs_store_lists(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    time_t ttl)
{
    op->listed = ngx_min(tenant->len, RS_TENANT_MAX);
    op->listed_ttl = ttl;

    ngx_memcpy(op->listed_name, tenant->data, op->listed);
}


ngx_uint_t
ngx_http_rs_store_list_first(ngx_http_rs_store_op_t *op,
    ngx_rs_reply_t *reply)
{
    if (op->listed == 0 || ngx_http_rs_store_known(op)) {
        return 0;
    }

    op->reply = ngx_rs_reply_copy(reply, op->store->log);

    /* a session that plugins might not find must not be given to anybody */

    if (op->reply == NULL || ngx_http_rs_store_tenant(op) != NGX_OK) {
        ngx_http_rs_store_listed(op, NULL);
    }

    return 1;
}


/* tenants of one slot take it from each other, which costs a call each time */

static ngx_uint_t
ngx_http_rs_store_slot(ngx_http_rs_store_op_t *op)
{
    return ngx_crc32_short(op->listed_name, op->listed)
           & (NGX_HTTP_RS_TENANT_SLOTS - 1);
}


static ngx_uint_t
ngx_http_rs_store_known(ngx_http_rs_store_op_t *op)
{
    ngx_uint_t              i;
    ngx_http_rs_tenants_t  *t;

    t = op->store->tenants;
    i = ngx_http_rs_store_slot(op);

    return t != NULL && !t->lost
           && t->slots[i].until >= ngx_http_rs_store_clock() + op->listed_ttl
           && t->slots[i].len == op->listed
           && ngx_memcmp(t->slots[i].name, op->listed_name, op->listed) == 0;
}


static ngx_int_t
ngx_http_rs_store_tenant(ngx_http_rs_store_op_t *op)
{
    ngx_http_rs_tenant_call_t  call;

    call.n = 0;
    ngx_http_rs_tenant_add(&call, op->listed_name, op->listed,
                           op->listed_ttl + NGX_HTTP_RS_TENANT_FRESH);

    return ngx_http_rs_tenant_send(op->store, &call, ngx_http_rs_store_listed,
                                   op);
}


static void
ngx_http_rs_tenant_add(ngx_http_rs_tenant_call_t *call, u_char *name,
    size_t len, time_t ttl)
{
    ngx_str_t  *word;

    word = &call->words[4 + 2 * call->n];

    word[0].data = call->text[call->n];
    word[0].len = ngx_sprintf(word[0].data, "%T", ttl) - word[0].data;
    word[1].data = name;
    word[1].len = len;

    call->n++;
}


static ngx_int_t
ngx_http_rs_tenant_send(ngx_http_rs_store_t *store,
    ngx_http_rs_tenant_call_t *call, ngx_rs_redis_reply_pt handler,
    void *data)
{
    ngx_str_set(&call->words[0], "FCALL");
    ngx_str_set(&call->words[1], "rs_turn_tenant");
    ngx_str_set(&call->words[2], "1");
    ngx_str_set(&call->words[3], "rs:{w}:tens");

    if (ngx_rs_redis_command(store->redis, 4 + 2 * call->n, call->words,
                             handler, data)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    ngx_http_rs_count(store->rmcf, NGX_HTTP_RS_STAT_REDIS_COMMAND);

    return NGX_OK;
}


static void
ngx_http_rs_store_listed(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_op_t *op = data;

    time_t                  until;
    rs_err_e                rc;
    ngx_uint_t              i, flags;
    ngx_rs_reply_t         *first;
    ngx_http_rs_store_t    *store;
    ngx_http_rs_tenants_t  *t;

    store = op->store;
    first = op->reply;
    op->reply = NULL;

    rc = ngx_http_rs_store_status(store, reply, &flags);

    if (rc == RS_OK && store->tenants == NULL) {
        store->tenants = ngx_calloc(sizeof(ngx_http_rs_tenants_t),
                                    store->log);
    }

    t = store->tenants;

    if (rc == RS_OK && t != NULL) {
        i = ngx_http_rs_store_slot(op);
        until = ngx_http_rs_store_clock() + op->listed_ttl
                + NGX_HTTP_RS_TENANT_FRESH;

        t->slots[i].until = until;
        t->slots[i].len = op->listed;
        ngx_memcpy(t->slots[i].name, op->listed_name, op->listed);
    }

    ngx_http_rs_store_tell(op, rc == RS_OK ? RS_OK : RS_E_UNAVAILABLE,
                           rc == RS_OK ? first : NULL);

    if (first) {
        ngx_free(first);
    }

    ngx_http_rs_store_act(store, store->redis, flags);
}


void
ngx_http_rs_store_tenants_lost(ngx_http_rs_store_t *store)
{
    if (store->tenants) {
        store->tenants->lost = 1;
    }
}


/* they are in the table before what is sent from now on */

void
ngx_http_rs_store_tenants_again(ngx_http_rs_store_t *store)
{
    time_t                      now;
    ngx_uint_t                  i;
    ngx_http_rs_tenant_t       *slot;
    ngx_http_rs_tenants_t      *t;
    ngx_http_rs_tenant_call_t   call;

    t = store->tenants;

    if (t == NULL || !t->lost) {
        return;
    }

    t->lost = 0;
    call.n = 0;
    now = ngx_http_rs_store_clock();

    for (i = 0; i < NGX_HTTP_RS_TENANT_SLOTS; i++) {
        slot = &t->slots[i];

        if (slot->until > now) {
            ngx_http_rs_tenant_add(&call, slot->name, slot->len,
                                   slot->until - now);
        }

        if (call.n == NGX_HTTP_RS_TENANT_STEP
            || (call.n && i == NGX_HTTP_RS_TENANT_SLOTS - 1))
        {
            if (ngx_http_rs_tenant_send(store, &call,
                                        ngx_http_rs_store_told_again, store)
                != NGX_OK)
            {
                ngx_memzero(t, sizeof(ngx_http_rs_tenants_t));
                return;
            }

            call.n = 0;
        }
    }
}


/* not told: then when the next session is made */

static void
ngx_http_rs_store_told_again(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_t *store = data;

    ngx_uint_t  flags;

    if (reply == NULL) {
        return;                      /* lost again */
    }

    if (ngx_http_rs_store_status(store, reply, &flags) != RS_OK) {
        ngx_memzero(store->tenants, sizeof(ngx_http_rs_tenants_t));
    }

    ngx_http_rs_store_act(store, store->redis, flags);
}


/* s; does not jump with the host's clock */

static time_t
ngx_http_rs_store_clock(void)
{
    return (time_t) (ngx_current_msec / 1000);
}


ngx_int_t
ngx_http_rs_store_turn_session(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *key_id,
    time_t ttl, time_t retain, ngx_str_t *external_id,
    ngx_uint_t max_sessions)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_turn_session", caller);
    ngx_http_rs_store_lists(op, &caller->tenant, ttl);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "turn");

    ngx_http_rs_store_arg(&call, key_id);
    ngx_http_rs_store_arg_number(&call, ttl);
    ngx_http_rs_store_arg_number(&call, retain);
    ngx_http_rs_store_arg(&call, external_id);
    ngx_http_rs_store_arg_number(&call, max_sessions);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_turn_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *key_id,
    ngx_str_t *participant_id, rs_verb_e verb)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_turn_revoke", caller);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "turn");
    ngx_http_rs_store_index(&call, &caller->tenant, "trev");

    ngx_http_rs_store_arg_text(&call, rs_verb_name(verb));
    ngx_http_rs_store_arg(&call, key_id);
    ngx_http_rs_store_arg(&call, participant_id);

    return ngx_http_rs_store_send(&call);
}
