
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Recorders, as a host knows them: whether agent.conf takes any, and which;
 * docs/protocol/peer.md, "A recorder".
 */

#ifndef _AGENT_RECORDER_H_INCLUDED_
#define _AGENT_RECORDER_H_INCLUDED_


#include "agent_config.h"
#include "agent_key.h"

#include "rs_operator.h"

#include <jansson.h>


/*
 * NULL: an offer of a recorder may be answered.  Else peer.md's code, and
 * *message: a sentence to be freed.  proof: of the offer, or NULL.
 */
const char *agent_recorder_refusal(const agent_config_t *config,
    const rs_operator_line_t *line, const json_t *proof, char **message);

/* The proof, by the recorder's device key; NULL and *error: no signature. */
json_t *agent_recorder_proof(const agent_key_t *key,
    const rs_operator_line_t *line, GError **error);


#endif /* _AGENT_RECORDER_H_INCLUDED_ */
