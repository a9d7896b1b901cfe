
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the listening socket and what was accepted from it.  A hop is one such
 * connection: it says SOCKS (librs/rs_socks), its target is dialled by the
 * rules (agent_dial.c: one look-up, every address checked, that very address
 * connected to), then two sockets are pumped.  Where there are as many hops as
 * there may be, the next one waits in the kernel's queue.
 *
 * The browser's namespace is in nobody's hands once a page has broken out of
 * the browser: whatever it says here, it gets no further than the rules.
 */

#define G_LOG_DOMAIN  "rs-egress"

#include "render_egress.h"
#include "render_pump.h"
#include "agent_dial.h"
#include "agent_network.h"
#include "rs_socks.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define RENDER_EGRESS_PAUSE_MS  500     /* where no descriptor is left */

#define RENDER_HOP_BUFFER  (RS_SOCKS_GREETING_MAX + RS_SOCKS_REQUEST_MAX)


typedef struct {
    render_egress_t  *egress;
    GList             link;             /* of egress->hops */
    int               fd;               /* -1: taken over */
    guint             watch;
    guint             timer;            /* for SOCKS's own part */
    gboolean          greeted;
    gsize             len;
    guint8            bytes[RENDER_HOP_BUFFER];
    char             *host;
    guint             port;
    rs_egress_e       verdict;          /* the last one that refused */
    agent_dial_t     *dial;
    render_pump_t    *pump;
} render_hop_t;


struct render_egress_s {
    render_egress_policy_t   policy;
    render_egress_events_t   events;
    void                    *data;
    int                      fd;
    guint                    watch;
    guint                    pause;
    GQueue                   hops;
    render_egress_stats_t    stats;     /* of those that ended */
};


static void render_egress_listen(render_egress_t *egress);
static gboolean render_egress_accept(gint fd, GIOCondition condition,
    gpointer data);
static gboolean render_egress_again(gpointer data);
static void render_hop_new(render_egress_t *egress, int fd);
static void render_hop_free(render_hop_t *hop);
static void render_hop_end(render_hop_t *hop);
static gboolean render_hop_read(gint fd, GIOCondition condition,
    gpointer data);
static gboolean render_hop_parse(render_hop_t *hop);
static gboolean render_hop_request(render_hop_t *hop, size_t *used);
static void render_hop_dial(render_hop_t *hop);
static gboolean render_hop_inside(render_hop_t *hop);
static gboolean render_hop_late(gpointer data);
static const char *render_hop_check(void *data, const rs_target_t *target,
    GInetAddress *found);
static void render_hop_dialled(void *data, agent_dial_e verdict, int fd,
    const char *why);
static gboolean render_hop_say(render_hop_t *hop, const void *bytes,
    gsize len);
static gboolean render_hop_answer(render_hop_t *hop, rs_socks_reply_e reply);
static void render_hop_done(void *data);


render_egress_t *
render_egress_new(const render_egress_policy_t *policy, int listen_fd,
    const render_egress_events_t *events, void *data)
{
    render_egress_t  *egress;

    egress = g_new0(render_egress_t, 1);
    egress->policy = *policy;
    egress->events = *events;
    egress->data = data;
    egress->fd = listen_fd;
    g_queue_init(&egress->hops);

    if (egress->policy.connections == 0) {
        egress->policy.connections = RENDER_EGRESS_CONNECTIONS;
    }

    if (egress->policy.idle_s == 0) {
        egress->policy.idle_s = RENDER_EGRESS_IDLE_S;
    }

    if (egress->policy.resolver != NULL) {
        g_object_ref(egress->policy.resolver);
    }

    (void) g_unix_set_fd_nonblocking(listen_fd, TRUE, NULL);
    render_egress_listen(egress);

    return egress;
}


void
render_egress_free(render_egress_t *egress)
{
    GList  *link;

    if (egress == NULL) {
        return;
    }

    while ((link = egress->hops.head) != NULL) {
        render_hop_free(link->data);
    }

    g_clear_handle_id(&egress->watch, g_source_remove);
    g_clear_handle_id(&egress->pause, g_source_remove);
    g_clear_object(&egress->policy.resolver);
    (void) close(egress->fd);
    g_free(egress);
}


void
render_egress_stats(const render_egress_t *egress,
    render_egress_stats_t *stats)
{
    GList         *link;
    guint64        sent, received;
    render_hop_t  *hop;

    *stats = egress->stats;

    for (link = egress->hops.head; link != NULL; link = link->next) {
        hop = link->data;

        if (hop->pump != NULL) {
            render_pump_bytes(hop->pump, &sent, &received);
            stats->sent += sent;
            stats->received += received;
        }
    }
}


static void
render_egress_listen(render_egress_t *egress)
{
    if (egress->watch == 0 && egress->pause == 0
        && egress->hops.length < egress->policy.connections)
    {
        egress->watch = g_unix_fd_add(egress->fd, G_IO_IN,
                                      render_egress_accept, egress);
    }
}


