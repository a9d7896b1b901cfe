
/*
 * Copyright (C) rs-gateway contributors
 *
 * Tunnels, and the pipes that are opened of them.  docs/design/pipes.md.
 *
 * Where a tunnel leads is text here: the device looks at it.  Who may use it
 * is a list of addresses, turned into ranges which compare as text, and of
 * ids; what is left out never means everybody.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_endpoint.h"
#include "rs_ip.h"
#include "rs_ws_handshake.h"


#define NGX_HTTP_RS_API_ACL_MAX     16       /* addresses, users */
#define NGX_HTTP_RS_API_IDLE_MAX    86400    /* s */

#define NGX_HTTP_RS_API_NET_MAX     (1 + RS_IP_KEY_MAX + 1 + RS_IP_KEY_MAX)


typedef struct {
    rs_str_t                        target;
    unsigned                        protocol;
    json_t                         *acl;
    int64_t                         idle_s;
    int64_t                         ttl_s;
    rs_str_t                        label;
    int                             port;
} ngx_http_rs_api_tunnel_body_t;


typedef struct {
    json_t                         *addresses;
    json_t                         *users;
} ngx_http_rs_api_acl_body_t;


typedef struct {
    rs_str_t                        origin;
} ngx_http_rs_api_pipe_body_t;


static ngx_int_t ngx_http_rs_api_tunnel_read(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t);
static ngx_int_t ngx_http_rs_api_tunnel_port(ngx_http_rs_api_t *api,
    rs_endpoint_t *target);
static ngx_int_t ngx_http_rs_api_tunnel_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_acl_read(ngx_http_rs_api_t *api,
    json_t *json, ngx_http_rs_store_tunnel_t *t);
static ngx_int_t ngx_http_rs_api_acl_addresses(ngx_http_rs_api_t *api,
    json_t *list, ngx_http_rs_store_tunnel_t *t);
static ngx_uint_t ngx_http_rs_api_acl_range(rs_buf_t *b, rs_str_t s);
static ngx_int_t ngx_http_rs_api_acl_users(ngx_http_rs_api_t *api,
    json_t *list, ngx_http_rs_store_tunnel_t *t);
static ngx_int_t ngx_http_rs_api_acl_bad(ngx_http_rs_api_t *api,
    const char *list, size_t i, const char *what);
static ngx_int_t ngx_http_rs_api_tunnel_check(ngx_http_rs_api_t *api,
    ngx_str_t *values);
