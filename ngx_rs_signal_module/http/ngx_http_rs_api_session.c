
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sessions and their participants.
 *
 * A ticket names its session and is kept as a hash, so tickets are made
 * before the store is asked, and made again when an Idempotency-Key turns out
 * to stand for an earlier session: the object is the same, the secrets are
 * new.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_weburl.h"


#define NGX_HTTP_RS_API_RELAY  5       /* numbers of what was relayed */


typedef struct {
    json_t                           *host;
    json_t                           *policy;
    json_t                           *participants;
    json_t                           *metadata;
    rs_str_t                          external_id;
    rs_str_t                          reason;
    int64_t                           ttl_s;
} ngx_http_rs_api_session_body_t;

typedef struct {
    unsigned                          type;
    rs_str_t                          device_id;
    rs_str_t                          url;
    int64_t                           width;
    int64_t                           height;
} ngx_http_rs_api_host_body_t;

typedef struct {
    int                               relay_only;
    unsigned                          consent;
    int                               view_only;
    unsigned                          clipboard;
    unsigned                          files;
    int                               sound;
    unsigned                          recording;
    unsigned                          recorder_lost;
    ngx_http_rs_api_page_body_t       page;
} ngx_http_rs_api_policy_body_t;

/* of the last two: nothing was said, where their names end */
#define NGX_HTTP_RS_API_NO_RECORDING  3
#define NGX_HTTP_RS_API_NO_LOSS       2


/* one POST /sessions */

typedef struct {
    ngx_http_rs_store_session_t       s;
    ngx_array_t                       participants;  /* s.participants */
    ngx_array_t                       tickets;       /* of ngx_str_t */
    ngx_uint_t                        retry;
    json_t                           *host;          /* a rendered one, or
                                                        NULL */
    ngx_http_rs_store_page_t          page;
    ngx_http_rs_api_places_t          places;
} ngx_http_rs_api_create_t;

/* types of hosts */
#define NGX_HTTP_RS_API_HOST_DEVICE   0
#define NGX_HTTP_RS_API_HOST_RENDER   2

/* bits of what a host of another type has not */
#define NGX_HTTP_RS_API_HOST_PAGE     (0x4|0x8|0x10)
#define NGX_HTTP_RS_API_POLICY_PAGE   (0x100|0x200|0x400|0x800)


static ngx_int_t ngx_http_rs_api_session_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c);
static ngx_int_t ngx_http_rs_api_session_read_host(ngx_http_rs_api_t *api,
    ngx_http_rs_api_session_body_t *body, ngx_http_rs_api_create_t *c);
static ngx_int_t ngx_http_rs_api_session_check_host(ngx_http_rs_api_t *api,
    ngx_http_rs_api_host_body_t *host, uint32_t present);
static ngx_int_t ngx_http_rs_api_session_read_render(ngx_http_rs_api_t *api,
    ngx_http_rs_api_host_body_t *host, ngx_http_rs_api_policy_body_t *policy,
    uint32_t present, ngx_http_rs_api_create_t *c);
static ngx_int_t ngx_http_rs_api_session_read_participants(
    ngx_http_rs_api_t *api, json_t *list, ngx_http_rs_api_create_t *c);
static ngx_int_t ngx_http_rs_api_session_place(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c);
static ngx_int_t ngx_http_rs_api_session_placed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_session_send(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c);
static ngx_int_t ngx_http_rs_api_session_tickets(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c, ngx_str_t *session_id);
static ngx_int_t ngx_http_rs_api_session_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_session_again(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c, ngx_str_t *session_id);
static ngx_int_t ngx_http_rs_api_session_undo(ngx_http_rs_api_t *api,
    ngx_str_t *session_id);
