
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the windows of rs-agent-ui share.
 */

#ifndef _RS_AGENT_UI_H_INCLUDED_
#define _RS_AGENT_UI_H_INCLUDED_


#include "agent_json.h"

#include <gtk/gtk.h>


#define UI_LINE  65536              /* bytes of a line */
#define UI_NAME  64                 /* characters */


/* Takes obj over; the end of the program when the agent is gone. */
void ui_say(json_t *obj);

/* Wrapped, aligned to the left; style may be NULL. */
GtkWidget *ui_label(const char *text, const char *style);

/* A stranger's text of a message, cleaned; "" when it is not there. */
char *ui_string(const json_t *obj, const char *name, guint max);

/* A name that nobody has verified: in quotes, which it has not itself. */
void ui_claimed(char **name);


/* rs_agent_chat.c: messages "chat" and "chat_end" of the agent */
void ui_chat(const json_t *msg);
void ui_chat_end(const json_t *msg);


#endif /* _RS_AGENT_UI_H_INCLUDED_ */
