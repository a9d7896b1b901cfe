
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a viewer who found no path is told of the device's side: which STUN
 * and TURN servers of the session can be used from here.
 */

#ifndef _AGENT_REPORT_H_INCLUDED_
#define _AGENT_REPORT_H_INCLUDED_


#include "agent_check.h"


typedef struct agent_report_s  agent_report_t;

/* checks: as agent_check_json() has it, borrowed */
typedef void (*agent_report_pt)(void *data, const char *to, guint pc,
    json_t *checks);


agent_report_t *agent_report_new(agent_report_pt done, void *data);

/* Nobody is told any more. */
void agent_report_free(agent_report_t *report);

/*
 * done follows, for each who asks; within ten seconds of a report they get
 * that one.  ice NULL: there is none yet, and the report is empty.  Who asks
 * while eight wait already is left without an answer.
 */
void agent_report_ask(agent_report_t *report, const char *to, guint pc,
    const agent_ice_t *ice, const agent_probe_way_t *way);


#endif /* _AGENT_REPORT_H_INCLUDED_ */
