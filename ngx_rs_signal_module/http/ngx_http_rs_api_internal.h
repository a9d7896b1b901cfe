
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the REST files share: one call, its operations of the store, its
 * answer.  Private to http/ngx_http_rs_api*.c.
 *
 * A handler sets the answer and returns NGX_OK, or starts operations and
 * returns NGX_DONE; an operation's completion does the same.  NGX_ERROR is
 * answered as `internal`.
 */


#ifndef _NGX_HTTP_RS_API_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_RS_API_INTERNAL_H_INCLUDED_


#include "ngx_http_rs.h"
#include "ngx_http_rs_variables.h"
#include "ngx_http_rs_oidc.h"
#include "rs_json.h"
#include "rs_role.h"


#define NGX_HTTP_RS_API_N(fields)     (sizeof(fields) / sizeof((fields)[0]))

#define NGX_HTTP_RS_API_NAME_MAX      128     /* characters */
#define NGX_HTTP_RS_API_REASON_MAX    512     /* characters */
#define NGX_HTTP_RS_API_JSON_MAX      4096    /* bytes of metadata, meta */
#define NGX_HTTP_RS_API_TAGS_MAX      16
#define NGX_HTTP_RS_API_TAG_MAX       64      /* characters */
#define NGX_HTTP_RS_API_TICKET_TTL    86400   /* s */

#define NGX_HTTP_RS_API_ALLOW_MAX     64      /* bytes of Allow */
#define NGX_HTTP_RS_API_SEGMENTS      2       /* "{...}" of a path */


typedef struct ngx_http_rs_api_s  ngx_http_rs_api_t;

typedef ngx_int_t (*ngx_http_rs_api_pt)(ngx_http_rs_api_t *api);

