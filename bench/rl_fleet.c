
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fleet: enrolments, devices, sessions, made and deleted by REST.
 *
 * An invite may be faster than the answer of the call that made its session,
 * so the session's `reason` says which one it is: "rs-load <run> <index>".
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rl_run.h"


#define RL_FLEET_SHARE         9000       /* devices of one enrolment */
#define RL_FLEET_SPARE         100        /* uses, for answers that got lost */
#define RL_FLEET_TTL           3600


static void rl_fleet_enrollment(void *data, unsigned status,
    const json_t *body, const char *why);
static void rl_fleet_devices(rl_run_t *run, rs_str_t token);
static void rl_fleet_device(void *data, unsigned status, const json_t *body,
    const char *why);
static int rl_fleet_create(rl_session_t *s);
static void rl_fleet_created(void *data, unsigned status, const json_t *body,
    const char *why);
static void rl_fleet_deleted(void *data, unsigned status, const json_t *body,
    const char *why);
static void rl_fleet_fail(rl_run_t *run, const char *what, unsigned status,
    const json_t *body, const char *why);


int
rl_fleet_init(rl_run_t *run)
{
    size_t         i, devices, sessions;
    rl_session_t  *s;

    devices = run->options.devices;
    sessions = run->options.sessions;

    run->agents = calloc(devices, sizeof(rl_agent_t));
    run->sessions = calloc(sessions ? sessions : 1, sizeof(rl_session_t));
    run->enrollments = calloc(devices / RL_FLEET_SHARE + 1, RS_ID_LEN + 1);

    if (run->agents == NULL || run->sessions == NULL
        || run->enrollments == NULL
        || rl_check_init(&run->check, sessions * 2) != 0)
    {
        return -1;
    }

    for (i = 0; i < devices; i++) {
        rl_agent_init(&run->agents[i], run, i);
    }

    for (i = 0; i < sessions; i++) {
        s = &run->sessions[i];
        s->run = run;
        s->index = i;
        rl_peer_init(&s->host, s, 1);
        rl_peer_init(&s->guest, s, 0);
    }

    return 0;
}


void
rl_fleet_free(rl_run_t *run)
{
    size_t  i;

    for (i = 0; run->sessions && i < run->options.sessions; i++) {
        rl_peer_free(&run->sessions[i].host);
        rl_peer_free(&run->sessions[i].guest);
    }

    for (i = 0; run->agents && i < run->options.devices; i++) {
        rl_link_stop(&run->agents[i].link);
    }

    free(run->sessions);
    free(run->agents);
    free(run->enrollments);
    rl_check_free(&run->check);
}


/* no measurement without it: the run ends with status 3 */

static void
rl_fleet_fail(rl_run_t *run, const char *what, unsigned status,
    const json_t *body, const char *why)
{
    rs_str_t  code;

    if (run->failed) {
        return;
    }

    code = rl_json_str(body, "code");

    if (status != 0) {
        rl_say("%s: HTTP %u %.*s", what, status, (int) code.len,
               code.len ? (const char *) code.data : "");

    } else {
        rl_say("%s: %s", what, why);
    }

    run->failed = 3;
    run->changed(run);
}


void
rl_fleet_enroll(rl_run_t *run)
{
    size_t    i, uses;
    json_t   *body;

    uses = run->options.devices < RL_FLEET_SHARE ? run->options.devices
                                                 : RL_FLEET_SHARE;

    for (i = 0; i < run->options.devices; i += RL_FLEET_SHARE) {
        body = json_pack("{s:I, s:I}", "max_uses",
                         (json_int_t) (uses + RL_FLEET_SPARE), "ttl_s",
                         (json_int_t) RL_FLEET_TTL);

        if (body == NULL
            || rl_rest_call(run->rest, "POST", "/enrollments", body,
                            rl_fleet_enrollment, run) != 0)
        {
            rl_fleet_fail(run, "an enrolment", 0, NULL, "no memory");
            return;
        }
    }
}


static void
rl_fleet_enrollment(void *data, unsigned status, const json_t *body,
    const char *why)
{
    rs_str_t   id;
    rl_run_t  *run;

    run = data;
    id = rl_json_str(body, "id");

    if (status != 201 || id.len != RS_ID_LEN) {
        rl_fleet_fail(run, "POST /enrollments", status, body, why);
        return;
    }

    memcpy(run->enrollments[run->nenrollments], id.data, id.len);
    run->nenrollments++;

    rl_fleet_devices(run, rl_json_str(body, "token"));
}


/* the next share of the devices */

static void
rl_fleet_devices(rl_run_t *run, rs_str_t token)
{
    char         name[64], text[RS_DEVKEY_TEXT_LEN + 1];
    json_t      *body;
    size_t       i, last;
    uint8_t      raw[RS_DEVKEY_KEY_LEN];
    rl_agent_t  *a;

    i = (run->nenrollments - 1) * RL_FLEET_SHARE;
    last = i + RL_FLEET_SHARE;

    if (last > run->options.devices) {
        last = run->options.devices;
    }

    for ( /* void */ ; i < last; i++) {
        a = &run->agents[i];

        if (rs_devkey_public(a->seed, raw) != RS_OK) {
            rl_fleet_fail(run, "a device's key", 0, NULL, "OpenSSL failed");
            return;
        }

        (void) rs_base64url_encode(text, raw, sizeof(raw));
        text[RS_DEVKEY_TEXT_LEN] = '\0';
        (void) snprintf(name, sizeof(name), "rs-load %s %zu", run->name, i);

        body = json_pack("{s:s%, s:s, s:s}", "enrollment", token.data,
                         token.len, "public_key", text, "name", name);

        if (body == NULL
            || rl_rest_call(run->rest, "POST", "/devices", body,
                            rl_fleet_device, a) != 0)
        {
            rl_fleet_fail(run, "a device", 0, NULL, "no memory");
            return;
        }
    }
}


