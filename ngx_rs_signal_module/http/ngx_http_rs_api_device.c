
/*
 * Copyright (C) rs-gateway contributors
 *
 * Devices: enrolling, presence, changing, removing.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_code.h"
#include "rs_devkey.h"
#include "rs_utf8.h"


typedef struct {
    rs_str_t    enrollment;
    rs_str_t    public_key;
    rs_str_t    name;
    json_t     *meta;
} ngx_http_rs_api_device_body_t;

typedef struct {
    rs_str_t    name;
    json_t     *tags;
    rs_str_t    group_id;
} ngx_http_rs_api_patch_body_t;

/* ends one thing a removed device had */
typedef ngx_int_t (*ngx_http_rs_api_device_end_pt)(ngx_http_rs_api_t *api,
    ngx_str_t *id, rs_err_e *worst);


static ngx_int_t ngx_http_rs_api_device_meta(ngx_http_rs_api_t *api,
    json_t *meta, ngx_str_t *text);
static ngx_int_t ngx_http_rs_api_device_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_device_check(ngx_http_rs_api_t *api,
    ngx_str_t *values);
static ngx_uint_t ngx_http_rs_api_device_pass(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply, ngx_str_t *values);
static json_t *ngx_http_rs_api_device_make(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_device_got(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_device_changes(ngx_http_rs_api_t *api,
    ngx_str_t *fields, ngx_uint_t *n);
static ngx_int_t ngx_http_rs_api_device_deleted(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_device_removed(ngx_http_rs_api_t *api,
    rs_err_e worst);
static ngx_int_t ngx_http_rs_api_device_ends(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *ids, ngx_http_rs_api_device_end_pt end, rs_err_e *worst);
static ngx_int_t ngx_http_rs_api_device_session(ngx_http_rs_api_t *api,
    ngx_str_t *session_id, rs_err_e *worst);
static ngx_int_t ngx_http_rs_api_device_kept(ngx_http_rs_api_t *api,
    ngx_str_t *session_id, rs_err_e *worst);
static ngx_int_t ngx_http_rs_api_device_tunnel(ngx_http_rs_api_t *api,
    ngx_str_t *tunnel_id, rs_err_e *worst);
static ngx_int_t ngx_http_rs_api_device_session_ended(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_device_tunnel_ended(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_device_port_freed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static void ngx_http_rs_api_device_worse(rs_err_e *worst, rs_err_e code);
static ngx_uint_t ngx_http_rs_api_device_online(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *obj);
static json_t *ngx_http_rs_api_device_json(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *obj);


static const rs_json_field_t  ngx_http_rs_api_device_fields[] = {
    { "enrollment", RS_JSON_STRING, RS_JSON_REQUIRED, 1, 512,
      offsetof(ngx_http_rs_api_device_body_t, enrollment),
      NULL, NULL, NULL },
    { "public_key", RS_JSON_STRING, RS_JSON_REQUIRED, 1, 512,
      offsetof(ngx_http_rs_api_device_body_t, public_key),
      NULL, rs_devkey_check,
      "base64url of the 32 bytes of an Ed25519 public key" },
    { "name", RS_JSON_STRING, RS_JSON_REQUIRED, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_device_body_t, name), NULL, NULL, NULL },
    { "meta", RS_JSON_OBJECT, 0, 0, NGX_HTTP_RS_API_JSON_MAX,
      offsetof(ngx_http_rs_api_device_body_t, meta), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_patch_fields[] = {
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_patch_body_t, name), NULL, NULL, NULL },
    { "tags", RS_JSON_ARRAY, RS_JSON_NULL, 0, NGX_HTTP_RS_API_TAGS_MAX,
      offsetof(ngx_http_rs_api_patch_body_t, tags), NULL, NULL, NULL },
    { "group_id", RS_JSON_STRING, RS_JSON_NULL, 1, RS_ID_LEN,
      offsetof(ngx_http_rs_api_patch_body_t, group_id),
      NULL, rs_id_check_group, "an id \"grp_...\"" }
};


/* bits of the above */

#define NGX_HTTP_RS_API_PATCH_NAME   0x1
#define NGX_HTTP_RS_API_PATCH_TAGS   0x2
#define NGX_HTTP_RS_API_PATCH_GROUP  0x4


static json_t *ngx_http_rs_api_history(ngx_str_t s);
static ngx_int_t ngx_http_rs_api_device_enrollment(ngx_http_rs_api_t *api,
    rs_str_t text, ngx_str_t *tenant, ngx_http_rs_store_device_t *d);


static const ngx_http_rs_api_field_t  ngx_http_rs_api_device_head[] = {
    { "id", ngx_http_rs_api_text },
    { "name", ngx_http_rs_api_text },
    { "tags", ngx_http_rs_api_stored },
    { "group_id", ngx_http_rs_api_text },
    { "meta", ngx_http_rs_api_stored },
    { "kind", ngx_http_rs_api_text },
    { NULL, NULL }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_device_tail[] = {
    { "created_at", ngx_http_rs_api_number },
    { "connected_at", ngx_http_rs_api_number },
    { "last_seen_at", ngx_http_rs_api_number },
    { "agent", ngx_http_rs_api_stored },
    { "load", ngx_http_rs_api_stored },
    { "public_key", ngx_http_rs_api_text },
    { "key_history", ngx_http_rs_api_history },
    { NULL, NULL }
};


/* filters; values in this order */

#define NGX_HTTP_RS_API_ONLINE    0
#define NGX_HTTP_RS_API_TAG       1
#define NGX_HTTP_RS_API_GROUP_ID  2
#define NGX_HTTP_RS_API_KIND      3

static const ngx_http_rs_api_list_t  ngx_http_rs_api_devices = {
    NGX_HTTP_RS_STORE_DEVICES,
    { ngx_string("online"), ngx_string("tag"), ngx_string("group_id"),
      ngx_string("kind") },
    ngx_http_rs_api_device_check,
    ngx_http_rs_store_device_get,
    ngx_http_rs_api_device_pass,
    ngx_http_rs_api_device_make
};


/* POST /devices: the token in the body is the credential */

ngx_int_t
ngx_http_rs_api_device_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                       rc;
    ngx_str_t                       tenant;
    ngx_http_rs_api_op_t           *aop;
    ngx_http_rs_store_device_t      d;
    ngx_http_rs_api_device_body_t   body;

    ngx_memzero(&body, sizeof(body));
    ngx_memzero(&d, sizeof(d));
    ngx_str_set(&d.meta, "{}");

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_device_fields,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_device_fields),
                            &body, NULL, NULL);

    if (rc == NGX_OK && body.meta) {
        rc = ngx_http_rs_api_device_meta(api, body.meta, &d.meta);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    rc = ngx_http_rs_api_tenant(api, &tenant);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK
        || ngx_http_rs_api_device_enrollment(api, body.enrollment, &tenant,
                                             &d)
           != NGX_OK)
    {
        return ngx_http_rs_api_fail(api, RS_E_ENROLLMENT_INVALID, NULL,
                                    "/enrollment");
    }

    d.public_key = ngx_http_rs_str(body.public_key);
    d.name = ngx_http_rs_str(body.name);
    d.addr = api->request->connection->addr_text;
    d.rid = api->ctx->request_id;

    if (ngx_http_rs_api_quota(api, api->rlcf->max_devices, &d.max_devices)
        != NGX_OK
        || ngx_http_rs_api_new_id(api->request->pool, RS_ID_DEVICE, &d.id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    api->ctx->tenant = d.tenant;
    api->ctx->device_id = d.id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_created, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_device_create(aop->op, &d));
}


/* a token, or a code that somebody typed; tenant: what the place says */

static ngx_int_t
ngx_http_rs_api_device_enrollment(ngx_http_rs_api_t *api, rs_str_t text,
    ngx_str_t *tenant, ngx_http_rs_store_device_t *d)
{
    rs_code_t  *c;

    d->secret_hash.len = RS_ID_HASH_LEN;

    if (rs_enroll_parse(text, &api->key) == RS_OK) {

        d->tenant = ngx_http_rs_str(api->key.tenant);
        d->enrollment_id = ngx_http_rs_str(api->key.enrollment_id);
        d->secret_hash.data = (u_char *) api->key.hash;

        return (tenant->len
                && !rs_str_eq(ngx_http_rs_slice(tenant), api->key.tenant))
               ? NGX_DECLINED : NGX_OK;
    }

    c = ngx_palloc(api->request->pool, sizeof(rs_code_t));

    if (c == NULL
        || rs_code_parse(text, ngx_http_rs_slice(tenant), c) != RS_OK)
    {
        return NGX_DECLINED;
    }

    d->tenant = ngx_http_rs_str(c->tenant);
    d->enrollment_id.data = (u_char *) c->id;
    d->enrollment_id.len = RS_ID_LEN;
    d->secret_hash.data = (u_char *) c->hash;

    return NGX_OK;
}


/* of a device that has kept its key there is no text */

static json_t *
ngx_http_rs_api_history(ngx_str_t s)
{
    return s.len ? ngx_http_rs_api_stored(s) : json_array();
}


/* an object of scalars; NGX_DECLINED: the answer is set */

static ngx_int_t
ngx_http_rs_api_device_meta(ngx_http_rs_api_t *api, json_t *meta,
    ngx_str_t *text)
{
    json_t      *value;
    rs_str_t     s;
    const char  *key;

    json_object_foreach(meta, key, value) {

        s.data = (u_char *) json_string_value(value);
        s.len = json_string_length(value);

        if (!rs_utf8_printable(rs_str(key))
            || json_is_object(value) || json_is_array(value)
            || (s.data && !rs_utf8_printable(s)))
        {
            ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                 "must be an object of strings, numbers, "
                                 "booleans and null, without control "
                                 "characters", "/meta");
            return NGX_DECLINED;
        }
    }

    return ngx_http_rs_api_dump(api->request->pool, meta, 0, text);
}


static ngx_int_t
ngx_http_rs_api_device_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    json_t                   *body;
    ngx_str_t                 id, version;
    ngx_rs_reply_t           *obj;
    ngx_http_rs_main_conf_t  *rmcf;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL,
                                    (code == RS_E_ENROLLMENT_INVALID)
                                    ? "/enrollment" : NULL);
    }

    obj = ngx_rs_reply_at(reply, 1);
    id = ngx_rs_reply_field(obj, "id");
    version = ngx_rs_reply_field(obj, "version");

    if (ngx_http_rs_api_location(api, "/devices", &id) != NGX_OK
        || ngx_http_rs_api_etag(api, &version) != NGX_OK)
    {
        return NGX_ERROR;
    }

    body = json_pack("{s:o, s:o}", "device",
                     ngx_http_rs_api_device_json(api, obj), "tenant",
                     ngx_http_rs_api_text(api->ctx->tenant));

    rmcf = ngx_http_get_module_main_conf(api->request,
                                         ngx_http_rs_signal_module);

    if (rmcf->fleet.offer
        && json_object_set_new(body, "gateway_identity",
                               ngx_http_rs_api_text(rmcf->fleet.key)) == -1)
    {
        json_decref(body);
        body = NULL;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, body);
}


