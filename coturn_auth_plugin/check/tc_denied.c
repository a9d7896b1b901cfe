
/*
 * Copyright (C) rs-gateway contributors
 *
 * Of each range its first address, its last one and one between them; of
 * IPv4 each in every form in which IPv6 can hold it; by CreatePermission and
 * by ChannelBind, and in a list with the relay's own address, before it and
 * behind it.  What is asked is never sent to: a hole is found by the answer.
 */


#include "tc_denied.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tc_check.h"


#define TC_DENIED_WINDOW   16
#define TC_DENIED_PORT     9          /* discard */
#define TC_DENIED_SAMPLES  3
#define TC_DENIED_FORMS    9          /* IPv4, and in IPv6 */
#define TC_DENIED_WAYS     4
#define TC_DENIED_N4       (sizeof(tc_denied_v4) / sizeof(tc_denied_v4[0]))
#define TC_DENIED_N6       (sizeof(tc_denied_v6) / sizeof(tc_denied_v6[0]))


typedef struct tc_asker_s  tc_asker_t;


typedef struct {
    tc_asker_t          *asker;
    rs_stun_addr_t       addr;
    unsigned             way;
    unsigned             used:1;
} tc_probe_t;


struct tc_asker_s {
    tc_env_t            *env;
    const tc_options_t  *o;
    tc_denied_t         *d;
    tc_turn_t           *turn;
    unsigned             family;      /* of the relay asked for; 0: any */

    size_t               next;        /* probe */
    unsigned             pending;
    unsigned             channel;
    unsigned             over:1;
    tc_error_t           error;
    tc_probe_t           probe[TC_DENIED_WINDOW];
};


static void tc_denied_ask(tc_asker_t *a);
static void tc_denied_on_allocated(void *ctx);
static void tc_denied_on_data(void *ctx, unsigned channel, rs_str_t data);
static void tc_denied_on_failed(void *ctx, const tc_error_t *e);
static void tc_denied_on_answer(void *data, const tc_error_t *e);
static void tc_denied_on_released(void *data, const tc_error_t *e);
static void tc_denied_fill(tc_asker_t *a);
static int tc_denied_next(tc_asker_t *a, rs_stun_addr_t *addr, unsigned *way);
static int tc_denied_send(tc_asker_t *a, tc_probe_t *p);
static int tc_denied_skip(const tc_asker_t *a, const rs_stun_addr_t *v4);
static void tc_denied_sample(rs_stun_addr_t *a, const char *cidr,
    unsigned sample);
static void tc_denied_form(rs_stun_addr_t *a, const rs_stun_addr_t *v4,
    unsigned form);
static void tc_denied_over(tc_asker_t *a);


/* special-purpose registries, and what no relay has to do with */

static const char *const  tc_denied_v4[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "169.254.169.254/32", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "255.255.255.255/32", "168.63.129.16/32"
};


static const char *const  tc_denied_v6[] = {
    "::/128", "::1/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96",
    "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "200::/7", "400::/6",
    "800::/5", "1000::/4", "2001::/23", "2001:db8::/32", "2002::/16",
    "2620:4f:8000::/48", "3fff::/20", "4000::/3", "5f00::/16", "6000::/3",
    "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6",
    "fc00::/7", "fd00:ec2::254/128", "fe00::/9", "fe80::/10", "fec0::/10",
    "ff00::/8"
};


static const char *const  tc_denied_ways[TC_DENIED_WAYS] = {
    "CreatePermission", "ChannelBind", "CreatePermission, behind the relay's",
    "CreatePermission, before the relay's"
};


static const tc_turn_ops_t  tc_denied_ops = {
    tc_denied_on_allocated,
    tc_denied_on_data,
    tc_denied_on_failed
};


void
tc_denied_run(tc_env_t *env, const tc_options_t *o, tc_server_t *server,
    tc_denied_t *d)
{
    tc_asker_t  a;

    memset(d, 0, sizeof(tc_denied_t));
    memset(&a, 0, sizeof(tc_asker_t));

    d->server = server;
    a.env = env;
    a.o = o;
    a.d = d;
    a.family = env->relay_family;

    if (!tc_server_resolve(server, o->family, &d->error)) {
        d->level = TC_LEVEL_CRITICAL;
        return;
    }

    tc_denied_ask(&a);
    d->error = a.error;

    /* a server without IPv6 relays says so, and that is that */

    if (d->error.step == NULL && a.family == 0 && !env->stopped) {
        memset(&a.error, 0, sizeof(tc_error_t));
        a.family = RS_STUN_FAMILY_IPV6;
        tc_denied_ask(&a);

        if (a.error.step == NULL) {
            d->ipv6 = 1;

        } else if (strcmp(a.error.step, "allocate") != 0
                   || a.error.code == 0)
        {
            d->error = a.error;
        }
    }

    if (d->error.step != NULL || d->nholes) {
        d->level = TC_LEVEL_CRITICAL;
        d->hint = tc_hint(&d->error, server->creds, time(NULL));

    } else if (env->stopped) {
        d->level = TC_LEVEL_UNKNOWN;
    }
}