/* code and reply as ngx_http_rs_store_handler_pt has them */
typedef ngx_int_t (*ngx_http_rs_api_done_pt)(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


typedef enum {
    NGX_HTTP_RS_API_NO_BODY = 0,
    NGX_HTTP_RS_API_MAY_BODY,
    NGX_HTTP_RS_API_BODY,
    NGX_HTTP_RS_API_PATCH                      /* a merge patch */
} ngx_http_rs_api_body_e;


/* of a route: no credential is looked at; any will do, no verb is needed */

#define NGX_HTTP_RS_API_OPEN          (-1)
#define NGX_HTTP_RS_API_SELF          (-2)


typedef struct {
    ngx_uint_t                  method;        /* NGX_HTTP_GET, ... */
    const char                 *path;          /* "{...}" is one segment */
    const char                 *id;            /* prefix of the first one,
                                                  or NULL */
    ngx_int_t                   verb;          /* rs_verb_e, or of below */
    ngx_http_rs_api_body_e      body;
    ngx_http_rs_api_pt          handler;
} ngx_http_rs_api_route_t;


/* one operation of the store under way */

typedef struct {
    ngx_queue_t                 queue;
    ngx_http_rs_api_t          *api;
    ngx_http_rs_store_op_t     *op;
    ngx_http_rs_api_done_pt     done;
    void                       *data;
} ngx_http_rs_api_op_t;


struct ngx_http_rs_api_s {
    ngx_http_request_t             *request;
    ngx_http_rs_ctx_t              *ctx;
    ngx_http_rs_main_conf_t        *rmcf;
    ngx_http_rs_loc_conf_t         *rlcf;
    const ngx_http_rs_api_route_t  *route;

    ngx_str_t                       base;      /* the URI before path */
    ngx_str_t                       path;
    ngx_str_t                       id;        /* {id}; empty: none */
    ngx_str_t                       username;  /* {username}, the second */

    ngx_http_rs_caller_t            caller;
    rs_cred_t                       key;

    ngx_http_rs_bearer_t           *bearer;    /* of a user's token; or NULL */
    uint32_t                        roles;     /* his, in caller.tenant */

    ngx_buf_t                      *buf;       /* the body as it comes */
    json_t                         *body;      /* NULL: there is none */
    ngx_str_t                       idem;      /* empty: no such header */
    ngx_str_t                       body_hash;

    ngx_queue_t                     ops;       /* ngx_http_rs_api_op_t */
    void                           *data;      /* the handler's */
    void                          (*stream)(ngx_http_rs_api_t *api);
                                               /* sends the answer itself, and
                                                  has the request then; or
                                                  NULL */

    /* the answer */

    ngx_uint_t                      status;    /* 0: the problem below */
    json_t                         *json;
    ngx_str_t                       text;      /* JSON instead of json */
    ngx_str_t                       location;
    ngx_str_t                       etag;
    rs_err_e                        code;
    const char                     *detail;    /* NULL: the title */
    const char                     *pointer;   /* NULL: none */
    rs_json_error_t                 err;       /* room for these two */
};


/* ngx_http_rs_api.c */

/*
 * An operation whose reply done gets, unless an answer was found before or
 * the client has left.  NULL: no memory.
 */
ngx_http_rs_api_op_t *ngx_http_rs_api_op(ngx_http_rs_api_t *api,
    ngx_http_rs_api_done_pt done, void *data);
/* rc of a verb of the store: NGX_DONE, or the answer `unavailable` is set */
ngx_int_t ngx_http_rs_api_wait(ngx_http_rs_api_op_t *aop, ngx_int_t rc);

/* ngx_http_rs_api_route.c */

/*
 * The call r is by its method and path; found: what stands for "{...}".
 * NULL: not by this method, but by those of allow (NGX_HTTP_RS_API_ALLOW_MAX
 * bytes); allow is empty when there is no such path.
 */
const ngx_http_rs_api_route_t *ngx_http_rs_api_match(ngx_http_request_t *r,
    ngx_str_t *path, ngx_str_t *found, ngx_str_t *allow);

/* on with rc of the credential; what a content handler returns */
ngx_int_t ngx_http_rs_api_go(ngx_http_rs_api_t *api, ngx_int_t rc);

/*
 * ngx_http_rs_api_caller.c: NGX_OK; NGX_DECLINED, the answer is set; or
 * NGX_ERROR
 */

/* or NGX_AGAIN: goes on by itself later, or the client leaves before */
ngx_int_t ngx_http_rs_api_credential(ngx_http_rs_api_t *api);
/* a stranger's address, before his credential is looked at */
ngx_int_t ngx_http_rs_api_address_rate(ngx_http_rs_api_t *api);
/* the caller's tenant, if the call makes something */
ngx_int_t ngx_http_rs_api_tenant_rate(ngx_http_rs_api_t *api);
/*
 * The tenant that the configuration or the client names; empty: none does.
 * NGX_DECLINED: what is named is none, or they differ; no answer is set.
 */
ngx_int_t ngx_http_rs_api_tenant(ngx_http_rs_api_t *api, ngx_str_t *tenant);
/* 1: it takes a token of its tenant when it is answered well */
ngx_uint_t ngx_http_rs_api_creates(ngx_http_rs_api_t *api);

/* ngx_http_rs_api_reply.c; all return NGX_OK or NGX_ERROR */

/* takes json over (NULL: no body, or no memory when status is not 204) */
ngx_int_t ngx_http_rs_api_answer(ngx_http_rs_api_t *api, ngx_uint_t status,
    json_t *json);
ngx_int_t ngx_http_rs_api_answer_text(ngx_http_rs_api_t *api,
    ngx_str_t *text);
/*
 * detail and pointer must live as long as the request; `uncertain` has a
 * detail of its own
 */
ngx_int_t ngx_http_rs_api_fail(ngx_http_rs_api_t *api, rs_err_e code,
    const char *detail, const char *pointer);
/* code with what stands in api->err */
ngx_int_t ngx_http_rs_api_invalid(ngx_http_rs_api_t *api, rs_err_e code);
/* Location: base, path of the collection, id */
ngx_int_t ngx_http_rs_api_location(ngx_http_rs_api_t *api,
    const char *collection, ngx_str_t *id);
ngx_int_t ngx_http_rs_api_etag(ngx_http_rs_api_t *api, ngx_str_t *version);

/* sends the answer of api; what a content handler returns */
ngx_int_t ngx_http_rs_api_send(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *text);
ngx_int_t ngx_http_rs_api_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len);
ngx_int_t ngx_http_rs_api_preflight(ngx_http_request_t *r, ngx_str_t *allow);
/* those of every answer */
ngx_int_t ngx_http_rs_api_headers(ngx_http_request_t *r);

