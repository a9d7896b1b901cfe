
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the comparison of the certificate that came over DTLS with the offer's
 * fingerprint.  webrtcbin of GStreamer 1.22 does not compare: without this,
 * whoever the candidates lead to is the viewer.
 */

#define G_LOG_DOMAIN  "rs-dtls"

#include "agent_dtls.h"
#include "rs_operator.h"

#include <gio/gio.h>
#include <gst/webrtc/webrtc.h>


static gboolean agent_dtls_transport_is(GObject *owner,
    const char *fingerprint, guint *n);


char *
agent_dtls_fingerprint(const char *pem)
{
    char                          text[RS_OPERATOR_FINGERPRINT_LEN];
    gsize                         len;
    guint8                        digest[RS_OPERATOR_DIGEST_LEN];
    g_autoptr(GByteArray)         der = NULL;
    g_autoptr(GChecksum)          sum = NULL;
    g_autoptr(GTlsCertificate)    cert = NULL;

    cert = g_tls_certificate_new_from_pem(pem, -1, NULL);

    if (cert == NULL) {
        return NULL;
    }

    g_object_get(cert, "certificate", &der, NULL);

    if (der == NULL) {
        return NULL;
    }

    len = sizeof(digest);
    sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, der->data, der->len);
    g_checksum_get_digest(sum, digest, &len);

    rs_operator_fingerprint_text(digest, text);

    return g_strndup(text, sizeof(text));
}


/* owner: an RTP sender or receiver, or the SCTP transport; may be NULL */

static gboolean
agent_dtls_transport_is(GObject *owner, const char *fingerprint, guint *n)
{
    g_autofree char       *pem = NULL;
    g_autofree char       *got = NULL;
    g_autoptr(GObject)     transport = NULL;

    if (owner != NULL) {
        g_object_get(owner, "transport", &transport, NULL);
    }

    if (transport == NULL) {
        return TRUE;
    }

    (*n)++;

    g_object_get(transport, "remote-certificate", &pem, NULL);
    got = (pem != NULL) ? agent_dtls_fingerprint(pem) : NULL;

    if (g_strcmp0(got, fingerprint) != 0) {
        g_warning("the certificate %s came, the offer named %s",
                  got ? got : "(none)", fingerprint);
        return FALSE;
    }

    return TRUE;
}


gboolean
agent_dtls_peer_is(GstElement *webrtc, const char *fingerprint)
{
    guint                   i, n;
    gboolean                same;
    g_autoptr(GArray)       transceivers = NULL;
    g_autoptr(GObject)      sctp = NULL;

    n = 0;
    g_object_get(webrtc, "sctp-transport", &sctp, NULL);
    same = agent_dtls_transport_is(sctp, fingerprint, &n);

    g_signal_emit_by_name(webrtc, "get-transceivers", &transceivers);

    for (i = 0; transceivers != NULL && i < transceivers->len; i++) {
        g_autoptr(GObject)  sender = NULL;
        g_autoptr(GObject)  receiver = NULL;

        g_object_get(g_array_index(transceivers, GObject *, i),
                     "sender", &sender, "receiver", &receiver, NULL);
        same = agent_dtls_transport_is(sender, fingerprint, &n)
               && agent_dtls_transport_is(receiver, fingerprint, &n)
               && same;
    }

    return same && n > 0;
}
