
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the shape of these messages.
 */

#include "record_msg.h"
#include "agent_json.h"

#include <string.h>


#define RECORD_MSG_ID    64         /* bytes */
#define RECORD_MSG_NAME  256
#define RECORD_MSG_TEXT  1024
#define RECORD_MSG_PC    0x7fffffff


static const struct {
    const char     *name;
    record_peer_e   kind;
} record_msg_kinds[] = {
    { "answer", RECORD_PEER_ANSWER },
    { "candidate", RECORD_PEER_CANDIDATE },
    { "waiting", RECORD_PEER_WAITING },
    { "failed", RECORD_PEER_FAILED }
};


gboolean
record_msg_peer(const json_t *data, record_peer_t *peer)
{
    gsize        i;
    gint64       n;
    const char  *kind;

    memset(peer, 0, sizeof(*peer));
    kind = agent_json_string(data, "kind", RECORD_MSG_ID);

    for (i = 0; kind != NULL && i < G_N_ELEMENTS(record_msg_kinds); i++) {
        if (strcmp(kind, record_msg_kinds[i].name) == 0) {
            peer->kind = record_msg_kinds[i].kind;
        }
    }

    if (peer->kind == RECORD_PEER_UNKNOWN) {
        return TRUE;
    }

    if (!agent_json_int(data, "pc", 1, RECORD_MSG_PC, &n)) {
        return FALSE;
    }

    peer->pc = (guint) n;

    switch (peer->kind) {

    case RECORD_PEER_ANSWER:
        peer->text = agent_json_string(data, "sdp", AGENT_MSG_SDP);
        return peer->text != NULL;

    case RECORD_PEER_CANDIDATE:
        peer->text = agent_json_string(data, "candidate", RECORD_MSG_TEXT);

        if (!agent_json_int(data, "sdpMLineIndex", 0, 15, &n)) {
            return FALSE;
        }

        peer->mline = (guint) n;
        return peer->text != NULL;

    case RECORD_PEER_WAITING:
        if (!agent_json_int(data, "timeout_s", 0, 3600, &n)) {
            return FALSE;
        }

        peer->timeout_s = (guint) n;
        return TRUE;

    default:
        peer->code = agent_json_string(data, "code", RECORD_MSG_ID);
        peer->text = agent_json_string(data, "message", RECORD_MSG_TEXT);
        return peer->code != NULL;
    }
}


gboolean
record_msg_again(const char *code)
{
    return strcmp(code, "ice_failed") == 0 || strcmp(code, "closed") == 0
           || strcmp(code, "internal") == 0;
}


char *
record_msg_offer(const char *to, gint64 id, guint pc, const char *sdp,
    json_t *proof)
{
    return agent_json_text(json_pack("{s:s, s:s, s:{s:s, s:i, s:s, s:o*}, "
                                     "s:I}", "type", "signal", "to", to,
                                     "data", "kind", "offer", "pc", (int) pc,
                                     "sdp", sdp, "proof", proof, "id",
                                     (json_int_t) id));
}


char *
record_msg_load(guint capacity, guint used)
{
    return agent_json_text(json_pack("{s:s, s:i, s:i, s:i, s:i}", "type",
                                     "load", "capacity", (int) capacity,
                                     "used", (int) used, "queued", 0,
                                     "queue", 0));
}


char *
record_msg_begin(const char *session_id, const char *recording_id)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:s}", "type",
                                     "recording", "op", "begin",
                                     "session_id", session_id,
                                     "recording_id", recording_id));
}


char *
record_msg_failed(const char *session_id, const char *reason,
    const char *detail)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s, s:s, s:s*}", "type",
                                     "recording", "op", "failed",
                                     "session_id", session_id, "reason",
                                     reason, "detail", detail));
}


char *
record_msg_gone(const char *recording_id)
{
    return agent_json_text(json_pack("{s:s, s:s, s:s}", "type", "recording",
                                     "op", "gone", "recording_id",
                                     recording_id));
}


json_t *
record_msg_joined(const json_t *peer)
{
    gboolean     guest;
    const char  *id, *name, *role;

    guest = FALSE;
    id = agent_json_string(peer, "id", RECORD_MSG_ID);
    name = agent_json_string(peer, "name", RECORD_MSG_NAME);
    role = agent_json_string(peer, "role", RECORD_MSG_ID);
    (void) agent_json_bool(peer, "guest", &guest);

    if (id == NULL || role == NULL) {
        return NULL;
    }

    return json_pack("{s:s, s:s, s:s, s:s, s:b}", "type", "joined", "id", id,
                     "name", name ? name : "", "role", role, "guest",
                     guest);
}