static gboolean
render_egress_accept(gint listening, GIOCondition condition, gpointer data)
{
    int               fd;
    render_egress_t  *egress = data;

    (void) condition;

    fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

    if (fd != -1) {
        render_hop_new(egress, fd);

        if (egress->hops.length < egress->policy.connections) {
            return G_SOURCE_CONTINUE;
        }

    } else if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
        return G_SOURCE_CONTINUE;

    } else {
        g_warning("accept: %s", g_strerror(errno));
        egress->pause = g_timeout_add(RENDER_EGRESS_PAUSE_MS,
                                      render_egress_again, egress);
    }

    egress->watch = 0;

    return G_SOURCE_REMOVE;
}


static gboolean
render_egress_again(gpointer data)
{
    render_egress_t  *egress = data;

    egress->pause = 0;
    render_egress_listen(egress);

    return G_SOURCE_REMOVE;
}


static void
render_hop_new(render_egress_t *egress, int fd)
{
    render_hop_t  *hop;

    hop = g_new0(render_hop_t, 1);
    hop->egress = egress;
    hop->link.data = hop;
    hop->fd = fd;
    hop->watch = g_unix_fd_add(fd, G_IO_IN, render_hop_read, hop);
    hop->timer = g_timeout_add_seconds(RENDER_EGRESS_GREET_S,
                                       render_hop_late, hop);
    g_queue_push_tail_link(&egress->hops, &hop->link);
}


static void
render_hop_free(render_hop_t *hop)
{
    guint64           sent, received;
    render_egress_t  *egress = hop->egress;

    if (hop->pump != NULL) {
        render_pump_bytes(hop->pump, &sent, &received);
        egress->stats.sent += sent;
        egress->stats.received += received;
    }

    g_queue_unlink(&egress->hops, &hop->link);
    g_clear_handle_id(&hop->watch, g_source_remove);
    g_clear_handle_id(&hop->timer, g_source_remove);
    g_clear_pointer(&hop->dial, agent_dial_free);
    g_clear_pointer(&hop->pump, render_pump_free);
    g_free(hop->host);

    if (hop->fd != -1) {
        (void) close(hop->fd);
    }

    g_free(hop);
}


/* the same, and there is room for another */

static void
render_hop_end(render_hop_t *hop)
{
    render_egress_t  *egress = hop->egress;

    render_hop_free(hop);
    render_egress_listen(egress);
}


static gboolean
render_hop_late(gpointer data)
{
    render_hop_t  *hop = data;

    hop->timer = 0;
    hop->egress->stats.failed++;
    render_hop_end(hop);

    return G_SOURCE_REMOVE;
}


static gboolean
render_hop_read(gint fd, GIOCondition condition, gpointer data)
{
    ssize_t        n;
    render_hop_t  *hop = data;

    (void) condition;

    n = recv(fd, hop->bytes + hop->len, RENDER_HOP_BUFFER - hop->len, 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }

    if (n > 0) {
        hop->len += (gsize) n;

        if (render_hop_parse(hop)) {
            return (hop->host == NULL) ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
        }
    }

    hop->watch = 0;
    hop->egress->stats.failed += (hop->host == NULL);
    render_hop_end(hop);

    return G_SOURCE_REMOVE;
}


/* FALSE: that was it; once there is a host, nothing more is read here */

static gboolean
render_hop_parse(render_hop_t *hop)
{
    int       none;
    size_t    used;
    guint8    method[RS_SOCKS_METHOD_LEN];
    rs_err_e  rc;

    if (!hop->greeted) {
        rc = rs_socks_greeting((rs_str_t) { hop->bytes, hop->len }, &used,
                               &none);
        if (rc != RS_OK) {
            return rc == RS_AGAIN;
        }

        rs_socks_method(method, none);

        if (!render_hop_say(hop, method, sizeof(method)) || !none) {
            return FALSE;
        }

        hop->greeted = TRUE;
        hop->len -= used;
        memmove(hop->bytes, hop->bytes + used, hop->len);
    }

    if (!render_hop_request(hop, &used)) {
        return FALSE;
    }

    if (hop->host != NULL) {
        hop->len -= used;
        memmove(hop->bytes, hop->bytes + used, hop->len);

        hop->watch = 0;
        g_clear_handle_id(&hop->timer, g_source_remove);

        if (render_hop_inside(hop)) {
            return FALSE;
        }

        render_hop_dial(hop);
    }

    return TRUE;
}


