
/*
 * Copyright (C) rs-gateway contributors
 *
 * GET over HTTP/1.
 */


#include "turn_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "turn_log.h"


typedef struct turn_http_conn_s  turn_http_conn_t;

struct turn_http_conn_s {
    TAILQ_ENTRY(turn_http_conn_s)  entry;
    turn_http_t                   *http;
    struct bufferevent            *bev;
    struct event                  *timer;
    unsigned                       answered:1;
};

TAILQ_HEAD(turn_http_conns_s, turn_http_conn_s);


struct turn_http_s {
    struct event_base             *base;
    struct evconnlistener         *listener;
    struct event                  *resume;      /* after EMFILE */
    struct turn_http_conns_s       conns;       /* oldest first */
    unsigned                       n;
    turn_http_get_pt               get;
    void                          *data;
    turn_log_limit_t               limit;
};


static void turn_http_on_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *addr, int len, void *data);
static void turn_http_on_accept_error(struct evconnlistener *l, void *data);
static void turn_http_on_resume(evutil_socket_t fd, short what, void *data);
static turn_http_conn_t *turn_http_conn_create(turn_http_t *http,
    evutil_socket_t fd);
static void turn_http_conn_free(turn_http_conn_t *c);
static void turn_http_on_read(struct bufferevent *bev, void *data);
static void turn_http_on_write(struct bufferevent *bev, void *data);
static void turn_http_on_event(struct bufferevent *bev, short what,
    void *data);
static void turn_http_on_timer(evutil_socket_t fd, short what, void *data);
static void turn_http_answer(turn_http_conn_t *c, rs_str_t line);
static void turn_http_send(turn_http_conn_t *c, const char *status,
    const char *type, struct evbuffer *body, int head);


turn_http_t *
turn_http_create(struct event_base *base, const turn_conf_addr_t *addr,
    turn_http_get_pt get, void *data, char *error)
{
    turn_http_t  *http;

    http = calloc(1, sizeof(turn_http_t));

    if (http == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");
        return NULL;
    }

    TAILQ_INIT(&http->conns);
    http->base = base;
    http->get = get;
    http->data = data;
    http->resume = evtimer_new(base, turn_http_on_resume, http);

    http->listener = evconnlistener_new_bind(base, turn_http_on_accept, http,
                                             LEV_OPT_CLOSE_ON_FREE
                                             |LEV_OPT_CLOSE_ON_EXEC
                                             |LEV_OPT_REUSEABLE,
                                             TURN_HTTP_CONNECTIONS,
                                             (const struct sockaddr *)
                                                 &addr->addr,
                                             (int) addr->len);

    if (http->listener == NULL || http->resume == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "metrics_listen = "
                        "\"%s\": %s: is another one running?  Take another "
                        "port, or off", addr->text, strerror(errno));
        turn_http_free(http);
        return NULL;
    }

    evconnlistener_set_error_cb(http->listener, turn_http_on_accept_error);

    return http;
}


void
turn_http_free(turn_http_t *http)
{
    if (http == NULL) {
        return;
    }

    while (!TAILQ_EMPTY(&http->conns)) {
        turn_http_conn_free(TAILQ_FIRST(&http->conns));
    }

    if (http->listener != NULL) {
        evconnlistener_free(http->listener);
    }

    if (http->resume != NULL) {
        event_free(http->resume);
    }

    free(http);
}


static void
turn_http_on_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *addr, int len, void *data)
{
    turn_http_t  *http = data;

    (void) l;
    (void) addr;
    (void) len;

    /* the oldest has had its time */

    if (http->n >= TURN_HTTP_CONNECTIONS) {
        turn_http_conn_free(TAILQ_FIRST(&http->conns));
    }

    if (turn_http_conn_create(http, fd) == NULL) {
        turn_log_limited(&http->limit, TURN_LOG_ERR,
                         "metrics: no memory for a connection");
        (void) evutil_closesocket(fd);
    }
}


static void
turn_http_on_accept_error(struct evconnlistener *l, void *data)
{
    turn_http_t                 *http = data;

    static const struct timeval  second = { 1, 0 };

    turn_log_limited(&http->limit, TURN_LOG_ERR, "metrics: cannot accept: %s",
                     evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));

    (void) evconnlistener_disable(l);
    (void) evtimer_add(http->resume, &second);
}


static void
turn_http_on_resume(evutil_socket_t fd, short what, void *data)
{
    turn_http_t  *http = data;

    (void) fd;
    (void) what;

    (void) evconnlistener_enable(http->listener);
}


