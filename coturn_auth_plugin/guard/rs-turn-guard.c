
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-turn-guard.so, loaded into coturn before 4.13 by LD_PRELOAD.
 *
 * Up to 4.12, turnserver writes a user name into a buffer and gives that
 * buffer to hiredis as the format of a command, so whoever sends a user name
 * with "%n" ends the server, before authentication.  There are two places:
 *
 *     redisCommand(c, "get turn/realm/R/user/NAME/key")       and the like
 *     redisAsyncCommand(ac, NULL, e, "publish KEY-WITH-NAME %s", value)
 *
 * Here a format which is not a constant of the main program is no format: it
 * is taken apart into arguments as coturn means it, and sent by
 * redisCommandArgv() or redisAsyncCommandArgv(), whatever bytes it has.  A
 * constant is in a segment which the program cannot write; nobody from
 * outside put anything there, and hiredis gets it as it is.
 *
 * Each new context first says "RS.GUARD 1", by which rs-turn-authd knows that
 * the guard is there; it refuses statsdb and strict mode to an old version
 * without.  Whatever answers, an error too, is dropped.
 *
 * Nothing of hiredis is used but functions looked up at run time: its
 * structures differ between versions.  The guard has no state but these, and
 * no lock; it may be used from any thread.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include "rs_turn_argv.h"


#define RS_EXPORT       __attribute__((visibility("default")))

#define RS_HELLO_ARGC   2
#define RS_HELLO_WAIT   2       /* s, for its answer on a blocking context */
#define RS_REDIS_ERR    (-1)


typedef void (*rs_callback_pt)(void *, void *, void *);


/* arguments as hiredis takes them */

typedef struct {
    size_t          n;
    const char     *argv[RS_TURN_ARGV_MAX];
    size_t          len[RS_TURN_ARGV_MAX];
} rs_args_t;


RS_EXPORT void *redisConnect(const char *ip, int port);
RS_EXPORT void *redisConnectWithTimeout(const char *ip, int port,
    const struct timeval tv);
RS_EXPORT void *redisAsyncConnect(const char *ip, int port);
RS_EXPORT void *redisCommand(void *c, const char *format, ...);
RS_EXPORT void *redisvCommand(void *c, const char *format, va_list ap);
RS_EXPORT int redisAsyncCommand(void *ac, rs_callback_pt fn, void *data,
    const char *format, ...);
RS_EXPORT int redisvAsyncCommand(void *ac, rs_callback_pt fn, void *data,
    const char *format, va_list ap);


static struct {
    void         *(*connect)(const char *, int);
    void         *(*connect_timeout)(const char *, int, const struct timeval);
    void         *(*connect_async)(const char *, int);
    void         *(*vcommand)(void *, const char *, va_list);
    void         *(*command_argv)(void *, int, const char **, const size_t *);
    int           (*vasync)(void *, rs_callback_pt, void *, const char *,
                            va_list);
    int           (*async_argv)(void *, rs_callback_pt, void *, int,
                                const char **, const size_t *);
    int           (*set_timeout)(void *, const struct timeval);
    void          (*free_reply)(void *);
} rs_real;


/* ---- what is a constant */

static int
rs_program(struct dl_phdr_info *info, size_t size, void *data)
{
    uintptr_t         at, from;
    ElfW(Half)        i;
    const char      **p;

    (void) size;

    p = data;
    at = (uintptr_t) *p;

    for (i = 0; i < info->dlpi_phnum; i++) {

        if (info->dlpi_phdr[i].p_type != PT_LOAD
            || (info->dlpi_phdr[i].p_flags & PF_W))
        {
            continue;
        }

        from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (at >= from && at - from < info->dlpi_phdr[i].p_memsz) {
            return 1;
        }
    }

    /* the main program comes first, and nothing else counts */

    *p = NULL;

    return 1;
}


static int
rs_constant(const char *format)
{
    const char  *p;

    p = format;
    (void) dl_iterate_phdr(rs_program, &p);

    return p != NULL;
}


/* ---- arguments */

static rs_str_t
rs_text(const char *s)
{
    return (rs_str_t) { (const uint8_t *) s, strlen(s) };
}


static void
rs_args(rs_args_t *a, const rs_turn_argv_t *argv)
{
    size_t  i;

    for (i = 0; i < argv->n; i++) {
        a->argv[i] = (const char *) argv->list[i].data;
        a->len[i] = argv->list[i].len;
    }

    a->n = argv->n;
}


/* ---- contexts */

static const char   *rs_hello_argv[RS_HELLO_ARGC] = { "RS.GUARD", "1" };
static const size_t  rs_hello_len[RS_HELLO_ARGC] = { 8, 1 };


