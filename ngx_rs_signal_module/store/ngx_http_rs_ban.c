
/*
 * Copyright (C) rs-gateway contributors
 *
 * Bans: a table in the zone, without a lock, which each worker of the node
 * reads before it looks at a credential and writes when one was not good.
 *
 * A place is the hash of a subject ("a:192.0.2.1"), its state (rs_ban) and the
 * moment until which it is banned.  Sets have eight places, as those of rates
 * do; when one is full the place that was touched, or will be free, first
 * goes.  A ban that is forgotten so is in the store all the same, and is back
 * with the next failure.
 *
 * Invariants
 *   * Every failure is counted here; the store's counting comes on top of it
 *     and only ever bans for longer.  So Redis may be away.
 *   * At most NGX_HTTP_RS_BAN_REPORTS reports of a worker are under way: what
 *     comes meanwhile is counted here only.
 *   * Nobody's good credential ever costs a call of the store.
 */


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_BAN_REPORTS   32
#define NGX_HTTP_RS_BAN_TRIES     16      /* of a compare-and-swap */
#define NGX_HTTP_RS_BAN_CATCH_UP  1000


typedef struct {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_uint_t                  busy;
    size_t                      len;
    u_char                      subject[RS_BAN_SUBJECT_MAX];
} ngx_http_rs_ban_report_t;


struct ngx_http_rs_ban_reports_s {
    ngx_log_t                  *log;
    ngx_uint_t                  asked;         /* what is banned */
    ngx_http_rs_ban_report_t    reports[NGX_HTTP_RS_BAN_REPORTS];
};


static ngx_int_t ngx_http_rs_ban_subject(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_ban_who_t *who, u_char *text, ngx_str_t *subject);
static struct sockaddr *ngx_http_rs_ban_plain(struct sockaddr *sa,
    struct sockaddr_in *sin);
static size_t ngx_http_rs_ban_address(struct sockaddr *sa, u_char *text);
static ngx_http_rs_ban_place_t *ngx_http_rs_ban_find(
    ngx_http_rs_limits_t *limits, ngx_str_t *subject, ngx_uint_t make);
static ngx_uint_t ngx_http_rs_ban_count(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *subject, ngx_log_t *log);
static void ngx_http_rs_ban_set(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *subject, uint32_t seconds, ngx_log_t *log);
static void ngx_http_rs_ban_report(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *subject);
static void ngx_http_rs_ban_reported(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_ban_listed(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


ngx_http_rs_ban_reports_t *
ngx_http_rs_ban_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_uint_t                  i;
    ngx_http_rs_ban_reports_t  *bans;

    bans = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_rs_ban_reports_t));
    if (bans == NULL) {
        return NULL;
    }

    bans->log = log;

    for (i = 0; i < NGX_HTTP_RS_BAN_REPORTS; i++) {
        bans->reports[i].rmcf = rmcf;
    }

    return bans;
}


ngx_uint_t
ngx_http_rs_banned(ngx_http_rs_main_conf_t *rmcf, ngx_http_rs_ban_who_t *who,
    time_t *wait)
{
    u_char                    text[RS_BAN_SUBJECT_MAX];
    ngx_msec_t                until;
    ngx_str_t                 subject;
    ngx_http_rs_limits_t     *limits;
    ngx_http_rs_ban_place_t  *place;

    if (rmcf->ban.failures == 0) {
        return 0;
    }

    limits = ngx_http_rs_zone_limits(rmcf->zone);

    if (limits->banned_until <= ngx_current_msec
        || ngx_http_rs_ban_subject(rmcf, who, text, &subject) != NGX_OK)
    {
        return 0;
    }

    place = ngx_http_rs_ban_find(limits, &subject, 0);

    if (place == NULL) {
        return 0;
    }

    until = place->until;

    if (until <= ngx_current_msec) {
        return 0;
    }

    *wait = (until - ngx_current_msec + 999) / 1000;

    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_BANNED);

    return 1;
}


void
ngx_http_rs_ban_failed(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_ban_who_t *who, ngx_log_t *log)
{
    u_char                 text[RS_BAN_SUBJECT_MAX];
    ngx_str_t              subject;
    ngx_http_rs_ban_who_t  address;

    if (rmcf->ban.failures == 0
        || ngx_http_rs_ban_subject(rmcf, who, text, &subject) != NGX_OK)
    {
        return;
    }

    ngx_http_rs_count(rmcf, who->device_id.len
                            ? NGX_HTTP_RS_STAT_FAILED_DEVICE
                            : NGX_HTTP_RS_STAT_FAILED_ADDRESS);

    if (ngx_http_rs_ban_count(rmcf, &subject, log) && who->device_id.len) {

        ngx_memzero(&address, sizeof(ngx_http_rs_ban_who_t));
        address.sockaddr = who->sockaddr;

        ngx_http_rs_ban_failed(rmcf, &address, log);
    }

    ngx_http_rs_ban_report(rmcf, &subject);
}


