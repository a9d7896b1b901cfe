
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the shape of every message: one parser per type in a table, so that
 * a type not in the table of its channel is unknown there.  Members that are
 * not known are ignored, as the protocol asks of clients.
 */

#define G_LOG_DOMAIN  "rs-msg"

#include "agent_msg_tunnel.h"
#include "agent_version.h"

#include <string.h>


#define AGENT_MSG_ID        64      /* bytes */
#define AGENT_MSG_SECRET    256
#define AGENT_MSG_TEXT      4096
#define AGENT_MSG_NAME      512


typedef struct {
    const char   *name;
    guint         channels;         /* bits, 1 << agent_channel_e */
    agent_msg_e   type;
    gboolean    (*parse)(agent_msg_t *msg, GError **error);
} agent_msg_type_t;


static gboolean agent_msg_parse_nothing(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_error(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_goaway(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_challenge(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_online(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_invite(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_revoke(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_rotated(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_welcome(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_signal(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_pipe(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_ack(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_joined(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_left(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_state(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_ice(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_ended(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_resync(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_control(agent_msg_t *msg, GError **error);
static gboolean agent_msg_parse_input(agent_msg_t *msg, GError **error);
static gboolean agent_msg_holder(agent_msg_t *msg, const json_t *control,
    GError **error);

static const char *agent_msg_need(agent_msg_t *msg, const json_t *obj,
    const char *name, gsize max, GError **error);
static gboolean agent_msg_position(agent_msg_t *msg, GError **error);
static void agent_msg_policy(agent_msg_t *msg, const json_t *session);
static agent_way_e agent_msg_way(const json_t *policy, const char *name);
static gboolean agent_msg_invalid(agent_msg_t *msg, const char *member,
    GError **error);
static agent_peer_t *agent_msg_peer_entry(const json_t *obj);


#define AGENT_ON_AGENT   (1 << AGENT_CHANNEL_AGENT)
#define AGENT_ON_SIGNAL  (1 << AGENT_CHANNEL_SIGNAL)
#define AGENT_ON_BOTH    (AGENT_ON_AGENT|AGENT_ON_SIGNAL)


static const agent_msg_type_t  agent_msg_types[] = {
    { "ping", AGENT_ON_BOTH, AGENT_MSG_PING, agent_msg_parse_nothing },
    { "pong", AGENT_ON_BOTH, AGENT_MSG_PONG, agent_msg_parse_nothing },
    { "error", AGENT_ON_BOTH, AGENT_MSG_ERROR, agent_msg_parse_error },
    { "goaway", AGENT_ON_BOTH, AGENT_MSG_GOAWAY, agent_msg_parse_goaway },

    { "challenge", AGENT_ON_AGENT, AGENT_MSG_CHALLENGE,
      agent_msg_parse_challenge },
    { "welcome", AGENT_ON_AGENT, AGENT_MSG_ONLINE, agent_msg_parse_online },
    { "invite", AGENT_ON_AGENT, AGENT_MSG_INVITE, agent_msg_parse_invite },
    { "revoke", AGENT_ON_AGENT, AGENT_MSG_REVOKE, agent_msg_parse_revoke },
    { "rotated", AGENT_ON_AGENT, AGENT_MSG_ROTATED,
      agent_msg_parse_rotated },
    { "tunnel", AGENT_ON_AGENT, AGENT_MSG_TUNNEL, agent_msg_parse_tunnel },

    { "welcome", AGENT_ON_SIGNAL, AGENT_MSG_WELCOME,
      agent_msg_parse_welcome },
    { "signal", AGENT_ON_SIGNAL, AGENT_MSG_SIGNAL, agent_msg_parse_signal },
    { "ack", AGENT_ON_SIGNAL, AGENT_MSG_ACK, agent_msg_parse_ack },
    { "joined", AGENT_ON_SIGNAL, AGENT_MSG_JOINED, agent_msg_parse_joined },
    { "left", AGENT_ON_SIGNAL, AGENT_MSG_LEFT, agent_msg_parse_left },
    { "state", AGENT_ON_SIGNAL, AGENT_MSG_STATE, agent_msg_parse_state },
    { "ice", AGENT_ON_SIGNAL, AGENT_MSG_ICE, agent_msg_parse_ice },
    { "pipe", AGENT_ON_SIGNAL, AGENT_MSG_PIPE, agent_msg_parse_pipe },
    { "ended", AGENT_ON_SIGNAL, AGENT_MSG_ENDED, agent_msg_parse_ended },
    { "resync", AGENT_ON_SIGNAL, AGENT_MSG_RESYNC, agent_msg_parse_resync },
    { "control", AGENT_ON_SIGNAL, AGENT_MSG_CONTROL,
      agent_msg_parse_control },
    { "input", AGENT_ON_SIGNAL, AGENT_MSG_INPUT, agent_msg_parse_input }
};


agent_msg_t *
agent_msg_parse(agent_channel_e channel, const char *text, gsize len,
    gint64 now_us, GError **error)
{
    gsize                    i;
    const agent_msg_type_t  *type;
    g_autoptr(agent_msg_t)   msg = NULL;

    msg = g_new0(agent_msg_t, 1);

    msg->json = agent_json_load(text, len, AGENT_JSON_MESSAGE, error);
    if (msg->json == NULL) {
        return NULL;
    }

    msg->name = agent_json_string(msg->json, "type", AGENT_MSG_ID);
    if (msg->name == NULL) {
        g_set_error(error, AGENT_JSON_ERROR, 0, "a message without type");
        return NULL;
    }

    for (i = 0; i < G_N_ELEMENTS(agent_msg_types); i++) {
        type = &agent_msg_types[i];

        if ((type->channels & (1u << channel))
            && strcmp(type->name, msg->name) == 0)
        {
            msg->type = type->type;

            if (!type->parse(msg, error)) {
                return NULL;
            }

            break;
        }
    }

    if (msg->ice != NULL) {
        msg->ice->taken_us = now_us;
    }

    return g_steal_pointer(&msg);
}


void
agent_msg_free(agent_msg_t *msg)
{
    g_clear_pointer(&msg->peers, g_ptr_array_unref);
    g_clear_pointer(&msg->ice, agent_ice_free);
    g_free(msg->identity);
    json_decref(msg->json);
    g_free(msg);
}


void
agent_peer_free(void *data)
{
    agent_peer_t  *peer = data;

    g_free(peer->id);
    g_free(peer->name);
    g_free(peer);
}


void
agent_who_clear(agent_who_t *who)
{
    g_clear_pointer(&who->name, g_free);
    g_clear_pointer(&who->user, g_free);
    g_clear_pointer(&who->issuer, g_free);
    g_clear_pointer(&who->reason, g_free);
    who->verified = FALSE;
}


void
agent_seal_clear(agent_seal_t *seal)
{
    g_clear_pointer(&seal->public_key, g_free);
    g_clear_pointer(&seal->signature, g_free);
}


static gboolean
agent_msg_invalid(agent_msg_t *msg, const char *member, GError **error)
{
    g_set_error(error, AGENT_JSON_ERROR, 0,
                "%s: \"%s\" is missing or invalid", msg->name, member);

    return FALSE;
}


static const char *
agent_msg_need(agent_msg_t *msg, const json_t *obj, const char *name,
    gsize max, GError **error)
{
    const char  *value;

    value = agent_json_string(obj, name, max);

    if (value == NULL || value[0] == '\0') {
        agent_msg_invalid(msg, name, error);
        return NULL;
    }

    return value;
}


/* it goes into a header when the session is resumed */

static gboolean
agent_msg_position(agent_msg_t *msg, GError **error)
{
    const char  *position;

    position = agent_msg_need(msg, msg->json, "position",
                              AGENT_MSG_POSITION - 1, error);
    if (position == NULL) {
        return FALSE;
    }

    if (position[strspn(position, "0123456789-")] != '\0') {
        return agent_msg_invalid(msg, "position", error);
    }

    msg->position = position;

    return TRUE;
}


/* what is not known is the narrowest there is */

static void
agent_msg_policy(agent_msg_t *msg, const json_t *session)
{
    json_t          *word;
    const json_t    *policy;
    agent_rights_t  *rights;

    rights = &msg->rights;
    policy = agent_json_object(session, "policy");

    word = json_object_get(policy, "consent");

    rights->consent = AGENT_CONSENT_NONE;

    if (word != NULL
        && !agent_consent_parse(json_string_value(word), &rights->consent))
    {
        rights->consent = AGENT_CONSENT_REQUIRED;
    }

    word = json_object_get(policy, "view_only");
    rights->view_only = (word != NULL && !json_is_false(word));

    word = json_object_get(policy, "sound");
    rights->sound = (word == NULL || json_is_true(word));

    rights->clipboard = agent_msg_way(policy, "clipboard");
    rights->files = agent_msg_way(policy, "files");
}


static agent_way_e
agent_msg_way(const json_t *policy, const char *name)
{
    json_t       *word;
    agent_way_e   way;

    word = json_object_get(policy, name);

    if (word == NULL) {
        return AGENT_WAY_BOTH;
    }

    return agent_way_parse(json_string_value(word), &way) ? way
                                                          : AGENT_WAY_NONE;
}


static gboolean
agent_msg_parse_nothing(agent_msg_t *msg, GError **error)
{
    (void) msg;
    (void) error;

    return TRUE;
}


static gboolean
agent_msg_parse_error(agent_msg_t *msg, GError **error)
{
    msg->code = agent_msg_need(msg, msg->json, "code", AGENT_MSG_ID, error);
    msg->text = agent_json_string(msg->json, "message", AGENT_MSG_TEXT);

    if (msg->text == NULL) {
        msg->text = "";
    }

    if (!agent_json_int(msg->json, "id", 1, G_MAXINT64, &msg->id)) {
        msg->id = 0;
    }

    return msg->code != NULL;
}


static gboolean
agent_msg_parse_goaway(agent_msg_t *msg, GError **error)
{
    gint64  after, jitter;

    if (!agent_json_int(msg->json, "after_ms", 0, 3600000, &after)
        || !agent_json_int(msg->json, "jitter_ms", 0, 3600000, &jitter))
    {
        return agent_msg_invalid(msg, "after_ms or jitter_ms", error);
    }

    msg->after_ms = (guint) after;
    msg->jitter_ms = (guint) jitter;

    return TRUE;
}


static gboolean
agent_msg_parse_ping_s(agent_msg_t *msg, GError **error)
{
    gint64  value;

    if (!agent_json_int(msg->json, "ping_s", 1, 3600, &value)) {
        return agent_msg_invalid(msg, "ping_s", error);
    }

    msg->ping_s = (guint) value;

    return TRUE;
}


static gboolean
agent_msg_parse_challenge(agent_msg_t *msg, GError **error)
{
    gint64            version;
    json_t           *identity;
    rs_json_error_t   e;

    if (!agent_json_int(msg->json, "api_version", 1, 1, &version)) {
        return agent_msg_invalid(msg, "api_version", error);
    }

    msg->nonce = agent_msg_need(msg, msg->json, "nonce", AGENT_MSG_ID, error);
    if (msg->nonce == NULL) {
        return FALSE;
    }

    msg->host = agent_msg_need(msg, msg->json, "host", 255, error);
    if (msg->host == NULL) {
        return FALSE;
    }

    identity = json_object_get(msg->json, "identity");
    if (identity == NULL) {
        return TRUE;
    }

    msg->identity = g_new0(rs_identity_offer_t, 1);

    if (rs_identity_offer_read(identity, msg->identity, &e) != RS_OK) {
        return agent_msg_invalid(msg, "identity", error);
    }

    return TRUE;
}


static gboolean
agent_msg_parse_online(agent_msg_t *msg, GError **error)
{
    json_t  *device;

    device = agent_json_object(msg->json, "device");

    msg->device_id = agent_msg_need(msg, device, "id", AGENT_MSG_ID, error);

    return msg->device_id != NULL && agent_msg_parse_ping_s(msg, error);
}


static gboolean
agent_msg_parse_invite(agent_msg_t *msg, GError **error)
{
    json_t  *session, *requester;

    session = agent_json_object(msg->json, "session");
    requester = agent_json_object(msg->json, "requester");

    msg->session_id = agent_msg_need(msg, session, "id", AGENT_MSG_ID, error);
    if (msg->session_id == NULL) {
        return FALSE;
    }

    msg->ticket = agent_msg_need(msg, msg->json, "ticket", AGENT_MSG_SECRET,
                                 error);
    if (msg->ticket == NULL) {
        return FALSE;
    }

    /* it goes into a header */

    if (msg->ticket[strspn(msg->ticket, "abcdefghijklmnopqrstuvwxyz"
                           "0123456789.-")] != '\0')
    {
        return agent_msg_invalid(msg, "ticket", error);
    }

    agent_msg_policy(msg, session);

    msg->requester = agent_json_string(requester, "name", AGENT_MSG_NAME);
    msg->text = agent_json_string(session, "reason", 4 * AGENT_MSG_NAME);

    return TRUE;
}


static gboolean
agent_msg_parse_revoke(agent_msg_t *msg, GError **error)
{
    msg->text = agent_json_string(msg->json, "reason", AGENT_MSG_ID);
    msg->session_id = agent_msg_need(msg, msg->json, "session_id",
                                     AGENT_MSG_ID, error);

    return msg->session_id != NULL;
}


static agent_role_e
agent_msg_role(const char *role)
{
    if (role == NULL) {
        return AGENT_ROLE_OTHER;
    }

    if (strcmp(role, "host") == 0) {
        return AGENT_ROLE_HOST;
    }

    if (strcmp(role, "controller") == 0) {
        return AGENT_ROLE_CONTROLLER;
    }

    if (strcmp(role, "viewer") == 0) {
        return AGENT_ROLE_VIEWER;
    }

    if (strcmp(role, "recorder") == 0) {
        return AGENT_ROLE_RECORDER;
    }

    return AGENT_ROLE_OTHER;
}


static agent_peer_t *
agent_msg_peer_entry(const json_t *obj)
{
    const char    *id, *name;
    agent_peer_t  *peer;

    id = agent_json_string(obj, "id", AGENT_MSG_ID);

    if (id == NULL || id[0] == '\0') {
        return NULL;
    }

    name = agent_json_string(obj, "name", AGENT_MSG_NAME);

    peer = g_new0(agent_peer_t, 1);
    peer->id = g_strdup(id);
    peer->name = g_strdup(name != NULL ? name : "");
    peer->role = agent_msg_role(agent_json_string(obj, "role", AGENT_MSG_ID));
    (void) agent_json_bool(obj, "guest", &peer->guest);

    return peer;
}


static gboolean
agent_msg_parse_ice(agent_msg_t *msg, GError **error)
{
    json_t  *ice;

    ice = agent_json_object(msg->json, "ice");

    if (ice == NULL) {
        return agent_msg_invalid(msg, "ice", error);
    }

    msg->ice = agent_ice_parse(ice, 0, error);

    return msg->ice != NULL;
}


static gboolean
agent_msg_parse_rotated(agent_msg_t *msg, GError **error)
{
    msg->public_key = agent_msg_need(msg, msg->json, "public_key",
                                     AGENT_MSG_ID, error);

    return msg->public_key != NULL;
}


static gboolean
agent_msg_parse_welcome(agent_msg_t *msg, GError **error)
{
    gsize          i;
    json_t        *peers, *session;
    agent_peer_t  *peer;

    session = agent_json_object(msg->json, "session");
    peers = agent_json_array(msg->json, "peers", AGENT_MSG_PEERS);

    if (peers == NULL) {
        return agent_msg_invalid(msg, "peers", error);
    }

    msg->peers = g_ptr_array_new_with_free_func(agent_peer_free);

    for (i = 0; i < json_array_size(peers); i++) {
        peer = agent_msg_peer_entry(json_array_get(peers, i));

        if (peer == NULL) {
            return agent_msg_invalid(msg, "peers", error);
        }

        g_ptr_array_add(msg->peers, peer);
    }

    msg->role = agent_msg_role(agent_json_string(msg->json, "role",
                                                 AGENT_MSG_ID));

    msg->session_id = agent_msg_need(msg, session, "id", AGENT_MSG_ID, error);
    if (msg->session_id == NULL) {
        return FALSE;
    }

    agent_msg_policy(msg, session);

    if (!agent_msg_holder(msg, agent_json_object(session, "control"), error)) {
        return FALSE;
    }

    msg->self = agent_msg_need(msg, msg->json, "self", AGENT_MSG_ID, error);
    if (msg->self == NULL) {
        return FALSE;
    }

    msg->resume = agent_msg_need(msg, msg->json, "resume", AGENT_MSG_SECRET,
                                 error);
    if (msg->resume == NULL) {
        return FALSE;
    }

    if (msg->resume[strspn(msg->resume, "abcdefghijklmnopqrstuvwxyz"
                           "0123456789.-")] != '\0')
    {
        return agent_msg_invalid(msg, "resume", error);
    }

    return agent_msg_position(msg, error)
           && agent_msg_parse_ping_s(msg, error)
           && agent_msg_parse_ice(msg, error);
}


static gboolean
agent_msg_parse_signal(agent_msg_t *msg, GError **error)
{
    if (!agent_msg_position(msg, error)) {
        return FALSE;
    }

    msg->from = agent_msg_need(msg, msg->json, "from", AGENT_MSG_ID, error);
    if (msg->from == NULL) {
        return FALSE;
    }

    if (!agent_json_int(msg->json, "id", 1, G_MAXINT64, &msg->id)) {
        return agent_msg_invalid(msg, "id", error);
    }

    /* a peer's nonsense is no reason to break the gateway's connection */

    if (!agent_msg_peer(json_object_get(msg->json, "data"), &msg->peer)) {
        g_info("malformed \"%s\" data from %s is left aside", msg->name,
               msg->from);
        msg->peer.kind = AGENT_PEER_UNKNOWN;
    }

    return TRUE;
}


static gboolean
agent_msg_parse_pipe(agent_msg_t *msg, GError **error)
{
    if (!agent_json_int(msg->json, "id", 1, G_MAXINT64, &msg->id)) {
        return agent_msg_invalid(msg, "id", error);
    }

    msg->ticket = agent_msg_need(msg, msg->json, "ticket", AGENT_MSG_SECRET,
                                 error);

    return msg->ticket != NULL;
}


static gboolean
agent_msg_parse_ack(agent_msg_t *msg, GError **error)
{
    if (!agent_json_int(msg->json, "id", 1, G_MAXINT64, &msg->id)) {
        return agent_msg_invalid(msg, "id", error);
    }

    return TRUE;
}


static gboolean
agent_msg_parse_joined(agent_msg_t *msg, GError **error)
{
    agent_peer_t  *peer;

    peer = agent_msg_peer_entry(agent_json_object(msg->json, "peer"));

    if (peer == NULL) {
        return agent_msg_invalid(msg, "peer", error);
    }

    msg->peers = g_ptr_array_new_with_free_func(agent_peer_free);
    g_ptr_array_add(msg->peers, peer);

    return agent_msg_holder(msg, agent_json_object(msg->json, "control"),
                            error)
           && agent_msg_position(msg, error);
}


static gboolean
agent_msg_parse_left(agent_msg_t *msg, GError **error)
{
    msg->text = agent_json_string(msg->json, "reason", AGENT_MSG_ID);
    msg->from = agent_msg_need(msg, msg->json, "peer", AGENT_MSG_ID, error);

    return msg->from != NULL
           && agent_msg_holder(msg, agent_json_object(msg->json, "control"),
                               error)
           && agent_msg_position(msg, error);
}


static gboolean
agent_msg_parse_control(agent_msg_t *msg, GError **error)
{
    return agent_msg_holder(msg, msg->json, error)
           && agent_msg_position(msg, error);
}


/* control: NULL where nothing is said of it */

static gboolean
agent_msg_holder(agent_msg_t *msg, const json_t *control, GError **error)
{
    if (control == NULL) {
        return TRUE;
    }

    msg->controlled = TRUE;

    if (json_is_null(json_object_get(control, "holder"))) {
        return TRUE;
    }

    msg->holder = agent_msg_need(msg, control, "holder", AGENT_MSG_ID, error);

    return msg->holder != NULL;
}


static gboolean
agent_msg_parse_state(agent_msg_t *msg, GError **error)
{
    const char  *state;

    state = agent_json_string(msg->json, "session_state", AGENT_MSG_ID);
    msg->ended = (state != NULL && strcmp(state, "ended") == 0);

    return agent_msg_position(msg, error);
}


static gboolean
agent_msg_parse_ended(agent_msg_t *msg, GError **error)
{
    msg->text = agent_msg_need(msg, msg->json, "reason", AGENT_MSG_ID, error);

    return msg->text != NULL;
}


static gboolean
agent_msg_parse_resync(agent_msg_t *msg, GError **error)
{
    return agent_msg_position(msg, error);
}


static gboolean
agent_msg_parse_input(agent_msg_t *msg, GError **error)
{
    msg->from = agent_msg_need(msg, msg->json, "from", AGENT_MSG_ID, error);
    if (msg->from == NULL) {
        return FALSE;
    }

    msg->data = agent_json_object(msg->json, "data");

    if (msg->data == NULL) {
        return agent_msg_invalid(msg, "data", error);
    }

    return TRUE;
}


int
agent_msg_position_cmp(const char *a, const char *b)
{
    char     *x, *y;
    guint64   m, n;

    m = g_ascii_strtoull(a, &x, 10);
    n = g_ascii_strtoull(b, &y, 10);

    if (m == n) {
        m = (*x == '-') ? g_ascii_strtoull(x + 1, NULL, 10) : 0;
        n = (*y == '-') ? g_ascii_strtoull(y + 1, NULL, 10) : 0;
    }

    return (m > n) - (m < n);
}


char *
agent_msg_hello(const char *program, const char *tenant,
    const char *device_id, const char *signature, const char *instance,
    int width, int height)
{
    json_t  *obj;

    obj = json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s}}",
                    "type", "hello",
                    "tenant", tenant,
                    "device_id", device_id,
                    "signature", signature,
                    "agent",
                    "name", program,
                    "version", AGENT_VERSION,
                    "os", "linux",
                    "instance", instance);

    if (width > 0) {
        json_object_set_new(obj, "displays",
                            json_pack("[{s:s, s:i, s:i}]", "id", "0",
                                      "width", width, "height", height));
    }

    return agent_json_text(obj);
}


char *
agent_msg_rotate(const char *public_key, const char *signature,
    const char *proof)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:s}",
                                     "type", "rotate",
                                     "public_key", public_key,
                                     "signature", signature,
                                     "proof", proof));
}


char *
agent_msg_accept(const char *session_id)
{
    return agent_json_text(json_pack("{s:s, s:s}", "type", "accept",
                                     "session_id", session_id));
}


char *
agent_msg_reject(const char *session_id, const char *reason,
    const char *detail)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:s*}",
                                     "type", "reject",
                                     "session_id", session_id,
                                     "reason", reason, "detail", detail));
}


char *
agent_msg_consent(const char *session_id, const char *participant_id,
    const char *state)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:s}",
                                     "type", "consent",
                                     "session_id", session_id,
                                     "participant_id", participant_id,
                                     "state", state));
}


char *
agent_msg_plain(const char *type)
{
    return agent_json_text(json_pack("{s:s}", "type", type));
}


char *
agent_msg_control(const char *op)
{
    return agent_json_text(json_pack("{s:s, s:s}", "type", "control",
                                     "op", op));
}


char *
agent_msg_bye(const char *reason)
{
    return agent_json_text(json_pack("{s:s, s:s}", "type", "bye",
                                     "reason", reason));
}


char *
agent_msg_state(const agent_path_t *path)
{
    json_t  *obj;

    obj = json_pack("{s:s, s:s, s:i}",
                    "kind", agent_path_kind(path),
                    "protocol", agent_proto_name(path->protocol),
                    "rtt_ms", MAX(path->rtt_ms, 0));

    if (!path->pipe) {
        (void) json_object_set_new(obj, "local", json_string(path->local));
        (void) json_object_set_new(obj, "remote", json_string(path->remote));
    }

    if (path->region[0] != '\0') {
        (void) json_object_set_new(obj, "region", json_string(path->region));
    }

    return agent_json_text(json_pack("{s:s, s:o}", "type", "state",
                                     "path", obj));
}


char *
agent_msg_pipe(const char *with, const char *name, gint64 id)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:I}",
                                     "type", "pipe", "with", with,
                                     "name", name, "id", (json_int_t) id));
}