static void
tc_denied_ask(tc_asker_t *a)
{
    unsigned  i;

    a->next = 0;
    a->pending = 0;
    a->over = 0;
    a->channel = RS_STUN_CHANNEL_MIN;

    for (i = 0; i < TC_DENIED_WINDOW; i++) {
        a->probe[i].asker = a;
        a->probe[i].used = 0;
    }

    a->turn = tc_turn_open(a->env, a->d->server, &a->d->server->creds[0],
                           a->family, &tc_denied_ops, a, &a->error);
    if (a->turn == NULL) {
        return;
    }

    (void) event_base_dispatch(a->env->base);
    tc_turn_free(a->turn);
    a->turn = NULL;
}


static void
tc_denied_on_allocated(void *ctx)
{
    tc_denied_fill(ctx);
}


static void
tc_denied_on_data(void *ctx, unsigned channel, rs_str_t data)
{
    /* no packet was sent */

    (void) ctx;
    (void) channel;
    (void) data;
}


static void
tc_denied_on_failed(void *ctx, const tc_error_t *e)
{
    tc_asker_t  *a;

    a = ctx;
    a->error = *e;
    (void) event_base_loopbreak(a->env->base);
}


/* keeps the window full; the last answer ends it */

static void
tc_denied_fill(tc_asker_t *a)
{
    unsigned     i;
    tc_probe_t  *p;

    for (i = 0; i < TC_DENIED_WINDOW && !a->over; i++) {
        p = &a->probe[i];

        if (p->used) {
            continue;
        }

        if (a->env->stopped || !tc_denied_next(a, &p->addr, &p->way)) {
            a->over = 1;
            break;
        }

        p->used = 1;
        a->pending++;

        if (!tc_denied_send(a, p)) {
            tc_error_text(&a->error, "permission",
                          "the request cannot be made");
            (void) event_base_loopbreak(a->env->base);
            return;
        }
    }

    if (a->over && a->pending == 0) {
        tc_denied_over(a);
    }
}


static void
tc_denied_over(tc_asker_t *a)
{
    if (!tc_turn_release(a->turn, tc_denied_on_released, a)) {
        (void) event_base_loopbreak(a->env->base);
    }
}


static void
tc_denied_on_released(void *data, const tc_error_t *e)
{
    tc_asker_t  *a;

    a = data;

    if (e != NULL) {
        a->error = *e;
    }

    (void) event_base_loopbreak(a->env->base);
}


static int
tc_denied_send(tc_asker_t *a, tc_probe_t *p)
{
    rs_stun_addr_t  list[2];

    switch (p->way) {

    case 0:
        return tc_turn_permit(a->turn, &p->addr, 1, tc_denied_on_answer, p);

    case 1:
        if (++a->channel > RS_STUN_CHANNEL_MAX) {
            a->channel = RS_STUN_CHANNEL_MIN;
        }

        return tc_turn_bind(a->turn, a->channel, &p->addr,
                            tc_denied_on_answer, p);

    default:
        list[p->way == 2] = p->addr;
        list[p->way == 3] = *tc_turn_relayed(a->turn);

        return tc_turn_permit(a->turn, list, 2, tc_denied_on_answer, p);
    }
}


static void
tc_denied_on_answer(void *data, const tc_error_t *e)
{
    char          text[TC_ADDR_TEXT], what[TC_TEXT_MAX + 16];
    tc_probe_t   *p;
    tc_asker_t   *a;
    tc_denied_t  *d;

    p = data;
    a = p->asker;
    d = a->d;

    p->used = 0;
    a->pending--;
    d->probes++;

    if (e != NULL && e->code == 403) {
        d->refused++;

    } else if (e != NULL && e->code == 443) {
        d->family++;

    } else {
        if (e == NULL) {
            (void) snprintf(what, sizeof(what), "allowed");

        } else if (e->code) {
            (void) snprintf(what, sizeof(what), "%u %s", e->code, e->text);

        } else {
            (void) snprintf(what, sizeof(what), "%s", e->text);
        }

        if (d->nholes < TC_HOLES_MAX) {
            (void) snprintf(d->holes[d->nholes], TC_HOLE_TEXT, "%s by %s: %s",
                            tc_addr_text(text, &p->addr),
                            tc_denied_ways[p->way], what);
        }

        d->nholes++;
    }

    tc_denied_fill(a);
}