/* NGX_DECLINED: nobody who could be banned */

static ngx_int_t
ngx_http_rs_ban_subject(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_ban_who_t *who, u_char *text, ngx_str_t *subject)
{
    u_char              *p;
    size_t               len;
    u_char               address[NGX_SOCKADDR_STRLEN];
    struct sockaddr     *sa;
    struct sockaddr_in   sin;

    sa = ngx_http_rs_ban_plain(who->sockaddr, &sin);

    if (rmcf->ban_exempt && ngx_cidr_match(sa, rmcf->ban_exempt) == NGX_OK) {
        return NGX_DECLINED;
    }

    len = ngx_http_rs_ban_address(sa, address);

    if (len == 0) {
        return NGX_DECLINED;
    }

    if (who->device_id.len) {
        p = ngx_snprintf(text, RS_BAN_SUBJECT_MAX, "d:%V:%V:%*s",
                         &who->tenant, &who->device_id, len, address);

    } else {
        p = ngx_snprintf(text, RS_BAN_SUBJECT_MAX, "a:%*s", len, address);
    }

    subject->data = text;
    subject->len = p - text;

    return NGX_OK;
}


void
ngx_http_rs_ban_address_subject(struct sockaddr *sa, u_char *text,
    ngx_str_t *subject)
{
    size_t              len;
    u_char              address[NGX_SOCKADDR_STRLEN];
    struct sockaddr_in  sin;

    len = ngx_http_rs_ban_address(ngx_http_rs_ban_plain(sa, &sin), address);

    if (len == 0) {
        len = ngx_cpymem(address, "local", 5) - address;
    }

    subject->data = text;
    subject->len = ngx_snprintf(text, RS_BAN_SUBJECT_MAX, "a:%*s", len,
                                address)
                   - text;
}


/* IPv4 in IPv6 is IPv4 */

static struct sockaddr *
ngx_http_rs_ban_plain(struct sockaddr *sa, struct sockaddr_in *sin)
{
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;

    sin6 = (struct sockaddr_in6 *) sa;

    if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
        ngx_memzero(sin, sizeof(struct sockaddr_in));
        sin->sin_family = AF_INET;
        ngx_memcpy(&sin->sin_addr, sin6->sin6_addr.s6_addr + 12, 4);

        return (struct sockaddr *) sin;
    }
#endif

    return sa;
}


/* the text of an address, of IPv6 its /64; 0: it is none */

static size_t
ngx_http_rs_ban_address(struct sockaddr *sa, u_char *text)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    size_t                len;
    u_char                prefix[16];
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        ngx_memzero(prefix, sizeof(prefix));
        ngx_memcpy(prefix, sin6->sin6_addr.s6_addr, 8);

        len = ngx_inet_ntop(AF_INET6, prefix, text, NGX_INET6_ADDRSTRLEN);

        return ngx_cpymem(text + len, "/64", 3) - text;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        return ngx_inet_ntop(AF_INET, &sin->sin_addr, text,
                             NGX_INET_ADDRSTRLEN);

    default:
        return 0;
    }
}


/* NULL: it is not there and should not be made */

static ngx_http_rs_ban_place_t *
ngx_http_rs_ban_find(ngx_http_rs_limits_t *limits, ngx_str_t *subject,
    ngx_uint_t make)
{
    ngx_uint_t                i;
    ngx_atomic_uint_t         hash, was, state;
    ngx_http_rs_ban_place_t  *set, *place;

    hash = ngx_http_rs_limit_hash(limits, 'b', subject->data, subject->len);
    set = &limits->bans[(hash % limits->nbans) * NGX_HTTP_RS_LIMIT_WAYS];
    place = set;

    for (i = 0; i < NGX_HTTP_RS_LIMIT_WAYS; i++) {

        if (set[i].hash == hash) {
            return &set[i];
        }

        if (rs_ban_since(set[i].state) < rs_ban_since(place->state)) {
            place = &set[i];
        }
    }

    if (!make) {
        return NULL;
    }

    was = place->hash;
    state = place->state;

    if (ngx_atomic_cmp_set(&place->hash, was, hash)) {
        place->until = 0;
        (void) ngx_atomic_cmp_set(&place->state, state, 0);
    }

    return place;
}