static void
rl_fleet_device(void *data, unsigned status, const json_t *body,
    const char *why)
{
    rs_str_t     id;
    rl_run_t    *run;
    rl_agent_t  *a;

    a = data;
    run = a->run;
    id = rl_json_str(json_object_get(body, "device"), "id");

    if (status != 201 || id.len != RS_ID_LEN) {
        rl_fleet_fail(run, "POST /devices", status, body, why);
        return;
    }

    memcpy(a->id, id.data, id.len);
    a->enrolled = 1;
    run->enrolled++;
    run->changed(run);
}


void
rl_fleet_connect(rl_run_t *run, size_t until)
{
    while (run->next_agent < until
           && run->connecting < run->options.connecting)
    {
        rl_agent_connect(&run->agents[run->next_agent++]);
    }
}


void
rl_fleet_sessions(rl_run_t *run, rl_agent_t *a)
{
    size_t  i;

    for (i = a->index; i < run->options.sessions; i += run->options.devices) {
        if (rl_fleet_create(&run->sessions[i]) != 0) {
            rl_fleet_fail(run, "a session", 0, NULL, "no memory");
            return;
        }
    }
}


static int
rl_fleet_create(rl_session_t *s)
{
    char       reason[64];
    json_t    *body;
    rl_run_t  *run;

    run = s->run;
    (void) snprintf(reason, sizeof(reason), "rs-load %s %zu", run->name,
                    s->index);

    body = json_pack("{s:{s:s, s:s}, s:[{s:s, s:i}], s:s}", "host", "type",
                     "device", "device_id",
                     run->agents[s->index % run->options.devices].id,
                     "participants", "role", "controller", "ttl_s", 600,
                     "reason", reason);

    return body ? rl_rest_call(run->rest, "POST", "/sessions", body,
                               rl_fleet_created, s)
                : -1;
}


static void
rl_fleet_created(void *data, unsigned status, const json_t *body,
    const char *why)
{
    size_t         i;
    rs_str_t       id, ticket;
    const json_t  *list;
    rl_session_t  *s;

    s = data;
    id = rl_json_str(body, "id");

    if (status != 201 || id.len != RS_ID_LEN) {
        rl_fleet_fail(s->run, "POST /sessions", status, body, why);
        return;
    }

    memcpy(s->id, id.data, id.len);
    list = json_object_get(body, "participants");

    for (i = 0; i < json_array_size(list); i++) {
        ticket = rl_json_str(json_array_get(list, i), "ticket");

        if (ticket.len) {
            rl_peer_join(&s->guest, (const char *) ticket.data, ticket.len);
            return;
        }
    }

    rl_fleet_fail(s->run, "POST /sessions", 0, NULL, "no ticket in it");
}


void
rl_fleet_invite(rl_run_t *run, rl_agent_t *a, const json_t *invite)
{
    char           prefix[64];
    rs_str_t       reason, head, ticket;
    uint64_t       i;
    const json_t  *session;

    session = json_object_get(invite, "session");
    reason = rl_json_str(session, "reason");
    ticket = rl_json_str(invite, "ticket");

    (void) snprintf(prefix, sizeof(prefix), "rs-load %s ", run->name);
    head = rs_str(prefix);

    if (!rs_str_starts(reason, head)
        || !rs_u64_parse((rs_str_t) { reason.data + head.len,
                                      reason.len - head.len },
                         run->options.sessions, &i)
        || i >= run->options.sessions
        || i % run->options.devices != a->index)
    {
        rl_tally(run, "/agent: an invite to a foreign session");
        return;
    }

    rl_peer_join(&run->sessions[i].host, (const char *) ticket.data,
                 ticket.len);
}


void
rl_fleet_ready(rl_session_t *s)
{
    if (!s->ready && s->host.link.ever && s->guest.link.ever) {
        s->ready = 1;
        s->run->ready++;
    }
}


void
rl_fleet_broken(rl_session_t *s)
{
    if (!s->broken && !s->run->teardown) {
        s->broken = 1;
        s->run->broken++;
    }
}


static void
rl_fleet_deleted(void *data, unsigned status, const json_t *body,
    const char *why)
{
    rl_run_t  *run;

    run = data;

    if (status != 204 && status != 404) {
        rl_tally(run, "DELETE: %u %s", status, status ? "" : why);
    }

    (void) body;
    run->changed(run);
}


void
rl_fleet_delete(rl_run_t *run)
{
    char    path[96];
    size_t  i;

    for (i = 0; i < run->options.sessions; i++) {
        if (run->sessions[i].id[0]) {
            (void) snprintf(path, sizeof(path), "/sessions/%s",
                            run->sessions[i].id);
            (void) rl_rest_call(run->rest, "DELETE", path, NULL,
                                rl_fleet_deleted, run);
        }
    }

    for (i = 0; i < run->options.devices; i++) {
        if (run->agents[i].enrolled) {
            (void) snprintf(path, sizeof(path), "/devices/%s",
                            run->agents[i].id);
            (void) rl_rest_call(run->rest, "DELETE", path, NULL,
                                rl_fleet_deleted, run);
        }
    }

    for (i = 0; i < run->nenrollments; i++) {
        (void) snprintf(path, sizeof(path), "/enrollments/%s",
                        run->enrollments[i]);
        (void) rl_rest_call(run->rest, "DELETE", path, NULL,
                            rl_fleet_deleted, run);
    }
}
