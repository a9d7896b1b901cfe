
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Where tunnels may lead: "allow" of [tunnels] in agent.conf.  Pure; what a
 * rule is and what it opens is librs/rs_target's.
 */

#ifndef _AGENT_TARGET_H_INCLUDED_
#define _AGENT_TARGET_H_INCLUDED_


#include "rs_target.h"

#include <gio/gio.h>


#define AGENT_TARGETS  256          /* rules */


typedef struct {
    char              *text;        /* that the rules point into */
    gsize              n;
    rs_target_rule_t   rules[AGENT_TARGETS];
} agent_targets_t;


/* rules with ";" between them; NULL and *error names the one that is none */
agent_targets_t *agent_targets_parse(const char *text, GError **error);
void agent_targets_free(agent_targets_t *targets);

/* targets may be NULL in what follows: nothing is listed */

/* Whether it is worth a look-up. */
gboolean agent_targets_hopeful(const agent_targets_t *targets,
    const rs_target_t *target);

/* own: says whether an address is one of this machine's */
rs_target_e agent_targets_check(const agent_targets_t *targets,
    const rs_target_t *target, GInetAddress *found,
    gboolean (*own)(GInetAddress *address));


#endif /* _AGENT_TARGET_H_INCLUDED_ */
