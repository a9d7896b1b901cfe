
/*
 * Copyright (C) rs-gateway contributors
 *
 * Links until they are legs.
 *
 *     <dir>/p123456789abcdef     one for each process, named by incarnation
 *     address:port               one of "rs_node_listen" for each process
 *
 * Who connects says in one line of a fixed length which leg of which pipe
 * comes, for which socket of the other worker, and shows the nonce that the
 * store gave for this (librs/rs_link).  From then on the connection is a
 * socket of ngx_http_rs_conn.c, with frames without masks both ways.
 *
 * A unix socket's other end has to be of the workers' user; by TCP both ends
 * know the nodes' key.  Until a link is a leg its time and their number are
 * bounded, of those that come apart from those that are asked for: whoever
 * reaches the port can make some.  What fails is closed without a word.
 *
 * Each process takes a port of its own from the range, since the one that
 * accepts has to be the one that has the first leg: those of an old and a new
 * cycle, too, so there should be twice as many ports as workers.
 */


#include "ngx_http_rs_ipc_peer.h"
#include "ngx_http_rs_link_tls.h"


#define NGX_HTTP_RS_LINK_POOL      512
#define NGX_HTTP_RS_LINK_PENDING   1024
#define NGX_HTTP_RS_LINK_TIMEOUT   5000    /* ms, to become a leg */
#define NGX_HTTP_RS_LINK_ACCEPTS   32      /* before others get a turn */
#define NGX_HTTP_RS_LINK_PAUSE     500     /* ms, without a descriptor */


struct ngx_http_rs_links_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_http_rs_link_come_pt    come;

    ngx_connection_t           *near;      /* listening; or NULL */
    ngx_connection_t           *far;
    struct sockaddr_un          name;      /* of near */

    u_char                      text[NGX_HTTP_RS_LINK_MAX];
    ngx_str_t                   announced; /* of far, else "-" */

    ngx_queue_t                 all;
    ngx_uint_t                  n;
    ngx_uint_t                  ncome;     /* of them, by themselves */
};


typedef struct {
    ngx_http_rs_link_head_t     head;      /* first: for its TLS */
    ngx_http_rs_links_t        *links;
    ngx_queue_t                 queue;
    ngx_connection_t           *connection;
    ngx_event_t                 timer;
    ngx_event_t                 posted;    /* the end of what was asked for */

    u_char                      hello[RS_LINK_LEN];
    size_t                      done;      /* of it */

    ngx_http_rs_link_pt         handler;   /* NULL: it came by itself */
    void                       *data;
    unsigned                    far:1;
    unsigned                    come:1;
    unsigned                    good:1;
} ngx_http_rs_link_t;


static void ngx_http_rs_link_listen_near(ngx_http_rs_links_t *links);
static void ngx_http_rs_link_listen_far(ngx_http_rs_links_t *links);
static ngx_connection_t *ngx_http_rs_link_listen(ngx_http_rs_links_t *links,
    struct sockaddr *sa, socklen_t len);

static void ngx_http_rs_link_accept_handler(ngx_event_t *rev);
static void ngx_http_rs_link_pause(ngx_event_t *rev);
static void ngx_http_rs_link_accepted(ngx_http_rs_links_t *links,
    ngx_socket_t s, ngx_uint_t far);
static ngx_http_rs_link_t *ngx_http_rs_link_add(ngx_http_rs_links_t *links,
    ngx_connection_t *c, ngx_uint_t far);
static void ngx_http_rs_link_ready(ngx_http_rs_link_t *link);
static void ngx_http_rs_link_tls_handler(ngx_connection_t *c);
static void ngx_http_rs_link_read_handler(ngx_event_t *rev);

static ngx_connection_t *ngx_http_rs_link_reach(ngx_http_rs_links_t *links,
    rs_addr_t *to, ngx_str_t *announced, ngx_uint_t *far);
static ngx_connection_t *ngx_http_rs_link_peer(ngx_http_rs_links_t *links,
    struct sockaddr *sa, socklen_t len);
