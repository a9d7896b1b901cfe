
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns who asked, and that a session probes its servers once at a time,
 * whoever asks how often.
 */

#define G_LOG_DOMAIN  "rs-report"

#include "agent_report.h"


#define AGENT_REPORT_ASKERS    8
#define AGENT_REPORT_FRESH_US  (10 * G_USEC_PER_SEC)


typedef struct {
    char   *to;
    guint   pc;
} agent_asker_t;


struct agent_report_s {
    agent_report_pt   done;
    void             *data;
    GPtrArray        *askers;       /* of agent_asker_t */
    agent_checks_t   *checks;       /* under way, or NULL */
    json_t           *last;
    gint64            last_us;
};


static void agent_report_asker_free(gpointer data);
static void agent_report_done(void *data, GPtrArray *checked);
static void agent_report_tell(agent_report_t *report);


agent_report_t *
agent_report_new(agent_report_pt done, void *data)
{
    agent_report_t  *report;

    report = g_new0(agent_report_t, 1);
    report->done = done;
    report->data = data;
    report->askers = g_ptr_array_new_with_free_func(agent_report_asker_free);

    return report;
}


void
agent_report_free(agent_report_t *report)
{
    g_clear_pointer(&report->checks, agent_checks_free);
    g_ptr_array_unref(report->askers);
    json_decref(report->last);
    g_free(report);
}


static void
agent_report_asker_free(gpointer data)
{
    agent_asker_t  *asker = data;

    g_free(asker->to);
    g_free(asker);
}


void
agent_report_ask(agent_report_t *report, const char *to, guint pc,
    const agent_ice_t *ice, const agent_probe_way_t *way)
{
    agent_asker_t  *asker;

    if (report->askers->len == AGENT_REPORT_ASKERS) {
        return;
    }

    asker = g_new0(agent_asker_t, 1);
    asker->to = g_strdup(to);
    asker->pc = pc;
    g_ptr_array_add(report->askers, asker);

    if (report->checks != NULL) {
        return;
    }

    if (report->last != NULL
        && g_get_monotonic_time() - report->last_us < AGENT_REPORT_FRESH_US)
    {
        agent_report_tell(report);
        return;
    }

    if (ice == NULL) {
        agent_report_done(report, g_ptr_array_new());
        return;
    }

    report->checks = agent_checks_new(ice, way, agent_report_done, report);
}


static void
agent_report_done(void *data, GPtrArray *checked)
{
    gboolean          works;
    agent_report_t   *report = data;
    g_autofree char  *verdict = NULL;

    g_clear_pointer(&report->checks, agent_checks_free);

    json_decref(report->last);
    report->last = agent_check_json(checked);
    report->last_us = g_get_monotonic_time();

    verdict = agent_check_verdict(checked, &works);
    g_message("asked why there is no path: %s", verdict);

    g_ptr_array_unref(checked);
    agent_report_tell(report);
}


static void
agent_report_tell(agent_report_t *report)
{
    guint             i;
    agent_asker_t    *asker;

    for (i = 0; i < report->askers->len; i++) {
        asker = g_ptr_array_index(report->askers, i);
        report->done(report->data, asker->to, asker->pc, report->last);
    }

    g_ptr_array_set_size(report->askers, 0);
}
