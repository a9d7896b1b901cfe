
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What peers say to each other inside of signal.data: docs/protocol/peer.md.
 * A part of agent_msg.h.
 */

#include "agent_msg.h"
#include "agent_json.h"

#include <string.h>


#define AGENT_PEER_ID     64
#define AGENT_PEER_TEXT   4096
#define AGENT_PEER_WORDS  128           /* of a pipe's offer, bytes each */


static char *agent_msg_signal(const char *to, gint64 id, json_t *data);
static json_t *agent_peer_signed(json_t *data, const agent_seal_t *seal);


gboolean
agent_msg_peer(const json_t *data, agent_peer_msg_t *peer)
{
    gint64       n;
    const char  *kind;

    memset(peer, 0, sizeof(agent_peer_msg_t));

    kind = agent_json_string(data, "kind", AGENT_PEER_ID);

    if (kind == NULL) {
        return TRUE;
    }

    if (strcmp(kind, "diagnose") == 0) {
        peer->text = "";

    } else if (strcmp(kind, "offer") == 0) {
        peer->text = agent_json_string(data, "sdp", AGENT_MSG_SDP);
        peer->proof = json_object_get(data, "proof");

    } else if (strcmp(kind, "pipe") == 0) {
        peer->pipe.name = agent_json_string(data, "name", AGENT_PEER_WORDS);
        peer->pipe.key = agent_json_string(data, "key", AGENT_PEER_WORDS);
        peer->pipe.codecs = agent_json_string(data, "codecs",
                                              AGENT_PEER_WORDS);
        peer->proof = json_object_get(data, "proof");
        peer->text = (peer->pipe.name != NULL && peer->pipe.key != NULL)
                     ? peer->pipe.codecs : NULL;

    } else if (strcmp(kind, "candidate") == 0) {
        peer->text = agent_json_string(data, "candidate", AGENT_PEER_TEXT);

        if (!agent_json_int(data, "sdpMLineIndex", 0, 63, &n)) {

            /* RFC 8840: the end of all candidates may come without one */

            if (peer->text == NULL || peer->text[0] != '\0') {
                return FALSE;
            }

            n = 0;
        }

        peer->mline = (guint) n;

    } else {
        return TRUE;
    }

    if (peer->text == NULL
        || !agent_json_int(data, "pc", 1, G_MAXINT32, &n))
    {
        return FALSE;
    }

    peer->pc = (guint) n;
    peer->kind = (kind[0] == 'o') ? AGENT_PEER_OFFER
                 : (kind[0] == 'c') ? AGENT_PEER_CANDIDATE
                 : (kind[0] == 'p') ? AGENT_PEER_PIPE
                                    : AGENT_PEER_DIAGNOSE;

    return TRUE;
}


static char *
agent_msg_signal(const char *to, gint64 id, json_t *data)
{
    return agent_json_text(json_pack("{s:s, s:s, s:I, s:o}",
                                     "type", "signal", "to", to,
                                     "id", (json_int_t) id, "data", data));
}


/* who answers, and what it made of who asked; data goes over */

static json_t *
agent_peer_signed(json_t *data, const agent_seal_t *seal)
{
    const agent_who_t  *who = seal->who;

    (void) json_object_set_new(data, "device",
                               json_pack("{s:s, s:s}",
                                         "public_key", seal->public_key,
                                         "signature", seal->signature));
    (void) json_object_set_new(data, "operator",
                               who->verified
                               ? json_pack("{s:b, s:s, s:s}", "verified", 1,
                                           "name", who->name,
                                           "issuer", who->issuer)
                               : json_pack("{s:b, s:s*}", "verified", 0,
                                           "reason", who->reason));

    return data;
}


char *
agent_msg_answer(const char *to, gint64 id, guint pc, const char *sdp,
    const agent_seal_t *seal)
{
    json_t  *data;

    data = json_pack("{s:s, s:i, s:s}", "kind", "answer", "pc", (int) pc,
                     "sdp", sdp);

    return agent_msg_signal(to, id, agent_peer_signed(data, seal));
}


char *
agent_msg_piped(const char *to, gint64 id, guint pc, const char *key,
    const char *codec, const agent_seal_t *seal)
{
    json_t  *data;

    data = json_pack("{s:s, s:i, s:s, s:s}", "kind", "piped",
                     "pc", (int) pc, "key", key, "codec", codec);

    return agent_msg_signal(to, id, agent_peer_signed(data, seal));
}


char *
agent_msg_candidate(const char *to, gint64 id, guint pc,
    const char *candidate, guint mline, const char *mid)
{
    return agent_msg_signal(to, id,
                            json_pack("{s:s, s:i, s:s, s:i, s:s*}",
                                      "kind", "candidate",
                                      "pc", (int) pc,
                                      "candidate", candidate,
                                      "sdpMLineIndex", (int) mline,
                                      "sdpMid", mid));
}


char *
agent_msg_waiting(const char *to, gint64 id, guint pc, guint timeout_s)
{
    return agent_msg_signal(to, id, json_pack("{s:s, s:i, s:s, s:i}",
                                              "kind", "waiting",
                                              "pc", (int) pc,
                                              "for", "consent",
                                              "timeout_s",
                                              (int) timeout_s));
}


char *
agent_msg_report(const char *to, gint64 id, guint pc, json_t *checks)
{
    return agent_msg_signal(to, id, json_pack("{s:s, s:i, s:O}",
                                              "kind", "report",
                                              "pc", (int) pc,
                                              "checks", checks));
}


char *
agent_msg_failed(const char *to, gint64 id, guint pc, const char *code,
    const char *message)
{
    return agent_msg_signal(to, id, json_pack("{s:s, s:i, s:s, s:s}",
                                              "kind", "failed",
                                              "pc", (int) pc,
                                              "code", code,
                                              "message", message));
}