/* GET /devices */

ngx_int_t
ngx_http_rs_api_device_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_list(api, &ngx_http_rs_api_devices);
}


static ngx_int_t
ngx_http_rs_api_device_check(ngx_http_rs_api_t *api, ngx_str_t *values)
{
    rs_str_t    online, kind;
    ngx_uint_t  i;

    online = ngx_http_rs_slice(&values[NGX_HTTP_RS_API_ONLINE]);
    kind = ngx_http_rs_slice(&values[NGX_HTTP_RS_API_KIND]);

    if (online.len && !rs_str_eq(online, RS_STR("true"))
        && !rs_str_eq(online, RS_STR("false")))
    {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "\"online\" must be true or false", NULL);
        return NGX_DECLINED;
    }

    if (kind.len == 0) {
        return NGX_OK;
    }

    for (i = 0; ngx_http_rs_api_kinds[i]; i++) {
        if (rs_str_eq(kind, rs_str(ngx_http_rs_api_kinds[i]))) {
            return NGX_OK;
        }
    }

    ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                         "\"kind\" must be desktop, renderer or recorder",
                         NULL);

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_rs_api_device_pass(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply,
    ngx_str_t *values)
{
    size_t           i;
    json_t          *tags, *tag;
    rs_str_t         s, online, wanted, group_id, kind;
    ngx_str_t        group, is;
    ngx_uint_t       found;
    ngx_rs_reply_t  *obj;

    obj = ngx_rs_reply_at(reply, 1);

    online = ngx_http_rs_slice(&values[NGX_HTTP_RS_API_ONLINE]);
    wanted = ngx_http_rs_slice(&values[NGX_HTTP_RS_API_TAG]);
    group_id = ngx_http_rs_slice(&values[NGX_HTTP_RS_API_GROUP_ID]);
    kind = ngx_http_rs_slice(&values[NGX_HTTP_RS_API_KIND]);

    if (online.len
        && rs_str_eq(online, RS_STR("true"))
           != (int) ngx_http_rs_api_device_online(api, obj))
    {
        return 0;
    }

    if (group_id.len) {
        group = ngx_rs_reply_field(obj, "group_id");

        if (!rs_str_eq(group_id, ngx_http_rs_slice(&group))) {
            return 0;
        }
    }

    if (kind.len) {
        is = ngx_rs_reply_field(obj, "kind");

        if (!rs_str_eq(kind, ngx_http_rs_slice(&is))) {
            return 0;
        }
    }

    if (wanted.len == 0) {
        return 1;
    }

    found = 0;
    tags = ngx_http_rs_api_stored(ngx_rs_reply_field(obj, "tags"));

    json_array_foreach(tags, i, tag) {
        s.data = (u_char *) json_string_value(tag);
        s.len = json_string_length(tag);

        if (rs_str_eq(s, wanted)) {
            found = 1;
            break;
        }
    }

    json_decref(tags);

    return found;
}


