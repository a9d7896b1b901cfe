
/*
 * Copyright (C) rs-gateway contributors
 *
 * The store's verbs of REST: each puts one call together, in the order of
 * KEYS and ARGV that docs/design/redis.md gives.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


static void ngx_http_rs_store_ticket_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_array_t *participants);
static void ngx_http_rs_store_ticket_key(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_participant_t *p);
static void ngx_http_rs_store_participant_args(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_participant_t *p);


void
ngx_http_rs_caller_self(ngx_http_rs_caller_t *caller, ngx_str_t *tenant)
{
    ngx_memzero(caller, sizeof(ngx_http_rs_caller_t));

    caller->kind = NGX_HTTP_RS_CALLER_SELF;
    caller->tenant = *tenant;
}


ngx_int_t
ngx_http_rs_store_auth(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_auth", caller);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_watch_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *hash, time_t ttl,
    int64_t ends_at)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_watch_create", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "wat", hash);

    ngx_http_rs_store_arg_number(&call, ttl);

    if (ends_at > 0) {
        ngx_http_rs_store_arg_number(&call, ends_at);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_watch_open(ngx_http_rs_store_op_t *op, ngx_str_t *tenant,
    ngx_str_t *hash, ngx_str_t *bound)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_watch_open", 0);

    ngx_http_rs_store_key(&call, tenant, "wat", hash);
    ngx_http_rs_store_key(&call, tenant, "wat", bound);

    return ngx_http_rs_store_send(&call);
}


/* guarded, by the caller of before: his keys are named here */

