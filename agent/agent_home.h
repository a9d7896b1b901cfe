
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Looks, while a fallback serves, whether the first server is well again.
 */

#ifndef _AGENT_HOME_H_INCLUDED_
#define _AGENT_HOME_H_INCLUDED_


#include <libsoup/soup.h>


typedef struct agent_home_s  agent_home_t;


/*
 * Asks {url}/health/ready with full jitter, 0 to probe_s, doubled by each of
 * attempt and each answer but 200, up to 10 min.  well() is called once, from
 * the main loop, after two answers of 200 in a row; it may free the home.
 */
agent_home_t *agent_home_new(SoupSession *soup, const char *url,
    guint probe_s, guint attempt, void (*well)(void *data), void *data);

/* No call comes any more. */
void agent_home_free(agent_home_t *home);


#endif /* _AGENT_HOME_H_INCLUDED_ */