/* values of answers: "" is null; stored JSON that cannot be read is null */
json_t *ngx_http_rs_api_text(ngx_str_t s);
json_t *ngx_http_rs_api_number(ngx_str_t s);
json_t *ngx_http_rs_api_stored(ngx_str_t s);
/* "1" is true, anything else false */
json_t *ngx_http_rs_api_flag(ngx_str_t s);
/* an array of the words between blanks; NULL: no memory */
json_t *ngx_http_rs_api_words(ngx_str_t s);
/* compact JSON, from pool; flags: jansson's, besides JSON_COMPACT */
ngx_int_t ngx_http_rs_api_dump(ngx_pool_t *pool, json_t *json, size_t flags,
    ngx_str_t *text);

/* fields of an answer, as the store's obj has them */

typedef struct {
    const char                 *name;          /* NULL: end of the table */
    json_t                   *(*value)(ngx_str_t s);
} ngx_http_rs_api_field_t;

/* NGX_OK or NGX_ERROR (no memory, json NULL) */
ngx_int_t ngx_http_rs_api_fields(json_t *json, ngx_rs_reply_t *obj,
    const ngx_http_rs_api_field_t *fields);

/*
 * ngx_http_rs_api_args.c: NGX_OK; NGX_DECLINED, the answer is set; or
 * NGX_ERROR
 */

/* the body by a table; a call without body leaves target alone */
ngx_int_t ngx_http_rs_api_read_body(ngx_http_rs_api_t *api,
    const rs_json_field_t *fields, ngx_uint_t n, void *target,
    uint32_t *present, uint32_t *null_);
/* an object within the body; base: its JSON pointer */
ngx_int_t ngx_http_rs_api_read_object(ngx_http_rs_api_t *api, json_t *json,
    const rs_json_field_t *fields, ngx_uint_t n, void *target,
    const char *base);
/* present: as of rs_json_read() */
ngx_int_t ngx_http_rs_api_read_present(ngx_http_rs_api_t *api, json_t *json,
    const rs_json_field_t *fields, ngx_uint_t n, void *target,
    const char *base, uint32_t *present);
/* pointer, as "/ttl_s", against a limit of the configuration */
ngx_int_t ngx_http_rs_api_check_ttl(ngx_http_rs_api_t *api,
    const char *pointer, int64_t ttl, time_t max);
/* tags: array of strings -> JSON */
ngx_int_t ngx_http_rs_api_read_tags(ngx_http_rs_api_t *api, json_t *tags,
    ngx_str_t *text);
/*
 * verbs: array of names, those of allowed, "*" too if all are -> text with
 * blanks between them; pointer: of the array, as "/verbs"
 */
ngx_int_t ngx_http_rs_api_read_verbs(ngx_http_rs_api_t *api, json_t *verbs,
    const char *pointer, uint32_t allowed, ngx_str_t *text);
/* Idempotency-Key -> api->idem and body_hash */
ngx_int_t ngx_http_rs_api_read_idem(ngx_http_rs_api_t *api);
/* If-Match -> version; empty: there is none, and none is required */
ngx_int_t ngx_http_rs_api_version(ngx_http_rs_api_t *api,
    ngx_uint_t required, ngx_str_t *version);
/* what the configuration says for this call; 0: none.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_rs_api_quota(ngx_http_rs_api_t *api,
    ngx_http_complex_value_t *cv, ngx_uint_t *n);

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;         /* unescaped; empty: absent */
} ngx_http_rs_api_arg_t;