ngx_int_t
ngx_http_rs_store_watch_check(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_watcher_t *watcher)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_watch_check", 0);

    ngx_http_rs_store_key(&call, &watcher->tenant,
                          watcher->kind.data[0] == 'k' ? "key" : "usr",
                          &watcher->id);
    ngx_http_rs_store_index(&call, &watcher->tenant, "gsub");
    ngx_http_rs_store_index(&call, &watcher->tenant, "audit");

    ngx_http_rs_store_arg(&call, &watcher->caller);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_index_e index,
    ngx_str_t *cursor, ngx_uint_t limit)
{
    ngx_http_rs_store_call_t  call;

    static const char  *kinds[] = { "sess", "devs", "enrs", "tuns",
                                   "recs" };

    ngx_http_rs_store_guarded(&call, op, "rs_index_list", caller);

    ngx_http_rs_store_index(&call, &caller->tenant, kinds[index]);

    ngx_http_rs_store_arg(&call, cursor);
    ngx_http_rs_store_arg_number(&call, limit);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_session_t *s)
{
    ngx_uint_t                        i, n;
    ngx_http_rs_store_call_t          call;
    ngx_http_rs_store_participant_t  *p;

    n = s->participants ? s->participants->nelts : 0;

    ngx_http_rs_store_guarded(&call, op, "rs_session_create", caller);
    ngx_http_rs_store_lists(op, &caller->tenant, s->ttl);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", &s->id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", &s->id);
    ngx_http_rs_store_key(&call, &caller->tenant, "mem", &s->id);
    ngx_http_rs_store_key(&call, &caller->tenant, "log", &s->id);
    ngx_http_rs_store_idem_key(&call, caller, &s->idem);
    ngx_http_rs_store_index(&call, &caller->tenant, "sess");
    ngx_http_rs_store_key(&call, &caller->tenant, "dev", &s->device_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "dses", &s->device_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "turn");
    ngx_http_rs_store_index(&call, &caller->tenant, "grps");
    ngx_http_rs_store_index(&call, &caller->tenant, "pols");
    ngx_http_rs_store_key(&call, &caller->tenant, "uses", &caller->user_id);
    ngx_http_rs_store_ticket_keys(&call, caller, s->participants);
    ngx_http_rs_store_index(&call, &caller->tenant, "svcs");
    ngx_http_rs_store_index(&call, &caller->tenant, "rses");

    ngx_http_rs_store_arg_replid(&call);
    ngx_http_rs_store_arg(&call, &s->id);
    ngx_http_rs_store_arg(&call, &s->device_id);
    ngx_http_rs_store_arg_number(&call, s->ttl);
    ngx_http_rs_store_arg_number(&call, s->retain);
    ngx_http_rs_store_arg_number(&call, s->max_participants);
    ngx_http_rs_store_arg(&call, &s->body_hash);
    ngx_http_rs_store_arg_text(&call, s->relay_only ? "1" : "0");
    ngx_http_rs_store_arg(&call, &s->consent);
    ngx_http_rs_store_arg(&call, &s->external_id);
    ngx_http_rs_store_arg(&call, &s->reason);
    ngx_http_rs_store_arg(&call, &s->metadata);
    ngx_http_rs_store_arg(&call, &s->host_participant);
    ngx_http_rs_store_arg_number(&call, s->max_sessions);
    ngx_http_rs_store_arg_desktop(&call, &s->desktop);
    ngx_http_rs_store_arg_number(&call, n);

    p = n ? s->participants->elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_rs_store_participant_args(&call, &p[i]);
    }

    ngx_http_rs_store_arg(&call, &s->web);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_retry(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_array_t *participants)
{
    ngx_uint_t                        i, n;
    ngx_http_rs_store_call_t          call;
    ngx_http_rs_store_participant_t  *p;

    n = participants ? participants->nelts : 0;

    ngx_http_rs_store_guarded(&call, op, "rs_session_retry", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_ticket_keys(&call, caller, participants);

    ngx_http_rs_store_arg_number(&call, n);

    p = n ? participants->elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_rs_store_arg_number(&call, p[i].ticket_ttl);
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_session_get", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "use", session_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_session_end(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *reason,
    ngx_str_t *detail, ngx_str_t *device_id)
{
    ngx_http_rs_store_call_t  call;

    if (ngx_http_rs_store_unlinks(op, &caller->tenant, session_id) != NGX_OK) {
        return ngx_http_rs_store_refuse(op);
    }

    ngx_http_rs_store_guarded(&call, op, "rs_session_end", caller);
    ngx_http_rs_store_durable(&call, 0);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "mem", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "log", session_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "turn");

    ngx_http_rs_store_arg(&call, reason);
    ngx_http_rs_store_arg(&call, detail);
    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg_replid(&call);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_participant_add(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_participant_t *p, ngx_str_t *idem,
    ngx_str_t *body_hash)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_participant_add", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_idem_key(&call, caller, idem);
    ngx_http_rs_store_ticket_key(&call, caller, p);
    ngx_http_rs_store_key(&call, &caller->tenant, "uin", &caller->user_id);

    ngx_http_rs_store_participant_args(&call, p);
    ngx_http_rs_store_arg(&call, body_hash);
    ngx_http_rs_store_arg_text(&call, p->guest ? "1" : "");

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_participant_retry(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_participant_t *p)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_participant_retry", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "ses", session_id);
    ngx_http_rs_store_key(&call, &caller->tenant, "par", session_id);
    ngx_http_rs_store_ticket_key(&call, caller, p);

    ngx_http_rs_store_arg(&call, &p->id);
    ngx_http_rs_store_arg_number(&call, p->ticket_ttl);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_enrollment_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_enrollment_t *e)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_enrollment_create", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "enr", &e->id);
    ngx_http_rs_store_index(&call, &caller->tenant, "enrs");
    ngx_http_rs_store_idem_key(&call, caller, &e->idem);
    ngx_http_rs_store_index(&call, &caller->tenant, "enrx");
    ngx_http_rs_store_index(&call, &caller->tenant, "grps");

    ngx_http_rs_store_arg(&call, &e->id);
    ngx_http_rs_store_arg(&call, &e->secret_hash);
    ngx_http_rs_store_arg_number(&call, e->max_uses);
    ngx_http_rs_store_arg_number(&call, e->ttl);
    ngx_http_rs_store_arg(&call, &e->group_id);
    ngx_http_rs_store_arg(&call, &e->tags);
    ngx_http_rs_store_arg(&call, &e->approval);
    ngx_http_rs_store_arg(&call, &e->body_hash);
    ngx_http_rs_store_arg_number(&call, e->max_enrollments);

    if (e->tries) {
        ngx_http_rs_store_arg_number(&call, e->tries);

    } else {
        ngx_http_rs_store_arg_text(&call, "");
    }

    ngx_http_rs_store_arg(&call, &e->kind);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_enrollment_renew(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *secret_hash)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_enrollment_renew", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "enr", id);

    ngx_http_rs_store_arg(&call, secret_hash);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_enrollment_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_enrollment_get", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "enr", id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_enrollment_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_enrollment_delete", caller);
    ngx_http_rs_store_durable(&call, 1);

    ngx_http_rs_store_key(&call, &caller->tenant, "enr", id);
    ngx_http_rs_store_index(&call, &caller->tenant, "enrs");
    ngx_http_rs_store_index(&call, &caller->tenant, "enrx");

    ngx_http_rs_store_arg(&call, id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_device_t *d)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_begin(&call, op, "rs_device_create", 0);

    ngx_http_rs_store_key(&call, &d->tenant, "enr", &d->enrollment_id);
    ngx_http_rs_store_key(&call, &d->tenant, "dev", &d->id);
    ngx_http_rs_store_index(&call, &d->tenant, "devs");
    ngx_http_rs_store_index(&call, &d->tenant, "grps");
    ngx_http_rs_store_index(&call, &d->tenant, "gdev");
    ngx_http_rs_store_index(&call, &d->tenant, "audit");
    ngx_http_rs_store_index(&call, &d->tenant, "svcs");

    ngx_http_rs_store_arg(&call, &d->secret_hash);
    ngx_http_rs_store_arg(&call, &d->id);
    ngx_http_rs_store_arg(&call, &d->public_key);
    ngx_http_rs_store_arg(&call, &d->name);
    ngx_http_rs_store_arg(&call, &d->meta);
    ngx_http_rs_store_arg_number(&call, d->max_devices);
    ngx_http_rs_store_arg(&call, &d->addr);
    ngx_http_rs_store_arg(&call, &d->rid);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *device_id)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_device_get", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "dev", device_id);

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *device_id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields)
{
    ngx_uint_t                i;
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_device_patch", caller);

    ngx_http_rs_store_key(&call, &caller->tenant, "dev", device_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "grps");
    ngx_http_rs_store_index(&call, &caller->tenant, "gdev");

    ngx_http_rs_store_arg(&call, version);

    for (i = 0; i < 2 * n; i++) {
        ngx_http_rs_store_arg(&call, &fields[i]);
    }

    return ngx_http_rs_store_send(&call);
}


