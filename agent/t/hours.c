
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Hours of the week: what is open, what is not, and what is no hours.
 */

#include "agent_hours.h"
#include "tap.h"

#include <string.h>


/* day: 0 is Monday */

static gboolean
open_at(const char *text, int day, int hour, int minute)
{
    g_autoptr(agent_hours_t)  hours = agent_hours_parse(text);
    g_autoptr(GDateTime)      now = NULL;

    now = g_date_time_new_utc(2026, 11, 16 + day, hour, minute, 59);

    if (hours == NULL) {
        printf("# not taken: %s\n", text);
        return -1;
    }

    return agent_hours_open(hours, now);
}


static void
test_week(void)
{
    static const char  *text = "Mon-Fri 08:00-18:00; sat,Sun 09:30-24:00;";

    is_int(open_at(text, 0, 8, 0), 1, "Monday, the first minute");
    is_int(open_at(text, 0, 7, 59), 0, "the one before");
    is_int(open_at(text, 4, 17, 59), 1, "Friday, the last minute");
    is_int(open_at(text, 4, 18, 0), 0, "the one after");
    is_int(open_at(text, 5, 9, 29), 0, "Saturday has its own");
    is_int(open_at(text, 5, 9, 30), 1, "which begin later");
    is_int(open_at(text, 6, 23, 59), 1, "up to midnight");
    is_int(open_at(text, 0, 0, 0), 0, "and no further");
}


static void
test_over(void)
{
    is_int(open_at("Fri 22:00-06:00", 4, 23, 0), 1, "a night begins");
    is_int(open_at("Fri 22:00-06:00", 5, 5, 59), 1, "and goes on");
    is_int(open_at("Fri 22:00-06:00", 5, 6, 0), 0, "and ends");
    is_int(open_at("Fri 22:00-06:00", 4, 5, 0), 0, "it was closed before");
    is_int(open_at("Sun 22:00-06:00", 0, 5, 59), 1, "over the week's end");
    is_int(open_at("Sun 22:00-06:00", 0, 6, 0), 0, "up to then");
    is_int(open_at("Sat-Mon 08:00-09:00", 0, 8, 30), 1, "days over it, too");
    is_int(open_at("Sat-Mon 08:00-09:00", 1, 8, 30), 0, "not the next");
    is_int(open_at("Sat-Mon 08:00-09:00", 4, 8, 30), 0, "nor the one before");
    ok(agent_hours_open(NULL, NULL), "no hours: always");
}


static void
test_refused(void)
{
    gsize                i;
    GString             *many;

    static const char *const  no[] = {
        "", ";", " ; ", "Mon", "Mon ", "08:00-18:00", "Mon 08:00",
        "Mon 8:00-18:00", "Mon 08:00-18:00x", "Mon 08:00 - 18:00",
        "Mon 08:00-08:00", "Mon 24:00-08:00", "Mon 08:60-09:00",
        "Mon 25:00-26:00", "Mon 08:00-24:01", "Mo 08:00-18:00",
        "Monday 08:00-18:00", "Mon- 08:00-18:00", "-Mon 08:00-18:00",
        "Mon-Tue-Wed 08:00-18:00", "Mon, Tue 08:00-18:00",
        "Mon,,Tue 08:00-18:00", ", 08:00-18:00", "M\xc3\xb6 08:00-18:00",
        "Mon\t08:00-18:00", "Mon -8:00-18:00", "Mon 08:00-18:00 Tue",
        "Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon 08:00-18:00",
        "Mon 08:00-18:00;x"
    };

    for (i = 0; i < G_N_ELEMENTS(no); i++) {
        ok(agent_hours_parse(no[i]) == NULL, "refused: \"%s\"", no[i]);
    }

    many = g_string_new(NULL);

    for (i = 0; i <= AGENT_HOURS_MAX; i++) {
        g_string_append(many, "Mon 08:00-18:00;");
    }

    ok(agent_hours_parse(many->str) == NULL, "too many parts");
    g_string_truncate(many, AGENT_HOURS_MAX * strlen("Mon 08:00-18:00;"));
    is_int(open_at(many->str, 0, 8, 0), 1, "as many as may be");
    g_string_free(many, TRUE);
}


int
main(void)
{
    test_week();
    test_over();
    test_refused();

    return done();
}
