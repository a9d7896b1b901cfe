
/*
 * Copyright (C) rs-gateway contributors
 *
 * Session policies, by name: what the sessions of a group are held to, and
 * those of the whole tenant by the one that is called "default".
 */


#include "ngx_http_rs_api_internal.h"


typedef struct {
    unsigned    consent;
    int         relay_only;
    int64_t     max_ttl_s;
    int         view_only;
    unsigned    clipboard;
    unsigned    files;
    int         sound;
    unsigned    recording;
    unsigned    recorder_lost;

    ngx_http_rs_api_page_body_t  page;
} ngx_http_rs_api_policy_body_t;


static ngx_uint_t ngx_http_rs_api_policy_none(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_api_policy_done(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_policy_way(ngx_str_t s);
static json_t *ngx_http_rs_api_policy_items(ngx_str_t s);
static json_t *ngx_http_rs_api_policy_sound(ngx_str_t s);


const char *const  ngx_http_rs_api_consents[] =
    { "none", "notify", "required", NULL };

const char *const  ngx_http_rs_api_ways[] =
    { "both", "to_device", "from_device", "none", NULL };

const char *const  ngx_http_rs_api_recordings[] =
    { "off", "optional", "required", NULL };

const char *const  ngx_http_rs_api_losses[] = { "end", "mark", NULL };


static const rs_json_field_t  ngx_http_rs_api_policy_fields[] = {
    { "consent", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, consent),
      ngx_http_rs_api_consents, NULL, NULL },
    { "relay_only", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_policy_body_t, relay_only),
      NULL, NULL, NULL },
    { "max_ttl_s", RS_JSON_INT, 0, 1, NGX_MAX_INT32_VALUE,
      offsetof(ngx_http_rs_api_policy_body_t, max_ttl_s), NULL, NULL, NULL },
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

/* bits of those that may say nothing, by their places above */
#define NGX_HTTP_RS_API_POLICY_CONSENT    0x1
#define NGX_HTTP_RS_API_POLICY_RECORDING  0x80
#define NGX_HTTP_RS_API_POLICY_LOST       0x100


static const ngx_http_rs_api_field_t  ngx_http_rs_api_policy_obj[] = {
    { "consent", ngx_http_rs_api_text },
    { "relay_only", ngx_http_rs_api_flag },
    { "max_ttl_s", ngx_http_rs_api_number },
    { "view_only", ngx_http_rs_api_flag },
    { "clipboard", ngx_http_rs_api_policy_way },
    { "files", ngx_http_rs_api_policy_way },
    { "sound", ngx_http_rs_api_policy_sound },
    { "recording", ngx_http_rs_api_text },
    { "recorder_lost", ngx_http_rs_api_text },
    { "urls", ngx_http_rs_api_policy_items },
    { "mask", ngx_http_rs_api_policy_items },
    { "no_submit", ngx_http_rs_api_flag },
    { "downloads", ngx_http_rs_api_policy_way },
    { "updated_at", ngx_http_rs_api_number },
    { NULL, NULL }
};

static const ngx_http_rs_api_set_t  ngx_http_rs_api_policies = {
    "/policies", "name", NGX_HTTP_RS_STORE_POLICIES, 0,
    ngx_http_rs_api_policy_obj
};


/* what cannot be a name names nothing; 1: the answer is set */

static ngx_uint_t
ngx_http_rs_api_policy_none(ngx_http_rs_api_t *api)
{
    if (rs_tenant_check(ngx_http_rs_slice(&api->id)) == RS_OK) {
        return 0;
    }

    ngx_http_rs_api_fail(api, RS_E_NOT_FOUND, NULL, NULL);

    return 1;
}


/* PUT /policies/{name} */

ngx_int_t
ngx_http_rs_api_policy_put(ngx_http_rs_api_t *api)
{
    uint32_t                        present;
    ngx_int_t                       rc;
    ngx_http_rs_api_op_t           *aop;
    ngx_http_rs_store_policy_t      p;
    ngx_http_rs_api_policy_body_t   body;

    if (ngx_http_rs_api_policy_none(api)) {
        return NGX_OK;
    }

    ngx_memzero(&body, sizeof(body));
    ngx_memzero(&p, sizeof(p));
    body.sound = 1;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_policy_fields,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_policy_fields),
                            &body, &present, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_page_read(api, &body.page, "", &p.page);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    p.name = api->id;
    p.relay_only = body.relay_only;
    p.max_ttl = body.max_ttl_s;
    p.desktop.view_only = body.view_only;
    p.desktop.clipboard = ngx_http_rs_str(rs_str(
                                        ngx_http_rs_api_ways[body.clipboard]));
    p.desktop.files = ngx_http_rs_str(rs_str(
                                        ngx_http_rs_api_ways[body.files]));
    p.desktop.sound = body.sound;

    if (present & NGX_HTTP_RS_API_POLICY_CONSENT) {
        p.consent = ngx_http_rs_str(rs_str(
                                      ngx_http_rs_api_consents[body.consent]));
    }

    if (present & NGX_HTTP_RS_API_POLICY_RECORDING) {
        p.desktop.recording = ngx_http_rs_str(rs_str(
                                  ngx_http_rs_api_recordings[body.recording]));
    }

    if (present & NGX_HTTP_RS_API_POLICY_LOST) {
        p.desktop.recorder_lost = ngx_http_rs_str(rs_str(
                                  ngx_http_rs_api_losses[body.recorder_lost]));
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_policy_done, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_policy_put(aop->op,
                                                        &api->caller, &p));
}


static ngx_int_t
ngx_http_rs_api_policy_done(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_int_t  rc;
    ngx_str_t  what;

    rc = ngx_http_rs_api_set_made(api, &ngx_http_rs_api_policies, code,
                                  reply);

    if (rc == NGX_OK && code == RS_OK) {
        what = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&what), RS_STR("replaced"))) {
            api->status = NGX_HTTP_OK;
            ngx_str_null(&api->location);
        }
    }

    return rc;
}


/* a policy that was written before it had these narrows nothing */

static json_t *
ngx_http_rs_api_policy_way(ngx_str_t s)
{
    return s.len ? ngx_http_rs_api_text(s)
                 : json_string(ngx_http_rs_api_ways[0]);
}


static json_t *
ngx_http_rs_api_policy_items(ngx_str_t s)
{
    return s.len ? ngx_http_rs_api_stored(s) : json_array();
}


static json_t *
ngx_http_rs_api_policy_sound(ngx_str_t s)
{
    return json_boolean(s.len == 0 || s.data[0] != '0');
}


/* GET /policies */

ngx_int_t
ngx_http_rs_api_policy_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_list(api, &ngx_http_rs_api_policies);
}


/* GET /policies/{name} */

ngx_int_t
ngx_http_rs_api_policy_get(ngx_http_rs_api_t *api)
{
    if (ngx_http_rs_api_policy_none(api)) {
        return NGX_OK;
    }

    return ngx_http_rs_api_set_get(api, &ngx_http_rs_api_policies);
}


/* DELETE /policies/{name} */

ngx_int_t
ngx_http_rs_api_policy_delete(ngx_http_rs_api_t *api)
{
    if (ngx_http_rs_api_policy_none(api)) {
        return NGX_OK;
    }

    return ngx_http_rs_api_set_delete(api, &ngx_http_rs_api_policies);
}
