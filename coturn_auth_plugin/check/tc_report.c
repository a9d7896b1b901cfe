
/*
 * Copyright (C) rs-gateway contributors
 *
 * Reports.  The first line for people is the one that monitoring shows.
 */


#include "tc_report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>


#define TC_REPORT_CELL  48


static void tc_text_summary(const tc_report_t *r);
static void tc_text_result(tc_result_t *r);
static void tc_text_cert(char *dst, size_t size, const tc_result_t *r);
static void tc_text_error(const char *indent, const tc_error_t *e,
    const char *hint);
static void tc_text_denied(const tc_denied_t *d);
static void tc_text_load(tc_load_result_t *l);
static json_t *tc_json_error(const tc_error_t *e, const char *hint);
static json_t *tc_json_result(tc_result_t *r);
static json_t *tc_json_end(const tc_result_t *r, unsigned i);
static json_t *tc_json_counts(const tc_counts_t *c, double loss,
    tc_stat_t *rtt);
static json_t *tc_json_stat(tc_stat_t *s);
static json_t *tc_json_denied(const tc_denied_t *d);
static json_t *tc_json_load(tc_load_result_t *l);
static double tc_ms(uint64_t us);


static double
tc_ms(uint64_t us)
{
    return (double) us / 1000;
}


/* ---- for people */


int
tc_report_text(tc_report_t *r)
{
    unsigned  i;

    tc_text_summary(r);

    if (r->nresults) {
        printf("%-44s %-13s %-17s %-14s %s\n", "server", "allocation",
               "round trip", "lost", "certificate");
    }

    for (i = 0; i < r->nresults; i++) {
        tc_text_result(&r->results[i]);
    }

    for (i = 0; i < r->ndenied; i++) {
        tc_text_denied(&r->denied[i]);
    }

    if (r->load != NULL) {
        tc_text_load(r->load);
    }

    return fflush(stdout) == 0 && !ferror(stdout);
}


static void
tc_text_summary(const tc_report_t *r)
{
    unsigned            i, good, holes;
    const tc_result_t  *bad;

    printf("TURN %s", tc_level_name(r->level));

    if (r->error.step != NULL) {
        printf(": %s\n", r->error.text);
        return;
    }

    good = 0;
    holes = 0;
    bad = NULL;

    for (i = 0; i < r->nresults; i++) {
        if (r->results[i].level == TC_LEVEL_OK) {
            good++;

        } else if (bad == NULL || r->results[i].level == r->level) {
            bad = bad && bad->level == r->level ? bad : &r->results[i];
        }
    }

    if (r->nresults) {
        printf(": %u of %u transports are well", good, r->nresults);
    }

    if (bad != NULL && bad->error.step != NULL) {
        printf("; %s: %s: ", bad->server->uri, bad->error.step);

        if (bad->error.code) {
            printf("%u ", bad->error.code);
        }

        printf("%s", bad->error.text);

    } else if (bad != NULL && bad->nnotes) {
        printf("; %s: %s", bad->server->uri, bad->notes[0]);
    }

    for (i = 0; i < r->ndenied; i++) {
        holes += r->denied[i].nholes;
    }

    if (r->ndenied) {
        printf("%s peer policy: ", r->nresults ? ";" : ":");

        if (holes) {
            printf("%u HOLES", holes);

        } else {
            printf("%s", r->denied[0].error.step ? "not known" : "holds");
        }
    }

    if (r->load != NULL) {
        printf(": %u of %u allocations, %.0f/s", r->load->made,
               r->load->asked, r->load->per_second);
    }

    printf("\n");
}


