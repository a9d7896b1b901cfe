
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * TAP for the agent's unit tests.
 */

#ifndef _AGENT_TAP_H_INCLUDED_
#define _AGENT_TAP_H_INCLUDED_


#include <glib.h>
#include <stdio.h>


static int  tap_n;
static int  tap_failed;


G_GNUC_PRINTF(2, 3) G_GNUC_UNUSED
static gboolean
ok(gboolean cond, const char *format, ...)
{
    va_list  args;

    printf("%sok %d - ", cond ? "" : "not ", ++tap_n);

    va_start(args, format);
    vprintf(format, args);
    va_end(args);

    printf("\n");

    if (!cond) {
        tap_failed = 1;
    }

    return cond;
}


G_GNUC_UNUSED
static void
is_str(const char *got, const char *want, const char *what)
{
    if (!ok(g_strcmp0(got, want) == 0, "%s", what)) {
        printf("#   got  %s\n#   want %s\n", got ? got : "(null)",
               want ? want : "(null)");
    }
}


G_GNUC_UNUSED
static void
is_int(gint64 got, gint64 want, const char *what)
{
    if (!ok(got == want, "%s", what)) {
        printf("#   got  %" G_GINT64_FORMAT "\n#   want %" G_GINT64_FORMAT
               "\n", got, want);
    }
}


/* the plan, and the status of main() */

G_GNUC_UNUSED
static int
done(void)
{
    printf("1..%d\n", tap_n);

    return tap_failed;
}


#endif /* _AGENT_TAP_H_INCLUDED_ */