static json_t *
ngx_http_rs_api_device_make(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply)
{
    return ngx_http_rs_api_device_json(api, ngx_rs_reply_at(reply, 1));
}


/* GET /devices/{id} */

ngx_int_t
ngx_http_rs_api_device_get(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    api->ctx->device_id = api->id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_device_get(aop->op,
                                                 &api->caller, &api->id));
}


/* also of rs_device_patch */

static ngx_int_t
ngx_http_rs_api_device_got(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_str_t  version;

    if (code != RS_OK) {
        return ngx_http_rs_api_missing(api, code, reply);
    }

    version = ngx_rs_reply_field(ngx_rs_reply_at(reply, 1), "version");

    if (ngx_http_rs_api_etag(api, &version) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_device_make(api, reply));
}


/* PATCH /devices/{id} */

ngx_int_t
ngx_http_rs_api_device_patch(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_str_t              version;
    ngx_str_t              fields[2 * 3];
    ngx_uint_t             n;
    ngx_http_rs_api_op_t  *aop;

    api->ctx->device_id = api->id;
    n = 0;

    rc = ngx_http_rs_api_version(api, 1, &version);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_device_changes(api, fields, &n);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_device_patch(aop->op,
                                                 &api->caller, &api->id,
                                                 &version, n, fields));
}


