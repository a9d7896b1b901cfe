
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns a session's ICE servers and three timers: before their credentials run
 * out, fresh ones are asked for, so that they are at hand when a path breaks,
 * and the gateway perhaps with it; who needs them when they are about to does
 * not wait for ever.  A socket that is away gets others with its welcome.
 */

#define G_LOG_DOMAIN  "rs-supply"

#include "agent_supply.h"


#define AGENT_SUPPLY_WAIT_S   5         /* for fresh servers */
#define AGENT_SUPPLY_RENEW_S  10        /* not sooner than that */


struct agent_supply_s {
    agent_relays_t               *relays;
    const agent_supply_events_t  *events;
    void                         *data;

    agent_ice_t                  *ice;
    agent_survey_t               *survey;       /* ice will be in order */
    guint                         renew;
    guint                         late;         /* fresh ones are waited for */
};


static void agent_supply_measured(void *data);
static gboolean agent_supply_renew(gpointer data);
static gboolean agent_supply_late(gpointer data);


agent_supply_t *
agent_supply_new(agent_relays_t *relays, const agent_supply_events_t *events,
    void *data)
{
    agent_supply_t  *supply;

    supply = g_new0(agent_supply_t, 1);
    supply->relays = relays;
    supply->events = events;
    supply->data = data;

    return supply;
}


void
agent_supply_free(agent_supply_t *supply)
{
    g_clear_handle_id(&supply->renew, g_source_remove);
    g_clear_handle_id(&supply->late, g_source_remove);
    g_clear_pointer(&supply->survey, agent_survey_free);
    g_clear_pointer(&supply->ice, agent_ice_free);
    g_free(supply);
}


void
agent_supply_take(agent_supply_t *supply, agent_ice_t *ice)
{
    guint  after_s;

    g_clear_handle_id(&supply->late, g_source_remove);
    g_clear_handle_id(&supply->renew, g_source_remove);

    /* the survey is of the ice before */

    g_clear_pointer(&supply->survey, agent_survey_free);
    g_clear_pointer(&supply->ice, agent_ice_free);

    supply->ice = ice;
    supply->survey = agent_relays_order(supply->relays, ice,
                                        agent_supply_measured, supply);

    after_s = MAX(ice->ttl_s - ice->ttl_s / 4, AGENT_SUPPLY_RENEW_S);
    supply->renew = g_timeout_add_seconds(after_s, agent_supply_renew,
                                          supply);
}


static void
agent_supply_measured(void *data)
{
    agent_supply_t  *supply = data;

    g_clear_pointer(&supply->survey, agent_survey_free);
    supply->events->ready(supply->data);
}


static gboolean
agent_supply_renew(gpointer data)
{
    agent_supply_t  *supply = data;

    supply->renew = 0;
    supply->events->ask(supply->data);

    return G_SOURCE_REMOVE;
}


gboolean
agent_supply_want(agent_supply_t *supply)
{
    if (!agent_ice_stale(supply->ice, g_get_monotonic_time())) {
        return TRUE;
    }

    /* credentials about to run out would not allocate any more */

    if (supply->late == 0) {
        supply->late = g_timeout_add_seconds(AGENT_SUPPLY_WAIT_S,
                                             agent_supply_late, supply);
        supply->events->ask(supply->data);
    }

    return FALSE;
}


static gboolean
agent_supply_late(gpointer data)
{
    agent_supply_t  *supply = data;

    supply->late = 0;
    g_warning("no fresh ICE servers within %d s, the old ones are tried",
              AGENT_SUPPLY_WAIT_S);
    supply->events->ready(supply->data);

    return G_SOURCE_REMOVE;
}


const agent_ice_t *
agent_supply_ice(const agent_supply_t *supply)
{
    return (supply->survey == NULL) ? supply->ice : NULL;
}


const agent_ice_t *
agent_supply_last(const agent_supply_t *supply)
{
    return supply->ice;
}
