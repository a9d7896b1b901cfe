
/*
 * Copyright (C) rs-gateway contributors
 *
 * Lines on standard error.
 */


#include "turn_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define TURN_LOG_LINE  1024


static void turn_log_write(turn_log_e level, const char *fmt, va_list args,
    uint64_t dropped);
static size_t turn_log_clean(char *dst, size_t size, const char *src);


static turn_log_e  turn_log_lowest = TURN_LOG_INFO;

static const char *const  turn_log_names[] = {
    "", "", "", "error", "warning", "notice", "info", "debug"
};


void
turn_log_level(turn_log_e level)
{
    turn_log_lowest = level;
}


void
turn_log(turn_log_e level, const char *fmt, ...)
{
    va_list  args;

    if (level > turn_log_lowest) {
        return;
    }

    va_start(args, fmt);
    turn_log_write(level, fmt, args, 0);
    va_end(args);
}


void
turn_log_limited(turn_log_limit_t *limit, turn_log_e level, const char *fmt,
    ...)
{
    va_list          args;
    uint64_t         now;
    struct timespec  ts;

    if (level > turn_log_lowest) {
        return;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;

    if (limit->last != 0 && now - limit->last < 1000) {
        limit->dropped++;
        return;
    }

    va_start(args, fmt);
    turn_log_write(level, fmt, args, limit->dropped);
    va_end(args);

    limit->last = now;
    limit->dropped = 0;
}


static void
turn_log_write(turn_log_e level, const char *fmt, va_list args,
    uint64_t dropped)
{
    int         n;
    char        text[TURN_LOG_LINE], line[TURN_LOG_LINE * 2], when[32];
    size_t      len;
    time_t      now;
    struct tm   tm;

    (void) vsnprintf(text, sizeof(text), fmt, args);

    if (getenv("JOURNAL_STREAM") != NULL) {
        n = snprintf(line, sizeof(line), "<%d>", (int) level);

    } else {
        now = time(NULL);
        (void) gmtime_r(&now, &tm);
        (void) strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
        n = snprintf(line, sizeof(line), "%s %s: ", when,
                     turn_log_names[level]);
    }

    len = (size_t) n;
    len += turn_log_clean(line + len, sizeof(line) - len - 64, text);

    if (dropped) {
        n = snprintf(line + len, sizeof(line) - len,
                     " (and %llu like it)", (unsigned long long) dropped);
        len += (size_t) n;
    }

    line[len++] = '\n';

    /* a log that cannot be written is nobody's reason to stop */

    if (write(STDERR_FILENO, line, len) < 0) {
        return;
    }
}


static size_t
turn_log_clean(char *dst, size_t size, const char *src)
{
    size_t                n;
    const unsigned char  *p;

    static const char  hex[] = "0123456789abcdef";

    n = 0;

    for (p = (const unsigned char *) src; *p && n + 4 < size; p++) {
        if (*p >= 0x20 && *p < 0x7f) {
            dst[n++] = (char) *p;
            continue;
        }

        dst[n++] = '\\';
        dst[n++] = 'x';
        dst[n++] = hex[*p >> 4];
        dst[n++] = hex[*p & 15];
    }

    return n;
}