static void ngx_http_rs_link_write_handler(ngx_event_t *wev);
static void ngx_http_rs_link_ignore_handler(ngx_event_t *ev);
static void ngx_http_rs_link_timer_handler(ngx_event_t *ev);
static void ngx_http_rs_link_posted_handler(ngx_event_t *ev);
static void ngx_http_rs_link_failed(ngx_http_rs_link_t *link,
    const char *what);
static ngx_connection_t *ngx_http_rs_link_take(ngx_http_rs_link_t *link);


ngx_http_rs_links_t *
ngx_http_rs_links_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    ngx_http_rs_link_come_pt come)
{
    ngx_http_rs_links_t  *links;

    links = ngx_calloc(sizeof(ngx_http_rs_links_t), log);
    if (links == NULL) {
        return NULL;
    }

    links->rmcf = rmcf;
    links->log = log;
    links->come = come;
    ngx_queue_init(&links->all);
    ngx_str_set(&links->announced, "-");

    if (rmcf->ipc) {
        ngx_http_rs_link_listen_near(links);
    }

    if (rmcf->node_listen.len) {
        ngx_http_rs_link_listen_far(links);
    }

    return links;
}


void
ngx_http_rs_links_destroy(ngx_http_rs_links_t *links)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&links->all)) {
        q = ngx_queue_head(&links->all);
        ngx_http_rs_link_close(ngx_http_rs_link_take(
                               ngx_queue_data(q, ngx_http_rs_link_t, queue)));
    }

    if (links->near) {
        ngx_close_connection(links->near);
        (void) ngx_delete_file(links->name.sun_path);
    }

    if (links->far) {
        ngx_close_connection(links->far);
    }

    ngx_free(links);
}


ngx_str_t *
ngx_http_rs_link_announced(ngx_http_rs_links_t *links)
{
    return &links->announced;
}


static void
ngx_http_rs_link_listen_near(ngx_http_rs_links_t *links)
{
    ngx_http_rs_ipc_link_name(links->rmcf->ipc, &links->name,
                              links->rmcf->self.incarnation);

    links->near = ngx_http_rs_link_listen(links,
                                          (struct sockaddr *) &links->name,
                                          sizeof(struct sockaddr_un));

    if (links->near == NULL) {
        ngx_log_error(NGX_LOG_WARN, links->log, ngx_socket_errno,
                      "rs link: cannot listen on \"%s\", pipes with a leg at "
                      "another worker need \"rs_node_listen\"",
                      links->name.sun_path);
    }
}


/* the first port of the range that no other process has */

static void
ngx_http_rs_link_listen_far(ngx_http_rs_links_t *links)
{
    u_char                   *p;
    ngx_uint_t                port;
    ngx_sockaddr_t            sa;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = links->rmcf;

    for (port = rmcf->node_port; port <= rmcf->node_port_last; port++) {

        ngx_memcpy(&sa, &rmcf->node_sockaddr, rmcf->node_socklen);
        ngx_inet_set_port(&sa.sockaddr, (in_port_t) port);

        links->far = ngx_http_rs_link_listen(links, &sa.sockaddr,
                                             rmcf->node_socklen);
        if (links->far) {
            break;
        }

        if (ngx_socket_errno != NGX_EADDRINUSE) {
            break;
        }
    }

    if (links->far == NULL) {
        ngx_log_error(NGX_LOG_ERR, links->log, ngx_socket_errno,
                      "rs link: no port of \"rs_node_listen\" %V:%ui-%ui is "
                      "to be had, pipes with a leg at another node are "
                      "refused: give it two for each worker",
                      &rmcf->node_listen, rmcf->node_port,
                      rmcf->node_port_last);
        return;
    }

    p = ngx_snprintf(links->text, sizeof(links->text), "%V:%ui",
                     &rmcf->node_listen, port);

    links->announced.data = links->text;
    links->announced.len = p - links->text;
}


