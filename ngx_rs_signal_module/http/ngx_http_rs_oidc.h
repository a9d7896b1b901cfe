
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who a bearer of an ID token is: the token is checked by what rs_oidc and
 * its companions say, its claims become tenants and roles.  What is not good
 * is one answer, whatever was wrong; the log says why.
 */


#ifndef _NGX_HTTP_RS_OIDC_H_INCLUDED_
#define _NGX_HTTP_RS_OIDC_H_INCLUDED_


#include "rs_role.h"
#include "http/ngx_http_rs_jwks.h"


#define NGX_HTTP_RS_OIDC_TENANTS  128      /* of one token */
#define NGX_HTTP_RS_OIDC_GROUPS   200      /* of one token */
/* "usr_" and base32 of 16 bytes */
#define NGX_HTTP_RS_USER_ID_LEN   (4 + RS_BASE32_LEN(16))
/* bytes of an issuer, a group, ...; of a configuration or a token */
#define NGX_HTTP_RS_OIDC_TEXT_MAX  512
#define NGX_HTTP_RS_OIDC_NAME_MAX  128


/* rs_oidc_role */

typedef struct {
    rs_role_e                   role;
    ngx_str_t                   group;         /* "*": everybody */
    ngx_str_t                   tenant;        /* empty: all of the token */
} ngx_http_rs_oidc_role_t;


/* rs_oidc and its companions, of a location */

typedef struct {
    ngx_str_t                   issuer;        /* empty: off */
    ngx_str_t                   client_id;
    ngx_str_t                   audience;      /* client_id unless said */
    ngx_str_t                   scope;         /* for the console */
    ngx_uint_t                  algs;          /* RS_JWS_MASK */
    ngx_str_t                   tenant_claim;  /* empty: tenant "default" */
    ngx_str_t                   user_claim;
    ngx_str_t                   name_claim;
    ngx_str_t                   groups_claim;
    ngx_array_t                *roles;         /* of ..._role_t; or NULL */
    time_t                      skew;
    time_t                      max_age;
    ngx_uint_t                  nonce;         /* 1: required */
    ngx_str_t                   jwks_file;
    ngx_str_t                   jwks_uri;
    ngx_http_rs_jwks_t         *jwks;          /* of one of the two */
} ngx_http_rs_oidc_conf_t;


/* a tenant in which the bearer has a role */

typedef struct {
    ngx_str_t                   name;
    uint32_t                    roles;         /* RS_ROLE_BIT, not 0 */
} ngx_http_rs_bearer_tenant_t;


/* everything from the request's pool; all text is printable UTF-8 */

typedef struct {
    ngx_str_t                       issuer;
    ngx_str_t                       subject;   /* the user claim */
    ngx_str_t                       user_id;   /* "usr_..." */
    ngx_str_t                       name;      /* subject, if it has none */
    ngx_str_t                      *groups;
    ngx_uint_t                      ngroups;
    ngx_http_rs_bearer_tenant_t    *tenants;   /* none named twice */
    ngx_uint_t                      ntenants;  /* 0: no role anywhere */
    int64_t                         iat;       /* seconds */
    int64_t                         exp;
} ngx_http_rs_bearer_t;


/*
 * code: RS_OK and the bearer; RS_E_UNAUTHENTICATED; RS_E_UNAVAILABLE: the
 * issuer's keys are not there now; RS_E_INTERNAL.
 */
typedef void (*ngx_http_rs_bearer_pt)(void *data, rs_err_e code,
    ngx_http_rs_bearer_t *bearer);


/* 1: the location has rs_oidc; what it says is in rlcf->oidc */
ngx_uint_t ngx_http_rs_oidc_on(ngx_http_request_t *r);

/*
 * r: a main request in its content handler.  token: what follows "Bearer ".
 *
 * NGX_OK: *code and *bearer (NULL unless RS_OK) are the result.
 *
 * NGX_AGAIN: keys are being fetched; handler gets the same later, exactly
 * once, from an event of its own, after which the posted requests of r's
 * connection are run.  The caller has taken a reference on r (count) for the
 * time.  When r ends before, the handler is never called.
 */
ngx_int_t ngx_http_rs_oidc_identify(ngx_http_request_t *r, ngx_str_t *token,
    ngx_http_rs_bearer_pt handler, void *data, rs_err_e *code,
    ngx_http_rs_bearer_t **bearer);


#endif /* _NGX_HTTP_RS_OIDC_H_INCLUDED_ */
