
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The way out of a browser's namespace: what is refused and with which words,
 * a name that leads elsewhere the second time, bytes in both directions with
 * their ends, and the bounds.  DNS is the test's own; what may be reached is a
 * server of this process.
 */

#include "../../agent/t/tap.h"
#include "render_egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define DEADLINE_S  10
#define BIG         (4 * 1024 * 1024)


/* ---- DNS */

#define TEST_TYPE_RESOLVER  (test_resolver_get_type())

G_DECLARE_FINAL_TYPE(TestResolver, test_resolver, TEST, RESOLVER, GResolver)

struct _TestResolver {
    GResolver    parent;
    guint        asked;
    const char  *answers;               /* with blanks between them */
    const char  *later;                 /* from the second time on; or NULL */
};

G_DEFINE_TYPE(TestResolver, test_resolver, G_TYPE_RESOLVER)


static void
test_resolver_ask(GResolver *resolver, const char *name, GCancellable *cancel,
    GAsyncReadyCallback answered, gpointer data)
{
    GTask         *task = g_task_new(resolver, cancel, answered, data);
    TestResolver  *self = TEST_RESOLVER(resolver);

    (void) name;

    g_task_return_pointer(task, (gpointer) ((self->asked++ > 0
                                             && self->later != NULL)
                                            ? self->later : self->answers),
                          NULL);
    g_object_unref(task);
}


static GList *
test_resolver_answer(GResolver *resolver, GAsyncResult *result,
    GError **error)
{
    guint             i;
    char             *text;
    GList            *list = NULL;
    g_auto(GStrv)     words = NULL;

    (void) resolver;

    text = g_task_propagate_pointer(G_TASK(result), error);
    words = g_strsplit(text != NULL ? text : "", " ", -1);

    for (i = 0; words[i] != NULL && words[i][0] != '\0'; i++) {
        list = g_list_append(list, g_inet_address_new_from_string(words[i]));
    }

    if (list == NULL && error != NULL && *error == NULL) {
        g_set_error_literal(error, G_RESOLVER_ERROR,
                            G_RESOLVER_ERROR_NOT_FOUND, "no such name");
    }

    return list;
}


static void
test_resolver_class_init(TestResolverClass *class)
{
    G_RESOLVER_CLASS(class)->lookup_by_name_async = test_resolver_ask;
    G_RESOLVER_CLASS(class)->lookup_by_name_finish = test_resolver_answer;
}


static void
test_resolver_init(TestResolver *self)
{
    self->answers = "";
}


/* ---- the world, and the way to it */

typedef struct {
    TestResolver     *resolver;
    rs_egress_t       rules;
    render_egress_t  *egress;
    guint             port;             /* where SOCKS is spoken */
    int               server;           /* what may be reached */
    guint             served;           /* its port */
    guint             refused;
    char             *host;             /* the last one */
    char             *why;
    rs_egress_e       verdict;
    int               inside;           /* the last one; or -1 */
} way_t;


static int
listening(guint *port)
{
    int                  fd;
    socklen_t            len;
    struct sockaddr_in   sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *) &sin, len) == -1
        || listen(fd, 64) == -1
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1)
    {
        g_error("loopback: %s", g_strerror(errno));
    }

    *port = ntohs(sin.sin_port);

    return fd;
}


static int
connected(guint port)
{
    int                  fd;
    struct sockaddr_in   sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons((guint16) port);

    fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        g_error("connect: %s", g_strerror(errno));
    }

    (void) g_unix_set_fd_nonblocking(fd, TRUE, NULL);

    return fd;
}


static gboolean
tick(gint64 since)
{
    if (!g_main_context_iteration(NULL, FALSE)) {
        g_usleep(500);
    }

    return g_get_monotonic_time() - since < DEADLINE_S * G_USEC_PER_SEC;
}


/* up to len bytes, as many as come before the end: how many */