/* n pairs of field and value; null clears (RFC 7396) */

static ngx_int_t
ngx_http_rs_api_device_changes(ngx_http_rs_api_t *api, ngx_str_t *fields,
    ngx_uint_t *n)
{
    uint32_t                      present, null_;
    ngx_int_t                     rc;
    ngx_str_t                    *f;
    ngx_http_rs_api_patch_body_t  body;

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_patch_fields,
                             NGX_HTTP_RS_API_N(ngx_http_rs_api_patch_fields),
                             &body, &present, &null_);
    if (rc != NGX_OK) {
        return rc;
    }

    f = fields;

    if (present & NGX_HTTP_RS_API_PATCH_NAME) {
        ngx_str_set(&f[0], "name");
        f[1] = ngx_http_rs_str(body.name);
        f += 2;
    }

    if ((present | null_) & NGX_HTTP_RS_API_PATCH_TAGS) {
        ngx_str_set(&f[0], "tags");
        ngx_str_set(&f[1], "[]");

        if (body.tags) {
            rc = ngx_http_rs_api_read_tags(api, body.tags, &f[1]);
            if (rc != NGX_OK) {
                return rc;
            }
        }

        f += 2;
    }

    if ((present | null_) & NGX_HTTP_RS_API_PATCH_GROUP) {
        ngx_str_set(&f[0], "group_id");
        f[1] = ngx_http_rs_str(body.group_id);
        f += 2;
    }

    *n = (f - fields) / 2;

    return NGX_OK;
}


/* DELETE /devices/{id} */

ngx_int_t
ngx_http_rs_api_device_delete(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_str_t              version;
    ngx_http_rs_api_op_t  *aop;

    api->ctx->device_id = api->id;

    rc = ngx_http_rs_api_version(api, 0, &version);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_device_delete(aop->op,
                                                 &api->caller, &api->id,
                                                 &version));
}


/*
 * The device is gone, its sessions and tunnels are to be ended, and those it
 * recorded go on without it, if they may.  What is not done stays in its lists,
 * and a repeated call finds it there.
 */

static ngx_int_t
ngx_http_rs_api_device_deleted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    rs_err_e  *worst;

    if (code != RS_OK && code != RS_E_UNCERTAIN) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    worst = ngx_palloc(api->request->pool, sizeof(rs_err_e));
    if (worst == NULL) {
        return NGX_ERROR;
    }

    *worst = code;

    if (ngx_http_rs_api_device_ends(api, ngx_rs_reply_at(reply, 2),
                                    ngx_http_rs_api_device_session, worst)
        != NGX_OK
        || ngx_http_rs_api_device_ends(api, ngx_rs_reply_at(reply, 3),
                                       ngx_http_rs_api_device_tunnel, worst)
           != NGX_OK
        || ngx_http_rs_api_device_ends(api, ngx_rs_reply_at(reply, 4),
                                       ngx_http_rs_api_device_kept, worst)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_device_removed(api, *worst);
}