static ngx_uint_t ngx_http_rs_api_tunnel_pass(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply, ngx_str_t *values);
static json_t *ngx_http_rs_api_tunnel_make(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_tunnel_json(ngx_rs_reply_t *obj);
static ngx_int_t ngx_http_rs_api_tunnel_got(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_tunnel_changes(ngx_http_rs_api_t *api,
    ngx_str_t *fields, ngx_uint_t *n);
static ngx_int_t ngx_http_rs_api_tunnel_found(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_tunnel_remove(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe);
static ngx_int_t ngx_http_rs_api_tunnel_deleted(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_tunnel_freed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_pipe_open(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe);
static ngx_int_t ngx_http_rs_api_pipe_opened(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


static const char *const  ngx_http_rs_api_protocols[] =
    { "tcp", "udp", NULL };

static ngx_str_t  ngx_http_rs_api_protocol_names[] =
    { ngx_string("tcp"), ngx_string("udp") };


#define NGX_HTTP_RS_API_TARGET                                               \
    "HOST:PORT, with IPv6 in brackets, or \"shell\""

static const rs_json_field_t  ngx_http_rs_api_tunnel_fields[] = {
    { "target", RS_JSON_STRING, RS_JSON_REQUIRED, 1, RS_ENDPOINT_MAX,
      offsetof(ngx_http_rs_api_tunnel_body_t, target),
      NULL, rs_endpoint_check, NGX_HTTP_RS_API_TARGET },
    { "protocol", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_tunnel_body_t, protocol),
      ngx_http_rs_api_protocols, NULL, NULL },
    { "acl", RS_JSON_OBJECT, 0, 0, 0,
      offsetof(ngx_http_rs_api_tunnel_body_t, acl), NULL, NULL, NULL },
    { "idle_s", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_IDLE_MAX,
      offsetof(ngx_http_rs_api_tunnel_body_t, idle_s), NULL, NULL, NULL },
    { "ttl_s", RS_JSON_INT, 0, 1, INT64_MAX,
      offsetof(ngx_http_rs_api_tunnel_body_t, ttl_s), NULL, NULL, NULL },
    { "label", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_tunnel_body_t, label), NULL, NULL, NULL },
    { "port", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_tunnel_body_t, port), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_tunnel_changed[] = {
    { "acl", RS_JSON_OBJECT, RS_JSON_NULL, 0, 0,
      offsetof(ngx_http_rs_api_tunnel_body_t, acl), NULL, NULL, NULL },
    { "idle_s", RS_JSON_INT, RS_JSON_NULL, 1, NGX_HTTP_RS_API_IDLE_MAX,
      offsetof(ngx_http_rs_api_tunnel_body_t, idle_s), NULL, NULL, NULL },
    { "label", RS_JSON_STRING, RS_JSON_NULL, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_tunnel_body_t, label), NULL, NULL, NULL }
};

/* bits of these */

#define NGX_HTTP_RS_API_TUNNEL_ACL    0x1
#define NGX_HTTP_RS_API_TUNNEL_IDLE   0x2
#define NGX_HTTP_RS_API_TUNNEL_LABEL  0x4

static const rs_json_field_t  ngx_http_rs_api_acl_fields[] = {
    { "addresses", RS_JSON_ARRAY, 0, 1, NGX_HTTP_RS_API_ACL_MAX,
      offsetof(ngx_http_rs_api_acl_body_t, addresses), NULL, NULL, NULL },
    { "users", RS_JSON_ARRAY, 0, 1, NGX_HTTP_RS_API_ACL_MAX,
      offsetof(ngx_http_rs_api_acl_body_t, users), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_pipe_fields[] = {
    { "origin", RS_JSON_STRING, 0, 1, RS_ORIGIN_MAX,
      offsetof(ngx_http_rs_api_pipe_body_t, origin),
      NULL, rs_ws_origin_check, "an origin, scheme://host[:port]" }
};


static const ngx_http_rs_api_field_t  ngx_http_rs_api_tunnel_head[] = {
    { "id", ngx_http_rs_api_text },
    { "device_id", ngx_http_rs_api_text },
    { "target", ngx_http_rs_api_text },
    { "protocol", ngx_http_rs_api_text },
    { "label", ngx_http_rs_api_text },
    { "group_id", ngx_http_rs_api_text },
    { "idle_s", ngx_http_rs_api_number },
    { "created_at", ngx_http_rs_api_number },
    { "expires_at", ngx_http_rs_api_number },
    { "used_at", ngx_http_rs_api_number },
    { "pipes", ngx_http_rs_api_number },
    { "opened", ngx_http_rs_api_number },
    { "port", ngx_http_rs_api_number },
    { NULL, NULL }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_tunnel_acl[] = {
    { "addresses", ngx_http_rs_api_words },
    { "users", ngx_http_rs_api_words },
    { NULL, NULL }
};


static const ngx_http_rs_api_list_t  ngx_http_rs_api_tunnels = {
    NGX_HTTP_RS_STORE_TUNNELS,
    { ngx_string("device_id"), ngx_null_string, ngx_null_string },
    ngx_http_rs_api_tunnel_check,
    ngx_http_rs_store_tunnel_get,
    ngx_http_rs_api_tunnel_pass,
    ngx_http_rs_api_tunnel_make
};


/* POST /devices/{id}/tunnels */

ngx_int_t
ngx_http_rs_api_tunnel_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                    rc;
    ngx_http_rs_store_tunnel_t  *t;

    api->ctx->device_id = api->id;

    t = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_store_tunnel_t));
    if (t == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_tunnel_read(api, t);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_TUNNEL, &t->id)
        != NGX_OK
        || ngx_http_rs_api_quota(api, api->rlcf->max_tunnels, &t->tenant_max)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    t->device_id = api->id;
    t->device_max = api->rlcf->device_tunnels;
    t->idem = api->idem;
    t->body_hash = api->body_hash;

    return t->port ? ngx_http_rs_api_port_want(api, t)
                   : ngx_http_rs_api_tunnel_put(api, t);
}


static ngx_int_t
ngx_http_rs_api_tunnel_read(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t)
{
    ngx_int_t                      rc;
    rs_endpoint_t                  target;
    ngx_http_rs_api_tunnel_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = api->rlcf->tunnel_ttl;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_tunnel_fields,
                             NGX_HTTP_RS_API_N(ngx_http_rs_api_tunnel_fields),
                             &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_ttl(api, "/ttl_s", body.ttl_s,
                                       api->rlcf->tunnel_ttl);
    }

    if (rc == NGX_OK && body.acl) {
        rc = ngx_http_rs_api_acl_read(api, body.acl, t);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* the table has seen it */
    (void) rs_endpoint_parse(body.target, &target);

    if (target.shell && body.protocol) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "a shell is of \"tcp\"", "/protocol");
        return NGX_DECLINED;
    }

    if (body.port && ngx_http_rs_api_tunnel_port(api, &target) != NGX_OK) {
        return NGX_DECLINED;
    }

    t->port = body.port;                  /* which one is not known yet */
    t->target = ngx_http_rs_str(body.target);
    t->protocol = ngx_http_rs_api_protocol_names[body.protocol];
    t->label = ngx_http_rs_str(body.label);
    t->idle = body.idle_s;
    t->ttl = body.ttl_s;

    return NGX_OK;
}


/* can it have one? */

static ngx_int_t
ngx_http_rs_api_tunnel_port(ngx_http_rs_api_t *api, rs_endpoint_t *target)
{
    if (api->rmcf->tunnel_port == 0) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "this gateway has no ports for tunnels: "
                             "\"rs_tunnel_ports\" is not set", "/port");
        return NGX_DECLINED;
    }

    if (target->shell) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "a shell has no port: its messages are no stream",
                             "/port");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_tunnel_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_tunnel_created, t);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_create(aop->op,
                                                       &api->caller, t));
}