static ngx_int_t ngx_http_rs_api_session_undone(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_session_answer(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_session_check(ngx_http_rs_api_t *api,
    ngx_str_t *values);
static ngx_uint_t ngx_http_rs_api_session_pass(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply, ngx_str_t *values);
static json_t *ngx_http_rs_api_session_relay(int64_t *sums);
static json_t *ngx_http_rs_api_session_relayed(ngx_rs_reply_t *use,
    ngx_str_t *id, int64_t *sums);
static json_t *ngx_http_rs_api_session_make(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_session_got(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_session_ended(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_session_json(ngx_rs_reply_t *obj);
static json_t *ngx_http_rs_api_session_kept(ngx_rs_reply_t *obj);


static const char *const  ngx_http_rs_api_host_types[] =
    { "device", "browser", "render", NULL };

static const char *const  ngx_http_rs_api_states[] =
    { "waiting_host", "waiting_consent", "waiting_recorder", "connecting",
      "active", "ended", NULL };


static const rs_json_field_t  ngx_http_rs_api_session_fields[] = {
    { "host", RS_JSON_OBJECT, RS_JSON_REQUIRED, 0, 0,
      offsetof(ngx_http_rs_api_session_body_t, host), NULL, NULL, NULL },
    { "policy", RS_JSON_OBJECT, 0, 0, 0,
      offsetof(ngx_http_rs_api_session_body_t, policy), NULL, NULL, NULL },
    { "participants", RS_JSON_ARRAY, 0, 0, 64,
      offsetof(ngx_http_rs_api_session_body_t, participants),
      NULL, NULL, NULL },
    { "external_id", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_session_body_t, external_id),
      NULL, NULL, NULL },
    { "reason", RS_JSON_TEXT, 0, 1, NGX_HTTP_RS_API_REASON_MAX,
      offsetof(ngx_http_rs_api_session_body_t, reason), NULL, NULL, NULL },
    { "metadata", RS_JSON_OBJECT, 0, 0, NGX_HTTP_RS_API_JSON_MAX,
      offsetof(ngx_http_rs_api_session_body_t, metadata), NULL, NULL, NULL },
    { "ttl_s", RS_JSON_INT, 0, 1, NGX_MAX_INT32_VALUE,
      offsetof(ngx_http_rs_api_session_body_t, ttl_s), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_host_fields[] = {
    { "type", RS_JSON_ENUM, RS_JSON_REQUIRED, 0, 0,
      offsetof(ngx_http_rs_api_host_body_t, type),
      ngx_http_rs_api_host_types, NULL, NULL },
    { "device_id", RS_JSON_STRING, 0, 1, RS_ID_LEN,
      offsetof(ngx_http_rs_api_host_body_t, device_id),
      NULL, rs_id_check_device, "a device's id, \"dev_...\"" },
    { "url", RS_JSON_STRING, 0, 1, RS_WEBURL_MAX,
      offsetof(ngx_http_rs_api_host_body_t, url),
      NULL, ngx_http_rs_api_page_url,
      "an address of a page, http:// or https://, of at most 2048 bytes" },
    { "width", RS_JSON_INT, 0, 320, 1920,
      offsetof(ngx_http_rs_api_host_body_t, width), NULL, NULL, NULL },
    { "height", RS_JSON_INT, 0, 240, 1200,
      offsetof(ngx_http_rs_api_host_body_t, height), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_policy_fields[] = {
    { "relay_only", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, relay_only), NULL, NULL, NULL },
    { "consent", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, consent),
      ngx_http_rs_api_consents, NULL, NULL },
    { "view_only", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, view_only), NULL, NULL, NULL },
    { "clipboard", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, clipboard),
      ngx_http_rs_api_ways, NULL, NULL },
    { "files", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, files),
      ngx_http_rs_api_ways, NULL, NULL },
    { "sound", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, sound), NULL, NULL, NULL },
    { "recording", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, recording),
      ngx_http_rs_api_recordings, NULL, NULL },
    { "recorder_lost", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, recorder_lost),
      ngx_http_rs_api_losses, NULL, NULL },
    NGX_HTTP_RS_API_PAGE_FIELDS(ngx_http_rs_api_policy_body_t)
};


/* in the order of an answer */

