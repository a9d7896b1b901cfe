
/*
 * Copyright (C) rs-gateway contributors
 *
 * Redis listeners.
 */


#include "turn_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "turn_log.h"


struct turn_connection_s {
    TAILQ_ENTRY(turn_connection_s)   entry;
    turn_server_t                   *server;
    struct bufferevent              *bev;
    struct evbuffer                 *answers;   /* not handed to it yet */
    struct event                    *timer;     /* to authorize, to close */
    struct event                    *later;     /* answers; NULL: at once */
    rs_resp_t                        parser;
    unsigned                         decided:1; /* first command seen */
    unsigned                         guard:1;
    unsigned                         authorized:1;
    unsigned                         closing:1; /* when all is written */
};

TAILQ_HEAD(turn_connections_s, turn_connection_s);


struct turn_server_s {
    struct event_base               *base;
    struct evconnlistener           *listener;
    struct event                    *resume;    /* after EMFILE */
    struct turn_connections_s        connections;   /* oldest first */
    turn_server_handler_t            handler;
    turn_server_stats_t              stats;
    turn_log_limit_t                 limit_accept;
    turn_log_limit_t                 limit_auth;
    turn_log_limit_t                 limit_bad;
    unsigned                         max;
    size_t                           password_len;
    uint8_t                          password[TURN_CONF_SECRET_MAX];
};


static void turn_server_on_accept(struct evconnlistener *l,
    evutil_socket_t fd, struct sockaddr *addr, int len, void *data);
static void turn_server_on_accept_error(struct evconnlistener *l, void *data);
static void turn_server_on_resume(evutil_socket_t fd, short what, void *data);
static int turn_server_shed(turn_server_t *s);

static turn_connection_t *turn_connection_create(turn_server_t *s,
    evutil_socket_t fd);
static void turn_connection_free(turn_connection_t *c);
static void turn_connection_on_read(struct bufferevent *bev, void *data);
static void turn_connection_on_write(struct bufferevent *bev, void *data);
static void turn_connection_on_event(struct bufferevent *bev, short what,
    void *data);
static void turn_connection_on_timer(evutil_socket_t fd, short what,
    void *data);
static void turn_connection_on_later(evutil_socket_t fd, short what,
    void *data);
static void turn_connection_process(turn_connection_t *c);
static size_t turn_connection_flush(turn_connection_t *c);
static int turn_connection_request(turn_connection_t *c, rs_resp_e rc);
static int turn_connection_first(turn_connection_t *c);
static int turn_connection_auth(turn_connection_t *c);


static const struct timeval  turn_server_later = { 0, TURN_SERVER_LATER };

static const struct timeval  turn_server_patience = {
    TURN_SERVER_AUTH_TIME, 0
};


turn_server_t *
turn_server_create(struct event_base *base, const turn_conf_addr_t *addr,
    rs_str_t password, unsigned max, const turn_server_handler_t *handler,
    char *error)
{
    int             on;
    evutil_socket_t fd;
    turn_server_t  *s;

    s = calloc(1, sizeof(turn_server_t));

    if (s == NULL || password.len > sizeof(s->password)) {
        free(s);
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");
        return NULL;
    }

    TAILQ_INIT(&s->connections);
    s->base = base;
    s->max = max;
    s->handler = *handler;
    s->password_len = password.len;
    memcpy(s->password, password.data, password.len);

    s->resume = evtimer_new(base, turn_server_on_resume, s);

    s->listener = evconnlistener_new_bind(base, turn_server_on_accept, s,
                                          LEV_OPT_CLOSE_ON_FREE
                                          |LEV_OPT_CLOSE_ON_EXEC
                                          |LEV_OPT_REUSEABLE,
                                          -1,
                                          (const struct sockaddr *)
                                              &addr->addr,
                                          (int) addr->len);

    if (s->listener == NULL || s->resume == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX,
                        "%s_listen = \"%s\": %s: is another one running, or "
                        "does Redis listen there?", handler->what,
                        addr->text, strerror(errno));
        turn_server_free(s);
        return NULL;
    }

    /* accepted sockets inherit it */

    on = 1;
    fd = evconnlistener_get_fd(s->listener);
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    evconnlistener_set_error_cb(s->listener, turn_server_on_accept_error);

    return s;
}


