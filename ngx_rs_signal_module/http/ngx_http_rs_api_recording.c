
/*
 * Copyright (C) rs-gateway contributors
 *
 * Recordings of sessions: what there is, by the word of the recorders that
 * have the files; one is opened by a pipe to its recorder, as a command of a
 * device is, and deleted by it.  docs/design/recording.md.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_ws_handshake.h"


#define NGX_HTTP_RS_API_RECORDING_TTL  86400   /* s, of a pipe to one */

/* filters; values in this order */
#define NGX_HTTP_RS_API_RECORDED_SESSION  0
#define NGX_HTTP_RS_API_RECORDED_DEVICE   1


typedef struct {
    rs_str_t                        origin;
} ngx_http_rs_api_recording_body_t;


typedef struct {
    ngx_http_rs_store_command_t     c;
    ngx_str_t                       ticket;
} ngx_http_rs_api_recording_t;


static ngx_int_t ngx_http_rs_api_recording_check(ngx_http_rs_api_t *api,
    ngx_str_t *values);
static ngx_uint_t ngx_http_rs_api_recording_pass(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply, ngx_str_t *values);
static json_t *ngx_http_rs_api_recording_make(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_recording_got(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_recording_find(ngx_http_rs_api_t *api,
    ngx_http_rs_api_done_pt done, void *data);
static ngx_int_t ngx_http_rs_api_recording_named(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_recording_deleted(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_recording_asked(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_recording_opened(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


static const rs_json_field_t  ngx_http_rs_api_recording_fields[] = {
    { "origin", RS_JSON_STRING, 0, 1, RS_ORIGIN_MAX,
      offsetof(ngx_http_rs_api_recording_body_t, origin),
      NULL, rs_ws_origin_check, "an origin, scheme://host[:port]" }
};


/* in the order of an answer */

static const ngx_http_rs_api_field_t  ngx_http_rs_api_recording_obj[] = {
    { "id", ngx_http_rs_api_text },
    { "session_id", ngx_http_rs_api_text },
    { "device_id", ngx_http_rs_api_text },
    { "recorder_id", ngx_http_rs_api_text },
    { "group_id", ngx_http_rs_api_text },
    { "user_id", ngx_http_rs_api_text },
    { "external_id", ngx_http_rs_api_text },
    { "state", ngx_http_rs_api_text },
    { "started_at", ngx_http_rs_api_number },
    { "ended_at", ngx_http_rs_api_number },
    { "duration_ms", ngx_http_rs_api_number },
    { "bytes", ngx_http_rs_api_number },
    { "sha256", ngx_http_rs_api_text },
    { "gaps", ngx_http_rs_api_number },
    { "reason", ngx_http_rs_api_text },
    { "expires_at", ngx_http_rs_api_number },
    { "deleted_at", ngx_http_rs_api_number },
    { NULL, NULL }
};

static const ngx_http_rs_api_list_t  ngx_http_rs_api_recording_set = {
    NGX_HTTP_RS_STORE_RECORDINGS,
    { ngx_string("session_id"), ngx_string("device_id"), ngx_null_string },
    ngx_http_rs_api_recording_check,
    ngx_http_rs_store_recording_get,
    ngx_http_rs_api_recording_pass,
    ngx_http_rs_api_recording_make
};


/* GET /recordings */

ngx_int_t
ngx_http_rs_api_recording_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_list(api, &ngx_http_rs_api_recording_set);
}


static ngx_int_t
ngx_http_rs_api_recording_check(ngx_http_rs_api_t *api, ngx_str_t *values)
{
    ngx_str_t  *session, *device;

    session = &values[NGX_HTTP_RS_API_RECORDED_SESSION];
    device = &values[NGX_HTTP_RS_API_RECORDED_DEVICE];

    if (session->len
        && rs_id_check_session(ngx_http_rs_slice(session)) != RS_OK)
    {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "\"session_id\" must be an id \"ses_...\"",
                             NULL);
        return NGX_DECLINED;
    }

    if (device->len && rs_id_check_device(ngx_http_rs_slice(device)) != RS_OK)
    {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "\"device_id\" must be an id \"dev_...\"", NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rs_api_recording_pass(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply,
    ngx_str_t *values)
{
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_rs_reply_t  *obj;

    static const char  *names[] = { "session_id", "device_id" };

    obj = ngx_rs_reply_at(reply, 1);

    for (i = 0; i < 2; i++) {

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


/* a reply of rs_recording_get; NULL: no memory */

static json_t *
ngx_http_rs_api_recording_make(ngx_http_rs_api_t *api, ngx_rs_reply_t *reply)
{
    json_t  *json;

    json = json_object();

    if (ngx_http_rs_api_fields(json, ngx_rs_reply_at(reply, 1),
                               ngx_http_rs_api_recording_obj)
        != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* GET /recordings/{id} */

ngx_int_t
ngx_http_rs_api_recording_get(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_recording_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_recording_get(aop->op,
                                                 &api->caller, &api->id));
}


static ngx_int_t
ngx_http_rs_api_recording_got(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_recording_make(api, reply));
}


/* whose it is decides which keys the next call names */

static ngx_int_t
ngx_http_rs_api_recording_find(ngx_http_rs_api_t *api,
    ngx_http_rs_api_done_pt done, void *data)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, done, data);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_recording_device(aop->op,
                                             &api->caller.tenant, &api->id));
}


/* DELETE /recordings/{id} */

ngx_int_t
ngx_http_rs_api_recording_delete(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_recording_find(api,
                                          ngx_http_rs_api_recording_named,
                                          NULL);
}


/* of one that is not there the function is called all the same: it says who
   may not, and leaves the line */

static ngx_int_t
ngx_http_rs_api_recording_named(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_str_t              device_id;
    ngx_http_rs_api_op_t  *aop;

    if (code != RS_OK && code != RS_E_NOT_FOUND) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    ngx_str_null(&device_id);

    if (code == RS_OK) {
        device_id = ngx_rs_reply_str(reply, 1);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_recording_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_recording_delete(aop->op,
                                                 &api->caller, &api->id,
                                                 &device_id));
}


static ngx_int_t
ngx_http_rs_api_recording_deleted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code == RS_E_CONFLICT) {
        return ngx_http_rs_api_fail(api, code,
                                    "the session is being recorded; end it "
                                    "first", NULL);
    }

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}


/* POST /recordings/{id}/pipes */

ngx_int_t
ngx_http_rs_api_recording_open(ngx_http_rs_api_t *api)
{
    ngx_int_t                          rc;
    ngx_str_t                          origin;
    ngx_http_rs_store_tunnel_t        *t;
    ngx_http_rs_api_recording_t       *recording;
    ngx_http_rs_api_recording_body_t   body;

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_recording_fields,
                          NGX_HTTP_RS_API_N(ngx_http_rs_api_recording_fields),
                          &body, NULL, NULL);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_pipe_full(api->rmcf, &api->caller.tenant)) {
        return ngx_http_rs_api_fail(api, RS_E_OVERLOADED,
                                    "this node has as many pipes of the "
                                    "tenant as it takes", NULL);
    }

    recording = ngx_pcalloc(api->request->pool,
                            sizeof(ngx_http_rs_api_recording_t));
    if (recording == NULL) {
        return NGX_ERROR;
    }

    t = &recording->c.tunnel;
    origin = ngx_http_rs_str(body.origin);

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_TUNNEL, &t->id)
        != NGX_OK
        || ngx_http_rs_api_quota(api, api->rlcf->max_tunnels, &t->tenant_max)
           != NGX_OK
        || ngx_http_rs_api_pipe_new(api, &origin, &recording->c.pipe,
                                    &recording->ticket)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    recording->c.name = api->id;
    t->device_max = api->rlcf->device_tunnels;
    t->ttl = ngx_min(NGX_HTTP_RS_API_RECORDING_TTL, api->rlcf->tunnel_ttl);

    return ngx_http_rs_api_recording_find(api,
                                          ngx_http_rs_api_recording_asked,
                                          recording);
}


