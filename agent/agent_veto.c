
/*
 * Copyright (C) rs-gateway contributors
 */

#include "agent_veto.h"


struct agent_vetoes_s {
    GHashTable  *keys;                  /* -> gint64, us */
};


static gboolean agent_veto_old(gpointer key, gpointer value, gpointer data);
static gboolean agent_veto_of(gpointer key, gpointer value, gpointer data);


agent_vetoes_t *
agent_vetoes_new(void)
{
    agent_vetoes_t  *vetoes;

    vetoes = g_new0(agent_vetoes_t, 1);
    vetoes->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                         g_free);

    return vetoes;
}


void
agent_vetoes_free(agent_vetoes_t *vetoes)
{
    g_hash_table_unref(vetoes->keys);
    g_free(vetoes);
}


void
agent_vetoes_add(agent_vetoes_t *vetoes, const char *key, gint64 now)
{
    gint64  *at;

    /* above the bound as well: what is let in is bounded, so these are */

    at = g_new(gint64, 1);
    *at = now;
    g_hash_table_replace(vetoes->keys, g_strdup(key), at);
}


gboolean
agent_vetoes_has(const agent_vetoes_t *vetoes, const char *key)
{
    return g_hash_table_contains(vetoes->keys, key);
}


gboolean
agent_vetoes_full(agent_vetoes_t *vetoes, gint64 now)
{
    if (g_hash_table_size(vetoes->keys) < AGENT_VETOES) {
        return FALSE;
    }

    g_hash_table_foreach_remove(vetoes->keys, agent_veto_old, &now);

    return g_hash_table_size(vetoes->keys) >= AGENT_VETOES;
}


static gboolean
agent_veto_old(gpointer key, gpointer value, gpointer data)
{
    gint64  *at = value, *now = data;

    (void) key;

    return *now - *at > (gint64) AGENT_VETO_KEPT_S * G_USEC_PER_SEC;
}


void
agent_vetoes_end(agent_vetoes_t *vetoes, const char *tunnel_id)
{
    g_autofree char  *prefix = g_strconcat(tunnel_id, " ", NULL);

    g_hash_table_foreach_remove(vetoes->keys, agent_veto_of, prefix);
}


static gboolean
agent_veto_of(gpointer key, gpointer value, gpointer data)
{
    (void) value;

    return g_str_has_prefix(key, data);
}
