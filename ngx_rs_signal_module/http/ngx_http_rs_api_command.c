
/*
 * Copyright (C) rs-gateway contributors
 *
 * Commands of devices: a tunnel with one pipe, by one call.  What may be run,
 * and with which parameters, the device says; here they are names and values,
 * and where they are written down.  docs/design/pipes.md.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_ws_handshake.h"


#define NGX_HTTP_RS_API_ARGS          16       /* parameters */
#define NGX_HTTP_RS_API_ARG_NAME      64       /* bytes, of a command's also */
#define NGX_HTTP_RS_API_COMMAND_TTL   3900     /* s: the longest command of a
                                                  device, and some to ask */


typedef struct {
    rs_str_t                        command;
    json_t                         *args;
    json_t                         *secret;
    int64_t                         ttl_s;
    rs_str_t                        label;
    rs_str_t                        origin;
} ngx_http_rs_api_command_body_t;


typedef struct {
    ngx_http_rs_store_command_t     c;
    ngx_str_t                       ticket;
} ngx_http_rs_api_command_t;


static ngx_int_t ngx_http_rs_api_command_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_t *command);
static rs_err_e ngx_http_rs_api_command_name(rs_str_t s);
static ngx_int_t ngx_http_rs_api_command_args(ngx_http_rs_api_t *api,
    json_t *args);
static ngx_int_t ngx_http_rs_api_command_secret(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_body_t *body);
static ngx_int_t ngx_http_rs_api_command_bad(ngx_http_rs_api_t *api,
    const char *pointer, const char *what);
static ngx_int_t ngx_http_rs_api_command_target(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_body_t *body, ngx_str_t *text);
static ngx_int_t ngx_http_rs_api_command_shown(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_body_t *body, ngx_str_t *text);
static ngx_int_t ngx_http_rs_api_command_opened(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


static const rs_json_field_t  ngx_http_rs_api_command_fields[] = {
    { "command", RS_JSON_STRING, RS_JSON_REQUIRED, 1,
      NGX_HTTP_RS_API_ARG_NAME,
      offsetof(ngx_http_rs_api_command_body_t, command), NULL,
      ngx_http_rs_api_command_name, "letters, digits, \"-\" and \"_\"" },
    { "args", RS_JSON_OBJECT, 0, 0, NGX_HTTP_RS_API_JSON_MAX,
      offsetof(ngx_http_rs_api_command_body_t, args), NULL, NULL, NULL },
    { "secret", RS_JSON_ARRAY, 0, 0, NGX_HTTP_RS_API_ARGS,
      offsetof(ngx_http_rs_api_command_body_t, secret), NULL, NULL, NULL },
    { "ttl_s", RS_JSON_INT, 0, 1, INT64_MAX,
      offsetof(ngx_http_rs_api_command_body_t, ttl_s), NULL, NULL, NULL },
    { "label", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_command_body_t, label), NULL, NULL, NULL },
    { "origin", RS_JSON_STRING, 0, 1, RS_ORIGIN_MAX,
      offsetof(ngx_http_rs_api_command_body_t, origin),
      NULL, rs_ws_origin_check, "an origin, scheme://host[:port]" }
};


/* POST /devices/{id}/commands */

ngx_int_t
ngx_http_rs_api_command_run(ngx_http_rs_api_t *api)
{
    ngx_int_t                    rc;
    ngx_http_rs_api_op_t        *aop;
    ngx_http_rs_api_command_t   *command;
    ngx_http_rs_store_tunnel_t  *t;

    api->ctx->device_id = api->id;

    command = ngx_pcalloc(api->request->pool,
                          sizeof(ngx_http_rs_api_command_t));
    if (command == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_command_read(api, command);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_pipe_full(api->rmcf, &api->caller.tenant)) {
        return ngx_http_rs_api_fail(api, RS_E_OVERLOADED,
                                    "this node has as many pipes of the "
                                    "tenant as it takes", NULL);
    }

    t = &command->c.tunnel;

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_TUNNEL, &t->id)
        != NGX_OK
        || ngx_http_rs_api_quota(api, api->rlcf->max_tunnels, &t->tenant_max)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    t->device_id = api->id;
    t->device_max = api->rlcf->device_tunnels;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_command_opened, command);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_command_open(aop->op,
                                                 &api->caller, &command->c));
}


