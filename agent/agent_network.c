
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the netlink socket and the clock that sees sleep.
 *
 * What netlink says is not read: it is the sign to look at the addresses of
 * interfaces that run, a moment later, for a change is many messages.
 * Routers repeat themselves, so only another set of addresses counts.
 *
 * Sleep is a timer that comes much too late, by the clock that goes on while
 * the machine is suspended.  A process that was stopped is told the same.
 */

#define G_LOG_DOMAIN  "rs-network"

#include "agent_network.h"

#include <glib-unix.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define AGENT_NETWORK_SETTLE_MS  250
#define AGENT_NETWORK_TICK_S     5
#define AGENT_NETWORK_LATE_S     10     /* more than a busy machine's */


struct agent_network_s {
    void       (*changed)(void *data, agent_network_e what);
    void        *data;

    int          fd;                /* -1: no netlink */
    guint        watch;
    guint        settle;
    guint        tick;
    gint64       tick_us;           /* of the clock that never stops */
    GPtrArray   *addresses;         /* in order */
};


static int agent_network_open(void);
static gboolean agent_network_readable(gint fd, GIOCondition condition,
    gpointer data);
static gboolean agent_network_settled(gpointer data);
static gboolean agent_network_ticked(gpointer data);
static GPtrArray *agent_network_addresses(void);
static gboolean agent_network_usable(const struct ifaddrs *ifa);
static gint64 agent_network_clock(void);
static gint agent_network_order(gconstpointer a, gconstpointer b);


agent_network_t *
agent_network_new(void (*changed)(void *data, agent_network_e what),
    void *data)
{
    agent_network_t  *network;

    network = g_new0(agent_network_t, 1);
    network->changed = changed;
    network->data = data;
    network->fd = agent_network_open();

    if (network->fd != -1) {
        network->watch = g_unix_fd_add(network->fd,
                                       G_IO_IN|G_IO_ERR|G_IO_HUP,
                                       agent_network_readable, network);
    }

    network->addresses = agent_network_addresses();
    network->tick_us = agent_network_clock();
    network->tick = g_timeout_add_seconds(AGENT_NETWORK_TICK_S,
                                          agent_network_ticked, network);

    return network;
}


void
agent_network_free(agent_network_t *network)
{
    g_clear_handle_id(&network->watch, g_source_remove);
    g_clear_handle_id(&network->settle, g_source_remove);
    g_clear_handle_id(&network->tick, g_source_remove);

    if (network->fd != -1) {
        (void) close(network->fd);
    }

    g_ptr_array_unref(network->addresses);
    g_free(network);
}


static int
agent_network_open(void)
{
    int                 fd;
    struct sockaddr_nl  addr = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK|RTMGRP_IPV4_IFADDR|RTMGRP_IPV6_IFADDR
    };

    fd = socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC|SOCK_NONBLOCK,
                NETLINK_ROUTE);

    if (fd != -1 && bind(fd, (struct sockaddr *) &addr, sizeof(addr)) == 0) {
        return fd;
    }

    g_warning("changes of this machine's addresses are not seen, for "
              "netlink is refused: %s", g_strerror(errno));

    if (fd != -1) {
        (void) close(fd);
    }

    return -1;
}


static gboolean
agent_network_readable(gint fd, GIOCondition condition, gpointer data)
{
    char              buf[8192];
    ssize_t           n;
    agent_network_t  *network = data;

    (void) condition;

    /* ENOBUFS: some were lost, which is a sign as good as any */

    do {
        n = recv(fd, buf, sizeof(buf), 0);
    } while (n > 0 || (n == -1 && (errno == EINTR || errno == ENOBUFS)));

    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        g_warning("changes of this machine's addresses are not seen any "
                  "more: %s", g_strerror(n == 0 ? EPIPE : errno));
        network->watch = 0;
        return G_SOURCE_REMOVE;
    }

    if (network->settle == 0) {
        network->settle = g_timeout_add(AGENT_NETWORK_SETTLE_MS,
                                        agent_network_settled, network);
    }

    return G_SOURCE_CONTINUE;
}


static gboolean
agent_network_settled(gpointer data)
{
    gboolean          other;
    GPtrArray        *now;
    agent_network_e   what;
    agent_network_t  *network = data;

    network->settle = 0;

    now = agent_network_addresses();
    other = agent_network_compare(network->addresses, now, &what);

    g_ptr_array_unref(network->addresses);
    network->addresses = now;

    if (other) {
        g_message("this machine's addresses have changed%s",
                  what == AGENT_NETWORK_LOST ? ", some are gone" : "");
        network->changed(network->data, what);
    }

    return G_SOURCE_REMOVE;
}