static ngx_int_t
ngx_http_rs_api_recording_asked(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_recording_t *recording = data;

    ngx_str_t              s;
    ngx_http_rs_api_op_t  *aop;

    if (code != RS_OK && code != RS_E_NOT_FOUND) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    if (code == RS_OK) {
        s = ngx_rs_reply_str(reply, 1);

        recording->c.tunnel.device_id.data = ngx_pstrdup(api->request->pool,
                                                         &s);
        if (recording->c.tunnel.device_id.data == NULL) {
            return NGX_ERROR;
        }

        recording->c.tunnel.device_id.len = s.len;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_recording_opened,
                             recording);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_recording_open(aop->op,
                                               &api->caller, &recording->c));
}


static ngx_int_t
ngx_http_rs_api_recording_opened(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_recording_t *recording = data;

    json_t                       *json;
    ngx_http_rs_store_command_t  *c;

    switch (code) {

    case RS_OK:
        break;

    case RS_E_CONFLICT:
        return ngx_http_rs_api_fail(api, code,
                                    "it is being recorded still, is to be "
                                    "deleted, or is gone", NULL);

    case RS_E_DEVICE_OFFLINE:
        return ngx_http_rs_api_fail(api, code,
                                    "the recorder that has it is not here",
                                    NULL);

    default:
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    c = &recording->c;

    json = ngx_http_rs_api_pipe_json(api, &c->pipe, &recording->ticket,
                                     ngx_rs_reply_str(reply, 3));

    if (json_object_set_new(json, "tunnel_id",
                            ngx_http_rs_api_text(c->tunnel.id)) != 0)
    {
        json_decref(json);
        json = NULL;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, json);
}
