
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a program does with its place on a control channel.  agent_signal.c
 * keeps the channel; the executable fills this table: rs-agent with
 * agent_desktop.c, services with their own.
 */

#ifndef _AGENT_SERVICE_H_INCLUDED_
#define _AGENT_SERVICE_H_INCLUDED_


#include "agent_channel.h"
#include "agent_msg.h"
#include "agent_network.h"


/* who takes part in a session, but for its host and its recorders */

typedef struct {
    guint        people;
    gboolean     guest;             /* who has control came by a link */
} agent_members_t;


/*
 * Members that may be NULL say so.  Messages come only from a gateway that
 * was sent our proof; they are gone when the call returns.  Whatever is said
 * to it goes by agent_signal_say().
 */

typedef struct {
    const char  *name;              /* of the program, for the gateway */
    gboolean     desktop;           /* with somebody there: has ui, tunnels */
    guint        quit_ms;           /* that quitting may take; 0: a second */

    /* the channel stands, again: what the gateway has to know is said; NULL */
    void       (*online)(void *data, const agent_msg_t *msg);

    /* also again, with a newer ticket: answered by accept or reject */
    void       (*invite)(void *data, const agent_msg_t *msg);
    void       (*revoke)(void *data, const agent_msg_t *msg);

    /* to be opened or cut; NULL: the service has none */
    void       (*tunnel)(void *data, const agent_msg_t *msg);

    /* of a type that agent_msg.h does not know: name and json are set; NULL */
    void       (*other)(void *data, const agent_msg_t *msg);

    /* says goodbye where it has to; the channel is left after it; NULL */
    void       (*quit)(void *data);

    /* TRUE: not yet over; agent_quit_check() is called when it is; NULL */
    gboolean   (*busy)(void *data);

    /* size of what it shows; NULL: nothing to be told */
    void       (*size)(void *data, int *width, int *height);

    void       (*network)(void *data, agent_network_e what);    /* NULL */

    /* what the channels of a viewer may be; NULL: agent_viewer_kinds */
    const agent_channel_kind_t *const  *kinds;

    /* input by way of the gateway; FALSE: it is no word of the service's;
     * NULL */
    gboolean   (*input)(void *data, agent_viewer_t *viewer,
                        const json_t *input);

    /* of a session that agent_session.c serves; none frees it; NULL, each */
    void       (*joined)(void *data, const char *session_id);
    void       (*members)(void *data, const char *session_id,
                          const agent_members_t *members);
    void       (*ended)(void *data, const char *session_id, const char *why);
} agent_service_t;


#endif /* _AGENT_SERVICE_H_INCLUDED_ */