static void
tc_text_result(tc_result_t *r)
{
    char      uri[TC_URI_MAX + 8], allocation[TC_REPORT_CELL];
    char      trip[TC_REPORT_CELL], lost[TC_REPORT_CELL];
    char      cert[TC_REPORT_CELL];
    unsigned  i;

    (void) snprintf(uri, sizeof(uri), "%s%s", r->server->uri,
                    r->server->transport == TC_TCP
                    && strchr(r->server->uri, '?') == NULL ? " (tcp)" : "");
    (void) snprintf(allocation, sizeof(allocation), "-");
    (void) snprintf(trip, sizeof(trip), "-");
    (void) snprintf(lost, sizeof(lost), "-");
    tc_text_cert(cert, sizeof(cert), r);

    if (r->allocated[0]) {
        (void) snprintf(allocation, sizeof(allocation), "%.1f ms",
                        tc_ms(r->allocate_us[0]));
    }

    if (r->rtt.count) {
        (void) snprintf(trip, sizeof(trip), "%.1f/%.1f ms",
                        tc_ms(tc_stat_percentile(&r->rtt, 0.5)),
                        tc_ms(tc_stat_percentile(&r->rtt, 0.99)));
    }

    if (r->counts.sent) {
        (void) snprintf(lost, sizeof(lost), "%llu of %llu",
                        (unsigned long long) (r->counts.sent
                                              - r->counts.back),
                        (unsigned long long) r->counts.sent);
    }

    printf("%-44s %-13s %-17s %-14s %s\n", uri, allocation, trip, lost, cert);

    if (r->peer != r->server) {
        printf("  to %s\n", r->peer->uri);
    }

    if (r->error.step != NULL) {
        if (r->failed_end && r->peer != r->server) {
            printf("  at the second server:\n");
        }

        tc_text_error("  ", &r->error, r->hint);
    }

    for (i = 0; i < r->nnotes; i++) {
        printf("  %s\n", r->notes[i]);
    }
}


static void
tc_text_cert(char *dst, size_t size, const tc_result_t *r)
{
    if (r->cert[0].known) {
        (void) snprintf(dst, size, "%.0f days",
                        tc_cert_days(&r->cert[0], time(NULL)));

    } else {
        (void) snprintf(dst, size, "-");
    }
}


static void
tc_text_error(const char *indent, const tc_error_t *e, const char *hint)
{
    printf("%s%s: ", indent, e->step);

    if (e->code) {
        printf("%u ", e->code);
    }

    printf("%s\n", e->text);

    if (hint != NULL) {
        printf("%s(%s)\n", indent, hint);
    }
}


static void
tc_text_denied(const tc_denied_t *d)
{
    unsigned  i;

    printf("%s: peer policy: %u asked for, %u refused", d->server->uri,
           d->probes, d->refused + d->family);

    if (d->family) {
        printf(" (%u as of another family)", d->family);
    }

    printf(", %u not asked for%s\n", d->skipped,
           d->ipv6 ? ", by IPv4 and IPv6 relays" : "");

    if (d->error.step != NULL) {
        tc_text_error("  ", &d->error, d->hint);
    }

    for (i = 0; i < d->nholes && i < TC_HOLES_MAX; i++) {
        printf("  HOLE: %s\n", d->holes[i]);
    }

    if (d->nholes > TC_HOLES_MAX) {
        printf("  and %u more\n", d->nholes - TC_HOLES_MAX);
    }
}