static void *
rs_hello(void *c)
{
    void           *reply;
    struct timeval  tv;

    if (c == NULL || rs_real.command_argv == NULL
        || rs_real.set_timeout == NULL || rs_real.free_reply == NULL)
    {
        return c;
    }

    /* coturn itself waits for ever; not for this one */

    tv.tv_sec = RS_HELLO_WAIT;
    tv.tv_usec = 0;
    (void) rs_real.set_timeout(c, tv);

    reply = rs_real.command_argv(c, RS_HELLO_ARGC, rs_hello_argv,
                                 rs_hello_len);

    if (reply != NULL) {
        rs_real.free_reply(reply);
    }

    tv.tv_sec = 0;
    (void) rs_real.set_timeout(c, tv);

    return c;
}


void *
redisConnect(const char *ip, int port)
{
    if (rs_real.connect == NULL) {
        return NULL;
    }

    return rs_hello(rs_real.connect(ip, port));
}


void *
redisConnectWithTimeout(const char *ip, int port, const struct timeval tv)
{
    if (rs_real.connect_timeout == NULL) {
        return NULL;
    }

    return rs_hello(rs_real.connect_timeout(ip, port, tv));
}


/* what is said before the connection is there waits for it, in order */

void *
redisAsyncConnect(const char *ip, int port)
{
    void  *ac;

    if (rs_real.connect_async == NULL) {
        return NULL;
    }

    ac = rs_real.connect_async(ip, port);

    if (ac != NULL && rs_real.async_argv != NULL) {
        (void) rs_real.async_argv(ac, NULL, NULL, RS_HELLO_ARGC,
                                  rs_hello_argv, rs_hello_len);
    }

    return ac;
}


/* ---- commands */

void *
redisvCommand(void *c, const char *format, va_list ap)
{
    rs_args_t       a;
    rs_turn_argv_t  argv;

    if (c == NULL || format == NULL || rs_real.vcommand == NULL
        || rs_real.command_argv == NULL)
    {
        return NULL;
    }

    if (rs_constant(format)) {
        return rs_real.vcommand(c, format, ap);
    }

    /* nothing goes with it: the string is all there is */

    if (rs_turn_argv_command(&argv, rs_text(format)) != RS_OK) {
        return NULL;
    }

    rs_args(&a, &argv);

    return rs_real.command_argv(c, (int) a.n, a.argv, a.len);
}


void *
redisCommand(void *c, const char *format, ...)
{
    void     *reply;
    va_list   ap;

    va_start(ap, format);
    reply = redisvCommand(c, format, ap);
    va_end(ap);

    return reply;
}


int
redisvAsyncCommand(void *ac, rs_callback_pt fn, void *data,
    const char *format, va_list ap)
{
    size_t          len;
    rs_args_t       a;
    const char     *value;
    rs_turn_argv_t  argv;

    if (ac == NULL || format == NULL || rs_real.vasync == NULL
        || rs_real.async_argv == NULL)
    {
        return RS_REDIS_ERR;
    }

    if (rs_constant(format)) {
        return rs_real.vasync(ac, fn, data, format, ap);
    }

    /* the one buffer given here ends in a format of coturn's own */

    len = strlen(format);

    if (len >= 2 && memcmp(format + len - 2, "%s", 2) == 0) {
        value = va_arg(ap, const char *);

        value = value != NULL ? value : "";

        if (rs_turn_argv_event(&argv, rs_text(format), rs_text(value))
            != RS_OK)
        {
            return RS_REDIS_ERR;
        }

    } else if (rs_turn_argv_command(&argv, rs_text(format)) != RS_OK) {
        return RS_REDIS_ERR;
    }

    rs_args(&a, &argv);

    return rs_real.async_argv(ac, fn, data, (int) a.n, a.argv, a.len);
}


int
redisAsyncCommand(void *ac, rs_callback_pt fn, void *data,
    const char *format, ...)
{
    int       rc;
    va_list   ap;

    va_start(ap, format);
    rc = redisvAsyncCommand(ac, fn, data, format, ap);
    va_end(ap);

    return rc;
}


/* ---- start */

static void __attribute__((constructor))
rs_guard_init(void)
{
    const struct {
        void        *where;
        const char  *name;
    } names[] = {
        { &rs_real.connect, "redisConnect" },
        { &rs_real.connect_timeout, "redisConnectWithTimeout" },
        { &rs_real.connect_async, "redisAsyncConnect" },
        { &rs_real.vcommand, "redisvCommand" },
        { &rs_real.command_argv, "redisCommandArgv" },
        { &rs_real.vasync, "redisvAsyncCommand" },
        { &rs_real.async_argv, "redisAsyncCommandArgv" },
        { &rs_real.set_timeout, "redisSetTimeout" },
        { &rs_real.free_reply, "freeReplyObject" },
    };

    size_t  i;
    void   *f;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        f = dlsym(RTLD_NEXT, names[i].name);
        memcpy(names[i].where, &f, sizeof(f));
    }
}
