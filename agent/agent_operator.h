
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Whether an offer comes from an operator whom this device accepts:
 * docs/protocol/peer.md, "The operator".
 */

#ifndef _AGENT_OPERATOR_H_INCLUDED_
#define _AGENT_OPERATOR_H_INCLUDED_


#include "agent_config.h"
#include "agent_msg.h"
#include "rs_operator.h"


#define AGENT_OPERATOR_WAIT_S  15           /* for the issuer's keys */
#define AGENT_OPERATOR_SKEW_S  60


typedef struct agent_operator_s  agent_operator_t;
typedef struct agent_check_s     agent_check_t;

/*
 * The check is over, and gone: who->verified, or who->reason is a sentence
 * for people.  who may be taken apart.
 */
typedef void (*agent_check_done_pt)(void *data, agent_who_t *who);


/* NULL without an error: agent.conf names no issuer. */
agent_operator_t *agent_operator_new(const agent_config_t *config,
    GError **error);

/* There are no checks any more. */
void agent_operator_free(agent_operator_t *operator);

/*
 * proof and line are copied.  done is called once, never inside this call,
 * within AGENT_OPERATOR_WAIT_S; not after agent_check_cancel().
 */
agent_check_t *agent_operator_check(agent_operator_t *operator,
    const rs_operator_line_t *line, const json_t *proof,
    agent_check_done_pt done, void *data);
void agent_check_cancel(agent_check_t *check);


#endif /* _AGENT_OPERATOR_H_INCLUDED_ */