static void
tc_text_load(tc_load_result_t *l)
{
    unsigned  i;

    if (l->error.step != NULL) {
        tc_text_error("", &l->error, NULL);
        return;
    }

    printf("allocations  %u of %u within %.3f s: %.0f/s; p50 %.2f ms, "
           "p99 %.2f ms, max %.2f ms\n", l->made, l->asked, l->seconds,
           l->per_second, tc_ms(tc_stat_percentile(&l->allocate, 0.5)),
           tc_ms(tc_stat_percentile(&l->allocate, 0.99)),
           tc_ms(l->allocate.max));

    if (l->lost) {
        printf("lost         %u pairs after they were made\n", l->lost);
    }

    if (l->counts.sent) {
        printf("relayed      %llu of %llu packets there, %llu back within "
               "%.1f s: %.2f %% lost, round trip p50 %.2f ms, p99 %.2f ms\n",
               (unsigned long long) l->counts.there,
               (unsigned long long) l->counts.sent,
               (unsigned long long) l->counts.back, l->kept, l->loss,
               tc_ms(tc_stat_percentile(&l->rtt, 0.5)),
               tc_ms(tc_stat_percentile(&l->rtt, 0.99)));
    }

    if (l->counts.broken || l->counts.blocked || l->counts.unsent) {
        printf("of them      %llu broken, %llu not sent\n",
               (unsigned long long) l->counts.broken,
               (unsigned long long) (l->counts.blocked + l->counts.unsent));
    }

    for (i = 0; i < l->nerrors; i++) {
        printf("%llu times    ", (unsigned long long) l->errors[i].count);
        tc_text_error("", &l->errors[i].error,
                      tc_hint(&l->errors[i].error, NULL, 0));
    }

    if (l->other_errors) {
        printf("%llu other errors\n", (unsigned long long) l->other_errors);
    }
}


/* ---- for machines */


int
tc_report_json(tc_report_t *r)
{
    int        rc;
    json_t    *doc, *list;
    unsigned   i;

    doc = json_pack("{s:s, s:i}", "status", tc_level_name(r->level), "exit",
                    (int) r->level);

    if (r->error.step != NULL) {
        json_object_set_new(doc, "error", tc_json_error(&r->error, NULL));
    }

    list = json_array();

    for (i = 0; i < r->nresults; i++) {
        json_array_append_new(list, tc_json_result(&r->results[i]));
    }

    json_object_set_new(doc, "checks", list);

    if (r->ndenied) {
        list = json_array();

        for (i = 0; i < r->ndenied; i++) {
            json_array_append_new(list, tc_json_denied(&r->denied[i]));
        }

        json_object_set_new(doc, "denied", list);
    }

    if (r->load != NULL) {
        json_object_set_new(doc, "load", tc_json_load(r->load));
    }

    rc = doc != NULL
         && json_dumpf(doc, stdout, JSON_INDENT(1)|JSON_REAL_PRECISION(9))
            == 0
         && printf("\n") == 1
         && fflush(stdout) == 0;

    json_decref(doc);

    return rc;
}


/* null if there is none */

static json_t *
tc_json_error(const tc_error_t *e, const char *hint)
{
    json_t  *j;

    if (e->step == NULL) {
        return json_null();
    }

    j = json_pack("{s:s, s:s}", "step", e->step, "text", e->text);

    if (e->code) {
        json_object_set_new(j, "code", json_integer(e->code));
    }

    if (hint != NULL) {
        json_object_set_new(j, "hint", json_string(hint));
    }

    return j;
}


static json_t *
tc_json_result(tc_result_t *r)
{
    json_t    *j, *ends, *notes;
    unsigned   i;

    ends = json_array();
    notes = json_array();

    for (i = 0; i < 2; i++) {
        json_array_append_new(ends, tc_json_end(r, i));
    }

    for (i = 0; i < r->nnotes; i++) {
        json_array_append_new(notes, json_string(r->notes[i]));
    }

    j = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}",
                  "uri", r->server->uri,
                  "transport", tc_transport_name(r->server->transport),
                  "peer", r->peer->uri,
                  "status", tc_level_name(r->level),
                  "error", tc_json_error(&r->error, r->hint),
                  "notes", notes, "allocations", ends);

    if (r->realm[0] != '\0') {
        json_object_set_new(j, "realm", json_string(r->realm));
    }

    if (r->error.step != NULL) {
        json_object_set_new(j, "failed",
                            json_string(r->failed_end ? "second" : "first"));
    }

    if (r->counts.sent + r->counts.blocked) {
        json_object_set_new(j, "relay", tc_json_counts(&r->counts, r->loss,
                                                       &r->rtt));
    }

    return j;
}


