
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Whom the agent takes for its gateway: pinned, configured, followed; what is
 * refused and how that is said; what is kept.
 */

#include "agent_identity.h"
#include "agent_key.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>


#define HOST   "gw.example.net"
#define MINE   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define THEIR  "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA"


static guint8  seed[4][32];
static char   *key[4];


static void
offer_of(rs_identity_offer_t *offer, guint from, guint to)
{
    guint  i;

    memset(offer, 0, sizeof(*offer));
    rs_ed25519_public(seed[to], offer->key);
    rs_identity_sign(seed[to], RS_STR(HOST), RS_STR(MINE), RS_STR(THEIR),
                     offer->signature);

    for (i = from; i < to; i++) {
        rs_ed25519_public(seed[i + 1], offer->statements[offer->n].key);
        offer->statements[offer->n].created_at = i;
        rs_identity_statement_sign(seed[i], &offer->statements[offer->n++]);
    }
}


/* the key to be pinned, "" for none, or NULL: refused with this in the text */

static void
decided(const char *conf, const char *pinned, const char *from,
    const rs_identity_offer_t *offer, const char *want, const char *text,
    const char *what)
{
    gboolean            rc;
    agent_config_t      config = { .gateway_identity = (char *) conf };
    agent_device_t      device = { .identity = (char *) pinned,
                                   .identity_from = (char *) from };
    g_autofree char    *pin = NULL;
    g_autoptr(GError)   error = NULL;

    rc = agent_identity_check(&config, &device, HOST, MINE, THEIR, offer,
                              &pin, &error);

    if (want == NULL) {
        ok(!rc && pin == NULL, "%s: refused", what);
        ok(error != NULL && strstr(error->message, text) != NULL,
           "%s: and said: %s", what, text);
        ok(error != NULL
           && strstr(error->message, "nothing was signed") != NULL
           && strstr(error->message, "gateway_identity") != NULL,
           "%s: with the cure", what);
        return;
    }

    ok(rc && error == NULL, "%s: taken", what);
    is_str(pin ? pin : "", want, what);
}


static void
test_decision(void)
{
    guint                 i;
    rs_identity_offer_t   first, third, bad;

    offer_of(&first, 0, 0);
    offer_of(&third, 0, 2);

    decided(NULL, NULL, NULL, NULL, "", NULL, "nothing pinned, none shown");
    decided(NULL, NULL, NULL, &first, key[0], NULL, "the first one shown");
    decided(NULL, key[0], NULL, &first, "", NULL, "the pinned one");
    decided(NULL, key[0], NULL, &third, key[2], NULL, "two statements on");
    decided(NULL, key[1], NULL, &third, key[2], NULL, "one statement on");
    decided(key[0], NULL, NULL, &first, key[0], NULL, "as configured");
    decided(key[0], key[0], key[0], &first, "", NULL, "and pinned by that");
    decided(key[0], key[2], key[0], &third, "", NULL, "followed before");
    decided(key[0], key[3], NULL, &third, key[2], NULL,
            "agent.conf comes before what was pinned");
    decided(key[2], key[2], NULL, &third, key[2], NULL,
            "where it comes from is kept, too");

    decided(NULL, key[0], NULL, NULL, NULL, "shows the identity none",
            "none shown");
    decided(key[0], NULL, NULL, NULL, NULL, "shows the identity none",
            "none shown, one configured");
    decided(NULL, key[2], NULL, &first, NULL, "no statements lead",
            "never back");
    decided(key[3], key[0], NULL, &first, NULL, "no statements lead",
            "another one configured");
    decided(key[3], key[0], key[1], &first, NULL, "no statements lead",
            "configured anew");

    bad = third;
    bad.statements[0].signature[9] ^= 1;
    decided(NULL, key[0], NULL, &bad, NULL, "no statements lead",
            "a statement of nobody");

    for (i = 0; i < 64; i += 9) {
        bad = first;
        bad.signature[i] ^= 1;
        decided(NULL, i ? key[0] : NULL, NULL, &bad, NULL,
                "its signature does not match", "not signed by it");
    }
}


static void
test_kept(void)
{
    agent_config_t              config = { .gateway_identity = key[0] };
    g_autofree char            *dir = g_dir_make_tmp("rs-XXXXXX", NULL);
    g_autofree char            *path = NULL;
    g_autofree char            *said = NULL;
    g_autofree char            *short_a = agent_identity_short(key[0]);
    g_autofree char            *short_b = agent_identity_short(key[2]);
    g_autofree char            *want = NULL;
    g_autofree char            *none = agent_identity_short(NULL);
    g_autoptr(GError)           error = NULL;
    g_autoptr(agent_device_t)   device = g_new0(agent_device_t, 1);
    g_autoptr(agent_device_t)   again = NULL;
    g_autoptr(agent_device_t)   wrong = NULL;

    device->server = g_strdup("https://gw/rs/v1");
    device->tenant = g_strdup("default");
    device->id = g_strdup("dev_x");

    agent_identity_pin(&config, device, key[2], &said);
    want = g_strdup_printf("the gateway's identity went on from %s to %s, by "
                           "its statements: pinned", short_a, short_b);
    is_str(said, want, "what the log is told");
    is_str(none, "none", "no key");

    ok(agent_device_save(device, dir, NULL), "saved");
    again = agent_device_load(dir, NULL);
    is_str(again->identity, key[2], "the key");
    is_str(again->identity_from, key[0], "and where it came from");
    is_str(agent_identity_pinned(&config, again), key[2], "it counts");
    config.gateway_identity = key[1];
    is_str(agent_identity_pinned(&config, again), key[1],
           "until agent.conf names another one");
    config.gateway_identity = NULL;
    is_str(agent_identity_pinned(&config, again), key[2], "or none");

    g_free(again->identity);
    again->identity = g_strdup("no key");
    ok(agent_device_save(again, dir, NULL), "saved");
    wrong = agent_device_load(dir, &error);
    ok(wrong == NULL && strstr(error->message, "identity \"no key\" is no key")
                        != NULL,
       "what cannot be a key is an error, not nothing");

    path = g_build_filename(dir, "device.conf", NULL);
    g_unlink(path);
    g_rmdir(dir);
}


int
main(void)
{
    guint   i;
    guint8  raw[32];

    for (i = 0; i < G_N_ELEMENTS(seed); i++) {
        memset(seed[i], (int) i + 1, 32);
        rs_ed25519_public(seed[i], raw);
        key[i] = agent_base64url(raw, sizeof(raw));
    }

    test_decision();
    test_kept();

    for (i = 0; i < G_N_ELEMENTS(seed); i++) {
        g_free(key[i]);
    }

    return done();
}