static ngx_connection_t *
ngx_http_rs_link_listen(ngx_http_rs_links_t *links, struct sockaddr *sa,
    socklen_t len)
{
    int                on;
    ngx_err_t          err;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = ngx_socket(sa->sa_family, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        return NULL;
    }

    on = 1;

    if ((sa->sa_family != AF_UNIX
         && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int)) == -1)
        || bind(s, sa, len) == -1 || listen(s, NGX_LISTEN_BACKLOG) == -1
        || ngx_nonblocking(s) == -1)
    {
        err = ngx_socket_errno;
        (void) ngx_close_socket(s);
        ngx_set_socket_errno(err);
        return NULL;
    }

    c = ngx_get_connection(s, links->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NULL;
    }

    c->type = SOCK_STREAM;
    c->data = links;
    c->log = links->log;
    c->read->log = c->write->log = links->log;
    c->read->handler = ngx_http_rs_link_accept_handler;

    /* not a client's: a worker that exits does not call it a leaked socket */
    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NULL;
    }

    return c;
}


/* level-triggered: what is not accepted now is told again */

static void
ngx_http_rs_link_accept_handler(ngx_event_t *rev)
{
    ngx_err_t             err;
    ngx_uint_t            i;
    ngx_socket_t          s;
    ngx_connection_t     *lc;
    ngx_http_rs_links_t  *links;

    lc = rev->data;
    links = lc->data;

    if (rev->timedout) {
        rev->timedout = 0;

        if (ngx_add_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
            ngx_add_timer(rev, NGX_HTTP_RS_LINK_PAUSE);
            return;
        }
    }

    for (i = 0; i < NGX_HTTP_RS_LINK_ACCEPTS; i++) {

        s = accept4(lc->fd, NULL, NULL, SOCK_NONBLOCK);

        if (s == (ngx_socket_t) -1) {
            err = ngx_socket_errno;

            if (err == NGX_EAGAIN) {
                return;
            }

            ngx_log_error(NGX_LOG_WARN, links->log, err,
                          "rs link: accept4() failed");

            if (err == NGX_EMFILE || err == NGX_ENFILE || err == NGX_ENOMEM) {
                ngx_http_rs_link_pause(rev);
                return;
            }

            continue;
        }

        ngx_http_rs_link_accepted(links, s, lc == links->far);
    }
}


/* what cannot be accepted would be told again and again */

static void
ngx_http_rs_link_pause(ngx_event_t *rev)
{
    if (ngx_del_event(rev, NGX_READ_EVENT, 0) == NGX_OK) {
        rev->cancelable = 1;
        ngx_add_timer(rev, NGX_HTTP_RS_LINK_PAUSE);
    }
}


static void
ngx_http_rs_link_accepted(ngx_http_rs_links_t *links, ngx_socket_t s,
    ngx_uint_t far)
{
    ngx_uint_t           max;
    ngx_connection_t    *c;
    ngx_http_rs_link_t  *link;

    /* a worker's connections are clients' first */

    max = ngx_min(NGX_HTTP_RS_LINK_PENDING, ngx_cycle->connection_n / 4);

    if ((!far && ngx_http_rs_ipc_same_user(links->rmcf->ipc, s) != NGX_OK)
        || links->ncome >= max)
    {
        (void) ngx_close_socket(s);
        return;
    }

    c = ngx_get_connection(s, links->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return;
    }

    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->read->log = c->write->log = c->log = links->log;
    c->write->ready = 1;

    link = ngx_http_rs_link_add(links, c, far);

    if (link == NULL || ngx_add_conn == NULL || ngx_add_conn(c) != NGX_OK) {

        if (link) {
            c = ngx_http_rs_link_take(link);
        }

        ngx_http_rs_link_close(c);
        return;
    }

    link->come = 1;
    links->ncome++;

    ngx_http_rs_link_ready(link);
}


/* a log of its own: what it is doing is not what the worker is */

