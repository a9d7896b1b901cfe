
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The keys of the operators' issuer, which the agent gets by itself: never
 * from or through the gateway.
 */

#ifndef _AGENT_ISSUER_H_INCLUDED_
#define _AGENT_ISSUER_H_INCLUDED_


#include "agent_config.h"
#include "rs_jwks.h"


#define AGENT_ISSUER_FETCH_S  10            /* both requests together */
#define AGENT_ISSUER_AGAIN_S  60            /* between two fetches */
#define AGENT_ISSUER_FRESH_S  3600          /* then asked for again */
#define AGENT_ISSUER_GOOD_S   (24 * 3600)   /* then not believed any more */


typedef struct agent_issuer_s  agent_issuer_t;

/* A fetch is over, whatever came of it; never inside agent_issuer_fetch(). */
typedef void (*agent_issuer_done_pt)(void *data);


/* config stays the caller's and must have an operator_issuer. */
agent_issuer_t *agent_issuer_new(const agent_config_t *config,
    agent_issuer_done_pt done, void *data, GError **error);

/* What is under way is told to nobody any more. */
void agent_issuer_free(agent_issuer_t *issuer);

/*
 * The keys, valid until the main loop runs; NULL: there are none to be
 * believed.  Old ones are asked for again meanwhile.
 */
const rs_jwks_t *agent_issuer_keys(agent_issuer_t *issuer);

/*
 * Asks for newer keys.  TRUE: one is under way, done will be called.  FALSE:
 * it was asked for less than AGENT_ISSUER_AGAIN_S ago, or keys come from a
 * file.
 */
gboolean agent_issuer_fetch(agent_issuer_t *issuer);

/* Why there are no keys, or no newer ones: a sentence. */
const char *agent_issuer_why(const agent_issuer_t *issuer);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_issuer_t, agent_issuer_free)


#endif /* _AGENT_ISSUER_H_INCLUDED_ */