/* 1: it is the first one of a window */

static ngx_uint_t
ngx_http_rs_ban_count(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *subject,
    ngx_log_t *log)
{
    uint32_t                  ban, now;
    uint64_t                  next;
    ngx_uint_t                i;
    ngx_atomic_uint_t         state;
    ngx_http_rs_ban_place_t  *place;

    place = ngx_http_rs_ban_find(ngx_http_rs_zone_limits(rmcf->zone),
                                 subject, 1);

    /* seconds of a clock that never says 0 */

    now = (uint32_t) (ngx_current_msec / 1000) + 1;
    i = 0;

    do {
        state = place->state;
        ban = rs_ban_fail(&rmcf->ban, state, now, &next);

    } while (!ngx_atomic_cmp_set(&place->state, state, next)
             && ++i < NGX_HTTP_RS_BAN_TRIES);

    if (ban) {
        ngx_http_rs_ban_set(rmcf, subject, ban, log);
    }

    if (rmcf->ban.failures == 1) {
        return ban != 0;
    }

    return next != state && rs_ban_since(next) == now
           && rs_ban_since(state) != now;
}


/* 0 seconds: lifted.  A ban is never made shorter otherwise */

static void
ngx_http_rs_ban_set(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *subject,
    uint32_t seconds, ngx_log_t *log)
{
    ngx_msec_t                until;
    ngx_atomic_uint_t         was;
    ngx_http_rs_limits_t     *limits;
    ngx_http_rs_ban_place_t  *place;

    limits = ngx_http_rs_zone_limits(rmcf->zone);
    place = ngx_http_rs_ban_find(limits, subject, seconds != 0);

    if (place == NULL) {
        return;
    }

    was = place->until;

    if (seconds == 0) {
        place->until = 0;
        place->state = 0;

        ngx_log_error(NGX_LOG_NOTICE, log, 0, "rs ban of \"%V\" is lifted",
                      subject);
        return;
    }

    until = ngx_current_msec + (ngx_msec_t) seconds * 1000;

    /* each worker is told of it: the first one to set it says so */

    if (until < was + 1500 || !ngx_atomic_cmp_set(&place->until, was, until)) {
        return;
    }

    if (place->state == 0) {
        /* by others: there is a moment by which it is the oldest or not */
        (void) ngx_atomic_cmp_set(&place->state, 0,
                                  ngx_current_msec / 1000 + 1);
    }

    do {
        was = limits->banned_until;
    } while (was < until
             && !ngx_atomic_cmp_set(&limits->banned_until, was, until));

    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_BAN);

    ngx_log_error(NGX_LOG_WARN, log, 0, "rs ban of \"%V\" for %uD s",
                  subject, seconds);
}


static void
ngx_http_rs_ban_report(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *subject)
{
    ngx_uint_t                 i;
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_ban_report_t  *report;

    if (!ngx_http_rs_store_ready(rmcf->store)) {
        return;
    }

    for (i = 0; i < NGX_HTTP_RS_BAN_REPORTS; i++) {
        if (!rmcf->bans->reports[i].busy) {
            break;
        }
    }

    if (i == NGX_HTTP_RS_BAN_REPORTS) {
        return;
    }

    report = &rmcf->bans->reports[i];

    op = ngx_http_rs_store_op(rmcf->store, ngx_http_rs_ban_reported, report);
    if (op == NULL) {
        return;
    }

    report->len = subject->len;
    ngx_memcpy(report->subject, subject->data, subject->len);

    report->busy = ngx_http_rs_store_ban_fail(op, subject, &rmcf->ban)
                   == NGX_OK;
}


static void
ngx_http_rs_ban_reported(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_ban_report_t *report = data;

    int64_t    seconds;
    ngx_str_t  subject;

    report->busy = 0;

    seconds = (code == RS_OK) ? ngx_rs_reply_int(reply, 1) : 0;

    if (seconds < 1 || seconds > RS_BAN_MAX) {
        return;
    }

    subject.data = report->subject;
    subject.len = report->len;

    ngx_http_rs_ban_set(report->rmcf, &subject, (uint32_t) seconds,
                        report->rmcf->bans->log);
}


