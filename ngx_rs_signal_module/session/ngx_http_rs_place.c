
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rendered sessions that need another renderer: the store is asked who is
 * free, and then to move the session there, which it does as long as nobody
 * has come as its host.  Which recorder a session has the store decides itself.
 */


#include "ngx_http_rs.h"
#include "session/ngx_http_rs_place.h"


#define NGX_HTTP_RS_PLACE_TRIES  4


typedef struct {
    ngx_pool_t                  *pool;
    ngx_http_rs_main_conf_t     *rmcf;
    ngx_str_t                    tenant;
    ngx_str_t                    session_id;
    ngx_str_t                    device_id;
    ngx_str_t                    to[NGX_HTTP_RS_PLACE_TRIES];
    ngx_uint_t                   n;
    ngx_uint_t                   next;
    const char                  *end;          /* NULL: it stays */
    const char                  *detail;
} ngx_http_rs_place_t;


static ngx_http_rs_place_t *ngx_http_rs_place_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant, ngx_str_t *session_id,
    ngx_str_t *device_id);
static void ngx_http_rs_place_found(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_place_move(ngx_http_rs_place_t *place);
static void ngx_http_rs_place_moved(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_place_over(ngx_http_rs_place_t *place, rs_err_e code);


void
ngx_http_rs_place_again(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_str_t *device_id, const char *end,
    const char *detail)
{
    ngx_http_rs_place_t     *place;
    ngx_http_rs_store_op_t  *op;

    place = ngx_http_rs_place_create(rmcf, tenant, session_id, device_id);
    if (place == NULL) {
        return;
    }

    place->end = end;
    place->detail = detail;

    op = ngx_http_rs_store_op(rmcf->store, ngx_http_rs_place_found, place);

    if (op == NULL
        || ngx_http_rs_store_service_place(op, &place->tenant, "renderer",
                                           NGX_HTTP_RS_PLACE_TRIES,
                                           &place->device_id)
           != NGX_OK)
    {
        ngx_http_rs_place_over(place, RS_E_UNAVAILABLE);
    }
}


void
ngx_http_rs_place_all(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    ngx_rs_reply_t *reply)
{
    ngx_str_t                session_id, device_id;
    ngx_uint_t               i;
    ngx_rs_reply_t          *list;
    ngx_http_rs_store_op_t  *op;

    list = ngx_rs_reply_at(reply, 2);
    device_id = ngx_rs_reply_str(reply, 3);

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        session_id = ngx_rs_reply_str(list, i);
        ngx_http_rs_place_again(rmcf, tenant, &session_id, &device_id, NULL,
                                NULL);
    }

    list = ngx_rs_reply_at(reply, 4);

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        session_id = ngx_rs_reply_str(list, i);
        op = ngx_http_rs_store_op(rmcf->store, NULL, NULL);

        if (op == NULL
            || ngx_http_rs_store_recorder_away(op, tenant, &device_id,
                                               &session_id)
               != NGX_OK)
        {
            /* it keeps what is left, and is asked in when it is back */
            break;
        }
    }
}


static ngx_http_rs_place_t *
ngx_http_rs_place_create(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_str_t *device_id)
{
    ngx_pool_t           *pool;
    ngx_http_rs_place_t  *place;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    place = ngx_pcalloc(pool, sizeof(ngx_http_rs_place_t));

    if (place) {
        place->pool = pool;
        place->rmcf = rmcf;
        place->tenant.len = tenant->len;
        place->tenant.data = ngx_pstrdup(pool, tenant);
        place->session_id.len = session_id->len;
        place->session_id.data = ngx_pstrdup(pool, session_id);
        place->device_id.len = device_id->len;
        place->device_id.data = ngx_pstrdup(pool, device_id);
    }

    if (place == NULL || place->tenant.data == NULL
        || place->session_id.data == NULL || place->device_id.data == NULL)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return place;
}


static void
ngx_http_rs_place_found(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_place_t *place = data;

    ngx_str_t        id, owner;
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *list;

    list = (code == RS_OK) ? ngx_rs_reply_at(reply, 1) : NULL;
    n = ngx_rs_reply_count(list);

    for (i = 0; i + 1 < n && place->n < NGX_HTTP_RS_PLACE_TRIES; i += 2) {

        id = ngx_rs_reply_str(list, i);
        owner = ngx_rs_reply_str(list, i + 1);

        if (!ngx_http_rs_presence_live(place->rmcf->presence, &owner)) {
            continue;
        }

        place->to[place->n].data = ngx_pstrdup(place->pool, &id);
        place->to[place->n].len = id.len;

        if (place->to[place->n].data == NULL) {
            break;
        }

        place->n++;
    }

    if (place->n == 0) {
        ngx_http_rs_place_over(place, code == RS_OK ? RS_E_DEVICE_OFFLINE
                                                    : code);
        return;
    }

    ngx_http_rs_place_move(place);
}


static void
ngx_http_rs_place_move(ngx_http_rs_place_t *place)
{
    ngx_http_rs_store_op_t  *op;

    op = ngx_http_rs_store_op(place->rmcf->store, ngx_http_rs_place_moved,
                              place);

    if (op == NULL
        || ngx_http_rs_store_session_move(op, &place->tenant,
                                          &place->session_id,
                                          &place->device_id,
                                          &place->to[place->next++],
                                          place->detail ? place->detail
                                                        : "lost")
           != NGX_OK)
    {
        ngx_http_rs_place_over(place, RS_E_UNAVAILABLE);
    }
}


static void
ngx_http_rs_place_moved(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_place_t *place = data;

    if ((code == RS_E_DEVICE_OFFLINE || code == RS_E_RENDERERS_FULL)
        && place->next < place->n)
    {
        /* taken, or gone, meanwhile */

        ngx_http_rs_place_move(place);
        return;
    }

    if (code == RS_OK) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "rs place: session %V goes from renderer %V to %V",
                      &place->session_id, &place->device_id,
                      &place->to[place->next - 1]);

        ngx_destroy_pool(place->pool);
        return;
    }

    ngx_http_rs_place_over(place, code);
}


static void
ngx_http_rs_place_over(ngx_http_rs_place_t *place, rs_err_e code)
{
    ngx_str_t                reason, detail;
    ngx_http_rs_caller_t     caller;
    ngx_http_rs_store_op_t  *op;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "rs place: session %V goes to no other renderer than %V: "
                  "%s", &place->session_id, &place->device_id,
                  rs_err_code(code));

    if (place->end) {

        reason.data = (u_char *) place->end;
        reason.len = ngx_strlen(reason.data);
        detail.data = (u_char *) place->detail;
        detail.len = ngx_strlen(detail.data);

        ngx_http_rs_caller_self(&caller, &place->tenant);

        op = ngx_http_rs_store_op(place->rmcf->store, NULL, NULL);

        if (op) {
            /* refused: it is asked again when it is announced again */

            (void) ngx_http_rs_store_session_end(op, &caller,
                                                 &place->session_id, &reason,
                                                 &detail, &place->device_id);
        }
    }

    ngx_destroy_pool(place->pool);
}
