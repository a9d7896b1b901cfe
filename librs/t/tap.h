
/*
 * Copyright (C) rs-gateway contributors
 *
 * TAP for the unit tests.
 */


#ifndef _RS_TAP_H_INCLUDED_
#define _RS_TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rs_err.h"


static int  tap_n;
static int  tap_failed;


__attribute__((format(printf, 2, 3), unused))
static int
ok(int cond, const char *fmt, ...)
{
    va_list  args;

    printf("%sok %d - ", cond ? "" : "not ", ++tap_n);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!cond) {
        tap_failed = 1;
    }

    return cond;
}


__attribute__((unused))
static void
is_int(uint64_t got, uint64_t want, const char *what)
{
    if (!ok(got == want, "%s", what)) {
        printf("#   got %llu, want %llu\n", (unsigned long long) got,
               (unsigned long long) want);
    }
}


__attribute__((unused))
static void
is_rc(rs_err_e got, rs_err_e want, const char *what)
{
    if (!ok(got == want, "%s", what)) {
        printf("#   got %d (%s), want %d (%s)\n", (int) got,
               rs_err_code(got), (int) want, rs_err_code(want));
    }
}


__attribute__((unused))
static void
is_str(rs_str_t got, const char *want, const char *what)
{
    if (!ok(rs_str_eq(got, rs_str(want)), "%s", what)) {
        printf("#   got \"%.*s\", want \"%s\"\n", (int) got.len,
               got.len ? (const char *) got.data : "", want);
    }
}


/* bytes of "68 65 6c", blanks as you like; NULL terminated by its length */

__attribute__((unused))
static size_t
tap_hex(uint8_t *dst, size_t size, const char *text)
{
    size_t       n;
    unsigned     v;
    const char  *p;

    n = 0;

    for (p = text; *p; p++) {
        if (*p == ' ') {
            continue;
        }

        if (n == size || sscanf(p, "%2x", &v) != 1) {
            printf("not ok - bad hex \"%s\"\n", text);
            exit(1);
        }

        dst[n++] = (uint8_t) v;
        p++;
    }

    return n;
}


/* the path of a file of the source tree */

__attribute__((unused))
static const char *
tap_path(const char *name)
{
    static char  path[4096];
    const char  *top;

    top = getenv("RS_TOP");
    (void) snprintf(path, sizeof(path), "%s/%s", top ? top : "..", name);

    return path;
}


__attribute__((unused))
static int
tap_done(void)
{
    printf("1..%d\n", tap_n);

    return tap_failed;
}


#endif /* _RS_TAP_H_INCLUDED_ */
