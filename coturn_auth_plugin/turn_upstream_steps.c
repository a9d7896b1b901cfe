
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a link says to its server before it is up, step by step, and what it
 * wants to hear: AUTH, SELECT, CLIENT SETNAME, INFO, the library's version,
 * SUBSCRIBE.
 */


#include "turn_upstream_link.h"
#include "rs_schema.h"

#include <stdio.h>
#include <string.h>


static size_t turn_build_auth(turn_link_t *link, rs_str_t *argv, char *text,
    size_t size);
static size_t turn_build_select(turn_link_t *link, rs_str_t *argv,
    char *text, size_t size);
static size_t turn_build_setname(turn_link_t *link, rs_str_t *argv,
    char *text, size_t size);
static size_t turn_build_info(turn_link_t *link, rs_str_t *argv, char *text,
    size_t size);
static size_t turn_build_version(turn_link_t *link, rs_str_t *argv,
    char *text, size_t size);
static size_t turn_build_subscribe(turn_link_t *link, rs_str_t *argv,
    char *text, size_t size);
static int turn_check_info(turn_link_t *link, turn_reply_t *reply);
static int turn_check_version(turn_link_t *link, turn_reply_t *reply);
static int turn_check_subscribe(turn_link_t *link, turn_reply_t *reply);


const turn_link_step_t  turn_link_steps[] = {
    { "AUTH", turn_build_auth, NULL, 0 },
    { "SELECT", turn_build_select, NULL, 0 },
    { "CLIENT SETNAME", turn_build_setname, NULL, 1 },
    { "INFO", turn_build_info, turn_check_info, 0 },
    { "FCALL_RO rs_version", turn_build_version, turn_check_version, 0 },
    { "SUBSCRIBE", turn_build_subscribe, turn_check_subscribe, 0 },
    { NULL, NULL, NULL, 0 }
};


static size_t
turn_build_auth(turn_link_t *link, rs_str_t *argv, char *text, size_t size)
{
    size_t  n;

    (void) text;
    (void) size;

    if (link->conf->password == NULL || *link->conf->password == '\0') {
        return 0;
    }

    n = 0;
    argv[n++] = RS_STR("AUTH");

    if (link->conf->user && *link->conf->user) {
        argv[n++] = rs_str(link->conf->user);
    }

    argv[n++] = rs_str(link->conf->password);

    return n;
}


static size_t
turn_build_select(turn_link_t *link, rs_str_t *argv, char *text, size_t size)
{
    if (link->conf->db == 0) {
        return 0;
    }

    (void) snprintf(text, size, "%llu", (unsigned long long) link->conf->db);

    argv[0] = RS_STR("SELECT");
    argv[1] = rs_str(text);

    return 2;
}


/* for CLIENT LIST only */

static size_t
turn_build_setname(turn_link_t *link, rs_str_t *argv, char *text, size_t size)
{
    (void) snprintf(text, size, "rs-turn-authd-%s", link->name);

    argv[0] = RS_STR("CLIENT");
    argv[1] = RS_STR("SETNAME");
    argv[2] = rs_str(text);

    return 3;
}


static size_t
turn_build_info(turn_link_t *link, rs_str_t *argv, char *text, size_t size)
{
    (void) text;
    (void) size;

    if (link->conf->sentinel) {
        return 0;
    }

    argv[0] = RS_STR("INFO");
    argv[1] = RS_STR("server");
    argv[2] = RS_STR("replication");

    return 3;
}


static int
turn_check_info(turn_link_t *link, turn_reply_t *reply)
{
    rs_str_t  role, run_id;

    role = turn_reply_info(reply, "role:");

    if (!rs_str_eq(role, RS_STR("master"))) {
        turn_link_reason(link, "its role is \"%.*s\": %s",
                         (int) (role.len < 32 ? role.len : 32),
                         role.len ? (const char *) role.data : "",
                         link->place->sentinel
                         ? "Sentinel names another primary soon"
                         : "\"redis\" must name the primary");
        return -1;
    }

    run_id = turn_reply_info(reply, "run_id:");

    if (run_id.len == 0 || run_id.len >= sizeof(link->run_id)) {
        turn_link_reason(link, "INFO gives no run_id");
        return -1;
    }

    memcpy(link->run_id, run_id.data, run_id.len);
    link->run_id[run_id.len] = '\0';

    return 0;
}


static size_t
turn_build_version(turn_link_t *link, rs_str_t *argv, char *text, size_t size)
{
    (void) text;
    (void) size;

    if (link->conf->sentinel || link->message_handler) {
        return 0;
    }

    argv[0] = RS_STR("FCALL_RO");
    argv[1] = RS_STR("rs_version");
    argv[2] = RS_STR("0");

    return 3;
}


static int
turn_check_version(turn_link_t *link, turn_reply_t *reply)
{
    char         text[RS_SCHEMA_TEXT];
    rs_buf_t     b;
    rs_schema_e  rc;
    rs_schema_t  schema;

    rc = RS_SCHEMA_UNKNOWN;

    if (rs_str_eq(turn_reply_str(reply, 0), RS_STR("ok"))) {
        rc = rs_schema_check(&schema, turn_reply_str(reply, 1),
                             turn_reply_str(reply, 2), RS_SCHEMA);
    }

    if (rc == RS_SCHEMA_OK) {
        return 0;
    }

    rs_buf_init(&b, text, sizeof(text));
    rs_schema_text(&b, rc, &schema, RS_SCHEMA);
    turn_link_reason(link, "%.*s", (int) b.len, text);

    return -1;
}


static size_t
turn_build_subscribe(turn_link_t *link, rs_str_t *argv, char *text,
    size_t size)
{
    (void) text;
    (void) size;

    if (link->message_handler == NULL) {
        return 0;
    }

    argv[0] = RS_STR("SUBSCRIBE");
    argv[1] = RS_STR(TURN_CHANNEL);

    return 2;
}


static int
turn_check_subscribe(turn_link_t *link, turn_reply_t *reply)
{
    if (!rs_str_eq(turn_reply_str(reply, 0), RS_STR("subscribe"))
        || !rs_str_eq(turn_reply_str(reply, 1), RS_STR(TURN_CHANNEL)))
    {
        turn_link_reason(link, "SUBSCRIBE was not confirmed");
        return -1;
    }

    return 0;
}
