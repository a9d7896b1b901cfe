
/*
 * Copyright (C) rs-gateway contributors
 *
 * Users: who calls and what he may; signing out, and being signed out.
 *
 * A user is revoked in one tenant after the other.  In each the store first
 * refuses the tokens he has and says which of his sessions live; those are
 * ended, some at a time, until it names no more.  What could not be ended is
 * told by 503, and the call repeated: the tokens are refused by then.  Who
 * signs out does so in each tenant where his token is still good.
 */


#include "ngx_http_rs_api_internal.h"


#define NGX_HTTP_RS_API_REVOKE_ROUNDS  32      /* of as many sessions as the
                                                  store names at a time */


/* one user being revoked */

typedef struct {
    ngx_str_t                   user_id;
    ngx_http_rs_caller_t        caller;        /* of the first round */
    ngx_str_t                  *tenants;
    ngx_uint_t                  n;
    ngx_uint_t                  i;             /* the one at work */
    ngx_uint_t                  rounds;        /* in it */
    ngx_uint_t                  void_in;       /* of them: the token is */
    ngx_array_t                 ended;         /* in the round before, of
                                                  ngx_str_t */
    unsigned                    self:1;        /* he signs out */
    const char                 *detail;        /* why sessions end */
    rs_err_e                    worst;
} ngx_http_rs_api_revoke_t;


/* a session of it being ended */

typedef struct {
    ngx_http_rs_api_revoke_t   *rev;
    ngx_str_t                   session_id;
} ngx_http_rs_api_revoked_t;


static ngx_int_t ngx_http_rs_api_me_made(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static void ngx_http_rs_api_me_verbs(json_t *json, ngx_rs_reply_t *list);
static json_t *ngx_http_rs_api_me_grants(ngx_rs_reply_t *list);
static json_t *ngx_http_rs_api_me_tenants(ngx_http_rs_api_t *api,
    json_t *verbs);
static json_t *ngx_http_rs_api_me_roles(uint32_t roles);
static json_t *ngx_http_rs_api_me_may(uint32_t roles);
static ngx_int_t ngx_http_rs_api_no_user(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_revoke_start(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev);
static ngx_int_t ngx_http_rs_api_revoke_step(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev);
static ngx_int_t ngx_http_rs_api_revoke_listed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_revoke_session(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev, ngx_str_t *session_id);
static ngx_int_t ngx_http_rs_api_revoke_ended(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_revoke_next(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev);


/* GET /me */

ngx_int_t
ngx_http_rs_api_me(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_me_made, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop, ngx_http_rs_store_auth(aop->op,
                                                            &api->caller));
}


static ngx_int_t
ngx_http_rs_api_me_made(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    json_t      *json, *verbs, *granted;
    const char  *kind;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    kind = (api->caller.kind == NGX_HTTP_RS_CALLER_USER) ? "user" : "key";

    verbs = json_array();
    granted = json_array();

    ngx_http_rs_api_me_verbs(verbs, ngx_rs_reply_at(reply, 3));
    ngx_http_rs_api_me_verbs(verbs, ngx_rs_reply_at(reply, 4));
    ngx_http_rs_api_me_verbs(granted, ngx_rs_reply_at(reply, 4));

    json = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:O, s:o, s:o, s:o}",
                     "kind", kind,
                     "id", ngx_http_rs_api_text(ngx_rs_reply_str(reply, 1)),
                     "name", ngx_http_rs_api_text(ngx_rs_reply_str(reply, 2)),
                     "tenant", ngx_http_rs_api_text(api->caller.tenant),
                     "tenants", ngx_http_rs_api_me_tenants(api, verbs),
                     "roles", ngx_http_rs_api_me_roles(api->roles),
                     "verbs", verbs,
                     "granted", granted,
                     "grants", ngx_http_rs_api_me_grants(
                                                 ngx_rs_reply_at(reply, 5)),
                     "expires_at", api->bearer
                                   ? json_integer(api->bearer->exp)
                                   : json_null());

    json_decref(verbs);

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK, json);
}


static void
ngx_http_rs_api_me_verbs(json_t *json, ngx_rs_reply_t *list)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        json_array_append_new(json,
                              ngx_http_rs_api_text(ngx_rs_reply_str(list,
                                                                    i)));
    }
}


/* each: group or "*", consent or "-", verb... */

static json_t *
ngx_http_rs_api_me_grants(ngx_rs_reply_t *list)
{
    json_t          *json, *verbs;
    ngx_str_t        consent;
    ngx_uint_t       i, k;
    ngx_rs_reply_t  *grant;

    json = json_array();

    for (i = 0; i < ngx_rs_reply_count(list); i++) {

        grant = ngx_rs_reply_at(list, i);
        consent = ngx_rs_reply_str(grant, 1);

        if (consent.len == 1) {
            ngx_str_null(&consent);
        }

        verbs = json_array();

        for (k = 2; k < ngx_rs_reply_count(grant); k++) {
            json_array_append_new(verbs,
                                  ngx_http_rs_api_text(
                                                 ngx_rs_reply_str(grant, k)));
        }

        json_array_append_new(json,
                       json_pack("{s:o, s:o, s:o}",
                                 "group_id", ngx_http_rs_api_text(
                                                 ngx_rs_reply_str(grant, 0)),
                                 "consent", ngx_http_rs_api_text(consent),
                                 "verbs", verbs));
    }

    return json;
}