static ngx_http_rs_link_t *
ngx_http_rs_link_add(ngx_http_rs_links_t *links, ngx_connection_t *c,
    ngx_uint_t far)
{
    ngx_log_t           *log;
    ngx_http_rs_link_t  *link;

    c->pool = ngx_create_pool(NGX_HTTP_RS_LINK_POOL, links->log);
    if (c->pool == NULL) {
        return NULL;
    }

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    link = ngx_pcalloc(c->pool, sizeof(ngx_http_rs_link_t));

    if (log == NULL || link == NULL) {
        return NULL;
    }

    *log = *links->log;
    log->handler = NULL;
    log->action = "linking legs of a pipe";

    c->log = c->read->log = c->write->log = c->pool->log = log;
    c->log_error = NGX_ERROR_INFO;
    c->read->channel = 1;
    c->write->channel = 1;

    /* as a client's, since it is closed as one */
#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    link->head.rmcf = links->rmcf;
    link->links = links;
    link->connection = c;
    link->far = far ? 1 : 0;

    link->timer.handler = ngx_http_rs_link_timer_handler;
    link->posted.handler = ngx_http_rs_link_posted_handler;
    link->timer.data = link->posted.data = link;
    link->timer.log = link->posted.log = log;
    link->timer.cancelable = 1;

    c->data = link;
    c->read->handler = ngx_http_rs_link_ignore_handler;
    c->write->handler = ngx_http_rs_link_ignore_handler;

    ngx_queue_insert_tail(&links->all, &link->queue);
    links->n++;

    ngx_add_timer(&link->timer, NGX_HTTP_RS_LINK_TIMEOUT);

    return link;
}


/* the connection stands: TLS, if it is from elsewhere, then the line */

static void
ngx_http_rs_link_ready(ngx_http_rs_link_t *link)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = link->connection;

    if (link->far && c->ssl == NULL) {
        rc = ngx_http_rs_link_tls_start(link->head.rmcf, c,
                                        link->handler != NULL,
                                        ngx_http_rs_link_tls_handler);
        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc != NGX_OK || !ngx_http_rs_link_tls_good(c)) {
            ngx_http_rs_link_failed(link, "TLS handshake");
            return;
        }
    }

    if (link->handler) {
        c->write->handler = ngx_http_rs_link_write_handler;
        ngx_http_rs_link_write_handler(c->write);
        return;
    }

    c->read->handler = ngx_http_rs_link_read_handler;
    ngx_http_rs_link_read_handler(c->read);
}


static void
ngx_http_rs_link_tls_handler(ngx_connection_t *c)
{
    ngx_http_rs_link_t *link = c->data;

    c->read->handler = ngx_http_rs_link_ignore_handler;
    c->write->handler = ngx_http_rs_link_ignore_handler;

    if (!ngx_http_rs_link_tls_good(c)) {
        ngx_http_rs_link_failed(link, "TLS handshake: another key, or none");
        return;
    }

    ngx_http_rs_link_ready(link);
}


static void
ngx_http_rs_link_read_handler(ngx_event_t *rev)
{
    ssize_t                n;
    rs_link_t              hello;
    ngx_connection_t      *c;
    ngx_http_rs_link_t    *link;
    ngx_http_rs_links_t   *links;

    c = rev->data;
    link = c->data;
    links = link->links;

    while (link->done < RS_LINK_LEN) {
        n = c->recv(c, link->hello + link->done, RS_LINK_LEN - link->done);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_rs_link_failed(link, "event");
            }

            return;
        }

        if (n <= 0) {
            ngx_http_rs_link_failed(link, "end before its line");
            return;
        }

        link->done += n;
    }

    if (rs_link_parse((rs_str_t) { link->hello, RS_LINK_LEN }, &hello)
        != RS_OK)
    {
        ngx_http_rs_link_failed(link, "malformed line");
        return;
    }

    /* link stays in the connection's pool */

    (void) ngx_http_rs_link_take(link);

    if (links->come(links->rmcf, &hello, c) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, links->log, 0,
                      "rs link: nobody waits for the one that comes");
        ngx_http_rs_link_close(c);
    }
}


