
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns a viewer's offers of pipes, and the one pipe that is served:
 *
 *     offer -> the gate (agent_gate.c) -> a ticket of the gateway -> answer
 *           -> the viewer's first record: it stands
 *
 * The leg is opened with the answer, and waits for the viewer's.
 */

#define G_LOG_DOMAIN  "rs-fallback"

#include "agent_fallback.h"
#include "agent_deal.h"


struct agent_fallback_s {
    agent_t                            *agent;
    agent_viewer_t                     *viewer;
    const agent_channel_kind_t *const  *kinds;
    const agent_fallback_events_t      *events;
    void                               *data;

    agent_deal_t                       *deal;       /* waits, or NULL */
    guint                               deal_pc;
    agent_duct_t                       *duct;       /* or NULL */
    guint                               pc;         /* its number */
};


static void agent_fallback_on_connected(void *data, agent_duct_t *duct);
static void agent_fallback_on_path(void *data, agent_duct_t *duct,
    const agent_path_t *path);
static void agent_fallback_on_failed(void *data, agent_duct_t *duct,
    const char *code, const char *message);


static const agent_duct_events_t  agent_fallback_duct_events = {
    agent_fallback_on_connected,
    agent_fallback_on_path,
    agent_fallback_on_failed
};


agent_fallback_t *
agent_fallback_new(agent_t *agent, agent_viewer_t *viewer,
    const agent_channel_kind_t *const *kinds,
    const agent_fallback_events_t *events, void *data)
{
    agent_fallback_t  *f;

    f = g_new0(agent_fallback_t, 1);
    f->agent = agent;
    f->viewer = viewer;
    f->kinds = kinds;
    f->events = events;
    f->data = data;

    return f;
}


void
agent_fallback_free(agent_fallback_t *f)
{
    agent_fallback_stop(f);
    agent_fallback_forget(f);
    g_free(f);
}


const char *
agent_fallback_offer(agent_fallback_t *f, guint pc,
    const agent_peer_pipe_t *offer, const char **code, const char **message)
{
    agent_fallback_forget(f);

    f->deal = agent_deal_new(offer, f->agent->config->codecs
                                    & agent_video_codecs(), code, message);
    f->deal_pc = pc;

    return (f->deal != NULL) ? agent_deal_offer(f->deal) : NULL;
}


void
agent_fallback_forget(agent_fallback_t *f)
{
    g_clear_pointer(&f->deal, agent_deal_free);
}


const char *
agent_fallback_name(const agent_fallback_t *f)
{
    return (f->deal != NULL) ? agent_deal_name(f->deal) : NULL;
}


gboolean
agent_fallback_serve(agent_fallback_t *f, agent_gate_t *gate,
    const agent_view_t *view, const char *ticket, char **key,
    const char **codec, agent_seal_t *seal, GError **error)
{
    gsize                      len;
    guint8                     bytes[RS_OPERATOR_SIGNED_MAX];
    rs_seal_t                  keys;
    agent_duct_params_t        params;
    g_autoptr(agent_deal_t)    deal = g_steal_pointer(&f->deal);

    if (!agent_gate_seal_pipe(gate, agent_deal_answer(deal), seal, bytes,
                              &len, error))
    {
        return FALSE;
    }

    if (!agent_deal_start(deal, bytes, len, &keys)) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "there are no keys with this offer");
        return FALSE;
    }

    agent_fallback_stop(f);

    params.agent = f->agent;
    params.view = *view;
    params.codec = agent_deal_codec(deal);
    params.ticket = ticket;
    params.seal = &keys;
    params.kinds = f->kinds;
    params.viewer = f->viewer;

    f->duct = agent_duct_new(&params, &agent_fallback_duct_events, f);
    f->pc = f->deal_pc;

    *key = agent_deal_key(deal);
    *codec = agent_deal_codec_name(deal);

    return TRUE;
}


void
agent_fallback_stop(agent_fallback_t *f)
{
    g_clear_pointer(&f->duct, agent_duct_free);
    f->pc = 0;
}


guint
agent_fallback_stands(const agent_fallback_t *f)
{
    return (f->duct != NULL && agent_duct_stands(f->duct)) ? f->pc : 0;
}


guint
agent_fallback_pc(const agent_fallback_t *f)
{
    return f->pc;
}


void
agent_fallback_mute(agent_fallback_t *f)
{
    if (f->duct != NULL) {
        agent_duct_mute(f->duct);
    }
}


void
agent_fallback_decoded(agent_fallback_t *f,
    const agent_rate_decoder_t *decoder)
{
    if (f->duct != NULL) {
        agent_duct_decoded(f->duct, decoder);
    }
}


gboolean
agent_fallback_look(agent_fallback_t *f, const agent_view_t *view)
{
    return f->duct == NULL || agent_duct_look(f->duct, view);
}


static void
agent_fallback_on_connected(void *data, agent_duct_t *duct)
{
    agent_fallback_t  *f = data;

    (void) duct;

    f->events->connected(f->data);
}


static void
agent_fallback_on_path(void *data, agent_duct_t *duct,
    const agent_path_t *path)
{
    agent_fallback_t  *f = data;

    (void) duct;

    f->events->path(f->data, path);
}


static void
agent_fallback_on_failed(void *data, agent_duct_t *duct, const char *code,
    const char *message)
{
    guint                pc;
    agent_fallback_t    *f = data;
    g_autofree char     *why = g_strdup(message);

    (void) duct;

    pc = f->pc;
    agent_fallback_stop(f);
    f->events->failed(f->data, pc, code, why);
}