/* verbs: in the one tenant of an API key */

static json_t *
ngx_http_rs_api_me_tenants(ngx_http_rs_api_t *api, json_t *verbs)
{
    json_t                       *json;
    ngx_uint_t                    i;
    ngx_http_rs_bearer_tenant_t  *t;

    if (api->bearer == NULL) {
        return json_pack("[{s:o, s:[], s:O}]",
                         "tenant", ngx_http_rs_api_text(api->caller.tenant),
                         "roles", "verbs", verbs);
    }

    json = json_array();

    for (i = 0; i < api->bearer->ntenants; i++) {

        t = &api->bearer->tenants[i];

        json_array_append_new(json,
                       json_pack("{s:o, s:o, s:o}",
                                 "tenant", ngx_http_rs_api_text(t->name),
                                 "roles", ngx_http_rs_api_me_roles(t->roles),
                                 "verbs",
                                 ngx_http_rs_api_me_may(t->roles)));
    }

    return json;
}


static json_t *
ngx_http_rs_api_me_roles(uint32_t roles)
{
    json_t      *json;
    ngx_uint_t   role;

    json = json_array();

    for (role = 0; role < RS_ROLE_N; role++) {
        if (roles & RS_ROLE_BIT(role)) {
            json_array_append_new(json, json_string(rs_role_name(role)));
        }
    }

    return json;
}


/* what roles give, everywhere or where a grant says so */

static json_t *
ngx_http_rs_api_me_may(uint32_t roles)
{
    json_t      *json;
    uint32_t     tenant, granted;
    ngx_uint_t   verb;

    json = json_array();
    rs_role_verbs(roles, &tenant, &granted);

    for (verb = 0; verb < RS_VERB_N; verb++) {
        if ((tenant | granted) & RS_VERB_BIT(verb)) {
            json_array_append_new(json, json_string(rs_verb_name(verb)));
        }
    }

    return json;
}


/* POST /me/sign-out: in all tenants that the token holds */

ngx_int_t
ngx_http_rs_api_me_sign_out(ngx_http_rs_api_t *api)
{
    ngx_uint_t                 i;
    ngx_http_rs_api_op_t      *aop;
    ngx_http_rs_api_revoke_t  *rev;

    if (api->caller.kind != NGX_HTTP_RS_CALLER_USER) {

        aop = ngx_http_rs_api_op(api, ngx_http_rs_api_no_user, NULL);
        if (aop == NULL) {
            return NGX_ERROR;
        }

        return ngx_http_rs_api_wait(aop,
                                    ngx_http_rs_store_auth(aop->op,
                                                           &api->caller));
    }

    rev = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_revoke_t));
    if (rev == NULL) {
        return NGX_ERROR;
    }

    rev->user_id = api->caller.user_id;
    rev->caller = api->caller;
    rev->n = api->bearer->ntenants;
    rev->tenants = ngx_palloc(api->request->pool,
                              rev->n * sizeof(ngx_str_t));
    if (rev->tenants == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < rev->n; i++) {
        rev->tenants[i] = api->bearer->tenants[i].name;
    }

    rev->self = 1;
    rev->detail = "signed out";

    return ngx_http_rs_api_revoke_start(api, rev);
}


/* an API key: whoever is not known is told nothing else here, either */

static ngx_int_t
ngx_http_rs_api_no_user(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_fail(api, RS_E_FORBIDDEN,
                                "an API key is no user; delete it to end it",
                                NULL);
}


/* POST /users/{id}/revoke */

ngx_int_t
ngx_http_rs_api_user_revoke(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_revoke_t  *rev;

    rev = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_revoke_t));
    if (rev == NULL) {
        return NGX_ERROR;
    }

    rev->user_id = api->id;
    rev->caller = api->caller;
    rev->tenants = &api->caller.tenant;
    rev->n = 1;
    rev->detail = "user revoked";

    return ngx_http_rs_api_revoke_start(api, rev);
}


