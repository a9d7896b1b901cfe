
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns one look-up and the sockets that try what came of it, one after the
 * other.  Counted: by its owner until it has said what came out, and by each
 * call under way.
 */

#define G_LOG_DOMAIN  "rs-dial"

#include "agent_dial.h"
#include "agent_network.h"

#include <fcntl.h>


struct agent_dial_s {
    const agent_targets_t  *targets;
    agent_dial_check_pt     check;          /* NULL: by targets */
    GResolver              *resolver;
    char                   *host;
    rs_target_t             target;         /* points into host */
    agent_dial_done_pt      done;           /* NULL: said, or freed */
    void                   *data;
    GCancellable           *cancel;
    GQueue                  addresses;      /* GInetAddress, to be tried */
    GSocketConnection      *connection;     /* being tried */
    guint                   timer;          /* of all */
    guint                   work;           /* idle */
    agent_dial_e            verdict;        /* if nothing better comes */
    char                   *why;
};


static agent_dial_t *agent_dial_make(const char *host, guint port,
    gboolean udp, GResolver *resolver, agent_dial_done_pt done, void *data);
static void agent_dial_begin(agent_dial_t *dial);
static const char *agent_dial_why(agent_dial_t *dial, GInetAddress *found);
static gboolean agent_dial_start(gpointer data);
static void agent_dial_resolved(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_dial_add(agent_dial_t *dial, GInetAddress *address);
static void agent_dial_next(agent_dial_t *dial);
static void agent_dial_connected(GObject *source, GAsyncResult *result,
    gpointer data);
static gboolean agent_dial_late(gpointer data);
static void agent_dial_note(agent_dial_t *dial, agent_dial_e verdict,
    const char *why);
static void agent_dial_say(agent_dial_t *dial, int fd);
static void agent_dial_stop(agent_dial_t *dial);
static void agent_dial_clear(gpointer data);


agent_dial_t *
agent_dial_new(const agent_targets_t *targets, const char *host, guint port,
    gboolean udp, GResolver *resolver, agent_dial_done_pt done, void *data)
{
    agent_dial_t  *dial;

    dial = agent_dial_make(host, port, udp, resolver, done, data);
    dial->targets = targets;
    agent_dial_begin(dial);

    return dial;
}


agent_dial_t *
agent_dial_check(const char *host, guint port, GResolver *resolver,
    agent_dial_check_pt check, agent_dial_done_pt done, void *data)
{
    agent_dial_t  *dial;

    dial = agent_dial_make(host, port, FALSE, resolver, done, data);
    dial->check = check;
    agent_dial_begin(dial);

    return dial;
}


static agent_dial_t *
agent_dial_make(const char *host, guint port, gboolean udp,
    GResolver *resolver, agent_dial_done_pt done, void *data)
{
    agent_dial_t  *dial;

    dial = g_rc_box_new0(agent_dial_t);
    dial->resolver = (resolver != NULL) ? g_object_ref(resolver)
                                        : g_resolver_get_default();
    dial->host = g_strdup(host);
    dial->done = done;
    dial->data = data;
    dial->cancel = g_cancellable_new();
    dial->timer = g_timeout_add_seconds(AGENT_DIAL_S, agent_dial_late, dial);
    dial->work = g_idle_add_full(G_PRIORITY_DEFAULT, agent_dial_start, dial,
                                 NULL);

    if (rs_target_parse(rs_str(dial->host), port, udp, &dial->target)
        != RS_OK)
    {
        agent_dial_note(dial, AGENT_DIAL_REFUSED, "is no host and port");
    }

    return dial;
}


static void
agent_dial_begin(agent_dial_t *dial)
{
    const char  *why;

    why = (dial->why == NULL) ? agent_dial_why(dial, NULL) : NULL;

    if (why != NULL) {
        agent_dial_note(dial, AGENT_DIAL_REFUSED, why);
    }
}


/* found: NULL: before the look-up */

static const char *
agent_dial_why(agent_dial_t *dial, GInetAddress *found)
{
    rs_target_e  verdict;

    if (dial->check != NULL) {
        return dial->check(dial->data, &dial->target, found);
    }

    if (found == NULL) {
        return agent_targets_hopeful(dial->targets, &dial->target)
               ? NULL : rs_target_why(RS_TARGET_UNLISTED);
    }

    verdict = agent_targets_check(dial->targets, &dial->target, found,
                                  agent_network_own);

    return (verdict == RS_TARGET_ALLOWED) ? NULL : rs_target_why(verdict);
}


static gboolean
agent_dial_start(gpointer data)
{
    agent_dial_t      *dial = data;
    g_autofree char   *name = NULL;

    dial->work = 0;

    if (dial->why != NULL) {
        agent_dial_say(dial, -1);
        return G_SOURCE_REMOVE;
    }

    if (dial->target.name.len == 0) {
        g_autoptr(GInetAddress)  address = NULL;

        address = g_inet_address_new_from_bytes(dial->target.ip.b,
                                                dial->target.ip.len
                                                == RS_IP_V4
                                                ? G_SOCKET_FAMILY_IPV4
                                                : G_SOCKET_FAMILY_IPV6);
        agent_dial_add(dial, address);
        agent_dial_next(dial);

        return G_SOURCE_REMOVE;
    }

    name = g_strndup((const char *) dial->target.name.data,
                     dial->target.name.len);
    g_resolver_lookup_by_name_async(dial->resolver, name, dial->cancel,
                                    agent_dial_resolved,
                                    g_rc_box_acquire(dial));

    return G_SOURCE_REMOVE;
}


static void
agent_dial_resolved(GObject *source, GAsyncResult *result, gpointer data)
{
    GList                *list, *link;
    agent_dial_t         *dial = data;
    g_autoptr(GError)     error = NULL;

    list = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result,
                                            &error);
    if (dial->done != NULL) {

        if (list == NULL) {
            agent_dial_note(dial, AGENT_DIAL_UNREACHABLE, error->message);
        }

        for (link = list; link != NULL; link = link->next) {
            agent_dial_add(dial, link->data);
        }

        agent_dial_next(dial);
    }

    g_resolver_free_addresses(list);
    g_rc_box_release_full(dial, agent_dial_clear);
}


