
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-agent --check: what this machine's network lets through to a gateway and
 * its TURN servers, a line each, with the cure.
 */

#ifndef _AGENT_CHECK_H_INCLUDED_
#define _AGENT_CHECK_H_INCLUDED_


#include "agent_config.h"
#include "agent_probe.h"

#include <libsoup/soup.h>


/* of one server that was tried */

typedef struct {
    char           *url;            /* without the credential */
    gboolean        binding;        /* STUN */
    agent_proto_e   proto;
    agent_probe_t   probe;
} agent_checked_t;


/*
 * What all of them together mean, in a sentence: "UDP is blocked, TURN over
 * TLS is open", ...  The caller frees it.  *works: some relay can be used.
 */
char *agent_check_verdict(const GPtrArray *checked, gboolean *works);

/* What to do about one that failed; never NULL. */
const char *agent_check_cure(const agent_checked_t *one);

/* [{kind, proto, url, result, code?, ms?}]: for a viewer who asks. */
json_t *agent_check_json(const GPtrArray *checked);

/*
 * Tries all servers of ice at once; done gets the array, in the order of ice,
 * STUN first, and takes it over.  The result ends it: no event follows.
 */
typedef struct agent_checks_s  agent_checks_t;

typedef void (*agent_checks_done_pt)(void *data, GPtrArray *checked);

agent_checks_t *agent_checks_new(const agent_ice_t *ice,
    const agent_probe_way_t *way, agent_checks_done_pt done, void *data);
void agent_checks_free(agent_checks_t *checks);

/*
 * Writes the lines to standard output.  Blocks.  The process's exit status:
 * 0, or 1 when a session could not be had from here.
 */
int agent_check(SoupSession *soup, GTlsDatabase *tls, GProxyResolver *proxy,
    const char *url);


#endif /* _AGENT_CHECK_H_INCLUDED_ */