static ngx_int_t
ngx_http_rs_api_tunnel_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_tunnel_t *t = data;

    ngx_str_t        id, version;
    ngx_rs_reply_t  *obj;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    if (ngx_http_rs_api_set_again(reply, &t->id)) {
        return ngx_http_rs_api_tunnel_put(api, t);
    }

    obj = ngx_rs_reply_at(reply, 2);
    id = ngx_rs_reply_field(obj, "id");
    version = ngx_rs_reply_field(obj, "version");

    ngx_http_rs_count(api->rmcf, NGX_HTTP_RS_STAT_TUNNEL_CREATED);

    if (ngx_http_rs_api_location(api, "/tunnels", &id) != NGX_OK
        || ngx_http_rs_api_etag(api, &version) != NGX_OK)
    {
        return NGX_ERROR;
    }

    api->json = ngx_http_rs_api_tunnel_json(obj);

    if (api->json && ngx_rs_reply_field(obj, "port").len) {
        return ngx_http_rs_api_port_made(api, t, obj);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
}


/* what is left out of it is: from anywhere, by the caller alone */

static ngx_int_t
ngx_http_rs_api_acl_read(ngx_http_rs_api_t *api, json_t *json,
    ngx_http_rs_store_tunnel_t *t)
{
    ngx_int_t                   rc;
    ngx_http_rs_api_acl_body_t  acl;

    ngx_memzero(&acl, sizeof(acl));

    rc = ngx_http_rs_api_read_object(api, json, ngx_http_rs_api_acl_fields,
                                NGX_HTTP_RS_API_N(ngx_http_rs_api_acl_fields),
                                &acl, "/acl");

    if (rc == NGX_OK && acl.addresses) {
        rc = ngx_http_rs_api_acl_addresses(api, acl.addresses, t);
    }

    if (rc == NGX_OK && acl.users) {
        rc = ngx_http_rs_api_acl_users(api, acl.users, t);
    }

    return rc;
}