static gboolean
agent_network_ticked(gpointer data)
{
    gint64            now_us, late_s;
    agent_network_t  *network = data;

    now_us = agent_network_clock();
    late_s = (now_us - network->tick_us) / G_USEC_PER_SEC
             - AGENT_NETWORK_TICK_S;
    network->tick_us = now_us;

    if (late_s >= AGENT_NETWORK_LATE_S) {
        g_message("slept for %" G_GINT64_FORMAT " s", late_s);
        network->changed(network->data, AGENT_NETWORK_SLEPT);
    }

    return G_SOURCE_CONTINUE;
}


static gint64
agent_network_clock(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_BOOTTIME, &ts) == -1) {
        return g_get_monotonic_time();
    }

    return (gint64) ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000;
}


static gint
agent_network_order(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}


/* those that carry something to others; link-local ones come and go */

static gboolean
agent_network_usable(const struct ifaddrs *ifa)
{
    const struct sockaddr_in6  *sin6;

    if (ifa->ifa_addr == NULL
        || (ifa->ifa_flags & (IFF_UP|IFF_RUNNING)) != (IFF_UP|IFF_RUNNING)
        || (ifa->ifa_flags & IFF_LOOPBACK))
    {
        return FALSE;
    }

    if (ifa->ifa_addr->sa_family == AF_INET6) {
        sin6 = (const struct sockaddr_in6 *) (const void *) ifa->ifa_addr;
        return !IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr);
    }

    return ifa->ifa_addr->sa_family == AF_INET;
}


static GPtrArray *
agent_network_addresses(void)
{
    char             text[INET6_ADDRSTRLEN];
    GPtrArray       *list;
    const void      *addr;
    struct ifaddrs  *all, *ifa;

    list = g_ptr_array_new_with_free_func(g_free);

    if (getifaddrs(&all) == -1) {
        return list;
    }

    for (ifa = all; ifa != NULL; ifa = ifa->ifa_next) {

        if (!agent_network_usable(ifa)) {
            continue;
        }

        addr = (ifa->ifa_addr->sa_family == AF_INET)
               ? (const void *) &((const struct sockaddr_in *)
                                  (const void *) ifa->ifa_addr)->sin_addr
               : (const void *) &((const struct sockaddr_in6 *)
                                  (const void *) ifa->ifa_addr)->sin6_addr;

        if (inet_ntop(ifa->ifa_addr->sa_family, addr, text, sizeof(text))
            != NULL)
        {
            g_ptr_array_add(list, g_strdup(text));
        }
    }

    freeifaddrs(all);
    g_ptr_array_sort(list, agent_network_order);

    return list;
}


gboolean
agent_network_compare(GPtrArray *before, GPtrArray *after,
    agent_network_e *what)
{
    int       order;
    guint     i, j;
    gboolean  gained, lost;

    gained = FALSE;
    lost = FALSE;
    i = 0;
    j = 0;

    while (i < before->len || j < after->len) {
        order = (i == before->len) ? 1
                : (j == after->len) ? -1
                : strcmp(g_ptr_array_index(before, i),
                         g_ptr_array_index(after, j));

        gained = gained || order > 0;
        lost = lost || order < 0;

        i += (order <= 0);
        j += (order >= 0);
    }

    *what = lost ? AGENT_NETWORK_LOST : AGENT_NETWORK_GAINED;

    return gained || lost;
}


gboolean
agent_network_own(GInetAddress *address)
{
    int                           fd;
    gssize                        size;
    gboolean                      own;
    struct sockaddr_storage       sa;
    g_autoptr(GSocketAddress)     any = NULL;

    /* what is not this machine's cannot be bound to */

    any = g_inet_socket_address_new(address, 0);
    size = g_socket_address_get_native_size(any);

    if (size < 0 || (gsize) size > sizeof(sa)
        || !g_socket_address_to_native(any, &sa, sizeof(sa), NULL))
    {
        return TRUE;
    }

    fd = socket(sa.ss_family, SOCK_DGRAM|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return TRUE;
    }

    own = bind(fd, (struct sockaddr *) &sa, (socklen_t) size) == 0
          || errno != EADDRNOTAVAIL;
    (void) close(fd);

    return own;
}