ngx_int_t
ngx_http_rs_link_connect(ngx_http_rs_links_t *links, rs_addr_t *to,
    ngx_str_t *announced, rs_link_t *hello, ngx_http_rs_link_pt handler,
    void *data)
{
    ngx_uint_t           far;
    ngx_connection_t    *c;
    ngx_http_rs_link_t  *link;

    if (links->n - links->ncome >= NGX_HTTP_RS_LINK_PENDING) {
        return NGX_DECLINED;
    }

    c = ngx_http_rs_link_reach(links, to, announced, &far);
    if (c == NULL) {
        return NGX_DECLINED;
    }

    link = ngx_http_rs_link_add(links, c, far);

    if (link == NULL
        || rs_link_format((char *) link->hello, hello) != RS_OK)
    {
        if (link) {
            c = ngx_http_rs_link_take(link);
        }

        ngx_http_rs_link_close(c);
        return NGX_DECLINED;
    }

    link->handler = handler;
    link->data = data;

    c->write->handler = ngx_http_rs_link_write_handler;

    if (c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


/* the same node by its directory, if that can be; NULL: there is no way */

static ngx_connection_t *
ngx_http_rs_link_reach(ngx_http_rs_links_t *links, rs_addr_t *to,
    ngx_str_t *announced, ngx_uint_t *far)
{
    ngx_int_t                 rc;
    ngx_addr_t                addr;
    ngx_pool_t               *pool;
    ngx_connection_t         *c;
    struct sockaddr_un        name;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = links->rmcf;
    *far = 0;

    if (rmcf->ipc && to->node_len == rmcf->self.node_len
        && ngx_memcmp(to->node, rmcf->self.node, to->node_len) == 0)
    {
        ngx_http_rs_ipc_link_name(rmcf->ipc, &name, to->incarnation);

        c = ngx_http_rs_link_peer(links, (struct sockaddr *) &name,
                                  sizeof(struct sockaddr_un));
        if (c) {
            return c;
        }
    }

    if (rmcf->node_tls == NULL || announced->len < 2) {
        return NULL;
    }

    *far = 1;

    pool = ngx_create_pool(NGX_HTTP_RS_LINK_POOL, links->log);
    if (pool == NULL) {
        return NULL;
    }

    rc = ngx_parse_addr_port(pool, &addr, announced->data, announced->len);

    c = (rc == NGX_OK) ? ngx_http_rs_link_peer(links, addr.sockaddr,
                                               addr.socklen)
                       : NULL;

    ngx_destroy_pool(pool);

    return c;
}


static ngx_connection_t *
ngx_http_rs_link_peer(ngx_http_rs_links_t *links, struct sockaddr *sa,
    socklen_t len)
{
    ngx_int_t              rc;
    ngx_str_t              name;
    ngx_peer_connection_t  pc;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));
    ngx_str_set(&name, "another worker");

    pc.sockaddr = sa;
    pc.socklen = len;
    pc.name = &name;
    pc.get = ngx_event_get_peer;
    pc.log = links->log;
    pc.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {

        if (pc.connection) {
            ngx_close_connection(pc.connection);
        }

        return NULL;
    }

    if (sa->sa_family == AF_UNIX
        && ngx_http_rs_ipc_same_user(links->rmcf->ipc, pc.connection->fd)
           != NGX_OK)
    {
        ngx_close_connection(pc.connection);
        return NULL;
    }

    return pc.connection;
}


/* it stands, or it does not; then the line goes out */

static void
ngx_http_rs_link_write_handler(ngx_event_t *wev)
{
    int                  err;
    ssize_t              n;
    socklen_t            len;
    ngx_connection_t    *c;
    ngx_http_rs_link_t  *link;

    c = wev->data;
    link = c->data;

    if (link->far && c->ssl == NULL) {
        err = 0;
        len = sizeof(int);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1
            || err != 0)
        {
            ngx_log_error(NGX_LOG_INFO, c->log, err,
                          "rs link: connect() failed");
            ngx_http_rs_link_failed(link, "connection");
            return;
        }

        c->write->handler = ngx_http_rs_link_ignore_handler;
        ngx_http_rs_link_ready(link);
        return;
    }

    while (link->done < RS_LINK_LEN) {
        n = c->send(c, link->hello + link->done, RS_LINK_LEN - link->done);

        if (n == NGX_AGAIN) {

            if (ngx_handle_write_event(wev, 0) != NGX_OK) {
                ngx_http_rs_link_failed(link, "event");
            }

            return;
        }

        if (n <= 0) {
            ngx_http_rs_link_failed(link, "line");
            return;
        }

        link->done += n;
    }

    link->good = 1;
    c->write->handler = ngx_http_rs_link_ignore_handler;

    ngx_post_event(&link->posted, &ngx_posted_events);
}