static gsize
reading(int fd, void *bytes, gsize len)
{
    gsize    have = 0;
    gint64   since = g_get_monotonic_time();
    ssize_t  n;

    while (have < len && tick(since)) {
        n = recv(fd, (char *) bytes + have, len - have, 0);

        if (n == 0 || (n == -1 && errno != EAGAIN)) {
            break;
        }

        have += (n > 0) ? (gsize) n : 0;
    }

    return have;
}


static gboolean
ended(int fd)
{
    char     byte;
    gint64   since = g_get_monotonic_time();
    ssize_t  n;

    do {
        n = recv(fd, &byte, 1, 0);

        if (n == 0 || (n == -1 && errno != EAGAIN)) {
            return TRUE;
        }

    } while (n == -1 && tick(since));

    return FALSE;
}


static int
accepted(way_t *w)
{
    int     fd;
    gint64  since = g_get_monotonic_time();

    do {
        fd = accept4(w->server, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK);
    } while (fd == -1 && tick(since));

    return fd;
}


static void
on_refused(void *data, const char *host, guint port, rs_egress_e verdict,
    const char *why)
{
    way_t  *w = data;

    (void) port;

    w->refused++;
    w->verdict = verdict;
    g_free(w->host);
    g_free(w->why);
    w->host = g_strdup(host);
    w->why = g_strdup(why);
}


static void
on_inside(void *data, int fd)
{
    way_t  *w = data;

    w->inside = fd;
}


static way_t *
way_new(const char *allow, guint connections)
{
    int                            fd;
    way_t                         *w;
    const char                    *cure;
    render_egress_policy_t         policy;
    g_autofree char               *own = NULL;

    static render_egress_events_t  events = { on_refused, on_inside };

    w = g_new0(way_t, 1);
    w->inside = -1;
    w->server = listening(&w->served);
    w->resolver = g_object_new(TEST_TYPE_RESOLVER, NULL);
    own = g_strdup_printf("127.0.0.1:%u %s", w->served, allow);

    rs_egress_init(&w->rules);
    g_assert(rs_egress_add(&w->rules, RS_STR("allow"), rs_str(own), &cure)
             == RS_OK);

    memset(&policy, 0, sizeof(policy));
    policy.rules = &w->rules;
    policy.connections = connections;
    policy.resolver = G_RESOLVER(w->resolver);

    fd = listening(&w->port);
    w->egress = render_egress_new(&policy, fd, &events, w);

    return w;
}


static void
way_free(way_t *w)
{
    render_egress_free(w->egress);
    (void) close(w->server);

    if (w->inside != -1) {
        (void) close(w->inside);
    }

    g_object_unref(w->resolver);
    g_free(w->host);
    g_free(w->why);
    g_free(w);
}


/* a client that has asked for host; *reply: what it was told, or -1 */

static int
asked(way_t *w, const char *host, guint port, int *reply)
{
    int     fd;
    guint8  bytes[300];
    gsize   len = strlen(host);

    fd = connected(w->port);
    g_assert(send(fd, "\x05\x01\x00", 3, 0) == 3);

    *reply = -1;

    if (reading(fd, bytes, 2) != 2 || memcmp(bytes, "\x05\x00", 2) != 0) {
        return fd;
    }

    memcpy(bytes, "\x05\x01\x00\x03", 4);
    bytes[4] = (guint8) len;
    memcpy(bytes + 5, host, len);
    bytes[5 + len] = (guint8) (port >> 8);
    bytes[6 + len] = (guint8) port;
    g_assert(send(fd, bytes, 7 + len, 0) == (ssize_t) (7 + len));

    if (reading(fd, bytes, 10) == 10) {
        *reply = bytes[1];
    }

    return fd;
}


static void
denied(way_t *w, const char *host, guint port, rs_egress_e want)
{
    int    fd, reply;
    guint  before = w->refused;

    fd = asked(w, host, port, &reply);
    ok(reply == 2 && w->refused == before + 1 && w->verdict == want,
       "%s:%u is refused: %s", host, port, rs_egress_code(want));

    if (w->verdict != want || reply != 2) {
        printf("#   reply %d, %s: %s\n", reply, rs_egress_code(w->verdict),
               w->why ? w->why : "");
    }

    ok(ended(fd), "... and its connection is closed");
    (void) close(fd);
}