static ngx_int_t
ngx_http_rs_api_revoke_start(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev)
{
    if (ngx_array_init(&rev->ended, api->request->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_revoke_step(api, rev);
}


/* his own token is refused after the first round: the gateway goes on */

static ngx_int_t
ngx_http_rs_api_revoke_step(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev)
{
    ngx_int_t              rc;
    ngx_http_rs_api_op_t  *aop;

    if (rev->rounds == 0) {
        rev->caller.tenant = rev->tenants[rev->i];

    } else {
        ngx_http_rs_caller_self(&rev->caller, &rev->tenants[rev->i]);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_revoke_listed, rev);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    /* who signs out himself does not end what others have begun */

    rc = ngx_http_rs_store_user_revoke(aop->op, &rev->caller, &rev->user_id,
                                       rev->self ? "own" : "all",
                                       &rev->ended);
    rev->ended.nelts = 0;

    return ngx_http_rs_api_wait(aop, rc);
}


static ngx_int_t
ngx_http_rs_api_revoke_listed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_revoke_t *rev = data;

    ngx_int_t        rc;
    ngx_str_t        id;
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *ids;

    if (code == RS_E_UNAUTHENTICATED && rev->self && rev->rounds == 0) {

        /* revoked there already; the others are to hear of it all the same */

        rev->i++;
        rev->void_in++;

        if (rev->void_in == rev->n) {
            return ngx_http_rs_api_fail(api, code, NULL, NULL);
        }

        return ngx_http_rs_api_revoke_next(api, rev);
    }

    if (code == RS_E_UNCERTAIN) {
        rev->worst = code;

    } else if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    ids = ngx_rs_reply_at(reply, 1);
    n = ngx_rs_reply_count(ids);

    if (n == 0) {

        /* none in this tenant any more */

        rev->i++;
        rev->rounds = 0;

        return ngx_http_rs_api_revoke_next(api, rev);
    }

    for (i = 0; i < n; i++) {
        id = ngx_rs_reply_str(ids, i);

        rc = ngx_http_rs_api_revoke_session(api, rev, &id);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            /* the store takes no more calls now */
            rev->worst = RS_E_UNAVAILABLE;
            break;
        }
    }

    rev->rounds++;

    return ngx_http_rs_api_revoke_next(api, rev);
}


static ngx_int_t
ngx_http_rs_api_revoke_session(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev, ngx_str_t *session_id)
{
    ngx_str_t                   reason, detail, any;
    ngx_pool_t                 *pool;
    ngx_http_rs_api_op_t       *aop;
    ngx_http_rs_caller_t        self;
    ngx_http_rs_api_revoked_t  *one;

    ngx_str_set(&reason, "policy");
    ngx_str_null(&any);
    detail.data = (u_char *) rev->detail;
    detail.len = ngx_strlen(rev->detail);

    ngx_http_rs_caller_self(&self, &rev->tenants[rev->i]);

    pool = api->request->pool;

    one = ngx_palloc(pool, sizeof(ngx_http_rs_api_revoked_t));
    if (one == NULL) {
        return NGX_ERROR;
    }

    one->rev = rev;
    one->session_id.len = session_id->len;
    one->session_id.data = ngx_pstrdup(pool, session_id);
    if (one->session_id.data == NULL) {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_revoke_ended, one);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_end(aop->op, &self,
                                             session_id, &reason, &detail,
                                             &any));
}


static ngx_int_t
ngx_http_rs_api_revoke_ended(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_revoked_t *one = data;

    ngx_str_t                 *ended;
    ngx_http_rs_api_revoke_t  *rev;

    rev = one->rev;

    /* not_found: its time was over */

    if (code == RS_OK || code == RS_E_UNCERTAIN || code == RS_E_NOT_FOUND) {
        ended = ngx_array_push(&rev->ended);
        if (ended == NULL) {
            return NGX_ERROR;
        }

        *ended = one->session_id;
    }

    if (code == RS_E_UNCERTAIN) {

        if (rev->worst == RS_OK) {
            rev->worst = code;
        }

    } else if (code != RS_OK && code != RS_E_NOT_FOUND) {
        rev->worst = RS_E_UNAVAILABLE;
    }

    return ngx_http_rs_api_revoke_next(api, rev);
}


/* the next round, or the answer, when nothing is under way any more */

static ngx_int_t
ngx_http_rs_api_revoke_next(ngx_http_rs_api_t *api,
    ngx_http_rs_api_revoke_t *rev)
{
    if (!ngx_queue_empty(&api->ops)) {
        return NGX_DONE;
    }

    if (rev->rounds == NGX_HTTP_RS_API_REVOKE_ROUNDS) {
        rev->worst = RS_E_UNAVAILABLE;
    }

    if (rev->worst != RS_E_UNAVAILABLE && rev->i < rev->n) {

        if (rev->rounds == 0) {
            rev->caller = api->caller;
        }

        return ngx_http_rs_api_revoke_step(api, rev);
    }

    if (rev->worst == RS_OK) {
        return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
    }

    return ngx_http_rs_api_fail(api, rev->worst,
                                (rev->worst == RS_E_UNCERTAIN) ? NULL
                                : "the tokens are refused, but not all "
                                  "sessions could be ended; repeat the call",
                                NULL);
}