void
ngx_http_rs_ban_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *message)
{
    rs_str_t   subject;
    uint32_t   seconds;
    ngx_str_t  who;

    if (rmcf->ban.failures == 0) {
        return;
    }

    if (!rs_ban_parse(ngx_http_rs_slice(message), &subject, &seconds)) {
        ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_ENV_BAD);
        ngx_log_error(NGX_LOG_WARN, rmcf->bans->log, 0,
                      "rs ban: a message of %uz bytes is malformed",
                      message->len);
        return;
    }

    who = ngx_http_rs_str(subject);

    ngx_http_rs_ban_set(rmcf, &who, seconds, rmcf->bans->log);
}


void
ngx_http_rs_ban_catch_up(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_http_rs_store_op_t  *op;

    if (rmcf->ban.failures == 0 || rmcf->bans->asked
        || !ngx_http_rs_store_ready(rmcf->store))
    {
        return;
    }

    op = ngx_http_rs_store_op(rmcf->store, ngx_http_rs_ban_listed, rmcf);

    rmcf->bans->asked = op
                        && ngx_http_rs_store_ban_list(op,
                                                  NGX_HTTP_RS_BAN_CATCH_UP)
                           == NGX_OK;
}


static void
ngx_http_rs_ban_listed(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_main_conf_t *rmcf = data;

    int64_t          seconds;
    ngx_str_t        subject;
    ngx_uint_t       i;
    ngx_rs_reply_t  *list;

    rmcf->bans->asked = 0;

    if (code != RS_OK) {
        return;
    }

    list = ngx_rs_reply_at(reply, 1);

    for (i = 0; i + 1 < ngx_rs_reply_count(list); i += 2) {
        subject = ngx_rs_reply_str(list, i);
        seconds = ngx_rs_reply_int(list, i + 1);

        if (seconds > 0 && seconds <= RS_BAN_MAX
            && subject.len <= RS_BAN_SUBJECT_MAX)
        {
            ngx_http_rs_ban_set(rmcf, &subject, (uint32_t) seconds,
                                rmcf->bans->log);
        }
    }
}


static ngx_int_t
ngx_http_rs_ban_param(ngx_conf_t *cf, ngx_str_t *value, rs_ban_t *ban)
{
    time_t      s;
    ngx_int_t   n;
    ngx_str_t   text;
    ngx_uint_t  i;

    static const struct {
        const char  *name;
        size_t       offset;
        time_t       max;
    } times[] = {
        { "window=", offsetof(rs_ban_t, window_s), RS_BAN_WINDOW_MAX },
        { "time=", offsetof(rs_ban_t, time_s), RS_BAN_MAX },
        { "max=", offsetof(rs_ban_t, max_s), RS_BAN_MAX }
    };

    if (ngx_strncmp(value->data, "failures=", 9) == 0) {
        n = ngx_atoi(value->data + 9, value->len - 9);

        if (n < 1 || n > RS_BAN_FAILURES_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": failures=1 to %d",
                               value, RS_BAN_FAILURES_MAX);
            return NGX_ERROR;
        }

        ban->failures = n;
        return NGX_OK;
    }

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {

        n = ngx_strlen(times[i].name);

        if (ngx_strncmp(value->data, times[i].name, n) != 0) {
            continue;
        }

        text.data = value->data + n;
        text.len = value->len - n;

        s = ngx_parse_time(&text, 1);

        if (s < 1 || s > times[i].max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": %s1s to %T s",
                               value, times[i].name, times[i].max);
            return NGX_ERROR;
        }

        *(uint32_t *) ((u_char *) ban + times[i].offset) = (uint32_t) s;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": off, or failures=, "
                       "window=, time= and max=", value);
    return NGX_ERROR;
}


char *
ngx_http_rs_ban_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (rmcf->ban.max_s) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rmcf->ban = (rs_ban_t) { 10, 60, 10, 3600 };

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        rmcf->ban.failures = 0;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_rs_ban_param(cf, &value[i], &rmcf->ban) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (rmcf->ban.time_s > rmcf->ban.max_s) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "time=%uDs of \"rs_ban\" is above max=%uDs",
                           rmcf->ban.time_s, rmcf->ban.max_s);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rs_ban_exempt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    value = cf->args->elts;

    if (rmcf->ban_exempt == NULL) {
        rmcf->ban_exempt = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (rmcf->ban_exempt == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(rmcf->ban_exempt);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\": an address or a "
                               "network, as 192.0.2.0/24", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &value[i]);
        }
    }

    return NGX_CONF_OK;
}