static void
agent_dial_add(agent_dial_t *dial, GInetAddress *address)
{
    const char        *why;
    g_autofree char   *text = NULL;
    g_autofree char   *both = NULL;

    why = agent_dial_why(dial, address);

    if (why != NULL) {
        text = g_inet_address_to_string(address);
        both = (dial->target.name.len != 0)
               ? g_strdup_printf("is %s, which %s", text, why)
               : g_strdup(why);
        agent_dial_note(dial, AGENT_DIAL_REFUSED, both);
        return;
    }

    if (g_queue_get_length(&dial->addresses) < AGENT_DIAL_ADDRESSES) {
        g_queue_push_tail(&dial->addresses, g_object_ref(address));
    }
}


static void
agent_dial_next(agent_dial_t *dial)
{
    g_autoptr(GError)           error = NULL;
    g_autoptr(GSocket)          socket = NULL;
    g_autoptr(GInetAddress)     address = NULL;
    g_autoptr(GSocketAddress)   there = NULL;

    g_clear_object(&dial->connection);
    address = g_queue_pop_head(&dial->addresses);

    if (address == NULL) {
        agent_dial_say(dial, -1);
        return;
    }

    there = g_inet_socket_address_new(address, (guint16) dial->target.port);
    socket = g_socket_new(g_inet_address_get_family(address),
                          dial->target.udp ? G_SOCKET_TYPE_DATAGRAM
                                           : G_SOCKET_TYPE_STREAM,
                          G_SOCKET_PROTOCOL_DEFAULT, &error);

    if (socket == NULL) {
        agent_dial_note(dial, AGENT_DIAL_UNREACHABLE, error->message);
        agent_dial_next(dial);
        return;
    }

    g_socket_set_timeout(socket, AGENT_DIAL_TRY_S);
    dial->connection = g_socket_connection_factory_create_connection(socket);
    g_socket_connection_connect_async(dial->connection, there, dial->cancel,
                                      agent_dial_connected,
                                      g_rc_box_acquire(dial));
}


static void
agent_dial_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    int                  fd;
    gboolean             done;
    agent_dial_t        *dial = data;
    g_autoptr(GError)    error = NULL;

    done = g_socket_connection_connect_finish(G_SOCKET_CONNECTION(source),
                                              result, &error);
    if (dial->done == NULL) {
        goto gone;
    }

    if (!done) {
        agent_dial_note(dial, AGENT_DIAL_UNREACHABLE, error->message);
        agent_dial_next(dial);
        goto gone;
    }

    fd = fcntl(g_socket_get_fd(g_socket_connection_get_socket(
                                   dial->connection)),
               F_DUPFD_CLOEXEC, 0);

    if (fd == -1) {
        agent_dial_note(dial, AGENT_DIAL_UNREACHABLE, "no descriptor is left");
    }

    agent_dial_say(dial, fd);

gone:

    g_rc_box_release_full(dial, agent_dial_clear);
}


static gboolean
agent_dial_late(gpointer data)
{
    agent_dial_t  *dial = data;

    dial->timer = 0;
    agent_dial_note(dial, AGENT_DIAL_UNREACHABLE, "no answer in time");
    agent_dial_say(dial, -1);

    return G_SOURCE_REMOVE;
}


/* one that could be tried and was not reached says more than one refused */

static void
agent_dial_note(agent_dial_t *dial, agent_dial_e verdict, const char *why)
{
    if (dial->why == NULL || verdict == AGENT_DIAL_UNREACHABLE) {
        dial->verdict = verdict;
        g_free(dial->why);
        dial->why = g_strdup(why);
    }
}


static void
agent_dial_say(agent_dial_t *dial, int fd)
{
    agent_dial_done_pt  done = dial->done;

    if (done == NULL) {
        return;
    }

    g_rc_box_acquire(dial);
    agent_dial_stop(dial);
    done(dial->data, (fd != -1) ? AGENT_DIAL_CONNECTED : dial->verdict, fd,
         (fd != -1 || dial->why == NULL) ? "" : dial->why);
    g_rc_box_release_full(dial, agent_dial_clear);
}


/* the owner's reference goes */

static void
agent_dial_stop(agent_dial_t *dial)
{
    dial->done = NULL;
    g_clear_handle_id(&dial->timer, g_source_remove);
    g_clear_handle_id(&dial->work, g_source_remove);
    g_cancellable_cancel(dial->cancel);
    g_rc_box_release_full(dial, agent_dial_clear);
}


void
agent_dial_free(agent_dial_t *dial)
{
    agent_dial_stop(dial);
}


static void
agent_dial_clear(gpointer data)
{
    agent_dial_t  *dial = data;

    g_queue_clear_full(&dial->addresses, g_object_unref);
    g_clear_object(&dial->connection);
    g_object_unref(dial->cancel);
    g_object_unref(dial->resolver);
    g_free(dial->host);
    g_free(dial->why);
}