static ngx_int_t
ngx_http_rs_api_command_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_t *command)
{
    ngx_int_t                        rc;
    ngx_str_t                        origin;
    ngx_http_rs_store_command_t     *c;
    ngx_http_rs_api_command_body_t   body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = ngx_min(NGX_HTTP_RS_API_COMMAND_TTL, api->rlcf->tunnel_ttl);

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_command_fields,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_command_fields),
                            &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_ttl(api, "/ttl_s", body.ttl_s,
                                       api->rlcf->tunnel_ttl);
    }

    if (rc == NGX_OK && body.args) {
        rc = ngx_http_rs_api_command_args(api, body.args);
    }

    if (rc == NGX_OK && body.secret) {
        rc = ngx_http_rs_api_command_secret(api, &body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    c = &command->c;
    c->name = ngx_http_rs_str(body.command);
    c->tunnel.label = ngx_http_rs_str(body.label);
    c->tunnel.ttl = body.ttl_s;
    origin = ngx_http_rs_str(body.origin);

    if (ngx_http_rs_api_command_target(api, &body, &c->args) != NGX_OK
        || ngx_http_rs_api_command_shown(api, &body, &c->shown) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_pipe_new(api, &origin, &c->pipe, &command->ticket);
}


/* as agent.conf has them, of commands and of parameters */

static rs_err_e
ngx_http_rs_api_command_name(rs_str_t s)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '_' && c != '-')
        {
            return RS_E_INVALID_VALUE;
        }
    }

    return (s.len && s.len <= NGX_HTTP_RS_API_ARG_NAME) ? RS_OK
                                                        : RS_E_INVALID_VALUE;
}


/* strings and numbers that are no strings: what each may be the device says */

static ngx_int_t
ngx_http_rs_api_command_args(ngx_http_rs_api_t *api, json_t *args)
{
    char         pointer[RS_JSON_POINTER_MAX];
    json_t      *value;
    const char  *name;

    if (json_object_size(args) > NGX_HTTP_RS_API_ARGS) {
        return ngx_http_rs_api_command_bad(api, "/args",
                                           "has more than 16 parameters");
    }

    json_object_foreach(args, name, value) {

        if (ngx_http_rs_api_command_name(rs_str(name)) != RS_OK) {
            return ngx_http_rs_api_command_bad(api, "/args",
                           "names are of letters, digits, \"-\" and \"_\"");
        }

        if (json_string_length(value)
            || (json_is_integer(value) && json_integer_value(value) >= 0))
        {
            continue;
        }

        ngx_sprintf((u_char *) pointer, "/args/%s%Z", name);

        return ngx_http_rs_api_command_bad(api, pointer,
                                           "must be a string or a whole "
                                           "number, and not empty");
    }

    return NGX_OK;
}


/* one that is none was misspelt: the value would be told */

static ngx_int_t
ngx_http_rs_api_command_secret(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_body_t *body)
{
    char         pointer[RS_JSON_POINTER_MAX];
    size_t       i;
    json_t      *item;
    const char  *name;

    json_array_foreach(body->secret, i, item) {
        name = json_string_value(item);

        if (name == NULL || json_object_get(body->args, name) == NULL) {
            ngx_sprintf((u_char *) pointer, "/secret/%uz%Z", i);

            return ngx_http_rs_api_command_bad(api, pointer,
                                               "must be the name of one of "
                                               "args");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_command_bad(ngx_http_rs_api_t *api, const char *pointer,
    const char *what)
{
    ngx_http_rs_api_invalid(api,
                            rs_json_fail(&api->err, RS_E_INVALID_VALUE,
                                         pointer, "%s", what));
    return NGX_DECLINED;
}


/* what the device is told */

static ngx_int_t
ngx_http_rs_api_command_target(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_body_t *body, ngx_str_t *text)
{
    json_t     *json;
    ngx_int_t   rc;

    json = json_pack("{s:s%, s:O*, s:O*}",
                     "command", (char *) body->command.data,
                     body->command.len, "args", body->args,
                     "secret", body->secret);
    if (json == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_dump(api->request->pool, json, 0, text);

    json_decref(json);

    return rc;
}


/* what the audit is told: all but what the caller calls secret */

static ngx_int_t
ngx_http_rs_api_command_shown(ngx_http_rs_api_t *api,
    ngx_http_rs_api_command_body_t *body, ngx_str_t *text)
{
    size_t      i;
    json_t     *json, *item;
    ngx_int_t   rc;

    json = body->args ? json_copy(body->args) : json_object();
    if (json == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    json_array_foreach(body->secret, i, item) {
        if (json_object_set_new(json, json_string_value(item),
                                json_string("***"))
            != 0)
        {
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_dump(api->request->pool, json, 0, text);
    }

    json_decref(json);

    return rc;
}


static ngx_int_t
ngx_http_rs_api_command_opened(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_command_t *command = data;

    json_t                       *json;
    ngx_rs_reply_t               *obj;
    ngx_http_rs_store_command_t  *c;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    ngx_http_rs_count(api->rmcf, NGX_HTTP_RS_STAT_COMMAND);

    c = &command->c;
    obj = ngx_rs_reply_at(reply, 2);

    json = ngx_http_rs_api_pipe_json(api, &c->pipe, &command->ticket,
                                     ngx_rs_reply_str(reply, 3));

    if (json_object_set_new(json, "tunnel_id",
                            ngx_http_rs_api_text(c->tunnel.id)) != 0
        || json_object_set_new(json, "expires_at",
                ngx_http_rs_api_number(ngx_rs_reply_field(obj, "expires_at")))
           != 0)
    {
        json_decref(json);
        json = NULL;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, json);
}
