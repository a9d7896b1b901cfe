
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Makes this machine a device of a gateway.
 */

#ifndef _AGENT_ENROLL_H_INCLUDED_
#define _AGENT_ENROLL_H_INCLUDED_


#include "agent_config.h"

#include <libsoup/soup.h>


/*
 * The enrolment token from a file, "-" being standard input; NULL: from
 * $RS_ENROLLMENT_TOKEN, or standard input without it.  Never from argv,
 * which everyone on the machine may read.
 */
char *agent_enroll_token(const char *path, GError **error);

/*
 * POST {url}/devices with a new (or the existing) key, and keeps what comes
 * back in the state directory.  Blocks.  A device that is enrolled already
 * is an error.
 */
agent_device_t *agent_enroll(const agent_config_t *config, SoupSession *soup,
    const char *url, const char *token, GError **error);


#endif /* _AGENT_ENROLL_H_INCLUDED_ */
