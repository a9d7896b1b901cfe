
/*
 * Copyright (C) rs-gateway contributors
 *
 * `pipe`: a member of a session asks for his side of a pipe to another one.
 *
 * The store says whether the two may, and what side this one is; the ticket
 * is drawn here and told to nobody else.  docs/design/pipes.md.
 */


#include "ngx_http_rs_session_log.h"
#include "rs_msg.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RS_SESSION_PIPES   16       /* of a session, at once */


/* one that the store is asked for */

typedef struct {
    ngx_http_rs_part_t         *p;
    uint64_t                    id;
    u_char                      pipe_id[RS_ID_LEN];
    char                        secret[RS_ID_SECRET_LEN];
} ngx_http_rs_session_pipe_t;


static void ngx_http_rs_session_piped(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_session_pipe_send(ngx_http_rs_session_pipe_t *ask,
    ngx_rs_reply_t *reply);
static const char *ngx_http_rs_session_pipe_why(rs_err_e code);


void
ngx_http_rs_session_pipe(ngx_http_rs_part_t *p, rs_msg_t *msg)
{
    char                          hash[RS_ID_HASH_LEN];
    ngx_str_t                     with;
    ngx_http_rs_store_op_t       *op;
    ngx_http_rs_store_pipe_t      pipe;
    ngx_http_rs_session_pipe_t   *ask;

    /* the participant's pool would keep it for as long as the socket */

    ask = ngx_alloc(sizeof(ngx_http_rs_session_pipe_t), p->rc->log);

    if (ask == NULL
        || ngx_http_rs_session_secret(ask->secret, hash, p->rc->log)
           != NGX_OK)
    {
        goto failed;
    }

    ask->p = p;
    ask->id = msg->id;
    ngx_memcpy(ask->pipe_id, msg->pipe_id.data, RS_ID_LEN);

    ngx_memzero(&pipe, sizeof(ngx_http_rs_store_pipe_t));

    pipe.id = ngx_http_rs_str(msg->pipe_id);
    pipe.ticket_hash.data = (u_char *) hash;
    pipe.ticket_hash.len = sizeof(hash);
    pipe.ticket_ttl = p->rc->rlcf->ticket_ttl;
    pipe.max = NGX_HTTP_RS_SESSION_PIPES;

    with = ngx_http_rs_str(msg->to);

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_session_piped, ask);

    if (op == NULL
        || ngx_http_rs_store_pipe_join(op, &p->m, &pipe, &with) != NGX_OK)
    {
        goto failed;
    }

    p->refs++;

    return;

failed:

    if (ask) {
        OPENSSL_cleanse(ask->secret, sizeof(ask->secret));
        ngx_free(ask);
    }

    ngx_http_rs_conn_error(p->rc, RS_E_UNAVAILABLE, NULL, msg->id);
}


static void
ngx_http_rs_session_piped(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_session_pipe_t *ask = data;

    ngx_http_rs_part_t  *p;

    p = ask->p;

    if (p->rc && !p->rc->closing) {

        switch (code) {

        case RS_OK:
            ngx_http_rs_session_pipe_send(ask, reply);
            break;

        case RS_E_UNKNOWN_PEER:
        case RS_E_FORBIDDEN:
        case RS_E_NOT_RECORDED:
        case RS_E_CONFLICT:
        case RS_E_LIMIT_REACHED:
        case RS_E_UNAVAILABLE:
            ngx_http_rs_conn_error(p->rc, code,
                                   ngx_http_rs_session_pipe_why(code),
                                   ask->id);
            break;

        default:
            ngx_http_rs_session_failed(p, code);
            break;
        }
    }

    OPENSSL_cleanse(ask->secret, sizeof(ask->secret));
    ngx_free(ask);

    ngx_http_rs_session_unref(p);
}


static void
ngx_http_rs_session_pipe_send(ngx_http_rs_session_pipe_t *ask,
    ngx_rs_reply_t *reply)
{
    char       ticket[RS_ID_TICKET_MAX];
    u_char     buf[RS_MSG_WRITE_MAX + RS_ID_TICKET_MAX + 2 * RS_ID_LEN];
    rs_buf_t   b;
    rs_str_t   id, t;
    ngx_str_t  side;

    side = ngx_rs_reply_str(reply, 1);
    id = (rs_str_t) { ask->pipe_id, RS_ID_LEN };

    t.data = (uint8_t *) ticket;
    t.len = rs_pipe_ticket_format(ticket,
                                  ngx_http_rs_slice(&ask->p->m.tenant), id,
                                  (rs_str_t) { (uint8_t *) ask->secret,
                                               sizeof(ask->secret) });

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_pipe(&b, ask->id, id, ngx_http_rs_slice(&side), t);

    (void) ngx_http_rs_conn_send(ask->p->rc, b.data, b.len);

    OPENSSL_cleanse(ticket, sizeof(ticket));
    OPENSSL_cleanse(buf, sizeof(buf));
}


static const char *
ngx_http_rs_session_pipe_why(rs_err_e code)
{
    switch (code) {

    case RS_E_FORBIDDEN:
        return "a pipe is between the session's host and one other";

    case RS_E_CONFLICT:
        return "this name is another pipe's, or this side of it has come";

    case RS_E_UNKNOWN_PEER:
        return "the participant the pipe is to go to is not in this session";

    default:
        return NULL;
    }
}