static ngx_int_t
ngx_http_rs_api_acl_addresses(ngx_http_rs_api_t *api, json_t *list,
    ngx_http_rs_store_tunnel_t *t)
{
    size_t     i, size;
    json_t    *item;
    rs_buf_t   text, nets;
    rs_str_t   s;

    size = json_array_size(list) * (1 + RS_IP_RANGE_TEXT_MAX);
    t->addresses.data = ngx_pnalloc(api->request->pool, size);
    t->nets.data = ngx_pnalloc(api->request->pool, json_array_size(list)
                                                   * NGX_HTTP_RS_API_NET_MAX);

    if (t->addresses.data == NULL || t->nets.data == NULL) {
        return NGX_ERROR;
    }

    rs_buf_init(&text, t->addresses.data, size);
    rs_buf_init(&nets, t->nets.data,
                json_array_size(list) * NGX_HTTP_RS_API_NET_MAX);

    json_array_foreach(list, i, item) {

        s.data = (u_char *) json_string_value(item);
        s.len = json_string_length(item);

        if (i) {
            rs_buf_char(&text, ' ');
            rs_buf_char(&nets, ' ');
        }

        if (s.data == NULL || s.len > RS_IP_RANGE_TEXT_MAX
            || !ngx_http_rs_api_acl_range(&nets, s))
        {
            return ngx_http_rs_api_acl_bad(api, "addresses", i,
                                           "must be an address, ADDRESS/BITS "
                                           "with no bit set below, or "
                                           "FIRST-LAST");
        }

        rs_buf_str(&text, s);
    }

    t->addresses.len = text.len;
    t->nets.len = nets.len;

    return NGX_OK;
}


/* 0: it is none, or begins as IPv4 inside of IPv6 and ends as something else */

static ngx_uint_t
ngx_http_rs_api_acl_range(rs_buf_t *b, rs_str_t s)
{
    char           first[RS_IP_KEY_MAX], last[RS_IP_KEY_MAX];
    size_t         n;
    rs_ip_range_t  range;

    if (rs_ip_range_parse(s, &range) != RS_OK) {
        return 0;
    }

    n = rs_ip_key(&range.first, first);

    if (rs_ip_key(&range.last, last) != n) {
        return 0;
    }

    rs_buf_put(b, first, n);
    rs_buf_char(b, '-');
    rs_buf_put(b, last, n);

    return 1;
}


static ngx_int_t
ngx_http_rs_api_acl_users(ngx_http_rs_api_t *api, json_t *list,
    ngx_http_rs_store_tunnel_t *t)
{
    size_t     i, size;
    json_t    *item;
    rs_buf_t   b;
    rs_str_t   s;

    size = json_array_size(list) * (1 + RS_ID_LEN);

    t->users.data = ngx_pnalloc(api->request->pool, size);
    if (t->users.data == NULL) {
        return NGX_ERROR;
    }

    rs_buf_init(&b, t->users.data, size);

    json_array_foreach(list, i, item) {

        s.data = (u_char *) json_string_value(item);
        s.len = json_string_length(item);

        if (s.data == NULL
            || (rs_id_check(s, RS_ID_USER) != RS_OK
                && rs_id_check(s, RS_ID_KEY) != RS_OK))
        {
            return ngx_http_rs_api_acl_bad(api, "users", i,
                                           "must be an id \"usr_...\" or "
                                           "\"key_...\"");
        }

        if (i) {
            rs_buf_char(&b, ' ');
        }

        rs_buf_str(&b, s);
    }

    t->users.len = b.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_acl_bad(ngx_http_rs_api_t *api, const char *list, size_t i,
    const char *what)
{
    char  pointer[RS_JSON_POINTER_MAX];

    ngx_sprintf((u_char *) pointer, "/acl/%s/%uz%Z", list, i);

    ngx_http_rs_api_invalid(api,
                            rs_json_fail(&api->err, RS_E_INVALID_VALUE,
                                         pointer, "%s", what));
    return NGX_DECLINED;
}


/* GET /tunnels */

ngx_int_t
ngx_http_rs_api_tunnel_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_list(api, &ngx_http_rs_api_tunnels);
}


static ngx_int_t
ngx_http_rs_api_tunnel_check(ngx_http_rs_api_t *api, ngx_str_t *values)
{
    if (values[0].len == 0
        || rs_id_check_device(ngx_http_rs_slice(&values[0])) == RS_OK)
    {
        return NGX_OK;
    }

    ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                         "\"device_id\" must be an id \"dev_...\"", NULL);

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_rs_api_tunnel_pass(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply,
    ngx_str_t *values)
{
    ngx_str_t  id;

    id = ngx_rs_reply_field(ngx_rs_reply_at(reply, 1), "device_id");

    return values[0].len == 0
           || rs_str_eq(ngx_http_rs_slice(&values[0]),
                        ngx_http_rs_slice(&id));
}