static turn_http_conn_t *
turn_http_conn_create(turn_http_t *http, evutil_socket_t fd)
{
    turn_http_conn_t            *c;

    static const struct timeval  patience = { TURN_HTTP_TIME, 0 };

    c = calloc(1, sizeof(turn_http_conn_t));

    if (c == NULL) {
        return NULL;
    }

    c->http = http;
    c->timer = evtimer_new(http->base, turn_http_on_timer, c);
    c->bev = bufferevent_socket_new(http->base, fd, 0);

    if (c->timer == NULL || c->bev == NULL
        || evtimer_add(c->timer, &patience) != 0
        || bufferevent_enable(c->bev, EV_READ|EV_WRITE) != 0)
    {
        if (c->timer != NULL) {
            event_free(c->timer);
        }

        if (c->bev != NULL) {
            bufferevent_free(c->bev);
        }

        free(c);

        return NULL;
    }

    bufferevent_setcb(c->bev, turn_http_on_read, turn_http_on_write,
                      turn_http_on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, TURN_HTTP_HEAD);

    TAILQ_INSERT_TAIL(&http->conns, c, entry);
    http->n++;

    return c;
}


static void
turn_http_conn_free(turn_http_conn_t *c)
{
    evutil_socket_t  fd;

    TAILQ_REMOVE(&c->http->conns, c, entry);
    c->http->n--;

    fd = bufferevent_getfd(c->bev);

    event_free(c->timer);
    bufferevent_free(c->bev);
    (void) evutil_closesocket(fd);
    free(c);
}


/* the whole head, of which only the first line is looked at */

static void
turn_http_on_read(struct bufferevent *bev, void *data)
{
    char                  line[256];
    size_t                len;
    struct evbuffer      *in;
    turn_http_conn_t     *c = data;
    struct evbuffer_ptr   end;

    in = bufferevent_get_input(bev);
    len = evbuffer_get_length(in);

    if (c->answered) {
        (void) evbuffer_drain(in, len);
        return;
    }

    end = evbuffer_search(in, "\r\n\r\n", 4, NULL);

    if (end.pos == -1) {
        if (len >= TURN_HTTP_HEAD) {
            turn_http_send(c, "431 Request Header Fields Too Large", NULL,
                           NULL, 0);
        }

        return;
    }

    end = evbuffer_search(in, "\r\n", 2, NULL);

    if (end.pos >= (ssize_t) sizeof(line)) {
        turn_http_send(c, "414 URI Too Long", NULL, NULL, 0);
        return;
    }

    (void) evbuffer_remove(in, line, (size_t) end.pos);
    (void) evbuffer_drain(in, evbuffer_get_length(in));

    turn_http_answer(c, (rs_str_t) { (uint8_t *) line, (size_t) end.pos });
}


static void
turn_http_answer(turn_http_conn_t *c, rs_str_t line)
{
    rs_str_t          method, target, version, path, query;
    const char       *type;
    struct evbuffer  *body;

    if (!rs_str_split(line, ' ', &method, &target)
        || !rs_str_split(target, ' ', &target, &version)
        || !rs_str_starts(version, RS_STR("HTTP/1.")))
    {
        turn_http_send(c, "400 Bad Request", NULL, NULL, 0);
        return;
    }

    if (!rs_str_eq(method, RS_STR("GET"))
        && !rs_str_eq(method, RS_STR("HEAD")))
    {
        turn_http_send(c, "405 Method Not Allowed", NULL, NULL, 0);
        return;
    }

    (void) rs_str_split(target, '?', &path, &query);
    body = evbuffer_new();

    if (body == NULL) {
        turn_http_conn_free(c);
        return;
    }

    if (c->http->get(c->http->data, path, body, &type)) {
        turn_http_send(c, "200 OK", type, body,
                       rs_str_eq(method, RS_STR("HEAD")));

    } else {
        turn_http_send(c, "404 Not Found", NULL, NULL, 0);
    }

    evbuffer_free(body);
}


static void
turn_http_send(turn_http_conn_t *c, const char *status, const char *type,
    struct evbuffer *body, int head)
{
    char              date[64];
    time_t            now;
    struct tm         tm;
    struct evbuffer  *out;

    out = bufferevent_get_output(c->bev);
    c->answered = 1;

    /* RFC 9110, 5.6.7; the locale is C.  By it others compare clocks. */

    now = time(NULL);
    (void) strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
                    gmtime_r(&now, &tm));

    (void) evbuffer_add_printf(out, "HTTP/1.1 %s\r\n"
                               "Date: %s\r\n"
                               "Content-Type: %s\r\n"
                               "Content-Length: %zu\r\n"
                               "Cache-Control: no-store\r\n"
                               "Connection: close\r\n\r\n", status, date,
                               type ? type : "text/plain",
                               body ? evbuffer_get_length(body) : 0);

    if (body != NULL && !head) {
        (void) evbuffer_add_buffer(out, body);
    }
}


static void
turn_http_on_write(struct bufferevent *bev, void *data)
{
    turn_http_conn_t  *c = data;

    (void) bev;

    if (c->answered) {
        turn_http_conn_free(c);
    }
}


static void
turn_http_on_event(struct bufferevent *bev, short what, void *data)
{
    (void) bev;

    if (what & (BEV_EVENT_EOF|BEV_EVENT_ERROR)) {
        turn_http_conn_free(data);
    }
}


static void
turn_http_on_timer(evutil_socket_t fd, short what, void *data)
{
    (void) fd;
    (void) what;

    turn_http_conn_free(data);
}
