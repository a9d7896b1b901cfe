
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a link says to its server before it is up, step by step, and what it
 * wants to hear: AUTH, SELECT, CLIENT SETNAME, INFO, SUBSCRIBE.
 */


#include "ngx_rs_redis_link.h"


static ngx_uint_t ngx_rs_redis_build_auth(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *text);
static ngx_uint_t ngx_rs_redis_build_select(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *text);
static ngx_uint_t ngx_rs_redis_build_setname(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *text);
static ngx_uint_t ngx_rs_redis_build_info(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *text);
static ngx_uint_t ngx_rs_redis_build_subscribe(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *text);
static ngx_int_t ngx_rs_redis_check_info(ngx_rs_redis_t *rd,
    ngx_rs_reply_t *reply);


const ngx_rs_redis_step_t  ngx_rs_redis_steps[] = {
    { "AUTH", ngx_rs_redis_build_auth, NULL, 0 },
    { "SELECT", ngx_rs_redis_build_select, NULL, 0 },
    { "CLIENT SETNAME", ngx_rs_redis_build_setname, NULL, 1 },
    { "INFO", ngx_rs_redis_build_info, ngx_rs_redis_check_info, 0 },
    { "SUBSCRIBE", ngx_rs_redis_build_subscribe, NULL, 0 },
    { NULL, NULL, NULL, 0 }
};


static ngx_uint_t
ngx_rs_redis_build_auth(ngx_rs_redis_t *rd, ngx_str_t *argv, u_char *text)
{
    ngx_uint_t  n;

    if (rd->conf->password.len == 0) {
        return 0;
    }

    n = 0;

    ngx_str_set(&argv[n], "AUTH");
    n++;

    if (rd->conf->user.len) {
        argv[n++] = rd->conf->user;
    }

    argv[n++] = rd->conf->password;

    return n;
}


static ngx_uint_t
ngx_rs_redis_build_select(ngx_rs_redis_t *rd, ngx_str_t *argv,
    u_char *text)
{
    if (rd->conf->db == 0) {
        return 0;
    }

    ngx_str_set(&argv[0], "SELECT");

    argv[1].data = text;
    argv[1].len = ngx_sprintf(text, "%ui", rd->conf->db) - text;

    return 2;
}


/* for CLIENT LIST only */

static ngx_uint_t
ngx_rs_redis_build_setname(ngx_rs_redis_t *rd, ngx_str_t *argv,
    u_char *text)
{
    u_char  *p, *end;

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "SETNAME");

    argv[2].data = text;

    /* the first word of it: Redis takes no blanks */

    p = ngx_snprintf(text, NGX_RS_REDIS_STEP_TEXT, "rs-gateway-%s", rd->name);
    end = ngx_strlchr(text, p, ' ');

    argv[2].len = (end ? end : p) - text;

    return 3;
}


static ngx_uint_t
ngx_rs_redis_build_info(ngx_rs_redis_t *rd, ngx_str_t *argv, u_char *text)
{
    if (rd->conf->sentinel) {
        return 0;
    }

    ngx_str_set(&argv[0], "INFO");
    ngx_str_set(&argv[1], "replication");
    ngx_str_set(&argv[2], "memory");

    return 3;
}


static ngx_uint_t
ngx_rs_redis_build_subscribe(ngx_rs_redis_t *rd, ngx_str_t *argv,
    u_char *text)
{
    ngx_uint_t  i;

    if (rd->channel.len == 0) {
        return 0;
    }

    ngx_str_set(&argv[0], "SUBSCRIBE");
    argv[1] = rd->channel;

    for (i = 0; i < rd->nchannel_all; i++) {
        argv[2 + i] = rd->channel_all[i];
    }

    return 2 + rd->nchannel_all;
}


static ngx_int_t
ngx_rs_redis_check_info(ngx_rs_redis_t *rd, ngx_rs_reply_t *reply)
{
    ngx_str_t  role, replid, policy;

    role = ngx_rs_reply_info(reply, "role:");

    if (role.len != 6 || ngx_memcmp(role.data, "master", 6) != 0) {
        ngx_rs_redis_reason(rd, "its role is \"%V\": %s", &role,
                            rd->conf->master.len
                            ? "Sentinel names another primary soon"
                            : "\"rs_redis\" must name the primary");
        return NGX_ERROR;
    }

    replid = ngx_rs_reply_info(reply, "master_replid:");

    if (replid.len != NGX_RS_REDIS_REPLID_LEN) {
        ngx_rs_redis_reason(rd, "INFO gives no master_replid");
        return NGX_ERROR;
    }

    ngx_memcpy(rd->replid_text, replid.data, replid.len);
    rd->replid.data = rd->replid_text;
    rd->replid.len = replid.len;

    if (!rd->conf->noeviction) {
        return NGX_OK;
    }

    policy = ngx_rs_reply_info(reply, "maxmemory_policy:");

    if (policy.len != 10 || ngx_memcmp(policy.data, "noeviction", 10) != 0) {
        ngx_rs_redis_reason(rd, "its maxmemory-policy is \"%V\", which may "
                            "evict sessions: set it to noeviction, or "
                            "\"rs_redis_noeviction off\"", &policy);
        return NGX_ERROR;
    }

    return NGX_OK;
}