/* the query string, by the n args it may have */
ngx_int_t ngx_http_rs_api_read_args(ngx_http_rs_api_t *api,
    ngx_http_rs_api_arg_t *args, ngx_uint_t n);

/* a new id of RS_ID_LEN, from pool */
ngx_int_t ngx_http_rs_api_new_id(ngx_pool_t *pool, const char *prefix,
    ngx_str_t *id);
/* writes RS_ID_SECRET_LEN bytes */
ngx_int_t ngx_http_rs_api_new_secret(char *secret);

/*
 * ngx_http_rs_api_list.c: one page of ids, then each object.  Its query has
 * limit, cursor and the filters of the list.
 */

#define NGX_HTTP_RS_API_FILTERS  4

typedef struct {
    ngx_http_rs_store_index_e   index;
    ngx_str_t                   filters[NGX_HTTP_RS_API_FILTERS];
    /* checks the values given; may be NULL */
    ngx_int_t                 (*check)(ngx_http_rs_api_t *api,
                                    ngx_str_t *values);
    ngx_int_t                 (*get)(ngx_http_rs_store_op_t *op,
                                    ngx_http_rs_caller_t *caller,
                                    ngx_str_t *id);
    /* 1: the reply of get passes the filters (an empty value: all pass);
       may be NULL */
    ngx_uint_t                (*pass)(ngx_http_rs_api_t *api,
                                    ngx_rs_reply_t *reply, ngx_str_t *values);
    /* NULL: no memory */
    json_t                   *(*make)(ngx_http_rs_api_t *api,
                                    ngx_rs_reply_t *reply);
} ngx_http_rs_api_list_t;

ngx_int_t ngx_http_rs_api_list(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_list_t *list);
/* of the query of a page; NGX_OK, or NGX_DECLINED: the answer is set */
ngx_int_t ngx_http_rs_api_limit(ngx_http_rs_api_t *api, ngx_str_t *limit,
    uint64_t *n);
ngx_int_t ngx_http_rs_api_cursor(ngx_http_rs_api_t *api, ngx_str_t *cursor);


/* ngx_http_rs_api_set.c: small objects that a tenant sets up */

typedef struct {
    const char                     *collection;  /* "/groups" */
    const char                     *id;          /* the name of its id */
    ngx_http_rs_store_set_e         set;
    ngx_uint_t                      versioned;   /* has an ETag */
    const ngx_http_rs_api_field_t  *fields;      /* besides the id */
} ngx_http_rs_api_set_t;

/* handlers; the last one not of keys */
ngx_int_t ngx_http_rs_api_set_list(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set);
ngx_int_t ngx_http_rs_api_set_get(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set);
ngx_int_t ngx_http_rs_api_set_delete(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set);
/* completions: of an obj (data: its set), of a removal, of a new one */
ngx_int_t ngx_http_rs_api_set_got(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
ngx_int_t ngx_http_rs_api_set_deleted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
ngx_int_t ngx_http_rs_api_set_made(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set, rs_err_e code, ngx_rs_reply_t *reply);
/* the answer to code; of a policy or group_id that is not there it says so */
ngx_int_t ngx_http_rs_api_missing(ngx_http_rs_api_t *api, rs_err_e code,
    ngx_rs_reply_t *reply);
/* 1: the Idempotency-Key stands for another one; its id is in id now */
ngx_uint_t ngx_http_rs_api_set_again(ngx_rs_reply_t *reply, ngx_str_t *id);


/* ngx_http_rs_api_participant.c */

/* one of those asked for, with an id of its own; as ngx_http_rs_api_read_* */
ngx_int_t ngx_http_rs_api_participant_read(ngx_http_rs_api_t *api,
    json_t *json, const char *base, ngx_http_rs_store_participant_t *p);
/* a new ticket, its hash into p */
ngx_int_t ngx_http_rs_api_ticket(ngx_http_rs_api_t *api,
    ngx_str_t *session_id, ngx_http_rs_store_participant_t *p,
    ngx_str_t *ticket);
/* as answers show it, the second with its ticket; NULL: no memory */
json_t *ngx_http_rs_api_participant_json(ngx_rs_reply_t *obj);
json_t *ngx_http_rs_api_guest_json(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *obj, ngx_str_t *ticket, int64_t expires);


/* ngx_http_rs_api_tunnel.c */

typedef struct ngx_http_rs_api_pipe_s  ngx_http_rs_api_pipe_t;

/* a call of a tunnel whose keys need the device: that is asked for first */

struct ngx_http_rs_api_pipe_s {
    ngx_http_rs_store_pipe_t        p;
    ngx_str_t                       ticket;
    u_char                          nobody[RS_ID_LEN];
    ngx_int_t                     (*go)(ngx_http_rs_api_t *api,
                                        ngx_http_rs_api_pipe_t *pipe);
};

/* object and device_id of pipe->p, then go */
ngx_int_t ngx_http_rs_api_tunnel_find(ngx_http_rs_api_t *api,
    ngx_http_rs_api_pipe_t *pipe);
/* the tunnel itself, when all is known of it */
ngx_int_t ngx_http_rs_api_tunnel_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t);