static const ngx_http_rs_api_field_t  ngx_http_rs_api_session_head[] = {
    { "id", ngx_http_rs_api_text },
    { "kind", ngx_http_rs_api_text },
    { "state", ngx_http_rs_api_text },
    { NULL, NULL }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_session_tail[] = {
    { "policy", ngx_http_rs_api_stored },
    { "group_id", ngx_http_rs_api_text },
    { "user_id", ngx_http_rs_api_text },
    { "external_id", ngx_http_rs_api_text },
    { "reason", ngx_http_rs_api_text },
    { "metadata", ngx_http_rs_api_stored },
    { "created_at", ngx_http_rs_api_number },
    { "expires_at", ngx_http_rs_api_number },
    { "ended_at", ngx_http_rs_api_number },
    { "end_reason", ngx_http_rs_api_text },
    { "end_detail", ngx_http_rs_api_text },
    { "path", ngx_http_rs_api_stored },
    { "control", ngx_http_rs_api_stored },
    { "queue", ngx_http_rs_api_number },
    { NULL, NULL }
};


/* filters; values in this order */

#define NGX_HTTP_RS_API_STATE        0
#define NGX_HTTP_RS_API_DEVICE_ID    1
#define NGX_HTTP_RS_API_EXTERNAL_ID  2

static const ngx_http_rs_api_list_t  ngx_http_rs_api_sessions = {
    NGX_HTTP_RS_STORE_SESSIONS,
    { ngx_string("state"), ngx_string("device_id"),
      ngx_string("external_id"), ngx_null_string },
    ngx_http_rs_api_session_check,
    ngx_http_rs_store_session_get,
    ngx_http_rs_api_session_pass,
    ngx_http_rs_api_session_make
};


/* POST /sessions */

ngx_int_t
ngx_http_rs_api_session_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                  rc;
    ngx_pool_t                *pool;
    ngx_http_rs_api_create_t  *c;

    pool = api->request->pool;

    c = ngx_pcalloc(pool, sizeof(ngx_http_rs_api_create_t));
    if (c == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_session_read(api, c);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    c->s.idem = api->idem;
    c->s.body_hash = api->body_hash;
    c->s.retain = api->rlcf->session_retain;
    c->s.max_participants = api->rlcf->max_participants;

    if (ngx_http_rs_api_quota(api, api->rlcf->max_sessions,
                              &c->s.max_sessions)
        != NGX_OK
        || ngx_http_rs_api_new_id(pool, RS_ID_SESSION, &c->s.id) != NGX_OK
        || ngx_http_rs_api_new_id(pool, RS_ID_PARTICIPANT,
                                  &c->s.host_participant)
           != NGX_OK
        || ngx_http_rs_api_session_tickets(api, c, &c->s.id) != NGX_OK
        || ngx_http_rs_api_web(api, &c->page, c->host, &c->participants,
                               &c->s.web)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return c->host ? ngx_http_rs_api_session_place(api, c)
                   : ngx_http_rs_api_session_send(api, c);
}


/* a renderer for it */

static ngx_int_t
ngx_http_rs_api_session_place(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c)
{
    ngx_str_t              none;
    ngx_http_rs_api_op_t  *aop;

    ngx_str_null(&none);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_session_placed, c);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_service_place(aop->op,
                                             &api->caller.tenant, "renderer",
                                             NGX_HTTP_RS_API_PLACES, &none));
}


/*
 * Without one, too, the store is asked: it may be an earlier request, and who
 * may make no session is not told who is here.
 */

static ngx_int_t
ngx_http_rs_api_session_placed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_create_t *c = data;

    if (code == RS_E_UNAVAILABLE || code == RS_E_INTERNAL) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    if (ngx_http_rs_api_places(api, &c->places, code, reply) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_http_rs_api_places_next(&c->places, &c->s.device_id);

    return ngx_http_rs_api_session_send(api, c);
}


static ngx_int_t
ngx_http_rs_api_session_send(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_session_created, c);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    api->ctx->device_id = c->s.device_id;

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_create(aop->op,
                                                    &api->caller, &c->s));
}


/* this and those below: NGX_DECLINED when the answer is set */

