
/*
 * Copyright (C) rs-gateway contributors
 *
 * The zone's counters and gauges in Prometheus' text format 0.0.4, of all
 * workers of this node, whichever of them is asked.  Nothing here asks Redis,
 * so it answers when Redis does not.
 *
 * The table is the truth: docs/operating/metrics.md lists its families, and
 * util/doc-check compares the two.  No label has values that come from
 * outside; "node" is on every series.
 */


#include "ngx_http_rs.h"
#include "http/ngx_http_rs_metrics.h"


#define NGX_HTTP_RS_METRICS_TYPE  "text/plain; version=0.0.4; charset=utf-8"

/* bounds of a line, and of what is written for one row of the table */
#define NGX_HTTP_RS_METRICS_LINE  256
#define NGX_HTTP_RS_METRICS_HEAD  512


typedef struct {
    ngx_http_rs_sums_t           sums;
    ngx_str_t                   *node;
    ngx_http_rs_zone_node_t     *state;

    u_char                      *last;
    u_char                      *end;
} ngx_http_rs_metrics_t;


typedef struct ngx_http_rs_metric_s  ngx_http_rs_metric_t;

typedef void (*ngx_http_rs_metric_pt)(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);

struct ngx_http_rs_metric_s {
    const char                  *name;
    const char                  *type;
    const char                  *help;     /* NULL: one series more of it */
    ngx_http_rs_metric_pt        write;
    ngx_uint_t                   index;    /* counter or gauge */
    const char                  *labels;   /* after node; "" or ",name=" */
};


