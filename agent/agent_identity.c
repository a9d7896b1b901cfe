
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the decision.  A key in agent.conf comes before one that was pinned,
 * unless the pinned one was reached from it by statements; so an operator who
 * changes the file is obeyed, and a rotation needs nobody to change it.
 */

#define G_LOG_DOMAIN  "rs-identity"

#include "agent_identity.h"
#include "agent_key.h"

#include <string.h>


static gboolean agent_identity_refuse(const char *host, const char *shown,
    const char *pinned, const char *why, GError **error);


char *
agent_identity_short(const char *key)
{
    char     text[RS_DEVKEY_SHORT_LEN];
    uint8_t  raw[RS_DEVKEY_KEY_LEN];

    if (key == NULL || rs_devkey_parse(rs_str(key), raw) != RS_OK) {
        return g_strdup("none");
    }

    rs_devkey_short(raw, text);

    return g_strndup(text, sizeof(text));
}


const char *
agent_identity_pinned(const agent_config_t *config,
    const agent_device_t *device)
{
    if (config->gateway_identity == NULL
        || (device->identity != NULL
            && g_strcmp0(device->identity_from, config->gateway_identity)
               == 0))
    {
        return device->identity;
    }

    return config->gateway_identity;
}


static gboolean
agent_identity_refuse(const char *host, const char *shown,
    const char *pinned, const char *why, GError **error)
{
    g_autofree char  *a = agent_identity_short(shown);
    g_autofree char  *b = agent_identity_short(pinned);

    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                "the gateway at %s shows the identity %s, pinned is %s: "
                "refused, nothing was signed for it; %s. If the identity was "
                "replaced on purpose, put the key that \"rs-identity show\" "
                "prints into agent.conf as gateway_identity; else this may "
                "not be your gateway", host, a, b, why);

    return FALSE;
}


gboolean
agent_identity_check(const agent_config_t *config,
    const agent_device_t *device, const char *host, const char *agent_nonce,
    const char *nonce, const rs_identity_offer_t *offer, char **pin,
    GError **error)
{
    uint8_t            raw[RS_DEVKEY_KEY_LEN];
    const char        *pinned;
    g_autofree char   *shown = NULL;

    *pin = NULL;
    pinned = agent_identity_pinned(config, device);

    if (offer == NULL) {
        return pinned == NULL
               || agent_identity_refuse(host, NULL, pinned,
                                        "it has none, or does not know of "
                                        "identities", error);
    }

    shown = agent_base64url(offer->key, sizeof(offer->key));

    if (rs_identity_verify(offer->key, rs_str(host), rs_str(agent_nonce),
                           rs_str(nonce), offer->signature)
        != RS_OK)
    {
        return agent_identity_refuse(host, shown, pinned,
                                     "its signature does not match", error);
    }

    if (pinned != NULL
        && (rs_devkey_parse(rs_str(pinned), raw) != RS_OK
            || rs_identity_follow(raw, offer->key, offer->statements,
                                  offer->n)
               != RS_OK))
    {
        return agent_identity_refuse(host, shown, pinned,
                                     "no statements lead from the one to the "
                                     "other", error);
    }

    if (g_strcmp0(device->identity, shown) != 0
        || g_strcmp0(device->identity_from, config->gateway_identity) != 0)
    {
        *pin = g_steal_pointer(&shown);
    }

    return TRUE;
}


void
agent_identity_pin(const agent_config_t *config, agent_device_t *device,
    const char *key, char **said)
{
    g_autofree char  *was = NULL;
    g_autofree char  *now = agent_identity_short(key);
    const char       *pinned = agent_identity_pinned(config, device);

    if (pinned == NULL) {
        *said = g_strdup_printf("the gateway's identity is %s: pinned at "
                                "first sight", now);

    } else if (strcmp(pinned, key) == 0) {
        *said = g_strdup_printf("the gateway's identity is %s, as "
                                "configured: pinned", now);

    } else {
        was = agent_identity_short(pinned);
        *said = g_strdup_printf("the gateway's identity went on from %s to "
                                "%s, by its statements: pinned", was, now);
    }

    g_free(device->identity);
    device->identity = g_strdup(key);

    g_free(device->identity_from);
    device->identity_from = g_strdup(config->gateway_identity);
}