void
turn_server_free(turn_server_t *s)
{
    if (s == NULL) {
        return;
    }

    while (!TAILQ_EMPTY(&s->connections)) {
        turn_connection_free(TAILQ_FIRST(&s->connections));
    }

    if (s->listener) {
        evconnlistener_free(s->listener);
    }

    if (s->resume) {
        event_free(s->resume);
    }

    OPENSSL_cleanse(s->password, sizeof(s->password));
    free(s);
}


const turn_server_stats_t *
turn_server_stats(const turn_server_t *s)
{
    return &s->stats;
}


static void
turn_server_on_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *addr, int len, void *data)
{
    turn_server_t      *s = data;
    turn_connection_t  *c;

    (void) l;
    (void) addr;
    (void) len;

    s->stats.accepted++;

    if (s->stats.connections >= s->max && !turn_server_shed(s)) {
        turn_log_limited(&s->limit_accept, TURN_LOG_WARN,
                         "%s: all %u connections are taken: raise "
                         "max_connections above the threads of coturn",
                         s->handler.what, s->max);
        s->stats.shed++;
        (void) evutil_closesocket(fd);
        return;
    }

    c = turn_connection_create(s, fd);

    if (c == NULL) {
        turn_log_limited(&s->limit_accept, TURN_LOG_ERR,
                         "%s: no memory for a connection", s->handler.what);
        (void) evutil_closesocket(fd);
    }
}


/* out of files: nothing is gained by asking again at once */

static void
turn_server_on_accept_error(struct evconnlistener *l, void *data)
{
    turn_server_t         *s = data;

    static const struct timeval  second = { 1, 0 };

    turn_log_limited(&s->limit_accept, TURN_LOG_ERR,
                     "%s: cannot accept: %s", s->handler.what,
                     evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));

    (void) evconnlistener_disable(l);
    (void) evtimer_add(s->resume, &second);
}


static void
turn_server_on_resume(evutil_socket_t fd, short what, void *data)
{
    turn_server_t  *s = data;

    (void) fd;
    (void) what;

    (void) evconnlistener_enable(s->listener);
}


static int
turn_server_shed(turn_server_t *s)
{
    turn_connection_t  *c;

    TAILQ_FOREACH(c, &s->connections, entry) {
        if (!c->authorized) {
            s->stats.shed++;
            turn_connection_free(c);
            return 1;
        }
    }

    return 0;
}


static turn_connection_t *
turn_connection_create(turn_server_t *s, evutil_socket_t fd)
{
    turn_connection_t  *c;

    c = calloc(1, sizeof(turn_connection_t));

    if (c == NULL) {
        return NULL;
    }

    c->server = s;
    rs_resp_init(&c->parser);

    c->timer = evtimer_new(s->base, turn_connection_on_timer, c);

    if (c->timer == NULL || evtimer_add(c->timer, &turn_server_patience) != 0) {
        goto failed;
    }

    c->answers = evbuffer_new();

    if (c->answers == NULL) {
        goto failed;
    }

    if (s->handler.tells) {
        c->later = evtimer_new(s->base, turn_connection_on_later, c);

        if (c->later == NULL) {
            goto failed;
        }
    }

    c->bev = bufferevent_socket_new(s->base, fd, 0);

    if (c->bev == NULL) {
        goto failed;
    }

    bufferevent_setcb(c->bev, turn_connection_on_read,
                      turn_connection_on_write, turn_connection_on_event, c);

    /* what a client may send ahead of the answers */

    bufferevent_setwatermark(c->bev, EV_READ, 0, RS_RESP_BYTES_MAX);

    if (bufferevent_enable(c->bev, EV_READ|EV_WRITE) != 0) {
        bufferevent_free(c->bev);
        goto failed;
    }

    TAILQ_INSERT_TAIL(&s->connections, c, entry);
    s->stats.connections++;

    return c;

failed:

    if (c->timer) {
        event_free(c->timer);
    }

    if (c->answers) {
        evbuffer_free(c->answers);
    }

    if (c->later) {
        event_free(c->later);
    }

    free(c);

    return NULL;
}


