
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One WebSocket to the gateway: connects, sends and answers nothing but its
 * own ping, notices a dead peer, and says once that it is closed.
 */

#ifndef _AGENT_SOCKET_H_INCLUDED_
#define _AGENT_SOCKET_H_INCLUDED_


#include <libsoup/soup.h>


#define AGENT_CLOSE_DONE      1000
#define AGENT_CLOSE_GOAWAY    1012


typedef struct agent_socket_s  agent_socket_t;


typedef struct {
    /* one text message; text is NUL-terminated */
    void  (*text)(void *data, const char *text, gsize len);

    /*
     * Called once, also when it never opened.  code: the peer's close code,
     * 0 without one; retry_s: what a refusal asked for, else 0.  The socket
     * may be freed here.
     */
    void  (*closed)(void *data, guint code, guint retry_s, const char *why);
} agent_socket_events_t;


/*
 * Connects.  protocols: a NULL-terminated list, the first is ours and must
 * be echoed; may hold secrets.  Events never run inside this call.
 */
agent_socket_t *agent_socket_new(SoupSession *soup, const char *url,
    const char *const *protocols, const agent_socket_events_t *events,
    void *data);

/* Dropped silently when the socket is not open. */
void agent_socket_send(agent_socket_t *s, const char *text);

/*
 * From now on ping every ping_s +-20 %; nothing heard for 10 s after one is
 * death, so a peer that vanished is noticed within 1.2 * ping_s + 11 s.
 */
void agent_socket_keepalive(agent_socket_t *s, guint ping_s);

/*
 * The network may be another one: closed() follows at once where the socket's
 * own address is not this machine's any more, and within 5 s where nothing is
 * heard.  One that has been connecting for a second is given up.
 */
void agent_socket_nudge(agent_socket_t *s);

/* Says goodbye; closed() follows. */
void agent_socket_close(agent_socket_t *s, guint code);

/* Closes at once; no event runs any more. */
void agent_socket_free(agent_socket_t *s);

/* Seconds that an answer's Retry-After asks for, up to 300; else 0. */
guint agent_retry_after(SoupMessage *msg);

/* Full jitter: 0 to min(cap_ms, base_ms * 2^attempt). */
guint agent_backoff(guint base_ms, guint cap_ms, guint attempt);


#endif /* _AGENT_SOCKET_H_INCLUDED_ */