static json_t *
ngx_http_rs_api_tunnel_make(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply)
{
    return ngx_http_rs_api_tunnel_json(ngx_rs_reply_at(reply, 1));
}


/* NULL: no memory */

static json_t *
ngx_http_rs_api_tunnel_json(ngx_rs_reply_t *obj)
{
    json_t  *json, *acl, *by;

    json = json_object();
    acl = json_object();

    by = json_pack("{s:o, s:o, s:o}",
                   "kind", ngx_http_rs_api_text(
                               ngx_rs_reply_field(obj, "by_kind")),
                   "id", ngx_http_rs_api_text(
                               ngx_rs_reply_field(obj, "by_id")),
                   "name", ngx_http_rs_api_text(
                               ngx_rs_reply_field(obj, "by_name")));

    if (ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_tunnel_head)
        != NGX_OK
        || ngx_http_rs_api_fields(acl, obj, ngx_http_rs_api_tunnel_acl)
           != NGX_OK
        || json_object_set(json, "acl", acl) != 0
        || json_object_set(json, "created_by", by) != 0
        || json_object_set_new(json, "bytes_up",
                ngx_http_rs_api_number(ngx_rs_reply_field(obj, "up"))) != 0
        || json_object_set_new(json, "bytes_down",
                ngx_http_rs_api_number(ngx_rs_reply_field(obj, "down"))) != 0)
    {
        json_decref(json);
        json = NULL;
    }

    json_decref(acl);
    json_decref(by);

    return json;
}


/* GET /tunnels/{id} */

ngx_int_t
ngx_http_rs_api_tunnel_get(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_tunnel_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_get(aop->op,
                                                 &api->caller, &api->id));
}


/* also of rs_tunnel_patch */

static ngx_int_t
ngx_http_rs_api_tunnel_got(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_str_t  version;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    version = ngx_rs_reply_field(ngx_rs_reply_at(reply, 1), "version");

    if (ngx_http_rs_api_etag(api, &version) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_tunnel_make(api, reply));
}


/* PATCH /tunnels/{id} */

ngx_int_t
ngx_http_rs_api_tunnel_patch(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_str_t              version;
    ngx_str_t              fields[2 * 5];
    ngx_uint_t             n;
    ngx_http_rs_api_op_t  *aop;

    n = 0;

    rc = ngx_http_rs_api_version(api, 1, &version);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_tunnel_changes(api, fields, &n);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_tunnel_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_patch(aop->op,
                                                 &api->caller, &api->id,
                                                 &version, n, fields));
}


/* n pairs of field and value; null is what it is when it is left out */

static ngx_int_t
ngx_http_rs_api_tunnel_changes(ngx_http_rs_api_t *api, ngx_str_t *fields,
    ngx_uint_t *n)
{
    uint32_t                       present, null_;
    ngx_int_t                      rc;
    ngx_str_t                     *f;
    ngx_http_rs_store_tunnel_t     t;
    ngx_http_rs_api_tunnel_body_t  body;

    ngx_memzero(&t, sizeof(t));
    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_tunnel_changed,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_tunnel_changed),
                            &body, &present, &null_);

    if (rc == NGX_OK && body.acl) {
        rc = ngx_http_rs_api_acl_read(api, body.acl, &t);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    f = fields;
    present |= null_;

    if (present & NGX_HTTP_RS_API_TUNNEL_ACL) {
        ngx_str_set(&f[0], "addresses");
        f[1] = t.addresses;
        ngx_str_set(&f[2], "nets");
        f[3] = t.nets;
        ngx_str_set(&f[4], "users");
        f[5] = t.users;
        f += 6;
    }

    if (present & NGX_HTTP_RS_API_TUNNEL_IDLE) {
        ngx_str_set(&f[0], "idle_s");

        f[1].data = ngx_pnalloc(api->request->pool, NGX_INT64_LEN);
        if (f[1].data == NULL) {
            return NGX_ERROR;
        }

        f[1].len = ngx_sprintf(f[1].data, "%L", body.idle_s) - f[1].data;
        f += 2;
    }

    if (present & NGX_HTTP_RS_API_TUNNEL_LABEL) {
        ngx_str_set(&f[0], "label");
        f[1] = ngx_http_rs_str(body.label);
        f += 2;
    }

    *n = (f - fields) / 2;

    return NGX_OK;
}