static ngx_int_t ngx_http_rs_metrics_handler(ngx_http_request_t *r);
static void ngx_http_rs_metrics_write(ngx_http_rs_metrics_t *mt);
static void ngx_http_rs_metrics_line(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m, const char *labels, uint64_t value);
static void ngx_http_rs_metrics_counter(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_gauge(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_workers(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_draining(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_lease(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_build(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_types(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_closed(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_problems(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);
static void ngx_http_rs_metrics_times(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m);


#define NGX_HTTP_RS_COUNTER(name, help, stat, labels)                        \
    { name, "counter", help, ngx_http_rs_metrics_counter,                    \
      NGX_HTTP_RS_STAT_##stat, labels }

#define NGX_HTTP_RS_GAUGE(name, help, gauge, labels)                         \
    { name, "gauge", help, ngx_http_rs_metrics_gauge,                        \
      NGX_HTTP_RS_GAUGE_##gauge, labels }


static const ngx_http_rs_metric_t  ngx_http_rs_metrics_table[] = {

    { "rs_build_info", "gauge", "Version of the module, always 1.",
      ngx_http_rs_metrics_build, 0, "" },

    { "rs_workers", "gauge", "Worker processes, those that leave included.",
      ngx_http_rs_metrics_workers, 0, "" },

    { "rs_draining", "gauge", "1 while the node is being drained.",
      ngx_http_rs_metrics_draining, 0, "" },


    NGX_HTTP_RS_GAUGE("rs_connections", "Open WebSockets.",
                      AGENTS, ",kind=\"agent\""),
    NGX_HTTP_RS_GAUGE("rs_connections", NULL,
                      PARTICIPANTS, ",kind=\"participant\""),
    NGX_HTTP_RS_GAUGE("rs_connections", NULL,
                      WATCHERS, ",kind=\"watcher\""),
    NGX_HTTP_RS_GAUGE("rs_connections", NULL,
                      LEGS, ",kind=\"pipe\""),
    NGX_HTTP_RS_GAUGE("rs_connections", NULL,
                      LINKS, ",kind=\"link\""),

    NGX_HTTP_RS_GAUGE("rs_pipes", "Pipes with a leg at this node, each once.",
                      PIPES, ""),
    NGX_HTTP_RS_COUNTER("rs_pipes_refused_total",
                        "Pipes refused because of rs_max_pipes.",
                        PIPE_FULL, ""),
    NGX_HTTP_RS_COUNTER("rs_pipes_total", "Pipes that had both legs.",
                        PIPE, ""),
    NGX_HTTP_RS_COUNTER("rs_pipe_bytes_total",
                        "Bytes of pipes' messages, by where they came from.",
                        PIPE_UP, ",from=\"client\""),
    NGX_HTTP_RS_COUNTER("rs_pipe_bytes_total", NULL,
                        PIPE_DOWN, ",from=\"host\""),
    NGX_HTTP_RS_GAUGE("rs_pipe_legs_waiting",
                      "Legs of pipes that wait because of rs_pipe_rate.",
                      PIPE_WAITING, ""),
    NGX_HTTP_RS_COUNTER("rs_pipe_waits_total",
                        "Times a leg waited because of rs_pipe_rate.",
                        PIPE_WAIT, ""),
    NGX_HTTP_RS_GAUGE("rs_pipe_buffers",
                      "Buffers of pipes in use, each of rs_pipe_buffer.",
                      PIPE_BUFFERS, ""),

    NGX_HTTP_RS_COUNTER("rs_port_connections_total",
                        "Connections and UDP flows that came to ports of "
                        "tunnels.",
                        PORT, ",result=\"ok\""),
    NGX_HTTP_RS_COUNTER("rs_port_connections_total", NULL,
                        PORT_REFUSED, ",result=\"refused\""),
    NGX_HTTP_RS_COUNTER("rs_port_connections_total", NULL,
                        PORT_LIMITED, ",result=\"limited\""),
    NGX_HTTP_RS_COUNTER("rs_port_connections_total", NULL,
                        PORT_UNAVAILABLE, ",result=\"unavailable\""),

    NGX_HTTP_RS_GAUGE("rs_event_readers", "Open streams of GET /events.",
                      READERS, ""),
    NGX_HTTP_RS_COUNTER("rs_events_sent_total",
                        "Events sent to readers of GET /events.",
                        EVENT_SENT, ""),
    NGX_HTTP_RS_COUNTER("rs_event_readers_slow_total",
                        "Readers cut off because they did not read.",
                        EVENT_SLOW, ""),

    NGX_HTTP_RS_GAUGE("rs_connections_pending",
                      "Open WebSockets that are not let in yet.",
                      PENDING, ""),

    NGX_HTTP_RS_COUNTER("rs_connections_opened_total", "WebSockets opened.",
                        CONN_AGENT, ",kind=\"agent\""),
    NGX_HTTP_RS_COUNTER("rs_connections_opened_total", NULL,
                        CONN_PARTICIPANT, ",kind=\"participant\""),
    NGX_HTTP_RS_COUNTER("rs_connections_opened_total", NULL,
                        CONN_WATCHER, ",kind=\"watcher\""),
    NGX_HTTP_RS_COUNTER("rs_connections_opened_total", NULL,
                        CONN_PIPE, ",kind=\"pipe\""),
    NGX_HTTP_RS_COUNTER("rs_connections_opened_total", NULL,
                        CONN_LINK, ",kind=\"link\""),

    { "rs_connections_closed_total", "counter",
      "WebSockets closed, by close code and reason.",
      ngx_http_rs_metrics_closed, NGX_HTTP_RS_STAT_CLOSED, "" },

    NGX_HTTP_RS_COUNTER("rs_connections_shed_total",
                        "WebSockets not let in yet that were closed to make "
                        "room.",
                        SHED, ""),

    NGX_HTTP_RS_COUNTER("rs_connections_refused_total",
                        "Upgrades refused, by what was full or wrong.",
                        FULL, ",reason=\"full\""),
    NGX_HTTP_RS_COUNTER("rs_connections_refused_total", NULL,
                        UPGRADE_REFUSED, ",reason=\"handshake\""),
    NGX_HTTP_RS_COUNTER("rs_connections_refused_total", NULL,
                        UPGRADE_UNAVAILABLE, ",reason=\"unavailable\""),
    NGX_HTTP_RS_COUNTER("rs_connections_refused_total", NULL,
                        LIMIT_ADDRESS, ",reason=\"address_rate\""),
    NGX_HTTP_RS_COUNTER("rs_connections_refused_total", NULL,
                        UPGRADE_BANNED, ",reason=\"banned\""),

    NGX_HTTP_RS_COUNTER("rs_failures_total",
                        "Credentials that were not good, where rs_ban is "
                        "on.",
                        FAILED_ADDRESS, ",of=\"address\""),
    NGX_HTTP_RS_COUNTER("rs_failures_total", NULL,
                        FAILED_DEVICE, ",of=\"device\""),

    NGX_HTTP_RS_COUNTER("rs_bans_total",
                        "Bans begun or made longer, of the whole fleet.",
                        BAN, ""),

    NGX_HTTP_RS_COUNTER("rs_banned_total",
                        "Calls, upgrades and devices sent away by a ban.",
                        BANNED, ""),

    NGX_HTTP_RS_COUNTER("rs_id_tokens_total",
                        "ID tokens, by what came of their check.",
                        TOKEN_GOOD, ",result=\"good\""),
    NGX_HTTP_RS_COUNTER("rs_id_tokens_total", NULL,
                        TOKEN_REFUSED, ",result=\"refused\""),
    NGX_HTTP_RS_COUNTER("rs_id_tokens_total", NULL,
                        TOKEN_UNCHECKED, ",result=\"unchecked\""),

    NGX_HTTP_RS_COUNTER("rs_jwks_fetches_total",
                        "Fetches of issuers' keys, by what came of them.",
                        JWKS_FETCHED, ",result=\"good\""),
    NGX_HTTP_RS_COUNTER("rs_jwks_fetches_total", NULL,
                        JWKS_FAILED, ",result=\"failed\""),

    NGX_HTTP_RS_COUNTER("rs_tenant_limited_total",
                        "Messages and calls above rs_tenant_rate.",
                        LIMIT_TENANT, ""),

    NGX_HTTP_RS_COUNTER("rs_received_bytes_total",
                        "Bytes received on WebSockets, without TLS.",
                        BYTES_IN, ""),

    NGX_HTTP_RS_COUNTER("rs_sent_bytes_total",
                        "Bytes sent on WebSockets, without TLS.",
                        BYTES_OUT, ""),

    NGX_HTTP_RS_GAUGE("rs_send_queue_bytes",
                      "Bytes that wait to be written to WebSockets.",
                      QUEUED, ""),


    NGX_HTTP_RS_COUNTER("rs_joins_total",
                        "Tickets shown by participants.",
                        JOINED, ",result=\"ok\""),
    NGX_HTTP_RS_COUNTER("rs_joins_total", NULL,
                        JOIN_REFUSED, ",result=\"refused\""),

    NGX_HTTP_RS_COUNTER("rs_resumes_total",
                        "Resume tokens shown by participants.",
                        RESUMED, ",result=\"ok\""),
    NGX_HTTP_RS_COUNTER("rs_resumes_total", NULL,
                        RESUME_REFUSED, ",result=\"refused\""),
    NGX_HTTP_RS_COUNTER("rs_resumes_total", NULL,
                        RESUME_TOO_OLD, ",result=\"too_old\""),

    NGX_HTTP_RS_COUNTER("rs_device_logins_total",
                        "Devices that said hello.",
                        DEVICE_ONLINE, ",result=\"ok\""),
    NGX_HTTP_RS_COUNTER("rs_device_logins_total", NULL,
                        DEVICE_REFUSED, ",result=\"refused\""),
    NGX_HTTP_RS_COUNTER("rs_device_key_mismatches_total",
                        "Devices' ids that were shown with a wrong key.",
                        DEVICE_MISMATCH, ""),
    NGX_HTTP_RS_COUNTER("rs_device_keys_rotated_total",
                        "Keys that devices have changed.",
                        DEVICE_ROTATED, ""),

    NGX_HTTP_RS_GAUGE("rs_participants_leaving",
                      "Participants without a socket that are waited for.",
                      LEAVING, ""),


    { "rs_messages_received_total", "counter",
      "Messages of clients, by type.",
      ngx_http_rs_metrics_types, NGX_HTTP_RS_STAT_MESSAGE, "" },

    NGX_HTTP_RS_COUNTER("rs_messages_bad_total",
                        "Messages of clients that were not understood.",
                        MESSAGE_BAD, ""),

    NGX_HTTP_RS_COUNTER("rs_messages_delivered_total",
                        "Messages of others queued for participants.",
                        DELIVERED, ""),

    NGX_HTTP_RS_COUNTER("rs_acks_total",
                        "Messages acked, repeated ones included.",
                        ACK, ""),

    NGX_HTTP_RS_COUNTER("rs_duplicates_total",
                        "Repeated messages, acked and dropped.",
                        DUPLICATE, ""),

    NGX_HTTP_RS_COUNTER("rs_unsent_total",
                        "Messages that the store did not take, to be sent "
                        "again.",
                        UNSENT, ""),


    NGX_HTTP_RS_COUNTER("rs_envelopes_total",
                        "Envelopes between workers, by carrier.",
                        DIRECT, ",carrier=\"direct\",direction=\"in\""),
    NGX_HTTP_RS_COUNTER("rs_envelopes_total", NULL,
                        IPC_IN, ",carrier=\"ipc\",direction=\"in\""),
    NGX_HTTP_RS_COUNTER("rs_envelopes_total", NULL,
                        IPC_OUT, ",carrier=\"ipc\",direction=\"out\""),
    NGX_HTTP_RS_COUNTER("rs_envelopes_total", NULL,
                        REDIS_IN, ",carrier=\"redis\",direction=\"in\""),
    NGX_HTTP_RS_COUNTER("rs_envelopes_total", NULL,
                        REDIS_OUT, ",carrier=\"redis\",direction=\"out\""),

    NGX_HTTP_RS_COUNTER("rs_envelopes_bad_total",
                        "Envelopes that were malformed.",
                        ENV_BAD, ""),

    NGX_HTTP_RS_COUNTER("rs_envelopes_dropped_total",
                        "Envelopes dropped, for a queue was full or its "
                        "receiver gone.",
                        ENV_DROPPED, ""),

    NGX_HTTP_RS_COUNTER("rs_log_gaps_total",
                        "Holes seen in what was published of a log.",
                        GAP, ""),

    NGX_HTTP_RS_COUNTER("rs_log_entries_read_total",
                        "Entries read from a log to fill a hole.",
                        GAP_FILLED, ""),

    NGX_HTTP_RS_COUNTER("rs_resyncs_total",
                        "Participants asked to send again.",
                        RESYNC, ""),


    NGX_HTTP_RS_COUNTER("rs_sessions_created_total", "Sessions created.",
                        SESSION_CREATED, ""),

    NGX_HTTP_RS_COUNTER("rs_sessions_ended_total",
                        "Sessions ended, other than by their time.",
                        SESSION_ENDED, ""),

    NGX_HTTP_RS_COUNTER("rs_invites_total", "Invitations sent to devices.",
                        INVITE, ""),

    NGX_HTTP_RS_COUNTER("rs_tunnels_created_total", "Tunnels created.",
                        TUNNEL_CREATED, ""),

    NGX_HTTP_RS_COUNTER("rs_commands_total",
                        "Commands of devices that were asked for.",
                        COMMAND, ""),

    NGX_HTTP_RS_COUNTER("rs_pipe_offers_total",
                        "Pipes that devices were asked to open.",
                        PIPE_OFFERED, ""),

    NGX_HTTP_RS_COUNTER("rs_pipe_refusals_total",
                        "Pipes that devices did not open.",
                        PIPE_REFUSED, ""),

    NGX_HTTP_RS_COUNTER("rs_ice_credentials_total",
                        "TURN credentials minted.",
                        ICE, ""),

    { "rs_problems_total", "counter",
      "Problems answered over HTTP, by their code.",
      ngx_http_rs_metrics_problems, NGX_HTTP_RS_STAT_PROBLEM, "" },


    NGX_HTTP_RS_GAUGE("rs_redis_up",
                      "Workers whose store is usable.",
                      REDIS, ""),

    NGX_HTTP_RS_GAUGE("rs_redis_slow",
                      "Workers that refuse calls because Redis is slow.",
                      REDIS_SLOW, ""),

    NGX_HTTP_RS_GAUGE("rs_bus_up",
                      "Workers that hear the channel of their own.",
                      BUS, ""),

    NGX_HTTP_RS_GAUGE("rs_redis_inflight",
                      "Calls of the store under way.",
                      INFLIGHT, ""),

    NGX_HTTP_RS_COUNTER("rs_redis_connects_total",
                        "Times the store became usable to a worker.",
                        REDIS_CONNECT, ""),

    NGX_HTTP_RS_COUNTER("rs_redis_commands_total", "Calls of the store.",
                        REDIS_COMMAND, ",result=\"sent\""),
    NGX_HTTP_RS_COUNTER("rs_redis_commands_total", NULL,
                        REDIS_REFUSED, ",result=\"refused\""),

    NGX_HTTP_RS_COUNTER("rs_redis_lost_total",
                        "Calls of the store without an answer in time.",
                        REDIS_LOST, ""),

    NGX_HTTP_RS_COUNTER("rs_redis_uncertain_total",
                        "Writes that no replica confirmed in time.",
                        REDIS_UNCERTAIN, ""),

    { "rs_redis_call_seconds", "histogram",
      "Time of a call of the store, by the clock of the event loop.",
      ngx_http_rs_metrics_times, NGX_HTTP_RS_STAT_REDIS_TIME, "" },

    { "rs_lease_age_seconds", "gauge",
      "Time since the oldest lease of a worker was renewed.",
      ngx_http_rs_metrics_lease, 0, "" },

    NGX_HTTP_RS_COUNTER("rs_leases_lost_total",
                        "Leases that ran out before they were renewed.",
                        LEASE_LOST, ""),

    NGX_HTTP_RS_COUNTER("rs_workers_reaped_total",
                        "Dead workers whose duties were taken over.",
                        REAPED, ""),

    { NULL, NULL, NULL, NULL, 0, NULL }
};


/* by rs_msg_type_e */

static const char  *ngx_http_rs_metrics_type_names[] = {
    NULL, "signal", "input", "state", "ice", "control", "pipe", "hello",
    "accept", "reject", "rotate", "consent", "tunnel", "load", "queued",
    "recording", "bye", "ping", "pong"
};


/* series of one row: no family has more than there are errors */
#define NGX_HTTP_RS_METRICS_SIZE                                             \
    (sizeof(ngx_http_rs_metrics_table) / sizeof(ngx_http_rs_metric_t)        \
     * (NGX_HTTP_RS_METRICS_HEAD + NGX_HTTP_RS_METRICS_LINE)                 \
     + (2 * RS_E_MAX + RS_MSG_PONG + NGX_HTTP_RS_REDIS_NBOUNDS + 3)          \
       * NGX_HTTP_RS_METRICS_LINE)


static ngx_int_t
ngx_http_rs_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_chain_t               out;
    ngx_http_rs_metrics_t     mt;
    ngx_http_rs_main_conf_t  *rmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_RS_METRICS_SIZE);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_rs_zone_sum(rmcf->zone, &mt.sums);

    mt.state = ngx_http_rs_zone_node(rmcf->zone);
    mt.node = &rmcf->node;
    mt.last = b->last;
    mt.end = b->end;

    ngx_http_rs_metrics_write(&mt);

    b->last = mt.last;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    /* a length of its own, so that no second charset is appended */

    ngx_str_set(&r->headers_out.content_type, NGX_HTTP_RS_METRICS_TYPE);
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_rs_metrics_write(ngx_http_rs_metrics_t *mt)
{
    const ngx_http_rs_metric_t  *m;

    for (m = ngx_http_rs_metrics_table; m->name; m++) {

        if (m->help) {
            mt->last = ngx_slprintf(mt->last, mt->end,
                                    "# HELP %s %s\n# TYPE %s %s\n",
                                    m->name, m->help, m->name, m->type);
        }

        m->write(mt, m);
    }
}


static void
ngx_http_rs_metrics_line(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m, const char *labels, uint64_t value)
{
    mt->last = ngx_slprintf(mt->last, mt->end, "%s{node=\"%V\"%s} %uL\n",
                            m->name, mt->node, labels, value);
}


static void
ngx_http_rs_metrics_counter(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    ngx_http_rs_metrics_line(mt, m, m->labels, mt->sums.counters[m->index]);
}


/* two processes may be between an addition here and a subtraction there */

static void
ngx_http_rs_metrics_gauge(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    ngx_http_rs_metrics_line(mt, m, m->labels,
                             ngx_max(mt->sums.gauges[m->index], 0));
}


static void
ngx_http_rs_metrics_workers(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    ngx_http_rs_metrics_line(mt, m, m->labels, mt->sums.workers);
}


static void
ngx_http_rs_metrics_draining(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    ngx_http_rs_metrics_line(mt, m, m->labels, mt->state->draining ? 1 : 0);
}


static void
ngx_http_rs_metrics_build(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    ngx_http_rs_metrics_line(mt, m,
                             ",version=\"" NGX_HTTP_RS_VERSION "\"", 1);
}


static void
ngx_http_rs_metrics_lease(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    mt->last = ngx_slprintf(mt->last, mt->end,
                            "%s{node=\"%V\"} %M.%03M\n", m->name, mt->node,
                            mt->sums.lease_age / 1000,
                            mt->sums.lease_age % 1000);
}


static void
ngx_http_rs_metrics_types(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    u_char      labels[NGX_HTTP_RS_METRICS_LINE];
    ngx_uint_t  i;

    for (i = RS_MSG_SIGNAL; i <= RS_MSG_PONG; i++) {
        ngx_sprintf(labels, ",type=\"%s\"%Z",
                    ngx_http_rs_metrics_type_names[i]);

        ngx_http_rs_metrics_line(mt, m, (char *) labels,
                                 mt->sums.counters[m->index + i]);
    }
}


/* the errors that close a socket, and a close by agreement */

static void
ngx_http_rs_metrics_closed(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    u_char      labels[NGX_HTTP_RS_METRICS_LINE];
    unsigned    status;
    ngx_uint_t  i;

    ngx_http_rs_metrics_line(mt, m, ",code=\"1000\",reason=\"none\"",
                             mt->sums.counters[m->index]);

    for (i = RS_AGAIN + 1; i < RS_E_MAX; i++) {

        status = rs_err_ws_close(i);

        if (status == 0) {
            continue;
        }

        ngx_sprintf(labels, ",code=\"%ud\",reason=\"%s\"%Z", status,
                    rs_err_code(i));

        ngx_http_rs_metrics_line(mt, m, (char *) labels,
                                 mt->sums.counters[m->index + i]);
    }
}


static void
ngx_http_rs_metrics_problems(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    u_char      labels[NGX_HTTP_RS_METRICS_LINE];
    ngx_uint_t  i;

    for (i = RS_AGAIN + 1; i < RS_E_MAX; i++) {
        ngx_sprintf(labels, ",code=\"%s\",status=\"%ud\"%Z", rs_err_code(i),
                    rs_err_http(i));

        ngx_http_rs_metrics_line(mt, m, (char *) labels,
                                 mt->sums.counters[m->index + i]);
    }
}


static void
ngx_http_rs_metrics_times(ngx_http_rs_metrics_t *mt,
    const ngx_http_rs_metric_t *m)
{
    uint64_t    count, ms;
    ngx_uint_t  i;

    static const ngx_uint_t  bounds[] = NGX_HTTP_RS_REDIS_BOUNDS;

    count = 0;

    for (i = 0; i < NGX_HTTP_RS_REDIS_NBOUNDS; i++) {
        count += mt->sums.counters[m->index + i];

        mt->last = ngx_slprintf(mt->last, mt->end,
                                "%s_bucket{node=\"%V\",le=\"%ui.%03ui\"} "
                                "%uL\n", m->name, mt->node,
                                bounds[i] / 1000, bounds[i] % 1000, count);
    }

    count += mt->sums.counters[m->index + i];
    ms = mt->sums.counters[NGX_HTTP_RS_STAT_REDIS_MS];

    mt->last = ngx_slprintf(mt->last, mt->end,
                            "%s_bucket{node=\"%V\",le=\"+Inf\"} %uL\n"
                            "%s_sum{node=\"%V\"} %uL.%03uL\n"
                            "%s_count{node=\"%V\"} %uL\n",
                            m->name, mt->node, count,
                            m->name, mt->node, ms / 1000, ms % 1000,
                            m->name, mt->node, count);
}


char *
ngx_http_rs_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_http_rs_main_conf_t   *rmcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (rlcf->metrics) {
        return "is duplicate";
    }

    if (rlcf->gateway) {
        return "needs a location of its own, without \"rs_gateway\"";
    }

    rlcf->metrics = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_rs_metrics_handler;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rs_signal_module);
    rmcf->metrics = 1;

    return NGX_CONF_OK;
}
