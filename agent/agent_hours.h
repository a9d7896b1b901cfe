
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Hours of the week: "Mon-Fri 08:00-18:00;Sat 09:00-12:00".  Owns no clock:
 * whoever asks says what time it is.
 */

#ifndef _AGENT_HOURS_H_INCLUDED_
#define _AGENT_HOURS_H_INCLUDED_


#include <glib.h>


#define AGENT_HOURS_WEEK  (7u * 24 * 60)    /* minutes */
#define AGENT_HOURS_MAX   32                /* parts between ";" */


typedef struct {
    char     *text;                         /* as it was written */
    guint8    open[AGENT_HOURS_WEEK / 8];   /* a bit a minute, from Monday */
} agent_hours_t;


/*
 * Parts with ";" between them, each one day, days by "," or a range of days
 * by "-" (Sat-Mon goes over the week's end), then HH:MM-HH:MM.  An end before
 * the beginning is of the day after, 24:00 is midnight at the end of the day.
 * NULL: it is not that, or nothing is open.
 */
agent_hours_t *agent_hours_parse(const char *text);

/* hours NULL: always.  now: local time */
gboolean agent_hours_open(const agent_hours_t *hours, GDateTime *now);

void agent_hours_free(agent_hours_t *hours);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_hours_t, agent_hours_free)


#endif /* _AGENT_HOURS_H_INCLUDED_ */