static ngx_int_t
ngx_http_rs_api_session_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c)
{
    ngx_int_t                       rc;
    ngx_http_rs_api_session_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = api->rlcf->session_ttl;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_session_fields,
                         NGX_HTTP_RS_API_N(ngx_http_rs_api_session_fields),
                         &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_ttl(api, "/ttl_s", body.ttl_s,
                                       api->rlcf->session_ttl);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_session_read_host(api, &body, c);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_session_read_participants(api, body.participants,
                                                       c);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    c->s.ttl = body.ttl_s;
    c->s.external_id = ngx_http_rs_str(body.external_id);
    c->s.reason = ngx_http_rs_str(body.reason);

    if (body.metadata) {
        return ngx_http_rs_api_dump(api->request->pool, body.metadata, 0,
                                    &c->s.metadata);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_session_read_host(ngx_http_rs_api_t *api,
    ngx_http_rs_api_session_body_t *body, ngx_http_rs_api_create_t *c)
{
    uint32_t                       present, asked;
    ngx_int_t                      rc;
    ngx_http_rs_api_host_body_t    host;
    ngx_http_rs_api_policy_body_t  policy;

    ngx_memzero(&host, sizeof(host));
    ngx_memzero(&policy, sizeof(policy));
    asked = 0;
    host.width = 1280;
    host.height = 720;
    policy.relay_only = -1;
    policy.sound = 1;
    policy.recording = NGX_HTTP_RS_API_NO_RECORDING;
    policy.recorder_lost = NGX_HTTP_RS_API_NO_LOSS;

    rc = ngx_http_rs_api_read_present(api, body->host,
                            ngx_http_rs_api_host_fields,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_host_fields),
                            &host, "/host", &present);

    if (rc == NGX_OK && body->policy) {
        rc = ngx_http_rs_api_read_present(api, body->policy,
                            ngx_http_rs_api_policy_fields,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_policy_fields),
                            &policy, "/policy", &asked);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_session_check_host(api, &host, present);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_session_read_render(api, &host, &policy, asked,
                                                 c);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    c->s.device_id = ngx_http_rs_str(host.device_id);

    c->s.relay_only = (policy.relay_only == -1) ? (c->host != NULL)
                                                : policy.relay_only;
    c->s.consent = ngx_http_rs_str(rs_str(
                                 ngx_http_rs_api_consents[policy.consent]));
    c->s.desktop.view_only = policy.view_only;
    c->s.desktop.clipboard = ngx_http_rs_str(rs_str(
                                   ngx_http_rs_api_ways[policy.clipboard]));
    c->s.desktop.files = ngx_http_rs_str(rs_str(
                                       ngx_http_rs_api_ways[policy.files]));
    c->s.desktop.sound = policy.sound;

    if (policy.recording != NGX_HTTP_RS_API_NO_RECORDING) {
        c->s.desktop.recording = ngx_http_rs_str(rs_str(
                                ngx_http_rs_api_recordings[policy.recording]));
    }

    if (policy.recorder_lost != NGX_HTTP_RS_API_NO_LOSS) {
        c->s.desktop.recorder_lost = ngx_http_rs_str(rs_str(
                                ngx_http_rs_api_losses[policy.recorder_lost]));
    }

    return NGX_OK;
}


/* does it say what one of its type has, and no more? */

static ngx_int_t
ngx_http_rs_api_session_check_host(ngx_http_rs_api_t *api,
    ngx_http_rs_api_host_body_t *host, uint32_t present)
{
    const char  *wrong, *pointer;

    wrong = NULL;
    pointer = "/host/device_id";

    if (host->type == NGX_HTTP_RS_API_HOST_DEVICE) {
        if (host->device_id.len == 0) {
            wrong = "a device is named by device_id";
        }

    } else if (host->device_id.len) {
        wrong = "a browser has no device_id";
    }

    if (wrong == NULL && host->type != NGX_HTTP_RS_API_HOST_RENDER
        && (present & NGX_HTTP_RS_API_HOST_PAGE))
    {
        wrong = "only a host of type \"render\" has url, width and height";
        pointer = "/host/type";
    }

    if (wrong == NULL && (host->width & 1)) {
        wrong = "must be even";
        pointer = "/host/width";
    }

    if (wrong == NULL && (host->height & 1)) {
        wrong = "must be even";
        pointer = "/host/height";
    }

    if (wrong == NULL) {
        return NGX_OK;
    }

    ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE, wrong, pointer);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rs_api_session_read_render(ngx_http_rs_api_t *api,
    ngx_http_rs_api_host_body_t *host, ngx_http_rs_api_policy_body_t *policy,
    uint32_t present, ngx_http_rs_api_create_t *c)
{
    const char  *wrong, *pointer;

    wrong = NULL;
    pointer = "/policy";

    if (host->type != NGX_HTTP_RS_API_HOST_RENDER) {

        if (present & NGX_HTTP_RS_API_POLICY_PAGE) {
            wrong = "only a rendered session has pages, and so urls, mask, "
                    "no_submit and downloads";
        }

    } else if (policy->consent) {
        wrong = "nobody is at a rendered browser who could be asked";
        pointer = "/policy/consent";
    }

    if (wrong) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE, wrong, pointer);
        return NGX_DECLINED;
    }

    if (host->type != NGX_HTTP_RS_API_HOST_RENDER) {
        return NGX_OK;
    }

    /* of the body, which goes with the request */

    c->host = json_object_get(api->body, "host");

    if (json_object_set_new(c->host, "width", json_integer(host->width)) != 0
        || json_object_set_new(c->host, "height",
                               json_integer(host->height))
           != 0)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_page_read(api, &policy->page, "/policy",
                                     &c->page);
}


