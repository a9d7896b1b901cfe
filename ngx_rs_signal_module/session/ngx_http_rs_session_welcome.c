
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a participant is told first: itself, the session, the peers, its ICE
 * servers and its resume token; and the values the session layer makes or
 * writes in more than one place.
 */


#include "ngx_http_rs_session_log.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


#define NGX_HTTP_RS_ICE_POOL  4096


static json_t *ngx_http_rs_session_describe(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *session);
static json_t *ngx_http_rs_session_peers(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *list, ngx_str_t *role, ngx_str_t *moderator);


ngx_int_t
ngx_http_rs_session_welcome(ngx_http_rs_part_t *p, ngx_rs_reply_t *reply)
{
    char        position[RS_POS_MAX], token[RS_ID_RESUME_MAX];
    size_t      plen, tlen;
    json_t     *peers, *session, *ice, *welcome;
    ngx_str_t   role, host, moderator;

    ngx_str_null(&role);
    ngx_str_null(&moderator);

    session = ngx_http_rs_session_describe(p, ngx_rs_reply_at(reply, 4));
    peers = ngx_http_rs_session_peers(p, ngx_rs_reply_at(reply, 5), &role,
                                      &moderator);
    ice = ngx_http_rs_session_ice(p);

    host = ngx_rs_reply_field(ngx_rs_reply_at(reply, 4), "host_par");

    if (ngx_http_rs_input_role(p, &role, &host) != NGX_OK) {
        json_decref(session);
        session = NULL;
    }

    plen = rs_pos_format(&p->cursor, position, sizeof(position));
    tlen = rs_resume_format(token, ngx_http_rs_slice(&p->m.tenant),
                            ngx_http_rs_slice(&p->m.session_id),
                            ngx_http_rs_slice(&p->m.participant_id),
                            (rs_str_t) { (uint8_t *) p->secret,
                                         sizeof(p->secret) });

    /* one that is NULL makes json_pack() fail and release the others */

    welcome = json_pack("{sssiss%ss%sbsosososs%ss%si}",
                        "type", "welcome",
                        "api_version", NGX_HTTP_RS_API_VERSION,
                        "self", p->m.participant_id.data,
                        p->m.participant_id.len,
                        "role", role.data, role.len,
                        "moderator", (int) moderator.len,
                        "session", session, "peers", peers, "ice", ice,
                        "resume", token, tlen,
                        "position", position, plen,
                        "ping_s", ngx_http_rs_conn_ping_s(p->rc));

    OPENSSL_cleanse(token, sizeof(token));

    return ngx_http_rs_conn_send_json(p->rc, welcome);
}


static json_t *
ngx_http_rs_session_describe(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *session_obj)
{
    json_t     *policy, *control, *host, *session;
    ngx_str_t   state, expires, text, device, queue, recording;

    state = ngx_rs_reply_field(session_obj, "state");
    expires = ngx_rs_reply_field(session_obj, "expires_at");
    device = ngx_rs_reply_field(session_obj, "device_id");

    text = ngx_rs_reply_field(session_obj, "policy");
    policy = json_loadb((char *) text.data, text.len, 0, NULL);

    text = ngx_rs_reply_field(session_obj, "control");
    control = text.len ? json_loadb((char *) text.data, text.len, 0, NULL)
                       : json_null();

    text = ngx_rs_reply_field(session_obj, "host");
    host = text.len ? json_loadb((char *) text.data, text.len, 0, NULL)
                    : json_pack("{ss}", "type",
                                device.len ? "device" : "browser");

    (void) json_object_set_new(host, "device_id",
                               ngx_http_rs_session_text(&device));

    recording = ngx_rs_reply_field(session_obj, "rec_state");

    session = json_pack("{ss%ss%sIsosososo}",
                        "id", p->m.session_id.data, p->m.session_id.len,
                        "state", state.data, state.len,
                        "expires_at",
                        (json_int_t) ngx_atotm(expires.data, expires.len),
                        "policy", policy, "control", control, "host", host,
                        "recording", ngx_http_rs_session_text(&recording));

    if (session && text.len) {
        queue = ngx_rs_reply_field(session_obj, "queue");
        (void) json_object_set_new(session, "queue", queue.len
                                   ? json_integer(ngx_atoi(queue.data,
                                                           queue.len))
                                   : json_null());
    }

    return session;
}


/* all but p itself: what it is, is found on the way */

static json_t *
ngx_http_rs_session_peers(ngx_http_rs_part_t *p, ngx_rs_reply_t *list,
    ngx_str_t *role, ngx_str_t *moderator)
{
    json_t          *peers, *peer;
    ngx_str_t        id, name, state, r, guest;
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *obj;

    peers = json_array();
    n = ngx_rs_reply_count(list);

    for (i = 0; i < n; i++) {

        obj = ngx_rs_reply_at(list, i);

        id = ngx_rs_reply_field(obj, "id");
        r = ngx_rs_reply_field(obj, "role");
        name = ngx_rs_reply_field(obj, "name");
        state = ngx_rs_reply_field(obj, "state");

        if (rs_str_eq(ngx_http_rs_slice(&id),
                      ngx_http_rs_slice(&p->m.participant_id)))
        {
            *role = r;
            *moderator = ngx_rs_reply_field(obj, "moderator");
            continue;
        }

        if (!rs_str_eq(ngx_http_rs_slice(&state), RS_STR("joined"))
            && !rs_str_eq(ngx_http_rs_slice(&state), RS_STR("away")))
        {
            continue;
        }

        guest = ngx_rs_reply_field(obj, "guest");

        peer = json_pack("{ss%ss%soss%sb}", "id", id.data, id.len,
                         "role", r.data, r.len,
                         "name", ngx_http_rs_session_text(&name),
                         "state", state.data, state.len,
                         "guest", (int) guest.len);

        if (json_array_append_new(peers, peer) != 0) {
            json_decref(peers);
            return NULL;
        }
    }

    return peers;
}


json_t *
ngx_http_rs_session_ice(ngx_http_rs_part_t *p)
{
    json_t      *ice;
    ngx_str_t    text;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_HTTP_RS_ICE_POOL, p->rc->log);
    if (pool == NULL) {
        return NULL;
    }

    ice = NULL;

    if (p->ice.rlcf->turn) {
        ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_ICE);
    }

    if (ngx_http_rs_ice_json(pool, &p->ice, &text) == NGX_OK) {
        ice = json_loadb((char *) text.data, text.len, 0, NULL);
    }

    ngx_destroy_pool(pool);

    return ice;
}


ngx_int_t
ngx_http_rs_session_secret(char *secret, char *hash, ngx_log_t *log)
{
    uint8_t   bytes[RS_ID_SECRET_RANDOM_LEN];
    rs_str_t  text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "rs session RAND_bytes() failed");
        return NGX_ERROR;
    }

    rs_secret_format(secret, bytes);
    OPENSSL_cleanse(bytes, sizeof(bytes));

    text.data = (uint8_t *) secret;
    text.len = RS_ID_SECRET_LEN;

    return rs_hash_hex(text, hash) == RS_OK ? NGX_OK : NGX_ERROR;
}


json_t *
ngx_http_rs_session_text(ngx_str_t *s)
{
    return s->len ? json_stringn((char *) s->data, s->len) : json_null();
}


ngx_int_t
ngx_http_rs_session_copy(ngx_pool_t *pool, ngx_str_t *dst, rs_str_t s)
{
    dst->len = s.len;
    dst->data = ngx_pnalloc(pool, s.len + 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, s.data, s.len);

    return NGX_OK;
}