static void
test_refused(void)
{
    way_t  *w = way_new("", 0);

    denied(w, "127.0.0.1", 80, RS_EGRESS_SELF);
    denied(w, "::1", 80, RS_EGRESS_SELF);
    denied(w, "::ffff:127.0.0.1", 80, RS_EGRESS_SELF);
    denied(w, "169.254.169.254", 80, RS_EGRESS_NEVER);
    denied(w, "10.11.12.13", 443, RS_EGRESS_PRIVATE);
    denied(w, "fd00::1", 443, RS_EGRESS_PRIVATE);
    denied(w, "9.9.9.9", 25, RS_EGRESS_PORT);
    denied(w, "0x7f000001", 80, RS_EGRESS_INVALID);
    denied(w, "127.1", 80, RS_EGRESS_INVALID);
    denied(w, "a b\x7f", 80, RS_EGRESS_INVALID);
    is_str(w->host, "a?b?", "and nobody's log breaks");

    is_int(w->resolver->asked, 0, "nothing of that was looked up");

    w->resolver->answers = "10.0.0.1";
    denied(w, "rebind.example", 80, RS_EGRESS_PRIVATE);
    is_str(w->why, "is 10.0.0.1, which is not of the internet, nor in "
           "[egress] allow of render.conf", "... in these words");

    w->resolver->answers = "127.0.0.1";
    denied(w, "localhost", 8080, RS_EGRESS_SELF);
    w->resolver->answers = "169.254.169.254 fd00:ec2::254";
    denied(w, "metadata.example", 80, RS_EGRESS_NEVER);

    w->resolver->asked = 0;
    denied(w, "mail.example", 25, RS_EGRESS_PORT);
    is_int(w->resolver->asked, 0, "a port is refused before a look-up");

    way_free(w);
}


/* the second answer is never asked for: what was checked is connected to */

static void
test_rebinding(void)
{
    int     fd, there, reply;
    way_t  *w = way_new("pinned.example 127.0.0.1", 0);

    w->rules.nports = 1;
    w->rules.ports[0].first = 1;
    w->rules.ports[0].last = 65535;
    w->resolver->answers = "10.0.0.1 127.0.0.1";
    w->resolver->later = "169.254.169.254";

    fd = asked(w, "two.example", w->served, &reply);
    is_int(reply, 0, "of two addresses the one that is allowed is taken");
    is_int(w->resolver->asked, 1, "... after one look-up");

    there = accepted(w);
    ok(there != -1, "... and it is reached");

    (void) close(there);
    (void) close(fd);

    denied(w, "two.example", w->served, RS_EGRESS_NEVER);
    is_int(w->resolver->asked, 2, "the next connection looks up anew");

    w->resolver->later = "127.0.0.1";
    w->rules.nallow = 2;
    denied(w, "pinned.example", 80, RS_EGRESS_SELF);

    way_free(w);
}


