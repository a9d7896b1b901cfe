
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The device's key: made once, kept to its owner, and a proof that the
 * gateway's own code accepts, and only for the values it was made for.
 */

#include "agent_config.h"
#include "agent_key.h"
#include "rs_devkey.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define NONCE  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define DEV    "dev_dddddddddddddddddddddddddd"


static void
test_base64url(void)
{
    guint8              *raw;
    g_autofree char     *text = NULL;

    static const guint8  bytes[] = { 0xfb, 0xff, 0xbf, 0x01 };

    text = agent_base64url(bytes, 4);
    is_str(text, "-_-_AQ", "base64url, unpadded");

    raw = agent_base64url_decode("-_-_AQ", 4);
    ok(raw != NULL && memcmp(raw, bytes, 4) == 0, "and back");
    g_free(raw);

    ok(agent_base64url_decode("-_-_AQ==", 4) == NULL, "padding is refused");
    ok(agent_base64url_decode("+/+/AQ", 4) == NULL, "base64 is refused");
    ok(agent_base64url_decode("-_-_AQ", 5) == NULL, "another length");
    ok(agent_base64url_decode("", 4) == NULL, "nothing");
}


static rs_err_e
verify(const char *pub, const char *proof, const char *host)
{
    rs_err_e             rc;
    g_autofree guint8   *nonce = agent_base64url_decode(NONCE, 32);
    g_autofree guint8   *sig = agent_base64url_decode(proof, 64);

    rc = rs_devkey_verify(rs_str(pub), rs_str(host), rs_str("default"),
                          rs_str(DEV), nonce, sig);
    return rc;
}


static char *
sign_elsewhere(void *data, const guint8 *bytes, gsize len, GError **error)
{
    return agent_key_sign(data, bytes, len, error);
}


/* what another process signs is this device's word all the same */

static void
test_foreign(agent_key_t *here)
{
    g_autofree char           *pub = agent_key_public(here);
    g_autofree char           *same = NULL;
    g_autofree char           *proof = NULL;
    g_autoptr(agent_key_t)     key = NULL;

    ok(agent_key_foreign("AAECAw", sign_elsewhere, here) == NULL,
       "a foreign key that is none is refused");

    key = agent_key_foreign(pub, sign_elsewhere, here);
    ok(key != NULL, "a foreign key");

    same = agent_key_public(key);
    is_str(same, pub, "its public half is known");

    proof = agent_key_prove(key, "support.example.net", "default", DEV,
                            NONCE, NULL);
    ok(proof != NULL && verify(pub, proof, "support.example.net") == RS_OK,
       "and it is signed for by who has it");
}


int
main(void)
{
    struct stat                st;
    g_autofree char           *dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    g_autofree char           *state = g_build_filename(dir, "state", NULL);
    g_autofree char           *path = NULL;
    g_autofree char           *pub = NULL;
    g_autofree char           *again = NULL;
    g_autofree char           *proof = NULL;
    g_autoptr(GError)          error = NULL;
    g_autoptr(agent_key_t)     key = NULL;
    g_autoptr(agent_key_t)     same = NULL;

    test_base64url();

    ok(agent_key_load(state, &error) == NULL && error != NULL,
       "no key yet: an error");
    g_clear_error(&error);

    key = agent_key_make(state, &error);
    ok(key != NULL, "a key is made");

    path = g_build_filename(state, "device.key", NULL);
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "mode 0600");
    ok(stat(state, &st) == 0 && (st.st_mode & 0777) == 0700,
       "in a directory of mode 0700");

    pub = agent_key_public(key);
    ok(strlen(pub) == 43, "the public key has 43 characters");

    same = agent_key_make(state, NULL);
    again = agent_key_public(same);
    is_str(again, pub, "made once: the same key again");

    proof = agent_key_prove(key, "support.example.net", "default", DEV,
                            NONCE, NULL);
    ok(proof != NULL && verify(pub, proof, "support.example.net") == RS_OK,
       "the gateway accepts the proof");
    ok(verify(pub, proof, "evil.example.net") == RS_E_UNAUTHENTICATED,
       "but not for another host");

    test_foreign(key);

    ok(agent_key_prove(key, "h", "default", DEV, "AAECAw", &error) == NULL
       && error != NULL, "a short nonce is refused");
    g_clear_error(&error);
    ok(agent_key_prove(key, "h", "default", "dev_x", NONCE, &error) == NULL
       && error != NULL, "a malformed device id is refused");
    g_clear_error(&error);

    g_chmod(path, 0640);
    ok(agent_key_load(state, &error) == NULL
       && strstr(error->message, "chmod 600") != NULL,
       "a key others may read is refused, with the cure");
    g_clear_error(&error);

    g_chmod(path, 0600);
    ok(g_file_set_contents(path, "rubbish", -1, NULL)
       && g_chmod(path, 0600) == 0
       && agent_key_load(state, &error) == NULL
       && strstr(error->message, "Ed25519") != NULL, "rubbish is refused");

    g_unlink(path);
    g_rmdir(state);
    g_rmdir(dir);

    return done();
}