/* ngx_http_rs_api_port.c: as handlers */

/* a port for the tunnel, then ngx_http_rs_api_tunnel_put() */
ngx_int_t ngx_http_rs_api_port_want(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t);
/* obj is there, its answer in api->json: what the port needs besides */
ngx_int_t ngx_http_rs_api_port_made(ngx_http_rs_api_t *api,
    ngx_http_rs_store_tunnel_t *t, ngx_rs_reply_t *obj);
/*
 * reply of ngx_http_rs_store_tunnel_delete(): its port is nobody's; done comes
 * next, at once if there is nothing to do, and its code says nothing
 */
ngx_int_t ngx_http_rs_api_port_free(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply, ngx_http_rs_api_done_pt done, void *data);


/* ngx_http_rs_api_pipe.c */

/*
 * A new pipe of the caller: all of p but its object and device, and the
 * client's ticket.  origin: the page that may show it; empty: the one that
 * calls.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_rs_api_pipe_new(ngx_http_rs_api_t *api, ngx_str_t *origin,
    ngx_http_rs_store_pipe_t *p, ngx_str_t *ticket);
/* as answers show it; NULL: no memory */
json_t *ngx_http_rs_api_pipe_json(ngx_http_rs_api_t *api,
    ngx_http_rs_store_pipe_t *p, ngx_str_t *ticket, ngx_str_t expires);


/* the page that calls; empty: none does */
ngx_str_t ngx_http_rs_api_origin(ngx_http_rs_api_t *api);
/* the console's URL with #kind=secret; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_rs_api_join_url(ngx_http_rs_api_t *api, const char *kind,
    ngx_str_t *secret, ngx_str_t *join);
/* where somebody types a code for help */
ngx_int_t ngx_http_rs_api_help_url(ngx_http_rs_api_t *api, ngx_str_t *help);


/* handlers, in the files of their nouns */

