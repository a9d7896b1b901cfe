
/*
 * Copyright (C) rs-gateway contributors
 *
 * A device on its control channel: proves its key, answers, and lets its
 * host sides join the sessions it is invited to.
 */


#include <string.h>

#include "rl_run.h"


static void rl_agent_msg(void *data, const rl_msg_t *m);
static void rl_agent_down(void *data, int was_up, int again);
static void rl_agent_hello(rl_agent_t *a, const json_t *challenge);


void
rl_agent_init(rl_agent_t *a, rl_run_t *run, size_t index)
{
    size_t      i;
    rl_link_t  *l;

    a->run = run;
    a->index = index;

    for (i = 0; i < sizeof(a->seed); i++) {
        a->seed[i] = (uint8_t) rl_random(255);
    }

    l = &a->link;
    l->run = run;
    l->path = "/agent";
    l->data = a;
    l->on_msg = rl_agent_msg;
    l->on_down = rl_agent_down;
    l->first = &run->stats.agent_up;
    l->back = &run->stats.agent_back;
}


void
rl_agent_connect(rl_agent_t *a)
{
    a->run->connecting++;
    rl_link_start(&a->link);
}


static void
rl_agent_msg(void *data, const rl_msg_t *m)
{
    int          first;
    rl_run_t    *run;
    rl_agent_t  *a;

    a = data;
    run = a->run;

    if (m->type == RL_MSG_CHALLENGE) {
        rl_agent_hello(a, m->json);

    } else if (m->type == RL_MSG_WELCOME) {
        first = !a->link.ever;

        rl_link_up(&a->link);
        run->agents_up++;

        if (first) {
            run->connecting--;
            rl_fleet_sessions(run, a);
        }

        run->changed(run);

    } else if (m->type == RL_MSG_INVITE) {
        rl_fleet_invite(run, a, m->json);
    }
}


static void
rl_agent_hello(rl_agent_t *a, const json_t *challenge)
{
    char                text[RS_BASE64URL_LEN(RS_DEVKEY_SIGNATURE_LEN)];
    size_t              len;
    uint8_t             nonce[RS_DEVKEY_NONCE_LEN], buf[512];
    uint8_t             signature[RS_DEVKEY_SIGNATURE_LEN];
    rs_buf_t            b;
    rs_cred_t           key;
    const rl_target_t  *t;

    t = a->link.ws.conn.target;

    if (rs_api_key_parse(rs_str(a->run->key), &key) != RS_OK
        || !rs_base64url_decode(nonce, sizeof(nonce),
                                rl_json_str(challenge, "nonce"), &len)
        || len != sizeof(nonce)
        || !rs_str_eq(rl_json_str(challenge, "host"), rs_str(t->host))
        || rs_devkey_sign(a->seed, rs_str(t->host), key.tenant,
                          rs_str(a->id), nonce, signature) != RS_OK)
    {
        rl_tally(a->run, "/agent: a challenge that cannot be signed");
        rl_link_break(&a->link);
        return;
    }

    len = rs_base64url_encode(text, signature, sizeof(signature));

    rs_buf_init(&b, buf, sizeof(buf));
    rs_buf_cstr(&b, "{\"type\":\"hello\",\"tenant\":");
    rs_buf_json(&b, key.tenant);
    rs_buf_cstr(&b, ",\"device_id\":");
    rs_buf_json(&b, rs_str(a->id));
    rs_buf_cstr(&b, ",\"signature\":");
    rs_buf_json(&b, (rs_str_t) { (uint8_t *) text, len });
    rs_buf_cstr(&b, ",\"agent\":{\"name\":\"rs-load\",\"instance\":");
    rs_buf_json(&b, rs_str(a->run->name));
    rs_buf_cstr(&b, "}}");

    (void) rl_ws_send(&a->link.ws, buf, b.len);
}


static void
rl_agent_down(void *data, int was_up, int again)
{
    rl_run_t    *run;
    rl_agent_t  *a;

    a = data;
    run = a->run;

    if (was_up) {
        run->agents_up--;
    }

    if (!again && a->link.wanted) {
        if (!a->link.ever) {
            run->connecting--;
        }

        run->agents_gone++;
    }

    run->changed(run);
}
