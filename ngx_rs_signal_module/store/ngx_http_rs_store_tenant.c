
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of what a tenant sets up: groups, policies, grants and API
 * keys, which are sets of a tenant's, each one hash; its users, and the audit.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


#define NGX_HTTP_RS_STORE_DENIED  100      /* lines a second */


typedef struct {
    const char  *list;
    const char  *get;
    const char  *remove;                   /* NULL: by a verb of its own */
    const char  *keys[4];                  /* of remove; the first is the set */
    ngx_uint_t   nread;                    /* of these, of list and get */
} ngx_http_rs_store_set_t;


static void ngx_http_rs_store_indexes(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, const char *const *kinds);


static const ngx_http_rs_store_set_t  ngx_http_rs_store_sets[] = {
    { "rs_group_list", "rs_group_get", "rs_group_delete",
      { "grps", "grants", "gdev", NULL }, 1 },
    { "rs_policy_list", "rs_policy_get", "rs_policy_delete",
      { "pols", "grps", NULL }, 1 },
    { "rs_grant_list", "rs_grant_get", "rs_grant_delete",
      { "grants", NULL }, 1 },
    { "rs_key_page", "rs_key_find", NULL,
      { "keys", NULL }, 1 },
    { "rs_webhook_list", "rs_webhook_get", "rs_webhook_delete",
      { "hooks", "hookst", NULL }, 2 }
};


static void
ngx_http_rs_store_indexes(ngx_http_rs_store_call_t *call, ngx_str_t *tenant,
    const char *const *kinds)
{
    for ( /* void */ ; *kinds; kinds++) {
        ngx_http_rs_store_index(call, tenant, *kinds);
    }
}


