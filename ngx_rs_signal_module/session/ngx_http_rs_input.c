
/*
 * Copyright (C) rs-gateway contributors
 *
 * `input`: volatile messages from a controller to the host.
 *
 * There is no id, no ack, no position and no place where it waits but the
 * sockets: what a slow receiver has no room for is dropped, so that input
 * never pushes out what must arrive.
 *
 * Above rs_input_rate it is dropped and the sender is told so, once a second;
 * above twice of it the socket is closed, for each message costs a parse.
 */


#include "ngx_http_rs_session_log.h"
#include "rs_msg.h"


static void ngx_http_rs_input_over(ngx_http_rs_part_t *p);
static void ngx_http_rs_input_vol(ngx_http_rs_main_conf_t *rmcf,
    rs_env_t *env, rs_addr_t *addr);


void
ngx_http_rs_input_init(ngx_http_rs_part_t *p, ngx_http_rs_loc_conf_t *rlcf)
{
    rs_bucket_init(&p->input.rate, rlcf->input_rate, rlcf->input_burst,
                   ngx_current_msec);
    rs_bucket_init(&p->input.over, rlcf->input_rate, rlcf->input_burst,
                   ngx_current_msec);
}


ngx_int_t
ngx_http_rs_input_role(ngx_http_rs_part_t *p, ngx_str_t *role,
    ngx_str_t *host)
{
    p->input.controller = rs_str_eq(ngx_http_rs_slice(role),
                                    RS_STR("controller")) ? 1 : 0;

    return ngx_http_rs_session_copy(p->pool, &p->input.host,
                                    ngx_http_rs_slice(host));
}


void
ngx_http_rs_input_message(ngx_http_rs_part_t *p, rs_msg_t *msg)
{
    rs_str_t  host;

    if (!rs_bucket_take(&p->input.rate, 1, ngx_current_msec)) {
        ngx_http_rs_input_over(p);
        return;
    }

    if (!p->input.controller) {
        ngx_http_rs_conn_error(p->rc, RS_E_FORBIDDEN,
                               "only a controller may send input", 0);
        return;
    }

    if (p->input.view_only) {
        ngx_http_rs_conn_error(p->rc, RS_E_FORBIDDEN,
                               "the session's policy is view_only: nobody "
                               "sends input", 0);
        return;
    }

    if (p->input.unrecorded) {
        ngx_http_rs_conn_error(p->rc, RS_E_NOT_RECORDED, NULL, 0);
        return;
    }

    host = ngx_http_rs_slice(&p->input.host);

    if (msg->to.len && !rs_str_eq(msg->to, host)) {
        ngx_http_rs_conn_error(p->rc, RS_E_FORBIDDEN,
                               "input goes to the host and to nobody else",
                               0);
        return;
    }

    ngx_http_rs_route_send(p, host, msg->data);
}


/* `state` is written by the store, in this order of its fields */

void
ngx_http_rs_input_event(ngx_http_rs_part_t *p, rs_str_t body)
{
    static const u_char  state[] = "{\"type\":\"state\",\"session_state\":\"";
    static const u_char  waits[] = "waiting_recorder\"";

    if (body.len < sizeof(state) - 1
        || ngx_memcmp(body.data, state, sizeof(state) - 1) != 0)
    {
        return;
    }

    body.data += sizeof(state) - 1;
    body.len -= sizeof(state) - 1;

    p->input.unrecorded = (body.len >= sizeof(waits) - 1
                           && ngx_memcmp(body.data, waits, sizeof(waits) - 1)
                              == 0);
}


static void
ngx_http_rs_input_over(ngx_http_rs_part_t *p)
{
    u_char  text[sizeof("above  messages a second input is dropped")
                 + NGX_INT64_LEN];

    if (!rs_bucket_take(&p->input.over, 1, ngx_current_msec)) {
        ngx_log_error(NGX_LOG_INFO, p->rc->log, 0,
                      "rs session participant %V sends too much input",
                      &p->m.participant_id);
        ngx_http_rs_conn_close(p->rc, RS_E_RATE_LIMITED, NULL);
        return;
    }

    if (p->input.told == ngx_time()) {
        return;
    }

    p->input.told = ngx_time();

    ngx_sprintf(text, "above %uL messages a second input is dropped%Z",
                p->input.rate.rate);
    ngx_http_rs_conn_error(p->rc, RS_E_RATE_LIMITED, (char *) text, 0);
}


/*
 * p: the host, who knows from its join on that it waits for a recorder; who
 * sends may not have read that yet
 */

void
ngx_http_rs_input_deliver(ngx_http_rs_part_t *p, rs_str_t from,
    rs_str_t data)
{
    u_char    buf[RS_MSG_INPUT_MAX + RS_MSG_WRITE_MAX];
    rs_buf_t  b;

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_input(&b, from, data);

    if (p->input.unrecorded || b.overflow
        || ngx_http_rs_session_full(p, b.len))
    {
        ngx_http_rs_count(p->sessions->rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, p->rc->log, 0,
                       "rs session %V takes no %uz bytes of input",
                       &p->m.participant_id, data.len);
        return;
    }

    ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_DELIVERED);

    (void) ngx_http_rs_conn_send(p->rc, b.data, b.len);
}


void
ngx_http_rs_input_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env)
{
    rs_addr_t            addr;
    ngx_http_rs_room_t  *room;

    if (rs_addr_parse(env->to, &addr) != RS_OK
        || !rs_addr_same_worker(&addr, &rmcf->self))
    {
        return;
    }

    if (env->kind == RS_ENV_VOL) {
        ngx_http_rs_input_vol(rmcf, env, &addr);
        return;
    }

    room = ngx_http_rs_session_room(rmcf->sessions, env->tenant,
                                    env->session);
    if (room) {
        ngx_http_rs_route_gone(room, env->id);
    }
}


/*
 * The socket is looked for in the session the envelope names, so nothing can
 * reach another one.  One that is joining still has no `welcome` yet: then
 * it is there, and the message is too early.
 */

static void
ngx_http_rs_input_vol(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env,
    rs_addr_t *addr)
{
    rs_env_t             gon;
    ngx_queue_t         *q;
    ngx_http_rs_room_t  *room;
    ngx_http_rs_part_t  *p;

    room = ngx_http_rs_session_room(rmcf->sessions, env->tenant,
                                    env->session);

    for (q = room ? ngx_queue_head(&room->parts) : NULL;
         q && q != ngx_queue_sentinel(&room->parts);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_http_rs_part_t, queue);

        if (p->rc->id != addr->conn || p->rc->closing || p->bye) {
            continue;
        }

        if (p->live) {
            ngx_http_rs_input_deliver(p, env->from, env->body);
        }

        return;
    }

    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);

    ngx_memzero(&gon, sizeof(rs_env_t));

    gon.kind = RS_ENV_GON;
    gon.tenant = env->tenant;
    gon.session = env->session;
    gon.to = env->id;
    gon.id = env->to;

    ngx_http_rs_route_envelope(rmcf, &gon);
}