ngx_int_t
ngx_http_rs_store_device_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *device_id, ngx_str_t *version)
{
    ngx_http_rs_store_call_t  call;

    ngx_http_rs_store_guarded(&call, op, "rs_device_delete", caller);
    ngx_http_rs_store_durable(&call, 1);

    ngx_http_rs_store_key(&call, &caller->tenant, "dev", device_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "devs");
    ngx_http_rs_store_key(&call, &caller->tenant, "dses", device_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "gdev");
    ngx_http_rs_store_key(&call, &caller->tenant, "dtun", device_id);
    ngx_http_rs_store_index(&call, &caller->tenant, "svcs");
    ngx_http_rs_store_index(&call, &caller->tenant, "rses");

    ngx_http_rs_store_arg(&call, device_id);
    ngx_http_rs_store_arg(&call, version);

    return ngx_http_rs_store_send(&call);
}


/* without an Idempotency-Key (and so without a body hash) it is not read */

void
ngx_http_rs_store_idem_key(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_str_t *idem)
{
    ngx_http_rs_store_key(call, &caller->tenant, "idem", idem);
}


static void
ngx_http_rs_store_ticket_keys(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_array_t *participants)
{
    ngx_uint_t                        i;
    ngx_http_rs_store_participant_t  *p;

    if (participants == NULL) {
        return;
    }

    p = participants->elts;

    for (i = 0; i < participants->nelts; i++) {
        ngx_http_rs_store_ticket_key(call, caller, &p[i]);
    }
}


static void
ngx_http_rs_store_ticket_key(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_participant_t *p)
{
    ngx_str_t  hash;

    hash.data = p->ticket_hash;
    hash.len = sizeof(p->ticket_hash);

    ngx_http_rs_store_key(call, &caller->tenant, "tkt", &hash);
}


/* par id, role, name, external_id, ticket ttl_s */

static void
ngx_http_rs_store_participant_args(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_participant_t *p)
{
    ngx_http_rs_store_arg(call, &p->id);
    ngx_http_rs_store_arg(call, &p->role);
    ngx_http_rs_store_arg(call, &p->name);
    ngx_http_rs_store_arg(call, &p->external_id);
    ngx_http_rs_store_arg_number(call, p->ticket_ttl);
}
