
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the person at the device said no to, by tunnel and who wanted it:
 * until the gateway ends the tunnel, and at most as long as one can live.
 * Nothing makes room for anything: where there are too many nos nothing new
 * is let in.
 */

#ifndef _AGENT_VETO_H_INCLUDED_
#define _AGENT_VETO_H_INCLUDED_


#include <glib.h>


#define AGENT_VETOES       1024
#define AGENT_VETO_KEPT_S  (31 * 24 * 3600)     /* tunnels: 30 days */


typedef struct agent_vetoes_s  agent_vetoes_t;


agent_vetoes_t *agent_vetoes_new(void);
void agent_vetoes_free(agent_vetoes_t *vetoes);

/* key: the tunnel's id, a blank, and whatever else; now in us */
void agent_vetoes_add(agent_vetoes_t *vetoes, const char *key, gint64 now);
gboolean agent_vetoes_has(const agent_vetoes_t *vetoes, const char *key);
/* so many are kept that no other tunnel may be let in */
gboolean agent_vetoes_full(agent_vetoes_t *vetoes, gint64 now);
/* the gateway has ended this tunnel */
void agent_vetoes_end(agent_vetoes_t *vetoes, const char *tunnel_id);


#endif /* _AGENT_VETO_H_INCLUDED_ */
