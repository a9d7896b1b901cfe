
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The person at the device: who is asked, and who sees on a banner who else
 * is there.  Both by rs-agent-ui, a process of its own.
 */

#ifndef _AGENT_UI_H_INCLUDED_
#define _AGENT_UI_H_INCLUDED_


#include "agent_config.h"


#define AGENT_UI_START_S   10           /* until rs-agent-ui is ready */
#define AGENT_UI_ASKS      8            /* questions at once */
#define AGENT_UI_SHOWN     16           /* names on the banner */
#define AGENT_UI_CHATS     16           /* messages until it is ready */
#define AGENT_UI_TEXT      2048         /* bytes of what somebody says */
#define AGENT_UI_DEATHS    3            /* within AGENT_UI_WINDOW_S */
#define AGENT_UI_WINDOW_S  60


typedef struct agent_ui_s     agent_ui_t;
typedef struct agent_ask_s    agent_ask_t;
typedef struct agent_shown_s  agent_shown_t;


typedef enum {
    AGENT_ANSWER_YES = 0,
    AGENT_ANSWER_NO,
    AGENT_ANSWER_TIMEOUT,
    AGENT_ANSWER_IMPOSSIBLE         /* there is nobody, or too many ask */
} agent_answer_e;


/* Somebody else at this computer; text is shown as it is, never as markup. */

typedef struct {
    const char  *name;
    const char  *by;                /* verified: the issuer; else NULL */
    gboolean     control;
    const char  *tunnel;            /* no session: what is reached by this
                                       computer; else NULL */
} agent_subject_t;


/* The ask is over, and gone. */
typedef void (*agent_ask_done_pt)(void *data, agent_answer_e answer);


typedef struct {
    /* the banner's button */
    void  (*end)(void *data);

    /* there is no banner any more, though somebody is there */
    void  (*lost)(void *data);

    /* the banner's other button: control is the person's own, or not */
    void  (*take)(void *data, gboolean own);

    /* somebody says something in a room of the chat; text ends with a zero */
    void  (*said)(void *data, guint room, const char *text);

    /* a question is on the screen, or the last one is not any more */
    void  (*asking)(void *data, gboolean asking);
} agent_ui_events_t;


/* config stays the caller's; rs-agent-ui starts when it is needed first. */
agent_ui_t *agent_ui_new(const agent_config_t *config,
    const agent_ui_events_t *events, void *data);

/* There are no asks and nobody is shown. */
void agent_ui_free(agent_ui_t *ui);

/*
 * prompt: somebody has to say yes within consent_timeout.  Else the answer is
 * yes as soon as a banner can be shown.  done is called once, never inside
 * this call, and not after agent_ask_cancel().
 */
agent_ask_t *agent_ui_ask(agent_ui_t *ui, const agent_subject_t *subject,
    gboolean prompt, agent_ask_done_pt done, void *data);
void agent_ask_cancel(agent_ask_t *ask);

/* On the banner until agent_shown_free(). */
agent_shown_t *agent_ui_show(agent_ui_t *ui, const agent_subject_t *subject);
void agent_shown_free(agent_shown_t *shown);
void agent_shown_control(agent_shown_t *shown, gboolean control);

/* The person at the device has control of a session: the banner says so. */
void agent_ui_own(agent_ui_t *ui, gboolean own);

/*
 * Shown in the room's window, which opens for it; by is not said, only
 * whether there is one.  What cannot be shown is forgotten.
 */
void agent_ui_chat(agent_ui_t *ui, guint room, const agent_subject_t *from,
    const char *text);

/* Nobody is left in the room. */
void agent_ui_chat_end(agent_ui_t *ui, guint room);

gboolean agent_ui_asking(const agent_ui_t *ui);


#endif /* _AGENT_UI_H_INCLUDED_ */
