
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Whom webrtcbin talks to.  It takes any certificate, whatever fingerprint
 * the description named, so the agent compares.
 */

#ifndef _AGENT_DTLS_H_INCLUDED_
#define _AGENT_DTLS_H_INCLUDED_


#include <gst/gst.h>


/*
 * TRUE: every DTLS transport of webrtcbin, and at least one, stands with the
 * certificate of this fingerprint ("sha-256 AA:BB:...").
 */
gboolean agent_dtls_peer_is(GstElement *webrtc, const char *fingerprint);

/* The fingerprint of a certificate in PEM; NULL: it is none. */
char *agent_dtls_fingerprint(const char *pem);


#endif /* _AGENT_DTLS_H_INCLUDED_ */