static ngx_int_t
ngx_http_rs_api_device_ends(ngx_http_rs_api_t *api, ngx_rs_reply_t *ids,
    ngx_http_rs_api_device_end_pt end, rs_err_e *worst)
{
    ngx_int_t   rc;
    ngx_str_t   id;
    ngx_uint_t  i, n;

    n = ngx_rs_reply_count(ids);

    for (i = 0; i < n; i++) {
        id = ngx_rs_reply_str(ids, i);

        rc = end(api, &id, worst);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            /* the store takes no more calls now */
            *worst = RS_E_UNAVAILABLE;
            break;
        }
    }

    return NGX_OK;
}


/* the answer, when nothing is under way any more */

static ngx_int_t
ngx_http_rs_api_device_removed(ngx_http_rs_api_t *api, rs_err_e worst)
{
    if (!ngx_queue_empty(&api->ops)) {
        return NGX_DONE;
    }

    if (worst == RS_OK) {
        return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
    }

    return ngx_http_rs_api_fail(api, worst,
                                (worst == RS_E_UNCERTAIN) ? NULL
                                : "the device is removed, but not all of its "
                                  "sessions and tunnels could be ended; "
                                  "repeat the call",
                                NULL);
}


static ngx_int_t
ngx_http_rs_api_device_session(ngx_http_rs_api_t *api, ngx_str_t *session_id,
    rs_err_e *worst)
{
    ngx_str_t              reason, detail;
    ngx_http_rs_api_op_t  *aop;
    ngx_http_rs_caller_t   self;

    ngx_str_set(&reason, "device_removed");
    ngx_str_null(&detail);

    ngx_http_rs_caller_self(&self, &api->caller.tenant);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_session_ended,
                             worst);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_session_end(aop->op, &self,
                                             session_id, &reason, &detail,
                                             &api->id));
}


/* a session it was to record, or does */

static ngx_int_t
ngx_http_rs_api_device_kept(ngx_http_rs_api_t *api, ngx_str_t *session_id,
    rs_err_e *worst)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_session_ended,
                             worst);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_recorder_removed(aop->op,
                                             &api->caller.tenant, &api->id,
                                             session_id));
}


static ngx_int_t
ngx_http_rs_api_device_tunnel(ngx_http_rs_api_t *api, ngx_str_t *tunnel_id,
    rs_err_e *worst)
{
    ngx_http_rs_api_op_t  *aop;
    ngx_http_rs_caller_t   self;

    ngx_http_rs_caller_self(&self, &api->caller.tenant);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_device_tunnel_ended,
                             worst);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_delete(aop->op,
                                             &self, tunnel_id, &api->id,
                                             "device_removed"));
}


static ngx_int_t
ngx_http_rs_api_device_session_ended(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    rs_err_e *worst = data;

    ngx_http_rs_api_device_worse(worst, code);

    return ngx_http_rs_api_device_removed(api, *worst);
}


static ngx_int_t
ngx_http_rs_api_device_tunnel_ended(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    rs_err_e *worst = data;

    ngx_http_rs_api_device_worse(worst, code);

    return ngx_http_rs_api_port_free(api, reply,
                                     ngx_http_rs_api_device_port_freed, worst);
}


static ngx_int_t
ngx_http_rs_api_device_port_freed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    rs_err_e *worst = data;

    return ngx_http_rs_api_device_removed(api, *worst);
}


static void
ngx_http_rs_api_device_worse(rs_err_e *worst, rs_err_e code)
{
    /* not_found, session_ended: its time was over */

    if (code == RS_E_UNCERTAIN) {

        if (*worst == RS_OK) {
            *worst = code;
        }

    } else if (code != RS_OK && code != RS_E_NOT_FOUND
               && code != RS_E_SESSION_ENDED)
    {
        *worst = RS_E_UNAVAILABLE;
    }
}


/* its channel is open and the worker that holds it is alive */

static ngx_uint_t
ngx_http_rs_api_device_online(ngx_http_rs_api_t *api, ngx_rs_reply_t *obj)
{
    ngx_str_t  owner;

    owner = ngx_rs_reply_field(obj, "owner");

    return owner.len
           && ngx_http_rs_presence_live(api->rmcf->presence, &owner);
}


/* NULL: no memory */

static json_t *
ngx_http_rs_api_device_json(ngx_http_rs_api_t *api, ngx_rs_reply_t *obj)
{
    json_t  *json;

    json = json_object();

    if (ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_device_head)
        != NGX_OK
        || json_object_set_new(json, "online",
                        json_boolean(ngx_http_rs_api_device_online(api, obj)))
           != 0
        || ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_device_tail)
           != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}