/* ---- what is asked for */


/* the next probe: 1, or 0: there are no more */

static int
tc_denied_next(tc_asker_t *a, rs_stun_addr_t *addr, unsigned *way)
{
    size_t           i, n4, n6;
    unsigned         form, sample;
    rs_stun_addr_t   v4;

    n4 = TC_DENIED_N4 * TC_DENIED_SAMPLES * TC_DENIED_FORMS * TC_DENIED_WAYS;
    n6 = TC_DENIED_N6 * TC_DENIED_SAMPLES * TC_DENIED_WAYS;

    while (a->next < n4 + n6) {
        i = a->next++;
        *way = (unsigned) (i % TC_DENIED_WAYS);
        i /= TC_DENIED_WAYS;

        if (a->next <= n4) {
            sample = (unsigned) (i % TC_DENIED_SAMPLES);
            i /= TC_DENIED_SAMPLES;
            form = (unsigned) (i % TC_DENIED_FORMS);

            tc_denied_sample(&v4, tc_denied_v4[i / TC_DENIED_FORMS], sample);

            if (tc_denied_skip(a, &v4)) {
                a->d->skipped++;
                continue;
            }

            tc_denied_form(addr, &v4, form);

        } else {
            i -= n4 / TC_DENIED_WAYS;
            tc_denied_sample(addr, tc_denied_v6[i / TC_DENIED_SAMPLES],
                             (unsigned) (i % TC_DENIED_SAMPLES));
        }

        if (tc_denied_skip(a, addr)) {
            a->d->skipped++;
            continue;
        }

        addr->port = TC_DENIED_PORT;

        return 1;
    }

    return 0;
}


/* what the policy does allow */

static int
tc_denied_skip(const tc_asker_t *a, const rs_stun_addr_t *addr)
{
    unsigned         i;
    rs_stun_addr_t   own;

    own = *tc_turn_relayed(a->turn);
    own.port = addr->port;

    if (tc_addr_eq(&own, addr)) {
        return 1;
    }

    for (i = 0; i < a->o->nallowed; i++) {
        if (tc_cidr_has(&a->o->allowed[i], addr)) {
            return 1;
        }
    }

    return 0;
}


/* the first of a range, the last, or one between them */

static void
tc_denied_sample(rs_stun_addr_t *a, const char *cidr, unsigned sample)
{
    char       text[TC_ADDR_TEXT], *slash;
    unsigned   i, bits, all;

    (void) snprintf(text, sizeof(text), "%s", cidr);
    slash = strchr(text, '/');
    *slash = '\0';
    (void) tc_addr_parse(a, text);

    bits = (unsigned) strtoul(slash + 1, NULL, 10);
    all = a->family == RS_STUN_FAMILY_IPV4 ? 32 : 128;

    for (i = bits; i < all && sample; i++) {
        if (sample == 1 || (i - bits) % 3 == 1) {
            a->ip[i / 8] |= (uint8_t) (0x80 >> i % 8);
        }
    }
}


/* the same IPv4 address as an IPv6 peer could be written */

static void
tc_denied_form(rs_stun_addr_t *a, const rs_stun_addr_t *v4, unsigned form)
{
    unsigned  i;

    static const struct {
        const char  *prefix;
        unsigned     at;          /* where the four bytes go */
        uint8_t      mask;
    } forms[TC_DENIED_FORMS] = {
        { NULL, 0, 0 },
        { "::ffff:0:0", 12, 0 },              /* mapped */
        { "::", 12, 0 },                      /* compatible */
        { "::ffff:0:0:0", 12, 0 },            /* translated, RFC 2765 */
        { "64:ff9b::", 12, 0 },               /* NAT64, RFC 6052 */
        { "64:ff9b:1::", 12, 0 },             /* RFC 8215 */
        { "2002::1", 2, 0 },                  /* 6to4 */
        { "2001::", 12, 0xff },               /* Teredo */
        { "fe80::5efe:0:0", 12, 0 },          /* ISATAP */
    };

    *a = *v4;

    if (form == 0) {
        return;
    }

    (void) tc_addr_parse(a, forms[form].prefix);

    for (i = 0; i < 4; i++) {
        a->ip[forms[form].at + i] = v4->ip[i] ^ forms[form].mask;
    }
}