/* DELETE /tunnels/{id} */

ngx_int_t
ngx_http_rs_api_tunnel_delete(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_pipe_t  *pipe;

    pipe = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_pipe_t));
    if (pipe == NULL) {
        return NGX_ERROR;
    }

    pipe->go = ngx_http_rs_api_tunnel_remove;

    return ngx_http_rs_api_tunnel_find(api, pipe);
}


/*
 * Which device it is of says nothing to anybody yet: who asks, and whether he
 * may, is looked at by the call that comes next, also when there is no such
 * tunnel.
 */

ngx_int_t
ngx_http_rs_api_tunnel_find(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe)
{
    ngx_http_rs_api_op_t  *aop;

    pipe->p.object = api->id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_tunnel_found, pipe);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_device(aop->op,
                                                         &api->caller.tenant,
                                                         &api->id));
}


static ngx_int_t
ngx_http_rs_api_tunnel_found(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_pipe_t *pipe = data;

    ngx_str_t  id;

    id = ngx_rs_reply_str(reply, 1);

    if (code == RS_OK && id.len == RS_ID_LEN) {
        ngx_memcpy(pipe->nobody, id.data, RS_ID_LEN);

    } else if (code == RS_E_NOT_FOUND) {
        /* a device that is none: the rest of it was drawn for a tunnel */
        ngx_memcpy(pipe->nobody, api->id.data, RS_ID_LEN);
        ngx_memcpy(pipe->nobody, RS_ID_DEVICE, RS_ID_PREFIX_LEN);

    } else {
        return ngx_http_rs_api_fail(api, code == RS_OK ? RS_E_INTERNAL : code,
                                    NULL, NULL);
    }

    pipe->p.device_id.data = pipe->nobody;
    pipe->p.device_id.len = RS_ID_LEN;

    return pipe->go(api, pipe);
}


static ngx_int_t
ngx_http_rs_api_tunnel_remove(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_tunnel_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_tunnel_delete(aop->op,
                                                 &api->caller, &api->id,
                                                 &pipe->p.device_id,
                                                 "deleted"));
}


static ngx_int_t
ngx_http_rs_api_tunnel_deleted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    rs_err_e  *rc;

    rc = ngx_palloc(api->request->pool, sizeof(rs_err_e));
    if (rc == NULL) {
        return NGX_ERROR;
    }

    *rc = code;

    return ngx_http_rs_api_port_free(api, reply, ngx_http_rs_api_tunnel_freed,
                                     rc);
}


static ngx_int_t
ngx_http_rs_api_tunnel_freed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    rs_err_e *rc = data;

    if (*rc != RS_OK) {
        return ngx_http_rs_api_fail(api, *rc, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}


/* POST /tunnels/{id}/pipes */

ngx_int_t
ngx_http_rs_api_pipe_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                    rc;
    ngx_str_t                    origin;
    ngx_http_rs_api_pipe_t      *pipe;
    ngx_http_rs_api_pipe_body_t  body;

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_pipe_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_pipe_fields),
                               &body, NULL, NULL);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_pipe_full(api->rmcf, &api->caller.tenant)) {
        return ngx_http_rs_api_fail(api, RS_E_OVERLOADED,
                                    "this node has as many pipes of the "
                                    "tenant as it takes", NULL);
    }

    pipe = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_pipe_t));
    if (pipe == NULL) {
        return NGX_ERROR;
    }

    origin = ngx_http_rs_str(body.origin);

    if (ngx_http_rs_api_pipe_new(api, &origin, &pipe->p, &pipe->ticket)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    pipe->go = ngx_http_rs_api_pipe_open;

    return ngx_http_rs_api_tunnel_find(api, pipe);
}


static ngx_int_t
ngx_http_rs_api_pipe_open(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_pipe_opened, pipe);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_pipe_open(aop->op,
                                                 &api->caller, &pipe->p));
}


static ngx_int_t
ngx_http_rs_api_pipe_opened(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_pipe_t *pipe = data;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code,
                                    code == RS_E_FORBIDDEN
                                    ? "the tunnel is not for this caller, or "
                                      "not from this address" : NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED,
               ngx_http_rs_api_pipe_json(api, &pipe->p, &pipe->ticket,
                                         ngx_rs_reply_str(reply, 3)));
}