static void
turn_connection_free(turn_connection_t *c)
{
    evutil_socket_t  fd;

    TAILQ_REMOVE(&c->server->connections, c, entry);
    c->server->stats.connections--;
    c->server->stats.serving -= c->authorized;

    fd = bufferevent_getfd(c->bev);

    event_free(c->timer);
    bufferevent_free(c->bev);
    evbuffer_free(c->answers);

    if (c->later) {
        event_free(c->later);
    }

    (void) evutil_closesocket(fd);

    OPENSSL_cleanse(&c->parser, sizeof(c->parser));
    free(c);
}


static void
turn_connection_on_read(struct bufferevent *bev, void *data)
{
    (void) bev;

    turn_connection_process(data);
}


/* all was written */

static void
turn_connection_on_write(struct bufferevent *bev, void *data)
{
    turn_connection_t  *c = data;

    (void) bev;

    if (c->closing) {
        turn_connection_free(c);
        return;
    }

    turn_connection_process(c);
}


static void
turn_connection_on_event(struct bufferevent *bev, short what, void *data)
{
    (void) bev;

    if (what & (BEV_EVENT_EOF|BEV_EVENT_ERROR)) {
        turn_connection_free(data);
    }
}


static void
turn_connection_on_timer(evutil_socket_t fd, short what, void *data)
{
    turn_connection_t  *c = data;

    (void) fd;
    (void) what;

    if (c->closing) {
        turn_connection_free(c);
        return;
    }

    turn_log_limited(&c->server->limit_auth, TURN_LOG_WARN,
                     "%s: a connection did not say the password within "
                     "%d s", c->server->handler.what, TURN_SERVER_AUTH_TIME);

    turn_connection_free(c);
}


static void
turn_connection_on_later(evutil_socket_t fd, short what, void *data)
{
    turn_connection_t  *c = data;

    (void) fd;
    (void) what;

    if (turn_connection_flush(c) <= TURN_SERVER_OUTPUT_HIGH) {
        (void) bufferevent_enable(c->bev, EV_READ);
    }
}


/* as many requests as there are, while their answers are read */

static void
turn_connection_process(turn_connection_t *c)
{
    size_t                 used;
    rs_resp_e              rc;
    struct evbuffer       *in;
    struct evbuffer_iovec  v;

    in = bufferevent_get_input(c->bev);

    for ( ;; ) {

        if (evbuffer_get_length(c->answers) > TURN_SERVER_OUTPUT_HIGH
            && turn_connection_flush(c) > TURN_SERVER_OUTPUT_HIGH)
        {
            (void) bufferevent_disable(c->bev, EV_READ);
            return;
        }

        if (evbuffer_peek(in, -1, NULL, &v, 1) < 1 || v.iov_len == 0) {
            break;
        }

        rc = rs_resp_parse(&c->parser, v.iov_base, v.iov_len, &used);
        (void) evbuffer_drain(in, used);

        if (rc == RS_RESP_AGAIN) {
            continue;
        }

        if (!turn_connection_request(c, rc)) {
            (void) bufferevent_disable(c->bev, EV_READ);

            if (turn_connection_flush(c) == 0
                || evtimer_add(c->timer, &turn_server_patience) != 0)
            {
                turn_connection_free(c);

            } else {
                c->closing = 1;
            }

            return;
        }
    }

    if (c->later && c->authorized && evbuffer_get_length(c->answers)
        && evtimer_add(c->later, &turn_server_later) == 0)
    {
        (void) bufferevent_disable(c->bev, EV_READ);
        return;

    } else if (turn_connection_flush(c) > TURN_SERVER_OUTPUT_HIGH) {
        (void) bufferevent_disable(c->bev, EV_READ);
        return;
    }

    (void) bufferevent_enable(c->bev, EV_READ);
}


/*
 * Answers are written at once: coturn waits for them, and to be told that the
 * socket takes them would be a turn of the loop.  What it does not take is
 * the bufferevent's; that much is returned.
 */

static size_t
turn_connection_flush(turn_connection_t *c)
{
    struct evbuffer  *out;

    out = bufferevent_get_output(c->bev);

    if (evbuffer_get_length(out) == 0 && evbuffer_get_length(c->answers)) {
        (void) evbuffer_write(c->answers, bufferevent_getfd(c->bev));
    }

    (void) evbuffer_add_buffer(out, c->answers);

    return evbuffer_get_length(out);
}


/* 0: the connection ends, after what was answered */

