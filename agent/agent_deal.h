
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a viewer and this device agree on before a pipe carries anything:
 * keys, codec, and the marks that both sign.  peer.md, "Over a pipe".
 */

#ifndef _AGENT_DEAL_H_INCLUDED_
#define _AGENT_DEAL_H_INCLUDED_


#include "agent_msg.h"
#include "rs_seal.h"


typedef struct agent_deal_s  agent_deal_t;


/*
 * Answers an offer.  codecs: AGENT_CODEC_* that can be sent.  NULL and *code,
 * *message when it cannot be taken; the strings are static.
 */
agent_deal_t *agent_deal_new(const agent_peer_pipe_t *offer, guint codecs,
    const char **code, const char **message);
void agent_deal_free(agent_deal_t *deal);

const char *agent_deal_name(const agent_deal_t *deal);
guint agent_deal_codec(const agent_deal_t *deal);

/* "rs-pipe AA:BB:...", in the place of fingerprints */
const char *agent_deal_offer(const agent_deal_t *deal);
const char *agent_deal_answer(const agent_deal_t *deal);

/* For the answer: this side's point in base64url, and the codec's name. */
char *agent_deal_key(const agent_deal_t *deal);
const char *agent_deal_codec_name(const agent_deal_t *deal);

/* The keys, of the bytes that the device signs.  FALSE: there are none. */
gboolean agent_deal_start(const agent_deal_t *deal, const guint8 *bytes,
    gsize len, rs_seal_t *seal);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_deal_t, agent_deal_free)


#endif /* _AGENT_DEAL_H_INCLUDED_ */