static ngx_int_t
ngx_http_rs_api_session_read_participants(ngx_http_rs_api_t *api,
    json_t *list, ngx_http_rs_api_create_t *c)
{
    char                                base[sizeof("/participants/99")];
    size_t                              i;
    json_t                             *item;
    rs_err_e                            code;
    ngx_int_t                           rc;
    ngx_uint_t                          max;
    ngx_http_rs_store_participant_t    *p;

    max = api->rlcf->max_participants - 1;

    if (json_array_size(list) > max) {
        code = rs_json_fail(&api->err, RS_E_INVALID_VALUE, "/participants",
                            "must have at most %lu elements",
                            (unsigned long) max);
        ngx_http_rs_api_invalid(api, code);

        return NGX_DECLINED;
    }

    if (ngx_array_init(&c->participants, api->request->pool,
                       ngx_max(json_array_size(list), 1),
                       sizeof(ngx_http_rs_store_participant_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->s.participants = &c->participants;

    json_array_foreach(list, i, item) {

        ngx_sprintf((u_char *) base, "/participants/%uz%Z", i);

        p = ngx_array_push(&c->participants);
        if (p == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_http_rs_api_participant_read(api, item, base, p);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_session_tickets(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c, ngx_str_t *session_id)
{
    ngx_str_t                        *ticket;
    ngx_uint_t                        i;
    ngx_http_rs_store_participant_t  *p;

    if (ngx_array_init(&c->tickets, api->request->pool,
                       ngx_max(c->participants.nelts, 1), sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = c->participants.elts;

    for (i = 0; i < c->participants.nelts; i++) {

        ticket = ngx_array_push(&c->tickets);

        if (ticket == NULL
            || ngx_http_rs_api_ticket(api, session_id, &p[i], ticket)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_session_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_create_t *c = data;

    ngx_str_t  what, id, owner;

    if (c->host
        && (code == RS_E_DEVICE_OFFLINE || code == RS_E_RENDERERS_FULL))
    {
        if (c->places.n == 0) {
            code = c->places.why;

        } else if (ngx_http_rs_api_places_next(&c->places, &c->s.device_id)) {
            return ngx_http_rs_api_session_send(api, c);
        }

        return ngx_http_rs_api_places_fail(api, code);
    }

    if (code == RS_E_NOT_FOUND) {
        return ngx_http_rs_api_fail(api, code, "there is no such device",
                                    "/host/device_id");
    }

    if (code == RS_E_RECORDER_OFFLINE) {
        return ngx_http_rs_api_fail(api, code,
                                    "the session has to be recorded, and no "
                                    "recorder is here and has a place",
                                    "/policy/recording");
    }

    if (code == RS_E_FORBIDDEN) {
        what = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&what), RS_STR("recording"))) {
            return ngx_http_rs_api_fail(api, code,
                                        "a policy says that sessions here "
                                        "are not recorded; ask for "
                                        "\"off\", or for nothing",
                                        "/policy/recording");
        }
    }

    if (code == RS_E_INVALID_VALUE) {
        return ngx_http_rs_api_fail(api, code,
                                    "this device is a service: it is asked "
                                    "into sessions by the gateway",
                                    "/host/device_id");
    }

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    what = ngx_rs_reply_str(reply, 1);

    if (rs_str_eq(ngx_http_rs_slice(&what), RS_STR("created"))) {

        ngx_http_rs_count(api->rmcf, NGX_HTTP_RS_STAT_SESSION_CREATED);

        owner = ngx_rs_reply_str(reply, 3);

        if (c->s.device_id.len
            && !ngx_http_rs_presence_live(api->rmcf->presence, &owner))
        {
            return ngx_http_rs_api_session_undo(api, &c->s.id);
        }

        return ngx_http_rs_api_session_answer(api, c, reply);
    }

    id = ngx_rs_reply_str(reply, 2);

    if (ngx_rs_reply_count(reply) == 3 && !c->retry) {
        return ngx_http_rs_api_session_again(api, c, &id);
    }

    return ngx_http_rs_api_session_answer(api, c, reply);
}


/* the Idempotency-Key stands for this session */

static ngx_int_t
ngx_http_rs_api_session_again(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c, ngx_str_t *session_id)
{
    ngx_http_rs_api_op_t  *aop;

    c->retry = 1;

    if (ngx_http_rs_api_session_tickets(api, c, session_id) != NGX_OK) {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_session_created, c);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_retry(aop->op,
                                                 &api->caller, session_id,
                                                 &c->participants));
}


/*
 * The record names an owner whose worker is gone: nobody hears the
 * invitation, so the session ends before anybody waits in it.
 */

static ngx_int_t
ngx_http_rs_api_session_undo(ngx_http_rs_api_t *api, ngx_str_t *session_id)
{
    ngx_str_t              reason, detail, any;
    ngx_http_rs_api_op_t  *aop;
    ngx_http_rs_caller_t   self;

    ngx_str_set(&reason, "host_lost");
    ngx_str_set(&detail, "device offline");
    ngx_str_null(&any);

    ngx_http_rs_caller_self(&self, &api->caller.tenant);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_session_undone, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_end(aop->op, &self,
                                             session_id, &reason, &detail,
                                             &any));
}


static ngx_int_t
ngx_http_rs_api_session_undone(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    return ngx_http_rs_api_fail(api, RS_E_DEVICE_OFFLINE, NULL,
                                "/host/device_id");
}


static ngx_int_t
ngx_http_rs_api_session_answer(ngx_http_rs_api_t *api,
    ngx_http_rs_api_create_t *c, ngx_rs_reply_t *reply)
{
    json_t                           *list;
    int64_t                           now;
    ngx_str_t                         id, *ticket;
    ngx_uint_t                        i;
    ngx_rs_reply_t                   *obj, *parts;
    ngx_http_rs_store_participant_t  *p;

    now = ngx_rs_reply_int(reply, 2);
    obj = ngx_rs_reply_at(reply, 4);
    parts = ngx_rs_reply_at(reply, 6);

    if (ngx_rs_reply_count(parts) != c->participants.nelts) {
        return NGX_ERROR;
    }

    list = json_array();
    api->json = ngx_http_rs_api_session_json(obj);

    if (json_object_set_new(api->json, "participants", list) != 0) {
        return NGX_ERROR;
    }

    p = c->participants.elts;
    ticket = c->tickets.elts;

    for (i = 0; i < c->participants.nelts; i++) {

        if (json_array_append_new(list,
                      ngx_http_rs_api_guest_json(api,
                                                 ngx_rs_reply_at(parts, i),
                                                 &ticket[i],
                                                 now + p[i].ticket_ttl))
            != 0)
        {
            return NGX_ERROR;
        }
    }

    id = ngx_rs_reply_field(obj, "id");

    if (ngx_http_rs_api_location(api, "/sessions", &id) != NGX_OK) {
        return NGX_ERROR;
    }

    /* id is of the reply, the variable is read later */

    api->ctx->session_id.len = id.len;
    api->ctx->session_id.data = api->location.data + api->location.len
                                - id.len;

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
}


/* GET /sessions */

ngx_int_t
ngx_http_rs_api_session_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_list(api, &ngx_http_rs_api_sessions);
}


static ngx_int_t
ngx_http_rs_api_session_check(ngx_http_rs_api_t *api, ngx_str_t *values)
{
    ngx_str_t   *state, *device_id;
    ngx_uint_t   i;

    state = &values[NGX_HTTP_RS_API_STATE];
    device_id = &values[NGX_HTTP_RS_API_DEVICE_ID];

    if (state->len) {

        for (i = 0; ngx_http_rs_api_states[i]; i++) {
            if (rs_str_eq(ngx_http_rs_slice(state),
                          rs_str(ngx_http_rs_api_states[i])))
            {
                break;
            }
        }

        if (ngx_http_rs_api_states[i] == NULL) {
            ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                 "\"state\" must be waiting_host, "
                                 "waiting_consent, waiting_recorder, "
                                 "connecting, active or ended", NULL);
            return NGX_DECLINED;
        }
    }

    if (device_id->len
        && rs_id_check_device(ngx_http_rs_slice(device_id)) != RS_OK)
    {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "\"device_id\" must be an id \"dev_...\"", NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rs_api_session_pass(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply,
    ngx_str_t *values)
{
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_rs_reply_t  *obj;

    static const char  *names[] = { "state", "device_id", "external_id" };

    obj = ngx_rs_reply_at(reply, 1);

    for (i = 0; i < NGX_HTTP_RS_API_N(names); i++) {

        if (values[i].len == 0) {
            continue;
        }

        s = ngx_rs_reply_field(obj, names[i]);

        if (!rs_str_eq(ngx_http_rs_slice(&s), ngx_http_rs_slice(&values[i])))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * What went through TURN servers, by the client's view: what a server receives
 * from him he has sent.  NULL: no memory.
 */

static json_t *
ngx_http_rs_api_session_relay(int64_t *sums)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}",
                     "allocations", (json_int_t) sums[0],
                     "packets_sent", (json_int_t) sums[1],
                     "bytes_sent", (json_int_t) sums[2],
                     "packets_received", (json_int_t) sums[3],
                     "bytes_received", (json_int_t) sums[4]);
}


/* of one participant; added to the sums of the session */

static json_t *
ngx_http_rs_api_session_relayed(ngx_rs_reply_t *use, ngx_str_t *id,
    int64_t *sums)
{
    int64_t      own[NGX_HTTP_RS_API_RELAY];
    ngx_str_t    s;
    ngx_uint_t   i, k;

    static const char  *names[NGX_HTTP_RS_API_RELAY] = {
        "allocations", "rcvp", "rcvb", "sentp", "sentb"
    };

    ngx_memzero(own, sizeof(own));

    for (i = 0; i < ngx_rs_reply_count(use); i++) {

        s = ngx_rs_reply_field(ngx_rs_reply_at(use, i), "id");

        if (!rs_str_eq(ngx_http_rs_slice(&s), ngx_http_rs_slice(id))) {
            continue;
        }

        for (k = 0; k < NGX_HTTP_RS_API_RELAY; k++) {
            s = ngx_rs_reply_field(ngx_rs_reply_at(use, i), names[k]);
            own[k] = ngx_max(ngx_atotm(s.data, s.len), 0);
            sums[k] += own[k];
        }
    }

    return ngx_http_rs_api_session_relay(own);
}


/* a reply of rs_session_get */

static json_t *
ngx_http_rs_api_session_make(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply)
{
    json_t          *json, *list, *part;
    int64_t          sums[NGX_HTTP_RS_API_RELAY];
    ngx_str_t        id;
    ngx_uint_t       i;
    ngx_rs_reply_t  *parts;

    ngx_memzero(sums, sizeof(sums));

    parts = ngx_rs_reply_at(reply, 2);

    list = json_array();
    json = ngx_http_rs_api_session_json(ngx_rs_reply_at(reply, 1));

    if (json_object_set_new(json, "participants", list) != 0) {
        goto failed;
    }

    for (i = 0; i < ngx_rs_reply_count(parts); i++) {

        part = ngx_http_rs_api_participant_json(ngx_rs_reply_at(parts, i));
        id = ngx_rs_reply_field(ngx_rs_reply_at(parts, i), "id");

        if (json_array_append_new(list, part) != 0
            || json_object_set_new(part, "relay",
                                   ngx_http_rs_api_session_relayed(
                                             ngx_rs_reply_at(reply, 3), &id,
                                             sums))
               != 0)
        {
            goto failed;
        }
    }

    if (json_object_set_new(json, "relay",
                            ngx_http_rs_api_session_relay(sums))
        != 0)
    {
        goto failed;
    }

    return json;

failed:

    json_decref(json);

    return NULL;
}


/* GET /sessions/{id} */

ngx_int_t
ngx_http_rs_api_session_get(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    api->ctx->session_id = api->id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_session_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_get(aop->op,
                                                 &api->caller, &api->id));
}


static ngx_int_t
ngx_http_rs_api_session_got(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_str_t  kind;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    /* those that only stand behind TURN credentials are nobody's business */

    kind = ngx_rs_reply_field(ngx_rs_reply_at(reply, 1), "kind");

    if (!rs_str_eq(ngx_http_rs_slice(&kind), RS_STR("device"))) {
        return ngx_http_rs_api_fail(api, RS_E_NOT_FOUND, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_session_make(api, reply));
}


/* DELETE /sessions/{id} */

ngx_int_t
ngx_http_rs_api_session_end(ngx_http_rs_api_t *api)
{
    ngx_str_t              reason, none;
    ngx_http_rs_api_op_t  *aop;

    ngx_str_set(&reason, "deleted");
    ngx_str_null(&none);

    api->ctx->session_id = api->id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_session_ended, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_end(aop->op,
                                             &api->caller, &api->id, &reason,
                                             &none, &none));
}


static ngx_int_t
ngx_http_rs_api_session_ended(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}


/* null: it is not to be kept */

static json_t *
ngx_http_rs_api_session_kept(ngx_rs_reply_t *obj)
{
    ngx_str_t  state;

    state = ngx_rs_reply_field(obj, "rec_state");

    if (state.len == 0) {
        return json_null();
    }

    return json_pack("{s:o, s:o}", "state", ngx_http_rs_api_text(state),
                     "recording_id",
                     ngx_http_rs_api_text(ngx_rs_reply_field(obj, "rec_id")));
}


/* without participants; NULL: no memory */

static json_t *
ngx_http_rs_api_session_json(ngx_rs_reply_t *obj)
{
    json_t     *json, *host;
    ngx_str_t   device_id, text;

    json = json_object();
    device_id = ngx_rs_reply_field(obj, "device_id");
    text = ngx_rs_reply_field(obj, "host");

    host = text.len ? ngx_http_rs_api_stored(text)
                    : json_pack("{s:s}", "type",
                                device_id.len ? "device" : "browser");

    if (ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_session_head)
        != NGX_OK
        || json_object_set_new(host, "device_id",
                               ngx_http_rs_api_text(device_id))
           != 0
        || json_object_set(json, "host", host) != 0
        || ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_session_tail)
           != NGX_OK
        || json_object_set_new(json, "recording",
                               ngx_http_rs_api_session_kept(obj))
           != 0)
    {
        json_decref(json);
        json = NULL;
    }

    json_decref(host);

    return json;
}