static int
turn_connection_request(turn_connection_t *c, rs_resp_e rc)
{
    turn_server_t  *s = c->server;

    if (rc == RS_RESP_ERROR) {
        s->stats.malformed++;
        turn_log_limited(&s->limit_bad, TURN_LOG_WARN,
                         "%s: what came is not the Redis protocol: is the "
                         "port only in coturn's configuration?",
                         s->handler.what);

        if (c->authorized) {
            turn_answer_error(c, "ERR Protocol error");
        }

        return 0;
    }

    s->stats.commands++;

    if (!c->decided) {
        c->decided = 1;

        if (!turn_connection_first(c)) {
            return 0;
        }

        if (c->guard) {
            turn_answer_ok(c);
            return 1;
        }
    }

    if (rc == RS_RESP_TOO_LARGE) {
        s->stats.too_large++;
        turn_answer_error(c, "ERR request is too large");
        return 1;
    }

    if (rs_str_eq_ci(c->parser.argv[0], RS_STR("auth"))) {
        return turn_connection_auth(c);
    }

    if (!c->authorized) {
        turn_answer_error(c, "NOAUTH Authentication required.");
        return 1;
    }

    if (rs_str_eq_ci(c->parser.argv[0], RS_STR("select"))) {
        turn_answer_ok(c);
        return 1;
    }

    s->handler.command(s->handler.data, c, c->parser.argv, c->parser.argc);

    return 1;
}


/* the guard says so before anything else; may this coturn be without? */

static int
turn_connection_first(turn_connection_t *c)
{
    rs_resp_t      *r = &c->parser;
    turn_server_t  *s = c->server;

    if (r->argc == 2 && rs_str_eq(r->argv[0], RS_STR("RS.GUARD"))
        && rs_str_eq(r->argv[1], RS_STR("1")))
    {
        c->guard = 1;
        return 1;
    }

    if (s->handler.unguarded != NULL
        && !s->handler.unguarded(s->handler.guard))
    {
        s->stats.unguarded++;
        return 0;
    }

    return 1;
}


/* AUTH password, AUTH user password; 0: wrong, the connection ends */

static int
turn_connection_auth(turn_connection_t *c)
{
    rs_str_t        want;
    rs_resp_t      *r = &c->parser;
    turn_server_t  *s = c->server;

    want.data = s->password;
    want.len = s->password_len;

    if ((r->argc == 2 || r->argc == 3)
        && rs_str_eq_secret(r->argv[r->argc - 1], want))
    {
        if (!c->authorized) {
            c->authorized = 1;
            s->stats.authorized++;
            s->stats.serving++;
        }

        (void) evtimer_del(c->timer);
        turn_answer_ok(c);
        return 1;
    }

    s->stats.bad_password++;

    turn_log_limited(&s->limit_auth, TURN_LOG_ERR,
                     "%s: wrong password: redis-%s in turnserver.conf has to "
                     "have the one of password_file", s->handler.what,
                     s->handler.what);

    turn_answer_error(c, "WRONGPASS invalid username-password pair or user "
                         "is disabled.");

    return 0;
}


void
turn_answer_ok(turn_connection_t *c)
{
    (void) evbuffer_add(c->answers, "+OK\r\n", 5);
}


void
turn_answer_int(turn_connection_t *c, uint64_t v)
{
    (void) evbuffer_add_printf(c->answers, ":%llu\r\n",
                               (unsigned long long) v);
}


void
turn_answer_bulk(turn_connection_t *c, rs_str_t s)
{
    struct evbuffer  *out = c->answers;

    (void) evbuffer_add_printf(out, "$%zu\r\n", s.len);
    (void) evbuffer_add(out, s.data, s.len);
    (void) evbuffer_add(out, "\r\n", 2);
}


void
turn_answer_nil(turn_connection_t *c)
{
    (void) evbuffer_add(c->answers, "$-1\r\n", 5);
}


void
turn_answer_array(turn_connection_t *c, size_t n)
{
    (void) evbuffer_add_printf(c->answers, "*%zu\r\n", n);
}


void
turn_answer_error(turn_connection_t *c, const char *text)
{
    (void) evbuffer_add_printf(c->answers, "-%s\r\n", text);
}


void
turn_answer_unknown(turn_connection_t *c)
{
    c->server->stats.unknown++;
    turn_answer_error(c, "ERR unknown command");
}