ngx_int_t
ngx_http_rs_store_set_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_set_e set,
    ngx_str_t *cursor, ngx_uint_t limit)
{
    ngx_uint_t                      i;
    ngx_http_rs_store_call_t        call;
    const ngx_http_rs_store_set_t  *s;

    s = &ngx_http_rs_store_sets[set];

    ngx_http_rs_store_guarded(&call, op, s->list, caller);

    for (i = 0; i < s->nread; i++) {
        ngx_http_rs_store_index(&call, &caller->tenant, s->keys[i]);
    }

    ngx_http_rs_store_arg(&call, cursor);
    ngx_http_rs_store_arg_number(&call, limit);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_set_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_set_e set, ngx_str_t *id)
{
    ngx_uint_t                      i;
    ngx_http_rs_store_call_t        call;
    const ngx_http_rs_store_set_t  *s;

    s = &ngx_http_rs_store_sets[set];

    ngx_http_rs_store_guarded(&call, op, s->get, caller);

    for (i = 0; i < s->nread; i++) {
        ngx_http_rs_store_index(&call, &caller->tenant, s->keys[i]);
    }

    ngx_http_rs_store_arg(&call, id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_set_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_set_e set, ngx_str_t *id)
{
    ngx_http_rs_store_call_t        call;
    const ngx_http_rs_store_set_t  *s;

    s = &ngx_http_rs_store_sets[set];

    ngx_http_rs_store_guarded(&call, op, s->remove, caller);
    ngx_http_rs_store_durable(&call, 1);

    ngx_http_rs_store_indexes(&call, &caller->tenant, s->keys);

    ngx_http_rs_store_arg(&call, id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_group_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_group_t *g)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_group_create", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, "grps");
    ngx_http_rs_store_index(&call, &caller->tenant, "pols");
    ngx_http_rs_store_key(&call, &caller->tenant, "idem", &g->idem);

    ngx_http_rs_store_arg(&call, &g->id);
    ngx_http_rs_store_arg(&call, &g->name);
    ngx_http_rs_store_arg(&call, &g->policy);
    ngx_http_rs_store_arg(&call, &g->body_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_group_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields)
{
    ngx_uint_t                i;
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_group_patch", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, "grps");
    ngx_http_rs_store_index(&call, &caller->tenant, "pols");

    ngx_http_rs_store_arg(&call, id);
    ngx_http_rs_store_arg(&call, version);

    for (i = 0; i < 2 * n; i++) {
        ngx_http_rs_store_arg(&call, &fields[i]);
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_policy_put(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_policy_t *p)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_policy_put", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, "pols");

    ngx_http_rs_store_arg(&call, &p->name);
    ngx_http_rs_store_arg(&call, &p->consent);
    ngx_http_rs_store_arg_text(&call, p->relay_only ? "1" : "0");

    if (p->max_ttl) {
        ngx_http_rs_store_arg_number(&call, p->max_ttl);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    ngx_http_rs_store_arg_text(&call, p->desktop.view_only ? "1" : "0");
    ngx_http_rs_store_arg(&call, &p->desktop.clipboard);
    ngx_http_rs_store_arg(&call, &p->desktop.files);
    ngx_http_rs_store_arg_text(&call, p->desktop.sound ? "1" : "0");
    ngx_http_rs_store_arg(&call, &p->desktop.recording);
    ngx_http_rs_store_arg(&call, &p->desktop.recorder_lost);
    ngx_http_rs_store_arg(&call, &p->page.urls);
    ngx_http_rs_store_arg(&call, &p->page.mask);
    ngx_http_rs_store_arg_text(&call, p->page.no_submit ? "1" : "0");
    ngx_http_rs_store_arg(&call, &p->page.downloads);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_grant_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_grant_t *g)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_grant_create", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, "grants");
    ngx_http_rs_store_index(&call, &caller->tenant, "grps");
    ngx_http_rs_store_key(&call, &caller->tenant, "idem", &g->idem);

    ngx_http_rs_store_arg(&call, &g->id);
    ngx_http_rs_store_arg(&call, &g->subject);
    ngx_http_rs_store_arg(&call, &g->group_id);
    ngx_http_rs_store_arg(&call, &g->verbs);
    ngx_http_rs_store_arg(&call, &g->consent);
    ngx_http_rs_store_arg(&call, &g->body_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_key_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_api_key_t *k)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_key_create", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "key", &k->hash);
    ngx_http_rs_store_index(&call, &caller->tenant, "keys");
    ngx_http_rs_store_key(&call, &caller->tenant, "idem", &k->idem);

    ngx_http_rs_store_arg(&call, &k->id);
    ngx_http_rs_store_arg(&call, &k->name);
    ngx_http_rs_store_arg(&call, &k->scopes);
    ngx_http_rs_store_arg_text(&call, k->granted ? "1" : "0");

    if (k->expires_at) {
        ngx_http_rs_store_arg_number(&call, k->expires_at);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    ngx_http_rs_store_arg(&call, &k->body_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_bootstrap(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *secret_hash,
    ngx_http_rs_store_api_key_t *k)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_bootstrap_use", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_index(&call, &caller->tenant, "boot");
    ngx_http_rs_store_key(&call, &caller->tenant, "key", &k->hash);
    ngx_http_rs_store_index(&call, &caller->tenant, "keys");
    ngx_http_rs_store_index(&call, &caller->tenant, "audit");

    ngx_http_rs_store_arg(&call, secret_hash);
    ngx_http_rs_store_arg(&call, &k->id);
    ngx_http_rs_store_arg(&call, &k->name);
    ngx_http_rs_store_arg(&call, &caller->addr);
    ngx_http_rs_store_arg(&call, &caller->rid);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_login(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *secret_hash,
    ngx_http_rs_store_api_key_t *k)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_login_use", 0);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "login", secret_hash);
    ngx_http_rs_store_key(&call, &caller->tenant, "key", &k->hash);
    ngx_http_rs_store_index(&call, &caller->tenant, "keys");
    ngx_http_rs_store_index(&call, &caller->tenant, "audit");

    ngx_http_rs_store_arg(&call, &k->id);
    ngx_http_rs_store_arg(&call, &caller->addr);
    ngx_http_rs_store_arg(&call, &caller->rid);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_key_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *hash)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_key_revoke", caller);
    ngx_http_rs_store_durable(&call, 1);

    ngx_http_rs_store_key(&call, &caller->tenant, "key", hash);
    ngx_http_rs_store_index(&call, &caller->tenant, "keys");

    ngx_http_rs_store_arg(&call, id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_user_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *user_id, const char *which,
    ngx_array_t *ended)
{
    ngx_uint_t                i;
    ngx_str_t                *id;
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_user_revoke", caller);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "usr", user_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "uses", user_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "uin", user_id);

    ngx_http_rs_store_arg_text(&call, which);

    id = ended->elts;

    for (i = 0; i < ended->nelts; i++) {
        ngx_http_rs_store_arg(&call, &id[i]);
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_audit_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *cursor, ngx_uint_t limit,
    ngx_uint_t newest_first)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_audit_list", caller);

    ngx_http_rs_store_arg(&call, cursor);
    ngx_http_rs_store_arg_number(&call, limit);
    ngx_http_rs_store_arg_text(&call, newest_first ? "new" : "old");

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_audit_trim(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *through)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_audit_trim", caller);

    ngx_http_rs_store_arg(&call, through);

    return ngx_http_rs_store_send(&call);
}


void
ngx_http_rs_store_denied(ngx_http_rs_store_t *store, const char *what,
    rs_err_e code, ngx_str_t *addr, ngx_str_t *rid, ngx_str_t *detail)
{
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_store_call_t   call;

    static ngx_str_t  fleet = ngx_string("w");

    if (store->denied_at != ngx_time()) {
        store->denied_at = ngx_time();
        store->ndenied = 0;
    }

    if (!store->ready || store->ndenied == NGX_HTTP_RS_STORE_DENIED) {
        return;
    }

    op = ngx_http_rs_store_op(store, NULL, NULL);
    if (op == NULL) {
        return;
    }

    store->ndenied++;

    ngx_http_rs_store_rest(op);
    ngx_http_rs_store_begin(&call, op, "rs_denied", 0);

    ngx_http_rs_store_index(&call, &fleet, "denied");

    ngx_http_rs_store_arg_text(&call, what);
    ngx_http_rs_store_arg_text(&call, rs_err_code(code));
    ngx_http_rs_store_arg(&call, addr);
    ngx_http_rs_store_arg(&call, rid);
    ngx_http_rs_store_arg(&call, detail);

    (void) ngx_http_rs_store_send(&call);
}
