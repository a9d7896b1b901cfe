
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The device's Ed25519 key (RFC 8032) and the proof it gives on connect.
 */

#ifndef _AGENT_KEY_H_INCLUDED_
#define _AGENT_KEY_H_INCLUDED_


#include <gio/gio.h>


#define AGENT_KEY_FILE  "device.key"
#define AGENT_KEY_NEXT  "device.key.next"
#define AGENT_KEY_OLD   "device.key.old"


typedef struct agent_key_s  agent_key_t;


/* The key in the state directory, made there (mode 0600) when it is missing. */
agent_key_t *agent_key_make(const char *state_dir, GError **error);

/* Refuses a key that anyone but its owner may read. */
agent_key_t *agent_key_load(const char *state_dir, GError **error);

/* The same of another file of the state directory. */
agent_key_t *agent_key_load_named(const char *state_dir, const char *name,
    GError **error);

/* A new key in a file that must not exist, on the disk when it returns. */
gboolean agent_key_create(const char *path, GError **error);

/*
 * A key that somebody else has: sign gives the signature, base64url, or NULL
 * and *error.  public_key: base64url of the 32 bytes; NULL: it is not.
 */
typedef char *(*agent_key_sign_pt)(void *data, const guint8 *bytes, gsize len,
    GError **error);

agent_key_t *agent_key_foreign(const char *public_key, agent_key_sign_pt sign,
    void *data);

/* Each gets the other's key; who holds one holds another key then. */
void agent_key_swap(agent_key_t *a, agent_key_t *b);

void agent_key_free(agent_key_t *key);

/* base64url of the 32 bytes, unpadded. */
char *agent_key_public(const agent_key_t *key);

/* What people compare: "AB12-CD34-EF56-GH78". */
char *agent_key_short(const agent_key_t *key);

/* The signature over data, base64url. */
char *agent_key_sign(const agent_key_t *key, const guint8 *data, gsize len,
    GError **error);

/*
 * The signature, base64url, over "rs-agent-v1" 00 host 00 tenant 00
 * device_id 00 nonce; nonce: base64url of 32 bytes.
 */
char *agent_key_prove(const agent_key_t *key, const char *host,
    const char *tenant, const char *device_id, const char *nonce,
    GError **error);

/* 32 random bytes, base64url; NULL: OpenSSL has none. */
char *agent_key_nonce(void);

/* RFC 4648, 5, without padding. */
char *agent_base64url(const guint8 *data, gsize len);
guint8 *agent_base64url_decode(const char *text, gsize want);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_key_t, agent_key_free)


#endif /* _AGENT_KEY_H_INCLUDED_ */
