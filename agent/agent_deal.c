
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the secret scalar of one pipe, from its offer to its keys.
 */

#include "agent_deal.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>


#define AGENT_DEAL_DRAWS  8             /* one is no scalar once in 2^32 */


struct agent_deal_s {
    char    *name;
    char    *codecs;
    guint    codec;
    guint8   client[RS_SEAL_POINT_LEN];
    guint8   host[RS_SEAL_POINT_LEN];
    guint8   scalar[RS_SEAL_SCALAR_LEN];
    char     offer[RS_OPERATOR_FINGERPRINT_LEN + 1];
    char     answer[RS_OPERATOR_FINGERPRINT_LEN + 1];
};


static const struct {
    const char  *name;
    guint        codec;
} agent_deal_codecs[] = {
    { "vp8", AGENT_CODEC_VP8 },
    { "h264", AGENT_CODEC_H264 }
};


static guint agent_deal_choose(const char *offered, guint codecs);
static gboolean agent_deal_draw(agent_deal_t *deal);


agent_deal_t *
agent_deal_new(const agent_peer_pipe_t *offer, guint codecs,
    const char **code, const char **message)
{
    gsize                      len;
    rs_seal_deal_t             said;
    g_autoptr(agent_deal_t)    deal = NULL;

    deal = g_new0(agent_deal_t, 1);
    deal->name = g_strdup(offer->name);
    deal->codecs = g_strdup(offer->codecs);

    *code = "bad_offer";
    *message = "the pipe's name, key or codecs are none";

    if (!rs_base64url_decode(deal->client, sizeof(deal->client),
                             rs_str(offer->key), &len)
        || len != sizeof(deal->client))
    {
        return NULL;
    }

    said.name = rs_str(deal->name);
    said.codecs = rs_str(deal->codecs);
    said.client = deal->client;
    said.host = deal->host;

    if (!rs_seal_offer_mark(&said, deal->offer)) {
        return NULL;
    }

    deal->codec = agent_deal_choose(deal->codecs, codecs);

    if (deal->codec == 0) {
        *code = "no_codec";
        *message = "none of the offer's codecs can be encoded here";
        return NULL;
    }

    said.codec = rs_str(agent_deal_codec_name(deal));

    if (!agent_deal_draw(deal) || !rs_seal_answer_mark(&said, deal->answer)) {
        *code = "internal";
        *message = "no key can be made on this device";
        return NULL;
    }

    return g_steal_pointer(&deal);
}


void
agent_deal_free(agent_deal_t *deal)
{
    OPENSSL_cleanse(deal->scalar, sizeof(deal->scalar));
    g_free(deal->codecs);
    g_free(deal->name);
    g_free(deal);
}


/* the viewer's first that can be sent */

static guint
agent_deal_choose(const char *offered, guint codecs)
{
    gsize              i, n;
    g_auto(GStrv)      names = g_strsplit(offered, ",", -1);

    for (n = 0; names[n] != NULL; n++) {
        for (i = 0; i < G_N_ELEMENTS(agent_deal_codecs); i++) {
            if (strcmp(names[n], agent_deal_codecs[i].name) == 0
                && (codecs & agent_deal_codecs[i].codec) != 0)
            {
                return agent_deal_codecs[i].codec;
            }
        }
    }

    return 0;
}


static gboolean
agent_deal_draw(agent_deal_t *deal)
{
    guint  i;

    for (i = 0; i < AGENT_DEAL_DRAWS; i++) {
        if (RAND_bytes(deal->scalar, sizeof(deal->scalar)) == 1
            && rs_seal_public(deal->scalar, deal->host) == RS_OK)
        {
            return TRUE;
        }
    }

    return FALSE;
}


const char *
agent_deal_name(const agent_deal_t *deal)
{
    return deal->name;
}


guint
agent_deal_codec(const agent_deal_t *deal)
{
    return deal->codec;
}


const char *
agent_deal_codec_name(const agent_deal_t *deal)
{
    gsize  i;

    for (i = 0; agent_deal_codecs[i].codec != deal->codec; i++) {
        /* the codec is one of them */
    }

    return agent_deal_codecs[i].name;
}


const char *
agent_deal_offer(const agent_deal_t *deal)
{
    return deal->offer;
}


const char *
agent_deal_answer(const agent_deal_t *deal)
{
    return deal->answer;
}


char *
agent_deal_key(const agent_deal_t *deal)
{
    char   text[RS_BASE64URL_LEN(RS_SEAL_POINT_LEN)];
    gsize  n;

    n = rs_base64url_encode(text, deal->host, sizeof(deal->host));

    return g_strndup(text, n);
}


gboolean
agent_deal_start(const agent_deal_t *deal, const guint8 *bytes, gsize len,
    rs_seal_t *seal)
{
    return rs_seal_start(seal, RS_SEAL_HOST, deal->scalar, deal->client,
                         bytes, len) == RS_OK;
}