static json_t *
tc_json_end(const tc_result_t *r, unsigned i)
{
    char              text[TC_ADDR_TEXT], when[32];
    json_t           *j, *c;
    struct tm         tm;
    const tc_cert_t  *cert;

    j = json_pack("{s:b}", "allocated", r->allocated[i]);

    if (r->connect_us[i]) {
        json_object_set_new(j, "connect_ms",
                            json_real(tc_ms(r->connect_us[i])));
    }

    if (r->allocated[i]) {
        json_object_set_new(j, "allocate_ms",
                            json_real(tc_ms(r->allocate_us[i])));
        json_object_set_new(j, "relayed",
                            json_string(tc_addr_text(text, &r->relayed[i])));
        json_object_set_new(j, "mapped",
                            json_string(tc_addr_text(text, &r->mapped[i])));
    }

    cert = &r->cert[i];

    if (cert->known && gmtime_r(&cert->not_after, &tm) != NULL) {
        (void) strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
        c = json_pack("{s:s, s:f, s:s}", "not_after", when, "days",
                      tc_cert_days(cert, time(NULL)), "problem",
                      cert->problem);
        json_object_set_new(j, "certificate", c);
    }

    return j;
}


static json_t *
tc_json_counts(const tc_counts_t *c, double loss, tc_stat_t *rtt)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:o}",
                     "sent", (json_int_t) c->sent,
                     "there", (json_int_t) c->there,
                     "back", (json_int_t) c->back,
                     "lost", (json_int_t) (c->sent - c->back),
                     "loss_percent", loss,
                     "broken", (json_int_t) c->broken,
                     "duplicates", (json_int_t) c->duplicates,
                     "reordered", (json_int_t) c->reordered,
                     "not_sent", (json_int_t) (c->blocked + c->unsent),
                     "round_trip_ms", tc_json_stat(rtt));
}


static json_t *
tc_json_stat(tc_stat_t *s)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f}",
                     "count", (json_int_t) s->count,
                     "p50", tc_ms(tc_stat_percentile(s, 0.5)),
                     "p90", tc_ms(tc_stat_percentile(s, 0.9)),
                     "p99", tc_ms(tc_stat_percentile(s, 0.99)),
                     "max", tc_ms(s->max));
}


static json_t *
tc_json_denied(const tc_denied_t *d)
{
    json_t    *holes;
    unsigned   i;

    holes = json_array();

    for (i = 0; i < d->nholes && i < TC_HOLES_MAX; i++) {
        json_array_append_new(holes, json_string(d->holes[i]));
    }

    return json_pack("{s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:b, s:i, s:o}",
                     "uri", d->server->uri,
                     "status", tc_level_name(d->level),
                     "error", tc_json_error(&d->error, d->hint),
                     "probes", (int) d->probes,
                     "refused", (int) d->refused,
                     "other_family", (int) d->family,
                     "skipped", (int) d->skipped,
                     "ipv6_relay", d->ipv6,
                     "holes_count", (int) d->nholes,
                     "holes", holes);
}


static json_t *
tc_json_load(tc_load_result_t *l)
{
    json_t    *errors, *e;
    unsigned   i;

    errors = json_array();

    for (i = 0; i < l->nerrors; i++) {
        e = tc_json_error(&l->errors[i].error, NULL);
        json_object_set_new(e, "count",
                            json_integer((json_int_t) l->errors[i].count));
        json_array_append_new(errors, e);
    }

    return json_pack("{s:s, s:o, s:i, s:i, s:i, s:f, s:f, s:o, s:f, s:o, "
                     "s:o, s:I}",
                     "status", tc_level_name(l->level),
                     "error", tc_json_error(&l->error, NULL),
                     "asked", (int) l->asked,
                     "made", (int) l->made,
                     "lost", (int) l->lost,
                     "seconds", l->seconds,
                     "allocations_per_second", l->per_second,
                     "allocate_ms", tc_json_stat(&l->allocate),
                     "kept_seconds", l->kept,
                     "relay", tc_json_counts(&l->counts, l->loss, &l->rtt),
                     "errors", errors,
                     "other_errors", (json_int_t) l->other_errors);
}