static gboolean
render_hop_request(render_hop_t *hop, size_t *used)
{
    size_t              i;
    rs_err_e            rc;
    rs_socks_request_t  request;

    rc = rs_socks_request((rs_str_t) { hop->bytes, hop->len }, used,
                          &request);

    if (rc != RS_OK) {
        return rc == RS_AGAIN;
    }

    if (!request.known || request.command != RS_SOCKS_CONNECT) {
        (void) render_hop_answer(hop, request.known ? RS_SOCKS_COMMAND
                                                    : RS_SOCKS_ADDRESS);
        return FALSE;
    }

    /* what is no host name is none afterwards, either */

    for (i = 0; i < request.len; i++) {
        if (request.host[i] <= ' ' || request.host[i] >= 0x7f) {
            request.host[i] = '?';
        }
    }

    hop->host = g_strndup(request.host, request.len);
    hop->port = request.port;

    return TRUE;
}


/* TRUE: it is for the session's own pages, and was given away or refused */

static gboolean
render_hop_inside(render_hop_t *hop)
{
    int               fd;
    render_egress_t  *egress = hop->egress;

    if (g_ascii_strcasecmp(hop->host, RENDER_EGRESS_INSIDE) != 0) {
        return FALSE;
    }

    if (hop->port != 80 || egress->events.inside == NULL || hop->len != 0) {
        (void) render_hop_answer(hop, RS_SOCKS_CONNECTION_REFUSED);
        return TRUE;
    }

    if (render_hop_answer(hop, RS_SOCKS_DONE)) {
        fd = hop->fd;
        hop->fd = -1;
        egress->stats.opened++;
        egress->events.inside(egress->data, fd);
    }

    return TRUE;
}


static void
render_hop_dial(render_hop_t *hop)
{
    hop->verdict = RS_EGRESS_INVALID;
    hop->dial = agent_dial_check(hop->host, hop->port,
                                 hop->egress->policy.resolver,
                                 render_hop_check, render_hop_dialled, hop);
}


static const char *
render_hop_check(void *data, const rs_target_t *target, GInetAddress *found)
{
    gboolean                  own;
    rs_ip_t                   ip, inner;
    rs_egress_e               verdict;
    render_hop_t             *hop = data;
    const rs_egress_t        *rules = hop->egress->policy.rules;
    g_autoptr(GInetAddress)   address = NULL;

    if (found == NULL) {

        /* an address is judged when it is found, with whose it is */

        verdict = (target->name.len != 0) ? rs_egress_hopeful(rules, target)
                                          : RS_EGRESS_ALLOWED;

    } else {
        memset(&ip, 0, sizeof(ip));
        ip.len = (uint8_t) g_inet_address_get_native_size(found);
        memcpy(ip.b, g_inet_address_to_bytes(found), MIN(ip.len, RS_IP_V6));

        rs_target_unwrap(&ip, &inner);
        address = g_inet_address_new_from_bytes(inner.b,
                                                inner.len == RS_IP_V4
                                                ? G_SOCKET_FAMILY_IPV4
                                                : G_SOCKET_FAMILY_IPV6);
        own = agent_network_own(found) || agent_network_own(address);
        verdict = rs_egress_check(rules, target, &ip, own);
    }

    if (verdict == RS_EGRESS_ALLOWED) {
        return NULL;
    }

    hop->verdict = verdict;

    return rs_egress_why(verdict);
}


static void
render_hop_dialled(void *data, agent_dial_e verdict, int fd, const char *why)
{
    render_hop_t     *hop = data;
    render_egress_t  *egress = hop->egress;

    hop->dial = NULL;

    if (verdict == AGENT_DIAL_CONNECTED) {

        if (!render_hop_answer(hop, RS_SOCKS_DONE)
            || !g_unix_set_fd_nonblocking(fd, TRUE, NULL))
        {
            (void) close(fd);
            render_hop_end(hop);
            return;
        }

        egress->stats.opened++;
        hop->pump = render_pump_new(hop->fd, fd, hop->bytes, hop->len,
                                    egress->policy.idle_s, render_hop_done,
                                    hop);
        hop->fd = -1;
        return;
    }

    if (verdict == AGENT_DIAL_REFUSED) {
        (void) render_hop_answer(hop, RS_SOCKS_DENIED);
        egress->stats.refused++;
        g_debug("refused %s:%u: %s", hop->host, hop->port, why);

        if (egress->events.refused != NULL) {
            egress->events.refused(egress->data, hop->host, hop->port,
                                   hop->verdict, why);
        }

    } else {
        (void) render_hop_answer(hop, RS_SOCKS_HOST_UNREACHABLE);
        egress->stats.failed++;
        g_debug("no way to %s:%u: %s", hop->host, hop->port, why);
    }

    render_hop_end(hop);
}


/* So little fits always, unless the other end is gone. */

static gboolean
render_hop_say(render_hop_t *hop, const void *bytes, gsize len)
{
    return send(hop->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t) len;
}


static gboolean
render_hop_answer(render_hop_t *hop, rs_socks_reply_e reply)
{
    guint8  bytes[RS_SOCKS_REPLY_LEN];

    rs_socks_reply(bytes, reply);

    return render_hop_say(hop, bytes, sizeof(bytes));
}


static void
render_hop_done(void *data)
{
    render_hop_end(data);
}