static void
test_bytes(void)
{
    int                     fd, there, reply;
    gsize                   sent, i;
    gint64                  since = g_get_monotonic_time();
    ssize_t                 n;
    way_t                  *w = way_new("", 0);
    g_autofree guint8      *out = g_malloc(BIG);
    g_autofree guint8      *in = g_malloc(BIG);
    render_egress_stats_t   stats;

    for (i = 0; i < BIG; i++) {
        out[i] = (guint8) (i * 31 + i / 251);
    }

    fd = asked(w, "127.0.0.1", w->served, &reply);
    is_int(reply, 0, "a listed address of this machine is reached");
    there = accepted(w);

    sent = 0;
    i = 0;

    while (i < BIG && tick(since)) {
        n = (sent < BIG) ? send(fd, out + sent, BIG - sent, MSG_NOSIGNAL) : 0;
        sent += (n > 0) ? (gsize) n : 0;
        n = recv(there, in + i, BIG - i, 0);
        i += (n > 0) ? (gsize) n : 0;
    }

    ok(i == BIG && memcmp(in, out, BIG) == 0, "4 MiB go through as they are");

    (void) shutdown(fd, SHUT_WR);
    ok(ended(there), "an end is passed on");
    g_assert(send(there, "late", 4, 0) == 4);
    ok(reading(fd, in, 4) == 4 && memcmp(in, "late", 4) == 0,
       "... and the other direction goes on");

    (void) close(there);
    ok(ended(fd), "... until it ends, too");
    (void) close(fd);

    for (i = 0; i < 10; i++) {
        (void) tick(since);
    }

    render_egress_stats(w->egress, &stats);
    ok(stats.opened == 1 && stats.sent >= BIG && stats.received == 4,
       "it is counted: %" G_GUINT64_FORMAT " connections, %" G_GUINT64_FORMAT
       " bytes out, %" G_GUINT64_FORMAT " in", stats.opened, stats.sent,
       stats.received);

    fd = asked(w, "127.0.0.1", w->served, &reply);
    there = accepted(w);
    render_egress_free(w->egress);
    w->egress = NULL;
    ok(ended(fd) && ended(there), "nothing outlives it");
    (void) close(fd);
    (void) close(there);

    way_free(w);
}


static void
test_inside(void)
{
    int     fd, reply;
    char    text[6];
    way_t  *w = way_new("", 0);

    fd = asked(w, "Documents.rs.internal", 80, &reply);
    ok(reply == 0 && w->inside != -1, "the session's own pages are served");
    is_int(w->resolver->asked, 0, "... and never looked up");

    g_assert(send(w->inside, "hello", 5, 0) == 5);
    ok(reading(fd, text, 5) == 5 && memcmp(text, "hello", 5) == 0,
       "... over the browser's connection");
    (void) close(fd);

    fd = asked(w, "documents.rs.internal", 443, &reply);
    is_int(reply, 5, "they have one port");
    (void) close(fd);

    w->resolver->answers = "10.0.0.1";
    denied(w, "x.documents.rs.internal", 80, RS_EGRESS_PRIVATE);

    way_free(w);
}


static void
test_bounds(void)
{
    int      a, b, c, reply;
    guint8   bytes[10];
    guint    i;
    way_t   *w = way_new("", 2);

    a = connected(w->port);
    b = connected(w->port);
    c = connected(w->port);
    g_assert(send(c, "\x05\x01\x00", 3, 0) == 3);

    for (i = 0; i < 50; i++) {
        (void) tick(g_get_monotonic_time());
    }

    ok(recv(c, bytes, 2, 0) == -1 && errno == EAGAIN,
       "of two at once, the third waits");
    (void) close(a);
    is_int((gint64) reading(c, bytes, 2), 2, "... until one is gone");
    (void) close(c);

    g_assert(send(b, "GET / HTTP/1.1\r\n", 16, 0) == 16);
    ok(ended(b), "what is no SOCKS is closed");
    (void) close(b);

    b = connected(w->port);
    g_assert(send(b, "\x05\x01\x02", 3, 0) == 3);
    ok(reading(b, bytes, 2) == 2 && bytes[1] == 0xff && ended(b),
       "so is who wants to authenticate");
    (void) close(b);

    b = connected(w->port);
    g_assert(send(b, "\x05\x01\x00\x05\x03\x00\x01\x01\x01\x01\x01\0\x35", 13,
                  0) == 13);
    ok(reading(b, bytes, 2) == 2 && reading(b, bytes, 10) == 10
       && bytes[1] == 7 && ended(b), "UDP is not supported");
    (void) close(b);

    b = asked(w, "127.0.0.1", 1, &reply);
    is_int(reply, 2, "another port of a listed address is not listed");
    (void) close(b);

    (void) close(w->server);
    w->server = -1;
    b = asked(w, "127.0.0.1", w->served, &reply);
    is_int(reply, 4, "nobody there: unreachable");
    (void) close(b);

    way_free(w);
}


int
main(void)
{
    test_refused();
    test_rebinding();
    test_bytes();
    test_inside();
    test_bounds();

    return done();
}
