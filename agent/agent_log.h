
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Where GLib's log goes: standard error, one line a message.
 */

#ifndef _AGENT_LOG_H_INCLUDED_
#define _AGENT_LOG_H_INCLUDED_


#include <glib.h>


/* "PROGRAM: level: domain: message"; details only when verbose. */
void agent_log_init(gboolean verbose);

/* of the process: "rs-agent", unless g_set_prgname() named another one */
const char *agent_log_program(void);

/*
 * The text with every control character as "?": names and reasons come from
 * outside and must not forge lines.  The caller frees it.
 */
char *agent_log_clean(const char *text);


#endif /* _AGENT_LOG_H_INCLUDED_ */