ngx_int_t ngx_http_rs_api_root(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_live(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_ready(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_check_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_check_post(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_openapi(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_session_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_session_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_session_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_session_end(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_participant_add(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_link_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_link_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_link_delete(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_join(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_help_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_help(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_enrollment_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_enrollment_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_enrollment_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_enrollment_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_device_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_device_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_device_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_device_patch(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_device_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_group_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_group_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_group_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_group_patch(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_group_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_policy_put(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_policy_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_policy_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_policy_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_grant_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_grant_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_grant_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_grant_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_bootstrap(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_login(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_key_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_key_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_key_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_key_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_audit_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_audit_trim(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_watch_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_events(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_webhook_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_webhook_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_webhook_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_webhook_patch(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_webhook_secret(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_webhook_delete(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_tunnel_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_tunnel_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_tunnel_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_tunnel_patch(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_tunnel_delete(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_pipe_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_port_create(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_command_run(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_me(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_me_sign_out(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_user_revoke(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_ice(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_turn(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_turn_generate(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_turn_revoke(ngx_http_rs_api_t *api);

ngx_int_t ngx_http_rs_api_drain_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_drain_start(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_drain_end(ngx_http_rs_api_t *api);

/* ngx_http_rs_api_recording.c */
ngx_int_t ngx_http_rs_api_recording_list(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_recording_get(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_recording_delete(ngx_http_rs_api_t *api);
ngx_int_t ngx_http_rs_api_recording_open(ngx_http_rs_api_t *api);


extern ngx_str_t  ngx_http_rs_openapi;

/* ngx_http_rs_api_render.c */

/* what a rendered session may show, as it is asked for; zeroed: anything */

typedef struct {
    json_t                     *urls;
    json_t                     *mask;
    int                         no_submit;
    unsigned                    downloads;
} ngx_http_rs_api_page_body_t;

#define NGX_HTTP_RS_API_URLS_MAX   32
#define NGX_HTTP_RS_API_MASKS_MAX  16

#define NGX_HTTP_RS_API_PAGE_FIELDS(body_t)                                  \
    { "urls", RS_JSON_ARRAY, 0, 0, NGX_HTTP_RS_API_URLS_MAX,                 \
      offsetof(body_t, page.urls), NULL, NULL, NULL },                       \
    { "mask", RS_JSON_ARRAY, 0, 0, NGX_HTTP_RS_API_MASKS_MAX,                \
      offsetof(body_t, page.mask), NULL, NULL, NULL },                       \
    { "no_submit", RS_JSON_BOOL, 0, 0, 0,                                    \
      offsetof(body_t, page.no_submit), NULL, NULL, NULL },                  \
    { "downloads", RS_JSON_ENUM, 0, 0, 0,                                    \
      offsetof(body_t, page.downloads), ngx_http_rs_api_downloads, NULL,     \
      NULL }

/* renderers that may get a session, the best first */

#define NGX_HTTP_RS_API_PLACES  4

typedef struct {
    ngx_str_t                   id[NGX_HTTP_RS_API_PLACES];
    ngx_uint_t                  n;
    ngx_uint_t                  next;
    rs_err_e                    why;       /* there is none */
} ngx_http_rs_api_places_t;

rs_err_e ngx_http_rs_api_page_url(rs_str_t s);
/* base: "" or "/policy"; NGX_DECLINED: the answer is set */
ngx_int_t ngx_http_rs_api_page_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_page_body_t *body, const char *base,
    ngx_http_rs_store_page_t *page);
/* what rs_session_create is given of both, and of guests; host NULL: none */
ngx_int_t ngx_http_rs_api_web(ngx_http_rs_api_t *api,
    ngx_http_rs_store_page_t *page, json_t *host, ngx_array_t *participants,
    ngx_str_t *text);
/* what rs_service_place said */
ngx_int_t ngx_http_rs_api_places(ngx_http_rs_api_t *api,
    ngx_http_rs_api_places_t *pl, rs_err_e code, ngx_rs_reply_t *reply);
/* 0: none is left, id is empty */
ngx_uint_t ngx_http_rs_api_places_next(ngx_http_rs_api_places_t *pl,
    ngx_str_t *id);
ngx_int_t ngx_http_rs_api_places_fail(ngx_http_rs_api_t *api, rs_err_e code);

extern const char *const  ngx_http_rs_api_downloads[];


/* of devices: "desktop", "renderer", "recorder", NULL */
extern const char *const  ngx_http_rs_api_kinds[];
/* "none", "notify", "required", NULL */
extern const char *const  ngx_http_rs_api_consents[];
extern const char *const  ngx_http_rs_api_ways[];
/* "off", "optional", "required", NULL; "end", "mark", NULL */
extern const char *const  ngx_http_rs_api_recordings[];
extern const char *const  ngx_http_rs_api_losses[];


#endif /* _NGX_HTTP_RS_API_INTERNAL_H_INCLUDED_ */
