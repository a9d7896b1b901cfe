
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the grammar of "hours" in agent.conf.
 */

#include "agent_hours.h"

#include <string.h>


#define AGENT_HOURS_DAY  (24u * 60)


static gboolean agent_hours_part(agent_hours_t *hours, const char *text);
static gboolean agent_hours_days(const char *text, guint *days);
static gboolean agent_hours_day(const char *text, gsize len, guint *day);
static gboolean agent_hours_times(const char *text, guint *from, guint *to);
static gboolean agent_hours_time(const char *text, guint *minute);


agent_hours_t *
agent_hours_parse(const char *text)
{
    guint                      i, n;
    g_auto(GStrv)              parts = NULL;
    g_autoptr(agent_hours_t)   hours = NULL;

    n = 0;
    hours = g_new0(agent_hours_t, 1);
    hours->text = g_strdup(text);
    parts = g_strsplit(text, ";", AGENT_HOURS_MAX + 1);

    for (i = 0; parts[i] != NULL; i++) {

        if (g_strstrip(parts[i])[0] == '\0') {
            continue;
        }

        if (++n > AGENT_HOURS_MAX || !agent_hours_part(hours, parts[i])) {
            return NULL;
        }
    }

    return (n != 0) ? g_steal_pointer(&hours) : NULL;
}


static gboolean
agent_hours_part(agent_hours_t *hours, const char *text)
{
    guint              day, days, from, to, minute;
    const char        *space;
    g_autofree char   *names = NULL;

    space = strchr(text, ' ');

    if (space == NULL) {
        return FALSE;
    }

    names = g_strndup(text, (gsize) (space - text));

    while (*space == ' ') {
        space++;
    }

    if (!agent_hours_days(names, &days)
        || !agent_hours_times(space, &from, &to))
    {
        return FALSE;
    }

    for (day = 0; day < 7; day++) {

        if ((days & (1u << day)) == 0) {
            continue;
        }

        for (minute = from; minute < to; minute++) {
            guint  at = (day * AGENT_HOURS_DAY + minute) % AGENT_HOURS_WEEK;

            hours->open[at / 8] |= (guint8) (1u << (at % 8));
        }
    }

    return TRUE;
}


static gboolean
agent_hours_days(const char *text, guint *days)
{
    guint          i, from, to;
    const char    *dash;
    g_auto(GStrv)  names = NULL;

    *days = 0;
    names = g_strsplit(text, ",", 8);

    for (i = 0; names[i] != NULL; i++) {

        dash = strchr(names[i], '-');

        if (!agent_hours_day(names[i], dash ? (gsize) (dash - names[i])
                                            : strlen(names[i]), &from))
        {
            return FALSE;
        }

        to = from;

        if (dash != NULL
            && !agent_hours_day(dash + 1, strlen(dash + 1), &to))
        {
            return FALSE;
        }

        while (from != to) {
            *days |= 1u << from;
            from = (from + 1) % 7;
        }

        *days |= 1u << to;
    }

    return i != 0;
}


static gboolean
agent_hours_day(const char *text, gsize len, guint *day)
{
    guint  i;

    static const char *const  names[] = {
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
    };

    for (i = 0; len == 3 && i < G_N_ELEMENTS(names); i++) {
        if (g_ascii_strncasecmp(text, names[i], 3) == 0) {
            *day = i;
            return TRUE;
        }
    }

    return FALSE;
}


/* to may be of the day after: up to twice a day's minutes */

static gboolean
agent_hours_times(const char *text, guint *from, guint *to)
{
    if (strlen(text) != sizeof("00:00-00:00") - 1 || text[5] != '-'
        || !agent_hours_time(text, from)
        || !agent_hours_time(&text[6], to)
        || *from == AGENT_HOURS_DAY || *from == *to)
    {
        return FALSE;
    }

    if (*to < *from) {
        *to += AGENT_HOURS_DAY;
    }

    return TRUE;
}


static gboolean
agent_hours_time(const char *text, guint *minute)
{
    guint  h, m;

    if (!g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1])
        || text[2] != ':'
        || !g_ascii_isdigit(text[3]) || !g_ascii_isdigit(text[4]))
    {
        return FALSE;
    }

    h = (guint) (text[0] - '0') * 10 + (guint) (text[1] - '0');
    m = (guint) (text[3] - '0') * 10 + (guint) (text[4] - '0');

    *minute = h * 60 + m;

    return m < 60 && *minute <= AGENT_HOURS_DAY;
}


gboolean
agent_hours_open(const agent_hours_t *hours, GDateTime *now)
{
    guint  at;

    if (hours == NULL) {
        return TRUE;
    }

    at = (guint) (g_date_time_get_day_of_week(now) - 1) * AGENT_HOURS_DAY
         + (guint) g_date_time_get_hour(now) * 60
         + (guint) g_date_time_get_minute(now);

    return (hours->open[at / 8] >> (at % 8)) & 1;
}


void
agent_hours_free(agent_hours_t *hours)
{
    if (hours == NULL) {
        return;
    }

    g_free(hours->text);
    g_free(hours);
}