/* what happens between two steps is looked at by the next one */

static void
ngx_http_rs_link_ignore_handler(ngx_event_t *ev)
{
}


static void
ngx_http_rs_link_timer_handler(ngx_event_t *ev)
{
    ngx_http_rs_link_failed(ev->data, "time");
}


/* once for each that was asked for, and never within the asking */

static void
ngx_http_rs_link_posted_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_http_rs_link_t   *link;
    ngx_http_rs_link_pt   handler;

    link = ev->data;
    handler = link->handler;

    c = ngx_http_rs_link_take(link);

    if (link->good) {
        handler(link->data, c);
        return;
    }

    if (handler) {
        handler(link->data, NULL);
    }

    ngx_http_rs_link_close(c);
}


/* never below its caller: the rest is posted */

static void
ngx_http_rs_link_failed(ngx_http_rs_link_t *link, const char *what)
{
    ngx_log_error(NGX_LOG_INFO, link->connection->log, 0,
                  "rs link fails: %s", what);

    link->connection->read->handler = ngx_http_rs_link_ignore_handler;
    link->connection->write->handler = ngx_http_rs_link_ignore_handler;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_post_event(&link->posted, &ngx_posted_events);
}


/* from here on c is somebody else's; link stays as long as c's pool does */

static ngx_connection_t *
ngx_http_rs_link_take(ngx_http_rs_link_t *link)
{
    ngx_queue_remove(&link->queue);
    link->links->n--;
    link->links->ncome -= link->come;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->posted.posted) {
        ngx_delete_posted_event(&link->posted);
    }

    return link->connection;
}


void
ngx_http_rs_link_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    pool = c->pool;

#if (NGX_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }
#endif

    ngx_close_connection(c);

    if (pool) {
#if (NGX_STAT_STUB)
        (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif
        ngx_destroy_pool(pool);
    }
}


char *
ngx_http_rs_node_listen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    u_char      *p, *colon, *last;
    ngx_int_t    first, end;
    ngx_str_t   *value, address;
    ngx_addr_t   addr;

    if (rmcf->node_listen.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    colon = NULL;
    last = value[1].data + value[1].len;

    for (p = value[1].data; p < last; p++) {
        if (*p == ':') {
            colon = p;
        }
    }

    if (colon == NULL) {
        goto invalid;
    }

    address.data = value[1].data;
    address.len = colon - value[1].data;

    p = ngx_strlchr(colon + 1, last, '-');

    first = ngx_atoi(colon + 1, (p ? p : last) - colon - 1);
    end = p ? ngx_atoi(p + 1, last - p - 1) : first;

    if (first < 1 || end < first || end > 65535
        || address.len > NGX_HTTP_RS_LINK_MAX - sizeof(":65535")
        || ngx_parse_addr_port(cf->pool, &addr, address.data,
                               (p ? p : last) - address.data)
           != NGX_OK)
    {
        goto invalid;
    }

    if (ngx_inet_wildcard(addr.sockaddr)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no address that other nodes can reach: "
                           "name the one they shall connect to", &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(&rmcf->node_sockaddr, addr.sockaddr, addr.socklen);
    rmcf->node_socklen = addr.socklen;
    rmcf->node_listen = address;
    rmcf->node_port = first;
    rmcf->node_port_last = end;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"%V\": address:port or address:first-last, "
                       "as \"192.0.2.1:20900-20907\"", &value[1]);

    return NGX_CONF_ERROR;
}
